//! The one who writes: takes readings out of the journal and merges; `forget` is its other half.
//!
//! Runs on a thread of its own beside the commits. After an error it lets go of all files; the next
//! run opens them again, which throws away what was not finished.

use super::pack::{self, Index};
use super::read::Sealed;
use super::year::{Folded, Year};
use super::{path_of, plan, set_aside, unpackable, years};
use crate::historian::codec::{self, CodecError};
use crate::historian::epochs::Epochs;
use crate::historian::journal::{JournalError, JournalReader, Record, Seq};
use crate::historian::metrics::Metrics;
use crate::historian::query::Row;
use crate::historian::sqlite;
use crate::point::PointId;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

/// About so many readings leave the journal together: 12 MB while they are sorted.
const SLICE_ROWS: usize = 250_000;
/// More of them while their points have fewer each than this: parts of a few readings are written
/// again and again until they are chunks.
const SLICE_DEPTH: usize = 20;
/// But never more than so many times as many.
const SLICE_ROWS_FACTOR_MAX: usize = 4;

/// Merges between two looks at the log files.
const MERGES: usize = 8;

/// Where a test lets the sealer die: before a transaction, before its end, after it.
pub(super) type Step = Arc<dyn Fn() -> Result<(), JournalError> + Send + Sync>;

/// Seals, merges, forgets and sheds.
pub(in crate::historian) struct Sealer {
    pub(super) dir: PathBuf,
    journal: Box<dyn JournalReader>,
    pub(super) sealed: Arc<Sealed>,
    pub(super) metrics: Metrics,
    pub(super) years: Option<BTreeMap<i16, Year>>,
    /// One of them is damaged: they are looked at when they are opened again.
    suspect: bool,
    slice_rows: usize,
    pub(super) step: Step,
}

/// Rows of points, each with the device that first brought it.
type ByPoint = HashMap<PointId, (u32, Vec<Row>)>;

/// What leaves the journal together.
struct Slice {
    after: Seq,
    up_to: Seq,
    /// By year and epoch.
    rows: BTreeMap<(i16, u32), ByPoint>,
    readings: usize,
}

impl Sealer {
    /// For the year files in `dir`; there must be only one.
    pub(in crate::historian) fn new(
        dir: PathBuf,
        journal: Box<dyn JournalReader>,
        sealed: Arc<Sealed>,
        metrics: Metrics,
    ) -> Sealer {
        Sealer {
            dir,
            journal,
            sealed,
            metrics,
            years: None,
            suspect: false,
            slice_rows: SLICE_ROWS,
            step: Arc::new(|| Ok(())),
        }
    }

    #[cfg(test)]
    pub(super) fn in_steps(mut self, slice_rows: usize, step: Step) -> Sealer {
        (self.slice_rows, self.step) = (slice_rows, step);
        self
    }

    /// Opens all files, and throws away what goes beyond `sealed_up_to`. A damaged one is set aside:
    /// one year must not keep the others from being read, nor new readings from being sealed. Returns
    /// those, in words for a person.
    pub(in crate::historian) fn open(&mut self, sealed_up_to: Seq) -> Result<Vec<String>, JournalError> {
        let (mut opened, mut aside) = (BTreeMap::new(), Vec::new());
        if self.years.is_some() {
            return Ok(aside);
        }
        for number in years(&self.dir)? {
            let path = path_of(&self.dir, number);
            let year = Year::open(&path, sealed_up_to).and_then(|year| {
                if self.suspect {
                    year.check()?;
                }
                Ok(year)
            });
            match year {
                Ok(year) => drop(opened.insert(number, year)),
                Err(error) if sqlite::is_damage(&error) => {
                    self.sealed.close(number);
                    let to = set_aside(&path)?;
                    self.metrics.damaged.inc();
                    let said = format!(
                        "The history of {number} is damaged ({error}) and is now {}; restore it from a backup.",
                        to.display()
                    );
                    tracing::error!("{said}");
                    aside.push(said);
                }
                Err(error) => return Err(error),
            }
        }
        (self.years, self.suspect) = (Some(opened), false);
        self.publish();
        Ok(aside)
    }

    /// Tells those who read which files there are. A file that is made is known before anything in it
    /// is missing from the journal; one that is gone and still asked for is as good as empty.
    pub(super) fn publish(&self) {
        self.sealed.know(self.years.as_ref().map(|years| years.keys().copied().collect()));
    }

    /// The highest place of the log that any file has readings of.
    pub(in crate::historian) fn highest(&self) -> Result<Seq, JournalError> {
        let years = self.years.iter().flat_map(BTreeMap::values);
        years.map(Year::highest).try_fold(Seq(0), |highest, next| Ok(highest.max(next?)))
    }

    /// Seals what stands behind `after` up to `up_to`, then merges. `advance` makes the place up to
    /// which all is sealed durable.
    pub(in crate::historian) fn seal(
        &mut self,
        after: Seq,
        up_to: Seq,
        epochs: &Epochs,
        mut advance: impl FnMut(Seq) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        let done = self.try_seal(after, up_to, epochs, &mut advance);
        self.keep_or_close(done)
    }

    fn try_seal(
        &mut self,
        after: Seq,
        up_to: Seq,
        epochs: &Epochs,
        advance: &mut impl FnMut(Seq) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        self.open(after)?;
        let mut at = after;
        while at < up_to
            && let Some(slice) = self.slice(at, up_to, epochs)?
        {
            at = slice.up_to;
            let readings = slice.readings;
            self.put(slice)?;
            (self.step)()?;
            advance(at)?;
            (self.step)()?;
            self.metrics.sealed.inc_by(readings as u64);
        }
        self.merge()
    }

    pub(super) fn keep_or_close<T>(&mut self, done: Result<T, JournalError>) -> Result<T, JournalError> {
        if let Err(error) = &done {
            self.years = None;
            self.publish();
            self.suspect |= sqlite::is_damage(error);
        }
        done
    }

    fn year(&mut self, number: i16) -> Result<&mut Year, JournalError> {
        let missing = self.years.as_mut().filter(|years| !years.contains_key(&number));
        if let Some(years) = missing {
            years.insert(number, Year::make(&path_of(&self.dir, number))?);
            self.publish();
        }
        self.years.as_mut().and_then(|years| years.get_mut(&number)).ok_or(JournalError::Busy)
    }

    /// The next readings behind `after`; none at the end.
    fn slice(&self, after: Seq, up_to: Seq, epochs: &Epochs) -> Result<Option<Slice>, JournalError> {
        let mut slice = Slice { after, up_to: after, rows: BTreeMap::new(), readings: 0 };
        while !self.is_enough(&slice) && slice.up_to < up_to {
            let page = self.journal.after(slice.up_to)?;
            if page.is_empty() {
                break;
            }
            for record in page {
                if record.last > up_to || self.is_enough(&slice) {
                    break;
                }
                if let Err(error) = slice.take(&record, epochs) {
                    self.metrics.damaged.inc();
                    tracing::error!(place = record.last.0, %error, "A damaged record of the journal could not be sealed and is lost.");
                }
                slice.up_to = record.last;
            }
        }
        Ok((slice.up_to > after).then_some(slice))
    }

    fn is_enough(&self, slice: &Slice) -> bool {
        let points: usize = slice.rows.values().map(HashMap::len).sum();
        let most = self.slice_rows.saturating_mul(SLICE_ROWS_FACTOR_MAX);
        slice.readings >= points.saturating_mul(SLICE_DEPTH).clamp(self.slice_rows, most)
    }

    /// Writes a slice: one transaction for each year.
    fn put(&mut self, slice: Slice) -> Result<(), JournalError> {
        for ((number, epoch), points) in slice.rows {
            let year = self.year(number)?;
            let mut groups: BTreeMap<i64, Vec<(PointId, Vec<Row>)>> = BTreeMap::new();
            let mut points: Vec<_> = points.into_iter().collect();
            points.sort_by_key(|(point, _)| *point);
            for (point, (device, mut rows)) in points {
                pack::fold(&mut rows);
                groups.entry(year.group(point, device)).or_default().push((point, rows));
            }
            let mut folded = Vec::new();
            for (group, points) in groups {
                let packed = pack::pack(points).map_err(unpackable)?;
                folded.push(Folded {
                    group,
                    epoch,
                    after: slice.after,
                    seq: slice.up_to,
                    packed,
                    instead_of: Vec::new(),
                });
            }
            self.write(number, &folded)?;
        }
        self.checkpoint()
    }

    /// Merges until no group has too many parts.
    fn merge(&mut self) -> Result<(), JournalError> {
        let numbers: Vec<i16> = self.years.iter().flat_map(BTreeMap::keys).copied().collect();
        let mut merges = 0;
        for number in numbers {
            for group in self.year(number)?.crowded()? {
                while let Some(folded) = self.fold(number, group)? {
                    self.write(number, &[folded])?;
                    self.metrics.merges.inc();
                    merges += 1;
                    if merges % MERGES == 0 {
                        self.checkpoint()?;
                    }
                }
            }
            let step = Arc::clone(&self.step);
            self.year(number)?.tighten(&*step)?;
        }
        self.checkpoint()
    }

    /// The next merge of a group. A column that cannot be read is counted and left out.
    fn fold(&mut self, number: i16, group: (i64, u32)) -> Result<Option<Folded>, JournalError> {
        let Some(parts) = self.year(number)?.next_merge(group)? else { return Ok(None) };
        let indexed = parts.iter().filter_map(|part| {
            let index = Index::open(&part.body);
            self.sealed.sound(number, "part", part.id, index).map(|index| (part, index))
        });
        let indexed: Vec<_> = indexed.collect();
        let points: BTreeSet<PointId> = indexed.iter().flat_map(|(_, index)| index.points()).collect();
        let mut folded = Vec::new();
        for point in points {
            let mut rows = Vec::new();
            for (part, index) in &indexed {
                let read = index.rows(point, pack::ALWAYS, part.seq, &mut rows);
                self.sealed.sound(number, "part", part.id, read);
            }
            pack::fold(&mut rows);
            folded.push((point, rows));
        }
        let packed = pack::pack(folded).map_err(unpackable)?;
        let after = parts.iter().map(|part| part.after).min().unwrap_or_default();
        let seq = parts.iter().map(|part| part.seq).max().unwrap_or_default();
        let instead_of = parts.iter().map(|part| part.id).collect();
        let (group, epoch) = group;
        Ok(Some(Folded { group, epoch, after, seq, packed, instead_of }))
    }

    fn write(&mut self, number: i16, folded: &[Folded]) -> Result<(), JournalError> {
        (self.step)()?;
        let step = Arc::clone(&self.step);
        self.year(number)?.put(folded, &*step)?;
        step()
    }

    fn checkpoint(&self) -> Result<(), JournalError> {
        self.years.iter().flat_map(BTreeMap::values).try_for_each(Year::checkpoint)
    }
}

impl Slice {
    /// All of a record or nothing.
    fn take(&mut self, record: &Record, epochs: &Epochs) -> Result<(), CodecError> {
        let sections = codec::sections(&record.body)?;
        let before = record.last.0.checked_sub(sections.left()).ok_or(CodecError::Malformed)?;
        let mut readings = Vec::new();
        for (section, seq) in sections.zip(before + 1..) {
            let (section, epoch) = (section?, epochs.of(Seq(seq)));
            for reading in section.readings() {
                readings.push((section.device, epoch, reading?));
            }
        }
        self.readings += readings.len();
        for (device, epoch, reading) in readings {
            let row =
                Row { at: reading.at, seq: record.last, value: reading.value, quality: reading.quality };
            let year = self.rows.entry((plan::year_of(reading.at), epoch)).or_default();
            year.entry(reading.point).or_insert_with(|| (device, Vec::new())).1.push(row);
        }
        Ok(())
    }
}
