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
use super::substitute::{Held, Open, Order};
use super::{Change, Current, Derived, Feed, HistorianFeed, Lost, Metrics, Question, TextIds, TextWords};
use crate::clock::{Clock, Mono};
use crate::field::{AckHandle, FieldBatch};
use crate::point::{Batch, PointId, Severity, UtcMs, Value};
use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
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
    /// Reckons readings from readings.
    pub derived: Derived,
    /// What persons have put in the place of a device's values, at the start and since.
    pub by_hand: ByHand,
    /// Numbers words.
    pub texts: TextIds,
    /// Gives the words of numbers.
    pub words: TextWords,
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
    /// What is asked of it ([`super::Inspector::new`]). Nobody need hold the other end.
    pub questions: mpsc::Receiver<Question>,
}

/// Values by hand: those that hold at the start, and the word that one begins or ends.
#[derive(Debug)]
pub struct ByHand {
    /// They hold at the start.
    pub open: Vec<Open>,
    /// Nobody need hold the other end.
    pub orders: mpsc::Receiver<Order>,
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
        let mut held = self.resume(&mut backlog).await;
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
                        self.tick(&mut held, &mut backlog).await;
                    }
                    self.release(&mut backlog);
                    backlog.pressing |= backlog.hand_over.is_some_and(|due| due <= now);
                    self.hand_on(&mut backlog);
                    self.lose_overdue(&mut backlog).await;
                    timer.set(clock.sleep_until(due));
                }
                Some(change) = self.changes.recv() => self.change(change, &mut held),
                Some(order) = self.by_hand.orders.recv() => self.obey(order, &mut held, &mut backlog).await,
                Some(question) = self.questions.recv() => self.answer(question),
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
                        self.deliver(outcome, &mut held, &mut backlog).await;
                    }
                }
            }
        }
        let outcome = self.engine.release(clock.now());
        self.deliver(outcome, &mut held, &mut backlog).await;
        self.hand_over(backlog).await;
    }

    /// Nobody need wait for the answer.
    fn answer(&mut self, Question { point, answer }: Question) {
        let _heard = answer.send(self.engine.explain(point, self.clock.now()));
    }

    /// Takes other points over. What a bus has sent of one that is gone is dropped when it comes.
    fn change(&mut self, Change { settings, derived, windows, anew, taken }: Change, held: &mut Held) {
        let now = self.clock.now();
        self.engine.replan(&settings, &anew, now);
        let points: Vec<_> = settings.points.iter().map(|point| point.id).chain(derived.points()).collect();
        self.current.replan(&points, &anew, now.utc);
        let newest = |point| self.current.get(point).map(|value| value.reading);
        self.derived.replan(&derived, &anew, &newest, &windows, now, &self.words);
        held.replan(&points, &anew);
        held.points().for_each(|point| self.derived.hold(point, true));
        // Nobody need wait for it.
        let _heard = taken.send(());
    }

    async fn tick(&mut self, held: &mut Held, backlog: &mut Backlog) {
        let outcome = self.engine.tick(self.clock.now());
        self.deliver(outcome, held, backlog).await;
        let again = held.tick(self.clock.now());
        self.deliver_made(again, held, backlog).await;
        let made = self.derived.tick(self.clock.now(), &self.words);
        self.deliver_derived(made, held, backlog).await;
        self.tell_gap(backlog).await;
    }

    /// The values by hand that hold at the start.
    async fn resume(&mut self, backlog: &mut Backlog) -> Held {
        let mut held = Held::default();
        for Open { point, value, stale_after_ms } in std::mem::take(&mut self.by_hand.open) {
            self.substitute(point, value, stale_after_ms, &mut held, backlog).await;
        }
        held
    }

    async fn obey(&mut self, order: Order, held: &mut Held, backlog: &mut Backlog) {
        let done = match order {
            Order::Begin { point, value, stale_after_ms, done } => {
                self.substitute(point, value, stale_after_ms, held, backlog).await;
                done
            }
            Order::End { point, done } => {
                self.derived.hold(point, false);
                let said = held.end(point, self.clock.now());
                self.metrics.substituted.set(i64::try_from(held.len()).unwrap_or(i64::MAX));
                self.deliver_made(said, held, backlog).await;
                done
            }
        };
        // Nobody need wait for it.
        let _heard = done.send(());
    }

    async fn substitute(
        &mut self,
        point: PointId,
        value: Value,
        stale_after_ms: u64,
        held: &mut Held,
        backlog: &mut Backlog,
    ) {
        self.derived.hold(point, true);
        let current = self.current.get(point).map(|value| value.reading);
        let given = held.begin(point, value, stale_after_ms, current, self.clock.now());
        self.metrics.substituted.set(i64::try_from(held.len()).unwrap_or(i64::MAX));
        self.deliver_made(Some(given), held, backlog).await;
    }

    /// What devices said, but for points whose value is by hand.
    async fn deliver(&mut self, outcome: Outcome, held: &mut Held, backlog: &mut Backlog) {
        let (outcome, withheld) = held.pass(outcome);
        self.metrics.withheld.inc_by(withheld);
        self.hand_round_all(outcome, held, backlog).await;
    }

    /// What is plantroom's own.
    async fn deliver_made(&mut self, made: Option<Arc<Batch>>, held: &mut Held, backlog: &mut Backlog) {
        self.hand_round_all(Outcome::made(made), held, backlog).await;
    }

    /// What was reckoned, but for points whose value is by hand.
    async fn deliver_derived(&mut self, made: Option<Arc<Batch>>, held: &mut Held, backlog: &mut Backlog) {
        let (outcome, _) = held.pass(Outcome::made(made));
        self.hand_round(outcome, backlog).await;
    }

    /// Readings, and what is reckoned from those that are current now.
    async fn hand_round_all(&mut self, outcome: Outcome, held: &mut Held, backlog: &mut Backlog) {
        let live = outcome.live.clone();
        self.hand_round(outcome, backlog).await;
        let Some(live) = live.filter(|_| !self.derived.is_empty()) else { return };
        let made = self.derived.step(&live, self.clock.now(), &self.words);
        self.deliver_derived(made, held, backlog).await;
    }

    async fn hand_round(&mut self, outcome: Outcome, backlog: &mut Backlog) {
        self.count(&outcome);
        if let Some(live) = outcome.live {
            self.current.apply(&live);
            self.alarm(Feed::Readings(live)).await;
        }
        let Some(batch) = outcome.history else {
            // Duplicate, unmapped, held back: nothing to store, so nothing to wait for.
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
        self.metrics.held_back.inc_by(outcome.held_back);
        for reset in &outcome.resets {
            self.metrics.counter_resets.inc();
            let (before, after) = (reset.before, reset.after);
            tracing::warn!(point = reset.point.0, %before, %after, "A counter began again without rolling over.");
        }
        self.metrics.unknown.inc_by(outcome.unknown);
        if let Some(step) = outcome.clock_step {
            self.metrics.clock_steps.inc();
            tracing::warn!(from = %step.from, to = %step.to, "The clock was set back; readings are marked until it catches up.");
        }
        // Late readings are in the history alone; what was held back was counted when it was made.
        self.metrics.made.inc_by(outcome.late);
        let Some(batch) = &outcome.live else { return };
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
mod tests;
