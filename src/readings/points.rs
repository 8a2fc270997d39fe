//! What is known of each point, found by its number.
//!
//! A batch brings its points in the order of their registers, and numbers are given in that of
//! their names: what is asked for next stands near what was asked for last. Numbers may have gaps
//! of any size.

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
        let here = at(self.finger);
        let is_between = here.is_some_and(|here| id < here)
            && self.finger.checked_sub(1).and_then(at).is_none_or(|before| before < id);
        if is_between {
            return None;
        }
        // Ever wider steps from there, so that what is near is found within what is near: in a
        // table of 50,000 the halves of all of it lie in nobody's cache.
        let ahead = here.is_some_and(|here| here < id);
        let (mut near, mut step) = (self.finger, 1);
        let within = loop {
            let far = if ahead { near + step } else { near.saturating_sub(step) };
            if ahead && at(far).is_none_or(|held| held >= id) {
                break near..far.min(self.entries.len());
            }
            if !ahead && (far == 0 || at(far).is_some_and(|held| held < id)) {
                break far..near.min(self.entries.len());
            }
            (near, step) = (far, 2 * step);
        };
        let from = within.start;
        let held = self.entries.get(within).unwrap_or_default();
        self.finger = from + held.partition_point(|(held, _)| *held < id);
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
        prop_oneof![8 => 0_u32..600, 1 => any::<u32>(), 1 => Just(u32::MAX)]
    }

    proptest! {
        #[test]
        fn every_point_is_found_whatever_was_asked_before(
            held in prop::collection::vec((any_id(), any::<u8>()), 0..400),
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
