//! Whose request is next on a bus: rates, deadlines, and what becomes of a device that is slow or
//! does not answer. Pure.
//!
//! A device's rates that are due together are one *cycle*: a few requests, which go on the wire
//! one by one, those of the cycle with the earliest deadline first (Liu and Layland, Scheduling
//! Algorithms for Multiprogramming in a Hard-Real-Time Environment, 1973). A cycle may cost twice
//! what was planned for it, or its fair share of its interval if that is more. Each millisecond
//! beyond that, and while it runs each beyond its interval, its device stands back for as many
//! milliseconds as the bus has devices: until then it goes only while nobody else waits or would
//! soon have to, and after that once before it stands back again. Whatever a device does, it has
//! no more than its fair share of a bus that is in demand, and never less (the bandwidth server of
//! Abeni and Buttazzo, Integrating Multimedia Applications in Hard Real-Time Systems, 1998).
//!
//! **Invariant:** a missed tick is skipped and counted, never made up for in a burst; no cycle of
//! a device begins before its last one ended; probes of demoted devices together take at most a
//! twentieth of the bus.
//!
//! Reading order: `tick` (when a rate is due), `probes` (their share of the bus), `slot` (one
//! device), and here the choice among them.

mod tick;
mod probes;
mod slot;
#[cfg(test)]
mod tests;

pub use tick::Rate;

use crate::clock::{Mono, Now};
use probes::Probes;
use slot::{Claim, Slot};
use tick::Wall;

/// Most rates a device has: the bits of a mask.
pub const RATES_MAX: usize = 64;

/// The bit of a rate in a mask, by its place in the device's list. Rates from the 64th on are
/// read as one, as often as the fastest of them, and aligned if one of them is.
pub fn rate_bit(rate: usize) -> u64 {
    1 << rate.min(RATES_MAX - 1)
}

/// The wall clock may be put forward or back while a bus sleeps: it looks again after this long.
const LOOK_AGAIN_MS: u64 = 1_000;
/// How long a probe that may go lets cycles with earlier deadlines go before it.
const PROBE_PATIENCE_MS: u64 = 1_000;

/// A device as the agenda knows it.
#[derive(Clone, Copy, Debug)]
pub struct DeviceTimes<'a> {
    /// Its id; makes its phase, and is how it is known again.
    pub id: &'a str,
    /// Its rates; a mask counts them in this order ([`rate_bit`]).
    pub rates: &'a [Rate],
}

/// What is to be done now. Devices are indices into the list the agenda was given last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Begin a cycle: read these rates.
    Begin {
        /// The device.
        device: usize,
        /// Its rates that are due, one bit each.
        mask: u64,
    },
    /// Send the next request of the cycle under way.
    Go {
        /// The device.
        device: usize,
    },
    /// It cannot be asked: say so again for these rates, without touching the bus.
    State {
        /// The device.
        device: usize,
        /// Its rates that are due, one bit each.
        mask: u64,
    },
    /// It is demoted: ask it one cheap question.
    Probe {
        /// The device.
        device: usize,
    },
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// This, now.
    Take(Turn),
    /// Nothing before this moment; then ask again. It is never far ahead, for the wall clock may
    /// be put elsewhere meanwhile.
    Wait(Mono),
    /// Nothing ever: there is no device.
    Never,
}

/// How a cycle ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The device answered something, if only an exception.
    Answered,
    /// It was asked and gave no sign of life.
    Mute,
    /// The connection broke before any of the cycle's requests went out: says nothing about the
    /// device, and is a tick missed without a connection.
    Unasked,
}

/// What a cycle came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Ticks left out before and during it, of the rate that lost most.
    pub skipped: u64,
    /// The device has just been demoted.
    pub demoted: bool,
}

/// The devices of one bus in time.
#[derive(Clone, Debug)]
pub struct Agenda {
    slots: Vec<Slot>,
    probes: Probes,
    wall: Wall,
    seed: u64,
    probe_ms: u64,
}

impl Agenda {
    /// Everything is read once at once; after that each rate on the wall-clock multiples of its
    /// interval, shifted by a phase made of the device's id unless it is aligned: the same after
    /// every start, different for each device, and such that nested intervals of a device
    /// coincide. A probe takes at most `probe_ms`; `seed` decides the jitter of probes.
    pub fn new<'a>(
        devices: impl IntoIterator<Item = DeviceTimes<'a>>,
        probe_ms: u64,
        now: Now,
        seed: u64,
    ) -> Agenda {
        let probes = Probes::new(now.mono);
        let mut agenda = Agenda { slots: Vec::new(), probes, wall: Wall::of(now), seed, probe_ms };
        agenda.update(devices, now);
        agenda
    }

    /// Other devices, or other rates. A device is known again by its id and keeps what is known
    /// of it; a rate it had before keeps its ticks, a new one is read at once. Indices are those
    /// of the new list. A cycle under way whose device has other rates now is given up, and what
    /// it was to read is due at once; one whose device is gone is forgotten.
    pub fn update<'a>(&mut self, devices: impl IntoIterator<Item = DeviceTimes<'a>>, now: Now) {
        self.follow(now);
        let mut before: Vec<Option<Slot>> = std::mem::take(&mut self.slots).into_iter().map(Some).collect();
        let slot = |device: DeviceTimes<'a>| {
            let same = |slot: &&mut Option<Slot>| slot.as_ref().is_some_and(|slot| slot.is(device.id));
            let known = before.iter_mut().find(same).and_then(Option::take);
            let mut slot = known.unwrap_or_else(|| Slot::new(device.id, self.probe_ms, self.seed, now.mono));
            slot.retime(device.rates, now.mono);
            slot
        };
        self.slots = devices.into_iter().map(slot).collect();
    }

    /// What a probe of this device costs at most, once it has earned a shorter timeout.
    pub fn set_probe_cost(&mut self, device: usize, probe_ms: u64) {
        if let Some(slot) = self.slots.get_mut(device) {
            slot.set_probe_cost(probe_ms);
        }
    }

    /// What comes next while there is a connection.
    pub fn next(&mut self, now: Now) -> Next {
        self.follow(now);
        if self.slots.is_empty() {
            return Next::Never;
        }
        let mut choice = Choice::new(now.mono);
        for (device, slot) in self.slots.iter().enumerate() {
            let claim = slot.claim(device, now.mono);
            if let (Turn::State { .. }, true) = (claim.turn, claim.at <= now.mono) {
                return Next::Take(claim.turn);
            }
            choice.weigh(claim);
        }
        if let Some(claim) = self.probe() {
            choice.weigh(claim);
        }
        choice.made()
    }

    /// What comes next while there is none: each device says so at its own ticks. A turn is
    /// [`Turn::State`], to be answered with [`Agenda::missed`].
    pub fn next_unconnected(&mut self, now: Now) -> Next {
        self.follow(now);
        let first = self.slots.iter().enumerate().min_by_key(|(_, slot)| slot.start());
        let Some((device, slot)) = first else { return Next::Never };
        if slot.start() > now.mono {
            return Next::Wait(slot.start().min(now.mono.plus_ms(LOOK_AGAIN_MS)));
        }
        Next::Take(Turn::State { device, mask: slot.due_mask(now.mono) })
    }

    /// A cycle has begun; its requests are expected to take `planned_ms` of the bus.
    pub fn began(&mut self, device: usize, mask: u64, planned_ms: u64, now: Mono) {
        let (devices, wall) = (self.devices(), self.wall);
        if let Some(slot) = self.slots.get_mut(device) {
            slot.begin(mask, planned_ms, devices, now, wall);
        }
    }

    /// A request of the cycle under way has taken `cost_ms` of the bus, a timeout all of it.
    pub fn charged(&mut self, device: usize, cost_ms: u64, now: Mono) {
        let devices = self.devices();
        if let Some(slot) = self.slots.get_mut(device) {
            slot.charge(cost_ms, devices, now);
        }
    }

    /// The device wants no further request before `until`: it asked for a pause or is busy.
    /// Others go meanwhile.
    pub fn rests(&mut self, device: usize, until: Mono) {
        if let Some(slot) = self.slots.get_mut(device) {
            slot.rest(until);
        }
    }

    /// The cycle under way is over.
    pub fn ended(&mut self, device: usize, end: End, now: Mono) -> Settled {
        let devices = self.devices();
        self.slots.get_mut(device).map_or_else(Settled::default, |slot| slot.end(end, devices, now))
    }

    /// A demoted device's tick went by without touching the bus; gives the ticks left out.
    pub fn stated(&mut self, device: usize, mask: u64, now: Mono) -> u64 {
        let wall = self.wall;
        self.slots.get_mut(device).map_or(0, |slot| slot.attend(mask, now, wall))
    }

    /// A device's tick went by without a connection; gives the ticks left out.
    pub fn missed(&mut self, device: usize, mask: u64, now: Mono) -> u64 {
        let wall = self.wall;
        self.slots.get_mut(device).map_or(0, |slot| slot.miss(mask, now, wall))
    }

    /// A demoted device has been probed. All of one that answered is read next.
    pub fn probed(&mut self, device: usize, alive: bool, started: Mono, now: Mono) {
        self.probes.spend(now.since_ms(started), now);
        if let Some(slot) = self.slots.get_mut(device) {
            slot.probed(alive, now);
        }
    }

    /// There is a new connection: what missed a tick is read at once, and what was mute behind the
    /// old connection may answer, so it is asked soon. A cycle begun on the old one is given up.
    pub fn connected(&mut self, now: Mono) {
        for slot in &mut self.slots {
            slot.connected(now);
        }
    }

    /// The probe that waits longest. One at a time: a cheap one does not overtake, or a dear one
    /// would never find room.
    fn probe(&self) -> Option<Claim> {
        let probes = self.slots.iter().enumerate();
        let probes = probes.filter_map(|(device, slot)| Some((slot.probe_at()?, device, slot.probe_ms())));
        let (at, device, probe_ms) = probes.min()?;
        let at = at.max(self.probes.free_at(probe_ms));
        Some(Claim::of_probe(device, at, at.plus_ms(PROBE_PATIENCE_MS)))
    }

    /// Sets the ticks anew if the wall clock has moved against the monotonic one.
    fn follow(&mut self, now: Now) {
        let wall = Wall::of(now);
        if wall.has_moved(self.wall) {
            self.wall = wall;
            for slot in &mut self.slots {
                slot.follow(wall);
            }
        }
    }

    fn devices(&self) -> u64 {
        u64::try_from(self.slots.len()).unwrap_or(u64::MAX).max(1)
    }
}

/// The best of the claims seen so far.
struct Choice {
    now: Mono,
    /// Of those that wait and do not stand back.
    best: Option<Claim>,
    /// Of those that wait and stand back.
    behind: Option<Claim>,
    /// When there may be another claim.
    wake: Mono,
    /// Until when the bus can be busy without making late who comes next.
    room: Mono,
}

impl Choice {
    fn new(now: Mono) -> Choice {
        Choice { now, best: None, behind: None, wake: now.plus_ms(LOOK_AGAIN_MS), room: Mono(u64::MAX) }
    }

    fn weigh(&mut self, claim: Claim) {
        if claim.at > self.now {
            self.wake = self.wake.min(claim.at);
            self.room = self.room.min(claim.room);
            return;
        }
        let stands_back = claim.stands_back_until > self.now;
        if stands_back {
            self.wake = self.wake.min(claim.stands_back_until);
        }
        let held = if stands_back { &mut self.behind } else { &mut self.best };
        if held.is_none_or(|held| claim.rank() < held.rank()) {
            *held = Some(claim);
        }
    }

    /// Who stands back goes if nobody else waits, and if a request like its last one leaves
    /// whoever comes next half of its interval.
    fn made(self) -> Next {
        let fits = |claim: &Claim| self.now.plus_ms(claim.request_ms) <= self.room;
        match self.best.or(self.behind.filter(fits)) {
            Some(claim) => Next::Take(claim.turn),
            None => Next::Wait(self.wake),
        }
    }
}

/// Devices begin their cycles in slots of so many milliseconds. Hundreds of them that are read once
/// a second would otherwise wake the machine for each by itself: together that costs a third less.
const SLOT_MS: u64 = 50;

/// What the phases of a device are cut from: the same for ever, another one for each id.
fn phase_of(id: &str) -> u64 {
    let hash = stable_hash(id);
    hash - hash % SLOT_MS
}

/// FNV-1a, 64 bit: the standard library's hash may change from release to release.
pub fn stable_hash(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
