//! Registers to consumption: 15-minute cells, civil days, tariff classes, yuan.
//!
//! The historian's log is followed by an own cursor. Cells, the memory of each meter and the
//! cursor move in one transaction of `plantroom.db`, so a restart or a kill counts nothing twice
//! and leaves nothing out.
//!
//! A reading that comes late, an import of last year's or a correction, is noted in that transaction,
//! too. When it has been quiet for a while the meter is counted anew from there, out of the history;
//! what was counted of readings that the history has forgotten stays.
//!
//! **Invariant:** the cells of a meter add up to the accepted deltas of its register exactly, and
//! every view (cells, days, tariff classes) is a sum over the same cells. Once nothing late is left
//! to count, they are those of its readings sorted by time, whatever the order of arrival.
//!
//! Reading order: [`engine`] (the rules), `account` (one meter), [`rate`] (days and money),
//! [`ledger`] (all meters), [`recount`] (what came late), `store` (the tables), [`task`] (the log
//! followed), `query` (what pages ask), `config`, `metrics`.

pub mod engine;
mod account;
pub mod rate;
pub mod ledger;
pub mod recount;
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
