//! An air handler: outdoor air in, over filter, coils and fan, to the rooms and back.
//!
//! Rooms are held at their temperature; what the supply air cannot carry, fan coils and radiators
//! do. So the heat that coils, fan coils and radiators move is what comes through the walls and
//! from people, machines and the sun.
//!
//! A stuck valve or damper shows in the air handler and its rooms. What the plant has to deliver is
//! taken as it would be without it: the other air handlers on the pipes make up for the difference.

use super::physics::{AIR, VAPOUR, moisture, toward};
use super::season::{HEATING, Season};
use super::zones::{Hours, Outdoor, Zone};
use crate::sim::truth::parts::power;
use crate::sim::truth::{Build, DayKind, Fault, Flow, Knot, Level, Moment, Stock};

/// The fan warms the air by so much, K.
const FAN_RISE: f64 = 0.8;
/// Air comes back from the rooms so much warmer than it is there, K.
const RETURN_RISE: f64 = 0.4;
/// Air that is dried leaves the coil at this, °C.
const DRIED: f64 = 11.5;
/// Fan, motor and drive together.
const FAN_EFFICIENCY: f64 = 0.58;
/// A filter that is full has so much more resistance than a new one.
pub const GROWTH: f64 = 0.25;
/// A clogged one so much more again.
const CLOGGED: f64 = 2.2;
/// Hours of full air until a filter is full.
const FILTER_H: f64 = 2_600.0;
/// Rooms without air: what they hold for each m3/h they otherwise get, kWh/K (some 60 Wh/K for each square
/// metre of floor that four changes an hour are meant for), the share of a loss that radiators make up, and
/// how far they drift until windows are opened, K.
const HOLDS: f64 = 0.005;
const RADIATORS: f64 = 0.4;
const DRIFT: f64 = 8.0;
/// Where a stuck valve and a stuck damper stand, shares.
const VALVE_STUCK: f64 = 0.62;
const DAMPER_STUCK: f64 = 0.3;

/// The faults there are of air handlers.
#[derive(Clone, Copy)]
pub struct Faults {
    pub clogged: Fault,
    pub valve: Fault,
    pub damper: Fault,
}

/// An air handler.
#[derive(Clone, Copy)]
pub struct Handler {
    pub zone: &'static Zone,
    /// m3/h.
    pub air: Level,
    /// °C.
    pub supply: Level,
    pub mixed: Level,
    /// The rooms, °C and g/kg, and how far a stuck valve has moved them, K.
    pub room: Level,
    pub water: Level,
    pub moved: Level,
    /// Shares, 0 to 1.
    pub cooling_valve: Level,
    pub heating_valve: Level,
    pub damper: Level,
    pub wheel: Level,
    pub dust: Level,
    /// Resistance of the filter over that of a new one.
    pub worn: Level,
    /// Pa, at the air there is.
    pub filter: Level,
    /// Of the fan's most.
    pub speed: Level,
    /// kW electric.
    pub fan: Flow,
    /// kW of heat: to the chilled water, from the hot water.
    pub cooling: Flow,
    pub heating: Flow,
    /// Steam into the air, t/h.
    pub steam: Flow,
    pub hours: Stock,
    pub energy: Stock,
    running: Flow,
    faults: Faults,
    /// Of the feeder of its fans, if that may trip.
    trip: Option<Fault>,
}

/// What an air handler has to do at a knot.
struct Duty {
    air: f64,
    /// Wanted behind the fan, °C.
    supply: f64,
    mixed: f64,
    outdoor: f64,
    wheel: f64,
    /// Sensible and latent, kW.
    sensible: f64,
    latent: f64,
    heating: f64,
    /// g/kg behind the coil, and what is sprayed in.
    water: f64,
    sprayed: f64,
}

impl Handler {
    /// It takes its share of air from `theatres` in use, if it serves them.
    pub fn add(build: &mut Build, zone: &'static Zone, season: Season, theatres: [Level; 2]) -> Handler {
        let fan = build.flow();
        let running = build.flow();
        let [winter, summer] = zone.rooms;
        let faults = Faults {
            clogged: build.fault("clogging_filter", zone.handler),
            valve: build.fault("stuck_valve", zone.handler),
            damper: build.fault("stuck_damper", zone.handler),
        };
        // Air handlers were put up one after the other, so their counters and filters differ.
        let age = f64::from(u8::try_from(zone.handler.len()).unwrap_or(0)) * 1_900.0 + zone.air / 7.0;
        let handler = Handler {
            zone,
            air: build.level(0.0),
            supply: build.level(18.0),
            mixed: build.level(20.0),
            room: build.level(f64::midpoint(winter, summer)),
            water: build.level(f64::midpoint(zone.water[0], zone.water[1])),
            moved: build.level(0.0),
            cooling_valve: build.level(0.0),
            heating_valve: build.level(0.0),
            damper: build.level(0.0),
            wheel: build.level(0.0),
            dust: build.level((age / 700.0).fract()),
            worn: build.level(1.0),
            filter: build.level(0.0),
            speed: build.level(0.0),
            fan,
            cooling: build.flow(),
            heating: build.flow(),
            steam: build.flow(),
            hours: build.counter(running, age),
            energy: build.counter(fan, age * 4.0),
            running,
            faults,
            trip: power::trip_of(build, &zone.fan(fan)),
        };
        for flow in [fan, running] {
            handler.trip.iter().for_each(|trip| build.cut(flow, *trip));
        }
        build.step(move |knot| handler.step(knot, season, theatres));
        handler
    }

    fn step(&self, knot: &mut Knot<'_>, season: Season, theatres: [Level; 2]) {
        let asked = self.zone.air * self.air_share(knot, theatres);
        let stands = self.trip.is_some_and(|trip| knot.fault(trip) >= 0.5);
        let air = if stands { 0.0 } else { asked };
        let gained = self.gained(knot);
        if stands && asked > 1.0 {
            self.let_room_drift(knot, season, gained);
        } else {
            self.hold_room(knot, season, air);
        }
        let duty = self.duty(knot, season, air, gained);
        self.turn_fan(knot, asked, air);
        self.set_coils(knot, &duty);
        let carried = air * AIR * (knot.level(self.room) - duty.supply);
        let left = gained - carried;
        let open = if air > 1.0 { 1.0 } else { RADIATORS };
        let heated = if season.is(knot, HEATING) { open * (-left).max(0.0) } else { 0.0 };
        let fan_coils = if air > 1.0 { left.max(0.0) } else { 0.0 };
        knot.set(self.cooling, duty.sensible + duty.latent + fan_coils);
        knot.set(self.heating, duty.heating + heated);
        knot.set(self.steam, air * 1.2 * duty.sprayed / 1e6);
    }

    fn air_share(&self, knot: &Knot<'_>, theatres: [Level; 2]) -> f64 {
        match self.zone.hours {
            Hours::Always => 1.0,
            Hours::Theatres => theatres.iter().map(|used| 0.3 + 0.2 * knot.level(*used)).sum::<f64>(),
            Hours::Open => {
                let till = if knot.civil.kind == DayKind::Work { 18.5 } else { 17.0 };
                if (6.5..till).contains(&knot.civil.hour) { 1.0 } else { 0.0 }
            }
        }
    }

    /// What the rooms gain, kW; below zero they lose.
    fn gained(&self, knot: &Knot<'_>) -> f64 {
        let [machines, people, sun] = self.zone.gains;
        let outside = knot.weather.temperature - knot.level(self.room);
        machines
            + people * (self.zone.people)(&knot.people)
            + sun * knot.weather.sun / 1_000.0
            + self.zone.shell * outside
    }

    fn hold_room(&self, knot: &mut Knot<'_>, season: Season, air: f64) {
        let [winter, summer] = self.zone.rooms;
        let mild = f64::midpoint(winter, summer);
        let set = match knot.level(season.mode) {
            mode if mode >= HEATING => winter,
            mode if mode <= super::season::COOLING => summer,
            _ => mild,
        };
        let outside = knot.weather.temperature;
        let to = if air > 1.0 {
            set + if self.zone.clean { 0.12 } else { 0.4 } * ((self.zone.people)(&knot.people) - 0.4)
        } else {
            (set + 0.2 * (outside - set)).clamp(set - 2.5, set + 2.5)
        };
        let room = toward(knot.level(self.room), to, if air > 1.0 { 2.0 } else { 6.0 }, knot.hours());
        knot.set_level(self.room, room);
    }

    /// What rooms gain warms them, and what they lose cools them.
    fn let_room_drift(&self, knot: &mut Knot<'_>, season: Season, gained: f64) {
        let made_up = if season.is(knot, HEATING) { RADIATORS * (-gained).max(0.0) } else { 0.0 };
        let room = knot.level(self.room) + (gained + made_up) * knot.hours() / (HOLDS * self.zone.air);
        let [winter, summer] = self.zone.rooms;
        knot.set_level(self.room, room.clamp(winter - DRIFT, summer + DRIFT));
    }

    fn duty(&self, knot: &Knot<'_>, season: Season, air: f64, gained: f64) -> Duty {
        let room = knot.level(self.room);
        let (outside, damp) =
            (knot.weather.temperature, moisture(knot.weather.temperature, knot.weather.humidity));
        let carries = air * AIR;
        if carries < 0.01 {
            return Duty {
                air,
                supply: room,
                mixed: room,
                outdoor: 0.0,
                wheel: 0.0,
                sensible: 0.0,
                latent: 0.0,
                heating: 0.0,
                water: knot.level(self.water),
                sprayed: 0.0,
            };
        }
        let [least, most] = self.zone.supply;
        // There is hot water for reheating in clean rooms all the year.
        let most = if season.is(knot, HEATING) || self.zone.clean { most } else { most.min(room) };
        let supply = (room - gained / carries).clamp(least, most.max(least));
        let wanted = supply - FAN_RISE;
        let back = room + RETURN_RISE;
        let (outdoor, wheel) = self.openings(outside, back, wanted);
        let mixed = mix(outside, back, outdoor, wheel);
        let wet = mix(damp, knot.level(self.water), outdoor, 0.8 * wheel);
        let [dry, damp_most] = self.zone.water;
        // Damp air is dried even where nothing needs to be cooled.
        let cools = mixed > wanted || self.zone.clean || wet > damp_most + 0.6;
        let dried = cools && wet > damp_most;
        let coil = if dried && self.zone.clean { DRIED.min(mixed) } else { wanted.min(mixed) };
        let latent = if dried { air * VAPOUR * (wet - damp_most) } else { 0.0 };
        let water = if dried { damp_most } else { wet };
        Duty {
            air,
            supply,
            mixed,
            outdoor,
            wheel,
            sensible: carries * (mixed - coil),
            latent,
            heating: carries * (wanted - coil).max(0.0),
            water: water.max(dry),
            sprayed: (dry - water).max(0.0),
        }
    }

    /// Shares of outdoor air, and of the heat that the wheel gives back.
    fn openings(&self, outside: f64, back: f64, wanted: f64) -> (f64, f64) {
        let between = back - outside;
        let of = |part: f64| if between.abs() > 0.1 { part / between } else { 0.0 };
        match self.zone.outdoor {
            Outdoor::Fixed(share) => (share, 0.0),
            Outdoor::Mixed(least) if between > 0.5 => (of(back - wanted).clamp(least, 1.0), 0.0),
            Outdoor::Mixed(least) => (least, 0.0),
            Outdoor::Wheel(most) if between < 0.0 => (1.0, most),
            Outdoor::Wheel(most) => (1.0, of(wanted - outside).clamp(0.0, most)),
        }
    }

    /// Fan and filter as they are asked for, and the dust of the air that came: what stands at a moment is
    /// known at that moment ([`Handler::moves`]).
    fn turn_fan(&self, knot: &mut Knot<'_>, asked: f64, came: f64) {
        let (air, share) = (asked, asked / self.zone.air);
        let change = knot.civil.kind == DayKind::Work && (9.0..9.25).contains(&knot.civil.hour);
        let dust = knot.level(self.dust) + came / self.zone.air * knot.hours() / FILTER_H;
        let dust = if change && dust > 0.97 { 0.0 } else { dust };
        let clogged = knot.fault(self.faults.clogged);
        let new = self.zone.filter * share.powf(1.4);
        let worn = (1.0 + GROWTH * dust) * (1.0 + CLOGGED * clogged);
        let filter = new * worn;
        let ducts = self.zone.pressure * share.powf(1.6);
        let lift = ducts + filter - new;
        // A second fan brings the air back where there is a wheel.
        let fans = if matches!(self.zone.outdoor, Outdoor::Wheel(_)) { 1.75 } else { 1.0 };
        let kilowatts = fans * air * lift / (3.6e6 * FAN_EFFICIENCY);
        let speed = if share > 0.0 { 0.8 * share * (lift / ducts).sqrt() } else { 0.0 };
        knot.set_level(self.air, air);
        knot.set_level(self.dust, dust);
        knot.set_level(self.worn, worn);
        knot.set_level(self.filter, filter);
        knot.set_level(self.speed, speed);
        knot.set(self.fan, kilowatts);
        knot.set(self.running, if share > 0.0 { 1.0 } else { 0.0 });
    }

    /// 1 while its fans have current, 0 while they have none.
    pub fn moves(&self, now: &Moment<'_>) -> f64 {
        1.0 - self.trip.map_or(0.0, |trip| now.fault(trip))
    }

    /// What valves, damper and sensors show, stuck or not.
    fn set_coils(&self, knot: &mut Knot<'_>, duty: &Duty) {
        let hours = knot.hours();
        let [cooling_most, heating_most] = self.zone.coils;
        let cooling = duty.sensible + duty.latent;
        let (valve_stuck, damper_stuck) = (knot.fault(self.faults.valve), knot.fault(self.faults.damper));
        let carries = duty.air * AIR;
        // A damper that stays where it is brings air in that the cooling coil has to bear.
        let outdoor = duty.outdoor + damper_stuck * (DAMPER_STUCK - duty.outdoor);
        let back = knot.level(self.room) + RETURN_RISE;
        let extra = (outdoor - duty.outdoor) * (knot.weather.temperature - back);
        let valve = ((cooling + carries * extra) / cooling_most).clamp(0.0, 1.0);
        let stuck = valve + valve_stuck * (VALVE_STUCK - valve);
        let missed = if carries > 0.01 { (valve - stuck) * cooling_most / carries * 0.7 } else { 0.0 };
        let moved = toward(knot.level(self.moved), 0.4 * missed.clamp(-8.0, 8.0), 2.0, hours);
        let running = carries > 0.01;
        let tau = if running { 0.15 } else { 0.8 };
        let supply = toward(knot.level(self.supply), duty.supply + missed.clamp(-6.0, 8.0), tau, hours);
        let mixed = duty.mixed + extra + (1.0 - outdoor) * moved;
        let mixed = toward(knot.level(self.mixed), mixed, tau, hours);
        let room_water =
            toward(knot.level(self.water), if running { duty.water + 0.3 } else { duty.water }, 0.8, hours);
        knot.set_level(self.moved, moved);
        knot.set_level(self.supply, supply);
        knot.set_level(self.mixed, mixed);
        knot.set_level(self.water, room_water);
        knot.set_level(self.cooling_valve, stuck);
        knot.set_level(self.heating_valve, (duty.heating / heating_most).clamp(0.0, 1.0));
        knot.set_level(self.damper, outdoor);
        knot.set_level(self.wheel, duty.wheel);
    }
}

/// Of what is outside and what comes back.
fn mix(outside: f64, back: f64, outdoor: f64, wheel: f64) -> f64 {
    back + (outside - back) * outdoor * (1.0 - wheel)
}
