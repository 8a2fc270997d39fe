//! The handlers, one file per thing a URL names; [`super::router()`] lists them all.

pub mod site;
pub mod assets;
pub mod systems;
pub mod overview;
pub mod feeds;
pub mod points;
pub mod values;
pub mod making;
pub mod readings;
pub mod series;
pub mod buses;
pub mod brokers;
mod claim;
pub mod substitutions;
pub mod alarms;
pub mod work_orders;
pub mod energy;
pub mod try_out;
pub mod try_mapping;
pub mod demo;
pub mod events;
pub mod import;
pub mod health;
pub mod status;
