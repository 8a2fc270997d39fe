//! The pure step from what a device said to what plantroom believes.
//!
//! Time: the source's own stamp where it is plausible, else plantroom's. Order: readings with
//! plantroom's stamp are current as they come; a source's reading is late (history only) when
//! the same source has said something newer. Silence is said once per episode.

use super::inspect::{self, Explained, Fate};
use super::points::Points;
use super::rules::Reset;
use super::seen::Seen;
use super::slot::{Envelope, Slot};
use super::{PointSettings, Settings, report, scale};
use crate::clock::{ClockStep, Mono, Now, Watch};
use crate::field::{AckHandle, FieldBatch, Sample};
use crate::point::{Batch, PointId, Reading, TextId, UtcMs};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A source stamp this far ahead of plantroom's clock is a wrong clock. Milliseconds.
pub const SOURCE_AHEAD_MAX_MS: i64 = 5 * 60 * 1_000;

/// How far the stamps of a burst may run ahead of the clock before they repeat. Milliseconds.
pub const BURST_AHEAD_MAX_MS: i64 = 1_000;

/// Source-stamped readings remembered to recognise a message that a broker sends again.
pub const DUPLICATES_KEPT: usize = 65_536;

/// The device of readings plantroom makes itself: the marks of silence.
pub const SELF: &str = "plantroom";

/// What a step gives.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What is to be kept, for the historian: everything new but what a point holds back.
    pub history: Option<Arc<Batch>>,
    /// What is now current, for the table and the alarms; nearly always the same batch.
    pub live: Option<Arc<Batch>>,
    /// The promise to the broker that hangs on `history`; to be kept at once without one.
    pub ack: Option<AckHandle>,
    /// Readings seen before, dropped.
    pub duplicates: u64,
    /// Readings older than what was current, kept in the history only.
    pub late: u64,
    /// Readings held back from the history.
    pub held_back: u64,
    /// Counters that fell and did not roll over.
    pub resets: Vec<Reset>,
    /// Samples of points that are not in the plan, dropped.
    pub unknown: u64,
    /// The wall clock was set back.
    pub clock_step: Option<ClockStep>,
}

/// The state of the step.
#[derive(Debug)]
pub struct Engine {
    points: Points<Slot>,
    /// Before this no point can have been silent for too long.
    quiet_until: Mono,
    /// When the first of what is held back from the history goes there in any case.
    held_until: Option<Mono>,
    /// The device of points that have heard of none.
    nobody: Arc<str>,
    plausible_from: UtcMs,
    seen: Seen,
    wall: Wall,
}

impl Engine {
    /// An engine whose points all wait since `now`.
    pub fn new(settings: Settings, now: Now) -> Engine {
        let Settings { points, plausible_from } = settings;
        let nobody: Arc<str> = "".into();
        let slot = |point: &PointSettings| (point.id, Slot::waiting(point, &nobody, now.mono));
        Engine {
            points: points.iter().map(slot).collect(),
            quiet_until: now.mono,
            held_until: None,
            nobody,
            plausible_from,
            seen: Seen::default(),
            wall: Wall { watch: Watch::new(now), doubtful_until: None },
        }
    }

    /// Other settings from now on. A point that is still there goes on with what is known of it;
    /// one of `anew`, or one that was not there, waits for its first value since `now`; what is
    /// there no more is forgotten.
    pub fn replan(&mut self, settings: &Settings, anew: &BTreeSet<PointId>, now: Now) {
        let known = std::mem::replace(&mut self.points, Points::from_iter(None)).into_entries();
        let mut known: BTreeMap<_, _> = known.filter(|(id, _)| !anew.contains(id)).collect();
        let mut slot = |settings: &PointSettings| match known.remove(&settings.id) {
            Some(slot) => slot.replanned(settings, now.mono),
            None => Slot::waiting(settings, &self.nobody, now.mono),
        };
        self.points = settings.points.iter().map(|point| (point.id, slot(point))).collect();
        self.plausible_from = settings.plausible_from;
        // A point may have to speak sooner now than any did before.
        self.quiet_until = now.mono;
        self.held_until = Some(now.mono);
    }

    /// What the history knows, after a restart: silence is then said with the last value, and
    /// stamps go on behind the last one.
    pub fn remember(&mut self, last: impl IntoIterator<Item = Reading>) {
        for reading in last.into_iter().filter(|reading| reading.value.is_some()) {
            if let Some(slot) = self.points.get_mut(reading.point) {
                slot.remember(reading, self.quiet_until);
            }
        }
    }

    /// Takes a batch in. `texts` numbers words (see [`super::TextIds`]).
    pub fn step(
        &mut self,
        batch: FieldBatch,
        now: Now,
        texts: &mut dyn FnMut(&str) -> Option<TextId>,
    ) -> Outcome {
        let mut outcome = Outcome { clock_step: self.wall.observe(now), ..Outcome::default() };
        let stamp = self.stamp(&batch, now);
        let FieldBatch { device, at_error_ms, source_at, received_at, samples, ack, at: _ } = batch;
        let envelope = Envelope { device: &device, source_at, received_at, at_error_ms };
        let mut sorted = Sorted { history: Vec::with_capacity(samples.len()), live: None };
        for Sample { point, raw } in samples {
            let Some(slot) = self.points.get_mut(point) else {
                outcome.unknown += 1;
                continue;
            };
            let made = scale::make(&slot.recipe, &raw, texts);
            let mut reading = slot.reading(made, stamp);
            let is_late = slot.is_late(&reading, stamp);
            let doubt = slot.count(&mut reading, is_late, now.mono);
            if slot.is_again(&reading) || (stamp.by_source && !self.seen.insert(&reading)) {
                slot.uncount();
                slot.counts.duplicates += 1;
                slot.heard.take(raw, &envelope, Fate::Duplicate);
                outcome.duplicates += 1;
                continue;
            }
            outcome.resets.extend(doubt.reset);
            slot.counts.readings += 1;
            slot.counts.bad += u32::from(reading.value.is_none());
            if is_late {
                slot.counts.late += 1;
                slot.heard.take(raw, &envelope, Fate::Late);
                outcome.late += 1;
                reading.quality = reading.quality.worse(doubt.quality);
                sorted.only_history(reading);
                continue;
            }
            slot.heard.take(raw, &envelope, Fate::Current);
            reading.quality = slot.judge(&reading, doubt.quality, now.mono);
            let reading = slot.apart(reading, stamp);
            slot.take(reading, stamp, now.mono);
            match slot.report(reading, now.mono) {
                report::Fate::Kept => sorted.both(reading),
                report::Fate::KeptAfter(held) => {
                    sorted.only_history(held);
                    sorted.both(reading);
                }
                report::Fate::Held => {
                    slot.counts.held_back += 1;
                    outcome.held_back += 1;
                    self.held_until = [self.held_until, slot.held_due()].into_iter().flatten().min();
                    sorted.only_live(reading);
                }
            }
        }
        outcome.ack = ack;
        let envelope = Batch { device, source_at, received_at, at_error_ms, readings: Vec::new() };
        outcome.deliver(envelope, sorted);
        outcome
    }

    /// Says which points have been silent for longer than they may: with the last value and
    /// Uncertain (stale), or Bad (no communication) if there never was one. A point that is Bad
    /// already says nothing more.
    ///
    /// What is held back from the history for too long goes there, too.
    pub fn tick(&mut self, now: Now) -> Outcome {
        let mut outcome = Outcome { clock_step: self.wall.observe(now), ..Outcome::default() };
        let is_quiet = now.mono <= self.quiet_until;
        if is_quiet && self.held_until.is_none_or(|held| now.mono < held) {
            return outcome;
        }
        let mut sorted = Sorted::default();
        (self.quiet_until, self.held_until) = (Mono(u64::MAX), None);
        for slot in self.points.values_mut() {
            let (held, mark) = slot.tick(now);
            if let Some(held) = held {
                sorted.only_history(held);
            }
            if let Some(mark) = mark {
                sorted.both(mark);
            }
            self.quiet_until = self.quiet_until.min(slot.quiet_until(now.mono));
            self.held_until = [self.held_until, slot.held_due()].into_iter().flatten().min();
        }
        outcome.deliver(own(now), sorted);
        outcome
    }

    /// What is still held back from the history: for the end, so that it goes on from there after
    /// a restart.
    pub fn release(&mut self, now: Now) -> Outcome {
        let (mut outcome, mut sorted) = (Outcome::default(), Sorted::default());
        for held in self.points.values_mut().filter_map(Slot::release) {
            sorted.only_history(held);
        }
        self.held_until = None;
        outcome.deliver(own(now), sorted);
        outcome
    }

    /// How the last reading of a point came about; none for a point that is not in the plan.
    pub fn explain(&mut self, point: PointId, now: Now) -> Option<Explained> {
        self.points.get_mut(point).map(|slot| inspect::explain(slot, now.mono))
    }

    fn stamp(&self, batch: &FieldBatch, now: Now) -> Stamp {
        let latest = now.utc.plus_ms(SOURCE_AHEAD_MAX_MS);
        let (at, by_source, doubt) = match batch.source_at {
            None => (batch.at, false, self.wall.doubts(batch.at)),
            Some(at) if UtcMs::SOURCE_MIN <= at && at <= latest => (at, true, false),
            Some(_) => (batch.received_at, false, true),
        };
        let error_ms = if by_source { 0 } else { u64::from(batch.at_error_ms) };
        Stamp { at, by_source, doubt: doubt || now.utc < self.plausible_from, error_ms }
    }
}

/// The envelope of what plantroom says itself.
fn own(now: Now) -> Batch {
    Batch { device: SELF.into(), source_at: None, received_at: now.utc, at_error_ms: 0, readings: Vec::new() }
}

/// Readings by where they go; one list as long as everything goes everywhere.
#[derive(Debug, Default)]
struct Sorted {
    history: Vec<Reading>,
    /// Only once it is not the same.
    live: Option<Vec<Reading>>,
}

impl Sorted {
    fn both(&mut self, reading: Reading) {
        if let Some(live) = &mut self.live {
            live.push(reading);
        }
        self.history.push(reading);
    }

    fn only_history(&mut self, reading: Reading) {
        self.live.get_or_insert_with(|| self.history.clone());
        self.history.push(reading);
    }

    fn only_live(&mut self, reading: Reading) {
        self.live.get_or_insert_with(|| self.history.clone()).push(reading);
    }
}

impl Outcome {
    /// Of readings that are plantroom's own: current at once, and for the history.
    pub fn made(batch: Option<Arc<Batch>>) -> Outcome {
        Outcome { history: batch.clone(), live: batch, ..Outcome::default() }
    }

    fn deliver(&mut self, envelope: Batch, Sorted { history, live }: Sorted) {
        let batch = |readings: Vec<Reading>, envelope| {
            (!readings.is_empty()).then(|| Arc::new(Batch { readings, ..envelope }))
        };
        if let Some(live) = live {
            self.live = batch(live, envelope.clone());
            self.history = batch(history, envelope);
        } else {
            self.history = batch(history, envelope);
            self.live = self.history.clone();
        }
    }
}

/// The time of a batch's readings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp {
    pub(super) at: UtcMs,
    /// It is the source's own and believed.
    pub(super) by_source: bool,
    /// A clock is known to be wrong.
    pub(super) doubt: bool,
    /// How far plantroom's own stamp may be off. Milliseconds.
    pub(super) error_ms: u64,
}

/// Whether the wall clock can be believed.
#[derive(Debug)]
struct Wall {
    watch: Watch,
    /// After a step back: until here, stamps repeat a time that has been.
    doubtful_until: Option<UtcMs>,
}

impl Wall {
    fn observe(&mut self, now: Now) -> Option<ClockStep> {
        if let Some(step) = self.watch.observe(now) {
            self.doubtful_until = Some(self.doubtful_until.map_or(step.from, |until| until.max(step.from)));
            return Some(step);
        }
        self.doubtful_until = self.doubtful_until.filter(|until| now.utc <= *until);
        None
    }

    fn doubts(&self, at: UtcMs) -> bool {
        self.doubtful_until.is_some_and(|until| at <= until)
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tables;
#[cfg(test)]
mod model;
