//! Evaluation: pure, without allocation, each part visited once.
//!
//! Three-valued after Kleene: `false and unknown` is false, `true or unknown` is true, everything
//! else with an unknown operand is unknown. With each value goes how far to trust it and what
//! decided it; of a condition that is false because of one operand, that operand alone.

use super::formula::{AirFigure, Code, Figure, Formula, SITES_MAX, Site};
use super::measure::Factor;
use super::number::Number;
use super::tree::{Power, Relation, Sign};
use super::window::Window;
use crate::point::{Decimal, PointId, Quality, Reading, Reason, Severity, TextId, UtcMs, Value, ValueKind};
use std::cmp::Ordering;

/// What an evaluation may ask.
pub trait Inputs {
    /// The newest reading of a point; none if there never was one.
    fn reading(&self, point: PointId) -> Option<Reading>;

    /// What the last `length_ms` milliseconds of a point come to; none if nothing was kept. Only
    /// the lengths of [`Formula::windows`] are asked for.
    fn window(&self, point: PointId, length_ms: u64) -> Option<Window>;

    /// The word of a text value.
    fn text(&self, id: TextId) -> Option<&str>;
}

/// A value an expression can have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Datum<'a> {
    /// Of a condition.
    Bool(bool),
    /// In the unit that [`Formula::says`].
    Number(Number),
    /// A word.
    Text(&'a str),
}

/// What an evaluation came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome<'a> {
    /// The value; none if it is unknown, exactly when the quality is Bad.
    pub value: Option<Datum<'a>>,
    /// The worst quality of what decided it.
    pub quality: Quality,
    /// What decided it, or what made it unknown.
    pub decided: Decided,
}

/// A set of the places of a formula where its value was decided or lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decided(u128);

impl Decided {
    fn one(site: usize) -> Decided {
        // A site more than the check allows shares the last bit (`in_unit` adds one).
        Decided(1 << site.min(SITES_MAX))
    }

    fn with(self, other: Decided) -> Decided {
        Decided(self.0 | other.0)
    }

    pub(super) fn has(self, site: usize) -> bool {
        self.0 & Decided::one(site).0 != 0
    }
}

impl Formula {
    /// Its value now.
    pub fn eval<'a>(&'a self, now: UtcMs, inputs: &'a dyn Inputs) -> Outcome<'a> {
        Evaluation { formula: self, now, inputs }.code(&self.code)
    }

    /// The points that decided an outcome, by their places in [`Formula::inputs`].
    pub fn deciding_inputs(&self, decided: Decided) -> impl Iterator<Item = usize> {
        let of = |site: &Site| match site {
            Site::Reading(input) => Some(*input),
            Site::Window(window) => self.windows.get(*window).map(|window| window.input),
            _ => None,
        };
        let sites = self.sites.iter().enumerate().filter(move |(site, _)| decided.has(*site));
        let inputs: std::collections::BTreeSet<usize> = sites.filter_map(|(_, site)| of(site)).collect();
        inputs.into_iter()
    }
}

/// A value that nothing can make unknown.
fn certain(datum: Datum<'_>) -> Outcome<'_> {
    Outcome { value: Some(datum), quality: Quality::Good, decided: Decided::default() }
}

fn lost<'a>(reason: Reason, site: usize) -> Outcome<'a> {
    Outcome { value: None, quality: Quality::Bad(reason), decided: Decided::one(site) }
}

/// Operands that all have a say: worst quality, all sites; if one is unknown, only those that are.
#[derive(Clone, Copy)]
struct Together {
    quality: Quality,
    decided: Decided,
    unknown: Option<(Quality, Decided)>,
}

impl Together {
    fn new() -> Together {
        Together { quality: Quality::Good, decided: Decided::default(), unknown: None }
    }

    fn add(&mut self, outcome: &Outcome<'_>) {
        if outcome.value.is_none() {
            let (quality, decided) = self.unknown.unwrap_or((outcome.quality, outcome.decided));
            self.unknown = Some((quality.worse(outcome.quality), decided.with(outcome.decided)));
        }
        self.quality = self.quality.worse(outcome.quality);
        self.decided = self.decided.with(outcome.decided);
    }

    /// Unknown if an operand was; else the value; unknown at `site` if there is none.
    fn outcome(self, value: Option<Datum<'_>>, site: usize) -> Outcome<'_> {
        if let Some((quality, decided)) = self.unknown {
            return Outcome { value: None, quality, decided };
        }
        if value.is_some() {
            return Outcome { value, quality: self.quality, decided: self.decided };
        }
        let decided = self.decided.with(Decided::one(site));
        Outcome { value: None, quality: Quality::Bad(Reason::Configuration), decided }
    }

    fn known(self, value: Datum<'_>) -> Outcome<'_> {
        self.outcome(Some(value), SITES_MAX)
    }
}

fn number(outcome: &Outcome<'_>) -> Option<Number> {
    match outcome.value {
        Some(Datum::Number(number)) => Some(number),
        _ => None,
    }
}

/// A number of someone else's making.
fn finite<'a>(number: Number) -> Option<Datum<'a>> {
    number.to_f64().is_finite().then_some(Datum::Number(number))
}

fn is(outcome: &Outcome<'_>, wanted: bool) -> bool {
    outcome.value == Some(Datum::Bool(wanted))
}

struct Evaluation<'a> {
    formula: &'a Formula,
    now: UtcMs,
    inputs: &'a dyn Inputs,
}

impl<'a> Evaluation<'a> {
    fn code(&self, code: &'a Code) -> Outcome<'a> {
        match code {
            Code::Number(number) => certain(Datum::Number(*number)),
            Code::Bool(on) => certain(Datum::Bool(*on)),
            Code::Text(text) => certain(Datum::Text(text)),
            Code::Unknown(site) => lost(Reason::Configuration, *site),
            Code::Read(input) => self.read(*input),
            Code::Quality(input, wanted) => self.judged(*input, |quality| quality == *wanted),
            Code::Severity(input, wanted) => self.judged(*input, |quality| quality.severity() == *wanted),
            Code::Age(input) => self.age(*input),
            Code::Window(window, figure) => self.window(*window, *figure),
            Code::Convert(inner, factor, site) => self.convert(inner, *factor, *site),
            Code::Negative(inner) => self.mapped(inner, |number| Some(number.negated()), SITES_MAX),
            Code::Abs(inner) => {
                self.mapped(inner, |n| Some(if n.to_f64() < 0.0 { n.negated() } else { n }), SITES_MAX)
            }
            Code::Sqrt(inner, site) => {
                self.mapped(inner, |number| Number::float(number.to_f64().sqrt()), *site)
            }
            Code::Not(inner) => self.not(inner),
            Code::All(parts) => self.counted(parts, parts.len()),
            Code::Any(parts) => self.counted(parts, 1),
            Code::AtLeast(wanted, parts) => self.counted(parts, *wanted),
            Code::Sum(terms, site) => self.sum(terms, *site),
            Code::Product(factors, overflow, division) => self.product(factors, *overflow, *division),
            Code::Compare(relation, left, right) => self.compare(*relation, left, right),
            Code::Same(left, right) => self.same(left, right),
            Code::If(parts) => self.choice(parts),
            Code::Otherwise(parts) => self.otherwise(parts),
            Code::Known(inner) => {
                let inner = self.code(inner);
                Outcome { decided: inner.decided, ..certain(Datum::Bool(inner.value.is_some())) }
            }
            Code::Extreme(order, parts) => self.extreme(*order, parts),
            Code::Mean(parts, site) => self.mean(parts, *site),
            Code::Air(figure, parts, site) => self.air(*figure, parts, *site),
        }
    }

    /// The newest reading of an input, with the number of its site.
    fn reading(&self, input: usize) -> (Option<Reading>, ValueKind, usize) {
        let site = self.formula.sites.iter().position(|site| *site == Site::Reading(input));
        let facts = self.formula.inputs.get(input).map(|input| &input.facts);
        let reading = facts.and_then(|facts| self.inputs.reading(facts.point));
        (reading, facts.map_or(ValueKind::Bool, |facts| facts.kind), site.unwrap_or(SITES_MAX))
    }

    fn read(&self, input: usize) -> Outcome<'a> {
        let (reading, kind, site) = self.reading(input);
        let Some(reading) = reading else { return lost(Reason::Initial, site) };
        if let Quality::Bad(reason) = reading.quality {
            return lost(reason, site);
        }
        let value = match (kind, reading.value) {
            (ValueKind::Bool, Some(Value::Bool(on))) => Some(Datum::Bool(on)),
            (ValueKind::Text, Some(Value::Text(id))) => self.inputs.text(id).map(Datum::Text),
            (ValueKind::Decimal | ValueKind::F64, Some(value)) => Number::of(value).map(Datum::Number),
            _ => None,
        };
        match value {
            Some(_) => Outcome { value, quality: reading.quality, decided: Decided::one(site) },
            // Of another kind than it was checked for.
            None => lost(Reason::Configuration, site),
        }
    }

    /// What is known of a reading even if it has no value.
    fn judged(&self, input: usize, test: impl Fn(Quality) -> bool) -> Outcome<'a> {
        let (reading, _, site) = self.reading(input);
        let quality = reading.map_or(Quality::Bad(Reason::Initial), |reading| reading.quality);
        Outcome { decided: Decided::one(site), ..certain(Datum::Bool(test(quality))) }
    }

    fn age(&self, input: usize) -> Outcome<'a> {
        let (reading, _, site) = self.reading(input);
        let Some(reading) = reading else { return lost(Reason::Initial, site) };
        let ms = self.now.since_ms(reading.at).max(0);
        let age = Decimal::new(ms, -3).unwrap_or(Decimal::ZERO);
        Outcome { decided: Decided::one(site), ..certain(Datum::Number(Number::Exact(age))) }
    }

    fn window(&self, place: usize, figure: Figure) -> Outcome<'a> {
        let site =
            self.formula.sites.iter().position(|site| *site == Site::Window(place)).unwrap_or(SITES_MAX);
        let need = self.formula.windows.get(place);
        let input = need.and_then(|need| self.formula.inputs.get(need.input));
        let point = input.map(|input| input.facts.point);
        let window = need.zip(point).and_then(|(need, point)| self.inputs.window(point, need.length_ms));
        let Some(window) = window else { return lost(Reason::Initial, site) };
        let decided = Decided::one(site);
        let count = || Number::Exact(Decimal::from_int(i64::try_from(window.count).unwrap_or(i64::MAX)));
        let value = match figure {
            Figure::Count => return Outcome { decided, ..certain(Datum::Number(count())) },
            Figure::Coverage => {
                let coverage = Number::Float(window.coverage());
                return Outcome { decided, ..certain(Datum::Number(coverage)) };
            }
            // A change that was seen is one, whatever was not seen.
            Figure::Changed if window.changed || window.is_covered() => Some(Datum::Bool(window.changed)),
            _ if !window.is_covered() => None,
            Figure::Avg => window.avg.and_then(finite),
            Figure::Min => window.min.and_then(finite),
            Figure::Max => window.max.and_then(finite),
            Figure::Sum => finite(window.sum.unwrap_or(Number::Exact(Decimal::ZERO))),
            Figure::Increase => window.increase.and_then(finite),
            Figure::Rate => window.rate.and_then(finite),
            Figure::Changed => None,
        };
        match (value, window.quality) {
            (None, quality) => lost(quality.reason().unwrap_or(Reason::Initial), site),
            // There is a value, so it is at worst in doubt.
            (_, Quality::Bad(reason)) => Outcome { value, quality: Quality::Uncertain(reason), decided },
            (_, quality) => Outcome { value, quality, decided },
        }
    }

    fn convert(&self, inner: &'a Code, factor: Factor, site: usize) -> Outcome<'a> {
        self.mapped(inner, |number| factor.apply(number), site)
    }

    fn mapped(&self, inner: &'a Code, map: impl Fn(Number) -> Option<Number>, site: usize) -> Outcome<'a> {
        let inner = self.code(inner);
        let mut together = Together::new();
        together.add(&inner);
        together.outcome(number(&inner).and_then(map).map(Datum::Number), site)
    }

    fn not(&self, inner: &'a Code) -> Outcome<'a> {
        let inner = self.code(inner);
        let value = match inner.value {
            Some(Datum::Bool(on)) => Some(Datum::Bool(!on)),
            _ => None,
        };
        Outcome { value, ..inner }
    }

    /// At least so many are true: all of them is `and`, one is `or`. The true ones decide that it
    /// holds, the false ones that it cannot, else the unknown ones.
    fn counted(&self, parts: &'a [Code], wanted: usize) -> Outcome<'a> {
        let (mut yes, mut no, mut unknown) = (Together::new(), Together::new(), Together::new());
        let (mut trues, mut falses) = (0, 0);
        for part in parts {
            let outcome = self.code(part);
            if is(&outcome, true) {
                trues += 1;
                yes.add(&outcome);
            } else if is(&outcome, false) {
                falses += 1;
                no.add(&outcome);
            } else {
                unknown.add(&outcome);
            }
        }
        if trues >= wanted {
            yes.known(Datum::Bool(true))
        } else if falses + wanted > parts.len() {
            no.known(Datum::Bool(false))
        } else {
            unknown.outcome(None, SITES_MAX)
        }
    }

    fn sum(&self, terms: &'a [(Sign, Code)], site: usize) -> Outcome<'a> {
        let mut together = Together::new();
        let mut sum = Some(Number::Exact(Decimal::ZERO));
        for (sign, code) in terms {
            let term = self.code(code);
            together.add(&term);
            sum = sum.zip(number(&term)).and_then(|(sum, term)| match sign {
                Sign::Plus => sum.plus(term),
                Sign::Minus => sum.minus(term),
            });
        }
        together.outcome(sum.map(Datum::Number), site)
    }

    fn product(&self, factors: &'a [(Power, Code)], overflow: usize, division: usize) -> Outcome<'a> {
        let mut together = Together::new();
        let mut product = Some(Number::Exact(Decimal::ONE));
        let mut by_zero = false;
        for (power, code) in factors {
            let factor = self.code(code);
            together.add(&factor);
            let factor = number(&factor);
            by_zero |= *power == Power::Over && factor.is_some_and(|factor| factor.to_f64() == 0.0);
            product = product.zip(factor).and_then(|(product, factor)| match power {
                Power::Times => product.times(factor),
                Power::Over => product.over(factor),
            });
        }
        together.outcome(product.map(Datum::Number), if by_zero { division } else { overflow })
    }

    fn compare(&self, relation: Relation, left: &'a Code, right: &'a Code) -> Outcome<'a> {
        let (left, right) = (self.code(left), self.code(right));
        let mut together = Together::new();
        together.add(&left);
        together.add(&right);
        let order = number(&left).zip(number(&right)).map(|(left, right)| left.compare(right));
        together.outcome(order.map(|order| Datum::Bool(relation.holds(order))), SITES_MAX)
    }

    fn same(&self, left: &'a Code, right: &'a Code) -> Outcome<'a> {
        let (left, right) = (self.code(left), self.code(right));
        let mut together = Together::new();
        together.add(&left);
        together.add(&right);
        together.known(Datum::Bool(left.value == right.value))
    }

    fn choice(&self, parts: &'a [Code; 3]) -> Outcome<'a> {
        let [condition, then, otherwise] = parts;
        let condition = self.code(condition);
        let (then, otherwise) = (self.code(then), self.code(otherwise));
        let chosen = match condition.value {
            Some(Datum::Bool(true)) => then,
            Some(Datum::Bool(false)) => otherwise,
            _ => return Outcome { value: None, ..condition },
        };
        Outcome {
            quality: chosen.quality.worse(condition.quality),
            decided: chosen.decided.with(condition.decided),
            ..chosen
        }
    }

    /// What was passed over is part of the reason, but not of the quality: the writer of the
    /// expression said what an unknown becomes.
    fn otherwise(&self, parts: &'a [Code]) -> Outcome<'a> {
        let mut passed = Decided::default();
        let mut chosen: Option<Outcome<'a>> = None;
        let mut unknown = Together::new();
        for part in parts {
            let outcome = self.code(part);
            if chosen.is_some() {
                continue;
            }
            if outcome.value.is_some() {
                chosen = Some(outcome);
            } else {
                passed = passed.with(outcome.decided);
                unknown.add(&outcome);
            }
        }
        match chosen {
            Some(chosen) => Outcome { decided: chosen.decided.with(passed), ..chosen },
            None => unknown.outcome(None, SITES_MAX),
        }
    }

    fn extreme(&self, order: Ordering, parts: &'a [Code]) -> Outcome<'a> {
        let mut together = Together::new();
        let mut best: Option<Number> = None;
        for part in parts {
            let outcome = self.code(part);
            together.add(&outcome);
            let own = number(&outcome);
            best = match (best, own) {
                (Some(best), Some(own)) if own.compare(best) != order => Some(best),
                (best, own) => own.or(best),
            };
        }
        together.outcome(best.map(Datum::Number), SITES_MAX)
    }

    fn mean(&self, parts: &'a [Code], site: usize) -> Outcome<'a> {
        let mut together = Together::new();
        let mut sum = Some(Number::Exact(Decimal::ZERO));
        for part in parts {
            let outcome = self.code(part);
            together.add(&outcome);
            sum = sum.zip(number(&outcome)).and_then(|(sum, own)| sum.plus(own));
        }
        let count = Number::Exact(Decimal::from_int(i64::try_from(parts.len()).unwrap_or(1)));
        together.outcome(sum.and_then(|sum| sum.over(count)).map(Datum::Number), site)
    }

    fn air(&self, figure: AirFigure, parts: &'a [Code], site: usize) -> Outcome<'a> {
        let mut together = Together::new();
        let mut figures = [None; 3];
        for (slot, part) in figures.iter_mut().zip(parts) {
            let outcome = self.code(part);
            together.add(&outcome);
            *slot = number(&outcome).map(Number::to_f64);
        }
        let [temperature, humidity, pressure] = figures;
        let value = temperature
            .zip(humidity)
            .and_then(|(temperature, humidity)| figure.compute(temperature, humidity, pressure))
            .and_then(Number::float);
        together.outcome(value.map(Datum::Number), site)
    }
}

impl Datum<'_> {
    /// What a reading of a derived point carries; a text has to be given its number first.
    pub fn to_value(self) -> Option<Value> {
        match self {
            Datum::Bool(on) => Some(Value::Bool(on)),
            Datum::Number(number) => Some(number.to_value()),
            Datum::Text(_) => None,
        }
    }
}

const _: () = assert!(SITES_MAX < 128, "a site is a bit of Decided");

/// `Severity` orders Good before Bad; the outcome of operands is never better than the worst.
const _: () = assert!((Severity::Good as u8) < (Severity::Bad as u8), "worse() goes by this order");
