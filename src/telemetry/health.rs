//! Whether the parts of the program can do their work; `/readyz` tells it to the outside.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// The state of every part that reported; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<RwLock<BTreeMap<&'static str, Result<(), String>>>>);

impl Health {
    /// Records that a part works, or in a sentence why it does not.
    pub fn set(&self, part: &'static str, state: Result<(), String>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(part, state);
    }

    /// All parts that reported, by name.
    pub fn report(&self) -> Vec<(&'static str, Result<(), String>)> {
        let parts = self.0.read().unwrap_or_else(PoisonError::into_inner);
        parts.iter().map(|(part, state)| (*part, state.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_of_a_part_counts_and_clones_hear_it() {
        let health = Health::default();
        let other = health.clone();
        health.set("historian", Err("The disk is full.".into()));
        health.set("db", Ok(()));
        assert_eq!(other.report(), [("db", Ok(())), ("historian", Err("The disk is full.".into()))]);
        health.set("historian", Ok(()));
        assert_eq!(other.report(), [("db", Ok(())), ("historian", Ok(()))]);
    }
}
