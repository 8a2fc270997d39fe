//! GET /api/v1/live, over a real socket

use super::app::{START, TestApp, decimal};
use futures_util::{SinkExt, StreamExt};
use plantroom::point::Value as PointValue;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// Far more than anything here takes; a test that hangs fails.
const PATIENCE: Duration = Duration::from_secs(30);

struct Client(WebSocketStream<TcpStream>);

impl Client {
    async fn open(port: u16, origin: Option<&str>) -> Result<Client, Error> {
        let mut request = format!("ws://127.0.0.1:{port}/api/v1/live").into_client_request().unwrap();
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().unwrap());
        }
        let socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        client_async(request, socket).await.map(|(client, _)| Client(client))
    }

    async fn say(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    async fn hear(&mut self) -> Message {
        timeout(PATIENCE, self.0.next()).await.unwrap().unwrap().unwrap()
    }

    /// The next message that is no heartbeat.
    async fn next(&mut self) -> Value {
        loop {
            let message: Value = serde_json::from_str(self.hear().await.to_text().unwrap()).unwrap();
            if message["t"] != "hb" {
                return message;
            }
        }
    }

    /// Until the server says goodbye.
    async fn goodbye(&mut self) -> CloseCode {
        loop {
            if let Message::Close(frame) = self.hear().await {
                return frame.unwrap().code;
            }
        }
    }
}

/// Serves an app on a port of its own until it stops; gives the port and the server's end.
async fn serve(app: &TestApp) -> (u16, impl Future<Output = ()> + use<>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (router, stop) = (app.router.clone(), app.stop.clone());
    let server = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
    (port, async move { server.await.unwrap() })
}

#[tokio::test]
async fn a_conversation_from_hello_to_goodbye() {
    let app = TestApp::start().await;
    let (port, server) = serve(&app).await;
    let mut servers = tokio::task::JoinSet::new();
    servers.spawn(server);
    app.read("fan/speed", PointValue::F64(20.5), START).await;

    let origin = format!("http://127.0.0.1:{port}");
    let mut client = Client::open(port, Some(&origin)).await.unwrap();
    client.say(json!({"t": "sub", "id": 1, "points": "*"})).await;
    assert_eq!(client.next().await["code"], "hello_first");
    client.say(json!({"t": "hello", "v": 2, "epoch": null, "seq": null})).await;
    let hi = client.next().await;
    assert_eq!((&hi["t"], &hi["epoch"], &hi["seq"]), (&json!("hi"), &json!(app.state.epoch()), &json!(0)));
    assert_eq!(app.state.live().connections(), 1);

    client.say(json!({"t": "sub", "id": 3, "points": ["fan/speed", "fan/running"], "min_ms": 100})).await;
    let snap = client.next().await;
    assert_eq!(
        (&snap["t"], &snap["id"], &snap["v"], &snap["q"]),
        (&json!("snap"), &json!(3), &json!([20.5, null]), &json!([0, 2]))
    );

    app.read("fan/running", PointValue::Bool(true), START.plus_ms(9)).await;
    let change = client.next().await;
    let told = change["d"].as_array().unwrap();
    assert_eq!(
        (&change["t"], &change["id"], &told[..], &change["q"]),
        (&json!("d"), &json!(3), &[json!(1), json!(true)][..], &json!([0, null, 1]))
    );
    assert_eq!(change["now"].as_i64().unwrap() + change["at"][0].as_i64().unwrap(), START.0 + 9);

    // Hidden: events go on, values do not. Shown again: a snapshot.
    client.say(json!({"t": "vis", "hidden": true})).await;
    client.say(json!({"t": "nonsense"})).await;
    assert_eq!(client.next().await["code"], "bad_message");
    app.read("fan/speed", PointValue::F64(21.5), START.plus_ms(20)).await;
    app.read("manifold/pressure", decimal("399"), START.plus_ms(30)).await;
    let kinds = [client.next().await["kind"].take(), client.next().await["kind"].take()];
    assert_eq!(kinds, ["alarm.raised", "work_order.opened"]);
    client.say(json!({"t": "vis", "hidden": false})).await;
    assert_eq!(client.next().await["v"], json!([21.5, true]));

    app.stop.cancel();
    assert_eq!(client.goodbye().await, CloseCode::Away);
    timeout(PATIENCE, servers.join_next()).await.unwrap().unwrap().unwrap();
    timeout(PATIENCE, app.state.live().drained()).await.unwrap();
}

#[tokio::test]
async fn a_client_that_comes_back_hears_what_it_missed() {
    let app = TestApp::start().await;
    let (port, server) = serve(&app).await;
    let mut servers = tokio::task::JoinSet::new();
    servers.spawn(server);
    for n in 1..=3 {
        app.happen("test.happened", format!("thing:{n}")).await;
    }
    let mut client = Client::open(port, None).await.unwrap();
    client.say(json!({"t": "hello", "v": 2, "epoch": app.state.epoch(), "seq": 1})).await;
    assert_eq!(client.next().await["seq"], 3);
    assert_eq!(client.next().await["seq"], 2);
    assert_eq!(client.next().await["seq"], 3);

    // It knew another process: what it holds is of another time.
    client.say(json!({"t": "hello", "v": 2, "epoch": "other", "seq": 1})).await;
    assert_eq!(client.next().await["t"], "hi");
    assert_eq!(client.next().await["t"], "resync");
    app.happen("test.happened", "thing:4".to_owned()).await;
    assert_eq!(client.next().await["seq"], 4);
}

#[tokio::test]
async fn foreign_pages_and_wrong_frames_are_shown_out() {
    let app = TestApp::start().await;
    let (port, server) = serve(&app).await;
    let mut servers = tokio::task::JoinSet::new();
    servers.spawn(server);

    for origin in ["http://evil.example", "null", "http://localhost"] {
        match Client::open(port, Some(origin)).await {
            Err(Error::Http(response)) => assert_eq!(response.status(), 403, "{origin}"),
            other => panic!("{origin}: {:?}", other.map(|_| ())),
        }
    }
    let mut client = Client::open(port, None).await.unwrap();
    client.0.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    assert_eq!(client.goodbye().await, CloseCode::Unsupported);

    let mut client = Client::open(port, None).await.unwrap();
    let huge = format!("{{\"t\":\"hello\",\"v\":1,\"epoch\":\"{}\"}}", "x".repeat(1 << 20));
    // The server may have closed before all of it is sent.
    let _refused = client.0.send(Message::text(huge)).await;
    let end = timeout(PATIENCE, client.0.next()).await.unwrap();
    assert!(!matches!(end, Some(Ok(Message::Text(_)))), "{end:?}");
}
