//! What chillers, pumps, towers and the water between them tell.

use super::chillers::{CAPACITY, CHILLED, CONDENSER_PUMP, Chiller, Plant, SUPPLY, TOWER_FAN};
use super::desk::Desk;
use super::physics::{WATER, amperes, runs};
use super::season::Season;
use crate::sim::truth::{Build, Flow, Level, Moment, noise};

/// All points of the plant.
pub fn tell(build: &mut Build, plant: &Plant, season: Season) {
    let [first, second] = plant.chillers;
    first_chiller(&mut Desk::of(build, "chiller-1"), plant.cold, first);
    second_chiller(&mut Desk::of(build, "chiller-2"), plant.cold, second);
    for (chiller, asset) in [(first, "chilled-pump-1"), (second, "chilled-pump-2")] {
        chilled_pump(&mut Desk::of(build, asset), chiller);
    }
    for (chiller, asset) in [(first, "condenser-pump-1"), (second, "condenser-pump-2")] {
        condenser_pump(&mut Desk::of(build, asset), chiller.condenser_pump);
    }
    for (fan, asset) in plant.tower_fans.into_iter().zip(["tower-1", "tower-2"]) {
        tower(&mut Desk::of(build, asset), plant.cold, fan);
    }
    chilled_water(build, plant, season);
    condenser_water(&mut Desk::of(build, "condenser-water"), plant);
}

/// Chilled water where it leaves the first chiller, °C: the controller hunts a little.
fn supply(now: &Moment<'_>) -> f64 {
    const SLOW: u64 = 0x5A17;
    const QUICK: u64 = 0x5A18;
    SUPPLY + 0.3 * now.wander(SLOW, 1_900) + 0.07 * now.wander(QUICK, 45)
}

/// How much warmer water comes back than it went, K.
fn spread(now: &Moment<'_>, heat: Flow, water: Flow) -> f64 {
    let flows = now.flow(water);
    if flows > 0.1 { now.flow(heat) / (WATER * flows) } else { 0.0 }
}

fn running(now: &Moment<'_>, power: Flow) -> f64 {
    if now.flow(power) > 0.2 { 1.0 } else { 0.0 }
}

fn both(desk: &mut Desk<'_>, cold: Level, chiller: Chiller) {
    desk.tell("supply_temperature", move |now| supply(now) + now.level(chiller.warm));
    desk.tell("return_temperature", move |now| {
        supply(now) + now.level(chiller.warm) + spread(now, chiller.cooling, chiller.chilled)
    });
    desk.tell("running", move |now| running(now, chiller.power));
    desk.tell("power", move |now| now.flow(chiller.power));
    desk.tell("energy", move |now| now.stock(chiller.energy));
    desk.tell("chilled_flow", move |now| now.flow(chiller.chilled));
    desk.tell("condenser_in_temperature", move |now| now.level(cold));
    desk.tell("condenser_out_temperature", move |now| {
        now.level(cold) + spread(now, chiller.rejected, chiller.condenser)
    });
    desk.sense("condensing_temperature", 0.1, move |now| now.level(chiller.condensing));
    desk.waver("current", 0.006, move |now| amperes(now.flow(chiller.power)));
}

fn first_chiller(desk: &mut Desk<'_>, cold: Level, chiller: Chiller) {
    both(desk, cold, chiller);
    desk.tell("load", move |now| 100.0 * now.flow(chiller.cooling) / CAPACITY);
    desk.sense("evaporating_temperature", 0.1, move |now| now.level(chiller.evaporating));
    desk.tell("operating_hours", move |now| now.stock(chiller.hours));
    desk.tell("starts", move |now| now.held(chiller.starts));
    desk.fixed("alarm", 0.0);
}

fn second_chiller(desk: &mut Desk<'_>, cold: Level, chiller: Chiller) {
    both(desk, cold, chiller);
    desk.fixed("alarm", 0.0);
    desk.fixed("mode", 2.0);
    desk.fixed("fault_code", 0.0);
    desk.fixed("setpoint", SUPPLY);
    desk.tell("evaporator_flow", move |now| if now.flow(chiller.chilled) > 8.0 { 1.0 } else { 0.0 });
    desk.tell("state", move |now| if now.flow(chiller.power) > 0.2 { 3.0 } else { 1.0 });
    desk.tell("capacity", move |now| {
        let slide = 100.0 * now.flow(chiller.cooling) / CAPACITY * (1.0 + 0.22 * now.fault(chiller.lost));
        slide.clamp(0.0, 100.0)
    });
    // Gas leaves the evaporator with some superheat; with little refrigerant with much of it.
    desk.sense("suction_temperature_1", 0.15, move |now| {
        let on = running(now, chiller.power);
        now.level(chiller.evaporating) + on * (5.0 + 9.0 * now.fault(chiller.lost))
    });
    desk.sense("discharge_temperature_1", 0.3, move |now| {
        let on = running(now, chiller.power);
        let load = now.flow(chiller.cooling) / CAPACITY;
        now.level(chiller.condensing) + on * (14.0 + 8.0 * load + 14.0 * now.fault(chiller.lost))
    });
    desk.tell("compressor_starts_1", move |now| now.held(chiller.starts));
    desk.tell("compressor_hours_1", move |now| now.stock(chiller.hours));
}

/// As `danfoss/fc51` has it.
fn chilled_pump(desk: &mut Desk<'_>, chiller: Chiller) {
    let (pump, pumped, hours) = (chiller.chilled_pump, chiller.pumped, chiller.hours);
    let share = move |now: &Moment<'_>| now.flow(chiller.chilled) / CHILLED;
    desk.tell("running", move |now| runs(share(now)));
    desk.fixed("fault", 0.0);
    desk.tell("frequency", move |now| 50.0 * share(now).powf(0.8));
    desk.waver("current", 0.01, move |now| amperes(now.flow(pump)));
    desk.tell("motor_load", move |now| 78.0 * share(now));
    desk.sense("temperature", 0.5, move |now| 27.0 + 14.0 * share(now));
    desk.tell("operating_hours", move |now| now.stock(hours) * 1.02 + 140.0);
    desk.tell("energy", move |now| now.stock(pumped));
}

/// As `abb/acs550` has it.
fn condenser_pump(desk: &mut Desk<'_>, pump: Flow) {
    let share = move |now: &Moment<'_>| (now.flow(pump) / CONDENSER_PUMP).max(0.0).cbrt();
    desk.tell("running", move |now| runs(share(now)));
    desk.fixed("fault", 0.0);
    desk.tell("frequency", move |now| 50.0 * share(now));
    desk.tell("speed", move |now| 1_460.0 * share(now));
    desk.waver("current", 0.01, move |now| amperes(now.flow(pump)));
    desk.waver("torque", 0.01, move |now| 88.0 * share(now).powi(2));
    desk.tell("power", move |now| now.flow(pump));
    desk.sense("temperature", 0.4, move |now| 26.0 + 17.0 * share(now));
}

fn tower(desk: &mut Desk<'_>, cold: Level, fan: Flow) {
    let key = noise::key(desk.asset);
    desk.tell("running", move |now| if now.flow(fan) > 0.02 { 1.0 } else { 0.0 });
    desk.tell("fan_frequency", move |now| 50.0 * (now.flow(fan) / TOWER_FAN).max(0.0).cbrt());
    desk.tell("fan_power", move |now| now.flow(fan));
    desk.sense("basin_temperature", 0.1, move |now| now.level(cold));
    desk.tell("basin_level", move |now| 71.0 + 4.0 * now.wander(key, 1_300));
    desk.sense("vibration", 0.15, move |now| 0.5 + 0.6 * (now.flow(fan) / TOWER_FAN).max(0.0).cbrt());
}

/// What the clamp-on heat meter and the plant's controller say of the header.
fn chilled_water(build: &mut Build, plant: &Plant, season: Season) {
    let ([first, second], demand) = (plant.chillers, plant.demand);
    let water = build.total(&[first.chilled, second.chilled]);
    let volume = build.counter(water, 812_400.0);
    let taken = build.total(&[first.cooling, second.cooling]);
    let heat = build.counter(taken, 9_640_000.0);
    let mut desk = Desk::of(build, "chilled-water");
    desk.tell("supply_temperature", supply);
    desk.tell("return_temperature", move |now| supply(now) + spread(now, taken, water));
    desk.tell("flow", move |now| now.flow(water));
    desk.tell("power", move |now| now.flow(taken));
    desk.tell("volume", move |now| now.stock(volume));
    desk.tell("energy", move |now| now.stock(heat) * 0.003_6);
    desk.fixed("fault_code", 0.0);
    desk.waver("differential_pressure", 0.015, move |now| {
        85.0 + 60.0 * (now.flow(water) / (2.0 * CHILLED)).powi(2)
    });
    // Water that the chillers must have and nobody asks for.
    desk.waver("bypass_valve", 0.01, move |now| {
        let asked = now.flow(demand) / (WATER * 5.5);
        let spare = now.flow(water) - asked;
        (spare / now.flow(water).max(1.0) * 100.0).clamp(0.0, 98.0)
    });
    desk.tell("season", move |now| now.held(season.mode));
}

fn condenser_water(desk: &mut Desk<'_>, plant: &Plant) {
    let ([first, second], cold, made_up) = (plant.chillers, plant.cold, plant.made_up);
    let water = desk.build.total(&[first.condenser, second.condenser]);
    let heat = desk.build.total(&[first.rejected, second.rejected]);
    desk.tell("supply_temperature", move |now| now.level(cold));
    desk.tell("return_temperature", move |now| now.level(cold) + spread(now, heat, water));
    desk.tell("flow", move |now| now.flow(water));
    desk.tell("make_up", move |now| now.stock(made_up));
    let key = noise::key("condenser-water");
    desk.sense("conductivity", 12.0, move |now| 1_180.0 + 90.0 * now.wander(key, 50_000));
}
