//! Derived points: readings reckoned from other readings, as they become current. Pure.
//!
//! Read in this order: [`Settings`] (the formulas by the numbers of the catalogue), [`past`] (what
//! is kept of an input), [`Derived`] (what is reckoned when).
//!
//! An input that speaks makes every formula it is in due, and what they say makes those due that
//! are reckoned from them: the points stand in that order, so one pass is enough. Two values of a
//! point are at least [`DERIVED_PAUSE_MS`] apart; what comes meanwhile counts together. A formula
//! with windows or ages is due by the clock as well, or only by it where it says `every`.
//!
//! A value is as old as its newest input, and never as old as the value before it. Its quality is that
//! of the worst reading it was made of.

mod past;
mod settings;

pub use settings::{Reckoned, Settings};

use super::engine::{SELF, SOURCE_AHEAD_MAX_MS};
use super::points::Points;
use crate::clock::{Mono, Now};
use crate::config::limits::{DERIVED_EVERY_DEFAULT_MS, DERIVED_PAUSE_MS};
use crate::expr::{Datum, Inputs, Number, Outcome, Window};
use crate::point::{Batch, PointId, Quality, Reading, Reason, TextId, UtcMs, Value, ValueKind};
use past::Past;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Gives the word of a number.
pub type Words<'a> = &'a dyn Fn(TextId) -> Option<Arc<str>>;

/// The state of the step.
#[derive(Debug)]
pub struct Derived {
    /// A bit for each point that is an input: nearly all that comes is none, and costs no more
    /// than to see that.
    is_input: Vec<u64>,
    /// Where an input stands in `inputs`.
    places: Points<usize>,
    inputs: Vec<Input>,
    /// Each behind those it is reckoned from.
    nodes: Vec<Node>,
    /// Nodes to be reckoned in this pass.
    due: BTreeSet<usize>,
    /// Nodes that will be due by themselves.
    agenda: BTreeSet<(Mono, usize)>,
    /// Nodes whose silence may have to be said then, each once.
    silences: BTreeSet<(Mono, usize)>,
}

/// A point formulas read.
#[derive(Debug)]
struct Input {
    point: PointId,
    last: Option<Reading>,
    /// The word of its value, if that is one.
    word: Option<(TextId, Arc<str>)>,
    past: Past,
    /// Formulas that read it.
    readers: Vec<usize>,
}

/// A derived point.
#[derive(Debug)]
struct Node {
    settings: Reckoned,
    /// Its inputs by number, with their places.
    inputs: Vec<(PointId, usize)>,
    last: Option<Reading>,
    /// Not before this; what is due earlier waits.
    rested: Mono,
    /// A person's value is in its place: what is reckoned from it is not reckoned from its own.
    held: bool,
    /// Its entry in the agenda.
    at: Option<Mono>,
    /// When it was reckoned last.
    heard: Mono,
    /// Whether it is among the silences.
    listening: bool,
}

impl Derived {
    /// All formulas wait for their inputs since `now`.
    pub fn new(settings: &Settings, now: Now) -> Derived {
        let mut derived = Derived {
            is_input: Vec::new(),
            places: Points::from_iter(None),
            inputs: settings.inputs().map(Input::new).collect(),
            nodes: Vec::new(),
            due: BTreeSet::new(),
            agenda: BTreeSet::new(),
            silences: BTreeSet::new(),
        };
        derived.places =
            derived.inputs.iter().enumerate().map(|(place, input)| (input.point, place)).collect();
        let numbers: Vec<PointId> = derived.inputs.iter().map(|input| input.point).collect();
        for id in numbers {
            let (word, bit) = bit_of(id);
            derived.is_input.resize(derived.is_input.len().max(word + 1), 0);
            if let Some(bits) = derived.is_input.get_mut(word) {
                *bits |= bit;
            }
        }
        for reckoned in &settings.derived {
            derived.add(reckoned, now.mono);
        }
        derived
    }

    fn add(&mut self, reckoned: &Reckoned, now: Mono) {
        let index = self.nodes.len();
        let mut inputs = Vec::new();
        for input in reckoned.formula.inputs() {
            let id = input.facts.point;
            let Some(place) = self.places.get_mut(id).copied() else { continue };
            inputs.push((id, place));
            if let Some(input) = self.inputs.get_mut(place) {
                input.readers.push(index);
            }
        }
        inputs.sort_unstable();
        let node = Node {
            settings: reckoned.clone(),
            inputs,
            last: None,
            rested: now,
            held: false,
            at: None,
            heard: now,
            listening: false,
        };
        self.nodes.push(node);
        self.listen(index);
        // A window may know more than was known before the restart, so it need not wait for long.
        if let Some(every_ms) = reckoned.by_clock_ms() {
            self.plan(index, Some(now.plus_ms(every_ms.min(DERIVED_EVERY_DEFAULT_MS))));
        }
    }

    /// Whether there is nothing to reckon.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// What the history knows, after a restart: the last readings of inputs and derived points, and
    /// those of the windows, each point's in order of time. Until an input speaks again its last
    /// reading counts as Uncertain (stale), as everywhere; a window counts what it held until it
    /// would have been stale, and nothing from then until now.
    pub fn remember(
        &mut self,
        last: impl IntoIterator<Item = Reading>,
        windows: impl IntoIterator<Item = Reading>,
        now: UtcMs,
        words: Words<'_>,
    ) {
        for reading in windows {
            if let Some(input) = self.input(reading.point) {
                input.past.push(reading, now);
            }
        }
        let mut own = BTreeMap::new();
        for reading in last.into_iter().filter(|reading| reading.value.is_some()) {
            own.insert(reading.point, reading);
            if let Some(input) = self.input(reading.point) {
                input.past.push(reading, now);
                let quality = Quality::Uncertain(Reason::Stale);
                input.set(Reading { quality, ..reading }, words);
            }
        }
        for input in &mut self.inputs {
            input.past.break_off(now);
        }
        for node in &mut self.nodes {
            node.last = own.get(&node.settings.point).copied();
        }
    }

    /// Other formulas from now on. One that is still there goes on; a new one, or one that changed,
    /// is reckoned at once from what is known of its points: `newest` gives what is current of a
    /// point, `windows` what the history has of windows that were not kept before. A point of
    /// `anew` means something else than before.
    pub fn replan(
        &mut self,
        settings: &Settings,
        anew: &BTreeSet<PointId>,
        newest: &dyn Fn(PointId) -> Option<Reading>,
        windows: &[Reading],
        now: Now,
        words: Words<'_>,
    ) {
        let before = std::mem::replace(self, Derived::new(settings, now));
        let mut inputs: BTreeMap<PointId, Input> = before
            .inputs
            .into_iter()
            .filter(|input| !anew.contains(&input.point))
            .map(|input| (input.point, input))
            .collect();
        for reading in windows.iter().filter(|reading| !anew.contains(&reading.point)) {
            if let Some(input) = self.input(reading.point) {
                input.past.push(*reading, now.utc);
            }
        }
        for input in &mut self.inputs {
            if let Some(known) = inputs.remove(&input.point) {
                input.go_on(known, now.utc);
                continue;
            }
            let current = newest(input.point).filter(|_| !anew.contains(&input.point));
            if let Some(reading) = current {
                input.past.push(reading, now.utc);
                input.set(reading, words);
            }
        }
        let mut nodes: BTreeMap<PointId, Node> =
            before.nodes.into_iter().map(|node| (node.settings.point, node)).collect();
        for index in 0..self.nodes.len() {
            let Some(node) = self.nodes.get_mut(index) else { continue };
            let point = node.settings.point;
            match nodes.remove(&point).filter(|_| !anew.contains(&point)) {
                Some(known) if known.settings.same(&node.settings) => {
                    let inputs = std::mem::take(&mut node.inputs);
                    let planned = known.at;
                    *node = Node { inputs, at: node.at, listening: node.listening, ..known };
                    self.plan(index, planned);
                }
                known => {
                    node.last = known.and_then(|known| known.last);
                    self.plan(index, Some(now.mono));
                }
            }
        }
    }

    /// A person's value is, or is no longer, in the place of a derived point: what that says itself
    /// is then no input of others.
    pub fn hold(&mut self, point: PointId, held: bool) {
        for node in self.nodes.iter_mut().filter(|node| node.settings.point == point) {
            node.held = held;
        }
    }

    /// Takes what has become current, and gives what follows from it.
    pub fn step(&mut self, batch: &Batch, now: Now, words: Words<'_>) -> Option<Arc<Batch>> {
        for reading in &batch.readings {
            if self.is_input(reading.point) {
                self.take(*reading, now.utc, words);
            }
        }
        if self.due.is_empty() {
            return None;
        }
        let made = self.reckon(now, words);
        envelope(made, batch.at_error_ms, now)
    }

    /// Gives what is due by the clock.
    pub fn tick(&mut self, now: Now, words: Words<'_>) -> Option<Arc<Batch>> {
        while let Some((at, index)) = self.agenda.first().copied().filter(|(at, _)| *at <= now.mono) {
            self.agenda.remove(&(at, index));
            if let Some(node) = self.nodes.get_mut(index) {
                node.at = None;
            }
            self.due.insert(index);
        }
        let mut made = self.reckon(now, words);
        let said = self.hush(now);
        for reading in &said {
            let held = self.nodes.iter().any(|node| node.held && node.settings.point == reading.point);
            if !held && self.is_input(reading.point) {
                self.take(*reading, now.utc, words);
            }
        }
        made.extend(said);
        made.extend(self.reckon(now, words));
        envelope(made, 0, now)
    }

    fn is_input(&self, point: PointId) -> bool {
        let (word, bit) = bit_of(point);
        self.is_input.get(word).is_some_and(|bits| bits & bit != 0)
    }

    fn input(&mut self, point: PointId) -> Option<&mut Input> {
        let place = self.places.get_mut(point).copied()?;
        self.inputs.get_mut(place)
    }

    /// An input has spoken: who reads it is due, unless it goes by the clock alone.
    fn take(&mut self, reading: Reading, now: UtcMs, words: Words<'_>) {
        let Some(place) = self.places.get_mut(reading.point).copied() else { return };
        let Some(input) = self.inputs.get_mut(place) else { return };
        input.past.push(reading, now);
        input.set(reading, words);
        let nodes = &self.nodes;
        let by_points =
            |index: &usize| nodes.get(*index).is_some_and(|node| node.settings.every_ms.is_none());
        self.due.extend(input.readers.iter().copied().filter(by_points));
    }

    /// Reckons what is due, in order, and what becomes due by that.
    fn reckon(&mut self, now: Now, words: Words<'_>) -> Vec<Reading> {
        let mut made = Vec::new();
        while let Some(index) = self.due.pop_first() {
            let Some(node) = self.nodes.get_mut(index) else { continue };
            if now.mono < node.rested {
                let rested = node.rested;
                let earlier = node.at.is_some_and(|at| at <= rested);
                if !earlier {
                    self.plan(index, Some(rested));
                }
                continue;
            }
            let view = View { node, inputs: &self.inputs, now: now.utc, windows: RefCell::default() };
            let reading = view.reading();
            node.last = Some(reading);
            node.rested = now.mono.plus_ms(DERIVED_PAUSE_MS);
            node.heard = now.mono;
            let held = node.held;
            let next = node.settings.by_clock_ms().map(|every_ms| now.mono.plus_ms(every_ms));
            self.plan(index, next);
            self.listen(index);
            made.push(reading);
            if !held && self.is_input(reading.point) {
                self.take(reading, now.utc, words);
            }
        }
        made
    }

    /// The marks of silence of points with a `stale_after` of their own.
    fn hush(&mut self, now: Now) -> Vec<Reading> {
        let mut marks = Vec::new();
        while let Some((at, index)) = self.silences.first().copied().filter(|(at, _)| *at < now.mono) {
            self.silences.remove(&(at, index));
            let Some(node) = self.nodes.get_mut(index) else { continue };
            node.listening = false;
            if node.settings.silent_from(node.heard).is_none_or(|from| from >= now.mono) {
                self.listen(index);
                continue;
            }
            let (value, quality) = match node.last {
                None => (None, Quality::Bad(Reason::Initial)),
                // Bad already: it says nothing more.
                Some(Reading { value: None, .. }) => continue,
                Some(last) => (last.value, Quality::Uncertain(Reason::Stale)),
            };
            let mark = Reading { point: node.settings.point, at: node.after(now.utc), value, quality };
            node.last = Some(mark);
            marks.push(mark);
        }
        marks
    }

    /// Puts a node's entry of the agenda elsewhere.
    fn plan(&mut self, index: usize, at: Option<Mono>) {
        let Some(node) = self.nodes.get_mut(index) else { return };
        if let Some(before) = std::mem::replace(&mut node.at, at) {
            self.agenda.remove(&(before, index));
        }
        self.agenda.extend(at.map(|at| (at, index)));
    }

    /// Watches for its silence since it was heard; what is heard meanwhile puts it off when it comes up.
    fn listen(&mut self, index: usize) {
        let Some(node) = self.nodes.get_mut(index).filter(|node| !node.listening) else { return };
        let Some(from) = node.settings.silent_from(node.heard) else { return };
        node.listening = true;
        self.silences.insert((from, index));
    }
}

fn bit_of(point: PointId) -> (usize, u64) {
    let id = usize::try_from(point.0).unwrap_or(usize::MAX);
    (id / 64, 1 << (id % 64))
}

fn envelope(readings: Vec<Reading>, at_error_ms: u32, now: Now) -> Option<Arc<Batch>> {
    let batch = Batch { device: SELF.into(), source_at: None, received_at: now.utc, at_error_ms, readings };
    (!batch.readings.is_empty()).then(|| Arc::new(batch))
}

impl Input {
    fn new(settings: settings::InputSettings) -> Input {
        Input {
            point: settings.point,
            last: None,
            word: None,
            past: Past::new(&settings),
            readers: Vec::new(),
        }
    }

    /// With the state of the same input of other formulas.
    fn go_on(&mut self, known: Input, now: UtcMs) {
        (self.last, self.word) = (known.last, known.word);
        self.past.go_on(known.past, now);
    }

    fn set(&mut self, reading: Reading, words: Words<'_>) {
        self.last = Some(reading);
        match reading.value {
            Some(Value::Text(id)) => {
                if self.word.as_ref().is_none_or(|(known, _)| *known != id) {
                    self.word = words(id).map(|word| (id, word));
                }
            }
            _ => self.word = None,
        }
    }
}

impl Node {
    /// Behind the last value, unless a clock was set back.
    fn after(&self, at: UtcMs) -> UtcMs {
        match self.last {
            Some(last) if (0..SOURCE_AHEAD_MAX_MS).contains(&last.at.since_ms(at)) => last.at.plus_ms(1),
            _ => at,
        }
    }
}

/// What one formula sees.
struct View<'a> {
    node: &'a Node,
    inputs: &'a [Input],
    now: UtcMs,
    /// A window is looked at once, however many functions ask for it.
    windows: RefCell<Vec<(PointId, u64, Option<Window>)>>,
}

impl View<'_> {
    fn input(&self, point: PointId) -> Option<&Input> {
        let place = self.node.inputs.binary_search_by_key(&point, |(id, _)| *id).ok()?;
        self.inputs.get(self.node.inputs.get(place)?.1)
    }

    fn reading(&self) -> Reading {
        let settings = &self.node.settings;
        let (value, quality) = settings.judge(settings.formula.eval(self.now, self));
        let newest = self
            .node
            .inputs
            .iter()
            .filter_map(|(_, place)| self.inputs.get(*place)?.last)
            .map(|last| last.at)
            .max();
        // What moves with time is of now, whenever its inputs were read.
        let at = newest.filter(|_| !settings.formula.moves_with_time()).unwrap_or(self.now);
        Reading { point: settings.point, at: self.node.after(at), value, quality }
    }
}

impl Inputs for View<'_> {
    fn reading(&self, point: PointId) -> Option<Reading> {
        self.input(point)?.last
    }

    fn window(&self, point: PointId, length_ms: u64) -> Option<Window> {
        let known = |(id, length, _): &&(PointId, u64, Option<Window>)| *id == point && *length == length_ms;
        if let Some((.., window)) = self.windows.borrow().iter().find(known) {
            return *window;
        }
        let window = self.input(point).and_then(|input| input.past.window(self.now, length_ms));
        self.windows.borrow_mut().push((point, length_ms, window));
        window
    }

    fn text(&self, id: TextId) -> Option<&str> {
        let words = self.node.inputs.iter().filter_map(|(_, place)| self.inputs.get(*place)?.word.as_ref());
        words.into_iter().find(|(known, _)| *known == id).map(|(_, word)| word.as_ref())
    }
}

impl Reckoned {
    /// Value and quality of an outcome: one beyond what is possible is in doubt.
    fn judge(&self, outcome: Outcome<'_>) -> (Option<Value>, Quality) {
        let Some(value) = outcome.value.and_then(Datum::to_value) else {
            let reason = outcome.quality.reason().unwrap_or(Reason::Configuration);
            return (None, Quality::Bad(reason));
        };
        let value = match (self.kind, value) {
            (ValueKind::F64, Value::Decimal(number)) => Value::F64(number.to_f64()),
            (_, value) => value,
        };
        let beyond = self.range.zip(Number::of(value)).is_some_and(|((low, high), number)| {
            number.compare(Number::Exact(low)).is_lt() || number.compare(Number::Exact(high)).is_gt()
        });
        let doubt = if beyond { Quality::Uncertain(Reason::OutOfRange) } else { Quality::Good };
        (Some(value), outcome.quality.worse(doubt))
    }
}

#[cfg(test)]
mod tests;
