//! A bus on a real socket, served by tokio-modbus, which nobody here wrote: several units, as the plan
//! has them, over Modbus TCP or in RTU frames.

use super::unit::{Told, Unit};
use super::wire::{Dice, Next, Spoilt, Wire};
use crate::clock::Clock;
use crate::config::{self, Link, Plan, Table};
use crate::point::{Name, UtcMs};
use crate::sim::fault::{Kind, Target};
use crate::sim::shown::Instruments;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::TcpListener;
use tokio_modbus::prelude::{ExceptionCode, Request, Response, SlaveRequest};
use tokio_modbus::server::{Service, rtu_over_tcp, tcp};
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// So much later than its usual time a late reply comes. Milliseconds.
const LATE_MS: u64 = 3_000;

/// How a line behaves when nothing is wrong with it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Manner {
    /// It answers so long after each request, one at a time. Milliseconds.
    pub delay_ms: u64,
    /// This share of its replies is lost, late, cut or has a bit turned over.
    pub noise: f64,
}

/// Handle to a simulated bus; clones speak of the same one.
#[derive(Clone, Debug)]
pub struct SimBus {
    address: SocketAddr,
    line: Arc<Line>,
}

/// The server of a bus, listening already.
#[derive(Debug)]
pub struct SimBusServer {
    listener: TcpListener,
    line: Arc<Line>,
    rtu: bool,
}

#[derive(Debug)]
struct Line {
    id: Name,
    clock: Clock,
    manner: Manner,
    units: BTreeMap<u8, Unit>,
    instruments: Arc<Instruments>,
    dice: Dice,
    held: Mutex<Held>,
    /// Held while it thinks, if it takes one request at a time.
    busy: tokio::sync::Mutex<()>,
}

/// Words that stand still, by where they begin.
type Held = BTreeMap<(u8, Table, u16), Vec<u16>>;

impl SimBus {
    /// Listens on a free port of loopback as this bus of the plan. `seed` decides its noise.
    pub async fn bind(
        plan: &Plan,
        bus: &config::Bus,
        told: Told<'_>,
        instruments: Arc<Instruments>,
        manner: Manner,
        clock: Clock,
        seed: u64,
    ) -> io::Result<(SimBus, SimBusServer)> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let address = listener.local_addr()?;
        let units = bus.devices.iter().map(|device| (device.unit, Unit::new(plan, device, told)));
        let line = Arc::new(Line {
            id: bus.id.clone(),
            clock,
            manner,
            units: units.collect(),
            instruments,
            dice: Dice::new(seed, bus.id.as_str()),
            held: Mutex::default(),
            busy: tokio::sync::Mutex::default(),
        });
        let handle = SimBus { address, line: Arc::clone(&line) };
        let rtu = bus.link.serial().is_some();
        Ok((handle, SimBusServer { listener, line, rtu }))
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// How the gateway reaches it, as `link` says otherwise.
    pub fn link(&self, link: &Link) -> Link {
        let (host, port) = (self.address.ip().to_string(), self.address.port());
        match link.serial() {
            Some(serial) => Link::RtuOverTcp { host, port, serial },
            None => Link::Tcp { host, port },
        }
    }

    /// From now on the registers from `address` on read `words`, whatever the plant does: an
    /// oxygen pressure of 300 x 0.001 MPa is `hold(3, Table::Holding, 0, vec![300])`.
    pub fn hold(&self, unit: u8, table: Table, address: u16, words: Vec<u16>) {
        self.line.held().insert((unit, table, address), words);
    }

    /// Lets go what [`SimBus::hold`] holds from `address` on.
    pub fn release(&self, unit: u8, table: Table, address: u16) {
        self.line.held().remove(&(unit, table, address));
    }

    /// A connection over any stream: what answers on it, and the stream as the line spoils it. `rtu` if
    /// its frames end in a checksum.
    #[cfg(test)]
    pub fn connect<T>(&self, stream: T, rtu: bool) -> (Connection, Wire<T>) {
        connect(&self.line, stream, rtu)
    }
}

impl SimBusServer {
    /// Serves until `stop`, then drops its connections.
    pub async fn run(self, stop: CancellationToken) -> io::Result<()> {
        let SimBusServer { listener, line, rtu } = self;
        let id = line.id.clone();
        let connected = |stream: tokio::net::TcpStream, _| {
            // Small replies at once; a socket that cannot be told so still works.
            let _slower = stream.set_nodelay(true);
            std::future::ready(Ok(Some(connect(&line, stream, rtu))))
        };
        let failed = move |error| debug!(bus = %id, %error, "A connection to a simulated bus failed.");
        let serving = async {
            if rtu {
                rtu_over_tcp::Server::new(listener).serve(&connected, failed).await
            } else {
                tcp::Server::new(listener).serve(&connected, failed).await
            }
        };
        stop.run_until_cancelled(serving).await.unwrap_or(Ok(()))
    }
}

/// What answers on a connection, and its stream as the line spoils it.
fn connect<T>(line: &Arc<Line>, stream: T, rtu: bool) -> (Connection, Wire<T>) {
    let next: Next = Arc::new(Mutex::new(Spoilt::No));
    let connection = Connection { line: Arc::clone(line), next: Arc::clone(&next) };
    (connection, Wire::new(stream, next, line.dice.clone(), rtu))
}

/// One connection to a line.
#[derive(Clone, Debug)]
pub struct Connection {
    line: Arc<Line>,
    /// What the line does to the next reply.
    next: Next,
}

type Answer = Result<Option<Response>, ExceptionCode>;

impl Service for Connection {
    type Request = SlaveRequest<'static>;
    type Response = Option<Response>;
    type Exception = ExceptionCode;
    type Future = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn call(&self, asked: SlaveRequest<'static>) -> Self::Future {
        let connection = self.clone();
        Box::pin(async move { connection.answer(&asked).await })
    }
}

impl Connection {
    async fn answer(&self, asked: &SlaveRequest<'static>) -> Answer {
        let line = &self.line;
        let now = line.clock.utc();
        if line.is_dead(asked.slave, now) {
            return Ok(None);
        }
        let spoilt = line.dice.spoil(line.noise(now));
        let late = if spoilt == Spoilt::Late { LATE_MS } else { 0 };
        if line.manner.delay_ms + late > 0 {
            let _alone = line.busy.lock().await;
            line.clock.sleep_until(line.clock.mono().plus_ms(line.manner.delay_ms)).await;
        }
        if late > 0 {
            line.clock.sleep_until(line.clock.mono().plus_ms(late)).await;
        }
        let answer = line.answer(asked)?;
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = spoilt;
        Ok(Some(answer).filter(|_| spoilt != Spoilt::Lost))
    }
}

impl Line {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it spoils by itself, and what a fault adds.
    fn noise(&self, now: UtcMs) -> f64 {
        let bus = Target::Bus(self.id.clone());
        let fault = self.instruments.board().size(Kind::NoisyBus, &bus, now).unwrap_or(0.0);
        self.manner.noise.max(fault)
    }

    fn is_dead(&self, unit: u8, now: UtcMs) -> bool {
        let Some(unit) = self.units.get(&unit) else { return false };
        let board = self.instruments.board();
        board.magnitude(Kind::DeadDevice, &Target::Device(unit.id.clone()), now) > 0.0
    }

    fn answer(&self, asked: &SlaveRequest<'static>) -> Result<Response, ExceptionCode> {
        let unit = asked.slave;
        let flags = |words: Vec<u16>| words.into_iter().map(|word| word != 0).collect::<Vec<bool>>();
        match asked.request {
            Request::ReadHoldingRegisters(start, count) => {
                self.read(unit, Table::Holding, start, count).map(Response::ReadHoldingRegisters)
            }
            Request::ReadInputRegisters(start, count) => {
                self.read(unit, Table::Input, start, count).map(Response::ReadInputRegisters)
            }
            Request::ReadCoils(start, count) => {
                self.read(unit, Table::Coil, start, count).map(flags).map(Response::ReadCoils)
            }
            Request::ReadDiscreteInputs(start, count) => {
                self.read(unit, Table::Discrete, start, count).map(flags).map(Response::ReadDiscreteInputs)
            }
            // The plant is there to be watched.
            _ => Err(ExceptionCode::IllegalFunction),
        }
    }

    fn read(&self, unit: u8, table: Table, start: u16, count: u16) -> Result<Vec<u16>, ExceptionCode> {
        let now = self.clock.utc();
        let device = self.units.get(&unit).ok_or(ExceptionCode::GatewayTargetDevice)?;
        let shown = device.read(table, start, count, &self.instruments.now(now), now);
        let held = self.held();
        let mine = || held.iter().filter(|((held, on, _), _)| *held == unit && *on == table);
        let end = u32::from(start) + u32::from(count);
        let covers = |address: u32| {
            mine().any(|((.., first), words)| {
                let first = u32::from(*first);
                (first..first + u32::try_from(words.len()).unwrap_or(0)).contains(&address)
            })
        };
        let mut words = match shown {
            Ok(words) => words,
            // What is held is there, even where the device has nothing.
            Err(_) if (u32::from(start)..end).all(covers) => vec![0; usize::from(count)],
            Err(_) => return Err(ExceptionCode::IllegalDataAddress),
        };
        for ((.., first), held) in mine() {
            for (address, word) in (u32::from(*first)..).zip(held) {
                let place = address.checked_sub(u32::from(start)).and_then(|at| usize::try_from(at).ok());
                if let Some(item) = place.and_then(|place| words.get_mut(place)) {
                    *item = *word;
                }
            }
        }
        Ok(words)
    }
}
