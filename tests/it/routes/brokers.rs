//! GET /api/v1/brokers, .../{id}/topics, .../{id}/messages

use super::app::{Answer, START, TestApp};
use super::plant::plan;
use futures_util::{SinkExt, StreamExt};
use plantroom::config::{self, Plan};
use plantroom::field::mqtt::wire::{
    Codec, ConnAck, ConnectReturnCode, Packet, Publish, QoS, SubAck, SubscribeReasonCode,
};
use plantroom::field::mqtt::{Metrics, Source};
use plantroom::point::PointId;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::codec::Framed;
use tokio_util::sync::CancellationToken;

/// Topics as a configuration has them.
fn topics() -> Vec<config::Topic> {
    let text = "[[mqtt.topics]]\ntopic = \"plant/{asset}/telemetry\"\n[[mqtt.topics.values]]\nquantity = \"speed\"\n\
        pointer = \"/hz\"\nassets = [\"fan\"]\nunit = \"Hz\"\n";
    let tried = config::topics_of(text, &jiff::tz::TimeZone::UTC).unwrap();
    tried.into_iter().map(|tried| tried.topic).collect()
}

fn broker(port: u16) -> config::Broker {
    config::Broker {
        id: "wards".parse().unwrap(),
        host: "127.0.0.1".into(),
        port,
        client_id: "plantroom-test".into(),
        login: Some(config::Login {
            username: "gateway".into(),
            password: config::Secret::new("s3cret".into()),
        }),
        tls: None,
        silent_after_ms: 300_000,
        message_bytes_max: 1 << 20,
        will: None,
        topics: topics(),
    }
}

fn plan_with(port: u16) -> Plan {
    Plan { brokers: vec![broker(port)], ..plan() }
}

/// A broker's end of the one connection, taken as far as the answered subscription.
struct Peer(Framed<TcpStream, Codec>);

impl Peer {
    async fn accept(listener: &TcpListener) -> Peer {
        let (socket, _) = listener.accept().await.unwrap();
        let codec = Codec { max_incoming_size: 1 << 20, max_outgoing_size: 32 << 20 };
        let mut peer = Peer(Framed::new(socket, codec));
        assert!(matches!(peer.read().await, Packet::Connect(_)));
        peer.send(Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, false))).await;
        let Packet::Subscribe(subscribe) = peer.read().await else { panic!("no subscription") };
        let granted = vec![SubscribeReasonCode::Success(QoS::AtLeastOnce); subscribe.filters.len()];
        peer.send(Packet::SubAck(SubAck::new(subscribe.pkid, granted))).await;
        peer
    }

    async fn read(&mut self) -> Packet {
        self.0.next().await.unwrap().unwrap()
    }

    async fn send(&mut self, packet: Packet) {
        self.0.send(packet).await.unwrap();
    }

    /// Sends a message that no point is waiting for; returns when it is acknowledged, so known.
    async fn publish(&mut self, pkid: u16, topic: &str, payload: &[u8]) {
        let mut publish = Publish::new(topic, QoS::AtLeastOnce, payload.to_vec());
        publish.pkid = pkid;
        self.send(Packet::Publish(publish)).await;
        assert!(matches!(self.read().await, Packet::PubAck(ack) if ack.pkid == pkid));
    }
}

/// A source as `runtime` runs one; shut down, it is dropped where it stands, as by a panic. What it
/// hands up counts as on disk at once.
fn listen_to(app: &TestApp, port: u16) -> JoinSet<()> {
    let (mut tasks, (tx, mut rx)) = (JoinSet::new(), mpsc::channel(16));
    tasks.spawn(async move { while rx.recv().await.is_some() {} });
    let points = BTreeMap::from([("fan/speed".parse().unwrap(), PointId(3))]);
    let plan = broker(port);
    let source = Source::build(&plan, &points, app.clock.clone(), tx, &Metrics::default()).unwrap();
    let heard = app.brokers.follow(&plan.id, source.status());
    tasks.spawn(async move {
        source.run(CancellationToken::new()).await;
        drop(heard);
    });
    tasks
}

async fn only_broker(app: &TestApp) -> Value {
    app.get("/api/v1/brokers").await.json()["items"][0].take()
}

async fn messages(app: &TestApp, topic: &str) -> Answer {
    app.get(&format!("/api/v1/brokers/wards/messages?topic={topic}")).await
}

#[tokio::test(start_paused = true)]
async fn a_broker_nobody_listens_to_yet_is_listed_without_its_secrets() {
    let app = TestApp::start_with(plan_with(1883)).await;
    let answer = app.get("/api/v1/brokers").await;
    assert_eq!(
        answer.json(),
        json!({"now": START.0, "items": [{
            "id": "wards", "address": "127.0.0.1:1883", "client_id": "plantroom-test",
            "tls": false, "running": false, "connected": false, "since": null, "reason": null, "subscribed": false,
            "silent_after_ms": 300_000, "silent_since": null, "sessions_lost": 0, "gap": null,
            "topics": ["plant/{asset}/telemetry"], "refused": [], "last_message_at": null, "messages": 0,
            "connections": 0, "unmapped": [], "unmapped_unlisted": 0,
        }]})
    );
    assert!(!answer.text().contains("s3cret") && !answer.text().contains("gateway"));
    let topics = app.get("/api/v1/brokers/wards/topics").await.json();
    assert_eq!(topics, json!({"now": START.0, "items": [], "unlisted": 0}));
    assert_eq!(messages(&app, "a/b").await.json()["items"], json!([]));
}

#[tokio::test]
async fn what_came_is_shown_with_what_became_of_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let app = TestApp::start_with(plan_with(port)).await;
    let mut source = listen_to(&app, port);
    let mut peer = Peer::accept(&listener).await;
    peer.publish(1, "plant/pump-9/telemetry", b"{\"hz\":50}").await;
    peer.publish(2, "plant/pump-9/telemetry", &[0xff, 0x00]).await;
    // QoS 1 is acknowledged when it is on disk, which is never here: a known one comes with QoS 0.
    peer.send(Packet::Publish(Publish::new("plant/fan/telemetry", QoS::AtMostOnce, b"{\"hz\":1}".to_vec())))
        .await;
    peer.publish(3, "plant/pump-9/telemetry", b"x").await;

    let broker = only_broker(&app).await;
    assert_eq!(
        (&broker["running"], &broker["connected"], &broker["subscribed"]),
        (&json!(true), &json!(true), &json!(true))
    );
    assert_eq!((&broker["messages"], &broker["connections"]), (&json!(4), &json!(1)));
    assert_eq!(broker["reason"], Value::Null);
    let unmapped = &broker["unmapped"][0];
    assert_eq!(
        (&unmapped["topic"], &unmapped["address"], &unmapped["count"]),
        (&json!("plant/pump-9/telemetry"), &json!("pump-9/speed"), &json!(3))
    );

    let topics = app.get("/api/v1/brokers/wards/topics").await.json();
    let kinds: Vec<_> =
        topics["items"].as_array().unwrap().iter().map(|one| (&one["topic"], &one["fate"]["kind"])).collect();
    assert_eq!(
        kinds,
        [
            (&json!("plant/fan/telemetry"), &json!("taken")),
            (&json!("plant/pump-9/telemetry"), &json!("unmapped"))
        ]
    );
    let items = messages(&app, "plant/pump-9/telemetry").await.json()["items"].take();
    let shown: Vec<_> =
        items.as_array().unwrap().iter().map(|one| (&one["text"], &one["hex"], &one["bytes"])).collect();
    let null = &Value::Null;
    assert_eq!(
        shown,
        [
            (&json!("x"), null, &json!(1)),
            (null, &json!("ff 00"), &json!(2)),
            (&json!("{\"hz\":50}"), null, &json!(9))
        ]
    );
    assert_eq!(items[0]["fate"]["address"], "pump-9/speed");
    let taken = messages(&app, "plant/fan/telemetry").await.json()["items"][0]["fate"].take();
    assert_eq!(taken, json!({"kind": "taken", "samples": 1, "failed": 0, "why": null}));

    // A source that ended looks dead, and what it had seen can still be read.
    source.shutdown().await;
    let broker = only_broker(&app).await;
    assert_eq!(
        (&broker["running"], &broker["connected"], &broker["subscribed"]),
        (&json!(false), &json!(false), &json!(false))
    );
    assert_eq!(messages(&app, "plant/pump-9/telemetry").await.json()["items"].as_array().unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_question_is_pointed_at() {
    let app = TestApp::start_with(plan_with(1883)).await;
    for (path, failure) in [
        ("none/topics", "404 not_found"),
        ("none/messages?topic=a", "404 not_found"),
        ("WARDS/topics", "404 not_found"),
        ("%00/topics", "404 not_found"),
        ("wards/messages", "400 bad_parameter"),
        ("wards/messages?topic=a&topic=b", "400 bad_parameter"),
        ("wards/messages?topics=a", "400 bad_parameter"),
    ] {
        assert_eq!(app.get(&format!("/api/v1/brokers/{path}")).await.failure(), failure, "{path}");
    }
    let long = "w".repeat(5_000);
    let answer = app.get(&format!("/api/v1/brokers/{long}/topics")).await;
    assert!(answer.words().len() < 200, "{}", answer.words());
    for topic in ["", "%00", "a%2Fb%23", long.as_str()] {
        assert_eq!(messages(&app, topic).await.json()["items"], json!([]), "{topic}");
    }
}
