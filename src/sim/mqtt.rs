//! The demo hospital's MQTT sensors: a pharmacy fridge, a ward, a bed lift.
//!
//! What they say is a pure function of time and seed ([`at`]); a small publisher carries it to
//! the demo broker over a real socket, as the sensors of `config/plantroom.toml` would:
//! JSON on `plant/{asset}/telemetry`, the bare floor on `lift/{asset}/floor`.

use crate::clock::Clock;
use crate::field::mqtt::wire::{Codec, ConnAck, Connect, ConnectReturnCode, Packet, PubAck, Publish, QoS};
use crate::net::Backoff;
use crate::point::{Decimal, UtcMs};
use futures_util::{SinkExt, StreamExt};
use std::f64::consts::TAU;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_util::codec::Framed;
use tokio_util::sync::CancellationToken;

/// Telemetry comes this often.
pub const PERIOD: Duration = Duration::from_secs(2);
/// Degrees a minute the fridge warms with its door open: past 8 °C within half a minute.
const WARMING_PER_MINUTE: f64 = 10.0;
/// Where it stops warming, in degrees.
const WARM_MAX: f64 = 14.0;

/// What a sensor publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// The topic.
    pub topic: &'static str,
    /// The payload.
    pub payload: String,
}

/// The fridge's door, to provoke an alarm; clones work the same door.
#[derive(Clone, Debug)]
pub struct FridgeDoor(Arc<AtomicI64>);

impl Default for FridgeDoor {
    fn default() -> FridgeDoor {
        FridgeDoor(Arc::new(AtomicI64::new(Self::SHUT)))
    }
}

impl FridgeDoor {
    const SHUT: i64 = i64::MIN;

    /// Somebody leaves it open.
    pub fn open(&self, now: UtcMs) {
        // Open already: it stays open since then.
        let _was_open = self.0.compare_exchange(Self::SHUT, now.0, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Somebody shuts it.
    pub fn shut(&self) {
        self.0.store(Self::SHUT, Ordering::Relaxed);
    }

    /// Since when it is open.
    pub fn open_since(&self) -> Option<UtcMs> {
        Some(self.0.load(Ordering::Relaxed)).filter(|since| *since != Self::SHUT).map(UtcMs)
    }
}

/// What the sensors say at a moment. The same time, seed and door give the same words.
pub fn at(now: UtcMs, seed: u64, door_open_since: Option<UtcMs>) -> [Spoken; 3] {
    let fridge = fridge(now, seed, door_open_since);
    let day = wave(now, 86_400.0);
    let ward = 23.5 + 0.8 * day + 0.1 * noise(now, seed, 2);
    let humidity = 50.0 - 6.0 * day + noise(now, seed, 3);
    [
        Spoken {
            topic: "plant/pharmacy-fridge/telemetry",
            payload: format!("{{\"temperature\":{}}}", rounded(fridge, 1)),
        },
        Spoken {
            topic: "plant/ward-3a/telemetry",
            payload: format!(
                "{{\"temperature\":{},\"humidity\":{}}}",
                rounded(ward, 1),
                rounded(humidity, 0)
            ),
        },
        Spoken { topic: "lift/lift-1/floor", payload: floor(now, seed).to_string() },
    ]
}

/// Around 4.5 °C with the compressor's rhythm of 18 minutes.
fn fridge(now: UtcMs, seed: u64, door_open_since: Option<UtcMs>) -> f64 {
    let usual = 4.5 + 0.7 * wave(now, 1_080.0) + 0.05 * noise(now, seed, 1);
    let Some(since) = door_open_since else { return usual };
    (usual + WARMING_PER_MINUTE * seconds(now.since_ms(since).max(0)) / 60.0).min(WARM_MAX)
}

/// A new call every 15 s, to a floor between -2 and 12; every other call is to the ground floor.
fn floor(now: UtcMs, seed: u64) -> i64 {
    let call = now.0.div_euclid(15_000);
    let draw = hash(seed ^ 0x11f7, call);
    if draw & 1 == 0 { 0 } else { i64::try_from((draw >> 8) % 15).unwrap_or(0) - 2 }
}

/// -1 to 1 with this period.
fn wave(now: UtcMs, period_s: f64) -> f64 {
    (TAU * seconds(now.0) / period_s).sin()
}

/// -1 to 1, another number each second for each sensor.
fn noise(now: UtcMs, seed: u64, sensor: u64) -> f64 {
    let draw = hash(seed.wrapping_add(sensor), now.0.div_euclid(1_000));
    f64::from(u32::try_from(draw >> 32).unwrap_or(0)) / f64::from(u32::MAX) * 2.0 - 1.0
}

fn seconds(ms: i64) -> f64 {
    Decimal::from_int(ms).to_f64() / 1_000.0
}

/// As the sensor's display has it.
fn rounded(number: f64, decimals: usize) -> String {
    format!("{number:.decimals$}")
}

/// The finaliser of MurmurHash3 over both.
fn hash(seed: u64, n: i64) -> u64 {
    let mut z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from_ne_bytes(n.to_ne_bytes());
    z = (z ^ (z >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    z = (z ^ (z >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    z ^ (z >> 33)
}

/// The sensors, connected to a broker.
pub struct Sensors {
    broker: SocketAddr,
    clock: Clock,
    seed: u64,
    door: FridgeDoor,
}

impl Sensors {
    /// Prepares; dials nothing.
    pub fn new(broker: SocketAddr, clock: Clock, seed: u64, door: FridgeDoor) -> Sensors {
        Sensors { broker, clock, seed, door }
    }

    /// Speaks until `stop`, and connects again whenever the connection breaks.
    pub async fn run(self, stop: CancellationToken) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5), self.seed);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                end = self.speak(&mut backoff) => {
                    if let Err(error) = end {
                        tracing::debug!(%error, "The demo sensors lost their broker.");
                    }
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(backoff.next_delay()) => {}
            }
        }
    }

    /// One connection, until it breaks.
    async fn speak(&self, backoff: &mut Backoff) -> io::Result<()> {
        let mut line = Line::connect(self.broker).await?;
        backoff.reset();
        loop {
            for spoken in at(self.clock.utc(), self.seed, self.door.open_since()) {
                line.say(spoken).await?;
            }
            tokio::time::sleep(PERIOD).await;
        }
    }
}

/// A connection that publishes one message at a time with QoS 1.
struct Line(Framed<TcpStream, Codec>);

impl Line {
    async fn connect(broker: SocketAddr) -> io::Result<Line> {
        let socket = TcpStream::connect(broker).await?;
        let mut line =
            Line(Framed::new(socket, Codec { max_incoming_size: 1_024, max_outgoing_size: 1_024 }));
        // No pings: it speaks every two seconds.
        let hello = Connect { keep_alive: 30, ..Connect::new("demo-sensors") };
        match line.ask(Packet::Connect(hello)).await? {
            Packet::ConnAck(ConnAck { code: ConnectReturnCode::Success, .. }) => Ok(line),
            other => Err(io::Error::other(format!("{other:?}"))),
        }
    }

    async fn say(&mut self, spoken: Spoken) -> io::Result<()> {
        let mut publish = Publish::new(spoken.topic, QoS::AtLeastOnce, spoken.payload);
        publish.pkid = 1; // never two at once
        match self.ask(Packet::Publish(publish)).await? {
            Packet::PubAck(PubAck { pkid: 1 }) => Ok(()),
            other => Err(io::Error::other(format!("{other:?}"))),
        }
    }

    async fn ask(&mut self, packet: Packet) -> io::Result<Packet> {
        self.0.send(packet).await.map_err(io::Error::other)?;
        match self.0.next().await {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(error)) => Err(io::Error::other(error)),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::field::mqtt::{Metrics, Source};
    use crate::field::{Raw, Sample};
    use crate::point::{Address, PointId, Value};
    use crate::sim::broker::Broker;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};
    use tokio::sync::mpsc;

    fn temperature(now: UtcMs, seed: u64, open: Option<UtcMs>) -> f64 {
        let [fridge, ..] = at(now, seed, open);
        serde_json::from_str::<serde_json::Value>(&fridge.payload).unwrap()["temperature"].as_f64().unwrap()
    }

    #[test]
    fn an_open_door_passes_the_limit_within_half_a_minute_and_a_shut_one_does_not() {
        let start = UtcMs(1_763_700_000_000);
        let door = FridgeDoor::default();
        door.open(start);
        door.open(start.plus_ms(9_999));
        assert_eq!(door.open_since(), Some(start));
        let later = start.plus_ms(30_000);
        assert!(temperature(later, 1, door.open_since()) > 8.0);
        assert!(temperature(start.plus_ms(3_600_000), 1, door.open_since()) <= WARM_MAX);
        door.shut();
        assert!(temperature(later, 1, door.open_since()) < 6.0);
    }

    proptest! {
        /// Inside the ranges of the configuration, whenever and with whatever seed.
        #[test]
        fn plausible_at_any_time(ms in 0_i64..4_000_000_000_000, seed: u64) {
            let now = UtcMs(ms);
            let usual = temperature(now, seed, None);
            prop_assert!((2.5..=7.5).contains(&usual), "{}", usual);
            prop_assert!((-2..=12).contains(&floor(now, seed)));
            prop_assert_eq!(at(now, seed, None), at(now, seed, None));
        }
    }

    /// Sensors, broker and the gateway's own source, over real sockets.
    #[tokio::test]
    async fn what_the_sensors_say_reaches_the_gateway() {
        let broker = Broker::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = broker.local_addr().unwrap();
        let demo = include_str!("../../config/plantroom.toml");
        let topics =
            demo.split_once("[[mqtt.topics]]").and_then(|(_, rest)| rest.split_once("# ---")).unwrap().0;
        let topics =
            config::topics_of(&format!("[[mqtt.topics]]{topics}"), &jiff::tz::TimeZone::UTC).unwrap();
        let plan = config::Broker {
            id: "wards".parse().unwrap(),
            host: address.ip().to_string(),
            port: address.port(),
            client_id: "plantroom-demo".to_owned(),
            login: None,
            tls: None,
            silent_after_ms: 300_000,
            message_bytes_max: 1 << 20,
            will: None,
            topics: topics.into_iter().map(|tried| tried.topic).collect(),
        };
        let known =
            ["pharmacy-fridge/temperature", "ward-3a/temperature", "ward-3a/humidity", "lift-1/floor"];
        let points: BTreeMap<Address, PointId> =
            known.iter().zip(1..).map(|(text, id)| (text.parse().unwrap(), PointId(id))).collect();
        let (tx, mut readings) = mpsc::channel(8);
        let clock = Clock::system();
        let source = Source::build(&plan, &points, clock.clone(), tx, &Metrics::default()).unwrap();
        let status = source.status();
        let sensors = Sensors::new(address, clock, 7, FridgeDoor::default());
        let stop = CancellationToken::new();
        let script = async {
            let mut heard = BTreeSet::new();
            while heard.len() < known.len() {
                let batch = readings.recv().await.unwrap();
                for Sample { point, raw } in batch.samples {
                    assert!(matches!(raw, Ok(Raw::Value(Value::Decimal(_)))), "{raw:?}");
                    heard.insert(point);
                }
                batch.ack.unwrap().commit();
            }
            stop.cancel();
        };
        let all = Box::pin(async {
            tokio::join!(
                broker.run(stop.clone()),
                source.run(stop.clone()),
                sensors.run(stop.clone()),
                script
            )
        });
        tokio::time::timeout(Duration::from_mins(1), all).await.expect("hangs");
        assert!(status.get().unmapped.is_empty());
    }
}
