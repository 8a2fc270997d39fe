//! Who is served first, who waits, and what is told: on virtual time.

use super::*;
use crate::config::Report;
use crate::field::{Ack, AckReceiver, AckSender, Raw, Sample, acks};
use crate::point::{Decimal, PointId, Quality, Reason, Value, ValueKind};
use crate::readings::inspect::Kept;
use crate::readings::{Inspector, PointSettings, Settings, derived};
use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

const START: UtcMs = UtcMs(1_800_000_000_000);

/// Both ends of a task.
struct Plant {
    field: mpsc::Sender<FieldBatch>,
    alarms: mpsc::Receiver<Feed>,
    historian: mpsc::Receiver<HistorianFeed>,
    change: mpsc::Sender<Change>,
    inspector: Inspector,
    acks: (AckSender, AckReceiver),
    current: Current,
    metrics: Metrics,
    clock: Clock,
    stop: CancellationToken,
}

fn plant(historian_room: usize) -> (Plant, impl Future<Output = ()>) {
    plant_with(historian_room, Limits { backlog_max: 2, ..Limits::default() })
}

fn plant_with(historian_room: usize, limits: Limits) -> (Plant, impl Future<Output = ()>) {
    let point = PointSettings::plain(PointId(1), ValueKind::Decimal, 60_000);
    plant_of(point, historian_room, limits)
}

fn plant_of(
    point: PointSettings,
    historian_room: usize,
    limits: Limits,
) -> (Plant, impl Future<Output = ()>) {
    let clock = Clock::starting_at(START);
    let settings = Settings { points: vec![point], plausible_from: Settings::PLAUSIBLE_FROM };
    let current = Current::new(&[PointId(1)], START);
    let metrics = Metrics::default();
    let (field, field_rx) = mpsc::channel(4);
    let (alarms_tx, alarms) = mpsc::channel(64);
    let (historian_tx, historian) = mpsc::channel(historian_room);
    let (change, changes) = mpsc::channel(1);
    let (inspector, questions) = Inspector::new();
    let task = Task {
        engine: Engine::new(settings, clock.now()),
        current: current.clone(),
        derived: Derived::new(&derived::Settings::default(), clock.now()),
        by_hand: ByHand { open: Vec::new(), orders: mpsc::channel(1).1 },
        texts: Box::new(|_| None),
        words: Box::new(|_| None),
        clock: clock.clone(),
        metrics: metrics.clone(),
        limits,
        outlets: Outlets { alarms: alarms_tx, historian: historian_tx },
        changes,
        questions,
    };
    let stop = CancellationToken::new();
    let run = task.run(field_rx, stop.clone());
    (Plant { field, alarms, historian, change, inspector, acks: acks(), current, metrics, clock, stop }, run)
}

impl Plant {
    fn batch(&self, packet: u16, value: i64) -> FieldBatch {
        let at = self.clock.utc();
        let raw = Ok(Raw::Value(Value::Decimal(Decimal::from_int(value))));
        FieldBatch {
            device: "d".into(),
            at,
            at_error_ms: 0,
            source_at: None,
            received_at: at,
            samples: vec![Sample { point: PointId(1), raw }],
            ack: Some(self.acks.0.handle(Ack { epoch: 1, packet }, 1)),
        }
    }

    /// Nobody waits for an acknowledgement of it.
    fn quiet(&self, value: i64) -> FieldBatch {
        FieldBatch { ack: None, ..self.batch(1, value) }
    }

    async fn send(&self, packet: u16, value: i64) {
        self.field.send(self.batch(packet, value)).await.unwrap();
    }

    fn shown(&self) -> Option<Value> {
        self.current.get(PointId(1)).unwrap().reading.value
    }
}

async fn pause(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

fn int(value: i64) -> Value {
    Value::Decimal(Decimal::from_int(value))
}

#[tokio::test(start_paused = true)]
async fn a_reading_reaches_everyone_and_its_ack_travels_with_it() {
    let (mut plant, run) = plant(8);
    let test = async {
        plant.send(7, 42).await;
        let Some(Feed::Readings(alarmed)) = plant.alarms.recv().await else { panic!("no readings") };
        assert_eq!(alarmed.readings[0].value, Some(int(42)));
        assert_eq!(plant.shown(), Some(int(42)));
        let feed = plant.historian.recv().await.unwrap();
        assert!(Arc::ptr_eq(&feed.batch, &alarmed));
        assert!(plant.acks.1.try_recv().is_err());
        feed.ack.unwrap().commit();
        assert_eq!(plant.acks.1.try_recv().unwrap().packet, 7);
        plant.stop.cancel();
    };
    tokio::join!(run, test);
}

#[tokio::test(start_paused = true)]
async fn a_blocked_historian_delays_no_alarm_and_what_is_lost_is_said() {
    let (mut plant, run) = plant(1);
    let test = async {
        for value in 1..=3 {
            plant.send(value, i64::from(value)).await;
        }
        // The first sits in the historian's channel, two wait; no time has passed, and the
        // alarm engine has them all.
        for value in 1..=3 {
            let Some(Feed::Readings(batch)) = plant.alarms.recv().await else { panic!("no readings") };
            assert_eq!(batch.readings[0].value, Some(int(value)));
        }
        assert_eq!((plant.shown(), plant.clock.mono()), (Some(int(3)), Mono(0)));

        pause(4_999).await;
        assert!(plant.alarms.try_recv().is_err());
        assert!(plant.acks.1.try_recv().is_err());
        pause(2).await;
        let Feed::Gap { from, to, lost } = plant.alarms.recv().await.unwrap() else { panic!("no gap") };
        assert_eq!((from, to, lost), (START, START, 2));
        // The first one, too: the broker is told in order, and would hear of none without it.
        let mut acked = Vec::new();
        for _ in 1..=3 {
            acked.push(plant.acks.1.recv().await.unwrap().packet);
        }
        assert_eq!((acked, plant.metrics.lost.get()), (vec![1, 2, 3], 2));

        // From now on nothing waits.
        pause(1_000).await;
        plant.send(4, 4).await;
        let Some(Feed::Readings(batch)) = plant.alarms.recv().await else { panic!("no readings") };
        assert_eq!(batch.readings[0].value, Some(int(4)));
        assert_eq!(plant.acks.1.recv().await.unwrap().packet, 4);
        let before = plant.clock.mono();
        assert!(before.0 < 6_100, "{before:?}");

        // The historian takes the first one and is fed again: the gap is recorded.
        let first = plant.historian.recv().await.unwrap();
        assert_eq!(first.lost_before, None);
        plant.send(5, 5).await;
        let feed = plant.historian.recv().await.unwrap();
        let gap = feed.lost_before.unwrap();
        assert_eq!((gap.from, gap.readings), (START, 3));
        assert_eq!(feed.batch.readings[0].value, Some(int(5)));
        let told = [plant.alarms.recv().await.unwrap(), plant.alarms.recv().await.unwrap()];
        let rest: u64 =
            told.iter().map(|feed| if let Feed::Gap { lost, .. } = feed { *lost } else { 0 }).sum();
        assert_eq!(rest, 1);
        plant.stop.cancel();
    };
    tokio::join!(run, test);
}

#[tokio::test(start_paused = true)]
async fn a_historian_that_comes_back_in_time_loses_nothing() {
    let (mut plant, run) = plant(1);
    let test = async {
        for value in 1..=3 {
            plant.send(value, i64::from(value)).await;
        }
        pause(1).await;
        // The backlog is full now: the field waits, as a Modbus bus would.
        for value in 4..=7 {
            plant.field.try_send(plant.batch(value, i64::from(value))).unwrap();
        }
        assert!(plant.field.try_send(plant.batch(8, 8)).is_err());
        pause(4_000).await;
        assert!(plant.field.try_send(plant.batch(8, 8)).is_err());
        for value in 1..=7 {
            let feed = plant.historian.recv().await.unwrap();
            assert_eq!((feed.batch.readings[0].value, feed.lost_before), (Some(int(value)), None));
        }
        assert_eq!(plant.metrics.lost.get(), 0);
        plant.stop.cancel();
    };
    tokio::join!(run, test);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_waits_for_goes_to_the_historian_by_the_handful() {
    let (mut plant, run) = plant_with(8, Limits::default());
    let test = async {
        plant.field.send(plant.quiet(1)).await.unwrap();
        assert!(plant.alarms.recv().await.is_some(), "the alarms are told at once");
        pause(9).await;
        assert!(plant.historian.is_empty());
        pause(1).await;
        assert_eq!(plant.historian.len(), 1);
        // An acknowledgement waits: what came before it goes with it.
        plant.field.send(plant.quiet(2)).await.unwrap();
        plant.send(2, 3).await;
        while plant.alarms.len() < 2 {
            tokio::task::yield_now().await;
        }
        assert_eq!(plant.historian.len(), 3);
        for _ in 0..3 {
            assert!(plant.historian.recv().await.is_some());
        }
        for value in (4..).take(HAND_OVER_BATCHES) {
            plant.field.send(plant.quiet(value)).await.unwrap();
        }
        while plant.alarms.len() < 2 + HAND_OVER_BATCHES {
            tokio::task::yield_now().await;
        }
        assert_eq!(plant.historian.len(), HAND_OVER_BATCHES);
        assert_eq!(plant.clock.mono(), Mono(10));
        plant.stop.cancel();
    };
    tokio::join!(run, test);
}

#[tokio::test(start_paused = true)]
async fn other_points_are_taken_while_it_runs() {
    let (mut plant, run) = plant(8);
    let test = async {
        plant.field.send(plant.quiet(40)).await.unwrap();
        assert!(plant.alarms.recv().await.is_some());
        let point = |id, scale| PointSettings {
            scale: Decimal::from_int(scale),
            ..PointSettings::plain(PointId(id), ValueKind::Decimal, 60_000)
        };
        let points = vec![point(1, 10), point(2, 1)];
        let settings = Settings { points, plausible_from: Settings::PLAUSIBLE_FROM };
        let (taken, told) = tokio::sync::oneshot::channel();
        let (derived, windows) = (derived::Settings::default(), Vec::new());
        let change = Change { settings, derived, windows, anew: BTreeSet::from([PointId(2)]), taken };
        plant.change.send(change).await.unwrap();
        told.await.unwrap();
        assert_eq!(plant.shown(), Some(int(40)), "what was read with the old scale stays");
        assert_eq!(plant.current.get(PointId(2)).unwrap().reading.quality, Quality::Bad(Reason::Initial));
        let mut both = plant.quiet(5);
        both.samples.push(Sample { point: PointId(2), ..both.samples[0].clone() });
        plant.field.send(both).await.unwrap();
        let Some(Feed::Readings(batch)) = plant.alarms.recv().await else { panic!("no readings") };
        let values: Vec<_> = batch.readings.iter().map(|reading| reading.value).collect();
        assert_eq!(values, [Some(int(50)), Some(int(5))]);
        plant.stop.cancel();
    };
    tokio::join!(run, test);
}

/// A full disk: the historian takes batches and stores none. A broker with a window of
/// messages open sends nothing more, an oxygen alarm neither.
#[tokio::test(start_paused = true)]
async fn a_historian_that_takes_and_does_not_store_silences_no_broker() {
    let (mut plant, run) = plant(8);
    let test = async {
        plant.send(1, 1).await;
        let held = plant.historian.recv().await.unwrap();
        pause(1_000).await;
        plant.send(2, 2).await;
        pause(3_999).await;
        assert!(plant.acks.1.try_recv().is_err());
        pause(2).await;
        assert_eq!(plant.acks.1.try_recv().unwrap().packet, 1);
        assert!(plant.acks.1.try_recv().is_err(), "each has its own time");
        pause(1_000).await;
        assert_eq!(plant.acks.1.try_recv().unwrap().packet, 2);
        assert_eq!((plant.metrics.acks_released.get(), plant.metrics.lost.get()), (2, 0));
        // Stored after all: the broker may have given the id to another message by now.
        held.ack.unwrap().commit();
        assert!(plant.acks.1.try_recv().is_err());
        plant.stop.cancel();
    };
    tokio::join!(run, test);
}

#[tokio::test(start_paused = true)]
async fn silence_is_told_to_all() {
    let (mut plant, run) = plant(8);
    let test = async {
        let Some(Feed::Readings(batch)) = plant.alarms.recv().await else { panic!("no readings") };
        assert_eq!(batch.readings[0].quality, Quality::Bad(Reason::NoCommunication));
        assert!((60_000..=61_000).contains(&plant.clock.mono().0));
        assert!(plant.historian.recv().await.unwrap().ack.is_none());
        plant.stop.cancel();
    };
    tokio::join!(run, test);
}

#[tokio::test(start_paused = true)]
async fn a_batch_without_anything_to_store_is_acknowledged_at_once() {
    let (mut plant, run) = plant(1);
    let test = async {
        let mut unmapped = plant.batch(9, 1);
        unmapped.samples[0].point = PointId(99);
        plant.field.send(unmapped).await.unwrap();
        assert_eq!(plant.acks.1.recv().await.unwrap().packet, 9);
        assert!(plant.historian.try_recv().is_err());
        assert_eq!(plant.metrics.unknown.get(), 1);
        plant.stop.cancel();
    };
    tokio::join!(run, test);
}

#[tokio::test(start_paused = true)]
async fn the_stop_hands_over_what_waits_and_acknowledges_no_loss() {
    let (mut plant, run) = plant(1);
    let test = async {
        for value in 1..=3 {
            plant.send(value, i64::from(value)).await;
        }
        pause(10).await;
        plant.stop.cancel();
        pause(10).await;
        for value in 1..=2 {
            assert_eq!(plant.historian.recv().await.unwrap().batch.readings[0].value, Some(int(value)));
            pause(10).await;
        }
    };
    tokio::join!(run, test);
    // The third fits the freed place and stays unread: unacknowledged.
    assert!(plant.historian.recv().await.is_some());
    assert!(plant.historian.recv().await.is_none());
    assert!(plant.acks.1.try_recv().is_err());
}

/// A point that reports by exception: the alarms have every reading, the history has the changes,
/// and a message whose reading is held back is acknowledged as one that is kept.
#[tokio::test(start_paused = true)]
async fn a_message_whose_readings_are_held_back_is_acknowledged_and_goes_on_to_the_alarms() {
    let mut point = PointSettings::plain(PointId(1), ValueKind::Decimal, 60_000);
    point.conditioning.report =
        Some(Report { deadband: Decimal::from_int(5), min_interval_ms: 0, heartbeat_ms: 600_000 });
    let (mut plant, run) = plant_of(point, 8, Limits::default());
    let test = async {
        for (packet, value) in [(1, 10), (2, 11), (3, 12)] {
            plant.send(packet, value).await;
            let Some(Feed::Readings(batch)) = plant.alarms.recv().await else { panic!("no readings") };
            assert_eq!((batch.readings[0].value, plant.shown()), (Some(int(value)), Some(int(value))));
            pause(1_000).await;
        }
        let acked = [plant.acks.1.recv().await.unwrap(), plant.acks.1.recv().await.unwrap()];
        assert_eq!(acked.map(|ack| ack.packet), [2, 3]);
        let kept = plant.historian.recv().await.unwrap();
        assert_eq!(kept.batch.readings[0].value, Some(int(10)));
        assert!(plant.historian.try_recv().is_err());
        assert_eq!((plant.metrics.held_back.get(), plant.metrics.made.get()), (2, 3));

        let told = plant.inspector.explain(PointId(1)).await.unwrap();
        let Kept::HeldBack { kept, held } = told.history else { panic!("{told:?}") };
        assert_eq!((kept.unwrap().value, held.value), (Some(int(10)), Some(int(12))));
        assert_eq!((told.counts.readings, told.counts.held_back), (3, 2));
        assert_eq!(plant.inspector.explain(PointId(9)).await, None);
        // The end of the program keeps what was held back.
        plant.stop.cancel();
    };
    tokio::join!(run, test);
    let last = plant.historian.recv().await.unwrap();
    assert_eq!(last.batch.readings[0].value, Some(int(12)));
    assert!(plant.inspector.explain(PointId(1)).await.is_none(), "nobody answers any more");
}
