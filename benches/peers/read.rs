//! Questions: each is put to the three in turn, so that whatever else the machine does hits all.

use super::Bench;
use super::http::Http;
use super::machine;
use super::ours::{self, median, window};
use super::recipe::{D, S1, S2, Set};
use super::server::{Peer, Server, counted_in, rows_in};
use anyhow::{Context as _, ensure};
use plantroom::clock::Clock;
use plantroom::historian::{History, Limits, Metrics, Opened};
use plantroom::point::{PointId, UtcMs};
use plantroom::runtime::Gateway;
use std::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const HOUR_MS: i64 = 3_600_000;

/// Points of a page of years.
const PAGE: u32 = 50;

/// Asks everything.
pub async fn read(bench: &mut Bench) -> anyhow::Result<()> {
    println!("load {}", machine::load()?);
    let mut three = Three::open(bench, S1)?;
    three.raw(bench, "raw 1 h at 1 s", HOUR_MS, 101).await?;
    three.raw(bench, "raw 6 h at 1 s", 6 * HOUR_MS, 31).await?;
    three.last(bench, "last of 500").await?;
    let mut three = Three::open(bench, D)?;
    three.raw(bench, "raw 24 h at 1 s", 24 * HOUR_MS, 31).await?;
    let mut three = Three::open(bench, S2)?;
    three.raw(bench, "raw 24 h at 15 min", 24 * HOUR_MS, 101).await?;
    three.hours(bench).await?;
    drop(three);
    over_http(bench).await
}

/// The stores of a set.
struct Three {
    set: Set,
    ours: Opened,
    influx: Server,
    victoria: Server,
}

impl Three {
    fn open(bench: &Bench, set: Set) -> anyhow::Result<Three> {
        let set = bench.scaled(set);
        let start = |peer: Peer| Server::start(peer, &bench.dir_of(peer.name(), &set));
        Ok(Three {
            set,
            ours: ours::open(&bench.dir_of("plantroom", &set), &Metrics::default(), Limits::default())?,
            influx: start(Peer::Influx)?,
            victoria: start(Peer::Victoria)?,
        })
    }

    /// All readings of a point in a window: another point each time, and where there is more than
    /// the window another place.
    async fn raw(
        &mut self,
        bench: &mut Bench,
        what: &str,
        length_ms: i64,
        rounds: u32,
    ) -> anyhow::Result<()> {
        let room_ms = (ours::end(&self.set) - self.set.from_ms - length_ms).max(0);
        let (mut times, mut all) = ([vec![], vec![], vec![]], 0);
        for round in 0..rounds {
            let point = 1 + round * 7 % self.set.points;
            let (from, to) = window(&self.set, i64::from(round) * room_ms / i64::from(rounds), length_ms);
            let begun = Instant::now();
            let range = self.ours.history.range(PointId(point), UtcMs(from), UtcMs(to), 200_000).await?;
            times[0].push(ms(begun));
            let answers = [&mut self.influx, &mut self.victoria].map(|server| {
                let begun = Instant::now();
                server.raw(point, from, to).map(|answer| (ms(begun), server.peer, answer))
            });
            for (times, answer) in times[1..].iter_mut().zip(answers) {
                let (ms, peer, answer) = answer?;
                times.push(ms);
                let rows = rows_in(peer, &answer)?;
                ensure!(rows == range.readings.len(), "{what}: {rows} rows, not {}", range.readings.len());
            }
            all += range.readings.len();
        }
        println!("{what}: {} rows", all / rounds as usize);
        bench.put_three(what, times)
    }

    async fn last(&mut self, bench: &mut Bench, what: &str) -> anyhow::Result<()> {
        let mut times = [vec![], vec![], vec![]];
        for _round in 0..31 {
            times[0].push(last_ms(&self.ours.history, self.set.points).await?);
            for (times, server) in times[1..].iter_mut().zip([&mut self.influx, &mut self.victoria]) {
                let begun = Instant::now();
                server.last(ours::end(&self.set))?;
                times.push(ms(begun));
            }
        }
        bench.put_three(what, times)
    }

    async fn hours(&mut self, bench: &mut Bench) -> anyhow::Result<()> {
        let hours = (ours::end(&self.set) - self.set.from_ms + HOUR_MS - 1) / HOUR_MS;
        let (from, to) = window(&self.set, 0, hours * HOUR_MS);
        let (mut times, mut counted) = ([vec![], vec![], vec![]], Vec::new());
        for _round in 0..3 {
            let begun = Instant::now();
            counted.push(ours::hours(&self.ours.history, PAGE, from, to).await?);
            times[0].push(ms(begun));
            for (times, server) in times[1..].iter_mut().zip([&mut self.influx, &mut self.victoria]) {
                let begun = Instant::now();
                let answers = server.hours(PAGE, from, to)?;
                times.push(ms(begun));
                counted.push(counted_in(server.peer, &answers)?);
            }
        }
        println!("50 x 1 year hourly: {} readings, {:.0?} ms", counted[0], times);
        ensure!(counted.windows(2).all(|pair| pair[0] == pair[1]), "hours of other readings: {counted:?}");
        let theirs = [times[1].clone(), times[2].clone()];
        bench.put_three("50 x 1 year hourly", times)?;
        for (engine, mut times) in ["influx", "victoria"].into_iter().zip(theirs) {
            let ms = median(&mut times)?;
            for what in ["the same as JSON", "the same as columns"] {
                bench.results.put(engine, what, ms)?;
            }
        }
        Ok(())
    }
}

impl Bench {
    fn put_three(&mut self, what: &str, times: [Vec<f64>; 3]) -> anyhow::Result<()> {
        for (engine, mut times) in ["plantroom", "influx", "victoria"].into_iter().zip(times) {
            self.results.put(engine, what, median(&mut times)?)?;
        }
        Ok(())
    }
}

/// The hours of a year of 50 points from the whole gateway, 17 points a request.
async fn over_http(bench: &mut Bench) -> anyhow::Result<()> {
    let set = bench.scaled(S2);
    let data = bench.dir_of("plantroom", &set);
    let gateway = Gateway::build(ours::plan(&set)?, &data, Clock::system()).await?;
    let port = gateway.url().trim_end_matches('/').rsplit(':').next().context("a port")?.parse()?;
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let running = tasks.spawn(gateway.run(stop.clone()));
    let span = format!("from={}&to={}&cut=1h&figures=min,max,mean,last,count", set.from_ms, ours::end(&set));
    let points: Vec<String> = (1..=PAGE).map(ours::address).collect();
    let asking = tokio::task::spawn_blocking(move || {
        let mut http = Http::open(port)?;
        let formats = [
            ("the same as JSON", "application/json"),
            ("the same as columns", "application/vnd.plantroom.columns"),
        ];
        let mut found = Vec::new();
        for (what, accept) in formats {
            let (mut times, mut bytes) = (Vec::new(), 0);
            for _round in 0..5 {
                let begun = Instant::now();
                bytes = 0;
                for some in points.chunks(17) {
                    bytes +=
                        http.get(&format!("/api/v1/series?points={}&{span}", some.join(",")), accept)?.len();
                }
                times.push(ms(begun));
            }
            found.push((what, median(&mut times)?, bytes));
        }
        Ok::<_, anyhow::Error>(found)
    });
    let found = asking.await?;
    stop.cancel();
    running.await??;
    for (what, ms, bytes) in found? {
        println!("{what}: {bytes} bytes");
        bench.results.put("plantroom", what, ms)?;
    }
    Ok(())
}

/// How long the last values of all points take.
pub async fn last_ms(history: &History, points: u32) -> anyhow::Result<f64> {
    let points: Vec<PointId> = (1..=points).map(PointId).collect();
    let begun = Instant::now();
    let last = history.last(&points).await?;
    let ms = ms(begun);
    let found = last.iter().flatten().count();
    // One that is silent from the beginning to the end has none.
    ensure!(found * 100 >= points.len() * 99, "{found} last values of {}", points.len());
    Ok(ms)
}

/// Milliseconds since.
pub fn ms(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1e3
}
