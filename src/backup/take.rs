//! Taking a backup, beside whoever works in the data directory.

use super::manifest::{FORMAT, Manifest, digest};
use super::verify::{self, pair};
use super::{BackupError, Progress, beside, failed, files_below, fresh, parent, sync_dir};
use crate::db;
use crate::historian::{Layout, copy};
use crate::point::UtcMs;
use std::fs::File;
use std::path::Path;

/// Copies a data directory to the new folder `to`. It has its name only when it is whole and on
/// disk; what a process that was killed left is removed by the next one.
pub fn take(data: &Path, to: &Path, now: UtcMs, progress: Progress<'_>) -> Result<Manifest, BackupError> {
    let layout = Layout::of(data);
    if !layout.database().exists() || !layout.history().exists() {
        return Err(BackupError::NoData(data.to_owned()));
    }
    if to.exists() {
        return Err(BackupError::Exists(to.to_owned(), "a backup goes to a new folder"));
    }
    let part = beside(to, ".", ".part");
    fresh(&part)?;
    // Read twice: copied, then hashed as it lies there.
    let total = 2 * size_of(data)?;
    let mut done = 0;
    let mut count = |bytes| {
        done += bytes;
        progress(done.min(total), total);
    };
    copy_all(&layout, &part, &mut count)?;
    let manifest = describe(&part, now, &mut count)?;
    manifest.write(&part)?;
    sync_dir(&part)?;
    std::fs::rename(&part, to).map_err(failed(to))?;
    sync_dir(parent(to))?;
    Ok(manifest)
}

/// In the order the door of this room explains.
fn copy_all(from: &Layout, to: &Path, copied: &mut dyn FnMut(u64)) -> Result<(), BackupError> {
    let to = Layout::of(to);
    db::copy_file(&from.database(), &to.database())?;
    copied(to.database().metadata().map_err(failed(to.root()))?.len());
    copy::copy(&from.history(), &to.history(), copied)?;
    for name in files_below(&from.files())? {
        let (source, target) = (from.files().join(&name), to.files().join(&name));
        let folder = parent(&target);
        std::fs::create_dir_all(folder).map_err(failed(folder))?;
        let mut file = File::create_new(&target).map_err(failed(&target))?;
        digest(&source, &name, Some(&mut file), copied)?;
        file.sync_all().map_err(failed(&target))?;
        sync_dir(folder)?;
    }
    Ok(())
}

fn describe(part: &Path, now: UtcMs, read: &mut dyn FnMut(u64)) -> Result<Manifest, BackupError> {
    let (history, database) = (copy::glance(&Layout::of(part).history())?, verify::database(part)?);
    pair(part, &history, &database)?;
    let mut files = Vec::new();
    for name in files_below(part)? {
        files.push(digest(&part.join(&name), &name, None, read)?);
    }
    Ok(Manifest {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        taken_at: now.0,
        instance: history.instance,
        database: database.instance,
        journal: history.head.0,
        events: database.events,
        files,
    })
}

/// About how much there is to copy. Bytes.
fn size_of(data: &Path) -> Result<u64, BackupError> {
    let sizes = files_below(data)?.into_iter().map(|name| {
        // A file may be gone by now.
        data.join(name).metadata().map_or(0, |found| found.len())
    });
    Ok(sizes.sum::<u64>().max(1))
}
