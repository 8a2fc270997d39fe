//! The sewage station: a basin, two pumps that take turns, hypochlorite after the flow.

use super::{flag, power, tell, towards};
use crate::sim::truth::parts::{Item, Use};
use crate::sim::truth::{Build, DayKind, Fault, Flow, Knot, Level, Stock, noise};

const ASSET: &str = "sewage-station";
const DOSING: &str = "sewage-dosing";
/// Ground of the basin, m2.
const AREA: f64 = 40.0;
/// Of what buildings use so much comes back.
const RETURNS: f64 = 0.9;
/// What comes besides: kitchen, laundry, town water of the low floors. m3/h.
const BESIDES: f64 = 2.0;
/// A pump starts above the first and stops below the second, m3; the other helps above the third.
const LEVELS: (f64, f64, f64) = (92.0, 44.0, 116.0);
/// What a pump gives, m3/h.
const PUMP_EACH: f64 = 32.0;
/// Hypochlorite for a m3, l.
const DOSE: f64 = 0.06;
/// The share of it a blocked dosing pump no longer gives, and what of the chlorine is then lost, mg/l.
const DOSE_LOST: f64 = 0.8;
const CHLORINE_LOST: f64 = 3.8;
/// What the tank of hypochlorite holds, l.
const STORE: f64 = 500.0;

#[derive(Clone, Copy)]
struct Station {
    out: Flow,
    basin: Stock,
    /// How many pumps run, and which of them begins.
    pumps: Level,
    turn: Level,
    running: [Flow; 2],
    starts: [Level; 2],
    dose: Flow,
    refill: Flow,
    store: Stock,
    filling: Level,
    chlorine: Level,
    ph: Level,
    low: Fault,
}

/// Adds it; `used` is what the buildings use.
pub fn add(build: &mut Build, used: Flow, uses: &mut Vec<Use>) {
    let besides = build.flow();
    let inflow = build.sum(&[(used, RETURNS), (besides, 1.0)]);
    let (out, dose, refill, drawn) = (build.flow(), build.flow(), build.flow(), build.flow());
    let station = Station {
        out,
        basin: build.stock(&[(inflow, 1.0), (out, -1.0)], 70.0),
        pumps: build.level(0.0),
        turn: build.level(0.0),
        running: [build.flow(), build.flow()],
        starts: [build.level(9_411.0), build.level(9_398.0)],
        dose,
        refill,
        store: build.stock(&[(refill, 1.0), (dose, -1.0)], 0.7 * STORE),
        filling: build.level(0.0),
        chlorine: build.level(4.7),
        ph: build.level(7.3),
        low: build.fault("residual_chlorine_low", ASSET),
    };
    build.step(move |knot| {
        knot.set(besides, BESIDES * (0.3 + knot.people.services));
        station.pump(knot);
        station.disinfect(knot);
        knot.set(drawn, 0.9 + 0.07 * knot.flow(out));
    });
    let discharged = build.counter(out, 702_400.0);
    let key = noise::key(ASSET);
    tell(build, ASSET, "level", move |now| now.stock(station.basin) / AREA);
    tell(build, ASSET, "inlet_flow", move |now| now.flow(inflow));
    tell(build, ASSET, "outlet_flow", move |now| now.flow(out));
    tell(build, ASSET, "outlet_volume", move |now| now.stock(discharged));
    tell(build, ASSET, "ph", move |now| now.level(station.ph) + 0.02 * now.wander(key, 60));
    tell(build, ASSET, "residual_chlorine", move |now| {
        now.level(station.chlorine) + 0.06 * now.wander(key ^ 1, 90)
    });
    station.tell_machines(build);
    uses.push(power(ASSET, "energy-centre", Item::Machines, drawn, true));
}

impl Station {
    fn pump(self, knot: &mut Knot<'_>) {
        let content = knot.stock_before(self.basin);
        let (start, stop, help) = LEVELS;
        let before = knot.level(self.pumps);
        let pumps = if content > help || (before > 1.5 && content > start) {
            2.0
        } else {
            flag(content > start || (before > 0.5 && content > stop))
        };
        if before < 0.5 && pumps > 0.5 {
            knot.set_level(self.turn, 1.0 - knot.level(self.turn));
        }
        knot.set_level(self.pumps, pumps);
        knot.set(self.out, PUMP_EACH * pumps);
        let first = usize::from(knot.level(self.turn) > 0.5);
        for (number, (run, starts)) in self.running.into_iter().zip(self.starts).enumerate() {
            let (ran, runs) = (before > ranks(number, first), pumps > ranks(number, first));
            knot.set(run, flag(runs));
            if runs && !ran {
                knot.set_level(starts, knot.level(starts) + 1.0);
            }
        }
    }

    fn disinfect(self, knot: &mut Knot<'_>) {
        let low = knot.fault(self.low);
        let dose = DOSE * knot.flow(self.out) * (1.0 - DOSE_LOST * low);
        knot.set(self.dose, dose);
        let left = knot.stock_before(self.store);
        let comes = knot.civil.kind == DayKind::Work && (9.0..9.6).contains(&knot.civil.hour);
        let filling =
            if knot.level(self.filling) > 0.5 { left < 0.9 * STORE } else { comes && left < 0.35 * STORE };
        knot.set_level(self.filling, flag(filling));
        knot.set(self.refill, if filling { (2.0 * (0.95 * STORE - left)).max(0.0) } else { 0.0 });
        let chlorine = 4.9 + 0.7 * knot.wander("chlorine", 5) - CHLORINE_LOST * low;
        let now = towards(knot.level(self.chlorine), chlorine, knot.hours(), 1.2);
        knot.set_level(self.chlorine, now);
        let ph = 7.3 + 0.3 * knot.wander("ph", 9);
        let now = towards(knot.level(self.ph), ph, knot.hours(), 3.0);
        knot.set_level(self.ph, now);
    }

    fn tell_machines(self, build: &mut Build) {
        for (number, asset) in ["sewage-pump-1", "sewage-pump-2"].into_iter().enumerate() {
            let Some((run, starts)) = self.running.into_iter().zip(self.starts).nth(number) else { continue };
            let hours = build.counter(run, if number == 0 { 7_350.0 } else { 7_318.0 });
            tell(build, asset, "running", move |now| {
                let first = usize::from(now.held(self.turn) > 0.5);
                flag(now.held(self.pumps) > ranks(number, first))
            });
            tell(build, asset, "operating_hours", move |now| now.stock(hours));
            tell(build, asset, "starts", move |now| now.held(starts));
        }
        tell(build, DOSING, "running", move |now| flag(now.flow(self.out) > 1.0));
        tell(build, DOSING, "flow", move |now| now.flow(self.dose));
        tell(build, DOSING, "level", move |now| (100.0 * now.stock(self.store) / STORE).clamp(0.0, 100.0));
    }
}

/// A pump runs if more than this many are asked for.
fn ranks(number: usize, first: usize) -> f64 {
    if number == first { 0.5 } else { 1.5 }
}
