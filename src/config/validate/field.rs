//! Buses, devices and brokers, and the points they feed.

use super::super::diagnostic::{Code, Problem};
use super::super::leaf::{At, Former, Millis};
use super::super::source::Place;
use super::super::spec::{self, Certainty, File, Profile, Text};
use super::super::{
    Broker, Bus, Cell, Device, DeviceLimits, Order, Part, Payload, Point, Register, Table, Topic, TopicValue,
    limits,
};
use super::assets::Assets;
use super::{Context, Ids};
use crate::point::{Address, Decimal, Name, ValueKind};
use jiff::tz::TimeZone;
use std::collections::BTreeMap;

const MQTT_PORT: u16 = 1883;
const REGISTERS_MAX: u16 = 125;
/// Modbus reserves 248 to 254; 255 addresses the gateway itself.
const RESERVED_UNIT_IDS: std::ops::RangeInclusive<u8> = 248..=254;

/// All buses. Ids of buses, devices and brokers are one family: each names a source of batches.
pub fn buses(
    parts: &[Part<File>],
    profiles: &BTreeMap<String, Part<Profile>>,
    assets: &Assets,
    zone: &TimeZone,
    context: &mut Context<'_>,
) -> Vec<Bus> {
    let mut ids = Ids::default();
    let mut list = Vec::new();
    for part in parts {
        for broker in &part.content.mqtt {
            ids.claim("buses, devices or brokers", &broker.id, &part.place(&broker.id), context);
        }
    }
    for part in parts {
        for bus in &part.content.modbus {
            ids.claim("buses, devices or brokers", &bus.id, &part.place(&bus.id), context);
            let timeout_ms = context.millis(
                part.source,
                bus.timeout.as_ref(),
                limits::TIMEOUT_MS,
                limits::TIMEOUT_DEFAULT_MS,
            );
            let mut units: BTreeMap<u8, Place> = BTreeMap::new();
            let mut devices = Vec::new();
            for device in &bus.devices {
                ids.claim("buses, devices or brokers", &device.id, &part.place(&device.id), context);
                unit_id(&mut units, *device.unit_id, part.place(&device.unit_id), context);
                let work = DeviceWork { part, device, assets, zone };
                devices.push(work.resolve(profiles, context));
            }
            list.push(Bus {
                id: bus.id.clone(),
                link: bus.connect.clone(),
                timeout_ms,
                turnaround_ms: 0,
                unit_change_ms: 0,
                devices,
            });
        }
    }
    list
}

fn unit_id(units: &mut BTreeMap<u8, Place>, unit: u8, place: Place, context: &mut Context<'_>) {
    if RESERVED_UNIT_IDS.contains(&unit) {
        context.error(Code::WrongValue, place, format!("unit id {unit} is reserved"), "0 to 247, or 255");
    } else if let Some(first) = units.get(&unit) {
        let problem = Problem::error(
            Code::Duplicate,
            place,
            format!("two devices of this bus have the unit id {unit}"),
        );
        context
            .problems
            .push(problem.note(first.clone(), "the first").help("each device has its own unit id"));
    } else {
        units.insert(unit, place);
    }
}

struct DeviceWork<'a> {
    part: &'a Part<File>,
    device: &'a spec::Device,
    assets: &'a Assets,
    zone: &'a TimeZone,
}

/// A register with the file it stands in.
struct Written<'a> {
    source: usize,
    register: &'a spec::Register,
}

impl Written<'_> {
    fn place<T>(&self, at: &At<T>) -> Place {
        Place { source: self.source, span: at.span() }
    }
}

impl DeviceWork<'_> {
    fn resolve(&self, profiles: &BTreeMap<String, Part<Profile>>, context: &mut Context<'_>) -> Device {
        let (part, device) = (self.part, self.device);
        known_asset(self.assets, &device.asset, part.place(&device.asset), context);
        let interval_ms = context.millis(
            part.source,
            device.interval.as_ref(),
            limits::INTERVAL_MS,
            limits::INTERVAL_DEFAULT_MS,
        );
        let mut registers: Vec<Register> = Vec::new();
        let mut seen: Vec<(Place, Register)> = Vec::new();
        for written in self.written(profiles, context) {
            let Some(register) = self.register(&written, interval_ms, context) else { continue };
            let place = written.place(&written.register.address);
            fits_the_table(&place, &register, context);
            overlap(&seen, &place, &register, context);
            seen.push((place, register.clone()));
            registers.push(register);
        }
        if registers.is_empty() && context.complete {
            let message = format!("the device \"{}\" has no registers", *device.id);
            context.error(
                Code::MissingField,
                part.place(&device.id),
                message,
                "name a `profile`, or write `registers`",
            );
        }
        Device {
            id: device.id.clone(),
            unit: *device.unit_id,
            limits: DeviceLimits {
                registers_max: device.registers_max.unwrap_or(REGISTERS_MAX),
                ..DeviceLimits::default()
            },
            zone: self.zone.clone(),
            registers,
        }
    }

    /// The profile's registers without those that are replaced, then the device's own.
    fn written<'b>(
        &'b self,
        profiles: &'b BTreeMap<String, Part<Profile>>,
        context: &mut Context<'_>,
    ) -> Vec<Written<'b>> {
        let own =
            || self.device.registers.iter().map(|at| Written { source: self.part.source, register: at });
        let profile = self.device.profile.as_ref().and_then(|name| Some((name, profiles.get(&name.0)?)));
        let Some((name, profile)) = profile else { return own().collect() };
        if profile.content.device.certainty == Certainty::C {
            let message = format!("the register map {} has not been confirmed", name.0);
            let problem = Problem::warning(Code::Unconfirmed, self.part.place(name), message);
            let help = format!(
                "compare one reading with the display; its source: {}",
                profile.content.device.source
            );
            context.problems.push(problem.help(help));
        }
        for asset in profile.content.registers.iter().filter_map(|register| register.asset.as_ref()) {
            let help = "a register map serves many devices: write this register beside the profile";
            context.error(Code::Misplaced, profile.place(asset), "a profile names no asset", help);
        }
        let replaced = |quantity: &Name| {
            own().any(|written| *written.register.quantity == *quantity && written.register.asset.is_none())
        };
        let from_profile = profile.content.registers.iter().filter(|at| !replaced(&at.quantity));
        from_profile.map(|at| Written { source: profile.source, register: at }).chain(own()).collect()
    }

    fn register(
        &self,
        written: &Written<'_>,
        interval_ms: u64,
        context: &mut Context<'_>,
    ) -> Option<Register> {
        let register = written.register;
        let asset = match &register.asset {
            Some(asset) => {
                known_asset(self.assets, asset, written.place(asset), context);
                &**asset
            }
            None => &*self.device.asset,
        };
        let address = Address { asset: asset.clone(), quantity: register.quantity.clone() };
        let encoding = *register.encoding;
        let scale = context.scale(written.source, register.scale.as_ref());
        let float = encoding.is_float();
        let decimals = if float { 2 } else { u8::try_from(-scale.exponent()).unwrap_or(0).min(9) };
        let default = (interval_ms * 3).max(limits::STALE_AFTER_DEFAULT_MIN_MS);
        let stale_after_ms =
            stale_after(written.source, register.stale_after.as_ref(), interval_ms, default, context);
        let point = Point {
            formerly: formerly(self.assets, &address, &register.formerly),
            name: Text::names(register.name.as_ref(), &register.quantity),
            unit: register.unit,
            kind: if float { ValueKind::F64 } else { ValueKind::Decimal },
            scale,
            offset: register.offset.unwrap_or(Decimal::ZERO),
            range: context.range(written.source, register.range.as_ref()),
            stale_after_ms,
            decimals: register.decimals.unwrap_or(decimals),
            states: Vec::new(),
            address: address.clone(),
        };
        let resolved = Register {
            point: address,
            interval_ms,
            aligned: false,
            cell: Cell {
                table: register.table.into(),
                address: u16::try_from(*register.address).ok()?,
                encoding,
                order: register.order.as_ref().map_or_else(Order::default, |order| **order),
                bits: None,
            },
            order_from: None,
            sentinels: Vec::new(),
            factors: Vec::new(),
        };
        context.add_point(point, written.place(&register.quantity), interval_ms).then_some(resolved)
    }
}

/// A stale time below the interval would mark every reading.
fn stale_after(
    source: usize,
    at: Option<&At<Millis>>,
    interval_ms: u64,
    default: u64,
    context: &mut Context<'_>,
) -> u64 {
    let ms = context.millis(source, at, limits::STALE_AFTER_MS, default);
    if let Some(at) = at.filter(|at| at.0 <= interval_ms) {
        let place = Place { source, span: at.span() };
        let help = format!("it is read every {}: take at least twice that", super::words(interval_ms));
        context.error(Code::WrongValue, place, "the point would be stale between two readings", &help);
    }
    ms
}

fn known_asset(assets: &Assets, asset: &Name, place: Place, context: &mut Context<'_>) {
    if !assets.ids.0.contains_key(asset) {
        context.unknown("asset", asset.as_str(), place, assets.ids.words());
    }
}

/// Every address the point may have had: earlier ids of the asset, earlier names of the quantity.
fn formerly(assets: &Assets, now: &Address, written: &[Former]) -> Vec<Address> {
    let earlier = assets.formerly.get(&now.asset).into_iter().flatten();
    let ids: Vec<&Name> = earlier.chain([&now.asset]).collect();
    let quantities = written.iter().filter_map(|former| match former {
        Former::Quantity(name) => Some(name),
        Former::Point(_) => None,
    });
    let quantities: Vec<&Name> = quantities.chain([&now.quantity]).collect();
    let whole = written.iter().filter_map(|former| match former {
        Former::Point(address) => Some(address.clone()),
        Former::Quantity(_) => None,
    });
    let crossed = ids.iter().flat_map(|asset| {
        quantities.iter().map(|quantity| Address { asset: (*asset).clone(), quantity: (*quantity).clone() })
    });
    whole.chain(crossed).filter(|address| address != now).collect()
}

fn fits_the_table(place: &Place, register: &Register, context: &mut Context<'_>) {
    let first = u32::from(register.cell.address);
    if first + u32::from(register.cell.items()) > 65_536 {
        let message = format!("a value of two registers at {first} ends beyond register 65535");
        context.error(
            Code::RegisterOverflow,
            place.clone(),
            message,
            "the last address of a 32-bit value is 65534",
        );
    }
    let base = match register.cell.table {
        Table::Holding if (40_001..50_000).contains(&first) => 40_001,
        Table::Input if (30_001..40_000).contains(&first) => 30_001,
        _ => return,
    };
    let message = format!("{first} looks like the number in a manual, not like a protocol address");
    let help = format!("if the manual says {first}, write {}", first - base);
    context.problems.push(Problem::warning(Code::ReferenceNumber, place.clone(), message).help(help));
}

/// Two points may share a register only by reading it the same way.
fn overlap(seen: &[(Place, Register)], place: &Place, register: &Register, context: &mut Context<'_>) {
    let span =
        |r: &Register| u32::from(r.cell.address)..u32::from(r.cell.address) + u32::from(r.cell.items());
    let same = |a: &Register| a.cell == register.cell;
    let other = seen.iter().find(|(_, other)| {
        let (a, b) = (span(other), span(register));
        other.cell.table == register.cell.table && a.start < b.end && b.start < a.end && !same(other)
    });
    if let Some((first, other)) = other {
        let message =
            format!("\"{}\" and \"{}\" read the same register in two ways", other.point, register.point);
        let problem = Problem::error(Code::RegisterOverlap, place.clone(), message);
        let note = format!("\"{}\" is here", other.point);
        context
            .problems
            .push(problem.note(first.clone(), note).help("check address and type of both in the manual"));
    }
}

/// All brokers. `client` begins every default client id.
pub fn brokers(
    parts: &[Part<File>],
    client: &str,
    assets: &Assets,
    context: &mut Context<'_>,
) -> Vec<Broker> {
    let mut list = Vec::new();
    for part in parts {
        let work = TopicWork { source: part.source, assets };
        for broker in &part.content.mqtt {
            let client_id = broker.client_id.clone();
            list.push(Broker {
                id: broker.id.clone(),
                host: broker.connect.host.clone(),
                port: broker.connect.port.unwrap_or(MQTT_PORT),
                client_id: client_id.unwrap_or_else(|| format!("{client}-{}", *broker.id)),
                login: broker.login.as_ref().map(Into::into),
                topics: broker.topics.iter().map(|topic| work.resolve(topic, context)).collect(),
            });
        }
    }
    list
}

struct TopicWork<'a> {
    source: usize,
    assets: &'a Assets,
}

impl TopicWork<'_> {
    fn place<T>(&self, at: &At<T>) -> Place {
        Place { source: self.source, span: at.span() }
    }

    fn resolve(&self, topic: &spec::Topic, context: &mut Context<'_>) -> Topic {
        let mut values: Vec<TopicValue> = Vec::new();
        let stale_after_ms = context.millis(
            self.source,
            topic.stale_after.as_ref(),
            limits::STALE_AFTER_MS,
            limits::STALE_AFTER_DEFAULT_MQTT_MS,
        );
        for value in &topic.values {
            for asset in self.assets_of(topic, value, context) {
                let address = Address { asset, quantity: value.quantity.clone() };
                let point = self.point(address, value, stale_after_ms, context);
                context.add_point(point, self.place(&value.quantity), stale_after_ms);
            }
            let resolved = pattern(topic, value);
            if !values.contains(&resolved) {
                values.push(resolved);
            }
        }
        let pattern = &topic.pattern;
        if topic.values.is_empty() && context.complete {
            let help = "write `[[mqtt.topics.values]]` with a quantity and a unit";
            context.error(Code::Topic, self.place(pattern), "nothing is read from this topic", help);
        }
        if pattern.captures("quantity") && values.len() > 1 {
            let help =
                "with {quantity} in the topic all values stand at the same pointer: write a topic for each";
            context.error(
                Code::Topic,
                self.place(pattern),
                "the values of this topic stand in different places",
                help,
            );
        }
        Topic { pattern: pattern.0.clone(), values }
    }

    /// The assets a value is for: of the capture, or the topic's own.
    fn assets_of(
        &self,
        topic: &spec::Topic,
        value: &spec::TopicValue,
        context: &mut Context<'_>,
    ) -> Vec<Name> {
        let captured = topic.pattern.captures("asset");
        for asset in value.assets.iter().chain(&topic.asset) {
            known_asset(self.assets, asset, self.place(asset), context);
        }
        let wrong = match (captured, &topic.asset, value.assets.is_empty()) {
            (true, Some(_), _) => Some(("the topic names the asset already", "take `asset` or {asset} out")),
            (true, None, true) if context.complete => Some((
                "it is not said which assets {asset} stands for",
                "write `assets = [\"ward-3a\"]` beside the quantity",
            )),
            (false, None, _) => Some((
                "it is not said which asset this topic is of",
                "write `asset = \"...\"`, or {asset} in the topic",
            )),
            (false, Some(_), false) => {
                Some(("the topic has no {asset} for these to stand in for", "take `assets` out"))
            }
            _ => None,
        };
        if let Some((message, help)) = wrong {
            context.error(Code::Topic, self.place(&value.quantity), message, help);
        }
        if captured {
            value.assets.iter().map(|at| (**at).clone()).collect()
        } else {
            topic.asset.iter().map(|at| (**at).clone()).collect()
        }
    }

    fn point(
        &self,
        address: Address,
        value: &spec::TopicValue,
        stale_after_ms: u64,
        context: &mut Context<'_>,
    ) -> Point {
        Point {
            formerly: formerly(self.assets, &address, &value.formerly),
            name: Text::names(value.name.as_ref(), &value.quantity),
            unit: value.unit,
            kind: value.kind.map_or(ValueKind::Decimal, Into::into),
            scale: context.scale(self.source, value.scale.as_ref()),
            offset: value.offset.unwrap_or(Decimal::ZERO),
            range: context.range(self.source, value.range.as_ref()),
            stale_after_ms,
            decimals: value.decimals.unwrap_or(2),
            states: Vec::new(),
            address,
        }
    }
}

/// A value as the driver sees it: captures stand for themselves.
fn pattern(topic: &spec::Topic, value: &spec::TopicValue) -> TopicValue {
    let asset = topic.asset.as_ref().map_or("{asset}", |asset| asset.as_str());
    let quantity = if topic.pattern.captures("quantity") { "{quantity}" } else { value.quantity.as_str() };
    TopicValue {
        point: format!("{asset}/{quantity}"),
        payload: match &value.pointer {
            Some(pointer) => Payload::Json { pointer: pointer.0.clone() },
            None => Payload::Plain,
        },
    }
}
