//! Live data to browsers and programs: values conflate, events arrive in order and complete.
//!
//! Read [`protocol`] (the messages and the pure session), then `feeds` (encode once for many),
//! `tail` (the event log for many), `driver` (what is due next, on the clock), and the two
//! transports, `socket` (WebSocket) and `stream` (server-sent events).
//!
//! **Invariant:** a slow client costs no memory: what it does not take is not made. Values in
//! between are skipped, events never.

pub mod protocol;
mod feeds;
mod tail;
mod driver;
pub mod socket;
pub mod stream;

use crate::db::Db;
use feeds::Feeds;
use std::sync::Arc;
use tail::Tail;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

/// Connections at a time, both transports together.
pub const CONNECTIONS_MAX: usize = 256;

/// What all live connections share.
#[derive(Debug)]
pub struct Hub {
    feeds: Feeds,
    tail: Tail,
    room: Arc<Semaphore>,
    sockets: TaskTracker,
}

impl Hub {
    /// A hub over the event log.
    pub fn new(db: Db) -> Hub {
        Hub {
            feeds: Feeds::default(),
            tail: Tail::new(db),
            room: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            sockets: TaskTracker::new(),
        }
    }

    /// A place for one more connection, held while it lives; none when all are taken.
    fn enter(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.room).try_acquire_owned().ok()
    }

    /// Connections now.
    pub fn connections(&self) -> usize {
        CONNECTIONS_MAX - self.room.available_permits()
    }

    /// Returns when every WebSocket has said goodbye; the web server's own graceful shutdown
    /// does not wait for upgraded connections. Ask after the stop token is cancelled.
    pub async fn drained(&self) {
        self.sockets.close();
        self.sockets.wait().await;
    }
}

#[cfg(test)]
mod tests;
