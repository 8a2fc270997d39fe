//! The small expression language, for rules of alarms and for derived points.
//!
//! An expression is read ([`Tree::parse`]), checked against the points there are
//! ([`Tree::check`]) and evaluated ([`Formula::eval`]) whenever a reading comes. It has conditions,
//! numbers with units, texts, windows into the past, quality and age; no variables, no loops, and
//! a cost that is known before it runs. The manual for those who write them is
//! `docs/manual/en/expressions.md`, whose examples are tests.
//!
//! Unknown is a value of its own: a Bad reading, a window that is half empty or a division by
//! zero makes unknown what depends on it (Kleene's logic), and an unknown never satisfies a
//! comparison. What becomes of an unknown outcome is for the stage to say that asked.
//!
//! Derived points (`readings::derived`) are made of it; rules (`alarms`) can be.
//!
//! **Invariant:** what passes the check has one type and one unit, and no input can make its
//! evaluation fail: it is a finite value, or unknown and Bad. Evaluation is pure; it visits each
//! part once and asks for nothing but the inputs and windows it lists.
//!
//! Reading order: `function`, `tree`, `token`, `parse`; `number`, `measure`, `formula`, `check`; `window`,
//! `air`, `eval`, `exact`, `why`; [`fuzz`].

mod mistake;
mod function;
mod tree;
mod token;
mod parse;
mod number;
mod measure;
mod air;
mod window;
mod formula;
mod check;
mod eval;
mod exact;
mod why;
pub mod fuzz;
#[cfg(test)]
mod tests;

pub use eval::{Datum, Decided, Inputs, Outcome};
pub use formula::{Cost, Facts, Formula, Input, Points, State, Type, WindowNeed};
pub use function::Function;
pub use measure::{Factor, Measure};
pub use mistake::{Mistake, Span};
pub use number::Number;
pub use tree::Tree;
pub use why::REASONS_MAX;
pub use window::Window;

/// Longest text of an expression, bytes.
pub const SOURCE_BYTES_MAX: usize = 2_048;

/// Deepest nesting of brackets, functions and signs.
pub const DEPTH_MAX: usize = 32;

/// Most steps of one evaluation: its parts, and the readings its windows hold.
pub const COST_STEPS_MAX: u64 = 100_000;

/// How long a window may be, milliseconds: 1 s to 7 d.
pub const WINDOW_MS: std::ops::RangeInclusive<u64> = 1_000..=7 * 86_400_000;

/// The interval of a point whose source decides when it speaks, for the cost, milliseconds.
pub const INTERVAL_ASSUMED_MS: u64 = 1_000;
