//! Six lifts. How many trips they make follows the people; the whole part of the count is the number
//! of the trip, its fraction how far it has come, so floor, door, load and counters tell one story.
//!
//! Where a person is trapped, the count stands still and the car hangs half a floor off the nearer end of
//! the trip it was on, until it is over: then that trip goes on. How the car gets there and how it is
//! brought back is not played.

use super::{flag, power, tell, towards};
use crate::sim::truth::parts::{Item, Use};
use crate::sim::truth::{Build, Fault, Flow, Level, Moment, People, Stock, noise};

/// Seconds a door takes to open, without fault, and to shut.
const OPENS_S: f64 = 2.4;
const SHUTS_S: f64 = 2.9;
/// What a drifting door adds to both.
const DRIFT: f64 = 0.38;
/// Most a trip takes, in seconds; the busiest lift has one so often.
const TRIP_S: f64 = 50.0;
/// Rated speed in m/s and what it takes to get there in m/s2.
const SPEED: f64 = 1.75;
const RATED_ACCELERATION: f64 = 0.8;
/// Rope, mm: new, and what a trip wears off.
const ROPE: f64 = 10.0;
const ROPE_TRIP: f64 = 1.2e-7;
/// What worn ropes have lost, mm: beyond the 6 % of EN 12385-5 at which they are laid off.
const ROPE_LOST: f64 = 0.7;
/// Hours a trip keeps the machine running, and what it draws, in kWh; kW of controller, light and fan.
const TRIP_HOURS: f64 = 0.003_9;
const TRIP_ENERGY: f64 = 0.045;
const IDLE_POWER: f64 = 0.35;

/// A car with less in it than this is taken for empty, % of the rated load.
const EMPTY: f64 = 2.0;

/// Whom a lift carries.
#[derive(Clone, Copy)]
enum Riders {
    Beds,
    Visitors,
    Outpatients,
}

#[derive(Clone, Copy)]
struct Lift {
    asset: &'static str,
    building: &'static str,
    riders: Riders,
    /// Floors, the lowest first; the ground floor is 1, below it -1.
    floors: &'static [f64],
    /// Which of them most trips lead to.
    main: usize,
    /// Its drive says how warm the motor is.
    motor: bool,
    trips: f64,
}

const MAIN: &[f64] = &[-1.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];

const LIFTS: [Lift; 6] = [
    lift("lift-1", "main-building", Riders::Beds, MAIN, 1, false, 412_300.0),
    lift("lift-2", "main-building", Riders::Beds, MAIN, 1, false, 398_750.0),
    lift("lift-3", "main-building", Riders::Visitors, MAIN, 1, false, 1_120_400.0),
    lift("lift-4", "main-building", Riders::Visitors, MAIN, 1, true, 1_087_900.0),
    lift("lift-5", "outpatient-building", Riders::Outpatients, &[1.0, 2.0, 3.0, 4.0], 0, true, 865_200.0),
    lift("lift-6", "technology-building", Riders::Beds, &[-1.0, 1.0, 2.0, 3.0], 1, true, 301_600.0),
];

const fn lift(
    asset: &'static str,
    building: &'static str,
    riders: Riders,
    floors: &'static [f64],
    main: usize,
    motor: bool,
    trips: f64,
) -> Lift {
    Lift { asset, building, riders, floors, main, motor, trips }
}

/// Adds them.
pub fn add(build: &mut Build, uses: &mut Vec<Use>) {
    for lift in LIFTS {
        add_lift(build, lift, uses);
    }
}

fn add_lift(build: &mut Build, lift: Lift, uses: &mut Vec<Use>) {
    let (rate, again, idle) = (build.flow(), build.flow(), build.flow());
    let drawn = build.sum(&[(idle, 1.0), (rate, TRIP_ENERGY)]);
    let door = build.fault("drifting_lift_door", lift.asset);
    let trapped = build.fault("lift_entrapment", lift.asset);
    for flow in [rate, again] {
        build.cut(flow, trapped);
    }
    let car = Car {
        floors: lift.floors,
        main: lift.main,
        rate,
        trips: build.counter(rate, lift.trips),
        reopened: build.counter(again, (lift.trips * 0.017).floor()),
        hours: build.stock(&[(rate, TRIP_HOURS)], (lift.trips * TRIP_HOURS).floor()),
        door,
        rope: build.fault("rope_wear", lift.asset),
        trapped,
        warm: build.level(40.0),
        key: noise::key(lift.asset),
    };
    build.step(move |knot| {
        let unrest = 1.0 + 0.12 * knot.wander(lift.asset, 1);
        let trips = (traffic(lift.riders, &knot.people) * unrest).min(3_600.0 / TRIP_S);
        knot.set(rate, trips);
        knot.set(again, trips * (0.015 + 0.12 * knot.fault(door)));
        knot.set(idle, IDLE_POWER);
        let to = 26.0 + 0.1 * knot.weather.temperature + 0.5 * trips * (1.0 - knot.fault(trapped));
        let now = towards(knot.level(car.warm), to, knot.hours(), 0.8);
        knot.set_level(car.warm, now);
    });
    car.tell_ride(build, lift.asset);
    car.tell_care(build, lift.asset);
    if lift.motor {
        tell(build, lift.asset, "motor_temperature", move |now| now.level(car.warm));
    }
    uses.push(power(lift.asset, lift.building, Item::Machines, drawn, true));
}

/// Trips an hour.
fn traffic(riders: Riders, people: &People) -> f64 {
    match riders {
        Riders::Beds => 2.5 + 22.0 * people.surgery + 15.0 * people.ward_activity,
        Riders::Visitors => {
            2.0 + 34.0 * people.ward_activity + 16.0 * people.outpatients + 12.0 * people.staff
        }
        Riders::Outpatients => 0.8 + 54.0 * people.outpatients.min(1.1) + 4.0 * people.staff,
    }
}

/// A car and its shaft.
#[derive(Clone, Copy)]
struct Car {
    floors: &'static [f64],
    main: usize,
    rate: Flow,
    trips: Stock,
    reopened: Stock,
    hours: Stock,
    door: Fault,
    rope: Fault,
    trapped: Fault,
    warm: Level,
    key: u64,
}

/// What a car does at a moment.
#[derive(Clone, Copy, PartialEq)]
enum Doing {
    /// Doors shut, nobody in it, where the last trip ended.
    Waits,
    /// So many seconds of so many, from floor to floor.
    Rides(f64, f64),
    DoorOpens,
    /// The share of the time it stays open that has passed.
    DoorOpen(f64),
    DoorShuts,
    /// Doors shut, nobody in it, where this trip ended.
    Stands,
    /// Doors shut, somebody in it, half a floor off this end of the trip.
    Hangs(f64),
}

/// The trip a car is on, or the last.
#[derive(Clone, Copy)]
struct Trip {
    number: i64,
    from: f64,
    to: f64,
    doing: Doing,
}

impl Car {
    #[expect(clippy::cast_possible_truncation, reason = "a count of trips")]
    fn trip(&self, now: &Moment<'_>) -> Trip {
        let count = now.stock(self.trips);
        let number = count.floor() as i64;
        let spacing = 3_600.0 / now.flow(self.rate).max(0.1);
        // It begins somewhere in its time, so that trips are not like a clock.
        let idle = (spacing - TRIP_S).max(0.0) * now.draw_of(self.key, number);
        let since = count.fract() * spacing - idle;
        let (start, end) = (self.stop(now, number - 1), self.stop(now, number));
        let (from, to) = (self.floor(start), self.floor(end));
        let doing = if now.fault(self.trapped) >= 0.5 {
            Doing::Hangs(if count.fract() < 0.5 { from } else { to })
        } else if since < 0.0 {
            Doing::Waits
        } else {
            let height = 3.9 * f64::from(u32::try_from(start.abs_diff(end)).unwrap_or(0));
            self.doing(now, number, since, ride_s(height))
        };
        Trip { number, from, to, doing }
    }

    fn doing(&self, now: &Moment<'_>, number: i64, since: f64, ride: f64) -> Doing {
        let open = 4.0 + 3.0 * now.draw_of(self.key ^ 1, number);
        let shuts = SHUTS_S * (1.0 + DRIFT * now.fault(self.door));
        if since < ride {
            Doing::Rides(since, ride)
        } else if since < ride + OPENS_S {
            Doing::DoorOpens
        } else if since < ride + OPENS_S + open {
            Doing::DoorOpen((since - ride - OPENS_S) / open)
        } else if since < ride + OPENS_S + open + shuts {
            Doing::DoorShuts
        } else {
            Doing::Stands
        }
    }

    /// Where a trip ends: nearly every other at the main floor.
    fn stop(&self, now: &Moment<'_>, number: i64) -> usize {
        let draw = now.draw_of(self.key ^ 2, number);
        if draw < 0.42 { self.main } else { pick((draw - 0.42) / 0.58, self.floors.len()) }
    }

    fn floor(&self, number: usize) -> f64 {
        self.floors.get(number).copied().unwrap_or(1.0)
    }

    /// % of the rated load; one trip in four carries a bed or many people.
    fn load(&self, now: &Moment<'_>, trip: &Trip) -> f64 {
        let draw = now.draw_of(self.key ^ 3, trip.number);
        let riders = 4.0 + 50.0 * draw * draw + if draw > 0.75 { 22.0 } else { 0.0 };
        match trip.doing {
            Doing::Rides(..) | Doing::DoorOpens | Doing::Hangs(_) => riders,
            Doing::DoorOpen(share) => riders * (1.0 - share),
            Doing::Waits | Doing::Stands | Doing::DoorShuts => 0.0,
        }
    }

    /// m/s, up above zero.
    fn speed(trip: &Trip) -> f64 {
        let Doing::Rides(since, ride) = trip.doing else { return 0.0 };
        let speed = SPEED.min(RATED_ACCELERATION * since).min(RATED_ACCELERATION * (ride - since));
        speed * (trip.to - trip.from).signum()
    }

    fn tell_ride(self, build: &mut Build, asset: &str) {
        tell(build, asset, "floor", move |now| self.passed(&self.trip(now)));
        tell(build, asset, "direction", move |now| {
            let speed = Car::speed(&self.trip(now));
            flag(speed > 0.0) + 2.0 * flag(speed < 0.0)
        });
        tell(build, asset, "door", move |now| match self.trip(now).doing {
            Doing::Waits | Doing::Stands | Doing::Rides(..) | Doing::Hangs(_) => 0.0,
            Doing::DoorOpens => 1.0,
            Doing::DoorOpen(_) => 2.0,
            Doing::DoorShuts => 3.0,
        });
        tell(build, asset, "levelled", move |now| {
            flag(!matches!(self.trip(now).doing, Doing::Rides(..) | Doing::Hangs(_)))
        });
        tell(build, asset, "speed", move |now| Car::speed(&self.trip(now)));
        tell(build, asset, "load", move |now| self.load(now, &self.trip(now)));
        tell(build, asset, "current", move |now| self.current(now));
        tell(build, asset, "torque", move |now| self.torque(now));
        tell(build, asset, "trips", move |now| now.stock(self.trips).floor());
        tell(build, asset, "operating_hours", move |now| now.stock(self.hours));
        tell(build, asset, "mode", |_| 0.0);
        tell(build, asset, "occupied", move |now| flag(self.load(now, &self.trip(now)) > EMPTY));
        // Whoever is in it presses the button.
        for signal in ["fault", "trapped", "alarm"] {
            tell(build, asset, signal, move |now| flag(matches!(self.trip(now).doing, Doing::Hangs(_))));
        }
    }

    /// What a maintainer watches.
    fn tell_care(self, build: &mut Build, asset: &str) {
        tell(build, asset, "door_cycles", move |now| {
            now.stock(self.trips).floor() + now.stock(self.reopened).floor()
        });
        tell(build, asset, "door_reopenings", move |now| now.stock(self.reopened).floor());
        tell(build, asset, "door_open_time", move |now| self.door_time(now, 4, OPENS_S));
        tell(build, asset, "door_close_time", move |now| self.door_time(now, 5, SHUTS_S));
        tell(build, asset, "levelling_offset", move |now| {
            let stop = now.draw_of(self.key ^ 6, self.last(now)) - 0.5;
            // Stretched ropes let the car sink below the sill.
            6.0 * stop - 9.5 * now.fault(self.rope)
        });
        tell(build, asset, "rope_diameter", move |now| {
            ROPE - ROPE_TRIP * now.stock(self.trips) - ROPE_LOST * now.fault(self.rope)
        });
    }

    /// The floor the car passes or stands at.
    fn passed(&self, trip: &Trip) -> f64 {
        match trip.doing {
            Doing::Waits => trip.from,
            Doing::Hangs(near) => near,
            Doing::Rides(since, ride) => {
                let share = since / ride;
                // Gently away and gently there.
                let share = share * share * (3.0 - 2.0 * share);
                self.nearest(trip.from + (trip.to - trip.from) * share)
            }
            _ => trip.to,
        }
    }

    fn nearest(&self, height: f64) -> f64 {
        let nearer = |a: &f64, b: &f64| (a - height).abs().total_cmp(&(b - height).abs());
        self.floors.iter().copied().min_by(nearer).unwrap_or(1.0)
    }

    fn torque(&self, now: &Moment<'_>) -> f64 {
        let trip = self.trip(now);
        let speed = Car::speed(&trip);
        if speed == 0.0 {
            return 0.0;
        }
        // The counterweight balances the car and 45 % of its load.
        let lifted = (self.load(now, &trip) - 45.0) * 0.9;
        lifted * speed.signum() + 12.0
    }

    fn current(&self, now: &Moment<'_>) -> f64 {
        let torque = self.torque(now);
        if torque == 0.0 { 0.0 } else { 7.0 + 0.19 * torque.abs() + 0.3 * now.wander(self.key, 3) }
    }

    fn door_time(&self, now: &Moment<'_>, voice: u64, usual: f64) -> f64 {
        let unrest = 0.16 * (now.draw_of(self.key ^ voice, self.last(now)) - 0.5);
        usual * (1.0 + DRIFT * now.fault(self.door)) + unrest
    }

    /// The last trip whose doors have shut.
    fn last(&self, now: &Moment<'_>) -> i64 {
        self.trip(now).number - 1
    }
}

/// Seconds to ride so many metres.
fn ride_s(height: f64) -> f64 {
    // Standing still is no ride: the doors open at once.
    if height <= 0.0 { 0.0 } else { height / SPEED + SPEED / RATED_ACCELERATION }
}

/// One of so many, by a number from 0 up to 1.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a handful of floors")]
fn pick(draw: f64, of: usize) -> usize {
    let count = f64::from(u32::try_from(of).unwrap_or(1));
    ((draw * count) as usize).min(of.saturating_sub(1))
}
