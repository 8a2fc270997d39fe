//! Whose turn it is on a bus: intervals, and what becomes of a device that does not answer. Pure.
//!
//! **Invariant:** a missed tick is skipped, never made up for in a burst; probes of demoted
//! devices together take at most a twentieth of the bus.

use crate::clock::{Mono, Now};
use crate::net::Backoff;
use std::collections::VecDeque;
use std::time::Duration;

/// Cycles in a row without any answer after which a device is demoted.
pub const FAILED_CYCLES_MAX: u32 = 2;
/// First pause before a demoted device is probed.
pub const PROBE_MIN: Duration = Duration::from_millis(500);
/// Longest pause between two probes of a device.
pub const PROBE_MAX: Duration = Duration::from_mins(5);
/// Probes of all demoted devices together take at most one part in so many of any minute.
const PROBE_SHARE: u64 = 20;
/// The minute.
const PROBE_WINDOW_MS: u64 = 60_000;

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Read the device.
    Read(usize),
    /// It is demoted: say again that it does not answer, without touching the bus.
    State(usize),
    /// It is demoted: ask it one cheap question.
    Probe(usize),
}

/// What a cycle came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Ticks that passed meanwhile and are left out.
    pub skipped: u64,
    /// The device has just been demoted.
    pub demoted: bool,
}

/// The devices of one bus in time.
#[derive(Clone, Debug)]
pub struct Schedule {
    slots: Vec<Slot>,
    budget: ProbeBudget,
}

#[derive(Clone, Debug)]
struct Slot {
    interval_ms: u64,
    /// A moment of the device's own grid.
    origin: Mono,
    due: Mono,
    failed_cycles: u32,
    /// Its last tick went by without a connection.
    missed: bool,
    /// When to probe it; a device that has this is demoted.
    probe_at: Option<Mono>,
    backoff: Backoff,
}

impl Schedule {
    /// Devices by id and interval (not 0, in milliseconds). Each is read once at once; after that
    /// on the wall-clock multiples of its interval, shifted by a phase made of its id: the same
    /// after every start, different for each device. A probe takes at most `timeout_ms`; `seed`
    /// decides the jitter of probes.
    pub fn new<'a>(
        devices: impl IntoIterator<Item = (&'a str, u64)>,
        timeout_ms: u64,
        now: Now,
        seed: u64,
    ) -> Schedule {
        let slots = devices.into_iter().map(|(id, interval_ms)| {
            let hash = stable_hash(id);
            Slot {
                interval_ms,
                origin: first_tick(now, interval_ms, hash),
                due: now.mono,
                failed_cycles: 0,
                missed: false,
                probe_at: None,
                backoff: Backoff::new(PROBE_MIN, PROBE_MAX, seed ^ hash),
            }
        });
        Schedule { slots: slots.collect(), budget: ProbeBudget::new(timeout_ms, now.mono) }
    }

    /// The next turn and when it is; the earliest due first. None without devices.
    pub fn next(&self) -> Option<(Mono, Turn)> {
        let turns = self.slots.iter().enumerate().flat_map(|(index, slot)| {
            let tick = if slot.probe_at.is_some() { Turn::State(index) } else { Turn::Read(index) };
            let probe = slot.probe_at.map(|at| (at.max(self.budget.free_at), Turn::Probe(index)));
            [Some((slot.due, tick)), probe]
        });
        turns.flatten().min_by_key(|(at, _)| *at)
    }

    /// The next device that has to say something while there is no connection.
    pub fn next_tick(&self) -> Option<(Mono, usize)> {
        self.slots.iter().enumerate().map(|(index, slot)| (slot.due, index)).min()
    }

    /// A device has been read; `alive` if it answered anything at all.
    pub fn read(&mut self, index: usize, alive: bool, now: Mono) -> Settled {
        let Some(slot) = self.slots.get_mut(index) else { return Settled::default() };
        let skipped = slot.move_on(now);
        slot.failed_cycles = if alive { 0 } else { slot.failed_cycles + 1 };
        let demoted = slot.failed_cycles >= FAILED_CYCLES_MAX;
        if demoted {
            slot.backoff.reset();
            slot.probe_later(now);
        }
        Settled { skipped, demoted }
    }

    /// A demoted device's tick went by without touching the bus; gives the ticks left out.
    pub fn stated(&mut self, index: usize, now: Mono) -> u64 {
        self.slots.get_mut(index).map_or(0, |slot| slot.move_on(now))
    }

    /// A device's tick went by without a connection; gives the ticks left out.
    pub fn missed(&mut self, index: usize, now: Mono) -> u64 {
        let Some(slot) = self.slots.get_mut(index) else { return 0 };
        slot.missed = true;
        slot.move_on(now)
    }

    /// A demoted device has been probed. One that answered is read next.
    pub fn probed(&mut self, index: usize, alive: bool, started: Mono, now: Mono) {
        self.budget.spend(now.since_ms(started), now);
        let Some(slot) = self.slots.get_mut(index) else { return };
        if alive {
            slot.probe_at = None;
            slot.failed_cycles = 0;
            slot.due = now;
        } else {
            slot.probe_later(now);
        }
    }

    /// There is a new connection: what missed a tick is read at once, and what was mute behind the
    /// old connection may answer, so it is asked soon.
    pub fn connected(&mut self, now: Mono) {
        for slot in &mut self.slots {
            if std::mem::take(&mut slot.missed) {
                slot.due = now;
            }
            if slot.probe_at.is_some() {
                slot.backoff.reset();
                slot.probe_at = Some(now);
            }
        }
    }
}

impl Slot {
    /// Sets the next tick on the grid after `now` and counts those already passed.
    fn move_on(&mut self, now: Mono) -> u64 {
        let passed_since = |moment: Mono| match moment.0.checked_sub(self.origin.0) {
            Some(ms) => ms / self.interval_ms + 1,
            None => 0,
        };
        let ticks = passed_since(now);
        let skipped = ticks.saturating_sub(passed_since(self.due));
        self.due = self.origin.plus_ms(ticks.saturating_mul(self.interval_ms));
        skipped
    }

    fn probe_later(&mut self, now: Mono) {
        let pause = u64::try_from(self.backoff.next_delay().as_millis()).unwrap_or(u64::MAX);
        self.probe_at = Some(now.plus_ms(pause));
    }
}

/// Keeps probes to their share of the bus, spread over it.
#[derive(Clone, Debug)]
struct ProbeBudget {
    /// Most that the next probe can cost.
    timeout_ms: u64,
    /// End and cost of the probes of the last minute.
    spent: VecDeque<(Mono, u64)>,
    /// When the next probe may start.
    free_at: Mono,
}

impl ProbeBudget {
    fn new(timeout_ms: u64, now: Mono) -> ProbeBudget {
        ProbeBudget { timeout_ms, spent: VecDeque::new(), free_at: now }
    }

    /// A probe that took `cost_ms` has just ended. The next one starts when the minute before its
    /// end has room for it; a timeout longer than the share of a minute has it to itself.
    fn spend(&mut self, cost_ms: u64, now: Mono) {
        self.spent.retain(|(ended, _)| ended.plus_ms(PROBE_WINDOW_MS) > now);
        self.spent.push_back((now, cost_ms));
        let share_ms = PROBE_WINDOW_MS / PROBE_SHARE;
        let mut in_window: u64 = self.spent.iter().map(|(_, cost_ms)| cost_ms).sum();
        self.free_at = now.plus_ms(cost_ms.saturating_mul(PROBE_SHARE - 1));
        for (ended, cost_ms) in &self.spent {
            if in_window + self.timeout_ms <= share_ms {
                break;
            }
            in_window -= cost_ms;
            self.free_at = self.free_at.max(ended.plus_ms(PROBE_WINDOW_MS));
        }
    }
}

/// The first moment from now on at which UTC is a multiple of the interval plus the phase.
fn first_tick(now: Now, interval_ms: u64, hash: u64) -> Mono {
    let phase = hash % interval_ms;
    let utc = i128::from(now.utc.0);
    let ahead = (i128::from(phase) - utc).rem_euclid(i128::from(interval_ms));
    now.mono.plus_ms(u64::try_from(ahead).unwrap_or(0))
}

/// FNV-1a, 64 bit: the standard library's hash may change from release to release.
pub fn stable_hash(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::point::UtcMs;
    use proptest::prelude::*;

    fn now(utc: i64, mono: u64) -> Now {
        Now { utc: UtcMs(utc), mono: Mono(mono) }
    }

    #[test]
    fn reads_at_once_and_then_on_its_own_grid_of_the_wall_clock() {
        let start = now(1_763_700_000_123, 7);
        let mut schedule = Schedule::new([("meter", 10_000)], 1_000, start, 1);
        assert_eq!(schedule.next(), Some((Mono(7), Turn::Read(0))));
        schedule.read(0, true, Mono(9));
        let (first, _) = schedule.next().unwrap();
        let utc = start.utc.0 + i64::try_from(first.0 - 7).unwrap();
        assert_eq!(u64::try_from(utc).unwrap() % 10_000, stable_hash("meter") % 10_000);
        schedule.read(0, true, first.plus_ms(30));
        assert_eq!(schedule.next(), Some((first.plus_ms(10_000), Turn::Read(0))));
    }

    #[test]
    fn the_phase_is_the_same_for_ever() {
        // The published test vector of FNV-1a; a change would move every schedule in the field.
        assert_eq!(stable_hash("foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn a_stall_skips_ticks_and_never_bursts() {
        let mut schedule = Schedule::new([("a", 1_000)], 1_000, now(0, 0), 1);
        schedule.read(0, true, Mono(0));
        let (first, _) = schedule.next().unwrap();
        let settled = schedule.read(0, true, first.plus_ms(5_300));
        assert_eq!(settled, Settled { skipped: 5, demoted: false });
        assert_eq!(schedule.next(), Some((first.plus_ms(6_000), Turn::Read(0))));
    }

    #[test]
    fn two_mute_cycles_demote_and_one_answer_promotes() {
        let mut schedule = Schedule::new([("a", 1_000)], 1_000, now(0, 0), 1);
        assert!(!schedule.read(0, false, Mono(100)).demoted);
        assert!(!schedule.read(0, true, Mono(1_100)).demoted, "an answer between starts the count anew");
        assert!(!schedule.read(0, false, Mono(2_100)).demoted);
        assert!(schedule.read(0, false, Mono(3_100)).demoted);

        // From now on its ticks only state the failure, and probes come in between.
        let mut probes = 0;
        let mut at = Mono(3_100);
        while probes < 3 {
            let (due, turn) = schedule.next().unwrap();
            at = at.max(due);
            match turn {
                Turn::State(0) => assert_eq!(schedule.stated(0, at), 0),
                Turn::Probe(0) => {
                    probes += 1;
                    schedule.probed(0, probes == 3, at, at.plus_ms(50));
                    at = at.plus_ms(50);
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(schedule.next(), Some((at, Turn::Read(0))));
    }

    #[test]
    fn a_new_connection_asks_demoted_devices_again_soon() {
        let mut schedule = Schedule::new([("a", 600_000)], 1_000, now(0, 0), 1);
        schedule.read(0, false, Mono(0));
        schedule.read(0, false, Mono(1));
        for at in (2..14).map(Mono) {
            schedule.probed(0, false, at, at);
        }
        assert_ne!(schedule.next(), Some((Mono(1_000), Turn::Probe(0))));
        schedule.connected(Mono(1_000));
        assert_eq!(schedule.next(), Some((Mono(1_000), Turn::Probe(0))));
    }

    #[test]
    fn a_tick_missed_without_a_connection_is_made_up_for_once() {
        let mut schedule = Schedule::new([("a", 900_000), ("b", 900_000)], 1_000, now(0, 0), 1);
        schedule.read(0, true, Mono(0));
        schedule.missed(1, Mono(0));
        schedule.connected(Mono(70));
        assert_eq!(schedule.next(), Some((Mono(70), Turn::Read(1))));
        schedule.read(1, true, Mono(80));
        schedule.connected(Mono(90));
        assert!(schedule.next().is_some_and(|(at, _)| at > Mono(90)));
    }

    proptest! {
        /// Whatever the mix of mute units, from demotion on they take a twentieth of any minute.
        #[test]
        fn mute_devices_cost_a_twentieth(mute in 1_usize..12, timeout_ms in 10_u64..3_000, seed: u64) {
            let ids: Vec<String> = (0..mute).map(|index| format!("unit-{index}")).collect();
            let devices = ids.iter().map(|id| (id.as_str(), 1_000));
            let mut schedule = Schedule::new(devices, timeout_ms, now(0, 0), seed);
            for index in 0..mute {
                schedule.read(index, false, Mono(0));
                schedule.read(index, false, Mono(0));
            }
            let (mut at, mut spent) = (Mono(0), Vec::new());
            while at < Mono(600_000) {
                let (due, turn) = schedule.next().unwrap();
                at = at.max(due);
                match turn {
                    Turn::Probe(index) => {
                        let started = at;
                        at = at.plus_ms(timeout_ms);
                        spent.push((started, at));
                        schedule.probed(index, false, started, at);
                    }
                    Turn::State(index) => { schedule.stated(index, at); }
                    Turn::Read(index) => prop_assert!(false, "{} is demoted", index),
                }
            }
            for (from, _) in &spent {
                let until = from.plus_ms(60_000);
                let cost: u64 = spent.iter()
                    .filter(|(start, _)| start >= from && *start < until)
                    .map(|(start, end)| end.0.min(until.0) - start.0)
                    .sum();
                prop_assert!(cost <= 3_000, "{cost} ms of the minute from {from:?} on");
            }
        }
    }
}
