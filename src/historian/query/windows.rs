//! Time cut into windows: of even width, by the civil clock and calendar, or into columns.
//!
//! Windows are half open and follow each other without a gap. The first is the one that holds the
//! first instant asked for, the last the one that holds the last: a window is always whole, so
//! that "the hour from nine" is the same whoever asks. Columns alone are cut to what was asked.

use crate::calendar;
use crate::point::UtcMs;
use jiff::Timestamp;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

/// The milliseconds of a civil day without a clock change.
const DAY_MS: i64 = 86_400_000;

/// A stretch of time: `from <= at < to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first instant.
    pub from: UtcMs,
    /// The first instant behind it.
    pub to: UtcMs,
}

/// How time is cut.
#[derive(Clone, Debug)]
pub enum Cut {
    /// Into windows of one width, of which one begins at `origin`.
    Even {
        /// Milliseconds, 1 or more.
        width_ms: i64,
        /// Where a window begins.
        origin: UtcMs,
    },
    /// By the civil clock: a window begins whenever it shows a multiple of the width since
    /// midnight, and where a clock change leaves that moment out, at the change. A clock change
    /// makes a window shorter or longer unless it is by a multiple of the width.
    Clock {
        /// Milliseconds, a whole part of 24 hours.
        width_ms: i64,
        /// Whose clock.
        zone: TimeZone,
    },
    /// By the civil calendar.
    Calendar {
        /// What a window is.
        unit: CalendarUnit,
        /// Whose calendar.
        zone: TimeZone,
    },
    /// Into so many columns, even to the millisecond; if that is shorter, into one for each
    /// millisecond.
    Columns(u32),
}

/// A window of the civil calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CalendarUnit {
    /// From midnight to midnight, 23 to 25 hours. One that a zone left out does not exist.
    Day,
    /// From Monday (ISO 8601).
    Week,
    /// A month.
    Month,
    /// A year.
    Year,
}

/// Why time cannot be cut like that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WindowsError {
    /// The end lies before the beginning.
    #[error("the end ({to}) lies before the beginning ({from})")]
    Backwards {
        /// The beginning.
        from: UtcMs,
        /// The end.
        to: UtcMs,
    },
    /// Not a width.
    #[error("a window cannot be {0} ms wide: at least 1 ms, and by the civil clock a whole part of 24 hours")]
    Width(i64),
    /// No columns.
    #[error("at least one column is needed")]
    NoColumns,
    /// More windows than allowed.
    #[error(
        "about {asked} windows are asked for, at most {max} are allowed: ask for wider ones or a shorter time"
    )]
    TooMany {
        /// How many, not counting what clock changes add or take.
        asked: u64,
        /// How many may be.
        max: u64,
    },
}

/// The windows of a stretch of time, in order.
#[derive(Clone, Debug)]
pub struct Windows {
    grid: Grid,
    start: i64,
    end: i64,
}

/// Finds the next border between windows.
#[derive(Clone, Debug)]
enum Grid {
    Even(i64),
    Clock(Clock),
    /// The first day of the window that begins next.
    Calendar(CalendarUnit, TimeZone, Date),
    Columns {
        from: i64,
        to: i64,
        count: i64,
        begun: i64,
    },
}

impl Windows {
    /// The windows that touch `from <= t < to`, at most `max`.
    pub fn new(cut: &Cut, from: UtcMs, to: UtcMs, max: u64) -> Result<Windows, WindowsError> {
        if to < from {
            return Err(WindowsError::Backwards { from, to });
        }
        let asked = cut.count(to.0.abs_diff(from.0))?;
        if asked > max {
            return Err(WindowsError::TooMany { asked, max });
        }
        if from == to {
            return Ok(Windows::one(Window { from, to }));
        }
        let (grid, start) = Grid::at(cut, from, to);
        if let Cut::Columns(_) = cut {
            return Ok(Windows { grid, start, end: to.0 });
        }
        let (mut last, begins) = Grid::at(cut, to.plus_ms(-1), to);
        Ok(Windows { grid, start, end: last.after(begins) })
    }

    /// This one window, or none if it is empty.
    pub fn one(window: Window) -> Windows {
        let (start, end) = (window.from.0, window.to.0);
        Windows { grid: Grid::Columns { from: start, to: end, count: 1, begun: 0 }, start, end }
    }

    /// From the beginning of the first window to the end of the last: what must be read.
    pub fn span(&self) -> Window {
        Window { from: UtcMs(self.start), to: UtcMs(self.end) }
    }
}

impl Iterator for Windows {
    type Item = Window;

    fn next(&mut self) -> Option<Window> {
        while self.start < self.end {
            let (from, to) = (self.start, self.grid.after(self.start));
            self.start = to;
            // A day that was left out has no length.
            if from < to {
                return Some(Window { from: UtcMs(from), to: UtcMs(to) });
            }
        }
        None
    }
}

impl Cut {
    /// About how many windows so many milliseconds are: without clock changes, and with the
    /// shortest month and year.
    fn count(&self, span_ms: u64) -> Result<u64, WindowsError> {
        let width_ms = match self {
            Cut::Even { width_ms, .. } if *width_ms >= 1 => *width_ms,
            Cut::Clock { width_ms, .. } if *width_ms >= 1 && DAY_MS % width_ms == 0 => *width_ms,
            Cut::Even { width_ms, .. } | Cut::Clock { width_ms, .. } => {
                return Err(WindowsError::Width(*width_ms));
            }
            Cut::Calendar { unit, .. } => match unit {
                CalendarUnit::Day => DAY_MS,
                CalendarUnit::Week => 7 * DAY_MS,
                CalendarUnit::Month => 28 * DAY_MS,
                CalendarUnit::Year => 365 * DAY_MS,
            },
            Cut::Columns(0) => return Err(WindowsError::NoColumns),
            Cut::Columns(count) => return Ok(u64::from(*count)),
        };
        Ok(span_ms.div_ceil(width_ms.unsigned_abs()))
    }
}

impl Grid {
    /// Standing at the beginning of the window that holds `at`, which is the second.
    fn at(cut: &Cut, at: UtcMs, to: UtcMs) -> (Grid, i64) {
        match cut {
            Cut::Even { width_ms, origin } => {
                let back = (i128::from(at.0) - i128::from(origin.0)).rem_euclid(i128::from(*width_ms));
                // Less than the width, so it fits.
                let back = i64::try_from(back).unwrap_or_default();
                (Grid::Even(*width_ms), at.0.saturating_sub(back))
            }
            Cut::Clock { width_ms, zone } => {
                let start = Clock::floor(zone, *width_ms, at);
                (Grid::Clock(Clock::at(zone.clone(), *width_ms, start)), start)
            }
            Cut::Calendar { unit, zone } => {
                let day = unit.first_day(calendar::day_of(zone, at));
                (Grid::Calendar(*unit, zone.clone(), day), calendar::day_start(zone, day).0)
            }
            Cut::Columns(count) => {
                let count = i64::from(*count).min(to.since_ms(at));
                (Grid::Columns { from: at.0, to: to.0, count, begun: 0 }, at.0)
            }
        }
    }

    /// Where the window ends that begins at `start`.
    fn after(&mut self, start: i64) -> i64 {
        match self {
            Grid::Even(width) => start.saturating_add(*width),
            Grid::Clock(clock) => clock.after(start),
            Grid::Calendar(unit, zone, day) => match unit.next(*day) {
                Some(next) => {
                    *day = next;
                    calendar::day_start(zone, next).0
                }
                None => i64::MAX,
            },
            Grid::Columns { from, to, count, begun } => {
                *begun += 1;
                let span = i128::from(*to) - i128::from(*from);
                let border = i128::from(*from) + span * i128::from(*begun) / i128::from(*count);
                i64::try_from(border).unwrap_or(*to)
            }
        }
    }
}

impl CalendarUnit {
    fn first_day(self, day: Date) -> Date {
        match self {
            CalendarUnit::Day => day,
            CalendarUnit::Week if day.weekday() == Weekday::Monday => day,
            // Only the first days of the calendar have no Monday before them.
            CalendarUnit::Week => day.nth_weekday(-1, Weekday::Monday).unwrap_or(day),
            CalendarUnit::Month => day.first_of_month(),
            CalendarUnit::Year => day.first_of_year(),
        }
    }

    fn next(self, day: Date) -> Option<Date> {
        match self {
            CalendarUnit::Day => day.tomorrow().ok(),
            CalendarUnit::Week => day.nth_weekday(1, Weekday::Monday).ok(),
            CalendarUnit::Month => day.last_of_month().tomorrow().ok(),
            CalendarUnit::Year => day.last_of_year().tomorrow().ok(),
        }
    }
}

/// A civil clock between two of its changes.
#[derive(Clone, Debug)]
struct Clock {
    zone: TimeZone,
    width: i64,
    /// What it is ahead of UTC, and until when.
    offset: i64,
    change: i64,
}

impl Clock {
    fn at(zone: TimeZone, width: i64, at: i64) -> Clock {
        let instant = timestamp(at);
        let offset = i64::from(zone.to_offset(instant).seconds()) * 1_000;
        let change =
            zone.following(instant).next().map_or(i64::MAX, |next| next.timestamp().as_millisecond());
        Clock { zone, width, offset, change }
    }

    /// The number of the multiple of the width it has passed, and whether it shows one just now.
    fn shows(&self, at: i64) -> (i64, bool) {
        let local = at.saturating_add(self.offset);
        (local.div_euclid(self.width), local.rem_euclid(self.width) == 0)
    }

    /// Whether a window begins at its next change; goes on to behind the change.
    fn pass_change(&mut self) -> bool {
        let at = self.change;
        let (before, _) = self.shows(at.saturating_sub(1));
        *self = Clock::at(self.zone.clone(), self.width, at);
        let (after, whole) = self.shows(at);
        whole || after != before
    }

    fn after(&mut self, start: i64) -> i64 {
        let mut from = start;
        loop {
            let back = from.saturating_add(self.offset).rem_euclid(self.width);
            let border = from.saturating_add(self.width - back);
            if border < self.change {
                return border;
            }
            from = self.change;
            if from == i64::MAX || self.pass_change() {
                return from;
            }
        }
    }

    /// The beginning of the window that holds `at`.
    fn floor(zone: &TimeZone, width: i64, at: UtcMs) -> i64 {
        let mut at = at.0;
        loop {
            let clock = Clock::at(zone.clone(), width, at);
            let border = at.saturating_sub(at.saturating_add(clock.offset).rem_euclid(width));
            // `preceding` is exclusive.
            let change = zone.preceding(timestamp(at.saturating_add(1))).next();
            let Some(change) = change.map(|change| change.timestamp().as_millisecond()) else {
                return border;
            };
            if change <= border {
                return border;
            }
            if Clock::at(zone.clone(), width, change - 1).pass_change() {
                return change;
            }
            at = change - 1;
        }
    }
}

/// The instant, held at the ends of the calendar.
fn timestamp(at_ms: i64) -> Timestamp {
    let end = if at_ms < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(at_ms).unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: i64 = 3_600_000;
    const MINUTE: i64 = 60_000;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn at(text: &str) -> UtcMs {
        UtcMs(text.parse::<Timestamp>().unwrap().as_millisecond())
    }

    fn clock(width_ms: i64, name: &str) -> Cut {
        Cut::Clock { width_ms, zone: zone(name) }
    }

    fn calendar(unit: CalendarUnit, name: &str) -> Cut {
        Cut::Calendar { unit, zone: zone(name) }
    }

    fn windows(cut: &Cut, from: UtcMs, to: UtcMs) -> Vec<Window> {
        let windows = Windows::new(cut, from, to, 1_000_000).unwrap();
        let span = windows.span();
        let all: Vec<_> = windows.collect();
        let ends = all.first().zip(all.last());
        assert_eq!(ends.map_or(span, |(first, last)| Window { from: first.from, to: last.to }), span);
        all
    }

    fn minutes(windows: &[Window]) -> Vec<i64> {
        windows.iter().map(|window| window.to.since_ms(window.from) / MINUTE).collect()
    }

    #[test]
    fn even_windows_are_whole_and_count_from_their_origin() {
        let cut = Cut::Even { width_ms: 10, origin: UtcMs(3) };
        let found: Vec<_> = windows(&cut, UtcMs(-5), UtcMs(14)).iter().map(|w| (w.from.0, w.to.0)).collect();
        assert_eq!(found, [(-7, 3), (3, 13), (13, 23)]);
        assert_eq!(windows(&cut, UtcMs(-7), UtcMs(3)).len(), 1);
        assert_eq!(windows(&cut, UtcMs(5), UtcMs(5)), []);
    }

    /// From where, how many minutes of time, how many minutes before it the first window begins,
    /// the lengths of the windows in minutes.
    type Case = (&'static str, i64, i64, &'static [i64]);

    fn check(cut: &Cut, (from, len, early, lengths): Case) {
        let from = at(from);
        let found = windows(cut, from, from.plus_ms(len * MINUTE));
        assert_eq!(minutes(&found), lengths, "{cut:?} {from}");
        assert_eq!(from.since_ms(found[0].from), early * MINUTE, "{cut:?} {from}");
    }

    #[test]
    fn hours_begin_when_the_civil_clock_says_so() {
        let table: &[(&str, i64, Case)] = &[
            ("Asia/Shanghai", 60, ("2026-11-22T00:10Z", 120, 10, &[60; 3])),
            ("Asia/Kolkata", 60, ("2026-11-22T00:00Z", 60, 30, &[60; 2])),
            ("Asia/Kathmandu", 60, ("2026-11-22T00:00Z", 15, 45, &[60])),
            ("Asia/Kathmandu", 15, ("2026-11-22T00:01Z", 15, 1, &[15; 2])),
            // From 02:00 to 03:00.
            ("Europe/Berlin", 60, ("2026-03-29T00:00Z", 120, 0, &[60; 2])),
            ("Europe/Berlin", 120, ("2026-03-28T23:00Z", 180, 0, &[120, 60])),
            ("Europe/Berlin", 360, ("2026-03-28T23:00Z", 600, 0, &[300, 360])),
            // And back.
            ("Europe/Berlin", 60, ("2026-10-25T00:00Z", 120, 0, &[60; 2])),
            ("Europe/Berlin", 120, ("2026-10-25T00:30Z", 180, 30, &[60, 120, 120])),
            ("Europe/Berlin", 360, ("2026-10-25T04:59Z", 2, 419, &[420, 360])),
            // Half an hour of summer time: from 02:00 to 02:30, and back to 01:30.
            ("Australia/Lord_Howe", 60, ("2026-10-03T14:30Z", 91, 0, &[60, 30, 60])),
            ("Australia/Lord_Howe", 60, ("2026-04-04T15:29Z", 2, 89, &[90, 60])),
            ("Australia/Lord_Howe", 15, ("2026-04-04T14:00Z", 90, 0, &[15; 6])),
            // No midnight: 23:59 is followed by 01:00.
            ("America/Sao_Paulo", 720, ("2018-11-03T15:00Z", 1380, 0, &[720, 660])),
            // 29 December is followed by 31 December.
            ("Pacific/Apia", 720, ("2011-12-29T22:00Z", 1440, 0, &[720; 2])),
        ];
        for (name, width, case) in table {
            check(&clock(width * MINUTE, name), *case);
        }
        // Before 1901 Shanghai was 8:05:43 ahead.
        let old = windows(&clock(HOUR, "Asia/Shanghai"), at("1899-12-31T16:00Z"), at("1899-12-31T16:30Z"));
        assert_eq!((old[0].from, old.len()), (at("1899-12-31T15:54:17Z"), 1));
    }

    #[test]
    fn days_weeks_months_and_years_are_those_of_the_calendar() {
        use CalendarUnit::{Day, Month, Week, Year};
        let table: &[(CalendarUnit, &str, Case)] = &[
            (Day, "Asia/Shanghai", ("2026-11-22T15:59Z", 2, 1439, &[1440, 1440])),
            (Day, "Europe/Berlin", ("2026-03-28T22:00Z", 1500, 1380, &[1440, 1380, 1440])),
            (Day, "Europe/Berlin", ("2026-10-24T22:00Z", 1500, 0, &[1500])),
            // China's own summer time.
            (Day, "Asia/Shanghai", ("1986-05-03T16:00Z", 1380, 0, &[1380])),
            // Midnight comes twice.
            (Day, "America/Havana", ("2025-11-02T05:30Z", 1, 90, &[1500])),
            // 29 and 31 December, 1 January: the day between does not exist.
            (Day, "Pacific/Apia", ("2011-12-29T10:00Z", 2 * 1440 + 1, 0, &[1440; 3])),
            // 22 November 2026 is a Sunday.
            (Week, "Asia/Shanghai", ("2026-11-22T15:59Z", 2, 7 * 1440 - 1, &[7 * 1440, 7 * 1440])),
            (Week, "Asia/Shanghai", ("2026-11-15T16:00Z", 1, 0, &[7 * 1440])),
            (Week, "Europe/Berlin", ("2026-03-22T23:00Z", 1, 0, &[7 * 1440 - 60])),
            (Month, "Asia/Shanghai", ("2024-01-31T15:59Z", 2, 31 * 1440 - 1, &[31 * 1440, 29 * 1440])),
            (Month, "Pacific/Apia", ("2011-12-01T10:00Z", 1, 0, &[30 * 1440])),
            (Year, "Asia/Kathmandu", ("2024-12-31T18:14Z", 2, 366 * 1440 - 1, &[366 * 1440, 365 * 1440])),
            (Year, "Asia/Shanghai", ("1970-01-01T00:00Z", 1, 480, &[365 * 1440])),
            (Year, "Asia/Shanghai", ("2039-12-31T16:00Z", 1, 0, &[366 * 1440])),
        ];
        for (unit, name, case) in table {
            check(&calendar(*unit, name), *case);
        }
    }

    #[test]
    fn what_cannot_be_cut_is_said() {
        let new = |cut: Cut, from, to, max| Windows::new(&cut, UtcMs(from), UtcMs(to), max).map(drop);
        let even = |width_ms| Cut::Even { width_ms, origin: UtcMs(0) };
        assert_eq!(new(even(10), 0, 100, 10), Ok(()));
        assert_eq!(new(even(10), 0, 101, 10), Err(WindowsError::TooMany { asked: 11, max: 10 }));
        let whole = u64::MAX / 10 + 1;
        assert_eq!(new(even(10), i64::MIN, i64::MAX, 9), Err(WindowsError::TooMany { asked: whole, max: 9 }));
        assert_eq!(new(even(0), 0, 1, 10), Err(WindowsError::Width(0)));
        assert_eq!(new(clock(7 * HOUR, "UTC"), 0, 1, 10), Err(WindowsError::Width(7 * HOUR)));
        assert_eq!(new(clock(-1, "UTC"), 0, 1, 10), Err(WindowsError::Width(-1)));
        assert_eq!(new(Cut::Columns(0), 0, 1, 10), Err(WindowsError::NoColumns));
        assert_eq!(new(Cut::Columns(7), 0, 40, 7), Ok(()));
        assert_eq!(new(even(10), 1, 0, 10), Err(WindowsError::Backwards { from: UtcMs(1), to: UtcMs(0) }));
        let year = 366 * DAY_MS;
        assert!(new(calendar(CalendarUnit::Day, "UTC"), 0, year, 365).is_err());
    }

    #[test]
    fn the_ends_of_time_do_not_panic_or_hang() {
        let cuts = [
            Cut::Even { width_ms: i64::MAX, origin: UtcMs(-7) },
            clock(DAY_MS, "Asia/Shanghai"),
            calendar(CalendarUnit::Day, "Asia/Shanghai"),
            calendar(CalendarUnit::Week, "Europe/Berlin"),
            calendar(CalendarUnit::Year, "Europe/Berlin"),
            Cut::Columns(7),
        ];
        for cut in cuts {
            for from in [i64::MIN, i64::MIN + 1, i64::MAX - 9 * DAY_MS, i64::MAX - 1, 253_402_207_200_000] {
                let to = UtcMs(from).plus_ms(9 * DAY_MS);
                assert!(windows(&cut, UtcMs(from), to).len() < 20, "{cut:?} {from}");
            }
        }
    }

    proptest! {
        /// Columns have no drift: they differ by at most a millisecond and end where they must.
        #[test]
        fn columns_are_even(from in -1_000_000_i64..3_000_000_000_000, span in 1_i64..40_000_000_000, count in 1_u32..3_000) {
            let found = windows(&Cut::Columns(count), UtcMs(from), UtcMs(from + span));
            prop_assert_eq!(found.len(), usize::try_from(i64::from(count).min(span)).unwrap());
            prop_assert_eq!((found[0].from.0, found[found.len() - 1].to.0), (from, from + span));
            let widths: Vec<_> = found.iter().map(|w| w.to.since_ms(w.from)).collect();
            prop_assert!(widths.iter().max().unwrap() - widths.iter().min().unwrap() <= 1);
        }

        /// Windows tile the time, hold what was asked for, and are the same wherever one begins.
        #[test]
        fn windows_are_the_same_wherever_one_begins(
            from in -1_000_000_000_i64..3_000_000_000, skip in 0_i64..3_000_000, len in 1_i64..3_000_000,
            cut in 0_usize..9, name in 0_usize..8,
        ) {
            let name = ["Asia/Shanghai", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe",
                "America/Sao_Paulo", "Asia/Kathmandu", "Pacific/Apia", "America/Havana"][name];
            let cut = match cut {
                0 => Cut::Even { width_ms: 7 * HOUR, origin: at("2026-01-01T00:00:00Z") },
                1 => clock(30 * MINUTE, name),
                2 => clock(HOUR, name),
                3 => clock(3 * HOUR, name),
                4 => clock(12 * HOUR, name),
                5 => calendar(CalendarUnit::Day, name),
                6 => calendar(CalendarUnit::Week, name),
                7 => calendar(CalendarUnit::Month, name),
                _ => calendar(CalendarUnit::Year, name),
            };
            let (from, to) = (UtcMs(from * 1_000), UtcMs((from + skip + len) * 1_000));
            let inner = from.plus_ms(skip * 1_000);
            let all = windows(&cut, from, to);
            prop_assert!(all[0].from <= from && from < all[0].to);
            prop_assert!(all[all.len() - 1].from < to && to <= all[all.len() - 1].to);
            prop_assert!(all.windows(2).all(|pair| pair[0].to == pair[1].from));
            let later = windows(&cut, inner, to);
            prop_assert_eq!(&all[all.len() - later.len()..], &later[..]);
        }

        /// A window by the civil clock begins at a multiple of its width, or at a change.
        #[test]
        fn clock_windows_begin_at_multiples_or_changes(seconds in 0_i64..3_000_000_000, hours in 0_usize..4, name in 0_usize..3) {
            let name = ["Australia/Lord_Howe", "Europe/Berlin", "Asia/Kathmandu"][name];
            let width = [1, 2, 6, 12][hours] * HOUR;
            let from = UtcMs(seconds * 1_000);
            let zone = zone(name);
            for window in windows(&clock(width, name), from, from.plus_ms(40 * DAY_MS)) {
                let instant = timestamp(window.from.0);
                let local = window.from.0 + i64::from(zone.to_offset(instant).seconds()) * 1_000;
                let changed = zone.preceding(timestamp(window.from.0 + 1)).next().unwrap().timestamp() == instant;
                prop_assert!(local.rem_euclid(width) == 0 || changed);
            }
        }
    }
}
