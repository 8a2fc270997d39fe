//! The orders' tables, and what an event or an act does to them.

use super::WorkOrderError;
use super::order::{Act, HistoryRow, State, WorkOrder};
use crate::alarms::{Occurrence, Scope};
use crate::db::{AuditRow, DbError, Event, Migration, NewEvent, WriteTx, audit, cursors, events};
use crate::point::{Names, UtcMs};
use rusqlite::{Connection, OptionalExtension, Row, named_params};
use std::collections::HashMap;

/// The schema of this stage.
pub const MIGRATIONS: &[Migration] = &[
    Migration { name: "work_orders/0001-orders-history", sql: include_str!("schema.sql") },
    Migration {
        name: "work_orders/0002-by-asset",
        sql: "CREATE INDEX work_order_by_asset ON work_order (asset);",
    },
];

/// The name of this stage's cursor in the event log.
const CONSUMER: &str = "work_orders";
/// The actor of what the stage does by itself.
const ITSELF: &str = "work_orders";
/// Most events in one transaction.
const EVENTS_MAX: u32 = 200;

/// An act of a person, as asked.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) id: i64,
    pub(super) act: Act,
    pub(super) by: String,
    pub(super) note: Option<String>,
    /// The version the person saw.
    pub(super) version: Option<i64>,
}

/// Takes the next events of the log into account, cursor and effect together. Gives their number.
pub(super) fn consume(tx: &WriteTx<'_>, now: UtcMs) -> Result<usize, DbError> {
    let batch = events::after(tx, cursors::get(tx, CONSUMER)?, EVENTS_MAX)?;
    for event in &batch {
        match event.kind.as_str() {
            "alarm.raised" => {
                if let Some(alarm) = occurrence(event) {
                    raised(tx, &alarm, now)?;
                }
            }
            "alarm.returned" => {
                if let Some(alarm) = occurrence(event) {
                    tx.execute("UPDATE work_order_alarm SET active = 0 WHERE alarm = ?1", [alarm.id])?;
                }
            }
            _ => {}
        }
    }
    if let Some(last) = batch.last() {
        cursors::advance(tx, CONSUMER, last.seq)?;
    }
    Ok(batch.len())
}

/// Does what a person asked, or says why not. Before closing, the log is read to its end: an
/// onset that is committed but not yet told is not overlooked.
pub(super) fn act(
    tx: &WriteTx<'_>,
    asked: &Asked,
    now: UtcMs,
) -> Result<Result<WorkOrder, WorkOrderError>, DbError> {
    if asked.act == Act::Close {
        while consume(tx, now)? > 0 {}
    }
    let Some(mut order) = get(tx, asked.id)? else {
        return Ok(Err(WorkOrderError::NotFound(asked.id)));
    };
    if asked.version.is_some_and(|seen| seen != order.version) {
        return Ok(Err(WorkOrderError::Conflict { id: order.id, current: order.version }));
    }
    let from = order.state;
    let active = active_alarms(tx, order.id)?;
    let note = asked.note.as_deref();
    if let Err(refusal) = order.follow(asked.act, &asked.by, note, now, &active) {
        return Ok(Err(refusal));
    }
    update(tx, &order)?;
    let row = HistoryRow {
        at: now,
        actor: asked.by.clone(),
        from: Some(from),
        to: order.state,
        alarm: None,
        note: asked.note.clone(),
    };
    let action = format!("work_order.{}", asked.act.word());
    record(tx, &order, &row, &action, asked.act.event())?;
    Ok(Ok(order))
}

/// Orders that are not closed, the most urgent first.
pub(super) fn open(connection: &Connection) -> Result<Vec<WorkOrder>, DbError> {
    select(connection, "WHERE state <> 'closed' ORDER BY priority, id DESC", ())
}

/// The newest orders first, at most `limit` of a scope.
pub(super) fn newest(connection: &Connection, scope: &Scope, limit: u32) -> Result<Vec<WorkOrder>, DbError> {
    let which = format!("WHERE {} ORDER BY id DESC LIMIT :limit", scope.sql("opened_at", "closed_at"));
    let (from, to) = (scope.from.map(|at| at.0), scope.to.map(|at| at.0));
    select(
        connection,
        &which,
        named_params! { ":asset": scope.asset, ":from": from, ":to": to, ":limit": limit },
    )
}

pub(super) fn get(connection: &Connection, id: i64) -> Result<Option<WorkOrder>, DbError> {
    Ok(select(connection, "WHERE id = ?1", (id,))?.pop())
}

/// The order each of the alarms is in, the latest where it was in several; alarms without one
/// are left out.
pub(super) fn of_alarms(connection: &Connection, alarms: &[i64]) -> Result<HashMap<i64, i64>, DbError> {
    let mut statement = connection.prepare(
        "SELECT alarm, max(work_order) FROM work_order_alarm
         WHERE alarm IN (SELECT value FROM json_each(?1)) GROUP BY alarm",
    )?;
    let rows = statement.query_map([serde_json::to_string(alarms)?], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What happened to an order, oldest first.
pub(super) fn history(connection: &Connection, id: i64) -> Result<Vec<HistoryRow>, DbError> {
    let mut statement = connection.prepare(
        "SELECT at, actor, from_state, to_state, alarm, note FROM work_order_event
         WHERE work_order = ?1 ORDER BY seq",
    )?;
    let rows = statement.query_map([id], |row| {
        let (from, to): (Option<String>, String) = (row.get(2)?, row.get(3)?);
        let row = HistoryRow {
            at: UtcMs(row.get(0)?),
            actor: row.get(1)?,
            from: None,
            to: State::New,
            alarm: row.get(4)?,
            note: row.get(5)?,
        };
        Ok((row, from, to))
    })?;
    rows.map(|row| {
        let (row, from, to) = row?;
        Ok(HistoryRow { from: from.as_deref().map(state).transpose()?, to: state(&to)?, ..row })
    })
    .collect()
}

fn occurrence(event: &Event) -> Option<Occurrence> {
    match serde_json::from_value(event.body.clone()) {
        Ok(alarm) => Some(alarm),
        Err(error) => {
            // Standing still here would keep every later alarm from its order.
            tracing::error!(seq = event.seq, %error, "An alarm event cannot be read and opens no order.");
            None
        }
    }
}

fn raised(tx: &WriteTx<'_>, alarm: &Occurrence, now: UtcMs) -> Result<(), DbError> {
    let open: Option<i64> = tx
        .query_row(
            "SELECT id FROM work_order WHERE asset = ?1 AND failure_mode = ?2 AND state <> 'closed'",
            (&alarm.asset, &alarm.failure_mode),
            |row| row.get(0),
        )
        .optional()?;
    match open {
        None => open_order(tx, alarm, now),
        Some(id) => join(tx, id, alarm, now),
    }
}

fn open_order(tx: &WriteTx<'_>, alarm: &Occurrence, now: UtcMs) -> Result<(), DbError> {
    let id: i64 = tx.query_row(
        "INSERT INTO work_order (state, asset, failure_mode, priority, title_zh, title_en,
             response_zh, response_en, point, value, limit_value, unit, raised_at, opened_at, version)
         VALUES ('new', :asset, :failure_mode, :priority, :title_zh, :title_en,
             :response_zh, :response_en, :point, :value, :limit_value, :unit, :raised_at, :opened_at, 1)
         RETURNING id",
        named_params! {
            ":asset": alarm.asset, ":failure_mode": alarm.failure_mode, ":priority": alarm.priority,
            ":title_zh": alarm.message.zh, ":title_en": alarm.message.en,
            ":response_zh": alarm.response.zh, ":response_en": alarm.response.en,
            ":point": alarm.point, ":value": alarm.value, ":limit_value": alarm.limit,
            ":unit": alarm.unit, ":raised_at": alarm.raised_at.0, ":opened_at": now.0,
        },
        |row| row.get(0),
    )?;
    hold(tx, id, alarm.id)?;
    let order = get(tx, id)?.ok_or_else(|| DbError::Row(format!("work order {id}")))?;
    let row = HistoryRow {
        at: now,
        actor: ITSELF.to_owned(),
        from: None,
        to: State::New,
        alarm: Some(alarm.id),
        note: None,
    };
    record(tx, &order, &row, "work_order.open", "work_order.opened")
}

/// Another alarm of the key, or one of its own again.
fn join(tx: &WriteTx<'_>, id: i64, alarm: &Occurrence, now: UtcMs) -> Result<(), DbError> {
    let mut order = get(tx, id)?.ok_or_else(|| DbError::Row(format!("work order {id}")))?;
    hold(tx, id, alarm.id)?;
    let row = HistoryRow {
        at: now,
        actor: ITSELF.to_owned(),
        from: Some(order.state),
        to: order.state,
        alarm: Some(alarm.id),
        note: None,
    };
    if order.alarm_ids.contains(&alarm.id) {
        return save_history(tx, id, &row);
    }
    order.alarm_ids.push(alarm.id);
    order.alarm_ids.sort_unstable();
    order.priority = order.priority.min(alarm.priority);
    order.version += 1;
    update(tx, &order)?;
    record(tx, &order, &row, "work_order.join", "work_order.joined")
}

/// The alarm is one of the order's, and it holds.
fn hold(tx: &WriteTx<'_>, order: i64, alarm: i64) -> Result<(), DbError> {
    tx.execute(
        "INSERT INTO work_order_alarm (work_order, alarm, active) VALUES (?1, ?2, 1)
         ON CONFLICT (work_order, alarm) DO UPDATE SET active = 1",
        (order, alarm),
    )?;
    Ok(())
}

fn active_alarms(tx: &WriteTx<'_>, order: i64) -> Result<Vec<i64>, DbError> {
    let mut statement =
        tx.prepare("SELECT alarm FROM work_order_alarm WHERE work_order = ?1 AND active = 1 ORDER BY alarm")?;
    let rows = statement.query_map([order], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn update(tx: &WriteTx<'_>, order: &WorkOrder) -> Result<(), DbError> {
    tx.execute(
        "UPDATE work_order SET state = :state, priority = :priority,
             accepted_at = :accepted_at, accepted_by = :accepted_by,
             done_at = :done_at, done_by = :done_by, note = :note,
             closed_at = :closed_at, closed_by = :closed_by, version = :version
         WHERE id = :id",
        named_params! {
            ":id": order.id, ":state": order.state.word(), ":priority": order.priority,
            ":accepted_at": order.accepted_at.map(|at| at.0), ":accepted_by": order.accepted_by,
            ":done_at": order.done_at.map(|at| at.0), ":done_by": order.done_by, ":note": order.note,
            ":closed_at": order.closed_at.map(|at| at.0), ":closed_by": order.closed_by,
            ":version": order.version,
        },
    )?;
    Ok(())
}

/// History, audit and event of a change that is made.
fn record(
    tx: &WriteTx<'_>,
    order: &WorkOrder,
    row: &HistoryRow,
    action: &str,
    event: &str,
) -> Result<(), DbError> {
    save_history(tx, order.id, row)?;
    let subject = order.subject();
    audit::append(
        tx,
        &AuditRow {
            at: row.at,
            actor: row.actor.clone(),
            action: action.to_owned(),
            object: subject.clone(),
            before: row.from.map(serde_json::to_value).transpose()?,
            after: Some(serde_json::to_value(row.to)?),
            reason: row.note.clone(),
        },
    )?;
    let body = serde_json::to_value(order)?;
    tx.append(NewEvent { at: row.at, kind: event, subject: &subject, body })?;
    Ok(())
}

fn save_history(tx: &WriteTx<'_>, order: i64, row: &HistoryRow) -> Result<(), DbError> {
    tx.execute(
        "INSERT INTO work_order_event (work_order, at, actor, from_state, to_state, alarm, note)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        (order, row.at.0, &row.actor, row.from.map(State::word), row.to.word(), row.alarm, &row.note),
    )?;
    Ok(())
}

fn select(
    connection: &Connection,
    which: &str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<WorkOrder>, DbError> {
    let mut statement = connection.prepare(&format!(
        "SELECT *, (SELECT json_group_array(alarm ORDER BY alarm) FROM work_order_alarm
                    WHERE work_order = work_order.id) AS alarm_ids
         FROM work_order {which}"
    ))?;
    let mut rows = statement.query(parameters)?;
    let mut orders = Vec::new();
    while let Some(row) = rows.next()? {
        orders.push(order(row)?);
    }
    Ok(orders)
}

fn order(row: &Row<'_>) -> Result<WorkOrder, DbError> {
    let time = |column: &str| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(UtcMs));
    let id: i64 = row.get("id")?;
    Ok(WorkOrder {
        id,
        number: format!("WO-{id:06}"),
        state: state(&row.get::<_, String>("state")?)?,
        asset: row.get("asset")?,
        failure_mode: row.get("failure_mode")?,
        priority: row.get("priority")?,
        title: Names { zh: row.get("title_zh")?, en: row.get("title_en")? },
        response: Names { zh: row.get("response_zh")?, en: row.get("response_en")? },
        point: row.get("point")?,
        value: row.get("value")?,
        limit: row.get("limit_value")?,
        unit: row.get("unit")?,
        raised_at: UtcMs(row.get("raised_at")?),
        opened_at: UtcMs(row.get("opened_at")?),
        accepted_at: time("accepted_at")?,
        accepted_by: row.get("accepted_by")?,
        done_at: time("done_at")?,
        done_by: row.get("done_by")?,
        note: row.get("note")?,
        closed_at: time("closed_at")?,
        closed_by: row.get("closed_by")?,
        alarm_ids: serde_json::from_str(&row.get::<_, String>("alarm_ids")?)?,
        version: row.get("version")?,
    })
}

fn state(word: &str) -> Result<State, DbError> {
    State::from_word(word).ok_or_else(|| DbError::Row(format!("state {word:?} of a work order")))
}
