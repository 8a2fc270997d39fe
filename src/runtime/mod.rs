//! The wiring: builds every stage from a plan, runs them, and brings them down in order.
//!
//! Read in this order: [`supervisor`] (what a running task owes), [`gateway`] (what is built and
//! spawned), [`difference`] (what a new configuration changes), `history` (what its keeping asks for),
//! `derived` (what windows begin with), [`lines`] (the plan in force),
//! [`reload`] (how it is replaced), `local` (the socket in the data directory).
//!
//! **Invariant:** alone sees everyone. Channels are made here and nowhere else, and handed in.

pub mod supervisor;
pub mod difference;
mod history;
mod derived;
pub mod lines;
pub mod reload;
mod local;
pub mod gateway;

pub use gateway::Gateway;
pub use reload::{Reloaded, Reloader};
pub use supervisor::{Stage, Supervisor};
