//! Medical air and vacuum: three machines on a receiver each.

use super::cycle::{Bank, Cycle, Rating};
use super::{power, tell, towards};
use crate::sim::truth::parts::{Item, Use};
use crate::sim::truth::{Build, Fault, Knot, Level, Moment, noise};

const BUILDING: &str = "main-building";
const AIR: [&str; 3] = ["air-compressor-1", "air-compressor-2", "air-compressor-3"];
const PUMPS: [&str; 3] = ["vacuum-pump-1", "vacuum-pump-2", "vacuum-pump-3"];
/// What one compressor gives, m3/h.
const AIR_EACH: f64 = 150.0;
/// What one vacuum pump draws, m3/h.
const PUMP_EACH: f64 = 260.0;
/// The pumps go on at the first and off at the second, kPa.
const VACUUM: (f64, f64) = (-58.0, -66.0);
/// The share of the vacuum that worn pumps no longer hold.
const WEAKNESS: f64 = 0.27;

/// The medical air line.
#[derive(Clone, Copy, Debug)]
pub struct Air {
    key: u64,
}

impl Air {
    /// Behind the reducing valve, MPa.
    pub fn pressure(self, now: &Moment<'_>) -> f64 {
        0.425 + 0.003 * now.wander(self.key, 600) + 0.001 * now.wander(self.key ^ 1, 15)
    }
}

/// The medical air plant.
pub fn air(build: &mut Build, uses: &mut Vec<Use>) -> Air {
    let bank = Bank::new(build, Rating { power: 22.0, current: 41.0, rise: 52.0 }, 14_600.0);
    let flow = build.flow();
    let dew_point = build.level(-42.0);
    build.step(move |knot| {
        let people = knot.people;
        let demand = (48.0 + 26.0 * people.ward_activity + 44.0 * people.surgery)
            * (1.0 + 0.05 * knot.wander("air", 2));
        knot.set(flow, demand);
        bank.step(knot, 9.0 + 0.02 * demand, demand / AIR_EACH, room(knot));
        // Moist air and much of it load the dryer.
        let dry = -45.0 + 0.05 * knot.weather.humidity + 0.02 * demand;
        let now = towards(knot.level(dew_point), dry, knot.hours(), 2.0);
        knot.set_level(dew_point, now);
    });
    let line = Air { key: noise::key("medical-air-plant") };
    let plant = "medical-air-plant";
    tell(build, plant, "flow", move |now| now.flow(flow));
    tell(build, plant, "pressure", move |now| 0.70 + 0.10 * bank.cycle().fill(now));
    tell(build, plant, "line_pressure", move |now| line.pressure(now));
    tell(build, plant, "dew_point", move |now| now.level(dew_point) + 0.8 * now.wander(line.key, 600));
    bank.tell(build, AIR);
    uses.push(power(plant, BUILDING, Item::MedicalGas, bank.power(), true));
    line
}

/// The vacuum line.
#[derive(Clone, Copy, Debug)]
pub struct Vacuum {
    cycle: Cycle,
    weak: Fault,
}

impl Vacuum {
    /// At the plant, kPa below zero.
    pub fn pressure(self, now: &Moment<'_>) -> f64 {
        let (first, last) = VACUUM;
        (first + (last - first) * self.cycle.fill(now)) * (1.0 - WEAKNESS * now.fault(self.weak))
    }
}

/// The vacuum plant.
pub fn vacuum(build: &mut Build, uses: &mut Vec<Use>) -> Vacuum {
    let plant = "vacuum-plant";
    let weak = build.fault("vacuum_weakness", plant);
    let bank = Bank::new(build, Rating { power: 7.5, current: 14.5, rise: 46.0 }, 11_300.0);
    let flow = build.flow();
    let filter = build.level(2.2);
    build.step(move |knot| {
        let demand = suction(knot);
        knot.set(flow, demand);
        let capacity = PUMP_EACH * (1.0 - 0.6 * knot.fault(weak));
        bank.step(knot, 14.0 + 0.02 * demand, demand / capacity, room(knot));
        load_filter(knot, filter);
    });
    let line = Vacuum { cycle: bank.cycle(), weak };
    let key = noise::key(plant);
    tell(build, plant, "vacuum", move |now| line.pressure(now));
    tell(build, plant, "flow", move |now| now.flow(flow));
    tell(build, plant, "filter_pressure_drop", move |now| {
        now.held(filter) * (now.flow(flow) / 160.0).powi(2) + 0.02 * now.wander(key, 40)
    });
    bank.tell(build, PUMPS);
    uses.push(power(plant, BUILDING, Item::MedicalGas, bank.power(), true));
    line
}

fn suction(knot: &Knot<'_>) -> f64 {
    let people = knot.people;
    (88.0 + 40.0 * people.ward_activity + 55.0 * people.surgery) * (1.0 + 0.05 * knot.wander("suction", 2))
}

/// The bacterial filter takes up dust for half a year, and is changed. kPa at 160 m3/h.
fn load_filter(knot: &mut Knot<'_>, filter: Level) {
    let old = knot.level(filter);
    let dusty = old + 0.000_6 * knot.hours();
    knot.set_level(filter, if dusty > 4.5 { 2.0 } else { dusty });
}

/// The machine room is warmed by its machines, °C.
fn room(knot: &Knot<'_>) -> f64 {
    24.0 + 0.25 * (knot.weather.temperature - 10.0)
}
