//! Whether a backup is what its manifest says, and fits together.

use super::manifest::{self, Manifest, digest};
use super::{BackupError, Progress, files_below};
use crate::db::{self, Facts};
use crate::historian::{Layout, Seq, copy};
use std::path::Path;

/// Follow the log of events; every other consumer follows that of readings.
const FOLLOW_EVENTS: &[&str] = &["work_orders"];

/// What was found in a sound backup.
#[derive(Clone, Debug)]
pub struct Verified {
    /// What it says of itself.
    pub manifest: Manifest,
    /// Readings in its journal.
    pub readings: u64,
}

/// Reads all of a backup: each file has its digest, each SQLite file is sound, each record of the
/// journal decodes, and history and database belong together.
pub fn verify(backup: &Path, progress: Progress<'_>) -> Result<Verified, BackupError> {
    let manifest = Manifest::read(backup)?;
    let (total, mut done) = (manifest.bytes(), 0);
    let found = files_below(backup)?.into_iter().filter(|name| name != manifest::NAME);
    if let Some(name) = found.into_iter().find(|name| !manifest.files.iter().any(|file| file.path == *name)) {
        return Err(unsound(backup, format!("its manifest does not name {name}")));
    }
    for file in &manifest.files {
        let mut read = |bytes| {
            done += bytes;
            progress(done, total);
        };
        if digest(&backup.join(&file.path), &file.path, None, &mut read)? != *file {
            return Err(unsound(backup, format!("{} is not as it was written", file.path)));
        }
    }
    let readings = contents(backup, &manifest)?;
    Ok(Verified { manifest, readings })
}

/// Checks what the files say against each other and the manifest; how many readings there are.
pub(super) fn contents(dir: &Path, manifest: &Manifest) -> Result<u64, BackupError> {
    let layout = Layout::of(dir);
    if let Some(found) = db::check_file(&layout.database())? {
        return Err(unsound(dir, format!("plantroom.db: {found}")));
    }
    let (history, database) = (copy::verify(&layout.history())?, database(dir)?);
    pair(dir, &history, &database)?;
    let said = (&manifest.instance, &manifest.database, manifest.journal, manifest.events);
    if said != (&history.instance, &database.instance, history.head.0, database.events) {
        let found = (history.head.0, database.events);
        return Err(unsound(
            dir,
            format!(
                "history {} up to {} and database {} up to event {} are no pair of one backup, which has \
                 {} up to {} and {} up to event {}",
                history.instance,
                found.0,
                database.instance,
                found.1,
                manifest.instance,
                manifest.journal,
                manifest.database,
                manifest.events
            ),
        ));
    }
    Ok(history.readings)
}

pub(super) fn database(dir: &Path) -> Result<Facts, BackupError> {
    Ok(db::facts(&Layout::of(dir).database())?)
}

/// No cursor is ahead of what it follows.
pub(super) fn pair(dir: &Path, history: &copy::Facts, database: &Facts) -> Result<(), BackupError> {
    for (consumer, at) in &database.cursors {
        let head = if follows_events(consumer) { database.events.cast_unsigned() } else { history.head.0 };
        if at.cast_unsigned() > head {
            return Err(unsound(
                dir,
                format!("{consumer} has followed its log up to {at}, which ends at {head}"),
            ));
        }
    }
    Ok(())
}

fn follows_events(consumer: &str) -> bool {
    FOLLOW_EVENTS.contains(&consumer)
}

/// The furthest place in the log of readings that anyone has followed, by the `plantroom.db` of a
/// data directory; 0 if there is none.
pub fn followed(data: &Path) -> Result<Seq, BackupError> {
    if !Layout::of(data).database().exists() {
        return Ok(Seq(0));
    }
    let cursors = database(data)?.cursors.into_iter().filter(|(consumer, _)| !follows_events(consumer));
    Ok(Seq(cursors.map(|(_, at)| at.cast_unsigned()).max().unwrap_or(0)))
}

fn unsound(dir: &Path, why: String) -> BackupError {
    BackupError::Unsound(dir.to_owned(), why)
}
