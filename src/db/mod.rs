//! `plantroom.db`, the SQLite file of record: alarm journal, work orders, audit, and the event log.
//!
//! Every act appends to the event log in its own transaction, together with state, timers and
//! audit. Later stages consume the log by a cursor of their own that moves in the transaction of
//! its effect: nothing is lost, nothing doubles, and no stage runs another's SQL. The SQL of a
//! stage stands in that stage's `store.rs` and runs through [`Db`].
//!
//! **Invariant:** one writer; what [`Db::write`] answers with `Ok` is on disk, what it answers
//! with `Err` never happened. The log and the audit are never changed, only appended to.
//!
//! Reading order: `writer` (the one thread that writes), `pool` (who reads), `migrate`, then the
//! four tables every stage shares: [`events`], [`cursors`], [`timers`], [`audit`], and [`document`],
//! how bodies spell times and names; `copy` is for backups. `kill` is how
//! a test lets the process die between two steps.

mod writer;
mod pool;
mod migrate;
mod kill;
pub mod events;
pub mod cursors;
pub mod timers;
pub mod audit;
pub mod document;
mod copy;

pub use audit::AuditRow;
pub use copy::{Facts, check_file, copy_file, facts};
pub use events::{Event, NewEvent};
pub use kill::KillPoints;
pub use migrate::Migration;
pub use timers::Timer;
pub use writer::{WriteTx, Writer};

use pool::Pool;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long a connection waits for another process's lock. Ours never wait for each other.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Why the database did not do it.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// SQLite's own word: full disk, broken file, violated constraint.
    #[error("the database refused: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A JSON column that is none.
    #[error("a stored document cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// The file has been opened by a newer version, which changed it in ways this one does not know.
    #[error(
        "the database holds the migration {0:?}, which this version does not know: \
         it was written by a newer plantroom; run that one, or restore a backup made before"
    )]
    Newer(String),
    /// A cursor may only move forward.
    #[error("the cursor {consumer:?} stands at {at} and cannot go back to {to}")]
    CursorBackwards {
        /// Whose cursor.
        consumer: String,
        /// Where it stands.
        at: i64,
        /// Where it was told to go.
        to: i64,
    },
    /// What a stage stored does not mean anything to it any more.
    #[error("a stored row cannot be read: {0}")]
    Row(String),
    /// The closure panicked; its transaction is rolled back and the writer lives on.
    #[error("a database task panicked: {0}")]
    Panicked(String),
    /// The writer's thread could not be started.
    #[error("the database writer cannot start: {0}")]
    Thread(#[from] std::io::Error),
    /// The database is closed, or the process is going down.
    #[error("the database is closed")]
    Closed,
}

/// A handle to the database; clones are cheap and share everything.
#[derive(Clone)]
pub struct Db {
    shared: Arc<Shared>,
}

struct Shared {
    queue: writer::Queue,
    pool: Pool,
    committed: watch::Receiver<i64>,
    instance: String,
}

impl Db {
    /// Opens or makes the file, brings its schema up to date (`db`'s own tables first, then
    /// `migrations` in their order) and starts the writer's thread.
    pub fn open(path: &Path, migrations: &[Migration]) -> Result<(Db, Writer), DbError> {
        Db::open_with(path, migrations, KillPoints::none())
    }

    /// [`Db::open`] with a place to die, for tests of what a killed process leaves behind.
    pub fn open_with(
        path: &Path,
        migrations: &[Migration],
        kill: KillPoints,
    ) -> Result<(Db, Writer), DbError> {
        let mut connection = open_writing(path)?;
        migrate::run(&mut connection, migrations)?;
        let instance = connection.query_row("SELECT id FROM instance", [], |row| row.get(0))?;
        let pool = Pool::open(path)?;
        let (committed_tx, committed) = watch::channel(events::last_seq(&connection)?);
        let (queue, writer) = writer::start(connection, committed_tx, kill)?;
        Ok((Db { shared: Arc::new(Shared { queue, pool, committed, instance }) }, writer))
    }

    /// Runs `f` as one transaction on the writer's thread and answers after the commit. An error
    /// or a panic of `f`, and a commit that fails, leave nothing behind. Waits while the queue is
    /// full. Once started it finishes even if the caller stops waiting.
    pub async fn write<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut WriteTx<'_>) -> Result<T, DbError> + Send + 'static,
    ) -> Result<T, DbError> {
        self.shared.queue.write(f).await
    }

    /// Runs `f` on a read-only connection, over one snapshot of the file.
    pub async fn read<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Connection) -> Result<T, DbError> + Send + 'static,
    ) -> Result<T, DbError> {
        self.shared.pool.read(f).await
    }

    /// The last committed sequence number of the event log. It moves only after a commit, so who
    /// wakes on it finds the events.
    pub fn committed(&self) -> watch::Receiver<i64> {
        self.shared.committed.clone()
    }

    /// 32 hex digits given to the file when it was made: a backup of another installation does
    /// not match.
    pub fn instance(&self) -> &str {
        &self.shared.instance
    }
}

fn open_writing(path: &Path) -> Result<Connection, DbError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    // FULL: a commit that was answered survives a power cut, not only a crash of the process.
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(connection)
}

fn open_reading(path: &Path) -> Result<Connection, DbError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}

/// What a panic said, as far as it said it in words.
fn panic_text(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests;
