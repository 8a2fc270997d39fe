//! What a new configuration changes, and whether that can be done without a restart. Pure.
//!
//! Devices and registers of a bus, the points they feed, and derived points can change while
//! everybody goes on.
//! The rest is held by tasks that were built from it: it takes a restart, which is a matter of
//! seconds and loses nothing that is on disk.

use crate::config::{Asset, Bus, Plan, Point, Register, Secret};
use crate::point::{Address, Name};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

/// From one plan to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// They say the same.
    Nothing,
    /// Other devices, registers or points on these buses, in the order of the plan. None of them
    /// if only what is said of a point changed, its name or its scale, or a derived point; or what
    /// pages show of assets: system, key, normal bands, feeds.
    Buses(Vec<Name>),
    /// What changed is built at the start only; for a person: "the rule oxygen-low, the site".
    NeedsRestart(String),
}

/// What leads from `old` to `new`.
pub fn between(old: &Plan, new: &Plan) -> Difference {
    let fixed = [
        one("the site", &old.site, &new.site),
        one("the web server", &old.http, &new.http),
        one("the history", &old.history, &new.history),
        many("asset", &things(old), &things(new), |asset| asset.id.to_string()),
        many("broker", &old.brokers, &new.brokers, |broker| broker.id.to_string()),
        many("target", &old.targets, &new.targets, |target| target.id.to_string()),
        (secrets(old) != secrets(new)).then(|| "a password or token".to_owned()),
        many("rule", &old.rules, &new.rules, |rule| rule.id.to_string()),
        many("meter", &old.meters, &new.meters, |meter| meter.id.to_string()),
        many("tariff", &old.tariffs, &new.tariffs, |tariff| tariff.id.to_string()),
        many("bus", &lines(old), &lines(new), |line| line.id.to_string()),
        many("point", &unpolled(old), &unpolled(new), |point| point.address.to_string()),
        remeant(old, new),
    ];
    let fixed: Vec<String> = fixed.into_iter().flatten().collect();
    if !fixed.is_empty() {
        return Difference::NeedsRestart(fixed.join(", "));
    }
    let changed = old.buses.iter().zip(&new.buses).filter(|(old, new)| old != new);
    let buses: Vec<Name> = changed.map(|(_, new)| new.id.clone()).collect();
    let shown = same(&old.assets, &new.assets) && old.feeds == new.feeds;
    if shown && buses.is_empty() && same(&old.points, &new.points) && same(&old.derived, &new.derived) {
        return Difference::Nothing;
    }
    Difference::Buses(buses)
}

/// As printed: complete but for secrets, which are compared apart.
fn same<T: Debug + ?Sized>(old: &T, new: &T) -> bool {
    format!("{old:?}") == format!("{new:?}")
}

fn one<T: Debug>(what: &str, old: &T, new: &T) -> Option<String> {
    (!same(old, new)).then(|| what.to_owned())
}

/// The first that was added, removed or changed, and how many more.
fn many<T: Debug>(what: &str, old: &[T], new: &[T], id: impl Fn(&T) -> String) -> Option<String> {
    let printed = |items: &[T]| -> Vec<(String, String)> {
        items.iter().map(|item| (id(item), format!("{item:?}"))).collect()
    };
    let (old, new) = (printed(old), printed(new));
    if old == new {
        return None;
    }
    let (before, after): (BTreeSet<_>, BTreeSet<_>) = (old.into_iter().collect(), new.into_iter().collect());
    let changed: BTreeSet<&String> = before.symmetric_difference(&after).map(|(id, _)| id).collect();
    let Some(first) = changed.first() else { return Some(format!("the order of each {what}")) };
    Some(match changed.len() - 1 {
        0 => format!("the {what} {first}"),
        more => format!("the {what} {first} and {more} more"),
    })
}

/// The assets without what only pages ask for.
fn things(plan: &Plan) -> Vec<Asset> {
    let plain =
        |asset: &Asset| Asset { system: None, key: Vec::new(), normal: BTreeMap::new(), ..asset.clone() };
    plan.assets.iter().map(plain).collect()
}

fn secrets(plan: &Plan) -> Vec<&Secret> {
    let of_brokers = plan.brokers.iter().flat_map(|broker| &broker.login).map(|login| &login.password);
    let logins = plan.targets.iter().flat_map(|target| &target.login).map(|login| &login.password);
    let tokens = plan.targets.iter().flat_map(|target| &target.token);
    of_brokers.chain(logins).chain(tokens).collect()
}

/// The buses without their devices: the connection and its times.
fn lines(plan: &Plan) -> Vec<Bus> {
    plan.buses.iter().map(|bus| Bus { devices: Vec::new(), ..bus.clone() }).collect()
}

fn registers(plan: &Plan) -> impl Iterator<Item = &Register> {
    plan.buses.iter().flat_map(|bus| &bus.devices).flat_map(|device| &device.registers)
}

/// Points no bus feeds and no formula gives: a broker may, and knows them by what it was built with.
fn unpolled(plan: &Plan) -> Vec<&Point> {
    let polled = registers(plan).map(|register| &register.point);
    let derived = plan.derived.iter().map(|derived| &derived.point);
    let known: BTreeSet<&Address> = polled.chain(derived).collect();
    plan.points.iter().filter(|point| !known.contains(&point.address)).collect()
}

/// A point that a rule or a meter was built on, whose values mean something else now: the limit
/// and the count are in its unit.
fn remeant(old: &Plan, new: &Plan) -> Option<String> {
    let meaning = |plan: &Plan| -> BTreeMap<Address, _> {
        plan.points.iter().map(|point| (point.address.clone(), (point.unit, point.kind))).collect()
    };
    let (old_meaning, new_meaning) = (meaning(old), meaning(new));
    let by_rules = new.rules.iter().map(|rule| ("rule", &rule.id, &rule.point));
    let by_meters = new.meters.iter().map(|meter| ("meter", &meter.id, &meter.point));
    let mut watched = by_rules.chain(by_meters);
    let changed = watched.find(|(.., point)| old_meaning.get(point) != new_meaning.get(point))?;
    let (what, id, point) = changed;
    Some(format!("the unit or kind of {point}, which the {what} {id} watches"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use std::path::Path;

    fn plan() -> Plan {
        config::load(Path::new("config/plantroom.toml"), &|_| None).unwrap().plan
    }

    fn after(change: impl FnOnce(&mut Plan)) -> Difference {
        let mut new = plan();
        change(&mut new);
        between(&plan(), &new)
    }

    fn polled_and_unwatched(plan: &Plan) -> usize {
        let free = |point: &Point| {
            registers(plan).any(|register| register.point == point.address)
                && !plan.rules.iter().any(|rule| rule.point == point.address)
                && !plan.meters.iter().any(|meter| meter.point == point.address)
        };
        plan.points.iter().position(free).unwrap()
    }

    #[test]
    fn the_same_configuration_is_no_difference() {
        assert_eq!(after(|_| {}), Difference::Nothing);
    }

    #[test]
    fn what_pages_show_of_assets_needs_no_restart() {
        assert_eq!(after(|plan| plan.feeds.clear()), Difference::Buses(vec![]));
        assert_eq!(
            after(|plan| plan.assets[0].key = vec!["power".parse().unwrap()]),
            Difference::Buses(vec![])
        );
        let gone = after(|plan| drop(plan.assets.pop()));
        assert!(matches!(gone, Difference::NeedsRestart(what) if what.starts_with("the asset ")));
    }

    #[test]
    fn devices_and_the_points_they_feed_need_no_restart() {
        let bus = plan().buses[0].id.clone();
        let added = after(|plan| {
            let mut device = plan.buses[0].devices[0].clone();
            device.registers.truncate(1);
            device.registers[0].interval_ms += 1;
            plan.buses[0].devices[0] = device;
        });
        // What the dropped registers fed is fed by nobody now, unless it went as well.
        assert!(matches!(added, Difference::NeedsRestart(what) if what.starts_with("the point ")));
        let slower = after(|plan| plan.buses[0].devices[0].registers[0].interval_ms += 1);
        assert_eq!(slower, Difference::Buses(vec![bus]));
        let renamed = after(|plan| {
            let at = polled_and_unwatched(plan);
            plan.points[at].name.en.push('!');
            plan.points[at].unit = "Hz".parse().unwrap();
        });
        assert_eq!(renamed, Difference::Buses(Vec::new()));
    }

    #[test]
    fn what_was_built_at_the_start_takes_a_restart_and_is_named() {
        let needs = |what: &str, change: fn(&mut Plan)| {
            assert_eq!(after(change), Difference::NeedsRestart(what.to_owned()));
        };
        needs("the site", |plan| plan.site.name.en.push('!'));
        needs("the history", |plan| plan.history.keep_ms = Some(1));
        needs("the web server", |plan| plan.http.listen.set_port(1));
        let first = plan().rules[0].id.clone();
        needs(&format!("the rule {first}"), |plan| plan.rules[0].on_delay_ms += 1);
        let bus = plan().buses[0].id.clone();
        needs(&format!("the bus {bus}"), |plan| plan.buses[0].timeout_ms += 1);
        let watched =
            format!("the unit or kind of {}, which the rule {first} watches", plan().rules[0].point);
        needs(&watched, |plan| {
            let point = plan.rules[0].point.clone();
            let point = plan.points.iter_mut().find(|known| known.address == point).unwrap();
            point.unit = "V".parse().unwrap();
        });
        needs("the order of each asset", |plan| plan.assets.swap(0, 1));
    }

    #[test]
    fn another_password_is_a_difference_although_no_print_shows_it() {
        let login = |password: &str| {
            let password = Secret::new(password.to_owned());
            Some(config::Login { username: "p".to_owned(), password })
        };
        let (mut old, mut new) = (plan(), plan());
        (old.brokers[0].login, new.brokers[0].login) = (login("a"), login("b"));
        let Difference::NeedsRestart(what) = between(&old, &new) else { panic!("no difference") };
        assert_eq!(what, "a password or token");
    }
}
