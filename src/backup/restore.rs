//! Putting a backup in the place of a data directory.

use super::manifest::{Manifest, digest};
use super::{BackupError, Progress, beside, failed, fresh, parent, sync_dir, verify};
use crate::historian::{DataDir, Layout};
use crate::point::UtcMs;
use std::fs::File;
use std::path::{Path, PathBuf};

/// What a restore did.
#[derive(Clone, Debug)]
pub struct Restored {
    /// What the backup says of itself.
    pub manifest: Manifest,
    /// Where the data is that was there before.
    pub moved_to: Option<PathBuf>,
}

/// Puts a backup in the place of `data`, which must be empty unless `replace` moves it aside. What
/// is put in place has been verified there, and it comes whole, by one rename. Nobody may hold the
/// data directory, and it must not be a mount itself.
pub fn restore(
    backup: &Path,
    data: &Path,
    replace: bool,
    now: UtcMs,
    progress: Progress<'_>,
) -> Result<Restored, BackupError> {
    let manifest = Manifest::read(backup)?;
    // Held to the end: nobody starts in the folder that is about to be moved.
    let _held = DataDir::open(data)?;
    // Its own name: `.` has no neighbours.
    let data = &data.canonicalize().map_err(failed(data))?;
    let occupied = !is_empty(&Layout::of(data))?;
    if occupied && !replace {
        let hint = "restore to an empty data directory, or move what is there aside with --replace";
        return Err(BackupError::Exists(data.to_owned(), hint));
    }
    let part = beside(data, ".", ".restoring");
    fresh(&part)?;
    copy(backup, &part, &manifest, progress)?;
    verify::contents(&part, &manifest)?;
    // Whoever starts in the new folder waits for the end of this, too.
    let _new = DataDir::open(&part)?;
    sync_dir(&part)?;
    let moved_to = occupied.then(|| beside(data, "", &format!(".replaced-{}", now.0)));
    match &moved_to {
        Some(aside) => std::fs::rename(data, aside).map_err(failed(data))?,
        None => clear(&Layout::of(data))?,
    }
    std::fs::rename(&part, data).map_err(failed(data))?;
    sync_dir(parent(data))?;
    Ok(Restored { manifest, moved_to })
}

fn copy(backup: &Path, to: &Path, manifest: &Manifest, progress: Progress<'_>) -> Result<(), BackupError> {
    let (total, mut done) = (manifest.bytes(), 0);
    for file in &manifest.files {
        let (source, target) = (backup.join(&file.path), to.join(&file.path));
        let folder = parent(&target);
        std::fs::create_dir_all(folder).map_err(failed(folder))?;
        let mut copy = File::create_new(&target).map_err(failed(&target))?;
        let mut read = |bytes| {
            done += bytes;
            progress(done, total);
        };
        if digest(&source, &file.path, Some(&mut copy), &mut read)? != *file {
            return Err(BackupError::Unsound(
                backup.to_owned(),
                format!("{} is not as it was written", file.path),
            ));
        }
        copy.sync_all().map_err(failed(&target))?;
        sync_dir(folder)?;
    }
    Ok(())
}

/// Nothing but what belongs to holding it.
fn is_empty(data: &Layout) -> Result<bool, BackupError> {
    let root = data.root();
    for entry in std::fs::read_dir(root).map_err(failed(root))? {
        let path = entry.map_err(failed(root))?.path();
        if path != data.lock() && path != data.socket() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Takes the last names out of an empty data directory, so that another may have its place.
fn clear(data: &Layout) -> Result<(), BackupError> {
    for path in [data.socket(), data.lock()] {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(&path)(error)),
            _ => {}
        }
    }
    Ok(())
}
