//! Units by their UCUM codes (The Unified Code for Units of Measure, version 2.1).
//!
//! Units arrive from the configuration at run time, so they are a table, not types. A pressure
//! says what it is measured against, because China's vacuum limits are gauge and ISO's absolute:
//! `kPa{gauge}`, `kPa{absolute}`, `Pa{difference}`.

use std::fmt;
use std::str::FromStr;

/// What a pressure is measured against; part of the unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PressureReference {
    /// Against the atmosphere.
    Gauge,
    /// Against vacuum.
    Absolute,
    /// Between two points of the plant.
    Difference,
}

impl PressureReference {
    const ALL: [(PressureReference, &'static str); 3] = [
        (PressureReference::Gauge, "gauge"),
        (PressureReference::Absolute, "absolute"),
        (PressureReference::Difference, "difference"),
    ];

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(reference, _)| *reference == self).map_or("", |(_, word)| word)
    }
}

/// A unit of measure plantroom knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Unit {
    code: &'static str,
    reference: Option<PressureReference>,
}

/// Why a text is not a unit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// Not in the table.
    #[error("no unit has the code {0:?}")]
    Unknown(String),
    /// A pressure without its reference.
    #[error(
        "a pressure says what it is measured against: {0}{{gauge}}, {0}{{absolute}} or {0}{{difference}}"
    )]
    NoReference(String),
    /// A reference on what is no pressure.
    #[error("{0} is no pressure and takes no {{...}}")]
    NeedlessReference(String),
}

struct Row {
    code: &'static str,
    /// How it is written for a person, in both languages.
    symbol: &'static str,
    pressure: bool,
}

const fn row(code: &'static str, symbol: &'static str) -> Row {
    Row { code, symbol, pressure: false }
}

const fn pressure(code: &'static str, symbol: &'static str) -> Row {
    Row { code, symbol, pressure: true }
}

const TABLE: &[Row] = &[
    row("1", ""),
    row("%", "%"),
    row("[ppm]", "ppm"),
    row("[ppb]", "ppb"),
    row("[pH]", "pH"),
    row("s", "s"),
    row("min", "min"),
    row("h", "h"),
    row("d", "d"),
    row("ms", "ms"),
    row("Hz", "Hz"),
    row("/min", "/min"),
    row("V", "V"),
    row("kV", "kV"),
    row("mV", "mV"),
    row("A", "A"),
    row("mA", "mA"),
    row("W", "W"),
    row("kW", "kW"),
    row("MW", "MW"),
    row("V.A", "VA"),
    row("kV.A", "kVA"),
    row("var", "var"),
    row("kvar", "kvar"),
    row("W.h", "Wh"),
    row("kW.h", "kWh"),
    row("MW.h", "MWh"),
    row("kvar.h", "kvarh"),
    row("J", "J"),
    row("MJ", "MJ"),
    row("GJ", "GJ"),
    row("Ohm", "Ω"),
    row("kOhm", "kΩ"),
    row("MOhm", "MΩ"),
    row("Cel", "℃"),
    row("K", "K"),
    pressure("Pa", "Pa"),
    pressure("kPa", "kPa"),
    pressure("MPa", "MPa"),
    pressure("bar", "bar"),
    pressure("mm[Hg]", "mmHg"),
    row("l", "L"),
    row("m3", "m³"),
    row("m3/h", "m³/h"),
    row("l/min", "L/min"),
    row("l/s", "L/s"),
    row("kg", "kg"),
    row("t", "t"),
    row("t/h", "t/h"),
    row("m", "m"),
    row("mm", "mm"),
    row("m/s", "m/s"),
    row("mm/s", "mm/s"),
    row("deg", "°"),
    row("lx", "lx"),
    row("dB", "dB"),
    row("mg/l", "mg/L"),
    row("mg/m3", "mg/m³"),
    row("ug/m3", "µg/m³"),
    row("kJ/kg", "kJ/kg"),
    row("g/kg", "g/kg"),
    row("uS/cm", "µS/cm"),
    row("[NTU]", "NTU"),
];

impl Unit {
    /// The number without a unit.
    pub const ONE: Unit = Unit { code: "1", reference: None };

    /// Every code of the table, for "did you mean" and for the schema.
    pub fn codes() -> impl Iterator<Item = &'static str> {
        TABLE.iter().map(|row| row.code)
    }

    /// The UCUM code without the pressure reference.
    pub fn code(self) -> &'static str {
        self.code
    }

    /// What a pressure is measured against; none for other units.
    pub fn reference(self) -> Option<PressureReference> {
        self.reference
    }

    /// How it is written beside a number on a page.
    pub fn symbol(self) -> &'static str {
        TABLE.iter().find(|row| row.code == self.code).map_or(self.code, |row| row.symbol)
    }
}

impl FromStr for Unit {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Unit, UnitError> {
        let unknown = || UnitError::Unknown(text.to_owned());
        let (code, annotation) = match text.strip_suffix('}').and_then(|rest| rest.split_once('{')) {
            Some((code, annotation)) => (code, Some(annotation)),
            None => (text, None),
        };
        let row = TABLE.iter().find(|row| row.code == code).ok_or_else(unknown)?;
        let reference = match (row.pressure, annotation) {
            (false, None) => None,
            (false, Some(_)) => return Err(UnitError::NeedlessReference(code.to_owned())),
            (true, None) => return Err(UnitError::NoReference(code.to_owned())),
            (true, Some(word)) => {
                let known = PressureReference::ALL.iter().find(|(_, name)| *name == word);
                Some(known.ok_or_else(unknown)?.0)
            }
        };
        Ok(Unit { code: row.code, reference })
    }
}

/// The spelling of the configuration: `kPa{gauge}`.
impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code)?;
        match self.reference {
            Some(reference) => write!(f, "{{{}}}", reference.word()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_table_reads_back() {
        for row in TABLE {
            let text = if row.pressure { format!("{}{{gauge}}", row.code) } else { row.code.to_owned() };
            assert_eq!(text.parse::<Unit>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_pressure_without_reference_is_refused() {
        assert_eq!("kPa".parse::<Unit>(), Err(UnitError::NoReference("kPa".into())));
        assert_eq!("kW{gauge}".parse::<Unit>(), Err(UnitError::NeedlessReference("kW".into())));
        assert_eq!("kPa{abs}".parse::<Unit>(), Err(UnitError::Unknown("kPa{abs}".into())));
        assert_eq!("kwh".parse::<Unit>(), Err(UnitError::Unknown("kwh".into())));
    }
}
