//! A few read-only connections, lent to closures on the blocking pool.

use super::{DbError, open_reading, panic_text};
use rusqlite::Connection;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// Readers at a time; who comes later waits.
const READERS: usize = 4;

pub(super) struct Pool {
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
}

impl Pool {
    pub(super) fn open(path: &Path) -> Result<Pool, DbError> {
        let idle = (0..READERS).map(|_| open_reading(path)).collect::<Result<Vec<_>, _>>()?;
        Ok(Pool { idle: Arc::new(Mutex::new(idle)), permits: Arc::new(Semaphore::new(READERS)) })
    }

    pub(super) async fn read<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Connection) -> Result<T, DbError> + Send + 'static,
    ) -> Result<T, DbError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| DbError::Closed)?;
        let idle = Arc::clone(&self.idle);
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            // As many connections as permits: there is always one.
            let connection = lock(&idle).pop().ok_or(DbError::Closed)?;
            let result = catch_unwind(AssertUnwindSafe(|| over_one_snapshot(&connection, f)));
            lock(&idle).push(connection);
            result.unwrap_or_else(|panic| Err(DbError::Panicked(panic_text(panic.as_ref()))))
        });
        done.await.map_err(|_| DbError::Closed)?
    }
}

fn over_one_snapshot<T>(
    connection: &Connection,
    f: impl FnOnce(&Connection) -> Result<T, DbError>,
) -> Result<T, DbError> {
    let snapshot = connection.unchecked_transaction()?;
    f(&snapshot)
}

fn lock(idle: &Mutex<Vec<Connection>>) -> std::sync::MutexGuard<'_, Vec<Connection>> {
    // A list of idle connections is whole at every moment, whoever panicked.
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}
