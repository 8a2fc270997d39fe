//! How many requests a device is sent before it has answered the first. Pure.
//!
//! Additive increase, multiplicative decrease (Chiu and Jain, Analysis of the Increase and Decrease
//! Algorithms for Congestion Avoidance in Computer Networks, 1989): a server of Modbus TCP may take
//! several transactions at once and need not say how many (NumberMaxOfServerTransaction, MODBUS
//! Messaging on TCP/IP Implementation Guide V1.0b), and one before a serial line often takes one.
//!
//! **Invariant:** at least 1, at most what the device's profile allows.

use crate::clock::Mono;

/// One more request in flight after so many full rounds of clean answers.
const ROUNDS: u32 = 8;
/// How long a depth that was too much is not tried again; doubles if it is too much again soon
/// after ...
const HOLD_MIN_MS: u64 = 30_000;
/// ... up to this, so that a device is overrun for the sake of finding out once an hour at most.
const HOLD_MAX_MS: u64 = 3_600_000;

/// Whether an exception says that the device, or the gateway before it, has too much to do: 6
/// (device busy), 10 (gateway path unavailable, "usually misconfigured or overloaded") and 11
/// (target failed to respond); MODBUS Application Protocol Specification V1.1b3, 7.
pub fn is_strain(exception: u8) -> bool {
    matches!(exception, 6 | 10 | 11)
}

/// How many requests may be in flight to one device.
///
/// Begins with one, which any device bears, and takes one more after eight rounds of clean
/// answers. Strain halves it. From there it grows again in the same way to just below the depth
/// that was too much; that one is left alone for 30 seconds, and each time it proves too much soon
/// after, twice as long as the last time, up to an hour.
#[derive(Clone, Debug)]
pub struct Depth {
    allowed: u8,
    max: u8,
    /// Clean answers since the depth last changed.
    clean: u32,
    lowered: Option<Lowered>,
    hold_ms: u64,
}

/// The last time the depth was halved.
#[derive(Clone, Copy, Debug)]
struct Lowered {
    /// What was asked until then belongs to a depth that is given up.
    at: Mono,
    /// The depth that was too much, and until when it is left alone.
    from: u8,
    until: Mono,
}

impl Depth {
    /// A device that takes at most `max` requests at once (at least 1).
    pub fn new(max: u8) -> Depth {
        Depth { allowed: 1, max: max.max(1), clean: 0, lowered: None, hold_ms: HOLD_MIN_MS }
    }

    /// How many requests may be in flight.
    pub fn get(&self) -> u8 {
        self.allowed
    }

    /// A request was answered in time, and not with strain ([`is_strain`]).
    pub fn answered(&mut self, asked_at: Mono, now: Mono) {
        if self.is_old(asked_at) || self.allowed >= self.max {
            return;
        }
        self.clean = self.clean.saturating_add(1);
        let too_soon =
            self.lowered.is_some_and(|lowered| self.allowed + 1 >= lowered.from && now < lowered.until);
        if self.clean >= ROUNDS * u32::from(self.allowed) && !too_soon {
            self.allowed += 1;
            self.clean = 0;
        }
    }

    /// A request timed out or was answered with strain. Those in flight with it say the same once
    /// more, and count once.
    pub fn strained(&mut self, asked_at: Mono, now: Mono) {
        if self.is_old(asked_at) {
            return;
        }
        self.clean = 0;
        if self.allowed == 1 {
            return;
        }
        if self.lowered.is_some_and(|lowered| now > lowered.until.plus_ms(self.hold_ms)) {
            self.hold_ms = HOLD_MIN_MS;
        }
        self.lowered = Some(Lowered { at: now, from: self.allowed, until: now.plus_ms(self.hold_ms) });
        self.hold_ms = self.hold_ms.saturating_mul(2).min(HOLD_MAX_MS);
        self.allowed /= 2;
    }

    /// Asked with a depth that is given up.
    fn is_old(&self, asked_at: Mono) -> bool {
        self.lowered.is_some_and(|lowered| asked_at <= lowered.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A device that takes `bears` requests at once, asked for `ms` in rounds of 20 ms. Gives the
    /// moments at which it was overrun.
    fn run(depth: &mut Depth, bears: u8, from: Mono, ms: u64) -> Vec<Mono> {
        let mut overrun = Vec::new();
        let mut at = from;
        while at < from.plus_ms(ms) {
            let (asked_at, in_flight) = (at, depth.get());
            at = at.plus_ms(20);
            if in_flight > bears {
                overrun.push(asked_at);
            }
            for place in 0..in_flight {
                if place < bears {
                    depth.answered(asked_at, at);
                } else {
                    depth.strained(asked_at, at);
                }
            }
            at = at.plus_ms(1);
        }
        overrun
    }

    #[test]
    fn grows_by_one_after_eight_clean_rounds_up_to_what_is_allowed() {
        let mut depth = Depth::new(3);
        (0..7).for_each(|_| depth.answered(Mono(1), Mono(2)));
        assert_eq!(depth.get(), 1);
        depth.answered(Mono(1), Mono(2));
        assert_eq!(depth.get(), 2);
        (0..16).for_each(|_| depth.answered(Mono(1), Mono(2)));
        assert_eq!(depth.get(), 3);
        (0..1_000).for_each(|_| depth.answered(Mono(1), Mono(2)));
        assert_eq!(depth.get(), 3);
    }

    #[test]
    fn one_overrun_halves_once_however_many_requests_it_costs() {
        let mut depth = Depth::new(8);
        run(&mut depth, 8, Mono(0), 10_000);
        assert_eq!(depth.get(), 8);
        (0..8).for_each(|_| depth.strained(Mono(20_000), Mono(20_100)));
        assert_eq!(depth.get(), 4);
        depth.strained(Mono(20_101), Mono(20_200));
        assert_eq!(depth.get(), 2);
    }

    #[test]
    fn a_depth_of_one_stays_and_starts_counting_anew() {
        let mut depth = Depth::new(8);
        (0..7).for_each(|_| depth.answered(Mono(1), Mono(2)));
        depth.strained(Mono(2), Mono(3));
        (0..7).for_each(|_| depth.answered(Mono(4), Mono(5)));
        assert_eq!(depth.get(), 1);
        assert_eq!(Depth::new(0).get(), 1);
    }

    #[test]
    fn stays_just_below_what_is_too_much_and_tries_it_ever_more_rarely() {
        let mut depth = Depth::new(16);
        let hours = 3_600_000;
        let overrun = run(&mut depth, 4, Mono(0), 10 * hours);
        let pauses: Vec<u64> = overrun.windows(2).map(|pair| pair[1].since_ms(pair[0]) / 1_000).collect();
        assert_eq!(pauses[..4], [30, 60, 120, 240]);
        assert!(pauses[7..].iter().all(|pause| (3_600..3_602).contains(pause)), "{pauses:?}");
        assert_eq!(depth.get(), 4, "all that it bears");
    }

    #[test]
    fn a_device_that_bears_more_again_gets_more() {
        let mut depth = Depth::new(8);
        run(&mut depth, 2, Mono(0), 600_000);
        assert!(depth.get() <= 2);
        run(&mut depth, 8, Mono(600_000), 700_000);
        assert_eq!(depth.get(), 8);
        // An overrun long after the last is a first one again.
        let overrun = run(&mut depth, 4, Mono(10_000_000), 100_000);
        assert!(overrun.windows(2).all(|pair| pair[1].since_ms(pair[0]) < 62_000), "{overrun:?}");
    }

    #[test]
    fn knows_the_exceptions_of_an_overrun() {
        assert_eq!((0..=255).filter(|code| is_strain(*code)).collect::<Vec<_>>(), [6, 10, 11]);
    }

    proptest! {
        #[test]
        fn stays_within_its_bounds(max: u8, events in proptest::collection::vec((any::<bool>(), 0_u64..50_000, 0_u64..500), 0..500)) {
            let mut depth = Depth::new(max);
            let mut now = Mono(0);
            for (clean, pause, took) in events {
                let asked_at = now.plus_ms(pause);
                now = asked_at.plus_ms(took);
                let before = depth.get();
                if clean { depth.answered(asked_at, now) } else { depth.strained(asked_at, now) }
                prop_assert!((1..=max.max(1)).contains(&depth.get()));
                prop_assert!(depth.get() <= before + u8::from(clean));
            }
        }
    }
}
