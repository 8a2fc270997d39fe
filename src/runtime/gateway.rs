//! A gateway: built from a plan, then run until it is told to stop.
//!
//! [`Gateway::build`] opens the stores, binds the web socket and makes every stage, and spawns
//! nothing; what is wrong with the place (locked folder, broken file, port in use) is said there.
//! [`Gateway::run`] spawns.

use super::derived;
use super::history::{keep_ballast, retention, tell_shed};
use super::lines::Lines;
use super::local::LocalSocket;
use super::reload::{self, Reloader};
use super::supervisor::{Stage, Supervisor};
use crate::clock::Clock;
use crate::config::{self, Plan};
use crate::db::{Db, Writer};
use crate::field::{FieldBatch, modbus, mqtt};
use crate::historian::{DataDir, Historian, Importer, Opened, Room};
use crate::point::{Address, Catalogue, Name, PointId, Quality, Reading, Reason};
use crate::readings::{self, Current, Feed, HistorianFeed};
use crate::telemetry::{Health, Registry};
use crate::{alarms, api, energy, forward, historian, net, ui, work_orders};
use anyhow::Context;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Batches between the drivers and `readings`; full, a Modbus bus waits and MQTT stops
/// acknowledging.
const FIELD_QUEUE: usize = 256;
/// Feeds between `readings` and the alarms.
const ALARMS_QUEUE: usize = 1_024;
/// Batches between `readings` and the historian. Few: what the historian cannot take waits in
/// `readings`, where the time is counted after which a person is told.
const HISTORIAN_QUEUE: usize = 16;
/// Values by hand on their way to `readings`; one act is under way at a time.
const ORDERS_QUEUE: usize = 1;
/// Lessons about devices on their way to the database; beyond them they are learned again.
const MEMOS_QUEUE: usize = 256;
/// How long requests under way may take to end at a stop; live connections end at once.
const REQUESTS_GRACE: Duration = Duration::from_secs(3);

/// Everything built, nothing spawned.
pub struct Gateway {
    supervisor: Supervisor,
    clock: Clock,
    health: Health,
    stages: Stages,
    field: Field,
    forward: Forward,
    web: Web,
    reload: reload::Task,
    writer: Writer,
    // Held to the end: the lock of the data directory.
    _data: DataDir,
}

struct Stages {
    readings: Making,
    alarms: alarms::Task,
    energy: energy::Task,
    work_orders: work_orders::Task,
    historian: Historian,
    historian_in: mpsc::Receiver<HistorianFeed>,
    history: historian::History,
    shed: Shedding,
    room: Room,
    clock: Clock,
    memos: Memos,
}

/// The making of readings, where they come from, and the values by hand.
struct Making {
    task: readings::Task,
    field: mpsc::Receiver<FieldBatch>,
    by_hand: readings::substitute::Task,
}

/// The word that readings were given up, and who hears it.
struct Shedding {
    shed: watch::Receiver<Option<historian::Shed>>,
    alarms: mpsc::Sender<Feed>,
}

/// Where the buses leave what they learn of their devices.
struct Memos {
    db: Db,
    inbox: mpsc::Receiver<modbus::Memo>,
}

struct Field {
    out: mpsc::Sender<FieldBatch>,
    modbus: modbus::Metrics,
    /// What was known at the start of each device, by its id and unit.
    holes: BTreeMap<(Name, u8), modbus::Holes>,
    memos: mpsc::Sender<modbus::Memo>,
    mqtt: mqtt::Metrics,
    buses: api::Buses,
    brokers: api::Brokers,
}

struct Forward {
    parts: forward::Parts,
    targets: api::Targets,
    mapping: watch::Receiver<Arc<forward::Mapping>>,
}

struct Web {
    listener: TcpListener,
    address: SocketAddr,
    router: axum::Router,
    local: Option<Local>,
    state: api::AppState,
}

/// Who works on what is outside, for the API.
fn drivers(field: &Field, forward: &Forward) -> api::Drivers {
    let (buses, brokers) = (field.buses.clone(), field.brokers.clone());
    api::Drivers { buses, brokers, targets: forward.targets.clone() }
}

/// What the verbs of the command line speak to: the same, and what only they may do.
struct Local {
    socket: LocalSocket,
    listener: UnixListener,
    router: axum::Router,
}

impl Web {
    fn new(listener: TcpListener, address: SocketAddr, state: api::AppState) -> Web {
        let router = api::router(state.clone()).merge(api::shell(ui::router(), state.clone()));
        Web { listener, address, router, local: None, state }
    }

    /// Opens the socket in the data directory. Without it everything but those verbs works.
    fn listen_locally(mut self, data: &DataDir, importer: Importer) -> Web {
        match LocalSocket::listen(data) {
            Ok((socket, listener)) => {
                let router = self.router.clone().merge(api::local(self.state.clone(), importer));
                self.local = Some(Local { socket, listener, router });
            }
            Err(error) => {
                let socket = data.socket();
                tracing::warn!(socket = %socket.display(), %error, "Verbs cannot reach this process: its socket cannot be made (its path may have 100 bytes at most).");
            }
        }
        self
    }
}

/// The stores of a data directory, opened and in line with the plan.
struct Stores {
    historian: Historian,
    history: historian::History,
    catalogue: Catalogue,
    db: Db,
    writer: Writer,
}

impl Gateway {
    /// Opens, binds and makes; spawns nothing. Errors name the place and what to do.
    pub async fn build(plan: Plan, data: &Path, clock: Clock) -> anyhow::Result<Gateway> {
        let (registry, health) = (Registry::new(), Health::default());
        let supervisor = Supervisor::new(clock.clone(), health.clone());
        let dir = DataDir::open(data)?;
        let Stores { mut historian, history, catalogue, db, writer } =
            open_stores(&plan, &dir, &clock, &registry)?;

        let (field_out, readings_in) = mpsc::channel(FIELD_QUEUE);
        let (alarms_out, alarms_in) = mpsc::channel(ALARMS_QUEUE);
        let (historian_out, historian_in) = mpsc::channel(HISTORIAN_QUEUE);
        let outlets = readings::Outlets { alarms: alarms_out, historian: historian_out };
        let (given, by_hand) = values_by_hand(&plan, &catalogue, &historian, &db, &clock).await?;
        let (readings, change_points, inspector) =
            making_of_readings(&plan, &catalogue, &historian, &clock, &registry, outlets, given).await?;
        let (alarms, alarms_task) =
            watch_for_alarms(&plan, &catalogue, &db, &clock, &registry, &health, alarms_in).await?;
        let energy_task = count_energy(&plan, &catalogue, &db, &clock, &registry).await?;
        follow_on(&mut historian, &plan, &db, &energy_task).await?;
        let (mapping, forward) = forward_parts(&plan, &catalogue, &db, &history, &clock, &registry, &dir)?;
        let (field, memos) = field_parts(&plan, &db, &registry, field_out).await?;
        let (listener, address) = listen(plan.http.listen).await?;
        let plants = api::Plants::new(api::Plant::new(&plan, |address| catalogue.find(address)));
        let state = api::AppState::new(api::Handles {
            plant: plants.clone(),
            drivers: drivers(&field, &forward),
            readings: readings.metrics.clone(),
            current: readings.current.clone(),
            inspector,
            history: history.clone(),
            texts: historian.texts(),
            substitutions: by_hand.handle(),
            alarms,
            work_orders: work_orders::WorkOrders::new(db.clone(), clock.clone()),
            energy: energy::Energy::new(&plan, db.clone(), clock.clone())?,
            db: db.clone(),
            registry: registry.clone(),
            health: health.clone(),
            clock: clock.clone(),
            build: ui::build_hash().to_owned(),
            listen: address,
            stop: supervisor.stop_token(Stage::Http),
        });
        let importer = historian.importer(readings.outlets.historian.clone());
        let web = Web::new(listener, address, state).listen_locally(&dir, importer);
        let reload = reload::Task::new(reload::Held {
            lines: Lines::new(Arc::new(plan), Arc::new(catalogue)),
            clock: clock.clone(),
            declarer: historian.declarer(),
            history: history.clone(),
            readings: change_points,
            substitutions: by_hand.handle(),
            plants,
            buses: field.buses.clone(),
            mapping,
        });
        let stages = Stages {
            shed: Shedding { shed: historian.shed(), alarms: readings.outlets.alarms.clone() },
            readings: Making { task: readings, field: readings_in, by_hand },
            alarms: alarms_task,
            energy: energy_task,
            work_orders: work_orders_by(&db, &clock, &registry),
            historian,
            historian_in,
            history,
            room: Room::of(&dir),
            clock: clock.clone(),
            memos: Memos { db, inbox: memos },
        };
        Ok(Gateway { supervisor, health, reload, stages, field, forward, web, writer, clock, _data: dir })
    }

    /// Where the page is.
    pub fn url(&self) -> String {
        format!("http://{}/", self.web.address)
    }

    /// What it watches is a simulated hospital, which the API shows and whose faults it begins and ends.
    pub fn watches_demo(&self, demo: Arc<dyn api::Demo>) {
        self.web.state.watches_demo(demo);
    }

    /// To give it another configuration once it runs.
    pub fn reloader(&self) -> Reloader {
        self.reload.reloader()
    }

    /// To take readings from elsewhere in while it runs.
    pub fn importer(&self) -> Importer {
        let outlets = &self.stages.readings.task.outlets;
        self.stages.historian.importer(outlets.historian.clone())
    }

    /// Runs until `stop`, or until a stage fails; then brings everything down in order. `Err` if
    /// a stage failed.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let url = self.url();
        let Gateway { supervisor, clock, health, stages, field, forward, web, reload, writer, _data } = self;
        let wiring = Wiring { supervisor: &supervisor, clock, lines: reload.lines() };
        watch_health(&supervisor, &health, "historian", stages.historian.health());
        // Without a bus or a broker nobody else holds it, and `readings` would end for want of senders.
        let _field = field.out.clone();
        spawn_web(&supervisor, web);
        wiring.spawn_forward(&forward);
        spawn_stages(&supervisor, stages);
        wiring.spawn_field(field)?;
        supervisor.stage(Stage::Field, "reload", reload.run(supervisor.stop_token(Stage::Field)));
        drop(wiring);

        tracing::info!(url, "Serving.");
        let failed = supervisor.failed();
        tokio::select! {
            () = stop.cancelled() => {}
            () = failed.cancelled() => {}
        }
        tracing::info!("Stopping.");
        supervisor.shutdown().await;
        writer.close().await.context("closing the database")?;
        tracing::info!("Stopped.");
        anyhow::ensure!(!failed.is_cancelled(), "a stage failed; the log says which");
        Ok(())
    }
}

/// What the drivers are made of, again after each early end.
struct Wiring<'a> {
    supervisor: &'a Supervisor,
    clock: Clock,
    lines: Lines,
}

impl Wiring<'_> {
    /// One driver for each bus and broker. What cannot be built at all ends the start.
    fn spawn_field(&self, field: Field) -> anyhow::Result<()> {
        let field = Arc::new(field);
        let (plan, catalogue) = self.lines.now();
        for (index, bus) in plan.buses.iter().cloned().enumerate() {
            let (lines, clock, field) = (self.lines.clone(), self.clock.clone(), Arc::clone(&field));
            let (name, buses) = (format!("bus {}", bus.id), field.buses.clone());
            let make = move || {
                lines.build(index, &bus, |bus, catalogue| {
                    let id = |address: &Address| catalogue.find(address);
                    let memory = field.memory(bus);
                    modbus::Bus::build(bus, &id, memory, clock.clone(), field.out.clone(), &field.modbus)
                })
            };
            drop(make()?);
            self.drive(name, make, move |(bus, reachable), stop| {
                let followed = buses.follow(bus.status());
                async move {
                    bus.run(stop).await;
                    drop((followed, reachable));
                }
            });
        }
        let points = Arc::new(points_no_bus_feeds(&plan, &catalogue));
        for broker in plan.brokers.clone() {
            let (points, clock, field) = (Arc::clone(&points), self.clock.clone(), Arc::clone(&field));
            let (id, brokers) = (broker.id.clone(), field.brokers.clone());
            let name = format!("broker {id}");
            let make =
                move || mqtt::Source::build(&broker, &points, clock.clone(), field.out.clone(), &field.mqtt);
            make()?;
            self.drive(name, make, move |source, stop| {
                let heard = brokers.follow(&id, source.status());
                async move {
                    source.run(stop).await;
                    drop(heard);
                }
            });
        }
        Ok(())
    }

    fn drive<D, E, F>(
        &self,
        name: String,
        make: impl Fn() -> Result<D, E> + Send + 'static,
        run: impl Fn(D, CancellationToken) -> F + Send + 'static,
    ) where
        E: std::fmt::Display + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = self.supervisor.stop_token(Stage::Field);
        self.supervisor.driver(Stage::Field, name.clone(), move || {
            let made = make().map(|driver| run(driver, stop.clone()));
            let name = name.clone();
            async move {
                match made {
                    Ok(running) => running.await,
                    Err(error) => tracing::error!(task = name, %error, "A driver cannot be built."),
                }
            }
        });
    }

    /// One driver for each target; each begins where its cursor stands.
    fn spawn_forward(&self, forward: &Forward) {
        let stop = self.supervisor.stop_token(Stage::Forward);
        for target in self.lines.now().0.targets.clone() {
            let (mapping, parts, stop) = (forward.mapping.clone(), forward.parts.clone(), stop.clone());
            let targets = forward.targets.clone();
            let target = Arc::new(target);
            self.supervisor.driver(Stage::Forward, format!("target {}", target.id), move || {
                let (target, mapping) = (Arc::clone(&target), mapping.clone());
                let (parts, targets, stop) = (parts.clone(), targets.clone(), stop.clone());
                async move {
                    match forward::Task::open(&target, mapping, &parts).await {
                        Ok(task) => {
                            let lane = targets.follow(&target.id, task.status());
                            task.run(stop).await;
                            drop(lane);
                        }
                        Err(error) => {
                            tracing::error!(target = %target.id, %error, "A target cannot be opened.");
                        }
                    }
                }
            });
        }
    }
}

impl Field {
    /// What a bus begins with.
    fn memory(&self, bus: &config::Bus) -> modbus::Memory {
        let known = |device: &config::Device| self.holes.get(&(device.id.clone(), device.unit)).cloned();
        let holes = bus.devices.iter().map(|device| known(device).unwrap_or_default());
        modbus::Memory { holes: holes.collect(), memos: Some(self.memos.clone()) }
    }
}

/// What a message may speak for: a topic's captures come from outside, and must not be able to
/// stand in for a register or a formula.
fn points_no_bus_feeds(plan: &Plan, catalogue: &Catalogue) -> BTreeMap<Address, PointId> {
    let devices = plan.buses.iter().flat_map(|bus| &bus.devices);
    let mut fed: BTreeSet<&Address> =
        devices.flat_map(|device| &device.registers).map(|register| &register.point).collect();
    fed.extend(derived::addresses(plan));
    let declared = catalogue.entries().filter(|entry| entry.declared);
    let free = declared.filter(|entry| !fed.contains(&entry.address));
    free.map(|entry| (entry.address.clone(), entry.id)).collect()
}

fn spawn_stages(supervisor: &Supervisor, stages: Stages) {
    let stop = |stage| supervisor.stop_token(stage);
    let Stages {
        readings: Making { task: readings, field, by_hand },
        alarms,
        energy,
        work_orders,
        historian,
        historian_in,
        history,
        shed: Shedding { shed, alarms: alarms_out },
        room,
        clock,
        memos: Memos { db, inbox },
    } = stages;
    supervisor.stage(Stage::Http, "ballast", keep_ballast(room, clock, stop(Stage::Http)));
    supervisor.stage(Stage::Readings, "shed", tell_shed(shed, alarms_out, stop(Stage::Readings)));
    supervisor.stage(Stage::Engines, "modbus memory", modbus::keep(db, inbox, stop(Stage::Engines)));
    supervisor.stage(Stage::Historian, "historian", historian.run(historian_in, stop(Stage::Historian)));
    supervisor.stage(Stage::Engines, "alarms", alarms.run(stop(Stage::Engines)));
    supervisor.stage(Stage::Engines, "work orders", work_orders.run(stop(Stage::Engines)));
    supervisor.stage(Stage::Engines, "energy", energy.run(history, stop(Stage::Engines)));
    supervisor.stage(Stage::Readings, "values by hand", by_hand.run(stop(Stage::Readings)));
    supervisor.stage(Stage::Readings, "readings", readings.run(field, stop(Stage::Readings)));
}

fn spawn_web(supervisor: &Supervisor, web: Web) {
    let stop = supervisor.stop_token(Stage::Http);
    let Web { listener, router, local, state, .. } = web;
    if let Some(Local { socket, listener, router }) = local {
        let stop = stop.clone();
        supervisor.stage(Stage::Http, "local socket", async move {
            serve(listener, router, stop).await;
            drop(socket);
        });
    }
    supervisor.stage(Stage::Http, "http", async move {
        serve(listener, router, stop).await;
        // An upgraded socket is no request any more: axum does not wait for it.
        state.live().drained().await;
    });
}

/// Serves until `stop`, and then what is under way. A client that sent half a request and nothing
/// since would hold up the end for ever.
async fn serve<L>(listener: L, router: axum::Router, stop: CancellationToken)
where
    L: axum::serve::Listener,
    L::Addr: std::fmt::Debug,
{
    let served = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
    tokio::select! {
        served = served.into_future() => if let Err(error) = served {
            tracing::error!(%error, "The web server failed.");
        },
        () = async { stop.cancelled().await; tokio::time::sleep(REQUESTS_GRACE).await } => {
            tracing::warn!("Requests that did not come to their end are cut off.");
        }
    }
}

/// Carries a stage's own word on its health to `/readyz`.
fn watch_health(
    supervisor: &Supervisor,
    health: &Health,
    part: &'static str,
    mut state: watch::Receiver<Result<(), String>>,
) {
    let (health, stop) = (health.clone(), supervisor.stop_token(Stage::Http));
    supervisor.stage(Stage::Http, "health", async move {
        loop {
            health.set(part, state.borrow_and_update().clone());
            tokio::select! {
                () = stop.cancelled() => return,
                changed = state.changed() => if changed.is_err() {
                    stop.cancelled().await;
                    return;
                },
            }
        }
    });
}

fn open_stores(plan: &Plan, data: &DataDir, clock: &Clock, registry: &Registry) -> anyhow::Result<Stores> {
    let metrics = registered(registry, historian::Metrics::register);
    let limits = historian::Limits::within(plan.history.limit_bytes);
    let Opened { mut historian, history, repaired } =
        Historian::open_in(&data.history(), Room::of(data), clock.clone(), metrics, limits)?;
    for sentence in repaired {
        tracing::warn!(repaired = sentence, "The history was repaired.");
    }
    let (catalogue, changes) = historian.declare(&plan.declared())?;
    historian.retain(retention(plan, &catalogue));
    for change in &changes {
        tracing::debug!(?change, "The catalogue changed.");
    }
    if !changes.is_empty() {
        tracing::info!(
            changes = changes.len(),
            points = plan.points.len(),
            "The catalogue is in line with the configuration."
        );
    }
    let migrations = [
        alarms::MIGRATIONS,
        energy::MIGRATIONS,
        work_orders::MIGRATIONS,
        modbus::MIGRATIONS,
        readings::substitute::MIGRATIONS,
    ]
    .concat();
    let (db, writer) = Db::open(&data.database(), &migrations).with_context(|| {
        let file = data.database();
        format!(
            "the database {} cannot be opened; look at the rights and the free space of its folder, \
             restore the file from a backup if it is damaged",
            file.display()
        )
    })?;
    Ok(Stores { historian, history, catalogue, db, writer })
}

/// A log that is shorter than what was followed of it goes on behind the furthest follower.
async fn follow_on(
    historian: &mut Historian,
    plan: &Plan,
    db: &Db,
    energy: &energy::Task,
) -> anyhow::Result<()> {
    let mut furthest = energy.cursor();
    for target in &plan.targets {
        furthest = furthest.max(forward::Task::cursor(&target.id, db).await?);
    }
    if historian.number_behind(furthest) {
        tracing::error!(
            followed = furthest.0,
            "The history is shorter than what was counted and forwarded of it: it was lost or replaced. \
             Readings go on from here; to have the old ones, restore the history and plantroom.db \
             from one backup."
        );
    }
    Ok(())
}

/// What persons have put in the place of a device's values.
async fn values_by_hand(
    plan: &Plan,
    catalogue: &Catalogue,
    historian: &Historian,
    db: &Db,
    clock: &Clock,
) -> anyhow::Result<(readings::ByHand, readings::substitute::Task)> {
    let (orders_out, orders) = mpsc::channel(ORDERS_QUEUE);
    let texts = historian.texts();
    let known =
        plan.points.iter().filter_map(|point| Some((catalogue.find(&point.address)?, point.stale_after_ms)));
    let known: BTreeMap<PointId, u64> = known.collect();
    let texts: readings::TextIds = Box::new(move |word| texts.id(word));
    let built = readings::substitute::Task::build(db.clone(), clock.clone(), texts, orders_out, &known);
    let (task, open) = built.await.context("the values that were put in by hand")?;
    Ok((readings::ByHand { open, orders }, task))
}

async fn making_of_readings(
    plan: &Plan,
    catalogue: &Catalogue,
    historian: &Historian,
    clock: &Clock,
    registry: &Registry,
    outlets: readings::Outlets,
    by_hand: readings::ByHand,
) -> anyhow::Result<(readings::Task, mpsc::Sender<readings::Change>, readings::Inspector)> {
    let settings = readings::Settings::from_plan(&derived::not_derived(plan), catalogue);
    let formulas = readings::derived::Settings::from_plan(plan, catalogue);
    let points: Vec<PointId> =
        settings.points.iter().map(|point| point.id).chain(formulas.points()).collect();
    let metrics = registered(registry, readings::Metrics::register);
    let (texts, words) = (historian.texts(), historian.texts());
    let history = historian.history();
    let last = history.last(&points).await?.into_iter().flatten();
    // What a person put in says nothing of what the device said last.
    let by_device = |reading: &Reading| reading.quality != Quality::Uncertain(Reason::Substituted);
    let last: Vec<Reading> = last.filter(by_device).collect();
    let now = clock.now();
    let current = Current::new(&points, now.utc);
    current.remember(last.iter().copied());
    let words: readings::TextWords = Box::new(move |id| words.word(id));
    let mut derived = readings::Derived::new(&formulas, now);
    let windows = derived::past(&history, &formulas, &readings::derived::Settings::default(), now.utc).await;
    derived.remember(last.iter().copied(), windows, now.utc, &words);
    let mut engine = readings::Engine::new(settings, now);
    engine.remember(last);
    let (change, changes) = mpsc::channel(1);
    let (inspector, questions) = readings::Inspector::new();
    let task = readings::Task {
        engine,
        current,
        derived,
        by_hand,
        texts: Box::new(move |word| texts.id(word)),
        words,
        clock: clock.clone(),
        metrics,
        limits: readings::Limits::default(),
        outlets,
        changes,
        questions,
    };
    Ok((task, change, inspector))
}

/// A stage's counters, shown on the registry.
fn registered<M: Default>(
    registry: &Registry,
    register: impl FnOnce(&M, &mut prometheus_client::registry::Registry),
) -> M {
    let metrics = M::default();
    registry.register(|registry| register(&metrics, registry));
    metrics
}

async fn watch_for_alarms(
    plan: &Plan,
    catalogue: &Catalogue,
    db: &Db,
    clock: &Clock,
    registry: &Registry,
    health: &Health,
    feed: mpsc::Receiver<Feed>,
) -> anyhow::Result<(alarms::Alarms, alarms::Task)> {
    let rules = alarms::rules(plan, catalogue)?;
    let metrics = registered(registry, alarms::Metrics::register);
    health.set("alarms", Ok(()));
    let told = health.clone();
    let report = Box::new(move |state| told.set("alarms", state));
    Ok(alarms::Task::build(rules, db.clone(), clock.clone(), feed, metrics, report).await?)
}

fn work_orders_by(db: &Db, clock: &Clock, registry: &Registry) -> work_orders::Task {
    let metrics = registered(registry, work_orders::Metrics::register);
    work_orders::Task::new(db.clone(), clock.clone(), metrics)
}

async fn count_energy(
    plan: &Plan,
    catalogue: &Catalogue,
    db: &Db,
    clock: &Clock,
    registry: &Registry,
) -> anyhow::Result<energy::Task> {
    let metrics = registered(registry, energy::Metrics::register);
    Ok(energy::Task::open(plan, catalogue, db.clone(), clock.clone(), metrics).await?)
}

async fn listen(address: SocketAddr) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!(
            "cannot listen on {address}; if another program holds the port, choose another: \
             [http] listen in the configuration, --listen of the demo"
        )
    })?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

async fn field_parts(
    plan: &Plan,
    db: &Db,
    registry: &Registry,
    out: mpsc::Sender<FieldBatch>,
) -> anyhow::Result<(Field, mpsc::Receiver<modbus::Memo>)> {
    let mut holes = BTreeMap::new();
    for bus in &plan.buses {
        let known = modbus::load(db, bus).await.context("what the devices refuse")?;
        let devices = bus.devices.iter().map(|device| (device.id.clone(), device.unit));
        holes.extend(devices.zip(known));
    }
    let (memos, inbox) = mpsc::channel(MEMOS_QUEUE);
    let field = Field {
        out,
        modbus: registered(registry, modbus::Metrics::register),
        holes,
        memos,
        mqtt: registered(registry, mqtt::Metrics::register),
        buses: api::Buses::new(plan),
        brokers: api::Brokers::new(plan),
    };
    Ok((field, inbox))
}

fn forward_parts(
    plan: &Plan,
    catalogue: &Catalogue,
    db: &Db,
    history: &historian::History,
    clock: &Clock,
    registry: &Registry,
    data: &DataDir,
) -> anyhow::Result<(watch::Sender<Arc<forward::Mapping>>, Forward)> {
    let parts = forward::Parts {
        db: db.clone(),
        history: history.clone(),
        client: net::http_client(net::HttpTimeouts::default())?,
        clock: clock.clone(),
        metrics: registered(registry, forward::Metrics::register),
        files: data.files(),
    };
    let (write, mapping) = watch::channel(Arc::new(forward::Mapping::new(plan, catalogue)?));
    let targets = api::Targets::new(plan, &parts.metrics);
    Ok((write, Forward { parts, targets, mapping }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    #[tokio::test(start_paused = true)]
    async fn half_a_request_does_not_hold_up_the_stop() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let client = async {
            let mut socket = TcpStream::connect(address).await.unwrap();
            socket.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\nGET / HT").await.unwrap();
            // The first is answered, so the server has the half of the second as well.
            assert!(socket.read(&mut [0; 512]).await.unwrap() > 0);
            stop.cancel();
            socket
        };
        let both = async { tokio::join!(serve(listener, axum::Router::new(), stop.clone()), client) };
        let ended = tokio::time::timeout(Duration::from_secs(10), both).await;
        assert!(ended.is_ok(), "still waiting");
    }
}
