//! Sealing as a whole, against everything sorted plainly: whatever comes in which order, whatever
//! is killed where.

use super::*;
use crate::historian::codec::RecordBuilder;
use crate::historian::epochs::Epochs;
use crate::historian::journal::{JournalReader, Record, Seq, Span};
use crate::historian::metrics::Metrics;
use crate::historian::query::{
    Ask, Bucket, Content, Cut, InMemory, Merge, Reckoning, Row, Source, Windows, buckets,
};
use crate::historian::summary::Summary;
use crate::point::{Batch, Decimal, PointId, Quality, Reading, UtcMs, Value};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Half an hour before 2027 begins.
const START: i64 = 1_798_759_800_000;

/// A journal in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Record>>>);

impl JournalReader for Log {
    fn last(&self) -> Result<Seq, JournalError> {
        Ok(self.0.lock().unwrap().last().map_or(Seq(0), |record| record.last))
    }

    fn behind(&self, after: Seq, bytes: usize) -> Result<Vec<Record>, JournalError> {
        let mut held = 0;
        let fits = |record: &&Record| {
            let fits = held == 0 || held < bytes;
            held += record.body.len();
            fits
        };
        Ok(self
            .0
            .lock()
            .unwrap()
            .iter()
            .filter(|record| record.last > after)
            .take_while(fits)
            .cloned()
            .collect())
    }

    fn within(&self, _: Span, after: Seq) -> Result<Vec<Record>, JournalError> {
        self.after(after)
    }
}

/// What a store of these parts holds: the log, how far it is sealed, the files.
struct Plant {
    dir: tempfile::TempDir,
    log: Log,
    sealed_up_to: AtomicU64,
    metrics: Metrics,
    epochs: Epochs,
    /// What counts, sorted plainly.
    plain: BTreeMap<(PointId, UtcMs), Reading>,
}

/// Dies at a step, counted from 1; never at 0.
fn dies_at(at: u64) -> (sealer::Step, Arc<AtomicU64>) {
    let steps = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&steps);
    let step = move || match counted.fetch_add(1, Ordering::Relaxed) + 1 {
        step if step == at => Err(JournalError::Io(std::io::Error::other("killed"))),
        _ => Ok(()),
    };
    (Arc::new(step), steps)
}

impl Plant {
    fn new() -> Plant {
        let (dir, log) = (tempfile::tempdir().unwrap(), Log::default());
        let (metrics, plain) = (Metrics::default(), BTreeMap::new());
        Plant { dir, log, sealed_up_to: AtomicU64::new(0), metrics, epochs: Epochs::default(), plain }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn write(&mut self, device: u32, readings: Vec<Reading>) {
        self.plain.extend(readings.iter().map(|reading| ((reading.point, reading.at), *reading)));
        let batch =
            Batch { device: "".into(), source_at: None, received_at: UtcMs(START), at_error_ms: 0, readings };
        let mut builder = RecordBuilder::default();
        builder.push(&batch, device);
        let (body, span) = builder.finish();
        let mut log = self.log.0.lock().unwrap();
        let last = Seq(log.last().map_or(0, |record| record.last.0) + 1);
        log.push(Record { last, span, body });
    }

    fn sealed(&self) -> Arc<Sealed> {
        Arc::new(Sealed::new(self.path().to_owned(), self.metrics.clone()))
    }

    fn up_to(&self) -> Seq {
        Seq(self.sealed_up_to.load(Ordering::Relaxed))
    }

    /// Seals all there is, with a sealer made for this; trims what is sealed, as a killed process
    /// may or may not have done.
    fn seal(&self, slice_rows: usize, step: sealer::Step, trims: bool) -> Result<(), JournalError> {
        let journal = Box::new(self.log.clone());
        let sealer = Sealer::new(self.path().to_owned(), journal, self.sealed(), self.metrics.clone());
        let mut sealer = sealer.in_steps(slice_rows, step);
        sealer.open(self.up_to())?;
        let head = self.log.last()?;
        let advance = |up_to: Seq| {
            self.sealed_up_to.store(up_to.0, Ordering::Relaxed);
            Ok(())
        };
        let done = sealer.seal(self.up_to(), head, &self.epochs, advance);
        if trims {
            // Never the last of all: the end of the log stays known.
            self.log.0.lock().unwrap().retain(|record| record.last > self.up_to() || record.last == head);
        }
        done
    }

    fn seal_all(&self) {
        self.seal(1_000_000, dies_at(0).0, true).unwrap();
    }

    /// What the store answers: the journal behind what is sealed, then what is sealed.
    fn rows(&self, point: PointId, span: Span) -> Vec<Row> {
        let records = self.log.0.lock().unwrap().clone();
        let mut rows = Vec::new();
        for record in records.iter().filter(|record| record.last > self.up_to()) {
            for section in crate::historian::codec::sections(&record.body).unwrap() {
                let readings = section.unwrap().readings().map(Result::unwrap).filter(|r| r.point == point);
                rows.extend(readings.map(|r| Row {
                    at: r.at,
                    seq: record.last,
                    value: r.value,
                    quality: r.quality,
                }));
            }
        }
        let mut sources: Vec<Source<'_>> = self.sealed().sources(point, span, true).unwrap();
        sources.push(InMemory::source(0, rows));
        let (stop, mut all) = (AtomicBool::new(false), Vec::new());
        let ask = Ask { from: span.first, to: span.last.plus_ms(1), rows_max: 1 << 20, stop: &stop };
        let mut merge = Merge::new(sources, ask);
        while let Some(piece) = merge.piece().unwrap() {
            let Content::Rows(rows) = piece.content else { panic!("not asked for") };
            all.extend(rows);
        }
        all
    }

    /// Nothing is lost, nothing is doubled.
    fn check(&self) {
        let points: std::collections::BTreeSet<_> = self.plain.keys().map(|(point, _)| *point).collect();
        for point in points {
            let span = Span { first: UtcMs(i64::MIN), last: UtcMs(i64::MAX - 1) };
            let found: Vec<_> =
                self.rows(point, span).iter().map(|row| (row.at, row.value, row.quality)).collect();
            let plain = self.plain.values().filter(|reading| reading.point == point);
            let plain: Vec<_> = plain.map(|reading| (reading.at, reading.value, reading.quality)).collect();
            assert_eq!(found, plain, "{point:?}");
        }
    }

    fn count(&self, year: i16, table: &str) -> i64 {
        let conn = rusqlite::Connection::open(path_of(self.path(), year)).unwrap();
        conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    }
}

fn reading(point: u32, at: i64, value: i64) -> Reading {
    let value = Decimal::new(value, -1).ok().map(Value::Decimal);
    Reading { point: PointId(point), at: UtcMs(at), value, quality: Quality::Good }
}

/// Polls of a device of five points, one a second.
fn polls(plant: &mut Plant, from: i64, polls: i64) {
    for n in 0..polls {
        let at = START + (from + n) * 1_000;
        plant.write(1, (1..=5).map(|point| reading(point, at, n * 7 % 31 + i64::from(point))).collect());
    }
}

/// What the year files know of a point before a time.
fn rows_before(plant: &Plant, point: PointId, to: UtcMs) -> Vec<Row> {
    let known = plant.sealed().known_before(point, to, |_| false).unwrap();
    known.into_iter().map(|(_, row)| row).collect()
}

#[test]
fn what_is_sealed_is_what_was_written_across_a_new_year() {
    let mut plant = Plant::new();
    for hour in 0..5 {
        polls(&mut plant, hour * 3_600, 3_600);
        plant.seal_all();
        plant.check();
    }
    assert_eq!(years(plant.path()).unwrap(), [2026, 2027]);
    // Half an hour of the old year stays a part; two and a half hours became chunks, and two.
    assert_eq!((plant.count(2026, "part"), plant.count(2026, "chunk")), (1, 0));
    assert_eq!(
        (plant.count(2027, "part"), plant.count(2027, "chunk"), plant.count(2027, "times")),
        (0, 15, 3)
    );
    assert_eq!(plant.metrics.sealed.get(), 5 * 5 * 3_600);
    let known = |to: i64| rows_before(&plant, PointId(3), UtcMs(to));
    let last = |to: i64| known(to).into_iter().max_by_key(|row| (row.at, row.seq)).map(|row| row.at);
    assert_eq!(last(i64::MAX).unwrap(), UtcMs(START + (5 * 3_600 - 1) * 1_000));
    assert_eq!(last(START + 1_500).unwrap(), UtcMs(START + 1_000));
    assert_eq!(known(START), []);
}

#[test]
fn clocks_far_off_make_no_file_outside_1970_to_2100() {
    let mut plant = Plant::new();
    let times =
        [i64::MIN, -1, 0, 2_208_988_800_000, START, 4_133_980_799_999, 4_133_980_800_000, i64::MAX - 1];
    for (at, value) in times.into_iter().zip(1..) {
        plant.write(1, vec![reading(1, at, value)]);
    }
    plant.seal_all();
    assert_eq!(years(plant.path()).unwrap(), [1970, 2026, 2040, 2100]);
    plant.check();
}

/// Dies before each transaction, in it, after it, and around the advance of `sealed_up_to`.
#[test]
fn killed_at_any_step_nothing_is_lost_or_doubled() {
    let story = |at: u64, trims: bool| {
        let (mut plant, mut steps) = (Plant::new(), 0);
        for part in 0..5 {
            polls(&mut plant, part * 400, 400);
            // A correction of what is sealed, and one of what is not.
            plant.write(2, vec![reading(2, START + part * 100_000, 1_000 + part), reading(9, START, part)]);
            let (step, counted) = dies_at(at.saturating_sub(steps));
            if plant.seal(700, step, trims).is_err() {
                plant.check();
                plant.seal(700, dies_at(0).0, trims).unwrap();
            }
            steps += counted.load(Ordering::Relaxed);
            if at == 0 || steps >= at {
                plant.check();
            }
        }
        steps
    };
    let steps = story(0, true);
    assert!(steps > 60, "{steps}");
    for at in (1..=steps).step_by(7) {
        story(at, at % 2 == 0);
    }
    // The last stretch, where merges are.
    for at in steps - 8..=steps {
        story(at, true);
    }
}

#[test]
fn a_damaged_column_costs_that_column_and_is_counted() {
    let mut plant = Plant::new();
    polls(&mut plant, 1_800, 7_300);
    plant.seal_all();
    polls(&mut plant, 9_100, 100);
    plant.seal_all();
    let conn = rusqlite::Connection::open(path_of(plant.path(), 2027)).unwrap();
    let (id, mut body): (i64, Vec<u8>) = conn
        .query_row("SELECT id, body FROM chunk WHERE point = 2", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    let middle = body.len() / 2;
    body[middle] ^= 1;
    conn.execute("UPDATE chunk SET body = ?1 WHERE id = ?2", rusqlite::params![body, id]).unwrap();
    let mut part: Vec<u8> = conn.query_row("SELECT body FROM part", [], |row| row.get(0)).unwrap();
    let end = part.len() - 1;
    part[end] ^= 1;
    conn.execute("UPDATE part SET body = ?1", [part]).unwrap();
    drop(conn);
    let span = Span { first: UtcMs(START), last: UtcMs(START + 20_000_000) };
    let lens = [1, 2, 3, 4, 5].map(|point| plant.rows(PointId(point), span).len());
    assert_eq!(lens, [7_400, 100, 7_400, 7_400, 7_300]);
    assert_eq!(plant.metrics.damaged.get(), 2);
}

#[test]
fn random_bytes_are_no_part() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let bytes = prop::collection::vec(any::<u8>(), 0..200);
    runner
        .run(&bytes, |bytes| {
            prop_assert!(pack::Index::open(&bytes).is_err());
            // Behind a right checksum.
            let len = u32::try_from(bytes.len()).unwrap().to_le_bytes();
            let crc = crc32fast::hash(&bytes).to_le_bytes();
            let body = [&len[..], &bytes, &crc, &bytes].concat();
            if let Ok(index) = pack::Index::open(&body) {
                for point in index.points().collect::<Vec<_>>() {
                    let mut rows = Vec::new();
                    prop_assert!(
                        index.rows(point, pack::ALWAYS, Seq(1), &mut rows).is_ok() || rows.is_empty()
                    );
                }
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_newer_file_is_refused_and_a_foreign_one_set_aside() {
    for (sql, newer) in [("PRAGMA user_version = 9", true), ("PRAGMA application_id = 5", false)] {
        let mut plant = Plant::new();
        polls(&mut plant, 0, 5);
        plant.seal_all();
        let path = path_of(plant.path(), 2026);
        rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        polls(&mut plant, 5, 5);
        let sealed = plant.seal(1_000, dies_at(0).0, true);
        let aside = path.with_extension("db.damaged-1");
        if newer {
            assert!(matches!(sealed, Err(JournalError::Newer { .. })) && !aside.exists());
            continue;
        }
        sealed.unwrap();
        let conn = rusqlite::Connection::open(aside).unwrap();
        let id: i64 = conn.query_row("PRAGMA application_id", [], |row| row.get(0)).unwrap();
        assert_eq!((id, plant.metrics.damaged.get()), (5, 1));
        // What was sealed behind it is there.
        let span = Span { first: UtcMs(i64::MIN), last: UtcMs(i64::MAX - 1) };
        assert!(plant.plain.keys().any(|(point, _)| !plant.rows(*point, span).is_empty()));
    }
}

fn forget(plant: &Plant, horizon: i64, step: sealer::Step) -> Result<u64, JournalError> {
    let journal = Box::new(plant.log.clone());
    let sealer = Sealer::new(plant.path().to_owned(), journal, plant.sealed(), plant.metrics.clone());
    let mut sealer = sealer.in_steps(1_000, step);
    sealer.open(plant.up_to())?;
    // Point 5 is kept for ever.
    let gone = sealer.forget(|point| if point == PointId(5) { UtcMs(i64::MIN) } else { UtcMs(horizon) });
    gone.map(|gone| gone.bytes)
}

/// Transactions of [`forget`] and files it deletes, each a step.
const FORGET_STEPS: u64 = 6;

#[test]
fn what_is_too_old_goes_and_its_room_comes_back_whatever_is_killed() {
    let mut plant = Plant::new();
    polls(&mut plant, 0, 1_000);
    let old = (0..900).map(|n| reading(80, START - 400 * 86_400_000 + n * 1_000, n));
    plant.write(7, old.collect());
    polls(&mut plant, 1_800, 7_400);
    plant.seal_all();
    polls(&mut plant, 9_200, 7_400);
    plant.seal_all();
    let whole = plant.dir;
    for at in 0..30 {
        plant.dir = tempfile::tempdir().unwrap();
        for file in std::fs::read_dir(whole.path()).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), plant.path().join(file.file_name())).unwrap();
        }
        let size = || std::fs::metadata(path_of(plant.path(), 2027)).unwrap().len();
        let before = size();
        let horizon = START + 9_300_000;
        let freed = forget(&plant, horizon, dies_at(at).0);
        assert_eq!(freed.is_err(), (1..=FORGET_STEPS).contains(&at), "{at}");
        let freed = freed.unwrap_or_else(|_| forget(&plant, horizon, dies_at(0).0).unwrap());
        assert!(at > 0 || freed > 20_000, "{freed}");
        // The part of the last half hour holds point 5, too; of the year before it nothing is left.
        assert_eq!(years(plant.path()).unwrap(), [2026, 2027], "{at}");
        let span = Span { first: UtcMs(i64::MIN), last: UtcMs(i64::MAX - 1) };
        assert_eq!(plant.rows(PointId(5), span).len(), 15_800);
        assert_eq!(plant.rows(PointId(1), span).len(), 1_000 + 7_400, "{at}");
        assert!(size() < before, "{at}");
    }
}

fn sealer(plant: &Plant) -> Sealer {
    let journal = Box::new(plant.log.clone());
    let mut sealer = Sealer::new(plant.path().to_owned(), journal, plant.sealed(), plant.metrics.clone());
    sealer.open(plant.up_to()).unwrap();
    sealer
}

/// Numbers below a million with nothing to find in them.
fn noise(n: i64) -> i64 {
    let mixed = n.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(31);
    (mixed.wrapping_mul(0xD6E8_FEB8_6659_FD93) >> 44).cast_signed()
}

/// Bytes of the year files and their logs.
fn size(plant: &Plant) -> u64 {
    crate::historian::room::taken(plant.path()).unwrap()
}

#[test]
fn a_correction_stays_with_what_it_corrects() {
    let mut plant = Plant::new();
    polls(&mut plant, 1_800, 7_400);
    plant.seal_all();
    plant.write(1, vec![reading(1, START + 2_000_000, 999)]);
    plant.seal_all();
    // Before the horizon lies the correction, and half of the chunk it corrects.
    sealer(&plant).forget(|_| UtcMs(START + 5_000_000)).unwrap();
    plant.check();
    assert_eq!((plant.count(2027, "chunk"), plant.count(2027, "part")), (5, 1));
    sealer(&plant).forget(|_| UtcMs(START + 9_200_000)).unwrap();
    assert_eq!(years(plant.path()).unwrap(), [0_i16; 0]);
}

#[test]
fn the_oldest_are_shed_until_there_is_room() {
    let mut plant = Plant::new();
    let old = (0..900).map(|n| reading(80, START - 400 * 86_400_000 + n * 1_000, n * n % 977));
    plant.write(7, old.collect());
    for n in 0..8 {
        for s in (1_800 + n * 7_400)..(1_800 + (n + 1) * 7_400) {
            // Values that take their room.
            plant.write(
                1,
                (1..=5).map(|p| reading(p, START + s * 1_000, noise(s * 5 + i64::from(p)))).collect(),
            );
        }
        plant.seal_all();
    }
    let (before, span) = (size(&plant), Span { first: UtcMs(i64::MIN), last: UtcMs(i64::MAX - 1) });
    let first = |plant: &Plant| plant.rows(PointId(3), span).first().map(|row| row.at);
    // A little: the year before goes.
    let gone = sealer(&plant).shed(1_000).unwrap();
    assert_eq!((years(plant.path()).unwrap(), gone.pieces), (vec![2027], 1));
    assert_eq!(first(&plant), Some(UtcMs(START + 1_800_000)));
    // Half of the rest: the oldest of every point, and the room is there.
    let half = std::fs::metadata(path_of(plant.path(), 2027)).unwrap().len() / 2;
    let gone = sealer(&plant).shed(half).unwrap();
    let horizon = gone.before.unwrap();
    assert!(gone.bytes >= half && size(&plant) + half <= before, "{gone:?} {before}");
    let left = first(&plant).unwrap();
    assert!(
        left > UtcMs(START + 1_800_000) && left <= UtcMs(START + (1_800 + 6 * 7_400) * 1_000),
        "{left} {horizon}"
    );
    assert_eq!(
        plant.rows(PointId(3), span).last().map(|row| row.at),
        Some(UtcMs(START + (1_799 + 8 * 7_400) * 1_000))
    );
    assert_eq!(plant.metrics.shed_bytes.get() >= half, plant.metrics.shed.get() > 5);
    // More than there is: nothing is left, and it ends.
    sealer(&plant).shed(u64::MAX).unwrap();
    assert_eq!(years(plant.path()).unwrap(), [0_i16; 0]);
    assert_eq!(plant.rows(PointId(3), span), []);
}

#[derive(Clone, Debug)]
enum Act {
    Write(u32, Vec<(u32, i64, i64)>),
    Polls(i64, i64),
    Seal { slice: usize, die: u64, trims: bool },
}

impl Act {
    /// Writes what arrives; a seal is left to the test: readings at once, where it dies, whether it
    /// trims.
    fn arrive(self, plant: &mut Plant) -> Option<(usize, u64, bool)> {
        match self {
            Act::Write(device, rows) => {
                let rows = rows.into_iter().map(|(point, s, value)| reading(point, START + s * 1_000, value));
                plant.write(device, rows.collect());
            }
            Act::Polls(from, n) => polls(plant, from, n),
            Act::Seal { slice, die, trims } => return Some((slice, die, trims)),
        }
        None
    }
}

fn any_act() -> impl Strategy<Value = Act> {
    let reading = (1_u32..6, prop_oneof![0_i64..4_000, Just(400_000_000)], 0_i64..50);
    prop_oneof![
        4 => (0_u32..3, prop::collection::vec(reading, 0..8)).prop_map(|(device, rows)| Act::Write(device, rows)),
        2 => (0_i64..3_000, 1_i64..900).prop_map(|(from, n)| Act::Polls(from, n)),
        3 => (1_usize..3_000, 0_u64..12, any::<bool>()).prop_map(|(slice, die, trims)| Act::Seal { slice, die, trims }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever arrived in which order: what is left after forgetting is the truth, and all of it
    /// behind the horizon.
    #[test]
    fn what_is_left_is_never_an_older_truth(acts in prop::collection::vec(any_act(), 1..30), horizon in 0_i64..4_000) {
        let mut plant = Plant::new();
        for act in acts {
            if let Some((slice, ..)) = act.arrive(&mut plant) {
                plant.seal(slice, dies_at(0).0, true).unwrap();
            }
        }
        plant.seal_all();
        let horizon = UtcMs(START + horizon * 1_000);
        sealer(&plant).forget(|_| horizon).unwrap();
        let span = Span { first: UtcMs(i64::MIN), last: UtcMs(i64::MAX - 1) };
        for point in (1..6).map(PointId) {
            let left: BTreeMap<_, _> = plant.rows(point, span).iter().map(|row| (row.at, row.value)).collect();
            for ((_, at), truth) in plant.plain.range((point, UtcMs(i64::MIN))..=(point, UtcMs(i64::MAX))) {
                let found = left.get(at);
                prop_assert!(found == Some(&truth.value) || found.is_none() && *at < horizon, "{point:?} {at}");
            }
        }
    }

    /// Any order of arrival, repeats, corrections, points that wander between devices, years,
    /// seals and merges killed anywhere: the same as to sort it all.
    #[test]
    fn answers_are_those_of_sorting_everything(acts in prop::collection::vec(any_act(), 1..40), from in 0_i64..4_000, len in 0_i64..4_000) {
        let mut plant = Plant::new();
        for act in acts {
            if let Some((slice, die, trims)) = act.arrive(&mut plant) {
                drop(plant.seal(slice, dies_at(die).0, trims));
            }
        }
        plant.check();
        plant.seal_all();
        plant.check();
        let span = Span { first: UtcMs(START + from * 1_000), last: UtcMs(START + (from + len) * 1_000) };
        let expected = plant.plain.range((PointId(2), span.first)..=(PointId(2), span.last)).count();
        prop_assert_eq!(plant.rows(PointId(2), span).len(), expected);
        let known = rows_before(&plant, PointId(2), span.last);
        let found = |wanted: fn(&Row) -> bool| {
            known.iter().filter(|row| wanted(row)).max_by_key(|row| (row.at, row.seq)).map(|row| (row.at, row.value))
        };
        let plain = |wanted: fn(&Reading) -> bool| {
            let before = plant.plain.range((PointId(2), UtcMs(i64::MIN))..(PointId(2), span.last));
            before.rev().map(|(_, reading)| *reading).find(wanted).map(|reading| (reading.at, reading.value))
        };
        prop_assert_eq!(found(|_| true), plain(|_| true));
        prop_assert_eq!(found(|row| row.value.is_some()), plain(|reading| reading.value.is_some()));
    }
}

/// Hours of point 3 out of what is sealed.
fn hours(plant: &Plant, from: i64, hours: i64) -> Vec<Bucket> {
    let (from, to) = (UtcMs(START + from * 1_000), UtcMs(START + (from + hours * 3_600) * 1_000));
    let span = Span { first: from, last: to.plus_ms(-1) };
    let sources = plant.sealed().sources(PointId(3), span, true).unwrap();
    let stop = AtomicBool::new(false);
    let mut merge = Merge::new(sources, Ask { from, to, rows_max: 1 << 20, stop: &stop });
    let windows = Windows::new(&Cut::Even { width_ms: 3_600_000, origin: from }, from, to, 100).unwrap();
    let mut found = Vec::new();
    buckets(&mut merge, windows, Reckoning::default(), |bucket| found.push(*bucket)).unwrap();
    found
}

/// Half past eleven is a border of a quarter, so the hours from there are made of roll-ups; late
/// readings in between are read with the one chunk they fall into.
#[test]
fn hours_are_made_of_roll_ups_and_chunks_are_read_only_where_something_interferes() {
    let mut plant = Plant::new();
    for hour in 0..5 {
        polls(&mut plant, hour * 3_600, 3_600);
        plant.seal_all();
    }
    let model = |from: i64, hours_: i64| -> Vec<_> {
        let hour = |n: i64| {
            let (from, to) = (START + (from + n * 3_600) * 1_000, START + (from + (n + 1) * 3_600) * 1_000);
            let mut summary = Summary::default();
            let rows = plant.plain.range((PointId(3), UtcMs(from))..(PointId(3), UtcMs(to)));
            rows.for_each(|((_, at), reading)| summary.add(*at, reading.value, reading.quality));
            summary
        };
        (0..hours_).map(hour).collect()
    };
    // Increase counts from the value before the window; all else is the same.
    let same = |found: &[Bucket], model: &[Summary]| {
        let plain = |s: &Summary| (s.count, s.good, s.min, s.max, s.sum, s.first, s.last);
        found.iter().map(|bucket| plain(&bucket.summary)).eq(model.iter().map(plain))
    };
    assert!(same(&hours(&plant, 1_800, 5), &model(1_800, 5)));
    assert!(same(&hours(&plant, 1_900, 5), &model(1_900, 5)), "a border within a quarter");
    let file = rusqlite::Connection::open(path_of(plant.path(), 2027)).unwrap();
    assert_eq!(plant.count(2027, "rollup"), 15);
    // Whoever reads a chunk now has nothing of it.
    assert_eq!(file.execute("UPDATE chunk SET body = zeroblob(9)", []).unwrap(), 15);
    assert!(same(&hours(&plant, 1_800, 5), &model(1_800, 5)));
    assert_eq!(plant.metrics.damaged.get(), 0);
    assert!(!same(&hours(&plant, 1_900, 5), &model(1_900, 5)));
    assert!(plant.metrics.damaged.get() > 0);
    // What goes takes its roll-up along.
    file.execute("DELETE FROM chunk WHERE point = 3", []).unwrap();
    assert_eq!(plant.count(2027, "rollup"), 12);
}

#[test]
fn a_year_file_is_made_over_what_a_killed_process_left() {
    let mut plant = Plant::new();
    for name in ["2026.new", "2026.new-wal", "2026.db-wal", "2026.db-shm"] {
        std::fs::write(plant.path().join(name), "half of something").unwrap();
    }
    let value = Some(Value::Bool(true));
    plant.write(1, vec![Reading { point: PointId(1), at: UtcMs(START), value, quality: Quality::Good }]);
    plant.seal_all();
    plant.check();
    assert!(!plant.path().join("2026.new").exists());
}
