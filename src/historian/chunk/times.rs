//! The instants of a poll group, once for all of its points.
//!
//! ```text
//! times = format(1)  count  first_ms  how(1)  ...  crc32(4)
//! steps = 0  column(from each instant to the next)
//! grid  = 1  step_ms  column(grid places from each to the next)  column(of distances from the grid)
//! ```
//! Regular polling is one constant, with gaps a few runs. Polling that comes a few milliseconds late
//! is told as its distance from the grid: the lateness of one poll, where a step has that of two.

use super::{ChunkError, FORMAT, ROWS_MAX, count, ints, open, seal};
use crate::historian::bytes::{self, Bytes};

const STEPS: u8 = 0;
const GRID: u8 = 1;

/// The instants (UTC ms, each later than the one before, at most [`ROWS_MAX`]) as a blob.
pub fn encode(times: &[i64]) -> Result<Vec<u8>, ChunkError> {
    if times.len() > ROWS_MAX || !times.is_sorted_by(|a, b| a < b) {
        return Err(ChunkError::Malformed);
    }
    let mut out = vec![FORMAT];
    bytes::varint(&mut out, times.len() as u64);
    if let Some(first) = times.first() {
        bytes::signed(&mut out, *first);
        let steps = by_steps(times);
        let grid = by_grid(times, *first).unwrap_or_else(|| steps.clone());
        out.extend(std::cmp::min_by_key(steps, grid, Vec::len));
    }
    Ok(seal(out))
}

/// The instants, each later than the one before.
pub fn decode(blob: &[u8]) -> Result<Vec<i64>, ChunkError> {
    let mut bytes = open(blob)?;
    let instants = count(&mut bytes)?;
    let times = if instants == 0 { vec![] } else { read(&mut bytes, instants)? };
    if !bytes.0.is_empty() || !times.is_sorted_by(|a, b| a < b) {
        return Err(ChunkError::Malformed);
    }
    Ok(times)
}

fn read(bytes: &mut Bytes<'_>, instants: usize) -> Result<Vec<i64>, ChunkError> {
    let first = bytes.signed()?;
    match bytes.byte()? {
        STEPS => Ok(along(first, &ints::decode(bytes, instants - 1)?, 1)),
        GRID => {
            let step = bytes.signed()?;
            let mut times = along(first, &ints::decode(bytes, instants - 1)?, step);
            for (at, late) in times.iter_mut().zip(ints::decode(bytes, instants)?) {
                *at = at.wrapping_add(late);
            }
            Ok(times)
        }
        _ => Err(ChunkError::Malformed),
    }
}

/// `first`, and each next one so many `unit`s on.
fn along(first: i64, steps: &[i64], unit: i64) -> Vec<i64> {
    let mut at = first;
    let mut times = Vec::with_capacity(steps.len() + 1);
    times.push(at);
    times.extend(steps.iter().map(|step| {
        at = at.wrapping_add(step.wrapping_mul(unit));
        at
    }));
    times
}

fn steps(times: &[i64]) -> Vec<i64> {
    times.iter().zip(times.iter().skip(1)).map(|(from, to)| to.wrapping_sub(*from)).collect()
}

fn by_steps(times: &[i64]) -> Vec<u8> {
    let mut out = vec![STEPS];
    ints::encode(&mut out, &steps(times));
    out
}

/// The grid is the one these instants keep to on the whole: a lateness does not add up.
fn by_grid(times: &[i64], first: i64) -> Option<Vec<u8>> {
    let steps = steps(times);
    let mut sorted = steps.clone();
    let (_, median, _) =
        sorted.select_nth_unstable(steps.len().checked_div(2).filter(|_| !steps.is_empty())?);
    // A step beyond 63 bits has wrapped: no grid.
    let median = Some(*median).filter(|_| steps.iter().all(|step| *step > 0))?;
    let places: Vec<i64> = steps.iter().map(|step| step.saturating_add(median / 2) / median).collect();
    let span = times.last()?.checked_sub(first)?;
    let all = places.iter().try_fold(0_i64, |sum, places| sum.checked_add(*places)).filter(|all| *all > 0)?;
    let step = span.saturating_add(all / 2) / all;
    let grid = along(first, &places, step);
    let late: Vec<i64> = times.iter().zip(grid).map(|(at, due)| at.wrapping_sub(due)).collect();
    let mut out = vec![GRID];
    bytes::signed(&mut out, step);
    ints::encode(&mut out, &places);
    ints::encode(&mut out, &late);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn size(times: &[i64]) -> usize {
        let blob = encode(times).unwrap();
        assert_eq!(decode(&blob).as_deref(), Ok(times));
        blob.len()
    }

    fn polled(late_ms: impl Fn(i64) -> i64) -> Vec<i64> {
        (0..8_192).map(|n| 1_800_000_000_000 + n * 1_000 + late_ms(n)).collect()
    }

    proptest! {
        #[test]
        fn instants_come_back(times in prop::collection::btree_set(any::<i64>(), 0..100), shift in 0..50_u32) {
            let times: std::collections::BTreeSet<i64> = times.iter().map(|at| at >> shift).collect();
            size(&times.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_regular_poll_costs_nothing_and_a_gap_a_few_bytes() {
        let times = polled(|_| 0);
        assert!(size(&times) < 24, "{}", size(&times));
        let gaps: Vec<i64> = times.into_iter().filter(|at| at / 1_000 % 2_000 > 60).collect();
        assert!(size(&gaps) < 50, "{}", size(&gaps));
    }

    #[test]
    fn a_jitter_of_eight_milliseconds_costs_three_bits_a_poll() {
        let times = polled(|n| {
            n.wrapping_mul(6_364_136_223_846_793_005).cast_unsigned().rotate_left(9).cast_signed() & 7
        });
        assert!(size(&times) < 8_192 * 3 / 8 + 60, "{}", size(&times));
        let gaps: Vec<i64> = times.into_iter().filter(|at| at / 1_000 % 2_000 > 60).collect();
        assert!(size(&gaps) < 8_192 * 3 / 8 + 60, "{}", size(&gaps));
    }

    #[test]
    fn instants_that_do_not_ascend_are_refused() {
        for times in [[1, 1], [2, 1], [i64::MAX, i64::MIN]] {
            assert_eq!(encode(&times), Err(ChunkError::Malformed));
        }
        let many: Vec<i64> = (0..=65_535).collect();
        assert_eq!(encode(&many), Err(ChunkError::Malformed));
    }
}
