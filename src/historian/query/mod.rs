//! Questions to the history: raw series, buckets, columns of pixels, statistics.
//!
//! Pure: sources of rows go in, answers come out; where the rows lie is the caller's business.
//! Read in this order: `merge` (several sources become one stream), `memory` (the simplest
//! source), `windows` (how time is cut), `buckets` (what a window comes to), `series` and
//! `statistics` (the other answers). A chart's columns of pixels are buckets of [`Cut::Columns`].

mod merge;
mod memory;
mod windows;
mod buckets;
mod series;
mod statistics;
#[cfg(test)]
pub(super) mod model;

pub use buckets::{Bucket, Buckets, Hold, Reckoning, Time, Trust, buckets};
pub use memory::InMemory;
pub use merge::{Ask, Content, Merge, Piece, Rows, Source, Whole};
pub use series::{AsOf, Series, as_of, first, series};
pub use statistics::{Statistics, statistics};
pub use windows::{CalendarUnit, Cut, Window, Windows, WindowsError};

use super::journal::{JournalError, Seq};
use crate::point::{Quality, UtcMs, Value};

/// A reading of one point, with its place in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// When the value was true.
    pub at: UtcMs,
    /// Where it stands in the log: of equal instants the higher one counts.
    pub seq: Seq,
    /// The value; none exactly when the quality is Bad.
    pub value: Option<Value>,
    /// How far to trust it.
    pub quality: Quality,
}

/// Why a question was not answered.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The store failed.
    #[error("the history cannot be read: {0}")]
    Store(#[from] JournalError),
    /// A source gave rows out of order.
    #[error("a part of the history is not in order of time")]
    Unsorted,
    /// No one waits for the answer any more.
    #[error("the question was withdrawn")]
    Stopped,
    /// More rows in memory at the same time than allowed.
    #[error(
        "{rows} rows ({} MB) would be in memory at the same time, {rows_max} ({} MB) are allowed: ask for a shorter time",
        megabytes(*rows), megabytes(*rows_max)
    )]
    OverBudget {
        /// How many would be needed.
        rows: usize,
        /// How many may be.
        rows_max: usize,
    },
}

fn megabytes(rows: usize) -> usize {
    rows.saturating_mul(size_of::<Row>()).div_ceil(1_000_000)
}
