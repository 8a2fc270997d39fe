//! The connection to one broker. The only file that knows `rumqttc` (docs/adr: the MQTT client).
//!
//! What is done here about that crate's measured faults, each on the line that does it:
//! it spins without a pause between attempts; it refuses packets beyond 10 KiB; after a lost
//! connection it still hands out messages of the old one; its queue of requests survives a
//! reconnect.
//!
//! **Invariant:** watches only. No call in this file publishes; the one `Publish` made here is
//! the name of a packet id in an acknowledgement.

use crate::config::Login;
use crate::field::PacketId;
use crate::net::Backoff;
use bytes::Bytes;
use rumqttc::{
    AsyncClient, ConnectionError, EventLoop, Incoming, MqttOptions, NetworkOptions, Outgoing, Publish, QoS,
    StateError, SubscribeFilter, SubscribeReasonCode,
};
use std::time::Duration;

/// The longest packet that is taken, in bytes. Well above [`super::mapping::PAYLOAD_MAX`]: a
/// message between the two is unreadable but can be acknowledged, while one beyond this breaks
/// the connection, and a broker that keeps it would break the next one with it.
pub const PACKET_MAX: usize = 16 << 20;
/// Requests waiting to be written: acknowledgements beyond it wait in the [`super::order`].
const REQUESTS: usize = 64;
/// A connection that is not accepted, or a write that is not taken, within this is lost.
const NETWORK_TIMEOUT_S: u64 = 5;

/// How to connect.
#[derive(Clone, Debug)]
pub struct Options {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Names the session the broker keeps; not empty.
    pub client_id: String,
    /// User name and password, if any.
    pub login: Option<Login>,
    /// Pings go out this often; a broker silent for twice as long is lost. At least 1 s.
    pub keep_alive: Duration,
}

/// A message of the broker.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its topic.
    pub topic: String,
    /// Its bytes, at most [`PACKET_MAX`].
    pub payload: Bytes,
    /// The id to acknowledge it by; none for QoS 0, which nobody acknowledges.
    pub packet: Option<PacketId>,
    /// Sent before, says the broker.
    pub dup: bool,
    /// The topic's last word, kept by the broker; it may be old.
    pub retain: bool,
}

/// What happened on the connection.
#[derive(Debug)]
pub enum Event {
    /// It stands.
    Connected {
        /// The broker remembers subscriptions and unacknowledged messages.
        session_present: bool,
    },
    /// The answer to a subscription: granted or not, in the order of the filters.
    Subscribed(Vec<bool>),
    /// A message.
    Message(Message),
    /// Something was written or answered; nothing to do but perhaps room for more requests.
    Progress,
    /// The farewell is written.
    Left,
    /// There is no connection; the next attempt follows by itself after a pause.
    Lost(String),
}

/// One connection, made again and again.
pub struct Link {
    event_loop: EventLoop,
    requests: Requests,
    backoff: Backoff,
    pause: Option<Duration>,
}

/// Where requests are put; never waits.
#[derive(Clone)]
pub struct Requests(AsyncClient);

impl Link {
    /// Prepares; nothing is dialled before [`Link::next`].
    pub fn new(options: &Options, backoff: Backoff) -> Link {
        let mut mqtt = MqttOptions::new(&options.client_id, &options.host, options.port);
        mqtt.set_clean_session(false)
            .set_keep_alive(options.keep_alive)
            .set_manual_acks(true)
            // 10 KiB otherwise, in both directions.
            .set_max_packet_size(PACKET_MAX, PACKET_MAX);
        if let Some(login) = &options.login {
            mqtt.set_credentials(&login.username, login.password.expose());
        }
        let (client, mut event_loop) = AsyncClient::new(mqtt, REQUESTS);
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        network.set_connection_timeout(NETWORK_TIMEOUT_S);
        event_loop.set_network_options(network);
        Link { event_loop, requests: Requests(client), backoff, pause: None }
    }

    /// Where requests of this connection are put.
    pub fn requests(&self) -> Requests {
        self.requests.clone()
    }

    /// Waits for the next event; connects if there is no connection.
    ///
    /// **Not cancel safe**: keep the future and poll it to its end, so that a packet that is
    /// half read or half written is finished.
    pub async fn next(&mut self) -> Event {
        if let Some(pause) = self.pause.take() {
            tokio::time::sleep(pause).await;
        }
        match self.event_loop.poll().await {
            Ok(rumqttc::Event::Incoming(packet)) => self.incoming(packet),
            Ok(rumqttc::Event::Outgoing(Outgoing::Disconnect)) => Event::Left,
            Ok(rumqttc::Event::Outgoing(_)) => Event::Progress,
            Err(error) => {
                self.drop_connection();
                Event::Lost(explain(&error))
            }
        }
    }

    /// Throws the connection away, with everything queued for it. The broker sends again what
    /// was not acknowledged.
    pub fn drop_connection(&mut self) {
        self.event_loop.clean();
        // What was read before the end and not yet handed out would appear after the next
        // CONNACK, under packet ids that may mean other messages by then.
        self.event_loop.state.events.clear();
        self.event_loop.pending.clear();
        self.pause = Some(self.backoff.next_delay());
    }

    /// The connection has held long enough to start with short pauses again.
    pub fn proved_stable(&mut self) {
        self.backoff.reset();
    }

    fn incoming(&mut self, packet: Incoming) -> Event {
        match packet {
            Incoming::ConnAck(ack) => Event::Connected { session_present: ack.session_present },
            Incoming::SubAck(ack) => {
                let granted = ack.return_codes.iter().map(|code| *code != SubscribeReasonCode::Failure);
                Event::Subscribed(granted.collect())
            }
            Incoming::Publish(Publish { qos: QoS::ExactlyOnce, .. }) => {
                self.drop_connection();
                Event::Lost("the broker delivers QoS 2 although QoS 1 was asked for".to_owned())
            }
            Incoming::Publish(publish) => Event::Message(Message {
                packet: (publish.qos == QoS::AtLeastOnce).then_some(publish.pkid),
                topic: publish.topic,
                payload: publish.payload,
                dup: publish.dup,
                retain: publish.retain,
            }),
            _ => Event::Progress,
        }
    }
}

impl Requests {
    /// Asks for these filters with QoS 1. False if there is no room.
    #[must_use]
    pub fn subscribe(&self, filters: &[String]) -> bool {
        let filters = filters.iter().map(|path| SubscribeFilter::new(path.clone(), QoS::AtLeastOnce));
        self.0.try_subscribe_many(filters).is_ok()
    }

    /// Acknowledges a message. False if there is no room: try again after the next event.
    #[must_use]
    pub fn acknowledge(&self, packet: PacketId) -> bool {
        let mut name = Publish::new(String::new(), QoS::AtLeastOnce, Vec::new());
        name.pkid = packet;
        self.0.try_ack(&name).is_ok()
    }

    /// Says farewell, so that the broker does not log a failure. False if there is no room.
    #[must_use]
    pub fn leave(&self) -> bool {
        self.0.try_disconnect().is_ok()
    }
}

/// The error in words that name the remedy where there is one.
fn explain(error: &ConnectionError) -> String {
    match error {
        ConnectionError::MqttState(StateError::Deserialization(
            rumqttc::Error::PayloadSizeLimitExceeded(size),
        )) => format!(
            "a message of {size} bytes is beyond the limit of {PACKET_MAX}; limit message_size at the broker \
             and remove the message there"
        ),
        ConnectionError::MqttState(StateError::AwaitPingResp) => {
            "the broker does not answer pings".to_owned()
        }
        ConnectionError::MqttState(StateError::ConnectionAborted) => {
            "the broker closed the connection".to_owned()
        }
        ConnectionError::NetworkTimeout => "no connection in time".to_owned(),
        ConnectionError::FlushTimeout => "the broker takes no data".to_owned(),
        ConnectionError::ConnectionRefused(code) => format!("the broker refuses the connection: {code:?}"),
        other => other.to_string(),
    }
}

/// Packets and their codec, for the demo broker and for the scripted broker of the tests: they
/// name them through here, so that one file knows the crate.
pub mod wire {
    pub use rumqttc::mqttbytes::v4::{
        Codec, ConnAck, Connect, ConnectReturnCode, Packet, PubAck, Publish, SubAck, Subscribe,
        SubscribeFilter, SubscribeReasonCode, UnsubAck, Unsubscribe,
    };
    pub use rumqttc::mqttbytes::{Protocol, QoS};
}
