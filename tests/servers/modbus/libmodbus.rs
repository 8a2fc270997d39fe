//! A second stack: libmodbus, in C.

use super::reading::{Pace, Reading, Row};
use super::server::Server;
use crate::support::{succeeds, trial};
use libtest_mimic::{Failed, Trial};
use plantroom::config::{Encoding, Table};
use plantroom::field::Fault;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// How much of each table `libmodbus_server.c` has.
const BITS: u16 = 2_100;
const REGISTERS: u16 = 300;
/// Items behind the end of each table that are asked for all the same.
const BEYOND: [u16; 2] = [3, 40];

/// The tests of this file.
pub fn trials() -> impl Iterator<Item = Trial> {
    ["tcp", "rtu"].into_iter().map(|scheme| {
        let name = format!("modbus_all_of_libmodbus_and_nothing_beyond_{scheme}");
        trial(&name, "libmodbus", probe, move || {
            Server::start(Command::new(compiled()?).arg(scheme))?.watched(whole_tables)
        })
    })
}

fn probe() -> Result<(), String> {
    succeeds("gcc", &["--version"])?;
    succeeds("pkg-config", &["--exists", "--print-errors", "libmodbus"])
}

/// The server, compiled once.
fn compiled() -> Result<PathBuf, Failed> {
    static COMPILED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let compile = || {
        let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("libmodbus_server");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/libmodbus_server.c");
        let command =
            "gcc -Wall -Wextra -Werror -O1 -o \"$1\" \"$2\" $(pkg-config --cflags --libs libmodbus)";
        succeeds("sh", &["-c", command, "sh", &program.to_string_lossy(), source])?;
        Ok(program)
    };
    Ok(COMPILED.get_or_init(compile).clone()?)
}

/// Four whole tables, with the longest requests there are, and some items they do not have.
fn whole_tables(server: &mut Server) -> Result<(), Failed> {
    let mut rows = Vec::new();
    for address in 0..REGISTERS {
        let number = |table, number: u16| Row::number(1, table, address, Encoding::U16, number.into());
        rows.push(number(Table::Holding, address.wrapping_mul(211)));
        rows.push(number(Table::Input, u16::MAX - address * 101));
    }
    for address in 0..BITS {
        rows.push(Row::bit(1, Table::Coil, address, address % 3 == 0));
        rows.push(Row::bit(1, Table::Discrete, address, address % 5 == 0));
    }
    for far in BEYOND {
        let registers = [Table::Holding, Table::Input]
            .map(|table| Row::number(1, table, REGISTERS + far, Encoding::U16, 0));
        let bits = [Table::Coil, Table::Discrete].map(|table| Row::bit(1, table, BITS + far, false));
        let refused = registers.into_iter().chain(bits);
        rows.extend(refused.map(|row| Row { raw: Err(Fault::Exception(2)), ..row }));
    }
    let mut reading = Reading::start(&server.link, Pace { interval_ms: 1_000, ..Pace::QUICK }, &rows)?;
    reading.until_all_are(&rows)?;
    match server.ask("longest")?.as_str() {
        "125 2000" => Ok(()),
        other => Err(format!("the longest requests were {other}").into()),
    }
}
