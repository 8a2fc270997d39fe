//! Readings from an MQTT broker: one [`Source`] per broker, one task, one connection.
//!
//! A message of QoS 1 is acknowledged when all its readings are on disk, in the order of
//! arrival; until then the broker keeps it. Messages without a reading (unmapped, unreadable for
//! nobody, sent twice) are acknowledged too, in their turn, so that none blocks the session.
//!
//! **When `readings` is full** the source neither stops reading nor stops the pings. It stops
//! acknowledging, because nothing is committed, and the broker then sends no more than its
//! window (20 messages in mosquitto). Up to [`INBOX_MAX`] batches wait here in order. A broker
//! with a larger window is cut off until they are gone: it keeps its messages and sends them
//! again. QoS 0 cannot be kept by anyone; what finds the inbox full is dropped and counted.
//!
//! **A session that is lost** (a broker restarted without its memory) is a gap: counted, logged and
//! kept in [`Status`]. Which messages were in it nobody knows, so no point gets a worse quality for
//! it than its own silence gives it. **A broker that is connected and silent** is said to be, and
//! subscribed to again (`silence`); its points grow stale by their own rule.
//!
//! **Invariant:** it publishes nothing. Nothing is acknowledged that is not committed, nor under
//! an id of another connection; a connection lost for [`LOST_GRACE`] is said for every point
//! that came from here.
//!
//! Reading order: `mapping` (what a message means) with `json`, `order` (what may be
//! acknowledged), `silence` (when one is suspicious), `task` (the loop), `client` (the only file that knows
//! the crate), `discover` (what a broker carries), `status`, `seen` (the last messages of each topic),
//! `metrics`.

mod json;
mod mapping;
mod order;
mod silence;
mod task;
mod client;
pub mod discover;
mod status;
mod seen;
mod metrics;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
#[cfg(test)]
mod tests;

pub use client::wire;
pub use json::PointerError;
pub use mapping::{
    ITEMS_MAX, Mapped, Mapping, MappingError, PAYLOAD_MAX, Part, Tried, TriedValue, Unreadable, WORD_MAX,
};
pub use metrics::Metrics;
pub use seen::{Fate, PAYLOAD_KEPT, SEEN_MESSAGES_MAX, SEEN_TOPICS_MAX, SeenMessage, SeenTopic};
pub use status::{Gap, Status, StatusHandle, UNMAPPED_MAX, Unmapped};
pub use task::{BuildError, INBOX_MAX, LOST_GRACE, RETAINED_ERROR_MS, Source};
