//! The one integration binary.

// `cfg(test)` on the modules: clippy's leave to unwrap in tests reaches their helpers too.
#[cfg(test)]
mod alarms;
#[cfg(test)]
mod alarms_plant;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod config;
#[cfg(test)]
mod derived;
#[cfg(test)]
mod energy;
#[cfg(test)]
mod forward;
#[cfg(test)]
mod historian;
#[cfg(test)]
mod history_formats;
#[cfg(test)]
mod kills;
#[path = "../support/lane.rs"]
mod lane;
#[cfg(test)]
mod minutes;
#[cfg(test)]
mod mqtt_profiles;
#[cfg(test)]
mod profiles;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod routes;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod verbs;
#[cfg(test)]
mod work_orders;
