//! GET /api/v1/points/{asset}/{quantity}/readings

use super::app::{START, TestApp, decimal};
use plantroom::point::{Quality, Reason};
use serde_json::{Value, json};

const PATH: &str = "/api/v1/points/manifold/pressure/readings";

#[tokio::test(start_paused = true)]
async fn the_last_hour_comes_with_exact_digits() {
    let app = TestApp::start().await;
    app.read("manifold/pressure", decimal("410.0"), START.plus_ms(-3_700_000)).await;
    app.read("manifold/pressure", decimal("412.50"), START.plus_ms(-60_000)).await;
    app.read_with("manifold/pressure", None, Quality::Bad(Reason::Timeout), START).await;
    let answer = app.get(PATH).await;
    let page = answer.json();
    assert_eq!(
        page["readings"],
        json!([
            {"at": START.0 - 60_000, "value": 412.5, "quality": "good", "reason": null},
            {"at": START.0, "value": null, "quality": "bad", "reason": "timeout"},
        ])
    );
    assert!(answer.text().contains("\"value\":412.50,"));
    assert_eq!(
        (&page["unit"], &page["symbol"], &page["next"]),
        (&json!("kPa{gauge}"), &json!("kPa"), &Value::Null)
    );
    assert_eq!(page["to"].as_i64().unwrap() - page["from"].as_i64().unwrap(), 3_600_000);
}

#[tokio::test(start_paused = true)]
async fn pages_follow_without_loss_and_without_doubles() {
    let app = TestApp::start().await;
    for n in 0..7 {
        app.read("manifold/pressure", decimal(&n.to_string()), START.plus_ms(n)).await;
    }
    let (mut seen, mut from) = (Vec::new(), START.0);
    let to = START.0 + 6;
    loop {
        let page = app.get(&format!("{PATH}?from={from}&to={to}&limit=2")).await.json();
        seen.extend(page["readings"].as_array().unwrap().iter().map(|r| r["at"].as_i64().unwrap() - START.0));
        let Some(next) = page["next"].as_i64() else { break };
        from = next;
    }
    // `to` is exclusive.
    assert_eq!(seen, [0, 1, 2, 3, 4, 5]);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_question_is_pointed_at() {
    let app = TestApp::start().await;
    for (query, words) in [
        ("limit=50001", "The parameter limit is \"50001\". It is a whole number from 1 to 50000."),
        ("from=yesterday", "The parameter from is \"yesterday\"."),
        ("to=1e12", "The parameter to is \"1e12\"."),
        ("from=2&to=1", "The parameter from is \"2\". It is not later than to (1)."),
        ("to=9223372036854775807", "The parameter to is"),
    ] {
        let answer = app.get(&format!("{PATH}?{query}")).await;
        assert_eq!(answer.failure(), "400 bad_parameter", "{query}");
        assert!(answer.words().starts_with(words), "{}", answer.words());
    }
    assert_eq!(app.get("/api/v1/points/a/b/readings").await.failure(), "404 not_found");
}
