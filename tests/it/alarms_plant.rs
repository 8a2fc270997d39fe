//! A plant for the tests of alarms and work orders: one register each on a few points, the two
//! stages over a real database, virtual time, and a process that can be killed and started again.
//!
//! Time stands still while the database works, so a sleep of a millisecond ends when everything
//! that was set going has come to rest: [`Running::settle`].

use plantroom::alarms::config::{GAP_QUIET_MS, Limit, Test};
use plantroom::alarms::{self, Alarms, Occurrence, Rule, Scope};
use plantroom::clock::Clock;
use plantroom::db::{Db, Event, KillPoints, Migration, events};
use plantroom::point::{Batch, Names, PointId, Quality, Reading, Reason, UtcMs, Value};
use plantroom::readings::Feed;
use plantroom::work_orders::{self, WorkOrder, WorkOrders};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// When every plant starts.
pub(crate) const START: UtcMs = UtcMs(1_763_700_000_000);

/// A rule on point `point` of the oxygen manifold: high at 10 with a deadband of 2.
pub(crate) fn high(point: u32, on_delay_ms: u64) -> Rule {
    let limit = Limit::high("10".parse().unwrap(), "2".parse().unwrap()).unwrap();
    Rule {
        id: format!("pressure-high-{point}"),
        asset: "manifold".into(),
        point: Some((PointId(point), format!("manifold/pressure-{point}").parse().unwrap())),
        test: Test::High(limit),
        on_delay_ms,
        priority: 3,
        failure_mode: "high-pressure".into(),
        unit: "kPa{gauge}".parse().unwrap(),
        message: Names { zh: "压力高".into(), en: "Pressure high".into() },
        response: Names { zh: "检查减压阀".into(), en: "Check the regulator".into() },
    }
}

/// The program's own rule, as a plan without rules has it.
pub(crate) fn gap() -> Rule {
    Rule {
        id: alarms::HISTORIAN_GAP.into(),
        asset: alarms::SYSTEM_ASSET.into(),
        point: None,
        test: Test::Gap,
        on_delay_ms: 0,
        priority: 1,
        failure_mode: "history-lost".into(),
        ..high(0, 0)
    }
}

/// How long a gap must be quiet.
pub(crate) const QUIET: Duration = Duration::from_millis(GAP_QUIET_MS);

/// What stays when the process goes: the disk and the time of day.
pub(crate) struct Plant {
    dir: tempfile::TempDir,
    clock: Mutex<Clock>,
    rules: Vec<Rule>,
}

impl Plant {
    pub(crate) fn new(rules: Vec<Rule>) -> Plant {
        let clock = Mutex::new(Clock::starting_at(START));
        Plant { dir: tempfile::tempdir().unwrap(), clock, rules }
    }

    /// The same disk under another configuration.
    pub(crate) fn with_rules(self, rules: Vec<Rule>) -> Plant {
        Plant { rules, ..self }
    }

    pub(crate) async fn start(&self) -> Running {
        self.start_with(KillPoints::none()).await
    }

    /// Starts the process. Its monotonic clock begins anew, as a real one's does.
    pub(crate) async fn start_with(&self, kill: KillPoints) -> Running {
        let clock = Clock::starting_at(self.clock.lock().unwrap().utc());
        *self.clock.lock().unwrap() = clock.clone();
        let migrations: Vec<Migration> =
            [alarms::MIGRATIONS, work_orders::MIGRATIONS].into_iter().flatten().copied().collect();
        let path = self.dir.path().join("plantroom.db");
        let (db, _writer) = Db::open_with(&path, &migrations, kill).unwrap();

        let (feed, fed) = mpsc::channel(16);
        let reports = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&reports);
        let report = Box::new(move |state| heard.lock().unwrap().push(state));
        let (alarms, task) = alarms::Task::build(
            self.rules.clone(),
            db.clone(),
            clock.clone(),
            fed,
            alarms::Metrics::default(),
            report,
        )
        .await
        .unwrap();
        let orders = WorkOrders::new(db.clone(), clock.clone());
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(task.run(stop.clone()));
        let metrics = work_orders::Metrics::default();
        tasks.spawn(work_orders::Task::new(db.clone(), clock.clone(), metrics).run(stop.clone()));
        Running { db, alarms, orders, feed, clock, reports, tasks, stop }
    }
}

/// A running process.
pub(crate) struct Running {
    pub(crate) db: Db,
    pub(crate) alarms: Alarms,
    pub(crate) orders: WorkOrders,
    pub(crate) feed: mpsc::Sender<Feed>,
    pub(crate) clock: Clock,
    /// What the alarms said of their journal.
    pub(crate) reports: Arc<Mutex<Vec<Result<(), String>>>>,
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl Running {
    /// Waits until everything has come to rest.
    pub(crate) async fn settle(&self) {
        self.pass(Duration::from_millis(1)).await;
    }

    pub(crate) async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// A reading of a point, and what follows from it.
    pub(crate) async fn read(&self, point: u32, text: &str) {
        self.feed(&[(point, text)]).await;
        self.settle().await;
    }

    /// Readings of one batch: numbers, `bad` or `stale`.
    pub(crate) async fn feed(&self, readings: &[(u32, &str)]) {
        let now = self.clock.utc();
        let readings = readings.iter().map(|(point, text)| {
            let (value, quality) = match *text {
                "bad" => (None, Quality::Bad(Reason::Timeout)),
                "stale" => (Some(Value::Decimal("99".parse().unwrap())), Quality::Uncertain(Reason::Stale)),
                number => (Some(Value::Decimal(number.parse().unwrap())), Quality::Good),
            };
            Reading { point: PointId(*point), at: now, value, quality }
        });
        let batch = Batch {
            device: "plc".into(),
            source_at: None,
            received_at: now,
            at_error_ms: 0,
            readings: readings.collect(),
        };
        // A killed process takes no more readings.
        self.feed.send(Feed::Readings(Arc::new(batch))).await.ok();
    }

    /// The alarms that are not over, as number and letter, the oldest first: `1B 2D`.
    pub(crate) async fn open(&self) -> String {
        letters(self.alarms.list(alarms::Filter::Open).await.unwrap())
    }

    /// All alarms, as [`Running::open`].
    pub(crate) async fn all(&self) -> String {
        letters(
            self.alarms.list(alarms::Filter::Newest { limit: 1_000, scope: Scope::default() }).await.unwrap(),
        )
    }

    /// All orders, the oldest first.
    pub(crate) async fn all_orders(&self) -> Vec<WorkOrder> {
        let mut all = self
            .orders
            .list(work_orders::Filter::Newest { limit: 1_000, scope: Scope::default() })
            .await
            .unwrap();
        all.reverse();
        all
    }

    /// The event log.
    pub(crate) async fn log(&self) -> Vec<Event> {
        self.db.read(|connection| events::after(connection, 0, 100_000)).await.unwrap()
    }

    /// The kinds of the event log, sorted, each with how often it stands there.
    pub(crate) async fn kinds(&self) -> Vec<(String, usize)> {
        let mut kinds = std::collections::BTreeMap::new();
        for event in self.log().await {
            *kinds.entry(event.kind).or_default() += 1;
        }
        kinds.into_iter().collect()
    }

    /// A number the database gives.
    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        self.db.read(move |connection| Ok(connection.query_row(sql, [], |row| row.get(0))?)).await.unwrap()
    }

    /// Ends in good order.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
    }

    /// Is killed: nothing is finished.
    pub(crate) async fn kill(mut self) {
        self.tasks.shutdown().await;
    }
}

fn letters(mut alarms: Vec<Occurrence>) -> String {
    alarms.reverse();
    let spelled = alarms.iter().map(|alarm| format!("{}{}", alarm.id, alarm.state.isa_letter()));
    spelled.collect::<Vec<_>>().join(" ")
}
