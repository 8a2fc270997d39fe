//! Those who read the log in order and must miss nothing: the forwarder, the counting of energy.
//!
//! Near the end the journal serves, batch by batch. What a follower comes for later than the journal
//! keeps it comes out of the year files, place by place in the order of sealing; then some readings
//! may come twice, and none is left out. Those of one point come in the order of their arrival.

use super::history::{History, HistoryError, Shared};
use super::journal::{JournalError, JournalReader, Seq};
use super::query::Row;
use super::sealed::{Frontier, Load, Loads};
use crate::point::{Batch, PointId, Reading};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

/// Readings of a batch that is made of sealed ones.
const BATCH_READINGS: usize = 1_000;

/// About so many sealed readings come at once.
const PAGE_READINGS: usize = 20_000;

/// Sealed places between two looks at how far all is read: each goes over all that is left.
const PLACES: usize = 512;

/// Someone who follows the log; made by [`History::follow`]. The journal is kept for it, up to
/// `Limits::keep_bytes`, until it is dropped.
#[derive(Debug)]
pub struct Follower {
    history: History,
    slot: Slot,
    /// All up to here is dealt with.
    done: Seq,
    backlog: Option<Backlog>,
    /// What was read last, and where it leads.
    ahead: Option<Ahead>,
}

/// Reading out of the year files.
#[derive(Clone, Copy, Debug)]
struct Backlog {
    /// All up to here was sealed when it began; the journal may serve behind it.
    until: Seq,
    frontier: Frontier,
    /// Places read since the last look at how far all is read.
    places: usize,
}

#[derive(Clone, Copy, Debug)]
struct Ahead {
    done: Seq,
    backlog: Option<Backlog>,
}

type Page = Vec<(Seq, Arc<Batch>)>;

impl History {
    /// Follows the log behind `done`.
    pub fn follow(&self, done: Seq) -> Follower {
        let slot = Slot::new(&self.0, done);
        Follower { history: self.clone(), slot, done, backlog: None, ahead: None }
    }
}

impl Follower {
    /// Where it stands: all up to here is dealt with.
    pub fn done_up_to(&self) -> Seq {
        self.done
    }

    /// Whose log it is.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The next batches, up to `limit` while the journal serves; the same again until they are
    /// [`Follower::done`] with. With each goes the place up to which all is dealt with once it and
    /// those before it are. Empty when there is nothing yet; then wait on [`History::head`].
    pub async fn next(&mut self, limit: usize) -> Result<Page, HistoryError> {
        if let Some(recent) = self.history.0.recent.behind(self.done, limit) {
            let done = recent.last().map_or(self.done, |(seq, _)| *seq);
            self.ahead = Some(Ahead { done, backlog: None });
            return Ok(recent);
        }
        let at = (self.done, self.backlog);
        let work = move |shared: &Shared, journal: &dyn JournalReader, gone: &AtomicBool| {
            read(shared, journal, gone, at, limit)
        };
        let (page, ahead) = self.history.read(work).await?;
        self.ahead = Some(ahead);
        Ok(page)
    }

    /// What was read last is dealt with.
    pub fn done(&mut self) {
        let Some(ahead) = self.ahead.take() else { return };
        (self.done, self.backlog) = (ahead.done, ahead.backlog);
        // Out of the year files nothing of the journal is needed before what was not sealed then.
        self.slot.keep_from(self.backlog.map_or(self.done, |backlog| backlog.until));
    }
}

/// The next page behind `at`, and where it leads.
fn read(
    shared: &Shared,
    journal: &dyn JournalReader,
    gone: &AtomicBool,
    (mut at, mut backlog): (Seq, Option<Backlog>),
    limit: usize,
) -> Result<(Page, Ahead), JournalError> {
    loop {
        let until = shared.sealed_up_to();
        if backlog.is_none() && (at >= until || shared.holds_behind(journal, at)?) {
            let page = shared.tail(journal, gone, at, limit)?;
            let done = page.last().map_or(at, |(seq, _)| *seq);
            return Ok((page, Ahead { done, backlog }));
        }
        let old = backlog.unwrap_or(Backlog { until, frontier: Frontier::behind(at), places: 0 });
        let loads = shared.sealed.loads_behind(old.frontier, PAGE_READINGS)?;
        backlog = old.behind(&loads);
        let done = match backlog {
            // All that was sealed when it began is read.
            None => old.until.max(at),
            Some(Backlog { places: 0, frontier, .. }) => {
                shared.sealed.whole_up_to(frontier)?.map_or(at, |whole| whole.max(at))
            }
            Some(_) => at,
        };
        let batches = loads.places.iter().flat_map(|load| batches(shared, load));
        let mut page: Page = batches.map(|batch| (at, batch)).collect();
        if let Some((seq, _)) = page.last_mut() {
            *seq = done;
            return Ok((page, Ahead { done, backlog }));
        }
        at = done;
    }
}

impl Backlog {
    /// How it stands when these places are read; none if they were the last.
    fn behind(self, loads: &Loads) -> Option<Backlog> {
        let last = loads.places.last().filter(|_| loads.more)?;
        let places = self.places + loads.places.len();
        Some(Backlog { frontier: last.frontier, places: if places < PLACES { places } else { 0 }, ..self })
    }
}

/// Sealed readings as batches of the device that brought them.
fn batches(shared: &Shared, load: &Load) -> Vec<Arc<Batch>> {
    let device = shared.device(load.device);
    let reading = |point: PointId| {
        move |row: &Row| Reading { point, at: row.at, value: row.value, quality: row.quality }
    };
    let batch = |point: PointId, rows: &[Row]| {
        let received_at = rows.last()?.at;
        let readings = rows.iter().map(reading(point)).collect();
        let device = Arc::clone(&device);
        Some(Arc::new(Batch { device, source_at: None, received_at, at_error_ms: 0, readings }))
    };
    let of_point = |(point, rows): &(PointId, Vec<Row>)| -> Vec<_> {
        rows.chunks(BATCH_READINGS).filter_map(|rows| batch(*point, rows)).collect()
    };
    load.rows.iter().flat_map(of_point).collect()
}

/// Where those who follow the log stand.
#[derive(Debug, Default)]
pub(super) struct Followers(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    places: Vec<(u64, Seq)>,
}

impl Followers {
    /// The lowest place anyone needs the journal from.
    pub(super) fn lowest(&self) -> Option<Seq> {
        self.with(|inner| inner.places.iter().map(|(_, at)| *at).min())
    }

    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The place of one of them; gone when it is dropped.
struct Slot {
    shared: Arc<Shared>,
    id: u64,
}

impl Slot {
    fn new(shared: &Arc<Shared>, at: Seq) -> Slot {
        let id = shared.followers.with(|inner| {
            inner.next += 1;
            inner.places.push((inner.next, at));
            inner.next
        });
        Slot { shared: Arc::clone(shared), id }
    }

    fn keep_from(&self, at: Seq) {
        self.shared.followers.with(|inner| {
            if let Some((_, kept)) = inner.places.iter_mut().find(|(id, _)| *id == self.id) {
                *kept = at;
            }
        });
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.shared.followers.with(|inner| inner.places.retain(|(id, _)| *id != self.id));
    }
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Historian, Limits, Metrics};
    use super::*;
    use crate::clock::Clock;
    use crate::point::{Decimal, Quality, UtcMs, Value};
    use crate::readings::HistorianFeed;
    use proptest::prelude::*;
    use std::path::Path;
    use tokio::sync::mpsc;
    use tokio_util::sync::CancellationToken;

    const START: UtcMs = UtcMs(1_800_000_000_000);

    /// Batches of three devices with three points each, one after the other; values count up.
    fn feed(place: u64) -> HistorianFeed {
        let at = START.plus_ms(place.cast_signed() * 1_000);
        let device = u32::try_from(place % 3).unwrap();
        let reading = |point| Reading {
            point: PointId(device * 3 + point + 1),
            at,
            value: Some(Value::Decimal(Decimal::new(place.cast_signed(), 1).unwrap())),
            quality: Quality::Good,
        };
        let device = format!("device-{device}").into();
        let readings = (0..3).map(reading).collect();
        let batch = Batch { device, source_at: None, received_at: at, at_error_ms: 0, readings };
        HistorianFeed { batch: Arc::new(batch), ack: None, lost_before: None }
    }

    /// Writes the places of one life and stops in order.
    async fn live(dir: &Path, places: std::ops::Range<u64>, limits: Limits) -> History {
        let clock = Clock::starting_at(START.plus_ms(3_600_000));
        let opened = Historian::open_with(dir, clock, Metrics::default(), limits).unwrap();
        let (feeds, rx) = mpsc::channel(1);
        let sending = async move {
            for place in places {
                feeds.send(feed(place)).await.unwrap();
            }
        };
        tokio::join!(opened.historian.run(rx, CancellationToken::new()), sending);
        opened.history.0.recent.forget();
        opened.history
    }

    /// Seals all there is and takes the journal away, as if it had been trimmed long since.
    fn seal_and_cut(dir: &Path) {
        let clock = Clock::starting_at(START.plus_ms(3_600_000));
        let Historian { writer, .. } = Historian::open(dir, clock, Metrics::default()).unwrap().historian;
        writer.beside.run(writer.after, START).unwrap();
        drop(writer);
        std::fs::remove_dir_all(dir.join("journal")).unwrap();
    }

    /// All that a follower is given from `at` on, stopped after so many pages; the readings by place.
    async fn read_on(history: &History, at: Seq, pages: usize, seen: &mut Vec<(PointId, i64)>) -> Seq {
        let mut follower = history.follow(at);
        for _ in 0..pages {
            let page = follower.next(7).await.unwrap();
            assert_eq!(follower.next(7).await.unwrap(), page, "it is the same until it is done with");
            let Some((last, _)) = page.last() else { break };
            for (_, batch) in &page {
                let device = format!("device-{}", (batch.readings[0].point.0 - 1) / 3);
                assert_eq!(&*batch.device, device);
                seen.extend(batch.readings.iter().map(|r| (r.point, r.at.since_ms(START) / 1_000)));
            }
            let last = *last;
            follower.done();
            assert_eq!(follower.done_up_to(), last);
        }
        follower.done_up_to()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

        /// However often it stops and begins anew at the place it kept, and whatever is sealed and
        /// merged and trimmed in between: a follower meets each reading, those of a point in order.
        #[test]
        fn a_follower_misses_nothing(
            lives in prop::collection::vec((1_u64..60, 0_usize..4, any::<bool>()), 1..5), seal_bytes in 1_u64..400,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
            let dir = tempfile::tempdir().unwrap();
            let limits = Limits { group_bytes: 100, seal_bytes, ..Limits::default() };
            runtime.block_on(async {
                let (mut place, mut at, mut seen) = (0, Seq(0), Vec::new());
                for (places, pages, cut) in lives {
                    let history = live(dir.path(), place..place + places, limits).await;
                    place += places;
                    if cut {
                        drop(history);
                        seal_and_cut(dir.path());
                    }
                    let history = live(dir.path(), place..place + 1, limits).await;
                    place += 1;
                    at = read_on(&history, at, pages, &mut seen).await;
                }
                let history = live(dir.path(), place..place + 1, limits).await;
                at = read_on(&history, at, usize::MAX, &mut seen).await;
                prop_assert_eq!(at, *history.0.head.borrow());
                let mut met: Vec<_> = seen.clone();
                met.sort_unstable();
                met.dedup();
                let all = (0..=place).flat_map(|place| feed(place).batch.readings.clone());
                let mut all: Vec<_> = all.map(|r| (r.point, r.at.since_ms(START) / 1_000)).collect();
                all.sort_unstable();
                prop_assert_eq!(met, all);
                Ok(())
            })?;
        }
    }
}
