//! The clock as a value: real in production, virtual in tests.
//!
//! Schedules and delays run on monotonic time ([`Mono`], tokio's clock, which tests pause);
//! stamps are UTC. Everyone is handed a [`Clock`]; nobody asks the system (clippy.toml).
//!
//! **Invariant:** the only file that reads a system clock.

mod watch;

pub use watch::{BACKWARD_STEP_MS, ClockStep, Watch};

use crate::point::UtcMs;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// A point on the monotonic line of this process, in milliseconds since the clock was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(pub u64);

impl Mono {
    /// This point moved forward.
    #[must_use]
    pub fn plus_ms(self, ms: u64) -> Mono {
        Mono(self.0.saturating_add(ms))
    }

    /// Milliseconds since `earlier`, 0 if that lies ahead.
    pub fn since_ms(self, earlier: Mono) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Both times of one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The wall clock.
    pub utc: UtcMs,
    /// The monotonic clock.
    pub mono: Mono,
}

/// Most times a clock can run faster than the machine's.
pub const SPEED_MAX: u32 = 60;

/// A clock to hand around; clones show the same time.
#[derive(Clone, Debug)]
pub struct Clock {
    origin: Instant,
    /// Milliseconds that pass here while one passes outside.
    speed: u32,
    wall: Wall,
}

#[derive(Clone, Debug)]
enum Wall {
    System,
    /// The system's, set wrong by this many milliseconds.
    Astray(Arc<AtomicI64>),
    /// UTC at `origin`; moves with tokio's clock and by [`Clock::jump`].
    Virtual(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clocks.
    #[expect(clippy::disallowed_methods, reason = "the one place that may read the clocks")]
    pub fn system() -> Clock {
        Clock { origin: Instant::now(), speed: 1, wall: Wall::System }
    }

    /// A wall clock that shows `start` now and moves with tokio's clock: under
    /// `tokio::time::pause` it is fully in a test's hands.
    #[expect(clippy::disallowed_methods, reason = "the one place that may read the clocks")]
    pub fn starting_at(start: UtcMs) -> Clock {
        let wall = Wall::Virtual(Arc::new(AtomicI64::new(start.0)));
        Clock { origin: Instant::now(), speed: 1, wall }
    }

    /// Clocks that show the machine's time now, or `earliest` where that is later, and run `speed`
    /// times faster from here on, 1 to [`SPEED_MAX`]: an hour of sleep takes a minute. At 1 they are
    /// the machine's if they need not be ahead of it.
    #[must_use]
    pub fn faster(speed: u32, earliest: UtcMs) -> Clock {
        let now = UtcMs(system_ms());
        if speed <= 1 && earliest <= now {
            return Clock::system();
        }
        Clock { speed: speed.clamp(1, SPEED_MAX), ..Clock::starting_at(now.max(earliest)) }
    }

    /// Clocks that run with these and whose wall clock can be set wrong alone, by [`Clock::jump`].
    #[must_use]
    pub fn apart(&self) -> Clock {
        let wall = match &self.wall {
            Wall::System => Wall::Astray(Arc::default()),
            Wall::Astray(by) => Wall::Astray(Arc::new(AtomicI64::new(by.load(Ordering::Relaxed)))),
            Wall::Virtual(base) => Wall::Virtual(Arc::new(AtomicI64::new(base.load(Ordering::Relaxed)))),
        };
        Clock { wall, ..self.clone() }
    }

    /// Moves a wall clock that is not the machine's by `ms` (may be negative); the monotonic one does
    /// not notice. Does nothing on the system clock.
    pub fn jump(&self, ms: i64) {
        match &self.wall {
            Wall::Virtual(base) | Wall::Astray(base) => {
                base.fetch_add(ms, Ordering::Relaxed);
            }
            Wall::System => {}
        }
    }

    /// Both times, now.
    pub fn now(&self) -> Now {
        let mono = self.mono();
        let utc = match &self.wall {
            Wall::Virtual(base) => {
                UtcMs(base.load(Ordering::Relaxed)).plus_ms(i64::try_from(mono.0).unwrap_or(i64::MAX))
            }
            Wall::Astray(by) => UtcMs(system_ms()).plus_ms(by.load(Ordering::Relaxed)),
            Wall::System => UtcMs(system_ms()),
        };
        Now { utc, mono }
    }

    /// The wall clock, now.
    pub fn utc(&self) -> UtcMs {
        self.now().utc
    }

    /// The monotonic clock, now.
    #[expect(clippy::disallowed_methods, reason = "the one place that may read the clocks")]
    pub fn mono(&self) -> Mono {
        let outside = Instant::now().saturating_duration_since(self.origin);
        if self.speed == 1 {
            return Mono(whole_ms(outside));
        }
        Mono(whole_ms(outside.saturating_mul(self.speed)))
    }

    /// Sleeps until a monotonic moment; returns at once if it has passed.
    pub async fn sleep_until(&self, moment: Mono) {
        tokio::time::sleep_until(self.instant(moment)).await;
    }

    /// A monotonic moment as tokio's timers take it.
    pub fn instant(&self, moment: Mono) -> Instant {
        let outside = Duration::from_millis(moment.0);
        self.origin + if self.speed == 1 { outside } else { outside / self.speed }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that may read the clocks")]
fn system_ms() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(whole_ms(since)).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(whole_ms(before.duration())).map_or(i64::MIN, |ms| -ms),
    }
}

/// As `as_millis` in half the instructions: the clocks are read for every request.
fn whole_ms(span: Duration) -> u64 {
    span.as_secs().saturating_mul(1_000).saturating_add(u64::from(span.subsec_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn virtual_time_moves_with_tokio_and_jumps_alone() {
        let clock = Clock::starting_at(UtcMs(1_000));
        clock.sleep_until(clock.mono().plus_ms(500)).await;
        assert_eq!(clock.now(), Now { utc: UtcMs(1_500), mono: Mono(500) });
        clock.jump(-3_600_000);
        assert_eq!(clock.now(), Now { utc: UtcMs(1_500 - 3_600_000), mono: Mono(500) });
    }

    #[tokio::test(start_paused = true)]
    async fn a_fast_clock_sleeps_an_hour_in_a_minute() {
        let (outside, fast) = (Clock::starting_at(UtcMs(0)), Clock::faster(60, UtcMs(0)));
        let before = fast.now();
        fast.sleep_until(before.mono.plus_ms(3_600_000)).await;
        assert_eq!(outside.mono(), Mono(60_000));
        let passed = fast.now();
        assert_eq!(passed.utc.since_ms(before.utc), 3_600_000);
        assert_eq!(passed.mono.since_ms(before.mono), 3_600_000);
        let ahead = Clock::system().utc().plus_ms(86_400_000);
        let slow = Clock::faster(1, ahead);
        slow.sleep_until(Mono(500)).await;
        assert_eq!(slow.now(), Now { utc: ahead.plus_ms(500), mono: Mono(500) }, "it goes on where it was");
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_apart_is_wrong_alone() {
        for clock in [Clock::starting_at(UtcMs(1_000)), Clock::faster(10, UtcMs(0))] {
            let apart = clock.apart();
            apart.jump(-90_000);
            assert_eq!((clock.utc().since_ms(apart.utc()), apart.mono()), (90_000, clock.mono()));
        }
        let before = Clock::system().utc();
        let astray = Clock::system().apart();
        astray.jump(3_600_000);
        assert!(astray.utc().since_ms(before) >= 3_600_000);
    }
}
