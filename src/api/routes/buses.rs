//! `/api/v1/buses`: how the lines to the devices are doing.

use crate::api::buses::BusNow;
use crate::api::error::Failure;
use crate::api::state::AppState;
use crate::api::viewer::Viewer;
use crate::config;
use crate::field::modbus::DeviceStatus;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

/// The Modbus lines.
#[derive(Debug, Serialize, ToSchema)]
pub struct Buses {
    /// The server's time, UTC milliseconds.
    now: i64,
    /// In the order of the configuration.
    items: Vec<Bus>,
}

/// A Modbus line: one connection, and the devices behind it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Bus {
    /// Its id.
    id: String,
    /// How it is reached.
    #[schema(example = "rtu+tcp://10.0.0.7:4001?baud=9600&parity=even&stop=1")]
    link: String,
    /// Whether a driver works on it; for a moment none does when one failed and is made anew.
    running: bool,
    /// Whether there is a connection.
    connected: bool,
    /// In the order of the configuration.
    devices: Vec<Device>,
}

/// A device on a line.
#[derive(Debug, Serialize, ToSchema)]
pub struct Device {
    /// Its id, unique in the site.
    id: String,
    /// Modbus unit id.
    unit: u8,
    /// Ids of the assets its points belong to.
    assets: Vec<String>,
    /// How many points it feeds.
    points: usize,
    /// How often it is read, milliseconds.
    interval_ms: u64,
    /// When it last gave a value, UTC milliseconds; null if it gave none since the start.
    #[schema(required)]
    last_good_at: Option<i64>,
    /// Cycles in a row without any value, those without a connection too.
    consecutive_failures: u32,
    /// It did not answer and is only probed until it does.
    demoted: bool,
}

/// List the buses with their devices
#[utoipa::path(get, path = "/api/v1/buses", tag = "plant", responses((status = 200, body = Buses), Failure))]
pub async fn list_buses(_viewer: Viewer, State(state): State<AppState>) -> Json<Buses> {
    let now = state.clock().utc().0;
    Json(Buses { now, items: state.buses().read().iter().map(Bus::of).collect() })
}

impl Bus {
    fn of(bus: &BusNow) -> Bus {
        let told = |id: &str| {
            let status = bus.status.as_ref()?;
            status.devices.iter().find(|device| &*device.device == id)
        };
        Bus {
            id: bus.plan.id.to_string(),
            link: bus.plan.link.to_string(),
            running: bus.running,
            connected: bus.status.as_ref().is_some_and(|status| status.connected),
            devices: bus
                .plan
                .devices
                .iter()
                .map(|device| Device::of(device, told(device.id.as_str())))
                .collect(),
        }
    }
}

impl Device {
    fn of(plan: &config::Device, status: Option<&DeviceStatus>) -> Device {
        let mut assets: Vec<String> = Vec::new();
        for register in &plan.registers {
            let asset = register.point.asset.as_str();
            if !assets.iter().any(|known| known == asset) {
                assets.push(asset.to_owned());
            }
        }
        Device {
            id: plan.id.to_string(),
            unit: plan.unit,
            assets,
            points: plan.registers.len(),
            interval_ms: plan.registers.iter().map(|register| register.interval_ms).min().unwrap_or(0),
            last_good_at: status.and_then(|status| status.last_good_at).map(|at| at.0),
            consecutive_failures: status.map_or(0, |status| status.consecutive_failures),
            demoted: status.is_some_and(|status| status.demoted),
        }
    }
}
