//! From one unit into another: exact where a decimal can be, else the nearest float.

use super::dimension::Ratio;
use super::{Decimal, Unit, Value};

/// `number * factor + offset`, where the offset is that of two scales with different zeros.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conversion {
    factor: Ratio,
    offset: Ratio,
    /// Both as decimals, if both are.
    exact: Option<(Decimal, Decimal)>,
    float: (f64, f64),
}

/// Why a unit does not convert into another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoConversion {
    /// They measure different things.
    #[error("{0} and {1} measure different things")]
    Dimension(Unit, Unit),
    /// Of a gauge, an absolute and a differential pressure none is another one: what lies between
    /// them is the weather.
    #[error("{0} and {1} are measured against different things, and no number leads from one to the other")]
    Reference(Unit, Unit),
    /// Active, reactive and apparent power are three things of one dimension.
    #[error("{0} and {1} are different kinds of power")]
    Power(Unit, Unit),
}

impl Conversion {
    /// From a size and a zero to another size and zero, all in the same base units; none if the
    /// fractions go beyond 128 bits.
    pub(super) fn between(from: (Ratio, Ratio), to: (Ratio, Ratio)) -> Option<Conversion> {
        let factor = from.0.times(to.0.inverse())?;
        let offset = from.1.minus(to.1)?.times(to.0.inverse())?;
        Some(Conversion::new(factor, offset))
    }

    /// By a factor alone.
    pub fn by(factor: Ratio) -> Conversion {
        Conversion::new(factor, Ratio::ZERO)
    }

    fn new(factor: Ratio, offset: Ratio) -> Conversion {
        let exact = factor.decimal().zip(offset.decimal());
        Conversion { factor, offset, exact, float: (factor.to_f64(), offset.to_f64()) }
    }

    /// Whether it changes nothing.
    pub fn is_one(self) -> bool {
        self.factor == Ratio::ONE && self.offset == Ratio::ZERO
    }

    /// Factor and offset where both are decimals: then decimals stay decimals.
    pub fn exact(self) -> Option<(Decimal, Decimal)> {
        self.exact
    }

    /// Factor and offset as floats.
    pub fn float(self) -> (f64, f64) {
        self.float
    }

    /// The decimal in the other unit; none if that is no decimal of 64 bits.
    pub fn decimal(self, number: Decimal) -> Option<Decimal> {
        let (factor, offset) = self.exact?;
        number.checked_mul(factor).and_then(|product| product.checked_add(offset)).ok()
    }

    /// The nearest float of a decimal in the other unit: worked out in whole numbers and rounded
    /// once, so that 98.6 `[degF]` is 37 Cel and not nearly 37.
    #[expect(clippy::cast_precision_loss, reason = "the nearest float is what is wanted")]
    pub fn nearest(self, number: Decimal) -> f64 {
        let whole = || {
            let power = 10_i128.checked_pow(number.exponent().unsigned_abs().into())?;
            let (up, down) = if number.exponent() < 0 { (1, power) } else { (power, 1) };
            let scaled = i128::from(number.mantissa()).checked_mul(up)?.checked_mul(self.factor.over())?;
            let product = scaled.checked_mul(self.offset.under())?;
            let under = down.checked_mul(self.factor.under())?;
            let sum = product.checked_add(self.offset.over().checked_mul(under)?)?;
            let reduced = Ratio::new(sum, under.checked_mul(self.offset.under())?);
            Some(reduced.over() as f64 / reduced.under() as f64)
        };
        whole().unwrap_or_else(|| self.of_float(number.to_f64()))
    }

    /// A float in the other unit; it may be beyond all floats.
    pub fn of_float(self, number: f64) -> f64 {
        let (factor, offset) = self.float;
        number * factor + offset
    }

    /// A value in the other unit: a decimal stays one where the factor is a decimal and the
    /// result fits. None for what is no number, and beyond all floats.
    pub fn apply(self, value: Value) -> Option<Value> {
        let float = match value {
            Value::Decimal(number) => match self.decimal(number) {
                Some(exact) => return Some(Value::Decimal(exact)),
                None => self.nearest(number),
            },
            Value::F64(number) => self.of_float(number),
            Value::Bool(_) | Value::Text(_) => return None,
        };
        float.is_finite().then_some(Value::F64(float))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn conversion(from: &str, to: &str) -> Result<Conversion, NoConversion> {
        Unit::conversion(from.parse().unwrap(), to.parse().unwrap())
    }

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    /// Factors as published: NIST SP 811 (2008), appendix B.8, seven digits, those set in bold
    /// there exact; UCUM 2.1, table of units, for those that are units of UCUM alone.
    const PUBLISHED: &[(&str, &str, &str, bool)] = &[
        // NIST SP 811, B.8, "psi": 6.894757 E+03 Pa.
        ("[psi]{gauge}", "Pa{gauge}", "6894.757", false),
        // "kilogram-force per square centimeter": 9.80665 E+04 Pa, exact.
        ("kgf/cm2{gauge}", "Pa{gauge}", "98066.5", true),
        // "millibar": 1.0 E+02 Pa, exact; "bar": 1.0 E+05 Pa, exact.
        ("mbar{difference}", "Pa{difference}", "100", true),
        ("bar{absolute}", "kPa{absolute}", "100", true),
        // "millimeter of water, conventional": 9.80665 Pa, exact.
        ("mm[H2O]{difference}", "Pa{difference}", "9.80665", true),
        ("m[H2O]{gauge}", "kPa{gauge}", "9.80665", true),
        // "inch of water, conventional": 2.490889 E+02 Pa.
        ("[in_i'H2O]{difference}", "Pa{difference}", "249.0889", false),
        // "millimeter of mercury, conventional": 1.333224 E+02 Pa; UCUM keeps 133.3220.
        ("mm[Hg]{gauge}", "Pa{gauge}", "133.322", true),
        // "kilocalorie (thermochemical) per hour" out of cal_th = 4.184 J, exact.
        ("kcal_th/h", "W", "1.162222", false),
        // out of cal_IT = 4.1868 J, exact.
        ("kcal_IT/h", "W", "1.163", true),
        // "British thermal unit (IT) per hour": 2.930711 E-01 W.
        ("[Btu_IT]/h", "W", "0.2930711", false),
        // "ton of refrigeration (12 000 Btu_IT/h)": 3.516853 E+03 W.
        ("12000.[Btu_IT]/h", "W", "3516.853", false),
        // "horsepower (550 ft.lbf/s)": 7.456999 E+02 W.
        ("[HP]", "W", "745.6999", false),
        // "kilowatt hour": 3.6 E+06 J, exact.
        ("kW.h", "MJ", "3.6", true),
        // "gallon (U.S.) per minute": 6.309020 E-05 m3/s.
        ("[gal_us]/min", "l/s", "0.06309020", false),
        // "cubic foot per minute": 4.719474 E-04 m3/s.
        ("[cft_i]/min", "l/s", "0.4719474", false),
        // "degree Rankine": 5/9 K.
        ("[degR]", "K", "0.5555556", false),
        // SI prefixes.
        ("m3/s", "m3/h", "3600", true),
        ("m3/min", "m3/h", "60", true),
        ("ml", "l", "0.001", true),
        ("kl", "m3", "1", true),
        ("cm", "mm", "10", true),
        ("g", "kg", "0.001", true),
        ("g/m3", "mg/m3", "1000", true),
        ("MPa{gauge}", "kPa{gauge}", "1000", true),
        ("m/s", "mm/s", "1000", true),
        ("m3/h", "l/s", "0.2777778", false),
    ];

    #[test]
    fn factors_are_the_published_ones() {
        for (from, to, factor, exact) in PUBLISHED {
            let got = conversion(from, to).unwrap();
            let published = decimal(factor);
            if *exact {
                assert_eq!(got.exact(), Some((published, Decimal::ZERO)), "{from} {to}");
            }
            // The last digit that is published may be rounded.
            let last = 0.5 * 10_f64.powi(published.exponent().into()) * 1.000_001;
            let (float, _) = got.float();
            assert!((float - published.to_f64()).abs() <= last, "{from} in {to} is {float}, not {factor}");
        }
    }

    /// The fixed points of the scales: NIST SP 811 (2008), B.8, temperature.
    #[test]
    fn temperatures_have_their_own_zeros() {
        for (from, to, number, expected) in [
            ("[degF]", "Cel", "32", "0"),
            ("[degF]", "Cel", "212", "100"),
            ("[degF]", "Cel", "98.6", "37"),
            ("[degF]", "Cel", "-40", "-40"),
            ("[degF]", "Cel", "-459.67", "-273.15"),
            ("[degF]", "K", "-459.67", "0"),
            ("Cel", "[degF]", "37", "98.6"),
            ("Cel", "[degF]", "-17.5", "0.5"),
            ("Cel", "K", "24.95", "298.10"),
            ("K", "Cel", "273.15", "0"),
            ("K", "[degF]", "310.15", "98.6"),
        ] {
            let got = conversion(from, to).unwrap().apply(Value::Decimal(decimal(number))).unwrap();
            let same = match got {
                Value::Decimal(got) => got == decimal(expected),
                Value::F64(got) => got.to_bits() == (decimal(expected).to_f64() + 0.0).to_bits(),
                _ => false,
            };
            assert!(same, "{number} {from} is {got:?}, not {expected} {to}");
        }
        // The other way the factor is no decimal, so nothing of it is: a series has one kind of value.
        assert_eq!(conversion("[degF]", "Cel").unwrap().exact(), None);
        assert!(conversion("Cel", "[degF]").unwrap().exact().is_some());
    }

    #[test]
    fn what_does_not_convert() {
        use NoConversion::{Dimension, Power, Reference};
        let unit = |text: &str| text.parse::<Unit>().unwrap();
        for (from, to) in
            [("kW", "kW.h"), ("Cel", "%"), ("dB", "1"), ("[pH]", "1"), ("l", "l/s"), ("m", "kg")]
        {
            assert_eq!(conversion(from, to), Err(Dimension(unit(from), unit(to))));
        }
        for (from, to) in [
            ("kPa{gauge}", "kPa{absolute}"),
            ("[psi]{absolute}", "kPa{gauge}"),
            ("mm[H2O]{gauge}", "Pa{difference}"),
        ] {
            assert_eq!(conversion(from, to), Err(Reference(unit(from), unit(to))));
        }
        for (from, to) in [("kW", "kV.A"), ("kvar", "W"), ("kvar.h", "kW.h"), ("kV.A.h", "J")] {
            assert_eq!(conversion(from, to), Err(Power(unit(from), unit(to))));
        }
    }

    #[test]
    fn beyond_64_bits_the_nearest_float_is_taken_and_beyond_that_none() {
        let km = conversion("MW.h", "J").unwrap();
        let large = Decimal::new(i64::MAX, 0).unwrap();
        let Some(Value::F64(float)) = km.apply(Value::Decimal(large)) else { panic!("no float") };
        assert!((float / (3.6e9 * 9_223_372_036_854_775_807.0) - 1.0).abs() < 1e-15);
        assert_eq!(km.apply(Value::F64(f64::MAX)), None);
        assert_eq!(km.apply(Value::Bool(true)), None);
    }

    proptest! {
        /// There and back again: exactly where both ways are decimals, to the last bits otherwise.
        #[test]
        fn every_pair_of_a_dimension_leads_back(
            pair in (0_usize..200, 0_usize..200), mantissa in -1_000_000_i64..1_000_000, places in 0_i8..4,
        ) {
            let units: Vec<Unit> = Unit::codes()
                .filter_map(|code| code.parse().or_else(|_| format!("{code}{{gauge}}").parse()).ok())
                .collect();
            let (from, to) = (units[pair.0 % units.len()], units[pair.1 % units.len()]);
            if let Ok(there) = Unit::conversion(from, to) {
                let back = Unit::conversion(to, from).unwrap();
                let number = Decimal::new(mantissa, -places).unwrap();
                match there.apply(Value::Decimal(number)).and_then(|value| back.apply(value)) {
                    Some(Value::Decimal(again)) => prop_assert_eq!(again, number),
                    Some(Value::F64(again)) => {
                        let (_, offset) = back.float();
                        let size = number.to_f64().abs().max(offset.abs());
                        prop_assert!((again - number.to_f64()).abs() <= 4e-15 * size, "{} {}", from, to);
                    }
                    other => prop_assert!(false, "{:?}", other),
                }
            } else {
                prop_assert!(Unit::conversion(to, from).is_err());
            }
        }
    }
}
