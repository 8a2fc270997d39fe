//! Readings to other engines, in line protocol: InfluxDB 1.x, 2, 3, VictoriaMetrics, and whoever
//! else has a write endpoint.
//!
//! Each target follows the historian's log by a cursor of its own, which moves when the target
//! has taken the lines (or the dead-letter file has them). There is no second buffer: while a
//! target is away its lines are where they always were, in the history. Lines are delivered at
//! least once, with the time of acquisition, so an engine that overwrites (InfluxDB, GreptimeDB)
//! shows each once; VictoriaMetrics and QuestDB do so with deduplication on.
//!
//! A 2xx is believed. Engines that answer before the data is durable (InfluxDB Cloud queues,
//! VictoriaMetrics flushes once a second) can lose what they have answered for when they crash;
//! nothing here notices, the history has it.
//!
//! **Invariant:** a line is delivered, or in the dead-letter file, before the cursor passes it; a
//! rejected line never keeps its neighbours from being delivered.
//!
//! Reading order: [`mod@line`] (the encoder), [`parse`] (its inverse, for what is taken in), `config` (which point becomes which line), [`outcome`]
//! (what an answer means), [`batch`] (halving and bisecting), `http` (one request), [`task`] (the
//! lane), `dead` (what no target takes), `store` (the cursor), `metrics`.

pub mod line;
pub mod parse;
mod config;
pub mod outcome;
pub mod batch;
mod http;
pub mod task;
mod dead;
mod store;
mod metrics;

pub use config::{BuildError, Mapping, Written};
pub use metrics::{Metrics, TargetMetrics};
pub use task::{Parts, Status, Task};

#[cfg(test)]
mod testing;
