//! Every type in every order in every table, as another hand writes it.

use super::reading::{Pace, Reading, Row};
use super::server::Server;
use libtest_mimic::Failed;
use plantroom::config::{Bits, Cell, Encoding, Order, Table};
use plantroom::field::{Fault, Raw};
use plantroom::point::{Decimal, Value};

/// Values of each type, one for each round: the extremes, and such that show every byte's place.
/// Dates are in the zone of the devices.
const VALUES: &[(&str, [&str; 3])] = &[
    ("u8", ["1", "255", "0"]),
    ("i8", ["-2", "-128", "127"]),
    ("u16", ["258", "65535", "0"]),
    ("i16", ["-2", "-32768", "32767"]),
    ("u32", ["16909060", "4294967295", "0"]),
    ("i32", ["-16909060", "-2147483648", "2147483647"]),
    ("u48", ["1108152157446", "281474976710655", "0"]),
    ("i48", ["-1108152157446", "-140737488355328", "140737488355327"]),
    // The last one is beyond what is kept exactly.
    ("u64", ["72623859790382856", "9223372036854775807", "9223372036854775808"]),
    ("i64", ["-72623859790382856", "-9223372036854775808", "9223372036854775807"]),
    ("f16", ["21.5", "-65504", "nan"]),
    ("f32", ["21.5", "-0.015625", "inf"]),
    ("f64", ["0.1", "-1e300", "nan"]),
    ("bcd16", ["1234", "9999", "0"]),
    ("bcd32", ["12345678", "99999999", "0"]),
    ("bcd48", ["123456789012", "999999999999", "0"]),
    ("bcd64", ["1234567890123456", "9999999999999999", "0"]),
    ("mod10k-2", ["12345678", "99999999", "0"]),
    ("mod10k-3", ["123456789012", "999999999999", "0"]),
    ("mod10k-4", ["1234567890123456", "9999999999999999", "0"]),
    ("date-bytes", ["2026-11-22T10:30:15+08:00", "2099-12-31T23:59:59+08:00", "2024-02-29T00:00:00+08:00"]),
    ("date-bcd", ["2026-11-22T10:30:15+08:00", "2099-12-31T23:59:59+08:00", "2024-02-29T00:00:00+08:00"]),
    ("date-words", ["2026-11-22T10:30:15+08:00", "2099-12-31T23:59:59+08:00", "2024-02-29T00:00:00+08:00"]),
    (
        "date-iec870",
        ["2026-11-22T10:30:15.250+08:00", "2099-12-31T23:59:59.999+08:00", "2024-02-29T00:00:00+08:00"],
    ),
    ("date-unix", ["2026-11-22T10:30:15+08:00", "2099-12-31T23:59:59+08:00", "2024-02-29T00:00:00+08:00"]),
    ("text:16", ["冷水机组 2", "0123456789abcdef", "Pump #3"]),
];
/// Rounds: as many as there are values of a type.
const ROUNDS: usize = 3;
/// What the bits of a register are set to, bit by bit.
const BITS: [&str; ROUNDS] = ["1100000000000010", "0111111111111110", "1010101001010101"];
/// The ends of a byte, of a register and of the table.
const BIT_ADDRESSES: [u16; 8] = [0, 7, 8, 15, 16, 31, 1_000, 1_999];

/// Three rounds of values over all of it.
pub fn every_type_and_order(server: &mut Server) -> Result<(), Failed> {
    let rounds = [every_row(0)?, every_row(1)?, every_row(2)?];
    let mut reading = Reading::start(&server.link, Pace::QUICK, &rounds[0])?;
    for rows in &rounds {
        server.set(rows)?;
        reading.until_all_are(rows)?;
    }
    let batch = reading.next()?;
    if batch.at > batch.received_at || batch.at_error_ms == 0 {
        return Err(format!("stamped {} received {}", batch.at, batch.received_at).into());
    }
    match server.ask("functions")?.as_str() {
        "1 2 3 4" => Ok(()),
        other => Err(format!("functions {other} instead of all four tables").into()),
    }
}

/// All rows of a round, in all tables of both units.
fn every_row(round: usize) -> Result<Vec<Row>, Failed> {
    let mut rows = Vec::new();
    for unit in [1, 2] {
        for table in [Table::Holding, Table::Input] {
            rows.extend(registers(unit, table, round)?);
        }
        for table in [Table::Coil, Table::Discrete] {
            let on = |address: u16| (usize::from(address) + usize::from(unit) + round).is_multiple_of(2);
            rows.extend(BIT_ADDRESSES.map(|address| Row::bit(unit, table, address, on(address))));
        }
    }
    Ok(rows)
}

/// Every type in every order it can come in, one after the other; between two types stands a
/// register nobody wants.
fn registers(unit: u8, table: Table, round: usize) -> Result<Vec<Row>, Failed> {
    let mut orders: Vec<Order> = Vec::new();
    for order in Order::words() {
        let order = order.parse()?;
        if !orders.contains(&order) {
            orders.push(order);
        }
    }
    let mut rows = Vec::new();
    let mut address = u16::from(unit) + if table == Table::Input { 90 } else { 10 };
    for word in Encoding::words().filter(|word| *word != "bool") {
        let encoding: Encoding = word.parse()?;
        let values = VALUES.iter().find(|(known, _)| *known == word).ok_or(format!("no values of {word}"))?;
        let text = values.1.get(round).ok_or("no such round")?;
        for order in orders.iter().copied().filter(|order| encoding.takes(*order)) {
            let cell = Cell { order, ..Cell::new(table, address, encoding) };
            address += cell.items();
            rows.push(Row { unit, cell, written: format!("{word} {order} {text}"), raw: raw(word, text)? });
        }
        address += 1;
    }
    rows.extend(bits(unit, table, address, round)?);
    Ok(rows)
}

/// One bit each. pymodbus packs them as a reply with coils is packed, the first eight into the
/// byte that comes first: seen as a register, the bytes are swapped.
fn bits(unit: u8, table: Table, address: u16, round: usize) -> Result<Vec<Row>, Failed> {
    let text = BITS.get(round).ok_or("no such round")?;
    let row = |(number, digit)| Row {
        unit,
        cell: Cell {
            order: Order::Badc,
            bits: Some(Bits::One(number)),
            ..Cell::new(table, address, Encoding::U16)
        },
        written: format!("bits abcd {text}"),
        raw: Ok(Raw::Value(Value::Bool(digit == '1'))),
    };
    Ok((0_u8..).zip(text.chars()).map(row).collect())
}

/// What is to be read of a value, out of its text and nothing else.
fn raw(word: &str, text: &str) -> Result<Result<Raw, Fault>, Failed> {
    let decimal = |number: Decimal| Ok(Raw::Value(Value::Decimal(number)));
    Ok(match word.trim_end_matches(|c: char| c.is_ascii_digit()) {
        "f" => match text.parse::<f64>()? {
            number if number.is_finite() => Ok(Raw::Value(Value::F64(number))),
            _ => Err(Fault::Sensor),
        },
        "text:" => Ok(Raw::Text(text.to_owned())),
        _ if word.starts_with("date") => {
            decimal(Decimal::new(text.parse::<jiff::Timestamp>()?.as_millisecond(), -3)?)
        }
        _ => text.parse().map_or(Err(Fault::Decoding), |number| decimal(Decimal::from_int(number))),
    })
}
