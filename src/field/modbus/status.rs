//! How a bus is doing, for whoever shows it; reading it never waits for the bus.

use crate::point::UtcMs;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

/// A bus at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusStatus {
    /// Its id.
    pub bus: Arc<str>,
    /// Whether there is a connection.
    pub connected: bool,
    /// Its devices in the order of the configuration.
    pub devices: Vec<DeviceStatus>,
}

/// A device at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceStatus {
    /// Its id.
    pub device: Arc<str>,
    /// When it last gave a value; none since the start.
    pub last_good_at: Option<UtcMs>,
    /// Cycles in a row without any value, those without a connection too.
    pub consecutive_failures: u32,
    /// It is only probed until it answers.
    pub demoted: bool,
    /// How long it usually takes to answer beside the time on the wire, once known. Microseconds.
    pub latency_us: Option<u64>,
    /// Its requests without an answer in time since the start, probes aside.
    pub timeouts: u64,
    /// How long it took to read it, of its last [`CYCLES_KEPT`] cycles; none before the first.
    pub took: Option<Took>,
}

/// So many cycles of a device are looked back on.
pub const CYCLES_KEPT: usize = 128;

/// How long cycles took, from their first request to their last answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Took {
    /// Half of them took no longer. Milliseconds.
    pub p50_ms: u64,
    /// Of twenty, nineteen took no longer. Milliseconds.
    pub p95_ms: u64,
}

/// How long the last cycles took, milliseconds; the oldest gives way.
#[derive(Debug, Default)]
struct Cycles {
    took_ms: Vec<u64>,
    next: usize,
}

impl Cycles {
    fn add(&mut self, took_ms: u64) {
        match self.took_ms.get_mut(self.next) {
            Some(oldest) => *oldest = took_ms,
            None => self.took_ms.push(took_ms),
        }
        self.next = (self.next + 1) % CYCLES_KEPT;
    }

    /// By the nearest rank.
    fn took(&self) -> Option<Took> {
        let mut sorted = self.took_ms.clone();
        sorted.sort_unstable();
        let rank = |hundredths: usize| {
            let rank = (sorted.len() * hundredths).div_ceil(100);
            sorted.get(rank.saturating_sub(1)).copied()
        };
        Some(Took { p50_ms: rank(50)?, p95_ms: rank(95)? })
    }
}

/// Where to read the status of one bus.
#[derive(Clone, Debug)]
pub struct StatusHandle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    bus: Arc<str>,
    connected: AtomicBool,
    devices: RwLock<Vec<Arc<Cell>>>,
}

#[derive(Debug)]
struct Cell {
    device: Arc<str>,
    last_good_at: AtomicI64,
    consecutive_failures: AtomicU32,
    demoted: AtomicBool,
    latency_us: AtomicU64,
    timeouts: AtomicU64,
    /// Taken by the bus once a cycle, and by whoever looks.
    cycles: Mutex<Cycles>,
}

impl Cell {
    fn new(device: &Arc<str>) -> Cell {
        Cell {
            device: Arc::clone(device),
            last_good_at: AtomicI64::new(NEVER),
            consecutive_failures: AtomicU32::new(0),
            demoted: AtomicBool::new(false),
            latency_us: AtomicU64::new(UNKNOWN),
            timeouts: AtomicU64::new(0),
            cycles: Mutex::default(),
        }
    }
}

/// Stands for "never"; no clock shows it.
const NEVER: i64 = i64::MIN;
/// Stands for a latency not measured yet.
const UNKNOWN: u64 = u64::MAX;

impl StatusHandle {
    pub(super) fn new<'a>(bus: Arc<str>, devices: impl IntoIterator<Item = &'a Arc<str>>) -> StatusHandle {
        let devices = devices.into_iter().map(|device| Arc::new(Cell::new(device))).collect();
        StatusHandle(Arc::new(Shared {
            bus,
            connected: AtomicBool::new(false),
            devices: RwLock::new(devices),
        }))
    }

    /// Other devices; what is known of one that stays is kept.
    pub(super) fn update<'a>(&self, devices: impl IntoIterator<Item = &'a Arc<str>>) {
        let mut held = self.0.devices.write().unwrap_or_else(PoisonError::into_inner);
        let known = |device: &Arc<str>| held.iter().find(|cell| cell.device == *device).cloned();
        let cell = |device| known(device).unwrap_or_else(|| Arc::new(Cell::new(device)));
        *held = devices.into_iter().map(cell).collect();
    }

    fn cells(&self) -> RwLockReadGuard<'_, Vec<Arc<Cell>>> {
        self.0.devices.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The status now. The fields are read one by one: each is right, together they may be a
    /// cycle apart.
    pub fn read(&self) -> BusStatus {
        let device = |cell: &Arc<Cell>| {
            let last_good = cell.last_good_at.load(Ordering::Relaxed);
            let latency_us = cell.latency_us.load(Ordering::Relaxed);
            DeviceStatus {
                device: Arc::clone(&cell.device),
                last_good_at: (last_good != NEVER).then_some(UtcMs(last_good)),
                consecutive_failures: cell.consecutive_failures.load(Ordering::Relaxed),
                demoted: cell.demoted.load(Ordering::Relaxed),
                latency_us: (latency_us != UNKNOWN).then_some(latency_us),
                timeouts: cell.timeouts.load(Ordering::Relaxed),
                took: cell.cycles.lock().unwrap_or_else(PoisonError::into_inner).took(),
            }
        };
        BusStatus {
            bus: Arc::clone(&self.0.bus),
            connected: self.0.connected.load(Ordering::Relaxed),
            devices: self.cells().iter().map(device).collect(),
        }
    }

    pub(super) fn set_connected(&self, connected: bool) {
        self.0.connected.store(connected, Ordering::Relaxed);
    }

    pub(super) fn set_demoted(&self, index: usize, demoted: bool) {
        if let Some(cell) = self.cells().get(index) {
            cell.demoted.store(demoted, Ordering::Relaxed);
        }
    }

    /// A question to a device was not answered in time.
    pub(super) fn timed_out(&self, index: usize) {
        if let Some(cell) = self.cells().get(index) {
            cell.timeouts.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A device was read from begin to end, or given up.
    pub(super) fn took(&self, index: usize, took_ms: u64) {
        if let Some(cell) = self.cells().get(index) {
            cell.cycles.lock().unwrap_or_else(PoisonError::into_inner).add(took_ms);
        }
    }

    /// A cycle is over; `good_at` if it gave any value.
    pub(super) fn cycle(&self, index: usize, good_at: Option<UtcMs>, latency_us: Option<u64>) {
        let cells = self.cells();
        let Some(cell) = cells.get(index) else { return };
        cell.latency_us.store(latency_us.unwrap_or(UNKNOWN), Ordering::Relaxed);
        if let Some(at) = good_at {
            cell.last_good_at.store(at.0, Ordering::Relaxed);
            cell.consecutive_failures.store(0, Ordering::Relaxed);
        } else {
            // The bus task is the only writer, so load and store need not be one step.
            let failures = cell.consecutive_failures.load(Ordering::Relaxed).saturating_add(1);
            cell.consecutive_failures.store(failures, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_cycles_count_and_no_more() {
        let mut cycles = Cycles::default();
        assert_eq!(cycles.took(), None);
        cycles.add(7);
        assert_eq!(cycles.took(), Some(Took { p50_ms: 7, p95_ms: 7 }));
        let mut cycles = Cycles::default();
        (1..=20).rev().for_each(|ms| cycles.add(ms));
        assert_eq!(cycles.took(), Some(Took { p50_ms: 10, p95_ms: 19 }));
        // What was slow before is forgotten.
        (0..CYCLES_KEPT).for_each(|_| cycles.add(1));
        assert_eq!(cycles.took(), Some(Took { p50_ms: 1, p95_ms: 1 }));
        assert_eq!(cycles.took_ms.len(), CYCLES_KEPT);
    }
}
