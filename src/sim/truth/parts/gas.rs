//! Nothing stands here yet.

use super::Use;
use crate::sim::truth::Build;

/// Adds it; returns what it draws.
pub fn add(_build: &mut Build) -> Vec<Use> {
    Vec::new()
}
