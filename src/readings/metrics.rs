//! What the making of readings counts.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Counters and gauges of the stage; clones count together.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Readings made, marks of silence included.
    pub made: Counter,
    /// Readings made whose quality is Uncertain.
    pub uncertain: Counter,
    /// Readings made whose quality is Bad.
    pub bad: Counter,
    /// Readings that came again.
    pub duplicates: Counter,
    /// Readings older than what was current.
    pub late: Counter,
    /// Readings held back from the history.
    pub held_back: Counter,
    /// Counters that fell and did not roll over.
    pub counter_resets: Counter,
    /// Samples of points outside the plan.
    pub unknown: Counter,
    /// Readings of points whose value is substituted.
    pub withheld: Counter,
    /// Points whose value is substituted.
    pub substituted: Gauge,
    /// Times the wall clock was set back.
    pub clock_steps: Counter,
    /// Readings the historian could not take.
    pub lost: Counter,
    /// Messages acknowledged before they were on disk.
    pub acks_released: Counter,
    /// Batches that wait for the historian.
    pub historian_waiting: Gauge,
    /// Milliseconds spent waiting for the alarm engine.
    pub alarms_wait_ms: Counter,
}

impl Metrics {
    /// Makes them visible.
    pub fn register(&self, registry: &mut Registry) {
        let counters = [
            ("readings_made", "Readings made, marks of silence included", &self.made),
            ("readings_uncertain", "Readings made with quality Uncertain", &self.uncertain),
            ("readings_bad", "Readings made with quality Bad", &self.bad),
            ("readings_duplicate", "Readings that came again and were dropped", &self.duplicates),
            ("readings_late", "Readings older than what was current, kept in the history only", &self.late),
            (
                "readings_held_back",
                "Readings of points that report by exception, not in the history",
                &self.held_back,
            ),
            ("readings_counter_resets", "Counters that fell and did not roll over", &self.counter_resets),
            ("readings_unknown", "Samples of points outside the plan, dropped", &self.unknown),
            ("readings_withheld", "Readings of points whose value is substituted, dropped", &self.withheld),
            ("readings_clock_steps", "Times the wall clock was set back by over 2 s", &self.clock_steps),
            ("readings_lost", "Readings the historian could not take in time", &self.lost),
            (
                "readings_acks_released",
                "Messages acknowledged before they were on disk, so that the broker goes on",
                &self.acks_released,
            ),
            (
                "readings_alarms_wait_milliseconds",
                "Time spent waiting for the alarm engine",
                &self.alarms_wait_ms,
            ),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        let waiting = self.historian_waiting.clone();
        registry.register("readings_historian_waiting", "Batches that wait for the historian", waiting);
        let substituted = self.substituted.clone();
        registry.register(
            "readings_substituted",
            "Points whose value is substituted by a person",
            substituted,
        );
    }
}
