//! The demo plant on a real Modbus TCP socket, served by tokio-modbus, which nobody here wrote.
//!
//! Reading order: [`SimModbus`] (the handle), [`SimModbusServer`] (what runs), [`plant`] (what the
//! devices say).

pub mod plant;

use crate::clock::Clock;
use crate::config::Table;
use std::collections::BTreeMap;
use std::future::{Ready, ready};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::TcpListener;
use tokio_modbus::prelude::{ExceptionCode, Request, Response, SlaveRequest};
use tokio_modbus::server::Service;
use tokio_modbus::server::tcp::{Server, accept_tcp_connection};
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// Handle to the simulated devices; clones speak of the same ones.
#[derive(Clone, Debug)]
pub struct SimModbus {
    address: SocketAddr,
    plant: Arc<Plant>,
}

/// The server of the simulated devices, listening already.
#[derive(Debug)]
pub struct SimModbusServer {
    listener: TcpListener,
    plant: Arc<Plant>,
}

#[derive(Debug)]
struct Plant {
    clock: Clock,
    seed: u64,
    held: Mutex<Held>,
}

/// Words that stand still, by where they begin.
type Held = BTreeMap<(u8, Table, u16), Vec<u16>>;

impl SimModbus {
    /// Listens on `listen` (port 0 takes any free one). `seed` decides the noise of the plant.
    pub async fn bind(
        listen: SocketAddr,
        clock: Clock,
        seed: u64,
    ) -> io::Result<(SimModbus, SimModbusServer)> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let plant = Arc::new(Plant { clock, seed, held: Mutex::default() });
        let handle = SimModbus { address, plant: Arc::clone(&plant) };
        Ok((handle, SimModbusServer { listener, plant }))
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// From now on the registers from `address` on read `words`, whatever the plant does: an
    /// oxygen pressure of 300 x 0.001 MPa is `hold(3, Table::Holding, 0, vec![300])`.
    pub fn hold(&self, unit: u8, table: Table, address: u16, words: Vec<u16>) {
        self.plant.held().insert((unit, table, address), words);
    }

    /// Lets go what [`SimModbus::hold`] holds from `address` on.
    pub fn release(&self, unit: u8, table: Table, address: u16) {
        self.plant.held().remove(&(unit, table, address));
    }
}

impl SimModbusServer {
    /// Serves until `stop`, then drops its connections.
    pub async fn run(self, stop: CancellationToken) -> io::Result<()> {
        let SimModbusServer { listener, plant } = self;
        let server = Server::new(listener);
        let connected = |stream, from| {
            let plant = Arc::clone(&plant);
            async move { accept_tcp_connection(stream, from, move |_| Ok(Some(Arc::clone(&plant)))) }
        };
        let failed = |error| debug!(%error, "A connection to the simulated plant failed.");
        stop.run_until_cancelled(server.serve(&connected, failed)).await.unwrap_or(Ok(()))
    }
}

impl Plant {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, unit: u8, table: Table, start: u16, count: u16) -> Result<Vec<u16>, ExceptionCode> {
        let mut registers = plant::registers(unit, self.clock.utc().0, self.seed);
        if registers.is_empty() {
            return Err(ExceptionCode::GatewayTargetDevice);
        }
        for ((_, held_table, address), words) in
            self.held().iter().filter(|((held_unit, ..), _)| *held_unit == unit)
        {
            let addresses = *address..=u16::MAX;
            registers.extend(addresses.map(|address| (*held_table, address)).zip(words.iter().copied()));
        }
        let end = start.checked_add(count).ok_or(ExceptionCode::IllegalDataAddress)?;
        let word = |address| registers.get(&(table, address)).copied();
        (start..end).map(word).collect::<Option<_>>().ok_or(ExceptionCode::IllegalDataAddress)
    }
}

impl Service for Plant {
    type Request = SlaveRequest<'static>;
    type Response = Response;
    type Exception = ExceptionCode;
    type Future = Ready<Result<Response, ExceptionCode>>;

    fn call(&self, asked: SlaveRequest<'static>) -> Self::Future {
        let unit = asked.slave;
        ready(match asked.request {
            Request::ReadHoldingRegisters(start, count) => {
                self.read(unit, Table::Holding, start, count).map(Response::ReadHoldingRegisters)
            }
            Request::ReadInputRegisters(start, count) => {
                self.read(unit, Table::Input, start, count).map(Response::ReadInputRegisters)
            }
            // The plant is there to be watched.
            _ => Err(ExceptionCode::IllegalFunction),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::field::modbus::{Bus, Memory, Metrics};
    use crate::field::{Fault, FieldBatch, Raw};
    use crate::point::{Address, PointId, UtcMs};
    use tokio::sync::mpsc;

    fn register(point: &str, table: Table, address: u16, encoding: config::Encoding) -> config::Register {
        let point = point.parse().unwrap();
        let cell = config::Cell::new(table, address, encoding);
        let order = if encoding.is_float() { config::Order::Cdab } else { config::Order::Abcd };
        config::Register::plain(point, 50, config::Cell { order, ..cell })
    }

    fn device(id: &str, unit: u8, registers: Vec<config::Register>) -> config::Device {
        let id = id.parse().unwrap();
        let (limits, zone) = (config::DeviceLimits::default(), jiff::tz::TimeZone::UTC);
        config::Device { id, unit, limits, zone, registers }
    }

    fn number(batch: &FieldBatch) -> Option<f64> {
        match batch.samples[0].raw {
            Ok(Raw::Value(value)) => value.as_f64(),
            _ => None,
        }
    }

    /// Over a real socket of a foreign server; no waiting but for the next batch.
    #[tokio::test]
    async fn our_bus_reads_the_plant_sees_what_is_held_and_what_is_not_there() {
        let clock = Clock::system();
        let listen = "127.0.0.1:0".parse().unwrap();
        let (sim, server) = SimModbus::bind(listen, clock.clone(), 1).await.unwrap();
        let plan = config::Bus {
            id: "sim".parse().unwrap(),
            link: sim.local_addr().to_string().parse().unwrap(),
            timeout_ms: 5_000,
            turnaround_ms: 0,
            unit_change_ms: 0,
            devices: vec![
                device("panel", 3, vec![register("o2/p", Table::Holding, 0, config::Encoding::U16)]),
                device("ahu", 4, vec![register("ahu/flow", Table::Input, 10, config::Encoding::F32)]),
                device("hole", 4, vec![register("ahu/none", Table::Holding, 10, config::Encoding::U16)]),
            ],
        };
        let (tx, mut batches) = mpsc::channel(16);
        let ids = |_: &Address| Some(PointId(1));
        let bus = Bus::build(&plan, &ids, Memory::default(), clock, tx, &Metrics::new()).unwrap();
        let stop = CancellationToken::new();
        let test = async {
            let (mut normal, mut flow, mut hole) = (None, None, None);
            while normal.is_none() || flow.is_none() || hole.is_none() {
                let batch = batches.recv().await.unwrap();
                match &*batch.device {
                    "panel" => normal = number(&batch),
                    "ahu" => flow = number(&batch),
                    _ => hole = batch.samples[0].raw.clone().err(),
                }
            }
            assert!((380.0..420.0).contains(&normal.unwrap()), "{normal:?}");
            assert!((5_000.0..7_000.0).contains(&flow.unwrap()), "{flow:?}");
            assert_eq!(hole, Some(Fault::Exception(2)));

            sim.hold(3, Table::Holding, 0, vec![300]);
            while number(&batches.recv().await.unwrap()) != Some(300.0) {}
            sim.release(3, Table::Holding, 0);
            loop {
                let batch = batches.recv().await.unwrap();
                if &*batch.device == "panel" && number(&batch) != Some(300.0) {
                    break;
                }
            }
            stop.cancel();
        };
        let ((), served, ()) = tokio::join!(test, server.run(stop.clone()), bus.run(stop.clone()));
        served.unwrap();
    }

    #[test]
    fn refuses_to_be_written_to_and_units_it_is_not() {
        let plant = Plant { clock: Clock::starting_at(UtcMs(0)), seed: 1, held: Mutex::default() };
        let call = |slave, request| plant.call(SlaveRequest { slave, request }).into_inner();
        assert_eq!(call(3, Request::WriteSingleRegister(0, 1)), Err(ExceptionCode::IllegalFunction));
        let read = Request::ReadHoldingRegisters(0, 1);
        assert_eq!(call(99, read), Err(ExceptionCode::GatewayTargetDevice));
        let beyond = Request::ReadHoldingRegisters(u16::MAX, 2);
        assert_eq!(call(3, beyond), Err(ExceptionCode::IllegalDataAddress));
    }

    #[tokio::test(start_paused = true)]
    async fn held_words_cover_as_many_registers() {
        let plant = Plant { clock: Clock::starting_at(UtcMs(0)), seed: 1, held: Mutex::default() };
        plant.held().insert((1, Table::Holding, 0), vec![1, 2]);
        plant.held().insert((1, Table::Holding, u16::MAX), vec![9, 9]);
        assert_eq!(plant.read(1, Table::Holding, 0, 2), Ok(vec![1, 2]));
        assert!(plant.read(2, Table::Holding, 0, 2).is_ok_and(|words| words != [1, 2]), "unit 1 only");
    }
}
