//! Ingest, sizes on disk, and that all three hold the same.

use super::Bench;
use super::machine;
use super::ours::{self, Stored};
use super::recipe::{D, J, S1, S2, Set};
use super::server::{PEERS, Peer, Server, Totals, lines};
use anyhow::ensure;
use plantroom::historian::{Limits, Metrics};
use plantroom::point::{Batch, Value};
use std::path::Path;
use std::time::Instant;

/// Readings in a request when data comes in bulk.
const BULK: usize = 10_000;

/// Loads all sets, each into a store of its own.
pub async fn load(bench: &mut Bench) -> anyhow::Result<()> {
    for (set, live) in [(S1, true), (S2, false), (J, true), (D, false)] {
        let set = bench.scaled(set);
        println!("{}: {} points, {} samples; load {}", set.name, set.points, set.samples, machine::load()?);
        let polls: Vec<Vec<Batch>> = set.polls().collect();
        for peer in PEERS {
            let dir = bench.dir_of(peer.name(), &set);
            let mut server = fresh(peer, &dir)?;
            let sent = send(&mut server, &polls, if live { 1 } else { BULK / set.points as usize })?;
            bench.stored(peer.name(), &set, live, sent)?;
            let bytes = server.settle()?;
            bench.results.put(
                peer.name(),
                &format!("size of {}", set.name),
                bytes as f64 / sent.readings as f64,
            )?;
        }
        let data = bench.dir_of("plantroom", &set);
        remove(&data)?;
        let limits = if live { ours::poll_by_poll(&set, &bench.dir).await? } else { Limits::default() };
        let stored = ours::store(&data, &set, limits, polls.into_iter().flatten()).await?;
        bench.stored("plantroom", &set, live, stored)?;
        let (each, tidy_s) = (stored.readings / stored.commits, stored.closed_s - stored.seconds);
        println!("  {each} readings a commit; closed {tidy_s:.2} s later");
        let (years, journal) = ours::settle(&data).await?;
        println!("  beside the years {:.1} MB of journal", journal as f64 / 1e6);
        let bytes = years as f64 / stored.readings as f64;
        bench.results.put("plantroom", &format!("size of {}", set.name), bytes)?;
    }
    Ok(())
}

impl Bench {
    fn stored(&mut self, engine: &str, set: &Set, live: bool, stored: Stored) -> anyhow::Result<()> {
        let (what, readings) = (if live { "live" } else { "bulk" }, stored.readings as f64 / 1e6);
        let what = format!("{what} {}", set.name);
        self.results.put(engine, &what, readings / stored.seconds)?;
        self.results.put(engine, &format!("{what}, processor"), stored.cpu_s / readings)
    }
}

/// A peer without any data.
pub fn fresh(peer: Peer, dir: &Path) -> anyhow::Result<Server> {
    remove(dir)?;
    Server::start(peer, dir)
}

/// A folder, if it is there.
pub fn remove(dir: &Path) -> anyhow::Result<()> {
    if dir.exists() {
        std::fs::remove_dir_all(dir)?;
    }
    Ok(())
}

/// Sends so many polls at a time; the text is made while the clock stands.
pub fn send(server: &mut Server, polls: &[Vec<Batch>], at_a_time: usize) -> anyhow::Result<Stored> {
    let cpu = server.cpu_s()?;
    let (mut seconds, mut commits, mut readings) = (0.0, 0, 0);
    for some in polls.chunks(at_a_time * 256) {
        let bodies = some.chunks(at_a_time).map(|polls| lines(polls.iter().flatten()));
        let bodies = bodies.collect::<anyhow::Result<Vec<_>>>()?;
        let begun = Instant::now();
        for body in &bodies {
            server.write(body)?;
        }
        seconds += begun.elapsed().as_secs_f64();
        commits += bodies.len() as u64;
        readings += some.iter().flatten().map(|batch| batch.readings.len() as u64).sum::<u64>();
    }
    Ok(Stored { seconds, closed_s: seconds, cpu_s: server.cpu_s()? - cpu, commits, readings })
}

/// Bytes the disk writes for each commit of a second's readings; only what lies on a disk of its own
/// is told apart from what else is written.
pub async fn device(bench: &mut Bench) -> anyhow::Result<()> {
    for (points, name) in [(500, "500"), (2_000, "2,000")] {
        let set = bench.scaled(S1.sized(points, 2 * 3_600));
        let polls: Vec<Vec<Batch>> = set.polls().collect();
        for peer in PEERS {
            let dir = bench.dir.join("device");
            let before = machine::device_bytes(&bench.dir)?;
            let mut server = fresh(peer, &dir)?;
            let sent = send(&mut server, &polls, 1)?;
            server.stop()?;
            bench.device(peer.name(), name, before, sent)?;
            remove(&dir)?;
        }
        let data = bench.dir.join("device");
        let limits = ours::poll_by_poll(&set, &bench.dir).await?;
        let before = machine::device_bytes(&bench.dir)?;
        let stored = ours::store(&data, &set, limits, polls.into_iter().flatten()).await?;
        bench.device("plantroom", name, before, stored)?;
        remove(&data)?;
    }
    Ok(())
}

impl Bench {
    fn device(&mut self, engine: &str, points: &str, before: u64, sent: Stored) -> anyhow::Result<()> {
        let written = machine::device_bytes(&self.dir)? - before;
        println!("  {} readings in {} commits", sent.readings, sent.commits);
        self.results.put(
            engine,
            &format!("device at {points}"),
            written as f64 / 1_024.0 / sent.commits as f64,
        )
    }
}

/// Compares count and sum of each point of each set in each store with the recipe's.
pub async fn check(bench: &Bench) -> anyhow::Result<()> {
    for set in [S1, S2, J, D] {
        let set = bench.scaled(set);
        let expected = expected(&set);
        for peer in PEERS {
            let mut server = Server::start(peer, &bench.dir_of(peer.name(), &set))?;
            same(peer.name(), &set, &server.totals(ours::end(&set))?, &expected)?;
            server.stop()?;
        }
        let opened = ours::open(&bench.dir_of("plantroom", &set), &Metrics::default(), Limits::default())?;
        same("plantroom", &set, &ours::totals(&opened.history, &set).await?, &expected)?;
    }
    Ok(())
}

fn expected(set: &Set) -> Totals {
    let mut totals = Totals::new();
    for reading in set.polls().flatten().flat_map(|batch| batch.readings) {
        let total = totals.entry(reading.point.0).or_default();
        total.0 += 1;
        total.1 += reading.value.and_then(Value::as_f64).unwrap_or(0.0);
    }
    totals
}

/// Sums of floats depend on their order: they may differ by a billionth.
fn same(engine: &str, set: &Set, found: &Totals, expected: &Totals) -> anyhow::Result<()> {
    ensure!(found.keys().eq(expected.keys()), "{engine}, {}: other points", set.name);
    for (point, (found, expected)) in found.iter().map(|(point, total)| (point, (total, expected[point]))) {
        let near = (found.1 - expected.1).abs() <= 1e-9 * expected.1.abs().max(1.0);
        ensure!(
            found.0 == expected.0 && near,
            "{engine}, {}, point {point}: {found:?} instead of {expected:?}",
            set.name
        );
    }
    let readings: u64 = found.values().map(|total| total.0).sum();
    println!(
        "  {engine:10} {}: {readings} readings of {} points, counts and sums as they should be",
        set.name,
        found.len()
    );
    Ok(())
}
