//! What the engine means by its words.

use super::*;
use crate::alarms::config::{GAP_QUIET_MS, Limit, SHED_QUIET_MS, historian_gap, history_shed};
use crate::point::{Names, Unit};
use proptest::prelude::*;

const POINT: PointId = PointId(1);

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn rule(id: &str, test: Test, on_delay_ms: u64) -> Rule {
    Rule {
        id: id.into(),
        asset: "manifold".into(),
        point: Some((POINT, "manifold/pressure".parse().unwrap())),
        test,
        on_delay_ms,
        priority: 1,
        failure_mode: "pressure".into(),
        unit: Unit::ONE,
        message: Names::default(),
        response: Names::default(),
    }
}

fn high(limit: &str, deadband: &str) -> Test {
    Test::High(Limit::high(decimal(limit), decimal(deadband)).unwrap())
}

fn low(limit: &str, deadband: &str) -> Test {
    Test::Low(Limit::low(decimal(limit), decimal(deadband)).unwrap())
}

fn at_ms(ms: u64) -> Now {
    Now { utc: UtcMs(1_000_000_000_000).plus_ms(signed(ms)), mono: Mono(ms) }
}

fn engine(rules: Vec<Rule>) -> Engine {
    Engine::new(&rules.into(), &Restored::default(), at_ms(0))
}

fn reading(text: &str) -> Reading {
    let (value, quality) = match text {
        "bad" => (None, Quality::Bad(Reason::Timeout)),
        "nan" => (Some(Value::F64(f64::NAN)), Quality::Good),
        "stale" => (Some(Value::Decimal(decimal("99"))), Quality::Uncertain(Reason::Stale)),
        "on" | "off" => (Some(Value::Bool(text == "on")), Quality::Good),
        _ => match text.strip_prefix("f") {
            Some(float) => (Some(Value::F64(float.parse().unwrap())), Quality::Good),
            None => (Some(Value::Decimal(decimal(text))), Quality::Good),
        },
    };
    Reading { point: POINT, at: UtcMs(0), value, quality }
}

/// One step in letters: `+` raised, `-` returned, `d` delay started, `x` delay cancelled or over.
fn letters(changes: &[Change]) -> String {
    let letter = |change: &Change| match change {
        Change::Raised { .. } => '+',
        Change::Returned { .. } => '-',
        Change::Delay { due: Some(_), .. } => 'd',
        Change::Delay { due: None, .. } => 'x',
    };
    changes.iter().map(letter).collect()
}

/// A reading each second, with a tick after it; `.` is a second without a reading.
fn play(engine: &mut Engine, first_ms: u64, readings: &str) -> String {
    let mut told = Vec::new();
    for (second, text) in (0_u64..).zip(readings.split(' ')) {
        let now = at_ms(first_ms + second * 1_000);
        let mut changes = Vec::new();
        if text != "." {
            engine.step(&reading(text), now, &mut changes);
        }
        engine.tick(now, &mut changes);
        told.push(if changes.is_empty() { ".".to_owned() } else { letters(&changes) });
    }
    told.join(" ")
}

#[test]
fn limits_deadband_and_quality_without_delay() {
    let table = [
        // Activates beyond the limit, not at it; returns at the limit less the deadband, not above.
        (high("10", "2"), "10 10.01 9 8.01 8 10 11", ". + . . - . +"),
        (low("10", "2"), "10 9.99 11 11.99 12 10 9", ". + . . - . +"),
        // Without a deadband it returns at the limit itself.
        (high("10", "0"), "11 10 11", "+ - +"),
        (low("10", "0"), "9 10 9", "+ - +"),
        // Equality is by number, not by spelling, and exact where floats are not.
        (high("0.3", "0"), "0.30 0.300000000000000001", ". +"),
        (high("0.3", "0"), "f0.3 f0.31 f0.3", ". + -"),
        // A bad signal neither raises nor returns; what it said before stands.
        (high("10", "2"), "bad 11 bad nan stale . 9 8", ". + . . . . . -"),
        (high("10", "2"), "nan bad stale 8", ". . . ."),
        // A contact is 0 or 1.
        (high("0", "0"), "off on on off", ". + . -"),
        (low("1", "0"), "on off on", ". + -"),
        // Below zero as well: gauge vacuum.
        (high("-48", "0.5"), "-48 -47.9 -48 -48.4 -48.5", ". + . . -"),
    ];
    for (test, readings, expected) in table {
        let told = play(&mut engine(vec![rule("r", test, 0)]), 0, readings);
        assert_eq!(told, expected, "{test:?} {readings}");
    }
}

#[test]
fn the_on_delay() {
    let table = [
        // Three seconds beyond the limit, counted from the first reading; by timer, without a reading.
        ("11 11 11 11", "d . . x+"),
        ("11 . . . .", "d . . x+ ."),
        // It starts again when the condition goes false, also within the deadband.
        ("11 11 9 11 . . .", "d . x d . . x+"),
        ("11 11 7 11 . . .", "d . x d . . x+"),
        // Once active the deadband holds it.
        ("11 . . . 9 8", "d . . x+ . -"),
        // A bad signal does not restart it; at its end the next usable reading decides.
        ("11 bad 11 11", "d . . x+"),
        ("11 bad bad bad bad 11", "d . . . . x+"),
        ("11 bad bad bad bad 9", "d . . . . x"),
        // A stale mark takes nothing back.
        ("11 stale stale stale", "d . . x+"),
        // Returning needs no delay.
        ("11 11 11 11 8 11", "d . . x+ - d"),
    ];
    for (readings, expected) in table {
        let told = play(&mut engine(vec![rule("r", high("10", "2"), 3_000)]), 0, readings);
        assert_eq!(told, expected, "{readings}");
    }
}

#[test]
fn no_data_is_bad_or_stale_for_the_delay() {
    let table = [
        (0, "1 bad bad 1 stale 1", ". + . - + -"),
        (2_000, "1 bad bad bad 1", ". d . x+ -"),
        (2_000, "1 stale . . 1", ". d . x+ -"),
        (2_000, "1 bad 1 bad . .", ". d x d . x+"),
        // Bad at the start alarms like any other time.
        (2_000, "bad . .", "d . x+"),
    ];
    for (delay, readings, expected) in table {
        let told = play(&mut engine(vec![rule("r", Test::NoData, delay)]), 0, readings);
        assert_eq!(told, expected, "{delay} {readings}");
    }
}

#[test]
fn the_cause_of_an_alarm_by_timer_is_the_last_reading_beyond_the_limit() {
    let mut engine = engine(vec![rule("r", high("10", "0"), 2_000)]);
    let mut changes = Vec::new();
    engine.step(&reading("11"), at_ms(0), &mut changes);
    engine.step(&reading("12.50"), at_ms(1_000), &mut changes);
    engine.step(&reading("stale"), at_ms(1_500), &mut changes);
    changes.clear();
    assert_eq!(engine.next_due(), Some(Mono(2_000)));
    engine.tick(at_ms(2_000), &mut changes);
    let cause = Cause { value: Some(Value::Decimal(decimal("12.50"))), quality: Quality::Good };
    assert_eq!(changes, [Change::Delay { rule: 0, due: None }, Change::Raised { rule: 0, cause }]);
    assert_eq!(engine.next_due(), None);
}

#[test]
fn rules_of_one_point_stand_for_themselves() {
    let rules =
        vec![rule("hi", high("10", "0"), 0), rule("lo", low("5", "0"), 0), rule("nd", Test::NoData, 0)];
    assert_eq!(play(&mut engine(rules), 0, "11 4 bad 7"), "+ -+ + --");
    let other = Reading { point: PointId(9), ..reading("11") };
    let mut changes = Vec::new();
    engine(vec![rule("hi", high("10", "0"), 0)]).step(&other, at_ms(0), &mut changes);
    assert_eq!(changes, []);
}

#[test]
fn a_loss_of_history_alarms_until_it_has_been_quiet() {
    let mut engine = engine(vec![historian_gap()]);
    let mut changes = Vec::new();
    engine.gap(40, at_ms(0), &mut changes);
    engine.gap(2, at_ms(30_000), &mut changes);
    engine.tick(at_ms(60_000), &mut changes);
    assert_eq!(letters(&changes), "+dd");
    engine.tick(at_ms(30_000 + GAP_QUIET_MS), &mut changes);
    assert_eq!(letters(&changes), "+ddx-");
    let Change::Raised { cause, .. } = &changes[0] else { panic!("{changes:?}") };
    assert_eq!(cause.value, Some(Value::Decimal(decimal("40"))));
}

#[test]
fn what_is_given_up_alarms_for_a_day_and_says_how_far_back_is_left() {
    let mut engine = engine(vec![historian_gap(), history_shed()]);
    let mut changes = Vec::new();
    let now = at_ms(1_000);
    engine.shed(now.utc.plus_ms(-30 * 86_400_000 - 43_200_000), now, &mut changes);
    assert_eq!(letters(&changes), "+d");
    let Change::Raised { cause, rule } = changes[0] else { panic!("{changes:?}") };
    assert_eq!((rule, cause.value), (1, Some(Value::Decimal(decimal("30.5")))));
    engine.tick(at_ms(1_000 + SHED_QUIET_MS), &mut changes);
    assert_eq!(letters(&changes), "+dx-");
}

fn restored(active: &[&str], due: &[(&str, i64)]) -> Restored {
    Restored {
        active: active.iter().map(|key| (*key).to_owned()).collect(),
        due: due.iter().map(|(key, ms)| ((*key).to_owned(), at_ms(0).utc.plus_ms(*ms))).collect(),
    }
}

#[test]
fn a_restart_keeps_due_times_and_active_alarms() {
    let key = "r manifold/pressure";
    let after = |restored: &Restored, readings: &str| {
        let rules: Arc<[Rule]> = vec![rule("r", high("10", "2"), 5_000)].into();
        play(&mut Engine::new(&rules, restored, at_ms(0)), 0, readings)
    };
    // Two seconds are left of five.
    assert_eq!(after(&restored(&[], &[(key, 2_000)]), ". 11 . ."), ". . x+ .");
    // It ended while the process was down: the first reading decides, not the start.
    assert_eq!(after(&restored(&[], &[(key, -9_000)]), ". . 11"), ". . x+");
    assert_eq!(after(&restored(&[], &[(key, -9_000)]), ". bad 9"), ". . x");
    // The wall clock was set back: never longer than the delay.
    assert_eq!(after(&restored(&[], &[(key, 86_400_000)]), "11 . . . . ."), ". . . . . x+");
    // An active alarm is not raised again and still knows its deadband.
    assert_eq!(after(&restored(&[key], &[]), "11 9 bad 8"), ". . . -");
    // A timer left beside an active alarm means nothing.
    assert_eq!(after(&restored(&[key], &[(key, 1_000)]), ". . . 8"), ". . . -");
}

#[test]
fn a_restart_keeps_the_quiet_time_of_a_gap() {
    let after = |due: &[(&str, i64)]| {
        let rules: Arc<[Rule]> = vec![historian_gap()].into();
        Engine::new(&rules, &restored(&["historian-gap"], due), at_ms(0)).next_due()
    };
    assert_eq!(after(&[("historian-gap", 2_000)]), Some(Mono(2_000)));
    assert_eq!(after(&[]), Some(Mono(GAP_QUIET_MS)));
}

/// What may come in a second.
#[derive(Clone, Copy, Debug)]
enum Slot {
    Nothing,
    Number(i64),
    Bad,
    Stale,
}

const LIMIT: i64 = 0;

/// The meaning again, as sentences over the whole past instead of a state machine. Numbers are
/// mirrored for a low rule, so this is written for high.
fn active_by_definition(slots: &[Slot], deadband: i64, delay: usize) -> Vec<bool> {
    let mut active: Vec<bool> = Vec::new();
    let mut returned_at = None;
    for now in 0..slots.len() {
        let was_active = active.last().copied().unwrap_or(false);
        if was_active {
            let returns = matches!(slots[now], Slot::Number(n) if n <= LIMIT - deadband);
            active.push(!returns);
            if returns {
                returned_at = Some(now);
            }
            continue;
        }
        // The run of readings beyond the limit that reaches up to now, if there is one: it begins
        // after the last reading that was not beyond, and after the last return.
        let begin = slots[..=now].iter().rposition(|slot| matches!(slot, Slot::Number(n) if *n <= LIMIT));
        let begin = begin.max(returned_at).map_or(0, |last| last + 1);
        let mut past = begin..=now;
        let run = past.find(|second| matches!(slots[*second], Slot::Number(_)));
        let last_word = slots[..=now].iter().rev().find(|slot| matches!(slot, Slot::Number(_) | Slot::Bad));
        let usable = matches!(last_word, Some(Slot::Number(_)));
        active.push(run.is_some_and(|first| now - first >= delay) && usable);
    }
    active
}

fn active_by_engine(slots: &[Slot], test: Test, sign: i64, delay: usize) -> Vec<bool> {
    let mut engine = engine(vec![rule("r", test, delay as u64 * 1_000)]);
    let mut active = false;
    let mut changes = Vec::new();
    let second = |(second, slot): (u64, &Slot)| {
        let now = at_ms(second * 1_000);
        let text = match slot {
            Slot::Nothing => None,
            Slot::Number(n) => Some((n * sign).to_string()),
            Slot::Bad => Some("bad".to_owned()),
            Slot::Stale => Some("stale".to_owned()),
        };
        changes.clear();
        if let Some(text) = text {
            engine.step(&reading(&text), now, &mut changes);
        }
        engine.tick(now, &mut changes);
        for change in &changes {
            match change {
                Change::Raised { .. } => assert!(!std::mem::replace(&mut active, true), "raised twice"),
                Change::Returned { .. } => assert!(std::mem::replace(&mut active, false), "returned twice"),
                Change::Delay { .. } => {}
            }
        }
        active
    };
    (0_u64..).zip(slots).map(second).collect()
}

fn slot() -> impl Strategy<Value = Slot> {
    prop_oneof![
        2 => Just(Slot::Nothing),
        6 => (-4_i64..=4).prop_map(Slot::Number),
        1 => Just(Slot::Bad),
        1 => Just(Slot::Stale),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn any_readings_give_what_the_definition_says(
        slots in proptest::collection::vec(slot(), 0..60), deadband in 0_i64..=3, delay in 0_usize..=4,
    ) {
        let expected = active_by_definition(&slots, deadband, delay);
        let band = deadband.to_string();
        prop_assert_eq!(active_by_engine(&slots, high("0", &band), 1, delay), expected.clone(), "high");
        prop_assert_eq!(active_by_engine(&slots, low("0", &band), -1, delay), expected, "low");
    }
}
