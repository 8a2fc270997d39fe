//! Cells, the memory of each meter, its anchors and the place in the historian's log.

use super::account::{Account, Anchor, Part};
use super::config::Counted;
use super::engine::{Finding, State, StepQuality};
use super::ledger::{MeterChange, MeterFinding};
use super::rate::Cell;
use super::recount::{End, Late, Stretch};
use crate::db::{DbError, Migration, WriteTx, cursors};
use crate::point::{Decimal, UtcMs};
use rusqlite::{Connection, OptionalExtension, Row};
use std::collections::HashMap;

/// The schema of this stage.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        name: "energy/0001-cells",
        sql: "
        -- What a meter showed last; of no use to another point or another resolution.
        CREATE TABLE energy_meter (
            meter TEXT PRIMARY KEY,
            point INTEGER NOT NULL,
            exponent INTEGER NOT NULL,
            state TEXT NOT NULL
        ) STRICT;
        -- Energy of 15 minutes from `start` (UTC ms): counts * 10^exponent of the point's unit.
        -- A cell in which the resolution changed has a row for each.
        CREATE TABLE energy_cell (
            meter TEXT NOT NULL,
            start INTEGER NOT NULL,
            exponent INTEGER NOT NULL,
            counts INTEGER NOT NULL CHECK (counts >= 0),
            quality INTEGER NOT NULL CHECK (quality BETWEEN 0 AND 2),
            PRIMARY KEY (meter, start, exponent)
        ) STRICT, WITHOUT ROWID;
    ",
    },
    Migration {
        name: "energy/0002-late",
        sql: "
        -- Readings from `from_ms` to `until_ms` came late and are not counted yet.
        CREATE TABLE energy_late (
            meter TEXT PRIMARY KEY,
            from_ms INTEGER NOT NULL,
            until_ms INTEGER NOT NULL
        ) STRICT;
        -- How a meter stood when its readings up to `at` were counted, and what its last cell held then.
        CREATE TABLE energy_anchor (
            meter TEXT NOT NULL,
            at INTEGER NOT NULL,
            state TEXT NOT NULL,
            part_start INTEGER,
            part_counts INTEGER,
            part_quality INTEGER,
            PRIMARY KEY (meter, at)
        ) STRICT, WITHOUT ROWID;
        -- Findings that were told: a stretch that is counted again tells them no second time.
        CREATE TABLE energy_told (
            meter TEXT NOT NULL,
            kind TEXT NOT NULL,
            before_at INTEGER NOT NULL,
            after_at INTEGER NOT NULL,
            PRIMARY KEY (meter, kind, before_at, after_at)
        ) STRICT, WITHOUT ROWID;
        INSERT OR IGNORE INTO energy_told (meter, kind, before_at, after_at)
            SELECT body ->> '$.meter', kind, body ->> '$.before.at', body ->> '$.after.at' FROM events
            WHERE kind IN ('energy.reset_suspected', 'energy.rate_exceeded', 'energy.gap_unbridged');
        -- What was counted in another resolution before is not counted again in this one.
        INSERT INTO energy_anchor (meter, at, state, part_start, part_counts, part_quality)
            SELECT o.meter, o.last + 899999, '{}', c.start, c.counts, c.quality
            FROM (
                SELECT m.meter, m.exponent, max(c.start) AS last FROM energy_meter m
                JOIN energy_cell c ON c.meter = m.meter AND c.exponent <> m.exponent GROUP BY m.meter
            ) o LEFT JOIN energy_cell c ON c.meter = o.meter AND c.exponent = o.exponent AND c.start = o.last;
    ",
    },
];

/// The cursor in the historian's log.
const CONSUMER: &str = "energy";

/// What is remembered of a meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// Nothing: it was never counted.
    New,
    /// This.
    Known(Account, Option<Late>),
    /// What it showed at another point or in another resolution, the last time then.
    Other(Option<UtcMs>),
}

/// How far the log has been counted.
pub fn cursor(connection: &Connection) -> Result<u64, DbError> {
    Ok(u64::try_from(cursors::get(connection, CONSUMER)?).unwrap_or(0))
}

/// Moves the cursor; in the transaction of what was counted up to there.
pub fn advance(tx: &WriteTx<'_>, seq: u64) -> Result<(), DbError> {
    cursors::advance(tx, CONSUMER, i64::try_from(seq).unwrap_or(i64::MAX))
}

/// What is remembered of a meter.
pub fn memory(connection: &Connection, meter: &Counted) -> Result<Memory, DbError> {
    let mut statement =
        connection.prepare("SELECT point, exponent, state FROM energy_meter WHERE meter = ?1")?;
    let row = |row: &Row<'_>| Ok((row.get::<_, u32>(0)?, row.get::<_, i8>(1)?, row.get::<_, String>(2)?));
    let Some((point, exponent, state)) = statement.query_row([meter.id.as_str()], row).optional()? else {
        return Ok(Memory::New);
    };
    let state: State = serde_json::from_str(&state)?;
    if (point, exponent) != (meter.point.0, meter.settings.exponent) {
        return Ok(Memory::Other(state.newest()));
    }
    let account = Account { state, part: last_cell(connection, meter)? };
    Ok(Memory::Known(account, late(connection, meter.id.as_str())?))
}

/// Lets a meter begin anew behind what was counted at another point or in another resolution, which
/// stays.
pub fn begin_behind(tx: &WriteTx<'_>, meter: &Counted, floor: Option<UtcMs>) -> Result<Account, DbError> {
    let account = Account { state: State::default(), part: last_cell(tx, meter)? };
    for table in ["energy_late", "energy_anchor"] {
        tx.execute(&format!("DELETE FROM {table} WHERE meter = ?1"), [meter.id.as_str()])?;
    }
    if let Some(at) = floor {
        add_anchor(tx, meter, &Anchor::origin(at, account.part))?;
    }
    remember(tx, meter, &account)?;
    Ok(account)
}

/// Writes what a piece of the log did to a meter; the findings that are new.
pub fn apply(tx: &WriteTx<'_>, change: &MeterChange, now: UtcMs) -> Result<Vec<Finding>, DbError> {
    let meter = &change.meter;
    remember(tx, meter, &change.account)?;
    let mut add = tx.prepare(
        "INSERT INTO energy_cell (meter, start, exponent, counts, quality) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (meter, start, exponent) DO UPDATE
         SET counts = counts + excluded.counts, quality = max(quality, excluded.quality)",
    )?;
    for Part { start, counts, quality } in &change.cells {
        add.execute((meter.id.as_str(), start.0, meter.settings.exponent, counts, *quality as u8))?;
    }
    for anchor in &change.anchors {
        add_anchor(tx, meter, anchor)?;
    }
    if let Some(late) = change.late {
        note_late(tx, meter, late)?;
    }
    tell(tx, meter, &change.findings, now)
}

/// Notes that readings came late.
pub fn note_late(tx: &WriteTx<'_>, meter: &Counted, late: Late) -> Result<(), DbError> {
    tx.prepare(
        "INSERT INTO energy_late (meter, from_ms, until_ms) VALUES (?1, ?2, ?3)
         ON CONFLICT (meter) DO UPDATE
         SET from_ms = min(from_ms, excluded.from_ms), until_ms = max(until_ms, excluded.until_ms)",
    )?
    .execute((meter.id.as_str(), late.from.0, late.until.0))?;
    Ok(())
}

/// What came late and is not counted yet.
pub fn late(connection: &Connection, meter: &str) -> Result<Option<Late>, DbError> {
    let mut statement = connection.prepare("SELECT from_ms, until_ms FROM energy_late WHERE meter = ?1")?;
    let late = |row: &Row<'_>| Ok(Late { from: UtcMs(row.get(0)?), until: UtcMs(row.get(1)?) });
    Ok(statement.query_row([meter], late).optional()?)
}

/// The last anchor of a meter before an instant; failing that where its counting begins anew, if it
/// does.
pub fn anchor_before(
    connection: &Connection,
    meter: &Counted,
    before: UtcMs,
) -> Result<Option<Anchor>, DbError> {
    let id = meter.id.as_str();
    let mut last = connection
        .prepare(&format!("{SELECT_ANCHOR} WHERE meter = ?1 AND at < ?2 ORDER BY at DESC LIMIT 1"))?;
    if let Some(row) = last.query_row((id, before.0), anchor_row).optional()? {
        return row.anchor().map(Some);
    }
    let mut first = connection.prepare(&format!("{SELECT_ANCHOR} WHERE meter = ?1 ORDER BY at LIMIT 1"))?;
    let first = first.query_row([id], anchor_row).optional()?.map(AnchorRow::anchor).transpose()?;
    Ok(first.filter(Anchor::is_origin))
}

/// The anchors of a meter behind an instant.
pub fn anchors_behind(connection: &Connection, meter: &Counted, at: UtcMs) -> Result<Vec<Anchor>, DbError> {
    let mut statement =
        connection.prepare(&format!("{SELECT_ANCHOR} WHERE meter = ?1 AND at > ?2 ORDER BY at"))?;
    let rows = statement.query_map((meter.id.as_str(), at.0), anchor_row)?;
    rows.map(|row| row?.anchor()).collect()
}

/// Whether a meter has cells before an instant.
pub fn has_cells_before(connection: &Connection, meter: &Counted, at: UtcMs) -> Result<bool, DbError> {
    let mut statement =
        connection.prepare("SELECT EXISTS (SELECT 1 FROM energy_cell WHERE meter = ?1 AND start < ?2)")?;
    Ok(statement.query_row((meter.id.as_str(), at.0), |row| row.get(0))?)
}

/// What a stretch changes of the cells there are: to write, and to take away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// These hold something else from now on.
    pub changed: Vec<Part>,
    /// These do not exist any more.
    pub gone: Vec<UtcMs>,
}

/// Compares a stretch with the cells there are.
pub fn difference(
    connection: &Connection,
    meter: &Counted,
    stretch: &Stretch,
) -> Result<Difference, DbError> {
    let mut statement = connection.prepare(
        "SELECT start, counts, quality FROM energy_cell
         WHERE meter = ?1 AND exponent = ?2 AND start >= ?3 AND start < ?4",
    )?;
    let to = stretch.to.map_or(i64::MAX, |to| to.0);
    let mut rows = statement.query((meter.id.as_str(), meter.settings.exponent, stretch.from.0, to))?;
    let mut there = HashMap::new();
    while let Some(row) = rows.next()? {
        let part = Part { start: UtcMs(row.get(0)?), counts: row.get(1)?, quality: quality(row.get(2)?)? };
        there.insert(part.start, part);
    }
    let is_changed = |part: &&Part| there.remove(&part.start).as_ref() != Some(*part);
    let changed = stretch.cells.iter().filter(is_changed).copied().collect();
    Ok(Difference { changed, gone: there.into_keys().collect() })
}

/// Writes a stretch that was counted anew; the findings that are new.
pub fn settle(
    tx: &WriteTx<'_>,
    meter: &Counted,
    stretch: &Stretch,
    difference: &Difference,
    now: UtcMs,
) -> Result<Vec<Finding>, DbError> {
    let (id, exponent) = (meter.id.as_str(), meter.settings.exponent);
    let mut put = tx.prepare(
        "INSERT INTO energy_cell (meter, start, exponent, counts, quality) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (meter, start, exponent) DO UPDATE SET counts = excluded.counts, quality = excluded.quality",
    )?;
    for Part { start, counts, quality } in &difference.changed {
        put.execute((id, start.0, exponent, counts, *quality as u8))?;
    }
    let mut take = tx.prepare("DELETE FROM energy_cell WHERE meter = ?1 AND start = ?2 AND exponent = ?3")?;
    for start in &difference.gone {
        take.execute((id, start.0, exponent))?;
    }
    let to = stretch.anchors_to.map_or(i64::MAX, |at| at.0);
    tx.prepare("DELETE FROM energy_anchor WHERE meter = ?1 AND at > ?2 AND at < ?3")?.execute((
        id,
        stretch.anchors_behind.0,
        to,
    ))?;
    for anchor in &stretch.anchors {
        add_anchor(tx, meter, anchor)?;
    }
    forget_late(tx, meter)?;
    if let Some(late) = stretch.left {
        note_late(tx, meter, late)?;
    }
    if let End::Newest(account) = &stretch.end {
        remember(tx, meter, account)?;
    }
    tell(tx, meter, &stretch.findings, now)
}

/// Nothing came late any more.
pub fn forget_late(tx: &WriteTx<'_>, meter: &Counted) -> Result<(), DbError> {
    tx.prepare("DELETE FROM energy_late WHERE meter = ?1")?.execute([meter.id.as_str()])?;
    Ok(())
}

/// Remembers how a meter stands. What its last cell holds is in the cells.
pub fn remember(tx: &WriteTx<'_>, meter: &Counted, account: &Account) -> Result<(), DbError> {
    let state = serde_json::to_string(&account.state)?;
    tx.prepare(
        "INSERT INTO energy_meter (meter, point, exponent, state) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (meter) DO UPDATE
         SET point = excluded.point, exponent = excluded.exponent, state = excluded.state",
    )?
    .execute((meter.id.as_str(), meter.point.0, meter.settings.exponent, state))?;
    Ok(())
}

/// Appends those findings to the event log that were not told before.
fn tell(
    tx: &WriteTx<'_>,
    meter: &Counted,
    findings: &[Finding],
    now: UtcMs,
) -> Result<Vec<Finding>, DbError> {
    let mut told = tx.prepare(
        "INSERT OR IGNORE INTO energy_told (meter, kind, before_at, after_at) VALUES (?1, ?2, ?3, ?4)",
    )?;
    let mut new = Vec::new();
    for finding in findings {
        let (before, after) = (finding.before.at_ms, finding.after.at_ms);
        if told.execute((meter.id.as_str(), finding.kind.event(), before, after))? > 0 {
            let found = MeterFinding { meter, finding };
            tx.append(found.event(&found.subject(), now))?;
            new.push(*finding);
        }
    }
    Ok(new)
}

fn add_anchor(tx: &WriteTx<'_>, meter: &Counted, anchor: &Anchor) -> Result<(), DbError> {
    let Anchor { at, account: Account { state, part } } = anchor;
    let (start, counts) = (part.map(|part| part.start.0), part.map(|part| part.counts));
    let quality = part.map(|part| part.quality as u8);
    tx.prepare(
        "INSERT OR REPLACE INTO energy_anchor (meter, at, state, part_start, part_counts, part_quality)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute((meter.id.as_str(), at.0, serde_json::to_string(state)?, start, counts, quality))?;
    Ok(())
}

const SELECT_ANCHOR: &str = "SELECT at, state, part_start, part_counts, part_quality FROM energy_anchor";

struct AnchorRow {
    at: i64,
    state: String,
    part: Option<(i64, i64, u8)>,
}

fn anchor_row(row: &Row<'_>) -> rusqlite::Result<AnchorRow> {
    let start: Option<i64> = row.get(2)?;
    let part = start.map(|start| Ok::<_, rusqlite::Error>((start, row.get(3)?, row.get(4)?))).transpose()?;
    Ok(AnchorRow { at: row.get(0)?, state: row.get(1)?, part })
}

impl AnchorRow {
    fn anchor(self) -> Result<Anchor, DbError> {
        let part = |(start, counts, number)| {
            Ok::<_, DbError>(Part { start: UtcMs(start), counts, quality: quality(number)? })
        };
        let part = self.part.map(part).transpose()?;
        Ok(Anchor {
            at: UtcMs(self.at),
            account: Account { state: serde_json::from_str(&self.state)?, part },
        })
    }
}

/// The last cell of a meter in its resolution.
fn last_cell(connection: &Connection, meter: &Counted) -> Result<Option<Part>, DbError> {
    let mut statement = connection.prepare(
        "SELECT start, counts, quality FROM energy_cell WHERE meter = ?1 AND exponent = ?2
         ORDER BY start DESC LIMIT 1",
    )?;
    let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let found = statement.query_row((meter.id.as_str(), meter.settings.exponent), row).optional()?;
    let part = |(start, counts, number)| Ok(Part { start: UtcMs(start), counts, quality: quality(number)? });
    found.map(part).transpose()
}

/// The cells of a meter that begin in `[from, to)`, in their order.
pub fn cells(connection: &Connection, meter: &str, from: UtcMs, to: UtcMs) -> Result<Vec<Cell>, DbError> {
    let mut statement = connection.prepare(
        "SELECT start, exponent, counts, quality FROM energy_cell
         WHERE meter = ?1 AND start >= ?2 AND start < ?3 ORDER BY start, exponent",
    )?;
    let mut rows = statement.query((meter, from.0, to.0))?;
    let mut cells: Vec<Cell> = Vec::new();
    while let Some(row) = rows.next()? {
        let start = UtcMs(row.get(0)?);
        let energy = Decimal::new(row.get(2)?, row.get(1)?).map_err(unreadable)?;
        let quality = quality(row.get(3)?)?;
        match cells.last_mut() {
            Some(last) if last.start == start => {
                last.energy = last.energy.checked_add(energy).map_err(unreadable)?;
                last.quality = last.quality.max(quality);
            }
            _ => cells.push(Cell { start, energy, quality }),
        }
    }
    Ok(cells)
}

fn quality(number: u8) -> Result<StepQuality, DbError> {
    let known = [StepQuality::Good, StepQuality::Estimated, StepQuality::Event];
    let found = known.into_iter().find(|quality| *quality as u8 == number);
    found.ok_or_else(|| DbError::Row(format!("the quality of an energy cell is {number}")))
}

fn unreadable(error: crate::point::DecimalError) -> DbError {
    DbError::Row(format!("an energy cell: {error}"))
}
