//! When a fault begins, how it grows, and how long it lasts. Pure.

use crate::point::UtcMs;

/// What lasts until it is ended, in milliseconds: a hundred years.
pub const FOR_EVER_MS: i64 = 100 * 365 * 86_400_000;

/// When it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Onset {
    /// At this moment.
    At(UtcMs),
    /// So long after the first start of the demo; below 0 before it. Milliseconds.
    FromFirstStart(i64),
    /// So long after each start of the demo. Milliseconds.
    FromEachStart(i64),
    /// When somebody asks for it.
    OnRequest,
}

/// When a fault ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// So long after its onset. Milliseconds.
    After(i64),
    /// At this moment.
    At(UtcMs),
    /// So long after the first start of the demo; below 0 before it. Milliseconds.
    FromFirstStart(i64),
    /// When somebody ends it.
    Never,
}

/// Corners of how strongly it acts: milliseconds after the onset, and 0 to 1; straight lines between
/// them, and the last one holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Growth(pub Vec<(i64, f64)>);

impl Default for Growth {
    /// In full at once.
    fn default() -> Growth {
        Growth(vec![(0, 1.0)])
    }
}

impl Growth {
    /// How strongly it acts so long after the onset.
    fn at(&self, after_ms: i64) -> f64 {
        let next = self.0.partition_point(|(corner, _)| *corner <= after_ms);
        match (next.checked_sub(1).and_then(|last| self.0.get(last)), self.0.get(next)) {
            (Some(from), Some(to)) => from.1 + (to.1 - from.1) * ratio(after_ms - from.0, to.0 - from.0),
            (Some((_, level)), None) => *level,
            // Before the first corner it grows from nothing.
            (None, Some((corner, level))) => level * ratio(after_ms, *corner),
            (None, None) => 1.0,
        }
    }
}

/// One time a fault acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Run {
    /// From then on.
    pub onset: UtcMs,
    /// Until then.
    pub end: UtcMs,
}

impl Run {
    /// Whether it acts.
    pub fn holds(self, at: UtcMs) -> bool {
        self.onset <= at && at < self.end
    }

    /// The corners of its course in time; two at one moment are a step. Before the first and after
    /// the last it does not act.
    pub fn corners(self, growth: &Growth) -> Vec<(UtcMs, f64)> {
        let length = self.end.since_ms(self.onset);
        let inner = growth.0.iter().map(|(after, _)| *after).filter(|after| (1..length).contains(after));
        let mut moments: Vec<i64> = std::iter::once(0).chain(inner).chain([length]).collect();
        moments.dedup();
        let end_level = growth.at(length);
        let level = |after: &i64| if *after == length { end_level } else { growth.at(*after) };
        moments.iter().map(|after| (self.onset.plus_ms(*after), level(after))).collect()
    }
}

/// The runs in order, none reaching into the next: a later onset ends what ran before it.
pub fn in_order(mut runs: Vec<Run>) -> Vec<Run> {
    runs.sort_unstable();
    let onsets: Vec<UtcMs> = runs.iter().skip(1).map(|run| run.onset).collect();
    for (run, next) in runs.iter_mut().zip(onsets) {
        run.end = run.end.min(next);
    }
    runs.retain(|run| run.onset < run.end);
    runs
}

/// The run of a moment.
pub fn running(runs: &[Run], at: UtcMs) -> Option<Run> {
    let next = runs.partition_point(|run| run.onset <= at);
    next.checked_sub(1).and_then(|last| runs.get(last)).copied().filter(|run| run.holds(at))
}

fn ratio(part: i64, whole: i64) -> f64 {
    if whole <= 0 { 1.0 } else { number(part) / number(whole) }
}

#[expect(clippy::cast_precision_loss, reason = "spans of a century are far below 2^53 ms")]
fn number(ms: i64) -> f64 {
    ms as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(onset: i64, end: i64) -> Run {
        Run { onset: UtcMs(onset), end: UtcMs(end) }
    }

    #[test]
    fn it_grows_in_straight_lines_and_holds_its_last_level_until_the_end() {
        let growth = Growth(vec![(0, 0.0), (1_000, 0.5), (3_000, 1.0)]);
        let corners = |end: i64| run(10_000, end).corners(&growth);
        let expected = [(10_000, 0.0), (11_000, 0.5), (13_000, 1.0), (20_000, 1.0)];
        assert_eq!(corners(20_000), expected.map(|(at, level)| (UtcMs(at), level)));
        let cut = [(10_000, 0.0), (11_000, 0.5), (12_000, 0.75)];
        assert_eq!(corners(12_000), cut.map(|(at, level)| (UtcMs(at), level)));
        let late = run(0, 400).corners(&Growth(vec![(200, 0.5)]));
        assert_eq!(late, [(0, 0.0), (200, 0.5), (400, 0.5)].map(|(at, level)| (UtcMs(at), level)));
    }

    #[test]
    fn a_later_onset_ends_what_ran() {
        let runs = in_order(vec![run(50, 90), run(0, 100), run(95, 95)]);
        assert_eq!(runs, [run(0, 50), run(50, 90)]);
        assert_eq!(running(&runs, UtcMs(89)), Some(run(50, 90)));
        assert_eq!(running(&runs, UtcMs(92)), None);
    }
}
