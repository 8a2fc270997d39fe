//! Which points of an asset come first, and between which values they are as they should be.

use super::super::Part;
use super::super::diagnostic::Code;
use super::super::leaf::At;
use super::super::source::Place;
use super::super::spec::{Asset, File};
use super::Context;
use crate::point::{Address, Decimal, Name, ValueKind};
use std::collections::BTreeSet;

/// Checks `key` and `normal` of every asset against its points, which must be known by now.
pub fn validate(parts: &[Part<File>], context: &mut Context<'_>) {
    for part in parts {
        for asset in &part.content.assets {
            keys(part, asset, context);
            for (quantity, band) in &asset.normal {
                normal(part, &asset.id, quantity, band, context);
            }
        }
    }
}

fn keys(part: &Part<File>, asset: &Asset, context: &mut Context<'_>) {
    let mut named = BTreeSet::new();
    for quantity in &asset.key {
        if !named.insert(quantity.as_str()) {
            let message = format!("\"{}\" stands in this list twice", **quantity);
            context.error(Code::Duplicate, part.place(quantity), message, "take one of them out");
        }
        known(&asset.id, quantity.as_str(), part.place(quantity), context);
    }
}

/// The address of a quantity of an asset, if there is such a point.
fn known(asset: &Name, quantity: &str, place: Place, context: &mut Context<'_>) -> Option<Address> {
    let address = quantity.parse().ok().map(|quantity| Address { asset: asset.clone(), quantity });
    if let Some(address) = address.filter(|address| context.points.get(address).is_some()) {
        return Some(address);
    }
    let own = context.points.places.keys().filter(|known| known.asset == *asset);
    let own: Vec<String> = own.map(Address::to_string).collect();
    context.unknown("point", &format!("{asset}/{quantity}"), place, own.iter().map(String::as_str));
    None
}

fn normal(
    part: &Part<File>,
    asset: &Name,
    quantity: &str,
    band: &At<[Decimal; 2]>,
    context: &mut Context<'_>,
) {
    let place = part.place(band);
    let Some(address) = known(asset, quantity, place.clone(), context) else { return };
    let Some(point) = context.points.get(&address) else { return };
    let ([low, high], unit, range) = (**band, point.unit, point.range);
    if point.kind == ValueKind::Text {
        let message = format!("the point \"{address}\" is a text and has no band");
        context.error(Code::Range, place, message, "take this out");
    } else if low > high {
        // One value alone may be normal: a flag that is 0.
        let message = format!("the normal band {low} to {high} is empty");
        context.error(Code::Range, place, message, "write the lower end first: [0, 800]");
    } else if let Some((least, most)) = range.filter(|(least, most)| low < *least || high > *most) {
        let message = format!(
            "the normal band {low} to {high} {unit} leaves the range {least} to {most} of \"{address}\""
        );
        context.error(Code::Range, place, message, "correct the band, or the range of the point");
    }
}
