//! GET /api/v1/work-orders, GET /api/v1/work-orders/{id}, POST .../accept, .../finish, .../close

use super::app::{START, TestApp, decimal};
use serde_json::{Value, json};

async fn opened() -> (TestApp, i64) {
    let app = TestApp::start().await;
    app.read("manifold/pressure", decimal("399.50"), START).await;
    let id = app.get("/api/v1/work-orders").await.json()["items"][0]["id"].as_i64().unwrap();
    (app, id)
}

#[tokio::test(start_paused = true)]
async fn an_order_carries_cause_limit_and_what_to_do() {
    let (app, id) = opened().await;
    let mut order = app.get("/api/v1/work-orders").await.json()["items"][0].take();
    assert!(order["opened_at"].take().as_i64().unwrap() >= START.0);
    let alarm = order["alarm_ids"][0].clone();
    assert_eq!(
        order,
        json!({
            "id": id,
            "number": format!("WO-{id:06}"),
            "state": "new",
            "asset": "manifold",
            "asset_name": {"zh": "汇流排", "en": "Oxygen manifold"},
            "failure_mode": "low-pressure",
            "priority": 1,
            "title": {"zh": "供氧压力低", "en": "Oxygen pressure low"},
            "response": {"zh": "换瓶组", "en": "Change the bank"},
            "opened_at": null,
            "accepted_at": null, "accepted_by": null,
            "done_at": null, "done_by": null, "note": null,
            "closed_at": null, "closed_by": null,
            "point": "manifold/pressure",
            "value": 399.5,
            "limit": 400,
            "unit": "kPa{gauge}",
            "symbol": "kPa",
            "value_states": [],
            "alarm_ids": [alarm],
            "version": 1,
        })
    );
}

#[tokio::test(start_paused = true)]
async fn is_closed_only_when_the_telemetry_agrees() {
    let (app, id) = opened().await;
    let path = |act: &str| format!("/api/v1/work-orders/{id}/{act}");
    let accepted = app.post(&path("accept"), json!({"by": "李工", "version": 1})).await.json();
    assert_eq!((&accepted["state"], &accepted["accepted_by"]), (&json!("accepted"), &json!("李工")));
    let done = json!({"by": "李工", "note": "Bank changed", "version": accepted["version"]});
    let done = app.post(&path("finish"), done).await.json();
    assert_eq!((&done["state"], &done["note"]), (&json!("done"), &json!("Bank changed")));

    let close = json!({"by": "王主任", "version": done["version"]});
    let refused = app.post(&path("close"), close.clone()).await;
    assert_eq!(refused.failure(), "409 alarm_active");
    assert!(refused.words().ends_with("must return with a good signal first."), "{}", refused.words());

    app.read("manifold/pressure", decimal("450"), START.plus_ms(1_000)).await;
    let closed = app.post(&path("close"), close).await.json();
    assert_eq!((&closed["state"], &closed["closed_by"]), (&json!("closed"), &json!("王主任")));
    assert_eq!(app.get("/api/v1/work-orders").await.json()["items"], json!([]));
    assert_eq!(app.get("/api/v1/work-orders?state=all").await.json()["items"][0]["id"], id);

    let full = app.get(&format!("/api/v1/work-orders/{id}")).await.json();
    let steps: Vec<_> =
        full["history"].as_array().unwrap().iter().map(|s| [&s["from"], &s["to"], &s["actor"]]).collect();
    assert_eq!(
        serde_json::to_value(steps).unwrap(),
        json!([
            [Value::Null, "new", "work_orders"],
            ["new", "accepted", "李工"],
            ["accepted", "done", "李工"],
            ["done", "closed", "王主任"]
        ])
    );
    assert_eq!(full["alarms"][0]["work_order"], id);
    assert_eq!(full["alarms"][0]["state"], "D");
}

#[tokio::test(start_paused = true)]
async fn those_of_an_asset_within_a_span_are_asked_for_at_once() {
    let (app, id) = opened().await;
    let opened_at = app.get("/api/v1/work-orders").await.json()["items"][0]["opened_at"].as_i64().unwrap();
    app.read("manifold/pressure", decimal("450"), START.plus_ms(1_000)).await;
    tokio::time::sleep(std::time::Duration::from_mins(1)).await;
    for (version, act) in [(1, "accept"), (2, "finish"), (3, "close")] {
        let path = format!("/api/v1/work-orders/{id}/{act}");
        app.post(&path, json!({"by": "Wang", "version": version})).await.json();
    }
    let closed_at = app.get(&format!("/api/v1/work-orders/{id}")).await.json()["closed_at"].as_i64().unwrap();
    assert!(closed_at > opened_at);
    let table = [
        ("asset=manifold".to_owned(), 1),
        ("asset=fan".to_owned(), 0),
        (format!("asset=manifold&from={closed_at}"), 1),
        (format!("asset=manifold&from={}", closed_at + 1), 0),
        (format!("from={}&to={}", opened_at + 1, closed_at), 1),
        (format!("to={opened_at}"), 0),
    ];
    for (asked, count) in table {
        let list = app.get(&format!("/api/v1/work-orders?state=all&{asked}")).await.json();
        assert_eq!(list["items"].as_array().unwrap().len(), count, "{asked}");
    }
    assert_eq!(app.get("/api/v1/work-orders?from=2&to=1").await.failure(), "400 bad_parameter");
}

#[tokio::test(start_paused = true)]
async fn two_people_do_not_overrun_each_other() {
    let (app, id) = opened().await;
    let accept = format!("/api/v1/work-orders/{id}/accept");
    app.post(&accept, json!({"by": "李工", "version": 1})).await.json();
    assert_eq!(app.post(&accept, json!({"by": "王工", "version": 1})).await.failure(), "409 conflict");
    assert_eq!(app.post(&accept, json!({"by": "王工", "version": 2})).await.failure(), "409 wrong_state");
}

#[tokio::test(start_paused = true)]
async fn a_wrong_question_is_pointed_at() {
    let app = TestApp::start().await;
    assert_eq!(app.get("/api/v1/work-orders/9").await.failure(), "404 not_found");
    assert_eq!(app.get("/api/v1/work-orders/x").await.failure(), "400 bad_parameter");
    assert_eq!(app.get("/api/v1/work-orders?state=new").await.failure(), "400 bad_parameter");
    let accept = "/api/v1/work-orders/9/accept";
    assert_eq!(app.post(accept, json!({"version": 1})).await.failure(), "404 not_found");
    let answer = app.post(accept, json!({"by": "x"})).await;
    assert_eq!(answer.failure(), "400 bad_body");
    assert!(answer.words().contains("missing field `version`"), "{}", answer.words());
    assert_eq!(app.post("/api/v1/work-orders/9/delete", json!({})).await.failure(), "404 not_found");
}
