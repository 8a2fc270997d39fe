//! Both files of the store behind one rule: after an error no handle is used again.
//!
//! A failed write or sync says nothing about what is on disk, and a second sync on the same
//! handle may call lost pages clean. So both handles are dropped; the next attempt opens new
//! ones (which first makes safe whatever the files hold), looks whether the record is there
//! after all, and only then writes it again.

use super::catalogue::CatalogueDb;
use super::codec::{self, CodecError};
use super::group::Closed;
use super::journal::{Journal, JournalError, JournalReader, Record, Seq};
use super::last::LastValues;
use super::query::Row;
use super::sealed::Sealed;
use crate::point::{Reading, UtcMs};
use std::path::PathBuf;
use std::sync::Arc;

/// Opens the journal for writing; called again after every failure. Tests hand in one that fails.
pub(super) type OpenJournal = Box<dyn FnMut() -> Result<Box<dyn Journal>, JournalError> + Send>;

/// Both files for writing.
pub(super) struct Store {
    open_journal: OpenJournal,
    catalogue_path: PathBuf,
    handles: Option<Handles>,
    /// Bytes of records behind the copy of the last values.
    since_copy: usize,
    /// What the journal may give back.
    spare: Spare,
}

/// How much of the journal is there twice.
#[derive(Clone, Copy, Debug, Default)]
struct Spare {
    /// The place of the copy of the last values: a start reads on from there.
    copied: Seq,
    /// The place up to which all was sealed when the last sealing began: what was sealed since
    /// stays for those who follow the log.
    sealed: Seq,
}

/// Who needs how much of what is sealed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keep {
    /// The lowest place of those who follow the log, if anyone does.
    pub behind: Option<Seq>,
    /// At most so many bytes of journal are kept for them.
    pub bytes: u64,
}

struct Handles {
    journal: Box<dyn Journal>,
    catalogue: CatalogueDb,
    /// Opened after a failure: the record at hand may be there already.
    reopened: bool,
}

/// What a recovery found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Recovered {
    /// The last batch that is there.
    pub head: Seq,
    /// Behind this, numbers are free.
    pub after: Seq,
    /// The place of the copy of the last values that was used; 0 if none was.
    copied: Seq,
    /// Up to there all is sealed.
    pub sealed_up_to: Seq,
    /// When the last batch of the journal came.
    pub received_at: Option<UtcMs>,
    /// What had to be done, for a person.
    pub repaired: Vec<String>,
}

impl Store {
    pub(super) fn new(open_journal: OpenJournal, catalogue_path: PathBuf) -> Store {
        Store { open_journal, catalogue_path, handles: None, since_copy: 0, spare: Spare::default() }
    }

    /// Works on the catalogue; an error poisons the handles.
    pub(super) fn catalogue<T, E>(
        &mut self,
        work: impl FnOnce(&mut CatalogueDb) -> Result<T, E>,
    ) -> Result<T, E>
    where
        E: From<JournalError>,
    {
        let done = self.handles(false).map_err(E::from).and_then(|handles| work(&mut handles.catalogue));
        self.keep_or_poison(done)
    }

    /// Makes a group durable. On an error it is not, or not surely: try again.
    pub(super) fn commit(&mut self, group: &Closed) -> Result<(), JournalError> {
        let done = self.handles(true).and_then(|handles| handles.commit(group));
        if done.is_ok() {
            self.since_copy += group.record.body.len();
        }
        self.keep_or_poison(done)
    }

    /// Housekeeping when no one waits: moves the log files along, and takes a copy of the last
    /// values (those of `head`) when the journal has grown by `replay_bytes` since the last.
    pub(super) fn tidy(
        &mut self,
        last: &LastValues,
        head: Seq,
        replay_bytes: usize,
        keep: Keep,
    ) -> Result<(), JournalError> {
        let copy = self.since_copy >= replay_bytes.max(1);
        let mut spare = self.spare;
        let done = self.handles(true).and_then(|handles| {
            if copy {
                handles.catalogue.keep_last_values(head, &last.encode())?;
                spare.copied = head;
            }
            handles.journal.tidy()?;
            let crowded = handles.journal.bytes() > keep.bytes;
            let needed = keep.behind.filter(|_| !crowded).unwrap_or(head);
            handles.journal.trim(spare.sealed.min(spare.copied).min(needed)).map(drop)
        });
        self.spare = spare;
        if copy {
            // Failed or not: the next one when the journal has grown as much again.
            self.since_copy = 0;
        }
        self.keep_or_poison(done)
    }

    /// Trims all of the journal that is there twice, whoever follows it: the year files serve them.
    /// What only the last values are still needed for is there twice once they are copied.
    pub(super) fn drop_spare(&mut self, last: &LastValues, head: Seq) -> Result<(), JournalError> {
        self.tidy(last, head, 0, Keep { behind: None, bytes: 0 })?;
        let up_to = self.spare.sealed.min(self.spare.copied).min(head);
        let done = self.handles(true).and_then(|handles| {
            while !handles.journal.trim(up_to)? {}
            Ok(())
        });
        self.keep_or_poison(done)
    }

    /// All up to there is sealed, durably when it returns.
    pub(super) fn advance_sealed(&mut self, up_to: Seq) -> Result<(), JournalError> {
        self.catalogue(|db| db.advance_sealed(up_to))
    }

    /// A sealing is over that began when all up to `before` was sealed.
    pub(super) fn sealing_done(&mut self, before: Seq) {
        self.spare.sealed = before;
    }

    /// Room the records of the journal take. Bytes.
    pub(super) fn journal_bytes(&mut self) -> Result<u64, JournalError> {
        self.handles(false).map(|handles| handles.journal.bytes())
    }

    /// Throws the handles away.
    pub(super) fn poison(&mut self) {
        self.handles = None;
    }

    /// Rebuilds the last values: from the copy and the records behind it.
    pub(super) fn recover(
        &mut self,
        last: &LastValues,
        sealed: &Arc<Sealed>,
    ) -> Result<Recovered, JournalError> {
        let handles = self.handles(false)?;
        let (mut found, bytes) = recover(&*handles.journal, &handles.catalogue, sealed, last)?;
        found.repaired.extend(handles.journal.repaired());
        self.since_copy = bytes;
        self.spare.copied = found.copied;
        Ok(found)
    }

    fn handles(&mut self, reopened: bool) -> Result<&mut Handles, JournalError> {
        if self.handles.is_none() {
            let journal = (self.open_journal)()?;
            if let Some(repaired) = journal.repaired().filter(|_| reopened) {
                tracing::warn!(repaired, "The journal was opened again after a failure.");
            }
            let catalogue = CatalogueDb::open(&self.catalogue_path)?;
            self.handles = Some(Handles { journal, catalogue, reopened });
        }
        self.handles.as_mut().ok_or(JournalError::Busy)
    }

    fn keep_or_poison<T, E>(&mut self, done: Result<T, E>) -> Result<T, E> {
        if done.is_err() {
            self.poison();
        }
        done
    }
}

impl Handles {
    fn commit(&mut self, group: &Closed) -> Result<(), JournalError> {
        if !group.additions.is_empty() {
            self.catalogue.add(&group.additions)?;
        }
        if !self.reopened || !self.holds(&group.record)? {
            self.journal.append(&group.record)?;
        }
        self.reopened = false;
        Ok(())
    }

    /// Whether the record got there after all in an attempt that failed.
    fn holds(&self, record: &Record) -> Result<bool, JournalError> {
        if self.journal.last()? < record.last {
            return Ok(false);
        }
        let before = Seq(record.last.0.saturating_sub(1));
        let found = self.journal.behind(before, 1)?;
        if found.first() == Some(record) { Ok(true) } else { Err(JournalError::Conflict(record.last)) }
    }
}

/// The last values, from their copy and the records behind it, and how many bytes those are.
/// Changes nothing on disk.
pub(super) fn recover(
    journal: &dyn JournalReader,
    catalogue: &CatalogueDb,
    sealed: &Arc<Sealed>,
    last: &LastValues,
) -> Result<(Recovered, usize), JournalError> {
    let sealed_up_to = catalogue.sealed_up_to()?;
    let head = journal.last()?.max(sealed_up_to);
    let received_at = last_received_at(journal)?;
    let mut found = Recovered { head, sealed_up_to, received_at, ..Recovered::default() };
    let mut at = load_copy(catalogue, last, &mut found)?;
    found.copied = at;
    if at == Seq(0) {
        load_sealed(sealed, last)?;
    }
    found.after = found.after.max(found.head);
    let (mut replayed, mut damaged, mut bytes) = (0_u64, Vec::new(), 0);
    loop {
        let page = journal.after(at)?;
        let Some(behind) = page.last() else { break };
        at = behind.last;
        for record in &page {
            bytes += record.body.len();
            match readings_of(record) {
                Ok(batches) => {
                    replayed += batches.iter().map(|(_, readings)| readings.len() as u64).sum::<u64>();
                    for (at, readings) in batches {
                        last.apply(at, &readings);
                    }
                }
                Err(error) => damaged.push((record.last, error)),
            }
        }
    }
    if replayed > 0 {
        found.repaired.push(format!("Read {replayed} readings behind the copy of the last values again."));
    }
    if let Some((seq, error)) = damaged.first() {
        let count = damaged.len();
        found.repaired.push(format!("Skipped {count} damaged records, the first at {}: {error}.", seq.0));
    }
    Ok((found, bytes))
}

/// When the last batch that stands in the journal came; the last record is never given back.
fn last_received_at(journal: &dyn JournalReader) -> Result<Option<UtcMs>, JournalError> {
    let page = journal.after(Seq(journal.last()?.0.saturating_sub(1)))?;
    let batches = page.last().and_then(|record| readings_of(record).ok());
    Ok(batches.and_then(|batches| Some(batches.last()?.0)))
}

/// The last sealed values, for what the journal no longer has.
fn load_sealed(sealed: &Arc<Sealed>, last: &LastValues) -> Result<(), JournalError> {
    for point in sealed.points()? {
        for (_, Row { at, value, quality, .. }) in sealed.known_before(point, UtcMs(i64::MAX), |_| false)? {
            last.apply(at, &[Reading { point, at, value, quality }]);
        }
    }
    Ok(())
}

/// Loads the copy of the last values and returns the place to read on from.
fn load_copy(catalogue: &CatalogueDb, last: &LastValues, found: &mut Recovered) -> Result<Seq, JournalError> {
    last.clear();
    let Some((seq, body)) = catalogue.last_values()? else { return Ok(Seq(0)) };
    if seq > found.head {
        // Numbers up to there are in someone's cursor; they are not given out again.
        found.after = seq;
        found.repaired.push(format!(
            "The journal ends at {}, it once went on to {}; numbering goes on behind that.",
            found.head.0, seq.0
        ));
        return Ok(Seq(0));
    }
    if let Err(error) = last.load(&body) {
        found.repaired.push(format!("Read the whole journal for the last values: {error}."));
        return Ok(Seq(0));
    }
    Ok(seq)
}

/// The batches of a record, as receive time and readings; whole or not at all.
fn readings_of(record: &Record) -> Result<Vec<(UtcMs, Vec<Reading>)>, CodecError> {
    let batch = |section: Result<codec::Section<'_>, CodecError>| {
        let section = section?;
        Ok((section.received_at, section.readings().collect::<Result<_, _>>()?))
    };
    codec::sections(&record.body)?.map(batch).collect()
}
