//! Line protocol, written so that every engine reads back what was meant. Pure.
//!
//! Some engines skip a line they cannot read and answer 204 (VictoriaMetrics), so a line that
//! leaves here must be right; what cannot be written is an error here, not there.
//!
//! - Numbers are always floats and keep their digits: `12.50` stays `12.50`. A flag is `1` or
//!   `0`, a float too, so that a point whose kind changes does not lock its field.
//! - A number that is none (NaN, infinity) has no field; a line without a field is not written.
//! - Control characters never go out: tab, line feed, form feed and carriage return become a
//!   backslash and a letter, others U+FFFD. A raw line feed would be two lines to
//!   VictoriaMetrics, and to whoever bisects a batch.
//! - A tag value ends before its trailing backslashes: no engine agrees on what one escapes.

use crate::point::{Decimal, UtcMs};
use std::fmt::Write as _;

/// What cannot be said in line protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// A measurement, tag key or field key without a character.
    #[error("a measurement, tag or field without a name")]
    Empty,
    /// `#` begins a comment.
    #[error("the measurement {0:?} begins with '#', which begins a comment")]
    Comment(String),
    /// `time` is the engines' own.
    #[error("a tag or field must not be called time")]
    Time,
    /// A tag or a field twice.
    #[error("the tag or field {0:?} occurs twice")]
    Twice(String),
}

/// Measurement and tags, encoded once for all lines of an asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series(String);

impl Series {
    /// Encodes a measurement and its tags, sorted by key. A tag without a value is left out.
    pub fn new(measurement: &str, tags: &[(&str, &str)]) -> Result<Series, LineError> {
        if measurement.is_empty() {
            return Err(LineError::Empty);
        }
        if measurement.starts_with('#') {
            return Err(LineError::Comment(measurement.to_owned()));
        }
        let mut head = String::new();
        escape(&mut head, measurement, &[',', ' ']);
        let mut tags: Vec<_> = tags.iter().map(|(key, value)| (*key, tag_value(value))).collect();
        tags.retain(|(_, value)| !value.is_empty());
        tags.sort_unstable();
        check_keys(&tags)?;
        for (key, value) in tags {
            head.push(',');
            escape(&mut head, key, KEY_ESCAPED);
            head.push('=');
            escape(&mut head, value, KEY_ESCAPED);
        }
        Ok(Series(head))
    }
}

/// The value of a field.
#[derive(Clone, Copy, Debug)]
pub enum Field<'a> {
    /// A number with its digits.
    Decimal(Decimal),
    /// A binary float; not written unless finite.
    Float(f64),
    /// A flag.
    Bool(bool),
    /// A word.
    Text(&'a str),
}

/// Characters with a backslash before them in tag keys, tag values and field keys.
const KEY_ESCAPED: &[char] = &[',', '=', ' '];

/// Appends a line with its line feed. Says whether there was a field to write.
pub fn write_line(
    out: &mut String,
    series: &Series,
    fields: &[(&str, Field<'_>)],
    at: UtcMs,
) -> Result<bool, LineError> {
    let written = |field: &Field| !matches!(field, Field::Float(number) if !number.is_finite());
    check_keys(fields)?;
    let mut between = ' ';
    for (key, field) in fields.iter().filter(|(_, field)| written(field)) {
        if between == ' ' {
            out.push_str(&series.0);
        }
        out.push(between);
        escape(out, key, KEY_ESCAPED);
        out.push('=');
        write_field(out, *field);
        between = ',';
    }
    if between == ' ' {
        return Ok(false);
    }
    // Writing to a String cannot fail.
    let _infallible = writeln!(out, " {}", at.0);
    Ok(true)
}

fn write_field(out: &mut String, field: Field<'_>) {
    let _infallible = match field {
        Field::Decimal(number) => write!(out, "{number}"),
        // `{:?}` is the shortest text that reads back as the same float, with an exponent where
        // `{}` would write three hundred digits.
        Field::Float(number) => write!(out, "{number:?}"),
        Field::Bool(on) => write!(out, "{}", u8::from(on)),
        Field::Text(text) => {
            out.push('"');
            for character in text.chars() {
                if matches!(character, '"' | '\\') {
                    out.push('\\');
                }
                push_visible(out, character);
            }
            out.push('"');
            Ok(())
        }
    };
}

fn escape(out: &mut String, text: &str, escaped: &[char]) {
    for character in text.chars() {
        if escaped.contains(&character) {
            out.push('\\');
        }
        push_visible(out, character);
    }
}

fn push_visible(out: &mut String, character: char) {
    match character {
        '\t' => out.push_str("\\t"),
        '\n' => out.push_str("\\n"),
        '\u{c}' => out.push_str("\\f"),
        '\r' => out.push_str("\\r"),
        other if other.is_control() => out.push(char::REPLACEMENT_CHARACTER),
        other => out.push(other),
    }
}

fn tag_value(value: &str) -> &str {
    value.trim_end_matches('\\')
}

fn check_keys<T>(pairs: &[(&str, T)]) -> Result<(), LineError> {
    for (number, (key, _)) in pairs.iter().enumerate() {
        match *key {
            "" => return Err(LineError::Empty),
            "time" => return Err(LineError::Time),
            key if pairs.iter().take(number).any(|(earlier, _)| *earlier == key) => {
                return Err(LineError::Twice(key.to_owned()));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(measurement: &str, tags: &[(&str, &str)], fields: &[(&str, Field)]) -> Result<String, LineError> {
        let mut out = String::new();
        write_line(&mut out, &Series::new(measurement, tags)?, fields, UtcMs(1_700_000_000_123))?;
        Ok(out.strip_suffix(" 1700000000123\n").unwrap_or(&out).to_owned())
    }

    fn tag(value: &str) -> String {
        line("m", &[("t", value)], &[("f", Field::Bool(true))]).unwrap()
    }

    fn field(field: Field) -> String {
        line("m", &[], &[("f", field)]).unwrap()
    }

    /// Vectors, each with what the reference encoder or the portable rule
    /// makes of it.
    #[test]
    fn vectors_of_tags() {
        let table = [
            ("east", "m,t=east f=1"),
            // A backslash in the middle is written as it is; doubled, it would be stored doubled.
            ("eas\\t", "m,t=eas\\t f=1"),
            ("east\\ ", "m,t=east\\\\  f=1"),
            ("C:\\", "m,t=C: f=1"),
            ("\\", "m f=1"),
            ("a\nb", "m,t=a\\nb f=1"),
            ("a\r\tb", "m,t=a\\r\\tb f=1"),
            ("", "m f=1"),
            ("a,b=c d", "m,t=a\\,b\\=c\\ d f=1"),
            ("3号楼", "m,t=3号楼 f=1"),
            ("a\u{0}b", "m,t=a\u{fffd}b f=1"),
        ];
        for (value, expected) in table {
            assert_eq!(tag(value), expected, "{value:?}");
        }
    }

    #[test]
    fn vectors_of_fields() {
        let decimal = |text: &str| Field::Decimal(text.parse().unwrap());
        let table = [
            (decimal("12.50"), "m f=12.50"),
            (decimal("-0.01"), "m f=-0.01"),
            (decimal("9223372036854775807"), "m f=9223372036854775807"),
            (decimal("0.000000000000000001"), "m f=0.000000000000000001"),
            (Field::Float(1e300), "m f=1e300"),
            (Field::Float(5e-324), "m f=5e-324"),
            (Field::Float(-0.0), "m f=-0.0"),
            (Field::Float(0.1), "m f=0.1"),
            (Field::Bool(true), "m f=1"),
            (Field::Bool(false), "m f=0"),
            (Field::Text("foo\\"), "m f=\"foo\\\\\""),
            (Field::Text("say \"no\", a=b"), "m f=\"say \\\"no\\\", a=b\""),
            (Field::Text("two\nlines"), "m f=\"two\\nlines\""),
            (Field::Text(""), "m f=\"\""),
            // No field, no line.
            (Field::Float(f64::NAN), ""),
            (Field::Float(f64::INFINITY), ""),
            (Field::Float(f64::NEG_INFINITY), ""),
        ];
        for (value, expected) in table {
            assert_eq!(field(value), expected, "{value:?}");
        }
        let both = [("a", Field::Float(f64::NAN)), ("b", Field::Bool(true))];
        assert_eq!(line("m", &[], &both).unwrap(), "m b=1");
    }

    #[test]
    fn vectors_of_names() {
        let one = [("f", Field::Bool(true))];
        assert_eq!(line("m,29", &[], &one).unwrap(), "m\\,29 f=1");
        assert_eq!(line("m=30 x", &[], &one).unwrap(), "m=30\\ x f=1");
        assert_eq!(line("m", &[("k=,", "v")], &[("f g", Field::Bool(true))]).unwrap(), "m,k\\=\\,=v f\\ g=1");
        // Sorted: an engine need not do it.
        assert_eq!(line("m", &[("b", "2"), ("a", "1")], &one).unwrap(), "m,a=1,b=2 f=1");

        assert_eq!(line("", &[], &one), Err(LineError::Empty));
        assert_eq!(line("#m", &[], &one), Err(LineError::Comment("#m".into())));
        assert_eq!(line("m", &[("", "v")], &one), Err(LineError::Empty));
        assert_eq!(line("m", &[("time", "v")], &one), Err(LineError::Time));
        assert_eq!(line("m", &[("t", "1"), ("t", "2")], &one), Err(LineError::Twice("t".into())));
        assert_eq!(line("m", &[], &[("time", Field::Bool(true))]), Err(LineError::Time));
        let twice = [("f", Field::Bool(true)), ("f", Field::Bool(false))];
        assert_eq!(line("m", &[], &twice), Err(LineError::Twice("f".into())));
    }

    /// A reader of one line, written from the protocol's description and not from the writer:
    /// (measurement, tags, fields as text with their quotes gone, time).
    type Parsed = (String, Vec<(String, String)>, Vec<(String, String)>, i64);

    fn take(input: &mut std::iter::Peekable<std::str::Chars>, stop: &[char], escaped: &[char]) -> String {
        let mut text = String::new();
        while let Some(&character) = input.peek() {
            if stop.contains(&character) {
                break;
            }
            input.next();
            match input.peek() {
                Some(next) if character == '\\' && escaped.contains(next) => text.extend(input.next()),
                _ => text.push(character),
            }
        }
        text
    }

    fn parse(line: &str) -> Parsed {
        let mut input = line.strip_suffix('\n').unwrap().chars().peekable();
        let measurement = take(&mut input, &[',', ' '], &[',', ' ']);
        let (mut tags, mut fields) = (Vec::new(), Vec::new());
        while input.next_if_eq(&',').is_some() {
            let key = take(&mut input, &['='], KEY_ESCAPED);
            input.next();
            tags.push((key, take(&mut input, &[',', ' '], KEY_ESCAPED)));
        }
        assert_eq!(input.next(), Some(' '));
        loop {
            let key = take(&mut input, &['='], KEY_ESCAPED);
            input.next();
            let value = if input.next_if_eq(&'"').is_some() {
                let text = take(&mut input, &['"'], &['"', '\\']);
                input.next();
                text
            } else {
                take(&mut input, &[',', ' '], &[])
            };
            fields.push((key, value));
            if input.next_if_eq(&',').is_none() {
                break;
            }
        }
        assert_eq!(input.next(), Some(' '));
        (measurement, tags, fields, input.collect::<String>().parse().unwrap())
    }

    fn visible(text: &str) -> String {
        let mut out = String::new();
        text.chars().for_each(|character| push_visible(&mut out, character));
        out
    }

    /// Words full of what hurts.
    fn word() -> impl Strategy<Value = String> {
        let hard = prop_oneof![
            Just(','),
            Just('='),
            Just(' '),
            Just('\\'),
            Just('"'),
            Just('\n'),
            Just('氧'),
            any::<char>()
        ];
        proptest::collection::vec(hard, 1..8).prop_map(|characters| characters.into_iter().collect())
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            measurement in word(), value in word(), text in word(), number: f64,
            mantissa: i64, exponent in -18_i8..=18, at: i64,
        ) {
            let decimal = Decimal::new(mantissa, exponent).unwrap();
            prop_assume!(!measurement.starts_with('#'));
            let series = Series::new(&measurement, &[("t", &value), ("site", "demo")]).unwrap();
            let mut out = String::new();
            let fields = [("q", Field::Decimal(decimal)), ("r", Field::Float(number)), ("s", Field::Text(&text))];
            prop_assert!(write_line(&mut out, &series, &fields, UtcMs(at)).unwrap());
            prop_assert_eq!(out.matches('\n').count(), 1);
            // Not asked of a measurement that ends in a backslash: the configuration refuses it.
            prop_assume!(!measurement.ends_with('\\'));
            let (name, tags, fields, time) = parse(&out);
            prop_assert_eq!(name, visible(&measurement));
            let mut expected = vec![("site".to_owned(), "demo".to_owned())];
            let value = value.trim_end_matches('\\');
            if !value.is_empty() {
                expected.push(("t".to_owned(), visible(value)));
            }
            prop_assert_eq!(tags, expected);
            prop_assert_eq!(time, at);
            let find = |key: &str| fields.iter().find(|field| field.0 == key).map(|field| field.1.clone());
            prop_assert_eq!(find("q"), Some(decimal.to_string()));
            prop_assert_eq!(find("s"), Some(visible(&text)));
            let back = find("r").map(|text| text.parse::<f64>().unwrap().to_bits());
            prop_assert_eq!(back, number.is_finite().then_some(number.to_bits()));
        }
    }
}
