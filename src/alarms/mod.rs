//! Alarms after ISA-18.2: rules over readings, occurrences with a state, a journal of all of it.
//!
//! A reading goes through the [`engine`] (is a rule true, and for long enough?), a change of it
//! through the [`board`] (which occurrence is that, and what is its state now?), and from there
//! into one transaction: occurrence, journal row, audit row, event, timers. Memory comes first
//! and the disk after, so a full disk never silences an alarm: the [`backlog`] waits and the
//! journal catches up.
//!
//! **Invariant:** the state is orthogonal bits, the ISA letter is derived. An alarm has at most
//! one open occurrence. A bad signal neither clears nor acknowledges anything: the alarm stays
//! active until a usable reading says otherwise. Nothing is ever removed from the journal.
//!
//! Reading order: [`state`], [`occurrence`], [`config`], [`engine`], [`board`], [`backlog`],
//! [`scope`], `store`, [`task`], [`metrics`].

pub mod state;
pub mod occurrence;
pub mod config;
pub mod engine;
pub mod board;
pub mod backlog;
pub mod scope;
mod store;
pub mod task;
pub mod metrics;

pub use config::{HISTORIAN_GAP, HISTORY_SHED, Rule, RuleError, SYSTEM_ASSET, rules};
pub use metrics::Metrics;
pub use occurrence::Occurrence;
pub use scope::Scope;
pub use state::StateBits;
pub use store::MIGRATIONS;
pub use task::{Alarms, Filter, Report, Task};

use crate::db::DbError;

/// Why an alarm cannot be shown or acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum AlarmError {
    /// There is no such alarm.
    #[error("there is no alarm {0}")]
    NotFound(i64),
    /// A person has seen it already.
    #[error("the alarm {0} is acknowledged already")]
    AlreadyAcknowledged(i64),
    /// It is acknowledged on the pages; the database cannot be written just now and gets it later.
    #[error("the alarm {0} is acknowledged, but not yet on disk: the database cannot be written")]
    NotSaved(i64),
    /// It is not acknowledged: the database has not been written for so long that it could not be kept.
    #[error("the alarm {0} cannot be acknowledged: too much waits for the database already")]
    Backlog(i64),
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The alarms are not running, or are going down.
    #[error("the alarms are not running")]
    Closed,
}
