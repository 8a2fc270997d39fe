//! `/api/v1/alarms`: what is wrong.

use super::claim::{note, person};
use crate::alarms::{AlarmError, Filter, Occurrence, Scope};
use crate::api::error::{ApiError, Failure, WriteFailure};
use crate::api::extract::{Body, Path, Query, id, instant, limit};
use crate::api::state::AppState;
use crate::api::viewer::Viewer;
use crate::api::wire::{NamesWire, NumberWire, StateWire};
use crate::point::{Unit, UtcMs};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use utoipa::{IntoParams, ToSchema};

/// Alarms of one answer at most.
const LIMIT_MAX: u32 = 1_000;
/// Alarms of one answer if the request does not say.
const LIMIT_DEFAULT: u32 = 200;

/// Which alarms.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AlarmsQuery {
    /// `open`: not over, or not seen; `all`.
    #[param(value_type = Option<Which>, default = "open")]
    state: Option<String>,
    /// Only of this asset.
    asset: Option<String>,
    /// Only those whose condition held at or after this instant, UTC milliseconds.
    #[param(value_type = Option<i64>)]
    from: Option<String>,
    /// Only those raised before this instant, UTC milliseconds.
    #[param(value_type = Option<i64>)]
    to: Option<String>,
    /// How many at most, the newest.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1_000, default = 200)]
    limit: Option<String>,
}

/// Open ones or all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum Which {
    /// What still wants something from a person.
    Open,
    /// Everything there is.
    All,
}

impl Which {
    /// From the parameter `state`; open if not given.
    pub(super) fn parse(text: Option<&str>) -> Result<Which, ApiError> {
        match text {
            None | Some("open") => Ok(Which::Open),
            Some("all") => Ok(Which::All),
            Some(found) => Err(ApiError::parameter("state", found, "open or all")),
        }
    }
}

/// A list of alarms.
#[derive(Debug, Serialize, ToSchema)]
pub struct Alarms {
    /// The newest first.
    items: Vec<Alarm>,
    /// Unacknowledged active alarms of the whole site, by priority.
    counts: Counts,
}

/// Numbers of alarms by priority.
#[derive(Debug, Serialize, ToSchema)]
pub struct Counts {
    /// Urgent.
    #[serde(rename = "1")]
    urgent: u32,
    /// High.
    #[serde(rename = "2")]
    high: u32,
    /// Medium.
    #[serde(rename = "3")]
    medium: u32,
    /// Low.
    #[serde(rename = "4")]
    low: u32,
}

/// One occurrence of an alarm.
#[derive(Debug, Serialize, ToSchema)]
pub struct Alarm {
    /// Its number.
    id: i64,
    /// Id of the rule.
    rule: String,
    /// Id of the asset.
    asset: String,
    /// Name of the asset.
    asset_name: NamesWire,
    /// Address of the point; null for plantroom's own alarms.
    #[schema(required)]
    point: Option<String>,
    /// Name of the point.
    #[schema(required)]
    point_name: Option<NamesWire>,
    /// 1 urgent to 4 low.
    priority: u8,
    /// With the asset the key of the work order.
    failure_mode: String,
    /// ISA-18.2 letter of the state.
    #[schema(value_type = String, example = "B")]
    state: char,
    /// The condition holds.
    active: bool,
    /// A person has seen it.
    acked: bool,
    /// The onset, UTC milliseconds.
    raised_at: i64,
    /// When the condition ended, UTC milliseconds.
    #[schema(required)]
    cleared_at: Option<i64>,
    /// When it was seen, UTC milliseconds.
    #[schema(required)]
    acked_at: Option<i64>,
    /// Who said to have seen it.
    #[schema(required)]
    acked_by: Option<String>,
    /// The value that raised it.
    #[schema(required)]
    value: Option<NumberWire>,
    /// The limit then.
    #[schema(required)]
    limit: Option<NumberWire>,
    /// UCUM code of both.
    unit: String,
    /// How the unit is written for a person.
    symbol: String,
    /// What the numbers of the point stand for; empty if they are measurements.
    value_states: Vec<StateWire>,
    /// What happened.
    message: NamesWire,
    /// What to do.
    response: NamesWire,
    /// Number of its work order.
    #[schema(required)]
    work_order: Option<i64>,
}

/// A person says to have seen an alarm.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Acknowledge {
    /// The name the person gives, 1 to 60 characters.
    by: Option<String>,
    /// A word on it, up to 1,000 characters.
    note: Option<String>,
}

/// List alarms
#[utoipa::path(
    get,
    path = "/api/v1/alarms",
    tag = "alarms",
    params(AlarmsQuery),
    responses((status = 200, body = Alarms), Failure)
)]
pub async fn list_alarms(
    _viewer: Viewer,
    State(state): State<AppState>,
    Query(query): Query<AlarmsQuery>,
) -> Result<Json<Alarms>, ApiError> {
    let limit = limit(query.limit.as_deref(), LIMIT_DEFAULT, LIMIT_MAX)?;
    let scope = scope(query.asset, query.from.as_deref(), query.to.as_deref())?;
    let filter = match Which::parse(query.state.as_deref())? {
        Which::Open => Filter::Open,
        Which::All => Filter::Newest { limit, scope: scope.clone() },
    };
    let mut alarms = state.alarms().list(filter).await?;
    alarms.retain(|alarm| alarm.is_in(&scope));
    alarms.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let [urgent, high, medium, low] = state.alarms().unacknowledged();
    let items = on_wire(alarms, &state).await?;
    Ok(Json(Alarms { items, counts: Counts { urgent, high, medium, low } }))
}

/// Get an alarm
#[utoipa::path(
    get,
    path = "/api/v1/alarms/{id}",
    tag = "alarms",
    params(("id" = i64, Path, description = "Number of the alarm")),
    responses((status = 200, body = Alarm), Failure)
)]
pub async fn get_alarm(
    _viewer: Viewer,
    State(state): State<AppState>,
    Path(number): Path<String>,
) -> Result<Json<Alarm>, ApiError> {
    let alarm = state.alarms().get(id(&number)?).await?;
    one(alarm, &state).await
}

/// Acknowledge an alarm
#[utoipa::path(
    post,
    path = "/api/v1/alarms/{id}/acknowledge",
    tag = "alarms",
    params(("id" = i64, Path, description = "Number of the alarm")),
    request_body = Acknowledge,
    responses((status = 200, body = Alarm), Failure, WriteFailure)
)]
pub async fn acknowledge_alarm(
    viewer: Viewer,
    State(state): State<AppState>,
    Path(number): Path<String>,
    Body(body): Body<Acknowledge>,
) -> Result<Json<Alarm>, ApiError> {
    let by = person(viewer, body.by.as_deref())?;
    let note = note(body.note.as_deref())?;
    let alarm = state.alarms().acknowledge(id(&number)?, by, note).await?;
    one(alarm, &state).await
}

/// From the parameters `asset`, `from` and `to`.
pub(super) fn scope(asset: Option<String>, from: Option<&str>, to: Option<&str>) -> Result<Scope, ApiError> {
    let (begin, end) = (instant("from", from)?, instant("to", to)?);
    match (begin, end) {
        (Some(begin), Some(end)) if begin > end => {
            Err(ApiError::parameter("from", &begin.to_string(), format!("not later than to ({end})")))
        }
        _ => Ok(Scope { asset, from: begin.map(UtcMs), to: end.map(UtcMs) }),
    }
}

async fn one(alarm: Occurrence, state: &AppState) -> Result<Json<Alarm>, ApiError> {
    let number = alarm.id;
    let alarm = on_wire(vec![alarm], state).await?.pop();
    alarm.map(Json).ok_or_else(|| ApiError::not_found("alarm", number))
}

/// With names and work orders, in the same order.
pub(super) async fn on_wire(alarms: Vec<Occurrence>, state: &AppState) -> Result<Vec<Alarm>, ApiError> {
    let ids: Vec<i64> = alarms.iter().map(|alarm| alarm.id).collect();
    let orders: HashMap<i64, i64> = state.work_orders().of_alarms(ids).await?;
    Ok(alarms.into_iter().map(|alarm| Alarm::of(alarm, &orders, state)).collect())
}

impl Alarm {
    fn of(alarm: Occurrence, orders: &HashMap<i64, i64>, state: &AppState) -> Alarm {
        let plant = state.plant();
        let point = alarm.point.as_deref().and_then(|address| plant.find_text(address));
        Alarm {
            id: alarm.id,
            rule: alarm.rule,
            asset_name: (&plant.asset_name(&alarm.asset)).into(),
            asset: alarm.asset,
            value_states: point.map_or_else(Vec::new, |point| StateWire::of_point(&point.plan)),
            point_name: point.map(|point| (&point.plan.name).into()),
            point: alarm.point,
            priority: alarm.priority,
            failure_mode: alarm.failure_mode,
            state: alarm.state.isa_letter(),
            active: alarm.state.active,
            acked: alarm.state.acked,
            raised_at: alarm.raised_at.0,
            cleared_at: alarm.cleared_at.map(|at| at.0),
            acked_at: alarm.acked_at.map(|at| at.0),
            acked_by: alarm.acked_by,
            value: alarm.value.as_deref().and_then(NumberWire::from_text),
            limit: alarm.limit.as_deref().and_then(NumberWire::from_text),
            symbol: symbol(&alarm.unit),
            unit: alarm.unit,
            message: (&alarm.message).into(),
            response: (&alarm.response).into(),
            work_order: orders.get(&alarm.id).copied(),
        }
    }
}

/// How a unit in the spelling of the configuration is written for a person.
pub(super) fn symbol(unit: &str) -> String {
    unit.parse::<Unit>().map_or_else(|_| unit.to_owned(), |unit| unit.symbol().to_owned())
}

impl From<AlarmError> for ApiError {
    fn from(error: AlarmError) -> ApiError {
        let unavailable = |code, error: &AlarmError| {
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, code, format!("{error}."))
        };
        match error {
            AlarmError::NotFound(id) => ApiError::not_found("alarm", id),
            AlarmError::AlreadyAcknowledged(_) => {
                ApiError::conflict("already_acknowledged", format!("{error}."))
                    .hint("Load the alarm again to see who was first.")
            }
            AlarmError::NotSaved(_) => unavailable("not_saved", &error)
                .hint("The acknowledgement holds and is saved as soon as the database can be written."),
            AlarmError::Backlog(_) => {
                unavailable("not_saved", &error).hint("Make room on the disk of plantroom, then try again.")
            }
            AlarmError::Closed => unavailable("stopping", &error),
            AlarmError::Db(_) => ApiError::internal(&error),
        }
    }
}
