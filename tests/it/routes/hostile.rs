//! What an enemy, or a program gone wrong, may send to any address.

use super::app::TestApp;
use axum::body::Body;
use axum::http::Request;
use axum::routing::get;
use serde_json::json;

const ACCEPT: &str = "/api/v1/work-orders/1/accept";

fn request(method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn everything_unwelcome_is_refused_with_an_envelope() {
    let app = TestApp::start().await;
    let host = ("host", "127.0.0.1:8080");
    let json = ("content-type", "application/json");
    let evil = ("origin", "http://evil.example");
    let big = format!("{{\"note\":\"{}\"}}", "x".repeat(64 * 1_024));
    let deep = "[".repeat(60_000);
    let table: Vec<(&str, Request<Body>)> = vec![
        ("403 wrong_host", request("GET", "/api/v1/site", &[], "")),
        ("403 wrong_host", request("GET", "/api/v1/site", &[("host", "evil.example")], "")),
        ("403 wrong_host", request("GET", "/healthz", &[("host", "plantroom.evil.example:8080")], "")),
        ("403 wrong_host", request("GET", "/metrics", &[("host", "löcalhost")], "")),
        ("403 cross_origin", request("POST", ACCEPT, &[host, json, evil], "{}")),
        ("403 cross_origin", request("POST", ACCEPT, &[host, json, ("origin", "null")], "{}")),
        (
            "403 cross_origin",
            request(
                "GET",
                "/api/v1/live",
                &[host, evil, ("upgrade", "websocket"), ("connection", "upgrade")],
                "",
            ),
        ),
        ("403 cross_origin", request("GET", "/api/v1/stream", &[host, evil], "")),
        ("415 wrong_content_type", request("POST", ACCEPT, &[host], "{}")),
        ("415 wrong_content_type", request("POST", ACCEPT, &[host, ("content-type", "text/plain")], "{}")),
        ("413 body_too_large", request("POST", ACCEPT, &[host, json], big.clone())),
        ("413 body_too_large", request("POST", ACCEPT, &[host, json], Body::from_stream(endless()))),
        ("400 bad_body", request("POST", ACCEPT, &[host, json], "")),
        ("400 bad_body", request("POST", ACCEPT, &[host, json], "{")),
        ("400 bad_body", request("POST", ACCEPT, &[host, json], "null")),
        ("400 bad_body", request("POST", ACCEPT, &[host, json], deep)),
        ("400 bad_body", request("POST", ACCEPT, &[host, json], vec![0xff, 0xfe])),
        ("400 bad_body", request("POST", ACCEPT, &[host, json], r#"{"version":1e400}"#)),
        ("400 bad_body", request("POST", ACCEPT, &[host, json], r#"{"version":99999999999999999999}"#)),
        ("400 bad_body", request("POST", ACCEPT, &[host, json], r#"{"version":1,"role":"admin"}"#)),
        ("400 bad_body", request("POST", ACCEPT, &[host, json], r#"{"version":1,"version":2}"#)),
        ("400 bad_body", request("POST", ACCEPT, &[host, json], r#"{"version":1,"by":"\u0000"}"#)),
        ("404 not_found", request("GET", "/api", &[host], "")),
        ("404 not_found", request("GET", "/api/v2/site", &[host], "")),
        ("404 not_found", request("GET", "/api/v1/site/", &[host], "")),
        ("404 not_found", request("GET", "/api/v1/../../etc/passwd", &[host], "")),
        ("404 not_found", request("GET", "/api/v1/points/%ff/%fe", &[host], "")),
        ("405 method_not_allowed", request("DELETE", "/api/v1/site", &[host], "")),
        ("405 method_not_allowed", request("POST", "/api/v1/site", &[host, json], "{}")),
        ("400 bad_parameter", request("GET", "/api/v1/points?limit=5&limit=6", &[host], "")),
        ("400 bad_parameter", request("GET", "/api/v1/events?after=%31%00", &[host], "")),
        ("400 bad_request", request("GET", "/api/v1/live", &[host], "")),
    ];
    for (nth, (expected, request)) in table.into_iter().enumerate() {
        let shown = format!("{nth}: {} {} {:?}", request.method(), request.uri(), request.headers());
        assert_eq!(app.ask(request).await.failure(), expected, "{shown}");
    }
}

fn endless() -> impl futures_util::Stream<Item = Result<&'static str, std::io::Error>> {
    futures_util::stream::repeat_with(|| Ok("          "))
}

#[tokio::test(start_paused = true)]
async fn a_request_is_named_and_the_name_cannot_forge_a_log_line() {
    let app = TestApp::start().await;
    let ask =
        |id: &'static str| request("GET", "/api/v1/none", &[("host", "localhost"), ("x-request-id", id)], "");
    let given = app.ask(ask("trace-7.a_B")).await;
    assert_eq!(given.headers["x-request-id"], "trace-7.a_B");
    let long: &'static str = Box::leak("x".repeat(65).into_boxed_str());
    for id in ["a b", "a\tb", "", "é", "\"}", long] {
        let answer = app.ask(ask(id)).await;
        assert_eq!(answer.failure(), "404 not_found");
        let made = answer.headers["x-request-id"].to_str().unwrap();
        assert!(made.starts_with(app.state.epoch()), "{id:?} became {made}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_answer_carries_the_safe_headers() {
    let app = TestApp::start().await;
    for path in ["/api/v1/site", "/api/v1/none", "/healthz", "/metrics"] {
        let headers = app.get(path).await.headers;
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["x-frame-options"], "DENY", "{path}");
        assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
        assert_eq!(headers["cross-origin-resource-policy"], "same-origin", "{path}");
        assert_eq!(headers["cache-control"], "no-store", "{path}");
        assert!(!headers.contains_key("access-control-allow-origin"), "{path}");
    }
    let refused = app.post("/api/v1/site", json!({})).await;
    assert_eq!(refused.headers["allow"], "GET,HEAD");
}

#[tokio::test(start_paused = true)]
async fn json_is_compressed_for_who_asks() {
    let app = TestApp::start().await;
    let ask = |path: &str| request("GET", path, &[("host", "localhost"), ("accept-encoding", "gzip")], "");
    let answer = app.ask(ask("/api/v1/openapi.json")).await;
    assert_eq!(answer.headers["content-encoding"], "gzip");
    assert_eq!(answer.body[..2], [0x1f, 0x8b]);
    let small = app.ask(ask("/healthz")).await;
    assert!(!small.headers.contains_key("content-encoding"));
}

async fn broken() -> &'static str {
    panic!("a fault in a handler")
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_one_failed_request() {
    let app = TestApp::start().await;
    let router = plantroom::api::shell(axum::Router::new().route("/broken", get(broken)), app.state.clone());
    let app = app.with_router(|api| api.merge(router));
    let answer = app.get("/broken").await;
    assert_eq!(answer.failure(), "500 internal");
    assert!(!answer.text().contains("fault"), "{}", answer.text());
    assert_eq!(app.get("/healthz").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn whoever_mounts_the_api_has_the_rest() {
    let app = TestApp::start().await;
    let app = app.with_router(|api| api.fallback(async || "the page"));
    assert_eq!(app.get("/alarms").await.text(), "the page");
    assert_eq!(app.get("/api/none").await.failure(), "404 not_found");
    assert_eq!(app.get("/apiary").await.text(), "the page");
}
