//! The reading side without the writing one: for `query` and `check`, also while another process
//! writes.

use super::catalogue::{CatalogueDb, CatalogueError};
use super::history::{History, Shared};
use super::journal::JournalReader;
use super::sealed::Sealed;
use super::segments::SegmentReader;
use super::{CATALOGUE, JOURNAL, Metrics, store};
use crate::point::Catalogue;
use std::path::Path;
use std::sync::Arc;

/// A history that is only read.
#[derive(Debug)]
pub struct ReadOnly {
    /// The points there are and were.
    pub catalogue: Catalogue,
    /// The readings up to the moment of opening for last values, up to now for ranges.
    pub history: History,
}

/// Opens the history of a data directory to read; none if there is none yet. Takes no lock and
/// changes nothing.
pub fn read_only(data: &Path) -> Result<Option<ReadOnly>, CatalogueError> {
    let dir = data.join("history");
    if !dir.join(CATALOGUE).exists() || !dir.join(JOURNAL).exists() {
        return Ok(None);
    }
    open(&dir).map(Some)
}

/// The points of a data directory that another process may hold; none if there is no history yet.
pub fn points_of(data: &Path) -> Result<Option<Catalogue>, CatalogueError> {
    let path = data.join("history").join(CATALOGUE);
    if !path.exists() {
        return Ok(None);
    }
    CatalogueDb::open_reader(&path)?.points().map(Some)
}

fn open(dir: &Path) -> Result<ReadOnly, CatalogueError> {
    let path = dir.join(JOURNAL);
    let journal = SegmentReader::open(&path)?;
    let rows = CatalogueDb::open_reader(&dir.join(CATALOGUE))?;
    let catalogue = rows.points()?;
    let reader = move || Ok(Box::new(SegmentReader::open(&path)?) as Box<dyn JournalReader>);
    let metrics = Metrics::default();
    let sealed = Arc::new(Sealed::new(dir.to_owned(), metrics.clone()));
    let shared = Shared::new(Box::new(reader), sealed, dir.join(CATALOGUE), metrics);
    shared.texts.load(rows.texts()?);
    shared.add_devices(&rows.devices()?);
    let (found, _) = store::recover(&journal, &rows, &shared.sealed, &shared.last)?;
    shared.advance_sealed(found.sealed_up_to);
    shared.load_epochs(rows.epochs()?);
    shared.head.send_replace(found.head);
    Ok(ReadOnly { catalogue, history: History(Arc::new(shared)) })
}
