//! GET /api/v1/alarms, GET /api/v1/alarms/{id}, POST /api/v1/alarms/{id}/acknowledge

use super::app::{START, TestApp, decimal};
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn a_passed_limit_is_an_alarm_with_its_order() {
    let app = TestApp::start().await;
    let quiet = app.get("/api/v1/alarms").await.json();
    assert_eq!(quiet, json!({"items": [], "counts": {"1": 0, "2": 0, "3": 0, "4": 0}}));

    app.read("manifold/pressure", decimal("399.50"), START).await;
    let answer = app.get("/api/v1/alarms").await;
    let mut alarms = answer.json();
    let raised_at = alarms["items"][0]["raised_at"].take();
    assert!((raised_at.as_i64().unwrap() - START.0).abs() < 5_000, "{raised_at}");
    let id = alarms["items"][0]["id"].as_i64().unwrap();
    let order = app.get("/api/v1/work-orders").await.json()["items"][0]["id"].as_i64().unwrap();
    assert_eq!(
        alarms,
        json!({
            "items": [{
                "id": id,
                "rule": "oxygen-low",
                "asset": "manifold",
                "asset_name": {"zh": "汇流排", "en": "Oxygen manifold"},
                "point": "manifold/pressure",
                "point_name": {"zh": "供氧压力", "en": "Supply pressure"},
                "priority": 1,
                "failure_mode": "low-pressure",
                "state": "B",
                "active": true,
                "acked": false,
                "raised_at": null,
                "cleared_at": null,
                "acked_at": null,
                "acked_by": null,
                "value": 399.5,
                "limit": 400,
                "unit": "kPa{gauge}",
                "symbol": "kPa",
                "value_states": [],
                "message": {"zh": "供氧压力低", "en": "Oxygen pressure low"},
                "response": {"zh": "换瓶组", "en": "Change the bank"},
                "work_order": order,
            }],
            "counts": {"1": 1, "2": 0, "3": 0, "4": 0},
        })
    );
    assert!(answer.text().contains("\"value\":399.50,\"limit\":400,"), "{}", answer.text());
    assert_eq!(app.get(&format!("/api/v1/alarms/{id}")).await.json()["rule"], "oxygen-low");
}

#[tokio::test(start_paused = true)]
async fn is_acknowledged_once_by_the_name_given() {
    let app = TestApp::start().await;
    app.read("manifold/pressure", decimal("399"), START).await;
    let id = app.get("/api/v1/alarms").await.json()["items"][0]["id"].as_i64().unwrap();
    let path = format!("/api/v1/alarms/{id}/acknowledge");

    let alarm = app.post(&path, json!({"by": " 李工 ", "note": "on my way"})).await.json();
    assert_eq!((&alarm["state"], &alarm["acked_by"]), (&json!("C"), &json!("李工")));
    assert_eq!(app.get("/api/v1/alarms").await.json()["counts"]["1"], 0);

    let again = app.post(&path, json!({"by": "王工"})).await;
    assert_eq!(again.failure(), "409 already_acknowledged");
    assert_eq!(app.get(&format!("/api/v1/alarms/{id}")).await.json()["acked_by"], "李工");

    // Back to normal and seen: over, and only in the list of all.
    app.read("manifold/pressure", decimal("450"), START.plus_ms(1_000)).await;
    assert_eq!(app.get("/api/v1/alarms").await.json()["items"], json!([]));
    let all = app.get("/api/v1/alarms?state=all").await.json();
    assert_eq!((&all["items"][0]["id"], &all["items"][0]["state"]), (&json!(id), &json!("A")));
}

#[tokio::test(start_paused = true)]
async fn who_gives_no_name_is_recorded_as_the_viewer() {
    let app = TestApp::start().await;
    app.read("manifold/pressure", decimal("399"), START).await;
    let id = app.get("/api/v1/alarms").await.json()["items"][0]["id"].as_i64().unwrap();
    let alarm = app.post(&format!("/api/v1/alarms/{id}/acknowledge"), json!({})).await.json();
    assert_eq!(alarm["acked_by"], "local");
}

#[tokio::test(start_paused = true)]
async fn a_wrong_question_is_pointed_at() {
    let app = TestApp::start().await;
    assert_eq!(app.get("/api/v1/alarms/7").await.failure(), "404 not_found");
    assert_eq!(app.get("/api/v1/alarms/seven").await.failure(), "400 bad_parameter");
    assert_eq!(
        app.get("/api/v1/alarms?state=closed").await.words(),
        "The parameter state is \"closed\". It is open or all."
    );
    assert_eq!(app.get("/api/v1/alarms?limit=1001").await.failure(), "400 bad_parameter");
    let acknowledge = "/api/v1/alarms/7/acknowledge";
    assert_eq!(app.post(acknowledge, json!({})).await.failure(), "404 not_found");
    for body in
        [json!({"by": ""}), json!({"by": 7}), json!({"who": "x"}), json!([]), json!({"by": "x".repeat(61)})]
    {
        assert_eq!(app.post(acknowledge, body.clone()).await.failure(), "400 bad_body", "{body}");
    }
    assert_eq!(app.get(acknowledge).await.failure(), "405 method_not_allowed");
}
