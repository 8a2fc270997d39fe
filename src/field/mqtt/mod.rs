//! x
mod json;
mod mapping;
pub mod order;
pub use mapping::*;
