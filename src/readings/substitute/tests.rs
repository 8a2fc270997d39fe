//! Values by hand: what may be put in, what holds, and that it ends.

use super::*;
use crate::clock::Clock;
use crate::config::{Conditioning, State};
use crate::db::{Db, KillPoints, Writer, audit, events, timers};
use crate::field::{Fault, FieldBatch, Raw, Sample};
use crate::point::{Batch, Names, Quality, Reading, Unit};
use crate::readings::{
    self, ByHand, Current, Derived, Engine, Feed, HistorianFeed, Limits, Metrics, Outlets, PointSettings,
    Settings, derived,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const START: UtcMs = UtcMs(1_800_000_000_000);
const POINT: PointId = PointId(1);
const STALE_MS: u64 = 10_000;

fn point(kind: ValueKind) -> Point {
    Point {
        address: "or-1/temperature".parse().unwrap(),
        formerly: Vec::new(),
        name: Names { zh: "温度".into(), en: "Temperature".into() },
        unit: Unit::ONE,
        kind,
        scale: Decimal::ONE,
        offset: Decimal::ZERO,
        range: None,
        stale_after_ms: STALE_MS,
        decimals: 1,
        states: Vec::new(),
        conditioning: Conditioning::default(),
    }
}

fn decimal(text: &str) -> Value {
    Value::Decimal(text.parse().unwrap())
}

#[test]
fn only_what_the_point_can_have_is_put_in() {
    let states = [0, 2].map(|value| State { value, name: Names { zh: "态".into(), en: "state".into() } });
    let ranged =
        Point { range: Some(("-20".parse().unwrap(), "60".parse().unwrap())), ..point(ValueKind::Decimal) };
    let stated = Point { states: states.to_vec(), ..point(ValueKind::Decimal) };
    let long = "x".repeat(251);
    let number = Offered::Number;
    let table: Vec<(Point, Offered<'_>, Result<&str, &str>)> = vec![
        (point(ValueKind::Bool), Offered::Bool(true), Ok("true")),
        (point(ValueKind::Bool), number("1"), Err("takes true or false")),
        (point(ValueKind::Decimal), number("21.50"), Ok("21.50")),
        (point(ValueKind::Decimal), number("1e3"), Ok("1000")),
        (point(ValueKind::Decimal), Offered::Text("21.5"), Err("takes a number")),
        (point(ValueKind::Decimal), Offered::Bool(true), Err("takes a number")),
        (point(ValueKind::Decimal), Offered::Other, Err("takes a number")),
        (
            point(ValueKind::Decimal),
            number("1e400"),
            Err("takes a number of at most 18 digits, from 10^-18 to 10^18"),
        ),
        (point(ValueKind::F64), number("0.1"), Ok("0.1")),
        (
            point(ValueKind::F64),
            number("1e999"),
            Err("takes a number of at most 18 digits, from 10^-18 to 10^18"),
        ),
        (ranged.clone(), number("60"), Ok("60")),
        (ranged.clone(), number("60.01"), Err("has values from -20 to 60 1")),
        (ranged, number("-21"), Err("has values from -20 to 60 1")),
        (stated.clone(), number("2.0"), Ok("2.0")),
        (stated, number("1"), Err("has only the states 0, 2")),
        (point(ValueKind::Text), Offered::Text("open"), Ok("open")),
        (point(ValueKind::Text), Offered::Text(""), Err("takes a word of 1 to 250 bytes on one line")),
        (point(ValueKind::Text), Offered::Text("a\nb"), Err("takes a word of 1 to 250 bytes on one line")),
        (point(ValueKind::Text), Offered::Text(&long), Err("takes a word of 1 to 250 bytes on one line")),
        (point(ValueKind::Text), number("1"), Err("takes a text")),
    ];
    for (point, offered, expected) in table {
        let given = Given::of(&offered, &point);
        let told = given.as_ref().map(ToString::to_string).map_err(ToString::to_string);
        assert_eq!(told, expected.map(ToOwned::to_owned).map_err(ToOwned::to_owned), "{offered:?}");
        // What is stored reads back.
        if let Ok(given) = given {
            assert_eq!(Given::stored(given.kind(), &given.to_string()), Some(given));
        }
    }
}

/// The making of readings with a database, over one directory; everything but the devices.
struct House {
    field: mpsc::Sender<FieldBatch>,
    alarms: mpsc::Receiver<Feed>,
    historian: mpsc::Receiver<HistorianFeed>,
    current: Current,
    metrics: Metrics,
    substitutions: Substitutions,
    db: Db,
    writer: Writer,
    clock: Clock,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

fn settings() -> Settings {
    let point = |id| PointSettings::plain(PointId(id), ValueKind::Decimal, STALE_MS);
    Settings { points: vec![point(1), point(2)], plausible_from: Settings::PLAUSIBLE_FROM }
}

impl House {
    async fn open(dir: &tempfile::TempDir, clock: &Clock) -> House {
        House::open_with(dir, clock, KillPoints::none(), &[1, 2]).await
    }

    async fn open_with(dir: &tempfile::TempDir, clock: &Clock, kill: KillPoints, known: &[u32]) -> House {
        let (db, writer) = Db::open_with(&dir.path().join("plantroom.db"), MIGRATIONS, kill).unwrap();
        let (orders_out, orders) = mpsc::channel(1);
        let known: BTreeMap<PointId, u64> = known.iter().map(|id| (PointId(*id), STALE_MS)).collect();
        let texts: readings::TextIds = Box::new(|_| None);
        let (task, open) = Task::build(db.clone(), clock.clone(), texts, orders_out, &known).await.unwrap();
        let substitutions = task.handle();
        let current = Current::new(&[PointId(1), PointId(2)], clock.utc());
        let (field, field_in) = mpsc::channel(4);
        let (alarms_out, alarms) = mpsc::channel(1_024);
        let (historian_out, historian) = mpsc::channel(1_024);
        let metrics = Metrics::default();
        let making = readings::Task {
            engine: Engine::new(settings(), clock.now()),
            current: current.clone(),
            derived: Derived::new(&derived::Settings::default(), clock.now()),
            by_hand: ByHand { open, orders },
            texts: Box::new(|_| None),
            words: Box::new(|_| None),
            clock: clock.clone(),
            metrics: metrics.clone(),
            limits: Limits::default(),
            outlets: Outlets { alarms: alarms_out, historian: historian_out },
            changes: mpsc::channel(1).1,
            questions: readings::Inspector::new().1,
        };
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        tasks.spawn(making.run(field_in, stop.clone()));
        tasks.spawn(task.run(stop.clone()));
        let clock = clock.clone();
        House { field, alarms, historian, current, metrics, substitutions, db, writer, clock, stop, tasks }
    }

    async fn close(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
        drop((self.substitutions, self.db));
        self.writer.close().await.unwrap();
    }

    /// The device says this, or why it says nothing.
    async fn device(&self, raw: Result<&str, Fault>) {
        let raw = raw.map(|text| Raw::Value(decimal(text)));
        self.samples(vec![Sample { point: POINT, raw }]).await;
    }

    async fn samples(&self, samples: Vec<Sample>) {
        let at = self.clock.utc();
        let batch = FieldBatch {
            device: "d".into(),
            at,
            at_error_ms: 0,
            source_at: None,
            received_at: at,
            samples,
            ack: None,
        };
        self.field.send(batch).await.unwrap();
        pause(20).await;
    }

    fn shown(&self) -> String {
        show(&self.current.get(POINT).unwrap().reading)
    }

    /// What went to the history of the point since the last look.
    fn stored(&mut self) -> Vec<String> {
        let mut stored = Vec::new();
        while let Ok(feed) = self.historian.try_recv() {
            stored.extend(of_point(&feed.batch));
        }
        stored
    }

    /// What the alarms were told of it since the last look.
    fn alarmed(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        while let Ok(feed) = self.alarms.try_recv() {
            if let Feed::Readings(batch) = feed {
                told.extend(of_point(&batch));
            }
        }
        told
    }

    async fn begin(&self, value: &str, lasts_ms: i64) -> Result<Substitution, String> {
        let wanted = wanted(value, self.clock.utc().plus_ms(lasts_ms));
        self.substitutions.begin(wanted).await.map_err(|error| error.to_string())
    }

    async fn end(&self) -> Result<Substitution, String> {
        let ended = self.substitutions.end(POINT, "or-1/temperature".into(), "li", Some("repaired")).await;
        ended.map_err(|error| error.to_string())
    }
}

fn wanted(value: &str, until: UtcMs) -> Wanted {
    Wanted {
        point: POINT,
        address: "or-1/temperature".parse().unwrap(),
        value: Given::Decimal(value.parse().unwrap()),
        until,
        by: "wang".into(),
        reason: "the probe is out".into(),
        stale_after_ms: STALE_MS,
    }
}

fn of_point(batch: &Batch) -> Vec<String> {
    batch.readings.iter().filter(|reading| reading.point == POINT).map(show).collect()
}

fn show(reading: &Reading) -> String {
    match reading.value {
        Some(Value::Decimal(number)) => format!("{number} {}", reading.quality),
        _ => format!("- {}", reading.quality),
    }
}

async fn pause(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

#[tokio::test(start_paused = true)]
async fn while_it_holds_it_is_the_value_and_the_device_is_not_stored() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), Clock::starting_at(START));
    let mut house = House::open(&dir, &clock).await;
    house.device(Ok("19")).await;
    assert_eq!(house.shown(), "19 good");
    house.begin("21.5", 60_000).await.unwrap();
    assert_eq!(house.shown(), "21.5 uncertain:substituted");
    pause(20).await;
    assert_eq!(house.stored(), ["19 good", "21.5 uncertain:substituted"]);
    assert_eq!(house.alarmed(), ["19 good", "21.5 uncertain:substituted"]);

    // The device goes on, beside another point of the same batch.
    for value in ["19.1", "19.2"] {
        let sample = |id, text| Sample { point: PointId(id), raw: Ok(Raw::Value(decimal(text))) };
        house.samples(vec![sample(1, value), sample(2, value)]).await;
        pause(100).await;
    }
    assert_eq!(house.shown(), "21.5 uncertain:substituted");
    assert_eq!(show(&house.current.get(PointId(2)).unwrap().reading), "19.2 good");
    assert!(house.stored().is_empty() && house.alarmed().is_empty());
    assert_eq!((house.metrics.withheld.get(), house.metrics.substituted.get()), (2, 1));

    // It does not turn stale, though the device falls silent.
    pause(30_000).await;
    assert_eq!(house.shown(), "21.5 uncertain:substituted");
    let stored = house.stored();
    assert!((5..=6).contains(&stored.len()), "{stored:?}");
    assert!(stored.iter().all(|one| one == "21.5 uncertain:substituted"));

    // An early end: the device has been silent for longer than it may, and that is said at once.
    house.end().await.unwrap();
    assert_eq!(house.shown(), "19.2 uncertain:stale");
    house.device(Ok("20")).await;
    assert_eq!(house.shown(), "20 good");
    assert_eq!(house.metrics.substituted.get(), 0);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn at_its_end_the_newest_word_of_the_device_counts_again() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), Clock::starting_at(START));
    let mut house = House::open(&dir, &clock).await;
    house.begin("21.5", 30_000).await.unwrap();
    pause(25_000).await;
    house.device(Ok("18")).await;
    assert_eq!(house.shown(), "21.5 uncertain:substituted");
    house.stored();
    pause(4_900).await;
    assert_eq!(house.shown(), "21.5 uncertain:substituted");
    pause(100).await;
    assert_eq!(house.shown(), "18 good", "at its time, not at the next reading");
    pause(20).await;
    assert_eq!(house.stored().last().unwrap(), "18 good");
    let list = house.substitutions.list(true, 10).await.unwrap();
    let ended = list[0].ended.clone().unwrap();
    assert_eq!(
        (ended.by.as_str(), ended.at.since_ms(START.plus_ms(30_000)).abs() < 100),
        ("plantroom", true),
        "{ended:?}"
    );
    assert!(house.substitutions.list(false, 10).await.unwrap().is_empty());

    // A device that cannot answer is Bad at once, one that never spoke waits for its first value.
    house.begin("21.5", 30_000).await.unwrap();
    house.device(Err(Fault::Timeout)).await;
    house.end().await.unwrap();
    assert_eq!(house.shown(), "- bad:timeout");
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_second_value_is_refused_and_the_same_once_more_is_not() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), Clock::starting_at(START));
    let house = House::open(&dir, &clock).await;
    for lasts_ms in [0, -1, LASTS_MAX_MS + 60_000] {
        assert_eq!(house.begin("1", lasts_ms).await, Err("the end must lie ahead, at most 30 days".into()));
    }
    assert_eq!(house.end().await, Err("the value of or-1/temperature is not substituted".into()));
    let until = clock.utc().plus_ms(60_000);
    let first = house.substitutions.begin(wanted("21.5", until)).await.unwrap();
    let again = house.substitutions.begin(wanted("21.5", until)).await.unwrap();
    assert_eq!(first, again);
    let other = house.begin("22", 60_000).await;
    assert_eq!(
        other,
        Err("the value of or-1/temperature is substituted already, until then it is 21.5".into())
    );
    assert_eq!(house.shown(), "21.5 uncertain:substituted");
    house.end().await.unwrap();
    house.begin("22", 60_000).await.unwrap();
    assert_eq!(house.shown(), "22 uncertain:substituted");
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn it_is_an_act_with_event_audit_and_timer() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), Clock::starting_at(START));
    let house = House::open(&dir, &clock).await;
    let timer = async |house: &House| {
        let due = house.db.read(|db| timers::next_due(db, "readings.substitution")).await.unwrap();
        due.map(|due| due.since_ms(START))
    };
    house.begin("21.50", 60_000).await.unwrap();
    assert_eq!(timer(&house).await, Some(60_000));
    house.end().await.unwrap();
    assert_eq!(timer(&house).await, None);
    let (events, acts) = house
        .db
        .read(|db| Ok((events::after(db, 0, 10)?, audit::of(db, "point:or-1/temperature", 10)?)))
        .await
        .unwrap();
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["point.substituted", "point.substitution_ended"]);
    assert!(events.iter().all(|event| event.subject == "point:or-1/temperature"));
    assert_eq!(events[0].body["value"], "21.50");
    assert_eq!(events[1].body["end_reason"], "repaired");
    let told: Vec<_> = acts
        .iter()
        .map(|act| (act.actor.as_str(), act.action.as_str(), act.reason.as_deref().unwrap()))
        .collect();
    let expected =
        [("wang", "point.substitute", "the probe is out"), ("li", "point.end_substitution", "repaired")];
    assert_eq!(told, expected);
    assert_eq!((&acts[0].before, &acts[1].before), (&None, &acts[0].after));
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn it_holds_across_a_restart_and_ends_at_the_same_time() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), Clock::starting_at(START));
    let house = House::open(&dir, &clock).await;
    house.begin("21.5", 60_000).await.unwrap();
    house.close().await;
    pause(20_000).await;
    // A clock set back while nothing ran does not stretch it beyond what it was to last.
    let mut house = House::open(&dir, &clock).await;
    pause(1).await;
    assert_eq!(house.shown(), "21.5 uncertain:substituted");
    assert_eq!(house.alarmed(), ["21.5 uncertain:substituted"]);
    pause(39_000).await;
    assert_eq!(house.shown(), "21.5 uncertain:substituted");
    pause(1_500).await;
    assert_eq!(house.shown(), "- bad:no_communication", "the device has not spoken since the start");
    house.close().await;

    // One that ended meanwhile is over before anything is shown.
    let house = House::open(&dir, &clock).await;
    house.begin("22", 10_000).await.unwrap();
    house.close().await;
    pause(3_600_000).await;
    let house = House::open(&dir, &clock).await;
    pause(1).await;
    assert_eq!(house.shown(), "- bad:initial");
    pause(1_000).await;
    let list = house.substitutions.list(true, 1).await.unwrap();
    let ended = list[0].ended.clone().unwrap();
    assert_eq!((ended.at, ended.by.as_str()), (list[0].until, "plantroom"));
    house.close().await;

    clock.jump(-86_400_000);
    let house = House::open(&dir, &clock).await;
    house.begin("23", 10_000).await.unwrap();
    house.close().await;
    clock.jump(-86_400_000);
    let house = House::open(&dir, &clock).await;
    pause(1).await;
    assert_eq!(house.shown(), "23 uncertain:substituted");
    pause(10_500).await;
    assert!(
        house.substitutions.list(false, 1).await.unwrap().is_empty(),
        "a clock set back stretches nothing"
    );
    house.close().await;

    // The point is gone from the configuration.
    let house = House::open(&dir, &clock).await;
    house.begin("24", 3_600_000).await.unwrap();
    house.close().await;
    let house = House::open_with(&dir, &clock, KillPoints::none(), &[2]).await;
    pause(1_000).await;
    let list = house.substitutions.list(true, 1).await.unwrap();
    assert!(list[0].ended.clone().unwrap().reason.unwrap().starts_with("The point"));
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn other_points_end_what_no_longer_fits() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), Clock::starting_at(START));
    let house = House::open(&dir, &clock).await;
    house.device(Ok("19")).await;
    house.begin("21.5", 60_000).await.unwrap();
    house.substitutions.withdraw([POINT].into()).await;
    pause(20).await;
    assert_eq!(house.shown(), "19 good");
    let list = house.substitutions.list(true, 1).await.unwrap();
    assert_eq!(list[0].ended.clone().unwrap().by, "plantroom");
    house.close().await;
}

/// Killed at each step of the act: either it never was, or it holds after the restart.
#[tokio::test(start_paused = true)]
async fn killed_at_every_step_it_holds_or_never_was() {
    let mut outcomes = Vec::new();
    for step in 1..=3 {
        let (dir, clock) = (tempfile::tempdir().unwrap(), Clock::starting_at(START));
        let house = House::open_with(&dir, &clock, KillPoints::at(step), &[1, 2]).await;
        let begun = house.begin("21.5", 60_000).await;
        house.stop.cancel();
        drop(house);
        let house = House::open(&dir, &clock).await;
        pause(1).await;
        let holds = house.shown() == "21.5 uncertain:substituted";
        assert!(begun.is_err() || holds);
        outcomes.push(holds);
        house.close().await;
    }
    assert_eq!(outcomes, [false, false, true]);
}

#[test]
fn late_readings_are_withheld_too_and_the_rest_of_a_batch_is_not() {
    let mut held = Held::default();
    let now = Clock::starting_at(START).now();
    let reading = |id, ms, value: &str| Reading {
        point: PointId(id),
        at: START.plus_ms(ms),
        value: Some(decimal(value)),
        quality: Quality::Good,
    };
    let batch = |readings| {
        Some(Arc::new(Batch {
            device: "d".into(),
            source_at: None,
            received_at: START,
            at_error_ms: 0,
            readings,
        }))
    };
    held.begin(POINT, decimal("5"), STALE_MS, None, now);
    let history = batch(vec![reading(1, 10, "1"), reading(2, 10, "2"), reading(1, 5, "3")]);
    let live = batch(vec![reading(1, 10, "1"), reading(2, 10, "2")]);
    let (outcome, withheld) = held.pass(readings::Outcome { history, live, ..Default::default() });
    assert_eq!(withheld, 2);
    assert_eq!(outcome.history.unwrap().readings, [reading(2, 10, "2")]);
    assert_eq!(outcome.live.unwrap().readings, [reading(2, 10, "2")]);
    let (outcome, withheld) =
        held.pass(readings::Outcome { history: batch(vec![reading(1, 11, "4")]), ..Default::default() });
    assert_eq!((withheld, outcome.history.is_none()), (1, true));
    // Behind what stood in its place, though it is older.
    let ended = held.end(POINT, now).unwrap();
    assert_eq!(ended.readings, [reading(1, 10, "1")]);
    assert!(held.end(POINT, now).is_none());
}
