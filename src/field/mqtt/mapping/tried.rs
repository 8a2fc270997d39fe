//! A topic that no broker listens to yet, tried on a message: for the page where it is written.

use super::route::{Route, Said};
use super::{MappingError, Unreadable, unknown};
use crate::config::Topic;
use crate::field::{Fault, Raw};
use crate::point::{Name, Unit, UtcMs};

/// What a topic would make of a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Tried {
    /// What would be subscribed to.
    pub filter: String,
    /// Whether the message's topic fits.
    pub fits: bool,
    /// The captures and what they stand for.
    pub captures: Vec<(String, String)>,
    /// What each value became, in the order of the message.
    pub values: Vec<TriedValue>,
    /// Addresses it led to for which the topic has no value.
    pub unknown: Vec<String>,
    /// What is wrong with the message as a whole.
    pub unreadable: Option<Unreadable>,
}

/// What a value became.
#[derive(Clone, Debug, PartialEq)]
pub struct TriedValue {
    /// The asset as it was named.
    pub asset: String,
    /// Whether the topic knows that asset.
    pub is_known: bool,
    /// Its place among the values of the topic.
    pub index: usize,
    /// What is measured.
    pub quantity: Name,
    /// The raw value, before it is scaled, or the fault.
    pub raw: Result<Raw, Fault>,
    /// Why there is none, or what is wrong with its time.
    pub why: Option<Unreadable>,
    /// Unit of the scaled value.
    pub unit: Unit,
    /// When it was true, if the message says so.
    pub source_at: Option<UtcMs>,
}

/// See [`super::Mapping::try_one`].
pub fn try_one(wanted: &Topic, topic: &str, payload: &[u8]) -> Result<Tried, MappingError> {
    let route = Route::new(wanted)?;
    let matched = wanted.pattern.matches(topic);
    let names = wanted.pattern.captures().map(str::to_owned);
    let given = matched.iter().flatten().map(|text| (*text).to_owned());
    let mut tried = Tried {
        filter: wanted.pattern.filter(),
        fits: matched.is_some(),
        captures: names.zip(given).collect(),
        values: Vec::new(),
        unknown: Vec::new(),
        unreadable: None,
    };
    let Some(captures) = matched else { return Ok(tried) };
    route.read(&captures, Ok(payload), true, &mut |said| match said {
        Said::Value { asset, value, at, raw, why } => {
            let Some(own) = wanted.values.get(value) else { return };
            let known = asset.ok().and_then(|number| route.assets().get(number));
            let is_known = known.is_some_and(|asset| own.assets.contains(asset));
            let asset = known.map_or_else(|| asset.err().unwrap_or_default().to_owned(), Name::to_string);
            tried.values.push(TriedValue {
                asset,
                is_known,
                index: value,
                quantity: own.quantity.clone(),
                raw,
                why,
                unit: own.unit,
                source_at: at,
            });
        }
        Said::Unknown { asset, quantity } => tried.unknown.push(unknown(asset, quantity)),
        Said::Unreadable(why) => tried.unreadable = tried.unreadable.or(Some(why)),
    });
    Ok(tried)
}
