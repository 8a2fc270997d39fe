//! Delays as rows: due times in UTC that a restart finds again.
//!
//! In a running process the stage that owns a timer counts it on monotonic time; the row is what
//! it starts from after a restart.

use super::{DbError, WriteTx};
use crate::point::UtcMs;
use rusqlite::Connection;

/// One delay. A stage has one timer for each (purpose, owner).
#[derive(Clone, Debug, PartialEq)]
pub struct Timer {
    /// What is delayed: `alarms.on_delay`.
    pub purpose: String,
    /// For what: an id in the stage's own words.
    pub owner: String,
    /// When it is over.
    pub due_at: UtcMs,
    /// What the stage wants to know then.
    pub payload: serde_json::Value,
}

/// Sets a timer; one of the same purpose and owner is replaced.
pub fn set(tx: &WriteTx<'_>, timer: &Timer) -> Result<(), DbError> {
    let mut statement = tx.prepare(
        "INSERT INTO timers (purpose, owner, due_at, payload) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (purpose, owner) DO UPDATE SET due_at = excluded.due_at, payload = excluded.payload",
    )?;
    statement.execute((&timer.purpose, &timer.owner, timer.due_at.0, timer.payload.to_string()))?;
    Ok(())
}

/// Takes a timer away; without one nothing happens.
pub fn clear(tx: &WriteTx<'_>, purpose: &str, owner: &str) -> Result<(), DbError> {
    let mut statement = tx.prepare("DELETE FROM timers WHERE purpose = ?1 AND owner = ?2")?;
    statement.execute((purpose, owner))?;
    Ok(())
}

/// The timers of a purpose that are due at `now`, the earliest first, at most `limit`. With
/// `UtcMs(i64::MAX)` all of them.
pub fn due(connection: &Connection, purpose: &str, now: UtcMs, limit: u32) -> Result<Vec<Timer>, DbError> {
    let mut statement = connection.prepare(
        "SELECT purpose, owner, due_at, payload FROM timers
         WHERE purpose = ?1 AND due_at <= ?2 ORDER BY due_at, owner LIMIT ?3",
    )?;
    let rows = statement.query_map((purpose, now.0, limit), |row| {
        let payload: String = row.get(3)?;
        Ok((row.get(0)?, row.get(1)?, UtcMs(row.get(2)?), payload))
    })?;
    rows.map(|row| {
        let (purpose, owner, due_at, payload) = row?;
        Ok(Timer { purpose, owner, due_at, payload: serde_json::from_str(&payload)? })
    })
    .collect()
}

/// When the next timer of a purpose is due.
pub fn next_due(connection: &Connection, purpose: &str) -> Result<Option<UtcMs>, DbError> {
    let mut statement = connection.prepare("SELECT min(due_at) FROM timers WHERE purpose = ?1")?;
    let due: Option<i64> = statement.query_row([purpose], |row| row.get(0))?;
    Ok(due.map(UtcMs))
}
