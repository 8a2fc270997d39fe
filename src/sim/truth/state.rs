//! Knots and the moments between them, as parts see them.

use super::build::{Fault, Flow, Level, Model, Source, Stock, of, weigh};
use super::calendar::{Civil, civil};
use super::people::People;
use super::weather::Weather;
use super::{KNOT_MS, noise};
use crate::point::UtcMs;

/// The hospital at a knot.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) at: UtcMs,
    pub(super) weather: Weather,
    pub(super) people: People,
    /// As steps set them, without what faults add; of sums nothing.
    pub(super) flows: Vec<f64>,
    pub(super) levels: Vec<f64>,
    pub(super) stocks: Vec<f64>,
}

impl State {
    pub(super) fn hours_to(&self, to: &State) -> f64 {
        (ms(to.at) - ms(self.at)) / 3_600_000.0
    }

    /// How far a moment is on the way to the next knot, 0 to 1.
    pub(super) fn share_to(&self, to: &State, at_ms: f64) -> f64 {
        let span = ms(to.at) - ms(self.at);
        if span > 0.0 { (at_ms - ms(self.at)) / span } else { 0.0 }
    }
}

/// Milliseconds since 1970.
#[expect(clippy::cast_precision_loss, reason = "moments are far below 2^53 ms")]
pub(super) fn ms(at: UtcMs) -> f64 {
    at.0 as f64
}

/// A knot while the parts set it, one after the other.
pub struct Knot<'a> {
    /// When.
    pub at: UtcMs,
    /// What the clock on the wall shows.
    pub civil: Civil,
    /// The weather.
    pub weather: Weather,
    /// Who is there.
    pub people: People,
    model: &'a Model,
    before: &'a State,
    now: &'a mut State,
    seed: u64,
}

impl<'a> Knot<'a> {
    pub(super) fn new(model: &'a Model, before: &'a State, now: &'a mut State, seed: u64) -> Knot<'a> {
        let (at, weather, people) = (now.at, now.weather, now.people);
        Knot { at, civil: civil(at), weather, people, model, before, now, seed }
    }

    /// Hours since the knot before; 0 at genesis.
    pub fn hours(&self) -> f64 {
        self.before.hours_to(self.now)
    }

    /// Sets a flow.
    pub fn set(&mut self, flow: Flow, to: f64) {
        if let Some(held) = self.now.flows.get_mut(flow.0) {
            *held = to;
        }
    }

    /// Sets a level.
    pub fn set_level(&mut self, level: Level, to: f64) {
        if let Some(held) = self.now.levels.get_mut(level.0) {
            *held = to;
        }
    }

    /// A level: as it was at the knot before, until it is set.
    pub fn level(&self, level: Level) -> f64 {
        of(&self.now.levels, level.0)
    }

    /// A flow that was set in this knot, or a sum of such, without what faults add.
    pub fn flow(&self, flow: Flow) -> f64 {
        match self.model.flows.get(flow.0) {
            Some(Source::Sum(parts)) => parts.iter().map(|(part, factor)| factor * self.flow(*part)).sum(),
            Some(Source::Part(..)) => 0.0,
            _ => of(&self.now.flows, flow.0),
        }
    }

    /// A stock at the knot before.
    pub fn stock_before(&self, stock: Stock) -> f64 {
        of(&self.before.stocks, stock.0)
    }

    /// How strongly a fault acted a quarter of an hour ago. So a fault that begins now changes no knot
    /// that is in use already, and what was shown stays shown.
    pub fn fault(&self, fault: Fault) -> f64 {
        let before = UtcMs(self.at.0 - KNOT_MS);
        self.model.faults.get(fault.0).map_or(0.0, |acts| acts.at(before))
    }

    /// From 0 up to 1, by chance, for this knot and key.
    pub fn draw(&self, key: &str) -> f64 {
        noise::draw(self.seed, noise::key(key), self.at.0.div_euclid(KNOT_MS))
    }

    /// From 0 up to 1, by chance, for this day and key.
    pub fn draw_of_day(&self, key: &str) -> f64 {
        noise::draw(self.seed, noise::key(key), self.civil.day)
    }

    /// From -1 to 1, wandering about once in so many hours.
    pub fn wander(&self, key: &str, hours: i64) -> f64 {
        noise::wander(self.seed, noise::key(key), self.at, hours.max(1) * 3_600_000)
    }
}

/// A moment, for what a point shows.
pub struct Moment<'a> {
    /// When.
    pub at: UtcMs,
    /// What the clock on the wall shows.
    pub civil: Civil,
    /// The weather.
    pub weather: Weather,
    /// Who is there.
    pub people: People,
    model: &'a Model,
    from: &'a State,
    to: &'a State,
    share: f64,
    seed: u64,
    flows: Vec<f64>,
    hours: Vec<f64>,
}

impl<'a> Moment<'a> {
    pub(super) fn new(
        model: &'a Model,
        from: &'a State,
        to: &'a State,
        at: UtcMs,
        seed: u64,
        flows: Vec<f64>,
        hours: Vec<f64>,
    ) -> Moment<'a> {
        let share = from.share_to(to, ms(at));
        let weather = between_weather(&from.weather, &to.weather, share);
        let people = between_people(&from.people, &to.people, share);
        Moment { at, civil: civil(at), weather, people, model, from, to, share, seed, flows, hours }
    }

    /// A flow now.
    pub fn flow(&self, flow: Flow) -> f64 {
        of(&self.flows, flow.0)
    }

    /// A stock now.
    pub fn stock(&self, stock: Stock) -> f64 {
        let parts = self.model.stocks.get(stock.0).map_or(&[][..], Vec::as_slice);
        of(&self.from.stocks, stock.0) + weigh(parts, &self.hours)
    }

    /// A stock at the knot before.
    pub fn stock_held(&self, stock: Stock) -> f64 {
        of(&self.from.stocks, stock.0)
    }

    /// A level now.
    pub fn level(&self, level: Level) -> f64 {
        between(of(&self.from.levels, level.0), of(&self.to.levels, level.0), self.share)
    }

    /// A level as it was at the knot before: for states and whatever moves in steps.
    pub fn held(&self, level: Level) -> f64 {
        of(&self.from.levels, level.0)
    }

    /// How strongly a fault acts now.
    pub fn fault(&self, fault: Fault) -> f64 {
        self.model.faults.get(fault.0).map_or(0.0, |acts| acts.at(self.at))
    }

    /// For how many hours in full strength a fault has acted in the last so many seconds.
    pub fn acted(&self, fault: Fault, seconds: i64) -> f64 {
        let from = UtcMs(self.at.0 - seconds.max(0) * 1_000);
        self.model.faults.get(fault.0).map_or(0.0, |acts| acts.hours(from, self.at))
    }

    /// From 0 up to 1, by chance, for each `number` of a key: the nth trip of a lift.
    pub fn draw_of(&self, key: u64, number: i64) -> f64 {
        noise::draw(self.seed, key, number)
    }

    /// From -1 to 1, wandering about once in so many seconds.
    pub fn wander(&self, key: u64, seconds: i64) -> f64 {
        noise::wander(self.seed, key, self.at, seconds.max(1) * 1_000)
    }

    /// From 0 up to 1, another one every so many seconds.
    pub fn draw(&self, key: u64, seconds: i64) -> f64 {
        noise::draw(self.seed, key, self.at.0.div_euclid(seconds.max(1) * 1_000))
    }
}

fn between(from: f64, to: f64, share: f64) -> f64 {
    from + (to - from) * share
}

fn between_weather(from: &Weather, to: &Weather, share: f64) -> Weather {
    Weather {
        temperature: between(from.temperature, to.temperature, share),
        humidity: between(from.humidity, to.humidity, share),
        sun: between(from.sun, to.sun, share),
        wet_bulb: between(from.wet_bulb, to.wet_bulb, share),
        mains_water: between(from.mains_water, to.mains_water, share),
    }
}

fn between_people(from: &People, to: &People, share: f64) -> People {
    People {
        outpatients: between(from.outpatients, to.outpatients, share),
        inpatients: between(from.inpatients, to.inpatients, share),
        ward_activity: between(from.ward_activity, to.ward_activity, share),
        staff: between(from.staff, to.staff, share),
        surgery: between(from.surgery, to.surgery, share),
        services: between(from.services, to.services, share),
    }
}
