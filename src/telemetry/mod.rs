//! What the program says about itself: logs, metrics, and whether its parts are well.
//!
//! Read `logs` (what a line looks like), then `metrics`, then `health`, `process` (what it takes of
//! the machine) and `recent` (how fast a number changes).
//!
//! **Invariant:** no globals but the one log subscriber; metrics and health are values handed
//! around, so a test has its own.

mod logs;
mod metrics;
mod health;
mod process;
mod recent;

pub use health::Health;
pub use logs::{LogError, LogFormat, init_tracing};
pub use metrics::Registry;
pub use process::Process;
pub use recent::Recent;
