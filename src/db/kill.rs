//! Where a test lets the process die: a numbered step of the writer.
//!
//! Only what SQLite has committed outlives a killed process, so dying before each begin, before
//! each commit and after each commit covers every place a kill can hit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the writer's steps and says at which one it dies: no rollback, no answer, no further
/// job. In production there is none.
#[derive(Clone, Debug, Default)]
pub struct KillPoints(Option<Arc<Counter>>);

#[derive(Debug)]
struct Counter {
    steps: AtomicU64,
    die_at: u64,
}

impl KillPoints {
    /// Never dies and counts nothing.
    pub fn none() -> KillPoints {
        KillPoints(None)
    }

    /// Dies at step `step`, counted from 1; 0 counts and never dies.
    pub fn at(step: u64) -> KillPoints {
        KillPoints(Some(Arc::new(Counter { steps: AtomicU64::new(0), die_at: step })))
    }

    /// Steps taken so far.
    pub fn steps(&self) -> u64 {
        self.0.as_ref().map_or(0, |counter| counter.steps.load(Ordering::Acquire))
    }

    /// Takes a step; whether the process dies here.
    pub(super) fn dies(&self) -> bool {
        let Some(counter) = &self.0 else { return false };
        let step = counter.steps.fetch_add(1, Ordering::AcqRel) + 1;
        step == counter.die_at
    }
}
