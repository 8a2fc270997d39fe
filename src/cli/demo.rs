//! `demo`: a simulated hospital, and a gateway that knows nothing of it but its addresses.

use super::progress::Progress;
use super::{Cli, Failure, print, run};
use crate::clock::{Clock, SPEED_MAX};
use crate::config::{self, Plan};
use crate::runtime::Gateway;
use crate::sim::Hospital;
use crate::sim::desk::Desk;
use crate::sim::device::bus::Manner;
use crate::sim::fault::{self, Board, Fault};
use crate::sim::fill::Fill;
use crate::sim::memory::{Memory, Wishes};
use crate::sim::shown::Instruments;
use crate::sim::truth::Truth;
use anyhow::Context;
use rust_embed::RustEmbed;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Where the page is served; loopback only.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8420", value_parser = loopback)]
    listen: SocketAddr,
    /// Decides all that is left to chance: the same seed, the same plant. A data folder keeps the one it
    /// began with; 1 for a new one.
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// What goes wrong: a script of faults in TOML, `usual` or `none`. A data folder keeps the one it
    /// began with; the usual one for a new one.
    #[arg(long, value_name = "FILE|usual|none")]
    script: Option<String>,
    /// The whole demo's clock runs so many times faster, 1 to 60.
    #[arg(long, value_name = "TIMES", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(SPEED_MAX)))]
    speed: u32,
    /// How much of a past a new demo has, as 90m, 48h or 396d.
    #[arg(long, value_name = "DURATION", default_value = "396d", value_parser = past)]
    past: i64,
}

/// The longest past: ten years, in milliseconds.
const PAST_MAX_MS: i64 = 3_653 * 86_400_000;

/// Lines of the demo that are not as good as they could be.
const MANNERS: [(&str, Manner); 2] = [
    // Meters behind a converter that takes its time.
    ("water-meters", Manner { delay_ms: 120, noise: 0.0 }),
    // A long pair of wires beside the power cables.
    ("outpatient-power", Manner { delay_ms: 0, noise: 0.02 }),
];

/// The script inside the program.
const USUAL: &str = "demo/faults.toml";

/// There is no sign-in yet: as `[http] listen` of a configuration, the demo's is refused elsewhere.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr =
        text.parse().map_err(|_| "an address is written ip:port, as 127.0.0.1:8420".to_owned())?;
    if address.ip().is_loopback() {
        return Ok(address);
    }
    Err("there is no sign-in yet, so only a loopback address is allowed, as 127.0.0.1:8420".to_owned())
}

fn past(text: &str) -> Result<i64, String> {
    let ms = fault::duration_ms(text).filter(|ms| *ms <= PAST_MAX_MS);
    ms.ok_or_else(|| "a past is written 90m, 48h or 396d, and has ten years at most".to_owned())
}

/// The configuration of the demo hospital, so that the demo needs no file beside the program.
#[derive(RustEmbed)]
#[folder = "config"]
#[include = "*.toml"]
#[include = "*/*.toml"]
#[include = "*/*/*.toml"]
#[include = "*/*.csv"]
struct Files;

/// `plantroom demo`. Its data is in `DATA/demo`, apart from a real site's.
pub fn perform(cli: &Cli, options: &Options) -> Result<(), Failure> {
    let mut plan = plan()?;
    plan.http.listen = options.listen;
    let data = cli.data.join("demo");
    // One that ran fast goes on where it was: its history reaches beyond the machine's time.
    let shown = Memory::last_shown(&data).map_err(anyhow::Error::from)?;
    let clock = Clock::faster(options.speed, shown);
    let plant = Plant::begin(&plan, &data, options, &clock)?;
    run::multi_threaded()?.block_on(live(plan, plant, data, clock, options.speed))?;
    Ok(())
}

/// The plant of a data folder.
struct Plant {
    memory: Memory,
    truth: Arc<Truth>,
    board: Arc<Board>,
}

impl Plant {
    fn begin(plan: &Plan, data: &Path, options: &Options, clock: &Clock) -> Result<Plant, Failure> {
        let wishes = Wishes {
            seed: options.seed,
            script: options.script.as_deref().map(script).transpose()?,
            past_ms: options.past,
        };
        let usual = usual();
        let memory = Memory::begin(data, wishes, &usual, clock.utc()).map_err(anyhow::Error::from)?;
        let named = match options.script.as_deref() {
            Some(file) if file != "usual" && file != "none" => file,
            _ if memory.script == usual => USUAL,
            _ => crate::sim::memory::SCRIPT,
        };
        let faults = fault::parse(&memory.script, named, plan)
            .map_err(|wrong| Failure::Configuration(wrong.to_string()))?;
        let board = Arc::new(Board::new(faults, memory.known.clone(), clock.utc()));
        let truth = Arc::new(Truth::hospital(memory.genesis, memory.seed, board.courses()));
        happens_somewhere(&truth, board.faults(), named)?;
        Ok(Plant { memory, truth, board })
    }
}

/// A fault of the plant that no part of it knows would begin, be listed as running, and do nothing.
fn happens_somewhere(truth: &Truth, faults: &[Fault], script: &str) -> Result<(), Failure> {
    for Fault { id, kind, target, .. } in faults.iter().filter(|fault| fault.kind.is_of_the_plant()) {
        if truth.assets_with(kind.word()).all(|asset| asset != target.id()) {
            let known: Vec<&str> = truth.assets_with(kind.word()).collect();
            return Err(Failure::Configuration(format!(
                "{script}: the fault {id} would do nothing: {kind} cannot happen at {}, but at {}",
                target.id(),
                known.join(", ")
            )));
        }
    }
    Ok(())
}

/// The text of a script.
fn script(name: &str) -> Result<String, Failure> {
    match name {
        "usual" => Ok(usual()),
        "none" => Ok(String::new()),
        file => std::fs::read_to_string(file).map_err(|error| {
            Failure::Configuration(format!("{file}: {error}; --script takes a file, usual or none"))
        }),
    }
}

fn usual() -> String {
    Files::get(USUAL).map(|file| String::from_utf8_lossy(&file.data).into_owned()).unwrap_or_default()
}

/// Brings plant and gateway to life, until a signal ends both.
async fn live(mut plan: Plan, plant: Plant, data: PathBuf, clock: Clock, speed: u32) -> anyhow::Result<()> {
    let Plant { memory, truth, board } = plant;
    let stop = run::stop_on_signal()?;
    let (seed, manners) = (memory.seed, manner);
    let hospital = Hospital::bind(&plan, Arc::clone(&truth), board, manners, clock.clone(), seed)
        .await
        .context("the simulated plant")?;
    hospital.lead(&mut plan);
    // The gateway's wall clock can be wrong; that of the plant is what is so.
    let gateway_clock = clock.apart();
    let fill = fill(&plan, &hospital, &memory, &data)?;
    let gateway = Gateway::build(plan, &data, gateway_clock.clone());
    let (gateway, ()) = tokio::join!(gateway, warmed(hospital.instruments(), &clock));
    let gateway = gateway?;
    // Now the folder is ours.
    memory.save(&data)?;
    announce(&gateway.url(), memory.script == usual())?;
    let instruments = Arc::clone(hospital.instruments());
    let desk = Arc::new(Desk::new(memory, data, speed, instruments, fill.filled(), clock));
    gateway.watches_demo(Arc::clone(&desk) as Arc<dyn crate::api::Demo>);
    let importer = gateway.importer();
    // The plant outlives the gateway, as a hospital does.
    let plant_stop = CancellationToken::new();
    let watching = async {
        let ended = gateway.run(stop.clone()).await;
        plant_stop.cancel();
        ended
    };
    let filling = async {
        let mut bar = Progress::new("The past is filled in");
        let told = |filled: &crate::sim::fill::Filled| {
            let (done, all) = filled.hours();
            bar.at(done, all);
        };
        if let Err(error) = fill.run(&importer, &stop, told).await
            && !stop.is_cancelled()
        {
            tracing::warn!(%error, "The past of the demo is not complete; the next start goes on with it.");
        }
        drop(importer);
    };
    let living = hospital.run(gateway_clock, plant_stop.clone());
    let (ended, lived, ..) = tokio::join!(watching, living, filling, desk.keep(&plant_stop));
    lived.context("the simulated plant")?;
    ended
}

/// Reckons the plant up to now once, which takes a moment when its past is long: the devices would
/// all wait for it.
async fn warmed(instruments: &Arc<Instruments>, clock: &Clock) {
    let (instruments, now) = (Arc::clone(instruments), clock.utc());
    if let Err(died) = tokio::task::spawn_blocking(move || drop(instruments.values(now))).await {
        tracing::error!(%died, "The simulated plant ended in a fault of the program.");
    }
}

/// The past that a data folder lacks.
fn fill(plan: &Plan, hospital: &Hospital, memory: &Memory, data: &Path) -> anyhow::Result<Fill> {
    let instruments = hospital.instruments();
    let told = hospital.facts().told(instruments.truth());
    let until = memory.known.starts.first().copied().unwrap_or(memory.genesis);
    Ok(Fill::new(plan, told, Arc::clone(instruments), memory.genesis..until, data)?)
}

/// How a bus of the demo behaves.
fn manner(bus: &str) -> Manner {
    MANNERS.iter().find(|(name, _)| *name == bus).map_or_else(Manner::default, |(_, manner)| *manner)
}

fn announce(url: &str, is_usual: bool) -> anyhow::Result<()> {
    let soon =
        if is_usual { "Oxygen pressure falls after 20 s, a fridge door opens after 3 min. " } else { "" };
    let text = format!("A simulated hospital is live at {url}\n{soon}Ctrl-C ends it.\n");
    match print(&text) {
        // The demo is on the page; who closed its standard output does not mean to end it.
        Ok(()) | Err(Failure::EnoughRead) => Ok(()),
        Err(wrong) => Err(wrong.into()),
    }
}

/// The configuration and the register maps that are inside the program, by path.
pub fn files() -> BTreeMap<PathBuf, String> {
    let read = |name: &str| Files::get(name).map(|file| String::from_utf8_lossy(&file.data).into_owned());
    Files::iter().filter_map(|name| Some((PathBuf::from(name.as_ref()), read(&name)?))).collect()
}

fn plan() -> Result<Plan, Failure> {
    let loaded = config::load_from(&files(), Path::new("plantroom.toml"), &|_| None);
    Ok(loaded.map_err(|wrong| Failure::Configuration(wrong.to_string()))?.plan)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::point::UtcMs;
    use crate::sim::truth::Courses;

    #[test]
    fn the_demo_listens_on_loopback_only() {
        for good in ["127.0.0.1:0", "[::1]:8420"] {
            assert!(loopback(good).is_ok(), "{good}");
        }
        for bad in ["0.0.0.0:8420", "[::]:8420", "10.0.0.1:80", "localhost:80", "8420"] {
            assert!(loopback(bad).is_err_and(|why| why.contains("127.0.0.1:8420")), "{bad}");
        }
    }

    #[test]
    fn the_plan_inside_is_the_plan_on_disk() {
        let loaded = config::load(Path::new("config/plantroom.toml"), &|_| None).unwrap();
        assert_eq!(
            format!("{:?}", plan().unwrap_or_else(|wrong| panic!("{wrong}"))),
            format!("{:?}", loaded.plan)
        );
    }

    #[test]
    fn the_usual_script_fits_the_hospital() {
        let plan = plan().unwrap_or_else(|wrong| panic!("{wrong}"));
        let faults = fault::parse(&usual(), USUAL, &plan).unwrap_or_else(|wrong| panic!("{wrong}"));
        assert!(faults.iter().all(|fault| !fault.name.zh.is_empty() && !fault.notice.en.is_empty()));
        let truth = Truth::hospital(UtcMs(1_763_700_000_000), 1, &Courses::default());
        assert!(happens_somewhere(&truth, &faults, USUAL).is_ok());
        let elsewhere = usual().replacen("asset = \"ahu-5\"", "asset = \"lift-2\"", 1);
        let faults_elsewhere =
            fault::parse(&elsewhere, USUAL, &plan).unwrap_or_else(|wrong| panic!("{wrong}"));
        let wrong = happens_somewhere(&truth, &faults_elsewhere, USUAL).unwrap_err().to_string();
        assert!(wrong.contains("clogging_filter cannot happen at lift-2, but at ahu-"), "{wrong}");
        for kind in fault::Kind::ALL {
            assert!(faults.iter().any(|fault| fault.kind == *kind), "no {kind}");
        }
        for (bus, _) in MANNERS {
            assert!(plan.buses.iter().any(|known| known.id.as_str() == bus), "{bus}");
        }
    }

    #[test]
    fn the_manual_knows_every_kind_and_its_example_is_a_script() {
        let plan = plan().unwrap_or_else(|wrong| panic!("{wrong}"));
        for language in ["en", "zh"] {
            let path = format!("{}/docs/manual/{language}/demo.md", env!("CARGO_MANIFEST_DIR"));
            let manual = std::fs::read_to_string(&path).unwrap();
            for kind in fault::Kind::ALL {
                assert!(manual.contains(&format!("`{kind}`")), "{path} says nothing of {kind}");
            }
            let example = manual.split("```toml").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
            let faults = fault::parse(example, &path, &plan).unwrap_or_else(|wrong| panic!("{wrong}"));
            assert_eq!(faults.len(), 1);
        }
    }

    /// A device whose register nobody tells of reads 0, which would look like a value.
    #[test]
    fn all_that_is_read_is_told_of() {
        let plan = plan().unwrap_or_else(|wrong| panic!("{wrong}"));
        let truth = Truth::hospital(
            crate::point::UtcMs(1_760_000_000_000),
            1,
            &crate::sim::truth::Courses::default(),
        );
        let derived: Vec<_> = plan.derived.iter().map(|derived| &derived.point).collect();
        let is_told = |point: &&config::Point| {
            truth.points().contains_key(&point.address)
                || derived.contains(&&point.address)
                || point.kind == crate::point::ValueKind::Text
        };
        let untold: Vec<String> = plan
            .points
            .iter()
            .filter(|point| !is_told(point))
            .map(|point| point.address.to_string())
            .collect();
        assert_eq!(untold, [""; 0]);
    }
}
