//! Notices when the wall clock is set back. Pure.

use super::Now;
use crate::point::UtcMs;

/// A wall clock set back by more than this opens a new stretch of time. Milliseconds.
pub const BACKWARD_STEP_MS: i64 = 2_000;

/// The wall clock was set back by more than [`BACKWARD_STEP_MS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockStep {
    /// What it should have shown.
    pub from: UtcMs,
    /// What it showed.
    pub to: UtcMs,
}

/// Watches the wall clock against the monotonic one.
#[derive(Clone, Copy, Debug)]
pub struct Watch(Now);

impl Watch {
    /// From now on.
    pub fn new(now: Now) -> Watch {
        Watch(now)
    }

    /// Looks at the clocks again; what came between was no step unless it says so.
    pub fn observe(&mut self, now: Now) -> Option<ClockStep> {
        let passed = i64::try_from(now.mono.since_ms(self.0.mono)).unwrap_or(i64::MAX);
        let expected = self.0.utc.plus_ms(passed);
        self.0 = now;
        let back = now.utc.since_ms(expected) < -BACKWARD_STEP_MS;
        back.then_some(ClockStep { from: expected, to: now.utc })
    }
}
