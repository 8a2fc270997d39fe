//! Days of work and of rest in China, and what the clock of the hospital shows.

use crate::point::UtcMs;
use jiff::civil::{Date, date};

/// China Standard Time is UTC+8 all year.
const ZONE_MS: i64 = 8 * 3_600_000;
const DAY_MS: i64 = 86_400_000;
/// Milliseconds of a week.
pub const WEEK_MS: i64 = 7 * DAY_MS;
/// 1970 began on a Thursday.
const THURSDAY_MS: i64 = 3 * DAY_MS;

/// What kind of day it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayKind {
    /// The outpatient departments are open.
    Work,
    /// Saturday or Sunday.
    Weekend,
    /// A public holiday.
    Holiday,
}

/// What clock and calendar on the wall show.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Civil {
    /// Hours since midnight, with their fraction.
    pub hour: f64,
    /// Days since 1970-01-01 here.
    pub day: i64,
    /// Day of the year, 0 to 365, with its fraction.
    pub season: f64,
    /// Monday is 0.
    pub weekday: i64,
    /// What kind of day it is.
    pub kind: DayKind,
}

/// Public holidays, first and last day, and the days of weekends that are worked for them:
/// notices of the General Office of the State Council for 2025 (of 2024-11-12) and 2026 (of
/// 2025-11-04), as published; other years have their weekends only.
const HOLIDAYS: [(Date, Date); 14] = [
    (date(2025, 1, 1), date(2025, 1, 1)),
    (date(2025, 1, 28), date(2025, 2, 4)),
    (date(2025, 4, 4), date(2025, 4, 6)),
    (date(2025, 5, 1), date(2025, 5, 5)),
    (date(2025, 5, 31), date(2025, 6, 2)),
    (date(2025, 10, 1), date(2025, 10, 8)),
    (date(2026, 1, 1), date(2026, 1, 3)),
    (date(2026, 2, 15), date(2026, 2, 23)),
    (date(2026, 4, 4), date(2026, 4, 6)),
    (date(2026, 5, 1), date(2026, 5, 5)),
    (date(2026, 6, 19), date(2026, 6, 21)),
    (date(2026, 9, 25), date(2026, 9, 27)),
    (date(2026, 10, 1), date(2026, 10, 7)),
    (date(2027, 1, 1), date(2027, 1, 1)),
];
const WORKED: [Date; 11] = [
    date(2025, 1, 26),
    date(2025, 2, 8),
    date(2025, 4, 27),
    date(2025, 9, 28),
    date(2025, 10, 11),
    date(2026, 1, 4),
    date(2026, 2, 14),
    date(2026, 2, 28),
    date(2026, 5, 9),
    date(2026, 9, 20),
    date(2026, 10, 10),
];

/// What the wall shows at a moment.
pub fn civil(at: UtcMs) -> Civil {
    let local = at.0 + ZONE_MS;
    let day = local.div_euclid(DAY_MS);
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a day")]
    let hour = local.rem_euclid(DAY_MS) as f64 / 3_600_000.0;
    let today = date(1970, 1, 1).saturating_add(jiff::Span::new().days(day.clamp(-700_000, 2_900_000)));
    let weekday = (day + 3).rem_euclid(7);
    Civil {
        hour,
        day,
        season: f64::from(today.day_of_year() - 1) + hour / 24.0,
        weekday,
        kind: kind_of(today, weekday),
    }
}

/// How many weeks have begun since 1970, on Mondays.
pub fn weeks(at: UtcMs) -> i64 {
    (at.0 + ZONE_MS + THURSDAY_MS).div_euclid(WEEK_MS)
}

/// When the week of this number begins.
pub fn monday(week: i64) -> UtcMs {
    UtcMs(week * WEEK_MS - THURSDAY_MS - ZONE_MS)
}

fn kind_of(today: Date, weekday: i64) -> DayKind {
    if HOLIDAYS.iter().any(|(first, last)| (*first..=*last).contains(&today)) {
        DayKind::Holiday
    } else if weekday < 5 || WORKED.contains(&today) {
        DayKind::Work
    } else {
        DayKind::Weekend
    }
}
