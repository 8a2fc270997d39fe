//! From topic and payload to samples: captures build the address, the payload gives the value.
//!
//! Pure: what a message means is decided here without a connection, so that any bytes can be
//! thrown at it. What fits no value becomes [`Fault::Decoding`] for the points it was meant for.

use super::json::{PointerError, Pointers};
use crate::config::{self, Payload};
use crate::field::{Fault, Raw, Sample};
use crate::point::{Address, AddressError, Decimal, DecimalError, PointId, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The longest payload that is read, in bytes; a longer one is unreadable.
pub const PAYLOAD_MAX: usize = 1 << 20;
/// The longest word taken as a text value, in bytes.
pub const WORD_MAX: usize = 256;
/// The longest topic MQTT can carry, in bytes (MQTT 3.1.1, 1.5.3).
const TOPIC_MAX: usize = 65_535;

/// Why a topic of the configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// Empty or too long.
    #[error("topic pattern {0:?}: a topic has 1 to 65535 bytes")]
    Length(String),
    /// `+`, `#` or NUL.
    #[error("topic pattern {0:?}: '+', '#' and NUL are not allowed, write a capture: {{name}}")]
    Wildcard(String),
    /// A brace that is not a capture of a whole level.
    #[error("topic pattern {pattern:?}: level {level:?} is neither plain nor one whole {{name}}")]
    Level {
        /// The pattern.
        pattern: String,
        /// The level.
        level: String,
    },
    /// The same capture twice.
    #[error("topic pattern {pattern:?}: {{{name}}} stands twice")]
    Twice {
        /// The pattern.
        pattern: String,
        /// The capture.
        name: String,
    },
    /// The point names a capture that the pattern does not have.
    #[error("point {point:?}: the topic pattern has no {{{name}}}")]
    NoCapture {
        /// The point as configured.
        point: String,
        /// The capture.
        name: String,
    },
    /// The point would not be an address.
    #[error("point {point:?}: {error}")]
    Point {
        /// The point as configured.
        point: String,
        /// Why not.
        error: AddressError,
    },
    /// The JSON pointer is none.
    #[error("point {point:?}: {error}")]
    Pointer {
        /// The point as configured.
        point: String,
        /// Why not.
        error: PointerError,
    },
}

/// Why a message has no value for a point it was meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Longer than [`PAYLOAD_MAX`].
    #[error("the payload is longer than 1 MiB")]
    TooLong,
    /// Not UTF-8.
    #[error("the payload is not UTF-8")]
    NotText,
    /// Not JSON.
    #[error("the payload is not JSON")]
    NotJson,
    /// The pointer leads nowhere.
    #[error("the payload has no such member")]
    NoMember,
    /// Empty, null, an array, an object, or a word beyond [`WORD_MAX`].
    #[error("what stands there is no number, flag or word")]
    NoValue,
}

/// What a message turned out to be.
#[derive(Debug, Default)]
pub struct Mapped {
    /// One sample for each known point the message was meant for.
    pub samples: Vec<Sample>,
    /// The first point that could not be read, with the reason.
    pub unreadable: Option<(Address, Unreadable)>,
    /// With no samples: the address the topic led to, if it led to one, which is no known point.
    pub unknown: Option<String>,
}

/// All topics of one broker.
#[derive(Debug)]
pub struct Mapping {
    routes: Vec<Route>,
    points: Arc<BTreeMap<Address, PointId>>,
}

#[derive(Debug)]
struct Route {
    pattern: Pattern,
    values: Vec<Wanted>,
    pointers: Pointers,
}

/// One value of a route.
#[derive(Debug)]
struct Wanted {
    point: Template,
    /// Position in the route's pointers; none for a plain payload.
    slot: Option<usize>,
}

impl Mapping {
    /// Compiles the topics of a broker.
    pub fn new(
        topics: &[config::Topic],
        points: Arc<BTreeMap<Address, PointId>>,
    ) -> Result<Mapping, MappingError> {
        let routes = topics.iter().map(Route::new).collect::<Result<_, _>>()?;
        Ok(Mapping { routes, points })
    }

    /// What to subscribe to, each filter once.
    pub fn filters(&self) -> BTreeSet<String> {
        self.routes.iter().map(|route| route.pattern.filter()).collect()
    }

    /// Known points that come from here whatever is captured: those without a capture.
    pub fn fixed_points(&self) -> BTreeSet<PointId> {
        let templates = self.routes.iter().flat_map(|route| &route.values);
        let fixed = templates.filter_map(|value| value.point.fill(&[]));
        fixed.filter_map(|text| self.known(&text).map(|(_, id)| id)).collect()
    }

    /// Reads a message.
    pub fn map(&self, topic: &str, payload: &[u8]) -> Mapped {
        let mut mapped = Mapped::default();
        for route in &self.routes {
            if let Some(captures) = route.pattern.matches(topic) {
                self.map_route(route, &captures, payload, &mut mapped);
            }
        }
        if !mapped.samples.is_empty() {
            mapped.unknown = None;
        }
        mapped
    }

    fn map_route(&self, route: &Route, captures: &[&str], payload: &[u8], mapped: &mut Mapped) {
        let mut meant = Vec::with_capacity(route.values.len());
        for value in &route.values {
            let Some(text) = value.point.fill(captures) else { continue };
            match self.known(&text) {
                Some((address, id)) => meant.push((value.slot, address, id)),
                None if mapped.unknown.is_none() => mapped.unknown = Some(text),
                None => {}
            }
        }
        if meant.is_empty() {
            return;
        }
        let text = text_of(payload);
        // Parsed once, and only if a known point asks for a member.
        let asked = meant.iter().any(|(slot, ..)| slot.is_some());
        let members = match text {
            Ok(text) if asked => route.pointers.find(text).map_err(|_| Unreadable::NotJson),
            Ok(_) => Ok(Vec::new()),
            Err(why) => Err(why),
        };
        for (slot, address, point) in meant {
            let value = match slot {
                None => text.and_then(plain),
                Some(slot) => match &members {
                    Ok(found) => {
                        found.get(slot).copied().flatten().ok_or(Unreadable::NoMember).and_then(json)
                    }
                    Err(why) => Err(*why),
                },
            };
            let raw = value.unwrap_or_else(|why| {
                mapped.unreadable.get_or_insert((address, why));
                Err(Fault::Decoding)
            });
            mapped.samples.push(Sample { point, raw });
        }
    }

    fn known(&self, text: &str) -> Option<(Address, PointId)> {
        let address: Address = text.parse().ok()?;
        let id = *self.points.get(&address)?;
        Some((address, id))
    }
}

impl Route {
    fn new(topic: &config::Topic) -> Result<Route, MappingError> {
        let pattern = Pattern::parse(&topic.pattern)?;
        let mut pointers = Pointers::default();
        let mut values = Vec::with_capacity(topic.values.len());
        for value in &topic.values {
            let point = Template::parse(&value.point, &pattern)?;
            let slot = match &value.payload {
                Payload::Plain => None,
                Payload::Json { pointer } => Some(
                    pointers
                        .add(pointer)
                        .map_err(|error| MappingError::Pointer { point: value.point.clone(), error })?,
                ),
            };
            values.push(Wanted { point, slot });
        }
        Ok(Route { pattern, values, pointers })
    }
}

/// `plant/{asset}/telemetry`: levels, each a literal or a capture of the whole level.
#[derive(Debug)]
struct Pattern {
    levels: Vec<Level>,
}

#[derive(Debug)]
enum Level {
    Literal(String),
    Capture(String),
}

impl Pattern {
    fn parse(text: &str) -> Result<Pattern, MappingError> {
        if text.is_empty() || text.len() > TOPIC_MAX {
            return Err(MappingError::Length(text.chars().take(80).collect()));
        }
        if text.contains(['+', '#', '\0']) {
            return Err(MappingError::Wildcard(text.to_owned()));
        }
        let mut pattern = Pattern { levels: Vec::new() };
        for level in text.split('/') {
            if !level.contains(['{', '}']) {
                pattern.levels.push(Level::Literal(level.to_owned()));
                continue;
            }
            let name = level
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'))
                .filter(|name| !name.is_empty() && !name.contains(['{', '}']))
                .ok_or_else(|| MappingError::Level { pattern: text.to_owned(), level: level.to_owned() })?;
            if pattern.capture(name).is_some() {
                return Err(MappingError::Twice { pattern: text.to_owned(), name: name.to_owned() });
            }
            pattern.levels.push(Level::Capture(name.to_owned()));
        }
        Ok(pattern)
    }

    /// The position of a capture among the captures.
    fn capture(&self, name: &str) -> Option<usize> {
        let captures = self.levels.iter().filter_map(|level| match level {
            Level::Capture(capture) => Some(capture),
            Level::Literal(_) => None,
        });
        captures.into_iter().position(|capture| capture == name)
    }

    fn filter(&self) -> String {
        let levels: Vec<&str> = self
            .levels
            .iter()
            .map(|level| match level {
                Level::Literal(text) => text.as_str(),
                Level::Capture(_) => "+",
            })
            .collect();
        levels.join("/")
    }

    /// What the captures stand for in a topic, or none if it is another topic.
    fn matches<'t>(&self, topic: &'t str) -> Option<Vec<&'t str>> {
        let mut captures = Vec::new();
        let mut given = topic.split('/');
        for level in &self.levels {
            let text = given.next()?;
            match level {
                Level::Literal(literal) if literal == text => {}
                Level::Literal(_) => return None,
                Level::Capture(_) => captures.push(text),
            }
        }
        given.next().is_none().then_some(captures)
    }
}

/// `{asset}/temperature` with its captures as positions.
#[derive(Debug)]
struct Template {
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Literal(String),
    Capture(usize),
}

impl Template {
    fn parse(text: &str, pattern: &Pattern) -> Result<Template, MappingError> {
        let shape = |error| MappingError::Point { point: text.to_owned(), error };
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((literal, tail)) = rest.split_once('{') {
            let (name, after) = tail.split_once('}').ok_or_else(|| shape(AddressError::Character('{')))?;
            let at = pattern
                .capture(name)
                .ok_or_else(|| MappingError::NoCapture { point: text.to_owned(), name: name.to_owned() })?;
            parts.extend([Part::Literal(literal.to_owned()), Part::Capture(at)]);
            rest = after;
        }
        parts.push(Part::Literal(rest.to_owned()));
        let template = Template { parts };
        // One letter for each capture shows whether it can be an address at all.
        let letters = vec!["a"; pattern.levels.len()];
        template.fill(&letters).unwrap_or_default().parse::<Address>().map_err(shape)?;
        Ok(template)
    }

    /// The point's text; none if a capture is missing.
    fn fill(&self, captures: &[&str]) -> Option<String> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Capture(at) => text.push_str(captures.get(*at)?),
            }
        }
        Some(text)
    }
}

fn text_of(payload: &[u8]) -> Result<&str, Unreadable> {
    if payload.len() > PAYLOAD_MAX {
        return Err(Unreadable::TooLong);
    }
    std::str::from_utf8(payload).map_err(|_| Unreadable::NotText)
}

/// A value, or the device's own word for a broken sensor.
type Read = Result<Raw, Fault>;

/// A whole payload: number, `true`/`false`, or a word.
fn plain(text: &str) -> Result<Read, Unreadable> {
    let text = text.trim();
    match text {
        _ if text.eq_ignore_ascii_case("true") => Ok(Ok(Raw::Value(Value::Bool(true)))),
        _ if text.eq_ignore_ascii_case("false") => Ok(Ok(Raw::Value(Value::Bool(false)))),
        _ => match number(text) {
            Some(value) => Ok(Ok(Raw::Value(value))),
            None => word(text),
        },
    }
}

/// A JSON value as it stands in the message.
fn json(text: &str) -> Result<Read, Unreadable> {
    match text.as_bytes().first() {
        Some(b'"') => word(&serde_json::from_str::<String>(text).map_err(|_| Unreadable::NotJson)?),
        Some(b't') => Ok(Ok(Raw::Value(Value::Bool(true)))),
        Some(b'f') => Ok(Ok(Raw::Value(Value::Bool(false)))),
        Some(b'-' | b'0'..=b'9') => {
            number(text).map(|value| Ok(Raw::Value(value))).ok_or(Unreadable::NoValue)
        }
        _ => Err(Unreadable::NoValue),
    }
}

/// Exactly where a decimal holds it, else the nearest float: a sender that prints 20 digits
/// printed a float.
fn number(text: &str) -> Option<Value> {
    match text.parse::<Decimal>() {
        Ok(decimal) => Some(Value::Decimal(decimal)),
        Err(DecimalError::Range) => {
            text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::F64)
        }
        Err(DecimalError::Syntax) => None,
    }
}

fn word(text: &str) -> Result<Read, Unreadable> {
    const BROKEN: [&str; 5] = ["nan", "inf", "-inf", "infinity", "-infinity"];
    if BROKEN.iter().any(|broken| text.eq_ignore_ascii_case(broken)) {
        return Ok(Err(Fault::Sensor));
    }
    if text.is_empty() || text.len() > WORD_MAX || text.contains(char::is_control) {
        return Err(Unreadable::NoValue);
    }
    Ok(Ok(Raw::Text(text.to_owned())))
}

/// The beginning of a payload for a log: at most 80 characters, controls escaped.
pub fn shorten(payload: &[u8]) -> String {
    const CHARS: usize = 80;
    // Four bytes a character at most, so this cuts nothing that would be shown.
    let head = payload.get(..4 * CHARS).unwrap_or(payload);
    let text = String::from_utf8_lossy(head);
    let mut short: String = text.chars().take(CHARS).flat_map(char::escape_debug).collect();
    if payload.len() > head.len() || text.chars().nth(CHARS).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Topic, TopicValue};
    use proptest::prelude::*;

    fn topic(pattern: &str, values: &[(&str, Option<&str>)]) -> Topic {
        let values = values.iter().map(|(point, pointer)| TopicValue {
            point: (*point).to_owned(),
            payload: match pointer {
                Some(pointer) => Payload::Json { pointer: (*pointer).to_owned() },
                None => Payload::Plain,
            },
        });
        Topic { pattern: pattern.to_owned(), values: values.collect() }
    }

    fn points(addresses: &[&str]) -> Arc<BTreeMap<Address, PointId>> {
        let numbered = addresses.iter().zip(1..);
        Arc::new(numbered.map(|(text, id)| (text.parse().unwrap(), PointId(id))).collect())
    }

    fn ward() -> Mapping {
        let topics = [
            topic(
                "plant/{asset}/telemetry",
                &[("{asset}/temperature", Some("/t")), ("{asset}/humidity", Some("/env/h"))],
            ),
            topic("lift/{n}/floor", &[("lift-{n}/floor", None)]),
            topic("tank/level", &[("tank-1/level", None)]),
        ];
        let known = ["ward-3/temperature", "ward-3/humidity", "lift-2/floor", "tank-1/level"];
        Mapping::new(&topics, points(&known)).unwrap()
    }

    fn raw(mapped: &Mapped) -> Vec<(u32, Result<String, Fault>)> {
        let text = |raw: &Raw| match raw {
            Raw::Value(Value::Decimal(decimal)) => decimal.to_string(),
            other => format!("{other:?}"),
        };
        mapped.samples.iter().map(|s| (s.point.0, s.raw.as_ref().map(text).map_err(|f| *f))).collect()
    }

    #[test]
    fn captures_build_the_address_and_digits_stay() {
        let mapping = ward();
        let filters: Vec<_> = mapping.filters().into_iter().collect();
        assert_eq!(filters, ["lift/+/floor", "plant/+/telemetry", "tank/level"]);
        let mapped = mapping.map("plant/ward-3/telemetry", br#"{"t": 21.50, "env": {"h": "47"}}"#);
        assert_eq!(raw(&mapped), [(1, Ok("21.50".into())), (2, Ok("Text(\"47\")".into()))]);
        let mapped = mapping.map("lift/2/floor", b" -1\n");
        assert_eq!(raw(&mapped), [(3, Ok("-1".into()))]);
        assert_eq!(mapping.fixed_points(), BTreeSet::from([PointId(4)]));
    }

    #[test]
    fn an_unknown_address_is_named_and_an_unknown_topic_is_not() {
        let mapped = ward().map("lift/9/floor", b"3");
        assert_eq!((mapped.samples.len(), mapped.unknown.as_deref()), (0, Some("lift-9/floor")));
        let mapped = ward().map("lift/9/floor/x", b"3");
        assert_eq!((mapped.samples.len(), mapped.unknown.as_deref()), (0, None));
        let mapped = ward().map("plant/Ward 3/telemetry", b"{}");
        assert_eq!(mapped.unknown.as_deref(), Some("Ward 3/temperature"));
    }

    #[test]
    fn what_cannot_be_read_is_said_for_every_point_it_was_meant_for() {
        let mapping = ward();
        let bad = Err(Fault::Decoding);
        let address = "ward-3/temperature".parse::<Address>().unwrap();
        for (payload, why) in [
            (&b"\xff"[..], Unreadable::NotText),
            (b"", Unreadable::NotJson),
            (b"{\"t\": 21.5", Unreadable::NotJson),
            (b"[21.5]", Unreadable::NoMember),
            (br#"{"t": null, "env": {"h": []}}"#, Unreadable::NoValue),
            (br#"{"t": 1e999, "env": {"h": ""}}"#, Unreadable::NoValue),
            (&vec![b' '; PAYLOAD_MAX + 1], Unreadable::TooLong),
        ] {
            let mapped = mapping.map("plant/ward-3/telemetry", payload);
            assert_eq!(raw(&mapped), [(1, bad.clone()), (2, bad.clone())], "{why}");
            assert_eq!(mapped.unreadable, Some((address.clone(), why)));
        }
        // One member missing does not take the other with it.
        let mapped = mapping.map("plant/ward-3/telemetry", br#"{"env": {"h": 1}}"#);
        assert_eq!(raw(&mapped), [(1, bad), (2, Ok("1".into()))]);
    }

    #[test]
    fn plain_payloads() {
        let read = |text: &str| ward().map("tank/level", text.as_bytes()).samples[0].raw.clone();
        let value = |value| Ok(Raw::Value(value));
        assert_eq!(read("true"), value(Value::Bool(true)));
        assert_eq!(read("False"), value(Value::Bool(false)));
        assert_eq!(read("3.20"), value(Value::Decimal("3.20".parse().unwrap())));
        assert_eq!(read("0.12345678901234567890123"), value(Value::F64(0.123_456_789_012_345_68)));
        assert_eq!(read("运行"), Ok(Raw::Text("运行".into())));
        assert_eq!(read("NaN"), Err(Fault::Sensor));
        assert_eq!(read(""), Err(Fault::Decoding));
        assert_eq!(read("a\u{7}b"), Err(Fault::Decoding));
        assert_eq!(read(&"w".repeat(WORD_MAX + 1)), Err(Fault::Decoding));
    }

    #[test]
    fn a_wrong_topic_is_refused_with_its_reason() {
        let error = |pattern: &str, point: &str, pointer| {
            Mapping::new(&[topic(pattern, &[(point, pointer)])], points(&[])).unwrap_err().to_string()
        };
        for (pattern, point, pointer, said) in [
            ("", "a/b", None, "1 to 65535 bytes"),
            ("a/+", "a/b", None, "write a capture: {name}"),
            ("a/#", "a/b", None, "not allowed"),
            ("a/x{n}", "a/b", None, "level \"x{n}\""),
            ("a/{}", "a/b", None, "level \"{}\""),
            ("{n}/{n}", "a/b", None, "{n} stands twice"),
            ("a/{n}", "a/{m}", None, "has no {m}"),
            ("a/{n}", "a/{n", None, "not '{'"),
            ("a/{n}", "a-{n}", None, "asset/quantity"),
            ("a/{n}", "A/{n}", None, "not 'A'"),
            ("a", "a/b", Some("t"), "JSON pointer"),
        ] {
            let text = error(pattern, point, pointer);
            assert!(text.contains(said), "{pattern} {point}: {text}");
        }
    }

    #[test]
    fn a_log_gets_the_beginning_and_no_control_characters() {
        assert_eq!(shorten(b"a\n\x1b[31m"), "a\\n\\u{1b}[31m");
        assert_eq!(shorten("氧".repeat(81).as_bytes()), format!("{}…", "氧".repeat(80)));
        assert_eq!(shorten("氧".repeat(80).as_bytes()), "氧".repeat(80));
        assert_eq!(shorten(&vec![b'x'; PAYLOAD_MAX]).chars().count(), 81);
    }

    fn any_payload() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            r#"[{}\[\]:,"tenvh0-9.+\-truefalsnNaI \\u]{0,60}"#.prop_map(String::into_bytes),
            r#"\{"t": ?[-0-9.eE"a]{0,24}, "env": \{"h": [0-9.]{0,30}\}\}"#.prop_map(String::into_bytes),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        /// Whatever arrives: no panic, and one sample for each point the topic is meant for.
        #[test]
        fn never_silent_never_a_crash(topic in "(plant|lift|tank|病)?/?(ward-3|2|level|.)?(/telemetry|/floor)?", payload in any_payload()) {
            let mapped = ward().map(&topic, &payload);
            let meant = match topic.as_str() {
                "plant/ward-3/telemetry" => 2,
                "lift/2/floor" | "tank/level" => 1,
                _ => 0,
            };
            prop_assert_eq!(mapped.samples.len(), meant);
            let unreadable = mapped.samples.iter().any(|sample| sample.raw == Err(Fault::Decoding));
            prop_assert_eq!(mapped.unreadable.is_some(), unreadable);
            prop_assert!(shorten(&payload).len() <= 1_000);
        }

        #[test]
        fn every_decimal_arrives_with_its_digits(mantissa: i32, exponent in -9_i8..=0) {
            let sent = Decimal::new(mantissa.into(), exponent).unwrap().to_string();
            for (topic, payload) in [
                ("tank/level", sent.clone()),
                ("plant/ward-3/telemetry", format!("{{\"t\":{sent},\"env\":{{\"h\":{sent}}}}}")),
            ] {
                for (_, got) in raw(&ward().map(topic, payload.as_bytes())) {
                    prop_assert_eq!(got, Ok(sent.clone()));
                }
            }
        }

        /// A pattern matches exactly what its subscription filter asks the broker for.
        #[test]
        fn pattern_and_filter_agree(pattern in "([ab]|\\{x\\})?(/([ab]|\\{y\\}|\\{z\\})?){0,3}", topic in "[ab]?(/[ab]?){0,3}") {
            let Ok(pattern) = Pattern::parse(&pattern) else { return Ok(()) };
            let filter = pattern.filter();
            let (wanted, given): (Vec<_>, Vec<_>) = (filter.split('/').collect(), topic.split('/').collect());
            let asked = wanted.len() == given.len()
                && wanted.iter().zip(&given).all(|(filter, level)| *filter == "+" || filter == level);
            prop_assert_eq!(pattern.matches(&topic).is_some(), asked);
        }
    }
}
