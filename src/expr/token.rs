//! The words of an expression: numbers with their units, points, texts, signs.
//!
//! An address is read as far as its letters go: `ahu-1/temperature-2` is one point, and a minus
//! has spaces around it.

use super::mistake::{Mistake, Span, nearest};
use crate::point::{Address, Decimal, Unit, UnitError};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Number(Decimal, Option<Unit>),
    Text(String),
    /// A word that is no operator.
    Word(String),
    Point(Address),
    Open,
    Close,
    Comma,
    Plus,
    Minus,
    Times,
    Over,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
    Not,
    End,
}

/// Signs of a Chinese keyboard and of printed formulas, and what is written for them.
const SIGNS: &[(&str, &str)] = &[
    ("（", "("),
    ("）", ")"),
    ("，", ","),
    ("、", ","),
    ("＜", "<"),
    ("＞", ">"),
    ("＝", "=="),
    ("＋", "+"),
    ("－", "-"),
    ("—", "-"),
    ("–", "-"),
    ("−", "-"),
    ("×", "*"),
    ("·", "*"),
    ("÷", "/"),
    ("／", "/"),
    ("≤", "<="),
    ("≥", ">="),
    ("≠", "!="),
    ("％", "%"),
    ("“", "\""),
    ("”", "\""),
    ("‘", "'"),
    ("’", "'"),
];

const OPERATORS: &[(&str, Token)] = &[
    ("==", Token::Equal),
    ("!=", Token::NotEqual),
    ("<=", Token::LessOrEqual),
    (">=", Token::GreaterOrEqual),
    ("&&", Token::And),
    ("||", Token::Or),
    ("<", Token::Less),
    (">", Token::Greater),
    ("!", Token::Not),
    ("(", Token::Open),
    (")", Token::Close),
    (",", Token::Comma),
    ("+", Token::Plus),
    ("-", Token::Minus),
    ("*", Token::Times),
    ("/", Token::Over),
];

/// All tokens with their places; the last is [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, Span)>, Mistake> {
    let mut lexer = Lexer { text, at: 0 };
    let mut found = Vec::new();
    loop {
        lexer.skip(|letter| matches!(letter, ' ' | '\t' | '\n' | '\r'));
        let start = lexer.at;
        let token = lexer.token()?;
        let end = token == Token::End;
        found.push((token, Span { start, end: lexer.at }));
        if end {
            return Ok(found);
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

fn is_name(letter: char) -> bool {
    matches!(letter, 'a'..='z' | '0'..='9' | '_' | '-')
}

fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let len = rest.find(|letter| !wanted(letter)).unwrap_or(rest.len());
        self.at += len;
        rest.get(..len).unwrap_or_default()
    }

    fn mistake(&self, start: usize, what: impl Into<String>) -> Mistake {
        Mistake::at(self.text, Span { start, end: self.at.max(start) }, what)
    }

    fn token(&mut self) -> Result<Token, Mistake> {
        let Some(first) = self.rest().chars().next() else { return Ok(Token::End) };
        match first {
            '0'..='9' => self.number(),
            'a'..='z' | 'A'..='Z' | '_' => self.word(),
            '"' | '\'' => self.quoted(first),
            '`' => self.backquoted(),
            _ => self.operator(first),
        }
    }

    fn operator(&mut self, first: char) -> Result<Token, Mistake> {
        let start = self.at;
        if let Some((sign, token)) = OPERATORS.iter().find(|(sign, _)| self.rest().starts_with(sign)) {
            self.at += sign.len();
            return Ok(token.clone());
        }
        self.at += first.len_utf8();
        let known = SIGNS.iter().find(|(sign, _)| sign.starts_with(first));
        Err(match (first, known) {
            ('=', _) => self.mistake(start, "a single = compares nothing").help("write =="),
            ('.', _) => self.mistake(start, "a number begins with a digit").help("write 0.5, not .5"),
            ('\u{3000}', _) => self.mistake(start, "a full-width space").help("write a plain space"),
            (_, Some((sign, plain))) => {
                self.mistake(start, format!("the sign {sign} is not read")).help(format!("write {plain}"))
            }
            _ => self.mistake(start, format!("the character {first:?} means nothing here")),
        })
    }

    fn number(&mut self) -> Result<Token, Mistake> {
        let start = self.at;
        self.digits();
        if self.rest().strip_prefix('.').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) {
            self.at += 1;
            self.digits();
        }
        let power = self.rest().strip_prefix(['e', 'E']);
        let signed = power.map(|rest| rest.strip_prefix(['+', '-']).unwrap_or(rest));
        if let Some(digits) = signed.filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) {
            self.at = self.text.len() - digits.len();
            self.digits();
        }
        let spelled = Span { start, end: self.at }.of(self.text);
        let Ok(number) = spelled.parse::<Decimal>() else {
            return Err(self.mistake(start, format!("{spelled} has more digits than a value can have")));
        };
        Ok(Token::Number(number, self.unit()?))
    }

    fn digits(&mut self) {
        self.skip(|letter| letter.is_ascii_digit());
    }

    /// The unit behind a number, with or without a space: the longest code that fits.
    fn unit(&mut self) -> Result<Option<Unit>, Mistake> {
        let number_end = self.at;
        self.skip(|letter| letter == ' ');
        let start = self.at;
        let fits = |code: &&str| {
            *code != "1" && self.rest().strip_prefix(*code).is_some_and(|rest| ends(code, rest))
        };
        let Some(code) = Unit::codes().filter(fits).max_by_key(|code| code.len()) else {
            return self.no_unit(number_end);
        };
        self.at += code.len();
        if let Some(end) = self.rest().strip_prefix('{').and_then(|rest| rest.find('}')) {
            self.at += end + 2;
        }
        let spelled = Span { start, end: self.at }.of(self.text);
        match spelled.parse() {
            Ok(unit) => Ok(Some(unit)),
            Err(UnitError::NoReference(_)) => Err(self
                .mistake(start, format!("{code} without what the pressure is measured against"))
                .help(format!("write {code}{{gauge}}, {code}{{absolute}} or {code}{{difference}}"))),
            Err(error) => Err(self.mistake(start, error.to_string())),
        }
    }

    /// No unit stands there; a word that only can be meant as one is named.
    fn no_unit(&mut self, number_end: usize) -> Result<Option<Unit>, Mistake> {
        let start = self.at;
        let letters = self.skip(|letter| letter.is_alphabetic() || matches!(letter, '°' | '℃' | '²' | '³'));
        if letters.is_empty() || ["and", "or", "not"].contains(&letters) {
            self.at = number_end;
            return Ok(None);
        }
        let symbol = |code: &str| {
            let full =
                if code.parse::<Unit>().is_err() { format!("{code}{{gauge}}") } else { code.to_owned() };
            full.parse::<Unit>().is_ok_and(|unit| unit.symbol() == letters)
        };
        let celsius = ["°C", "C", "摄氏度"].contains(&letters).then_some("Cel");
        let meant = celsius.or_else(|| Unit::codes().find(|code| symbol(code)));
        let meant = meant.or_else(|| nearest(letters, Unit::codes()));
        Err(self.mistake(start, format!("no unit has the code {letters:?}")).meant(meant))
    }

    fn word(&mut self) -> Result<Token, Mistake> {
        let start = self.at;
        let word = self.skip(is_name);
        let slash = self.rest().strip_prefix('/').filter(|rest| rest.starts_with(is_name));
        if slash.is_some() && !word.is_empty() {
            self.at += 1;
            self.skip(is_name);
            return self.address(start, Span { start, end: self.at });
        }
        // Words have no minus: `true-1`.
        self.at = start;
        let word = self.skip(is_word);
        Ok(match word {
            "and" => Token::And,
            "or" => Token::Or,
            "not" => Token::Not,
            _ => Token::Word(word.to_owned()),
        })
    }

    fn backquoted(&mut self) -> Result<Token, Mistake> {
        let start = self.at;
        self.at += 1;
        let inside = Span { start: self.at, end: self.at + self.skip(|letter| letter != '`').len() };
        if !self.rest().starts_with('`') {
            return Err(self.mistake(start, "the backquote is not closed"));
        }
        self.at += 1;
        self.address(start, inside)
    }

    fn address(&self, start: usize, inside: Span) -> Result<Token, Mistake> {
        let spelled = inside.of(self.text);
        spelled
            .parse()
            .map(Token::Point)
            .map_err(|error| self.mistake(start, format!("{spelled:?} is no point: {error}")))
    }

    fn quoted(&mut self, quote: char) -> Result<Token, Mistake> {
        let start = self.at;
        self.at += 1;
        let mut content = String::new();
        let mut letters = self.rest().chars();
        while let Some(letter) = letters.next() {
            self.at = self.text.len() - letters.as_str().len();
            match letter {
                _ if letter == quote => return Ok(Token::Text(content)),
                '\\' => match letters.next() {
                    Some(escaped @ ('"' | '\'' | '\\')) => content.push(escaped),
                    _ => {
                        return Err(
                            self.mistake(start, "a backslash stands only before a quote or a backslash")
                        );
                    }
                },
                _ if letter.is_control() => {
                    return Err(self.mistake(start, "a text has no control characters"));
                }
                _ => content.push(letter),
            }
        }
        self.at = self.text.len();
        Err(self.mistake(start, format!("the text is not closed with {quote}")))
    }
}

/// Whether a unit's code ends here and is not the beginning of something else: `/min` of `/min(`.
fn ends(code: &str, rest: &str) -> bool {
    let next = rest.chars().next();
    let word = code.ends_with(is_word) && next.is_some_and(|c| is_word(c) || c.is_alphabetic());
    let slash = code.starts_with('/') && next.is_some_and(|c| matches!(c, '(' | '/' | '-'));
    !word && !slash
}
