//! Cold water: the tank with its float valve, and three booster sets.

use super::cycle::{MACHINES, leader, place};
use super::{flag, power, tell, towards};
use crate::sim::truth::parts::{Item, Supply, Use};
use crate::sim::truth::{Build, Fault, Flow, Level, Moment, Stock, noise};

const PLACE: &str = "energy-centre";
/// Ground of the tank, m2.
const AREA: f64 = 55.0;
/// The float valve opens below the first and has shut at the second, m3.
const VALVE: (f64, f64) = (112.0, 150.0);
/// The most the valve lets in, m3/h.
const INLET: f64 = 45.0;
/// One pump of the main set gives so much before the next one starts, m3/h.
const PUMP_EACH: f64 = 8.0;
/// The same of the second set.
const SECOND_EACH: f64 = 9.0;
/// What worn impellers add to the power and to the speed of a pump.
const WEAR_POWER: f64 = 0.30;
const WEAR_SPEED: f64 = 0.07;

/// What the boosters take of the tank, m3/h each.
#[derive(Clone, Copy)]
struct Drawn {
    main: Flow,
    second: Flow,
    third: Flow,
}

/// Adds it; what the buildings use, m3/h.
pub fn add(build: &mut Build, uses: &mut Vec<Use>) -> Flow {
    let drawn = Drawn { main: build.flow(), second: build.flow(), third: build.flow() };
    build.step(move |knot| {
        let people = knot.people;
        let beds = people.inpatients;
        let main = (1.6 + 15.0 * people.ward_activity * beds + 1.5 * people.services)
            * (1.0 + 0.08 * knot.wander("w1", 1));
        let second =
            (0.7 + 8.5 * people.outpatients + 2.5 * people.staff) * (1.0 + 0.08 * knot.wander("w2", 1));
        let third = (0.5 + 2.2 * people.ward_activity) * (1.0 + 0.08 * knot.wander("w3", 1));
        knot.set(drawn.main, main);
        knot.set(drawn.second, second);
        knot.set(drawn.third, third);
    });
    let used = build.total(&[drawn.main, drawn.second, drawn.third]);
    tank(build, used, uses);
    main_set(build, drawn.main, uses);
    second_set(build, drawn.second, uses);
    third_set(build, drawn.third, uses);
    used
}

fn tank(build: &mut Build, used: Flow, uses: &mut Vec<Use>) {
    let asset = "water-tank";
    let (inlet, open) = (build.flow(), build.level(0.0));
    let volume = build.stock(&[(inlet, 1.0), (used, -1.0)], 138.0);
    let (taken, given) = (build.counter(inlet, 151_200.0), build.counter(used, 151_062.0));
    let temperature = build.level(15.0);
    build.step(move |knot| {
        let content = knot.stock_before(volume);
        let (opens, shuts) = VALVE;
        let opened = if knot.level(open) > 0.5 { content < shuts } else { content < opens };
        knot.set_level(open, flag(opened));
        // The float throttles as it rises.
        knot.set(inlet, if opened { INLET.min(3.0 * (shuts + 5.0 - content)) } else { 0.0 });
        let to = 0.85 * knot.weather.mains_water + 0.15 * 20.0;
        let now = towards(knot.level(temperature), to, knot.hours(), 12.0);
        knot.set_level(temperature, now);
    });
    tell(build, asset, "volume", move |now| now.stock(volume));
    tell(build, asset, "level", move |now| now.stock(volume) / AREA);
    tell(build, asset, "inlet_flow", move |now| now.flow(inlet));
    tell(build, asset, "outlet_flow", move |now| now.flow(used));
    tell(build, asset, "inlet_volume", move |now| now.stock(taken));
    tell(build, asset, "outlet_volume", move |now| now.stock(given));
    tell(build, asset, "temperature", move |now| now.level(temperature));
    uses.push(Use {
        asset,
        building: PLACE,
        supply: Supply::Water,
        item: Item::Services,
        flow: inlet,
        vital: true,
    });
}

/// The pumps of the main set: as many as the flow needs, another one first each day.
#[derive(Clone, Copy)]
struct MainSet {
    flow: Flow,
    worn: Fault,
    hours: [Stock; MACHINES],
}

impl MainSet {
    /// Share of its duty that a pump carries, none if it stands.
    fn share(flow: f64, day: i64, number: usize) -> Option<f64> {
        let pumps = needed(flow, PUMP_EACH, 3.0);
        let first = f64::from(u32::try_from(place(number, leader(day))).unwrap_or(9));
        (first < pumps).then(|| flow / pumps / PUMP_EACH)
    }

    /// kW of a pump with such a share; the first is the one that wears.
    fn power(share: f64, number: usize, age: f64, worn: f64) -> f64 {
        let worn = if number == 0 { worn } else { 0.0 };
        (0.7 + 1.9 * share) * (1.0 + 1.5e-6 * age) * (1.0 + WEAR_POWER * worn)
    }

    fn told_share(self, now: &Moment<'_>, number: usize) -> Option<f64> {
        MainSet::share(now.flow(self.flow), now.civil.day, number)
    }

    fn told_power(self, now: &Moment<'_>, number: usize) -> f64 {
        let age = self.hours.get(number).map_or(0.0, |hours| now.stock(*hours));
        let worn = now.fault(self.worn);
        self.told_share(now, number).map_or(0.0, |share| 1_000.0 * MainSet::power(share, number, age, worn))
    }
}

fn main_set(build: &mut Build, flow: Flow, uses: &mut Vec<Use>) {
    let asset = "booster-1";
    let worn = build.fault("pump_wear", asset);
    let (drawn, starting) = (build.flow(), build.flow());
    let running: [Flow; MACHINES] = std::array::from_fn(|_| build.flow());
    let hours = [(0_usize, 8_420.0), (1, 8_390.0), (2, 8_455.0)]
        .map(|(number, first)| build.counter(running.get(number).copied().unwrap_or(drawn), first));
    let set = MainSet { flow, worn, hours };
    build.step(move |knot| {
        let (now, day, worn) = (knot.flow(flow), knot.civil.day, knot.fault(worn));
        let mut sum = 0.0;
        for (number, (run, hours)) in running.into_iter().zip(hours).enumerate() {
            let share = MainSet::share(now, day, number);
            knot.set(run, flag(share.is_some()));
            let age = knot.stock_before(hours);
            sum += share.map_or(0.0, |share| MainSet::power(share, number, age, worn));
        }
        knot.set(drawn, sum);
        knot.set(starting, 0.15 + 0.5 * knot.people.ward_activity);
    });
    let (energy, starts) = (build.counter(drawn, 96_140.0), build.counter(starting, 21_300.0));
    let key = noise::key(asset);
    tell(build, asset, "flow", move |now| now.flow(flow));
    tell(build, asset, "outlet_pressure", move |now| {
        5.70 + 0.05 * now.wander(key, 60) + 0.03 * now.wander(key ^ 1, 9)
    });
    tell(build, asset, "power", move |now| (0..MACHINES).map(|number| set.told_power(now, number)).sum());
    tell(build, asset, "energy", move |now| now.stock(energy));
    tell(build, asset, "starts", move |now| now.stock(starts).floor());
    tell(build, asset, "operating_hours", move |now| {
        hours.map(|hours| now.stock(hours)).iter().sum::<f64>() / 3.0
    });
    for (quantity, value) in [("running", 1.0), ("on", 1.0), ("fault", 0.0), ("alarm", 0.0)] {
        tell(build, asset, quantity, move |_| value);
    }
    for (number, hours) in hours.into_iter().enumerate() {
        tell_pump(build, asset, set, number, hours);
    }
    uses.push(power(asset, PLACE, Item::Machines, drawn, true));
}

fn tell_pump(build: &mut Build, asset: &str, set: MainSet, number: usize, hours: Stock) {
    let name = number + 1;
    tell(build, asset, &format!("pump_on_{name}"), move |now| flag(set.told_share(now, number).is_some()));
    tell(build, asset, &format!("pump_hours_{name}"), move |now| now.stock(hours));
    tell(build, asset, &format!("pump_power_{name}"), move |now| set.told_power(now, number));
    tell(build, asset, &format!("pump_speed_{name}"), move |now| {
        let worn = if number == 0 { WEAR_SPEED * now.fault(set.worn) } else { 0.0 };
        set.told_share(now, number).map_or(0.0, |share| (62.0 + 26.0 * share) * (1.0 + worn))
    });
}

/// How many pumps such a flow needs.
fn needed(flow: f64, each: f64, most: f64) -> f64 {
    (flow / each).ceil().clamp(1.0, most)
}

/// Two pumps with a drive each; the first of the day and, for much flow, the other.
fn second_set(build: &mut Build, flow: Flow, uses: &mut Vec<Use>) {
    let asset = "booster-2";
    let drawn = build.flow();
    let key = noise::key(asset);
    tell(build, asset, "flow", move |now| now.flow(flow));
    tell(build, asset, "outlet_pressure", move |now| {
        0.442 + 0.006 * now.wander(key, 50) + 0.002 * now.wander(key ^ 1, 8)
    });
    build.step(move |knot| {
        let pumps = needed(knot.flow(flow), SECOND_EACH, 2.0);
        knot.set(drawn, 0.5 * pumps + 0.21 * knot.flow(flow));
    });
    for (pump, number) in [("booster-2-pump-1", 0), ("booster-2-pump-2", 1)] {
        second_pump(build, pump, number, flow);
    }
    uses.push(power(asset, PLACE, Item::Machines, drawn, true));
}

fn second_pump(build: &mut Build, asset: &str, number: i64, flow: Flow) {
    let share = move |flow: f64, day: i64| {
        let pumps = needed(flow, SECOND_EACH, 2.0);
        (pumps > 1.5 || day.rem_euclid(2) == number).then(|| flow / pumps / SECOND_EACH)
    };
    let (running, warm) = (build.flow(), build.level(30.0));
    let hours = build.counter(running, if number == 0 { 6_720.0 } else { 6_644.0 });
    build.step(move |knot| {
        let share = share(knot.flow(flow), knot.civil.day);
        knot.set(running, flag(share.is_some()));
        let now = towards(
            knot.level(warm),
            22.0 + share.map_or(0.0, |share| 20.0 + 22.0 * share),
            knot.hours(),
            0.7,
        );
        knot.set_level(warm, now);
    });
    let key = noise::key(asset);
    let now_share = move |now: &Moment<'_>| share(now.flow(flow), now.civil.day);
    tell(build, asset, "running", move |now| flag(now_share(now).is_some()));
    tell(build, asset, "operating_hours", move |now| now.stock(hours));
    tell(build, asset, "frequency", move |now| {
        now_share(now).map_or(0.0, |share| 33.0 + 12.0 * share + 0.15 * now.wander(key, 8))
    });
    tell(build, asset, "current", move |now| {
        now_share(now).map_or(0.0, |share| 2.4 + 3.1 * share + 0.04 * now.wander(key ^ 1, 8))
    });
    tell(build, asset, "motor_temperature", move |now| now.level(warm));
    tell(build, asset, "fault_code", |_| 0.0);
}

/// One pump that never stops.
fn third_set(build: &mut Build, flow: Flow, uses: &mut Vec<Use>) {
    let asset = "booster-3";
    let (drawn, always, warm): (Flow, Flow, Level) = (build.flow(), build.flow(), build.level(38.0));
    let (energy, hours) = (build.counter(drawn, 7_930.0), build.counter(always, 12_240.0));
    let key = noise::key(asset);
    build.step(move |knot| {
        let flow = knot.flow(flow);
        knot.set(drawn, 0.28 + 0.19 * flow);
        knot.set(always, 1.0);
        let now = towards(knot.level(warm), 30.0 + 5.0 * flow, knot.hours(), 0.7);
        knot.set_level(warm, now);
    });
    tell(build, asset, "flow", move |now| now.flow(flow));
    tell(build, asset, "outlet_pressure", move |now| 4.10 + 0.05 * now.wander(key, 60));
    tell(build, asset, "power", move |now| 1_000.0 * now.flow(drawn));
    tell(build, asset, "energy", move |now| now.stock(energy));
    tell(build, asset, "operating_hours", move |now| now.stock(hours));
    tell(build, asset, "speed", move |now| 2_150.0 + 210.0 * now.flow(flow) + 6.0 * now.wander(key ^ 1, 6));
    tell(build, asset, "current", move |now| 0.7 + 0.42 * now.flow(flow) + 0.03 * now.wander(key ^ 2, 6));
    tell(build, asset, "motor_temperature", move |now| now.level(warm));
    for (quantity, value) in [("on", 1.0), ("fault", 0.0), ("alarm", 0.0), ("starts", 61.0)] {
        tell(build, asset, quantity, move |_| value);
    }
    uses.push(power(asset, PLACE, Item::Machines, drawn, true));
}
