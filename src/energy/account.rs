//! The count of one meter as it goes on: what is remembered between two readings, and the anchors at
//! which it can be taken up again. Pure.
//!
//! **Invariant:** an anchor depends on the readings up to it alone, in order of time. Whoever takes
//! the readings behind it into its account gets the cells from [`Anchor::first_cell`] on.

use super::engine::{self, Outcome, Settings, State, StepQuality, cell_of, spread};
use crate::point::{Reading, UtcMs};

/// There is one anchor for each such time in which readings were taken, at the last of them.
/// Milliseconds; a day of UTC.
const ANCHOR_EVERY_MS: i64 = 86_400_000;

/// A cell, or what is in it of the steps so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// When the cell begins.
    pub start: UtcMs,
    /// How much is in it.
    pub counts: i64,
    /// The worst of the steps that touch it.
    pub quality: StepQuality,
}

/// What is remembered of a meter between two readings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// By the engine.
    pub state: State,
    /// The last cell that was touched; the next step may add to it.
    pub part: Option<Part>,
}

/// An account between two readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// Readings up to here are in it.
    pub at: UtcMs,
    /// How it stood.
    pub account: Account,
}

/// What a reading did.
#[derive(Debug)]
pub struct Taken {
    /// By the engine.
    pub outcome: Outcome,
    /// What it adds to cells, in the order of time.
    pub shares: Vec<Part>,
    /// The account before it, if that is to be kept.
    pub anchor: Option<Anchor>,
}

impl Account {
    /// Takes the next reading of the meter.
    pub fn take(&mut self, settings: &Settings, reading: &Reading) -> Taken {
        let before = *self;
        let outcome = engine::step(settings, &mut self.state, reading);
        let mut shares = Vec::new();
        for step in &outcome.steps {
            let quality = step.quality;
            shares.extend(spread(step).iter().map(|share| Part {
                start: share.start,
                counts: share.counts,
                quality,
            }));
        }
        for share in &shares {
            self.part = Some(share.onto(self.part));
        }
        let anchor = before.state.newest().and_then(|at| {
            let goes_on = self.state.newest().is_some_and(|newest| day_of(newest) > day_of(at));
            goes_on.then_some(Anchor { at, account: before })
        });
        Taken { outcome, shares, anchor }
    }
}

/// The beginning of the time that has one anchor.
pub fn day_of(at: UtcMs) -> UtcMs {
    UtcMs(at.0.div_euclid(ANCHOR_EVERY_MS).saturating_mul(ANCHOR_EVERY_MS))
}

/// The beginning of the next one.
pub fn next_day(at: UtcMs) -> UtcMs {
    day_of(at).plus_ms(ANCHOR_EVERY_MS)
}

impl Part {
    /// This and what is in the same cell already.
    fn onto(self, part: Option<Part>) -> Part {
        let same = part.filter(|part| part.start == self.start);
        same.map_or(self, |part| self.and(part.counts, part.quality))
    }

    fn and(self, counts: i64, quality: StepQuality) -> Part {
        Part { counts: self.counts + counts, quality: self.quality.max(quality), ..self }
    }
}

impl Anchor {
    /// Where counting begins anew: the readings after it count, those before it are of no interest.
    pub fn origin(at: UtcMs, part: Option<Part>) -> Anchor {
        Anchor { at, account: Account { state: State::default(), part } }
    }

    /// Whether it is one.
    pub fn is_origin(&self) -> bool {
        self.account.state.newest().is_none()
    }

    /// The first cell that is not known yet.
    pub fn first_cell(&self) -> UtcMs {
        let part = self.account.part.map(|part| part.start);
        part.or(self.account.state.next_cell()).unwrap_or_else(|| cell_of(self.at))
    }
}
