//! `check` and `schema`: what the configuration says, without doing any of it.

use super::{Cli, Failure, loads, print};
use crate::config::{self, Loaded};
use crate::historian;
use crate::point::Catalogue;
use anyhow::Context;
use std::path::Path;

/// Reads the configuration; its mistakes become exit code 64.
pub fn load(path: &Path) -> Result<Loaded, Failure> {
    let env = |name: &str| std::env::var(name).ok();
    config::load(path, &env).map_err(|wrong| Failure::Configuration(wrong.to_string()))
}

/// `plantroom check`: the plan in counts, what it would do to the points of the data directory,
/// and how busy it makes each bus. A bus that is too busy is a failure, once all is told; so are
/// addresses that look one too high, for what they read would look right and be another register.
pub fn perform(cli: &Cli) -> Result<(), Failure> {
    let loaded = load(&cli.config)?;
    let known = known_points(&cli.data)?;
    let buses = loads::of_plan(&loaded.plan)?;
    if !loaded.warnings.items.is_empty() {
        print(&format!("{}\n", loaded.warnings))?;
    }
    print(&config::describe(&loaded.plan, known.as_ref()))?;
    for bus in &buses {
        print(&format!("\n{}", bus.describe()))?;
    }
    let slips = loaded.warnings.items.iter().filter(|item| is_slip(item.code)).count();
    let slipped = (slips > 0)
        .then(|| format!("addresses that look like a manual's numbers, one too high: {slips}; see above"));
    let complaints: Vec<String> =
        slipped.into_iter().chain(buses.iter().filter_map(loads::BusLoad::complaint)).collect();
    if complaints.is_empty() {
        return Ok(());
    }
    Err(Failure::Other(anyhow::anyhow!("{}", complaints.join("\n"))))
}

/// What a manual counts from 1, the protocol counts from 0.
fn is_slip(code: config::Code) -> bool {
    matches!(code, config::Code::ReferenceNumber | config::Code::OneBased)
}

/// The catalogue of a data directory that was used before.
fn known_points(data: &Path) -> Result<Option<Catalogue>, Failure> {
    let store = historian::read_only(data).with_context(|| format!("the data in {}", data.display()))?;
    Ok(store.map(|store| store.catalogue))
}

/// `plantroom schema`: for editors, and for the copy beside the sample configuration.
pub fn schema() -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(&config::schema()).map_err(anyhow::Error::new)?;
    print(&format!("{text}\n"))
}
