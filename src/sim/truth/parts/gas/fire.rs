//! Water for fire fighting. Nothing burns: pressures stand, a jockey pump makes up what seeps away,
//! water evaporates and is made up. Once a week the fire pumps are run, one after the other.

use super::cycle::Cycle;
use super::{flag, power, tell};
use crate::sim::truth::parts::{Item, Use};
use crate::sim::truth::{Build, Fault, Flow, Knot, Level, Moment, Stock, Weekly, noise};

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

/// The pumps and when each is run, after Monday, 00:00: on Tuesdays at half past eight and a quarter of an
/// hour later, for ten minutes without flow, as NFPA 25 asks of electric fire pumps. Milliseconds.
const TESTS: [(&str, i64); 2] = [("fire-pump-1", 1_950 * 60_000), ("fire-pump-2", 1_965 * 60_000)];
const TEST_MS: i64 = 10 * 60_000;
/// A pump without flow: kW and A of it, and what it lifts the pressure by, MPa, within so many seconds.
const TEST_POWER: f64 = 25.0;
const TEST_CURRENT: f64 = 47.5;
const TEST_LIFT: f64 = 0.17;
const LIFTS_S: i64 = 20;
/// Weeks after 1970 in which the pumps were put up, in October 2019.
const PUT_UP: i64 = 2_600;

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
    let tests = TESTS.map(|(pump, after_ms)| fire_pump(build, pump, after_ms, uses));
    tell_pressures(build, jockey, tests);
    uses.push(power(JOCKEY, "energy-centre", Item::Machines, drawn, true));
}

/// A pump that stands but for its weekly run; when that is on.
fn fire_pump(build: &mut Build, pump: &'static str, after_ms: i64, uses: &mut Vec<Use>) -> Fault {
    let weekly = Weekly { after_ms, lasts_ms: TEST_MS };
    let test = build.weekly(weekly);
    let drawn = build.flow();
    build.leak(drawn, test, TEST_POWER);
    let key = noise::key(pump);
    tell(build, pump, "running", move |now| now.fault(test));
    tell(build, pump, "mode", |_| 2.0);
    tell(build, pump, "current", move |now| {
        TEST_CURRENT * now.fault(test) * (1.0 + 0.02 * now.wander(key, 11))
    });
    tell(build, pump, "starts", move |now| weeks(weekly.begun(now.at) - PUT_UP));
    for still in STILL {
        tell(build, pump, still, |_| 0.0);
    }
    uses.push(power(pump, "energy-centre", Item::Machines, drawn, true));
    test
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

fn tell_pressures(build: &mut Build, jockey: Cycle, tests: [Fault; 2]) {
    let key = noise::key(JOCKEY);
    let lifted = move |now: &Moment<'_>| -> f64 {
        tests.iter().map(|test| now.acted(*test, LIFTS_S) * 3_600.0 / seconds(LIFTS_S)).sum()
    };
    let pressure = move |now: &Moment<'_>| {
        PRESSURE.0 + (PRESSURE.1 - PRESSURE.0) * jockey.fill(now) + TEST_LIFT * lifted(now)
    };
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

#[expect(clippy::cast_precision_loss, reason = "some hundreds of weeks")]
fn weeks(number: i64) -> f64 {
    number as f64
}

#[expect(clippy::cast_precision_loss, reason = "less than a minute")]
fn seconds(number: i64) -> f64 {
    number as f64
}
