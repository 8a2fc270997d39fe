//! GET /api/v1/stream

use super::app::{START, TestApp, decimal};
use axum::body::{Body, BodyDataStream};
use axum::http::Request;
use futures_util::StreamExt;
use plantroom::point::Quality;
use serde_json::{Value, json};
use std::time::Duration;
use tower::ServiceExt;

/// The client's end of a stream.
pub(super) struct Client {
    body: BodyDataStream,
    text: String,
}

impl Client {
    pub(super) async fn open(app: &TestApp, query: &str, last_event: Option<&str>) -> Client {
        let mut request = Request::get(format!("/api/v1/stream{query}")).header("host", "localhost:8080");
        if let Some(id) = last_event {
            request = request.header("last-event-id", id);
        }
        let response = app.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        Client { body: response.into_body().into_data_stream(), text: String::new() }
    }

    /// The next message as it stands on the wire, with its `id:`; none at the end.
    async fn raw(&mut self) -> Option<(Option<i64>, String)> {
        loop {
            if let Some((message, rest)) = self.text.split_once("\n\n") {
                let field = |name| message.lines().find_map(|line| line.strip_prefix(name));
                let found =
                    (field("id: ").map(|id| id.parse().unwrap()), field("data: ").unwrap().to_owned());
                self.text = rest.to_owned();
                return Some(found);
            }
            self.text += std::str::from_utf8(&self.body.next().await?.unwrap()).unwrap();
        }
    }

    /// The next message that is no heartbeat.
    pub(super) async fn next(&mut self) -> Value {
        loop {
            let message: Value = serde_json::from_str(&self.raw().await.unwrap().1).unwrap();
            if message["t"] != "hb" {
                return message;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn greets_shows_what_is_and_then_what_changes() {
    let app = TestApp::start().await;
    app.read("manifold/pressure", decimal("412.50"), START).await;
    let mut client = Client::open(&app, "?points=manifold/pressure,fan/speed&min_ms=1000", None).await;
    let mut hi = client.next().await;
    assert!(hi["now"].take().as_i64().unwrap() >= START.0);
    assert_eq!(
        hi,
        json!({"t": "hi", "epoch": app.state.epoch(), "now": null, "seq": 0, "tz": "Asia/Shanghai", "build": "b1"})
    );
    let (_, snap) = client.raw().await.unwrap();
    let expected = r#""points":["manifold/pressure","fan/speed"],"v":[412.50,null],"q":[0,2],"r":[null,"initial"],"at":["#;
    assert!(snap.starts_with(r#"{"t":"snap","id":1,"now":"#) && snap.contains(expected), "{snap}");

    // Three values within one tick: only the newest is told, with its exact digits.
    for text in ["413.00", "413.10", "413.20"] {
        app.sense("manifold/pressure", Some(decimal(text)), Quality::Good, START.plus_ms(50)).await;
    }
    let (_, change) = client.raw().await.unwrap();
    assert!(
        change.starts_with(r#"{"t":"d","id":1,"now":"#) && change.contains(r#""d":[0,413.20],"at":[-"#),
        "{change}"
    );
}

#[tokio::test(start_paused = true)]
async fn beats_every_five_seconds_when_nothing_happens() {
    let app = TestApp::start().await;
    let mut client = Client::open(&app, "", None).await;
    assert_eq!(client.next().await["t"], "hi");
    let mut before = app.clock.utc().0;
    for _ in 0..3 {
        let beat: Value = serde_json::from_str(&client.raw().await.unwrap().1).unwrap();
        assert_eq!((&beat["t"], beat["now"].as_i64().unwrap() - before), (&json!("hb"), 5_000));
        before += 5_000;
    }
}

#[tokio::test(start_paused = true)]
async fn events_come_in_order_and_none_is_missing() {
    let app = TestApp::start().await;
    for n in 1..=1_300 {
        app.happen("test.happened", format!("thing:{n}")).await;
    }
    let mut late = Client::open(&app, "?after=0", None).await;
    // What a browser says when it comes back goes before what its page said at first.
    let mut back = Client::open(&app, "?after=0", Some("1290")).await;
    let mut new = Client::open(&app, "", None).await;
    for client in [&mut late, &mut back, &mut new] {
        assert_eq!(client.next().await["seq"], 1_300);
    }
    for n in 1_301..=1_305 {
        app.happen("test.happened", format!("thing:{n}")).await;
    }
    for (client, from) in [(&mut late, 1), (&mut back, 1_291), (&mut new, 1_301)] {
        for n in from..=1_305 {
            let (id, event) = loop {
                let (id, text) = client.raw().await.unwrap();
                if id.is_some() {
                    break (id, serde_json::from_str::<Value>(&text).unwrap());
                }
            };
            assert_eq!((id, &event["seq"], &event["t"]), (Some(n), &json!(n), &json!("ev")));
            assert_eq!(event["subject"], format!("thing:{n}"));
            assert_eq!(event["body"], json!({"of": format!("thing:{n}")}));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_alarm_is_told_within_a_second_of_its_reading() {
    let app = TestApp::start().await;
    let mut client = Client::open(&app, "", None).await;
    assert_eq!(client.next().await["t"], "hi");
    let before = app.clock.mono();
    app.sense("manifold/pressure", Some(decimal("399")), Quality::Good, START).await;
    let kinds = [client.next().await["kind"].take(), client.next().await["kind"].take()];
    assert_eq!(kinds, ["alarm.raised", "work_order.opened"]);
    assert!(app.clock.mono().since_ms(before) < 1_000);
}

#[tokio::test(start_paused = true)]
async fn a_client_from_another_time_is_told_to_begin_again() {
    let app = TestApp::start().await;
    app.happen("test.happened", "thing:1".to_owned()).await;
    let mut client = Client::open(&app, "", Some("7")).await;
    assert_eq!(client.next().await["t"], "hi");
    assert_eq!(client.next().await["t"], "resync");
    app.happen("test.happened", "thing:2".to_owned()).await;
    assert_eq!(client.next().await["seq"], 2);
}

#[tokio::test(start_paused = true)]
async fn ends_when_plantroom_stops() {
    let app = TestApp::start().await;
    let mut client = Client::open(&app, "?points=*", None).await;
    app.stop.cancel();
    assert_eq!(client.raw().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_let_go() {
    let app = TestApp::start().await;
    let mut client = Client::open(&app, "", None).await;
    assert_eq!(client.next().await["t"], "hi");
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(client.raw().await, None);
    assert_eq!(app.state.live().connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_question_is_pointed_at() {
    let app = TestApp::start().await;
    for (query, failure) in [
        ("points=fan/none", "400 unknown_point"),
        ("points=*&min_ms=99", "400 bad_min_ms"),
        ("min_ms=x", "400 bad_parameter"),
        ("after=-1", "400 bad_parameter"),
        ("epoch=1", "400 bad_parameter"),
    ] {
        assert_eq!(app.get(&format!("/api/v1/stream?{query}")).await.failure(), failure, "{query}");
    }
    assert_eq!(app.state.live().connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn there_is_room_for_so_many_and_no_more() {
    let app = TestApp::start().await;
    let mut clients = Vec::new();
    for _ in 0..256 {
        clients.push(Client::open(&app, "", None).await);
    }
    assert_eq!(app.get("/api/v1/stream").await.failure(), "503 too_many_connections");
    clients.pop();
    clients.push(Client::open(&app, "", None).await);
}
