//! Heat: a steam boiler for sterilizers, laundry, kitchen and humid air; a condensing boiler for
//! heating and hot water; tanks that the sun warms first.
//!
//! Tanks are stocks of heat, so that what comes in is what goes out and what they keep, exactly.

use super::physics::{GAS, WATER, toward};
use super::season::{HEATING, Season};
use crate::sim::truth::parts::{Item, Supply, Use};
use crate::sim::truth::{Build, Flow, Knot, Level, Moment, Stock};

/// Water in each hot water tank, m3, and its heat at 0 °C taken for nothing.
const TANK: f64 = 10.0;
/// What the boiler holds the second tank at, °C.
const HOT: f64 = 58.0;
/// What pipes lose in which water goes round, kW.
const ROUND: f64 = 11.0;
/// Collectors, m2; what they take in and lose of it: EN ISO 9806 shape, numbers of a usual flat plate.
const COLLECTORS: f64 = 180.0;
const TAKES: f64 = 0.76;
const LOSES: f64 = 0.004_2;
/// What both boilers can: kW, and t/h of steam.
pub const BOILER: f64 = 720.0;
pub const STEAM: f64 = 2.0;
/// From feed water of 85 °C to steam of 0.7 MPa: kW for a t/h.
const EVAPORATION: f64 = 2_412.0 / 3.6;
/// Feed water for steam and what is blown down; condensate that comes back.
const FED: f64 = 1.04;
const BACK: f64 = 0.65;
/// The feed water tank, m3: where filling begins and ends, and how fast it is, m3/h.
pub const FEED_TANK: f64 = 6.0;
const FILLING: (f64, f64, f64) = (3.6, 5.1, 2.4);
/// Pumps and burners at their most, kW.
const HEATING_PUMP: f64 = 4.8;
const BURNER: f64 = 5.2;
const FEED_PUMP: f64 = 2.6;
/// Heating water at a pump's most, m3/h.
pub const HEATING_WATER: f64 = 26.0;

/// All of it.
#[derive(Clone, Copy)]
pub struct Heat {
    /// Heating, kW, and the water that carries it, m3/h.
    pub heating: Flow,
    pub pumps: [HeatPump; 2],
    /// Hot water drawn, m3/h and m3.
    pub drawn: Flow,
    pub volume: Stock,
    /// Heat in the tanks, kWh; the first is warmed by the sun.
    pub tanks: [Stock; 2],
    pub solar: Flow,
    pub solar_energy: Stock,
    pub collector: Level,
    pub hot_water: Flow,
    /// The boilers: steam in t/h, heat in kW, gas in m3/h.
    pub steam: Flow,
    pub boilers: [Boiler; 2],
    pub steam_total: Stock,
    pub feed_tank: Stock,
    pub filling: Flow,
    /// What they turn with, kW.
    pub feed_pump: Flow,
    pub round_pump: Flow,
    pub solar_pump: Flow,
    consumers: [Flow; 3],
    to_second: Flow,
    refills: Level,
}

/// A boiler.
#[derive(Clone, Copy)]
pub struct Boiler {
    /// Share of its most.
    pub firing: Level,
    pub gas: Flow,
    pub volume: Stock,
    pub hours: Stock,
    pub cycles: Level,
    pub burner: Flow,
    running: Flow,
}

/// A pump of the heating.
#[derive(Clone, Copy)]
pub struct HeatPump {
    /// m3/h and kW.
    pub water: Flow,
    pub power: Flow,
    pub hours: Stock,
    pub energy: Stock,
    running: Flow,
}

impl Heat {
    /// Adds it; `heating` is what air handlers and radiators need, kW, `humid` steam for the air, t/h.
    pub fn add(build: &mut Build, heating: Flow, humid: Flow, season: Season) -> Heat {
        let consumers = [build.flow(), build.flow(), build.flow()];
        let [sterile, laundry, kitchen] = consumers;
        let steam = build.total(&[sterile, laundry, kitchen, humid]);
        let (drawn, solar, hot_water, filling) = (build.flow(), build.flow(), build.flow(), build.flow());
        let (cold_heat, to_second, drawn_heat, lost) =
            (build.flow(), build.flow(), build.flow(), build.flow());
        let first = build.stock(&[(solar, 1.0), (cold_heat, 1.0), (to_second, -1.0)], TANK * WATER * 30.0);
        let flows = [(to_second, 1.0), (hot_water, 1.0), (drawn_heat, -1.0), (lost, -1.0)];
        let second = build.stock(&flows, TANK * WATER * HOT);
        let water = [(filling, 1.0), (steam, BACK - FED)];
        let heat = Heat {
            heating,
            pumps: [HeatPump::add(build, 21_400.0), HeatPump::add(build, 13_900.0)],
            drawn,
            volume: build.counter(drawn, 61_300.0),
            tanks: [first, second],
            solar,
            solar_energy: build.counter(solar, 184_000.0),
            collector: build.level(20.0),
            hot_water,
            steam,
            boilers: [Boiler::add(build, 26_100.0, 188_000.0), Boiler::add(build, 17_900.0, 402_000.0)],
            steam_total: build.counter(steam, 15_820.0),
            feed_tank: build.stock(&water, 4.4),
            filling,
            feed_pump: build.flow(),
            round_pump: build.flow(),
            solar_pump: build.flow(),
            consumers,
            to_second,
            refills: build.level(0.0),
        };
        let tank_flows = [cold_heat, drawn_heat, lost];
        build.step(move |knot| heat.step(knot, season, tank_flows));
        heat
    }

    fn step(&self, knot: &mut Knot<'_>, season: Season, tank_flows: [Flow; 3]) {
        self.draw_steam(knot);
        self.draw_water(knot, tank_flows);
        self.fill(knot);
        let steam = knot.flow(self.steam);
        let [first, second] = self.boilers;
        first.burn(knot, steam * EVAPORATION, STEAM * EVAPORATION, 0.905 + 0.02 * steam / STEAM);
        let warm = knot.flow(self.heating) + knot.flow(self.hot_water);
        // Cooler water from a lower load lets more of the flue gas condense.
        second.burn(knot, warm, BOILER, 0.985 - 0.05 * warm / BOILER);
        knot.set(self.feed_pump, FEED_PUMP * (0.3 + 0.7 * steam / STEAM));
        let heating = knot.flow(self.heating);
        let most = 2.0 * HEATING_WATER * WATER * 9.0;
        let share = (heating / most).max(if season.is(knot, HEATING) { 0.3 } else { 0.14 });
        let [one, two] = self.pumps;
        let second_runs = share > 0.42;
        let each = if second_runs { share } else { 2.0 * share };
        one.turn(knot, each.clamp(0.25, 1.0));
        two.turn(knot, if second_runs { each.clamp(0.25, 1.0) } else { 0.0 });
    }

    /// Steam to sterilizers, laundry and kitchen, t/h.
    fn draw_steam(&self, knot: &mut Knot<'_>) {
        let busy = knot.people.services;
        let batch = |knot: &Knot<'_>, key: &str| 0.75 + 0.5 * knot.draw(key);
        let sterile = (0.08 + 0.34 * knot.people.surgery.max(0.6 * busy)) * batch(knot, "sterile steam");
        let laundry = (0.02 + 0.36 * busy) * batch(knot, "laundry steam");
        let kitchen = (0.05 + 0.22 * knot.people.ward_activity) * batch(knot, "kitchen steam");
        for (flow, tons) in self.consumers.into_iter().zip([sterile, laundry, kitchen]) {
            knot.set(flow, tons);
        }
    }

    /// Hot water through both tanks; sun, then boiler.
    fn draw_water(&self, knot: &mut Knot<'_>, [cold_heat, drawn_heat, lost]: [Flow; 3]) {
        let people = knot.people;
        let drawn = (0.25 + 1.7 * people.ward_activity + 0.7 * people.services + 0.25 * people.staff)
            * (0.85 + 0.3 * knot.draw("hot water"));
        let [first, second] = self.tanks.map(|tank| knot.stock_before(tank) / (TANK * WATER));
        let (outside, sun) = (knot.weather.temperature, knot.weather.sun);
        // The collectors run some degrees above the tank; at 80 °C the pump stops.
        let plate = first + 7.0;
        let taken = COLLECTORS * (TAKES * sun / 1_000.0 - LOSES * (plate - outside));
        let taken = if taken > 4.0 && first < 80.0 { taken } else { 0.0 };
        let still = outside + 0.045 * sun;
        let plate = if taken > 0.0 { plate + 3.0 + taken / 25.0 } else { still };
        let carried = drawn * WATER;
        let short = (HOT - second) * TANK * WATER + carried * (HOT - first) + ROUND;
        let level = toward(knot.level(self.collector), plate, 0.3, knot.hours());
        knot.set_level(self.collector, level);
        knot.set(self.drawn, drawn);
        knot.set(self.solar, taken);
        knot.set(self.solar_pump, if taken > 0.0 { 0.75 } else { 0.0 });
        knot.set(self.round_pump, 0.9);
        knot.set(cold_heat, carried * knot.weather.mains_water);
        knot.set(self.to_second, carried * first);
        knot.set(drawn_heat, carried * second);
        knot.set(lost, ROUND);
        knot.set(self.hot_water, short.clamp(0.0, 300.0));
    }

    /// The feed water tank is filled from half empty to nearly full.
    fn fill(&self, knot: &mut Knot<'_>) {
        let held = knot.stock_before(self.feed_tank);
        let (begin, end, rate) = FILLING;
        let fills = knot.level(self.refills) > 0.5;
        let fills = held < if fills { end } else { begin };
        knot.set_level(self.refills, if fills { 1.0 } else { 0.0 });
        knot.set(self.filling, if fills { rate } else { 0.0 });
    }

    /// What it draws and who draws steam from it.
    pub fn uses(&self, humid: Flow) -> Vec<Use> {
        let draws = |asset, supply, flow| Use {
            asset,
            building: "energy-centre",
            supply,
            item: Item::CoolingHeating,
            flow,
            vital: false,
        };
        let [steam, warm] = self.boilers;
        let [sterile, laundry, kitchen] = self.consumers;
        let service = |asset, building, flow| Use {
            building,
            item: Item::Services,
            ..draws(asset, Supply::Steam, flow)
        };
        vec![
            draws("boiler-1", Supply::Power, steam.burner),
            draws("boiler-2", Supply::Power, warm.burner),
            draws("boiler-1", Supply::Gas, steam.gas),
            draws("boiler-2", Supply::Gas, warm.gas),
            draws("feed-water-tank", Supply::Power, self.feed_pump),
            draws("feed-water-tank", Supply::Water, self.filling),
            draws("heating-pump-1", Supply::Power, self.pumps[0].power),
            draws("heating-pump-2", Supply::Power, self.pumps[1].power),
            draws("hot-water-pump", Supply::Power, self.round_pump),
            draws("solar-collectors", Supply::Power, self.solar_pump),
            draws("hot-water", Supply::Water, self.drawn),
            service("sterile-store", "technology-building", sterile),
            service("laundry", "energy-centre", laundry),
            service("kitchen", "main-building", kitchen),
            Use { item: Item::Clean, ..service("steam-header", "main-building", humid) },
        ]
    }
}

/// °C in a hot water tank.
pub fn celsius(now: &Moment<'_>, tank: Stock) -> f64 {
    now.stock(tank) / (TANK * WATER)
}

impl Boiler {
    fn add(build: &mut Build, hours: f64, volume: f64) -> Boiler {
        let (gas, running) = (build.flow(), build.flow());
        Boiler {
            firing: build.level(0.3),
            gas,
            volume: build.counter(gas, volume),
            hours: build.counter(running, hours),
            cycles: build.level((hours / 4.0).floor()),
            burner: build.flow(),
            running,
        }
    }

    /// Gives off `heat` of at most `most` kW.
    fn burn(&self, knot: &mut Knot<'_>, heat: f64, most: f64, efficiency: f64) {
        let firing = (heat / most).clamp(0.0, 1.0);
        // Below a fifth it goes on and off.
        let on = (firing / 0.2).min(1.0);
        let cycles = if on < 1.0 { 3.0 * knot.hours() } else { 0.0 };
        knot.set_level(self.cycles, knot.level(self.cycles) + cycles);
        knot.set_level(self.firing, firing);
        knot.set(self.gas, heat / (efficiency * GAS));
        knot.set(self.burner, BURNER * firing.powi(2) + 0.3);
        knot.set(self.running, on);
    }
}

impl HeatPump {
    fn add(build: &mut Build, hours: f64) -> HeatPump {
        let (power, running) = (build.flow(), build.flow());
        HeatPump {
            water: build.flow(),
            power,
            hours: build.counter(running, hours),
            energy: build.counter(power, hours * 1.9),
            running,
        }
    }

    fn turn(&self, knot: &mut Knot<'_>, share: f64) {
        knot.set(self.water, HEATING_WATER * share);
        knot.set(self.power, HEATING_PUMP * share.powf(2.5));
        knot.set(self.running, if share > 0.0 { 1.0 } else { 0.0 });
    }
}
