//! A register map with mistakes in it.

use super::reading::{Pace, Reading, Row};
use super::server::Server;
use libtest_mimic::Failed;
use plantroom::config::{Encoding, Table};
use plantroom::field::Fault;

/// The unit of the script that has holes, and addresses in them.
const UNIT: u8 = 3;
const HOLES: [u16; 3] = [57, 131, 301];
/// Fields it does have, 3 1/3 registers apart.
const FIELDS: u16 = 117;
/// Cycles until all is known.
const CYCLES_MAX: usize = 2;
/// Requests of a cycle once all is known: four stretches, none longer than a request, and one put
/// to the test.
const REQUESTS_MAX: u64 = 6;

/// 120 fields, 3 of which the device does not have: the other 117 are read, and the three say why
/// they are not.
pub fn holes(server: &mut Server) -> Result<(), Failed> {
    let rows = rows();
    for row in rows.iter().filter(|row| row.raw.is_ok()) {
        server.tell(&row.command())?;
    }
    let mut reading = Reading::start(&server.link, Pace { interval_ms: 1_000, ..Pace::QUICK }, &rows)?;
    let mut told = vec![0; rows.len()];
    let mut right = vec![false; rows.len()];
    while !right.iter().all(|right| *right) {
        for sample in reading.next()?.samples {
            let place = usize::try_from(sample.point.0)?;
            let row = rows.get(place).ok_or("no such point")?;
            let (told, right) = told.get_mut(place).zip(right.get_mut(place)).ok_or("no such point")?;
            *told += 1;
            *right = sample.raw == row.raw;
            if !*right && *told >= CYCLES_MAX {
                return Err(format!("{row:?} is {:?} in its cycle {told}", sample.raw).into());
            }
        }
    }
    known(&mut reading, &rows)
}

fn rows() -> Vec<Row> {
    let addresses = (0..FIELDS).map(|field| field * 10 / 3).chain(HOLES);
    let row = |address: u16| {
        let mut row = Row::number(UNIT, Table::Holding, address, Encoding::U16, 40_000 + i64::from(address));
        if HOLES.contains(&address) {
            row.raw = Err(Fault::Exception(2));
        }
        row
    };
    addresses.map(row).collect()
}

/// What was found out once is not asked again.
fn known(reading: &mut Reading, rows: &[Row]) -> Result<(), Failed> {
    reading.until_all_are(rows)?;
    let cycles = 3;
    let (before, mut samples) = (reading.counted("modbus_requests_total")?, 0);
    while samples < cycles * rows.len() {
        samples += reading.next()?.samples.len();
    }
    let requests = reading.counted("modbus_requests_total")? - before;
    if requests > REQUESTS_MAX * (u64::try_from(cycles)? + 1) {
        return Err(format!("{requests} requests in {cycles} cycles").into());
    }
    Ok(())
}
