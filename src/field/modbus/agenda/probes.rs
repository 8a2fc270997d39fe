//! What probes of demoted devices may cost the bus. Pure.
//!
//! **Invariant:** all of them together take at most a twentieth of any minute.

use crate::clock::Mono;
use std::collections::VecDeque;

/// Probes of all demoted devices together take at most one part in so many of any minute.
const SHARE: u64 = 20;
/// The minute.
const WINDOW_MS: u64 = 60_000;
/// The least a probe is taken to cost; keeps the list of a minute short.
const COST_MIN_MS: u64 = 10;

/// Keeps probes to their share of the bus, spread over it.
#[derive(Clone, Debug)]
pub struct Probes {
    /// End and cost of the probes of the last minute.
    spent: VecDeque<(Mono, u64)>,
    spent_ms: u64,
    /// The pause after the last one.
    pause_until: Mono,
}

impl Probes {
    pub fn new(now: Mono) -> Probes {
        let entries = usize::try_from(WINDOW_MS / (COST_MIN_MS * SHARE)).unwrap_or(0) + 2;
        Probes { spent: VecDeque::with_capacity(entries), spent_ms: 0, pause_until: now }
    }

    /// When a probe that costs at most `cost_ms` may start: once the minute before its end has
    /// room for it. One that costs more than the share of a minute has that to itself.
    pub fn free_at(&self, cost_ms: u64) -> Mono {
        let share_ms = WINDOW_MS / SHARE;
        let (mut in_window, mut at) = (self.spent_ms, self.pause_until);
        for (ended, spent_ms) in &self.spent {
            if in_window.saturating_add(cost_ms.max(COST_MIN_MS)) <= share_ms {
                break;
            }
            in_window = in_window.saturating_sub(*spent_ms);
            at = at.max(ended.plus_ms(WINDOW_MS));
        }
        at
    }

    /// A probe that took `cost_ms` has just ended.
    pub fn spend(&mut self, cost_ms: u64, now: Mono) {
        let cost_ms = cost_ms.max(COST_MIN_MS);
        self.spent.retain(|(ended, _)| ended.plus_ms(WINDOW_MS) > now);
        self.spent.push_back((now, cost_ms));
        self.spent_ms = self.spent.iter().fold(0, |sum: u64, (_, cost_ms)| sum.saturating_add(*cost_ms));
        self.pause_until = now.plus_ms(cost_ms.saturating_mul(SHARE - 1));
    }
}
