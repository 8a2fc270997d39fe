//! How busy the hospital is. Shares of the usual most, 0 to about 1.

use super::calendar::{Civil, DayKind};
use super::noise;
use crate::point::UtcMs;

/// Who is there.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct People {
    /// Patients and companions in the outpatient departments.
    pub outpatients: f64,
    /// Beds taken.
    pub inpatients: f64,
    /// Awake and about on the wards: meals, washing, rounds.
    pub ward_activity: f64,
    /// Staff on duty.
    pub staff: f64,
    /// Operating rooms in use.
    pub surgery: f64,
    /// Kitchens and laundry.
    pub services: f64,
}

/// Who is there at a moment.
pub fn people(at: UtcMs, civil: &Civil, seed: u64) -> People {
    let open = match civil.kind {
        DayKind::Work => 1.0,
        DayKind::Weekend => 0.45,
        DayKind::Holiday => 0.18,
    };
    // Mondays are full, Fridays are not.
    let week = [1.1, 1.04, 1.0, 0.98, 0.94, 1.0, 0.9];
    let week = usize::try_from(civil.weekday).ok().and_then(|day| week.get(day)).copied().unwrap_or(1.0);
    let today = 1.0 + 0.08 * (2.0 * noise::draw(seed, 11, civil.day) - 1.0);
    let hour = civil.hour;
    let morning = hill(hour, 7.0, 9.3, 10.5, 12.3);
    let afternoon = hill(hour, 13.2, 14.4, 15.6, 17.6);
    let beds = match civil.kind {
        DayKind::Work => 0.93,
        DayKind::Weekend => 0.88,
        DayKind::Holiday => 0.74,
    };
    let meals = hill(hour, 6.0, 6.8, 7.4, 8.4)
        + hill(hour, 10.8, 11.5, 12.2, 13.2)
        + hill(hour, 16.6, 17.4, 18.2, 19.4);
    let awake = hill(hour, 5.5, 7.0, 20.5, 22.5);
    People {
        outpatients: 0.03 + open * week * today * (0.97 * morning + 0.66 * afternoon),
        inpatients: beds + 0.02 * noise::wander(seed, 12, at, 86_400_000),
        ward_activity: (0.16 + 0.5 * awake + 0.34 * meals.min(1.0)) * beds,
        staff: 0.26 + open * 0.74 * hill(hour, 6.8, 8.2, 16.8, 18.6),
        surgery: 0.05 + open * 0.9 * today * hill(hour, 7.6, 9.0, 14.5, 18.5),
        services: 0.12
            + (0.4 + 0.6 * open) * (0.55 * hill(hour, 5.0, 6.5, 15.0, 18.0) + 0.35 * meals.min(1.0)),
    }
}

/// 0 before `from`, 1 from `top` to `till`, 0 after `to`, in straight lines.
fn hill(hour: f64, from: f64, top: f64, till: f64, to: f64) -> f64 {
    ((hour - from) / (top - from)).min((to - hour) / (to - till)).clamp(0.0, 1.0)
}
