//! Numbers of an expression: decimals as long as that is exact, else binary floats.

use crate::point::{Decimal, Value};
use std::cmp::Ordering;

/// A finite number. Sums, differences and products of decimals stay decimals while they fit;
/// quotients, roots and whatever touches a float are floats.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    /// Exact.
    Exact(Decimal),
    /// Finite; [`Number::float`] sees to it.
    Float(f64),
}

impl Number {
    /// A float, if it is finite: neither NaN nor an infinity is a value.
    pub fn float(number: f64) -> Option<Number> {
        number.is_finite().then_some(Number::Float(number))
    }

    /// The number of a reading; on and off are 1 and 0, a text has none.
    pub fn of(value: Value) -> Option<Number> {
        match value {
            Value::Bool(on) => Some(Number::Exact(if on { Decimal::ONE } else { Decimal::ZERO })),
            Value::Decimal(decimal) => Some(Number::Exact(decimal)),
            Value::F64(number) => Number::float(number),
            Value::Text(_) => None,
        }
    }

    /// The nearest float.
    pub fn to_f64(self) -> f64 {
        match self {
            Number::Exact(decimal) => decimal.to_f64(),
            Number::Float(number) => number,
        }
    }

    /// What a reading of a derived point carries.
    pub fn to_value(self) -> Value {
        match self {
            Number::Exact(decimal) => Value::Decimal(decimal),
            Number::Float(number) => Value::F64(number),
        }
    }

    /// The sum; none if it is beyond all floats.
    pub fn plus(self, other: Number) -> Option<Number> {
        match (self, other) {
            (Number::Exact(a), Number::Exact(b)) => {
                a.checked_add(b).map(Number::Exact).ok().or_else(|| Number::float(a.to_f64() + b.to_f64()))
            }
            _ => Number::float(self.to_f64() + other.to_f64()),
        }
    }

    /// The difference; none if it is beyond all floats.
    pub fn minus(self, other: Number) -> Option<Number> {
        self.plus(other.negated())
    }

    /// The product; none if it is beyond all floats.
    pub fn times(self, other: Number) -> Option<Number> {
        match (self, other) {
            (Number::Exact(a), Number::Exact(b)) => {
                a.checked_mul(b).map(Number::Exact).ok().or_else(|| Number::float(a.to_f64() * b.to_f64()))
            }
            _ => Number::float(self.to_f64() * other.to_f64()),
        }
    }

    /// The quotient, a float; none if the divisor is zero.
    pub fn over(self, other: Number) -> Option<Number> {
        let divisor = other.to_f64();
        if divisor == 0.0 { None } else { Number::float(self.to_f64() / divisor) }
    }

    /// With the other sign.
    #[must_use]
    pub fn negated(self) -> Number {
        match self {
            Number::Exact(decimal) => Decimal::ZERO
                .checked_sub(decimal)
                .map_or_else(|_| Number::Float(-decimal.to_f64()), Number::Exact),
            Number::Float(number) => Number::Float(-number),
        }
    }

    /// Order by value, decimals exactly.
    pub fn compare(self, other: Number) -> Ordering {
        match (self, other) {
            (Number::Exact(a), Number::Exact(b)) => a.cmp(&b),
            // Both are finite, so there is an order.
            _ => self.to_f64().partial_cmp(&other.to_f64()).unwrap_or(Ordering::Equal),
        }
    }
}

/// By value, however it is kept.
impl PartialEq for Number {
    fn eq(&self, other: &Number) -> bool {
        self.compare(*other) == Ordering::Equal
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Number::Exact(decimal) => decimal.fmt(f),
            // Six digits that count: more than any sensor of a plant gives.
            Number::Float(number) if *number == 0.0 => f.write_str("0"),
            Number::Float(number) => {
                let large = number.abs().log10().floor().clamp(-9.0, 5.0);
                let decimals = [5_usize, 4, 3, 2, 1, 0];
                let whole = decimals.iter().zip(0_u8..).find(|(_, power)| f64::from(*power) >= large);
                let text = format!("{number:.*}", whole.map_or(5, |(decimals, _)| *decimals));
                let short =
                    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
                f.write_str(short)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(text: &str) -> Number {
        Number::Exact(text.parse().unwrap())
    }

    #[test]
    fn decimals_stay_exact_as_long_as_they_fit() {
        assert_eq!(exact("0.1").plus(exact("0.2")), Some(exact("0.3")));
        assert!(matches!(exact("0.1").times(exact("3")), Some(Number::Exact(_))));
        assert!(matches!(exact("9e18").times(exact("9e18")), Some(Number::Float(_))));
        assert_eq!(
            exact("0").minus(Number::Exact(Decimal::from_int(i64::MIN))).map(Number::to_f64),
            Some(2_f64.powi(63))
        );
        assert_eq!(exact("1").over(exact("0.000")), None);
        assert_eq!(Number::Float(f64::MAX).times(exact("2")), None);
    }

    #[test]
    fn prints_digits_that_count() {
        for (number, text) in [
            (2.345_678_912, "2.34568"),
            (123.456_789, "123.457"),
            (1_234_567.8, "1234568"),
            (0.000_012_3, "0.00001"),
            (-2.5, "-2.5"),
            (100.0, "100"),
            (0.0, "0"),
        ] {
            assert_eq!(Number::Float(number).to_string(), text);
        }
    }
}
