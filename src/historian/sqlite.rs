//! How the historian opens its SQLite files.

use super::journal::JournalError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// "PlnR" as a number: what `file` and support see in the header of every file here.
pub(super) const APPLICATION_ID: i64 = 0x506c_6e52;

/// How long a statement waits for a lock. Readers here are short.
const BUSY: Duration = Duration::from_secs(2);

/// How a file is cut. Bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// For rows: that of most file systems.
    Rows = 4_096,
    /// For blobs of some kilobytes, which leave half a page empty each.
    Blobs = 1_024,
}

/// Opens or makes one of the historian's files for writing. Everything its log file holds is
/// safely in the file when this returns, so what is then seen has been synced by this handle,
/// whatever became of an earlier one.
pub(super) fn open_file(
    path: &Path,
    schema: &str,
    version: i64,
    page: Page,
) -> Result<Connection, JournalError> {
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
    conn.pragma_update(None, "page_size", page as u32)?;
    conn.execute_batch(
        "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;
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

/// Whether an error says that the file is not what was once written, and not that the disk, another
/// process or a newer version keeps it from being read.
pub(super) fn is_damage(error: &JournalError) -> bool {
    let code = match error {
        JournalError::Sqlite(error) => error.sqlite_error_code(),
        other => return matches!(other, JournalError::Foreign),
    };
    matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// The error for damage that was looked for.
pub(super) fn damaged(found: String) -> JournalError {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    JournalError::Sqlite(rusqlite::Error::SqliteFailure(code, Some(found)))
}

/// A read-only connection.
pub(super) fn open_reader(path: &Path) -> Result<Connection, JournalError> {
    let conn = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    conn.busy_timeout(BUSY)?;
    // Otherwise a statement is planned anew each time another number is bound to its LIMIT.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(conn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::{Row, types::Value};

    const SCHEMA: &str = "CREATE TABLE t (x);";

    #[test]
    fn refuses_what_it_should_not_touch() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ours.db");
        open_file(&path, SCHEMA, 1, Page::Rows).unwrap().execute_batch("PRAGMA user_version = 2").unwrap();
        let newer = open_file(&path, SCHEMA, 1, Page::Rows).map(drop);
        assert!(matches!(newer, Err(JournalError::Newer { found: 2, known: 1 })));

        let foreign = dir.path().join("other.db");
        Connection::open(&foreign).unwrap().execute_batch(SCHEMA).unwrap();
        assert!(matches!(open_file(&foreign, SCHEMA, 1, Page::Rows).map(drop), Err(JournalError::Foreign)));
    }

    #[test]
    fn a_new_file_has_the_properties_that_durability_rests_on() {
        let dir = tempfile::tempdir().unwrap();
        let conn = open_file(&dir.path().join("new.db"), SCHEMA, 1, Page::Rows).unwrap();
        let pragma = |name: &str| {
            let value = |row: &Row<'_>| row.get::<_, Value>(0);
            conn.query_row(&format!("PRAGMA {name}"), [], value).unwrap()
        };
        // synchronous 2 = FULL, auto_vacuum 2 = INCREMENTAL.
        for (name, value) in
            [("synchronous", 2), ("auto_vacuum", 2), ("page_size", 4_096), ("wal_autocheckpoint", 0)]
        {
            assert_eq!(pragma(name), Value::Integer(value), "{name}");
        }
        assert_eq!(pragma("journal_mode"), Value::Text("wal".into()));
    }

    #[test]
    fn a_full_disk_is_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let conn = open_file(&dir.path().join("small.db"), SCHEMA, 1, Page::Rows).unwrap();
        conn.execute_batch("PRAGMA max_page_count = 4").unwrap();
        let full = conn.execute("INSERT INTO t VALUES (zeroblob(100000))", []);
        assert!(matches!(full.map_err(JournalError::from), Err(JournalError::Full)));
    }
}
