//! Registers to raw values: every type in every order, exact, or a fault; never a wrong value. Pure.
//!
//! Reading order: [`decode`] (what one cell holds), [`point`] (with its sentinels and factors),
//! `bytes` (orders, integers, floats), `text`, `date`, `factor`.

mod bytes;
mod text;
mod date;
mod factor;
#[cfg(test)]
mod tests;

use crate::config::{Bits, Cell, DateLayout, Encoding, Means, Order, OrderFrom, Register, Sentinel};
use crate::field::{Fault, Raw, Sample};
use crate::point::{Decimal, PointId, Value};
use bytes::Pattern;
use jiff::tz::TimeZone;

/// The value in `words`, which are the items of `cell` and no others.
///
/// `order` stands apart from the cell because the device may be the one who says it
/// ([`order_from`]). `zone` is the one the device's clock shows. Dates are seconds since 1970 UTC;
/// floats come as the binary number the device sent; anything else that is a number comes exactly,
/// as an integer. An empty text is a value: a message register that is empty says that there is
/// no message, and a fault would keep the last one standing.
///
/// # Errors
/// - [`Fault::Sensor`]: a float that is no number; NaN and infinity are how devices say that a
///   sensor is broken.
/// - [`Fault::NotAvailable`]: a date that was never set.
/// - [`Fault::Decoding`]: another count of words than the cell takes, an order the type cannot
///   come in, or bits that are no value of the type. So is a `u64` above 2^63 - 1, which a
///   [`Decimal`] cannot hold: rounding a counter would be a wrong value.
pub fn decode(words: &[u16], cell: Cell, order: Order, zone: &TimeZone) -> Result<Raw, Fault> {
    check(words, cell, order)?;
    if let Some(bits) = cell.bits {
        return some_bits(words, cell.encoding, order, bits).map(Raw::Value);
    }
    let value = match cell.encoding {
        Encoding::Text(bytes) => return text::read(words, bytes, order).map(Raw::Text),
        Encoding::Date(layout) => Value::Decimal(date::read(words, layout, order, zone)?),
        Encoding::Bool => Value::Bool(words.iter().any(|item| *item != 0)),
        encoding if encoding.is_float() => {
            let number = Pattern::of(words, encoding, order)?.float().ok_or(Fault::Decoding)?;
            Value::F64(Some(number).filter(|number| number.is_finite()).ok_or(Fault::Sensor)?)
        }
        encoding => integer(Pattern::of(words, encoding, order)?.whole(encoding)?),
    };
    Ok(Raw::Value(value))
}

/// The order the device says it writes in; `words` are the items of `from.cell`.
///
/// # Errors
/// Those of [`decode`]; [`Fault::Decoding`] for a value that is not in the list: a guess would
/// give values that look right.
pub fn order_from(words: &[u16], from: &OrderFrom, zone: &TimeZone) -> Result<Order, Fault> {
    let said = match decode(words, from.cell, from.cell.order, zone)? {
        Raw::Value(Value::Decimal(number)) => number.mantissa_at(0),
        Raw::Value(Value::Bool(on)) => Some(i64::from(on)),
        _ => None,
    };
    let listed = from.orders.iter().find(|(raw, _)| Some(*raw) == said);
    listed.map(|(_, order)| *order).ok_or(Fault::Decoding)
}

/// The raw value of a point: what `words` hold in `order`, unless it is a sentinel, with
/// `factors` (those of the register, in its order) applied.
///
/// # Errors
/// The fault a sentinel stands for; those of [`decode`]; those of a factor that cannot be used,
/// see [`factor::apply`].
pub fn point(
    words: &[u16],
    register: &Register,
    order: Order,
    factors: &[Raw],
    zone: &TimeZone,
) -> Result<Raw, Fault> {
    if factors.len() != register.factors.len() {
        return Err(Fault::Decoding);
    }
    check(words, register.cell, order)?;
    if let Some(sentinel) = sentinel(words, register.cell.encoding, order, &register.sentinels) {
        return Err(match sentinel.means {
            Means::Sensor => Fault::Sensor,
            Means::NotAvailable => Fault::NotAvailable,
            Means::OutOfRange => Fault::OutOfRange,
        });
    }
    let value = decode(words, register.cell, order, zone)?;
    let factors = register.factors.iter().zip(factors);
    factors.into_iter().try_fold(value, |value, (factor, raw)| factor::apply(&value, factor.role, raw))
}

/// How the values are read that most maps are made of, 50,000 times a second: numbers of one or two
/// registers without anything about them. [`point`] comes to the same result the long way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plain {
    U16,
    I16,
    U32,
    I32,
    F32,
    /// The less significant register first.
    U32Swapped,
    I32Swapped,
    F32Swapped,
}

impl Plain {
    /// Of a register that can be read so.
    pub fn of(register: &Register) -> Option<Plain> {
        let Register { cell, order_from, sentinels, factors, .. } = register;
        if cell.bits.is_some() || order_from.is_some() || !sentinels.is_empty() || !factors.is_empty() {
            return None;
        }
        match (cell.encoding, cell.order) {
            (Encoding::U16, Order::Abcd) => Some(Plain::U16),
            (Encoding::I16, Order::Abcd) => Some(Plain::I16),
            (Encoding::U32, Order::Abcd) => Some(Plain::U32),
            (Encoding::I32, Order::Abcd) => Some(Plain::I32),
            (Encoding::F32, Order::Abcd) => Some(Plain::F32),
            (Encoding::U32, Order::Cdab) => Some(Plain::U32Swapped),
            (Encoding::I32, Order::Cdab) => Some(Plain::I32Swapped),
            (Encoding::F32, Order::Cdab) => Some(Plain::F32Swapped),
            _ => None,
        }
    }

    /// Samples of the points whose values begin at these places in the items of an answer: values
    /// or errors as [`point`] gives them. The kind is looked at once for all of them, not for each.
    pub fn read(self, items: &[u16], places: &[(PointId, usize)], samples: &mut Vec<Sample>) {
        let one = |from: usize| items.get(from).copied().ok_or(Fault::Decoding);
        let two = |from: usize| match items.get(from..) {
            Some([first, second, ..]) => Ok((u32::from(*first), u32::from(*second))),
            _ => Err(Fault::Decoding),
        };
        let wide = |from| two(from).map(|(high, low)| high << 16 | low);
        let swapped = |from| two(from).map(|(low, high)| high << 16 | low);
        match self {
            Plain::U16 => each(places, samples, |from| one(from).map(whole)),
            Plain::I16 => each(places, samples, |from| one(from).map(u16::cast_signed).map(whole)),
            Plain::U32 => each(places, samples, |from| wide(from).map(whole)),
            Plain::I32 => each(places, samples, |from| wide(from).map(u32::cast_signed).map(whole)),
            Plain::F32 => each(places, samples, |from| wide(from).and_then(single)),
            Plain::U32Swapped => each(places, samples, |from| swapped(from).map(whole)),
            Plain::I32Swapped => each(places, samples, |from| swapped(from).map(u32::cast_signed).map(whole)),
            Plain::F32Swapped => each(places, samples, |from| swapped(from).and_then(single)),
        }
    }
}

#[inline]
fn each(places: &[(PointId, usize)], samples: &mut Vec<Sample>, value: impl Fn(usize) -> Result<Raw, Fault>) {
    samples.extend(places.iter().map(|(point, from)| Sample { point: *point, raw: value(*from) }));
}

#[inline]
fn whole(number: impl Into<i64>) -> Raw {
    Raw::Value(integer(number.into()))
}

/// A binary32, unless it is no number.
#[inline]
fn single(bits: u32) -> Result<Raw, Fault> {
    let number = f64::from(f32::from_bits(bits));
    if number.is_finite() { Ok(Raw::Value(Value::F64(number))) } else { Err(Fault::Sensor) }
}

/// The words are those of the cell, and its type can come in that order.
fn check(words: &[u16], cell: Cell, order: Order) -> Result<(), Fault> {
    let fits = |items: u16| usize::from(items) == words.len();
    // The order a device says may take another number of registers (text) than were read.
    let right = fits(cell.items()) && fits(cell.encoding.items(order)) && cell.encoding.takes(order);
    right.then_some(()).ok_or(Fault::Decoding)
}

fn some_bits(words: &[u16], encoding: Encoding, order: Order, bits: Bits) -> Result<Value, Fault> {
    if !encoding.is_integer() {
        return Err(Fault::Decoding);
    }
    let pattern = Pattern::of(words, encoding, order)?;
    match bits {
        Bits::One(bit) => pattern.range(bit, bit).map(|bit| Value::Bool(bit != 0)),
        Bits::Range { first, last } => pattern.range(first, last).and_then(exact).map(integer),
    }
}

/// The sentinel that stands in `words`: by its bits, whatever part of them the point is.
fn sentinel<'a>(
    words: &[u16],
    encoding: Encoding,
    order: Order,
    sentinels: &'a [Sentinel],
) -> Option<&'a Sentinel> {
    if sentinels.is_empty() || matches!(encoding, Encoding::Text(_) | Encoding::Date(DateLayout::Words)) {
        return None;
    }
    let pattern = Pattern::of(words, encoding, order).ok()?;
    sentinels.iter().find(|sentinel| is_sentinel(pattern, encoding, sentinel.raw))
}

/// Whether the bits read as `raw`, or are `raw` as an unsigned number.
///
/// The two cannot be taken for each other: an integer is one number in either reading or `raw` is
/// outside one of the two; for digits (BCD, modulo 10,000) the bits count only where they are no
/// digits. Signed reading of an unsigned type is how the 64 ones of a `u64` are written: -1.
fn is_sentinel(pattern: Pattern, encoding: Encoding, raw: Decimal) -> bool {
    if let Some(number) = pattern.float() {
        return pattern.nearest(factor::to_f64(raw)) == Some(number);
    }
    let Some(whole) = raw.mantissa_at(0) else { return false };
    let as_bits = u64::try_from(whole) == Ok(pattern.unsigned());
    match pattern.whole(encoding) {
        Ok(digits) if !encoding.is_integer() => digits == whole,
        _ => as_bits || (encoding.is_integer() && pattern.signed() == whole),
    }
}

fn integer(number: i64) -> Value {
    Value::Decimal(Decimal::from_int(number))
}

/// What a [`Decimal`] can hold of 64 bits.
fn exact(number: u64) -> Result<i64, Fault> {
    i64::try_from(number).map_err(|_| Fault::Decoding)
}
