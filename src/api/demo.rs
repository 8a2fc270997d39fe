//! What a simulated hospital tells of itself, and the faults a person may begin in it.
//!
//! The simulation implements [`Demo`] and is handed in by whoever starts it; a gateway of a real site has none.

use crate::point::{Address, Names, UtcMs};

/// A simulated hospital. None of these waits: they read and mark what another task acts on.
pub trait Demo: Send + Sync {
    /// How it is now.
    fn now(&self) -> DemoNow;

    /// A person begins a fault of the script.
    ///
    /// # Errors
    /// There is no such fault, it is on already, or it cannot be begun by hand.
    fn start(&self, fault: &str) -> Result<(), DemoError>;

    /// A person ends a fault that is on.
    ///
    /// # Errors
    /// There is no such fault, or it is not on.
    fn stop(&self, fault: &str) -> Result<(), DemoError>;
}

/// A simulated hospital at one moment.
#[derive(Clone, Debug)]
pub struct DemoNow {
    /// What its truth is made of.
    pub seed: u64,
    /// How many seconds of the hospital pass in one of ours.
    pub speed: f64,
    /// Where its past begins.
    pub genesis: UtcMs,
    /// How far its past is in the history.
    pub filled: Filled,
    /// The faults of the script, in its order.
    pub faults: Vec<DemoFault>,
}

/// How far the past of the hospital is in the history.
#[derive(Clone, Copy, Debug)]
pub struct Filled {
    /// How much of it: 0 to 1.
    pub share: f64,
    /// From here on it is there; none before the first piece.
    pub from: Option<UtcMs>,
    /// All of it is there.
    pub done: bool,
}

/// A fault of the script.
#[derive(Clone, Debug)]
pub struct DemoFault {
    /// Its id in the script.
    pub id: String,
    /// What it does: `clogging-filter`.
    pub kind: String,
    /// The asset it is in, or the device or line it befalls.
    pub asset: String,
    /// What it is called.
    pub name: Names,
    /// What a person should notice of it.
    pub notice: Names,
    /// Whether it is on.
    pub state: FaultState,
    /// When it begins or began; none where that is left to a person.
    pub onset: Option<UtcMs>,
    /// When it ends or ended; none where that is left to a person.
    pub end: Option<UtcMs>,
    /// Where it can be seen.
    pub points: Vec<Address>,
}

/// Whether a fault is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultState {
    /// It has not been, or it comes again.
    Waiting,
    /// It is on.
    Running,
    /// It was, and does not come again by itself.
    Over,
}

/// Why a fault is not begun or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DemoError {
    /// The script has no such fault.
    #[error("the script has no such fault")]
    Unknown,
    /// It is on already.
    #[error("the fault is running already")]
    Running,
    /// It is not on.
    #[error("the fault is not running")]
    NotRunning,
    /// It has a moment of its own.
    #[error("the fault has a moment of its own and cannot be begun by hand")]
    NotStartable,
}
