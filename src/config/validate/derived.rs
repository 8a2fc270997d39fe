//! Derived points: formulas that can be reckoned, in an order in which each finds what it needs.

use super::super::diagnostic::{Code, Problem};
use super::super::leaf::At;
use super::super::source::{Place, Source};
use super::super::spec::{self, File, Text};
use super::super::{Bus, Conditioning, Derived, Part, Point, State, limits};
use super::assets::Assets;
use super::register::{formerly, known_asset};
use super::{Context, Points, words};
use crate::expr::{self, Facts, Formula, Mistake, Span, Tree, Type};
use crate::point::{Address, Decimal, PointId, Unit, ValueKind};
use std::collections::{BTreeMap, BTreeSet};

/// Milliseconds in which evaluations are counted: whole numbers for the slowest formula, too.
const THOUSAND_S_MS: u64 = 1_000_000;

/// All derived points, each behind those it is reckoned from; needs all other points.
pub fn validate(
    parts: &[Part<File>],
    sources: &[Source],
    buses: &[Bus],
    assets: &Assets,
    context: &mut Context<'_>,
) -> Vec<Derived> {
    let mut waiting = Vec::new();
    for part in parts {
        for written in &part.content.derived {
            known_asset(assets, &written.asset, part.place(&written.asset), context);
            let address = Address { asset: (*written.asset).clone(), quantity: (*written.quantity).clone() };
            let source = sources.get(part.source);
            let mut entry = Entry { part, source, written, address, tree: None };
            match Tree::parse(&written.formula) {
                Ok(tree) => entry.tree = Some(tree),
                Err(mistake) => entry.tell(&mistake, context),
            }
            waiting.push(entry);
        }
    }
    let derived: BTreeSet<Address> = waiting.iter().map(|entry| entry.address.clone()).collect();
    let mut work =
        Work { assets, intervals: intervals(buses), windows: BTreeMap::new(), steps: 0, list: Vec::new() };
    // Each round takes what has all it is reckoned from; what is left then is in a circle, or
    // hangs on one.
    let mut placed: BTreeSet<Address> = BTreeSet::new();
    loop {
        let ready = |entry: &Entry<'_>| {
            entry.inputs().iter().all(|input| placed.contains(*input) || !derived.contains(*input))
        };
        let (now, later): (Vec<_>, Vec<_>) = waiting.into_iter().partition(ready);
        waiting = later;
        if now.is_empty() {
            break;
        }
        for entry in now {
            work.take(&entry, context);
            placed.insert(entry.address);
        }
    }
    tell_circles(&waiting, context);
    for entry in &waiting {
        work.stand_in(entry, context);
    }
    work.list
}

/// How often the points are read that are; the others speak when they like.
fn intervals(buses: &[Bus]) -> BTreeMap<Address, u64> {
    let registers = buses.iter().flat_map(|bus| &bus.devices).flat_map(|device| &device.registers);
    registers.map(|register| (register.point.clone(), register.interval_ms)).collect()
}

/// One of them as a file has it.
struct Entry<'a> {
    part: &'a Part<File>,
    source: Option<&'a Source>,
    written: &'a At<spec::Derived>,
    address: Address,
    /// None if it cannot be read.
    tree: Option<Tree>,
}

impl Entry<'_> {
    fn inputs(&self) -> Vec<&Address> {
        self.tree.as_ref().map_or_else(Vec::new, Tree::points)
    }

    fn formula(&self) -> Place {
        self.part.place(&self.written.formula)
    }

    /// Points at the letters of the formula that are wrong, where the file has them as they are.
    fn tell(&self, mistake: &Mistake, context: &mut Context<'_>) {
        let written = &self.written.formula;
        let inside = self.source.and_then(|source| inside(&source.text, written, mistake.span));
        let (place, message) = match inside {
            Some(span) => (Place { source: self.part.source, span }, mistake.what.clone()),
            None => (self.formula(), format!("column {} of the formula: {}", mistake.column, mistake.what)),
        };
        let problem = Problem::error(Code::Formula, place, message);
        context.problems.push(match &mistake.help {
            Some(help) => problem.help(help.clone()),
            None => problem,
        });
    }
}

/// The bytes of a file where a part of a text of it stands; none if the text was written with
/// escapes or variables.
fn inside(file: &str, text: &At<String>, part: Span) -> Option<std::ops::Range<usize>> {
    let whole = text.span();
    let literal = file.get(whole.clone())?;
    let quotes = if literal.starts_with("\"\"\"") || literal.starts_with("'''") { 3 } else { 1 };
    let content = literal.get(quotes..literal.len().checked_sub(quotes)?)?;
    let trimmed = if quotes == 3 { content.strip_prefix('\n').unwrap_or(content) } else { content };
    let start = whole.start + quotes + (content.len() - trimmed.len());
    (trimmed == text.as_str()).then(|| start + part.start..start + part.end.max(part.start + 1))
}

/// The points so far, as a formula sees them, numbered by their places.
struct Known<'a> {
    points: &'a Points,
    intervals: &'a BTreeMap<Address, u64>,
}

impl expr::Points for Known<'_> {
    fn find(&self, address: &Address) -> Option<Facts> {
        let (place, _) = self.points.places.get(address)?;
        let point = self.points.list.get(*place)?;
        let state = |state: &State| expr::State { value: state.value, names: state.name.clone() };
        Some(Facts {
            point: PointId(u32::try_from(*place).ok()?),
            kind: point.kind,
            unit: point.unit,
            states: point.states.iter().map(state).collect(),
            interval_ms: self.intervals.get(address).copied(),
        })
    }

    fn addresses(&self) -> Vec<Address> {
        self.points.places.keys().cloned().collect()
    }
}

struct Work<'a> {
    assets: &'a Assets,
    /// How often each point speaks, derived ones at the most. Milliseconds.
    intervals: BTreeMap<Address, u64>,
    /// The readings kept of each point.
    windows: BTreeMap<Address, u64>,
    /// What all of them cost so far, in steps per 1,000 s.
    steps: u64,
    list: Vec<Derived>,
}

impl Work<'_> {
    fn take(&mut self, entry: &Entry<'_>, context: &mut Context<'_>) {
        let Some((formula, unit)) = self.checked(entry, context) else {
            self.stand_in(entry, context);
            return;
        };
        let every_ms = every_ms(entry, &formula, context);
        let kind = formula.kind();
        let interval_ms = self.afford(entry, &formula, every_ms, context);
        let own_stale_ms = stale_after_ms(entry, every_ms, context);
        let default = default_stale_ms(&formula, every_ms, &context.points);
        let mut point = self.point(entry, kind, unit, context);
        point.stale_after_ms = own_stale_ms.unwrap_or(default);
        self.intervals.insert(entry.address.clone(), interval_ms);
        if context.add_point(point, entry.part.place(&entry.written.quantity), interval_ms) {
            let point = entry.address.clone();
            self.list.push(Derived { point, formula, every_ms, stale_after_ms: own_stale_ms });
        }
    }

    /// A point others may name, of a formula that is wrong: one mistake is told once.
    fn stand_in(&self, entry: &Entry<'_>, context: &mut Context<'_>) {
        let unit = entry.written.unit.as_ref().map_or(Unit::ONE, |unit| **unit);
        let point = self.point(entry, ValueKind::Decimal, unit, context);
        context.add_point(point, entry.part.place(&entry.written.quantity), limits::INTERVAL_DEFAULT_MS);
    }

    fn point(&self, entry: &Entry<'_>, kind: ValueKind, unit: Unit, context: &mut Context<'_>) -> Point {
        let written = entry.written;
        let plain = kind == ValueKind::Bool || written.states.is_some();
        if let Some(at) = written.range.as_ref().filter(|_| kind == ValueKind::Bool) {
            context.error(
                Code::Misplaced,
                entry.part.place(at),
                "a condition is not in a range",
                "take this out",
            );
        }
        Point {
            formerly: formerly(self.assets, &entry.address, &written.formerly),
            name: Text::names(written.name.as_ref(), &written.quantity),
            unit,
            kind,
            scale: Decimal::ONE,
            offset: Decimal::ZERO,
            range: context.range(entry.part.source, written.range.as_ref()),
            stale_after_ms: limits::STALE_AFTER_DEFAULT_MIN_MS,
            decimals: written.decimals.unwrap_or(if plain { 0 } else { 2 }),
            states: states(entry, kind, context),
            conditioning: Conditioning::default(),
            address: entry.address.clone(),
        }
    }

    /// The formula in the unit of its point.
    fn checked(&self, entry: &Entry<'_>, context: &mut Context<'_>) -> Option<(Formula, Unit)> {
        let tree = entry.tree.as_ref()?;
        let checked = tree.check(&Known { points: &context.points, intervals: &self.intervals });
        let formula = match checked {
            Ok(formula) => formula,
            // A point may be missing because its own table is wrong.
            Err(_) if !context.complete => return None,
            Err(mistake) => {
                entry.tell(&mistake, context);
                return None;
            }
        };
        let unit = entry.written.unit.as_ref();
        match formula.says() {
            Type::Text => {
                let help = "compare it: lift-1/message == \"closing\"";
                context.error(
                    Code::Formula,
                    entry.formula(),
                    "a derived point is a number or a condition, and this is a text",
                    help,
                );
                None
            }
            Type::Condition => {
                if let Some(at) = unit.filter(|unit| ***unit != Unit::ONE) {
                    let message = format!("the formula is a condition and not in {}", **at);
                    context.error(Code::Formula, entry.part.place(at), message, "take the unit out");
                }
                Some((formula, Unit::ONE))
            }
            Type::Number(measure) => {
                let Some(unit) = unit.map(|unit| **unit).or(measure.unit().filter(|unit| *unit == Unit::ONE))
                else {
                    let message = format!("the field `unit` is missing; the formula is in {measure}");
                    let help = "unit: UCUM code its number is wanted in: `K`, `kW.h`";
                    context.error(Code::MissingField, entry.formula(), message, help);
                    return None;
                };
                match formula.in_unit(unit) {
                    Ok(formula) => Some((formula, unit)),
                    Err(mistake) => {
                        let place = entry
                            .written
                            .unit
                            .as_ref()
                            .map_or_else(|| entry.formula(), |at| entry.part.place(at));
                        let message = format!("the formula {}", mistake.what);
                        context.error(Code::Formula, place, message, "correct the unit, or the formula");
                        None
                    }
                }
            }
        }
    }

    /// How often it is reckoned at the most, milliseconds; told if all together cost too much.
    fn afford(
        &mut self,
        entry: &Entry<'_>,
        formula: &Formula,
        every_ms: Option<u64>,
        context: &mut Context<'_>,
    ) -> u64 {
        let often = often(formula, every_ms);
        let most = limits::DERIVED_STEPS_PER_S_MAX * 1_000;
        let before = self.steps;
        self.steps = before.saturating_add(formula.cost().steps().saturating_mul(often));
        if before <= most && self.steps > most {
            let message = format!(
                "all derived points up to this one cost {} steps a second, more than {}",
                self.steps / 1_000,
                most / 1_000
            );
            let help = "give those with long windows a longer `every`, or shorter windows";
            context.error(Code::DerivedCost, entry.formula(), message, help);
        }
        let kept = |windows: &BTreeMap<Address, u64>| windows.values().sum::<u64>();
        let before = kept(&self.windows);
        for window in formula.windows() {
            let Some(input) = formula.inputs().get(window.input) else { continue };
            let held = self.windows.entry(input.address.clone()).or_default();
            *held = window.readings.max(*held);
        }
        let (after, most) = (kept(&self.windows), limits::DERIVED_WINDOW_READINGS_MAX);
        if before <= most && after > most {
            let message = format!("the windows up to this one hold {after} readings, more than {most}");
            context.error(Code::DerivedCost, entry.formula(), message, "take shorter windows");
        }
        (THOUSAND_S_MS / often.max(1)).max(limits::DERIVED_PAUSE_MS)
    }
}

/// How often it is reckoned in 1,000 s, at the most.
fn often(formula: &Formula, every_ms: Option<u64>) -> u64 {
    if let Some(every_ms) = every_ms {
        return THOUSAND_S_MS / every_ms;
    }
    let spoken = formula.inputs().iter().map(|input| {
        let interval_ms = input.facts.interval_ms.unwrap_or(limits::DERIVED_INTERVAL_ASSUMED_MS);
        THOUSAND_S_MS.div_ceil(interval_ms.max(1))
    });
    let by_clock =
        if formula.moves_with_time() { THOUSAND_S_MS / limits::DERIVED_EVERY_DEFAULT_MS } else { 0 };
    spoken.fold(by_clock, u64::saturating_add).clamp(1, THOUSAND_S_MS / limits::DERIVED_PAUSE_MS)
}

fn every_ms(entry: &Entry<'_>, formula: &Formula, context: &mut Context<'_>) -> Option<u64> {
    let at = entry.written.every.as_ref()?;
    if !formula.moves_with_time() {
        let message = "this formula has no windows and no ages, and changes only with its points";
        context.error(Code::Misplaced, entry.part.place(at), message, "take this out");
        return None;
    }
    let default = limits::DERIVED_EVERY_DEFAULT_MS;
    Some(context.millis(entry.part.source, Some(at), limits::DERIVED_EVERY_MS, default))
}

fn stale_after_ms(entry: &Entry<'_>, every_ms: Option<u64>, context: &mut Context<'_>) -> Option<u64> {
    let at = entry.written.stale_after.as_ref()?;
    if let Some(every_ms) = every_ms.filter(|every_ms| at.0 <= *every_ms) {
        let help = format!("it is reckoned every {}: take at least twice that", words(every_ms));
        let message = "the point would be stale between two values";
        context.error(Code::WrongValue, entry.part.place(at), message, &help);
    }
    let default = limits::STALE_AFTER_DEFAULT_MIN_MS;
    Some(context.millis(entry.part.source, Some(at), limits::STALE_AFTER_MS, default))
}

/// The longest of its points', or three times as long as its values are apart.
fn default_stale_ms(formula: &Formula, every_ms: Option<u64>, points: &Points) -> u64 {
    let inputs = formula.inputs().iter().filter_map(|input| points.get(&input.address));
    let longest = inputs.map(|point| point.stale_after_ms).max().unwrap_or(0);
    let every_ms = every_ms.or(formula.moves_with_time().then_some(limits::DERIVED_EVERY_DEFAULT_MS));
    longest.max(every_ms.map_or(0, |every_ms| 3 * every_ms)).max(limits::STALE_AFTER_DEFAULT_MIN_MS)
}

fn states(entry: &Entry<'_>, kind: ValueKind, context: &mut Context<'_>) -> Vec<State> {
    let mut list: Vec<State> = Vec::new();
    for at in entry.written.states.iter().flatten() {
        let value = at.value;
        let wrong = if kind == ValueKind::F64 {
            Some((
                "this formula gives no whole numbers".to_owned(),
                "states are of whole numbers and conditions",
            ))
        } else if list.iter().any(|other| other.value == value) {
            Some((format!("the state {value} is named twice"), "each number has one name"))
        } else if kind == ValueKind::Bool && !(0..=1).contains(&value) {
            Some((format!("it never has the value {value}"), "a condition is 0 or 1"))
        } else {
            None
        };
        if let Some((message, help)) = wrong {
            context.error(Code::States, entry.part.place(at), message, help);
        }
        list.push(State { value, name: Text::names(Some(&at.name), &entry.written.quantity) });
    }
    list
}

/// One message a circle, at the formula of its first point; what only hangs on a circle is not to blame.
fn tell_circles(left: &[Entry<'_>], context: &mut Context<'_>) {
    let waiting: BTreeMap<&Address, &Entry<'_>> = left.iter().map(|entry| (&entry.address, entry)).collect();
    let mut told: BTreeSet<Address> = BTreeSet::new();
    for entry in left {
        let Some(circle) = circle_of(&entry.address, &waiting) else { continue };
        if circle.iter().any(|address| told.contains(*address)) {
            continue;
        }
        told.extend(circle.iter().map(|address| (*address).clone()));
        let path: Vec<String> = circle.iter().chain(circle.first()).map(ToString::to_string).collect();
        let message = format!("derived points are reckoned from each other: {}", path.join(" from "));
        let help = "take one of them out of one formula";
        context.problems.push(Problem::error(Code::DerivedCycle, entry.formula(), message).help(help));
    }
}

/// The shortest way from a point back to itself.
fn circle_of<'a>(
    start: &'a Address,
    waiting: &BTreeMap<&'a Address, &'a Entry<'a>>,
) -> Option<Vec<&'a Address>> {
    let mut came_from: BTreeMap<&Address, &Address> = BTreeMap::new();
    let mut round = vec![start];
    while !round.is_empty() {
        let mut next = Vec::new();
        for from in round {
            for to in waiting.get(from).map(|entry| entry.inputs()).unwrap_or_default() {
                if to == start {
                    let mut path = vec![from];
                    while let Some(before) = path.last().and_then(|last| came_from.get(last)) {
                        path.push(before);
                    }
                    path.reverse();
                    return Some(path);
                }
                if waiting.contains_key(to) && !came_from.contains_key(to) {
                    came_from.insert(to, from);
                    next.push(to);
                }
            }
        }
        round = next;
    }
    None
}
