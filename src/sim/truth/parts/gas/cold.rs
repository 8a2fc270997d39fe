//! Refrigerators: a compressor that goes on and off, doors that are opened as people are about.

use super::cycle::Cycle;
use super::{flag, power, tell};
use crate::sim::truth::parts::{Item, Use};
use crate::sim::truth::{Build, Fault, Flow, Moment, Stock, noise};

/// Minutes in which the air of a cabinet cools down again after its door was opened.
const RECOVERS_S: f64 = 420.0;
/// Seconds until what came in through the door is felt by the sensor.
const FELT_S: f64 = 25.0;
/// A door open for so long is too long for its controller, seconds.
const TOO_LONG_S: i64 = 180;

/// Which points a cabinet has.
#[derive(Clone, Copy, PartialEq)]
enum Shows {
    /// A sensor that sends the temperature.
    Sensor,
    /// A sensor on a battery that also knows the door.
    Radio,
    /// A controller.
    Controller,
}

#[derive(Clone, Copy)]
struct Cabinet {
    asset: &'static str,
    building: &'static str,
    shows: Shows,
    /// Middle of its temperature and how far the compressor lets it go, °C.
    set: f64,
    band: f64,
    /// Compressor starts in an hour and the share of the time it runs.
    cycles: f64,
    share: f64,
    /// Openings in an hour while all staff are there, and what one lets in, K.
    openings: f64,
    warms: f64,
    /// A door left open: K in a minute, and where it ends, °C.
    open_rate: f64,
    open_most: f64,
    /// It is defrosted twice a day.
    defrosts: bool,
}

const fn cabinet(asset: &'static str, building: &'static str, shows: Shows, set: f64, band: f64) -> Cabinet {
    Cabinet {
        asset,
        building,
        shows,
        set,
        band,
        cycles: 60.0 / 18.0,
        share: 0.36,
        openings: 4.0,
        warms: 0.8,
        open_rate: 0.45,
        open_most: 13.0,
        defrosts: false,
    }
}

const CABINETS: [Cabinet; 7] = [
    // The demo's door: past 8 °C within half a minute.
    Cabinet {
        open_rate: 10.0,
        open_most: 14.0,
        ..cabinet("pharmacy-fridge", "main-building", Shows::Sensor, 4.5, 0.7)
    },
    cabinet("pharmacy-fridge-2", "main-building", Shows::Controller, 4.7, 0.8),
    Cabinet { warms: 0.5, ..cabinet("blood-fridge-1", "technology-building", Shows::Controller, 3.9, 0.5) },
    Cabinet { warms: 0.5, ..cabinet("blood-fridge-2", "technology-building", Shows::Controller, 4.0, 0.5) },
    Cabinet {
        cycles: 4.2,
        share: 0.52,
        openings: 1.2,
        warms: 1.2,
        open_most: -12.0,
        defrosts: true,
        ..cabinet("plasma-freezer", "technology-building", Shows::Controller, -26.5, 1.1)
    },
    cabinet("vaccine-fridge", "outpatient-building", Shows::Radio, 4.8, 0.7),
    cabinet("reagent-fridge", "technology-building", Shows::Radio, 5.0, 0.9),
];

/// Adds them.
pub fn add(build: &mut Build, uses: &mut Vec<Use>) {
    for (number, cabinet) in (0_u32..).zip(CABINETS) {
        add_cabinet(build, cabinet, f64::from(number), uses);
    }
}

fn add_cabinet(build: &mut Build, cabinet: Cabinet, number: f64, uses: &mut Vec<Use>) {
    let cycle = Cycle::new(build, 40_000.0 + 0.37 * number, 0.0);
    let (rate, drawn) = (build.flow(), build.flow());
    let inside = Inside {
        cabinet,
        cycle,
        rate,
        openings: build.counter(rate, 0.61 * number),
        left_open: build.fault("fridge_door_open", cabinet.asset),
        key: noise::key(cabinet.asset),
    };
    build.step(move |knot| {
        let opened = cabinet.openings * knot.people.staff.min(1.0);
        knot.set(rate, 0.1 + opened);
        // Each opening costs cold.
        let share = (cabinet.share + 0.015 * opened + 0.45 * knot.fault(inside.left_open)).min(0.95);
        cycle.set(knot, cabinet.cycles, share);
        knot.set(drawn, 0.03 + 0.35 * share);
    });
    inside.tell(build);
    uses.push(power(cabinet.asset, cabinet.building, Item::Services, drawn, true));
}

/// What is known of the inside of a cabinet.
#[derive(Clone, Copy)]
struct Inside {
    cabinet: Cabinet,
    cycle: Cycle,
    rate: Flow,
    openings: Stock,
    left_open: Fault,
    key: u64,
}

impl Inside {
    fn tell(self, build: &mut Build) {
        let asset = self.cabinet.asset;
        tell(build, asset, "temperature", move |now| self.temperature(now));
        if self.cabinet.shows == Shows::Sensor {
            return;
        }
        tell(build, asset, "door", move |now| flag(self.open(now)));
        if self.cabinet.shows == Shows::Radio {
            // New batteries at New Year.
            tell(build, asset, "battery", |now| 99.0 - 0.06 * now.civil.season);
            return;
        }
        tell(build, asset, "setpoint", move |_| (self.cabinet.set * 2.0).round() / 2.0);
        tell(build, asset, "compressor", move |now| {
            flag(self.cycle.on(now) && self.defrosting(now).is_none())
        });
        tell(build, asset, "defrost", move |now| flag(self.defrosting(now).is_some()));
        let alarm = self.cabinet.set + if self.cabinet.defrosts { 6.0 } else { 3.5 };
        tell(build, asset, "alarm_high", move |now| flag(self.temperature(now) > alarm));
        tell(build, asset, "alarm_door", move |now| {
            flag(now.acted(self.left_open, TOO_LONG_S) * 3_600.0 > 0.95 * seconds(TOO_LONG_S))
        });
    }

    fn temperature(&self, now: &Moment<'_>) -> f64 {
        let cabinet = &self.cabinet;
        let swing = cabinet.band * (1.0 - 2.0 * self.cycle.fill(now));
        let usual =
            cabinet.set + swing + self.let_in(now) + self.thawed(now) + 0.04 * now.wander(self.key, 30);
        let most = cabinet.open_most - cabinet.set;
        // As long as it takes to get there counts, and as long to get back.
        let minutes = (most / cabinet.open_rate).max(0.0);
        let left = now.acted(self.left_open, whole_seconds(minutes * 60.0)) * 60.0;
        let open = cabinet.open_rate * left;
        if open > 0.0 { (usual + open).min(cabinet.open_most.max(usual)) } else { usual }
    }

    /// The number of an opening, and the seconds since.
    #[expect(clippy::cast_possible_truncation, reason = "a count of openings")]
    fn opening(&self, now: &Moment<'_>, back: i64) -> (i64, f64) {
        let count = now.stock(self.openings);
        let number = count.floor() as i64;
        // Somewhere in its time, so that openings are not like a clock.
        let at = |number: i64| 0.8 * now.draw_of(self.key, number);
        let newest = if count.fract() < at(number) { number - 1 } else { number };
        let wanted = newest - back;
        let since = count.fract() + to_f64(number - wanted) - at(wanted);
        (wanted, since * 3_600.0 / now.flow(self.rate).max(0.01))
    }

    fn open(&self, now: &Moment<'_>) -> bool {
        let (number, since) = self.opening(now, 0);
        let lasts = 10.0 + 35.0 * now.draw_of(self.key ^ 1, number);
        since < lasts || now.fault(self.left_open) > 0.5
    }

    /// What the last openings let in, K.
    fn let_in(&self, now: &Moment<'_>) -> f64 {
        (0..3)
            .map(|back| {
                let (number, since) = self.opening(now, back);
                let size = self.cabinet.warms * (0.4 + 0.6 * now.draw_of(self.key ^ 1, number));
                size * ((-since / RECOVERS_S).exp() - (-since / FELT_S).exp())
            })
            .sum()
    }

    /// Hours since a defrost began, while it lasts.
    fn defrosting(&self, now: &Moment<'_>) -> Option<f64> {
        Some(since_defrost(now)).filter(|since| self.cabinet.defrosts && *since < DEFROST_H)
    }

    fn thawed(&self, now: &Moment<'_>) -> f64 {
        if !self.cabinet.defrosts {
            return 0.0;
        }
        let since = since_defrost(now);
        let warmest = 2.2;
        if since < DEFROST_H {
            warmest * since / DEFROST_H
        } else {
            warmest * ((DEFROST_H - since) / 0.6).exp()
        }
    }
}

/// How long a defrost takes, in hours.
const DEFROST_H: f64 = 0.3;

/// Hours since the last one began, at three by night and by day.
fn since_defrost(now: &Moment<'_>) -> f64 {
    (now.civil.hour - 3.0).rem_euclid(12.0)
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn to_f64(number: i64) -> f64 {
    number as f64
}

#[expect(clippy::cast_precision_loss, reason = "minutes")]
fn seconds(number: i64) -> f64 {
    number as f64
}

#[expect(clippy::cast_possible_truncation, reason = "minutes")]
fn whole_seconds(number: f64) -> i64 {
    number.round() as i64
}
