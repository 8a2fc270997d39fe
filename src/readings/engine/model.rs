//! The step against the rules said once more as plainly as they can be: the model keeps every
//! event and goes through all of them again for each answer. Restarts, kills among them, and new
//! plans stand between the events.

use super::tests::{now, polled, sample, stamped, step};
use super::*;
use crate::config::{Checks, Frozen, RateMax, Report};
use crate::point::{Decimal, Quality, Reason, Value, ValueKind};
use proptest::prelude::*;
use proptest::strategy::ValueTree;

const STALE_MS: u64 = 10_000;
/// Point 2 counts from 0 to 99.
const MODULUS: i64 = 100;
const RATE: RateMax = RateMax { change: Decimal::from_int(5), per_ms: 1_000 };
const FROZEN: Frozen = Frozen { after_ms: 6_000, band: Decimal::ZERO };
const REPORT: Report =
    Report { deadband: Decimal::from_int(2), min_interval_ms: 1_500, heartbeat_ms: 12_000 };
/// Point 4 is clamped here.
const CLAMP: (i64, i64) = (-1, 50_000);

/// 1: a range. 2: a counter. 3: rate and standing still. 4: units, a clamp and a report.
/// 5: a change of unit, rate and report.
fn settings() -> Settings {
    let ends = |(low, high)| Some((Decimal::from_int(low), Decimal::from_int(high)));
    let mut points: Vec<PointSettings> =
        (1..=5).map(|id| PointSettings::plain(PointId(id), ValueKind::Decimal, STALE_MS)).collect();
    if let [ranged, counter, watched, units, converted] = points.as_mut_slice() {
        ranged.range = ends((0, 100));
        counter.conditioning.counter_modulus = u64::try_from(MODULUS).ok();
        watched.conditioning.checks = Checks { rate_max: Some(RATE), frozen: Some(FROZEN), unit_jump: false };
        units.unit = "m/s".parse().unwrap();
        units.conditioning.checks.unit_jump = true;
        units.conditioning.clamp = ends(CLAMP);
        units.conditioning.report = Some(REPORT);
        converted.unit = "mm/s".parse().unwrap();
        converted.conditioning.raw_unit = "m/s".parse().ok();
        converted.conditioning.checks.rate_max = Some(RATE);
        converted.conditioning.report = Some(REPORT);
    }
    Settings { points, plausible_from: Settings::PLAUSIBLE_FROM }
}

#[derive(Clone, Debug)]
enum Op {
    Poll(Vec<(u32, i64)>),
    Stamped {
        behind_ms: i64,
        point: u32,
        value: i64,
    },
    Wait(u64),
    Tick,
    /// A kill, or a stop that keeps what was held back.
    Restart {
        is_kill: bool,
    },
    Replan,
}

fn value() -> impl Strategy<Value = i64> {
    prop_oneof![6 => -3_i64..6, 2 => 90_i64..104, 1 => Just(42), 2 => prop::sample::select(vec![1_000, 2_000, 3_010])]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => prop::collection::vec((1_u32..=5, value()), 0..4).prop_map(Op::Poll),
        4 => (0_i64..4, 1_u32..=5, value())
            .prop_map(|(behind, point, value)| Op::Stamped { behind_ms: behind * 1_000, point, value }),
        5 => prop_oneof![1_u64..2_500, 1_u64..8_000].prop_map(Op::Wait),
        3 => Just(Op::Tick),
        1 => any::<bool>().prop_map(|is_kill| Op::Restart { is_kill }),
        1 => Just(Op::Replan),
    ]
}

/// Something that became current, in the order it came.
#[derive(Clone, Copy, Debug)]
struct Said {
    /// As it was told.
    reading: Reading,
    /// Before it was judged, with its own stamp.
    base: Reading,
    by_source: bool,
    is_current: bool,
    /// Monotonic milliseconds.
    ms: u64,
}

/// What matters to the history of one point.
#[derive(Clone, Copy, Debug)]
enum Event {
    Read(Reading, u64),
    Mark(Reading, u64),
    Tick(u64),
    Stop(u64),
}

/// Everything since the last start, and the last reading of the history at that start.
#[derive(Default)]
struct Model {
    started: u64,
    said: Vec<Said>,
    marks: Vec<(PointId, u64)>,
    events: Vec<(PointId, Event)>,
    known: BTreeMap<PointId, Reading>,
    history: BTreeMap<PointId, Reading>,
}

fn int(value: Option<Value>) -> i64 {
    match value {
        Some(Value::Decimal(number)) => number.mantissa_at(0).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn gap_ms(from: (UtcMs, u64), to: (UtcMs, u64)) -> i64 {
    to.0.since_ms(from.0).max(i64::try_from(to.1 - from.1).unwrap())
}

impl Model {
    fn current(&self, point: PointId) -> Vec<Said> {
        self.said.iter().filter(|said| said.is_current && said.reading.point == point).copied().collect()
    }

    fn last(&self, point: PointId) -> Option<Reading> {
        self.current(point).last().map(|said| said.reading).or(self.known.get(&point).copied())
    }

    fn heard(&self, point: PointId) -> u64 {
        self.current(point).last().map_or(self.started, |said| said.ms)
    }

    fn is_silent(&self, point: PointId) -> bool {
        self.marks.iter().any(|(marked, ms)| *marked == point && *ms > self.heard(point))
    }

    /// Quality of `value` of a point by range and counter, and the value the counter goes on to.
    fn made(&self, point: PointId, raw: i64, is_late: bool) -> (i64, Quality, Quality) {
        let good = (Quality::Good, Quality::Good);
        match point.0 {
            1 if !(0..=100).contains(&raw) => (raw, Quality::Uncertain(Reason::OutOfRange), Quality::Good),
            2 if !(0..MODULUS).contains(&raw) => (raw, Quality::Good, Quality::Uncertain(Reason::OutOfRange)),
            2 => {
                let total = self.total();
                let turn = |total: i64| total - total.rem_euclid(MODULUS) + raw;
                match total {
                    None => (raw, good.0, good.1),
                    Some(total) if is_late => {
                        let same = turn(total);
                        let before = if same > total { same - MODULUS } else { same };
                        (if before < 0 { raw } else { before }, good.0, good.1)
                    }
                    Some(total) if turn(total) >= total => (turn(total), good.0, good.1),
                    Some(total) if (turn(total) + MODULUS - total) * 10 <= MODULUS => {
                        (turn(total) + MODULUS, good.0, good.1)
                    }
                    Some(_) => (raw, good.0, Quality::Uncertain(Reason::Rate)),
                }
            }
            4 => (raw.clamp(CLAMP.0, CLAMP.1), good.0, good.1),
            5 => (raw * 1_000, good.0, good.1),
            _ => (raw, good.0, good.1),
        }
    }

    /// What the counter has counted to: the last that was within its span when it came.
    fn total(&self) -> Option<i64> {
        let beyond = Some(Reason::OutOfRange);
        let said = self.current(PointId(2));
        let counted = said.iter().rfind(|said| said.reading.quality.reason() != beyond);
        let known = self.known.get(&PointId(2)).filter(|last| int(last.value) >= 0);
        counted.map(|said| int(said.reading.value)).or(known.map(|last| int(last.value)))
    }

    fn say(&mut self, point: u32, raw: i64, at: UtcMs, by_source: bool, ms: u64) -> Option<(Reading, bool)> {
        let point = PointId(point);
        let stamps = self.current(point);
        let known = self.known.get(&point).filter(|last| last.quality.reason() != Some(Reason::Stale));
        let newest = stamps
            .iter()
            .rfind(|said| said.by_source)
            .map(|said| said.reading.at)
            .or(known.map(|last| last.at));
        let is_late = by_source && !self.is_silent(point) && newest.is_some_and(|newest| at < newest);
        let (value, quality, counted) = self.made(point, raw, is_late);
        let value = Some(Value::Decimal(Decimal::from_int(value)));
        let base = Reading { point, at, value, quality };
        if self.has_come(&base, by_source) {
            return None;
        }
        let mut said = Said { reading: base, base, by_source, is_current: !is_late, ms };
        if is_late {
            said.reading.quality = quality.worse(counted);
            self.said.push(said);
            return Some((said.reading, false));
        }
        let last = self.last(point);
        self.said.push(said);
        for doubt in [
            counted,
            doubt(point == PointId(4) && self.has_jumped(point), Reason::UnitJump),
            doubt([3, 5].contains(&point.0) && self.is_too_fast(point), Reason::Rate),
            doubt(point == PointId(3) && self.stands_still(point), Reason::Frozen),
        ] {
            said.reading.quality = said.reading.quality.worse(doubt);
        }
        if let Some(last) = last
            && !by_source
            && last.at >= at
            && last.at.since_ms(at) < BURST_AHEAD_MAX_MS
        {
            said.reading.at = last.at.plus_ms(1);
        }
        *self.said.last_mut().unwrap() = said;
        Some((said.reading, true))
    }

    fn has_come(&self, base: &Reading, by_source: bool) -> bool {
        let same = |said: &Said| Reading { at: said.reading.at, ..said.base } == *base;
        let seen = |said: &&Said| said.by_source && said.base == *base;
        let last = self.current(base.point).last().copied();
        let known = self.known.get(&base.point).copied().map(|last| match last.quality.reason() {
            Some(Reason::UnitJump | Reason::Rate | Reason::Frozen) if base.point != PointId(1) => {
                Reading { quality: Quality::Good, ..last }
            }
            _ => last,
        });
        last.map_or(known == Some(*base), |last| same(&last))
            || (by_source && self.said.iter().any(|said| seen(&said)))
    }

    /// (value, time) of what was current, the one known at the start first.
    fn values(&self, point: PointId, without: &[Reason]) -> Vec<(i64, UtcMs, u64)> {
        let known = self.known.get(&point);
        let known =
            known.filter(|last| last.quality.reason().is_none_or(|reason| !without.contains(&reason)));
        let known = known.map(|last| (int(last.value), last.at, self.started));
        let said = self.current(point);
        known
            .into_iter()
            .chain(said.iter().map(|said| (int(said.base.value), said.base.at, said.ms)))
            .collect()
    }

    fn is_too_fast(&self, point: PointId) -> bool {
        let per = i64::try_from(RATE.per_ms).unwrap();
        let fits = |a: &(i64, UtcMs, u64), b: &(i64, UtcMs, u64)| {
            (a.0 - b.0).abs() * per
                <= int(Some(Value::Decimal(RATE.change))) * gap_ms((a.1, a.2), (b.1, b.2)).max(per)
        };
        let values = self.values(point, &[Reason::Stale, Reason::Rate]);
        let (mut anchor, mut level, mut failed) = (values[0], Vec::new(), false);
        for value in &values[1..] {
            failed = false;
            if fits(&anchor, value) {
                level.clear();
                if gap_ms((anchor.1, anchor.2), (value.1, value.2)) >= per {
                    anchor = *value;
                }
                continue;
            }
            if level.first().is_some_and(|first| !fits(first, value)) {
                level.clear();
            }
            level.push(*value);
            failed = level.len() < 3;
            if !failed {
                anchor = *value;
                level.clear();
            }
        }
        failed
    }

    fn stands_still(&self, point: PointId) -> bool {
        let values = self.values(point, &[]);
        let here = values.last().unwrap().0;
        let run = values.iter().rev().take_while(|value| value.0 == here).count();
        let run = &values[values.len() - run..];
        let paused = |pair: &&[(i64, UtcMs, u64)]| pair[1].2 - pair[0].2 <= STALE_MS;
        let read_ms: u64 = run.windows(2).filter(paused).map(|pair| pair[1].2 - pair[0].2).sum();
        let was = self.known.get(&point).is_some_and(|last| last.quality.reason() == Some(Reason::Frozen));
        read_ms >= FROZEN.after_ms || (was && run.len() == values.len())
    }

    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    fn has_jumped(&self, point: PointId) -> bool {
        let near = |a: f64, b: f64| (a - b).abs() <= 0.02 * b.abs();
        let mut jumped =
            self.known.get(&point).is_some_and(|last| last.quality.reason() == Some(Reason::UnitJump));
        // Before a restart nobody knows any more out of which unit it came.
        let mut level = None;
        let values = self.values(point, &[]);
        let mut before = values[0].0 as f64;
        for (value, ..) in &values[1..] {
            let value = *value as f64;
            match (jumped, level) {
                (false, _) => {
                    jumped = near(value, before * 1_000.0) && before != 0.0;
                    level = jumped.then_some(value / 1_000.0);
                }
                (true, Some(own)) => {
                    jumped = (value - own).abs() >= (value - own * 1_000.0).abs();
                    level = jumped.then_some(value / 1_000.0);
                }
                (true, None) => jumped = !(near(before, value * 1_000.0) && value != 0.0),
            }
            before = value;
        }
        jumped
    }

    fn tick(&mut self, at: Now) -> Vec<(Option<Reading>, Option<Reading>)> {
        let mut all = Vec::new();
        for point in (1..=5).map(PointId) {
            let is_new = !self.is_silent(point) && at.mono.0 - self.heard(point) > STALE_MS;
            let mark = is_new.then(|| {
                let (value, quality) = match self.last(point) {
                    None => (None, Quality::Bad(Reason::NoCommunication)),
                    Some(last) => (last.value, Quality::Uncertain(Reason::Stale)),
                };
                Reading { point, at: at.utc, value, quality }
            });
            let event = match mark {
                Some(mark) => Event::Mark(mark, at.mono.0),
                None => Event::Tick(at.mono.0),
            };
            if mark.is_some() {
                self.marks.push((point, at.mono.0));
            }
            let kept = self.keep(point, event);
            let held = kept.into_iter().find(|reading| Some(*reading) != mark);
            all.push((held, mark));
        }
        all
    }

    /// What goes to the history with an event.
    fn keep(&mut self, point: PointId, event: Event) -> Vec<Reading> {
        self.events.push((point, event));
        let events = self.events.iter().filter(|(of, _)| *of == point).map(|(_, event)| *event);
        let rows = match event {
            Event::Read(reading, _) | Event::Mark(reading, _) if ![4, 5].contains(&point.0) => vec![reading],
            _ if ![4, 5].contains(&point.0) => Vec::new(),
            _ => rows(self.known.get(&point).map(|last| (*last, self.started)), events),
        };
        self.note(&rows);
        rows
    }

    fn note(&mut self, rows: &[Reading]) {
        let valued = rows.iter().filter(|row| row.value.is_some());
        self.history.extend(valued.map(|row| (row.point, *row)));
    }

    fn restart(&mut self, ms: u64) {
        let history = std::mem::take(&mut self.history);
        *self = Model { started: ms, known: history.clone(), history, ..Model::default() };
    }
}

fn doubt(is_wrong: bool, reason: Reason) -> Quality {
    if is_wrong { Quality::Uncertain(reason) } else { Quality::Good }
}

/// The rows that the last of these events gives.
fn rows(known: Option<(Reading, u64)>, events: impl Iterator<Item = Event>) -> Vec<Reading> {
    let (mut kept, mut held, mut rows) = (known, None::<(Reading, u64)>, Vec::new());
    let is_far = |a: &Reading, b: &Reading| match (a.value, b.value) {
        (Some(_), Some(_)) => (int(a.value) - int(b.value)).abs() > 2,
        (a, b) => a != b,
    };
    for event in events {
        rows.clear();
        match event {
            Event::Read(reading, ms) => {
                let (is_change, is_due) = kept.map_or((true, true), |(row, since)| {
                    let gap = gap_ms((row.at, since), (reading.at, ms));
                    let moved = is_far(&row, &reading) && gap >= 1_500;
                    (row.quality != reading.quality || moved, gap >= 12_000)
                });
                if !is_change && !is_due {
                    held = Some((reading, ms));
                    continue;
                }
                let between = |before: &Reading| {
                    kept.is_some_and(|(row, _)| row.at < before.at) && before.at < reading.at
                };
                rows.extend(held.map(|(before, _)| before).filter(|before| is_change && between(before)));
                rows.push(reading);
                (kept, held) = (Some((reading, ms)), None);
            }
            Event::Mark(mark, ms) => {
                rows.extend(held.map(|(before, _)| before));
                rows.push(mark);
                (kept, held) = (Some((mark, ms)), None);
            }
            Event::Tick(ms) | Event::Stop(ms) => {
                let due = held.zip(kept).is_some_and(|((before, _), (row, since))| {
                    ms >= since + if is_far(&row, &before) { 1_500 } else { 12_000 }
                });
                if due || matches!(event, Event::Stop(_)) {
                    rows.extend(held.map(|(before, _)| before));
                    kept = held.or(kept);
                    held = None;
                }
            }
        }
    }
    rows
}

fn readings(batch: Option<Arc<Batch>>) -> Vec<Reading> {
    batch.map(|batch| batch.readings.clone()).unwrap_or_default()
}

/// What the model has to say to samples: the rows of the history and what is current.
fn said(
    model: &mut Model,
    samples: &[(u32, i64)],
    at: UtcMs,
    by_source: bool,
    ms: u64,
) -> (Vec<Reading>, Vec<Reading>) {
    let (mut history, mut live) = (Vec::new(), Vec::new());
    for (point, value) in samples {
        match model.say(*point, *value, at, by_source, ms) {
            None => {}
            Some((late, false)) => {
                model.note(&[late]);
                history.push(late);
            }
            Some((reading, true)) => {
                live.push(reading);
                history.extend(model.keep(reading.point, Event::Read(reading, ms)));
            }
        }
    }
    (history, live)
}

fn ticked(model: &mut Model, at: Now) -> (Vec<Reading>, Vec<Reading>) {
    let all = model.tick(at);
    let history = all.iter().flat_map(|(held, mark)| [*held, *mark]).flatten().collect();
    (history, all.iter().filter_map(|(_, mark)| *mark).collect())
}

fn stopped(model: &mut Model, ms: u64) -> Vec<Reading> {
    (1..=5).flat_map(|point| model.keep(PointId(point), Event::Stop(ms))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn agrees_with_a_naive_model(ops in prop::collection::vec(op(), 1..70)) {
        let (mut engine, mut model, mut ms) = (Engine::new(settings(), now(0)), Model::default(), 0);
        for op in ops {
            let at = now(ms);
            let (outcome, (history, live)) = match op {
                Op::Wait(more) => { ms += more; continue }
                Op::Replan => { engine.replan(&settings(), &BTreeSet::new(), at); continue }
                Op::Tick => (engine.tick(at), ticked(&mut model, at)),
                Op::Poll(values) => {
                    let samples = values.iter().map(|(point, value)| sample(*point, *value)).collect();
                    (step(&mut engine, polled(at, samples), at), said(&mut model, &values, at.utc, false, ms))
                }
                Op::Stamped { behind_ms, point, value } => {
                    let source_at = at.utc.plus_ms(-behind_ms);
                    let outcome = step(&mut engine, stamped(at, source_at, vec![sample(point, value)]), at);
                    (outcome, said(&mut model, &[(point, value)], source_at, true, ms))
                }
                Op::Restart { is_kill } => {
                    if !is_kill {
                        prop_assert_eq!(readings(engine.release(at).history), stopped(&mut model, ms));
                    }
                    model.restart(ms);
                    engine = Engine::new(settings(), at);
                    engine.remember(model.known.values().copied());
                    continue
                }
            };
            prop_assert_eq!(readings(outcome.history), history);
            prop_assert_eq!(readings(outcome.live), live);
        }
    }
}

/// The model is worth something only if the sequences bring about what it tells apart.
#[test]
fn the_sequences_reach_every_rule() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut reasons, mut held, mut stepped, mut rolled) = (BTreeSet::new(), 0, 0, 0);
    for _ in 0..500 {
        let ops = prop::collection::vec(op(), 1..70).new_tree(&mut runner).unwrap().current();
        let (mut model, mut ms) = (Model::default(), 0);
        for op in ops {
            let at = now(ms);
            let (history, live) = match op {
                Op::Wait(more) => {
                    ms += more;
                    continue;
                }
                Op::Tick => ticked(&mut model, at),
                Op::Poll(values) => said(&mut model, &values, at.utc, false, ms),
                Op::Stamped { behind_ms, point, value } => {
                    said(&mut model, &[(point, value)], at.utc.plus_ms(-behind_ms), true, ms)
                }
                Op::Restart { .. } => {
                    model.restart(ms);
                    continue;
                }
                Op::Replan => continue,
            };
            let both = || history.iter().chain(&live);
            reasons.extend(both().filter_map(|reading| Some((reading.point.0, reading.quality.reason()?))));
            held += live.iter().filter(|reading| !history.contains(reading)).count();
            stepped += history.iter().filter(|reading| !live.contains(reading)).count();
            rolled +=
                live.iter().filter(|r| r.point.0 == 2 && r.value.is_some_and(|v| int(Some(v)) > 200)).count();
        }
    }
    for reached in [
        (1, Reason::OutOfRange),
        (2, Reason::OutOfRange),
        (2, Reason::Rate),
        (3, Reason::Rate),
        (3, Reason::Frozen),
        (4, Reason::UnitJump),
        (5, Reason::Rate),
        (5, Reason::Stale),
    ] {
        assert!(reasons.contains(&reached), "{reached:?}");
    }
    assert!(
        held > 100 && stepped > 100 && rolled > 10,
        "{held} held, {stepped} late or stepped, {rolled} rolled"
    );
}
