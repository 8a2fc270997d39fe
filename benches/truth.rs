//! The simulated hospital: what it costs to know all that is true at a moment, one moment after the other
//! and days apart, and to fill a day of registers with it. How to run it and what it gave: benches/README.md.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement run by hand"
)]

use plantroom::config::{self, Plan};
use plantroom::point::UtcMs;
use plantroom::sim::Facts;
use plantroom::sim::device::unit::Unit;
use plantroom::sim::fault::{self, Board, Known};
use plantroom::sim::truth::Truth;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

/// 2026-11-21 00:00 in China.
const START: UtcMs = UtcMs(1_795_190_400_000);
const DAY_MS: i64 = 86_400_000;
/// What the demo has of a past.
const DAYS: i64 = 396;
/// Registers are filled once a minute.
const MINUTE_MS: i64 = 60_000;
/// Moments of a day, one after the other, are so far apart.
const STEP_MS: i64 = 5_000;

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let plan = config::load(&folder.join("config/plantroom.toml"), &|_| None).unwrap().plan;
    let usual = std::fs::read_to_string(folder.join("config/demo/faults.toml")).unwrap();
    for (name, script) in [("no faults", ""), ("the usual script", &usual)] {
        report(&plan, name, script);
    }
}

fn report(plan: &Plan, name: &str, script: &str) {
    let faults = fault::parse(script, "faults.toml", plan).unwrap();
    let board = Board::new(faults, Known { starts: vec![START], asked: Vec::new() }, START);
    let truth = Truth::hospital(START.plus_ms(-DAYS * DAY_MS), 1, board.courses());
    println!("{name}: {} points", truth.points().len());

    let (_, first) = timed(|| truth.values(START));
    println!("  the first moment after {DAYS} days: {:.0} ms", millis(first));

    let moments = u32::try_from(DAY_MS / STEP_MS).unwrap();
    let ((), day) = timed(|| {
        for moment in 0..i64::from(moments) {
            black_box(truth.values(START.plus_ms(moment * STEP_MS)));
        }
    });
    println!("  a moment, in order: {:.1} us, of {moments}", 1e3 * millis(day) / f64::from(moments));

    let back = u32::try_from(DAYS).unwrap();
    let ((), days) = timed(|| {
        for days in 1..i64::from(back) {
            black_box(truth.values(START.plus_ms(DAY_MS / 2 - days * DAY_MS)));
        }
    });
    println!("  a moment, each a day before the last: {:.2} ms", millis(days) / f64::from(back - 1));

    let facts = Facts::new(plan, &truth);
    let (registers, filled) = timed(|| fill(plan, &truth, &facts));
    println!("  a day of {registers} registers, one a minute: {:.0} ms", millis(filled));
}

/// Every register of every device, each minute of a day; how many there are.
fn fill(plan: &Plan, truth: &Truth, facts: &Facts) -> usize {
    let told = facts.told(truth);
    let devices = || plan.buses.iter().flat_map(|bus| &bus.devices);
    let units: Vec<Unit> = devices().map(|device| Unit::new(plan, device, told)).collect();
    for minute in 0..DAY_MS / MINUTE_MS {
        let at = START.plus_ms(minute * MINUTE_MS);
        let values = truth.values(at);
        for (device, unit) in devices().zip(&units) {
            for cell in device.registers.iter().map(|register| register.cell) {
                black_box(unit.read(cell.table, cell.address, cell.items(), &values, at).unwrap());
            }
        }
    }
    devices().map(|device| device.registers.len()).sum()
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    (black_box(work()), start.elapsed())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
