//! Buses.

use super::super::diagnostic::{Code, Problem};
use super::super::leaf::{At, Millis};
use super::super::source::Place;
use super::super::spec::{self, File};
use super::super::{Bus, Device, Library, Link, Part, limits};
use super::assets::Assets;
use super::device::DeviceWork;
use super::{Context, Ids};
use crate::point::Name;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;

/// Modbus reserves 248 to 254; 255 addresses the gateway itself.
const RESERVED_UNIT_IDS: std::ops::RangeInclusive<u8> = 248..=254;
/// MODBUS over Serial Line V1.02, 2.2: 0 is the broadcast, which nobody answers.
const SERIAL_UNIT_IDS: std::ops::RangeInclusive<u8> = 1..=247;

/// All buses. Ids of buses, devices and brokers are one family: each names a source of batches.
pub fn buses(
    parts: &[Part<File>],
    library: &Library<'_>,
    assets: &Assets,
    zone: &TimeZone,
    context: &mut Context<'_>,
) -> Vec<Bus> {
    let mut ids = Ids::default();
    let mut list = Vec::new();
    let mut lines: Vec<SharedBy> = Vec::new();
    for part in parts {
        for broker in &part.content.mqtt {
            ids.claim("buses, devices or brokers", &broker.id, &part.place(&broker.id), context);
        }
    }
    for part in parts {
        for bus in &part.content.modbus {
            ids.claim("buses, devices or brokers", &bus.id, &part.place(&bus.id), context);
            let mut units: BTreeMap<u8, Place> = BTreeMap::new();
            let mut line = SharedBy::new(part, bus);
            let mut devices = Vec::new();
            for device in &bus.devices {
                ids.claim("buses, devices or brokers", &device.id, &part.place(&device.id), context);
                unit_id(&mut units, *device.unit_id, part.place(&device.unit_id), &bus.connect, context);
                let work = DeviceWork { part, device, assets, zone, library };
                devices.push(work.resolve(context));
                line.devices.push((device.id.clone(), work.connections_max()));
            }
            lines.push(line);
            list.push(resolved(part.source, bus, devices, context));
        }
    }
    shared_lines(&lines, context);
    list
}

fn resolved(source: usize, bus: &spec::Bus, devices: Vec<Device>, context: &mut Context<'_>) -> Bus {
    let mut millis =
        |at: &Option<At<Millis>>, limits, default| context.millis(source, at.as_ref(), limits, default);
    Bus {
        id: bus.id.clone(),
        link: (*bus.connect).clone(),
        timeout_ms: millis(&bus.timeout, limits::TIMEOUT_MS, limits::TIMEOUT_DEFAULT_MS),
        turnaround_ms: millis(&bus.turnaround, limits::BUS_PAUSE_MS, 0),
        unit_change_ms: millis(&bus.unit_change, limits::BUS_PAUSE_MS, 0),
        devices,
    }
}

/// A bus as one of perhaps several users of a line.
struct SharedBy {
    id: Name,
    place: Place,
    link: Link,
    /// Its devices and how many connections each takes.
    devices: Vec<(Name, u8)>,
}

impl SharedBy {
    fn new(part: &Part<File>, bus: &spec::Bus) -> SharedBy {
        let link = (*bus.connect).clone();
        SharedBy { id: bus.id.clone(), place: part.place(&bus.connect), link, devices: Vec::new() }
    }

    /// Whether both dial the same thing; how they speak then does not matter.
    fn same_line(&self, other: &SharedBy) -> bool {
        let socket = |link: &Link| match link {
            Link::Tcp { host, port } | Link::RtuOverTcp { host, port, .. } => {
                Some((host.to_ascii_lowercase(), *port))
            }
            Link::Rtu { .. } => None,
        };
        match (&self.link, &other.link) {
            (Link::Rtu { path, .. }, Link::Rtu { path: other, .. }) => path == other,
            (Link::Rtu { .. }, _) | (_, Link::Rtu { .. }) => false,
            (link, other) => socket(link) == socket(other),
        }
    }
}

/// Many devices and gateways take one connection, and drop the first for a second.
fn shared_lines(lines: &[SharedBy], context: &mut Context<'_>) {
    for (index, line) in lines.iter().enumerate() {
        let first = lines.iter().take(index).find(|earlier| earlier.same_line(line));
        let Some(first) = first else { continue };
        let users: Vec<&SharedBy> = lines.iter().filter(|other| other.same_line(line)).collect();
        let serial = matches!(line.link, Link::Rtu { .. });
        let devices = || users.iter().flat_map(|user| &user.devices);
        let narrow = devices().find(|(_, connections_max)| usize::from(*connections_max) < users.len());
        let help = match narrow {
            _ if serial => "a serial line has one master: put the devices on one bus".to_owned(),
            Some((device, _)) => format!(
                "put the devices on one bus; if \"{device}\" takes {0} connections, give it limits = {{ connections_max = {0} }}",
                users.len()
            ),
            None => continue,
        };
        let message = format!("the buses \"{}\" and \"{}\" lead to the same line", first.id, line.id);
        let problem = Problem::error(Code::SharedLine, line.place.clone(), message);
        context.problems.push(problem.note(first.place.clone(), "the first").help(help));
    }
}

fn unit_id(units: &mut BTreeMap<u8, Place>, unit: u8, place: Place, link: &Link, context: &mut Context<'_>) {
    if RESERVED_UNIT_IDS.contains(&unit) {
        context.error(Code::WrongValue, place, format!("unit id {unit} is reserved"), "0 to 247, or 255");
    } else if link.serial().is_some() && !SERIAL_UNIT_IDS.contains(&unit) {
        let message = format!("on a serial line no device has the unit id {unit}");
        context.error(Code::WrongValue, place, message, "1 to 247");
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
