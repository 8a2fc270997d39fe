//! How long readings stay: what is configured, and what was given up before its time.

use crate::point::{PointId, UtcMs};
use std::collections::HashMap;

/// So long after the last giving up the next one is a new episode. Milliseconds.
pub const EPISODE_MS: i64 = 86_400_000;

/// How long readings are kept before they are forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Of points that `points` does not name; none: for ever. Milliseconds.
    pub default_ms: Option<u64>,
    /// Of these points; none: for ever. Milliseconds.
    pub points: HashMap<PointId, Option<u64>>,
}

impl Retention {
    /// What of a point ended before this is forgotten.
    pub(super) fn horizon(&self, point: PointId, now: UtcMs) -> UtcMs {
        let keep = self.points.get(&point).copied().unwrap_or(self.default_ms);
        keep.map_or(UtcMs(i64::MIN), |keep| UtcMs(now.0.saturating_sub_unsigned(keep)))
    }

    /// Whether anything is ever forgotten.
    pub(super) fn forgets(&self) -> bool {
        self.default_ms.is_some() || self.points.values().any(Option::is_some)
    }
}

/// What was given up for want of room since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shed {
    /// Chunks and parts.
    pub pieces: u64,
    /// Bytes that became free.
    pub bytes: u64,
    /// Readings that ended before this are gone.
    pub before: UtcMs,
    /// When the giving up began that still goes on.
    pub since: UtcMs,
    /// When something was given up last.
    pub at: UtcMs,
}

impl Shed {
    /// With more of it, and whether that begins an episode.
    pub(super) fn more(
        so_far: Option<Shed>,
        pieces: u64,
        bytes: u64,
        before: UtcMs,
        at: UtcMs,
    ) -> (Shed, bool) {
        let goes_on = so_far.filter(|shed| at.since_ms(shed.at) < EPISODE_MS);
        let since = goes_on.map_or(at, |shed| shed.since);
        let (pieces_before, bytes_before) = so_far.map_or((0, 0), |shed| (shed.pieces, shed.bytes));
        let shed = Shed { pieces: pieces_before + pieces, bytes: bytes_before + bytes, before, since, at };
        (shed, goes_on.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_named_goes_before_the_default() {
        let points = HashMap::from([(PointId(1), None), (PointId(2), Some(10))]);
        let retention = Retention { default_ms: Some(100), points };
        let horizons = [1, 2, 3].map(|point| retention.horizon(PointId(point), UtcMs(1_000)).0);
        assert_eq!(horizons, [i64::MIN, 990, 900]);
        assert!(retention.forgets() && !Retention::default().forgets());
    }

    #[test]
    fn an_episode_ends_with_a_day_of_quiet() {
        let (first, fresh) = Shed::more(None, 3, 30, UtcMs(5), UtcMs(1_000));
        assert!(fresh);
        let (second, fresh) = Shed::more(Some(first), 1, 10, UtcMs(6), UtcMs(999 + EPISODE_MS));
        assert_eq!((second.since, second.pieces, second.bytes, fresh), (UtcMs(1_000), 4, 40, false));
        let (third, fresh) = Shed::more(Some(second), 0, 0, UtcMs(6), UtcMs(second.at.0 + EPISODE_MS));
        assert_eq!((third.since, fresh), (third.at, true));
    }
}
