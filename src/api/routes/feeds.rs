//! `/api/v1/feeds`: who supplies whom.

use super::assets::words;
use crate::api::error::Failure;
use crate::api::model::Node;
use crate::api::state::AppState;
use crate::api::viewer::Viewer;
use crate::api::wire::NamesWire;
use crate::config::System;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

/// The graph of feeds. Within a medium it has no circle.
#[derive(Debug, Serialize, ToSchema)]
pub struct Feeds {
    /// The assets that supply or are supplied; what is in an asset follows it.
    nodes: Vec<FeedNode>,
    /// In the order of the configuration.
    edges: Vec<Feed>,
}

/// An asset that supplies or is supplied.
#[derive(Debug, Serialize, ToSchema)]
pub struct FeedNode {
    /// Its id.
    id: String,
    /// Brick class where Brick has one.
    class: String,
    /// Its name.
    name: NamesWire,
    /// The system it belongs to.
    #[schema(required, example = "electrical")]
    system: Option<&'static str>,
}

/// Each of `from` supplies each of `to`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Feed {
    /// With what.
    #[schema(example = "power")]
    medium: &'static str,
    /// Ids of those that supply.
    from: Vec<String>,
    /// Ids of those that are supplied.
    to: Vec<String>,
    /// How many of `from` must work.
    needs: usize,
}

/// Get the graph of feeds
#[utoipa::path(get, path = "/api/v1/feeds", tag = "plant", responses((status = 200, body = Feeds), Failure))]
pub async fn get_feeds(_viewer: Viewer, State(state): State<AppState>) -> Json<Feeds> {
    let plant = state.plant();
    let model = plant.model();
    let joined = |node: &&Node| !node.feeds.is_empty() || !node.fed_by.is_empty();
    let node = |node: &Node| FeedNode {
        id: node.asset.id.to_string(),
        class: node.asset.class.clone(),
        name: (&node.asset.name).into(),
        system: node.asset.system.map(System::word),
    };
    let edges = model.feeds().iter().map(|feed| Feed {
        medium: feed.medium.word(),
        from: words(&feed.from),
        to: words(&feed.to),
        needs: feed.needs,
    });
    let nodes = model.nodes().iter().filter(joined).map(node).collect();
    Json(Feeds { nodes, edges: edges.collect() })
}
