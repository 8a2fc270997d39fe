//! The step against tables and against a model that says the rules once more.

use super::*;
use crate::field::{Ack, Fault, Raw, acks};
use crate::point::{Decimal, Quality, Reason, Value, ValueKind};

pub(super) const START: UtcMs = UtcMs(1_800_000_000_000);
const STALE_MS: u64 = 10_000;

pub(super) fn now(ms: u64) -> Now {
    Now { utc: START.plus_ms(i64::try_from(ms).unwrap()), mono: Mono(ms) }
}

fn engine(points: u32) -> Engine {
    let point = |id| PointSettings {
        range: Some((Decimal::from_int(0), Decimal::from_int(100))),
        ..PointSettings::plain(PointId(id), ValueKind::Decimal, STALE_MS)
    };
    let settings =
        Settings { points: (1..=points).map(point).collect(), plausible_from: Settings::PLAUSIBLE_FROM };
    Engine::new(settings, now(0))
}

pub(super) fn sample(point: u32, value: i64) -> Sample {
    Sample { point: PointId(point), raw: Ok(Raw::Value(Value::Decimal(Decimal::from_int(value)))) }
}

pub(super) fn polled(at: Now, samples: Vec<Sample>) -> FieldBatch {
    FieldBatch {
        device: "d".into(),
        at: at.utc,
        at_error_ms: 5,
        source_at: None,
        received_at: at.utc,
        samples,
        ack: None,
    }
}

pub(super) fn stamped(at: Now, source_at: UtcMs, samples: Vec<Sample>) -> FieldBatch {
    FieldBatch { source_at: Some(source_at), ..polled(at, samples) }
}

pub(super) fn step(engine: &mut Engine, batch: FieldBatch, now: Now) -> Outcome {
    engine.step(batch, now, &mut |_| None)
}

fn spelled(batch: Option<&Arc<Batch>>) -> Vec<String> {
    let readings = batch.map(|batch| batch.readings.as_slice()).unwrap_or_default();
    let value = |value: Option<Value>| match value {
        Some(Value::Decimal(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    readings
        .iter()
        .map(|r| format!("{} @{} {} {}", r.point.0, r.at.since_ms(START), value(r.value), r.quality))
        .collect()
}

#[test]
fn silence_is_said_once_per_episode_with_the_last_value() {
    let mut engine = engine(2);
    step(&mut engine, polled(now(100), vec![sample(1, 42)]), now(100));
    assert!(engine.tick(now(STALE_MS)).history.is_none());
    let outcome = engine.tick(now(STALE_MS + 1));
    assert_eq!(spelled(outcome.history.as_ref()), ["2 @10001 None bad:no_communication"]);
    let outcome = engine.tick(now(STALE_MS + 101));
    assert_eq!(spelled(outcome.live.as_ref()), ["1 @10101 42 uncertain:stale"]);
    assert_eq!(&*outcome.live.unwrap().device, SELF);
    assert!(engine.tick(now(60_000)).history.is_none());

    step(&mut engine, polled(now(61_000), vec![sample(1, 43)]), now(61_000));
    assert_eq!(spelled(engine.tick(now(71_001)).live.as_ref()), ["1 @71001 43 uncertain:stale"]);
}

#[test]
fn a_point_that_is_bad_already_does_not_turn_stale() {
    let mut engine = engine(1);
    let failed = Sample { point: PointId(1), raw: Err(Fault::Timeout) };
    let outcome = step(&mut engine, polled(now(5), vec![failed]), now(5));
    assert_eq!(spelled(outcome.live.as_ref()), ["1 @5 None bad:timeout"]);
    assert!(engine.tick(now(60_000)).history.is_none());
}

#[test]
fn staleness_runs_on_the_monotonic_clock() {
    let mut engine = engine(1);
    step(&mut engine, polled(now(0), vec![sample(1, 1)]), now(0));
    let jumped = Now { utc: START.plus_ms(86_400_000), mono: Mono(5_000) };
    assert!(engine.tick(jumped).history.is_none());
    let back = Now { utc: START.plus_ms(-86_400_000), mono: Mono(10_001) };
    assert_eq!(spelled(engine.tick(back).live.as_ref()), ["1 @-86400000 1 uncertain:stale"]);
}

#[test]
fn an_implausible_source_time_gives_way_to_the_receive_time() {
    for (source_at, expected) in [
        (UtcMs::SOURCE_MIN, "1 @-853315200000 1 good"),
        (UtcMs(UtcMs::SOURCE_MIN.0 - 1), "1 @7 1 uncertain:clock"),
        (now(7).utc.plus_ms(SOURCE_AHEAD_MAX_MS), "1 @300007 1 good"),
        (now(7).utc.plus_ms(SOURCE_AHEAD_MAX_MS + 1), "1 @7 1 uncertain:clock"),
    ] {
        let outcome = step(&mut engine(1), stamped(now(7), source_at, vec![sample(1, 1)]), now(7));
        assert_eq!(spelled(outcome.history.as_ref()), [expected]);
    }
    let outcome = step(&mut engine(1), stamped(now(7), UtcMs(0), vec![sample(1, 101)]), now(7));
    assert_eq!(spelled(outcome.history.as_ref()), ["1 @7 101 uncertain:out_of_range"]);
}

/// A broker repeats a retained message after each connection, however old it is.
#[test]
fn a_value_that_may_be_older_than_its_silence_is_doubted() {
    let mut engine = engine(1);
    let mut told = |at_ms, at_error_ms| {
        let batch = FieldBatch { at_error_ms, ..polled(now(at_ms), vec![sample(1, 7)]) };
        spelled(step(&mut engine, batch, now(at_ms)).live.as_ref())
    };
    assert_eq!(told(100, u32::MAX), ["1 @100 7 uncertain:clock"]);
    assert_eq!(told(200, 10_001), ["1 @200 7 uncertain:clock"]);
    assert_eq!(told(300, 10_000), ["1 @300 7 good"]);
}

#[test]
fn a_machine_before_its_build_date_marks_everything() {
    let mut engine = engine(1);
    let early = Now { utc: UtcMs(1_000), mono: Mono(0) };
    let outcome = step(&mut engine, polled(early, vec![sample(1, 1)]), early);
    assert_eq!(outcome.live.unwrap().readings[0].quality, Quality::Uncertain(Reason::Clock));
}

#[test]
fn a_clock_set_back_is_told_and_repeated_time_is_marked() {
    let mut engine = engine(1);
    let before = now(60_000);
    step(&mut engine, polled(before, vec![sample(1, 1)]), before);
    let small = Now { utc: START.plus_ms(59_000), mono: Mono(61_000) };
    assert_eq!(step(&mut engine, polled(small, vec![sample(1, 2)]), small).clock_step, None);

    let back = Now { utc: START.plus_ms(30_000), mono: Mono(62_000) };
    let outcome = step(&mut engine, polled(back, vec![sample(1, 3)]), back);
    let told = ClockStep { from: START.plus_ms(60_000), to: back.utc };
    assert_eq!(outcome.clock_step, Some(told));
    assert_eq!(spelled(outcome.live.as_ref()), ["1 @30000 3 uncertain:clock"]);

    let after = Now { utc: START.plus_ms(60_001), mono: Mono(92_001) };
    let outcome = step(&mut engine, polled(after, vec![sample(1, 4)]), after);
    assert_eq!((outcome.clock_step, spelled(outcome.live.as_ref())), (None, vec!["1 @60001 4 good".into()]));
}

#[test]
fn a_message_sent_again_is_dropped_and_still_acknowledged() {
    let (tx, mut rx) = acks();
    let mut engine = engine(1);
    for (n, at) in [(1, 10), (2, 20), (3, 30)] {
        let outcome = step(&mut engine, stamped(now(40), now(at).utc, vec![sample(1, n)]), now(40));
        assert_eq!(outcome.duplicates, 0);
    }
    for (n, at) in [(1, 10), (2, 20), (3, 30)] {
        let mut again = stamped(now(50), now(at).utc, vec![sample(1, n)]);
        again.ack = Some(tx.handle(Ack { epoch: 1, packet: 9 }, 1));
        let outcome = step(&mut engine, again, now(50));
        assert_eq!((outcome.duplicates, outcome.history.is_none()), (1, true));
        outcome.ack.unwrap().commit();
        assert!(rx.try_recv().is_ok());
    }
    let outcome = step(&mut engine, stamped(now(60), now(20).utc, vec![sample(1, 99)]), now(60));
    assert_eq!(spelled(outcome.history.as_ref()), ["1 @20 99 good"], "a correction is no duplicate");
}

#[test]
fn a_late_reading_is_history_only_until_the_silence_has_been_said() {
    let mut engine = engine(1);
    step(&mut engine, stamped(now(100), now(100).utc, vec![sample(1, 1)]), now(100));
    let outcome = step(&mut engine, stamped(now(5_000), now(50).utc, vec![sample(1, 2)]), now(5_000));
    assert_eq!(spelled(outcome.history.as_ref()), ["1 @50 2 good"]);
    assert_eq!((outcome.live.is_none(), outcome.late), (true, 1));
    assert_eq!(spelled(engine.tick(now(10_101)).live.as_ref()), ["1 @10101 1 uncertain:stale"]);
    let outcome = step(&mut engine, stamped(now(10_200), now(60).utc, vec![sample(1, 3)]), now(10_200));
    assert_eq!(spelled(outcome.live.as_ref()), ["1 @60 3 good"]);
}

#[test]
fn points_outside_the_plan_are_counted() {
    let outcome = step(&mut engine(1), polled(now(1), vec![sample(9, 1)]), now(1));
    assert_eq!((outcome.unknown, outcome.history.is_none()), (1, true));
}

#[test]
fn a_burst_in_one_millisecond_keeps_every_message() {
    let mut engine = engine(1);
    let kept: Vec<_> = (1..=4)
        .filter_map(|value| step(&mut engine, polled(now(5), vec![sample(1, value)]), now(5)).history)
        .flat_map(|batch| batch.readings.clone())
        .map(|reading| reading.at)
        .collect();
    assert_eq!(kept, [now(5).utc, now(6).utc, now(7).utc, now(8).utc]);
}

#[test]
fn after_a_restart_silence_shows_the_last_value_and_stamps_go_on() {
    let mut engine = engine(2);
    engine.remember([
        expected(1, 7, now(3).utc),
        Reading { value: None, quality: Quality::Bad(Reason::Timeout), ..expected(2, 7, now(3).utc) },
    ]);
    let kept = step(&mut engine, polled(now(3), vec![sample(1, 8)]), now(3)).history.unwrap();
    assert_eq!(kept.readings[0].at, now(4).utc);
    engine.remember([expected(1, 7, now(3).utc)]);
    let said = engine.tick(now(STALE_MS * 2)).live.unwrap();
    let said: Vec<_> = said.readings.iter().map(|reading| reading.quality).collect();
    assert_eq!(said, [Quality::Uncertain(Reason::Stale), Quality::Bad(Reason::NoCommunication)]);
}

fn expected(point: u32, value: i64, at: UtcMs) -> Reading {
    let good = (0..=100).contains(&value);
    let quality = if good { Quality::Good } else { Quality::Uncertain(Reason::OutOfRange) };
    let value = Some(Value::Decimal(Decimal::from_int(value)));
    Reading { point: PointId(point), at, value, quality }
}
