//! The metrics registry: not a global, so that tests count only themselves.

use std::sync::{Arc, Mutex, PoisonError};

/// Where stages register their metrics and `/metrics` reads them; clones share it.
///
/// Every name gets the prefix `plantroom_`; a stage registers `alarms_raised`, not
/// `plantroom_alarms_raised`.
#[derive(Clone, Debug)]
pub struct Registry(Arc<Mutex<prometheus_client::registry::Registry>>);

impl Registry {
    /// An empty one.
    pub fn new() -> Registry {
        let inner = prometheus_client::registry::Registry::with_prefix("plantroom");
        Registry(Arc::new(Mutex::new(inner)))
    }

    /// Lets a stage register what it counts.
    pub fn register(&self, add: impl FnOnce(&mut prometheus_client::registry::Registry)) {
        add(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// All metrics in the OpenMetrics text format (1.0).
    pub fn encode(&self) -> String {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        if let Err(error) = prometheus_client::encoding::text::encode(&mut text, &inner) {
            // Writing into a String fails only if a metric's own encoder does.
            tracing::warn!(%error, "A metric could not be encoded.");
        }
        text
    }
}

impl Default for Registry {
    fn default() -> Registry {
        Registry::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::metrics::counter::Counter;

    #[test]
    fn what_a_stage_registers_is_encoded_under_the_product_prefix() {
        let registry = Registry::new();
        let read = Counter::<u64>::default();
        registry.clone().register(|r| r.register("registers_read", "Registers read", read.clone()));
        read.inc_by(3);
        let text = registry.encode();
        assert!(text.contains("\nplantroom_registers_read_total 3\n"), "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}
