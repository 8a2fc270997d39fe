//! Which lane forwards to each target now, and how it is doing.
//!
//! As with the buses: a lane that ends early is made anew and brings a status of its own, so a target is asked here
//! and not at a handle kept from the start.

use crate::config;
use crate::forward::{Metrics, Status, TargetMetrics};
use crate::point::Name;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// The targets of the plan; clones share them.
#[derive(Clone, Debug)]
pub struct Targets(Arc<[Seat]>);

#[derive(Debug)]
struct Seat {
    id: Name,
    host: String,
    counted: TargetMetrics,
    /// Of the lane that runs; none before the start and while one that ended is made anew.
    status: Mutex<Option<watch::Receiver<Status>>>,
}

/// A target at one moment.
#[derive(Debug)]
pub struct TargetNow<'a> {
    /// Its id.
    pub id: &'a Name,
    /// Where it is.
    pub host: &'a str,
    /// What is counted of it.
    pub counted: &'a TargetMetrics,
    /// What the lane says; none while none runs.
    pub status: Option<Status>,
}

/// Held while a lane runs. Dropped, the lane counts as gone.
#[derive(Debug)]
#[must_use = "dropped at once, the lane counts as gone"]
pub struct Lane {
    targets: Targets,
    index: usize,
}

impl Targets {
    /// The targets of a plan, no lane running yet.
    pub fn new(plan: &config::Plan, metrics: &Metrics) -> Targets {
        let seat = |target: &config::Target| Seat {
            id: target.id.clone(),
            host: target.url.host_str().unwrap_or_default().to_owned(),
            counted: metrics.of(target.id.as_str()),
            status: Mutex::default(),
        };
        Targets(plan.targets.iter().map(seat).collect())
    }

    /// From now on a target is what this status says, until the returned guard is dropped. None if the plan has no
    /// such target.
    pub fn follow(&self, id: &Name, status: watch::Receiver<Status>) -> Option<Lane> {
        let index = self.0.iter().position(|seat| seat.id == *id)?;
        *self.0.get(index)?.lock() = Some(status);
        Some(Lane { targets: self.clone(), index })
    }

    /// All targets in the order of the configuration.
    pub fn read(&self) -> impl Iterator<Item = TargetNow<'_>> {
        self.0.iter().map(|seat| TargetNow {
            id: &seat.id,
            host: &seat.host,
            counted: &seat.counted,
            status: seat.lock().as_ref().map(|status| status.borrow().clone()),
        })
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if let Some(seat) = self.targets.0.get(self.index) {
            *seat.lock() = None;
        }
    }
}

impl Seat {
    /// Plain data behind the lock: a thread that panicked left it usable.
    fn lock(&self) -> MutexGuard<'_, Option<watch::Receiver<Status>>> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
