//! Two chillers with their pumps and towers: heat out of the chilled water, into the condenser
//! water, into the air of the roof.
//!
//! The first runs always, for imaging, operating rooms and computers need cold in winter too; the
//! second comes when one alone would be above the load at which two do it with less power. What a
//! chiller gives off is what it takes up and its power, at every moment.
//!
//! A fouled condenser or lost refrigerant shows in the chiller and in the water that leaves its
//! condenser; the towers are taken to bear what little heat that adds.

use super::physics::toward;
use crate::sim::truth::parts::{Item, Supply, Use};
use crate::sim::truth::{Build, Fault, Flow, Knot, Level, Stock};

/// What one chiller can, kW; and the water through it then, m3/h.
pub const CAPACITY: f64 = 640.0;
pub const CHILLED: f64 = 100.0;
const CONDENSER: f64 = 132.0;
/// Least water through a chiller, a share.
const CHILLED_LEAST: f64 = 0.32;
/// Chilled water as it is asked for, °C.
pub const SUPPLY: f64 = 7.0;
/// The second chiller comes and goes at these loads of the first alone.
const COME: f64 = 0.5;
const GO: f64 = 0.4;
/// Condenser water as the towers are asked for it, and where they are passed by, °C.
const CONDENSER_SET: f64 = 24.0;
const CONDENSER_LEAST: f64 = 18.0;
/// Towers come so near to the wet bulb with all their fans, at full load, K.
const APPROACH: f64 = 3.6;
/// Pumps and fans at full speed, kW.
const CHILLED_PUMP: f64 = 13.5;
pub const CONDENSER_PUMP: f64 = 15.5;
pub const TOWER_FAN: f64 = 9.0;
/// m3 evaporated, drifted and drained for each kWh given off: at 680 kWh/m3, and a third more.
const MAKE_UP: f64 = 0.001_95;

/// One of the two.
#[derive(Clone, Copy)]
pub struct Chiller {
    pub on: Level,
    pub starts: Level,
    /// How far the water in it has warmed while it stood, K.
    pub warm: Level,
    /// °C.
    pub evaporating: Level,
    pub condensing: Level,
    /// kW.
    pub cooling: Flow,
    pub power: Flow,
    pub rejected: Flow,
    /// m3/h.
    pub chilled: Flow,
    pub condenser: Flow,
    pub chilled_pump: Flow,
    pub pumped: Stock,
    pub condenser_pump: Flow,
    pub hours: Stock,
    pub energy: Stock,
    pub fouled: Fault,
    pub lost: Fault,
    running: Flow,
}

/// What both share.
#[derive(Clone, Copy)]
pub struct Plant {
    pub demand: Flow,
    pub chillers: [Chiller; 2],
    /// Condenser water to the chillers, °C, and how fast the fans of the towers turn, a share.
    pub cold: Level,
    pub fans: Level,
    pub tower_fans: [Flow; 2],
    /// m3/h and m3.
    pub make_up: Flow,
    pub made_up: Stock,
}

impl Plant {
    /// Adds it; `demand` is what has to be cooled, kW.
    pub fn add(build: &mut Build, demand: Flow) -> Plant {
        let make_up = build.flow();
        let plant = Plant {
            demand,
            chillers: [Chiller::add(build, "chiller-1", 1.0), Chiller::add(build, "chiller-2", 0.0)],
            cold: build.level(CONDENSER_SET),
            fans: build.level(0.3),
            tower_fans: [build.flow(), build.flow()],
            make_up,
            made_up: build.counter(make_up, 18_240.0),
        };
        build.step(move |knot| plant.step(knot));
        plant
    }

    fn step(&self, knot: &mut Knot<'_>) {
        let [first, second] = self.chillers;
        let load = knot.flow(self.demand) / CAPACITY;
        let was = knot.level(second.on) > 0.5;
        let on = load > if was { GO } else { COME };
        let count = if on { 2.0 } else { 1.0 };
        let share = load / count;
        let heat = self.condense(knot, share, count);
        for (chiller, on) in [(first, true), (second, on)] {
            chiller.step(knot, on, share, knot.level(self.cold));
        }
        knot.set(self.make_up, heat * MAKE_UP);
        for (fan, on) in self.tower_fans.into_iter().zip([true, on]) {
            let speed = knot.level(self.fans);
            knot.set(fan, if on { TOWER_FAN * speed.powi(3) } else { 0.0 });
        }
    }

    /// Towers: condenser water as near to what is wanted as fans and wet bulb let it. What they give
    /// off, kW, with chillers that are sound.
    fn condense(&self, knot: &mut Knot<'_>, share: f64, count: f64) -> f64 {
        let drawn = share * CAPACITY / performance(share, knot.level(self.cold), 0.0, 0.0);
        let heat = share * CAPACITY + drawn;
        let wet = knot.weather.wet_bulb;
        let near = APPROACH * (heat / (1.2 * CAPACITY)).powf(0.8);
        let room = (CONDENSER_SET - wet).max(0.1);
        let fans = (near / room).powf(1.1).clamp(0.22, 1.0);
        let water = (wet + near / fans.powf(0.9)).max(CONDENSER_LEAST);
        let hours = knot.hours();
        knot.set_level(self.fans, toward(knot.level(self.fans), fans, 0.3, hours));
        knot.set_level(self.cold, toward(knot.level(self.cold), water, 0.4, hours));
        heat * count
    }

    /// What it draws.
    pub fn uses(&self) -> Vec<Use> {
        let draws = |asset, flow| Use {
            asset,
            building: "main-building",
            supply: Supply::Power,
            item: Item::CoolingHeating,
            flow,
            vital: false,
        };
        let [first, second] = self.chillers;
        let mut uses: Vec<Use> = [
            ("chiller-1", first.power),
            ("chiller-2", second.power),
            ("chilled-pump-1", first.chilled_pump),
            ("chilled-pump-2", second.chilled_pump),
            ("condenser-pump-1", first.condenser_pump),
            ("condenser-pump-2", second.condenser_pump),
            ("tower-1", self.tower_fans[0]),
            ("tower-2", self.tower_fans[1]),
        ]
        .map(|(asset, flow)| draws(asset, flow))
        .to_vec();
        uses.push(Use { supply: Supply::Water, ..draws("condenser-water", self.make_up) });
        uses
    }
}

impl Chiller {
    fn add(build: &mut Build, asset: &'static str, on: f64) -> Chiller {
        let (cooling, power, running) = (build.flow(), build.flow(), build.flow());
        let chilled_pump = build.flow();
        Chiller {
            on: build.level(on),
            starts: build.level(if on > 0.5 { 1_418.0 } else { 1_126.0 }),
            warm: build.level(0.0),
            evaporating: build.level(5.5),
            condensing: build.level(30.0),
            cooling,
            power,
            rejected: build.total(&[cooling, power]),
            chilled: build.flow(),
            condenser: build.flow(),
            chilled_pump,
            pumped: build.counter(chilled_pump, 96_400.0 * (0.4 + 0.6 * on)),
            condenser_pump: build.flow(),
            hours: build.counter(running, if on > 0.5 { 31_870.0 } else { 14_215.0 }),
            energy: build.counter(power, if on > 0.5 { 1_962_400.0 } else { 842_700.0 }),
            fouled: build.fault("fouled_condenser", asset),
            lost: build.fault("refrigerant_loss", asset),
            running,
        }
    }

    fn step(&self, knot: &mut Knot<'_>, on: bool, share: f64, cold: f64) {
        let hours = knot.hours();
        let (fouled, lost) = (knot.fault(self.fouled), knot.fault(self.lost));
        let was = knot.level(self.on) > 0.5;
        if on && !was {
            knot.set_level(self.starts, knot.level(self.starts) + 1.0);
        }
        let running = if on { 1.0 } else { 0.0 };
        let water = running * (share / 0.97).powf(0.85).clamp(CHILLED_LEAST, 1.0);
        let rest = running * (0.6 + 0.4 * share.min(1.0));
        let cooling = running * share * CAPACITY;
        knot.set(self.cooling, cooling);
        knot.set(self.power, cooling / performance(share, cold, fouled, lost));
        knot.set(self.chilled, CHILLED * water);
        knot.set(self.condenser, CONDENSER * rest);
        knot.set(self.chilled_pump, CHILLED_PUMP * water.powf(2.4));
        knot.set(self.condenser_pump, CONDENSER_PUMP * rest.powi(3));
        knot.set(self.running, running);
        knot.set_level(self.on, running);
        let warm = if on { 0.0 } else { 9.0 };
        knot.set_level(self.warm, toward(knot.level(self.warm), warm, if on { 0.15 } else { 5.0 }, hours));
        // A machine that stands is as warm as its room.
        let (boils, melts) =
            if on { (evaporating(lost), condensing(share, cold, fouled) - 1.5 * lost) } else { (21.0, 23.0) };
        let tau = if on { 0.15 } else { 1.5 };
        knot.set_level(self.evaporating, toward(knot.level(self.evaporating), boils, tau, hours));
        knot.set_level(self.condensing, toward(knot.level(self.condensing), melts, tau, hours));
    }
}

/// Where the refrigerant boils, °C; with too little of it, lower.
fn evaporating(lost: f64) -> f64 {
    SUPPLY - 1.5 - 5.0 * lost
}

/// Where it condenses, °C: above the water that leaves by an approach that grows with load and dirt.
fn condensing(share: f64, cold: f64, fouled: f64) -> f64 {
    cold + 5.2 * share + 0.8 + 2.0 * share + fouled * (5.0 + 4.0 * share)
}

/// Coefficient of performance: a part of Carnot's between both temperatures, with 5 K more lift for
/// what flows inside; best near two thirds of the load. The numbers are chosen so that a new
/// machine has about 4.9 at full load in summer and 8 at part load in winter.
fn performance(share: f64, cold: f64, fouled: f64, lost: f64) -> f64 {
    let boils = evaporating(lost);
    let lift = (condensing(share, cold, fouled) - boils + 5.0).max(8.0);
    let part = 0.64 * (1.0 - 0.35 * (share - 0.65).powi(2)) * (1.0 - 0.3 * lost);
    part * (boils + 273.15) / lift
}
