//! One device on the agenda: its rates, its cycle, its credit, and whether it answers. Pure.

use super::tick::{Rate, Tick, Wall};
use super::{End, RATES_MAX, Settled, Turn, phase_of, rate_bit, stable_hash};
use crate::clock::Mono;
use crate::net::Backoff;
use std::time::Duration;

/// Cycles in a row without any answer after which a device is demoted ...
pub const FAILED_CYCLES_MAX: u32 = 2;
/// ... unless it gave a sign of life so short a time ago, in milliseconds.
pub const SILENCE_MIN_MS: u64 = 3_000;
/// First pause before a demoted device is probed.
pub const PROBE_MIN: Duration = Duration::from_millis(500);
/// Longest pause between two probes of a device.
pub const PROBE_MAX: Duration = Duration::from_mins(1);
/// Longest time a device stands back: as long as one that does not answer at all.
const STAND_BACK_MAX_MS: u64 = 300_000;
/// What a device wants of the bus.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// From when on.
    pub at: Mono,
    /// Until when it should be done.
    deadline: Mono,
    pub turn: Turn,
    /// It had more than its share.
    pub stands_back_until: Mono,
    /// What its last request cost.
    pub request_ms: u64,
    /// If nothing else goes before then, it will not be late.
    pub room: Mono,
}

impl Claim {
    pub fn of_probe(device: usize, at: Mono, deadline: Mono) -> Claim {
        let (stands_back_until, room) = (Mono(0), Mono(u64::MAX));
        Claim { at, deadline, turn: Turn::Probe { device }, stands_back_until, request_ms: 0, room }
    }

    /// Least first: the earliest deadline, and what has begun before what has not, so that the
    /// values of a cycle lie close together.
    pub fn rank(&self) -> (Mono, bool) {
        (self.deadline, !matches!(self.turn, Turn::Go { .. }))
    }
}

/// Requests of a device that belong together and are being read.
#[derive(Clone, Copy, Debug)]
struct Cycle {
    mask: u64,
    deadline: Mono,
    interval_ms: u64,
    /// What it may yet cost before its device stands back.
    left_ms: u64,
    /// What it may cost in all before its device stands back even after it.
    fair_ms: u64,
    charged_ms: u64,
    /// Until when its device stood back when it began.
    stood_back_until: Mono,
    skipped: u64,
}

#[derive(Clone, Debug)]
pub struct Slot {
    id: Box<str>,
    ticks: Vec<Tick>,
    /// When the next cycle starts, and the shortest interval in it.
    start: Mono,
    interval_ms: u64,
    cycle: Option<Cycle>,
    rests_until: Mono,
    stands_back_until: Mono,
    request_ms: u64,
    failed_cycles: u32,
    alive_at: Mono,
    /// Rates whose last tick went by without a connection.
    missed: u64,
    /// When to probe it; a device that has this is demoted.
    probe_at: Option<Mono>,
    probe_ms: u64,
    backoff: Backoff,
}

impl Slot {
    /// A device without rates.
    pub fn new(id: &str, probe_ms: u64, seed: u64, now: Mono) -> Slot {
        Slot {
            id: id.into(),
            ticks: Vec::new(),
            start: Mono(u64::MAX),
            interval_ms: 0,
            cycle: None,
            rests_until: now,
            stands_back_until: now,
            request_ms: 0,
            failed_cycles: 0,
            alive_at: now,
            missed: 0,
            probe_at: None,
            probe_ms,
            backoff: Backoff::new(PROBE_MIN, PROBE_MAX, seed ^ stable_hash(id)),
        }
    }

    pub fn is(&self, id: &str) -> bool {
        *self.id == *id
    }

    /// When it next has something to read or to say, but for a cycle under way.
    pub fn start(&self) -> Mono {
        self.start
    }

    pub fn probe_at(&self) -> Option<Mono> {
        self.probe_at
    }

    pub fn probe_ms(&self) -> u64 {
        self.probe_ms
    }

    pub fn set_probe_cost(&mut self, probe_ms: u64) {
        self.probe_ms = probe_ms;
    }

    /// Other rates; nothing happens if they are the same.
    pub fn retime(&mut self, rates: &[Rate], now: Mono) {
        let rates = merged(rates);
        if rates.iter().eq(self.ticks.iter().map(Tick::rate).collect::<Vec<_>>().iter()) {
            return;
        }
        self.give_up_cycle(now);
        let hash = phase_of(&self.id);
        let mut missed = 0;
        let mut tick = |(index, rate): (usize, &Rate)| {
            let known = self.ticks.iter().enumerate().find(|(_, tick)| tick.rate() == *rate);
            let Some((before, tick)) = known else { return Tick::new(*rate, hash, now) };
            if self.missed & rate_bit(before) != 0 {
                missed |= rate_bit(index);
            }
            *tick
        };
        self.ticks = rates.iter().enumerate().map(&mut tick).collect();
        self.missed = missed;
        self.find_start();
    }

    pub fn follow(&mut self, wall: Wall) {
        for tick in &mut self.ticks {
            tick.follow(wall);
        }
        self.find_start();
    }

    pub fn claim(&self, device: usize, now: Mono) -> Claim {
        let (stands_back_until, request_ms) = (self.stands_back_until, self.request_ms);
        let demoted = self.probe_at.is_some();
        let (at, deadline, interval_ms, turn) = match self.cycle {
            Some(cycle) => {
                // What waits for its end lends it its urgency.
                let deadline = self.deadline(now).map_or(cycle.deadline, |next| next.min(cycle.deadline));
                (self.rests_until, deadline, cycle.interval_ms, Turn::Go { device })
            }
            None if demoted => (self.start, self.start, 0, Turn::State { device, mask: self.due_mask(now) }),
            None => {
                let at = self.start.max(self.rests_until);
                let (mask, deadline) = (self.due_mask(now), self.deadline(now).unwrap_or(at));
                (at, deadline, self.interval_ms, Turn::Begin { device, mask })
            }
        };
        // Half of its interval is left for its own requests and those of others.
        let heeded = !demoted && stands_back_until <= now;
        let room = if heeded { at.plus_ms(interval_ms / 2) } else { Mono(u64::MAX) };
        Claim { at, deadline, turn, stands_back_until, request_ms, room }
    }

    /// The rates whose tick has come.
    pub fn due_mask(&self, now: Mono) -> u64 {
        let due = self.ticks.iter().enumerate().filter(|(_, tick)| tick.due() <= now);
        due.fold(0, |mask, (index, _)| mask | rate_bit(index))
    }

    /// When a cycle of what is due should be done: before one of its rates has its next tick.
    fn deadline(&self, now: Mono) -> Option<Mono> {
        self.ticks.iter().filter(|tick| tick.due() <= now).map(Tick::deadline).min()
    }

    pub fn begin(&mut self, mask: u64, planned_ms: u64, devices: u64, now: Mono, wall: Wall) {
        let ticks = || self.ticks.iter().enumerate().filter(|(index, _)| mask & rate_bit(*index) != 0);
        let deadline = ticks().map(|(_, tick)| tick.deadline()).min().unwrap_or(now);
        let interval_ms = ticks().map(|(_, tick)| tick.interval_ms()).min().unwrap_or(1);
        let share_ms = interval_ms / devices;
        let fair_ms = planned_ms.saturating_mul(2).max(share_ms);
        // What takes longer than its interval cannot keep it, and must not keep others from theirs.
        let left_ms = fair_ms.min(interval_ms);
        let skipped = self.attend(mask, now, wall);
        let stood_back_until = self.stands_back_until;
        self.cycle = Some(Cycle {
            mask,
            deadline,
            interval_ms,
            left_ms,
            fair_ms,
            charged_ms: 0,
            stood_back_until,
            skipped,
        });
    }

    pub fn charge(&mut self, cost_ms: u64, devices: u64, now: Mono) {
        self.request_ms = cost_ms;
        let Some(cycle) = &mut self.cycle else { return };
        cycle.charged_ms = cycle.charged_ms.saturating_add(cost_ms);
        let beyond_ms = cost_ms.saturating_sub(cycle.left_ms);
        cycle.left_ms = cycle.left_ms.saturating_sub(cost_ms);
        if beyond_ms > 0 {
            let until = self.stands_back_until.max(now).plus_ms(beyond_ms.saturating_mul(devices));
            self.stands_back_until = until.min(now.plus_ms(STAND_BACK_MAX_MS));
        }
    }

    pub fn rest(&mut self, until: Mono) {
        self.rests_until = self.rests_until.max(until);
    }

    pub fn end(&mut self, end: End, devices: u64, now: Mono) -> Settled {
        let Some(cycle) = self.cycle.take() else { return Settled::default() };
        // What was planned is no fault of the device, even if its rates could not be kept.
        let owed_ms = cycle.charged_ms.saturating_sub(cycle.fair_ms);
        let until = cycle.stood_back_until.max(now).plus_ms(owed_ms.saturating_mul(devices));
        self.stands_back_until = self.stands_back_until.min(until);
        let left_out = masked(&mut self.ticks, cycle.mask).map(|tick| tick.leave_out(now)).max();
        self.find_start();
        match end {
            End::Answered => (self.failed_cycles, self.alive_at) = (0, now),
            End::Mute => self.failed_cycles = self.failed_cycles.saturating_add(1),
            End::Unasked => self.missed |= cycle.mask,
        }
        let silent = now.since_ms(self.alive_at) >= SILENCE_MIN_MS;
        let demoted = end == End::Mute && silent && self.failed_cycles >= FAILED_CYCLES_MAX;
        if demoted {
            self.backoff.reset();
            self.probe_later(now);
        }
        Settled { skipped: cycle.skipped.saturating_add(left_out.unwrap_or(0)), demoted }
    }

    /// The ticks of these rates are attended to; gives those left out before them.
    pub fn attend(&mut self, mask: u64, now: Mono, wall: Wall) -> u64 {
        let skipped = masked(&mut self.ticks, mask).map(|tick| tick.attend(now, wall)).max();
        self.find_start();
        skipped.unwrap_or(0)
    }

    pub fn miss(&mut self, mask: u64, now: Mono, wall: Wall) -> u64 {
        self.missed |= mask;
        self.attend(mask, now, wall)
    }

    pub fn probed(&mut self, alive: bool, now: Mono) {
        if self.probe_at.is_none() {
            return;
        }
        if !alive {
            self.probe_later(now);
            return;
        }
        self.probe_at = None;
        (self.failed_cycles, self.alive_at, self.stands_back_until) = (0, now, now);
        self.at_once(u64::MAX, now);
    }

    pub fn connected(&mut self, now: Mono) {
        self.give_up_cycle(now);
        let missed = std::mem::take(&mut self.missed);
        self.at_once(missed, now);
        self.rests_until = now;
        if self.probe_at.is_some() {
            self.backoff.reset();
            self.probe_at = Some(now);
        }
    }

    fn give_up_cycle(&mut self, now: Mono) {
        if let Some(cycle) = self.cycle.take() {
            self.at_once(cycle.mask, now);
        }
    }

    fn at_once(&mut self, mask: u64, now: Mono) {
        masked(&mut self.ticks, mask).for_each(|tick| tick.at_once(now));
        self.find_start();
    }

    fn probe_later(&mut self, now: Mono) {
        let pause = u64::try_from(self.backoff.next_delay().as_millis()).unwrap_or(u64::MAX);
        self.probe_at = Some(now.plus_ms(pause));
    }

    /// A cycle waits for what is due with it within the patience of each of its rates, so that
    /// they share requests; nothing is read before its time.
    fn find_start(&mut self) {
        let patience = self.ticks.iter().map(|tick| tick.due().plus_ms(tick.patience_ms())).min();
        let until = patience.unwrap_or(Mono(0));
        let together = || self.ticks.iter().filter(|tick| tick.due() <= until);
        self.start = together().map(Tick::due).max().unwrap_or(Mono(u64::MAX));
        self.interval_ms = together().map(Tick::interval_ms).min().unwrap_or(1);
    }
}

fn masked(ticks: &mut [Tick], mask: u64) -> impl Iterator<Item = &mut Tick> {
    ticks.iter_mut().enumerate().filter(move |(index, _)| mask & rate_bit(*index) != 0).map(|(_, tick)| tick)
}

/// The rates as they are read: those a mask has no bit for as one ([`rate_bit`]).
fn merged(rates: &[Rate]) -> Vec<Rate> {
    let mut merged: Vec<Rate> = rates.iter().copied().take(RATES_MAX).collect();
    if let (Some(last), Some(more)) = (merged.last_mut(), rates.get(RATES_MAX..)) {
        for rate in more {
            last.interval_ms = last.interval_ms.min(rate.interval_ms);
            last.aligned |= rate.aligned;
        }
    }
    merged
}
