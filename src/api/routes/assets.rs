//! `/api/v1/assets`: the tree of things.

use crate::api::error::Failure;
use crate::api::state::AppState;
use crate::api::viewer::Viewer;
use crate::api::wire::NamesWire;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

/// Buildings, rooms and machines.
#[derive(Debug, Serialize, ToSchema)]
pub struct Assets {
    /// Parents before children.
    items: Vec<Asset>,
}

/// A thing in the tree.
#[derive(Debug, Serialize, ToSchema)]
pub struct Asset {
    /// Its id, unique in the site.
    id: String,
    /// Brick class where Brick has one.
    #[schema(example = "Chiller")]
    class: String,
    /// Its name.
    name: NamesWire,
    /// What it is in or part of.
    #[schema(required)]
    parent: Option<String>,
}

/// List the assets
#[utoipa::path(get, path = "/api/v1/assets", tag = "plant", responses((status = 200, body = Assets), Failure))]
pub async fn list_assets(_viewer: Viewer, State(state): State<AppState>) -> Json<Assets> {
    let plant = state.plant();
    let items = plant.assets().iter().map(|asset| Asset {
        id: asset.id.to_string(),
        class: asset.class.clone(),
        name: (&asset.name).into(),
        parent: asset.parent.as_ref().map(ToString::to_string),
    });
    Json(Assets { items: items.collect() })
}
