//! What a number measures: dimension, size of its unit, and what it is counted from.
//!
//! Units, their dimensions and sizes are those of [`Unit`].

use super::number::Number;
use crate::point::{Conversion, Dimension, Ratio, Unit, UnitSort, Zero};
use std::fmt;

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
    /// That of a unit by name.
    Named(UnitSort),
    /// A product or quotient, which says nothing of the kind.
    Computed,
}

const BETWEEN: Sort = Sort::Named(UnitSort::Between);

/// How a number comes from one unit into another of its dimension and of the same zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Factor(Conversion);

impl Factor {
    /// Whether it changes nothing.
    pub fn is_one(self) -> bool {
        self.0.is_one()
    }

    /// Whether decimals stay decimals.
    pub(super) fn is_exact(self) -> bool {
        self.0.exact().is_some()
    }

    /// The number in the other unit; none if it is beyond all floats.
    pub fn apply(self, number: Number) -> Option<Number> {
        match (self.0.exact(), number) {
            (Some((factor, _)), Number::Exact(_)) => number.times(Number::Exact(factor)),
            _ => Number::float(self.0.of_float(number.to_f64())),
        }
    }
}

impl Measure {
    /// The number without a unit.
    pub const ONE: Measure = Measure { dimension: Dimension::NONE, scale: Ratio::ONE, unit: Some(Unit::ONE) };

    /// Of a unit by name.
    pub fn of(unit: Unit) -> Measure {
        Measure { dimension: unit.dimension(), scale: unit.size(), unit: Some(unit) }
    }

    /// The unit, if it has one by name.
    pub fn unit(self) -> Option<Unit> {
        self.unit
    }

    /// Whether it is a time, such as the length of a window.
    pub fn is_time(self) -> bool {
        self.dimension == Dimension::TIME
    }

    /// Whether it is a plain ratio, whatever its size: 1, %, g/kg.
    pub fn is_ratio(self) -> bool {
        self.dimension == Dimension::NONE
    }

    /// Whether sums and multiples of it mean nothing: a temperature in Cel or `[degF]`.
    pub fn is_temperature(self) -> bool {
        matches!(self.sort(), Sort::Named(UnitSort::On(Zero::Celsius | Zero::Fahrenheit)))
    }

    /// Whether its zero is a convention: a temperature in Cel, a gauge or absolute pressure.
    pub fn is_on_scale(self) -> bool {
        matches!(self.sort(), Sort::Named(UnitSort::On(_)))
    }

    fn sort(self) -> Sort {
        self.unit.map_or(Sort::Computed, |unit| Sort::Named(unit.sort()))
    }

    /// The distance on its scale: K for Cel, `[degR]` for `[degF]`, kPa{difference} for kPa{gauge}; itself otherwise.
    #[must_use]
    pub fn difference(self) -> Measure {
        let Some(unit) = self.unit.filter(|_| self.is_on_scale()) else { return self };
        let name = match unit.reference() {
            Some(_) => format!("{}{{difference}}", unit.code()),
            None if unit.code() == "[degF]" => "[degR]".to_owned(),
            None => "K".to_owned(),
        };
        Measure { unit: name.parse().ok(), ..self }
    }

    /// How a number of `other` becomes one of `self`; none if they do not compare.
    pub fn from(self, other: Measure) -> Option<Factor> {
        let alike = match (self.sort(), other.sort()) {
            (Sort::Computed, Sort::Named(UnitSort::On(_)))
            | (Sort::Named(UnitSort::On(_)), Sort::Computed) => false,
            (Sort::Computed, _) | (_, Sort::Computed) => true,
            (a, b) => a == b,
        };
        if alike { self.resized(other) } else { None }
    }

    /// How a number comes from the size of one unit into that of another of the same dimension,
    /// whatever both count from: for the terms of a sum that is known to be right.
    pub fn resized(self, other: Measure) -> Option<Factor> {
        let same = self.dimension == other.dimension;
        same.then(|| other.scale.times(self.scale.inverse())).flatten().map(Conversion::by).map(Factor)
    }

    /// The measure of a sum; none if it means nothing.
    pub fn plus(self, other: Measure) -> Option<Measure> {
        self.resized(other)?;
        match (self.sort(), other.sort()) {
            (Sort::Named(UnitSort::On(_)), Sort::Named(UnitSort::On(_))) => None,
            (Sort::Named(UnitSort::On(_)), BETWEEN | Sort::Computed) => Some(self),
            (BETWEEN | Sort::Computed, Sort::Named(UnitSort::On(_))) => Some(other),
            _ => self.from(other).map(|_| if self.unit.is_some() { self } else { other }),
        }
    }

    /// The measure of a difference; none if it means nothing.
    pub fn minus(self, other: Measure) -> Option<Measure> {
        self.resized(other)?;
        match (self.sort(), other.sort()) {
            (Sort::Named(UnitSort::On(a)), Sort::Named(UnitSort::On(b))) => {
                (a == b).then(|| self.difference())
            }
            (_, Sort::Named(UnitSort::On(_))) => None,
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
        let dimension = self.dimension.times(other.dimension)?;
        Some(Measure { dimension, scale: self.scale.times(other.scale)?, unit: None })
    }

    /// The measure of a quotient; none if a power goes beyond reason.
    pub fn over(self, other: Measure) -> Option<Measure> {
        if other == Measure::ONE {
            return Some(self);
        }
        let dimension = self.dimension.over(other.dimension)?;
        Some(Measure { dimension, scale: self.scale.times(other.scale.inverse())?, unit: None })
    }

    /// The measure of a root, and how the number under it comes into SI units first; none if a
    /// power is odd.
    pub fn root(self) -> Option<(Measure, Factor)> {
        let dimension = self.dimension.half()?;
        let unit = (dimension == Dimension::NONE).then_some(Unit::ONE);
        Some((Measure { dimension, scale: Ratio::ONE, unit }, Factor(Conversion::by(self.scale))))
    }
}

/// The unit; of a product the powers of the SI base units, with the code of a unit of that
/// dimension where there is one.
impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(unit) = self.unit {
            return if unit == Unit::ONE { f.write_str("a number without unit") } else { unit.fmt(f) };
        }
        if self.dimension == Dimension::NONE {
            return f.write_str("a ratio");
        }
        match Unit::of_dimension(self.dimension) {
            Some(unit) => write!(f, "a multiple of {}", unit.code()),
            None => self.dimension.fmt(f),
        }
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
            ("Cel", "[degF]"),
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
        assert_eq!(minus("[degF]", "[degF]").as_deref(), Some("[degR]"));
        assert_eq!(minus("Cel", "[degF]"), None);
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
