//! Machines that go on and off within minutes, far below a knot: a count of cycles is the integral of
//! their rate, so its whole part is what a counter of starts shows and its fraction where in the cycle
//! the machine is. So states, counters and pressures tell one story.

use super::{flag, tell, towards};
use crate::sim::truth::{Build, Flow, Knot, Level, Moment, Stock, noise};

/// Something that goes on and off.
#[derive(Clone, Copy, Debug)]
pub struct Cycle {
    rate: Flow,
    share: Flow,
    count: Stock,
    hours: Stock,
}

impl Cycle {
    /// One that has started and run so often and long already.
    pub fn new(build: &mut Build, starts: f64, hours: f64) -> Cycle {
        let (rate, share) = (build.flow(), build.flow());
        let (count, hours) = (build.counter(rate, starts), build.counter(share, hours));
        Cycle { rate, share, count, hours }
    }

    /// Cycles an hour, and the share of the time it is on, 0 to 1.
    pub fn set(self, knot: &mut Knot<'_>, rate: f64, share: f64) {
        knot.set(self.rate, rate);
        knot.set(self.share, share.clamp(0.0, 1.0));
    }

    /// Where in the cycle it is, 0 to 1; it begins by going on.
    pub fn phase(self, now: &Moment<'_>) -> f64 {
        now.stock(self.count).fract()
    }

    /// The share of the time it is on.
    pub fn share(self, now: &Moment<'_>) -> f64 {
        now.flow(self.share)
    }

    /// Whether it is on.
    pub fn on(self, now: &Moment<'_>) -> bool {
        self.phase(now) < self.share(now)
    }

    /// 0 when it goes on, 1 when it goes off, in straight lines: the pressure of a receiver.
    pub fn fill(self, now: &Moment<'_>) -> f64 {
        let (phase, share) = (self.phase(now), self.share(now));
        if phase < share { phase / share } else { (1.0 - phase) / (1.0 - share).max(1e-6) }
    }

    /// How often it has gone on.
    pub fn starts(self, now: &Moment<'_>) -> f64 {
        now.stock(self.count).floor()
    }

    /// How long it has been on, in hours.
    pub fn hours(self, now: &Moment<'_>) -> f64 {
        now.stock(self.hours)
    }
}

/// Machines of a bank.
pub const MACHINES: usize = 3;

/// One machine of a bank.
#[derive(Clone, Copy, Debug)]
struct Machine {
    rate: Flow,
    share: Flow,
    starts: Stock,
    hours: Stock,
    temperature: Level,
}

/// Three like machines on one receiver; each leads for a day, the next helps where one is not enough.
#[derive(Clone, Copy, Debug)]
pub struct Bank {
    cycle: Cycle,
    help: Flow,
    machines: [Machine; MACHINES],
    /// Of all of them, kW.
    power: Flow,
    rating: Rating,
}

/// What one machine of a bank is.
#[derive(Clone, Copy, Debug)]
pub struct Rating {
    /// kW while it runs.
    pub power: f64,
    /// A while it runs.
    pub current: f64,
    /// Kelvin above the room if it never stopped.
    pub rise: f64,
}

impl Bank {
    /// A bank whose machines have run for about so many hours.
    pub fn new(build: &mut Build, rating: Rating, hours: f64) -> Bank {
        let cycle = Cycle::new(build, 0.0, 0.0);
        let machines = [1.0, 0.93, 1.04].map(|age| {
            let (rate, share) = (build.flow(), build.flow());
            Machine {
                rate,
                share,
                starts: build.counter(rate, (hours * age * 9.0).floor()),
                hours: build.counter(share, (hours * age).floor()),
                temperature: build.level(35.0),
            }
        });
        Bank { cycle, help: build.flow(), machines, power: build.flow(), rating }
    }

    /// What all machines draw.
    pub fn power(&self) -> Flow {
        self.power
    }

    /// Where in the cycle the receiver is.
    pub fn cycle(&self) -> Cycle {
        self.cycle
    }

    /// `need`: how many machines it takes, 0 to 3; `room`: what they stand in, °C.
    pub fn step(&self, knot: &mut Knot<'_>, rate: f64, need: f64, room: f64) {
        let need = need.clamp(0.05, 2.0);
        let (lead, help) = (need.min(1.0), (need - 1.0).max(0.0));
        self.cycle.set(knot, rate, lead);
        knot.set(self.help, help);
        knot.set(self.power, self.rating.power * need);
        let leader = leader(knot.civil.day);
        for (number, machine) in self.machines.iter().enumerate() {
            let share = match place(number, leader) {
                0 => lead,
                1 => help,
                _ => 0.0,
            };
            knot.set(machine.share, share);
            knot.set(machine.rate, if share > 0.0 { rate } else { 0.0 });
            let warm = room + self.rating.rise * share;
            let temperature = towards(knot.level(machine.temperature), warm, knot.hours(), 0.6);
            knot.set_level(machine.temperature, temperature);
        }
    }

    /// Tells the points of each machine.
    pub fn tell(&self, build: &mut Build, assets: [&str; MACHINES]) {
        let bank = *self;
        for ((number, asset), machine) in assets.into_iter().enumerate().zip(self.machines) {
            let key = noise::key(asset);
            tell(build, asset, "running", move |now| flag(bank.runs(now, number)));
            tell(build, asset, "current", move |now| {
                let unrest = 1.0 + 0.02 * now.wander(key, 7);
                flag(bank.runs(now, number)) * bank.rating.current * unrest
            });
            tell(build, asset, "temperature", move |now| {
                now.level(machine.temperature) + 0.3 * now.wander(key, 90)
            });
            tell(build, asset, "operating_hours", move |now| now.stock(machine.hours));
            tell(build, asset, "starts", move |now| now.stock(machine.starts).floor());
        }
    }

    fn runs(&self, now: &Moment<'_>, number: usize) -> bool {
        match place(number, leader(now.civil.day)) {
            0 => self.cycle.on(now),
            1 => self.cycle.phase(now) < now.flow(self.help),
            _ => false,
        }
    }
}

/// Which machine leads today.
pub fn leader(day: i64) -> usize {
    usize::try_from(day.rem_euclid(3)).unwrap_or(0)
}

/// 0 for the leader, 1 for the next, 2 for the last.
pub fn place(number: usize, leader: usize) -> usize {
    (number + MACHINES - leader) % MACHINES
}
