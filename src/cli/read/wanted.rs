//! What is to be read: a bus with one device, out of a register map or of bare registers.

use crate::cli::{Failure, demo};
use crate::config::{self, Bus, Cell, Device, DeviceLimits, Encoding, Link, Order, Point, Register, Table};
use crate::point::{Address, Decimal, Name, Names, ValueKind};
use jiff::tz::TimeZone;
use std::collections::BTreeSet;
use std::path::Path;
use std::str::FromStr;

/// It is read once; only the next reading would come after this.
const INTERVAL_MS: u64 = 86_400_000;
/// Most values of one reading of bare registers.
const VALUES_MAX: usize = 10_000;
/// Names at least this alike (Jaro-Winkler) were probably meant.
const ALIKE: f64 = 0.8;
/// The one device.
const DEVICE: &str = "device";

/// A bus with one device, and the point of each of its registers, in the same order.
#[derive(Debug)]
pub struct Wanted {
    /// How and what to read.
    pub bus: Bus,
    /// What it is.
    pub points: Vec<Point>,
}

/// Whom to ask.
#[derive(Debug)]
pub struct Whom {
    /// The line.
    pub link: Link,
    /// The unit id.
    pub unit_id: u8,
    /// How long to wait for an answer. Milliseconds.
    pub timeout_ms: u64,
}

/// `holding:0:10`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    table: Table,
    start: u16,
    /// At least one, and not beyond address 65535.
    count: u16,
}

/// What stands in bare registers.
#[derive(Debug)]
pub struct Shape {
    /// The type; if none, that of the table.
    pub encoding: Option<Encoding>,
    /// The order of the bytes.
    pub order: Order,
    /// The factor.
    pub scale: Decimal,
    /// Added after it.
    pub offset: Decimal,
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Span, String> {
        let shape = || "bare registers are written TABLE:START:COUNT, as holding:0:10".to_owned();
        let mut parts = text.split(':');
        let (Some(table), Some(start), Some(count), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(shape());
        };
        let table = match table {
            "coil" => Table::Coil,
            "discrete" => Table::Discrete,
            "holding" => Table::Holding,
            "input" => Table::Input,
            _ => return Err("a table is coil, discrete, holding or input".to_owned()),
        };
        let (start, count): (u16, u16) =
            (start.parse().map_err(|_| shape())?, count.parse().map_err(|_| shape())?);
        if count == 0 {
            return Err("no registers are asked for".to_owned());
        }
        if start.checked_add(count - 1).is_none() {
            return Err("it ends beyond address 65535".to_owned());
        }
        Ok(Span { table, start, count })
    }
}

/// A device with a register map: beside the configuration, or inside the program.
///
/// # Errors
/// The map cannot be found or used; a quantity it does not have.
pub fn of_profile(whom: &Whom, name: &str, folder: &Path, only: &[Name]) -> Result<Wanted, Failure> {
    let is_file = Path::new(name).extension().is_some_and(|ending| ending == "toml");
    let (registers, limits) = if is_file || folder.join("devices").join(format!("{name}.toml")).exists() {
        let loaded = config::load_profile(name, folder);
        let loaded = loaded.map_err(|wrong| Failure::Configuration(wrong.to_string()))?;
        (loaded.registers, loaded.limits)
    } else {
        embedded(name, folder)?
    };
    let known = |quantity: &Name| registers.iter().any(|(register, _)| register.point.quantity == *quantity);
    if let Some(unknown) = only.iter().find(|quantity| !known(quantity)) {
        let all: Vec<&str> = registers.iter().map(|(r, _)| r.point.quantity.as_str()).collect();
        let all = all.join(", ");
        return Err(Failure::Usage(format!("the register map {name} has no quantity {unknown}, only {all}")));
    }
    let chosen =
        |(register, _): &(Register, Point)| only.is_empty() || only.contains(&register.point.quantity);
    of_parts(whom, registers.into_iter().filter(chosen), limits)
}

type Parts = (Vec<(Register, Point)>, DeviceLimits);

/// A register map of the program: those of `config/devices`.
fn embedded(name: &str, folder: &Path) -> Result<Parts, Failure> {
    let mut files = demo::files();
    let inside = |path: &Path| {
        let path = path.strip_prefix("devices").ok()?.to_str()?;
        path.strip_suffix(".toml").map(str::to_owned)
    };
    let names: Vec<String> = files.keys().filter_map(|path| inside(path)).collect();
    if !names.iter().any(|known| known == name) {
        let alike = |known: &String| (strsim::jaro_winkler(known, name), known.clone());
        let near = names.iter().map(alike).max_by(|a, b| a.0.total_cmp(&b.0)).filter(|near| near.0 >= ALIKE);
        let hint = near.map_or_else(
            || format!("those inside the program are {}", names.join(", ")),
            |(_, near)| format!("did you mean {near}?"),
        );
        let path = folder.join("devices").join(format!("{name}.toml"));
        return Err(Failure::Configuration(format!(
            "error: there is no register map {name}, neither as {} nor inside the program; {hint}",
            path.display()
        )));
    }
    let main = format!(
        "config_version = 1\n[site]\nid = \"read\"\ntimezone = \"UTC\"\n\
         [[assets]]\nid = \"{DEVICE}\"\nclass = \"Device\"\n\
         [[modbus]]\nid = \"read\"\nconnect = \"127.0.0.1\"\n\
         [[modbus.devices]]\nid = \"{DEVICE}\"\nunit_id = 1\nasset = \"{DEVICE}\"\nprofile = \"{name}\"\n"
    );
    files.insert("read.toml".into(), main);
    let loaded = config::load_from(&files, Path::new("read.toml"), &|_| None);
    let plan = loaded.map_err(|wrong| Failure::Configuration(wrong.to_string()))?.plan;
    let device = plan.buses.into_iter().flat_map(|bus| bus.devices).next();
    let (registers, limits) = device.map(|device| (device.registers, device.limits)).unwrap_or_default();
    Ok((registers.into_iter().zip(plan.points).collect(), limits))
}

/// Bare registers, one value after the other.
///
/// # Errors
/// A type that does not fit its table, its order or the number of registers.
pub fn of_registers(whom: &Whom, spans: &[Span], shape: &Shape) -> Result<Wanted, Failure> {
    let mut parts = Vec::new();
    for span in spans {
        let default = if span.table.is_bits() { Encoding::Bool } else { Encoding::U16 };
        let encoding = shape.encoding.unwrap_or(default);
        check(*span, encoding, shape).map_err(Failure::Usage)?;
        let items = encoding.items(shape.order);
        for index in 0..span.count / items {
            let address = span.start + index * items;
            let cell = Cell { order: shape.order, ..Cell::new(span.table, address, encoding) };
            parts.push(bare(cell, shape)?);
        }
    }
    if parts.len() > VALUES_MAX {
        return Err(Failure::Usage(format!("{} values at once, more than {VALUES_MAX}", parts.len())));
    }
    // A point has one number, so it can be asked for once only.
    let mut known = BTreeSet::new();
    if let Some((_, point)) = parts.iter().find(|(_, point)| !known.insert(&point.address)) {
        return Err(Failure::Usage(format!("{} is asked for twice", point.address.quantity)));
    }
    of_parts(whom, parts.into_iter(), DeviceLimits::default())
}

fn check(span: Span, encoding: Encoding, shape: &Shape) -> Result<(), String> {
    let table = crate::cli::loads::table_word(span.table);
    if span.table.is_bits() != (encoding == Encoding::Bool) {
        return Err(format!("the table {table} holds no {encoding}"));
    }
    if !encoding.takes(shape.order) {
        return Err(format!("a {encoding} does not come in the order {}", shape.order));
    }
    let items = encoding.items(shape.order);
    if !span.count.is_multiple_of(items) {
        return Err(format!("{} registers are no whole number of {encoding}, {items} each", span.count));
    }
    let plain = shape.scale == Decimal::ONE && shape.offset == Decimal::ZERO;
    if !plain && matches!(encoding, Encoding::Bool | Encoding::Text(_) | Encoding::Date(_)) {
        return Err(format!("a {encoding} is not scaled"));
    }
    Ok(())
}

fn bare(cell: Cell, shape: &Shape) -> Result<(Register, Point), Failure> {
    let table = crate::cli::loads::table_word(cell.table);
    let name: Name = format!("{table}-{}", cell.address).parse().map_err(anyhow::Error::new)?;
    let asset: Name = DEVICE.parse().map_err(anyhow::Error::new)?;
    let address = Address { asset, quantity: name };
    let kind = match cell.encoding {
        Encoding::Text(_) => ValueKind::Text,
        Encoding::Bool => ValueKind::Bool,
        encoding if encoding.is_float() => ValueKind::F64,
        _ => ValueKind::Decimal,
    };
    let point = Point {
        address: address.clone(),
        formerly: Vec::new(),
        name: Names::default(),
        unit: crate::point::Unit::ONE,
        kind,
        scale: shape.scale,
        offset: shape.offset,
        range: None,
        stale_after_ms: INTERVAL_MS,
        decimals: 0,
        states: Vec::new(),
        conditioning: crate::config::Conditioning::default(),
    };
    Ok((Register::plain(address, INTERVAL_MS, cell), point))
}

/// All in one cycle, at once: whatever the intervals of the map are.
fn of_parts(
    whom: &Whom,
    parts: impl Iterator<Item = (Register, Point)>,
    limits: DeviceLimits,
) -> Result<Wanted, Failure> {
    let once = |(register, point)| (Register { interval_ms: INTERVAL_MS, aligned: false, ..register }, point);
    let (registers, points): (Vec<Register>, Vec<Point>) = parts.map(once).unzip();
    let id: Name = DEVICE.parse().map_err(anyhow::Error::new)?;
    let device = Device { id: id.clone(), unit: whom.unit_id, limits, zone: TimeZone::system(), registers };
    let bus = Bus {
        id,
        link: whom.link.clone(),
        timeout_ms: whom.timeout_ms,
        turnaround_ms: 0,
        unit_change_ms: 0,
        devices: vec![device],
    };
    Ok(Wanted { bus, points })
}

impl Wanted {
    /// Its registers, each with its point.
    pub fn registers(&self) -> impl Iterator<Item = (&Register, &Point)> {
        self.bus.devices.iter().flat_map(|device| &device.registers).zip(&self.points)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whom() -> Whom {
        Whom { link: "h".parse().unwrap(), unit_id: 7, timeout_ms: 1_000 }
    }

    fn shape(encoding: Option<&str>, order: &str) -> Shape {
        Shape {
            encoding: encoding.map(|word| word.parse().unwrap()),
            order: order.parse().unwrap(),
            scale: Decimal::ONE,
            offset: Decimal::ZERO,
        }
    }

    #[test]
    fn a_span_is_written_as_table_start_and_count() {
        assert_eq!("holding:0:10".parse(), Ok(Span { table: Table::Holding, start: 0, count: 10 }));
        assert_eq!("coil:65535:1".parse(), Ok(Span { table: Table::Coil, start: 65_535, count: 1 }));
        for wrong in ["", "holding", "holding:0", "holding:0:0", "holding:0:1:2", "hold:0:1", "input:65535:2"]
        {
            assert!(wrong.parse::<Span>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn bare_registers_are_values_one_after_the_other() {
        let spans = ["holding:4:6".parse().unwrap(), "input:0:2".parse().unwrap()];
        let wanted = of_registers(&whom(), &spans, &shape(Some("f32"), "cdab")).unwrap();
        let addresses: Vec<u16> = wanted.registers().map(|(register, _)| register.cell.address).collect();
        assert_eq!(addresses, [4, 6, 8, 0]);
        assert!(wanted.points.iter().all(|point| point.kind == ValueKind::F64));
    }

    #[test]
    fn what_does_not_fit_is_wrong_usage() {
        for (span, encoding, order) in [
            ("holding:0:3", Some("f32"), "abcd"),
            ("coil:0:8", Some("u16"), "abcd"),
            ("holding:0:1", Some("bool"), "abcd"),
            ("holding:0:1", None, "cdab"),
        ] {
            let wrong = of_registers(&whom(), &[span.parse().unwrap()], &shape(encoding, order));
            assert!(matches!(wrong, Err(Failure::Usage(_))), "{span} {encoding:?} {order}");
        }
        let twice = ["holding:0:4".parse().unwrap(), "holding:2:4".parse().unwrap()];
        assert!(of_registers(&whom(), &twice, &shape(None, "abcd")).is_err());
    }

    #[test]
    fn a_map_inside_the_program_is_the_one_beside_the_configuration() {
        let inside = of_profile(&whom(), "demo/example", Path::new("nowhere"), &[]).unwrap();
        let beside = of_profile(&whom(), "demo/example", Path::new("config"), &[]).unwrap();
        assert_eq!(inside.bus, beside.bus);
        assert_eq!(format!("{:?}", inside.points), format!("{:?}", beside.points));
    }

    #[test]
    fn a_map_that_is_not_there_is_told_with_its_neighbour() {
        let wrong = of_profile(&whom(), "acrel/adl40", Path::new("nowhere"), &[]).unwrap_err().to_string();
        assert!(wrong.contains("did you mean acrel/adl400?"), "{wrong}");
        let only = ["energy_".parse().unwrap()];
        assert!(matches!(of_profile(&whom(), "acrel/adl400", Path::new("x"), &only), Err(Failure::Usage(_))));
    }
}
