//! What every part is held to: it tells exactly the points of its configuration, they stay where they
//! can be, a calm hospital looks calm, and a fault moves what it should and nothing else.

use super::Use;
use crate::config::{self, Condition, Plan, Point, Rule, Topic};
use crate::point::{Address, UtcMs, ValueKind};
use crate::sim::truth::{Build, Courses, Truth};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
/// 2025-11-03 00:00 in China, a Monday.
pub const GENESIS: UtcMs = UtcMs(1_762_099_200_000);

/// A part, alone.
pub type Part = fn(&mut Build) -> Vec<Use>;

/// A kind of fault, the asset, and the points it moves; behind `~` one that it moves too little to be seen
/// within some days.
pub type FaultCase = (&'static str, &'static str, &'static [&'static str]);

/// The configuration of the demo.
pub fn plan() -> Plan {
    let main = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/plantroom.toml");
    config::load(&main, &|_| None).unwrap_or_else(|wrong| panic!("{wrong}")).plan
}

/// A part's truth.
pub fn truth(part: Part, seed: u64, faults: &Courses) -> Truth {
    Truth::of(GENESIS, seed, faults, |build| {
        part(build);
        assert!(build.twice().is_empty(), "told twice: {:?}", build.twice());
    })
}

/// The points that these buses and brokers read, and some by name.
pub fn read_by(plan: &Plan, sources: &[&str], besides: &[&str]) -> BTreeSet<Address> {
    let buses = plan.buses.iter().filter(|bus| sources.contains(&bus.id.as_str()));
    let registers = buses.flat_map(|bus| &bus.devices).flat_map(|device| &device.registers);
    let mut points: BTreeSet<Address> = registers.map(|register| register.point.clone()).collect();
    let brokers = plan.brokers.iter().filter(|broker| sources.contains(&broker.id.as_str()));
    points.extend(brokers.flat_map(|broker| &broker.topics).flat_map(Topic::points));
    points.extend(besides.iter().map(|text| text.parse::<Address>().unwrap()));
    points
}

/// Every point of the configuration is told, and no other.
pub fn tells_what_is_read(part: Part, read: &BTreeSet<Address>) {
    let told: BTreeSet<Address> = truth(part, 1, &Courses::default()).points().keys().cloned().collect();
    let missing: Vec<_> = read.difference(&told).collect();
    let needless: Vec<_> = told.difference(read).collect();
    assert!(missing.is_empty() && needless.is_empty(), "missing {missing:?}, needless {needless:?}");
}

/// Without faults every value is in the range of its point and inside the limits of its rules, and what
/// is normal 99 % of the time.
pub fn stays_calm(part: Part, plan: &Plan, seeds: std::ops::RangeInclusive<u64>) {
    for seed in seeds {
        let truth = truth(part, seed, &Courses::default());
        let points: Vec<_> = truth.points().iter().map(|(address, at)| (band(plan, address), *at)).collect();
        let (mut strange, mut moments) = (vec![0_u32; points.len()], 0_u32);
        let mut at = GENESIS;
        while at.0 < GENESIS.0 + 366 * DAY_MS {
            let values = truth.values(at);
            moments += 1;
            for ((band, place), strange) in points.iter().zip(&mut strange) {
                let value = values[*place];
                band.alarms.iter().for_each(|rule| assert!(!crossed(rule, value), "{} at {at:?}", rule.id));
                let (low, high) = band.range;
                assert!((low..=high).contains(&value), "{} is {value} at {at:?}, seed {seed}", band.point);
                if let Some((low, high)) = band.normal {
                    *strange += u32::from(!(low..=high).contains(&value));
                }
            }
            // Comes by at every minute of the day in time.
            at = UtcMs(at.0 + 127 * MINUTE_MS + 7_000);
        }
        for ((band, _), strange) in points.iter().zip(strange) {
            assert!(strange * 100 <= moments, "{} is not normal {strange} times of {moments}", band.point);
        }
    }
}

/// A fault at full strength from the second day on moves these points by more than five counts, and
/// no other at all.
pub fn fault_moves(part: Part, plan: &Plan, case: FaultCase, days: i64) {
    let (kind, asset, expected) = case;
    let mut faults = Courses::default();
    let corners = [(DAY_MS, 0.0), (DAY_MS + 3_600_000, 1.0), (9_999 * DAY_MS, 1.0)];
    let corners = corners.map(|(at, size)| (UtcMs(GENESIS.0 + at), size));
    faults.add(kind, asset).set(corners.to_vec());
    let (calm, faulty) = (truth(part, 1, &Courses::default()), truth(part, 1, &faults));
    let mut most: BTreeMap<&Address, f64> = BTreeMap::new();
    for minute in (0..days * 24 * 60).step_by(11) {
        let at = UtcMs(GENESIS.0 + DAY_MS + minute * MINUTE_MS + minute % 60 * 1_000);
        let (was, is) = (calm.values(at), faulty.values(at));
        for (address, place) in calm.points() {
            let moved = (was[*place] - is[*place]).abs();
            let most = most.entry(address).or_default();
            *most = most.max(moved);
        }
    }
    let visible = |(address, moved): &(&&Address, &f64)| **moved > visible(plan, address);
    let seen: BTreeSet<String> =
        most.iter().filter(visible).map(|(address, _)| address.to_string()).collect();
    let touched: BTreeSet<String> =
        most.iter().filter(|(_, moved)| **moved > 1e-6).map(|(address, _)| address.to_string()).collect();
    let all: BTreeSet<String> = expected.iter().map(|text| text.trim_start_matches('~').to_owned()).collect();
    let shown = expected.iter().filter(|text| !text.starts_with('~')).map(|text| (*text).to_owned());
    assert_eq!(seen, shown.collect::<BTreeSet<String>>(), "{kind} at {asset}");
    assert_eq!(touched, all, "{kind} at {asset} moves others, too little to be seen");
}

/// Whether a value is beyond the limit of a rule.
pub fn crossed(rule: &Rule, value: f64) -> bool {
    match rule.condition {
        Condition::High { limit, .. } => value > limit.to_f64(),
        Condition::Low { limit, .. } => value < limit.to_f64(),
        Condition::NoData => false,
    }
}

struct Band<'a> {
    point: &'a Address,
    alarms: Vec<&'a Rule>,
    range: (f64, f64),
    normal: Option<(f64, f64)>,
}

fn band<'a>(plan: &'a Plan, address: &'a Address) -> Band<'a> {
    let point = of(plan, address);
    let range =
        point.range.map_or((f64::NEG_INFINITY, f64::INFINITY), |(low, high)| (low.to_f64(), high.to_f64()));
    let text = address.to_string();
    let (asset, quantity) = text.split_once('/').unwrap();
    let asset = plan.assets.iter().find(|known| known.id.as_str() == asset).unwrap();
    let normal = asset.normal.iter().find(|(name, _)| name.as_str() == quantity);
    let alarms = plan.rules.iter().filter(|rule| rule.point == *address).collect();
    Band {
        point: address,
        alarms,
        range,
        normal: normal.map(|(_, (low, high))| (low.to_f64(), high.to_f64())),
    }
}

fn of<'a>(plan: &'a Plan, address: &Address) -> &'a Point {
    plan.points.iter().find(|point| point.address == *address).unwrap_or_else(|| panic!("{address}"))
}

/// What a change must exceed to be seen: five counts of the register; a state shows any change.
fn visible(plan: &Plan, address: &Address) -> f64 {
    let point = of(plan, address);
    if !point.states.is_empty() || point.kind == ValueKind::Bool {
        return 0.5;
    }
    let shown = 10_f64.powi(-i32::from(point.decimals));
    let count = point.count().map_or(shown, |(count, _)| count.to_f64());
    5.0 * if count < 1.0 || point.decimals == 0 { count } else { shown }
}
