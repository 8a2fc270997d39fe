//! Backup and restore: everything of a data directory in one folder that fits together.
//!
//! What refers is copied before what it refers to: first `plantroom.db`, whose cursors say how far
//! the log of readings has been followed, then the history up to an end that was looked up
//! later (`historian::copy` keeps the same rule inside the history), then the files. So no
//! cursor, and no event that was made of readings, is ahead of the readings in the copy, and
//! nobody is stopped meanwhile. A cursor that is behind finds in the copy what it has still to
//! follow, as after any restart.
//!
//! Reading order: `manifest` (what a backup says of itself), [`take()`], [`verify()`], [`restore()`].
//!
//! **Invariant:** a folder has a backup's name only when all of it is on disk; a restore puts in
//! place only what it has verified, whole or not at all.

pub mod manifest;
pub mod take;
pub mod verify;
pub mod restore;

pub use manifest::Manifest;
pub use restore::restore;
pub use take::take;
pub use verify::{Verified, followed, verify};

use crate::db::DbError;
use crate::historian::DataDirError;
use crate::historian::copy::CopyError;
use std::path::{Path, PathBuf};

/// Told how much is done of how much. Bytes.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// Why there is no backup, or none that can be used.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file system failed.
    #[error("{}: {}", .0.display(), .1)]
    Io(PathBuf, #[source] std::io::Error),
    /// The database cannot be copied or read.
    #[error("plantroom.db: {0}")]
    Database(#[from] DbError),
    /// The history cannot be copied or read.
    #[error("the history: {0}")]
    History(#[from] CopyError),
    /// The data directory is held, or cannot be.
    #[error(transparent)]
    Data(#[from] DataDirError),
    /// There is nothing to back up.
    #[error("there is no data in {}; name a data directory with --data", .0.display())]
    NoData(PathBuf),
    /// Something is there already.
    #[error("{} exists already; {}", .0.display(), .1)]
    Exists(PathBuf, &'static str),
    /// What is there is no backup of this kind, or it is damaged.
    #[error("{} is no sound backup: {}", .0.display(), .1)]
    Unsound(PathBuf, String),
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> BackupError + '_ {
    move |error| BackupError::Io(path.to_owned(), error)
}

/// A name of a folder is only there for good when the folder above is synced.
fn sync_dir(dir: &Path) -> Result<(), BackupError> {
    std::fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed(dir))
}

/// The folder above; the one we are in for a bare name.
fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// `name` with something before and behind, in the same folder: where work is under way.
fn beside(path: &Path, before: &str, behind: &str) -> PathBuf {
    let mut name = std::ffi::OsString::from(before);
    name.push(path.file_name().unwrap_or_default());
    name.push(behind);
    parent(path).join(name)
}

/// An empty folder of this name, whatever a process that was killed left there.
fn fresh(dir: &Path) -> Result<(), BackupError> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(dir)(error)),
        _ => {}
    }
    std::fs::create_dir_all(dir).map_err(failed(dir))
}

/// The files below a folder, by their paths from it with `/`, in order. None if there is no folder.
fn files_below(dir: &Path) -> Result<Vec<String>, BackupError> {
    let (mut found, mut todo) = (Vec::new(), vec![String::new()]);
    while let Some(folder) = todo.pop() {
        let path = dir.join(&folder);
        if !path.exists() {
            continue;
        }
        for entry in std::fs::read_dir(&path).map_err(failed(&path))? {
            let entry = entry.map_err(failed(&path))?;
            let name = entry
                .file_name()
                .into_string()
                .map_err(|name| BackupError::Unsound(path.join(name), "its name is no text".to_owned()))?;
            let name = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            let kind = entry.file_type().map_err(failed(&path))?;
            if kind.is_dir() {
                todo.push(name);
            } else if kind.is_file() {
                found.push(name);
            }
        }
    }
    found.sort();
    Ok(found)
}
