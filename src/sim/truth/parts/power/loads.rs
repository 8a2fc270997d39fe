//! What draws power beside the machines of other parts: lights and sockets of each floor, imaging,
//! kitchen, laundry, computers, cars.
//!
//! Sizes are of a hospital of about 600 beds and are our own; together they draw 150 kW at night and
//! 500 kW at ten o'clock of a working day.

use super::super::{Item, Supply, Use};
use crate::sim::truth::{Build, DayKind, Fault, Knot};

/// How a load goes with the day. Shares of its size.
#[derive(Clone, Copy)]
enum Shape {
    /// Corridors and plant rooms below ground.
    Basement,
    /// A ward: lights after dark, sockets while people are about.
    Ward,
    /// Emergency department: never dark.
    Emergency,
    /// Waiting halls and consulting rooms.
    Outpatient,
    /// Laboratories, pharmacies, offices of the technical departments.
    Technology,
    /// A scanner: `idle` share all day, the rest while it scans.
    Scanner { idle: f64 },
    /// Scanners for operations on vessels.
    Angiography,
    /// Meals are cooked.
    Kitchen,
    /// Washing machines on working days.
    Laundry,
    /// Sterilizers follow operations.
    Sterile,
    /// Analysers and freezers.
    Laboratory,
    /// Computers, and their own cooling.
    Computing,
    /// Equipment of an operating room.
    Theatre,
    /// Cars of staff and patients.
    Cars,
}

struct Load {
    asset: &'static str,
    building: &'static str,
    item: Item,
    vital: bool,
    /// The sub-meter it hangs on.
    meter: &'static str,
    shape: Shape,
    /// kW where its share is 1.
    size: f64,
}

const fn floor(
    asset: &'static str,
    building: &'static str,
    meter: &'static str,
    shape: Shape,
    size: f64,
) -> Load {
    Load { asset, building, item: Item::Lighting, vital: false, meter, shape, size }
}

const fn room(
    asset: &'static str,
    building: &'static str,
    item: Item,
    meter: &'static str,
    shape: Shape,
    size: f64,
) -> Load {
    Load { asset, building, item, vital: false, meter, shape, size }
}

const fn theatre(asset: &'static str) -> Load {
    Load {
        asset,
        building: "main-building",
        item: Item::Lighting,
        vital: true,
        meter: "meter-essential-main",
        shape: Shape::Theatre,
        size: 3.6,
    }
}

const LOADS: [Load; 33] = [
    floor("main-b1", "main-building", "meter-main-b1", Shape::Basement, 14.0),
    floor("main-1f", "main-building", "meter-main-1f", Shape::Emergency, 26.0),
    floor("main-2f", "main-building", "meter-main-2f", Shape::Ward, 22.0),
    floor("main-3f", "main-building", "meter-main-3f", Shape::Ward, 20.0),
    floor("main-4f", "main-building", "meter-main-4f", Shape::Ward, 20.0),
    floor("main-5f", "main-building", "meter-main-5f", Shape::Ward, 19.0),
    floor("main-6f", "main-building", "meter-main-6f", Shape::Ward, 19.0),
    floor("main-7f", "main-building", "meter-main-7f", Shape::Ward, 18.0),
    floor("main-8f", "main-building", "meter-main-8f", Shape::Ward, 17.0),
    floor("outpatient-1f", "outpatient-building", "meter-outpatient-1f", Shape::Outpatient, 32.0),
    floor("outpatient-2f", "outpatient-building", "meter-outpatient-2f", Shape::Outpatient, 26.0),
    floor("outpatient-3f", "outpatient-building", "meter-outpatient-3f", Shape::Outpatient, 25.0),
    floor("outpatient-4f", "outpatient-building", "meter-outpatient-4f", Shape::Outpatient, 20.0),
    floor("technology-b1", "technology-building", "meter-technology-b1", Shape::Basement, 9.0),
    floor("technology-1f", "technology-building", "meter-technology-1f", Shape::Technology, 20.0),
    floor("technology-2f", "technology-building", "meter-technology-2f", Shape::Technology, 18.0),
    floor("technology-3f", "technology-building", "meter-technology-3f", Shape::Technology, 15.0),
    floor("infectious-1f", "infectious-building", "meter-infectious-1f", Shape::Outpatient, 10.0),
    floor("infectious-2f", "infectious-building", "meter-infectious-2f", Shape::Ward, 10.0),
    floor("energy-centre-1f", "energy-centre", "meter-energy-centre", Shape::Basement, 7.0),
    room("imaging-mr", "technology-building", Item::Imaging, "meter-mr", Shape::Scanner { idle: 0.34 }, 48.0),
    room("imaging-ct", "technology-building", Item::Imaging, "meter-ct", Shape::Scanner { idle: 0.16 }, 34.0),
    room("imaging-dsa", "technology-building", Item::Imaging, "meter-dsa", Shape::Angiography, 26.0),
    room("imaging-dr", "technology-building", Item::Imaging, "meter-dr", Shape::Scanner { idle: 0.14 }, 12.0),
    room("kitchen", "main-building", Item::Services, "meter-kitchen", Shape::Kitchen, 62.0),
    room("laundry", "energy-centre", Item::Services, "meter-laundry", Shape::Laundry, 38.0),
    room(
        "sterile-supply",
        "technology-building",
        Item::Services,
        "meter-sterile-supply",
        Shape::Sterile,
        44.0,
    ),
    room("laboratory", "technology-building", Item::Services, "meter-laboratory", Shape::Laboratory, 24.0),
    room("charging-station", "outpatient-building", Item::Charging, "meter-charging", Shape::Cars, 78.0),
    theatre("it-supply-1"),
    theatre("it-supply-2"),
    theatre("it-supply-3"),
    theatre("it-supply-4"),
];

/// The server room beside what its supply without interruption feeds, kW.
const SERVER_ROOM_KW: f64 = 21.0;
/// The meter of the server room and the supplies without interruption.
pub const COMPUTING_METER: &str = "meter-computing";

/// A use, and the sub-meter it hangs on.
pub struct Placed {
    /// What is drawn.
    pub draw: Use,
    /// The id of the sub-meter.
    pub meter: &'static str,
}

/// What the departments draw.
pub fn add(build: &mut Build) -> Vec<Placed> {
    let night = build.fault("night_base_load", "meter-outpatient-2f");
    let mut placed: Vec<Placed> = LOADS
        .iter()
        .map(|load| {
            let (asset, shape, size) = (load.asset, load.shape, load.size);
            let left_on = (load.meter == "meter-outpatient-2f").then_some(night);
            let flow = build.flow();
            build.step(move |knot| {
                let unrest = 1.0 + 0.07 * (2.0 * knot.draw(asset) - 1.0);
                let share =
                    share(shape, knot, asset).max(left_on.map_or(0.0, |fault| left_on_at(knot, fault)));
                knot.set(flow, size * share * unrest);
            });
            let draw = Use {
                asset,
                building: load.building,
                supply: Supply::Power,
                item: load.item,
                flow,
                vital: load.vital,
            };
            Placed { draw, meter: load.meter }
        })
        .collect();
    placed.push(server_room(build));
    placed
}

/// Lights and air conditioners that nobody switched off when the clinic shut.
fn left_on_at(knot: &Knot<'_>, fault: Fault) -> f64 {
    let shut = knot.civil.hour < 6.5 || knot.civil.hour > 18.5;
    if shut { 0.52 * knot.fault(fault) } else { 0.0 }
}

fn server_room(build: &mut Build) -> Placed {
    let flow = build.flow();
    build.step(move |knot| {
        let share = share(Shape::Computing, knot, "server-room");
        knot.set(flow, SERVER_ROOM_KW * share);
    });
    let draw = Use {
        asset: "server-room",
        building: "technology-building",
        supply: Supply::Power,
        item: Item::Computing,
        flow,
        vital: true,
    };
    Placed { draw, meter: COMPUTING_METER }
}

fn share(shape: Shape, knot: &Knot<'_>, name: &str) -> f64 {
    let people = &knot.people;
    // Lamps go on as daylight goes.
    let dark = (1.0 - knot.weather.sun / 400.0).clamp(0.0, 1.0);
    let open = 0.7 * people.outpatients + 0.3 * people.staff;
    match shape {
        Shape::Basement => 0.5 + 0.3 * people.staff + 0.1 * dark,
        Shape::Ward => {
            0.12 + 0.12 * people.inpatients + people.ward_activity * (0.42 + 0.3 * dark) + 0.1 * people.staff
        }
        Shape::Emergency => 0.5 + 0.2 * people.staff + 0.15 * people.outpatients + 0.1 * dark,
        Shape::Outpatient => 0.09 + open * (0.78 + 0.16 * dark),
        Shape::Technology => 0.18 + 0.66 * people.staff + 0.1 * people.outpatients,
        Shape::Scanner { idle } => {
            // Each patient is another one: how much of a quarter of an hour is scanned varies.
            let busy = (0.16 + 0.84 * open).min(1.0) * (0.45 + 0.55 * knot.draw(name));
            idle + (1.0 - idle) * busy
        }
        Shape::Angiography => 0.16 + 0.84 * people.surgery.min(1.0) * (0.25 + 0.75 * knot.draw(name)),
        Shape::Kitchen => 0.04 + 0.92 * people.services.min(1.0),
        Shape::Laundry => 0.03 + laundry(knot),
        Shape::Sterile => 0.1 + 0.8 * people.surgery.min(1.0) + 0.1 * people.staff,
        Shape::Laboratory => 0.42 + 0.56 * people.staff.min(1.0),
        Shape::Computing => 0.9 + 0.05 * people.staff + 0.002 * knot.weather.temperature.max(0.0),
        Shape::Theatre => 0.11 + 0.75 * people.surgery.min(1.0) * (0.5 + 0.5 * knot.draw(name)),
        Shape::Cars => 0.04 + 0.72 * people.outpatients.min(1.2) + 0.18 * people.staff,
    }
}

/// The laundry runs from six to three on days of work and half a shift on Saturdays and holidays.
pub fn laundry(knot: &Knot<'_>) -> f64 {
    let shift = ((knot.civil.hour - 6.0) / 0.8).min((15.0 - knot.civil.hour) / 0.8).clamp(0.0, 1.0);
    let day = if knot.civil.kind == DayKind::Work { 0.86 } else { 0.42 };
    shift * day
}
