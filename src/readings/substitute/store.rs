//! The table of substitutions, and the timers of their ends.

use super::{Ended, Given, Substitution, Wanted};
use crate::db::{AuditRow, DbError, Migration, NewEvent, Timer, WriteTx, audit, timers};
use crate::point::{PointId, UtcMs};
use rusqlite::{Connection, Row, named_params};
use std::collections::BTreeMap;

/// The schema of substitutions.
pub const MIGRATIONS: &[Migration] =
    &[Migration { name: "readings/0001-substitution", sql: include_str!("schema.sql") }];

/// The purpose of the timers; their owner is the number of the substitution.
const END: &str = "readings.substitution";

/// Row, timer, event and audit row of a beginning.
pub(super) fn begin(tx: &WriteTx<'_>, wanted: &Wanted, since: UtcMs) -> Result<Substitution, DbError> {
    let mut begun = Substitution {
        id: 0,
        point: wanted.point,
        address: wanted.address.to_string(),
        value: wanted.value.clone(),
        since,
        until: wanted.until,
        by: wanted.by.clone(),
        reason: wanted.reason.clone(),
        ended: None,
    };
    let mut statement = tx.prepare(
        "INSERT INTO substitution (point, address, kind, value, since, until, put_by, reason)
         VALUES (:point, :address, :kind, :value, :since, :until, :put_by, :reason)",
    )?;
    begun.id = statement.insert(named_params! {
        ":point": begun.point.0, ":address": begun.address, ":kind": begun.value.kind(),
        ":value": begun.value.to_string(), ":since": begun.since.0, ":until": begun.until.0,
        ":put_by": begun.by, ":reason": begun.reason,
    })?;
    let (purpose, owner) = (END.to_owned(), begun.id.to_string());
    timers::set(tx, &Timer { purpose, owner, due_at: begun.until, payload: serde_json::Value::Null })?;
    let after = Some(begun.body()?);
    act(
        tx,
        &begun,
        "point.substituted",
        Act {
            action: "point.substitute",
            at: since,
            actor: &begun.by,
            before: None,
            after,
            reason: Some(&begun.reason),
        },
    )?;
    Ok(begun)
}

/// The same of an end.
pub(super) fn end(tx: &WriteTx<'_>, open: &Substitution, ended: &Ended) -> Result<Substitution, DbError> {
    let done = Substitution { ended: Some(ended.clone()), ..open.clone() };
    tx.execute(
        "UPDATE substitution SET ended_at = ?2, ended_by = ?3, end_reason = ?4 WHERE id = ?1",
        (done.id, ended.at.0, &ended.by, &ended.reason),
    )?;
    timers::clear(tx, END, &done.id.to_string())?;
    let (before, after) = (Some(open.body()?), Some(done.body()?));
    let reason = ended.reason.as_deref();
    act(
        tx,
        &done,
        "point.substitution_ended",
        Act { action: "point.end_substitution", at: ended.at, actor: &ended.by, before, after, reason },
    )?;
    Ok(done)
}

struct Act<'a> {
    action: &'a str,
    at: UtcMs,
    actor: &'a str,
    before: Option<serde_json::Value>,
    after: Option<serde_json::Value>,
    reason: Option<&'a str>,
}

fn act(tx: &WriteTx<'_>, of: &Substitution, event: &str, act: Act<'_>) -> Result<(), DbError> {
    let subject = of.subject();
    audit::append(
        tx,
        &AuditRow {
            at: act.at,
            actor: act.actor.to_owned(),
            action: act.action.to_owned(),
            object: subject.clone(),
            before: act.before,
            after: act.after,
            reason: act.reason.map(ToOwned::to_owned),
        },
    )?;
    tx.append(NewEvent { at: act.at, kind: event, subject: &subject, body: of.body()? })?;
    Ok(())
}

/// Those that are not over, with the times they end.
pub(super) fn open(connection: &Connection) -> Result<Vec<(Substitution, UtcMs)>, DbError> {
    let due: BTreeMap<String, UtcMs> = timers::due(connection, END, UtcMs(i64::MAX), u32::MAX)?
        .into_iter()
        .map(|timer| (timer.owner, timer.due_at))
        .collect();
    let open = select(connection, "WHERE ended_at IS NULL ORDER BY id", ())?;
    let timed = open.into_iter().map(|one| {
        let due_at = due.get(&one.id.to_string()).copied().unwrap_or(one.until);
        (one, due_at)
    });
    Ok(timed.collect())
}

/// The newest first; of all, or of those that are not over.
pub(super) fn newest(connection: &Connection, all: bool, limit: u32) -> Result<Vec<Substitution>, DbError> {
    let which =
        if all { "ORDER BY id DESC LIMIT ?1" } else { "WHERE ended_at IS NULL ORDER BY id DESC LIMIT ?1" };
    select(connection, which, (limit,))
}

fn select(
    connection: &Connection,
    which: &str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<Substitution>, DbError> {
    let mut statement = connection.prepare(&format!("SELECT * FROM substitution {which}"))?;
    let rows = statement.query_map(parameters, |row| Ok(substitution(row)))?;
    rows.map(|row| row?).collect()
}

fn substitution(row: &Row<'_>) -> Result<Substitution, DbError> {
    let (kind, value): (String, String) = (row.get("kind")?, row.get("value")?);
    let id = row.get("id")?;
    let value = Given::stored(&kind, &value)
        .ok_or_else(|| DbError::Row(format!("the value of substitution {id} is no {kind}")))?;
    let ended_at: Option<i64> = row.get("ended_at")?;
    let by: Option<String> = row.get("ended_by")?;
    let reason = row.get("end_reason")?;
    Ok(Substitution {
        id,
        point: PointId(row.get("point")?),
        address: row.get("address")?,
        value,
        since: UtcMs(row.get("since")?),
        until: UtcMs(row.get("until")?),
        by: row.get("put_by")?,
        reason: row.get("reason")?,
        ended: ended_at.map(|at| Ended { at: UtcMs(at), by: by.unwrap_or_default(), reason }),
    })
}
