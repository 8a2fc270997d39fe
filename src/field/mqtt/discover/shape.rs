//! The shape of payloads: what stands where, of which kind, between which numbers.

use crate::field::mqtt::mapping::shorten;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Most places remembered of one topic.
const PLACES_MAX: usize = 256;
/// Most members of a list that are looked at.
const LIST_MAX: usize = 32;
/// Most different words remembered of a place.
const WORDS_MAX: usize = 8;
/// Longer payloads are only measured. Bytes.
const READ_MAX: usize = 64 << 10;
/// Nested deeper, JSON is not looked into.
const DEPTH_MAX: usize = 8;

/// The payloads of a topic.
#[derive(Debug, Default)]
pub struct Shape {
    /// By JSON pointer; a bare number or word stands at the empty one.
    pub places: BTreeMap<String, Place>,
    /// Lists of readings: by the pointer of the list.
    pub lists: BTreeMap<String, List>,
    pub is_json: bool,
    /// Cells of a line of text, where it has separators.
    pub cells: Option<(char, usize)>,
    pub is_binary: bool,
    pub longest: usize,
    /// The last payload, its beginning.
    pub example: String,
}

/// What stands at a place.
#[derive(Clone, Debug, Default)]
pub struct Place {
    pub numbers: u64,
    pub flags: u64,
    pub texts: u64,
    pub range: Option<(f64, f64)>,
    pub words: BTreeSet<String>,
}

/// A list whose members say what they are.
#[derive(Debug, Default)]
pub struct List {
    /// The member that names a reading, and the one that has its value.
    pub name: String,
    pub value: String,
    /// What the names are, with what stands beside them.
    pub names: BTreeMap<String, Place>,
}

impl Shape {
    /// Looks at a payload.
    pub fn take(&mut self, payload: &[u8]) {
        self.longest = self.longest.max(payload.len());
        self.example = shorten(payload);
        let text = match std::str::from_utf8(payload) {
            Ok(text) if payload.len() <= READ_MAX && !text.contains('\0') => text.trim(),
            _ => {
                self.is_binary |= payload.len() <= READ_MAX;
                return;
            }
        };
        match serde_json::from_str::<Value>(text) {
            Ok(value @ (Value::Object(_) | Value::Array(_))) => {
                self.is_json = true;
                self.walk(String::new(), &value, 0);
            }
            _ => match separator(text) {
                Some(found) => self.cells = Some(found),
                None => self.place(String::new(), |place| place.text(text)),
            },
        }
    }

    fn walk(&mut self, pointer: String, value: &Value, depth: usize) {
        if depth > DEPTH_MAX {
            return;
        }
        match value {
            Value::Object(members) => {
                for (key, member) in members {
                    let key = key.replace('~', "~0").replace('/', "~1");
                    self.walk(format!("{pointer}/{key}"), member, depth + 1);
                }
            }
            Value::Array(items) => {
                if self.list(&pointer, items) {
                    return;
                }
                for (index, item) in items.iter().take(LIST_MAX).enumerate() {
                    self.walk(format!("{pointer}/{index}"), item, depth + 1);
                }
            }
            Value::Null => self.place(pointer, |_| {}),
            Value::Bool(_) => self.place(pointer, |place| place.flags += 1),
            Value::Number(number) => {
                let number = number.to_string();
                self.place(pointer, |place| place.text(&number));
            }
            Value::String(text) => self.place(pointer, |place| place.text(text)),
        }
    }

    /// Whether a list is one of readings that name themselves; then it is remembered as that.
    fn list(&mut self, pointer: &str, items: &[Value]) -> bool {
        const NAMES: &[&str] = &["name", "param", "flag", "key", "tag", "id", "point", "quantity", "code"];
        const VALUES: &[&str] = &["value", "val", "v", "data"];
        // What looks like a variable of the configuration cannot be written there.
        let Some(Value::Object(first)) = items.first().filter(|_| !pointer.contains("${")) else {
            return false;
        };
        let of =
            |words: &[&str]| first.keys().find(|key| words.contains(&key.to_lowercase().as_str())).cloned();
        let (Some(name), Some(value)) = (of(NAMES), of(VALUES)) else { return false };
        if self.lists.len() >= LIST_MAX && !self.lists.contains_key(pointer) {
            return false;
        }
        let list = self.lists.entry(pointer.to_owned()).or_default();
        for item in items.iter().take(LIST_MAX * 8) {
            let (Some(Value::String(word)), Some(value)) = (item.get(&name), item.get(&value)) else {
                continue;
            };
            if list.names.len() < PLACES_MAX || list.names.contains_key(word) {
                let place = list.names.entry(word.clone()).or_default();
                match value {
                    Value::Bool(_) => place.flags += 1,
                    Value::String(text) => place.text(text),
                    Value::Number(number) => place.text(&number.to_string()),
                    _ => {}
                }
            }
        }
        (list.name, list.value) = (name, value);
        true
    }

    fn place(&mut self, pointer: String, put: impl FnOnce(&mut Place)) {
        if self.places.len() < PLACES_MAX || self.places.contains_key(&pointer) {
            put(self.places.entry(pointer).or_default());
        }
    }

    /// The same for payloads that can share a topic of the configuration.
    pub fn signature(&self) -> String {
        if self.is_json {
            // A quantity that is missing now and then makes no other shape.
            let first = |pointer: &String| pointer.split('/').nth(1).unwrap_or_default().to_owned();
            let tops: BTreeSet<String> = self.places.keys().chain(self.lists.keys()).map(first).collect();
            return format!("json {tops:?} {:?}", self.lists.keys());
        }
        match (&self.cells, self.is_binary) {
            (Some(cells), _) => format!("csv {cells:?}"),
            (None, true) => "bytes".to_owned(),
            (None, false) => "text".to_owned(),
        }
    }
}

impl Place {
    /// What stands at the same place of another topic.
    pub fn add(&mut self, other: &Place) {
        self.numbers += other.numbers;
        self.flags += other.flags;
        self.texts += other.texts;
        self.range = match (self.range, other.range) {
            (Some((low, high)), Some((lower, higher))) => Some((low.min(lower), high.max(higher))),
            (own, given) => own.or(given),
        };
        let room = WORDS_MAX.saturating_sub(self.words.len());
        self.words.extend(other.words.iter().take(room).cloned());
    }

    fn text(&mut self, text: &str) {
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => {
                self.numbers += 1;
                let (low, high) = self.range.unwrap_or((number, number));
                self.range = Some((low.min(number), high.max(number)));
            }
            _ => {
                self.texts += 1;
                if self.words.len() < WORDS_MAX && text.len() <= 64 {
                    self.words.insert(text.to_owned());
                }
            }
        }
    }
}

/// The character between the cells of a line, and how many cells there are.
fn separator(text: &str) -> Option<(char, usize)> {
    let line = text.lines().last()?;
    let cells = |separator: char| (separator, line.split(separator).count());
    let found = [';', '\t', ','].map(cells).into_iter().find(|(_, count)| *count > 1)?;
    // Words with a comma between them are a sentence.
    line.split(found.0).any(|cell| cell.trim().parse::<f64>().is_ok()).then_some(found)
}
