//! Messages that point: file, line, column, path, what was found and what to do.

use super::source::{Place, Source};
use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

/// Most messages of one run; the rest is counted.
const SHOWN_MAX: usize = 100;
/// Most characters of a source line that are shown.
const LINE_CHARS_MAX: usize = 160;

/// Whether the configuration can be used in spite of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can, and someone should look.
    Warning,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// What kind of mistake it is; stable words for documents and tests.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code, in the order of the phases.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// The word in brackets of a message.
            pub fn word(self) -> &'static str {
                match self { $(Code::$name => $word,)* }
            }
        }
    };
}

codes! {
    /// A file cannot be read.
    Unreadable = "unreadable",
    /// Not TOML.
    Syntax = "syntax",
    /// `config_version` is missing, too new or no version.
    Version = "config-version",
    /// A field that does not exist here.
    UnknownField = "unknown-field",
    /// A field that must be there.
    MissingField = "missing-field",
    /// A field of the main file in an included one, or of a device in a profile.
    Misplaced = "misplaced",
    /// A number where a text belongs, and the like.
    WrongType = "wrong-type",
    /// The right type and a value outside the choice or the limits.
    WrongValue = "wrong-value",
    /// Not `[a-z0-9_-]{1,63}`, or not `asset/quantity`.
    BadName = "bad-name",
    /// Not a number that can be kept exact.
    BadDecimal = "bad-decimal",
    /// Not `500ms`, `5s`, `10m`, `2h`, `1d`.
    BadDuration = "bad-duration",
    /// Not `512MiB`, `20GiB`, `1TiB`.
    BadSize = "bad-size",
    /// No such unit, or a pressure without its reference.
    UnknownUnit = "unknown-unit",
    /// No such time zone.
    UnknownZone = "unknown-zone",
    /// `${VAR}` of a variable that is not set.
    Environment = "environment",
    /// A secret that stands in the file, or whose `file:` cannot be read.
    Secret = "secret",
    /// A file of a certificate or key that cannot be used.
    Certificate = "certificate",
    /// A password that would cross the network unencrypted (a warning).
    Plaintext = "plaintext",
    /// The same id, point or unit id twice.
    Duplicate = "duplicate",
    /// A reference to what does not exist.
    UnknownReference = "unknown-reference",
    /// Assets that are in each other.
    AssetCycle = "asset-cycle",
    /// A feed that needs more assets than supply it.
    Feed = "feed",
    /// Assets that feed each other with one medium.
    FeedCycle = "feed-cycle",
    /// Listening where anyone could reach it, without sign-in.
    NotLoopback = "not-loopback",
    /// A value that ends beyond register 65535.
    RegisterOverflow = "register-overflow",
    /// A value wider than one request to its device may ask for.
    RegisterTooWide = "register-too-wide",
    /// A register in a stretch its device must not be asked for.
    RegisterForbidden = "register-forbidden",
    /// Registers read as two different things.
    RegisterOverlap = "register-overlap",
    /// A type that its table cannot hold, or a use that its type does not allow.
    RegisterType = "register-type",
    /// A byte order the type cannot come in, or two that contradict each other.
    ByteOrder = "byte-order",
    /// Bits that the type does not have.
    Bits = "bits",
    /// States that are doubled or cannot occur.
    States = "states",
    /// A sentinel that the type cannot hold, or a doubled one.
    Sentinel = "sentinel",
    /// An address that looks like a manual's 4xxxx number (a warning).
    ReferenceNumber = "reference-number",
    /// An address that looks as if it counted from one (a warning).
    OneBased = "one-based",
    /// Two buses to the same serial line, or to a host that takes one connection.
    SharedLine = "shared-line",
    /// A point list whose header or rows are not what they should be.
    PointList = "point-list",
    /// A topic that is no pattern, or whose asset is not said.
    Topic = "topic",
    /// Two entries that subscribe to the same topics of one broker (a warning).
    TopicOverlap = "topic-overlap",
    /// A range whose ends are the wrong way round.
    Range = "range",
    /// A formula of a derived point that cannot be reckoned.
    Formula = "formula",
    /// Derived points that are reckoned from each other.
    DerivedCycle = "derived-cycle",
    /// Derived points that cost too much together.
    DerivedCost = "derived-cost",
    /// A rule's limit outside its point's range, or on a point without numbers.
    Limit = "limit",
    /// What is to be done to readings does not fit the point.
    Conditioning = "conditioning",
    /// A deadband below zero.
    Deadband = "deadband",
    /// A limit that nobody has confirmed and that is enabled; an unconfirmed register map (a warning).
    Unconfirmed = "unconfirmed",
    /// Half hours of a day that are priced twice or not at all.
    TariffHours = "tariff-hours",
    /// A register, resolution or unit that cannot be counted.
    Meter = "meter",
}

/// A message before its place is looked up.
#[derive(Clone, Debug)]
pub struct Problem {
    pub severity: Severity,
    pub code: Code,
    pub message: String,
    pub help: Option<String>,
    pub place: Place,
    pub notes: Vec<(Place, String)>,
}

impl Problem {
    /// An error at a place.
    pub fn error(code: Code, place: Place, message: impl Into<String>) -> Problem {
        Problem {
            severity: Severity::Error,
            code,
            message: message.into(),
            help: None,
            place,
            notes: Vec::new(),
        }
    }

    /// A warning at a place.
    pub fn warning(code: Code, place: Place, message: impl Into<String>) -> Problem {
        Problem { severity: Severity::Warning, ..Problem::error(code, place, message) }
    }

    /// With what to do about it.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Problem {
        self.help = Some(text.into());
        self
    }

    /// With another place that has to do with it.
    #[must_use]
    pub fn note(mut self, place: Place, text: impl Into<String>) -> Problem {
        self.notes.push((place, text.into()));
        self
    }
}

/// One message.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// Kind of mistake.
    pub code: Code,
    /// What is wrong, with the value found.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// The file.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Where in the tree: `modbus[1].devices[0].registers[3].unit`. Empty for a whole file.
    pub path: String,
    /// Other places: `file:line:column: text`.
    pub notes: Vec<String>,
    /// The source line, secrets hidden; none for a file that could not be read.
    snippet: Option<Snippet>,
}

#[derive(Clone, Debug)]
struct Snippet {
    line: String,
    /// Columns of a terminal before and under the caret.
    before: usize,
    under: usize,
}

/// All messages of a run, in the order of the files.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    /// The messages, at most a hundred.
    pub items: Vec<Diagnostic>,
    /// How many more there were.
    pub more: usize,
}

impl Diagnostics {
    /// Looks up the places; sorted by file and position.
    pub fn resolve(mut problems: Vec<Problem>, sources: &[Source]) -> Diagnostics {
        // What is wrong in a profile is found again by every device that uses it.
        let mut told = BTreeSet::new();
        problems.retain(|problem| {
            let Place { source, span } = &problem.place;
            told.insert((*source, span.start, span.end, problem.message.clone()))
        });
        let more = problems.len().saturating_sub(SHOWN_MAX);
        // An error is never among what is not shown while a warning is.
        problems.sort_by_key(|problem| (problem.severity == Severity::Warning, problem.place.order()));
        problems.truncate(SHOWN_MAX);
        problems.sort_by_key(|problem| problem.place.order());
        let items =
            problems.into_iter().filter_map(|problem| Diagnostic::resolve(problem, sources)).collect();
        Diagnostics { items, more }
    }

    /// How many there are of a kind, of those that are shown.
    pub fn count(&self, severity: Severity) -> usize {
        self.items.iter().filter(|item| item.severity == severity).count()
    }
}

impl Diagnostic {
    fn resolve(problem: Problem, sources: &[Source]) -> Option<Diagnostic> {
        let source = sources.get(problem.place.source)?;
        let (line, column) = source.line_column(problem.place.span.start);
        let note = |(place, text): (Place, String)| {
            let source = sources.get(place.source)?;
            let (line, column) = source.line_column(place.span.start);
            Some(format!("{}:{line}:{column}: {text}", source.path.display()))
        };
        Some(Diagnostic {
            severity: problem.severity,
            code: problem.code,
            message: problem.message,
            help: problem.help,
            file: source.path.clone(),
            line,
            column,
            path: source.path_of(&problem.place.span),
            notes: problem.notes.into_iter().filter_map(note).collect(),
            snippet: Snippet::cut(source, &problem.place),
        })
    }
}

impl Snippet {
    fn cut(source: &Source, place: &Place) -> Option<Snippet> {
        let (number, column) = source.line_column(place.span.start);
        let whole = source.text.lines().nth(number - 1)?;
        let line: String = mask(whole).chars().take(LINE_CHARS_MAX).collect();
        let marked = source.text.get(place.span.clone()).unwrap_or_default();
        let marked = marked.lines().next().unwrap_or_default().chars().count();
        let width =
            |from: usize, count: usize| line.chars().skip(from).take(count).map(columns).sum::<usize>();
        let before = width(0, column - 1);
        let under = width(column - 1, marked).max(1);
        Some(Snippet { line, before, under })
    }
}

/// Columns a terminal gives a character: two for CJK and full-width forms.
fn columns(c: char) -> usize {
    let wide = matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}' | '\u{ffe0}'..='\u{ffe6}');
    if wide { 2 } else { 1 }
}

/// Hides what may be a secret: the value of a key that says so, and a login in a URL.
/// `${VAR}` and `file:` stay, they are names. Character for character, so that the caret stays true.
pub fn mask(line: &str) -> String {
    let mut chars: Vec<char> = line.chars().collect();
    let lower: Vec<char> = line.chars().map(|c| c.to_ascii_lowercase()).collect();
    let at = |start: usize, word: &str| {
        word.chars().enumerate().all(|(offset, c)| lower.get(start + offset) == Some(&c))
    };
    for start in 0..chars.len() {
        let key = ["password", "token", "secret"].into_iter().find(|word| at(start, word));
        if let Some(key) = key {
            let value = skip_to_value(&chars, start + key.len());
            mask_value(&mut chars, value);
        }
        // A login is a table; written as a text it may be "user:password".
        let login = at(start, "login").then(|| skip_to_value(&chars, start + 5)).flatten();
        let login = login.filter(|value| chars.get(*value) != Some(&'{'));
        mask_value(&mut chars, login);
        if at(start, "://") {
            mask_login(&mut chars, start + 3);
        }
    }
    chars.into_iter().collect()
}

/// Behind `key" = `; none if no `=` follows.
fn skip_to_value(chars: &[char], from: usize) -> Option<usize> {
    let rest = |from: usize| chars.iter().enumerate().skip(from);
    let (equals, _) = rest(from).find(|(_, c)| !matches!(c, ' ' | '\t' | '"' | '\''))?;
    if chars.get(equals) != Some(&'=') {
        return None;
    }
    rest(equals + 1).find(|(_, c)| !c.is_whitespace()).map(|(index, _)| index)
}

fn mask_value(chars: &mut [char], value: Option<usize>) {
    let Some(value) = value else { return };
    let quote = chars.get(value).copied().filter(|c| matches!(c, '"' | '\''));
    let start = if quote.is_some() { value + 1 } else { value };
    let inside: String = chars.iter().skip(start).take(5).collect();
    if inside.starts_with("${") || inside.starts_with("file:") {
        return;
    }
    for c in chars.iter_mut().skip(start) {
        let end = if quote.is_some() { Some(*c) == quote } else { matches!(c, ',' | '}' | '#') };
        if end {
            break;
        }
        *c = '*';
    }
}

fn mask_login(chars: &mut [char], start: usize) {
    let stop = |c: &char| matches!(c, '/' | '"' | '\'' | '?' | ' ');
    let host: Vec<char> = chars.iter().skip(start).take_while(|c| !stop(c)).copied().collect();
    if let Some(login) = host.iter().rposition(|c| *c == '@') {
        chars.iter_mut().skip(start).take(login).for_each(|c| *c = '*');
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        writeln!(f, "{severity}[{}]: {}", self.code.word(), self.message)?;
        writeln!(f, "{margin}--> {}:{}:{}", self.file.display(), self.line, self.column)?;
        if let Some(snippet) = &self.snippet {
            let (before, under) = (" ".repeat(snippet.before), "^".repeat(snippet.under));
            writeln!(f, "{margin} |\n{number} | {}", snippet.line.trim_end())?;
            let marked = format!("{before}{under} {}", self.path);
            writeln!(f, "{margin} | {}", marked.trim_end())?;
        }
        for note in &self.notes {
            writeln!(f, "{margin} = note: {note}")?;
        }
        if let Some(help) = &self.help {
            writeln!(f, "{margin} = help: {help}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for item in &self.items {
            writeln!(f, "{item}")?;
        }
        let count = |severity, one: &str| match self.count(severity) {
            0 => None,
            1 => Some(format!("1 {one}")),
            n => Some(format!("{n} {one}s")),
        };
        let mut parts = Vec::new();
        parts.extend(count(Severity::Error, "error"));
        parts.extend(count(Severity::Warning, "warning"));
        if self.more > 0 {
            parts.push(format!("{} more not shown", self.more));
        }
        if parts.is_empty() { Ok(()) } else { writeln!(f, "{}", parts.join(", ")) }
    }
}

impl std::error::Error for Diagnostics {}

/// The word of `known` that was probably meant.
pub fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let distance = |other: &str| {
        let other = other.to_lowercase();
        // `user` for `username`.
        let begun = lower.len() >= 3 && other.starts_with(&lower);
        if begun { 1 } else { strsim::damerau_levenshtein(&lower, &other) }
    };
    let best = known.into_iter().map(|other| (distance(other), other)).min_by_key(|(steps, _)| *steps);
    let allowed = (word.chars().count() + 1) / 3;
    best.filter(|(steps, _)| *steps <= allowed).map(|(_, other)| other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hidden_character_for_character() {
        let cases = [
            (
                r#"login = { username = "u", password = "hunter2" }"#,
                r#"login = { username = "u", password = "*******" }"#,
            ),
            ("token='abc' # x", "token='***' # x"),
            ("password = 1234, x = 1", "password = ****, x = 1"),
            ("password = \"open", "password = \"****"),
            ("password = \"${PASS}\"", "password = \"${PASS}\""),
            ("token = \"file:secrets/t\"", "token = \"file:secrets/t\""),
            ("url = \"http://me:pw@host/x\"", "url = \"http://*****@host/x\""),
            ("\"password\" = \"p\"", "\"password\" = \"*\""),
            ("login = \"me:pw\"", "login = \"*****\""),
            ("# the token is elsewhere", "# the token is elsewhere"),
        ];
        for (line, expected) in cases {
            assert_eq!(mask(line), expected);
            assert_eq!(mask(line).chars().count(), line.chars().count());
        }
    }

    #[test]
    fn the_closest_word_is_offered_and_a_far_one_is_not() {
        assert_eq!(closest("intervall", ["interval", "id"]), Some("interval"));
        assert_eq!(closest("kwh", ["kW.h", "W"]), Some("kW.h"));
        assert_eq!(closest("user", ["password", "username"]), Some("username"));
        assert_eq!(closest("pressure", ["id", "unit"]), None);
        assert_eq!(closest("a", ["b"]), None);
    }

    #[test]
    fn the_caret_stands_right_under_wide_characters() {
        let source = Source::new("x.toml".into(), "name = \"氧\" ; x".into());
        let snippet = Snippet::cut(&source, &Place { source: 0, span: 12..13 }).unwrap();
        assert_eq!((snippet.before, snippet.under), (11, 1));
    }
}
