//! Topics of a broker, and the points they feed.
//!
//! A topic in a file names its assets itself; one of a profile is of the devices that name the
//! profile, each by the text its messages have for it.

use super::super::diagnostic::{Code, Problem};
use super::super::leaf::{At, Millis, Spot};
use super::super::source::Place;
use super::super::spec::{self, Text};
use super::super::{
    AssetFrom, ByteCell, ByteSource, Cell, Column, Form, Point, QualityFrom, State, Table, TimeFormat,
    TimeFrom, Topic, TopicValue, limits, topic,
};
use super::Context;
use super::assets::Assets;
use super::conditioning;
use super::register::{Found, bit_choice, formerly, known_asset, sentinel_list, takes};
use crate::point::{Address, Decimal, Name, Names, ValueKind};
use jiff::tz::TimeZone;
use std::collections::BTreeMap;

/// What the topics of a file are resolved with.
pub struct TopicWork<'a> {
    /// The file.
    pub source: usize,
    /// The assets a topic may name; none: any.
    pub assets: Option<&'a Assets>,
    /// Of clocks that do not say theirs.
    pub zone: &'a TimeZone,
    /// The devices a profile's topic is of; none for a topic that names its assets itself.
    pub senders: Option<&'a [Sender<'a>]>,
}

/// A device that sends what a profile explains.
pub struct Sender<'a> {
    /// The asset of its points.
    pub asset: &'a Name,
    /// What its messages call it.
    pub id: String,
    /// Where it is named.
    pub place: Place,
    /// Whether it has a quantity of the profile.
    pub has: Box<dyn Fn(&Name) -> bool + 'a>,
    /// The file, and what it says there.
    pub stale_after: Option<(usize, &'a At<Millis>)>,
}

/// What is the same for all values of a topic.
struct Said {
    form: Form,
    asset: Option<AssetFrom>,
    named: bool,
    bytes: bool,
}

impl TopicWork<'_> {
    fn place<T>(&self, at: &At<T>) -> Place {
        Place { source: self.source, span: at.span() }
    }

    /// The topic as the driver sees it; its points go into the context.
    pub fn resolve(&self, written: &spec::Topic, context: &mut Context<'_>) -> Option<Topic> {
        let form = self.form(written, context);
        let quantity = match &written.quantity_from {
            Some(from) => self.located(written, from, context),
            None => captured(written, "quantity"),
        };
        let asset = self.asset(written, context);
        let bytes = self.byte_source(written, context);
        let said = Said { form, asset, named: quantity.is_some(), bytes: bytes.is_some() };
        if written.values.is_empty() && context.complete {
            let help = "write `[[mqtt.topics.values]]` with a quantity and a unit";
            context.error(Code::Topic, self.place(&written.pattern), "nothing is read from this topic", help);
        }
        let values: Vec<TopicValue> =
            written.values.iter().map(|value| self.value(written, value, &said, context)).collect();
        let resolved = Topic {
            only_if: self.only_if(written, context),
            time: self.time(written, context),
            quality: self.quality(written, context),
            unit: written.unit_from.as_ref().and_then(|from| self.located(written, from, context)),
            pattern: written.pattern.0.clone(),
            form: said.form,
            asset: said.asset?,
            quantity,
            bytes: bytes.unwrap_or_default(),
            values,
        };
        Some(resolved)
    }

    fn form(&self, written: &spec::Topic, context: &mut Context<'_>) -> Form {
        if let (Some(each), Some(csv)) = (&written.each, &written.csv) {
            let help = "`each` is of JSON, `csv` of lines of text: take one of them out";
            let problem = Problem::error(Code::Topic, self.place(each), "the items are said in two ways");
            context.problems.push(problem.note(self.place(csv), "here").help(help));
        }
        if let Some(csv) = &written.csv {
            return Form::Csv {
                separator: csv.separator.as_ref().map_or(b',', |at| self.separator(at, context)),
                header: csv.header.unwrap_or(false),
            };
        }
        if let Some(each) = &written.each {
            return Form::Each(each.0.clone());
        }
        let raw = written.bytes.as_ref().is_none_or(|bytes| bytes.from.is_none() && bytes.written.is_none());
        let bytes = written.values.iter().any(|value| value.bytes.is_some());
        if raw && bytes { Form::Bytes } else { Form::Text }
    }

    fn separator(&self, at: &At<String>, context: &mut Context<'_>) -> u8 {
        match at.as_bytes() {
            [one] if one.is_ascii() && !matches!(one, b'"' | b'\r' | b'\n') => *one,
            _ => {
                let help = "one character: \",\", \";\" or \"\\t\"";
                context.error(Code::Topic, self.place(at), "this separates no cells", help);
                b','
            }
        }
    }

    /// Where something stands, as the topic can have it.
    fn located(
        &self,
        written: &spec::Topic,
        at: &At<Spot>,
        context: &mut Context<'_>,
    ) -> Option<topic::Where> {
        let wrong = match (&**at, written.csv.is_some()) {
            (Spot::Captures(text), _) => {
                return Self::captures(written, text, self.place(at), context);
            }
            (Spot::Pointer(pointer), false) => return Some(topic::Where::Pointer(pointer.clone())),
            (Spot::Column(column), true) => {
                return Some(Self::column(written, column, self.place(at), context));
            }
            (Spot::Pointer(_), true) => {
                ("a table of texts has no pointers", "write the number of the column, or its name")
            }
            (Spot::Column(_), false) => (
                "this stands nowhere",
                "a JSON pointer begins with '/'; a capture of the topic is {name}; columns are of `csv`",
            ),
        };
        context.error(Code::Topic, self.place(at), wrong.0, wrong.1);
        None
    }

    fn captures(
        written: &spec::Topic,
        text: &str,
        place: Place,
        context: &mut Context<'_>,
    ) -> Option<topic::Where> {
        let names = text.split('{').skip(1).filter_map(|tail| tail.split_once('}')).map(|(name, _)| name);
        let known = |name: &str| {
            written.pattern.0.capture(name).is_some() || (name == "key" && written.each.is_some())
        };
        let unknown = names.into_iter().find(|name| !known(name));
        if let Some(name) = unknown {
            let message = format!("the topic has no {{{name}}}");
            let help = "a capture stands in `topic`; {key} is the name of a member of `each`";
            context.error(Code::Topic, place, message, help);
            return None;
        }
        Some(topic::Where::Captures(text.to_owned()))
    }

    fn column(
        written: &spec::Topic,
        column: &Column,
        place: Place,
        context: &mut Context<'_>,
    ) -> topic::Where {
        let header = written.csv.as_ref().and_then(|csv| csv.header).unwrap_or(false);
        if matches!(column, Column::Named(_)) && !header {
            let help = "write csv = { header = true } if the first line names the columns, or the number of the column";
            context.error(Code::Topic, place, "the columns of this table have no names", help);
        }
        topic::Where::Column(column.clone())
    }

    /// Whom the messages are of; none where that is not said, which is told beside each value.
    fn asset(&self, written: &spec::Topic, context: &mut Context<'_>) -> Option<AssetFrom> {
        let place = match &written.asset_from {
            Some(from) => Some(self.located(written, from, context)?),
            None => captured(written, "asset"),
        };
        if let Some(senders) = self.senders {
            return self.asset_of(written, place, senders, context);
        }
        if let Some(asset) = &written.asset {
            self.known(asset, self.place(asset), context);
        }
        if let (Some(from), Some(_)) = (&written.asset_from, &written.asset) {
            let help = "take `asset` out, or `asset_from`";
            context.error(Code::Topic, self.place(from), "the asset is said in two ways", help);
        }
        let mut names = BTreeMap::new();
        for (text, asset) in written.assets.iter().flat_map(|assets| assets.iter()) {
            self.known(asset, self.place(asset), context);
            if names.insert(text.to_lowercase(), (**asset).clone()).is_some() {
                let help = "small and capital letters are the same here: take one of them out";
                context.error(Code::Topic, self.place(asset), format!("{text:?} is named twice"), help);
            }
        }
        match (&written.asset, place) {
            (Some(asset), _) => Some(AssetFrom::Fixed((**asset).clone())),
            (None, Some(place)) => Some(AssetFrom::Said { place, names }),
            (None, None) => None,
        }
    }

    /// Of a profile: the devices by the texts their messages have for them.
    fn asset_of(
        &self,
        written: &spec::Topic,
        place: Option<topic::Where>,
        senders: &[Sender<'_>],
        context: &mut Context<'_>,
    ) -> Option<AssetFrom> {
        if let Some(asset) = &written.asset {
            let help = "a profile serves many devices: write {asset} in its topic, or `asset_from`";
            context.error(Code::Misplaced, self.place(asset), "a profile names no asset", help);
        }
        let Some(place) = place else {
            // Told apart by a topic of their own, or not at all.
            if let [sender] = senders {
                return Some(AssetFrom::Fixed(sender.asset.clone()));
            }
            let message = "nothing in these messages tells the devices of this profile apart";
            let help = "write {asset} in the topic of the profile, or `asset_from`; or give each device a `topic` of its own";
            context.error(Code::Topic, self.place(&written.pattern), message, help);
            return None;
        };
        let mut names = BTreeMap::new();
        for sender in senders {
            if names.insert(sender.id.to_lowercase(), sender.asset.clone()).is_some() {
                let message = format!("two devices of this profile are called {:?}", sender.id);
                let help = "give each the `id` its messages have for it";
                context.error(Code::Duplicate, sender.place.clone(), message, help);
            }
        }
        Some(AssetFrom::Said { place, names })
    }

    fn known(&self, asset: &Name, place: Place, context: &mut Context<'_>) {
        if let Some(assets) = self.assets {
            known_asset(assets, asset, place, context);
        }
    }

    fn only_if(&self, written: &spec::Topic, context: &mut Context<'_>) -> Vec<(topic::Where, String)> {
        use super::super::leaf::Leaf;
        let mut list = Vec::new();
        for (place, text) in written.only_if.iter().flat_map(|only_if| only_if.iter()) {
            match Spot::parse(place) {
                Ok(spot) => {
                    let place = self.located(written, &At::new(spot, text.span()), context);
                    list.extend(place.map(|place| (place, (**text).clone())));
                }
                Err(wrong) => {
                    let message = format!("{place:?} {}", wrong.message);
                    context.error(wrong.code, self.place(text), message, &wrong.help);
                }
            }
        }
        list
    }

    fn time(&self, written: &spec::Topic, context: &mut Context<'_>) -> Option<TimeFrom> {
        let time = written.time.as_ref()?;
        Some(TimeFrom {
            place: self.located(written, &time.from, context)?,
            format: time.format.as_ref().map_or(TimeFormat::Rfc3339, |format| format.0.clone()),
            zone: time.zone.as_ref().map_or_else(|| self.zone.clone(), |zone| zone.0.clone()),
        })
    }

    fn quality(&self, written: &spec::Topic, context: &mut Context<'_>) -> Option<QualityFrom> {
        let quality = written.quality.as_ref()?;
        let words = quality.words.iter().map(|(word, verdict)| (word.clone(), (**verdict).into()));
        Some(QualityFrom { place: self.located(written, &quality.from, context)?, words: words.collect() })
    }

    fn byte_source(&self, written: &spec::Topic, context: &mut Context<'_>) -> Option<ByteSource> {
        let bytes = written.bytes.as_ref()?;
        let from = match (&bytes.from, bytes.written) {
            (Some(from), Some(how)) => Some((self.located(written, from, context)?, how.into())),
            (None, Some(how)) => Some((topic::Where::Whole, how.into())),
            (None, None) => None,
            (Some(from), None) => {
                let help = "write written = \"base64\" or written = \"hex\"";
                context.error(
                    Code::Topic,
                    self.place(from),
                    "it is not said how the bytes are written",
                    help,
                );
                None
            }
        };
        let mut records = BTreeMap::new();
        for (mark, count) in bytes.records.iter().flat_map(|records| records.iter()) {
            use super::super::leaf::{Hex, Leaf};
            match Hex::parse(mark) {
                Ok(mark) => drop(records.insert(mark.0, **count)),
                Err(wrong) => {
                    let message = format!("{mark:?} {}", wrong.message);
                    context.error(wrong.code, self.place(count), message, &wrong.help);
                }
            }
        }
        let lengths: std::collections::BTreeSet<usize> = records.keys().map(Vec::len).collect();
        if let Some(all) = bytes.records.as_ref().filter(|_| lengths.len() > 1) {
            let help = "all marks of a row of records have the same count of bytes";
            context.error(Code::Topic, self.place(all), "the marks are of different lengths", help);
        }
        Some(ByteSource { from, records })
    }

    fn value(
        &self,
        written: &spec::Topic,
        value: &At<spec::TopicValue>,
        said: &Said,
        context: &mut Context<'_>,
    ) -> TopicValue {
        let cell = value.bytes.as_ref().and_then(|cell| self.cell(written, cell, context));
        let kind = match &cell {
            Some(cell) => cell_kind(cell),
            None => value.kind.map_or(ValueKind::Decimal, Into::into),
        };
        if let Some(at) = value.key.as_ref().filter(|_| !said.named) {
            let help = "write `quantity_from`, or {quantity} in the topic; otherwise take `key` out";
            context.error(
                Code::Topic,
                self.place(at),
                "messages of this topic do not say which value they have",
                help,
            );
        }
        if let (Some(_), Some(scale)) = (&written.unit_from, &value.scale) {
            let help = "the unit of the message says how to scale: take `scale` out";
            context.error(Code::Misplaced, self.place(scale), "the number is scaled in two ways", help);
        }
        let words = self.words(value, kind, context);
        let states = self.states(value, &words, kind, context);
        let stale_after_ms = self.stale_after_ms(written, None, context);
        let assets = self.assets_of(written, value, said, context);
        for (index, asset) in assets.iter().enumerate() {
            let address = Address { asset: asset.clone(), quantity: (*value.quantity).clone() };
            let sender = self.senders.and_then(|all| all.iter().find(|sender| sender.asset == asset));
            let own = sender.filter(|sender| sender.stale_after.is_some());
            let stale_after_ms =
                own.map_or(stale_after_ms, |_| self.stale_after_ms(written, sender, context));
            let place = sender.map_or_else(|| self.place(&value.quantity), |sender| sender.place.clone());
            let point = Point {
                states: states.clone(),
                ..self.point(address, value, kind, stale_after_ms, context, index == 0)
            };
            context.add_point(point, place, stale_after_ms);
        }
        TopicValue {
            quantity: (*value.quantity).clone(),
            assets,
            key: said.named.then(|| {
                value.key.as_ref().map_or_else(|| value.quantity.to_string(), |key| (**key).clone())
            }),
            place: self.value_place(written, value, said, context),
            cell,
            kind,
            unit: value.unit,
            words,
            sentinels: self.sentinels(value, context),
            optional: value.optional.unwrap_or(false),
        }
    }

    fn stale_after_ms(
        &self,
        written: &spec::Topic,
        sender: Option<&Sender<'_>>,
        context: &mut Context<'_>,
    ) -> u64 {
        let own = sender.and_then(|sender| sender.stale_after);
        let (source, at) = match own {
            Some((source, at)) => (source, Some(at)),
            None => (self.source, written.stale_after.as_ref()),
        };
        context.millis(source, at, limits::STALE_AFTER_MS, limits::STALE_AFTER_DEFAULT_MQTT_MS)
    }

    /// The assets a value is for: of its devices, of the texts that name them, or the topic's own.
    fn assets_of(
        &self,
        written: &spec::Topic,
        value: &spec::TopicValue,
        said: &Said,
        context: &mut Context<'_>,
    ) -> Vec<Name> {
        for asset in &value.assets {
            self.known(asset, self.place(asset), context);
        }
        if let Some(senders) = self.senders {
            for asset in value.assets.iter().take(1) {
                let help = "a profile serves many devices: take `assets` out";
                context.error(Code::Misplaced, self.place(asset), "a profile names no asset", help);
            }
            let has = senders.iter().filter(|sender| (sender.has)(&value.quantity));
            return has.map(|sender| sender.asset.clone()).collect();
        }
        let named: Vec<Name> = match &said.asset {
            Some(AssetFrom::Said { names, .. }) => {
                let mut all: Vec<Name> = names.values().cloned().collect();
                all.sort();
                all.dedup();
                all
            }
            _ => Vec::new(),
        };
        let own: Vec<Name> = value.assets.iter().map(|at| (**at).clone()).collect();
        let captured = written.pattern.0.capture("asset").is_some() && written.asset_from.is_none();
        let wrong = match &said.asset {
            Some(AssetFrom::Fixed(_)) if captured => {
                Some(("the topic names the asset already", "take `asset` or {asset} out"))
            }
            Some(AssetFrom::Fixed(_)) if !own.is_empty() => {
                Some(("the topic has no {asset} for these to stand in for", "take `assets` out"))
            }
            Some(AssetFrom::Said { .. }) if own.is_empty() && named.is_empty() && context.complete => Some((
                "it is not said which assets {asset} stands for",
                "write `assets = [\"ward-3a\"]` beside the quantity",
            )),
            None if written.asset_from.is_none() => Some((
                "it is not said which asset this topic is of",
                "write `asset = \"...\"`, or {asset} in the topic",
            )),
            _ => None,
        };
        if let Some((message, help)) = wrong {
            context.error(Code::Topic, self.place(&value.quantity), message, help);
        }
        match &said.asset {
            Some(AssetFrom::Fixed(asset)) => vec![asset.clone()],
            Some(AssetFrom::Said { .. }) if own.is_empty() => named,
            _ => own,
        }
    }

    fn point(
        &self,
        address: Address,
        value: &spec::TopicValue,
        kind: ValueKind,
        stale_after_ms: u64,
        context: &mut Context<'_>,
        first: bool,
    ) -> Point {
        // What is wrong with a value is said once, whoever else has it.
        let before = context.problems.len();
        let (none, source) = (Assets::default(), self.source);
        let (scale, range) =
            (context.scale(source, value.scale.as_ref()), context.range(source, value.range.as_ref()));
        let said = conditioning::Said {
            raw_unit: value.raw_unit.as_ref().map(|value| Found { source, value }),
            clamp: value.clamp.as_ref().map(|value| Found { source, value }),
            counter: value.counter.as_ref().map(|value| Found { source, value }),
            checks: value.checks.as_ref().map(|value| Found { source, value }),
            report: value.report.as_ref().map(|value| Found { source, value }),
        };
        let signal = conditioning::Signal {
            kind,
            unit: value.unit,
            scale,
            range,
            has_states: value.states.is_some() || value.words.is_some(),
            is_count: true,
            most: None,
            interval_ms: None,
        };
        let (kind, conditioning) = conditioning::resolve(&said, &signal, context);
        let point = Point {
            formerly: formerly(self.assets.unwrap_or(&none), &address, &value.formerly),
            name: Text::names(value.name.as_ref(), &value.quantity),
            unit: value.unit,
            kind,
            scale,
            offset: value.offset.unwrap_or(Decimal::ZERO),
            range,
            stale_after_ms,
            decimals: value.decimals.unwrap_or(2),
            states: Vec::new(),
            conditioning,
            address,
        };
        if !first {
            context.problems.truncate(before);
        }
        point
    }

    fn value_place(
        &self,
        written: &spec::Topic,
        value: &At<spec::TopicValue>,
        said: &Said,
        context: &mut Context<'_>,
    ) -> topic::Where {
        let is_table = matches!(said.form, Form::Csv { .. });
        let wrong = match (&value.pointer, &value.column, &value.bytes) {
            (Some(at), None, None) if !is_table && said.form != Form::Bytes => {
                return topic::Where::Pointer(at.0.clone());
            }
            (None, Some(at), None) if is_table => {
                return Self::column(written, at, self.place(at), context);
            }
            (None, None, None) if !is_table && said.form != Form::Bytes => return topic::Where::Whole,
            (None, None, Some(_)) if said.bytes || said.form == Form::Bytes => return topic::Where::Whole,
            (None, None, Some(at)) => (
                self.place(at),
                "it is not said where these bytes are",
                "write `bytes = { from = ..., written = ... }` beside the topic",
            ),
            (Some(at), None, Some(_)) => (
                self.place(at),
                "the bytes of a topic stand in one place",
                "write it as `from` of the topic's `bytes`",
            ),
            (Some(at), _, _) => {
                (self.place(at), "there is no JSON here", "this is a table, or bytes: take `pointer` out")
            }
            (_, Some(at), _) => {
                (self.place(at), "there are no columns here", "columns are of topics with `csv`")
            }
            (None, None, None) => {
                let help = "write `column` or `bytes` beside the quantity";
                (self.place(&value.quantity), "it is not said where this value stands", help)
            }
        };
        context.error(Code::Topic, wrong.0, wrong.1, wrong.2);
        topic::Where::Whole
    }

    fn cell(
        &self,
        written: &spec::Topic,
        at: &At<spec::ByteCell>,
        context: &mut Context<'_>,
    ) -> Option<ByteCell> {
        let records = written.bytes.as_ref().and_then(|bytes| bytes.records.as_ref());
        let order = at.order.as_ref().map_or_else(Default::default, |order| **order);
        let mut cell = Cell { order, ..Cell::new(Table::Holding, 0, *at.encoding) };
        if let Some(order) = &at.order {
            takes(cell, self.place(order), context);
        }
        cell.bits = bit_choice(at.bit.as_ref(), at.bits.as_ref(), cell.encoding, self.source, context);
        let resolved = ByteCell {
            at: usize::try_from(at.at.unwrap_or(0)).ok()?,
            record: at.record.as_ref().map(|mark| mark.0.clone()),
            encoding: cell.encoding,
            order,
            bits: cell.bits,
        };
        if let Some(mark) = &at.record {
            use super::super::leaf::{Hex, Leaf};
            let listed = records.into_iter().flat_map(|records| records.iter());
            let room = listed.filter_map(|(text, count)| Some((Hex::parse(text).ok()?.0, **count)));
            let room =
                room.into_iter().find(|(known, _)| *known == mark.0).map(|(_, count)| usize::from(count));
            let wrong = match room {
                None => Some("there is no record with this mark"),
                Some(room) if resolved.at + resolved.bytes() > room => {
                    Some("the value ends beyond its record")
                }
                Some(_) => None,
            };
            if let Some(message) = wrong {
                let help =
                    "write the mark and the count of bytes behind it into `records` of the topic's `bytes`";
                context.error(Code::Topic, self.place(mark), message, help);
            }
        }
        Some(resolved)
    }

    fn words(
        &self,
        value: &spec::TopicValue,
        kind: ValueKind,
        context: &mut Context<'_>,
    ) -> BTreeMap<String, i64> {
        let Some(words) = &value.words else { return BTreeMap::new() };
        if kind == ValueKind::Text {
            let help = "take `words` out, or `type = \"text\"`";
            context.error(Code::Misplaced, self.place(words), "a text stands for itself", help);
        }
        for number in words.values().filter(|number| kind == ValueKind::Bool && !matches!(***number, 0 | 1)) {
            let help = "a flag is 0 or 1; states are numbers: leave `type` out";
            context.error(Code::States, self.place(number), format!("a flag is never {}", **number), help);
        }
        words.iter().map(|(word, number)| (word.clone(), **number)).collect()
    }

    /// The names of numbers: those that are written, else the words that stand for them.
    fn states(
        &self,
        value: &spec::TopicValue,
        words: &BTreeMap<String, i64>,
        kind: ValueKind,
        context: &mut Context<'_>,
    ) -> Vec<State> {
        let mut list: Vec<State> = Vec::new();
        for at in value.states.iter().flatten() {
            if list.iter().any(|other| other.value == at.value) {
                let message = format!("the state {} is named twice", at.value);
                context.error(Code::States, self.place(at), message, "each number has one name");
            }
            list.push(State { value: at.value, name: Text::names(Some(&at.name), &value.quantity) });
        }
        if !list.is_empty() || kind == ValueKind::Text {
            return list;
        }
        let mut named: BTreeMap<i64, (Option<String>, Option<String>)> = BTreeMap::new();
        for (word, number) in words {
            let (zh, en) = named.entry(*number).or_default();
            let slot = if word.is_ascii() { en } else { zh };
            slot.get_or_insert_with(|| word.clone());
        }
        let state = |(value, (zh, en)): (i64, (Option<String>, Option<String>))| State {
            value,
            name: Names::or_id(zh, en, ""),
        };
        named.into_iter().map(state).collect()
    }

    fn sentinels(&self, value: &spec::TopicValue, context: &mut Context<'_>) -> Vec<super::super::Sentinel> {
        let Some(list) = &value.sentinels else { return Vec::new() };
        let cell = value.bytes.as_ref().map(|cell| *cell.encoding);
        sentinel_list(list, cell, self.source, context)
    }
}

/// A capture of the topic as a place.
fn captured(written: &spec::Topic, name: &str) -> Option<topic::Where> {
    written.pattern.0.capture(name).map(|_| topic::Where::Captures(format!("{{{name}}}")))
}

fn cell_kind(cell: &ByteCell) -> ValueKind {
    use super::super::{Bits, Encoding};
    match (cell.encoding, cell.bits) {
        (Encoding::Text(_), _) => ValueKind::Text,
        (Encoding::Bool, _) | (_, Some(Bits::One(_))) => ValueKind::Bool,
        (encoding, _) if encoding.is_float() => ValueKind::F64,
        _ => ValueKind::Decimal,
    }
}
