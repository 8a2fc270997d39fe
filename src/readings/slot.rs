//! What the step keeps of one point.

use super::PointSettings;
use super::engine::{BURST_AHEAD_MAX_MS, Stamp};
use super::inspect::{Counts, Fate, Sampled};
use super::report;
use super::rules::{Doubt, Rules};
use super::scale::{Made, Recipe};
use crate::clock::{Mono, Now};
use crate::field::{Fault, Raw};
use crate::point::{PointId, Quality, Reading, Reason, UtcMs};
use std::sync::Arc;

/// The state of one point.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) id: PointId,
    pub(super) recipe: Recipe,
    pub(super) stale_after_ms: u64,
    /// The last reading that became current; marks of silence are not kept here.
    pub(super) last: Option<Reading>,
    /// The newest stamp its source gave.
    source_at: Option<UtcMs>,
    /// When something new was last heard of it; at first the start.
    pub(super) heard_at: Mono,
    /// Whether this episode of silence has been said.
    pub(super) is_silent: bool,
    /// What is watched of it beyond that; none for most points.
    pub(super) rules: Option<Box<Rules>>,
    /// The last sample, for whoever asks.
    pub(super) heard: Heard,
    pub(super) counts: Counts,
}

/// The last raw sample of a point.
#[derive(Debug)]
pub(super) struct Heard {
    raw: Option<Result<Raw, Fault>>,
    device: Arc<str>,
    source_at: Option<UtcMs>,
    received_at: UtcMs,
    at_error_ms: u32,
    pub(super) fate: Fate,
}

/// The envelope of a batch, as far as a point remembers it.
pub(super) struct Envelope<'a> {
    pub(super) device: &'a Arc<str>,
    pub(super) source_at: Option<UtcMs>,
    pub(super) received_at: UtcMs,
    pub(super) at_error_ms: u32,
}

impl Heard {
    fn nothing(device: Arc<str>) -> Heard {
        Heard {
            raw: None,
            device,
            source_at: None,
            received_at: UtcMs(0),
            at_error_ms: 0,
            fate: Fate::Current,
        }
    }

    /// For each reading: the raw sample is moved, and a device is only counted up when it changes.
    pub(super) fn take(&mut self, raw: Result<Raw, Fault>, envelope: &Envelope<'_>, fate: Fate) {
        self.raw = Some(raw);
        if !Arc::ptr_eq(&self.device, envelope.device) {
            self.device = Arc::clone(envelope.device);
        }
        self.source_at = envelope.source_at;
        self.received_at = envelope.received_at;
        self.at_error_ms = envelope.at_error_ms;
        self.fate = fate;
    }

    pub(super) fn sample(&self) -> Option<Sampled> {
        Some(Sampled {
            raw: self.raw.clone()?,
            device: Arc::clone(&self.device),
            source_at: self.source_at,
            received_at: self.received_at,
            at_error_ms: self.at_error_ms,
            fate: self.fate,
        })
    }
}

impl Slot {
    /// Of a point that waits for its first value since `now`.
    pub(super) fn waiting(settings: &PointSettings, nobody: &Arc<str>, now: Mono) -> Slot {
        let recipe = Recipe::new(settings);
        Slot {
            id: settings.id,
            rules: Rules::new(settings, &recipe, now),
            recipe,
            stale_after_ms: settings.stale_after_ms,
            last: None,
            source_at: None,
            heard_at: now,
            is_silent: false,
            heard: Heard::nothing(Arc::clone(nobody)),
            counts: Counts::default(),
        }
    }

    /// With other settings. What is watched of it begins anew unless its values mean the same and
    /// the same is watched; what has been kept of it stays known.
    pub(super) fn replanned(self, settings: &PointSettings, now: Mono) -> Slot {
        let recipe = Recipe::new(settings);
        let mut rules = Rules::new(settings, &recipe, now);
        if let (Some(old), Some(new)) = (self.rules, &mut rules) {
            new.inherit(*old, recipe == self.recipe);
        } else if let (Some(last), Some(new)) = (&self.last, &mut rules)
            && recipe == self.recipe
        {
            new.remember(last, now);
        }
        Slot { recipe, rules, stale_after_ms: settings.stale_after_ms, ..self }
    }

    /// What the history knows of it, after a restart. A stamp older than it is old news then, too;
    /// but the time of a mark of silence is plantroom's own.
    pub(super) fn remember(&mut self, last: Reading, now: Mono) {
        self.last = Some(last);
        self.source_at = (last.quality.reason() != Some(Reason::Stale)).then_some(last.at);
        if let Some(rules) = &mut self.rules {
            rules.remember(&last, now);
        }
    }

    pub(super) fn reading(&self, made: Made, stamp: Stamp) -> Reading {
        // Such a value may be older than the point may be silent: a retained MQTT message of any age.
        let doubt = stamp.doubt || stamp.error_ms > self.stale_after_ms;
        let (value, quality) = match made {
            Ok((value, quality)) if doubt => (Some(value), quality.worse(Quality::Uncertain(Reason::Clock))),
            Ok((value, quality)) => (Some(value), quality),
            Err(reason) => (None, Quality::Bad(reason)),
        };
        Reading { point: self.id, at: stamp.at, value, quality }
    }

    /// A counter's value beyond its roll-overs.
    pub(super) fn count(&mut self, reading: &mut Reading, is_late: bool, now: Mono) -> Doubt {
        self.rules.as_mut().map_or_else(Doubt::default, |rules| rules.count(reading, is_late, now))
    }

    /// The reading that was counted last is dropped.
    pub(super) fn uncount(&mut self) {
        if let Some(rules) = &mut self.rules {
            rules.uncount();
        }
    }

    /// Whether it is the last reading once more.
    pub(super) fn is_again(&self, reading: &Reading) -> bool {
        match (&self.rules, &self.last) {
            (Some(rules), Some(last)) => rules.is_again(last, reading),
            (_, last) => *last == Some(*reading),
        }
    }

    /// Readings stamped on arrival come in bursts (a broker hands over its queue): those of one
    /// millisecond get successive ones, because history keeps one reading for an instant.
    pub(super) fn apart(&self, reading: Reading, stamp: Stamp) -> Reading {
        let behind = |last: &Reading| (0..BURST_AHEAD_MAX_MS).contains(&last.at.since_ms(reading.at));
        match self.last.filter(|last| !stamp.by_source && behind(last)) {
            Some(last) => Reading { at: last.at.plus_ms(1), ..reading },
            None => reading,
        }
    }

    /// A late reading is not current, and breaks no silence: old news is no sign of life. But once
    /// the silence has been said, a source whose clock was set back is believed again rather than
    /// ignored until its clock catches up.
    pub(super) fn is_late(&self, reading: &Reading, stamp: Stamp) -> bool {
        let newest = self.source_at.filter(|_| stamp.by_source && !self.is_silent);
        newest.is_some_and(|newest| reading.at < newest)
    }

    /// The reading is now current.
    pub(super) fn take(&mut self, reading: Reading, stamp: Stamp, now: Mono) {
        if stamp.by_source {
            self.source_at = Some(reading.at);
        }
        self.last = Some(reading);
        self.heard_at = now;
        self.is_silent = false;
    }

    /// The mark of silence, once per episode.
    pub(super) fn hush(&mut self, now: Now) -> Option<Reading> {
        if self.is_silent || now.mono.since_ms(self.heard_at) <= self.stale_after_ms {
            return None;
        }
        self.is_silent = true;
        let (value, quality) = match self.last {
            None => (None, Quality::Bad(Reason::NoCommunication)),
            Some(last) => (Some(last.value?), Quality::Uncertain(Reason::Stale)),
        };
        Some(Reading { point: self.id, at: now.utc, value, quality })
    }

    /// Until when it cannot become silent: what is heard meanwhile only puts it off, and one that
    /// is silent already must be heard first.
    pub(super) fn quiet_until(&self, now: Mono) -> Mono {
        let heard = if self.is_silent { now } else { self.heard_at };
        heard.plus_ms(self.stale_after_ms)
    }

    /// The quality of a reading that is to become current.
    pub(super) fn judge(&mut self, reading: &Reading, counted: Quality, now: Mono) -> Quality {
        self.rules.as_mut().map_or(reading.quality, |rules| rules.judge(reading, counted, now))
    }

    /// What becomes of a current reading on its way to the history.
    pub(super) fn report(&mut self, reading: Reading, now: Mono) -> report::Fate {
        let report = self.rules.as_mut().and_then(|rules| rules.report.as_mut());
        report.map_or(report::Fate::Kept, |report| report.pass(reading, now))
    }

    /// What has been held back from the history for too long, and the mark of silence with what was
    /// held back before it.
    pub(super) fn tick(&mut self, now: Now) -> (Option<Reading>, Option<Reading>) {
        let mark = self.hush(now);
        let Some(report) = self.rules.as_mut().and_then(|rules| rules.report.as_mut()) else {
            return (None, mark);
        };
        let is_due = mark.is_some() || report.due().is_some_and(|due| due <= now.mono);
        let held = if is_due { report.release() } else { None };
        if let Some(mark) = mark {
            report.kept(mark, now.mono);
        }
        (held, mark)
    }

    /// When what is held back from the history goes there in any case.
    pub(super) fn held_due(&self) -> Option<Mono> {
        self.rules.as_ref()?.report.as_ref()?.due()
    }

    /// What is held back from the history.
    pub(super) fn release(&mut self) -> Option<Reading> {
        self.rules.as_mut()?.report.as_mut()?.release()
    }
}
