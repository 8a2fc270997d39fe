//! Units by their UCUM codes (The Unified Code for Units of Measure, version 2.1).
//!
//! Units arrive from the configuration at run time, so they are a table, not types. A pressure
//! says what it is measured against, because China's vacuum limits are gauge and ISO's absolute:
//! `kPa{gauge}`, `kPa{absolute}`, `Pa{difference}`.

use super::conversion::{Conversion, NoConversion};
use super::dimension::{Dimension, Ratio};
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

/// What sets units of one dimension apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// A point of a scale whose zero is a convention: a temperature, a pressure.
    On(Zero),
    /// A distance on such a scale: K, Pa{difference}.
    Between,
    /// Apparent power or energy: no sum with active power.
    Apparent,
    /// Reactive power or energy.
    Reactive,
    /// Any other unit.
    Plain,
}

/// What a scale counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zero {
    /// The ice point.
    Celsius,
    /// 32 degrees below it.
    Fahrenheit,
    /// The pressure of the air.
    Atmosphere,
    /// No pressure at all.
    Vacuum,
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
    dimension: Dimension,
    /// One of it in coherent SI units, as a fraction.
    size: (i64, i64),
    /// Its zero in coherent SI units, as a fraction; 0 but for temperatures.
    zero: (i64, i64),
    pressure: bool,
}

const fn row(code: &'static str, symbol: &'static str, dimension: Dimension, over: i64, under: i64) -> Row {
    Row { code, symbol, dimension, size: (over, under), zero: (0, 1), pressure: false }
}

const fn pressure(code: &'static str, symbol: &'static str, over: i64, under: i64) -> Row {
    Row { pressure: true, ..row(code, symbol, PRESSURE, over, under) }
}

/// A temperature whose zero is not that of the kelvin.
const fn scale(code: &'static str, symbol: &'static str, over: i64, under: i64, zero: (i64, i64)) -> Row {
    Row { zero, ..row(code, symbol, TEMPERATURE, over, under) }
}

const NONE: Dimension = Dimension::NONE;
const TIME: Dimension = Dimension::TIME;
const FREQUENCY: Dimension = Dimension::of(0, 0, -1, 0, 0);
const VOLTAGE: Dimension = Dimension::of(2, 1, -3, -1, 0);
const CURRENT: Dimension = Dimension::of(0, 0, 0, 1, 0);
const POWER: Dimension = Dimension::of(2, 1, -3, 0, 0);
const ENERGY: Dimension = Dimension::of(2, 1, -2, 0, 0);
const RESISTANCE: Dimension = Dimension::of(2, 1, -3, -2, 0);
const TEMPERATURE: Dimension = Dimension::of(0, 0, 0, 0, 1);
const PRESSURE: Dimension = Dimension::of(-1, 1, -2, 0, 0);
const VOLUME: Dimension = Dimension::of(3, 0, 0, 0, 0);
const FLOW: Dimension = Dimension::of(3, 0, -1, 0, 0);
const MASS: Dimension = Dimension::of(0, 1, 0, 0, 0);
const MASS_FLOW: Dimension = Dimension::of(0, 1, -1, 0, 0);
const LENGTH: Dimension = Dimension::of(1, 0, 0, 0, 0);
const SPEED: Dimension = Dimension::of(1, 0, -1, 0, 0);
const DENSITY: Dimension = Dimension::of(-3, 1, 0, 0, 0);
const SPECIFIC_ENERGY: Dimension = Dimension::of(2, 0, -2, 0, 0);
const CONDUCTIVITY: Dimension = Dimension::of(-3, -1, 3, 2, 0);
const HEAT_CAPACITY: Dimension = Dimension::of(2, 0, -2, 0, -1);

/// Sizes after UCUM 2.1, as exact fractions, so that 0.34 MPa and 340 kPa are equal and not nearly equal.
const TABLE: &[Row] = &[
    row("1", "", NONE, 1, 1),
    row("%", "%", NONE, 1, 100),
    row("[ppm]", "ppm", NONE, 1, 1_000_000),
    row("[ppb]", "ppb", NONE, 1, 1_000_000_000),
    row("[pH]", "pH", Dimension::own(0, 0, 0, 1, 0), 1, 1),
    row("s", "s", TIME, 1, 1),
    row("min", "min", TIME, 60, 1),
    row("h", "h", TIME, 3_600, 1),
    row("d", "d", TIME, 86_400, 1),
    row("ms", "ms", TIME, 1, 1_000),
    row("Hz", "Hz", FREQUENCY, 1, 1),
    row("/min", "/min", FREQUENCY, 1, 60),
    row("V", "V", VOLTAGE, 1, 1),
    row("kV", "kV", VOLTAGE, 1_000, 1),
    row("mV", "mV", VOLTAGE, 1, 1_000),
    row("A", "A", CURRENT, 1, 1),
    row("mA", "mA", CURRENT, 1, 1_000),
    row("W", "W", POWER, 1, 1),
    row("kW", "kW", POWER, 1_000, 1),
    row("MW", "MW", POWER, 1_000_000, 1),
    // UCUM: 550 [ft_i].[lbf_av]/s.
    row("[HP]", "hp", POWER, 37_284_993_579_113_511, 50_000_000_000_000),
    // The kilocalorie of the International Table, 4.1868 kJ: what plants call 大卡. UCUM's plain `cal` is the
    // thermochemical one.
    row("kcal_IT/h", "kcal/h", POWER, 1_163, 1_000),
    row("kcal_th/h", "kcal(th)/h", POWER, 523, 450),
    row("[Btu_IT]/h", "Btu/h", POWER, 52_752_792_631, 180_000_000_000),
    // The ton of refrigeration, for which UCUM has no code of its own.
    row("12000.[Btu_IT]/h", "RT", POWER, 52_752_792_631, 15_000_000),
    row("V.A", "VA", POWER, 1, 1),
    row("kV.A", "kVA", POWER, 1_000, 1),
    row("MV.A", "MVA", POWER, 1_000_000, 1),
    row("var", "var", POWER, 1, 1),
    row("kvar", "kvar", POWER, 1_000, 1),
    row("Mvar", "Mvar", POWER, 1_000_000, 1),
    row("W.h", "Wh", ENERGY, 3_600, 1),
    row("kW.h", "kWh", ENERGY, 3_600_000, 1),
    row("MW.h", "MWh", ENERGY, 3_600_000_000, 1),
    row("kvar.h", "kvarh", ENERGY, 3_600_000, 1),
    row("kV.A.h", "kVAh", ENERGY, 3_600_000, 1),
    row("J", "J", ENERGY, 1, 1),
    row("kJ", "kJ", ENERGY, 1_000, 1),
    row("MJ", "MJ", ENERGY, 1_000_000, 1),
    row("GJ", "GJ", ENERGY, 1_000_000_000, 1),
    row("Ohm", "Ω", RESISTANCE, 1, 1),
    row("kOhm", "kΩ", RESISTANCE, 1_000, 1),
    row("MOhm", "MΩ", RESISTANCE, 1_000_000, 1),
    scale("Cel", "℃", 1, 1, (27_315, 100)),
    row("K", "K", TEMPERATURE, 1, 1),
    scale("[degF]", "℉", 5, 9, (229_835, 900)),
    row("[degR]", "°R", TEMPERATURE, 5, 9),
    pressure("Pa", "Pa", 1, 1),
    pressure("kPa", "kPa", 1_000, 1),
    pressure("MPa", "MPa", 1_000_000, 1),
    pressure("bar", "bar", 100_000, 1),
    // UCUM: m[Hg] is 133.322 kPa.
    pressure("mm[Hg]", "mmHg", 133_322, 1_000),
    pressure("mbar", "mbar", 100, 1),
    pressure("mm[H2O]", "mmH₂O", 980_665, 100_000),
    pressure("m[H2O]", "mH₂O", 980_665, 100),
    pressure("[in_i'H2O]", "inH₂O", 24_908_891, 100_000),
    pressure("kgf/cm2", "kgf/cm²", 980_665, 10),
    // UCUM: [lbf_av]/[sin_i], with [lb_av] = 7000 x 64.79891 mg and [in_i] = 2.54 cm.
    pressure("[psi]", "psi", 8_896_443_230_521, 1_290_320_000),
    row("l", "L", VOLUME, 1, 1_000),
    row("ml", "mL", VOLUME, 1, 1_000_000),
    row("kl", "kL", VOLUME, 1, 1),
    row("m3", "m³", VOLUME, 1, 1),
    row("m3/h", "m³/h", FLOW, 1, 3_600),
    row("l/min", "L/min", FLOW, 1, 60_000),
    row("l/s", "L/s", FLOW, 1, 1_000),
    row("m3/s", "m³/s", FLOW, 1, 1),
    row("m3/min", "m³/min", FLOW, 1, 60),
    row("l/h", "L/h", FLOW, 1, 3_600_000),
    // UCUM: [gal_us] is 231 [in_i]3, [cft_i] 1728.
    row("[gal_us]/min", "gpm", FLOW, 157_725_491, 2_500_000_000_000),
    row("[cft_i]/min", "cfm", FLOW, 18_435_447, 39_062_500_000),
    row("kg", "kg", MASS, 1, 1),
    row("t", "t", MASS, 1_000, 1),
    row("g", "g", MASS, 1, 1_000),
    row("t/h", "t/h", MASS_FLOW, 1_000, 3_600),
    row("kg/h", "kg/h", MASS_FLOW, 1, 3_600),
    row("kg/s", "kg/s", MASS_FLOW, 1, 1),
    row("m", "m", LENGTH, 1, 1),
    row("mm", "mm", LENGTH, 1, 1_000),
    row("cm", "cm", LENGTH, 1, 100),
    row("m/s", "m/s", SPEED, 1, 1),
    row("mm/s", "mm/s", SPEED, 1, 1_000),
    row("deg", "°", Dimension::own(0, 1, 0, 0, 0), 1, 1),
    row("lx", "lx", Dimension::own(1, 0, 0, 0, 0), 1, 1),
    row("dB", "dB", Dimension::own(0, 0, 1, 0, 0), 1, 1),
    row("mg/l", "mg/L", DENSITY, 1, 1_000),
    row("g/m3", "g/m³", DENSITY, 1, 1_000),
    row("mg/m3", "mg/m³", DENSITY, 1, 1_000_000),
    row("ug/m3", "µg/m³", DENSITY, 1, 1_000_000_000),
    row("kJ/kg", "kJ/kg", SPECIFIC_ENERGY, 1_000, 1),
    row("kJ/(kg.K)", "kJ/(kg·K)", HEAT_CAPACITY, 1_000, 1),
    row("g/kg", "g/kg", NONE, 1, 1_000),
    row("uS/cm", "µS/cm", CONDUCTIVITY, 1, 10_000),
    row("[NTU]", "NTU", Dimension::own(0, 0, 0, 0, 1), 1, 1),
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
        self.row().map_or(self.code, |row| row.symbol)
    }

    /// What it measures.
    pub fn dimension(self) -> Dimension {
        self.row().map_or(Dimension::NONE, |row| row.dimension)
    }

    /// One of it in coherent SI units.
    pub fn size(self) -> Ratio {
        self.row().map_or(Ratio::ONE, |row| ratio(row.size))
    }

    /// What sets it apart from other units of its dimension.
    pub fn sort(self) -> Sort {
        match (self.reference, self.code) {
            (Some(PressureReference::Gauge), _) => Sort::On(Zero::Atmosphere),
            (Some(PressureReference::Absolute), _) => Sort::On(Zero::Vacuum),
            (None, "Cel") => Sort::On(Zero::Celsius),
            (None, "[degF]") => Sort::On(Zero::Fahrenheit),
            (Some(PressureReference::Difference), _) | (None, "K" | "[degR]") => Sort::Between,
            (None, "V.A" | "kV.A" | "MV.A" | "kV.A.h") => Sort::Apparent,
            (None, "var" | "kvar" | "Mvar" | "kvar.h") => Sort::Reactive,
            (None, _) => Sort::Plain,
        }
    }

    /// How a number in `from` becomes one in `to`. Temperatures go from scale to scale, K counting
    /// from absolute zero; a pressure keeps what it is measured against.
    pub fn conversion(from: Unit, to: Unit) -> Result<Conversion, NoConversion> {
        if from.dimension() != to.dimension() {
            return Err(NoConversion::Dimension(from, to));
        }
        if from.reference != to.reference {
            return Err(NoConversion::Reference(from, to));
        }
        let power = |unit: Unit| match unit.sort() {
            sort @ (Sort::Apparent | Sort::Reactive) => sort,
            _ => Sort::Plain,
        };
        if power(from) != power(to) {
            return Err(NoConversion::Power(from, to));
        }
        let scale = |unit: Unit| {
            unit.row().map_or((Ratio::ONE, Ratio::ZERO), |row| (ratio(row.size), ratio(row.zero)))
        };
        Conversion::between(scale(from), scale(to)).ok_or(NoConversion::Dimension(from, to))
    }

    /// Every unit it converts into, itself included.
    pub fn alike(unit: Unit) -> impl Iterator<Item = Unit> {
        let alike = TABLE.iter().filter(move |row| row.dimension == unit.dimension());
        alike.map(move |row| Unit { code: row.code, reference: unit.reference })
    }

    /// The first unit of the table that measures this.
    pub fn of_dimension(dimension: Dimension) -> Option<Unit> {
        let row = TABLE.iter().find(|row| row.dimension == dimension)?;
        Some(Unit { code: row.code, reference: None })
    }

    fn row(self) -> Option<&'static Row> {
        TABLE.iter().find(|row| row.code == self.code)
    }
}

fn ratio((over, under): (i64, i64)) -> Ratio {
    Ratio::new(i128::from(over), i128::from(under))
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
