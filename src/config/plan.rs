//! The validated configuration, resolved: what `build` works from. No spans, no options left open.

use super::conditioning::Conditioning;
use super::encoding::{Encoding, Order};
use super::link::Link;
use super::system::System;
use super::topic::Topic;
use crate::expr::Formula;
use crate::point::{Address, Decimal, Declared, Name, Names, Unit, ValueKind};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Everything a gateway is told to be. Every reference in it is known to hold.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The site.
    pub site: Site,
    /// The web server.
    pub http: Http,
    /// How much of the past is kept.
    pub history: History,
    /// Building, floors, rooms and machines, parents before children.
    pub assets: Vec<Asset>,
    /// What feeds what, in the order of the files; no circle within a medium.
    pub feeds: Vec<Feed>,
    /// All points, in the order of the files; addresses are unique.
    pub points: Vec<Point>,
    /// Modbus lines.
    pub buses: Vec<Bus>,
    /// MQTT brokers.
    pub brokers: Vec<Broker>,
    /// Points that are reckoned from others, each behind those it is reckoned from.
    pub derived: Vec<Derived>,
    /// Line-protocol targets.
    pub targets: Vec<Target>,
    /// Alarm rules.
    pub rules: Vec<Rule>,
    /// Registers that count energy.
    pub meters: Vec<Meter>,
    /// Price sets.
    pub tariffs: Vec<Tariff>,
}

impl Plan {
    /// The points as the catalogue takes them.
    pub fn declared(&self) -> Vec<Declared> {
        let declared = |point: &Point| Declared {
            address: point.address.clone(),
            formerly: point.formerly.clone(),
            unit: point.unit,
            kind: point.kind,
        };
        self.points.iter().map(declared).collect()
    }
}

/// The hospital.
#[derive(Clone, Debug)]
pub struct Site {
    /// Its id; a tag on every line forwarded.
    pub id: Name,
    /// Its name.
    pub name: Names,
    /// IANA zone; every civil day, page and export is in it.
    pub zone: jiff::tz::TimeZone,
}

/// The web server.
#[derive(Clone, Debug)]
pub struct Http {
    /// Where it listens; loopback only until sign-in exists.
    pub listen: SocketAddr,
}

/// How much of the past is kept.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Most that its files may take together; none: no limit. Bytes.
    pub limit_bytes: Option<u64>,
    /// How long readings are kept; none: for ever. Milliseconds.
    pub keep_ms: Option<u64>,
    /// Points that are kept for a time of their own; the first that fits counts.
    pub classes: Vec<KeptClass>,
}

/// A class of points that are kept for a time of their own.
#[derive(Clone, Debug, Default)]
pub struct KeptClass {
    /// Brick class of their asset.
    pub class: Option<String>,
    /// Their quantity.
    pub quantity: Option<Name>,
    /// Their unit.
    pub unit: Option<Unit>,
    /// How long; none: for ever. Milliseconds.
    pub keep_ms: Option<u64>,
}

impl KeptClass {
    /// Whether a point is one of them. Of a point that is no longer configured the class of its asset
    /// may not be known: then it is of no class that asks for one.
    pub fn fits(&self, class: Option<&str>, quantity: &Name, unit: Unit) -> bool {
        self.class.as_deref().is_none_or(|wanted| class == Some(wanted))
            && self.quantity.as_ref().is_none_or(|wanted| wanted == quantity)
            && self.unit.is_none_or(|wanted| wanted == unit)
    }
}

impl History {
    /// How long the readings of a point are kept; none: for ever. Milliseconds.
    pub fn keep_ms(&self, class: Option<&str>, quantity: &Name, unit: Unit) -> Option<u64> {
        let own = self.classes.iter().find(|kept| kept.fits(class, quantity, unit));
        own.map_or(self.keep_ms, |kept| kept.keep_ms)
    }
}

/// A thing in the asset tree.
#[derive(Clone, Debug)]
pub struct Asset {
    /// Its id, unique in the site.
    pub id: Name,
    /// Brick class name where Brick has one (`Building`, `Chiller`, `Electrical_Meter` ...).
    pub class: String,
    /// Its name.
    pub name: Names,
    /// What it is in or part of.
    pub parent: Option<Name>,
    /// The system it belongs to: its own word, else that of its class, else that of the nearest asset above it.
    pub system: Option<System>,
    /// Its quantities that a person wants first, in this order; each is a point of it.
    pub key: Vec<Name>,
    /// Between which values a quantity of it is as it should be, both ends inclusive, in the unit of the point.
    pub normal: BTreeMap<Name, (Decimal, Decimal)>,
}

impl Asset {
    /// One of which no more is known.
    pub fn plain(id: Name, class: &str, name: Names, parent: Option<Name>) -> Asset {
        let (class, key, normal) = (class.to_owned(), Vec::new(), BTreeMap::new());
        Asset { id, class, name, parent, system: None, key, normal }
    }
}

/// Assets that supply others, each of `from` each of `to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// With what.
    pub medium: Medium,
    /// The assets that supply; at least one.
    pub from: Vec<Name>,
    /// The assets that are supplied; at least one.
    pub to: Vec<Name>,
    /// How many of `from` must work so that `to` is supplied: from 1 to all of them.
    pub needs: usize,
}

/// What assets supply each other with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Medium {
    /// Electricity.
    Power,
    /// Medical gases and vacuum, fuel gas.
    Gas,
    /// Cold, hot, chilled and waste water.
    Water,
    /// Conditioned air.
    Air,
    /// Heating water and steam.
    Heat,
    /// Data.
    Network,
}

impl Medium {
    /// Its word in files and answers.
    pub fn word(self) -> &'static str {
        match self {
            Medium::Power => "power",
            Medium::Gas => "gas",
            Medium::Water => "water",
            Medium::Air => "air",
            Medium::Heat => "heat",
            Medium::Network => "network",
        }
    }
}

/// A point and how its readings are made; where they come from is in [`Bus`] and [`Broker`].
#[derive(Clone, Debug)]
pub struct Point {
    /// Its address.
    pub address: Address,
    /// Addresses it had before.
    pub formerly: Vec<Address>,
    /// Its name.
    pub name: Names,
    /// Unit of the scaled value.
    pub unit: Unit,
    /// Kind of the scaled value.
    pub kind: ValueKind,
    /// The raw number is multiplied by this, exactly.
    pub scale: Decimal,
    /// Then this is added, exactly.
    pub offset: Decimal,
    /// Physical range of the instrument, inclusive, in the unit; outside it the quality is Uncertain.
    pub range: Option<(Decimal, Decimal)>,
    /// Without a new value for longer than this a reading turns Uncertain (stale). Milliseconds.
    pub stale_after_ms: u64,
    /// Decimals shown on a page.
    pub decimals: u8,
    /// What its numbers mean, if they are states; in the order of the file.
    pub states: Vec<State>,
    /// What is done to its readings beyond that.
    pub conditioning: Conditioning,
}

impl Point {
    /// What one raw count comes to in the unit, and what no count comes to; none if the change of
    /// unit is no decimal.
    pub fn count(&self) -> Option<(Decimal, Decimal)> {
        let Some(raw) = self.conditioning.raw_unit else { return Some((self.scale, self.offset)) };
        let (factor, offset) = Unit::conversion(raw, self.unit).ok()?.exact()?;
        let moved = self.offset.checked_mul(factor).and_then(|moved| moved.checked_add(offset));
        Some((self.scale.checked_mul(factor).ok()?, moved.ok()?))
    }

    /// How long a reading of the history stands for what follows it: until the point would have
    /// been stale, and where only changes are kept, until the next row in any case. Milliseconds.
    pub fn hold_ms(&self) -> u64 {
        let heartbeat = self.conditioning.report.map_or(0, |report| report.heartbeat_ms);
        self.stale_after_ms.saturating_add(heartbeat)
    }
}

/// A state a number stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The scaled value; a flag is 0 or 1.
    pub value: i64,
    /// Its name.
    pub name: Names,
}

/// How a point is reckoned from others; what else is known of it is in [`Point`].
#[derive(Clone, Debug)]
pub struct Derived {
    /// The point.
    pub point: Address,
    /// Checked, in the unit of the point. Its inputs are numbered by their places in
    /// [`Plan::points`]; they get the numbers of the catalogue by [`Formula::renumbered`].
    pub formula: Formula,
    /// Reckoned so often and at no other time; none: whenever one of its points speaks.
    /// Milliseconds.
    pub every_ms: Option<u64>,
    /// Without a new value for longer than this it is stale, whatever its points are; none: it is
    /// as stale as they. Milliseconds.
    pub stale_after_ms: Option<u64>,
}

/// One Modbus line: one task, one connection.
#[derive(Clone, Debug, PartialEq)]
pub struct Bus {
    /// Its id.
    pub id: Name,
    /// How it is reached.
    pub link: Link,
    /// A reply later than this is no reply; the timeout a device has earned is below it. Milliseconds.
    pub timeout_ms: u64,
    /// Pause after each answer before the next request, beside the silence RTU asks for. Milliseconds.
    pub turnaround_ms: u64,
    /// Further pause before a request to another unit than the last. Milliseconds.
    pub unit_change_ms: u64,
    /// The devices on it.
    pub devices: Vec<Device>,
}

/// A unit on a bus.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    /// Its id, unique in the site.
    pub id: Name,
    /// Modbus unit id, 0 to 247 or 255.
    pub unit: u8,
    /// What it can bear.
    pub limits: DeviceLimits,
    /// The zone its clock shows.
    pub zone: jiff::tz::TimeZone,
    /// What is read.
    pub registers: Vec<Register>,
}

/// What a device can bear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceLimits {
    /// Most registers one request may ask for, at most 125.
    pub registers_max: u16,
    /// Most coils or discrete inputs one request may ask for, at most 2,000.
    pub bits_max: u16,
    /// Stretches that are never asked for, nor read over.
    pub forbidden: Vec<Stretch>,
    /// Least pause between two requests to it. Milliseconds.
    pub pause_ms: u64,
    /// How long it is expected to think before it answers, until that is measured. Milliseconds.
    pub latency_ms: u64,
    /// Most requests it takes before it has answered the first (Modbus TCP only).
    pub in_flight_max: u8,
}

impl Default for DeviceLimits {
    /// What any device bears.
    fn default() -> DeviceLimits {
        DeviceLimits {
            registers_max: 125,
            bits_max: 2_000,
            forbidden: Vec::new(),
            pause_ms: 0,
            latency_ms: 20,
            in_flight_max: 1,
        }
    }
}

/// Neighbouring items of a table, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stretch {
    /// Which table.
    pub table: Table,
    /// First address.
    pub first: u16,
    /// Last address.
    pub last: u16,
}

/// A point in a device's register map.
#[derive(Clone, Debug, PartialEq)]
pub struct Register {
    /// The point it feeds.
    pub point: Address,
    /// How often it is read. Milliseconds.
    pub interval_ms: u64,
    /// Read exactly on the wall-clock multiples of its interval (demand intervals), not shifted
    /// by the device's own phase.
    pub aligned: bool,
    /// Where its raw value stands and how it is written there.
    pub cell: Cell,
    /// The byte and word order is written in the device, not known beforehand.
    pub order_from: Option<OrderFrom>,
    /// Raw values that are no measurement.
    pub sentinels: Vec<Sentinel>,
    /// What the raw value is to be multiplied with or divided by, out of other registers.
    pub factors: Vec<Factor>,
}

/// Where a raw value stands, and how it is written there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cell {
    /// Which table.
    pub table: Table,
    /// Zero-based protocol address of its first item.
    pub address: u16,
    /// What the bits are.
    pub encoding: Encoding,
    /// The order they come in.
    pub order: Order,
    /// Only these of them.
    pub bits: Option<Bits>,
}

impl Cell {
    /// A value in the order of the standard.
    pub fn new(table: Table, address: u16, encoding: Encoding) -> Cell {
        Cell { table, address, encoding, order: Order::default(), bits: None }
    }

    /// How many items of its table it takes.
    pub fn items(self) -> u16 {
        self.encoding.items(self.order)
    }
}

impl Register {
    /// A value that stands for itself.
    pub fn plain(point: Address, interval_ms: u64, cell: Cell) -> Register {
        Register {
            point,
            interval_ms,
            aligned: false,
            cell,
            order_from: None,
            sentinels: Vec::new(),
            factors: Vec::new(),
        }
    }
}

/// Some bits of an integer; bit 0 is the least significant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bits {
    /// One, as a flag.
    One(u8),
    /// Neighbours, as an unsigned number.
    Range {
        /// Least significant.
        first: u8,
        /// Most significant.
        last: u8,
    },
}

/// Where a device says in which order it writes, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderFrom {
    /// The register that tells.
    pub cell: Cell,
    /// Raw value and the order it stands for; any other is no order.
    pub orders: Vec<(i64, Order)>,
}

/// A raw value that is no measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sentinel {
    /// The number: as the type reads it, or the bits as an unsigned number.
    pub raw: Decimal,
    /// What the device says by it.
    pub means: Means,
}

/// What a device says by a raw value that is no measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// The sensor is broken or missing.
    Sensor,
    /// This device has no such value, or none yet.
    NotAvailable,
    /// The true value is beyond what can be written.
    OutOfRange,
}

/// A register that says what another one is to be multiplied with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Factor {
    /// Where it stands.
    pub cell: Cell,
    /// What is done with it.
    pub role: Role,
}

/// What is done with a factor `f`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The value times `f`: ratios of transformers.
    Multiply,
    /// The value divided by `f`.
    Divide,
    /// The value times 10 to the power `f`: a SunSpec scale factor.
    Exponent,
}

/// The Modbus tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Function code 1.
    Coil,
    /// Function code 2.
    Discrete,
    /// Function code 3.
    Holding,
    /// Function code 4.
    Input,
}

impl Table {
    /// Whether its items are single bits.
    pub fn is_bits(self) -> bool {
        matches!(self, Table::Coil | Table::Discrete)
    }
}

/// An MQTT broker to listen to.
#[derive(Clone, Debug)]
pub struct Broker {
    /// Its id, also the device id of its batches.
    pub id: Name,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Stable client id, so that the broker keeps the session.
    pub client_id: String,
    /// User name and password, if any.
    pub login: Option<Login>,
    /// Certificates, if it is reached over TLS.
    pub tls: Option<BrokerTls>,
    /// Connected and without a message for so long it is silent. Milliseconds.
    pub silent_after_ms: u64,
    /// A longer message is not read. Bytes.
    pub message_bytes_max: usize,
    /// Topic the broker publishes to when the connection breaks, if any.
    pub will: Option<String>,
    /// What is subscribed to.
    pub topics: Vec<Topic>,
}

/// Whom a connection over TLS trusts and what it shows; files, read for each connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrokerTls {
    /// The authority to trust, and no other; none for those of the operating system.
    pub ca: Option<PathBuf>,
    /// Certificate and private key to show.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// A user name with its secret.
#[derive(Clone)]
pub struct Login {
    /// User name.
    pub username: String,
    /// Password or token; never printed.
    pub password: Secret,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("username", &self.username).finish_non_exhaustive()
    }
}

/// A text that never reaches a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the text in.
    pub fn new(text: String) -> Secret {
        Secret(text)
    }

    /// Gives it out, for the one call that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// Where readings are forwarded to, in line protocol.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its id; names its cursor.
    pub id: Name,
    /// Write endpoint with its query: `http://host:8086/write?db=plant` or `.../api/v2/write?org=..&bucket=..`.
    /// `precision=ms` is added.
    pub url: url::Url,
    /// `Authorization: Token ...`, if any.
    pub token: Option<Secret>,
    /// Basic login of InfluxDB 1.x, if any.
    pub login: Option<Login>,
    /// Most lines in one request.
    pub batch_lines_max: usize,
}

/// An alarm rule on one point.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its id; part of an alarm's identity.
    pub id: Name,
    /// The point it watches.
    pub point: Address,
    /// What it watches for.
    pub condition: Condition,
    /// The condition must hold this long. Milliseconds.
    pub on_delay_ms: u64,
    /// 1 urgent, 2 high, 3 medium, 4 low.
    pub priority: u8,
    /// ISO 14224-style failure mode code: with the asset the key of the work order.
    pub failure_mode: Name,
    /// What happened, for a person.
    pub message: Names,
    /// What to do.
    pub response: Names,
}

/// What makes a rule's condition true.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Condition {
    /// value > limit; false again at value <= limit - deadband.
    High {
        /// Limit in the point's unit.
        limit: Decimal,
        /// Deadband, not negative.
        deadband: Decimal,
    },
    /// value < limit; false again at value >= limit + deadband.
    Low {
        /// Limit in the point's unit.
        limit: Decimal,
        /// Deadband, not negative.
        deadband: Decimal,
    },
    /// The point is stale or its quality is Bad.
    NoData,
}

/// A cumulative register to be turned into consumption.
#[derive(Clone, Debug)]
pub struct Meter {
    /// Its id.
    pub id: Name,
    /// Its name.
    pub name: Names,
    /// The point that carries the register.
    pub point: Address,
    /// 10^exponent of the point's unit is one count: -2 for 0.01 kWh.
    pub resolution_exponent: i8,
    /// Counts at which the register rolls over to 0: 10^digits.
    pub modulus: u64,
    /// Most that is physically possible, in counts per hour.
    pub rate_max_per_hour: u64,
    /// How often a good reading is expected. Milliseconds.
    pub expected_interval_ms: u64,
    /// What the energy costs.
    pub tariff: Option<Name>,
}

/// A price set by time of use.
#[derive(Clone, Debug)]
pub struct Tariff {
    /// Its id.
    pub id: Name,
    /// Its name.
    pub name: Names,
    /// First civil day it is valid on.
    pub valid_from: jiff::civil::Date,
    /// 48 half hours of a civil day, from 00:00, each an index into `classes`.
    pub half_hours: [u8; 48],
    /// Its classes with their prices.
    pub classes: Vec<TariffClass>,
}

/// Peak, flat, valley.
#[derive(Clone, Debug)]
pub struct TariffClass {
    /// `peak`, `flat`, `valley` (later also `sharp`, `deep_valley`).
    pub id: Name,
    /// 峰, 平, 谷.
    pub name: Names,
    /// Yuan per unit of the meter (kWh), exact.
    pub price: Decimal,
}
