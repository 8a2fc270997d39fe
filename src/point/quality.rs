//! How far a reading may be trusted, in the words of OPC UA (Part 8, status codes of data access).

use std::fmt;
use std::str::FromStr;

/// Good, or why not. Goes with every reading from the wire to the browser.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Quality {
    /// The source gave it, in range and in time.
    #[default]
    Good,
    /// There is a value, but something about it is in doubt.
    Uncertain(Reason),
    /// There is no usable value; the reading carries none.
    Bad(Reason),
}

/// The three classes a page or a rule distinguishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// See [`Quality::Good`].
    Good,
    /// See [`Quality::Uncertain`].
    Uncertain,
    /// See [`Quality::Bad`].
    Bad,
}

/// Why a reading is not Good. The comment names the OPC UA status code it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Reason {
    /// The device did not answer in time (`BadTimeout`).
    Timeout = 1,
    /// No connection to the device or broker (`BadNoCommunication`).
    NoCommunication = 2,
    /// The device answered that it cannot (`BadDeviceFailure`): a Modbus exception.
    DeviceFailure = 3,
    /// The value is the device's own word for "sensor broken" (`BadSensorFailure`): sentinel, NaN.
    SensorFailure = 4,
    /// The bytes are not what the configuration says they are (`BadDecodingError`).
    Decoding = 5,
    /// The configuration cannot be applied to this value (`BadConfigurationError`).
    Configuration = 6,
    /// Waiting for the first value (`BadWaitingForInitialData`).
    Initial = 7,
    /// No new value for longer than the point allows (`UncertainLastUsableValue`).
    Stale = 8,
    /// Outside the physical range of the instrument (`UncertainEngineeringUnitsExceeded`).
    OutOfRange = 9,
    /// The value does not move although it should (`UncertainSensorNotAccurate`).
    Frozen = 10,
    /// The time of the reading is in doubt (`UncertainDataSubNormal`, clock).
    Clock = 11,
    /// Entered or replaced by a person (`UncertainSubstituteValue`).
    Substituted = 12,
    /// It changed faster than what it measures can (`UncertainSensorNotAccurate`).
    Rate = 13,
    /// It jumped by the ratio of two units: the device seems to be set to another one
    /// (`UncertainEngineeringUnitsExceeded`).
    UnitJump = 14,
    /// The source itself doubts its value (`UncertainSubNormal`).
    Source = 15,
}

impl Reason {
    const ALL: [Reason; 15] = [
        Reason::Timeout,
        Reason::NoCommunication,
        Reason::DeviceFailure,
        Reason::SensorFailure,
        Reason::Decoding,
        Reason::Configuration,
        Reason::Initial,
        Reason::Stale,
        Reason::OutOfRange,
        Reason::Frozen,
        Reason::Clock,
        Reason::Substituted,
        Reason::Rate,
        Reason::UnitJump,
        Reason::Source,
    ];

    /// The stable word used in exports, metrics and the API.
    pub fn word(self) -> &'static str {
        match self {
            Reason::Timeout => "timeout",
            Reason::NoCommunication => "no_communication",
            Reason::DeviceFailure => "device_failure",
            Reason::SensorFailure => "sensor_failure",
            Reason::Decoding => "decoding",
            Reason::Configuration => "configuration",
            Reason::Initial => "initial",
            Reason::Stale => "stale",
            Reason::OutOfRange => "out_of_range",
            Reason::Frozen => "frozen",
            Reason::Clock => "clock",
            Reason::Substituted => "substituted",
            Reason::Rate => "rate",
            Reason::UnitJump => "unit_jump",
            Reason::Source => "source",
        }
    }
}

impl Quality {
    /// Good, Uncertain or Bad.
    pub fn severity(self) -> Severity {
        match self {
            Quality::Good => Severity::Good,
            Quality::Uncertain(_) => Severity::Uncertain,
            Quality::Bad(_) => Severity::Bad,
        }
    }

    /// Why it is not Good.
    pub fn reason(self) -> Option<Reason> {
        match self {
            Quality::Good => None,
            Quality::Uncertain(reason) | Quality::Bad(reason) => Some(reason),
        }
    }

    /// The worse of two, the first winning a tie.
    #[must_use]
    pub fn worse(self, other: Quality) -> Quality {
        if other.severity() > self.severity() { other } else { self }
    }

    /// One byte for the disk: severity in the top two bits, reason below. Good is 0.
    pub fn to_byte(self) -> u8 {
        match self {
            Quality::Good => 0,
            Quality::Uncertain(reason) => 0x40 | reason as u8,
            Quality::Bad(reason) => 0x80 | reason as u8,
        }
    }

    /// The inverse of [`Quality::to_byte`]; none for a byte it never writes.
    pub fn from_byte(byte: u8) -> Option<Quality> {
        if byte == 0 {
            return Some(Quality::Good);
        }
        let reason = Reason::ALL.into_iter().find(|reason| *reason as u8 == byte & 0x3f)?;
        match byte & 0xc0 {
            0x40 => Some(Quality::Uncertain(reason)),
            0x80 => Some(Quality::Bad(reason)),
            _ => None,
        }
    }
}

/// `good`, `uncertain:stale`, `bad:timeout`: the spelling of exports and logs.
impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Quality::Good => f.write_str("good"),
            Quality::Uncertain(reason) => write!(f, "uncertain:{}", reason.word()),
            Quality::Bad(reason) => write!(f, "bad:{}", reason.word()),
        }
    }
}

/// The inverse of the spelling.
impl FromStr for Quality {
    type Err = UnknownQuality;

    fn from_str(text: &str) -> Result<Quality, UnknownQuality> {
        let reason = |word: &str| Reason::ALL.into_iter().find(|reason| reason.word() == word);
        let quality = match text.split_once(':') {
            None => (text == "good").then_some(Quality::Good),
            Some(("uncertain", word)) => reason(word).map(Quality::Uncertain),
            Some(("bad", word)) => reason(word).map(Quality::Bad),
            Some(_) => None,
        };
        quality.ok_or(UnknownQuality)
    }
}

/// A text that spells no quality.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no quality: good, uncertain:REASON or bad:REASON, as in bad:timeout")]
pub struct UnknownQuality;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_either_refused_or_round_trips() {
        let known = (0..=u8::MAX).filter_map(|byte| Quality::from_byte(byte).map(|q| (byte, q)));
        let mut count = 0;
        for (byte, quality) in known {
            assert_eq!(quality.to_byte(), byte);
            assert_eq!(quality.to_string().parse(), Ok(quality));
            count += 1;
        }
        assert_eq!(count, 1 + 2 * Reason::ALL.len());
    }

    #[test]
    fn worse_prefers_the_first_of_equals() {
        let stale = Quality::Uncertain(Reason::Stale);
        assert_eq!(stale.worse(Quality::Uncertain(Reason::Clock)), stale);
        assert_eq!(Quality::Good.worse(stale), stale);
        assert_eq!(stale.worse(Quality::Good), stale);
    }
}
