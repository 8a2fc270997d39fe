//! What a point's values are watched for: counters that roll over, units that jump, changes that
//! are too fast, values that stand still.
//!
//! Pure, and asked only of points that are configured for it. Times: two readings are as far apart
//! as the greater of their stamps' and of the monotonic clock's distance, so that neither a queue
//! handed over at once nor a wall clock that is set makes a change look faster than it was.

use super::scale::{Level, Recipe};
use super::{PointSettings, report::Reporter};
use crate::clock::Mono;
use crate::config;
use crate::point::{Decimal, PointId, Quality, Reading, Reason, Unit, UtcMs, Value};

/// A level after a jump is believed once so many readings in a row agree with it.
pub const RATE_PROOF_READINGS: u32 = 3;

/// How near to the ratio of two units a jump must come, as a part of the value expected.
pub const UNIT_JUMP_TOLERANCE: f64 = 0.02;

/// A unit less different than this from the point's own cannot be told from a change: a part of
/// the value before.
pub const UNIT_JUMP_APART: f64 = 0.5;

/// A fall of a counter is a roll-over if it comes out as a rise of at most this part of its span.
pub const ROLL_PART: i128 = 10;

/// What is watched of one point.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    pub(super) counter: Option<Counter>,
    pub(super) unit: Option<UnitWatch>,
    pub(super) rate: Option<RateWatch>,
    pub(super) frozen: Option<FrozenWatch>,
    pub(super) report: Option<Reporter>,
    /// Quality of the last reading before it was judged here; by it a repeated one is known.
    base: Option<Quality>,
}

/// A value with its times.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trace {
    pub(super) value: Value,
    pub(super) at: UtcMs,
    pub(super) mono: Mono,
}

/// How far apart two moments are, by whichever clock says more. Milliseconds.
pub(super) fn elapsed_ms(from: (UtcMs, Mono), to: (UtcMs, Mono)) -> u64 {
    let stamps = u64::try_from(to.0.since_ms(from.0)).unwrap_or(0);
    stamps.max(to.1.since_ms(from.1))
}

impl Trace {
    fn elapsed_ms(&self, later: &Trace) -> u64 {
        elapsed_ms((self.at, self.mono), (later.at, later.mono))
    }
}

/// The number of a value; a flag or word has none.
fn number(value: Value) -> Option<f64> {
    match value {
        Value::Decimal(_) | Value::F64(_) => value.as_f64(),
        Value::Bool(_) | Value::Text(_) => None,
    }
}

/// The distance of two decimals; none of anything else, and beyond 64 bits.
fn distance(a: Value, b: Value) -> Option<Decimal> {
    let (Value::Decimal(a), Value::Decimal(b)) = (a, b) else { return None };
    if a < b { b.checked_sub(a).ok() } else { a.checked_sub(b).ok() }
}

fn distance_f64(a: Value, b: Value) -> Option<f64> {
    Some((number(a)? - number(b)?).abs())
}

/// Whether two values are farther apart than `limit`; two that are no numbers, if they differ.
pub(super) fn is_far(a: Value, b: Value, limit: &Level) -> bool {
    match distance(a, b) {
        Some(distance) => distance > limit.exact,
        None => distance_f64(a, b).map_or(a != b, |distance| distance > limit.float),
    }
}

impl Rules {
    /// None where nothing is to be watched.
    pub(super) fn new(point: &PointSettings, recipe: &Recipe, now: Mono) -> Option<Box<Rules>> {
        let settings = &point.conditioning;
        let counter = settings.counter_modulus.and_then(|modulus| Counter::new(modulus, recipe));
        let checks = &settings.checks;
        let rules = Rules {
            counter,
            unit: checks.unit_jump.then(|| UnitWatch::new(point)),
            rate: checks.rate_max.map(RateWatch::new),
            frozen: checks.frozen.map(|frozen| FrozenWatch::new(frozen, point.stale_after_ms, now)),
            report: settings.report.map(Reporter::new),
            base: None,
        };
        let Rules { counter, unit, rate, frozen, report, base: _ } = &rules;
        let is_any = counter.is_some() || unit.is_some() || rate.is_some() || frozen.is_some();
        (is_any || report.is_some()).then(|| Box::new(rules))
    }

    /// What was known before another plan. `is_same`: its values mean what they meant.
    pub(super) fn inherit(&mut self, old: Rules, is_same: bool) {
        if let (Some(new), Some(old)) = (&mut self.report, old.report) {
            new.inherit(&old);
        }
        if !is_same {
            return;
        }
        self.base = old.base;
        if let (Some(new), Some(old)) = (&mut self.counter, old.counter) {
            new.total = old.total;
        }
        if let (Some(new), Some(old)) = (&mut self.unit, old.unit) {
            new.state = old.state;
        }
        if let (Some(new), Some(old)) = (&mut self.rate, old.rate) {
            (new.anchor, new.candidate, new.saw) = (old.anchor, old.candidate, old.saw);
        }
        if let (Some(new), Some(old)) = (&mut self.frozen, old.frozen) {
            (new.reference, new.since, new.heard) = (old.reference, old.since, old.heard);
            new.is_frozen = old.is_frozen;
        }
    }

    /// What the history knows of the point, after a restart.
    pub(super) fn remember(&mut self, last: &Reading, now: Mono) {
        let (Some(value), reason) = (last.value, last.quality.reason()) else { return };
        let trace = Trace { value, at: last.at, mono: now };
        if let Some(counter) = &mut self.counter {
            counter.remember(trace);
        }
        if let Some(unit) = &mut self.unit {
            unit.remember(value, reason == Some(Reason::UnitJump));
        }
        // A mark of silence has the time of the mark and not of the value.
        if let Some(rate) =
            self.rate.as_mut().filter(|_| !matches!(reason, Some(Reason::Stale | Reason::Rate)))
        {
            rate.anchor = Some(trace);
        }
        if let Some(frozen) = &mut self.frozen {
            frozen.remember(value, reason == Some(Reason::Frozen), now);
        }
        if let Some(report) = &mut self.report {
            report.kept(*last, now);
        }
    }

    /// The counter's value beyond its roll-overs, and what is to be doubted about it. `is_older`:
    /// than what is current by the source's own clock, so that it does not count on.
    pub(super) fn count(&mut self, reading: &mut Reading, is_older: bool, now: Mono) -> Doubt {
        let Some(counter) = &mut self.counter else { return Doubt::default() };
        counter.before = counter.total;
        let Some(Value::Decimal(shown)) = reading.value else { return Doubt::default() };
        match counter.count(shown, (reading.at, now), is_older, self.rate.as_ref()) {
            Counted::Goes(total) => {
                reading.value = Some(Value::Decimal(total));
                Doubt::default()
            }
            Counted::Reset { before } => {
                // What it begins with is told once, and no change to be measured.
                if let Some(rate) = &mut self.rate {
                    (rate.anchor, rate.candidate) = (None, None);
                }
                Doubt {
                    quality: Quality::Uncertain(Reason::Rate),
                    reset: Some(Reset { point: reading.point, before, after: shown }),
                }
            }
            Counted::Beyond => Doubt { quality: Quality::Uncertain(Reason::OutOfRange), reset: None },
        }
    }

    /// The last reading was dropped after all: it has counted nothing.
    pub(super) fn uncount(&mut self) {
        if let Some(counter) = &mut self.counter {
            counter.total = counter.before;
        }
    }

    /// Whether a reading that has not been judged yet is the last one again.
    pub(super) fn is_again(&self, last: &Reading, reading: &Reading) -> bool {
        let own = matches!(last.quality.reason(), Some(Reason::UnitJump | Reason::Rate | Reason::Frozen));
        // Not known after a restart.
        let remembered = if own { Quality::Good } else { last.quality };
        Reading { quality: self.base.unwrap_or(remembered), ..*last } == *reading
    }

    /// The quality of a reading that is to become current. A doubt about the value says more than
    /// one about its time.
    pub(super) fn judge(&mut self, reading: &Reading, counted: Quality, now: Mono) -> Quality {
        let base = reading.quality;
        self.base = Some(base);
        let Some(value) = reading.value else { return base };
        let trace = Trace { value, at: reading.at, mono: now };
        let is_clock = base == Quality::Uncertain(Reason::Clock);
        let mut quality = if is_clock { counted } else { base.worse(counted) };
        let mut doubt = |is_wrong: bool, reason: Reason| {
            if is_wrong {
                quality = quality.worse(Quality::Uncertain(reason));
            }
        };
        if let Some(unit) = &mut self.unit {
            doubt(unit.has_jumped(value), Reason::UnitJump);
        }
        if let Some(rate) = &mut self.rate {
            doubt(rate.is_too_fast(trace), Reason::Rate);
        }
        if let Some(frozen) = &mut self.frozen {
            doubt(frozen.stands_still(value, now), Reason::Frozen);
        }
        quality.worse(base)
    }
}

/// What a counter's value is doubted for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Doubt {
    pub(super) quality: Quality,
    pub(super) reset: Option<Reset>,
}

/// A counter that fell and did not roll over: reset, or replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reset {
    /// The point.
    pub point: PointId,
    /// What it had counted to, in the point's unit.
    pub before: Decimal,
    /// Where it begins again.
    pub after: Decimal,
}

/// A counter whose value goes on when the register begins again at 0.
#[derive(Clone, Debug)]
pub(super) struct Counter {
    /// What a whole turn comes to in the point's unit.
    pub(super) span: Decimal,
    /// What the register's 0 comes to.
    zero: Decimal,
    pub(super) modulus: u64,
    total: Option<(Decimal, UtcMs, Mono)>,
    /// Before the last reading.
    before: Option<(Decimal, UtcMs, Mono)>,
}

enum Counted {
    /// On, to this.
    Goes(Decimal),
    /// It begins again.
    Reset { before: Decimal },
    /// The register shows more than it can by its modulus.
    Beyond,
}

impl Counter {
    fn new(modulus: u64, recipe: &Recipe) -> Option<Counter> {
        let span = recipe.of_counts(modulus).filter(|span| *span > Decimal::ZERO)?;
        Some(Counter { span, zero: recipe.of_none(), modulus, total: None, before: None })
    }

    fn remember(&mut self, last: Trace) {
        if let Value::Decimal(total) = last.value {
            self.total = Some((total, last.at, last.mono)).filter(|_| total >= self.zero);
        }
    }

    fn count(
        &mut self,
        shown: Decimal,
        moment: (UtcMs, Mono),
        is_older: bool,
        rate: Option<&RateWatch>,
    ) -> Counted {
        let before = self.total.map_or(shown, |(total, ..)| total);
        // Whole numbers of the finest digit of all four.
        let places = [shown, before, self.span, self.zero].map(Decimal::exponent).into_iter().min();
        let places = places.unwrap_or(0);
        let whole = |number: Decimal| number.mantissa_at(places).map(i128::from);
        let (Some(now), Some(last), Some(span), Some(zero)) =
            (whole(shown), whole(before), whole(self.span), whole(self.zero))
        else {
            return Counted::Beyond;
        };
        let (now, last) = (now - zero, last - zero);
        if now < 0 || now >= span {
            return Counted::Beyond;
        }
        let (turns, rest) = (last.div_euclid(span), last.rem_euclid(span));
        let value = |turns: i128| {
            let total = i64::try_from(zero + turns * span + now).ok()?;
            Decimal::new(total, places).ok()
        };
        if is_older {
            let turns = if now <= rest { turns } else { turns - 1 };
            return Counted::Goes(value(turns.max(0)).unwrap_or(shown));
        }
        let elapsed = self.total.map_or(0, |(_, at, mono)| elapsed_ms((at, mono), moment));
        let is_roll = |rise: i128| {
            let change = i64::try_from(rise).ok().and_then(|rise| Decimal::new(rise, places).ok());
            match (rate, change) {
                (Some(rate), Some(change)) => rate.allows(change, elapsed),
                _ => rise * ROLL_PART <= span,
            }
        };
        let turns = if now >= rest { Some(turns) } else { is_roll(span - rest + now).then_some(turns + 1) };
        let total = turns.and_then(value);
        self.total = Some((total.unwrap_or(shown), moment.0, moment.1));
        total.map_or(Counted::Reset { before }, Counted::Goes)
    }
}

/// Changes that what is measured cannot make.
#[derive(Clone, Debug)]
pub(super) struct RateWatch {
    pub(super) limit: config::RateMax,
    change: Level,
    /// What changes are measured from; renewed once the time of the limit has passed.
    anchor: Option<Trace>,
    /// A new level, and how many readings in a row agreed with it.
    candidate: Option<(Trace, u32)>,
    /// The last change and the time it took, for whoever asks.
    pub(super) saw: Option<(f64, u64)>,
}

impl RateWatch {
    fn new(limit: config::RateMax) -> RateWatch {
        let change = Level::of(limit.change);
        RateWatch { limit, change, anchor: None, candidate: None, saw: None }
    }

    /// Whether a change can come about in a time: up to the time of the limit the whole of it is
    /// allowed, afterwards in proportion.
    fn allows(&self, change: Decimal, elapsed_ms: u64) -> bool {
        let ms = |ms: u64| Decimal::from_int(i64::try_from(ms).unwrap_or(i64::MAX));
        let exact = || {
            let sides = (
                change.checked_mul(ms(self.limit.per_ms)),
                self.change.exact.checked_mul(ms(elapsed_ms.max(self.limit.per_ms))),
            );
            if let (Ok(change), Ok(limit)) = sides { Some(change <= limit) } else { None }
        };
        exact().unwrap_or_else(|| self.allows_f64(change.to_f64(), elapsed_ms))
    }

    #[expect(clippy::cast_precision_loss, reason = "times of less than 285,000 years")]
    fn allows_f64(&self, change: f64, elapsed_ms: u64) -> bool {
        let parts = elapsed_ms.max(self.limit.per_ms) as f64 / self.limit.per_ms as f64;
        change <= self.change.float * parts
    }

    fn fits(&self, from: &Trace, to: &Trace) -> bool {
        let elapsed = from.elapsed_ms(to);
        match distance(from.value, to.value) {
            Some(change) => self.allows(change, elapsed),
            None => distance_f64(from.value, to.value).is_none_or(|change| self.allows_f64(change, elapsed)),
        }
    }

    fn is_too_fast(&mut self, here: Trace) -> bool {
        let Some(anchor) = self.anchor else {
            self.anchor = Some(here);
            return false;
        };
        let elapsed = anchor.elapsed_ms(&here);
        self.saw = distance_f64(anchor.value, here.value).map(|change| (change, elapsed));
        if self.fits(&anchor, &here) {
            self.candidate = None;
            if elapsed >= self.limit.per_ms {
                self.anchor = Some(here);
            }
            return false;
        }
        let agreed = match self.candidate {
            Some((level, agreed)) if self.fits(&level, &here) => (level, agreed + 1),
            _ => (here, 1),
        };
        let is_proven = agreed.1 >= RATE_PROOF_READINGS;
        self.candidate = Some(agreed).filter(|_| !is_proven);
        if is_proven {
            self.anchor = Some(here);
        }
        !is_proven
    }

    /// Whether the last reading was too fast.
    pub(super) fn is_failed(&self) -> bool {
        self.candidate.is_some()
    }
}

/// A value that must move.
#[derive(Clone, Debug)]
pub(super) struct FrozenWatch {
    pub(super) limit: config::Frozen,
    band: Level,
    /// A longer pause between two readings is silence, and no standing still.
    pause_ms: u64,
    reference: Option<Value>,
    pub(super) since: Mono,
    heard: Mono,
    pub(super) is_frozen: bool,
}

impl FrozenWatch {
    fn new(limit: config::Frozen, pause_ms: u64, now: Mono) -> FrozenWatch {
        let band = Level::of(limit.band);
        FrozenWatch { limit, band, pause_ms, reference: None, since: now, heard: now, is_frozen: false }
    }

    fn remember(&mut self, value: Value, is_frozen: bool, now: Mono) {
        (self.reference, self.is_frozen) = (Some(value), is_frozen);
        (self.since, self.heard) = (now, now);
    }

    fn stands_still(&mut self, value: Value, now: Mono) -> bool {
        let pause = now.since_ms(self.heard);
        if pause > self.pause_ms {
            self.since = self.since.plus_ms(pause);
        }
        self.heard = now;
        if self.reference.is_none_or(|reference| is_far(reference, value, &self.band)) {
            (self.reference, self.since, self.is_frozen) = (Some(value), now, false);
        } else if now.since_ms(self.since) >= self.limit.after_ms {
            self.is_frozen = true;
        }
        self.is_frozen
    }
}

/// A jump by the ratio of two units.
#[derive(Clone, Debug)]
pub(super) struct UnitWatch {
    /// What a value becomes if the device goes over to another unit: factor and offset.
    others: Box<[(f64, f64)]>,
    pub(super) state: UnitState,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum UnitState {
    /// The last value, if any.
    Steady(Option<f64>),
    /// It goes on as this other unit; `level` is the last value in the point's own.
    Jumped { other: (f64, f64), level: f64 },
    /// It had jumped before a restart; the last value.
    Remembered(f64),
}

impl UnitWatch {
    fn new(point: &PointSettings) -> UnitWatch {
        let own = point.conditioning.raw_unit.unwrap_or(point.unit);
        let mut others: Vec<(f64, f64)> = Vec::new();
        let around = (Unit::conversion(point.unit, own), Unit::conversion(own, point.unit));
        if let (Ok(to_raw), Ok(from_raw)) = around {
            for other in Unit::alike(own) {
                let Ok(changed) = Unit::conversion(own, other) else { continue };
                // Out of the point's unit, into the other one, read as if it were the first.
                let through = [to_raw, changed, from_raw].into_iter().map(crate::point::Conversion::float);
                let all = through
                    .fold((1.0, 0.0), |(factor, offset), (by, more)| (factor * by, offset * by + more));
                let is_same = |known: &(f64, f64)| {
                    (known.0 / all.0 - 1.0).abs() < UNIT_JUMP_TOLERANCE
                        && (known.1 - all.1).abs() <= UNIT_JUMP_TOLERANCE * all.1.abs()
                };
                if !is_same(&(1.0, 0.0)) && !others.iter().any(is_same) {
                    others.push(all);
                }
            }
        }
        UnitWatch { others: others.into(), state: UnitState::Steady(None) }
    }

    fn remember(&mut self, value: Value, has_jumped: bool) {
        let Some(value) = number(value) else { return };
        self.state = if has_jumped { UnitState::Remembered(value) } else { UnitState::Steady(Some(value)) };
    }

    fn has_jumped(&mut self, value: Value) -> bool {
        let Some(value) = number(value) else { return false };
        let jump = |from: f64, to: f64| {
            self.others.iter().copied().find(|(factor, offset)| {
                let expected = from * factor + offset;
                expected.is_finite()
                    && (to - expected).abs() <= UNIT_JUMP_TOLERANCE * expected.abs()
                    && (expected - from).abs() > UNIT_JUMP_APART * from.abs()
            })
        };
        let back = |(factor, offset): (f64, f64)| (value - offset) / factor;
        self.state = match self.state {
            UnitState::Steady(None) => UnitState::Steady(Some(value)),
            UnitState::Steady(Some(level)) => match jump(level, value) {
                Some(other) => UnitState::Jumped { other, level: back(other) },
                None => UnitState::Steady(Some(value)),
            },
            UnitState::Jumped { other, level } => {
                let expected = level * other.0 + other.1;
                // What is beyond all floats in the other unit is no value of it.
                if (value - level).abs() < (value - expected).abs() || !back(other).is_finite() {
                    UnitState::Steady(Some(value))
                } else {
                    UnitState::Jumped { other, level: back(other) }
                }
            }
            UnitState::Remembered(last) if jump(value, last).is_some() => UnitState::Steady(Some(value)),
            UnitState::Remembered(_) => UnitState::Remembered(value),
        };
        !matches!(self.state, UnitState::Steady(_))
    }
}
