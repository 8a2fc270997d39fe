//! What other registers say a value is to be multiplied with or divided by.

use crate::config::Role;
use crate::field::{Fault, Raw};
use crate::point::{Decimal, Value};
use std::cmp::Ordering;

/// Significant digits of a quotient that does not end.
const QUOTIENT_DIGITS: u32 = 15;

/// SunSpec Device Information Model Specification 1.1, `sunssf`: -10 to 10.
const EXPONENT_MAX: u64 = 10;

/// A number to reckon with.
#[derive(Clone, Copy)]
enum Number {
    Exact(Decimal),
    Float(f64),
}

/// `value` with the factor `raw` applied.
///
/// Exact where both are exact. A quotient that does not end, or has more digits than a
/// [`Decimal`], is rounded half to even to 15 significant digits, and to fewer where those would
/// lie beyond the 18th decimal place. A float on either side makes a float.
///
/// # Errors
/// [`Fault::NotAvailable`] for a SunSpec scale factor that is "not implemented" (0x8000).
/// [`Fault::Decoding`] for a factor that is no number, a multiplier or divisor that is not above
/// zero (a transformer ratio nobody has set), an exponent that is no whole number from -10 to 10,
/// a value that is no number, and a result beyond the range: unknown never becomes 0.
pub fn apply(value: &Raw, role: Role, raw: &Raw) -> Result<Raw, Fault> {
    let value = number(value)?;
    let result = match role {
        Role::Multiply => multiply(value, above_zero(raw)?)?,
        Role::Divide => divide(value, above_zero(raw)?)?,
        Role::Exponent => match exponent(raw)? {
            0 => value,
            up @ 1.. => multiply(value, Number::Exact(power(up)?))?,
            down => divide(value, Number::Exact(power(-down)?))?,
        },
    };
    Ok(Raw::Value(match result {
        Number::Exact(number) => Value::Decimal(number),
        Number::Float(number) => Value::F64(number),
    }))
}

/// The nearest binary float, without the detour over a text where the mantissa is exact in one:
/// both operands are then, and one operation of IEEE 754 rounds correctly.
pub fn to_f64(number: Decimal) -> f64 {
    const EXACT_MAX: u64 = 1 << 53;
    if number.mantissa().unsigned_abs() > EXACT_MAX {
        return number.to_f64();
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "at most 2^53; and 10^18 is 2^18 times a number below 2^53"
    )]
    let (mantissa, power) =
        (number.mantissa() as f64, 10_u64.pow(number.exponent().unsigned_abs().into()) as f64);
    if number.exponent() < 0 { mantissa / power } else { mantissa * power }
}

fn number(raw: &Raw) -> Result<Number, Fault> {
    match raw {
        Raw::Value(Value::Decimal(number)) => Ok(Number::Exact(*number)),
        Raw::Value(Value::F64(number)) if number.is_finite() => Ok(Number::Float(*number)),
        _ => Err(Fault::Decoding),
    }
}

fn above_zero(raw: &Raw) -> Result<Number, Fault> {
    let factor = number(raw)?;
    let right = match factor {
        Number::Exact(number) => number > Decimal::ZERO,
        Number::Float(number) => number > 0.0,
    };
    right.then_some(factor).ok_or(Fault::Decoding)
}

fn exponent(raw: &Raw) -> Result<i64, Fault> {
    let Number::Exact(number) = number(raw)? else { return Err(Fault::Decoding) };
    match number.mantissa_at(0) {
        // The register may have been declared unsigned.
        Some(-0x8000 | 0x8000) => Err(Fault::NotAvailable),
        Some(exponent) if exponent.unsigned_abs() <= EXPONENT_MAX => Ok(exponent),
        _ => Err(Fault::Decoding),
    }
}

fn power(exponent: i64) -> Result<Decimal, Fault> {
    let exponent = i8::try_from(exponent).map_err(|_| Fault::Decoding)?;
    Decimal::new(1, exponent).map_err(|_| Fault::Decoding)
}

fn multiply(value: Number, factor: Number) -> Result<Number, Fault> {
    if let (Number::Exact(value), Number::Exact(factor)) = (value, factor) {
        return value.checked_mul(factor).map(Number::Exact).map_err(|_| Fault::Decoding);
    }
    let (value, factor) = (float(value), float(factor));
    sound(value, value * factor)
}

fn divide(value: Number, factor: Number) -> Result<Number, Fault> {
    if let (Number::Exact(value), Number::Exact(factor)) = (value, factor) {
        return quotient(value, factor).map(Number::Exact);
    }
    let (value, factor) = (float(value), float(factor));
    sound(value, value / factor)
}

fn float(number: Number) -> f64 {
    match number {
        Number::Exact(number) => to_f64(number),
        Number::Float(number) => number,
    }
}

/// A result that has neither overflowed nor become zero out of something.
fn sound(value: f64, result: f64) -> Result<Number, Fault> {
    let lost = !result.is_finite() || (result == 0.0 && value != 0.0);
    if lost { Err(Fault::Decoding) } else { Ok(Number::Float(result)) }
}

/// `value / factor` for a factor above zero.
fn quotient(value: Decimal, factor: Decimal) -> Result<Decimal, Fault> {
    let divisor = factor.mantissa().unsigned_abs();
    let exponent = i32::from(value.exponent()) - i32::from(factor.exponent());
    match ending_quotient(value.mantissa(), divisor, exponent) {
        Some(exact) => Ok(exact),
        None => rounded_quotient(value.mantissa(), divisor, exponent),
    }
}

/// `dividend / divisor * 10^exponent`, if it ends within the range: a fraction in lowest terms
/// ends if its divisor has no primes but 2 and 5.
fn ending_quotient(dividend: i64, divisor: u64, exponent: i32) -> Option<Decimal> {
    let common = greatest_common_divisor(dividend.unsigned_abs(), divisor);
    let divisor = divisor.checked_div(common)?;
    let twos = divisor.trailing_zeros();
    let (mut fives, mut rest) = (0, divisor >> twos);
    while rest.is_multiple_of(5) {
        rest /= 5;
        fives += 1;
    }
    if rest != 1 {
        return None;
    }
    let places = twos.max(fives);
    let wide = i128::from(dividend) / i128::from(common);
    let wide = wide.checked_mul(10_i128.checked_pow(places)?)? / i128::from(divisor);
    fitted(i64::try_from(wide).ok()?, exponent.checked_sub_unsigned(places)?)
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// `dividend / divisor * 10^exponent`, rounded half to even, see [`apply`].
fn rounded_quotient(dividend: i64, divisor: u64, exponent: i32) -> Result<Decimal, Fault> {
    let size = dividend.unsigned_abs();
    let digits = |number: u64| number.checked_ilog10().map_or(1, |log| log + 1).cast_signed();
    // So many places give 14 or 15 digits, because the first digits are not compared.
    let full = QUOTIENT_DIGITS.cast_signed() - 1 + digits(divisor) - digits(size);
    let (quotient, ..) = scaled(size, divisor, full)?;
    let short = quotient < 10_u128.pow(QUOTIENT_DIGITS - 1);
    let places = (full + i32::from(short)).min(exponent + i32::from(Decimal::EXPONENT_MAX));
    let (floor, rest, divisor) = scaled(size, divisor, places)?;
    let up = match (rest * 2).cmp(&divisor) {
        Ordering::Less => false,
        Ordering::Equal => !floor.is_multiple_of(2),
        Ordering::Greater => true,
    };
    let mantissa = i64::try_from(floor + u128::from(up)).map_err(|_| Fault::Decoding)?;
    if mantissa == 0 {
        return Err(Fault::Decoding);
    }
    fitted(mantissa * dividend.signum(), exponent - places).ok_or(Fault::Decoding)
}

/// `mantissa * 10^exponent`, if a [`Decimal`] can hold it: it gives up trailing zeros for a
/// larger exponent and takes zeros on for a smaller one.
fn fitted(mantissa: i64, exponent: i32) -> Option<Decimal> {
    let limit = i32::from(Decimal::EXPONENT_MAX);
    let near = exponent.clamp(-limit, limit);
    let beyond = i8::try_from(exponent - near).ok()?;
    let number = Decimal::new(mantissa, i8::try_from(near).ok()?).ok()?;
    number.checked_mul(Decimal::new(1, beyond).ok()?).ok()
}

/// Quotient, remainder and divisor of `dividend * 10^places / divisor`.
fn scaled(dividend: u64, divisor: u64, places: i32) -> Result<(u128, u128, u128), Fault> {
    let power = 10_u128.checked_pow(places.unsigned_abs()).ok_or(Fault::Decoding)?;
    let (mut dividend, mut divisor) = (u128::from(dividend), u128::from(divisor));
    let widened = if places < 0 { &mut divisor } else { &mut dividend };
    *widened = widened.checked_mul(power).ok_or(Fault::Decoding)?;
    let floor = dividend.checked_div(divisor).ok_or(Fault::Decoding)?;
    Ok((floor, dividend % divisor, divisor))
}
