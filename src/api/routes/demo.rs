//! `/api/v1/demo`: the simulated hospital, where there is one.

use crate::api::demo::{self, DemoError, FaultState};
use crate::api::error::{ApiError, Failure, WriteFailure};
use crate::api::extract::Path;
use crate::api::state::AppState;
use crate::api::viewer::Viewer;
use crate::api::wire::NamesWire;
use crate::point::Name;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// A simulated hospital.
#[derive(Debug, Serialize, ToSchema)]
pub struct Demo {
    /// What its truth is made of: the same seed, the same hospital.
    seed: u64,
    /// How many seconds of the hospital pass in one of ours.
    speed: f64,
    /// Where its past begins, UTC milliseconds.
    genesis: i64,
    /// How far its past is in the history.
    filled: Filled,
    /// The faults of the script, in its order.
    faults: Vec<Fault>,
}

/// How far the past of the hospital is in the history.
#[derive(Debug, Serialize, ToSchema)]
pub struct Filled {
    /// How much of it: 0 to 1.
    share: f64,
    /// From here on it is there, UTC milliseconds; null before the first piece.
    #[schema(required)]
    from: Option<i64>,
    /// All of it is there.
    done: bool,
}

/// A fault of the script.
#[derive(Debug, Serialize, ToSchema)]
pub struct Fault {
    /// Its id in the script.
    id: String,
    /// What it does.
    #[schema(example = "clogging-filter")]
    kind: String,
    /// The asset it is in, or the device or line it befalls.
    asset: String,
    /// What it is called.
    name: NamesWire,
    /// What a person should notice of it.
    notice: NamesWire,
    /// Whether it is on.
    state: FaultWord,
    /// When it begins or began, UTC milliseconds; null where that is left to a person.
    #[schema(required)]
    onset: Option<i64>,
    /// When it ends or ended, UTC milliseconds; null where that is left to a person.
    #[schema(required)]
    end: Option<i64>,
    /// Addresses of the points where it can be seen.
    points: Vec<String>,
}

/// Whether a fault is on.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FaultWord {
    /// It has not been, or it comes again.
    Waiting,
    /// It is on.
    Running,
    /// It was, and does not come again by itself.
    Over,
}

impl From<demo::DemoNow> for Demo {
    fn from(now: demo::DemoNow) -> Demo {
        let demo::Filled { share, from, done } = now.filled;
        Demo {
            seed: now.seed,
            speed: now.speed,
            genesis: now.genesis.0,
            filled: Filled { share, from: from.map(|at| at.0), done },
            faults: now.faults.into_iter().map(Fault::from).collect(),
        }
    }
}

impl From<demo::DemoFault> for Fault {
    fn from(fault: demo::DemoFault) -> Fault {
        Fault {
            id: fault.id,
            kind: fault.kind,
            asset: fault.asset,
            name: (&fault.name).into(),
            notice: (&fault.notice).into(),
            state: match fault.state {
                FaultState::Waiting => FaultWord::Waiting,
                FaultState::Running => FaultWord::Running,
                FaultState::Over => FaultWord::Over,
            },
            onset: fault.onset.map(|at| at.0),
            end: fault.end.map(|at| at.0),
            points: fault.points.iter().map(ToString::to_string).collect(),
        }
    }
}

/// Get the simulated hospital
#[utoipa::path(get, path = "/api/v1/demo", tag = "demo", responses((status = 200, body = Demo), Failure))]
pub async fn get_demo(_viewer: Viewer, State(state): State<AppState>) -> Result<Json<Demo>, ApiError> {
    Ok(Json(demo_of(&state)?.now().into()))
}

/// Begin a fault of the simulated hospital
#[utoipa::path(
    post,
    path = "/api/v1/demo/faults/{id}/start",
    tag = "demo",
    params(("id" = String, Path, description = "Id of the fault in the script")),
    responses((status = 200, body = Fault), Failure, WriteFailure)
)]
pub async fn start_fault(
    _viewer: Viewer,
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Result<Json<Fault>, ApiError> {
    let demo = demo_of(&state)?;
    demo.start(&id).map_err(|error| refused(error, &id))?;
    fault(&*demo, &id)
}

/// End a fault of the simulated hospital
#[utoipa::path(
    post,
    path = "/api/v1/demo/faults/{id}/stop",
    tag = "demo",
    params(("id" = String, Path, description = "Id of the fault in the script")),
    responses((status = 200, body = Fault), Failure, WriteFailure)
)]
pub async fn stop_fault(
    _viewer: Viewer,
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Result<Json<Fault>, ApiError> {
    let demo = demo_of(&state)?;
    demo.stop(&id).map_err(|error| refused(error, &id))?;
    fault(&*demo, &id)
}

fn demo_of(state: &AppState) -> Result<Arc<dyn demo::Demo>, ApiError> {
    state.demo().ok_or_else(|| {
        ApiError::new(StatusCode::NOT_FOUND, "not_demo", "This is no simulated hospital.")
            .hint("`plantroom demo` starts one.")
    })
}

fn fault(demo: &dyn demo::Demo, id: &str) -> Result<Json<Fault>, ApiError> {
    let fault = demo.now().faults.into_iter().find(|fault| fault.id == id);
    fault.map(|fault| Json(fault.into())).ok_or_else(|| refused(DemoError::Unknown, id))
}

fn refused(error: DemoError, id: &str) -> ApiError {
    let shown: String = id.chars().take(Name::LEN_MAX).collect();
    let conflict = |code| ApiError::conflict(code, format!("{shown}: {error}."));
    match error {
        DemoError::Unknown => {
            ApiError::not_found("fault", shown).hint("GET /api/v1/demo lists the faults of the script.")
        }
        DemoError::Running => conflict("fault_running"),
        DemoError::NotRunning => conflict("fault_not_running"),
        DemoError::NotStartable => conflict("fault_not_startable"),
    }
}
