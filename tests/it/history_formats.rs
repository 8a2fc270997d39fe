//! Histories that released versions wrote, read by this one.
//!
//! Each format of `DATA/history` has a folder in `tests/testcases/history`, its files packed. What is
//! in it is told by [`batch_at`]; neither is ever changed once a version with that format is released.

use plantroom::clock::Clock;
use plantroom::historian::{Historian, History, Limits, Metrics, Texts};
use plantroom::point::{Batch, Decimal, PointId, Quality, Reading, Reason, UtcMs, Value};
use plantroom::readings::HistorianFeed;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const START: UtcMs = UtcMs(1_800_000_000_000);

/// Batches, one a second; before the last one the clock is set back by a minute.
const BATCHES: i64 = 10_801;

const GOLDEN: &str = "tests/testcases/history/1";
const FILES: [&str; 3] = ["catalogue.db", "2027.db", "journal/0000000001.seg"];

fn at(place: i64) -> UtcMs {
    START.plus_ms(1_000 * if place == BATCHES { place - 60 } else { place })
}

/// Two devices and everything a reading can be, late and corrected ones among them.
fn batch_at(place: i64, words: &Texts) -> Batch {
    let at = at(place);
    let decimal = |mantissa, exponent| Some(Value::Decimal(Decimal::new(mantissa, exponent).unwrap()));
    let reading = |point, value, quality| Reading { point: PointId(point), at, value, quality };
    let word = words.id(if place % 600 < 300 { "运行" } else { "stopped" }).map(Value::Text);
    let tenth = f64::from(u32::try_from(place).unwrap()) / 10.0;
    let mut readings = vec![
        reading(1, decimal(200 + place % 37, -1), Quality::Good),
        reading(2, decimal(place * 3, -2), Quality::Good),
        reading(3, Some(Value::F64(tenth * tenth)), Quality::Good),
        reading(4, Some(Value::Bool(place % 900 < 450)), Quality::Uncertain(Reason::Stale)),
        reading(5, word, Quality::Good),
    ];
    match place % 1_000 {
        7 => readings[0] = reading(1, None, Quality::Bad(Reason::Timeout)),
        8 => readings.push(Reading { at: at.plus_ms(-600_500), ..reading(1, decimal(7, 0), Quality::Good) }),
        9 => readings.push(Reading { at: at.plus_ms(-600_000), ..reading(2, decimal(8, 0), Quality::Good) }),
        _ => {}
    }
    let pump = place % 10 == 0;
    readings.retain(|reading| !pump || reading.point.0 > 2);
    let device = if pump { "pump" } else { "meter" }.into();
    Batch { device, source_at: None, received_at: at, at_error_ms: 0, readings }
}

/// The readings of a point by instant, and by epoch where one comes twice.
fn written(point: PointId, words: &Texts) -> Vec<Reading> {
    let mut all = BTreeMap::new();
    for place in 1..=BATCHES {
        let of = batch_at(place, words).readings.into_iter().filter(|reading| reading.point == point);
        all.extend(of.map(|reading| ((reading.at, place == BATCHES), reading)));
    }
    all.into_values().collect()
}

async fn kept(history: &History, point: PointId) -> Vec<Reading> {
    let range = history.range(point, UtcMs(0), UtcMs(i64::MAX), usize::MAX).await.unwrap();
    assert!(!range.truncated);
    range.readings
}

fn unpacked(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_end(&mut bytes).unwrap();
    bytes
}

fn packed_name(file: &str) -> String {
    file.replace('/', "-") + ".gz"
}

#[tokio::test(start_paused = true)]
async fn a_history_of_the_first_format_is_read_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("journal")).unwrap();
    for file in FILES {
        let bytes = unpacked(&Path::new(GOLDEN).join(packed_name(file)));
        std::fs::write(dir.path().join(file), bytes).unwrap();
    }
    let clock = Clock::starting_at(at(BATCHES));
    let opened = Historian::open(dir.path(), clock, Metrics::default()).unwrap();
    assert_eq!(opened.repaired, [""; 0]);
    let words = opened.historian.texts();
    for point in (1..=5).map(PointId) {
        assert!(kept(&opened.history, point).await == written(point, &words), "{point:?}");
    }
    // Some of it in chunks with roll-ups, some in parts, the end in the journal.
    let conn = rusqlite::Connection::open(dir.path().join("2027.db")).unwrap();
    for table in ["chunk", "rollup", "part"] {
        let rows: i64 =
            conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
        assert!(rows > 0, "{table}");
    }
}

/// Writes these batches and stops in order.
async fn live(dir: &Path, places: std::ops::RangeInclusive<i64>, limits: Limits) {
    let clock = Clock::starting_at(at(*places.start()));
    let opened = Historian::open_with(dir, clock.clone(), Metrics::default(), limits).unwrap();
    let (feeds, rx) = mpsc::channel(1);
    let words = opened.historian.texts();
    let sending = async move {
        let mut head = opened.history.head();
        for place in places {
            if place == BATCHES {
                // The historian must see the clock before and behind the step.
                head.wait_for(|head| head.0 + 1 == BATCHES.unsigned_abs()).await.unwrap();
            }
            clock.jump(at(place).since_ms(clock.utc()));
            let batch = Arc::new(batch_at(place, &words));
            feeds.send(HistorianFeed { batch, ack: None, lost_before: None }).await.unwrap();
        }
    };
    tokio::join!(opened.historian.run(rx, CancellationToken::new()), sending);
}

#[tokio::test(start_paused = true)]
#[ignore = "writes the fixture of a new format; never again once that is released"]
async fn write_the_fixture() {
    let dir = tempfile::tempdir().unwrap();
    let sealing = Limits { seal_bytes: 10_000, ..Limits::default() };
    for places in [1..=9_000, 9_001..=9_100, 9_101..=10_000] {
        live(dir.path(), places, sealing).await;
    }
    live(dir.path(), 10_001..=BATCHES, Limits::default()).await;
    std::fs::create_dir_all(GOLDEN).unwrap();
    for file in FILES {
        let target = std::fs::File::create(Path::new(GOLDEN).join(packed_name(file))).unwrap();
        let mut gz = flate2::write::GzEncoder::new(target, flate2::Compression::best());
        gz.write_all(&std::fs::read(dir.path().join(file)).unwrap()).unwrap();
        gz.finish().unwrap();
    }
}
