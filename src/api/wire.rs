//! What several answers have in common on the wire. Types of one answer stand beside its handler.

use crate::config;
use crate::historian::Texts;
use crate::point::{Decimal, Names, Quality, Reading, Severity, Value};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt::Write;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A name in both languages.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Names)]
pub struct NamesWire {
    /// Simplified Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

impl From<&Names> for NamesWire {
    fn from(names: &Names) -> NamesWire {
        NamesWire { zh: names.zh.clone(), en: names.en.clone() }
    }
}

/// What one number of a point stands for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = State)]
pub struct StateWire {
    /// The number; a flag that is false is 0, one that is true is 1.
    value: i64,
    /// What it is called.
    name: NamesWire,
}

impl StateWire {
    /// What the numbers of a point stand for.
    pub fn of_point(point: &config::Point) -> Vec<StateWire> {
        let wire = |state: &config::State| StateWire { value: state.value, name: (&state.name).into() };
        point.states.iter().map(wire).collect()
    }
}

/// A value with exactly the digits it has: a number, true or false, a text, or null.
#[derive(Debug)]
pub struct ValueWire(Box<RawValue>);

impl ValueWire {
    /// The value of a reading; null when there is none.
    pub fn of(value: Option<Value>, texts: &Texts) -> ValueWire {
        let mut json = String::new();
        write_value(&mut json, value, texts);
        ValueWire::raw(json)
    }

    /// A word that is in no dictionary.
    pub fn word(word: &str) -> ValueWire {
        let mut json = String::new();
        write_text(&mut json, word);
        ValueWire::raw(json)
    }

    fn raw(json: String) -> ValueWire {
        ValueWire(RawValue::from_string(json).unwrap_or_else(|_| RawValue::NULL.to_owned()))
    }
}

impl Serialize for ValueWire {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl PartialSchema for ValueWire {
    fn schema() -> RefOr<Schema> {
        let kinds = SchemaType::from_iter([Type::Number, Type::Boolean, Type::String, Type::Null]);
        let about =
            "A number with exactly the digits it has, true or false, a text; null when the quality is bad.";
        ObjectBuilder::new().schema_type(kinds).description(Some(about)).into()
    }
}

impl ToSchema for ValueWire {
    fn name() -> Cow<'static, str> {
        "Value".into()
    }
}

/// An exact number with its digits: `12.50` stays `12.50`.
#[derive(Debug)]
pub struct NumberWire(ValueWire);

impl From<Decimal> for NumberWire {
    fn from(decimal: Decimal) -> NumberWire {
        NumberWire(ValueWire::raw(decimal.to_string()))
    }
}

impl NumberWire {
    /// A number in the spelling a stage keeps it in; none if it is no finite number.
    pub fn from_text(text: &str) -> Option<NumberWire> {
        text.parse::<f64>().ok().filter(|number| number.is_finite())?;
        RawValue::from_string(text.to_owned()).ok().map(|raw| NumberWire(ValueWire(raw)))
    }
}

impl Serialize for NumberWire {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl PartialSchema for NumberWire {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Number)
            .description(Some("A number with exactly the digits it has."))
            .into()
    }
}

impl ToSchema for NumberWire {
    fn name() -> Cow<'static, str> {
        "Number".into()
    }
}

/// Appends a value as JSON.
pub fn write_value(json: &mut String, value: Option<Value>, texts: &Texts) {
    match value {
        Some(Value::Bool(on)) => json.push_str(if on { "true" } else { "false" }),
        Some(Value::Decimal(decimal)) => push(json, decimal),
        Some(Value::F64(number)) if number.is_finite() => match serde_json::to_string(&number) {
            Ok(shortest) => json.push_str(&shortest),
            Err(_) => json.push_str("null"),
        },
        Some(Value::Text(id)) => match texts.word(id) {
            Some(word) => write_text(json, &word),
            None => json.push_str("null"),
        },
        Some(Value::F64(_)) | None => json.push_str("null"),
    }
}

/// Appends a text as a JSON string.
pub fn write_text(json: &mut String, text: &str) {
    match serde_json::to_string(text) {
        Ok(quoted) => json.push_str(&quoted),
        Err(_) => json.push_str("null"),
    }
}

/// Appends what prints as JSON; writing into a String does not fail.
pub fn push(json: &mut String, number: impl std::fmt::Display) {
    let _infallible = write!(json, "{number}");
}

/// How far a value may be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Quality)]
pub enum QualityWire {
    /// In range and in time.
    Good,
    /// There is a value, in doubt.
    Uncertain,
    /// There is no value.
    Bad,
}

impl From<Quality> for QualityWire {
    fn from(quality: Quality) -> QualityWire {
        match quality.severity() {
            Severity::Good => QualityWire::Good,
            Severity::Uncertain => QualityWire::Uncertain,
            Severity::Bad => QualityWire::Bad,
        }
    }
}

/// One reading of a point's history.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Reading)]
pub struct ReadingWire {
    /// When it was true at the source, UTC milliseconds.
    pub at: i64,
    /// The value in the point's unit.
    pub value: ValueWire,
    /// How far to trust it.
    pub quality: QualityWire,
    /// Why it is not good.
    #[schema(required, example = "stale")]
    pub reason: Option<&'static str>,
}

impl ReadingWire {
    /// From a reading.
    pub fn of(reading: &Reading, texts: &Texts) -> ReadingWire {
        ReadingWire {
            at: reading.at.0,
            value: ValueWire::of(reading.value, texts),
            quality: reading.quality.into(),
            reason: reading.quality.reason().map(crate::point::Reason::word),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::point::TextId;

    fn json(value: Option<Value>) -> String {
        let texts = Texts::default();
        texts.id("停 \"机\"\n").unwrap();
        serde_json::to_string(&ValueWire::of(value, &texts)).unwrap()
    }

    #[test]
    fn numbers_leave_with_their_digits() {
        for text in ["12.50", "0", "-0.01", "123456789012345678", "1000000000000000000"] {
            assert_eq!(json(Some(Value::Decimal(text.parse().unwrap()))), text);
        }
        let widest = Decimal::new(i64::MIN, 18).unwrap();
        assert_eq!(json(Some(Value::Decimal(widest))), format!("{}{}", i64::MIN, "0".repeat(18)));
        for (number, text) in
            [(0.1, "0.1"), (21.0, "21.0"), (1e300, "1e+300"), (f64::NAN, "null"), (f64::INFINITY, "null")]
        {
            assert_eq!(json(Some(Value::F64(number))), text);
        }
    }

    #[test]
    fn a_number_kept_as_text_leaves_as_it_is_or_not_at_all() {
        for text in ["12.50", "-3", "21"] {
            assert_eq!(serde_json::to_string(&NumberWire::from_text(text).unwrap()).unwrap(), text);
        }
        for text in ["", "NaN", "inf", "true", "\"1\"", "+1", " 1 ", "1 1"] {
            assert!(NumberWire::from_text(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn flags_words_and_nothing() {
        assert_eq!(json(Some(Value::Bool(true))), "true");
        assert_eq!(json(Some(Value::Text(TextId(1)))), r#""停 \"机\"\n""#);
        assert_eq!(json(Some(Value::Text(TextId(2)))), "null");
        assert_eq!(json(None), "null");
    }
}
