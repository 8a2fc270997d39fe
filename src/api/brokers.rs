//! Which source listens to each broker now, and how it is doing.
//!
//! As with the buses: a source that ends early is made anew and brings a status of its own, so a
//! broker is asked here and not at a handle kept from the start.

use crate::config;
use crate::field::mqtt::{Status, StatusHandle};
use crate::point::Name;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The brokers of the plan; clones share them.
#[derive(Clone, Debug)]
pub struct Brokers(Arc<[Seat]>);

#[derive(Debug)]
struct Seat {
    plan: Arc<config::Broker>,
    source: Mutex<Source>,
}

#[derive(Debug, Default)]
struct Source {
    /// Of the source that listens or listened last.
    status: Option<StatusHandle>,
    running: bool,
}

/// A broker at one moment.
#[derive(Debug)]
pub struct BrokerNow {
    /// What the configuration says of it.
    pub plan: Arc<config::Broker>,
    /// Whether a source listens; none does before the start and while one that ended is made anew.
    pub running: bool,
    /// What the source says, or said last. None before the first.
    pub status: Option<Status>,
    /// To ask it for the messages it has seen.
    pub source: Option<StatusHandle>,
}

/// Held while a source runs. Dropped, by an end or by a panic, the source counts as gone: its
/// status would go on saying what was true at its last step.
#[derive(Debug)]
#[must_use = "dropped at once, the source counts as gone"]
pub struct Heard {
    brokers: Brokers,
    index: usize,
}

impl Brokers {
    /// The brokers of a plan, none listened to yet.
    pub fn new(plan: &config::Plan) -> Brokers {
        let seat = |broker: &config::Broker| Seat {
            plan: Arc::new(broker.clone()),
            source: Mutex::new(Source::default()),
        };
        Brokers(plan.brokers.iter().map(seat).collect())
    }

    /// From now on a broker is what this status says, until the returned guard is dropped. None if
    /// the plan has no such broker.
    pub fn follow(&self, id: &Name, status: StatusHandle) -> Option<Heard> {
        let index = self.0.iter().position(|seat| seat.plan.id == *id)?;
        *self.0.get(index)?.lock() = Source { status: Some(status), running: true };
        Some(Heard { brokers: self.clone(), index })
    }

    /// All brokers in the order of the configuration.
    pub fn read(&self) -> Vec<BrokerNow> {
        self.0.iter().map(Seat::read).collect()
    }

    /// The broker of an id as a client wrote it.
    pub fn find(&self, id: &str) -> Option<BrokerNow> {
        self.0.iter().find(|seat| seat.plan.id.as_str() == id).map(Seat::read)
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        if let Some(seat) = self.brokers.0.get(self.index) {
            seat.lock().running = false;
        }
    }
}

impl Seat {
    fn read(&self) -> BrokerNow {
        let source = self.lock();
        let mut status = source.status.as_ref().map(StatusHandle::get);
        if let Some(status) = &mut status {
            status.connected &= source.running;
            status.subscribed &= source.running;
        }
        let plan = Arc::clone(&self.plan);
        BrokerNow { plan, running: source.running, status, source: source.status.clone() }
    }

    /// Plain data behind the lock: a thread that panicked left it usable.
    fn lock(&self) -> MutexGuard<'_, Source> {
        self.source.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
