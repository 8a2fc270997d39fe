//! Cooling, heating and the air of the rooms.
//!
//! Read `physics` and `zones` (what the air handlers serve), `handler` (an air handler and its rooms),
//! `chillers` (where the heat goes) and `heat` (where it comes from), `rooms`; files with `points` in
//! their names say what of it the instruments show. What rooms gain and lose makes the load of the
//! air handlers, theirs that of chillers and boilers, theirs that of towers, power and gas.
//!
//! Air handlers stop with their feeder: no air, no pressure and no current from that moment on, while rooms,
//! coils and the plant behind them follow knot by knot. They come back when it does. Controllers and sensors
//! go on meanwhile: they are fed from elsewhere. Scanners that stand give off no heat; what the lights of a
//! floor give off is small, and left out.

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
#[cfg(test)]
mod trips;
mod zones;

use super::{Use, power};
use crate::sim::truth::{Build, Flow};
use handler::Handler;
use zones::ZONES;

/// What scanners draw is cooled away all the year, kW: always, and with the outpatient departments full.
const IMAGING: (f64, f64) = (28.0, 62.0);
/// So is what computers and rooms inside the buildings give off.
const INSIDE: (f64, f64) = (192.0, 38.0);

/// Adds it; returns what it draws.
pub fn add(build: &mut Build) -> Vec<Use> {
    let season = season::Season::add(build);
    let used = rooms::theatres(build);
    let [_, _, third, fourth] = used;
    let handlers: Vec<Handler> =
        ZONES.iter().map(|zone| Handler::add(build, zone, season, [third, fourth])).collect();
    let mut cooled: Vec<Flow> = handlers.iter().map(|handler| handler.cooling).collect();
    cooled.extend(process(build));
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
    let mut uses: Vec<Use> = handlers.iter().map(|handler| handler.zone.fan(handler.fan)).collect();
    uses.extend(plant.uses());
    uses.extend(heat.uses(humid));
    uses
}

/// Heat that goes into the chilled water by other ways than air, kW.
fn process(build: &mut Build) -> [Flow; 2] {
    let (imaging, inside) = (build.flow(), build.flow());
    let trip = power::trip(build, "feeder-imaging");
    let share = |(always, busy): (f64, f64), outpatients: f64| always + busy * outpatients;
    build.step(move |knot| {
        let stands = trip.map_or(0.0, |trip| knot.fault(trip));
        knot.set(imaging, share(IMAGING, knot.people.outpatients) * (1.0 - stands));
        knot.set(inside, share(INSIDE, knot.people.outpatients));
    });
    [imaging, inside]
}
