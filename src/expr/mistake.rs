//! A mistake in an expression, as a sentence that points.

use std::fmt;
use std::ops::Range;

/// What is wrong, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Mistake {
    /// Which bytes of the text.
    pub span: Span,
    /// Column of the first of them, in characters, from 1. In a text of several lines it counts on.
    pub column: usize,
    /// What is wrong.
    pub what: String,
    /// What to write instead, where that is known.
    pub help: Option<String>,
}

/// Bytes of a text, as positions that are character boundaries of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// Behind the last byte.
    pub end: usize,
}

impl Span {
    /// From the start of one to the end of the other.
    pub(super) fn to(self, other: Span) -> Span {
        Span { start: self.start, end: other.end }
    }

    /// What stands there.
    pub(super) fn of(self, text: &str) -> &str {
        text.get(Range::from(self)).unwrap_or_default()
    }
}

impl From<Span> for Range<usize> {
    fn from(span: Span) -> Range<usize> {
        span.start..span.end
    }
}

impl Mistake {
    /// At `span` of `text`.
    pub(super) fn at(text: &str, span: Span, what: impl Into<String>) -> Mistake {
        let before = text.get(..span.start).unwrap_or(text);
        Mistake { span, column: before.chars().count() + 1, what: what.into(), help: None }
    }

    /// With what to do.
    #[must_use]
    pub(super) fn help(self, help: impl Into<String>) -> Mistake {
        Mistake { help: Some(help.into()), ..self }
    }

    /// With what was probably meant, if that is known.
    #[must_use]
    pub(super) fn meant(self, meant: Option<&str>) -> Mistake {
        match meant {
            Some(meant) => self.help(format!("did you mean {meant}?")),
            None => self,
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.what)?;
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

/// The word of `known` that was probably meant: a third of its letters may be wrong. A site has
/// 20,000 points, so words of another length are not even looked at.
pub(super) fn nearest<T: AsRef<str>>(word: &str, known: impl IntoIterator<Item = T>) -> Option<T> {
    let lower = word.to_lowercase();
    let letters = word.chars().count();
    let allowed = (letters + 1) / 3;
    let long = |other: &T| other.as_ref().chars().count().abs_diff(letters) <= allowed;
    let far = |other: &str| strsim::osa_distance(&lower, &other.to_lowercase());
    let measured = known.into_iter().filter(long).map(|other| (far(other.as_ref()), other));
    let (steps, other) = measured.min_by_key(|(steps, _)| *steps)?;
    (steps <= allowed).then_some(other)
}
