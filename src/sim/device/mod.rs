//! The simulated devices: what is true, as registers on real sockets.
//!
//! Read `encode` (values to words; the inverse of `field::decode`), `instrument` (what a register
//! counts), `unit` (all registers of a device), `bus` (a socket with several of them), `wire` (what
//! a noisy line does to replies).
//!
//! **Invariant:** the plan is the only register map; nothing here names an address.

pub mod encode;
pub mod instrument;
pub mod unit;
pub mod wire;
pub mod bus;
#[cfg(test)]
mod tests;
