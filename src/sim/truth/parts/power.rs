//! Electric power and the other supplies of the town: from the incomers to whatever draws.
//!
//! Every [`Use`] hangs on exactly one sub-meter; sub-meters come to their feeder, feeders to their
//! section of the bus, a section and the losses of its transformer to the incomer, both incomers to
//! the main meter. Water, gas and steam add up likewise.
//!
//! Where a feeder trips, the current of all behind it is cut here, and the machines of other parts that
//! hang on it ask for the same fault ([`trip_of`]) and stop. Of three feeders that is known: that of the
//! outpatient floors and that of imaging, which have no machines behind them, and that of the air handlers.
//! No script may trip another one; what the essential bus bears goes on from the generator.
//!
//! Read `tree` (what hangs where), `loads` (what the departments draw), `meter` (what a meter tells),
//! `supply`, `standby`, `earth`, then `water` and `fuels`.

mod earth;
mod fuels;
mod loads;
mod meter;
mod standby;
mod supply;
#[cfg(test)]
mod tests;
mod tree;
mod water;

use super::{Supply, Use};
use crate::sim::truth::{Build, Fault, Flow, Moment};
use loads::Placed;
use meter::{Bus, Meter};
use std::collections::BTreeMap;
use supply::Drawn;
use tree::{ESSENTIAL, FEEDERS, SUBS, TRIPS};

/// A fault: its kind, its asset, and the points it moves so that it is seen.
pub type FaultPoints = (&'static str, &'static str, &'static [&'static str]);

/// The faults of this part, and the points each of them moves; beside them only the meters of what is
/// upstream, which count it, too.
pub const FAULTS: &[FaultPoints] = &[
    (
        "ats_transfer",
        "ats-1",
        &[
            "ats-1/cycles",
            "ats-1/generator_start_2",
            "ats-1/position",
            "ats-1/source_1",
            "ats-1/source_2",
            "ats-1/test_off_load",
            "generator-1/battery_voltage",
            "generator-1/charger_voltage",
            "generator-1/coolant_temperature",
            "generator-1/current_a",
            "generator-1/current_b",
            "generator-1/current_c",
            "generator-1/energy",
            "generator-1/frequency",
            "generator-1/fuel_level",
            "generator-1/load",
            "generator-1/mains_voltage_a",
            "generator-1/mains_voltage_b",
            "generator-1/mains_voltage_c",
            "generator-1/mode",
            "generator-1/oil_pressure",
            "generator-1/oil_temperature",
            "generator-1/operating_hours",
            "generator-1/power",
            "generator-1/speed",
            "generator-1/starts",
            "generator-1/state",
            "generator-1/voltage_a",
            "generator-1/voltage_b",
            "generator-1/voltage_c",
        ],
    ),
    (
        "feeder_trip",
        "feeder-outpatient",
        &[
            "feeder-outpatient/breaker",
            "feeder-outpatient/tripped",
            "feeder-outpatient/power",
            "feeder-outpatient/energy",
            "feeder-outpatient/reactive_energy",
            "feeder-outpatient/power_factor",
            "feeder-outpatient/current_a",
            "feeder-outpatient/current_b",
            "feeder-outpatient/current_c",
            "meter-outpatient-1f/power",
            "meter-outpatient-1f/energy",
            "meter-outpatient-1f/power_factor",
            "meter-outpatient-2f/power",
            "meter-outpatient-2f/energy",
            "meter-outpatient-2f/power_factor",
            "meter-outpatient-3f/power",
            "meter-outpatient-3f/energy",
            "meter-outpatient-3f/power_factor",
            "meter-outpatient-4f/power",
            "meter-outpatient-4f/energy",
            "meter-outpatient-4f/power_factor",
            "rcm-outpatient/residual_current",
        ],
    ),
    (
        "feeder_trip",
        "feeder-imaging",
        &[
            "feeder-imaging/breaker",
            "feeder-imaging/tripped",
            "feeder-imaging/power",
            "feeder-imaging/energy",
            "feeder-imaging/reactive_energy",
            "feeder-imaging/power_factor",
            "feeder-imaging/current_a",
            "feeder-imaging/current_b",
            "feeder-imaging/current_c",
            "meter-mr/power",
            "meter-mr/energy",
            "meter-mr/current_a",
            "meter-mr/current_b",
            "meter-mr/current_c",
            "meter-ct/power",
            "meter-ct/energy",
            "meter-dsa/power",
            "meter-dsa/energy",
            "meter-dr/power",
            "meter-dr/energy",
            "rcm-bus/residual_current_4",
        ],
    ),
    (
        "feeder_trip",
        "feeder-air-conditioning",
        &[
            "feeder-air-conditioning/breaker",
            "feeder-air-conditioning/tripped",
            "feeder-air-conditioning/power",
            "feeder-air-conditioning/energy",
            "feeder-air-conditioning/reactive_energy",
            "feeder-air-conditioning/power_factor",
            "feeder-air-conditioning/current_a",
            "feeder-air-conditioning/current_b",
            "feeder-air-conditioning/current_c",
            "meter-main-air/power",
            "meter-main-air/energy",
            "meter-outpatient-air/power",
            "meter-outpatient-air/energy",
            "meter-technology-air/power",
            "meter-technology-air/energy",
            "rcm-bus/residual_current_6",
        ],
    ),
    (
        "night_base_load",
        "meter-outpatient-2f",
        &[
            "meter-outpatient-2f/power",
            "meter-outpatient-2f/energy",
            "feeder-outpatient/power",
            "feeder-outpatient/energy",
            "feeder-outpatient/reactive_energy",
            "feeder-outpatient/current_a",
            "feeder-outpatient/current_b",
            "feeder-outpatient/current_c",
            "rcm-outpatient/residual_current",
        ],
    ),
    (
        "water_leak_night",
        "water-meter-outpatient",
        &[
            "water-meter-outpatient/flow",
            "water-meter-outpatient/volume",
            "water-meter-outpatient/pressure",
            "water-meter-town/flow",
            "water-meter-town/volume",
        ],
    ),
    (
        "winding_heating",
        "transformer-2",
        &[
            "transformer-2/temperature_a",
            "transformer-2/temperature_b",
            "transformer-2/temperature_c",
            "transformer-2/temperature_d",
            "transformer-2/fan",
        ],
    ),
    (
        "joint_heating",
        "bus-section-1",
        &["bus-section-1/joint_temperature_b", "bus-section-1/joint_temperature_c"],
    ),
    (
        "insulation_falling",
        "it-supply-2",
        &["it-supply-2/insulation_resistance", "it-supply-2/alarm_insulation"],
    ),
    ("residual_current_rising", "rcm-kitchen", &["rcm-kitchen/residual_current", "rcm-kitchen/state"]),
];

/// The trip of a feeder; none if no script may trip it.
pub fn trip(build: &mut Build, feeder: &str) -> Option<Fault> {
    TRIPS.contains(&feeder).then(|| build.fault("feeder_trip", feeder))
}

/// The trip that stops a machine.
pub fn trip_of(build: &mut Build, draw: &Use) -> Option<Fault> {
    tree::feeder_of(draw).and_then(|feeder| trip(build, feeder))
}

/// Adds it, supplying `uses`.
pub fn add(build: &mut Build, uses: &[Use]) {
    let mut placed = loads::add(build);
    placed.extend(
        uses.iter()
            .filter(|draw| draw.supply == Supply::Power)
            .map(|draw| Placed { draw: *draw, meter: tree::meter_of(draw) }),
    );
    placed.extend(standby::without_interruption(build, Bus::low("ups")));
    let circuits = distribution(build, &placed);
    earth::residual(build, |meter| circuits.get(meter).copied());
    earth::isolated(build, |asset| {
        placed.iter().find(|one| one.draw.asset == asset).map(|one| one.draw.flow)
    });
    water::add(build, uses);
    fuels::add(build, uses);
}

/// Sub-meters, feeders and the bus; the kW of each meter by its id.
fn distribution(build: &mut Build, placed: &[Placed]) -> BTreeMap<&'static str, Flow> {
    let mut circuits = BTreeMap::new();
    let mut reactive = BTreeMap::new();
    let mut sections = [(Vec::new(), Vec::new()), (Vec::new(), Vec::new())];
    for sub in &SUBS {
        let drawn: Vec<Flow> =
            placed.iter().filter(|one| one.meter == sub.id).map(|one| one.draw.flow).collect();
        let power = build.total(&drawn);
        let tangent = (1.0 / (sub.cos_phi * sub.cos_phi) - 1.0_f64).sqrt();
        let kvar = build.sum(&[(power, tangent)]);
        let first = (sub.first_kwh, sub.first_kwh * tangent);
        Meter::new(build, sub.id, (power, kvar), Bus::low(sub.id), first).tell(build, sub.told);
        circuits.insert(sub.id, power);
        reactive.insert(sub.id, kvar);
    }
    for feeder in &FEEDERS {
        let of = |flows: &BTreeMap<&str, Flow>| -> Vec<Flow> {
            let subs = SUBS.iter().filter(|sub| sub.feeder == feeder.id);
            subs.filter_map(|sub| flows.get(sub.id).copied()).collect()
        };
        let flows = (build.total(&of(&circuits)), build.total(&of(&reactive)));
        let bus = Bus::low(feeder.id);
        let first = (feeder.first_kwh, 0.4 * feeder.first_kwh);
        Meter::new(build, feeder.id, flows, bus, first).tell(build, feeder.told);
        breaker(build, feeder.id, flows.0);
        circuits.insert(feeder.id, flows.0);
        if let Some((power, kvar)) = sections.get_mut(feeder.section) {
            power.push((flows.0, 1.0));
            kvar.push((flows.1, 1.0));
            if feeder.id == ESSENTIAL {
                let given = standby::transfer(build, flows, bus);
                power.push((given.0, -1.0));
                kvar.push((given.1, -1.0));
            }
        }
    }
    let sections =
        sections.map(|(power, kvar)| Drawn { power: build.sum(&power), reactive: build.sum(&kvar) });
    supply::add(build, sections);
    circuits
}

/// Its states, and what happens if it trips: all behind it is without current at once.
fn breaker(build: &mut Build, feeder: &'static str, flow: Flow) {
    let trip = trip(build, feeder);
    if let Some(trip) = trip {
        build.cut(flow, trip);
    }
    let tripped = move |now: &Moment<'_>| trip.is_some_and(|trip| now.fault(trip) >= 0.5);
    build.point(&format!("{feeder}/breaker"), move |now| f64::from(u8::from(!tripped(now))));
    build.point(&format!("{feeder}/tripped"), move |now| f64::from(u8::from(tripped(now))));
}
