//! How strongly a fault acts, and when: piecewise linear, so that what it adds up to is exact.

use crate::point::UtcMs;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

const HOUR_MS: f64 = 3_600_000.0;

/// The course of one fault: 0 where it does not act, 1 where it acts in full. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Course(Arc<RwLock<Vec<(UtcMs, f64)>>>);

impl Course {
    /// Straight lines through these corners, which are in the order of time; before the first and
    /// after the last it does not act. Two corners at one moment are a step.
    pub fn set(&self, corners: Vec<(UtcMs, f64)>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = corners;
    }

    /// How strongly it acts.
    pub fn at(&self, at: UtcMs) -> f64 {
        self.at_ms(ms(at.0))
    }

    /// The same at a part of a millisecond; milliseconds since 1970.
    pub(super) fn at_ms(&self, at_ms: f64) -> f64 {
        let corners = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let next = corners.partition_point(|(corner, _)| ms(corner.0) <= at_ms);
        match (next.checked_sub(1).and_then(|last| corners.get(last)), corners.get(next)) {
            (Some(from), Some(to)) => on_line(*from, *to, at_ms),
            (Some((last, size)), None) if at_ms <= ms(last.0) => *size,
            _ => 0.0,
        }
    }

    /// Whether it may act between two moments.
    pub(super) fn acts(&self, from: UtcMs, to: UtcMs) -> bool {
        let corners = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let ends = corners.first().zip(corners.last());
        ends.is_some_and(|((first, _), (last, _))| *first < to && from < *last)
    }

    /// Where its line bends between two moments, each moment once.
    pub(super) fn corners_between(&self, from: UtcMs, to: UtcMs) -> Vec<UtcMs> {
        let corners = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut between: Vec<UtcMs> =
            corners.iter().map(|(at, _)| *at).filter(|at| from < *at && *at < to).collect();
        between.dedup();
        between
    }

    /// Its strength times the hours it had it, between two moments.
    pub fn hours(&self, from: UtcMs, to: UtcMs) -> f64 {
        let corners = self.0.read().unwrap_or_else(PoisonError::into_inner);
        corners
            .windows(2)
            .map(|pair| match pair {
                [start, end] => {
                    let (left, right) = (start.0.max(from), end.0.min(to));
                    if left >= right {
                        return 0.0;
                    }
                    let mean =
                        f64::midpoint(on_line(*start, *end, ms(left.0)), on_line(*start, *end, ms(right.0)));
                    mean * ms(right.0 - left.0) / HOUR_MS
                }
                _ => 0.0,
            })
            .sum()
    }
}

fn on_line(from: (UtcMs, f64), to: (UtcMs, f64), at_ms: f64) -> f64 {
    let span = ms(to.0.0 - from.0.0);
    if span <= 0.0 {
        return to.1;
    }
    from.1 + (to.1 - from.1) * (at_ms - ms(from.0.0)) / span
}

#[expect(clippy::cast_precision_loss, reason = "moments and spans are far below 2^53 ms")]
fn ms(span: i64) -> f64 {
    span as f64
}

/// All faults there may be, by kind and asset.
#[derive(Clone, Debug, Default)]
pub struct Courses(BTreeMap<(String, String), Course>);

impl Courses {
    /// One more; what is asked for under this kind and asset is its course from now on.
    pub fn add(&mut self, kind: &str, asset: &str) -> Course {
        self.0.entry((kind.to_owned(), asset.to_owned())).or_default().clone()
    }

    /// The course of a fault; one that never acts if the script has none of this kind for the asset.
    pub fn course(&self, kind: &str, asset: &str) -> Course {
        self.0.get(&(kind.to_owned(), asset.to_owned())).cloned().unwrap_or_default()
    }
}
