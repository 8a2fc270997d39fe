//! The whole source against a scripted broker on a loopback socket: what a broker does on the
//! wire is written down step by step, and so is when readings become durable.
//!
//! No test measures time. Where the protocol itself needs some (a ping), the test waits for the
//! packet.

use super::client::wire::{
    Codec, ConnAck, Connect, ConnectReturnCode, Packet, PubAck, Publish, QoS, SubAck, Subscribe,
    SubscribeReasonCode,
};
use super::metrics::{BrokerMetrics, Metrics};
use super::status::StatusHandle;
use super::task::{INBOX_MAX, RETAINED_ERROR_MS, Source, Timing};
use crate::clock::Clock;
use crate::config::{self, Broker, Login, Secret, topics_of};
use crate::field::{Fault, FieldBatch, Raw};
use crate::point::{Address, PointId, Value};
use futures_util::{SinkExt, StreamExt};
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::codec::Framed;
use tokio_util::sync::CancellationToken;

/// Long enough that only a hang reaches it.
const HANG: Duration = Duration::from_mins(1);
const TOPIC: &str = "plant/ward-3/telemetry";
/// What the source listens to.
const TOPICS: &str = r#"
[[topics]]
topic = "plant/{asset}/telemetry"
[[topics.values]]
quantity = "temperature"
pointer = "/t"
assets = ["ward-3"]
unit = "Cel"

[[topics]]
topic = "lift/{asset}/floor"
[[topics.values]]
quantity = "floor"
assets = ["lift-1"]
unit = "1"
"#;
/// Timers end on whole milliseconds; so much more and one has surely ended.
const TICK: Duration = Duration::from_millis(10);
/// How long a broker of these tests may say nothing.
const SILENT_AFTER: Duration = Duration::from_secs(15);
/// The longest message the plan of these tests allows.
const MESSAGE_MAX: usize = 1 << 20;

/// Runs a source beside a script; the script's end stops it.
async fn with_source(plant: Plant, script: impl Future<Output = ()>) {
    let script = Box::pin(script);
    let stop = CancellationToken::new();
    let script = async {
        script.await;
        stop.cancel();
    };
    let both = async { tokio::join!(plant.source.run(stop.clone()), script) };
    tokio::time::timeout(HANG, both).await.expect("hangs");
}

struct Plant {
    source: Source,
    status: StatusHandle,
    metrics: BrokerMetrics,
    readings: mpsc::Receiver<FieldBatch>,
}

const QUICK: Timing = Timing {
    keep_alive: Duration::from_secs(30),
    pause_min: Duration::from_millis(1),
    pause_max: Duration::from_millis(5),
    lost_grace: Duration::from_secs(30),
};

fn plant(listener: &TcpListener, capacity: usize, timing: Timing) -> Plant {
    let plan = Broker {
        id: "wards".parse().unwrap(),
        host: "127.0.0.1".to_owned(),
        port: listener.local_addr().unwrap().port(),
        client_id: "plantroom-test".to_owned(),
        login: Some(Login { username: "gateway".to_owned(), password: Secret::new("s3cret".to_owned()) }),
        tls: None,
        silent_after_ms: u64::try_from(SILENT_AFTER.as_millis()).unwrap(),
        message_bytes_max: MESSAGE_MAX,
        will: Some("plantroom/test/state".to_owned()),
        topics: topics_of(TOPICS, &TimeZone::UTC).unwrap().into_iter().map(|tried| tried.topic).collect(),
    };
    let known = [("ward-3/temperature", 1), ("lift-1/floor", 2)];
    let points: BTreeMap<Address, PointId> =
        known.into_iter().map(|(text, id)| (text.parse().unwrap(), PointId(id))).collect();
    let metrics = Metrics::default();
    let (tx, readings) = mpsc::channel(capacity);
    let source = Source::build_with(&plan, &points, Clock::system(), tx, &metrics, timing).unwrap();
    Plant { status: source.status(), metrics: metrics.of("wards"), source, readings }
}

/// The receiving end, for a script that runs beside the source.
fn take_readings(plant: &mut Plant) -> mpsc::Receiver<FieldBatch> {
    std::mem::replace(&mut plant.readings, mpsc::channel(1).1)
}

async fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// One connection, seen from the broker.
struct Peer(Framed<TcpStream, Codec>);

impl Peer {
    /// Takes a connection as far as the answered subscription.
    async fn accept(listener: &TcpListener, session_present: bool) -> Peer {
        let mut peer = Peer::knock(listener).await;
        peer.send(Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, session_present))).await;
        let Packet::Subscribe(Subscribe { pkid, filters }) = peer.read().await else {
            panic!("subscribes on every CONNACK, session or not");
        };
        let paths: Vec<_> = filters.iter().map(|filter| (filter.path.as_str(), filter.qos)).collect();
        assert_eq!(paths, [("lift/+/floor", QoS::AtLeastOnce), ("plant/+/telemetry", QoS::AtLeastOnce)]);
        let granted = vec![SubscribeReasonCode::Success(QoS::AtLeastOnce); 2];
        peer.send(Packet::SubAck(SubAck::new(pkid, granted))).await;
        peer
    }

    /// Takes a further subscription.
    async fn subscribed(&mut self) {
        let packet = self.read().await;
        let Packet::Subscribe(Subscribe { pkid, .. }) = packet else { panic!("{packet:?} is no SUBSCRIBE") };
        let granted = vec![SubscribeReasonCode::Success(QoS::AtLeastOnce); 2];
        self.send(Packet::SubAck(SubAck::new(pkid, granted))).await;
    }

    /// Takes a connection as far as its CONNECT.
    async fn knock(listener: &TcpListener) -> Peer {
        let (socket, _) = listener.accept().await.unwrap();
        // Otherwise a second small packet waits for the answer to the first.
        socket.set_nodelay(true).unwrap();
        let codec = Codec { max_incoming_size: 1 << 20, max_outgoing_size: 32 << 20 };
        let mut peer = Peer(Framed::new(socket, codec));
        let Packet::Connect(Connect { clean_session, client_id, login, last_will, .. }) = peer.read().await
        else {
            panic!("a connection begins with CONNECT");
        };
        let will = last_will.unwrap();
        assert_eq!(
            (will.topic.as_str(), will.qos, will.retain),
            ("plantroom/test/state", QoS::AtLeastOnce, false)
        );
        assert_eq!(will.message, r#"{"client":"plantroom-test","state":"gone"}"#);
        assert!(!clean_session, "the session is to be kept");
        assert_eq!(client_id, "plantroom-test");
        let login = login.unwrap();
        assert_eq!((login.username.as_str(), login.password.as_str()), ("gateway", "s3cret"));
        peer
    }

    async fn send(&mut self, packet: Packet) {
        self.0.send(packet).await.unwrap();
    }

    async fn read(&mut self) -> Packet {
        self.0.next().await.expect("the source hung up").unwrap()
    }

    /// A QoS 1 message; `packet` 0 makes it QoS 0.
    async fn publish(&mut self, packet: u16, dup: bool, topic: &str, payload: &str) {
        self.0.send(Packet::Publish(message(packet, dup, topic, payload))).await.unwrap();
    }

    /// The next acknowledgement.
    async fn acked(&mut self) -> u16 {
        match self.read().await {
            Packet::PubAck(PubAck { pkid }) => pkid,
            other => panic!("{other:?} instead of an acknowledgement"),
        }
    }
}

/// Waits without ever being idle, so that a paused clock stands still meanwhile: the sockets are
/// real, and virtual time would run ahead of them.
async fn standing_still<T>(what: impl Future<Output = T>) -> T {
    let never = async {
        loop {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        done = what => done,
        () = never => unreachable!("never ends"),
    }
}

fn message(packet: u16, dup: bool, topic: &str, payload: &str) -> Publish {
    let qos = if packet == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
    let mut publish = Publish::new(topic, qos, payload);
    publish.pkid = packet;
    publish.dup = dup;
    publish
}

fn celsius(tenths: usize) -> String {
    format!("{{\"t\":{}.{}}}", tenths / 10, tenths % 10)
}

/// The number a batch carries.
fn number(batch: &FieldBatch) -> String {
    match &batch.samples[..] {
        [sample] => match &sample.raw {
            Ok(Raw::Value(Value::Decimal(decimal))) => decimal.to_string(),
            other => format!("{other:?}"),
        },
        others => panic!("{} samples", others.len()),
    }
}

fn commit(batch: FieldBatch) {
    batch.ack.expect("QoS 1 carries a handle").commit();
}

#[tokio::test]
async fn tcp_dropped_with_the_session_kept_40_of_40_arrive_and_are_acknowledged() {
    let listener = listen().await;
    let mut plant = plant(&listener, 8, QUICK);
    let mut readings = take_readings(&mut plant);
    let metrics = plant.metrics.clone();
    let (done_tx, mut done) = mpsc::channel::<()>(1);
    let script = async {
        let mut waiting: Vec<usize> = (0..40).collect();
        let mut session = false;
        // A window of 20 and a connection that breaks after every 7 acknowledgements.
        while !waiting.is_empty() {
            let mut peer = Peer::accept(&listener, session).await;
            let window: Vec<usize> = waiting.iter().copied().take(20).collect();
            for serial in &window {
                let packet = u16::try_from(*serial).unwrap() + 1;
                peer.publish(packet, session, TOPIC, &celsius(*serial)).await;
            }
            for _ in 0..window.len().min(7) {
                let serial = usize::from(peer.acked().await) - 1;
                assert_eq!(waiting.remove(0), serial, "in the order of arrival");
            }
            session = true;
        }
        drop(done_tx);
    };
    let store = async {
        let mut durable = BTreeSet::new();
        loop {
            tokio::select! {
                Some(batch) = readings.recv() => {
                    durable.insert(number(&batch));
                    commit(batch);
                }
                _ = done.recv() => break,
            }
        }
        let all = (0..40).map(|serial| format!("{}.{}", serial / 10, serial % 10));
        assert_eq!(durable, all.collect());
    };
    with_source(plant, async {
        tokio::join!(script, store);
    })
    .await;
    assert!(metrics.connections.get() >= 6);
}

#[tokio::test]
async fn a_lost_session_is_subscribed_again_within_one_connack_and_its_gap_is_counted() {
    let listener = listen().await;
    let mut plant = plant(&listener, 8, QUICK);
    let mut readings = take_readings(&mut plant);
    let (metrics, status) = (plant.metrics.clone(), plant.status.clone());
    with_source(plant, async {
        for round in 0..3 {
            // `accept` demands SUBSCRIBE as the first packet after CONNACK.
            let mut peer = Peer::accept(&listener, false).await;
            peer.publish(0, false, "lift/lift-1/floor", &round.to_string()).await;
            let batch = readings.recv().await.unwrap();
            assert_eq!(number(&batch), round.to_string());
            assert!(batch.ack.is_none(), "nobody acknowledges QoS 0");
        }
        let status = status.get();
        assert_eq!((status.connections, status.messages, status.sessions_lost), (3, 3, 2));
        let gap = status.gap.unwrap();
        assert!(gap.from <= gap.to && gap.to == status.since, "{gap:?}");
    })
    .await;
    assert_eq!(metrics.sessions_lost.get(), 2);
}

/// A process that starts, and a broker that remembers, leave no gap.
#[tokio::test]
async fn a_session_that_is_kept_or_never_was_is_no_gap() {
    let listener = listen().await;
    let plant = plant(&listener, 8, QUICK);
    let (metrics, status) = (plant.metrics.clone(), plant.status.clone());
    with_source(plant, async {
        drop(Peer::accept(&listener, false).await);
        drop(Peer::accept(&listener, true).await);
        let _last = Peer::accept(&listener, true).await;
        assert_eq!((status.get().sessions_lost, status.get().gap), (0, None));
    })
    .await;
    assert_eq!((metrics.connections.get(), metrics.sessions_lost.get()), (3, 0));
}

#[tokio::test]
async fn killed_between_receive_and_commit_the_message_comes_again() {
    let listener = listen().await;
    let mut first = plant(&listener, 8, QUICK);
    let stop = CancellationToken::new();
    let script = async {
        let mut peer = Peer::accept(&listener, false).await;
        peer.publish(9, false, TOPIC, &celsius(215)).await;
        let batch = first.readings.recv().await.unwrap();
        (peer, batch)
    };
    // The kill: the future is dropped where it stands, with a message received and not durable.
    let (mut peer, batch) = tokio::select! {
        both = script => both,
        () = first.source.run(stop) => unreachable!("runs until stopped"),
    };
    assert_eq!(number(&batch), "21.5");
    assert!(peer.0.next().await.is_none_or(|end| end.is_err()), "no acknowledgement before the end");

    let mut second = plant(&listener, 8, QUICK);
    let mut readings = take_readings(&mut second);
    with_source(second, async {
        let mut peer = Peer::accept(&listener, true).await;
        peer.publish(9, true, TOPIC, &celsius(215)).await;
        // The handle of the dead driver says nothing to anyone.
        commit(batch);
        let again = readings.recv().await.unwrap();
        assert_eq!(number(&again), "21.5");
        commit(again);
        assert_eq!(peer.acked().await, 9);
    })
    .await;
}

#[tokio::test]
async fn a_reused_packet_id_is_never_acknowledged_for_another_message() {
    let listener = listen().await;
    let mut plant = plant(&listener, 64, QUICK);
    let mut readings = take_readings(&mut plant);
    let (metrics, status) = (plant.metrics.clone(), plant.status.clone());
    with_source(plant, async {
        let mut old = Vec::new();
        let mut peer = Peer::accept(&listener, false).await;
        for packet in 1..=20 {
            peer.publish(packet, false, TOPIC, &celsius(packet.into())).await;
            old.push(readings.recv().await.unwrap());
        }
        drop(peer);
        let mut peer = Peer::accept(&listener, false).await;
        let mut new = Vec::new();
        for packet in 1..=20 {
            peer.publish(packet, false, TOPIC, &celsius(500 + usize::from(packet))).await;
            new.push(readings.recv().await.unwrap());
        }
        // Stale: had one of them worked, its acknowledgement would come first.
        old.into_iter().for_each(commit);
        new.into_iter().rev().for_each(commit);
        for packet in 1..=20 {
            assert_eq!(peer.acked().await, packet);
        }
    })
    .await;
    assert_eq!((metrics.acks.get(), metrics.acks_stale.get()), (20, 20));
    assert_eq!((status.get().in_flight_max, metrics.in_flight_max.get()), (20, 20), "the window was full");
}

/// What was read before a connection ended, and not handed out, must not appear in the next one,
/// where its id may mean another message. (The crate alone delivers it after the next CONNACK.)
#[tokio::test]
async fn messages_of_a_dead_connection_do_not_appear_in_the_next() {
    let listener = listen().await;
    let mut plant = plant(&listener, 64, QUICK);
    let mut readings = take_readings(&mut plant);
    let metrics = plant.metrics.clone();
    with_source(plant, async {
        let mut peer = Peer::accept(&listener, false).await;
        // One write, then the end: the client reads messages and the end at once.
        for packet in 1..=5 {
            let publish = Packet::Publish(message(packet, false, TOPIC, &celsius(packet.into())));
            peer.0.feed(publish).await.unwrap();
        }
        peer.0.flush().await.unwrap();
        drop(peer);
        let mut peer = Peer::accept(&listener, false).await;
        peer.publish(1, false, TOPIC, &celsius(999)).await;
        let mut old = Vec::new();
        let new = loop {
            let batch = readings.recv().await.unwrap();
            if number(&batch) == "99.9" {
                break batch;
            }
            old.push(batch); // read in time: handed up in its own connection
        };
        old.into_iter().for_each(commit);
        peer.publish(2, false, "plant/nobody/telemetry", "{}").await;
        while metrics.unmapped.get() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(metrics.acks.get(), 0, "an old message took the place of a new one");
        commit(new);
        assert_eq!((peer.acked().await, peer.acked().await), (1, 2));
        assert!(readings.try_recv().is_err());
    })
    .await;
    assert_eq!(metrics.connections.get(), 2);
}

#[tokio::test]
async fn a_megabyte_is_read_and_more_is_said_counted_and_acknowledged() {
    let listener = listen().await;
    let mut plant = plant(&listener, 8, QUICK);
    let mut readings = take_readings(&mut plant);
    let (metrics, status) = (plant.metrics.clone(), plant.status.clone());
    with_source(plant, async {
        let mut peer = Peer::accept(&listener, false).await;
        let mut payload = celsius(42);
        payload.push_str(&" ".repeat(MESSAGE_MAX - payload.len()));
        peer.publish(1, false, TOPIC, &payload).await;
        payload.push(' ');
        peer.publish(2, false, TOPIC, &payload).await;
        // As long as the configuration can allow, and then some.
        payload.push_str(&" ".repeat(17 << 20));
        peer.publish(3, false, "plant/nobody/telemetry", &payload).await;
        let batch = readings.recv().await.unwrap();
        assert_eq!(number(&batch), "4.2");
        commit(batch);
        let batch = readings.recv().await.unwrap();
        assert_eq!(batch.samples[0].raw, Err(Fault::Decoding));
        commit(batch);
        assert_eq!([peer.acked().await, peer.acked().await, peer.acked().await], [1, 2, 3]);
    })
    .await;
    assert_eq!((metrics.too_long.get(), metrics.undecodable.get(), metrics.connections.get()), (2, 0, 1));
    assert_eq!(status.get().unmapped.len(), 1);
}

#[tokio::test]
async fn messages_without_a_reading_are_acknowledged_in_their_turn() {
    let listener = listen().await;
    let mut plant = plant(&listener, 8, QUICK);
    let mut readings = take_readings(&mut plant);
    let (status, metrics) = (plant.status.clone(), plant.metrics.clone());
    with_source(plant, async {
        let mut peer = Peer::accept(&listener, false).await;
        peer.publish(1, false, TOPIC, &celsius(1)).await;
        peer.publish(2, false, "plant/ward-9/telemetry", &celsius(2)).await;
        peer.publish(3, false, "lift/Lift 1/floor", "\u{1}").await;
        peer.publish(4, false, TOPIC, "not json").await;
        let first = readings.recv().await.unwrap();
        let unreadable = readings.recv().await.unwrap();
        assert_eq!(unreadable.samples[0].raw, Err(Fault::Decoding));
        commit(unreadable);
        commit(first);
        for packet in 1..=4 {
            assert_eq!(peer.acked().await, packet);
        }
        assert!(readings.try_recv().is_err());
    })
    .await;
    let unmapped = status.get().unmapped;
    let listed: Vec<_> =
        unmapped.iter().map(|seen| (seen.topic.as_str(), seen.address.as_deref().unwrap())).collect();
    assert_eq!(
        listed,
        [("lift/Lift 1/floor", "Lift 1/floor"), ("plant/ward-9/telemetry", "ward-9/temperature")]
    );
    assert_eq!((metrics.unmapped.get(), metrics.undecodable.get(), metrics.acks.get()), (2, 1, 4));
}

#[tokio::test]
async fn what_was_committed_while_away_is_acknowledged_and_not_passed_up_again() {
    let listener = listen().await;
    let mut plant = plant(&listener, 8, QUICK);
    let mut readings = take_readings(&mut plant);
    let (status, metrics) = (plant.status.clone(), plant.metrics.clone());
    with_source(plant, async {
        let mut peer = Peer::accept(&listener, false).await;
        peer.publish(1, false, TOPIC, &celsius(1)).await;
        let batch = readings.recv().await.unwrap();
        drop(peer);
        let peer = Peer::knock(&listener).await;
        assert!(!status.get().connected);
        commit(batch);
        drop(peer);
        let mut peer = Peer::accept(&listener, true).await;
        peer.publish(1, true, TOPIC, &celsius(1)).await;
        assert_eq!(peer.acked().await, 1);
        assert!(readings.try_recv().is_err());
    })
    .await;
    assert_eq!(metrics.duplicates.get(), 1);
}

#[tokio::test]
async fn with_readings_full_the_connection_stays_alive_and_nothing_is_acknowledged() {
    let listener = listen().await;
    let mut plant = plant(&listener, 1, Timing { keep_alive: Duration::from_secs(1), ..QUICK });
    let mut readings = take_readings(&mut plant);
    with_source(plant, async {
        let mut peer = Peer::accept(&listener, false).await;
        for packet in 1..=20 {
            peer.publish(packet, false, TOPIC, &celsius(packet.into())).await;
        }
        // Nothing but pings comes while `readings` takes nothing.
        for _ in 0..2 {
            assert_eq!(peer.read().await, Packet::PingReq);
            peer.send(Packet::PingResp).await;
        }
        for packet in 1..=20 {
            commit(readings.recv().await.unwrap());
            assert_eq!(peer.acked().await, packet);
        }
    })
    .await;
}

/// Waits for `what` while batches are taken from the source.
async fn beside<T>(
    what: impl Future<Output = T>,
    readings: &mut mpsc::Receiver<FieldBatch>,
    mut keep: impl FnMut(FieldBatch),
) -> T {
    let mut what = std::pin::pin!(what);
    loop {
        tokio::select! {
            done = &mut what => return done,
            Some(batch) = readings.recv() => keep(batch),
        }
    }
}

#[tokio::test]
async fn a_window_beyond_the_inbox_is_cut_off_and_nothing_is_lost() {
    let listener = listen().await;
    let mut plant = plant(&listener, 1, QUICK);
    let mut readings = take_readings(&mut plant);
    let (status, metrics) = (plant.status.clone(), plant.metrics.clone());
    let window = u16::try_from(INBOX_MAX).unwrap() + 500;
    with_source(plant, async {
        let mut peer = Peer::accept(&listener, false).await;
        for packet in 1..=window {
            let publish = Packet::Publish(message(packet, false, TOPIC, &celsius(packet.into())));
            if peer.0.feed(publish).await.is_err() {
                break; // cut off while writing
            }
        }
        let _cut_off_while_writing = peer.0.flush().await;
        let mut durable = BTreeSet::new();
        let mut keep = |batch: FieldBatch| {
            durable.insert(number(&batch));
            commit(batch);
        };
        while status.get().connected {
            keep(readings.recv().await.unwrap());
        }
        let mut peer = beside(Peer::accept(&listener, true), &mut readings, &mut keep).await;
        for packet in 1..=window {
            let payload = celsius(packet.into());
            beside(peer.publish(packet, true, TOPIC, &payload), &mut readings, &mut keep).await;
        }
        for packet in 1..=window {
            let acked = beside(peer.acked(), &mut readings, &mut keep).await;
            assert_eq!(acked, packet, "in the order of arrival");
        }
        assert_eq!(durable.len(), usize::from(window));
    })
    .await;
    assert_eq!((metrics.connections.get(), metrics.dropped.get()), (2, 0));
}

#[tokio::test]
async fn a_broker_that_answers_no_ping_is_left() {
    let listener = listen().await;
    let keep_alive = Duration::from_secs(5);
    let plant = plant(&listener, 8, Timing { keep_alive, ..QUICK });
    let status = plant.status.clone();
    with_source(
        plant,
        standing_still(async {
            let mut deaf = Peer::accept(&listener, false).await;
            while !status.get().subscribed {
                tokio::task::yield_now().await;
            }
            tokio::time::pause();
            tokio::time::advance(keep_alive + TICK).await;
            assert_eq!(deaf.read().await, Packet::PingReq);
            tokio::time::advance(keep_alive + TICK).await;
            assert!(deaf.0.next().await.is_none_or(|end| end.is_err()), "one ping, then the end");
            let reason = status.get().reason;
            assert_eq!(reason.as_deref(), Some("the broker does not answer pings"));
            tokio::time::resume();
            Peer::knock(&listener).await;
        }),
    )
    .await;
}

/// The subscription is gone at the broker, which answers pings and sends nothing.
#[tokio::test]
async fn a_silent_broker_is_said_subscribed_to_again_and_then_connected_anew() {
    let listener = listen().await;
    // No pings here: they have their own test.
    let timing = Timing { keep_alive: Duration::from_hours(8), ..QUICK };
    let mut plant = plant(&listener, 8, timing);
    let mut readings = take_readings(&mut plant);
    let (status, metrics) = (plant.status.clone(), plant.metrics.clone());
    with_source(
        plant,
        standing_still(async {
            let mut peer = Peer::accept(&listener, false).await;
            while !status.get().subscribed {
                tokio::task::yield_now().await;
            }
            assert_eq!(status.get().silent_since, None);
            tokio::time::pause();
            tokio::time::advance(SILENT_AFTER + TICK).await;
            peer.subscribed().await;
            assert!(status.get().silent_since.is_some());
            assert_eq!((metrics.silent.get(), metrics.silences.get()), (1, 1));
            // The retained last word comes for the new subscription; it is no sign of life.
            let mut kept = message(0, false, TOPIC, &celsius(1));
            kept.retain = true;
            peer.send(Packet::Publish(kept)).await;
            assert_eq!(readings.recv().await.unwrap().at_error_ms, RETAINED_ERROR_MS);
            assert!(status.get().silent_since.is_some());
            tokio::time::advance(2 * SILENT_AFTER + TICK).await;
            assert!(peer.0.next().await.is_none_or(|end| end.is_err()), "connected anew");
            tokio::time::resume();
            let mut peer = Peer::accept(&listener, true).await;
            peer.publish(0, false, TOPIC, &celsius(2)).await;
            assert_eq!(number(&readings.recv().await.unwrap()), "0.2");
            assert_eq!(status.get().silent_since, None);
        }),
    )
    .await;
    assert_eq!((metrics.silent.get(), metrics.silences.get(), metrics.connections.get()), (0, 1, 2));
}

#[tokio::test]
async fn a_lasting_loss_is_said_once_for_every_point_that_came_from_here() {
    let listener = listen().await;
    let timing = Timing { lost_grace: Duration::from_millis(20), ..QUICK };
    let mut plant = plant(&listener, 8, timing);
    let mut readings = take_readings(&mut plant);
    with_source(plant, async {
        let mut peer = Peer::accept(&listener, false).await;
        peer.publish(0, false, TOPIC, &celsius(1)).await;
        assert_eq!(number(&readings.recv().await.unwrap()), "0.1");
        drop(peer);
        drop(listener);
        let batch = readings.recv().await.unwrap();
        assert_eq!(batch.samples.len(), 1, "the lift has never spoken");
        assert_eq!(
            (batch.samples[0].point, batch.samples[0].raw.clone()),
            (PointId(1), Err(Fault::NoConnection))
        );
        assert!(batch.ack.is_none());
    })
    .await;
    assert!(readings.try_recv().is_err());
}

#[tokio::test]
async fn a_retained_message_may_be_of_any_age() {
    let listener = listen().await;
    let mut plant = plant(&listener, 8, QUICK);
    let mut readings = take_readings(&mut plant);
    with_source(plant, async {
        let mut peer = Peer::accept(&listener, false).await;
        let mut kept = message(0, false, TOPIC, &celsius(1));
        kept.retain = true;
        peer.send(Packet::Publish(kept)).await;
        peer.publish(0, false, TOPIC, &celsius(2)).await;
        let errors = [readings.recv().await.unwrap().at_error_ms, readings.recv().await.unwrap().at_error_ms];
        assert_eq!(errors, [RETAINED_ERROR_MS, 0]);
    })
    .await;
}

#[tokio::test]
async fn on_stop_open_acknowledgements_go_out_before_the_farewell() {
    let listener = listen().await;
    let mut plant = plant(&listener, 8, QUICK);
    let stop = CancellationToken::new();
    let running = plant.source.run(stop.clone());
    let script = async {
        let mut peer = Peer::accept(&listener, false).await;
        peer.publish(1, false, TOPIC, &celsius(1)).await;
        let batch = plant.readings.recv().await.unwrap();
        stop.cancel();
        tokio::task::yield_now().await;
        commit(batch);
        assert_eq!(peer.acked().await, 1);
        assert_eq!(peer.read().await, Packet::Disconnect);
    };
    tokio::time::timeout(HANG, async { tokio::join!(running, script) }).await.expect("hangs");
    assert!(!plant.status.get().connected);
}

#[tokio::test]
async fn refusals_are_named() {
    let listener = listen().await;
    let plant = plant(&listener, 8, QUICK);
    let status = plant.status.clone();
    with_source(plant, async {
        let mut peer = Peer::knock(&listener).await;
        let refused = ConnectReturnCode::BadUserNamePassword;
        peer.send(Packet::ConnAck(ConnAck::new(refused, false))).await;
        let mut peer = Peer::knock(&listener).await;
        let reason = status.get().reason.unwrap();
        assert_eq!(reason, "the broker refuses user name or password: see `login`");
        peer.send(Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, false))).await;
        let Packet::Subscribe(Subscribe { pkid, .. }) = peer.read().await else { panic!("no SUBSCRIBE") };
        let codes = vec![SubscribeReasonCode::Failure, SubscribeReasonCode::Success(QoS::AtLeastOnce)];
        peer.send(Packet::SubAck(SubAck::new(pkid, codes))).await;
        peer.publish(1, false, "plant/nobody/telemetry", "{}").await;
        assert_eq!(peer.acked().await, 1);
        assert_eq!(status.get().refused, ["lift/+/floor"]);
    })
    .await;
}

/// One source per broker: what one does is nothing to the other.
#[tokio::test]
async fn two_brokers_at_once_keep_their_messages_apart() {
    let (here, there) = (listen().await, listen().await);
    let (mut one, mut other) = (plant(&here, 8, QUICK), plant(&there, 8, QUICK));
    let (mut from_one, mut from_other) = (take_readings(&mut one), take_readings(&mut other));
    let script = async {
        let (mut first, mut second) = tokio::join!(Peer::accept(&here, false), Peer::accept(&there, false));
        // The same packet id means another message at each.
        first.publish(1, false, TOPIC, &celsius(1)).await;
        second.publish(1, false, TOPIC, &celsius(2)).await;
        let (one, other) = (from_one.recv().await.unwrap(), from_other.recv().await.unwrap());
        assert_eq!((number(&one), number(&other)), ("0.1".to_owned(), "0.2".to_owned()));
        drop(first);
        let mut first = Peer::accept(&here, false).await;
        commit(other);
        assert_eq!(second.acked().await, 1);
        commit(one); // of a connection that is gone
        first.publish(1, false, TOPIC, &celsius(3)).await;
        commit(from_one.recv().await.unwrap());
        assert_eq!(first.acked().await, 1);
    };
    with_source(one, Box::pin(async { with_source(other, script).await })).await;
}

#[test]
fn a_plan_that_cannot_work_is_refused() {
    let topics = |pattern: &str| {
        let text =
            format!("topic = {pattern:?}\nasset = \"a\"\n[[values]]\nquantity = \"q\"\nunit = \"1\"\n");
        let tried = topics_of(&text, &TimeZone::UTC).unwrap();
        tried.into_iter().map(|tried| config::Topic {
            // No file can say this: the check of the files refuses it.
            unit: Some(config::Where::Captures("{nobody}".to_owned())),
            ..tried.topic
        })
    };
    let plan = |client_id: &str, patterns: &[&str]| Broker {
        id: "wards".parse().unwrap(),
        host: "127.0.0.1".to_owned(),
        port: 1,
        client_id: client_id.to_owned(),
        login: None,
        tls: None,
        silent_after_ms: 300_000,
        message_bytes_max: MESSAGE_MAX,
        will: None,
        topics: patterns.iter().flat_map(|pattern| topics(pattern)).collect(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _inside = runtime.enter();
    for (plan, said) in [
        (plan("", &["a/b"]), "broker wards: client_id must not be empty"),
        (plan("x", &[]), "broker wards: no topics"),
        (plan("x", &["a/b"]), "broker wards: \"{nobody}\": the topic pattern has no {nobody}"),
    ] {
        let (tx, _rx) = mpsc::channel(1);
        let built = Source::build(&plan, &BTreeMap::new(), Clock::system(), tx, &Metrics::default());
        let error = built.err().unwrap().to_string();
        assert!(error.starts_with(said), "{error}");
    }
}
