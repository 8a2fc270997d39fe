//! Topic patterns: `plant/sensor-{asset}/{quantity}`, and what of a topic fits them.
//!
//! One parser for the check of a file and for the driver. A capture is one level, or a part of one
//! between fixed texts; `{name...}` as the last level is all levels that follow.

use std::fmt;
use std::str::FromStr;

/// The longest topic MQTT can carry, in bytes (MQTT 3.1.1, 1.5.3).
pub const TOPIC_BYTES_MAX: usize = 65_535;
/// Most levels of a pattern.
pub const LEVELS_MAX: usize = 64;

/// A topic with captures in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicPattern {
    text: String,
    levels: Vec<Level>,
}

/// A level of a pattern.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// This word.
    Word(String),
    /// Fixed texts with captures between them: one text more than captures. `{asset}` alone has two
    /// empty texts.
    Captures(Vec<String>),
    /// Any levels that follow, at least one.
    Rest,
}

/// Why a text is no pattern; continues a sentence that begins with the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Empty, too long, or of too many levels.
    #[error("has no length a topic can have: 1 to 65535 bytes, at most 64 levels")]
    Length,
    /// `+`, `#` or NUL.
    #[error("has a wildcard, and a capture stands for one: {{name}}, or {{name...}} at the end")]
    Wildcard,
    /// A level between two others that is empty.
    #[error("has an empty level")]
    Empty,
    /// Braces that are no capture.
    #[error("has braces that are no {{name}}")]
    Braces,
    /// Two captures with nothing between them, where nobody can tell one from the other.
    #[error("has two captures with nothing between them")]
    Touching,
    /// The same capture twice.
    #[error("has the same capture twice")]
    Twice,
    /// `{name...}` elsewhere.
    #[error("has a {{name...}} that is not the whole last level")]
    Rest,
}

impl FromStr for TopicPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<TopicPattern, PatternError> {
        let count = text.split('/').count();
        if text.is_empty() || text.len() > TOPIC_BYTES_MAX || count > LEVELS_MAX {
            return Err(PatternError::Length);
        }
        if text.contains(['+', '#', '\0']) {
            return Err(PatternError::Wildcard);
        }
        let mut levels = Vec::with_capacity(count);
        for (index, level) in text.split('/').enumerate() {
            let last = index + 1 == count;
            // Many senders begin or end their topics with a slash; one inside is a slip.
            if level.is_empty() && index > 0 && !last {
                return Err(PatternError::Empty);
            }
            levels.push(parse_level(level, last)?);
        }
        let pattern = TopicPattern { text: text.to_owned(), levels };
        let names: Vec<&str> = pattern.captures().collect();
        let twice = names.iter().enumerate().any(|(at, name)| names.iter().skip(at + 1).any(|n| n == name));
        if twice { Err(PatternError::Twice) } else { Ok(pattern) }
    }
}

fn parse_level(level: &str, last: bool) -> Result<Level, PatternError> {
    if !level.contains(['{', '}']) {
        return Ok(Level::Word(level.to_owned()));
    }
    let mut texts = Vec::new();
    let mut rest = level;
    while let Some((text, tail)) = rest.split_once('{') {
        let (name, after) = tail.split_once('}').ok_or(PatternError::Braces)?;
        if let Some(name) = name.strip_suffix("...") {
            let whole = last && text.is_empty() && after.is_empty() && texts.is_empty();
            return if whole && is_name(name) { Ok(Level::Rest) } else { Err(PatternError::Rest) };
        }
        if !is_name(name) || text.contains('}') {
            return Err(PatternError::Braces);
        }
        if text.is_empty() && !texts.is_empty() {
            return Err(PatternError::Touching);
        }
        texts.push(text.to_owned());
        rest = after;
    }
    if rest.contains('}') {
        return Err(PatternError::Braces);
    }
    texts.push(rest.to_owned());
    Ok(Level::Captures(texts))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

impl fmt::Display for TopicPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TopicPattern {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its levels in order.
    pub fn levels(&self) -> &[Level] {
        &self.levels
    }

    /// The names of its captures in order.
    pub fn captures(&self) -> impl Iterator<Item = &str> {
        let braced = self.text.split('{').skip(1).filter_map(|tail| tail.split_once('}'));
        braced.map(|(name, _)| name.strip_suffix("...").unwrap_or(name))
    }

    /// The position of a capture among the captures.
    pub fn capture(&self, name: &str) -> Option<usize> {
        self.captures().position(|capture| capture == name)
    }

    /// What to subscribe to. A broker may send more than fits: `+` is a whole level, and `#` also
    /// the level above it.
    pub fn filter(&self) -> String {
        let word = |level: &Level| match level {
            Level::Word(word) => word.clone(),
            Level::Captures(_) => "+".to_owned(),
            Level::Rest => "#".to_owned(),
        };
        self.levels.iter().map(word).collect::<Vec<_>>().join("/")
    }

    /// What the captures stand for in a topic, or none if it is another topic.
    pub fn matches<'t>(&self, topic: &'t str) -> Option<Vec<&'t str>> {
        let mut captures = Vec::new();
        let mut rest = Some(topic);
        for level in &self.levels {
            let given = rest?;
            if *level == Level::Rest {
                captures.push(given);
                return Some(captures);
            }
            let (text, after) = next_level(given);
            if !level.fits(text, &mut captures) {
                return None;
            }
            rest = after;
        }
        rest.is_none().then_some(captures)
    }
}

/// The first level of a topic, and what follows its slash.
pub fn next_level(topic: &str) -> (&str, Option<&str>) {
    topic.split_once('/').map_or((topic, None), |(level, rest)| (level, Some(rest)))
}

impl Level {
    /// Whether the level of a topic fits; what its captures stand for is added. A capture that is
    /// only a part of its level is not empty and ends as early as it can.
    pub fn fits<'t>(&self, given: &'t str, captures: &mut Vec<&'t str>) -> bool {
        let texts = match self {
            Level::Word(word) => return word == given,
            Level::Rest => return false,
            Level::Captures(texts) => texts.as_slice(),
        };
        let (Some((first, rest)), before) = (texts.split_first(), captures.len()) else { return false };
        if first.is_empty() && rest.iter().all(String::is_empty) {
            captures.push(given);
            return true;
        }
        let mut left = given.strip_prefix(first.as_str());
        for (index, text) in rest.iter().enumerate() {
            left = left.and_then(|left| {
                let end = if index + 1 == rest.len() {
                    // The last text ends the level.
                    left.len().checked_sub(text.len()).filter(|end| left.get(*end..) == Some(text))
                } else {
                    let from = left.chars().next().map_or(1, char::len_utf8);
                    left.get(from..).and_then(|tail| tail.find(text.as_str())).map(|at| at + from)
                };
                let end = end.filter(|end| *end > 0)?;
                captures.push(left.get(..end)?);
                left.get(end + text.len()..)
            });
        }
        if left.is_none() {
            captures.truncate(before);
        }
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, topic: &str) -> Option<Vec<String>> {
        let pattern: TopicPattern = pattern.parse().unwrap();
        let captures = pattern.matches(topic)?;
        assert_eq!(captures.len(), pattern.captures().count());
        Some(captures.into_iter().map(str::to_owned).collect())
    }

    #[test]
    fn captures_are_levels_parts_of_levels_and_the_rest() {
        for (pattern, topic, captured) in [
            ("plant/{asset}/t", "plant/ward-3/t", Some(vec!["ward-3"])),
            ("plant/{asset}/t", "plant//t", Some(vec![""])),
            ("plant/{asset}/t", "plant/ward-3", None),
            ("plant/{asset}/t", "plant/ward-3/t/x", None),
            ("sensor-{asset}/t", "sensor-7/t", Some(vec!["7"])),
            ("sensor-{asset}/t", "sensor-/t", None),
            ("{a}-{b}.x", "1-2-3.x", Some(vec!["1", "2-3"])),
            ("{a}-{b}.x", "-2.x", None),
            ("{a}-{b}.x", "--2.x", Some(vec!["-", "2"])),
            ("{a}-{b}", "温-度", Some(vec!["温", "度"])),
            ("/gw/{sn}", "/gw/1", Some(vec!["1"])),
            ("/gw/{sn}", "gw/1", None),
            ("a/{rest...}", "a/b/c", Some(vec!["b/c"])),
            ("a/{rest...}", "a", None),
            ("a/{rest...}", "a/", Some(vec![""])),
            ("a/", "a/", Some(vec![])),
        ] {
            let captured: Option<Vec<String>> =
                captured.map(|texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect());
            assert_eq!(matches(pattern, topic), captured, "{pattern} {topic}");
        }
        let filter = |pattern: &str| pattern.parse::<TopicPattern>().unwrap().filter();
        assert_eq!(filter("plant/sensor-{asset}/{rest...}"), "plant/+/#");
        assert_eq!(filter("/gw/{a}/x"), "/gw/+/x");
    }

    #[test]
    fn what_is_no_pattern_says_why() {
        for (text, why) in [
            ("", PatternError::Length),
            ("a/+", PatternError::Wildcard),
            ("a/#", PatternError::Wildcard),
            ("a//b", PatternError::Empty),
            ("a/{}", PatternError::Braces),
            ("a/{b", PatternError::Braces),
            ("a/b}", PatternError::Braces),
            ("a/{b c}", PatternError::Braces),
            ("{a}{b}", PatternError::Touching),
            ("{a}/{a}", PatternError::Twice),
            ("{a}/{a...}", PatternError::Twice),
            ("{a...}/b", PatternError::Rest),
            ("x{a...}", PatternError::Rest),
        ] {
            assert_eq!(text.parse::<TopicPattern>(), Err(why), "{text}");
        }
        assert_eq!("a/".repeat(64).parse::<TopicPattern>(), Err(PatternError::Length));
        assert_eq!("a".repeat(65_536).parse::<TopicPattern>(), Err(PatternError::Length));
    }

    /// What the broker sends for a filter (MQTT 3.1.1, 4.7.1).
    fn asked(filter: &str, topic: &str) -> bool {
        let (wanted, given): (Vec<_>, Vec<_>) = (filter.split('/').collect(), topic.split('/').collect());
        let many = wanted.last() == Some(&"#");
        let fixed = wanted.len() - usize::from(many);
        let long_enough = if many { given.len() >= fixed } else { given.len() == fixed };
        long_enough && wanted.iter().zip(&given).take(fixed).all(|(f, level)| *f == "+" || f == level)
    }

    proptest! {
        /// Nothing fits a pattern that its filter does not ask for; where captures are whole levels
        /// everything does that it asks for, but the level above a `{rest...}`.
        #[test]
        fn pattern_and_filter_agree(
            pattern in "([ab]|\\{x\\})?(/([ab]|\\{y\\}|\\{z\\}|a\\{v\\}|\\{u\\}b|\\{s\\}a\\{t\\})){0,3}(/\\{r\\.\\.\\.\\})?",
            topic in "[ab]{0,3}(/[ab]{0,3}){0,4}",
        ) {
            let Ok(pattern) = pattern.parse::<TopicPattern>() else { return Ok(()) };
            let filter = pattern.filter();
            let fits = pattern.matches(&topic).is_some();
            let asked_for = asked(&filter, &topic);
            prop_assert!(asked_for || !fits, "{} {}", pattern, topic);
            let whole = |level: &Level| !matches!(level, Level::Captures(texts) if texts.iter().any(|t| !t.is_empty()));
            let above = filter.strip_suffix("/#").is_some_and(|_| topic.split('/').count() < pattern.levels().len());
            if pattern.levels().iter().all(whole) && !above {
                prop_assert_eq!(fits, asked_for, "{} {}", pattern, topic);
            }
        }
    }
}
