//! Civil days and half hours of an IANA zone, as instants.
//!
//! Pure arithmetic on jiff's zone rules. A civil day is the half-open interval from its own
//! first instant to the first instant of the next day, so the days of a zone tile the time line
//! whatever a clock change does: a day has 23, 24 or 25 hours, and the one that Samoa skipped
//! has none.
//!
//! **Invariant:** asks no clock and knows no default zone: whoever asks brings both.

use crate::point::UtcMs;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// Half hours on a civil clock face; tariffs have one class for each.
pub const HALF_HOURS: u8 = 48;

/// The civil day an instant falls on. Instants beyond the years -9999 to 9999 count as the
/// first or last one.
pub fn day_of(zone: &TimeZone, at: UtcMs) -> Date {
    civil(zone, at).date()
}

/// The half hour the civil clock shows at an instant: 0 for 00:00 to 00:29, 47 for 23:30 to
/// 23:59. An hour that a clock change repeats has the same numbers twice.
pub fn half_hour_of(zone: &TimeZone, at: UtcMs) -> u8 {
    let clock = civil(zone, at);
    let number = clock.hour().unsigned_abs() * 2 + clock.minute().unsigned_abs() / 30;
    number.min(HALF_HOURS - 1)
}

/// The first instant of a civil day. Where a clock change skips midnight, that is the instant of
/// the change; where midnight comes twice, the first.
pub fn day_start(zone: &TimeZone, day: Date) -> UtcMs {
    let midnight = zone.to_ambiguous_timestamp(DateTime::from_parts(day, Time::midnight()));
    let gap = matches!(midnight.offset(), AmbiguousOffset::Gap { .. });
    match midnight.compatible() {
        // Jiff reads 00:00 in a gap with the offset before it. If the gap began before midnight
        // that is later than the change, which is when the day really begins.
        Ok(at) if gap => UtcMs(change_at_or_before(zone, at).as_millisecond()),
        Ok(at) => UtcMs(at.as_millisecond()),
        // Only the first and last day of the calendar can fail.
        Err(_) if day.year() < 0 => UtcMs(Timestamp::MIN.as_millisecond()),
        Err(_) => UtcMs(Timestamp::MAX.as_millisecond()),
    }
}

/// The first instant that does not belong to a civil day any more.
pub fn day_end(zone: &TimeZone, day: Date) -> UtcMs {
    match day.tomorrow() {
        Ok(next) => day_start(zone, next),
        Err(_) => UtcMs(Timestamp::MAX.as_millisecond()),
    }
}

fn civil(zone: &TimeZone, at: UtcMs) -> DateTime {
    let instant =
        Timestamp::from_millisecond(at.0).unwrap_or(if at.0 < 0 { Timestamp::MIN } else { Timestamp::MAX });
    zone.to_datetime(instant)
}

fn change_at_or_before(zone: &TimeZone, at: Timestamp) -> Timestamp {
    // `preceding` is exclusive.
    let just_after = at.checked_add(SignedDuration::from_nanos(1)).unwrap_or(at);
    zone.preceding(just_after).next().map_or(at, |change| change.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn at(text: &str) -> UtcMs {
        UtcMs(text.parse::<Timestamp>().unwrap().as_millisecond())
    }

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn days_begin_when_the_wall_clock_says_so_and_have_their_own_length() {
        // zone, day, its first instant, its length in minutes
        let table = [
            ("Asia/Shanghai", "2026-11-22", "2026-11-21T16:00:00Z", 1440),
            // China's own summer time, 1986 to 1991, changed at 02:00.
            ("Asia/Shanghai", "1986-05-04", "1986-05-03T16:00:00Z", 1380),
            ("Asia/Shanghai", "1986-05-05", "1986-05-04T15:00:00Z", 1440),
            ("Asia/Shanghai", "1986-09-14", "1986-09-13T15:00:00Z", 1500),
            ("Asia/Shanghai", "1991-09-15", "1991-09-14T15:00:00Z", 1500),
            ("Asia/Shanghai", "1992-04-12", "1992-04-11T16:00:00Z", 1440),
            ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00:00Z", 1380),
            ("Europe/Berlin", "2026-10-25", "2026-10-24T22:00:00Z", 1500),
            ("Asia/Kolkata", "2026-01-01", "2025-12-31T18:30:00Z", 1440),
            ("Asia/Kathmandu", "2026-01-01", "2025-12-31T18:15:00Z", 1440),
            // Half an hour of summer time.
            ("Australia/Lord_Howe", "2026-04-05", "2026-04-04T13:00:00Z", 1470),
            // The change skips midnight itself: the day begins at 01:00.
            ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z", 1380),
            // The gap began before midnight, from 23:30 to 00:30.
            ("America/Toronto", "1919-03-31", "1919-03-31T04:30:00Z", 1410),
            // Midnight comes twice.
            ("America/Havana", "2025-11-02", "2025-11-02T04:00:00Z", 1500),
            // Samoa left this day out.
            ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z", 0),
        ];
        for (name, date, start, minutes) in table {
            let (zone, date) = (zone(name), day(date));
            assert_eq!(day_start(&zone, date), at(start), "{name} {date}");
            let length = day_end(&zone, date).since_ms(day_start(&zone, date));
            assert_eq!(length, minutes * 60_000, "{name} {date}");
        }
    }

    #[test]
    fn half_hours_follow_the_civil_clock() {
        let table = [
            ("Asia/Shanghai", "2026-11-21T16:00:00Z", 0),
            ("Asia/Shanghai", "2026-11-22T00:29:59.999Z", 16),
            ("Asia/Shanghai", "2026-11-22T00:30:00Z", 17),
            ("Asia/Shanghai", "2026-11-22T15:59:59.999Z", 47),
            ("Asia/Kolkata", "2026-01-01T00:00:00Z", 11),
            ("Asia/Kathmandu", "2026-01-01T00:15:00Z", 12),
            // 02:00 to 03:00 is left out in spring and comes twice in autumn.
            ("Europe/Berlin", "2026-03-29T00:59:59Z", 3),
            ("Europe/Berlin", "2026-03-29T01:00:00Z", 6),
            ("Europe/Berlin", "2026-10-25T00:00:00Z", 4),
            ("Europe/Berlin", "2026-10-25T01:00:00Z", 4),
            // Before 1970, and before the epoch of the zone.
            ("Asia/Shanghai", "1969-12-31T23:59:59.999Z", 15),
        ];
        for (name, instant, expected) in table {
            assert_eq!(half_hour_of(&zone(name), at(instant)), expected, "{name} {instant}");
        }
    }

    #[test]
    fn the_ends_of_the_calendar_do_not_panic() {
        let zone = zone("Asia/Shanghai");
        assert_eq!(day_of(&zone, UtcMs(i64::MAX)).year(), 9999);
        assert_eq!(day_of(&zone, UtcMs(i64::MIN)).year(), -9999);
        assert!(day_start(&zone, Date::MIN) < day_start(&zone, day("2026-01-01")));
        assert!(day_end(&zone, Date::MAX) > day_start(&zone, day("2026-01-01")));
    }

    proptest! {
        /// Every instant lies in the day it is said to fall on.
        #[test]
        fn days_tile_the_time_line(seconds in 0_i64..4_000_000_000, pick in 0_usize..6) {
            let names = ["Asia/Shanghai", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe",
                "America/Sao_Paulo", "Asia/Kathmandu"];
            let (zone, at) = (zone(names[pick]), UtcMs(seconds * 1_000 + 7));
            let date = day_of(&zone, at);
            prop_assert!(day_start(&zone, date) <= at);
            prop_assert!(at < day_end(&zone, date));
        }
    }
}
