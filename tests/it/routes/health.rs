//! GET /healthz, GET /readyz, GET /metrics

use super::app::TestApp;
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn alive_at_once_and_ready_when_every_part_is() {
    let app = TestApp::start().await;
    assert_eq!(app.get("/healthz").await.json(), json!({"status": "ok"}));

    let ready = app.get("/readyz").await;
    assert_eq!((ready.status.as_u16(), ready.text()), (503, r#"{"status":"starting","parts":[]}"#));

    app.health.set("db", Ok(()));
    app.health.set("historian", Err("The disk is full.".into()));
    let ready = app.get("/readyz").await;
    assert_eq!(ready.status, 503);
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&ready.body).unwrap(),
        json!({"status": "failing", "parts": [
            {"part": "db", "ok": true, "detail": null},
            {"part": "historian", "ok": false, "detail": "The disk is full."},
        ]})
    );

    app.health.set("historian", Ok(()));
    assert_eq!(app.get("/readyz").await.json()["status"], "ok");
}

#[tokio::test(start_paused = true)]
async fn requests_are_counted_by_route_not_by_address() {
    let app = TestApp::start().await;
    app.get("/api/v1/points/fan/speed").await;
    app.get("/api/v1/points/fan/none").await;
    app.get("/api/v1/points/fan/nothing").await;
    let metrics = app.get("/metrics").await;
    assert_eq!(metrics.headers["content-type"], "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let route = "/api/v1/points/{asset}/{quantity}";
    for (status, count) in [(200, 1), (404, 2)] {
        let line =
            format!("plantroom_http_requests_total{{route=\"{route}\",status=\"{status}\"}} {count}\n");
        assert!(metrics.text().contains(&line), "{}", metrics.text());
    }
    assert!(metrics.text().contains("plantroom_live_connections 0\n"));
}
