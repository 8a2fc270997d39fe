//! One topic of the configuration, prepared: a message in, what it says out.

use super::csv::Table;
use super::place::{Scope, Spot, Wanted};
use super::unreadable::Unreadable;
use super::words::{Found, Rule, fault};
use super::{ITEMS_MAX, MappingError, bytes, time, unit};
use crate::config::{
    AssetFrom, ByteCell, Form, QualityFrom, TimeFormat, Topic, TopicValue, Verdict, Where, Written,
};
use crate::field::mqtt::json;
use crate::field::{Fault, Raw};
use crate::point::{Name, Unit, UtcMs};
use jiff::tz::TimeZone;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

/// A topic, prepared.
#[derive(Debug)]
pub struct Route {
    form: Form,
    wanted: Wanted,
    each: Option<Spot>,
    only_if: Vec<(Spot, String)>,
    asset: Whose,
    quantity: Option<Spot>,
    by_key: HashMap<String, Vec<usize>>,
    all: Vec<usize>,
    time: Option<(Spot, TimeFormat, TimeZone)>,
    quality: Option<(Spot, BTreeMap<String, Verdict>)>,
    unit: Option<Spot>,
    bytes: Option<(Spot, Written)>,
    records: BTreeMap<Vec<u8>, u16>,
    zone: TimeZone,
    values: Vec<Value>,
    assets: Vec<Name>,
}

#[derive(Debug)]
enum Whose {
    Fixed(usize),
    Said { spot: Spot, names: HashMap<String, usize>, is_folded: bool },
}

#[derive(Debug)]
struct Value {
    spot: Spot,
    cell: Option<ByteCell>,
    rule: Rule,
    unit: Unit,
    is_optional: bool,
}

/// What a message says.
#[derive(Debug)]
pub enum Said<'s> {
    /// A value, or why there is none.
    Value {
        /// Whose it is: a number among [`Route::assets`], or a text that stands for none of them.
        asset: Result<usize, &'s str>,
        /// A number among the values of the topic.
        value: usize,
        /// When it was true, if that is said.
        at: Option<UtcMs>,
        /// The value.
        raw: Result<Raw, Fault>,
        /// Why there is none, or what is wrong with its time.
        why: Option<Unreadable>,
    },
    /// It leads nowhere: the asset it names and the word for the quantity, as far as they are known.
    Unknown { asset: &'s str, quantity: Option<&'s str> },
    /// Nothing can be read, and it is not known for whom it was meant.
    Unreadable(Unreadable),
}

/// What comes of a message.
pub type Sink<'s> = dyn FnMut(Said<'_>) + 's;

impl Route {
    /// Prepares a topic.
    pub fn new(topic: &Topic) -> Result<Route, MappingError> {
        let pattern = &topic.pattern;
        let mut wanted = Wanted { has_items: false, ..Wanted::default() };
        let each = match &topic.form {
            Form::Each(pointer) => Some(wanted.value(&Where::Pointer(pointer.clone()), pattern)?),
            _ => None,
        };
        wanted.has_items = each.is_some();
        let mut spot = |place: &Where| wanted.spot(place, pattern);
        let only_if = topic.only_if.iter().map(|(place, text)| Ok((spot(place)?, text.clone())));
        let only_if = only_if.collect::<Result<_, MappingError>>()?;
        let quantity = topic.quantity.as_ref().map(&mut spot).transpose()?;
        let time =
            topic.time.as_ref().map(|time| Ok((spot(&time.place)?, time.format.clone(), time.zone.clone())));
        let time = time.transpose()?;
        let quality = topic.quality.as_ref();
        let quality =
            quality.map(|QualityFrom { place, words }| Ok((spot(place)?, words.clone()))).transpose()?;
        let unit = topic.unit.as_ref().map(&mut spot).transpose()?;
        let bytes =
            topic.bytes.from.as_ref().map(|(place, written)| Ok((spot(place)?, *written))).transpose()?;
        let assets = assets_of(topic);
        let asset = whose(topic, &assets, &mut spot)?;
        let mut by_key: HashMap<String, Vec<usize>> = HashMap::new();
        for (number, value) in topic.values.iter().enumerate() {
            if let Some(key) = &value.key {
                by_key.entry(key.clone()).or_default().push(number);
            }
        }
        let zone = topic.time.as_ref().map_or(TimeZone::UTC, |time| time.zone.clone());
        let value = |value: &TopicValue| {
            Ok(Value {
                spot: wanted.value(&value.place, pattern)?,
                cell: value.cell.clone(),
                rule: Rule::new(value),
                unit: value.unit,
                is_optional: value.optional,
            })
        };
        let values = topic.values.iter().map(value).collect::<Result<Vec<_>, MappingError>>()?;
        let (form, records, all) =
            (topic.form.clone(), topic.bytes.records.clone(), (0..values.len()).collect());
        Ok(Route {
            form,
            wanted,
            each,
            only_if,
            asset,
            quantity,
            by_key,
            all,
            time,
            quality,
            unit,
            bytes,
            records,
            zone,
            values,
            assets,
        })
    }

    /// The assets its values are of, in alphabetical order.
    pub fn assets(&self) -> &[Name] {
        &self.assets
    }

    /// Whether all its values are of one asset.
    pub fn is_fixed(&self) -> bool {
        matches!(self.asset, Whose::Fixed(_))
    }

    /// Reads a message of it. Without `all` nothing is read that leads to no asset of the topic.
    pub fn read(
        &self,
        captures: &[&str],
        payload: Result<&[u8], Unreadable>,
        all: bool,
        sink: &mut Sink<'_>,
    ) {
        let of_topic = Scope::of_topic(captures);
        if !all && self.leads_nowhere(&of_topic, sink) {
            return;
        }
        let reading = Reading { route: self, captures, all };
        let payload = match payload {
            Ok(payload) => payload,
            Err(why) => return reading.all_wrong(why, sink),
        };
        if self.form == Form::Bytes {
            return reading.say(&of_topic, payload, sink);
        }
        let Ok(text) = std::str::from_utf8(payload) else {
            return reading.all_wrong(Unreadable::NotText, sink);
        };
        match &self.form {
            Form::Csv { separator, header } => reading.table(&Table::read(text, *separator), *header, sink),
            _ => reading.json(text, sink),
        }
    }

    /// Whether the topic alone says that a message is of nobody; then it is told.
    fn leads_nowhere(&self, scope: &Scope<'_>, sink: &mut Sink<'_>) -> bool {
        let quantity = self.quantity.as_ref().filter(|spot| spot.is_of_the_topic());
        let quantity = quantity.and_then(|spot| scope.text(spot));
        let unknown = quantity.as_ref().is_some_and(|key| !self.by_key.contains_key(&**key));
        match &self.asset {
            Whose::Said { spot, .. } if spot.is_of_the_topic() => {
                let Some(text) = scope.text(spot) else { return false };
                if !unknown && self.number(&text).is_some() {
                    return false;
                }
                sink(Said::Unknown { asset: &text, quantity: quantity.as_deref() });
                true
            }
            Whose::Fixed(number) if unknown => {
                let asset = self.assets.get(*number).map_or("", Name::as_str);
                sink(Said::Unknown { asset, quantity: quantity.as_deref() });
                true
            }
            _ => false,
        }
    }

    /// The asset a text stands for.
    fn number(&self, text: &str) -> Option<usize> {
        let Whose::Said { names, is_folded, .. } = &self.asset else { return None };
        if *is_folded && text.chars().any(char::is_uppercase) {
            return names.get(&text.to_lowercase()).copied();
        }
        names.get(text).copied()
    }
}

/// Whom messages are of, by numbers among `assets`.
fn whose(
    topic: &Topic,
    assets: &[Name],
    spot: &mut impl FnMut(&Where) -> Result<Spot, MappingError>,
) -> Result<Whose, MappingError> {
    let number = |name: &Name| assets.binary_search(name).ok();
    match &topic.asset {
        AssetFrom::Fixed(name) => Ok(Whose::Fixed(number(name).unwrap_or(usize::MAX))),
        AssetFrom::Said { place, names } => {
            let listed = names.iter().filter_map(|(text, name)| Some((text.clone(), number(name)?)));
            let own = assets.iter().enumerate().map(|(number, name)| (name.to_string(), number));
            let table = if names.is_empty() { own.collect() } else { listed.collect() };
            Ok(Whose::Said { spot: spot(place)?, names: table, is_folded: !names.is_empty() })
        }
    }
}

/// All assets of a topic's values, each once, in order; also those without a value, so that a number
/// can be found for each name.
fn assets_of(topic: &Topic) -> Vec<Name> {
    let fixed = match &topic.asset {
        AssetFrom::Fixed(name) => Some(name.clone()),
        AssetFrom::Said { .. } => None,
    };
    let mut assets: Vec<Name> =
        topic.values.iter().flat_map(|value| value.assets.iter().cloned()).chain(fixed).collect();
    assets.sort();
    assets.dedup();
    assets
}

/// One message being read.
struct Reading<'r> {
    route: &'r Route,
    captures: &'r [&'r str],
    all: bool,
}

impl Reading<'_> {
    /// JSON, or a bare text where nothing is looked for in it.
    fn json(&self, text: &str, sink: &mut Sink<'_>) {
        let wanted = &self.route.wanted;
        let of_topic = Scope::of_topic(self.captures);
        if wanted.message.is_empty() && self.route.each.is_none() {
            return self.say(&Scope { whole: Found::Bare(text), ..of_topic }, &[], sink);
        }
        let Ok(message) = wanted.message.find(text) else {
            return self.all_wrong(Unreadable::NotJson, sink);
        };
        let scope = Scope { message: &message, whole: Found::Bare(text), ..of_topic };
        let Some(each) = &self.route.each else { return self.say(&scope, &[], sink) };
        let items = match scope.found(each) {
            Some(Found::Json(items)) => json::members(items, ITEMS_MAX),
            _ => None,
        };
        let Some((items, more)) = items else {
            // A message of another kind has no items either.
            if self.is_meant(&scope) {
                self.all_wrong(Unreadable::NoItems, sink);
            }
            return;
        };
        for (key, item) in &items {
            let found = if wanted.item.is_empty() { Ok(Vec::new()) } else { wanted.item.find(item) };
            let found = found.unwrap_or_default();
            self.say(&Scope { key, item: &found, whole: Found::Json(item), ..scope }, &[], sink);
        }
        if more {
            sink(Said::Unreadable(Unreadable::TooManyItems));
        }
    }

    fn table(&self, table: &Table, header: bool, sink: &mut Sink<'_>) {
        let mut lines = table.lines();
        let names = if header { lines.next().unwrap_or_default() } else { Vec::new() };
        let place = |name: &String| names.iter().position(|cell| cell.trim() == name);
        let columns: Vec<Option<usize>> = self.route.wanted.columns.iter().map(place).collect();
        let mut any = false;
        for cells in lines.take(ITEMS_MAX) {
            any = true;
            let of_topic = Scope::of_topic(self.captures);
            self.say(&Scope { cells: &cells, columns: &columns, ..of_topic }, &[], sink);
        }
        if table.is_cut {
            sink(Said::Unreadable(Unreadable::TooManyItems));
        } else if !any {
            self.all_wrong(Unreadable::NoItems, sink);
        }
    }

    /// Nothing of the message can be read: said for all it was meant for, as far as the topic tells.
    fn all_wrong(&self, why: Unreadable, sink: &mut Sink<'_>) {
        let route = self.route;
        let scope = Scope::of_topic(self.captures);
        let text;
        let asset = match &route.asset {
            Whose::Fixed(number) => Ok(*number),
            Whose::Said { spot, .. } if spot.is_of_the_topic() => {
                text = scope.text(spot).unwrap_or_default();
                route.number(&text).ok_or(&*text)
            }
            Whose::Said { .. } => return sink(Said::Unreadable(why)),
        };
        let key = route.quantity.as_ref().filter(|spot| spot.is_of_the_topic());
        let key = key.and_then(|spot| scope.text(spot));
        let chosen = match key {
            Some(key) => route.by_key.get(&*key).unwrap_or(&route.all),
            None => &route.all,
        };
        for value in chosen {
            sink(Said::Value { asset, value: *value, at: None, raw: Err(why.fault()), why: Some(why) });
        }
    }

    /// Whether the texts stand there that have to.
    fn is_meant(&self, scope: &Scope<'_>) -> bool {
        self.route.only_if.iter().all(|(spot, text)| scope.text(spot).as_deref() == Some(text))
    }

    /// What one message or item says.
    fn say(&self, scope: &Scope<'_>, payload: &[u8], sink: &mut Sink<'_>) {
        let route = self.route;
        if !self.is_meant(scope) {
            return;
        }
        let key = route.quantity.as_ref().map(|spot| scope.text(spot));
        let text;
        let asset = match &route.asset {
            Whose::Fixed(number) => Ok(*number),
            Whose::Said { spot, .. } => {
                let Some(said) = scope.text(spot) else { return sink(Said::Unreadable(Unreadable::NoAsset)) };
                text = said;
                route.number(&text).ok_or(&*text)
            }
        };
        let named = |asset: Result<usize, &str>| match asset {
            Ok(number) => route.assets.get(number).map_or("", Name::as_str).to_owned(),
            Err(text) => text.to_owned(),
        };
        let chosen = match &key {
            None => &route.all,
            Some(None) => return sink(Said::Unreadable(Unreadable::NoQuantity)),
            Some(Some(key)) => match route.by_key.get(&**key) {
                Some(chosen) => chosen,
                None => return sink(Said::Unknown { asset: &named(asset), quantity: Some(key) }),
            },
        };
        if let (Err(text), false) = (asset, self.all) {
            return sink(Said::Unknown { asset: text, quantity: key.flatten().as_deref() });
        }
        self.values(scope, payload, asset, chosen, sink);
    }

    fn values(
        &self,
        scope: &Scope<'_>,
        payload: &[u8],
        asset: Result<usize, &str>,
        chosen: &[usize],
        sink: &mut Sink<'_>,
    ) {
        let route = self.route;
        let (at, untimed) = match route.time.as_ref().map(|time| moment(scope, time)) {
            None => (None, None),
            Some(Ok(at)) => (Some(at), None),
            Some(Err(why)) => (None, Some(why)),
        };
        let verdict = route.quality.as_ref().map_or(Verdict::Good, |(spot, words)| {
            let word = scope.text(spot).unwrap_or_default();
            words.get(&*word).copied().unwrap_or(Verdict::Uncertain)
        });
        let bytes = self.bytes(scope, payload);
        for number in chosen {
            let Some(value) = route.values.get(*number) else { continue };
            let read = match verdict {
                Verdict::Bad(means) => Ok(Err(fault(means))),
                _ => self.value(scope, value, &bytes),
            };
            let (raw, why) = match read {
                Err(why) if value.is_optional && why.is_absence() => continue,
                Err(why) => (Err(why.fault()), Some(why)),
                Ok(Err(fault)) => (Err(fault), None),
                Ok(Ok(raw)) if verdict == Verdict::Uncertain || untimed.is_some() => {
                    (Ok(Raw::Doubted(Box::new(raw))), untimed)
                }
                Ok(Ok(raw)) => (Ok(raw), None),
            };
            sink(Said::Value { asset, value: *number, at, raw, why });
        }
    }

    /// The bytes values are taken from.
    fn bytes<'b>(&self, scope: &Scope<'_>, payload: &'b [u8]) -> Result<Cow<'b, [u8]>, Unreadable> {
        let Some((spot, written)) = &self.route.bytes else { return Ok(Cow::Borrowed(payload)) };
        let text = scope.text(spot).ok_or(Unreadable::NoMember)?;
        bytes::unwritten(&text, *written).map(Cow::Owned)
    }

    fn value(
        &self,
        scope: &Scope<'_>,
        value: &Value,
        bytes: &Result<Cow<'_, [u8]>, Unreadable>,
    ) -> Result<Result<Raw, Fault>, Unreadable> {
        let read = if let Some(cell) = &value.cell {
            let bytes = bytes.as_ref().map_err(|why| *why)?;
            let records = bytes::records(bytes, &self.route.records);
            let from = match &cell.record {
                None => bytes,
                Some(mark) => {
                    let record = records.iter().find(|(known, _)| known == mark);
                    record.map(|(_, content)| *content).ok_or(Unreadable::NoRecord)?
                }
            };
            bytes::value(from, cell, &self.route.zone)?.and_then(|raw| value.rule.raw(raw))
        } else {
            let missing = match &value.spot {
                Spot::Column(_) | Spot::Named(_) => Unreadable::NoColumn,
                _ => Unreadable::NoMember,
            };
            value.rule.read(scope.found(&value.spot).ok_or(missing)?)?
        };
        let (Some(spot), Ok(raw)) = (&self.route.unit, &read) else { return Ok(read) };
        let written = scope.text(spot).ok_or(Unreadable::NoUnit)?;
        unit::converted(raw.clone(), &written, value.unit).map(Ok)
    }
}

fn moment(
    scope: &Scope<'_>,
    (spot, format, zone): &(Spot, TimeFormat, TimeZone),
) -> Result<UtcMs, Unreadable> {
    let text = scope.text(spot).filter(|text| !text.is_empty()).ok_or(Unreadable::NoTime)?;
    time::read(&text, format, zone)
}
