//! The schema: named steps, forward only, each applied once.

use super::DbError;
use rusqlite::{Connection, TransactionBehavior};

/// One step of a stage's schema. Its name is for ever; a released step is never edited.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// `stage/0001-what`, unique.
    pub name: &'static str,
    /// The statements.
    pub sql: &'static str,
}

/// What every stage shares.
const OWN: Migration =
    Migration { name: "db/0001-log-cursors-timers-audit", sql: include_str!("schema.sql") };

/// Applies what is missing, all of it or nothing.
pub(super) fn run(connection: &mut Connection, stages: &[Migration]) -> Result<(), DbError> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute_batch(
        "CREATE TABLE IF NOT EXISTS migration (
             number INTEGER PRIMARY KEY AUTOINCREMENT,
             name TEXT NOT NULL UNIQUE
         ) STRICT",
    )?;
    let applied: Vec<String> = {
        let mut names = tx.prepare("SELECT name FROM migration ORDER BY number")?;
        names.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?
    };
    let known = || std::iter::once(&OWN).chain(stages);
    if let Some(newer) = applied.iter().find(|name| !known().any(|step| step.name == name.as_str())) {
        return Err(DbError::Newer(newer.clone()));
    }
    for step in known().filter(|step| !applied.iter().any(|name| name == step.name)) {
        tx.execute_batch(step.sql)?;
        tx.execute("INSERT INTO migration (name) VALUES (?1)", [step.name])?;
    }
    tx.commit()?;
    Ok(())
}
