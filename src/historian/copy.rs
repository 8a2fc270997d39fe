//! A copy of the history beside whoever writes it, and whether a copy is sound.
//!
//! The order makes a copy whole without stopping anyone. First is looked up how far the log is
//! sealed and where it ends, then the log is copied up to that end, then the files of sealed history:
//! all that was sealed at first is in them, and what was sealed meanwhile counts once although the log
//! has it, too. The catalogue comes last, so that what any of them names by number is in it, and is
//! told how far the log was sealed at first.

use super::catalogue::CatalogueDb;
use super::journal::{JournalError, JournalReader as _, Seq};
use super::sealed::{Frontier, Sealed};
use super::segments::{self, SegmentReader};
use super::{CATALOGUE, CatalogueError, JOURNAL, Metrics, codec};
use crate::db::{self, DbError};
use crate::point::Value;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// About so many sealed readings are checked at once.
const READINGS: usize = 100_000;

/// Why there is no copy, or no sound one.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The log or a file system failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A point of the catalogue cannot be read.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// An SQLite file failed.
    #[error(transparent)]
    File(#[from] DbError),
    /// The copy is damaged.
    #[error("{0}")]
    Damaged(String),
    /// The log was given back while it was about to be copied.
    #[error("the history was tidied up just then; take the backup again")]
    Overtaken,
}

impl From<std::io::Error> for CopyError {
    fn from(error: std::io::Error) -> CopyError {
        CopyError::Journal(error.into())
    }
}

/// What a history says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Which installation it belongs to.
    pub instance: String,
    /// The last batch in it.
    pub head: Seq,
    /// Readings in it: sealed ones, and those of its log that are not.
    pub readings: u64,
}

/// Copies the history in `from` to the new folder `to`. `copied` is told of bytes as they come.
pub fn copy(from: &Path, to: &Path, copied: &mut dyn FnMut(u64)) -> Result<(), CopyError> {
    std::fs::create_dir(to)?;
    let sealed = CatalogueDb::open_reader(&from.join(CATALOGUE))?.sealed_up_to()?;
    let end = SegmentReader::open(&from.join(JOURNAL))?.last()?;
    std::fs::create_dir(to.join(JOURNAL))?;
    segments::copy(&from.join(JOURNAL), &to.join(JOURNAL), end, copied)?;
    if !goes_on_behind(&to.join(JOURNAL), sealed)? {
        return Err(CopyError::Overtaken);
    }
    for name in others(from)?.into_iter().chain([CATALOGUE.into()]) {
        match db::copy_file(&from.join(&name), &to.join(&name)) {
            // All of that year was beyond its time.
            Err(_) if !from.join(&name).exists() => continue,
            copied => copied?,
        }
        copied(to.join(name).metadata()?.len());
    }
    CatalogueDb::open(&to.join(CATALOGUE))?.turn_back(sealed, end)?;
    for dir in [to.join(JOURNAL), to.to_owned()] {
        std::fs::File::open(dir)?.sync_all()?;
    }
    Ok(())
}

/// Whether a log has all behind a place. Between looking up how far it is sealed and opening it, it
/// may have been trimmed.
fn goes_on_behind(journal: &Path, at: Seq) -> Result<bool, CopyError> {
    let page = SegmentReader::open(journal)?.behind(at, 1)?;
    let Some(first) = page.first() else { return Ok(true) };
    let batches = codec::sections(&first.body).map_or(0, |sections| sections.left());
    Ok(first.last.0.saturating_sub(batches) <= at.0)
}

/// The SQLite files of the folder besides the catalogue.
fn others(dir: &Path) -> Result<Vec<PathBuf>, CopyError> {
    let mut names = Vec::new();
    for file in std::fs::read_dir(dir)? {
        names.push(PathBuf::from(file?.file_name()));
    }
    names.retain(|name| name.extension().is_some_and(|kind| kind == "db") && name != Path::new(CATALOGUE));
    names.sort();
    Ok(names)
}

/// Reads the whole of a history that nobody writes: each SQLite file is sound, each record of the
/// log is as it was written and decodes, and what it names by number is there.
pub fn verify(dir: &Path) -> Result<Facts, CopyError> {
    let mut files = others(dir)?;
    files.push(CATALOGUE.into());
    for name in files {
        if let Some(found) = db::check_file(&dir.join(&name))? {
            return Err(CopyError::Damaged(format!("{}: {found}", name.display())));
        }
    }
    let catalogue = CatalogueDb::open_reader(&dir.join(CATALOGUE))?;
    catalogue.points()?;
    let sealed = check_sealed(dir)?;
    let journal = SegmentReader::open(&dir.join(JOURNAL))?;
    if journal.skipped() > 0 {
        return Err(CopyError::Damaged("the journal has a place that holds no record".to_owned()));
    }
    if let Some(place) = journal.damaged()? {
        return Err(CopyError::Damaged(format!(
            "the journal's record at {} is not as it was written",
            place.0
        )));
    }
    let up_to = catalogue.sealed_up_to()?;
    let readings = sealed + check_records(&journal, up_to, &Named::of(&catalogue)?)?;
    Ok(Facts { instance: catalogue.instance()?, head: journal.last()?.max(up_to), readings })
}

/// What a history says of itself at a glance: its readings are not counted.
pub fn glance(dir: &Path) -> Result<Facts, CopyError> {
    let catalogue = CatalogueDb::open_reader(&dir.join(CATALOGUE))?;
    let head = SegmentReader::open(&dir.join(JOURNAL))?.last()?.max(catalogue.sealed_up_to()?);
    Ok(Facts { instance: catalogue.instance()?, head, readings: 0 })
}

/// What records may name.
struct Named {
    texts: HashSet<u32>,
    devices: HashSet<u32>,
}

impl Named {
    fn of(catalogue: &CatalogueDb) -> Result<Named, JournalError> {
        let texts = catalogue.texts()?.into_iter().map(|(id, _)| id.0).collect();
        Ok(Named { texts, devices: catalogue.devices()?.into_iter().map(|(id, _)| id).collect() })
    }
}

/// How many readings are sealed, if all that is sealed is sound.
fn check_sealed(dir: &Path) -> Result<u64, CopyError> {
    let metrics = Metrics::default();
    let (sealed, mut readings) = (Arc::new(Sealed::new(dir.to_owned(), metrics.clone())), 0);
    let mut frontier = Frontier::behind(Seq(0));
    loop {
        let loads = sealed.loads_behind(frontier, READINGS)?;
        let rows = loads.places.iter().flat_map(|load| &load.rows);
        readings += rows.map(|(_, rows)| rows.len() as u64).sum::<u64>();
        match loads.places.last().filter(|_| loads.more) {
            Some(last) => frontier = last.frontier,
            None => break,
        }
    }
    match metrics.damaged.get() {
        0 => Ok(readings),
        places => Err(CopyError::Damaged(format!(
            "{places} places of sealed readings are not as they were written"
        ))),
    }
}

/// How many readings the log has that are not sealed, if all of it is sound.
fn check_records(journal: &SegmentReader, sealed_up_to: Seq, named: &Named) -> Result<u64, CopyError> {
    let (mut at, mut readings) = (Seq(0), 0);
    loop {
        let page = journal.after(at)?;
        let Some(last) = page.last() else { return Ok(readings) };
        at = last.last;
        for record in &page {
            let wrong = |what: String| CopyError::Damaged(format!("the record {}: {what}", record.last.0));
            for section in codec::sections(&record.body).map_err(|error| wrong(error.to_string()))? {
                let section = section.map_err(|error| wrong(error.to_string()))?;
                if !named.devices.contains(&section.device) {
                    return Err(wrong(format!("the device {} is not in the catalogue", section.device)));
                }
                for reading in section.readings() {
                    let reading = reading.map_err(|error| wrong(error.to_string()))?;
                    if let Some(Value::Text(id)) = reading.value
                        && !named.texts.contains(&id.0)
                    {
                        return Err(wrong(format!("the word {} is not in the catalogue", id.0)));
                    }
                    readings += u64::from(record.last > sealed_up_to);
                }
            }
        }
    }
}
