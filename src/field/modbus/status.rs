//! How a bus is doing, for whoever shows it; reading it never waits for the bus.

use crate::point::UtcMs;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

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
}

impl Cell {
    fn new(device: &Arc<str>) -> Cell {
        Cell {
            device: Arc::clone(device),
            last_good_at: AtomicI64::new(NEVER),
            consecutive_failures: AtomicU32::new(0),
            demoted: AtomicBool::new(false),
            latency_us: AtomicU64::new(UNKNOWN),
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
