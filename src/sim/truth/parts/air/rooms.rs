//! Rooms: operating rooms over, isolation rooms under the pressure of their corridors, and rooms
//! with a radio sensor on the wall.

use super::desk::Desk;
use super::handler::Handler;
use super::physics::{flag, humidity};
use crate::sim::truth::{Build, Fault, Knot, Level, Moment, noise};

/// An operating room: its address, from which share of surgery on it is used, the pressure that is
/// held in it, Pa, and the air it gets in use and on standby, times its volume an hour.
struct Theatre {
    asset: &'static str,
    from: f64,
    pressure: f64,
    changes: [f64; 2],
}

const THEATRES: [Theatre; 4] = [
    Theatre { asset: "or-1", from: 0.12, pressure: 12.0, changes: [24.5, 24.5] },
    Theatre { asset: "or-2", from: 0.34, pressure: 11.4, changes: [24.0, 24.0] },
    Theatre { asset: "or-3", from: 0.52, pressure: 12.4, changes: [25.0, 15.0] },
    Theatre { asset: "or-4", from: 0.72, pressure: 11.0, changes: [24.0, 14.4] },
];

/// Isolation rooms and the pressure that is held in them, Pa.
const ISOLATION: [(&str, f64); 4] =
    [("isolation-1", -9.2), ("isolation-2", -8.8), ("isolation-3", -9.6), ("isolation-4", -9.0)];

/// Rooms with a radio sensor, the air handler that serves them, and how far they are from what it holds, K.
const SENSED: [(&str, usize, f64); 16] = [
    ("ward-3a", 2, -0.1),
    ("emergency-hall", 2, -0.6),
    ("ward-2a", 2, 0.1),
    ("ward-3b", 2, 0.3),
    ("ward-6a", 3, -0.2),
    ("ward-6b", 3, 0.2),
    ("ward-7a", 3, 0.0),
    ("ward-8a", 3, 0.4),
    ("registration-hall", 4, -0.5),
    ("paediatric-clinic", 4, 0.4),
    ("internal-clinic", 5, 0.1),
    ("dental-clinic", 5, -0.2),
    ("clinical-laboratory", 6, 0.2),
    ("pathology", 6, -0.3),
    ("mri-control-room", 7, 0.1),
    ("intensive-care", 9, 0.0),
];

/// Rooms with a radio sensor and a cooler of their own, what that holds, °C and %.
const COOLED: [(&str, f64, f64); 4] = [
    ("data-centre", 22.4, 46.0),
    ("drug-store", 19.6, 52.0),
    ("sterile-store", 21.4, 49.0),
    ("kitchen", 25.2, 56.0),
];

/// Where water on the floor is reported.
const LEAKS: [&str; 8] = [
    "leak-chiller-room",
    "leak-boiler-room",
    "leak-hot-water-room",
    "leak-data-centre",
    "leak-mri",
    "leak-pharmacy",
    "leak-archive",
    "leak-laundry",
];

/// Whether the operating rooms are in use.
pub fn theatres(build: &mut Build) -> [Level; 4] {
    let used = THEATRES.map(|_| build.level(0.0));
    build.step(move |knot| {
        for (theatre, used) in THEATRES.iter().zip(used) {
            step(knot, theatre, used);
        }
    });
    used
}

fn step(knot: &mut Knot<'_>, theatre: &Theatre, used: Level) {
    // No day's list is that of another.
    let from = theatre.from + 0.1 * (knot.draw_of_day(theatre.asset) - 0.5);
    knot.set_level(used, if knot.people.surgery > from { 1.0 } else { 0.0 });
}

/// The points of all rooms.
pub fn tell(build: &mut Build, used: [Level; 4], handlers: &[Handler]) {
    let serving = |number: usize| handlers.get(number).copied();
    for ((theatre, used), number) in THEATRES.iter().zip(used).zip([0, 0, 1, 1]) {
        let Some(handler) = serving(number) else { continue };
        operating_room(build, theatre, used, handler);
    }
    for (asset, pressure) in ISOLATION {
        let Some(handler) = serving(8) else { continue };
        isolation_room(build, asset, pressure, handler);
    }
    for (asset, number, apart) in SENSED {
        let Some(handler) = serving(number) else { continue };
        sensed(build, asset, handler, apart);
    }
    for (asset, celsius, percent) in COOLED {
        cooled(build, asset, celsius, percent);
    }
    for asset in LEAKS {
        let wet = build.fault("water_on_floor", asset);
        let mut desk = Desk::of(build, asset);
        desk.tell("leak", move |now| flag(now.fault(wet) >= 0.5));
        battery(&mut desk);
    }
}

/// A room that is held at a pressure, with a door that is opened now and then.
#[derive(Clone, Copy)]
struct Held {
    key: u64,
    /// Pa, and how far an open door lets it go.
    pressure: f64,
    lets: f64,
    /// In which share of all cells the door is opened, while the room is used and while it is not.
    opened: [f64; 2],
    /// Whether it is used; none: always.
    used: Option<Level>,
    lost: Fault,
}

impl Held {
    /// A door is opened at most once in so many seconds.
    const CELL_S: i64 = 90;

    fn add(build: &mut Build, asset: &str, pressure: f64, used: Option<Level>) -> Held {
        let lost = build.fault("or_pressure_lost", asset);
        Held { key: noise::key(asset), pressure, lets: 0.9, opened: [0.3, 0.03], used, lost }
    }

    fn is_used(self, now: &Moment<'_>) -> bool {
        self.used.is_none_or(|used| now.held(used) > 0.5)
    }

    /// How far the door is open, 0 to 1.
    fn door(self, now: &Moment<'_>) -> f64 {
        let [used, unused] = self.opened;
        let often = if self.is_used(now) { used } else { unused };
        let draw = now.draw(self.key, Self::CELL_S) / often;
        if draw >= 1.0 {
            return 0.0;
        }
        // The same draw says where in the cell, and for how long: 9 to 23 s.
        let (from, length) = (5.0 + 55.0 * draw, 9.0 + 14.0 * (7.0 * draw).fract());
        let second = seconds(now.at.0.rem_euclid(Self::CELL_S * 1_000));
        ((second - from) / 2.0).min((from + length - second) / 2.0).clamp(0.0, 1.0)
    }

    /// Against the corridor, Pa.
    fn pressure(self, now: &Moment<'_>) -> f64 {
        let air = 0.4 * now.wander(self.key, 53) + 0.2 * now.wander(self.key ^ 1, 9);
        let held = self.pressure + air - self.pressure.signum() * self.lets * self.door(now);
        held * (1.0 - 0.93 * now.fault(self.lost))
    }

    fn tell(self, desk: &mut Desk<'_>) {
        desk.tell("differential_pressure", move |now| self.pressure(now));
        desk.tell("pressure_alarm", move |now| if self.pressure(now).abs() < 5.0 { 1.0 } else { 0.0 });
        desk.tell("door", move |now| if self.door(now) > 0.5 { 1.0 } else { 0.0 });
        desk.tell("mode", move |now| if self.is_used(now) { 1.0 } else { 2.0 });
    }
}

fn operating_room(build: &mut Build, theatre: &'static Theatre, used: Level, handler: Handler) {
    let held = Held::add(build, theatre.asset, theatre.pressure, Some(used));
    let mut desk = Desk::of(build, theatre.asset);
    climate(&mut desk, handler, 0.0);
    held.tell(&mut desk);
    let [working, standby] = theatre.changes;
    desk.waver("air_changes", 0.012, move |now| standby + (working - standby) * now.level(used));
}

fn isolation_room(build: &mut Build, asset: &'static str, pressure: f64, handler: Handler) {
    let held = Held { opened: [0.07, 0.07], ..Held::add(build, asset, pressure, None) };
    let mut desk = Desk::of(build, asset);
    climate(&mut desk, handler, 0.2);
    held.tell(&mut desk);
    desk.waver("air_changes", 0.015, |_| 12.8);
}

/// What the sun, a window, whoever is there make of the room, K from what is held.
fn around(now: &Moment<'_>, key: u64) -> f64 {
    0.25 * now.wander(key, 5_400) + 0.05 * now.wander(key ^ 1, 61)
}

fn climate(desk: &mut Desk<'_>, handler: Handler, apart: f64) {
    let key = noise::key(desk.asset);
    let celsius =
        move |now: &Moment<'_>| now.level(handler.room) + now.level(handler.moved) + apart + around(now, key);
    desk.tell("temperature", celsius);
    desk.sense("humidity", 0.2, move |now| {
        humidity(celsius(now), now.level(handler.water) * (1.0 + 0.02 * now.wander(key ^ 2, 4_700)))
    });
}

fn sensed(build: &mut Build, asset: &'static str, handler: Handler, apart: f64) {
    let mut desk = Desk::of(build, asset);
    climate(&mut desk, handler, apart);
    // The first of them hangs on the wire.
    if asset != "ward-3a" {
        battery(&mut desk);
    }
}

fn cooled(build: &mut Build, asset: &'static str, celsius: f64, percent: f64) {
    let mut desk = Desk::of(build, asset);
    let key = noise::key(asset);
    desk.tell("temperature", move |now| celsius + 0.5 * now.wander(key, 1_500) + 2.0 * around(now, key));
    desk.sense("humidity", 0.3, move |now| percent + 3.0 * now.wander(key ^ 2, 9_000));
    battery(&mut desk);
}

/// Two years from full to nearly empty; then somebody has put in a new one.
fn battery(desk: &mut Desk<'_>) {
    let begun = noise::draw(0, noise::key(desk.asset), 0);
    desk.tell("battery", move |now| {
        let days = seconds(now.at.0) / 86_400.0;
        100.0 - 78.0 * (days / 730.0 + begun).fract()
    });
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of this century fit 53 bits")]
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1_000.0
}
