//! Random histories, and the plain way to do what this folder does quickly.

use super::{Ask, Content, Merge, QueryError, Row, Rows, Source, Whole};
use crate::historian::journal::{JournalError, Seq, Span};
use crate::historian::summary::Summary;
use crate::point::{Decimal, Quality, Reason, TextId, UtcMs, Value};
use proptest::prelude::*;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;

pub static GOING: AtomicBool = AtomicBool::new(false);

pub fn ask(from: i64, to: i64) -> Ask<'static> {
    Ask { from: UtcMs(from), to: UtcMs(to), rows_max: usize::MAX, stop: &GOING }
}

pub fn everything() -> Ask<'static> {
    ask(i64::MIN, i64::MAX)
}

pub fn good(at: i64, value: i64) -> Row {
    let value = Decimal::new(value, -1).ok().map(Value::Decimal);
    Row { at: UtcMs(at), seq: Seq(1), value, quality: Quality::Good }
}

pub fn bad(at: i64) -> Row {
    Row { at: UtcMs(at), seq: Seq(1), value: None, quality: Quality::Bad(Reason::Timeout) }
}

pub fn uncertain(at: i64, value: i64) -> Row {
    Row { quality: Quality::Uncertain(Reason::Stale), ..good(at, value) }
}

/// A source that gives its rows in pieces of a given length, and says when it was first asked.
pub struct Pieces {
    pub rows: std::vec::IntoIter<Row>,
    pub len: usize,
    pub opened: Rc<Cell<bool>>,
    /// Every other piece is empty.
    pub pause: bool,
}

impl Rows for Pieces {
    fn pull(&mut self, rows: &mut Vec<Row>) -> Result<bool, JournalError> {
        self.opened.set(true);
        self.pause = !self.pause;
        if self.pause {
            rows.extend(self.rows.by_ref().take(self.len));
        }
        Ok(self.rows.len() > 0)
    }
}

pub fn pieces(epoch: u32, mut rows: Vec<Row>, len: usize) -> (Source<'static>, Rc<Cell<bool>>) {
    rows.sort_by_key(|row| (row.at, row.seq));
    let opened = Rc::new(Cell::new(false));
    let starts = rows.first().map_or(UtcMs(i64::MAX), |row| row.at);
    // A chunk holds an instant once.
    let sealed = rows.windows(2).all(|pair| pair[0].at < pair[1].at);
    let ends = rows.first().zip(rows.last()).filter(|_| sealed);
    let whole = ends.map(|(first, last)| {
        let mut summary = Summary::default();
        for row in &rows {
            summary.add(row.at, row.value, row.quality);
        }
        Whole { span: Span { first: first.at, last: last.at }, summary }
    });
    let rows = Pieces { rows: rows.into_iter(), len, opened: Rc::clone(&opened), pause: false };
    (Source { epoch, starts, whole, rows: Box::new(rows) }, opened)
}

/// Rows in the order of their arrival, each with the epoch it was written in and the sources that
/// hold it (a bit each).
#[derive(Clone, Debug)]
pub struct Log {
    /// No row is earlier, and none 400 ms later.
    pub begin: i64,
    pub rows: Vec<(u32, u8, Row)>,
    pub piece: usize,
}

/// Sources a row of [`Log`] may be in.
const SOURCES: u8 = 3;

/// Values of all kinds; the numbers are whole hundredths, so that plain sums of them are exact.
pub fn any_value() -> impl Strategy<Value = Option<Value>> {
    let decimal = |(mantissa, exponent)| Decimal::new(mantissa, exponent).ok().map(Value::Decimal);
    prop_oneof![
        8 => (-50_i64..500, -2_i8..=1).prop_map(decimal),
        2 => (-40_i32..360).prop_map(|quarters| Some(Value::F64(f64::from(quarters) / 4.0))),
        1 => any::<bool>().prop_map(|on| Some(Value::Bool(on))),
        1 => Just(Some(Value::Text(TextId(3)))),
        2 => Just(None),
    ]
}

#[expect(clippy::cast_possible_truncation, reason = "the numbers of the tests are small")]
pub fn in_hundredths(number: f64) -> i64 {
    (number * 100.0).round() as i64
}

/// The value in hundredths; none for a text.
pub fn hundredths(value: Value) -> Option<i64> {
    match value {
        Value::Bool(on) => Some(i64::from(on) * 100),
        Value::Decimal(number) => number.mantissa_at(-2),
        Value::F64(number) => Some(in_hundredths(number)),
        Value::Text(_) => None,
    }
}

/// Late, repeated and corrected readings over 1970 and 2040, and a clock that steps back; of values
/// of all kinds, and of one.
pub fn any_log() -> impl Strategy<Value = Log> {
    let tenths = (-50_i64..500).prop_map(|mantissa| Value::Decimal(Decimal::new(mantissa, -1).unwrap()));
    let quarters = (-40_i32..360).prop_map(|quarters| Value::F64(f64::from(quarters) / 4.0));
    prop_oneof![
        4 => log_of(any_value()),
        1 => log_of(tenths.prop_map(Some)),
        1 => log_of(quarters.prop_map(Some)),
        1 => log_of(any::<bool>().prop_map(|on| Some(Value::Bool(on)))),
    ]
}

fn log_of(value: impl Strategy<Value = Option<Value>>) -> impl Strategy<Value = Log> {
    let row = (0_i64..400, value, 0_u8..10, 1_u8..1 << SOURCES, prop::bool::weighted(0.05));
    let begin = prop_oneof![Just(-100), Just(2_208_988_800_000_i64)];
    (begin, prop::collection::vec(row, 0..120), 1_usize..20).prop_map(|(begin, rows, piece)| {
        let (mut epoch, mut log) = (0, Vec::new());
        for (number, (at, value, doubt, sources, step)) in rows.into_iter().enumerate() {
            epoch += u32::from(step);
            let quality = match (value, doubt) {
                (None, _) => Quality::Bad(Reason::Timeout),
                (Some(_), 0..2) => Quality::Uncertain(Reason::Stale),
                _ => Quality::Good,
            };
            let seq = Seq(u64::try_from(number).unwrap() / 2 * 2 + u64::from(step));
            log.push((epoch, sources, Row { at: UtcMs(begin + at), seq, value, quality }));
        }
        // A step begins a batch: sequences of epochs do not overlap.
        for number in 1..log.len() {
            if log[number].0 != log[number - 1].0 || log[number].2.seq < log[number - 1].2.seq {
                log[number].2.seq = Seq(log[number - 1].2.seq.0 + 1);
            }
        }
        Log { begin, rows: log, piece }
    })
}

impl Log {
    /// The sources: for each epoch up to three, each with some of its rows.
    pub fn sources(&self) -> Vec<Source<'static>> {
        let epochs = self.rows.last().map_or(0, |row| row.0);
        let of = |epoch, source: u8| {
            let held = |row: &&(u32, u8, Row)| row.0 == epoch && row.1 & (1 << source) != 0;
            self.rows.iter().filter(held).map(|row| row.2).collect::<Vec<_>>()
        };
        let all = (0..=epochs).flat_map(|epoch| (0..SOURCES).map(move |source| (epoch, source)));
        all.map(|(epoch, source)| pieces(epoch, of(epoch, source), self.piece).0).collect()
    }

    /// What counts, each with its epoch, in order of time.
    pub fn plain(&self) -> Vec<(u32, Row)> {
        let mut last = BTreeMap::new();
        for source in 0..SOURCES {
            for (epoch, held, row) in &self.rows {
                if held & (1 << source) != 0 {
                    let kept: &mut Row = last.entry((row.at, *epoch)).or_insert(*row);
                    if kept.seq <= row.seq {
                        *kept = *row;
                    }
                }
            }
        }
        last.into_iter().map(|((_, epoch), row)| (epoch, row)).collect()
    }
}

/// Reads a merge to its end.
pub fn drain(merge: &mut Merge<'_>) -> Result<Vec<(u32, Row)>, QueryError> {
    let mut all = Vec::new();
    while let Some(piece) = merge.piece()? {
        let Content::Rows(rows) = piece.content else { panic!("not asked for") };
        assert!(!rows.is_empty());
        all.extend(rows.iter().map(|row| (piece.epoch, *row)));
    }
    Ok(all)
}
