//! What this part is held to: its points, balances, calm, faults, and the graph of who feeds whom.

use super::super::Item;
use super::super::tests::plan;
use super::*;
use crate::config::{self, Plan, Point};
use crate::point::{Address, UtcMs, ValueKind};
use crate::sim::truth::{Courses, Truth};
use std::collections::BTreeSet;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
/// 2025-11-03 00:00 in China, a Monday.
const GENESIS: UtcMs = UtcMs(1_762_099_200_000);
/// The buses this part is read on.
const BUSES: [&str; 9] = [
    "electrical-room-supply",
    "electrical-room-feeders",
    "electrical-room-residual",
    "main-building-power",
    "technology-building-power",
    "outpatient-power",
    "energy-centre-power",
    "water-meters",
    "energy-centre-utilities",
];

/// Machines of other parts, one of each kind, as large as they are in summer.
fn machines(build: &mut Build) -> Vec<Use> {
    let kinds = [
        ("chiller-1", "main-building", Supply::Power, Item::CoolingHeating, 180.0, false),
        ("chilled-pump-1", "main-building", Supply::Power, Item::CoolingHeating, 40.0, false),
        ("boiler-1", "energy-centre", Supply::Power, Item::CoolingHeating, 12.0, false),
        ("ahu-3", "main-building", Supply::Power, Item::AirHandling, 14.0, false),
        ("ahu-5", "outpatient-building", Supply::Power, Item::AirHandling, 9.0, false),
        ("ahu-7", "technology-building", Supply::Power, Item::AirHandling, 9.0, false),
        ("ahu-9", "infectious-building", Supply::Power, Item::AirHandling, 7.0, false),
        ("ahu-1", "main-building", Supply::Power, Item::Clean, 22.0, true),
        ("lift-1", "main-building", Supply::Power, Item::Machines, 12.0, true),
        ("lift-5", "outpatient-building", Supply::Power, Item::Machines, 6.0, false),
        ("booster-1", "energy-centre", Supply::Power, Item::Machines, 8.0, false),
        ("fire-pump-1", "energy-centre", Supply::Power, Item::Machines, 2.0, true),
        ("vacuum-plant", "energy-centre", Supply::Power, Item::MedicalGas, 45.0, true),
        ("blood-fridge-1", "technology-building", Supply::Power, Item::Services, 1.0, true),
        ("pharmacy-fridge", "main-building", Supply::Power, Item::Services, 0.4, false),
        ("water-tank", "energy-centre", Supply::Water, Item::Machines, 9.0, false),
        ("condenser-water", "main-building", Supply::Water, Item::CoolingHeating, 3.0, false),
        ("hot-water", "energy-centre", Supply::Water, Item::CoolingHeating, 2.5, false),
        ("boiler-1", "energy-centre", Supply::Gas, Item::CoolingHeating, 90.0, false),
        ("laundry", "energy-centre", Supply::Steam, Item::Services, 0.3, false),
        ("kitchen", "main-building", Supply::Steam, Item::Services, 0.2, false),
        ("sterile-store", "technology-building", Supply::Steam, Item::Services, 0.25, false),
        ("steam-header", "main-building", Supply::Steam, Item::Clean, 0.1, false),
    ];
    kinds
        .into_iter()
        .map(|(asset, building, supply, item, size, vital)| {
            let flow = build.flow();
            build.step(move |knot| knot.set(flow, size * (0.4 + 0.6 * knot.people.staff)));
            Use { asset, building, supply, item, flow, vital }
        })
        .collect()
}

fn truth(genesis: UtcMs, seed: u64, faults: &Courses) -> Truth {
    Truth::of(genesis, seed, faults, |build| {
        let uses = machines(build);
        add(build, &uses);
        assert!(build.twice().is_empty(), "told twice: {:?}", build.twice());
    })
}

fn of<'a>(plan: &'a Plan, address: &Address) -> &'a Point {
    plan.points.iter().find(|point| point.address == *address).unwrap_or_else(|| panic!("{address}"))
}

fn in_full(kind: &str, asset: &str) -> Courses {
    let mut faults = Courses::default();
    let corners = [(DAY_MS, 0.0), (DAY_MS + 60 * MINUTE_MS, 1.0), (99 * DAY_MS, 1.0)];
    faults.add(kind, asset).set(corners.map(|(at, size)| (UtcMs(GENESIS.0 + at), size)).to_vec());
    faults
}

#[test]
fn every_point_of_the_configuration_is_told_and_no_other() {
    let plan = plan();
    let devices = plan.buses.iter().flat_map(|bus| {
        let ours = BUSES.contains(&bus.id.as_str());
        bus.devices.iter().filter(move |device| ours || device.id.as_str() == "meter-main")
    });
    let read: BTreeSet<Address> =
        devices.flat_map(|device| &device.registers).map(|register| register.point.clone()).collect();
    let told: BTreeSet<Address> = truth(GENESIS, 1, &Courses::default()).points().keys().cloned().collect();
    let (missing, needless): (Vec<_>, Vec<_>) =
        (read.difference(&told).collect(), told.difference(&read).collect());
    assert!(missing.is_empty() && needless.is_empty(), "missing {missing:?}, needless {needless:?}");
}

/// Five days of each month of a year: in the range always, inside what is normal 99 % of the time.
#[test]
fn a_calm_hospital_is_in_range_and_looks_calm() {
    let plan = plan();
    for seed in 1..=3 {
        let mut strange = std::collections::BTreeMap::new();
        let mut moments = 0_u32;
        for month in 0..12 {
            let truth = truth(UtcMs(GENESIS.0 + month * 30 * DAY_MS), seed, &Courses::default());
            for quarter in 0..5 * 24 {
                let at = UtcMs(truth.genesis().0 + quarter * 61 * MINUTE_MS + quarter * 7_000);
                let values = truth.values(at);
                moments += 1;
                for (address, place) in truth.points() {
                    if let Some((low, high)) = of(&plan, address).range {
                        let range = low.to_f64()..=high.to_f64();
                        assert!(
                            range.contains(&values[*place]),
                            "{address} {} {at:?} {seed}",
                            values[*place]
                        );
                    }
                    if let Some((low, high)) = normal(&plan, address)
                        && !(low..=high).contains(&values[*place])
                    {
                        strange.entry(address.clone()).or_insert_with(Vec::new).push(values[*place]);
                    }
                }
            }
        }
        let told: Vec<_> =
            strange.iter().filter(|(_, seen)| u32::try_from(seen.len()).unwrap() * 100 > moments).collect();
        assert!(told.is_empty(), "not normal too often of {moments} moments: {told:?}");
    }
}

fn normal(plan: &Plan, address: &Address) -> Option<(f64, f64)> {
    let asset = plan.assets.iter().find(|asset| asset.id == address.asset)?;
    let (_, band) = asset.normal.iter().find(|(name, _)| **name == address.quantity)?;
    Some((band.0.to_f64(), band.1.to_f64()))
}

/// Main meters and what hangs on each: at any moment, with every fault of this part acting.
#[test]
fn what_the_sub_meters_counted_is_what_the_main_meters_counted() {
    let mut faults = Courses::default();
    for (number, (kind, asset, _)) in (0..).zip(FAULTS) {
        let from = GENESIS.0 + (20 + 7 * number) * 60 * MINUTE_MS + 12_345;
        let corners = [
            (from, 0.0),
            (from + 4_000, 1.0),
            (from + 3 * 60 * MINUTE_MS, 1.0),
            (from + 4 * 60 * MINUTE_MS, 0.0),
        ];
        faults.add(kind, asset).set(corners.map(|(at, size)| (UtcMs(at), size)).to_vec());
    }
    let truth = truth(GENESIS, 5, &faults);
    let sum = |values: &[f64], assets: &[&str], quantity: &str| -> f64 {
        assets
            .iter()
            .map(|asset| values[truth.points()[&format!("{asset}/{quantity}").parse::<Address>().unwrap()]])
            .sum()
    };
    let first = truth.values(GENESIS);
    for step in 0..500 {
        let at = UtcMs(GENESIS.0 + step * 13 * MINUTE_MS + step * 777);
        let values = truth.values(at);
        let counted =
            |assets: &[&str], quantity: &str| sum(&values, assets, quantity) - sum(&first, assets, quantity);
        for feeder in &FEEDERS {
            let subs: Vec<_> = SUBS.iter().filter(|sub| sub.feeder == feeder.id).map(|sub| sub.id).collect();
            assert!(
                (counted(&subs, "energy") - counted(&[feeder.id], "energy")).abs() < 1e-5,
                "{}",
                feeder.id
            );
            assert!((sum(&values, &subs, "power") - sum(&values, &[feeder.id], "power")).abs() < 1e-8);
        }
        let feeders: Vec<_> = FEEDERS.iter().map(|feeder| feeder.id).collect();
        let transformers = ["transformer-1", "transformer-2"];
        let supplied = [transformers[0], transformers[1], "generator-1"];
        assert!((counted(&feeders, "energy") - counted(&supplied, "energy")).abs() < 1e-5);
        let incomers = ["incomer-1", "incomer-2"];
        assert!((counted(&incomers, "energy") - counted(&["main-meter"], "energy")).abs() < 1e-5);
        // What the transformers lose: 1.8 kW each, and less than 10 kW more.
        let lost = sum(&values, &incomers, "power") - sum(&values, &transformers, "power");
        assert!((3.6..22.0).contains(&lost), "{lost}");
        let water: Vec<_> = water::meters().collect();
        assert!((counted(&water, "volume") - counted(&["water-meter-town"], "volume")).abs() < 1e-6);
        let gas = ["gas-meter-boilers", "gas-meter-kitchen"];
        assert!((counted(&gas, "volume") - counted(&["gas-meter-main"], "volume")).abs() < 1e-6);
        let steam = [
            "steam-meter-kitchen",
            "steam-meter-laundry",
            "steam-meter-technology",
            "steam-meter-humidifiers",
        ];
        assert!((counted(&steam, "mass") - counted(&["steam-meter-main"], "mass")).abs() < 1e-6);
    }
}

/// What a change must exceed to be seen: five counts of the register; a state shows any change.
fn visible(point: &Point) -> f64 {
    if !point.states.is_empty() || point.kind == ValueKind::Bool {
        return 0.5;
    }
    let shown = 10_f64.powi(-i32::from(point.decimals));
    let count = point.count().map_or(shown, |(count, _)| count.to_f64());
    // What counts events counts one by one.
    let events = point.unit.code() == "1" && point.decimals == 0;
    if events { 0.5 } else { 5.0 * if count < 1.0 || point.decimals == 0 { count } else { shown } }
}

#[test]
fn a_fault_moves_its_points_and_beside_them_only_meters_upstream() {
    let plan = plan();
    let calm = truth(GENESIS, 1, &Courses::default());
    let mut wrong = Vec::new();
    for (kind, asset, expected) in FAULTS {
        let faulty = truth(GENESIS, 1, &in_full(kind, asset));
        let mut most = vec![0.0_f64; calm.points().len()];
        for step in 0..3 * 24 * 12 {
            let at = UtcMs(GENESIS.0 + DAY_MS + step * 5 * MINUTE_MS + step % 60 * 1_000);
            for ((most, was), is) in most.iter_mut().zip(calm.values(at)).zip(faulty.values(at)) {
                *most = most.max((was - is).abs());
            }
        }
        let moved = |least: &dyn Fn(&Address) -> f64| -> BTreeSet<String> {
            let seen = calm.points().iter().filter(|(address, place)| most[**place] > least(address));
            seen.map(|(address, _)| address.to_string()).collect()
        };
        let expected: BTreeSet<String> = expected.iter().map(|text| (*text).to_owned()).collect();
        let seen = moved(&|address| visible(of(&plan, address)));
        let hidden: Vec<_> = expected.difference(&seen).collect();
        let touched = moved(&|_| 1e-6);
        let others: Vec<_> = touched.difference(&expected).filter(|text| !upstream(text)).collect();
        if !hidden.is_empty() || !others.is_empty() {
            wrong.push(format!("{kind} at {asset} does not show in {hidden:?}, and it moves {others:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What adds up the whole hospital, and what the load of a transformer warms.
fn upstream(text: &str) -> bool {
    let asset = text.split('/').next().unwrap_or_default();
    [
        "main-meter",
        "incomer-",
        "transformer-",
        "bus-section-",
        "capacitor-",
        "electrical-room",
        "water-meter-town",
    ]
    .iter()
    .any(|start| asset.starts_with(start))
}

/// Every use of the whole hospital hangs on a sub-meter there is, and draws what a meter can count.
#[test]
fn every_use_hangs_on_one_sub_meter() {
    let mut build = Build::new(&Courses::default());
    for draw in machines(&mut build) {
        match draw.supply {
            Supply::Power => assert_eq!(SUBS.iter().filter(|sub| sub.id == tree::meter_of(&draw)).count(), 1),
            Supply::Water => {
                assert!(water::meters().any(|id| id == water::meter_of(&draw)), "{}", draw.asset);
            }
            Supply::Gas | Supply::Steam => {}
        }
    }
    for placed in loads::add(&mut build) {
        assert_eq!(SUBS.iter().filter(|sub| sub.id == placed.meter).count(), 1, "{}", placed.meter);
    }
    for sub in &SUBS {
        assert!(FEEDERS.iter().any(|feeder| feeder.id == sub.feeder), "{}", sub.id);
    }
}

/// Who is fed by which meter stands in the configuration, too, for every machine of the hospital.
#[test]
fn the_graph_of_the_configuration_is_that_of_the_meters() {
    let plan = plan();
    let mut build = Build::new(&Courses::default());
    let mut uses = super::super::air::add(&mut build);
    uses.extend(super::super::gas::add(&mut build));
    let mut wanted: BTreeSet<(&str, &str)> =
        loads::add(&mut build).iter().map(|one| (one.meter, one.draw.asset)).collect();
    wanted.extend(
        uses.iter()
            .filter(|draw| draw.supply == Supply::Power)
            .map(|draw| (tree::meter_of(draw), draw.asset)),
    );
    let fed = |(meter, asset): &(&str, &str)| {
        plan.feeds.iter().any(|feed| {
            feed.medium == config::Medium::Power
                && feed.from.iter().any(|from| from.as_str() == *meter)
                && feed.to.iter().any(|to| to.as_str() == *asset)
        })
    };
    let missing: Vec<_> = wanted.iter().filter(|edge| !fed(edge)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    for sub in &SUBS {
        assert!(wanted.iter().any(|(meter, _)| *meter == sub.id), "nothing hangs on {}", sub.id);
    }
    let draws: Vec<_> = uses.iter().filter(|draw| draw.supply == Supply::Water).collect();
    let idle: Vec<_> = [water::TANK, water::COOLING, water::HEATING]
        .into_iter()
        .filter(|meter| !draws.iter().any(|draw| water::meter_of(draw) == *meter))
        .collect();
    assert!(idle.is_empty(), "nothing hangs on {idle:?}");
}

/// The whole hospital: what the main meter shows over the year.
#[test]
fn the_main_meter_shows_what_a_hospital_draws() {
    let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
    for month in 0..12 {
        let truth = Truth::hospital(UtcMs(GENESIS.0 + month * 30 * DAY_MS), 2, &Courses::default());
        for step in 12..5 * 48 {
            let at = UtcMs(truth.genesis().0 + step * 30 * MINUTE_MS);
            let power = truth.value(&"main-meter/power".parse().unwrap(), at).unwrap();
            (least, most) = (least.min(power), most.max(power));
        }
    }
    assert!((220.0..450.0).contains(&least) && (900.0..1_450.0).contains(&most), "{least} to {most} kW");
}

/// A week with a weekly run: it starts, burns, stops; and nobody else notices.
#[test]
fn the_generator_runs_for_half_an_hour_each_wednesday() {
    let truth = truth(GENESIS, 1, &Courses::default());
    let at = |minutes: i64| UtcMs(GENESIS.0 + 2 * DAY_MS + minutes * MINUTE_MS);
    let value = |point: &str, minutes: i64| truth.value(&point.parse().unwrap(), at(minutes)).unwrap();
    assert!(value("generator-1/speed", 599).abs() < 1e-9);
    assert!(value("generator-1/speed", 615) > 1_450.0);
    assert!((value("generator-1/state", 615) - 3.0).abs() < 1e-9);
    assert!(value("generator-1/speed", 640).abs() < 1e-9);
    assert!(
        (value("generator-1/operating_hours", 660) - value("generator-1/operating_hours", 580) - 0.5).abs()
            < 1e-9
    );
    assert!(value("generator-1/fuel_level", 660) < value("generator-1/fuel_level", 580));
    assert!((value("generator-1/starts", 660) - value("generator-1/starts", 580) - 1.0).abs() < 1e-9);
}

/// Six air handlers without current on a morning in July: they stop and start with their feeder, their own
/// meters count what the sub-meters count all the while, their rooms warm up and are as ever in the evening,
/// and clean air, on the essential bus, goes on.
#[test]
fn air_handlers_stop_with_their_feeder_and_their_rooms_follow() {
    let genesis = UtcMs(GENESIS.0 + 36 * 7 * DAY_MS);
    let minute =
        |minutes: i64| UtcMs(genesis.0 + DAY_MS + 10 * 60 * MINUTE_MS + minutes * MINUTE_MS + 21_000);
    let (trips, returns) = (minute(7), minute(67));
    let mut faults = Courses::default();
    let corners = [(trips, 0.0), (trips, 1.0), (returns, 1.0), (returns, 0.0)];
    faults.add("feeder_trip", "feeder-air-conditioning").set(corners.to_vec());
    let (calm, truth) =
        (Truth::hospital(genesis, 2, &Courses::default()), Truth::hospital(genesis, 2, &faults));
    let get = |truth: &Truth, point: &str, at: UtcMs| truth.value(&point.parse().unwrap(), at).unwrap();
    let told = |point: &str, minutes: i64| get(&truth, point, minute(minutes));
    let runs = |minutes: i64| {
        let running = |number: &i32| told(&format!("ahu-{number}/fan_running"), minutes) > 0.5;
        (1..=10).filter(running).collect::<Vec<i32>>()
    };
    assert_eq!(runs(6), (1..=10).collect::<Vec<_>>());
    assert_eq!([runs(7), runs(30), runs(66)], [[1, 2, 9, 10]; 3].map(Vec::from));
    assert_eq!(runs(68), (1..=10).collect::<Vec<_>>());
    let groups: [(&str, &[&str]); 3] = [
        ("meter-main-air", &["ahu-3/energy", "ahu-4/energy"]),
        ("meter-outpatient-air", &["ahu-5/energy", "ahu-6/energy"]),
        ("meter-technology-air", &["ahu-7/fan_energy", "ahu-8/fan_energy"]),
    ];
    for minutes in (-60..600).step_by(7) {
        let counted = |point: &str| told(point, minutes) - get(&truth, point, genesis);
        for (meter, fans) in groups {
            let (own, meter) =
                (fans.iter().map(|fan| counted(fan)).sum::<f64>(), counted(&format!("{meter}/energy")));
            assert!((own - meter).abs() < 1e-6, "{own} and {meter} after {minutes} min");
        }
    }
    for point in
        ["ahu-3/supply_flow", "ahu-5/supply_pressure", "ahu-7/fan_frequency", "ahu-8/static_pressure"]
    {
        assert!(told(point, 6) > 1.0 && told(point, 8).abs() < 1e-9 && told(point, 68) > 1.0, "{point}");
    }
    let warmer = |room: &str, minutes: i64| {
        told(&format!("{room}/temperature"), minutes)
            - get(&calm, &format!("{room}/temperature"), minute(minutes))
    };
    for room in ["registration-hall", "internal-clinic", "clinical-laboratory", "ward-3b"] {
        assert!(warmer(room, 7).abs() < 1e-9 && (0.2..3.0).contains(&warmer(room, 67)), "{room}");
        assert!(warmer(room, 480).abs() < 0.1, "{room} is {} K warmer in the evening", warmer(room, 480));
    }
    assert!(warmer("or-1", 67).abs() < 1e-9);
    let cold = |truth: &Truth, minutes: i64| get(truth, "chilled-water/power", minute(minutes));
    assert!(cold(&truth, 60) < cold(&calm, 60) - 100.0, "nobody asks for the cold of six air handlers");
    for (alarm, during) in [("ahu-3/alarm", 1.0), ("ahu-7/fault", 1.0), ("ahu-9/fault", 0.0)] {
        assert!((told(alarm, 30) - during).abs() < 1e-9 && told(alarm, 6) + told(alarm, 68) < 0.5, "{alarm}");
    }
}
