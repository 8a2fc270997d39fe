//! Lines on their way: a parcel of whole log records, and its delivery in as many requests as the
//! engine's answers make it. Pure.

use super::outcome::{Outcome, Rejected};
use std::ops::Range;
use std::time::Duration;

/// Largest body before compression. Bytes; InfluxDB 3 takes 10 MB by default.
pub const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Encoded lines, each with its line feed, in one buffer.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    text: String,
    ends: Vec<usize>,
}

impl Lines {
    /// How many.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All of them in bytes.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Adds what `write` appends as one line; `write` says whether it appended one.
    pub fn push<E>(&mut self, write: impl FnOnce(&mut String) -> Result<bool, E>) -> Result<bool, E> {
        let before = self.text.len();
        let written = write(&mut self.text);
        if matches!(written, Ok(true)) {
            self.ends.push(self.text.len());
        } else {
            self.text.truncate(before);
        }
        written
    }

    /// Some neighbouring lines as a request body.
    pub fn body(&self, lines: &Range<usize>) -> &str {
        let end_of = |count: usize| match count.checked_sub(1) {
            None => 0,
            Some(last) => self.ends.get(last).copied().unwrap_or(self.text.len()),
        };
        self.text.get(end_of(lines.start)..end_of(lines.end)).unwrap_or_default()
    }

    /// Where to cut all lines so that no piece has more than `lines_max` lines or
    /// [`BODY_BYTES_MAX`] bytes; a line longer than that is a piece of its own.
    fn pieces(&self, lines_max: usize) -> Vec<Range<usize>> {
        let mut pieces = Vec::new();
        let (mut start, mut start_bytes, mut before) = (0, 0, 0);
        for (line, &end) in self.ends.iter().enumerate() {
            let full = line - start >= lines_max.max(1) || end - start_bytes > BODY_BYTES_MAX;
            if full && line > start {
                pieces.push(start..line);
                (start, start_bytes) = (line, before);
            }
            before = end;
        }
        if start < self.ends.len() {
            pieces.push(start..self.ends.len());
        }
        pieces
    }
}

/// A line the engine will never take, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLine {
    /// Its number among the lines of the delivery.
    pub line: usize,
    /// The engine's words.
    pub reason: String,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Go on with [`Delivery::next`].
    Next,
    /// Wait, then go on: as long as the engine asked for, or by backoff.
    Wait(Option<Duration>, String),
    /// Wait by backoff and tell a person.
    Hold(String),
}

/// The delivery of [`Lines`]: which lines are still to be sent, and which are dead.
#[derive(Debug)]
pub struct Delivery {
    /// The next request is the last entry.
    todo: Vec<Range<usize>>,
    dead: Vec<DeadLine>,
    delivered: usize,
}

impl Delivery {
    /// All lines, at most `lines_max` at once.
    pub fn new(lines: &Lines, lines_max: usize) -> Delivery {
        let mut todo = lines.pieces(lines_max);
        todo.reverse();
        Delivery { todo, dead: Vec::new(), delivered: 0 }
    }

    /// The lines of the next request; none when all are delivered or dead.
    pub fn next(&self) -> Option<Range<usize>> {
        self.todo.last().cloned()
    }

    /// Lines accepted so far.
    pub fn delivered(&self) -> usize {
        self.delivered
    }

    /// The dead lines so far, in the order they were found.
    pub fn dead(&self) -> &[DeadLine] {
        &self.dead
    }

    /// What came of the request for [`Delivery::next`].
    pub fn answer(&mut self, outcome: Outcome) -> Turn {
        let lines = match outcome {
            Outcome::Retry { after, reason } => return Turn::Wait(after, reason),
            Outcome::Hold { reason } => return Turn::Hold(reason),
            _ => match self.todo.pop() {
                Some(lines) => lines,
                None => return Turn::Next,
            },
        };
        match outcome {
            Outcome::Accepted => self.delivered += lines.len(),
            Outcome::Split { reason } => self.halve(lines, &reason),
            Outcome::Rejected(Rejected::Unnamed { dropped, reason }) => {
                if dropped == Some(lines.len()) {
                    self.bury(lines, &reason);
                } else {
                    self.halve(lines, &reason);
                }
            }
            Outcome::Rejected(Rejected::Named { lines: named, rest_written }) => {
                self.take_out(lines, named, rest_written);
            }
            Outcome::Retry { .. } | Outcome::Hold { .. } => {}
        }
        Turn::Next
    }

    fn halve(&mut self, lines: Range<usize>, reason: &str) {
        if lines.len() <= 1 {
            self.bury(lines, reason);
            return;
        }
        let middle = lines.start + lines.len() / 2;
        self.todo.push(middle..lines.end);
        self.todo.push(lines.start..middle);
    }

    fn bury(&mut self, lines: Range<usize>, reason: &str) {
        self.dead.extend(lines.map(|line| DeadLine { line, reason: reason.to_owned() }));
    }

    fn take_out(&mut self, lines: Range<usize>, mut named: Vec<(usize, String)>, rest_written: bool) {
        named.retain(|(offset, _)| *offset < lines.len());
        named.sort_by_key(|(offset, _)| *offset);
        named.dedup_by_key(|(offset, _)| *offset);
        if named.is_empty() {
            // Numbers that are not ours: find the lines without them.
            self.halve(lines, "rejected, and the answer names no line of the request");
            return;
        }
        let mut rest = Vec::new();
        let mut start = lines.start;
        let buried = named.len();
        for (offset, reason) in named {
            let line = lines.start + offset;
            rest.push(start..line);
            start = line + 1;
            self.dead.push(DeadLine { line, reason });
        }
        rest.push(start..lines.end);
        if rest_written {
            self.delivered += lines.len() - buried;
        } else {
            self.todo.extend(rest.into_iter().rev().filter(|lines| !lines.is_empty()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::fmt::Write;

    fn lines(count: usize) -> Lines {
        let mut lines = Lines::default();
        for number in 0..count {
            let push = lines.push::<()>(|text| {
                writeln!(text, "m f={number}").unwrap();
                Ok(true)
            });
            push.unwrap();
        }
        lines
    }

    fn unnamed(dropped: Option<usize>) -> Outcome {
        Outcome::Rejected(Rejected::Unnamed { dropped, reason: "400 wrong".into() })
    }

    #[test]
    fn lines_are_cut_where_they_end() {
        let mut all = lines(3);
        assert_eq!(
            all.push::<()>(|text| {
                text.push('x');
                Ok(false)
            }),
            Ok(false)
        );
        assert_eq!(
            all.push(|text| {
                text.push('x');
                Err(7)
            }),
            Err(7)
        );
        assert_eq!((all.len(), all.body(&(0..3))), (3, "m f=0\nm f=1\nm f=2\n"));
        assert_eq!((all.body(&(1..2)), all.body(&(1..1)), all.body(&(2..9))), ("m f=1\n", "", "m f=2\n"));
        assert_eq!(all.pieces(2), [0..2, 2..3]);
        let mut long = Lines::default();
        for size in [BODY_BYTES_MAX - 10, 20, BODY_BYTES_MAX + 10, 5] {
            long.push::<()>(|text| {
                text.extend(std::iter::repeat_n('x', size));
                Ok(true)
            })
            .unwrap();
        }
        assert_eq!(long.pieces(100), [0..1, 1..2, 2..3, 3..4]);
    }

    #[test]
    fn too_much_at_once_is_halved_down_to_a_line() {
        let mut delivery = Delivery::new(&lines(4), 100);
        let split = || Outcome::Split { reason: "413".into() };
        assert_eq!(delivery.next(), Some(0..4));
        assert_eq!(delivery.answer(split()), Turn::Next);
        assert_eq!(delivery.next(), Some(0..2));
        delivery.answer(split());
        delivery.answer(split());
        assert_eq!(delivery.dead(), [DeadLine { line: 0, reason: "413".into() }]);
        delivery.answer(Outcome::Accepted);
        delivery.answer(Outcome::Accepted);
        assert_eq!((delivery.next(), delivery.delivered()), (None, 3));
    }

    #[test]
    fn waiting_and_holding_lose_nothing() {
        let mut delivery = Delivery::new(&lines(4), 2);
        let wait = Some(Duration::from_secs(7));
        let retry = Outcome::Retry { after: wait, reason: "503".into() };
        assert_eq!(delivery.answer(retry), Turn::Wait(wait, "503".into()));
        assert_eq!(delivery.answer(Outcome::Hold { reason: "401".into() }), Turn::Hold("401".into()));
        assert_eq!(delivery.next(), Some(0..2));
    }

    #[test]
    fn named_lines_are_taken_out_and_the_rest_goes_again_where_it_must() {
        let named = |rest_written| {
            let lines = vec![(1, "b".into()), (99, "not ours".into()), (1, "b".into())];
            Outcome::Rejected(Rejected::Named { lines, rest_written })
        };
        let mut delivery = Delivery::new(&lines(4), 100);
        delivery.answer(named(true));
        assert_eq!((delivery.next(), delivery.delivered(), delivery.dead().len()), (None, 3, 1));

        let mut delivery = Delivery::new(&lines(4), 100);
        delivery.answer(named(false));
        assert_eq!(delivery.next(), Some(0..1));
        delivery.answer(Outcome::Accepted);
        assert_eq!(delivery.next(), Some(2..4));

        let mut delivery = Delivery::new(&lines(4), 100);
        let other = vec![(99, "not ours".into())];
        delivery.answer(Outcome::Rejected(Rejected::Named { lines: other, rest_written: false }));
        assert_eq!((delivery.next(), delivery.dead().len()), (Some(0..2), 0));
    }

    #[test]
    fn a_batch_of_nothing_but_wrong_lines_takes_one_request_where_the_engine_counts() {
        let mut delivery = Delivery::new(&lines(5_000), 5_000);
        delivery.answer(unnamed(Some(5_000)));
        assert_eq!((delivery.next(), delivery.dead().len()), (None, 5_000));
    }

    proptest! {
        /// Any set of bad lines, an engine that names none: exactly they die, all others arrive,
        /// with at most two requests for each halving of each bad line.
        #[test]
        fn bisecting_finds_exactly_the_bad_lines(
            count in 1_usize..300, bad in proptest::collection::btree_set(0_usize..300, 0..12),
            lines_max in 1_usize..400, partial: bool,
        ) {
            let bad: BTreeSet<usize> = bad.into_iter().filter(|line| *line < count).collect();
            let mut delivery = Delivery::new(&lines(count), lines_max);
            let (mut arrived, mut requests) = (BTreeSet::new(), 0);
            while let Some(sent) = delivery.next() {
                requests += 1;
                let wrong = sent.clone().filter(|line| bad.contains(line)).count();
                if wrong == 0 || partial {
                    arrived.extend(sent.filter(|line| !bad.contains(line)));
                }
                let counted = partial.then_some(wrong);
                delivery.answer(if wrong == 0 { Outcome::Accepted } else { unnamed(counted) });
            }
            let dead: BTreeSet<usize> = delivery.dead().iter().map(|dead| dead.line).collect();
            prop_assert_eq!(&dead, &bad);
            prop_assert_eq!(arrived.len(), count - bad.len());
            prop_assert_eq!(delivery.delivered() + delivery.dead().len(), count);
            prop_assert!(requests <= count.div_ceil(lines_max) + bad.len() * 2 * 10);
        }
    }
}
