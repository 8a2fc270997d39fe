//! Which places are taken, and how good what stands there is: a few runs, almost always.

use super::{ChunkError, ints};
use crate::historian::bytes::{self, Bytes};
use crate::point::Quality;
use std::ops::Range;

/// Which of a number of places are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    len: usize,
    taken: usize,
    /// Taken, free, taken, ...; no run but the first is empty, and what is behind the last is free.
    runs: Vec<usize>,
}

impl Mask {
    /// Every place is taken.
    pub fn full(len: usize) -> Mask {
        Mask { len, taken: len, runs: vec![len] }
    }

    /// These places are taken; none if they do not ascend or are not among the `len`.
    pub fn of(len: usize, places: impl IntoIterator<Item = usize>) -> Option<Mask> {
        let (mut runs, mut next, mut taken) = (vec![0], 0, 0);
        for place in places {
            if place < next || place >= len {
                return None;
            }
            if place > next {
                runs.extend([place - next, 0]);
            }
            *runs.last_mut()? += 1;
            (next, taken) = (place + 1, taken + 1);
        }
        Some(Mask { len, taken, runs })
    }

    /// How many places there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many are taken.
    pub fn taken(&self) -> usize {
        self.taken
    }

    /// Whether all are.
    pub fn is_full(&self) -> bool {
        self.taken == self.len
    }

    /// All places in stretches, each taken (true) or free.
    pub fn stretches(&self) -> impl Iterator<Item = (Range<usize>, bool)> {
        let runs = self.runs.iter().copied().zip([true, false].into_iter().cycle());
        let mut from = 0;
        runs.chain(std::iter::once((self.len, false))).map(move |(run, taken)| {
            let range = from..(from + run).min(self.len);
            from = range.end;
            (range, taken)
        })
    }

    /// The taken places, in stretches.
    pub fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        self.stretches().filter(|(_, taken)| *taken).map(|(range, _)| range)
    }

    /// The first places alone, at most so many.
    #[must_use]
    pub fn first(mut self, len: usize) -> Mask {
        let mut left = len.min(self.len);
        self.len = left;
        for run in &mut self.runs {
            *run = left.min(*run);
            left -= *run;
        }
        // What is behind the last taken run is free.
        let used = self.runs.iter().step_by(2).rposition(|run| *run > 0).unwrap_or(0);
        self.runs.truncate(2 * used + 1);
        self.taken = self.runs.iter().step_by(2).sum();
        self
    }

    /// Each place, true if it is taken.
    pub fn bits(&self) -> impl Iterator<Item = bool> {
        self.stretches().flat_map(|(range, taken)| std::iter::repeat_n(taken, range.len()))
    }

    /// What stands at the taken places.
    pub fn picks<T: Copy>(&self, of: &[T]) -> Vec<T> {
        let mut picked = Vec::with_capacity(self.taken);
        for range in self.ranges() {
            picked.extend_from_slice(of.get(range).unwrap_or_default());
        }
        picked
    }

    /// The items put to the taken places, the others left at the default.
    pub fn spread<T: Copy + Default>(&self, items: Vec<T>) -> Vec<T> {
        if self.is_full() {
            return items;
        }
        let mut all = vec![T::default(); self.len];
        let mut rest = items.as_slice();
        for range in self.ranges() {
            if let (Some(to), Some((from, behind))) =
                (all.get_mut(range.clone()), rest.split_at_checked(range.len()))
            {
                to.copy_from_slice(from);
                rest = behind;
            }
        }
        all
    }

    /// The number of runs, then the runs.
    pub fn encode(&self, out: &mut Vec<u8>) {
        bytes::varint(out, self.runs.len() as u64);
        let runs: Vec<i64> = self.runs.iter().filter_map(|run| i64::try_from(*run).ok()).collect();
        ints::encode(out, &runs);
    }

    /// Reads it back.
    pub fn decode(bytes: &mut Bytes<'_>, len: usize) -> Result<Mask, ChunkError> {
        let count = bytes.narrow()?;
        // Each run but the first takes a place.
        if count > len + 1 {
            return Err(ChunkError::Malformed);
        }
        let (mut runs, mut places, mut taken) = (Vec::with_capacity(count), 0, 0);
        for (nth, run) in ints::decode(bytes, count)?.into_iter().enumerate() {
            let run = usize::try_from(run).map_err(|_| ChunkError::Malformed)?;
            if run > len - places || (run == 0 && nth > 0) {
                return Err(ChunkError::Malformed);
            }
            places += run;
            taken += if nth % 2 == 0 { run } else { 0 };
            runs.push(run);
        }
        Ok(Mask { len, taken, runs })
    }
}

/// Appends the quality of each reading.
pub fn encode_qualities(out: &mut Vec<u8>, qualities: impl Iterator<Item = Quality>) {
    let marks: Vec<i64> = qualities.map(|quality| quality.to_byte().into()).collect();
    ints::encode(out, &marks);
}

/// Reads the quality of the first of `count` readings; the bytes of all are taken.
pub fn decode_qualities(
    bytes: &mut Bytes<'_>,
    count: usize,
    first: usize,
) -> Result<Vec<Quality>, ChunkError> {
    let quality = |mark| u8::try_from(mark).ok().and_then(Quality::from_byte).ok_or(ChunkError::Malformed);
    ints::decode_first(bytes, count, first)?.into_iter().map(quality).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_mask_is_its_bits(bits in prop::collection::vec(any::<bool>(), 0..100)) {
            let places = bits.iter().enumerate().filter(|(_, taken)| **taken).map(|(place, _)| place);
            let mask = Mask::of(bits.len(), places.clone()).unwrap();
            prop_assert_eq!(mask.bits().collect::<Vec<_>>(), bits.clone());
            prop_assert_eq!(mask.ranges().flatten().collect::<Vec<_>>(), places.clone().collect::<Vec<_>>());
            prop_assert_eq!(mask.taken(), places.clone().count());
            let spread = mask.spread(places.map(|place| place + 1).collect());
            let expected: Vec<_> = bits.iter().enumerate().map(|(place, taken)| if *taken { place + 1 } else { 0 }).collect();
            prop_assert_eq!(spread, expected);
            let mut out = Vec::new();
            mask.encode(&mut out);
            for len in 0..bits.len() + 2 {
                let first = &bits[..len.min(bits.len())];
                let places = first.iter().enumerate().filter(|(_, taken)| **taken).map(|(place, _)| place);
                prop_assert_eq!(Some(mask.clone().first(len)), Mask::of(first.len(), places));
            }
            prop_assert_eq!(Mask::decode(&mut Bytes(&out), bits.len()), Ok(mask));
        }
    }

    #[test]
    fn places_that_are_not_there_or_out_of_order_are_refused() {
        assert_eq!(Mask::of(3, [0, 3]), None);
        assert_eq!(Mask::of(3, [1, 1]), None);
        assert_eq!(Mask::of(3, [2, 1]), None);
    }
}
