//! `/healthz`, `/readyz`, `/metrics`: for whoever watches the watcher.

use crate::api::error::Failure;
use crate::api::state::AppState;
use crate::api::viewer::Viewer;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

/// The process serves.
#[derive(Debug, Serialize, ToSchema)]
pub struct Alive {
    /// `ok`.
    status: &'static str,
}

/// Whether the parts can do their work.
#[derive(Debug, Serialize, ToSchema)]
pub struct Ready {
    /// `ok`; `starting` before the first part has reported; `failing` if one cannot work.
    #[schema(example = "ok")]
    status: &'static str,
    /// Every part that reported.
    parts: Vec<Report>,
}

/// One part of the program.
#[derive(Debug, Serialize, ToSchema)]
pub struct Report {
    /// Its name.
    #[schema(example = "historian")]
    part: &'static str,
    /// Whether it works.
    ok: bool,
    /// Why not.
    #[schema(required)]
    detail: Option<String>,
}

impl Report {
    /// Of every part that reported.
    pub(super) fn all(state: &AppState) -> Vec<Report> {
        let part = |(part, state): (&'static str, Result<(), String>)| Report {
            part,
            ok: state.is_ok(),
            detail: state.err(),
        };
        state.health().report().into_iter().map(part).collect()
    }
}

/// Tell that the process serves
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, body = Alive), Failure))]
pub async fn get_health(_viewer: Viewer) -> Json<Alive> {
    Json(Alive { status: "ok" })
}

/// Tell whether every part works
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "health",
    responses(
        (status = 200, body = Ready, description = "Every part works"),
        (status = 503, body = Ready, description = "A part does not work, or none has reported yet"),
    )
)]
pub async fn get_readiness(_viewer: Viewer, State(state): State<AppState>) -> (StatusCode, Json<Ready>) {
    let parts = Report::all(&state);
    let (code, status) = match parts.as_slice() {
        [] => (StatusCode::SERVICE_UNAVAILABLE, "starting"),
        parts if parts.iter().all(|part| part.ok) => (StatusCode::OK, "ok"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "failing"),
    };
    (code, Json(Ready { status, parts }))
}

/// Get the metrics
///
/// OpenMetrics text 1.0.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "health",
    responses((status = 200, body = String, content_type = "application/openmetrics-text"), Failure)
)]
pub async fn get_metrics(_viewer: Viewer, State(state): State<AppState>) -> impl IntoResponse {
    let live = i64::try_from(state.live().connections()).unwrap_or(i64::MAX);
    state.metrics().live.set(live);
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], state.registry().encode())
}
