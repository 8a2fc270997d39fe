//! Plantroom without its peers: questions one after the other, commits beside questions and sealing,
//! and what a paced plant costs.

use super::Bench;
use super::load::remove;
use super::machine;
use super::ours::{self, median, window};
use super::read::ms;
use super::recipe::{S1, Set};
use anyhow::{Context as _, ensure};
use plantroom::clock::Clock;
use plantroom::field::{Ack, acks};
use plantroom::historian::{History, Limits, Metrics, Opened, Retention, query};
use plantroom::point::{Batch, PointId, UtcMs};
use plantroom::readings::HistorianFeed;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const HOUR_MS: i64 = 3_600_000;

/// Raw hours of S1, which is loaded if it is not there: at once one after the other, and with a pause
/// before each, in which the processor turns to something else. Beside each, in turn with it, what it
/// takes to wake another thread and be woken by it: so much of a question is not the history's.
pub async fn raw(bench: &Bench) -> anyhow::Result<()> {
    let set = bench.scaled(S1);
    let data = bench.dir_of("plantroom", &set);
    if !data.exists() {
        let limits = ours::poll_by_poll(&set, &bench.dir).await?;
        ours::store(&data, &set, limits, set.polls().flatten()).await?;
        ours::settle(&data).await?;
    }
    let Opened { history, .. } = ours::open(&data, &Metrics::default(), Limits::default())?;
    for (what, pause_ms, rounds) in [("at once", 0, 2_001), ("after 3 ms", 3, 501)] {
        let (mut times, mut waking, mut rows) = (Vec::new(), Vec::new(), 0);
        for round in 0..rounds {
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            let begun = Instant::now();
            rows += hour(&history, &set, round).await?;
            times.push(ms(begun));
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            let begun = Instant::now();
            tokio::task::spawn_blocking(|| ()).await?;
            waking.push(ms(begun));
        }
        let (middle, waking) = (median(&mut times)?, median(&mut waking)?);
        let tenth = times[times.len() / 10];
        println!(
            "raw 1 h, {what}: {middle:.4} ms, a tenth below {tenth:.4}, {} rows; waking alone {waking:.4} ms",
            rows / rounds as usize
        );
    }
    Ok(())
}

/// The readings of an hour: another point each time, and another place.
async fn hour(history: &History, set: &Set, round: u32) -> anyhow::Result<usize> {
    let room_ms = (ours::end(set) - set.from_ms - HOUR_MS).max(0);
    let (from, to) = window(set, i64::from(round % 101) * room_ms / 101, HOUR_MS);
    let point = PointId(1 + round * 7 % set.points);
    Ok(history.range(point, UtcMs(from), UtcMs(to), 200_000).await?.readings.len())
}

/// Commits of a second of 50,000 points each, beside questions, sealing and forgetting: from the moment
/// the last of its batches is handed over until it is on the disk.
pub async fn busy(bench: &mut Bench) -> anyhow::Result<()> {
    for (what, asked, samples) in [("quiet", false, 1_000), ("busy", true, 3_000)] {
        let set = bench.scaled(S1.sized(50_000, samples));
        let data = bench.dir.join("busy");
        remove(&data)?;
        let metrics = Metrics::default();
        // A group is what is acknowledged together: all of a second.
        let limits = Limits { ack_ms: 0, group_bytes: 1 << 20, ..Limits::default() };
        let limits = if asked { limits } else { Limits { seal_bytes: u64::MAX, ..limits } };
        let (mut times, history) = commits(&set, &data, &metrics, limits, asked).await?;
        drop(history);
        remove(&data)?;
        times.sort_by(f64::total_cmp);
        let at = |share: usize| times[(times.len() - 1) * share / 1_000];
        println!(
            "{what}: {} commits, {} M readings sealed, {} merges, {} pieces forgotten; load {}",
            times.len(),
            metrics.sealed.get() / 1_000_000,
            metrics.merges.get(),
            metrics.forgotten.get(),
            machine::load()?
        );
        for (name, share) in [("p50", 500), ("p99", 990), ("most", 1_000)] {
            bench.results.put("plantroom", &format!("commit {what}, {name}"), at(share))?;
        }
    }
    Ok(())
}

/// From one second of data to the next.
const SECOND: Duration = Duration::from_millis(40);

/// Milliseconds of each commit.
async fn commits(
    set: &Set,
    data: &Path,
    metrics: &Metrics,
    limits: Limits,
    asked: bool,
) -> anyhow::Result<(Vec<f64>, History)> {
    let Opened { mut historian, history, .. } = ours::open(data, metrics, limits)?;
    historian.declare(&ours::plan(set)?.declared())?;
    if asked {
        // The first half is forgotten as soon as it is sealed.
        let age_ms = Clock::system().utc().0 - set.from_ms.midpoint(ours::end(set));
        historian.retain(Retention { default_ms: u64::try_from(age_ms).ok(), ..Retention::default() });
    }
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let (feeds, feeds_in) = mpsc::channel(16);
    let writing = tasks.spawn(historian.run(feeds_in, CancellationToken::new()));
    let asking = tasks.spawn(ask(history.clone(), *set, stop.clone(), asked));
    let (acks, mut acked) = acks();
    let (mut times, mut next) = (Vec::new(), Instant::now());
    for poll in set.polls() {
        tokio::time::sleep_until(next.into()).await;
        next = Instant::now() + SECOND;
        let last = poll.len().saturating_sub(1);
        let mut handed = Instant::now();
        for (nth, batch) in poll.into_iter().enumerate() {
            let ack = (nth == last).then(|| acks.handle(Ack { epoch: 0, packet: 1 }, 1));
            feeds.send(HistorianFeed { batch: Arc::new(batch), ack, lost_before: None }).await?;
            handed = Instant::now();
        }
        acked.recv().await.context("the writer ended")?;
        times.push(ms(handed));
    }
    stop.cancel();
    println!("  {} questions", asking.await??);
    drop(feeds);
    writing.await?;
    Ok((times, history))
}

/// Asks one after the other until told to stop: half an hour of a point, what ten points come to, all
/// last values.
async fn ask(history: History, set: Set, stop: CancellationToken, asked: bool) -> anyhow::Result<u64> {
    let mut questions = 0;
    while asked && !stop.is_cancelled() {
        let point = 1 + u32::try_from(questions * 7 % 49_990)?;
        let (from, to) = (UtcMs(set.from_ms), UtcMs(ours::end(&set)));
        history.range(PointId(point), from, to, 1_800).await?;
        let ten = (point..point + 10).map(|point| (PointId(point), query::Reckoning::default())).collect();
        history.statistics(ten, query::Window { from, to }).await?;
        history.last(&(1..=set.points).map(PointId).collect::<Vec<_>>()).await?;
        questions += 3;
        tokio::task::yield_now().await;
    }
    Ok(questions)
}

/// What readings cost that come at their pace: devices of ten points spread over each second, as one
/// core's share. First handed to nobody: that is the price of feeding, which is not the historian's.
/// Then without sealing, and sealed every fifteen seconds instead of every hour.
pub async fn paced(bench: &mut Bench) -> anyhow::Result<()> {
    for (points, name) in [(2_000, "2,000"), (50_000, "50,000")] {
        let set = bench.scaled(S1.sized(points, 60));
        let nobody = share(set.polls().collect(), fed_to_nobody()).await?;
        println!("  {name} a second to nobody: {nobody:.4} %");
        for (how, seal_ms) in [("", Limits::default().seal_ms), (" and sealed", 15_000)] {
            let data = bench.dir.join("paced");
            remove(&data)?;
            let (metrics, limits) = (Metrics::default(), Limits { seal_ms, ..Limits::default() });
            let Opened { mut historian, history, .. } = ours::open(&data, &metrics, limits)?;
            historian.declare(&ours::plan(&set)?.declared())?;
            let (feeds, feeds_in) = mpsc::channel(16);
            let writing = TaskTracker::new().spawn(historian.run(feeds_in, CancellationToken::new()));
            let all = share(set.polls().collect(), feeds).await?;
            let (commits, readings, sealed) =
                (metrics.commits.get(), metrics.readings.get(), metrics.sealed.get());
            println!(
                "  {readings} readings in {commits} commits, {sealed} sealed, {all:.4} % with the feeding; load {}",
                machine::load()?
            );
            bench.results.put("plantroom", &format!("paced {name}{how}"), all - nobody)?;
            drop(history);
            writing.await?;
            remove(&data)?;
        }
    }
    Ok(())
}

/// Somebody who takes readings and does nothing.
fn fed_to_nobody() -> mpsc::Sender<HistorianFeed> {
    let (feeds, mut feeds_in) = mpsc::channel(16);
    TaskTracker::new().spawn(async move { while feeds_in.recv().await.is_some() {} });
    feeds
}

/// Percent of a core this process takes while it is fed.
async fn share(polls: Vec<Vec<Batch>>, feeds: mpsc::Sender<HistorianFeed>) -> anyhow::Result<f64> {
    let (cpu, begun) = (machine::cpu_s(std::process::id())?, Instant::now());
    pace(polls, &feeds, begun).await?;
    let used = machine::cpu_s(std::process::id())? - cpu;
    Ok(100.0 * used / begun.elapsed().as_secs_f64())
}

/// Hands a second's batches over in twenty slots, as the buses do.
async fn pace(
    polls: Vec<Vec<Batch>>,
    feeds: &mpsc::Sender<HistorianFeed>,
    begun: Instant,
) -> anyhow::Result<()> {
    let mut slots = (0_u32..).map(|slot| begun + slot * Duration::from_millis(50));
    for mut poll in polls {
        let each = poll.len().div_ceil(20);
        for _ in 0..20 {
            tokio::time::sleep_until(slots.next().context("a slot")?.into()).await;
            for batch in poll.drain(..each.min(poll.len())) {
                feeds.send(HistorianFeed { batch: Arc::new(batch), ack: None, lost_before: None }).await?;
            }
        }
    }
    ensure!(begun.elapsed() < Duration::from_mins(10), "it does not keep pace");
    Ok(())
}
