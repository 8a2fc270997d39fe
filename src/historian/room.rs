//! Room on the disk, and who may take the last of it.
//!
//! The historian is the one that fills a disk, so it stops first: its files do not grow into the last
//! [`SPARE_BYTES`], which its own deleting and `plantroom.db` need. Another program may take those,
//! too. So a file of [`BALLAST_BYTES`], `DATA/ballast`, is given up when the disk is nearly full,
//! whoever filled it, and is made again when there is room for it; until then the historian leaves
//! its place alone. With it a full disk does not silence an oxygen alarm.

use super::Layout;
use super::journal::JournalError;
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use std::fs::File;
use std::path::{Path, PathBuf};

/// The historian does not grow into the last of this. Bytes.
pub const SPARE_BYTES: u64 = 32 << 20;

/// What `DATA/ballast` holds. Bytes.
pub const BALLAST_BYTES: u64 = 64 << 20;

/// With less room than this the ballast is given up. Bytes.
const LOW_BYTES: u64 = 8 << 20;

/// The room of a data directory.
#[derive(Clone, Debug)]
pub struct Room {
    /// The folder that grows.
    dir: PathBuf,
    ballast: Option<PathBuf>,
}

/// What became of the ballast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ballast {
    /// The disk is nearly full: it was deleted.
    GivenUp,
    /// It is there again, or for the first time.
    Made,
}

impl Room {
    /// Of a data directory with its ballast.
    pub fn of(data: &Layout) -> Room {
        Room { dir: data.history(), ballast: Some(data.ballast()) }
    }

    /// Of a folder on its own, without ballast.
    pub(super) fn bare(dir: &Path) -> Room {
        Room { dir: dir.to_owned(), ballast: None }
    }

    /// Whether the historian may grow by so many bytes.
    pub(super) fn grow(&self, bytes: u64) -> Result<(), JournalError> {
        if self.lacking(bytes) > 0 { Err(JournalError::Full) } else { Ok(()) }
    }

    /// So many bytes must become free before the historian may grow by `bytes`.
    pub(super) fn lacking(&self, bytes: u64) -> u64 {
        let given_up = self.ballast.as_ref().is_some_and(|ballast| !ballast.exists());
        let kept = SPARE_BYTES + if given_up { BALLAST_BYTES } else { 0 };
        // A file system that does not say is met when a write fails.
        free(&self.dir).map_or(0, |free| bytes.saturating_add(kept).saturating_sub(free))
    }

    /// Gives the ballast up or makes it, if it is time. Something to ask every second; says what it did.
    pub fn look_after(&self) -> std::io::Result<Option<Ballast>> {
        let Some(path) = &self.ballast else { return Ok(None) };
        let Some(free) = path.parent().and_then(free) else { return Ok(None) };
        match path.exists() {
            true if free < LOW_BYTES => {
                std::fs::remove_file(path)?;
                Ok(Some(Ballast::GivenUp))
            }
            false if free >= BALLAST_BYTES + SPARE_BYTES => {
                if let Err(error) = make(path) {
                    // Half of it would count as whole.
                    drop(std::fs::remove_file(path));
                    return Err(error);
                }
                Ok(Some(Ballast::Made))
            }
            _ => Ok(None),
        }
    }
}

/// Bytes this user may still write; none if the file system does not say.
fn free(dir: &Path) -> Option<u64> {
    let stat = statvfs(dir).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

fn make(path: &Path) -> std::io::Result<()> {
    let file = File::create(path)?;
    fallocate(&file, FallocateFlags::empty(), 0, BALLAST_BYTES)?;
    file.sync_all()
}

/// What the files of a folder and those below it take on the disk. Bytes.
pub(super) fn taken(dir: &Path) -> std::io::Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        match entry.metadata() {
            Ok(found) if found.is_dir() => bytes += taken(&entry.path())?,
            Ok(found) => bytes += found.blocks() * 512,
            // Trimmed or merged away between the two looks.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ballast_is_made_once_and_its_place_is_left_alone_while_it_is_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::of(dir.path());
        let room = Room::of(&layout);
        std::fs::create_dir(layout.history()).unwrap();
        assert_eq!(room.look_after().unwrap(), Some(Ballast::Made));
        assert_eq!(room.look_after().unwrap(), None);
        assert!(taken(dir.path()).unwrap() >= BALLAST_BYTES);
        assert!(room.grow(0).is_ok() && matches!(room.grow(u64::MAX), Err(JournalError::Full)));
        std::fs::remove_file(layout.ballast()).unwrap();
        // The ballast's place counts as taken, there or not.
        assert!(
            room.lacking(u64::MAX / 2) >= Room::bare(dir.path()).lacking(u64::MAX / 2) + BALLAST_BYTES / 2
        );
    }
}
