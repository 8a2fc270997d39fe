//! The writer: gathers batches, commits them, and only then keeps the promises that hang on them.

use super::group::{Closed, Devices, Group, Limits};
use super::history::Shared;
use super::journal::{JournalError, Seq};
use super::sealed::Duty;
use super::sealing::Sealing;
use super::store::{Keep, Store};
use crate::clock::{Clock, Mono, Watch};
use crate::readings::HistorianFeed;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Commits between two housekeepings. A segment of 16 MiB is made ready in 16 of them, in the time of
/// 128 commits of 64 KiB at least.
const TIDY_COMMITS: u64 = 4;

/// Groups that wait for their commit while one is committed and the next is gathered.
const GROUPS_WAITING: usize = 1;

pub(super) struct Writer {
    /// Locked only by a blocking thread: the one commit or tidying that runs, or a declaration.
    pub store: Arc<Mutex<Store>>,
    /// What is done beside the commits.
    pub beside: Sealing,
    pub duty: Duty,
    /// The sealing that runs, and what it takes care of.
    pub sealing: Option<(Duty, JoinHandle<Result<(), JournalError>>)>,
    pub shared: Arc<Shared>,
    pub devices: Devices,
    /// Behind this, numbers are free.
    pub after: Seq,
    pub clock: Clock,
    pub watch: Watch,
    pub limits: Limits,
    pub health: watch::Sender<Result<(), String>>,
}

impl Writer {
    /// See [`super::Historian::run`].
    pub(super) async fn run(mut self, feeds: mpsc::Receiver<HistorianFeed>, stop: CancellationToken) {
        let gatherer = Gatherer {
            devices: std::mem::take(&mut self.devices),
            after: self.after,
            shared: Arc::clone(&self.shared),
            clock: self.clock.clone(),
            watch: self.watch,
            limits: self.limits,
        };
        let (closed, groups) = mpsc::channel(GROUPS_WAITING);
        tokio::join!(gatherer.run(feeds, closed, &stop), self.commit_all(groups, &stop));
        if let Some((_, sealing)) = self.sealing.take()
            && let Err(died) = sealing.await
        {
            tracing::error!(%died, "The sealing of old readings ended in a fault of the program.");
        }
        // So that the next start need not read the journal.
        self.tidy(0).await;
    }

    /// Commits one group after the other until no more come, or one is given up.
    async fn commit_all(&mut self, mut groups: mpsc::Receiver<Arc<Closed>>, stop: &CancellationToken) {
        let mut commits = 0_u64;
        while let Some(group) = groups.recv().await {
            if !self.commit(&group, stop).await {
                break;
            }
            self.publish(&group);
            self.seal().await;
            commits += 1;
            if commits.is_multiple_of(TIDY_COMMITS) {
                self.tidy(self.limits.replay_bytes).await;
            }
        }
    }

    /// Tries until the group is on disk. Meanwhile the channel fills and whoever feeds it
    /// decides. Once the stop is asked for there is one more try; then false, and nothing of the
    /// group is acknowledged.
    async fn commit(&mut self, group: &Arc<Closed>, stop: &CancellationToken) -> bool {
        let mut pause = self.limits.retry_min_ms;
        loop {
            let last_try = stop.is_cancelled();
            let started = self.clock.mono();
            let todo = Arc::clone(group);
            let Err(error) = self.blocking(move |store| store.commit(&todo)).await else {
                let ms = self.clock.mono().since_ms(started);
                self.shared
                    .metrics
                    .commit_seconds
                    .observe(std::time::Duration::from_millis(ms).as_secs_f64());
                self.well();
                return true;
            };
            self.ill(&error);
            if matches!(error, JournalError::Full) {
                self.make_room().await;
            }
            if last_try {
                self.shared.metrics.given_up.inc_by(group.readings());
                tracing::error!(readings = group.readings(), %error, "The last readings could not be stored before the stop.");
                return false;
            }
            let again = self.clock.mono().plus_ms(pause);
            tokio::select! {
                () = self.clock.sleep_until(again) => {}
                () = stop.cancelled() => {}
            }
            pause = (pause * 2).min(self.limits.retry_max_ms);
        }
    }

    /// The disk is full: what the journal has twice goes first, then, if that is not enough and it
    /// is configured, the oldest that is sealed.
    async fn make_room(&mut self) {
        let (beside, head, now) = (self.beside.clone(), self.after, self.clock.utc());
        let shared = Arc::clone(&self.shared);
        let made = self.blocking(move |store| store.drop_spare(&shared.last, head)).await;
        let shed = tokio::task::spawn_blocking(move || beside.make_room(now)).await;
        for done in [Ok(made), shed] {
            if let Err(error) = done.unwrap_or_else(|died| Err(JournalError::Io(std::io::Error::other(died))))
            {
                tracing::debug!(%error, "There is no room, and none could be made.");
            }
        }
    }

    /// The group is on disk: now it may be seen and acknowledged.
    fn publish(&mut self, group: &Closed) {
        let metrics = &self.shared.metrics;
        metrics.commits.inc();
        metrics.readings.inc_by(group.readings());
        metrics.bytes.inc_by(group.record.body.len() as u64);
        metrics.lost.inc_by(group.additions.gaps.iter().map(|(_, lost)| lost.readings).sum());
        self.shared.add_devices(&group.additions.devices);
        self.shared.add_epochs(group.additions.steps.iter().map(|(behind, _)| *behind));
        for batch in &group.batches {
            self.shared.last.apply(batch.received_at, &batch.readings);
        }
        self.shared.recent.extend(&group.batches, group.record.last);
        self.after = group.record.last;
        self.duty.add(group.record.body.len() as u64, self.clock.mono());
        metrics.head.set(self.after.0.cast_signed());
        self.shared.head.send_replace(self.after);
        for ack in &group.acks {
            ack.clone().commit();
        }
    }

    async fn tidy(&mut self, replay_bytes: usize) {
        let (shared, head) = (Arc::clone(&self.shared), self.after);
        let keep = Keep { behind: shared.followers.lowest(), bytes: self.limits.keep_bytes };
        let tidy = move |store: &mut Store| store.tidy(&shared.last, head, replay_bytes, keep);
        if let Err(error) = self.blocking(tidy).await {
            self.ill(&error);
        }
    }

    /// Looks after the sealing, which runs beside the commits: takes notice of its end, and begins
    /// another when it is time.
    async fn seal(&mut self) {
        let now = self.clock.mono();
        if let Some((taken, sealing)) = self.sealing.take_if(|(_, sealing)| sealing.is_finished())
            && !matches!(sealing.await, Ok(Ok(())))
        {
            self.duty.put_back(taken, now, &self.limits);
        }
        if self.sealing.is_none()
            && let Some(taken) = self.duty.take(now, &self.limits)
        {
            let (beside, head, now) = (self.beside.clone(), self.after, self.clock.utc());
            let work = move || {
                let done = beside.run(head, now);
                if let Err(error) = &done {
                    tracing::error!(%error, "Old readings could not be sealed; they stay in the journal, and it is tried again.");
                }
                done
            };
            self.sealing = Some((taken, tokio::task::spawn_blocking(work)));
        }
    }

    /// Runs `work` on a thread that may block. A panic in it is a failure like any other.
    async fn blocking(
        &self,
        work: impl FnOnce(&mut Store) -> Result<(), JournalError> + Send + 'static,
    ) -> Result<(), JournalError> {
        let store = Arc::clone(&self.store);
        let run = move || work(&mut store.lock().unwrap_or_else(PoisonError::into_inner));
        tokio::task::spawn_blocking(run).await.unwrap_or_else(|died| {
            self.store.lock().unwrap_or_else(PoisonError::into_inner).poison();
            Err(JournalError::Io(std::io::Error::other(died)))
        })
    }

    fn ill(&self, error: &JournalError) {
        self.shared.metrics.poisoned.inc();
        let words = match error {
            JournalError::Full => "The disk is full; readings wait until there is room.".to_owned(),
            other => format!("The journal cannot be written: {other}."),
        };
        if self.tell(Err(words)).is_ok() {
            tracing::error!(%error, "The historian cannot write; it tries again until it can.");
        }
    }

    fn well(&self) {
        if self.tell(Ok(())).is_err() {
            tracing::warn!("The historian writes again.");
        }
    }

    /// Says how it is, wakes who listens if that is new, and returns how it was.
    fn tell(&self, now: Result<(), String>) -> Result<(), String> {
        let mut before = Ok(());
        self.health.send_if_modified(|held| {
            before = std::mem::replace(held, now);
            before != *held
        });
        before
    }
}

/// Makes groups of what comes, the next one while one is committed.
struct Gatherer {
    devices: Devices,
    /// Behind this, numbers are free.
    after: Seq,
    shared: Arc<Shared>,
    clock: Clock,
    watch: Watch,
    limits: Limits,
}

impl Gatherer {
    /// Until every sender is gone or `stop` is asked for, or no one commits any more.
    async fn run(
        mut self,
        mut feeds: mpsc::Receiver<HistorianFeed>,
        closed: mpsc::Sender<Arc<Closed>>,
        stop: &CancellationToken,
    ) {
        while let Some(group) = self.gather(&mut feeds, stop).await {
            let group = Arc::new(group.close(&self.shared.texts));
            self.after = group.record.last;
            if let Err(refused) = closed.send(group).await {
                self.shared.metrics.given_up.inc_by(refused.0.readings());
                return;
            }
        }
    }

    /// Batches until one reason to commit holds; none when no more will come.
    async fn gather(
        &mut self,
        feeds: &mut mpsc::Receiver<HistorianFeed>,
        stop: &CancellationToken,
    ) -> Option<Group> {
        let clock = self.clock.clone();
        let mut group: Option<Group> = None;
        // Made anew only when they move; a batch comes every millisecond in a large plant.
        let mut due = Mono(0);
        let mut timer = pin!(clock.sleep_until(due));
        let mut stopped = pin!(stop.cancelled());
        loop {
            let feed = tokio::select! {
                biased;
                () = &mut stopped, if !feeds.is_closed() => {
                    feeds.close();
                    continue;
                }
                () = &mut timer, if group.is_some() => return group,
                feed = feeds.recv() => feed,
            };
            let Some(feed) = feed else { return group };
            let both = clock.now();
            let (now, step) = (both.mono, self.watch.observe(both));
            let group_now = group.get_or_insert_with(|| Group::new(self.after, now, &self.limits));
            if let Some(step) = step {
                group_now.step(step);
            }
            if group_now.accept(feed, &mut self.devices, now, &self.limits) {
                return group;
            }
            if group_now.due() != due {
                due = group_now.due();
                timer.set(clock.sleep_until(due));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::codec::tests::{any_quality, any_value};
    use super::super::history::History;
    use super::super::journal::{Journal, JournalReader, Record, Span};
    use super::super::query::Row;
    use super::super::segments::{Index, SegmentJournal};
    use super::super::{Historian, Metrics, Opened, Parts, Room};
    use super::*;
    use crate::field::{Ack, AckReceiver, AckSender, acks};
    use crate::point::{Batch, Decimal, PointId, Quality, Reading, UtcMs, Value};
    use crate::readings::Lost;
    use futures_util::FutureExt;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, VecDeque};
    use std::future::Future;
    use std::time::Duration;

    const START: UtcMs = UtcMs(1_800_000_000_000);

    /// What the next appends do.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Fail {
        /// Nothing is written.
        Before,
        /// It is written, and yet an error comes back: a sync that failed.
        After,
        /// There is no room.
        Full,
        /// The code is wrong.
        Panic,
    }

    #[derive(Default)]
    struct Script {
        fails: VecDeque<Fail>,
        opened: usize,
        /// A handle was used after it had failed.
        reused: bool,
    }

    /// The real journal with failures in between.
    struct Faulty {
        journal: SegmentJournal,
        script: Arc<Mutex<Script>>,
        failed: bool,
    }

    impl JournalReader for Faulty {
        fn last(&self) -> Result<Seq, JournalError> {
            self.journal.last()
        }
        fn behind(&self, after: Seq, bytes: usize) -> Result<Vec<Record>, JournalError> {
            self.journal.behind(after, bytes)
        }
        fn within(&self, span: Span, after: Seq) -> Result<Vec<Record>, JournalError> {
            self.journal.within(span, after)
        }
    }

    impl Journal for Faulty {
        fn append(&mut self, record: &Record) -> Result<(), JournalError> {
            let mut script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
            script.reused |= self.failed;
            let fail = script.fails.pop_front();
            drop(script);
            self.failed = fail.is_some();
            match fail {
                None => self.journal.append(record),
                Some(Fail::Full) => Err(JournalError::Full),
                Some(Fail::Panic) => panic!("as the script says"),
                Some(Fail::Before) => Err(JournalError::Io(std::io::Error::other("write"))),
                Some(Fail::After) => {
                    self.journal.append(record)?;
                    Err(JournalError::Io(std::io::Error::other("sync")))
                }
            }
        }
        fn tidy(&mut self) -> Result<(), JournalError> {
            self.journal.tidy()
        }
        fn trim(&mut self, up_to: Seq) -> Result<bool, JournalError> {
            self.journal.trim(up_to)
        }
        fn bytes(&self) -> u64 {
            self.journal.bytes()
        }
        fn repaired(&self) -> Option<String> {
            self.journal.repaired()
        }
    }

    struct Plant {
        feeds: mpsc::Sender<HistorianFeed>,
        history: History,
        acks: (AckSender, AckReceiver),
        health: watch::Receiver<Result<(), String>>,
        script: Arc<Mutex<Script>>,
        metrics: Metrics,
        clock: Clock,
        stop: CancellationToken,
        dir: tempfile::TempDir,
    }

    fn plant(fails: &[Fail]) -> (Plant, impl Future<Output = ()>) {
        let dir = tempfile::tempdir().unwrap();
        let script = Script { fails: fails.iter().copied().collect(), ..Script::default() };
        let script = Arc::new(Mutex::new(script));
        let (path, shared) = (dir.path().join("journal"), Arc::clone(&script));
        let index: Arc<Index> = Arc::default();
        let written = Arc::clone(&index);
        let room = Room::bare(dir.path());
        let bare = room.clone();
        let open = move || {
            shared.lock().unwrap_or_else(PoisonError::into_inner).opened += 1;
            let journal = SegmentJournal::open(&path, &written, room.clone(), 16 << 20)?;
            Ok(Box::new(Faulty { journal, script: Arc::clone(&shared), failed: false }) as Box<dyn Journal>)
        };
        let (clock, metrics) = (Clock::starting_at(START), Metrics::default());
        let Opened { historian, history, repaired } = Historian::open_by(
            Parts { journal: Box::new(open), index, room: bare },
            dir.path(),
            clock.clone(),
            metrics.clone(),
            Limits::default(),
        )
        .unwrap();
        assert_eq!(repaired, [""; 0]);
        let (health, stop) = (historian.health(), CancellationToken::new());
        let (feeds, rx) = mpsc::channel(4);
        let run = historian.run(rx, stop.clone());
        (Plant { feeds, history, acks: acks(), health, script, metrics, clock, stop, dir }, run)
    }

    fn batch(value: i64) -> Batch {
        let value = Decimal::from_int(value);
        let reading = Reading {
            point: PointId(1),
            at: START.plus_ms(value.mantissa()),
            value: Some(Value::Decimal(value)),
            quality: Quality::Good,
        };
        Batch {
            device: "d".into(),
            source_at: None,
            received_at: START,
            at_error_ms: 0,
            readings: vec![reading],
        }
    }

    impl Plant {
        fn feed(&self, value: u16, waits: bool) -> HistorianFeed {
            let ack = waits.then(|| self.acks.0.handle(Ack { epoch: 1, packet: value }, 1));
            HistorianFeed { batch: Arc::new(batch(i64::from(value))), ack, lost_before: None }
        }

        async fn send(&self, value: u16, waits: bool) {
            self.feeds.send(self.feed(value, waits)).await.unwrap();
        }

        async fn stored(&self) -> Vec<i64> {
            stored(&self.history).await
        }
    }

    async fn stored(history: &History) -> Vec<i64> {
        // What is given from memory is what stands on the disk.
        let near = history.tail(Seq(0), usize::MAX).await.unwrap();
        history.0.recent.forget();
        let tail = history.tail(Seq(0), usize::MAX).await.unwrap();
        assert_eq!(near, tail);
        for (place, (seq, _)) in (1..).zip(&tail) {
            assert_eq!(*seq, Seq(place));
        }
        tail.iter().map(|(_, batch)| batch.readings[0].at.since_ms(START)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_group_waits_a_second_an_ack_only_twenty_milliseconds() {
        let (mut plant, run) = plant(&[]);
        let test = async {
            let mut head = plant.history.head();
            plant.send(1, false).await;
            head.changed().await.unwrap();
            assert_eq!((*head.borrow_and_update(), plant.clock.mono()), (Seq(1), Mono(1_000)));
            plant.send(2, false).await;
            plant.send(3, true).await;
            assert_eq!(plant.acks.1.recv().await.unwrap().packet, 3);
            assert_eq!(plant.clock.mono(), Mono(1_020));
            assert_eq!((plant.stored().await, *head.borrow_and_update()), (vec![1, 2, 3], Seq(3)));
            let last = plant.history.last(&[PointId(1), PointId(2)]).await.unwrap();
            assert_eq!(last, [Some(batch(3).readings[0]), None]);
            assert_eq!((plant.metrics.commits.get(), plant.metrics.readings.get()), (2, 3));
            plant.stop.cancel();
        };
        tokio::join!(run, test);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_commit_acknowledges_nothing_and_never_uses_the_handle_again() {
        let scripts: [&[Fail]; 7] = [
            &[Fail::Before],
            &[Fail::After],
            &[Fail::Full],
            &[Fail::Panic],
            &[Fail::Before, Fail::After],
            &[Fail::Full, Fail::Panic, Fail::Full, Fail::Before],
            &[Fail::Panic, Fail::After],
        ];
        for fails in scripts {
            let (mut plant, run) = plant(fails);
            let test = async {
                plant.send(1, true).await;
                plant.health.changed().await.unwrap();
                let why = plant.health.borrow_and_update().clone().unwrap_err();
                assert_eq!(why.contains("disk is full"), fails[0] == Fail::Full, "{why}");
                assert!(plant.acks.1.try_recv().is_err());
                assert_eq!(plant.acks.1.recv().await.unwrap().packet, 1);
                assert_eq!(*plant.health.borrow(), Ok(()));
                // Written by the attempt that claimed to fail, and not once more.
                assert_eq!(plant.stored().await, [1]);
                plant.send(2, true).await;
                assert_eq!(plant.acks.1.recv().await.unwrap().packet, 2);
                assert_eq!(plant.stored().await, [1, 2]);
                plant.stop.cancel();
            };
            let done = async { tokio::join!(run, test) };
            assert!(tokio::time::timeout(Duration::from_hours(1), done).await.is_ok(), "{fails:?}");
            let script = plant.script.lock().unwrap();
            assert_eq!((script.reused, script.opened), (false, 1 + fails.len()), "{fails:?}");
            assert_eq!(plant.metrics.poisoned.get(), fails.len() as u64);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn while_it_cannot_write_the_channel_fills_and_nothing_is_lost() {
        let (mut plant, run) = plant(&[Fail::Full; 8]);
        let test = async {
            plant.send(1, true).await;
            plant.health.changed().await.unwrap();
            for value in 2..=5 {
                plant.feeds.try_send(plant.feed(value, true)).unwrap();
            }
            assert!(plant.feeds.try_send(plant.feed(6, true)).is_err());
            for value in 1..=5 {
                assert_eq!(plant.acks.1.recv().await.unwrap().packet, value);
            }
            assert_eq!(plant.stored().await, [1, 2, 3, 4, 5]);
            plant.stop.cancel();
        };
        tokio::join!(run, test);
    }

    #[tokio::test(start_paused = true)]
    async fn the_stop_writes_what_is_in_the_channel() {
        let (plant, run) = plant(&[]);
        for value in 1..=4 {
            plant.send(value, false).await;
        }
        plant.stop.cancel();
        run.await;
        assert_eq!((plant.stored().await, plant.clock.mono()), (vec![1, 2, 3, 4], Mono(0)));
        let opened = Historian::open(plant.dir.path(), plant.clock.clone(), Metrics::default()).unwrap();
        assert_eq!(opened.repaired, [""; 0], "a tidy stop leaves nothing to repair");
        assert_eq!(opened.history.last(&[PointId(1)]).await.unwrap(), [Some(batch(4).readings[0])]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_even_if_it_cannot_write_and_acknowledges_nothing() {
        let (mut plant, run) = plant(&[Fail::Before; 100]);
        let test = async {
            plant.send(1, true).await;
            plant.health.changed().await.unwrap();
            plant.stop.cancel();
        };
        tokio::join!(run, test);
        assert!(plant.acks.1.try_recv().is_err());
        assert_eq!(plant.metrics.given_up.get(), 1);
        assert_eq!(plant.stored().await, [0; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_gap_is_recorded_with_the_batch_behind_it() {
        let (mut plant, run) = plant(&[Fail::After]);
        let lost = Lost { from: UtcMs(10), to: UtcMs(20), readings: 99 };
        let test = async {
            let feed = HistorianFeed { lost_before: Some(lost), ..plant.feed(1, true) };
            plant.feeds.send(feed).await.unwrap();
            plant.acks.1.recv().await.unwrap();
            plant.stop.cancel();
        };
        tokio::join!(run, test);
        assert_eq!(plant.history.gaps(UtcMs(0), UtcMs(100)).await.unwrap(), [lost]);
        assert_eq!(plant.metrics.lost.get(), 99);
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_whose_caller_is_gone_gives_its_place_back() {
        let (plant, run) = plant(&[]);
        let test = async {
            plant.send(1, true).await;
            plant.history.head().changed().await.unwrap();
            for _ in 0..50 {
                let read = plant.history.range(PointId(1), UtcMs(0), UtcMs(i64::MAX), 10);
                drop(read.now_or_never());
            }
            assert_eq!(plant.stored().await, [1]);
            plant.stop.cancel();
        };
        tokio::join!(run, test);
    }

    fn any_batches() -> impl Strategy<Value = Vec<Batch>> {
        let reading =
            (1_u32..4, 0_i64..40, any_value(), any_quality()).prop_map(|(point, at, value, quality)| {
                Reading { point: PointId(point), at: START.plus_ms(at * 1_000), value, quality }
            });
        let batch = (0_u8..3, prop::collection::vec(reading, 0..6)).prop_map(|(device, readings)| Batch {
            device: format!("device-{device}").into(),
            source_at: None,
            received_at: START,
            at_error_ms: 0,
            readings,
        });
        prop::collection::vec(batch, 0..30)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Any order of arrival and any duplicates, over any number of restarts and whatever the
        /// copies of the last values: the answers of a map that is written over.
        #[test]
        fn answers_like_a_naive_model(
            lives in prop::collection::vec(any_batches(), 1..4), group_bytes in 1_usize..200, replay_bytes in 1_usize..400, seal_bytes in 1_u64..600,
            from in -1_i64..41, len in -1_i64..41, limit in 0_usize..20,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
            let dir = tempfile::tempdir().unwrap();
            let limits = Limits { group_bytes, replay_bytes, seal_bytes, ..Limits::default() };
            let (mut model, mut log) = (BTreeMap::new(), Vec::new());
            runtime.block_on(async {
                for batches in lives {
                    let clock = Clock::starting_at(START);
                    let opened = Historian::open_with(dir.path(), clock, Metrics::default(), limits).unwrap();
                    let (feeds, rx) = mpsc::channel(1);
                    let feed = async move {
                        for batch in batches.clone() {
                            let batch = Arc::new(batch);
                            feeds.send(HistorianFeed { batch, ack: None, lost_before: None }).await.unwrap();
                        }
                        batches
                    };
                    let ((), batches) = tokio::join!(opened.historian.run(rx, CancellationToken::new()), feed);
                    for batch in &batches {
                        model.extend(batch.readings.iter().map(|r| ((r.point, r.at), *r)));
                    }
                    log.extend(batches);
                }
                let clock = Clock::starting_at(START);
                let history = Historian::open_with(dir.path(), clock, Metrics::default(), limits).unwrap().history;
                let mut tail: Vec<(Seq, Arc<Batch>)> = Vec::new();
                while let at = tail.last().map_or(Seq(0), |(seq, _)| *seq)
                    && let more = history.tail(at, 3).await.unwrap()
                    && !more.is_empty()
                {
                    assert!(more.len() <= 3);
                    tail.extend(more);
                }
                assert!(tail.iter().map(|(seq, _)| seq.0).eq(1..=log.len() as u64));
                assert!(tail.iter().map(|(_, batch)| &**batch).eq(&log));
                let (from, to) = (START.plus_ms(from * 1_000), START.plus_ms((from + len) * 1_000));
                for point in (1..4).map(PointId) {
                    let all: Vec<_> = model.range((point, UtcMs(i64::MIN))..(PointId(point.0 + 1), UtcMs(i64::MIN))).collect();
                    let last = all.last().map(|(_, reading)| **reading);
                    assert_eq!(history.last(&[point]).await.unwrap(), [last]);
                    let within: Vec<_> = all.iter().map(|(_, r)| **r).filter(|r| from <= r.at && r.at < to).collect();
                    let range = history.range(point, from, to, limit).await.unwrap();
                    assert_eq!(range.readings, within[..limit.min(within.len())]);
                    assert_eq!(range.truncated, within.len() > limit);
                    let known: Vec<_> = all.iter().map(|(_, r)| **r).filter(|r| r.at <= to).collect();
                    let found = history.as_of(vec![point], to).await.unwrap()[0];
                    let plain = |row: Row| Reading { point, at: row.at, value: row.value, quality: row.quality };
                    assert_eq!(found.reading.map(plain), known.last().copied());
                    assert_eq!(found.value.map(plain), known.iter().rfind(|r| r.value.is_some()).copied());
                }
            });
        }
    }
}
