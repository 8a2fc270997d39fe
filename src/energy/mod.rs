//! Not built yet.
pub mod engine;
pub mod rate;
