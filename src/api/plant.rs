//! What the configuration says there is, arranged for being asked: by address, by number, by text.

use super::model::Model;
use crate::config;
use crate::point::{Address, Decimal, Name, Names, PointId};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

/// The site, its assets and its points.
#[derive(Debug)]
pub struct Plant {
    site: config::Site,
    asset_names: HashMap<Name, Names>,
    /// In the order of addresses: the order of every list and of its cursor.
    points: BTreeMap<Address, Arc<PlantPoint>>,
    by_id: HashMap<PointId, Arc<PlantPoint>>,
    model: Model,
}

/// The plant as it is now; clones show the same one.
#[derive(Clone, Debug)]
pub struct Plants(Arc<RwLock<Arc<Plant>>>);

impl Plants {
    /// The plant at first.
    pub fn new(plant: Plant) -> Plants {
        Plants(Arc::new(RwLock::new(Arc::new(plant))))
    }

    /// The plant now.
    pub fn now(&self) -> Arc<Plant> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Another one from now on; an answer that is being written still tells of the one before.
    pub fn replace(&self, plant: Plant) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(plant);
    }
}

/// Where a point comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PointSource {
    /// A device on a Modbus line.
    Modbus {
        /// The line.
        bus: Name,
        /// The device.
        device: Name,
    },
    /// Messages of a broker.
    Mqtt {
        /// The broker.
        broker: Name,
    },
}

/// A point and its number.
#[derive(Debug)]
pub struct PlantPoint {
    /// Its number in the catalogue.
    pub id: PointId,
    /// What the configuration says of it.
    pub plan: config::Point,
    /// How often it is read, milliseconds; none if its source decides.
    pub interval_ms: Option<u64>,
    /// What it is reckoned by, if it is derived from others.
    pub formula: Option<String>,
    /// Where it comes from; none if it is derived.
    pub source: Option<PointSource>,
    /// Between which values it is as it should be, both ends inclusive.
    pub normal: Option<(Decimal, Decimal)>,
    /// Its place among those of its asset that a person wants first.
    pub key: Option<usize>,
    /// Lower case, everything a person may search by.
    text: String,
}

impl Plant {
    /// From a plan; `id` is the catalogue. A point without a number is left out: the catalogue
    /// declares all points of a plan before anyone is built.
    pub fn new(plan: &config::Plan, id: impl Fn(&Address) -> Option<PointId>) -> Plant {
        let asset_names: HashMap<_, _> =
            plan.assets.iter().map(|asset| (asset.id.clone(), asset.name.clone())).collect();
        let mut intervals: HashMap<&Address, u64> = HashMap::new();
        for device in plan.buses.iter().flat_map(|bus| &bus.devices) {
            intervals.extend(device.registers.iter().map(|register| (&register.point, register.interval_ms)));
        }
        let formulas: HashMap<_, _> =
            plan.derived.iter().map(|derived| (&derived.point, derived.formula.source())).collect();
        let assets: HashMap<_, _> = plan.assets.iter().map(|asset| (&asset.id, asset)).collect();
        let mut sources = sources(plan);
        let known = |point: &config::Point| {
            let Address { asset, quantity } = &point.address;
            let asset = assets.get(asset);
            let known = PlantPoint {
                id: id(&point.address)?,
                plan: point.clone(),
                interval_ms: intervals.get(&point.address).copied(),
                formula: formulas.get(&point.address).map(|source| (*source).to_owned()),
                source: sources.remove(&point.address),
                normal: asset.and_then(|asset| asset.normal.get(quantity).copied()),
                key: asset.and_then(|asset| asset.key.iter().position(|key| key == quantity)),
                text: search_text(point, asset.map(|asset| &asset.name)),
            };
            Some((point.address.clone(), Arc::new(known)))
        };
        let points: BTreeMap<_, _> = plan.points.iter().filter_map(known).collect();
        let by_id = points.values().map(|point| (point.id, Arc::clone(point))).collect();
        let model = Model::new(plan, &points.values().cloned().collect::<Vec<_>>());
        Plant { site: plan.site.clone(), asset_names, points, by_id, model }
    }

    /// The site.
    pub fn site(&self) -> &config::Site {
        &self.site
    }

    /// The IANA name of the site's zone.
    pub fn zone_name(&self) -> &str {
        self.site.zone.iana_name().unwrap_or("UTC")
    }

    /// Assets, systems, buildings, feeds.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// What an asset is called; its id in both languages if the plan has none of that id.
    pub fn asset_name(&self, id: &str) -> Names {
        let known = id.parse::<Name>().ok().and_then(|id| self.asset_names.get(&id));
        known.cloned().unwrap_or_else(|| Names::or_id(None, None, id))
    }

    /// All points, by address.
    pub fn points(&self) -> impl Iterator<Item = &Arc<PlantPoint>> {
        self.points.values()
    }

    /// The points behind an address, which need not exist itself.
    pub fn points_after(&self, after: Option<&Address>) -> impl Iterator<Item = &Arc<PlantPoint>> {
        let from = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        self.points.range::<Address, _>((from, std::ops::Bound::Unbounded)).map(|(_, point)| point)
    }

    /// The point of an address.
    pub fn find(&self, address: &Address) -> Option<&Arc<PlantPoint>> {
        self.points.get(address)
    }

    /// The point of an address as a client wrote it.
    pub fn find_text(&self, address: &str) -> Option<&Arc<PlantPoint>> {
        self.find(&address.parse().ok()?)
    }

    /// The point of a number.
    pub fn get(&self, id: PointId) -> Option<&Arc<PlantPoint>> {
        self.by_id.get(&id)
    }
}

impl PlantPoint {
    /// Whether address or one of the names holds the text, which is in lower case.
    pub fn matches(&self, lower: &str) -> bool {
        self.text.contains(lower)
    }
}

/// Where each point comes from.
fn sources(plan: &config::Plan) -> HashMap<Address, PointSource> {
    let mut sources = HashMap::new();
    for broker in &plan.brokers {
        let points = broker.topics.iter().flat_map(config::Topic::points);
        sources.extend(points.map(|point| (point, PointSource::Mqtt { broker: broker.id.clone() })));
    }
    for bus in &plan.buses {
        for device in &bus.devices {
            let source = PointSource::Modbus { bus: bus.id.clone(), device: device.id.clone() };
            let points = device.registers.iter().map(|register| register.point.clone());
            sources.extend(points.map(|point| (point, source.clone())));
        }
    }
    sources
}

fn search_text(point: &config::Point, asset: Option<&Names>) -> String {
    let asset = asset.cloned().unwrap_or_default();
    let name = &point.name;
    format!("{} {} {} {} {}", point.address, name.zh, name.en, asset.zh, asset.en).to_lowercase()
}
