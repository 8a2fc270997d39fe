//! GET /api/v1/points, GET /api/v1/points/{asset}/{quantity}

use super::app::{START, TestApp, decimal};
use serde_json::{Value, json};

fn addresses(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|point| point["address"].as_str().unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_point_says_what_its_values_mean() {
    let app = TestApp::start().await;
    app.read("manifold/pressure", decimal("412.50"), START).await;
    let answer = app.get("/api/v1/points/manifold/pressure").await;
    assert_eq!(
        answer.json(),
        json!({
            "id": 2,
            "address": "manifold/pressure",
            "site": "demo",
            "asset": "manifold",
            "quantity": "pressure",
            "name": {"zh": "供氧压力", "en": "Supply pressure"},
            "unit": "kPa{gauge}",
            "symbol": "kPa",
            "decimals": 2,
            "kind": "decimal",
            "stale_after_ms": 15_000,
            "hold_ms": 15_000,
            "range": [0, 1000.0],
            "states": [],
            "value": {
                "point": "manifold/pressure",
                "at": START.0,
                "received_at": START.0 + 7,
                "at_error_ms": 3,
                "value": 412.5,
                "quality": "good",
                "reason": null,
            },
        })
    );
    // Exact digits, which a parsed number does not show.
    assert!(answer.text().contains("\"value\":412.50,"), "{}", answer.text());
    assert!(answer.text().contains("\"range\":[0,1000.0]"), "{}", answer.text());
}

#[tokio::test(start_paused = true)]
async fn a_point_of_states_says_what_its_numbers_stand_for() {
    let app = TestApp::start().await;
    let point = app.get("/api/v1/points/fan/running").await.json();
    assert_eq!(
        point["states"],
        json!([
            {"value": 0, "name": {"zh": "停止", "en": "Stopped"}},
            {"value": 1, "name": {"zh": "运行", "en": "Running"}},
        ])
    );
    let page = app.get("/api/v1/points?search=fan/running").await.json();
    assert_eq!(page["items"][0]["states"], point["states"]);
}

#[tokio::test(start_paused = true)]
async fn pages_by_the_token_and_misses_none() {
    let app = TestApp::start().await;
    let all = app.get("/api/v1/points").await.json();
    assert_eq!(
        addresses(&all),
        ["fan/mode", "fan/running", "fan/speed", "main-meter/energy", "manifold/pressure"]
    );
    assert_eq!(all["next"], Value::Null);

    let (mut seen, mut path) = (Vec::new(), "/api/v1/points?limit=2".to_owned());
    loop {
        let page = app.get(&path).await.json();
        seen.extend(addresses(&page).into_iter().map(str::to_owned));
        let Some(next) = page["next"].as_str() else { break };
        assert_eq!(addresses(&page).len(), 2);
        path = format!("/api/v1/points?limit=2&after={next}");
    }
    assert_eq!(seen, addresses(&all));
}

#[tokio::test(start_paused = true)]
async fn finds_by_asset_and_by_words_in_both_languages() {
    let app = TestApp::start().await;
    for (query, found) in [
        ("asset=fan", vec!["fan/mode", "fan/running", "fan/speed"]),
        ("asset=fan&search=MODE", vec!["fan/mode"]),
        ("search=oxygen", vec!["manifold/pressure"]),
        ("search=%E4%BE%9B%E6%B0%A7", vec!["manifold/pressure"]),
        ("search=meter/en", vec!["main-meter/energy"]),
        ("asset=none", vec![]),
    ] {
        let page = app.get(&format!("/api/v1/points?{query}")).await.json();
        assert_eq!(addresses(&page), found, "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_question_is_pointed_at() {
    let app = TestApp::start().await;
    let answer = app.get("/api/v1/points?limit=0").await;
    assert_eq!(answer.failure(), "400 bad_parameter");
    assert_eq!(answer.words(), "The parameter limit is \"0\". It is a whole number from 1 to 5000.");
    let answer = app.get("/api/v1/points?after=x").await;
    assert_eq!(answer.failure(), "400 bad_parameter");
    let answer = app.get("/api/v1/points?assets=fan").await;
    assert_eq!(answer.failure(), "400 bad_parameter");
    assert!(answer.words().contains("unknown field `assets`, expected one of `asset`"), "{}", answer.words());
    for path in ["fan/none", "none/speed", "FAN/speed", "fan/%2e%2e", "fan/%00"] {
        let answer = app.get(&format!("/api/v1/points/{path}")).await;
        assert_eq!(answer.failure(), "404 not_found", "{path}");
    }
    let answer = app.get("/api/v1/points/fan/none").await;
    assert_eq!(answer.words(), "There is no point fan/none. GET /api/v1/points lists them.");
}
