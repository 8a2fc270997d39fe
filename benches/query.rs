//! A year of hourly buckets out of sealed chunks: bytes, columns, rows, merge, buckets, on one core.
//! Memory to memory, without a store. How to run it and what it gave: benches/README.md.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    clippy::cast_possible_wrap,
    clippy::indexing_slicing,
    reason = "a measurement run by hand"
)]

#[path = "recipe.rs"]
#[expect(dead_code, reason = "the other sets are for benches/chunk.rs")]
mod recipe;

use jiff::tz::TimeZone;
use plantroom::historian::chunk::{self, times};
use plantroom::historian::query::{
    Ask, Bucket, Cut, Hold, InMemory, Merge, Reckoning, Row, Rows, Source, Windows, buckets,
};
use plantroom::historian::summary::nearest;
use plantroom::historian::{JournalError, Seq};
use plantroom::point::{UtcMs, Value};
use recipe::{DEVICE_POINTS, KINDS, S2};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// Ten of each three temperatures, and so on: 50 points.
const DEVICES: u32 = 5;

/// 35,040 polls are five chunks of so many.
const POLLS: usize = 7_008;

const HOUR_MS: i64 = 3_600_000;

/// Runs of each measurement.
const RUNS: u32 = 25;

static GOING: AtomicBool = AtomicBool::new(false);

fn main() {
    let points: Vec<Point> = (0..DEVICES).flat_map(device).collect();
    let zone = TimeZone::get("Asia/Shanghai").unwrap();
    let even = Cut::Even { width_ms: HOUR_MS, origin: UtcMs(0) };
    let civil = Cut::Clock { width_ms: HOUR_MS, zone };
    let hold = Some(Hold { ms: 2 * S2.step_ms, until: UtcMs(i64::MAX) });
    let plain = Reckoning::default();
    report("even hours", &points, &Asked { cut: even, reckoning: plain });
    report("civil hours", &points, &Asked { cut: civil.clone(), reckoning: plain });
    report("civil hours with time", &points, &Asked { cut: civil, reckoning: Reckoning { hold, ..plain } });
}

/// What is asked of each point.
struct Asked {
    cut: Cut,
    reckoning: Reckoning,
}

/// A year of a point, sealed and in memory.
struct Point {
    kind: &'static str,
    chunks: Vec<Chunk>,
    rows: Vec<Row>,
}

#[derive(Clone)]
struct Chunk {
    first: UtcMs,
    times: Vec<u8>,
    column: Vec<u8>,
}

fn device(device: u32) -> Vec<Point> {
    let all = S2.times(device);
    let point = |(point, kind): (u32, &'static str)| {
        let readings = S2.readings(point);
        let mut chunks = Vec::new();
        for (nth, group) in all.chunks(POLLS).enumerate() {
            let range = nth * POLLS..nth * POLLS + group.len();
            let own = readings.iter().filter(|row| range.contains(&row.0));
            let own: Vec<chunk::Row> = own.map(|row| (row.0 - range.start, Some(row.1), row.2)).collect();
            let (times, column) = (times::encode(group).unwrap(), chunk::encode(group, &own).unwrap());
            chunks.push(Chunk { first: UtcMs(group[0]), times, column });
        }
        let rows: Vec<Row> = chunks.iter().flat_map(decoded).collect();
        assert_eq!(rows.len(), readings.len());
        Point { kind, chunks, rows }
    };
    (device * DEVICE_POINTS..).zip(KINDS).map(point).collect()
}

fn decoded(chunk: &Chunk) -> Vec<Row> {
    let mut rows = Vec::new();
    decode(chunk, &mut rows);
    rows
}

/// As a year file does it.
fn decode(sealed: &Chunk, rows: &mut Vec<Row>) {
    let times = times::decode(&sealed.times).unwrap();
    let column = chunk::decode(&sealed.column).unwrap();
    column
        .append(&times, UtcMs(i64::MIN), rows, |at, value, quality| Row { at, seq: Seq(1), value, quality })
        .unwrap();
}

impl Rows for Chunk {
    fn pull(&mut self, rows: &mut Vec<Row>) -> Result<bool, JournalError> {
        decode(self, rows);
        Ok(false)
    }
}

/// What is wanted of a bucket.
#[derive(Clone, Copy)]
struct Answer {
    _from: UtcMs,
    _min: f64,
    _max: f64,
    _mean: f64,
    _last: f64,
    count: u64,
}

impl Answer {
    fn of(bucket: &Bucket) -> Answer {
        let number =
            |mark: Option<(UtcMs, Value)>| mark.and_then(|(_, value)| nearest(value)).unwrap_or(f64::NAN);
        let summary = &bucket.summary;
        Answer {
            _from: bucket.window.from,
            _min: number(summary.min),
            _max: number(summary.max),
            _mean: summary.mean().unwrap_or(f64::NAN),
            _last: number(summary.last),
            count: summary.count,
        }
    }
}

fn answers(sources: Vec<Source<'_>>, asked: &Asked) -> Vec<Answer> {
    let (from, to) = (UtcMs(S2.from_ms), UtcMs(S2.from_ms + S2.samples as i64 * S2.step_ms));
    let windows = Windows::new(&asked.cut, from, to, 10_000).unwrap();
    let mut answers = Vec::with_capacity(8_760);
    let ask = Ask { from: UtcMs(i64::MIN), to: windows.span().to, rows_max: 2_000_000, stop: &GOING };
    let each = |bucket: &Bucket| answers.push(Answer::of(bucket));
    buckets(&mut Merge::new(sources, ask), windows, asked.reckoning, each).unwrap();
    answers
}

fn sealed(point: &Point) -> Vec<Source<'_>> {
    let source =
        |chunk: &Chunk| Source { epoch: 0, starts: chunk.first, whole: None, rows: Box::new(chunk.clone()) };
    point.chunks.iter().map(source).collect()
}

/// What a point costs: from bytes to answers, from bytes to columns and to rows, from rows in memory
/// to answers.
type Steps = [Duration; 4];

fn steps(point: &Point, asked: &Asked) -> Steps {
    let (found, all) = timed(|| answers(sealed(point), asked));
    assert_eq!(found.iter().map(|answer| answer.count).sum::<u64>(), point.rows.len() as u64);
    let columns = timed(|| {
        for chunk in &point.chunks {
            black_box(times::decode(&chunk.times).unwrap());
            black_box(chunk::decode(&chunk.column).unwrap());
        }
    });
    let mut rows = Vec::with_capacity(POLLS);
    let decoded = timed(|| {
        for chunk in &point.chunks {
            rows.clear();
            decode(chunk, black_box(&mut rows));
        }
    });
    let source = InMemory::source(0, point.rows.clone());
    let memory = timed(|| answers(vec![source], asked));
    [all, columns.1, decoded.1, memory.1]
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    (black_box(work()), start.elapsed())
}

/// Point after point, again and again; of each the quickest counts: the machine does other things,
/// too, and a point that is asked for twice in a row is quicker than it should be.
fn report(name: &str, points: &[Point], asked: &Asked) {
    let mut quickest = vec![[Duration::MAX; 4]; points.len()];
    for _ in 0..RUNS {
        for (point, best) in points.iter().zip(&mut quickest) {
            let found = steps(point, asked);
            best.iter_mut().zip(found).for_each(|(best, found)| *best = found.min(*best));
        }
    }
    let mut kinds = BTreeMap::new();
    for (point, found) in points.iter().zip(quickest) {
        for kind in [point.kind, "~ all"] {
            let (rows, sums) = kinds.entry(kind).or_insert((0, [Duration::ZERO; 4]));
            *rows += point.rows.len();
            sums.iter_mut().zip(found).for_each(|(sum, found)| *sum += found);
        }
    }
    println!("{name} of {} points", points.len());
    for (kind, (rows, sums)) in kinds {
        let [all, columns, decoded, memory] = sums.map(|time| time.as_secs_f64() * 1e9 / rows as f64);
        println!(
            "  {kind:12} {rows:8} rows: columns {columns:5.2}, rows {decoded:5.2}, \
             buckets of rows in memory {memory:5.2}, all {all:5.2} ns a row, {:6.2} ms",
            all * rows as f64 / 1e6,
        );
    }
}
