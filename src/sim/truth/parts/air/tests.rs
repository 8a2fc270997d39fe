//! Held to the configuration, to a calm year, to its faults, and to what heat and water do.

use super::super::tests::{self as held, FaultCase, GENESIS};
use super::*;
use crate::point::UtcMs;
use crate::sim::truth::{Courses, Truth};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
const SOURCES: [&str; 10] = [
    "chiller-plant",
    "chiller-drives",
    "air-main",
    "air-outpatient",
    "air-technology",
    "theatres",
    "infectious",
    "boiler-house",
    "hot-water-station",
    "room-sensors",
];
/// Those of the main file.
const BESIDES: [&str; 15] = [
    "chiller-1/supply_temperature",
    "chiller-1/return_temperature",
    "chiller-1/running",
    "ahu-1/supply_air_temperature",
    "ahu-1/mode",
    "ahu-1/fan_running",
    "ahu-1/filter_clogged",
    "ahu-1/fan_stage",
    "ahu-1/supply_air_flow",
    "ahu-1/filter_pressure_drop",
    "or-1/differential_pressure",
    "or-1/temperature",
    "or-1/humidity",
    "ward-3a/temperature",
    "ward-3a/humidity",
];

/// What each fault moves, at the assets the script may name; beside it only meters upstream.
const FAULTS: &[FaultCase] = &[
    (
        "clogging_filter",
        "ahu-1",
        &[
            "ahu-1/filter_pressure_drop",
            "ahu-1/filter_clogged",
            "ahu-1/fan_frequency",
            "ahu-1/fan_power",
            "ahu-1/fan_energy",
        ],
    ),
    (
        "clogging_filter",
        "ahu-5",
        &["ahu-5/filter", "ahu-5/alarm", "ahu-5/supply_fan", "ahu-5/power", "ahu-5/energy"],
    ),
    (
        "stuck_valve",
        "ahu-7",
        &[
            "ahu-7/cooling_valve",
            "ahu-7/supply_air_temperature",
            "ahu-7/return_air_temperature",
            "ahu-7/mixed_air_temperature",
            "clinical-laboratory/temperature",
            "clinical-laboratory/humidity",
            "pathology/temperature",
            "pathology/humidity",
        ],
    ),
    (
        "stuck_damper",
        "ahu-8",
        &["ahu-8/outdoor_damper", "ahu-8/mixed_air_temperature", "ahu-8/cooling_valve"],
    ),
    (
        "fouled_condenser",
        "chiller-1",
        &[
            "chiller-1/condensing_temperature",
            "chiller-1/power",
            "chiller-1/current",
            "chiller-1/energy",
            "chiller-1/condenser_out_temperature",
            "condenser-water/return_temperature",
        ],
    ),
    (
        "refrigerant_loss",
        "chiller-2",
        &[
            "chiller-2/suction_temperature_1",
            "chiller-2/discharge_temperature_1",
            "chiller-2/condensing_temperature",
            "chiller-2/capacity",
            "chiller-2/power",
            "chiller-2/current",
            "chiller-2/energy",
            "chiller-2/condenser_out_temperature",
            "condenser-water/return_temperature",
        ],
    ),
    ("feeder_trip", "feeder-imaging", trips::IMAGING),
    ("feeder_trip", "feeder-air-conditioning", trips::AIR_CONDITIONING),
    ("water_on_floor", "leak-data-centre", &["leak-data-centre/leak"]),
    ("water_on_floor", "leak-laundry", &["leak-laundry/leak"]),
    ("or_pressure_lost", "or-1", &["or-1/differential_pressure", "or-1/pressure_alarm"]),
    ("or_pressure_lost", "or-3", &["or-3/differential_pressure", "or-3/pressure_alarm"]),
    ("or_pressure_lost", "isolation-2", &["isolation-2/differential_pressure", "isolation-2/pressure_alarm"]),
];

fn calm(seed: u64) -> Truth {
    held::truth(add, seed, &Courses::default())
}

fn value(truth: &Truth, point: &str, at: UtcMs) -> f64 {
    truth.value(&point.parse().unwrap(), at).unwrap_or_else(|| panic!("{point}"))
}

fn at(day: i64, ms: i64) -> UtcMs {
    UtcMs(GENESIS.0 + day * DAY_MS + ms)
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
    let plan = held::plan();
    for case in FAULTS {
        held::fault_moves(add, &plan, *case, 6);
    }
}

/// What a chiller takes up and draws, its condenser gives off, as its own sensors show it; also while it
/// starts and stops, and with a fouled condenser.
#[test]
fn heat_given_off_is_heat_taken_up_and_power() {
    let mut faults = Courses::default();
    let corners = [(at(20, 0), 0.0), (at(40, 0), 1.0), (at(400, 0), 1.0)];
    faults.add("fouled_condenser", "chiller-1").set(corners.to_vec());
    let truth = held::truth(add, 3, &faults);
    for quarter in (0..366 * 96).step_by(7) {
        let now = at(0, quarter * 15 * MINUTE_MS + 391_003);
        let get = |point: &str| value(&truth, point, now);
        let taken = |chiller: &str| {
            let spread =
                get(&format!("{chiller}/return_temperature")) - get(&format!("{chiller}/supply_temperature"));
            physics::WATER * get(&format!("{chiller}/chilled_flow")) * spread
        };
        let (first, second) = (taken("chiller-1"), taken("chiller-2"));
        assert!((first + second - get("chilled-water/power")).abs() < 1e-6, "{first} {second} at {now:?}");
        let power = get("chiller-1/power") + get("chiller-2/power");
        let spread = get("condenser-water/return_temperature") - get("condenser-water/supply_temperature");
        let rejected = physics::WATER * get("condenser-water/flow") * spread;
        assert!((rejected - first - second - power).abs() < 1e-6, "{rejected} at {now:?}");
        assert!((2.5..11.0).contains(&(first / get("chiller-1/power"))), "{first} at {now:?}");
    }
}

/// The tanks keep what sun and boiler bring less what is drawn and lost, reckoned here in steps of a minute.
#[test]
fn the_tanks_keep_what_is_not_drawn() {
    let truth = calm(2);
    let heat = |now: UtcMs| -> f64 {
        let tanks = ["hot-water-tank-1", "hot-water-tank-2"];
        let mean = |tank: &str| {
            let [top, bottom] =
                ["top", "bottom"].map(|end| value(&truth, &format!("{tank}/temperature_{end}"), now));
            f64::midpoint(top, bottom)
        };
        tanks.map(mean).iter().sum::<f64>() * 10.0 * physics::WATER
    };
    let mut brought = 0.0;
    let days = 3;
    for minute in 0..days * 24 * 60 {
        let now = at(150, minute * MINUTE_MS + MINUTE_MS / 2);
        let get = |point: &str| value(&truth, point, now);
        let second = f64::midpoint(
            get("hot-water-tank-2/temperature_top"),
            get("hot-water-tank-2/temperature_bottom"),
        );
        let cold = weather_at(now, 2).mains_water;
        let drawn = get("hot-water/flow") * physics::WATER * (second - cold);
        brought += (get("solar-collectors/power") + get("hot-water-exchanger/power") - drawn - 11.0) / 60.0;
    }
    let kept = heat(at(150 + days, 0)) - heat(at(150, 0));
    // Some thousand kWh have passed; sensors waver by a tenth of a degree, 2 kWh.
    assert!((kept - brought).abs() < 8.0, "{kept} {brought}");
}

fn weather_at(now: UtcMs, seed: u64) -> crate::sim::truth::Weather {
    crate::sim::truth::weather::weather(now, &crate::sim::truth::calendar::civil(now), seed)
}

/// The gas that is burnt is what heating and hot water need, over an efficiency that such boilers have.
#[test]
fn gas_burnt_is_heat_over_efficiency() {
    let truth = calm(1);
    for hour in (0..366 * 24).step_by(5) {
        let now = at(0, hour * HOUR_MS + 1_234_567);
        let get = |point: &str| value(&truth, point, now);
        let warm = get("heating-exchanger/power") + get("hot-water-exchanger/power");
        let burnt = get("boiler-2/gas_flow") * physics::GAS;
        assert!((0.92..0.99).contains(&(warm / burnt)), "{warm} kW of {burnt} kW");
        let steam = get("steam-header/flow") * 670.0;
        let burnt = get("boiler-1/gas_flow") * physics::GAS;
        assert!((0.9..0.93).contains(&(steam / burnt)), "{steam} kW of {burnt} kW");
    }
}

/// A filter fills up, and at some time of a year falls, once, by a change.
#[test]
fn filters_fill_and_are_changed() {
    let truth = calm(1);
    let drop = |day: i64| value(&truth, "ahu-7/filter_pressure_drop", at(day, 3 * HOUR_MS));
    let falls: Vec<i64> = (1..366).filter(|day| drop(*day) < drop(day - 1) - 10.0).collect();
    assert!((1..=4).contains(&falls.len()), "{falls:?}");
    assert!(drop(360) > 0.0 && falls.iter().all(|day| drop(day - 1) > 90.0 && drop(*day) < 77.0));
}

/// Doors of operating rooms follow the operations, and each opening costs some pressure, never all.
#[test]
fn doors_follow_what_goes_on() {
    let truth = calm(1);
    let opened = |from: i64, to: i64| {
        let seconds = (from * 3_600..to * 3_600).step_by(3);
        seconds.filter(|second| value(&truth, "or-1/door", at(1, second * 1_000)) > 0.5).count()
    };
    let (day, night) = (opened(10, 13), opened(1, 4));
    assert!(day > 4 * night.max(1), "{day} {night}");
    let pressure = (0..24 * 3_600)
        .step_by(7)
        .map(|second| value(&truth, "or-1/differential_pressure", at(1, second * 1_000)));
    assert!(pressure.clone().all(|pascals| (10.0..14.0).contains(&pascals)));
}

/// The second chiller comes with the load and not with every quarter of an hour.
#[test]
fn chillers_are_staged_by_load() {
    let truth = calm(1);
    let running =
        |quarter: i64| value(&truth, "chiller-2/running", at(0, quarter * 15 * MINUTE_MS + 60_000)) > 0.5;
    let starts = (1..366 * 96).filter(|quarter| running(*quarter) && !running(quarter - 1)).count();
    let hours = (0..366 * 96).filter(|quarter| running(*quarter)).count() / 4;
    assert!((40..600).contains(&starts), "{starts}");
    assert!((1_500..7_000).contains(&hours), "{hours}");
}

/// The steadiest promise to whoever watched the first demo: its points stay where they were.
#[test]
fn the_first_points_stay_in_their_usual_ranges() {
    let usual = [
        ("chiller-1/supply_temperature", 6.0, 8.0),
        ("chiller-1/return_temperature", 9.9, 14.0),
        ("ahu-1/supply_air_flow", 6_100.0, 6_300.0),
        ("ahu-1/filter_pressure_drop", 100.0, 140.0),
        ("ahu-1/supply_air_temperature", 17.3, 18.7),
        ("or-1/differential_pressure", 10.0, 14.0),
        ("or-1/temperature", 22.0, 23.0),
        ("or-1/humidity", 44.0, 53.0),
        ("ward-3a/temperature", 22.4, 24.8),
    ];
    for seed in [1, 5] {
        let truth = calm(seed);
        for hour in (0..366 * 24).step_by(3) {
            let now = at(0, hour * HOUR_MS + 77_000);
            for (point, low, high) in usual {
                let seen = value(&truth, point, now);
                assert!((low..high).contains(&seen), "{point} is {seen} at {now:?}");
            }
        }
    }
}
