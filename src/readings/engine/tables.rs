//! Tables of what each rule says to a signal, hostile ones among them.

use super::tests::{START, now, polled, stamped, step};
use super::*;
use crate::config::{Frozen, RateMax, Report};
use crate::field::{Fault, Raw};
use crate::point::{Decimal, Quality, Reason, Value, ValueKind};
use crate::readings::inspect::{Kept, Rule, Step, Verdict};

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60_000;

fn plain() -> PointSettings {
    PointSettings::plain(PointId(1), ValueKind::Decimal, MINUTE)
}

fn engine(point: PointSettings) -> Engine {
    Engine::new(Settings { points: vec![point], plausible_from: Settings::PLAUSIBLE_FROM }, now(0))
}

fn number(text: &str) -> Value {
    text.parse().map_or_else(|_| Value::F64(text.parse().unwrap()), Value::Decimal)
}

fn told(reading: &Reading) -> String {
    match reading.value {
        Some(Value::Decimal(number)) => format!("{number} {}", reading.quality),
        Some(Value::F64(number)) => format!("{number:?} {}", reading.quality),
        _ => reading.quality.to_string(),
    }
}

/// One sample at a moment; `!` is a timeout.
fn one(engine: &mut Engine, raw: &str, at: Now) -> Outcome {
    let raw = if raw == "!" { Err(Fault::Timeout) } else { Ok(Raw::Value(number(raw))) };
    step(engine, polled(at, vec![Sample { point: PointId(1), raw }]), at)
}

/// What is said to samples at their milliseconds.
fn run(engine: &mut Engine, samples: &[(u64, &str)]) -> Vec<String> {
    let said = samples.iter().filter_map(|(ms, raw)| one(engine, raw, now(*ms)).live);
    said.map(|batch| told(&batch.readings[0])).collect()
}

fn quality(engine: &mut Engine, samples: &[(u64, &str)]) -> Vec<&'static str> {
    let word = |said: &String| match said.rsplit(':').next().unwrap() {
        "rate" => "rate",
        "frozen" => "frozen",
        "unit_jump" => "unit",
        "out_of_range" => "range",
        "timeout" => "timeout",
        "sensor_failure" => "sensor",
        "clock" => "clock",
        _ => "good",
    };
    run(engine, samples).iter().map(word).collect()
}

fn watched(change: &str, per_ms: u64) -> PointSettings {
    let mut point = plain();
    point.conditioning.checks.rate_max = Some(RateMax { change: change.parse().unwrap(), per_ms });
    point
}

#[test]
fn a_change_that_is_too_fast_is_doubted_until_its_level_proves_itself() {
    type Case = (&'static str, &'static [(u64, &'static str)], &'static [&'static str]);
    let cases: &[Case] = &[
        ("a spike", &[(1, "20"), (2, "80"), (3, "20")], &["good", "rate", "good"]),
        (
            "a real jump",
            &[(1, "20"), (2, "80"), (3, "81"), (4, "80"), (5, "80")],
            &["good", "rate", "rate", "good", "good"],
        ),
        (
            "wild",
            &[(1, "20"), (2, "80"), (3, "-90"), (4, "300"), (5, "80")],
            &["good", "rate", "rate", "rate", "rate"],
        ),
        ("to the limit", &[(1, "0.1"), (2, "5.1"), (3, "5.10001")], &["good", "good", "rate"]),
        ("in small steps", &[(1, "0"), (2, "4"), (3, "8")], &["good", "good", "rate"]),
        ("a long pause", &[(1, "0"), (601, "50"), (602, "80")], &["good", "good", "rate"]),
        (
            "a failure between",
            &[(1, "0"), (2, "!"), (3, "80"), (4, "!"), (5, "0")],
            &["good", "timeout", "rate", "timeout", "good"],
        ),
        (
            "floats",
            &[(1, "0.5e0"), (2, "NaN"), (3, "1e300"), (4, "-1e300"), (5, "inf")],
            &["good", "sensor", "rate", "rate", "sensor"],
        ),
        ("decimals beyond each other", &[(1, "-9e18"), (2, "9e18"), (3, "1e-18")], &["good", "rate", "rate"]),
    ];
    for (name, samples, expected) in cases {
        let samples: Vec<_> = samples.iter().map(|(second, raw)| (second * SECOND, *raw)).collect();
        assert_eq!(quality(&mut engine(watched("5", MINUTE)), &samples), *expected, "{name}");
    }
}

/// Neither a wall clock that is set nor a queue handed over at once makes a change faster.
#[test]
fn the_time_of_a_change_is_the_longer_of_both_clocks() {
    let mut engine = engine(watched("5", MINUTE));
    let at = |mono: u64, utc: i64| Now { utc: START.plus_ms(utc), mono: Mono(mono) };
    let mut say = |raw: &str, at: Now| told(&one(&mut engine, raw, at).live.unwrap().readings[0]);
    assert_eq!(say("0", at(0, 0)), "0 good");
    assert_eq!(say("50", at(10 * MINUTE, 600_000)), "50 good");
    // Set back by an hour: ten minutes have gone by all the same.
    assert_eq!(say("100", at(20 * MINUTE, -2_400_000)), "100 uncertain:clock");
    assert_eq!(say("200", at(20 * MINUTE + 1, -2_399_999)), "200 uncertain:rate");
    // A broker's queue: an hour of readings within a millisecond.
    let mut engine = self::engine(watched("5", MINUTE));
    for (minute, raw) in [(1, "0"), (2, "5"), (3, "10"), (4, "99")] {
        let sample = Sample { point: PointId(1), raw: Ok(Raw::Value(number(raw))) };
        let batch = stamped(now(MINUTE * 60), now(MINUTE * minute).utc, vec![sample]);
        let said = step(&mut engine, batch, now(MINUTE * 60)).live.unwrap();
        assert_eq!(said.readings[0].quality == Quality::Good, raw != "99", "{raw}");
    }
}

#[test]
fn a_value_that_stands_still_while_it_is_read_is_frozen() {
    let frozen = |band: &str| {
        let mut point = plain();
        point.conditioning.checks.frozen = Some(Frozen { after_ms: 3 * MINUTE, band: band.parse().unwrap() });
        engine(point)
    };
    let every_minute = |raw: &[&'static str]| -> Vec<(u64, &'static str)> {
        raw.iter().enumerate().map(|(n, raw)| (u64::try_from(n).unwrap() * MINUTE, *raw)).collect()
    };
    let exact = quality(&mut frozen("0"), &every_minute(&["5", "5.0", "5", "5", "5", "5.1", "5.1"]));
    assert_eq!(exact, ["good", "good", "good", "frozen", "frozen", "good", "good"]);
    let band = quality(&mut frozen("0.2"), &every_minute(&["5", "5.2", "4.8", "5.1", "5.3", "5.3"]));
    assert_eq!(band, ["good", "good", "good", "frozen", "good", "good"]);
    // Silence is no standing still, a failure between is.
    let silent = [(0, "5"), (10 * MINUTE, "5"), (11 * MINUTE, "!"), (12 * MINUTE, "5"), (13 * MINUTE, "5")];
    assert_eq!(quality(&mut frozen("0"), &silent), ["good", "good", "timeout", "good", "good"]);
    let failing = [(0, "5"), (MINUTE, "5"), (MINUTE + 1, "!"), (2 * MINUTE, "5"), (3 * MINUTE, "5")];
    assert_eq!(quality(&mut frozen("0"), &failing), ["good", "good", "timeout", "good", "frozen"]);
}

fn in_unit(unit: &str, raw: Option<&str>) -> PointSettings {
    let mut point = plain();
    point.unit = unit.parse().unwrap();
    point.conditioning.raw_unit = raw.map(|raw| raw.parse().unwrap());
    point.conditioning.checks.unit_jump = true;
    point
}

#[test]
fn a_jump_by_the_ratio_of_two_units_is_doubted_until_it_goes_back_or_the_plan_says_the_new_unit() {
    type Case = (&'static str, Option<&'static str>, &'static [&'static str], &'static [&'static str]);
    let cases: &[Case] = &[
        (
            "kPa{gauge}",
            None,
            &["400", "0.4", "0.41", "0.35", "352"],
            &["good", "unit", "unit", "unit", "good"],
        ),
        ("kPa{gauge}", None, &["689.5", "100.1", "101", "690"], &["good", "unit", "unit", "good"]),
        (
            "m3/h",
            None,
            &["36", "10.01", "9", "7", "5", "27"],
            &["good", "unit", "unit", "unit", "unit", "good"],
        ),
        (
            "Cel",
            None,
            &["21", "69.8", "68", "50", "40", "5"],
            &["good", "unit", "unit", "unit", "unit", "good"],
        ),
        ("Cel", None, &["0", "0", "273.15"], &["good", "good", "unit"]),
        ("kPa{gauge}", Some("[psi]{gauge}"), &["100", "689", "690"], &["good", "unit", "unit"]),
        ("kW.h", None, &["5", "0", "0", "5000"], &["good", "good", "good", "good"]),
        ("kW", None, &["100", "150", "70", "100"], &["good", "good", "good", "good"]),
        (
            "kPa{gauge}",
            None,
            &["400", "!", "0.4", "NaN", "1e308", "1e308"],
            &["good", "timeout", "unit", "sensor", "good", "good"],
        ),
    ];
    for (unit, raw, samples, expected) in cases {
        let samples: Vec<_> = samples.iter().zip(1..).map(|(raw, n)| (n * SECOND, *raw)).collect();
        assert_eq!(quality(&mut engine(in_unit(unit, *raw)), &samples), *expected, "{unit} {samples:?}");
    }
    let mut engine = engine(in_unit("kPa{gauge}", None));
    assert_eq!(quality(&mut engine, &[(1, "400"), (2, "0.4")]), ["good", "unit"]);
    let megapascals = in_unit("kPa{gauge}", Some("MPa{gauge}"));
    let settings = Settings { points: vec![megapascals], plausible_from: Settings::PLAUSIBLE_FROM };
    engine.replan(&settings, &BTreeSet::new(), now(3 * SECOND));
    assert_eq!(quality(&mut engine, &[(4 * SECOND, "0.4"), (5 * SECOND, "0.41")]), ["good", "good"]);
}

/// The device is exchanged while the program is down, or the doubt was there before it went down.
#[test]
fn a_unit_jump_is_known_across_a_restart() {
    let last =
        |value: &str, quality| Reading { point: PointId(1), at: START, value: Some(number(value)), quality };
    let mut exchanged = engine(in_unit("kPa{gauge}", None));
    exchanged.remember([last("400", Quality::Good)]);
    assert_eq!(quality(&mut exchanged, &[(1, "0.4"), (2, "0.41")]), ["unit", "unit"]);
    let mut doubted = engine(in_unit("kPa{gauge}", None));
    doubted.remember([last("0.4", Quality::Uncertain(Reason::UnitJump))]);
    assert_eq!(
        quality(&mut doubted, &[(1, "0.4"), (2, "0.5"), (3, "500"), (4, "400")]),
        ["unit", "unit", "good", "good"]
    );
}

fn counter(modulus: u64, scale: &str) -> PointSettings {
    let mut point = PointSettings { scale: scale.parse().unwrap(), ..plain() };
    point.conditioning.counter_modulus = Some(modulus);
    point
}

#[test]
fn a_counter_goes_on_beyond_its_register_and_a_fall_is_told() {
    let mut engine = engine(counter(100_000_000, "0.01"));
    let said =
        run(&mut engine, &[(1, "99999990"), (2, "99999999"), (3, "5"), (4, "6"), (5, "99999999"), (6, "0")]);
    assert_eq!(
        said,
        [
            "999999.90 good",
            "999999.99 good",
            "1000000.05 good",
            "1000000.06 good",
            "1999999.99 good",
            "2000000.00 good"
        ]
    );
    // Set to 12 in the middle of its range: replaced or reset.
    run(&mut engine, &[(7, "60000000")]);
    let outcome = one(&mut engine, "12", now(8));
    let reset =
        Reset { point: PointId(1), before: "2600000".parse().unwrap(), after: "0.12".parse().unwrap() };
    assert_eq!(outcome.resets, [reset]);
    assert_eq!(told(&outcome.live.unwrap().readings[0]), "0.12 uncertain:rate");
    assert_eq!(
        run(&mut engine, &[(9, "13"), (10, "100000000")]),
        ["0.13 good", "1000000.00 uncertain:out_of_range"]
    );
    assert_eq!(run(&mut engine, &[(11, "14")]), ["0.14 good"], "what it cannot show is not counted");
}

#[test]
fn a_counter_goes_on_from_the_history_and_late_counts_stay_behind() {
    let mut engine = engine(counter(65_536, "1"));
    let last =
        Reading { point: PointId(1), at: START, value: Some(number("131000")), quality: Quality::Good };
    engine.remember([last]);
    assert_eq!(run(&mut engine, &[(1, "100")]), ["131172 good"]);
    // The same messages once more, and an old one, by the source's stamps.
    let mut say = |at: u64, raw: &str| {
        let sample = Sample { point: PointId(1), raw: Ok(Raw::Value(number(raw))) };
        let outcome = step(&mut engine, stamped(now(90), now(at).utc, vec![sample]), now(90));
        (outcome.history.map(|batch| told(&batch.readings[0])), outcome.late, outcome.duplicates)
    };
    assert_eq!(say(50, "200"), (Some("131272 good".into()), 0, 0));
    assert_eq!(say(40, "65500"), (Some("131036 good".into()), 1, 0));
    assert_eq!(say(40, "65500"), (None, 0, 1));
    assert_eq!(say(50, "200"), (None, 0, 1));
    assert_eq!(say(60, "201"), (Some("131273 good".into()), 0, 0));
    // With a rate the fall is measured by it, however much of the register it is.
    let mut fast = counter(1_000, "1");
    fast.conditioning.checks.rate_max = Some(RateMax { change: Decimal::from_int(400), per_ms: SECOND });
    let mut fast = self::engine(fast);
    assert_eq!(run(&mut fast, &[(1, "900"), (2, "250")]), ["900 good", "1250 good"]);
    assert_eq!(quality(&mut fast, &[(3, "900"), (4, "400"), (5, "401")]), ["rate", "rate", "good"]);
}

#[test]
fn what_lies_beyond_an_end_is_that_end_unless_it_is_out_of_range() {
    let ends = |low: &str, high: &str| Some((low.parse().unwrap(), high.parse().unwrap()));
    let mut point = PointSettings { range: ends("-5", "105"), ..plain() };
    point.conditioning.clamp = ends("0", "100");
    let said = run(
        &mut engine(point),
        &[(1, "-0.3"), (2, "0"), (3, "104"), (4, "106"), (5, "-5.01"), (6, "-1.5e0")],
    );
    assert_eq!(
        said,
        [
            "0 good",
            "0 good",
            "100 good",
            "106 uncertain:out_of_range",
            "-5.01 uncertain:out_of_range",
            "0 good"
        ]
    );
    let states = PointSettings { states: vec![0, 1, 5], ..plain() };
    assert_eq!(
        quality(&mut engine(states), &[(1, "0"), (2, "5.0"), (3, "2"), (4, "1.5")]),
        ["good", "good", "range", "range"]
    );
}

fn reporting(deadband: &str, min_interval_ms: u64) -> PointSettings {
    let mut point = plain();
    let deadband = deadband.parse().unwrap();
    point.conditioning.report = Some(Report { deadband, min_interval_ms, heartbeat_ms: 10 * MINUTE });
    point
}

fn rows(batch: Option<Arc<Batch>>) -> Vec<String> {
    let spelled = |reading: &Reading| format!("@{} {}", reading.at.since_ms(START), told(reading));
    batch.map(|batch| batch.readings.iter().map(spelled).collect()).unwrap_or_default()
}

#[test]
fn the_history_keeps_changes_as_steps_and_a_row_in_each_heartbeat() {
    let mut engine = engine(reporting("0.5", 0));
    let mut row = |ms: u64, raw: &str| rows(one(&mut engine, raw, now(ms)).history);
    assert_eq!(row(1, "20"), ["@1 20 good"]);
    assert_eq!(row(1_000, "20.5"), [""; 0], "at the edge of the deadband nothing has changed");
    assert_eq!(row(2_000, "19.6"), [""; 0]);
    assert_eq!(row(3_000, "21"), ["@2000 19.6 good", "@3000 21 good"], "a step, not a ramp");
    assert_eq!(row(4_000, "25"), ["@4000 25 good"]);
    assert_eq!(row(5_000, "!"), ["@5000 bad:timeout"], "a quality is never held back");
    assert_eq!(row(6_000, "25"), ["@6000 25 good"]);
    assert_eq!(row(606_000, "25"), ["@606000 25 good"], "in any case after the heartbeat");
    // Nothing new comes: what is held back goes when its time has come, and before the silence.
    let mut slow = self::engine(reporting("0", 5_000));
    assert_eq!(rows(one(&mut slow, "1", now(1)).history), ["@1 1 good"]);
    assert!(one(&mut slow, "2", now(1_000)).history.is_none());
    assert!(slow.tick(now(5_000)).history.is_none());
    let due = slow.tick(now(5_001));
    assert_eq!((rows(due.history), due.live.is_none()), (vec!["@1000 2 good".to_owned()], true));
    assert!(one(&mut slow, "3", now(5_500)).history.is_none());
    assert_eq!(rows(slow.tick(now(70_000)).history), ["@5500 3 good", "@70000 3 uncertain:stale"]);
}

#[test]
fn a_new_plan_keeps_what_means_the_same() {
    let replan = |engine: &mut Engine, point: PointSettings| {
        let settings = Settings { points: vec![point], plausible_from: Settings::PLAUSIBLE_FROM };
        engine.replan(&settings, &BTreeSet::new(), now(50));
    };
    let mut kept = engine(counter(100, "1"));
    assert_eq!(run(&mut kept, &[(1, "99"), (2, "1")]), ["99 good", "101 good"]);
    let other_stale = PointSettings { stale_after_ms: 7, ..counter(100, "1") };
    replan(&mut kept, other_stale);
    assert_eq!(run(&mut kept, &[(60, "2")]), ["102 good"]);
    // Another scale is another number: the counter begins with what it shows.
    replan(&mut kept, counter(100, "10"));
    assert_eq!(run(&mut kept, &[(70, "3")]), ["30 good"]);
    let mut watched_anew = engine(plain());
    assert_eq!(quality(&mut watched_anew, &[(1, "20")]), ["good"]);
    replan(&mut watched_anew, watched("5", MINUTE));
    assert_eq!(quality(&mut watched_anew, &[(60, "80")]), ["rate"], "the last value is known");
    replan(&mut watched_anew, PointSettings { scale: "0.1".parse().unwrap(), ..watched("5", MINUTE) });
    assert_eq!(quality(&mut watched_anew, &[(70, "20"), (71, "900")]), ["good", "rate"]);
}

#[test]
fn the_inspector_says_how_a_reading_came_about() {
    let mut point =
        PointSettings { scale: "0.1".parse().unwrap(), ..in_unit("kPa{gauge}", Some("bar{gauge}")) };
    point.range = Some((Decimal::from_int(-100), Decimal::from_int(1_000)));
    point.conditioning.clamp = Some((Decimal::ZERO, Decimal::from_int(900)));
    let mut engine = engine(point);
    assert_eq!(engine.explain(PointId(1), now(0)).unwrap().sample, None);
    run(&mut engine, &[(1, "35"), (2, "-2")]);
    let told = engine.explain(PointId(1), now(10)).unwrap();
    let sample = told.sample.unwrap();
    assert_eq!((sample.raw, &*sample.device), (Ok(Raw::Value(number("-2"))), "d"));
    let [
        Step::Raw(_),
        Step::Scaled { by, .. },
        Step::Converted { value: kpa, .. },
        Step::Clamped { value, .. },
    ] = told.steps.as_slice()
    else {
        panic!("{:?}", told.steps)
    };
    assert_eq!((*by, *kpa, *value), ("0.1".parse().unwrap(), number("-20"), number("0")));
    assert_eq!(told.reading.unwrap().value, Some(number("0")));
    let verdict = |rule: Rule| told.checks.iter().find(|check| check.rule == rule).unwrap();
    assert_eq!(
        (verdict(Rule::Range).verdict, verdict(Rule::Rate).verdict),
        (Verdict::Passed, Verdict::NotConfigured)
    );
    assert_eq!(verdict(Rule::Range).saw.as_deref(), Some("-20.0"));
    assert_eq!((told.history, told.counts.readings, told.heard_ago_ms), (Kept::Everything, 2, 8));
    run(&mut engine, &[(3, "!"), (4, "200")]);
    let told = engine.explain(PointId(1), now(10)).unwrap();
    assert_eq!(
        told.checks
            .iter()
            .filter(|check| check.verdict == Verdict::Failed)
            .map(|check| check.rule)
            .collect::<Vec<_>>(),
        [Rule::Range]
    );
    assert_eq!((told.counts.bad, told.counts.readings), (1, 4));
    assert_eq!(engine.explain(PointId(2), now(10)), None);
}
