//! `/api/v1/events`: the event log.

use crate::api::error::{ApiError, Failure};
use crate::api::extract::{Query, limit, number};
use crate::api::state::AppState;
use crate::api::viewer::Viewer;
use crate::db::events;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Events of one answer at most.
const LIMIT_MAX: u32 = 1_000;
/// Events of one answer if the request does not say.
const LIMIT_DEFAULT: u32 = 200;

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// Only after this number; from the first event if not given.
    #[param(value_type = Option<i64>, minimum = 0)]
    after: Option<String>,
    /// How many at most.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1_000, default = 200)]
    limit: Option<String>,
}

/// A page of the event log.
#[derive(Debug, Serialize, ToSchema)]
pub struct Events {
    /// Oldest first.
    items: Vec<EventWire>,
    /// Number of the last event of the whole log: more to come if the last item is older.
    last: i64,
}

/// Something that happened.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub struct EventWire {
    /// Its place in the log.
    seq: i64,
    /// When, UTC milliseconds.
    at: i64,
    /// What.
    #[schema(example = "alarm.raised")]
    kind: String,
    /// To what.
    #[schema(example = "alarm:17")]
    subject: String,
    /// The thing as the log recorded it then.
    #[schema(value_type = Object)]
    body: serde_json::Value,
}

/// List events
#[utoipa::path(
    get,
    path = "/api/v1/events",
    tag = "events",
    params(EventsQuery),
    responses((status = 200, body = Events), Failure)
)]
pub async fn list_events(
    _viewer: Viewer,
    State(state): State<AppState>,
    Query(query): Query<EventsQuery>,
) -> Result<Json<Events>, ApiError> {
    let after = number("after", query.after.as_deref(), 0, i64::MAX)?.unwrap_or(0);
    let limit = limit(query.limit.as_deref(), LIMIT_DEFAULT, LIMIT_MAX)?;
    let read = state.db().read(move |connection| {
        Ok((events::after(connection, after, limit)?, events::last_seq(connection)?))
    });
    let (rows, last) = read.await?;
    let items = rows.into_iter().map(|event| EventWire {
        seq: event.seq,
        at: event.at.0,
        kind: event.kind,
        subject: event.subject,
        body: event.body,
    });
    Ok(Json(Events { items: items.collect(), last }))
}
