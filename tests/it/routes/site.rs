//! GET /api/v1/site

use super::app::{START, TestApp};
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn says_where_we_are_and_what_time_it_is() {
    let app = TestApp::start().await;
    let mut site = app.get("/api/v1/site").await.json();
    let now = site["now"].take().as_i64().unwrap();
    assert!((START.0..START.0 + 5_000).contains(&now), "{now}");
    assert_eq!(
        site,
        json!({
            "id": "demo",
            "name": {"zh": "示范医院", "en": "Demo hospital"},
            "timezone": "Asia/Shanghai",
            "now": null,
            "build": "b1",
            "languages": ["zh-CN", "en"],
        })
    );
}
