//! The validated configuration, resolved: what `build` works from. No spans, no options left open.

use crate::point::{Address, Decimal, Declared, Name, Names, Unit, ValueKind};
use std::net::SocketAddr;

/// Everything a gateway is told to be. Every reference in it is known to hold.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The site.
    pub site: Site,
    /// The web server.
    pub http: Http,
    /// Building, floors, rooms and machines, parents before children.
    pub assets: Vec<Asset>,
    /// All points, in the order of the files; addresses are unique.
    pub points: Vec<Point>,
    /// Modbus lines.
    pub buses: Vec<Bus>,
    /// MQTT brokers.
    pub brokers: Vec<Broker>,
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
}

/// One Modbus line: one task, one connection.
#[derive(Clone, Debug)]
pub struct Bus {
    /// Its id.
    pub id: Name,
    /// Host of a Modbus TCP server, name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// A reply later than this is no reply. Milliseconds.
    pub timeout_ms: u64,
    /// The devices on it.
    pub devices: Vec<Device>,
}

/// A unit on a bus.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its id, unique in the site.
    pub id: Name,
    /// Modbus unit id, 0 to 247 or 255.
    pub unit: u8,
    /// How often it is read. Milliseconds.
    pub interval_ms: u64,
    /// Most registers one request may ask for, at most 125.
    pub registers_max: u16,
    /// What is read.
    pub registers: Vec<Register>,
}

/// A value in a device's register map.
#[derive(Clone, Debug)]
pub struct Register {
    /// The point it feeds.
    pub point: Address,
    /// Which table.
    pub table: Table,
    /// Zero-based protocol address.
    pub address: u16,
    /// How the bits are to be read.
    pub encoding: Encoding,
    /// Order of the two words of a 32-bit value.
    pub word_order: WordOrder,
}

/// The register tables this version reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Function code 3.
    Holding,
    /// Function code 4.
    Input,
}

/// Types of raw values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Unsigned, one register.
    U16,
    /// Two's complement, one register.
    I16,
    /// Unsigned, two registers.
    U32,
    /// Two's complement, two registers.
    I32,
    /// IEEE 754 single, two registers.
    F32,
}

/// Which word of a 32-bit value comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum WordOrder {
    /// Most significant first, as the standard has it (`abcd`).
    #[default]
    HighFirst,
    /// Least significant first (`cdab`).
    LowFirst,
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
    /// What is subscribed to.
    pub topics: Vec<Topic>,
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

/// A subscription and what its messages hold.
#[derive(Clone, Debug)]
pub struct Topic {
    /// Topic filter with captures instead of wildcards: `plant/{asset}/telemetry`. A `{name}`
    /// stands for one level; in `values[].point` the same `{name}` is replaced by that level.
    pub pattern: String,
    /// What a message holds.
    pub values: Vec<TopicValue>,
}

/// One value of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicValue {
    /// `asset/quantity`, either part may hold captures of the pattern.
    pub point: String,
    /// Where in the message.
    pub payload: Payload,
}

/// Where in a message a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// The whole message is the number or word.
    Plain,
    /// The message is JSON; RFC 6901 pointer to a number, boolean or text.
    Json {
        /// The pointer.
        pointer: String,
    },
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
