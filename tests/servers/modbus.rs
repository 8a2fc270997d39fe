//! The bus task against pymodbus and libmodbus: other hands' servers and another hand's encoder.
//!
//! Reading order: `server` (starting them), `reading` (the bus under test), then the tests: `types`,
//! `late`, `holes`, `libmodbus`.

mod server;
mod reading;
mod types;
mod late;
mod holes;
mod libmodbus;

pub use server::{Server, probe};

use crate::support::trial;
use libtest_mimic::{Failed, Trial};
use plantroom::config::{Encoding, Table};
use plantroom::field::Fault;
use reading::{Pace, Reading, Row};

/// The three ways of frames, as the script of pymodbus calls them.
const SCHEMES: [&str; 3] = ["tcp", "rtu+tcp", "rtu"];

/// The tests of this file.
pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    let mut each_way = |name: &str, test: fn(&mut Server) -> Result<(), Failed>| {
        trials.extend(SCHEMES.map(|scheme| {
            let name = format!("modbus_{name}_{}", scheme.replace('+', "_over_"));
            trial(&name, "pymodbus", probe, move || Server::pymodbus(scheme, 0)?.watched(test))
        }));
    };
    each_way("every_type_and_order_as_pymodbus_encodes_it", types::every_type_and_order);
    each_way("a_late_pymodbus_reply_makes_no_wrong_value", late::late_reply);
    each_way("what_pymodbus_does_not_have_hides_nothing_else", holes::holes);
    trials.push(trial("modbus_pymodbus_restarts_and_values_come_back", "pymodbus", probe, restart));
    trials.extend(libmodbus::trials());
    trials
}

fn restart() -> Result<(), Failed> {
    let rows = [Row::number(1, Table::Input, 3, Encoding::I16, -40)];
    let mut link = String::new();
    let mut reading = None;
    Server::pymodbus("tcp", 0)?.watched(|server| {
        link.clone_from(&server.link);
        server.set(&rows)?;
        reading.insert(Reading::start(&link, Pace::QUICK, &rows)?).until_all_are(&rows)
    })?;
    let reading = reading.as_mut().ok_or("nothing reads")?;
    while reading.next()?.samples.iter().all(|sample| sample.raw != Err(Fault::NoConnection)) {}

    let (_, port) = link.rsplit_once(':').ok_or("no port")?;
    Server::pymodbus("tcp", port.parse()?)?.watched(|server| {
        server.set(&rows)?;
        reading.until_all_are(&rows)
    })
}
