//! The town's water: one main meter, and behind it a sub-meter for each building's low zone, each
//! kitchen, laundry and plant room. What the sub-meters count is what the main meter counted.

use super::super::{Item, Supply, Use};
use super::loads::laundry;
use crate::sim::truth::noise::key;
use crate::sim::truth::{Build, Flow, Knot, Moment};

/// What draws water beside the machines of other parts: m3/h at each knot.
type Draws = fn(&Knot<'_>) -> f64;

struct Sub {
    id: &'static str,
    /// m3 on its register at genesis.
    first_m3: f64,
    told: &'static [&'static str],
    draws: Option<Draws>,
}

const PLAIN: &[&str] = &["flow", "volume"];
const WITH_PRESSURE: &[&str] = &["flow", "volume", "pressure", "temperature", "battery_voltage"];

const SUBS: [Sub; 12] = [
    Sub { id: "water-meter-main", first_m3: 48_210.44, told: WITH_PRESSURE, draws: Some(main_low) },
    Sub { id: "water-meter-outpatient", first_m3: 20_116.81, told: WITH_PRESSURE, draws: Some(outpatient) },
    Sub { id: "water-meter-technology", first_m3: 11_902.37, told: WITH_PRESSURE, draws: Some(technology) },
    Sub { id: "water-meter-infectious", first_m3: 6_044.9, told: PLAIN, draws: Some(infectious) },
    Sub { id: "water-meter-kitchen", first_m3: 18_330.26, told: PLAIN, draws: Some(kitchen) },
    Sub { id: "water-meter-laundry", first_m3: 16_212.55, told: PLAIN, draws: Some(laundry_water) },
    Sub { id: "water-meter-dialysis", first_m3: 12_805.03, told: PLAIN, draws: Some(dialysis) },
    Sub { id: "water-meter-grounds", first_m3: 7_340.7, told: PLAIN, draws: Some(grounds) },
    Sub { id: TANK, first_m3: 92_117.6, told: PLAIN, draws: None },
    Sub { id: COOLING, first_m3: 31_466.2, told: PLAIN, draws: None },
    Sub { id: HEATING, first_m3: 9_871.5, told: PLAIN, draws: None },
    Sub { id: "water-meter-energy-centre", first_m3: 2_450.8, told: PLAIN, draws: Some(energy_centre) },
];
const TOWN: &str = "water-meter-town";
pub const TANK: &str = "water-meter-tank";
pub const COOLING: &str = "water-meter-cooling";
pub const HEATING: &str = "water-meter-heating";
const MAIN_FIRST_M3: f64 = 281_630.5;

/// Wards on the lower floors, at the pressure of the town.
fn main_low(knot: &Knot<'_>) -> f64 {
    0.3 + 2.9 * knot.people.ward_activity + 0.5 * knot.people.staff
}

fn outpatient(knot: &Knot<'_>) -> f64 {
    0.18 + 2.5 * knot.people.outpatients + 0.45 * (knot.people.staff - 0.2)
}

fn technology(knot: &Knot<'_>) -> f64 {
    0.14 + 0.95 * (knot.people.staff - 0.2) + 0.3 * knot.people.outpatients
}

fn infectious(knot: &Knot<'_>) -> f64 {
    0.1 + 0.5 * knot.people.ward_activity + 0.2 * knot.people.outpatients
}

fn kitchen(knot: &Knot<'_>) -> f64 {
    0.08 + 3.3 * (knot.people.services - 0.12).max(0.0)
}

fn laundry_water(knot: &Knot<'_>) -> f64 {
    0.04 + 4.4 * laundry(knot)
}

/// Two shifts from Monday to Saturday; the treatment of the water wastes a third.
fn dialysis(knot: &Knot<'_>) -> f64 {
    let hour = knot.civil.hour;
    let shift = ((hour - 6.5) / 0.7).min((17.5 - hour) / 0.7).clamp(0.0, 1.0);
    0.12 + if knot.civil.weekday < 6 { 3.1 * shift } else { 0.0 }
}

/// Before the sun is up, while it is warm.
fn grounds(knot: &Knot<'_>) -> f64 {
    let hour = knot.civil.hour;
    let early = ((hour - 4.8) / 0.5).min((6.8 - hour) / 0.5).clamp(0.0, 1.0);
    let dry = ((knot.weather.temperature - 8.0) / 14.0).clamp(0.0, 1.0);
    0.05 + 4.2 * early * dry
}

fn energy_centre(knot: &Knot<'_>) -> f64 {
    0.06 + 0.24 * knot.people.staff
}

/// The sub-meter a use of another part hangs on; each on one.
pub fn meter_of(draw: &Use) -> &'static str {
    match draw.item {
        _ if super::tree::heats(draw.asset) => HEATING,
        _ if draw.asset.contains("tank") => TANK,
        Item::CoolingHeating => COOLING,
        _ => match draw.building {
            "main-building" => "water-meter-main",
            "outpatient-building" => "water-meter-outpatient",
            "technology-building" => "water-meter-technology",
            "infectious-building" => "water-meter-infectious",
            _ => "water-meter-energy-centre",
        },
    }
}

/// All water meters.
pub fn add(build: &mut Build, uses: &[Use]) {
    let leak = build.fault("water_leak_night", "water-meter-outpatient");
    let mut counted = Vec::new();
    for sub in &SUBS {
        let mut parts: Vec<Flow> = uses
            .iter()
            .filter(|draw| draw.supply == Supply::Water && meter_of(draw) == sub.id)
            .map(|draw| draw.flow)
            .collect();
        if let Some(draws) = sub.draws {
            let (own, id) = (build.flow(), sub.id);
            build.step(move |knot| {
                // Taps are opened and shut.
                let unrest = 0.8 + 0.4 * knot.draw(id);
                knot.set(own, draws(knot).max(0.02) * unrest);
            });
            if sub.id == "water-meter-outpatient" {
                build.leak(own, leak, 2.4);
            }
            parts.push(own);
        }
        let flow = build.total(&parts);
        tell(build, sub.id, sub.told, flow, sub.first_m3);
        counted.push(flow);
    }
    let all = build.total(&counted);
    tell(build, TOWN, &["flow", "volume", "pressure", "velocity", "signal_quality"], all, MAIN_FIRST_M3);
}

fn tell(build: &mut Build, id: &'static str, told: &[&str], flow: Flow, first_m3: f64) {
    let volume = build.counter(flow, first_m3);
    let unrest = key(id);
    // MPa for the square of a m3/h.
    let drop = if id == TOWN { 0.000_015 } else { 0.000_5 };
    for quantity in told {
        let address = format!("{id}/{quantity}");
        match *quantity {
            "flow" => build.point(&address, move |now| now.flow(flow)),
            "volume" => build.point(&address, move |now| now.stock(volume)),
            "pressure" => build.point(&address, move |now| pressure(now, flow, unrest, drop)),
            "temperature" => {
                build.point(&address, move |now| now.weather.mains_water + 0.4 * now.wander(unrest, 1_800));
            }
            // Of a pipe of 200 mm inner width: m3/h over its section and 3,600.
            "velocity" => build.point(&address, move |now| now.flow(flow) / 113.1),
            "battery_voltage" => build.point(&address, move |now| 3.58 + 0.01 * now.wander(unrest, 80_000)),
            _ => build.point(&address, move |now| 93.0 + 2.0 * now.wander(unrest, 300)),
        }
    }
}

/// The town keeps 0.34 MPa; more at night, less where it flows: the main is wide, a branch is not.
fn pressure(now: &Moment<'_>, flow: Flow, unrest: u64, drop: f64) -> f64 {
    0.345 + 0.012 * now.wander(unrest, 9_000) + 0.003 * now.wander(unrest, 25)
        - drop * now.flow(flow).powi(2)
        - 0.02 * now.people.ward_activity
}

/// The sub-meters.
#[cfg(test)]
pub fn meters() -> impl Iterator<Item = &'static str> {
    SUBS.iter().map(|sub| sub.id)
}
