//! The files as they are written: one doc comment is a field's schema, its help in a message and
//! its manual. No flatten, no untagged: both lose the place a value stands at.

use super::leaf::{
    At, BrokerAddress, Bytes, Class, Day, Deadband, Former, Hex, Hours, HttpUrl, Listen, Millis, OwnTopic,
    Pattern, Pointer, ProfileName, Rate, Spot, TimeWord, Zone,
};
use super::{
    Column, Encoding, Link, Medium, Order, Secret, System, Verdict as PlanVerdict, Written as PlanWritten,
    limits, plan,
};
use crate::point::{Address, Decimal, Name, Names, Unit, ValueKind};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A configuration file of plantroom: `plantroom.toml`, or a file it includes.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "plantroom.toml")]
pub struct File {
    /// Version of this layout: 1.
    #[expect(dead_code, reason = "read before typing, by `version`; here for the schema")]
    pub config_version: u32,
    /// Further files, relative to the main one: `rules/*.toml`. Main file only.
    #[serde(default)]
    pub include: Vec<At<String>>,
    /// The hospital. Main file only.
    pub site: Option<At<Site>>,
    /// The web server. Main file only.
    pub http: Option<At<Http>>,
    /// How much of the past is kept. Main file only.
    pub history: Option<At<History>>,
    /// Building, rooms and machines, as a tree.
    #[serde(default)]
    pub assets: Vec<At<Asset>>,
    /// What feeds what: power, gas, water, air, heat, network.
    #[serde(default)]
    pub feeds: Vec<At<Feed>>,
    /// Modbus lines.
    #[serde(default)]
    pub modbus: Vec<At<Bus>>,
    /// MQTT brokers.
    #[serde(default)]
    pub mqtt: Vec<At<Broker>>,
    /// Points that are reckoned from others.
    #[serde(default)]
    pub derived: Vec<At<Derived>>,
    /// Where readings are forwarded to, in line protocol.
    #[serde(default)]
    pub forward: Vec<At<Target>>,
    /// Alarm rules.
    #[serde(default)]
    pub rules: Vec<At<Rule>>,
    /// Registers that count energy.
    #[serde(default)]
    pub meters: Vec<At<Meter>>,
    /// Prices by time of use.
    #[serde(default)]
    pub tariffs: Vec<At<Tariff>>,
}

/// A device profile, `devices/MAKER/MODEL.toml`: a register map, or what its messages say.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Version of this layout: 1.
    #[expect(dead_code, reason = "read before typing, by `version`; here for the schema")]
    pub config_version: u32,
    /// What the map is of.
    pub device: DeviceType,
    /// The registers, of a Modbus device.
    #[serde(default)]
    pub registers: Vec<At<Register>>,
    /// The topics, of a device that sends to an MQTT broker.
    #[serde(default)]
    pub topics: Vec<At<Topic>>,
}

/// What a register map is of, and where it comes from.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceType {
    /// Its name in both languages.
    #[expect(dead_code, reason = "for the reader of the file")]
    pub name: Text,
    /// Who makes it.
    #[expect(dead_code, reason = "for the reader of the file")]
    pub maker: Option<String>,
    /// The maker's word for it.
    #[expect(dead_code, reason = "for the reader of the file")]
    pub model: Option<String>,
    /// Where the map was published: document, version, page.
    pub source: String,
    /// How sure the map is.
    pub certainty: Certainty,
    /// What such a device can bear.
    pub limits: Option<Limits>,
}

/// What a device can bear. A device's own entries go before those of its profile.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Most registers one request may ask for, default 125.
    #[schemars(range(min = 1, max = 125))]
    pub registers_max: Option<u16>,
    /// Most coils or discrete inputs one request may ask for, default 2000.
    #[schemars(range(min = 1, max = 2000))]
    pub bits_max: Option<u16>,
    /// Least pause between two requests to it: 0s to 10s, default 0s.
    pub pause: Option<At<Millis>>,
    /// How long it is expected to think before it answers, until that is measured: 0s to 10s, default 20ms.
    pub latency: Option<At<Millis>>,
    /// Most requests it takes before it has answered the first, default 1. Modbus TCP only.
    #[schemars(range(min = 1, max = 16))]
    pub in_flight_max: Option<u8>,
    /// Most connections it takes at a time, default 1: how many buses may lead to its host and port.
    #[schemars(range(min = 1, max = 16))]
    pub connections_max: Option<u8>,
    /// Registers that are never asked for, nor read over.
    #[schemars(length(max = limits::FORBIDDEN_MAX))]
    pub forbidden: Option<Vec<At<Stretch>>>,
}

/// Neighbouring registers of a table.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stretch {
    /// Which table: `coil`, `discrete`, `holding` or `input`.
    pub table: Table,
    /// First address.
    pub first: u16,
    /// Last address.
    pub last: u16,
}

/// A name in both languages; one given alone serves for both.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// Simplified Chinese.
    pub zh: Option<String>,
    /// English.
    pub en: Option<String>,
}

impl Text {
    /// Both languages; `fallback` if neither was given.
    pub fn names(text: Option<&Text>, fallback: &Name) -> Names {
        let text = text.cloned().unwrap_or_default();
        Names::or_id(text.zh, text.en, fallback.as_str())
    }
}

/// The hospital.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// Its id, a tag on every line forwarded; do not change it later.
    pub id: Name,
    /// Its name in both languages.
    pub name: Option<Text>,
    /// IANA time zone; every civil day, page and export is in it.
    pub timezone: Zone,
}

/// The web server.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Where it listens; loopback only until sign-in exists. Default 127.0.0.1:8420.
    pub listen: Option<At<Listen>>,
}

/// How much of the past is kept.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// Most that its files may take together, 256MiB to 1024TiB. Beyond it, and on a full disk, the oldest readings are given up; without it never.
    pub limit: Option<At<Bytes>>,
    /// How long readings are kept: 1d to 36500d. Without it for ever.
    pub keep: Option<At<Millis>>,
    /// Points that are kept for a time of their own; of several that fit a point the first counts.
    #[serde(default)]
    #[schemars(length(max = limits::KEEP_CLASSES_MAX))]
    pub classes: Vec<At<KeptClass>>,
}

/// A class of points. All that is said of it must fit.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeptClass {
    /// Brick class of the points' asset: `Electrical_Meter`.
    pub class: Option<At<Class>>,
    /// Their quantity: `energy`.
    pub quantity: Option<At<Name>>,
    /// Their unit: `kW.h`.
    pub unit: Option<At<Unit>>,
    /// How long their readings are kept: 1d to 36500d. Without it for ever.
    pub keep: Option<At<Millis>>,
}

/// A building, a room or a machine.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Asset {
    /// Its id, unique in the site; the first half of its points' addresses.
    pub id: At<Name>,
    /// Brick class name where Brick has one: `Building`, `Chiller`, `Electrical_Meter`.
    pub class: Class,
    /// Its name in both languages.
    pub name: Option<Text>,
    /// The asset it is in or part of.
    pub parent: Option<At<Name>>,
    /// The system it belongs to: `hvac`. Default by its class, else that of the nearest asset above it.
    pub system: Option<System>,
    /// Quantities of it that a person wants first, in this order: `["power", "supply_temperature"]`.
    #[serde(default)]
    #[schemars(length(max = limits::KEY_MAX))]
    pub key: Vec<At<Name>>,
    /// Between which values a quantity is as it should be, in the unit of the point: `{ power = [0, 800] }`.
    #[serde(default)]
    pub normal: BTreeMap<String, At<[Decimal; 2]>>,
    /// Ids it had before; its points keep their history.
    #[serde(default)]
    pub formerly: Vec<Name>,
}

/// Assets that supply others.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Feed {
    /// With what they supply them.
    pub medium: Medium,
    /// The assets that supply, each of them each of `to`.
    #[schemars(length(min = 1, max = limits::FEED_FROM_MAX))]
    pub from: Vec<At<Name>>,
    /// The assets that are supplied.
    #[schemars(length(min = 1, max = limits::FEED_TO_MAX))]
    pub to: Vec<At<Name>>,
    /// How many of `from` must work so that `to` is supplied; default all of them.
    #[schemars(range(min = 1))]
    pub needs: Option<At<u16>>,
}

/// A Modbus line: one connection.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bus {
    /// Its id, unique among buses, devices and brokers.
    pub id: At<Name>,
    /// `tcp://host:502`, `rtu+tcp://host:port?baud=9600` or `rtu:///dev/ttyUSB0?baud=9600&parity=even`.
    pub connect: At<Link>,
    /// A reply later than this is no reply: 10ms to 60s, default 1s.
    pub timeout: Option<At<Millis>>,
    /// Pause after each answer before the next request, for slow converters: 0s to 1s, default 0s.
    pub turnaround: Option<At<Millis>>,
    /// Further pause before a request to another unit than the last: 0s to 1s, default 0s.
    pub unit_change: Option<At<Millis>>,
    /// The devices on it.
    #[serde(default)]
    pub devices: Vec<At<Device>>,
}

/// A unit on a bus.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Its id, unique among buses, devices and brokers.
    pub id: At<Name>,
    /// Modbus unit id, 0 to 247 or 255.
    pub unit_id: At<u8>,
    /// The asset its points belong to.
    pub asset: At<Name>,
    /// Its register map: `acrel/adl400` is the file `devices/acrel/adl400.toml` beside the main file.
    pub profile: Option<At<ProfileName>>,
    /// How sure its map is here: `site` once its readings were compared with its display.
    pub certainty: Option<Certainty>,
    /// How often registers are read that do not say it themselves: 100ms to 1d, default 10s.
    pub interval: Option<At<Millis>>,
    /// What it can bear, where that is not what its profile says.
    pub limits: Option<Limits>,
    /// Quantities of the profile that are read; without it all of them.
    pub only: Option<At<Vec<At<Name>>>>,
    /// Quantities of the profile that are not read.
    pub without: Option<At<Vec<At<Name>>>>,
    /// Point list, a CSV file with a register in each row, beside the main file: `points/ahu-1.csv`.
    pub points: Option<At<String>>,
    /// Registers besides the profile's; one with the quantity of a profile's register changes what it says there.
    #[serde(default)]
    pub registers: Vec<At<Register>>,
}

/// A value in a register map; beside a profile, for a quantity of it, only what is different.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-whole" = true))]
pub struct Register {
    /// The asset this point belongs to, if another than the device's. Not in a profile.
    pub asset: Option<At<Name>>,
    /// What is measured; the second half of the point's address.
    pub quantity: At<Name>,
    /// Which table: `coil` (function 1), `discrete` (2), `holding` (3) or `input` (4).
    pub table: Option<At<Table>>,
    /// Zero-based protocol address: a manual's 40001 is holding 0.
    #[schemars(range(max = 65535))]
    pub address: Option<At<u32>>,
    /// Type of the raw value: `u16`, `i32`, `f32`, `bcd32`, `text:16`; coils and discrete inputs are `bool`.
    #[serde(rename = "type")]
    pub encoding: Option<At<Encoding>>,
    /// Order of its bytes, default `abcd`: the standard's. `cdab` has the low register first.
    pub order: Option<At<Order>>,
    /// Where the device says in which order it writes, if that is not known beforehand.
    pub order_from: Option<At<OrderFrom>>,
    /// One bit of an integer, 0 the least significant, as a flag.
    #[schemars(range(max = 63))]
    pub bit: Option<At<u8>>,
    /// Neighbouring bits of an integer, least and most significant, as an unsigned number: `[4, 7]`.
    pub bits: Option<At<[u8; 2]>>,
    /// Raw values that are no measurement.
    #[schemars(length(max = limits::SENTINELS_MAX))]
    pub sentinels: Option<Vec<At<Sentinel>>>,
    /// The raw number is multiplied by this, exactly. Default 1.
    pub scale: Option<At<Decimal>>,
    /// Then this is added, exactly. Default 0.
    pub offset: Option<At<Decimal>>,
    /// Registers whose numbers the raw number is multiplied by: ratios of transformers.
    #[schemars(length(max = limits::FACTORS_MAX))]
    pub multiply_by: Option<Vec<At<Factor>>>,
    /// Registers whose numbers the raw number is divided by.
    #[schemars(length(max = limits::FACTORS_MAX))]
    pub divide_by: Option<Vec<At<Factor>>>,
    /// A register with a power of ten the raw number is multiplied by: a SunSpec scale factor.
    pub exponent: Option<At<Factor>>,
    /// Unit the device sends, if it is not the point's: `[psi]{gauge}`, `[degF]`; converted exactly.
    pub raw_unit: Option<At<Unit>>,
    /// UCUM code of the scaled value: `kW.h`, `Cel`, `kPa{gauge}`; `1` for none.
    pub unit: Option<Unit>,
    /// Physical range of the instrument in the unit, both ends inclusive: `[0, 1.6]`.
    pub range: Option<At<[Decimal; 2]>>,
    /// What lies beyond an end is set to it, in the unit, as long as it is in the range: `[0, 1.6]`.
    pub clamp: Option<At<[Decimal; 2]>>,
    /// A counter that begins again at 0 and is to go on: `{ digits = 8 }`.
    pub counter: Option<At<Counter>>,
    /// What its values are watched for: `{ frozen_after = "30m", rate_max = "5/min" }`.
    pub checks: Option<At<Checks>>,
    /// What of its readings goes to the history, without it all: `{ deadband = 0.5, heartbeat = "10m" }`.
    pub report: Option<At<Report>>,
    /// What its numbers mean, if they are states.
    #[schemars(length(max = limits::STATES_MAX))]
    pub states: Option<Vec<At<State>>>,
    /// Decimals shown on a page; default those of the scale, 2 for f32 and for what is divided.
    #[schemars(range(max = 9))]
    pub decimals: Option<u8>,
    /// How often it is read, 100ms to 1d; default the device's interval.
    pub interval: Option<At<Millis>>,
    /// Read exactly on the multiples of its interval on the wall clock: `true` for demand intervals.
    pub aligned: Option<bool>,
    /// Without a new value for this long it is stale: 1s to 7d, default three intervals, at least 5s.
    pub stale_after: Option<At<Millis>>,
    /// Its name in both languages.
    pub name: Option<Text>,
    /// Quantities of this asset, or whole addresses, it had before; the point keeps its history.
    #[schemars(length(max = limits::FORMERLY_MAX))]
    pub formerly: Option<Vec<Former>>,
    /// How sure this register is, if less than the whole map.
    pub certainty: Option<Certainty>,
}

impl Register {
    /// A register of which nothing is said yet.
    pub fn of(quantity: At<Name>) -> Register {
        Register {
            quantity,
            asset: None,
            table: None,
            address: None,
            encoding: None,
            order: None,
            order_from: None,
            bit: None,
            bits: None,
            sentinels: None,
            scale: None,
            offset: None,
            multiply_by: None,
            divide_by: None,
            exponent: None,
            raw_unit: None,
            unit: None,
            range: None,
            clamp: None,
            counter: None,
            checks: None,
            report: None,
            states: None,
            decimals: None,
            interval: None,
            aligned: None,
            stale_after: None,
            name: None,
            formerly: None,
            certainty: None,
        }
    }
}

/// A counter that begins again at 0: its value goes on. One of both is said.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-whole" = true))]
pub struct Counter {
    /// Digits the device shows: 8 begin again after 99999999.
    #[schemars(range(min = 1, max = 18))]
    pub digits: Option<At<u8>>,
    /// Raw counts at which it begins again: 65536 of a u16, 4294967296 of a u32.
    #[schemars(range(min = 2))]
    pub modulus: Option<At<i64>>,
}

/// What the values of a point are watched for; what fails is Uncertain, with the reason.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-whole" = true))]
pub struct Checks {
    /// A value that does not move for this long although it is read is frozen: 1s to 30d.
    pub frozen_after: Option<At<Millis>>,
    /// It moves when it leaves this distance from where it stood, in the unit. Default 0: any change.
    pub frozen_band: Option<At<Decimal>>,
    /// Most it can change, in the unit: `5/min`, `0.1/s`, `20/h`.
    pub rate_max: Option<At<Rate>>,
    /// A jump by the ratio of two units of its dimension is doubted until it goes back or `raw_unit` or `scale` is changed.
    pub unit_jump: Option<At<bool>>,
}

/// What of a point's readings goes to the history; pages and alarms have all of them.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-whole" = true))]
pub struct Report {
    /// Only what is farther than this from what was kept last: in the unit, or of the range: `1%`. Default 0: any change.
    pub deadband: Option<At<Deadband>>,
    /// A change no sooner than this after what was kept last: 0s to 1d, default 0s.
    pub min_interval: Option<At<Millis>>,
    /// In any case after this, as long as it is read: 1s to 7d, default 10m.
    pub heartbeat: Option<At<Millis>>,
}

/// A register whose number changes another one's.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Factor {
    /// Which table, default the one of the value.
    pub table: Option<At<Table>>,
    /// Zero-based protocol address.
    #[schemars(range(max = 65535))]
    pub address: At<u32>,
    /// Type of the number.
    #[serde(rename = "type")]
    pub encoding: At<Encoding>,
    /// Order of its bytes, default `abcd`.
    pub order: Option<At<Order>>,
}

/// A register that tells in which order a device writes.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderFrom {
    /// Which table, default the one of the value.
    pub table: Option<At<Table>>,
    /// Zero-based protocol address.
    #[schemars(range(max = 65535))]
    pub address: At<u32>,
    /// Type of the number, default `u16`.
    #[serde(rename = "type")]
    pub encoding: Option<At<Encoding>>,
    /// What its numbers stand for; with any other number nothing is known.
    #[schemars(length(min = 1, max = limits::ORDERS_MAX))]
    pub orders: Vec<At<OrderWord>>,
}

/// A number that stands for a byte order.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderWord {
    /// The number in the register.
    pub raw: i64,
    /// The order it stands for.
    pub order: At<Order>,
}

/// A raw number that is no measurement.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sentinel {
    /// The number as the type reads it; of a signed type also its bits, as manuals have it: `0x8000` is -32768.
    pub raw: Decimal,
    /// What the device says by it: `sensor` (broken or missing), `not-available` or `out-of-range`.
    pub means: Means,
}

/// What a device says by a number that is no measurement.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Means {
    Sensor,
    NotAvailable,
    OutOfRange,
}

/// A state a number stands for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// The scaled number; of a flag 0 or 1.
    pub value: i64,
    /// Its name in both languages.
    pub name: Text,
}

/// The register tables.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Table {
    Coil,
    Discrete,
    Holding,
    Input,
}

/// An MQTT broker to listen to.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Broker {
    /// Its id, unique among buses, devices and brokers.
    pub id: At<Name>,
    /// `mqtts://host:8883` over TLS, or in the open `host:1883`; the port may be left out.
    pub connect: At<BrokerAddress>,
    /// Stable client id, so that the broker keeps the session; default `plantroom-SITE-ID`.
    pub client_id: Option<String>,
    /// User name and password, if the broker asks for them.
    pub login: Option<Login>,
    /// Whom to trust and what to show, if `connect` begins with `mqtts://`.
    pub tls: Option<At<BrokerTls>>,
    /// A connected broker without a message for so long is said to be silent, and subscribed to again; default: the
    /// longest `stale_after` of its topics.
    pub silent_after: Option<At<Millis>>,
    /// A longer message is not read: `256B` to `16MiB`; default `1MiB`.
    pub message_max: Option<At<Bytes>>,
    /// What the broker tells others when this connection breaks. Off if left out.
    pub will: Option<Will>,
    /// What is subscribed to.
    #[serde(default)]
    pub topics: Vec<At<Topic>>,
    /// Devices whose messages a profile explains.
    #[serde(default)]
    pub devices: Vec<At<MqttDevice>>,
}

/// A device that sends to a broker.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MqttDevice {
    /// The asset its points belong to.
    pub asset: At<Name>,
    /// What its messages say: `milesight/em300-th` is the file `devices/milesight/em300-th.toml` beside the main file.
    pub profile: At<ProfileName>,
    /// What it is called in its messages: a serial number, a DevEUI; the profile says where that stands. Default the id of the asset.
    pub id: Option<At<String>>,
    /// Topic of its messages, where that is set in the device itself; for profiles of one topic.
    pub topic: Option<At<Pattern>>,
    /// Quantities of the profile that it has; without it all of them.
    pub only: Option<At<Vec<At<Name>>>>,
    /// Quantities of the profile that it does not have.
    pub without: Option<At<Vec<At<Name>>>>,
    /// Without a new value for this long its points are stale: 1s to 7d, default the profile's.
    pub stale_after: Option<At<Millis>>,
}

/// Certificates of a broker; the files are read again for each connection.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BrokerTls {
    /// PEM file of the authority that signed the broker's certificate; no other is then trusted. Default: those of the
    /// operating system. Paths begin at the folder of the main file.
    pub ca: Option<At<String>>,
    /// PEM file of the certificate to show to the broker, with its chain.
    pub certificate: Option<At<String>>,
    /// PEM file of that certificate's private key, not encrypted; only plantroom may read it.
    pub key: Option<At<String>>,
}

/// A last will: MQTT's word for a message the broker publishes for a client that is gone.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Will {
    /// Topic below `plantroom/`.
    pub topic: OwnTopic,
}

/// A user name with its password.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// User name.
    pub username: String,
    /// `${VAR}` or `file:PATH`.
    pub password: Secret,
}

/// Topics alone, as they stand in a configuration (`[[mqtt.topics]]`) or in a profile (`[[topics]]`).
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pasted {
    /// Those of a configuration.
    pub mqtt: Option<PastedBroker>,
    /// Those of a profile.
    #[serde(default)]
    pub topics: Vec<At<Topic>>,
}

/// The topics of a broker without the broker.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PastedBroker {
    /// What is subscribed to.
    pub topics: Vec<At<Topic>>,
}

/// A subscription.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// Topic whose levels are words with `{captures}` in them; `{asset}` and `{quantity}` name the point. `{rest...}` at the end is all levels that follow.
    #[serde(rename = "topic")]
    pub pattern: At<Pattern>,
    /// The asset of its points, if its messages do not name it.
    pub asset: Option<At<Name>>,
    /// Where the text stands that names the asset: a JSON pointer, captures of the topic (`"{area}-{room}"`), or a column. Default `{asset}`.
    pub asset_from: Option<At<Spot>>,
    /// Which asset such a text stands for, if it is not the id itself: `{ "24e124136b502217" = "ward-3a" }`. Small and capital letters are the same.
    #[schemars(extend("maxProperties" = limits::NAMES_MAX))]
    pub assets: Option<At<BTreeMap<String, At<Name>>>>,
    /// Pointer to a list or object in the JSON message; each of its members is then a message of its own. What an item does not say the message may.
    pub each: Option<At<Pointer>>,
    /// Where the word stands that says which value it is; `"{key}"` is the name of a member of `each`. Default `{quantity}`.
    pub quantity_from: Option<At<Spot>>,
    /// When its values were true; without it they are as old as the message.
    pub time: Option<At<TopicTime>>,
    /// What its source thinks of its values.
    pub quality: Option<At<TopicQuality>>,
    /// Where the unit of its numbers stands; they are converted to the unit of the point.
    pub unit_from: Option<At<Spot>>,
    /// Only messages that have these texts at these places: `{ "/fPort" = "85" }`. Others say nothing.
    pub only_if: Option<At<BTreeMap<String, At<String>>>>,
    /// The message is a table of texts, one item a line.
    pub csv: Option<At<Csv>>,
    /// Where the bytes are that values take their `bytes` from; without it the payload itself.
    pub bytes: Option<At<TopicBytes>>,
    /// Without a new value for this long its points are stale: 1s to 7d, default 5m.
    pub stale_after: Option<At<Millis>>,
    /// What its messages hold.
    #[schemars(length(max = limits::TOPIC_VALUES_MAX))]
    pub values: Vec<At<TopicValue>>,
}

/// When the values of a message were true.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TopicTime {
    /// Where it stands: a JSON pointer, or a column.
    pub from: At<Spot>,
    /// `unix-s`, `unix-ms`, `unix-us`, `unix-ns` (since 1970 UTC), `rfc3339` (the default), or as strptime has it: `%Y-%m-%d %H:%M:%S`.
    pub format: Option<TimeWord>,
    /// Zone of times that do not say theirs; default the site's.
    pub zone: Option<Zone>,
}

/// What a source thinks of its values.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TopicQuality {
    /// Where its word or number stands.
    pub from: At<Spot>,
    /// What it means: `{ "0" = "good", "1" = "uncertain", "2" = "sensor" }`. The empty word is for where none stands; any other is uncertain.
    #[schemars(extend("maxProperties" = limits::STATES_MAX))]
    pub words: BTreeMap<String, At<Verdict>>,
}

/// What a source thinks of a value: `good`, `uncertain`, or why it is none: `sensor`, `not-available`, `out-of-range`.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Verdict {
    Good,
    Uncertain,
    Sensor,
    NotAvailable,
    OutOfRange,
}

/// A table of texts.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Csv {
    /// The character between two cells, default `,`; a tab is `"\\t"`.
    pub separator: Option<At<String>>,
    /// The first line of each message names the columns. Default false.
    pub header: Option<bool>,
}

/// Where bytes are taken from.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TopicBytes {
    /// Where the text stands they are written in: a JSON pointer or a column; without it they are the payload itself.
    pub from: Option<At<Spot>>,
    /// How they are written there, or in the payload: `base64` or `hex`. Without `from` and this the payload is bytes.
    pub written: Option<Written>,
    /// The bytes are a row of records, each a mark and what follows it: `{ "0367" = 2, "0468" = 1 }`, the mark and how many bytes follow. At a mark that is not here the reading ends.
    #[schemars(extend("maxProperties" = limits::STATES_MAX))]
    pub records: Option<At<BTreeMap<String, At<u16>>>>,
}

/// How bytes are written as a text.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Written {
    Base64,
    Hex,
}

/// A value in bytes.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ByteCell {
    /// How many bytes stand before it, from the beginning or behind the mark. Default 0.
    pub at: Option<u32>,
    /// The mark of the record it stands in.
    pub record: Option<At<Hex>>,
    /// Type of the raw value, as in a register map: `u8`, `i16`, `f32`, `bcd32`, `text:16`.
    #[serde(rename = "type")]
    pub encoding: At<Encoding>,
    /// Order of its bytes, default `abcd`: the most significant first. The least first is `ba` or `dcba`.
    pub order: Option<At<Order>>,
    /// One bit of an integer, 0 the least significant, as a flag.
    #[schemars(range(max = 63))]
    pub bit: Option<At<u8>>,
    /// Neighbouring bits of an integer, least and most significant, as an unsigned number: `[4, 7]`.
    pub bits: Option<At<[u8; 2]>>,
}

/// A value of a message.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TopicValue {
    /// What is measured; the second half of the point's address.
    pub quantity: At<Name>,
    /// The word by which messages call it, where they say which value they have; default the quantity.
    pub key: Option<At<String>>,
    /// Where in the JSON message or item it stands (RFC 6901); without it the whole is the value.
    pub pointer: Option<At<Pointer>>,
    /// Which column it stands in: its number from 1, or its name.
    pub column: Option<At<Column>>,
    /// Where in the bytes it stands.
    pub bytes: Option<At<ByteCell>>,
    /// The assets `{asset}` stands for and that send this quantity; default those of the topic's own `assets`.
    #[serde(default)]
    pub assets: Vec<At<Name>>,
    /// Words and the numbers they stand for: `{ "运行" = 1, "停止" = 0 }`. Flags know the usual ones (on, off, 开, 关 ...) without it.
    #[schemars(extend("maxProperties" = limits::STATES_MAX))]
    pub words: Option<At<BTreeMap<String, At<i64>>>>,
    /// Numbers that are no measurement.
    #[schemars(length(max = limits::SENTINELS_MAX))]
    pub sentinels: Option<Vec<At<Sentinel>>>,
    /// Messages may leave it out; otherwise one without it is a fault of the value.
    pub optional: Option<bool>,
    /// Kind of value: `decimal` (the default), `float`, `bool` or `text`.
    #[serde(rename = "type")]
    pub kind: Option<Kind>,
    /// The number is multiplied by this, exactly. Default 1.
    pub scale: Option<At<Decimal>>,
    /// Then this is added, exactly. Default 0.
    pub offset: Option<Decimal>,
    /// Unit the device sends, if it is not the point's: `[psi]{gauge}`, `[degF]`; converted exactly.
    pub raw_unit: Option<At<Unit>>,
    /// UCUM code of the scaled value: `kW.h`, `Cel`, `kPa{gauge}`; `1` for none.
    pub unit: Unit,
    /// Physical range of the instrument in the unit, both ends inclusive: `[-40, 60]`.
    pub range: Option<At<[Decimal; 2]>>,
    /// What lies beyond an end is set to it, in the unit, as long as it is in the range: `[0, 1.6]`.
    pub clamp: Option<At<[Decimal; 2]>>,
    /// A counter that begins again at 0 and is to go on: `{ digits = 8 }`.
    pub counter: Option<At<Counter>>,
    /// What its values are watched for: `{ frozen_after = "30m", rate_max = "5/min" }`.
    pub checks: Option<At<Checks>>,
    /// What of its readings goes to the history, without it all: `{ deadband = 0.5, heartbeat = "10m" }`.
    pub report: Option<At<Report>>,
    /// What its numbers mean, if they are states; default the words of `words`.
    #[schemars(length(max = limits::STATES_MAX))]
    pub states: Option<Vec<At<State>>>,
    /// Decimals shown on a page, default 2.
    #[schemars(range(max = 9))]
    pub decimals: Option<u8>,
    /// Its name in both languages.
    pub name: Option<Text>,
    /// Quantities of this asset, or whole addresses, it had before; the point keeps its history.
    #[serde(default)]
    pub formerly: Vec<Former>,
}

/// Kinds of values a message holds.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Kind {
    Decimal,
    Float,
    Bool,
    Text,
}

/// A point that is reckoned from others.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-whole" = true))]
pub struct Derived {
    /// The asset it belongs to.
    pub asset: At<Name>,
    /// What it says; the second half of its address.
    pub quantity: At<Name>,
    /// The expression: `chiller-1/return - chiller-1/supply`. The manual has a page on them.
    pub formula: At<String>,
    /// UCUM code its number is wanted in: `K`, `kW.h`; not for a condition.
    pub unit: Option<At<Unit>>,
    /// How often a formula with windows or ages is reckoned, 1s to 1d; without it whenever one of its points speaks, and every 10s.
    pub every: Option<At<Millis>>,
    /// What is possible, in the unit, both ends inclusive: `[0, 30]`. Beyond it the value is in doubt.
    pub range: Option<At<[Decimal; 2]>>,
    /// What its numbers mean, if they are states; of a condition 0 and 1.
    #[schemars(length(max = limits::STATES_MAX))]
    pub states: Option<Vec<At<State>>>,
    /// Decimals shown on a page, default 2; 0 for conditions and states.
    #[schemars(range(max = 9))]
    pub decimals: Option<u8>,
    /// Without a new value for this long it is stale, 1s to 7d; without it as stale as its points are.
    pub stale_after: Option<At<Millis>>,
    /// Its name in both languages.
    pub name: Option<Text>,
    /// Quantities of this asset, or whole addresses, it had before; the point keeps its history.
    #[serde(default)]
    #[schemars(length(max = limits::FORMERLY_MAX))]
    pub formerly: Vec<Former>,
}

/// A target that takes line protocol.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Its id; names its place in the log, so a new id forwards from the beginning.
    pub id: At<Name>,
    /// Write address with its query: `http://host:8086/write?db=plant`, `.../api/v2/write?org=a&bucket=b`.
    pub url: HttpUrl,
    /// Token of `/api/v2/write`: `${VAR}` or `file:PATH`.
    pub token: Option<Secret>,
    /// Login of InfluxDB 1.x.
    pub login: Option<Login>,
    /// Most lines in one request, default 5000.
    #[schemars(range(min = 1, max = 100_000))]
    pub batch_lines_max: Option<u32>,
}

/// An alarm rule on one point.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its id; part of the identity of its alarms.
    pub id: At<Name>,
    /// Default true; false keeps it as a template, whose point need not exist.
    pub enabled: Option<bool>,
    /// The point it watches.
    pub point: At<Address>,
    /// `high`: above the limit. `low`: below it. `no-data`: stale or bad.
    pub when: At<When>,
    /// The limit, in the point's unit; for `high` and `low`.
    pub limit: Option<At<Decimal>>,
    /// How far back behind the limit the value must go before the alarm ends. Default 0.
    pub deadband: Option<At<Decimal>>,
    /// The condition must hold this long: up to 1d, default 0s.
    pub on_delay: Option<At<Millis>>,
    /// 1 urgent, 2 high, 3 medium, 4 low.
    #[schemars(range(min = 1, max = 4))]
    pub priority: u8,
    /// Failure mode code: with the asset the key of the work order.
    pub failure_mode: Name,
    /// What happened.
    pub message: Text,
    /// What to do.
    pub response: Text,
    /// Clause of the standard the limit is from.
    pub clause: Option<String>,
    /// The standard and its year.
    pub edition: Option<String>,
    /// How sure the limit is, default `site`. A limit of certainty `C` cannot be enabled.
    pub certainty: Option<At<Certainty>>,
}

/// What a rule watches for.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum When {
    High,
    Low,
    NoData,
}

/// How sure a number is: `A` primary text read, `B` read in a secondary copy, `C` not re-read,
/// `D` own engineering choice, `site` set or confirmed by the hospital.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum Certainty {
    /// Primary text read.
    A,
    /// Read in a secondary copy.
    B,
    /// Not re-read: an engineer of the hospital must confirm it.
    C,
    /// Own engineering choice.
    D,
    /// Set or confirmed by the hospital.
    #[serde(rename = "site")]
    Site,
}

/// A cumulative register to be turned into consumption.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Meter {
    /// Its id.
    pub id: At<Name>,
    /// Its name in both languages.
    pub name: Option<Text>,
    /// The point that carries the register.
    pub point: At<Address>,
    /// One count of the register in the point's unit, a power of ten: `0.01`.
    pub resolution: At<Decimal>,
    /// Where the register begins again at 0, in the point's unit: `1000000`. Not of a point with a `counter`, which goes on.
    pub rollover_at: Option<At<Decimal>>,
    /// Most it can rise in an hour, in the point's unit.
    pub rate_max: At<Decimal>,
    /// How often a good reading comes: 100ms to 1d, default the device's interval.
    pub expected_interval: Option<At<Millis>>,
    /// What it costs.
    pub tariff: Option<At<Name>>,
}

/// Prices by time of use.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tariff {
    /// Its id.
    pub id: At<Name>,
    /// Its name in both languages.
    pub name: Option<Text>,
    /// First civil day it is valid on: 2026-01-01.
    pub valid_from: Day,
    /// Peak, flat, valley; their hours together cover each half hour of the day exactly once.
    pub classes: Vec<At<TariffClass>>,
}

/// A price and its hours.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TariffClass {
    /// `peak`, `flat`, `valley`.
    pub id: At<Name>,
    /// Its name in both languages.
    pub name: Option<Text>,
    /// Yuan per kWh, exact.
    pub price: Decimal,
    /// When it is valid, on half hours: `08:00-11:30`, `23:00-07:00`.
    pub hours: Vec<At<Hours>>,
}

impl From<Table> for plan::Table {
    fn from(table: Table) -> plan::Table {
        match table {
            Table::Coil => plan::Table::Coil,
            Table::Discrete => plan::Table::Discrete,
            Table::Holding => plan::Table::Holding,
            Table::Input => plan::Table::Input,
        }
    }
}

impl From<Means> for plan::Means {
    fn from(means: Means) -> plan::Means {
        match means {
            Means::Sensor => plan::Means::Sensor,
            Means::NotAvailable => plan::Means::NotAvailable,
            Means::OutOfRange => plan::Means::OutOfRange,
        }
    }
}

impl From<Verdict> for PlanVerdict {
    fn from(verdict: Verdict) -> PlanVerdict {
        match verdict {
            Verdict::Good => PlanVerdict::Good,
            Verdict::Uncertain => PlanVerdict::Uncertain,
            Verdict::Sensor => PlanVerdict::Bad(plan::Means::Sensor),
            Verdict::NotAvailable => PlanVerdict::Bad(plan::Means::NotAvailable),
            Verdict::OutOfRange => PlanVerdict::Bad(plan::Means::OutOfRange),
        }
    }
}

impl From<Written> for PlanWritten {
    fn from(written: Written) -> PlanWritten {
        match written {
            Written::Base64 => PlanWritten::Base64,
            Written::Hex => PlanWritten::Hex,
        }
    }
}

impl From<Kind> for ValueKind {
    fn from(kind: Kind) -> ValueKind {
        match kind {
            Kind::Decimal => ValueKind::Decimal,
            Kind::Float => ValueKind::F64,
            Kind::Bool => ValueKind::Bool,
            Kind::Text => ValueKind::Text,
        }
    }
}

impl From<&Login> for plan::Login {
    fn from(login: &Login) -> plan::Login {
        plan::Login { username: login.username.clone(), password: login.password.clone() }
    }
}
