//! The alarms at work: readings in, commands in, one transaction under way at a time.

use super::backlog::{Backlog, Portion};
use super::board::{self, Board};
use super::config::Rule;
use super::engine::{Change, Engine, Restored};
use super::{AlarmError, Metrics, Occurrence, Scope, store};
use crate::clock::{Clock, Mono, Now};
use crate::db::{Db, DbError};
use crate::readings::Feed;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Acknowledgements that wait for the task; who comes later waits before entering.
const COMMANDS_MAX: usize = 64;
/// How long to wait before the database is tried again. Milliseconds.
const RETRY_MS: u64 = 1_000;

/// The transaction under way.
type Write = BoxFuture<'static, Result<(), DbError>>;

/// Told whether the journal can be written, whenever that changes.
pub type Report = Box<dyn Fn(Result<(), String>) + Send>;

/// Which alarms to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// All that are not over, the newest first.
    Open,
    /// The newest, over or not.
    Newest {
        /// At most so many.
        limit: u32,
        /// Of these.
        scope: Scope,
    },
}

/// The handle to the alarms; clones are cheap.
#[derive(Clone)]
pub struct Alarms {
    board: Arc<Mutex<Board>>,
    db: Db,
    commands: mpsc::Sender<Command>,
}

struct Command {
    id: i64,
    by: String,
    note: Option<String>,
    reply: oneshot::Sender<Result<Occurrence, AlarmError>>,
}

impl Alarms {
    /// Alarms, the newest first. What is not yet on disk is there too.
    pub async fn list(&self, filter: Filter) -> Result<Vec<Occurrence>, AlarmError> {
        // The board before the database: an occurrence is in the one until it is in the other.
        let board: Vec<Occurrence> = lock(&self.board).alarms().rev().cloned().collect();
        match filter {
            Filter::Open => Ok(board.into_iter().filter(|alarm| alarm.state.open()).collect()),
            Filter::Newest { limit, scope } => {
                let asked = scope.clone();
                let stored = self.db.read(move |connection| store::newest(connection, &asked, limit)).await?;
                Ok(merged(board, stored, &scope, limit))
            }
        }
    }

    /// One alarm.
    pub async fn get(&self, id: i64) -> Result<Occurrence, AlarmError> {
        let on_board = lock(&self.board).get(id).cloned();
        match on_board {
            Some(alarm) => Ok(alarm),
            None => self.stored(id).await,
        }
    }

    /// Numbers of unacknowledged alarms by priority, 1 first; one that returned unseen still counts.
    pub fn unacknowledged(&self) -> [u32; 4] {
        lock(&self.board).unacknowledged()
    }

    /// A person has seen the alarm, active or returned. Answers when it is on disk; if it cannot
    /// be written just now it is acknowledged all the same, and the answer is
    /// [`AlarmError::NotSaved`].
    pub async fn acknowledge(&self, id: i64, by: &str, note: Option<&str>) -> Result<Occurrence, AlarmError> {
        let (reply, answer) = oneshot::channel();
        let command = Command { id, by: by.to_owned(), note: note.map(ToOwned::to_owned), reply };
        self.commands.send(command).await.map_err(|_| AlarmError::Closed)?;
        match answer.await.map_err(|_| AlarmError::Closed)? {
            // Not on the board: over, and so acknowledged, or never there.
            Err(AlarmError::NotFound(_)) => {
                self.stored(id).await?;
                Err(AlarmError::AlreadyAcknowledged(id))
            }
            answer => answer,
        }
    }

    async fn stored(&self, id: i64) -> Result<Occurrence, AlarmError> {
        let stored = self.db.read(move |connection| store::get(connection, id)).await?;
        stored.ok_or(AlarmError::NotFound(id))
    }
}

/// Both lists are the newest first; of two versions of an occurrence the later one counts.
fn merged(board: Vec<Occurrence>, stored: Vec<Occurrence>, scope: &Scope, limit: u32) -> Vec<Occurrence> {
    let mut all: Vec<Occurrence> = board.into_iter().chain(stored).collect();
    all.sort_by_key(|alarm| std::cmp::Reverse((alarm.id, alarm.version)));
    all.dedup_by_key(|alarm| alarm.id);
    all.retain(|alarm| alarm.is_in(scope));
    all.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    all
}

/// Who waits for an acknowledgement to be on disk: its place in the line of the backlog.
struct Waiting {
    place: u64,
    alarm: Occurrence,
    reply: oneshot::Sender<Result<Occurrence, AlarmError>>,
}

/// The task that runs the alarms.
pub struct Task {
    rules: Arc<[Rule]>,
    engine: Engine,
    board: Arc<Mutex<Board>>,
    backlog: Backlog,
    db: Db,
    clock: Clock,
    feed: mpsc::Receiver<Feed>,
    commands: mpsc::Receiver<Command>,
    waiting: Vec<Waiting>,
    retry_at: Option<Mono>,
    /// Whether the last transaction was refused.
    from_memory: bool,
    metrics: Metrics,
    report: Report,
}

impl Task {
    /// Takes up where the database left off. Spawns nothing.
    pub async fn build(
        rules: Vec<Rule>,
        db: Db,
        clock: Clock,
        feed: mpsc::Receiver<Feed>,
        metrics: Metrics,
        report: Report,
    ) -> Result<(Alarms, Task), DbError> {
        let rules: Arc<[Rule]> = rules.into();
        let loaded = db.read(store::load).await?;
        let now = clock.now();
        let mut board = Board::new(loaded.open, loaded.last_id);
        let mut backlog = Backlog::default();
        withdraw_orphans(&rules, &mut board, &mut backlog, now);

        let active = board.alarms().filter(|alarm| alarm.state.active).map(board::key).collect();
        let restored = Restored { active, due: loaded.due };
        let engine = Engine::new(&rules, &restored, now);
        let running = engine.timed();
        for (key, _) in restored.due.iter().filter(|(key, _)| !running.contains(key)) {
            backlog.timer(key.clone(), None);
        }

        let (sender, commands) = mpsc::channel(COMMANDS_MAX);
        let board = Arc::new(Mutex::new(board));
        let alarms = Alarms { board: Arc::clone(&board), db: db.clone(), commands: sender };
        let waiting = Vec::new();
        let task = Task {
            rules,
            engine,
            board,
            backlog,
            db,
            clock,
            feed,
            commands,
            waiting,
            retry_at: None,
            from_memory: false,
            metrics,
            report,
        };
        Ok((alarms, task))
    }

    /// Runs until `stop`, or until the readings end. Then writes what is left.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut write: Option<Write> = None;
        let mut stopped = pin!(stop.cancelled());
        self.show();
        loop {
            if write.is_none() && self.retry_at.is_none() {
                write = self.next_write();
            }
            let timer = self.engine.next_due();
            let retry = self.retry_at;
            tokio::select! {
                biased;
                result = done(&mut write) => {
                    write = None;
                    self.wrote(result);
                }
                () = &mut stopped => break,
                () = at(&self.clock, retry) => self.retry_at = None,
                () = at(&self.clock, timer) => self.tick(),
                Some(command) = self.commands.recv() => self.acknowledge(command),
                fed = self.feed.recv() => match fed {
                    Some(fed) => self.take(&fed),
                    None => break,
                },
            }
        }
        self.finish(write).await;
    }

    async fn finish(mut self, write: Option<Write>) {
        while let Ok(fed) = self.feed.try_recv() {
            self.take(&fed);
        }
        let mut write = write;
        self.retry_at = None;
        while let Some(writing) = write.take().or_else(|| self.next_write()) {
            let result = writing.await;
            self.wrote(result);
            if self.retry_at.is_some() {
                break;
            }
        }
        if !self.backlog.is_empty() {
            tracing::error!(rows = self.backlog.len(), "The alarm journal could not be written to its end.");
        }
    }

    fn take(&mut self, fed: &Feed) {
        let now = self.clock.now();
        let mut changes = Vec::new();
        match fed {
            Feed::Readings(batch) => {
                for reading in &batch.readings {
                    self.engine.step(reading, now, &mut changes);
                }
            }
            Feed::Gap { lost, .. } => self.engine.gap(*lost, now, &mut changes),
            Feed::Shed { before } => self.engine.shed(*before, now, &mut changes),
        }
        self.apply(changes, now);
    }

    fn tick(&mut self) {
        let now = self.clock.now();
        let mut changes = Vec::new();
        self.engine.tick(now, &mut changes);
        self.apply(changes, now);
    }

    fn apply(&mut self, changes: Vec<Change>, now: Now) {
        if changes.is_empty() {
            return;
        }
        let mut board = lock(&self.board);
        for change in changes {
            let (Change::Raised { rule, .. } | Change::Returned { rule, .. } | Change::Delay { rule, .. }) =
                change;
            let Some(rule) = self.rules.get(rule) else { continue };
            match change {
                Change::Raised { cause, .. } => {
                    self.backlog.push(board.raise(rule, cause, now.utc));
                    self.metrics.raised.inc();
                }
                Change::Returned { cause, .. } => {
                    if let Some(entry) = board.clear(&rule.key(), Some(cause.quality), now.utc, None) {
                        self.backlog.push(entry);
                        self.metrics.returned.inc();
                    }
                }
                Change::Delay { due, .. } => self.backlog.timer(rule.key(), due),
            }
        }
        drop(board);
        self.show();
    }

    fn acknowledge(&mut self, command: Command) {
        let Command { id, by, note, reply } = command;
        let entry = if self.backlog.full() {
            Err(AlarmError::Backlog(id))
        } else {
            lock(&self.board).acknowledge(id, &by, note.as_deref(), self.clock.utc())
        };
        match entry {
            Ok(entry) => {
                let alarm = entry.alarm.clone();
                self.metrics.acknowledged.inc();
                let place = self.backlog.push(entry);
                self.waiting.push(Waiting { place, alarm, reply });
                // A person waits: the database is tried at once.
                self.retry_at = None;
            }
            // A caller that is gone does not want the answer.
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    fn next_write(&mut self) -> Option<Write> {
        let portion: Portion = self.backlog.take()?;
        let db = self.db.clone();
        Some(async move { db.write(move |tx| store::save(tx, &portion)).await }.boxed())
    }

    fn wrote(&mut self, result: Result<(), DbError>) {
        match result {
            Ok(()) => self.saved(),
            Err(error) => self.refused(&error),
        }
        self.show();
    }

    fn saved(&mut self) {
        let written = self.backlog.written();
        {
            let mut board = lock(&self.board);
            for entry in &written {
                board.journalled(entry);
            }
        }
        let saved = self.backlog.saved();
        for done in self.waiting.extract_if(.., |waiting| waiting.place <= saved) {
            drop(done.reply.send(Ok(done.alarm)));
        }
        if std::mem::take(&mut self.from_memory) {
            tracing::info!(rows = written.len(), "The alarm journal is written again.");
            (self.report)(Ok(()));
        }
    }

    fn refused(&mut self, error: &DbError) {
        self.backlog.failed();
        self.metrics.save_failures.inc();
        self.retry_at = Some(self.clock.mono().plus_ms(RETRY_MS));
        for waiting in self.waiting.drain(..) {
            drop(waiting.reply.send(Err(AlarmError::NotSaved(waiting.alarm.id))));
        }
        if !std::mem::replace(&mut self.from_memory, true) {
            tracing::error!(%error, "The alarm journal cannot be written; alarms run from memory.");
            (self.report)(Err(format!("the alarm journal cannot be written: {error}")));
        }
    }

    fn show(&self) {
        let gauge = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let open = lock(&self.board).alarms().filter(|alarm| alarm.state.open()).count();
        self.metrics.open.set(gauge(open));
        self.metrics.backlog.set(gauge(self.backlog.len()));
        self.metrics.skipped.set(i64::try_from(self.backlog.skipped()).unwrap_or(i64::MAX));
    }
}

/// An alarm whose rule is gone from the configuration could never return by itself.
fn withdraw_orphans(rules: &[Rule], board: &mut Board, backlog: &mut Backlog, now: Now) {
    let known: BTreeSet<String> = rules.iter().map(Rule::key).collect();
    let active = board.alarms().filter(|alarm| alarm.state.active).map(board::key);
    let orphans: Vec<String> = active.filter(|key| !known.contains(key)).collect();
    for key in orphans {
        if let Some(entry) = board.clear(&key, None, now.utc, Some("The rule is no longer configured.")) {
            backlog.push(entry);
        }
    }
}

async fn at(clock: &Clock, moment: Option<Mono>) {
    match moment {
        Some(moment) => clock.sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

async fn done(write: &mut Option<Write>) -> Result<(), DbError> {
    match write {
        Some(write) => write.await,
        None => std::future::pending().await,
    }
}

fn lock(board: &Mutex<Board>) -> MutexGuard<'_, Board> {
    // Each method leaves the board whole, so a panic elsewhere does not spoil it.
    board.lock().unwrap_or_else(PoisonError::into_inner)
}
