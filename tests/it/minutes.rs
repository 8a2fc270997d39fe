//! Readings of a register, a minute apart.

use plantroom::point::{Decimal, PointId, Quality, Reading, UtcMs, Value};

/// 2026-11-22 00:00 in Shanghai.
pub const MIDNIGHT: UtcMs = UtcMs(1_795_276_800_000);

/// The reading of point 1 in a minute of that day: `counts` hundredths.
pub fn reading(minute: i64, counts: i64) -> Reading {
    Reading {
        point: PointId(1),
        at: MIDNIGHT.plus_ms(minute * 60_000),
        value: Some(Value::Decimal(Decimal::new(counts, -2).unwrap())),
        quality: Quality::Good,
    }
}
