//! What stands in the place of a device's values, among the readings. Pure.

use crate::clock::{Mono, Now};
use crate::point::{Batch, PointId, Quality, Reading, Reason, UtcMs, Value};
use crate::readings::Outcome;
use crate::readings::engine::SELF;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Least time between two readings that say the value still holds. Milliseconds.
pub const REPEAT_MS_MIN: u64 = 1_000;

/// The points whose values are substituted.
#[derive(Debug, Default)]
pub struct Held(BTreeMap<PointId, One>);

#[derive(Debug)]
struct One {
    value: Value,
    /// What the device said last, and nobody has seen.
    withheld: Option<Reading>,
    /// The last reading that was given in its place.
    given_at: Option<UtcMs>,
    /// When it is given again: before the point would be stale.
    repeat: Mono,
    repeat_ms: u64,
}

impl Held {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// They.
    pub fn points(&self) -> impl Iterator<Item = PointId> {
        self.0.keys().copied()
    }

    /// From now on this value holds. `current` is what is current of the point.
    pub fn begin(
        &mut self,
        point: PointId,
        value: Value,
        stale_after_ms: u64,
        current: Option<Reading>,
        now: Now,
    ) -> Arc<Batch> {
        let repeat_ms = (stale_after_ms / 2).max(REPEAT_MS_MIN);
        let withheld = current.filter(|reading| reading.quality != Quality::Uncertain(Reason::Substituted));
        let one = One { value, withheld, given_at: None, repeat: now.mono, repeat_ms };
        let one = self.0.entry(point).insert_entry(one).into_mut();
        batch(vec![one.give(point, now)], now)
    }

    /// From now on the device counts again. What it said last is current at once: its newest
    /// reading, or that it is silent; without any word of it the point waits for its first value.
    pub fn end(&mut self, point: PointId, now: Now) -> Option<Arc<Batch>> {
        let one = self.0.remove(&point)?;
        let reading = match one.withheld {
            None => Reading { point, at: now.utc, value: None, quality: Quality::Bad(Reason::Initial) },
            // That it is silent is so now.
            Some(reading) if reading.quality.reason() == Some(Reason::Stale) || reading.value.is_none() => {
                Reading { at: now.utc, ..reading }
            }
            Some(reading) => reading,
        };
        let behind = one.given_at.filter(|given| reading.at <= *given).map(|given| given.plus_ms(1));
        Some(batch(vec![Reading { at: behind.unwrap_or(reading.at), ..reading }], now))
    }

    /// Gives the values again whose time has come.
    pub fn tick(&mut self, now: Now) -> Option<Arc<Batch>> {
        let due = self.0.iter_mut().filter(|(_, one)| one.repeat <= now.mono);
        let readings: Vec<Reading> = due.map(|(point, one)| one.give(*point, now)).collect();
        (!readings.is_empty()).then(|| batch(readings, now))
    }

    /// Takes out what devices said of these points, and counts it.
    pub fn pass(&mut self, outcome: Outcome) -> (Outcome, u64) {
        // What a point spares the history is only in the one, what comes late only in the other.
        let mut said = outcome.history.iter().chain(&outcome.live).flat_map(|batch| &batch.readings);
        if self.0.is_empty() || !said.any(|reading| self.0.contains_key(&reading.point)) {
            return (outcome, 0);
        }
        for reading in outcome.live.iter().flat_map(|batch| &batch.readings) {
            if let Some(one) = self.0.get_mut(&reading.point) {
                one.withheld = Some(*reading);
            }
        }
        let before = outcome.history.as_ref().map_or(0, |batch| batch.readings.len());
        let is_same =
            outcome.live.as_ref().zip(outcome.history.as_ref()).is_some_and(|(a, b)| Arc::ptr_eq(a, b));
        let history = outcome.history.and_then(|batch| self.without(&batch));
        let live =
            if is_same { history.clone() } else { outcome.live.and_then(|batch| self.without(&batch)) };
        let after = history.as_ref().map_or(0, |batch| batch.readings.len());
        (Outcome { history, live, ..outcome }, (before - after) as u64)
    }

    /// Other points from now on: what is gone, or means something else, is not substituted.
    pub fn replan(&mut self, points: &[PointId], anew: &BTreeSet<PointId>) {
        if self.0.is_empty() {
            return;
        }
        let known: BTreeSet<PointId> = points.iter().copied().collect();
        self.0.retain(|point, _| known.contains(point) && !anew.contains(point));
    }

    fn without(&self, batch: &Batch) -> Option<Arc<Batch>> {
        let free = batch.readings.iter().filter(|reading| !self.0.contains_key(&reading.point));
        let readings: Vec<Reading> = free.copied().collect();
        (!readings.is_empty()).then(|| {
            Arc::new(Batch {
                device: Arc::clone(&batch.device),
                source_at: batch.source_at,
                received_at: batch.received_at,
                at_error_ms: batch.at_error_ms,
                readings,
            })
        })
    }
}

impl One {
    fn give(&mut self, point: PointId, now: Now) -> Reading {
        self.repeat = now.mono.plus_ms(self.repeat_ms);
        let at = self.given_at.filter(|given| now.utc <= *given).map_or(now.utc, |given| given.plus_ms(1));
        self.given_at = Some(at);
        let quality = Quality::Uncertain(Reason::Substituted);
        Reading { point, at, value: Some(self.value), quality }
    }
}

fn batch(readings: Vec<Reading>, now: Now) -> Arc<Batch> {
    Arc::new(Batch { device: SELF.into(), source_at: None, received_at: now.utc, at_error_ms: 0, readings })
}
