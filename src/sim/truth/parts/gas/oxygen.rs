//! Oxygen: two liquid tanks, a concentrator, the manifold with its reserve of cylinders.
//!
//! All of it in m3 of gas at 15 °C. One tank leads and gives most, the second the rest; when the
//! leader runs low they change, and a lorry fills it on a day of work.

use super::zones::ZONES;
use super::{flag, power, tell, towards};
use crate::sim::truth::parts::{Item, Use};
use crate::sim::truth::{Build, DayKind, Fault, Flow, Knot, Level, Moment, Stock, noise};

const MANIFOLD: &str = "oxygen-manifold";
const TANKS: [&str; 2] = ["lox-tank-1", "lox-tank-2"];
/// Gas in a full tank of 10 m3 of liquid; a litre gives some 854 litres at 15 °C.
const CAPACITY: f64 = 8_540.0;
/// Below this share of it the other tank leads ...
const CHANGE: f64 = 0.40;
/// ... and the lorry comes for the one that does not lead, below this share,
const ORDER: f64 = 0.42;
/// on a day of work, and on any day if both together are below this.
const URGENT: f64 = 0.55;
/// What the lorry pumps in an hour.
const LORRY: f64 = 4_000.0;
/// What the leader gives of what both give.
const LEAD: f64 = 0.88;
/// What a leak in the station lets go, m3/h.
pub const LEAK: f64 = 14.0;
/// Full cylinders of both banks.
const CYLINDERS: f64 = 240.0;
/// What a filled bank of cylinders holds it at, MPa.
const BANK_PRESSURE: f64 = 13.2;
/// Where the supply falls to with the fault of the demo, MPa: below 0.34, GB 50751-2012, 7.1.2(5).
const FALLEN: f64 = 0.300;
/// The most the concentrator gives, m3/h.
const PSA_MOST: f64 = 26.0;
/// kWh for a m3 of oxygen from the concentrator.
const PSA_ENERGY: f64 = 1.1;

/// The manifold's outlet.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    leak: Fault,
    low: Fault,
    key: u64,
}

impl Header {
    /// MPa.
    pub fn pressure(self, now: &Moment<'_>) -> f64 {
        let unrest = 0.004 * now.wander(self.key, 900) + 0.001_2 * now.wander(self.key ^ 1, 20);
        let usual = 0.4015 + unrest - 0.010 * now.fault(self.leak);
        usual + (FALLEN - usual) * now.fault(self.low)
    }
}

/// Where oxygen comes from.
#[derive(Clone, Copy)]
struct Station {
    zones: Flow,
    psa: Flow,
    reserve: Flow,
    swap: Flow,
    cylinders: Stock,
    leak: Fault,
    tanks: [Tank; 2],
    /// 0 or 1: the number of the tank that leads.
    lead: Level,
}

/// A tank of liquid oxygen.
#[derive(Clone, Copy)]
struct Tank {
    draw: Flow,
    refill: Flow,
    contents: Stock,
    /// 1 while the lorry pumps.
    filling: Level,
    missed: Fault,
}

/// Adds it all.
pub fn add(build: &mut Build, demand: &[Flow; ZONES], uses: &mut Vec<Use>) -> Header {
    let zones = build.total(demand);
    let leak = build.fault("oxygen_leak", MANIFOLD);
    let low = build.fault("oxygen_low", MANIFOLD);
    let tanks = [(TANKS[0], 0.47), (TANKS[1], 0.86)].map(|(asset, full)| tank(build, asset, full, leak));
    let (psa, reserve, swap) = (build.flow(), build.flow(), build.flow());
    let cylinders = build.stock(&[(swap, 1.0), (reserve, -1.0)], CYLINDERS);
    let lead = build.level(0.0);
    let station = Station { zones, psa, reserve, swap, cylinders, leak, tanks, lead };
    build.step(move |knot| station.step(knot));

    let escaping = build.flow();
    build.leak(escaping, leak, LEAK);
    let supplied = build.total(&[zones, escaping]);
    let header = Header { leak, low, key: noise::key(MANIFOLD) };
    tell_manifold(build, station, supplied, header);
    for (number, (asset, tank)) in TANKS.into_iter().zip(tanks).enumerate() {
        tell_tank(build, asset, number, tank, lead);
    }
    vaporizer(build, tanks, leak);
    concentrator(build, psa, uses);
    gas_room(build, leak);
    header
}

fn tank(build: &mut Build, asset: &str, full: f64, leak: Fault) -> Tank {
    let (draw, refill) = (build.flow(), build.flow());
    build.leak(draw, leak, LEAK / 2.0);
    let contents = build.stock(&[(refill, 1.0), (draw, -1.0)], CAPACITY * full);
    Tank { draw, refill, contents, filling: build.level(0.0), missed: build.fault("missed_refill", asset) }
}

impl Station {
    fn step(&self, knot: &mut Knot<'_>) {
        let zones = knot.flow(self.zones);
        let psa = (0.4 * zones).min(PSA_MOST);
        knot.set(self.psa, psa);
        self.change_over(knot);
        let leaking = LEAK * knot.fault(self.leak);
        let need = zones - psa;
        let lead = usize::from(knot.level(self.lead) > 0.5);
        let mut missing = need;
        for number in [lead, 1 - lead] {
            let Some(tank) = self.tanks.get(number) else { continue };
            let share = if number == lead { LEAD * need } else { missing };
            // Through the last of it a tank gives less and less; then not even the leak has any.
            let able = ((knot.stock_before(tank.contents) / CAPACITY - 0.02) / 0.03).clamp(0.0, 1.0);
            let draw = share * able - (1.0 - able) * leaking / 2.0;
            knot.set(tank.draw, draw);
            missing -= draw;
        }
        knot.set(self.reserve, missing);
        // Empty cylinders are changed for full ones.
        let empty = CYLINDERS - knot.stock_before(self.cylinders);
        knot.set(self.swap, if empty > 0.5 * CYLINDERS { 4.0 * empty } else { 0.0 });
        let filled = self.tanks.map(|tank| knot.stock_before(tank.contents) / CAPACITY);
        let urgent = filled.iter().sum::<f64>() < URGENT;
        for (number, (tank, full)) in self.tanks.into_iter().zip(filled).enumerate() {
            let ordered = full < ORDER && (urgent || (number != lead && knot.civil.kind == DayKind::Work));
            tank.lorry(knot, full, ordered);
        }
    }

    fn change_over(&self, knot: &mut Knot<'_>) {
        let [one, two] = self.tanks.map(|tank| knot.stock_before(tank.contents) / CAPACITY);
        let second = knot.level(self.lead) > 0.5;
        let (leader, other) = if second { (two, one) } else { (one, two) };
        if leader < CHANGE && other > leader + 0.05 {
            knot.set_level(self.lead, flag(!second));
        }
    }
}

impl Tank {
    fn lorry(self, knot: &mut Knot<'_>, full: f64, ordered: bool) {
        let comes = ordered && (9.0..10.5).contains(&knot.civil.hour) && knot.fault(self.missed) < 0.5;
        let pumping = knot.level(self.filling) > 0.5;
        let filling = if pumping { full < 0.90 } else { comes };
        knot.set_level(self.filling, flag(filling));
        let rate = if filling { LORRY.min(2.0 * CAPACITY * (0.95 - full)) } else { 0.0 };
        knot.set(self.refill, rate);
    }
}

fn tell_manifold(build: &mut Build, station: Station, supplied: Flow, header: Header) {
    let volume = build.counter(supplied, 3_518_000.0);
    tell(build, MANIFOLD, "pressure", move |now| header.pressure(now));
    tell(build, MANIFOLD, "flow", move |now| now.flow(supplied));
    tell(build, MANIFOLD, "volume", move |now| now.stock(volume));
    tell(build, MANIFOLD, "reserve", move |now| flag(now.flow(station.reserve) > 0.1));
    // The left bank is emptied first. Pressure follows the warmth of the room a little.
    let half = CYLINDERS / 2.0;
    let bank = move |now: &Moment<'_>, behind: f64| {
        let left = ((now.stock(station.cylinders) - behind) / half).clamp(0.0, 1.0);
        BANK_PRESSURE * left * (1.0 + 0.001 * now.wander(header.key ^ 2, 21_600))
    };
    tell(build, MANIFOLD, "left_bank_pressure", move |now| bank(now, half));
    tell(build, MANIFOLD, "right_bank_pressure", move |now| bank(now, 0.0));
}

fn tell_tank(build: &mut Build, asset: &str, number: usize, tank: Tank, lead: Level) {
    let key = noise::key(asset);
    tell(build, asset, "contents", move |now| now.stock(tank.contents).max(0.0));
    tell(build, asset, "level", move |now| {
        // The liquid boils and sways: a level is worth less than a flow meter.
        let sway = 0.08 * now.wander(key, 120);
        (100.0 * now.stock(tank.contents) / CAPACITY + sway).clamp(0.0, 100.0)
    });
    tell(build, asset, "flow", move |now| now.flow(tank.draw).max(0.0));
    tell(build, asset, "pressure", move |now| {
        let drawn = now.flow(tank.draw) / 60.0;
        0.96 + 0.04 * now.wander(key, 14_400) - 0.03 * drawn - 0.06 * now.flow(tank.refill) / LORRY
    });
    tell(build, asset, "state", move |now| {
        let leads = (now.held(lead) > 0.5) == (number == 1);
        if now.held(tank.filling) > 0.5 { 2.0 } else { flag(leads) }
    });
}

fn vaporizer(build: &mut Build, tanks: [Tank; 2], leak: Fault) {
    let outlet = build.level(10.0);
    build.step(move |knot| {
        let drawn = tanks.iter().map(|tank| knot.flow(tank.draw)).sum::<f64>() + LEAK * knot.fault(leak);
        let to = knot.weather.temperature - 5.0 - 0.08 * drawn;
        let now = towards(knot.level(outlet), to, knot.hours(), 1.0);
        knot.set_level(outlet, now);
    });
    let key = noise::key("lox-vaporizer");
    tell(build, "lox-vaporizer", "outlet_temperature", move |now| {
        now.level(outlet) + 0.4 * now.wander(key, 300)
    });
}

/// The concentrator: pressure swing adsorption behind two compressors that take turns by the week.
fn concentrator(build: &mut Build, psa: Flow, uses: &mut Vec<Use>) {
    let plant = "psa-plant";
    let volume = build.counter(psa, 812_000.0);
    let key = noise::key(plant);
    tell(build, plant, "state", |_| 1.0);
    tell(build, plant, "flow", move |now| now.flow(psa));
    tell(build, plant, "volume", move |now| now.stock(volume));
    tell(build, plant, "outlet_pressure", move |now| 0.452 + 0.005 * now.wander(key, 45));
    // The more is asked of the sieve, the less pure it is.
    tell(build, plant, "oxygen", move |now| {
        95.2 - 0.9 * now.flow(psa) / PSA_MOST + 0.25 * now.wander(key ^ 1, 1_800)
    });
    tell(build, plant, "temperature", move |now| 27.0 + 1.5 * now.wander(key ^ 2, 21_600));
    for (number, asset) in ["psa-compressor-1", "psa-compressor-2"].into_iter().enumerate() {
        compressor(build, asset, i64::from(number == 1), psa);
    }
    let drawn = build.sum(&[(psa, PSA_ENERGY)]);
    uses.push(power(plant, "main-building", Item::MedicalGas, drawn, false));
}

fn compressor(build: &mut Build, asset: &str, number: i64, psa: Flow) {
    let turn = move |day: i64| day.div_euclid(7).rem_euclid(2) == number;
    let (share, temperature) = (build.flow(), build.level(40.0));
    let hours = build.counter(share, if number == 0 { 9_120.0 } else { 9_255.0 });
    build.step(move |knot| {
        let on = flag(turn(knot.civil.day));
        knot.set(share, on);
        let room = 24.0 + 0.25 * (knot.weather.temperature - 10.0);
        let to = room + on * (30.0 + 20.0 * knot.flow(psa) / PSA_MOST);
        let now = towards(knot.level(temperature), to, knot.hours(), 0.5);
        knot.set_level(temperature, now);
    });
    let key = noise::key(asset);
    tell(build, asset, "running", move |now| flag(turn(now.civil.day)));
    tell(build, asset, "current", move |now| {
        let load = 24.0 + 20.0 * now.flow(psa) / PSA_MOST;
        flag(turn(now.civil.day)) * load * (1.0 + 0.02 * now.wander(key, 9))
    });
    tell(build, asset, "temperature", move |now| now.level(temperature) + 0.4 * now.wander(key, 120));
    tell(build, asset, "operating_hours", move |now| now.stock(hours));
    // One start in each fortnight.
    tell(build, asset, "starts", move |now| weeks(now.civil.day.div_euclid(7) + 1 - number));
}

#[expect(clippy::cast_precision_loss, reason = "some thousands of weeks")]
fn weeks(number: i64) -> f64 {
    number.div_euclid(2) as f64
}

/// The monitor of the gas room: air, and more oxygen where it leaks.
fn gas_room(build: &mut Build, leak: Fault) {
    let key = noise::key("gas-room");
    let oxygen = move |now: &Moment<'_>| 20.9 + 0.04 * now.wander(key, 600) + 2.9 * now.fault(leak);
    tell(build, "gas-room", "oxygen", oxygen);
    tell(build, "gas-room", "alarm_1_1", move |now| flag(oxygen(now) > ENRICHED));
    tell(build, "gas-room", "fault_1", |_| 0.0);
}

/// Oxygen in the air of a room where things burn too well, %; the monitor's first level.
const ENRICHED: f64 = 23.5;
