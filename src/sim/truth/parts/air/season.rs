//! When the hospital is heated and when it is cooled: by the mean of the last days.

use super::physics::toward;
use crate::sim::truth::{Build, Knot, Level};

/// Cooling, neither, heating: what the plant is set to.
pub const COOLING: f64 = 1.0;
const NEITHER: f64 = 2.0;
pub const HEATING: f64 = 3.0;
/// Days count for about so many hours.
const MEMORY_H: f64 = 72.0;

/// The season and what it is told by.
#[derive(Clone, Copy)]
pub struct Season {
    pub mode: Level,
    mean: Level,
}

impl Season {
    pub fn add(build: &mut Build) -> Season {
        let season = Season { mode: build.level(NEITHER), mean: build.level(0.0) };
        build.step(move |knot| season.step(knot));
        season
    }

    fn step(self, knot: &mut Knot<'_>) {
        let (outside, hours) = (knot.weather.temperature, knot.hours());
        let first = hours <= 0.0;
        let mean = if first { outside } else { toward(knot.level(self.mean), outside, MEMORY_H, hours) };
        knot.set_level(self.mean, mean);
        // A degree or two back before it is undone, so that one cool night changes nothing.
        let heating = mean < if self.is(knot, HEATING) { 13.5 } else { 11.5 };
        let cooling = mean > if self.is(knot, COOLING) { 17.5 } else { 19.5 };
        let mode = match (heating, cooling) {
            (true, _) => HEATING,
            (_, true) => COOLING,
            _ => NEITHER,
        };
        knot.set_level(self.mode, mode);
    }

    pub fn is(self, knot: &Knot<'_>, mode: f64) -> bool {
        (knot.level(self.mode) - mode).abs() < 0.5
    }
}
