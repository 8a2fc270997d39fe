//! Nothing stands here yet.

use super::Use;
use crate::sim::truth::Build;

/// Adds it, supplying `uses`.
pub fn add(_build: &mut Build, _uses: &[Use]) {}
