//! What a number measures: dimension, size of its unit, and what it is counted from.
//!
//! Units are those of [`Unit`]; factors are exact fractions after UCUM 2.1, so that 0.34 MPa and
//! 340 kPa are equal and not nearly equal.

use super::number::Number;
use crate::point::{Decimal, PressureReference, Unit};
use std::fmt;

/// Base quantities: metre, kilogram, second, ampere, kelvin, then units that convert to no other.
const BASES: [&str; 10] = ["m", "kg", "s", "A", "K", "lx", "deg", "dB", "[pH]", "[NTU]"];

/// No product of measures goes beyond this power of a base.
const POWER_MAX: i8 = 24;

/// Powers of the base quantities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Dimension([i8; BASES.len()]);

/// A positive fraction in lowest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ratio {
    over: i128,
    under: i128,
}

/// What a number measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measure {
    dimension: Dimension,
    /// One of this in coherent SI units.
    scale: Ratio,
    /// The unit by name; none for products, quotients and roots.
    unit: Option<Unit>,
}

/// What two measures may have to do with each other beyond the dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    /// A point of a scale whose zero is a convention: a temperature, a pressure.
    On(Zero),
    /// A distance on such a scale: K, Pa{difference}.
    Between,
    /// Apparent power: no sum with active power.
    Apparent,
    /// Reactive power or energy.
    Reactive,
    /// Any other unit by name.
    Plain,
    /// A product or quotient, which says nothing of the kind.
    Computed,
}

/// What a scale counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Zero {
    Celsius,
    Atmosphere,
    Vacuum,
}

/// How a number comes from one unit into another of its dimension.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Factor {
    exact: Option<Decimal>,
    float: f64,
}

impl Factor {
    /// Whether it changes nothing.
    pub fn is_one(self) -> bool {
        self.exact == Some(Decimal::ONE)
    }

    /// The number in the other unit; none if it is beyond all floats.
    pub fn apply(self, number: Number) -> Option<Number> {
        match (self.exact, number) {
            (Some(factor), Number::Exact(_)) => number.times(Number::Exact(factor)),
            _ => Number::float(number.to_f64() * self.float),
        }
    }
}

impl Ratio {
    const ONE: Ratio = Ratio { over: 1, under: 1 };

    fn new(over: i128, under: i128) -> Ratio {
        let (mut a, mut b) = (over, under);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        Ratio { over: over / a.max(1), under: under / a.max(1) }
    }

    fn times(self, other: Ratio) -> Option<Ratio> {
        Some(Ratio::new(self.over.checked_mul(other.over)?, self.under.checked_mul(other.under)?))
    }

    fn inverse(self) -> Ratio {
        Ratio { over: self.under, under: self.over }
    }

    fn factor(self) -> Factor {
        let exact = (0..=Decimal::EXPONENT_MAX).find_map(|places| {
            let wide = self.over.checked_mul(10_i128.checked_pow(places.unsigned_abs().into())?)?;
            let whole =
                if wide % self.under == 0 { i64::try_from(wide / self.under).ok()? } else { return None };
            Decimal::new(whole, -places).ok()
        });
        #[expect(clippy::cast_precision_loss, reason = "the nearest float is what is wanted")]
        let float = self.over as f64 / self.under as f64;
        Factor { exact, float }
    }
}

impl Dimension {
    const fn of(m: i8, kg: i8, s: i8, a: i8, k: i8) -> Dimension {
        Dimension([m, kg, s, a, k, 0, 0, 0, 0, 0])
    }

    /// A base that converts to no other, by its place in `BASES`.
    const fn own(lx: i8, deg: i8, db: i8, ph: i8, ntu: i8) -> Dimension {
        Dimension([0, 0, 0, 0, 0, lx, deg, db, ph, ntu])
    }

    fn combine(self, other: Dimension, sign: i8) -> Option<Dimension> {
        let mut powers = self.0;
        for (power, more) in powers.iter_mut().zip(other.0) {
            *power += more * sign;
            if power.abs() > POWER_MAX {
                return None;
            }
        }
        Some(Dimension(powers))
    }

    fn half(self) -> Option<Dimension> {
        self.0.iter().all(|power| power % 2 == 0).then(|| Dimension(self.0.map(|power| power / 2)))
    }
}

const NONE: Dimension = Dimension::of(0, 0, 0, 0, 0);
const TIME: Dimension = Dimension::of(0, 0, 1, 0, 0);
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

/// Code, dimension, and one of it in SI as a fraction. A test holds it against [`Unit::codes`].
const TABLE: &[(&str, Dimension, i64, i64)] = &[
    ("1", NONE, 1, 1),
    ("%", NONE, 1, 100),
    ("[ppm]", NONE, 1, 1_000_000),
    ("[ppb]", NONE, 1, 1_000_000_000),
    ("[pH]", Dimension::own(0, 0, 0, 1, 0), 1, 1),
    ("s", TIME, 1, 1),
    ("min", TIME, 60, 1),
    ("h", TIME, 3_600, 1),
    ("d", TIME, 86_400, 1),
    ("ms", TIME, 1, 1_000),
    ("Hz", FREQUENCY, 1, 1),
    ("/min", FREQUENCY, 1, 60),
    ("V", VOLTAGE, 1, 1),
    ("kV", VOLTAGE, 1_000, 1),
    ("mV", VOLTAGE, 1, 1_000),
    ("A", CURRENT, 1, 1),
    ("mA", CURRENT, 1, 1_000),
    ("W", POWER, 1, 1),
    ("kW", POWER, 1_000, 1),
    ("MW", POWER, 1_000_000, 1),
    ("V.A", POWER, 1, 1),
    ("kV.A", POWER, 1_000, 1),
    ("var", POWER, 1, 1),
    ("kvar", POWER, 1_000, 1),
    ("W.h", ENERGY, 3_600, 1),
    ("kW.h", ENERGY, 3_600_000, 1),
    ("MW.h", ENERGY, 3_600_000_000, 1),
    ("kvar.h", ENERGY, 3_600_000, 1),
    ("J", ENERGY, 1, 1),
    ("MJ", ENERGY, 1_000_000, 1),
    ("GJ", ENERGY, 1_000_000_000, 1),
    ("Ohm", RESISTANCE, 1, 1),
    ("kOhm", RESISTANCE, 1_000, 1),
    ("MOhm", RESISTANCE, 1_000_000, 1),
    ("Cel", TEMPERATURE, 1, 1),
    ("K", TEMPERATURE, 1, 1),
    ("Pa", PRESSURE, 1, 1),
    ("kPa", PRESSURE, 1_000, 1),
    ("MPa", PRESSURE, 1_000_000, 1),
    ("bar", PRESSURE, 100_000, 1),
    // UCUM: m[Hg] is 133.322 kPa.
    ("mm[Hg]", PRESSURE, 133_322, 1_000),
    ("l", VOLUME, 1, 1_000),
    ("m3", VOLUME, 1, 1),
    ("m3/h", FLOW, 1, 3_600),
    ("l/min", FLOW, 1, 60_000),
    ("l/s", FLOW, 1, 1_000),
    ("kg", MASS, 1, 1),
    ("t", MASS, 1_000, 1),
    ("t/h", MASS_FLOW, 1_000, 3_600),
    ("m", LENGTH, 1, 1),
    ("mm", LENGTH, 1, 1_000),
    ("m/s", SPEED, 1, 1),
    ("mm/s", SPEED, 1, 1_000),
    ("deg", Dimension::own(0, 1, 0, 0, 0), 1, 1),
    ("lx", Dimension::own(1, 0, 0, 0, 0), 1, 1),
    ("dB", Dimension::own(0, 0, 1, 0, 0), 1, 1),
    ("mg/l", DENSITY, 1, 1_000),
    ("mg/m3", DENSITY, 1, 1_000_000),
    ("ug/m3", DENSITY, 1, 1_000_000_000),
    ("kJ/kg", SPECIFIC_ENERGY, 1_000, 1),
    ("g/kg", NONE, 1, 1_000),
    ("uS/cm", CONDUCTIVITY, 1, 10_000),
    ("[NTU]", Dimension::own(0, 0, 0, 0, 1), 1, 1),
];

impl Measure {
    /// The number without a unit.
    pub const ONE: Measure = Measure { dimension: NONE, scale: Ratio::ONE, unit: Some(Unit::ONE) };

    /// Of a unit by name.
    pub fn of(unit: Unit) -> Measure {
        let row = TABLE.iter().find(|(code, ..)| *code == unit.code());
        let (dimension, scale) = row.map_or((NONE, Ratio::ONE), |(_, dimension, over, under)| {
            (*dimension, Ratio::new(i128::from(*over), i128::from(*under)))
        });
        Measure { dimension, scale, unit: Some(unit) }
    }

    /// The unit, if it has one by name.
    pub fn unit(self) -> Option<Unit> {
        self.unit
    }

    /// Whether it is a time, such as the length of a window.
    pub fn is_time(self) -> bool {
        self.dimension == TIME
    }

    /// Whether it is a plain ratio, whatever its size: 1, %, g/kg.
    pub fn is_ratio(self) -> bool {
        self.dimension == NONE
    }

    /// Whether sums and multiples of it mean nothing: a temperature in Cel.
    pub fn is_temperature(self) -> bool {
        self.sort() == Sort::On(Zero::Celsius)
    }

    /// Whether its zero is a convention: a temperature in Cel, a gauge or absolute pressure.
    pub fn is_on_scale(self) -> bool {
        matches!(self.sort(), Sort::On(_))
    }

    fn sort(self) -> Sort {
        let Some(unit) = self.unit else { return Sort::Computed };
        match (unit.reference(), unit.code()) {
            (Some(PressureReference::Gauge), _) => Sort::On(Zero::Atmosphere),
            (Some(PressureReference::Absolute), _) => Sort::On(Zero::Vacuum),
            (None, "Cel") => Sort::On(Zero::Celsius),
            (Some(PressureReference::Difference), _) | (None, "K") => Sort::Between,
            (None, "V.A" | "kV.A") => Sort::Apparent,
            (None, "var" | "kvar" | "kvar.h") => Sort::Reactive,
            (None, _) => Sort::Plain,
        }
    }

    /// The distance on its scale: K for Cel, kPa{difference} for kPa{gauge}; itself otherwise.
    #[must_use]
    pub fn difference(self) -> Measure {
        let Some(unit) = self.unit.filter(|_| self.is_on_scale()) else { return self };
        let name = match unit.reference() {
            Some(_) => format!("{}{{difference}}", unit.code()),
            None => "K".to_owned(),
        };
        Measure { unit: name.parse().ok(), ..self }
    }

    /// How a number of `other` becomes one of `self`; none if they do not compare.
    pub fn from(self, other: Measure) -> Option<Factor> {
        let alike = match (self.sort(), other.sort()) {
            (Sort::Computed, Sort::On(_)) | (Sort::On(_), Sort::Computed) => false,
            (Sort::Computed, _) | (_, Sort::Computed) => true,
            (a, b) => a == b,
        };
        if alike { self.resized(other) } else { None }
    }

    /// How a number comes from the size of one unit into that of another of the same dimension,
    /// whatever both count from: for the terms of a sum that is known to be right.
    pub fn resized(self, other: Measure) -> Option<Factor> {
        let same = self.dimension == other.dimension;
        same.then(|| other.scale.times(self.scale.inverse())).flatten().map(Ratio::factor)
    }

    /// The measure of a sum; none if it means nothing.
    pub fn plus(self, other: Measure) -> Option<Measure> {
        self.resized(other)?;
        match (self.sort(), other.sort()) {
            (Sort::On(_), Sort::On(_)) => None,
            (Sort::On(_), Sort::Between | Sort::Computed) => Some(self),
            (Sort::Between | Sort::Computed, Sort::On(_)) => Some(other),
            _ => self.from(other).map(|_| if self.unit.is_some() { self } else { other }),
        }
    }

    /// The measure of a difference; none if it means nothing.
    pub fn minus(self, other: Measure) -> Option<Measure> {
        self.resized(other)?;
        match (self.sort(), other.sort()) {
            (Sort::On(a), Sort::On(b)) => (a == b).then(|| self.difference()),
            (_, Sort::On(_)) => None,
            _ => self.plus(other),
        }
    }

    /// The measure of a product; none if a power goes beyond reason.
    pub fn times(self, other: Measure) -> Option<Measure> {
        if other == Measure::ONE {
            return Some(self);
        }
        if self == Measure::ONE {
            return Some(other);
        }
        let dimension = self.dimension.combine(other.dimension, 1)?;
        Some(Measure { dimension, scale: self.scale.times(other.scale)?, unit: None })
    }

    /// The measure of a quotient; none if a power goes beyond reason.
    pub fn over(self, other: Measure) -> Option<Measure> {
        if other == Measure::ONE {
            return Some(self);
        }
        let dimension = self.dimension.combine(other.dimension, -1)?;
        Some(Measure { dimension, scale: self.scale.times(other.scale.inverse())?, unit: None })
    }

    /// The measure of a root, and how the number under it comes into SI units first; none if a
    /// power is odd.
    pub fn root(self) -> Option<(Measure, Factor)> {
        let dimension = self.dimension.half()?;
        let unit = (dimension == NONE).then_some(Unit::ONE);
        Some((Measure { dimension, scale: Ratio::ONE, unit }, self.scale.factor()))
    }
}

/// The unit; of a product the powers of the SI base units, with the code of a unit of that
/// dimension where there is one.
impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(unit) = self.unit {
            return if unit == Unit::ONE { f.write_str("a number without unit") } else { unit.fmt(f) };
        }
        if self.dimension == NONE {
            return f.write_str("a ratio");
        }
        if let Some((code, ..)) = TABLE.iter().find(|(_, dimension, ..)| *dimension == self.dimension) {
            return write!(f, "a multiple of {code}");
        }
        let named = BASES.iter().zip(self.dimension.0).filter(|(_, power)| *power != 0);
        for (place, (base, power)) in named.enumerate() {
            let dot = if place == 0 { "" } else { "." };
            if power == 1 { write!(f, "{dot}{base}")? } else { write!(f, "{dot}{base}{power}")? }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measure(unit: &str) -> Measure {
        Measure::of(unit.parse().unwrap())
    }

    fn exact(text: &str) -> Number {
        Number::Exact(text.parse().unwrap())
    }

    #[test]
    fn every_unit_there_is_has_a_dimension_and_none_twice() {
        let codes: Vec<&str> = Unit::codes().collect();
        let table: Vec<&str> = TABLE.iter().map(|(code, ..)| *code).collect();
        assert_eq!(table, codes);
    }

    #[test]
    fn converts_exactly_where_a_decimal_can() {
        for (from, to, number, result) in [
            ("MPa{gauge}", "kPa{gauge}", "0.34", "340"),
            ("bar{gauge}", "MPa{gauge}", "4.1", "0.41"),
            ("mm[Hg]{gauge}", "Pa{gauge}", "1", "133.322"),
            ("kW.h", "MJ", "1.5", "5.4"),
            ("h", "ms", "2", "7200000"),
            ("%", "1", "45", "0.45"),
            ("g/kg", "1", "8", "0.008"),
            ("mg/l", "mg/m3", "0.5", "500"),
            ("t/h", "t/h", "3", "3"),
        ] {
            let got = measure(to).from(measure(from)).unwrap().apply(exact(number)).unwrap();
            assert!(matches!(got, Number::Exact(_)), "{from} {to}");
            assert_eq!(got, exact(result), "{number} {from} in {to}");
        }
        let got = measure("h").from(measure("min")).unwrap().apply(exact("50")).unwrap();
        assert!((got.to_f64() - 50.0 / 60.0).abs() < 1e-15);
    }

    #[test]
    fn what_does_not_compare() {
        for (a, b) in [
            ("kPa{gauge}", "kPa{absolute}"),
            ("kPa{gauge}", "Pa{difference}"),
            ("Cel", "K"),
            ("kW", "kV.A"),
            ("kW", "kvar"),
            ("kW.h", "kvar.h"),
            ("kW", "kW.h"),
            ("dB", "1"),
            ("[pH]", "1"),
            ("lx", "deg"),
        ] {
            assert_eq!(measure(a).from(measure(b)), None, "{a} {b}");
        }
    }

    #[test]
    fn sums_and_differences_know_their_scale() {
        let minus = |a, b| measure(a).minus(measure(b)).map(|whole| whole.to_string());
        let plus = |a, b| measure(a).plus(measure(b)).map(|whole| whole.to_string());
        assert_eq!(minus("Cel", "Cel").as_deref(), Some("K"));
        assert_eq!(minus("Cel", "K").as_deref(), Some("Cel"));
        assert_eq!(minus("K", "Cel"), None);
        assert_eq!(plus("Cel", "Cel"), None);
        assert_eq!(plus("K", "Cel").as_deref(), Some("Cel"));
        assert_eq!(minus("bar{gauge}", "kPa{gauge}").as_deref(), Some("bar{difference}"));
        assert_eq!(minus("bar{gauge}", "kPa{absolute}"), None);
        assert_eq!(plus("kPa{gauge}", "Pa{difference}").as_deref(), Some("kPa{gauge}"));
        assert_eq!(plus("kW", "W").as_deref(), Some("kW"));
        assert_eq!(plus("kW", "kvar"), None);
    }

    #[test]
    fn products_lose_their_name_and_compare_with_any() {
        let heat = measure("kV").times(measure("A")).unwrap();
        assert_eq!(heat.to_string(), "a multiple of W");
        for unit in ["kW", "kV.A", "kvar"] {
            assert_eq!(measure(unit).from(heat).unwrap().apply(exact("2")), Some(exact("2")), "{unit}");
        }
        let square = measure("kvar").times(measure("kvar")).unwrap();
        let (root, factor) = square.root().unwrap();
        assert_eq!(factor.apply(exact("4")), Some(exact("4e6")));
        assert!(measure("kV.A").from(root).is_some());
        assert_eq!(measure("kW").root(), None);
        assert_eq!(measure("m").times(measure("kg")).unwrap().to_string(), "m.kg");
    }
}
