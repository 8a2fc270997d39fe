//! `/api/v1/points/{asset}/{quantity}/readings`: the history of a point.

use super::points::find;
use crate::api::error::{ApiError, Failure};
use crate::api::extract::{Path, Query, instant, limit};
use crate::api::state::AppState;
use crate::api::viewer::Viewer;
use crate::api::wire::ReadingWire;
use crate::point::UtcMs;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Readings of one answer at most.
const LIMIT_MAX: u32 = 50_000;
/// Readings of one answer if the request does not say.
const LIMIT_DEFAULT: u32 = 5_000;
/// How far back if the request does not say, in milliseconds.
const SPAN_DEFAULT_MS: i64 = 3_600_000;

/// Which readings.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReadingsQuery {
    /// From this instant, UTC milliseconds; one hour before `to` if not given.
    #[param(value_type = Option<i64>)]
    from: Option<String>,
    /// Up to and without this instant, UTC milliseconds; now if not given.
    #[param(value_type = Option<i64>)]
    to: Option<String>,
    /// How many at most.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 50_000, default = 5_000)]
    limit: Option<String>,
}

/// A page of a point's history.
#[derive(Debug, Serialize, ToSchema)]
pub struct History {
    /// Address of the point.
    point: String,
    /// UCUM code of the unit.
    unit: String,
    /// How the unit is written for a person.
    symbol: &'static str,
    /// From this instant, UTC milliseconds.
    from: i64,
    /// Up to and without this instant, UTC milliseconds.
    to: i64,
    /// In the order of their times.
    readings: Vec<ReadingWire>,
    /// Give it as `from` for the next page; null on the last one.
    #[schema(required)]
    next: Option<i64>,
}

/// List the readings of a point
#[utoipa::path(
    get,
    path = "/api/v1/points/{asset}/{quantity}/readings",
    tag = "plant",
    params(
        ("asset" = String, Path, description = "First part of the address"),
        ("quantity" = String, Path, description = "Second part of the address"),
        ReadingsQuery
    ),
    responses((status = 200, body = History), Failure)
)]
pub async fn list_readings(
    _viewer: Viewer,
    State(state): State<AppState>,
    Path(path): Path<(String, String)>,
    Query(query): Query<ReadingsQuery>,
) -> Result<Json<History>, ApiError> {
    let point = find(&state, &path)?;
    // A reading stamped now is in the answer.
    let to = instant("to", query.to.as_deref())?.unwrap_or_else(|| state.clock().utc().0 + 1);
    let from = instant("from", query.from.as_deref())?.unwrap_or(to - SPAN_DEFAULT_MS);
    if from > to {
        return Err(ApiError::parameter("from", &from.to_string(), format!("not later than to ({to})")));
    }
    let limit = usize::try_from(limit(query.limit.as_deref(), LIMIT_DEFAULT, LIMIT_MAX)?).unwrap_or(0);
    let range = state.history().range(point.id, UtcMs(from), UtcMs(to), limit).await?;
    let last = range.readings.last().filter(|_| range.truncated);
    let next = last.map(|last| last.at.0.saturating_add(1)).filter(|next| *next < to);
    Ok(Json(History {
        point: point.plan.address.to_string(),
        unit: point.plan.unit.to_string(),
        symbol: point.plan.unit.symbol(),
        from,
        to,
        readings: range.readings.iter().map(|reading| ReadingWire::of(reading, state.texts())).collect(),
        next,
    }))
}
