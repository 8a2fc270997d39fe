//! What this stage counts.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

/// Counters of the work orders; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    pub(super) events: Counter,
    pub(super) failures: Counter,
}

impl Metrics {
    /// Makes them visible.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "work_orders_events",
            "Events of the log that were turned into work orders or passed over",
            self.events.clone(),
        );
        registry.register(
            "work_orders_failures",
            "Transactions of the work orders that the database refused",
            self.failures.clone(),
        );
    }
}
