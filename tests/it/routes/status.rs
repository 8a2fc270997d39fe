//! GET /api/v1/status

use super::app::{START, TestApp, decimal};
use super::plant::plan;
use plantroom::config::Target;
use plantroom::forward;
use plantroom::point::{Quality, Reason};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::watch;

#[tokio::test(start_paused = true)]
async fn before_anything_runs_it_says_so() {
    let app = TestApp::start().await;
    tokio::time::advance(Duration::from_secs(90)).await;
    let status = app.get("/api/v1/status").await.json();
    assert_eq!(status["uptime_ms"], status["now"].as_i64().unwrap() - status["started_at"].as_i64().unwrap());
    assert!(status["uptime_ms"].as_i64().unwrap() >= 90_000, "{status}");
    assert_eq!(
        json!([status["version"], status["build"], status["parts"]]),
        json!([env!("CARGO_PKG_VERSION"), "b1", []])
    );
    assert_eq!(status["clock"], json!({"zone": "Asia/Shanghai", "moved_ms": 0, "steps": 0}));
    assert_eq!(
        status["devices"][0],
        json!({
            "protocol": "modbus", "bus": "plant-room", "device": "plc", "state": "stopped", "points": 3,
            "interval_ms": 1_000, "poll_p50_ms": null, "poll_p95_ms": null, "latency_ms": null, "timeouts": 0,
            "consecutive_failures": 0, "last_good_at": null, "messages": null,
            "quality": {"good": 0, "uncertain": 0, "bad": 3}
        })
    );
    assert_eq!(status["devices"].as_array().unwrap().len(), 2);
    assert_eq!(status["forward"], json!([]));
    let known = cfg!(target_os = "linux");
    assert_eq!(status["process"]["rss_bytes"].is_u64(), known, "{status}");
    assert_eq!(status["process"]["cpu_share"].is_f64(), known, "{status}");
}

#[tokio::test(start_paused = true)]
async fn a_device_is_shown_with_the_quality_of_its_points() {
    let app = TestApp::start().await;
    app.sense("fan/running", Some(plantroom::point::Value::Bool(true)), Quality::Good, START).await;
    let stale = Quality::Uncertain(Reason::Stale);
    app.sense("manifold/pressure", Some(decimal("450")), stale, START).await;
    // Nobody reads it, so it is of no device.
    app.sense("fan/mode", None, Quality::Good, START).await;
    let status = app.get("/api/v1/status").await.json();
    assert_eq!(status["devices"][0]["quality"], json!({"good": 1, "uncertain": 1, "bad": 1}));
    assert_eq!(status["devices"][1]["quality"], json!({"good": 0, "uncertain": 0, "bad": 1}));
}

#[tokio::test(start_paused = true)]
async fn what_the_history_and_the_clock_have_come_to() {
    let app = TestApp::start().await;
    app.health.set("historian", Err("The disk is full.".into()));
    app.read("manifold/pressure", decimal("450"), START.plus_ms(1_000)).await;
    app.counted.late.inc_by(3);
    app.counted.clock_steps.inc();
    app.clock.jump(-5_000);
    let status = app.get("/api/v1/status").await.json();
    let history = &status["historian"];
    assert_eq!(json!([history["committed"], history["readings"], history["lost"]]), json!([1, 1, 0]));
    assert!(
        history["disk_bytes"].as_u64().unwrap() > 0 && history["bytes"].as_u64().unwrap() > 0,
        "{history}"
    );
    assert_eq!(json!([history["sealed_up_to"], history["shed_bytes"]]), json!([0, null]));
    assert_eq!(json!([status["readings"]["late"], status["readings"]["spool"]]), json!([3, 0]));
    assert_eq!(json!([status["clock"]["moved_ms"], status["clock"]["steps"]]), json!([-5_000, 1]));
    assert_eq!(status["parts"], json!([{"part": "historian", "ok": false, "detail": "The disk is full."}]));
}

#[tokio::test(start_paused = true)]
async fn a_target_is_shown_with_its_backlog_and_when_that_will_be_gone() {
    let mut plan = plan();
    plan.targets.push(Target {
        id: "influx".parse().unwrap(),
        url: "http://influx.example:8086/write?db=plant".parse().unwrap(),
        token: None,
        login: None,
        batch_lines_max: 100,
    });
    let app = TestApp::start_with(plan).await;
    let row = async || -> Value { app.get("/api/v1/status").await.json()["forward"][0].take() };
    assert_eq!(row().await["state"], "stopped");

    let (status, told) = watch::channel(forward::Status::Well);
    let lane = app.targets.follow(&"influx".parse().unwrap(), told).unwrap();
    let counted = app.forwarded.of("influx");
    counted.lag_records.set(120);
    counted.lag_seconds.set(60);
    counted.drain_seconds.set(30);
    counted.lines_sent.inc_by(7);
    counted.last_success_seconds.set(START.0 / 1_000);
    assert_eq!(
        row().await,
        json!({
            "target": "influx", "host": "influx.example", "state": "good", "reason": null, "backlog": 120,
            "oldest_ms": 60_000, "drain_ms": 30_000, "lines_sent": 7, "lines_rejected": 0, "retries": 0,
            "last_success_at": START.0
        })
    );
    status.send_replace(forward::Status::Held("401 Unauthorized".into()));
    counted.drain_seconds.set(-1);
    let held = row().await;
    assert_eq!(
        json!([held["state"], held["reason"], held["drain_ms"]]),
        json!(["held", "401 Unauthorized", null])
    );
    drop(lane);
    assert_eq!(row().await["state"], "stopped");
}
