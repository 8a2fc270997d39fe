//! The simulated sensors that send by themselves: what is true, as MQTT messages of the plan's mappings.
//!
//! Read `message` (one message; pure), then [`Senders`], which carries them to a broker over a real
//! socket.

mod message;

pub use message::Message;

use super::fault::{Kind, Target};
use super::shown::Instruments;
use crate::clock::{Clock, Mono};
use crate::config::{Broker, Plan};
use crate::field::mqtt::wire::{Codec, ConnAck, Connect, ConnectReturnCode, Packet, PubAck, Publish, QoS};
use crate::net::Backoff;
use crate::point::Name;
use futures_util::{SinkExt, StreamExt};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_util::codec::Framed;
use tokio_util::sync::CancellationToken;

/// Sensors on the mains send this often. Milliseconds.
pub const PERIOD_MS: u64 = 2_000;
/// A sensor whose values hold for so long runs on a battery. Milliseconds.
const BATTERY_STALE_MS: u64 = 5 * 60_000;
/// Sensors on a battery send at least and at most this seldom. Milliseconds.
const BATTERY_PERIOD_MS: (u64, u64) = (30_000, 60_000);
/// The longest message. Bytes.
const MESSAGE_MAX: usize = 64 << 10;

/// The sensors of a broker.
#[derive(Debug)]
pub struct Senders {
    name: String,
    broker: SocketAddr,
    clock: Clock,
    seed: u64,
    instruments: Arc<Instruments>,
    messages: Vec<Message>,
}

impl Senders {
    /// Of a broker of the plan that listens at `address`; dials nothing.
    pub fn new(
        plan: &Plan,
        broker: &Broker,
        address: SocketAddr,
        instruments: Arc<Instruments>,
        clock: Clock,
        seed: u64,
    ) -> Senders {
        let messages = Message::all(plan, broker, instruments.truth().points());
        let name = format!("demo-sensors-{}", broker.id);
        Senders { name, broker: address, clock, seed, instruments, messages }
    }

    /// How many messages there are, each sent again and again.
    pub fn messages(&self) -> usize {
        self.messages.len()
    }

    /// Speaks until `stop`, and connects again whenever the connection breaks.
    pub async fn run(self, stop: CancellationToken) {
        if self.messages.is_empty() {
            return stop.cancelled().await;
        }
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
        let mut line = Line::connect(self.broker, &self.name).await?;
        backoff.reset();
        let start = self.clock.mono();
        let mut due: BinaryHeap<Reverse<(Mono, usize)>> =
            (0..self.messages.len()).map(|number| Reverse((start, number))).collect();
        while let Some(Reverse((when, number))) = due.pop() {
            self.clock.sleep_until(when).await;
            let Some(message) = self.messages.get(number) else { continue };
            let now = self.clock.utc();
            let is_dead = self.is_dead(message.asset());
            if let Some(payload) = message.payload(&self.instruments.now(now), now).filter(|_| !is_dead) {
                line.say(message.topic(), payload).await?;
            }
            // What came late does not make the next one early.
            let next = when.plus_ms(self.period_ms(message)).max(self.clock.mono());
            due.push(Reverse((next, number)));
        }
        Ok(())
    }

    fn is_dead(&self, asset: &Name) -> bool {
        let board = self.instruments.board();
        board.magnitude(Kind::DeadDevice, &Target::Asset(asset.clone()), self.clock.utc()) > 0.0
    }

    /// Each battery sensor has a period of its own.
    fn period_ms(&self, message: &Message) -> u64 {
        if message.stale_after_ms() <= BATTERY_STALE_MS {
            return PERIOD_MS;
        }
        let (least, most) = BATTERY_PERIOD_MS;
        let mixed = message
            .asset()
            .as_str()
            .bytes()
            .fold(self.seed, |mixed, byte| (mixed ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        least + mixed % (most - least + 1)
    }
}

/// A connection that publishes one message at a time with QoS 1.
struct Line(Framed<TcpStream, Codec>);

impl Line {
    async fn connect(broker: SocketAddr, name: &str) -> io::Result<Line> {
        let socket = TcpStream::connect(broker).await?;
        let codec = Codec { max_incoming_size: 1_024, max_outgoing_size: MESSAGE_MAX };
        let mut line = Line(Framed::new(socket, codec));
        // No pings: a broker on loopback does not vanish without a word.
        let hello = Connect { keep_alive: 0, ..Connect::new(name) };
        match line.ask(Packet::Connect(hello)).await? {
            Packet::ConnAck(ConnAck { code: ConnectReturnCode::Success, .. }) => Ok(line),
            other => Err(io::Error::other(format!("{other:?}"))),
        }
    }

    async fn say(&mut self, topic: &str, payload: String) -> io::Result<()> {
        let mut publish = Publish::new(topic, QoS::AtLeastOnce, payload);
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
