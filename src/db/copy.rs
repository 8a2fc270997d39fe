//! Copies of SQLite files that others write, and whether a copy is sound.

use super::{DbError, open_reading};
use rusqlite::{Connection, OptionalExtension};
use std::path::Path;

/// What a copy of `plantroom.db` says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Which installation it belongs to.
    pub instance: String,
    /// The number of the last event, 0 before the first.
    pub events: i64,
    /// How far each consumer of a log has come.
    pub cursors: Vec<(String, i64)>,
}

/// Writes one committed state of `from` to the new file `to`, also while another process writes.
/// The copy is one file, without a log beside it, and lies on the disk when this returns.
pub fn copy_file(from: &Path, to: &Path) -> Result<(), DbError> {
    let connection = open_reading(from)?;
    let name = to.to_str().ok_or_else(|| DbError::Row(format!("the path {} is no text", to.display())))?;
    connection.execute("VACUUM INTO ?1", [name])?;
    Ok(std::fs::File::open(to)?.sync_all()?)
}

/// What SQLite finds wrong with a file; nothing if it is sound.
pub fn check_file(path: &Path) -> Result<Option<String>, DbError> {
    let connection = open_reading(path)?;
    let found: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    Ok((found != "ok").then_some(found))
}

/// The facts of a `plantroom.db`, open elsewhere or not.
pub fn facts(path: &Path) -> Result<Facts, DbError> {
    let connection = open_reading(path)?;
    let instance = connection.query_row("SELECT id FROM instance", [], |row| row.get(0))?;
    let mut statement = connection.prepare("SELECT consumer, seq FROM cursors ORDER BY consumer")?;
    let cursors = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    Ok(Facts { instance, events: last_given(&connection)?, cursors })
}

/// The last number given to an event, also of one that was rolled back or is gone.
fn last_given(connection: &Connection) -> Result<i64, DbError> {
    let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'events'";
    Ok(connection.query_row(sql, [], |row| row.get(0)).optional()?.unwrap_or(0))
}
