//! What the web server counts.

use crate::telemetry::Registry;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

/// A kind of request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Labels {
    /// Route, not address: a bounded set.
    pub route: String,
    /// HTTP status.
    pub status: u16,
}

/// Requests and live connections.
#[derive(Debug)]
pub struct Metrics {
    /// Requests answered.
    pub requests: Family<Labels, Counter>,
    /// Time to the answer's head, in seconds.
    pub duration: Histogram,
    /// Live connections, set when `/metrics` is read.
    pub live: Gauge,
}

impl Metrics {
    /// Registered.
    pub fn new(registry: &Registry) -> Metrics {
        let metrics = Metrics {
            requests: Family::default(),
            duration: Histogram::new([0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 30.0]),
            live: Gauge::default(),
        };
        registry.register(|r| {
            r.register("http_requests", "Requests answered, by route and status", metrics.requests.clone());
            r.register("http_request_seconds", "Time to the head of the answer", metrics.duration.clone());
            r.register("live_connections", "WebSocket and event-stream connections", metrics.live.clone());
        });
        metrics
    }
}
