//! Readings from elsewhere: rows of a file, taken in through the same writer as all others.
//!
//! A row that the history holds already (same point, same time, same value and quality) is no new
//! reading, so a file may be taken in again, whole or from anywhere. Of rows for one instant the
//! last counts. What is new is a late reading like any other, of the device `import`.

use super::history::{History, HistoryError, RANGE_MAX};
use super::texts::TEXT_BYTES_MAX;
use super::{CatalogueError, Texts};
use crate::clock::Clock;
use crate::field::{Ack, acks};
use crate::point::{
    Address, Batch, Catalogue, CatalogueEntry, Decimal, PointId, Quality, Reading, Severity, TextId, UtcMs,
    Value, ValueKind,
};
use crate::readings::HistorianFeed;
use crate::readings::engine::SOURCE_AHEAD_MAX_MS;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Rows taken in at once. They become one record of the journal.
pub const ROWS_MAX: usize = 5_000;

/// The device of readings that were taken in.
const DEVICE: &str = "import";

/// A reading in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Of which point.
    pub point: Address,
    /// When.
    pub at: UtcMs,
    /// The value as text; none exactly when the quality is Bad.
    pub value: Option<String>,
    /// How far to trust it.
    pub quality: Quality,
}

/// What became of some rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// New readings, on disk.
    pub stored: usize,
    /// Rows the history held already, or that another row for the same instant replaced.
    pub known: usize,
}

/// What is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// Nobody declared it.
    #[error("no point has the address {0}")]
    UnknownPoint(Address),
    /// The value is not of the point's kind.
    #[error("{found:?} is no value of {point}, which takes {kind}")]
    Value {
        /// The value.
        found: String,
        /// Of which point.
        point: Address,
        /// What it takes.
        kind: &'static str,
    },
    /// A value that is Bad, or none that is not.
    #[error("there is a value exactly when the quality is not bad")]
    Unusable,
    /// A clock that was never set, or is ahead.
    #[error("the time {0} is before 2000 or in the future")]
    Time(UtcMs),
}

impl RowError {
    /// The column of a table it shows in.
    pub fn column(&self) -> &'static str {
        match self {
            RowError::UnknownPoint(_) => "point",
            RowError::Value { .. } | RowError::Unusable => "value",
            RowError::Time(_) => "time",
        }
    }
}

/// Why rows were not taken in. None of them is, then.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// More than [`ROWS_MAX`].
    #[error("{0} rows at once are too many; {ROWS_MAX} are taken")]
    TooMany(usize),
    /// One that cannot be a reading.
    #[error("row {index} of these: {why}")]
    Row {
        /// Its place among them, from 0.
        index: usize,
        /// What is wrong.
        why: RowError,
    },
    /// The points cannot be read.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// What is there cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The writer stopped before they were on disk.
    #[error("the historian stopped before the readings were on disk; take them in again")]
    Stopped,
}

/// Takes rows in; clones share the writer's channel.
#[derive(Clone)]
pub struct Importer {
    history: History,
    feeds: mpsc::Sender<HistorianFeed>,
    clock: Clock,
}

impl std::fmt::Debug for Importer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Importer").finish_non_exhaustive()
    }
}

impl Importer {
    pub(super) fn new(history: History, feeds: mpsc::Sender<HistorianFeed>, clock: Clock) -> Importer {
        Importer { history, feeds, clock }
    }

    /// Takes rows in, all or none; what is new is on disk when this returns.
    pub async fn take(&self, rows: &[Row]) -> Result<Taken, ImportError> {
        if rows.len() > ROWS_MAX {
            return Err(ImportError::TooMany(rows.len()));
        }
        let mut wanted = self.readings(rows).await?;
        self.drop_known(&mut wanted).await?;
        let taken = Taken { stored: wanted.len(), known: rows.len() - wanted.len() };
        if taken.stored > 0 {
            self.store(wanted.into_values().collect()).await?;
        }
        Ok(taken)
    }

    /// The points there are, with their numbers.
    pub async fn points(&self) -> Result<Catalogue, ImportError> {
        Ok(self.history.catalogue().await?)
    }

    /// Takes readings in, by the devices that gave them: for who has them as numbers and by the million.
    /// Each device's become one batch. What is there already is only looked for if it is said that
    /// some may be. They are on disk when this returns.
    pub async fn take_readings(
        &self,
        devices: Vec<(Arc<str>, Vec<Reading>)>,
        may_be_there: bool,
    ) -> Result<(), ImportError> {
        let mut batches = Vec::with_capacity(devices.len());
        for (device, mut readings) in devices {
            if may_be_there {
                let mut wanted = readings.iter().map(|one| ((one.point, one.at), *one)).collect();
                self.drop_known(&mut wanted).await?;
                readings.retain(|one| wanted.contains_key(&(one.point, one.at)));
            }
            batches.extend(readings.chunks(ROWS_MAX).map(|some| (Arc::clone(&device), some.to_vec())));
        }
        let Ok(parts @ 1..) = u32::try_from(batches.len()) else { return Ok(()) };
        let (acks, mut committed) = acks();
        let ack = acks.handle(Ack { epoch: 0, packet: 1 }, parts);
        drop(acks);
        for (device, readings) in batches {
            let batch = self.batch(device, readings);
            let feed = HistorianFeed { batch: Arc::new(batch), ack: Some(ack.clone()), lost_before: None };
            self.feeds.send(feed).await.map_err(|_| ImportError::Stopped)?;
        }
        drop(ack);
        committed.recv().await.map(drop).ok_or(ImportError::Stopped)
    }

    /// One reading for each point and instant.
    async fn readings(&self, rows: &[Row]) -> Result<BTreeMap<(PointId, UtcMs), Reading>, ImportError> {
        let (catalogue, now) = (self.history.catalogue().await?, self.clock.utc());
        let mut readings = BTreeMap::new();
        for (index, row) in rows.iter().enumerate() {
            let entry = catalogue.find(&row.point).and_then(|id| catalogue.get(id));
            let reading = entry.ok_or_else(|| RowError::UnknownPoint(row.point.clone())).and_then(|entry| {
                check(row, entry, now)?;
                let value = row.value.as_deref().map(|text| value(text, entry, Some(self.history.texts())));
                Ok(Reading { point: entry.id, at: row.at, value: value.transpose()?, quality: row.quality })
            });
            let reading = reading.map_err(|why| ImportError::Row { index, why })?;
            readings.insert((reading.point, reading.at), reading);
        }
        Ok(readings)
    }

    async fn drop_known(&self, wanted: &mut BTreeMap<(PointId, UtcMs), Reading>) -> Result<(), ImportError> {
        let mut spans: BTreeMap<PointId, (UtcMs, UtcMs)> = BTreeMap::new();
        for (point, at) in wanted.keys() {
            spans.entry(*point).or_insert((*at, *at)).1 = *at;
        }
        for (point, (mut from, last)) in spans {
            loop {
                let page = self.history.range(point, from, last.plus_ms(1), RANGE_MAX).await?;
                for held in &page.readings {
                    if wanted.get(&(point, held.at)) == Some(held) {
                        wanted.remove(&(point, held.at));
                    }
                }
                match page.readings.last() {
                    Some(end) if page.truncated => from = end.at.plus_ms(1),
                    _ => break,
                }
            }
        }
        Ok(())
    }

    async fn store(&self, readings: Vec<Reading>) -> Result<(), ImportError> {
        let batch = self.batch(DEVICE.into(), readings);
        let (acks, mut committed) = acks();
        let ack = Some(acks.handle(Ack { epoch: 0, packet: 1 }, 1));
        drop(acks);
        let feed = HistorianFeed { batch: Arc::new(batch), ack, lost_before: None };
        self.feeds.send(feed).await.map_err(|_| ImportError::Stopped)?;
        committed.recv().await.map(drop).ok_or(ImportError::Stopped)
    }
}

impl Importer {
    fn batch(&self, device: Arc<str>, readings: Vec<Reading>) -> Batch {
        Batch { device, source_at: None, received_at: self.clock.utc(), at_error_ms: 0, readings }
    }
}

/// Whether a row can be a reading of a point, without keeping anything of it.
pub fn check(row: &Row, entry: &CatalogueEntry, now: UtcMs) -> Result<(), RowError> {
    if row.at < UtcMs::SOURCE_MIN || row.at > now.plus_ms(SOURCE_AHEAD_MAX_MS) {
        return Err(RowError::Time(row.at));
    }
    if row.value.is_none() != (row.quality.severity() == Severity::Bad) {
        return Err(RowError::Unusable);
    }
    row.value.as_deref().map_or(Ok(()), |text| value(text, entry, None).map(drop))
}

/// The value a text spells; a word only gets its number if there is a dictionary.
fn value(text: &str, entry: &CatalogueEntry, texts: Option<&Texts>) -> Result<Value, RowError> {
    let (value, kind) = match entry.kind {
        ValueKind::Bool => (flag(text).map(Value::Bool), "true or false"),
        ValueKind::Decimal => (text.parse::<Decimal>().ok().map(Value::Decimal), "a decimal number"),
        ValueKind::F64 => {
            let number = text.parse().ok().filter(|number: &f64| number.is_finite());
            (number.map(Value::F64), "a number")
        }
        ValueKind::Text => {
            let fits = text.len() <= TEXT_BYTES_MAX;
            let id = texts.map_or(Some(TextId(0)), |texts| texts.id(text));
            (id.filter(|_| fits).map(Value::Text), "words of up to 1,024 bytes, and not too many of them")
        }
    };
    value.ok_or_else(|| RowError::Value { found: text.to_owned(), point: entry.address.clone(), kind })
}

fn flag(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Historian, Metrics, Opened};
    use super::*;
    use crate::point::Declared;
    use tokio_util::sync::CancellationToken;

    const AT: UtcMs = UtcMs(1_700_000_000_000);

    fn row(at: i64, value: &str) -> Row {
        let (point, at) = ("a/x".parse().unwrap(), AT.plus_ms(at));
        Row { point, at, value: Some(value.to_owned()), quality: Quality::Good }
    }

    /// A history with the point `a/x` of this kind, and what it takes in.
    async fn taking<F: Future<Output = ()>>(kind: ValueKind, work: impl FnOnce(Importer, History) -> F) {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::starting_at(AT.plus_ms(3_600_000));
        let Opened { mut historian, history, .. } =
            Historian::open(dir.path(), clock, Metrics::default()).unwrap();
        let declared =
            Declared { address: "a/x".parse().unwrap(), formerly: vec![], unit: "kW".parse().unwrap(), kind };
        historian.declare(&[declared]).unwrap();
        let (feeds, fed) = mpsc::channel(1);
        let work = work(historian.importer(feeds), history);
        tokio::join!(historian.run(fed, CancellationToken::new()), work);
    }

    #[tokio::test]
    async fn what_is_there_is_no_new_reading_and_the_last_of_an_instant_counts() {
        taking(ValueKind::Decimal, async |importer, history| {
            let take = async |rows: &[Row]| {
                let taken = importer.take(rows).await.unwrap();
                (taken.stored, taken.known)
            };
            assert_eq!(take(&[row(0, "1.0"), row(1, "2"), row(0, "3")]).await, (2, 1));
            assert_eq!(take(&[row(0, "1.0"), row(1, "2.00"), row(0, "3")]).await, (0, 3));
            assert_eq!(take(&[row(0, "4"), row(2, "5")]).await, (2, 0));
            let readings = history.range(PointId(1), AT, AT.plus_ms(10), 10).await.unwrap().readings;
            let values: Vec<_> =
                readings.iter().map(|reading| reading.value.and_then(Value::as_f64)).collect();
            assert_eq!(values, [Some(4.0), Some(2.0), Some(5.0)]);
            let batches = history.tail(super::super::Seq(0), 10).await.unwrap();
            assert!(batches.iter().all(|(_, batch)| &*batch.device == DEVICE));
        })
        .await;
    }

    #[tokio::test]
    async fn one_row_that_cannot_be_a_reading_keeps_all_out() {
        taking(ValueKind::F64, async |importer, history| {
            let unknown = Row { point: "a/y".parse().unwrap(), ..row(0, "1") };
            let bad = Row { quality: Quality::Bad(crate::point::Reason::Timeout), ..row(0, "1") };
            for wrong in [unknown, bad, row(0, "inf"), row(0, ""), row(-1_000_000_000_000, "1")] {
                let refused = importer.take(&[row(0, "1"), wrong]).await;
                assert!(matches!(refused, Err(ImportError::Row { index: 1, .. })), "{refused:?}");
            }
            let many = vec![row(0, "1"); ROWS_MAX + 1];
            assert!(matches!(importer.take(&many).await, Err(ImportError::TooMany(5_001))));
            assert_eq!(history.head().borrow().0, 0);
        })
        .await;
    }
}
