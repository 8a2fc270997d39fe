//! Numbers, flags and words as senders write them.

use super::WORD_MAX;
use super::unreadable::Unreadable;
use crate::config::{Means, Sentinel, TopicValue};
use crate::field::{Fault, Raw};
use crate::point::{Decimal, DecimalError, Value, ValueKind};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What stands at a place: a JSON value as the message has it, or a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'m> {
    /// JSON, without spaces around it.
    Json(&'m str),
    /// A cell, a capture, or a whole payload.
    Bare(&'m str),
}

/// A value, or the source's own word for having none.
pub type Read = Result<Raw, Fault>;

/// How the texts of a value are read.
#[derive(Debug)]
pub struct Rule {
    kind: ValueKind,
    words: BTreeMap<String, i64>,
    sentinels: Vec<Sentinel>,
}

/// What is on, and what is off, in lower case.
const ON: &[&str] = &[
    "true",
    "on",
    "yes",
    "open",
    "opened",
    "active",
    "enabled",
    "running",
    "开",
    "开启",
    "打开",
    "启",
    "启动",
    "是",
    "有",
    "運行",
    "运行",
    "ein",
    "an",
    "ja",
    "oui",
    "marche",
    "ouvert",
    "ouverte",
    "sí",
    "si",
    "encendido",
    "abierto",
    "да",
    "вкл",
    "はい",
    "オン",
    "開",
];
const OFF: &[&str] = &[
    "false",
    "off",
    "no",
    "close",
    "closed",
    "inactive",
    "disabled",
    "stopped",
    "关",
    "关闭",
    "停",
    "停止",
    "否",
    "无",
    "aus",
    "nein",
    "non",
    "arrêt",
    "arret",
    "fermé",
    "fermée",
    "ferme",
    "apagado",
    "cerrado",
    "нет",
    "выкл",
    "いいえ",
    "オフ",
    "閉",
];
/// How senders write a number that is none.
const BROKEN: &[&str] = &["nan", "inf", "+inf", "-inf", "infinity", "-infinity"];

impl Rule {
    /// Of a value.
    pub fn new(value: &TopicValue) -> Rule {
        Rule { kind: value.kind, words: value.words.clone(), sentinels: value.sentinels.clone() }
    }

    /// The value of what stands there.
    pub fn read(&self, found: Found<'_>) -> Result<Read, Unreadable> {
        match found {
            Found::Bare(text) => self.text(text.trim()),
            Found::Json(json) => match json.as_bytes().first() {
                Some(b'"') => self.text(string(json)?.trim()),
                Some(b'n') => Err(Unreadable::Null),
                Some(b't' | b'f' | b'-' | b'0'..=b'9') => self.text(json),
                _ => Err(Unreadable::NoValue),
            },
        }
    }

    /// A raw value of bytes: its words are numbers already.
    pub fn raw(&self, raw: Raw) -> Read {
        match (&raw, self.kind) {
            (Raw::Value(value), _) => self.sentinel(*value).map_or(Ok(raw), Err),
            _ => Ok(raw),
        }
    }

    fn text(&self, text: &str) -> Result<Read, Unreadable> {
        if let Some(state) = self.words.get(text) {
            return Ok(Ok(Raw::Value(match self.kind {
                ValueKind::Bool => Value::Bool(*state != 0),
                _ => Value::Decimal(Decimal::from_int(*state)),
            })));
        }
        if self.kind == ValueKind::Text {
            return word(text).map(Ok);
        }
        if let Some(number) = number(text) {
            return Ok(match self.sentinel(number) {
                Some(fault) => Err(fault),
                None if self.kind == ValueKind::Bool => return flag_of(number).map(|on| Ok(Raw::Value(on))),
                None => Ok(Raw::Value(number)),
            });
        }
        if text.is_empty() || text.len() > WORD_MAX {
            return Err(Unreadable::NoValue);
        }
        let lower = text.to_lowercase();
        let lower = lower.as_str();
        if BROKEN.contains(&lower) {
            return Ok(Err(Fault::Sensor));
        }
        let is_flag = self.kind == ValueKind::Bool && self.words.is_empty();
        let on = match lower {
            "true" => Some(true),
            "false" => Some(false),
            _ if is_flag && ON.contains(&lower) => Some(true),
            _ if is_flag && OFF.contains(&lower) => Some(false),
            _ => None,
        };
        match on {
            Some(on) => Ok(Ok(Raw::Value(Value::Bool(on)))),
            None if !self.words.is_empty() => Err(Unreadable::UnknownWord),
            None if self.kind == ValueKind::Bool => Err(Unreadable::NotAFlag),
            None => Err(Unreadable::NotANumber),
        }
    }

    fn sentinel(&self, value: Value) -> Option<Fault> {
        let is = |sentinel: &&Sentinel| match value {
            Value::Decimal(number) => number == sentinel.raw,
            Value::F64(number) => number.to_bits() == sentinel.raw.to_f64().to_bits(),
            _ => false,
        };
        self.sentinels.iter().find(is).map(|sentinel| fault(sentinel.means))
    }
}

/// What a source says by having no value.
pub fn fault(means: Means) -> Fault {
    match means {
        Means::Sensor => Fault::Sensor,
        Means::NotAvailable => Fault::NotAvailable,
        Means::OutOfRange => Fault::OutOfRange,
    }
}

/// Exactly where a decimal holds it, else the nearest float: a sender that prints 20 digits printed a
/// float.
fn number(text: &str) -> Option<Value> {
    match text.parse::<Decimal>() {
        Ok(decimal) => Some(Value::Decimal(decimal)),
        Err(DecimalError::Range) => {
            text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::F64)
        }
        Err(DecimalError::Syntax) => None,
    }
}

fn flag_of(number: Value) -> Result<Value, Unreadable> {
    match number {
        Value::Decimal(n) if n == Decimal::ZERO => Ok(Value::Bool(false)),
        Value::Decimal(n) if n == Decimal::ONE => Ok(Value::Bool(true)),
        _ => Err(Unreadable::NotAFlag),
    }
}

fn word(text: &str) -> Result<Raw, Unreadable> {
    if text.is_empty() || text.len() > WORD_MAX || text.contains(char::is_control) {
        return Err(Unreadable::NoValue);
    }
    Ok(Raw::Text(text.to_owned()))
}

/// The text of a JSON string.
fn string(json: &str) -> Result<Cow<'_, str>, Unreadable> {
    let plain =
        json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).filter(|text| !text.contains('\\'));
    match plain {
        Some(text) => Ok(Cow::Borrowed(text)),
        None => serde_json::from_str(json).map(Cow::Owned).map_err(|_| Unreadable::NoValue),
    }
}

/// What stands there as a text: the content of a JSON string, a number or flag as it is written; none
/// for null, lists and objects.
pub fn text(found: Found<'_>) -> Option<Cow<'_, str>> {
    match found {
        Found::Bare(text) => Some(Cow::Borrowed(text.trim())),
        Found::Json(json) => match json.as_bytes().first() {
            Some(b'"') => string(json).ok(),
            Some(b't' | b'f' | b'-' | b'0'..=b'9') => Some(Cow::Borrowed(json)),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(kind: ValueKind, words: &[(&str, i64)]) -> Rule {
        let words = words.iter().map(|(word, number)| ((*word).to_owned(), *number)).collect();
        let sentinels = vec![Sentinel { raw: Decimal::from_int(-999), means: Means::Sensor }];
        Rule { kind, words, sentinels }
    }

    fn decimal(text: &str) -> Raw {
        Raw::Value(Value::Decimal(text.parse().unwrap()))
    }

    #[test]
    fn numbers_keep_their_digits_however_they_are_written() {
        let rule = rule(ValueKind::Decimal, &[]);
        for (found, digits) in [
            (Found::Json("21.50"), "21.50"),
            (Found::Json("\" 21.50 \""), "21.50"),
            (Found::Bare(" -1\n"), "-1"),
        ] {
            assert_eq!(rule.read(found), Ok(Ok(decimal(digits))));
        }
        assert_eq!(
            rule.read(Found::Bare("0.12345678901234567890123")),
            Ok(Ok(Raw::Value(Value::F64(0.123_456_789_012_345_68))))
        );
        assert_eq!(rule.read(Found::Json("true")), Ok(Ok(Raw::Value(Value::Bool(true)))));
        assert_eq!(rule.read(Found::Bare("NaN")), Ok(Err(Fault::Sensor)));
        assert_eq!(rule.read(Found::Json("-999.0")), Ok(Err(Fault::Sensor)), "a sentinel");
        for (found, why) in [
            (Found::Json("null"), Unreadable::Null),
            (Found::Json("[1]"), Unreadable::NoValue),
            (Found::Json("{}"), Unreadable::NoValue),
            (Found::Json("\"\""), Unreadable::NoValue),
            (Found::Json("1e999"), Unreadable::NotANumber),
            (Found::Bare(""), Unreadable::NoValue),
            (Found::Bare("21.5 C"), Unreadable::NotANumber),
            (Found::Json("\"n/a\""), Unreadable::NotANumber),
        ] {
            assert_eq!(rule.read(found), Err(why), "{found:?}");
        }
    }

    #[test]
    fn flags_in_the_languages_of_those_who_write_them() {
        let flag = rule(ValueKind::Bool, &[]);
        for (words, on) in [(ON, true), (OFF, false)] {
            for word in words {
                assert_eq!(flag.read(Found::Bare(word)), Ok(Ok(Raw::Value(Value::Bool(on)))), "{word}");
                assert_eq!(word.to_lowercase(), **word);
            }
        }
        assert!(ON.iter().all(|word| !OFF.contains(word)));
        assert_eq!(flag.read(Found::Json("\"Ein\"")), Ok(Ok(Raw::Value(Value::Bool(true)))));
        assert_eq!(flag.read(Found::Json("1")), Ok(Ok(Raw::Value(Value::Bool(true)))));
        assert_eq!(flag.read(Found::Bare("0.0")), Ok(Ok(Raw::Value(Value::Bool(false)))));
        for text in ["2", "maybe", "运"] {
            assert_eq!(flag.read(Found::Bare(text)), Err(Unreadable::NotAFlag), "{text}");
        }
        let own = rule(ValueKind::Bool, &[("合", 1), ("分", 0)]);
        assert_eq!(own.read(Found::Bare("合")), Ok(Ok(Raw::Value(Value::Bool(true)))));
        assert_eq!(own.read(Found::Bare("on")), Err(Unreadable::UnknownWord), "own words stand alone");
    }

    #[test]
    fn words_stand_for_states_and_texts_for_themselves() {
        let states = rule(ValueKind::Decimal, &[("运行", 1), ("停止", 0), ("E7", 7)]);
        assert_eq!(states.read(Found::Json("\"\\u8fd0\\u884c\"")), Ok(Ok(decimal("1"))));
        assert_eq!(states.read(Found::Bare("E7")), Ok(Ok(decimal("7"))));
        assert_eq!(states.read(Found::Bare("3")), Ok(Ok(decimal("3"))), "a number is a number");
        assert_eq!(states.read(Found::Bare("检修")), Err(Unreadable::UnknownWord));
        let text = rule(ValueKind::Text, &[]);
        assert_eq!(text.read(Found::Json("\"nan\"")), Ok(Ok(Raw::Text("nan".into()))));
        assert_eq!(text.read(Found::Json("47")), Ok(Ok(Raw::Text("47".into()))));
        for wrong in ["a\u{7}b", &"w".repeat(WORD_MAX + 1), ""] {
            assert_eq!(text.read(Found::Bare(wrong)), Err(Unreadable::NoValue), "{wrong:.9}");
        }
    }
}
