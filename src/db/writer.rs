//! The one thread that writes: a bounded queue of closures, each its own transaction.

use super::{DbError, KillPoints, NewEvent, events, panic_text};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::cell::Cell;
use std::ops::{ControlFlow, Deref};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot, watch};

/// Most transactions that wait for the writer; who comes later waits before entering.
const QUEUE_MAX: usize = 64;

/// A job answers its caller itself; the thread only hears whether to go on.
type Job = Box<dyn FnOnce(&mut Worker) -> ControlFlow<()> + Send>;

enum Message {
    Job(Job),
    Close,
}

/// An open transaction of the writer. Derefs to [`rusqlite::Transaction`].
pub struct WriteTx<'a> {
    transaction: Transaction<'a>,
    appended: Cell<Option<i64>>,
}

impl WriteTx<'_> {
    /// Appends to the event log and gives the event's sequence number.
    pub fn append(&self, event: NewEvent<'_>) -> Result<i64, DbError> {
        let seq = events::insert(&self.transaction, event)?;
        self.appended.set(Some(seq));
        Ok(seq)
    }
}

impl<'a> Deref for WriteTx<'a> {
    type Target = Transaction<'a>;

    fn deref(&self) -> &Transaction<'a> {
        &self.transaction
    }
}

/// The sending side, shared by all clones of a `Db`.
pub(super) struct Queue(mpsc::Sender<Message>);

impl Queue {
    pub(super) async fn write<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut WriteTx<'_>) -> Result<T, DbError> + Send + 'static,
    ) -> Result<T, DbError> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |worker| match worker.transact(f) {
            ControlFlow::Continue(result) => {
                // A caller that is gone does not want the answer.
                drop(reply.send(result));
                ControlFlow::Continue(())
            }
            ControlFlow::Break(()) => ControlFlow::Break(()),
        });
        self.0.send(Message::Job(job)).await.map_err(|_| DbError::Closed)?;
        // Waits on the blocking pool: tokio's paused clock stands still while a blocking task is
        // under way, so in a timing test no delay can run out ahead of a commit.
        let answer = tokio::task::spawn_blocking(move || answer.blocking_recv()).await;
        answer.map_err(|_| DbError::Closed)?.map_err(|_| DbError::Closed)?
    }
}

/// Owns the writer's thread.
pub struct Writer {
    queue: mpsc::Sender<Message>,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Lets the transactions in the queue finish, closes the writing connection and waits for the
    /// thread. Writes that come later are answered with [`DbError::Closed`]. Dropped without
    /// this, the thread ends when the last `Db` is gone.
    pub async fn close(self) -> Result<(), DbError> {
        // A closed queue is a thread that has ended already: there is only the joining left.
        drop(self.queue.send(Message::Close).await);
        let joined = tokio::task::spawn_blocking(move || self.thread.join()).await;
        match joined {
            Ok(Ok(())) => Ok(()),
            Ok(Err(panic)) => Err(DbError::Panicked(panic_text(panic.as_ref()))),
            Err(_) => Err(DbError::Closed),
        }
    }
}

pub(super) fn start(
    connection: Connection,
    committed: watch::Sender<i64>,
    kill: KillPoints,
) -> Result<(Queue, Writer), DbError> {
    let (queue, jobs) = mpsc::channel(QUEUE_MAX);
    let worker = Worker { connection, committed, kill };
    let thread =
        std::thread::Builder::new().name("plantroom-db".to_owned()).spawn(move || worker.run(jobs))?;
    Ok((Queue(queue.clone()), Writer { queue, thread }))
}

struct Worker {
    connection: Connection,
    committed: watch::Sender<i64>,
    kill: KillPoints,
}

impl Worker {
    fn run(mut self, mut jobs: mpsc::Receiver<Message>) {
        while let Some(Message::Job(job)) = jobs.blocking_recv() {
            if job(&mut self).is_break() {
                break;
            }
        }
    }

    /// `Break` only where a test lets the process die.
    fn transact<T>(
        &mut self,
        f: impl FnOnce(&mut WriteTx<'_>) -> Result<T, DbError>,
    ) -> ControlFlow<(), Result<T, DbError>> {
        if self.kill.dies() {
            return ControlFlow::Break(());
        }
        let begun = self.connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let mut tx = match begun {
            Ok(transaction) => WriteTx { transaction, appended: Cell::new(None) },
            Err(error) => return ControlFlow::Continue(Err(error.into())),
        };
        // The transaction is rolled back when `tx` is dropped, so nothing half-done can be seen.
        let value = match catch_unwind(AssertUnwindSafe(|| f(&mut tx))) {
            Ok(Ok(value)) => value,
            Ok(Err(error)) => return ControlFlow::Continue(Err(error)),
            Err(panic) => return ControlFlow::Continue(Err(DbError::Panicked(panic_text(panic.as_ref())))),
        };
        if self.kill.dies() {
            return ControlFlow::Break(());
        }
        let appended = tx.appended.get();
        if let Err(error) = tx.transaction.commit() {
            return ControlFlow::Continue(Err(error.into()));
        }
        if self.kill.dies() {
            return ControlFlow::Break(());
        }
        if let Some(seq) = appended {
            self.committed.send_replace(seq);
        }
        ControlFlow::Continue(Ok(value))
    }
}
