//! The derived points of a plan by the numbers of the catalogue.

use crate::clock::Mono;
use crate::config::limits::DERIVED_EVERY_DEFAULT_MS;
use crate::config::{Plan, Point};
use crate::expr::Formula;
use crate::point::{Address, Catalogue, Decimal, PointId, ValueKind};
use std::collections::{BTreeMap, BTreeSet};

/// A source that speaks more often than its plan says is kept this many times over.
const READINGS_SPARE: u64 = 2;

/// All derived points, each behind those it is reckoned from.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The points.
    pub derived: Vec<Reckoned>,
    /// How long each input may be silent. Milliseconds.
    stale_after_ms: BTreeMap<PointId, u64>,
}

/// How one of them is reckoned.
#[derive(Clone, Debug)]
pub struct Reckoned {
    /// The point.
    pub point: PointId,
    /// Its formula.
    pub formula: Formula,
    /// Kind of its values.
    pub kind: ValueKind,
    /// What is possible, inclusive, in its unit.
    pub range: Option<(Decimal, Decimal)>,
    /// Reckoned so often and at no other time. Milliseconds.
    pub every_ms: Option<u64>,
    /// Without a new value for longer it says so. Milliseconds.
    pub stale_after_ms: Option<u64>,
}

/// What is to be kept of an input.
#[derive(Clone, Copy, Debug)]
pub(super) struct InputSettings {
    pub(super) point: PointId,
    /// The longest window; 0 if it is in none. Milliseconds.
    pub(super) window_ms: u64,
    /// Most readings that are kept for it.
    pub(super) readings_max: usize,
    pub(super) stale_after_ms: u64,
}

impl Settings {
    /// The derived points of a plan. One that the catalogue does not know is left out.
    pub fn from_plan(plan: &Plan, catalogue: &Catalogue) -> Settings {
        let points: BTreeMap<&Address, &Point> =
            plan.points.iter().map(|point| (&point.address, point)).collect();
        let id = |address: &Address| catalogue.find(address);
        let reckoned = plan.derived.iter().filter_map(|derived| {
            Some(Reckoned {
                point: id(&derived.point)?,
                formula: derived.formula.clone().renumbered(id)?,
                kind: derived.formula.kind(),
                range: points.get(&derived.point)?.range,
                every_ms: derived.every_ms,
                stale_after_ms: derived.stale_after_ms,
            })
        });
        let derived: Vec<Reckoned> = reckoned.collect();
        let inputs = derived.iter().flat_map(|reckoned| reckoned.formula.inputs());
        let stale_after_ms = inputs
            .filter_map(|input| Some((input.facts.point, points.get(&input.address)?.stale_after_ms)))
            .collect();
        Settings { derived, stale_after_ms }
    }

    /// The points that are reckoned.
    pub fn points(&self) -> impl Iterator<Item = PointId> {
        self.derived.iter().map(|reckoned| reckoned.point)
    }

    /// The points they are reckoned from.
    pub fn sources(&self) -> BTreeSet<PointId> {
        self.inputs().map(|input| input.point).collect()
    }

    /// The points whose past is needed, with the length of it in milliseconds and the most
    /// readings that are kept.
    pub fn windows(&self) -> impl Iterator<Item = (PointId, u64, usize)> {
        let kept = self.inputs().filter(|input| input.window_ms > 0);
        kept.map(|input| (input.point, input.window_ms, input.readings_max))
    }

    pub(super) fn inputs(&self) -> impl Iterator<Item = InputSettings> {
        let mut inputs: BTreeMap<PointId, InputSettings> = BTreeMap::new();
        for reckoned in &self.derived {
            let read = reckoned.formula.inputs();
            for input in read {
                let point = input.facts.point;
                let stale_after_ms = self.stale_after_ms.get(&point).copied().unwrap_or(u64::MAX);
                inputs.entry(point).or_insert(InputSettings {
                    point,
                    window_ms: 0,
                    readings_max: 0,
                    stale_after_ms,
                });
            }
            for window in reckoned.formula.windows() {
                let point = read.get(window.input).map(|input| input.facts.point);
                let Some(input) = point.and_then(|point| inputs.get_mut(&point)) else { continue };
                let readings =
                    usize::try_from(window.readings.saturating_mul(READINGS_SPARE)).unwrap_or(usize::MAX);
                input.window_ms = input.window_ms.max(window.length_ms);
                input.readings_max = input.readings_max.max(readings);
            }
        }
        inputs.into_values()
    }
}

impl Reckoned {
    /// How often it is due by the clock. Milliseconds.
    pub(super) fn by_clock_ms(&self) -> Option<u64> {
        self.every_ms.or(self.formula.moves_with_time().then_some(DERIVED_EVERY_DEFAULT_MS))
    }

    /// From when on its silence is to be said, if it was last heard then.
    pub(super) fn silent_from(&self, heard: Mono) -> Option<Mono> {
        self.stale_after_ms.map(|ms| heard.plus_ms(ms))
    }

    /// Whether another one says the same of the same points.
    pub(super) fn same(&self, other: &Reckoned) -> bool {
        let plain = |reckoned: &Reckoned| {
            (reckoned.point, reckoned.kind, reckoned.range, reckoned.every_ms, reckoned.stale_after_ms)
        };
        let (one, two) = (&self.formula, &other.formula);
        plain(self) == plain(other)
            && one.source() == two.source()
            && one.inputs() == two.inputs()
            && one.says() == two.says()
    }
}
