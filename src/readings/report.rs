//! What of a point's readings goes to the history: less than everything, for points that ask for it.
//!
//! The current value, the pages and the alarms get every reading; only the history, and with it
//! what is forwarded and counted, is spared what says nothing new. What was held back last is
//! kept just before the next change, so that a step stays a step and no ramp is drawn over it.

use super::rules::{elapsed_ms, is_far};
use super::scale::Level;
use crate::clock::Mono;
use crate::config;
use crate::point::Reading;

/// What has been kept of one point and what is held back.
#[derive(Clone, Debug)]
pub(super) struct Reporter {
    pub(super) limits: config::Report,
    deadband: Level,
    kept: Option<(Reading, Mono)>,
    held: Option<(Reading, Mono)>,
}

/// What becomes of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes to the history.
    Kept,
    /// It does, and what was held back before it goes first.
    KeptAfter(Reading),
    /// It waits for a reason to go.
    Held,
}

impl Reporter {
    pub(super) fn new(limits: config::Report) -> Reporter {
        Reporter { limits, deadband: Level::of(limits.deadband), kept: None, held: None }
    }

    /// What was known before another plan.
    pub(super) fn inherit(&mut self, old: &Reporter) {
        (self.kept, self.held) = (old.kept, old.held);
    }

    /// What is in the history now, whoever put it there.
    pub(super) fn kept(&mut self, reading: Reading, now: Mono) {
        self.kept = Some((reading, now));
        self.held = None;
    }

    fn is_far(&self, reading: &Reading) -> bool {
        let kept = self.kept.and_then(|(kept, _)| kept.value);
        match (kept, reading.value) {
            (Some(kept), Some(value)) => is_far(kept, value, &self.deadband),
            (kept, value) => kept != value,
        }
    }

    pub(super) fn pass(&mut self, reading: Reading, now: Mono) -> Fate {
        let Some((kept, since)) = self.kept else {
            self.kept(reading, now);
            return Fate::Kept;
        };
        let elapsed = elapsed_ms((kept.at, since), (reading.at, now));
        let is_change = kept.quality != reading.quality
            || (self.is_far(&reading) && elapsed >= self.limits.min_interval_ms);
        if !is_change && elapsed < self.limits.heartbeat_ms {
            self.held = Some((reading, now));
            return Fate::Held;
        }
        let before = self.held.map(|(held, _)| held).filter(|held| {
            // Clocks that were set back leave nothing in between.
            is_change && kept.at < held.at && held.at < reading.at
        });
        self.kept(reading, now);
        before.map_or(Fate::Kept, Fate::KeptAfter)
    }

    /// When what is held back goes to the history although nothing new comes.
    pub(super) fn due(&self) -> Option<Mono> {
        let ((held, _), (_, since)) = (self.held?, self.kept?);
        let wait = if self.is_far(&held) { self.limits.min_interval_ms } else { self.limits.heartbeat_ms };
        Some(since.plus_ms(wait.min(self.limits.heartbeat_ms)))
    }

    /// What is held back, which counts as kept from now on.
    pub(super) fn release(&mut self) -> Option<Reading> {
        let (held, since) = self.held.take()?;
        self.kept = Some((held, since));
        Some(held)
    }

    /// What was kept last and what is held back, for whoever asks.
    pub(super) fn state(&self) -> (Option<Reading>, Option<Reading>) {
        (self.kept.map(|(kept, _)| kept), self.held.map(|(held, _)| held))
    }
}
