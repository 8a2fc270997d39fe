//! GET /api/v1/substitutions, POST and DELETE /api/v1/points/{asset}/{quantity}/substitution

use super::app::{START, TestApp, decimal};
use plantroom::point::Value;
use serde_json::json;

const PRESSURE: &str = "/api/v1/points/manifold/pressure/substitution";
const HOUR_MS: i64 = 3_600_000;

#[tokio::test(start_paused = true)]
async fn a_value_put_in_is_the_value_until_it_is_taken_out() {
    let app = TestApp::start().await.with_readings();
    app.read("manifold/pressure", decimal("450"), START).await;
    assert_eq!(app.get("/api/v1/substitutions").await.json(), json!({"items": []}));

    let until = app.clock.utc().plus_ms(HOUR_MS).0;
    let body = json!({"value": 430, "until": until, "reason": "gauge is being calibrated", "by": "李工"});
    let mut begun = app.until_stored(app.post(PRESSURE, body.clone())).await.json();
    let since = begun["since"].take().as_i64().unwrap();
    assert!((since - START.0).abs() < 60_000, "{since}");
    assert_eq!(
        begun,
        json!({
            "id": 1,
            "point": "manifold/pressure",
            "point_name": {"zh": "供氧压力", "en": "Supply pressure"},
            "value": 430,
            "since": null,
            "until": until,
            "by": "李工",
            "reason": "gauge is being calibrated",
            "ended_at": null,
            "ended_by": null,
            "end_reason": null,
        })
    );
    let point = app.get("/api/v1/points/manifold/pressure").await.json();
    assert_eq!((&point["value"]["value"], &point["value"]["quality"]), (&json!(430), &json!("uncertain")));
    assert_eq!(point["value"]["reason"], "substituted");
    let stored = app.get("/api/v1/points/manifold/pressure/readings").await.json();
    let last = stored["readings"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["value"], &last["reason"]), (&json!(430), &json!("substituted")));

    // Sent once more, because the answer was lost: nothing changes. Another one is refused.
    assert_eq!(app.post(PRESSURE, body.clone()).await.json()["id"], 1);
    let other = app.post(PRESSURE, json!({"value": 440, "until": until, "reason": "better"})).await;
    assert_eq!(other.failure(), "409 already_substituted");
    let list = app.get("/api/v1/substitutions").await.json();
    assert_eq!((list["items"].as_array().unwrap().len(), &list["items"][0]["by"]), (1, &json!("李工")));

    let ended = app.delete(&format!("{PRESSURE}?by=wang&reason=done")).await.json();
    assert_eq!((&ended["ended_by"], &ended["end_reason"]), (&json!("wang"), &json!("done")));
    let point = app.get("/api/v1/points/manifold/pressure").await.json();
    assert_eq!((&point["value"]["value"], &point["value"]["quality"]), (&json!(450), &json!("good")));
    assert_eq!(app.delete(PRESSURE).await.failure(), "404 not_substituted");
    assert_eq!(app.get("/api/v1/substitutions").await.json(), json!({"items": []}));
    assert_eq!(app.get("/api/v1/substitutions?state=all").await.json()["items"][0]["id"], 1);

    let events = app.get("/api/v1/events").await.json();
    let kinds: Vec<&str> =
        events["items"].as_array().unwrap().iter().map(|e| e["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["point.substituted", "point.substitution_ended"]);
}

/// As they do with any value in doubt: a person who puts in a low pressure hears of it.
#[tokio::test(start_paused = true)]
async fn alarms_go_by_it() {
    let app = TestApp::start().await.with_readings();
    let until = app.clock.utc().plus_ms(HOUR_MS).0;
    app.post(PRESSURE, json!({"value": 399.5, "until": until, "reason": "read off the gauge"})).await.json();
    app.settle().await;
    let alarms = app.get("/api/v1/alarms").await.json();
    assert_eq!(
        (&alarms["items"][0]["rule"], &alarms["items"][0]["value"]),
        (&json!("oxygen-low"), &json!(399.5))
    );
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_point_takes_its_own_kind_of_value() {
    let app = TestApp::start().await.with_readings();
    let until = app.clock.utc().plus_ms(HOUR_MS).0;
    let words = [
        ("fan/running", json!(true)),
        ("fan/speed", json!(49.5)),
        ("fan/mode", json!("night")),
        ("main-meter/energy", json!(12.5)),
    ];
    for (point, value) in words {
        let body = json!({"value": value, "until": until, "reason": "r"});
        let begun = app.post(&format!("/api/v1/points/{point}/substitution"), body).await.json();
        assert_eq!((&begun["value"], &begun["by"]), (&value, &json!("local")));
        assert_eq!(app.get(&format!("/api/v1/points/{point}")).await.json()["value"]["value"], value);
    }
    // The digits stay as they were written.
    let listed = app.get("/api/v1/substitutions?limit=1").await;
    assert!(listed.text().contains("\"value\":12.5,"), "{}", listed.text());
    assert_eq!(
        app.current.get(app_id(&app, "fan/running").await).unwrap().reading.value,
        Some(Value::Bool(true))
    );
}

async fn app_id(app: &TestApp, point: &str) -> plantroom::point::PointId {
    let id = app.get(&format!("/api/v1/points/{point}")).await.json()["id"].as_u64().unwrap();
    plantroom::point::PointId(u32::try_from(id).unwrap())
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_is_refused_with_what_can() {
    let app = TestApp::start().await.with_readings();
    let now = app.clock.utc();
    let until = now.plus_ms(HOUR_MS).0;
    let with = |value: serde_json::Value| json!({"value": value, "until": until, "reason": "r"});
    let lasting = |until: i64| json!({"value": 430, "until": until, "reason": "r"});
    let table = [
        (PRESSURE, with(json!(true)), "400 bad_value", "takes a number"),
        (PRESSURE, with(json!("430")), "400 bad_value", "takes a number"),
        (PRESSURE, with(json!(null)), "400 bad_value", "takes a number"),
        (PRESSURE, with(json!([1])), "400 bad_value", "takes a number"),
        (PRESSURE, with(json!(1_000.1)), "400 bad_value", "from 0 to 1000.0 kPa{gauge}"),
        (PRESSURE, lasting(now.0), "400 bad_body", "at most 30 days"),
        (PRESSURE, lasting(now.plus_ms(31 * 24 * HOUR_MS).0), "400 bad_body", "at most 30 days"),
        (PRESSURE, lasting(i64::MAX), "400 bad_body", "at most 30 days"),
        (PRESSURE, lasting(i64::MIN), "400 bad_body", "at most 30 days"),
        (PRESSURE, json!({"value": 430, "reason": "r"}), "400 bad_body", "until"),
        (PRESSURE, json!({"value": 430, "until": until}), "400 bad_body", "reason"),
        (
            PRESSURE,
            json!({"value": 430, "until": until, "reason": " "}),
            "400 bad_body",
            "1 to 1000 characters",
        ),
        (PRESSURE, json!({"value": 430, "until": until, "reason": "r", "by": ""}), "400 bad_body", "by"),
        (
            PRESSURE,
            json!({"value": 430, "until": until, "reason": "r", "force": true}),
            "400 bad_body",
            "force",
        ),
        ("/api/v1/points/fan/running/substitution", with(json!(1)), "400 bad_value", "true or false"),
        ("/api/v1/points/fan/mode/substitution", with(json!("")), "400 bad_value", "1 to 250 bytes"),
        ("/api/v1/points/fan/nothing/substitution", with(json!(1)), "404 not_found", "fan/nothing"),
    ];
    for (path, body, failure, told) in table {
        let answer = app.post(path, body.clone()).await;
        assert_eq!(answer.failure(), failure, "{body}");
        assert!(answer.words().contains(told), "{body}: {}", answer.words());
    }
    assert_eq!(app.delete("/api/v1/points/fan/nothing/substitution").await.failure(), "404 not_found");
    assert_eq!(app.get("/api/v1/substitutions?state=none").await.failure(), "400 bad_parameter");
    assert_eq!(app.get("/api/v1/substitutions?state=all").await.json(), json!({"items": []}));
}
