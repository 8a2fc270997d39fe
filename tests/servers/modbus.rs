//! The bus task against pymodbus: another hand's server and another hand's encoder.

use crate::support::{Conversation, succeeds, trial};
use libtest_mimic::{Failed, Trial};
use plantroom::clock::Clock;
use plantroom::config::{Bus as BusPlan, Cell, Device, DeviceLimits, Encoding, Order, Register, Table};
use plantroom::field::modbus::{Bus, Memory, Metrics, StatusHandle};
use plantroom::field::{Fault, FieldBatch, Raw, Sample};
use plantroom::point::{Address, PointId, Value};
use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// The tests of this file.
pub fn trials() -> Vec<Trial> {
    let pymodbus = |name, test: fn() -> Result<(), Failed>| trial(name, "pymodbus", probe, test);
    vec![
        pymodbus("modbus_every_type_and_order_as_pymodbus_encodes_it", every_type_and_order),
        pymodbus("modbus_a_late_pymodbus_reply_makes_no_wrong_value", late_reply),
        pymodbus("modbus_pymodbus_restarts_and_values_come_back", restart),
    ]
}

/// Whether pymodbus is here.
pub fn probe() -> Result<(), String> {
    succeeds("python3", &["-c", "from pymodbus.simulator import SimDevice"])
}

/// A running pymodbus.
pub struct Server {
    talk: Conversation,
    /// Where it listens on loopback.
    pub port: u16,
}

impl Server {
    /// Starts it; port 0 takes a free one.
    pub fn start(port: u16) -> Result<Server, Failed> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/pymodbus_server.py");
        let mut talk = Conversation::start(Command::new("python3").arg(script).arg(port.to_string()))?;
        let hello = talk.hear()?;
        let port = hello.strip_prefix("listening ").ok_or("no port")?.parse()?;
        Ok(Server { talk, port })
    }

    /// Says a line of the script's language; it must answer `ok`.
    pub fn tell(&mut self, line: &str) -> Result<(), Failed> {
        match self.talk.say(line)?.as_str() {
            "ok" => Ok(()),
            other => Err(format!("{line}: {other}").into()),
        }
    }
}

/// A value to set and to read back; its point has the number of its row.
#[derive(Clone, Copy)]
struct Row {
    unit: u8,
    table: Table,
    address: u16,
    encoding: Encoding,
    order: Order,
    /// As pymodbus is told it; a float that single precision holds exactly.
    value: f64,
}

impl Row {
    fn command(&self) -> String {
        let Row { unit, address, value, .. } = self;
        let table = if self.table == Table::Holding { "holding" } else { "input" };
        let order = if self.order == Order::Abcd { "big" } else { "little" };
        let kind = match self.encoding {
            Encoding::U16 => "u16",
            Encoding::I16 => "i16",
            Encoding::U32 => "u32",
            Encoding::I32 => "i32",
            Encoding::F32 => "f32",
            other => panic!("{other} is not in the rows"),
        };
        format!("set {unit} {table} {address} {kind} {order} {value}")
    }
}

/// A bus reading `rows` on its own runtime.
struct Reading {
    runtime: Runtime,
    batches: mpsc::Receiver<FieldBatch>,
    status: StatusHandle,
    stop: CancellationToken,
}

impl Reading {
    fn start(port: u16, timeout_ms: u64, rows: &[Row]) -> Result<Reading, Failed> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let (tx, batches) = mpsc::channel(64);
        let ids = |address: &Address| address.quantity.as_str().strip_prefix('r')?.parse().ok().map(PointId);
        let bus = Bus::build(
            &plan(port, timeout_ms, rows)?,
            &ids,
            Memory::default(),
            Clock::system(),
            tx,
            &Metrics::new(),
        )?;
        let (status, stop) = (bus.status(), CancellationToken::new());
        runtime.spawn(bus.run(stop.clone()));
        Ok(Reading { runtime, batches, status, stop })
    }

    fn next(&mut self) -> Result<FieldBatch, Failed> {
        let next = async { tokio::time::timeout(PATIENCE, self.batches.recv()).await };
        Ok(self.runtime.block_on(next)?.ok_or("the bus has ended")?)
    }

    /// Reads until every row has its value; a sample may lag behind by what was in flight.
    fn until_all_are(&mut self, rows: &[Row]) -> Result<(), Failed> {
        let mut seen = BTreeMap::new();
        for _ in 0..1_000 {
            seen.extend(self.next()?.samples.into_iter().map(|sample| (sample.point.0, sample.raw)));
            let right = |(row, number): (&Row, u32)| seen.get(&number).and_then(number_of) == Some(row.value);
            if rows.iter().zip(0_u32..).all(right) {
                return Ok(());
            }
        }
        Err(format!("never all right; last seen {seen:?}").into())
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn number_of(raw: &Result<Raw, Fault>) -> Option<f64> {
    match raw {
        Ok(Raw::Value(value @ (Value::Decimal(_) | Value::F64(_)))) => value.as_f64(),
        _ => None,
    }
}

fn plan(port: u16, timeout_ms: u64, rows: &[Row]) -> Result<BusPlan, Failed> {
    let mut devices: Vec<Device> = Vec::new();
    for (row, number) in rows.iter().zip(0_u32..) {
        let cell = Cell { order: row.order, ..Cell::new(row.table, row.address, row.encoding) };
        let register = Register::plain(format!("unit-{}/r{number}", row.unit).parse()?, 50, cell);
        match devices.iter_mut().find(|device| device.unit == row.unit) {
            Some(device) => device.registers.push(register),
            None => devices.push(Device {
                id: format!("unit-{}", row.unit).parse()?,
                unit: row.unit,
                limits: DeviceLimits::default(),
                zone: jiff::tz::TimeZone::UTC,
                registers: vec![register],
            }),
        }
    }
    Ok(BusPlan {
        id: "pymodbus".parse()?,
        link: format!("127.0.0.1:{port}").parse()?,
        timeout_ms,
        turnaround_ms: 0,
        unit_change_ms: 0,
        devices,
    })
}

/// Every type in both orders in both tables of both units, with neighbours, gaps and extremes.
fn every_row(values: [[f64; 2]; 5]) -> Vec<Row> {
    let encodings = [Encoding::U16, Encoding::I16, Encoding::U32, Encoding::I32, Encoding::F32];
    let mut rows = Vec::new();
    for unit in [1, 2] {
        for (table, base) in [(Table::Holding, 10), (Table::Input, 90)] {
            let mut address = base + u16::from(unit);
            for (encoding, values) in encodings.into_iter().zip(values) {
                for (order, value) in [Order::Abcd, Order::Cdab].into_iter().zip(values) {
                    rows.push(Row { unit, table, address, encoding, order, value });
                    address += if matches!(encoding, Encoding::U16 | Encoding::I16) { 1 } else { 2 };
                }
                // A register nobody wants stands between two types.
                address += 1;
            }
        }
    }
    rows
}

fn every_type_and_order() -> Result<(), Failed> {
    let mut server = Server::start(0)?;
    let first = every_row([
        [1.0, 65_535.0],
        [-1.0, -32_768.0],
        [65_536.0, 4_294_967_295.0],
        [-2.0, -2_147_483_648.0],
        [21.5, -0.015_625],
    ]);
    let second =
        every_row([[0.0, 7.0], [32_767.0, 0.0], [0.0, 99_999_999.0], [2_147_483_647.0, 0.0], [0.0, 1e10]]);
    let mut reading = Reading::start(server.port, 2_000, &first)?;
    for rows in [&first, &second] {
        for row in rows {
            server.tell(&row.command())?;
        }
        reading.until_all_are(rows)?;
    }
    let batch = reading.next()?;
    if batch.at > batch.received_at || batch.at_error_ms == 0 {
        return Err(format!("stamped {} received {}", batch.at, batch.received_at).into());
    }
    match server.talk.say("functions")?.as_str() {
        "3 4" => Ok(()),
        other => Err(format!("functions {other} have left").into()),
    }
}

fn late_reply() -> Result<(), Failed> {
    let mut server = Server::start(0)?;
    // As alike as can be: only the transaction id tells the answers apart.
    let row = |unit: u8, value| Row {
        unit,
        table: Table::Holding,
        address: 5,
        encoding: Encoding::U16,
        order: Order::Abcd,
        value,
    };
    let mut rows = vec![row(1, 111.0), row(1, 112.0), row(2, 222.0)];
    rows.iter_mut().zip([5, 50, 5]).for_each(|(row, address)| row.address = address);
    for row in &rows {
        server.tell(&row.command())?;
    }
    let mut reading = Reading::start(server.port, 100, &rows)?;
    reading.until_all_are(&rows)?;
    let (mut timeouts, mut good) = (0, 0);
    for _ in 0..10 {
        server.tell("delay 150")?;
        let mut since_timeout = None;
        while since_timeout != Some(6) {
            for Sample { point, raw } in reading.next()?.samples {
                let expected = rows.get(usize::try_from(point.0)?).map(|row| row.value);
                match raw {
                    Err(Fault::Timeout) => (timeouts, since_timeout) = (timeouts + 1, Some(0)),
                    raw if number_of(&raw) == expected => {
                        good += 1;
                        since_timeout = since_timeout.map(|count| count + 1);
                    }
                    wrong => return Err(format!("point {point:?}: {wrong:?} instead of {expected:?}").into()),
                }
            }
        }
    }
    if timeouts < 10 || good < 60 || !reading.status.read().connected {
        return Err(format!("{timeouts} timeouts, {good} good").into());
    }
    Ok(())
}

fn restart() -> Result<(), Failed> {
    let rows = [Row {
        unit: 1,
        table: Table::Input,
        address: 3,
        encoding: Encoding::I16,
        order: Order::Abcd,
        value: -40.0,
    }];
    let mut server = Server::start(0)?;
    let port = server.port;
    server.tell(&rows.map(|row| row.command()).concat())?;
    let mut reading = Reading::start(port, 2_000, &rows)?;
    reading.until_all_are(&rows)?;
    drop(server);
    while reading.next()?.samples.iter().all(|sample| sample.raw != Err(Fault::NoConnection)) {}

    let mut server = Server::start(port)?;
    server.tell(&rows.map(|row| row.command()).concat())?;
    reading.until_all_are(&rows)
}
