//! All meters together: what a piece of the historian's log does to them. Pure.

use super::config::Counted;
use super::engine::{self, Finding, Mark, Refusal, State, StepQuality, spread};
use super::store::MeterChange;
use crate::db::NewEvent;
use crate::point::{Batch, Decimal, PointId, UtcMs};
use std::collections::{BTreeMap, HashMap};

/// The meters and what is remembered of each.
#[derive(Clone, Debug)]
pub struct Ledger {
    books: Vec<Book>,
    by_point: HashMap<PointId, Vec<usize>>,
}

#[derive(Clone, Debug)]
struct Book {
    meter: Counted,
    state: State,
}

/// What a piece of the log does.
#[derive(Debug, Default)]
pub struct Pass {
    /// The meters it changes.
    pub changes: Vec<MeterChange>,
    /// What a person should look at.
    pub findings: Vec<MeterFinding>,
    /// Readings refused, and why.
    pub refused: Vec<Refusal>,
    /// Deltas accepted.
    pub steps: u64,
    /// Readings that turned out to be outliers.
    pub outliers: u64,
}

/// A finding and whose it is.
#[derive(Clone, Debug)]
pub struct MeterFinding {
    /// The meter.
    pub meter: Counted,
    /// What was found.
    pub finding: Finding,
}

impl Ledger {
    /// With what was remembered.
    pub fn new(meters: impl IntoIterator<Item = (Counted, State)>) -> Ledger {
        let books: Vec<_> = meters.into_iter().map(|(meter, state)| Book { meter, state }).collect();
        let mut by_point: HashMap<PointId, Vec<usize>> = HashMap::new();
        for (index, book) in books.iter().enumerate() {
            by_point.entry(book.meter.point).or_default().push(index);
        }
        Ledger { books, by_point }
    }

    /// The ledger after these batches, and what has to be stored for it. The old one stays valid
    /// until that is stored.
    pub fn after<'a>(&self, batches: impl IntoIterator<Item = &'a Batch>) -> (Ledger, Pass) {
        let mut next = self.clone();
        let mut pass = Pass::default();
        let mut cells: BTreeMap<usize, BTreeMap<UtcMs, (i64, StepQuality)>> = BTreeMap::new();
        for reading in batches.into_iter().flat_map(|batch| &batch.readings) {
            for &index in self.by_point.get(&reading.point).into_iter().flatten() {
                let Some(book) = next.books.get_mut(index) else { continue };
                let outcome = engine::step(&book.meter.settings, &mut book.state, reading);
                let cells = cells.entry(index).or_default();
                for step in &outcome.steps {
                    for share in spread(step) {
                        let cell = cells.entry(share.start).or_insert((0, StepQuality::Good));
                        *cell = (cell.0 + share.counts, cell.1.max(step.quality));
                    }
                }
                let found = outcome.findings.into_iter();
                pass.findings
                    .extend(found.map(|finding| MeterFinding { meter: book.meter.clone(), finding }));
                pass.refused.extend(outcome.refused);
                pass.steps += outcome.steps.len() as u64;
                pass.outliers += u64::from(outcome.outlier);
            }
        }
        pass.changes = cells.into_iter().filter_map(|(index, cells)| next.change(index, cells)).collect();
        (next, pass)
    }

    fn change(&self, index: usize, cells: BTreeMap<UtcMs, (i64, StepQuality)>) -> Option<MeterChange> {
        let book = self.books.get(index)?;
        Some(MeterChange {
            meter: book.meter.id.to_string(),
            point: book.meter.point.0,
            exponent: book.meter.settings.exponent,
            state: book.state,
            cells: cells.into_iter().map(|(start, (counts, quality))| (start, counts, quality)).collect(),
        })
    }
}

impl MeterFinding {
    /// Whom the event is about.
    pub fn subject(&self) -> String {
        format!("meter:{}", self.meter.id)
    }

    /// The event for the log. Register values are texts: their digits count.
    pub fn event<'a>(&self, subject: &'a str, at: UtcMs) -> NewEvent<'a> {
        let mark = |mark: Mark| {
            let register = Decimal::new(mark.counts, self.meter.settings.exponent);
            let register = register.map_or_else(|_| mark.counts.to_string(), |register| register.to_string());
            serde_json::json!({ "at": mark.at_ms, "register": register })
        };
        let body = serde_json::json!({
            "meter": self.meter.id.as_str(),
            "point": self.meter.address.to_string(),
            "before": mark(self.finding.before),
            "after": mark(self.finding.after),
        });
        NewEvent { at, kind: self.finding.kind.event(), subject, body }
    }
}
