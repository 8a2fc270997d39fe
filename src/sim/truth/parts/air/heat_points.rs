//! What boilers, tanks, pumps, exchangers and collectors tell.

use super::desk::Desk;
use super::heat::{Boiler, FEED_TANK, HEATING_WATER, Heat, HeatPump, STEAM, celsius};
use super::physics::{WATER, runs};
use super::season::{HEATING, Season};
use crate::sim::truth::{Build, Flow, Moment};

/// All of it.
pub fn tell(build: &mut Build, heat: &Heat, season: Season) {
    let [first, second] = heat.boilers;
    let warm = build.total(&[heat.heating, heat.hot_water]);
    steam_boiler(&mut Desk::of(build, "boiler-1"), heat.steam, first);
    warm_boiler(&mut Desk::of(build, "boiler-2"), warm, second, season);
    steam_header(build, heat);
    for (pump, asset) in heat.pumps.into_iter().zip(["heating-pump-1", "heating-pump-2"]) {
        heating_pump(&mut Desk::of(build, asset), pump);
    }
    exchangers(build, heat, warm);
    hot_water(build, heat);
    solar(build, heat);
}

/// Pressure of the steam, kPa: the burner follows it up and down.
fn steam_pressure(now: &Moment<'_>, steam: Flow) -> f64 {
    const SLOW: u64 = 0x57EA;
    694.0 + 14.0 * now.wander(SLOW, 840) - 22.0 * now.flow(steam) / STEAM
}

/// Of the condensing boiler, °C: the colder outside, the warmer.
fn warm_set(now: &Moment<'_>) -> f64 {
    (70.0 - 0.6 * now.weather.temperature).clamp(62.0, 78.0)
}

/// What heat takes off the water of the boiler's circuit, K.
fn warm_spread(now: &Moment<'_>, warm: Flow) -> f64 {
    now.flow(warm) / (WATER * 34.0)
}

fn burner(desk: &mut Desk<'_>, boiler: Boiler) {
    desk.tell("gas_flow", move |now| now.flow(boiler.gas));
    desk.tell("gas_volume", move |now| now.stock(boiler.volume));
    desk.waver("firing_rate", 0.01, move |now| 98.0 * now.level(boiler.firing));
}

/// `honeywell/sola-r7910`, and what the boiler house has on it.
fn steam_boiler(desk: &mut Desk<'_>, steam: Flow, boiler: Boiler) {
    burner(desk, boiler);
    desk.waver("fan_speed", 0.01, move |now| 1_500.0 + 4_300.0 * now.level(boiler.firing));
    desk.sense("flame_signal", 0.3, |_| 7.8);
    desk.sense("flue_temperature", 1.0, move |now| 108.0 + 62.0 * now.level(boiler.firing));
    desk.tell("pressure", move |now| steam_pressure(now, steam) + 6.0);
    desk.fixed("pressure_setpoint", 700.5);
    desk.fixed("lockout_code", 0.0);
    desk.tell("cycles", move |now| now.level(boiler.cycles).floor());
    desk.tell("operating_hours", move |now| now.stock(boiler.hours));
    desk.fixed("burner_enabled", 1.0);
    desk.sense("water_level", 6.0, |_| 12.0);
    desk.sense("flue_oxygen", 0.15, move |now| 5.2 - 2.0 * now.level(boiler.firing));
}

/// `acv/prestige`.
fn warm_boiler(desk: &mut Desk<'_>, warm: Flow, boiler: Boiler, season: Season) {
    burner(desk, boiler);
    desk.tell("running", move |now| runs(now.level(boiler.firing)));
    desk.tell("heating_mode", move |now| if now.held(season.mode) >= HEATING { 1.0 } else { 0.0 });
    desk.fixed("dhw_mode", 1.0);
    desk.fixed("pump_system", 1.0);
    desk.fixed("fault_code", 0.0);
    desk.sense("supply_temperature", 0.2, warm_set);
    desk.sense("return_temperature", 0.2, move |now| warm_set(now) - warm_spread(now, warm));
    desk.sense("flue_temperature", 0.6, move |now| {
        warm_set(now) - warm_spread(now, warm) + 4.0 + 16.0 * now.level(boiler.firing)
    });
    desk.tell("setpoint", warm_set);
    desk.sense("outdoor_temperature", 0.2, |now| now.weather.temperature);
}

fn steam_header(build: &mut Build, heat: &Heat) {
    let (steam, total, tank) = (heat.steam, heat.steam_total, heat.feed_tank);
    let (filling, pump) = (heat.filling, heat.feed_pump);
    let mut desk = Desk::of(build, "steam-header");
    desk.tell("pressure", move |now| steam_pressure(now, steam) / 1_000.0);
    // Saturated: near 0.7 MPa gauge a further 0.1 MPa boils 4.6 K higher (IAPWS-IF97).
    desk.sense("temperature", 0.2, move |now| 170.4 + 0.046 * (steam_pressure(now, steam) - 700.0));
    desk.tell("flow", move |now| now.flow(steam));
    desk.tell("total", move |now| now.stock(total));
    desk.sense("condensate_temperature", 0.5, move |now| 82.0 + 6.0 * now.flow(steam) / STEAM);
    let mut desk = Desk::of(build, "feed-water-tank");
    desk.tell("level", move |now| 100.0 * now.stock(tank) / FEED_TANK);
    desk.sense("temperature", 0.3, move |now| 85.0 - 1.6 * now.flow(filling));
    desk.tell("filling", move |now| if now.flow(filling) > 0.05 { 1.0 } else { 0.0 });
    desk.tell("pump_power", move |now| now.flow(pump));
}

/// `grundfos/cim-pump`.
fn heating_pump(desk: &mut Desk<'_>, pump: HeatPump) {
    let share = move |now: &Moment<'_>| now.flow(pump.water) / HEATING_WATER;
    desk.tell("on", move |now| runs(share(now)));
    desk.fixed("fault", 0.0);
    desk.tell("flow", move |now| now.flow(pump.water));
    desk.waver("pressure", 0.01, move |now| 1.35 * share(now).powf(1.5));
    desk.tell("speed", move |now| 2_870.0 * share(now).powf(0.75));
    desk.tell("power", move |now| 1_000.0 * now.flow(pump.power));
    desk.tell("operating_hours", move |now| now.stock(pump.hours));
    desk.tell("energy", move |now| now.stock(pump.energy));
    desk.sense("motor_temperature", 0.3, move |now| 31.0 + 26.0 * share(now));
}

/// Between boiler and heating, and between boiler and hot water.
fn exchangers(build: &mut Build, heat: &Heat, warm: Flow) {
    let [one, two] = heat.pumps;
    let (heating, hot_water, [_, tank]) = (heat.heating, heat.hot_water, heat.tanks);
    let water = build.total(&[one.water, two.water]);
    let heated = move |now: &Moment<'_>| now.flow(heating) / (WATER * now.flow(water).max(1.0));
    let sent = |now: &Moment<'_>| (49.0 - 0.5 * now.weather.temperature).clamp(42.0, 56.0);
    let mut desk = Desk::of(build, "heating-exchanger");
    desk.sense("primary_supply_temperature", 0.2, warm_set);
    desk.sense("primary_return_temperature", 0.2, move |now| warm_set(now) - warm_spread(now, warm));
    desk.tell("supply_temperature", sent);
    desk.tell("return_temperature", move |now| sent(now) - heated(now));
    desk.tell("flow", move |now| now.flow(water));
    desk.tell("power", move |now| now.flow(heating));
    desk.waver("valve", 0.01, move |now| (8.0 + 0.16 * now.flow(heating)).min(98.0));
    let mut desk = Desk::of(build, "hot-water-exchanger");
    desk.sense("primary_supply_temperature", 0.2, warm_set);
    desk.sense("supply_temperature", 0.2, move |now| celsius(now, tank) + 2.5);
    desk.tell("power", move |now| now.flow(hot_water));
    desk.waver("valve", 0.01, move |now| (5.0 + 0.3 * now.flow(hot_water)).min(98.0));
}

fn hot_water(build: &mut Build, heat: &Heat) {
    let ([first, second], drawn, volume, pump) = (heat.tanks, heat.drawn, heat.volume, heat.round_pump);
    for (tank, asset, layered) in [(first, "hot-water-tank-1", 3.5), (second, "hot-water-tank-2", 1.6)] {
        let mut desk = Desk::of(build, asset);
        desk.sense("temperature_top", 0.1, move |now| celsius(now, tank) + layered);
        desk.sense("temperature_bottom", 0.1, move |now| celsius(now, tank) - layered);
    }
    let mut desk = Desk::of(build, "hot-water");
    desk.sense("supply_temperature", 0.15, move |now| celsius(now, second) - 0.8);
    desk.sense("return_temperature", 0.15, move |now| {
        celsius(now, second) - 4.4 - 1.2 / (0.5 + now.flow(drawn))
    });
    desk.tell("flow", move |now| now.flow(drawn));
    desk.tell("volume", move |now| now.stock(volume));
    let mut desk = Desk::of(build, "hot-water-pump");
    desk.fixed("on", 1.0);
    desk.fixed("fault", 0.0);
    desk.waver("flow", 0.01, |_| 2.9);
    desk.waver("pressure", 0.01, |_| 0.62);
    desk.waver("speed", 0.004, |_| 2_210.0);
    desk.tell("power", move |now| 1_000.0 * now.flow(pump));
    desk.sense("motor_temperature", 0.4, |_| 58.0);
    desk.sense("liquid_temperature", 0.15, move |now| celsius(now, second) - 5.2);
}

fn solar(build: &mut Build, heat: &Heat) {
    let ([tank, _], collector, pump) = (heat.tanks, heat.collector, heat.solar_pump);
    let (solar, energy) = (heat.solar, heat.solar_energy);
    let mut desk = Desk::of(build, "solar-collectors");
    desk.sense("collector_temperature", 0.3, move |now| now.level(collector));
    desk.sense("tank_temperature", 0.1, move |now| celsius(now, tank) - 3.5);
    desk.tell("pump", move |now| if now.flow(pump) > 0.05 { 1.0 } else { 0.0 });
    desk.tell("flow", move |now| 6.4 * now.flow(pump) / 0.75);
    desk.tell("power", move |now| now.flow(solar));
    desk.tell("energy", move |now| now.stock(energy));
    desk.sense("radiation", 2.0, |now| (now.weather.sun * 1.02).max(2.0));
    let mut desk = Desk::of(build, "weather-station");
    desk.sense("temperature", 0.15, |now| now.weather.temperature);
    desk.sense("humidity", 0.4, |now| now.weather.humidity);
    desk.tell("radiation", |now| now.weather.sun);
    desk.tell("wet_bulb_temperature", |now| now.weather.wet_bulb);
}
