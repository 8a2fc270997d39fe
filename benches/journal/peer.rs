//! The peer: the journal in a SQLite file, a row for each group commit (docs/adr/0012).

use super::journal::{Journal, JournalError, JournalReader, PAGE_BYTES, Record, Seq, Span};
use super::sqlite::{Page, open_file, open_reader};
use plantroom::point::UtcMs;
use rusqlite::{Connection, Row, params};
use std::path::Path;

/// A checkpoint moves the WAL into the file after this many bytes of records.
const CHECKPOINT_BYTES: usize = 4 << 20;

/// Free pages kept for the records to come: 16 MB.
const FREE_PAGES_MAX: i64 = 4_096;

/// So many pages are given back in one go between two commits.
const VACUUM_PAGES: i64 = 256;

/// What a page given back and a deleted row's share of pages add to the WAL.
const VACUUM_PAGE_BYTES: usize = 4_096;
const ROW_BYTES: usize = 64;

const VERSION: i64 = 1;

/// `seq` is that of the record's last batch. The index serves "what touches this time".
const SCHEMA: &str = "
    CREATE TABLE journal (
        seq INTEGER PRIMARY KEY,
        first_ms INTEGER NOT NULL,
        last_ms INTEGER NOT NULL,
        body BLOB NOT NULL
    );
    CREATE INDEX journal_time ON journal (last_ms, first_ms);
";

/// A handle on `journal.db`.
#[derive(Debug)]
pub(super) struct SqliteJournal {
    conn: Connection,
    since_checkpoint: usize,
}

impl SqliteJournal {
    /// For writing; there must be only one.
    pub(super) fn open(path: &Path) -> Result<SqliteJournal, JournalError> {
        Ok(SqliteJournal { conn: open_file(path, SCHEMA, VERSION, Page::Rows)?, since_checkpoint: 0 })
    }

    /// For reading beside the writer.
    pub(super) fn open_reader(path: &Path) -> Result<SqliteJournal, JournalError> {
        Ok(SqliteJournal { conn: open_reader(path)?, since_checkpoint: 0 })
    }

    /// Deletes the oldest records, and returns pages to the file system when far more are free
    /// than the next records need.
    fn trim_slice(&mut self, up_to: Seq) -> Result<bool, JournalError> {
        let sql = "SELECT seq, length(body) FROM journal
                   WHERE seq <= ?1 AND seq < (SELECT max(seq) FROM journal) ORDER BY seq";
        let (mut to, mut bytes) = (None, 0);
        let mut statement = self.conn.prepare(sql)?;
        let mut rows = statement.query([up_to.0.cast_signed()])?;
        while bytes < PAGE_BYTES
            && let Some(row) = rows.next()?
        {
            to = Some(row.get::<_, i64>(0)?);
            bytes += usize::try_from(row.get::<_, i64>(1)?).unwrap_or(0) + ROW_BYTES;
        }
        drop(rows);
        drop(statement);
        if let Some(to) = to {
            self.conn.execute("DELETE FROM journal WHERE seq <= ?1", [to])?;
        }
        let free: i64 = self.conn.query_row("PRAGMA freelist_count", [], |row| row.get(0))?;
        let surplus = (free - FREE_PAGES_MAX).min(VACUUM_PAGES);
        if surplus > 0 {
            self.conn.execute_batch(&format!("PRAGMA incremental_vacuum({surplus})"))?;
            bytes += VACUUM_PAGE_BYTES * usize::try_from(surplus).unwrap_or(0);
        }
        self.since_checkpoint += bytes;
        Ok(to.is_none() && surplus <= 0)
    }

    /// Steps through a query until a page is full; the statement, and with it the read
    /// transaction, ends with this call.
    fn page(&self, sql: &str, values: &[i64], bytes: usize) -> Result<Vec<Record>, JournalError> {
        let mut statement = self.conn.prepare(sql)?;
        let mut rows = statement.query(rusqlite::params_from_iter(values))?;
        let (mut page, mut held) = (Vec::new(), 0);
        while (held == 0 || held < bytes)
            && let Some(row) = rows.next()?
        {
            let record = record(row)?;
            held += record.body.len();
            page.push(record);
        }
        Ok(page)
    }
}

fn record(row: &Row<'_>) -> Result<Record, rusqlite::Error> {
    Ok(Record {
        last: Seq(row.get::<_, i64>(0)?.cast_unsigned()),
        span: Span { first: UtcMs(row.get(1)?), last: UtcMs(row.get(2)?) },
        body: row.get(3)?,
    })
}

impl JournalReader for SqliteJournal {
    fn last(&self) -> Result<Seq, JournalError> {
        let last =
            self.conn.query_row("SELECT max(seq) FROM journal", [], |row| row.get::<_, Option<i64>>(0))?;
        Ok(Seq(last.unwrap_or(0).cast_unsigned()))
    }

    fn behind(&self, after: Seq, bytes: usize) -> Result<Vec<Record>, JournalError> {
        let sql = "SELECT seq, first_ms, last_ms, body FROM journal WHERE seq > ?1 ORDER BY seq";
        self.page(sql, &[after.0.cast_signed()], bytes)
    }

    fn within(&self, span: Span, after: Seq) -> Result<Vec<Record>, JournalError> {
        let sql = "SELECT seq, first_ms, last_ms, body FROM journal INDEXED BY journal_time
                   WHERE last_ms >= ?1 AND first_ms <= ?2 AND seq > ?3 ORDER BY seq";
        self.page(sql, &[span.first.0, span.last.0, after.0.cast_signed()], PAGE_BYTES)
    }
}

impl Journal for SqliteJournal {
    fn bytes(&self) -> u64 {
        0
    }

    fn append(&mut self, record: &Record) -> Result<(), JournalError> {
        let seq = record.last.0.cast_signed();
        // One statement is one transaction; with synchronous = FULL it is synced when it returns.
        let put = self.conn.execute(
            "INSERT INTO journal (seq, first_ms, last_ms, body) SELECT ?1, ?2, ?3, ?4
             WHERE NOT EXISTS (SELECT 1 FROM journal WHERE seq >= ?1)",
            params![seq, record.span.first.0, record.span.last.0, record.body],
        )?;
        if put == 0 {
            return Err(JournalError::Conflict(record.last));
        }
        self.since_checkpoint += record.body.len();
        Ok(())
    }

    fn tidy(&mut self) -> Result<(), JournalError> {
        if self.since_checkpoint >= CHECKPOINT_BYTES {
            self.since_checkpoint = 0;
            self.conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        }
        Ok(())
    }

    fn trim(&mut self, up_to: Seq) -> Result<bool, JournalError> {
        // No sync of its own: the next commit brings it to the disk.
        self.conn.pragma_update(None, "synchronous", "NORMAL")?;
        let done = self.trim_slice(up_to);
        self.conn.pragma_update(None, "synchronous", "FULL")?;
        done
    }

    fn repaired(&self) -> Option<String> {
        None
    }
}
