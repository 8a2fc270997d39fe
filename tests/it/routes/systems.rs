//! GET /api/v1/systems, GET /api/v1/systems/{system}

use super::app::TestApp;
use super::plant::{names, plan};
use plantroom::config::{Asset, System};
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn the_systems_of_the_site_in_their_order() {
    let app = TestApp::start().await;
    assert_eq!(
        app.get("/api/v1/systems").await.json(),
        json!({"items": [
            {"system": "electrical", "assets": 1, "points": 1},
            {"system": "hvac", "assets": 1, "points": 3},
            {"system": "medical_gas", "assets": 1, "points": 1}
        ]})
    );
}

#[tokio::test(start_paused = true)]
async fn the_assets_of_a_system_with_their_points() {
    let app = TestApp::start().await;
    let hvac = app.get("/api/v1/systems/hvac").await.json();
    assert_eq!(json!([hvac["system"], hvac["next"]]), json!(["hvac", null]));
    let [fan] = hvac["items"].as_array().unwrap().as_slice() else { panic!("{hvac}") };
    assert_eq!(json!([fan["id"], fan["parent"], fan["building"]]), json!(["fan", "main", "main"]));
    let machine = app.get("/api/v1/assets/fan").await.json();
    assert_eq!(fan["points"], machine["points"], "a point is the same wherever it stands");

    // A system that is not here has no assets; one that is none is not found.
    assert_eq!(app.get("/api/v1/systems/fire").await.json()["items"], json!([]));
    for word in ["hvacs", "medical-gas", "HVAC", "%00", "x%2Fy"] {
        assert_eq!(app.get(&format!("/api/v1/systems/{word}")).await.failure(), "404 not_found", "{word}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_system_comes_in_pages_and_building_by_building() {
    let app = TestApp::start().await;
    let mut large = plan();
    for building in ["east", "west"] {
        large.assets.push(Asset::plain(building.parse().unwrap(), "Building", names("楼", "Building"), None));
        for n in 0..5 {
            let id = format!("{building}-{n}").parse().unwrap();
            let parent = Some(building.parse().unwrap());
            let lift = Asset::plain(id, "Elevator", names("梯", "Lift"), parent);
            large.assets.push(Asset { system: Some(System::Lifts), ..lift });
        }
    }
    app.replan(&large);
    let ids = async |query: &str| -> (Vec<String>, Option<String>) {
        let page = app.get(&format!("/api/v1/systems/lifts{query}")).await.json();
        let id = |item: &serde_json::Value| item["id"].as_str().unwrap().to_owned();
        (
            page["items"].as_array().unwrap().iter().map(id).collect(),
            page["next"].as_str().map(ToOwned::to_owned),
        )
    };
    let (all, none) = ids("").await;
    assert_eq!((all.len(), none), (10, None));
    let (mut paged, mut after) = (Vec::new(), String::new());
    loop {
        let (page, next) = ids(&format!("?limit=3{after}")).await;
        paged.extend(page);
        let Some(next) = next else { break };
        after = format!("&after={next}");
    }
    assert_eq!(paged, all);
    assert_eq!(ids("?building=west").await.0, all[5..]);
    assert_eq!(ids("?building=main").await.0, Vec::<String>::new());
    for (query, failure) in [
        ("?building=none", "404 not_found"),
        ("?after=none", "400 bad_parameter"),
        ("?limit=0", "400 bad_parameter"),
        ("?limit=5001", "400 bad_parameter"),
        ("?search=x", "400 bad_parameter"),
    ] {
        assert_eq!(app.get(&format!("/api/v1/systems/lifts{query}")).await.failure(), failure, "{query}");
    }
}
