//! What the handlers work with: handles to the stages, made by `runtime`.

use super::brokers::Brokers;
use super::buses::Buses;
use super::demo::Demo;
use super::live::Hub;
use super::metrics::Metrics;
use super::plant::{Plant, Plants};
use super::targets::Targets;
use crate::alarms::Alarms;
use crate::clock::{Clock, Now};
use crate::db::Db;
use crate::energy::Energy;
use crate::historian::{History, Texts};
use crate::readings::{self, Current, Inspector, Substitutions};
use crate::telemetry::{Health, Process, Recent, Registry};
use crate::work_orders::WorkOrders;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio_util::sync::CancellationToken;

/// Who works on what is outside.
pub struct Drivers {
    /// The buses and who drives them.
    pub buses: Buses,
    /// The brokers and who listens to them.
    pub brokers: Brokers,
    /// The targets and who forwards to them.
    pub targets: Targets,
}

/// What `runtime` hands in.
pub struct Handles {
    /// What there is.
    pub plant: Plants,
    /// Who works on what is outside.
    pub drivers: Drivers,
    /// What the making of readings counts.
    pub readings: readings::Metrics,
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
    demo: OnceLock<Arc<dyn Demo>>,
    started: Now,
    /// CPU time of the process, milliseconds.
    cpu: Mutex<Recent>,
}

impl AppState {
    /// Takes the handles in and registers the metrics of the web server.
    pub fn new(handles: Handles) -> AppState {
        let epoch = format!("{:016x}", RandomState::new().hash_one(0));
        let live = Hub::new(handles.db.clone());
        let metrics = Metrics::new(&handles.registry);
        let started = handles.clock.now();
        let mut cpu = Recent::default();
        if let Some(process) = Process::now() {
            cpu.look(started.mono.0, i64::try_from(process.cpu_ms).unwrap_or(i64::MAX));
        }
        AppState(Arc::new(Shared {
            epoch,
            requests: AtomicU64::new(0),
            live,
            metrics,
            demo: OnceLock::new(),
            started,
            cpu: Mutex::new(cpu),
            handles,
        }))
    }

    /// What there is now. A handler asks once, so that its answer is of one plan.
    pub fn plant(&self) -> Arc<Plant> {
        self.0.handles.plant.now()
    }

    /// The buses and who drives them.
    pub fn buses(&self) -> &Buses {
        &self.0.handles.drivers.buses
    }

    /// The brokers and who listens to them.
    pub fn brokers(&self) -> &Brokers {
        &self.0.handles.drivers.brokers
    }

    /// The targets and who forwards to them.
    pub fn targets(&self) -> &Targets {
        &self.0.handles.drivers.targets
    }

    /// What the making of readings counts.
    pub fn readings(&self) -> &readings::Metrics {
        &self.0.handles.readings
    }

    /// When the web server was made.
    pub fn started(&self) -> Now {
        self.0.started
    }

    /// Which part of one core the process took over the last minute, from its CPU time at a monotonic moment, both in
    /// milliseconds; if it was not asked for in that minute, since it last was. None in the first five seconds.
    pub fn cpu_share(&self, mono_ms: u64, cpu_ms: u64) -> Option<f64> {
        let mut recent = self.0.cpu.lock().unwrap_or_else(PoisonError::into_inner);
        let cpu_ms = i64::try_from(cpu_ms).unwrap_or(i64::MAX);
        let per_s = recent.per_1000_ms(mono_ms, cpu_ms);
        recent.look(mono_ms, cpu_ms);
        Some(per_s? / 1_000.0)
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

    /// What is watched is a simulated hospital. The first word on it counts.
    pub fn watches_demo(&self, demo: Arc<dyn Demo>) {
        self.0.demo.get_or_init(|| demo);
    }

    /// The simulated hospital, if this is one.
    pub fn demo(&self) -> Option<Arc<dyn Demo>> {
        self.0.demo.get().cloned()
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
