//! The journal's rows of several points that are not sealed, in one reading of it.

use super::codec::{self, CodecError};
use super::epochs::Epochs;
use super::history::Shared;
use super::journal::{JournalReader, Record, Seq, Span};
use super::query::{QueryError, Row, Window};
use crate::point::{PointId, Quality, UtcMs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Most rows of one question in memory at the same time: about 80 MB.
pub(super) const ROWS_MAX: usize = 2_000_000;

/// A point that shall keep only some of its rows is thinned out whenever it has so many too much.
const SLACK_ROWS: usize = 8_192;

/// Which of a point's rows are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// All.
    All,
    /// Those of the first so many instants, and of one more.
    First(usize),
    /// The last one, the last with a value and the last good one.
    Last,
}

/// Reads the journal and sorts its rows by point.
pub(super) struct Gather<'a> {
    shared: &'a Shared,
    journal: &'a dyn JournalReader,
    gone: &'a AtomicBool,
    /// What stands before it is read from the year files.
    sealed_up_to: Seq,
    epochs: Arc<Epochs>,
    rows_max: usize,
    /// For each wanted point the rows found so far, in the order of their arrival.
    found: Vec<Found>,
    held: usize,
}

struct Found {
    rows: Vec<Row>,
    /// Rows behind it are known not to be wanted.
    until: UtcMs,
}

impl<'a> Gather<'a> {
    /// For so many points, nothing read yet.
    pub(super) fn new(
        shared: &'a Shared,
        journal: &'a dyn JournalReader,
        gone: &'a AtomicBool,
        points: usize,
    ) -> Gather<'a> {
        let found = (0..points).map(|_| Found { rows: Vec::new(), until: UtcMs(i64::MAX) }).collect();
        Gather {
            epochs: shared.epochs(),
            shared,
            journal,
            gone,
            sealed_up_to: shared.sealed_up_to(),
            rows_max: ROWS_MAX,
            found,
            held: 0,
        }
    }

    /// Reads the rows of a window; `wanted` is a point and its place among all of them.
    pub(super) fn read(
        &mut self,
        wanted: &[(PointId, usize)],
        window: Window,
        keep: Keep,
    ) -> Result<(), QueryError> {
        if window.to <= window.from || wanted.is_empty() {
            return Ok(());
        }
        let (places, mut scratch) = (Places::of(wanted), Vec::new());
        let span = Span { first: window.from, last: window.to.plus_ms(-1) };
        let mut at = self.sealed_up_to;
        loop {
            if self.gone.load(Ordering::Relaxed) {
                return Err(QueryError::Stopped);
            }
            let page = self.journal.within(span, at)?;
            for record in &page {
                scratch.clear();
                if self.shared.decode(rows_in(record, &places, span, &mut scratch)).is_some() {
                    self.take(&scratch, keep)?;
                }
            }
            let Some(last) = page.last() else { return Ok(()) };
            at = last.last;
        }
    }

    /// Whether nothing with a value was found of the point at a place.
    pub(super) fn lacks_value(&self, place: usize) -> bool {
        self.found.get(place).is_none_or(|found| found.rows.iter().all(|row| row.value.is_none()))
    }

    /// The rows of the points.
    pub(super) fn into_rows(self) -> Vec<Vec<Row>> {
        self.found.into_iter().map(|found| found.rows).collect()
    }

    fn take(&mut self, rows: &[(usize, Row)], keep: Keep) -> Result<(), QueryError> {
        for (place, row) in rows {
            let Some(found) = self.found.get_mut(*place).filter(|found| row.at <= found.until) else {
                continue;
            };
            found.rows.push(*row);
            self.held += 1;
            let before = found.rows.len();
            match keep {
                Keep::First(limit) if before > limit.saturating_add(SLACK_ROWS) => {
                    found.keep_first(limit, &self.epochs);
                }
                Keep::Last if before > SLACK_ROWS => found.keep_last(&self.epochs),
                _ => {}
            }
            self.held -= before - found.rows.len();
        }
        if self.held > self.rows_max {
            return Err(QueryError::OverBudget { rows: self.held, rows_max: self.rows_max });
        }
        Ok(())
    }
}

impl Found {
    /// Of each instant and epoch the row that arrived last.
    fn settle(&mut self, epochs: &Epochs) {
        self.rows.sort_by_key(|row| (row.at, row.seq));
        self.rows.dedup_by(|later, kept| {
            let same = later.at == kept.at && epochs.of(later.seq) == epochs.of(kept.seq);
            if same {
                *kept = *later;
            }
            same
        });
    }

    fn keep_first(&mut self, limit: usize, epochs: &Epochs) {
        self.settle(epochs);
        if let Some(last) = self.rows.get(limit) {
            self.until = last.at;
            self.rows.truncate(limit.saturating_add(1));
        }
    }

    fn keep_last(&mut self, epochs: &Epochs) {
        self.settle(epochs);
        let last = |wanted: fn(&&Row) -> bool| self.rows.iter().rfind(wanted).copied();
        let good = |row: &&Row| row.quality == Quality::Good;
        let mut kept: Vec<Row> =
            [last(good), last(|row| row.value.is_some()), last(|_| true)].into_iter().flatten().collect();
        kept.dedup();
        self.rows = kept;
    }
}

/// Finds the place of a point.
struct Places {
    /// By number.
    points: Vec<(PointId, usize)>,
    first: u32,
    /// From the first to the last point: its place, if it is one.
    table: Vec<Option<usize>>,
}

impl Places {
    fn of(wanted: &[(PointId, usize)]) -> Places {
        let mut points = wanted.to_vec();
        points.sort_unstable();
        let first = points.first().map_or(0, |(point, _)| point.0);
        let mut table = Vec::new();
        for (point, place) in &points {
            // Numbers are given out one after the other, so the table is as long as the catalogue.
            table.resize(usize::try_from(point.0 - first).unwrap_or(0), None);
            table.push(Some(*place));
        }
        Places { points, first, table }
    }

    fn touch(&self, section: &codec::Section<'_>) -> bool {
        let (first, last) = section.points();
        let next = self.points.partition_point(|(point, _)| *point < first);
        self.points.get(next).is_some_and(|(point, _)| *point <= last)
    }

    fn find(&self, point: PointId) -> Option<usize> {
        *self.table.get(usize::try_from(point.0.checked_sub(self.first)?).ok()?)?
    }
}

/// Appends a record's rows of the wanted points in a span, each with the place of its point.
fn rows_in(
    record: &Record,
    places: &Places,
    span: Span,
    rows: &mut Vec<(usize, Row)>,
) -> Result<(), CodecError> {
    let sections = codec::sections(&record.body)?;
    let before = record.last.0.checked_sub(sections.left()).ok_or(CodecError::Malformed)?;
    for (section, seq) in sections.zip(before + 1..) {
        let section = section?;
        if !places.touch(&section) {
            continue;
        }
        for reading in section.readings() {
            let reading = reading?;
            if let Some(place) = places.find(reading.point)
                && span.first <= reading.at
                && reading.at <= span.last
            {
                let row =
                    Row { at: reading.at, seq: Seq(seq), value: reading.value, quality: reading.quality };
                rows.push((place, row));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::historian::query::model::{bad, good, uncertain};

    fn at(found: &Found) -> Vec<i64> {
        found.rows.iter().map(|row| row.at.0).collect()
    }

    #[test]
    fn thinned_out_the_first_ones_stay_as_they_were_last_said() {
        let corrected = Row { seq: Seq(9), ..good(2, 70) };
        let rows = vec![good(5, 1), good(2, 2), corrected, good(9, 3), good(1, 4)];
        let mut found = Found { rows, until: UtcMs(i64::MAX) };
        found.keep_first(2, &Epochs::default());
        assert_eq!((at(&found), found.until), (vec![1, 2, 5], UtcMs(5)));
        assert_eq!(found.rows[1], corrected);
        found.keep_first(7, &Epochs::default());
        assert_eq!(at(&found), [1, 2, 5]);
    }

    #[test]
    fn thinned_out_the_last_ones_stay() {
        let mut found = Found {
            rows: vec![good(1, 1), good(3, 1), good(2, 1), bad(8), uncertain(5, 1), bad(9)],
            until: UtcMs(i64::MAX),
        };
        found.keep_last(&Epochs::default());
        assert_eq!(at(&found), [3, 5, 9]);
        found.rows.truncate(1);
        found.keep_last(&Epochs::default());
        assert_eq!(at(&found), [3]);
    }
}
