//! `/api/v1/site`: where we are.

use crate::api::error::Failure;
use crate::api::state::AppState;
use crate::api::viewer::Viewer;
use crate::api::wire::NamesWire;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

/// The hospital and its server.
#[derive(Debug, Serialize, ToSchema)]
pub struct Site {
    /// Its id, a tag on every line forwarded.
    id: String,
    /// Its name.
    name: NamesWire,
    /// IANA zone of every civil day.
    #[schema(example = "Asia/Shanghai")]
    timezone: String,
    /// The server's time, UTC milliseconds; ages are counted from it.
    now: i64,
    /// Names the build of the page.
    build: String,
    /// Languages of the page, BCP 47.
    languages: [&'static str; 2],
}

/// Get the site
#[utoipa::path(get, path = "/api/v1/site", tag = "plant", responses((status = 200, body = Site), Failure))]
pub async fn get_site(_viewer: Viewer, State(state): State<AppState>) -> Json<Site> {
    let plant = state.plant();
    let site = plant.site();
    Json(Site {
        id: site.id.to_string(),
        name: (&site.name).into(),
        timezone: plant.zone_name().to_owned(),
        now: state.clock().utc().0,
        build: state.build().to_owned(),
        languages: ["zh-CN", "en"],
    })
}
