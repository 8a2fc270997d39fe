//! The live lane of one target: the historian's log, in order, to one write endpoint.

use super::batch::{Delivery, Lines, Turn};
use super::config::{Mapping, Written};
use super::dead::{DeadLetters, letter};
use super::http::Endpoint;
use super::metrics::{Metrics, TargetMetrics};
use super::store;
use crate::clock::{Clock, Mono};
use crate::config::Target;
use crate::db::{Db, DbError};
use crate::historian::{Follower, History, HistoryError, Seq};
use crate::net::Backoff;
use crate::point::{Batch, Name};
use crate::telemetry::Recent;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Most records of the log read at once.
const RECORDS_MAX: usize = 512;
/// At most one parcel in this time while there is no backlog: a request a second, not one for
/// each commit of the historian.
const PACE_MS: u64 = 1_000;
/// Shortest and longest wait before a request is repeated.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_mins(1));

/// How a target is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// It takes what it is sent.
    #[default]
    Well,
    /// It does not answer or asked to wait. It is tried again.
    Waiting(String),
    /// It refuses the request itself: wrong token, no such database. Nothing is dropped, it is
    /// tried again, and a person is needed.
    Held(String),
}

/// What all targets share.
#[derive(Clone)]
pub struct Parts {
    /// Keeps the cursors.
    pub db: Db,
    /// The log.
    pub history: History,
    /// Dials.
    pub client: reqwest::Client,
    /// The time.
    pub clock: Clock,
    /// Where counters are.
    pub metrics: Metrics,
    /// `DATA/files`.
    pub files: PathBuf,
}

/// The task of one target.
pub struct Task {
    target: Target,
    mapping: watch::Receiver<Arc<Mapping>>,
    endpoint: Endpoint,
    dead: DeadLetters,
    db: Db,
    log: Follower,
    clock: Clock,
    metrics: TargetMetrics,
    status: watch::Sender<Status>,
    /// All of the log up to here is delivered, and the database knows.
    cursor: Seq,
    /// Read and not delivered.
    ahead: VecDeque<(Seq, Arc<Batch>)>,
    backoff: Backoff,
    /// How fast the backlog falls.
    backlog: Recent,
}

/// Lines of whole records.
struct Parcel {
    lines: Lines,
    upto: Seq,
    skipped: u64,
    /// Records in it.
    records: usize,
}

/// Why a pass ended early. It is tried again.
#[derive(Debug, thiserror::Error)]
enum PassError {
    #[error(transparent)]
    History(#[from] HistoryError),
    #[error(transparent)]
    Db(#[from] DbError),
    #[error("the dead-letter file cannot be written: {0}")]
    DeadLetter(#[from] std::io::Error),
}

impl Task {
    /// The task of one target, at the place its cursor kept. A target that is new begins with the
    /// oldest record of the log. Each parcel is written by the newest `mapping`.
    pub async fn open(
        target: &Target,
        mapping: watch::Receiver<Arc<Mapping>>,
        parts: &Parts,
    ) -> Result<Task, DbError> {
        let cursor = Task::cursor(&target.id, &parts.db).await?;
        // Targets that went down together must not come back in step.
        let seed = parts.clock.utc().0.unsigned_abs()
            ^ (u64::from(crc32fast::hash(target.id.as_str().as_bytes())) << 32);
        Ok(Task {
            mapping,
            endpoint: Endpoint::new(target, parts.client.clone(), parts.clock.clone()),
            dead: DeadLetters::new(&parts.files, &target.id),
            db: parts.db.clone(),
            log: parts.history.follow(cursor),
            clock: parts.clock.clone(),
            metrics: parts.metrics.of(target.id.as_str()),
            status: watch::Sender::new(Status::Well),
            cursor,
            ahead: VecDeque::new(),
            backoff: Backoff::new(RETRY.0, RETRY.1, seed),
            backlog: Recent::default(),
            target: target.clone(),
        })
    }

    /// How far the log is delivered to a target.
    pub async fn cursor(target: &Name, db: &Db) -> Result<Seq, DbError> {
        let id = target.clone();
        Ok(Seq(db.read(move |connection| store::cursor(connection, &id)).await?))
    }

    /// Whose it is.
    pub fn target(&self) -> &Name {
        &self.target.id
    }

    /// How the target is doing, for `/readyz` and alarms.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    /// Forwards until told to stop. A request under way is abandoned then: its lines go again
    /// after the next start, with the same times.
    pub async fn run(mut self, stop: CancellationToken) {
        tokio::select! {
            () = self.forward() => {}
            () = stop.cancelled() => {}
        }
    }

    async fn forward(&mut self) {
        let mut head = self.log.history().head();
        loop {
            let seen = *head.borrow_and_update();
            let next = self.clock.mono().plus_ms(PACE_MS);
            match self.pass().await {
                Ok(()) if self.behind(seen) => {}
                Ok(()) => self.rest(&mut head, seen, next).await,
                Err(error) => {
                    let delay = self.backoff.next_delay();
                    let (target, wait) = (&self.target.id, delay.as_millis());
                    tracing::warn!(%target, %error, retry_in_ms = wait, "Forwarding is interrupted.");
                    tokio::time::sleep(delay).await;
                }
            }
        }
    }

    /// Until there is more than `seen`, and not before `next`.
    async fn rest(&self, head: &mut watch::Receiver<Seq>, seen: Seq, next: Mono) {
        self.clock.sleep_until(next).await;
        if head.wait_for(|head| *head > seen).await.is_err() {
            // The historian is gone; the stop token follows.
            std::future::pending::<()>().await;
        }
    }

    /// Whether a pass that began when the log ended at `seen` left something of it.
    fn behind(&self, seen: Seq) -> bool {
        !self.ahead.is_empty() && self.cursor < seen
    }

    /// Delivers one parcel, if there is anything behind the cursor, and moves the cursor.
    async fn pass(&mut self) -> Result<(), PassError> {
        self.read().await?;
        self.measure();
        let Some(parcel) = self.pack() else { return Ok(()) };
        let delivery = self.deliver(&parcel.lines).await;
        self.bury(&parcel.lines, &delivery).await?;
        let (id, upto) = (self.target.id.clone(), parcel.upto);
        self.db.write(move |tx| store::advance(tx, &id, upto.0)).await?;
        self.cursor = upto;
        self.ahead.drain(..parcel.records);
        self.metrics.readings_skipped.inc_by(parcel.skipped);
        self.read().await?;
        self.measure();
        Ok(())
    }

    /// Reads on when all that was read is delivered.
    async fn read(&mut self) -> Result<(), HistoryError> {
        if self.ahead.is_empty() {
            self.log.done();
            self.ahead = self.log.next(RECORDS_MAX).await?.into();
        }
        Ok(())
    }

    fn measure(&mut self) {
        let head = *self.log.history().head().borrow();
        let records = if self.ahead.is_empty() { 0 } else { head.0.saturating_sub(self.cursor.0) };
        let (records, now) = (i64::try_from(records).unwrap_or(i64::MAX), self.clock.mono().0);
        self.metrics.lag_records.set(records);
        let drained_ms = self.backlog.until_zero_ms(now, records);
        self.backlog.look(now, records);
        let drained_s = drained_ms.map_or(-1, |ms| i64::try_from(ms.div_ceil(1_000)).unwrap_or(i64::MAX));
        self.metrics.drain_seconds.set(drained_s);
        let oldest = self.ahead.front().map(|(_, batch)| self.clock.utc().since_ms(batch.received_at));
        self.metrics.lag_seconds.set(oldest.map_or(0, |ms| ms.max(0) / 1_000));
    }

    /// The next whole records, as many as fit one request; at least one.
    fn pack(&self) -> Option<Parcel> {
        let mut parcel = Parcel { lines: Lines::default(), upto: self.cursor, skipped: 0, records: 0 };
        let texts = self.log.history().texts();
        let word = |id| texts.word(id);
        let mapping = Arc::clone(&self.mapping.borrow());
        for (seq, batch) in &self.ahead {
            let fits = parcel.lines.len() + batch.readings.len() <= self.target.batch_lines_max;
            if parcel.records > 0 && !fits {
                break;
            }
            for reading in &batch.readings {
                let written = parcel.lines.push(|out| match mapping.write(out, reading, &word) {
                    Written::Line => Ok(true),
                    Written::Unmapped | Written::NoTime | Written::Empty => Err(()),
                });
                parcel.skipped += u64::from(written.is_err());
            }
            parcel.upto = *seq;
            parcel.records += 1;
        }
        (parcel.records > 0).then_some(parcel)
    }

    /// Sends until every line is delivered or dead, however long that takes.
    async fn deliver(&mut self, lines: &Lines) -> Delivery {
        let mut delivery = Delivery::new(lines, self.target.batch_lines_max);
        while let Some(next) = delivery.next() {
            self.metrics.requests.inc();
            let outcome = self.endpoint.write(lines.body(&next)).await;
            let before = delivery.delivered();
            match delivery.answer(outcome) {
                Turn::Next => self.answered(delivery.delivered() - before),
                Turn::Wait(after, reason) => {
                    self.fail(Status::Waiting(reason));
                    let delay = after.unwrap_or_else(|| self.backoff.next_delay());
                    tokio::time::sleep(delay).await;
                }
                Turn::Hold(reason) => {
                    self.fail(Status::Held(reason));
                    let delay = self.backoff.next_delay();
                    tokio::time::sleep(delay).await;
                }
            }
            self.measure();
        }
        delivery
    }

    /// The target read the request, whatever it made of its lines.
    fn answered(&mut self, delivered: usize) {
        self.backoff.reset();
        if delivered > 0 {
            self.metrics.lines_sent.inc_by(delivered as u64);
            self.metrics.last_success_seconds.set(self.clock.utc().0 / 1_000);
        }
        // Wakes no one who watches for a change while there is none.
        if self.status.send_if_modified(|status| std::mem::take(status) != Status::Well) {
            tracing::info!(target = %self.target.id, "The target takes lines again.");
        }
    }

    fn fail(&mut self, status: Status) {
        self.metrics.retries.inc();
        let target = &self.target.id;
        // Said once, when it begins or becomes another kind of failure; the status has the latest.
        match (&status, &*self.status.borrow()) {
            (Status::Waiting(reason), Status::Well) => {
                tracing::warn!(%target, reason, "The target does not take lines, they wait in the history.");
            }
            (Status::Held(reason), Status::Well | Status::Waiting(_)) => {
                tracing::error!(
                    %target, reason,
                    "The target refuses every request, check its URL, database and login. Lines wait in the history."
                );
            }
            _ => {}
        }
        self.status.send_replace(status);
    }

    /// Keeps what no request will deliver, before the cursor passes it.
    async fn bury(&self, lines: &Lines, delivery: &Delivery) -> Result<(), std::io::Error> {
        let dead = delivery.dead();
        let Some(first) = dead.first() else { return Ok(()) };
        let now = self.clock.utc();
        let letters: Vec<_> = dead
            .iter()
            .map(|dead| letter(now, &dead.reason, lines.body(&(dead.line..dead.line + 1))))
            .collect();
        let file = self.dead.clone();
        tokio::task::spawn_blocking(move || file.append(&letters)).await.map_err(std::io::Error::other)??;
        self.metrics.lines_rejected.inc_by(dead.len() as u64);
        tracing::warn!(
            target = %self.target.id, lines = dead.len(), reason = first.reason, file = %self.dead.path().display(),
            "The target rejected lines, they are kept in the dead-letter file."
        );
        Ok(())
    }
}
