//! What a series comes to as a whole, for the page of a trend.

use super::buckets::{Bucket, Buckets, Reckoning, counts};
use super::merge::{Content, Merge};
use super::windows::{Window, Windows};
use super::{QueryError, Row};
use crate::historian::summary::nearest;

/// The bucket over the whole time, and how far the values spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Statistics {
    /// Everything else.
    pub bucket: Bucket,
    /// The standard deviation of the readings that count, as of a sample (divided by one less
    /// than their number; `StandardDeviationSample` of OPC UA Part 13); none of fewer than two.
    pub deviation: Option<f64>,
}

/// The statistics of a window; none of an empty one. The stream should begin early enough to hold
/// the last reading and the last value before. Every row is read: a deviation cannot be had from
/// the sums of a source taken whole without losing its digits.
pub fn statistics(
    stream: &mut Merge<'_>,
    window: Window,
    reckoning: Reckoning,
) -> Result<Option<Statistics>, QueryError> {
    let mut buckets = Buckets::new(Windows::one(window), reckoning);
    let (mut spread, mut bucket) = (Spread::default(), None);
    while let Some(piece) = stream.piece()? {
        if let Content::Rows(rows) = piece.content {
            let inside = rows.iter().filter(|row| window.from <= row.at && row.at < window.to);
            for row in inside.filter(|row| counts(reckoning.trust, row.quality)) {
                spread.add(row);
            }
        }
        buckets.add(piece, |done| bucket = Some(*done));
    }
    buckets.finish(|done| bucket = Some(*done));
    Ok(bucket.map(|bucket| Statistics { bucket, deviation: spread.deviation() }))
}

/// Mean and sum of squared distances from it, number by number (Welford 1962).
#[derive(Debug, Default)]
struct Spread {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Spread {
    fn add(&mut self, row: &Row) {
        let Some(number) = row.value.and_then(nearest) else { return };
        self.count += 1.0;
        let distance = number - self.mean;
        self.mean += distance / self.count;
        self.squares += distance * (number - self.mean);
    }

    fn deviation(&self) -> Option<f64> {
        (self.count > 1.0).then(|| (self.squares / (self.count - 1.0)).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::super::buckets::{Trust, buckets};
    use super::super::model::*;
    use super::*;
    use crate::point::UtcMs;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_whole_is_one_bucket_and_its_deviation(log in any_log(), from in 0_i64..200, len in 0_i64..400, good_only: bool) {
            let from = UtcMs(log.begin + from);
            let window = Window { from, to: from.plus_ms(len) };
            let trust = if good_only { Trust::Good } else { Trust::Usable };
            let reckoning = Reckoning { trust, hold: None };
            let found = statistics(&mut Merge::new(log.sources(), everything()), window, reckoning).unwrap();
            let mut bucket = None;
            let stream = &mut Merge::new(log.sources(), everything());
            buckets(stream, Windows::one(window), reckoning, |done| bucket = Some(*done)).unwrap();
            prop_assert_eq!(found.map(|found| found.bucket.window), bucket.map(|bucket| bucket.window));
            let Some(found) = found else { return Ok(()) };
            prop_assert_eq!(found.bucket.summary.increase, bucket.unwrap().summary.increase);

            let rows = log.plain().into_iter().map(|(_, row)| row);
            let inside = rows.filter(|row| from <= row.at && row.at < window.to && counts(trust, row.quality));
            let numbers: Vec<f64> = inside.filter_map(|row| row.value?.as_f64()).collect();
            let count = f64::from(u32::try_from(numbers.len()).unwrap());
            let mean = numbers.iter().sum::<f64>() / count;
            let squares: f64 = numbers.iter().map(|number| (number - mean).powi(2)).sum();
            let expected = (numbers.len() > 1).then(|| (squares / (count - 1.0)).sqrt());
            prop_assert_eq!(found.deviation.is_some(), expected.is_some());
            prop_assert!(found.deviation.zip(expected).is_none_or(|(a, b)| (a - b).abs() <= 1e-9 * (1.0 + b)));
        }
    }

    /// Where the plain formula, mean of squares less square of the mean, has no digit left.
    #[test]
    fn a_small_spread_on_a_large_number_keeps_its_digits() {
        let rows = (0..1_000).map(|n| good(n, 10_000_000_000 + n % 2)).collect();
        let stream = &mut Merge::new(vec![super::super::InMemory::source(0, rows)], everything());
        let window = Window { from: UtcMs(0), to: UtcMs(1_000) };
        let found = statistics(stream, window, Reckoning::default()).unwrap().unwrap();
        assert!((found.deviation.unwrap() - 0.05 * (1_000.0_f64 / 999.0).sqrt()).abs() < 1e-6, "{found:?}");
    }
}
