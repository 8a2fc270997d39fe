//! The reading side: what was, for pages, rules, energy and the forwarder.
//!
//! Every read runs on its own thread over a handle from a small pool, page by page; no
//! transaction outlives a page, so a slow reader never keeps the log from being tidied. A read
//! whose caller is gone ends with the page.

use super::catalogue::{CatalogueDb, CatalogueError};
use super::codec::{self, CodecError};
use super::epochs::Epochs;
use super::follow::Followers;
use super::journal::{JournalError, JournalReader, Record, Seq};
use super::keep::{Retention, Shed};
use super::last::LastValues;
use super::metrics::Metrics;
use super::query::QueryError;
use super::recent::Recent;
use super::sealed::Sealed;
use super::sqlite;
use super::texts::Texts;
use crate::point::{Batch, Catalogue, PointId, Reading, UtcMs};
use crate::readings::Lost;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::sync::{Semaphore, watch};

/// Reads that run at the same time, and questions beside them; more wait. Each may hold a page and
/// an answer in memory.
const READERS_MAX: usize = 4;

/// Most readings one answer holds, whatever was asked for: about 16 MB.
pub const RANGE_MAX: usize = 200_000;

/// About so much of the journal is read for a page of its tail: a record of a busy plant, whose batches
/// are still in the cache when they are looked at. Bytes.
const TAIL_BYTES: usize = 64 << 10;

/// The device of batches whose device the catalogue does not know.
const UNKNOWN: &str = "unknown";

/// Why a question was not answered.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The store failed.
    #[error("the history cannot be read: {0}")]
    Journal(#[from] JournalError),
    /// The question asks for too much, or was withdrawn.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The process is stopping.
    #[error("the history is closed")]
    Closed,
}

/// Raw readings of a point.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// By time; one for each instant, the one that arrived last.
    pub readings: Vec<Reading>,
    /// There are more; the next question starts 1 ms behind the last one here.
    pub truncated: bool,
}

/// A handle to read with; clones share pool and last values.
#[derive(Clone)]
pub struct History(pub(super) Arc<Shared>);

type OpenReader = Box<dyn Fn() -> Result<Box<dyn JournalReader>, JournalError> + Send + Sync>;

/// What writer and readers share.
pub(super) struct Shared {
    pub last: LastValues,
    pub recent: Recent,
    pub head: watch::Sender<Seq>,
    pub texts: Texts,
    pub devices: RwLock<HashMap<u32, Arc<str>>>,
    pub metrics: Metrics,
    pub catalogue: PathBuf,
    pub sealed: Arc<Sealed>,
    /// Only grows.
    sealed_up_to: AtomicU64,
    pub followers: Followers,
    epochs: RwLock<Arc<Epochs>>,
    retention: RwLock<Arc<Retention>>,
    /// What was given up for want of room; none if nothing was.
    pub shed: watch::Sender<Option<Shed>>,
    open: OpenReader,
    idle: Mutex<Vec<Box<dyn JournalReader>>>,
    permits: Arc<Semaphore>,
    /// Apart from the others: a question lasts as long as its caller is slow.
    pub questions: Arc<Semaphore>,
}

impl Shared {
    pub(super) fn new(open: OpenReader, sealed: Arc<Sealed>, catalogue: PathBuf, metrics: Metrics) -> Shared {
        Shared {
            last: LastValues::default(),
            recent: Recent::default(),
            head: watch::Sender::new(Seq(0)),
            texts: Texts::default(),
            devices: RwLock::default(),
            metrics,
            catalogue,
            sealed,
            sealed_up_to: AtomicU64::new(0),
            followers: Followers::default(),
            epochs: RwLock::default(),
            retention: RwLock::default(),
            shed: watch::Sender::new(None),
            open,
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(READERS_MAX)),
            questions: Arc::new(Semaphore::new(READERS_MAX)),
        }
    }

    /// The place up to which all is sealed. Who reads it before the journal, and the journal before
    /// the sealed readings, misses nothing.
    pub(super) fn sealed_up_to(&self) -> Seq {
        Seq(self.sealed_up_to.load(Ordering::Acquire))
    }

    pub(super) fn advance_sealed(&self, up_to: Seq) {
        self.sealed_up_to.fetch_max(up_to.0, Ordering::AcqRel);
    }

    /// Where the wall clock was set back.
    pub(super) fn epochs(&self) -> Arc<Epochs> {
        Arc::clone(&self.epochs.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn add_epochs(&self, behind: impl IntoIterator<Item = Seq>) {
        let mut behind = behind.into_iter().peekable();
        if behind.peek().is_some() {
            let mut epochs = self.epochs.write().unwrap_or_else(PoisonError::into_inner);
            *epochs = Arc::new(epochs.with(behind));
        }
    }

    pub(super) fn load_epochs(&self, epochs: Epochs) {
        *self.epochs.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(epochs);
    }

    pub(super) fn retention(&self) -> Arc<Retention> {
        Arc::clone(&self.retention.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn retain(&self, retention: Retention) {
        *self.retention.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(retention);
    }

    pub(super) fn add_devices(&self, rows: &[(u32, Arc<str>)]) {
        let mut devices = self.devices.write().unwrap_or_else(PoisonError::into_inner);
        devices.extend(rows.iter().map(|(id, name)| (*id, Arc::clone(name))));
    }

    pub(super) fn device(&self, id: u32) -> Arc<str> {
        let devices = self.devices.read().unwrap_or_else(PoisonError::into_inner);
        devices.get(&id).map_or_else(|| UNKNOWN.into(), Arc::clone)
    }

    /// A record whole or not at all: a damaged one is counted and left out, its neighbours are
    /// not concerned.
    pub(super) fn decode<T>(&self, decoded: Result<T, CodecError>) -> Option<T> {
        if decoded.is_err() {
            self.metrics.damaged.inc();
        }
        decoded.ok()
    }

    /// Borrows a reader for `work`; one that failed is not used again.
    pub(super) fn with_reader<T, E: From<JournalError>>(
        &self,
        work: impl FnOnce(&dyn JournalReader) -> Result<T, E>,
    ) -> Result<T, E> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let reader = idle.map_or_else(|| (self.open)(), Ok)?;
        let answer = work(&*reader)?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
        Ok(answer)
    }
}

impl Shared {
    /// The journal's batches behind `after`.
    pub(super) fn tail(
        &self,
        journal: &dyn JournalReader,
        gone: &AtomicBool,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<(Seq, Arc<Batch>)>, JournalError> {
        let (mut out, mut at) = (Vec::new(), after);
        while out.is_empty() && limit > 0 && !gone.load(Ordering::Relaxed) {
            let page = journal.behind(at, TAIL_BYTES)?;
            let Some(last) = page.last() else { break };
            at = last.last;
            for record in &page {
                let before = out.len();
                if self.decode(batches_in(self, record, after, limit, &mut out)).is_none() {
                    out.truncate(before);
                }
            }
        }
        Ok(out)
    }

    /// Whether the journal has the batch behind `at`, which is sealed.
    pub(super) fn holds_behind(&self, journal: &dyn JournalReader, at: Seq) -> Result<bool, JournalError> {
        let page = journal.behind(at, 1)?;
        let Some(first) = page.first() else { return Ok(false) };
        // What cannot be counted is damaged, and sealed as far as it could be read.
        let batches = self.decode(codec::sections(&first.body).map(|sections| sections.left()));
        Ok(batches.is_some_and(|batches| first.last.0 - batches.min(first.last.0) <= at.0))
    }
}

impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("History").field("head", &*self.0.head.borrow()).finish_non_exhaustive()
    }
}

impl History {
    /// The last value of each point: of the latest time, of equal times the one that arrived
    /// last. None if there never was one.
    #[expect(
        clippy::unused_async,
        reason = "all questions are asked alike; a history elsewhere will have to wait"
    )]
    pub async fn last(&self, points: &[PointId]) -> Result<Vec<Option<Reading>>, HistoryError> {
        Ok(self.0.last.many(points))
    }

    /// What the journal still has of the log behind `after`, in order: up to `limit` batches with
    /// their places, fewer if they are large. Who must miss nothing has [`History::follow`].
    pub async fn tail(&self, after: Seq, limit: usize) -> Result<Vec<(Seq, Arc<Batch>)>, HistoryError> {
        if let Some(recent) = self.0.recent.behind(after, limit) {
            return Ok(recent);
        }
        self.read(move |shared, journal, gone| shared.tail(journal, gone, after, limit)).await
    }

    /// The last batch on disk; wakes on each commit.
    pub fn head(&self) -> watch::Receiver<Seq> {
        self.0.head.subscribe()
    }

    /// Stretches that touch `from <= t < to` whose readings never reached the journal.
    pub async fn gaps(&self, from: UtcMs, to: UtcMs) -> Result<Vec<Lost>, HistoryError> {
        let path = self.0.catalogue.clone();
        let read = move || CatalogueDb::gaps(&sqlite::open_reader(&path)?, from, to);
        Ok(tokio::task::spawn_blocking(read).await.map_err(|_| HistoryError::Closed)??)
    }

    /// The points there are and were, as they are on disk now.
    pub async fn catalogue(&self) -> Result<Catalogue, CatalogueError> {
        let path = self.0.catalogue.clone();
        let read = move || CatalogueDb::open_reader(&path)?.points();
        let died = |died| CatalogueError::from(JournalError::Io(std::io::Error::other(died)));
        tokio::task::spawn_blocking(read).await.unwrap_or_else(|error| Err(died(error)))
    }

    /// Nothing of a point that is later than this was forgotten for its age; the start of time if its
    /// readings are kept for ever.
    pub fn keeps_since(&self, point: PointId, now: UtcMs) -> UtcMs {
        self.0.retention().horizon(point, now)
    }

    /// The dictionary of words.
    pub fn texts(&self) -> &Texts {
        &self.0.texts
    }

    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared, &dyn JournalReader, &AtomicBool) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, HistoryError> {
        let shared = Arc::clone(&self.0);
        let permit = Arc::clone(&shared.permits).acquire_owned().await.map_err(|_| HistoryError::Closed)?;
        let caller = Caller::default();
        let gone = Arc::clone(&caller.gone);
        let read = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            shared.with_reader(|journal| work(&shared, journal, &gone))
        });
        let answer = read.await.map_err(|_| HistoryError::Closed)?;
        drop(caller);
        Ok(answer?)
    }
}

/// Says on drop that no one waits any more.
#[derive(Debug, Default)]
pub(super) struct Caller {
    pub(super) gone: Arc<AtomicBool>,
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::Relaxed);
    }
}

/// Appends a record's batches behind `after` with their places, counted down from the record's, until
/// there are `limit`.
fn batches_in(
    shared: &Shared,
    record: &Record,
    after: Seq,
    limit: usize,
    out: &mut Vec<(Seq, Arc<Batch>)>,
) -> Result<(), CodecError> {
    let sections = codec::sections(&record.body)?;
    let before = record.last.0.checked_sub(sections.left()).ok_or(CodecError::Malformed)?;
    // Once for all of them: a batch may have ten readings only.
    let devices = shared.devices.read().unwrap_or_else(PoisonError::into_inner);
    let places = (before + 1..=record.last.0).map(Seq);
    for (seq, section) in places.zip(sections) {
        let section = section?;
        if seq <= after {
            continue;
        }
        if out.len() >= limit {
            break;
        }
        let mut readings = Vec::new();
        section.append(&mut readings)?;
        let device = devices.get(&section.device).map_or_else(|| UNKNOWN.into(), Arc::clone);
        let codec::Section { source_at, received_at, at_error_ms, .. } = section;
        out.push((seq, Arc::new(Batch { device, source_at, received_at, at_error_ms, readings })));
    }
    Ok(())
}
