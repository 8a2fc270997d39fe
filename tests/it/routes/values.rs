//! GET /api/v1/values

use super::app::{START, TestApp, decimal};
use plantroom::point::{Quality, Reason, Value};
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn every_kind_of_value_leaves_as_it_is() {
    let app = TestApp::start().await;
    app.read("main-meter/energy", decimal("123456.70"), START).await;
    app.read("fan/speed", Value::F64(0.1), START).await;
    app.read("fan/running", Value::Bool(true), START).await;
    app.read("fan/mode", Value::Text(app.texts.id("自动").unwrap()), START).await;
    let answer = app.get("/api/v1/values?points=main-meter/energy,fan/speed,fan/running,fan/mode").await;
    for part in [
        r#""point":"main-meter/energy","at":1795305600000,"received_at":1795305600007,"at_error_ms":3,"value":123456.70,"#,
        r#""value":0.1,"#,
        r#""value":true,"#,
        r#""value":"自动","#,
    ] {
        assert!(answer.text().contains(part), "{part} in {}", answer.text());
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_list_all_points_come_and_a_bad_one_has_no_value() {
    let app = TestApp::start().await;
    app.read_with("fan/speed", Some(Value::F64(20.0)), Quality::Uncertain(Reason::Stale), START).await;
    app.read_with("fan/running", None, Quality::Bad(Reason::NoCommunication), START).await;
    let values = app.get("/api/v1/values").await.json();
    let shown: Vec<_> = values["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| [&item["point"], &item["value"], &item["quality"], &item["reason"]])
        .collect();
    assert_eq!(
        serde_json::to_value(shown).unwrap(),
        json!([
            ["fan/mode", null, "bad", "initial"],
            ["fan/running", null, "bad", "no_communication"],
            ["fan/speed", 20.0, "uncertain", "stale"],
            ["main-meter/energy", null, "bad", "initial"],
            ["manifold/pressure", null, "bad", "initial"],
        ])
    );
}

#[tokio::test(start_paused = true)]
async fn an_unknown_point_is_named() {
    let app = TestApp::start().await;
    let answer = app.get("/api/v1/values?points=fan/speed,fan/sped").await;
    assert_eq!(answer.failure(), "404 not_found");
    assert!(answer.words().starts_with("There is no point fan/sped."), "{}", answer.words());
}
