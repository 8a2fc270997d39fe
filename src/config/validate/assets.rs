//! The asset tree: ids once, parents that exist, no circle; parents before children, and the system of each.

use super::super::diagnostic::{Code, Problem};
use super::super::leaf::At;
use super::super::source::Place;
use super::super::spec::{self, File, Text};
use super::super::{Asset, Part, System};
use super::{Context, Ids};
use crate::point::{Decimal, Name};
use std::collections::{BTreeMap, BTreeSet};

/// The assets of the site.
#[derive(Default)]
pub struct Assets {
    pub in_order: Vec<Asset>,
    pub ids: Ids,
    /// Earlier ids, oldest first.
    pub formerly: BTreeMap<Name, Vec<Name>>,
    /// The system of each asset that has one.
    systems: BTreeMap<Name, System>,
}

pub fn validate(parts: &[Part<File>], context: &mut Context<'_>) -> Assets {
    let mut assets = Assets::default();
    let mut waiting: Vec<(Place, &spec::Asset)> = Vec::new();
    for part in parts {
        for asset in &part.content.assets {
            let place = part.place(&asset.id);
            if assets.ids.claim("assets", &asset.id, &place, context) {
                assets.formerly.insert(asset.id.clone(), asset.formerly.clone());
                let parent = asset.parent.as_ref().map_or(place, |parent| part.place(parent));
                waiting.push((parent, asset));
            }
        }
    }
    for (place, asset) in &waiting {
        let parent = asset.parent.as_ref().filter(|parent| !assets.ids.0.contains_key(parent));
        if let Some(parent) = parent {
            context.unknown("asset", parent.as_str(), place.clone(), assets.ids.words());
        }
    }
    // Each round takes what has its parent; what is left then is in a circle, or hangs on one.
    let mut placed: BTreeSet<&Name> = BTreeSet::new();
    loop {
        let ready = |asset: &spec::Asset| {
            asset
                .parent
                .as_ref()
                .is_none_or(|parent| placed.contains(&**parent) || !assets.ids.0.contains_key(parent))
        };
        let (now, later): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(_, asset)| ready(asset));
        waiting = later;
        if now.is_empty() {
            break;
        }
        placed.extend(now.iter().map(|(_, asset)| &*asset.id));
        for (_, asset) in now {
            let asset = assets.resolved(asset);
            assets.in_order.push(asset);
        }
    }
    tell_circles(&waiting, context);
    assets
}

impl Assets {
    /// An asset whose parent stands among those before it.
    fn resolved(&mut self, asset: &spec::Asset) -> Asset {
        let above = asset.parent.as_ref().and_then(|parent| self.systems.get(&**parent).copied());
        let system = asset.system.or_else(|| System::of_class(&asset.class.0)).or(above);
        if let Some(system) = system {
            self.systems.insert((*asset.id).clone(), system);
        }
        // What is not a name is told where the points are known.
        let band = |(quantity, band): (&String, &At<[Decimal; 2]>)| {
            let [low, high] = **band;
            Some((quantity.parse().ok()?, (low, high)))
        };
        Asset {
            id: asset.id.clone(),
            class: asset.class.0.clone(),
            name: Text::names(asset.name.as_ref(), &asset.id),
            parent: asset.parent.as_ref().map(|parent| (**parent).clone()),
            system,
            key: asset.key.iter().map(|quantity| (**quantity).clone()).collect(),
            normal: asset.normal.iter().filter_map(band).collect(),
        }
    }
}

/// One message a circle, at its first asset; what only hangs on a circle is not to blame.
fn tell_circles(left: &[(Place, &spec::Asset)], context: &mut Context<'_>) {
    let parents: BTreeMap<&Name, &Name> =
        left.iter().filter_map(|(_, asset)| Some((&*asset.id, &**asset.parent.as_ref()?))).collect();
    let mut told: BTreeSet<&Name> = BTreeSet::new();
    for (place, asset) in left {
        let mut circle: Vec<&Name> = vec![&asset.id];
        while let Some(parent) = circle.last().and_then(|last| parents.get(last)) {
            if circle.contains(parent) {
                break;
            }
            circle.push(parent);
        }
        let closed = circle.last().and_then(|last| parents.get(last)) == circle.first();
        if closed && !told.contains(&*asset.id) {
            told.extend(&circle);
            let path: Vec<&str> = circle.iter().chain(circle.first()).map(|name| name.as_str()).collect();
            let message = format!("assets are in each other: {}", path.join(" in "));
            let help = "the tree goes site, building, floor, room, machine: take one `parent` out";
            context.problems.push(Problem::error(Code::AssetCycle, place.clone(), message).help(help));
        }
    }
}
