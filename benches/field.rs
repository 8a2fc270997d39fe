//! The load of a large hospital: 500 devices on loopback, 100 points each, once a second; and the
//! instructions of the field against a bare tokio-modbus loop. How to run it and what it gave:
//! benches/README.md.
//!
//! - `serve DEVICES`: a Modbus TCP server for each device, on ports it prints; ends with its input
//! - `bare PORTS CYCLES`: the registers and nothing else, with tokio-modbus' own client
//! - `field PORTS CYCLES`: the same registers through the buses, decoded
//! - `pipeline PORTS SECONDS DATA`: the whole gateway, once a second
//! - `stages BATCHES A_SECOND DATA`: what is behind the field, fed from memory (0 a second: as fast
//!   as it is taken); compare instructions with `valgrind --tool=callgrind`, less those of 0 batches
//! - `derived FORMULAS SECONDS DATA`: the reckoning of derived points alone, fed from memory

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::format_push_string,
    clippy::print_stdout,
    reason = "a measurement run by hand"
)]
#![expect(clippy::cast_possible_wrap, clippy::cast_precision_loss, reason = "small numbers")]

#[path = "field/derived.rs"]
mod derived;
#[path = "field/stages.rs"]
mod stages;

use anyhow::{Context as _, ensure};
use plantroom::clock::Clock;
use plantroom::config::{self, Bus, Cell, Device, DeviceLimits, Encoding, Link, Plan, Register, Table};
use plantroom::field::modbus;
use plantroom::historian::{self, Seq};
use plantroom::point::{Address, PointId, Reading, UtcMs};
use plantroom::runtime::Gateway;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::future::{Ready, ready};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_modbus::client::Reader as _;
use tokio_modbus::prelude::{ExceptionCode, Request, Response, Slave};
use tokio_modbus::server::tcp::{Server, accept_tcp_connection};
use tokio_util::sync::CancellationToken;

/// Points of a device: 50 u16, 25 u32 and 25 f32, in 150 registers, which take two requests.
const LAYOUT: [(Encoding, u16, u16); 3] =
    [(Encoding::U16, 0, 50), (Encoding::U32, 50, 25), (Encoding::F32, 100, 25)];
const REGISTERS: u16 = 150;
const POINTS: usize = 100;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    plantroom::net::install_crypto();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    match words.as_slice() {
        ["serve", devices] => runtime.block_on(serve(devices.parse()?)),
        ["bare", ports, cycles] => runtime.block_on(bare(&ports_of(ports)?, cycles.parse()?)),
        ["field", ports, cycles] => runtime.block_on(field(&ports_of(ports)?, cycles.parse()?)),
        ["pipeline", ports, seconds, data] => {
            runtime.block_on(pipeline(&ports_of(ports)?, seconds.parse()?, Path::new(data)))
        }
        ["stages", batches, a_second, data] => {
            let plan = plan(&(1..=500).collect::<Vec<u16>>())?;
            runtime.block_on(stages::stages(&plan, batches.parse()?, a_second.parse()?, Path::new(data)))
        }
        ["derived", formulas, seconds, data] => {
            let plan = plan(&(1..=500).collect::<Vec<u16>>())?;
            derived::derived(&plan, formulas.parse()?, seconds.parse()?, Path::new(data))
        }
        // `cargo bench` without words: the measurement needs a second process, see benches/README.md.
        _ => Ok(()),
    }
}

fn ports_of(file: &str) -> anyhow::Result<Vec<u16>> {
    let text = std::fs::read_to_string(file).with_context(|| file.to_owned())?;
    Ok(text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?)
}

#[derive(Clone)]
struct Registers;

impl tokio_modbus::server::Service for Registers {
    type Request = tokio_modbus::prelude::SlaveRequest<'static>;
    type Response = Response;
    type Exception = ExceptionCode;
    type Future = Ready<Result<Response, ExceptionCode>>;

    fn call(&self, asked: Self::Request) -> Self::Future {
        ready(match asked.request {
            Request::ReadHoldingRegisters(start, count) => {
                // 0x41xx in the high words keeps every float a small finite number.
                let word = |address: u16| {
                    if address.is_multiple_of(2) { 0x4100 | (address & 0xFF) } else { address }
                };
                Ok(Response::ReadHoldingRegisters((start..start + count).map(word).collect()))
            }
            _ => Err(ExceptionCode::IllegalFunction),
        })
    }
}

async fn serve(devices: usize) -> anyhow::Result<()> {
    let tasks = tokio_util::task::TaskTracker::new();
    let mut ports = String::new();
    for _ in 0..devices {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        writeln!(ports, "{}", listener.local_addr()?.port())?;
        tasks.spawn(async move {
            let connected = |stream: TcpStream, from| async move {
                stream.set_nodelay(true)?;
                accept_tcp_connection(stream, from, |_| Ok(Some(Registers)))
            };
            Server::new(listener).serve(&connected, |_| ()).await
        });
    }
    print!("{ports}");
    println!();
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}

/// The requests the planner makes of [`LAYOUT`], asked by hand.
async fn bare(ports: &[u16], cycles: u32) -> anyhow::Result<()> {
    let tasks = tokio_util::task::TaskTracker::new();
    for port in ports {
        let stream = TcpStream::connect(("127.0.0.1", *port)).await?;
        stream.set_nodelay(true)?;
        let mut client = tokio_modbus::client::tcp::attach_slave(stream, Slave(1));
        tasks.spawn(async move {
            let mut sum = 0_u64;
            for _ in 0..cycles {
                for (start, count) in [(0, 124), (124, REGISTERS - 124)] {
                    let words = client.read_holding_registers(start, count).await.unwrap().unwrap();
                    sum += words.iter().map(|word| u64::from(*word)).sum::<u64>();
                }
            }
            sum
        });
    }
    tasks.close();
    tasks.wait().await;
    Ok(())
}

fn device(number: usize, interval_ms: u64) -> Device {
    let mut registers = Vec::new();
    for (encoding, first, count) in LAYOUT {
        for index in 0..count {
            let cell =
                Cell::new(Table::Holding, first + index * encoding.items(config::Order::Abcd), encoding);
            let point = format!("d{number}/{encoding}-{index}").parse().unwrap();
            registers.push(Register::plain(point, interval_ms, cell));
        }
    }
    Device {
        id: format!("device-{number}").parse().unwrap(),
        unit: 1,
        limits: DeviceLimits::default(),
        zone: jiff::tz::TimeZone::UTC,
        registers,
    }
}

/// Every device as often as it can be asked, until there are enough cycles of each.
async fn field(ports: &[u16], cycles: u32) -> anyhow::Result<()> {
    let (tx, mut batches) = mpsc::channel(256);
    let (stop, tasks, metrics) =
        (CancellationToken::new(), tokio_util::task::TaskTracker::new(), modbus::Metrics::new());
    for (number, port) in ports.iter().enumerate() {
        let plan = Bus {
            id: format!("bus-{number}").parse()?,
            link: Link::Tcp { host: "127.0.0.1".to_owned(), port: *port },
            timeout_ms: 5_000,
            turnaround_ms: 0,
            unit_change_ms: 0,
            devices: vec![device(number, 1)],
        };
        let numbers: BTreeMap<Address, PointId> =
            plan.devices[0].registers.iter().map(|r| r.point.clone()).zip((0..).map(PointId)).collect();
        let bus = modbus::Bus::build(
            &plan,
            &|address| numbers.get(address).copied(),
            modbus::Memory::default(),
            Clock::system(),
            tx.clone(),
            &metrics,
        )?;
        tasks.spawn(bus.run(stop.clone()));
    }
    let wanted = ports.len() * usize::try_from(cycles)? * POINTS;
    // As `readings` takes them: in a task of its own.
    let taken = tasks.spawn(async move {
        let (mut samples, mut page) = (0, Vec::new());
        while samples < wanted {
            ensure!(batches.recv_many(&mut page, 64).await > 0, "the buses have ended");
            for batch in page.drain(..) {
                // What has failed is told of in a batch without any value.
                ensure!(batch.samples.last().is_some_and(|sample| sample.raw.is_ok()), "{batch:?}");
                samples += batch.samples.len();
            }
        }
        Ok(samples)
    });
    let samples = taken.await??;
    stop.cancel();
    println!("{samples} samples");
    Ok(())
}

fn site(ports: &[u16]) -> String {
    let mut text = String::from(
        "config_version = 1\n[site]\nid = \"bench\"\ntimezone = \"Asia/Shanghai\"\n[http]\nlisten = \"127.0.0.1:0\"\n",
    );
    for (number, port) in ports.iter().enumerate() {
        text += &format!(
            "[[assets]]\nid = \"d{number}\"\nclass = \"Electrical_Meter\"\n[[modbus]]\nid = \"bus-{number}\"\n\
             connect = \"tcp://127.0.0.1:{port}\"\n[[modbus.devices]]\nid = \"device-{number}\"\nunit_id = 1\n\
             asset = \"d{number}\"\nprofile = \"bench\"\ninterval = \"1s\"\n"
        );
    }
    text
}

fn profile() -> String {
    let mut text = String::from(
        "config_version = 1\n[device]\nname = { en = \"Bench\" }\nsource = \"none\"\ncertainty = \"D\"\n",
    );
    for register in device(0, 1_000).registers {
        let (quantity, cell) = (&register.point.quantity, register.cell);
        text += &format!(
            "[[registers]]\nquantity = \"{quantity}\"\ntable = \"holding\"\naddress = {}\ntype = \"{}\"\nunit = \"1\"\n",
            cell.address, cell.encoding
        );
    }
    text
}

fn plan(ports: &[u16]) -> anyhow::Result<Plan> {
    let files = BTreeMap::from([
        (PathBuf::from("plantroom.toml"), site(ports)),
        (PathBuf::from("devices/bench.toml"), profile()),
    ]);
    let loaded = config::load_from(&files, Path::new("plantroom.toml"), &|_| None);
    Ok(loaded.map_err(|wrong| anyhow::anyhow!("{wrong}"))?.plan)
}

/// What this process has used.
#[derive(Clone, Copy)]
struct Used {
    user: Duration,
    system: Duration,
    /// Memory it holds now.
    kib: u64,
}

impl Used {
    fn now() -> anyhow::Result<Used> {
        let stat = std::fs::read_to_string("/proc/self/stat")?;
        let fields: Vec<&str> = stat.rsplit(')').next().context("stat")?.split_whitespace().collect();
        // Fields 14 and 15 of proc(5), counted from behind the name; in hundredths of a second.
        let time =
            |field: usize| Ok::<_, anyhow::Error>(Duration::from_millis(fields[field].parse::<u64>()? * 10));
        let status = std::fs::read_to_string("/proc/self/status")?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
        let kib = resident.trim().trim_end_matches(" kB").parse()?;
        Ok(Used { user: time(11)?, system: time(12)?, kib })
    }

    /// Prints the time used since `self` for each of `readings`.
    fn print_since(self, readings: u64) -> anyhow::Result<()> {
        let now = Used::now()?;
        let each =
            |from: Duration, to: Duration| to.saturating_sub(from).as_secs_f64() * 1e6 / readings as f64;
        let (user, system) = (each(self.user, now.user), each(self.system, now.system));
        println!(
            "{:.3} µs CPU a reading: {user:.3} user, {system:.3} system; {} MiB",
            user + system,
            now.kib / 1024
        );
        Ok(())
    }
}

async fn pipeline(ports: &[u16], seconds: u64, data: &Path) -> anyhow::Result<()> {
    let plan = plan(ports)?;
    let points = plan.points.len();
    let (stop, clock) = (CancellationToken::new(), Clock::system());
    let gateway = Gateway::build(plan, data, clock.clone()).await?;
    let running = tokio_util::task::TaskTracker::new();
    running.spawn(gateway.run(stop.clone()));
    // The first seconds connect, plan and fill caches.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let (before, from) = (Used::now()?, clock.utc());
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    println!("{points} points, {seconds} s");
    before.print_since(points as u64 * seconds)?;
    let to = clock.utc();
    stop.cancel();
    running.close();
    running.wait().await;
    lateness(data, from, to).await
}

/// How late each device was read against its own grid, out of what is in the history: the stamp of
/// its first register in each second, less the moment that was due. Half the request is in it.
async fn lateness(data: &Path, before: UtcMs, after: UtcMs) -> anyhow::Result<()> {
    let kept = historian::read_only(data)?.context("no data")?;
    let firsts = kept.catalogue.entries().filter(|entry| entry.address.quantity.as_str() == "u16-0");
    // Slots of 50 ms.
    let phase = |asset: &str| stable_hash(&asset.replace('d', "device-")) / 50 * 50 % 1_000;
    let phases: BTreeMap<PointId, u64> =
        firsts.map(|entry| (entry.id, phase(entry.address.asset.as_str()))).collect();
    let (mut late, mut after_seq) = (Vec::new(), Seq(0));
    loop {
        let page = kept.history.tail(after_seq, 10_000).await?;
        let Some((last, _)) = page.last() else { break };
        after_seq = *last;
        let readings = page.iter().flat_map(|(_, batch)| &batch.readings);
        let measured = readings.filter(|reading| (before..after).contains(&reading.at));
        let of = |reading: &Reading| Some(reading.at.0 - phases.get(&reading.point).copied()? as i64);
        late.extend(measured.filter_map(of).map(|ms| (ms + 500).rem_euclid(1_000) - 500));
    }
    late.sort_unstable();
    let at = |share: usize| late[(late.len() - 1) * share / 1_000];
    println!("{} cycles: late p50 {} ms, p99 {} ms, most {} ms", late.len(), at(500), at(990), at(1_000));
    Ok(())
}

/// FNV-1a, as the schedule's phase is made.
fn stable_hash(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
