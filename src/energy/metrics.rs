//! What the energy stage counts about itself.

use super::engine::Refusal;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Why a reading was refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RefusalLabels {
    /// [`Refusal::word`].
    pub reason: &'static str,
}

/// The event kind of a finding.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct FindingLabels {
    /// `energy.reset_suspected` ...
    pub kind: &'static str,
}

/// Counters of this stage; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Deltas accepted.
    pub steps: Counter,
    /// Readings refused.
    pub refused: Family<RefusalLabels, Counter>,
    /// Readings that turned out to be outliers.
    pub outliers: Counter,
    /// Readings that came late.
    pub late: Counter,
    /// Times a meter was counted anew from a late reading on.
    pub recounts: Counter,
    /// Findings appended to the event log.
    pub findings: Family<FindingLabels, Counter>,
    /// Passes over the log that failed and are tried again.
    pub failures: Counter,
    /// Records of the historian's log that are not counted yet.
    pub lag: Gauge,
}

impl Metrics {
    /// Enters them in a registry.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("energy");
        registry.register("steps", "Register deltas accepted", self.steps.clone());
        registry.register("readings_refused", "Meter readings that do not count", self.refused.clone());
        registry.register(
            "readings_outliers",
            "Meter readings shown wrong by later ones",
            self.outliers.clone(),
        );
        registry.register(
            "readings_late",
            "Meter readings that came late and are counted anew from there",
            self.late.clone(),
        );
        registry.register("recounts", "Meters counted anew from a late reading on", self.recounts.clone());
        registry.register("findings", "Findings for a person to confirm", self.findings.clone());
        registry.register(
            "failures",
            "Passes over the log that failed and are tried again",
            self.failures.clone(),
        );
        registry.register("lag_records", "Records of the history that are not counted yet", self.lag.clone());
    }

    pub(super) fn refuse(&self, refusal: Refusal) {
        self.refused.get_or_create(&RefusalLabels { reason: refusal.word() }).inc();
    }

    pub(super) fn find(&self, kind: &'static str) {
        self.findings.get_or_create(&FindingLabels { kind }).inc();
    }
}
