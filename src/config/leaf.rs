//! The small texts a configuration is made of, and how each is read: names, units, durations ...
//!
//! One parser per format. The check before typing and serde's typing both use it, so what
//! passes the first passes the second.

use super::diagnostic::{Code, closest};
use super::pattern::PatternError;
use super::{Column, Encoding, Link, Order, Secret, TimeFormat, TopicPattern};
use crate::point::{Address, Decimal, DecimalError, Name, Unit, UnitError};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};
use std::borrow::Cow;
use std::net::SocketAddr;
use std::ops::{Deref, DerefMut, Range};

/// A value with the bytes it stands at.
#[derive(Debug)]
pub struct At<T> {
    value: T,
    span: Range<usize>,
}

impl<T> At<T> {
    /// A value of a file that is no TOML.
    pub fn new(value: T, span: Range<usize>) -> At<T> {
        At { value, span }
    }

    /// The bytes.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }
}

impl<T> Deref for At<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for At<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<At<T>, D::Error> {
        let spanned = toml::Spanned::<T>::deserialize(deserializer)?;
        Ok(At { span: spanned.span(), value: spanned.into_inner() })
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// Why a text is not what it should be. The message continues a sentence that begins with the
/// text as the file has it; it never repeats the text, which may hold a variable's content.
#[derive(Clone, Debug)]
pub struct Wrong {
    pub code: Code,
    pub message: String,
    pub help: String,
}

fn wrong<T>(code: Code, message: impl Into<String>, help: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong { code, message: message.into(), help: help.into() })
}

/// A duration in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Millis(pub u64);

/// A size in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Bytes(pub u64);

/// Most that something can change, and within which time.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    pub change: Decimal,
    pub per_ms: u64,
}

/// A distance, in the unit or as a part of the range.
#[derive(Clone, Copy, Debug)]
pub enum Deadband {
    Absolute(Decimal),
    /// Hundredths.
    OfRange(Decimal),
}

/// An IANA time zone.
#[derive(Clone, Debug)]
pub struct Zone(pub jiff::tz::TimeZone);

/// A civil day.
#[derive(Clone, Copy, Debug)]
pub struct Day(pub jiff::civil::Date);

/// An address to listen at.
#[derive(Clone, Copy, Debug)]
pub struct Listen(pub SocketAddr);

/// A host with or without a port.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub host: String,
    pub port: Option<u16>,
}

/// A broker: `mqtts://host`, `mqtt://host` or the bare host, each perhaps with a port.
#[derive(Clone, Debug)]
pub struct BrokerAddress {
    pub tls: bool,
    pub host: String,
    pub port: Option<u16>,
}

/// A topic of plantroom's own, below `plantroom/`.
#[derive(Clone, Debug)]
pub struct OwnTopic(pub String);

/// An `http` or `https` address without a login in it.
#[derive(Clone, Debug)]
pub struct HttpUrl(pub url::Url);

/// `maker/model`, a file below `devices/`.
#[derive(Clone, Debug)]
pub struct ProfileName(pub String);

/// A quantity's earlier name, or a point's whole earlier address.
#[derive(Clone, Debug)]
pub enum Former {
    Quantity(Name),
    Point(Address),
}

/// Half hours of a day, `from` up to and without `to`; over midnight if `to <= from`.
#[derive(Clone, Copy, Debug)]
pub struct Hours {
    pub from: usize,
    pub to: usize,
}

/// A topic whose levels are words with `{captures}` in them.
#[derive(Clone, Debug)]
pub struct Pattern(pub TopicPattern);

/// Where in a message or its topic something stands: a JSON pointer, a text with `{captures}`, or a
/// column.
#[derive(Clone, Debug)]
pub enum Spot {
    Pointer(String),
    Captures(String),
    Column(Column),
}

/// How a time is written.
#[derive(Clone, Debug)]
pub struct TimeWord(pub TimeFormat);

/// Bytes, two digits each.
#[derive(Clone, Debug)]
pub struct Hex(pub Vec<u8>);

/// An RFC 6901 JSON pointer.
#[derive(Clone, Debug)]
pub struct Pointer(pub String);

/// A Brick class name.
#[derive(Clone, Debug)]
pub struct Class(pub String);

/// A text that is read by one parser wherever it stands.
pub trait Leaf: Sized {
    /// The value, or what is wrong with the text.
    fn parse(text: &str) -> Result<Self, Wrong>;
}

macro_rules! leaves {
    ($($leaf:ty = $format:literal $json:tt;)*) => {
        $(
            impl<'de> Deserialize<'de> for $leaf {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$leaf, D::Error> {
                    let text = String::deserialize(deserializer)?;
                    <$leaf>::parse(&text).map_err(|wrong| de::Error::custom(wrong.message))
                }
            }

            impl JsonSchema for $leaf {
                fn inline_schema() -> bool {
                    true
                }
                fn schema_name() -> Cow<'static, str> {
                    $format.into()
                }
                fn json_schema(_: &mut SchemaGenerator) -> Schema {
                    let mut schema = json_schema!($json);
                    schema.insert("format".into(), $format.into());
                    schema
                }
            }
        )*

        /// What is wrong with a text of a format; none if nothing, or if the format is not ours.
        pub fn check(format: &str, text: &str) -> Option<Wrong> {
            match format {
                $($format => <$leaf>::parse(text).err(),)*
                _ => None,
            }
        }
    };
}

leaves! {
    Name = "name" { "type": "string", "pattern": "^[a-z0-9_-]{1,63}$" };
    Address = "point" { "type": "string", "pattern": "^[a-z0-9_-]{1,63}/[a-z0-9_-]{1,63}$" };
    Former = "former" { "type": "string", "pattern": "^[a-z0-9_-]{1,63}(/[a-z0-9_-]{1,63})?$" };
    Class = "class" { "type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_]{0,62}$" };
    Unit = "unit" { "type": "string", "examples": ["kW.h", "Cel", "kPa{gauge}", "1"] };
    Decimal = "decimal" { "type": ["string", "number"], "examples": [0.1, "0.34", 8] };
    Millis = "duration" { "type": "string", "pattern": "^[0-9.]+(ms|s|m|h|d)$" };
    Rate = "rate" { "type": "string", "pattern": "^[0-9.]+/(s|min|h|d)$", "examples": ["5/min", "0.1/s"] };
    Deadband = "deadband" { "type": ["string", "number"], "examples": [0.5, "1%"] };
    Bytes = "size" { "type": "string", "pattern": "^[0-9.]+ ?(B|KiB|MiB|GiB|TiB)$", "examples": ["64KiB", "512MiB", "20GiB"] };
    Zone = "time-zone" { "type": "string", "examples": ["Asia/Shanghai"] };
    Day = "date" { "type": "string" };
    Listen = "socket-address" { "type": "string", "examples": ["127.0.0.1:8420"] };
    BrokerAddress = "broker" { "type": "string", "examples": ["mqtts://broker.example:8883", "192.168.1.20:1883"] };
    OwnTopic = "own-topic" { "type": "string", "pattern": "^plantroom/", "examples": ["plantroom/main/state"] };
    Link = "link" { "type": "string", "examples": ["tcp://192.168.1.20:502", "rtu:///dev/ttyUSB0?baud=9600&parity=even"] };
    Encoding = "encoding" { "type": "string", "examples": ["u16", "f32", "bcd32", "text:16"] };
    Order = "byte-order" { "type": "string", "examples": ["abcd", "cdab"] };
    HttpUrl = "http-url" { "type": "string", "pattern": "^https?://" };
    ProfileName = "profile" { "type": "string", "pattern": "^[a-z0-9_-]+(/[a-z0-9_-]+)*$" };
    Hours = "hours" { "type": "string", "pattern": "^[0-2][0-9]:[03]0-[0-2][0-9]:[03]0$" };
    Pattern = "topic" { "type": "string", "examples": ["plant/{asset}/telemetry", "site/sensor-{asset}/{rest...}"] };
    Spot = "place" { "type": ["string", "number"], "examples": ["/time", "{area}-{room}", 3, "time"] };
    Column = "column" { "type": ["string", "number"], "examples": [1, "temperature"] };
    TimeWord = "time-format" { "type": "string", "examples": ["unix-s", "unix-ms", "rfc3339", "%Y-%m-%d %H:%M:%S"] };
    Hex = "hex" { "type": "string", "pattern": "^([0-9A-Fa-f]{2})+$", "examples": ["0367"] };
    Pointer = "pointer" { "type": "string", "pattern": "^(/.*)?$" };
    Secret = "password" { "type": "string", "writeOnly": true, "examples": ["${PASSWORD}", "file:secrets/password"] };
}

impl Leaf for Name {
    fn parse(text: &str) -> Result<Name, Wrong> {
        match text.parse() {
            Ok(name) => Ok(name),
            Err(_) => wrong(Code::BadName, "is not a name", "1 to 63 of a-z, 0-9, '_' and '-'"),
        }
    }
}

impl Leaf for Address {
    fn parse(text: &str) -> Result<Address, Wrong> {
        let help = "asset/quantity, each 1 to 63 of a-z, 0-9, '_' and '-': \"chiller-1/power\"";
        text.parse().or_else(|_| wrong(Code::BadName, "is not the address of a point", help))
    }
}

impl Leaf for Former {
    fn parse(text: &str) -> Result<Former, Wrong> {
        if text.contains('/') {
            Address::parse(text).map(Former::Point)
        } else {
            Name::parse(text).map(Former::Quantity)
        }
    }
}

impl Leaf for Class {
    fn parse(text: &str) -> Result<Class, Wrong> {
        let fits = text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.len() <= Name::LEN_MAX
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if fits {
            return Ok(Class(text.to_owned()));
        }
        wrong(
            Code::BadName,
            "is not a class",
            "a Brick class name: letters, digits and '_', as in \"Air_Handling_Unit\"",
        )
    }
}

impl Leaf for Unit {
    fn parse(text: &str) -> Result<Unit, Wrong> {
        match text.parse() {
            Ok(unit) => Ok(unit),
            Err(UnitError::NoReference(code)) => wrong(
                Code::UnknownUnit,
                "is a pressure and does not say against what",
                format!("write \"{code}{{gauge}}\", \"{code}{{absolute}}\" or \"{code}{{difference}}\""),
            ),
            Err(UnitError::NeedlessReference(code)) => {
                wrong(Code::UnknownUnit, "is no pressure and takes no {...}", format!("write \"{code}\""))
            }
            Err(UnitError::Unknown(_)) => {
                wrong(Code::UnknownUnit, "is not a unit plantroom knows", unit_help(text))
            }
        }
    }
}

fn unit_help(text: &str) -> String {
    let code = text.split('{').next().unwrap_or_default();
    // What people write for it, beside the code itself.
    let by_symbol = |symbol: &str| {
        Unit::codes().find(|code| {
            let spelled = code.parse().or_else(|_| format!("{code}{{gauge}}").parse());
            spelled.is_ok_and(|unit: Unit| unit.symbol().eq_ignore_ascii_case(symbol))
        })
    };
    let word = match code {
        "°C" | "degC" | "C" => Some("Cel"),
        _ => by_symbol(code).or_else(|| closest(code, Unit::codes())),
    };
    match word {
        Some(word) if format!("{word}{{gauge}}").parse::<Unit>().is_ok() => {
            format!("did you mean \"{word}{{gauge}}\", \"{word}{{absolute}}\" or \"{word}{{difference}}\"?")
        }
        Some(word) => format!("did you mean \"{word}\"?"),
        None => {
            "units are UCUM codes: \"kW.h\", \"Cel\", \"kPa{gauge}\", \"m3/h\"; \"1\" for none".to_owned()
        }
    }
}

impl Leaf for Decimal {
    fn parse(text: &str) -> Result<Decimal, Wrong> {
        match text.parse() {
            Ok(decimal) => Ok(decimal),
            Err(DecimalError::Syntax) => wrong(Code::BadDecimal, "is not a number", "write 0.1 or \"0.1\""),
            Err(DecimalError::Range) => wrong(
                Code::BadDecimal,
                "has more digits than can be kept exactly",
                "18 digits, 10^-18 to 10^18",
            ),
        }
    }
}

impl Leaf for Link {
    fn parse(text: &str) -> Result<Link, Wrong> {
        let help = "\"tcp://host:502\", \"rtu+tcp://host:4001?baud=9600\" or \"rtu:///dev/ttyUSB0?baud=9600&parity=even\"";
        text.parse().or_else(|error: super::LinkError| wrong(Code::WrongValue, error.0, help))
    }
}

impl Leaf for Encoding {
    fn parse(text: &str) -> Result<Encoding, Wrong> {
        text.parse().or_else(|_| {
            let help = match closest(text, Encoding::words()) {
                Some(word) => format!("did you mean \"{word}\"?"),
                None => format!("one of {}", Encoding::words().collect::<Vec<_>>().join(", ")),
            };
            wrong(Code::WrongValue, "is no type", help)
        })
    }
}

impl Leaf for Order {
    fn parse(text: &str) -> Result<Order, Wrong> {
        let help = || format!("one of {}", Order::words().collect::<Vec<_>>().join(", "));
        text.parse().or_else(|_| wrong(Code::WrongValue, "is no byte order", help()))
    }
}

impl Leaf for Millis {
    fn parse(text: &str) -> Result<Millis, Wrong> {
        let help = "write \"500ms\", \"5s\", \"10m\", \"2h\" or \"1d\"";
        let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
        let (number, unit) = text.split_at_checked(split).unwrap_or((text, ""));
        let factor = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return wrong(Code::BadDuration, "is not a duration", help),
        };
        let ms = number.parse::<Decimal>().ok().and_then(|n| n.checked_mul(Decimal::from_int(factor)).ok());
        match ms.and_then(|ms| ms.mantissa_at(0)).and_then(|ms| u64::try_from(ms).ok()) {
            Some(ms) => Ok(Millis(ms)),
            None => wrong(Code::BadDuration, "is not a duration of whole milliseconds", help),
        }
    }
}

impl Leaf for Rate {
    fn parse(text: &str) -> Result<Rate, Wrong> {
        let help = "a change and a time: \"5/min\", \"0.1/s\", \"20/h\"";
        let (number, unit) = text.split_once('/').unwrap_or((text, ""));
        let per_ms = match unit.trim() {
            "s" => 1_000,
            "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return wrong(Code::WrongValue, "is not a rate of change", help),
        };
        match number.trim().parse::<Decimal>() {
            Ok(change) if change > Decimal::ZERO => Ok(Rate { change, per_ms }),
            _ => wrong(Code::WrongValue, "is not a rate of change above zero", help),
        }
    }
}

impl Leaf for Deadband {
    fn parse(text: &str) -> Result<Deadband, Wrong> {
        let help = "a distance in the unit, 0.5, or a part of the range, \"1%\"";
        let (number, part) = text.strip_suffix('%').map_or((text, false), |number| (number.trim_end(), true));
        match number.parse::<Decimal>() {
            Ok(number) if number < Decimal::ZERO => {
                wrong(Code::Deadband, "is negative: a deadband is a distance", help)
            }
            Ok(number) if part => Ok(Deadband::OfRange(number)),
            Ok(number) => Ok(Deadband::Absolute(number)),
            Err(_) => wrong(Code::BadDecimal, "is not a distance", help),
        }
    }
}

impl Leaf for Bytes {
    fn parse(text: &str) -> Result<Bytes, Wrong> {
        let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
        let (number, unit) = text.split_at_checked(split).unwrap_or((text, ""));
        let factor = match unit {
            "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            "TiB" => 1 << 40,
            _ => return wrong(Code::BadSize, "is not a size", SIZE_HELP),
        };
        let number = number.strip_suffix(' ').unwrap_or(number).parse::<Decimal>().ok();
        let bytes = number.and_then(|n| n.checked_mul(Decimal::from_int(factor)).ok());
        match bytes.and_then(|bytes| bytes.mantissa_at(0)).and_then(|bytes| u64::try_from(bytes).ok()) {
            Some(bytes) => Ok(Bytes(bytes)),
            None => wrong(Code::BadSize, "is not a size in whole bytes", SIZE_HELP),
        }
    }
}

const SIZE_HELP: &str = "write \"64KiB\", \"512MiB\", \"20GiB\" or \"1TiB\"";

impl Leaf for Zone {
    fn parse(text: &str) -> Result<Zone, Wrong> {
        if let Ok(zone) = jiff::tz::TimeZone::get(text) {
            return Ok(Zone(zone));
        }
        let names: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
        let help = match closest(text, names.iter().map(String::as_str)) {
            Some(name) => format!("did you mean \"{name}\"?"),
            None => "an IANA name: \"Asia/Shanghai\"".to_owned(),
        };
        wrong(Code::UnknownZone, "is not a time zone", help)
    }
}

impl Leaf for Day {
    fn parse(text: &str) -> Result<Day, Wrong> {
        text.parse().map(Day).or_else(|_| wrong(Code::WrongValue, "is not a day", "write 2026-01-01"))
    }
}

impl Leaf for Listen {
    fn parse(text: &str) -> Result<Listen, Wrong> {
        let help = "an address and a port: \"127.0.0.1:8420\"";
        text.parse().map(Listen).or_else(|_| wrong(Code::WrongValue, "is not an address to listen at", help))
    }
}

impl Leaf for Endpoint {
    fn parse(text: &str) -> Result<Endpoint, Wrong> {
        let help = "a host and a port: \"192.168.1.20:502\", \"gateway-3\", \"[fe80::1]:502\"";
        let bad = || wrong(Code::WrongValue, "is not a host with a port", help);
        let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, rest)) => (host, Some(rest.strip_prefix(':').unwrap_or("?"))),
            None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
        };
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
        if host.is_empty() || !host.chars().all(known) {
            return bad();
        }
        match port.map(str::parse::<u16>) {
            None => Ok(Endpoint { host: host.to_owned(), port: None }),
            Some(Ok(port)) if port > 0 => Ok(Endpoint { host: host.to_owned(), port: Some(port) }),
            Some(_) => bad(),
        }
    }
}

impl Leaf for BrokerAddress {
    fn parse(text: &str) -> Result<BrokerAddress, Wrong> {
        let (tls, rest) = match text.split_once("://") {
            Some(("mqtts", rest)) => (true, rest),
            Some(("mqtt", rest)) => (false, rest),
            None => (false, text),
            Some(_) => {
                return wrong(Code::WrongValue, "begins with neither mqtts:// nor mqtt://", BROKER_HELP);
            }
        };
        if rest.contains('@') {
            let help = "write login = { username = \"...\", password = \"file:PATH\" }";
            return wrong(Code::Secret, "holds a login", help);
        }
        match Endpoint::parse(rest) {
            Ok(Endpoint { host, port }) => Ok(BrokerAddress { tls, host, port }),
            Err(_) => wrong(Code::WrongValue, "is not the address of a broker", BROKER_HELP),
        }
    }
}

const BROKER_HELP: &str =
    "\"mqtts://broker.example\" (port 8883), or without encryption \"192.168.1.20:1883\"";

impl Leaf for OwnTopic {
    fn parse(text: &str) -> Result<OwnTopic, Wrong> {
        let own = text
            .strip_prefix("plantroom/")
            .is_some_and(|rest| rest.split('/').all(|level| !level.is_empty()));
        if own && text.len() <= 1_024 && !text.contains(['+', '#', '{', '}', '\0']) {
            return Ok(OwnTopic(text.to_owned()));
        }
        let help = "a plain topic below plantroom/, where no device listens: \"plantroom/main/state\"";
        wrong(Code::Topic, "is not a topic of plantroom's own", help)
    }
}

impl Leaf for HttpUrl {
    fn parse(text: &str) -> Result<HttpUrl, Wrong> {
        let url = match url::Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => url,
            _ => {
                return wrong(
                    Code::WrongValue,
                    "is not an http address",
                    "\"http://host:8086/write?db=plant\"",
                );
            }
        };
        let named = url.query_pairs().any(|(key, _)| matches!(&*key, "p" | "password" | "token"));
        if named || url.password().is_some() || !url.username().is_empty() {
            return wrong(
                Code::Secret,
                "holds a login",
                "move it to `login` or `token`, as ${VAR} or \"file:PATH\"",
            );
        }
        Ok(HttpUrl(url))
    }
}

impl Leaf for ProfileName {
    fn parse(text: &str) -> Result<ProfileName, Wrong> {
        if text.split('/').all(|part| part.parse::<Name>().is_ok()) {
            return Ok(ProfileName(text.to_owned()));
        }
        let help = "a file below devices/ without its ending: \"acrel/adl400\"";
        wrong(Code::BadName, "is not the name of a profile", help)
    }
}

impl Leaf for Hours {
    fn parse(text: &str) -> Result<Hours, Wrong> {
        let help = "from and to on half hours: \"08:00-11:30\"; \"23:00-07:00\" runs over midnight";
        let half_hour = |text: &str| {
            let (hour, minute) = text.split_once(':')?;
            let digits = hour.len() == 2 && hour.bytes().all(|b| b.is_ascii_digit());
            let hour: usize = hour.parse().ok().filter(|_| digits)?;
            let half = match minute {
                "00" => 0,
                "30" => 1,
                _ => return None,
            };
            Some(hour * 2 + half).filter(|index| *index <= 48)
        };
        let ends = text.split_once('-').and_then(|(from, to)| Some((half_hour(from)?, half_hour(to)?)));
        match ends {
            Some((from, to)) if from < 48 => Ok(Hours { from, to }),
            _ => wrong(Code::WrongValue, "is not a stretch of half hours", help),
        }
    }
}

impl Hours {
    /// The half hours, 0 to 47. `00:00-00:00` is the whole day.
    pub fn half_hours(self) -> impl Iterator<Item = usize> {
        let length = if self.to > self.from { self.to - self.from } else { self.to + 48 - self.from };
        (0..length).map(move |step| (self.from + step) % 48)
    }
}

impl Leaf for Pattern {
    fn parse(text: &str) -> Result<Pattern, Wrong> {
        let help =
            "levels are words or {captures}: \"plant/{asset}/telemetry\", \"sensor-{asset}/{rest...}\"";
        text.parse().map(Pattern).or_else(|error: PatternError| wrong(Code::Topic, error.to_string(), help))
    }
}

impl Leaf for Spot {
    fn parse(text: &str) -> Result<Spot, Wrong> {
        if text.is_empty() || text.starts_with('/') {
            return Pointer::parse(text).map(|pointer| Spot::Pointer(pointer.0));
        }
        if text.contains(['{', '}']) {
            // A slash inside would be another level; one level is what a capture names.
            return match text.parse::<TopicPattern>() {
                Ok(parsed)
                    if !text.contains('/') && !text.contains("...}") && parsed.captures().count() > 0 =>
                {
                    Ok(Spot::Captures(text.to_owned()))
                }
                _ => {
                    wrong(Code::Topic, "is no text with captures", "captures of the topic: \"{area}-{room}\"")
                }
            };
        }
        Column::parse(text).map(Spot::Column)
    }
}

impl Leaf for Column {
    fn parse(text: &str) -> Result<Column, Wrong> {
        match text.parse::<usize>() {
            Ok(0) => wrong(Code::WrongValue, "is no column", "columns are numbered from 1"),
            Ok(number) => Ok(Column::Number(number - 1)),
            Err(_) if text.is_empty() => wrong(Code::WrongValue, "is no column", "its number, or its name"),
            Err(_) => Ok(Column::Named(text.to_owned())),
        }
    }
}

impl Leaf for TimeWord {
    fn parse(text: &str) -> Result<TimeWord, Wrong> {
        let help = "\"unix-s\", \"unix-ms\", \"unix-us\", \"unix-ns\", \"rfc3339\", or as strptime has it: \"%Y-%m-%d %H:%M:%S\"";
        Ok(TimeWord(match text {
            "unix-s" => TimeFormat::Seconds,
            "unix-ms" => TimeFormat::Millis,
            "unix-us" => TimeFormat::Micros,
            "unix-ns" => TimeFormat::Nanos,
            "rfc3339" => TimeFormat::Rfc3339,
            // What cannot even be written cannot be read.
            _ if text.contains('%') && jiff::fmt::strtime::format(text, &jiff::Zoned::default()).is_ok() => {
                TimeFormat::Strptime(text.to_owned())
            }
            _ => return wrong(Code::WrongValue, "is not a way to write a time", help),
        }))
    }
}

impl Leaf for Hex {
    fn parse(text: &str) -> Result<Hex, Wrong> {
        let pairs = text.as_bytes().chunks(2).map(|pair| {
            let pair =
                std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2 && !pair.starts_with('+'))?;
            u8::from_str_radix(pair, 16).ok()
        });
        match pairs.collect::<Option<Vec<u8>>>() {
            Some(bytes) if !bytes.is_empty() => Ok(Hex(bytes)),
            _ => wrong(Code::WrongValue, "is no row of bytes", "two hexadecimal digits each: \"0367\""),
        }
    }
}

impl Leaf for Pointer {
    fn parse(text: &str) -> Result<Pointer, Wrong> {
        let escapes = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
        if (text.is_empty() || text.starts_with('/')) && escapes {
            return Ok(Pointer(text.to_owned()));
        }
        wrong(Code::WrongValue, "is not a JSON pointer", "RFC 6901: \"/temperature\", \"/values/0\"")
    }
}

/// The text is the content already; where it may come from is `expand`'s business.
impl Leaf for Secret {
    fn parse(text: &str) -> Result<Secret, Wrong> {
        Ok(Secret::new(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_whole_milliseconds() {
        for (text, ms) in [
            ("500ms", 500),
            ("5s", 5_000),
            ("1.5s", 1_500),
            ("10m", 600_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
            ("0s", 0),
        ] {
            assert_eq!(Millis::parse(text).unwrap().0, ms, "{text}");
        }
        for text in ["", "5", "s", "5 s", "0.5ms", "-1s", "5sec", "1m30s", "99999999999999999d", "五s"] {
            assert!(Millis::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_rate_is_a_change_and_a_time_and_a_deadband_a_distance() {
        for (text, change, per_ms) in
            [("5/min", "5", 60_000), ("0.1/s", "0.1", 1_000), ("20 / h", "20", 3_600_000)]
        {
            let rate = Rate::parse(text).unwrap();
            assert_eq!((rate.change, rate.per_ms), (change.parse().unwrap(), per_ms), "{text}");
        }
        for text in ["", "5", "5/", "/min", "0/s", "-1/s", "5/m", "5/min/s", "nan/s"] {
            assert!(Rate::parse(text).is_err(), "{text}");
        }
        assert!(matches!(Deadband::parse("0.5"), Ok(Deadband::Absolute(_))));
        assert!(matches!(Deadband::parse("1 %"), Ok(Deadband::OfRange(_))));
        for text in ["", "%", "-1", "-1%", "1%%", "x"] {
            assert!(Deadband::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_whole_bytes() {
        for (text, bytes) in [
            ("256B", 256),
            ("64KiB", 1 << 16),
            ("1MiB", 1 << 20),
            ("1.5GiB", 3 << 29),
            ("20 GiB", 20 << 30),
            ("1TiB", 1 << 40),
        ] {
            assert_eq!(Bytes::parse(text).unwrap().0, bytes, "{text}");
        }
        for text in ["", "20", "GiB", "20GB", "20gib", "-1GiB", "0.3MiB", "20  GiB", "99999999999TiB"] {
            assert!(Bytes::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn half_hours_run_over_midnight() {
        let hours = |text| Hours::parse(text).map(|hours| hours.half_hours().collect::<Vec<_>>());
        assert_eq!(hours("08:00-09:30").unwrap(), [16, 17, 18]);
        assert_eq!(hours("23:30-00:30").unwrap(), [47, 0]);
        assert_eq!(hours("23:30-24:00").unwrap(), [47]);
        assert_eq!(hours("00:00-24:00").unwrap().len(), 48);
        assert_eq!(hours("00:00-00:00").unwrap().len(), 48);
        for text in ["8:00-09:00", "08:15-09:00", "24:00-01:00", "08:00", "25:00-26:00", "+8:00-09:00"] {
            assert!(hours(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_endpoint_is_a_host_and_perhaps_a_port() {
        let endpoint = |text| Endpoint::parse(text).map(|e| (e.host, e.port));
        assert_eq!(endpoint("127.0.0.1:502").unwrap(), ("127.0.0.1".into(), Some(502)));
        assert_eq!(endpoint("gateway-3").unwrap(), ("gateway-3".into(), None));
        assert_eq!(endpoint("[fe80::1]:502").unwrap(), ("fe80::1".into(), Some(502)));
        for text in
            ["", ":502", "host:", "host:0", "host:70000", "tcp://host:502", "fe80::1", "[::1]x", "a b"]
        {
            assert!(endpoint(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_broker_is_reached_in_the_open_or_over_tls() {
        let broker = |text| BrokerAddress::parse(text).map(|b| (b.tls, b.host, b.port));
        assert_eq!(broker("mqtts://broker.example").unwrap(), (true, "broker.example".into(), None));
        assert_eq!(broker("mqtts://[fe80::1]:8884").unwrap(), (true, "fe80::1".into(), Some(8884)));
        assert_eq!(broker("mqtt://10.0.0.1:1884").unwrap(), (false, "10.0.0.1".into(), Some(1884)));
        assert_eq!(broker("localhost").unwrap(), (false, "localhost".into(), None));
        for text in
            ["", "mqtts://", "ssl://host", "mqtts://host:0", "mqtt://u:p@host", "u@host", "mqtts://host/path"]
        {
            assert!(broker(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_will_goes_to_a_topic_of_our_own() {
        assert!(OwnTopic::parse("plantroom/main/state").is_ok());
        for text in [
            "",
            "plantroom",
            "plantroom/",
            "plant/x",
            "plantroom/#",
            "plantroom/+/a",
            "plantroom//a",
            "/plantroom/a",
        ] {
            assert!(OwnTopic::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn topics_and_pointers() {
        assert!(Pattern::parse("plant/{asset}/telemetry").is_ok() && Pattern::parse("a//b").is_err());
        for text in ["", "/t", "{a}-{b}", "x{a}", "1", "time"] {
            assert!(Spot::parse(text).is_ok(), "{text}");
        }
        for text in ["/~2", "{a", "{a}/{b}", "{a...}", "{a}{b}", "0"] {
            assert!(Spot::parse(text).is_err(), "{text}");
        }
        for text in ["unix-ms", "rfc3339", "%Y%m%d%H%M%S", "%H:%M:%S %m/%d/%Y UTC"] {
            assert!(TimeWord::parse(text).is_ok(), "{text}");
        }
        for text in ["", "unix", "iso", "%J", "yyyy-MM-dd"] {
            assert!(TimeWord::parse(text).is_err(), "{text}");
        }
        assert_eq!(Hex::parse("03fF").unwrap().0, [3, 255]);
        assert!(["", "3", "0g", "+1", "温"].into_iter().all(|text| Hex::parse(text).is_err()));
        assert!(Pointer::parse("/a~1b/0").is_ok() && Pointer::parse("").is_ok());
        assert!(Pointer::parse("a").is_err() && Pointer::parse("/a~2").is_err());
    }

    #[test]
    fn a_unit_is_suggested_by_what_people_write() {
        let help = |text| Unit::parse(text).unwrap_err().help;
        assert_eq!(help("kwh"), "did you mean \"kW.h\"?");
        assert_eq!(help("℃"), "did you mean \"Cel\"?");
        assert_eq!(help("°C"), "did you mean \"Cel\"?");
        assert_eq!(help("m³/h"), "did you mean \"m3/h\"?");
        assert!(help("mmHg").contains("mm[Hg]{gauge}"), "{}", help("mmHg"));
        assert!(help("kPa").contains("kPa{absolute}"));
        assert!(help("furlong").contains("UCUM"));
    }

    #[test]
    fn a_url_carries_no_login() {
        assert!(HttpUrl::parse("http://h:8086/api/v2/write?org=a&bucket=b").is_ok());
        for text in ["http://u:p@h/write", "http://h/write?db=x&u=a&p=b", "ftp://h/", "h:8086", "http://"] {
            assert!(HttpUrl::parse(text).is_err(), "{text}");
        }
    }
}
