//! Configuration: text -> spanned tree -> typed files -> validated [`Plan`].
//!
//! **Invariant:** never dials, never reads the clock.

mod plan;

pub use plan::*;
