//! What derived points cost: the step alone, fed from memory.

use super::POINTS;
use anyhow::Context as _;
use plantroom::clock::{Clock, Mono, Now};
use plantroom::config::{self, Plan};
use plantroom::expr::{self, Facts, Tree};
use plantroom::historian::{Historian, Metrics};
use plantroom::point::{
    Address, Batch, Catalogue, Decimal, Names, PointId, Quality, Reading, Unit, UtcMs, Value, ValueKind,
};
use plantroom::readings::Derived;
use plantroom::readings::derived::Settings;
use std::path::Path;

/// Every point is a number without unit, read once a second.
struct Known<'a>(&'a Catalogue);

impl expr::Points for Known<'_> {
    fn find(&self, address: &Address) -> Option<Facts> {
        let (kind, unit, states) = (ValueKind::Decimal, Unit::ONE, Vec::new());
        Some(Facts { point: self.0.find(address)?, kind, unit, states, interval_ms: Some(1_000) })
    }

    fn addresses(&self) -> Vec<Address> {
        Vec::new()
    }
}

/// Adds `formulas` derived points, spread over the devices: each the difference of two neighbours.
fn with_formulas(plan: &Plan, formulas: usize, catalogue: &Catalogue) -> anyhow::Result<Plan> {
    let mut plan = plan.clone();
    let devices = plan.points.len() / POINTS;
    for number in 0..formulas {
        let first = (number % devices) * POINTS + 2 * (number / devices);
        let (one, two) = (&plan.points[first].address, &plan.points[first + 1].address);
        let tree =
            Tree::parse(&format!("`{one}` - `{two}`")).map_err(|mistake| anyhow::anyhow!("{mistake}"))?;
        let formula = tree.check(&Known(catalogue)).map_err(|mistake| anyhow::anyhow!("{mistake}"))?;
        let point: Address = format!("derived/d{number}").parse()?;
        plan.derived.push(config::Derived {
            point: point.clone(),
            formula,
            every_ms: None,
            stale_after_ms: None,
        });
        let names = Names::or_id(None, None, "d");
        plan.points.push(config::Point {
            address: point,
            name: names,
            unit: Unit::ONE,
            kind: ValueKind::Decimal,
            ..plan.points[0].clone()
        });
    }
    Ok(plan)
}

/// Feeds `seconds` seconds of every device, one batch each, and prints nanoseconds per reading.
pub fn derived(plan: &Plan, formulas: usize, seconds: u64, data: &Path) -> anyhow::Result<()> {
    let opened = Historian::open(&data.join("history"), Clock::system(), Metrics::default())?;
    let mut historian = opened.historian;
    let (catalogue, _) = historian.declare(&plan.declared())?;
    let plan = with_formulas(plan, formulas, &catalogue)?;
    let (catalogue, _) = historian.declare(&plan.declared())?;
    let settings = Settings::from_plan(&plan, &catalogue);
    let start = Now { utc: UtcMs(1_800_000_000_000), mono: Mono(0) };
    let mut step = Derived::new(&settings, start);
    let ids: Vec<PointId> = plan.points[..plan.points.len() - formulas]
        .iter()
        .map(|point| catalogue.find(&point.address).context("declared above"))
        .collect::<anyhow::Result<_>>()?;
    let mut batches: Vec<Batch> = ids
        .chunks(POINTS)
        .map(|points| Batch {
            device: "d".into(),
            source_at: None,
            received_at: start.utc,
            at_error_ms: 0,
            readings: points
                .iter()
                .map(|point| Reading {
                    point: *point,
                    at: start.utc,
                    value: Some(Value::Decimal(Decimal::ONE)),
                    quality: Quality::Good,
                })
                .collect(),
        })
        .collect();
    let (clock, mut made) = (Clock::system(), 0_usize);
    let begun = clock.mono();
    for second in 1..=seconds {
        let now = Now { utc: start.utc.plus_ms(second as i64 * 1_000), mono: Mono(second * 1_000) };
        for batch in &mut batches {
            for reading in &mut batch.readings {
                reading.at = now.utc;
            }
            made += step.step(batch, now, &|_| None).map_or(0, |made| made.readings.len());
        }
    }
    let ms = clock.mono().since_ms(begun);
    let readings = seconds * ids.len() as u64;
    println!(
        "{formulas} formulas: {readings} readings in, {made} out, {ms} ms, {:.1} ns a reading in",
        ms as f64 * 1e6 / readings as f64
    );
    Ok(())
}
