//! What is true in the simulated hospital at any moment. Pure: the same genesis, seed and script of
//! faults give the same numbers, in whatever order moments are asked for.
//!
//! Time is cut at **knots**, every quarter of an hour from genesis on. At a knot each part of the
//! hospital sets its flows (kW, m3/h ...) and levels (temperatures ...); between knots both run in
//! straight lines, so what flowed is an exact integral, and a balance that holds at the knots holds
//! at every moment. Faults add to flows by courses that are piecewise linear, too.
//!
//! Read `course` (how strongly a fault acts), `noise`, `weather` and `calendar` and `people` (what
//! drives everything), [`build`] (how a part is written), `state` (knots and moments), then the
//! parts themselves.
//!
//! **Invariant:** no clock, no I/O; nothing here knows of registers or messages.

mod build;
mod calendar;
mod course;
mod noise;
pub mod parts;
mod people;
mod state;
#[cfg(test)]
mod tests;
mod weather;

pub use build::{Build, Fault, Flow, Level, Stock};
pub use calendar::{Civil, DayKind};
pub use course::{Course, Courses, Weekly};
pub use people::People;
pub use state::{Knot, Moment};
pub use weather::Weather;

use crate::point::{Address, UtcMs};
use state::State;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Milliseconds from knot to knot.
pub const KNOT_MS: i64 = 15 * 60 * 1_000;
/// Knots of a day.
const DAY_KNOTS: i64 = 96;
const DAY_MS: i64 = DAY_KNOTS * KNOT_MS;
/// Days whose knots are kept; today, its neighbour, and whoever fills in the past.
const DAYS_KEPT: usize = 6;

/// The truth of a hospital.
pub struct Truth {
    genesis: UtcMs,
    seed: u64,
    model: build::Model,
    first: State,
    /// The state at the first knot of each day since genesis, as far as anybody asked.
    mornings: Mutex<Vec<State>>,
    /// Knots of some days, both ends included; the oldest asked for goes first.
    days: Mutex<Vec<(i64, Arc<Vec<State>>)>>,
}

impl Truth {
    /// The demo hospital from `genesis` on (cut to a whole quarter of an hour).
    pub fn hospital(genesis: UtcMs, seed: u64, faults: &Courses) -> Truth {
        Truth::of(genesis, seed, faults, parts::hospital)
    }

    /// A hospital of these parts.
    pub fn of(genesis: UtcMs, seed: u64, faults: &Courses, parts: impl FnOnce(&mut Build)) -> Truth {
        let mut build = Build::new(faults);
        parts(&mut build);
        let model = build.done();
        let genesis = UtcMs(genesis.0.div_euclid(KNOT_MS) * KNOT_MS);
        let first = model.first(genesis, seed);
        let mornings = Mutex::new(vec![first.clone()]);
        Truth { genesis, seed, model, first, mornings, days: Mutex::default() }
    }

    /// Its first moment; before it nothing moves.
    pub fn genesis(&self) -> UtcMs {
        self.genesis
    }

    /// The points it tells of, each at its place in [`Truth::values`].
    pub fn points(&self) -> &BTreeMap<Address, usize> {
        &self.model.points
    }

    /// The assets in which a fault of this kind can happen.
    pub fn assets_with<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a str> {
        self.model.known.keys().filter(move |(known, _)| known == kind).map(|(_, asset)| asset.as_str())
    }

    /// What every point would show if it were measured without error. A state is its number, a flag
    /// 0 or 1; a counter has not begun anew at its end. Not a number: there is nothing to measure.
    pub fn values(&self, at: UtcMs) -> Vec<f64> {
        self.moment(at, |moment| self.model.told.iter().map(|told| told(moment)).collect())
    }

    /// One of them.
    pub fn value(&self, point: &Address, at: UtcMs) -> Option<f64> {
        let told = self.model.told.get(*self.model.points.get(point)?)?;
        Some(self.moment(at, |moment| told(moment)))
    }

    /// A fault was begun or ended: what was reckoned of the days from `at` on is reckoned again.
    pub fn faults_changed(&self, at: UtcMs) {
        let day = self.day_of(at);
        let whole = usize::try_from(day).map_or(0, |day| day.saturating_add(1));
        self.mornings.lock().unwrap_or_else(PoisonError::into_inner).truncate(whole.max(1));
        self.days.lock().unwrap_or_else(PoisonError::into_inner).retain(|(kept, _)| *kept < day);
    }

    fn moment<T>(&self, at: UtcMs, ask: impl FnOnce(&Moment<'_>) -> T) -> T {
        let at = at.max(self.genesis);
        let day = self.day_of(at);
        let knots = self.knots(day);
        let number = (at.0 - self.genesis.0).rem_euclid(DAY_MS).div_euclid(KNOT_MS);
        let number = usize::try_from(number).unwrap_or(0);
        // A day has one knot more than quarters of an hour.
        let pair = knots.get(number).zip(knots.get(number + 1));
        let (from, to) = pair.unwrap_or((&self.first, &self.first));
        ask(&self.model.moment(from, to, at, self.seed))
    }

    fn day_of(&self, at: UtcMs) -> i64 {
        (at.0 - self.genesis.0).max(0).div_euclid(DAY_MS)
    }

    /// All knots of a day, the first of the next one included.
    fn knots(&self, day: i64) -> Arc<Vec<State>> {
        let mut days = self.days.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = days.iter().position(|(kept, _)| *kept == day) {
            let kept = days.remove(at);
            let knots = Arc::clone(&kept.1);
            days.push(kept);
            return knots;
        }
        let morning = self.morning(usize::try_from(day).unwrap_or(0));
        let mut knots = Vec::with_capacity(97);
        knots.push(morning);
        for _ in 0..DAY_KNOTS {
            if let Some(next) = knots.last().map(|last| self.model.next(last, self.seed)) {
                knots.push(next);
            }
        }
        let knots = Arc::new(knots);
        if days.len() >= DAYS_KEPT {
            days.remove(0);
        }
        days.push((day, Arc::clone(&knots)));
        knots
    }

    fn morning(&self, day: usize) -> State {
        let mut mornings = self.mornings.lock().unwrap_or_else(PoisonError::into_inner);
        let mut last = mornings.last().cloned().unwrap_or_else(|| self.first.clone());
        while mornings.len() <= day {
            for _ in 0..DAY_KNOTS {
                last = self.model.next(&last, self.seed);
            }
            mornings.push(last.clone());
        }
        mornings.get(day).cloned().unwrap_or(last)
    }
}
