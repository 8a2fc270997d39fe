//! What stands by: the transfer switch of the essential bus, the diesel generator with its weekly run
//! without load, and supplies without interruption.

use super::super::{Item, Supply, Use};
use super::loads::{COMPUTING_METER, Placed};
use super::meter::{Bus, frequency};
use super::supply::approach;
use crate::sim::truth::noise::key;
use crate::sim::truth::{Build, Civil, DayKind, Fault, Flow, Level, Moment, Stock};

/// kW it is built for, and litres of its day tank.
const RATED_KW: f64 = 400.0;
const TANK_L: f64 = 1_000.0;
/// Litres an hour without load, and with the essential bus on it (about 0.26 l/kWh beyond idling).
const IDLE_LPH: f64 = 14.0;
const LOADED_LPH: f64 = 48.0;
/// Refilled below this, on the next morning of a working day.
const REFILL_L: f64 = 820.0;
const NEED_L: f64 = 250.0;
/// The weekly run: Wednesdays from ten to half past, then two minutes of cooling down.
const TEST_WEEKDAY: i64 = 2;
const TEST_FROM_H: f64 = 10.0;
const TEST_TO_H: f64 = 10.5;
const COOLING_S: f64 = 120.0;
/// Seconds until it cranks, until it is at speed, until it is warm.
const CRANK_S: f64 = 5.0;
const SPEED_S: f64 = 9.0;
const WARM_S: f64 = 40.0;

/// The generator's run, as its controller sees it.
#[derive(Clone, Copy, PartialEq)]
enum Run {
    Stopped,
    /// So many seconds after the start.
    Since(f64),
    /// It runs without load until it is cool.
    Cooling,
}

fn weekly(civil: &Civil) -> Run {
    let seconds = (civil.hour - TEST_FROM_H) * 3_600.0;
    let cooling = (civil.hour - TEST_TO_H) * 3_600.0;
    if civil.weekday != TEST_WEEKDAY || seconds < 0.0 || cooling >= COOLING_S {
        Run::Stopped
    } else if cooling >= 0.0 {
        Run::Cooling
    } else {
        Run::Since(seconds)
    }
}

fn run(now: &Moment<'_>, lost: Fault) -> Run {
    // How long ago the mains failed is not known here; within seconds it is warm.
    if now.fault(lost) > 0.0 { Run::Since(WARM_S) } else { weekly(&now.civil) }
}

/// Share of its speed.
fn speed(run: Run) -> f64 {
    match run {
        Run::Stopped => 0.0,
        Run::Since(seconds) => ((seconds - CRANK_S) / (SPEED_S - CRANK_S)).clamp(0.0, 1.0),
        Run::Cooling => 1.0,
    }
}

fn flag(is: bool) -> f64 {
    f64::from(u8::from(is))
}

/// Changes over and back: how often it has been, and whether the last one was counted.
#[derive(Clone, Copy)]
struct Events {
    count: Level,
    counted: Level,
}

impl Events {
    fn new(build: &mut Build, lost: Fault, first: f64) -> Events {
        let events = Events { count: build.level(first), counted: build.level(0.0) };
        build.step(move |knot| {
            let acts = knot.fault(lost) > 0.0;
            if acts && knot.level(events.counted) < 0.5 {
                let count = knot.level(events.count) + 1.0;
                knot.set_level(events.count, count);
            }
            knot.set_level(events.counted, flag(acts));
        });
        events
    }

    /// With the one that has just begun.
    fn at(self, now: &Moment<'_>, acts: bool) -> f64 {
        now.held(self.count) + flag(acts && now.held(self.counted) < 0.5)
    }
}

/// The transfer switch before `essential` (kW, kvar): what the generator gives instead of the bus,
/// kW and kvar, while the fault "`ats_transfer`" acts.
pub fn transfer(build: &mut Build, essential: (Flow, Flow), bus: Bus) -> (Flow, Flow) {
    let lost = build.fault("ats_transfer", "ats-1");
    let power = build.part(essential.0, lost);
    let reactive = build.part(essential.1, lost);
    let events = Events::new(build, lost, 38.0);
    tell_switch(build, lost, events);
    let starts = starts(build);
    tell_engine(build, lost);
    tell_registers(build, lost, power, move |now| {
        now.held(starts) + events.at(now, now.fault(lost) > 0.0) - 38.0
    });
    tell_electric(build, lost, (power, reactive), bus);
    (power, reactive)
}

fn tell_switch(build: &mut Build, lost: Fault, events: Events) {
    for (quantity, value) in
        [("mode", 16.0), ("generator_start_1", 0.0), ("priority", 1.0), ("test_on_load", 0.0)]
    {
        build.point(&format!("ats-1/{quantity}"), move |_| value);
    }
    build.point("ats-1/position", move |now| if now.fault(lost) >= 0.5 { 3.0 } else { 2.0 });
    build.point("ats-1/generator_start_2", move |now| flag(run(now, lost) != Run::Stopped));
    build.point("ats-1/source_1", move |now| if now.fault(lost) > 0.0 { 0.0 } else { 2.0 });
    build.point("ats-1/source_2", move |now| 2.0 * flag(speed(run(now, lost)) >= 1.0));
    build.point("ats-1/test_off_load", move |now| {
        flag(now.fault(lost) <= 0.0 && matches!(weekly(&now.civil), Run::Since(_)))
    });
    build.point("ats-1/cycles", move |now| {
        let on_second = now.fault(lost) >= 0.5;
        2.0 * events.at(now, on_second) - flag(on_second)
    });
}

/// Starts for weekly runs since it was set up.
fn starts(build: &mut Build) -> Level {
    let starts = build.level(214.0);
    build.step(move |knot| {
        if knot.civil.weekday == TEST_WEEKDAY && (knot.civil.hour - TEST_FROM_H).abs() < 0.01 {
            let count = knot.level(starts) + 1.0;
            knot.set_level(starts, count);
        }
    });
    starts
}

fn tell_engine(build: &mut Build, lost: Fault) {
    let (coolant, oil) = (build.level(41.0), build.level(36.0));
    build.step(move |knot| {
        let loaded = knot.fault(lost);
        let runs = loaded > 0.0 || weekly(&knot.civil) != Run::Stopped;
        // The jacket heater keeps a standing engine ready to bear load.
        let to = if runs { 79.0 + 8.0 * loaded } else { 40.0 + 0.12 * (knot.weather.temperature - 15.0) };
        approach(knot, coolant, to, if runs { 0.18 } else { 1.8 });
        let to = if runs { 84.0 + 12.0 * loaded } else { 33.0 + 0.2 * (knot.weather.temperature - 15.0) };
        approach(knot, oil, to, if runs { 0.3 } else { 2.5 });
    });
    let unrest = key("generator-1");
    build.point("generator-1/coolant_temperature", move |now| now.level(coolant));
    build.point("generator-1/oil_temperature", move |now| now.level(oil));
    build.point("generator-1/oil_pressure", move |now| {
        speed(run(now, lost)) * (430.0 - 1.1 * (now.level(oil) - 40.0) + 6.0 * now.wander(unrest, 20))
    });
    build.point("generator-1/speed", move |now| {
        speed(run(now, lost)) * (1_500.0 + 2.5 * now.wander(unrest, 7))
    });
    build.point("generator-1/battery_voltage", move |now| {
        let charging = if speed(run(now, lost)) > 0.0 { 0.9 } else { 0.0 };
        let cranking = matches!(run(now, lost), Run::Since(seconds) if seconds < CRANK_S);
        27.1 + charging - 5.2 * flag(cranking) + 0.06 * now.wander(unrest, 900)
    });
    build.point("generator-1/charger_voltage", move |now| 28.3 * speed(run(now, lost)));
    build.point("generator-1/mode", move |now| {
        let testing = now.fault(lost) <= 0.0 && matches!(weekly(&now.civil), Run::Since(_));
        if testing { 6.0 } else { 1.0 }
    });
    build.point("generator-1/state", move |now| match run(now, lost) {
        Run::Stopped => 0.0,
        Run::Since(seconds) if seconds < CRANK_S => 1.0,
        Run::Since(seconds) if seconds < WARM_S => 2.0,
        Run::Since(_) => 3.0,
        Run::Cooling => 4.0,
    });
    for quantity in ["alarm", "shutdown", "electrical_trip"] {
        build.point(&format!("generator-1/{quantity}"), |_| 0.0);
    }
}

/// What it has burnt, given and run.
fn tell_registers(
    build: &mut Build,
    lost: Fault,
    power: Flow,
    starts: impl Fn(&Moment<'_>) -> f64 + Send + Sync + 'static,
) {
    let (burnt, ran, filled) = (build.flow(), build.flow(), build.flow());
    build.leak(burnt, lost, LOADED_LPH);
    build.leak(ran, lost, 1.0);
    let tank: Stock = build.stock(&[(burnt, -1.0), (filled, 1.0)], 930.0);
    build.step(move |knot| {
        // Knots of ten, a quarter past: with half of the quarters before and after it is half an hour.
        let hour = knot.civil.hour;
        let runs = knot.civil.weekday == TEST_WEEKDAY && (TEST_FROM_H..TEST_TO_H).contains(&hour);
        knot.set(ran, flag(runs));
        knot.set(burnt, IDLE_LPH * flag(runs));
        let held = knot.stock_before(tank);
        let morning = (9.0..9.5).contains(&hour) && knot.civil.kind == DayKind::Work;
        // In need the lorry comes at any hour.
        let fills = morning && held < REFILL_L || held < NEED_L;
        knot.set(filled, 400.0 * flag(fills));
    });
    let hours = build.counter(ran, 412.6);
    let energy = build.counter(power, 18_604.2);
    build.point("generator-1/fuel_level", move |now| now.stock(tank) / TANK_L * 100.0);
    build.point("generator-1/operating_hours", move |now| now.stock(hours));
    build.point("generator-1/energy", move |now| now.stock(energy));
    build.point("generator-1/starts", starts);
}

fn tell_electric(build: &mut Build, lost: Fault, flows: (Flow, Flow), bus: Bus) {
    let unrest = key("generator-1").wrapping_add(1);
    for (phase, letter) in ["a", "b", "c"].into_iter().enumerate() {
        let volts = move |now: &Moment<'_>| {
            speed(run(now, lost)) * (230.5 + 0.4 * now.wander(unrest.wrapping_add(phase as u64), 12))
        };
        build.point(&format!("generator-1/voltage_{letter}"), volts);
        build.point(&format!("generator-1/current_{letter}"), move |now| {
            let amperes = now.flow(flows.0).hypot(now.flow(flows.1)) * 1_000.0 / (3.0 * 230.5);
            if volts(now) > 1.0 { amperes } else { 0.0 }
        });
        build.point(&format!("generator-1/mains_voltage_{letter}"), move |now| {
            if now.fault(lost) > 0.0 { 0.0 } else { bus.volts(now, phase) }
        });
    }
    build.point("generator-1/frequency", move |now| {
        speed(run(now, lost)) * (50.0 - 0.6 * now.flow(flows.0) / RATED_KW + 0.05 * now.wander(unrest, 7))
    });
    build.point("generator-1/power", move |now| now.flow(flows.0));
    build.point("generator-1/load", move |now| now.flow(flows.0) / RATED_KW * 100.0);
}

/// Two supplies without interruption: computers, and the call and monitoring systems of the wards.
pub fn without_interruption(build: &mut Build, bus: Bus) -> Vec<Placed> {
    let large = Supplied::new(build, "ups-1", 10.8, 0.945);
    let small = Supplied::new(build, "ups-2", 1.32, 0.92);
    tell_large(build, large, bus);
    tell_small(build, small, bus);
    [(large, "technology-building"), (small, "main-building")]
        .map(|(ups, building)| Placed {
            draw: Use {
                asset: ups.asset,
                building,
                supply: Supply::Power,
                item: Item::Computing,
                flow: ups.input,
                vital: true,
            },
            meter: COMPUTING_METER,
        })
        .into()
}

#[derive(Clone, Copy)]
struct Supplied {
    asset: &'static str,
    key: u64,
    output: Flow,
    input: Flow,
    room: Level,
}

impl Supplied {
    fn new(build: &mut Build, asset: &'static str, size_kw: f64, efficiency: f64) -> Supplied {
        let output = build.flow();
        build.step(move |knot| {
            let unrest = 0.03 * (2.0 * knot.draw(asset) - 1.0);
            knot.set(output, size_kw * (0.9 + 0.09 * knot.people.staff + unrest));
        });
        let input = build.sum(&[(output, 1.0 / efficiency)]);
        let room = build.level(26.0);
        build.step(move |knot| {
            let to = 24.5 + 0.08 * (knot.weather.temperature - 15.0) + 1.5 * knot.people.staff;
            approach(knot, room, to, 4.0);
        });
        Supplied { asset, key: key(asset), output, input, room }
    }

    fn warm(self, now: &Moment<'_>) -> f64 {
        now.level(self.room) + 0.2 * now.wander(self.key, 400)
    }

    /// Seconds a charged battery of so many kWh lasts.
    fn runtime(self, now: &Moment<'_>, kwh: f64) -> f64 {
        (kwh / now.flow(self.output).max(0.1) * 3_600.0).round()
    }
}

fn tell_large(build: &mut Build, ups: Supplied, bus: Bus) {
    const SHARES: [(&str, f64); 3] = [("a", 0.36), ("b", 0.33), ("c", 0.31)];
    /// kVA of a phase, and the power factor of computers.
    const PHASE_KVA: f64 = 20.0 / 3.0;
    const COS_PHI: f64 = 0.97;
    for (phase, (letter, share)) in SHARES.into_iter().enumerate() {
        let volts = move |now: &Moment<'_>| 220.4 + 0.25 * now.wander(ups.key.wrapping_add(phase as u64), 15);
        let power = move |now: &Moment<'_>| share * now.flow(ups.output);
        let point = |quantity: &str| format!("ups-1/{quantity}_{letter}");
        build.point(&point("input_voltage"), move |now| bus.volts(now, phase));
        build.point(&point("output_voltage"), volts);
        build.point(&point("output_current"), move |now| power(now) * 1_000.0 / COS_PHI / volts(now));
        build.point(&point("output_power"), power);
        build.point(&point("load"), move |now| power(now) / COS_PHI / PHASE_KVA * 100.0);
    }
    build.point("ups-1/input_frequency", frequency);
    build.point("ups-1/output_frequency", frequency);
    build.point("ups-1/temperature", move |now| ups.warm(now) + 6.0);
    build.point("ups-1/battery_voltage", move |now| 436.0 + 0.4 * now.wander(ups.key, 1_200));
    build.point("ups-1/battery_runtime", move |now| ups.runtime(now, 7.4));
    for (quantity, value) in [
        ("state", 2.0),
        ("battery_current", 0.0),
        ("battery_state", 3.0),
        ("battery_charge", 100.0),
        ("battery_low", 0.0),
        ("alarm_overload", 0.0),
        ("alarm_battery_maintenance", 0.0),
    ] {
        build.point(&format!("ups-1/{quantity}"), move |_| value);
    }
}

fn tell_small(build: &mut Build, ups: Supplied, bus: Bus) {
    let energy = build.counter(ups.output, 8_204.6);
    let volts = move |now: &Moment<'_>| 229.5 + 0.4 * now.wander(ups.key.wrapping_add(9), 15);
    build.point("ups-2/input_voltage_a", move |now| bus.volts(now, 0));
    build.point("ups-2/output_voltage_a", volts);
    build.point("ups-2/output_current_a", move |now| now.flow(ups.output) * 1_000.0 / volts(now));
    build.point("ups-2/output_frequency", frequency);
    build.point("ups-2/output_energy", move |now| now.stock(energy));
    build.point("ups-2/load", move |now| now.flow(ups.output) / 2.7 * 100.0);
    build.point("ups-2/efficiency", move |now| now.flow(ups.output) / now.flow(ups.input) * 100.0);
    build.point("ups-2/temperature", move |now| ups.warm(now) + 4.0);
    build.point("ups-2/battery_voltage", move |now| 54.6 + 0.1 * now.wander(ups.key, 1_200));
    build.point("ups-2/battery_runtime", move |now| ups.runtime(now, 0.72));
    build.point("ups-2/battery_charge", |_| 100.0);
    build.point("ups-2/battery_replace", |_| 0.0);
}
