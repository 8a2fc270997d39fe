//! Balances, faults, calm, and the scene of the demo.

use super::super::tests::{self as held, FaultCase, GENESIS};
use super::*;
use crate::config::Plan;
use crate::point::UtcMs;
use crate::sim::truth::{Courses, Truth};

const HOUR_MS: i64 = 3_600_000;
const QUARTER_MS: i64 = HOUR_MS / 4;
const SOURCES: [&str; 8] = [
    "gas-stations",
    "gas-zones",
    "lifts-main",
    "lifts-others",
    "energy-centre-water",
    "fire-water",
    "cold-chain",
    "cold-sensors",
];
/// Those of the main file.
const BESIDES: [&str; 4] =
    ["oxygen-manifold/pressure", "vacuum-plant/vacuum", "pharmacy-fridge/temperature", "lift-1/floor"];
const ZONES: [&str; 10] = [
    "emergency",
    "icu",
    "surgery",
    "ward-3f",
    "ward-4f",
    "ward-5f",
    "ward-6f",
    "ward-7f",
    "ward-8f",
    "infectious",
];

/// What each fault moves, at one asset of its kind.
const FAULTS: &[FaultCase] = &[
    (
        "drifting_lift_door",
        "lift-3",
        &[
            "lift-3/door",
            "lift-3/door_close_time",
            "lift-3/door_cycles",
            "lift-3/door_open_time",
            "lift-3/door_reopenings",
        ],
    ),
    (
        "lift_entrapment",
        "lift-4",
        &[
            "lift-4/alarm",
            "lift-4/current",
            "lift-4/direction",
            "lift-4/door",
            "lift-4/door_close_time",
            "lift-4/door_cycles",
            "lift-4/door_open_time",
            "lift-4/door_reopenings",
            "lift-4/fault",
            "lift-4/floor",
            "lift-4/levelled",
            "lift-4/levelling_offset",
            "lift-4/load",
            "lift-4/motor_temperature",
            "lift-4/occupied",
            "lift-4/operating_hours",
            "~lift-4/rope_diameter",
            "lift-4/speed",
            "lift-4/torque",
            "lift-4/trapped",
            "lift-4/trips",
        ],
    ),
    ("rope_wear", "lift-2", &["lift-2/levelling_offset", "lift-2/rope_diameter"]),
    (
        "oxygen_leak",
        "oxygen-manifold",
        &[
            "gas-room/alarm_1_1",
            "gas-room/oxygen",
            "gas-zone-emergency/oxygen_pressure",
            "gas-zone-icu/oxygen_pressure",
            "gas-zone-infectious/oxygen_pressure",
            "gas-zone-surgery/oxygen_pressure",
            "gas-zone-ward-3f/oxygen_pressure",
            "gas-zone-ward-4f/oxygen_pressure",
            "gas-zone-ward-5f/oxygen_pressure",
            "gas-zone-ward-6f/oxygen_pressure",
            "gas-zone-ward-7f/oxygen_pressure",
            "gas-zone-ward-8f/oxygen_pressure",
            "lox-tank-1/contents",
            "lox-tank-1/flow",
            "lox-tank-1/level",
            "lox-tank-1/pressure",
            "lox-tank-1/state",
            "lox-tank-2/contents",
            "lox-tank-2/flow",
            "lox-tank-2/level",
            "lox-tank-2/pressure",
            "lox-tank-2/state",
            "lox-vaporizer/outlet_temperature",
            "oxygen-manifold/flow",
            "oxygen-manifold/pressure",
            "oxygen-manifold/volume",
        ],
    ),
    (
        "missed_refill",
        "lox-tank-1",
        &[
            "lox-tank-1/contents",
            "lox-tank-1/flow",
            "lox-tank-1/level",
            "lox-tank-1/pressure",
            "lox-tank-1/state",
            "lox-tank-2/contents",
            "lox-tank-2/flow",
            "lox-tank-2/level",
            "lox-tank-2/pressure",
            "lox-tank-2/state",
        ],
    ),
    (
        "oxygen_zone_low",
        "gas-zone-surgery",
        &["gas-zone-surgery/alarm", "gas-zone-surgery/oxygen_pressure", "gas-zone-surgery/oxygen_state"],
    ),
    (
        "oxygen_low",
        "oxygen-manifold",
        &[
            "gas-zone-emergency/alarm",
            "gas-zone-emergency/oxygen_pressure",
            "gas-zone-emergency/oxygen_state",
            "gas-zone-icu/alarm",
            "gas-zone-icu/oxygen_pressure",
            "gas-zone-icu/oxygen_state",
            "gas-zone-infectious/alarm",
            "gas-zone-infectious/oxygen_pressure",
            "gas-zone-infectious/oxygen_state",
            "gas-zone-surgery/alarm",
            "gas-zone-surgery/oxygen_pressure",
            "gas-zone-surgery/oxygen_state",
            "gas-zone-ward-3f/alarm",
            "gas-zone-ward-3f/oxygen_pressure",
            "gas-zone-ward-3f/oxygen_state",
            "gas-zone-ward-4f/alarm",
            "gas-zone-ward-4f/oxygen_pressure",
            "gas-zone-ward-4f/oxygen_state",
            "gas-zone-ward-5f/alarm",
            "gas-zone-ward-5f/oxygen_pressure",
            "gas-zone-ward-5f/oxygen_state",
            "gas-zone-ward-6f/alarm",
            "gas-zone-ward-6f/oxygen_pressure",
            "gas-zone-ward-6f/oxygen_state",
            "gas-zone-ward-7f/alarm",
            "gas-zone-ward-7f/oxygen_pressure",
            "gas-zone-ward-7f/oxygen_state",
            "gas-zone-ward-8f/alarm",
            "gas-zone-ward-8f/oxygen_pressure",
            "gas-zone-ward-8f/oxygen_state",
            "oxygen-manifold/pressure",
        ],
    ),
    (
        "vacuum_weakness",
        "vacuum-plant",
        &[
            "gas-zone-emergency/vacuum_pressure",
            "gas-zone-icu/vacuum_pressure",
            "gas-zone-infectious/vacuum_pressure",
            "gas-zone-surgery/vacuum_pressure",
            "gas-zone-ward-3f/vacuum_pressure",
            "gas-zone-ward-4f/vacuum_pressure",
            "gas-zone-ward-5f/vacuum_pressure",
            "gas-zone-ward-6f/vacuum_pressure",
            "gas-zone-ward-7f/vacuum_pressure",
            "gas-zone-ward-8f/vacuum_pressure",
            "vacuum-plant/vacuum",
            "vacuum-pump-1/current",
            "vacuum-pump-1/operating_hours",
            "vacuum-pump-1/running",
            "vacuum-pump-1/starts",
            "vacuum-pump-1/temperature",
            "vacuum-pump-2/current",
            "vacuum-pump-2/operating_hours",
            "vacuum-pump-2/running",
            "vacuum-pump-2/starts",
            "vacuum-pump-2/temperature",
            "vacuum-pump-3/current",
            "vacuum-pump-3/operating_hours",
            "vacuum-pump-3/running",
            "vacuum-pump-3/starts",
            "vacuum-pump-3/temperature",
        ],
    ),
    (
        "residual_chlorine_low",
        "sewage-station",
        &["sewage-dosing/flow", "sewage-dosing/level", "sewage-station/residual_chlorine"],
    ),
    ("fridge_door_open", "pharmacy-fridge", &["pharmacy-fridge/temperature"]),
    (
        "fridge_door_open",
        "blood-fridge-1",
        &[
            "blood-fridge-1/alarm_door",
            "blood-fridge-1/alarm_high",
            "blood-fridge-1/compressor",
            "blood-fridge-1/door",
            "blood-fridge-1/temperature",
        ],
    ),
    (
        "pump_wear",
        "booster-1",
        &["booster-1/energy", "booster-1/power", "booster-1/pump_power_1", "booster-1/pump_speed_1"],
    ),
];

fn truth(seed: u64, faults: &Courses) -> Truth {
    held::truth(add, seed, faults)
}

fn value(truth: &Truth, point: &str, at: UtcMs) -> f64 {
    truth.value(&point.parse().unwrap(), at).unwrap_or_else(|| panic!("{point}"))
}

/// A state or a counter.
#[expect(clippy::cast_possible_truncation, reason = "small whole numbers")]
fn count(truth: &Truth, point: &str, at: UtcMs) -> i64 {
    value(truth, point, at).round() as i64
}

fn faulty(kind: &str, asset: &str, from_h: i64, to_h: i64) -> Courses {
    let mut faults = Courses::default();
    let corners = [(from_h, 0.0), (from_h, 1.0), (to_h, 1.0), (to_h, 0.0)];
    let corners = corners.map(|(hour, size)| (UtcMs(GENESIS.0 + hour * HOUR_MS), size));
    faults.add(kind, asset).set(corners.to_vec());
    faults
}

#[test]
fn every_point_of_its_files_is_told_and_no_other() {
    let plan = held::plan();
    held::tells_what_is_read(add, &held::read_by(&plan, &SOURCES, &BESIDES));
}

#[test]
fn a_year_without_faults_is_calm() {
    held::stays_calm(add, &held::plan(), 1..=3);
}

#[test]
fn faults_move_what_they_should_and_nothing_else() {
    let plan: Plan = held::plan();
    for case in FAULTS {
        held::fault_moves(add, &plan, *case, 7);
    }
}

fn at_quarter(number: i64) -> UtcMs {
    UtcMs(GENESIS.0 + number * QUARTER_MS)
}

/// What zones took by their own meters, in m3 of gas, from knot to knot: exact, as they run in straight lines.
fn taken(truth: &Truth, from: i64) -> f64 {
    let all = |at: UtcMs| -> f64 {
        let flow = |zone: &str| value(truth, &format!("gas-zone-{zone}/oxygen_flow"), at);
        ZONES.iter().map(|zone| flow(zone)).sum::<f64>() * 60.0 / 1_000.0
    };
    f64::midpoint(all(at_quarter(from)), all(at_quarter(from + 1))) / 4.0
}

/// Over a week with a leak: zones and leak are what passed the manifold, and what passed it came from
/// the tanks and the concentrator. Only the lorry adds, and it adds a load.
#[test]
fn oxygen_is_neither_made_nor_lost() {
    let truth = truth(3, &faulty("oxygen_leak", "oxygen-manifold", 30, 78));
    let tanks = ["lox-tank-1", "lox-tank-2"];
    let told = |point: &str, quarter: i64| value(&truth, point, at_quarter(quarter));
    let held = |quarter: i64| -> f64 {
        let contents: f64 = tanks.iter().map(|tank| told(&format!("{tank}/contents"), quarter)).sum();
        contents + told("oxygen-manifold/volume", quarter) - told("psa-plant/volume", quarter)
    };
    let filling = |quarter: i64| tanks.iter().any(|tank| told(&format!("{tank}/state"), quarter) > 1.5);
    let (mut zones, mut brought) = (0.0, 0.0);
    for quarter in 0..7 * 96 {
        zones += taken(&truth, quarter);
        let more = held(quarter + 1) - held(quarter);
        if filling(quarter) || filling(quarter + 1) {
            brought += more;
        } else {
            assert!(more.abs() < 1e-6, "{more} m3 came from nowhere in quarter {quarter}");
        }
    }
    let passed = told("oxygen-manifold/volume", 7 * 96) - told("oxygen-manifold/volume", 0);
    assert!((passed - zones - oxygen::LEAK * 48.0).abs() < 1e-6, "{passed} {zones}");
    assert!((3_000.0..16_000.0).contains(&brought), "{brought}");
}

/// The lorry comes on days of work, to one tank and then to the other.
#[test]
fn the_tanks_are_filled_in_turn() {
    let truth = truth(2, &Courses::default());
    let filling = |tank: &str, hour: i64| {
        count(&truth, &format!("{tank}/state"), UtcMs(GENESIS.0 + hour * HOUR_MS / 2)) == 2
    };
    let mut filled = Vec::new();
    for hour in 0..60 * 48 {
        for tank in ["lox-tank-1", "lox-tank-2"] {
            if filling(tank, hour) && filled.last() != Some(&tank) {
                assert!((hour / 48) % 7 < 5, "{tank} at half hour {hour}");
                filled.push(tank);
            }
        }
    }
    assert!(filled.len() >= 6, "{filled:?}");
}

/// If the lorry never comes again the tanks run dry, never below, and the cylinders take over.
#[test]
fn without_the_lorry_the_reserve_takes_over() {
    let mut faults = Courses::default();
    for tank in ["lox-tank-1", "lox-tank-2"] {
        faults.add("missed_refill", tank).set(vec![(GENESIS, 1.0), (at_quarter(40 * 96), 1.0)]);
    }
    let truth = truth(1, &faults);
    let mut needed = false;
    for hour in 0..30 * 24 {
        let at = at_quarter(hour * 4);
        let least = value(&truth, "lox-tank-1/contents", at).min(value(&truth, "lox-tank-2/contents", at));
        assert!(least > 50.0, "{least} after {hour} h");
        needed |= value(&truth, "oxygen-manifold/reserve", at) > 0.5;
        assert!(value(&truth, "oxygen-manifold/right_bank_pressure", at) > 0.0);
    }
    assert!(needed);
}

#[test]
fn what_the_water_tank_took_and_gave_is_what_its_content_changed_by() {
    let truth = truth(5, &Courses::default());
    let told = |point: &str, at: i64| value(&truth, point, UtcMs(GENESIS.0 + at));
    let balance = |at: i64| {
        told("water-tank/volume", at) - told("water-tank/inlet_volume", at)
            + told("water-tank/outlet_volume", at)
    };
    let boosters = ["booster-1/flow", "booster-2/flow", "booster-3/flow"];
    for step in 0..7 * 24 * 10 {
        let at = step * 6 * 60_000 + step % 7 * 1_013;
        assert!((balance(at) - balance(0)).abs() < 1e-6, "{at}");
        let drawn: f64 = boosters.iter().map(|point| told(point, at)).sum();
        assert!((drawn - told("water-tank/outlet_flow", at)).abs() < 1e-9, "{at}");
    }
    assert!(told("water-tank/inlet_volume", 7 * 24 * HOUR_MS) > told("water-tank/inlet_volume", 0) + 500.0);
}

/// The demo's scene: at once below the limit of 0.34 MPa, the zones with it, and back.
#[test]
fn oxygen_falls_to_three_tenths_and_returns() {
    let truth = truth(1, &faulty("oxygen_low", "oxygen-manifold", 2, 3));
    let at = |minutes: i64| UtcMs(GENESIS.0 + minutes * 60_000);
    assert!(value(&truth, "oxygen-manifold/pressure", at(119)) > 0.39);
    assert!((value(&truth, "oxygen-manifold/pressure", at(150)) - 0.300).abs() < 1e-9);
    for zone in ZONES {
        let pressure = value(&truth, &format!("gas-zone-{zone}/oxygen_pressure"), at(150));
        assert!((0.28..0.30).contains(&pressure), "{zone}: {pressure}");
        assert_eq!(count(&truth, &format!("gas-zone-{zone}/oxygen_state"), at(150)), 1);
    }
    assert!(value(&truth, "oxygen-manifold/pressure", at(181)) > 0.39);
}

/// Ten kelvin a minute, to at most 14 °C, and below 8 °C again soon after it was shut.
#[test]
fn an_open_door_passes_the_limit_within_half_a_minute() {
    for seed in 1..6 {
        let truth = truth(seed, &faulty("fridge_door_open", "pharmacy-fridge", 2, 3));
        let at = |seconds: i64| {
            value(&truth, "pharmacy-fridge/temperature", UtcMs(GENESIS.0 + 2 * HOUR_MS + seconds * 1_000))
        };
        assert!((3.0..6.5).contains(&at(-1)), "{}", at(-1));
        assert!(at(30) > 8.0, "{}", at(30));
        assert!((13.0..=14.0).contains(&at(600)), "{}", at(600));
        assert!(at(3_700) < 8.0, "{}", at(3_700));
    }
}

/// A lift's door, car and counters tell one story, second by second of a busy morning.
#[test]
fn a_lift_moves_with_its_doors_shut_from_floor_to_floor() {
    let truth = truth(2, &Courses::default());
    for lift in 1..=6 {
        let at = |second: i64| UtcMs(GENESIS.0 + 9 * HOUR_MS + second * 1_000);
        let told =
            |quantity: &str, second: i64| count(&truth, &format!("lift-{lift}/{quantity}"), at(second));
        let speed = |second: i64| value(&truth, &format!("lift-{lift}/speed"), at(second));
        let (mut rode, mut opened) = (0, 0);
        for second in 0..1_800 {
            let (door, rides) = (told("door", second), speed(second) != 0.0);
            assert!(door == 0 || (!rides && told("levelled", second) == 1), "lift {lift}, {second}");
            assert_eq!(told("direction", second) == 1, speed(second) > 0.0);
            assert_eq!(told("current", second) > 0, rides);
            let step = (told("floor", second + 1) - told("floor", second)).abs();
            // There is no floor 0.
            assert!(step <= 2, "lift {lift}, {second}: {step} floors in a second");
            rode += i32::from(rides);
            opened += i32::from(door == 2);
        }
        assert!(rode > 25 && opened > 25, "lift {lift}: {rode} s, {opened} s");
        let more = |quantity: &str| told(quantity, 1_800) - told(quantity, 0);
        assert_eq!(more("door_cycles"), more("trips") + more("door_reopenings"));
        assert!((3..45).contains(&more("trips")), "lift {lift}: {}", more("trips"));
    }
}

/// From one moment on a lift hangs between two floors with its doors shut and somebody in it, calls, and
/// counts nothing; afterwards its trips go on where they were, and no other lift has noticed.
#[test]
fn a_lift_with_a_trapped_person_stands_still_in_all_it_tells() {
    for lift in 1..=6 {
        let asset = format!("lift-{lift}");
        let truth = truth(2, &faulty("lift_entrapment", &asset, 9, 10));
        let at = |second: i64| UtcMs(GENESIS.0 + 9 * HOUR_MS + second * 1_000);
        let told = |quantity: &str, second: i64| count(&truth, &format!("{asset}/{quantity}"), at(second));
        let counters = ["trips", "door_cycles", "door_reopenings", "operating_hours"];
        let before = counters.map(|counter| told(counter, -1));
        let floor = told("floor", 0);
        for second in (0..3_600).step_by(11) {
            for (signal, on) in [
                ("trapped", 1),
                ("alarm", 1),
                ("fault", 1),
                ("occupied", 1),
                ("levelled", 0),
                ("door", 0),
                ("direction", 0),
            ] {
                assert_eq!(told(signal, second), on, "{asset}/{signal} after {second} s");
            }
            assert!(value(&truth, &format!("{asset}/speed"), at(second)).abs() < 1e-9);
            assert_eq!(told("floor", second), floor, "{asset} after {second} s");
            assert_eq!(counters.map(|counter| told(counter, second)), before, "{asset} after {second} s");
        }
        assert_eq!([told("trapped", -1), told("trapped", 3_600), told("alarm", 3_600)], [0, 0, 0]);
        assert!(told("trips", 3 * 3_600) > before[0] + 2, "{asset} does not ride again");
        let other = format!("lift-{}/trapped", lift % 6 + 1);
        assert_eq!(count(&truth, &other, at(1_800)), 0);
    }
}

/// Each Tuesday at half past eight both fire pumps run for ten minutes, one after the other: pressure rises
/// everywhere, power and current flow, the energy is that of twenty minutes, and nothing is alarmed.
#[test]
fn the_fire_pumps_run_for_ten_minutes_each_tuesday() {
    let plan = held::plan();
    let truth = Truth::hospital(GENESIS, 2, &Courses::default());
    let limits: Vec<_> = plan.rules.iter().filter(|rule| truth.points().contains_key(&rule.point)).collect();
    for week in [0, 7, 40] {
        let midnight = UtcMs(GENESIS.0 + (7 * week + 1) * 24 * HOUR_MS);
        let at = |minutes: i64| UtcMs(midnight.0 + 8 * HOUR_MS + minutes * 60_000);
        let told = |point: &str, minutes: i64| value(&truth, point, at(minutes));
        for (pump, from) in [("fire-pump-1", 30), ("fire-pump-2", 45)] {
            let runs = |minutes: i64| count(&truth, &format!("{pump}/running"), at(minutes));
            assert_eq!(
                [-1, 0, 9, 10].map(|minutes| runs(from + minutes)),
                [0, 1, 1, 0],
                "{pump}, week {week}"
            );
            let amperes = |minutes: i64| told(&format!("{pump}/current"), from + minutes);
            assert!(amperes(-1) == 0.0 && (40.0..55.0).contains(&amperes(5)) && amperes(10) == 0.0);
            let starts = |minutes: i64| count(&truth, &format!("{pump}/starts"), at(from + minutes));
            assert_eq!([starts(0), starts(7 * 24 * 60)], [starts(-1) + 1, starts(-1) + 2]);
            let rise = |point: &str| told(point, from + 5) - told(point, from - 2);
            for point in ["jockey-pump/pressure", "hydrant-main/pressure", "sprinkler-main/pressure"] {
                assert!((0.06..0.28).contains(&rise(point)), "{point} rises by {}", rise(point));
            }
            assert!(
                told("meter-water-plant/power", from + 5) > told("meter-water-plant/power", from - 1) + 15.0
            );
        }
        for minutes in 25..70 {
            let values = truth.values(at(minutes));
            for rule in &limits {
                let value = values[truth.points()[&rule.point]];
                assert!(!held::crossed(rule, value), "{} is {value} {minutes} min after eight", rule.point);
            }
        }
    }
    let tuesday = |hour: i64| UtcMs(GENESIS.0 + (24 + hour) * HOUR_MS);
    assert_eq!(count(&truth, "fire-pump-1/running", tuesday(24 + 8)), 0, "not on Wednesdays");
    // The rest of the water plant by its own meters, and twenty minutes of 25 kW.
    let counted = |point: &str| value(&truth, point, tuesday(9)) - value(&truth, point, tuesday(8));
    let means = |minutes: i64| {
        value(&truth, "meter-water-plant/power", UtcMs(tuesday(8).0 + minutes * 60_000 + 30_000))
    };
    let sum: f64 = (0..60).map(means).sum::<f64>() / 60.0;
    assert!(
        (counted("meter-water-plant/energy") - sum).abs() < 0.05,
        "{} {sum}",
        counted("meter-water-plant/energy")
    );
}

/// Nothing that is measured leaps: within a second a pressure or a temperature moves by little.
#[test]
fn what_is_measured_moves_smoothly() {
    let truth = truth(4, &Courses::default());
    for (point, most) in [
        ("oxygen-manifold/pressure", 0.002),
        ("vacuum-plant/vacuum", 0.8),
        ("medical-air-plant/pressure", 0.01),
        ("pharmacy-fridge/temperature", 0.1),
        ("plasma-freezer/temperature", 0.1),
        ("blood-fridge-2/temperature", 0.1),
        ("jockey-pump/pressure", 0.01),
        ("booster-1/outlet_pressure", 0.05),
        ("lox-tank-1/level", 0.1),
    ] {
        let mut before = value(&truth, point, GENESIS);
        for second in 1..20_000 {
            let now = value(&truth, point, UtcMs(GENESIS.0 + second * 1_000));
            assert!((now - before).abs() < most, "{point}: {before} to {now} at {second} s");
            before = now;
        }
    }
}
