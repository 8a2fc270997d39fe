//! Modbus: one bus = one task = one connection; its devices' registers in, raw samples out.
//!
//! The transport is our own (docs/adr): the crates at hand take a late reply for the answer to
//! the next question, or never find back into step.
//!
//! **Invariant:** only [`ReadRequest`] can be put on a line, and it only reads. A value comes only
//! from the answer to its own question. Every point of a device gets a sample or a stated failure
//! each cycle.
//!
//! Reading order: [`frame`](ReadRequest) (what may be asked), `codec` (MBAP), `crc` and `rtu`
//! (RTU), `line` with `line_mbap`, `line_rtu` and its `doubt` (one connection), `dial` (making
//! it), `decode`, `agenda` (whose turn), `plan` (which registers together), `holes` (what a device
//! refuses, with its `store`), `rtt` and `depth` (how long to wait, how much at once), `recipe`
//! (what an answer is made into), `device` (one device with all of these), `task` (the bus), `forecast` (how busy it will be), `status`
//! and `metrics`.

mod frame;
mod codec;
mod crc;
mod rtu;
mod doubt;
mod line;
mod line_mbap;
mod line_rtu;
mod dial;
use super::decode;
mod agenda;
mod plan;
mod holes;
mod store;
mod rtt;
mod depth;
mod stamp;
mod recipe;
mod device;
mod status;
mod metrics;
mod task;
mod forecast;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
#[cfg(test)]
mod line_model;
#[cfg(test)]
mod serial_model;
#[cfg(test)]
mod profiles;
#[cfg(test)]
mod testcases;

pub use dial::{AnyDial, AnyStream, Dial};
pub use forecast::{ClassForecast, DeviceForecast, Forecast, RequestForecast, Round, forecast};
pub use frame::{Mismatch, ReadRequest, Refusal, RequestError};
pub use holes::Holes;
pub use metrics::Metrics;
pub use plan::PlanError;
pub use status::{BusStatus, DeviceStatus, StatusHandle, Took};
pub use store::{MIGRATIONS, keep, load};
pub use task::{BuildError, Bus, Memo, Memory, NotTaken, Updates};
