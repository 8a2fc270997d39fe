//! What a process holds in memory while it takes readings in, the last values of all points, and how
//! long it is until it answers again after a kill. Each engine is a process of its own.

use super::Bench;
use super::load::{fresh, remove};
use super::machine;
use super::ours::{self, median};
use super::read::{last_ms, ms};
use super::recipe::{S1, Set};
use super::server::{PEERS, Peer, Server, lines, rows_in};
use anyhow::{Context as _, ensure};
use plantroom::historian::{Limits, Metrics, Opened, Seq};
use plantroom::point::{PointId, UtcMs};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Two hours of a middling plant, ten minutes of a large one.
pub fn hold_all(bench: &mut Bench) -> anyhow::Result<()> {
    for (points, samples, name) in [(2_000, 7_200, "2,000"), (50_000, 600, "50,000")] {
        let set = bench.scaled(S1.sized(points, samples));
        println!("{name} points, {} s; load {}", set.samples, machine::load()?);
        for peer in PEERS {
            peer_holds(bench, peer, &set, name)?;
        }
        we_hold(bench, &set, name)?;
    }
    Ok(())
}

fn peer_holds(bench: &mut Bench, peer: Peer, set: &Set, name: &str) -> anyhow::Result<()> {
    let dir = bench.dir.join("hold");
    let (mut server, mut stored) = (fresh(peer, &dir)?, 0);
    for poll in set.polls() {
        server.write(&lines(&poll)?)?;
        stored += poll.iter().map(|batch| batch.readings.len() as u64).sum::<u64>();
    }
    bench.results.put(peer.name(), &format!("memory at {name}"), server.most_mb()?)?;
    let end = ours::end(set);
    let mut times = Vec::new();
    for _round in 0..5 {
        let begun = Instant::now();
        server.last(end)?;
        times.push(ms(begun));
    }
    bench.results.put(peer.name(), &format!("last of {name}"), median(&mut times)?)?;
    // Dropped, it is killed with -9.
    drop(server);
    let begun = Instant::now();
    let mut server = Server::start(peer, &dir)?;
    let rows = rows_in(peer, &server.raw(1, set.from_ms, end)?).unwrap_or(0);
    let reopened = ms(begun);
    let kept: u64 = server.totals(end)?.values().map(|total| total.0).sum();
    println!("  {rows} readings of the first point, {kept} of all {stored}");
    bench.results.put(peer.name(), &format!("reopen {name}"), reopened)?;
    bench.results.put(peer.name(), &format!("lost at {name}"), (stored - kept) as f64 / 1e6)?;
    drop(server);
    remove(&dir)
}

fn we_hold(bench: &mut Bench, set: &Set, name: &str) -> anyhow::Result<()> {
    let data = bench.dir.join("hold");
    remove(&data)?;
    let (mut child, told) = ask_child(&["hold", &set.points.to_string(), &set.samples.to_string()], &data)?;
    let most = machine::most_mb(child.id())?;
    child.kill()?;
    child.wait()?;
    let [batches, last, before] = told;
    println!("  of its {most:.0} MB {before:.0} are the recipe's and the program's");
    bench.results.put("plantroom", &format!("memory at {name}"), most)?;
    bench.results.put("plantroom", &format!("last of {name}"), last)?;
    let (mut child, told) = ask_child(&["reopen", &set.points.to_string(), &set.from_ms.to_string()], &data)?;
    child.wait()?;
    let [head, opened, most] = told;
    println!("  reopened with {most:.0} MB; {head} of {batches} batches");
    bench.results.put("plantroom", &format!("reopen {name}"), opened)?;
    ensure!((head - batches).abs() < 0.5, "batches are lost");
    bench.results.put("plantroom", &format!("lost at {name}"), 0.0)?;
    remove(&data)
}

/// Starts this program with other words; returns once it has told three numbers.
fn ask_child(words: &[&str], data: &Path) -> anyhow::Result<(Child, [f64; 3])> {
    let mut command = Command::new(std::env::current_exe()?);
    let mut child = command.args(words).arg(data).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("no pipe")?).read_line(&mut line)?;
    let told = line.split_whitespace().map(str::parse).collect::<Result<Vec<f64>, _>>()?;
    Ok((child, told.try_into().ok().with_context(|| format!("the child said {line:?}"))?))
}

/// The child that holds: stores all, tells batches, the time of a look at all last values, and the
/// memory before anything was stored; then waits to be killed.
pub async fn hold(points: u32, samples: usize, data: &Path) -> anyhow::Result<()> {
    let set = S1.sized(points, samples);
    let polls = set.polls();
    let before = machine::most_mb(std::process::id())?;
    // An hour becomes sealed, as if time went by; or what the limit is by itself.
    let hour_bytes = u64::from(points) * 3_600 * 3;
    let limits = Limits { seal_bytes: hour_bytes.min(Limits::default().seal_bytes), ..Limits::default() };
    let Opened { historian, history, .. } = ours::open(data, &Metrics::default(), limits)?;
    let (feeds, feeds_in) = mpsc::channel(16);
    let tasks = TaskTracker::new();
    tasks.spawn(historian.run(feeds_in, CancellationToken::new()));
    let sent = tasks.spawn(ours::send(polls.flatten(), feeds.clone())).await??;
    history.head().wait_for(|head| *head >= Seq(sent)).await?;
    let mut times = Vec::new();
    for _round in 0..31 {
        times.push(last_ms(&history, points).await?);
    }
    println!("{sent} {} {before}", median(&mut times)?);
    std::future::pending().await
}

/// The child that opens it again: tells the last batch, how long it was until it could answer, and
/// the memory it took.
pub async fn reopen(points: u32, from: i64, data: &Path) -> anyhow::Result<()> {
    let begun = Instant::now();
    let opened = ours::open(data, &Metrics::default(), Limits::default())?;
    last_ms(&opened.history, points).await?;
    let took = ms(begun);
    let range = opened.history.range(PointId(1), UtcMs(from), UtcMs(from + 60_000), 100).await?;
    ensure!(!range.readings.is_empty(), "the first minute is gone");
    let head = opened.history.head().borrow().0;
    println!("{head} {took} {}", machine::most_mb(std::process::id())?);
    Ok(())
}
