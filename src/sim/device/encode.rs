//! Raw values to registers: what `field::decode` reads, written as a device would. Pure.

use crate::config::{Bits, Cell, DateLayout, Encoding, Order};
use jiff::tz::TimeZone;

/// A raw value on its way into registers.
#[derive(Clone, Debug, PartialEq)]
pub enum Written {
    /// A whole number: integers, digits, bits; of a date seconds since 1970 UTC.
    Whole(i64),
    /// A binary float.
    Float(f64),
    /// A text.
    Text(String),
}

/// Words with the bits of them that count; the other bits of a register belong to others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// Each word and its mask.
    pub masked: Vec<(u16, u16)>,
}

/// The least and the greatest whole number a cell can hold; none where it holds no whole number.
pub fn limits(encoding: Encoding, bits: Option<Bits>) -> Option<(i64, i64)> {
    use Encoding::{Bcd, Bool, I8, I16, I32, I48, I64, Mod10k, U8, U16, U32, U48, U64};
    let unsigned = |bits: u32| (0, i64::MAX >> 63_u32.saturating_sub(bits));
    let signed = |bits: u32| {
        let most = i64::MAX >> (64 - bits);
        (-most - 1, most)
    };
    match (bits, encoding) {
        (Some(Bits::One(_)), _) | (None, Bool) => Some((0, 1)),
        (Some(Bits::Range { first, last }), _) => Some(unsigned(u32::from(last.saturating_sub(first)) + 1)),
        (None, U8) => Some(unsigned(8)),
        (None, U16) => Some(unsigned(16)),
        (None, U32) => Some(unsigned(32)),
        (None, U48) => Some(unsigned(48)),
        // Beyond 2^63 - 1 nobody could read it.
        (None, U64) => Some((0, i64::MAX)),
        (None, I8) => Some(signed(8)),
        (None, I16) => Some(signed(16)),
        (None, I32) => Some(signed(32)),
        (None, I48) => Some(signed(48)),
        (None, I64) => Some((i64::MIN, i64::MAX)),
        (None, Bcd(registers) | Mod10k(registers)) => {
            Some((0, 10_i64.checked_pow(4 * u32::from(registers))?.checked_sub(1)?))
        }
        (None, _) => None,
    }
}

/// The words of a value in a cell, written in `order`; `zone` is the one the device's clock shows.
/// None for what the cell cannot hold.
pub fn encode(value: &Written, cell: Cell, order: Order, zone: &TimeZone) -> Option<Words> {
    match (value, cell.encoding) {
        (Written::Text(text), Encoding::Text(bytes)) => Some(text_words(text, bytes, order)),
        (Written::Whole(seconds), Encoding::Date(layout)) => date_words(*seconds, layout, order, zone),
        (Written::Whole(flag), Encoding::Bool) => Some(whole_words(&[u16::from(*flag != 0)])),
        (Written::Float(number), encoding) if encoding.is_float() => float_words(*number, encoding, order),
        (Written::Whole(number), encoding) => integer_words(*number, encoding, cell.bits, order),
        _ => None,
    }
}

fn integer_words(number: i64, encoding: Encoding, bits: Option<Bits>, order: Order) -> Option<Words> {
    let (least, most) = limits(encoding, bits)?;
    if !(least..=most).contains(&number) {
        return None;
    }
    let width = match encoding {
        Encoding::U8 | Encoding::I8 => 8,
        other => 16 * u32::from(other.items(order)),
    };
    let all = u64::MAX >> 64_u32.saturating_sub(width);
    let (pattern, mask) = match (encoding, bits) {
        (_, Some(Bits::One(bit))) => shifted(number, bit, bit),
        (_, Some(Bits::Range { first, last })) => shifted(number, first, last),
        (Encoding::Bcd(_), None) => (digits(number.cast_unsigned(), 10, 4), all),
        (Encoding::Mod10k(_), None) => (digits(number.cast_unsigned(), 10_000, 16), all),
        _ => (number.cast_unsigned(), all),
    };
    Some(pattern_words(pattern & all, mask & all, encoding.items(order), order))
}

fn shifted(number: i64, first: u8, last: u8) -> (u64, u64) {
    let ones = u64::MAX >> 63_u32.saturating_sub(u32::from(last.saturating_sub(first)));
    (number.cast_unsigned() << first, ones << first)
}

/// Digits to the base `base`, each in so many bits.
fn digits(mut number: u64, base: u64, bits: u32) -> u64 {
    let (mut pattern, mut place) = (0, 0);
    while number > 0 && place < 64 {
        pattern |= (number % base) << place;
        number /= base;
        place += bits;
    }
    pattern
}

fn float_words(number: f64, encoding: Encoding, order: Order) -> Option<Words> {
    let pattern = match encoding {
        Encoding::F16 => u64::from(half(number)),
        #[expect(clippy::cast_possible_truncation, reason = "the device has single precision")]
        Encoding::F32 => u64::from((number as f32).to_bits()),
        Encoding::F64 => number.to_bits(),
        _ => return None,
    };
    Some(pattern_words(pattern, u64::MAX, encoding.items(order), order))
}

/// IEEE 754-2008, binary16: the nearest, ties to even; what is too large is the largest there is.
fn half(number: f64) -> u16 {
    let sign = if number.is_sign_negative() { 0x8000 } else { 0 };
    if number.is_nan() {
        return 0x7E00;
    }
    let size = number.abs().min(65_504.0);
    // Below 2^-14 the steps get no finer.
    let exponent = (i32::from((size.to_bits() >> 52 & 0x7FF) as u16) - 1023).max(-14);
    let steps = (size / f64::from(exponent - 10).exp2()).round_ties_even();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 2,048 steps")]
    let steps = steps as u16;
    let above = u16::try_from(exponent + 14).unwrap_or(0);
    // 1,024 steps are the hidden bit, which counts as one exponent more.
    sign | ((above << 10) + steps)
}

/// The registers of a pattern, most significant first, put where `order` has them.
fn pattern_words(pattern: u64, mask: u64, items: u16, order: Order) -> Words {
    let count = usize::from(items);
    let mut masked = vec![(0, 0); count];
    for index in 0..count {
        let shift = 16 * (count - 1 - index);
        let word = |of: u64| {
            let [.., high, low] = (of >> shift).to_be_bytes();
            let word = u16::from_be_bytes([high, low]);
            if matches!(order, Order::Badc | Order::Dcba) { word.swap_bytes() } else { word }
        };
        if let Some(place) = masked.get_mut(place(order, index, count)) {
            *place = (word(pattern), word(mask));
        }
    }
    Words { masked }
}

/// Where the register stands that is number `index`, most significant first.
fn place(order: Order, index: usize, count: usize) -> usize {
    match order {
        Order::Abcd | Order::Badc | Order::HighByte | Order::LowByte => index,
        Order::Cdab | Order::Dcba => count - 1 - index,
        Order::Cdabghef => index ^ 1,
        Order::Efghabcd => index ^ 2,
    }
}

fn whole_words(words: &[u16]) -> Words {
    Words { masked: words.iter().map(|word| (*word, u16::MAX)).collect() }
}

/// So many bytes of UTF-8, cut between characters, filled up with zeros.
fn text_words(text: &str, bytes: u16, order: Order) -> Words {
    let mut end = text.len().min(usize::from(bytes));
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut content = text.as_bytes().get(..end).unwrap_or_default().to_vec();
    let one_each = matches!(order, Order::HighByte | Order::LowByte);
    content.resize(usize::from(if one_each { bytes } else { bytes.next_multiple_of(2) }), 0);
    let words: Vec<u16> = match order {
        Order::HighByte => content.iter().map(|byte| u16::from(*byte) << 8).collect(),
        Order::LowByte => content.iter().map(|byte| u16::from(*byte)).collect(),
        _ => {
            let (pairs, _) = content.as_chunks::<2>();
            let word = |pair: &[u8; 2]| u16::from_be_bytes(*pair);
            let swap = order == Order::Badc;
            pairs.iter().map(|pair| if swap { word(pair).swap_bytes() } else { word(pair) }).collect()
        }
    };
    whole_words(&words)
}

/// A moment as the device's clock shows it; layouts as in `field::decode`.
fn date_words(seconds: i64, layout: DateLayout, order: Order, zone: &TimeZone) -> Option<Words> {
    if layout == DateLayout::Unix {
        let pattern = u64::from(u32::try_from(seconds).ok()?);
        return Some(pattern_words(pattern, u64::MAX, 2, order));
    }
    let civil = jiff::Timestamp::from_second(seconds).ok()?.to_zoned(zone.clone()).datetime();
    let of_century = u16::try_from(civil.year() - 2_000).ok().filter(|year| *year < 100)?;
    let small = |part: i8| u16::from(part.unsigned_abs());
    let (month, day) = (small(civil.month()), small(civil.day()));
    let (hour, minute, second) = (small(civil.hour()), small(civil.minute()), small(civil.second()));
    let words = match layout {
        DateLayout::Words => vec![of_century + 2_000, month, day, hour, minute, second],
        DateLayout::Iec870 => vec![of_century, month << 8 | day, hour << 8 | minute, second * 1_000],
        DateLayout::Bytes => vec![of_century << 8 | month, day << 8 | hour, minute << 8 | second],
        DateLayout::Bcd | DateLayout::Unix => {
            let two = |part: u16| ((part / 10) << 4) | (part % 10);
            vec![two(of_century) << 8 | two(month), two(day) << 8 | two(hour), two(minute) << 8 | two(second)]
        }
    };
    let count = words.len();
    let mut placed = vec![0; count];
    for (index, word) in words.into_iter().enumerate() {
        let word = if matches!(order, Order::Badc | Order::Dcba) { word.swap_bytes() } else { word };
        if let Some(spot) = placed.get_mut(place(order, index, count)) {
            *spot = word;
        }
    }
    Some(whole_words(&placed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Table;
    use crate::field::decode::decode;
    use crate::field::{Fault, Raw};
    use crate::point::{Decimal, Value};
    use proptest::prelude::*;

    const ORDERS: [Order; 8] = [
        Order::Abcd,
        Order::Cdab,
        Order::Badc,
        Order::Dcba,
        Order::Cdabghef,
        Order::Efghabcd,
        Order::HighByte,
        Order::LowByte,
    ];

    const LAYOUTS: [DateLayout; 5] =
        [DateLayout::Bcd, DateLayout::Bytes, DateLayout::Iec870, DateLayout::Unix, DateLayout::Words];

    fn read(value: &Written, encoding: Encoding, bits: Option<Bits>, order: Order) -> Result<Raw, Fault> {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let cell = Cell { order, bits, ..Cell::new(Table::Holding, 0, encoding) };
        let words = encode(value, cell, order, &zone).unwrap_or_else(|| panic!("{value:?} {encoding}"));
        let words: Vec<u16> = words.masked.iter().map(|(word, mask)| word & mask).collect();
        decode(&words, cell, order, &zone)
    }

    fn orders(encoding: Encoding) -> impl Iterator<Item = Order> {
        ORDERS.into_iter().filter(move |order| encoding.takes(*order))
    }

    fn int(number: i64) -> Raw {
        Raw::Value(Value::Decimal(Decimal::from_int(number)))
    }

    proptest! {
        #[test]
        fn whole_numbers_come_back_in_every_type_and_order(number: i64) {
            for encoding in Encoding::words().filter_map(|word| word.parse::<Encoding>().ok()) {
                let Some((least, most)) = limits(encoding, None).filter(|_| encoding != Encoding::Bool) else {
                    continue;
                };
                let span = i128::from(most) - i128::from(least) + 1;
                let fitted = i64::try_from(i128::from(number).rem_euclid(span) + i128::from(least)).unwrap();
                for number in [fitted, least, most] {
                    for order in orders(encoding) {
                        let back = read(&Written::Whole(number), encoding, None, order);
                        prop_assert_eq!(back, Ok(int(number)), "{} {}", encoding, order);
                    }
                }
                let over = Written::Whole(most.saturating_add(1));
                let cell = Cell::new(Table::Holding, 0, encoding);
                prop_assert!(most == i64::MAX || encode(&over, cell, Order::Abcd, &TimeZone::UTC).is_none());
            }
        }

        #[test]
        fn bits_come_back_and_leave_their_neighbours_alone(number: u64, first in 0_u8..64, width in 0_u8..62) {
            let last = first.saturating_add(width).min(63);
            let bits = Some(Bits::Range { first, last });
            let (_, most) = limits(Encoding::U64, bits).unwrap();
            let number = i64::try_from(number & most.cast_unsigned()).unwrap();
            for order in orders(Encoding::U64) {
                prop_assert_eq!(read(&Written::Whole(number), Encoding::U64, bits, order), Ok(int(number)));
            }
            let cell = Cell { bits, ..Cell::new(Table::Holding, 0, Encoding::U64) };
            let words = encode(&Written::Whole(number), cell, Order::Abcd, &TimeZone::UTC).unwrap();
            let own: u32 = words.masked.iter().map(|(_, mask)| mask.count_ones()).sum();
            prop_assert_eq!(own, u32::from(last - first) + 1);
        }

        #[test]
        fn floats_come_back(number in -1e300_f64..1e300, single in -1e30_f32..1e30, bits in 0_u16..0x7C00) {
            for order in orders(Encoding::F64) {
                prop_assert_eq!(read(&Written::Float(number), Encoding::F64, None, order), Ok(Raw::Value(Value::F64(number))));
            }
            for order in orders(Encoding::F32) {
                let number = f64::from(single);
                prop_assert_eq!(read(&Written::Float(number), Encoding::F32, None, order), Ok(Raw::Value(Value::F64(number))));
            }
            let Ok(Raw::Value(Value::F64(number))) = decode(&[bits], Cell::new(Table::Holding, 0, Encoding::F16), Order::Abcd, &TimeZone::UTC) else {
                return Err(TestCaseError::fail("a half is a number"));
            };
            prop_assert_eq!(half(number), bits);
            prop_assert_eq!(half(-number), bits | 0x8000);
        }

        #[test]
        fn texts_and_moments_come_back(text in "[a-z0-9泵-]{0,20}", seconds in 946_684_801_i64..4_000_000_000) {
            for bytes in [20_u16, 61, 62] {
                for order in orders(Encoding::Text(bytes)) {
                    let back = read(&Written::Text(text.clone()), Encoding::Text(bytes), None, order);
                    let Ok(Raw::Text(back)) = back else { return Err(TestCaseError::fail("a text")) };
                    prop_assert!(text.starts_with(&back) && (bytes < 60 || back == text), "{} {}", back, text);
                }
            }
            for layout in LAYOUTS {
                for order in orders(Encoding::Date(layout)) {
                    let back = read(&Written::Whole(seconds), Encoding::Date(layout), None, order);
                    prop_assert_eq!(back, Ok(int(seconds)), "{:?} {}", layout, order);
                }
            }
        }
    }
}
