//! What belongs where and what is merged when. Pure.

use crate::point::UtcMs;
use std::ops::{Range, RangeInclusive};

/// Years that have a file; what is stamped outside is kept in the nearest.
pub(super) const YEARS: RangeInclusive<i16> = 1970..=2100;

/// The last millisecond of the last of them.
const LAST_MS: i64 = 4_133_980_799_999;

/// A stretch of this many polls becomes chunks: of 7,168 to 8,192 polls, or cut evenly in more
/// with at least 4,096 each.
pub(super) const CHUNK_POLLS: usize = 7_168;

/// Most polls of a chunk.
const CHUNK_POLLS_MAX: usize = 8_192;

/// So many parts of a tier become one of the next, which has about so many times the polls.
pub(super) const FACTOR: usize = 8;

/// The UTC year whose file a reading belongs to.
pub(super) fn year_of(at: UtcMs) -> i16 {
    let ms = at.0.clamp(0, LAST_MS);
    let utc = jiff::Timestamp::from_millisecond(ms).map(|at| jiff::tz::Offset::UTC.to_datetime(at).year());
    utc.unwrap_or(*YEARS.start())
}

/// Polls of each chunk when so many become chunks.
pub(super) fn chunk_polls(polls: usize) -> usize {
    polls.div_ceil(polls.div_ceil(CHUNK_POLLS_MAX).max(1)).max(1)
}

/// Which parts of a group are merged next, from the polls of each in their order of sequence; none
/// if they are few enough. Only neighbours are merged: the sequences of a group never interleave.
pub(super) fn next_merge(polls: &[usize]) -> Option<Range<usize>> {
    let mut sum = 0;
    let long = polls.iter().position(|polls| {
        sum += polls;
        sum >= CHUNK_POLLS
    });
    if let Some(last) = long {
        return Some(0..last + 1);
    }
    let tiers: Vec<u32> = polls.iter().map(|polls| tier(*polls)).collect();
    let highest = tiers.iter().copied().max()?;
    (0..=highest).find_map(|tier| full_run(&tiers, tier))
}

fn tier(polls: usize) -> u32 {
    polls.max(1).ilog(FACTOR)
}

/// The first stretch without a part above `tier` that has enough of it. Lower ones in between are
/// taken along.
fn full_run(tiers: &[u32], tier: u32) -> Option<Range<usize>> {
    let (mut start, mut full) = (0, 0);
    for (at, found) in tiers.iter().enumerate() {
        if *found > tier {
            (start, full) = (at + 1, 0);
        }
        full += usize::from(*found == tier);
        if full == FACTOR {
            return Some(start..at + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_year_begins_and_ends_at_its_border() {
        let table = [
            (0, 1970),
            (1_767_225_599_999, 2025),
            (1_767_225_600_000, 2026),
            (2_208_988_800_000, 2040),
            (-1, 1970),
            (i64::MIN, 1970),
            (LAST_MS, 2100),
            (LAST_MS + 1, 2100),
            (i64::MAX, 2100),
        ];
        for (ms, year) in table {
            assert_eq!(year_of(UtcMs(ms)), year, "{ms}");
        }
    }

    #[test]
    fn a_second_becomes_chunks_after_two_hours_and_a_quarter_hour_goes_by_eights() {
        assert_eq!(next_merge(&[]), None);
        assert_eq!(next_merge(&[3_600]), None);
        assert_eq!(next_merge(&[3_600, 3_600]), Some(0..2));
        assert_eq!(next_merge(&[4; 7]), None);
        assert_eq!(next_merge(&[32, 4, 4, 4, 4, 4, 4, 4, 4]), Some(1..9));
        assert_eq!(next_merge(&[7, 8, 7, 8, 7, 8, 7, 8, 7, 8, 7, 8, 7, 8, 7, 8]), Some(0..16));
    }

    #[test]
    fn chunks_are_even() {
        for polls in CHUNK_POLLS..40_000 {
            assert!((4_096..=8_192).contains(&chunk_polls(polls)), "{polls}");
            assert!(polls % chunk_polls(polls) == 0 || polls % chunk_polls(polls) >= 4_000, "{polls}");
        }
    }

    proptest! {
        /// However long the seals are: few parts stay, and each poll is written anew a few times only.
        #[test]
        fn few_parts_stay_and_little_is_written_again(seals in prop::collection::vec(1_usize..60, 1..3_000)) {
            let (mut parts, mut written, mut total): (Vec<usize>, usize, usize) = (Vec::new(), 0, 0);
            for polls in seals {
                parts.push(polls);
                total += polls;
                while let Some(run) = next_merge(&parts) {
                    prop_assert!(run.len() > 1);
                    let merged: usize = parts[run.clone()].iter().sum();
                    written += merged;
                    parts.splice(run, (merged < CHUNK_POLLS).then_some(merged));
                }
                prop_assert!(parts.len() <= 40, "{parts:?}");
            }
            prop_assert!(written <= 6 * total, "{written} of {total}");
        }
    }
}
