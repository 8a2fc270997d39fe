//! What is counted, per broker.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The broker by its configured id.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Label {
    broker: String,
}

/// The counters of all brokers; registered once.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    messages: Family<Label, Counter>,
    bytes: Family<Label, Counter>,
    retained: Family<Label, Counter>,
    duplicates: Family<Label, Counter>,
    unmapped: Family<Label, Counter>,
    undecodable: Family<Label, Counter>,
    dropped: Family<Label, Counter>,
    connections: Family<Label, Counter>,
    acks: Family<Label, Counter>,
    acks_stale: Family<Label, Counter>,
    too_long: Family<Label, Counter>,
    sessions_lost: Family<Label, Counter>,
    silences: Family<Label, Counter>,
    connected: Family<Label, Gauge>,
    in_flight: Family<Label, Gauge>,
    in_flight_max: Family<Label, Gauge>,
    silent: Family<Label, Gauge>,
    waiting: Family<Label, Gauge>,
}

/// The counters of one broker.
#[derive(Clone, Debug)]
pub struct BrokerMetrics {
    /// Messages received.
    pub messages: Counter,
    /// Payload bytes received.
    pub bytes: Counter,
    /// Messages that were the broker's retained last word.
    pub retained: Counter,
    /// Messages sent again that were on disk already.
    pub duplicates: Counter,
    /// Messages that lead to no known point.
    pub unmapped: Counter,
    /// Messages of which a point could not be read.
    pub undecodable: Counter,
    /// QoS 0 messages dropped because `readings` does not keep up.
    pub dropped: Counter,
    /// Connections made; all but the first are reconnects.
    pub connections: Counter,
    /// Acknowledgements handed to the connection.
    pub acks: Counter,
    /// Acknowledgements of an earlier connection, discarded.
    pub acks_stale: Counter,
    /// Messages longer than allowed, acknowledged and not read.
    pub too_long: Counter,
    /// Connections on which the broker had forgotten our session.
    pub sessions_lost: Counter,
    /// Times a connected broker said nothing for longer than it may.
    pub silences: Counter,
    /// 1 while connected.
    pub connected: Gauge,
    /// Messages the broker waits for.
    pub in_flight: Gauge,
    /// Most messages the broker waited for at once.
    pub in_flight_max: Gauge,
    /// 1 while connected and silent for longer than it may be.
    pub silent: Gauge,
    /// Batches waiting for room in `readings`.
    pub waiting: Gauge,
}

impl Metrics {
    /// Registers the counters.
    pub fn register(&self, registry: &mut Registry) {
        let mut counter = |name: &str, help: &str, family: &Family<Label, Counter>| {
            registry.register(format!("mqtt_{name}"), help, family.clone());
        };
        counter("messages", "Messages received", &self.messages);
        counter("payload_bytes", "Payload bytes received", &self.bytes);
        counter("retained", "Messages that were retained by the broker", &self.retained);
        counter("duplicates", "Messages sent again that were on disk already", &self.duplicates);
        counter("unmapped", "Messages that lead to no known point", &self.unmapped);
        counter("undecodable", "Messages of which a point could not be read", &self.undecodable);
        counter("dropped", "QoS 0 messages dropped for want of room", &self.dropped);
        counter("connections", "Connections made to the broker", &self.connections);
        counter("acks", "Acknowledgements sent to the broker", &self.acks);
        counter("acks_stale", "Acknowledgements of an earlier connection, discarded", &self.acks_stale);
        counter("too_long", "Messages longer than message_max, not read", &self.too_long);
        counter(
            "sessions_lost",
            "Connections on which the broker had forgotten the session: what was sent meanwhile is lost",
            &self.sessions_lost,
        );
        counter(
            "silences",
            "Times the connected broker was silent for longer than silent_after",
            &self.silences,
        );
        let mut gauge = |name: &str, help: &str, family: &Family<Label, Gauge>| {
            registry.register(format!("mqtt_{name}"), help, family.clone());
        };
        gauge("connected", "1 while connected to the broker", &self.connected);
        gauge("in_flight", "Messages the broker waits for", &self.in_flight);
        gauge(
            "in_flight_max",
            "Most messages the broker waited for at once: its window, once it was full",
            &self.in_flight_max,
        );
        gauge("silent", "1 while the connected broker is silent for longer than silent_after", &self.silent);
        gauge("waiting", "Batches waiting for room in readings", &self.waiting);
    }

    /// The counters of one broker.
    pub fn of(&self, broker: &str) -> BrokerMetrics {
        let label = Label { broker: broker.to_owned() };
        BrokerMetrics {
            messages: self.messages.get_or_create_owned(&label),
            bytes: self.bytes.get_or_create_owned(&label),
            retained: self.retained.get_or_create_owned(&label),
            duplicates: self.duplicates.get_or_create_owned(&label),
            unmapped: self.unmapped.get_or_create_owned(&label),
            undecodable: self.undecodable.get_or_create_owned(&label),
            dropped: self.dropped.get_or_create_owned(&label),
            connections: self.connections.get_or_create_owned(&label),
            acks: self.acks.get_or_create_owned(&label),
            acks_stale: self.acks_stale.get_or_create_owned(&label),
            too_long: self.too_long.get_or_create_owned(&label),
            sessions_lost: self.sessions_lost.get_or_create_owned(&label),
            silences: self.silences.get_or_create_owned(&label),
            connected: self.connected.get_or_create_owned(&label),
            in_flight: self.in_flight.get_or_create_owned(&label),
            in_flight_max: self.in_flight_max.get_or_create_owned(&label),
            silent: self.silent.get_or_create_owned(&label),
            waiting: self.waiting.get_or_create_owned(&label),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_s_counters_appear_under_its_name() {
        let mut registry = Registry::default();
        let metrics = Metrics::default();
        metrics.register(&mut registry);
        metrics.of("wards").messages.inc_by(3);
        metrics.of("wards").in_flight.set(2);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        assert!(text.contains("mqtt_messages_total{broker=\"wards\"} 3"), "{text}");
        assert!(text.contains("mqtt_in_flight{broker=\"wards\"} 2"), "{text}");
    }
}
