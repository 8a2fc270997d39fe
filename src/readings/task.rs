//! The task between field and everything else: who is served, in which order, and who waits.
//!
//! The current table and the alarms are served first. A batch the historian cannot take yet
//! waits in a backlog while the loop goes on, so a slow disk never delays an alarm. What has
//! waited for [`Limits::historian_patience_ms`] is lost: counted, acknowledged, told to the
//! alarms as a gap, and recorded with the next batch the historian takes. From then on nothing
//! waits until the historian takes a batch again.
//!
//! The historian is woken for a handful of batches rather than for each: what no acknowledgement
//! waits for goes to it after [`Limits::hand_over_ms`], or when [`HAND_OVER_BATCHES`] have come.
//!
//! A message whose batch the historian has taken and not stored within the same time is
//! acknowledged, too: a broker stops sending when a window of messages is unacknowledged, and a
//! full disk would silence the alarms behind it.

use super::engine::{Engine, Outcome};
use super::{Change, Current, Feed, HistorianFeed, Lost, Metrics, TextIds};
use crate::clock::{Clock, Mono};
use crate::field::{AckHandle, FieldBatch};
use crate::point::{Batch, Severity, UtcMs};
use std::collections::VecDeque;
use std::pin::pin;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// What the task may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long a batch may wait for the historian. Milliseconds.
    pub historian_patience_ms: u64,
    /// Most batches that wait for it; more, and the field waits.
    pub backlog_max: usize,
    /// How often silence is looked for. Milliseconds.
    pub tick_ms: u64,
    /// How long a batch that no acknowledgement waits for may be held to go on with others.
    /// Milliseconds.
    pub hand_over_ms: u64,
}

/// So many batches are taken before anything else has its turn.
const TURN_MAX: usize = 16;
/// So many batches go on at once; half of the historian's queue, so that they find room.
const HAND_OVER_BATCHES: usize = 8;

impl Default for Limits {
    fn default() -> Limits {
        Limits { historian_patience_ms: 5_000, backlog_max: 1_024, tick_ms: 500, hand_over_ms: 10 }
    }
}

/// Where readings go.
#[derive(Debug)]
pub struct Outlets {
    /// Served first; the task waits for it.
    pub alarms: mpsc::Sender<Feed>,
    /// Waited for with patience.
    pub historian: mpsc::Sender<HistorianFeed>,
}

/// The task; see [`Task::run`].
pub struct Task {
    /// The step.
    pub engine: Engine,
    /// The table it keeps.
    pub current: Current,
    /// Numbers words.
    pub texts: TextIds,
    /// The clock.
    pub clock: Clock,
    /// What it counts.
    pub metrics: Metrics,
    /// What it may take.
    pub limits: Limits,
    /// Where readings go.
    pub outlets: Outlets,
    /// Other points, while it runs. Nobody need hold the other end.
    pub changes: mpsc::Receiver<Change>,
}

impl std::fmt::Debug for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Task").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Task {
    /// Runs until every sender of `field` is gone or `stop` is asked for, then hands over what
    /// is still there, with the usual patience.
    pub async fn run(mut self, mut field: mpsc::Receiver<FieldBatch>, stop: CancellationToken) {
        let (mut backlog, mut batches) = (Backlog::default(), Vec::with_capacity(TURN_MAX));
        let (clock, historian) = (self.clock.clone(), self.outlets.historian.clone());
        let mut next_tick = clock.mono().plus_ms(self.limits.tick_ms);
        // Made anew only when it moves: to ask for a timer takes longer than to make ten readings.
        let mut due = next_tick;
        let mut timer = pin!(clock.sleep_until(due));
        let mut stopped = pin!(stop.cancelled());
        loop {
            self.metrics.historian_waiting.set(i64::try_from(backlog.waiting.len()).unwrap_or(i64::MAX));
            backlog.forget_kept_promises();
            let first = backlog.next_due().map_or(next_tick, |next| next.min(next_tick));
            if first != due {
                due = first;
                timer.set(clock.sleep_until(due));
            }
            let room = self.limits.backlog_max.saturating_sub(backlog.waiting.len());
            tokio::select! {
                biased;
                () = &mut stopped, if !field.is_closed() => field.close(),
                () = &mut timer => {
                    let now = clock.mono();
                    if next_tick <= now {
                        next_tick = now.plus_ms(self.limits.tick_ms);
                        self.tick(&mut backlog).await;
                    }
                    self.release(&mut backlog);
                    backlog.pressing |= backlog.hand_over.is_some_and(|due| due <= now);
                    self.hand_on(&mut backlog);
                    self.lose_overdue(&mut backlog).await;
                    timer.set(clock.sleep_until(due));
                }
                Some(change) = self.changes.recv() => self.change(change),
                Ok(permit) = historian.reserve(), if backlog.pressing => {
                    if let Some(waiting) = backlog.take() {
                        permit.send(waiting.feed);
                    }
                    self.hand_on(&mut backlog);
                }
                taken = field.recv_many(&mut batches, TURN_MAX.min(room)), if room > 0 => {
                    if taken == 0 {
                        break;
                    }
                    for batch in batches.drain(..) {
                        let outcome = self.engine.step(batch, clock.now(), &mut self.texts);
                        self.deliver(outcome, &mut backlog).await;
                    }
                }
            }
        }
        self.hand_over(backlog).await;
    }

    /// Takes other points over. What a bus has sent of one that is gone is dropped when it comes.
    fn change(&mut self, Change { settings, anew, taken }: Change) {
        self.engine.replan(&settings, &anew, self.clock.now());
        let points: Vec<_> = settings.points.iter().map(|point| point.id).collect();
        self.current.replan(&points, &anew, self.clock.utc());
        // Nobody need wait for it.
        let _heard = taken.send(());
    }

    async fn tick(&mut self, backlog: &mut Backlog) {
        let outcome = self.engine.tick(self.clock.now());
        self.deliver(outcome, backlog).await;
        self.tell_gap(backlog).await;
    }

    async fn deliver(&mut self, outcome: Outcome, backlog: &mut Backlog) {
        self.count(&outcome);
        if let Some(live) = outcome.live {
            self.current.apply(&live);
            self.alarm(Feed::Readings(live)).await;
        }
        let Some(batch) = outcome.history else {
            // Duplicate, unmapped, unreadable: nothing to store, so nothing to wait for.
            if let Some(ack) = outcome.ack {
                ack.commit();
            }
            return;
        };
        if let Some(ack) = &outcome.ack {
            let until = self.clock.mono().plus_ms(self.limits.historian_patience_ms);
            backlog.promises.push_back(Promise { ack: ack.clone(), until });
        }
        self.store(HistorianFeed { batch, ack: outcome.ack, lost_before: None }, backlog).await;
    }

    /// Acknowledges what has waited for the disk for too long, wherever its batch is.
    fn release(&self, backlog: &mut Backlog) {
        let now = self.clock.mono();
        while let Some(promise) = backlog.promises.pop_front_if(|promise| promise.until <= now) {
            if !promise.ack.fired() {
                self.metrics.acks_released.inc();
                promise.ack.release();
            }
        }
    }

    /// Gives a batch to the historian, or lets it wait, or (while shedding) loses it.
    async fn store(&self, mut feed: HistorianFeed, backlog: &mut Backlog) {
        if backlog.gap.is_none() {
            let now = self.clock.mono();
            backlog.pressing |= feed.ack.is_some() || backlog.waiting.len() + 1 >= HAND_OVER_BATCHES;
            backlog.hand_over.get_or_insert(now.plus_ms(self.limits.hand_over_ms));
            let until = now.plus_ms(self.limits.historian_patience_ms);
            backlog.waiting.push_back(Waiting { feed, until });
            self.hand_on(backlog);
        } else if let Ok(permit) = self.outlets.historian.try_reserve() {
            if let Some(gap) = backlog.gap.take() {
                feed.lost_before = Some(gap.all);
                tracing::warn!(lost = gap.all.readings, from = %gap.all.from, to = %gap.all.to, "The historian takes readings again.");
                self.tell(gap.untold).await;
            }
            permit.send(feed);
        } else {
            self.lose(feed, backlog);
        }
    }

    /// Gives the historian what waits and is due, as far as it has room.
    fn hand_on(&self, backlog: &mut Backlog) {
        while backlog.pressing
            && let Ok(permit) = self.outlets.historian.try_reserve()
        {
            let Some(waiting) = backlog.take() else { return };
            permit.send(waiting.feed);
        }
    }

    /// Loses all that waits once the first of it has waited for too long.
    async fn lose_overdue(&self, backlog: &mut Backlog) {
        if backlog.waiting.front().is_none_or(|first| first.until > self.clock.mono()) {
            return;
        }
        tracing::error!(
            batches = backlog.waiting.len(),
            patience_ms = self.limits.historian_patience_ms,
            "The historian takes no readings; they are lost until it does."
        );
        while let Some(waiting) = backlog.take() {
            self.lose(waiting.feed, backlog);
        }
        self.tell_gap(backlog).await;
    }

    fn lose(&self, feed: HistorianFeed, backlog: &mut Backlog) {
        let readings = readings_of(&feed.batch);
        self.metrics.lost.inc_by(readings);
        let lost = Lost { from: feed.batch.received_at, to: feed.batch.received_at, readings };
        let gap =
            backlog.gap.get_or_insert(Gap { all: Lost { readings: 0, ..lost }, untold: None, told: None });
        gap.all = extend(Some(gap.all), lost);
        gap.untold = Some(extend(gap.untold, lost));
        if let Some(ack) = feed.ack {
            // The broker must not hold the message for a disk that may never come back.
            ack.commit();
        }
    }

    /// Tells the alarms of what was lost since the last word: at once when it begins, then once
    /// per patience.
    async fn tell_gap(&self, backlog: &mut Backlog) {
        let Some(gap) = backlog.gap.as_mut() else { return };
        let now = self.clock.mono();
        if gap.told.is_none_or(|told| now.since_ms(told) >= self.limits.historian_patience_ms) {
            gap.told = Some(now);
            let untold = gap.untold.take();
            self.tell(untold).await;
        }
    }

    async fn tell(&self, lost: Option<Lost>) {
        if let Some(Lost { from, to, readings: lost }) = lost {
            self.alarm(Feed::Gap { from, to, lost }).await;
        }
    }

    /// Waits for the alarm engine; one that is gone is its supervisor's business.
    async fn alarm(&self, feed: Feed) {
        let asked = self.clock.mono();
        if self.outlets.alarms.send(feed).await.is_ok() {
            self.metrics.alarms_wait_ms.inc_by(self.clock.mono().since_ms(asked));
        }
    }

    /// The end: what waits still gets its time; what then remains is unacknowledged, so that a
    /// broker sends it again after the restart.
    async fn hand_over(&self, backlog: Backlog) {
        let mut lost = 0;
        for waiting in backlog.waiting {
            tokio::select! {
                biased;
                Ok(permit) = self.outlets.historian.reserve() => permit.send(waiting.feed),
                () = self.clock.sleep_until(waiting.until) => lost += readings_of(&waiting.feed.batch),
            }
        }
        if lost > 0 {
            self.metrics.lost.inc_by(lost);
            tracing::error!(readings = lost, "The historian did not take the last readings before the stop.");
        }
    }

    fn count(&self, outcome: &Outcome) {
        self.metrics.duplicates.inc_by(outcome.duplicates);
        self.metrics.late.inc_by(outcome.late);
        self.metrics.unknown.inc_by(outcome.unknown);
        if let Some(step) = outcome.clock_step {
            self.metrics.clock_steps.inc();
            tracing::warn!(from = %step.from, to = %step.to, "The clock was set back; readings are marked until it catches up.");
        }
        let Some(batch) = &outcome.history else { return };
        self.metrics.made.inc_by(readings_of(batch));
        for reading in &batch.readings {
            match reading.quality.severity() {
                Severity::Good => {}
                Severity::Uncertain => drop(self.metrics.uncertain.inc()),
                Severity::Bad => drop(self.metrics.bad.inc()),
            }
        }
    }
}

/// What the historian has not taken yet, or has lost.
#[derive(Debug, Default)]
struct Backlog {
    waiting: VecDeque<Waiting>,
    /// When what waits is to go on, although it is little.
    hand_over: Option<Mono>,
    /// It is to go on as soon as there is room; never without something that waits.
    pressing: bool,
    /// Since the first loss, until a batch is taken again.
    gap: Option<Gap>,
    /// Who waits for an acknowledgement, oldest first.
    promises: VecDeque<Promise>,
}

#[derive(Debug)]
struct Promise {
    ack: AckHandle,
    until: Mono,
}

#[derive(Debug)]
struct Waiting {
    feed: HistorianFeed,
    until: Mono,
}

#[derive(Debug)]
struct Gap {
    all: Lost,
    untold: Option<Lost>,
    told: Option<Mono>,
}

impl Backlog {
    /// When something is to be done about what waits.
    fn next_due(&self) -> Option<Mono> {
        let lost = self.waiting.front().map(|waiting| waiting.until);
        let promise = self.promises.front().map(|promise| promise.until);
        let hand_over = self.hand_over.filter(|_| !self.pressing);
        [lost, promise, hand_over].into_iter().flatten().min()
    }

    /// The first that waits. With the last one nothing presses any more.
    fn take(&mut self) -> Option<Waiting> {
        let first = self.waiting.pop_front();
        if self.waiting.is_empty() {
            (self.hand_over, self.pressing) = (None, false);
        }
        first
    }

    fn forget_kept_promises(&mut self) {
        while self.promises.pop_front_if(|promise| promise.ack.fired()).is_some() {}
    }
}

fn readings_of(batch: &Batch) -> u64 {
    batch.readings.len() as u64
}

fn extend(so_far: Option<Lost>, more: Lost) -> Lost {
    let Some(so_far) = so_far else { return more };
    Lost {
        from: UtcMs(so_far.from.0.min(more.from.0)),
        to: UtcMs(so_far.to.0.max(more.to.0)),
        readings: so_far.readings + more.readings,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::{Ack, AckReceiver, AckSender, Raw, Sample, acks};
    use crate::point::{Decimal, PointId, Quality, Reason, Value, ValueKind};
    use crate::readings::{PointSettings, Settings};
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
        let clock = Clock::starting_at(START);
        let point = PointSettings {
            id: PointId(1),
            kind: ValueKind::Decimal,
            scale: Decimal::ONE,
            offset: Decimal::ZERO,
            range: None,
            stale_after_ms: 60_000,
        };
        let settings = Settings { points: vec![point], plausible_from: Settings::PLAUSIBLE_FROM };
        let current = Current::new(&[PointId(1)], START);
        let metrics = Metrics::default();
        let (field, field_rx) = mpsc::channel(4);
        let (alarms_tx, alarms) = mpsc::channel(64);
        let (historian_tx, historian) = mpsc::channel(historian_room);
        let (change, changes) = mpsc::channel(1);
        let task = Task {
            engine: Engine::new(settings, clock.now()),
            current: current.clone(),
            texts: Box::new(|_| None),
            clock: clock.clone(),
            metrics: metrics.clone(),
            limits,
            outlets: Outlets { alarms: alarms_tx, historian: historian_tx },
            changes,
        };
        let stop = CancellationToken::new();
        let run = task.run(field_rx, stop.clone());
        (Plant { field, alarms, historian, change, acks: acks(), current, metrics, clock, stop }, run)
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
                id: PointId(id),
                kind: ValueKind::Decimal,
                scale: Decimal::from_int(scale),
                offset: Decimal::ZERO,
                range: None,
                stale_after_ms: 60_000,
            };
            let points = vec![point(1, 10), point(2, 1)];
            let settings = Settings { points, plausible_from: Settings::PLAUSIBLE_FROM };
            let (taken, told) = tokio::sync::oneshot::channel();
            let change = Change { settings, anew: BTreeSet::from([PointId(2)]), taken };
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
}
