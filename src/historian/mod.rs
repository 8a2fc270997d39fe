//! The memory: every reading, on disk before anyone is told that it is.
//!
//! Read in this order: [`journal`] (what the log must do), `codec` (what stands in it), `group`
//! (what is committed together), `store` (how a failure is survived), `task` (the writer), `sealing`
//! (what it does beside),
//! [`history`] (the readers), [`ask`] (questions to them, over `gather`), [`query`] (what is made of
//! rows), [`summary`] (what a stretch of them comes to), [`chunk`] (sealed history as bytes), `sealed`
//! (old readings leave the journal), [`keep`] (how long they stay), `room` (the end of the disk),
//! [`follow`] (those who read the log in order); then `segments` (the files of the log), `bytes`,
//! `sqlite` and `catalogue` (the SQL), `epochs` (the clock set back), `import`, `copy`, `last`,
//! `recent`, [`texts`], [`datadir`], [`metrics`].
//!
//! **Invariant:** an acknowledged reading is on disk; after a failed write or sync nothing is
//! acknowledged and no handle is used again; no reading changes or vanishes once it is in the log.

pub mod journal;
mod bytes;
mod codec;
mod group;
mod store;
mod task;
mod sealing;
pub mod history;
mod gather;
pub mod ask;
pub mod follow;
pub mod summary;
pub mod chunk;
pub mod query;
mod sealed;
pub mod keep;
mod room;
mod status;
mod segments;
#[cfg(test)]
mod suite;
mod sqlite;
mod catalogue;
mod epochs;
mod last;
mod recent;
mod beside;
pub mod copy;
pub mod import;
pub mod texts;
pub mod datadir;
pub mod metrics;

pub use ask::{Answers, Reach};
pub use beside::{ReadOnly, points_of, read_only};
pub use catalogue::CatalogueError;
pub use datadir::{DataDir, DataDirError, Layout};
pub use follow::Follower;
pub use group::Limits;
pub use history::{History, HistoryError, Range};
pub use import::Importer;
pub use journal::{JournalError, Seq};
pub use keep::{Retention, Shed};
pub use metrics::Metrics;
pub use room::{Ballast, Room};
pub use status::Status;
pub use texts::Texts;

use crate::clock::{Clock, Now, Watch};
use crate::point::{Catalogue, CatalogueChange, Declared, UtcMs};
use crate::readings::HistorianFeed;
use group::Devices;
use history::Shared;
use journal::{Journal, JournalReader};
use sealed::{Duty, Sealed, Sealer};
use sealing::Sealing;
use segments::{Index, SegmentJournal};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use store::{OpenJournal, Store};
use task::Writer;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// The opened store, not yet writing.
pub struct Historian {
    writer: Writer,
    instance: String,
}

/// What [`Historian::open`] gives.
#[derive(Debug)]
pub struct Opened {
    /// The writing side.
    pub historian: Historian,
    /// The reading side.
    pub history: History,
    /// What had to be repaired, in sentences for a person.
    pub repaired: Vec<String>,
}

/// Why the store cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("the history in {dir} cannot be opened: {why}")]
pub struct OpenError {
    dir: String,
    #[source]
    why: JournalError,
}

impl std::fmt::Debug for Historian {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Historian").field("instance", &self.instance).finish_non_exhaustive()
    }
}

impl Historian {
    /// Opens the store in `dir` (`DATA/history`), makes it if it is not there, and recovers what
    /// a crash left. The data directory must be locked ([`DataDir`]).
    pub fn open(dir: &Path, clock: Clock, metrics: Metrics) -> Result<Opened, OpenError> {
        Self::open_with(dir, clock, metrics, Limits::default())
    }

    /// As [`Historian::open`], with limits of one's own.
    pub fn open_with(
        dir: &Path,
        clock: Clock,
        metrics: Metrics,
        limits: Limits,
    ) -> Result<Opened, OpenError> {
        Self::open_in(dir, Room::bare(dir), clock, metrics, limits)
    }

    /// As [`Historian::open_with`], in the room that others need, too.
    pub fn open_in(
        dir: &Path,
        room: Room,
        clock: Clock,
        metrics: Metrics,
        limits: Limits,
    ) -> Result<Opened, OpenError> {
        let (path, index): (_, Arc<Index>) = (dir.join(JOURNAL), Arc::default());
        let (written, growing) = (Arc::clone(&index), room.clone());
        let journal = move || {
            let journal = SegmentJournal::open(&path, &written, growing.clone(), limits.segment_bytes)?;
            Ok(Box::new(journal) as Box<dyn Journal>)
        };
        let parts = Parts { journal: Box::new(journal), index, room };
        Self::open_by(parts, dir, clock, metrics, limits)
            .map_err(|why| OpenError { dir: dir.display().to_string(), why })
    }

    fn open_by(
        Parts { journal, index, room }: Parts,
        dir: &Path,
        clock: Clock,
        metrics: Metrics,
        limits: Limits,
    ) -> Result<Opened, JournalError> {
        std::fs::create_dir_all(dir)?;
        // The folder's own name must be safe, too.
        sqlite::sync_parent(&dir.canonicalize()?)?;
        let mut store = Store::new(journal, dir.join(CATALOGUE));
        let sealed = Arc::new(Sealed::new(dir.to_owned(), metrics.clone()));
        let journal = Box::new(Arc::clone(&index));
        let mut sealer = Sealer::new(dir.to_owned(), journal, Arc::clone(&sealed), metrics.clone());
        let aside = sealer.open(store.catalogue(|db| db.sealed_up_to())?)?;
        // A backup taken beside a merge may have readings of places behind the end of its log.
        let sealed_to = sealer.highest()?;
        let reader = move || Ok(Box::new(Arc::clone(&index)) as Box<dyn JournalReader>);
        let shared = Arc::new(Shared::new(Box::new(reader), sealed, dir.join(CATALOGUE), metrics));
        let mut devices = Devices::default();
        let (instance, texts, rows) =
            store.catalogue(|db| Ok::<_, JournalError>((db.instance()?, db.texts()?, db.devices()?)))?;
        shared.texts.load(texts);
        shared.add_devices(&rows);
        devices.load(&rows);
        let mut found = store.recover(&shared.last, &shared.sealed)?;
        found.repaired.splice(0..0, aside);
        shared.advance_sealed(found.sealed_up_to);
        shared.load_epochs(store.catalogue(|db| db.epochs())?);
        let mut duty = Duty::default();
        if found.sealed_up_to < found.head {
            duty.add(store.journal_bytes()?, clock.mono());
        }
        shared.head.send_replace(found.head);
        shared.metrics.head.set(found.head.0.cast_signed());
        let store = Arc::new(Mutex::new(store));
        let beside = Sealing {
            dir: dir.to_owned(),
            store: Arc::clone(&store),
            sealer: Arc::new(Mutex::new(sealer)),
            shared: Arc::clone(&shared),
            room,
            limits,
        };
        let writer = Writer {
            store,
            beside,
            duty,
            sealing: None,
            shared: Arc::clone(&shared),
            devices,
            after: found.after.max(sealed_to),
            watch: Watch::new(was_known(found.received_at, clock.now())),
            clock,
            limits,
            health: watch::Sender::new(Ok(())),
        };
        let historian = Historian { writer, instance };
        Ok(Opened { historian, history: History(shared), repaired: found.repaired })
    }

    /// Brings the catalogue in line with a configuration and says what that changed. New epochs
    /// hold for what is stored from now on.
    pub fn declare(
        &mut self,
        points: &[Declared],
    ) -> Result<(Catalogue, Vec<CatalogueChange>), CatalogueError> {
        let (head, now) = (self.writer.after, self.writer.clock.utc());
        let mut store = self.writer.store.lock().unwrap_or_else(PoisonError::into_inner);
        store.catalogue(|db| db.declare(points, head, now))
    }

    /// To declare points while it writes.
    pub fn declarer(&self) -> Declarer {
        Declarer {
            store: Arc::clone(&self.writer.store),
            shared: Arc::clone(&self.writer.shared),
            clock: self.writer.clock.clone(),
        }
    }

    /// Numbers what comes from now on behind `followed`, the furthest place of whoever follows the
    /// log by a cursor of its own: someone who stood further on than the log would wait in silence
    /// until it had grown as long again. True if the log was shorter, as after the loss of the
    /// folder.
    pub fn number_behind(&mut self, followed: Seq) -> bool {
        let shorter = self.writer.after < followed;
        self.writer.after = self.writer.after.max(followed);
        shorter
    }

    /// How long readings are kept; for ever until this is said.
    pub fn retain(&self, retention: Retention) {
        self.writer.shared.retain(retention);
    }

    /// What is given up for want of room; none as long as nothing was.
    pub fn shed(&self) -> watch::Receiver<Option<Shed>> {
        self.writer.shared.shed.subscribe()
    }

    /// The reading side.
    pub fn history(&self) -> History {
        History(Arc::clone(&self.writer.shared))
    }

    /// The dictionary of words, for the making of readings.
    pub fn texts(&self) -> Texts {
        self.writer.shared.texts.clone()
    }

    /// To take readings from elsewhere in through `feeds`, the channel that [`Historian::run`]
    /// reads.
    pub fn importer(&self, feeds: mpsc::Sender<HistorianFeed>) -> Importer {
        Importer::new(self.history(), feeds, self.writer.clock.clone())
    }

    /// The random name of this store; a backup and its restore must agree on it.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// Whether it can write, and if not why, in words for a person.
    pub fn health(&self) -> watch::Receiver<Result<(), String>> {
        self.writer.health.subscribe()
    }

    /// Writes until every sender is gone or `stop` is asked for; then what is in the channel is
    /// still written (one try), the store is left tidy, and this returns.
    pub async fn run(self, feeds: mpsc::Receiver<HistorianFeed>, stop: CancellationToken) {
        self.writer.run(feeds, stop).await;
    }
}

/// What a store is opened with.
struct Parts {
    journal: OpenJournal,
    index: Arc<Index>,
    room: Room,
}

/// Brings the catalogue in line with another configuration beside the running writer.
#[derive(Clone)]
pub struct Declarer {
    store: Arc<Mutex<Store>>,
    shared: Arc<Shared>,
    clock: Clock,
}

impl std::fmt::Debug for Declarer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Declarer").finish_non_exhaustive()
    }
}

impl Declarer {
    /// As [`Historian::retain`].
    pub fn retain(&self, retention: Retention) {
        self.shared.retain(retention);
    }

    /// As [`Historian::declare`]; waits for a commit under way, and a commit waits for it. A new
    /// epoch begins behind what is stored: readings that are on their way count to it.
    pub async fn declare(
        &self,
        points: Vec<Declared>,
    ) -> Result<(Catalogue, Vec<CatalogueChange>), CatalogueError> {
        let Declarer { store, shared, clock } = self.clone();
        let work = move || {
            let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
            let head = *shared.head.borrow();
            store.catalogue(|db| db.declare(&points, head, clock.utc()))
        };
        let died = |died| CatalogueError::from(JournalError::Io(std::io::Error::other(died)));
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(died(error)))
    }
}

/// The clocks as the watch over them shall remember them: set back while plantroom did not run, the
/// wall clock shows less than when the last batch came.
fn was_known(last_received_at: Option<UtcMs>, now: Now) -> Now {
    Now { utc: last_received_at.map_or(now.utc, |last| last.max(now.utc)), ..now }
}

const JOURNAL: &str = "journal";
const CATALOGUE: &str = "catalogue.db";
