//! Line protocol read back: what [`super::line`] writes, and what other programs write like it. Pure.

use crate::point::UtcMs;

/// A line taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The measurement.
    pub measurement: String,
    /// Keys and values.
    pub tags: Vec<(String, String)>,
    /// Keys and what they hold.
    pub fields: Vec<(String, FieldText)>,
    /// Milliseconds.
    pub at: UtcMs,
}

/// What a field holds, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldText {
    /// A number with its digits, or a flag; an integer's `i` or `u` is gone.
    Bare(String),
    /// A word.
    Quoted(String),
}

/// Why a text is no line, and in which of its characters that shows, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {what}")]
pub struct ParseError {
    /// Which character.
    pub column: usize,
    /// What is missing.
    pub what: &'static str,
}

/// Takes a line apart, without its line feed. A control character that was written as a
/// backslash and a letter is one again in words, where backslashes are doubled and so nothing
/// else can be meant.
pub fn parse_line(line: &str) -> Result<Line, ParseError> {
    let mut input = Input { rest: line.chars(), read: 0 };
    let measurement = input.name(&[',', ' '])?;
    let mut tags = Vec::new();
    while input.take(',') {
        let key = input.name(&['='])?;
        input.expect('=', "a tag without '='")?;
        tags.push((key, input.name(&[',', ' '])?));
    }
    input.expect(' ', "a line without fields")?;
    let mut fields = Vec::new();
    loop {
        let key = input.name(&['='])?;
        input.expect('=', "a field without '='")?;
        fields.push((key, input.field()?));
        if !input.take(',') {
            break;
        }
    }
    input.expect(' ', "a line without a time")?;
    let column = input.read + 1;
    let at = input.rest.as_str().trim_end().parse();
    let at = at.map_err(|_| ParseError { column, what: "the time is no whole number of milliseconds" })?;
    Ok(Line { measurement, tags, fields, at: UtcMs(at) })
}

struct Input<'a> {
    rest: std::str::Chars<'a>,
    read: usize,
}

impl Input<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.clone().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.rest.next();
        self.read += usize::from(next.is_some());
        next
    }

    fn take(&mut self, wanted: char) -> bool {
        let there = self.peek() == Some(wanted);
        if there {
            self.next();
        }
        there
    }

    fn expect(&mut self, wanted: char, what: &'static str) -> Result<(), ParseError> {
        if self.take(wanted) { Ok(()) } else { Err(self.wrong(what)) }
    }

    fn wrong(&self, what: &'static str) -> ParseError {
        ParseError { column: self.read + 1, what }
    }

    /// Up to one of `stop`; a backslash only counts before what it hides.
    fn name(&mut self, stop: &[char]) -> Result<String, ParseError> {
        let mut text = String::new();
        while let Some(next) = self.peek().filter(|next| !stop.contains(next)) {
            self.next();
            match self.peek() {
                Some(hidden @ (',' | '=' | ' ')) if next == '\\' => {
                    self.next();
                    text.push(hidden);
                }
                _ => text.push(next),
            }
        }
        if text.is_empty() { Err(self.wrong("a name is missing")) } else { Ok(text) }
    }

    fn field(&mut self) -> Result<FieldText, ParseError> {
        if self.take('"') {
            return self.quoted().map(FieldText::Quoted);
        }
        let mut text = String::new();
        while let Some(next) = self.peek().filter(|next| !matches!(next, ',' | ' ')) {
            self.next();
            text.push(next);
        }
        let digits = text.strip_suffix(['i', 'u']).filter(|digits| digits.parse::<i128>().is_ok());
        match digits.unwrap_or(&text) {
            "" => Err(self.wrong("a value is missing")),
            "t" | "T" | "true" | "True" | "TRUE" => Ok(FieldText::Bare("true".to_owned())),
            "f" | "F" | "false" | "False" | "FALSE" => Ok(FieldText::Bare("false".to_owned())),
            other => Ok(FieldText::Bare(other.to_owned())),
        }
    }

    fn quoted(&mut self) -> Result<String, ParseError> {
        let mut text = String::new();
        loop {
            let next = self.next().ok_or_else(|| self.wrong("a word without its closing quote"))?;
            match (next, self.peek()) {
                ('"', _) => return Ok(text),
                ('\\', Some(hidden @ ('"' | '\\' | 't' | 'n' | 'f' | 'r'))) => {
                    self.next();
                    text.push(match hidden {
                        't' => '\t',
                        'n' => '\n',
                        'f' => '\u{c}',
                        'r' => '\r',
                        other => other,
                    });
                }
                (other, _) => text.push(other),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::line::{Field, Series, write_line};
    use super::*;
    use crate::point::Decimal;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_line_is_told_with_its_column() {
        let table = [
            ("", 1, "a name is missing"),
            ("m", 2, "a line without fields"),
            ("m,a f=1 1", 10, "a field without '='"),
            ("m f 1", 6, "a field without '='"),
            ("m f= 1", 5, "a value is missing"),
            ("m f=1", 6, "a line without a time"),
            ("m f=1 x", 7, "the time is no whole number of milliseconds"),
            ("m f=\"x 1", 9, "a word without its closing quote"),
        ];
        for (line, column, what) in table {
            assert_eq!(parse_line(line), Err(ParseError { column, what }), "{line:?}");
        }
    }

    #[test]
    fn integers_and_flags_of_other_programs_are_read() {
        let line = parse_line("m,a=1 x=12i,y=7u,z=T,w=-1.5e3 10").unwrap();
        let bare = |text: &str| FieldText::Bare(text.to_owned());
        let values: Vec<_> = line.fields.into_iter().map(|(_, value)| value).collect();
        assert_eq!(values, [bare("12"), bare("7"), bare("true"), bare("-1.5e3")]);
    }

    fn word() -> impl Strategy<Value = String> {
        let hard = prop_oneof![
            Just(','),
            Just('='),
            Just(' '),
            Just('"'),
            Just('\\'),
            Just('\n'),
            Just('t'),
            Just('氧'),
            proptest::char::range('a', 'z')
        ];
        proptest::collection::vec(hard, 1..8).prop_map(|characters| characters.into_iter().collect())
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(name in "[a-z ,=氧]{1,6}", text in word(), number: f64, mantissa: i64, at: i64) {
            prop_assume!(number.is_finite());
            let decimal = Decimal::new(mantissa, -2).unwrap();
            let series = Series::new("Class", &[("asset", &name)]).unwrap();
            let fields = [("d", Field::Decimal(decimal)), ("f", Field::Float(number)), ("w", Field::Text(&text))];
            let mut out = String::new();
            write_line(&mut out, &series, &fields, UtcMs(at)).unwrap();
            let line = parse_line(out.trim_end_matches('\n')).unwrap();
            prop_assert_eq!(line.at, UtcMs(at));
            prop_assert_eq!(line.tags, [("asset".to_owned(), name)]);
            let expected = [
                FieldText::Bare(decimal.to_string()),
                FieldText::Bare(format!("{number:?}")),
                FieldText::Quoted(text),
            ];
            prop_assert_eq!(line.fields.into_iter().map(|(_, value)| value).collect::<Vec<_>>(), expected);
        }

        #[test]
        fn no_text_is_too_much(text: String) {
            let _answer = parse_line(&text);
        }
    }
}
