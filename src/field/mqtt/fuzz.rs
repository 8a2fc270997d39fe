//! Any topic and any payload against every way a message can be read: a target for cargo-fuzz
//! (`fuzz/`), played with seeds on every test run.

use super::discover::Discovery;
use super::mapping::{Mapping, shorten};
use crate::config::{Topic, TopicPattern, topics_of};
use crate::field::{Fault, Raw};
use crate::point::{Address, PointId, UtcMs, Value};
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet};

/// A topic of each kind; together every key of one.
const TOPICS: &str = include_str!("../../../config/devices/demo/sender.toml");
const MORE: &str = r#"
[[topics]]
topic = "a/{asset}"
each = ""
quantity_from = "{key}"
time = { from = "/t", format = "rfc3339" }
[[topics.values]]
quantity = "x"
unit = "1"
assets = ["b"]
type = "bool"
[[topics.values]]
quantity = "y"
unit = "1"
assets = ["b"]
type = "text"

[[topics]]
topic = "{asset}/{rest...}"
csv = {}
time = { from = 1, format = "unix-ms" }
unit_from = 3
[[topics.values]]
quantity = "z"
column = 2
unit = "kW"
assets = ["b", "a"]

[[topics]]
topic = "raw"
asset = "c"
[[topics.values]]
quantity = "date"
unit = "s"
bytes = { at = 1, type = "date-bcd" }
[[topics.values]]
quantity = "float"
unit = "V"
bytes = { type = "f64", order = "dcba" }
[[topics.values]]
quantity = "word"
unit = "1"
bytes = { at = 3, type = "text:5" }
"#;

/// What topics and payloads are put together of.
const PIECES: &[&str] = &[
    "gateway/1/room-2",
    "logger/asset",
    "radio/asset/up",
    "a/b",
    "raw",
    "b/c/d",
    "/",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "\\",
    "\\u0000",
    "\\ud800",
    "\"readings\":",
    "\"serial\":",
    "\"asset\"",
    "\"name\":",
    "\"T1\"",
    "\"FAN\"",
    "\"value\":",
    "\"type\":\"data\"",
    "\"unit\":",
    "\"K\"",
    "\"time\":",
    "\"2026-02-30 24:00:60\"",
    "\"2026-01-01 00:00:00\"",
    "\"state\":",
    "\"x\"",
    "\"y\"",
    "\"t\"",
    "1",
    "-0",
    "0.1",
    "1e308",
    "1e-400",
    "99999999999999999999",
    "null",
    "true",
    "false",
    "NaN",
    "运行",
    "\n",
    ";",
    "RH",
    "\"data\":",
    "\"AXVkA2gP/w==\"",
    "=",
    " ",
    "\t",
    "\r",
    "\u{0}",
    "\u{feff}",
];

/// Plays one input: its first byte chooses how the rest is made.
///
/// # Panics
/// On a value that is none: not finite, too long, for a point the mapping does not know, or without a
/// reason where there is no value.
pub fn messages(data: &[u8]) {
    let Some((how, rest)) = data.split_first() else { return };
    let (head, tail) = rest.split_at(rest.len().min(4));
    let pieces = |bytes: &[u8]| -> Vec<u8> {
        let piece = |byte: &u8| PIECES.get(usize::from(*byte) % PIECES.len()).copied().unwrap_or_default();
        bytes.iter().flat_map(|byte| piece(byte).bytes()).collect()
    };
    let topic = if how & 1 == 0 { pieces(head) } else { head.to_vec() };
    let payload = if how & 2 == 0 { pieces(tail) } else { tail.to_vec() };
    let topic = String::from_utf8_lossy(&topic).into_owned();
    let (topics, mapping, points) = prepared();
    // Now and then a topic that fits, whatever was made.
    let topic = match how >> 4 {
        chosen @ 0..=7 => {
            const FITTING: [&str; 8] = [
                "gateway/1/room-2",
                "logger/asset",
                "radio/asset/up",
                "a/b",
                "raw",
                "b/c/d",
                "gateway/x/room-",
                "a/b",
            ];
            FITTING.get(usize::from(chosen)).map_or(topic, |fitting| (*fitting).to_owned())
        }
        _ => topic,
    };
    let mapped = mapping.map(&topic, &payload);
    for sample in mapped.samples() {
        assert!(points.contains(&sample.point), "a point nobody knows");
        assert!(is_sound(&sample.raw), "{:?}", sample.raw);
        let silent = sample.raw == Err(Fault::Decoding) && mapped.unreadable.is_none();
        assert!(!silent, "a fault without a reason");
    }
    // Preparing a topic costs more than a message.
    let is_tried = tail.first().is_some_and(|byte| byte % 16 == 0);
    for topic_of_file in topics.iter().filter(|_| is_tried) {
        let tried = Mapping::try_one(topic_of_file, &topic, &payload).map(|tried| tried.fits);
        assert_eq!(tried.ok(), Some(topic_of_file.pattern.matches(&topic).is_some()));
    }
    let mut discovery = Discovery::default();
    discovery.take(&topic, &payload, how & 4 != 0, UtcMs(0));
    let report = discovery.report(&[], &BTreeSet::new(), 1);
    assert!(!is_tried || topics_of(&without_assets(&report), &TimeZone::UTC).is_ok(), "{report}");
    assert!(shorten(&payload).len() <= 1_000);
    if let Ok(pattern) = topic.parse::<TopicPattern>() {
        assert_eq!(pattern.to_string(), topic);
    }
}

/// The topics of a proposal.
fn without_assets(report: &str) -> String {
    report.split("\n[[assets]]").next().unwrap_or_default().to_owned()
}

fn is_sound(raw: &Result<Raw, Fault>) -> bool {
    match raw {
        Ok(Raw::Value(Value::F64(number))) => number.is_finite(),
        Ok(Raw::Text(text)) => text.len() <= super::WORD_MAX,
        Ok(Raw::Doubted(raw)) => !matches!(**raw, Raw::Doubted(_)) && is_sound(&Ok((**raw).clone())),
        Ok(Raw::Value(_)) | Err(_) => true,
    }
}

type Prepared = (Vec<Topic>, Mapping, BTreeSet<PointId>);

fn prepared() -> &'static Prepared {
    static PREPARED: std::sync::OnceLock<Prepared> = std::sync::OnceLock::new();
    PREPARED.get_or_init(|| {
        let sender = TOPICS.split_once("[[topics]]").map_or("", |(_, rest)| rest);
        let text = format!("[[topics]]{sender}{MORE}");
        let tried = topics_of(&text, &TimeZone::UTC).expect("the topics above");
        let addresses: BTreeSet<Address> =
            tried.iter().flat_map(|tried| tried.points.iter().map(|point| point.address.clone())).collect();
        let numbered: BTreeMap<Address, PointId> = addresses.into_iter().zip((1..).map(PointId)).collect();
        let topics: Vec<Topic> = tried.into_iter().map(|tried| tried.topic).collect();
        let mapping = Mapping::new(&topics, &numbered).expect("the topics above");
        (topics, mapping, numbered.into_values().collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_thousand_messages_and_none_breaks_anything() {
        let mut state = 7_u64;
        let mut roll = || {
            // SplitMix64, as in net::Backoff.
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        for _ in 0..100_000 {
            let length = usize::try_from(roll() % 40).unwrap();
            let data: Vec<u8> = (0..length).map(|_| roll().to_le_bytes()[0]).collect();
            messages(&data);
        }
    }
}
