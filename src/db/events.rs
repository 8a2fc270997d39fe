//! The event log: what happened, in the order it was committed. Append with
//! [`super::WriteTx::append`].

use super::DbError;
use crate::point::UtcMs;
use rusqlite::Connection;

/// Something that happened, to be appended.
#[derive(Clone, Debug)]
pub struct NewEvent<'a> {
    /// When.
    pub at: UtcMs,
    /// What: `alarm.raised`, `work_order.opened`.
    pub kind: &'a str,
    /// To what: `alarm:17`.
    pub subject: &'a str,
    /// The thing as it was then.
    pub body: serde_json::Value,
}

/// A row of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its place in the log; grows by commits, is never given twice, may have holes.
    pub seq: i64,
    /// When.
    pub at: UtcMs,
    /// What.
    pub kind: String,
    /// To what.
    pub subject: String,
    /// The thing as it was then.
    pub body: serde_json::Value,
}

/// The events after `seq`, oldest first, at most `limit`.
pub fn after(connection: &Connection, seq: i64, limit: u32) -> Result<Vec<Event>, DbError> {
    let mut statement = connection
        .prepare("SELECT seq, at, kind, subject, body FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2")?;
    let rows = statement.query_map((seq, limit), |row| {
        let body: String = row.get(4)?;
        Ok((row.get(0)?, UtcMs(row.get(1)?), row.get(2)?, row.get(3)?, body))
    })?;
    rows.map(|row| {
        let (seq, at, kind, subject, body) = row?;
        Ok(Event { seq, at, kind, subject, body: serde_json::from_str(&body)? })
    })
    .collect()
}

/// The number of the last event, 0 before the first.
pub fn last_seq(connection: &Connection) -> Result<i64, DbError> {
    let last = connection.query_row("SELECT coalesce(max(seq), 0) FROM events", [], |row| row.get(0))?;
    Ok(last)
}

pub(super) fn insert(connection: &Connection, event: NewEvent<'_>) -> Result<i64, DbError> {
    let NewEvent { at, kind, subject, body } = event;
    let mut statement =
        connection.prepare("INSERT INTO events (at, kind, subject, body) VALUES (?1, ?2, ?3, ?4)")?;
    Ok(statement.insert((at.0, kind, subject, body.to_string()))?)
}
