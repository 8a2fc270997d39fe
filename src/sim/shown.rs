//! What instruments show: the truth, and what is wrong with instruments.
//!
//! Faults of the plant are in the truth already. What acts here leaves the truth as it is: a sensor
//! that stands still, a unit that jumps, a meter that was exchanged, rolls over or has other current
//! transformers.

use super::fault::{Board, Fault, Kind, Run};
use super::truth::Truth;
use crate::config::Plan;
use crate::point::{Address, Unit, UtcMs};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Values are reckoned anew when they are older than this. Milliseconds.
const KEPT_MS: i64 = 20;
/// Moments whose truth is remembered: those at which an instrument fault began.
const ONSETS_KEPT: usize = 256;

/// What all instruments show.
pub struct Instruments {
    truth: Arc<Truth>,
    board: Arc<Board>,
    effects: Vec<Effect>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    now: Option<(UtcMs, Arc<Vec<f64>>)>,
    onsets: BTreeMap<UtcMs, Arc<Vec<f64>>>,
}

/// A fault of instruments, and the places it acts on.
struct Effect {
    /// Its place in the script.
    fault: usize,
    kind: Kind,
    size: f64,
    places: Vec<Place>,
}

#[derive(Clone, Copy)]
struct Place {
    at: usize,
    measures: Measures,
    /// What its counter begins again at, in its unit.
    modulus: Option<f64>,
}

/// How a point depends on a meter and its current transformers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Measures {
    /// It counts what has flowed.
    Total,
    /// It goes with the current.
    Current,
    /// Neither.
    Other,
}

impl std::fmt::Debug for Instruments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instruments").finish_non_exhaustive()
    }
}

impl Instruments {
    /// Of a plan. `modulus` says what the counter of a point begins again at, in its unit.
    pub fn new(
        plan: &Plan,
        truth: Arc<Truth>,
        board: Arc<Board>,
        modulus: &dyn Fn(&Address) -> Option<f64>,
    ) -> Instruments {
        let units: BTreeMap<&Address, Unit> =
            plan.points.iter().map(|point| (&point.address, point.unit)).collect();
        let place = |address: &Address| {
            let at = *truth.points().get(address)?;
            let measures = units.get(address).map_or(Measures::Other, |unit| measures(*unit));
            Some(Place { at, measures, modulus: modulus(address) })
        };
        let effect = |(number, fault): (usize, &Fault)| {
            let places: Vec<Place> = fault.points.iter().filter_map(place).collect();
            let acts = matches!(
                fault.kind,
                Kind::FrozenSensor
                    | Kind::UnitJump
                    | Kind::MeterReplaced
                    | Kind::MeterRollover
                    | Kind::CtChanged
            );
            acts.then_some(Effect { fault: number, kind: fault.kind, size: fault.size, places })
        };
        let effects = board.faults().iter().enumerate().filter_map(effect).collect();
        Instruments { truth, board, effects, kept: Mutex::default() }
    }

    /// The truth behind them.
    pub fn truth(&self) -> &Arc<Truth> {
        &self.truth
    }

    /// The faults.
    pub fn board(&self) -> &Arc<Board> {
        &self.board
    }

    /// What they show now, by the places of the truth. A few milliseconds old at most: all devices of
    /// a moment share it.
    pub fn now(&self, at: UtcMs) -> Arc<Vec<f64>> {
        if let Some((kept, values)) = &self.kept().now
            && (0..=KEPT_MS).contains(&at.since_ms(*kept))
        {
            return Arc::clone(values);
        }
        let values = Arc::new(self.values(at));
        self.kept().now = Some((at, Arc::clone(&values)));
        values
    }

    /// What they show at a moment, by the places of the truth. Not a number: there is nothing to
    /// measure.
    pub fn values(&self, at: UtcMs) -> Vec<f64> {
        let mut values = self.truth.values(at);
        for effect in &self.effects {
            self.apply(effect, at, &mut values);
        }
        values
    }

    /// Forgets what it remembers of the time from `at` on.
    pub fn faults_changed(&self, at: UtcMs) {
        let mut kept = self.kept();
        kept.now = None;
        kept.onsets.retain(|onset, _| *onset < at);
    }

    fn apply(&self, effect: &Effect, at: UtcMs, values: &mut [f64]) {
        let runs = self.board.runs(effect.fault);
        match effect.kind {
            Kind::MeterRollover => {
                if let Some(run) = runs.first() {
                    self.shift(effect, values, run.onset, |place, shown, at_onset| {
                        shown + place.modulus.unwrap_or(0.0) - at_onset
                    });
                }
            }
            Kind::MeterReplaced => {
                if let Some(run) = runs.iter().rfind(|run| run.onset <= at) {
                    self.shift(effect, values, run.onset, |_, shown, at_onset| shown - at_onset);
                }
            }
            Kind::CtChanged => runs.iter().for_each(|run| self.with_other_ratio(effect, *run, at, values)),
            Kind::FrozenSensor => {
                if let Some(run) = runs.iter().find(|run| run.holds(at)) {
                    let then = self.at_onset(run.onset);
                    each(effect, values, |place, _| then.get(place.at).copied().unwrap_or(f64::NAN));
                }
            }
            Kind::UnitJump if runs.iter().any(|run| run.holds(at)) => {
                each(effect, values, |_, shown| shown * effect.size);
            }
            _ => {}
        }
    }

    /// Moves what counts, given what it was at a moment.
    fn shift(
        &self,
        effect: &Effect,
        values: &mut [f64],
        onset: UtcMs,
        moved: impl Fn(&Place, f64, f64) -> f64,
    ) {
        let then = self.at_onset(onset);
        each(effect, values, |place, shown| match place.measures {
            Measures::Total => moved(place, shown, then.get(place.at).copied().unwrap_or(0.0)),
            _ => shown,
        });
    }

    /// Currents and powers times the factor, and as much less or more counted, for as long as it is so.
    fn with_other_ratio(&self, effect: &Effect, run: Run, at: UtcMs, values: &mut [f64]) {
        if at < run.onset {
            return;
        }
        let (from, to) = (self.at_onset(run.onset), (at >= run.end).then(|| self.at_onset(run.end)));
        let now = values.to_vec();
        each(effect, values, |place, shown| match place.measures {
            Measures::Total => {
                let begun = from.get(place.at).copied().unwrap_or(shown);
                let ended = to.as_ref().map_or(&now, |to| to).get(place.at).copied().unwrap_or(shown);
                shown + (effect.size - 1.0) * (ended - begun)
            }
            Measures::Current if run.holds(at) => shown * effect.size,
            _ => shown,
        });
    }

    /// The truth of a moment that is asked for again and again.
    fn at_onset(&self, onset: UtcMs) -> Arc<Vec<f64>> {
        if let Some(kept) = self.kept().onsets.get(&onset) {
            return Arc::clone(kept);
        }
        let values = Arc::new(self.truth.values(onset));
        let mut kept = self.kept();
        if kept.onsets.len() >= ONSETS_KEPT {
            kept.onsets.pop_first();
        }
        kept.onsets.insert(onset, Arc::clone(&values));
        values
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn each(effect: &Effect, values: &mut [f64], shown: impl Fn(&Place, f64) -> f64) {
    for place in &effect.places {
        if let Some(value) = values.get_mut(place.at) {
            *value = shown(place, *value);
        }
    }
}

fn measures(unit: Unit) -> Measures {
    match unit.code() {
        "W.h" | "kW.h" | "MW.h" | "kvar.h" | "kV.A.h" | "MJ" | "GJ" | "m3" | "kl" => Measures::Total,
        "A" | "W" | "kW" | "MW" | "var" | "kvar" | "V.A" | "kV.A" => Measures::Current,
        _ => Measures::Other,
    }
}
