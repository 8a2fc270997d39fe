//! The historian's journal against segment files and against a bare write and sync of the same
//! bytes. How to run it and what it gave: benches/README.md.
//!
//! - `commits ENGINES READINGS COMMITS DIR [busy]`: commits of so many readings, flat out, by each of the
//!   engines (with commas between) in turn; `busy` with a reader that follows each log, one that asks
//!   for times, and the log trimmed behind them
//! - `fill ENGINE MB DIR`: fills the log and waits to be killed
//! - `reopen ENGINE DIR`: opens it again for writing, then reads it from the beginning
//!
//! Engines: `segments`; `sqlite`, the peer; `overwrite` and `extend`, the floor: one write and one
//! fdatasync into a file of zeros, or behind its end.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a measurement run by hand"
)]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_possible_wrap,
    reason = "small numbers"
)]
#![expect(clippy::disallowed_methods, reason = "measures real time")]

/// The journal's own sources: they are private to the library.
#[expect(dead_code, unused_imports, reason = "a part of the historian, with tests that do not run here")]
#[path = "../src/historian"]
mod historian {
    mod bytes;
    pub mod codec;
    pub mod journal;
    #[path = "../../benches/journal/peer.rs"]
    mod peer;
    mod room;
    mod segments;
    mod sqlite;
    #[cfg(test)]
    mod suite;

    use journal::{Journal, JournalReader};
    use peer::SqliteJournal;
    use plantroom::historian::{Layout, Limits};
    use room::Room;
    use segments::{Index, SegmentJournal, SegmentReader};
    use std::path::Path;
    use std::sync::Arc;

    /// Opens readers in the writer's process, or as another one would.
    pub type Readers = Box<dyn Fn(bool) -> Box<dyn JournalReader> + Sync>;

    pub fn open(engine: &str, dir: &Path) -> anyhow::Result<(Box<dyn Journal>, Readers)> {
        match engine {
            "sqlite" => {
                let path = dir.join("journal.db");
                let journal = SqliteJournal::open(&path)?;
                let readers = move |_| -> Box<dyn JournalReader> {
                    Box::new(SqliteJournal::open_reader(&path).unwrap())
                };
                return Ok((Box::new(journal), Box::new(readers)));
            }
            "segments" => {}
            other => anyhow::bail!("no engine {other}"),
        }
        let (index, dir): (Arc<Index>, _) = (Arc::default(), dir.join("journal"));
        let journal = SegmentJournal::open(&dir, &index, Room::bare(&dir), Limits::default().segment_bytes)?;
        let readers = move |other| -> Box<dyn JournalReader> {
            if other { Box::new(SegmentReader::open(&dir).unwrap()) } else { Box::new(Arc::clone(&index)) }
        };
        Ok((Box::new(journal), Box::new(readers)))
    }
}

use anyhow::Context as _;
use historian::codec::{self, RecordBuilder};
use historian::journal::{Journal, JournalError, JournalReader, Record, Seq, Span};
use historian::{Readers, open};
use plantroom::point;
use plantroom::point::{Batch, Decimal, PointId, Quality, Reading, UtcMs, Value};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const START: i64 = 1_767_312_000_000;
/// Points of a device; a batch holds each once.
const POINTS: u32 = 100;
/// The log is trimmed to about this size behind the writer.
const KEPT_BYTES: usize = 64 << 20;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["commits", engines, readings, count, dir, rest @ ..] => {
            commits(engines, readings.parse()?, count.parse()?, Path::new(dir), rest == ["busy"])
        }
        ["fill", engine, mb, dir] => fill(engine, mb.parse()?, Path::new(dir)),
        ["reopen", engine, dir] => reopen(engine, Path::new(dir)),
        _ => Ok(()),
    }
}

/// The kinds of points of a plant and how they move, roughly.
struct Plant {
    random: u64,
    levels: Vec<i64>,
    second: i64,
}

impl Plant {
    fn new(points: u32) -> Plant {
        let levels = (0..i64::from(points)).map(|point| 20_000 + point * 37).collect();
        Plant { random: 12_345, levels, second: 0 }
    }

    /// SplitMix64.
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn value(&mut self, point: u32) -> Value {
        let noise = (self.random() % 61).cast_signed() - 30;
        let level = &mut self.levels[point as usize];
        let decimal = |number, exponent| Value::Decimal(Decimal::new(number, exponent).unwrap());
        match point % 10 {
            // Temperatures, energy, currents, on/off, carbon dioxide, floats, set-points.
            0..=2 => decimal((*level + noise) / 100, -1),
            3 => {
                *level += 3 + noise.abs() / 10;
                decimal(*level, -2)
            }
            4 | 5 => decimal(*level / 3 + noise * 5, -3),
            6 => Value::Bool(self.second / 900 % 2 == 0),
            7 => decimal(500 + noise / 10, 0),
            8 => Value::F64(f64::from((*level as f32 + noise as f32 * 0.37) / 700.0)),
            _ => decimal(*level / 10_000 * 5, -1),
        }
    }

    /// The next second of every point, a batch for each device.
    fn record(&mut self, after: Seq) -> Record {
        let mut builder = RecordBuilder::default();
        let points = self.levels.len() as u32;
        self.second += 1;
        let mut batches = 0;
        for device in 0..points.div_ceil(POINTS) {
            let received_at = UtcMs(START + self.second * 1_000 + i64::from(device % 97) * 10);
            let numbers = device * POINTS..((device + 1) * POINTS).min(points);
            let reading = |number| Reading {
                point: PointId(number + 1),
                at: received_at,
                value: Some(self.value(number)),
                quality: Quality::Good,
            };
            let readings = numbers.map(reading).collect();
            let batch =
                Batch { device: "device".into(), source_at: None, received_at, at_error_ms: 1, readings };
            builder.push(&batch, device + 1);
            batches += 1;
        }
        let (body, span) = builder.finish();
        Record { last: Seq(after.0 + batches), span, body }
    }
}

/// The floor: nothing but the bytes and the sync.
struct Bare {
    file: File,
    at: u64,
    wrap: Option<u64>,
    last: Seq,
}

impl Bare {
    fn open(dir: &Path, wrap: Option<u64>) -> Result<Bare, JournalError> {
        let file = File::create(dir.join("bare"))?;
        file.write_all_at(&vec![0; wrap.unwrap_or(0) as usize], 0)?;
        file.sync_all()?;
        Ok(Bare { file, at: 0, wrap, last: Seq(0) })
    }
}

impl JournalReader for Bare {
    fn last(&self) -> Result<Seq, JournalError> {
        Ok(self.last)
    }
    fn behind(&self, _: Seq, _: usize) -> Result<Vec<Record>, JournalError> {
        Ok(Vec::new())
    }
    fn within(&self, _: Span, _: Seq) -> Result<Vec<Record>, JournalError> {
        Ok(Vec::new())
    }
}

impl Journal for Bare {
    fn bytes(&self) -> u64 {
        0
    }

    fn append(&mut self, record: &Record) -> Result<(), JournalError> {
        let len = record.body.len() as u64;
        if self.wrap.is_some_and(|size| self.at + len > size) {
            self.at = 0;
        }
        self.file.write_all_at(&record.body, self.at)?;
        self.file.sync_data()?;
        self.at += len;
        self.last = record.last;
        Ok(())
    }
    fn tidy(&mut self) -> Result<(), JournalError> {
        Ok(())
    }
    fn trim(&mut self, _: Seq) -> Result<bool, JournalError> {
        Ok(true)
    }
    fn repaired(&self) -> Option<String> {
        None
    }
}

fn engine(name: &str, dir: &Path) -> anyhow::Result<(Box<dyn Journal>, Readers)> {
    std::fs::create_dir_all(dir)?;
    let wrap = match name {
        "overwrite" => Some(16 << 20),
        "extend" => None,
        other => return open(other, dir),
    };
    Ok((Box::new(Bare::open(dir, wrap)?), Box::new(|_| unreachable!("the floor is not read"))))
}

/// What this process and the disk below it have written.
#[derive(Clone, Copy)]
struct Used {
    process_bytes: u64,
    device_bytes: u64,
    device_writes: u64,
}

impl Used {
    fn now(dir: &Path) -> anyhow::Result<Used> {
        let io = std::fs::read_to_string("/proc/self/io")?;
        let process = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).context("io")?;
        let (major, minor) = device(dir)?;
        let disks = std::fs::read_to_string("/proc/diskstats")?;
        let disk = disks.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let disk = disk.into_iter().find(|d| d[0] == major && d[1] == minor).context("no such disk")?;
        Ok(Used {
            process_bytes: process.parse()?,
            device_bytes: disk[9].parse::<u64>()? * 512,
            device_writes: disk[7].parse()?,
        })
    }
}

/// The numbers of the disk a folder lies on.
fn device(dir: &Path) -> anyhow::Result<(String, String)> {
    use std::os::unix::fs::MetadataExt as _;
    let device = std::fs::metadata(dir)?.dev();
    Ok(((device >> 8 & 0xfff).to_string(), (device & 0xff).to_string()))
}

/// The engines in turn, commit by commit, so that whatever else the machine does hits all alike.
fn commits(names: &str, readings: u32, count: usize, dir: &Path, busy: bool) -> anyhow::Result<()> {
    let mut plant = Plant::new(readings);
    let mut records: Vec<Record> = (0..32).map(|_| plant.record(Seq(0))).collect();
    let batches = u64::from(readings.div_ceil(POINTS));
    let kept = (KEPT_BYTES / records[0].body.len()) as u64 * batches;
    let mut rows = names.split(',').map(|name| Row::new(name, dir)).collect::<anyhow::Result<Vec<_>>>()?;
    let (stop, head) = (AtomicBool::new(false), AtomicU64::new(0));
    let before = Used::now(dir)?;
    std::thread::scope(|scope| -> anyhow::Result<()> {
        let floor = ["overwrite", "extend"];
        for row in rows.iter().filter(|row| busy && !floor.contains(&row.name.as_str())) {
            let (follower, asker) = ((row.readers)(false), (row.readers)(false));
            let (stop, head) = (&stop, &head);
            scope.spawn(move || follow(&*follower, stop, head));
            scope.spawn(move || ask(&*asker, stop));
        }
        for number in 0..count {
            let last = Seq((number as u64 + 1) * batches);
            let record = &mut records[number % 32];
            let at = UtcMs(START + number as i64 * 1_000);
            (record.last, record.span) = (last, Span { first: at, last: at.plus_ms(999) });
            for row in &mut rows {
                row.commit(record)?;
                row.between(busy.then(|| Seq(last.0.saturating_sub(kept))), number)?;
            }
            head.store(last.0, Ordering::Release);
        }
        stop.store(true, Ordering::Release);
        Ok(())
    })?;
    println!(
        "{readings} readings in {:.1} KB, {count} commits{}",
        records[0].body.len() as f64 / 1024.0,
        if busy { ", busy" } else { "" }
    );
    for row in &mut rows {
        row.print(readings, count);
    }
    // What the file system holds back belongs to these commits, too.
    std::process::Command::new("sync").arg("-f").arg(dir).status()?;
    let after = Used::now(dir)?;
    let each = |before: u64, after: u64| (after - before) as f64 / count as f64;
    println!(
        "all together a commit: {:.1} KB to the device in {:.2} writes ({:.1} KB by the process' own count); {:.1} MB on disk",
        each(before.device_bytes, after.device_bytes) / 1024.0,
        each(before.device_writes, after.device_writes),
        each(before.process_bytes, after.process_bytes) / 1024.0,
        size(dir)? as f64 / 1e6,
    );
    Ok(())
}

struct Row {
    name: String,
    journal: Box<dyn Journal>,
    readers: Readers,
    commits: Vec<f64>,
    between: Vec<f64>,
    cpu_ns: u64,
}

impl Row {
    fn new(name: &str, dir: &Path) -> anyhow::Result<Row> {
        let (journal, readers) = engine(name, &dir.join(name))?;
        let name = name.to_owned();
        Ok(Row { name, journal, readers, commits: Vec::new(), between: Vec::new(), cpu_ns: 0 })
    }

    fn commit(&mut self, record: &Record) -> anyhow::Result<()> {
        let (from, cpu) = (Instant::now(), cpu_ns()?);
        self.journal.append(record)?;
        self.cpu_ns += cpu_ns()? - cpu;
        self.commits.push(from.elapsed().as_secs_f64() * 1e3);
        Ok(())
    }

    fn between(&mut self, trim: Option<Seq>, number: usize) -> anyhow::Result<()> {
        let (from, cpu) = (Instant::now(), cpu_ns()?);
        self.journal.tidy()?;
        // In bites, as a sealer would: not a row at a time.
        if let Some(up_to) = trim.filter(|_| number.is_multiple_of(16)) {
            while !self.journal.trim(up_to)? {}
        }
        self.cpu_ns += cpu_ns()? - cpu;
        self.between.push(from.elapsed().as_secs_f64() * 1e3);
        Ok(())
    }

    fn print(&mut self, readings: u32, count: usize) {
        let sum = |times: &[f64]| times.iter().sum::<f64>();
        let (commits, all) = (sum(&self.commits), sum(&self.commits) + sum(&self.between));
        let (commit, between) = (quantiles(&mut self.commits), quantiles(&mut self.between));
        let rate = |ms: f64| f64::from(readings) * count as f64 / ms / 1e3;
        println!(
            "{:9} {:6.2} M/s in commits, {:6.2} in all | ms mean {:.3} p50 {:.3} p99 {:.3} max {:.2} | between p99 {:.2} max {:.2} | cpu {:.3} ms",
            self.name,
            rate(commits),
            rate(all),
            commits / count as f64,
            commit[0],
            commit[1],
            commit[2],
            between[1],
            between[2],
            self.cpu_ns as f64 / 1e6 / count as f64,
        );
    }
}

/// Processor time of this thread.
fn cpu_ns() -> anyhow::Result<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split_whitespace().next().context("schedstat")?.parse()?)
}

fn quantiles(times: &mut [f64]) -> [f64; 3] {
    times.sort_by(f64::total_cmp);
    [500, 990, 1_000].map(|share| times[(times.len() - 1) * share / 1_000])
}

fn size(path: &Path) -> anyhow::Result<u64> {
    let mut sum = 0;
    for file in std::fs::read_dir(path)? {
        let file = file?;
        sum += if file.metadata()?.is_dir() { size(&file.path())? } else { file.metadata()?.len() };
    }
    Ok(sum)
}

/// Follows the log as the forwarder does, page by page, and decodes what it reads.
fn follow(reader: &dyn JournalReader, stop: &AtomicBool, head: &AtomicU64) {
    let mut at = Seq(0);
    while !stop.load(Ordering::Acquire) {
        if head.load(Ordering::Acquire) <= at.0 {
            std::thread::sleep(Duration::from_micros(200));
            continue;
        }
        let page = reader.after(at).unwrap();
        let Some(last) = page.last() else { continue };
        at = last.last;
        let count: usize = page.iter().map(|record| codec::sections(&record.body).unwrap().count()).sum();
        std::hint::black_box(count);
    }
}

/// Asks for ten seconds of time here and there, ten times a second.
fn ask(reader: &dyn JournalReader, stop: &AtomicBool) {
    let mut number = 0_i64;
    while !stop.load(Ordering::Acquire) {
        number = (number + 997) % 2_000;
        let first = UtcMs(START + number * 1_000);
        reader.within(Span { first, last: first.plus_ms(10_000) }, Seq(0)).unwrap();
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn fill(name: &str, mb: usize, dir: &Path) -> anyhow::Result<()> {
    let (mut journal, _) = engine(name, dir)?;
    let (mut plant, mut bytes, mut last) = (Plant::new(2_000), 0, Seq(0));
    while bytes < mb << 20 {
        let record = plant.record(last);
        journal.append(&record)?;
        journal.tidy()?;
        last = record.last;
        bytes += record.body.len();
    }
    println!("filled to {}", last.0);
    std::thread::sleep(Duration::from_hours(1));
    Ok(())
}

fn reopen(name: &str, dir: &Path) -> anyhow::Result<()> {
    let from = Instant::now();
    let (journal, readers) = engine(name, dir)?;
    let last = journal.last()?;
    let opened = from.elapsed().as_secs_f64() * 1e3;
    let from = Instant::now();
    let reader = readers(true);
    let other = reader.last()?;
    println!(
        "{name}: open for writing to {} {opened:.1} ms; last by a reader of another process {} {:.1} ms",
        last.0,
        other.0,
        from.elapsed().as_secs_f64() * 1e3
    );
    for decode in [false, true, false, true] {
        let (from, mut at, mut count, mut bytes) = (Instant::now(), Seq(0), 0_u64, 0);
        while let page = reader.after(at)?
            && let Some(end) = page.last()
        {
            at = end.last;
            for record in &page {
                bytes += record.body.len();
                for section in codec::sections(&record.body)?.filter(|_| decode) {
                    count += section?.readings().flatten().count() as u64;
                }
            }
        }
        let took = from.elapsed().as_secs_f64();
        println!(
            "  tail of {:.0} MB: {:.0} MB/s{}",
            bytes as f64 / 1e6,
            bytes as f64 / 1e6 / took,
            if decode {
                format!(", {:.1} M readings/s decoded", count as f64 / 1e6 / took)
            } else {
                String::new()
            }
        );
    }
    Ok(())
}
