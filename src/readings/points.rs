//! What is known of each point, found by its number.
//!
//! A batch brings its points in the order of their numbers, or nearly so: what is asked for next
//! stands behind what was asked for last. Numbers may have gaps of any size.

use crate::point::PointId;

/// Values by point number, in order; a later look-up begins where the last one ended.
#[derive(Clone, Debug)]
pub struct Points<T> {
    /// Ordered by number, each once.
    entries: Vec<(PointId, T)>,
    /// The place of the first entry that is not before the number asked for last.
    finger: usize,
}

impl<T> Points<T> {
    /// The value of a point.
    pub fn get_mut(&mut self, id: PointId) -> Option<&mut T> {
        let place = self.place(id)?;
        self.entries.get_mut(place).map(|(_, value)| value)
    }

    /// The values in the order of their points.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.entries.iter_mut().map(|(_, value)| value)
    }

    /// The values with their points, in order.
    pub fn into_entries(self) -> impl Iterator<Item = (PointId, T)> {
        self.entries.into_iter()
    }

    /// Where a point stands; moves the finger there.
    fn place(&mut self, id: PointId) -> Option<usize> {
        let at = |place: usize| self.entries.get(place).map(|(id, _)| *id);
        let behind = self.finger + 1;
        if at(behind) == Some(id) {
            self.finger = behind;
            return Some(behind);
        }
        // Between the two entries at the finger, or somewhere else altogether.
        let before = self.finger.checked_sub(1).and_then(at);
        if before.is_some_and(|before| id <= before) || at(self.finger).is_none_or(|here| here < id) {
            self.finger = self.entries.partition_point(|(held, _)| *held < id);
        }
        (self.entries.get(self.finger).map(|(id, _)| *id) == Some(id)).then_some(self.finger)
    }
}

/// Of two values of one point the later one counts.
impl<T> FromIterator<(PointId, T)> for Points<T> {
    fn from_iter<I: IntoIterator<Item = (PointId, T)>>(values: I) -> Points<T> {
        let ordered: std::collections::BTreeMap<_, _> = values.into_iter().collect();
        Points { entries: ordered.into_iter().collect(), finger: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn any_id() -> impl Strategy<Value = u32> {
        prop_oneof![0_u32..40, any::<u32>(), Just(u32::MAX)]
    }

    proptest! {
        #[test]
        fn every_point_is_found_whatever_was_asked_before(
            held in prop::collection::vec((any_id(), any::<u8>()), 0..40),
            asked in prop::collection::vec(any_id(), 0..200),
        ) {
            let model: BTreeMap<u32, u8> = held.iter().copied().collect();
            let mut points: Points<u8> = held.into_iter().map(|(id, value)| (PointId(id), value)).collect();
            for id in asked {
                prop_assert_eq!(points.get_mut(PointId(id)).copied(), model.get(&id).copied());
            }
            prop_assert!(points.values_mut().map(|value| *value).eq(model.into_values()));
        }
    }
}
