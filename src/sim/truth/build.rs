//! How a part of the hospital is written: what flows, what is stored, what each point shows.

use super::calendar;
use super::course::{Acts, Courses, Weekly};
use super::people::people;
use super::state::{Knot, Moment, State, ms};
use super::weather::weather;
use crate::point::{Address, UtcMs};
use std::collections::BTreeMap;

const HOUR_MS: f64 = 3_600_000.0;
/// The two points of Gauss and Legendre lie so far from the middle of a span, in halves of it: 1/sqrt(3).
const GAUSS: f64 = 0.577_350_269_189_625_8;

/// Something that flows, in its unit an hour or in kW: straight from knot to knot, and what faults add.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow(pub(super) usize);

/// What has flowed, added up exactly: a register that counts, the content of a tank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stock(pub(super) usize);

/// Anything else that has a past: a temperature, hours run, wear. Straight from knot to knot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level(pub(super) usize);

/// A fault that may act, or something else that does for some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault(pub(super) usize);

pub(super) type Told = Box<dyn Fn(&Moment<'_>) -> f64 + Send + Sync>;
type Step = Box<dyn Fn(&mut Knot<'_>) + Send + Sync>;

/// How a flow comes about.
pub(super) enum Source {
    /// A part sets it at each knot.
    Own,
    /// What others come to, each times a factor.
    Sum(Vec<(Flow, f64)>),
    /// As much of another as a fault is strong.
    Part(Flow, Fault),
}

/// The hospital as its parts are added; parts that are used by others come first.
pub struct Build {
    courses: Courses,
    model: Model,
    /// What a point that was told twice is called.
    twice: Vec<Address>,
}

/// What all parts come to.
#[derive(Default)]
pub(super) struct Model {
    pub(super) flows: Vec<Source>,
    /// What faults add to a flow: size in the flow's unit at full strength.
    pub(super) leaks: Vec<Vec<(Fault, f64)>>,
    /// Faults that take a flow away, each as much of it as it is strong.
    cuts: Vec<Vec<Fault>>,
    pub(super) stocks: Vec<Vec<(Flow, f64)>>,
    pub(super) faults: Vec<Acts>,
    /// Each by its kind and asset.
    pub(super) known: BTreeMap<(String, String), Fault>,
    pub(super) told: Vec<Told>,
    pub(super) points: BTreeMap<Address, usize>,
    steps: Vec<Step>,
    stocks_first: Vec<f64>,
    levels_first: Vec<f64>,
}

impl Build {
    pub(super) fn new(courses: &Courses) -> Build {
        Build { courses: courses.clone(), model: Model::default(), twice: Vec::new() }
    }

    /// A flow that a step sets; 0 until then.
    pub fn flow(&mut self) -> Flow {
        self.add_flow(Source::Own)
    }

    /// What other flows come to, each times its factor.
    pub fn sum(&mut self, of: &[(Flow, f64)]) -> Flow {
        self.add_flow(Source::Sum(of.to_vec()))
    }

    /// What other flows come to.
    pub fn total(&mut self, of: &[Flow]) -> Flow {
        self.add_flow(Source::Sum(of.iter().map(|flow| (*flow, 1.0)).collect()))
    }

    /// As much of another flow as a fault is strong: what goes another way while it acts.
    pub fn part(&mut self, of: Flow, fault: Fault) -> Flow {
        self.add_flow(Source::Part(of, fault))
    }

    fn add_flow(&mut self, source: Source) -> Flow {
        self.model.flows.push(source);
        self.model.leaks.push(Vec::new());
        self.model.cuts.push(Vec::new());
        Flow(self.model.flows.len() - 1)
    }

    /// `first`, and then each flow's integral over hours times its factor.
    pub fn stock(&mut self, of: &[(Flow, f64)], first: f64) -> Stock {
        self.model.stocks.push(of.to_vec());
        self.model.stocks_first.push(first);
        Stock(self.model.stocks.len() - 1)
    }

    /// A register that counts one flow.
    pub fn counter(&mut self, of: Flow, first: f64) -> Stock {
        self.stock(&[(of, 1.0)], first)
    }

    /// A level that a step sets; it stays as it is until then.
    pub fn level(&mut self, first: f64) -> Level {
        self.model.levels_first.push(first);
        Level(self.model.levels_first.len() - 1)
    }

    /// The fault of this kind at this asset, the same one for whoever asks; it never acts if the script
    /// has none.
    pub fn fault(&mut self, kind: &str, asset: &str) -> Fault {
        let next = Fault(self.model.faults.len());
        let fault = *self.model.known.entry((kind.to_owned(), asset.to_owned())).or_insert(next);
        if fault == next {
            self.model.faults.push(Acts::Fault(self.courses.course(kind, asset)));
        }
        fault
    }

    /// What is done every week: it acts as a fault does, and is none.
    pub fn weekly(&mut self, weekly: Weekly) -> Fault {
        self.model.faults.push(Acts::Weekly(weekly));
        Fault(self.model.faults.len() - 1)
    }

    /// A fault adds to a flow: `size` in the flow's unit where it acts in full, at once and exactly.
    pub fn leak(&mut self, flow: Flow, fault: Fault, size: f64) {
        if let Some(leaks) = self.model.leaks.get_mut(flow.0) {
            leaks.push((fault, size));
        }
    }

    /// A fault takes a flow away, all of it where it acts in full, at once and exactly; of a sum all
    /// that comes to it, so that what adds up still does. Steps do not see it.
    pub fn cut(&mut self, flow: Flow, fault: Fault) {
        let Some(cuts) = self.model.cuts.get_mut(flow.0).filter(|cuts| !cuts.contains(&fault)) else {
            return;
        };
        cuts.push(fault);
        if let Some(Source::Sum(parts)) = self.model.flows.get(flow.0) {
            for (part, _) in parts.clone() {
                self.cut(part, fault);
            }
        }
    }

    /// What is done at every knot, after what was added before.
    pub fn step(&mut self, step: impl Fn(&mut Knot<'_>) + Send + Sync + 'static) {
        self.model.steps.push(Box::new(step));
    }

    /// What a point shows. An address that is none, or that was told before, is left out; the test
    /// of the whole hospital finds it missing.
    pub fn point(&mut self, address: &str, told: impl Fn(&Moment<'_>) -> f64 + Send + Sync + 'static) {
        let Ok(address) = address.parse::<Address>() else { return };
        if self.model.points.contains_key(&address) {
            self.twice.push(address);
            return;
        }
        self.model.points.insert(address, self.model.told.len());
        self.model.told.push(Box::new(told));
    }

    /// Points that were told more than once.
    pub fn twice(&self) -> &[Address] {
        &self.twice
    }

    pub(super) fn done(self) -> Model {
        self.model
    }
}

impl Model {
    /// The state at genesis.
    pub(super) fn first(&self, at: UtcMs, seed: u64) -> State {
        let mut first = self.blank(at, seed);
        first.stocks.clone_from(&self.stocks_first);
        first.levels.clone_from(&self.levels_first);
        let before = first.clone();
        self.run(&before, &mut first, seed);
        first
    }

    /// The state one knot later.
    pub(super) fn next(&self, before: &State, seed: u64) -> State {
        let mut next = self.blank(UtcMs(before.at.0 + super::KNOT_MS), seed);
        next.levels.clone_from(&before.levels);
        next.stocks.clone_from(&before.stocks);
        self.run(before, &mut next, seed);
        let hours = self.flowed(before, &next, next.at);
        for (stock, of) in next.stocks.iter_mut().zip(&self.stocks) {
            *stock += of
                .iter()
                .map(|(flow, factor)| factor * hours.get(flow.0).copied().unwrap_or(0.0))
                .sum::<f64>();
        }
        next
    }

    fn blank(&self, at: UtcMs, seed: u64) -> State {
        let civil = calendar::civil(at);
        State {
            at,
            weather: weather(at, &civil, seed),
            people: people(at, &civil, seed),
            flows: vec![0.0; self.flows.len()],
            levels: Vec::new(),
            stocks: Vec::new(),
        }
    }

    fn run(&self, before: &State, next: &mut State, seed: u64) {
        let mut knot = Knot::new(self, before, next, seed);
        for step in &self.steps {
            step(&mut knot);
        }
    }

    /// Every flow at a moment between two knots, in milliseconds since 1970.
    fn flows_at(&self, from: &State, to: &State, at_ms: f64) -> Vec<f64> {
        let share = from.share_to(to, at_ms);
        let strengths: Vec<f64> = self.faults.iter().map(|acts| acts.at_ms(at_ms, from.at)).collect();
        let mut flows = Vec::with_capacity(self.flows.len());
        for (number, ((source, leaks), cuts)) in
            self.flows.iter().zip(&self.leaks).zip(&self.cuts).enumerate()
        {
            let (own, sum) = match source {
                Source::Own => {
                    let (first, last) = (of(&from.flows, number), of(&to.flows, number));
                    (first + (last - first) * share, 0.0)
                }
                Source::Sum(parts) => (0.0, weigh(parts, &flows)),
                Source::Part(whole, fault) => (of(&flows, whole.0) * of(&strengths, fault.0), 0.0),
            };
            let leaked: f64 = leaks.iter().map(|(fault, size)| size * of(&strengths, fault.0)).sum();
            let left: f64 = cuts.iter().map(|fault| 1.0 - of(&strengths, fault.0)).product();
            flows.push((own + leaked) * left + sum);
        }
        flows
    }

    /// What has flowed from a knot until a moment before the next, in hours times each flow's unit.
    ///
    /// Between corners of faults a flow is a polynomial: of the first degree where none acts, which
    /// the midpoint integrates exactly, and of the third where one is grown by one fault and cut by
    /// two, which two points of Gauss integrate exactly.
    fn flowed(&self, from: &State, to: &State, until: UtcMs) -> Vec<f64> {
        let mut hours = vec![0.0; self.flows.len()];
        let mut add = |at_ms: f64, span_ms: f64| {
            for (sum, flow) in hours.iter_mut().zip(self.flows_at(from, to, at_ms)) {
                *sum += flow * span_ms / HOUR_MS;
            }
        };
        let (first, last) = (ms(from.at), ms(until));
        if !self.faults.iter().any(|acts| acts.acts(from.at, until)) {
            add(f64::midpoint(first, last), last - first);
            return hours;
        }
        let mut ends = vec![first, last];
        for acts in &self.faults {
            ends.extend(acts.corners_between(from.at, until).into_iter().map(ms));
        }
        ends.sort_by(f64::total_cmp);
        for pair in ends.windows(2) {
            let [start, end] = pair else { continue };
            let half = (end - start) / 2.0;
            for side in [-GAUSS, GAUSS] {
                add(start + half * (1.0 + side), half);
            }
        }
        hours
    }

    /// A moment between two knots.
    pub(super) fn moment<'a>(&'a self, from: &'a State, to: &'a State, at: UtcMs, seed: u64) -> Moment<'a> {
        let flows = self.flows_at(from, to, ms(at));
        let hours = self.flowed(from, to, at);
        Moment::new(self, from, to, at, seed, flows, hours)
    }
}

pub(super) fn of(numbers: &[f64], number: usize) -> f64 {
    numbers.get(number).copied().unwrap_or(0.0)
}

pub(super) fn weigh(parts: &[(Flow, f64)], numbers: &[f64]) -> f64 {
    parts.iter().map(|(flow, factor)| factor * of(numbers, flow.0)).sum()
}
