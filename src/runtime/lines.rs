//! The plan the buses are built from, as it is now, and how to reach those that run.
//!
//! A bus that ended early is built anew from here, never from the plan of the start. Building one
//! and changing the plan exclude each other, so none runs with a plan that was replaced.

use crate::config;
use crate::field::modbus::{BuildError, Bus, NotTaken, Updates};
use crate::point::{Catalogue, Name};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The plan in force; clones share it.
#[derive(Clone, Debug)]
pub struct Lines(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    plan: Arc<config::Plan>,
    catalogue: Arc<Catalogue>,
    /// Of the buses that run.
    updates: BTreeMap<Name, Updates>,
}

/// Held while a bus runs.
#[derive(Debug)]
#[must_use = "dropped at once, the bus hears of no change"]
pub struct Reachable {
    lines: Lines,
    bus: Name,
}

impl Lines {
    /// The plan of the start, no bus running yet.
    pub fn new(plan: Arc<config::Plan>, catalogue: Arc<Catalogue>) -> Lines {
        Lines(Arc::new(Mutex::new(Inner { plan, catalogue, updates: BTreeMap::new() })))
    }

    /// The plan and the catalogue in force.
    pub fn now(&self) -> (Arc<config::Plan>, Arc<Catalogue>) {
        let inner = self.lock();
        (Arc::clone(&inner.plan), Arc::clone(&inner.catalogue))
    }

    /// Builds the bus that stands at `index` in the plan, which no change moves: the first one of
    /// those a plan has is `start`.
    pub fn build(
        &self,
        index: usize,
        start: &config::Bus,
        make: impl FnOnce(&config::Bus, &Catalogue) -> Result<Bus, BuildError>,
    ) -> Result<(Bus, Reachable), BuildError> {
        let mut inner = self.lock();
        let plan = Arc::clone(&inner.plan);
        let bus = make(plan.buses.get(index).unwrap_or(start), &inner.catalogue)?;
        inner.updates.insert(start.id.clone(), bus.updates());
        Ok((bus, Reachable { lines: self.clone(), bus: start.id.clone() }))
    }

    /// Another plan of the same buses from now on.
    pub fn replace(&self, plan: Arc<config::Plan>, catalogue: Arc<Catalogue>) {
        let mut inner = self.lock();
        (inner.plan, inner.catalogue) = (plan, catalogue);
    }

    /// Hands a bus its part of the plan in force. One that does not run needs none: it will be
    /// built from it.
    ///
    /// # Errors
    /// What cannot be read is said, and the bus goes on as before.
    pub fn hand_over(&self, bus: &Name) -> Result<Result<(), NotTaken>, BuildError> {
        let inner = self.lock();
        let planned = inner.plan.buses.iter().find(|planned| planned.id == *bus);
        match planned.zip(inner.updates.get(bus)) {
            Some((plan, updates)) => updates.apply(plan, &|address| inner.catalogue.find(address)),
            None => Ok(Ok(())),
        }
    }

    /// Plain data behind the lock: a thread that panicked left it usable.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Reachable {
    fn drop(&mut self) {
        self.lines.lock().updates.remove(&self.bus);
    }
}
