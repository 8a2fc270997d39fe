//! A topic of a broker, resolved: which messages it is, what they say, and of which points.
//!
//! Each thing a message says has a [`Where`] where it stands. A topic whose messages hold several
//! things of one kind has items: the members of a list or an object, or the lines of a table.

use super::pattern::TopicPattern;
use super::plan::{Bits, Sentinel};
use super::{Encoding, Order};
use crate::point::{Address, Name, Unit, ValueKind};
use jiff::tz::TimeZone;
use std::collections::BTreeMap;

/// A subscription and what its messages hold.
#[derive(Clone, Debug)]
pub struct Topic {
    /// Which topics.
    pub pattern: TopicPattern,
    /// How a payload is written.
    pub form: Form,
    /// Only messages (or items) where these texts stand at these places; others say nothing.
    pub only_if: Vec<(Where, String)>,
    /// Whom a message (or item) is of.
    pub asset: AssetFrom,
    /// The word that says which of the values a message (or item) has; none: all of them.
    pub quantity: Option<Where>,
    /// When its values were true, if it says so.
    pub time: Option<TimeFrom>,
    /// What its source thinks of them, if it says so.
    pub quality: Option<QualityFrom>,
    /// Where the unit of its numbers stands, if it does.
    pub unit: Option<Where>,
    /// Where bytes are taken from, for values that are bytes.
    pub bytes: ByteSource,
    /// What a message (or item) holds.
    pub values: Vec<TopicValue>,
}

impl Topic {
    /// Every point it can feed, an asset's together.
    pub fn points(&self) -> impl Iterator<Item = Address> {
        self.values.iter().flat_map(|value| {
            let address = |asset: &Name| Address { asset: asset.clone(), quantity: value.quantity.clone() };
            value.assets.iter().map(address)
        })
    }
}

/// How a payload is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// A text: JSON where something is looked for in it, else a bare number or word.
    Text,
    /// JSON whose items are the members of the list or object this pointer leads to.
    Each(String),
    /// A table of texts; its lines are the items.
    Csv {
        /// Between two cells.
        separator: u8,
        /// The first line names the columns.
        header: bool,
    },
    /// Bytes.
    Bytes,
}

/// Where something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Where {
    /// The whole payload, or the whole item.
    Whole,
    /// RFC 6901 pointer: in the item, or in the message where the item has no such member.
    Pointer(String),
    /// Column of a table.
    Column(Column),
    /// A text with captures of the topic in it; `{key}` is the name of the item.
    Captures(String),
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// By its place, from 0.
    Number(usize),
    /// By its name in the first line.
    Named(String),
}

/// Whom a message is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AssetFrom {
    /// Always the same asset.
    Fixed(Name),
    /// A text in the message or its topic.
    Said {
        /// Where.
        place: Where,
        /// Which assets the texts stand for, letters in lower case; empty: a text is the asset's id.
        names: BTreeMap<String, Name>,
    },
}

/// When values were true.
#[derive(Clone, Debug)]
pub struct TimeFrom {
    /// Where it stands.
    pub place: Where,
    /// How it is written.
    pub format: TimeFormat,
    /// Which clocks show civil times that do not say it.
    pub zone: TimeZone,
}

/// How a time is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// Seconds since 1970 UTC, decimals allowed.
    Seconds,
    /// Milliseconds since 1970 UTC.
    Millis,
    /// Microseconds since 1970 UTC.
    Micros,
    /// Nanoseconds since 1970 UTC.
    Nanos,
    /// RFC 3339, with its offset.
    Rfc3339,
    /// As `strptime` has it: `%Y-%m-%d %H:%M:%S`.
    Strptime(String),
}

/// What a source thinks of its values.
#[derive(Clone, Debug)]
pub struct QualityFrom {
    /// Where its word stands.
    pub place: Where,
    /// What the words mean; the empty one is for where none stands. Any other word is a doubt.
    pub words: BTreeMap<String, Verdict>,
}

/// What a source thinks of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is wrong.
    Good,
    /// It doubts it.
    Uncertain,
    /// It is none.
    Bad(super::plan::Means),
}

/// Where bytes are taken from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByteSource {
    /// The text they are written in; none: they are the payload itself.
    pub from: Option<(Where, Written)>,
    /// Marks of records, each with the count of bytes behind it; empty: no records.
    pub records: BTreeMap<Vec<u8>, u16>,
}

/// How bytes are written as a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// RFC 4648 base64, either alphabet, with or without padding.
    Base64,
    /// Two digits a byte.
    Hex,
}

/// One value of a message or item.
#[derive(Clone, Debug)]
pub struct TopicValue {
    /// What is measured.
    pub quantity: Name,
    /// The assets that send it.
    pub assets: Vec<Name>,
    /// The word by which a message says that it has this value; none: every message has it.
    pub key: Option<String>,
    /// Where it stands.
    pub place: Where,
    /// Where in the bytes, if it is bytes.
    pub cell: Option<ByteCell>,
    /// Kind of the value.
    pub kind: ValueKind,
    /// Unit of the value, for messages that say theirs.
    pub unit: Unit,
    /// Words and the numbers they stand for.
    pub words: BTreeMap<String, i64>,
    /// Numbers that are no measurement.
    pub sentinels: Vec<Sentinel>,
    /// A message may leave it out.
    pub optional: bool,
}

/// A value in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByteCell {
    /// Bytes before it, from the beginning or behind the mark.
    pub at: usize,
    /// The mark of the record it stands in.
    pub record: Option<Vec<u8>>,
    /// What the bytes are.
    pub encoding: Encoding,
    /// The order they come in.
    pub order: Order,
    /// Only these bits of them.
    pub bits: Option<Bits>,
}

impl ByteCell {
    /// How many bytes it takes.
    pub fn bytes(&self) -> usize {
        match self.encoding {
            Encoding::U8 | Encoding::I8 | Encoding::Bool => 1,
            Encoding::Text(bytes) => usize::from(bytes),
            other => 2 * usize::from(other.items(self.order)),
        }
    }
}
