//! The connection to one broker. The only file that knows `rumqttc` (docs/adr: the MQTT client).
//!
//! What is done here about that crate's measured faults, each on the line that does it:
//! it spins without a pause between attempts; it refuses packets beyond 10 KiB; after a lost
//! connection it still hands out messages of the old one; its queue of requests survives a
//! reconnect.
//!
//! **Invariant:** watches only. No call in this file publishes; the one `Publish` made here is
//! the name of a packet id in an acknowledgement. A last will, where one is configured, is part of
//! the CONNECT: the broker publishes it, below `plantroom/`, when we are gone.

use crate::config::{BrokerTls, Login};
use crate::field::PacketId;
use crate::net::{Backoff, Pems, TlsError, explain_tls, tls_config_with};
use bytes::Bytes;
use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, EventLoop, Incoming, LastWill, MqttOptions,
    NetworkOptions, Outgoing, Publish, QoS, StateError, SubscribeFilter, SubscribeReasonCode,
    TlsConfiguration, Transport,
};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The longest packet that is taken, in bytes. Twice the longest message a broker may be
/// configured to give us: what is longer than configured is not read but can be acknowledged,
/// while one beyond this breaks the connection, and a broker that keeps it would break the next
/// one with it.
pub const PACKET_MAX: usize = 32 << 20;
/// The longest certificate or key file, in bytes: the bundle of an operating system has 0.2 MiB.
const PEM_MAX: u64 = 4 << 20;
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
    /// Certificates, if it is to be TLS.
    pub tls: Option<BrokerTls>,
    /// Topic of the last will, if there is to be one.
    pub will: Option<String>,
    /// The broker is to forget the session as soon as the connection ends.
    pub clean_session: bool,
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
    tls: Option<BrokerTls>,
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
        mqtt.set_clean_session(options.clean_session)
            .set_keep_alive(options.keep_alive)
            .set_manual_acks(true)
            // 10 KiB otherwise, in both directions.
            .set_max_packet_size(PACKET_MAX, PACKET_MAX);
        if let Some(login) = &options.login {
            mqtt.set_credentials(&login.username, login.password.expose());
        }
        if let Some(topic) = &options.will {
            let words = serde_json::json!({ "client": options.client_id, "state": "gone" }).to_string();
            // Not retained: nobody publishes that we are back, and it would say "gone" for ever.
            mqtt.set_last_will(LastWill::new(topic, words, QoS::AtLeastOnce, false));
        }
        let (client, mut event_loop) = AsyncClient::new(mqtt, REQUESTS);
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        network.set_connection_timeout(NETWORK_TIMEOUT_S);
        event_loop.set_network_options(network);
        Link { event_loop, tls: options.tls.clone(), requests: Requests(client), backoff, pause: None }
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
        if let Err(reason) = self.prepare_tls().await {
            self.drop_connection();
            return Event::Lost(reason);
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

    /// Reads the certificates anew before each connection, so that a renewed one needs no restart.
    async fn prepare_tls(&mut self) -> Result<(), String> {
        let Some(tls) = self.tls.clone().filter(|_| self.event_loop.network.is_none()) else {
            return Ok(());
        };
        // Files, and the parsing of some hundred authorities: not on a thread that others wait for.
        let read = tokio::task::spawn_blocking(move || transport(&tls));
        let transport = read.await.map_err(|error| error.to_string())??;
        self.event_loop.mqtt_options.set_transport(transport);
        Ok(())
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

/// A TLS transport out of the files as they are now.
fn transport(tls: &BrokerTls) -> Result<Transport, String> {
    let read = |path: &PathBuf| pem(path).map_err(|error| format!("{}: {error}", path.display()));
    let ca = tls.ca.as_ref().map(read).transpose()?;
    let identity = match &tls.identity {
        Some((certificate, key)) => Some((read(certificate)?, read(key)?)),
        None => None,
    };
    let identity = identity.as_ref().map(|(certificate, key)| (&certificate[..], &key[..]));
    let said = |error: TlsError| format!("no TLS with the files configured: {error}");
    let config = tls_config_with(Pems { ca: ca.as_deref(), identity }).map_err(said)?;
    Ok(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::new(config))))
}

fn pem(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    std::fs::File::open(path)?.take(PEM_MAX).read_to_end(&mut text)?;
    Ok(text)
}

/// The error in words that name the remedy where there is one.
fn explain(error: &ConnectionError) -> String {
    if let Some(words) = explain_tls(error) {
        return words;
    }
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
        ConnectionError::ConnectionRefused(code) => refusal(*code).to_owned(),
        ConnectionError::Tls(rumqttc::TlsError::DNSName(_)) => {
            "the host is no name a certificate can be for: see `connect`".to_owned()
        }
        other => other.to_string(),
    }
}

/// MQTT 3.1.1, table 3.1.
fn refusal(code: ConnectReturnCode) -> &'static str {
    match code {
        ConnectReturnCode::BadUserNamePassword => "the broker refuses user name or password: see `login`",
        // What mosquitto answers to a wrong password, too.
        ConnectReturnCode::NotAuthorized => {
            "the broker does not let this client in: see `login`, and the broker's access rules"
        }
        ConnectReturnCode::BadClientId => "the broker refuses the client id: see `client_id`",
        ConnectReturnCode::RefusedProtocolVersion => "the broker does not speak MQTT 3.1.1",
        ConnectReturnCode::ServiceUnavailable => "the broker says it cannot serve now",
        ConnectReturnCode::Success => "the broker accepts and refuses at once",
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
