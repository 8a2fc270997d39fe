//! The walk: the spanned tree against the schema, once, reporting everything it finds.
//!
//! On the way `${VAR}` and `file:` are put in place, and numbers that must stay exact become the
//! digits they were written with. What is wrong is taken out, so that the rest can be typed and
//! validated in the same run.

use super::diagnostic::{Code, Problem, closest, mask};
use super::leaf;
use super::source::{Files, Place, Source};
use serde_json::Value;
use std::borrow::Cow;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

type Span = std::ops::Range<usize>;

/// What is found is quoted up to so many characters.
const QUOTED_CHARS_MAX: usize = 60;

/// A table of a schema that says so goes as a whole when one of its fields is wrong.
const WHOLE: &str = "x-whole";

/// Where values that are not in the file come from.
#[derive(Clone, Copy)]
pub struct Outside<'a> {
    pub env: &'a dyn Fn(&str) -> Option<String>,
    pub files: &'a dyn Files,
    /// Where the main file lies: every path of a configuration begins here.
    pub folder: &'a Path,
}

pub struct Walk<'a> {
    pub schema: &'a Value,
    pub source: &'a Source,
    pub index: usize,
    pub outside: Outside<'a>,
    pub problems: &'a mut Vec<Problem>,
}

impl Walk<'_> {
    /// What is left of the tree when everything wrong is out; none if the whole must go.
    pub fn root<'i>(&mut self, tree: DeTable<'i>) -> Option<DeTable<'i>> {
        let schema = self.schema;
        self.table(schema, tree, &(0..0))
    }

    fn value<'i>(&mut self, schema: &Value, value: Spanned<DeValue<'i>>) -> Option<Spanned<DeValue<'i>>> {
        let (schema, span) = (follow(self.schema, schema), value.span());
        let kept = match (value.into_inner(), word(&schema, "type")) {
            (DeValue::Table(table), "object") => self.table(&schema, table, &span).map(DeValue::Table),
            (DeValue::Array(items), "array") => self.array(&schema, items, &span).map(DeValue::Array),
            (DeValue::Boolean(flag), "boolean") => Some(DeValue::Boolean(flag)),
            (DeValue::Integer(number), "integer") => {
                let fits = self.integer(&schema, &number.to_string(), &span);
                fits.then_some(DeValue::Integer(number))
            }
            (value, _) if is_text(&schema, &value) => self.text(&schema, &value, &span),
            (other, _) => self.wrong_type(&schema, &other, &span),
        };
        kept.map(|value| Spanned::new(span, value))
    }

    fn table<'i>(&mut self, schema: &Value, table: DeTable<'i>, span: &Span) -> Option<DeTable<'i>> {
        let properties = schema.get("properties").and_then(Value::as_object);
        let mut kept = DeTable::new();
        let mut dropped = Vec::new();
        for (key, value) in table {
            let property = properties.and_then(|known| known.get(key.get_ref().as_ref()));
            // A table of any words has one schema for all of them.
            let any = schema.get("additionalProperties").filter(|any| any.is_object());
            let Some(property) = property.or(any) else {
                let known = properties.into_iter().flatten().map(|(name, _)| name.as_str());
                let known: Vec<&str> = known.collect();
                self.unknown_field(key.get_ref(), &key.span(), &known);
                continue;
            };
            match self.value(property, value) {
                Some(value) => drop(kept.insert(key, value)),
                None => dropped.push(key.get_ref().to_string()),
            }
        }
        let required = schema.get("required").and_then(Value::as_array);
        let mut complete = true;
        for name in required.into_iter().flatten().filter_map(Value::as_str) {
            if kept.contains_key(name) {
                continue;
            }
            complete = false;
            if !dropped.iter().any(|dropped| dropped == name) {
                let property = properties.and_then(|known| known.get(name));
                self.missing_field(name, property, span);
            }
        }
        // An optional field that is wrong must not look like one that was left out.
        let whole = schema.get(WHOLE).is_some() && !dropped.is_empty();
        (complete && !whole).then_some(kept)
    }

    fn array<'i>(&mut self, schema: &Value, items: DeArray<'i>, span: &Span) -> Option<DeArray<'i>> {
        let bound = |key| schema.get(key).and_then(Value::as_u64);
        let (least, most) = (bound("minItems").unwrap_or(0), bound("maxItems").unwrap_or(u64::MAX));
        let count = items.len() as u64;
        if !(least..=most).contains(&count) {
            let bound = if least == most {
                format!("must have {least}")
            } else if count < least {
                format!("must have at least {least}")
            } else {
                format!("may have at most {most}")
            };
            let message = format!("{} has {count} entries and {bound}", self.quote(span));
            self.report(Code::WrongValue, span, message, help(schema));
            return None;
        }
        let item_schema = schema.get("items")?;
        let kept: DeArray<'i> = items.into_iter().filter_map(|item| self.value(item_schema, item)).collect();
        // A list of fixed length is no use with a hole; any other goes on without its wrong entries.
        (least != most || kept.len() as u64 == count).then_some(kept)
    }

    fn integer(&mut self, schema: &Value, text: &str, span: &Span) -> bool {
        let number = match text.strip_prefix("0x") {
            Some(hex) => i64::from_str_radix(hex, 16).ok(),
            None => text.parse().ok(),
        };
        let bound = |key| schema.get(key).and_then(Value::as_f64);
        let (least, most) = (bound("minimum"), bound("maximum"));
        #[expect(
            clippy::cast_precision_loss,
            reason = "the bounds are small, a lost bit changes no comparison"
        )]
        let inside = number.is_some_and(|n| {
            least.is_none_or(|least| n as f64 >= least) && most.is_none_or(|most| n as f64 <= most)
        });
        if !inside {
            let limits = match (least, most) {
                (Some(least), Some(most)) => format!("is not between {least} and {most}"),
                (Some(least), None) => format!("is below {least}"),
                _ => "is out of range".to_owned(),
            };
            self.report(Code::WrongValue, span, format!("{} {limits}", self.quote(span)), help(schema));
        }
        inside
    }

    /// Strings, and what may stand for one: numbers that stay exact, dates.
    fn text<'i>(&mut self, schema: &Value, value: &DeValue<'i>, span: &Span) -> Option<DeValue<'i>> {
        let written = match value {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().to_owned(),
            DeValue::Integer(number) => {
                // What does not even fit here is no number to keep; the leaf says so.
                let wide = i128::from_str_radix(number.as_str(), number.radix());
                wide.unwrap_or(i128::MAX).to_string()
            }
            DeValue::Float(number) => number.as_str().to_owned(),
            DeValue::Datetime(date) => date.to_string(),
            _ => return None,
        };
        let format = word(schema, "format");
        let text =
            if format == "password" { self.secret(&written, span)? } else { self.expand(&written, span)? };
        let choices = choices(schema);
        if !choices.is_empty() && !choices.contains(&text.as_str()) {
            let help = match closest(&text, choices.iter().copied()) {
                Some(choice) => format!("did you mean \"{choice}\"?"),
                None => format!("one of {}", choices.join(", ")),
            };
            self.report(
                Code::WrongValue,
                span,
                format!("{} is not a choice here", self.quote(span)),
                Some(help),
            );
            return None;
        }
        if let Some(wrong) = leaf::check(format, &text) {
            self.report(
                wrong.code,
                span,
                format!("{} {}", self.quote(span), wrong.message),
                Some(wrong.help),
            );
            return None;
        }
        Some(DeValue::String(text.into()))
    }

    /// `${VAR}` replaced; the content is never looked at again for another one.
    fn expand(&mut self, text: &str, span: &Span) -> Option<String> {
        let mut done = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, after)) = after.split_once('}') else {
                self.report(
                    Code::Environment,
                    span,
                    "`${` has no `}`",
                    Some("write \"${VARIABLE}\"".to_owned()),
                );
                return None;
            };
            let Some(content) = (self.outside.env)(name) else {
                let message = format!("the environment variable {name:?} is not set");
                let help = format!("set {name} before plantroom starts, or write the value");
                self.report(Code::Environment, span, message, Some(help));
                return None;
            };
            done.push_str(before);
            done.push_str(&content);
            rest = after;
        }
        done.push_str(rest);
        Some(done)
    }

    /// A secret comes from outside the file, or not at all.
    fn secret(&mut self, text: &str, span: &Span) -> Option<String> {
        let help =
            || Some("write \"${VARIABLE}\", or \"file:PATH\" with a file only plantroom may read".to_owned());
        if let Some(path) = text.strip_prefix("file:") {
            let path = self.outside.folder.join(path);
            return match self.outside.files.read(&path) {
                Ok(content) => Some(content.trim_end_matches(['\r', '\n']).to_owned()),
                Err(error) => {
                    let message = format!("the secret file {} cannot be read: {error}", path.display());
                    self.report(Code::Secret, span, message, help());
                    None
                }
            };
        }
        let whole = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
        if whole.is_none_or(|name| name.contains('}')) {
            self.report(Code::Secret, span, "a secret stands in the file", help());
            return None;
        }
        self.expand(text, span)
    }

    fn unknown_field(&mut self, name: &str, span: &Span, known: &[&str]) {
        let help = match closest(name, known.iter().copied()) {
            Some(word) => format!("did you mean `{word}`?"),
            None => format!("known here: {}", known.join(", ")),
        };
        self.report(Code::UnknownField, span, format!("there is no field `{name}` here"), Some(help));
    }

    fn missing_field(&mut self, name: &str, property: Option<&Value>, span: &Span) {
        let help = property.and_then(help).map(|text| format!("{name}: {text}"));
        self.report(Code::MissingField, span, format!("the field `{name}` is missing"), help);
    }

    fn wrong_type<'i>(&mut self, schema: &Value, value: &DeValue<'i>, span: &Span) -> Option<DeValue<'i>> {
        let expected = match word(schema, "type") {
            "object" => "a table",
            "array" => "a list",
            "boolean" => "true or false",
            "integer" => "a whole number",
            _ if matches!(word(schema, "format"), "decimal" | "deadband") => "a number",
            _ => "a text in quotes",
        };
        let found = match value {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with decimals",
            DeValue::Boolean(_) => "a flag",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        // What stands for a secret, or for the table around one, is not repeated.
        let secret = word(schema, "format") == "password" || word(schema, "type") == "object";
        let quoted = if secret { "this value".to_owned() } else { self.quote(span) };
        let message = format!("{quoted} is {found}, and {expected} belongs here");
        self.report(Code::WrongType, span, message, help(schema));
        None
    }

    fn report(&mut self, code: Code, span: &Span, message: impl Into<String>, help: Option<String>) {
        let place = Place { source: self.index, span: span.clone() };
        let problem = Problem::error(code, place, message);
        self.problems.push(Problem { help, ..problem });
    }

    /// The value as the file has it, never as a variable made it.
    fn quote(&self, span: &Span) -> String {
        let text = self.source.text.get(span.clone()).unwrap_or_default();
        let line = mask(text.lines().next().unwrap_or_default());
        let short: String = line.chars().take(QUOTED_CHARS_MAX).collect();
        if short.len() < text.len() { format!("{short} ...") } else { short }
    }
}

/// The schema a `$ref` stands for, with the description of the place that refers to it.
fn follow<'s>(root: &'s Value, schema: &'s Value) -> Cow<'s, Value> {
    let target = schema.get("$ref").and_then(Value::as_str);
    let target = target.and_then(|path| root.pointer(path.trim_start_matches('#')));
    let mut target = Cow::Borrowed(target.unwrap_or(schema));
    if let Some(description) = schema.get("description").filter(|_| schema.get("$ref").is_some())
        && let Some(object) = target.to_mut().as_object_mut()
    {
        object.insert("description".to_owned(), description.clone());
    }
    target
}

fn word<'s>(schema: &'s Value, key: &str) -> &'s str {
    schema.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn help(schema: &Value) -> Option<String> {
    let description = word(schema, "description");
    (!description.is_empty()).then(|| description.to_owned())
}

fn is_text(schema: &Value, value: &DeValue<'_>) -> bool {
    let number = matches!(value, DeValue::Integer(_) | DeValue::Float(_));
    match word(schema, "format") {
        "decimal" | "deadband" | "place" | "column" => number || value.is_str(),
        "date" => value.is_datetime() || value.is_str(),
        _ => value.is_str() && (word(schema, "type") == "string" || !choices(schema).is_empty()),
    }
}

/// The words of an enumeration.
fn choices(schema: &Value) -> Vec<&str> {
    let listed = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
    let described = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    listed.chain(described.filter_map(|choice| choice.get("const"))).filter_map(Value::as_str).collect()
}
