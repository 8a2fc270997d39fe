//! Values written by an independent encoder and read back; formulas against other formulas.

use super::*;
use proptest::prelude::*;

/// Where each byte of a value of so many registers goes, most significant named `a`.
const LETTERS: [&[&str]; 4] = [
    &["ab", "ba"],
    &["abcd", "cdab", "badc", "dcba"],
    &["abcdef", "efcdab", "badcfe", "fedcba"],
    &["abcdefgh", "ghefcdab", "badcfehg", "hgfedcba", "cdabghef", "efghabcd"],
];

/// A value's bytes, most significant first, as registers in every order that is one for it.
fn encoded(bytes: &[u8]) -> Vec<(Order, Vec<u16>)> {
    use Order::{Abcd, Badc, Cdab, Cdabghef, Dcba, Efghabcd};
    let orders = LETTERS[bytes.len() / 2 - 1];
    let names: &[Order] =
        if orders.len() == 2 { &[Abcd, Badc] } else { &[Abcd, Cdab, Badc, Dcba, Cdabghef, Efghabcd] };
    let write = |letters: &str| {
        let wire: Vec<u8> = letters.bytes().map(|letter| bytes[usize::from(letter - b'a')]).collect();
        wire.chunks(2).map(|pair| u16::from(pair[0]) * 256 + u16::from(pair[1])).collect()
    };
    names.iter().copied().zip(orders.iter().map(|letters| write(letters))).collect()
}

fn comes_back(encoding: Encoding, bytes: &[u8], expected: &Outcome) {
    for (order, words) in encoded(bytes).into_iter().filter(|(order, _)| encoding.takes(*order)) {
        let read = decode(&words, cell(encoding, order), order, &TimeZone::UTC);
        assert_eq!(&read, expected, "{encoding} {order} {words:04X?}");
    }
}

/// The `digits` last decimal digits of a number, one a byte.
fn digits(number: u64, digits: u32) -> Vec<u8> {
    (0..digits).rev().map(|place| u8::try_from(number / 10_u64.pow(place) % 10).unwrap()).collect()
}

#[test]
fn every_half_float_is_the_one_of_the_formula() {
    for bits in 0..=u16::MAX {
        let (negative, exponent, fraction) = (bits >= 0x8000, bits / 1_024 % 32, bits % 1_024);
        let scale = 2_f64.powi(i32::from(exponent.max(1)) - 15);
        let hidden = if exponent == 0 { 0.0 } else { 1.0 };
        let size = scale * (hidden + f64::from(fraction) / 1_024.0);
        let expected = match (exponent, negative) {
            (31, _) => Err(Fault::Sensor),
            (_, true) => float(-size),
            (_, false) => float(size),
        };
        assert_eq!(read(&[bits], "f16", "ab"), expected, "{bits:04X}");
        let pattern = Pattern::of(&[bits], Encoding::F16, Order::Abcd).unwrap();
        if exponent < 31 {
            assert_eq!(pattern.nearest(pattern.float().unwrap()), pattern.float(), "{bits:04X}");
        }
    }
}

proptest! {
    #[test]
    fn integers_round_trip(number: i64) {
        use Encoding::{I8, I16, I32, I48, I64, U8, U16, U32, U48, U64};
        for (signed, unsigned, bits) in [(I8, U8, 8), (I16, U16, 16), (I32, U32, 32), (I48, U48, 48), (I64, U64, 64)] {
            // By division, not by shifts: the remainder is the number of so many bits.
            let modulus = 1_i128 << bits;
            let unsigned_number = i128::from(number).rem_euclid(modulus);
            let signed_number =
                if unsigned_number >= modulus / 2 { unsigned_number - modulus } else { unsigned_number };
            let bytes = unsigned_number.to_be_bytes();
            let bytes = &bytes[16 - usize::max(2, bits / 8)..];
            comes_back(signed, bytes, &int(i64::try_from(signed_number).unwrap()));
            let expected = i64::try_from(unsigned_number).map_or(Err(Fault::Decoding), int);
            comes_back(unsigned, bytes, &expected);
        }
    }

    #[test]
    fn floats_round_trip(number in proptest::num::f64::ANY, single in proptest::num::f32::ANY) {
        let expected = if number.is_finite() { float(number) } else { Err(Fault::Sensor) };
        comes_back(Encoding::F64, &number.to_be_bytes(), &expected);
        let expected = if single.is_finite() { float(single.into()) } else { Err(Fault::Sensor) };
        comes_back(Encoding::F32, &single.to_be_bytes(), &expected);
    }

    #[test]
    fn half_floats_round_trip(bits: u16) {
        comes_back(Encoding::F16, &bits.to_be_bytes(), &read(&[bits], "f16", "ab"));
    }

    #[test]
    fn digits_round_trip(number in 0_u64..10_000_000_000_000_000) {
        for registers in 1_u8..=4 {
            let of = u32::from(registers) * 4;
            let expected = int(i64::try_from(number % 10_u64.pow(of)).unwrap());
            let bcd: Vec<u8> = digits(number, of).chunks(2).map(|two| two[0] * 16 + two[1]).collect();
            comes_back(Encoding::Bcd(registers), &bcd, &expected);
            let mod10k: Vec<u8> = digits(number, of)
                .chunks(4)
                .map(|four| four.iter().fold(0, |number, digit| number * 10 + u16::from(*digit)))
                .flat_map(u16::to_be_bytes)
                .collect();
            if registers > 1 {
                comes_back(Encoding::Mod10k(registers), &mod10k, &expected);
            }
        }
    }

    #[test]
    fn texts_round_trip(content in "[a-zA-Z0-9ä泵°/-]{0,20}") {
        let mut bytes = content.clone().into_bytes();
        bytes.resize(bytes.len().max(1).next_multiple_of(2), b' ');
        let encoding = Encoding::Text(u16::try_from(bytes.len()).unwrap());
        let pairs = |first: usize| {
            bytes.chunks(2).map(move |pair| u16::from(pair[first]) * 256 + u16::from(pair[1 - first])).collect()
        };
        let spread = |factor: u16| bytes.iter().map(|byte| u16::from(*byte) * factor).collect();
        let written: [(Order, Vec<u16>); 4] = [
            (Order::Abcd, pairs(0)),
            (Order::Badc, pairs(1)),
            (Order::HighByte, spread(256)),
            (Order::LowByte, spread(1)),
        ];
        for (order, words) in written {
            prop_assert_eq!(decode(&words, cell(encoding, order), order, &TimeZone::UTC), text(&content));
        }
    }

    #[test]
    fn dates_round_trip(seconds in 946_684_800_i64..4_102_444_800, ms in 0_u16..1_000) {
        let civil = jiff::Timestamp::from_second(seconds).unwrap().to_zoned(TimeZone::UTC).datetime();
        let parts = [
            u8::try_from(civil.year() - 2_000).unwrap(),
            civil.month().cast_unsigned(),
            civil.day().cast_unsigned(),
            civil.hour().cast_unsigned(),
            civil.minute().cast_unsigned(),
            civil.second().cast_unsigned(),
        ];
        let [year, month, day, hour, minute, second] = parts;
        comes_back(Encoding::Date(DateLayout::Bytes), &parts, &int(seconds));
        comes_back(Encoding::Date(DateLayout::Bcd), &parts.map(|part| part / 10 * 16 + part % 10), &int(seconds));
        let unix = u32::try_from(seconds).unwrap().to_be_bytes();
        comes_back(Encoding::Date(DateLayout::Unix), &unix, &int(seconds));
        let [high, low] = (u16::from(second) * 1_000 + ms).to_be_bytes();
        let expected = Ok(Raw::Value(Value::Decimal(Decimal::new(seconds * 1_000 + i64::from(ms), -3).unwrap())));
        let iec870 = [0, year, month, day, hour, minute, high, low];
        comes_back(Encoding::Date(DateLayout::Iec870), &iec870, &expected);
        let words = parts.map(u16::from);
        let layout = cell(Encoding::Date(DateLayout::Words), Order::Abcd);
        prop_assert_eq!(decode(&words, layout, Order::Abcd, &TimeZone::UTC), int(seconds));
    }

    #[test]
    fn bits_are_those_of_the_shifted_number(number: u64, first in 0_u8..64, width in 1_u8..63) {
        let last = first.saturating_add(width - 1).min(63);
        let expected = u128::from(number) / 2_u128.pow(first.into()) % 2_u128.pow(u32::from(last - first) + 1);
        for (order, words) in encoded(&number.to_be_bytes()) {
            let cell = Cell { bits: Some(Bits::Range { first, last }), ..cell(Encoding::I64, order) };
            let expected = int(i64::try_from(expected).unwrap());
            prop_assert_eq!(decode(&words, cell, order, &TimeZone::UTC), expected);
        }
    }

    /// The product of quotient and divisor gives the dividend back, but for half a unit of the
    /// fifteenth digit (or the eighteenth decimal).
    #[test]
    fn quotients_are_as_near_as_they_say(
        dividend in any::<i64>(),
        shrink in 0_u32..63,
        divisor in 1..=i64::MAX,
        narrow in 0_u32..62,
        exponent in -9_i8..=0,
        other in -9_i8..=0,
    ) {
        let (dividend, divisor) = (dividend >> shrink, (divisor >> narrow).max(1));
        let decimal = |mantissa, exponent| Raw::Value(Value::Decimal(Decimal::new(mantissa, exponent).unwrap()));
        let float = |number| Decimal::from_int(number).to_f64();
        let exact = float(dividend) / float(divisor) * 10_f64.powi(i32::from(exponent - other));
        let result = factor::apply(&decimal(dividend, exponent), Role::Divide, &decimal(divisor, other));
        let Ok(Raw::Value(Value::Decimal(quotient))) = result else {
            prop_assert_eq!(result, Err(Fault::Decoding));
            // Only what is nothing at eighteen decimals.
            prop_assert!(dividend != 0 && exact.abs() < 0.51e-18, "{}", exact);
            return Ok(());
        };
        let error = (quotient.to_f64() - exact).abs();
        prop_assert!(error <= exact.abs() * 5.1e-15 + 0.51e-18, "{} {}", quotient, exact);
    }

    #[test]
    fn a_decimal_becomes_the_nearest_float_on_either_road(mantissa: i64, shrink in 0_u32..63, exponent in -18_i8..=18) {
        let number = Decimal::new(mantissa >> shrink, exponent).unwrap();
        prop_assert_eq!(factor::to_f64(number).to_bits(), number.to_f64().to_bits());
    }
}
