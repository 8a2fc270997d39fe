//! Cooling, heating and the air of the rooms.
//!
//! Read `physics` and `zones` (what the air handlers serve), `handler` (an air handler and its rooms),
//! `chillers` (where the heat goes) and `heat` (where it comes from), `rooms`; files with `points` in
//! their names say what of it the instruments show. What rooms gain and lose makes the load of the
//! air handlers, theirs that of chillers and boilers, theirs that of towers, power and gas.

mod chiller_points;
mod chillers;
mod desk;
mod handler;
mod handler_points;
mod heat;
mod heat_points;
mod physics;
mod rooms;
mod season;
#[cfg(test)]
mod tests;
mod zones;

use super::{Item, Supply, Use};
use crate::sim::truth::{Build, Flow};
use handler::Handler;
use zones::ZONES;

/// Imaging, computers and rooms inside the buildings are cooled all the year, kW: always, and with
/// the outpatient departments full.
const PROCESS: (f64, f64) = (220.0, 100.0);

/// Adds it; returns what it draws.
pub fn add(build: &mut Build) -> Vec<Use> {
    let season = season::Season::add(build);
    let used = rooms::theatres(build);
    let [_, _, third, fourth] = used;
    let handlers: Vec<Handler> =
        ZONES.iter().map(|zone| Handler::add(build, zone, season, [third, fourth])).collect();
    let process = build.flow();
    build.step(move |knot| {
        let (always, busy) = PROCESS;
        knot.set(process, always + busy * knot.people.outpatients);
    });
    let mut cooled: Vec<Flow> = handlers.iter().map(|handler| handler.cooling).collect();
    cooled.push(process);
    let demand = build.total(&cooled);
    let heating = build.total(&handlers.iter().map(|handler| handler.heating).collect::<Vec<_>>());
    let humid = build.total(&handlers.iter().map(|handler| handler.steam).collect::<Vec<_>>());
    let plant = chillers::Plant::add(build, demand);
    let heat = heat::Heat::add(build, heating, humid, season);
    for handler in &handlers {
        handler_points::tell(build, *handler);
    }
    chiller_points::tell(build, &plant, season);
    heat_points::tell(build, &heat, season);
    rooms::tell(build, used, &handlers);
    let mut uses: Vec<Use> = handlers.iter().map(fan).collect();
    uses.extend(plant.uses());
    uses.extend(heat.uses(humid));
    uses
}

fn fan(handler: &Handler) -> Use {
    let zone = handler.zone;
    let item = if zone.clean { Item::Clean } else { Item::AirHandling };
    Use {
        asset: zone.handler,
        building: zone.building,
        supply: Supply::Power,
        item,
        flow: handler.fan,
        vital: zone.clean,
    }
}
