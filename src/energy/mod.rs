//! Registers to consumption: 15-minute cells, civil days, tariff classes, yuan.
//!
//! The historian's log is followed by an own cursor. Cells, the memory of each meter and the
//! cursor move in one transaction of `plantroom.db`, so a restart or a kill counts nothing twice
//! and leaves nothing out.
//!
//! **Invariant:** the cells of a meter add up to the accepted deltas of its register exactly, and
//! every view (cells, days, tariff classes) is a sum over the same cells.
//!
//! Reading order: [`engine`] (the rules), [`rate`] (days and money), [`ledger`] (all meters),
//! `store` (the tables), [`task`] (the log followed), `query` (what pages ask), `config`,
//! `metrics`.

pub mod engine;
pub mod rate;
pub mod ledger;
mod store;
pub mod task;
mod query;
mod config;
mod metrics;

pub use config::{BuildError, MeterInfo};
pub use metrics::Metrics;
pub use query::{CellQuality, CellView, DAYS_MAX, Energy, EnergyError};
pub use rate::{ClassShare, Day};
pub use store::MIGRATIONS;
pub use task::{OpenError, Task};
