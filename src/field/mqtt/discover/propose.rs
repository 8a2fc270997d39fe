//! A proposal for the configuration out of what was heard.

use super::Group;
use super::shape::{Place, Shape};
use crate::field::mqtt::mapping::visible;
use crate::point::Name;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Most assets named in one proposed topic.
const ASSETS_MAX: usize = 200;

/// What a name suggests: a part of it, and the unit.
const UNITS: &[(&str, &str)] = &[
    ("temp", "Cel"),
    ("温度", "Cel"),
    ("humi", "%"),
    ("湿度", "%"),
    ("rh", "%"),
    ("batt", "%"),
    ("energy", "kW.h"),
    ("kwh", "kW.h"),
    ("电能", "kW.h"),
    ("power", "kW"),
    ("功率", "kW"),
    ("volt", "V"),
    ("电压", "V"),
    ("current", "A"),
    ("电流", "A"),
    ("freq", "Hz"),
    ("频率", "Hz"),
    ("press", "kPa{gauge}"),
    ("压力", "kPa{gauge}"),
    ("flow", "m3/h"),
    ("流量", "m3/h"),
    ("co2", "[ppm]"),
    ("level", "m"),
    ("液位", "m"),
    ("speed", "/min"),
    ("rssi", "dB"),
    ("snr", "dB"),
];
/// Names that tell about a message and are no measurement.
const TIMES: &[&str] = &["time", "timestamp", "ts", "datetime", "date", "received_at", "t_ms"];

/// What the proposal names already.
#[derive(Default)]
struct Named {
    /// Assets by their id, with what was heard.
    assets: BTreeMap<String, String>,
    points: BTreeSet<(String, String)>,
}

impl Named {
    /// A quantity that none of these assets has yet; it is theirs then.
    fn quantity<'i>(&mut self, wanted: &str, assets: impl Iterator<Item = &'i String> + Clone) -> String {
        let is_free = |quantity: &String| {
            assets.clone().all(|asset| !self.points.contains(&(asset.clone(), quantity.clone())))
        };
        let numbered = (2..).map(|n| format!("{wanted}-{n}"));
        let free = std::iter::once(wanted.to_owned()).chain(numbered).find(is_free).unwrap_or_default();
        self.points.extend(assets.map(|asset| (asset.clone(), free.clone())));
        free
    }
}

/// The text of a proposal.
pub fn proposal(groups: &[Group<'_>], known_assets: &BTreeSet<String>, seconds: u64) -> String {
    let mut text = String::new();
    let mut named = Named::default();
    for group in groups {
        one(group, seconds, &mut named, &mut text);
    }
    let new = named.assets.iter().filter(|(id, _)| !known_assets.contains(*id));
    let mut first = true;
    for (id, from) in new {
        if std::mem::take(&mut first) {
            text.push_str(
                "\n# The assets above, as far as the site does not have them: ids and classes are guesses.\n",
            );
        }
        let _fits =
            write!(text, "\n[[assets]]\nid = \"{id}\"\nclass = \"Equipment\" # heard as {}\n", comment(from));
    }
    text
}

/// The levels of a proposed topic: which are fixed, and what the others are called.
struct Pattern {
    text: String,
    /// Position of the asset's level, if one varies.
    asset: Option<usize>,
    has_quantity: bool,
}

fn pattern(group: &Group<'_>) -> Option<Pattern> {
    let varying: Vec<usize> =
        group.levels.iter().enumerate().filter(|(_, words)| words.len() > 1).map(|(at, _)| at).collect();
    let last = group.levels.len().checked_sub(1)?;
    // Braces of a sender's own would be taken for captures.
    if group.levels.iter().flatten().any(|word| word.contains(['{', '}'])) {
        return None;
    }
    let shape = group.topics.first().map(|(_, heard)| &heard.shape)?;
    let bare = !shape.is_json && shape.cells.is_none() && !shape.is_binary;
    // A bare number on `.../temperature` beside one on `.../humidity`.
    let words = |at: usize| group.levels.get(at).is_some_and(|words| words.iter().all(|word| is_word(word)));
    let has_quantity = bare && varying.contains(&last) && words(last);
    let others = varying.iter().copied().filter(|at| !(has_quantity && *at == last));
    let count = |at: &usize| group.levels.get(*at).map_or(0, BTreeSet::len);
    let asset = others.max_by_key(count);
    let mut levels = Vec::new();
    for (at, words) in group.levels.iter().enumerate() {
        levels.push(match (asset == Some(at), has_quantity && at == last) {
            (true, _) => "{asset}".to_owned(),
            (_, true) => "{quantity}".to_owned(),
            _ if words.len() > 1 => format!("{{level{at}}}"),
            _ => words.iter().next().map_or(String::new(), |word| (*word).to_owned()),
        });
    }
    let text = levels.join("/");
    // Levels a pattern cannot have.
    text.parse::<crate::config::TopicPattern>().ok()?;
    Some(Pattern { text, asset, has_quantity })
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(|c| c.is_ascii_digit())
}

fn one(group: &Group<'_>, seconds: u64, named: &mut Named, text: &mut String) {
    let Some((topic, heard)) = group.topics.first() else { return };
    let messages: u64 = group.topics.iter().map(|(_, heard)| heard.count).sum();
    let retained: u64 = group.topics.iter().map(|(_, heard)| heard.retained).sum();
    let per_minute = messages.saturating_mul(60) / seconds.max(1);
    let _fits = writeln!(
        text,
        "\n# Topics as {1}: {0}; {messages} messages, {retained} of them retained, about {per_minute} a minute.\n# The last on it: {2}",
        group.topics.len(),
        comment(topic),
        comment(&heard.shape.example),
    );
    let pattern = pattern(group);
    let names = pattern.as_ref().map(|pattern| asset_names(group, pattern)).unwrap_or_default();
    let values = pattern.as_ref().map(|pattern| values(group, pattern, &names, named)).unwrap_or_default();
    let Some(pattern) = pattern.filter(|_| !values.is_empty()) else {
        let _fits = writeln!(text, "# {}", why_none(&heard.shape));
        return;
    };
    let _fits = writeln!(text, "[[mqtt.topics]]\ntopic = {}", quoted(&pattern.text));
    if let (None, Some(id)) = (pattern.asset, names.values().next()) {
        let _fits = writeln!(text, "asset = \"{id}\" # a guess by the topic");
    } else {
        let listed: Vec<String> =
            names.iter().map(|(word, id)| format!("{} = \"{id}\"", quoted(word))).collect();
        let _fits = writeln!(
            text,
            "assets = {{ {} }} # guesses: what the topic has, and the asset",
            listed.join(", ")
        );
    }
    for (word, id) in &names {
        named.assets.entry(id.clone()).or_insert_with(|| word.clone());
    }
    if let Some((pointer, _)) = heard.shape.lists.iter().next() {
        let list = heard.shape.lists.get(pointer);
        let name = list.map_or("name", |list| list.name.as_str());
        let _fits =
            writeln!(text, "each = {}\nquantity_from = {}", quoted(pointer), quoted(&format!("/{name}")));
    }
    if let Some(time) = time(&heard.shape) {
        let _fits = writeln!(text, "{time}");
    }
    if let Some((separator, _)) = cells(&heard.shape) {
        let _fits = writeln!(text, "csv = {{ separator = {} }}", quoted(&separator.to_string()));
    }
    for value in values {
        text.push_str(&value);
    }
}

fn why_none(shape: &Shape) -> &'static str {
    if shape.is_binary {
        "Bytes: what they are only their maker can say; see `bytes` in the manual of the mapping."
    } else {
        "Nothing in it looks like a measurement, or its topic cannot be written as a pattern."
    }
}

/// What stands in the topic for each asset, and the id proposed for it.
fn asset_names(group: &Group<'_>, pattern: &Pattern) -> BTreeMap<String, String> {
    let words: Vec<&str> = if let Some(at) = pattern.asset {
        group.levels.get(at).into_iter().flatten().copied().collect()
    } else {
        // The level before the quantity, or the last that has a digit, names the thing.
        let topic = group.topics.first().map_or("", |(topic, _)| topic);
        let levels: Vec<&str> = topic.split('/').filter(|level| !level.is_empty()).collect();
        let skipped = usize::from(pattern.has_quantity);
        let with_digit = levels.iter().rev().skip(skipped).find(|level| !is_word(level));
        vec![with_digit.or(levels.iter().rev().nth(skipped)).copied().unwrap_or("asset")]
    };
    let mut taken = BTreeSet::new();
    let mut names = BTreeMap::new();
    for word in words.into_iter().take(ASSETS_MAX) {
        // Small and capital letters are the same in the table.
        if names.keys().any(|known: &String| known.to_lowercase() == word.to_lowercase()) {
            continue;
        }
        let id = unique(&name(word, "asset"), &mut taken);
        names.insert(word.to_owned(), id);
    }
    names
}

/// A text as a name of the configuration.
fn name(text: &str, fallback: &str) -> String {
    let mut name = String::new();
    for c in text.chars().take(Name::LEN_MAX - 4) {
        let c = c.to_ascii_lowercase();
        let fits = c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if fits || !name.ends_with('_') {
            name.push(if fits { c } else { '_' });
        }
    }
    let name = name.trim_matches('_').to_owned();
    if name.is_empty() { fallback.to_owned() } else { name }
}

fn unique(name: &str, taken: &mut BTreeSet<String>) -> String {
    let numbered = (2..).map(|n| format!("{name}-{n}"));
    let mut free = std::iter::once(name.to_owned()).chain(numbered).filter(|name| !taken.contains(name));
    let name = free.next().unwrap_or_default();
    taken.insert(name.clone());
    name
}

/// The cells of a line, where all payloads are lines.
fn cells(shape: &Shape) -> Option<(char, usize)> {
    shape.cells.filter(|_| !shape.is_json)
}

/// A value of the proposal: what it is called, where it stands, what stood there.
struct Proposed {
    word: String,
    at: String,
    place: Place,
}

/// The `[[values]]` of a group.
fn values(
    group: &Group<'_>,
    pattern: &Pattern,
    names: &BTreeMap<String, String>,
    named: &mut Named,
) -> Vec<String> {
    let shape = group.topics.first().map(|(_, heard)| &heard.shape);
    if let Some((_, cells)) = shape.and_then(cells) {
        let mut column = |n: usize| {
            let quantity = named.quantity(&format!("column_{n}"), names.values());
            format!(
                "\n[[mqtt.topics.values]]\nquantity = \"{quantity}\" # a guess\ncolumn = {n}\nunit = \"1\" # not known: write it\noptional = true\n"
            )
        };
        return (1..=cells.min(64)).map(&mut column).collect();
    }
    let mut all: BTreeMap<String, Proposed> = BTreeMap::new();
    for (topic, heard) in &group.topics {
        for (key, proposed) in of_topic(topic, &heard.shape, pattern) {
            match all.get_mut(&key) {
                Some(known) => known.place.add(&proposed.place),
                None => drop(all.insert(key, proposed)),
            }
        }
    }
    let is_value = |p: &Proposed| p.place.numbers > 0 || p.place.flags > 0 || !p.place.words.is_empty();
    // What looks like a variable of the configuration cannot be written there.
    let writable = all.into_values().filter(|proposed| !proposed.at.contains("${") && is_value(proposed));
    let mut text = |p: Proposed| {
        let quantity = named.quantity(&name(&p.word, "value"), names.values());
        value(&quantity, &p.word, &p.at, &p.place)
    };
    writable.map(&mut text).collect()
}

/// What the messages of a topic hold, by what tells it from the rest.
fn of_topic(topic: &str, shape: &Shape, pattern: &Pattern) -> Vec<(String, Proposed)> {
    if let Some((pointer, list)) = shape.lists.iter().next() {
        let at = format!("pointer = {}", quoted(&format!("/{}", list.value)));
        let named = |(word, place): (&String, &Place)| {
            let at = format!("key = {}\n{at}", quoted(word));
            (format!("{pointer} {word}"), Proposed { word: word.clone(), at, place: place.clone() })
        };
        return list.names.iter().map(named).collect();
    }
    let level = topic.rsplit('/').next().unwrap_or_default();
    let mut found = Vec::new();
    for (pointer, place) in &shape.places {
        let last = pointer.rsplit('/').next().unwrap_or_default();
        if TIMES.contains(&last.to_lowercase().as_str()) {
            continue;
        }
        let (key, word, at) = if !pointer.is_empty() {
            (pointer.clone(), last, format!("pointer = {}", quoted(pointer)))
        } else if pattern.has_quantity {
            (level.to_owned(), level, format!("key = {}", quoted(level)))
        } else {
            (String::new(), if is_word(level) { level } else { "value" }, String::new())
        };
        found.push((key, Proposed { word: word.to_owned(), at, place: place.clone() }));
    }
    found
}

fn value(quantity: &str, word: &str, at: &str, place: &Place) -> String {
    let mut text = format!("\n[[mqtt.topics.values]]\nquantity = \"{quantity}\"\n");
    if !at.is_empty() {
        let _fits = writeln!(text, "{at}");
    }
    let seen: Vec<String> = place.words.iter().map(|word| comment(word)).collect();
    if place.numbers == 0 && place.flags > 0 {
        text.push_str("type = \"bool\"\nunit = \"1\"\n");
    } else if place.numbers == 0 {
        let _fits = writeln!(
            text,
            "type = \"text\" # or `words` for states; seen: {}\nunit = \"1\"",
            seen.join(", ")
        );
    } else {
        let (low, high) = place.range.unwrap_or_default();
        match unit(word) {
            Some(unit) => {
                let _fits = writeln!(text, "unit = \"{unit}\" # a guess by its name; {low} to {high} seen");
            }
            None => {
                let _fits = writeln!(text, "unit = \"1\" # not known: write it; {low} to {high} seen");
            }
        }
    }
    text.push_str("optional = true # a guess: whether every message has it nobody knows yet\n");
    text
}

fn unit(word: &str) -> Option<&'static str> {
    let word = word.to_lowercase();
    UNITS.iter().find(|(part, _)| word.contains(part)).map(|(_, unit)| *unit)
}

/// The line of a time, where one was found.
fn time(shape: &Shape) -> Option<String> {
    let mut named = shape.places.iter().filter(|(pointer, _)| {
        let last = pointer.rsplit('/').next().unwrap_or_default().to_lowercase();
        TIMES.contains(&last.as_str())
    });
    let (pointer, place) = named.next().filter(|(pointer, _)| !pointer.contains("${"))?;
    // Between 2001 and 2286 the count of digits tells the unit.
    let format = match place.range {
        Some((low, high)) if place.texts == 0 && low >= 1e9 && high < 1e10 => "unix-s",
        Some((low, high)) if place.texts == 0 && low >= 1e12 && high < 1e13 => "unix-ms",
        Some((low, high)) if place.texts == 0 && low >= 1e15 && high < 1e16 => "unix-us",
        None if place.words.iter().all(|word| word.parse::<jiff::Timestamp>().is_ok()) && place.texts > 0 => {
            "rfc3339"
        }
        _ => return None,
    };
    Some(format!("time = {{ from = {}, format = \"{format}\" }} # a guess by its digits", quoted(pointer)))
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _fits = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A text inside a comment: no line ends, no controls.
fn comment(text: &str) -> String {
    text.chars().take(160).flat_map(visible).collect()
}
