//! GET /api/v1/points/{asset}/{quantity}/making

use super::app::{START, TestApp, decimal};
use super::plant::plan;
use plantroom::config::Plan;
use plantroom::field::mqtt::RETAINED_ERROR_MS;
use plantroom::field::{Fault, FieldBatch, Raw, Sample};
use plantroom::point::{Decimal, PointId, UtcMs};
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// The pressure comes in tenths.
async fn start() -> (TestApp, mpsc::Sender<FieldBatch>) {
    let mut plan: Plan = plan();
    let pressure = plan.points.iter_mut().find(|point| point.address.to_string() == "manifold/pressure");
    pressure.unwrap().scale = "0.1".parse::<Decimal>().unwrap();
    let mut app = TestApp::start_with(plan.clone()).await;
    let field = app.make_readings(&plan.points);
    (app, field)
}

const PRESSURE: PointId = PointId(2);

async fn sent(
    (app, field): &(TestApp, mpsc::Sender<FieldBatch>),
    raw: Result<Raw, Fault>,
    source_at: Option<UtcMs>,
    error_ms: u32,
) -> Value {
    let batch = FieldBatch {
        device: "plc".into(),
        at: app.clock.utc(),
        at_error_ms: error_ms,
        source_at,
        received_at: app.clock.utc(),
        samples: vec![Sample { point: PRESSURE, raw }],
        ack: None,
    };
    field.send(batch).await.unwrap();
    app.settle().await;
    made(app).await
}

async fn made(app: &TestApp) -> Value {
    app.get("/api/v1/points/manifold/pressure/making").await.json()
}

fn verdict<'a>(making: &'a Value, rule: &str) -> &'a str {
    let checks = making["checks"].as_array().unwrap();
    checks.iter().find(|check| check["rule"] == rule).unwrap()["verdict"].as_str().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_point_that_never_spoke_has_a_source_and_no_sample() {
    let started = start().await;
    let app = &started.0;
    let making = made(app).await;
    assert_eq!(
        (&making["now"], &making["sample"], &making["steps"]),
        (&json!(START.0), &Value::Null, &json!([]))
    );
    assert_eq!(
        making["source"],
        json!({
            "kind": "device", "bus": "plant-room", "device": "plc", "unit": 1, "table": "holding", "address": 2,
            "type": "u16", "interval_ms": 5_000, "running": false, "connected": false, "demoted": false,
            "consecutive_failures": 0,
        })
    );
    assert_eq!(verdict(&making, "answer"), "not_reached");
    // No device and no broker of the plan feeds it.
    let word = app.get("/api/v1/points/fan/mode/making").await.json();
    assert_eq!(word["source"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn raw_stands_beside_scaled_with_each_step_and_each_check() {
    let started = start().await;
    let making = sent(&started, Ok(Raw::Value(decimal("4125"))), None, 12).await;
    let sample = &making["sample"];
    assert_eq!(
        (&sample["value"], &sample["fault"], &sample["device"]),
        (&json!(4125), &Value::Null, &json!("plc"))
    );
    assert_eq!(
        (&sample["at_error_ms"], &sample["source_at"], &sample["fate"]),
        (&json!(12), &Value::Null, &json!("current"))
    );
    let steps: Vec<_> = making["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| (&step["kind"], &step["by"], &step["value"]))
        .collect();
    assert_eq!(
        steps,
        [(&json!("raw"), &Value::Null, &json!(4125)), (&json!("scaled"), &json!(0.1), &json!(412.5))]
    );
    assert_eq!((&making["reading"]["value"], &making["reading"]["quality"]), (&json!(412.5), &json!("good")));
    assert_eq!(
        (verdict(&making, "answer"), verdict(&making, "range"), verdict(&making, "rate")),
        ("passed", "passed", "not_configured")
    );
    let checks = making["checks"].as_array().unwrap();
    let range = checks.iter().find(|check| check["rule"] == "range").unwrap();
    assert_eq!((&range["limit"], &range["saw"]), (&json!("0 .. 1000.0"), &json!("412.5")));
    assert_eq!(
        (&making["history"]["kind"], &making["counts"]["readings"]),
        (&json!("everything"), &json!(1))
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_named() {
    let started = start().await;
    let refused = sent(&started, Err(Fault::Exception(2)), None, 0).await;
    assert_eq!(
        (&refused["sample"]["fault"], &refused["sample"]["exception"]),
        (&json!("exception"), &json!(2))
    );
    assert_eq!((verdict(&refused, "answer"), verdict(&refused, "range")), ("failed", "not_reached"));
    assert_eq!(
        (&refused["reading"]["quality"], &refused["reading"]["reason"]),
        (&json!("bad"), &json!("device_failure"))
    );

    let high = sent(&started, Ok(Raw::Value(decimal("99999"))), None, 0).await;
    assert_eq!((verdict(&high, "range"), &high["reading"]["reason"]), ("failed", &json!("out_of_range")));

    let doubted = Raw::Doubted(Box::new(Raw::Value(decimal("4000"))));
    let doubted = sent(&started, Ok(doubted), None, 0).await;
    assert_eq!((&doubted["sample"]["doubted"], &doubted["sample"]["value"]), (&json!(true), &json!(4000)));
    assert_eq!(verdict(&doubted, "source"), "failed");

    let word = sent(&started, Ok(Raw::Text("氧 \"n/a\"".into())), None, RETAINED_ERROR_MS).await;
    assert_eq!(
        (&word["sample"]["value"], &word["sample"]["at_error_ms"]),
        (&json!("氧 \"n/a\""), &Value::Null)
    );
    assert_eq!((&word["steps"], &word["reading"]["reason"]), (&json!([]), &json!("decoding")));
}

#[tokio::test(start_paused = true)]
async fn silence_and_a_late_sample_are_told() {
    let started = start().await;
    let app = &started.0;
    let stamp = START.plus_ms(-1_000);
    let first = sent(&started, Ok(Raw::Value(decimal("4000"))), Some(stamp), 0).await;
    assert_eq!(first["sample"]["source_at"], stamp.0);
    let late = sent(&started, Ok(Raw::Value(decimal("3000"))), Some(stamp.plus_ms(-5)), 0).await;
    assert_eq!((&late["sample"]["fate"], &late["reading"]["value"]), (&json!("late"), &json!(400.0)));
    tokio::time::sleep(std::time::Duration::from_secs(30)).await;
    let silent = made(app).await;
    assert_eq!(verdict(&silent, "stale"), "failed");
    assert!(silent["heard_ago_ms"].as_u64().unwrap() >= 30_000, "{silent}");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_point_has_no_making() {
    let started = start().await;
    let app = &started.0;
    for path in ["fan/none", "none/speed", "FAN/speed", "fan/%00", "fan/%2e%2e"] {
        let answer = app.get(&format!("/api/v1/points/{path}/making")).await;
        assert_eq!(answer.failure(), "404 not_found", "{path}");
    }
    assert_eq!(
        app.post("/api/v1/points/fan/speed/making", json!({})).await.failure(),
        "405 method_not_allowed"
    );
}
