//! The bus under test: rows of what stands where, read on a runtime of its own.

use libtest_mimic::Failed;
use plantroom::clock::Clock;
use plantroom::config::{Bus as BusPlan, Cell, Device, DeviceLimits, Encoding, Register, Table};
use plantroom::field::modbus::{Bus, Memory, Metrics, StatusHandle};
use plantroom::field::{Fault, FieldBatch, Raw};
use plantroom::point::{Address, Decimal, PointId, Value};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(30);
/// More batches than anything here takes to become right.
const BATCHES_MAX: usize = 2_000;
/// The zone of the devices' clocks.
pub const ZONE: &str = "Asia/Shanghai";

/// What stands where; its point has the number of its row.
#[derive(Clone, Debug)]
pub struct Row {
    /// Unit id.
    pub unit: u8,
    /// Where it stands and how it is written there.
    pub cell: Cell,
    /// What the server is told to write there: type, order and value.
    pub written: String,
    /// What is to be read.
    pub raw: Result<Raw, Fault>,
}

impl Row {
    /// A whole number in the order of the standard.
    pub fn number(unit: u8, table: Table, address: u16, encoding: Encoding, number: i64) -> Row {
        let cell = Cell::new(table, address, encoding);
        let written = format!("{encoding} {} {number}", cell.order);
        Row { unit, cell, written, raw: Ok(Raw::Value(Value::Decimal(Decimal::from_int(number)))) }
    }

    /// A coil or discrete input.
    pub fn bit(unit: u8, table: Table, address: u16, on: bool) -> Row {
        let cell = Cell::new(table, address, Encoding::Bool);
        let written = format!("bool {} {}", cell.order, u8::from(on));
        Row { unit, cell, written, raw: Ok(Raw::Value(Value::Bool(on))) }
    }

    /// The line of the script's language that makes it so.
    pub fn command(&self) -> String {
        let table = match self.cell.table {
            Table::Coil => "coil",
            Table::Discrete => "discrete",
            Table::Holding => "holding",
            Table::Input => "input",
        };
        format!("set {} {table} {} {}", self.unit, self.cell.address, self.written)
    }
}

/// How fast it goes.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// As in [`BusPlan`].
    pub timeout_ms: u64,
    /// Of every register.
    pub interval_ms: u64,
}

impl Pace {
    /// As fast as it gets; nothing times out.
    pub const QUICK: Pace = Pace { timeout_ms: 2_000, interval_ms: 100 };
}

/// A bus that reads rows.
pub struct Reading {
    runtime: Runtime,
    batches: mpsc::Receiver<FieldBatch>,
    metrics: Metrics,
    /// How it is doing.
    pub status: StatusHandle,
    stop: CancellationToken,
}

impl Reading {
    /// Starts it.
    pub fn start(link: &str, pace: Pace, rows: &[Row]) -> Result<Reading, Failed> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let (tx, batches) = mpsc::channel(64);
        let ids = |address: &Address| address.quantity.as_str().strip_prefix('r')?.parse().ok().map(PointId);
        let metrics = Metrics::new();
        let plan = plan(link, pace, rows)?;
        let bus = Bus::build(&plan, &ids, Memory::default(), Clock::system(), tx, &metrics)?;
        let (status, stop) = (bus.status(), CancellationToken::new());
        runtime.spawn(bus.run(stop.clone()));
        Ok(Reading { runtime, batches, metrics, status, stop })
    }

    /// The next samples.
    pub fn next(&mut self) -> Result<FieldBatch, Failed> {
        let next = async { tokio::time::timeout(PATIENCE, self.batches.recv()).await };
        Ok(self.runtime.block_on(next)?.ok_or("the bus has ended")?)
    }

    /// Reads until every row is as it is to be read; a sample may lag behind by what was in flight.
    pub fn until_all_are(&mut self, rows: &[Row]) -> Result<(), Failed> {
        let mut seen = BTreeMap::new();
        for _ in 0..BATCHES_MAX {
            seen.extend(self.next()?.samples.into_iter().map(|sample| (sample.point.0, sample.raw)));
            if wrong(rows, &seen).next().is_none() {
                return Ok(());
            }
        }
        let wrong: Vec<_> = wrong(rows, &seen).take(5).collect();
        Err(format!("never all right: {wrong:#?}").into())
    }

    /// The value of one of its counters.
    pub fn counted(&self, counter: &str) -> Result<u64, Failed> {
        let (mut registry, mut text) = (Registry::default(), String::new());
        self.metrics.register(&mut registry);
        encode(&mut text, &registry)?;
        let line = text.lines().find(|line| line.starts_with(counter));
        let (_, value) = line.and_then(|line| line.rsplit_once(' ')).ok_or(format!("no {counter}"))?;
        Ok(value.parse()?)
    }
}

/// Rows that were last read otherwise, or never.
fn wrong<'a>(
    rows: &'a [Row],
    seen: &'a BTreeMap<u32, Result<Raw, Fault>>,
) -> impl Iterator<Item = (&'a Row, Option<&'a Result<Raw, Fault>>)> {
    let with_seen = rows.iter().zip(0_u32..).map(|(row, number)| (row, seen.get(&number)));
    with_seen.filter(|(row, seen)| *seen != Some(&row.raw))
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn plan(link: &str, pace: Pace, rows: &[Row]) -> Result<BusPlan, Failed> {
    let mut devices: Vec<Device> = Vec::new();
    for (row, number) in rows.iter().zip(0_u32..) {
        let point = format!("unit-{}/r{number}", row.unit).parse()?;
        let register = Register::plain(point, pace.interval_ms, row.cell);
        match devices.iter_mut().find(|device| device.unit == row.unit) {
            Some(device) => device.registers.push(register),
            None => devices.push(Device {
                id: format!("unit-{}", row.unit).parse()?,
                unit: row.unit,
                limits: DeviceLimits::default(),
                zone: jiff::tz::TimeZone::get(ZONE)?,
                registers: vec![register],
            }),
        }
    }
    Ok(BusPlan {
        id: "foreign".parse()?,
        link: link.parse()?,
        timeout_ms: pace.timeout_ms,
        turnaround_ms: 0,
        unit_change_ms: 0,
        devices,
    })
}
