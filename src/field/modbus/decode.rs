//! Registers to raw values. Pure.

use crate::config::{Cell, Encoding, Order};
use crate::field::{Fault, Raw};
use crate::point::{Decimal, Value};

/// The value in `words`, which are the registers of that value and no others.
///
/// Integers come exactly. A float comes as the binary number the device sent; NaN and infinity
/// are how devices say that a sensor is broken.
///
/// # Errors
/// [`Fault::Sensor`] for a float that is no number, [`Fault::Decoding`] for another count of words
/// than the cell takes.
pub fn decode(words: &[u16], cell: Cell) -> Result<Raw, Fault> {
    let order = cell.order;
    let value = match (cell.encoding, words) {
        (Encoding::U16, [word]) => integer(i64::from(*word)),
        (Encoding::I16, [word]) => integer(i64::from(word.cast_signed())),
        (Encoding::U32, [first, second]) => integer(i64::from(join(*first, *second, order))),
        (Encoding::I32, [first, second]) => integer(i64::from(join(*first, *second, order).cast_signed())),
        (Encoding::F32, [first, second]) => {
            let number = f32::from_bits(join(*first, *second, order));
            if !number.is_finite() {
                return Err(Fault::Sensor);
            }
            Value::F64(f64::from(number))
        }
        _ => return Err(Fault::Decoding),
    };
    Ok(Raw::Value(value))
}

fn integer(number: i64) -> Value {
    Value::Decimal(Decimal::from_int(number))
}

/// Bytes within a register are always big-endian; the order of the registers is the maker's.
fn join(first: u16, second: u16, order: Order) -> u32 {
    let (high, low) = match order {
        Order::Cdab => (second, first),
        _ => (first, second),
    };
    u32::from(high) << 16 | u32::from(low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(words: &[u16], encoding: Encoding, order: Order) -> Result<Raw, Fault> {
        super::decode(words, Cell { order, ..Cell::new(crate::config::Table::Input, 0, encoding) })
    }

    fn int(number: i64) -> Raw {
        Raw::Value(integer(number))
    }

    #[test]
    fn every_type_in_both_orders() {
        use Encoding::{F32, I16, I32, U16, U32};
        use Order::{Abcd as HighFirst, Cdab as LowFirst};
        let cases = [
            (&[0xFFFF][..], U16, HighFirst, Ok(int(65_535))),
            (&[0xFFFF], I16, HighFirst, Ok(int(-1))),
            (&[0x8000], I16, LowFirst, Ok(int(-32_768))),
            (&[0x0001, 0x0002], U32, HighFirst, Ok(int(65_538))),
            (&[0x0002, 0x0001], U32, LowFirst, Ok(int(65_538))),
            (&[0xFFFF, 0xFFFF], U32, HighFirst, Ok(int(4_294_967_295))),
            (&[0xFFFF, 0xFFFE], I32, HighFirst, Ok(int(-2))),
            (&[0xFFFE, 0xFFFF], I32, LowFirst, Ok(int(-2))),
            (&[0x8000, 0x0000], I32, HighFirst, Ok(int(-2_147_483_648))),
            (&[0x41AC, 0x0000], F32, HighFirst, Ok(Raw::Value(Value::F64(21.5)))),
            (&[0x0000, 0x41AC], F32, LowFirst, Ok(Raw::Value(Value::F64(21.5)))),
            (&[0x8000, 0x0000], F32, HighFirst, Ok(Raw::Value(Value::F64(-0.0)))),
            (&[0x7FC0, 0x0000], F32, HighFirst, Err(Fault::Sensor)),
            (&[0x0000, 0xFF80], F32, LowFirst, Err(Fault::Sensor)),
            (&[], U16, HighFirst, Err(Fault::Decoding)),
            (&[1, 2, 3], U32, HighFirst, Err(Fault::Decoding)),
        ];
        for (words, encoding, order, expected) in cases {
            assert_eq!(decode(words, encoding, order), expected, "{words:?} {encoding:?} {order:?}");
        }
    }

    proptest! {
        #[test]
        fn whole_numbers_come_back_exactly(number: u32) {
            let (high, low) = ((number >> 16) as u16, (number & 0xFFFF) as u16);
            prop_assert_eq!(decode(&[high, low], Encoding::U32, Order::Abcd), Ok(int(i64::from(number))));
            let signed = Ok(int(i64::from(number.cast_signed())));
            prop_assert_eq!(decode(&[low, high], Encoding::I32, Order::Cdab), signed);
        }

        #[test]
        fn any_words_give_a_finite_value_or_a_fault(words in proptest::collection::vec(any::<u16>(), 0..4)) {
            for encoding in [Encoding::U16, Encoding::I16, Encoding::U32, Encoding::I32, Encoding::F32] {
                match decode(&words, encoding, Order::Cdab) {
                    Ok(Raw::Value(value)) => prop_assert!(value.as_f64().is_some_and(f64::is_finite)),
                    Ok(Raw::Text(text)) => prop_assert!(false, "a register holds no text: {}", text),
                    Err(fault) => prop_assert!(matches!(fault, Fault::Sensor | Fault::Decoding)),
                }
            }
        }
    }
}
