//! Everything about the readings that is not a reading: `catalogue.db`.
//!
//! Points with their epochs, the words and devices that records name by number, gaps, the
//! instance id, where the clock was set back, a copy of the last values that spares a restart the
//! whole journal, and how far the journal is sealed. A word or device is safe here *before* a record that names it is written, so a record never names
//! what is not there; that order holds for any kind of journal.

use super::epochs::Epochs;
use super::journal::{JournalError, Seq};
use super::sqlite::{self, Page};
use crate::clock::ClockStep;
use crate::point::{
    Address, Catalogue, CatalogueChange, CatalogueEntry, Declared, PointId, TextId, UtcMs, ValueKind,
};
use crate::readings::Lost;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

const VERSION: i64 = 1;

const SCHEMA: &str = "
    CREATE TABLE instance (id TEXT NOT NULL);
    INSERT INTO instance VALUES (lower(hex(randomblob(16))));
    -- An id is never reused; a point that is gone stays.
    CREATE TABLE point (
        id INTEGER PRIMARY KEY,
        address TEXT NOT NULL,
        declared INTEGER NOT NULL
    );
    -- What a point's values mean from a place in the journal on.
    CREATE TABLE epoch (
        point INTEGER NOT NULL REFERENCES point (id),
        epoch INTEGER NOT NULL,
        unit TEXT NOT NULL,
        kind TEXT NOT NULL,
        after_seq INTEGER NOT NULL,
        opened_at INTEGER NOT NULL,
        PRIMARY KEY (point, epoch)
    ) WITHOUT ROWID;
    CREATE TABLE text (id INTEGER PRIMARY KEY, word TEXT NOT NULL);
    CREATE TABLE device (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
    -- Readings that never reached the journal; seq is that of the first batch after them.
    CREATE TABLE gap (
        seq INTEGER PRIMARY KEY,
        first_ms INTEGER NOT NULL,
        last_ms INTEGER NOT NULL,
        readings INTEGER NOT NULL
    );
    -- Places behind which the wall clock was set back.
    CREATE TABLE clock_step (after_seq INTEGER PRIMARY KEY, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL);
    -- One row: the last values as of a place in the journal, encoded as a record.
    CREATE TABLE last (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, body BLOB NOT NULL);
    -- One row: what stands in the journal up to there is also in the year files.
    CREATE TABLE sealed (one INTEGER PRIMARY KEY CHECK (one = 1), up_to INTEGER NOT NULL);
";

const KINDS: [(ValueKind, &str); 4] = [
    (ValueKind::Bool, "bool"),
    (ValueKind::Decimal, "decimal"),
    (ValueKind::F64, "f64"),
    (ValueKind::Text, "text"),
];

/// What must be safe before a record that names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Additions {
    pub texts: Vec<(TextId, Arc<str>)>,
    pub devices: Vec<(u32, Arc<str>)>,
    pub gaps: Vec<(Seq, Lost)>,
    /// Behind which place the wall clock was set back.
    pub steps: Vec<(Seq, ClockStep)>,
}

impl Additions {
    pub(super) fn is_empty(&self) -> bool {
        *self == Additions::default()
    }
}

/// A handle on `catalogue.db`; the same rule as for a journal: none is used after an error.
#[derive(Debug)]
pub(super) struct CatalogueDb(Connection);

impl CatalogueDb {
    pub(super) fn open(path: &Path) -> Result<CatalogueDb, JournalError> {
        Ok(CatalogueDb(sqlite::open_file(path, SCHEMA, VERSION, Page::Rows)?))
    }

    /// The place in the journal up to which all is sealed; 0 if nothing is.
    pub(super) fn sealed_up_to(&self) -> Result<Seq, JournalError> {
        let seq: Option<i64> =
            self.0.query_row("SELECT up_to FROM sealed", [], |row| row.get(0)).optional()?;
        Ok(Seq(seq.unwrap_or(0).cast_unsigned()))
    }

    /// Safe on disk when it returns.
    pub(super) fn advance_sealed(&mut self, up_to: Seq) -> Result<(), JournalError> {
        let sql = "INSERT OR REPLACE INTO sealed (one, up_to) VALUES (1, ?1)";
        self.0.execute(sql, [up_to.0.cast_signed()])?;
        Ok(())
    }

    /// Makes the copy of a catalogue fit a copy of the log that was taken before it: sealed up to
    /// `sealed`, ending at `end`.
    pub(super) fn turn_back(&mut self, sealed: Seq, end: Seq) -> Result<(), JournalError> {
        self.advance_sealed(sealed)?;
        self.0.execute("DELETE FROM last WHERE seq > ?1", [end.0.cast_signed()])?;
        Ok(())
    }

    /// For reading beside the writer.
    pub(super) fn open_reader(path: &Path) -> Result<CatalogueDb, JournalError> {
        Ok(CatalogueDb(sqlite::open_reader(path)?))
    }

    /// The random name of this store; a backup and its restore must agree on it.
    pub(super) fn instance(&self) -> Result<String, JournalError> {
        Ok(self.0.query_row("SELECT id FROM instance", [], |row| row.get(0))?)
    }

    /// Safe on disk when it returns; doing it again changes nothing.
    pub(super) fn add(&mut self, additions: &Additions) -> Result<(), JournalError> {
        let tx = self.0.transaction()?;
        for (id, word) in &additions.texts {
            tx.execute("INSERT OR REPLACE INTO text (id, word) VALUES (?1, ?2)", params![id.0, word])?;
        }
        for (id, name) in &additions.devices {
            tx.execute("INSERT OR REPLACE INTO device (id, name) VALUES (?1, ?2)", params![id, name])?;
        }
        for (seq, lost) in &additions.gaps {
            tx.execute(
                "INSERT OR REPLACE INTO gap (seq, first_ms, last_ms, readings) VALUES (?1, ?2, ?3, ?4)",
                params![seq.0.cast_signed(), lost.from.0, lost.to.0, lost.readings.cast_signed()],
            )?;
        }
        for (seq, step) in &additions.steps {
            tx.execute(
                "INSERT OR REPLACE INTO clock_step (after_seq, from_ms, to_ms) VALUES (?1, ?2, ?3)",
                params![seq.0.cast_signed(), step.from.0, step.to.0],
            )?;
        }
        Ok(tx.commit()?)
    }

    /// Behind which places the wall clock was set back.
    pub(super) fn epochs(&self) -> Result<Epochs, JournalError> {
        let behind = |row: &Row<'_>| Ok(Seq(row.get::<_, i64>(0)?.cast_unsigned()));
        Ok(Epochs::new(self.rows("SELECT after_seq FROM clock_step", behind)?))
    }

    pub(super) fn texts(&self) -> Result<Vec<(TextId, Arc<str>)>, JournalError> {
        self.rows("SELECT id, word FROM text ORDER BY id", |row| Ok((TextId(row.get(0)?), row.get(1)?)))
    }

    pub(super) fn devices(&self) -> Result<Vec<(u32, Arc<str>)>, JournalError> {
        self.rows("SELECT id, name FROM device ORDER BY id", |row| Ok((row.get(0)?, row.get(1)?)))
    }

    pub(super) fn gaps(conn: &Connection, from: UtcMs, to: UtcMs) -> Result<Vec<Lost>, JournalError> {
        let sql =
            "SELECT first_ms, last_ms, readings FROM gap WHERE last_ms >= ?1 AND first_ms < ?2 ORDER BY seq";
        let lost = |row: &Row<'_>| {
            let readings: i64 = row.get(2)?;
            Ok(Lost { from: UtcMs(row.get(0)?), to: UtcMs(row.get(1)?), readings: readings.cast_unsigned() })
        };
        Ok(conn.prepare(sql)?.query_map([from.0, to.0], lost)?.collect::<Result<_, _>>()?)
    }

    /// The copy of the last values and the place it was taken at.
    pub(super) fn last_values(&self) -> Result<Option<(Seq, Vec<u8>)>, JournalError> {
        let row = |row: &Row<'_>| Ok((Seq(row.get::<_, i64>(0)?.cast_unsigned()), row.get(1)?));
        Ok(self.0.query_row("SELECT seq, body FROM last", [], row).optional()?)
    }

    pub(super) fn keep_last_values(&mut self, seq: Seq, body: &[u8]) -> Result<(), JournalError> {
        self.0.execute(
            "INSERT OR REPLACE INTO last (one, seq, body) VALUES (1, ?1, ?2)",
            params![seq.0.cast_signed(), body],
        )?;
        // Once for many megabytes of journal: a good moment to keep this log short, too.
        self.0.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        Ok(())
    }

    /// The catalogue as stored. A row this version cannot read is an error: guessing at
    /// identities would mix histories.
    pub(super) fn points(&self) -> Result<Catalogue, CatalogueError> {
        let sql = "SELECT p.id, p.address, p.declared, e.epoch, e.unit, e.kind FROM point p
                   JOIN epoch e ON e.point = p.id
                   WHERE e.epoch = (SELECT max(epoch) FROM epoch WHERE point = p.id) ORDER BY p.id";
        let raw = |row: &Row<'_>| {
            let texts: (String, String, String) = (row.get(1)?, row.get(4)?, row.get(5)?);
            Ok((row.get::<_, u32>(0)?, row.get::<_, bool>(2)?, row.get::<_, u32>(3)?, texts))
        };
        let mut entries = Vec::new();
        for (id, declared, epoch, (address, unit, kind)) in self.rows(sql, raw)? {
            entries.push(CatalogueEntry {
                id: PointId(id),
                address: read(id, "address", &address, Address::from_str(&address).ok())?,
                unit: read(id, "unit", &unit, unit.parse().ok())?,
                kind: read(id, "kind", &kind, KINDS.iter().find(|(_, word)| *word == kind).map(|(k, _)| *k))?,
                epoch,
                declared,
            });
        }
        Ok(Catalogue::from_entries(entries))
    }

    /// Brings the stored catalogue in line with a configuration. New epochs hold for what
    /// comes behind `head`.
    pub(super) fn declare(
        &mut self,
        points: &[Declared],
        head: Seq,
        now: UtcMs,
    ) -> Result<(Catalogue, Vec<CatalogueChange>), CatalogueError> {
        let mut catalogue = self.points()?;
        let changes = catalogue.declare(points);
        let tx = self.0.transaction().map_err(JournalError::from)?;
        for change in &changes {
            let (id, opens) = match change {
                CatalogueChange::Added(id) | CatalogueChange::NewEpoch(id) => (*id, true),
                CatalogueChange::Renamed { id, .. }
                | CatalogueChange::Gone(id)
                | CatalogueChange::Returned(id) => (*id, false),
            };
            if let Some(entry) = catalogue.get(id) {
                keep_point(&tx, entry).map_err(JournalError::from)?;
                if opens {
                    open_epoch(&tx, entry, head, now).map_err(JournalError::from)?;
                }
            }
        }
        tx.commit().map_err(JournalError::from)?;
        Ok((catalogue, changes))
    }

    fn rows<T>(
        &self,
        sql: &str,
        row: impl FnMut(&Row<'_>) -> Result<T, rusqlite::Error>,
    ) -> Result<Vec<T>, JournalError> {
        Ok(self.0.prepare(sql)?.query_map([], row)?.collect::<Result<_, _>>()?)
    }
}

/// Why the stored catalogue is of no use.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// A row says something this version does not know.
    #[error("point {point} has the {field} \"{found}\", which this version does not know")]
    Row {
        /// The number of the point.
        point: u32,
        /// Which column.
        field: &'static str,
        /// What stands there.
        found: String,
    },
    /// The file failed.
    #[error(transparent)]
    File(#[from] JournalError),
}

fn read<T>(point: u32, field: &'static str, found: &str, parsed: Option<T>) -> Result<T, CatalogueError> {
    parsed.ok_or_else(|| CatalogueError::Row { point, field, found: found.to_owned() })
}

fn keep_point(conn: &Connection, entry: &CatalogueEntry) -> Result<usize, rusqlite::Error> {
    conn.execute(
        "INSERT INTO point (id, address, declared) VALUES (?1, ?2, ?3)
         ON CONFLICT (id) DO UPDATE SET address = excluded.address, declared = excluded.declared",
        params![entry.id.0, entry.address.to_string(), entry.declared],
    )
}

fn open_epoch(
    conn: &Connection,
    entry: &CatalogueEntry,
    head: Seq,
    now: UtcMs,
) -> Result<usize, rusqlite::Error> {
    let kind = KINDS.iter().find(|(kind, _)| *kind == entry.kind).map_or("", |(_, word)| word);
    conn.execute(
        "INSERT INTO epoch (point, epoch, unit, kind, after_seq, opened_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![entry.id.0, entry.epoch, entry.unit.to_string(), kind, head.0.cast_signed(), now.0],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(address: &str, formerly: &[&str], unit: &str) -> Declared {
        Declared {
            address: address.parse().unwrap(),
            formerly: formerly.iter().map(|old| old.parse().unwrap()).collect(),
            unit: unit.parse().unwrap(),
            kind: ValueKind::Decimal,
        }
    }

    #[test]
    fn identity_survives_restarts_renames_and_disappearance() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("catalogue.db");
        let steps: [&[Declared]; 5] = [
            &[declared("a/x", &[], "kW"), declared("a/y", &[], "kPa{gauge}")],
            &[declared("b/x", &["a/x"], "kW"), declared("a/y", &[], "kPa{absolute}")],
            &[declared("a/y", &[], "kPa{absolute}"), declared("c/z", &[], "Cel")],
            &[declared("a/y", &[], "kPa{absolute}"), declared("c/z", &[], "Cel"), declared("b/x", &[], "W")],
            &[],
        ];
        let mut model = Catalogue::default();
        for (n, points) in (0_u64..).zip(steps) {
            let mut db = CatalogueDb::open(&path).unwrap();
            let (stored, changes) = db.declare(points, Seq(n * 10), UtcMs(0)).unwrap();
            assert_eq!(changes, model.declare(points));
            assert!(stored.entries().eq(model.entries()));
            drop(db);
            let again = CatalogueDb::open(&path).unwrap().points().unwrap();
            assert!(again.entries().eq(model.entries()), "step {n}");
        }
        let db = CatalogueDb::open(&path).unwrap();
        let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
        let epochs: Vec<(u32, u32, String, i64)> =
            db.rows("SELECT point, epoch, unit, after_seq FROM epoch ORDER BY point, epoch", row).unwrap();
        let expected = [
            (1, 0, "kW", 0),
            (1, 1, "W", 30),
            (2, 0, "kPa{gauge}", 0),
            (2, 1, "kPa{absolute}", 10),
            (3, 0, "Cel", 20),
        ];
        assert_eq!(epochs, expected.map(|(p, e, unit, seq)| (p, e, unit.to_owned(), seq)));
    }

    #[test]
    fn a_row_that_cannot_be_read_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let mut db = CatalogueDb::open(&dir.path().join("catalogue.db")).unwrap();
        db.declare(&[declared("a/x", &[], "kW")], Seq(0), UtcMs(0)).unwrap();
        db.0.execute("UPDATE epoch SET unit = 'furlong'", []).unwrap();
        let message = db.points().unwrap_err().to_string();
        assert_eq!(message, "point 1 has the unit \"furlong\", which this version does not know");
    }

    #[test]
    fn additions_twice_are_additions_once_and_the_instance_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("catalogue.db");
        let lost = Lost { from: UtcMs(10), to: UtcMs(20), readings: 7 };
        let additions = Additions {
            texts: vec![(TextId(1), "running".into()), (TextId(2), "停机".into())],
            devices: vec![(1, "chiller-1".into())],
            steps: vec![],
            gaps: vec![(Seq(4), lost)],
        };
        let mut db = CatalogueDb::open(&path).unwrap();
        db.add(&additions).unwrap();
        db.add(&additions).unwrap();
        let instance = db.instance().unwrap();
        assert_eq!(instance.len(), 32);
        drop(db);
        let db = CatalogueDb::open(&path).unwrap();
        assert_eq!((db.texts().unwrap(), db.devices().unwrap()), (additions.texts, additions.devices));
        assert_eq!(db.instance().unwrap(), instance);
        assert_eq!(CatalogueDb::gaps(&db.0, UtcMs(20), UtcMs(21)).unwrap(), [lost]);
        assert_eq!(CatalogueDb::gaps(&db.0, UtcMs(0), UtcMs(10)).unwrap(), []);
    }
}
