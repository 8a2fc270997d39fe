//! How strongly a fault acts, and when: piecewise linear, so that what it adds up to is exact.

use super::calendar;
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
        self.with(|corners| at_ms(corners, ms(at.0)))
    }

    /// Its strength times the hours it had it, between two moments.
    pub fn hours(&self, from: UtcMs, to: UtcMs) -> f64 {
        self.with(|corners| hours(corners, from, to))
    }

    fn with<T>(&self, ask: impl FnOnce(&[(UtcMs, f64)]) -> T) -> T {
        ask(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What is done for some time at the same hour of each week, in full or not at all.
#[derive(Clone, Copy, Debug)]
pub struct Weekly {
    /// Since Monday, 00:00 on the clock of the hospital. Milliseconds.
    pub after_ms: i64,
    /// Less than a week. Milliseconds.
    pub lasts_ms: i64,
}

impl Weekly {
    /// How often it has begun since 1970.
    pub fn begun(self, at: UtcMs) -> i64 {
        calendar::weeks(UtcMs(at.0 - self.after_ms))
    }

    /// The corners of the run that began last, and of the next.
    fn corners(self, at: UtcMs) -> [(UtcMs, f64); 8] {
        let onset = calendar::monday(self.begun(at)).0 + self.after_ms;
        let [on, off] = [onset, onset + self.lasts_ms].map(UtcMs);
        let [again, over] = [on, off].map(|corner| UtcMs(corner.0 + calendar::WEEK_MS));
        [(on, 0.0), (on, 1.0), (off, 1.0), (off, 0.0), (again, 0.0), (again, 1.0), (over, 1.0), (over, 0.0)]
    }
}

/// What acts on the plant: a fault, or what is done every week.
#[derive(Clone, Debug)]
pub(super) enum Acts {
    Fault(Course),
    Weekly(Weekly),
}

impl Acts {
    /// How strongly.
    pub(super) fn at(&self, at: UtcMs) -> f64 {
        self.at_ms(ms(at.0), at)
    }

    /// The same at a part of a millisecond, in milliseconds since 1970; `near` is not after it, and less than
    /// a week before.
    pub(super) fn at_ms(&self, then_ms: f64, near: UtcMs) -> f64 {
        self.with(near, |corners| at_ms(corners, then_ms))
    }

    /// Whether it may between two moments.
    pub(super) fn acts(&self, from: UtcMs, to: UtcMs) -> bool {
        self.with(from, |corners| acts(corners, from, to))
    }

    /// Where its line bends between two moments, each moment once.
    pub(super) fn corners_between(&self, from: UtcMs, to: UtcMs) -> Vec<UtcMs> {
        self.with(from, |corners| {
            let first = corners.partition_point(|(at, _)| *at <= from);
            let after = corners.get(first..).unwrap_or_default().iter().map(|(at, _)| *at);
            let mut between: Vec<UtcMs> = after.take_while(|at| *at < to).collect();
            between.dedup();
            between
        })
    }

    /// Its strength times the hours it had it, between two moments; of what is weekly less than a week.
    pub(super) fn hours(&self, from: UtcMs, to: UtcMs) -> f64 {
        self.with(from, |corners| hours(corners, from, to))
    }

    fn with<T>(&self, from: UtcMs, ask: impl FnOnce(&[(UtcMs, f64)]) -> T) -> T {
        match self {
            Acts::Fault(course) => course.with(ask),
            Acts::Weekly(weekly) => ask(&weekly.corners(from)),
        }
    }
}

fn at_ms(corners: &[(UtcMs, f64)], at_ms: f64) -> f64 {
    let next = corners.partition_point(|(corner, _)| ms(corner.0) <= at_ms);
    match (next.checked_sub(1).and_then(|last| corners.get(last)), corners.get(next)) {
        (Some(from), Some(to)) => on_line(*from, *to, at_ms),
        (Some((last, size)), None) if at_ms <= ms(last.0) => *size,
        _ => 0.0,
    }
}

fn acts(corners: &[(UtcMs, f64)], from: UtcMs, to: UtcMs) -> bool {
    let first = corners.partition_point(|(at, _)| *at <= from).saturating_sub(1);
    let lines = corners.get(first..).unwrap_or_default().windows(2);
    let mut lines = lines.take_while(|line| line.first().is_some_and(|(at, _)| *at < to));
    lines.any(|line| line.iter().any(|(_, size)| *size != 0.0))
}

fn hours(corners: &[(UtcMs, f64)], from: UtcMs, to: UtcMs) -> f64 {
    let first = corners.partition_point(|(at, _)| *at <= from).saturating_sub(1);
    corners
        .get(first..)
        .unwrap_or_default()
        .windows(2)
        .take_while(|line| line.first().is_some_and(|(at, _)| *at < to))
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

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE_MS: i64 = 60_000;

    /// Tuesday, 08:30, ten minutes: the hospital's clock is eight hours ahead.
    #[test]
    fn what_is_weekly_acts_on_its_day_and_hour_and_at_no_other() {
        let weekly = Weekly { after_ms: (24 * 60 + 8 * 60 + 30) * MINUTE_MS, lasts_ms: 10 * MINUTE_MS };
        let acts = Acts::Weekly(weekly);
        // 2025-11-04 00:30 UTC.
        let onset = UtcMs(1_762_216_200_000);
        for week in [-2_000_i64, -1, 0, 1, 60] {
            let at = |minutes: i64| UtcMs(onset.0 + week * calendar::WEEK_MS + minutes * MINUTE_MS);
            let strengths = [-1, 0, 5, 9, 10, 4_000].map(|minutes| acts.at(at(minutes)) > 0.5);
            assert_eq!(strengths, [false, true, true, true, false, false], "week {week}");
            assert!((acts.hours(at(-20), at(4)) - 4.0 / 60.0).abs() < 1e-12);
            assert!((acts.hours(at(3), at(900)) - 7.0 / 60.0).abs() < 1e-12);
            assert_eq!(acts.corners_between(at(-20), at(30)), [at(0), at(10)]);
            assert_eq!(
                [acts.acts(at(-15), at(0)), acts.acts(at(-15), at(1)), acts.acts(at(10), at(25))],
                [false, true, false]
            );
            assert_eq!(weekly.begun(at(0)), weekly.begun(at(-1)) + 1);
        }
    }

    /// Between two runs of a long script nothing acts.
    #[test]
    fn a_course_acts_only_where_it_is_not_nothing() {
        let course = Course::default();
        course.set(
            [(10, 0.0), (10, 1.0), (20, 1.0), (20, 0.0), (90, 0.0), (95, 0.5), (95, 0.0)]
                .map(|(at, size)| (UtcMs(at), size))
                .to_vec(),
        );
        let acts = Acts::Fault(course.clone());
        let found = [(0, 10), (0, 11), (15, 16), (20, 90), (20, 91), (95, 200)]
            .map(|(from, to)| acts.acts(UtcMs(from), UtcMs(to)));
        assert_eq!(found, [false, true, true, false, true, false]);
        assert!((course.hours(UtcMs(15), UtcMs(92)) * HOUR_MS - 5.2).abs() < 1e-9);
    }
}
