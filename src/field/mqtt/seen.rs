//! The last messages of each topic and what became of them, for a person who maps a broker.
//!
//! Bounded, and cheap for each message: one look-up and one copy of at most [`PAYLOAD_KEPT`] bytes
//! into a buffer that is used again.

use crate::point::UtcMs;
use std::collections::{BTreeMap, VecDeque};

/// Most topics of a broker that are remembered.
pub const SEEN_TOPICS_MAX: usize = 512;
/// Messages remembered of each topic, the newest.
pub const SEEN_MESSAGES_MAX: usize = 5;
/// Bytes remembered of a payload, its first.
pub const PAYLOAD_KEPT: usize = 1_024;
/// Characters remembered of a topic, its first.
const TOPIC_KEPT: usize = 256;
/// A topic silent for this long makes room for another. Milliseconds.
const SILENT_MS: i64 = 60_000;

/// A message that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenMessage {
    /// When it came.
    pub received_at: UtcMs,
    /// Its bytes, at most the first [`PAYLOAD_KEPT`].
    pub payload: Vec<u8>,
    /// How many bytes it had.
    pub bytes: usize,
    /// The broker had kept it as the topic's last word: it may be of any age.
    pub retained: bool,
    /// With which quality of service it came, 0 or 1.
    pub qos: u8,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Points got samples of it.
    Taken {
        /// How many.
        samples: u32,
        /// How many of them have no value, or a doubtful time.
        failed: u32,
        /// The first reason, with the point it was meant for.
        why: Option<String>,
    },
    /// It leads to no known point.
    Unmapped {
        /// The address it led to, if a pattern fits.
        address: Option<String>,
        /// Why it leads nowhere, where more is known than that no pattern fits.
        why: Option<String>,
    },
    /// It had come before and is on disk.
    Duplicate,
    /// `readings` did not keep up: lost (QoS 0), or the broker sends it again.
    Dropped,
}

/// A topic that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenTopic {
    /// The topic, at most 256 characters of it.
    pub topic: String,
    /// Messages since it is remembered.
    pub count: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// When the first of them came.
    pub first_at: UtcMs,
    /// When the last one came.
    pub last_at: UtcMs,
    /// What became of the last one.
    pub fate: Fate,
}

/// What is said of a message as it arrives.
#[derive(Clone, Copy, Debug)]
pub struct Arrived<'m> {
    /// Its topic.
    pub topic: &'m str,
    /// Its bytes.
    pub payload: &'m [u8],
    /// The topic's last word.
    pub retained: bool,
    /// 0 or 1.
    pub qos: u8,
    /// When it came.
    pub at: UtcMs,
}

/// The store.
#[derive(Debug, Default)]
pub struct Seen {
    topics: BTreeMap<String, Entry>,
    /// Messages on topics for which there was no room.
    unlisted: u64,
    /// Before this no remembered topic can have been silent for long enough.
    full_until: Option<UtcMs>,
}

#[derive(Debug)]
struct Entry {
    count: u64,
    bytes: u64,
    first_at: UtcMs,
    last_at: UtcMs,
    /// Oldest first.
    messages: VecDeque<SeenMessage>,
}

impl Seen {
    /// Remembers a message.
    pub fn take(&mut self, arrived: Arrived<'_>, fate: Fate) {
        let topic = cut(arrived.topic);
        if !self.topics.contains_key(topic) {
            if self.topics.len() >= SEEN_TOPICS_MAX && !self.make_room(arrived.at) {
                self.unlisted += 1;
                return;
            }
            let entry = Entry {
                count: 0,
                bytes: 0,
                first_at: arrived.at,
                last_at: arrived.at,
                messages: VecDeque::with_capacity(SEEN_MESSAGES_MAX),
            };
            self.topics.insert(topic.to_owned(), entry);
        }
        if let Some(entry) = self.topics.get_mut(topic) {
            entry.take(arrived, fate);
        }
    }

    /// Forgets the topic that is silent for longest, if that is long.
    fn make_room(&mut self, now: UtcMs) -> bool {
        if self.full_until.is_some_and(|until| now < until) {
            return false;
        }
        let oldest = self.topics.iter().min_by_key(|(_, entry)| entry.last_at);
        let Some((topic, last_at)) = oldest.map(|(topic, entry)| (topic.clone(), entry.last_at)) else {
            return true;
        };
        if now.0.saturating_sub(last_at.0) < SILENT_MS {
            self.full_until = Some(UtcMs(last_at.0.saturating_add(SILENT_MS)));
            return false;
        }
        self.full_until = None;
        self.topics.remove(&topic).is_some()
    }

    /// All remembered topics in alphabetical order.
    pub fn topics(&self) -> Vec<SeenTopic> {
        let seen = |(topic, entry): (&String, &Entry)| {
            Some(SeenTopic {
                topic: topic.clone(),
                count: entry.count,
                bytes: entry.bytes,
                first_at: entry.first_at,
                last_at: entry.last_at,
                fate: entry.messages.back()?.fate.clone(),
            })
        };
        self.topics.iter().filter_map(seen).collect()
    }

    /// The remembered messages of a topic, newest first.
    pub fn messages(&self, topic: &str) -> Vec<SeenMessage> {
        let entry = self.topics.get(cut(topic));
        entry.map_or_else(Vec::new, |entry| entry.messages.iter().rev().cloned().collect())
    }

    /// Messages on topics for which there was no room.
    pub fn unlisted(&self) -> u64 {
        self.unlisted
    }
}

impl Entry {
    fn take(&mut self, arrived: Arrived<'_>, fate: Fate) {
        self.count += 1;
        self.bytes += arrived.payload.len() as u64;
        self.last_at = arrived.at;
        let mut payload = if self.messages.len() >= SEEN_MESSAGES_MAX {
            self.messages.pop_front().map(|oldest| oldest.payload).unwrap_or_default()
        } else {
            Vec::new()
        };
        payload.clear();
        payload.extend_from_slice(arrived.payload.get(..PAYLOAD_KEPT).unwrap_or(arrived.payload));
        self.messages.push_back(SeenMessage {
            received_at: arrived.at,
            payload,
            bytes: arrived.payload.len(),
            retained: arrived.retained,
            qos: arrived.qos,
            fate,
        });
    }
}

/// The beginning of a topic.
fn cut(topic: &str) -> &str {
    let end = topic.char_indices().nth(TOPIC_KEPT).map_or(topic.len(), |(at, _)| at);
    topic.get(..end).unwrap_or(topic)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAKEN: Fate = Fate::Taken { samples: 1, failed: 0, why: None };

    fn arrived<'m>(topic: &'m str, payload: &'m [u8], at: i64) -> Arrived<'m> {
        Arrived { topic, payload, retained: false, qos: 1, at: UtcMs(at) }
    }

    #[test]
    fn the_newest_messages_of_a_topic_are_kept_with_their_first_bytes() {
        let mut seen = Seen::default();
        let long = vec![b'x'; PAYLOAD_KEPT + 1];
        seen.take(arrived("t", &long, 0), TAKEN);
        assert_eq!((seen.messages("t")[0].payload.len(), seen.messages("t")[0].bytes), (1_024, 1_025));
        for n in 1..=6 {
            seen.take(arrived("t", n.to_string().as_bytes(), n), Fate::Duplicate);
        }
        let messages = seen.messages("t");
        assert_eq!(messages.len(), SEEN_MESSAGES_MAX);
        let payloads: Vec<&[u8]> = messages.iter().map(|message| message.payload.as_slice()).collect();
        assert_eq!(payloads, [b"6", b"5", b"4", b"3", b"2"]);
        let [topic] = seen.topics().try_into().unwrap();
        assert_eq!((topic.count, topic.bytes, topic.first_at, topic.last_at), (7, 1_031, UtcMs(0), UtcMs(6)));
        assert_eq!(topic.fate, Fate::Duplicate);
        assert!(seen.messages("other").is_empty());
    }

    #[test]
    fn no_more_topics_than_there_is_room_for_and_silent_ones_make_room() {
        let mut seen = Seen::default();
        for n in 0..SEEN_TOPICS_MAX {
            seen.take(arrived(&format!("t/{n:04}"), b"", i64::try_from(n).unwrap()), TAKEN);
        }
        seen.take(arrived("new", b"", SILENT_MS - 1), TAKEN);
        seen.take(arrived("new", b"", SILENT_MS - 1), TAKEN);
        assert_eq!((seen.topics().len(), seen.unlisted()), (SEEN_TOPICS_MAX, 2));
        seen.take(arrived("new", b"", SILENT_MS), TAKEN);
        assert_eq!((seen.topics().len(), seen.unlisted()), (SEEN_TOPICS_MAX, 2));
        assert!(seen.messages("t/0000").is_empty() && seen.messages("new").len() == 1);
        let long = "氧".repeat(300);
        seen.take(arrived(&long, b"", SILENT_MS + 1), TAKEN);
        assert_eq!(seen.messages(&long).len(), 1, "asked for by the whole topic");
        assert!(seen.topics().iter().any(|topic| topic.topic.chars().count() == TOPIC_KEPT));
    }
}
