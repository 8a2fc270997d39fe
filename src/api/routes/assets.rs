//! `/api/v1/assets`: the tree of things, and all that is known of one.

use super::points::Kind;
use crate::api::error::{ApiError, Failure};
use crate::api::extract::Path;
use crate::api::model::{Model, Node};
use crate::api::plant::{PlantPoint, PointSource};
use crate::api::state::AppState;
use crate::api::viewer::Viewer;
use crate::api::wire::{NamesWire, NumberWire, StateWire};
use crate::config;
use crate::point::Name;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// Buildings, rooms and machines.
#[derive(Debug, Serialize, ToSchema)]
pub struct Assets {
    /// What is in an asset follows it.
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
    /// The system it belongs to.
    #[schema(required, example = "hvac")]
    system: Option<&'static str>,
    /// Its quantities that a person wants first, in this order.
    key: Vec<String>,
    /// How many points it has itself.
    points: usize,
}

impl Asset {
    pub(super) fn of(node: &Node) -> Asset {
        let asset = &node.asset;
        Asset {
            id: asset.id.to_string(),
            class: asset.class.clone(),
            name: (&asset.name).into(),
            parent: asset.parent.as_ref().map(ToString::to_string),
            system: asset.system.map(config::System::word),
            key: words(&asset.key),
            points: node.points.len(),
        }
    }
}

pub(super) fn words(names: &[Name]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

/// A point as a page of a machine shows it.
#[derive(Debug, Serialize, ToSchema)]
pub struct AssetPoint {
    /// `asset/quantity`, unique in the site.
    #[schema(example = "chiller-1/power")]
    address: String,
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
    /// What its numbers stand for; empty if they are measurements.
    states: Vec<StateWire>,
    /// Physical range of the instrument, inclusive, in the unit.
    #[schema(required)]
    range: Option<[NumberWire; 2]>,
    /// Between which values it is as it should be, inclusive, in the unit.
    #[schema(required)]
    normal: Option<[NumberWire; 2]>,
    /// Whether a person wants it first.
    key: bool,
    /// Without a new value for longer it is stale. Milliseconds.
    stale_after_ms: u64,
    /// How often it is read, milliseconds; null if its source decides.
    #[schema(required)]
    interval_ms: Option<u64>,
    /// The device it is read from, or the broker it comes by; null if it is derived from others.
    #[schema(required)]
    device: Option<String>,
}

impl AssetPoint {
    pub(super) fn of(point: &PlantPoint) -> AssetPoint {
        let plan = &point.plan;
        let device = point.source.as_ref().map(|source| match source {
            PointSource::Modbus { device, .. } => device.to_string(),
            PointSource::Mqtt { broker } => broker.to_string(),
        });
        AssetPoint {
            address: plan.address.to_string(),
            asset: plan.address.asset.to_string(),
            quantity: plan.address.quantity.to_string(),
            name: (&plan.name).into(),
            unit: plan.unit.to_string(),
            symbol: plan.unit.symbol(),
            decimals: plan.decimals,
            kind: plan.kind.into(),
            states: StateWire::of_point(plan),
            range: plan.range.map(|(low, high)| [low.into(), high.into()]),
            normal: point.normal.map(|(low, high)| [low.into(), high.into()]),
            key: point.key.is_some(),
            stale_after_ms: plan.stale_after_ms,
            interval_ms: point.interval_ms,
            device,
        }
    }

    /// The points of an asset, key ones first.
    pub(super) fn of_node(node: &Node) -> Vec<AssetPoint> {
        node.points.iter().map(|point| AssetPoint::of(point)).collect()
    }
}

/// All that is known of one machine, room or building.
#[derive(Debug, Serialize, ToSchema)]
pub struct AssetDetail {
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
    /// All it is in, the outermost first.
    path: Vec<Above>,
    /// The system it belongs to.
    #[schema(required, example = "hvac")]
    system: Option<&'static str>,
    /// The building it is in, or is.
    #[schema(required)]
    building: Option<String>,
    /// Its quantities that a person wants first, in this order.
    key: Vec<String>,
    /// Its own points, key ones first.
    points: Vec<AssetPoint>,
    /// What is in it.
    children: Vec<Asset>,
    /// By whom it is supplied.
    feeds_from: Vec<FedBy>,
    /// Whom it supplies.
    feeds_to: Vec<FeedsTo>,
    /// The devices and brokers its points come from.
    sources: Vec<Source>,
}

/// An asset on the way from the outermost one.
#[derive(Debug, Serialize, ToSchema)]
pub struct Above {
    /// Its id.
    id: String,
    /// Its name.
    name: NamesWire,
}

/// Assets that supply this one together.
#[derive(Debug, Serialize, ToSchema)]
pub struct FedBy {
    /// With what.
    #[schema(example = "power")]
    medium: &'static str,
    /// Ids of those that supply it.
    from: Vec<String>,
    /// How many of them must work.
    needs: usize,
}

/// Assets that this one supplies, perhaps together with others.
#[derive(Debug, Serialize, ToSchema)]
pub struct FeedsTo {
    /// With what.
    #[schema(example = "power")]
    medium: &'static str,
    /// Ids of those that are supplied.
    to: Vec<String>,
    /// How many assets supply them.
    of: usize,
    /// How many of those must work.
    needs: usize,
}

/// Where points come from.
#[derive(Debug, Serialize, ToSchema)]
pub struct Source {
    /// How it speaks.
    protocol: Protocol,
    /// The line, or the broker.
    bus: String,
    /// The device on the line; null for a broker.
    #[schema(required)]
    device: Option<String>,
}

/// How a source speaks.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// Polled over a Modbus line.
    Modbus,
    /// Sent to an MQTT broker.
    Mqtt,
}

impl From<&PointSource> for Source {
    fn from(source: &PointSource) -> Source {
        match source {
            PointSource::Modbus { bus, device } => {
                let (bus, device) = (bus.to_string(), Some(device.to_string()));
                Source { protocol: Protocol::Modbus, bus, device }
            }
            PointSource::Mqtt { broker } => {
                Source { protocol: Protocol::Mqtt, bus: broker.to_string(), device: None }
            }
        }
    }
}

/// List the assets
#[utoipa::path(get, path = "/api/v1/assets", tag = "plant", responses((status = 200, body = Assets), Failure))]
pub async fn list_assets(_viewer: Viewer, State(state): State<AppState>) -> Json<Assets> {
    Json(Assets { items: state.plant().model().nodes().iter().map(Asset::of).collect() })
}

/// Get an asset with its points, its place in the tree and its feeds
#[utoipa::path(
    get,
    path = "/api/v1/assets/{id}",
    tag = "plant",
    params(("id" = String, Path, description = "Id of the asset")),
    responses((status = 200, body = AssetDetail), Failure)
)]
pub async fn get_asset(
    _viewer: Viewer,
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Result<Json<AssetDetail>, ApiError> {
    let plant = state.plant();
    let model = plant.model();
    let node = model.find(&id).ok_or_else(|| unknown(&id))?;
    Ok(Json(AssetDetail::of(node, model)))
}

impl AssetDetail {
    fn of(node: &Node, model: &Model) -> AssetDetail {
        let Asset { id, class, name, parent, system, key, .. } = Asset::of(node);
        let above = |node: &&Node| Above { id: node.asset.id.to_string(), name: (&node.asset.name).into() };
        let fed_by = |feed: &config::Feed| FedBy {
            medium: feed.medium.word(),
            from: words(&feed.from),
            needs: feed.needs,
        };
        let feeds_to = |feed: &config::Feed| FeedsTo {
            medium: feed.medium.word(),
            to: words(&feed.to),
            of: feed.from.len(),
            needs: feed.needs,
        };
        let sources: BTreeSet<&PointSource> =
            node.points.iter().filter_map(|point| point.source.as_ref()).collect();
        AssetDetail {
            id,
            class,
            name,
            parent,
            path: model.path(node).iter().map(above).collect(),
            system,
            building: model.id(node.building),
            key,
            points: AssetPoint::of_node(node),
            children: node.children.iter().filter_map(|at| model.node(*at)).map(Asset::of).collect(),
            feeds_from: model.feeds_at(&node.fed_by).map(fed_by).collect(),
            feeds_to: model.feeds_at(&node.feeds).map(feeds_to).collect(),
            sources: sources.into_iter().map(Source::from).collect(),
        }
    }
}

/// There is no asset of this id.
pub(super) fn unknown(id: &str) -> ApiError {
    let shown: String = id.chars().take(Name::LEN_MAX + 1).collect();
    ApiError::not_found("asset", shown).hint("GET /api/v1/assets lists them.")
}
