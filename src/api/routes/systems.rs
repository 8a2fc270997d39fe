//! `/api/v1/systems`: the plant by what a facility department divides its work by.

use super::assets::{AssetPoint, unknown as unknown_asset, words};
use crate::api::error::{ApiError, Failure};
use crate::api::extract::{Path, Query, limit};
use crate::api::model::{Model, Node};
use crate::api::state::AppState;
use crate::api::viewer::Viewer;
use crate::api::wire::NamesWire;
use crate::config::System;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Assets of one answer at most.
const LIMIT_MAX: u32 = 5_000;
/// Assets of one answer if the request does not say.
const LIMIT_DEFAULT: u32 = 1_000;

/// The systems of the site.
#[derive(Debug, Serialize, ToSchema)]
pub struct Systems {
    /// Those that have assets here, always in the same order.
    items: Vec<SystemCount>,
}

/// A system of the plant.
#[derive(Debug, Serialize, ToSchema)]
pub struct SystemCount {
    /// Its word.
    #[schema(example = "medical_gas")]
    system: &'static str,
    /// How many assets belong to it.
    assets: usize,
    /// How many points they have.
    points: usize,
}

/// Which assets of a system.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SystemQuery {
    /// Only those in this building.
    building: Option<String>,
    /// How many at most.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 5_000, default = 1_000)]
    limit: Option<String>,
    /// The `next` of the answer before.
    after: Option<String>,
}

/// Assets of one system.
#[derive(Debug, Serialize, ToSchema)]
pub struct SystemAssets {
    /// Its word.
    #[schema(example = "medical_gas")]
    system: &'static str,
    /// What is in an asset follows it.
    items: Vec<SystemAsset>,
    /// Give it as `after` for the next page; null on the last one.
    #[schema(required)]
    next: Option<String>,
}

/// An asset with its points.
#[derive(Debug, Serialize, ToSchema)]
pub struct SystemAsset {
    /// Its id, unique in the site.
    id: String,
    /// Brick class where Brick has one.
    #[schema(example = "Chiller")]
    class: String,
    /// Its name.
    name: NamesWire,
    /// What it is in or part of; of any system.
    #[schema(required)]
    parent: Option<String>,
    /// The building it is in.
    #[schema(required)]
    building: Option<String>,
    /// Its quantities that a person wants first, in this order.
    key: Vec<String>,
    /// Its own points, key ones first.
    points: Vec<AssetPoint>,
}

impl SystemAsset {
    fn of(node: &Node, model: &Model) -> SystemAsset {
        let asset = &node.asset;
        SystemAsset {
            id: asset.id.to_string(),
            class: asset.class.clone(),
            name: (&asset.name).into(),
            parent: asset.parent.as_ref().map(ToString::to_string),
            building: model.id(node.building),
            key: words(&asset.key),
            points: AssetPoint::of_node(node),
        }
    }
}

/// List the systems of the site
#[utoipa::path(get, path = "/api/v1/systems", tag = "plant", responses((status = 200, body = Systems), Failure))]
pub async fn list_systems(_viewer: Viewer, State(state): State<AppState>) -> Json<Systems> {
    let plant = state.plant();
    let cells = plant.model().cells();
    let count = |system: System| {
        let of = || cells.iter().filter(|cell| cell.system == system);
        let (assets, points) = (of().map(|cell| cell.assets).sum(), of().map(|cell| cell.points).sum());
        (assets > 0).then_some(SystemCount { system: system.word(), assets, points })
    };
    Json(Systems { items: System::ALL.into_iter().filter_map(count).collect() })
}

/// Get the assets of a system with their points
#[utoipa::path(
    get,
    path = "/api/v1/systems/{system}",
    tag = "plant",
    params(("system" = String, Path, description = "Word of the system"), SystemQuery),
    responses((status = 200, body = SystemAssets), Failure)
)]
pub async fn get_system(
    _viewer: Viewer,
    State(state): State<AppState>,
    Path(word): Path<String>,
    Query(query): Query<SystemQuery>,
) -> Result<Json<SystemAssets>, ApiError> {
    let system = System::of_word(&word).ok_or_else(|| unknown(&word))?;
    let limit = usize::try_from(limit(query.limit.as_deref(), LIMIT_DEFAULT, LIMIT_MAX)?).unwrap_or(0);
    let plant = state.plant();
    let model = plant.model();
    let from = match query.after.as_deref() {
        None => 0,
        Some(after) => {
            1 + model.place(after).ok_or_else(|| {
                ApiError::parameter("after", after, "the next of the page before, of the same configuration")
            })?
        }
    };
    let building = match query.building.as_deref() {
        None => None,
        Some(id) => Some(model.place(id).ok_or_else(|| unknown_asset(id))?),
    };
    let wanted = |node: &&Node| {
        node.asset.system == Some(system) && building.is_none_or(|building| node.building == Some(building))
    };
    let mut found = model.nodes().iter().skip(from).filter(wanted);
    let items: Vec<SystemAsset> =
        found.by_ref().take(limit).map(|node| SystemAsset::of(node, model)).collect();
    let more = found.next().is_some();
    let next = items.last().filter(|_| more).map(|last| last.id.clone());
    Ok(Json(SystemAssets { system: system.word(), items, next }))
}

fn unknown(word: &str) -> ApiError {
    let shown: String = word.chars().take(crate::point::Name::LEN_MAX).collect();
    let words: Vec<&str> = System::ALL.into_iter().map(System::word).collect();
    ApiError::not_found("system", shown).hint(format!("It is one of {}.", words.join(", ")))
}
