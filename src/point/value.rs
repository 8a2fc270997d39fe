//! Values that stay exact: a meter's 0.01 kWh is an integer and an exponent, never a binary float.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// `mantissa * 10^exponent`, exact. The exponent lies in `-18..=18`.
///
/// Equality and order are by numeric value (`1.0 == 1`); the spelling is kept
/// (`1.0` prints as `1.0`), because the number of decimals says what the device resolves.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    mantissa: i64,
    exponent: i8,
}

/// Why a text or a product is not a [`Decimal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not `[+-]digits[.digits][e[+-]digits]`.
    #[error("not a decimal number")]
    Syntax,
    /// More than 18 significant digits or an exponent beyond 10^±18.
    #[error("outside the range of a decimal (64-bit mantissa, exponent -18 to 18)")]
    Range,
}

impl Decimal {
    /// Exponents beyond this are refused: they are typing errors, not measurements.
    pub const EXPONENT_MAX: i8 = 18;

    /// Zero without decimals.
    pub const ZERO: Decimal = Decimal { mantissa: 0, exponent: 0 };
    /// One without decimals.
    pub const ONE: Decimal = Decimal { mantissa: 1, exponent: 0 };

    /// `mantissa * 10^exponent`, or [`DecimalError::Range`].
    pub fn new(mantissa: i64, exponent: i8) -> Result<Decimal, DecimalError> {
        if exponent.unsigned_abs() > Self::EXPONENT_MAX.unsigned_abs() {
            return Err(DecimalError::Range);
        }
        Ok(Decimal { mantissa, exponent })
    }

    /// A whole number.
    pub const fn from_int(mantissa: i64) -> Decimal {
        Decimal { mantissa, exponent: 0 }
    }

    /// The integer in front of the power of ten.
    pub fn mantissa(self) -> i64 {
        self.mantissa
    }

    /// The power of ten.
    pub fn exponent(self) -> i8 {
        self.exponent
    }

    /// The exact product, or [`DecimalError::Range`].
    pub fn checked_mul(self, other: Decimal) -> Result<Decimal, DecimalError> {
        let wide = i128::from(self.mantissa) * i128::from(other.mantissa);
        Self::from_wide(wide, i32::from(self.exponent) + i32::from(other.exponent))
    }

    /// The exact sum, or [`DecimalError::Range`].
    pub fn checked_add(self, other: Decimal) -> Result<Decimal, DecimalError> {
        let exponent = self.exponent.min(other.exponent);
        let a = self.wide_at(exponent).ok_or(DecimalError::Range)?;
        let b = other.wide_at(exponent).ok_or(DecimalError::Range)?;
        Self::from_wide(a.checked_add(b).ok_or(DecimalError::Range)?, i32::from(exponent))
    }

    /// The exact difference, or [`DecimalError::Range`].
    pub fn checked_sub(self, other: Decimal) -> Result<Decimal, DecimalError> {
        self.checked_add(Decimal {
            mantissa: other.mantissa.checked_neg().ok_or(DecimalError::Range)?,
            ..other
        })
    }

    /// The mantissa this number has at `exponent`, if it is whole there:
    /// `12.50` at -2 is 1250, at -3 is 12500, at 0 is none.
    pub fn mantissa_at(self, exponent: i8) -> Option<i64> {
        let shift = i32::from(self.exponent) - i32::from(exponent);
        if shift >= 0 {
            let wide = i128::from(self.mantissa).checked_mul(pow10(shift.unsigned_abs())?)?;
            i64::try_from(wide).ok()
        } else {
            let unit = pow10(shift.unsigned_abs())?;
            let wide = i128::from(self.mantissa);
            (wide % unit == 0).then(|| i64::try_from(wide / unit).ok()).flatten()
        }
    }

    /// The nearest binary float, correctly rounded.
    pub fn to_f64(self) -> f64 {
        // Both sides are exact floats then, so that the one rounding is that of the result.
        #[expect(clippy::cast_precision_loss, reason = "no more than 53 bits")]
        if self.mantissa.unsigned_abs() <= 1 << f64::MANTISSA_DIGITS {
            let power = POWERS.get(usize::from(self.exponent.unsigned_abs())).copied().unwrap_or(f64::NAN);
            let mantissa = self.mantissa as f64;
            return if self.exponent < 0 { mantissa / power } else { mantissa * power };
        }
        format!("{}e{}", self.mantissa, self.exponent).parse().unwrap_or(f64::NAN)
    }

    fn wide_at(self, exponent: i8) -> Option<i128> {
        let shift = i32::from(self.exponent) - i32::from(exponent);
        i128::from(self.mantissa).checked_mul(pow10(u32::try_from(shift).ok()?)?)
    }

    /// Fits a wide product back into range by dropping trailing zeros only: never a digit that counts.
    fn from_wide(mut wide: i128, mut exponent: i32) -> Result<Decimal, DecimalError> {
        let limit = i32::from(Self::EXPONENT_MAX);
        while (i64::try_from(wide).is_err() || exponent < -limit) && wide != 0 && wide % 10 == 0 {
            wide /= 10;
            exponent += 1;
        }
        if wide == 0 {
            exponent = exponent.clamp(-limit, limit);
        }
        while exponent > limit {
            wide = wide.checked_mul(10).ok_or(DecimalError::Range)?;
            exponent -= 1;
        }
        let mantissa = i64::try_from(wide).map_err(|_| DecimalError::Range)?;
        Decimal::new(mantissa, i8::try_from(exponent).map_err(|_| DecimalError::Range)?)
    }
}

/// Powers of ten up to the largest exponent; up to 10^22 they are exact.
const POWERS: [f64; 19] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18];

fn pow10(exponent: u32) -> Option<i128> {
    10_i128.checked_pow(exponent)
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Decimal) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Decimal) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Decimal) -> Ordering {
        // A point and its limits mostly have as many decimals.
        if self.exponent == other.exponent {
            return self.mantissa.cmp(&other.mantissa);
        }
        let sign = self.mantissa.signum().cmp(&other.mantissa.signum());
        if sign != Ordering::Equal || self.mantissa == 0 {
            return sign;
        }
        let exponent = self.exponent.min(other.exponent);
        // 18 + 18 powers of ten on 19 digits exceed i128 only where one side is plainly larger.
        match (self.wide_at(exponent), other.wide_at(exponent)) {
            (Some(a), Some(b)) => a.cmp(&b),
            (None, _) if self.mantissa > 0 => Ordering::Greater,
            (None, _) => Ordering::Less,
            (_, None) if other.mantissa > 0 => Ordering::Less,
            (_, None) => Ordering::Greater,
        }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.mantissa.unsigned_abs().to_string();
        let sign = if self.mantissa < 0 { "-" } else { "" };
        if self.exponent >= 0 {
            let zeros = if self.mantissa == 0 { 0 } else { usize::from(self.exponent.unsigned_abs()) };
            return write!(f, "{sign}{digits}{}", "0".repeat(zeros));
        }
        let decimals = usize::from(self.exponent.unsigned_abs());
        let padded = format!("{digits:0>width$}", width = decimals + 1);
        let (whole, fraction) = padded.split_at(padded.len() - decimals);
        write!(f, "{sign}{whole}.{fraction}")
    }
}

impl FromStr for Decimal {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Decimal, DecimalError> {
        let (number, power) = match text.split_once(['e', 'E']) {
            Some((number, power)) => (number, power.parse::<i32>().map_err(|_| DecimalError::Syntax)?),
            None => (text, 0),
        };
        let (negative, number) = match number.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, number.strip_prefix('+').unwrap_or(number)),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(DecimalError::Syntax);
        }
        let decimals = i32::try_from(fraction.len()).map_err(|_| DecimalError::Range)?;
        let exponent = power.checked_sub(decimals).ok_or(DecimalError::Range)?;
        let significant = digits.trim_start_matches('0');
        let wide: i128 = match significant.len() {
            0 => 0,
            1..=37 => significant.parse().map_err(|_| DecimalError::Range)?,
            _ => return Err(DecimalError::Range),
        };
        Decimal::from_wide(if negative { -wide } else { wide }, exponent)
    }
}

/// The number of a text in the text dictionary of a point's history (`historian`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TextId(pub u32);

/// What a reading says, exactly as far as the source said it.
#[derive(Clone, Copy, Debug)]
pub enum Value {
    /// A contact, a coil, a flag.
    Bool(bool),
    /// A scaled integer: meters, counters, anything with decimal output.
    Decimal(Decimal),
    /// A binary float, finite. A device's NaN or infinity is a quality, not a value.
    F64(f64),
    /// A word, by its number in the dictionary.
    Text(TextId),
}

impl Value {
    /// The number to compare, plot or forward: `true` is 1. Text has none.
    pub fn as_f64(self) -> Option<f64> {
        match self {
            Value::Bool(on) => Some(if on { 1.0 } else { 0.0 }),
            Value::Decimal(decimal) => Some(decimal.to_f64()),
            Value::F64(number) => Some(number),
            Value::Text(_) => None,
        }
    }
}

/// Same kind and same content; floats by bits, so that a store can prove it gave back what it got.
impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Decimal(a), Value::Decimal(b)) => a == b,
            (Value::F64(a), Value::F64(b)) => a.to_bits() == b.to_bits(),
            (Value::Text(a), Value::Text(b)) => a == b,
            _ => false,
        }
    }
}
impl Eq for Value {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn parses_and_prints_what_a_profile_writes() {
        for text in ["0", "0.1", "-0.01", "1000", "123456789012345678", "0.000001", "12.50"] {
            assert_eq!(decimal(text).to_string(), text);
        }
        assert_eq!(decimal("1e3").to_string(), "1000");
        assert_eq!(decimal("2.5E-2").to_string(), "0.025");
        assert_eq!(decimal("+7").to_string(), "7");
    }

    #[test]
    fn refuses_what_is_no_decimal() {
        for text in ["", ".", "-", "1,5", "0x10", "nan", "1e", "١"] {
            assert_eq!(text.parse::<Decimal>(), Err(DecimalError::Syntax), "{text:?}");
        }
        for text in ["9223372036854775808", "1e40", "1e-40", "1e99999999"] {
            assert_eq!(text.parse::<Decimal>(), Err(DecimalError::Range), "{text:?}");
        }
    }

    #[test]
    fn a_hundredth_of_a_kilowatt_hour_stays_exact() {
        let scaled = Decimal::from_int(99_999_999).checked_mul(decimal("0.01")).unwrap();
        assert_eq!(scaled.to_string(), "999999.99");
        assert_eq!(scaled.mantissa_at(-2), Some(99_999_999));
        assert_eq!(scaled.mantissa_at(0), None);
        assert_eq!(scaled.checked_sub(decimal("0.01")).unwrap().to_string(), "999999.98");
    }

    #[test]
    fn equality_is_numeric_and_spelling_is_kept() {
        assert_eq!(decimal("1.0"), decimal("1"));
        assert_eq!(decimal("1.0").to_string(), "1.0");
        assert!(decimal("-1e18") < decimal("1e-18"));
        assert!(decimal("9e18") > decimal("8.99e18"));
    }

    proptest! {
        #[test]
        fn text_round_trips(mantissa: i64, exponent in -18_i8..=18) {
            let number = Decimal::new(mantissa, exponent).unwrap();
            if let Ok(back) = number.to_string().parse::<Decimal>() {
                prop_assert_eq!(back, number);
            } else {
                // Only a whole number beyond 64 bits cannot be read back.
                prop_assert!(exponent > 0);
            }
        }

        #[test]
        fn products_and_sums_agree_with_wide_integers(a in -1_000_000_000_i64..1_000_000_000, b in -1_000_000_i64..1_000_000, e in -3_i8..=3, f in -3_i8..=3) {
            let (x, y) = (Decimal::new(a, e).unwrap(), Decimal::new(b, f).unwrap());
            prop_assert_eq!(x.checked_mul(y).unwrap(), Decimal::new(a * b, e + f).unwrap());
            prop_assert_eq!(x.checked_add(y).unwrap().checked_sub(y).unwrap(), x);
        }

        #[test]
        fn the_nearest_float_is_that_of_the_parser(mantissa in prop_oneof![any::<i64>(), any::<i32>().prop_map(i64::from)], exponent in -18_i8..=18) {
            let parsed: f64 = format!("{mantissa}e{exponent}").parse().unwrap();
            prop_assert_eq!(Decimal::new(mantissa, exponent).unwrap().to_f64().to_bits(), parsed.to_bits());
        }

        #[test]
        fn order_agrees_with_floats(a: i32, b: i32, e in -6_i8..=6, f in -6_i8..=6) {
            let (x, y) = (Decimal::new(a.into(), e).unwrap(), Decimal::new(b.into(), f).unwrap());
            if (x.to_f64() - y.to_f64()).abs() > 1e-9 * x.to_f64().abs().max(y.to_f64().abs()) {
                prop_assert_eq!(x < y, x.to_f64() < y.to_f64());
            }
        }
    }
}
