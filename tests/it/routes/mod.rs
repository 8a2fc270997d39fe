//! The HTTP API over real stores in a temporary directory; one file for each URL it serves.

mod app;
mod plant;

mod alarms;
mod assets;
mod blocked;
mod brokers;
mod buses;
mod demo;
mod energy;
mod events;
mod feeds;
mod health;
mod hostile;
mod live;
mod making;
mod openapi;
mod overview;
mod points;
mod readings;
mod series;
mod site;
mod status;
mod stream;
mod substitutions;
mod systems;
mod try_mapping;
mod try_out;
mod values;
mod work_orders;
