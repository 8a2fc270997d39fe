//! `/api/v1/values`: the newest value of points.

use super::points::unknown;
use crate::api::error::{ApiError, Failure};
use crate::api::extract::Query;
use crate::api::live::protocol::Selection;
use crate::api::plant::PlantPoint;
use crate::api::state::AppState;
use crate::api::viewer::Viewer;
use crate::api::wire::{QualityWire, ValueWire};
use crate::point::{PointId, Reason};
use crate::readings::CurrentValue;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Which points.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ValuesQuery {
    /// Addresses with commas between them; all if not given.
    #[param(example = "main-meter/energy")]
    points: Option<String>,
}

/// Newest values.
#[derive(Debug, Serialize, ToSchema)]
pub struct Values {
    /// The server's time, UTC milliseconds.
    now: i64,
    /// In the order asked for, or of the addresses.
    items: Vec<Newest>,
}

/// The newest value of a point.
#[derive(Debug, Serialize, ToSchema)]
pub struct Newest {
    /// Address of the point.
    point: String,
    /// When it was true at the source, UTC milliseconds.
    at: i64,
    /// When plantroom had it, UTC milliseconds.
    received_at: i64,
    /// Half the width of the interval `at` may lie in, in milliseconds.
    at_error_ms: u32,
    /// The value in the point's unit.
    value: ValueWire,
    /// How far to trust it.
    quality: QualityWire,
    /// Why it is not good.
    #[schema(required, example = "stale")]
    reason: Option<&'static str>,
}

impl Newest {
    pub(super) fn of(point: &PlantPoint, value: &CurrentValue, state: &AppState) -> Newest {
        Newest {
            point: point.plan.address.to_string(),
            at: value.reading.at.0,
            received_at: value.received_at.0,
            at_error_ms: value.at_error_ms,
            value: ValueWire::of(value.reading.value, state.texts()),
            quality: value.reading.quality.into(),
            reason: value.reading.quality.reason().map(Reason::word),
        }
    }
}

/// List the newest values
#[utoipa::path(
    get,
    path = "/api/v1/values",
    tag = "plant",
    params(ValuesQuery),
    responses((status = 200, body = Values), Failure)
)]
pub async fn list_values(
    _viewer: Viewer,
    State(state): State<AppState>,
    Query(query): Query<ValuesQuery>,
) -> Result<Json<Values>, ApiError> {
    let points = select(&state, query.points.as_deref())?;
    let ids: Vec<PointId> = points.iter().map(|point| point.id).collect();
    let now = state.clock().utc().0;
    let values = state.current().many(&ids);
    let known = points.iter().zip(values).filter_map(|(point, value)| Some((point, value?)));
    let items = known.map(|(point, value)| Newest::of(point, &value, &state)).collect();
    Ok(Json(Values { now, items }))
}

fn select(state: &AppState, list: Option<&str>) -> Result<Vec<Arc<PlantPoint>>, ApiError> {
    let plant = state.plant();
    match list.map_or(Selection::All, Selection::from_list) {
        Selection::All => Ok(plant.points().cloned().collect()),
        Selection::These(addresses) => {
            let find = |address: &String| plant.find_text(address).cloned().ok_or_else(|| unknown(address));
            addresses.iter().map(find).collect()
        }
    }
}
