//! Follows the historian's log and commits what it means, cursor and cells in one transaction; and
//! counts anew what readings that came late have changed, between two looks at the log.

use super::account::Account;
use super::config::{BuildError, Counted, counted};
use super::engine::{Finding, cell_of};
use super::ledger::{Book, Ledger};
use super::metrics::Metrics;
use super::recount::{End, Late, Recount, Start};
use super::store::{self, Memory};
use crate::clock::{Clock, Mono};
use crate::config::Plan;
use crate::db::{Db, DbError};
use crate::historian::{Follower, History, HistoryError, Seq};
use crate::net::Backoff;
use crate::point::{Batch, Catalogue, UtcMs};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Most records of the log in one transaction.
const RECORDS_MAX: usize = 512;
/// At most one transaction in this time while there is no backlog: MQTT acknowledgements can move
/// the head of the log fifty times in a second, and nobody reads a day's kWh that often.
const PACE_MS: u64 = 1_000;
/// Shortest and longest wait after a failure.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// Counting anew begins when nothing has come late for so long ...
const QUIET_MS: u64 = 5_000;
/// ... and at the latest so long after the first that did: a year that is taken in day by day is not
/// counted anew after each.
const PATIENCE_MS: u64 = 60_000;
/// Most readings of a meter in memory at the same time: about 2 MB.
const READINGS_MAX: usize = 20_000;

/// Why a meter task cannot start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The plan does not fit together.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Why a pass failed. It is tried again.
#[derive(Debug, thiserror::Error)]
enum PassError {
    #[error(transparent)]
    History(#[from] HistoryError),
    #[error(transparent)]
    Db(#[from] DbError),
}

/// The task of this stage.
pub struct Task {
    ledger: Ledger,
    cursor: Seq,
    db: Db,
    clock: Clock,
    metrics: Metrics,
    /// Readings that came late wait for more of them.
    waiting: Option<Waiting>,
    /// The meters that are being counted anew, one after the other.
    turns: Vec<Turn>,
}

/// Since when readings came late.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    first: Mono,
    last: Mono,
}

/// A meter that is being counted anew.
#[derive(Clone, Copy, Debug)]
struct Turn {
    place: usize,
    /// From here.
    from: UtcMs,
    /// Cells that hold something else than before, so far.
    cells: usize,
}

impl Task {
    /// Reads what is remembered of the meters of a plan.
    pub async fn open(
        plan: &Plan,
        catalogue: &Catalogue,
        db: Db,
        clock: Clock,
        metrics: Metrics,
    ) -> Result<Task, OpenError> {
        let meters = counted(plan, catalogue)?;
        let (memories, cursor) = db
            .read(move |connection| {
                let memory = |meter: Counted| Ok((store::memory(connection, &meter)?, meter));
                let memories = meters.into_iter().map(memory).collect::<Result<Vec<_>, DbError>>()?;
                Ok((memories, store::cursor(connection)?))
            })
            .await?;
        let mut books = Vec::with_capacity(memories.len());
        for (memory, meter) in memories {
            books.push(book(&db, meter, memory, cursor).await?);
        }
        let mut task = Task {
            ledger: Ledger::new(books),
            cursor: Seq(cursor),
            db,
            clock,
            metrics,
            waiting: None,
            turns: Vec::new(),
        };
        if task.ledger.books().iter().any(|book| book.late.is_some()) {
            task.wait_for_more();
        }
        Ok(task)
    }

    /// All of the log up to here is counted.
    pub fn cursor(&self) -> Seq {
        self.cursor
    }

    /// Counts until told to stop. What it has not committed then, it counts after the next start.
    pub async fn run(mut self, history: History, stop: CancellationToken) {
        tokio::select! {
            () = self.follow(&history) => {}
            () = stop.cancelled() => {}
        }
    }

    async fn follow(&mut self, history: &History) {
        let (mut head, mut follower) = (history.head(), history.follow(self.cursor));
        let mut backoff = Backoff::new(RETRY.0, RETRY.1, self.clock.utc().0.unsigned_abs());
        loop {
            let seen = *head.borrow_and_update();
            let next = self.clock.mono().plus_ms(PACE_MS);
            match self.turn(&mut follower, seen).await {
                Ok(true) => {}
                Ok(false) => {
                    backoff.reset();
                    self.clock.sleep_until(next).await;
                    tokio::select! {
                        () = self.until_due() => {}
                        closed = async { head.wait_for(|head| *head > seen).await.is_err() } => if closed {
                            // The historian is gone; the stop token follows.
                            std::future::pending::<()>().await;
                        },
                    }
                }
                Err(error) => {
                    self.metrics.failures.inc();
                    let delay = backoff.next_delay();
                    let wait = delay.as_millis();
                    tracing::warn!(%error, retry_in_ms = wait, "The counting of energy is interrupted.");
                    tokio::time::sleep(delay).await;
                }
            }
        }
    }

    /// Counts the next page of the log, and if that was the last one, the next stretch of what came
    /// late. False if there is nothing to do for now.
    async fn turn(&mut self, follower: &mut Follower, seen: Seq) -> Result<bool, PassError> {
        let counted = self.pass(follower).await?;
        Ok((counted > 0 && self.cursor < seen) || self.count_late(follower.history()).await?)
    }

    /// Counts the next page of the log; how many records that were.
    async fn pass(&mut self, follower: &mut Follower) -> Result<usize, PassError> {
        let records = follower.next(RECORDS_MAX).await?;
        self.count(&records).await?;
        follower.done();
        let lag = follower.history().head().borrow().0.saturating_sub(self.cursor.0);
        self.metrics.lag.set(i64::try_from(lag).unwrap_or(i64::MAX));
        Ok(records.len())
    }

    /// Counts these records, the next ones of the log: all of them, or none if it fails.
    async fn count(&mut self, records: &[(Seq, Arc<Batch>)]) -> Result<(), DbError> {
        let Some((last, _)) = records.last() else { return Ok(()) };
        let (last, now) = (*last, self.clock.utc());
        let (ledger, pass) = self.ledger.after(records.iter().map(|(_, batch)| batch.as_ref()));
        let late: Vec<usize> =
            pass.changes.iter().filter(|change| change.late.is_some()).map(|change| change.place).collect();
        let changes = pass.changes;
        let found = self
            .db
            .write(move |tx| {
                let mut found = Vec::new();
                for change in &changes {
                    let told = store::apply(tx, change, now)?;
                    found.extend(told.into_iter().map(|finding| (change.meter.clone(), finding)));
                }
                store::advance(tx, last.0)?;
                Ok(found)
            })
            .await?;
        (self.ledger, self.cursor) = (ledger, last);
        if !late.is_empty() {
            // Who goes on meanwhile would go back and forth: all of it at once, later.
            self.turns.retain(|turn| !late.contains(&turn.place));
            self.wait_for_more();
        }
        self.metrics.steps.inc_by(pass.steps);
        self.metrics.outliers.inc_by(pass.outliers);
        self.metrics.late.inc_by(pass.late);
        for refusal in pass.refused {
            self.metrics.refuse(refusal);
        }
        for (meter, finding) in &found {
            self.say(meter, finding);
        }
        Ok(())
    }

    fn say(&self, meter: &Counted, finding: &Finding) {
        let kind = finding.kind.event();
        self.metrics.find(kind);
        tracing::warn!(meter = %meter.id, kind, "A register did what it cannot do, look at its meter.");
    }
}

/// What came late.
impl Task {
    fn wait_for_more(&mut self) {
        let now = self.clock.mono();
        let first = self.waiting.map_or(now, |waiting| waiting.first);
        self.waiting = Some(Waiting { first, last: now });
    }

    async fn until_due(&self) {
        match self.waiting {
            Some(waiting) => self.clock.sleep_until(waiting.due()).await,
            None => std::future::pending().await,
        }
    }

    fn begin_turns(&mut self) {
        self.waiting = None;
        let late = |(place, book): (usize, &Book)| Some(Turn { place, from: book.late?.from, cells: 0 });
        self.turns = self.ledger.books().iter().enumerate().filter_map(late).collect();
    }

    /// Counts the next stretch of what came late, if it has been quiet for long enough. False if there
    /// is nothing to count for now.
    async fn count_late(&mut self, history: &History) -> Result<bool, PassError> {
        if self.turns.is_empty() && self.waiting.is_some_and(|waiting| waiting.due() <= self.clock.mono()) {
            self.begin_turns();
        }
        let Some(turn) = self.turns.first().copied() else { return Ok(false) };
        let Some((book, late)) =
            self.ledger.books().get(turn.place).and_then(|book| Some((book.clone(), book.late?)))
        else {
            self.turns.remove(0);
            return Ok(true);
        };
        let (cells, left) = self.count_stretch(&book, late, turn.place, history).await?;
        let cells = turn.cells + cells;
        if left {
            self.turns.iter_mut().take(1).for_each(|turn| turn.cells = cells);
            return Ok(true);
        }
        self.turns.remove(0);
        self.metrics.recounts.inc();
        tracing::info!(
            meter = %book.meter.id,
            from_ms = turn.from.0,
            cells,
            "Readings that came late are counted."
        );
        Ok(true)
    }

    /// Counts a stretch anew and commits it; how many cells that changed, and whether more is left.
    async fn count_stretch(
        &mut self,
        book: &Book,
        late: Late,
        place: usize,
        history: &History,
    ) -> Result<(usize, bool), PassError> {
        let (meter, now) = (Arc::new(book.meter.clone()), self.clock.utc());
        let end = book.account.state.newest().map_or(UtcMs(i64::MAX), |newest| newest.plus_ms(1));
        let Some(start) = self.start(&meter, late, end, history).await? else {
            let meter = Arc::clone(&meter);
            self.db.write(move |tx| store::forget_late(tx, &meter)).await?;
            self.settle(place, None, book.account);
            return Ok((0, false));
        };
        let of = Arc::clone(&meter);
        let known = self.db.read(move |connection| store::anchors_behind(connection, &of, late.until));
        let mut recount = Recount::new(meter.settings, start, late, &book.account, known.await?);
        let mut from = start.anchor.at.plus_ms(1);
        loop {
            let page = history.range(meter.point, from, end, READINGS_MAX).await?;
            let is_over = recount.take(&page.readings);
            match page.readings.last() {
                Some(last) if page.truncated && !is_over => from = last.at.plus_ms(1),
                _ => break,
            }
        }
        let (stretch, of) = (Arc::new(recount.finish()), Arc::clone(&meter));
        let counted = Arc::clone(&stretch);
        let difference = self.db.read(move |connection| store::difference(connection, &of, &counted)).await?;
        let cells = difference.changed.len() + difference.gone.len();
        let (of, counted) = (Arc::clone(&meter), Arc::clone(&stretch));
        let found = self.db.write(move |tx| store::settle(tx, &of, &counted, &difference, now)).await?;
        let account = match stretch.end {
            End::Newest(account) => account,
            End::Stretch(_) | End::Joined(_) => book.account,
        };
        self.settle(place, stretch.left, account);
        for finding in &found {
            self.say(&meter, finding);
        }
        Ok((cells, stretch.left.is_some()))
    }

    fn settle(&mut self, place: usize, late: Option<Late>, account: Account) {
        if let Some(book) = self.ledger.book_mut(place) {
            (book.late, book.account) = (late, account);
        }
    }

    /// Where counting anew begins; nowhere if the history has nothing of the meter any more.
    async fn start(
        &self,
        meter: &Arc<Counted>,
        late: Late,
        end: UtcMs,
        history: &History,
    ) -> Result<Option<Start>, PassError> {
        let kept = history.keeps_since(meter.point, self.clock.utc());
        let first = history.range(meter.point, kept, end, 1).await?.readings.first().map(|first| first.at);
        let Some(first) = first else { return Ok(None) };
        let meter = Arc::clone(meter);
        let start = self.db.read(move |connection| {
            let anchor = store::anchor_before(connection, &meter, late.anchors_before())?;
            // What came behind it must all be there, or what is gone would be taken for a gap.
            let is_whole = |at: UtcMs, is_origin| at >= if is_origin { kept } else { first };
            if let Some(anchor) = anchor.filter(|anchor| is_whole(anchor.at, anchor.is_origin())) {
                return Ok(Start::at(anchor));
            }
            let is_older_counted = store::has_cells_before(connection, &meter, cell_of(first))?;
            Ok(Start::with_first(first, is_older_counted))
        });
        Ok(Some(start.await?))
    }
}

impl Waiting {
    fn due(self) -> Mono {
        self.last.plus_ms(QUIET_MS).min(self.first.plus_ms(PATIENCE_MS))
    }
}

/// A meter with what is remembered of it.
async fn book(db: &Db, meter: Counted, memory: Memory, cursor: u64) -> Result<Book, DbError> {
    match memory {
        Memory::Known(account, late) => Ok(Book { meter, account, late }),
        Memory::New if cursor == 0 => Ok(Book { meter, account: Account::default(), late: None }),
        Memory::New => {
            // The log is read up to here, so all that its point has shown comes late for it.
            let late = Late { from: UtcMs::SOURCE_MIN, until: UtcMs(i64::MAX) };
            let of = meter.clone();
            db.write(move |tx| store::note_late(tx, &of, late)).await?;
            Ok(Book { meter, account: Account::default(), late: Some(late) })
        }
        Memory::Other(floor) => {
            let of = meter.clone();
            let account = db.write(move |tx| store::begin_behind(tx, &of, floor)).await?;
            Ok(Book { meter, account, late: None })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Http, Meter, Point, Site, Tariff, TariffClass};
    use crate::db::{KillPoints, events};
    use crate::energy::{CellQuality, Energy, MIGRATIONS};
    use crate::historian::{self, Historian, Opened, Retention};
    use crate::point::{Decimal, Declared, Names, PointId, Quality, Reading, UtcMs, Value, ValueKind};
    use crate::readings::HistorianFeed;
    use std::path::Path;
    use tokio::sync::mpsc;
    use tokio::task::JoinSet;

    const MINUTE: i64 = 60_000;
    /// 2026-11-22 00:00 in Shanghai.
    const MIDNIGHT: i64 = 1_795_276_800_000;

    fn plan() -> Plan {
        let names = |id: &str| Names::or_id(None, None, id);
        let class = |id: &str, price: &str| TariffClass {
            id: id.parse().unwrap(),
            name: names(id),
            price: price.parse().unwrap(),
        };
        Plan {
            site: Site {
                id: "demo".parse().unwrap(),
                name: names("demo"),
                zone: jiff::tz::TimeZone::get("Asia/Shanghai").unwrap(),
            },
            http: Http { listen: ([127, 0, 0, 1], 0).into() },
            history: crate::config::History::default(),
            assets: Vec::new(),
            feeds: Vec::new(),
            points: vec![Point {
                address: "main/energy".parse().unwrap(),
                formerly: Vec::new(),
                name: names("energy"),
                unit: "kW.h".parse().unwrap(),
                kind: ValueKind::Decimal,
                scale: "0.01".parse().unwrap(),
                offset: Decimal::ZERO,
                range: None,
                stale_after_ms: 60_000,
                decimals: 2,
                states: vec![],
                conditioning: crate::config::Conditioning::default(),
            }],
            buses: Vec::new(),
            brokers: Vec::new(),
            derived: Vec::new(),
            targets: Vec::new(),
            rules: Vec::new(),
            meters: vec![Meter {
                id: "main".parse().unwrap(),
                name: names("main"),
                point: "main/energy".parse().unwrap(),
                resolution_exponent: -2,
                modulus: 1_000_000,
                rate_max_per_hour: 100_000,
                expected_interval_ms: 60_000,
                tariff: Some("tou".parse().unwrap()),
            }],
            tariffs: vec![Tariff {
                id: "tou".parse().unwrap(),
                name: names("tou"),
                valid_from: "2026-01-01".parse().unwrap(),
                half_hours: std::array::from_fn(|half| u8::from(half >= 1)),
                classes: vec![class("valley", "0.3"), class("peak", "1.2")],
            }],
        }
    }

    fn declared(plan: &Plan) -> Vec<Declared> {
        let points = plan.points.iter().map(|point| Declared {
            address: point.address.clone(),
            formerly: Vec::new(),
            unit: point.unit,
            kind: point.kind,
        });
        points.collect()
    }

    fn catalogue(plan: &Plan) -> Catalogue {
        let mut catalogue = Catalogue::default();
        catalogue.declare(&declared(plan));
        catalogue
    }

    async fn open(path: &Path, kill: KillPoints) -> (Task, Energy) {
        let (db, _writer) = Db::open_with(path, MIGRATIONS, kill).unwrap();
        let (plan, clock) = (plan(), Clock::starting_at(UtcMs(MIDNIGHT + 120 * MINUTE)));
        let task = Task::open(&plan, &catalogue(&plan), db.clone(), clock.clone(), Metrics::default()).await;
        (task.unwrap(), Energy::new(&plan, db, clock).unwrap())
    }

    /// A record a minute: 10 counts each, every fourth one a zero, a rollover on the way.
    fn log(records: u64) -> Vec<(Seq, Arc<Batch>)> {
        (1..=records)
            .map(|seq| {
                let number = i64::try_from(seq).unwrap();
                let counts = if number % 4 == 0 { 0 } else { (999_800 + number * 10) % 1_000_000 };
                let at = UtcMs(MIDNIGHT + number * MINUTE);
                let reading = Reading {
                    point: PointId(1),
                    at,
                    value: Some(Value::Decimal(Decimal::new(counts, -2).unwrap())),
                    quality: Quality::Good,
                };
                let batch = Batch {
                    device: "meter".into(),
                    source_at: None,
                    received_at: at,
                    at_error_ms: 0,
                    readings: vec![reading],
                };
                (Seq(seq), Arc::new(batch))
            })
            .collect()
    }

    async fn all(energy: &Energy) -> Vec<(i64, i64)> {
        let from = UtcMs(MIDNIGHT - 366 * 1_440 * MINUTE);
        let cells = energy.cells("main", from, UtcMs(MIDNIGHT + 120 * MINUTE)).await.unwrap();
        let counts = |energy: Decimal| energy.mantissa_at(-2).unwrap();
        let known = cells.iter().filter_map(|cell| Some((cell.start.0, counts(cell.energy?))));
        known.collect()
    }

    #[tokio::test]
    async fn what_was_counted_is_what_every_view_shows() {
        let dir = tempfile::tempdir().unwrap();
        let (mut task, energy) = open(&dir.path().join("db"), KillPoints::none()).await;
        task.count(&log(61)).await.unwrap();
        let cells = energy.cells("main", UtcMs(MIDNIGHT), UtcMs(MIDNIGHT + 120 * MINUTE)).await.unwrap();
        let spoken: Vec<_> = cells
            .iter()
            .map(|cell| {
                (cell.energy.map(|energy| energy.to_string()), cell.quality, cell.class.clone().unwrap())
            })
            .map(|(energy, quality, class)| (energy.unwrap_or_default(), quality, class.to_string()))
            .collect();
        let row = |energy: &str, quality, class: &str| (energy.to_owned(), quality, class.to_owned());
        let mut expected = vec![
            row("1.40", CellQuality::Good, "valley"),
            row("1.50", CellQuality::Good, "valley"),
            row("1.50", CellQuality::Good, "peak"),
            // The zero of minute 60 leaves a step of two minutes across the border.
            row("1.50", CellQuality::Estimated, "peak"),
            row("0.10", CellQuality::Estimated, "peak"),
        ];
        // Of the running day what is over and unknown is missing.
        expected.resize(8, row("", CellQuality::Missing, "peak"));
        assert_eq!(spoken, expected);
        let day =
            energy.days("main", "2026-11-22".parse().unwrap(), "2026-11-22".parse().unwrap()).await.unwrap();
        assert_eq!(day[0].energy.unwrap().to_string(), "6.00");
        // 2.90 * 0.3 + 3.10 * 1.2
        assert_eq!(day[0].cost.unwrap(), "4.59".parse().unwrap());
        assert_eq!((day[0].cells, day[0].missing), (96, 3));
    }

    /// The process dies at every step the writer takes; started again it goes on from its
    /// cursor. Nothing is counted twice, nothing left out.
    #[tokio::test]
    async fn killed_at_every_step_it_counts_once() {
        let records = log(40);
        let dir = tempfile::tempdir().unwrap();
        let count = KillPoints::at(0);
        let (mut task, energy) = open(&dir.path().join("whole"), count.clone()).await;
        for piece in records.chunks(7) {
            task.count(piece).await.unwrap();
        }
        let whole = all(&energy).await;
        assert_eq!(whole.iter().map(|cell| cell.1).sum::<i64>(), 380);
        assert!(count.steps() >= 18);
        for die_at in 1..=count.steps() {
            let path = dir.path().join(format!("killed-{die_at}"));
            let (mut task, _) = open(&path, KillPoints::at(die_at)).await;
            for piece in records.chunks(7) {
                if task.count(piece).await.is_err() {
                    break;
                }
            }
            // As `run` does: everything behind the stored cursor, in pieces of another size.
            let (mut task, energy) = open(&path, KillPoints::none()).await;
            let behind = usize::try_from(task.cursor.0).unwrap();
            for piece in records[behind..].chunks(5) {
                task.count(piece).await.unwrap();
            }
            assert_eq!(all(&energy).await, whole, "killed at step {die_at}");
        }
    }

    #[tokio::test]
    async fn a_reset_is_in_the_event_log_once() {
        let dir = tempfile::tempdir().unwrap();
        let (mut task, _) = open(&dir.path().join("db"), KillPoints::none()).await;
        let mut records = log(3);
        for (index, counts) in [500_000, 40, 50].into_iter().enumerate() {
            let batch = Arc::make_mut(&mut records[index].1);
            batch.readings[0].value = Some(Value::Decimal(Decimal::new(counts, -2).unwrap()));
        }
        let mut first = records[0].clone();
        Arc::make_mut(&mut first.1).readings[0].at = UtcMs(MIDNIGHT);
        task.count(&[first]).await.unwrap();
        task.count(&records).await.unwrap();
        let found = task.db.read(|connection| events::after(connection, 0, 10)).await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].kind.as_str(), found[0].subject.as_str()),
            ("energy.reset_suspected", "meter:main")
        );
        assert_eq!(found[0].body["before"]["register"], "5000.00");
        assert_eq!(found[0].body["after"]["register"], "0.40");
    }

    /// A meter that counts another point or in another resolution starts anew; what was counted
    /// stays, and a cell in which that happens holds both.
    #[tokio::test]
    async fn another_resolution_keeps_the_cells() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        let (mut task, _) = open(&path, KillPoints::none()).await;
        task.count(&log(3)).await.unwrap();
        let (db, _writer) = Db::open(&path, MIGRATIONS).unwrap();
        let mut plan = plan();
        plan.meters[0].resolution_exponent = -1;
        let clock = Clock::starting_at(UtcMs(MIDNIGHT + 120 * MINUTE));
        let catalogue = catalogue(&plan);
        let mut task =
            Task::open(&plan, &catalogue, db.clone(), clock.clone(), Metrics::default()).await.unwrap();
        task.count(&log(7)[4..]).await.unwrap();
        let energy = Energy::new(&plan, db, clock).unwrap();
        let cells = energy.cells("main", UtcMs(MIDNIGHT), UtcMs(MIDNIGHT + 15 * MINUTE)).await.unwrap();
        // 0.20 of the first three readings, 0.2 of the fifth to the seventh.
        assert_eq!(cells.len(), 1);
        assert_eq!(cells[0].energy.unwrap(), "0.40".parse().unwrap());
    }

    /// One reading of the meter: so many minutes behind midnight it showed so many counts.
    fn shown(minute: i64, counts: i64) -> Reading {
        Reading {
            point: PointId(1),
            at: UtcMs(MIDNIGHT + minute * MINUTE),
            value: Some(Value::Decimal(Decimal::new(counts, -2).unwrap())),
            quality: Quality::Good,
        }
    }

    /// These pieces as they come, one record each.
    fn records(pieces: impl IntoIterator<Item = Vec<Reading>>) -> Vec<(Seq, Arc<Batch>)> {
        let batch = |readings: Vec<Reading>| Batch {
            device: "meter".into(),
            source_at: None,
            received_at: readings[0].at,
            at_error_ms: 0,
            readings,
        };
        (1..).map(Seq).zip(pieces.into_iter().map(batch).map(Arc::new)).collect()
    }

    /// A history that holds these records.
    struct Past {
        history: History,
        feeds: mpsc::Sender<HistorianFeed>,
        writer: JoinSet<()>,
    }

    impl Past {
        async fn of(dir: &Path, records: &[(Seq, Arc<Batch>)], keep_ms: Option<u64>) -> Past {
            let clock = Clock::starting_at(UtcMs(MIDNIGHT + 120 * MINUTE));
            let opened = Historian::open(&dir.join("history"), clock, historian::Metrics::default());
            let Opened { mut historian, history, .. } = opened.unwrap();
            historian.declare(&declared(&plan())).unwrap();
            historian.retain(Retention { default_ms: keep_ms, ..Retention::default() });
            let (feeds, fed) = mpsc::channel(8);
            let mut writer = JoinSet::new();
            writer.spawn(historian.run(fed, CancellationToken::new()));
            let past = Past { history, feeds, writer };
            past.keep(records).await;
            past
        }

        async fn keep(&self, records: &[(Seq, Arc<Batch>)]) {
            let mut head = self.history.head();
            let before = head.borrow_and_update().0;
            for (_, batch) in records {
                let feed = HistorianFeed { batch: Arc::clone(batch), ack: None, lost_before: None };
                self.feeds.send(feed).await.unwrap();
            }
            head.wait_for(|head| head.0 == before + records.len() as u64).await.unwrap();
        }

        async fn close(mut self) {
            drop(self.feeds);
            while self.writer.join_next().await.is_some() {}
        }
    }

    /// Counts anew whatever came late; how many stretches that took.
    async fn count_late(task: &mut Task, history: &History) -> Result<usize, PassError> {
        task.begin_turns();
        let mut stretches = 0;
        while task.count_late(history).await? {
            stretches += 1;
        }
        Ok(stretches)
    }

    /// What a fold over sorted readings counts, by cell.
    async fn counted_in_order(dir: &Path, pieces: &[Vec<Reading>]) -> Vec<(i64, i64)> {
        let mut readings: Vec<_> = pieces.concat();
        readings.sort_by_key(|reading| reading.at);
        let (mut task, energy) = open(&dir.join("in-order"), KillPoints::none()).await;
        task.count(&records([readings])).await.unwrap();
        all(&energy).await
    }

    /// The process dies at every step of the writer while it counts the past, which comes newest first:
    /// started again it goes on, and in the end all is counted once.
    #[tokio::test]
    async fn killed_at_every_step_what_came_late_is_counted_once() {
        let dir = tempfile::tempdir().unwrap();
        // Three hours of every other day of a fortnight, newest first, and a reset among them.
        let counts = |minute: i64| if minute < -8 * 1_440 + 90 { 700_000 + minute } else { 20_000 + minute };
        let day = |day: i64| {
            (0..12).map(move |place| day * 1_440 + place * 15).map(move |at| shown(at, counts(at)))
        };
        let pieces: Vec<Vec<Reading>> = (0..7).map(|back| day(back * -2).collect()).collect();
        let records = records(pieces.clone());
        let past = Past::of(dir.path(), &records, None).await;
        let whole = counted_in_order(dir.path(), &pieces).await;
        let work = async |task: &mut Task| -> Result<(), PassError> {
            let behind = usize::try_from(task.cursor.0).unwrap();
            for piece in records[behind..].chunks(2) {
                task.count(piece).await?;
                count_late(task, &past.history).await?;
            }
            count_late(task, &past.history).await.map(drop)
        };
        let count = KillPoints::at(0);
        let (mut task, energy) = open(&dir.path().join("whole"), count.clone()).await;
        work(&mut task).await.unwrap();
        assert_eq!(all(&energy).await, whole);
        assert!(count.steps() >= 20, "{}", count.steps());
        for die_at in 1..=count.steps() {
            let path = dir.path().join(format!("killed-{die_at}"));
            let (mut task, _) = open(&path, KillPoints::at(die_at)).await;
            drop(work(&mut task).await);
            let (mut task, energy) = open(&path, KillPoints::none()).await;
            work(&mut task).await.unwrap();
            assert_eq!(all(&energy).await, whole, "killed at step {die_at}");
            assert_eq!(energy.late("main").await.unwrap(), None);
            let told = task.db.read(|connection| events::after(connection, 0, 10)).await.unwrap();
            assert_eq!(told.len(), 1, "killed at step {die_at}: {told:?}");
        }
        past.close().await;
    }

    /// Readings from before the first one that is kept are gone, an anchor among them is not. A late one
    /// behind it is counted; what was counted before stays, also of the cell it shares with what is gone,
    /// and a late one from then changes nothing.
    #[tokio::test]
    async fn what_was_counted_of_forgotten_readings_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        // Seven minutes behind each border, so that every cell has two steps: five counts of each, and
        // more in the first two days.
        let shown_at = |minute: i64| {
            let behind = (minute - 7) / 15 + 288;
            shown(minute, 50_000 - 2_880 + behind * if behind < 0 { 13 } else { 10 })
        };
        let day = |day: i64| (0..96).map(move |cell| shown_at(day * 1_440 + cell * 15 + 7));
        let pieces = records((-5..0).map(|number| day(number).collect()));
        // Of five days the history keeps two; then something comes for the second and for the fifth.
        let past = Past::of(dir.path(), &pieces[3..], Some(172_800_000)).await;
        let (mut task, energy) = open(&dir.path().join("db"), KillPoints::none()).await;
        task.count(&pieces).await.unwrap();
        let before = all(&energy).await;
        assert_eq!(before.len(), 5 * 96);
        let (old, new) = (-4 * 1_440 + 12, -1_440 + 45);
        let late = records([vec![shown(old, 40_000)], vec![shown(new, 50_000 - 960 + 28)]]);
        past.keep(&late).await;
        let late: Vec<_> = late.into_iter().map(|(seq, batch)| (Seq(seq.0 + 5), batch)).collect();
        task.count(&late).await.unwrap();
        assert_eq!(energy.late("main").await.unwrap(), Some(UtcMs(MIDNIGHT + old * MINUTE)));
        count_late(&mut task, &past.history).await.unwrap();
        let after = all(&energy).await;
        assert_eq!(after.len(), before.len());
        let changed = before.iter().zip(&after).filter(|(old, new)| old != new);
        let changed: Vec<_> =
            changed.map(|(_, (start, counts))| ((start - MIDNIGHT) / MINUTE, *counts)).collect();
        // 00:37 to 00:45 has eight of the ten counts until 00:52.
        assert_eq!(changed, [(new - 15, 13), (new, 7)]);
        assert_eq!(energy.late("main").await.unwrap(), None);
        past.close().await;
    }

    /// A meter that is new to a point with a past is counted from its first reading on.
    #[tokio::test]
    async fn a_new_meter_has_the_past_of_its_point() {
        let dir = tempfile::tempdir().unwrap();
        let records = log(61);
        let past = Past::of(dir.path(), &records, None).await;
        let (mut task, energy) = open(&dir.path().join("known"), KillPoints::none()).await;
        task.count(&records).await.unwrap();
        let path = dir.path().join("new");
        let (db, _writer) = Db::open(&path, MIGRATIONS).unwrap();
        db.write(|tx| store::advance(tx, 50)).await.unwrap();
        let (mut task, new) = open(&path, KillPoints::none()).await;
        task.count(&records[50..]).await.unwrap();
        assert_eq!(all(&new).await, []);
        count_late(&mut task, &past.history).await.unwrap();
        assert_eq!(all(&new).await, all(&energy).await);
        past.close().await;
    }

    /// How long a year takes, for whoever looks: `cargo test --release a_year -- --nocapture`.
    #[tokio::test]
    async fn a_year_is_counted_anew_in_stretches() {
        let dir = tempfile::tempdir().unwrap();
        let cells = 35_040;
        let readings: Vec<_> = (1..=cells).map(|back| shown(back * -15, 900_000 - back * 20)).collect();
        // The newest comes first and alone, as of a live meter.
        let months = readings[1..].chunks(2_976).map(<[Reading]>::to_vec);
        let pieces = records(std::iter::once(readings[..1].to_vec()).chain(months));
        let past = Past::of(dir.path(), &pieces, None).await;
        let (mut task, energy) = open(&dir.path().join("db"), KillPoints::none()).await;
        task.count(&pieces).await.unwrap();
        task.begin_turns();
        let (clock, mut longest, mut stretches) = (Clock::system(), 0, 0);
        loop {
            let before = clock.mono();
            if !task.count_late(&past.history).await.unwrap() {
                break;
            }
            longest = longest.max(clock.mono().since_ms(before));
            stretches += 1;
        }
        println!("a year in {} ms and {stretches} stretches, the longest {longest} ms", clock.mono().0);
        assert!((12..=13).contains(&stretches), "{stretches}");
        let counted = all(&energy).await;
        assert_eq!(i64::try_from(counted.len()).unwrap(), cells - 1);
        assert!(counted.iter().all(|cell| cell.1 == 20));
        // A correction in the middle concerns its day only.
        let middle = records([vec![shown(-17_520 * 15, 900_000 - 17_520 * 20 + 3)]]);
        past.keep(&middle).await;
        task.count(&[(Seq(99), Arc::clone(&middle[0].1))]).await.unwrap();
        assert_eq!(count_late(&mut task, &past.history).await.unwrap(), 1);
        assert_eq!(task.turns.len(), 0);
        let corrected = all(&energy).await;
        let different = counted.iter().zip(&corrected).filter(|(old, new)| old != new).map(|(_, new)| new.1);
        assert_eq!(different.collect::<Vec<_>>(), [23, 17]);
        past.close().await;
    }

    /// What an older version told is not told again, and what it counted in another resolution is not
    /// counted twice.
    #[tokio::test]
    async fn a_database_of_before_is_taken_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        let cell = |number: i64| MIDNIGHT + number * 15 * MINUTE;
        let before = |number: i64, exponent: i64| {
            format!("INSERT INTO energy_cell VALUES ('main', {}, {exponent}, 5, 0);", cell(number))
        };
        {
            let (db, _writer) = Db::open(&path, &MIGRATIONS[..1]).unwrap();
            let sql = [before(0, -1), before(1, -1), before(1, -2), before(2, -2)].concat();
            db.write(move |tx| {
                tx.execute_batch(&sql)?;
                tx.execute("INSERT INTO energy_meter VALUES ('main', 1, -2, '{}')", [])?;
                let body =
                    serde_json::json!({ "meter": "main", "before": { "at": 1 }, "after": { "at": 2 } });
                let kind = "energy.reset_suspected";
                tx.append(crate::db::NewEvent { at: UtcMs(0), kind, subject: "meter:main", body })?;
                Ok(())
            })
            .await
            .unwrap();
        }
        let (task, _) = open(&path, KillPoints::none()).await;
        let told: (String, String, i64, i64) = task
            .db
            .read(|db| {
                let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
                Ok(db.query_row("SELECT * FROM energy_told", [], row)?)
            })
            .await
            .unwrap();
        assert_eq!(told, ("main".into(), "energy.reset_suspected".into(), 1, 2));
        let meter = task.ledger.books()[0].meter.clone();
        let origin =
            task.db.read(move |db| store::anchor_before(db, &meter, UtcMs(0))).await.unwrap().unwrap();
        assert!(origin.is_origin());
        assert_eq!((origin.at.0, origin.first_cell().0), (cell(2) - 1, cell(1)));
        assert_eq!(origin.account.part.unwrap().counts, 5);
    }
}
