//! Follows the historian's log and commits what it means, cursor and cells in one transaction.

use super::config::{BuildError, counted};
use super::ledger::Ledger;
use super::metrics::Metrics;
use super::store;
use crate::clock::Clock;
use crate::config::Plan;
use crate::db::{Db, DbError};
use crate::historian::{Follower, History, HistoryError, Seq};
use crate::net::Backoff;
use crate::point::{Batch, Catalogue};
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
        let (ledger, cursor) = db
            .read(move |connection| {
                let mut remembered = Vec::with_capacity(meters.len());
                for meter in meters {
                    let exponent = meter.settings.exponent;
                    let state = store::state(connection, meter.id.as_str(), meter.point.0, exponent)?;
                    remembered.push((meter, state));
                }
                Ok((Ledger::new(remembered), store::cursor(connection)?))
            })
            .await?;
        Ok(Task { ledger, cursor: Seq(cursor), db, clock, metrics })
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
            match self.pass(&mut follower).await {
                // A page of the log that is not the last one.
                Ok(counted) if counted > 0 && self.cursor < seen => {}
                Ok(_) => {
                    backoff.reset();
                    self.clock.sleep_until(next).await;
                    if head.wait_for(|head| *head > seen).await.is_err() {
                        // The historian is gone; the stop token follows.
                        std::future::pending::<()>().await;
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
        let (changes, findings) = (pass.changes, pass.findings.clone());
        self.db
            .write(move |tx| {
                for change in &changes {
                    store::apply(tx, change)?;
                }
                for finding in &findings {
                    tx.append(finding.event(&finding.subject(), now))?;
                }
                store::advance(tx, last.0)
            })
            .await?;
        (self.ledger, self.cursor) = (ledger, last);
        self.metrics.steps.inc_by(pass.steps);
        self.metrics.outliers.inc_by(pass.outliers);
        for refusal in pass.refused {
            self.metrics.refuse(refusal);
        }
        for found in &pass.findings {
            let kind = found.finding.kind.event();
            self.metrics.find(kind);
            tracing::warn!(meter = %found.meter.id, kind, "A register did what it cannot do, look at its meter.");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Http, Meter, Point, Site, Tariff, TariffClass};
    use crate::db::{KillPoints, events};
    use crate::energy::{CellQuality, Energy, MIGRATIONS};
    use crate::point::{Decimal, Declared, Names, PointId, Quality, Reading, UtcMs, Value, ValueKind};
    use std::path::Path;

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

    fn catalogue(plan: &Plan) -> Catalogue {
        let mut catalogue = Catalogue::default();
        let points: Vec<_> = plan
            .points
            .iter()
            .map(|point| Declared {
                address: point.address.clone(),
                formerly: Vec::new(),
                unit: point.unit,
                kind: point.kind,
            })
            .collect();
        catalogue.declare(&points);
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
        let cells = energy.cells("main", UtcMs(MIDNIGHT), UtcMs(MIDNIGHT + 120 * MINUTE)).await.unwrap();
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
}
