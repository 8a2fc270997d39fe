//! What a broker's source says about itself: for health, for the page, for an integrator.

use super::seen::{Arrived, Fate, Seen, SeenMessage, SeenTopic};
use crate::point::UtcMs;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Most topics in the list of the unmapped; further ones are only counted.
pub const UNMAPPED_MAX: usize = 256;
/// Most characters kept of an unmapped topic.
const TOPIC_SHOWN: usize = 256;

/// How a broker's source is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Whether the connection stands.
    pub connected: bool,
    /// Since when it stands or does not.
    pub since: UtcMs,
    /// Why it does not stand.
    pub reason: Option<String>,
    /// Whether the broker has answered the subscription of this connection.
    pub subscribed: bool,
    /// Filters the broker refuses to serve.
    pub refused: Vec<String>,
    /// When the last message came.
    pub last_message_at: Option<UtcMs>,
    /// Messages since the start.
    pub messages: u64,
    /// Connections since the start.
    pub connections: u64,
    /// How often a broker had forgotten our session since the start; what was sent meanwhile is lost.
    pub sessions_lost: u64,
    /// The last time that happened.
    pub gap: Option<Gap>,
    /// Connected and without a message since then, for longer than it may be.
    pub silent_since: Option<UtcMs>,
    /// Most messages unacknowledged at once since the start: the broker's window, once it was full.
    pub in_flight_max: usize,
    /// Topics seen that lead to no known point.
    pub unmapped: Vec<Unmapped>,
    /// Messages on further such topics, beyond [`UNMAPPED_MAX`] of them.
    pub unmapped_unlisted: u64,
}

/// A stretch in which messages may have been sent that nobody will see: from the end of a
/// connection, to the next one without its session. What already waited at the broker when it
/// forgot the session is gone as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// When the connection ended.
    pub from: UtcMs,
    /// When the next one stood.
    pub to: UtcMs,
}

/// A topic that leads to no known point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmapped {
    /// The topic, at most 256 characters of it.
    pub topic: String,
    /// The address its pattern makes of it, if a pattern fits.
    pub address: Option<String>,
    /// The beginning of its last payload.
    pub sample: String,
    /// Messages on it.
    pub count: u64,
    /// When the last one came.
    pub last_at: UtcMs,
}

/// Reads the [`Status`] from anywhere; clones show the same source.
#[derive(Clone, Debug, Default)]
pub struct StatusHandle(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    status: Status,
    unmapped: BTreeMap<String, Unmapped>,
    seen: Seen,
}

impl StatusHandle {
    /// The status now, unmapped topics in alphabetical order.
    pub fn get(&self) -> Status {
        let inner = self.lock();
        Status { unmapped: inner.unmapped.values().cloned().collect(), ..inner.status.clone() }
    }

    /// The topics that were seen, in alphabetical order, at most
    /// [`SEEN_TOPICS_MAX`](super::SEEN_TOPICS_MAX) of them.
    pub fn topics(&self) -> Vec<SeenTopic> {
        self.lock().seen.topics()
    }

    /// Messages on further topics, beyond those of [`StatusHandle::topics`].
    pub fn topics_unlisted(&self) -> u64 {
        self.lock().seen.unlisted()
    }

    /// The last messages of a topic, newest first, with what became of each; none if the topic is
    /// not among [`StatusHandle::topics`].
    pub fn messages(&self, topic: &str) -> Vec<SeenMessage> {
        self.lock().seen.messages(topic)
    }

    pub(super) fn seen(&self, arrived: Arrived<'_>, fate: Fate) {
        self.lock().seen.take(arrived, fate);
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.lock().status);
    }

    pub(super) fn unmapped(&self, topic: &str, address: Option<String>, payload: &[u8], at: UtcMs) {
        let topic: String = topic.chars().take(TOPIC_SHOWN).collect();
        let mut inner = self.lock();
        if !inner.unmapped.contains_key(&topic) && inner.unmapped.len() >= UNMAPPED_MAX {
            inner.status.unmapped_unlisted += 1;
            return;
        }
        let sample = super::mapping::shorten(payload);
        let known = inner.unmapped.entry(topic.clone()).or_insert_with(|| Unmapped {
            topic,
            address: None,
            sample: String::new(),
            count: 0,
            last_at: at,
        });
        known.count += 1;
        known.last_at = at;
        known.address = address;
        known.sample = sample;
    }

    /// Plain data behind the lock: a thread that panicked left it usable.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_unmapped_topics_is_bounded_and_keeps_counting() {
        let handle = StatusHandle::default();
        for n in 0..UNMAPPED_MAX + 3 {
            handle.unmapped(&format!("t/{n:04}"), None, b"1", UtcMs(0));
        }
        handle.unmapped("t/0000", Some("t/a".into()), b"\x07", UtcMs(9));
        let status = handle.get();
        assert_eq!((status.unmapped.len(), status.unmapped_unlisted), (UNMAPPED_MAX, 3));
        let known = Unmapped {
            topic: "t/0000".into(),
            address: Some("t/a".into()),
            sample: "\\u{7}".into(),
            count: 2,
            last_at: UtcMs(9),
        };
        assert_eq!(status.unmapped[0], known);
    }
}
