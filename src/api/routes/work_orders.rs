//! `/api/v1/work-orders`: what is done about it.

use super::alarms::{Alarm, Which, on_wire, scope, symbol};
use super::claim::{note, person};
use crate::api::error::{ApiError, Failure, WriteFailure};
use crate::api::extract::{Body, Path, Query, id, limit};
use crate::api::state::AppState;
use crate::api::viewer::Viewer;
use crate::api::wire::{NamesWire, NumberWire, StateWire as PointState};
use crate::work_orders::{Act, Filter, HistoryRow, State as OrderState, WorkOrder, WorkOrderError};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Orders of one answer at most.
const LIMIT_MAX: u32 = 1_000;
/// Orders of one answer if the request does not say.
const LIMIT_DEFAULT: u32 = 200;

/// Which orders.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WorkOrdersQuery {
    /// `open`: not closed; `all`.
    #[param(value_type = Option<Which>, default = "open")]
    state: Option<String>,
    /// Only of this asset.
    asset: Option<String>,
    /// Only those not closed before this instant, UTC milliseconds.
    #[param(value_type = Option<i64>)]
    from: Option<String>,
    /// Only those opened before this instant, UTC milliseconds.
    #[param(value_type = Option<i64>)]
    to: Option<String>,
    /// How many at most.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1_000, default = 200)]
    limit: Option<String>,
}

/// A list of orders.
#[derive(Debug, Serialize, ToSchema)]
pub struct WorkOrders {
    /// Open ones the most urgent first, all the newest first.
    items: Vec<WorkOrderWire>,
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WorkOrderState)]
pub enum StateWire {
    /// Nobody has taken it.
    New,
    /// A person has taken it.
    Accepted,
    /// The person says the work is done.
    Done,
    /// The telemetry agrees, and a person has closed it.
    Closed,
}

/// A work order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WorkOrder)]
pub struct WorkOrderWire {
    /// Its number.
    id: i64,
    /// The number a person says.
    #[schema(example = "WO-000012")]
    number: String,
    /// Where it stands.
    state: StateWire,
    /// Id of the asset.
    asset: String,
    /// Name of the asset.
    asset_name: NamesWire,
    /// With the asset its key: at most one order of a key is open.
    failure_mode: String,
    /// The most urgent of its alarms: 1 urgent to 4 low.
    priority: u8,
    /// What happened.
    title: NamesWire,
    /// What to do.
    response: NamesWire,
    /// When it was opened, UTC milliseconds.
    opened_at: i64,
    /// When it was taken, UTC milliseconds.
    #[schema(required)]
    accepted_at: Option<i64>,
    /// Who said to take it.
    #[schema(required)]
    accepted_by: Option<String>,
    /// When the work was said to be done, UTC milliseconds.
    #[schema(required)]
    done_at: Option<i64>,
    /// Who said so.
    #[schema(required)]
    done_by: Option<String>,
    /// What was done.
    #[schema(required)]
    note: Option<String>,
    /// When it was closed, UTC milliseconds.
    #[schema(required)]
    closed_at: Option<i64>,
    /// Who closed it.
    #[schema(required)]
    closed_by: Option<String>,
    /// Address of the point; null for plantroom's own alarms.
    #[schema(required)]
    point: Option<String>,
    /// The value that raised it.
    #[schema(required)]
    value: Option<NumberWire>,
    /// The limit it passed.
    #[schema(required)]
    limit: Option<NumberWire>,
    /// UCUM code of both.
    unit: String,
    /// How the unit is written for a person.
    symbol: String,
    /// What the numbers of the point stand for; empty if they are measurements.
    value_states: Vec<PointState>,
    /// Its alarms, the first one first.
    alarm_ids: Vec<i64>,
    /// Counts its changes; who acts says which one was seen.
    version: i64,
}

/// An order with everything about it.
#[derive(Debug, Serialize, ToSchema)]
pub struct WorkOrderFull {
    /// The order.
    #[serde(flatten)]
    order: WorkOrderWire,
    /// What was done to it, oldest first.
    history: Vec<Step>,
    /// Its alarms, the first one first.
    alarms: Vec<Alarm>,
}

/// A line of an order's history.
#[derive(Debug, Serialize, ToSchema)]
pub struct Step {
    /// When, UTC milliseconds.
    at: i64,
    /// The person, or the part of plantroom.
    actor: String,
    /// The state before; null for the opening.
    #[schema(required)]
    from: Option<StateWire>,
    /// The state after.
    to: StateWire,
    /// What was said about it.
    #[schema(required)]
    note: Option<String>,
    /// The alarm that opened the order or joined it.
    #[schema(required)]
    alarm: Option<i64>,
}

/// A person acts on an order.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// The name the person gives, 1 to 60 characters.
    by: Option<String>,
    /// A word on it, up to 1,000 characters.
    note: Option<String>,
    /// The version the person saw.
    version: i64,
}

/// List work orders
#[utoipa::path(
    get,
    path = "/api/v1/work-orders",
    tag = "work_orders",
    params(WorkOrdersQuery),
    responses((status = 200, body = WorkOrders), Failure)
)]
pub async fn list_work_orders(
    _viewer: Viewer,
    State(state): State<AppState>,
    Query(query): Query<WorkOrdersQuery>,
) -> Result<Json<WorkOrders>, ApiError> {
    let limit = limit(query.limit.as_deref(), LIMIT_DEFAULT, LIMIT_MAX)?;
    let scope = scope(query.asset, query.from.as_deref(), query.to.as_deref())?;
    let filter = match Which::parse(query.state.as_deref())? {
        Which::Open => Filter::Open,
        Which::All => Filter::Newest { limit, scope: scope.clone() },
    };
    let mut orders = state.work_orders().list(filter).await?;
    orders.retain(|order| order.is_in(&scope));
    orders.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let items = orders.into_iter().map(|order| WorkOrderWire::of(order, &state)).collect();
    Ok(Json(WorkOrders { items }))
}

/// Get a work order with its history and alarms
#[utoipa::path(
    get,
    path = "/api/v1/work-orders/{id}",
    tag = "work_orders",
    params(("id" = i64, Path, description = "Number of the order")),
    responses((status = 200, body = WorkOrderFull), Failure)
)]
pub async fn get_work_order(
    _viewer: Viewer,
    State(state): State<AppState>,
    Path(number): Path<String>,
) -> Result<Json<WorkOrderFull>, ApiError> {
    let (order, history) = state.work_orders().get(id(&number)?).await?;
    let mut alarms = Vec::with_capacity(order.alarm_ids.len());
    for alarm in &order.alarm_ids {
        alarms.push(state.alarms().get(*alarm).await.map_err(|error| ApiError::internal(&error))?);
    }
    let alarms = on_wire(alarms, &state).await?;
    let history = history.into_iter().map(Step::from).collect();
    Ok(Json(WorkOrderFull { order: WorkOrderWire::of(order, &state), history, alarms }))
}

/// Accept a work order
#[utoipa::path(
    post,
    path = "/api/v1/work-orders/{id}/accept",
    tag = "work_orders",
    params(("id" = i64, Path, description = "Number of the order")),
    request_body = Action,
    responses((status = 200, body = WorkOrderWire), Failure, WriteFailure)
)]
pub async fn accept_work_order(
    viewer: Viewer,
    State(state): State<AppState>,
    Path(number): Path<String>,
    Body(action): Body<Action>,
) -> Result<Json<WorkOrderWire>, ApiError> {
    act(Act::Accept, viewer, &state, &number, &action).await
}

/// Say that the work of an order is done
#[utoipa::path(
    post,
    path = "/api/v1/work-orders/{id}/finish",
    tag = "work_orders",
    params(("id" = i64, Path, description = "Number of the order")),
    request_body = Action,
    responses((status = 200, body = WorkOrderWire), Failure, WriteFailure)
)]
pub async fn finish_work_order(
    viewer: Viewer,
    State(state): State<AppState>,
    Path(number): Path<String>,
    Body(action): Body<Action>,
) -> Result<Json<WorkOrderWire>, ApiError> {
    act(Act::Finish, viewer, &state, &number, &action).await
}

/// Close a work order
///
/// Refused (`alarm_active`) while an alarm of the order is active or its signal is bad.
#[utoipa::path(
    post,
    path = "/api/v1/work-orders/{id}/close",
    tag = "work_orders",
    params(("id" = i64, Path, description = "Number of the order")),
    request_body = Action,
    responses((status = 200, body = WorkOrderWire), Failure, WriteFailure)
)]
pub async fn close_work_order(
    viewer: Viewer,
    State(state): State<AppState>,
    Path(number): Path<String>,
    Body(action): Body<Action>,
) -> Result<Json<WorkOrderWire>, ApiError> {
    act(Act::Close, viewer, &state, &number, &action).await
}

async fn act(
    act: Act,
    viewer: Viewer,
    state: &AppState,
    number: &str,
    action: &Action,
) -> Result<Json<WorkOrderWire>, ApiError> {
    let by = person(viewer, action.by.as_deref())?;
    let note = note(action.note.as_deref())?;
    let order = state.work_orders().act(act, id(number)?, by, note, Some(action.version)).await;
    Ok(Json(WorkOrderWire::of(order?, state)))
}

impl From<WorkOrderError> for ApiError {
    fn from(error: WorkOrderError) -> ApiError {
        let message = format!("{error}.");
        match error {
            WorkOrderError::NotFound(id) => ApiError::not_found("work order", id),
            WorkOrderError::WrongState { .. } => ApiError::conflict("wrong_state", message)
                .hint("An order goes from new to accepted, done and closed."),
            WorkOrderError::AlarmActive { alarms, .. } => {
                let alarms: Vec<String> = alarms.iter().map(ToString::to_string).collect();
                let hint = format!("Alarms {} must return with a good signal first.", alarms.join(", "));
                ApiError::conflict("alarm_active", message).hint(hint)
            }
            WorkOrderError::Conflict { .. } => {
                ApiError::conflict("conflict", message).hint("Load the order again and look before acting.")
            }
            WorkOrderError::Db(_) => ApiError::internal(&error),
        }
    }
}

impl From<OrderState> for StateWire {
    fn from(state: OrderState) -> StateWire {
        match state {
            OrderState::New => StateWire::New,
            OrderState::Accepted => StateWire::Accepted,
            OrderState::Done => StateWire::Done,
            OrderState::Closed => StateWire::Closed,
        }
    }
}

impl From<HistoryRow> for Step {
    fn from(row: HistoryRow) -> Step {
        let HistoryRow { at, actor, from, to, note, alarm } = row;
        Step { at: at.0, actor, from: from.map(StateWire::from), to: to.into(), note, alarm }
    }
}

impl WorkOrderWire {
    fn of(order: WorkOrder, state: &AppState) -> WorkOrderWire {
        let plant = state.plant();
        let point = order.point.as_deref().and_then(|address| plant.find_text(address));
        WorkOrderWire {
            id: order.id,
            number: order.number,
            state: order.state.into(),
            asset_name: (&plant.asset_name(&order.asset)).into(),
            asset: order.asset,
            failure_mode: order.failure_mode,
            priority: order.priority,
            title: (&order.title).into(),
            response: (&order.response).into(),
            opened_at: order.opened_at.0,
            accepted_at: order.accepted_at.map(|at| at.0),
            accepted_by: order.accepted_by,
            done_at: order.done_at.map(|at| at.0),
            done_by: order.done_by,
            note: order.note,
            closed_at: order.closed_at.map(|at| at.0),
            closed_by: order.closed_by,
            value_states: point.map_or_else(Vec::new, |point| PointState::of_point(&point.plan)),
            point: order.point,
            value: order.value.as_deref().and_then(NumberWire::from_text),
            limit: order.limit.as_deref().and_then(NumberWire::from_text),
            symbol: symbol(&order.unit),
            unit: order.unit,
            alarm_ids: order.alarm_ids,
            version: order.version,
        }
    }
}
