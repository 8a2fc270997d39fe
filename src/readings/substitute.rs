//! Values that a person puts in the place of a device's, until a time that is said beforehand.
//!
//! Read in this order: this file (what a substitution is, and what may be put in), [`held`] (what the
//! making of readings does with it; pure), `store` (its SQL), [`task`] (begin, end by a person, end
//! by the clock).
//!
//! While it holds, the point has the given value, Uncertain (substituted); what the device says
//! meanwhile is neither current nor stored. It ends at its time, whatever the database does.

pub mod held;
mod store;
pub mod task;

pub use held::Held;
pub use store::MIGRATIONS;
pub use task::{Open, Order, Substitutions, Task};

use crate::config::Point;
use crate::db::DbError;
use crate::point::{Address, Decimal, PointId, TextId, UtcMs, Value, ValueKind};
use serde::Serialize;
use std::fmt;

/// Longest substitution: what lasts longer is a change of the plant. Milliseconds.
pub const LASTS_MAX_MS: i64 = 30 * 86_400_000;

/// Most bytes of a word that is put in, as many as registers hold.
pub const WORD_BYTES_MAX: usize = 250;

/// What is put in.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    /// For an on/off point.
    Bool(bool),
    /// Exactly this number.
    Decimal(Decimal),
    /// The nearest float, for a point that gives floats.
    Float(f64),
    /// A word, not yet in the dictionary.
    Word(String),
}

/// What a request says, before it is known what the point takes.
#[derive(Clone, Debug, PartialEq)]
pub enum Offered<'a> {
    /// True or false.
    Bool(bool),
    /// A number as it was written.
    Number(&'a str),
    /// A text.
    Text(&'a str),
    /// Neither of them.
    Other,
}

/// Why a value cannot be put in, as the end of a sentence that begins with the point.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

impl Given {
    /// What is offered as a value of the point: of its kind, one of its states, within its range.
    pub fn of(offered: &Offered<'_>, point: &Point) -> Result<Given, Refused> {
        let refused = |what: String| Err(Refused(what));
        let number = match (point.kind, offered) {
            (ValueKind::Bool, Offered::Bool(on)) => return Ok(Given::Bool(*on)),
            (ValueKind::Text, Offered::Text(word)) => {
                let fits =
                    !word.is_empty() && word.len() <= WORD_BYTES_MAX && !word.chars().any(char::is_control);
                if !fits {
                    return refused(format!("takes a word of 1 to {WORD_BYTES_MAX} bytes on one line"));
                }
                return Ok(Given::Word((*word).to_owned()));
            }
            (ValueKind::Decimal | ValueKind::F64, Offered::Number(text)) => text.parse::<Decimal>(),
            (ValueKind::Bool, _) => return refused("takes true or false".to_owned()),
            (ValueKind::Text, _) => return refused("takes a text".to_owned()),
            (ValueKind::Decimal | ValueKind::F64, _) => return refused("takes a number".to_owned()),
        };
        let Ok(number) = number else {
            return refused("takes a number of at most 18 digits, from 10^-18 to 10^18".to_owned());
        };
        let is_state = |state: &crate::config::State| Decimal::from_int(state.value) == number;
        if !point.states.is_empty() && !point.states.iter().any(is_state) {
            let known: Vec<String> = point.states.iter().map(|state| state.value.to_string()).collect();
            return refused(format!("has only the states {}", known.join(", ")));
        }
        if let Some((low, high)) = point.range.filter(|(low, high)| number < *low || *high < number) {
            return refused(format!("has values from {low} to {high} {}", point.unit));
        }
        Ok(if point.kind == ValueKind::F64 { Given::Float(number.to_f64()) } else { Given::Decimal(number) })
    }

    /// As a reading carries it; `texts` numbers words. None if the dictionary refuses the word.
    pub fn to_value(&self, texts: &mut dyn FnMut(&str) -> Option<TextId>) -> Option<Value> {
        Some(match self {
            Given::Bool(on) => Value::Bool(*on),
            Given::Decimal(number) => Value::Decimal(*number),
            Given::Float(number) => Value::F64(*number),
            Given::Word(word) => Value::Text(texts(word)?),
        })
    }

    fn kind(&self) -> &'static str {
        match self {
            Given::Bool(_) => "bool",
            Given::Decimal(_) => "decimal",
            Given::Float(_) => "float",
            Given::Word(_) => "text",
        }
    }

    /// The inverse of its kind and its spelling.
    fn stored(kind: &str, text: &str) -> Option<Given> {
        Some(match kind {
            "bool" => Given::Bool(text.parse().ok()?),
            "decimal" => Given::Decimal(text.parse().ok()?),
            "float" => Given::Float(text.parse().ok()?),
            "text" => Given::Word(text.to_owned()),
            _ => return None,
        })
    }
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Given::Bool(on) => on.fmt(f),
            Given::Decimal(number) => number.fmt(f),
            Given::Float(number) => number.fmt(f),
            Given::Word(word) => f.write_str(word),
        }
    }
}

/// What a person wants.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Of which point.
    pub point: PointId,
    /// Its address.
    pub address: Address,
    /// The value.
    pub value: Given,
    /// When it ends by itself.
    pub until: UtcMs,
    /// Who says so.
    pub by: String,
    /// Why.
    pub reason: String,
    /// How long the point may be silent. Milliseconds.
    pub stale_after_ms: u64,
}

/// A value in the place of a device's, as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Substitution {
    /// Its number.
    pub id: i64,
    /// Of which point.
    pub point: PointId,
    /// The address of the point then.
    pub address: String,
    /// The value.
    pub value: Given,
    /// When it began.
    pub since: UtcMs,
    /// When it ends by itself.
    pub until: UtcMs,
    /// Who put it in.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Its end, if it is over.
    pub ended: Option<Ended>,
}

/// How a substitution ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// When.
    pub at: UtcMs,
    /// Who ended it; plantroom itself at its time.
    pub by: String,
    /// Why, if that was said.
    pub reason: Option<String>,
}

/// The body of its events.
#[derive(Serialize)]
struct Body<'a> {
    id: i64,
    point: &'a str,
    value: String,
    since: i64,
    until: i64,
    by: &'a str,
    reason: &'a str,
    ended_at: Option<i64>,
    ended_by: Option<&'a str>,
    end_reason: Option<&'a str>,
}

impl Substitution {
    /// What it is an act on, in the event log and the audit.
    pub fn subject(&self) -> String {
        format!("point:{}", self.address)
    }

    fn body(&self) -> Result<serde_json::Value, DbError> {
        let ended = self.ended.as_ref();
        Ok(serde_json::to_value(Body {
            id: self.id,
            point: &self.address,
            value: self.value.to_string(),
            since: self.since.0,
            until: self.until.0,
            by: &self.by,
            reason: &self.reason,
            ended_at: ended.map(|ended| ended.at.0),
            ended_by: ended.map(|ended| ended.by.as_str()),
            end_reason: ended.and_then(|ended| ended.reason.as_deref()),
        })?)
    }
}

/// Why a value is not put in, or not taken out.
#[derive(Debug, thiserror::Error)]
pub enum SubstituteError {
    /// Another value is there already.
    #[error("the value of {0} is substituted already, until then it is {1}")]
    Already(String, String),
    /// No value is there.
    #[error("the value of {0} is not substituted")]
    NotSubstituted(String),
    /// The end lies in the past or too far ahead.
    #[error("the end must lie ahead, at most 30 days")]
    Until,
    /// The dictionary takes no more words.
    #[error("the word cannot be kept: there are too many different ones already")]
    Word,
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The readings are not made, or are going down.
    #[error("the readings are not running")]
    Closed,
}

#[cfg(test)]
mod tests;
