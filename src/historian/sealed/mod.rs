//! Sealed history: readings that have left the journal, one SQLite file for each UTC year.
//!
//! Read in this order: `plan` (which year, what is merged when), `duty` (when it is time), `rollup`
//! (what stretches of a chunk come to), `pack` (readings as parts and chunks), `year` (the SQL of one
//! file), `sealer` (the one who writes), `forget` (what goes), `read` (those who read).
//!
//! Up to 64 points of a device make a poll group and keep to it. Readings leave the journal as one
//! **part** for each group: a blob with the columns of all its points. Neighbouring parts are
//! merged until they are long enough for **chunks**: a column for each point, the instants shared.
//! A part or chunk has one sequence, the highest of its readings; those of a group never interleave,
//! so of two readings of a point at one instant that of the higher sequence arrived later.
//!
//! **Invariant:** a reading is in the journal or sealed at any moment, whatever is killed when. A part
//! is on disk before `sealed_up_to` passes it, that before the journal is trimmed; what is sealed
//! beyond `sealed_up_to` is still in the journal and is thrown away when the files are opened. A
//! merge is one transaction of one file. A file has its name only with its tables in it.
//!
//! Damage costs what it hit: a column, a part, or what SQLite cannot find any more is counted and left
//! out. A file that cannot be opened or written for it is renamed to `YYYY.db.damaged-N`, and another
//! one begun.

mod plan;
mod duty;
mod rollup;
mod pack;
mod year;
mod sealer;
mod forget;
mod read;
#[cfg(test)]
mod tests;

pub(super) use duty::Duty;
pub(super) use read::{Frontier, Load, Loads, Sealed};
pub(super) use sealer::Sealer;

use super::chunk::ChunkError;
use super::journal::JournalError;
use super::sqlite;
use std::path::{Path, PathBuf};

/// Damaged files of one year that are set aside.
const ASIDE_MAX: u32 = 1_000;

/// The year files of a history folder, earliest first.
fn years(dir: &Path) -> Result<Vec<i16>, JournalError> {
    let mut years = Vec::new();
    for file in std::fs::read_dir(dir)? {
        let name = file?.file_name();
        let year = name.to_str().and_then(|name| name.strip_suffix(".db")?.parse().ok());
        years.extend(year.filter(|year| plan::YEARS.contains(year)));
    }
    years.sort_unstable();
    Ok(years)
}

/// Renames a year file that cannot be used to `YYYY.db.damaged-N`, for a person to look at. Its log
/// keeps its name beside it.
fn set_aside(path: &Path) -> Result<PathBuf, JournalError> {
    let aside = |n: u32| path.with_extension(format!("db.damaged-{n}"));
    let free = (1..=ASIDE_MAX).map(aside).find(|path| !path.exists());
    let free =
        free.ok_or_else(|| sqlite::damaged("too many damaged files of the year lie there".to_owned()))?;
    for (from, to) in with_log(path).iter().zip(with_log(&free)) {
        match std::fs::rename(from, to) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    sqlite::sync_parent(path)?;
    Ok(free)
}

fn path_of(dir: &Path, year: i16) -> PathBuf {
    dir.join(format!("{year:04}.db"))
}

/// A year file with the files SQLite keeps beside it; itself last: while it is there, they belong to it.
fn with_log(path: &Path) -> [PathBuf; 3] {
    ["-wal", "-shm", ""].map(|end| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        name.into()
    })
}

/// Deletes a file that may be gone.
fn remove(path: &Path) -> Result<(), JournalError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// What cannot be encoded was not sorted by us: a fault of the program, told like one of the disk.
fn unpackable(error: ChunkError) -> JournalError {
    JournalError::Io(std::io::Error::other(error))
}
