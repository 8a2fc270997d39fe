//! One run of the sealing: seal, merge, forget what is beyond its time, keep within the limit. Blocks.

use super::JOURNAL;
use super::group::Limits;
use super::history::Shared;
use super::journal::{JournalError, Seq};
use super::keep::Shed;
use super::room::{Room, taken};
use super::sealed::Sealer;
use super::store::Store;
use crate::point::UtcMs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a run needs; clones do the same.
#[derive(Clone)]
pub(super) struct Sealing {
    pub dir: PathBuf,
    pub store: Arc<Mutex<Store>>,
    /// Locked only by the one run at a time.
    pub sealer: Arc<Mutex<Sealer>>,
    pub shared: Arc<Shared>,
    pub room: Room,
    pub limits: Limits,
}

impl Sealing {
    /// Seals up to `head`, forgets, and gives up the oldest beyond the limit.
    pub(super) fn run(&self, head: Seq, now: UtcMs) -> Result<(), JournalError> {
        let mut sealer = self.sealer();
        match self.seal(&mut sealer, head) {
            Err(JournalError::Full) if self.limits.history_bytes.is_some() => {
                self.shed(&mut sealer, self.room.lacking(self.limits.seal_bytes), now)?;
                self.seal(&mut sealer, head)?;
            }
            done => done?,
        }
        let retention = self.shared.retention();
        if retention.forgets() {
            let gone = sealer.forget(|point| retention.horizon(point, now))?;
            tracing::info!(
                pieces = gone.pieces,
                bytes = gone.bytes,
                "Readings beyond their time were forgotten."
            );
        }
        let beyond = self.beyond_the_limit(&mut sealer)?;
        self.shed(&mut sealer, beyond, now)
    }

    /// Gives up the oldest sealed readings until the journal may grow again; nothing if it may, or if
    /// none may be given up.
    pub(super) fn make_room(&self, now: UtcMs) -> Result<(), JournalError> {
        if self.limits.history_bytes.is_none() {
            return Ok(());
        }
        let lacking = self.room.lacking(self.limits.segment_bytes);
        self.shed(&mut self.sealer(), lacking, now)
    }

    /// What the files take beyond the limit. A journal that is longer than its share is being sealed and
    /// trimmed, as behind an import: nothing is given up for that.
    fn beyond_the_limit(&self, sealer: &mut Sealer) -> Result<u64, JournalError> {
        let Some(limit) = self.limits.history_bytes else { return Ok(0) };
        sealer.empty_logs()?;
        let journal = taken(&self.dir.join(JOURNAL))?;
        let sealed = taken(&self.dir)?.saturating_sub(journal);
        Ok((sealed + journal.min(self.limits.journal_share_bytes())).saturating_sub(limit))
    }

    fn seal(&self, sealer: &mut Sealer, head: Seq) -> Result<(), JournalError> {
        let before = self.shared.sealed_up_to();
        // Sealed, readings take a fraction of what they take in the journal; beside it for a while.
        self.room.grow(self.limits.seal_bytes / 2)?;
        sealer.seal(before, head, &self.shared.epochs(), |up_to| {
            self.store().advance_sealed(up_to)?;
            self.shared.advance_sealed(up_to);
            Ok(())
        })?;
        self.store().sealing_done(before);
        Ok(())
    }

    /// Gives up what takes so many bytes, and some more.
    fn shed(&self, sealer: &mut Sealer, bytes: u64, now: UtcMs) -> Result<(), JournalError> {
        if bytes == 0 {
            return Ok(());
        }
        sealer.open(self.shared.sealed_up_to())?;
        let gone = sealer.shed(bytes.saturating_add(self.limits.slack_bytes()))?;
        let Some(before) = gone.before else { return Ok(()) };
        let mut fresh = false;
        self.shared.shed.send_modify(|shed| {
            let (now, begins) = Shed::more(*shed, gone.pieces, gone.bytes, before, now);
            (*shed, fresh) = (Some(now), begins);
        });
        if fresh {
            tracing::error!(%before, pieces = gone.pieces, bytes = gone.bytes,
                "There is no room: the oldest readings are given up, and are from now on when it is needed.");
        }
        Ok(())
    }

    fn sealer(&self) -> MutexGuard<'_, Sealer> {
        self.sealer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Historian, Metrics};
    use super::*;
    use crate::clock::Clock;
    use crate::point::{Batch, PointId, Quality, Reading, Value};
    use crate::readings::HistorianFeed;
    use tokio::sync::mpsc;
    use tokio_util::sync::CancellationToken;

    const START: UtcMs = UtcMs(1_800_000_000_000);
    /// Readings of a batch, one a second.
    const BATCH: i64 = 2_000;

    /// Values with little to find in them.
    fn noise(n: i64) -> f64 {
        let mixed = n
            .cast_unsigned()
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .rotate_left(31)
            .wrapping_mul(0xD6E8_FEB8_6659_FD93);
        f64::from_bits(mixed >> 12 | 0x3FF0 << 48)
    }

    fn feed(nth: i64) -> HistorianFeed {
        let reading = |n| Reading {
            point: PointId(1),
            at: START.plus_ms(n * 1_000),
            value: Some(Value::F64(noise(n))),
            quality: Quality::Good,
        };
        let readings = (nth * BATCH..(nth + 1) * BATCH).map(reading).collect();
        let batch =
            Batch { device: "d".into(), source_at: None, received_at: START, at_error_ms: 0, readings };
        HistorianFeed { batch: Arc::new(batch), ack: None, lost_before: None }
    }

    #[tokio::test(start_paused = true)]
    async fn beyond_the_limit_the_oldest_go_and_what_is_new_stays() {
        let (dir, metrics) = (tempfile::tempdir().unwrap(), Metrics::default());
        let limits = Limits {
            seal_bytes: 100_000,
            segment_bytes: 100_000,
            keep_bytes: 100_000,
            replay_bytes: 50_000,
            ..Limits::within(Some(700 << 10))
        };
        let clock = Clock::starting_at(START.plus_ms(200 * BATCH * 1_000));
        let opened = Historian::open_with(dir.path(), clock.clone(), metrics.clone(), limits).unwrap();
        let (mut shed, history) = (opened.historian.shed(), opened.history);
        let beside = opened.historian.writer.beside.clone();
        let (feeds, rx) = mpsc::channel(1);
        let sending = async {
            for nth in 0..200 {
                feeds.send(feed(nth)).await.unwrap();
            }
            drop(feeds);
        };
        tokio::join!(opened.historian.run(rx, CancellationToken::new()), sending);
        let head = *history.head().borrow();
        beside.run(head, clock.utc()).unwrap();
        let journal = taken(&dir.path().join(JOURNAL)).unwrap();
        let (held, all) = (taken(dir.path()).unwrap() - journal, metrics.bytes.get());
        assert!(all > 3 << 20, "{all} came");
        let most = (700 << 10) - journal.min(limits.journal_share_bytes());
        // And not much more was given up than had to be.
        assert!(held <= most && held >= most / 2, "{held} of {most} bytes are held");
        assert!(metrics.shed.get() > 0 && metrics.shed_bytes.get() > 100_000);
        let told = shed.borrow_and_update().unwrap();
        assert_eq!((told.pieces, told.bytes), (metrics.shed.get(), metrics.shed_bytes.get()));
        // From some time on all is there, and before it nothing.
        let readings =
            history.range(PointId(1), UtcMs(0), UtcMs(i64::MAX), usize::MAX).await.unwrap().readings;
        let first = readings[0].at.since_ms(START) / 1_000;
        assert!((first..200 * BATCH).eq(readings.iter().map(|r| r.at.since_ms(START) / 1_000)));
        let kept = |r: &Reading| r.value == Some(Value::F64(noise(r.at.since_ms(START) / 1_000)));
        assert!(readings.iter().all(kept));
        assert!(first > 0 && told.before <= clock.utc(), "{first}");
        // Said once: the episode goes on.
        assert_eq!(told.since, told.at);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_beyond_its_time_is_forgotten_with_the_next_sealing() {
        let (dir, metrics) = (tempfile::tempdir().unwrap(), Metrics::default());
        let clock = Clock::starting_at(START.plus_ms(20 * BATCH * 1_000));
        let limits = Limits { seal_bytes: 100_000, ..Limits::default() };
        let opened = Historian::open_with(dir.path(), clock.clone(), metrics.clone(), limits).unwrap();
        let keep_ms = u64::try_from(5 * BATCH * 1_000).unwrap();
        opened.historian.retain(super::super::Retention { default_ms: Some(keep_ms), ..Default::default() });
        let beside = opened.historian.writer.beside.clone();
        let (feeds, rx) = mpsc::channel(1);
        let sending = async {
            for nth in 0..20 {
                feeds.send(feed(nth)).await.unwrap();
            }
            drop(feeds);
        };
        tokio::join!(opened.historian.run(rx, CancellationToken::new()), sending);
        beside.run(*opened.history.head().borrow(), clock.utc()).unwrap();
        let readings =
            opened.history.range(PointId(1), UtcMs(0), UtcMs(i64::MAX), usize::MAX).await.unwrap().readings;
        let first = readings[0].at.since_ms(START) / 1_000;
        // Whole chunks go, of at most 8,192 readings.
        assert!((15 * BATCH - 8_192..=15 * BATCH).contains(&first), "{first}");
        assert!(metrics.forgotten.get() > 0 && metrics.shed.get() == 0);
    }
}
