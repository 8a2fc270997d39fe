//! A device: what it can bear, and its own registers over those of its profile.

use super::super::diagnostic::{Code, Problem};
use super::super::leaf::{At, Millis};
use super::super::source::Place;
use super::super::spec::{self, Certainty, File, Profile};
use super::super::{Device, DeviceLimits, Library, Part, Point, Register, Stretch, Table, limits};
use super::assets::Assets;
use super::register::{Found, Layer, Owner, Written, known_asset};
use super::{Context, layout};
use crate::point::Name;
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet};

pub struct DeviceWork<'a> {
    pub part: &'a Part<File>,
    pub device: &'a spec::Device,
    pub assets: &'a Assets,
    pub zone: &'a TimeZone,
    pub library: &'a Library<'a>,
}

/// A profile alone: its registers with their points, for an asset of that name.
pub fn profile(
    part: &Part<Profile>,
    asset: &Name,
    problems: &mut Vec<Problem>,
) -> (Vec<(Register, Point)>, DeviceLimits) {
    let mut context = Context::new(problems.is_empty(), problems);
    let said = part.content.device.limits.as_ref().map(|value| Found { source: part.source, value });
    let limits = device_limits(&[said], &mut context);
    let owner = Owner {
        assets: &Assets::default(),
        asset,
        interval_ms: limits::INTERVAL_DEFAULT_MS,
        limits: &limits,
        has_profile: false,
    };
    no_assets(part, &mut context);
    if part.content.registers.is_empty() && part.content.topics.is_empty() && context.complete {
        let message = "this profile says nothing";
        let help = "write `[[registers]]` of a Modbus device, or `[[topics]]` of one that sends";
        context.error(Code::MissingField, Place { source: part.source, span: 0..0 }, message, help);
    }
    let layers = part.content.registers.iter().map(|register| Layer { source: part.source, register });
    let written: Vec<Written<'_>> = layers.map(|own| Written { own, profile: None }).collect();
    let registers = resolve(&owner, &written, Some(part.source), &mut context);
    let points = context.points.list;
    (registers.into_iter().zip(points).collect(), limits)
}

/// All registers that can be resolved, in order; what is wrong between them is told.
fn resolve(
    owner: &Owner<'_>,
    written: &[Written<'_>],
    profile: Option<usize>,
    context: &mut Context<'_>,
) -> Vec<Register> {
    let resolved: Vec<_> = written.iter().filter_map(|written| owner.resolve(written, context)).collect();
    layout::check(&resolved, profile, context);
    resolved.into_iter().map(|(_, register)| register).collect()
}

fn no_assets(profile: &Part<Profile>, context: &mut Context<'_>) {
    for asset in profile.content.registers.iter().filter_map(|register| register.asset.as_ref()) {
        let help = "a register map serves many devices: write this register beside the profile";
        context.error(Code::Misplaced, profile.place(asset), "a profile names no asset", help);
    }
}

impl<'a> DeviceWork<'a> {
    pub fn resolve(&self, context: &mut Context<'_>) -> Device {
        let (part, device) = (self.part, self.device);
        known_asset(self.assets, &device.asset, part.place(&device.asset), context);
        let interval_ms = context.millis(
            part.source,
            device.interval.as_ref(),
            limits::INTERVAL_MS,
            limits::INTERVAL_DEFAULT_MS,
        );
        let limits = device_limits(&self.limits(), context);
        let has_profile = device.profile.is_some();
        let owner =
            Owner { assets: self.assets, asset: &device.asset, interval_ms, limits: &limits, has_profile };
        if let Some(profile) = self.profile() {
            no_assets(profile, context);
        }
        let written = self.written(context);
        self.unconfirmed(&written, context);
        let profile = self.profile().map(|profile| profile.source);
        let registers = resolve(&owner, &written, profile, context);
        if registers.is_empty() && written.is_empty() && context.complete {
            let message = format!("the device \"{}\" has no registers", *device.id);
            context.error(
                Code::MissingField,
                part.place(&device.id),
                message,
                "name a `profile` or a list of `points`, or write `registers`",
            );
        }
        Device { id: device.id.clone(), unit: *device.unit_id, limits, zone: self.zone.clone(), registers }
    }

    /// How many connections it takes at a time.
    pub fn connections_max(&self) -> u8 {
        let said = self.limits().into_iter().flatten().find_map(|limits| limits.value.connections_max);
        said.unwrap_or(1)
    }

    fn profile(&self) -> Option<&'a Part<Profile>> {
        self.device.profile.as_ref().and_then(|name| self.library.profiles.get(&name.0))
    }

    fn limits(&self) -> [Option<Found<'a, spec::Limits>>; 2] {
        let own = self.device.limits.as_ref().map(|value| Found { source: self.part.source, value });
        let profile = self.profile().and_then(|profile| {
            let value = profile.content.device.limits.as_ref()?;
            Some(Found { source: profile.source, value })
        });
        [own, profile]
    }

    /// The profile's registers that are chosen, each with what the device says of it; then the
    /// device's further ones.
    fn written(&self, context: &mut Context<'_>) -> Vec<Written<'a>> {
        let mut slots: Vec<Written<'a>> = Vec::new();
        let mut by_quantity: BTreeMap<&Name, (usize, Layer<'a>)> = BTreeMap::new();
        let chosen = self.chosen(context);
        let mut too_high = Vec::new();
        for layer in self.profile_layers().filter(|layer| chosen(&layer.register.quantity)) {
            by_quantity.insert(&layer.register.quantity, (slots.len(), layer));
            slots.push(Written { own: layer, profile: None });
        }
        for own in self.own_layers() {
            let base = by_quantity.get(&*own.register.quantity).filter(|_| own.register.asset.is_none());
            let Some((index, profile)) = base else {
                slots.push(Written { own, profile: None });
                continue;
            };
            let written = Written { own, profile: Some(*profile) };
            too_high.extend(one_too_high(&written));
            match slots.get_mut(*index).filter(|slot| slot.profile.is_none()) {
                Some(slot) => *slot = written,
                // A second word on the same quantity feeds its point twice, which is told there.
                None => slots.push(written),
            }
        }
        tell_too_high(&too_high, context);
        slots
    }

    fn profile_layers(&self) -> impl Iterator<Item = Layer<'a>> + use<'a> {
        self.profile().into_iter().flat_map(|part| {
            part.content.registers.iter().map(|register| Layer { source: part.source, register })
        })
    }

    /// What stands in the device, then the rows of its point list.
    fn own_layers(&self) -> impl Iterator<Item = Layer<'a>> + use<'a> {
        let source = self.part.source;
        let points = self.device.points.as_ref().and_then(|path| self.library.points.get(&**path));
        let rows = points
            .into_iter()
            .flat_map(|list| list.content.iter().map(|register| Layer { source: list.source, register }));
        self.device.registers.iter().map(move |register| Layer { source, register }).chain(rows)
    }

    /// Which of the profile's quantities are read.
    fn chosen(&self, context: &mut Context<'_>) -> impl Fn(&Name) -> bool + use<'a> {
        let (only, without) = (&self.device.only, &self.device.without);
        let before = context.problems.len();
        if let (Some(only), Some(_)) = (only, without) {
            let help = "`only` names what is read, `without` what is not: take one out";
            context.error(
                Code::Misplaced,
                self.part.place(only),
                "the registers are chosen in two ways",
                help,
            );
        }
        for list in [only, without].into_iter().flatten() {
            if self.device.profile.is_none() {
                let message = "there is no profile to choose from";
                context.error(
                    Code::Misplaced,
                    self.part.place(list),
                    message,
                    "take this out, or name a `profile`",
                );
                continue;
            }
            let known: BTreeSet<&str> =
                self.profile_layers().map(|layer| layer.register.quantity.as_str()).collect();
            for quantity in list.iter().filter(|quantity| !known.contains(quantity.as_str())) {
                let place = self.part.place(quantity);
                context.unknown("quantity", quantity.as_str(), place, known.iter().copied());
            }
        }
        // A choice that is wrong chooses everything, so that what follows is no echo of it.
        let names = |list: &'a Option<At<Vec<At<Name>>>>| -> Option<BTreeSet<&'a Name>> {
            let list = list.as_ref().filter(|_| context.problems.len() == before);
            list.map(|list| list.iter().map(|name| &**name).collect())
        };
        let (only, without) = (names(only), names(without));
        move |quantity| {
            only.as_ref().is_none_or(|only| only.contains(quantity))
                && without.as_ref().is_none_or(|without| !without.contains(quantity))
        }
    }

    /// A map, or single registers of it, that somebody should compare with the display.
    fn unconfirmed(&self, written: &[Written<'_>], context: &mut Context<'_>) {
        let (device, part) = (self.device, self.part);
        if device.certainty == Some(Certainty::Site) {
            return;
        }
        let place = device.profile.as_ref().map_or_else(|| part.place(&device.id), |name| part.place(name));
        if let (Some(name), Some(profile)) = (&device.profile, self.profile())
            && profile.content.device.certainty == Certainty::C
        {
            let message = format!("the register map {} has not been confirmed", name.0);
            let source = &profile.content.device.source;
            let help = format!("compare one reading with the display; its source: {source}");
            context.problems.push(Problem::warning(Code::Unconfirmed, place, message).help(help));
            return;
        }
        let doubtful = |written: &&Written<'_>| {
            written.get(|r| &r.certainty).is_some_and(|at| *at.value == Certainty::C)
        };
        let Some(first) = written.iter().find(doubtful) else { return };
        let (count, id, quantity) =
            (written.iter().filter(doubtful).count(), &*device.id, &*first.own.register.quantity);
        let message = match count {
            1 => format!("the register \"{quantity}\" of \"{id}\" has not been confirmed"),
            _ => {
                format!("{count} registers of \"{id}\" have not been confirmed, \"{quantity}\" is the first")
            }
        };
        let problem = Problem::warning(Code::Unconfirmed, place, message);
        let help = "compare a reading with the display, then write certainty = \"site\"";
        context.problems.push(problem.note(first.quantity(), "here").help(help));
    }
}

/// An address that is one above the one of the profile.
struct TooHigh {
    place: Place,
    own: u32,
    profile: Place,
}

/// Lists that count from one move every register of a map up by one.
fn one_too_high(written: &Written<'_>) -> Option<TooHigh> {
    let (own, profile) = (written.own.register, written.profile?);
    let table = |register: &spec::Register| register.table.as_ref().map(|at| Table::from(**at));
    let (address, base) = (own.address.as_ref()?, profile.register.address.as_ref()?);
    let moved = own.table.is_some() && table(own) != table(profile.register);
    (!moved && **base + 1 == **address).then(|| TooHigh {
        place: Place { source: written.own.source, span: address.span() },
        own: **address,
        profile: Place { source: profile.source, span: base.span() },
    })
}

/// Once for a device: a list of hundreds has one mistake.
fn tell_too_high(all: &[TooHigh], context: &mut Context<'_>) {
    let Some(TooHigh { place, own, profile }) = all.first() else { return };
    let message = if all.len() == 1 {
        format!("{own} is one above the profile's address: it looks like a 1-based address")
    } else {
        format!("{} addresses of this device are one above the profile's: they look 1-based", all.len())
    };
    let note = format!("the profile has {}", own - 1);
    let problem = Problem::warning(Code::OneBased, place.clone(), message).note(profile.clone(), note);
    let help = "protocol addresses begin at 0: if the list begins at 1, take 1 off, or leave the addresses to the profile";
    context.problems.push(problem.help(help));
}

/// Each limit as the first that says it has it.
fn device_limits(said: &[Option<Found<'_, spec::Limits>>], context: &mut Context<'_>) -> DeviceLimits {
    let default = DeviceLimits::default();
    let said = || said.iter().flatten();
    let mut millis = |field: fn(&spec::Limits) -> &Option<At<Millis>>, default: u64| {
        let found = said().find_map(|limits| Some((limits.source, field(limits.value).as_ref()?)));
        found.map_or(default, |(source, at)| {
            context.millis(source, Some(at), limits::DEVICE_PAUSE_MS, default)
        })
    };
    let (pause_ms, latency_ms) = (
        millis(|limits| &limits.pause, default.pause_ms),
        millis(|limits| &limits.latency, default.latency_ms),
    );
    DeviceLimits {
        registers_max: said().find_map(|limits| limits.value.registers_max).unwrap_or(default.registers_max),
        bits_max: said().find_map(|limits| limits.value.bits_max).unwrap_or(default.bits_max),
        forbidden: said()
            .find_map(|limits| Some((limits.source, limits.value.forbidden.as_ref()?)))
            .map_or_else(Vec::new, |(source, list)| forbidden(source, list, context)),
        pause_ms,
        latency_ms,
        in_flight_max: said().find_map(|limits| limits.value.in_flight_max).unwrap_or(default.in_flight_max),
    }
}

fn forbidden(source: usize, list: &[At<spec::Stretch>], context: &mut Context<'_>) -> Vec<Stretch> {
    for at in list.iter().filter(|at| at.first > at.last) {
        let place = Place { source, span: at.span() };
        let message = format!("the stretch {} to {} is empty", at.first, at.last);
        context.error(Code::Range, place, message, "`first` is the lower address, both ends belong to it");
    }
    let stretch = |at: &At<spec::Stretch>| Stretch { table: at.table.into(), first: at.first, last: at.last };
    list.iter().map(stretch).collect()
}
