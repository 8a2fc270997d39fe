//! Currents that go where they should not: residual currents of feeders, and the insulation of the IT
//! systems that supply operating rooms.

use super::supply::approach;
use crate::sim::truth::noise::key;
use crate::sim::truth::{Build, Fault, Flow, Moment};

/// mA at which the relay warns and alarms, and ms it waits.
const WARN_MA: f64 = 300.0;
const ALARM_MA: f64 = 500.0;
const DELAY_MS: f64 = 200.0;
/// mA a fault adds where it acts in full.
const FAULT_MA: f64 = 520.0;
/// kOhm: alarm at the latest at 50 (IEC 60364-7-710), and what a fault lets it fall towards.
const INSULATION_ALARM: f64 = 50.0;
const INSULATION_FAULT: f64 = 36.0;

/// A circuit whose residual current is watched.
#[derive(Clone, Copy)]
struct Circuit {
    key: u64,
    load: Flow,
    /// mA of filters and long cables, and mA for each kW.
    base: f64,
    per_kw: f64,
    fault: Option<Fault>,
}

impl Circuit {
    fn residual(&self, now: &Moment<'_>) -> f64 {
        // Damp air, damp insulation.
        let damp = 1.0 + 0.25 * ((now.weather.humidity - 50.0) / 50.0).clamp(-0.6, 1.0);
        let sound = self.base * damp + self.per_kw * now.flow(self.load);
        sound * (1.0 + 0.03 * now.wander(self.key, 50))
            + FAULT_MA * self.fault.map_or(0.0, |fault| now.fault(fault))
    }
}

/// Relays on three circuits and a monitor with eight channels. `load` finds the flow behind a meter.
pub fn residual(build: &mut Build, load: impl Fn(&str) -> Option<Flow>) {
    let fault = build.fault("residual_current_rising", "rcm-kitchen");
    for (asset, meter, base, per_kw) in [
        ("rcm-main-lighting", "feeder-main-lighting", 62.0, 0.55),
        ("rcm-outpatient", "feeder-outpatient", 48.0, 0.7),
        ("rcm-kitchen", "meter-kitchen", 34.0, 0.9),
    ] {
        let Some(load) = load(meter) else { continue };
        let fault = (asset == "rcm-kitchen").then_some(fault);
        relay(build, asset, Circuit { key: key(asset), load, base, per_kw, fault });
    }
    for (channel, (meter, base, per_kw)) in [
        ("feeder-cooling", 70.0, 0.3),
        ("feeder-charging", 26.0, 1.1),
        ("feeder-technology", 55.0, 0.6),
        ("feeder-imaging", 80.0, 0.5),
        ("feeder-infectious", 38.0, 0.8),
        ("feeder-air-conditioning", 76.0, 0.5),
        ("feeder-essential", 96.0, 0.4),
        ("feeder-services", 40.0, 0.7),
    ]
    .into_iter()
    .enumerate()
    {
        let Some(load) = load(meter) else { continue };
        let circuit = Circuit { key: key(meter).wrapping_add(2), load, base, per_kw, fault: None };
        let number = channel + 1;
        build.point(&format!("rcm-bus/residual_current_{number}"), move |now| circuit.residual(now));
        build.point(&format!("rcm-bus/alarm_{number}"), move |now| {
            f64::from(u8::from(circuit.residual(now) > ALARM_MA))
        });
    }
}

fn relay(build: &mut Build, asset: &str, circuit: Circuit) {
    build.point(&format!("{asset}/residual_current"), move |now| circuit.residual(now));
    build.point(&format!("{asset}/alarm_limit"), |_| ALARM_MA);
    build.point(&format!("{asset}/prewarning_limit"), |_| WARN_MA);
    build.point(&format!("{asset}/trip_delay"), |_| DELAY_MS);
    build.point(&format!("{asset}/state"), move |now| match circuit.residual(now) {
        residual if residual > ALARM_MA => 2.0,
        residual if residual > WARN_MA => 1.0,
        _ => 0.0,
    });
}

/// The isolating transformers of four operating rooms; `load` finds what each draws.
pub fn isolated(build: &mut Build, load: impl Fn(&str) -> Option<Flow>) {
    let fault = build.fault("insulation_falling", "it-supply-2");
    for (asset, sound) in
        [("it-supply-1", 640.0), ("it-supply-2", 580.0), ("it-supply-3", 710.0), ("it-supply-4", 520.0)]
    {
        let Some(load) = load(asset) else { continue };
        let fault = (asset == "it-supply-2").then_some(fault);
        monitor(build, asset, load, sound, fault);
    }
}

fn monitor(build: &mut Build, asset: &str, load: Flow, sound: f64, fault: Option<Fault>) {
    let unrest = key(asset);
    let insulation = move |now: &Moment<'_>| {
        // Each device that is plugged in takes some of it; a fault lies beside them all.
        let sound = sound / (1.0 + 0.22 * now.flow(load)) * (1.0 + 0.02 * now.wander(unrest, 70));
        let acts = fault.map_or(0.0, |fault| now.fault(fault));
        1.0 / (1.0 / sound + acts / INSULATION_FAULT)
    };
    let core = build.level(34.0);
    build.step(move |knot| {
        let to = 26.0 + 4.2 * knot.flow(load).powf(1.6) + 2.0 * knot.people.surgery;
        approach(knot, core, to, 1.2);
    });
    build.point(&format!("{asset}/insulation_resistance"), insulation);
    build.point(&format!("{asset}/load_current"), move |now| now.flow(load) * 1_000.0 / 220.0);
    build.point(&format!("{asset}/temperature"), move |now| {
        now.level(core) + 0.3 * now.wander(unrest.wrapping_add(1), 300)
    });
    build.point(&format!("{asset}/alarm_insulation"), move |now| {
        f64::from(u8::from(insulation(now) < INSULATION_ALARM))
    });
    for quantity in ["alarm_overload", "alarm_temperature", "alarm_earth_line"] {
        build.point(&format!("{asset}/{quantity}"), |_| 0.0);
    }
}
