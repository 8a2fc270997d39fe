//! The order of registers and bytes, and the numbers made of them.

use super::exact;
use crate::config::{Encoding, Order};
use crate::field::Fault;

/// The register that is number `index`, most significant first, when the device writes in
/// `order`; its bytes are the right way round.
pub fn register(words: &[u16], order: Order, index: usize) -> Result<u16, Fault> {
    let from_end = words.len().checked_sub(index + 1).ok_or(Fault::Decoding)?;
    let place = match order {
        Order::Abcd | Order::Badc | Order::HighByte | Order::LowByte => index,
        Order::Cdab | Order::Dcba => from_end,
        Order::Cdabghef => index ^ 1,
        Order::Efghabcd => index ^ 2,
    };
    let word = *words.get(place).ok_or(Fault::Decoding)?;
    Ok(if matches!(order, Order::Badc | Order::Dcba) { word.swap_bytes() } else { word })
}

/// The bits of a value of up to four registers.
#[derive(Clone, Copy, Debug)]
pub struct Pattern {
    bits: u64,
    /// 8 to 64.
    width: u32,
    float: bool,
}

impl Pattern {
    /// Those of `encoding` in `words`. Of a byte type only the byte: the low one, which
    /// [`Order::Badc`] has put in the high half.
    pub fn of(words: &[u16], encoding: Encoding, order: Order) -> Result<Pattern, Fault> {
        let width = match (encoding, words.len()) {
            (Encoding::U8 | Encoding::I8, 1) => 8,
            (_, 1) => 16,
            (_, 2) => 32,
            (_, 3) => 48,
            (_, 4) => 64,
            _ => return Err(Fault::Decoding),
        };
        let mut bits = 0;
        for index in 0..words.len() {
            bits = bits << 16 | u64::from(register(words, order, index)?);
        }
        Ok(Pattern { bits: bits & ones(width), width, float: encoding.is_float() })
    }

    /// As an unsigned number.
    pub fn unsigned(self) -> u64 {
        self.bits
    }

    /// As two's complement.
    pub fn signed(self) -> i64 {
        let unused = 64 - self.width;
        (self.bits << unused).cast_signed() >> unused
    }

    /// Bits `first` to `last`, both included, as an unsigned number.
    pub fn range(self, first: u8, last: u8) -> Result<u64, Fault> {
        if first > last || u32::from(last) >= self.width {
            return Err(Fault::Decoding);
        }
        Ok(self.bits >> first & ones(u32::from(last - first) + 1))
    }

    /// As the whole number an integer, BCD or modulo-10,000 type means.
    pub fn whole(self, encoding: Encoding) -> Result<i64, Fault> {
        use Encoding::{Bcd, I8, I16, I32, I48, I64, Mod10k, U8, U16, U32, U48, U64};
        match encoding {
            U8 | U16 | U32 | U48 | U64 => exact(self.bits),
            I8 | I16 | I32 | I48 | I64 => Ok(self.signed()),
            Bcd(_) => self.digits(4, 10),
            Mod10k(_) => self.digits(16, 10_000),
            _ => Err(Fault::Decoding),
        }
    }

    /// Digits of `bits` bits each to the base `base`, most significant first. A digit beyond the
    /// base means that this is no such number.
    fn digits(self, bits: u32, base: u64) -> Result<i64, Fault> {
        let mut number = 0;
        for place in (0..self.width / bits).rev() {
            let digit = self.bits >> (place * bits) & ones(bits);
            if digit >= base {
                return Err(Fault::Decoding);
            }
            // At most 16 decimal digits: far below 2^64.
            number = number * base + digit;
        }
        exact(number)
    }

    /// As IEEE 754 binary16, 32 or 64, exactly; none for a type that is no float.
    pub fn float(self) -> Option<f64> {
        match self.width {
            16 if self.float => u16::try_from(self.bits).ok().map(half),
            32 if self.float => u32::try_from(self.bits).ok().map(|bits| f64::from(f32::from_bits(bits))),
            64 if self.float => Some(f64::from_bits(self.bits)),
            _ => None,
        }
    }

    /// What a device that writes this type makes of `number`: -999.9 is -1000 in half precision.
    pub fn nearest(self, number: f64) -> Option<f64> {
        match self.width {
            16 if self.float => Some(nearest_half(number)),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "rounds to the nearest, which is the purpose"
            )]
            32 if self.float => Some(f64::from(number as f32)),
            64 if self.float => Some(number),
            _ => None,
        }
    }
}

/// So many ones; 1 to 64.
fn ones(width: u32) -> u64 {
    u64::MAX >> 64_u32.saturating_sub(width)
}

/// IEEE 754-2008 §3.4, binary16: 1 bit sign, 5 bits exponent (bias 15), 10 bits fraction.
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1F), f64::from(bits & 0x3FF));
    let size = match exponent {
        0 => fraction * power_of_two(-24),
        0x1F if fraction == 0.0 => f64::INFINITY,
        0x1F => f64::NAN,
        _ => (1024.0 + fraction) * power_of_two(exponent - 25),
    };
    if bits & 0x8000 == 0 { size } else { -size }
}

/// The nearest number of binary16, ties to even, for a number that has one.
fn nearest_half(number: f64) -> f64 {
    // The exponent of a binary64 is exact; below 2^-14 the steps of binary16 get no finer.
    let exponent = i32::from((number.to_bits() >> 52 & 0x7FF) as u16) - 1023;
    let step = power_of_two(exponent.max(-14) - 10);
    (number / step).round_ties_even() * step
}

/// Exactly 2^exponent, for -1022 to 1023.
fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(u64::from((exponent + 1023).unsigned_abs()) << 52)
}
