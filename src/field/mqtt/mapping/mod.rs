//! From topic and payload to samples: what a message means, decided without a connection.
//!
//! A value has a place (a JSON pointer, a column, bytes, the whole), a way it is written there and,
//! where that is a word, a table. What tells about values (asset, quantity, time, quality, unit) has
//! places of its own. Pure, so that any bytes can be thrown at it: what fits no value becomes a fault
//! for the points it was meant for, with its reason.
//!
//! Reading order: `route` (one topic), `place` (where things stand), `words`, `bytes`, `csv`, `time`,
//! `unit` (how they are written), `unreadable` (why there is no value), `trie` (which topic it is),
//! `tried` (a topic that no broker listens to yet).

mod route;
mod place;
mod words;
mod bytes;
mod csv;
mod time;
mod unit;
mod unreadable;
mod trie;
mod tried;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod manual;

pub use tried::{Tried, TriedValue};
pub use unreadable::Unreadable;

use super::json::PointerError;
use crate::config;
use crate::field::{Raw, Sample};
use crate::point::{Address, Name, PointId, UtcMs};
use route::{Route, Said};
use std::collections::{BTreeMap, BTreeSet};
use trie::Trie;

/// The longest payload that is read, in bytes, whatever a broker is allowed; a longer one is unreadable.
pub const PAYLOAD_MAX: usize = 16 << 20;
/// The longest word taken as a text value, in bytes.
pub const WORD_MAX: usize = 256;
/// Most items of one message that are read.
pub const ITEMS_MAX: usize = 4_096;
/// Most characters of an address that is no known point.
const UNKNOWN_SHOWN: usize = 160;

/// Why a topic of the configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// A text names a capture that the pattern does not have.
    #[error("{text:?}: the topic pattern has no {{{name}}}")]
    NoCapture {
        /// The text as configured.
        text: String,
        /// The capture.
        name: String,
    },
    /// The JSON pointer is none.
    #[error("{pointer:?}: {error}")]
    Pointer {
        /// The pointer as configured.
        pointer: String,
        /// Why not.
        error: PointerError,
    },
}

/// What a message turned out to be.
#[derive(Debug, Default)]
pub struct Mapped {
    /// Samples for known points, those of one moment together.
    pub parts: Vec<Part>,
    /// The first that could not be read: the point or the message, and why.
    pub unreadable: Option<(String, Unreadable)>,
    /// The first address it led to that is no known point.
    pub unknown: Option<String>,
}

/// Samples of one moment.
#[derive(Debug, PartialEq)]
pub struct Part {
    /// When they were true, if the message says so.
    pub source_at: Option<UtcMs>,
    /// One for each known point the message was meant for.
    pub samples: Vec<Sample>,
}

impl Mapped {
    /// All samples.
    pub fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.parts.iter().flat_map(|part| &part.samples)
    }

    fn push(&mut self, source_at: Option<UtcMs>, sample: Sample) {
        match self.parts.last_mut().filter(|part| part.source_at == source_at) {
            Some(part) => part.samples.push(sample),
            None => self.parts.push(Part { source_at, samples: vec![sample] }),
        }
    }
}

/// All topics of one broker.
#[derive(Debug)]
pub struct Mapping {
    trie: Trie,
    routes: Vec<Listened>,
    filters: BTreeSet<String>,
    payload_max: usize,
}

/// A topic and the numbers of its points.
#[derive(Debug)]
struct Listened {
    route: Route,
    /// By asset, then by value.
    points: Vec<Option<PointId>>,
    quantities: Vec<Name>,
}

impl Mapping {
    /// Prepares the topics of a broker. Of their points only those count that are in `points`.
    pub fn new(
        topics: &[config::Topic],
        points: &BTreeMap<Address, PointId>,
    ) -> Result<Mapping, MappingError> {
        let mut mapping = Mapping {
            trie: Trie::default(),
            routes: Vec::new(),
            filters: BTreeSet::new(),
            payload_max: PAYLOAD_MAX,
        };
        for topic in topics {
            mapping.trie.add(&topic.pattern, mapping.routes.len());
            mapping.filters.insert(topic.pattern.filter());
            mapping.routes.push(Listened::new(topic, points)?);
        }
        Ok(mapping)
    }

    /// The same; a payload of more than `bytes` is not read.
    #[must_use]
    pub fn within(self, bytes: usize) -> Mapping {
        Mapping { payload_max: bytes, ..self }
    }

    /// What to subscribe to, each filter once.
    pub fn filters(&self) -> BTreeSet<String> {
        self.filters.clone()
    }

    /// Known points that come from here whoever sends: those of topics of one asset.
    pub fn fixed_points(&self) -> BTreeSet<PointId> {
        let fixed = self.routes.iter().filter(|listened| listened.route.is_fixed());
        fixed.flat_map(|listened| listened.points.iter().copied().flatten()).collect()
    }

    /// Reads a message.
    pub fn map(&self, topic: &str, payload: &[u8]) -> Mapped {
        let mut mapped = Mapped::default();
        let payload = if payload.len() > self.payload_max { Err(Unreadable::TooLong) } else { Ok(payload) };
        self.trie.find(topic, |number, captures| {
            if let Some(listened) = self.routes.get(number) {
                listened.read(captures, payload, &mut mapped);
            }
        });
        mapped
    }

    /// What a topic that nobody listens to yet would make of a message: every value with its unit and
    /// reason, also those of assets and words that no file knows.
    ///
    /// # Errors
    /// The topic cannot be used.
    pub fn try_one(wanted: &config::Topic, topic: &str, payload: &[u8]) -> Result<Tried, MappingError> {
        tried::try_one(wanted, topic, payload)
    }
}

impl Listened {
    fn new(topic: &config::Topic, known: &BTreeMap<Address, PointId>) -> Result<Listened, MappingError> {
        let route = Route::new(topic)?;
        let mut points = Vec::with_capacity(route.assets().len() * topic.values.len());
        for asset in route.assets() {
            points.extend(topic.values.iter().map(|value| {
                let own = value.assets.contains(asset);
                let address = Address { asset: asset.clone(), quantity: value.quantity.clone() };
                known.get(&address).copied().filter(|_| own)
            }));
        }
        let quantities = topic.values.iter().map(|value| value.quantity.clone()).collect();
        Ok(Listened { route, points, quantities })
    }

    fn read(&self, captures: &[&str], payload: Result<&[u8], Unreadable>, mapped: &mut Mapped) {
        self.route.read(captures, payload, false, &mut |said| match said {
            Said::Value { asset, value, at, raw, why } => {
                let point = asset.ok().and_then(|asset| {
                    self.points.get(asset * self.quantities.len() + value).copied().flatten()
                });
                let Some(point) = point else { return };
                if let (Some(why), None) = (why, &mapped.unreadable) {
                    mapped.unreadable = Some((self.address(asset, value), why));
                }
                mapped.push(at, Sample { point, raw });
            }
            Said::Unknown { asset, quantity } => {
                let first = self.quantities.first().map(Name::as_str);
                mapped.unknown.get_or_insert_with(|| unknown(asset, quantity.or(first)));
            }
            Said::Unreadable(why) => {
                mapped.unreadable.get_or_insert_with(|| ("the message".to_owned(), why));
            }
        });
    }

    fn address(&self, asset: Result<usize, &str>, value: usize) -> String {
        let asset = asset.map(|number| self.route.assets().get(number).map_or("", Name::as_str));
        let quantity = self.quantities.get(value).map_or("", Name::as_str);
        format!("{}/{quantity}", asset.unwrap_or_else(|text| text))
    }
}

/// An address that is no known point.
fn unknown(asset: &str, quantity: Option<&str>) -> String {
    let text = format!("{asset}/{}", quantity.unwrap_or("*"));
    text.chars().take(UNKNOWN_SHOWN).collect()
}

/// A character as a line can show it: controls and what cannot be seen escaped, quotes as they are.
pub fn visible(c: char) -> impl Iterator<Item = char> {
    let plain = matches!(c, '"' | '\'' | '\\').then_some(c);
    plain.into_iter().chain(plain.is_none().then(|| c.escape_debug()).into_iter().flatten())
}

/// The beginning of a payload for a log: at most 80 characters, each [`visible`].
pub fn shorten(payload: &[u8]) -> String {
    const CHARS: usize = 80;
    // Four bytes a character at most, so this cuts nothing that would be shown.
    let head = payload.get(..4 * CHARS).unwrap_or(payload);
    let text = String::from_utf8_lossy(head);
    let mut short: String = text.chars().take(CHARS).flat_map(visible).collect();
    if payload.len() > head.len() || text.chars().nth(CHARS).is_some() {
        short.push('…');
    }
    short
}

/// Whether a sample says that it is one without doubt.
fn is_sound(sample: &Sample) -> bool {
    sample.raw.as_ref().is_ok_and(|raw| !matches!(raw, Raw::Doubted(_)))
}

impl Mapped {
    /// Samples without a value, or with a doubtful one.
    pub fn failed(&self) -> usize {
        self.samples().filter(|sample| !is_sound(sample)).count()
    }
}
