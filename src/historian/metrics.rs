//! What the historian counts.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Counters and gauges of the stage; clones count together.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Group commits.
    pub commits: Counter,
    /// Readings on disk.
    pub readings: Counter,
    /// Bytes of records on disk.
    pub bytes: Counter,
    /// How long a commit took, to the millisecond.
    pub commit_seconds: Histogram,
    /// Readings that never arrived here, as the gap records say.
    pub lost: Counter,
    /// Readings of commits given up at a stop.
    pub given_up: Counter,
    /// Handles thrown away after an error.
    pub poisoned: Counter,
    /// Damaged records and sealed columns met while reading; the same one counts each time.
    pub damaged: Counter,
    /// Readings that left the journal for the year files.
    pub sealed: Counter,
    /// Merges of sealed parts.
    pub merges: Counter,
    /// Sealed chunks and parts that were forgotten as configured.
    pub forgotten: Counter,
    /// Sealed chunks and parts given up for want of room.
    pub shed: Counter,
    /// What that made free. Bytes.
    pub shed_bytes: Counter,
    /// Number of the last batch on disk.
    pub head: Gauge,
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics {
            commits: Counter::default(),
            readings: Counter::default(),
            bytes: Counter::default(),
            // From a good SSD to a card that is about to fail.
            commit_seconds: Histogram::new([0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0]),
            lost: Counter::default(),
            given_up: Counter::default(),
            poisoned: Counter::default(),
            damaged: Counter::default(),
            sealed: Counter::default(),
            merges: Counter::default(),
            forgotten: Counter::default(),
            shed: Counter::default(),
            shed_bytes: Counter::default(),
            head: Gauge::default(),
        }
    }
}

impl Metrics {
    /// Makes them visible.
    pub fn register(&self, registry: &mut Registry) {
        let counters = [
            ("historian_commits", "Group commits", &self.commits),
            ("historian_readings", "Readings on disk since the start", &self.readings),
            ("historian_lost", "Readings that never arrived, by gap records", &self.lost),
            ("historian_given_up", "Readings of commits given up at a stop", &self.given_up),
            ("historian_poisoned", "Handles thrown away after an error", &self.poisoned),
            ("historian_damaged", "Damaged records and columns met while reading", &self.damaged),
            ("historian_sealed", "Readings sealed since the start", &self.sealed),
            ("historian_merges", "Merges of sealed parts", &self.merges),
            ("historian_forgotten", "Sealed chunks and parts beyond their time", &self.forgotten),
            ("historian_shed", "Sealed chunks and parts given up for want of room", &self.shed),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        let help = "Records on disk since the start";
        registry.register_with_unit("historian", help, Unit::Bytes, self.bytes.clone());
        let help = "Room made by giving up sealed chunks and parts";
        registry.register_with_unit("historian_shed", help, Unit::Bytes, self.shed_bytes.clone());
        let help = "How long a commit took";
        registry.register_with_unit("historian_commit", help, Unit::Seconds, self.commit_seconds.clone());
        registry.register("historian_head", "Number of the last batch on disk", self.head.clone());
    }
}
