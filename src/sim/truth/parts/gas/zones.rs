//! The areas of a pipeline: what each takes of oxygen, and what its panel shows.

use super::oxygen::Header;
use super::plants::{Air, Vacuum};
use super::{flag, tell};
use crate::sim::truth::{Build, Fault, Flow, Knot, Moment, noise};

/// Areas.
pub const ZONES: usize = 10;

/// Who breathes, and when.
#[derive(Clone, Copy, Debug)]
enum Who {
    /// Day and night alike.
    Always,
    /// As operations go.
    Surgery,
    /// As beds are taken and people are awake.
    Ward,
}

/// An area.
struct Zone {
    asset: &'static str,
    who: Who,
    /// Oxygen where all beds are taken, m3/h.
    most: f64,
    /// How far it is from the stations, 0 to 1.
    far: f64,
}

const fn zone(asset: &'static str, who: Who, most: f64, far: f64) -> Zone {
    Zone { asset, who, most, far }
}

const TABLE: [Zone; ZONES] = [
    zone("gas-zone-emergency", Who::Always, 6.0, 0.2),
    zone("gas-zone-icu", Who::Always, 16.0, 0.3),
    zone("gas-zone-surgery", Who::Surgery, 14.0, 0.35),
    zone("gas-zone-ward-3f", Who::Ward, 6.5, 0.4),
    zone("gas-zone-ward-4f", Who::Ward, 5.5, 0.5),
    zone("gas-zone-ward-5f", Who::Ward, 6.0, 0.6),
    zone("gas-zone-ward-6f", Who::Ward, 5.5, 0.7),
    zone("gas-zone-ward-7f", Who::Ward, 5.0, 0.8),
    zone("gas-zone-ward-8f", Who::Ward, 4.5, 0.9),
    zone("gas-zone-infectious", Who::Always, 8.0, 1.0),
];

/// Nominal pressure less 20 %, where an area panel says "low": GB 50751-2012, 7.1.4. MPa.
const LOW: f64 = 0.32;
/// The panel's own upper limit, MPa.
const HIGH: f64 = 0.48;
/// Least vacuum of an area, kPa: GB 50751-2012, 7.1.5.
const VACUUM_LOW: f64 = -37.0;
/// What a zone's pressure falls by where its own supply fails, MPa.
const ZONE_LOSS: f64 = 0.105;

/// What each area takes of oxygen, m3/h.
pub fn demand(build: &mut Build) -> [Flow; ZONES] {
    TABLE.map(|zone| {
        let flow = build.flow();
        build.step(move |knot| {
            let unrest = 1.0 + 0.07 * knot.wander(zone.asset, 3);
            let share = share(zone.who, knot);
            knot.set(flow, zone.most * share * unrest);
        });
        flow
    })
}

fn share(who: Who, knot: &Knot<'_>) -> f64 {
    let people = knot.people;
    match who {
        Who::Always => 0.7 + 0.15 * people.inpatients + 0.1 * people.ward_activity,
        Who::Surgery => 0.1 + 0.9 * people.surgery.min(1.0),
        Who::Ward => people.inpatients * (0.7 + 0.3 * people.ward_activity),
    }
}

/// What the panel of each area shows.
pub fn panels(build: &mut Build, demand: &[Flow; ZONES], oxygen: Header, air: Air, vacuum: Vacuum) {
    for (zone, flow) in TABLE.into_iter().zip(*demand) {
        let panel = Panel {
            flow,
            most: zone.most,
            far: zone.far,
            own: build.fault("oxygen_zone_low", zone.asset),
            oxygen,
            air,
            vacuum,
            key: noise::key(zone.asset),
        };
        tell(build, zone.asset, "oxygen_pressure", move |now| panel.oxygen(now));
        tell(build, zone.asset, "oxygen_state", move |now| state(panel.oxygen(now)));
        tell(build, zone.asset, "oxygen_flow", move |now| now.flow(flow) * 1_000.0 / 60.0);
        tell(build, zone.asset, "air_pressure", move |now| panel.air(now));
        tell(build, zone.asset, "air_state", move |now| state(panel.air(now)));
        tell(build, zone.asset, "vacuum_pressure", move |now| panel.vacuum(now));
        tell(build, zone.asset, "vacuum_state", move |now| flag(panel.vacuum(now) > VACUUM_LOW));
        tell(build, zone.asset, "alarm", move |now| {
            let calm =
                state(panel.oxygen(now)) + state(panel.air(now)) < 0.5 && panel.vacuum(now) <= VACUUM_LOW;
            flag(!calm)
        });
    }
}

/// The panel of an area.
#[derive(Clone, Copy)]
struct Panel {
    flow: Flow,
    most: f64,
    far: f64,
    own: Fault,
    oxygen: Header,
    air: Air,
    vacuum: Vacuum,
    key: u64,
}

impl Panel {
    /// The source less what is lost in the pipe, with the square of the flow. MPa.
    fn oxygen(&self, now: &Moment<'_>) -> f64 {
        let flow = now.flow(self.flow) / self.most;
        let lost = (0.004 + 0.006 * self.far) * flow * flow;
        self.oxygen.pressure(now) - lost - ZONE_LOSS * now.fault(self.own) + 0.0008 * now.wander(self.key, 25)
    }

    /// MPa.
    fn air(&self, now: &Moment<'_>) -> f64 {
        let busy = 0.4 + 0.6 * now.people.ward_activity;
        self.air.pressure(now) - (0.006 + 0.012 * self.far) * busy + 0.0008 * now.wander(self.key ^ 1, 25)
    }

    /// kPa, below zero.
    fn vacuum(&self, now: &Moment<'_>) -> f64 {
        self.vacuum.pressure(now) * (0.96 - 0.06 * self.far)
    }
}

/// 0 normal, 1 low, 2 high.
fn state(pressure: f64) -> f64 {
    if pressure < LOW {
        1.0
    } else if pressure > HIGH {
        2.0
    } else {
        0.0
    }
}
