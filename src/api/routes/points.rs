//! `/api/v1/points`: what is measured.

use super::values::Newest;
use crate::api::error::{ApiError, Failure};
use crate::api::extract::{Path, Query, limit};
use crate::api::plant::PlantPoint;
use crate::api::state::AppState;
use crate::api::viewer::Viewer;
use crate::api::wire::{NamesWire, NumberWire, StateWire};
use crate::point::{Address, ValueKind};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Points of one answer at most.
const LIMIT_MAX: u32 = 5_000;
/// Points of one answer if the request does not say.
const LIMIT_DEFAULT: u32 = 500;

/// Which points.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PointsQuery {
    /// Only of this asset.
    asset: Option<String>,
    /// Only whose address or names hold this text, in any case.
    search: Option<String>,
    /// How many at most.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 5_000, default = 500)]
    limit: Option<String>,
    /// The `next` of the answer before.
    after: Option<String>,
}

/// A page of the list of points.
#[derive(Debug, Serialize, ToSchema)]
pub struct Points {
    /// In the order of their addresses.
    items: Vec<Point>,
    /// Give it as `after` for the next page; null on the last one.
    #[schema(required)]
    next: Option<String>,
}

/// A point and what its values mean.
#[derive(Debug, Serialize, ToSchema)]
pub struct Point {
    /// Its number, never reused.
    id: u32,
    /// `asset/quantity`, unique in the site.
    #[schema(example = "main-meter/energy")]
    address: String,
    /// The site.
    site: String,
    /// First part of the address.
    asset: String,
    /// Second part of the address.
    quantity: String,
    /// Its name.
    name: NamesWire,
    /// UCUM code; a pressure says what it is measured against.
    #[schema(example = "kPa{gauge}")]
    unit: String,
    /// How the unit is written for a person.
    #[schema(example = "kPa")]
    symbol: &'static str,
    /// Decimals to show.
    decimals: u8,
    /// Kind of its values.
    kind: Kind,
    /// Without a new value for longer it is stale. Milliseconds.
    stale_after_ms: u64,
    /// How long a reading of the history stands for what follows it: longer than until it is stale where
    /// only changes are kept. Milliseconds.
    hold_ms: u64,
    /// Physical range of the instrument, inclusive, in the unit.
    #[schema(required)]
    range: Option<[NumberWire; 2]>,
    /// What its numbers stand for; empty if they are measurements.
    states: Vec<StateWire>,
}

/// Kinds of values.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Exact decimal number.
    Decimal,
    /// Binary floating-point number.
    Float,
    /// True or false.
    Bool,
    /// A word.
    Text,
}

impl From<ValueKind> for Kind {
    fn from(kind: ValueKind) -> Kind {
        match kind {
            ValueKind::Decimal => Kind::Decimal,
            ValueKind::F64 => Kind::Float,
            ValueKind::Bool => Kind::Bool,
            ValueKind::Text => Kind::Text,
        }
    }
}

/// A point with its newest value.
#[derive(Debug, Serialize, ToSchema)]
pub struct PointNow {
    /// The point.
    #[serde(flatten)]
    point: Point,
    /// Its newest value.
    #[schema(required)]
    value: Option<Newest>,
}

impl Point {
    fn of(point: &PlantPoint, state: &AppState) -> Point {
        let plan = &point.plan;
        Point {
            id: point.id.0,
            address: plan.address.to_string(),
            site: state.plant().site().id.to_string(),
            asset: plan.address.asset.to_string(),
            quantity: plan.address.quantity.to_string(),
            name: (&plan.name).into(),
            unit: plan.unit.to_string(),
            symbol: plan.unit.symbol(),
            decimals: plan.decimals,
            kind: plan.kind.into(),
            stale_after_ms: plan.stale_after_ms,
            hold_ms: plan.hold_ms(),
            range: plan.range.map(|(low, high)| [low.into(), high.into()]),
            states: StateWire::of_point(plan),
        }
    }
}

/// List points
#[utoipa::path(
    get,
    path = "/api/v1/points",
    tag = "plant",
    params(PointsQuery),
    responses((status = 200, body = Points), Failure)
)]
pub async fn list_points(
    _viewer: Viewer,
    State(state): State<AppState>,
    Query(query): Query<PointsQuery>,
) -> Result<Json<Points>, ApiError> {
    let limit = usize::try_from(limit(query.limit.as_deref(), LIMIT_DEFAULT, LIMIT_MAX)?).unwrap_or(0);
    let after = query.after.as_deref().map(parse_after).transpose()?;
    let search = query.search.unwrap_or_default().trim().to_lowercase();
    let wanted = |point: &&Arc<PlantPoint>| {
        let asset = query.asset.as_deref();
        asset.is_none_or(|asset| point.plan.address.asset.as_str() == asset) && point.matches(&search)
    };
    let plant = state.plant();
    let mut found = plant.points_after(after.as_ref()).filter(wanted);
    let items: Vec<_> = found.by_ref().take(limit).map(|point| Point::of(point, &state)).collect();
    let more = found.next().is_some();
    let next = items.last().filter(|_| more).map(|last| last.address.clone());
    Ok(Json(Points { items, next }))
}

fn parse_after(token: &str) -> Result<Address, ApiError> {
    token.parse().map_err(|_| ApiError::parameter("after", token, "the next of the page before"))
}

/// Get a point with its newest value
#[utoipa::path(
    get,
    path = "/api/v1/points/{asset}/{quantity}",
    tag = "plant",
    params(("asset" = String, Path, description = "First part of the address"), ("quantity" = String, Path, description = "Second part of the address")),
    responses((status = 200, body = PointNow), Failure)
)]
pub async fn get_point(
    _viewer: Viewer,
    State(state): State<AppState>,
    Path(path): Path<(String, String)>,
) -> Result<Json<PointNow>, ApiError> {
    let point = find(&state, &path)?;
    let value = state.current().get(point.id).map(|value| Newest::of(&point, &value, &state));
    Ok(Json(PointNow { point: Point::of(&point, &state), value }))
}

/// The point two parts of a path name.
pub(super) fn find(
    state: &AppState,
    (asset, quantity): &(String, String),
) -> Result<Arc<PlantPoint>, ApiError> {
    let address = format!("{asset}/{quantity}");
    state.plant().find_text(&address).cloned().ok_or_else(|| unknown(&address))
}

/// There is no point of this address.
pub(in crate::api) fn unknown(address: &str) -> ApiError {
    let shown: String = address.chars().take(2 * crate::point::Name::LEN_MAX + 1).collect();
    ApiError::not_found("point", shown).hint("GET /api/v1/points lists them.")
}
