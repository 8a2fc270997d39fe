//! The audit: who did what to what and why, in the transaction of the act.

use super::{DbError, WriteTx};
use crate::point::UtcMs;
use rusqlite::Connection;

/// One act.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditRow {
    /// When.
    pub at: UtcMs,
    /// A person, or the stage that acted by itself.
    pub actor: String,
    /// What was done: `alarm.acknowledge`.
    pub action: String,
    /// To what: `alarm:17`.
    pub object: String,
    /// What it was before, as far as the act changed it.
    pub before: Option<serde_json::Value>,
    /// What it is since.
    pub after: Option<serde_json::Value>,
    /// Why, in the actor's words.
    pub reason: Option<String>,
}

/// Appends an act; gives its sequence number.
pub fn append(tx: &WriteTx<'_>, row: &AuditRow) -> Result<i64, DbError> {
    let mut statement = tx.prepare(
        "INSERT INTO audit (at, actor, action, object, before, after, reason)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    let text = |document: &Option<serde_json::Value>| document.as_ref().map(ToString::to_string);
    Ok(statement.insert((
        row.at.0,
        &row.actor,
        &row.action,
        &row.object,
        text(&row.before),
        text(&row.after),
        &row.reason,
    ))?)
}

/// What was done to an object, oldest first, at most `limit`.
pub fn of(connection: &Connection, object: &str, limit: u32) -> Result<Vec<AuditRow>, DbError> {
    let mut statement = connection.prepare(
        "SELECT at, actor, action, object, before, after, reason FROM audit
         WHERE object = ?1 ORDER BY seq LIMIT ?2",
    )?;
    let mut rows = statement.query((object, limit))?;
    let mut acts = Vec::new();
    while let Some(row) = rows.next()? {
        acts.push(AuditRow {
            at: UtcMs(row.get(0)?),
            actor: row.get(1)?,
            action: row.get(2)?,
            object: row.get(3)?,
            before: document(row.get(4)?)?,
            after: document(row.get(5)?)?,
            reason: row.get(6)?,
        });
    }
    Ok(acts)
}

fn document(text: Option<String>) -> Result<Option<serde_json::Value>, DbError> {
    Ok(text.map(|text| serde_json::from_str(&text)).transpose()?)
}
