//! `mqtt discover`: what a broker carries, and a proposal for the configuration.

use super::progress::Progress;
use super::{Cli, Failure, check, print};
use crate::clock::Clock;
use crate::config::{self, Broker, Login, Secret, TopicPattern};
use crate::field::mqtt::discover::{self, Discovery};
use anyhow::{Context, anyhow};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

/// Shortest and longest time a broker is listened to, in seconds.
const SECONDS: std::ops::RangeInclusive<u64> = 1..=86_400;

#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// Listens to a broker, publishes nothing, and prints the topics that are not mapped yet as a
    /// proposal for the configuration.
    Discover(DiscoverOptions),
}

#[derive(Debug, clap::Args)]
struct DiscoverOptions {
    /// The broker by its id in the configuration; left out, its only broker.
    #[arg(conflicts_with = "connect")]
    broker: Option<String>,
    /// A broker that is in no configuration: HOST, HOST:PORT or mqtts://HOST.
    #[arg(long, value_name = "HOST:PORT")]
    connect: Option<String>,
    /// The authority it is trusted by, a PEM file; those of the operating system if not said.
    #[arg(long, value_name = "FILE", requires = "connect")]
    ca: Option<PathBuf>,
    /// User name for --connect; its password is read from the variable PLANTROOM_MQTT_PASSWORD.
    #[arg(long, value_name = "NAME", requires = "connect")]
    user: Option<String>,
    /// What is listened to.
    #[arg(long, value_name = "FILTER", default_value = "#")]
    filter: String,
    /// How long, as 30s or 10m.
    #[arg(long = "for", value_name = "TIME", default_value = "60s", value_parser = seconds)]
    seconds: u64,
}

fn seconds(text: &str) -> Result<u64, String> {
    let (number, factor) = match (text.strip_suffix('s'), text.strip_suffix('m')) {
        (Some(number), _) => (number, 1),
        (None, Some(number)) => (number, 60),
        (None, None) => ("", 1),
    };
    let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    let seconds = seconds.filter(|seconds| SECONDS.contains(seconds));
    seconds.ok_or_else(|| "write 30s or 10m, at most a day".to_owned())
}

/// What is listened to, and what of it is known.
struct Heard {
    broker: Broker,
    known: Vec<TopicPattern>,
    assets: BTreeSet<String>,
    /// The proposal is a whole file: it needs a broker of its own.
    is_new: bool,
}

pub fn perform(cli: &Cli, options: &Options) -> Result<(), Failure> {
    let Act::Discover(options) = &options.act;
    let heard = wanted(cli, options)?;
    let discovery = listen(&heard.broker, options)?;
    if heard.is_new {
        let address = options.connect.as_deref().unwrap_or_default();
        print(&format!("config_version = 1\n\n[[mqtt]]\nid = \"discovered\"\nconnect = \"{address}\"\n"))?;
    }
    print(&discovery.report(&heard.known, &heard.assets, options.seconds))
}

fn wanted(cli: &Cli, options: &DiscoverOptions) -> Result<Heard, Failure> {
    if let Some(address) = &options.connect {
        let broker = addressed(address, options)?;
        return Ok(Heard { broker, known: Vec::new(), assets: BTreeSet::new(), is_new: true });
    }
    let plan = check::load(&cli.config)?.plan;
    let ids: Vec<&str> = plan.brokers.iter().map(|broker| broker.id.as_str()).collect();
    let listed = ids.join(", ");
    let broker = match (&options.broker, plan.brokers.as_slice()) {
        (Some(id), brokers) => brokers.iter().find(|broker| broker.id.as_str() == id),
        (None, [only]) => Some(only),
        (None, _) => return Err(Failure::Usage(format!("name a broker, or --connect; brokers: {listed}"))),
    };
    let broker =
        broker.ok_or_else(|| Failure::Usage(format!("there is no such broker; brokers: {listed}")))?;
    Ok(Heard {
        known: broker.topics.iter().map(|topic| topic.pattern.clone()).collect(),
        assets: plan.assets.iter().map(|asset| asset.id.to_string()).collect(),
        broker: broker.clone(),
        is_new: false,
    })
}

/// A broker of the command line, read by the rules of a file.
fn addressed(address: &str, options: &DiscoverOptions) -> Result<Broker, Failure> {
    let mut broker = config::broker_at(address).map_err(Failure::Usage)?;
    broker.login = options.user.as_ref().map(|user| {
        let password = std::env::var("PLANTROOM_MQTT_PASSWORD").unwrap_or_default();
        Login { username: user.clone(), password: Secret::new(password) }
    });
    match (&mut broker.tls, &options.ca) {
        (Some(tls), ca) => tls.ca.clone_from(ca),
        (None, None) => {}
        (None, Some(_)) => {
            return Err(Failure::Usage("--ca is of a broker with TLS: --connect mqtts://HOST".to_owned()));
        }
    }
    Ok(broker)
}

fn listen(broker: &Broker, options: &DiscoverOptions) -> Result<Discovery, Failure> {
    let clock = Clock::system();
    // Never the id of a gateway, whose connection the broker would end.
    let client = format!("plantroom-discover-{}-{}", std::process::id(), clock.utc().0);
    let mut progress = Progress::new("listening");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("the runtime")?;
    let time = Duration::from_secs(options.seconds);
    let total_ms = options.seconds.saturating_mul(1_000);
    let heard = |elapsed_ms| progress.at(elapsed_ms, total_ms);
    let listening = discover::listen(broker, &client, &options.filter, time, &clock, heard);
    Ok(runtime.block_on(listening).map_err(|error| anyhow!("{error}"))?)
}
