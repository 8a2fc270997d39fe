//! The alarms' tables: occurrences, journal, and the timers of delays.

use super::backlog::Portion;
use super::board::{Entry, Kind};
use super::occurrence::{Occurrence, subject};
use super::scope::Scope;
use super::state::StateBits;
use crate::db::{AuditRow, DbError, Migration, NewEvent, Timer, WriteTx, audit, timers};
use crate::point::{Names, UtcMs};
use rusqlite::{Connection, Row, named_params};

/// The schema of this stage.
pub const MIGRATIONS: &[Migration] = &[
    Migration { name: "alarms/0001-occurrences-journal", sql: include_str!("schema.sql") },
    Migration { name: "alarms/0002-by-asset", sql: "CREATE INDEX alarm_by_asset ON alarm (asset);" },
];

/// The purpose of this stage's timers; their owner is the rule's key.
const DELAY: &str = "alarms.delay";

/// What a start finds.
pub(super) struct Loaded {
    pub(super) open: Vec<Occurrence>,
    pub(super) last_id: i64,
    pub(super) due: Vec<(String, UtcMs)>,
}

pub(super) fn load(connection: &Connection) -> Result<Loaded, DbError> {
    let last_id = connection.query_row("SELECT coalesce(max(id), 0) FROM alarm", [], |row| row.get(0))?;
    let timers = timers::due(connection, DELAY, UtcMs(i64::MAX), u32::MAX)?;
    let due = timers.into_iter().map(|timer| (timer.owner, timer.due_at)).collect();
    let open = select(connection, "WHERE active = 1 OR acked = 0 OR latched = 1 ORDER BY id", ())?;
    Ok(Loaded { open, last_id, due })
}

/// The newest occurrences first, at most `limit` of a scope.
pub(super) fn newest(connection: &Connection, scope: &Scope, limit: u32) -> Result<Vec<Occurrence>, DbError> {
    let which = format!("WHERE {} ORDER BY id DESC LIMIT :limit", scope.sql("raised_at", "cleared_at"));
    let (from, to) = (scope.from.map(|at| at.0), scope.to.map(|at| at.0));
    select(
        connection,
        &which,
        named_params! { ":asset": scope.asset, ":from": from, ":to": to, ":limit": limit },
    )
}

pub(super) fn get(connection: &Connection, id: i64) -> Result<Option<Occurrence>, DbError> {
    Ok(select(connection, "WHERE id = ?1", (id,))?.pop())
}

/// Occurrences, journal rows, audit rows, events and timers: all or nothing.
pub(super) fn save(tx: &WriteTx<'_>, portion: &Portion) -> Result<(), DbError> {
    for entry in &portion.entries {
        save_occurrence(tx, &entry.alarm)?;
        save_entry(tx, entry)?;
    }
    for (key, due) in &portion.timers {
        match due {
            Some(due_at) => {
                let (purpose, owner) = (DELAY.to_owned(), key.clone());
                timers::set(
                    tx,
                    &Timer { purpose, owner, due_at: *due_at, payload: serde_json::Value::Null },
                )?;
            }
            None => timers::clear(tx, DELAY, key)?,
        }
    }
    Ok(())
}

fn save_entry(tx: &WriteTx<'_>, entry: &Entry) -> Result<(), DbError> {
    let (event, action) = match entry.kind {
        Kind::Raised => ("alarm.raised", "alarm.raise"),
        Kind::Returned => ("alarm.returned", "alarm.return"),
        Kind::Acknowledged => ("alarm.acknowledged", "alarm.acknowledge"),
    };
    let alarm = &entry.alarm;
    let subject = subject(alarm.id);
    tx.execute(
        "INSERT INTO alarm_event (alarm, at, kind, from_bits, to_bits, actor, value, quality, reason)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        (
            alarm.id,
            entry.at.0,
            event,
            entry.before.to_mask(),
            alarm.state.to_mask(),
            &entry.actor,
            &alarm.value,
            entry.quality.map(|quality| quality.to_string()),
            &entry.reason,
        ),
    )?;
    audit::append(
        tx,
        &AuditRow {
            at: entry.at,
            actor: entry.actor.clone(),
            action: action.to_owned(),
            object: subject.clone(),
            before: Some(serde_json::to_value(entry.before)?),
            after: Some(serde_json::to_value(alarm.state)?),
            reason: entry.reason.clone(),
        },
    )?;
    let body = serde_json::to_value(alarm)?;
    tx.append(NewEvent { at: entry.at, kind: event, subject: &subject, body })?;
    Ok(())
}

fn save_occurrence(tx: &WriteTx<'_>, alarm: &Occurrence) -> Result<(), DbError> {
    tx.execute(
        "INSERT INTO alarm (id, rule, asset, point, priority, failure_mode,
             active, acked, suppressed, shelved, out_of_service, latched,
             raised_at, cleared_at, acked_at, acked_by, value, limit_value, unit,
             message_zh, message_en, response_zh, response_en, version)
         VALUES (:id, :rule, :asset, :point, :priority, :failure_mode,
             :active, :acked, :suppressed, :shelved, :out_of_service, :latched,
             :raised_at, :cleared_at, :acked_at, :acked_by, :value, :limit_value, :unit,
             :message_zh, :message_en, :response_zh, :response_en, :version)
         ON CONFLICT (id) DO UPDATE SET
             active = excluded.active, acked = excluded.acked, suppressed = excluded.suppressed,
             shelved = excluded.shelved, out_of_service = excluded.out_of_service,
             latched = excluded.latched, cleared_at = excluded.cleared_at,
             acked_at = excluded.acked_at, acked_by = excluded.acked_by,
             value = excluded.value, limit_value = excluded.limit_value, version = excluded.version",
        named_params! {
            ":id": alarm.id, ":rule": alarm.rule, ":asset": alarm.asset, ":point": alarm.point,
            ":priority": alarm.priority, ":failure_mode": alarm.failure_mode,
            ":active": alarm.state.active, ":acked": alarm.state.acked,
            ":suppressed": alarm.state.suppressed, ":shelved": alarm.state.shelved,
            ":out_of_service": alarm.state.out_of_service, ":latched": alarm.state.latched,
            ":raised_at": alarm.raised_at.0, ":cleared_at": alarm.cleared_at.map(|at| at.0),
            ":acked_at": alarm.acked_at.map(|at| at.0), ":acked_by": alarm.acked_by,
            ":value": alarm.value, ":limit_value": alarm.limit, ":unit": alarm.unit,
            ":message_zh": alarm.message.zh, ":message_en": alarm.message.en,
            ":response_zh": alarm.response.zh, ":response_en": alarm.response.en,
            ":version": alarm.version,
        },
    )?;
    Ok(())
}

fn select(
    connection: &Connection,
    which: &str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<Occurrence>, DbError> {
    let mut statement = connection.prepare(&format!("SELECT * FROM alarm {which}"))?;
    let rows = statement.query_map(parameters, occurrence)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn occurrence(row: &Row<'_>) -> rusqlite::Result<Occurrence> {
    let time = |column: &str| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(UtcMs));
    Ok(Occurrence {
        id: row.get("id")?,
        rule: row.get("rule")?,
        asset: row.get("asset")?,
        point: row.get("point")?,
        priority: row.get("priority")?,
        failure_mode: row.get("failure_mode")?,
        state: StateBits {
            active: row.get("active")?,
            acked: row.get("acked")?,
            suppressed: row.get("suppressed")?,
            shelved: row.get("shelved")?,
            out_of_service: row.get("out_of_service")?,
            latched: row.get("latched")?,
        },
        raised_at: UtcMs(row.get("raised_at")?),
        cleared_at: time("cleared_at")?,
        acked_at: time("acked_at")?,
        acked_by: row.get("acked_by")?,
        value: row.get("value")?,
        limit: row.get("limit_value")?,
        unit: row.get("unit")?,
        message: Names { zh: row.get("message_zh")?, en: row.get("message_en")? },
        response: Names { zh: row.get("response_zh")?, en: row.get("response_en")? },
        version: row.get("version")?,
    })
}
