//! How far each consumer of a log has come. Read and moved in the transaction of the effect.

use super::{DbError, WriteTx};
use rusqlite::{Connection, OptionalExtension};

/// Where a consumer stands; 0 before its first step.
pub fn get(connection: &Connection, consumer: &str) -> Result<i64, DbError> {
    let mut statement = connection.prepare("SELECT seq FROM cursors WHERE consumer = ?1")?;
    let seq = statement.query_row([consumer], |row| row.get(0)).optional()?;
    Ok(seq.unwrap_or(0))
}

/// Moves a cursor forward; standing still is allowed, going back is not.
pub fn advance(tx: &WriteTx<'_>, consumer: &str, seq: i64) -> Result<(), DbError> {
    let at = get(tx, consumer)?;
    if seq < at {
        return Err(DbError::CursorBackwards { consumer: consumer.to_owned(), at, to: seq });
    }
    let mut statement = tx.prepare(
        "INSERT INTO cursors (consumer, seq) VALUES (?1, ?2)
         ON CONFLICT (consumer) DO UPDATE SET seq = excluded.seq",
    )?;
    statement.execute((consumer, seq))?;
    Ok(())
}
