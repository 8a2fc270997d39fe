//! GET /api/v1/feeds

use super::app::TestApp;
use super::plant::plan;
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn the_graph_of_what_supplies_what() {
    let app = TestApp::start().await;
    let feeds = app.get("/api/v1/feeds").await.json();
    assert_eq!(
        feeds["edges"],
        json!([{"medium": "power", "from": ["main-meter"], "to": ["fan", "manifold"], "needs": 1}])
    );
    let nodes: Vec<_> = feeds["nodes"].as_array().unwrap().iter().map(|node| &node["id"]).collect();
    assert_eq!(serde_json::to_value(nodes).unwrap(), json!(["main-meter", "manifold", "fan"]));
    assert_eq!(
        feeds["nodes"][0],
        json!({
            "id": "main-meter", "class": "Electrical_Meter", "name": {"zh": "总表", "en": "Main meter"},
            "system": "electrical"
        })
    );

    let mut unfed = plan();
    unfed.feeds.clear();
    app.replan(&unfed);
    assert_eq!(app.get("/api/v1/feeds").await.json(), json!({"nodes": [], "edges": []}));
}
