//! What goes wrong in the simulated hospital: a script as data, and which of it acts when.
//!
//! A fault of the plant acts in the truth ([`Board::courses`] are what its parts ask); one of an
//! instrument or of the way to the gateway leaves the truth as it is, and acts in `device`,
//! `sender` and the gateway's clock. Read `kind`, `when` (how it grows; pure), `script` (how it is
//! written), then `board` (which of it acts when, and what is started from the page).
//!
//! **Invariant:** the same script, starts and requests give the same courses.

mod kind;
mod when;
mod script;
mod board;

pub use board::{Asked, Board, BoardError, Known, Phase, Shown};
pub use kind::{Kind, NoKind, Place};
pub use script::{Fault, ScriptErrors, Target, duration_ms, parse};
pub use when::{Ending, FOR_EVER_MS, Growth, Onset, Run};
