//! What the step must know of each point.

use crate::config::{self, Conditioning};
use crate::point::{Catalogue, Decimal, PointId, Unit, UtcMs, ValueKind};

/// How the readings of one point are made.
#[derive(Clone, Debug)]
pub struct PointSettings {
    /// The point.
    pub id: PointId,
    /// Kind of the value. Decides between flag, number and word; a number that comes exact
    /// stays exact, a float stays a float.
    pub kind: ValueKind,
    /// The raw number is multiplied by this, exactly.
    pub scale: Decimal,
    /// Then this is added, exactly.
    pub offset: Decimal,
    /// Physical range of the instrument, inclusive, in the point's unit.
    pub range: Option<(Decimal, Decimal)>,
    /// Silence longer than this is said. Milliseconds of monotonic time.
    pub stale_after_ms: u64,
    /// The point's unit.
    pub unit: Unit,
    /// The numbers that are states, if it has states; any other number is none of them.
    pub states: Vec<i64>,
    /// What is done to its readings beyond that.
    pub conditioning: Conditioning,
}

impl PointSettings {
    /// Of a point whose raw value is its value.
    pub fn plain(id: PointId, kind: ValueKind, stale_after_ms: u64) -> PointSettings {
        PointSettings {
            id,
            kind,
            scale: Decimal::ONE,
            offset: Decimal::ZERO,
            range: None,
            stale_after_ms,
            unit: Unit::ONE,
            states: Vec::new(),
            conditioning: Conditioning::default(),
        }
    }
}

/// All points, and what holds for all of them.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The points.
    pub points: Vec<PointSettings>,
    /// A wall clock before this is a machine without a battery: readings are marked
    /// Uncertain (clock) until it is set.
    pub plausible_from: UtcMs,
}

impl Settings {
    /// 2026-01-01T00:00:00Z, the year of the first release.
    pub const PLAUSIBLE_FROM: UtcMs = UtcMs(1_767_225_600_000);

    /// The settings of a plan's points. A point the catalogue does not know is left out.
    pub fn from_plan(points: &[config::Point], catalogue: &Catalogue) -> Settings {
        let known = points.iter().filter_map(|point| Some((catalogue.find(&point.address)?, point)));
        let points = known
            .map(|(id, point)| PointSettings {
                id,
                kind: point.kind,
                scale: point.scale,
                offset: point.offset,
                range: point.range,
                stale_after_ms: point.stale_after_ms,
                unit: point.unit,
                states: point.states.iter().map(|state| state.value).collect(),
                conditioning: point.conditioning.clone(),
            })
            .collect();
        Settings { points, plausible_from: Self::PLAUSIBLE_FROM }
    }
}
