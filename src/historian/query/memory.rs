//! Readings that are in memory already, as a source of rows.

use super::Row;
use super::merge::{Rows, Source};
use crate::historian::journal::JournalError;
use crate::point::UtcMs;

/// Rows handed over at a time.
const PIECE_ROWS: usize = 1_024;

/// Rows in memory, in their order.
#[derive(Debug)]
pub struct InMemory(std::vec::IntoIter<Row>);

impl InMemory {
    /// A source of rows in any order; of those with equal instant and sequence the last counts.
    pub fn source(epoch: u32, mut rows: Vec<Row>) -> Source<'static> {
        rows.sort_by_key(|row| (row.at, row.seq));
        let starts = rows.first().map_or(UtcMs(i64::MAX), |row| row.at);
        Source { epoch, starts, whole: None, rows: Box::new(InMemory(rows.into_iter())) }
    }
}

impl Rows for InMemory {
    fn pull(&mut self, rows: &mut Vec<Row>) -> Result<bool, JournalError> {
        rows.extend(self.0.by_ref().take(PIECE_ROWS));
        Ok(self.0.len() > 0)
    }
}
