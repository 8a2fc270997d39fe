//! Replies that come after nobody waits for them any more.

use super::reading::{Pace, Reading, Row};
use super::server::Server;
use libtest_mimic::Failed;
use plantroom::config::{Encoding, Table};
use plantroom::field::Fault;

/// Delays in a row, each somewhat longer than the one before, so that replies come in the middle
/// of whatever follows a timeout.
const ROUNDS: u64 = 10;
/// The bus gives up earlier, once it knows the device.
const TIMEOUT_MS: u64 = 200;
const INTERVAL_MS: u64 = 400;
/// Cycles after a timeout by which a point is good again.
const CYCLES_MAX: u32 = 2;

/// What is known of a point while a reply is late.
#[derive(Clone, Copy, Debug, Default)]
struct Course {
    /// Samples since the first timeout of the round.
    since_timeout: Option<u32>,
    good: u32,
}

/// As alike as can be: two registers of one unit that no request can take together, and the same
/// of another unit. Only the transaction id, or what the line remembers, tells the answers apart.
pub fn late_reply(server: &mut Server) -> Result<(), Failed> {
    let row = |unit, address, number| Row::number(unit, Table::Holding, address, Encoding::U16, number);
    let rows = [row(1, 5, 111), row(1, 500, 112), row(2, 5, 221), row(2, 500, 222)];
    server.set(&rows)?;
    let pace = Pace { timeout_ms: TIMEOUT_MS, interval_ms: INTERVAL_MS };
    let mut reading = Reading::start(&server.link, pace, &rows)?;
    reading.until_all_are(&rows)?;
    for round in 0..ROUNDS {
        server.tell(&format!("delay {}", TIMEOUT_MS + 20 * (round + 1)))?;
        until_good_again(&mut reading, &rows).map_err(|failed| format!("round {round}: {failed:?}"))?;
    }
    let late = reading.counted("modbus_late_replies_total")?;
    if late < ROUNDS || !reading.status.read().connected {
        return Err(format!("{late} late replies in {ROUNDS} rounds").into());
    }
    Ok(())
}

/// Reads until something has timed out and everything is good again; whatever has a value
/// meanwhile has the right one.
fn until_good_again(reading: &mut Reading, rows: &[Row; 4]) -> Result<(), Failed> {
    let mut courses = [Course::default(); 4];
    loop {
        for sample in reading.next()?.samples {
            let place = usize::try_from(sample.point.0)?;
            let (row, course) = rows.get(place).zip(courses.get_mut(place)).ok_or("no such point")?;
            course.since_timeout = course.since_timeout.map(|samples| samples + 1);
            if sample.raw == row.raw {
                course.good += u32::from(course.since_timeout.is_some());
            } else if sample.raw == Err(Fault::Timeout) {
                course.since_timeout.get_or_insert(0);
            } else {
                return Err(format!("{:?} instead of {:?}", sample.raw, row.raw).into());
            }
            if course.good == 0 && course.since_timeout >= Some(CYCLES_MAX) {
                return Err(format!("not good again: {courses:?}").into());
            }
        }
        let (timed_out, good) = (
            courses.iter().any(|course| course.since_timeout.is_some()),
            courses.iter().all(|course| course.since_timeout.is_none() || course.good > 1),
        );
        if timed_out && good {
            return Ok(());
        }
    }
}
