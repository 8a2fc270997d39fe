//! The making of a reading: raw sample in, value with unit, time and quality out.
//!
//! Read in this order: [`config`] (what is known of a point), [`points`] (how it is found), `scale` (raw -> value),
//! [`rules`] (what values are watched for), `report` (what the history is spared), `slot` (what is
//! kept of a point), `seen` (what has come before), [`engine`] (the pure step that brings them
//! together), [`inspect`] (how a reading came about), [`current`] (the newest value of every point),
//! [`derived`] (readings made of readings), [`substitute`] (values by hand), [`task`] (who is served
//! first), [`metrics`].
//!
//! **Invariant:** alarms are served first and never wait for the disk; what the historian could
//! not take is counted and said, never dropped in silence; a reading without a value is Bad.

pub mod config;
pub mod points;
mod scale;
pub mod rules;
mod report;
mod slot;
mod seen;
pub mod engine;
pub mod inspect;
pub mod current;
pub mod derived;
pub mod substitute;
pub mod task;
pub mod metrics;

pub use config::{PointSettings, Settings};
pub use current::{Current, CurrentValue};
pub use derived::Derived;
pub use engine::{Engine, Outcome};
pub use inspect::{Explained, Inspector, Question};
pub use metrics::Metrics;
pub use points::Points;
pub use substitute::Substitutions;
pub use task::{ByHand, Limits, Outlets, Task};

use crate::field::AckHandle;
use crate::point::{Batch, PointId, Reading, TextId, UtcMs};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Gives a word its number, a new one if it is new; none when the dictionary refuses it (too
/// long, too many). The dictionary is the historian's; its end of this is handed in at build.
pub type TextIds = Box<dyn FnMut(&str) -> Option<TextId> + Send + Sync>;

/// Gives the word of a number; none for a number that was never given.
pub type TextWords = Box<dyn Fn(TextId) -> Option<Arc<str>> + Send + Sync>;

/// Other points for the running task.
#[derive(Debug)]
pub struct Change {
    /// All points from now on, but for the derived ones.
    pub settings: Settings,
    /// The derived ones.
    pub derived: derived::Settings,
    /// What the history has of the windows of their formulas, each point's in order of time.
    pub windows: Vec<Reading>,
    /// Those whose values mean something else than before: they wait for their first one.
    pub anew: BTreeSet<PointId>,
    /// Told when nothing more is made with the old settings.
    pub taken: oneshot::Sender<()>,
}

/// What the alarms are fed with.
#[derive(Clone, Debug)]
pub enum Feed {
    /// Readings, as they become current. Late ones (older than what was current) are only in
    /// the history.
    Readings(Arc<Batch>),
    /// The historian could not take what was received in this time. Told when it begins, then
    /// while it lasts, then when it ends; `lost` counts anew each time, so the sum is the loss.
    Gap {
        /// Receive time of the first lost reading.
        from: UtcMs,
        /// Receive time of the last lost reading.
        to: UtcMs,
        /// Readings lost since the last word.
        lost: u64,
    },
    /// The historian gave its oldest readings up for want of room. Told each time.
    Shed {
        /// Readings that ended before this are gone.
        before: UtcMs,
    },
}

/// A stretch of time whose readings never reached the historian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Receive time of the first.
    pub from: UtcMs,
    /// Receive time of the last.
    pub to: UtcMs,
    /// How many readings.
    pub readings: u64,
}

/// What the historian is fed with.
#[derive(Debug)]
pub struct HistorianFeed {
    /// What to keep.
    pub batch: Arc<Batch>,
    /// Fired when the batch is on disk.
    pub ack: Option<AckHandle>,
    /// What was lost just before this batch, if anything: the gap record.
    pub lost_before: Option<Lost>,
}
