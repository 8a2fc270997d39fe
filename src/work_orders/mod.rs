//! Work orders: one physical cause, one order, followed until the telemetry agrees that it is over.
//!
//! The stage reads the event log by its cursor `work_orders`; what an alarm does to an order and
//! the move of the cursor are one transaction, so a crash neither loses nor doubles an order. What
//! an order knows of its alarms is what the log has told: no other stage's table is read.
//!
//! **Invariant:** at most one open order per (asset, failure mode), held by a partial unique
//! index. No order closes while one of its alarms is active. The alarm engine keeps an alarm
//! active while its signal is bad, stale or silent, so "active" means "holds, or cannot be told":
//! an order is closed on good telemetry or not at all.
//!
//! Reading order: [`order`] (states and arcs, pure), `store` (log -> orders, acts), [`task`],
//! [`metrics`].

pub mod order;
mod store;
pub mod task;
pub mod metrics;

pub use metrics::Metrics;
pub use order::{Act, HistoryRow, State, TRANSITIONS, Transition, WorkOrder};
pub use store::MIGRATIONS;
pub use task::{Filter, Task, WorkOrders};

use crate::db::DbError;

/// Why an order cannot be shown or changed.
#[derive(Debug, thiserror::Error)]
pub enum WorkOrderError {
    /// There is no such order.
    #[error("there is no work order {0}")]
    NotFound(i64),
    /// No arc leads from its state by this act.
    #[error("the work order {id} is {}: there is no way to {} it from there", state.word(), act.word())]
    WrongState {
        /// The order.
        id: i64,
        /// Where it stands.
        state: State,
        /// What was asked.
        act: Act,
    },
    /// An alarm of it holds, or its signal does not tell.
    #[error("the work order {id} cannot be closed: {} of its alarms are active", alarms.len())]
    AlarmActive {
        /// The order.
        id: i64,
        /// Those alarms.
        alarms: Vec<i64>,
    },
    /// It has changed since the caller saw it.
    #[error("the work order {id} has changed: it is at version {current}")]
    Conflict {
        /// The order.
        id: i64,
        /// Its version now.
        current: i64,
    },
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
}
