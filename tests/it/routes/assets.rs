//! GET /api/v1/assets

use super::app::TestApp;
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn lists_the_tree_parents_first() {
    let app = TestApp::start().await;
    let assets = app.get("/api/v1/assets").await.json();
    assert_eq!(
        assets["items"][0],
        json!({"id": "main", "class": "Building", "name": {"zh": "主楼", "en": "Main building"}, "parent": null})
    );
    let tree: Vec<_> = assets["items"].as_array().unwrap().iter().map(|a| (&a["id"], &a["parent"])).collect();
    assert_eq!(
        serde_json::to_value(tree).unwrap(),
        json!([["main", null], ["main-meter", "main"], ["manifold", "main"], ["fan", "main"]])
    );
}
