//! GET /api/v1/assets, GET /api/v1/assets/{id}

use super::app::TestApp;
use super::plant::plan;
use plantroom::config::Asset;
use plantroom::point::Names;
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn lists_the_tree_what_is_in_an_asset_behind_it() {
    let app = TestApp::start().await;
    let assets = app.get("/api/v1/assets").await.json();
    assert_eq!(
        assets["items"][0],
        json!({
            "id": "main", "class": "Building", "name": {"zh": "主楼", "en": "Main building"}, "parent": null,
            "system": null, "key": [], "points": 0
        })
    );
    assert_eq!(
        assets["items"][3],
        json!({
            "id": "fan", "class": "Fan", "name": {"zh": "风机", "en": "Fan"}, "parent": "main",
            "system": "hvac", "key": ["speed", "mode"], "points": 3
        })
    );

    // The plan has all parents of one depth before their children; the list has depth first.
    let mut deeper = plan();
    for (id, parent) in [("bearing", "manifold"), ("annex", "main")] {
        let parent = Some(parent.parse().unwrap());
        deeper.assets.push(Asset::plain(id.parse().unwrap(), "Equipment", Names::default(), parent));
    }
    app.replan(&deeper);
    let assets = app.get("/api/v1/assets").await.json();
    let tree: Vec<_> = assets["items"].as_array().unwrap().iter().map(|a| (&a["id"], &a["parent"])).collect();
    assert_eq!(
        serde_json::to_value(tree).unwrap(),
        json!([
            ["main", null],
            ["main-meter", "main"],
            ["manifold", "main"],
            ["bearing", "manifold"],
            ["fan", "main"],
            ["annex", "main"]
        ])
    );
}

#[tokio::test(start_paused = true)]
async fn all_that_is_known_of_a_machine() {
    let app = TestApp::start().await;
    let fan = app.get("/api/v1/assets/fan").await.json();
    let point = |n: usize, field: &str| fan["points"][n][field].clone();
    assert_eq!(
        json!([point(0, "address"), point(1, "address"), point(2, "address")]),
        json!(["fan/speed", "fan/mode", "fan/running"]),
        "key ones first, in their order"
    );
    assert_eq!(
        fan["points"][0],
        json!({
            "address": "fan/speed", "asset": "fan", "quantity": "speed", "name": {"zh": "转速", "en": "Speed"},
            "unit": "Hz", "symbol": "Hz", "decimals": 2, "kind": "float", "states": [], "range": null,
            "normal": [20, 50.0], "key": true, "stale_after_ms": 15_000, "interval_ms": 1_000, "device": "plc"
        })
    );
    // Nobody reads the mode.
    assert_eq!(
        json!([point(1, "device"), point(1, "interval_ms"), point(1, "key")]),
        json!([null, null, true])
    );
    assert_eq!(json!([point(2, "normal"), point(2, "key")]), json!([null, false]));
    assert_eq!(fan["path"], json!([{"id": "main", "name": {"zh": "主楼", "en": "Main building"}}]));
    assert_eq!(json!([fan["building"], fan["system"], fan["children"]]), json!(["main", "hvac", []]));
    assert_eq!(fan["feeds_from"], json!([{"medium": "power", "from": ["main-meter"], "needs": 1}]));
    assert_eq!(fan["feeds_to"], json!([]));
    assert_eq!(fan["sources"], json!([{"protocol": "modbus", "bus": "plant-room", "device": "plc"}]));

    let meter = app.get("/api/v1/assets/main-meter").await.json();
    assert_eq!(
        meter["feeds_to"],
        json!([{"medium": "power", "to": ["fan", "manifold"], "of": 1, "needs": 1}])
    );
    let main = app.get("/api/v1/assets/main").await.json();
    assert_eq!(json!([main["path"], main["building"]]), json!([[], "main"]));
    assert_eq!(main["children"].as_array().unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_asset_is_not_found() {
    let app = TestApp::start().await;
    let long = "x".repeat(200);
    for id in ["none", "FAN", "fan%2Fspeed", "%00", "..%2f", long.as_str()] {
        let answer = app.get(&format!("/api/v1/assets/{id}")).await;
        assert_eq!(answer.failure(), "404 not_found", "{id}");
        assert!(answer.text().len() < 300, "{}", answer.text());
    }
}
