//! The HTTP API over real stores in a temporary directory; one file for each URL it serves.

mod app;
mod plant;

mod alarms;
mod assets;
mod blocked;
mod brokers;
mod buses;
mod energy;
mod events;
mod health;
mod hostile;
mod live;
mod making;
mod openapi;
mod points;
mod readings;
mod series;
mod site;
mod stream;
mod substitutions;
mod try_mapping;
mod try_out;
mod values;
mod work_orders;
