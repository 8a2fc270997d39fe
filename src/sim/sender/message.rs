//! One message of a mapping, written: the inverse of `field::mqtt::mapping`. Pure.

use crate::config::{
    AssetFrom, Broker, ByteCell, Cell, Encoding, Form, Order, Plan, Point, Table, TimeFormat, Topic,
    TopicPattern, TopicValue, Where, Written as Text,
};
use crate::point::{Address, Decimal, Name, UtcMs, ValueKind};
use crate::sim::device::encode::{self, Written};
use crate::sim::device::instrument::Instrument;
use serde_json::{Map, Number, Value};
use std::collections::BTreeMap;

/// A message that a sensor sends again and again.
#[derive(Clone, Debug)]
pub struct Message {
    topic: String,
    asset: Name,
    stale_after_ms: u64,
    /// Texts that stand in it whatever it says: who sends it, what it is.
    fixed: Vec<(String, String)>,
    /// Where the time stands, and how it is written.
    time: Option<(String, TimeFormat)>,
    /// Where the bytes stand, and how they are written; empty marks: the bytes themselves.
    bytes: Option<Bytes>,
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
struct Bytes {
    pointer: String,
    written: Text,
    records: BTreeMap<Vec<u8>, u16>,
}

/// One value of it.
#[derive(Clone, Debug)]
struct Part {
    place: usize,
    instrument: Instrument,
    kind: ValueKind,
    /// The word of each number, if it has words.
    words: BTreeMap<i64, String>,
    spot: Spot,
}

#[derive(Clone, Debug)]
enum Spot {
    Whole,
    Pointer(String),
    Bytes(ByteCell),
}

/// The messages of one asset: one with all its values, or one for each where they say which they are.
fn messages_of(topic: &Topic, asset: &Name, parts: Vec<(Part, &TopicValue, u64)>) -> Vec<Message> {
    let Some((name, fixed)) = named(topic, asset) else { return Vec::new() };
    let bytes = topic.bytes.from.as_ref().and_then(|(place, written)| match place {
        Where::Pointer(pointer) => {
            Some(Bytes { pointer: pointer.clone(), written: *written, records: topic.bytes.records.clone() })
        }
        _ => None,
    });
    let time = topic.time.as_ref().and_then(|time| match &time.place {
        Where::Pointer(pointer) => Some((pointer.clone(), time.format.clone())),
        _ => None,
    });
    let with = |parts: Vec<Part>, more: Option<(String, String)>, stale_after_ms| Message {
        topic: name.clone(),
        asset: asset.clone(),
        stale_after_ms,
        fixed: fixed.iter().cloned().chain(more).collect(),
        time: time.clone(),
        bytes: bytes.clone(),
        parts,
    };
    match &topic.quantity {
        Some(Where::Pointer(pointer)) => parts
            .into_iter()
            .map(|(part, value, stale)| {
                let word = value.key.clone().unwrap_or_else(|| value.quantity.to_string());
                with(vec![part], Some((pointer.clone(), word)), stale)
            })
            .collect(),
        Some(_) => Vec::new(),
        None => {
            let stale = parts.iter().map(|(.., stale)| *stale).min();
            let parts: Vec<Part> = parts.into_iter().map(|(part, ..)| part).collect();
            stale.map(|stale| with(parts, None, stale)).into_iter().collect()
        }
    }
}

/// The topic of an asset's messages and the texts in them that say whose they are; none for forms
/// that the demo does not send.
fn named(topic: &Topic, asset: &Name) -> Option<(String, Vec<(String, String)>)> {
    if topic.form != Form::Text {
        return None;
    }
    let mut fixed = Vec::new();
    for (place, text) in &topic.only_if {
        match place {
            Where::Pointer(pointer) => fixed.push((pointer.clone(), text.clone())),
            _ => return None,
        }
    }
    let mut captures = BTreeMap::new();
    if let AssetFrom::Said { place, names } = &topic.asset {
        let called = names.iter().find(|(_, named)| *named == asset);
        let word = called.map_or_else(|| asset.to_string(), |(word, _)| word.clone());
        match place {
            Where::Pointer(pointer) => fixed.push((pointer.clone(), word)),
            Where::Captures(text) => captures = captured(text, &word)?,
            _ => return None,
        }
    }
    Some((filled(topic.pattern.as_str(), &captures), fixed))
}

/// What the captures of a text must be for it to read `word`.
fn captured(text: &str, word: &str) -> Option<BTreeMap<String, String>> {
    let pattern: TopicPattern = text.parse().ok()?;
    let found = pattern.matches(word)?;
    Some(pattern.captures().map(str::to_owned).zip(found.into_iter().map(str::to_owned)).collect())
}

/// A topic with its captures filled in; those nobody names are "demo".
fn filled(pattern: &str, captures: &BTreeMap<String, String>) -> String {
    let mut topic = String::new();
    let mut rest = pattern;
    while let Some((before, tail)) = rest.split_once('{') {
        let Some((name, after)) = tail.split_once('}') else { break };
        topic.push_str(before);
        let name = name.strip_suffix("...").unwrap_or(name);
        topic.push_str(captures.get(name).map_or("demo", String::as_str));
        rest = after;
    }
    topic.push_str(rest);
    topic
}

fn part<'a>(
    asset: &Name,
    value: &'a TopicValue,
    points: &BTreeMap<&Address, &Point>,
    places: &BTreeMap<Address, usize>,
) -> Option<(Part, &'a TopicValue, u64)> {
    let address = Address { asset: asset.clone(), quantity: value.quantity.clone() };
    let (point, place) = (points.get(&address)?, *places.get(&address)?);
    let spot = match (&value.cell, &value.place) {
        (Some(cell), _) => Spot::Bytes(cell.clone()),
        (None, Where::Whole) => Spot::Whole,
        (None, Where::Pointer(pointer)) => Spot::Pointer(pointer.clone()),
        (None, _) => return None,
    };
    let words = value.words.iter().map(|(word, number)| (*number, word.clone())).collect();
    let part = Part {
        place,
        instrument: Instrument::message(point, value.cell.is_some()),
        kind: value.kind,
        words,
        spot,
    };
    Some((part, value, point.stale_after_ms))
}

impl Message {
    /// Every message of a broker's mappings whose points are told; `places` says where.
    pub fn all(plan: &Plan, broker: &Broker, places: &BTreeMap<Address, usize>) -> Vec<Message> {
        let points: BTreeMap<&Address, &Point> = plan.points.iter().map(|one| (&one.address, one)).collect();
        let mut messages = Vec::new();
        for topic in &broker.topics {
            let mut assets: Vec<&Name> = topic.values.iter().flat_map(|value| &value.assets).collect();
            assets.sort_unstable();
            assets.dedup();
            for asset in assets {
                let parts: Vec<(Part, &TopicValue, u64)> = topic
                    .values
                    .iter()
                    .filter(|value| value.assets.contains(asset))
                    .filter_map(|value| part(asset, value, &points, places))
                    .collect();
                messages.extend(messages_of(topic, asset, parts));
            }
        }
        messages
    }

    /// Where it is sent.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Who sends it.
    pub fn asset(&self) -> &Name {
        &self.asset
    }

    /// How long its values hold. Milliseconds.
    pub fn stale_after_ms(&self) -> u64 {
        self.stale_after_ms
    }

    /// What it says, given what instruments show by their places; none if there is nothing to say.
    pub fn payload(&self, values: &[f64], at: UtcMs) -> Option<String> {
        let mut message = Value::Object(Map::new());
        let mut bytes: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        let mut said = false;
        for part in &self.parts {
            let shown = values.get(part.place).copied().filter(|shown| shown.is_finite());
            let Some(raw) = shown.and_then(|shown| part.instrument.raw_decimal(shown)) else { continue };
            match &part.spot {
                Spot::Whole => return Some(part.bare(raw)),
                Spot::Pointer(pointer) => set(&mut message, pointer, part.json(raw))?,
                Spot::Bytes(cell) => self.put_bytes(&mut bytes, cell, raw)?,
            }
            said = true;
        }
        if !said {
            return None;
        }
        for (pointer, text) in &self.fixed {
            set(&mut message, pointer, Value::String(text.clone()))?;
        }
        if let Some((pointer, format)) = &self.time {
            set(&mut message, pointer, moment(at, format)?)?;
        }
        if let Some(of) = &self.bytes {
            let all: Vec<u8> =
                bytes.into_iter().flat_map(|(mark, content)| [mark, content].concat()).collect();
            let text = match of.written {
                Text::Base64 => base64(&all),
                Text::Hex => hex(&all),
            };
            set(&mut message, &of.pointer, Value::String(text))?;
        }
        Some(message.to_string())
    }

    fn put_bytes(
        &self,
        records: &mut BTreeMap<Vec<u8>, Vec<u8>>,
        cell: &ByteCell,
        raw: Decimal,
    ) -> Option<()> {
        let mark = cell.record.clone().unwrap_or_default();
        let length = self.bytes.as_ref().and_then(|bytes| bytes.records.get(&mark)).copied();
        let record = records.entry(mark).or_default();
        let own = bytes_of(cell, raw)?;
        let end = cell.at + own.len();
        let length = length.map_or(end, usize::from).max(end);
        if record.len() < length {
            record.resize(length, 0);
        }
        for (spot, (byte, mask)) in record.iter_mut().skip(cell.at).zip(own) {
            *spot = *spot & !mask | byte & mask;
        }
        Some(())
    }
}

impl Part {
    fn json(&self, raw: Decimal) -> Value {
        let whole = raw.mantissa_at(0);
        if let Some(word) = whole.and_then(|whole| self.words.get(&whole)) {
            return Value::String(word.clone());
        }
        match (self.kind, whole) {
            (ValueKind::Bool, whole) => Value::Bool(whole != Some(0)),
            (_, Some(whole)) if raw.exponent() >= 0 => Value::Number(whole.into()),
            _ => Number::from_f64(raw.to_f64()).map_or(Value::Null, Value::Number),
        }
    }

    fn bare(&self, raw: Decimal) -> String {
        match self.json(raw) {
            Value::String(word) => word,
            Value::Number(_) => raw.to_string(),
            other => other.to_string(),
        }
    }
}

/// Puts a value where an RFC 6901 pointer leads, making what leads there.
fn set(message: &mut Value, pointer: &str, value: Value) -> Option<()> {
    let mut spot = message;
    for key in pointer.strip_prefix('/')?.split('/') {
        let key = key.replace("~1", "/").replace("~0", "~");
        spot = match key.parse::<usize>().ok().filter(|index| *index < 1_000) {
            Some(index) if spot.as_object().is_none_or(Map::is_empty) => {
                if !spot.is_array() {
                    *spot = Value::Array(Vec::new());
                }
                let list = spot.as_array_mut()?;
                while list.len() <= index {
                    list.push(Value::Null);
                }
                list.get_mut(index)?
            }
            _ => {
                if !spot.is_object() {
                    *spot = Value::Object(Map::new());
                }
                spot.as_object_mut()?.entry(key).or_insert(Value::Null)
            }
        };
    }
    *spot = value;
    Some(())
}

fn moment(at: UtcMs, format: &TimeFormat) -> Option<Value> {
    let number = |n: i64| Some(Value::Number(n.into()));
    match format {
        TimeFormat::Seconds => number(at.0.div_euclid(1_000)),
        TimeFormat::Millis => number(at.0),
        TimeFormat::Micros => number(at.0.checked_mul(1_000)?),
        TimeFormat::Nanos => number(at.0.checked_mul(1_000_000)?),
        TimeFormat::Rfc3339 => Some(Value::String(at.to_string())),
        // A civil time needs its zone, and none of the demo's sensors writes one.
        TimeFormat::Strptime(_) => None,
    }
}

/// The bytes of a value with the bits of them that count.
fn bytes_of(cell: &ByteCell, raw: Decimal) -> Option<Vec<(u8, u8)>> {
    let (least, most) = encode::limits(cell.encoding, cell.bits)?;
    let number = rounded(raw)?.clamp(least, most);
    let one_byte = matches!(cell.encoding, Encoding::U8 | Encoding::I8 | Encoding::Bool);
    let order = if one_byte { Order::Abcd } else { cell.order };
    let register = Cell { bits: cell.bits, order, ..Cell::new(Table::Holding, 0, cell.encoding) };
    let words = encode::encode(&Written::Whole(number), register, order, &jiff::tz::TimeZone::UTC)?;
    let bytes = words.masked.into_iter().flat_map(|(word, mask)| {
        let ([high, low], [high_mask, low_mask]) = (word.to_be_bytes(), mask.to_be_bytes());
        [(high, high_mask), (low, low_mask)]
    });
    // A type of one byte stands in the low half of its register.
    Some(bytes.skip(usize::from(one_byte)).collect())
}

/// The nearest whole number.
#[expect(clippy::cast_possible_truncation, reason = "saturates, which is what is meant")]
fn rounded(raw: Decimal) -> Option<i64> {
    let number = raw.to_f64();
    number.is_finite().then_some(number.round() as i64)
}

/// Two digits a byte.
fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0x0F)]).collect()
}

/// RFC 4648 base64 with padding.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4_usize {
            let index = usize::try_from(bits >> (18 - 6 * place) & 0x3F).unwrap_or(0);
            let letter = LETTERS.get(index).copied().map_or('=', char::from);
            text.push(if place > three.len() { '=' } else { letter });
        }
    }
    text
}
