//! Counting anew from where a late reading belongs: the readings in order of time, and what has to be
//! stored for them. Pure.
//!
//! It begins at an anchor before the late readings and ends with the newest reading that was taken,
//! or, behind the last late one, at an anchor that shows what it showed before: from there on nothing
//! has changed. A long way is gone in stretches; each ends at an anchor, from which the next one goes
//! on.
//!
//! **Invariant:** whatever the order of arrival, the cells at the end are those of the readings sorted
//! by time, of one instant the one that arrived last.

use super::account::{Account, Anchor, Part, day_of, next_day};
use super::engine::{CELL_MS, Finding, Settings, StepQuality, cell_of};
use crate::point::{Reading, UtcMs};
use std::collections::BTreeMap;

/// A stretch ends with the day in which it has reached so many cells: a month of them.
const CELLS_MAX: usize = 31 * 96;

/// From when until when readings came late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Late {
    /// The earliest of them.
    pub from: UtcMs,
    /// The latest of them.
    pub until: UtcMs,
}

/// Where a stretch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// How it stood; readings behind it are wanted.
    pub anchor: Anchor,
    /// Cells before this one stay as they are.
    pub first_cell: UtcMs,
}

/// A stretch that is being counted.
#[derive(Debug)]
pub struct Recount {
    settings: Settings,
    start: Start,
    late: Late,
    /// The first cell that the count of new readings still adds to. No stretch ends behind it.
    live_cell: Option<UtcMs>,
    /// The anchors behind the last late reading, as they are stored.
    known: BTreeMap<UtcMs, Account>,
    account: Account,
    cells: BTreeMap<UtcMs, (i64, StepQuality)>,
    anchors: Vec<Anchor>,
    findings: Vec<Finding>,
    cells_max: usize,
    end: Option<End>,
}

/// How a stretch ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// At this anchor; the next stretch goes on there.
    Stretch(Anchor),
    /// At this anchor, which shows what it showed before; nothing changes behind it.
    Joined(Anchor),
    /// With the newest reading; the meter goes on with this account.
    Newest(Account),
}

/// What has to be stored for a stretch.
#[derive(Clone, Debug)]
pub struct Stretch {
    /// The cells it covers; without an end, all that follow.
    pub from: UtcMs,
    /// The first cell behind it.
    pub to: Option<UtcMs>,
    /// What is in its cells; those that are not among them do not exist.
    pub cells: Vec<Part>,
    /// Anchors behind this instant ...
    pub anchors_behind: UtcMs,
    /// ... and before this one, or all that follow, become ...
    pub anchors_to: Option<UtcMs>,
    /// ... these.
    pub anchors: Vec<Anchor>,
    /// What a person should look at, whether it is new or not.
    pub findings: Vec<Finding>,
    /// How it ends.
    pub end: End,
    /// What is left to count then.
    pub left: Option<Late>,
}

impl Late {
    /// Of one reading.
    pub fn at(at: UtcMs) -> Late {
        Late { from: at, until: at }
    }

    /// From the earlier beginning to the later end.
    #[must_use]
    pub fn and(self, other: Option<Late>) -> Late {
        other.map_or(self, |other| Late {
            from: self.from.min(other.from),
            until: self.until.max(other.until),
        })
    }

    /// Anchors before this are not concerned: the one of the same day may have to lie elsewhere.
    pub fn anchors_before(self) -> UtcMs {
        day_of(self.from)
    }

    /// What is left behind a stretch that ends at an anchor. The anchors up to there say what is counted
    /// by then, which is no reason to believe the cells behind it.
    fn behind(self, anchor: &Anchor) -> Late {
        let from = self.from.max(next_day(anchor.at));
        Late { from, until: self.until.max(from) }
    }
}

impl Start {
    /// At an anchor.
    pub fn at(anchor: Anchor) -> Start {
        Start { anchor, first_cell: anchor.first_cell() }
    }

    /// With the first reading there is. What was counted of readings before it, which are gone, stays:
    /// then the cell it lies in is left as it is, too.
    pub fn with_first(reading: UtcMs, is_older_counted: bool) -> Start {
        let cell = cell_of(reading);
        let is_shared = is_older_counted && cell < reading;
        let first_cell = if is_shared { cell.plus_ms(CELL_MS) } else { cell };
        Start { anchor: Anchor::origin(reading.plus_ms(-1), None), first_cell }
    }
}

impl Recount {
    /// A stretch of the readings behind `start`. `live` is how the meter stands, `known` are its anchors
    /// behind the last late reading.
    pub fn new(
        settings: Settings,
        start: Start,
        late: Late,
        live: &Account,
        known: impl IntoIterator<Item = Anchor>,
    ) -> Recount {
        let account = start.anchor.account;
        let part = account.part.map(|part| (part.start, (part.counts, part.quality)));
        Recount {
            settings,
            start,
            late,
            live_cell: live.state.next_cell(),
            known: known.into_iter().map(|anchor| (anchor.at, anchor.account)).collect(),
            account,
            cells: part.into_iter().collect(),
            anchors: Vec::new(),
            findings: Vec::new(),
            cells_max: CELLS_MAX,
            end: None,
        }
    }

    /// Takes the next readings, sorted by time; an instant must not be torn apart. True if the stretch
    /// is at its end.
    pub fn take(&mut self, readings: &[Reading]) -> bool {
        let next = readings.iter().skip(1).map(|next| Some(next.at)).chain([None]);
        for (reading, next) in readings.iter().zip(next) {
            // Two of one instant were written on both sides of a step of the clock.
            if next != Some(reading.at) && self.end.is_none() {
                self.take_one(reading);
            }
        }
        self.end.is_some()
    }

    fn take_one(&mut self, reading: &Reading) {
        let mut account = self.account;
        let taken = account.take(&self.settings, reading);
        // Where it begins, it need not end.
        if let Some(anchor) = taken.anchor.filter(|anchor| anchor.at > self.start.anchor.at) {
            self.anchors.push(anchor);
            self.end = self.end_at(anchor);
            if self.end.is_some() {
                return;
            }
        }
        self.account = account;
        for share in taken.shares.iter().filter(|share| share.start >= self.start.first_cell) {
            let cell = self.cells.entry(share.start).or_insert((0, share.quality));
            *cell = (cell.0 + share.counts, cell.1.max(share.quality));
        }
        self.findings.extend(taken.outcome.findings);
    }

    fn end_at(&self, anchor: Anchor) -> Option<End> {
        if anchor.at > self.late.until && self.known.get(&anchor.at) == Some(&anchor.account) {
            return Some(End::Joined(anchor));
        }
        let is_long = self.cells.len() >= self.cells_max;
        let is_settled = self.live_cell.is_none_or(|live| anchor.first_cell() <= live);
        (is_long && is_settled).then_some(End::Stretch(anchor))
    }

    /// What has to be stored, once the readings are at their end or the stretch is.
    pub fn finish(self) -> Stretch {
        let end = self.end.unwrap_or(End::Newest(self.account));
        let at = match end {
            End::Stretch(anchor) | End::Joined(anchor) => Some(anchor),
            End::Newest(_) => None,
        };
        let to = at.map(|anchor| anchor.first_cell());
        let covered = self.cells.into_iter().filter(|(start, _)| to.is_none_or(|to| *start < to));
        Stretch {
            from: self.start.first_cell,
            to,
            cells: covered.map(|(start, (counts, quality))| Part { start, counts, quality }).collect(),
            anchors_behind: self.start.anchor.at,
            anchors_to: at.map(|anchor| next_day(anchor.at)),
            anchors: self.anchors,
            findings: self.findings,
            end,
            left: match &end {
                End::Stretch(anchor) => Some(self.late.behind(anchor)),
                End::Joined(_) | End::Newest(_) => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::Counted;
    use super::super::ledger::{Book, Ledger, MeterChange};
    use super::*;
    use crate::point::{Batch, Decimal, PointId, Quality, Reason, Value};
    use proptest::prelude::*;
    use std::ops::Bound::{Excluded, Unbounded};

    /// 0.01 kWh, six digits, at most 100 kWh in an hour, a reading every seven minutes.
    const METER: Settings = Settings {
        exponent: -2,
        modulus: 1_000_000,
        rate_max_per_hour: 10_000,
        expected_interval_ms: SLOT_MS,
    };
    const SLOT_MS: i64 = 7 * 60_000;

    type Cells = BTreeMap<UtcMs, (i64, StepQuality)>;

    fn reading(slot: i64, counts: i64) -> Reading {
        let value = Value::Decimal(Decimal::new(counts, -2).unwrap());
        Reading { point: PointId(1), at: UtcMs(slot * SLOT_MS), value: Some(value), quality: Quality::Good }
    }

    fn gone(slot: i64) -> Reading {
        Reading { value: None, quality: Quality::Bad(Reason::Timeout), ..reading(slot, 0) }
    }

    /// What the tables hold of one meter, and what the history holds of its point.
    #[derive(Default)]
    struct House {
        cells: Cells,
        anchors: BTreeMap<UtcMs, Account>,
        account: Account,
        late: Option<Late>,
        log: Vec<Reading>,
        cursor: usize,
        told: Vec<Finding>,
    }

    impl House {
        /// The readings that arrived until a place of the log, by time.
        fn history(&self, until: usize) -> Vec<Reading> {
            let rows = self.log.iter().take(until).map(|reading| (reading.at, *reading));
            rows.collect::<BTreeMap<_, _>>().into_values().collect()
        }

        fn restart(&mut self) {
            let state = serde_json::to_string(&self.account.state).unwrap();
            let part = self.cells.last_key_value();
            let part = part.map(|(start, (counts, quality))| Part {
                start: *start,
                counts: *counts,
                quality: *quality,
            });
            self.account = Account { state: serde_json::from_str(&state).unwrap(), part };
        }

        fn pass(&mut self, count: usize) {
            let readings: Vec<_> = self.log.iter().skip(self.cursor).take(count).copied().collect();
            self.cursor += readings.len();
            let meter = Counted {
                id: "main".parse().unwrap(),
                point: PointId(1),
                address: "main/energy".parse().unwrap(),
                settings: METER,
            };
            let ledger = Ledger::new(vec![Book { meter, account: self.account, late: self.late }]);
            let batch = Batch {
                device: "m".into(),
                source_at: None,
                received_at: UtcMs(0),
                at_error_ms: 0,
                readings,
            };
            for MeterChange { account, cells, anchors, findings, late, .. } in
                ledger.after([&batch]).1.changes
            {
                for Part { start, counts, quality } in cells {
                    let cell = self.cells.entry(start).or_insert((0, quality));
                    *cell = (cell.0 + counts, cell.1.max(quality));
                }
                self.account = account;
                self.anchors.extend(anchors.into_iter().map(|anchor| (anchor.at, anchor.account)));
                self.late = late.map(|late| late.and(self.late)).or(self.late);
                self.told.extend(findings);
            }
        }

        /// Counts a stretch anew, of a history that may have more than was taken yet.
        fn stretch(&mut self, ahead: usize, page: usize, cells_max: usize) {
            let Some(late) = self.late else { return };
            let history = self.history(self.cursor + ahead);
            let newest = self.account.state.newest();
            let history: Vec<_> =
                history.into_iter().filter(|one| newest.is_none_or(|newest| one.at <= newest)).collect();
            let anchor = self.anchors.range(..late.anchors_before()).next_back();
            let anchor = anchor.map(|(at, account)| Anchor { at: *at, account: *account });
            let start = anchor.map_or(Start::with_first(history[0].at, false), Start::at);
            let known = self.anchors.range((Excluded(late.until), Unbounded));
            let known = known.map(|(at, account)| Anchor { at: *at, account: *account });
            let mut recount = Recount::new(METER, start, late, &self.account, known);
            recount.cells_max = cells_max;
            let readings: Vec<_> = history.into_iter().filter(|one| one.at > start.anchor.at).collect();
            for page in readings.chunks(page) {
                if recount.take(page) {
                    break;
                }
            }
            self.settle(recount.finish());
        }

        fn settle(&mut self, stretch: Stretch) {
            self.cells.retain(|start, _| *start < stretch.from || stretch.to.is_some_and(|to| *start >= to));
            self.cells.extend(stretch.cells.iter().map(|part| (part.start, (part.counts, part.quality))));
            let to = stretch.anchors_to.map_or(Unbounded, Excluded);
            let old: Vec<_> =
                self.anchors.range((Excluded(stretch.anchors_behind), to)).map(|old| *old.0).collect();
            self.anchors.retain(|at, _| !old.contains(at));
            self.anchors.extend(stretch.anchors.into_iter().map(|anchor| (anchor.at, anchor.account)));
            self.late = stretch.left;
            if let End::Newest(account) = stretch.end {
                self.account = account;
            }
        }

        /// What a fold over the sorted readings gives: cells, accepted deltas, and how it stood behind
        /// each reading.
        fn folded(&self) -> (Cells, i64, BTreeMap<UtcMs, Account>, Account) {
            let (mut account, mut deltas) = (Account::default(), 0);
            let (mut cells, mut stood) = (Cells::new(), BTreeMap::new());
            for reading in self.history(usize::MAX) {
                let taken = account.take(&METER, &reading);
                deltas += taken.outcome.steps.iter().map(|step| step.counts).sum::<i64>();
                for step in &taken.outcome.steps {
                    for share in super::super::engine::spread(step) {
                        let cell = cells.entry(share.start).or_insert((0, step.quality));
                        *cell = (cell.0 + share.counts, cell.1.max(step.quality));
                    }
                }
                stood.extend(account.state.newest().map(|at| (at, account)));
            }
            (cells, deltas, stood, account)
        }
    }

    /// A reading in a slot of six days: most of an honest register, some torn, some not there, some of a
    /// register that began again or rolled over.
    fn any_reading() -> impl Strategy<Value = Reading> {
        (0_i64..1_234, 0_u8..20, 0_i64..1_000_000).prop_map(|(slot, how, wild)| match how {
            0 => reading(slot, 0),
            1 => reading(slot, wild),
            2 => gone(slot),
            3..6 => reading(slot, slot * 40 % 20_000),
            6..8 => reading(slot, (990_000 + slot * 40) % 1_000_000),
            _ => reading(slot, 3_000 + slot * 40 + wild % 3),
        })
    }

    /// What happens next: readings arrive, a stretch is counted anew, the process starts again.
    #[derive(Clone, Copy, Debug)]
    enum Act {
        Pass(usize),
        Stretch { ahead: usize, page: usize },
        Restart,
    }

    fn any_act() -> impl Strategy<Value = Act> {
        prop_oneof![
            3 => (1_usize..20).prop_map(Act::Pass),
            3 => (0_usize..6, 1_usize..9).prop_map(|(ahead, page)| Act::Stretch { ahead, page }),
            1 => Just(Act::Restart),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

        /// Readings come in any order, are corrected and withdrawn, in several passes; stretches are
        /// counted anew between them, of a history that is ahead, and the process starts again. Once
        /// all is counted, cells, state and anchors are those of the sorted readings.
        #[test]
        fn whatever_the_order_of_arrival_the_cells_are_those_of_the_sorted_readings(
            log in proptest::collection::vec(any_reading(), 1..120),
            in_order in 0_usize..120,
            acts in proptest::collection::vec(any_act(), 0..30),
            cells_max in 1_usize..200,
        ) {
            let mut log = log;
            let in_order = in_order.min(log.len());
            log[..in_order].sort_by_key(|reading| reading.at);
            let mut house = House { log, ..House::default() };
            for act in acts {
                match act {
                    Act::Pass(count) => house.pass(count),
                    Act::Stretch { ahead, page } => house.stretch(ahead, page, cells_max),
                    Act::Restart => house.restart(),
                }
            }
            house.pass(usize::MAX);
            let mut stretches = 0;
            while house.late.is_some() {
                house.stretch(0, 7, cells_max);
                stretches += 1;
                prop_assert!(stretches <= 8, "six days have no more than seven stretches");
            }
            let (cells, deltas, stood, account) = house.folded();
            prop_assert_eq!(house.cells.values().map(|cell| cell.0).sum::<i64>(), deltas);
            prop_assert_eq!(&house.cells, &cells);
            for (at, anchor) in &house.anchors {
                prop_assert_eq!(Some(anchor), stood.get(at));
            }
            prop_assert_eq!(house.account, account);
            house.restart();
            prop_assert_eq!(house.account, account);
        }
    }

    /// Behind the last late reading it only goes as far as something is different.
    #[test]
    fn where_nothing_has_changed_it_ends() {
        let log = (0..1_000).map(|slot| reading(slot, slot * 40)).chain([reading(300, 300 * 40 + 5)]);
        let mut house = House { log: log.collect(), ..House::default() };
        house.pass(usize::MAX);
        let late = house.late.unwrap();
        assert_eq!(late, Late::at(UtcMs(300 * SLOT_MS)));
        let anchors: Vec<_> = house.anchors.keys().map(|at| at.0 / SLOT_MS).collect();
        assert_eq!(anchors, [205, 411, 617, 822]);
        let before = house.account;
        let start =
            Start::at(Anchor { at: UtcMs(205 * SLOT_MS), account: house.anchors[&UtcMs(205 * SLOT_MS)] });
        let known = house.anchors.iter().map(|(at, account)| Anchor { at: *at, account: *account });
        let mut recount = Recount::new(METER, start, late, &house.account, known);
        assert!(recount.take(&house.history(usize::MAX)[206..]));
        let stretch = recount.finish();
        assert!(
            matches!(stretch.end, End::Joined(anchor) if anchor.at.0 == 411 * SLOT_MS),
            "{:?}",
            stretch.end
        );
        assert!(stretch.cells.len() <= 97);
        house.settle(stretch);
        assert_eq!((house.cells.clone(), house.account), (house.folded().0, before));
    }

    /// The first readings are forgotten: what was counted of them stays, and the cell they share with
    /// the first one kept is left as it is.
    #[test]
    fn what_was_counted_of_forgotten_readings_stays() {
        let cell = |number: i64| UtcMs(number * CELL_MS);
        assert_eq!(Start::with_first(UtcMs(CELL_MS + 5), true).first_cell, cell(2));
        assert_eq!(Start::with_first(UtcMs(CELL_MS), true).first_cell, cell(1));
        assert_eq!(Start::with_first(UtcMs(CELL_MS + 5), false).first_cell, cell(1));
        let start = Start::with_first(UtcMs(50 * SLOT_MS), true);
        let mut recount = Recount::new(METER, start, Late::at(UtcMs(60 * SLOT_MS)), &Account::default(), []);
        let readings: Vec<_> = (50..60).map(|slot| reading(slot, slot * 10)).collect();
        assert!(!recount.take(&readings));
        let stretch = recount.finish();
        // 350 minutes are in the 24th cell, which began at 345; the last reading is of minute 413.
        assert_eq!((stretch.from, stretch.cells[0].start, stretch.cells.len()), (cell(24), cell(24), 4));
    }

    /// The clock was set back: of two readings with one stamp the later one counts.
    #[test]
    fn of_two_readings_of_one_instant_the_last_counts() {
        let start = Start::with_first(UtcMs(0), false);
        let mut recount = Recount::new(METER, start, Late::at(UtcMs(0)), &Account::default(), []);
        recount.take(&[reading(0, 0), reading(1, 500), reading(1, 10), reading(2, 20)]);
        assert_eq!(recount.finish().cells.iter().map(|part| part.counts).sum::<i64>(), 20);
    }
}
