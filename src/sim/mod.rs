//! The simulated hospital: real protocols on loopback sockets, invented readings behind them.
//!
//! **Invariant:** nobody below needs it; `demo` and tests run it beside the real thing.

pub mod broker;
pub mod modbus;
pub mod mqtt;
