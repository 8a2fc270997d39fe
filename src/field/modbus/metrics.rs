//! What is counted on a Modbus line.

use super::frame::Mismatch;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Counters of all buses; one set per process, each bus takes its part at build.
#[derive(Clone, Debug)]
pub struct Metrics {
    requests: Family<BusLabel, Counter>,
    replies: Family<BusLabel, Counter>,
    timeouts: Family<BusLabel, Counter>,
    exceptions: Family<ExceptionLabel, Counter>,
    malformed: Family<BusLabel, Counter>,
    late: Family<BusLabel, Counter>,
    strays: Family<BusLabel, Counter>,
    mismatches: Family<MismatchLabel, Counter>,
    noise_bytes: Family<BusLabel, Counter>,
    canaries: Family<BusLabel, Counter>,
    echoes: Family<BusLabel, Counter>,
    reconnects: Family<BusLabel, Counter>,
    overruns: Family<BusLabel, Counter>,
    skipped_cycles: Family<BusLabel, Counter>,
    cycle_duration: Family<BusLabel, Histogram, fn() -> Histogram>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BusLabel {
    bus: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ExceptionLabel {
    bus: String,
    code: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MismatchLabel {
    bus: String,
    kind: &'static str,
}

impl Metrics {
    /// Counters at zero.
    pub fn new() -> Metrics {
        // From a quick device on a LAN to a bus of mute units: 5 ms to 40 s.
        let durations = || Histogram::new([0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 40.0]);
        Metrics {
            requests: Family::default(),
            replies: Family::default(),
            timeouts: Family::default(),
            exceptions: Family::default(),
            malformed: Family::default(),
            late: Family::default(),
            strays: Family::default(),
            mismatches: Family::default(),
            noise_bytes: Family::default(),
            canaries: Family::default(),
            echoes: Family::default(),
            reconnects: Family::default(),
            overruns: Family::default(),
            skipped_cycles: Family::default(),
            cycle_duration: Family::new_with_constructor(durations),
        }
    }

    /// Shows them on a registry; once per process.
    pub fn register(&self, registry: &mut Registry) {
        let mut counter = |name, help, family: &Family<BusLabel, Counter>| {
            registry.register(name, help, family.clone());
        };
        counter("modbus_requests", "Requests sent", &self.requests);
        counter("modbus_replies", "Right answers with values", &self.replies);
        counter("modbus_timeouts", "Requests without an answer in time", &self.timeouts);
        counter("modbus_malformed_replies", "Answers that do not fit their request", &self.malformed);
        counter("modbus_late_replies", "Answers to requests already given up, discarded", &self.late);
        counter("modbus_stray_frames", "Frames that answer nothing ever asked, discarded", &self.strays);
        counter(
            "modbus_noise_bytes",
            "Bytes on an RTU line that belong to no frame, discarded",
            &self.noise_bytes,
        );
        counter(
            "modbus_canaries",
            "Requests asked only to be sure that older answers are over",
            &self.canaries,
        );
        counter("modbus_echoes", "Own requests heard back from the adapter", &self.echoes);
        counter("modbus_reconnects", "Connections lost or given up", &self.reconnects);
        counter("modbus_overruns", "Batches that had to wait for readings", &self.overruns);
        counter("modbus_skipped_cycles", "Cycles left out because the bus was late", &self.skipped_cycles);
        registry.register(
            "modbus_mismatches",
            "Frames that do not fit what was asked, by what is wrong with them",
            self.mismatches.clone(),
        );
        registry.register("modbus_exceptions", "Exception answers by code", self.exceptions.clone());
        registry.register_with_unit(
            "modbus_cycle_duration",
            "Time to read a device once",
            Unit::Seconds,
            self.cycle_duration.clone(),
        );
    }

    /// The part of one bus.
    pub(super) fn of_bus(&self, bus: &str) -> BusMetrics {
        let label = BusLabel { bus: bus.to_owned() };
        BusMetrics {
            requests: self.requests.get_or_create_owned(&label),
            replies: self.replies.get_or_create_owned(&label),
            timeouts: self.timeouts.get_or_create_owned(&label),
            malformed: self.malformed.get_or_create_owned(&label),
            late: self.late.get_or_create_owned(&label),
            strays: self.strays.get_or_create_owned(&label),
            noise_bytes: self.noise_bytes.get_or_create_owned(&label),
            canaries: self.canaries.get_or_create_owned(&label),
            echoes: self.echoes.get_or_create_owned(&label),
            mismatches: self.mismatches.clone(),
            reconnects: self.reconnects.get_or_create_owned(&label),
            overruns: self.overruns.get_or_create_owned(&label),
            skipped_cycles: self.skipped_cycles.get_or_create_owned(&label),
            cycle_duration: self.cycle_duration.get_or_create_owned(&label),
            exceptions: self.exceptions.clone(),
            bus: label.bus,
        }
    }
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

/// The counters of one bus, looked up once.
#[derive(Clone, Debug)]
pub(super) struct BusMetrics {
    pub requests: Counter,
    pub replies: Counter,
    pub timeouts: Counter,
    pub malformed: Counter,
    pub late: Counter,
    pub strays: Counter,
    pub noise_bytes: Counter,
    pub canaries: Counter,
    pub echoes: Counter,
    pub reconnects: Counter,
    pub overruns: Counter,
    pub skipped_cycles: Counter,
    pub cycle_duration: Histogram,
    exceptions: Family<ExceptionLabel, Counter>,
    mismatches: Family<MismatchLabel, Counter>,
    bus: String,
}

impl BusMetrics {
    /// Exception answers of all codes.
    #[cfg(test)]
    pub fn exceptions_total(&self) -> u64 {
        let of_code = |code| self.exceptions.get(&ExceptionLabel { bus: self.bus.clone(), code });
        (0..=u8::MAX).filter_map(|code| of_code(code).map(|counter| counter.get())).sum()
    }

    /// An exception answer.
    pub fn exception(&self, code: u8) {
        self.exceptions.get_or_create(&ExceptionLabel { bus: self.bus.clone(), code }).inc();
    }

    /// A frame that does not fit what was asked.
    pub fn mismatch(&self, mismatch: Mismatch) {
        self.mismatches(mismatch).inc();
    }

    fn mismatches(&self, mismatch: Mismatch) -> Counter {
        self.mismatches.get_or_create_owned(&MismatchLabel { bus: self.bus.clone(), kind: mismatch.kind() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_each_bus_by_name() {
        let metrics = Metrics::new();
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        let bus = metrics.of_bus("plant-room");
        bus.requests.inc_by(3);
        bus.exception(2);
        bus.cycle_duration.observe(0.03);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            "modbus_requests_total{bus=\"plant-room\"} 3",
            "modbus_exceptions_total{bus=\"plant-room\",code=\"2\"} 1",
            "modbus_cycle_duration_seconds_count{bus=\"plant-room\"} 1",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }
}
