//! What is done to a point's readings beyond scale and range, and what they are watched for.

use crate::point::{Decimal, Unit};

/// How the signal of a point is conditioned. Most points have nothing of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conditioning {
    /// Unit of the scaled number where it is another than the point's; it is known to convert.
    pub raw_unit: Option<Unit>,
    /// What the instrument shows beyond an end is that end, in the point's unit.
    pub clamp: Option<(Decimal, Decimal)>,
    /// The raw number is a counter that begins again at 0 when it has reached this many counts.
    pub counter_modulus: Option<u64>,
    /// What its values are watched for.
    pub checks: Checks,
    /// What of it goes to the history; none: everything.
    pub report: Option<Report>,
}

/// What the values of a point are watched for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Checks {
    /// It must move.
    pub frozen: Option<Frozen>,
    /// It cannot move faster.
    pub rate_max: Option<RateMax>,
    /// It must not jump by the ratio of two units.
    pub unit_jump: bool,
}

/// How long a value may stand still while it is read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frozen {
    /// For longer than this it is frozen. Milliseconds.
    pub after_ms: u64,
    /// It moves when it leaves this distance from where it stood, in the point's unit; 0: any change.
    pub band: Decimal,
}

/// How much a value can change within a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateMax {
    /// In the point's unit.
    pub change: Decimal,
    /// Within this. Milliseconds.
    pub per_ms: u64,
}

/// What of a point's readings goes to the history.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report {
    /// Only what is farther than this from what was kept last, in the point's unit; 0: any change.
    pub deadband: Decimal,
    /// A change no sooner than this after what was kept last. Milliseconds.
    pub min_interval_ms: u64,
    /// In any case after this, as long as the point is read. Milliseconds.
    pub heartbeat_ms: u64,
}
