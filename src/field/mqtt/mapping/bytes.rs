//! Values in bytes: the payload's own, or those a text is written for.

use super::unreadable::Unreadable;
use crate::config::{ByteCell, Cell, Encoding, Order, Table, Written};
use crate::field::{Fault, Raw, decode};
use jiff::tz::TimeZone;
use std::collections::BTreeMap;

/// The bytes a text is written for.
pub fn unwritten(text: &str, written: Written) -> Result<Vec<u8>, Unreadable> {
    let text = text.trim();
    let bytes = match written {
        Written::Base64 => base64(text),
        Written::Hex => hex(text),
    };
    bytes.ok_or(Unreadable::NotBytes)
}

/// RFC 4648, sections 4 and 5: either alphabet; padding may be left out.
fn base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=').as_bytes();
    if text.len() - digits.len() > 2 || digits.len() % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    for group in digits.chunks(4) {
        let mut bits = 0_u32;
        for digit in group {
            let value = match digit {
                b'A'..=b'Z' => digit - b'A',
                b'a'..=b'z' => digit - b'a' + 26,
                b'0'..=b'9' => digit - b'0' + 52,
                b'+' | b'-' => 62,
                b'/' | b'_' => 63,
                _ => return None,
            };
            bits = bits << 6 | u32::from(value);
        }
        // As if the digits that are missing were zero.
        bits <<= 6 * (4 - group.len());
        let [_, three @ ..] = bits.to_be_bytes();
        bytes.extend(three.iter().take(group.len() - 1));
    }
    Some(bytes)
}

/// Two digits a byte.
fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    });
    pairs.collect()
}

/// A mark and what stands behind it.
pub type Record<'b> = (&'b [u8], &'b [u8]);

/// The records of a row of bytes: the first of each mark, up to what is no record.
pub fn records<'b>(bytes: &'b [u8], marks: &BTreeMap<Vec<u8>, u16>) -> Vec<Record<'b>> {
    let width = marks.keys().next().map_or(0, Vec::len);
    let (mut rest, mut found): (_, Vec<Record<'b>>) = (bytes, Vec::new());
    while let Some((mark, behind)) = rest.split_at_checked(width).filter(|_| width > 0) {
        let Some(count) = marks.get(mark) else { break };
        let Some((content, after)) = behind.split_at_checked(usize::from(*count)) else {
            // What is left of a record that was cut off: its values say so.
            found.push((mark, behind));
            break;
        };
        if !found.iter().any(|(known, _)| *known == mark) {
            found.push((mark, content));
        }
        rest = after;
    }
    found
}

/// The value that stands in a cell of the bytes.
pub fn value(bytes: &[u8], cell: &ByteCell, zone: &TimeZone) -> Result<Result<Raw, Fault>, Unreadable> {
    let end = cell.at.checked_add(cell.bytes()).ok_or(Unreadable::TooShort)?;
    let bytes = bytes.get(cell.at..end).ok_or(Unreadable::TooShort)?;
    // Types of one byte stand in the low half of a register.
    let single = matches!(cell.encoding, Encoding::U8 | Encoding::I8 | Encoding::Bool);
    let order = if single { Order::Abcd } else { cell.order };
    let words: Vec<u16> = if single {
        bytes.iter().map(|byte| u16::from(*byte)).collect()
    } else {
        let pair = |pair: &[u8]| match pair {
            [high, low] => u16::from_be_bytes([*high, *low]),
            [last] => u16::from_be_bytes([*last, 0]),
            _ => 0,
        };
        bytes.chunks(2).map(pair).collect()
    };
    let cell = Cell { order, bits: cell.bits, ..Cell::new(Table::Holding, 0, cell.encoding) };
    match decode::decode(&words, cell, order, zone) {
        Err(Fault::Decoding) => Err(Unreadable::Undecodable),
        other => Ok(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Bits;
    use crate::point::Value;

    #[test]
    fn texts_for_bytes() {
        // RFC 4648, section 10, and the other alphabet.
        for (text, bytes) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg", "foob"),
            ("Zm9vYmFy", "foobar"),
        ] {
            assert_eq!(unwritten(text, Written::Base64).unwrap(), bytes.as_bytes(), "{text}");
        }
        assert_eq!(unwritten("-_8=", Written::Base64), unwritten("+/8=", Written::Base64));
        for text in ["Z", "Zm9v=Zg==", "Zm9v===", "Zm 9v", "温度"] {
            assert_eq!(unwritten(text, Written::Base64), Err(Unreadable::NotBytes), "{text}");
        }
        assert_eq!(unwritten("0fA1", Written::Hex).unwrap(), [0x0f, 0xa1]);
        for text in ["0", "0g", "+1", "0x10", "温"] {
            assert_eq!(unwritten(text, Written::Hex), Err(Unreadable::NotBytes), "{text}");
        }
    }

    fn cell(at: usize, encoding: &str, order: &str, bits: Option<Bits>) -> ByteCell {
        let (encoding, order) = (encoding.parse().unwrap(), order.parse().unwrap());
        ByteCell { at, record: None, encoding, order, bits }
    }

    #[test]
    fn cells_of_every_width() {
        let bytes = [0x85, 0x12, 0x34, 0x56, 0x78, b'O', b'K', b'!', 0x41, 0xAC, 0, 0];
        let read = |cell: &ByteCell| value(&bytes, cell, &TimeZone::UTC);
        let number = |n: i64| Ok(Ok(Raw::Value(Value::Decimal(crate::point::Decimal::from_int(n)))));
        assert_eq!(read(&cell(0, "u8", "abcd", None)), number(0x85));
        assert_eq!(read(&cell(0, "i8", "abcd", None)), number(-123));
        assert_eq!(read(&cell(1, "u16", "ab", None)), number(0x1234));
        assert_eq!(read(&cell(1, "u16", "ba", None)), number(0x3412));
        assert_eq!(read(&cell(1, "u32", "dcba", None)), number(0x7856_3412));
        assert_eq!(read(&cell(1, "bcd32", "abcd", None)), number(12_345_678));
        assert_eq!(read(&cell(0, "u8", "abcd", Some(Bits::Range { first: 0, last: 3 }))), number(5));
        assert_eq!(read(&cell(0, "u8", "abcd", Some(Bits::One(7)))), Ok(Ok(Raw::Value(Value::Bool(true)))));
        assert_eq!(read(&cell(5, "text:3", "abcd", None)), Ok(Ok(Raw::Text("OK!".into()))));
        assert_eq!(read(&cell(8, "f32", "abcd", None)), Ok(Ok(Raw::Value(Value::F64(21.5)))));
        assert_eq!(read(&cell(9, "f32", "abcd", None)), Err(Unreadable::TooShort));
        assert_eq!(read(&cell(usize::MAX, "u8", "abcd", None)), Err(Unreadable::TooShort));
        assert_eq!(read(&cell(0, "bcd16", "abcd", None)), number(8512));
        assert_eq!(read(&cell(9, "bcd16", "abcd", None)), Err(Unreadable::Undecodable));
    }

    #[test]
    fn records_are_told_apart_by_their_marks() {
        let marks = BTreeMap::from([(vec![1, 0x75], 1), (vec![3, 0x67], 2)]);
        let bytes = [1, 0x75, 100, 3, 0x67, 0xea, 0, 9, 9, 9];
        assert_eq!(records(&bytes, &marks), [(&bytes[..2], &bytes[2..3]), (&bytes[3..5], &bytes[5..7])]);
        assert_eq!(records(&bytes[..6], &marks)[1], (&bytes[3..5], &bytes[5..6]), "cut off");
        assert!(records(&bytes, &BTreeMap::new()).is_empty());
    }
}
