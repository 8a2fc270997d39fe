//! Damage in the files of sealed history: it costs what it hit, and is told.

use super::model::Model;
use super::plant::{copy_files, write_all, write_on};
use super::story::{NOW, Story};
use super::{Dice, open};
use plantroom::historian::{Layout, Limits};
use plantroom::point::{Batch, Decimal, PointId, Quality, Reading, UtcMs, Value};
use std::path::{Path, PathBuf};

/// Seals after every commit, and tries again at once.
fn limits() -> Limits {
    Limits { group_bytes: 1, seal_bytes: 1, seal_retry_ms: 0, ..Limits::default() }
}

/// Polls of three points: those of device 1 become chunks of 2026, device 2 has a part of 2026, and
/// device 3 one of 2027.
fn batches() -> Vec<Batch> {
    let batch = |device: u32, base: i64, n: i64, polls: i64| {
        let reading = |poll: i64, point: u32| Reading {
            point: PointId(10 * device + point),
            at: UtcMs(base + poll * 1_000),
            value: Decimal::new(
                Dice(u64::from(point) << 32 | poll.cast_unsigned()).below(1_000).cast_signed(),
                -1,
            )
            .ok()
            .map(Value::Decimal),
            quality: Quality::Good,
        };
        let readings =
            (n * polls..(n + 1) * polls).flat_map(|poll| (1..4).map(move |point| reading(poll, point)));
        let device = format!("device-{device}").into();
        Batch { device, source_at: None, received_at: NOW, at_error_ms: 0, readings: readings.collect() }
    };
    let (in_2026, in_2027) = (NOW.0 - 90 * 86_400_000, NOW.0 - 30 * 86_400_000);
    let mut batches: Vec<Batch> = (0..8).map(|n| batch(1, in_2026, n, 1_000)).collect();
    batches.extend([batch(2, in_2026, 0, 500), batch(3, in_2027, 0, 500), batch(3, in_2027, 1, 5)]);
    batches
}

/// A data directory with all of them sealed.
async fn sealed(data: &Path) -> Model {
    let mut model = Model::default();
    let batches = batches();
    let (last, first) = batches.split_last().unwrap();
    for batches in [first, std::slice::from_ref(last)] {
        let (opened, _) = open(data, limits());
        write_all(opened, batches.iter().cloned(), &mut model).await;
    }
    model
}

fn file(data: &Path, year: &str) -> PathBuf {
    Layout::of(data).history().join(year)
}

fn copy_of(data: &Path, to: &Path) {
    let (from, to) = (Layout::of(data).history(), Layout::of(to).history());
    copy_files(&from, &to);
    copy_files(&from.join("journal"), &to.join("journal"));
}

/// Flips a bit of a blob.
fn flip(path: &Path, table: &str, wanted: &str, byte: usize) {
    let conn = rusqlite::Connection::open(path).unwrap();
    let sql = format!("SELECT id, body FROM {table} WHERE {wanted}");
    let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?));
    let (id, mut body) = conn.query_row(&sql, [], row).unwrap();
    body[byte] ^= 0x10;
    let sql = format!("UPDATE {table} SET body = ?1 WHERE id = ?2");
    assert_eq!(conn.execute(&sql, rusqlite::params![body, id]).unwrap(), 1);
}

#[tokio::test]
async fn a_flipped_bit_costs_a_chunk_or_a_part_and_its_neighbours_are_served() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let model = sealed(&data).await;
    let chunk = ("chunk", "point = 12");
    let part = ("part", "poll_group = (SELECT poll_group FROM member WHERE point = 21)");
    // In a chunk, in a column of a part, in its index.
    for ((table, wanted), byte, hit) in
        [(chunk, 150, &[12][..]), (part, 150, &[21]), (part, 6, &[21, 22, 23])]
    {
        let copy = dir.path().join("copy");
        copy_of(&data, &copy);
        flip(&file(&copy, "2026.db"), table, wanted, byte);
        let (opened, metrics) = open(&copy, limits());
        assert_eq!((opened.repaired.join(" "), metrics.damaged.get()), (String::new(), 0));
        for device in [10, 20, 30] {
            for point in device + 1..device + 4 {
                let range =
                    opened.history.range(PointId(point), UtcMs(0), UtcMs(i64::MAX), 100_000).await.unwrap();
                let expected = if hit.contains(&point) { Vec::new() } else { model.of(PointId(point)) };
                assert!(
                    range.readings == expected,
                    "{point} has {} after {table} {byte}",
                    range.readings.len()
                );
            }
        }
        assert_eq!(metrics.damaged.get(), hit.len() as u64);
        drop(opened);
        std::fs::remove_dir_all(copy).unwrap();
    }
}

/// A backup copies the year files behind the log, and a merge meanwhile goes across the end of its
/// log: who goes on from it corrects what the merge has of later places, too.
#[tokio::test]
async fn what_was_merged_across_the_end_of_a_backup_hides_nothing_that_comes_later() {
    let dir = tempfile::tempdir().unwrap();
    let (data, copy) = (dir.path().join("data"), dir.path().join("copy"));
    let poll = |n: i64, value: i64| {
        let value = Some(Value::Decimal(Decimal::from_int(value)));
        let reading = Reading { point: PointId(11), at: UtcMs(NOW.0 + n), value, quality: Quality::Good };
        Batch {
            device: "d".into(),
            source_at: None,
            received_at: NOW,
            at_error_ms: 0,
            readings: vec![reading],
        }
    };
    let mut model = Model::default();
    // Each life seals its one batch as a part; the eighth part is merged with those before it.
    for n in 1..=8 {
        if n == 6 {
            copy_of(&data, &copy);
        }
        let (opened, _) = open(&data, limits());
        write_all(opened, std::iter::once(poll(n, n)), &mut model).await;
    }
    drop(rusqlite::Connection::open(file(&data, "2027.db")).unwrap());
    for end in ["", "-wal", "-shm"] {
        let name = format!("2027.db{end}");
        let _none = std::fs::remove_file(file(&copy, &name));
        let _none = std::fs::copy(file(&data, &name), file(&copy, &name));
    }
    let conn = rusqlite::Connection::open(file(&copy, "2027.db")).unwrap();
    let place = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
    assert_eq!(conn.query_row("SELECT after_seq, seq FROM part", [], place).unwrap(), (0, 8));
    drop(conn);
    let (opened, _) = open(&copy, limits());
    assert_eq!(opened.history.head().borrow().0, 5);
    let history = opened.history.clone();
    write_all(opened, std::iter::once(poll(7, 70)), &mut model).await;
    for history in [history, open(&copy, limits()).0.history] {
        let range = history.range(PointId(11), UtcMs(0), UtcMs(i64::MAX), 100).await.unwrap();
        assert_eq!(range.readings[6].value, Some(Value::Decimal(Decimal::from_int(70))));
    }
}

/// Overwrites a page, zeroes one, or cuts the file there.
fn spoil(path: &Path, page: usize, how: u64) {
    let mut bytes = std::fs::read(path).unwrap();
    let from = page * 4_096;
    match how {
        0 => bytes.truncate(from),
        1 => bytes[from..from + 4_096].fill(0),
        _ => bytes[from..from + 4_096].fill(0xa5),
    }
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_damaged_year_file_keeps_nothing_else_from_being_read_and_written() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let all = sealed(&data).await;
    drop(rusqlite::Connection::open(file(&data, "2026.db")).unwrap());
    let pages = file(&data, "2026.db").metadata().unwrap().len() / 4_096;
    let mut dice = Dice(26);
    let seeded: Vec<_> = (0..14).map(|n| (dice.below(pages), n % 3)).collect();
    let (mut aside, mut short_ones) = (0, 0);
    for (page, how) in [(0, 0), (0, 1), (0, 2)].into_iter().chain(seeded) {
        let copy = dir.path().join("copy");
        copy_of(&data, &copy);
        spoil(&file(&copy, "2026.db"), usize::try_from(page).unwrap(), how);
        let (opened, metrics) = open(&copy, limits());
        let said = opened.repaired.join(" ");
        let short = all.check(&opened.history, |_| false).await;
        assert!(short == 0 || metrics.damaged.get() > 0, "page {page}, {how}: {short} missing in silence");
        assert!(metrics.damaged.get() > 0 || said.is_empty(), "{said}");
        short_ones += usize::from(short > 0);
        // 2027 is whole.
        let range = opened.history.range(PointId(31), UtcMs(0), UtcMs(i64::MAX), 100_000).await.unwrap();
        assert!(range.readings == all.of(PointId(31)), "{} left", range.readings.len());
        // What comes now is kept and sealed, in both years.
        let (mut model, head) = (all.clone(), all.head());
        write_on(opened, Story::new(7), head, &mut model).await;
        let (opened, _) = open(&copy, limits());
        model.check(&opened.history, |place| place > head).await;
        drop(opened);
        let history = Layout::of(&copy).history();
        let names = history.read_dir().unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let renamed = names.filter(|name| name.starts_with("2026.db.damaged-1")).count();
        assert!(page > 0 || renamed > 0, "the first page names the file as ours");
        aside += usize::from(renamed > 0);
        std::fs::remove_dir_all(copy).unwrap();
    }
    assert!(aside >= 3 && short_ones > aside / 2, "{aside} set aside, {short_ones} with a loss");
}
