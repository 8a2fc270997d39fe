//! What is kept of an input for the windows it is in.

use super::settings::InputSettings;
use crate::expr::Window;
use crate::point::{Quality, Reading, Reason, UtcMs};
use std::collections::VecDeque;

/// Readings in order of time: those of the longest window, and the one before it.
#[derive(Debug)]
pub(super) struct Past {
    readings: VecDeque<Reading>,
    /// The longest window, milliseconds; 0 if the point is in none.
    length_ms: i64,
    readings_max: usize,
    stale_after_ms: i64,
}

impl Past {
    pub(super) fn new(settings: &InputSettings) -> Past {
        Past {
            readings: VecDeque::new(),
            length_ms: i64::try_from(settings.window_ms).unwrap_or(i64::MAX),
            readings_max: settings.readings_max,
            stale_after_ms: i64::try_from(settings.stale_after_ms).unwrap_or(i64::MAX),
        }
    }

    /// A reading that has become current. One that is older than the last takes the place of what
    /// is behind it: its source's clock was set back.
    pub(super) fn push(&mut self, reading: Reading, now: UtcMs) {
        if self.length_ms == 0 {
            return;
        }
        while self.readings.pop_back_if(|last| reading.at <= last.at).is_some() {}
        self.readings.push_back(reading);
        self.trim(now);
    }

    fn trim(&mut self, now: UtcMs) {
        let start = now.plus_ms(self.length_ms.saturating_neg());
        while self.readings.get(1).is_some_and(|second| second.at <= start)
            || self.readings.len() > self.readings_max
        {
            self.readings.pop_front();
        }
    }

    /// After a stop: the last value held until it would have been stale, and from then on nothing
    /// is known.
    pub(super) fn break_off(&mut self, now: UtcMs) {
        let Some(last) = self.readings.back().copied() else { return };
        let stale_at = last.at.plus_ms(self.stale_after_ms);
        if stale_at < now {
            let quality = Quality::Bad(Reason::NoCommunication);
            self.readings.push_back(Reading { at: stale_at, value: None, quality, ..last });
        }
    }

    /// Goes on with what was kept for other windows, if that reaches as far back as what is here.
    pub(super) fn go_on(&mut self, known: Past, now: UtcMs) {
        if self.length_ms == 0 {
            return;
        }
        let Some(first) = known.readings.front().map(|first| first.at) else { return };
        // What came before, from the history; then what was kept, which has no holes.
        while self.readings.pop_back_if(|last| first <= last.at).is_some() {}
        self.readings.extend(known.readings);
        self.trim(now);
    }

    /// What the last `length_ms` come to.
    pub(super) fn window(&self, now: UtcMs, length_ms: u64) -> Option<Window> {
        if self.readings.is_empty() {
            return None;
        }
        let start = now.plus_ms(-i64::try_from(length_ms).unwrap_or(i64::MAX));
        let first = self.readings.partition_point(|reading| reading.at <= start).saturating_sub(1);
        Some(Window::of(self.readings.range(first..), now, length_ms))
    }
}
