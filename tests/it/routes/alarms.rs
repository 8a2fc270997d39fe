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

/// What a chart of a machine marks: also what is over and seen, also what began before its span.
#[tokio::test(start_paused = true)]
async fn those_of_an_asset_within_a_span_are_asked_for_at_once() {
    let app = TestApp::start().await;
    app.read("manifold/pressure", decimal("399"), START).await;
    let first = app.get("/api/v1/alarms").await.json()["items"][0].clone();
    let (id, raised) = (first["id"].as_i64().unwrap(), first["raised_at"].as_i64().unwrap());
    app.post(&format!("/api/v1/alarms/{id}/acknowledge"), json!({"by": "Wang"})).await.json();
    tokio::time::sleep(std::time::Duration::from_mins(1)).await;
    app.read("manifold/pressure", decimal("450"), START.plus_ms(60_000)).await;
    tokio::time::sleep(std::time::Duration::from_mins(1)).await;
    app.read("manifold/pressure", decimal("398"), START.plus_ms(120_000)).await;

    let all = app.get("/api/v1/alarms?state=all").await.json();
    let (second, cleared) = (&all["items"][0], all["items"][1]["cleared_at"].as_i64().unwrap());
    let (other, again) = (second["id"].as_i64().unwrap(), second["raised_at"].as_i64().unwrap());
    assert!(raised < cleared && cleared < again && id != other, "{all}");
    let table = [
        ("asset=manifold".to_owned(), vec![other, id]),
        ("asset=fan".to_owned(), vec![]),
        ("asset=no-such".to_owned(), vec![]),
        (format!("asset=manifold&from={cleared}"), vec![other, id]),
        (format!("asset=manifold&from={}", cleared + 1), vec![other]),
        (format!("from={}&to={}", raised + 1, cleared), vec![id]),
        (format!("to={raised}"), vec![]),
        (format!("asset=manifold&to={again}"), vec![id]),
        (format!("from={again}&to={again}"), vec![]),
        (format!("asset=manifold&from={}&limit=1", cleared - 1), vec![other]),
    ];
    for (asked, expected) in table {
        let list = app.get(&format!("/api/v1/alarms?state=all&{asked}")).await.json();
        let ids: Vec<i64> =
            list["items"].as_array().unwrap().iter().map(|a| a["id"].as_i64().unwrap()).collect();
        assert_eq!(ids, expected, "{asked}");
    }
    assert_eq!(app.get("/api/v1/alarms?asset=manifold").await.json()["items"][0]["id"], other);
    assert_eq!(app.get("/api/v1/alarms?asset=fan").await.json()["items"], json!([]));
    let backwards = app.get("/api/v1/alarms?from=9&to=8").await;
    assert_eq!(backwards.failure(), "400 bad_parameter");
    assert!(backwards.words().contains("not later than to (8)"), "{}", backwards.words());
    assert_eq!(app.get("/api/v1/alarms?from=noon").await.failure(), "400 bad_parameter");
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
