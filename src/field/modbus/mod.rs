//! Modbus: one bus = one task = one connection; its devices' registers in, raw samples out.
//!
//! The transport is our own (docs/adr): the crates at hand take a late reply for the answer to
//! the next question, or never find back into step.
//!
//! **Invariant:** only [`ReadRequest`] can be put on a line, and it only reads. A value comes only
//! from the answer to its own question. Every point of a device gets a sample or a stated failure
//! each cycle.
//!
//! Reading order: [`frame`](ReadRequest) (what may be asked), `codec` (MBAP), `line` (one
//! connection), `decode`, `plan` (which registers together), `holes` (what a device refuses, with
//! its `store`), `forecast` (how busy a bus will be), `schedule` (whose turn), `task` (the bus),
//! `status` and `metrics`.

mod frame;
mod codec;
mod line;
#[cfg_attr(not(any(test, fuzzing)), expect(dead_code, reason = "the bus takes `point` up with its plan"))]
mod decode;
mod plan;
#[cfg_attr(not(test), expect(dead_code, reason = "the bus does not learn yet; its tests do"))]
mod holes;
#[cfg_attr(not(test), expect(dead_code, reason = "nothing is learned that could be kept, but by tests"))]
mod store;
mod forecast;
mod schedule;
mod status;
mod metrics;
mod task;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
#[cfg(test)]
mod line_model;
#[cfg(test)]
mod profiles;
#[cfg(test)]
mod testcases;

pub use forecast::{ClassForecast, DeviceForecast, Forecast, RequestForecast, Round, forecast};
pub use frame::{Mismatch, ReadRequest, Refusal, RequestError};
pub use metrics::Metrics;
pub use plan::PlanError;
pub use status::{BusStatus, DeviceStatus, StatusHandle};
pub use store::MIGRATIONS;
pub use task::{BuildError, Bus, Dial, TcpDial};
