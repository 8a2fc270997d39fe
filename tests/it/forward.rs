//! Forwarding from outside: a real history, a real client, and an engine that answers as told.

use crate::lane::{Memory, plan};
use crate::minutes::{MIDNIGHT, reading};
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri};
use plantroom::clock::Clock;
use plantroom::config::{Login, Plan, Secret};
use plantroom::db::{Db, KillPoints};
use plantroom::forward::{Mapping, Metrics, Parts, Status, Task};
use plantroom::net::{HttpTimeouts, http_client};
use plantroom::point::{Quality, Reading, Reason};
use std::collections::{BTreeMap, VecDeque};
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What an engine was sent.
#[derive(Debug)]
struct Request {
    query: String,
    authorization: Option<String>,
    lines: Vec<String>,
    /// Virtual milliseconds since the start of the scene.
    at_ms: u64,
}

#[derive(Clone)]
struct Answer(u16, Option<&'static str>, String);

fn answer(status: u16, body: &str) -> Answer {
    Answer(status, None, body.to_owned())
}

/// A fake engine: says what is scripted, then 204 for ever.
struct Engine {
    url: String,
    requests: mpsc::Receiver<Request>,
    script: Arc<Mutex<VecDeque<Answer>>>,
    _serving: JoinSet<()>,
}

impl Engine {
    async fn start(clock: &Clock, script: impl IntoIterator<Item = Answer>) -> Engine {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/write?db=plant", listener.local_addr().unwrap());
        let script = Arc::new(Mutex::new(script.into_iter().collect::<VecDeque<_>>()));
        let (seen, requests) = mpsc::channel(1_000);
        let (clock, answers) = (clock.clone(), Arc::clone(&script));
        let handler = async move |uri: Uri, headers: HeaderMap, body: Bytes| {
            let mut text = String::new();
            flate2::read::GzDecoder::new(&*body).read_to_string(&mut text).unwrap();
            assert_eq!(headers["content-encoding"], "gzip");
            let authorization = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
            let query = uri.query().unwrap_or_default().to_owned();
            let lines = text.lines().map(str::to_owned).collect();
            seen.send(Request { query, authorization, lines, at_ms: clock.mono().0 }).await.unwrap();
            let Answer(status, retry_after, body) =
                answers.lock().unwrap().pop_front().unwrap_or(answer(204, ""));
            let mut headers = HeaderMap::new();
            headers
                .extend(retry_after.map(|value| (axum::http::header::RETRY_AFTER, value.parse().unwrap())));
            (StatusCode::from_u16(status).unwrap(), headers, body)
        };
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await.unwrap() });
        Engine { url, requests, script, _serving: serving }
    }

    async fn next(&mut self) -> Request {
        self.requests.recv().await.unwrap()
    }
}

/// Lets a scene play while virtual time passes and real sockets get their turn. Tokio must not
/// advance time by itself here: it would, whenever everyone waits for a socket.
async fn play<T>(scene: impl Future<Output = T>) -> T {
    let (end, held) = std::sync::mpsc::sync_channel::<()>(0);
    let holding = tokio::task::spawn_blocking(move || held.recv().is_err());
    let passing = async {
        loop {
            tokio::time::advance(Duration::from_millis(20)).await;
            tokio::task::spawn_blocking(std::thread::yield_now).await.unwrap();
        }
    };
    let played = tokio::select! {
        played = scene => played,
        () = passing => unreachable!("time does not end"),
    };
    drop(end);
    holding.await.unwrap();
    played
}

struct Lane {
    task: Task,
    metrics: Metrics,
    db: Db,
}

async fn lane(dir: &Path, plan: &Plan, memory: &Memory, clock: &Clock, kill: KillPoints) -> Lane {
    let (db, _writer) = Db::open_with(&dir.join("plantroom.db"), &[], kill).unwrap();
    // In a scene an hour may pass while a request is under way.
    let day = Duration::from_hours(24);
    let metrics = Metrics::default();
    let parts = Parts {
        db: db.clone(),
        history: memory.history.clone(),
        client: http_client(HttpTimeouts { connect: day, total: day }).unwrap(),
        clock: clock.clone(),
        metrics: metrics.clone(),
        files: dir.join("files"),
    };
    let mapping = Arc::new(Mapping::new(plan, &memory.catalogue).unwrap());
    let (_, mapping) = tokio::sync::watch::channel(mapping);
    let task = Task::open(&plan.targets[0], mapping, &parts).await.unwrap();
    Lane { task, metrics, db }
}

/// Lines as they are expected: `counts` at a minute of the day.
fn line(minute: i64, counts: i64) -> String {
    let value = format!("{}.{:02}", counts / 100, counts % 100);
    let at = MIDNIGHT.plus_ms(minute * 60_000).0;
    format!("Electrical_Meter,asset=main-meter,building=tower,site=demo energy={value} {at}")
}

fn lines(minutes: std::ops::Range<i64>) -> Vec<String> {
    minutes.map(|minute| line(minute, minute)).collect()
}

async fn cursor(db: &Db) -> i64 {
    db.read(|connection| plantroom::db::cursors::get(connection, "forward:engine:live")).await.unwrap()
}

/// Plays a scene: the minutes are in the history, the engine answers as scripted, the lane runs
/// until `until` says that enough was seen. Gives all requests and the lane's directory.
struct Scene {
    dir: tempfile::TempDir,
    requests: Vec<Request>,
    cursor: i64,
    metrics: Metrics,
    statuses: Vec<Status>,
}

async fn scene(
    minutes: i64,
    script: Vec<Answer>,
    change: impl FnOnce(&mut Plan),
    until: impl Fn(&[Request]) -> bool,
) -> Scene {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::starting_at(MIDNIGHT.plus_ms(minutes * 60_000));
    let mut engine = Engine::start(&clock, script).await;
    let mut plan = plan(&engine.url);
    change(&mut plan);
    let memory = Memory::open(dir.path(), &plan, &clock);
    memory.keep((0..minutes).map(|minute| reading(minute, minute)).collect()).await;
    let lane = lane(dir.path(), &plan, &memory, &clock, KillPoints::none()).await;
    let (db, metrics, mut status) = (lane.db.clone(), lane.metrics, lane.task.status());
    let watched = metrics.of("engine");
    let stop = CancellationToken::new();
    let mut requests = Vec::new();
    let mut statuses = Vec::new();
    let watching = async {
        while !until(&requests) {
            tokio::select! {
                request = engine.next() => requests.push(request),
                changed = status.changed() => {
                    changed.unwrap();
                    statuses.push(status.borrow_and_update().clone());
                }
            }
        }
        // Until the answer of the last request has moved the cursor, and the lane has seen it.
        while cursor(&db).await == 0 || watched.lag_records.get() > 0 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };
    play(async { tokio::join!(lane.task.run(stop.clone()), watching) }).await;
    let cursor = cursor(&db).await;
    statuses.push(status.borrow().clone());
    memory.close().await;
    Scene { dir, requests, cursor, metrics, statuses }
}

fn sent(requests: &[Request]) -> Vec<Vec<String>> {
    requests.iter().map(|request| request.lines.clone()).collect()
}

fn count(requests: &[Request]) -> usize {
    requests.len()
}

fn dead(dir: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(dir.join("files/dead-letter-engine.jsonl")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn lines_go_out_with_their_time_and_the_login_of_the_target() {
    let scene = scene(
        3,
        vec![],
        |plan| plan.targets[0].token = Some(Secret::new("s3cret".into())),
        |requests| count(requests) == 1,
    );
    let scene = scene.await;
    assert_eq!(sent(&scene.requests), [lines(0..3)]);
    assert_eq!(scene.requests[0].query, "db=plant&precision=ms");
    assert_eq!(scene.requests[0].authorization.as_deref(), Some("Token s3cret"));
    assert_eq!(scene.cursor, 1);
    let metrics = scene.metrics.of("engine");
    assert_eq!((metrics.lines_sent.get(), metrics.requests.get(), metrics.retries.get()), (3, 1, 0));
    assert_eq!((metrics.lag_records.get(), metrics.lag_seconds.get()), (0, 0));
    assert!(metrics.last_success_seconds.get() >= MIDNIGHT.0 / 1_000);
}

#[tokio::test(start_paused = true)]
async fn a_login_of_influxdb_1_is_basic() {
    let login = Login { username: "plant".into(), password: Secret::new("room".into()) };
    let scene = scene(1, vec![], |plan| plan.targets[0].login = Some(login), |requests| count(requests) == 1);
    // base64 of plant:room
    assert_eq!(scene.await.requests[0].authorization.as_deref(), Some("Basic cGxhbnQ6cm9vbQ=="));
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_is_busy_is_asked_again_when_it_says() {
    let script = vec![
        Answer(503, Some("7"), String::new()),
        Answer(429, Some("Sat, 21 Nov 2026 16:01:30 GMT"), String::new()),
        answer(500, "engine: out of memory"),
        answer(502, ""),
        answer(204, ""),
    ];
    let scene = scene(1, script, |_| {}, |requests| count(requests) == 5).await;
    assert_eq!(sent(&scene.requests), vec![lines(0..1); 5]);
    let at: Vec<_> = scene.requests.iter().map(|request| request.at_ms).collect();
    assert!((7_000..7_500).contains(&(at[1] - at[0])), "{at:?}");
    // The date is 30 s after the clock's start at 16:01.
    assert!((30_000..30_500).contains(&at[2]), "{at:?}");
    // By backoff: at most 0.5 and 1 s for the third and fourth failure's draws.
    assert!(at[4] - at[2] < 5_000, "{at:?}");
    assert!(matches!(&scene.statuses[0], Status::Waiting(reason) if reason.starts_with("503")));
    assert_eq!(scene.statuses.last(), Some(&Status::Well));
    assert_eq!(scene.metrics.of("engine").retries.get(), 4);
}

/// A wrong token must not cost a reading: the lane holds, says so, and goes on once it is mended.
#[tokio::test(start_paused = true)]
async fn a_refused_login_holds_and_drops_nothing() {
    for status in [401, 403, 404] {
        let script = vec![answer(status, "{\"error\":\"database not found: \\\"plant\\\"\"}"); 12];
        let scene = scene(2, script, |_| {}, |requests| count(requests) == 13).await;
        assert_eq!(sent(&scene.requests), vec![lines(0..2); 13]);
        let gaps: Vec<_> = scene.requests.windows(2).map(|two| two[1].at_ms - two[0].at_ms).collect();
        assert!(gaps.iter().all(|gap| *gap <= 60_100), "{gaps:?}");
        assert!(matches!(&scene.statuses[0], Status::Held(reason) if reason.contains("database not found")));
        assert_eq!(scene.statuses.last(), Some(&Status::Well));
        assert!(dead(scene.dir.path()).is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn too_much_at_once_is_halved() {
    let script = vec![answer(413, "too large"), answer(413, "too large"), answer(204, "")];
    let scene = scene(8, script, |_| {}, |requests| count(requests) == 5).await;
    let expected = [lines(0..8), lines(0..4), lines(0..2), lines(2..4), lines(4..8)];
    assert_eq!(sent(&scene.requests), expected);
}

/// One line that an engine will never take: its neighbours arrive, it is kept with the reason,
/// and the lane goes on.
#[tokio::test(start_paused = true)]
async fn a_rejected_line_does_not_hold_up_its_neighbours() {
    let conflict = r#"{"error":"partial write: field type conflict: input field \"energy\" dropped=1"}"#;
    // Line 2 of 4 is the bad one: the whole, its half, then the line itself.
    let script = vec![
        answer(400, conflict),
        answer(204, ""),
        answer(400, conflict),
        answer(400, conflict),
        answer(204, ""),
    ];
    let scene = scene(4, script, |_| {}, |requests| count(requests) == 5).await;
    let expected = [lines(0..4), lines(0..2), lines(2..4), lines(2..3), lines(3..4)];
    assert_eq!(sent(&scene.requests), expected);
    let dead = dead(scene.dir.path());
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0]["line"], line(2, 2));
    assert_eq!(dead[0]["reason"], format!("400 {conflict}"));
    let metrics = scene.metrics.of("engine");
    assert_eq!((metrics.lines_sent.get(), metrics.lines_rejected.get(), scene.cursor), (3, 1, 1));
    assert_eq!(scene.statuses, [Status::Well]);
}

#[tokio::test(start_paused = true)]
async fn influxdb_3_names_its_lines() {
    let body = r#"{"error":"partial write of line protocol occurred","data":[{"original_line":"","line_number":2,"error_message":"no"}]}"#;
    let scene = scene(3, vec![answer(400, body)], |_| {}, |requests| count(requests) == 1).await;
    assert_eq!(sent(&scene.requests), [lines(0..3)]);
    assert_eq!(dead(scene.dir.path())[0]["line"], line(1, 1));
}

#[tokio::test(start_paused = true)]
async fn quality_goes_beside_the_value_and_alone_where_there_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::starting_at(MIDNIGHT);
    let mut engine = Engine::start(&clock, []).await;
    let plan = plan(&engine.url);
    let memory = Memory::open(dir.path(), &plan, &clock);
    let stale = Reading { quality: Quality::Uncertain(Reason::Stale), ..reading(1, 7) };
    let bad = Reading { value: None, quality: Quality::Bad(Reason::Timeout), ..reading(2, 0) };
    memory.keep(vec![stale, bad]).await;
    let lane = lane(dir.path(), &plan, &memory, &clock, KillPoints::none()).await;
    let stop = CancellationToken::new();
    let watching = async {
        let request = engine.next().await;
        stop.cancel();
        request.lines
    };
    let (lines, ()) = play(async { tokio::join!(watching, lane.task.run(stop.clone())) }).await;
    let head = "Electrical_Meter,asset=main-meter,building=tower,site=demo";
    let (first, second) = (MIDNIGHT.0 + 60_000, MIDNIGHT.0 + 120_000);
    assert_eq!(
        lines,
        [
            format!("{head} energy=0.07,energy_quality=\"uncertain:stale\" {first}"),
            format!("{head} energy_quality=\"bad:timeout\" {second}"),
        ]
    );
    memory.close().await;
}

/// While a backlog lasts it goes out in requests of the target's size, one after the other; then
/// what comes in is gathered for a second.
#[tokio::test(start_paused = true)]
async fn a_backlog_goes_at_once_and_what_comes_later_once_a_second() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::starting_at(MIDNIGHT);
    let mut engine = Engine::start(&clock, []).await;
    let mut plan = plan(&engine.url);
    plan.targets[0].batch_lines_max = 10;
    let memory = Memory::open(dir.path(), &plan, &clock);
    for minute in 0..25 {
        memory.keep(vec![reading(minute, minute)]).await;
    }
    // One record of more lines than a request may have.
    memory.keep((25..48).map(|minute| reading(minute, minute)).collect()).await;
    let lane = lane(dir.path(), &plan, &memory, &clock, KillPoints::none()).await;
    let stop = CancellationToken::new();
    let watching = async {
        // All of it is in the history.
        let mut head = memory.history.head();
        head.wait_for(|head| head.0 == 26).await.unwrap();
        let mut backlog = Vec::new();
        while backlog.iter().map(|request: &Request| request.lines.len()).sum::<usize>() < 48 {
            backlog.push(engine.next().await);
        }
        let mut later = Vec::new();
        for minute in 48..60 {
            memory.keep(vec![reading(minute, minute)]).await;
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        while later.iter().map(|request: &Request| request.lines.len()).sum::<usize>() < 12 {
            later.push(engine.next().await);
        }
        stop.cancel();
        (backlog, later)
    };
    let status = lane.task.status();
    let waiting = lane.task.run(stop.clone());
    let ((backlog, later), ()) = play(async { tokio::join!(watching, waiting) }).await;
    let all: Vec<_> = sent(&backlog).into_iter().flatten().collect();
    assert_eq!(all, lines(0..48));
    assert!(backlog.iter().all(|request| request.lines.len() <= 10));
    // The first pass may meet a history that is still being written; the rest follow at once.
    assert!(backlog.len() <= 7, "{:?}", sent(&backlog));
    let all: Vec<_> = sent(&later).into_iter().flatten().collect();
    assert_eq!(all, lines(48..60));
    assert!(later.len() <= 4, "{} requests in 3 s", later.len());
    assert_eq!(*status.borrow(), Status::Well);
    memory.close().await;
}

/// Killed at every step of the commit that follows a delivery: after the restart every line has
/// arrived, and one that arrived twice did so with the same time and value.
#[tokio::test(start_paused = true)]
async fn killed_between_sending_and_the_cursor_it_delivers_at_least_once() {
    for die_at in 1..=9 {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::starting_at(MIDNIGHT);
        let mut engine = Engine::start(&clock, []).await;
        let mut plan = plan(&engine.url);
        plan.targets[0].batch_lines_max = 2;
        let memory = Memory::open(dir.path(), &plan, &clock);
        for minute in 0..6 {
            memory.keep(vec![reading(minute, minute)]).await;
        }
        let mut arrived: BTreeMap<String, usize> = BTreeMap::new();
        let mut head = memory.history.head();
        play(head.wait_for(|head| head.0 == 6)).await.unwrap();
        for kill in [KillPoints::at(die_at), KillPoints::none()] {
            let lane = lane(dir.path(), &plan, &memory, &clock, kill.clone()).await;
            let stop = CancellationToken::new();
            let (db, done) = (lane.db.clone(), stop.clone());
            let watching = async {
                // Until it is dead, or all is delivered.
                while kill.steps() < die_at && cursor(&db).await < 6 {
                    tokio::task::yield_now().await;
                }
                done.cancel();
            };
            play(async { tokio::join!(lane.task.run(stop), watching) }).await;
            while let Ok(request) = engine.requests.try_recv() {
                for line in request.lines {
                    *arrived.entry(line).or_default() += 1;
                }
            }
        }
        let expected: Vec<_> = lines(0..6);
        assert_eq!(arrived.keys().cloned().collect::<Vec<_>>(), expected, "died at step {die_at}");
        let twice = arrived.values().filter(|times| **times > 1).count();
        // After the commit nothing is sent again; before it one parcel is.
        assert_eq!(twice, if die_at % 3 == 0 { 0 } else { 2 }, "died at step {die_at}: {arrived:?}");
        assert!(engine.script.lock().unwrap().is_empty());
        memory.close().await;
    }
}

/// Nobody listens: the lane waits, the readings stay where they are, and arrive when the engine
/// is back.
#[tokio::test(start_paused = true)]
async fn an_engine_that_is_away_costs_nothing_but_time() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::starting_at(MIDNIGHT);
    let reserved = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = reserved.local_addr().unwrap();
    let plan = plan(&format!("http://user:pass@{address}/write?db=plant&p=s3cret"));
    drop(reserved);
    let memory = Memory::open(dir.path(), &plan, &clock);
    memory.keep(vec![reading(0, 0)]).await;
    let lane = lane(dir.path(), &plan, &memory, &clock, KillPoints::none()).await;
    let (metrics, mut status) = (lane.metrics.of("engine"), lane.task.status());
    let stop = CancellationToken::new();
    let watching = async {
        status.wait_for(|status| matches!(status, Status::Waiting(_))).await.unwrap();
        while metrics.retries.get() < 8 {
            tokio::task::yield_now().await;
        }
        let Status::Waiting(reason) = status.borrow().clone() else { panic!() };
        assert!(!reason.contains("s3cret") && !reason.contains("pass"), "{reason}");
        assert_eq!((metrics.lag_records.get(), metrics.lines_sent.get()), (1, 0));
        assert!(metrics.lag_seconds.get() > 0);
        stop.cancel();
    };
    play(async { tokio::join!(lane.task.run(stop.clone()), watching) }).await;
    memory.close().await;
}
