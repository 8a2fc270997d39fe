//! A reading and the batch it travels in.

use super::{Quality, UtcMs, Value};
use std::sync::Arc;

/// The number of a point in the catalogue. Given once, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PointId(pub u32);

/// One value of one point at one instant, with how far to trust it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Which point.
    pub point: PointId,
    /// When the value was true at the source, as well as that is known.
    pub at: UtcMs,
    /// The value in the point's unit; none exactly when the quality is Bad.
    pub value: Option<Value>,
    /// How far to trust it.
    pub quality: Quality,
}

/// Readings that were taken together from one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The device or broker source they came from, by its configured id.
    pub device: Arc<str>,
    /// The source's own stamp, where it sent one.
    pub source_at: Option<UtcMs>,
    /// When plantroom had them in hand.
    pub received_at: UtcMs,
    /// Half the width of the interval in which `at` may lie, in milliseconds.
    pub at_error_ms: u32,
    /// The readings.
    pub readings: Vec<Reading>,
}
