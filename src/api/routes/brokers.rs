//! `/api/v1/brokers`: how the MQTT brokers are doing, and what comes from them that leads nowhere.

use crate::api::brokers::BrokerNow;
use crate::api::error::{ApiError, Failure};
use crate::api::extract::{Path, Query};
use crate::api::state::AppState;
use crate::api::viewer::Viewer;
use crate::field::mqtt::{self, PAYLOAD_KEPT, SeenMessage, SeenTopic, Status};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use utoipa::{IntoParams, ToSchema};

/// The MQTT brokers.
#[derive(Debug, Serialize, ToSchema)]
pub struct Brokers {
    /// The server's time, UTC milliseconds.
    now: i64,
    /// In the order of the configuration.
    items: Vec<Broker>,
}

/// An MQTT broker: one connection, and the topics asked for on it.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "each answers a question of its own on the wire")]
pub struct Broker {
    /// Its id.
    id: String,
    /// Host and port.
    #[schema(example = "mqtt.hospital.lan:1883")]
    address: String,
    /// Whether it is reached over TLS.
    tls: bool,
    /// Under this id the broker keeps the session.
    client_id: String,
    /// Whether a source works on it; for a moment none does when one failed and is made anew.
    running: bool,
    /// Whether there is a connection.
    connected: bool,
    /// Since when there is or is none, UTC milliseconds; null before the first attempt.
    #[schema(required)]
    since: Option<i64>,
    /// Why there is none, in English; null while there is one.
    #[schema(required)]
    reason: Option<String>,
    /// Whether the broker has answered the subscription of this connection.
    subscribed: bool,
    /// What is subscribed to, as the configuration has it.
    #[schema(example = json!(["plant/{asset}/telemetry"]))]
    topics: Vec<String>,
    /// Filters the broker refuses to serve.
    refused: Vec<String>,
    /// When the last message came, UTC milliseconds; null if none did since the start.
    #[schema(required)]
    last_message_at: Option<i64>,
    /// Messages since the start.
    messages: u64,
    /// Connections since the start.
    connections: u64,
    /// Connected and without a message for longer than this it is silent. Milliseconds.
    silent_after_ms: u64,
    /// Since when it is silent, UTC milliseconds; null while it is not.
    #[schema(required)]
    silent_since: Option<i64>,
    /// How often the broker had forgotten the session since the start; what was sent meanwhile is lost.
    sessions_lost: u64,
    /// When that happened last.
    #[schema(required)]
    gap: Option<BrokerGap>,
    /// Topics seen that lead to no known point, in alphabetical order; at most 256.
    unmapped: Vec<Unmapped>,
    /// Messages on further such topics.
    unmapped_unlisted: u64,
}

/// A stretch of which messages may be missing.
#[derive(Debug, Serialize, ToSchema)]
pub struct BrokerGap {
    /// When the connection ended, UTC milliseconds.
    from: i64,
    /// When the next one stood, UTC milliseconds.
    to: i64,
}

/// A topic that leads to no known point.
#[derive(Debug, Serialize, ToSchema)]
pub struct Unmapped {
    /// The topic, at most 256 characters of it.
    topic: String,
    /// The address its pattern makes of it; null if no pattern fits.
    #[schema(required)]
    address: Option<String>,
    /// The beginning of its last payload.
    sample: String,
    /// Messages on it.
    count: u64,
    /// When the last one came, UTC milliseconds.
    last_at: i64,
}

/// List the brokers with the topics that lead nowhere
#[utoipa::path(get, path = "/api/v1/brokers", tag = "plant", responses((status = 200, body = Brokers), Failure))]
pub async fn list_brokers(_viewer: Viewer, State(state): State<AppState>) -> Json<Brokers> {
    let now = state.clock().utc().0;
    Json(Brokers { now, items: state.brokers().read().into_iter().map(Broker::of).collect() })
}

impl Broker {
    fn of(broker: BrokerNow) -> Broker {
        let BrokerNow { plan, running, status, .. } = broker;
        let known = status.is_some();
        let status = status.unwrap_or_default();
        let Status { connected, since, reason, subscribed, refused, .. } = status;
        Broker {
            id: plan.id.to_string(),
            address: format!("{}:{}", plan.host, plan.port),
            tls: plan.tls.is_some(),
            client_id: plan.client_id.clone(),
            running,
            connected,
            since: known.then_some(since.0),
            reason: reason.filter(|_| !connected),
            subscribed,
            topics: plan.topics.iter().map(|topic| topic.pattern.to_string()).collect(),
            refused,
            last_message_at: status.last_message_at.map(|at| at.0),
            messages: status.messages,
            connections: status.connections,
            silent_after_ms: plan.silent_after_ms,
            silent_since: status.silent_since.filter(|_| connected).map(|at| at.0),
            sessions_lost: status.sessions_lost,
            gap: status.gap.map(|gap| BrokerGap { from: gap.from.0, to: gap.to.0 }),
            unmapped: status.unmapped.into_iter().map(Unmapped::from).collect(),
            unmapped_unlisted: status.unmapped_unlisted,
        }
    }
}

impl From<mqtt::Unmapped> for Unmapped {
    fn from(topic: mqtt::Unmapped) -> Unmapped {
        let mqtt::Unmapped { topic, address, sample, count, last_at } = topic;
        Unmapped { topic, address, sample, count, last_at: last_at.0 }
    }
}

/// Topics that were seen on a broker.
#[derive(Debug, Serialize, ToSchema)]
pub struct Topics {
    /// The server's time, UTC milliseconds.
    now: i64,
    /// In alphabetical order; at most 512.
    items: Vec<TopicWire>,
    /// Messages on further topics.
    unlisted: u64,
}

/// A topic that was seen.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Topic)]
pub struct TopicWire {
    /// The topic, at most 256 characters of it.
    topic: String,
    /// Messages since it is remembered.
    count: u64,
    /// Bytes of their payloads.
    bytes: u64,
    /// When the first of them came, UTC milliseconds.
    first_at: i64,
    /// When the last one came, UTC milliseconds.
    last_at: i64,
    /// What became of the last one.
    fate: Fate,
}

/// What became of a message.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fate {
    /// Points got samples of it.
    Taken {
        /// How many.
        samples: u32,
        /// How many of them have no value, or a doubtful time.
        failed: u32,
        /// The first reason, with the point it was meant for, in English.
        #[schema(required)]
        why: Option<String>,
    },
    /// It leads to no known point.
    Unmapped {
        /// The address it led to; null if no pattern fits.
        #[schema(required)]
        address: Option<String>,
        /// Why it leads nowhere, in English, where more is known than that no pattern fits.
        #[schema(required)]
        why: Option<String>,
    },
    /// It had come before and is on disk.
    Duplicate,
    /// Readings did not keep up: lost, or the broker sends it again.
    Dropped,
}

/// The last messages of a topic.
#[derive(Debug, Serialize, ToSchema)]
pub struct Messages {
    /// The server's time, UTC milliseconds.
    now: i64,
    /// The topic.
    topic: String,
    /// The newest first, at most 5; none of a topic that was not seen.
    items: Vec<Message>,
}

/// A message that came.
#[derive(Debug, Serialize, ToSchema)]
pub struct Message {
    /// When it came, UTC milliseconds.
    received_at: i64,
    /// Its text, at most the first 1,024 bytes; null if it is none.
    #[schema(required)]
    text: Option<String>,
    /// Its first 64 bytes in hexadecimal where it is no text; else null.
    #[schema(required, example = "00 ff 1b")]
    hex: Option<String>,
    /// How many bytes it had.
    bytes: usize,
    /// The broker had kept it as the topic's last word: it may be of any age.
    retained: bool,
    /// With which quality of service it came, 0 or 1.
    qos: u8,
    /// What became of it.
    fate: Fate,
}

/// Which topic.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MessagesQuery {
    /// The topic, without wildcards.
    #[param(value_type = String, example = "plant/ward-3a/telemetry")]
    topic: Option<String>,
}

/// List the topics seen on a broker
#[utoipa::path(
    get,
    path = "/api/v1/brokers/{id}/topics",
    tag = "plant",
    params(("id" = String, Path, description = "The broker")),
    responses((status = 200, body = Topics), Failure)
)]
pub async fn list_topics(
    _viewer: Viewer,
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Result<Json<Topics>, ApiError> {
    let source = find(&state, &id)?.source;
    let items = source.as_ref().map(mqtt::StatusHandle::topics).unwrap_or_default();
    let unlisted = source.map_or(0, |source| source.topics_unlisted());
    let now = state.clock().utc().0;
    Ok(Json(Topics { now, items: items.into_iter().map(TopicWire::from).collect(), unlisted }))
}

/// List the last messages of a topic
#[utoipa::path(
    get,
    path = "/api/v1/brokers/{id}/messages",
    tag = "plant",
    params(("id" = String, Path, description = "The broker"), MessagesQuery),
    responses((status = 200, body = Messages), Failure)
)]
pub async fn list_messages(
    _viewer: Viewer,
    State(state): State<AppState>,
    Path(id): Path<String>,
    Query(query): Query<MessagesQuery>,
) -> Result<Json<Messages>, ApiError> {
    let topic = query.topic.ok_or_else(|| ApiError::missing("topic", "a topic, without wildcards"))?;
    let source = find(&state, &id)?.source;
    let items = source.map(|source| source.messages(&topic)).unwrap_or_default();
    let now = state.clock().utc().0;
    Ok(Json(Messages { now, topic, items: items.into_iter().map(Message::from).collect() }))
}

fn find(state: &AppState, id: &str) -> Result<BrokerNow, ApiError> {
    let unknown = || {
        let shown: String = id.chars().take(crate::point::Name::LEN_MAX + 1).collect();
        ApiError::not_found("broker", shown).hint("GET /api/v1/brokers lists them.")
    };
    state.brokers().find(id).ok_or_else(unknown)
}

impl From<SeenTopic> for TopicWire {
    fn from(seen: SeenTopic) -> TopicWire {
        let SeenTopic { topic, count, bytes, first_at, last_at, fate } = seen;
        TopicWire { topic, count, bytes, first_at: first_at.0, last_at: last_at.0, fate: fate.into() }
    }
}

impl From<mqtt::Fate> for Fate {
    fn from(fate: mqtt::Fate) -> Fate {
        match fate {
            mqtt::Fate::Taken { samples, failed, why } => Fate::Taken { samples, failed, why },
            mqtt::Fate::Unmapped { address, why } => Fate::Unmapped { address, why },
            mqtt::Fate::Duplicate => Fate::Duplicate,
            mqtt::Fate::Dropped => Fate::Dropped,
        }
    }
}

impl From<SeenMessage> for Message {
    fn from(seen: SeenMessage) -> Message {
        let SeenMessage { received_at, payload, bytes, retained, qos, fate } = seen;
        let text = text(&payload);
        let hex = text.is_none().then(|| hex(&payload));
        Message { received_at: received_at.0, text, hex, bytes, retained, qos, fate: fate.into() }
    }
}

/// The payload as a text; its last character may be the one that was cut.
fn text(payload: &[u8]) -> Option<String> {
    match std::str::from_utf8(payload) {
        Ok(text) => Some(text.to_owned()),
        Err(error) if error.error_len().is_none() && payload.len() == PAYLOAD_KEPT => {
            let whole = payload.get(..error.valid_up_to())?;
            std::str::from_utf8(whole).ok().map(str::to_owned)
        }
        Err(_) => None,
    }
}

/// Bytes shown of a payload that is no text.
const HEX_BYTES: usize = 64;

fn hex(payload: &[u8]) -> String {
    let mut hex = String::with_capacity(3 * HEX_BYTES);
    for (place, byte) in payload.iter().take(HEX_BYTES).enumerate() {
        let gap = if place == 0 { "" } else { " " };
        let _infallible = write!(hex, "{gap}{byte:02x}");
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_shown_as_text_where_it_is_one() {
        assert_eq!(text("{\"t\":\"氧\"}".as_bytes()).as_deref(), Some("{\"t\":\"氧\"}"));
        assert_eq!(text(b""), Some(String::new()));
        let mut cut = vec![b'x'; PAYLOAD_KEPT - 1];
        cut.push("氧".as_bytes()[0]);
        assert_eq!(text(&cut).map(|text| text.len()), Some(PAYLOAD_KEPT - 1));
        assert_eq!(text(&cut[1..]), None, "nothing was cut, so it is broken");
        assert_eq!(text(&[0xff, 0x00]), None);
        assert_eq!(hex(&[0xff, 0x00, 0x1b]), "ff 00 1b");
        assert_eq!(hex(&[7; 1_000]).len(), 3 * HEX_BYTES - 1);
    }
}
