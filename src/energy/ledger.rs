//! All meters together: what a piece of the historian's log does to them. Pure.

use super::account::{Account, Anchor, Part};
use super::config::Counted;
use super::engine::{Finding, Mark, Refusal, StepQuality};
use super::recount::Late;
use crate::db::NewEvent;
use crate::point::{Batch, Decimal, PointId, Reading, UtcMs};
use std::collections::{BTreeMap, HashMap};

/// The meters and what is remembered of each.
#[derive(Clone, Debug)]
pub struct Ledger {
    books: Vec<Book>,
    by_point: HashMap<PointId, Vec<usize>>,
}

/// A meter and what is remembered of it.
#[derive(Clone, Debug)]
pub struct Book {
    /// The meter.
    pub meter: Counted,
    /// How it stands.
    pub account: Account,
    /// What came late and is not counted yet.
    pub late: Option<Late>,
}

/// What a piece of the log does.
#[derive(Debug, Default)]
pub struct Pass {
    /// The meters it changes.
    pub changes: Vec<MeterChange>,
    /// Readings refused, and why.
    pub refused: Vec<Refusal>,
    /// Deltas accepted.
    pub steps: u64,
    /// Readings that turned out to be outliers.
    pub outliers: u64,
    /// Readings that came late.
    pub late: u64,
}

/// What a piece of the log does to one meter.
#[derive(Clone, Debug)]
pub struct MeterChange {
    /// The meter.
    pub meter: Counted,
    /// Its place among the books.
    pub place: usize,
    /// How it stands from now on.
    pub account: Account,
    /// To put on top of its cells.
    pub cells: Vec<Part>,
    /// How it stood between two readings.
    pub anchors: Vec<Anchor>,
    /// What a person should look at.
    pub findings: Vec<Finding>,
    /// What came late.
    pub late: Option<Late>,
}

/// A finding and whose it is.
#[derive(Clone, Copy, Debug)]
pub struct MeterFinding<'a> {
    /// The meter.
    pub meter: &'a Counted,
    /// What was found.
    pub finding: &'a Finding,
}

impl Ledger {
    /// With what was remembered.
    pub fn new(books: Vec<Book>) -> Ledger {
        let mut by_point: HashMap<PointId, Vec<usize>> = HashMap::new();
        for (index, book) in books.iter().enumerate() {
            by_point.entry(book.meter.point).or_default().push(index);
        }
        Ledger { books, by_point }
    }

    /// The meters in their order.
    pub fn books(&self) -> &[Book] {
        &self.books
    }

    /// The meter at a place.
    pub fn book_mut(&mut self, place: usize) -> Option<&mut Book> {
        self.books.get_mut(place)
    }

    /// The ledger after these batches, and what has to be stored for it. The old one stays valid
    /// until that is stored.
    pub fn after<'a>(&self, batches: impl IntoIterator<Item = &'a Batch>) -> (Ledger, Pass) {
        let mut next = self.clone();
        let mut pass = Pass::default();
        let mut entries: BTreeMap<usize, Entry> = BTreeMap::new();
        for reading in batches.into_iter().flat_map(|batch| &batch.readings) {
            for &place in self.by_point.get(&reading.point).into_iter().flatten() {
                if let Some(book) = next.books.get_mut(place) {
                    entries.entry(place).or_default().take(book, reading, &mut pass);
                }
            }
        }
        let change = |(place, entry)| Some(MeterChange::new(place, next.books.get(place)?, entry));
        pass.changes = entries.into_iter().filter_map(change).collect();
        (next, pass)
    }
}

/// What is to be stored for a meter, as it is gathered.
#[derive(Debug, Default)]
struct Entry {
    cells: BTreeMap<UtcMs, (i64, StepQuality)>,
    anchors: Vec<Anchor>,
    findings: Vec<Finding>,
    late: Option<Late>,
}

impl Entry {
    fn take(&mut self, book: &mut Book, reading: &Reading, pass: &mut Pass) {
        if book.is_begun_late() {
            return self.note_late(book, reading, pass);
        }
        let taken = book.account.take(&book.meter.settings, reading);
        for share in taken.shares {
            let cell = self.cells.entry(share.start).or_insert((0, share.quality));
            *cell = (cell.0 + share.counts, cell.1.max(share.quality));
        }
        self.anchors.extend(taken.anchor);
        self.findings.extend(taken.outcome.findings);
        pass.refused.extend(taken.outcome.refused);
        pass.steps += taken.outcome.steps.len() as u64;
        pass.outliers += u64::from(taken.outcome.outlier);
        if taken.outcome.late {
            self.note_late(book, reading, pass);
        }
    }

    fn note_late(&mut self, book: &mut Book, reading: &Reading, pass: &mut Pass) {
        let late = Late::at(reading.at);
        (self.late, book.late) = (Some(late.and(self.late)), Some(late.and(book.late)));
        pass.late += 1;
    }
}

impl Book {
    /// Whether its first readings wait to be counted: until then it is not known which one is first.
    fn is_begun_late(&self) -> bool {
        self.late.is_some() && self.account.state.newest().is_none()
    }
}

impl MeterChange {
    fn new(place: usize, book: &Book, entry: Entry) -> MeterChange {
        let part = |(start, (counts, quality))| Part { start, counts, quality };
        MeterChange {
            meter: book.meter.clone(),
            place,
            account: book.account,
            cells: entry.cells.into_iter().map(part).collect(),
            anchors: entry.anchors,
            findings: entry.findings,
            late: entry.late,
        }
    }
}

impl MeterFinding<'_> {
    /// Whom the event is about.
    pub fn subject(&self) -> String {
        format!("meter:{}", self.meter.id)
    }

    /// The event for the log. Register values are texts: their digits count.
    pub fn event<'s>(&self, subject: &'s str, at: UtcMs) -> NewEvent<'s> {
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
