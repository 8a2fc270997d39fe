//! Cells, the memory of each meter and the place in the historian's log: one transaction.

use super::engine::{State, StepQuality};
use super::rate::Cell;
use crate::db::{DbError, Migration, WriteTx, cursors};
use crate::point::{Decimal, UtcMs};
use rusqlite::{Connection, OptionalExtension};

/// The schema of this stage.
pub const MIGRATIONS: &[Migration] = &[Migration {
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
}];

/// The cursor in the historian's log.
const CONSUMER: &str = "energy";

/// What one pass over the log does to one meter.
#[derive(Clone, Debug)]
pub struct MeterChange {
    /// The meter.
    pub meter: String,
    /// Its point.
    pub point: u32,
    /// Its resolution.
    pub exponent: i8,
    /// What it is remembered by from now on.
    pub state: State,
    /// Counts and quality to put on top of the cells that begin at these times.
    pub cells: Vec<(UtcMs, i64, StepQuality)>,
}

/// How far the log has been counted.
pub fn cursor(connection: &Connection) -> Result<u64, DbError> {
    Ok(u64::try_from(cursors::get(connection, CONSUMER)?).unwrap_or(0))
}

/// Moves the cursor; in the transaction of what was counted up to there.
pub fn advance(tx: &WriteTx<'_>, seq: u64) -> Result<(), DbError> {
    cursors::advance(tx, CONSUMER, i64::try_from(seq).unwrap_or(i64::MAX))
}

/// The memory of a meter; a fresh one if it counted another point or in another resolution.
pub fn state(connection: &Connection, meter: &str, point: u32, exponent: i8) -> Result<State, DbError> {
    let mut statement = connection
        .prepare("SELECT state FROM energy_meter WHERE meter = ?1 AND point = ?2 AND exponent = ?3")?;
    let row = statement.query_row((meter, point, exponent), |row| row.get::<_, String>(0)).optional()?;
    row.map_or_else(|| Ok(State::default()), |text| Ok(serde_json::from_str(&text)?))
}

/// Writes what happened to a meter.
pub fn apply(tx: &WriteTx<'_>, change: &MeterChange) -> Result<(), DbError> {
    let state = serde_json::to_string(&change.state)?;
    tx.prepare(
        "INSERT INTO energy_meter (meter, point, exponent, state) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (meter) DO UPDATE
         SET point = excluded.point, exponent = excluded.exponent, state = excluded.state",
    )?
    .execute((&change.meter, change.point, change.exponent, state))?;
    let mut add = tx.prepare(
        "INSERT INTO energy_cell (meter, start, exponent, counts, quality) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (meter, start, exponent) DO UPDATE
         SET counts = counts + excluded.counts, quality = max(quality, excluded.quality)",
    )?;
    for (start, counts, quality) in &change.cells {
        add.execute((&change.meter, start.0, change.exponent, counts, *quality as u8))?;
    }
    Ok(())
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
