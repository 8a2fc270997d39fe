//! What the meters counted adds up in what was read, as it does in the truth: a feeder to its
//! sub-meters, the main meter to its feeders and what transformers lose.

use super::site::{HOUR_MS, INTERVAL_MS, START, Site};
use crate::config::{Medium, Plan};
use crate::point::{Address, Batch, Name};
use crate::sim::device::unit;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A dry transformer of the hospital: kW without load, kW more at full load, and that load in kVA.
const TRANSFORMER: (f64, f64, f64) = (1.8, 9.7, 1_250.0);
/// From then on the script of the day takes feeders away within quarters: what a transformer loses
/// meanwhile is known to this part.
const STEADY_MS: i64 = 14 * HOUR_MS;
const UNSTEADY_PART: f64 = 0.01;

/// What was read of a point at each quarter of an hour: the value, and how late. Milliseconds.
type Quarters = BTreeMap<i64, (f64, i64)>;

/// A counter, from the first quarter on.
struct Counter {
    quarters: Quarters,
    /// One count, in kWh.
    step: f64,
    /// The most it counts within an hour.
    most: f64,
}

impl Counter {
    fn of(site: &Site, batches: &[Arc<Batch>], asset: &str) -> Option<Counter> {
        let address: Address = format!("{asset}/energy").parse().unwrap();
        let (step, modulus) = step(site, &address);
        let mut quarters = quarters(site, batches, &address);
        let first = quarters.get(&0)?.0;
        for (value, _) in quarters.values_mut() {
            *value = modulus.map_or(*value - first, |modulus| (*value - first).rem_euclid(modulus));
        }
        let counted: Vec<(&i64, f64)> = quarters.iter().map(|(at, (value, _))| (at, *value)).collect();
        let rate = |pair: &[(&i64, f64)]| (pair[1].1 - pair[0].1) / hours(pair[1].0 - pair[0].0);
        let most = counted.windows(2).map(rate).fold(0.0, f64::max);
        Some(Counter { quarters, step, most })
    }

    /// What it has counted by a quarter, and how far that may be off.
    fn by(&self, quarter: i64) -> Option<(f64, f64)> {
        let (counted, late_ms) = self.quarters.get(&quarter)?;
        let first_late_ms = self.quarters.get(&0)?.1;
        let late = f64::from(i32::try_from(late_ms.abs() + first_late_ms.abs()).unwrap()) / 3_600_000.0;
        Some((*counted, self.step + late * self.most))
    }
}

/// What several have counted by a quarter, and how far that may be off; none if one was not read then.
fn sum(counters: &[Counter], quarter: i64) -> Option<(f64, f64)> {
    counters.iter().try_fold((0.0, 0.0), |(counted, off), counter| {
        let one = counter.by(quarter)?;
        Some((counted + one.0, off + one.1))
    })
}

fn hours(quarters: i64) -> f64 {
    f64::from(i32::try_from(quarters).unwrap()) / 4.0
}

fn quarters(site: &Site, batches: &[Arc<Batch>], point: &Address) -> Quarters {
    let (id, quarter_ms) = (site.id(point).unwrap(), i64::try_from(INTERVAL_MS).unwrap());
    let readings = batches.iter().flat_map(|batch| &batch.readings).filter(|reading| reading.point == id);
    let placed = readings.filter_map(|reading| {
        let since = reading.at.since_ms(START);
        let quarter = (since + quarter_ms / 2).div_euclid(quarter_ms);
        Some((quarter, (reading.value?.as_f64()?, since - quarter * quarter_ms)))
    });
    placed.collect()
}

/// One count of a counter in its unit, and where it begins again.
fn step(site: &Site, point: &Address) -> (f64, Option<f64>) {
    let told = site.hospital.facts().told(&site.truth);
    let mut registers = site
        .plan
        .buses
        .iter()
        .flat_map(|bus| &bus.devices)
        .flat_map(|device| device.registers.iter().map(move |register| (device, register)));
    let (device, register) = registers.find(|(_, register)| register.point == *point).unwrap();
    let instrument = unit::instrument_of(register, &told.points[point], device, &site.plan, told);
    (instrument.step(), instrument.modulus())
}

fn feeders(site: &Site) -> Vec<&str> {
    site.plan.assets.iter().map(|asset| asset.id.as_str()).filter(|id| id.starts_with("feeder-")).collect()
}

/// The next meters behind an asset, through whatever has none.
fn meters_behind<'a>(plan: &'a Plan, asset: &str) -> BTreeSet<&'a str> {
    let feeds = plan.feeds.iter().filter(|feed| feed.medium == Medium::Power);
    let fed =
        feeds.filter(|feed| feed.from.iter().any(|from| from.as_str() == asset)).flat_map(|feed| &feed.to);
    let meters = |to: &'a Name| match to.as_str() {
        meter if meter.starts_with("meter-") => BTreeSet::from([meter]),
        other => meters_behind(plan, other),
    };
    fed.flat_map(meters).collect()
}

/// Each feeder to the sub-meters behind it, at every quarter at which all of them were read; says of
/// how many.
pub fn feeders_add_up(site: &Site, batches: &[Arc<Batch>]) -> usize {
    let mut added = 0;
    for feeder in feeders(site) {
        let all = |ids: &mut dyn Iterator<Item = &str>| -> Option<Vec<Counter>> {
            ids.map(|id| Counter::of(site, batches, id)).collect()
        };
        let subs = all(&mut meters_behind(&site.plan, feeder).into_iter());
        let Some((whole, parts)) = all(&mut [feeder].into_iter()).zip(subs) else { continue };
        let mut moments = 0;
        let last = whole.iter().filter_map(|one| one.quarters.last_key_value()).map(|(at, _)| *at).max();
        for quarter in 0..=last.unwrap_or(0) {
            let Some(((whole, one), (parts, other))) = sum(&whole, quarter).zip(sum(&parts, quarter)) else {
                continue;
            };
            assert!(
                (whole - parts).abs() <= one + other,
                "{feeder} by quarter {quarter}: {whole} and {parts}"
            );
            moments += 1;
        }
        assert!(moments * 2 > last.unwrap_or(0), "{feeder}: {moments} moments");
        added += 1;
    }
    added
}

/// The main meter to both incomers, and to the feeders with what the transformers lose, without what
/// the generator gave.
pub fn the_main_meter_adds_up(site: &Site, batches: &[Arc<Batch>]) {
    let counters = |ids: &[&str]| -> Vec<Counter> {
        ids.iter().map(|id| Counter::of(site, batches, id).unwrap_or_else(|| panic!("{id}"))).collect()
    };
    let (main, incomers) = (counters(&["main-meter"]), counters(&["incomer-1", "incomer-2"]));
    let (feeders, generator) = (counters(&feeders(site)), counters(&["generator-1"]));
    let loads = ["transformer-1", "transformer-2"]
        .map(|id| quarters(site, batches, &format!("{id}/apparent_power").parse().unwrap()));
    let (idle, loaded, rated) = TRANSFORMER;
    let loss = |quarter: i64| -> f64 {
        loads.iter().map(|load| idle + loaded * (load[&quarter].0 / rated).powi(2)).sum()
    };
    let (mut lost, mut moments) = (0.0, 0);
    for quarter in 1..=24 * 4 {
        lost += f64::midpoint(loss(quarter - 1), loss(quarter)) / 4.0;
        let (main, own) = sum(&main, quarter).unwrap();
        let (incomers, off) = sum(&incomers, quarter).unwrap();
        assert!((main - incomers).abs() <= own + off, "quarter {quarter}: {main} and {incomers}");
        let Some((feeders, generator)) = sum(&feeders, quarter).zip(sum(&generator, quarter)) else {
            continue;
        };
        let unsteady = if quarter * HOUR_MS / 4 > STEADY_MS { UNSTEADY_PART * lost } else { 0.0 };
        let (used, off) =
            (feeders.0 - generator.0 + lost, own + feeders.1 + generator.1 + 1e-3 * lost + unsteady);
        assert!(
            (main - used).abs() <= off,
            "quarter {quarter}: {main} and {used}, lost {lost}, within {off}"
        );
        moments += 1;
    }
    assert!(moments > 80, "{moments} moments");
}
