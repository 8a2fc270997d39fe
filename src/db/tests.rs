//! What the file of record promises.

use super::*;
use crate::point::UtcMs;
use serde_json::json;

const NOTES: &[Migration] =
    &[Migration { name: "test/0001-note", sql: "CREATE TABLE note (text TEXT NOT NULL UNIQUE) STRICT" }];

struct Store {
    dir: tempfile::TempDir,
}

impl Store {
    fn new() -> Store {
        Store { dir: tempfile::tempdir().unwrap() }
    }

    fn open(&self) -> Db {
        self.open_with(KillPoints::none())
    }

    fn open_with(&self, kill: KillPoints) -> Db {
        Db::open_with(&self.dir.path().join("plantroom.db"), NOTES, kill).unwrap().0
    }
}

fn event(kind: &str) -> NewEvent<'_> {
    NewEvent { at: UtcMs(7), kind, subject: "note:1", body: json!({"n": 1}) }
}

async fn note(db: &Db, text: &'static str) -> Result<i64, DbError> {
    db.write(move |tx| {
        tx.execute("INSERT INTO note VALUES (?1)", [text])?;
        tx.append(event("noted"))
    })
    .await
}

async fn notes(db: &Db) -> Vec<String> {
    db.read(|connection| {
        let mut statement = connection.prepare("SELECT text FROM note ORDER BY rowid")?;
        let rows = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(rows)
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn a_write_is_there_for_readers_and_after_a_restart() {
    let store = Store::new();
    let db = store.open();
    let mut committed = db.committed();
    assert_eq!(note(&db, "one").await.unwrap(), 1);
    committed.changed().await.unwrap();
    assert_eq!(*committed.borrow(), 1);
    let instance = db.instance().to_owned();
    drop(db);

    let db = store.open();
    assert_eq!(notes(&db).await, ["one"]);
    assert_eq!(*db.committed().borrow(), 1);
    assert_eq!(db.instance(), instance);
    assert_eq!(instance.len(), 32);
    let log = db.read(|connection| events::after(connection, 0, 10)).await.unwrap();
    assert_eq!(
        log,
        [Event {
            seq: 1,
            at: UtcMs(7),
            kind: "noted".into(),
            subject: "note:1".into(),
            body: json!({"n": 1})
        }]
    );
}

#[tokio::test]
async fn the_file_is_in_wal_mode_with_full_sync_and_foreign_keys() {
    let store = Store::new();
    let db = store.open();
    let settings = db
        .write(|tx| {
            let ask = |pragma: &str| tx.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
            let mode: String = tx.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
            Ok((mode, ask("synchronous")?, ask("foreign_keys")?))
        })
        .await
        .unwrap();
    assert_eq!(settings, ("wal".to_owned(), 2, 1));
}

#[tokio::test]
async fn an_error_a_panic_and_a_refused_commit_leave_nothing_and_the_writer_lives() {
    let store = Store::new();
    let db = store.open();
    note(&db, "one").await.unwrap();

    let refused = note(&db, "one").await;
    assert!(matches!(refused, Err(DbError::Sqlite(_))), "{refused:?}");

    let panicked = db
        .write::<()>(|tx| {
            tx.append(event("lost"))?;
            panic!("out of coffee")
        })
        .await;
    assert!(matches!(&panicked, Err(DbError::Panicked(text)) if text == "out of coffee"), "{panicked:?}");

    let failed_commit = db
        .write(|tx| {
            // A deferred foreign key is checked by the commit itself.
            tx.execute_batch(
                "CREATE TABLE parent (id INTEGER PRIMARY KEY);
                 CREATE TABLE child (p REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
                 INSERT INTO child VALUES (1)",
            )?;
            tx.append(event("lost"))
        })
        .await;
    assert!(matches!(failed_commit, Err(DbError::Sqlite(_))), "{failed_commit:?}");

    assert_eq!(*db.committed().borrow(), 1);
    note(&db, "two").await.unwrap();
    assert_eq!(notes(&db).await, ["one", "two"]);
    let log = db.read(|connection| events::after(connection, 0, 10)).await.unwrap();
    assert!(log.iter().all(|event| event.kind == "noted"), "{log:?}");
}

#[tokio::test]
async fn a_panic_of_a_reader_costs_no_connection() {
    let store = Store::new();
    let db = store.open();
    for _ in 0..16 {
        assert!(matches!(db.read::<()>(|_| panic!("no")).await, Err(DbError::Panicked(_))));
    }
    assert_eq!(notes(&db).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_reader_cannot_write() {
    let store = Store::new();
    let db = store.open();
    let refused = db.read(|connection| Ok(connection.execute("INSERT INTO note VALUES ('x')", [])?)).await;
    assert!(matches!(refused, Err(DbError::Sqlite(_))), "{refused:?}");
}

#[tokio::test]
async fn log_and_audit_refuse_to_be_changed() {
    let store = Store::new();
    let db = store.open();
    let row = AuditRow {
        at: UtcMs(9),
        actor: "li".into(),
        action: "note.write".into(),
        object: "note:1".into(),
        before: None,
        after: Some(json!({"text": "one"})),
        reason: Some("shift change".into()),
    };
    let appended = row.clone();
    db.write(move |tx| {
        tx.append(event("noted"))?;
        audit::append(tx, &appended)
    })
    .await
    .unwrap();
    for sql in [
        "UPDATE events SET kind = 'x'",
        "DELETE FROM events",
        "UPDATE audit SET actor = 'x'",
        "DELETE FROM audit",
    ] {
        let refused = db.write(move |tx| Ok(tx.execute(sql, [])?)).await;
        assert!(
            matches!(&refused, Err(DbError::Sqlite(error)) if error.to_string().contains("only appended to")),
            "{sql}: {refused:?}"
        );
    }
    let acts = db.read(|connection| audit::of(connection, "note:1", 10)).await.unwrap();
    assert_eq!(acts, [row]);
}

#[tokio::test]
async fn a_cursor_moves_forward_only() {
    let store = Store::new();
    let db = store.open();
    let moved = db
        .write(|tx| {
            assert_eq!(cursors::get(tx, "reader")?, 0);
            cursors::advance(tx, "reader", 3)?;
            cursors::advance(tx, "reader", 3)?;
            cursors::get(tx, "reader")
        })
        .await;
    assert_eq!(moved.unwrap(), 3);
    let back = db.write(|tx| cursors::advance(tx, "reader", 2)).await;
    assert!(matches!(back, Err(DbError::CursorBackwards { at: 3, to: 2, .. })), "{back:?}");
}

#[tokio::test]
async fn timers_are_one_for_each_purpose_and_owner_and_survive() {
    let store = Store::new();
    let timer = |owner: &str, due_at: i64| Timer {
        purpose: "test.delay".into(),
        owner: owner.into(),
        due_at: UtcMs(due_at),
        payload: json!(due_at),
    };
    let db = store.open();
    db.write(move |tx| {
        timers::set(tx, &timer("b", 20))?;
        timers::set(tx, &timer("a", 50))?;
        timers::set(tx, &timer("a", 10))?;
        timers::set(tx, &Timer { purpose: "other".into(), ..timer("a", 1) })
    })
    .await
    .unwrap();
    drop(db);

    let db = store.open();
    let due = |db: Db, now: i64| async move {
        db.read(move |connection| timers::due(connection, "test.delay", UtcMs(now), 10)).await.unwrap()
    };
    assert_eq!(due(db.clone(), 9).await, []);
    assert_eq!(due(db.clone(), i64::MAX).await, [timer("a", 10), timer("b", 20)]);
    let next = db
        .write(|tx| {
            timers::clear(tx, "test.delay", "a")?;
            timers::next_due(tx, "test.delay")
        })
        .await;
    assert_eq!(next.unwrap(), Some(UtcMs(20)));
}

#[tokio::test]
async fn a_newer_file_is_refused_by_name_and_stays_as_it_was() {
    let store = Store::new();
    drop(store.open());
    let older = Db::open(&store.dir.path().join("plantroom.db"), &[]);
    let message = older.err().unwrap().to_string();
    assert!(message.contains("test/0001-note") && message.contains("newer plantroom"), "{message}");
    note(&store.open(), "still here").await.unwrap();
}

#[tokio::test]
async fn a_migration_that_fails_leaves_the_file_without_any_of_its_run() {
    let store = Store::new();
    drop(store.open());
    let path = store.dir.path().join("plantroom.db");
    let broken = [
        NOTES[0],
        Migration { name: "test/0002-good", sql: "CREATE TABLE good (x)" },
        Migration { name: "test/0003-broken", sql: "CREATE TABEL" },
    ];
    assert!(Db::open(&path, &broken).is_err());
    let fixed = [NOTES[0], broken[1], Migration { name: "test/0003-broken", sql: "CREATE TABLE fine (x)" }];
    assert!(Db::open(&path, &fixed).is_ok());
}

#[tokio::test]
async fn a_process_killed_at_any_step_has_all_of_a_transaction_or_nothing() {
    // Per transaction: before begin, before commit, after commit.
    for (step, survives) in [(1, false), (2, false), (3, true)] {
        let store = Store::new();
        let db = store.open_with(KillPoints::at(step));
        assert!(matches!(note(&db, "one").await, Err(DbError::Closed)), "step {step}");
        assert!(matches!(note(&db, "two").await, Err(DbError::Closed)), "step {step}");
        assert_eq!(*db.committed().borrow(), 0, "step {step}");
        drop(db);

        let db = store.open();
        assert_eq!(notes(&db).await.len(), usize::from(survives), "step {step}");
        assert_eq!(*db.committed().borrow(), i64::from(survives), "step {step}");
    }
}

#[tokio::test]
async fn closing_finishes_the_queue_and_refuses_what_comes_later() {
    let store = Store::new();
    let (db, writer) = Db::open(&store.dir.path().join("plantroom.db"), NOTES).unwrap();
    note(&db, "one").await.unwrap();
    writer.close().await.unwrap();
    assert!(matches!(note(&db, "two").await, Err(DbError::Closed)));
    assert_eq!(notes(&db).await, ["one"]);
}

#[tokio::test]
async fn a_thousand_writers_at_once_all_get_their_turn() {
    let store = Store::new();
    let db = store.open();
    let writes = (0..1_000).map(|_| {
        let db = db.clone();
        async move { db.write(|tx| tx.append(event("noted"))).await.unwrap() }
    });
    let mut seqs = futures_util::future::join_all(writes).await;
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=1_000).collect::<Vec<_>>());
    assert_eq!(*db.committed().borrow(), 1_000);
}

#[tokio::test(start_paused = true)]
async fn paused_time_stands_still_while_a_commit_is_under_way() {
    let store = Store::new();
    let db = store.open();
    let clock = crate::clock::Clock::starting_at(UtcMs(0));
    let alarm = clock.sleep_until(crate::clock::Mono(60_000));
    tokio::pin!(alarm);
    tokio::select! {
        biased;
        () = &mut alarm => panic!("the delay ran out ahead of the commit"),
        done = note(&db, "one") => assert_eq!(done.unwrap(), 1),
    }
    assert_eq!(clock.utc(), UtcMs(0));
}
