//! The values of a column, each kind by what it is made of.
//!
//! ```text
//! values   = kind(1)  ...                              nothing if there is no value
//! bool     = 1  column(of 0 and 1)
//! decimal  = 2  how(1)  exponent(1)  ...  column(of mantissas)
//!   same     = 0                                       all have this exponent
//!   shortest = 1  most(1)                              told at this exponent; spelled without idle zeros, up to `most`
//!   each     = 2  column(of exponents)                 told at this exponent, spelled at their own
//!   as given = 3  column(of exponents)                 as `each`, but mantissas at their own exponent
//! float    = 3  how(1)  ...
//!   decimals = 0  decimals(1)  column(of mantissas)    mantissa / 10^decimals
//!   singles  = 1  decimals(1)  column(of mantissas)    the same, rounded to a single
//!   f32, f64 = 2, 3  column(of bits in the order of the numbers)
//! text     = 4  column(of numbers in the dictionary)
//! mixed    = 5  column(of kinds)  values*              the values of each kind that occurs
//! ```
//! A sensor's float is a decimal far more often than not: as an integer it takes a tenth to a half less,
//! and is what the device meant. A form is taken only if every value comes back bit for bit.

use super::marks::Mask;
use super::{ChunkError, ints};
use crate::historian::bytes::{self, Bytes};
use crate::point::{Decimal, TextId, Value};

const BOOL: u8 = 1;
const DECIMAL: u8 = 2;
const FLOAT: u8 = 3;
const TEXT: u8 = 4;
const MIXED: u8 = 5;

const SAME: u8 = 0;
const SHORTEST: u8 = 1;
const EACH: u8 = 2;
const AS_GIVEN: u8 = 3;

const DECIMALS: u8 = 0;
const SINGLES: u8 = 1;
const F32: u8 = 2;
const F64: u8 = 3;

/// Most decimals a float is tried with.
const DECIMALS_MAX: u8 = 9;
/// Below these a step of the mantissa is wider than one of the float's bits, so it is the shorter.
const F32_MANTISSA_MAX: f64 = 8_388_608.0;
const F64_MANTISSA_MAX: f64 = 4_503_599_627_370_496.0;

/// The values of a column's readings, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// On or off.
    Bool(Vec<bool>),
    /// Decimals of one exponent.
    Decimal {
        /// See [`Decimal::exponent`].
        exponent: i8,
        /// See [`Decimal::mantissa`].
        mantissas: Vec<i64>,
    },
    /// Floats.
    F64(Vec<f64>),
    /// Words.
    Text(Vec<TextId>),
    /// Several kinds or exponents, or nothing at all.
    Mixed(Vec<Option<Value>>),
}

impl Values {
    /// How many readings.
    pub fn len(&self) -> usize {
        match self {
            Values::Bool(all) => all.len(),
            Values::Decimal { mantissas, .. } => mantissas.len(),
            Values::F64(all) => all.len(),
            Values::Text(all) => all.len(),
            Values::Mixed(all) => all.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of a reading that has one.
    pub fn get(&self, row: usize) -> Option<Value> {
        match self {
            Values::Bool(all) => all.get(row).copied().map(Value::Bool),
            Values::Decimal { exponent, mantissas } => {
                Decimal::new(*mantissas.get(row)?, *exponent).ok().map(Value::Decimal)
            }
            Values::F64(all) => all.get(row).copied().map(Value::F64),
            Values::Text(all) => all.get(row).copied().map(Value::Text),
            Values::Mixed(all) => all.get(row).copied().flatten(),
        }
    }

    /// One entry for each reading, from one for each that has a value.
    pub(super) fn spread(self, valid: &Mask) -> Values {
        if valid.is_full() {
            return self;
        }
        match self {
            Values::Bool(all) => Values::Bool(valid.spread(all)),
            Values::Decimal { exponent, mantissas } => {
                Values::Decimal { exponent, mantissas: valid.spread(mantissas) }
            }
            Values::F64(all) => Values::F64(valid.spread(all)),
            Values::Text(all) => {
                let ids = valid.spread(all.into_iter().map(|id| id.0).collect());
                Values::Text(ids.into_iter().map(TextId).collect())
            }
            Values::Mixed(all) => Values::Mixed(valid.spread(all)),
        }
    }
}

/// Appends the values.
pub fn encode(out: &mut Vec<u8>, values: &[Value]) {
    let Some(first) = values.first() else { return };
    if values.iter().all(|value| kind(*value) == kind(*first)) {
        return encode_kind(out, kind(*first), values);
    }
    out.push(MIXED);
    ints::encode(out, &values.iter().map(|value| kind(*value).into()).collect::<Vec<_>>());
    for own in [BOOL, DECIMAL, FLOAT, TEXT] {
        let values: Vec<Value> = values.iter().copied().filter(|value| kind(*value) == own).collect();
        if !values.is_empty() {
            encode_kind(out, own, &values);
        }
    }
}

/// Reads the first of `count` values; the bytes of all are taken.
pub fn decode(bytes: &mut Bytes<'_>, count: usize, first: usize) -> Result<Values, ChunkError> {
    if count == 0 {
        return Ok(Values::Mixed(vec![]));
    }
    match bytes.byte()? {
        MIXED => decode_mixed(bytes, count, first),
        kind => decode_kind(bytes, kind, count, first),
    }
}

fn kind(value: Value) -> u8 {
    match value {
        Value::Bool(_) => BOOL,
        Value::Decimal(_) => DECIMAL,
        Value::F64(_) => FLOAT,
        Value::Text(_) => TEXT,
    }
}

fn encode_kind(out: &mut Vec<u8>, kind: u8, values: &[Value]) {
    out.push(kind);
    match kind {
        DECIMAL => encode_decimals(out, &values.iter().filter_map(decimal).collect::<Vec<_>>()),
        FLOAT => encode_floats(out, &values.iter().filter_map(float).collect::<Vec<_>>()),
        _ => ints::encode(out, &values.iter().filter_map(code).collect::<Vec<_>>()),
    }
}

fn decimal(value: &Value) -> Option<Decimal> {
    if let Value::Decimal(number) = value { Some(*number) } else { None }
}

fn float(value: &Value) -> Option<f64> {
    if let Value::F64(number) = value { Some(*number) } else { None }
}

fn code(value: &Value) -> Option<i64> {
    match value {
        Value::Bool(on) => Some(i64::from(*on)),
        Value::Text(id) => Some(i64::from(id.0)),
        Value::Decimal(_) | Value::F64(_) => None,
    }
}

fn decode_kind(bytes: &mut Bytes<'_>, kind: u8, count: usize, first: usize) -> Result<Values, ChunkError> {
    let codes =
        |bytes: &mut Bytes<'_>| Ok::<_, ChunkError>(ints::decode_first(bytes, count, first)?.into_iter());
    match kind {
        BOOL => {
            let flag = |code| if matches!(code, 0 | 1) { Ok(code == 1) } else { Err(ChunkError::Malformed) };
            Ok(Values::Bool(codes(bytes)?.map(flag).collect::<Result<_, _>>()?))
        }
        DECIMAL => decode_decimals(bytes, count, first),
        FLOAT => decode_floats(bytes, count, first).map(Values::F64),
        TEXT => {
            let id = |code| u32::try_from(code).map(TextId).map_err(|_| ChunkError::Malformed);
            Ok(Values::Text(codes(bytes)?.map(id).collect::<Result<_, _>>()?))
        }
        _ => Err(ChunkError::Malformed),
    }
}

fn decode_mixed(bytes: &mut Bytes<'_>, count: usize, first: usize) -> Result<Values, ChunkError> {
    let kinds = ints::decode(bytes, count)?;
    let mut all = vec![None; count];
    let mut left = count;
    for own in [BOOL, DECIMAL, FLOAT, TEXT] {
        let places = kinds.iter().zip(&mut all).filter(|(kind, _)| **kind == i64::from(own));
        let places: Vec<&mut Option<Value>> = places.map(|(_, place)| place).collect();
        if places.is_empty() {
            continue;
        }
        if bytes.byte()? != own {
            return Err(ChunkError::Malformed);
        }
        left -= places.len();
        let values = decode_kind(bytes, own, places.len(), places.len())?;
        for (nth, place) in places.into_iter().enumerate() {
            *place = values.get(nth);
        }
    }
    all.truncate(first);
    if left == 0 { Ok(Values::Mixed(all)) } else { Err(ChunkError::Malformed) }
}

// === Decimals ===

fn encode_decimals(out: &mut Vec<u8>, decimals: &[Decimal]) {
    let exponents = || decimals.iter().map(|number| number.exponent());
    let (least, most) = (exponents().min().unwrap_or(0), exponents().max().unwrap_or(0));
    let own = || decimals.iter().map(|number| number.mantissa()).collect::<Vec<_>>();
    let told = decimals.iter().map(|number| number.mantissa_at(least)).collect::<Option<Vec<_>>>();
    let (how, mantissas) = match told {
        _ if least == most => (SAME, own()),
        Some(told) if told.iter().zip(exponents()).all(|(m, e)| shortest(*m, least, most).1 == e) => {
            (SHORTEST, told)
        }
        Some(told) => (EACH, told),
        None => (AS_GIVEN, own()),
    };
    out.extend([how, least.cast_unsigned()]);
    match how {
        SAME => {}
        SHORTEST => out.push(most.cast_unsigned()),
        _ => ints::encode(out, &exponents().map(i64::from).collect::<Vec<_>>()),
    }
    ints::encode(out, &mantissas);
}

fn decode_decimals(bytes: &mut Bytes<'_>, count: usize, first: usize) -> Result<Values, ChunkError> {
    let numbers = |bytes: &mut Bytes<'_>| ints::decode_first(bytes, count, first);
    let (how, least) = (bytes.byte()?, bytes.byte()?.cast_signed());
    if Decimal::new(0, least).is_err() {
        return Err(ChunkError::Malformed);
    }
    let spelled: Vec<(i64, i8)> = match how {
        SAME => return Ok(Values::Decimal { exponent: least, mantissas: numbers(bytes)? }),
        SHORTEST => {
            let most = bytes.byte()?.cast_signed();
            let told = numbers(bytes)?;
            told.into_iter().map(|mantissa| shortest(mantissa, least, most)).collect()
        }
        EACH | AS_GIVEN => {
            let exponents = numbers(bytes)?;
            let told = numbers(bytes)?.into_iter().zip(exponents);
            let spell = |(mantissa, exponent)| {
                let exponent = i8::try_from(exponent).ok()?;
                let idle = if how == EACH { exponent.checked_sub(least)? } else { 0 };
                Some((mantissa / power(idle)?, exponent))
            };
            told.map(spell).collect::<Option<_>>().ok_or(ChunkError::Malformed)?
        }
        _ => return Err(ChunkError::Malformed),
    };
    let decimal =
        |(mantissa, exponent)| Decimal::new(mantissa, exponent).map(|number| Some(Value::Decimal(number)));
    let decimals = spelled.into_iter().map(decimal).collect::<Result<_, _>>();
    Ok(Values::Mixed(decimals.map_err(|_| ChunkError::Malformed)?))
}

/// The number without idle zeros, its exponent at most `most`: how a program prints what it measured.
fn shortest(mut mantissa: i64, mut exponent: i8, most: i8) -> (i64, i8) {
    while exponent < most && mantissa % 10 == 0 {
        mantissa /= 10;
        exponent += 1;
    }
    (mantissa, exponent)
}

/// Ten to the power, as far as 64 bits go.
fn power(exponent: i8) -> Option<i64> {
    10_i64.checked_pow(u32::try_from(exponent).ok()?)
}

// === Floats ===

fn encode_floats(out: &mut Vec<u8>, floats: &[f64]) {
    let singles: Option<Vec<f32>> = floats.iter().map(|number| bytes::single(*number)).collect();
    let fitting = |how| {
        (0..=DECIMALS_MAX).find_map(|decimals| {
            let told =
                floats.iter().map(|number| told(*number, decimals, how)).collect::<Option<Vec<_>>>()?;
            Some((how, decimals, told))
        })
    };
    let decimals = fitting(DECIMALS).or_else(|| singles.as_ref().and_then(|_| fitting(SINGLES)));
    if let Some((how, decimals, mantissas)) = decimals {
        out.extend([how, decimals]);
        return ints::encode(out, &mantissas);
    }
    let bits: Vec<i64> = if let Some(singles) = singles {
        out.push(F32);
        singles.iter().map(|number| ordered_32(number.to_bits().cast_signed()).into()).collect()
    } else {
        out.push(F64);
        floats.iter().map(|number| ordered_64(number.to_bits().cast_signed())).collect()
    };
    ints::encode(out, &bits);
}

fn decode_floats(bytes: &mut Bytes<'_>, count: usize, first: usize) -> Result<Vec<f64>, ChunkError> {
    let numbers = |bytes: &mut Bytes<'_>| ints::decode_first(bytes, count, first);
    match bytes.byte()? {
        how @ (DECIMALS | SINGLES) => {
            let decimals = Some(bytes.byte()?).filter(|decimals| *decimals <= DECIMALS_MAX);
            let divisor = 10_f64.powi(decimals.ok_or(ChunkError::Malformed)?.into());
            let mantissas = numbers(bytes)?;
            Ok(mantissas.into_iter().map(|mantissa| float_of(mantissa, divisor, how)).collect())
        }
        F32 => {
            let single = |bits| {
                let bits = i32::try_from(bits).map_err(|_| ChunkError::Malformed)?;
                Ok(f64::from(f32::from_bits(ordered_32(bits).cast_unsigned())))
            };
            numbers(bytes)?.into_iter().map(single).collect()
        }
        F64 => {
            let double = |bits| f64::from_bits(ordered_64(bits).cast_unsigned());
            Ok(numbers(bytes)?.into_iter().map(double).collect())
        }
        _ => Err(ChunkError::Malformed),
    }
}

/// The mantissa from which the same float comes back bit for bit, if there is a short one.
#[expect(clippy::cast_possible_truncation, reason = "within 52 bits, and the last line proves it")]
fn told(number: f64, decimals: u8, how: u8) -> Option<i64> {
    let divisor = 10_f64.powi(decimals.into());
    let most = if how == SINGLES { F32_MANTISSA_MAX } else { F64_MANTISSA_MAX };
    let mantissa = (number * divisor).round();
    if mantissa.abs() > most {
        return None;
    }
    let mantissa = mantissa as i64;
    (float_of(mantissa, divisor, how).to_bits() == number.to_bits()).then_some(mantissa)
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a mantissa that was written is within 52 bits; a single is meant to be rounded"
)]
fn float_of(mantissa: i64, divisor: f64, how: u8) -> f64 {
    let number = mantissa as f64 / divisor;
    if how == SINGLES { f64::from(number as f32) } else { number }
}

/// The bits of a float as a number that rises with it, and back.
fn ordered_32(bits: i32) -> i32 {
    bits ^ (bits >> 31).cast_unsigned().wrapping_shr(1).cast_signed()
}

/// As [`ordered_32`].
fn ordered_64(bits: i64) -> i64 {
    bits ^ (bits >> 63).cast_unsigned().wrapping_shr(1).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimals(count: i64, make: impl Fn(i64) -> (i64, i8)) -> Vec<Value> {
        let number = |n| {
            let (mantissa, exponent) = make(n);
            Value::Decimal(Decimal::new(mantissa, exponent).unwrap())
        };
        (0..count).map(number).collect()
    }

    fn floats(make: impl Fn(f64) -> f64) -> Vec<Value> {
        (0..1_000_i32).map(|n| Value::F64(make(f64::from(n * 7_919 % 1_001)))).collect()
    }

    #[expect(clippy::cast_possible_truncation, reason = "what a device with single precision sends")]
    fn single(number: f64) -> f64 {
        f64::from(number as f32)
    }

    fn noise(n: i64) -> i64 {
        (n * 7_919 + 13) % 1_001
    }

    /// What the program of a device prints: as few decimals as the number needs, but one.
    fn printed(n: i64) -> (i64, i8) {
        shortest(noise(n), -2, -1)
    }

    /// The kind and the form of each, and the most bytes a value may take.
    #[test]
    fn each_form_is_taken_where_it_fits() {
        for (values, head, most) in [
            (decimals(1_000, |n| (noise(n), -1)), vec![DECIMAL, SAME], 1.4),
            (decimals(1_000, printed), vec![DECIMAL, SHORTEST], 1.4),
            (decimals(1_000, |n| (noise(n), if n < 500 { -1 } else { -2 })), vec![DECIMAL, EACH], 2.0),
            (decimals(2, |n| if n == 0 { (i64::MAX, 18) } else { (1, -18) }), vec![DECIMAL, AS_GIVEN], 30.0),
            (floats(|n| n / 100.0), vec![FLOAT, DECIMALS, 2], 1.4),
            (floats(|n| single(n / 10.0)), vec![FLOAT, SINGLES, 1], 1.4),
            (floats(|n| single(n.sqrt())), vec![FLOAT, F32], 3.2),
            (floats(f64::sqrt), vec![FLOAT, F64], 7.2),
            (floats(|n| n * -0.0), vec![FLOAT, F32], 0.1),
            (vec![Value::Bool(true); 1_000], vec![BOOL], 0.1),
            (vec![Value::Text(TextId(u32::MAX)); 1_000], vec![TEXT], 0.1),
            (vec![Value::Bool(true), Value::Text(TextId(1))], vec![MIXED], 8.0),
        ] {
            let mut out = Vec::new();
            encode(&mut out, &values);
            assert!(out.starts_with(&head), "{head:?}: {:?}", &out[..4]);
            let each = f64::from(u32::try_from(out.len()).unwrap())
                / f64::from(u32::try_from(values.len()).unwrap());
            assert!(each <= most, "{head:?}: {each}");
            let mut bytes = Bytes(&out);
            let back = decode(&mut bytes, values.len(), values.len()).unwrap();
            let back: Vec<Value> = (0..back.len()).filter_map(|n| back.get(n)).collect();
            assert_eq!(format!("{back:?}"), format!("{values:?}"));
        }
    }
}
