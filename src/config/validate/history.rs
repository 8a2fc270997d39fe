//! How much of the past is kept: sizes, times, and classes that some point is of.

use super::Context;
use crate::config::diagnostic::{Code, closest};
use crate::config::leaf::{At, Millis};
use crate::config::plan::KeptClass;
use crate::config::source::Place;
use crate::config::spec::{self, File};
use crate::config::{Asset, History, Part, Point, limits};
use crate::point::Name;
use std::collections::{BTreeMap, BTreeSet};

/// The points of a plan with the class of their asset.
type Classed<'p> = Vec<(&'p Point, &'p str)>;

pub(super) fn validate(parts: &[Part<File>], assets: &[Asset], context: &mut Context<'_>) -> History {
    let part = parts.first();
    let Some((part, history)) = part.and_then(|part| Some((part, part.content.history.as_ref()?))) else {
        return History::default();
    };
    let limit_bytes = history.limit.as_ref().map(|at| at.0);
    if let Some(at) = history.limit.as_ref().filter(|at| !limits::HISTORY_BYTES.contains(&at.0)) {
        let message = "a history of this size is out of limits";
        context.error(Code::WrongValue, part.place(at), message, "from 256MiB to 1024TiB");
    }
    let keep_ms = keep(part, history.keep.as_ref(), context);
    let classes: BTreeMap<&Name, &str> =
        assets.iter().map(|asset| (&asset.id, asset.class.as_str())).collect();
    let points = context.points.list.clone();
    let class = |point: &Point| classes.get(&point.address.asset).copied().unwrap_or_default();
    let mut left: Classed<'_> = points.iter().map(|point| (point, class(point))).collect();
    let all = left.clone();
    let mut kept = Vec::new();
    for written in &history.classes {
        let class = KeptClass {
            class: written.class.as_ref().map(|class| class.0.clone()),
            quantity: written.quantity.as_deref().cloned(),
            unit: written.unit.as_deref().copied(),
            keep_ms: keep(part, written.keep.as_ref(), context),
        };
        if names_points(part, written, &all, context) {
            let fits =
                |(point, of): &(&Point, &str)| class.fits(Some(of), &point.address.quantity, point.unit);
            let (known, open) = (all.iter().any(fits), left.iter().any(fits));
            left.retain(|point| !fits(point));
            reached(part.place(written), known, open, context);
        }
        kept.push(class);
    }
    History { limit_bytes, keep_ms, classes: kept }
}

fn keep(part: &Part<File>, at: Option<&At<Millis>>, context: &mut Context<'_>) -> Option<u64> {
    at.map(|at| context.millis(part.source, Some(at), limits::KEEP_MS, *limits::KEEP_MS.end()))
}

/// Whether each thing that is said is said of some point.
fn names_points(
    part: &Part<File>,
    written: &At<spec::KeptClass>,
    all: &Classed<'_>,
    context: &mut Context<'_>,
) -> bool {
    let spec::KeptClass { class, quantity, unit, .. } = &**written;
    if class.is_none() && quantity.is_none() && unit.is_none() {
        let help = "write class, quantity or unit; for all points write `keep` under [history]";
        context.error(Code::MissingField, part.place(written), "this class names no points", help);
        return false;
    }
    let mut known = true;
    if let Some(at) = class {
        let classes = all.iter().map(|(_, class)| (*class).to_owned());
        known &= is_known("no point is of the class", &at.0, part.place(at), classes, context);
    }
    if let Some(at) = quantity {
        let quantities = all.iter().map(|(point, _)| point.address.quantity.to_string());
        known &= is_known("no point has the quantity", at.as_str(), part.place(at), quantities, context);
    }
    if let Some(at) = unit {
        let units = all.iter().map(|(point, _)| point.unit.to_string());
        known &= is_known("no point is in the unit", &at.to_string(), part.place(at), units, context);
    }
    known
}

/// Whether a word is said of some point.
fn is_known(
    none: &str,
    word: &str,
    place: Place,
    all: impl Iterator<Item = String>,
    context: &mut Context<'_>,
) -> bool {
    let all: BTreeSet<String> = all.collect();
    if all.contains(word) {
        return true;
    }
    if context.complete {
        let help = closest(word, all.iter().map(String::as_str)).map_or_else(
            || "correct it, or leave this class out".to_owned(),
            |word| format!("did you mean \"{word}\"?"),
        );
        context.error(Code::UnknownReference, place, format!("{none} \"{word}\""), &help);
    }
    false
}

/// A class no point is of, or whose points all have one before.
fn reached(place: Place, known: bool, open: bool, context: &mut Context<'_>) {
    if !context.complete || open {
        return;
    }
    if known {
        let help = "write it before them, or leave it out: the first that fits a point counts";
        context.error(Code::Duplicate, place, "all points of this class are of classes before it", help);
    } else {
        let message = "there is no point of this class, quantity and unit together";
        context.error(Code::UnknownReference, place, message, "leave one of them out");
    }
}
