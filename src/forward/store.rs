//! How far each target has come: a cursor in `plantroom.db`.

use crate::db::{DbError, WriteTx, cursors};
use crate::point::Name;
use rusqlite::Connection;

/// Up to where the log is delivered; 0 for a target that is new.
pub fn cursor(connection: &Connection, target: &Name) -> Result<u64, DbError> {
    Ok(u64::try_from(cursors::get(connection, &consumer(target))?).unwrap_or(0))
}

/// Moves it.
pub fn advance(tx: &WriteTx<'_>, target: &Name, seq: u64) -> Result<(), DbError> {
    cursors::advance(tx, &consumer(target), i64::try_from(seq).unwrap_or(i64::MAX))
}

/// The live lane; backfill will have a name of its own.
fn consumer(target: &Name) -> String {
    format!("forward:{target}:live")
}
