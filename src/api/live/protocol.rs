//! The messages of `/api/v1/live` and the session that answers them. Pure: what the client said
//! and the values now go in, messages go out.
//!
//! Numbers and times are bare, changes are flat pairs of place and value, their times and qualities runs: at 5,000
//! points that is a twelfth of the same as objects, and no bigger than a binary encoding once compressed.

use super::feeds::{Feed, Feeds};
use crate::api::plant::Plant;
use crate::api::wire::{push, write_text, write_value};
use crate::clock::{Mono, Now};
use crate::db::Event;
use crate::historian::Texts;
use crate::point::{PointId, Quality, Reason, Severity};
use crate::readings::{Current, CurrentValue};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The version of the protocol this server speaks.
pub const VERSION: u32 = 2;
/// Subscriptions of one connection.
pub const SUBSCRIPTIONS_MAX: usize = 64;
/// Points of all subscriptions of one connection together.
pub const POINTS_MAX: usize = 5_000;
/// The shortest interval between two messages of one subscription, in milliseconds.
pub const MIN_MS_MIN: u32 = 100;
/// The longest, in milliseconds.
pub const MIN_MS_MAX: u32 = 60_000;
/// The interval of who does not ask for another, in milliseconds.
pub const MIN_MS_DEFAULT: u32 = 1_000;

/// What a client says.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case", deny_unknown_fields)]
pub enum ClientMessage {
    /// The first word: who it talked to before and how far it has heard the events.
    Hello {
        /// Protocol version.
        v: u32,
        /// The process it talked to, if any.
        #[serde(default)]
        epoch: Option<String>,
        /// The last event it has.
        #[serde(default)]
        seq: Option<i64>,
    },
    /// Watch these points under this number; a number in use is replaced.
    Sub {
        /// The client's number for it.
        id: u32,
        /// What to watch.
        points: Selection,
        /// Not more often than this, in milliseconds.
        #[serde(default = "min_ms_default")]
        min_ms: u32,
    },
    /// Stop watching.
    Unsub {
        /// The number given with `sub`.
        id: u32,
    },
    /// The page is hidden or shown.
    Vis {
        /// Whether nobody sees it.
        hidden: bool,
    },
}

fn min_ms_default() -> u32 {
    MIN_MS_DEFAULT
}

/// Points by address, or all (`"*"`).
#[derive(Debug, PartialEq, Eq)]
pub enum Selection {
    /// Every point of the plan.
    All,
    /// These, in this order.
    These(Vec<String>),
}

impl Selection {
    /// From the `points` of a query: `*`, or addresses with commas between them.
    pub fn from_list(text: &str) -> Selection {
        match text {
            "*" => Selection::All,
            list => {
                Selection::These(list.split(',').filter(|one| !one.is_empty()).map(str::to_owned).collect())
            }
        }
    }
}

impl<'de> Deserialize<'de> for Selection {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Selection, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Selection;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"*\" or a list of asset/quantity")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Selection, E> {
                match text {
                    "*" => Ok(Selection::All),
                    other => Err(E::invalid_value(serde::de::Unexpected::Str(other), &self)),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Selection, A::Error> {
                let mut these = Vec::new();
                while let Some(address) = list.next_element()? {
                    these.push(address);
                }
                Ok(Selection::These(these))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

/// Everything a session may look at.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// Now.
    pub now: Now,
    /// Names this process.
    pub epoch: &'a str,
    /// Names the build of the page.
    pub build: &'a str,
    /// The last committed event.
    pub last_seq: i64,
    /// What there is.
    pub plant: &'a Plant,
    /// The values.
    pub current: &'a Current,
    /// The texts.
    pub texts: &'a Texts,
    /// Encodes once for many.
    pub(super) feeds: &'a Feeds,
}

/// The state of one connection.
#[derive(Debug, Default)]
pub struct Session {
    greeted: bool,
    hidden: bool,
    subs: BTreeMap<u32, Sub>,
}

#[derive(Debug)]
struct Sub {
    feed: Arc<Feed>,
    /// The version of the value table the client has.
    since: u64,
    /// The tick it was last served in.
    tick: u64,
}

/// Why a message of the client is refused; it hears it as `err`.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    id: Option<u32>,
    code: &'static str,
    message: String,
}

/// What a client message leads to.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// To send, in this order.
    pub messages: Vec<String>,
    /// After a `hello`: events are due from the one after this on.
    pub events_after: Option<i64>,
}

impl Session {
    /// Whether the client has said hello in a version we speak.
    pub fn is_greeted(&self) -> bool {
        self.greeted
    }

    /// Takes a message in.
    pub fn receive(&mut self, text: &str, world: &World<'_>) -> Answer {
        let message =
            serde_json::from_str(text).map_err(|error| refusal(None, "bad_message", error.to_string()));
        let mut events_after = None;
        let messages = message.and_then(|message| match message {
            ClientMessage::Hello { v, epoch, seq } => {
                let (messages, after) = self.hello(v, epoch.as_deref(), seq, world)?;
                events_after = Some(after);
                Ok(messages)
            }
            _ if !self.greeted => Err(refusal(None, "hello_first", "The first message is hello.".to_owned())),
            ClientMessage::Sub { id, points, min_ms } => {
                Ok(vec![self.subscribe(id, &points, min_ms, world)?])
            }
            ClientMessage::Unsub { id } => {
                self.subs.remove(&id);
                Ok(Vec::new())
            }
            ClientMessage::Vis { hidden } => Ok(self.show(hidden, world)),
        });
        Answer { messages: messages.unwrap_or_else(|refused| vec![refused.encode()]), events_after }
    }

    /// Greets; `epoch` and `seq` are what the client has from before. With another epoch, or
    /// events we never had, what it holds is of another time: it shall drop everything.
    pub fn hello(
        &mut self,
        version: u32,
        epoch: Option<&str>,
        seq: Option<i64>,
        world: &World<'_>,
    ) -> Result<(Vec<String>, i64), Refusal> {
        if version != VERSION {
            let message = format!("This server speaks version {VERSION}, not {version}.");
            return Err(refusal(None, "unsupported_version", message));
        }
        self.greeted = true;
        self.subs.clear();
        let foreign =
            epoch.is_some_and(|epoch| epoch != world.epoch) || seq.is_some_and(|seq| seq > world.last_seq);
        let after = if foreign { world.last_seq } else { seq.unwrap_or(world.last_seq).max(0) };
        let mut messages = vec![encode_hi(world)];
        if foreign {
            messages.push(RESYNC.to_owned());
        }
        Ok((messages, after))
    }

    /// Begins to watch and answers with the snapshot.
    pub fn subscribe(
        &mut self,
        id: u32,
        points: &Selection,
        min_ms: u32,
        world: &World<'_>,
    ) -> Result<String, Refusal> {
        if !(MIN_MS_MIN..=MIN_MS_MAX).contains(&min_ms) {
            let message = format!("min_ms is {min_ms}; it is {MIN_MS_MIN} to {MIN_MS_MAX}.");
            return Err(refusal(Some(id), "bad_min_ms", message));
        }
        let others = self.subs.iter().filter(|(other, _)| **other != id);
        let (count, held) =
            others.fold((0, 0), |(count, held), (_, sub)| (count + 1, held + sub.feed.ids.len()));
        if count >= SUBSCRIPTIONS_MAX {
            let message = format!("One connection has at most {SUBSCRIPTIONS_MAX} subscriptions.");
            return Err(refusal(Some(id), "too_many_subscriptions", message));
        }
        let ids = resolve(id, points, held, world.plant)?;
        let feed = world.feeds.open(ids, min_ms);
        let mut sub = Sub { feed, since: 0, tick: 0 };
        let snapshot = sub.snapshot(id, world);
        self.subs.insert(id, sub);
        Ok(snapshot)
    }

    fn show(&mut self, hidden: bool, world: &World<'_>) -> Vec<String> {
        let shown = self.hidden && !hidden;
        self.hidden = hidden;
        if !shown {
            return Vec::new();
        }
        self.subs.iter_mut().map(|(id, sub)| sub.snapshot(*id, world)).collect()
    }

    /// When [`Session::tick`] has something to look at next.
    pub fn due(&self) -> Option<Mono> {
        let watching = self.subs.values().filter(|_| !self.hidden);
        watching.map(|sub| Mono((sub.tick + 1).saturating_mul(u64::from(sub.feed.min_ms)))).min()
    }

    /// The changes of every subscription whose interval is over.
    pub fn tick(&mut self, world: &World<'_>) -> Vec<String> {
        let hidden = self.hidden;
        let watching = self.subs.iter_mut().filter(|_| !hidden);
        watching.filter_map(|(id, sub)| sub.changes(*id, world)).collect()
    }
}

impl Sub {
    fn snapshot(&mut self, id: u32, world: &World<'_>) -> String {
        // The version first: what changes while we read comes again, and is not missed.
        self.since = world.current.version();
        self.tick = self.feed.tick(world.now.mono.0);
        encode_snapshot(id, &self.feed.ids, world)
    }

    fn changes(&mut self, id: u32, world: &World<'_>) -> Option<String> {
        let tick = self.feed.tick(world.now.mono.0);
        if tick <= self.tick {
            return None;
        }
        self.tick = tick;
        let changes = self.feed.changes(self.since, world);
        self.since = changes.until;
        changes.tail.map(|tail| format!("{{\"t\":\"d\",\"id\":{id}{tail}"))
    }
}

fn resolve(id: u32, points: &Selection, held: usize, plant: &Plant) -> Result<Vec<PointId>, Refusal> {
    let ids: Vec<PointId> = match points {
        Selection::All => plant.points().map(|point| point.id).collect(),
        Selection::These(list) => {
            let known = list.iter().map(|address| {
                let unknown =
                    || refusal(Some(id), "unknown_point", format!("There is no point {address:?}."));
                plant.find_text(address).map(|point| point.id).ok_or_else(unknown)
            });
            known.collect::<Result<_, _>>()?
        }
    };
    if held + ids.len() > POINTS_MAX {
        let message =
            format!("One connection watches at most {POINTS_MAX} points; this makes {}.", held + ids.len());
        return Err(refusal(Some(id), "too_many_points", message));
    }
    Ok(ids)
}

fn refusal(id: Option<u32>, code: &'static str, mut message: String) -> Refusal {
    if let Some((end, _)) = message.char_indices().nth(MESSAGE_MAX) {
        message.truncate(end);
    }
    Refusal { id, code, message }
}

/// A refusal quotes the client; not more than this many characters.
const MESSAGE_MAX: usize = 300;

/// Drop everything and subscribe again.
const RESYNC: &str = r#"{"t":"resync"}"#;

impl Refusal {
    /// As the client hears it.
    pub fn encode(&self) -> String {
        let mut json = String::from("{\"t\":\"err\",\"id\":");
        match self.id {
            Some(id) => push(&mut json, id),
            None => json.push_str("null"),
        }
        json.push_str(",\"code\":");
        write_text(&mut json, self.code);
        json.push_str(",\"message\":");
        write_text(&mut json, &self.message);
        json.push('}');
        json
    }

    /// The stable word.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// `{"t":"hb","now":ms}`.
pub fn encode_heartbeat(now: Now) -> String {
    format!("{{\"t\":\"hb\",\"now\":{}}}", now.utc.0)
}

fn encode_hi(world: &World<'_>) -> String {
    let mut json = String::from("{\"t\":\"hi\",\"epoch\":");
    write_text(&mut json, world.epoch);
    json.push_str(",\"now\":");
    push(&mut json, world.now.utc.0);
    json.push_str(",\"seq\":");
    push(&mut json, world.last_seq);
    json.push_str(",\"tz\":");
    write_text(&mut json, world.plant.zone_name());
    json.push_str(",\"build\":");
    write_text(&mut json, world.build);
    json.push('}');
    json
}

/// `{"t":"ev",...}`.
pub fn encode_event(event: &Event) -> String {
    let mut json = String::from("{\"t\":\"ev\",\"seq\":");
    push(&mut json, event.seq);
    json.push_str(",\"at\":");
    push(&mut json, event.at.0);
    json.push_str(",\"kind\":");
    write_text(&mut json, &event.kind);
    json.push_str(",\"subject\":");
    write_text(&mut json, &event.subject);
    json.push_str(",\"body\":");
    push(&mut json, &event.body);
    json.push('}');
    json
}

fn encode_snapshot(id: u32, ids: &[PointId], world: &World<'_>) -> String {
    let values = world.current.many(ids);
    let mut json = String::with_capacity(64 + ids.len() * 64);
    json.push_str("{\"t\":\"snap\",\"id\":");
    push(&mut json, id);
    json.push_str(",\"now\":");
    push(&mut json, world.now.utc.0);
    list(&mut json, "points", ids, |json, id| match world.plant.get(*id) {
        Some(point) => push(json, format_args!("\"{}\"", point.plan.address)),
        None => json.push_str("null"),
    });
    list(&mut json, "v", &values, |json, value| {
        write_value(json, value.and_then(|value| value.reading.value), world.texts);
    });
    list(&mut json, "q", &values, |json, value| push(json, severity(quality(value.as_ref()))));
    list(&mut json, "r", &values, |json, value| write_reason(json, quality(value.as_ref())));
    list(&mut json, "at", &values, |json, value| match value {
        Some(value) => push(json, value.reading.at.0),
        None => json.push_str("null"),
    });
    json.push('}');
    json
}

fn list<T>(json: &mut String, name: &str, items: &[T], mut write: impl FnMut(&mut String, &T)) {
    push(json, format_args!(",\"{name}\":["));
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            json.push(',');
        }
        write(json, item);
    }
    json.push(']');
}

/// `,"now":ms,"d":[...],"at":[...],"q":[...]}`: everything behind the number of the subscription.
pub(super) fn encode_changes(changed: &[(usize, CurrentValue)], world: &World<'_>) -> String {
    let mut json = String::with_capacity(64 + changed.len() * 10);
    json.push_str(",\"now\":");
    push(&mut json, world.now.utc.0);
    json.push_str(",\"d\":[");
    let (mut times, mut doubts) = (Runs::default(), Runs::default());
    let mut before = 0;
    for (nth, (place, value)) in changed.iter().enumerate() {
        if nth > 0 {
            json.push(',');
        }
        push(&mut json, place - before);
        before = *place;
        json.push(',');
        write_value(&mut json, value.reading.value, world.texts);
        times.add(value.reading.at.since_ms(world.now.utc));
        doubts.add(value.reading.quality);
    }
    json.push(']');
    list(&mut json, "at", &times.0, |json, (age, count)| push(json, format_args!("{age},{count}")));
    list(&mut json, "q", &doubts.0, |json, (quality, count)| {
        push(json, format_args!("{},", severity(*quality)));
        write_reason(json, *quality);
        push(json, format_args!(",{count}"));
    });
    json.push('}');
    json
}

/// The same thing so many times in a row: what a device says in one answer has one time, and mostly one quality.
#[derive(Default)]
struct Runs<T>(Vec<(T, usize)>);

impl<T: PartialEq> Runs<T> {
    fn add(&mut self, next: T) {
        match self.0.last_mut() {
            Some((last, count)) if *last == next => *count += 1,
            _ => self.0.push((next, 1)),
        }
    }
}

/// A point nobody wrote yet waits for its first value.
fn quality(value: Option<&CurrentValue>) -> Quality {
    value.map_or(Quality::Bad(Reason::Initial), |value| value.reading.quality)
}

fn severity(quality: Quality) -> u8 {
    match quality.severity() {
        Severity::Good => 0,
        Severity::Uncertain => 1,
        Severity::Bad => 2,
    }
}

fn write_reason(json: &mut String, quality: Quality) {
    match quality.reason() {
        Some(reason) => push(json, format_args!("\"{}\"", reason.word())),
        None => json.push_str("null"),
    }
}
