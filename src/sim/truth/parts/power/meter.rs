//! What an electricity meter tells of one circuit: registers that count exactly what flowed, and
//! voltages and currents that belong to it.

use crate::sim::truth::noise::{draw, key};
use crate::sim::truth::{Build, Flow, Level, Moment, Stock};

/// Where a meter's voltage comes from.
#[derive(Clone, Copy)]
pub struct Bus {
    /// Volts between phase and neutral without load.
    volts: f64,
    /// How far the load of a working day pulls it down, as a share.
    droop: f64,
    /// What wanders: the grid above it is the same for all.
    keys: [u64; 3],
}

/// Keys of what all meters share, so that they agree: voltage and frequency of the grid. Any numbers do.
const GRID_VOLTAGE: u64 = 0x6772_6964;
const GRID_FREQUENCY: [u64; 2] = [0x6672_6571, 0x6672_6572];

impl Bus {
    /// 0.4 kV behind a transformer of 1,250 kVA.
    pub fn low(name: &str) -> Bus {
        Bus { volts: 232.8, droop: 0.018, keys: phase_keys(name) }
    }

    /// 10 kV, from the town.
    pub fn high(name: &str) -> Bus {
        Bus { volts: 5_850.0, droop: 0.002, keys: phase_keys(name) }
    }

    /// Volts of a phase against neutral. The load that pulls it down is taken to go with the people
    /// there, so that what one feeder does leaves the others' voltages alone.
    pub fn volts(&self, now: &Moment<'_>, phase: usize) -> f64 {
        let grid = 0.008 * now.wander(GRID_VOLTAGE, 7_200);
        let own = self.keys.get(phase).map_or(0.0, |key| 0.0014 * now.wander(*key, 37));
        let side = [0.0012, -0.0004, -0.0008].get(phase).copied().unwrap_or(0.0);
        self.volts * (1.0 + grid + own + side - self.droop * now.people.staff)
    }

    /// Volts between two phases.
    fn volts_between(&self, now: &Moment<'_>, phase: usize) -> f64 {
        3.0_f64.sqrt() * f64::midpoint(self.volts(now, phase), self.volts(now, (phase + 1) % 3))
    }

    /// Largest deviation of a phase from their mean, %.
    fn unbalance(&self, now: &Moment<'_>) -> f64 {
        spread([0, 1, 2].map(|phase| self.volts(now, phase)))
    }
}

fn phase_keys(name: &str) -> [u64; 3] {
    ["a", "b", "c"].map(|phase| key(name).wrapping_add(key(phase)))
}

/// Largest deviation from the mean in % of it.
fn spread(of: [f64; 3]) -> f64 {
    let mean = of.iter().sum::<f64>() / 3.0;
    let most = of.iter().map(|one| (one - mean).abs()).fold(0.0, f64::max);
    if mean.abs() > 1e-9 { most / mean.abs() * 100.0 } else { 0.0 }
}

/// Hz of the grid.
pub fn frequency(now: &Moment<'_>) -> f64 {
    let [slow, fast] = GRID_FREQUENCY;
    50.0 + 0.015 * now.wander(slow, 300) + 0.012 * now.wander(fast, 17)
}

/// A three-phase meter.
#[derive(Clone, Copy)]
pub struct Meter {
    asset: &'static str,
    /// What wanders in it.
    key: u64,
    power: Flow,
    reactive: Flow,
    energy: Stock,
    reactive_energy: Stock,
    bus: Bus,
    /// How the phases share the load; they come to 1.
    shares: [f64; 3],
    /// What harmonics the load makes, % of the current at full load.
    distortion: f64,
    /// kWh at the knot before the one that is held: for the demand.
    earlier: Level,
}

impl Meter {
    /// A meter with these registers at genesis, kWh and kvarh.
    pub fn new(
        build: &mut Build,
        asset: &'static str,
        flows: (Flow, Flow),
        bus: Bus,
        first: (f64, f64),
    ) -> Meter {
        let energy = build.counter(flows.0, first.0);
        let reactive_energy = build.counter(flows.1, first.1);
        let earlier = build.level(first.0);
        // The stock a step can see is that of the knot before.
        build.step(move |knot| {
            let kwh = knot.stock_before(energy);
            knot.set_level(earlier, kwh);
        });
        let uneven = |number: i64| 0.03 * (draw(0, key(asset), number) - 0.5);
        let (a, b) = (1.0 / 3.0 + uneven(0), 1.0 / 3.0 + uneven(1));
        Meter {
            asset,
            key: key(asset),
            power: flows.0,
            reactive: flows.1,
            energy,
            reactive_energy,
            bus,
            shares: [a, b, 1.0 - a - b],
            distortion: 5.5 + 5.0 * draw(0, key(asset), 2),
            earlier,
        }
    }

    /// Its points of these quantities.
    pub fn tell(self, build: &mut Build, quantities: &[&str]) {
        for quantity in quantities {
            let address = format!("{}/{quantity}", self.asset);
            let (name, phase) = of_phase(quantity);
            match name {
                "energy" | "energy_import" => build.point(&address, move |now| now.stock(self.energy)),
                "energy_export" | "reactive_energy_export" => build.point(&address, |_| 0.0),
                "reactive_energy" => build.point(&address, move |now| now.stock(self.reactive_energy)),
                // Registers of the 10 kV meter hold primary values: it has the ratios in its head.
                "voltage_ratio" | "current_ratio" => build.point(&address, |_| 1.0),
                "frequency" => build.point(&address, frequency),
                "power" => match phase {
                    None => build.point(&address, move |now| now.flow(self.power)),
                    Some(phase) => build.point(&address, move |now| self.share(phase) * now.flow(self.power)),
                },
                "reactive_power" => build.point(&address, move |now| now.flow(self.reactive)),
                "apparent_power" => build.point(&address, move |now| self.apparent(now)),
                "power_factor" => build.point(&address, move |now| self.power_factor(now)),
                "voltage" => build.point(&address, move |now| self.bus.volts(now, phase.unwrap_or(0))),
                "voltage_between" => {
                    build.point(&address, move |now| self.bus.volts_between(now, phase.unwrap_or(0)));
                }
                "current" => build.point(&address, move |now| self.current(now, phase.unwrap_or(0))),
                _ => self.tell_quality(build, &address, name, phase.unwrap_or(0)),
            }
        }
    }

    /// How good the power is, and its highest mean.
    fn tell_quality(self, build: &mut Build, address: &str, name: &str, phase: usize) {
        match name {
            "thd_voltage" => build.point(address, move |now| {
                1.5 + 0.05 * self.harmonics(now) + 0.25 * now.wander(self.key(phase), 600)
            }),
            "thd_current" => {
                build.point(address, move |now| self.harmonics(now) + 0.6 * now.wander(self.key(phase), 240));
            }
            "voltage_unbalance" => build.point(address, move |now| self.bus.unbalance(now)),
            "current_unbalance" => {
                build.point(address, move |now| spread([0, 1, 2].map(|phase| self.current(now, phase))));
            }
            "demand_power" => {
                // Mean of the last quarter of an hour that is over.
                build.point(address, move |now| 4.0 * (now.stock_held(self.energy) - now.held(self.earlier)));
            }
            _ => {}
        }
    }

    fn key(&self, phase: usize) -> u64 {
        self.key.wrapping_add(self.bus.keys.get(phase).copied().unwrap_or(0))
    }

    fn share(&self, phase: usize) -> f64 {
        self.shares.get(phase).copied().unwrap_or(0.0)
    }

    fn apparent(&self, now: &Moment<'_>) -> f64 {
        now.flow(self.power).hypot(now.flow(self.reactive))
    }

    fn power_factor(&self, now: &Moment<'_>) -> f64 {
        let apparent = self.apparent(now);
        if apparent > 1e-6 { now.flow(self.power) / apparent } else { 0.0 }
    }

    fn current(&self, now: &Moment<'_>, phase: usize) -> f64 {
        self.share(phase) * self.apparent(now) * 1_000.0 / self.bus.volts(now, phase)
    }

    /// Total harmonic distortion of the current, %: the lighter the load, the larger the part of
    /// electronic supplies in it.
    fn harmonics(&self, now: &Moment<'_>) -> f64 {
        self.distortion * (1.0 + 60.0 / (120.0 + now.flow(self.power).abs()))
    }
}

/// The quantity without its phase, and the phase.
fn of_phase(quantity: &str) -> (&str, Option<usize>) {
    for (ending, phase) in [("_a", 0), ("_b", 1), ("_c", 2)] {
        if let Some(name) = quantity.strip_suffix(ending) {
            return (name, Some(phase));
        }
    }
    for (between, phase) in [("voltage_ab", 0), ("voltage_bc", 1), ("voltage_ca", 2)] {
        if quantity == between {
            return ("voltage_between", Some(phase));
        }
    }
    (quantity, None)
}
