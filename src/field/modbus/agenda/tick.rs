//! When a rate of a device is due: on the wall clock's grid, wherever that clock is put. Pure.
//!
//! **Invariant:** two ticks of one rate lie between half and one and a half of its interval
//! apart, as long as nobody asks for one off the grid; a clock that is put forward or back neither
//! makes a burst nor leaves a hole.

use crate::clock::{Mono, Now};

/// Rates within so many milliseconds of each other are read together ...
const PATIENCE_MAX_MS: u64 = 50;
/// ... but none waits for another longer than this part of its interval.
const PATIENCE_PART: u64 = 20;

/// How often something is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rate {
    /// The interval in milliseconds; 0 counts as 1.
    pub interval_ms: u64,
    /// On the multiples of the interval themselves, as a demand interval wants it, and not
    /// shifted by the device's own phase.
    pub aligned: bool,
}

/// How far the wall clock is ahead of the monotonic one, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wall(i128);

impl Wall {
    pub fn of(now: Now) -> Wall {
        Wall(i128::from(now.utc.0) - i128::from(now.mono.0))
    }

    /// Whether `self`, seen later, has moved against `held`. Both clocks cut off what is below a
    /// millisecond, so what lies one ahead is the same clock: held to the lower of the two, an
    /// aligned rate is never read before its time.
    pub fn has_moved(self, held: Wall) -> bool {
        self.0 < held.0 || self.0 > held.0 + 1
    }

    /// The first moment not before `from` at which the wall clock shows a multiple of the interval
    /// plus the phase.
    fn first(self, from: Mono, interval_ms: u64, phase_ms: u64) -> Mono {
        let shown = i128::from(from.0) + self.0;
        let ahead = (i128::from(phase_ms) - shown).rem_euclid(i128::from(interval_ms));
        from.plus_ms(u64::try_from(ahead).unwrap_or(0))
    }
}

/// The next tick of one rate.
#[derive(Clone, Copy, Debug)]
pub struct Tick {
    rate: Rate,
    interval_ms: u64,
    phase_ms: u64,
    /// On the grid: the first moment that may be the next tick, half an interval after the last.
    after: Mono,
    due: Mono,
    /// Not asked for at once, at whatever moment that was.
    on_grid: bool,
}

impl Tick {
    /// A rate that is due at once, and then on its grid.
    pub fn new(rate: Rate, hash: u64, now: Mono) -> Tick {
        let interval_ms = rate.interval_ms.max(1);
        let phase_ms = if rate.aligned { 0 } else { hash % interval_ms };
        Tick { rate, interval_ms, phase_ms, after: now, due: now, on_grid: false }
    }

    pub fn rate(&self) -> Rate {
        self.rate
    }

    pub fn interval_ms(&self) -> u64 {
        self.interval_ms
    }

    pub fn due(&self) -> Mono {
        self.due
    }

    /// When it should have been read: at its next tick but one, which would otherwise be missed.
    pub fn deadline(&self) -> Mono {
        self.due.plus_ms(self.interval_ms)
    }

    /// How late it may be without being late: 50 ms or a twentieth of its interval, whichever is
    /// less. What was asked for at once does not wait.
    pub fn patience_ms(&self) -> u64 {
        if self.on_grid { (self.interval_ms / PATIENCE_PART).min(PATIENCE_MAX_MS) } else { 0 }
    }

    /// It is wanted at once, off its grid.
    pub fn at_once(&mut self, now: Mono) {
        (self.due, self.on_grid) = (now, false);
    }

    /// The wall clock was put forward or back.
    pub fn follow(&mut self, wall: Wall) {
        if self.on_grid {
            self.due = wall.first(self.after, self.interval_ms, self.phase_ms);
        }
    }

    /// Its latest tick is attended to; gives the earlier ones that are left out.
    pub fn attend(&mut self, now: Mono, wall: Wall) -> u64 {
        if !self.on_grid {
            (self.after, self.on_grid) = (now.plus_ms(1), true);
            self.follow(wall);
            return 0;
        }
        let passed = now.since_ms(self.due) / self.interval_ms;
        self.step(passed.saturating_add(1));
        // The wall clock may have been put elsewhere since the tick was set.
        self.follow(wall);
        passed
    }

    /// Leaves out, and counts, the ticks that are too late by now to be attended to.
    pub fn leave_out(&mut self, now: Mono) -> u64 {
        if !self.on_grid {
            return 0;
        }
        let late_ms = now.since_ms(self.due.plus_ms(self.patience_ms()));
        let passed = late_ms.div_ceil(self.interval_ms);
        self.step(passed);
        passed
    }

    fn step(&mut self, ticks: u64) {
        if ticks > 0 {
            let last = self.due.plus_ms(self.interval_ms.saturating_mul(ticks - 1));
            self.after = last.plus_ms(self.interval_ms.div_ceil(2));
            self.due = last.plus_ms(self.interval_ms);
        }
    }
}
