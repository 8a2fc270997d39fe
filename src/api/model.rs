//! The plant as systems, buildings and feeds: made once for a plan, so that a page costs a walk over what it shows.

use super::plant::{PlantPoint, PointSource};
use crate::config::{self, System};
use crate::point::{Name, PointId};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Class of what the columns of the overview are.
const BUILDING: &str = "Building";
/// Most points of a cell of the overview.
const KEY_POINTS_MAX: usize = 4;

/// The assets with all that stands around them.
#[derive(Debug, Default)]
pub struct Model {
    /// Depth first: what is in an asset follows it.
    nodes: Vec<Node>,
    places: HashMap<Name, usize>,
    cells: Vec<Cell>,
    /// The points of all cells, by number, each with the place of its cell.
    counted: Counted,
    feeds: Vec<config::Feed>,
    /// Where points come from, in order, and the points of each.
    sources: Vec<PointSource>,
    sourced: Counted,
}

/// An asset and what stands around it; others are named by their places among the nodes.
#[derive(Debug)]
pub struct Node {
    /// What the configuration says of it.
    pub asset: config::Asset,
    /// What it is in or part of.
    pub parent: Option<usize>,
    /// The building it is in, or is.
    pub building: Option<usize>,
    /// What is in it, in the order of the files.
    pub children: Vec<usize>,
    /// Its own points: key ones first, in their order, the others by their quantities.
    pub points: Vec<Arc<PlantPoint>>,
    /// Places of the feeds it is supplied by.
    pub fed_by: Vec<usize>,
    /// Places of the feeds it supplies.
    pub feeds: Vec<usize>,
    /// Its cell of the overview; none without a system.
    pub cell: Option<usize>,
}

/// A system in a building: a cell of the overview.
#[derive(Debug)]
pub struct Cell {
    /// The system.
    pub system: System,
    /// Place of the building; none for what is in no building.
    pub building: Option<usize>,
    /// How many assets.
    pub assets: usize,
    /// How many points.
    pub points: usize,
    /// What a person wants to see of it first: the first key of each asset, then the second of each.
    pub key: Vec<Arc<PlantPoint>>,
}

/// Points with a number each, in the order of their own numbers.
#[derive(Debug, Default)]
pub struct Counted {
    /// The points.
    pub ids: Vec<PointId>,
    /// To what each belongs.
    pub of: Vec<usize>,
}

impl Counted {
    fn new(mut points: Vec<(PointId, usize)>) -> Counted {
        points.sort_unstable();
        let (ids, of) = points.into_iter().unzip();
        Counted { ids, of }
    }
}

impl Model {
    /// Arranges a plan. `points` are its points in the order of their addresses.
    pub fn new(plan: &config::Plan, points: &[Arc<PlantPoint>]) -> Model {
        let mut model = Model { feeds: plan.feeds.clone(), ..Model::default() };
        model.plant_tree(&plan.assets);
        for point in points {
            if let Some(node) =
                model.places.get(&point.plan.address.asset).and_then(|at| model.nodes.get_mut(*at))
            {
                node.points.push(Arc::clone(point));
            }
        }
        for node in &mut model.nodes {
            // Stable: what is no key stays in the order of the addresses.
            node.points.sort_by_key(|point| point.key.unwrap_or(usize::MAX));
        }
        model.count_sources(points);
        model.join_feeds();
        model.fill_cells();
        model
    }

    /// Depth first, children in the order of the files. The plan has parents before children.
    fn plant_tree(&mut self, assets: &[config::Asset]) {
        let mut children: HashMap<&Name, Vec<&config::Asset>> = HashMap::new();
        let mut left: Vec<&config::Asset> = Vec::new();
        for asset in assets {
            match &asset.parent {
                Some(parent) => children.entry(parent).or_default().push(asset),
                None => left.push(asset),
            }
        }
        left.reverse();
        while let Some(asset) = left.pop() {
            let place = self.nodes.len();
            let parent = asset.parent.as_ref().and_then(|parent| self.places.get(parent).copied());
            let above = parent.and_then(|parent| self.nodes.get_mut(parent));
            let building = above.as_ref().and_then(|above| above.building);
            if let Some(above) = above {
                above.children.push(place);
            }
            self.places.insert(asset.id.clone(), place);
            self.nodes.push(Node {
                asset: asset.clone(),
                parent,
                building: if asset.class == BUILDING { Some(place) } else { building },
                children: Vec::new(),
                points: Vec::new(),
                fed_by: Vec::new(),
                feeds: Vec::new(),
                cell: None,
            });
            left.extend(children.get(&asset.id).into_iter().flatten().rev());
        }
    }

    fn count_sources(&mut self, points: &[Arc<PlantPoint>]) {
        let places: BTreeMap<&PointSource, usize> = {
            let known: BTreeSet<&PointSource> =
                points.iter().filter_map(|point| point.source.as_ref()).collect();
            known.into_iter().zip(0..).collect()
        };
        let place = |point: &Arc<PlantPoint>| Some((point.id, *places.get(point.source.as_ref()?)?));
        self.sourced = Counted::new(points.iter().filter_map(place).collect());
        self.sources = places.into_keys().cloned().collect();
    }

    fn join_feeds(&mut self) {
        for (at, feed) in self.feeds.iter().enumerate() {
            for asset in &feed.from {
                if let Some(node) = self.places.get(asset).and_then(|place| self.nodes.get_mut(*place)) {
                    node.feeds.push(at);
                }
            }
            for asset in &feed.to {
                if let Some(node) = self.places.get(asset).and_then(|place| self.nodes.get_mut(*place)) {
                    node.fed_by.push(at);
                }
            }
        }
    }

    /// Cells by system, then by the order of the buildings; what is in no building comes last.
    fn fill_cells(&mut self) {
        let mut cells: BTreeMap<(System, usize), Vec<usize>> = BTreeMap::new();
        for (place, node) in self.nodes.iter().enumerate() {
            if let Some(system) = node.asset.system {
                cells.entry((system, node.building.unwrap_or(usize::MAX))).or_default().push(place);
            }
        }
        let mut counted: Vec<(PointId, usize)> = Vec::new();
        for ((system, building), places) in cells {
            let at = self.cells.len();
            let mut keys: Vec<(usize, Arc<PlantPoint>)> = Vec::new();
            let mut points = 0;
            for place in &places {
                let Some(node) = self.nodes.get_mut(*place) else { continue };
                node.cell = Some(at);
                points += node.points.len();
                counted.extend(node.points.iter().map(|point| (point.id, at)));
                let first = node.points.iter().filter_map(|point| Some((point.key?, Arc::clone(point))));
                keys.extend(first.take(KEY_POINTS_MAX));
            }
            // Stable: of the same rank in the order of the tree.
            keys.sort_by_key(|(rank, _)| *rank);
            let key = keys.into_iter().take(KEY_POINTS_MAX).map(|(_, point)| point).collect();
            let building = (building != usize::MAX).then_some(building);
            self.cells.push(Cell { system, building, assets: places.len(), points, key });
        }
        self.counted = Counted::new(counted);
    }

    /// All assets, depth first.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The asset of a place.
    pub fn node(&self, place: usize) -> Option<&Node> {
        self.nodes.get(place)
    }

    /// The asset of an id as a client wrote it.
    pub fn find(&self, id: &str) -> Option<&Node> {
        self.node(self.place(id)?)
    }

    /// Its place among the assets.
    pub fn place(&self, id: &str) -> Option<usize> {
        self.places.get(&id.parse::<Name>().ok()?).copied()
    }

    /// The id of a place, if it is one.
    pub fn id(&self, place: Option<usize>) -> Option<String> {
        Some(self.node(place?)?.asset.id.to_string())
    }

    /// What an asset is in, the outermost first, without itself.
    pub fn path<'a>(&'a self, node: &'a Node) -> Vec<&'a Node> {
        let above = |node: &&'a Node| self.node(node.parent?);
        let mut path: Vec<&Node> = std::iter::successors(above(&node), above).collect();
        path.reverse();
        path
    }

    /// The cells of the overview, by system, then by building.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// The points of all cells with the place of their cell.
    pub fn counted(&self) -> &Counted {
        &self.counted
    }

    /// Where points come from, in order, and the points of each by its place there.
    pub fn sources(&self) -> (&[PointSource], &Counted) {
        (&self.sources, &self.sourced)
    }

    /// Who supplies whom, in the order of the files.
    pub fn feeds(&self) -> &[config::Feed] {
        &self.feeds
    }

    /// Some of the feeds, by their places.
    pub fn feeds_at<'a>(&'a self, places: &'a [usize]) -> impl Iterator<Item = &'a config::Feed> {
        places.iter().filter_map(|place| self.feeds.get(*place))
    }
}
