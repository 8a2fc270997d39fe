//! An instant as the disk and the wire carry it: UTC, integer milliseconds.

use std::fmt;

/// Milliseconds since 1970-01-01T00:00:00Z, without leap seconds. Negative before it.
///
/// Zones and calendars are `calendar`'s business; this is only an instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcMs(pub i64);

impl UtcMs {
    /// 2000-01-01T00:00:00Z: a source time before it is a device without a clock.
    pub const SOURCE_MIN: UtcMs = UtcMs(946_684_800_000);

    /// This instant moved by `ms` (may be negative), held at the ends of the range.
    #[must_use]
    pub fn plus_ms(self, ms: i64) -> UtcMs {
        UtcMs(self.0.saturating_add(ms))
    }

    /// `self - earlier` in milliseconds; negative if `earlier` is later.
    pub fn since_ms(self, earlier: UtcMs) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// RFC 3339 in UTC with milliseconds; out of the calendar's range the bare number.
impl fmt::Display for UtcMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) => write!(f, "{at:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_rfc_3339_with_milliseconds() {
        assert_eq!(UtcMs(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(UtcMs(1_763_700_000_123).to_string(), "2025-11-21T04:40:00.123Z");
        assert_eq!(UtcMs(i64::MAX).to_string(), format!("{} ms", i64::MAX));
    }
}
