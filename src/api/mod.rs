//! The HTTP API: JSON under `/api/v1`, live data, metrics and health.
//!
//! Read [`router()`] first: the whole API on one page. Then [`boundary`] and [`guard`] (what every
//! request goes through), [`error`] (the one envelope), [`state`], `plant` with its `model`, `buses`, `brokers`, `targets` and `demo` (what
//! handlers work with), [`wire`] and [`routes`], `series` (what charts are drawn of), `trial` (expressions
//! tried out), and [`live`].
//!
//! **Invariant:** wire types of its own, never a stage's; every handler takes a [`Viewer`]; every
//! failure is one JSON envelope; numbers leave with their exact digits, the
//! figures of a chart as the nearest double; nothing here holds a
//! value or a decision that is not a stage's.

pub mod boundary;
mod buses;
mod brokers;
mod targets;
mod demo;
pub mod error;
mod extract;
pub mod guard;
pub mod live;
pub mod metrics;
mod plant;
mod model;
mod router;
pub mod routes;
mod series;
mod trial;
pub mod state;
mod viewer;
pub mod wire;

pub use brokers::{BrokerNow, Brokers, Heard};
pub use buses::{BusNow, Buses, Followed};
pub use demo::{Demo, DemoError, DemoFault, DemoNow, FaultState, Filled};
pub use model::{Cell, Counted, Model, Node};
pub use plant::{Plant, PlantPoint, Plants, PointSource};
pub use router::{local, openapi, router, shell};
pub use state::{AppState, Drivers, Handles};
pub use targets::{Lane, TargetNow, Targets};
pub use viewer::Viewer;
