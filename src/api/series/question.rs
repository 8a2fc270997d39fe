//! What may be asked of series, with its limits.

use super::figures::Figure;
use crate::api::error::ApiError;
use crate::api::extract::{moment, number};
use crate::api::plant::PlantPoint;
use crate::api::routes::points::unknown;
use crate::api::state::AppState;
use crate::historian::query::{CalendarUnit, Cut, Hold, Reckoning, Trust, Window, Windows, WindowsError};
use crate::point::UtcMs;
use axum::http::StatusCode;
use jiff::tz::TimeZone;
use std::sync::Arc;

/// Points of one question for readings or figures at most.
pub const POINTS_MAX: usize = 24;
/// Points of one question for windows at most: a page of small charts asks for all of them at once. `CELLS_MAX` bounds
/// the work.
const CHARTED_MAX: usize = 320;
/// Columns of a chart at most.
const COLUMNS_MAX: i64 = 10_000;
/// Windows of one point at most.
const WINDOWS_MAX: u64 = 100_000;
/// Windows of all points of one question at most.
const CELLS_MAX: u64 = 500_000;
/// How far back if the request does not say, in milliseconds.
const SPAN_DEFAULT_MS: i64 = 86_400_000;

const CUTS: &str =
    "raw, columns:N with N from 1 to 10000, a width such as 10s, 15m or 1h, or 1d, 1w, 1mo, 1y";

/// How the time of an answer is cut.
#[derive(Clone, Debug)]
pub enum Grid {
    /// Not at all: the readings themselves.
    Raw,
    /// Into windows.
    Windows {
        /// They.
        windows: Windows,
        /// How many there are.
        count: usize,
        /// What is told of each.
        figures: Vec<Figure>,
    },
}

/// A question, understood.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Of which points, each once.
    pub points: Vec<Arc<PlantPoint>>,
    /// Of which time; of windows from the first to the last.
    pub window: Window,
    /// The cut as the client wrote it.
    pub cut: String,
    /// The cut.
    pub grid: Grid,
    /// Whose values count.
    pub trust: Trust,
    /// The IANA name of the zone whose days they are.
    pub zone: String,
}

impl Asked {
    /// Takes the parameters in.
    pub fn new(
        state: &AppState,
        list: Option<&str>,
        window: Window,
        (cut, figures, trust): (Option<&str>, Option<&str>, Option<&str>),
    ) -> Result<Asked, ApiError> {
        let cut = cut.unwrap_or("columns:1200");
        let most = if cut == "raw" { POINTS_MAX } else { CHARTED_MAX };
        let (points, trust) = (points(state, list, most)?, self::trust(trust)?);
        let plant = state.plant();
        let grid = match (cut, figures) {
            ("raw", None) => Grid::Raw,
            ("raw", Some(figures)) => {
                return Err(ApiError::parameter("figures", figures, "not given with cut=raw"));
            }
            (cut, figures) => {
                let known = parse_cut(cut, &plant.site().zone);
                let known = known.ok_or_else(|| ApiError::parameter("cut", cut, CUTS))?;
                let max = WINDOWS_MAX.min(CELLS_MAX / u64::try_from(points.len()).unwrap_or(CELLS_MAX));
                let windows = Windows::new(&known, window.from, window.to, max);
                let windows = windows.map_err(|error| refuse(&error, cut, points.len()))?;
                let figures = Figure::list(figures, matches!(known, Cut::Columns(_)))?;
                Grid::Windows { count: windows.clone().count(), windows, figures }
            }
        };
        let window = match &grid {
            Grid::Raw => window,
            Grid::Windows { windows, .. } => windows.span(),
        };
        Ok(Asked { points, window, cut: cut.to_owned(), grid, trust, zone: plant.zone_name().to_owned() })
    }

    /// How the readings of each point are reckoned; with its time only where a figure needs that.
    pub fn reckonings(&self, now: UtcMs) -> Vec<Reckoning> {
        let timed = match &self.grid {
            Grid::Raw => false,
            Grid::Windows { figures, .. } => figures.contains(&Figure::Weighted),
        };
        let of = |point: &Arc<PlantPoint>| {
            let reckoning = point.reckoning(self.trust, now);
            if timed { reckoning } else { Reckoning { hold: None, ..reckoning } }
        };
        self.points.iter().map(of).collect()
    }
}

impl PlantPoint {
    /// How its readings are reckoned: each holds until the point counts as stale, and not beyond
    /// now.
    pub fn reckoning(&self, trust: Trust, now: UtcMs) -> Reckoning {
        let ms = i64::try_from(self.plan.hold_ms()).unwrap_or(i64::MAX);
        Reckoning { trust, hold: Some(Hold { ms, until: now }) }
    }
}

/// The points of a list with commas between them, each named once, at most so many.
pub fn points(state: &AppState, list: Option<&str>, most: usize) -> Result<Vec<Arc<PlantPoint>>, ApiError> {
    let allowed = format!("1 to {most} addresses with commas between them, each once");
    let Some(list) = list else { return Err(ApiError::missing("points", allowed)) };
    let plant = state.plant();
    let mut points: Vec<Arc<PlantPoint>> = Vec::new();
    for address in list.split(',') {
        let point = plant.find_text(address).ok_or_else(|| unknown(address))?;
        if points.len() == most || points.iter().any(|known| known.id == point.id) {
            return Err(ApiError::parameter("points", list, allowed));
        }
        points.push(Arc::clone(point));
    }
    Ok(points)
}

/// From when to when; the day up to now if not said.
pub fn span(state: &AppState, from: Option<&str>, to: Option<&str>) -> Result<Window, ApiError> {
    // A reading stamped now is in the answer.
    let end = moment("to", to)?.unwrap_or_else(|| state.clock().utc().plus_ms(1));
    let begin = moment("from", from)?.unwrap_or(end.plus_ms(-SPAN_DEFAULT_MS));
    if begin > end {
        let found = from.map_or_else(|| begin.to_string(), str::to_owned);
        return Err(ApiError::parameter("from", &found, format!("not later than to ({end})")));
    }
    Ok(Window { from: begin, to: end })
}

/// Whose values count.
pub fn trust(text: Option<&str>) -> Result<Trust, ApiError> {
    match text {
        None | Some("usable") => Ok(Trust::Usable),
        Some("good") => Ok(Trust::Good),
        Some(other) => Err(ApiError::parameter("trust", other, "usable or good")),
    }
}

/// The cut of windows; none if it is not one.
fn parse_cut(text: &str, zone: &TimeZone) -> Option<Cut> {
    let calendar = |unit| Some(Cut::Calendar { unit, zone: zone.clone() });
    match text {
        "1d" => return calendar(CalendarUnit::Day),
        "1w" => return calendar(CalendarUnit::Week),
        "1mo" => return calendar(CalendarUnit::Month),
        "1y" => return calendar(CalendarUnit::Year),
        _ => {}
    }
    if let Some(columns) = text.strip_prefix("columns:") {
        let columns = number("cut", Some(columns), 1, COLUMNS_MAX).ok()??;
        return Some(Cut::Columns(u32::try_from(columns).ok()?));
    }
    let units = [('s', 1_000), ('m', 60_000), ('h', 3_600_000)];
    let (width, unit_ms) =
        units.into_iter().find_map(|(unit, ms)| text.strip_suffix(unit).map(|width| (width, ms)))?;
    let width_ms = number("cut", Some(width), 1, i64::from(u32::MAX)).ok()?? * unit_ms;
    Some(if 86_400_000 % width_ms == 0 {
        Cut::Clock { width_ms, zone: zone.clone() }
    } else {
        Cut::Even { width_ms, origin: UtcMs(0) }
    })
}

fn refuse(error: &WindowsError, cut: &str, points: usize) -> ApiError {
    match error {
        WindowsError::TooMany { asked, max } => {
            let message =
                format!("About {asked} windows of each of {points} points are too many; {max} are allowed.");
            ApiError::new(StatusCode::BAD_REQUEST, "too_many_windows", message)
                .hint("Ask for wider windows, a shorter time or fewer points.")
        }
        WindowsError::Backwards { .. } | WindowsError::Width(_) | WindowsError::NoColumns => {
            ApiError::parameter("cut", cut, CUTS)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_are_told_apart() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let shown = |text| match parse_cut(text, &zone) {
            None => "no".to_owned(),
            Some(Cut::Even { width_ms, .. }) => format!("even {width_ms}"),
            Some(Cut::Clock { width_ms, .. }) => format!("clock {width_ms}"),
            Some(Cut::Calendar { unit, .. }) => format!("{unit:?}"),
            Some(Cut::Columns(count)) => format!("{count} columns"),
        };
        for (text, expected) in [
            ("columns:1200", "1200 columns"),
            ("15m", "clock 900000"),
            ("24h", "clock 86400000"),
            ("7s", "even 7000"),
            ("36h", "even 129600000"),
            ("1d", "Day"),
            ("1w", "Week"),
            ("1mo", "Month"),
            ("1y", "Year"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
        for text in [
            "",
            "raw",
            "2d",
            "h",
            "-1h",
            "0s",
            "1.5h",
            "columns:",
            "columns:0",
            "columns:10001",
            "1 h",
            "99999999999h",
            "1ms",
        ] {
            assert_eq!(shown(text), "no", "{text}");
        }
    }
}
