//! Which driver runs for each bus now, and how it is doing.
//!
//! A driver that ends early is made anew and brings a status of its own. So a bus is asked here
//! and not at a handle kept from the start, which would show a driver long gone.

use crate::config;
use crate::field::modbus::{BusStatus, StatusHandle};
use crate::point::{Name, UtcMs};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The buses of the plan; clones share them.
#[derive(Clone, Debug)]
pub struct Buses(Arc<[Seat]>);

#[derive(Debug)]
struct Seat {
    id: Name,
    driver: Mutex<Driver>,
}

#[derive(Debug)]
struct Driver {
    plan: Arc<config::Bus>,
    /// Of the driver that runs or ran last.
    status: Option<StatusHandle>,
    running: bool,
    /// When devices gave their last value to drivers before that: a new one does not know.
    earlier: HashMap<Arc<str>, UtcMs>,
}

/// A bus at one moment.
#[derive(Debug)]
pub struct BusNow {
    /// What the configuration says of it.
    pub plan: Arc<config::Bus>,
    /// Whether a driver runs; none does before the start and while one that ended is made anew.
    pub running: bool,
    /// What the driver says; of one that ended only when its devices last gave a value. None
    /// before the first.
    pub status: Option<BusStatus>,
}

/// Held while a driver runs. Dropped, by an end or by a panic, the driver counts as gone: its
/// status would go on saying what was true at its last step.
#[derive(Debug)]
#[must_use = "dropped at once, the driver counts as gone"]
pub struct Followed {
    buses: Buses,
    index: usize,
}

impl Buses {
    /// The buses of a plan, no driver running yet.
    pub fn new(plan: &config::Plan) -> Buses {
        Buses(plan.buses.iter().map(Seat::new).collect())
    }

    /// Other devices, or other registers on them, from now on; a bus the plan does not have stays
    /// as it is.
    pub fn replan(&self, plan: &config::Plan) {
        for bus in &plan.buses {
            if let Some(seat) = self.0.iter().find(|seat| seat.id == bus.id) {
                seat.lock().plan = Arc::new(bus.clone());
            }
        }
    }

    /// From now on a bus is what this status says, until the returned guard is dropped. None if
    /// the plan has no such bus.
    pub fn follow(&self, status: StatusHandle) -> Option<Followed> {
        let bus = status.read().bus;
        let index = self.0.iter().position(|seat| seat.id.as_str() == &*bus)?;
        let mut driver = self.0.get(index)?.lock();
        if let Some(before) = driver.status.replace(status) {
            let seen = before.read().devices.into_iter();
            driver.earlier.extend(seen.filter_map(|device| Some((device.device, device.last_good_at?))));
        }
        driver.running = true;
        Some(Followed { buses: self.clone(), index })
    }

    /// All buses in the order of the configuration.
    pub fn read(&self) -> Vec<BusNow> {
        self.0.iter().map(Seat::read).collect()
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        if let Some(seat) = self.buses.0.get(self.index) {
            seat.lock().running = false;
        }
    }
}

impl Seat {
    fn new(bus: &config::Bus) -> Seat {
        let plan = Arc::new(bus.clone());
        let driver = Driver { plan, status: None, running: false, earlier: HashMap::new() };
        Seat { id: bus.id.clone(), driver: Mutex::new(driver) }
    }

    fn read(&self) -> BusNow {
        let driver = self.lock();
        let mut status = driver.status.as_ref().map(StatusHandle::read);
        if let Some(status) = &mut status {
            status.connected &= driver.running;
            for device in &mut status.devices {
                device.last_good_at =
                    device.last_good_at.or_else(|| driver.earlier.get(&device.device).copied());
            }
        }
        BusNow { plan: Arc::clone(&driver.plan), running: driver.running, status }
    }

    /// Plain data behind the lock: a thread that panicked left it usable.
    fn lock(&self) -> MutexGuard<'_, Driver> {
        self.driver.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
