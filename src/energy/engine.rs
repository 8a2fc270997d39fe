//! Register to consumption: which readings count, how much they count, and which 15-minute
//! cells the energy falls into. Pure; everything is an integer of the register's last digit.
//!
//! The rules, for a reading r1 after the last accepted one r0, `dt` apart:
//! 1. A reading that is not a number, is negative, does not fit the register or is in doubt
//!    (Bad, stale, out of range, frozen) is refused.
//! 2. *r1 >= r0, and no more than the meter can count in `dt`*: d = r1 - r0.
//! 3. *r1 a little below r0*, by less than 2 counts or 0.1 % of r0: jitter, r0 is held, d = 0.
//! 4. *Anything else is a suspect*: it is kept aside until the readings after it decide.
//!    - They go back to r0 or to what the meter can have reached from there: the suspect was an
//!      outlier (a zero after a reboot, a torn spike) and never happened.
//!    - They go on from the suspect: it is true. A fall is a **rollover** (d = M - r0 + r1) if
//!      the meter can have counted that in `dt`, else a **reset**: d = r1, a lower bound, with a
//!      finding for a person to confirm. A rise is counted, d = r1 - r0, with a finding.
//!    - They stand still: nothing is decided. A device that reports zero for an hour is no more
//!      believable than one that does so once.
//!
//! The first reading of a meter is where counting starts; until a second one has agreed with it
//! it cannot make a reset or a rise, only be replaced.
//!
//! A reading that is not later than the last one that was taken is *late*: whatever it says, it may
//! stand before readings that were taken or in the place of one, so it is not taken here. Who keeps
//! the books counts anew from there ([`super::recount`]).
//!
//! The energy of an accepted step is spread evenly over its time. The share of a cell is the
//! difference of two cumulated, rounded-down amounts, so the cells of a step add up to it exactly.
//! A step is an estimate if it is longer than 1.5 expected intervals *and* touches more than one
//! cell: inside one cell nothing has been guessed, however long it took.
//!
//! **Invariant:** the cells of a meter add up to its accepted deltas exactly, and a cell that no
//! accepted step touches does not exist (it is missing, never 0).

use crate::config::Meter;
use crate::point::{Decimal, Quality, Reading, Reason, UtcMs, Value};
use serde::{Deserialize, Serialize};

/// Length of a cell, in milliseconds: 15 minutes, from the full hour of UTC.
pub const CELL_MS: i64 = 900_000;

/// Over a longer silence no energy is spread: counting starts anew. Milliseconds; 366 days.
pub const GAP_MAX_MS: i64 = 366 * 86_400_000;

/// A fall of fewer counts than this is jitter.
const JITTER_COUNTS: i64 = 2;
/// A fall of less than one part in this many is jitter too: 0.1 %.
const JITTER_PARTS: i64 = 1_000;
/// Readings that go on rising faster than the meter can are believed after this many.
const CLIMBS_MAX: u8 = 2;
const HOUR_MS: i128 = 3_600_000;

/// What the engine must know of a meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// One count is 10^exponent of the point's unit.
    pub exponent: i8,
    /// The register shows 0 to modulus - 1.
    pub modulus: i64,
    /// The most it can count in an hour.
    pub rate_max_per_hour: i64,
    /// How often a good reading is expected. Milliseconds.
    pub expected_interval_ms: i64,
}

impl From<&Meter> for Settings {
    fn from(meter: &Meter) -> Settings {
        let held = |wide: u64| i64::try_from(wide).unwrap_or(i64::MAX);
        Settings {
            exponent: meter.resolution_exponent,
            modulus: held(meter.modulus),
            rate_max_per_hour: held(meter.rate_max_per_hour),
            expected_interval_ms: held(meter.expected_interval_ms).max(1),
        }
    }
}

/// What the register showed at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// When, in UTC milliseconds.
    pub at_ms: i64,
    /// Its counts.
    pub counts: i64,
    /// The value was entered by hand or its time is the receiver's.
    pub doubtful: bool,
}

/// Readings kept aside until the next ones decide whether they are true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Suspect {
    first: Mark,
    latest: Mark,
    climbs: u8,
}

/// What is remembered of a meter between two readings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    accepted: Option<Mark>,
    /// Whether a second reading has agreed with the first.
    proven: bool,
    suspect: Option<Suspect>,
    /// A rise beyond the rate has been reported and has not ended: one finding, not thousands.
    rising: bool,
}

impl State {
    /// The time of the last reading that was taken, be it as a suspect.
    pub fn newest(&self) -> Option<UtcMs> {
        let suspect = self.suspect.map(|suspect| suspect.latest);
        suspect.or(self.accepted).map(|mark| UtcMs(mark.at_ms))
    }

    /// The first cell that what comes next can touch.
    pub fn next_cell(&self) -> Option<UtcMs> {
        self.accepted.map(|mark| cell_of(UtcMs(mark.at_ms)))
    }
}

/// How a cell or a step came about. Ordered from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StepQuality {
    /// Measured.
    Good,
    /// Spread over a gap, or taken with a time or a value in doubt.
    Estimated,
    /// Holds a reset or a rise beyond what the meter can count.
    Event,
}

/// An accepted delta and the time it was counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// From here.
    pub from: UtcMs,
    /// To here. Later than `from`.
    pub to: UtcMs,
    /// How much, not negative.
    pub counts: i64,
    /// How far to trust it.
    pub quality: StepQuality,
}

/// A part of a [`Step`] in one cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// When the cell begins.
    pub start: UtcMs,
    /// How much of the step is in it.
    pub counts: i64,
}

/// Something a person should look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindingKind {
    /// The register began again and did not roll over: what ran between is unknown.
    ResetSuspected,
    /// The register rose by more than the meter can count.
    RateExceeded,
    /// More than [`GAP_MAX_MS`] without a reading: what ran between is not counted.
    GapUnbridged,
}

impl FindingKind {
    /// Its kind in the event log.
    pub fn event(self) -> &'static str {
        match self {
            FindingKind::ResetSuspected => "energy.reset_suspected",
            FindingKind::RateExceeded => "energy.rate_exceeded",
            FindingKind::GapUnbridged => "energy.gap_unbridged",
        }
    }
}

/// A [`FindingKind`] with the two register readings it lies between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What happened.
    pub kind: FindingKind,
    /// The last reading before.
    pub before: Mark,
    /// The first reading after.
    pub after: Mark,
}

/// Why a reading does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Its quality says that nothing was measured, or not this.
    Quality,
    /// A word, a flag, NaN.
    NotANumber,
    /// Negative, or more than the register has digits for.
    OutsideRegister,
}

impl Refusal {
    /// The word in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Refusal::Quality => "quality",
            Refusal::NotANumber => "not_a_number",
            Refusal::OutsideRegister => "outside_register",
        }
    }
}

/// What became of a reading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Deltas accepted by it; more than one when it proved a suspect true.
    pub steps: Vec<Step>,
    /// What a person should look at.
    pub findings: Vec<Finding>,
    /// It was refused.
    pub refused: Option<Refusal>,
    /// It is late, and nothing was done with it.
    pub late: bool,
    /// It showed that an earlier reading was an outlier.
    pub outlier: bool,
}

/// Takes the next reading of a meter's point.
pub fn step(settings: &Settings, state: &mut State, reading: &Reading) -> Outcome {
    let mut outcome = Outcome::default();
    if state.newest().is_some_and(|newest| reading.at <= newest) {
        outcome.late = true;
        return outcome;
    }
    match mark(settings, reading) {
        Ok(mark) => take(settings, state, mark, &mut outcome),
        Err(refusal) => outcome.refused = Some(refusal),
    }
    outcome
}

fn take(settings: &Settings, state: &mut State, mark: Mark, outcome: &mut Outcome) {
    let Some(base) = state.accepted else {
        *state = State { accepted: Some(mark), ..State::default() };
        return;
    };
    if mark.at_ms.saturating_sub(base.at_ms) > GAP_MAX_MS {
        outcome.findings.push(Finding { kind: FindingKind::GapUnbridged, before: base, after: mark });
        *state = State { accepted: Some(mark), ..State::default() };
        return;
    }
    if let Some(counts) = plausible(settings, base, mark) {
        outcome.outlier = state.suspect.take().is_some();
        accept(settings, state, Mark { counts, ..mark }, mark, outcome);
        state.rising = false;
        return;
    }
    match state.suspect.take() {
        None => state.suspect = Some(Suspect { first: mark, latest: mark, climbs: 0 }),
        Some(suspect) => weigh(settings, state, base, suspect, mark, outcome),
    }
}

/// A reading after a suspect that does not lead back to the base.
fn weigh(
    settings: &Settings,
    state: &mut State,
    base: Mark,
    suspect: Suspect,
    mark: Mark,
    outcome: &mut Outcome,
) {
    if mark.counts < suspect.latest.counts && !is_jitter(suspect.latest, mark) {
        // Neither back nor onward: two outliers, or an outlier before the real change.
        outcome.outlier = true;
        state.suspect = Some(Suspect { first: mark, latest: mark, climbs: 0 });
        return;
    }
    if mark.counts <= suspect.first.counts {
        let latest = Mark { counts: suspect.latest.counts, ..mark };
        state.suspect = Some(Suspect { latest, ..suspect });
        return;
    }
    let climbs = suspect.climbs.saturating_add(1);
    if plausible(settings, suspect.latest, mark).is_some() || climbs >= CLIMBS_MAX {
        believe(settings, state, base, suspect, mark, outcome);
    } else {
        state.suspect = Some(Suspect { latest: mark, climbs, ..suspect });
    }
}

/// The suspect was true: counts the change to it, then what ran since.
fn believe(
    settings: &Settings,
    state: &mut State,
    base: Mark,
    suspect: Suspect,
    mark: Mark,
    outcome: &mut Outcome,
) {
    let (change, kind) = change(settings, base, suspect.first);
    if state.proven || kind.is_none() {
        if let Some(kind) = kind {
            if kind != FindingKind::RateExceeded || !state.rising {
                outcome.findings.push(Finding { kind, before: base, after: suspect.first });
            }
            state.rising = kind == FindingKind::RateExceeded;
        }
        outcome.steps.push(change);
    }
    state.accepted = Some(suspect.first);
    for next in [suspect.latest, mark] {
        let from = state.accepted.unwrap_or(suspect.first);
        if next.at_ms > from.at_ms {
            let counts = next.counts.max(from.counts);
            accept(settings, state, Mark { counts, ..next }, next, outcome);
        }
    }
}

/// What ran between the base and a reading that is no plain continuation of it.
fn change(settings: &Settings, base: Mark, first: Mark) -> (Step, Option<FindingKind>) {
    let step = |counts, quality| Step { from: UtcMs(base.at_ms), to: UtcMs(first.at_ms), counts, quality };
    if first.counts >= base.counts {
        let counts = first.counts - base.counts;
        return (step(counts, StepQuality::Event), Some(FindingKind::RateExceeded));
    }
    let rolled = (settings.modulus - base.counts).saturating_add(first.counts);
    if rolled <= countable(settings, base, first) {
        return (step(rolled, step_quality(settings, base, first)), None);
    }
    (step(first.counts, StepQuality::Event), Some(FindingKind::ResetSuspected))
}

/// Moves the base to `to`, which shows `shown` (lower where jitter is held).
fn accept(settings: &Settings, state: &mut State, to: Mark, shown: Mark, outcome: &mut Outcome) {
    if let Some(from) = state.accepted {
        let mut quality = step_quality(settings, from, to);
        if to.counts - shown.counts >= JITTER_COUNTS {
            // A correction below 0.1 %: that nothing ran meanwhile is an assumption.
            quality = quality.max(StepQuality::Estimated);
        }
        if to.counts - from.counts > countable(settings, from, to) {
            quality = StepQuality::Event;
        }
        let counts = to.counts - from.counts;
        outcome.steps.push(Step { from: UtcMs(from.at_ms), to: UtcMs(to.at_ms), counts, quality });
    }
    state.accepted = Some(to);
    state.proven = true;
}

/// The counts to go on with if `mark` can follow `base`: its own, or the base's under jitter.
fn plausible(settings: &Settings, base: Mark, mark: Mark) -> Option<i64> {
    if mark.counts < base.counts {
        return is_jitter(base, mark).then_some(base.counts);
    }
    (mark.counts - base.counts <= countable(settings, base, mark)).then_some(mark.counts)
}

fn is_jitter(base: Mark, mark: Mark) -> bool {
    let fall = base.counts - mark.counts;
    fall < JITTER_COUNTS || fall.saturating_mul(JITTER_PARTS) < base.counts
}

/// The most the meter can have counted. Many meters refresh their register only now and then, so
/// at least one expected interval is granted, and two counts for its rounding.
fn countable(settings: &Settings, from: Mark, to: Mark) -> i64 {
    let time = to.at_ms.saturating_sub(from.at_ms).max(settings.expected_interval_ms);
    let most = (i128::from(settings.rate_max_per_hour) * i128::from(time) + HOUR_MS - 1) / HOUR_MS;
    i64::try_from(most).unwrap_or(i64::MAX).saturating_add(JITTER_COUNTS)
}

fn step_quality(settings: &Settings, from: Mark, to: Mark) -> StepQuality {
    let time = i128::from(to.at_ms.saturating_sub(from.at_ms));
    let long = 2 * time > 3 * i128::from(settings.expected_interval_ms);
    let several_cells = cell_of(UtcMs(from.at_ms)) != cell_of(UtcMs(to.at_ms - 1));
    if from.doubtful || to.doubtful || (long && several_cells) {
        StepQuality::Estimated
    } else {
        StepQuality::Good
    }
}

/// The start of the cell an instant lies in.
pub fn cell_of(at: UtcMs) -> UtcMs {
    UtcMs(at.0.div_euclid(CELL_MS) * CELL_MS)
}

/// Spreads a step over the cells it touches, in their order; the shares add up to it.
pub fn spread(step: &Step) -> Vec<Share> {
    let length = i128::from(step.to.since_ms(step.from)).max(1);
    // Never more than `step.counts`, so the narrowing cannot fail.
    let until = |at: i64| {
        let run = i128::from(step.counts) * i128::from(at - step.from.0) / length;
        i64::try_from(run).unwrap_or(step.counts)
    };
    let mut shares = Vec::new();
    let mut start = cell_of(step.from).0;
    let mut done = 0;
    while start < step.to.0 {
        let end = start + CELL_MS;
        let reached = if end >= step.to.0 { step.counts } else { until(end) };
        shares.push(Share { start: UtcMs(start), counts: reached - done });
        done = reached;
        start = end;
    }
    shares
}

/// The register a reading shows, or why it shows none.
fn mark(settings: &Settings, reading: &Reading) -> Result<Mark, Refusal> {
    let doubtful = match reading.quality {
        Quality::Good => false,
        Quality::Uncertain(Reason::Clock | Reason::Substituted) => true,
        // A stale or frozen value is the last one again: it says nothing of the time since.
        Quality::Uncertain(_) | Quality::Bad(_) => return Err(Refusal::Quality),
    };
    let number = match reading.value {
        Some(Value::Decimal(number)) => number,
        Some(Value::F64(number)) => to_decimal(number, settings.exponent)?,
        Some(Value::Bool(_) | Value::Text(_)) => return Err(Refusal::NotANumber),
        None => return Err(Refusal::Quality),
    };
    let counts = to_counts(number, settings.exponent).ok_or(Refusal::OutsideRegister)?;
    if counts < 0 || counts >= settings.modulus {
        return Err(Refusal::OutsideRegister);
    }
    Ok(Mark { at_ms: reading.at.0, counts, doubtful })
}

/// A float to the nearest count: rounding a rising register down and up again makes no jitter.
fn to_decimal(number: f64, exponent: i8) -> Result<Decimal, Refusal> {
    if !number.is_finite() {
        return Err(Refusal::NotANumber);
    }
    let decimals = if exponent < 0 { usize::from(exponent.unsigned_abs()) } else { 0 };
    format!("{number:.decimals$}").parse().map_err(|_| Refusal::OutsideRegister)
}

/// A number as counts of 10^exponent, to the nearest, half upwards.
fn to_counts(number: Decimal, exponent: i8) -> Option<i64> {
    if let Some(exact) = number.mantissa_at(exponent) {
        return Some(exact);
    }
    let finer = u32::try_from(i32::from(exponent) - i32::from(number.exponent())).ok()?;
    let unit = 10_i128.checked_pow(finer)?;
    i64::try_from((i128::from(number.mantissa()) + unit / 2).div_euclid(unit)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::point::PointId;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// 0.01 kWh, six digits, at most 100 kWh in an hour, a reading a minute.
    const METER: Settings = Settings {
        exponent: -2,
        modulus: 1_000_000,
        rate_max_per_hour: 10_000,
        expected_interval_ms: 60_000,
    };
    const MINUTE: i64 = 60_000;

    fn reading(at_ms: i64, counts: i64) -> Reading {
        let value = Value::Decimal(Decimal::new(counts, -2).unwrap());
        Reading { point: PointId(1), at: UtcMs(at_ms), value: Some(value), quality: Quality::Good }
    }

    /// Feeds (minute, counts) and gives all that came of it.
    fn run(history: &[(i64, i64)]) -> (Vec<Step>, Vec<FindingKind>, State) {
        let mut state = State::default();
        let (mut steps, mut findings) = (Vec::new(), Vec::new());
        for &(minute, counts) in history {
            let outcome = step(&METER, &mut state, &reading(minute * MINUTE, counts));
            steps.extend(outcome.steps);
            findings.extend(outcome.findings.iter().map(|finding| finding.kind));
        }
        (steps, findings, state)
    }

    fn total(steps: &[Step]) -> i64 {
        steps.iter().map(|step| step.counts).sum()
    }

    #[test]
    fn each_rule_gives_its_energy() {
        use FindingKind::{RateExceeded, ResetSuspected};
        // what, (minute, counts)..., total counts, findings
        type Case = (&'static str, &'static [(i64, i64)], i64, &'static [FindingKind]);
        let table: &[Case] = &[
            ("plain", &[(0, 100), (1, 150), (2, 150), (3, 160)], 60, &[]),
            ("gap", &[(0, 100), (1, 150), (121, 20_000)], 19_900, &[]),
            ("jitter of one count", &[(0, 100), (1, 150), (2, 149), (3, 151)], 51, &[]),
            ("jitter below 0.1 %", &[(0, 900_000), (1, 900_010), (2, 899_200), (3, 900_020)], 20, &[]),
            ("zero that returns", &[(0, 5000), (1, 5010), (2, 0), (3, 5030)], 30, &[]),
            ("zeros that return", &[(0, 5000), (1, 5010), (2, 0), (3, 0), (4, 0), (5, 5030)], 30, &[]),
            ("spike that returns", &[(0, 5000), (1, 5010), (2, 700_000), (3, 5030)], 30, &[]),
            ("two outliers", &[(0, 5000), (1, 5010), (2, 700_000), (3, 0), (4, 5030)], 30, &[]),
            ("rising outliers", &[(0, 5000), (1, 5010), (2, 0), (3, 3000), (4, 5030)], 30, &[]),
            ("rollover", &[(0, 999_900), (1, 999_990), (2, 5), (3, 10)], 110, &[]),
            ("zero before rollover", &[(0, 999_900), (1, 999_990), (2, 0), (3, 999_995)], 95, &[]),
            ("spike at rollover", &[(0, 999_900), (1, 999_990), (2, 400_000), (3, 5), (4, 9)], 109, &[]),
            ("reset", &[(0, 5000), (1, 5010), (2, 7), (3, 17)], 27, &[ResetSuspected]),
            ("reset, then idle", &[(0, 5000), (1, 5010), (2, 0), (3, 0), (4, 8)], 18, &[ResetSuspected]),
            ("leap", &[(0, 5000), (1, 5010), (2, 9000), (3, 9010)], 4010, &[RateExceeded]),
            ("first reading an outlier", &[(0, 0), (1, 5000), (2, 5010)], 10, &[]),
            ("first reading a spike", &[(0, 700_000), (1, 5000), (2, 5010)], 10, &[]),
            ("late and twice", &[(0, 100), (2, 150), (1, 120), (2, 150), (3, 160)], 60, &[]),
            // A rate that is set too low is reported once and loses nothing.
            (
                "always too fast",
                &[(0, 0), (1, 1), (2, 1000), (3, 2000), (4, 3000), (5, 4000), (6, 5000), (7, 6000)],
                6000,
                &[RateExceeded],
            ),
        ];
        for (what, history, expected, findings) in table {
            let (steps, found, _) = run(history);
            assert_eq!(total(&steps), *expected, "{what}: {steps:?}");
            assert_eq!(found, *findings, "{what}");
        }
    }

    #[test]
    fn quality_says_what_was_measured() {
        use StepQuality::{Estimated, Event, Good};
        type Case = (&'static str, &'static [(i64, i64)], &'static [StepQuality]);
        let table: &[Case] = &[
            ("inside one cell, long", &[(1, 0), (10, 9)], &[Good]),
            ("across a border, in time", &[(14, 0), (15, 1), (16, 2)], &[Good, Good]),
            ("across a border, late", &[(14, 0), (16, 1)], &[Estimated]),
            ("reset", &[(0, 5000), (1, 5010), (2, 7), (3, 17)], &[Good, Event, Good]),
            ("rollover", &[(0, 999_900), (1, 999_990), (2, 5), (3, 10)], &[Good, Good, Good]),
            ("one count down", &[(0, 5000), (1, 4999)], &[Good]),
            ("a correction downwards", &[(0, 900_000), (1, 899_500)], &[Estimated]),
        ];
        for (what, history, expected) in table {
            let found: Vec<_> = run(history).0.iter().map(|step| step.quality).collect();
            assert_eq!(found, *expected, "{what}");
        }
        let mut state = State::default();
        step(&METER, &mut state, &reading(0, 0));
        let clock = Reading { quality: Quality::Uncertain(Reason::Clock), ..reading(MINUTE, 1) };
        assert_eq!(step(&METER, &mut state, &clock).steps[0].quality, Estimated);
    }

    #[test]
    fn what_cannot_be_a_register_is_refused() {
        let with = |value, quality| Reading { value, quality, ..reading(0, 0) };
        let number = |text: &str| Some(Value::Decimal(text.parse().unwrap()));
        let table = [
            (with(Some(Value::F64(f64::NAN)), Quality::Good), Refusal::NotANumber),
            (with(Some(Value::F64(f64::INFINITY)), Quality::Good), Refusal::NotANumber),
            (with(Some(Value::F64(1e300)), Quality::Good), Refusal::OutsideRegister),
            (with(Some(Value::Bool(true)), Quality::Good), Refusal::NotANumber),
            (with(number("-0.01"), Quality::Good), Refusal::OutsideRegister),
            (with(number("10000.00"), Quality::Good), Refusal::OutsideRegister),
            (with(number("1e18"), Quality::Good), Refusal::OutsideRegister),
            (with(None, Quality::Bad(Reason::Timeout)), Refusal::Quality),
            (with(number("1"), Quality::Uncertain(Reason::Stale)), Refusal::Quality),
            (with(number("1"), Quality::Uncertain(Reason::OutOfRange)), Refusal::Quality),
        ];
        for (wrong, refusal) in table {
            let mut state = State::default();
            assert_eq!(step(&METER, &mut state, &wrong).refused, Some(refusal), "{wrong:?}");
            assert_eq!(state, State::default());
        }
    }

    #[test]
    fn numbers_become_counts_to_the_nearest() {
        let table = [
            ("12.34", -2, 1234),
            ("12.345", -2, 1235),
            ("12.344", -2, 1234),
            ("7", -2, 700),
            ("1234", 1, 123),
            ("1235", 1, 124),
            ("0.000000000000000001", -2, 0),
        ];
        for (text, exponent, counts) in table {
            assert_eq!(to_counts(text.parse().unwrap(), exponent), Some(counts), "{text}");
        }
        // What an IEEE single makes of 1234.56.
        assert_eq!(to_counts(to_decimal(1_234.560_058_593_75, -2).unwrap(), -2), Some(123_456));
        assert_eq!(to_counts(to_decimal(1_239.9, 1).unwrap(), 1), Some(124));
    }

    #[test]
    fn after_a_year_of_silence_counting_starts_anew() {
        let year = 366 * 24 * 60;
        let (steps, findings, _) = run(&[(0, 100), (1, 110), (year + 2, 5000), (year + 3, 5010)]);
        assert_eq!((total(&steps), findings), (20, vec![FindingKind::GapUnbridged]));
    }

    #[test]
    fn a_step_is_spread_by_time_and_loses_nothing_to_rounding() {
        let step =
            Step { from: UtcMs(10 * MINUTE), to: UtcMs(50 * MINUTE), counts: 7, quality: StepQuality::Good };
        let cells: Vec<_> =
            spread(&step).iter().map(|share| (share.start.0 / MINUTE, share.counts)).collect();
        // 5, 15, 15 and 5 minutes of 40: cumulated 0.875, 3.5, 6.125, 7.
        assert_eq!(cells, [(0, 0), (15, 3), (30, 3), (45, 1)]);
        // A step that ends on a border does not touch the cell behind it.
        let step = Step { to: UtcMs(15 * MINUTE), ..step };
        assert_eq!(spread(&step), [Share { start: UtcMs(0), counts: 7 }]);
    }

    /// A reading of a random history: minutes since the last one, counts, and how it arrives.
    fn any_history() -> impl Strategy<Value = Vec<(i64, i64, u8)>> {
        proptest::collection::vec((0_i64..400, 0_i64..1_100_000, any::<u8>()), 1..60)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

        /// Whatever comes: the cells add up to the accepted deltas, steps follow each other
        /// without overlap, and a state that went through a restart goes on the same way.
        #[test]
        fn cells_add_up_to_the_accepted_deltas(history in any_history()) {
            let (mut state, mut at) = (State::default(), -3_000_000);
            let (mut cells, mut deltas, mut end) = (BTreeMap::new(), 0, i64::MIN);
            for (pause, counts, how) in history {
                at += pause * MINUTE / 7 - if how < 20 { 9 * MINUTE } else { 0 };
                // Half of them stay near each other, so that every rule is reached.
                let counts = if how % 2 == 0 { counts % 300 } else { counts };
                let stored = serde_json::to_string(&state).unwrap();
                state = serde_json::from_str(&stored).unwrap();
                for step in step(&METER, &mut state, &reading(at, counts)).steps {
                    prop_assert!(step.counts >= 0 && step.to > step.from && step.from.0 >= end);
                    end = step.to.0;
                    deltas += step.counts;
                    for share in spread(&step) {
                        prop_assert!(share.counts >= 0);
                        *cells.entry(share.start.0).or_insert(0) += share.counts;
                    }
                }
            }
            prop_assert_eq!(cells.values().sum::<i64>(), deltas);
        }

        /// A meter that counts honestly, read through zeros, spikes, jitter, gaps and rollovers:
        /// what was counted is what ran.
        #[test]
        fn disturbances_neither_add_nor_lose_energy(
            start in 0_i64..1_000_000,
            polls in proptest::collection::vec((1_i64..90, 0_i64..100, 0_u8..12, 0_i64..1_000_000), 3..80),
        ) {
            let (mut state, mut minute, mut ran) = (State::default(), 0, 0);
            let (mut counted, mut clean, mut ran_at_first) = (0, 0, 0);
            let count = polls.len();
            for (number, (pause, load, disturbance, wild)) in polls.into_iter().enumerate() {
                minute += pause;
                // At most the rate: 10,000 counts in an hour.
                ran += 10_000 * pause * load / 100 / 60;
                if number == 0 {
                    ran_at_first = ran;
                }
                let shown = (start + ran) % METER.modulus;
                let far = (wild - shown).rem_euclid(METER.modulus);
                let quiet = clean < 2 || number + 2 >= count;
                let seen = match disturbance {
                    // A zero, then a rollover within the next gap: a reset looks the same.
                    0 if !quiet && shown < 950_000 => 0,
                    1 if !quiet && (100_000..900_000).contains(&far) => wild,
                    2 if !quiet && shown > 0 => shown - 1,
                    _ => shown,
                };
                clean = if seen == shown { clean + 1 } else { 0 };
                let outcome = step(&METER, &mut state, &reading(minute * MINUTE, seen));
                prop_assert!(outcome.findings.is_empty(), "{:?}", outcome);
                counted += total(&outcome.steps);
            }
            // The last two are clean; if they stand still at a suspect, nothing is decided yet.
            if state.suspect.is_none() {
                prop_assert_eq!(counted, ran - ran_at_first);
            }
        }
    }
}
