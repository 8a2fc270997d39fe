//! The wiring: builds every stage from a plan, runs them, and brings them down in order.
//!
//! Read in this order: [`supervisor`] (what a running task owes), [`gateway`] (what is built and
//! spawned).
//!
//! **Invariant:** alone sees everyone. Channels are made here and nowhere else, and handed in.

pub mod supervisor;
pub mod gateway;

pub use gateway::Gateway;
pub use supervisor::{Stage, Supervisor};
