//! GET /api/v1/buses

use super::app::{START, TestApp};
use super::plant::plan;
use plantroom::config::Link;
use plantroom::field::modbus::{Bus, Dial, Memory, Metrics};
use plantroom::point::PointId;
use serde_json::{Value, json};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A line on which unit 1 answers and every other is silent; or no line at all.
struct FakeDial {
    there: bool,
    lines: JoinSet<io::Result<()>>,
}

impl Dial for FakeDial {
    type Stream = DuplexStream;

    async fn dial(&mut self) -> io::Result<DuplexStream> {
        if !self.there {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (ours, theirs) = duplex(1_024);
        self.lines.spawn(answer(theirs));
        Ok(ours)
    }
}

/// Answers a question of Modbus TCP for N registers with N zeros.
async fn answer(mut line: DuplexStream) -> io::Result<()> {
    let mut question = [0; 12];
    loop {
        line.read_exact(&mut question).await?;
        let [a, b, _, _, _, _, unit, function, _, _, _, count] = question;
        if unit == 1 {
            line.write_all(&[a, b, 0, 0, 0, 2 * count + 3, unit, function, 2 * count]).await?;
            line.write_all(&vec![0; usize::from(2 * count)]).await?;
        }
    }
}

/// A driver as `runtime` runs one; shut down, it is dropped where it stands, as by a panic.
fn drive(app: &TestApp, there: bool) -> JoinSet<()> {
    let (mut tasks, (tx, mut rx)) = (JoinSet::new(), mpsc::channel(16));
    tasks.spawn(async move { while rx.recv().await.is_some() {} });
    let mut bus = plan().buses.remove(0);
    bus.link = Link::Tcp { host: "fake".into(), port: 502 };
    let (dial, metrics) = (FakeDial { there, lines: JoinSet::new() }, Metrics::default());
    let bus = Bus::build_over(
        dial,
        &bus,
        &|_| Some(PointId(1)),
        Memory::default(),
        app.clock.clone(),
        tx,
        &metrics,
    );
    let bus = bus.unwrap();
    let followed = app.buses.follow(bus.status());
    tasks.spawn(async move {
        bus.run(CancellationToken::new()).await;
        drop(followed);
    });
    tasks
}

async fn only_bus(app: &TestApp) -> Value {
    app.get("/api/v1/buses").await.json()["items"][0].take()
}

#[tokio::test(start_paused = true)]
async fn a_bus_nobody_drives_yet_is_listed_with_its_devices() {
    let app = TestApp::start().await;
    assert_eq!(
        app.get("/api/v1/buses").await.json(),
        json!({"now": START.0, "items": [{
            "id": "plant-room",
            "link": "rtu+tcp://10.0.0.7:4001?baud=9600&parity=even&stop=1",
            "running": false,
            "connected": false,
            "devices": [
                {"id": "plc", "unit": 1, "assets": ["fan", "manifold"], "points": 3, "interval_ms": 1_000,
                 "last_good_at": null, "consecutive_failures": 0, "demoted": false},
                {"id": "meter", "unit": 9, "assets": ["main-meter"], "points": 1, "interval_ms": 1_000,
                 "last_good_at": null, "consecutive_failures": 0, "demoted": false},
            ],
        }]})
    );
    assert_eq!(app.get("/api/v1/buses/plant-room").await.failure(), "404 not_found");
}

#[tokio::test(start_paused = true)]
async fn a_device_that_answers_is_told_from_one_that_does_not() {
    let app = TestApp::start().await;
    let _driver = drive(&app, true);
    tokio::time::sleep(Duration::from_mins(1)).await;
    let bus = only_bus(&app).await;
    assert_eq!((&bus["running"], &bus["connected"]), (&json!(true), &json!(true)), "{bus}");
    let (plc, meter) = (&bus["devices"][0], &bus["devices"][1]);
    assert_eq!((&plc["consecutive_failures"], &plc["demoted"]), (&json!(0), &json!(false)), "{bus}");
    let age = START.0 + 60_000 - plc["last_good_at"].as_i64().unwrap();
    assert!((0..10_000).contains(&age), "{bus}");
    assert_eq!((&meter["last_good_at"], &meter["demoted"]), (&Value::Null, &json!(true)), "{bus}");
    assert!(meter["consecutive_failures"].as_u64().unwrap() > 0, "{bus}");
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_ended_looks_dead_and_the_next_one_is_followed() {
    let app = TestApp::start().await;
    let mut driver = drive(&app, true);
    tokio::time::sleep(Duration::from_secs(10)).await;
    let seen = only_bus(&app).await["devices"][0]["last_good_at"].take();
    assert!(seen.is_i64(), "{seen}");

    driver.shutdown().await;
    let bus = only_bus(&app).await;
    assert_eq!((&bus["running"], &bus["connected"]), (&json!(false), &json!(false)), "{bus}");

    // The next one finds nobody at the line, and what was seen by the first is not forgotten.
    for _ in 0..2 {
        let mut driver = drive(&app, false);
        tokio::time::sleep(Duration::from_secs(30)).await;
        let bus = only_bus(&app).await;
        assert_eq!((&bus["running"], &bus["connected"]), (&json!(true), &json!(false)), "{bus}");
        let plc = &bus["devices"][0];
        assert!(plc["last_good_at"].as_i64() >= seen.as_i64(), "{bus}");
        assert!(plc["consecutive_failures"].as_u64().unwrap() > 0, "{bus}");
        driver.shutdown().await;
    }
}
