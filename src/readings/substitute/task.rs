//! Who begins and ends substitutions: persons by commands, the clock by itself.
//!
//! A beginning is on disk before it counts. An end by the clock counts before it is on disk: a
//! database that cannot be written keeps no made-up value alive.

use super::{Ended, LASTS_MAX_MS, SubstituteError, Substitution, Wanted, store};
use crate::clock::{Clock, Mono};
use crate::db::{Db, DbError};
use crate::point::{PointId, UtcMs, Value};
use crate::readings::TextIds;
use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Acts that wait for the task; who comes later waits before entering.
const COMMANDS_MAX: usize = 16;
/// How long to wait before the database is tried again. Milliseconds.
const RETRY_MS: u64 = 1_000;
/// Who ends what no person ends.
const SELF: &str = "plantroom";

/// For the making of readings.
#[derive(Debug)]
pub enum Order {
    /// This value holds from now on.
    Begin {
        /// Of which point.
        point: PointId,
        /// The value.
        value: Value,
        /// How long the point may be silent. Milliseconds.
        stale_after_ms: u64,
        /// Told when it is current.
        done: oneshot::Sender<()>,
    },
    /// The device counts again.
    End {
        /// Of which point.
        point: PointId,
        /// Told when it does.
        done: oneshot::Sender<()>,
    },
}

/// A substitution that holds at the start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Open {
    /// Of which point.
    pub point: PointId,
    /// The value.
    pub value: Value,
    /// How long the point may be silent. Milliseconds.
    pub stale_after_ms: u64,
}

enum Command {
    Begin(Box<Wanted>, Answer),
    End {
        point: PointId,
        address: String,
        by: String,
        reason: Option<String>,
        answer: Answer,
    },
    /// These points are gone or mean something else.
    Withdraw(BTreeSet<PointId>),
}

type Answer = oneshot::Sender<Result<Substitution, SubstituteError>>;

/// The handle; clones are cheap.
#[derive(Clone)]
pub struct Substitutions {
    db: Db,
    commands: mpsc::Sender<Command>,
}

impl Substitutions {
    /// Puts a value in. Answers when it is on disk and current. The same once more changes nothing.
    pub async fn begin(&self, wanted: Wanted) -> Result<Substitution, SubstituteError> {
        let (answer, answered) = oneshot::channel();
        self.ask(Command::Begin(Box::new(wanted), answer), answered).await
    }

    /// Takes it out before its time. Answers when that is on disk and the device counts again.
    pub async fn end(
        &self,
        point: PointId,
        address: String,
        by: &str,
        reason: Option<&str>,
    ) -> Result<Substitution, SubstituteError> {
        let (answer, answered) = oneshot::channel();
        let (by, reason) = (by.to_owned(), reason.map(ToOwned::to_owned));
        self.ask(Command::End { point, address, by, reason, answer }, answered).await
    }

    /// The newest first, at most `limit`; of all, or of those that hold.
    pub async fn list(&self, all: bool, limit: u32) -> Result<Vec<Substitution>, SubstituteError> {
        Ok(self.db.read(move |connection| store::newest(connection, all, limit)).await?)
    }

    /// Ends those of points that are gone or mean something else.
    pub async fn withdraw(&self, points: BTreeSet<PointId>) {
        // Without a task there is nothing that holds.
        let _taken = self.commands.send(Command::Withdraw(points)).await;
    }

    async fn ask(
        &self,
        command: Command,
        answered: oneshot::Receiver<Result<Substitution, SubstituteError>>,
    ) -> Result<Substitution, SubstituteError> {
        self.commands.send(command).await.map_err(|_| SubstituteError::Closed)?;
        answered.await.map_err(|_| SubstituteError::Closed)?
    }
}

/// The task.
pub struct Task {
    handle: Substitutions,
    db: Db,
    clock: Clock,
    texts: TextIds,
    commands: mpsc::Receiver<Command>,
    readings: mpsc::Sender<Order>,
    open: BTreeMap<PointId, Running>,
    /// Over, and not yet on disk.
    ended: Vec<(Substitution, Ended)>,
    retry_at: Option<Mono>,
}

struct Running {
    substitution: Substitution,
    due: Mono,
}

impl Task {
    /// Takes up where the database left off. `known` are the points there are, with how long each
    /// may be silent. Gives also what holds, for the making of readings. Spawns nothing.
    pub async fn build(
        db: Db,
        clock: Clock,
        mut texts: TextIds,
        readings: mpsc::Sender<Order>,
        known: &BTreeMap<PointId, u64>,
    ) -> Result<(Task, Vec<Open>), DbError> {
        let now = clock.now();
        let (mut open, mut ended, mut holds) = (BTreeMap::new(), Vec::new(), Vec::new());
        for (substitution, due_at) in db.read(store::open).await? {
            let point = substitution.point;
            let value = known.get(&point).copied().zip(substitution.value.to_value(&mut texts));
            // A wall clock set back while the process was down must not stretch it.
            let lasts = substitution.until.since_ms(substitution.since);
            let left = u64::try_from(due_at.since_ms(now.utc).min(lasts)).unwrap_or(0);
            match value {
                Some((stale_after_ms, value)) if left > 0 => {
                    holds.push(Open { point, value, stale_after_ms });
                    open.insert(point, Running { substitution, due: now.mono.plus_ms(left) });
                }
                Some(_) => ended.push((substitution, over(due_at, None))),
                None => ended.push((substitution, over(now.utc, Some(GONE)))),
            }
        }
        let (sender, commands) = mpsc::channel(COMMANDS_MAX);
        let handle = Substitutions { db: db.clone(), commands: sender };
        let task = Task { handle, db, clock, texts, commands, readings, open, ended, retry_at: None };
        Ok((task, holds))
    }

    /// The handle to it.
    pub fn handle(&self) -> Substitutions {
        self.handle.clone()
    }

    /// Runs until `stop`. What holds then holds again after the next start.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut stopped = pin!(stop.cancelled());
        loop {
            if self.retry_at.is_none() {
                self.save_ended().await;
            }
            let due = self.open.values().map(|running| running.due).chain(self.retry_at).min();
            tokio::select! {
                biased;
                () = &mut stopped => return,
                () = at(&self.clock, due) => {
                    self.retry_at = None;
                    self.end_due().await;
                }
                Some(command) = self.commands.recv() => self.obey(command).await,
            }
        }
    }

    async fn obey(&mut self, command: Command) {
        // A caller that is gone does not want the answer.
        match command {
            Command::Begin(wanted, answer) => drop(answer.send(self.begin(*wanted).await)),
            Command::End { point, address, by, reason, answer } => {
                drop(answer.send(self.end(point, address, by, reason).await));
            }
            Command::Withdraw(points) => {
                for point in points {
                    self.end_now(point, |now| over(now, Some(GONE))).await;
                }
            }
        }
    }

    async fn begin(&mut self, wanted: Wanted) -> Result<Substitution, SubstituteError> {
        if let Some(Running { substitution, .. }) = self.open.get(&wanted.point) {
            let same = substitution.value == wanted.value
                && substitution.until == wanted.until
                && substitution.by == wanted.by
                && substitution.reason == wanted.reason;
            let (address, value) = (substitution.address.clone(), substitution.value.to_string());
            return if same {
                Ok(substitution.clone())
            } else {
                Err(SubstituteError::Already(address, value))
            };
        }
        let now = self.clock.now();
        let lasts = wanted.until.since_ms(now.utc);
        if !(1..=LASTS_MAX_MS).contains(&lasts) {
            return Err(SubstituteError::Until);
        }
        let value = wanted.value.to_value(&mut self.texts).ok_or(SubstituteError::Word)?;
        let (point, stale_after_ms) = (wanted.point, wanted.stale_after_ms);
        let begun = self.db.write(move |tx| store::begin(tx, &wanted, now.utc)).await?;
        let due = now.mono.plus_ms(u64::try_from(lasts).unwrap_or(0));
        self.open.insert(point, Running { substitution: begun.clone(), due });
        self.order(|done| Order::Begin { point, value, stale_after_ms, done }).await?;
        Ok(begun)
    }

    async fn end(
        &mut self,
        point: PointId,
        address: String,
        by: String,
        reason: Option<String>,
    ) -> Result<Substitution, SubstituteError> {
        let running = self.open.get(&point).ok_or(SubstituteError::NotSubstituted(address))?;
        let ended = Ended { at: self.clock.utc(), by, reason };
        let substitution = running.substitution.clone();
        let done = self.db.write(move |tx| store::end(tx, &substitution, &ended)).await?;
        self.open.remove(&point);
        self.order(|done| Order::End { point, done }).await?;
        Ok(done)
    }

    async fn end_due(&mut self) {
        let now = self.clock.mono();
        let due = self.open.iter().filter(|(_, running)| running.due <= now);
        let due: Vec<PointId> = due.map(|(point, _)| *point).collect();
        for point in due {
            self.end_now(point, |now| over(now, None)).await;
        }
    }

    /// Ends it for the readings; the database follows.
    async fn end_now(&mut self, point: PointId, how: impl FnOnce(UtcMs) -> Ended) {
        let Some(running) = self.open.remove(&point) else { return };
        self.ended.push((running.substitution, how(self.clock.utc())));
        // Readings that are not made any more show no value.
        let _shown = self.order(|done| Order::End { point, done }).await;
    }

    async fn save_ended(&mut self) {
        while let Some((substitution, ended)) = self.ended.first().cloned() {
            let point = substitution.address.clone();
            match self.db.write(move |tx| store::end(tx, &substitution, &ended)).await {
                Ok(_) => drop(self.ended.remove(0)),
                Err(error) => {
                    tracing::error!(point, %error, "The end of a substitution cannot be written; it is tried again.");
                    self.retry_at = Some(self.clock.mono().plus_ms(RETRY_MS));
                    return;
                }
            }
        }
    }

    async fn order(&self, order: impl FnOnce(oneshot::Sender<()>) -> Order) -> Result<(), SubstituteError> {
        let (done, heard) = oneshot::channel();
        self.readings.send(order(done)).await.map_err(|_| SubstituteError::Closed)?;
        heard.await.map_err(|_| SubstituteError::Closed)
    }
}

const GONE: &str = "The point is no longer configured, or its values mean something else.";

fn over(at: UtcMs, reason: Option<&str>) -> Ended {
    Ended { at, by: SELF.to_owned(), reason: reason.map(ToOwned::to_owned) }
}

async fn at(clock: &Clock, moment: Option<Mono>) {
    match moment {
        Some(moment) => clock.sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
