//! The historian as a whole, from outside: torn, damaged, copied; and a measurement by hand. Killed:
//! `kills`.

use crate::kills::Dice;
use plantroom::clock::Clock;
use plantroom::historian::copy;
use plantroom::historian::{DataDir, Historian, History, Limits, Metrics, Opened, Seq};
use plantroom::point::{Batch, Decimal, PointId, Quality, Reading, UtcMs, Value};
use plantroom::readings::HistorianFeed;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const START: UtcMs = UtcMs(1_800_000_000_000);

/// The batch that every test writes at this place of the log.
fn batch_at(place: u64) -> Batch {
    let mut dice = Dice(place);
    let at = START.plus_ms(place.cast_signed() * 100);
    let reading = |n: u64, dice: &mut Dice| Reading {
        point: PointId(u32::try_from(1 + n).unwrap()),
        at: at.plus_ms(-dice.below(50).cast_signed()),
        value: Decimal::new(dice.below(1_000_000).cast_signed(), -2).ok().map(Value::Decimal),
        quality: Quality::Good,
    };
    let readings = (0..=dice.below(20)).map(|n| reading(n, &mut dice)).collect();
    let device = format!("device-{}", dice.below(3)).into();
    Batch { device, source_at: None, received_at: at, at_error_ms: 5, readings }
}

fn feed(place: u64) -> HistorianFeed {
    HistorianFeed { batch: Arc::new(batch_at(place)), ack: None, lost_before: None }
}

fn open(dir: &Path, metrics: &Metrics, limits: Limits) -> Opened {
    Historian::open_with(dir, Clock::starting_at(START), metrics.clone(), limits).unwrap()
}

/// The whole log; proves that it is the batches from place 1 on, each once, and returns how many.
async fn places(history: &History) -> u64 {
    let mut at = Seq(0);
    loop {
        let more = history.tail(at, 100).await.unwrap();
        if more.is_empty() {
            assert_eq!(*history.head().borrow(), at);
            return at.0;
        }
        for (seq, batch) in more {
            assert_eq!(seq, Seq(at.0 + 1));
            assert_eq!(*batch, batch_at(seq.0));
            at = seq;
        }
    }
}

/// Writes the batches of these places and stops in order.
async fn write(opened: Opened, places: impl IntoIterator<Item = u64>) -> History {
    let (feeds, rx) = mpsc::channel(16);
    let sending = async move {
        for place in places {
            feeds.send(feed(place)).await.unwrap();
        }
    };
    tokio::join!(opened.historian.run(rx, CancellationToken::new()), sending);
    opened.history
}

/// The folder is lost, the database with the cursors of those who follow it is not.
#[tokio::test]
async fn a_new_log_goes_on_behind_those_who_followed_the_lost_one() {
    let dir = tempfile::tempdir().unwrap();
    let metrics = Metrics::default();
    let mut opened = open(dir.path(), &metrics, Limits::default());
    assert!(opened.historian.number_behind(Seq(1_000)));
    assert!(!opened.historian.number_behind(Seq(7)));
    let history = write(opened, 1..=3).await;
    for history in [history, open(dir.path(), &metrics, Limits::default()).history] {
        let seen = history.tail(Seq(1_000), 100).await.unwrap();
        let seen: Vec<_> = seen.into_iter().map(|(seq, batch)| (seq.0, (*batch).clone())).collect();
        assert_eq!(seen, [(1_001, batch_at(1)), (1_002, batch_at(2)), (1_003, batch_at(3))]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_torn_or_garbled_log_file_leaves_a_prefix_that_goes_on() {
    let limits = Limits { group_bytes: 200, ..Limits::default() };
    let live = tempfile::tempdir().unwrap();
    write(open(live.path(), &Metrics::default(), limits), 1..=20).await;

    let segment = Path::new("journal/0000000001.seg");
    let sure = used(&live.path().join(segment));
    // Further batches of a process that never closes.
    let opened = open(live.path(), &Metrics::default(), limits);
    let mut head = opened.history.head();
    let (feeds, rx) = mpsc::channel(16);
    let writing = async {
        for place in 21..=60 {
            feeds.send(feed(place)).await.unwrap();
        }
        head.wait_for(|seq| *seq == Seq(60)).await.unwrap();
        for seed in 0..30 {
            let copy = tempfile::tempdir().unwrap();
            std::fs::create_dir(copy.path().join("journal")).unwrap();
            for file in [segment, Path::new("catalogue.db")] {
                std::fs::copy(live.path().join(file), copy.path().join(file)).unwrap();
            }
            damage(&copy.path().join(segment), sure, seed);
            let opened = open(copy.path(), &Metrics::default(), limits);
            let kept = places(&opened.history).await;
            assert!((20..=60).contains(&kept), "seed {seed}: {kept}");
            let history = write(opened, kept + 1..=kept + 5).await;
            assert_eq!(places(&history).await, kept + 5);
        }
        drop(feeds);
    };
    tokio::join!(opened.historian.run(rx, CancellationToken::new()), writing);
}

/// How far a file made of zeros is written.
fn used(path: &Path) -> usize {
    std::fs::read(path).unwrap().iter().rposition(|byte| *byte != 0).unwrap() + 1
}

/// Cuts, zeroes or garbles the tail of a file from a seeded place behind `sure` on.
fn damage(path: &Path, sure: usize, seed: u64) {
    let (mut dice, written) = (Dice(seed), used(path));
    let mut bytes = std::fs::read(path).unwrap();
    let from = sure + usize::try_from(dice.below((written - sure) as u64)).unwrap();
    bytes.truncate(written + 10_000);
    match seed % 3 {
        0 => bytes.truncate(from),
        1 => bytes[from..].fill(0),
        _ => bytes[from..].iter_mut().for_each(|byte| *byte = dice.roll().to_le_bytes()[0]),
    }
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_damaged_record_is_left_out_and_counted_and_its_neighbours_are_served() {
    let dir = tempfile::tempdir().unwrap();
    // Every batch is a record of its own.
    let limits = Limits { group_bytes: 1, ..Limits::default() };
    write(open(dir.path(), &Metrics::default(), limits), 1..=9).await;
    flip_in_body(&dir.path().join("journal/0000000001.seg"), 4);

    let metrics = Metrics::default();
    let opened = open(dir.path(), &metrics, limits);
    assert_eq!(opened.repaired, [""; 0], "a tidy stop spares the journal");
    let tail = opened.history.tail(Seq(0), 100).await.unwrap();
    let places: Vec<_> = tail.iter().map(|(seq, _)| seq.0).collect();
    assert_eq!((places, metrics.damaged.get()), (vec![1, 2, 3, 5, 6, 7, 8, 9], 1));
    let range = opened.history.range(PointId(1), UtcMs(0), UtcMs(i64::MAX), 100).await.unwrap();
    assert_eq!((range.readings.len(), metrics.damaged.get()), (8, 2));
    drop(opened);

    // Without the copy of the last values the start reads the journal and says what it met.
    let catalogue = rusqlite::Connection::open(dir.path().join("catalogue.db")).unwrap();
    assert_eq!(catalogue.execute("DELETE FROM last", []).unwrap(), 1);
    drop(catalogue);
    let repaired = open(dir.path(), &metrics, limits).repaired.join(" ");
    assert!(repaired.contains("Skipped 1 damaged records, the first at 4"), "{repaired}");
}

/// Flips bits in the body of frame `n` (from 1) of a segment (src/historian/segments.rs).
fn flip_in_body(path: &Path, n: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    let mut at = 32;
    for _ in 1..n {
        let len = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        at += (40 + usize::try_from(len).unwrap()).next_multiple_of(8);
    }
    bytes[at + 40 + 9] ^= 0x5a;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_directory_that_is_no_history_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let data = DataDir::open(dir.path()).unwrap();
    std::fs::create_dir_all(data.history().join("journal")).unwrap();
    let segment = data.history().join("journal/0000000001.seg");
    std::fs::write(segment, "not a segment, not at all".repeat(100)).unwrap();
    let refused = Historian::open(&data.history(), Clock::starting_at(START), Metrics::default());
    let message = refused.unwrap_err().to_string();
    assert!(message.contains(&data.history().display().to_string()), "{message}");
}

/// One commit for each batch of 500 readings (500 points, mixed kinds), as at one scan a second.
/// Numbers of the machine it runs on: `docs/adr`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: cargo test --release --test it -- --ignored --nocapture measured_ingest"]
async fn measured_ingest() {
    let (commits, points) = (4_000_u64, 500_u32);
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::system();
    let limits = Limits { group_bytes: 1, ..Limits::default() };
    let metrics = Metrics::default();
    let opened = Historian::open_with(dir.path(), clock.clone(), metrics.clone(), limits).unwrap();
    let batches: Vec<_> = (0..commits).map(|n| Arc::new(scan(n, points))).collect();
    let (feeds, rx) = mpsc::channel(16);
    let started = clock.mono();
    let sending = async move {
        for batch in batches {
            feeds.send(HistorianFeed { batch, ack: None, lost_before: None }).await.unwrap();
        }
    };
    tokio::join!(opened.historian.run(rx, CancellationToken::new()), sending);
    let ms = clock.mono().since_ms(started).max(1);
    let readings = metrics.readings.get();
    assert_eq!((metrics.commits.get(), readings), (commits, commits * u64::from(points)));
    drop(opened.history);
    let files = std::fs::read_dir(dir.path().join("journal")).unwrap();
    let file: u64 = files.map(|file| file.unwrap().metadata().unwrap().len()).sum();
    println!(
        "{readings} readings in {ms} ms: {} readings/s, {} commits/s",
        readings * 1_000 / ms,
        commits * 1_000 / ms
    );
    println!(
        "{}.{:02} bytes a reading in records",
        metrics.bytes.get() / readings,
        metrics.bytes.get() * 100 / readings % 100
    );
    println!("{}.{:02} bytes a reading in the files", file / readings, file * 100 / readings % 100);

    // The most a start ever reads again.
    let catalogue = rusqlite::Connection::open(dir.path().join("catalogue.db")).unwrap();
    catalogue.execute("DELETE FROM last", []).unwrap();
    drop(catalogue);
    let started = clock.mono();
    let opened = Historian::open(dir.path(), clock.clone(), Metrics::default()).unwrap();
    println!("opened in {} ms: {}", clock.mono().since_ms(started), opened.repaired.join(" "));
    let started = clock.mono();
    let hour = START.plus_ms(3_600_000);
    let range = opened.history.range(PointId(7), START, hour, 10_000).await.unwrap();
    println!(
        "an hour of one point, {} readings, in {} ms",
        range.readings.len(),
        clock.mono().since_ms(started)
    );
}

/// A scan of all points one second after the last, by the kinds of a plant: temperatures to 0.1,
/// an energy counter to 0.01, currents to 0.001, states, whole numbers, floats.
fn scan(n: u64, points: u32) -> Batch {
    let at = START.plus_ms(n.cast_signed() * 1_000);
    let value = |point: u32| {
        let noise = Dice(n * u64::from(points) + u64::from(point)).below(1 << 16).cast_signed();
        let decimal = |mantissa: i64, exponent: i8| Decimal::new(mantissa, exponent).ok().map(Value::Decimal);
        match point % 10 {
            0..=2 => decimal(220 + noise % 8, -1),
            3 => decimal(5_000_000 + n.cast_signed() * 3 + noise % 2, -2),
            4 | 5 => decimal(12_000 + noise % 600, -3),
            6 => Some(Value::Bool(noise < 70)),
            7 => decimal(600 + noise % 50, 0),
            8 => Some(Value::F64(f64::from(50.0 + f32::from(u16::try_from(noise).unwrap()) / 65_536.0))),
            _ => decimal(210, -1),
        }
    };
    let reading = |point: u32| Reading {
        point: PointId(point),
        at: at.plus_ms(-4),
        value: value(point),
        quality: Quality::Good,
    };
    let readings = (1..=points).map(reading).collect();
    Batch { device: "bus-1".into(), source_at: None, received_at: at, at_error_ms: 4, readings }
}

/// Copies are taken while the writer writes: each is a store that ends where the log ended at some
/// moment after the copy began, with everything before.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_beside_the_writer_is_whole_up_to_its_end() {
    const BATCHES: u64 = 400;
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits { group_ms: 1, replay_bytes: 2_000, ..Limits::default() };
    let from = dir.path().join("history");
    let opened = open(&from, &Metrics::default(), limits);
    let mut head = opened.history.head();
    let writing = write(opened, 1..=BATCHES);
    let copying = async {
        head.wait_for(|head| head.0 > 0).await.unwrap();
        let mut copies = 0;
        loop {
            let (before, to) = (*head.borrow(), dir.path().join(copies.to_string()));
            let source = from.clone();
            let copied = tokio::task::spawn_blocking(move || {
                copy::copy(&source, &to, &mut |_| ())?;
                copy::verify(&to)
            });
            let facts = copied.await.unwrap().unwrap();
            assert!(before <= facts.head, "{before:?} {facts:?}");
            let expected: usize = (1..=facts.head.0).map(|place| batch_at(place).readings.len()).sum();
            assert_eq!(facts.readings, expected as u64);
            copies += 1;
            if facts.head == Seq(BATCHES) {
                return copies - 1;
            }
        }
    };
    let (_, last) = tokio::join!(writing, copying);
    // The last one is a store that goes on.
    let again = open(&dir.path().join(last.to_string()), &Metrics::default(), Limits::default());
    assert_eq!(places(&again.history).await, BATCHES);
    let history = write(again, BATCHES + 1..=BATCHES + 5).await;
    assert_eq!(places(&history).await, BATCHES + 5);

    // One byte of a record. Of the last one it looks like a tail that was cut off: the log ends
    // earlier, which a backup's manifest tells.
    let copied = dir.path().join("0");
    let before = copy::verify(&copied).unwrap().head;
    let segment = copied.join("journal/0000000001.seg");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[32 + 40 + 3] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    assert!(copy::verify(&copied).map_or(true, |facts| facts.head < before));
}

/// A batch with a reading of point 1 that says `value` at a second behind [`START`].
fn told(second: i64, value: i64) -> HistorianFeed {
    let at = START.plus_ms(second * 1_000);
    let value = Some(Value::Decimal(Decimal::new(value, 0).unwrap()));
    let reading = Reading { point: PointId(1), at, value, quality: Quality::Good };
    let batch = Batch {
        device: "d".into(),
        source_at: None,
        received_at: at,
        at_error_ms: 0,
        readings: vec![reading],
    };
    HistorianFeed { batch: Arc::new(batch), ack: None, lost_before: None }
}

/// Stores these readings, the clock shown as each says, and stops in order.
async fn tell(dir: &Path, limits: Limits, starts: i64, told_at: &[(i64, i64)]) {
    let clock = Clock::starting_at(START.plus_ms(starts * 1_000));
    let opened = Historian::open_with(dir, clock.clone(), Metrics::default(), limits).unwrap();
    let (feeds, rx) = mpsc::channel(16);
    let sending = async move {
        for (second, value) in told_at {
            clock.jump(START.plus_ms(second * 1_000).since_ms(clock.utc()));
            // One at a time: the historian looks at the clock when a batch comes.
            let mut head = opened.history.head();
            feeds.send(told(*second, *value)).await.unwrap();
            head.changed().await.unwrap();
        }
    };
    tokio::join!(opened.historian.run(rx, CancellationToken::new()), sending);
}

/// What is kept of point 1, as seconds and values.
async fn kept(dir: &Path, limits: Limits) -> Vec<(i64, i64)> {
    let opened = open(dir, &Metrics::default(), limits);
    let rows = opened.history.range(PointId(1), UtcMs(0), UtcMs(i64::MAX), 100).await.unwrap().readings;
    let told = |r: &Reading| match r.value {
        Some(Value::Decimal(value)) => (r.at.since_ms(START) / 1_000, value.mantissa()),
        _ => panic!("{r:?}"),
    };
    rows.iter().map(told).collect()
}

/// An hour that comes twice is kept twice; a repeat within an epoch is a correction. The same
/// whether it stands in the journal or is sealed, and whether plantroom ran when the clock was set.
#[tokio::test(start_paused = true)]
async fn a_clock_set_back_keeps_both_hours_and_a_second_of_skew_does_not() {
    let sealing = Limits { seal_bytes: 1, group_bytes: 1, ..Limits::default() };
    for limits in [sealing, Limits { group_bytes: 1, ..Limits::default() }] {
        let dir = tempfile::tempdir().unwrap();
        // The first is corrected, the clock goes back by one second, then by an hour; 2040 and back.
        let hour = [(7_200, 1), (7_200, 2), (7_210, 3), (7_209, 4), (3_600, 5), (7_200, 6)];
        tell(dir.path(), limits, 7_200, &hour).await;
        assert_eq!(
            kept(dir.path(), limits).await,
            [(3_600, 5), (7_200, 2), (7_200, 6), (7_209, 4), (7_210, 3)]
        );
        let far = 400_000_000;
        tell(dir.path(), limits, 7_300, &[(7_300, 7), (far, 8)]).await;
        // Set back while plantroom was off, and from then on in order.
        tell(dir.path(), limits, 7_300, &[(7_300, 9), (7_301, 10)]).await;
        tell(dir.path(), limits, 7_302, &[(7_301, 11)]).await;
        let end = kept(dir.path(), limits).await.split_off(5);
        assert_eq!(end, [(7_300, 7), (7_300, 9), (7_301, 11), (far, 8)]);
    }
}
