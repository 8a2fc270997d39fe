//! The history beside InfluxDB and VictoriaMetrics, as Debian packages them: the same data, the same
//! questions, one machine. What is measured, how to run it and what it gave: benches/README.md.
//!
//! - `load DIR`: the recipe's sets into all three; ingest, sizes
//! - `check DIR`: all three hold the recipe's readings
//! - `read DIR`: questions
//! - `tail DIR`: reading the log from its beginning
//! - `hold DIR`: memory, last values, opening again after a kill
//! - `device DIR`: bytes the disk writes for each commit; DIR on a disk of its own
//! - `table DIR`: the ratios of what was found so far
//! - `raw DIR`, `busy DIR`, `paced DIR`: plantroom alone; raw hours, commits beside questions and sealing,
//!   the processor's share at a plant's pace
//! - `all DIR`: the first five, and the table
//!
//! DIR is on a disk, not in memory. A number behind it makes the sets so many times shorter.

#![expect(clippy::indexing_slicing, clippy::print_stdout, reason = "a measurement run by hand")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "small numbers"
)]
#![expect(clippy::disallowed_methods, reason = "measures real time")]

#[path = "peers/alone.rs"]
mod alone;
#[path = "peers/hold.rs"]
mod hold;
#[path = "peers/http.rs"]
mod http;
#[path = "peers/load.rs"]
mod load;
#[path = "peers/machine.rs"]
mod machine;
#[path = "peers/ours.rs"]
mod ours;
#[path = "peers/read.rs"]
mod read;
#[path = "recipe.rs"]
#[expect(dead_code, reason = "single points are for another bench")]
mod recipe;
#[path = "peers/server.rs"]
mod server;
#[path = "peers/table.rs"]
mod table;

use recipe::{S1, Set};
use server::PEERS;
use std::path::{Path, PathBuf};
use std::time::Instant;
use table::Results;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    plantroom::net::install_crypto();
    tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_writer(std::io::stderr).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    match words.as_slice() {
        ["hold", points, samples, data] => {
            runtime.block_on(hold::hold(points.parse()?, samples.parse()?, Path::new(data)))
        }
        ["reopen", points, from, data] => {
            runtime.block_on(hold::reopen(points.parse()?, from.parse()?, Path::new(data)))
        }
        [command, dir] => runtime.block_on(Bench::open(dir, 1)?.run(command)),
        [command, dir, shorter] => runtime.block_on(Bench::open(dir, shorter.parse()?)?.run(command)),
        _ => Ok(()),
    }
}

/// Where it is measured, and what was found.
pub struct Bench {
    dir: PathBuf,
    shorter: usize,
    results: Results,
}

impl Bench {
    fn open(dir: &str, shorter: usize) -> anyhow::Result<Bench> {
        std::fs::create_dir_all(dir)?;
        let dir = Path::new(dir).canonicalize()?;
        Ok(Bench { results: Results::open(&dir)?, dir, shorter })
    }

    async fn run(&mut self, command: &str) -> anyhow::Result<()> {
        match command {
            "load" => load::load(self).await,
            "check" => load::check(self).await,
            "read" => read::read(self).await,
            "tail" => self.tail().await,
            "raw" => alone::raw(self).await,
            "busy" => alone::busy(self).await,
            "paced" => alone::paced(self).await,
            "hold" => hold::hold_all(self),
            "device" => load::device(self).await,
            "table" => {
                self.results.print();
                Ok(())
            }
            "all" => {
                for peer in PEERS {
                    println!("{}", peer.version()?);
                }
                load::load(self).await?;
                load::check(self).await?;
                read::read(self).await?;
                self.tail().await?;
                hold::hold_all(self)?;
                self.results.print();
                Ok(())
            }
            other => anyhow::bail!("no command {other}"),
        }
    }

    /// A set as long as it shall be here.
    fn scaled(&self, set: Set) -> Set {
        set.sized(set.points, set.samples / self.shorter)
    }

    fn dir_of(&self, engine: &str, set: &Set) -> PathBuf {
        self.dir.join(engine).join(set.name)
    }

    /// Two hours of S1 that nothing has left yet.
    async fn tail(&mut self) -> anyhow::Result<()> {
        let (set, data) = (self.scaled(S1.sized(500, 7_200)), self.dir.join("tail"));
        load::remove(&data)?;
        let limits = plantroom::historian::Limits::default();
        let stored = ours::store(&data, &set, limits, set.polls().flatten()).await?;
        let opened = ours::open(&data, &plantroom::historian::Metrics::default(), limits)?;
        let mut times = Vec::new();
        for _round in 0..5 {
            let begun = Instant::now();
            let readings = ours::tail(&opened.history).await?;
            times.push(begun.elapsed().as_secs_f64());
            anyhow::ensure!(readings == stored.readings, "{readings} readings of {}", stored.readings);
        }
        self.results.put("plantroom", "tail", stored.readings as f64 / 1e6 / ours::median(&mut times)?)?;
        drop(opened);
        load::remove(&data)
    }
}
