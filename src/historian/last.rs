//! The last value of every point, as the journal has it.

use super::codec::{self, CodecError, RecordBuilder};
use crate::point::{Batch, PointId, Reading, UtcMs};
use crate::readings::engine::SOURCE_AHEAD_MAX_MS;
use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

/// Fed with every batch in the order of the log; a restart that feeds it the same batches, or a
/// copy and the batches behind it, has the same values.
#[derive(Debug, Default)]
pub(super) struct LastValues(RwLock<Pages>);

/// Points of a page: a batch brings neighbours, and a number from nowhere costs one page.
const PAGE: u32 = 256;

/// Slot `id % PAGE` of page `id / PAGE`.
#[derive(Debug, Default)]
struct Pages(BTreeMap<u32, Vec<Option<Reading>>>);

impl LastValues {
    /// Takes readings in that were received at `received_at`.
    pub(super) fn apply(&self, received_at: UtcMs, readings: &[Reading]) {
        let mut pages = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for run in readings.chunk_by(|a, b| page(a.point) == page(b.point)) {
            pages.put(run, |new, held| supersedes(new, received_at, held));
        }
    }

    pub(super) fn many(&self, points: &[PointId]) -> Vec<Option<Reading>> {
        let pages = self.0.read().unwrap_or_else(PoisonError::into_inner);
        points.iter().map(|point| pages.get(*point)).collect()
    }

    pub(super) fn clear(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).0.clear();
    }

    /// All of them as one record, for the copy that spares a restart the journal.
    pub(super) fn encode(&self) -> Vec<u8> {
        let pages = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let readings: Vec<_> = pages.0.values().flatten().flatten().copied().collect();
        drop(pages);
        let received_at = readings.first().map_or(UtcMs(0), |reading| reading.at);
        let batch = Batch { device: "".into(), source_at: None, received_at, at_error_ms: 0, readings };
        let mut builder = RecordBuilder::default();
        builder.push(&batch, 0);
        builder.finish().0
    }

    /// The inverse of [`LastValues::encode`].
    pub(super) fn load(&self, body: &[u8]) -> Result<(), CodecError> {
        let mut loaded = Pages::default();
        for section in codec::sections(body)? {
            for reading in section?.readings() {
                let reading = reading?;
                loaded.put(&[reading], |_, _| true);
            }
        }
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = loaded;
        Ok(())
    }
}

impl Pages {
    /// Puts readings of one page in their slots, over others only where `wins(new, held)`.
    fn put(&mut self, readings: &[Reading], wins: impl Fn(&Reading, &Reading) -> bool) {
        let Some(first) = readings.first() else { return };
        let slots = self.0.entry(page(first.point)).or_default();
        for reading in readings {
            let slot = slot(reading.point);
            if slots.len() <= slot {
                slots.resize(slot + 1, None);
            }
            if let Some(held) = slots.get_mut(slot)
                && held.as_ref().is_none_or(|held| wins(reading, held))
            {
                *held = Some(*reading);
            }
        }
    }

    fn get(&self, point: PointId) -> Option<Reading> {
        self.0.get(&page(point))?.get(slot(point)).copied().flatten()
    }
}

fn page(point: PointId) -> u32 {
    point.0 / PAGE
}

fn slot(point: PointId) -> usize {
    (point.0 % PAGE) as usize
}

/// The later time wins, of equal times the later in the log. But a value that lies in the future
/// of what is received now was stamped by a clock since set right, and must not stand until that
/// time comes.
fn supersedes(new: &Reading, received_at: UtcMs, held: &Reading) -> bool {
    new.at >= held.at || held.at > received_at.plus_ms(SOURCE_AHEAD_MAX_MS)
}

#[cfg(test)]
mod tests {
    use super::super::codec::tests::{any_quality, any_value};
    use super::*;
    use crate::point::{Decimal, Quality, Value};
    use proptest::prelude::*;

    fn reading(point: u32, at: i64, value: i64) -> Reading {
        let value = Some(Value::Decimal(Decimal::from_int(value)));
        Reading { point: PointId(point), at: UtcMs(at), value, quality: Quality::Good }
    }

    fn value_of(last: &LastValues) -> Option<Value> {
        last.many(&[PointId(1)])[0].and_then(|reading| reading.value)
    }

    #[test]
    fn the_latest_time_wins_and_of_equal_times_the_later_arrival() {
        let last = LastValues::default();
        for (at, value, expected) in [(10, 1, 1), (5, 2, 1), (10, 3, 3), (11, 4, 4)] {
            last.apply(UtcMs(at), &[reading(1, at, value)]);
            assert_eq!(value_of(&last), Some(Value::Decimal(Decimal::from_int(expected))));
        }
        assert_eq!(last.many(&[PointId(2)]), [None]);
    }

    #[test]
    fn a_value_from_the_future_gives_way_once_the_clock_is_right() {
        let (year_2040, today) = (2_208_988_800_000, 1_800_000_000_000);
        let last = LastValues::default();
        last.apply(UtcMs(year_2040), &[reading(1, year_2040, 1)]);
        last.apply(UtcMs(today), &[reading(1, today, 2)]);
        assert_eq!(value_of(&last), Some(Value::Decimal(Decimal::from_int(2))));
    }

    proptest! {
        #[test]
        fn a_copy_is_the_same(values in prop::collection::btree_map(any::<u32>(), (any::<i64>(), any_value(), any_quality()), 0..50)) {
            let last = LastValues::default();
            let readings: Vec<_> = values.into_iter().map(|(point, (at, value, quality))| Reading {
                point: PointId(point), at: UtcMs(at), value, quality,
            }).collect();
            last.apply(UtcMs(0), &readings);
            let copy = LastValues::default();
            copy.load(&last.encode()).unwrap();
            let points: Vec<_> = readings.iter().map(|reading| reading.point).collect();
            let held: Vec<_> = copy.many(&points).into_iter().flatten().collect();
            prop_assert_eq!(held, readings);
        }
    }
}
