//! What a broker carries, looked at by nobody who knows it: topics, the shapes of their payloads, and a
//! proposal for the configuration.
//!
//! Pure. Names and units in the proposal are guesses and say so; the file they are pasted into passes
//! `plantroom check`.

mod shape;
mod propose;
mod listen;
#[cfg(test)]
mod tests;

pub use listen::{ListenError, listen};

use crate::config::TopicPattern;
use crate::point::UtcMs;
use shape::Shape;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Most topics that are looked at.
pub const DISCOVER_TOPICS_MAX: usize = 10_000;

/// What was heard.
#[derive(Debug, Default)]
pub struct Discovery {
    topics: BTreeMap<String, Heard>,
    messages: u64,
    unlisted: u64,
    first_at: Option<UtcMs>,
    last_at: UtcMs,
}

/// A topic that was heard.
#[derive(Debug, Default)]
struct Heard {
    count: u64,
    retained: u64,
    shape: Shape,
}

/// Topics of one pattern and one shape.
#[derive(Debug)]
struct Group<'d> {
    topics: Vec<(&'d str, &'d Heard)>,
    /// The words that stand at each level.
    levels: Vec<BTreeSet<&'d str>>,
}

impl Discovery {
    /// Looks at a message.
    pub fn take(&mut self, topic: &str, payload: &[u8], retained: bool, at: UtcMs) {
        self.messages += 1;
        self.first_at.get_or_insert(at);
        self.last_at = self.last_at.max(at);
        if !self.topics.contains_key(topic) && self.topics.len() >= DISCOVER_TOPICS_MAX {
            self.unlisted += 1;
            return;
        }
        let heard = self.topics.entry(topic.to_owned()).or_default();
        heard.count += 1;
        heard.retained += u64::from(retained);
        heard.shape.take(payload);
    }

    /// Messages so far.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// What was heard and what it may mean, as a text that is TOML: comments tell, the rest is the
    /// proposal. Topics that fit `known` are counted and left out; assets in `assets` are not made
    /// again.
    pub fn report(&self, known: &[TopicPattern], assets: &BTreeSet<String>, seconds: u64) -> String {
        let is_known = |topic: &str| known.iter().any(|pattern| pattern.matches(topic).is_some());
        let new: Vec<(&str, &Heard)> = self
            .topics
            .iter()
            .map(|(topic, heard)| (topic.as_str(), heard))
            .filter(|(t, _)| !is_known(t))
            .collect();
        let mut text = format!(
            "# {} messages on {} topics in {seconds} s; {} of the topics are mapped already.\n",
            self.messages,
            self.topics.len(),
            self.topics.len() - new.len(),
        );
        if self.unlisted > 0 {
            let _fits = writeln!(text, "# {} messages on further topics are not looked at.", self.unlisted);
        }
        text.push_str(&propose::proposal(&grouped(new), assets, seconds));
        text
    }
}

/// Topics that begin alike, are of one length and have payloads of one shape belong together.
fn grouped<'d>(topics: Vec<(&'d str, &'d Heard)>) -> Vec<Group<'d>> {
    let mut groups: BTreeMap<(String, usize, String), Group<'d>> = BTreeMap::new();
    for (topic, heard) in topics {
        let levels: Vec<&str> = topic.split('/').collect();
        let first = levels.iter().find(|level| !level.is_empty()).copied().unwrap_or_default();
        let key = (first.to_owned(), levels.len(), heard.shape.signature());
        let group = groups
            .entry(key)
            .or_insert_with(|| Group { topics: Vec::new(), levels: vec![BTreeSet::new(); levels.len()] });
        group.topics.push((topic, heard));
        for (all, level) in group.levels.iter_mut().zip(levels) {
            all.insert(level);
        }
    }
    groups.into_values().collect()
}
