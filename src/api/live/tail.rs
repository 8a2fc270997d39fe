//! The newest events of the log, read and encoded once for all connections.

use super::protocol::encode_event;
use crate::db::{Db, DbError, events};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::{Mutex, watch};

/// Events read from the log at a time.
pub(super) const PAGE: u32 = 500;

/// Encoded events kept, more than two pages; who is further behind reads the log.
const KEPT: usize = 1_024;

/// An event ready to send.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) seq: i64,
    pub(super) text: String,
}

/// The end of the event log.
pub(super) struct Tail {
    db: Db,
    kept: Mutex<Kept>,
}

/// Every event after `from`, up to the last one read.
struct Kept {
    from: i64,
    events: VecDeque<Arc<Encoded>>,
}

impl std::fmt::Debug for Tail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tail").finish_non_exhaustive()
    }
}

impl Tail {
    /// Of a log; keeps what is appended from now on.
    pub(super) fn new(db: Db) -> Tail {
        let from = *db.committed().borrow();
        Tail { db, kept: Mutex::new(Kept { from, events: VecDeque::new() }) }
    }

    /// Holds the last committed number and wakes when it moves.
    pub(super) fn committed(&self) -> watch::Receiver<i64> {
        self.db.committed()
    }

    /// The events after `seq`, in order, at most [`PAGE`]; fewer means that is all there are.
    /// Dropped while waiting, it has changed nothing.
    pub(super) async fn after(&self, seq: i64) -> Result<Vec<Arc<Encoded>>, DbError> {
        let page = usize::try_from(PAGE).unwrap_or(usize::MAX);
        let mut kept = self.kept.lock().await;
        if seq < kept.from {
            drop(kept);
            return self.read(seq).await;
        }
        if seq > kept.last() {
            // Nobody listened for a while; whoever is behind reads the log.
            *kept = Kept { from: seq, events: VecDeque::new() };
        }
        let held = kept.after(seq).take(page).count();
        if held < page && kept.last() < *self.db.committed().borrow() {
            let new = self.read(kept.last()).await?;
            kept.take_in(new);
        }
        Ok(kept.after(seq).take(page).cloned().collect())
    }

    async fn read(&self, seq: i64) -> Result<Vec<Arc<Encoded>>, DbError> {
        let read = self.db.read(move |connection| events::after(connection, seq, PAGE)).await?;
        Ok(read.iter().map(|event| Arc::new(Encoded { seq: event.seq, text: encode_event(event) })).collect())
    }
}

impl Kept {
    fn last(&self) -> i64 {
        self.events.back().map_or(self.from, |event| event.seq)
    }

    fn after(&self, seq: i64) -> impl Iterator<Item = &Arc<Encoded>> {
        self.events.iter().filter(move |event| event.seq > seq)
    }

    fn take_in(&mut self, new: Vec<Arc<Encoded>>) {
        self.events.extend(new);
        while self.events.len() > KEPT {
            if let Some(oldest) = self.events.pop_front() {
                self.from = oldest.seq;
            }
        }
    }
}
