//! Plantroom's side: its historian in this process, through what it shows to everyone.

use super::machine;
use super::recipe::{DEVICE_POINTS, KINDS, Set};
use super::server::Totals;
use anyhow::Context as _;
use plantroom::clock::Clock;
use plantroom::config::{self, Bus, Cell, Device, DeviceLimits, Encoding, Plan, Point, Register, Table};
use plantroom::historian::query::{self, Bucket, Cut, Merge, Reckoning, Window, Windows};
use plantroom::historian::summary::nearest;
use plantroom::historian::{Historian, History, Limits, Metrics, Opened, Reach, Seq};
use plantroom::point::{Batch, Decimal, Names, PointId, UtcMs, Value, ValueKind};
use plantroom::readings::HistorianFeed;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// As in src/runtime/gateway.rs.
const QUEUE: usize = 16;

/// A site with the points of a set, and a device that is not there: without any a gateway ends.
pub fn plan(set: &Set) -> anyhow::Result<Plan> {
    let text = "config_version = 1\n[site]\nid = \"bench\"\ntimezone = \"UTC\"\n[http]\nlisten = \"127.0.0.1:0\"\n\
                [[assets]]\nid = \"plant\"\nclass = \"Equipment\"\n";
    let files = BTreeMap::from([(PathBuf::from("plantroom.toml"), text.to_owned())]);
    let loaded = config::load_from(&files, Path::new("plantroom.toml"), &|_| None);
    let mut plan = loaded.map_err(|wrong| anyhow::anyhow!("{wrong}"))?.plan;
    for point in 1..=set.points + 1 {
        let kind = match KINDS[((point - 1) % DEVICE_POINTS) as usize] {
            "on/off" => ValueKind::Bool,
            "raw f32" => ValueKind::F64,
            _ => ValueKind::Decimal,
        };
        plan.points.push(Point {
            address: address(point).parse()?,
            formerly: Vec::new(),
            name: Names { zh: String::new(), en: String::new() },
            unit: "1".parse()?,
            kind,
            scale: Decimal::ONE,
            offset: Decimal::ZERO,
            range: None,
            stale_after_ms: 15_000,
            decimals: 2,
            states: Vec::new(),
            conditioning: plantroom::config::Conditioning::default(),
        });
    }
    let cell = Cell::new(Table::Holding, 0, Encoding::U16);
    let absent = Device {
        id: "absent".parse()?,
        unit: 1,
        limits: DeviceLimits::default(),
        zone: jiff::tz::TimeZone::UTC,
        registers: vec![Register::plain(address(set.points + 1).parse()?, 3_600_000, cell)],
    };
    plan.buses.push(Bus {
        id: "nowhere".parse()?,
        link: "tcp://127.0.0.1:1".parse()?,
        timeout_ms: 1_000,
        turnaround_ms: 0,
        unit_change_ms: 0,
        devices: vec![absent],
    });
    Ok(plan)
}

/// What a point is called to the API.
pub fn address(point: u32) -> String {
    format!("plant/p{point}")
}

/// Opens the store of a data directory.
pub fn open(data: &Path, metrics: &Metrics, limits: Limits) -> anyhow::Result<Opened> {
    std::fs::create_dir_all(data)?;
    Ok(Historian::open_with(&data.join("history"), Clock::system(), metrics.clone(), limits)?)
}

/// What it took to store readings.
#[derive(Clone, Copy, Debug)]
pub struct Stored {
    /// Until the last of them was on disk.
    pub seconds: f64,
    /// Until the store was closed.
    pub closed_s: f64,
    /// Processor time of this process.
    pub cpu_s: f64,
    /// Group commits.
    pub commits: u64,
    /// How many they are.
    pub readings: u64,
}

/// Stores batches as fast as they are taken, and closes the store.
pub async fn store(
    data: &Path,
    set: &Set,
    limits: Limits,
    batches: impl Iterator<Item = Batch> + Send + 'static,
) -> anyhow::Result<Stored> {
    let metrics = Metrics::default();
    let Opened { mut historian, history, .. } = open(data, &metrics, limits)?;
    historian.declare(&plan(set)?.declared())?;
    let (begun, cpu) = (Instant::now(), machine::cpu_s(std::process::id())?);
    let (feeds, feeds_in) = mpsc::channel(QUEUE);
    let tasks = TaskTracker::new();
    let writing = tasks.spawn(historian.run(feeds_in, CancellationToken::new()));
    let sending = tasks.spawn(send(batches, feeds));
    let last = sending.await??;
    history.head().wait_for(|head| head.0 >= last).await?;
    let seconds = begun.elapsed().as_secs_f64();
    writing.await?;
    Ok(Stored {
        seconds,
        closed_s: begun.elapsed().as_secs_f64(),
        cpu_s: machine::cpu_s(std::process::id())? - cpu,
        commits: metrics.commits.get(),
        readings: metrics.readings.get(),
    })
}

/// Returns how many there were.
pub async fn send(
    batches: impl Iterator<Item = Batch>,
    feeds: mpsc::Sender<HistorianFeed>,
) -> anyhow::Result<u64> {
    let mut sent = 0;
    for batch in batches {
        feeds.send(HistorianFeed { batch: Arc::new(batch), ack: None, lost_before: None }).await?;
        sent += 1;
    }
    Ok(sent)
}

/// Limits under which the group that is committed holds about one poll of all devices: the writer
/// gathers by bytes when it is fed without a pause. How large such a poll is, is tried out first.
/// What is sealed together is an hour of seconds, as if time went by.
pub async fn poll_by_poll(set: &Set, scratch: &Path) -> anyhow::Result<Limits> {
    let data = scratch.join("calibrate");
    let metrics = Metrics::default();
    let Opened { historian, .. } = open(&data, &metrics, Limits::default())?;
    let (feeds, feeds_in) = mpsc::channel(QUEUE);
    let batches = set.sized(set.points, 60).polls().flatten();
    let (sent, ()) = tokio::join!(send(batches, feeds), historian.run(feeds_in, CancellationToken::new()));
    std::fs::remove_dir_all(&data)?;
    let (poll, batch) = (metrics.bytes.get() / 60, metrics.bytes.get() / sent?);
    // A group is full behind the batch that reaches the limit: on the average half of one too far.
    let group_bytes = usize::try_from(poll - batch / 2)?;
    Ok(Limits { group_bytes, seal_bytes: 3_600 * poll, ..Limits::default() })
}

/// Seals what the journal still holds alone; returns the bytes of the years and of the catalogue, and
/// of the journal.
pub async fn settle(data: &Path) -> anyhow::Result<(u64, u64)> {
    let limits = Limits { seal_bytes: 1, ..Limits::default() };
    let Opened { historian, .. } = open(data, &Metrics::default(), limits)?;
    let (feeds, feeds_in) = mpsc::channel(QUEUE);
    // It begins behind a commit.
    let nothing = Batch {
        device: "device-1".into(),
        source_at: None,
        received_at: UtcMs(0),
        at_error_ms: 0,
        readings: Vec::new(),
    };
    let sending = send(std::iter::once(nothing), feeds);
    let (sent, ()) = tokio::join!(sending, historian.run(feeds_in, CancellationToken::new()));
    sent?;
    let history = data.join("history");
    let journal = history.join("journal");
    let years = machine::bytes(&history, &|path| !path.starts_with(&journal))?;
    Ok((years, machine::bytes(&journal, &|_| true)?))
}

/// Number and sum of the readings of each point.
pub async fn totals(history: &History, set: &Set) -> anyhow::Result<Totals> {
    let window = Window { from: UtcMs(set.from_ms), to: UtcMs(end(set)) };
    let mut totals = Totals::new();
    let points: Vec<PointId> = (1..=set.points).map(PointId).collect();
    // More at a time would be too many rows in memory.
    for points in points.chunks(20) {
        let whole = |bucket: &Bucket| (bucket.summary.count, bucket.summary.sum.to_f64());
        let found = buckets(history, points, Windows::one(window), whole).await?;
        totals.extend(points.iter().map(|point| point.0).zip(found.into_iter().flatten()));
    }
    Ok(totals)
}

/// How many readings the hours of the first points count, with least, greatest, mean and last.
pub async fn hours(history: &History, points: u32, from: i64, to: i64) -> anyhow::Result<u64> {
    let points: Vec<PointId> = (1..=points).map(PointId).collect();
    let cut = Cut::Even { width_ms: 3_600_000, origin: UtcMs(from) };
    let windows = Windows::new(&cut, UtcMs(from), UtcMs(to), 100_000)?;
    let figures = |bucket: &Bucket| {
        let summary = &bucket.summary;
        let number =
            |mark: Option<(UtcMs, Value)>| mark.and_then(|(_, value)| nearest(value)).unwrap_or(f64::NAN);
        let mean = summary.mean().unwrap_or(f64::NAN);
        (number(summary.min), number(summary.max), mean, number(summary.last), summary.count)
    };
    let hours = buckets(history, &points, windows, figures).await?;
    Ok(hours.iter().flatten().map(|figures| figures.4).sum())
}

async fn buckets<T: Send + 'static>(
    history: &History,
    points: &[PointId],
    windows: Windows,
    figures: impl Fn(&Bucket) -> T + Send + 'static,
) -> anyhow::Result<Vec<Vec<T>>> {
    let reach = Reach::Since(windows.span());
    let answer = move |_: usize, stream: &mut Merge<'_>| {
        let mut all = Vec::new();
        query::buckets(stream, windows.clone(), Reckoning::default(), |bucket| all.push(figures(bucket)))?;
        Ok(all)
    };
    let mut answers = history.ask(points.to_vec(), reach, answer).await?;
    let mut all = Vec::with_capacity(points.len());
    while let Some(answer) = answers.next().await {
        all.push(answer?);
    }
    Ok(all)
}

/// Reads the log from the beginning to the end; returns the readings in it.
pub async fn tail(history: &History) -> anyhow::Result<u64> {
    let (mut at, mut readings) = (Seq(0), 0);
    loop {
        let page = history.tail(at, 10_000).await?;
        let Some((last, _)) = page.last() else { return Ok(readings) };
        at = *last;
        readings += page.iter().map(|(_, batch)| batch.readings.len() as u64).sum::<u64>();
    }
}

/// Behind everything in a set.
pub fn end(set: &Set) -> i64 {
    set.from_ms + set.step_ms * i64::try_from(set.samples).unwrap_or(i64::MAX)
}

/// The window of so many milliseconds that begins so many after the set does.
pub fn window(set: &Set, after_ms: i64, length_ms: i64) -> (i64, i64) {
    (set.from_ms + after_ms, set.from_ms + after_ms + length_ms)
}

/// The middle one.
pub fn median(times: &mut [f64]) -> anyhow::Result<f64> {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().context("no times")
}
