//! Several sources of one point's readings, merged to one stream by time.
//!
//! Chunks, late readings and the journal each hold some of a point's history, sorted. The stream
//! has one row for each instant and epoch: the one that arrived last. Where only one source has
//! something to say, its rows are lent as they lie; sources that are not yet reached are not read.

use super::{QueryError, Row};
use crate::historian::journal::{JournalError, Span};
use crate::historian::summary::Summary;
use crate::point::UtcMs;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

/// Hands over a source's rows piece by piece.
pub trait Rows {
    /// Appends the next rows, a few thousand at most, in order of (`at`, `seq`) and behind those
    /// before; false at the end. May append nothing and go on later, so that a long search can be
    /// stopped.
    fn pull(&mut self, rows: &mut Vec<Row>) -> Result<bool, JournalError>;
}

/// One of the places where readings of a point are.
pub struct Source<'a> {
    /// Counts the backward steps of the clock before these rows were written. Equal instants of
    /// one epoch are corrections or repeats; those of two epochs are two readings. A later epoch
    /// has the higher sequences.
    pub epoch: u32,
    /// No row lies before it; the source is not read until the stream has come here.
    pub starts: UtcMs,
    /// What all its rows come to, if that is known without reading them.
    pub whole: Option<Whole>,
    /// Its rows.
    pub rows: Box<dyn Rows + 'a>,
}

/// What a source comes to, so that its rows need not be read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Whole {
    /// From its first row to its last, bad ones too, both included.
    pub span: Span,
    /// Its rows in sum.
    pub summary: Summary,
}

/// The next part of the stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Piece<'m> {
    /// The epoch of all of it.
    pub epoch: u32,
    /// The rows.
    pub content: Content<'m>,
}

/// What a [`Piece`] holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Content<'m> {
    /// Rows, each later than the one before.
    Rows(&'m [Row]),
    /// A source that nothing else touches, taken whole.
    Whole(&'m Whole),
}

/// What is wanted of a merge, and what it may cost.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// From here.
    pub from: UtcMs,
    /// Up to and without this.
    pub to: UtcMs,
    /// Most rows of all sources in memory at the same time.
    pub rows_max: usize,
    /// Says that no one waits for the answer any more.
    pub stop: &'a AtomicBool,
}

/// The merged stream; see [`Merge::piece`].
pub struct Merge<'a> {
    ask: Ask<'a>,
    cursors: Vec<Cursor<'a>>,
    /// For each source that is not at its end: nothing of it lies before this instant and epoch.
    queue: BinaryHeap<Reverse<Turn>>,
    held: usize,
    winner: Option<Row>,
    /// The memory of a source that came to its end, for the next one.
    spare: Vec<Row>,
}

type Turn = (UtcMs, u32, usize);

/// Where the rows to lend lie.
enum Found {
    Run(usize, Range<usize>),
    Winner(u32),
    Whole(usize),
}

impl<'a> Merge<'a> {
    /// A stream of these sources. Of rows with the same instant, epoch and sequence the one of
    /// the later source counts.
    pub fn new(sources: Vec<Source<'a>>, ask: Ask<'a>) -> Merge<'a> {
        let cursors: Vec<_> = sources.into_iter().map(Cursor::new).collect();
        let turn = |(index, cursor): (usize, &Cursor<'_>)| {
            let source = &cursor.source;
            Reverse((source.starts.max(ask.from), source.epoch, index))
        };
        let queue = cursors.iter().enumerate().map(turn).collect();
        Merge { ask, cursors, queue, held: 0, winner: None, spare: Vec::new() }
    }

    /// The next rows; none at the end.
    pub fn piece(&mut self) -> Result<Option<Piece<'_>>, QueryError> {
        self.piece_or_whole(|_, _| false)
    }

    /// As [`Merge::piece`], but a source that no other one touches comes whole if `takes` (epoch,
    /// what it comes to) says so.
    pub fn piece_or_whole(
        &mut self,
        takes: impl FnMut(u32, &Whole) -> bool,
    ) -> Result<Option<Piece<'_>>, QueryError> {
        let Some(found) = self.find(takes)? else { return Ok(None) };
        let of = |index: usize| self.cursors.get(index).map(|cursor| (&cursor.source, &cursor.rows));
        Ok(match found {
            Found::Run(index, run) => of(index).and_then(|(source, rows)| {
                Some(Piece { epoch: source.epoch, content: Content::Rows(rows.get(run)?) })
            }),
            Found::Winner(epoch) => Some(Piece { epoch, content: Content::Rows(self.winner.as_slice()) }),
            Found::Whole(index) => of(index).and_then(|(source, _)| {
                Some(Piece { epoch: source.epoch, content: Content::Whole(source.whole.as_ref()?) })
            }),
        })
    }

    fn find(&mut self, mut takes: impl FnMut(u32, &Whole) -> bool) -> Result<Option<Found>, QueryError> {
        while let Some(Reverse((at, epoch, index))) = self.queue.pop() {
            if self.ask.stop.load(Ordering::Relaxed) {
                return Err(QueryError::Stopped);
            }
            if at >= self.ask.to {
                return Ok(None);
            }
            if self.alone(index).is_some_and(|whole| takes(epoch, whole)) {
                return Ok(Some(Found::Whole(index)));
            }
            if self.fill(index)? != Some(at) {
                self.requeue(index);
                continue;
            }
            let run = self.run(index);
            if !run.is_empty() {
                self.requeue(index);
                return Ok(Some(Found::Run(index, run)));
            }
            self.contest(at, epoch, index)?;
            return Ok(Some(Found::Winner(epoch)));
        }
        Ok(None)
    }

    /// What an unread source comes to, if it lies in what was asked for and all others are later.
    fn alone(&self, index: usize) -> Option<&Whole> {
        let cursor = self.cursors.get(index).filter(|cursor| !cursor.opened)?;
        let whole = cursor.source.whole.as_ref()?;
        let within = self.ask.from <= whole.span.first && whole.span.last < self.ask.to;
        let others = self.queue.peek().map(|Reverse((at, _, _))| *at);
        (within && others.is_none_or(|at| whole.span.last < at)).then_some(whole)
    }

    /// Reads on where that is needed to know all of a source's next instant; says which it is.
    fn fill(&mut self, index: usize) -> Result<Option<UtcMs>, QueryError> {
        let Some(cursor) = self.cursors.get_mut(index) else { return Ok(None) };
        while cursor.must_read() {
            if self.ask.stop.load(Ordering::Relaxed) {
                return Err(QueryError::Stopped);
            }
            self.held -= cursor.rows.len();
            if cursor.rows.capacity() == 0 {
                cursor.rows = std::mem::take(&mut self.spare);
            }
            cursor.read(&self.ask)?;
            self.held += cursor.rows.len();
            if self.held > self.ask.rows_max {
                return Err(QueryError::OverBudget { rows: self.held, rows_max: self.ask.rows_max });
            }
        }
        let head = cursor.head().map(|row| row.at);
        if head.is_none() {
            self.held -= cursor.rows.len();
            cursor.rows.clear();
            cursor.next = 0;
            self.spare = std::mem::take(&mut cursor.rows);
        }
        Ok(head)
    }

    fn requeue(&mut self, index: usize) {
        let Some(cursor) = self.cursors.get(index) else { return };
        // A source that is used up, or must be read to know its next row, has its turn at the
        // row that was lent last: not later than anything it may still have.
        let at = cursor.head().or(cursor.rows.last()).map(|row| row.at);
        if let Some(at) = at {
            self.queue.push(Reverse((at, cursor.source.epoch, index)));
        }
    }

    /// The rows of a source that no other one and no repeat of its own interferes with, taken.
    fn run(&mut self, index: usize) -> Range<usize> {
        let bound = self.queue.peek().map(|Reverse((at, epoch, _))| (*at, *epoch));
        let Some(cursor) = self.cursors.get_mut(index) else { return 0..0 };
        let run = cursor.run(bound);
        cursor.next = run.end;
        run
    }

    /// Takes the rows of one instant and epoch from all sources; the one that arrived last wins.
    fn contest(&mut self, at: UtcMs, epoch: u32, first: usize) -> Result<(), QueryError> {
        self.winner = None;
        let mut next = Some(first);
        while let Some(index) = next {
            if self.fill(index)? == Some(at) {
                let row = self.cursors.get_mut(index).and_then(Cursor::take);
                let beaten = |winner: &Row| row.is_none_or(|row| row.seq < winner.seq);
                self.winner = self.winner.filter(beaten).or(row);
                self.fill(index)?;
            }
            self.requeue(index);
            next = self
                .queue
                .peek()
                .filter(|Reverse((also, of, _))| (*also, *of) == (at, epoch))
                .map(|turn| turn.0.2);
            if next.is_some() {
                self.queue.pop();
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for Merge<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Merge").field("ask", &self.ask).field("held", &self.held).finish_non_exhaustive()
    }
}

/// How far a source is read.
struct Cursor<'a> {
    source: Source<'a>,
    rows: Vec<Row>,
    next: usize,
    opened: bool,
    over: bool,
    /// Some instant is in `rows` twice.
    repeats: bool,
}

impl<'a> Cursor<'a> {
    fn new(source: Source<'a>) -> Cursor<'a> {
        Cursor { source, rows: Vec::new(), next: 0, opened: false, over: false, repeats: false }
    }

    fn head(&self) -> Option<&Row> {
        self.rows.get(self.next)
    }

    /// Whether more rows of its next instant may come.
    fn must_read(&self) -> bool {
        let rows = self.rows.get(self.next..).unwrap_or_default();
        !self.over && rows.first().map(|row| row.at) == rows.last().map(|row| row.at)
    }

    /// Drops what is used up and appends what comes next, cut to what was asked for.
    fn read(&mut self, ask: &Ask<'_>) -> Result<(), QueryError> {
        self.opened = true;
        self.rows.drain(..self.next);
        self.next = 0;
        let old = self.rows.len();
        self.over = !self.source.rows.pull(&mut self.rows)?;
        self.repeats &= old > 1;
        for pair in self.rows.get(old.saturating_sub(1)..).unwrap_or_default().windows(2) {
            if let [row, next] = pair
                && row.at >= next.at
            {
                self.repeats = true;
                if (row.at, row.seq) > (next.at, next.seq) {
                    return Err(QueryError::Unsorted);
                }
            }
        }
        if self.rows.last().is_some_and(|row| row.at >= ask.to) {
            self.rows.truncate(self.rows.partition_point(|row| row.at < ask.to));
            self.over = true;
        }
        if self.rows.first().is_some_and(|row| row.at < ask.from) {
            self.next = self.rows.partition_point(|row| row.at < ask.from);
        }
        Ok(())
    }

    /// Where its rows lie that come before `bound` and are each alone at their instant.
    fn run(&self, bound: Option<(UtcMs, u32)>) -> Range<usize> {
        let Some((rows, last)) = self.rows.get(self.next..).and_then(|rows| Some((rows, rows.last()?.at)))
        else {
            return 0..0;
        };
        let epoch = self.source.epoch;
        let before =
            |row: &Row| bound.is_none_or(|bound| (row.at, epoch) < bound) && (self.over || row.at < last);
        let mut len = if rows.last().is_some_and(before) { rows.len() } else { rows.partition_point(before) };
        if self.repeats {
            // The first of a repeat is not lent: it may be corrected by the second.
            len = rows
                .windows(2)
                .take(len)
                .take_while(|pair| pair.first().map(|row| row.at) != pair.last().map(|row| row.at))
                .count()
                .min(len);
        }
        self.next..self.next + len
    }

    /// Takes the rows of its next instant; the last of them counts.
    fn take(&mut self) -> Option<Row> {
        let at = self.head()?.at;
        let rows = self.rows.get(self.next..)?;
        let same = rows.iter().take_while(|row| row.at == at).count();
        let last = rows.get(same.checked_sub(1)?).copied();
        self.next += same;
        last
    }
}

#[cfg(test)]
mod tests {
    use super::super::InMemory;
    use super::super::model::*;
    use super::*;
    use proptest::prelude::*;

    fn seq(row: Row, seq: u64) -> Row {
        Row { seq: crate::historian::Seq(seq), ..row }
    }

    fn rows(merge: &mut Merge<'_>) -> Vec<Row> {
        drain(merge).unwrap().into_iter().map(|(_, row)| row).collect()
    }

    #[test]
    fn a_correction_replaces_and_a_repeat_vanishes() {
        let sealed = InMemory::source(0, vec![good(1, 10), good(2, 20), good(3, 30)]);
        let late = InMemory::source(0, vec![seq(good(2, 21), 5), seq(good(4, 40), 5), seq(good(4, 41), 6)]);
        let repeat = InMemory::source(0, vec![good(3, 30)]);
        let mut merge = Merge::new(vec![late, sealed, repeat], everything());
        let expected = [good(1, 10), seq(good(2, 21), 5), good(3, 30), seq(good(4, 41), 6)];
        assert_eq!(rows(&mut merge), expected);
        assert_eq!(merge.held, 0);
        assert_eq!(merge.piece().unwrap(), None);
    }

    #[test]
    fn of_one_place_in_the_log_the_later_row_and_the_later_source_count() {
        let twice = InMemory::source(0, vec![good(1, 10), good(1, 11)]);
        assert_eq!(rows(&mut Merge::new(vec![twice], everything())), [good(1, 11)]);
        let sources = [10, 11].map(|value| InMemory::source(0, vec![good(1, value)]));
        assert_eq!(rows(&mut Merge::new(sources.into(), everything())), [good(1, 11)]);
    }

    /// The clock was set back by an hour: what was written again at the same times is kept beside
    /// what was there, and only corrected by its own.
    #[test]
    fn an_hour_that_the_clock_repeats_is_kept_twice() {
        let before = InMemory::source(0, (0..90).map(|minute| good(minute * 60_000, minute)).collect());
        let behind = |minute: i64| seq(good(minute * 60_000, minute + 60), 2);
        let after = InMemory::source(1, (30..120).map(behind).collect());
        let corrected = InMemory::source(1, vec![seq(good(31 * 60_000, 7), 3)]);
        let found = drain(&mut Merge::new(vec![after, corrected, before], everything())).unwrap();
        assert_eq!(found.len(), 90 + 90);
        assert!(found.is_sorted_by_key(|(epoch, row)| (row.at, *epoch)));
        let at_31: Vec<_> = found.iter().filter(|(_, row)| row.at.0 == 31 * 60_000).collect();
        assert_eq!(at_31, [&(0, good(31 * 60_000, 31)), &(1, seq(good(31 * 60_000, 7), 3))]);
    }

    #[test]
    fn a_source_without_a_neighbour_is_lent_piece_by_piece_and_not_before_its_time() {
        let (first, _) = pieces(0, (0..100).map(|at| good(at, at)).collect(), 40);
        let (second, opened) = pieces(0, (100..200).map(|at| good(at, at)).collect(), 40);
        let mut merge = Merge::new(vec![second, first], everything());
        let mut lens = Vec::new();
        while let Some(Piece { content: Content::Rows(rows), .. }) = merge.piece().unwrap() {
            assert_eq!(opened.get(), rows[0].at.0 >= 100);
            lens.push(rows.len());
        }
        // The last row of a piece waits for the next one: it might be corrected there.
        assert_eq!(lens, [39, 40, 21, 39, 40, 21]);
    }

    #[test]
    fn it_stops_when_told_and_at_its_budget() {
        let stop = AtomicBool::new(false);
        let source = || pieces(0, (0..100).map(|at| good(at, at)).collect(), 10).0;
        let mut merge = Merge::new(vec![source()], Ask { stop: &stop, ..everything() });
        assert!(merge.piece().unwrap().is_some());
        stop.store(true, Ordering::Relaxed);
        assert!(matches!(merge.piece(), Err(QueryError::Stopped)));

        let sources = || vec![source(), source(), source()];
        let enough = Ask { rows_max: 33, ..everything() };
        assert_eq!(drain(&mut Merge::new(sources(), enough)).unwrap().len(), 100);
        let error = drain(&mut Merge::new(sources(), Ask { rows_max: 29, ..everything() })).unwrap_err();
        assert!(matches!(error, QueryError::OverBudget { rows: 30, rows_max: 29 }), "{error}");
    }

    #[test]
    fn a_source_out_of_order_is_an_error() {
        let rows = Pieces {
            rows: vec![good(2, 1), good(1, 1)].into_iter(),
            len: 1,
            opened: std::rc::Rc::default(),
            pause: false,
        };
        let source = Source { epoch: 0, starts: UtcMs(0), whole: None, rows: Box::new(rows) };
        assert!(matches!(drain(&mut Merge::new(vec![source], everything())), Err(QueryError::Unsorted)));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

        /// Whatever arrives in which order, and wherever it lies: the same as to sort it all.
        #[test]
        fn the_stream_is_what_sorting_everything_gives(log in any_log(), from in -120_i64..320, len in 0_i64..450, far: bool) {
            let from = from + if far { 2_208_988_800_100 } else { 0 };
            let mut merge = Merge::new(log.sources(), ask(from, from + len));
            let mut expected = log.plain();
            expected.retain(|(_, row)| from <= row.at.0 && row.at.0 < from + len);
            prop_assert_eq!(drain(&mut merge).unwrap(), expected);
            prop_assert_eq!(drain(&mut Merge::new(log.sources(), everything())).unwrap(), log.plain());
        }

        /// A source comes whole only if that is the same as its rows at this place of the stream.
        #[test]
        fn what_comes_whole_is_what_its_rows_would_be(log in any_log(), cut in 0_i64..400, far: bool, choice: u8) {
            let to = cut + if far { 2_208_988_800_000 } else { -100 };
            let mut merge = Merge::new(log.sources(), ask(i64::MIN, to));
            let mut number = 0;
            let (mut count, mut last) = (0, i64::MIN);
            loop {
                number += 1;
                let Some(piece) = merge.piece_or_whole(|_, _| (choice >> (number % 8)) & 1 == 1).unwrap() else { break };
                match piece.content {
                    Content::Rows(rows) => {
                        prop_assert!(rows[0].at.0 >= last);
                        last = rows[rows.len() - 1].at.0;
                        count += rows.len();
                    }
                    Content::Whole(whole) => {
                        prop_assert!(whole.span.first.0 >= last && whole.span.last.0 < to);
                        last = whole.span.last.0;
                        let inside = log.plain().into_iter().filter(|(epoch, row)| {
                            *epoch == piece.epoch && whole.span.first <= row.at && row.at <= whole.span.last
                        });
                        count += inside.count();
                    }
                }
            }
            prop_assert_eq!(count, log.plain().iter().filter(|(_, row)| row.at.0 < to).count());
        }
    }
}
