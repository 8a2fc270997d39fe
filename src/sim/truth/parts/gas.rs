//! Medical gases, lifts, water, fire water and cold storage: what `config/hospital/{gases,lifts,water,
//! fire,cold}.toml` reads.
//!
//! Read `cycle` (machines that go on and off), then `zones` (who breathes what), `oxygen`, `plants`
//! (medical air, vacuum), `lifts`, `water`, `sewage`, `fire`, `cold`.
//!
//! **Invariants:** what leaves the tanks, the concentrator and the reserve is what the zones take and
//! what leaks; what the water tank takes in and gives is what its content changes by.

mod cold;
mod cycle;
mod fire;
mod lifts;
mod oxygen;
mod plants;
mod sewage;
#[cfg(test)]
mod tests;
mod water;
mod zones;

use super::{Item, Supply, Use};
use crate::sim::truth::{Build, Flow, Moment};

/// Adds it; returns what it draws.
pub fn add(build: &mut Build) -> Vec<Use> {
    let mut uses = Vec::new();
    let demand = zones::demand(build);
    let oxygen = oxygen::add(build, &demand, &mut uses);
    let air = plants::air(build, &mut uses);
    let vacuum = plants::vacuum(build, &mut uses);
    zones::panels(build, &demand, oxygen, air, vacuum);
    lifts::add(build, &mut uses);
    let used = water::add(build, &mut uses);
    sewage::add(build, used, &mut uses);
    fire::add(build, &mut uses);
    cold::add(build, &mut uses);
    uses
}

/// A point of an asset.
fn tell(
    build: &mut Build,
    asset: &str,
    quantity: &str,
    told: impl Fn(&Moment<'_>) -> f64 + Send + Sync + 'static,
) {
    build.point(&format!("{asset}/{quantity}"), told);
}

/// What a machine draws of the mains.
fn power(asset: &'static str, building: &'static str, item: Item, flow: Flow, vital: bool) -> Use {
    Use { asset, building, supply: Supply::Power, item, flow, vital }
}

/// A flag as a number.
fn flag(on: bool) -> f64 {
    f64::from(u8::from(on))
}

/// Steps from `from` towards `to` with a time constant of `tau` hours.
fn towards(from: f64, to: f64, hours: f64, tau: f64) -> f64 {
    to + (from - to) * (-hours / tau).exp()
}
