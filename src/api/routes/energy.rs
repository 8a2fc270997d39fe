//! `/api/v1/energy`: meters, their days and their quarter hours.

use crate::api::error::{ApiError, Failure};
use crate::api::extract::{Path, Query, instant};
use crate::api::state::AppState;
use crate::api::viewer::Viewer;
use crate::api::wire::{NamesWire, NumberWire};
use crate::config::Tariff;
use crate::energy::{CellQuality, CellView, DAYS_MAX, Day, EnergyError, MeterInfo};
use crate::point::UtcMs;
use axum::Json;
use axum::extract::State;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// The one currency of a tariff, ISO 4217.
const CURRENCY: &str = "CNY";

/// Registers that count energy.
#[derive(Debug, Serialize, ToSchema)]
pub struct Meters {
    /// In the order of the configuration.
    items: Vec<Meter>,
}

/// A meter.
#[derive(Debug, Serialize, ToSchema)]
pub struct Meter {
    /// Its id.
    id: String,
    /// Its name.
    name: NamesWire,
    /// Address of the point that carries its register.
    point: String,
    /// UCUM code of its energy.
    #[schema(example = "kW.h")]
    unit: String,
    /// How the unit is written for a person.
    symbol: &'static str,
    /// What the energy costs.
    #[schema(required)]
    tariff: Option<TariffWire>,
}

/// A price set by time of use.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Tariff)]
pub struct TariffWire {
    /// Its id.
    id: String,
    /// Its name.
    name: NamesWire,
    /// ISO 4217.
    currency: &'static str,
    /// Its classes with their prices.
    classes: Vec<Class>,
    /// 48 half hours of a civil day from 00:00, each an index into `classes`.
    half_hours: Vec<u8>,
}

/// Peak, flat, valley.
#[derive(Debug, Serialize, ToSchema)]
pub struct Class {
    /// Its id.
    #[schema(example = "peak")]
    id: String,
    /// Its name.
    name: NamesWire,
    /// Currency per unit of energy.
    price: NumberWire,
}

/// Days of a meter.
#[derive(Debug, Serialize, ToSchema)]
pub struct DayList {
    /// Id of the meter.
    meter: String,
    /// UCUM code of its energy.
    unit: String,
    /// How the unit is written for a person.
    symbol: &'static str,
    /// ISO 4217; null without a tariff.
    #[schema(required)]
    currency: Option<&'static str>,
    /// Readings from here on came late and are being counted, so that these numbers may change; null
    /// if there are none. UTC milliseconds.
    #[schema(required)]
    recounted_from: Option<i64>,
    /// Civil days of the site, oldest first.
    days: Vec<DayWire>,
}

/// A civil day of a meter.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Day)]
pub struct DayWire {
    /// The day.
    #[schema(example = "2026-11-22")]
    date: String,
    /// Its first instant, UTC milliseconds.
    start: i64,
    /// The first instant after it, UTC milliseconds.
    end: i64,
    /// The sum of its cells; null if nothing is known.
    #[schema(required)]
    energy: Option<NumberWire>,
    /// What it costs, exact and unrounded; null if nothing is known or no tariff is valid.
    #[schema(required)]
    cost: Option<NumberWire>,
    /// The same by class; they add up to the day.
    classes: Vec<Share>,
    /// Quarter hours of the whole day.
    cells: u32,
    /// Of them measured.
    good: u32,
    /// Spread over a gap.
    estimated: u32,
    /// With a reset or an impossible rise.
    event: u32,
    /// Over, and nothing is known of them.
    missing: u32,
}

/// A class's part of a day.
#[derive(Debug, Serialize, ToSchema)]
pub struct Share {
    /// Id of the class.
    id: String,
    /// Its energy.
    energy: NumberWire,
    /// Its cost.
    cost: NumberWire,
}

/// Quarter hours of a meter.
#[derive(Debug, Serialize, ToSchema)]
pub struct Cells {
    /// Oldest first.
    items: Vec<Cell>,
}

/// A quarter hour.
#[derive(Debug, Serialize, ToSchema)]
pub struct Cell {
    /// When it begins, UTC milliseconds.
    start: i64,
    /// When it ends, UTC milliseconds.
    end: i64,
    /// Its energy; null exactly when missing.
    #[schema(required)]
    energy: Option<NumberWire>,
    /// How it came about.
    quality: CellQualityWire,
    /// Id of the class it is priced in.
    #[schema(required)]
    class: Option<String>,
}

/// How a quarter hour came about.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CellQuality)]
pub enum CellQualityWire {
    /// Measured.
    Good,
    /// Spread over a gap.
    Estimated,
    /// With a reset or an impossible rise.
    Event,
    /// Nothing is known.
    Missing,
}

/// Which days.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DaysQuery {
    /// First civil day.
    #[param(value_type = String, format = Date, example = "2026-11-01")]
    from: Option<String>,
    /// Last civil day, included.
    #[param(value_type = String, format = Date, example = "2026-11-22")]
    to: Option<String>,
}

/// Which quarter hours.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CellsQuery {
    /// That begin at or after this instant, UTC milliseconds.
    #[param(value_type = i64)]
    from: Option<String>,
    /// That begin before this instant, UTC milliseconds.
    #[param(value_type = i64)]
    to: Option<String>,
}

/// List the meters
#[utoipa::path(get, path = "/api/v1/energy/meters", tag = "energy", responses((status = 200, body = Meters), Failure))]
pub async fn list_meters(_viewer: Viewer, State(state): State<AppState>) -> Json<Meters> {
    let items = state.energy().meters().iter().map(Meter::from).collect();
    Json(Meters { items })
}

/// List days of a meter
#[utoipa::path(
    get,
    path = "/api/v1/energy/meters/{id}/days",
    tag = "energy",
    params(("id" = String, Path, description = "Id of the meter"), DaysQuery),
    responses((status = 200, body = DayList), Failure)
)]
pub async fn list_days(
    _viewer: Viewer,
    State(state): State<AppState>,
    Path(id): Path<String>,
    Query(query): Query<DaysQuery>,
) -> Result<Json<DayList>, ApiError> {
    let (from, to) = (day("from", query.from.as_deref())?, day("to", query.to.as_deref())?);
    let refuse = |error| refuse(&error, &from.to_string());
    let info = state.energy().meter(&id).map_err(refuse)?;
    if from > to {
        // The end of the day before is the beginning of the next: no span to speak of, and no error below.
        return Err(refuse(EnergyError::Backwards));
    }
    let late = state.energy().late(&id).await.map_err(refuse)?;
    let days = state.energy().days(&id, from, to).await.map_err(refuse)?;
    Ok(Json(DayList {
        meter: info.id.to_string(),
        unit: info.unit.to_string(),
        symbol: info.unit.symbol(),
        currency: info.tariff.as_ref().map(|_| CURRENCY),
        recounted_from: late.map(|from| from.0),
        days: days.into_iter().map(DayWire::from).collect(),
    }))
}

/// List quarter hours of a meter
#[utoipa::path(
    get,
    path = "/api/v1/energy/meters/{id}/cells",
    tag = "energy",
    params(("id" = String, Path, description = "Id of the meter"), CellsQuery),
    responses((status = 200, body = Cells), Failure)
)]
pub async fn list_cells(
    _viewer: Viewer,
    State(state): State<AppState>,
    Path(id): Path<String>,
    Query(query): Query<CellsQuery>,
) -> Result<Json<Cells>, ApiError> {
    let (from, to) = (moment("from", query.from.as_deref())?, moment("to", query.to.as_deref())?);
    let cells = state.energy().cells(&id, from, to).await;
    let cells = cells.map_err(|error| refuse(&error, &from.0.to_string()))?;
    Ok(Json(Cells { items: cells.into_iter().map(Cell::from).collect() }))
}

fn day(name: &str, text: Option<&str>) -> Result<Date, ApiError> {
    let text = text.ok_or_else(|| ApiError::missing(name, "a civil day such as 2026-11-22"))?;
    text.parse().map_err(|_| ApiError::parameter(name, text, "a civil day such as 2026-11-22"))
}

fn moment(name: &str, text: Option<&str>) -> Result<UtcMs, ApiError> {
    instant(name, text)?.map(UtcMs).ok_or_else(|| ApiError::missing(name, "an instant in UTC milliseconds"))
}

fn refuse(error: &EnergyError, from: &str) -> ApiError {
    match error {
        EnergyError::UnknownMeter(id) => {
            ApiError::not_found("meter", id).hint("GET /api/v1/energy/meters lists them.")
        }
        EnergyError::Backwards => ApiError::parameter("from", from, "not later than to"),
        EnergyError::TooLong => {
            ApiError::parameter("from", from, format!("at most {DAYS_MAX} days before to"))
        }
        EnergyError::Db(_) | EnergyError::Sum(_) => ApiError::internal(error),
    }
}

impl From<&MeterInfo> for Meter {
    fn from(meter: &MeterInfo) -> Meter {
        Meter {
            id: meter.id.to_string(),
            name: (&meter.name).into(),
            point: meter.point.to_string(),
            unit: meter.unit.to_string(),
            symbol: meter.unit.symbol(),
            tariff: meter.tariff.as_ref().map(TariffWire::from),
        }
    }
}

impl From<&Tariff> for TariffWire {
    fn from(tariff: &Tariff) -> TariffWire {
        let class = |class: &crate::config::TariffClass| Class {
            id: class.id.to_string(),
            name: (&class.name).into(),
            price: class.price.into(),
        };
        TariffWire {
            id: tariff.id.to_string(),
            name: (&tariff.name).into(),
            currency: CURRENCY,
            classes: tariff.classes.iter().map(class).collect(),
            half_hours: tariff.half_hours.to_vec(),
        }
    }
}

impl From<Day> for DayWire {
    fn from(day: Day) -> DayWire {
        let share = |share: crate::energy::ClassShare| Share {
            id: share.id.to_string(),
            energy: share.energy.into(),
            cost: share.cost.into(),
        };
        DayWire {
            date: day.date.to_string(),
            start: day.start.0,
            end: day.end.0,
            energy: day.energy.map(NumberWire::from),
            cost: day.cost.map(NumberWire::from),
            classes: day.classes.into_iter().map(share).collect(),
            cells: day.cells,
            good: day.good,
            estimated: day.estimated,
            event: day.event,
            missing: day.missing,
        }
    }
}

impl From<CellView> for Cell {
    fn from(cell: CellView) -> Cell {
        Cell {
            start: cell.start.0,
            end: cell.end.0,
            energy: cell.energy.map(NumberWire::from),
            quality: match cell.quality {
                CellQuality::Good => CellQualityWire::Good,
                CellQuality::Estimated => CellQualityWire::Estimated,
                CellQuality::Event => CellQualityWire::Event,
                CellQuality::Missing => CellQualityWire::Missing,
            },
            class: cell.class.map(|class| class.to_string()),
        }
    }
}
