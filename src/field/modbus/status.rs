//! How a bus is doing, for whoever shows it; reading it never waits for the bus.

use crate::point::UtcMs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};

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
}

/// Where to read the status of one bus.
#[derive(Clone, Debug)]
pub struct StatusHandle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    bus: Arc<str>,
    connected: AtomicBool,
    devices: Vec<Cell>,
}

#[derive(Debug)]
struct Cell {
    device: Arc<str>,
    last_good_at: AtomicI64,
    consecutive_failures: AtomicU32,
    demoted: AtomicBool,
}

/// Stands for "never"; no clock shows it.
const NEVER: i64 = i64::MIN;

impl StatusHandle {
    pub(super) fn new(bus: Arc<str>, devices: impl IntoIterator<Item = Arc<str>>) -> StatusHandle {
        let cell = |device| Cell {
            device,
            last_good_at: AtomicI64::new(NEVER),
            consecutive_failures: AtomicU32::new(0),
            demoted: AtomicBool::new(false),
        };
        let devices = devices.into_iter().map(cell).collect();
        StatusHandle(Arc::new(Shared { bus, connected: AtomicBool::new(false), devices }))
    }

    /// The status now. The fields are read one by one: each is right, together they may be a
    /// cycle apart.
    pub fn read(&self) -> BusStatus {
        let device = |cell: &Cell| {
            let last_good = cell.last_good_at.load(Ordering::Relaxed);
            DeviceStatus {
                device: Arc::clone(&cell.device),
                last_good_at: (last_good != NEVER).then_some(UtcMs(last_good)),
                consecutive_failures: cell.consecutive_failures.load(Ordering::Relaxed),
                demoted: cell.demoted.load(Ordering::Relaxed),
            }
        };
        BusStatus {
            bus: Arc::clone(&self.0.bus),
            connected: self.0.connected.load(Ordering::Relaxed),
            devices: self.0.devices.iter().map(device).collect(),
        }
    }

    pub(super) fn set_connected(&self, connected: bool) {
        self.0.connected.store(connected, Ordering::Relaxed);
    }

    pub(super) fn set_demoted(&self, index: usize, demoted: bool) {
        if let Some(cell) = self.0.devices.get(index) {
            cell.demoted.store(demoted, Ordering::Relaxed);
        }
    }

    /// A cycle is over; `good_at` if it gave any value.
    pub(super) fn cycle(&self, index: usize, good_at: Option<UtcMs>) {
        let Some(cell) = self.0.devices.get(index) else { return };
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
