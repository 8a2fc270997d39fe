//! The timeout a device has earned: its usual latency and four times what that varies by. Pure.
//!
//! V. Jacobson, Congestion Avoidance and Control (SIGCOMM 1988), with the numbers of RFC 6298 and
//! P. Karn's rule (Karn and Partridge, SIGCOMM 1987), on the *latency*: what an answer takes beside
//! its time on the wire, so that long and short requests teach the same.
//!
//! **Invariant:** what a timeout leaves beside the wire is never above the ceiling; never below the
//! floor either, unless the ceiling is. The wire is never cut short: a response timeout begins when
//! the request is out (MODBUS over Serial Line V1.02, 2.4.1), and 125 registers alone take 2.5 s at
//! 1,200 baud.

use crate::config::Serial;

/// Least time beside the wire, in microseconds: operating systems and network adapters schedule,
/// and USB serial adapters hold bytes back for up to 16 ms (FTDI AN232B-04, latency timer).
const FLOOR_US: u64 = 50_000;
/// Silences between frames the floor has at least: before the request, before the answer, and one
/// for a device that is slow to notice.
const FLOOR_GAPS: u64 = 3;
/// Least allowance beside the smoothed latency, in microseconds: G of RFC 6298 (2.3), the grain of
/// what is measured. A device that always takes the same must not time out over one USB frame.
const GRAIN_US: u64 = 20_000;
/// The latency counts as moved by this factor ...
const MOVED_BY: u64 = 2;
/// ... once it has been so for this many answers in a row: one late answer among good ones moves
/// the mean for less.
const MOVED_FOR: u8 = 8;
/// A latency below this is none on a serial line: the silences around a frame are longer, and the
/// clocks count whole milliseconds.
const LEAST_SERIAL_US: u64 = 1_000;
/// Nor is one below this on TCP, where the data of a request takes a fifth of a millisecond: what is
/// asked together does not change with it, and on a local network it is one and then three
/// milliseconds all day.
const LEAST_TCP_US: u64 = 10_000;

/// What is known of the latency of one device. Times are in microseconds.
#[derive(Clone, Debug)]
pub struct Rtt {
    floor_us: u64,
    ceiling_us: u64,
    /// Smoothed latency and its mean deviation; none before the first answer.
    usual: Option<Usual>,
    /// How often the timeout has been doubled.
    doubled: u32,
    /// The last question timed out: an answer now may be the one to that.
    in_doubt: bool,
    planned_us: u64,
    /// Differences in latency below this are none.
    least_us: u64,
    /// Answers in a row with the latency away from the planned one.
    moved_for: u8,
}

#[derive(Clone, Copy, Debug)]
struct Usual {
    latency_us: u64,
    deviation_us: u64,
}

impl Rtt {
    /// A device on a bus whose longest timeout, beside the wire, is `ceiling_us`, and for which requests are planned
    /// with a latency of `planned_us`.
    pub fn new(serial: Option<Serial>, ceiling_us: u64, planned_us: u64) -> Rtt {
        let gaps_us = serial.map_or(0, |serial| serial.frame_gap_us() * FLOOR_GAPS);
        Rtt {
            floor_us: gaps_us.max(FLOOR_US),
            ceiling_us,
            usual: None,
            doubled: 0,
            in_doubt: false,
            planned_us,
            least_us: if serial.is_some() { LEAST_SERIAL_US } else { LEAST_TCP_US },
            moved_for: 0,
        }
    }

    /// How long to wait for the answer to a request that takes `wire_us` there and back.
    pub fn timeout_us(&self, wire_us: u64) -> u64 {
        let Some(usual) = self.usual else { return wire_us.saturating_add(self.ceiling_us) };
        let allowance_us = usual.deviation_us.saturating_mul(4).max(GRAIN_US);
        let latency_us = usual.latency_us.saturating_add(allowance_us).max(self.floor_us);
        let backed_off_us = latency_us.saturating_mul(1_u64.checked_shl(self.doubled).unwrap_or(u64::MAX));
        wire_us.saturating_add(backed_off_us.min(self.ceiling_us))
    }

    /// Takes over what `old` has measured of the same device, within its own bounds.
    pub fn take_over(&mut self, old: &Rtt) {
        if old.usual.is_some() {
            *self = Rtt { floor_us: self.floor_us, ceiling_us: self.ceiling_us, ..old.clone() };
        }
    }

    /// The latency that requests are planned with.
    pub fn planned_us(&self) -> u64 {
        self.planned_us
    }

    /// The smoothed latency, once there is one.
    pub fn latency_us(&self) -> Option<u64> {
        self.usual.map(|usual| usual.latency_us)
    }

    /// An answer came after `elapsed_us`. The first one after a timeout may belong to the question
    /// before it, so it teaches nothing and the timeout stays as long as it is (Karn's rule); the
    /// next one does, so a device that has become slow is measured with enough time.
    pub fn answered(&mut self, wire_us: u64, elapsed_us: u64) {
        if std::mem::take(&mut self.in_doubt) {
            return;
        }
        self.doubled = 0;
        let sample_us = elapsed_us.saturating_sub(wire_us).min(self.ceiling_us);
        let usual = match self.usual {
            None => Usual { latency_us: sample_us, deviation_us: sample_us / 2 },
            Some(Usual { latency_us, deviation_us }) => Usual {
                latency_us: weighted(latency_us, sample_us, 8),
                deviation_us: weighted(deviation_us, latency_us.abs_diff(sample_us), 4),
            },
        };
        self.usual = Some(usual);
        let (latency_us, planned_us) =
            (usual.latency_us.max(self.least_us), self.planned_us.max(self.least_us));
        let away = latency_us >= planned_us.saturating_mul(MOVED_BY)
            || planned_us >= latency_us.saturating_mul(MOVED_BY);
        self.moved_for = if away { self.moved_for.saturating_add(1) } else { 0 };
    }

    /// No answer came in time.
    pub fn timed_out(&mut self) {
        self.in_doubt = true;
        self.doubled = self.doubled.saturating_add(1).min(u64::BITS);
    }

    /// The latency to plan requests with from now on, told once each time it has doubled or
    /// halved.
    pub fn moved(&mut self) -> Option<u64> {
        if self.moved_for < MOVED_FOR {
            return None;
        }
        self.moved_for = 0;
        // No request is for nothing, however quick the answer was.
        self.planned_us = self.latency_us()?.max(LEAST_SERIAL_US);
        Some(self.planned_us)
    }
}

/// The mean in which the newest sample weighs one part in `parts`.
fn weighted(mean_us: u64, sample_us: u64, parts: u64) -> u64 {
    // Both are at most the ceiling; a ceiling beyond u64::MAX / 8 µs is no timeout.
    mean_us.saturating_mul(parts - 1).saturating_add(sample_us) / parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000;

    fn tcp() -> Rtt {
        Rtt::new(None, SECOND, 20_000)
    }

    #[test]
    fn waits_as_long_as_the_bus_allows_until_it_knows_better() {
        let mut rtt = tcp();
        assert_eq!(rtt.timeout_us(7), SECOND + 7);
        rtt.timed_out();
        assert_eq!(rtt.timeout_us(7), SECOND + 7);
        assert_eq!(rtt.latency_us(), None);
    }

    #[test]
    fn the_first_answers_give_the_numbers_of_rfc_6298() {
        let mut rtt = tcp();
        rtt.answered(10_000, 90_000);
        // SRTT = R, RTTVAR = R/2 (2.2).
        assert_eq!(rtt.timeout_us(5_000), 5_000 + 80_000 + 4 * 40_000);
        rtt.answered(10_000, 130_000);
        // RTTVAR = 3/4 RTTVAR + 1/4 |SRTT - R'|, then SRTT = 7/8 SRTT + 1/8 R' (2.3).
        assert_eq!(rtt.timeout_us(0), 85_000 + 4 * 40_000);
    }

    #[test]
    fn the_floor_is_three_silences_of_a_slow_line() {
        let slow = Serial { baud: 300, ..Serial::default() };
        let mut rtt = Rtt::new(Some(slow), SECOND, 20_000);
        (0..100).for_each(|_| rtt.answered(0, 0));
        assert_eq!(rtt.timeout_us(1_000), 1_000 + 3 * slow.frame_gap_us());
        let mut rtt = Rtt::new(Some(Serial::default()), SECOND, 20_000);
        (0..100).for_each(|_| rtt.answered(0, 0));
        assert_eq!(rtt.timeout_us(1_000), 51_000);
    }

    #[test]
    fn a_timeout_doubles_until_an_answer_beyond_doubt() {
        let mut rtt = tcp();
        (0..100).for_each(|_| rtt.answered(0, 60_000));
        let settled = rtt.timeout_us(0);
        assert_eq!(settled, 80_000);
        rtt.timed_out();
        rtt.timed_out();
        assert_eq!(rtt.timeout_us(0), 4 * settled);
        rtt.answered(0, 1_000);
        assert_eq!(rtt.timeout_us(0), 4 * settled, "may be the answer to the question before");
        assert_eq!(rtt.latency_us(), Some(60_000));
        rtt.answered(0, 60_000);
        assert_eq!(rtt.timeout_us(0), settled);
        (0..100).for_each(|_| rtt.timed_out());
        assert_eq!(rtt.timeout_us(0), SECOND);
    }

    #[test]
    fn tells_once_that_the_latency_has_doubled_or_halved() {
        let mut rtt = Rtt::new(Some(Serial::default()), SECOND, 20_000);
        let mut told: Vec<u64> = Vec::new();
        for latency_us in [21_000, 70_000, 60_000, 1_000, 900] {
            for _ in 0..200 {
                rtt.answered(5_000, 5_000 + latency_us);
                told.extend(rtt.moved());
            }
        }
        // Up once on the way to 70 ms, and down step by step; 60 ms is no other than 70 ms.
        assert!(told.len() >= 3, "{told:?}");
        let moved = |pair: &[u64]| pair[0].max(pair[1]) >= 2 * pair[0].min(pair[1]);
        assert!(told.windows(2).all(moved), "{told:?}");
        assert_eq!(told.iter().filter(|told| **told > 40_000).count(), 1, "{told:?}");
        assert!(told.last().is_some_and(|last| *last < 2_000), "{told:?}");
    }

    #[test]
    fn a_local_network_that_flutters_is_one_latency() {
        let mut rtt = tcp();
        let mut told = Vec::new();
        for turn in 0_u64..10_000 {
            rtt.answered(0, [0, 1_000, 4_000, 9_000][usize::try_from(turn / 100 % 4).unwrap()]);
            told.extend(rtt.moved());
        }
        assert_eq!(told.len(), 1, "from the 20 ms it was planned with: {told:?}");
        assert!(told[0] >= LEAST_SERIAL_US, "no request is for nothing");
        (0..100).for_each(|_| rtt.answered(0, 50_000));
        assert_eq!(rtt.moved(), Some(rtt.latency_us().unwrap()));
    }

    #[test]
    fn one_late_answer_is_no_other_latency() {
        let mut rtt = tcp();
        for turn in 0..1_000 {
            rtt.answered(0, if turn % 50 == 49 { 200_000 } else { 20_000 });
            assert_eq!(rtt.moved(), None);
        }
    }

    proptest! {
        #[test]
        fn stays_between_floor_and_ceiling(
            ceiling: u64,
            events in proptest::collection::vec(proptest::option::of((any::<u64>(), any::<u64>())), 0..200),
            wire: u64,
            baud in 300_u32..200_000,
            planned: u64,
        ) {
            let serial = Serial { baud, ..Serial::default() };
            let mut rtt = Rtt::new(Some(serial), ceiling, planned);
            for event in events {
                match event {
                    Some((wire_us, elapsed_us)) => rtt.answered(wire_us, elapsed_us),
                    None => rtt.timed_out(),
                }
                let timeout = rtt.timeout_us(wire);
                let floor = FLOOR_US.max(3 * serial.frame_gap_us());
                prop_assert!(timeout <= wire.saturating_add(ceiling));
                prop_assert!(timeout >= wire.saturating_add(floor.min(ceiling)));
                rtt.moved();
            }
        }

        /// Whatever went before, after a hundred answers within a band no timeout hits the band, and
        /// none is longer than the band asks for.
        #[test]
        fn converges_and_recovers(
            history in proptest::collection::vec(proptest::option::of(0_u64..900_000), 0..50),
            base in 0_u64..200_000,
            jitter in proptest::collection::vec(0_u64..10_000, 150),
        ) {
            let mut rtt = tcp();
            for event in history {
                match event {
                    Some(elapsed_us) => rtt.answered(0, elapsed_us),
                    None => rtt.timed_out(),
                }
            }
            for (turn, extra) in jitter.into_iter().enumerate() {
                if turn >= 100 {
                    prop_assert!(base + extra < rtt.timeout_us(0));
                    prop_assert!(rtt.timeout_us(0) <= (base + 10_000 + 4 * 10_000).max(FLOOR_US));
                    let latency = rtt.latency_us().unwrap();
                    prop_assert!((base.saturating_sub(8)..=base + 10_000).contains(&latency));
                }
                rtt.answered(0, base + extra);
            }
        }

        /// A device that has become slower than its timeout is heard again after a few doublings.
        #[test]
        fn a_device_that_has_become_slow_is_waited_for(fast in 1_000_u64..50_000, slow in 60_000_u64..900_000) {
            let mut rtt = tcp();
            (0..100).for_each(|_| rtt.answered(0, fast));
            let mut timeouts = 0;
            for _ in 0..50 {
                if slow < rtt.timeout_us(0) {
                    rtt.answered(0, slow);
                } else {
                    timeouts += 1;
                    rtt.timed_out();
                }
            }
            prop_assert!(timeouts <= 5, "{}", timeouts);
        }
    }
}
