//! Tables by hand: every type in every order, what is no value, sentinels, factors.

use super::*;
use crate::config::{Factor, Role, Table};

mod round_trip;

/// What a cell holds, or why nothing.
type Outcome = Result<Raw, Fault>;

fn cell(encoding: Encoding, order: Order) -> Cell {
    Cell { order, ..Cell::new(Table::Holding, 0, encoding) }
}

fn read(words: &[u16], encoding: &str, order: &str) -> Outcome {
    let order = order.parse().unwrap();
    decode(words, cell(encoding.parse().unwrap(), order), order, &TimeZone::UTC)
}

#[expect(clippy::unnecessary_wraps, reason = "compared with outcomes")]
fn int(number: i64) -> Outcome {
    Ok(Raw::Value(integer(number)))
}

#[expect(clippy::unnecessary_wraps, reason = "compared with outcomes")]
fn float(number: f64) -> Outcome {
    Ok(Raw::Value(Value::F64(number)))
}

#[expect(clippy::unnecessary_wraps, reason = "compared with outcomes")]
fn text(text: &str) -> Outcome {
    Ok(Raw::Text(text.to_owned()))
}

fn decimal(text: &str) -> Raw {
    Raw::Value(Value::Decimal(text.parse().unwrap()))
}

// === Every type in every order, by hand ===

#[test]
fn integers_in_every_order() {
    let cases: &[(&str, &str, &[u16], i64)] = &[
        ("u8", "ab", &[0x12AB], 0xAB),
        ("u8", "ba", &[0x12AB], 0x12),
        ("i8", "ab", &[0x12FE], -2),
        ("i8", "ba", &[0xFE12], -2),
        ("i8", "ab", &[0xFF7F], 127),
        ("u16", "ab", &[0xFFFE], 65_534),
        ("u16", "ba", &[0x0102], 0x0201),
        ("i16", "ab", &[0x8000], -32_768),
        ("i16", "ba", &[0xFEFF], -2),
        ("u32", "abcd", &[0x0102, 0x0304], 0x0102_0304),
        ("u32", "cdab", &[0x0304, 0x0102], 0x0102_0304),
        ("u32", "badc", &[0x0201, 0x0403], 0x0102_0304),
        ("u32", "dcba", &[0x0403, 0x0201], 0x0102_0304),
        ("u32", "abcd", &[0xFFFF, 0xFFFF], 4_294_967_295),
        ("i32", "abcd", &[0xFFFF, 0xFFFE], -2),
        ("i32", "cdab", &[0xFFFE, 0xFFFF], -2),
        ("i32", "badc", &[0xFFFF, 0xFEFF], -2),
        ("i32", "dcba", &[0xFEFF, 0xFFFF], -2),
        ("i32", "abcd", &[0x8000, 0x0000], -2_147_483_648),
        ("u48", "abcdef", &[0x0102, 0x0304, 0x0506], 0x0102_0304_0506),
        ("u48", "efcdab", &[0x0506, 0x0304, 0x0102], 0x0102_0304_0506),
        ("u48", "badc", &[0x0201, 0x0403, 0x0605], 0x0102_0304_0506),
        ("u48", "dcba", &[0x0605, 0x0403, 0x0201], 0x0102_0304_0506),
        ("i48", "abcdef", &[0xFFFF, 0xFFFF, 0xFFFE], -2),
        ("i48", "efcdab", &[0xFFFE, 0xFFFF, 0xFFFF], -2),
        ("i48", "badc", &[0xFFFF, 0xFFFF, 0xFEFF], -2),
        ("i48", "dcba", &[0xFEFF, 0xFFFF, 0xFFFF], -2),
        ("i48", "abcdef", &[0x8000, 0x0000, 0x0000], -140_737_488_355_328),
        ("u64", "abcdefgh", &[0x0102, 0x0304, 0x0506, 0x0708], 0x0102_0304_0506_0708),
        ("u64", "ghefcdab", &[0x0708, 0x0506, 0x0304, 0x0102], 0x0102_0304_0506_0708),
        ("u64", "badcfehg", &[0x0201, 0x0403, 0x0605, 0x0807], 0x0102_0304_0506_0708),
        ("u64", "hgfedcba", &[0x0807, 0x0605, 0x0403, 0x0201], 0x0102_0304_0506_0708),
        ("u64", "cdabghef", &[0x0304, 0x0102, 0x0708, 0x0506], 0x0102_0304_0506_0708),
        ("u64", "efghabcd", &[0x0506, 0x0708, 0x0102, 0x0304], 0x0102_0304_0506_0708),
        ("u64", "abcdefgh", &[0x7FFF, 0xFFFF, 0xFFFF, 0xFFFF], i64::MAX),
        ("i64", "abcdefgh", &[0xFFFF, 0xFFFF, 0xFFFF, 0xFEFD], -259),
        ("i64", "ghefcdab", &[0xFEFD, 0xFFFF, 0xFFFF, 0xFFFF], -259),
        ("i64", "badcfehg", &[0xFFFF, 0xFFFF, 0xFFFF, 0xFDFE], -259),
        ("i64", "hgfedcba", &[0xFDFE, 0xFFFF, 0xFFFF, 0xFFFF], -259),
        ("i64", "cdabghef", &[0xFFFF, 0xFFFF, 0xFEFD, 0xFFFF], -259),
        ("i64", "efghabcd", &[0xFFFF, 0xFEFD, 0xFFFF, 0xFFFF], -259),
        ("i64", "abcdefgh", &[0x8000, 0, 0, 0], i64::MIN),
    ];
    for (encoding, order, words, expected) in cases {
        assert_eq!(read(words, encoding, order), int(*expected), "{encoding} {order} {words:04X?}");
    }
}

#[test]
fn digits_in_every_order() {
    let cases: &[(&str, &str, &[u16], i64)] = &[
        ("bcd16", "ab", &[0x1234], 1_234),
        ("bcd16", "ba", &[0x3412], 1_234),
        ("bcd32", "abcd", &[0x1234, 0x5678], 12_345_678),
        ("bcd32", "cdab", &[0x5678, 0x1234], 12_345_678),
        ("bcd32", "badc", &[0x3412, 0x7856], 12_345_678),
        ("bcd32", "dcba", &[0x7856, 0x3412], 12_345_678),
        ("bcd48", "abcdef", &[0x1234, 0x5678, 0x9012], 123_456_789_012),
        ("bcd48", "efcdab", &[0x9012, 0x5678, 0x1234], 123_456_789_012),
        ("bcd48", "badc", &[0x3412, 0x7856, 0x1290], 123_456_789_012),
        ("bcd48", "dcba", &[0x1290, 0x7856, 0x3412], 123_456_789_012),
        ("bcd64", "abcdefgh", &[0x9999, 0x9999, 0x9999, 0x9999], 9_999_999_999_999_999),
        ("bcd64", "ghefcdab", &[0x3456, 0x9012, 0x5678, 0x1234], 1_234_567_890_123_456),
        ("bcd64", "badcfehg", &[0x3412, 0x7856, 0x1290, 0x5634], 1_234_567_890_123_456),
        ("bcd64", "hgfedcba", &[0x5634, 0x1290, 0x7856, 0x3412], 1_234_567_890_123_456),
        ("bcd64", "cdabghef", &[0x5678, 0x1234, 0x3456, 0x9012], 1_234_567_890_123_456),
        ("bcd64", "efghabcd", &[0x9012, 0x3456, 0x1234, 0x5678], 1_234_567_890_123_456),
        ("mod10k-2", "abcd", &[1_234, 5_678], 12_345_678),
        ("mod10k-2", "cdab", &[5_678, 1_234], 12_345_678),
        ("mod10k-3", "abcdef", &[1, 2, 3], 100_020_003),
        ("mod10k-3", "efcdab", &[3, 2, 1], 100_020_003),
        ("mod10k-4", "abcdefgh", &[9_999, 9_999, 9_999, 9_999], 9_999_999_999_999_999),
        ("mod10k-4", "ghefcdab", &[4, 3, 2, 1], 1_000_200_030_004),
        ("mod10k-4", "cdabghef", &[2, 1, 4, 3], 1_000_200_030_004),
        ("mod10k-4", "efghabcd", &[3, 4, 1, 2], 1_000_200_030_004),
    ];
    for (encoding, order, words, expected) in cases {
        assert_eq!(read(words, encoding, order), int(*expected), "{encoding} {order} {words:04X?}");
    }
}

#[test]
fn floats_in_every_order() {
    let pi = std::f64::consts::PI;
    let cases: &[(&str, &str, &[u16], f64)] = &[
        ("f16", "ab", &[0x4D60], 21.5),
        ("f16", "ba", &[0x604D], 21.5),
        ("f16", "ab", &[0x7BFF], 65_504.0),
        ("f16", "ab", &[0x0001], 5.960_464_477_539_063e-8),
        ("f16", "ab", &[0x8000], -0.0),
        ("f32", "abcd", &[0x42F6, 0xE979], f64::from(123.456_f32)),
        ("f32", "cdab", &[0xE979, 0x42F6], f64::from(123.456_f32)),
        ("f32", "badc", &[0xF642, 0x79E9], f64::from(123.456_f32)),
        ("f32", "dcba", &[0x79E9, 0xF642], f64::from(123.456_f32)),
        ("f64", "abcdefgh", &[0x4009, 0x21FB, 0x5444, 0x2D18], pi),
        ("f64", "ghefcdab", &[0x2D18, 0x5444, 0x21FB, 0x4009], pi),
        ("f64", "badcfehg", &[0x0940, 0xFB21, 0x4454, 0x182D], pi),
        ("f64", "hgfedcba", &[0x182D, 0x4454, 0xFB21, 0x0940], pi),
        ("f64", "cdabghef", &[0x21FB, 0x4009, 0x2D18, 0x5444], pi),
        ("f64", "efghabcd", &[0x5444, 0x2D18, 0x4009, 0x21FB], pi),
    ];
    for (encoding, order, words, expected) in cases {
        assert_eq!(read(words, encoding, order), float(*expected), "{encoding} {order} {words:04X?}");
    }
}

#[test]
fn texts_in_every_order() {
    let cases: &[(&str, &str, &[u16], Outcome)] = &[
        ("text:6", "ab", &[0x5075, 0x6D70, 0x2037], text("Pump 7")),
        ("text:6", "ba", &[0x7550, 0x706D, 0x3720], text("Pump 7")),
        ("text:4", "a", &[0x50FF, 0x7501, 0x6D00, 0x707F], text("Pump")),
        ("text:4", "b", &[0xFF50, 0x0175, 0x006D, 0x7F70], text("Pump")),
        ("text:5", "ab", &[0x5075, 0x6D70, 0x20FF], text("Pump")),
        ("text:6", "ab", &[0x5075, 0x6D00, 0xFFFF], text("Pum")),
        ("text:6", "ab", &[0xE6B3, 0xB500, 0x0000], text("泵")),
        ("text:6", "ab", &[0x2020, 0x4120, 0x2020], text("  A")),
        ("text:4", "ab", &[0x0000, 0x4142], text("")),
        ("text:2", "ab", &[0x2020], text("")),
        ("text:2", "ab", &[0xFFFF], Err(Fault::Decoding)),
        ("text:2", "ab", &[0x410A], Err(Fault::Decoding)),
        ("text:2", "ab", &[0xC285], Err(Fault::Decoding)),
        ("text:2", "ab", &[0xE6B3], Err(Fault::Decoding)),
        ("text:2", "ba", &[0xE6B3], Err(Fault::Decoding)),
    ];
    for (encoding, order, words, expected) in cases {
        assert_eq!(read(words, encoding, order), *expected, "{encoding} {order} {words:04X?}");
    }
}

#[test]
fn dates_in_every_layout_and_order() {
    // 2026-11-22T05:15:30Z and 2024-02-29T23:59:59Z.
    let (november, leap) = (1_795_324_530, 1_709_251_199);
    let cases: &[(&str, &str, &[u16], i64)] = &[
        ("date-bytes", "abcdef", &[0x1A0B, 0x1605, 0x0F1E], november),
        ("date-bytes", "efcdab", &[0x0F1E, 0x1605, 0x1A0B], november),
        ("date-bytes", "badc", &[0x0B1A, 0x0516, 0x1E0F], november),
        ("date-bytes", "dcba", &[0x1E0F, 0x0516, 0x0B1A], november),
        ("date-bcd", "abcdef", &[0x2611, 0x2205, 0x1530], november),
        ("date-bcd", "efcdab", &[0x1530, 0x2205, 0x2611], november),
        ("date-bcd", "badc", &[0x1126, 0x0522, 0x3015], november),
        ("date-bcd", "dcba", &[0x3015, 0x0522, 0x1126], november),
        ("date-words", "abcd", &[2_026, 11, 22, 5, 15, 30], november),
        ("date-words", "abcd", &[26, 11, 22, 5, 15, 30], november),
        ("date-words", "cdab", &[30, 15, 5, 22, 11, 2_026], november),
        ("date-words", "badc", &[0xEA07, 0x0B00, 0x1600, 0x0500, 0x0F00, 0x1E00], november),
        ("date-words", "dcba", &[0x1E00, 0x0F00, 0x0500, 0x1600, 0x0B00, 0xEA07], november),
        ("date-unix", "abcd", &[0x6B02, 0xA532], 0x6B02_A532),
        ("date-unix", "cdab", &[0xA532, 0x6B02], 0x6B02_A532),
        ("date-unix", "badc", &[0x026B, 0x32A5], 0x6B02_A532),
        ("date-unix", "dcba", &[0x32A5, 0x026B], 0x6B02_A532),
        ("date-bcd", "abcdef", &[0x2402, 0x2923, 0x5959], leap),
        ("date-bytes", "abcdef", &[0x0001, 0x0100, 0x0000], 946_684_800),
    ];
    for (encoding, order, words, expected) in cases {
        assert_eq!(read(words, encoding, order), int(*expected), "{encoding} {order} {words:04X?}");
    }
}

#[test]
fn a_date_of_a_schneider_meter_keeps_its_milliseconds() {
    // 2026-11-22T05:15:30.250Z, a Sunday (1); reserved bits and summer time are not looked at.
    let words = [0xFF9A, 0x0B36, 0x850F, 30_250];
    let expected = Ok(decimal("1795324530.250"));
    let [a, b, c, d] = words;
    assert_eq!(read(&words, "date-iec870", "abcdefgh"), expected);
    assert_eq!(read(&[d, c, b, a], "date-iec870", "ghefcdab"), expected);
    assert_eq!(read(&[b, a, d, c], "date-iec870", "cdabghef"), expected);
    assert_eq!(read(&[c, d, a, b], "date-iec870", "efghabcd"), expected);
    assert_eq!(read(&words.map(u16::swap_bytes), "date-iec870", "badcfehg"), expected);
    assert_eq!(read(&[d, c, b, a].map(u16::swap_bytes), "date-iec870", "hgfedcba"), expected);
    assert_eq!(read(&[a, b, c | 0x80, d], "date-iec870", "abcd"), Err(Fault::NotAvailable));
    assert_eq!(read(&[a, b, c, 60_000], "date-iec870", "abcd"), Err(Fault::Decoding));
    assert_eq!(read(&[100, b, c, d], "date-iec870", "abcd"), Err(Fault::Decoding));
}

#[test]
fn a_clock_that_was_never_set_has_no_date_and_an_impossible_date_is_none() {
    for (layout, registers) in
        [("date-bytes", 3), ("date-bcd", 3), ("date-words", 6), ("date-iec870", 4), ("date-unix", 2)]
    {
        assert_eq!(read(&vec![0; registers], layout, "abcd"), Err(Fault::NotAvailable), "{layout}");
        assert_eq!(read(&vec![0xFFFF; registers], layout, "abcd"), Err(Fault::NotAvailable), "{layout}");
    }
    let impossible: &[(&str, &[u16])] = &[
        ("date-bytes", &[0x1A00, 0x0105, 0x0000]),
        ("date-bytes", &[0x1A02, 0x1F00, 0x0000]),
        ("date-bytes", &[0x1902, 0x1D00, 0x0000]),
        ("date-bytes", &[0x6401, 0x0100, 0x0000]),
        ("date-bytes", &[0x1A01, 0x0118, 0x0000]),
        ("date-bytes", &[0x1A01, 0x0100, 0x3C00]),
        ("date-bytes", &[0x1A01, 0x0100, 0x003C]),
        ("date-bcd", &[0x1A01, 0x0100, 0x0000]),
        ("date-bcd", &[0x2631, 0x0100, 0x0000]),
        ("date-words", &[1_969, 1, 1, 0, 0, 0]),
        ("date-words", &[100, 1, 1, 0, 0, 0]),
        ("date-words", &[2_026, 257, 1, 0, 0, 0]),
        ("date-words", &[2_026, 1, 1, 0, 0, 65_535]),
    ];
    for (layout, words) in impossible {
        assert_eq!(read(words, layout, "abcd"), Err(Fault::Decoding), "{layout} {words:04X?}");
    }
}

#[test]
fn a_date_is_in_the_zone_of_the_device() {
    let at = |words: &[u16], zone: &str| {
        let cell = cell(Encoding::Date(DateLayout::Words), Order::Abcd);
        decode(words, cell, Order::Abcd, &TimeZone::get(zone).unwrap())
    };
    assert_eq!(at(&[2_026, 11, 22, 13, 15, 30], "Asia/Shanghai"), int(1_795_324_530));
    // Clocks go back at 02:00 summer time: 01:30 comes twice, the first counts (00:30Z).
    assert_eq!(at(&[2_026, 10, 25, 1, 30, 0], "Europe/London"), int(1_792_888_200));
    // Clocks go forward at 01:00: 01:30 does not exist and is read in winter time (01:30Z).
    assert_eq!(at(&[2_026, 3, 29, 1, 30, 0], "Europe/London"), int(1_774_747_800));
}

// === What is no value ===

#[test]
fn what_is_no_value_of_the_type_is_a_fault() {
    let cases: &[(&str, &str, &[u16], Fault)] = &[
        ("u64", "abcd", &[0x8000, 0, 0, 0], Fault::Decoding),
        ("u64", "abcd", &[0xFFFF; 4], Fault::Decoding),
        ("bcd16", "ab", &[0x123A], Fault::Decoding),
        ("bcd64", "abcd", &[0xA000, 0, 0, 0], Fault::Decoding),
        ("mod10k-2", "abcd", &[0, 10_000], Fault::Decoding),
        ("mod10k-4", "abcd", &[0xFFFF, 0, 0, 0], Fault::Decoding),
        ("f16", "ab", &[0x7C00], Fault::Sensor),
        ("f16", "ab", &[0xFE00], Fault::Sensor),
        ("f32", "abcd", &[0x7FC0, 0x0000], Fault::Sensor),
        ("f32", "cdab", &[0x0000, 0xFF80], Fault::Sensor),
        ("f64", "abcd", &[0x7FF0, 0, 0, 0], Fault::Sensor),
        ("f64", "abcd", &[0xFFF8, 0, 0, 1], Fault::Sensor),
        ("u16", "ab", &[], Fault::Decoding),
        ("u32", "abcd", &[1, 2, 3], Fault::Decoding),
        ("u32", "abcd", &[1], Fault::Decoding),
        ("u16", "cdab", &[1], Fault::Decoding),
        ("u32", "efghabcd", &[1, 2], Fault::Decoding),
        ("mod10k-2", "badc", &[1, 2], Fault::Decoding),
        ("text:2", "dcba", &[0x4141], Fault::Decoding),
        ("u16", "a", &[1], Fault::Decoding),
    ];
    for (encoding, order, words, fault) in cases {
        assert_eq!(read(words, encoding, order), Err(*fault), "{encoding} {order} {words:04X?}");
    }
}

#[test]
fn a_flag_and_some_bits_of_an_integer() {
    let take = |words: &[u16], encoding, order, bits| {
        let cell = Cell { bits: Some(bits), ..cell(encoding, order) };
        decode(words, cell, order, &TimeZone::UTC)
    };
    let flag = |on| Ok(Raw::Value(Value::Bool(on)));
    assert_eq!(read(&[1], "bool", "abcd"), flag(true));
    assert_eq!(read(&[0], "bool", "abcd"), flag(false));
    assert_eq!(take(&[0x8000], Encoding::U16, Order::Abcd, Bits::One(15)), flag(true));
    assert_eq!(take(&[0x8000], Encoding::U16, Order::Badc, Bits::One(7)), flag(true));
    assert_eq!(take(&[0x7FFF], Encoding::I16, Order::Abcd, Bits::One(15)), flag(false));
    let range = |first, last| Bits::Range { first, last };
    assert_eq!(take(&[0xABCD], Encoding::U16, Order::Abcd, range(4, 11)), int(0xBC));
    assert_eq!(take(&[0xABCD], Encoding::I16, Order::Abcd, range(8, 15)), int(0xAB));
    assert_eq!(take(&[0x1234, 0xABCD], Encoding::U32, Order::Cdab, range(12, 19)), int(0xD1));
    assert_eq!(take(&[0xFFFF; 4], Encoding::U64, Order::Abcd, range(0, 62)), int(i64::MAX));
    assert_eq!(take(&[0xFFFF; 4], Encoding::U64, Order::Abcd, range(0, 63)), Err(Fault::Decoding));
    assert_eq!(take(&[1], Encoding::U16, Order::Abcd, Bits::One(16)), Err(Fault::Decoding));
    assert_eq!(take(&[0x0100], Encoding::U8, Order::Abcd, Bits::One(8)), Err(Fault::Decoding));
    assert_eq!(take(&[1], Encoding::U16, Order::Abcd, range(3, 2)), Err(Fault::Decoding));
    assert_eq!(take(&[0, 0], Encoding::F32, Order::Abcd, Bits::One(0)), Err(Fault::Decoding));
}

// === Orders, sentinels, factors ===

#[test]
fn a_device_that_says_its_order_is_believed_and_a_guess_is_not() {
    let orders = vec![(0, Order::Abcd), (3, Order::Cdab)];
    let from = OrderFrom { cell: cell(Encoding::U16, Order::Abcd), orders };
    assert_eq!(order_from(&[0], &from, &TimeZone::UTC), Ok(Order::Abcd));
    assert_eq!(order_from(&[3], &from, &TimeZone::UTC), Ok(Order::Cdab));
    assert_eq!(order_from(&[1], &from, &TimeZone::UTC), Err(Fault::Decoding));
    assert_eq!(order_from(&[], &from, &TimeZone::UTC), Err(Fault::Decoding));
    let flag = OrderFrom { cell: cell(Encoding::Bool, Order::Abcd), orders: vec![(1, Order::Cdab)] };
    assert_eq!(order_from(&[1], &flag, &TimeZone::UTC), Ok(Order::Cdab));
    assert_eq!(order_from(&[0], &flag, &TimeZone::UTC), Err(Fault::Decoding));
}

fn register(encoding: &str) -> Register {
    let cell = cell(encoding.parse().unwrap(), Order::Abcd);
    Register::plain("tx2/value".parse().unwrap(), 1_000, cell)
}

#[test]
fn a_sentinel_is_no_measurement_however_it_is_written() {
    let cases: &[(&str, &str, &[u16], bool)] = &[
        ("i16", "-32768", &[0x8000], true),
        ("i16", "32768", &[0x8000], true),
        ("i16", "32768", &[0x7FFF], false),
        ("i8", "255", &[0x12FF], true),
        ("u32", "4294967295", &[0xFFFF, 0xFFFF], true),
        ("u32", "65535", &[0xFFFF, 0xFFFF], false),
        ("i48", "-1", &[0xFFFF; 3], true),
        ("u64", "-1", &[0xFFFF; 4], true),
        ("u16", "32767.0", &[0x7FFF], true),
        ("u16", "32767.5", &[0x7FFF], false),
        ("bcd16", "65535", &[0xFFFF], true),
        ("bcd16", "9999", &[0x9999], true),
        ("bcd16", "4660", &[0x1234], false),
        ("mod10k-2", "4294967295", &[0xFFFF, 0xFFFF], true),
        ("date-unix", "1", &[0, 1], true),
        ("f16", "-999.9", &[0xE3D0], true),
        ("f16", "1023.9", &[0x6400], true),
        ("f16", "1023.5", &[0x6400], false),
        ("f32", "-999.9", &[0xC479, 0xF99A], true),
        ("f32", "-999.9", &[0xC479, 0xF99B], false),
        ("f32", "9999", &[0x461C, 0x3C00], true),
        ("f64", "-999.9", &[0xC08F, 0x3F33, 0x3333, 0x3333], true),
    ];
    for (encoding, raw, words, hit) in cases {
        let sentinels = vec![Sentinel { raw: raw.parse().unwrap(), means: Means::OutOfRange }];
        let register = Register { sentinels, ..register(encoding) };
        let got = point(words, &register, Order::Abcd, &[], &TimeZone::UTC);
        assert_eq!(got == Err(Fault::OutOfRange), *hit, "{encoding} {raw} {words:04X?}: {got:?}");
    }
}

#[test]
fn a_sentinel_counts_before_bits_and_factors() {
    let sentinel = |raw, means| Sentinel { raw: Decimal::from_int(raw), means };
    let cell = Cell { bits: Some(Bits::One(0)), ..cell(Encoding::U16, Order::Badc) };
    let register = Register {
        cell,
        sentinels: vec![sentinel(0xFFFF, Means::Sensor), sentinel(0x0201, Means::NotAvailable)],
        factors: vec![Factor { cell, role: Role::Multiply }],
        ..register("u16")
    };
    let read = |words| point(words, &register, Order::Badc, &[decimal("0")], &TimeZone::UTC);
    assert_eq!(read(&[0xFFFF]), Err(Fault::Sensor));
    assert_eq!(read(&[0x0102]), Err(Fault::NotAvailable));
    assert_eq!(read(&[0x0103]), Err(Fault::Decoding), "a flag has no factor");
}

#[expect(clippy::needless_pass_by_value, reason = "the tables read better")]
fn apply(value: Raw, role: Role, factor: Raw) -> Outcome {
    let cell = cell(Encoding::U16, Order::Abcd);
    let result = factor::apply(&value, role, &factor);
    // The same by way of a point, where the value can be read from registers.
    if let Raw::Value(Value::F64(number)) = value {
        let bits = number.to_bits();
        let words = [48, 32, 16, 0].map(|shift| u16::try_from(bits >> shift & 0xFFFF).unwrap());
        let register = Register { factors: vec![Factor { cell, role }], ..register("f64") };
        assert_eq!(point(&words, &register, Order::Abcd, &[factor], &TimeZone::UTC), result);
    }
    result
}

#[test]
fn factors_are_exact_where_decimals_are() {
    use Role::{Divide, Exponent, Multiply};
    let cases = [
        ("2301", Multiply, "40", "92040"),
        ("0.1", Multiply, "0.1", "0.01"),
        ("-7", Multiply, "2.5", "-17.5"),
        ("0", Multiply, "40", "0"),
        ("10", Divide, "4", "2.5"),
        ("-12.50", Divide, "5", "-2.50"),
        ("10", Divide, "0.5", "20"),
        ("0", Divide, "7", "0"),
        ("21", Divide, "7", "3"),
        ("9223372036854775807", Divide, "1", "9223372036854775807"),
        ("1", Divide, "3", "0.333333333333333"),
        ("2", Divide, "3", "0.666666666666667"),
        ("-2", Divide, "3", "-0.666666666666667"),
        ("1000000", Divide, "7", "142857.142857143"),
        ("9000000000000000000", Divide, "7", "1285714285714290000"),
        // Never beyond the 18th decimal: a joule in kilowatt hours.
        ("1", Divide, "3600000", "0.000000277777777778"),
        // It ends, but after 20 decimals.
        ("1", Divide, "1048576", "0.000000953674316406"),
        // More than fifteen digits stay if they end.
        ("12345678901234565", Divide, "100", "123456789012345.65"),
        // Half a unit of the eighteenth decimal goes to the even one.
        ("0.000000000000000015", Divide, "10", "0.000000000000000002"),
        ("0.000000000000000025", Divide, "10", "0.000000000000000002"),
        ("2301", Exponent, "-1", "230.1"),
        ("2301", Exponent, "2", "230100"),
        ("2301", Exponent, "0", "2301"),
        ("5", Exponent, "10", "50000000000"),
        ("5", Exponent, "-10", "0.0000000005"),
    ];
    for (value, role, factor, expected) in cases {
        let result = apply(decimal(value), role, decimal(factor));
        assert_eq!(result, Ok(decimal(expected)), "{value} {role:?} {factor}");
        let Ok(Raw::Value(Value::Decimal(number))) = result else { unreachable!() };
        assert_eq!(number.to_string(), expected, "{value} {role:?} {factor}");
    }
}

#[test]
fn any_float_makes_a_float() {
    use Role::{Divide, Exponent, Multiply};
    let number = |number| Raw::Value(Value::F64(number));
    assert_eq!(apply(number(2.5), Multiply, decimal("40")), float(100.0));
    assert_eq!(apply(decimal("40"), Multiply, number(2.5)), float(100.0));
    assert_eq!(apply(decimal("1"), Divide, number(3.0)), float(1.0 / 3.0));
    assert_eq!(apply(number(2_301.0), Exponent, decimal("-1")), float(230.1));
    assert_eq!(apply(number(-0.0), Multiply, decimal("40")), float(-0.0));
    assert_eq!(apply(number(1e308), Exponent, decimal("10")), Err(Fault::Decoding));
    assert_eq!(apply(number(5e-324), Divide, decimal("4")), Err(Fault::Decoding));
}

#[test]
fn a_factor_nobody_has_set_makes_no_value() {
    use Role::{Divide, Exponent, Multiply};
    let one = || decimal("1");
    for role in [Multiply, Divide] {
        for factor in [
            decimal("0"),
            decimal("-1"),
            Raw::Value(Value::F64(0.0)),
            Raw::Value(Value::F64(-2.0)),
            Raw::Value(Value::F64(f64::NAN)),
            Raw::Value(Value::Bool(true)),
            Raw::Text("40".to_owned()),
        ] {
            assert_eq!(apply(one(), role, factor.clone()), Err(Fault::Decoding), "{role:?} {factor:?}");
        }
    }
    for exponent in ["11", "-11", "0.5", "32767", "9223372036854775807", "-9223372036854775808"] {
        assert_eq!(apply(one(), Exponent, decimal(exponent)), Err(Fault::Decoding), "{exponent}");
    }
    assert_eq!(apply(one(), Exponent, Raw::Value(Value::F64(1.0))), Err(Fault::Decoding));
    for unset in ["-32768", "32768"] {
        assert_eq!(apply(one(), Exponent, decimal(unset)), Err(Fault::NotAvailable));
    }
    // Beyond the range, and into nothing.
    assert_eq!(apply(decimal("9223372036854775807"), Multiply, decimal("2")), Err(Fault::Decoding));
    assert_eq!(apply(decimal("9000000000000000000e18"), Divide, decimal("1e-18")), Err(Fault::Decoding));
    assert_eq!(apply(decimal("1e-18"), Divide, decimal("3")), Err(Fault::Decoding));
    assert_eq!(apply(Raw::Text(String::new()), Multiply, one()), Err(Fault::Decoding));
}

#[test]
fn factors_apply_in_their_order_and_none_may_be_missing() {
    let cell = cell(Encoding::U16, Order::Abcd);
    let roles = [Role::Divide, Role::Multiply, Role::Exponent];
    let factors = roles.map(|role| Factor { cell, role }).to_vec();
    let register = Register { factors, ..register("u16") };
    let given = [decimal("8"), decimal("40"), decimal("-2")];
    let read = |factors: &[Raw]| point(&[10], &register, Order::Abcd, factors, &TimeZone::UTC);
    assert_eq!(read(&given), Ok(decimal("0.5")));
    assert_eq!(read(&given[..2]), Err(Fault::Decoding));
    assert_eq!(read(&[]), Err(Fault::Decoding));
}

/// SplitMix64: the same seed, the same draws.
struct Dice(u64);

impl Dice {
    /// An even draw from `0..sides`.
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

/// The short way and the long way give the same.
#[test]
fn plain_numbers_are_what_the_long_way_makes_of_them() {
    let mut dice = Dice(7);
    let encodings = [Encoding::U16, Encoding::I16, Encoding::U32, Encoding::I32, Encoding::F32];
    for round in 0..200_000_u64 {
        let encoding = encodings[usize::try_from(round % 5).unwrap()];
        let order = [Order::Abcd, Order::Cdab][usize::try_from(dice.roll(2)).unwrap()];
        let (before, count) = (usize::try_from(dice.roll(3)).unwrap(), usize::from(encoding.items(order)));
        // Now and then the patterns of NaN and infinity.
        let high = if dice.roll(8) == 0 { 0x7F80 } else { 0 };
        let words: Vec<u16> =
            (0..before + count).map(|_| u16::try_from(dice.roll(65_536)).unwrap() | high).collect();
        let cell = Cell { order, ..Cell::new(Table::Holding, 0, encoding) };
        let register = Register::plain("a/b".parse().unwrap(), 1_000, cell);
        // A number of one register has no order of registers.
        let is_plain = order == Order::Abcd || encoding.items(order) == 2;
        let plain = Plain::of(&register);
        assert_eq!(plain.is_some(), is_plain, "{encoding} {order}");
        let Some(plain) = plain else { continue };
        let long = point(&words[before..], &register, order, &[], &TimeZone::UTC);
        let mut samples = Vec::new();
        plain.read(&words, &[(PointId(1), before), (PointId(2), before + 1)], &mut samples);
        let whole = Sample { point: PointId(1), raw: long };
        let cut_off = Sample { point: PointId(2), raw: Err(Fault::Decoding) };
        assert_eq!(samples, [whole, cut_off], "{words:04x?} {encoding} {order}");
    }
}

/// Whatever is special about a register goes the long way.
#[test]
fn what_is_not_plain_is_not_read_as_if_it_were() {
    let register = |cell| Register::plain("a/b".parse().unwrap(), 1_000, cell);
    let cell = Cell::new(Table::Holding, 0, Encoding::U32);
    for order in [Order::Badc, Order::Dcba] {
        assert_eq!(Plain::of(&register(Cell { order, ..cell })), None);
    }
    assert_eq!(Plain::of(&register(Cell { bits: Some(Bits::One(3)), ..cell })), None);
    let sentinels = vec![Sentinel { raw: Decimal::ZERO, means: Means::Sensor }];
    assert_eq!(Plain::of(&Register { sentinels, ..register(cell) }), None);
    let order_from = Some(OrderFrom { cell, orders: vec![] });
    assert_eq!(Plain::of(&Register { order_from, ..register(cell) }), None);
}
