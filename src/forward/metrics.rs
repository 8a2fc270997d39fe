//! What the forward stage counts about itself, for each target.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Which target.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct TargetLabels {
    /// Its id.
    pub target: String,
}

/// Counters of this stage; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    lines_sent: Family<TargetLabels, Counter>,
    lines_rejected: Family<TargetLabels, Counter>,
    readings_skipped: Family<TargetLabels, Counter>,
    requests: Family<TargetLabels, Counter>,
    retries: Family<TargetLabels, Counter>,
    lag_records: Family<TargetLabels, Gauge>,
    lag_seconds: Family<TargetLabels, Gauge>,
    last_success_seconds: Family<TargetLabels, Gauge>,
    drain_seconds: Family<TargetLabels, Gauge>,
}

/// The counters of one target.
#[derive(Clone, Debug)]
pub struct TargetMetrics {
    /// Lines the target took.
    pub lines_sent: Counter,
    /// Lines in the dead-letter file.
    pub lines_rejected: Counter,
    /// Readings that have no line: of no point of the plan, of no plausible time.
    pub readings_skipped: Counter,
    /// Requests sent.
    pub requests: Counter,
    /// Requests that will be sent again.
    pub retries: Counter,
    /// Records of the history that are not delivered yet.
    pub lag_records: Gauge,
    /// Age of the oldest of them. Seconds.
    pub lag_seconds: Gauge,
    /// When the target last took lines. Unix seconds.
    pub last_success_seconds: Gauge,
    /// Until all of them are delivered at the pace of the last minute; below 0 while they become no fewer. Seconds.
    pub drain_seconds: Gauge,
}

impl Metrics {
    /// Enters them in a registry.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("forward");
        let counters = [
            ("lines_sent", "Lines the target took", &self.lines_sent),
            ("lines_rejected", "Lines kept in the dead-letter file", &self.lines_rejected),
            ("readings_skipped", "Readings without a line", &self.readings_skipped),
            ("requests", "Requests sent", &self.requests),
            ("retries", "Requests that will be sent again", &self.retries),
        ];
        for (name, help, family) in counters {
            registry.register(name, help, family.clone());
        }
        let gauges = [
            ("lag_records", "Records of the history not delivered yet", &self.lag_records),
            ("lag_seconds", "Age of the oldest reading not delivered yet", &self.lag_seconds),
            ("last_success_seconds", "Unix time the target last took lines", &self.last_success_seconds),
            (
                "drain_seconds",
                "Until the backlog is delivered at the pace of the last minute, -1 unknown",
                &self.drain_seconds,
            ),
        ];
        for (name, help, family) in gauges {
            registry.register(name, help, family.clone());
        }
    }

    /// The counters of one target.
    pub fn of(&self, target: &str) -> TargetMetrics {
        let labels = TargetLabels { target: target.to_owned() };
        TargetMetrics {
            lines_sent: self.lines_sent.get_or_create_owned(&labels),
            lines_rejected: self.lines_rejected.get_or_create_owned(&labels),
            readings_skipped: self.readings_skipped.get_or_create_owned(&labels),
            requests: self.requests.get_or_create_owned(&labels),
            retries: self.retries.get_or_create_owned(&labels),
            lag_records: self.lag_records.get_or_create_owned(&labels),
            lag_seconds: self.lag_seconds.get_or_create_owned(&labels),
            last_success_seconds: self.last_success_seconds.get_or_create_owned(&labels),
            drain_seconds: self.drain_seconds.get_or_create_owned(&labels),
        }
    }
}
