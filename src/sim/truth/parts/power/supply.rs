//! From the town's 10 kV to the low-voltage bus: incomers, two dry transformers, capacitors, breakers.
//!
//! The tie between the two sections stands open; each transformer bears its own section.

use super::meter::{Bus, Meter};
use crate::sim::truth::noise::key;
use crate::sim::truth::{Build, Flow, Knot, Level, Moment};

/// One of two dry transformers, 10/0.4 kV, class F. Losses as usual for this size (no-load loss,
/// load loss at 120 °C), from makers' tables; the simulation needs their size only.
const RATED_KVA: f64 = 1_250.0;
const NO_LOAD_KW: f64 = 1.8;
const LOAD_KW: f64 = 9.7;
/// kvar it draws for its field, and for its leakage at full load (6 % impedance).
const FIELD_KVAR: f64 = 10.0;
const LEAKAGE_KVAR: f64 = 75.0;
/// kvar of one capacitor stage, and how many there are.
const STAGE_KVAR: f64 = 25.0;
const STAGES: f64 = 12.0;
/// Reactive over active power the compensation aims at: tan(acos 0.97).
const TAN_WANTED: f64 = 0.2506;
/// The winding's mean rise at full load, K, and its exponent; hours of its inertia. IEC 60076-11
/// allows 100 K in class F; makers stay below.
const RISE_K: f64 = 92.0;
const RISE_EXPONENT: f64 = 1.6;
const INERTIA_H: f64 = 0.8;
/// The fans go on and off at these winding temperatures, °C; alarm and trip of a class F winding.
const FAN_ON: f64 = 85.0;
const FAN_OFF: f64 = 75.0;
const ALARM: f64 = 130.0;
const TRIP: f64 = 150.0;

const HIGH: &[&str] = &[
    "voltage_ab",
    "voltage_bc",
    "voltage_ca",
    "current_a",
    "current_b",
    "current_c",
    "power",
    "reactive_power",
    "power_factor",
    "energy",
];
const LOW: &[&str] = &[
    "voltage_a",
    "voltage_b",
    "voltage_c",
    "current_a",
    "current_b",
    "current_c",
    "power",
    "reactive_power",
    "apparent_power",
    "power_factor",
    "frequency",
    "thd_voltage_a",
    "thd_voltage_b",
    "thd_voltage_c",
    "thd_current_a",
    "thd_current_b",
    "thd_current_c",
    "voltage_unbalance",
    "current_unbalance",
    "energy",
    "reactive_energy",
];
const MAIN: &[&str] = &[
    "energy",
    "energy_import",
    "energy_export",
    "reactive_energy",
    "reactive_energy_export",
    "voltage_a",
    "voltage_b",
    "voltage_c",
    "current_a",
    "current_b",
    "current_c",
    "frequency",
    "power_a",
    "power_b",
    "power_c",
    "power",
    "reactive_power",
    "apparent_power",
    "power_factor_a",
    "power_factor_b",
    "power_factor_c",
    "power_factor",
    "voltage_ratio",
    "current_ratio",
];

struct Names {
    incomer: &'static str,
    transformer: &'static str,
    bus: &'static str,
    capacitor: &'static str,
    incomer_kwh: f64,
    transformer_kwh: f64,
}

const SECTIONS: [Names; 2] = [
    Names {
        incomer: "incomer-1",
        transformer: "transformer-1",
        bus: "bus-section-1",
        capacitor: "capacitor-1",
        incomer_kwh: 4_310_220.5,
        transformer_kwh: 4_226_117.4,
    },
    Names {
        incomer: "incomer-2",
        transformer: "transformer-2",
        bus: "bus-section-2",
        capacitor: "capacitor-2",
        incomer_kwh: 6_802_941.7,
        transformer_kwh: 6_688_340.9,
    },
];

/// What a section of the bus draws, kW and kvar.
#[derive(Clone, Copy)]
pub struct Drawn {
    /// kW.
    pub power: Flow,
    /// kvar before capacitors.
    pub reactive: Flow,
}

/// A section as its transformer bears it.
#[derive(Clone, Copy)]
struct Borne {
    /// kW, and kvar that capacitors leave.
    power: Flow,
    reactive: Flow,
    /// kvar that capacitors give.
    given: Flow,
    /// kW that become heat in the transformer, and kvar it draws itself.
    loss: Flow,
    field: Flow,
    /// Load over rated load.
    loading: Level,
}

impl Borne {
    fn new(build: &mut Build, drawn: Drawn) -> Borne {
        let given = build.flow();
        let borne = Borne {
            power: drawn.power,
            reactive: build.sum(&[(drawn.reactive, 1.0), (given, -1.0)]),
            given,
            loss: build.flow(),
            field: build.flow(),
            loading: build.level(0.4),
        };
        build.step(move |knot| {
            let (power, reactive) = (knot.flow(drawn.power), knot.flow(drawn.reactive));
            // Stages go in one by one as reactive power is drawn.
            let missing = reactive - TAN_WANTED * power;
            let given = (missing / STAGE_KVAR).ceil().clamp(0.0, STAGES) * STAGE_KVAR;
            let loading = power.hypot(reactive - given) / RATED_KVA;
            knot.set(borne.given, given);
            knot.set(borne.loss, NO_LOAD_KW + LOAD_KW * loading.powi(2));
            knot.set(borne.field, FIELD_KVAR + LEAKAGE_KVAR * loading.powi(2));
            knot.set_level(borne.loading, loading);
        });
        borne
    }
}

/// Both sections, the transformers before them, and the meter of all.
pub fn add(build: &mut Build, sections: [Drawn; 2]) {
    let borne = sections.map(|drawn| Borne::new(build, drawn));
    let room = transformer_room(build, borne);
    let [first, second] = SECTIONS;
    let [one, two] = borne;
    let one = section(build, &first, one, room);
    let two = section(build, &second, two, room);
    let (power, reactive) =
        (build.total(&[one.power, two.power]), build.total(&[one.reactive, two.reactive]));
    let bus = Bus::high("main-meter");
    Meter::new(build, "main-meter", (power, reactive), bus, (612_480.37, 188_402.11)).tell(build, MAIN);
    build.point("bus-tie/breaker", |_| 0.0);
}

/// Temperature of the electrical room, °C: cooled, and warmed by losses.
fn transformer_room(build: &mut Build, sections: [Borne; 2]) -> Level {
    let room = build.level(24.0);
    build.step(move |knot| {
        let loading: f64 = sections.iter().map(|borne| knot.level(borne.loading)).sum();
        let to = 19.0 + 0.27 * (knot.weather.temperature - 10.0).max(-4.0) + 3.6 * loading;
        approach(knot, room, to.max(16.0), 5.0);
    });
    let unrest = key("electrical-room");
    build.point("electrical-room/temperature", move |now| now.level(room) + 0.15 * now.wander(unrest, 180));
    room
}

/// Steps a level towards where it would stay, with so many hours of inertia.
pub fn approach(knot: &mut Knot<'_>, level: Level, to: f64, hours: f64) {
    let left = (-knot.hours() / hours).exp();
    let now = to + (knot.level(level) - to) * left;
    knot.set_level(level, now);
}

fn section(build: &mut Build, names: &Names, borne: Borne, room: Level) -> Drawn {
    let flows = (borne.power, borne.reactive);
    let first = (names.transformer_kwh, 0.27 * names.transformer_kwh);
    Meter::new(build, names.transformer, flows, Bus::low(names.transformer), first).tell(build, LOW);
    let power = build.total(&[borne.power, borne.loss]);
    let reactive = build.total(&[borne.reactive, borne.field]);
    let first = (names.incomer_kwh, 0.31 * names.incomer_kwh);
    Meter::new(build, names.incomer, (power, reactive), Bus::high(names.incomer), first).tell(build, HIGH);
    windings(build, names.transformer, borne.loading, room);
    joints(build, names.bus, borne.loading, room);
    for (asset, quantity) in [(names.incomer, "breaker"), (names.bus, "incomer_breaker")] {
        build.point(&format!("{asset}/{quantity}"), |_| 1.0);
    }
    build.point(&format!("{}/protection_trip", names.incomer), |_| 0.0);
    let stages = move |now: &Moment<'_>| (now.flow(borne.given) / STAGE_KVAR).round();
    build.point(&format!("{}/stages", names.capacitor), stages);
    build.point(&format!("{}/reactive_power", names.capacitor), move |now| now.flow(borne.given));
    Drawn { power, reactive }
}

/// Three windings and the core: they follow load and room with inertia; fans beyond 85 °C.
fn windings(build: &mut Build, asset: &'static str, loading: Level, room: Level) {
    let fault = build.fault("winding_heating", asset);
    let [a, b, c] = [1.5, 3.0, -1.0].map(|more| (build.level(45.0), more));
    let (core, fan) = (build.level(55.0), build.level(0.0));
    build.step(move |knot| {
        let rise = RISE_K * knot.level(loading).powf(RISE_EXPONENT);
        let cooled = 1.0 - 0.18 * knot.level(fan);
        // A blocked air duct: one winding gets warmer, its neighbours a little.
        let blocked = knot.fault(fault);
        for ((level, more), share) in [a, b, c].into_iter().zip([0.35, 1.0, 0.35]) {
            let to = knot.level(room) + 4.0 + more + (rise + share * blocked * (62.0 + 0.6 * rise)) * cooled;
            approach(knot, level, to, INERTIA_H);
        }
        let to = knot.level(room) + 33.0 + 0.25 * rise + 14.0 * blocked;
        approach(knot, core, to, 2.0);
        let hottest = [a, b, c].map(|(level, _)| knot.level(level)).into_iter().fold(f64::MIN, f64::max);
        let on = hottest > FAN_ON || knot.level(fan) > 0.5 && hottest > FAN_OFF;
        knot.set_level(fan, f64::from(u8::from(on)));
    });
    let unrest = key(asset);
    for (letter, level, number) in [("a", a.0, 0), ("b", b.0, 1), ("c", c.0, 2), ("d", core, 3)] {
        build.point(&format!("{asset}/temperature_{letter}"), move |now| {
            now.level(level) + 0.3 * now.wander(unrest.wrapping_add(number), 240)
        });
    }
    let hottest = move |now: &Moment<'_>| {
        [a, b, c].map(|(level, _)| now.level(level)).into_iter().fold(f64::MIN, f64::max)
    };
    build.point(&format!("{asset}/fan"), move |now| now.held(fan));
    build.point(&format!("{asset}/alarm"), move |now| f64::from(u8::from(hottest(now) > ALARM)));
    build.point(&format!("{asset}/trip"), move |now| f64::from(u8::from(hottest(now) > TRIP)));
}

/// Joints of the busbars behind the incoming breaker: warm by the square of the current.
fn joints(build: &mut Build, asset: &'static str, loading: Level, room: Level) {
    let fault = build.fault("joint_heating", asset);
    let joints = [("a", 1.0, 0.0), ("b", 1.06, 1.0), ("c", 0.97, 0.12)];
    for (letter, resistance, loose) in joints {
        let level = build.level(32.0);
        build.step(move |knot| {
            // A loose bolt: many times the resistance, so it shows with the load.
            let times = resistance + loose * 4.5 * knot.fault(fault);
            let to = knot.level(room) + 3.0 + 46.0 * times * knot.level(loading).powf(1.8);
            approach(knot, level, to, 0.6);
        });
        let unrest = key(asset).wrapping_add(key(letter));
        build.point(&format!("{asset}/joint_temperature_{letter}"), move |now| {
            now.level(level) + 0.2 * now.wander(unrest, 90)
        });
    }
}
