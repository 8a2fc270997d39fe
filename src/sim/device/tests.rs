//! Every register of every profile, written by the device and read by the gateway's decoder.

use super::encode::{self, Written};
use super::instrument::Instrument;
use super::unit::{Told, Unit};
use crate::config::{self, Device, DeviceLimits, Plan, Point, Register, Stretch, Table};
use crate::field::{Raw, decode};
use crate::point::{Address, UtcMs, Value, ValueKind};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

const AT: UtcMs = UtcMs(1_763_700_000_000);

/// A plan of nothing but these points.
fn plan(points: Vec<Point>) -> Plan {
    static BARE: LazyLock<Plan> = LazyLock::new(bare);
    Plan { points, ..BARE.clone() }
}

fn bare() -> Plan {
    let text =
        "config_version = 1\n[site]\nid = \"x\"\nname = { en = \"x\" }\ntimezone = \"Asia/Shanghai\"\n";
    let files: BTreeMap<std::path::PathBuf, String> = [("x.toml".into(), text.to_owned())].into();
    config::load_from(&files, Path::new("x.toml"), &|_| None).unwrap().plan
}

fn device(registers: Vec<Register>, forbidden: Vec<Stretch>) -> Device {
    let limits = DeviceLimits { forbidden, ..DeviceLimits::default() };
    Device { id: "one".parse().unwrap(), unit: 1, limits, zone: jiff::tz::TimeZone::UTC, registers }
}

/// A device with these points, of which everything is told: its places, and what is at most there.
struct House {
    plan: Plan,
    device: Device,
    places: BTreeMap<Address, usize>,
    points: BTreeMap<Address, Point>,
    most: Vec<f64>,
}

impl House {
    fn new(registers: Vec<(Register, Point)>, forbidden: Vec<Stretch>, most: f64) -> House {
        let (registers, points): (Vec<Register>, Vec<Point>) = registers.into_iter().unzip();
        let places = points.iter().map(|point| point.address.clone()).zip(0..).collect();
        let most = vec![most; points.len()];
        let by_address = points.iter().map(|point| (point.address.clone(), point.clone())).collect();
        House { plan: plan(points), device: device(registers, forbidden), places, points: by_address, most }
    }

    fn told(&self) -> Told<'_> {
        Told { places: &self.places, most: &self.most, points: &self.points }
    }

    fn unit(&self) -> Unit {
        Unit::new(&self.plan, &self.device, self.told())
    }

    /// What the gateway's decoder reads of a register of the device, and what that comes to.
    fn read(&self, register: &Register, truths: &[f64]) -> Result<f64, String> {
        let unit = self.unit();
        let items = |cell: config::Cell| {
            unit.read(cell.table, cell.address, cell.items(), truths, AT).map_err(|why| format!("{why:?}"))
        };
        let zone = &self.device.zone;
        let raw = |cell: config::Cell| {
            decode::decode(&items(cell)?, cell, cell.order, zone).map_err(|fault| fault.to_string())
        };
        let order = match &register.order_from {
            None => register.cell.order,
            Some(from) => {
                decode::order_from(&items(from.cell)?, from, zone).map_err(|fault| fault.to_string())?
            }
        };
        let factors: Result<Vec<Raw>, String> =
            register.factors.iter().map(|factor| raw(factor.cell)).collect();
        let read = decode::point(&items(register.cell)?, register, order, &factors?, zone);
        let point = &self.points[&register.point];
        match read.map_err(|fault| fault.to_string())? {
            Raw::Value(Value::Bool(on)) => Ok(f64::from(u8::from(on))),
            Raw::Value(value) => Ok(in_unit(point, value.as_f64().unwrap())),
            other => Err(format!("{other:?}")),
        }
    }
}

/// Every register of every profile that is read over Modbus.
static REGISTERS: LazyLock<Vec<Profile>> = LazyLock::new(registers);

/// Its name, its registers, where it must not be asked.
type Profile = (String, Vec<(Register, Point)>, Vec<Stretch>);

fn registers() -> Vec<Profile> {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let mut found = Vec::new();
    for maker in std::fs::read_dir(config.join("devices")).unwrap() {
        for file in std::fs::read_dir(maker.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let name =
                path.strip_prefix(config.join("devices")).unwrap().with_extension("").display().to_string();
            let profile = config::load_profile(&name, &config).unwrap_or_else(|wrong| panic!("{wrong}"));
            if !profile.registers.is_empty() {
                found.push((name, profile.registers, profile.limits.forbidden));
            }
        }
    }
    found
}

/// A raw number in the unit of its point.
fn in_unit(point: &Point, raw: f64) -> f64 {
    let scaled = raw * point.scale.to_f64() + point.offset.to_f64();
    let Some(from) = point.conditioning.raw_unit else { return scaled };
    crate::point::Unit::conversion(from, point.unit).unwrap().of_float(scaled)
}

/// A number such a register can show, `share` of the way from its least to its greatest.
fn fitting(register: &Register, point: &Point, share: f64) -> f64 {
    let limits = encode::limits(register.cell.encoding, register.cell.bits);
    let (low, high) = limits.map_or((-1e6, 1e6), |(low, high)| (float(low), float(high)));
    let ends = [low, high].map(|raw| in_unit(point, raw));
    let (mut low, mut high) = (ends[0].min(ends[1]), ends[0].max(ends[1]));
    if let Some((least, most)) = point.range {
        (low, high) = (low.max(least.to_f64()), high.min(most.to_f64()));
    }
    // Counts beyond 2^53 are none of a float.
    (low, high) = (low.max(-9e12), high.min(9e12));
    let number = low + (high - low) * share;
    match point.states.as_slice() {
        [] => number,
        states => float(states[states.len() / 2].value),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a test's numbers")]
fn float(number: i64) -> f64 {
    number as f64
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    /// Within one count of what is true: of every type, order, factor and sentinel there is a profile.
    #[test]
    fn what_a_device_writes_is_read_within_a_count(share in 0.02_f64..0.98) {
        let mut seen = 0;
        for (name, registers, forbidden) in REGISTERS.iter() {
            for (register, point) in registers {
                if point.kind == ValueKind::Text || matches!(register.cell.encoding, config::Encoding::Date(_)) {
                    continue;
                }
                // Each by itself: its neighbours may be other parts of the same register.
                let truth = fitting(register, point, share);
                let house = House::new(vec![(register.clone(), point.clone())], forbidden.clone(), truth.abs() / 4.0);
                let read = house.read(&house.device.registers[0], &[truth]);
                let read = read.map_err(|why| TestCaseError::fail(format!("{name} {}: {why} for {truth}", point.address)))?;
                let ratio: f64 = register.factors.iter().map(|factor| match factor.role {
                    config::Role::Divide => 1.0,
                    config::Role::Multiply | config::Role::Exponent => 2_000.0,
                }).product();
                let count = (in_unit(point, 1.0) - in_unit(point, 0.0)).abs() * ratio;
                let within = if register.cell.encoding.is_float() { truth.abs() * 1e-3 + 1e-9 } else { count * 1.5 + truth.abs() * 1e-9 };
                prop_assert!((read - truth).abs() <= within, "{name} {}: {read} for {truth}", point.address);
                seen += 1;
            }
        }
        prop_assert!(seen > 800, "{seen}");
    }
}

#[test]
fn what_is_filled_in_is_what_would_have_been_read() {
    for (name, registers, forbidden) in REGISTERS.iter() {
        for (register, point) in registers {
            if point.kind == ValueKind::Text {
                continue;
            }
            let truth = fitting(register, point, 0.37);
            let house =
                House::new(vec![(register.clone(), point.clone())], forbidden.clone(), truth.abs() / 4.0);
            let told = house.told();
            let instrument = super::unit::instrument_of(register, point, &house.device, &house.plan, told);
            let Ok(read) = house.read(register, &[truth]) else { continue };
            let filled = instrument.reading(truth).unwrap_or_else(|| panic!("{name} {}", point.address));
            let filled = match filled {
                Value::Bool(on) => f64::from(u8::from(on)),
                value => value.as_f64().unwrap(),
            };
            assert!((filled - read).abs() <= read.abs() * 1e-12, "{name} {}: {filled} {read}", point.address);
        }
    }
}

/// The ratios of a meter that are points themselves stand in its registers as they are told: its numbers
/// are made with the same ones. They were not, and the demo's main meter was read at a fifth.
#[test]
fn a_meter_counts_with_the_ratios_that_are_told() {
    let (_, registers, _) = REGISTERS.iter().find(|(name, ..)| name == "acrel/adl400").unwrap();
    let wanted = ["voltage_a", "energy", "voltage_ratio", "current_ratio"];
    let told = |quantity: &str| registers.iter().find(|(one, _)| one.point.quantity.as_str() == quantity);
    let registers = wanted.map(|quantity| told(quantity).unwrap().clone()).to_vec();
    let mut house = House::new(registers, Vec::new(), 0.0);
    let truths = [5_800.0, 600_000.0, 1.0, 20.0];
    house.most = truths.to_vec();
    for (register, truth) in house.device.registers.iter().zip(truths) {
        let read = house.read(register, &truths).unwrap();
        assert!((read - truth).abs() <= 0.2, "{}: {read} for {truth}", register.point);
    }
}

fn point(address: &str, unit: &str) -> Point {
    let toml = format!(
        "config_version = 1\n[site]\nid = \"x\"\nname = {{ en = \"x\" }}\ntimezone = \"UTC\"\n[[assets]]\nid = \"a\"\nclass = \"Room\"\nname = {{ en = \"a\" }}\n\
         [[modbus]]\nid = \"b\"\nconnect = \"127.0.0.1:1\"\n[[modbus.devices]]\nid = \"d\"\nunit_id = 1\nasset = \"a\"\ninterval = \"1s\"\n\
         [[modbus.devices.registers]]\nquantity = \"{address}\"\ntable = \"holding\"\naddress = 0\ntype = \"u16\"\nunit = \"{unit}\"\nname = {{ en = \"x\" }}\n"
    );
    let files: BTreeMap<std::path::PathBuf, String> = [("x.toml".into(), toml)].into();
    let plan =
        config::load_from(&files, Path::new("x.toml"), &|_| None).unwrap_or_else(|wrong| panic!("{wrong}"));
    plan.plan.points[0].clone()
}

fn at(address: u16, point: &Point) -> (Register, Point) {
    let cell = config::Cell::new(Table::Holding, address, config::Encoding::U16);
    (Register::plain(point.address.clone(), 1_000, cell), point.clone())
}

#[test]
fn gaps_read_nought_beyond_the_ends_and_in_forbidden_stretches_there_is_nothing() {
    let forbidden = Stretch { table: Table::Holding, first: 14, last: 15 };
    let house = House::new(vec![at(10, &point("p", "kW")), at(20, &point("q", "kW"))], vec![forbidden], 1.0);
    let unit = house.unit();
    let read = |start, count| unit.read(Table::Holding, start, count, &[7.0, 8.0], AT).ok();
    assert_eq!(read(10, 4), Some(vec![7, 0, 0, 0]));
    assert_eq!(read(16, 5), Some(vec![0, 0, 0, 0, 8]));
    assert_eq!(
        [read(9, 1), read(20, 2), read(13, 2), read(15, 1), read(u16::MAX, 2)],
        [None, None, None, None, None]
    );
    assert_eq!(unit.read(Table::Input, 10, 1, &[7.0, 8.0], AT).ok(), None);
}

#[test]
fn a_counter_begins_anew_at_its_end_and_anything_else_stays_there() {
    let energy = point("energy", "kW.h");
    let instrument = |point: &Point, modulus| {
        let cell = config::Cell::new(Table::Holding, 0, config::Encoding::U16);
        Instrument::register(point, cell, &[], super::instrument::Ratio::default(), modulus)
    };
    assert_eq!(instrument(&energy, None).written(65_537.9), Some(Written::Whole(1)));
    assert_eq!(instrument(&energy, Some(10_000.0)).written(30_004.0), Some(Written::Whole(4)));
    let power = point("power", "kW");
    assert_eq!(instrument(&power, None).written(65_537.9), Some(Written::Whole(65_535)));
    assert_eq!(instrument(&power, None).written(-3.0), Some(Written::Whole(0)));
}
