//! What this stage counts.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Counters and gauges of the alarms; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    pub(super) raised: Counter,
    pub(super) returned: Counter,
    pub(super) acknowledged: Counter,
    pub(super) open: Gauge,
    pub(super) backlog: Gauge,
    pub(super) skipped: Gauge,
    pub(super) save_failures: Counter,
}

impl Metrics {
    /// Makes them visible.
    pub fn register(&self, registry: &mut Registry) {
        let counters = [
            ("alarms_raised", "Onsets of alarms", &self.raised),
            ("alarms_returned", "Returns of alarms to normal", &self.returned),
            ("alarms_acknowledged", "Acknowledgements of alarms", &self.acknowledged),
            (
                "alarms_save_failures",
                "Transactions of the alarm journal that the database refused",
                &self.save_failures,
            ),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        let gauges = [
            ("alarms_open", "Alarms that are active or were not seen", &self.open),
            ("alarms_backlog", "Changes of alarms that wait to be journalled", &self.backlog),
            ("alarms_skipped", "Journal rows replaced by later ones because too many waited", &self.skipped),
        ];
        for (name, help, gauge) in gauges {
            registry.register(name, help, gauge.clone());
        }
    }
}
