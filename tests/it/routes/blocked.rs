//! A historian that takes nothing, from the broker's socket to the browser's stream: an alarm is
//! as quick as ever, and what was lost is counted and said.

use super::app::TestApp;
use super::plant::plan;
use super::stream::Client;
use futures_util::SinkExt;
use jiff::tz::TimeZone;
use plantroom::config::{Broker as BrokerPlan, broker_at, topics_of};
use plantroom::field::mqtt::wire::{Codec, Connect, Packet, Publish, QoS};
use plantroom::field::mqtt::{Metrics, Source};
use plantroom::point::{PointId, Value};
use plantroom::sim::broker::Broker;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_util::codec::Framed;
use tokio_util::sync::CancellationToken;

/// Waits without ever being idle, so that the paused clock stands still: the sockets are real.
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

async fn publisher(broker: SocketAddr) -> Framed<TcpStream, Codec> {
    let socket = TcpStream::connect(broker).await.unwrap();
    let mut line = Framed::new(socket, Codec { max_incoming_size: 1 << 20, max_outgoing_size: 1 << 20 });
    line.send(Packet::Connect(Connect::new("sensor"))).await.unwrap();
    line
}

fn pressure(kilopascals: u16) -> Packet {
    let payload = format!(r#"{{"kpa":{kilopascals}}}"#);
    let mut message = Publish::new("plant/manifold/state", QoS::AtLeastOnce, payload);
    message.pkid = kilopascals;
    Packet::Publish(message)
}

const TOPIC: &str = r#"
topic = "plant/{asset}/state"
[[values]]
quantity = "pressure"
pointer = "/kpa"
assets = ["manifold"]
unit = "kPa{gauge}"
"#;

fn source_plan(broker: SocketAddr) -> BrokerPlan {
    let topics = topics_of(TOPIC, &TimeZone::UTC).unwrap();
    BrokerPlan {
        id: "wards".parse().unwrap(),
        client_id: "plantroom-test".to_owned(),
        topics: topics.into_iter().map(|tried| tried.topic).collect(),
        ..broker_at(&broker.to_string()).unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn with_the_historian_blocked_an_mqtt_alarm_is_on_the_stream_within_a_second() {
    let mut app = TestApp::start().await;
    let mut stream = Client::open(&app, "?points=manifold/pressure", None).await;
    let (field, point, lost) = app.with_a_blocked_historian(&plan(), "manifold/pressure");
    let broker = Broker::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = broker.local_addr().unwrap();
    let points = BTreeMap::from([("manifold/pressure".parse().unwrap(), point)]);
    let metrics = Metrics::default();
    let source = Source::build(&source_plan(address), &points, app.clock.clone(), field, &metrics).unwrap();
    let (stop, status) = (CancellationToken::new(), source.status());

    let script = async {
        while !status.get().subscribed {
            tokio::task::yield_now().await;
        }
        let mut line = publisher(address).await;
        let from = app.clock.mono();
        // Good, good, and then far below the limit of 400.
        for kilopascals in [412, 411, 320] {
            line.send(pressure(kilopascals)).await.unwrap();
        }
        let current = || app.current.get(PointId(point.0)).and_then(|now| now.reading.value);
        while current() != Some(Value::Decimal("320".parse().unwrap())) {
            tokio::task::yield_now().await;
        }
        // The stream tells in ticks, and the clock moves by less than a second in all.
        tokio::time::advance(Duration::from_millis(900)).await;
        loop {
            let message = stream.next().await;
            if message["t"] == "ev" && message["kind"] == "alarm.raised" {
                break;
            }
        }
        assert!(app.clock.mono().since_ms(from) < 1_000);
        assert_eq!(metrics.of("wards").acks.get(), 0, "nothing is on disk yet");

        // After the patience of five seconds the broker goes on, and the loss is counted and said.
        tokio::time::advance(Duration::from_secs(5)).await;
        while metrics.of("wards").acks.get() < 3 {
            tokio::task::yield_now().await;
        }
        assert_eq!(lost.get(), 2, "one is in the historian's hands, two are lost");
        tokio::time::advance(Duration::from_millis(900)).await;
        loop {
            let open = app.alarms(plantroom::alarms::HISTORIAN_GAP).await;
            if open == 1 {
                break;
            }
        }
        stop.cancel();
    };
    let all = async { tokio::join!(broker.run(stop.clone()), source.run(stop.clone()), script) };
    standing_still(Box::pin(all)).await;
}
