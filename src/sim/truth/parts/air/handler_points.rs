//! What the controllers of the air handlers tell. Without current fans stand, valves and dampers shut and
//! the controller complains, at once; temperatures follow.

use super::desk::Desk;
use super::handler::{GROWTH, Handler};
use super::physics::{flag, runs};
use super::zones::{Kind, Outdoor};
use crate::sim::truth::{Build, Level, Moment, noise};

/// A filter with so many times the resistance of a new one is said to be clogged.
const CLOGGED: f64 = 1.8;

/// All points of an air handler.
pub fn tell(build: &mut Build, handler: Handler) {
    let mut desk = Desk::of(build, handler.zone.handler);
    match handler.zone.kind {
        Kind::First => {
            own(&mut desk, handler);
            desk.fixed("fan_stage", 5.0);
        }
        Kind::Own => {
            own(&mut desk, handler);
            desk.tell("fault", move |now| flag(stands(now, handler)));
        }
        Kind::Komfovent => komfovent(&mut desk, handler),
    }
}

/// Air and the drop over the filter waver together.
fn air(desk: &mut Desk<'_>, handler: Handler, flow: &str) {
    let key = noise::key(handler.zone.handler);
    desk.tell(flow, move |now| moved(now, handler, handler.air) * (1.0 + 0.008 * now.wander(key, 31)));
    if handler.zone.kind != Kind::Komfovent {
        desk.tell("filter_pressure_drop", move |now| {
            moved(now, handler, handler.filter) * (1.0 + 0.011 * now.wander(key, 31))
        });
    }
}

/// Static pressure behind the fan, held by its speed.
fn duct(now: &Moment<'_>, handler: Handler) -> f64 {
    let share = moved(now, handler, handler.air) / handler.zone.air;
    0.42 * handler.zone.pressure * share
}

/// What there is only while its fans have current.
fn moved(now: &Moment<'_>, handler: Handler, level: Level) -> f64 {
    now.level(level) * handler.moves(now)
}

fn turns(now: &Moment<'_>, handler: Handler) -> f64 {
    runs(moved(now, handler, handler.speed))
}

/// It is asked to run and does not.
fn stands(now: &Moment<'_>, handler: Handler) -> bool {
    runs(now.level(handler.speed)) > turns(now, handler)
}

fn own(desk: &mut Desk<'_>, handler: Handler) {
    let outdoor_only = handler.zone.outdoor == Outdoor::Fixed(1.0);
    air(desk, handler, "supply_air_flow");
    desk.sense("supply_air_temperature", 0.1, move |now| now.level(handler.supply));
    desk.sense("return_air_temperature", 0.08, move |now| {
        now.level(handler.room) + now.level(handler.moved) + 0.4
    });
    desk.sense("mixed_air_temperature", 0.15, move |now| now.level(handler.mixed));
    desk.waver("cooling_valve", 0.01, move |now| 99.0 * moved(now, handler, handler.cooling_valve));
    desk.waver("heating_valve", 0.01, move |now| 99.0 * moved(now, handler, handler.heating_valve));
    desk.tell("outdoor_damper", move |now| {
        100.0 * if outdoor_only { turns(now, handler) } else { moved(now, handler, handler.damper) }
    });
    desk.waver("static_pressure", 0.01, move |now| duct(now, handler));
    desk.tell("fan_frequency", move |now| 50.0 * moved(now, handler, handler.speed));
    desk.tell("fan_power", move |now| now.flow(handler.fan));
    desk.tell("fan_energy", move |now| now.stock(handler.energy));
    desk.tell("fan_hours", move |now| now.stock(handler.hours));
    desk.tell("fan_running", move |now| turns(now, handler));
    desk.tell("mode", move |now| turns(now, handler));
    desk.tell("filter_clogged", move |now| flag(now.level(handler.worn) > CLOGGED));
}

fn komfovent(desk: &mut Desk<'_>, handler: Handler) {
    air(desk, handler, "supply_flow");
    desk.waver("extract_flow", 0.008, move |now| 0.96 * moved(now, handler, handler.air));
    desk.sense("supply_temperature", 0.1, move |now| now.level(handler.supply));
    desk.sense("extract_temperature", 0.08, move |now| {
        now.level(handler.room) + now.level(handler.moved) + 0.4
    });
    desk.sense("outdoor_temperature", 0.15, |now| now.weather.temperature);
    desk.tell("fan_running", move |now| turns(now, handler));
    desk.tell("alarm", move |now| flag(now.level(handler.worn) > CLOGGED || stands(now, handler)));
    desk.tell("supply_fan", move |now| 100.0 * moved(now, handler, handler.speed));
    desk.waver("heat_exchanger", 0.01, move |now| 99.0 * moved(now, handler, handler.wheel));
    desk.waver("heating_valve", 0.01, move |now| 99.0 * moved(now, handler, handler.heating_valve));
    desk.waver("cooling_valve", 0.01, move |now| 99.0 * moved(now, handler, handler.cooling_valve));
    desk.tell("filter", move |now| (80.0 * (now.level(handler.worn) - 1.0) / GROWTH).clamp(0.0, 100.0));
    desk.waver("supply_pressure", 0.01, move |now| duct(now, handler));
    desk.tell("power", move |now| 1_000.0 * now.flow(handler.fan));
    desk.tell("energy", move |now| now.stock(handler.energy));
}
