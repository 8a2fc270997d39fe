//! What a stretch of one point's history comes to: how much, how good, least, most, sum, increase.
//!
//! Kept with every sealed chunk, so that a query over a bucket that covers the chunk reads these
//! few bytes and no reading. Summaries of neighbouring stretches merge to that of both together,
//! wherever the cut was: decimals exactly, floats within the rounding of a compensated sum.

use super::bytes::{self, Bytes, BytesError};
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

    fn to_f64(self) -> f64 {
        match self {
            Number::Exact(mantissa, exponent) => scaled(i128::from(mantissa), exponent),
            Number::Float(number) => number,
        }
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
        let (sum, before) = self.floats.unwrap_or_default();
        let (sum, error) = two_sum(sum, number);
        self.floats = Some((sum, before + (low + error)));
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
    if from == to { mantissa } else { shifted(mantissa, from.abs_diff(to)) }
}

/// Apart, so that what is done for every reading of a sensor stays short.
#[cold]
fn shifted(mantissa: i128, places: u8) -> i128 {
    mantissa.saturating_mul(10_i128.pow(u32::from(places)))
}

/// `mantissa * 10^exponent` correctly rounded, for exponents from -22 to 0.
#[expect(clippy::cast_precision_loss, reason = "within 53 bits both are exact, and one division rounds once")]
fn scaled(mantissa: i128, exponent: i8) -> f64 {
    if mantissa.unsigned_abs() <= 1 << 53 {
        return mantissa as f64 / 10_u64.pow(u32::from(exponent.unsigned_abs())) as f64;
    }
    format!("{mantissa}e{exponent}").parse().unwrap_or(f64::NAN)
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

    type Row = (Option<Value>, Quality);

    fn summary(rows: &[Row], from: usize) -> Summary {
        let mut summary = Summary::default();
        for (at, (value, quality)) in rows.iter().enumerate() {
            summary.add(UtcMs(i64::try_from(from + at).unwrap() * 1_000), *value, *quality);
        }
        summary
    }

    fn decimal(mantissa: i64, exponent: i8) -> Value {
        Value::Decimal(Decimal::new(mantissa, exponent).unwrap())
    }

    fn good(values: &[Value]) -> Vec<Row> {
        values.iter().map(|value| (Some(*value), Quality::Good)).collect()
    }

    /// Rows whose sums need no rounding anywhere: big decimals, or floats on a grid, not both.
    fn exact_rows() -> impl Strategy<Value = Vec<Row>> {
        let decimals = prop_oneof![
            (any::<i64>(), -9_i8..=0).prop_map(|(m, e)| decimal(m, e)),
            (-1000_i64..1000, -3_i8..=2).prop_map(|(m, e)| decimal(m, e)),
        ];
        let floats = (-1_000_000_i32..1_000_000).prop_map(|eighths| Value::F64(f64::from(eighths) / 8.0));
        prop_oneof![rows_of(decimals), rows_of(floats)]
    }

    fn rows_of(numbers: impl Strategy<Value = Value>) -> impl Strategy<Value = Vec<Row>> {
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
        fn any_cut_merges_to_nearly_the_same(rows in prop::collection::vec((any_value(), any_quality()), 0..40), cut in 0..40_usize) {
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
