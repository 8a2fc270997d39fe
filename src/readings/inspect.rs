//! How a reading came about: for the page of a point and for whoever doubts a number.
//!
//! The step keeps the last raw sample of each point and nothing else for this; everything said
//! here is worked out when someone asks.

use super::rules::{RateWatch, Rules, UnitState};
use super::scale::{self, Changes, Recipe, between};
use super::slot::Slot;
use crate::clock::Mono;
use crate::field::{Fault, Raw};
use crate::point::{Decimal, PointId, Quality, Reading, Reason, Unit, UtcMs, Value, ValueKind};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Questions that wait for the task; more, and the asker waits.
pub const QUESTIONS_MAX: usize = 16;

/// Everything about the last sample of a point.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// The point.
    pub point: PointId,
    /// What its device sent last; none before the first.
    pub sample: Option<Sampled>,
    /// The way from the raw number to the value, in order; ends where there is no value.
    pub steps: Vec<Step>,
    /// What the value was asked, in the order in which a reason wins.
    pub checks: Vec<Check>,
    /// The newest reading that counts, which is of this sample unless its fate says otherwise.
    pub reading: Option<Reading>,
    /// Silent for longer than it may be, and this has been said.
    pub is_silent: bool,
    /// When something new was last heard of it: so long ago. Milliseconds.
    pub heard_ago_ms: u64,
    /// What became of the last reading on its way to the history.
    pub history: Kept,
    /// Counts since the start of the program.
    pub counts: Counts,
}

/// A raw sample with where and when it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampled {
    /// The number or word as the device has it, or why there is none.
    pub raw: Result<Raw, Fault>,
    /// The device or broker.
    pub device: Arc<str>,
    /// The source's own stamp, where it sent one.
    pub source_at: Option<UtcMs>,
    /// When plantroom had it in hand.
    pub received_at: UtcMs,
    /// How far plantroom's own stamp may be off. Milliseconds.
    pub at_error_ms: u32,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is the current reading.
    Current,
    /// Older than what was current: in the history only.
    Late,
    /// It had come before.
    Duplicate,
}

/// A step from the raw number to the value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// The raw number or flag, as a value. A word has no step.
    Raw(Value),
    /// Multiplied.
    Scaled {
        /// By this.
        by: Decimal,
        /// The result.
        value: Value,
    },
    /// Moved.
    Offset {
        /// By this.
        by: Decimal,
        /// The result.
        value: Value,
    },
    /// From one unit into another.
    Converted {
        /// What the device sends.
        from: Unit,
        /// The point's.
        to: Unit,
        /// The result.
        value: Value,
    },
    /// Held at an end; only if it was beyond one.
    Clamped {
        /// The lower end.
        low: Decimal,
        /// The upper end.
        high: Decimal,
        /// The result.
        value: Value,
    },
    /// Counted on beyond the register's end; only if it has rolled over.
    Counted {
        /// Counts at which the register begins again.
        modulus: u64,
        /// The result.
        value: Value,
    },
}

/// A question asked of a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// Which.
    pub rule: Rule,
    /// What is allowed, spelled with the point's unit left out: `0 .. 1.6`, `5 / 60000 ms`.
    pub limit: Option<String>,
    /// What was found.
    pub saw: Option<String>,
    /// The answer.
    pub verdict: Verdict,
}

/// What is asked of a value, in the order in which a reason wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The device answered, and with a value that can be read.
    Answer,
    /// The source does not doubt it itself.
    Source,
    /// It lies in the range of the instrument.
    Range,
    /// It is one of the point's states.
    States,
    /// Its counter did not fall without rolling over.
    Counter,
    /// It did not jump by the ratio of two units.
    UnitJump,
    /// It did not change faster than it can.
    Rate,
    /// It moves.
    Frozen,
    /// Its time is known.
    Clock,
    /// It is not older than it may be.
    Stale,
}

/// The answer to a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing against it.
    Passed,
    /// This is a reason to doubt it.
    Failed,
    /// Not asked of this point.
    NotConfigured,
    /// There was no value to ask.
    NotReached,
}

/// What of the last reading is in the history.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kept {
    /// The point keeps everything.
    Everything,
    /// It was kept.
    Kept,
    /// It is held back: too near to what was kept last, or too soon after it.
    HeldBack {
        /// What was kept last.
        kept: Option<Reading>,
        /// What is held back.
        held: Reading,
    },
}

/// What a point has had since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Readings made, late ones included.
    pub readings: u32,
    /// Those without a value.
    pub bad: u32,
    /// Those held back from the history.
    pub held_back: u32,
    /// Samples that came again, dropped.
    pub duplicates: u32,
    /// Readings older than what was current.
    pub late: u32,
}

/// Asks the running task. Clones ask the same one.
#[derive(Clone, Debug)]
pub struct Inspector(mpsc::Sender<Question>);

/// What the task is asked; see [`Inspector::explain`].
#[derive(Debug)]
pub struct Question {
    pub(super) point: PointId,
    pub(super) answer: oneshot::Sender<Option<Explained>>,
}

impl Inspector {
    /// A handle, and the end of it that [`super::Task`] takes.
    pub fn new() -> (Inspector, mpsc::Receiver<Question>) {
        let (asker, questions) = mpsc::channel(QUESTIONS_MAX);
        (Inspector(asker), questions)
    }

    /// How the last reading of a point came about; none for a point that is not in the plan, and
    /// from a task that has ended.
    pub async fn explain(&self, point: PointId) -> Option<Explained> {
        let (answer, told) = oneshot::channel();
        self.0.send(Question { point, answer }).await.ok()?;
        told.await.ok().flatten()
    }
}

/// What is known of a point, at this moment.
pub(super) fn explain(slot: &Slot, now: Mono) -> Explained {
    let (sample, recipe) = (slot.heard.sample(), &slot.recipe);
    let raw = sample.as_ref().map(|sample| &sample.raw);
    let steps = raw.map_or_else(Vec::new, |raw| steps(recipe, raw, slot));
    let history = match slot.rules.as_ref().and_then(|rules| rules.report.as_ref()) {
        None => Kept::Everything,
        Some(report) => match report.state() {
            (kept, Some(held)) => Kept::HeldBack { kept, held },
            (_, None) => Kept::Kept,
        },
    };
    Explained {
        point: slot.id,
        checks: checks(slot, raw, &steps, now),
        sample,
        steps,
        reading: slot.last,
        is_silent: slot.is_silent,
        heard_ago_ms: now.since_ms(slot.heard_at),
        history,
        counts: slot.counts,
    }
}

fn steps(recipe: &Recipe, raw: &Result<Raw, Fault>, slot: &Slot) -> Vec<Step> {
    let Ok(first) = scale::unscaled(recipe, raw) else { return Vec::new() };
    let mut steps = vec![Step::Raw(first)];
    if matches!(recipe.kind, ValueKind::Bool | ValueKind::Text) {
        return steps;
    }
    let mut value = first;
    if let Some(changes) = &recipe.changes {
        let Some(found) = changed(changes, first, &mut steps) else { return steps };
        value = found;
    }
    let counter = slot.rules.as_ref().and_then(|rules| rules.counter.as_ref());
    let is_current = slot.heard.fate == Fate::Current;
    if let (Some(counter), Some(Reading { value: Some(total), .. }), true) = (counter, slot.last, is_current)
        && total != value
    {
        steps.push(Step::Counted { modulus: counter.modulus, value: total });
    }
    steps
}

/// The steps one by one; none where a number goes out of bounds.
fn changed(changes: &Changes, first: Value, steps: &mut Vec<Step>) -> Option<Value> {
    let written = &changes.written;
    let mut value = first;
    if written.scale != Decimal::ONE {
        value = match value {
            Value::Decimal(number) => Value::Decimal(number.checked_mul(written.scale).ok()?),
            other => Value::F64(other.as_f64()? * written.scale.to_f64()),
        };
        steps.push(Step::Scaled { by: written.scale, value });
    }
    if written.offset != Decimal::ZERO {
        value = match value {
            Value::Decimal(number) => Value::Decimal(number.checked_add(written.offset).ok()?),
            other => Value::F64(other.as_f64()? + written.offset.to_f64()),
        };
        steps.push(Step::Offset { by: written.offset, value });
    }
    if let Some((from, to, conversion)) = written.units {
        value = conversion.apply(value)?;
        steps.push(Step::Converted { from, to, value });
    }
    let held = if scale::is_possible(changes, value) { scale::clamped(changes, value) } else { value };
    if let Some((low, high)) = changes.clamp.as_ref().filter(|_| held != value) {
        value = held;
        steps.push(Step::Clamped { low: low.exact, high: high.exact, value });
    }
    Some(value)
}

fn spelled(value: Value) -> String {
    match value {
        Value::Bool(on) => on.to_string(),
        Value::Decimal(number) => number.to_string(),
        Value::F64(number) => number.to_string(),
        Value::Text(text) => format!("#{}", text.0),
    }
}

/// Before the clamp: what was asked of.
fn judged(steps: &[Step]) -> Option<Value> {
    let before = steps.iter().rfind(|step| !matches!(step, Step::Clamped { .. } | Step::Counted { .. }))?;
    Some(match before {
        Step::Raw(value)
        | Step::Scaled { value, .. }
        | Step::Offset { value, .. }
        | Step::Converted { value, .. }
        | Step::Clamped { value, .. }
        | Step::Counted { value, .. } => *value,
    })
}

fn checks(slot: &Slot, raw: Option<&Result<Raw, Fault>>, steps: &[Step], now: Mono) -> Vec<Check> {
    let value = judged(steps);
    let quality = slot.last.map_or(Quality::Good, |last| last.quality);
    let answered = match raw {
        None => verdict(Rule::Answer, None, None, Verdict::NotReached),
        Some(Err(fault)) => verdict(Rule::Answer, None, Some(fault.to_string()), Verdict::Failed),
        Some(Ok(_)) => {
            let failed = quality.reason().filter(|_| matches!(quality, Quality::Bad(_)));
            let saw = failed.map(|reason| reason.word().to_owned());
            verdict(Rule::Answer, None, saw, told(failed.is_some()))
        }
    };
    let doubted = matches!(raw, Some(Ok(Raw::Doubted(_))));
    let mut list = vec![answered, verdict(Rule::Source, None, None, told(doubted))];
    let changes = slot.recipe.changes.as_deref();
    list.push(match changes.and_then(|changes| changes.range.as_ref()) {
        None => not_asked(Rule::Range),
        Some(ends) => {
            let limit = format!("{} .. {}", ends.0.exact, ends.1.exact);
            asked(Rule::Range, limit, value, |value| !between(ends, value))
        }
    });
    list.push(match changes.and_then(|changes| changes.states.as_deref()) {
        None => not_asked(Rule::States),
        Some(states) => {
            let words: Vec<String> = states.iter().map(i64::to_string).collect();
            let is_none = |value| !states.iter().any(|state| value_is(value, *state));
            asked(Rule::States, words.join(", "), value, is_none)
        }
    });
    watched(slot.rules.as_deref(), quality, now, &mut list);
    let clock = told(quality.reason() == Some(Reason::Clock));
    list.push(verdict(Rule::Clock, None, None, clock));
    let (limit, saw) = (format!("{} ms", slot.stale_after_ms), format!("{} ms", now.since_ms(slot.heard_at)));
    list.push(verdict(Rule::Stale, Some(limit), Some(saw), told(slot.is_silent)));
    list
}

/// What has a memory.
fn watched(rules: Option<&Rules>, quality: Quality, now: Mono, list: &mut Vec<Check>) {
    list.push(match rules.and_then(|rules| rules.counter.as_ref()) {
        None => not_asked(Rule::Counter),
        Some(counter) => {
            let fell = quality.reason() == Some(Reason::Rate)
                && !rules.and_then(|rules| rules.rate.as_ref()).is_some_and(RateWatch::is_failed);
            verdict(Rule::Counter, Some(format!("{}", counter.modulus)), None, told(fell))
        }
    });
    list.push(match rules.and_then(|rules| rules.unit.as_ref()) {
        None => not_asked(Rule::UnitJump),
        Some(unit) => {
            let saw = match unit.state {
                UnitState::Jumped { other: (factor, offset), .. } => Some(format!("x {factor} + {offset}")),
                UnitState::Steady(_) | UnitState::Remembered(_) => None,
            };
            let has_jumped = !matches!(unit.state, UnitState::Steady(_));
            verdict(Rule::UnitJump, None, saw, told(has_jumped))
        }
    });
    list.push(match rules.and_then(|rules| rules.rate.as_ref()) {
        None => not_asked(Rule::Rate),
        Some(rate) => {
            let limit = format!("{} / {} ms", rate.limit.change, rate.limit.per_ms);
            let saw = rate.saw.map(|(change, ms)| format!("{change} / {ms} ms"));
            verdict(Rule::Rate, Some(limit), saw, told(rate.is_failed()))
        }
    });
    list.push(match rules.and_then(|rules| rules.frozen.as_ref()) {
        None => not_asked(Rule::Frozen),
        Some(frozen) => {
            let limit = format!("{} ms", frozen.limit.after_ms);
            let saw = format!("{} ms", now.since_ms(frozen.since));
            verdict(Rule::Frozen, Some(limit), Some(saw), told(frozen.is_frozen))
        }
    });
}

fn value_is(value: Value, state: i64) -> bool {
    match value {
        Value::Decimal(number) => number == Decimal::from_int(state),
        other => other
            .as_f64()
            .is_some_and(|number| Decimal::from_int(state).to_f64().to_bits() == number.to_bits()),
    }
}

fn told(failed: bool) -> Verdict {
    if failed { Verdict::Failed } else { Verdict::Passed }
}

fn verdict(rule: Rule, limit: Option<String>, saw: Option<String>, verdict: Verdict) -> Check {
    Check { rule, limit, saw, verdict }
}

fn not_asked(rule: Rule) -> Check {
    verdict(rule, None, None, Verdict::NotConfigured)
}

fn asked(rule: Rule, limit: String, value: Option<Value>, is_wrong: impl Fn(Value) -> bool) -> Check {
    let answer = value.map_or(Verdict::NotReached, |value| told(is_wrong(value)));
    verdict(rule, Some(limit), value.map(spelled), answer)
}
