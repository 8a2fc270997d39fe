//! What a stretch of one point's history comes to: how much, how good, least, most, sum, increase.
//!
//! Kept with every sealed chunk, so that a query over a bucket that covers the chunk reads these
//! few bytes and no reading. Summaries of neighbouring stretches merge to that of both together,
//! wherever the cut was: decimals exactly, floats within the rounding of a compensated sum.

use super::bytes::{self, Bytes, BytesError};
use super::query::Row;
use crate::point::{Decimal, Quality, Severity, UtcMs, Value};
use std::cmp::Ordering;

/// The summary of a point's readings in order of time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Summary {
    /// Readings with a value.
    pub count: u64,
    /// Of these, the numbers: everything but texts.
    pub numbers: u64,
    /// Readings of quality Good.
    pub good: u64,
    /// Readings of quality Uncertain.
    pub uncertain: u64,
    /// Readings of quality Bad.
    pub bad: u64,
    /// The least number, and when; of equal ones the first. On and off count as 1 and 0, texts not
    /// at all.
    pub min: Option<(UtcMs, Value)>,
    /// The greatest number, and when; of equal ones the first.
    pub max: Option<(UtcMs, Value)>,
    /// The sum of the numbers. On and off add 1 and 0, so the mean is the share of readings "on".
    pub sum: Sum,
    /// The first value, a text or a number, and when.
    pub first: Option<(UtcMs, Value)>,
    /// The last value, and when.
    pub last: Option<(UtcMs, Value)>,
    /// What a counter grew by from the first value to the last: the rises from number to number;
    /// after a fall the counter began anew at 0, so the new number is the rise (the rule of
    /// `increase` in Prometheus, without its extrapolation). For on/off how often it went on.
    pub increase: Sum,
}

impl Summary {
    /// Counts a reading, which must be later than those before it.
    #[inline]
    pub fn add(&mut self, at: UtcMs, value: Option<Value>, quality: Quality) {
        match quality.severity() {
            Severity::Good => self.good += 1,
            Severity::Uncertain => self.uncertain += 1,
            Severity::Bad => self.bad += 1,
        }
        let Some(value) = value else { return };
        self.count += 1;
        if let Some(number) = Number::of(value) {
            self.numbers += 1;
            self.sum.add(number);
            self.widen((at, value), (at, value));
            self.rise(number);
        }
        self.first.get_or_insert((at, value));
        self.last = Some((at, value));
    }

    /// Counts rows, each later than the one before; the value of one that is not Good if `trusted`.
    /// Bit for bit what [`Summary::add`] of each gives, and several times as quick where Good numbers
    /// of one kind follow each other.
    pub fn add_rows(&mut self, mut rows: &[Row], trusted: bool) {
        while let Some((row, behind)) = rows.split_first() {
            let good = row.quality == Quality::Good;
            rows = match row.value {
                Some(Value::Decimal(number)) if good && Sum::takes(number) => {
                    self.add_run((row.at, number), behind)
                }
                Some(Value::Bool(on)) if good => self.add_run((row.at, on), behind),
                Some(Value::F64(number)) if good => self.add_run((row.at, number), behind),
                value => {
                    self.add(row.at, value.filter(|_| good || trusted), row.quality);
                    behind
                }
            };
        }
    }

    /// Counts a Good number and those like it that follow in `rows`, with all that changes from one
    /// to the next in registers. Gives back the rows behind them.
    fn add_run<'r, F: Figure>(&mut self, first: (UtcMs, F), rows: &'r [Row]) -> &'r [Row] {
        let before = self.last.as_ref().and_then(|(_, value)| first.1.like(value));
        if let (None, Some(number)) = (before, Number::of(first.1.value())) {
            self.rise(number);
        }
        let (mut sum, mut increase) = (F::begin(&self.sum), F::begin(&self.increase));
        first.1.add_to(&mut sum);
        if let Some(before) = before {
            first.1.rise_from(before, &mut increase);
        }
        let (mut min, mut max, mut last, mut rest) = (first, first, first, rows.iter());
        let behind = loop {
            let behind = rest.as_slice();
            let Some(row) = rest.next().filter(|row| row.quality == Quality::Good) else { break behind };
            let Some(number) = row.value.as_ref().and_then(|value| first.1.like(value)) else { break behind };
            number.add_to(&mut sum);
            number.rise_from(last.1, &mut increase);
            last = (row.at, number);
            min = if number.is_less(min.1) { last } else { min };
            max = if max.1.is_less(number) { last } else { max };
        };
        let count = (1 + rows.len() - behind.len()) as u64;
        first.1.end(sum, &mut self.sum);
        if before.is_some() || count > 1 {
            first.1.end(increase, &mut self.increase);
        }
        self.good += count;
        self.count += count;
        self.numbers += count;
        let mark = |(at, number): (UtcMs, F)| (at, number.value());
        if self.min.is_none() && self.max.is_none() {
            (self.min, self.max) = (Some(mark(min)), Some(mark(max)));
        } else {
            self.widen(mark(min), mark(max));
        }
        self.first.get_or_insert(mark(first));
        self.last = Some(mark(last));
        behind
    }

    /// Appends the summary of what comes after.
    pub fn merge(&mut self, later: &Summary) {
        self.count += later.count;
        self.numbers += later.numbers;
        self.good += later.good;
        self.uncertain += later.uncertain;
        self.bad += later.bad;
        if let (Some(min), Some(max)) = (later.min, later.max) {
            self.widen(min, max);
        }
        self.sum.merge(&later.sum);
        if let Some(first) = later.first.and_then(|(_, value)| Number::of(value)) {
            self.rise(first);
        }
        self.increase.merge(&later.increase);
        self.first = self.first.or(later.first);
        self.last = later.last.or(self.last);
    }

    /// The mean of the numbers.
    #[expect(clippy::cast_precision_loss, reason = "a count beyond 2^53 takes longer than the plant stands")]
    pub fn mean(&self) -> Option<f64> {
        (self.numbers > 0).then(|| self.sum.to_f64() / self.numbers as f64)
    }

    #[inline]
    fn widen(&mut self, min: (UtcMs, Value), max: (UtcMs, Value)) {
        if self.min.is_none_or(|least| order(min.1, least.1).is_lt()) {
            self.min = Some(min);
        }
        if self.max.is_none_or(|most| order(max.1, most.1).is_gt()) {
            self.max = Some(max);
        }
    }

    /// Counts the rise from the last value to the next; a text has none on either side.
    #[inline]
    fn rise(&mut self, next: Number) {
        if let Some(last) = self.last.and_then(|(_, value)| Number::of(value)) {
            self.increase.add_rise(last, next);
        }
    }

    /// Appends it as bytes; see [`Summary::decode`].
    pub fn encode(&self, out: &mut Vec<u8>) {
        for count in [self.count, self.numbers, self.good, self.uncertain, self.bad] {
            bytes::varint(out, count);
        }
        for mark in [self.min, self.max, self.first, self.last] {
            bytes::value(out, mark.map(|(_, value)| value));
            if let Some((at, _)) = mark {
                bytes::signed(out, at.0);
            }
        }
        self.sum.encode(out);
        self.increase.encode(out);
    }

    /// Reads what [`Summary::encode`] wrote.
    pub fn decode(bytes: &mut Bytes<'_>) -> Result<Summary, BytesError> {
        let mark = |bytes: &mut Bytes<'_>| match bytes.value()? {
            Some(value) => bytes.signed().map(|at| Some((UtcMs(at), value))),
            None => Ok(None),
        };
        Ok(Summary {
            count: bytes.varint()?,
            numbers: bytes.varint()?,
            good: bytes.varint()?,
            uncertain: bytes.varint()?,
            bad: bytes.varint()?,
            min: mark(bytes)?,
            max: mark(bytes)?,
            first: mark(bytes)?,
            last: mark(bytes)?,
            sum: Sum::decode(bytes)?,
            increase: Sum::decode(bytes)?,
        })
    }
}

/// The number of a value, correctly rounded: as [`Value::as_f64`], and quicker for the decimals of
/// a sensor.
#[inline]
pub fn nearest(value: Value) -> Option<f64> {
    Number::of(value).map(Number::to_f64)
}

/// Least and greatest are those of the numbers on this line: by nearest float, and where the
/// floats meet, a float before a decimal and decimals by their exact value.
#[inline]
fn order(a: Value, b: Value) -> Ordering {
    match (a, b) {
        (Value::Decimal(a), Value::Decimal(b)) if a.exponent() == b.exponent() => {
            a.mantissa().cmp(&b.mantissa())
        }
        (Value::Decimal(a), Value::Decimal(b)) => a.cmp(&b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(&b),
        _ => {
            let number = |value| nearest(value).unwrap_or(f64::NAN);
            let decimal = |value| matches!(value, Value::Decimal(_));
            number(a).total_cmp(&number(b)).then(decimal(a).cmp(&decimal(b)))
        }
    }
}

/// A value as the sums take it.
#[derive(Clone, Copy, Debug)]
enum Number {
    /// `mantissa * 10^exponent`, the exponent within `EXPONENT_MIN..=0`.
    Exact(i64, i8),
    Float(f64),
}

impl Number {
    #[inline]
    fn of(value: Value) -> Option<Number> {
        match value {
            Value::Bool(on) => Some(Number::Exact(i64::from(on), 0)),
            Value::Decimal(number) => Some(Number::of_decimal(number)),
            Value::F64(number) => Some(Number::Float(number)),
            Value::Text(_) => None,
        }
    }

    #[inline]
    fn of_decimal(number: Decimal) -> Number {
        let exact = match number.exponent() {
            exponent @ Sum::EXPONENT_MIN..=0 => Some((number.mantissa(), exponent)),
            1.. => number.mantissa_at(0).map(|mantissa| (mantissa, 0)),
            _ => None,
        };
        exact.map_or_else(|| Number::Float(number.to_f64()), |(m, e)| Number::Exact(m, e))
    }

    #[inline]
    fn to_f64(self) -> f64 {
        match self {
            Number::Exact(mantissa, exponent) => scaled(i128::from(mantissa), exponent),
            Number::Float(number) => number,
        }
    }
}

/// A number of a run: what a [`Summary`] makes of it, with nothing left to decide for each.
trait Figure: Copy {
    /// A sum while it grows.
    type Part;
    /// The number of a value of the same kind.
    fn like(self, value: &Value) -> Option<Self>;
    fn value(self) -> Value;
    /// As [`order`].
    fn is_less(self, than: Self) -> bool;
    fn begin(sum: &Sum) -> Self::Part;
    fn add_to(self, part: &mut Self::Part);
    /// As [`Sum::add_rise`].
    fn rise_from(self, last: Self, part: &mut Self::Part);
    fn end(self, part: Self::Part, sum: &mut Sum);
}

/// One of those that [`Sum::takes`].
impl Figure for Decimal {
    type Part = i128;

    #[inline]
    fn like(self, value: &Value) -> Option<Decimal> {
        match value {
            Value::Decimal(number) if number.exponent() == self.exponent() => Some(*number),
            _ => None,
        }
    }

    #[inline]
    fn value(self) -> Value {
        Value::Decimal(self)
    }

    #[inline]
    fn is_less(self, than: Decimal) -> bool {
        self.mantissa() < than.mantissa()
    }

    #[inline]
    fn begin(_: &Sum) -> i128 {
        0
    }

    #[inline]
    fn add_to(self, part: &mut i128) {
        *part += i128::from(self.mantissa());
    }

    #[inline]
    fn rise_from(self, last: Decimal, part: &mut i128) {
        let (last, next) = (last.mantissa(), self.mantissa());
        // Between 64-bit numbers it may need all 64 bits and no sign.
        let rise = next.wrapping_sub(last).cast_unsigned();
        *part += if next < last { i128::from(next) } else { i128::from(rise) };
    }

    #[inline]
    fn end(self, part: i128, sum: &mut Sum) {
        sum.add_exact(part, self.exponent());
    }
}

impl Figure for bool {
    type Part = i128;

    #[inline]
    fn like(self, value: &Value) -> Option<bool> {
        if let Value::Bool(on) = value { Some(*on) } else { None }
    }

    #[inline]
    fn value(self) -> Value {
        Value::Bool(self)
    }

    #[inline]
    fn is_less(self, than: bool) -> bool {
        !self && than
    }

    #[inline]
    fn begin(_: &Sum) -> i128 {
        0
    }

    #[inline]
    fn add_to(self, part: &mut i128) {
        *part += i128::from(self);
    }

    #[inline]
    fn rise_from(self, last: bool, part: &mut i128) {
        *part += i128::from(self && !last);
    }

    #[inline]
    fn end(self, part: i128, sum: &mut Sum) {
        sum.add_exact(part, 0);
    }
}

impl Figure for f64 {
    type Part = (f64, f64);

    #[inline]
    fn like(self, value: &Value) -> Option<f64> {
        if let Value::F64(number) = value { Some(*number) } else { None }
    }

    #[inline]
    fn value(self) -> Value {
        Value::F64(self)
    }

    #[inline]
    fn is_less(self, than: f64) -> bool {
        self.total_cmp(&than).is_lt()
    }

    #[inline]
    fn begin(sum: &Sum) -> (f64, f64) {
        sum.floats.unwrap_or_default()
    }

    #[inline]
    fn add_to(self, part: &mut (f64, f64)) {
        *part = compensated(*part, self, 0.0);
    }

    #[inline]
    fn rise_from(self, last: f64, part: &mut (f64, f64)) {
        *part = compensated(*part, if self < last { self } else { self - last }, 0.0);
    }

    #[inline]
    fn end(self, part: (f64, f64), sum: &mut Sum) {
        sum.floats = Some(part);
    }
}

/// A sum that keeps decimals exact and floats as exact as two floats can hold them.
///
/// A decimal joins the exact part by a rule that knows only the decimal itself (exponent
/// `EXPONENT_MIN` or more and 64 bits at exponent 0 or less), so that a sum never depends on
/// where it was cut. 2^33 such decimals of any size fit 128 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sum {
    mantissa: i128,
    /// The least exponent that was added, at most 0.
    exponent: i8,
    /// Sum of the floats, and of what was rounded off in it (Neumaier 1974).
    floats: Option<(f64, f64)>,
}

impl Sum {
    /// The finest decimal that is summed exactly; a finer one goes to the floats.
    pub const EXPONENT_MIN: i8 = -9;

    /// Whether it adds a decimal up as it is spelled.
    #[inline]
    fn takes(number: Decimal) -> bool {
        (Self::EXPONENT_MIN..=0).contains(&number.exponent())
    }

    /// The nearest float.
    pub fn to_f64(&self) -> f64 {
        let exact = scaled(self.mantissa, self.exponent);
        let Some((sum, low)) = self.floats else { return exact };
        // Beyond the range of floats there is no remainder.
        if !sum.is_finite() {
            return sum;
        }
        let (sum, error) = two_sum(sum, exact);
        sum + (low + error)
    }

    /// The exact sum with the most decimals that were added: none if there were floats in it or it
    /// is beyond 64 bits.
    pub fn to_decimal(&self) -> Option<Decimal> {
        let mantissa = i64::try_from(self.mantissa).ok().filter(|_| self.floats.is_none())?;
        Decimal::new(mantissa, self.exponent).ok()
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Sum) {
        self.add_exact(other.mantissa, other.exponent);
        if let Some((sum, low)) = other.floats {
            self.add_float(sum, low);
        }
    }

    /// Adds a number so many times, as for a value that held for so many milliseconds. Text adds
    /// nothing.
    #[inline]
    #[expect(clippy::cast_precision_loss, reason = "2^53 ms are 285,000 years")]
    pub fn add_times(&mut self, value: Value, times: i64) {
        match Number::of(value) {
            Some(Number::Exact(mantissa, exponent)) => {
                self.add_exact(i128::from(mantissa) * i128::from(times), exponent);
            }
            Some(Number::Float(number)) => self.add_float(number * times as f64, 0.0),
            None => {}
        }
    }

    #[inline]
    fn add(&mut self, number: Number) {
        match number {
            Number::Exact(mantissa, exponent) => self.add_exact(i128::from(mantissa), exponent),
            Number::Float(number) => self.add_float(number, 0.0),
        }
    }

    #[inline]
    fn add_rise(&mut self, last: Number, next: Number) {
        if let (Number::Exact(last, before), Number::Exact(next, after)) = (last, next) {
            let exponent = before.min(after);
            let next = lowered(i128::from(next), after, exponent);
            let rise = next - lowered(i128::from(last), before, exponent);
            return self.add_exact(if rise < 0 { next } else { rise }, exponent);
        }
        let (last, next) = (last.to_f64(), next.to_f64());
        self.add_float(if next < last { next } else { next - last }, 0.0);
    }

    /// Saturates only on what was read from bytes that lie.
    #[inline]
    fn add_exact(&mut self, mantissa: i128, exponent: i8) {
        let common = self.exponent.min(exponent);
        self.mantissa = lowered(self.mantissa, self.exponent, common);
        self.mantissa = self.mantissa.saturating_add(lowered(mantissa, exponent, common));
        self.exponent = common;
    }

    #[inline]
    fn add_float(&mut self, number: f64, low: f64) {
        self.floats = Some(compensated(self.floats.unwrap_or_default(), number, low));
    }

    /// `-exponent`, bit 4 if there are floats, the mantissa, the floats.
    fn encode(&self, out: &mut Vec<u8>) {
        let floats = if self.floats.is_some() { FLOATS } else { 0 };
        out.push(self.exponent.unsigned_abs() | floats);
        bytes::wide(out, self.mantissa);
        for number in self.floats.into_iter().flat_map(|(sum, low)| [sum, low]) {
            out.extend_from_slice(&number.to_le_bytes());
        }
    }

    fn decode(bytes: &mut Bytes<'_>) -> Result<Sum, BytesError> {
        let head = bytes.byte()?;
        let decimals = head & !FLOATS;
        if decimals > Self::EXPONENT_MIN.unsigned_abs() {
            return Err(BytesError::Malformed);
        }
        let mantissa = bytes.wide()?;
        let mut float = || bytes.array().map(f64::from_le_bytes);
        let floats = if head & FLOATS == 0 { None } else { Some((float()?, float()?)) };
        Ok(Sum { mantissa, exponent: -decimals.cast_signed(), floats })
    }
}

const FLOATS: u8 = 0x10;

/// The mantissa of `mantissa * 10^from` at `to`, which is not above it.
#[inline]
fn lowered(mantissa: i128, from: i8, to: i8) -> i128 {
    if from == to || mantissa == 0 { mantissa } else { shifted(mantissa, from.abs_diff(to)) }
}

/// Apart, so that what is done for every reading of a sensor stays short.
#[cold]
fn shifted(mantissa: i128, places: u8) -> i128 {
    mantissa.saturating_mul(10_i128.pow(u32::from(places)))
}

/// `mantissa * 10^exponent` correctly rounded, for exponents from `EXPONENT_MIN` to 0.
#[expect(clippy::cast_precision_loss, reason = "within 53 bits both are exact, and one division rounds once")]
#[inline]
fn scaled(mantissa: i128, exponent: i8) -> f64 {
    let short = i64::try_from(mantissa).ok().filter(|mantissa| mantissa.unsigned_abs() <= 1 << 53);
    let divisor = TENS.get(usize::from(exponent.unsigned_abs()));
    short.zip(divisor).map_or_else(|| parsed(mantissa, exponent), |(short, divisor)| short as f64 / divisor)
}

/// Apart, because numbers so long are rare.
#[cold]
fn parsed(mantissa: i128, exponent: i8) -> f64 {
    format!("{mantissa}e{exponent}").parse().unwrap_or(f64::NAN)
}

/// Ten to the power, for each decimal of an exact sum.
const TENS: [f64; 10] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// A sum with what was rounded off in it, and one more number with what was rounded off in that.
#[inline]
fn compensated((sum, before): (f64, f64), number: f64, low: f64) -> (f64, f64) {
    let (sum, error) = two_sum(sum, number);
    (sum, before + (low + error))
}

/// The sum as a float, and exactly what its rounding left (Knuth, TAOCP 2, 4.2.2, theorem B).
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let of_b = sum - a;
    (sum, (a - (sum - of_b)) + (b - of_b))
}

#[cfg(test)]
mod tests {
    use super::super::codec::tests::{any_quality, any_value};
    use super::*;
    use crate::point::{Reason, TextId};
    use proptest::prelude::*;

    type TestRow = (Option<Value>, Quality);

    fn summary(rows: &[TestRow], from: usize) -> Summary {
        let mut summary = Summary::default();
        for (at, (value, quality)) in rows.iter().enumerate() {
            summary.add(UtcMs(i64::try_from(from + at).unwrap() * 1_000), *value, *quality);
        }
        summary
    }

    fn decimal(mantissa: i64, exponent: i8) -> Value {
        Value::Decimal(Decimal::new(mantissa, exponent).unwrap())
    }

    fn good(values: &[Value]) -> Vec<TestRow> {
        values.iter().map(|value| (Some(*value), Quality::Good)).collect()
    }

    /// Rows whose sums need no rounding anywhere: big decimals, or floats on a grid, not both.
    fn exact_rows() -> impl Strategy<Value = Vec<TestRow>> {
        let decimals = prop_oneof![
            (any::<i64>(), -9_i8..=0).prop_map(|(m, e)| decimal(m, e)),
            (-1000_i64..1000, -3_i8..=2).prop_map(|(m, e)| decimal(m, e)),
        ];
        let floats = (-1_000_000_i32..1_000_000).prop_map(|eighths| Value::F64(f64::from(eighths) / 8.0));
        prop_oneof![rows_of(decimals), rows_of(floats)]
    }

    fn any_rows() -> impl Strategy<Value = Vec<TestRow>> {
        prop::collection::vec((any_value(), any_quality()), 0..40)
    }

    /// Most of one kind and Good: a sensor, a counter that begins anew, extremes, floats of any bits.
    fn run_of_rows() -> impl Strategy<Value = Vec<TestRow>> {
        let ends = prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(0), any::<i64>()];
        prop_oneof![
            (-18_i8..=18).prop_flat_map(|e| mostly((-50_i64..50).prop_map(move |m| decimal(m, e)))),
            (-10_i8..=1).prop_flat_map(move |e| mostly(ends.clone().prop_map(move |m| decimal(m, e)))),
            mostly(any::<bool>().prop_map(Value::Bool)),
            mostly((-9_i32..9).prop_map(|tenths| Value::F64(-f64::from(tenths) / 10.0))),
            mostly(any::<u64>().prop_map(|bits| Value::F64(f64::from_bits(bits)))),
        ]
    }

    fn mostly(number: impl Strategy<Value = Value>) -> impl Strategy<Value = Vec<TestRow>> {
        let good = number.prop_map(|value| (Some(value), Quality::Good));
        prop::collection::vec(prop_oneof![20 => good, 1 => (any_value(), any_quality())], 0..60)
    }

    fn rows_of(numbers: impl Strategy<Value = Value>) -> impl Strategy<Value = Vec<TestRow>> {
        let value = prop_oneof![
            4 => numbers.prop_map(Some),
            1 => any::<bool>().prop_map(|on| Some(Value::Bool(on))),
            1 => prop_oneof![Just(None), Just(Some(Value::Text(TextId(7))))],
        ];
        prop::collection::vec((value, any_quality()), 0..40)
    }

    fn close(a: f64, b: f64, size: f64) -> bool {
        a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()) || (a - b).abs() <= size * 1e-15
    }

    proptest! {
        #[test]
        fn any_cut_merges_to_the_same(
            rows in exact_rows(), cuts in prop::collection::vec(0..40_usize, 0..4),
        ) {
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(rows.len())).chain([0, rows.len()]).collect();
            cuts.sort_unstable();
            let parts: Vec<_> = cuts.windows(2).map(|cut| summary(&rows[cut[0]..cut[1]], cut[0])).collect();
            let whole = summary(&rows, 0);
            let from_left = parts.iter().fold(Summary::default(), |mut sum, part| { sum.merge(part); sum });
            let from_right = parts.iter().rev().fold(Summary::default(), |later, part| {
                let mut sum = *part;
                sum.merge(&later);
                sum
            });
            prop_assert_eq!(from_left, whole);
            prop_assert_eq!(from_right, whole);
        }

        /// Whatever the values, only the last bits of a sum of floats may differ.
        #[test]
        fn any_cut_merges_to_nearly_the_same(rows in any_rows(), cut in 0..40_usize) {
            let (early, late) = rows.split_at(cut.min(rows.len()));
            let whole = summary(&rows, 0);
            let mut merged = summary(early, 0);
            merged.merge(&summary(late, early.len()));
            let size: f64 = rows.iter().filter_map(|(value, _)| value.and_then(Value::as_f64)).map(f64::abs).sum();
            prop_assert!(close(merged.sum.to_f64(), whole.sum.to_f64(), size), "{merged:?} {whole:?}");
            prop_assert!(close(merged.increase.to_f64(), whole.increase.to_f64(), 2.0 * size), "{merged:?} {whole:?}");
            (merged.sum, merged.increase) = (whole.sum, whole.increase);
            prop_assert_eq!(merged, whole);
        }

        /// Runs of one kind, its change in their midst, and whatever came before them.
        #[test]
        fn rows_at_once_give_bit_for_bit_what_each_gives(
            parts in prop::collection::vec(prop_oneof![exact_rows(), any_rows(), run_of_rows()], 0..5), trusted: bool,
        ) {
            let (mut at_once, mut each, mut at) = (Summary::default(), Summary::default(), 0);
            for part in parts {
                let row = |(value, quality)| {
                    at += 1_000;
                    Row { at: UtcMs(at), seq: crate::historian::Seq(1), value, quality }
                };
                let rows: Vec<Row> = part.into_iter().map(row).collect();
                at_once.add_rows(&rows, trusted);
                for Row { at, value, quality, .. } in rows {
                    each.add(at, value.filter(|_| trusted || quality == Quality::Good), quality);
                }
                // Compared as text: tells spellings and zeros apart, and a sum that is no number is one.
                prop_assert_eq!(format!("{at_once:?}"), format!("{each:?}"));
            }
        }

        #[test]
        fn it_says_what_a_plain_loop_says(values in prop::collection::vec((-1_000_000_i64..1_000_000, -3_i8..=0), 1..40)) {
            let thousandths: Vec<i64> = values.iter().map(|(m, e)| m * 10_i64.pow((3 + e).unsigned_abs().into())).collect();
            let rows: Vec<_> = values.iter().map(|(m, e)| (Some(decimal(*m, *e)), Quality::Good)).collect();
            let found = summary(&rows, 0);
            let at = |mark: Option<(UtcMs, Value)>| match mark {
                Some((_, Value::Decimal(number))) => number.mantissa_at(-3),
                _ => None,
            };
            prop_assert_eq!(at(found.min), thousandths.iter().min().copied());
            prop_assert_eq!(at(found.max), thousandths.iter().max().copied());
            prop_assert_eq!(found.sum.to_decimal().and_then(|sum| sum.mantissa_at(-3)), Some(thousandths.iter().sum()));
            let rise = |pair: &[i64]| if pair[1] < pair[0] { pair[1] } else { pair[1] - pair[0] };
            let rises: i64 = thousandths.windows(2).map(rise).sum();
            prop_assert_eq!(found.increase.to_decimal().and_then(|sum| sum.mantissa_at(-3)), Some(rises));
        }

        #[test]
        fn it_comes_back_from_bytes(rows in prop::collection::vec((any_value(), any_quality()), 0..20)) {
            let summary = summary(&rows, 7);
            let mut out = Vec::new();
            summary.encode(&mut out);
            let mut bytes = Bytes(&out);
            let back = Summary::decode(&mut bytes).unwrap();
            // Compared as text: a sum that left the range of floats is not equal to itself.
            prop_assert_eq!(format!("{back:?}"), format!("{summary:?}"));
            prop_assert!(bytes.0.is_empty());
        }

        #[test]
        fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..100), rows in prop::collection::vec((any_value(), any_quality()), 0..9)) {
            if let Ok(mut strange) = Summary::decode(&mut Bytes(&bytes)) {
                strange.sum.merge(&summary(&rows, 0).sum);
                let _: (Option<f64>, f64) = (strange.mean(), strange.increase.to_f64());
            }
        }
    }

    #[test]
    fn a_meter_that_was_exchanged_goes_on_counting() {
        let values = [decimal(99_990, -2), decimal(99_995, -2), decimal(5, -2), decimal(105, -2)];
        let summary = summary(&good(&values), 0);
        assert_eq!(summary.increase.to_decimal().unwrap().to_string(), "1.10");
        assert_eq!(summary.sum.to_decimal().unwrap().to_string(), "2000.95");
    }

    #[test]
    fn a_contact_gives_its_share_and_how_often_it_went_on() {
        let values = [false, true, true, false, true].map(Value::Bool);
        let summary = summary(&good(&values), 0);
        assert_eq!(summary.mean(), Some(0.6));
        assert_eq!(summary.increase.to_decimal(), Some(Decimal::from_int(2)));
        assert_eq!(summary.min, Some((UtcMs(0), Value::Bool(false))));
        assert_eq!(summary.max, Some((UtcMs(1_000), Value::Bool(true))));
    }

    #[test]
    fn texts_and_bad_readings_are_counted_only() {
        let bad = (None, Quality::Bad(Reason::Timeout));
        let text = Value::Text(TextId(3));
        let mut rows = good(&[decimal(10, 0), text, decimal(20, 0)]);
        rows.insert(1, bad);
        let summary = summary(&rows, 0);
        assert_eq!((summary.count, summary.numbers, summary.good, summary.bad), (3, 2, 3, 1));
        assert_eq!(summary.mean(), Some(15.0));
        assert_eq!(summary.increase.to_decimal(), Some(Decimal::ZERO), "a text lies between");
        let alone = self::summary(&good(&[text]), 0);
        assert_eq!((alone.min, alone.max, alone.mean()), (None, None, None));
        assert_eq!(alone.last, Some((UtcMs(0), text)));
    }

    #[test]
    fn a_sum_of_floats_keeps_what_plain_addition_loses() {
        let values = [1e16, 1.0, 1.0, -1e16].map(Value::F64);
        assert_eq!(summary(&good(&values), 0).sum.to_f64().to_bits(), 2.0_f64.to_bits());
    }

    proptest! {
        #[test]
        fn the_nearest_float_is_the_nearest_float(value in any_value()) {
            let bits = |number: Option<f64>| number.map(f64::to_bits);
            let (found, expected) = (value.and_then(nearest), value.and_then(Value::as_f64));
            prop_assert_eq!(bits(found), bits(expected));
        }
    }

    #[test]
    fn a_value_held_for_a_while_counts_as_often() {
        let mut sum = Sum::default();
        sum.add_times(decimal(215, -1), 3_600_000);
        sum.add_times(Value::Bool(true), 7);
        sum.add_times(Value::Text(TextId(1)), 9);
        assert_eq!(sum.to_decimal(), Decimal::new(774_000_070, -1).ok());
        sum.add_times(Value::F64(0.5), 3);
        assert_eq!(sum.to_f64().to_bits(), 77_400_008.5_f64.to_bits());
    }

    #[test]
    fn equal_extremes_keep_the_first_spelling() {
        let summary = summary(&good(&[decimal(10, -1), decimal(1, 0), decimal(100, -2)]), 0);
        for extreme in [summary.min, summary.max] {
            assert!(
                matches!(extreme, Some((UtcMs(0), Value::Decimal(number))) if number.to_string() == "1.0")
            );
        }
    }
}
