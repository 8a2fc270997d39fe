//! A copy of the history beside whoever writes it, and whether a copy is sound.
//!
//! The order makes a copy whole without stopping anyone. A word or device is in the catalogue
//! before a record names it, so the catalogue is copied after the end of the log was looked up,
//! and the log is then copied up to that end, or to the copy of the last values if that is
//! further. Files of sealed history come last: what was sealed and trimmed meanwhile is in them,
//! and what stands in both counts once.

use super::catalogue::CatalogueDb;
use super::journal::{JournalError, JournalReader as _, Seq};
use super::segments::{self, SegmentReader};
use super::{CATALOGUE, CatalogueError, JOURNAL, codec};
use crate::db::{self, DbError};
use crate::point::Value;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

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
    /// Readings in its log.
    pub readings: u64,
}

/// Copies the history in `from` to the new folder `to`. `copied` is told of bytes as they come.
pub fn copy(from: &Path, to: &Path, copied: &mut dyn FnMut(u64)) -> Result<(), CopyError> {
    std::fs::create_dir(to)?;
    let end = SegmentReader::open(&from.join(JOURNAL))?.last()?;
    let copy_db = |name: &Path| -> Result<u64, CopyError> {
        db::copy_file(&from.join(name), &to.join(name))?;
        Ok(to.join(name).metadata()?.len())
    };
    copied(copy_db(Path::new(CATALOGUE))?);
    let kept = CatalogueDb::open_reader(&to.join(CATALOGUE))?.last_values()?;
    let end = kept.map_or(end, |(at, _)| end.max(at));
    std::fs::create_dir(to.join(JOURNAL))?;
    segments::copy(&from.join(JOURNAL), &to.join(JOURNAL), end, copied)?;
    for name in others(from)? {
        copied(copy_db(&name)?);
    }
    for dir in [to.join(JOURNAL), to.to_owned()] {
        std::fs::File::open(dir)?.sync_all()?;
    }
    Ok(())
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
    let readings = check_records(&journal, &Named::of(&catalogue)?)?;
    Ok(Facts { instance: catalogue.instance()?, head: journal.last()?, readings })
}

/// What a history says of itself at a glance: its readings are not counted.
pub fn glance(dir: &Path) -> Result<Facts, CopyError> {
    let catalogue = CatalogueDb::open_reader(&dir.join(CATALOGUE))?;
    let head = SegmentReader::open(&dir.join(JOURNAL))?.last()?;
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

/// How many readings the log has, if all of it is sound.
fn check_records(journal: &SegmentReader, named: &Named) -> Result<u64, CopyError> {
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
                    readings += 1;
                }
            }
        }
    }
}
