//! What `plantroom check` says of a plan: counts, sources, and how its points differ from before.

use super::validate::words;
use super::{Broker, History, Plan, Topic};
use crate::point::{Address, Catalogue, CatalogueEntry, Declared};
use std::collections::BTreeSet;
use std::fmt::{self, Formatter};

/// Most new or gone points that are listed by name.
const LISTED_MAX: usize = 20;
/// Addresses at least this alike (Jaro-Winkler) are probably one point renamed.
const ALIKE: f64 = 0.8;

/// A summary for a person. With the catalogue of the last run also what would become of its points.
pub fn describe(plan: &Plan, before: Option<&Catalogue>) -> String {
    Summary { plan, before }.to_string()
}

struct Summary<'a> {
    plan: &'a Plan,
    before: Option<&'a Catalogue>,
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        summary(self.plan, out)?;
        self.before.map_or(Ok(()), |before| changes(self.plan, before, out))
    }
}

fn summary(plan: &Plan, out: &mut Formatter<'_>) -> fmt::Result {
    let zone = plan.site.zone.iana_name().unwrap_or("UTC");
    writeln!(out, "Site {}: {} / {}, {zone}", plan.site.id, plan.site.name.zh, plan.site.name.en)?;
    writeln!(out, "Page http://{}/", plan.http.listen)?;
    let derived = match plan.derived.len() {
        0 => String::new(),
        derived => format!(", {derived} of them derived"),
    };
    let feeds = match plan.feeds.len() {
        0 => String::new(),
        feeds => format!(", {feeds} feeds"),
    };
    writeln!(out, "{} assets{feeds}, {} points{derived}", plan.assets.len(), plan.points.len())?;
    writeln!(out, "{}", history(&plan.history))?;
    for bus in &plan.buses {
        let points: usize = bus.devices.iter().map(|device| device.registers.len()).sum();
        writeln!(out, "Bus {} at {}: {} devices, {points} points", bus.id, bus.link, bus.devices.len())?;
        for device in &bus.devices {
            let intervals = || device.registers.iter().map(|register| register.interval_ms);
            let (fastest, slowest) = (intervals().min().unwrap_or(0), intervals().max().unwrap_or(0));
            let every = if fastest == slowest {
                words(fastest)
            } else {
                format!("{} to {}", words(fastest), words(slowest))
            };
            let points = device.registers.len();
            writeln!(out, "  {}: unit {}, {points} points every {every}", device.id, device.unit)?;
        }
    }
    for broker in &plan.brokers {
        let points = points_of(broker);
        let (host, port) = (&broker.host, broker.port);
        writeln!(
            out,
            "Broker {} at {host}:{port}{}: {} topics, {points} points",
            broker.id,
            if broker.tls.is_some() { " over TLS" } else { "" },
            broker.topics.len()
        )?;
    }
    for target in &plan.targets {
        let host = target.url.host_str().unwrap_or_default();
        writeln!(out, "Forward {} to {host}", target.id)?;
    }
    let by_priority = |priority| plan.rules.iter().filter(|rule| rule.priority == priority).count();
    let priorities: Vec<String> = (1..=4).map(|p| format!("{} of priority {p}", by_priority(p))).collect();
    writeln!(out, "{} rules: {}", plan.rules.len(), priorities.join(", "))?;
    writeln!(
        out,
        "{} meters, {} tariffs, {} targets",
        plan.meters.len(),
        plan.tariffs.len(),
        plan.targets.len()
    )
}

fn history(history: &History) -> String {
    let mib = |bytes: u64| format!("at most {} MiB", bytes >> 20);
    let room = history.limit_bytes.map_or_else(|| "no limit in bytes".to_owned(), mib);
    let keep = |ms: Option<u64>| ms.map_or_else(|| "for ever".to_owned(), words);
    let own = match history.classes.len() {
        0 => String::new(),
        1 => ", 1 class of points for a time of its own".to_owned(),
        classes => format!(", {classes} classes of points for a time of their own"),
    };
    format!("History: {room}, readings are kept {}{own}", keep(history.keep_ms))
}

/// Points a broker can feed.
fn points_of(broker: &Broker) -> usize {
    broker.topics.iter().flat_map(Topic::points).collect::<BTreeSet<Address>>().len()
}

fn changes(plan: &Plan, before: &Catalogue, out: &mut Formatter<'_>) -> fmt::Result {
    let declared = plan.declared();
    let now: BTreeSet<&Address> = declared.iter().map(|point| &point.address).collect();
    let adopted = |point: &Declared| {
        let former = point.formerly.iter().rev().filter(|old| !now.contains(old));
        former.into_iter().find(|old| before.find(old).is_some()).cloned()
    };
    let unknown = declared.iter().filter(|point| before.find(&point.address).is_none());
    let (renamed, new): (Vec<&Declared>, Vec<&Declared>) =
        unknown.partition(|point| adopted(point).is_some());
    let taken: BTreeSet<Address> = renamed.iter().filter_map(|point| adopted(point)).collect();
    let gone: Vec<&CatalogueEntry> = before
        .entries()
        .filter(|entry| entry.declared && !now.contains(&entry.address) && !taken.contains(&entry.address))
        .collect();
    list(out, "new", new.iter().map(|point| &point.address))?;
    list(out, "gone", gone.iter().map(|entry| &entry.address))?;
    for point in &renamed {
        if let Some(old) = adopted(point) {
            writeln!(out, "Renamed: {old} is now {} and keeps its history", point.address)?;
        }
    }
    for (old, point) in probably_renamed(&gone, &new) {
        writeln!(
            out,
            "Probably renamed: {old} to {0}; `formerly = [\"{old}\"]` at {0} keeps its history",
            point.address
        )?;
    }
    for point in &declared {
        let entry = before.find(&point.address).and_then(|id| before.get(id));
        if let Some(entry) = entry.filter(|entry| entry.unit != point.unit || entry.kind != point.kind) {
            writeln!(out, "New epoch: {} was {} and becomes {}", point.address, entry.unit, point.unit)?;
        }
    }
    Ok(())
}

fn list<'a>(
    out: &mut Formatter<'_>,
    what: &str,
    addresses: impl ExactSizeIterator<Item = &'a Address>,
) -> fmt::Result {
    let count = addresses.len();
    if count == 0 {
        return Ok(());
    }
    let shown: Vec<String> = addresses.take(LISTED_MAX).map(Address::to_string).collect();
    let rest = if count > LISTED_MAX { ", ..." } else { "" };
    writeln!(out, "{count} {what}: {}{rest}", shown.join(", "))
}

/// Pairs of a gone and a new point with the same unit and kind and the most similar addresses,
/// the best pairs first, each point in one pair only.
fn probably_renamed<'a>(gone: &[&CatalogueEntry], new: &[&'a Declared]) -> Vec<(Address, &'a Declared)> {
    let mut pairs: Vec<(f64, &Address, &Declared)> = Vec::new();
    for old in gone {
        for point in new.iter().filter(|point| point.unit == old.unit && point.kind == old.kind) {
            let alike = strsim::jaro_winkler(&old.address.to_string(), &point.address.to_string());
            let part =
                old.address.asset == point.address.asset || old.address.quantity == point.address.quantity;
            if alike >= ALIKE && part {
                pairs.push((alike, &old.address, point));
            }
        }
    }
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut old_used, mut new_used) = (BTreeSet::new(), BTreeSet::new());
    let best = pairs.into_iter().filter(|(_, old, point)| {
        let free = !old_used.contains(*old) && !new_used.contains(&point.address);
        if free {
            old_used.insert((*old).clone());
            new_used.insert(&point.address);
        }
        free
    });
    best.map(|(_, old, point)| (old.clone(), point)).collect()
}
