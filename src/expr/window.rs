//! What a stretch of time before now comes to for one point: the meaning of the window functions.

use super::number::Number;
use crate::point::{Decimal, Quality, Reading, Reason, UtcMs, Value};

/// The last `length_ms` of a point. A value counts from its reading to the next one; a Bad
/// reading ends it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// Its length, milliseconds.
    pub length_ms: u64,
    /// Of these, with a value, milliseconds.
    pub covered_ms: u64,
    /// Readings with a value that lie in it.
    pub count: u64,
    /// The mean of the numbers, weighted by the time they held.
    pub avg: Option<Number>,
    /// The least number.
    pub min: Option<Number>,
    /// The greatest number.
    pub max: Option<Number>,
    /// The sum of the numbers read in it.
    pub sum: Option<Number>,
    /// The rises from number to number; after a fall the counter began anew at 0. For on/off how
    /// often it went on.
    pub increase: Option<Number>,
    /// The number held last less the first one, per second between them; none unless time passed.
    pub rate: Option<Number>,
    /// Whether the value changed.
    pub changed: bool,
    /// Good if all of it is; else Uncertain, with the reason of the worst part of it.
    pub quality: Quality,
}

impl Window {
    /// Which part of it has a value, 0 to 1.
    pub fn coverage(&self) -> f64 {
        // A window is at most some days long: exact in a float.
        let ms = |ms: u64| f64::from(u32::try_from(ms).unwrap_or(u32::MAX));
        if self.length_ms == 0 { 0.0 } else { ms(self.covered_ms) / ms(self.length_ms) }
    }

    /// Whether at least half of it has a value. Less says too little: the functions are unknown.
    pub fn is_covered(&self) -> bool {
        self.covered_ms > 0 && self.covered_ms >= self.length_ms.div_ceil(2)
    }

    /// The window `(now - length_ms, now]` of readings in order of time. The last one before it
    /// counts with the value it still had; those after `now` do not count.
    pub fn of<'a>(readings: impl IntoIterator<Item = &'a Reading>, now: UtcMs, length_ms: u64) -> Window {
        let start = now.plus_ms(-i64::try_from(length_ms).unwrap_or(i64::MAX));
        let mut maker = Maker::new(start, length_ms);
        for reading in readings.into_iter().take_while(|reading| reading.at <= now) {
            maker.add(reading);
        }
        maker.finish(now)
    }
}

/// A window while its readings come by.
struct Maker {
    start: UtcMs,
    window: Window,
    /// What holds.
    held: Option<Value>,
    held_quality: Option<Quality>,
    /// Where the part that is not yet accounted for begins.
    from: UtcMs,
    /// Until when there was a value.
    known_until: UtcMs,
    /// The last value, Bad readings in between or not.
    last: Option<(UtcMs, Value)>,
    first: Option<(UtcMs, Number)>,
    /// Number times seconds.
    area: f64,
}

impl Maker {
    fn new(start: UtcMs, length_ms: u64) -> Maker {
        let window = Window {
            length_ms,
            covered_ms: 0,
            count: 0,
            avg: None,
            min: None,
            max: None,
            sum: None,
            increase: None,
            rate: None,
            changed: false,
            quality: Quality::Good,
        };
        Maker {
            start,
            window,
            held: None,
            held_quality: None,
            from: start,
            known_until: start,
            last: None,
            first: None,
            area: 0.0,
        }
    }

    fn add(&mut self, reading: &Reading) {
        let value = reading.value.filter(|_| !matches!(reading.quality, Quality::Bad(_)));
        if reading.at <= self.start {
            self.held = value;
            self.held_quality = Some(reading.quality);
            self.last = value.map(|value| (self.start, value));
            return;
        }
        self.settle(reading.at);
        self.held_quality = Some(reading.quality);
        self.held = value;
        let Some(value) = value else { return };
        self.window.count += 1;
        self.first_seen();
        self.step(reading.at, value);
        let sum = Number::of(value).and_then(|number| match self.window.sum {
            Some(sum) => sum.plus(number),
            None => Some(number),
        });
        self.window.sum = sum;
    }

    /// The value held at the start is the first of the window.
    fn first_seen(&mut self) {
        if let (None, Some((at, value))) = (self.first, self.last) {
            self.begin(at, value);
        }
    }

    fn begin(&mut self, at: UtcMs, value: Value) {
        if let Some(number) = Number::of(value) {
            self.first = Some((at, number));
            self.window.increase = Some(Number::Exact(Decimal::ZERO));
        }
    }

    fn step(&mut self, at: UtcMs, value: Value) {
        match self.last {
            None => self.begin(at, value),
            Some((_, before)) => {
                self.window.changed |= before != value;
                let grown =
                    self.window.increase.zip(rise(before, value)).and_then(|(sum, rise)| sum.plus(rise));
                self.window.increase = grown.or(self.window.increase);
            }
        }
        self.last = Some((at, value));
    }

    /// Accounts for the time up to `until` with what holds.
    fn settle(&mut self, until: UtcMs) {
        let ms = until.since_ms(self.from).max(0);
        self.from = until;
        let quality = match (self.held, self.held_quality) {
            (None, Some(Quality::Bad(reason) | Quality::Uncertain(reason))) => Quality::Uncertain(reason),
            (None, _) => Quality::Uncertain(Reason::Initial),
            (Some(_), quality) => quality.unwrap_or_default(),
        };
        if ms > 0 {
            self.window.quality = self.window.quality.worse(quality);
        }
        let Some(value) = self.held else { return };
        self.known_until = until;
        self.window.covered_ms += ms.unsigned_abs();
        let Some(number) = Number::of(value) else { return };
        let seconds = f64::from(i32::try_from(ms).unwrap_or(i32::MAX)) / 1_000.0;
        self.area += number.to_f64() * seconds;
        let least = |a: Number, b: Number| if b.compare(a).is_lt() { b } else { a };
        let greatest = |a: Number, b: Number| if b.compare(a).is_gt() { b } else { a };
        self.window.min = Some(self.window.min.map_or(number, |min| least(min, number)));
        self.window.max = Some(self.window.max.map_or(number, |max| greatest(max, number)));
    }

    fn finish(mut self, now: UtcMs) -> Window {
        self.settle(now);
        self.first_seen();
        let seconds = |ms: u64| f64::from(u32::try_from(ms).unwrap_or(u32::MAX)) / 1_000.0;
        if self.window.min.is_some() && self.window.covered_ms > 0 {
            self.window.avg = Number::float(self.area / seconds(self.window.covered_ms));
        }
        if let (Some((start, first)), Some((_, value))) = (self.first, self.last) {
            let passed = u64::try_from(self.known_until.since_ms(start)).unwrap_or(0);
            let moved = Number::of(value).and_then(|last| last.minus(first));
            self.window.rate = moved.and_then(|moved| Number::float(moved.to_f64() / seconds(passed)));
        }
        self.window
    }
}

/// What a counter grew by; an on/off value that goes off did not begin anew.
fn rise(before: Value, value: Value) -> Option<Number> {
    let (old, new) = (Number::of(before)?, Number::of(value)?);
    let rise = new.minus(old)?;
    Some(if rise.to_f64() < 0.0 { new } else { rise })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::point::PointId;
    use proptest::prelude::*;

    const NOW: UtcMs = UtcMs(100_000);

    fn reading(at: i64, value: Option<i64>) -> Reading {
        let quality = if value.is_some() { Quality::Good } else { Quality::Bad(Reason::Timeout) };
        let value = value.map(|number| Value::Decimal(Decimal::from_int(number)));
        Reading { point: PointId(1), at: UtcMs(at), value, quality }
    }

    fn window(readings: &[(i64, Option<i64>)], length_ms: u64) -> Window {
        let readings: Vec<Reading> = readings.iter().map(|(at, value)| reading(*at, *value)).collect();
        Window::of(&readings, NOW, length_ms)
    }

    #[expect(clippy::unnecessary_wraps, reason = "as the fields of a window are")]
    fn exact(number: i64) -> Option<Number> {
        Some(Number::Exact(Decimal::from_int(number)))
    }

    #[test]
    fn what_held_at_its_start_counts_by_its_time() {
        let found = window(&[(80_000, Some(5)), (95_000, Some(9)), (100_000, Some(3))], 10_000);
        assert_eq!(found.avg, exact(7));
        assert_eq!((found.min, found.max), (exact(3), exact(9)));
        assert_eq!((found.count, found.sum), (2, exact(12)));
        assert_eq!(found.increase, exact(7));
        assert_eq!(found.rate.map(Number::to_f64), Some(-0.2));
        assert!(found.changed && found.is_covered() && found.quality == Quality::Good);
    }

    #[test]
    fn a_bad_reading_ends_what_held() {
        let found = window(&[(80_000, Some(5)), (93_000, None), (98_000, Some(5))], 10_000);
        assert_eq!((found.covered_ms, found.avg), (5_000, exact(5)));
        assert!(found.is_covered() && !found.changed);
        assert_eq!(found.quality, Quality::Uncertain(Reason::Timeout));
        assert!(!window(&[(80_000, Some(5)), (94_999, None)], 10_000).is_covered());
    }

    #[test]
    fn nothing_and_the_future_are_no_values() {
        for readings in [&[][..], &[(100_001, Some(1))], &[(50_000, None)]] {
            let found = window(readings, 10_000);
            assert!(!found.is_covered() && found.avg.is_none() && found.rate.is_none() && found.count == 0);
        }
    }

    proptest! {
        /// Against a look at every millisecond.
        #[test]
        fn it_is_what_every_millisecond_says(
            steps in prop::collection::vec((0_i64..40, prop::option::weighted(0.8, -5_i64..9)), 0..12),
            length in 1_u64..120,
        ) {
            let mut at = NOW.0 - 150;
            let readings: Vec<(i64, Option<i64>)> = steps.into_iter().map(|(step, value)| {
                at += step;
                (at, value)
            }).collect();
            let found = window(&readings, length);
            let start = NOW.0 - i64::try_from(length).unwrap();
            let held = |ms: i64| readings.iter().rfind(|(at, _)| *at <= ms).and_then(|(_, value)| *value);
            let values: Vec<i64> = (start..NOW.0).filter_map(held).collect();
            prop_assert_eq!(found.covered_ms, u64::try_from(values.len()).unwrap());
            if let Some(avg) = found.avg {
                let sum: i64 = values.iter().sum();
                let mean = f64::from(i32::try_from(sum).unwrap()) / f64::from(u32::try_from(values.len()).unwrap());
                prop_assert!((avg.to_f64() - mean).abs() < 1e-9, "{:?} {}", avg, mean);
            }
            let inside = || readings.iter().filter(|(at, _)| *at > start && *at <= NOW.0);
            let read: Vec<i64> = inside().filter_map(|(_, value)| *value).collect();
            prop_assert_eq!(found.count, u64::try_from(read.len()).unwrap());
            prop_assert_eq!(found.sum, if read.is_empty() { None } else { exact(read.iter().sum()) });
            // A reading of no duration counts as an extreme, too.
            let all = || values.iter().chain(&read).copied();
            prop_assert_eq!(found.max, all().max().and_then(exact));
            prop_assert_eq!(found.min, all().min().and_then(exact));
            let line: Vec<i64> = held(start).into_iter().chain(read).collect();
            prop_assert_eq!(found.changed, line.windows(2).any(|pair| pair[0] != pair[1]));
            let rises = line.windows(2).map(|pair| if pair[1] < pair[0] { pair[1] } else { pair[1] - pair[0] });
            prop_assert_eq!(found.increase, if line.is_empty() { None } else { exact(rises.sum()) });
        }
    }
}
