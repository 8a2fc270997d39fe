//! `demo`: a simulated hospital, and a gateway that knows nothing of it but its addresses.

use super::{Cli, Failure, print, run};
use crate::clock::Clock;
use crate::config::{self, Plan};
use crate::runtime::Gateway;
use crate::sim::Hospital;
use anyhow::Context;
use rust_embed::RustEmbed;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Where the page is served; loopback only.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8420", value_parser = loopback)]
    listen: SocketAddr,
    /// Decides the noise of the simulated plant: the same seed, the same plant.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// There is no sign-in yet: as `[http] listen` of a configuration, the demo's is refused elsewhere.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr =
        text.parse().map_err(|_| "an address is written ip:port, as 127.0.0.1:8420".to_owned())?;
    if address.ip().is_loopback() {
        return Ok(address);
    }
    Err("there is no sign-in yet, so only a loopback address is allowed, as 127.0.0.1:8420".to_owned())
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
    let (clock, data) = (Clock::system(), cli.data.join("demo"));
    run::multi_threaded()?.block_on(async {
        let stop = run::stop_on_signal()?;
        let hospital = Hospital::bind(clock.clone(), options.seed).await.context("the simulated plant")?;
        lead_to(&mut plan, &hospital);
        let gateway = Gateway::build(plan, &data, clock).await?;
        announce(&gateway.url())?;
        // The plant outlives the gateway, as a hospital does.
        let plant_stop = tokio_util::sync::CancellationToken::new();
        let watching = async {
            let ended = gateway.run(stop).await;
            plant_stop.cancel();
            ended
        };
        let (ended, lived) = tokio::join!(watching, hospital.run(plant_stop.clone()));
        lived.context("the simulated plant")?;
        ended
    })?;
    Ok(())
}

fn announce(url: &str) -> anyhow::Result<()> {
    let text = format!(
        "A simulated hospital is live at {url}\n\
         Oxygen pressure falls after 20 s, a fridge door opens after 3 min. Ctrl-C ends it.\n"
    );
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

/// The files name the usual ports; the demo takes free ones, so that it starts beside anything.
fn lead_to(plan: &mut Plan, hospital: &Hospital) {
    for bus in &mut plan.buses {
        let address = hospital.modbus_address();
        bus.link = config::Link::Tcp { host: address.ip().to_string(), port: address.port() };
    }
    for broker in &mut plan.brokers {
        broker.host = hospital.broker_address().ip().to_string();
        broker.port = hospital.broker_address().port();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Register;
    use crate::sim::modbus::plant;

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
    fn the_simulated_plant_answers_every_register_of_the_plan() {
        let plan = plan().unwrap_or_else(|wrong| panic!("{wrong}"));
        for device in plan.buses.iter().flat_map(|bus| &bus.devices) {
            let known = plant::registers(device.unit, 1_763_700_000_000, 1);
            for Register { point, cell, .. } in &device.registers {
                assert!(known.contains_key(&(cell.table, cell.address)), "{point} at {cell:?}");
            }
        }
    }
}
