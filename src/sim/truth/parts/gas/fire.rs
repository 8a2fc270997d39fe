//! Water for fire fighting. Nothing burns: pressures stand, a jockey pump makes up what seeps away,
//! water evaporates and is made up.

use super::cycle::Cycle;
use super::{flag, power, tell};
use crate::sim::truth::parts::{Item, Use};
use crate::sim::truth::{Build, Flow, Knot, Level, Moment, Stock, noise};

const JOCKEY: &str = "jockey-pump";
/// The jockey pump starts at the first and stops at the second, MPa in the pump room.
const PRESSURE: (f64, f64) = (0.70, 0.80);
/// Ground of the reservoir and of the roof tank, m2.
const RESERVOIR: f64 = 144.0;
const ROOF: f64 = 10.0;
/// The far ends of the pipes and how much lower the pressure is there, MPa: 0.01 for a metre of height.
const ENDS: [(&str, f64); 5] = [
    ("hydrant-main", 0.43),
    ("hydrant-outpatient", 0.26),
    ("hydrant-technology", 0.24),
    ("hydrant-infectious", 0.18),
    ("sprinkler-main", 0.41),
];

/// A tank that loses a little and is made up.
#[derive(Clone, Copy)]
struct Tank {
    lost: Flow,
    filled: Flow,
    content: Stock,
    filling: Level,
    /// It is filled below the first until the second, m3.
    band: (f64, f64),
    /// m3/h.
    loses: f64,
    fills: f64,
}

impl Tank {
    fn new(build: &mut Build, band: (f64, f64), loses: f64, fills: f64) -> Tank {
        let (lost, filled, filling) = (build.flow(), build.flow(), build.level(0.0));
        let content = build.stock(&[(filled, 1.0), (lost, -1.0)], f64::midpoint(band.0, band.1));
        Tank { lost, filled, content, filling, band, loses, fills }
    }

    fn step(self, knot: &mut Knot<'_>) {
        let content = knot.stock_before(self.content);
        let (low, full) = self.band;
        let filling = if knot.level(self.filling) > 0.5 { content < full } else { content < low };
        knot.set_level(self.filling, flag(filling));
        knot.set(self.filled, if filling { self.fills } else { 0.0 });
        // Warm days take more.
        knot.set(self.lost, self.loses * (1.0 + 0.03 * knot.weather.temperature.max(0.0)));
    }
}

/// Adds it.
pub fn add(build: &mut Build, uses: &mut Vec<Use>) {
    let reservoir = Tank::new(build, (520.0, 545.0), 0.05, 6.0);
    let roof = Tank::new(build, (17.0, 18.2), 0.004, 0.8);
    let jockey = Cycle::new(build, 18_230.0, 214.0);
    let drawn = build.flow();
    build.step(move |knot| {
        reservoir.step(knot);
        roof.step(knot);
        // Forty seconds in an hour and a half.
        let rate = 0.66 * (1.0 + 0.1 * knot.wander(JOCKEY, 12));
        jockey.set(knot, rate, 0.011 * rate);
        knot.set(drawn, 0.25 + 2.2 * 0.011 * rate);
    });
    tell(build, "fire-tank", "volume", move |now| now.stock(reservoir.content));
    tell(build, "fire-tank", "level", move |now| now.stock(reservoir.content) / RESERVOIR);
    tell(build, "roof-fire-tank", "level", move |now| now.stock(roof.content) / ROOF);
    tell_jockey(build, jockey);
    for pump in ["fire-pump-1", "fire-pump-2"] {
        tell(build, pump, "running", |_| 0.0);
        tell(build, pump, "mode", |_| 2.0);
        for still in STILL {
            tell(build, pump, still, |_| 0.0);
        }
    }
    uses.push(power(JOCKEY, "energy-centre", Item::Machines, drawn, true));
}

/// What a fire pump's controller does not complain of.
const STILL: [&str; 8] = [
    "phase_reversal",
    "phase_unbalanced",
    "start_failed",
    "power_lost",
    "overcurrent",
    "underpressure",
    "transducer_fault",
    "service_due",
];

fn tell_jockey(build: &mut Build, jockey: Cycle) {
    let key = noise::key(JOCKEY);
    let pressure = move |now: &Moment<'_>| PRESSURE.0 + (PRESSURE.1 - PRESSURE.0) * jockey.fill(now);
    tell(build, JOCKEY, "running", move |now| flag(jockey.on(now)));
    tell(build, JOCKEY, "starts", move |now| jockey.starts(now));
    tell(build, JOCKEY, "operating_hours", move |now| jockey.hours(now));
    tell(build, JOCKEY, "pressure", pressure);
    for (number, (end, lower)) in (0_u64..).zip(ENDS) {
        tell(build, end, "pressure", move |now| {
            pressure(now) - lower + 0.001 * now.wander(key.wrapping_add(number), 40)
        });
    }
}
