//! What devices refuse, remembered across restarts in `plantroom.db`.
//!
//! A lesson belongs to a device as it is reached: its id, line and unit. Behind another address
//! stands another device, which starts with no past.

use super::frame::ReadRequest;
use super::holes::{Change, Holes, LESSONS_MAX, Lesson};
use super::task::Memo;
use crate::config::{Bus, Device, Link, Table};
use crate::db::{Db, DbError, Migration};
use crate::point::UtcMs;
use rusqlite::{Connection, Row};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// The schema of the Modbus driver.
pub const MIGRATIONS: &[Migration] = &[Migration {
    name: "modbus/0001-refused",
    sql: "
        -- Requests that a device refuses with exception 2 or 3. `longest` says that only their
        -- length was wrong: so many items at once work. `learned_at` is UTC ms.
        CREATE TABLE modbus_refused (
            device TEXT NOT NULL,
            reached_by TEXT NOT NULL,
            function INTEGER NOT NULL CHECK (function BETWEEN 1 AND 4),
            start INTEGER NOT NULL,
            count INTEGER NOT NULL,
            exception INTEGER NOT NULL,
            longest INTEGER,
            learned_at INTEGER NOT NULL,
            PRIMARY KEY (device, reached_by, function, start, count)
        ) STRICT, WITHOUT ROWID;
    ",
}];

/// Whom a lesson is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    device: String,
    reached_by: String,
}

impl Who {
    /// A device on its line.
    pub fn new(link: &Link, device: &Device) -> Who {
        Who { device: device.id.to_string(), reached_by: format!("{link} unit {}", device.unit) }
    }
}

/// What is known of the devices of a bus, in their order.
pub async fn load(db: &Db, bus: &Bus) -> Result<Vec<Holes>, DbError> {
    let devices: Vec<Who> = bus.devices.iter().map(|device| Who::new(&bus.link, device)).collect();
    db.read(move |connection| devices.iter().map(|who| of_device(connection, who)).collect()).await
}

/// Writes down what the buses learn until `stop`, and then what still waits. What cannot be
/// written is learned again after a restart.
pub async fn keep(db: Db, mut memos: mpsc::Receiver<Memo>, stop: CancellationToken) {
    while let Some(Some((who, changes))) = stop.run_until_cancelled(memos.recv()).await {
        write_down(&db, who, changes).await;
    }
    while let Ok((who, changes)) = memos.try_recv() {
        write_down(&db, who, changes).await;
    }
    // Without any bus there is nothing to keep, which is no reason to end.
    stop.cancelled().await;
}

async fn write_down(db: &Db, who: Who, changes: Vec<Change>) {
    let device = who.device.clone();
    if let Err(error) = save(db, who, changes).await {
        warn!(device, %error, "What a device refuses is not remembered across a restart.");
    }
}

/// Writes what [`Holes::take_changes`] gave, in one transaction. What was known of a device that
/// is now reached in another way goes with the first thing learned of it there.
pub async fn save(db: &Db, who: Who, changes: Vec<Change>) -> Result<(), DbError> {
    if changes.is_empty() {
        return Ok(());
    }
    db.write(move |tx| {
        let Who { device, reached_by } = &who;
        tx.prepare("DELETE FROM modbus_refused WHERE device = ?1 AND reached_by <> ?2")?
            .execute((device, reached_by))?;
        let mut learn = tx.prepare(
            "INSERT OR REPLACE INTO modbus_refused
             (device, reached_by, function, start, count, exception, longest, learned_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?;
        let mut forget = tx.prepare(
            "DELETE FROM modbus_refused
             WHERE device = ?1 AND reached_by = ?2 AND function = ?3 AND start = ?4 AND count = ?5",
        )?;
        for change in changes {
            match change {
                Change::Learned(Lesson { refused, exception, longest, learned_at }) => {
                    let (function, start, count) = place(refused);
                    let learned_at = learned_at.0;
                    learn.execute((
                        device, reached_by, function, start, count, exception, longest, learned_at,
                    ))?;
                }
                Change::Forgotten(request) => {
                    let (function, start, count) = place(request);
                    forget.execute((device, reached_by, function, start, count))?;
                }
            }
        }
        Ok(())
    })
    .await
}

fn place(request: ReadRequest) -> (u8, u16, u16) {
    (request.function(), request.start(), request.count())
}

fn of_device(connection: &Connection, who: &Who) -> Result<Holes, DbError> {
    let mut statement = connection.prepare(
        "SELECT function, start, count, exception, longest, learned_at FROM modbus_refused
         WHERE device = ?1 AND reached_by = ?2 ORDER BY function, start, count LIMIT ?3",
    )?;
    let most = i64::try_from(LESSONS_MAX).unwrap_or(i64::MAX);
    let mut rows = statement.query((&who.device, &who.reached_by, most))?;
    let mut lessons = Vec::new();
    while let Some(row) = rows.next()? {
        lessons.push(lesson(row)?);
    }
    Ok(Holes::remembered(lessons))
}

fn lesson(row: &Row<'_>) -> Result<Lesson, DbError> {
    let table = match row.get(0)? {
        1 => Table::Coil,
        2 => Table::Discrete,
        3 => Table::Holding,
        4 => Table::Input,
        other => return Err(DbError::Row(format!("a refused Modbus request has the function {other}"))),
    };
    let refused = ReadRequest::new(table, row.get(1)?, row.get(2)?)
        .map_err(|error| DbError::Row(format!("a refused Modbus request: {error}")))?;
    let learned_at = UtcMs(row.get(5)?);
    Ok(Lesson { refused, exception: row.get(3)?, longest: row.get(4)?, learned_at })
}

#[cfg(test)]
mod tests {
    use super::super::plan::Wish;
    use super::*;
    use crate::config::DeviceLimits;

    fn device(id: &str, unit: u8) -> Device {
        Device {
            id: id.parse().unwrap(),
            unit,
            limits: DeviceLimits::default(),
            zone: jiff::tz::TimeZone::UTC,
            registers: vec![],
        }
    }

    fn bus(link: &str, devices: Vec<Device>) -> Bus {
        Bus {
            id: "bus".parse().unwrap(),
            link: link.parse().unwrap(),
            timeout_ms: 500,
            turnaround_ms: 0,
            unit_change_ms: 0,
            devices,
        }
    }

    fn learned(table: Table, start: u16, longest: Option<u16>) -> Lesson {
        let refused = ReadRequest::new(table, start, 9).unwrap();
        Lesson { refused, exception: 3, longest, learned_at: UtcMs(77) }
    }

    #[tokio::test]
    async fn what_is_learned_survives_a_restart_and_what_is_forgotten_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Db::open(&dir.path().join("plantroom.db"), MIGRATIONS).unwrap();
        let bus = bus("rtu:///dev/x", vec![device("meter", 1), device("chiller", 2)]);
        let lessons = [
            learned(Table::Coil, 5, None),
            learned(Table::Holding, 65_527, None),
            learned(Table::Input, 0, Some(8)),
        ];
        {
            let (db, _writer) = open();
            let changes = lessons.map(Change::Learned).to_vec();
            let who = Who::new(&bus.link, &bus.devices[0]);
            save(&db, who.clone(), changes.clone()).await.unwrap();
            save(&db, who, changes).await.unwrap();
        }
        let (db, _writer) = open();
        let known = load(&db, &bus).await.unwrap();
        assert_eq!(known, [Holes::remembered(lessons), Holes::default()]);
        assert_eq!(known[0].cap(Table::Input), Some(8));
        let coils = Wish { table: Table::Coil, start: 5, count: 9, tag: 0 };
        assert_eq!(known[0].held_back(coils), Some(3));

        let mut holes = known.into_iter().next().unwrap();
        holes.answered(lessons[1].refused);
        let who = Who::new(&bus.link, &bus.devices[0]);
        save(&db, who, holes.take_changes()).await.unwrap();
        let known = load(&db, &bus).await.unwrap();
        assert_eq!(known[0], Holes::remembered([lessons[0], lessons[2]]));
    }

    #[tokio::test]
    async fn a_device_behind_another_address_has_no_past_and_takes_the_old_one_s_place() {
        let dir = tempfile::tempdir().unwrap();
        let (db, _writer) = Db::open(&dir.path().join("plantroom.db"), MIGRATIONS).unwrap();
        let (old, new) = (
            bus("10.0.0.1", vec![device("meter", 1), device("other", 1)]),
            bus("10.0.0.2", vec![device("meter", 1)]),
        );
        let lesson = learned(Table::Input, 40, None);
        for device in &old.devices {
            save(&db, Who::new(&old.link, device), vec![Change::Learned(lesson)]).await.unwrap();
        }
        assert_eq!(load(&db, &new).await.unwrap(), [Holes::default()]);
        save(&db, Who::new(&new.link, &new.devices[0]), vec![]).await.unwrap();
        assert_ne!(load(&db, &old).await.unwrap()[0], Holes::default(), "a trial of the new address");
        let newer = learned(Table::Input, 50, None);
        save(&db, Who::new(&new.link, &new.devices[0]), vec![Change::Learned(newer)]).await.unwrap();
        assert_eq!(load(&db, &new).await.unwrap(), [Holes::remembered([newer])]);
        assert_eq!(load(&db, &old).await.unwrap(), [Holes::default(), Holes::remembered([lesson])]);
    }

    #[tokio::test]
    async fn a_row_that_means_nothing_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let (db, _writer) = Db::open(&dir.path().join("plantroom.db"), MIGRATIONS).unwrap();
        db.write(|tx| {
            let row =
                "INSERT INTO modbus_refused VALUES ('meter', 'tcp://x:502 unit 1', 3, 0, 900, 2, NULL, 0)";
            Ok(tx.execute(row, [])?)
        })
        .await
        .unwrap();
        assert!(matches!(load(&db, &bus("x", vec![device("meter", 1)])).await, Err(DbError::Row(_))));
    }
}
