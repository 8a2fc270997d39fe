//! What the handlers work with: handles to the stages, made by `runtime`.

use super::brokers::Brokers;
use super::buses::Buses;
use super::live::Hub;
use super::metrics::Metrics;
use super::plant::{Plant, Plants};
use crate::alarms::Alarms;
use crate::clock::Clock;
use crate::db::Db;
use crate::energy::Energy;
use crate::historian::{History, Texts};
use crate::readings::{Current, Inspector, Substitutions};
use crate::telemetry::{Health, Registry};
use crate::work_orders::WorkOrders;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio_util::sync::CancellationToken;

/// What `runtime` hands in.
pub struct Handles {
    /// What there is.
    pub plant: Plants,
    /// The buses and who drives them.
    pub buses: Buses,
    /// The brokers and who listens to them.
    pub brokers: Brokers,
    /// The newest values.
    pub current: Current,
    /// To ask how a reading came about.
    pub inspector: Inspector,
    /// The historian, to read.
    pub history: History,
    /// The texts of the historian's dictionary.
    pub texts: Texts,
    /// Values by hand.
    pub substitutions: Substitutions,
    /// The alarms.
    pub alarms: Alarms,
    /// The work orders.
    pub work_orders: WorkOrders,
    /// The meters.
    pub energy: Energy,
    /// The event log.
    pub db: Db,
    /// What `/metrics` tells.
    pub registry: Registry,
    /// What `/readyz` tells.
    pub health: Health,
    /// The time.
    pub clock: Clock,
    /// Names the build of the page.
    pub build: String,
    /// Where the server listens.
    pub listen: SocketAddr,
    /// Cancelled when plantroom stops: live connections end.
    pub stop: CancellationToken,
}

/// The state of the web server; clones share it.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

struct Shared {
    handles: Handles,
    epoch: String,
    requests: AtomicU64,
    live: Hub,
    metrics: Metrics,
}

impl AppState {
    /// Takes the handles in and registers the metrics of the web server.
    pub fn new(handles: Handles) -> AppState {
        let epoch = format!("{:016x}", RandomState::new().hash_one(0));
        let live = Hub::new(handles.db.clone());
        let metrics = Metrics::new(&handles.registry);
        AppState(Arc::new(Shared { handles, epoch, requests: AtomicU64::new(0), live, metrics }))
    }

    /// What there is now. A handler asks once, so that its answer is of one plan.
    pub fn plant(&self) -> Arc<Plant> {
        self.0.handles.plant.now()
    }

    /// The buses and who drives them.
    pub fn buses(&self) -> &Buses {
        &self.0.handles.buses
    }

    /// The brokers and who listens to them.
    pub fn brokers(&self) -> &Brokers {
        &self.0.handles.brokers
    }

    /// The newest values.
    pub fn current(&self) -> &Current {
        &self.0.handles.current
    }

    /// To ask how a reading came about.
    pub fn inspector(&self) -> &Inspector {
        &self.0.handles.inspector
    }

    /// The historian, to read.
    pub fn history(&self) -> &History {
        &self.0.handles.history
    }

    /// The texts.
    pub fn texts(&self) -> &Texts {
        &self.0.handles.texts
    }

    /// Values by hand.
    pub fn substitutions(&self) -> &Substitutions {
        &self.0.handles.substitutions
    }

    /// The alarms.
    pub fn alarms(&self) -> &Alarms {
        &self.0.handles.alarms
    }

    /// The work orders.
    pub fn work_orders(&self) -> &WorkOrders {
        &self.0.handles.work_orders
    }

    /// The meters.
    pub fn energy(&self) -> &Energy {
        &self.0.handles.energy
    }

    /// The event log.
    pub fn db(&self) -> &Db {
        &self.0.handles.db
    }

    /// What `/metrics` tells.
    pub fn registry(&self) -> &Registry {
        &self.0.handles.registry
    }

    /// What `/readyz` tells.
    pub fn health(&self) -> &Health {
        &self.0.handles.health
    }

    /// The time.
    pub fn clock(&self) -> &Clock {
        &self.0.handles.clock
    }

    /// Names the build of the page.
    pub fn build(&self) -> &str {
        &self.0.handles.build
    }

    /// Where the server listens.
    pub fn listen(&self) -> SocketAddr {
        self.0.handles.listen
    }

    /// Cancelled when plantroom stops.
    pub fn stop(&self) -> &CancellationToken {
        &self.0.handles.stop
    }

    /// Names this process, at random: a client that knows another has missed a restart.
    pub fn epoch(&self) -> &str {
        &self.0.epoch
    }

    /// The live connections.
    pub fn live(&self) -> &Hub {
        &self.0.live
    }

    /// What the web server counts.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// A name for a request that came without one.
    pub fn next_request_id(&self) -> String {
        let number = self.0.requests.fetch_add(1, Ordering::Relaxed);
        format!("{}-{number}", self.epoch())
    }
}
