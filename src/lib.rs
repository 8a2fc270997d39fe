//! plantroom sees, keeps and acts on everything a hospital's plant says.
//!
//! Modules in the order of the storeys; each uses only lower ones (`tests/it/tidy.rs`).

// Storey 0: vocabulary.
pub mod point;
pub mod clock;
// Storey 1: cellar services.
pub mod config;
pub mod db;
pub mod telemetry;
pub mod expr;
pub mod calendar;
pub mod net;
// Storey 2: devices.
pub mod field;
// Storey 3: the making of a reading.
pub mod readings;
// Storey 4: memory.
pub mod historian;
// Storey 5: what is done with readings.
pub mod alarms;
pub mod energy;
pub mod forward;
pub mod backup;
// Storey 6.
pub mod work_orders;
// Storeys 8 and 9: what people and programs see.
pub mod api;
pub mod ui;
// Storeys 10 and 11: the wiring, the simulated plant, the verbs.
pub mod runtime;
pub mod sim;
pub mod cli;
