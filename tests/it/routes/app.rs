//! The web server over real stores, asked without a socket.

use super::plant::{declared, plan};
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use plantroom::api::{self, AppState, Brokers, Buses, Drivers, Handles, Plant, Plants, Targets};
use plantroom::clock::Clock;
use plantroom::config::{Plan, Point};
use plantroom::db::{Db, Migration, NewEvent};
use plantroom::field::FieldBatch;
use plantroom::historian::query::{self, Cut, Merge, Reckoning, Windows};
use plantroom::historian::{self, Historian, History, Reach, Texts};
use plantroom::point::{Batch, Catalogue, PointId, Quality, Reading, UtcMs, Value};
use plantroom::readings::{self, Current, Feed, HistorianFeed, substitute};
use plantroom::telemetry::{Health, Registry};
use plantroom::{alarms, energy, forward, work_orders};
use prometheus_client::metrics::counter::Counter;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// 2026-11-22 08:00 in Shanghai.
pub(super) const START: UtcMs = UtcMs(1_795_305_600_000);

/// A running plantroom without field and without socket. Virtual time stands still while stores
/// work (`start_paused`).
pub(super) struct TestApp {
    pub(super) state: AppState,
    pub(super) plants: Plants,
    pub(super) buses: Buses,
    pub(super) brokers: Brokers,
    pub(super) targets: Targets,
    pub(super) forwarded: forward::Metrics,
    pub(super) counted: readings::Metrics,
    pub(super) router: Router,
    pub(super) clock: Clock,
    pub(super) current: Current,
    pub(super) health: Health,
    pub(super) texts: Texts,
    pub(super) stop: CancellationToken,
    /// What the making of readings is asked; nobody answers before [`TestApp::make_readings`].
    questions: Option<mpsc::Receiver<readings::Question>>,
    history: History,
    catalogue: Catalogue,
    to_historian: mpsc::Sender<HistorianFeed>,
    to_alarms: mpsc::Sender<Feed>,
    by_hand: Option<mpsc::Receiver<substitute::Order>>,
    tasks: JoinSet<()>,
    _dir: tempfile::TempDir,
}

impl TestApp {
    pub(super) async fn start() -> TestApp {
        TestApp::start_with(plan()).await
    }

    pub(super) async fn start_with(plan: Plan) -> TestApp {
        let dir = tempfile::tempdir().unwrap();
        let (clock, stop) = (Clock::starting_at(START), CancellationToken::new());
        let mut tasks = JoinSet::new();
        let (db, _writer) = Db::open(&dir.path().join("plantroom.db"), &migrations()).unwrap();
        let (mut historian, history) = historian_in(&dir, &clock);
        let (catalogue, _) = historian.declare(&declared(&plan)).unwrap();
        let texts = historian.texts();
        let (to_historian, historian_feed) = mpsc::channel(16);
        tasks.spawn(historian.run(historian_feed, stop.clone()));

        let (by_persons, by_hand) = substitutions(&plan, &catalogue, &db, &clock, &texts).await;

        let (to_alarms, alarms_feed) = mpsc::channel(16);
        let (alarms, task) = watch(&plan, &catalogue, &db, &clock, alarms_feed).await;
        tasks.spawn(task.run(stop.clone()));

        run_orders_and_energy(&plan, &catalogue, &db, &clock, &history, &stop, &mut tasks).await;
        let ids: Vec<PointId> = catalogue.entries().map(|entry| entry.id).collect();
        let current = Current::new(&ids, clock.utc());
        let (inspector, questions) = readings::Inspector::new();
        let (health, buses, brokers) = (Health::default(), Buses::new(&plan), Brokers::new(&plan));
        let (forwarded, counted) = (forward::Metrics::default(), readings::Metrics::default());
        let targets = Targets::new(&plan, &forwarded);
        let plants = Plants::new(Plant::new(&plan, |address| catalogue.find(address)));
        let state = AppState::new(Handles {
            plant: plants.clone(),
            drivers: Drivers { buses: buses.clone(), brokers: brokers.clone(), targets: targets.clone() },
            readings: counted.clone(),
            current: current.clone(),
            inspector,
            history: history.clone(),
            texts: texts.clone(),
            substitutions: by_persons.handle(),
            alarms,
            work_orders: work_orders::WorkOrders::new(db.clone(), clock.clone()),
            energy: energy::Energy::new(&plan, db.clone(), clock.clone()).unwrap(),
            db,
            registry: Registry::new(),
            health: health.clone(),
            clock: clock.clone(),
            build: "b1".into(),
            listen: plan.http.listen,
            stop: stop.clone(),
        });
        tasks.spawn(by_persons.run(stop.clone()));
        TestApp {
            router: api::router(state.clone()),
            state,
            plants,
            buses,
            brokers,
            targets,
            forwarded,
            counted,
            clock,
            current,
            health,
            texts,
            stop,
            questions: Some(questions),
            history,
            catalogue,
            to_historian,
            to_alarms,
            by_hand: Some(by_hand),
            tasks,
            _dir: dir,
        }
    }

    /// The making of readings before a historian that takes one batch and no more: where the field's
    /// batches go in, the point's number, and the count of readings lost.
    pub(super) fn with_a_blocked_historian(
        &mut self,
        plan: &Plan,
        address: &str,
    ) -> (mpsc::Sender<FieldBatch>, PointId, Counter) {
        let (historian, blocked) = mpsc::channel(1);
        let outlets = readings::Outlets { alarms: self.to_alarms.clone(), historian };
        let task = self.making(&plan.points, outlets);
        let lost = task.metrics.lost.clone();
        let field = self.spawn_making(task, blocked);
        (field, self.catalogue.find(&address.parse().unwrap()).unwrap(), lost)
    }

    /// Starts the making of readings, which who asks how one came about needs, and values by hand.
    pub(super) fn make_readings(&mut self, points: &[Point]) -> mpsc::Sender<FieldBatch> {
        let (alarms, historian) = (self.to_alarms.clone(), self.to_historian.clone());
        let task = self.making(points, readings::Outlets { alarms, historian });
        self.spawn_making(task, ())
    }

    fn making(&mut self, points: &[Point], outlets: readings::Outlets) -> readings::Task {
        let (texts, words) = (self.texts.clone(), self.texts.clone());
        let settings = readings::Settings::from_plan(points, &self.catalogue);
        readings::Task {
            engine: readings::Engine::new(settings, self.clock.now()),
            current: self.current.clone(),
            derived: readings::Derived::new(&readings::derived::Settings::default(), self.clock.now()),
            by_hand: readings::ByHand { open: Vec::new(), orders: self.by_hand.take().unwrap() },
            texts: Box::new(move |word| texts.id(word)),
            words: Box::new(move |id| words.word(id)),
            clock: self.clock.clone(),
            metrics: self.counted.clone(),
            limits: readings::Limits::default(),
            outlets,
            changes: mpsc::channel(1).1,
            questions: self.questions.take().unwrap(),
        }
    }

    /// `kept` is held until the end.
    fn spawn_making<T: Send + 'static>(&mut self, task: readings::Task, kept: T) -> mpsc::Sender<FieldBatch> {
        let (field, taken) = mpsc::channel(16);
        let (stop, open) = (self.stop.clone(), field.clone());
        self.tasks.spawn(async move {
            task.run(taken, stop).await;
            drop((kept, open));
        });
        field
    }

    /// Another plan of the same points, as after a reload.
    pub(super) fn replan(&self, plan: &Plan) {
        self.plants.replace(Plant::new(plan, |address| self.catalogue.find(address)));
    }

    /// How many alarms of a rule are not over.
    pub(super) async fn alarms(&self, rule: &str) -> usize {
        let list = self.state.alarms().list(alarms::Filter::Open).await.unwrap();
        list.iter().filter(|alarm| alarm.rule == rule).count()
    }

    /// With the making of readings, which values by hand need; its devices say nothing.
    pub(super) fn with_readings(mut self) -> TestApp {
        let _field = self.make_readings(&[]);
        self
    }

    /// The same app with something mounted beside the API.
    pub(super) fn with_router(self, mount: impl FnOnce(Router) -> Router) -> TestApp {
        TestApp { router: mount(self.router), ..self }
    }

    /// A Good reading goes everywhere a reading goes; returns when it is on disk and all that
    /// follows from it has come to rest.
    pub(super) async fn read(&self, address: &str, value: Value, at: UtcMs) {
        self.read_with(address, Some(value), Quality::Good, at).await;
    }

    pub(super) async fn read_with(&self, address: &str, value: Option<Value>, quality: Quality, at: UtcMs) {
        let batch = self.sense(address, value, quality, at).await;
        let mut head = self.history.head();
        let before = *head.borrow_and_update();
        self.to_historian.send(HistorianFeed { batch, ack: None, lost_before: None }).await.unwrap();
        head.wait_for(|head| *head > before).await.unwrap();
        self.settle().await;
    }

    /// Does something that ends with a reading in the history, and returns when that is on disk.
    pub(super) async fn until_stored<T>(&self, act: impl Future<Output = T>) -> T {
        let mut head = self.history.head();
        let before = *head.borrow_and_update();
        let done = act.await;
        head.wait_for(|head| *head > before).await.unwrap();
        done
    }

    /// Many readings, straight to the historian in one batch; returns when they are on disk.
    pub(super) async fn record(
        &self,
        readings: impl IntoIterator<Item = (&str, UtcMs, Option<Value>, Quality)>,
    ) {
        // What was sent before may still be on its way.
        let mut head = self.history.head();
        while self.to_historian.capacity() < self.to_historian.max_capacity() {
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        let before = *head.borrow_and_update();
        self.send(readings).await;
        head.wait_for(|head| *head > before).await.unwrap();
    }

    /// As [`TestApp::record`], but does not wait.
    pub(super) async fn send(
        &self,
        readings: impl IntoIterator<Item = (&str, UtcMs, Option<Value>, Quality)>,
    ) {
        let reading = |(address, at, value, quality): (&str, UtcMs, Option<Value>, Quality)| Reading {
            point: self.catalogue.find(&address.parse().unwrap()).unwrap(),
            at,
            value,
            quality,
        };
        let readings = readings.into_iter().map(reading).collect();
        let (device, received_at) = ("test".into(), self.clock.utc());
        let batch = Arc::new(Batch { device, source_at: None, received_at, at_error_ms: 3, readings });
        self.to_historian.send(HistorianFeed { batch, ack: None, lost_before: None }).await.unwrap();
    }

    /// How many hours of a year these points have, and readings in them, asked of the history itself.
    pub(super) async fn hours_of_a_year(&self, addresses: &[String], year: UtcMs) -> (u64, u64) {
        let points = addresses.iter().map(|address| self.catalogue.find(&address.parse().unwrap()).unwrap());
        let cut = Cut::Clock { width_ms: 3_600_000, zone: jiff::tz::TimeZone::UTC };
        let windows = Windows::new(&cut, year, year.plus_ms(365 * 86_400_000), 100_000).unwrap();
        let reach = Reach::Since(windows.span());
        let answer = move |_: usize, stream: &mut Merge<'_>| {
            let mut hours = Vec::new();
            query::buckets(stream, windows.clone(), Reckoning::default(), |bucket| hours.push(*bucket))?;
            Ok(hours)
        };
        let mut answers = self.history.ask(points.collect(), reach, answer).await.unwrap();
        let (mut buckets, mut readings) = (0, 0);
        while let Some(hours) = answers.next().await {
            let hours = hours.unwrap();
            buckets += hours.len() as u64;
            readings += hours.iter().map(query::Bucket::readings).sum::<u64>();
        }
        (buckets, readings)
    }

    /// Only what is quick: the newest value and the alarms.
    pub(super) async fn sense(
        &self,
        address: &str,
        value: Option<Value>,
        quality: Quality,
        at: UtcMs,
    ) -> Arc<Batch> {
        let point = self.catalogue.find(&address.parse().unwrap()).unwrap();
        let batch = Arc::new(Batch {
            device: "test".into(),
            source_at: None,
            received_at: at.plus_ms(7),
            at_error_ms: 3,
            readings: vec![Reading { point, at, value, quality }],
        });
        self.current.apply(&batch);
        self.to_alarms.send(Feed::Readings(Arc::clone(&batch))).await.unwrap();
        batch
    }

    /// Until everything set going has come to rest.
    pub(super) async fn settle(&self) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    /// Appends to the event log.
    pub(super) async fn happen(&self, kind: &'static str, subject: String) -> i64 {
        let at = self.clock.utc();
        let body = serde_json::json!({"of": subject});
        let append =
            self.state.db().write(move |tx| tx.append(NewEvent { at, kind, subject: &subject, body })).await;
        append.unwrap()
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        let request = Request::get(path).header("host", "localhost:8080");
        self.ask(request.body(Body::empty()).unwrap()).await
    }

    pub(super) async fn post(&self, path: &str, body: serde_json::Value) -> Answer {
        let request = Request::post(path).header("host", "localhost:8080");
        let request = request.header("content-type", "application/json");
        self.ask(request.body(body.to_string().into()).unwrap()).await
    }

    pub(super) async fn delete(&self, path: &str) -> Answer {
        let request = Request::delete(path).header("host", "localhost:8080");
        self.ask(request.body(Body::empty()).unwrap()).await
    }

    pub(super) async fn ask(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        Answer { status: head.status, headers: head.headers, body }
    }
}

fn migrations() -> Vec<Migration> {
    [alarms::MIGRATIONS, work_orders::MIGRATIONS, energy::MIGRATIONS, substitute::MIGRATIONS].concat()
}

fn historian_in(dir: &tempfile::TempDir, clock: &Clock) -> (Historian, History) {
    let folder = dir.path().join("history");
    let opened = Historian::open(&folder, clock.clone(), historian::Metrics::default());
    opened.map(|opened| (opened.historian, opened.history)).unwrap()
}

async fn substitutions(
    plan: &Plan,
    catalogue: &Catalogue,
    db: &Db,
    clock: &Clock,
    texts: &Texts,
) -> (substitute::Task, mpsc::Receiver<substitute::Order>) {
    let (orders, by_hand) = mpsc::channel(1);
    let known =
        plan.points.iter().map(|point| (catalogue.find(&point.address).unwrap(), point.stale_after_ms));
    let texts = texts.clone();
    let texts: readings::TextIds = Box::new(move |word| texts.id(word));
    let built = substitute::Task::build(db.clone(), clock.clone(), texts, orders, &known.collect()).await;
    (built.unwrap().0, by_hand)
}

async fn watch(
    plan: &Plan,
    catalogue: &Catalogue,
    db: &Db,
    clock: &Clock,
    feed: mpsc::Receiver<Feed>,
) -> (alarms::Alarms, alarms::Task) {
    let rules = alarms::rules(plan, catalogue).unwrap();
    let (metrics, report) = (alarms::Metrics::default(), Box::new(|_| ()));
    let built = alarms::Task::build(rules, db.clone(), clock.clone(), feed, metrics, report).await;
    built.unwrap()
}

/// What is done with alarms, and with meters.
async fn run_orders_and_energy(
    plan: &Plan,
    catalogue: &Catalogue,
    db: &Db,
    clock: &Clock,
    history: &History,
    stop: &CancellationToken,
    tasks: &mut JoinSet<()>,
) {
    let orders = work_orders::Task::new(db.clone(), clock.clone(), work_orders::Metrics::default());
    tasks.spawn(orders.run(stop.clone()));

    let metrics = energy::Metrics::default();
    let meters = energy::Task::open(plan, catalogue, db.clone(), clock.clone(), metrics).await;
    tasks.spawn(meters.unwrap().run(history.clone(), stop.clone()));
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body of a success.
    #[track_caller]
    pub(super) fn json(&self) -> serde_json::Value {
        assert_eq!(self.status, 200, "{}", self.text());
        serde_json::from_slice(&self.body).unwrap()
    }

    /// A failure as `status code`, its envelope checked.
    #[track_caller]
    pub(super) fn failure(&self) -> String {
        assert!(self.status.is_client_error() || self.status.is_server_error(), "{self:?}");
        assert_eq!(self.headers["content-type"], "application/json");
        let envelope: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        let keys: Vec<_> = envelope.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["code", "hint", "message", "request_id"]);
        assert_eq!(envelope["request_id"], self.headers["x-request-id"].to_str().unwrap());
        assert!(envelope["message"].as_str().unwrap().ends_with('.'), "{envelope}");
        format!("{} {}", self.status.as_u16(), envelope["code"].as_str().unwrap())
    }

    /// `message` and `hint` of a failure in one line.
    #[track_caller]
    pub(super) fn words(&self) -> String {
        let envelope: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        format!("{} {}", envelope["message"].as_str().unwrap(), envelope["hint"].as_str().unwrap_or_default())
    }
}

/// A decimal value.
pub(super) fn decimal(text: &str) -> Value {
    Value::Decimal(text.parse().unwrap())
}
