//! GET /api/v1/events

use super::app::TestApp;
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn the_log_comes_in_order_and_by_pages() {
    let app = TestApp::start().await;
    for n in 1..=5 {
        app.happen("test.happened", format!("thing:{n}")).await;
    }
    let page = app.get("/api/v1/events?after=1&limit=3").await.json();
    let shown: Vec<_> =
        page["items"].as_array().unwrap().iter().map(|e| (&e["seq"], &e["subject"])).collect();
    assert_eq!(serde_json::to_value(shown).unwrap(), json!([[2, "thing:2"], [3, "thing:3"], [4, "thing:4"]]));
    assert_eq!(page["last"], 5);
    assert_eq!(page["items"][0]["kind"], "test.happened");
    assert_eq!(page["items"][0]["body"], json!({"of": "thing:2"}));
    assert_eq!(app.get("/api/v1/events?after=5").await.json()["items"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_question_is_pointed_at() {
    let app = TestApp::start().await;
    for query in ["after=-1", "after=x", "limit=0", "limit=1001", "since=1"] {
        assert_eq!(
            app.get(&format!("/api/v1/events?{query}")).await.failure(),
            "400 bad_parameter",
            "{query}"
        );
    }
}
