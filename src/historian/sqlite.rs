//! The journal in a SQLite file: `journal.db`, a row for each group commit.

use super::journal::{Journal, JournalError, JournalReader, PAGE_BYTES, Record, Seq, Span};
use crate::point::UtcMs;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};
use std::path::Path;
use std::time::Duration;

/// "PlnR" as a number: what `file` and support see in the header of every file here.
pub(super) const APPLICATION_ID: i64 = 0x506c_6e52;

/// A checkpoint moves the WAL into the file after this many bytes of records.
const CHECKPOINT_BYTES: usize = 4 << 20;

/// How long a statement waits for a lock. Readers here are short.
const BUSY: Duration = Duration::from_secs(2);

const VERSION: i64 = 1;

/// `seq` is that of the record's last batch. The index serves "what touches this time".
const SCHEMA: &str = "
    CREATE TABLE journal (
        seq INTEGER PRIMARY KEY,
        first_ms INTEGER NOT NULL,
        last_ms INTEGER NOT NULL,
        body BLOB NOT NULL
    );
    CREATE INDEX journal_time ON journal (last_ms, first_ms);
";

/// Opens or makes one of the historian's files for writing. Everything its log file holds is
/// safely in the file when this returns, so what is then seen has been synced by this handle,
/// whatever became of an earlier one.
pub(super) fn open_file(path: &Path, schema: &str, version: i64) -> Result<Connection, JournalError> {
    let conn = Connection::open(path)?;
    conn.busy_timeout(BUSY)?;
    let pragma = |name: &str| conn.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
    let tables = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
    let fresh = match (pragma("application_id")?, pragma("user_version")?) {
        (APPLICATION_ID, found) if found <= version => false,
        (APPLICATION_ID, found) => return Err(JournalError::Newer { found, known: version }),
        (0, 0) if tables == 0 => true,
        _ => return Err(JournalError::Foreign),
    };
    // The first two only work before the first table.
    conn.execute_batch(
        "PRAGMA page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 67108864;
         PRAGMA foreign_keys = ON;",
    )?;
    if fresh {
        conn.execute_batch(&format!(
            "BEGIN IMMEDIATE; {schema} PRAGMA application_id = {APPLICATION_ID};
             PRAGMA user_version = {version}; COMMIT;"
        ))?;
        sync_parent(path)?;
    }
    let busy: i64 = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy != 0 {
        return Err(JournalError::Busy);
    }
    Ok(conn)
}

/// A new file is only there for good when its folder is synced.
pub(super) fn sync_parent(path: &Path) -> Result<(), JournalError> {
    match path.parent() {
        Some(parent) => Ok(std::fs::File::open(parent)?.sync_all()?),
        None => Ok(()),
    }
}

/// A read-only connection.
pub(super) fn open_reader(path: &Path) -> Result<Connection, JournalError> {
    let conn = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    conn.busy_timeout(BUSY)?;
    Ok(conn)
}

/// A handle on `journal.db`.
#[derive(Debug)]
pub(super) struct SqliteJournal {
    conn: Connection,
    since_checkpoint: usize,
}

impl SqliteJournal {
    /// For writing; there must be only one.
    pub(super) fn open(path: &Path) -> Result<SqliteJournal, JournalError> {
        Ok(SqliteJournal { conn: open_file(path, SCHEMA, VERSION)?, since_checkpoint: 0 })
    }

    /// For reading beside the writer.
    pub(super) fn open_reader(path: &Path) -> Result<SqliteJournal, JournalError> {
        Ok(SqliteJournal { conn: open_reader(path)?, since_checkpoint: 0 })
    }

    /// Steps through a query until a page is full; the statement, and with it the read
    /// transaction, ends with this call.
    fn page(&self, sql: &str, values: &[i64]) -> Result<Vec<Record>, JournalError> {
        let mut statement = self.conn.prepare(sql)?;
        let mut rows = statement.query(rusqlite::params_from_iter(values))?;
        let (mut page, mut bytes) = (Vec::new(), 0);
        while bytes < PAGE_BYTES
            && let Some(row) = rows.next()?
        {
            let record = record(row)?;
            bytes += record.body.len();
            page.push(record);
        }
        Ok(page)
    }
}

fn record(row: &Row<'_>) -> Result<Record, rusqlite::Error> {
    Ok(Record {
        last: Seq(row.get::<_, i64>(0)?.cast_unsigned()),
        span: Span { first: UtcMs(row.get(1)?), last: UtcMs(row.get(2)?) },
        body: row.get(3)?,
    })
}

impl JournalReader for SqliteJournal {
    fn last(&self) -> Result<Seq, JournalError> {
        let last =
            self.conn.query_row("SELECT max(seq) FROM journal", [], |row| row.get::<_, Option<i64>>(0))?;
        Ok(Seq(last.unwrap_or(0).cast_unsigned()))
    }

    fn after(&self, after: Seq) -> Result<Vec<Record>, JournalError> {
        let sql = "SELECT seq, first_ms, last_ms, body FROM journal WHERE seq > ?1 ORDER BY seq";
        self.page(sql, &[after.0.cast_signed()])
    }

    fn within(&self, span: Span, behind: Option<&Record>) -> Result<Vec<Record>, JournalError> {
        let sql = "SELECT seq, first_ms, last_ms, body FROM journal INDEXED BY journal_time
                   WHERE (last_ms, first_ms, seq) > (?1, ?2, ?3) AND first_ms <= ?4
                   ORDER BY last_ms, first_ms, seq";
        // Before the first record that can touch it: no record has place 0.
        let start = (span.first.0, i64::MIN, 0);
        let (last, first, seq) =
            behind.map_or(start, |r| (r.span.last.0, r.span.first.0, r.last.0.cast_signed()));
        self.page(sql, &[last, first, seq, span.last.0])
    }
}

impl Journal for SqliteJournal {
    fn append(&mut self, record: &Record) -> Result<(), JournalError> {
        let seq = record.last.0.cast_signed();
        let taken =
            self.conn.query_row("SELECT 1 FROM journal WHERE seq >= ?1", [seq], |_| Ok(())).optional()?;
        if taken.is_some() {
            return Err(JournalError::Conflict(record.last));
        }
        // One statement is one transaction; with synchronous = FULL it is synced when it returns.
        self.conn.execute(
            "INSERT INTO journal (seq, first_ms, last_ms, body) VALUES (?1, ?2, ?3, ?4)",
            params![seq, record.span.first.0, record.span.last.0, record.body],
        )?;
        self.since_checkpoint += record.body.len();
        Ok(())
    }

    fn tidy(&mut self) -> Result<(), JournalError> {
        if self.since_checkpoint >= CHECKPOINT_BYTES {
            self.since_checkpoint = 0;
            self.conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn record_of(seq: u64, first: i64, last: i64, len: usize) -> Record {
        Record {
            last: Seq(seq),
            span: Span { first: UtcMs(first), last: UtcMs(last) },
            body: vec![u8::try_from(seq % 251).unwrap(); len],
        }
    }

    #[test]
    fn keeps_records_and_finds_them_by_place_and_by_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.db");
        let mut journal = SqliteJournal::open(&path).unwrap();
        assert_eq!(journal.last().unwrap(), Seq(0));
        let records = [record_of(3, 10, 20, 5), record_of(4, -50, 15, 5), record_of(9, 21, 21, 5)];
        for record in &records {
            journal.append(record).unwrap();
        }
        drop(journal);

        let journal = SqliteJournal::open(&path).unwrap();
        let reader = SqliteJournal::open_reader(&path).unwrap();
        assert_eq!(journal.last().unwrap(), Seq(9));
        assert_eq!(reader.after(Seq(0)).unwrap(), records);
        assert_eq!(reader.after(Seq(4)).unwrap(), records[2..]);
        for (first, last, found) in
            [(0, 9, vec![4]), (15, 15, vec![3, 4]), (21, 99, vec![9]), (22, 99, vec![])]
        {
            let span = Span { first: UtcMs(first), last: UtcMs(last) };
            let page = reader.within(span, None).unwrap();
            let seqs: BTreeSet<_> = page.iter().map(|record| record.last.0).collect();
            assert_eq!(seqs, BTreeSet::from_iter(found), "{first}..={last}");
        }
    }

    #[test]
    fn pages_end_and_go_on_where_they_ended() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = SqliteJournal::open(&dir.path().join("journal.db")).unwrap();
        // Same times throughout: only the place tells the records apart.
        let records: Vec<_> = (1..=50).map(|seq| record_of(seq, 0, 9, PAGE_BYTES / 10)).collect();
        for record in &records {
            journal.append(record).unwrap();
            journal.tidy().unwrap();
        }
        let span = Span { first: UtcMs(5), last: UtcMs(6) };
        let (mut by_time, mut by_place): (Vec<Record>, Vec<Record>) = (Vec::new(), Vec::new());
        loop {
            let page = journal.within(span, by_time.last()).unwrap();
            assert!(page.len() <= 11);
            if page.is_empty() {
                break;
            }
            by_time.extend(page);
        }
        while let page = journal.after(by_place.last().map_or(Seq(0), |record| record.last)).unwrap()
            && !page.is_empty()
        {
            by_place.extend(page);
        }
        assert_eq!(by_time, records);
        assert_eq!(by_place, records);
    }

    #[test]
    fn refuses_what_it_should_not_touch() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.db");
        let mut journal = SqliteJournal::open(&path).unwrap();
        journal.append(&record_of(5, 0, 0, 1)).unwrap();
        for seq in [4, 5] {
            let refused = journal.append(&record_of(seq, 0, 0, 1));
            assert!(matches!(refused, Err(JournalError::Conflict(Seq(found))) if found == seq));
        }
        journal.conn.execute_batch("PRAGMA user_version = 2").unwrap();
        drop(journal);
        assert!(matches!(SqliteJournal::open(&path), Err(JournalError::Newer { found: 2, known: 1 })));

        let foreign = dir.path().join("other.db");
        Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
        assert!(matches!(SqliteJournal::open(&foreign), Err(JournalError::Foreign)));
    }

    #[test]
    fn a_new_file_has_the_properties_that_durability_rests_on() {
        let dir = tempfile::tempdir().unwrap();
        let journal = SqliteJournal::open(&dir.path().join("journal.db")).unwrap();
        let pragma = |name: &str| {
            let value = |row: &Row<'_>| row.get::<_, rusqlite::types::Value>(0);
            journal.conn.query_row(&format!("PRAGMA {name}"), [], value).unwrap()
        };
        // synchronous 2 = FULL, auto_vacuum 2 = INCREMENTAL.
        for (name, value) in
            [("synchronous", 2), ("auto_vacuum", 2), ("page_size", 4_096), ("wal_autocheckpoint", 0)]
        {
            assert_eq!(pragma(name), rusqlite::types::Value::Integer(value), "{name}");
        }
        assert_eq!(pragma("journal_mode"), rusqlite::types::Value::Text("wal".into()));
    }

    #[test]
    fn a_full_disk_is_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = SqliteJournal::open(&dir.path().join("journal.db")).unwrap();
        journal.conn.execute_batch("PRAGMA max_page_count = 8").unwrap();
        let full = journal.append(&record_of(1, 0, 0, 100_000));
        assert!(matches!(full, Err(JournalError::Full)), "{full:?}");
    }
}
