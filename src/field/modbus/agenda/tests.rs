//! The agenda against a bus that does what it is told, and one that does not.

use super::slot::{FAILED_CYCLES_MAX, SILENCE_MIN_MS};
use super::*;
use crate::point::UtcMs;
use proptest::prelude::*;
use std::collections::BTreeMap;

const NOON: i64 = 1_763_726_400_000;
const MINUTE: u64 = 60_000;
const QUARTER: u64 = 900_000;

fn rate(interval_ms: u64) -> Rate {
    Rate { interval_ms, aligned: false }
}

fn aligned(interval_ms: u64) -> Rate {
    Rate { interval_ms, aligned: true }
}

/// A device and what its requests really cost.
#[derive(Clone, Debug)]
struct Unit {
    id: String,
    rates: Vec<Rate>,
    /// Requests of each rate.
    requests: Vec<u64>,
    planned_ms: u64,
    /// Real costs, one after the other, over and over.
    costs: Vec<u64>,
    alive: bool,
}

impl Unit {
    fn new(id: &str, rates: &[Rate], requests: u64, cost_ms: u64) -> Unit {
        let (id, rates) = (id.to_owned(), rates.to_vec());
        let requests = vec![requests; rates.len()];
        Unit { id, rates, requests, planned_ms: cost_ms, costs: vec![cost_ms], alive: true }
    }

    fn times(&self) -> DeviceTimes<'_> {
        DeviceTimes { id: &self.id, rates: &self.rates }
    }

    fn requests(&self, mask: u64) -> u64 {
        let due = self.requests.iter().enumerate().filter(|(index, _)| mask & rate_bit(*index) != 0);
        due.map(|(_, requests)| requests).sum()
    }
}

/// What was done, and when.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Done {
    /// From when its start was set, until its last answer.
    Cycle {
        device: usize,
        mask: u64,
        start: u64,
        begun: u64,
        ended: u64,
        skipped: u64,
    },
    Request {
        device: usize,
        from: u64,
        to: u64,
    },
    Probe {
        from: u64,
        to: u64,
    },
    State {
        at: u64,
        mask: u64,
    },
}

/// A bus on which time passes only as requests take it.
#[derive(Clone)]
struct Rig {
    agenda: Agenda,
    units: Vec<Unit>,
    /// The cycle of each device: mask, start, begun, requests left, skipped.
    open: BTreeMap<usize, (u64, u64, u64, u64)>,
    asked: usize,
    mono: u64,
    wall: i64,
    log: Vec<Done>,
}

impl Rig {
    fn new(units: Vec<Unit>) -> Rig {
        let start = Now { utc: UtcMs(NOON + 1_234), mono: Mono(77) };
        let agenda = Agenda::new(units.iter().map(Unit::times), 1_000, start, 5);
        let (mono, wall) = (start.mono.0, start.utc.0 - 77);
        Rig { agenda, units, open: BTreeMap::new(), asked: 0, mono, wall, log: Vec::new() }
    }

    fn now(&self) -> Now {
        Now { utc: UtcMs(self.wall + i64::try_from(self.mono).unwrap()), mono: Mono(self.mono) }
    }

    fn utc(&self, mono: u64) -> u64 {
        u64::try_from(self.wall + i64::try_from(mono).unwrap()).unwrap()
    }

    fn run(&mut self, ms: u64) {
        let until = self.mono + ms;
        while self.mono < until {
            match self.agenda.next(self.now()) {
                Next::Never => self.mono = until,
                Next::Wait(at) => {
                    assert!(at.0 > self.mono && at.0 <= self.mono + 1_000, "waits until {at:?}");
                    self.mono = at.0.min(until);
                }
                Next::Take(turn) => self.take(turn),
            }
        }
    }

    fn take(&mut self, turn: Turn) {
        match turn {
            Turn::Begin { device, mask } => {
                assert_ne!(mask, 0);
                let start = self.agenda.slots[device].start().0;
                let requests = self.units[device].requests(mask);
                let planned_ms = self.units[device].planned_ms * requests;
                self.agenda.began(device, mask, planned_ms, Mono(self.mono));
                let before = self.open.insert(device, (mask, start, self.mono, requests));
                assert_eq!(before, None, "a cycle within a cycle");
                if requests == 0 {
                    self.end(device);
                }
            }
            Turn::Go { device } => {
                let cost_ms = self.units[device].costs[self.asked % self.units[device].costs.len()];
                self.asked += 1;
                let from = self.mono;
                self.mono += cost_ms;
                self.log.push(Done::Request { device, from, to: self.mono });
                self.agenda.charged(device, cost_ms, Mono(self.mono));
                let open = self.open.get_mut(&device).unwrap();
                open.3 -= 1;
                if open.3 == 0 {
                    self.end(device);
                }
            }
            Turn::State { device, mask } => {
                self.log.push(Done::State { at: self.mono, mask });
                self.agenda.stated(device, mask, Mono(self.mono));
            }
            Turn::Probe { device } => {
                let from = self.mono;
                self.mono += self.agenda.slots[device].probe_ms();
                self.log.push(Done::Probe { from, to: self.mono });
                self.agenda.probed(device, self.units[device].alive, Mono(from), Mono(self.mono));
            }
        }
    }

    fn end(&mut self, device: usize) {
        let (mask, start, begun, _) = self.open.remove(&device).unwrap();
        let end = if self.units[device].alive { End::Answered } else { End::Mute };
        let Settled { skipped, .. } = self.agenda.ended(device, end, Mono(self.mono));
        self.log.push(Done::Cycle { device, mask, start, begun, ended: self.mono, skipped });
    }

    /// Start, begin, end and mask of the cycles of a device.
    fn cycles(&self, wanted: usize) -> Vec<(u64, u64, u64, u64)> {
        let cycle = |done: &Done| match *done {
            Done::Cycle { device, mask, start, begun, ended, .. } if device == wanted => {
                Some((start, begun, ended, mask))
            }
            _ => None,
        };
        self.log.iter().filter_map(cycle).collect()
    }

    fn skipped(&self, after: u64) -> Vec<Done> {
        let late = |done: &&Done| matches!(done, Done::Cycle { begun, skipped: 1.., .. } if *begun > after);
        self.log.iter().filter(late).copied().collect()
    }
}

// === Time ===

#[test]
fn the_phase_is_the_same_for_ever() {
    // The published test vector of FNV-1a; a change would move every schedule in the field.
    assert_eq!(stable_hash("foobar"), 0x8594_4171_f739_67e8);
}

#[test]
fn reads_all_at_once_and_then_each_rate_on_its_grid_of_the_wall_clock() {
    let mut rig = Rig::new(vec![Unit::new("meter", &[rate(1_000), rate(10_000), aligned(QUARTER)], 1, 7)]);
    rig.run(2 * QUARTER);
    let cycles = rig.cycles(0);
    assert_eq!(cycles[0], (77, 77, 77 + 21, 0b111));
    let hash = phase_of("meter");
    let (mut fast, mut slow, mut quarters) = (0, 0, 0);
    for (_, begun, _, mask) in &cycles[1..] {
        let utc = rig.utc(*begun);
        if mask & 0b100 != 0 {
            assert_eq!(utc % QUARTER, 0, "a demand value is read on the quarter hour");
            quarters += 1;
        } else {
            assert!(utc % 1_000 >= hash % 1_000 && utc % 1_000 <= hash % 1_000 + 7);
        }
        fast += mask & 1;
        slow += mask >> 1 & 1;
        assert!(mask & 0b010 == 0 || mask & 0b001 != 0, "nested intervals share their requests");
    }
    assert_eq!((quarters, slow, fast), (2, 180, 1_800));
}

#[test]
fn an_aligned_rate_is_never_read_early_and_a_neighbour_waits_for_it() {
    // Its phase at one second is 50 ms before the full second: just within its patience.
    let id =
        (0..100_000).map(|number| format!("unit-{number}")).find(|id| phase_of(id) % 1_000 == 950).unwrap();
    let mut rig = Rig::new(vec![Unit::new(&id, &[rate(1_000), aligned(MINUTE)], 1, 3)]);
    rig.run(5 * MINUTE);
    let minutes: Vec<_> = rig.cycles(0)[1..].iter().filter(|cycle| cycle.3 & 0b10 != 0).copied().collect();
    assert_eq!(minutes.len(), 5);
    for (_, begun, _, mask) in minutes {
        assert_eq!((rig.utc(begun) % MINUTE, mask), (0, 0b11));
    }
    assert_eq!(rig.skipped(0), []);
}

#[test]
fn a_wall_clock_that_drifts_is_followed() {
    let mut rig = Rig::new(vec![Unit::new("meter", &[aligned(QUARTER)], 0, 0)]);
    rig.run(1);
    rig.log.clear();
    // Half a second in each quarter of an hour, first fast, then slow.
    let mut quarters = 0;
    for step in 0..36_000 {
        rig.run(100);
        for (_, begun, _, _) in rig.cycles(0) {
            let late = rig.utc(begun) % QUARTER;
            assert!(late <= 1, "{late} ms after the quarter hour");
            quarters += 1;
        }
        rig.log.clear();
        rig.wall += i64::from(step % 18 == 0) * if step < 18_000 { 1 } else { -1 };
    }
    assert_eq!(quarters, 4);
}

#[test]
fn a_reading_of_both_clocks_that_wavers_is_no_drift() {
    let mut rig = Rig::new(vec![Unit::new("meter", &[aligned(1_000)], 0, 0)]);
    rig.run(1);
    rig.log.clear();
    let mut wavering = 0;
    while rig.mono < 20_000 {
        let now = rig.now();
        wavering ^= 1;
        match rig.agenda.next(Now { utc: now.utc.plus_ms(wavering), ..now }) {
            Next::Wait(_) => rig.mono += 1,
            Next::Take(turn) => rig.take(turn),
            Next::Never => unreachable!(),
        }
    }
    let seconds = rig.cycles(0);
    assert_eq!(seconds.len(), 20);
    assert!(seconds.iter().all(|(_, begun, _, _)| rig.utc(*begun).is_multiple_of(1_000)));
}

#[test]
fn a_stall_skips_ticks_and_never_bursts() {
    let mut rig = Rig::new(vec![Unit::new("a", &[rate(1_000)], 1, 1)]);
    rig.run(3_000);
    let next = rig.agenda.slots[0].start();
    rig.mono = next.0 + 5_300;
    rig.log.clear();
    rig.run(1);
    assert!(matches!(rig.log[..], [_, Done::Cycle { skipped: 5, .. }]), "{:?}", rig.log);
    assert_eq!(rig.agenda.slots[0].start(), next.plus_ms(6_000));
}

#[test]
fn a_tick_just_gone_by_when_its_cycle_ends_is_kept_and_an_older_one_left_out() {
    for (cost_ms, skipped, next) in
        [(1_000, 0, 1_000), (1_050, 0, 1_000), (1_051, 1, 2_000), (2_051, 2, 3_000)]
    {
        let mut rig = Rig::new(vec![Unit::new("a", &[rate(1_000)], 1, 1)]);
        rig.run(3_000);
        let tick = rig.agenda.slots[0].start();
        rig.mono = tick.0;
        rig.agenda.next(rig.now());
        rig.agenda.began(0, 1, 1, tick);
        rig.agenda.charged(0, cost_ms, tick.plus_ms(cost_ms));
        let settled = rig.agenda.ended(0, End::Answered, tick.plus_ms(cost_ms));
        assert_eq!(
            (settled.skipped, rig.agenda.slots[0].start()),
            (skipped, tick.plus_ms(next)),
            "{cost_ms}"
        );
    }
}

#[test]
fn rates_beyond_the_bits_of_a_mask_are_read_as_one() {
    let rates: Vec<Rate> = (1..=70).map(|seconds| rate(seconds * 1_000)).collect();
    let reversed: Vec<Rate> = rates.iter().rev().copied().collect();
    let mut rig = Rig::new(vec![Unit::new("a", &rates, 0, 0), Unit::new("b", &reversed, 0, 0)]);
    rig.run(1);
    assert_eq!(rig.cycles(0)[0].3, u64::MAX);
    rig.run(10 * MINUTE);
    let last = |device| rig.cycles(device).iter().filter(|cycle| cycle.3 >> 63 != 0).count();
    assert_eq!((last(0), last(1)), (1 + 600 / 64, 1 + 600), "as often as the fastest of them");
}

// === Demotion ===

#[test]
fn two_mute_cycles_and_three_silent_seconds_demote_and_one_answer_promotes() {
    let mut rig = Rig::new(vec![Unit::new("a", &[rate(1_000), rate(10_000)], 1, 100)]);
    rig.run(20_000);
    rig.units[0].alive = false;
    let (silent_from, seen) = (rig.cycles(0).last().unwrap().2, rig.cycles(0).len());
    rig.run(8_000);
    let mute = rig.cycles(0).split_off(seen);
    let last = mute.last().unwrap();
    assert!(mute.len() >= FAILED_CYCLES_MAX as usize);
    assert!((SILENCE_MIN_MS..SILENCE_MIN_MS + 1_000).contains(&(last.2 - silent_from)), "{last:?}");
    let states = |rig: &Rig| rig.log.iter().filter(|done| matches!(done, Done::State { .. })).count();
    let probes = |rig: &Rig| rig.log.iter().filter(|done| matches!(done, Done::Probe { .. })).count();
    rig.run(12_000);
    assert!(states(&rig) >= 12 && probes(&rig) >= 1, "{} {}", states(&rig), probes(&rig));
    assert!(rig.log.iter().any(|done| matches!(done, Done::State { mask: 0b11, .. })));

    rig.units[0].alive = true;
    let before = rig.log.len();
    rig.run(10 * MINUTE);
    let promoted = rig.log[before..].iter().position(|done| matches!(done, Done::Probe { .. })).unwrap();
    let Done::Probe { to, .. } = rig.log[before + promoted] else { unreachable!() };
    let first = rig.cycles(0).into_iter().find(|cycle| cycle.1 >= to).unwrap();
    assert_eq!((first.1, first.3), (to, 0b11), "everything is read at once");
    assert!(rig.log[before..][promoted + 1..].iter().all(|done| !matches!(done, Done::Probe { .. })));
}

#[test]
fn one_answer_between_starts_the_count_anew() {
    let mut rig = Rig::new(vec![Unit::new("a", &[rate(10_000)], 1, 100)]);
    for mute in [true, false, true, false, true] {
        rig.units[0].alive = !mute;
        rig.run(10_000);
        assert_eq!(rig.agenda.slots[0].probe_at(), None);
    }
    rig.run(10_000);
    assert_ne!(rig.agenda.slots[0].probe_at(), None);
}

/// A device that has just been demoted, and a moment.
fn demoted(interval_ms: u64) -> Rig {
    let mut rig = Rig::new(vec![Unit::new("a", &[rate(interval_ms)], 1, 10)]);
    rig.units[0].alive = false;
    rig.run(3 * interval_ms + SILENCE_MIN_MS);
    assert_ne!(rig.agenda.slots[0].probe_at(), None);
    rig
}

#[test]
fn a_new_connection_asks_demoted_devices_again_soon() {
    let mut rig = demoted(600_000);
    // Long after one probe, so that there is room for another, and well before the next.
    let ahead_ms = |rig: &Rig| rig.agenda.slots[0].probe_at().unwrap().since_ms(Mono(rig.mono));
    while ahead_ms(&rig) <= 25_000 {
        rig.run(1_000);
    }
    rig.run(ahead_ms(&rig) - 2_000);
    rig.agenda.connected(Mono(rig.mono));
    assert_eq!(rig.agenda.next(rig.now()), Next::Take(Turn::Probe { device: 0 }));
}

#[test]
fn a_tick_missed_without_a_connection_is_made_up_for_once() {
    let units =
        [Unit::new("a", &[rate(1_000)], 1, 1), Unit::new("b", &[rate(QUARTER), aligned(QUARTER)], 1, 1)];
    let mut rig = Rig::new(units.to_vec());
    rig.run(1);
    let mut said = [0; 2];
    while rig.mono < QUARTER {
        match rig.agenda.next_unconnected(rig.now()) {
            Next::Wait(at) => rig.mono = at.0,
            Next::Take(Turn::State { device, mask }) => {
                said[device] += 1;
                assert_eq!(rig.agenda.missed(device, mask, Mono(rig.mono)), 0);
            }
            other => panic!("{other:?}"),
        }
    }
    assert!((899..=901).contains(&said[0]) && (1..=3).contains(&said[1]), "{said:?}");
    rig.agenda.connected(Mono(rig.mono));
    rig.log.clear();
    rig.run(3);
    assert_eq!((rig.cycles(0).len(), rig.cycles(1).len()), (1, 1), "{:?}", rig.log);
    rig.agenda.connected(Mono(rig.mono));
    rig.run(3);
    assert_eq!(rig.cycles(1).len(), 1);
}

#[test]
fn a_cycle_the_connection_broke_before_is_no_fault_of_the_device() {
    let mut agenda = Rig::new(vec![Unit::new("a", &[rate(QUARTER)], 1, 1)]).agenda;
    for at in (1..10).map(|second| Mono(second * 10_000)) {
        agenda.began(0, 1, 10, at);
        assert_eq!(agenda.ended(0, End::Unasked, at), Settled::default());
        agenda.connected(at);
        assert_eq!(agenda.slots[0].start(), at);
    }
}

#[test]
fn a_cycle_nobody_ended_does_not_outlive_its_connection() {
    let mut agenda = Rig::new(vec![Unit::new("a", &[rate(QUARTER)], 1, 1)]).agenda;
    agenda.began(0, 1, 10, Mono(100));
    agenda.connected(Mono(5_000));
    let now = Now { utc: UtcMs(NOON), mono: Mono(5_000) };
    assert_eq!(agenda.next(now), Next::Take(Turn::Begin { device: 0, mask: 1 }));
}

#[test]
fn the_bus_goes_on_while_a_device_rests() {
    let mut rig =
        Rig::new(vec![Unit::new("a", &[rate(60_000)], 2, 10), Unit::new("b", &[rate(60_000)], 1, 10)]);
    let mut go = || match rig.agenda.next(rig.now()) {
        Next::Take(turn) => {
            rig.take(turn);
            if turn == (Turn::Go { device: 0 }) {
                rig.agenda.rests(0, Mono(rig.mono + 400));
            }
            (rig.mono, turn)
        }
        Next::Wait(at) => {
            rig.mono = at.0;
            (rig.mono, Turn::State { device: 9, mask: 0 })
        }
        Next::Never => unreachable!(),
    };
    let turns: Vec<_> = std::iter::repeat_with(&mut go).take(6).collect();
    let asked: Vec<_> = turns
        .iter()
        .filter_map(|(at, turn)| matches!(turn, Turn::Go { .. }).then_some((*at, *turn)))
        .collect();
    assert_eq!(
        asked,
        [(87, Turn::Go { device: 0 }), (97, Turn::Go { device: 1 }), (497, Turn::Go { device: 0 })]
    );
}

#[test]
fn nobody_is_asked_on_an_empty_bus() {
    let mut rig = Rig::new(vec![]);
    assert_eq!(rig.agenda.next(rig.now()), Next::Never);
    assert_eq!(rig.agenda.next_unconnected(rig.now()), Next::Never);
    let mut rig = Rig::new(vec![Unit::new("a", &[], 0, 0)]);
    rig.run(5_000);
    assert_eq!(rig.log, []);
}

// === Fairness ===

/// Ten light devices, and one whose requests cost what they like.
fn with_greedy(costs: Vec<u64>, requests: u64) -> Rig {
    let mut units: Vec<Unit> =
        (1..=10).map(|number| Unit::new(&format!("unit-{number}"), &[rate(1_000)], 2, 10)).collect();
    let greedy = Unit::new("greedy", &[rate(1_000)], requests, 20);
    units.insert(4, Unit { costs, ..greedy });
    Rig::new(units)
}

#[test]
fn a_device_that_takes_a_second_for_each_answer_costs_the_others_hardly_a_tick() {
    let mut rig = with_greedy(vec![1_000], 3);
    rig.run(10 * MINUTE);
    let asked = rig.log.iter().filter(|done| matches!(done, Done::Request { device: 4, .. })).count();
    // Its share is an eleventh of the bus.
    assert!((45..=60).contains(&asked), "{asked}");
    for other in (0..11).filter(|device| *device != 4) {
        let cycles = rig.cycles(other).len();
        assert!(cycles >= 594, "{other}: {cycles} of 600");
    }
}

#[test]
fn a_slow_device_costs_nobody_a_tick_where_there_is_room() {
    let mut rig = with_greedy(vec![200], 2);
    rig.run(10 * MINUTE);
    assert_eq!(rig.skipped(2_000), []);
    assert!(rig.cycles(4).len() >= 550, "{}", rig.cycles(4).len());
}

#[test]
fn a_greedy_device_gets_its_share_of_a_bus_that_is_more_than_full() {
    let mut units: Vec<Unit> =
        (1..=9).map(|number| Unit::new(&format!("unit-{number}"), &[rate(1_000)], 10, 15)).collect();
    units.push(Unit { costs: vec![300], ..Unit::new("greedy", &[rate(1_000)], 5, 10) });
    let mut rig = Rig::new(units);
    rig.run(30 * MINUTE);
    let spent = |wanted| -> u64 {
        let cost = |done: &Done| match *done {
            Done::Request { device, from, to } if device == wanted => to - from,
            _ => 0,
        };
        rig.log.iter().map(cost).sum()
    };
    let share = 30 * MINUTE / 10;
    assert!((share * 8 / 10..=share * 11 / 10).contains(&spent(9)), "{} of {share}", spent(9));
    let (least, most) = ((0..9).map(spent).min().unwrap(), (0..9).map(spent).max().unwrap());
    assert!(least * 10 >= most * 8, "{least} {most}");
}

#[test]
fn what_is_planned_puts_nobody_back() {
    // Once a minute it reads for two seconds; otherwise it is as quick as any.
    let mut units: Vec<Unit> =
        (1..=10).map(|number| Unit::new(&format!("unit-{number}"), &[rate(1_000)], 1, 20)).collect();
    units.push(Unit { requests: vec![1, 100], ..Unit::new("big", &[rate(1_000), rate(MINUTE)], 1, 20) });
    let mut rig = Rig::new(units);
    rig.run(10 * MINUTE);
    let cycles = rig.cycles(10).len();
    assert!(cycles >= 600 - 11 * 4, "{cycles}");
    for other in 0..10 {
        assert!(rig.cycles(other).len() >= 600 - 11 * 2, "{}", rig.cycles(other).len());
    }
}

/// Two devices, everything due, and when the first stands back until.
fn two(first: &[Rate], second: &[Rate]) -> (Agenda, Now, impl Fn(&Agenda) -> u64 + use<>) {
    let rig = Rig::new(vec![Unit::new("a", first, 1, 1), Unit::new("b", second, 1, 1)]);
    let now = rig.now();
    (rig.agenda, now, move |agenda: &Agenda| agenda.slots[0].claim(0, now.mono).stands_back_until.0)
}

#[test]
fn a_tick_that_waits_for_a_cycle_of_its_own_device_hurries_it() {
    let (mut agenda, now, _) = two(&[rate(1_000), rate(60_000)], &[rate(2_000)]);
    agenda.began(0, 0b10, 100, now.mono);
    assert_eq!(agenda.next(now), Next::Take(Turn::Go { device: 0 }));
}

#[test]
fn a_cycle_longer_than_its_interval_yields_as_planned_and_owes_nothing_after() {
    let (mut agenda, now, stands_back_until) = two(&[rate(1_000)], &[rate(2_000)]);
    agenda.began(0, 1, 5_000, now.mono);
    agenda.charged(0, 1_000, now.mono);
    assert_eq!(agenda.next(now), Next::Take(Turn::Go { device: 0 }));
    agenda.charged(0, 1, now.mono);
    assert_eq!(agenda.next(now), Next::Take(Turn::Begin { device: 1, mask: 1 }));
    agenda.charged(0, 8_999, now.mono);
    assert_eq!(stands_back_until(&agenda), now.mono.0 + 2 * 9_000);
    agenda.ended(0, End::Answered, now.mono);
    assert!(stands_back_until(&agenda) <= now.mono.0);
}

#[test]
fn what_is_owed_is_not_forgiven_for_one_good_cycle() {
    let (mut agenda, now, stands_back_until) = two(&[rate(1_000)], &[rate(2_000)]);
    agenda.began(0, 1, 10, now.mono);
    agenda.charged(0, 1_500, now.mono);
    agenda.ended(0, End::Answered, now.mono);
    // Half a second was its share, and for each millisecond beyond, each of the two gets one.
    assert_eq!(stands_back_until(&agenda), now.mono.0 + 2 * 1_000);
    agenda.began(0, 1, 10, now.mono);
    agenda.charged(0, 10, now.mono);
    agenda.ended(0, End::Answered, now.mono);
    assert_eq!(stands_back_until(&agenda), now.mono.0 + 2 * 1_000);
}

#[test]
fn other_rates_on_a_device_give_up_its_cycle_and_read_only_what_is_new() {
    let mut rig = Rig::new(vec![Unit::new("a", &[rate(10_000), rate(QUARTER)], 1, 10)]);
    rig.run(20_000);
    let tick = rig.agenda.slots[0].start();
    let now = rig.now();
    let rates = [rate(QUARTER), rate(5_000), rate(10_000)];
    rig.agenda.update([DeviceTimes { id: "a", rates: &rates }], now);
    assert_eq!(rig.agenda.next(now), Next::Take(Turn::Begin { device: 0, mask: 0b010 }));
    rig.agenda.began(0, 0b010, 10, now.mono);
    rig.agenda.ended(0, End::Answered, now.mono);
    rig.agenda.update([DeviceTimes { id: "a", rates: &[rate(10_000)] }], now);
    assert_eq!(rig.agenda.slots[0].start(), tick);
    rig.agenda.began(0, 1, 10, now.mono);
    rig.agenda.update([DeviceTimes { id: "a", rates: &[rate(10_000), rate(QUARTER)] }], now);
    assert_eq!(rig.agenda.next(now), Next::Take(Turn::Begin { device: 0, mask: 0b11 }));
}

fn a_rate() -> impl Strategy<Value = Rate> {
    let interval = prop_oneof![Just(500), Just(1_000), Just(2_000), Just(5_000), Just(10_000), Just(60_000)];
    (interval, any::<bool>()).prop_map(|(interval_ms, aligned)| Rate { interval_ms, aligned })
}

fn units(most: usize) -> impl Strategy<Value = Vec<Unit>> {
    let unit = (proptest::collection::vec((a_rate(), 0_u64..5), 1..4), 1_u64..25);
    proptest::collection::vec(unit, 1..=most).prop_map(|units| {
        let unit = |(number, (rates, cost_ms)): (usize, (Vec<(Rate, u64)>, u64))| {
            let (rates, requests): (Vec<Rate>, Vec<u64>) = rates.into_iter().unzip();
            Unit { requests, ..Unit::new(&format!("unit-{number}"), &rates, 1, cost_ms) }
        };
        units.into_iter().enumerate().map(unit).collect()
    })
}

/// The part of the bus a device takes if all its rates are always due together.
fn density(unit: &Unit) -> f64 {
    let shortest = unit.rates.iter().map(|rate| rate.interval_ms).min().unwrap();
    let cost: u64 = unit.requests.iter().sum::<u64>() * unit.planned_ms;
    f64::from(u32::try_from(cost).unwrap()) / f64::from(u32::try_from(shortest).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// A device that costs nothing is read when a look at every millisecond says so.
    #[test]
    fn reads_when_every_tick_of_every_rate_comes(
        rates in proptest::collection::vec((1_u64..8_000, any::<bool>()), 1..6),
        number in 0_u32..1_000,
    ) {
        let rates: Vec<Rate> =
            rates.into_iter().map(|(interval_ms, aligned)| Rate { interval_ms, aligned }).collect();
        let id = format!("unit-{number}");
        let mut rig = Rig::new(vec![Unit::new(&id, &rates, 0, 0)]);
        rig.run(20_000);
        let cycles = rig.cycles(0);
        for (index, rate) in rates.iter().enumerate() {
            let phase = if rate.aligned { 0 } else { phase_of(&id) % rate.interval_ms };
            let ticks = (78..20_000).filter(|at| rig.utc(*at) % rate.interval_ms == phase);
            let patience = (rate.interval_ms / 20).min(50);
            let mut read = cycles[1..].iter().filter(|cycle| cycle.3 & rate_bit(index) != 0);
            for tick in ticks {
                let begun = read.next().unwrap().1;
                prop_assert!((tick..=tick + patience).contains(&begun), "{rate:?}: {tick} {begun}");
            }
            prop_assert!(read.next().is_none_or(|cycle| cycle.1 >= 20_000));
        }
    }

    /// What fits on the bus is read in time, all of it, always. The longest request may be just
    /// under way (Baker, Stack-Based Scheduling of Realtime Processes, 1991).
    #[test]
    fn no_deadline_is_missed_where_the_load_fits(units in units(25)) {
        let blocked = 25.0 / 500.0;
        let mut load = 0.0;
        let fits = |unit: &Unit| {
            let with = load + density(unit);
            let fits = with + blocked <= 1.0;
            load = if fits { with } else { load };
            fits
        };
        let units: Vec<Unit> = units.into_iter().filter(fits).collect();
        let mut rig = Rig::new(units);
        rig.run(2 * MINUTE);
        prop_assert_eq!(rig.skipped(5_000), []);
    }

    /// A request of one that takes what it likes is at most once in the way of another's cycle.
    #[test]
    fn nobody_waits_for_more_than_one_request_of_a_greedy_device(
        costs in proptest::collection::vec(300_u64..1_500, 1..20),
        requests in 1_u64..6,
    ) {
        let mut rig = with_greedy(costs, requests);
        rig.run(5 * MINUTE);
        let greedy: Vec<(u64, u64)> = rig.log.iter().filter_map(|done| match *done {
            Done::Request { device: 4, from, to } => Some((from, to)),
            _ => None,
        }).collect();
        prop_assert!(!greedy.is_empty());
        for other in (0..11).filter(|device| *device != 4) {
            for (start, _, ended, _) in rig.cycles(other) {
                let met = greedy.iter().filter(|(from, to)| *from < ended && *to > start).count();
                prop_assert!(met <= 1, "{} requests between {start} and {ended}", met);
            }
        }
    }

    /// However long the bus was away, each rate is read once and then at its next tick.
    #[test]
    fn no_stall_is_made_up_for(units in units(8), stall in 0_u64..10_000_000) {
        let mut rig = Rig::new(units.into_iter().map(|unit| Unit { requests: vec![0; 4], ..unit }).collect());
        rig.run(3_000);
        rig.mono += stall;
        rig.log.clear();
        rig.run(1_000);
        for device in 0..rig.units.len() {
            for (index, rate) in rig.units[device].rates.clone().iter().enumerate() {
                let read = rig.cycles(device).iter().filter(|cycle| cycle.3 & rate_bit(index) != 0).count();
                let most = 2 + 1_000 / usize::try_from(rate.interval_ms).unwrap();
                prop_assert!(read <= most, "{rate:?}: {read}");
            }
        }
    }

    /// Wherever the wall clock is put: neither a burst nor a hole.
    #[test]
    fn a_clock_that_jumps_neither_bursts_nor_stalls(
        jumps in proptest::collection::vec((1_u64..40_000, -86_400_000_i64..86_400_000), 1..20),
        interval_ms in 2_u64..20_000,
        aligned: bool,
    ) {
        let mut rig = Rig::new(vec![Unit::new("a", &[Rate { interval_ms, aligned }], 0, 0)]);
        for (pause, jump) in jumps {
            rig.run(pause);
            rig.wall += jump;
        }
        let cycles = rig.cycles(0);
        for pair in cycles.windows(2).skip(1) {
            let gap = pair[1].0 - pair[0].0;
            prop_assert!((interval_ms / 2..=interval_ms * 3 / 2 + 1).contains(&gap), "ticks {gap} ms apart");
        }
        for (start, begun, _, _) in &cycles {
            // A tick the clock has jumped over is read at once.
            prop_assert!(begun - start < interval_ms, "{} ms late", begun - start);
        }
        prop_assert!(rig.mono - cycles.last().unwrap().1 <= interval_ms * 3 / 2 + 1_000);
    }

    /// A reload touches no tick of a device that stays as it was, wherever it stands in the list.
    #[test]
    fn a_reload_leaves_alone_what_it_does_not_change(
        units in units(12), keep in proptest::collection::vec(any::<bool>(), 12), ran in 1_u64..100_000,
    ) {
        let mut rig = Rig::new(units);
        rig.run(ran);
        let before = rig.clone();
        let kept: Vec<usize> = (0..rig.units.len()).rev().filter(|index| keep[*index]).collect();
        let fresh = Unit::new("fresh", &[rate(1_000)], 0, 0);
        let list = std::iter::once(&fresh).chain(kept.iter().map(|index| &rig.units[*index]));
        let now = rig.now();
        rig.agenda.update(list.map(Unit::times), now);
        prop_assert_eq!(rig.agenda.slots[0].start(), now.mono);
        for (new, old) in kept.iter().enumerate() {
            let (new, old) = (&rig.agenda.slots[new + 1], &before.agenda.slots[*old]);
            prop_assert_eq!(format!("{new:?}"), format!("{old:?}"));
        }
    }

    /// Whatever the mix of mute units, from demotion on they take a twentieth of any minute.
    #[test]
    fn mute_devices_cost_a_twentieth(
        probe_ms in proptest::collection::vec(0_u64..3_000, 1..12), ran in 1_u64..30_000,
    ) {
        let units = probe_ms.iter().enumerate().map(|(number, _)| Unit {
            alive: false,
            ..Unit::new(&format!("unit-{number}"), &[rate(1_000)], 1, 1)
        });
        let mut rig = Rig::new(units.collect());
        for (device, cost_ms) in probe_ms.iter().enumerate() {
            rig.agenda.set_probe_cost(device, *cost_ms);
        }
        rig.run(ran);
        rig.agenda.connected(Mono(rig.mono));
        rig.open.clear();
        rig.run(10 * MINUTE);
        let probes: Vec<(u64, u64)> = rig.log.iter().filter_map(|done| match *done {
            Done::Probe { from, to } => Some((from, to)),
            _ => None,
        }).collect();
        prop_assert!(probes.len() > 5);
        for (from, _) in &probes {
            let until = from + MINUTE;
            let within = probes.iter().filter(|(start, _)| start >= from && *start < until);
            let cost: u64 = within.map(|(start, end)| end.min(&until) - start).sum();
            prop_assert!(cost <= MINUTE / 20, "{} ms of the minute from {} on", cost, from);
        }
    }

    /// No order of calls and no moment is too odd.
    #[test]
    fn survives_any_calls(
        calls in proptest::collection::vec((0_u8..11, 0_usize..4, any::<u64>(), any::<u64>()), 0..200),
        intervals in proptest::collection::vec(any::<u64>(), 3),
    ) {
        let rates: Vec<Rate> = intervals.into_iter().map(rate).collect();
        let times = |ids: &[&'static str]| ids.iter().map(|id| DeviceTimes { id, rates: &rates }).collect::<Vec<_>>();
        let start = Now { utc: UtcMs(i64::MIN), mono: Mono(0) };
        let mut agenda = Agenda::new(times(&["a", "b", "c"]), 1_000, start, 1);
        for (call, device, x, y) in calls {
            let now = Now { utc: UtcMs(y.cast_signed()), mono: Mono(x) };
            match call {
                0 => { agenda.next(now); }
                1 => { agenda.next_unconnected(now); }
                2 => agenda.began(device, y, y, now.mono),
                3 => agenda.charged(device, y, now.mono),
                4 => agenda.rests(device, Mono(y)),
                5 => { agenda.ended(device, [End::Answered, End::Mute, End::Unasked][device % 3], now.mono); }
                6 => { agenda.stated(device, y, now.mono); }
                7 => { agenda.missed(device, y, now.mono); }
                8 => agenda.probed(device, y % 2 == 0, Mono(y), now.mono),
                9 => agenda.connected(now.mono),
                _ => agenda.update(times(if y % 2 == 0 { &["c", "d"] } else { &["a", "b", "c", "c"] }), now),
            }
        }
    }
}
