//! The log that holds everything: what it must do, whatever it is made of.
//!
//! The trait is narrow on purpose: append durably, read on from a place, read what touches a
//! time, give the oldest back. Segment files are behind it (`segments`, docs/adr/0012).

use crate::point::UtcMs;

/// A place in the log: the number of a batch, counted from 1 and never reused. 0 is before all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

/// The times a record's readings span, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The earliest.
    pub first: UtcMs,
    /// The latest.
    pub last: UtcMs,
}

impl Span {
    /// The span with one more time in it.
    pub fn over(so_far: Option<Span>, at: UtcMs) -> Span {
        so_far.map_or(Span { first: at, last: at }, |span| Span {
            first: span.first.min(at),
            last: span.last.max(at),
        })
    }
}

/// The batches of one group commit, encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The place of its last batch; the others are numbered down from it.
    pub last: Seq,
    /// What its readings span.
    pub span: Span,
    /// The bytes (`codec`).
    pub body: Vec<u8>,
}

/// Why the log could not do it.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// There is no room.
    #[error("the disk is full")]
    Full,
    /// Another record stands where this one belongs: someone else wrote.
    #[error("the journal holds another record at {}", .0.0)]
    Conflict(Seq),
    /// The file was written by a newer version.
    #[error("the file has format {found}, this version knows up to {known}; use the version that wrote it")]
    Newer {
        /// What the file says.
        found: i64,
        /// What this version knows.
        known: i64,
    },
    /// The file belongs to another program.
    #[error("the file is not one of plantroom's")]
    Foreign,
    /// A reader kept the log from being made safe; try again.
    #[error("a reader holds the journal")]
    Busy,
    /// The store below failed.
    #[error("{0}")]
    Sqlite(rusqlite::Error),
    /// The file system failed.
    #[error("{0}")]
    Io(std::io::Error),
}

impl From<std::io::Error> for JournalError {
    fn from(error: std::io::Error) -> JournalError {
        match error.kind() {
            std::io::ErrorKind::StorageFull => JournalError::Full,
            _ => JournalError::Io(error),
        }
    }
}

impl From<rusqlite::Error> for JournalError {
    fn from(error: rusqlite::Error) -> JournalError {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => JournalError::Full,
            _ => JournalError::Sqlite(error),
        }
    }
}

/// The reading side. No method holds anything open when it has returned.
pub trait JournalReader: Send {
    /// The place of the last batch; 0 in an empty log.
    fn last(&self) -> Result<Seq, JournalError>;

    /// The next records behind `after` in order, at least one if there is one, and then as long as
    /// they have fewer than so many bytes.
    fn behind(&self, after: Seq, bytes: usize) -> Result<Vec<Record>, JournalError>;

    /// As [`JournalReader::behind`], about [`PAGE_BYTES`].
    fn after(&self, after: Seq) -> Result<Vec<Record>, JournalError> {
        self.behind(after, PAGE_BYTES)
    }

    /// As [`JournalReader::after`], but only records that touch `span`.
    fn within(&self, span: Span, after: Seq) -> Result<Vec<Record>, JournalError>;
}

/// The writing side.
pub trait Journal: JournalReader {
    /// Appends a record; it is on disk when this returns. After an error the handle must not be
    /// used again: open a new one, and look which is the last record.
    fn append(&mut self, record: &Record) -> Result<(), JournalError>;

    /// Housekeeping between commits, off the path of anyone who waits.
    fn tidy(&mut self) -> Result<(), JournalError>;

    /// Gives back room that records up to `up_to` take, a piece at a time so that commits come in
    /// between; true when there is nothing left to do. Some of them may stay, but the oldest go
    /// first, never one behind `up_to`, and never the last of all: the end of the log stays known.
    fn trim(&mut self, up_to: Seq) -> Result<bool, JournalError>;

    /// Room its records take. Bytes.
    fn bytes(&self) -> u64;

    /// What had to be repaired when it was opened, in a sentence for a person.
    fn repaired(&self) -> Option<String>;
}

/// About how much a page of records holds. Bytes.
pub const PAGE_BYTES: usize = 1 << 20;
