//! The simulated hospital: real protocols on loopback sockets, invented readings behind them.
//!
//! Read `truth` (what is so), `modbus` and its `plant` (what the registers say), `broker`, `mqtt` (what the sensors
//! say), `scene` (what happens), then [`Hospital`], which is all of them.
//!
//! **Invariant:** nobody below needs it; `demo` and tests run it beside the real thing.

pub mod truth;
pub mod modbus;
pub mod broker;
pub mod mqtt;
mod scene;

use crate::clock::Clock;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use tokio_util::sync::CancellationToken;

/// The devices and sensors of `config/plantroom.toml`, listening on free ports of loopback.
pub struct Hospital {
    modbus: modbus::SimModbus,
    server: modbus::SimModbusServer,
    broker: broker::Broker,
    broker_address: SocketAddr,
    clock: Clock,
    seed: u64,
}

impl Hospital {
    /// Binds; nothing answers before [`Hospital::run`]. `seed` decides noise.
    pub async fn bind(clock: Clock, seed: u64) -> io::Result<Hospital> {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (modbus, server) = modbus::SimModbus::bind(any, clock.clone(), seed).await?;
        let broker = broker::Broker::bind(any).await?;
        let broker_address = broker.local_addr()?;
        Ok(Hospital { modbus, server, broker, broker_address, clock, seed })
    }

    /// Where the Modbus devices answer.
    pub fn modbus_address(&self) -> SocketAddr {
        self.modbus.local_addr()
    }

    /// Where the MQTT broker listens.
    pub fn broker_address(&self) -> SocketAddr {
        self.broker_address
    }

    /// Lives until `stop`.
    pub async fn run(self, stop: CancellationToken) -> io::Result<()> {
        let door = mqtt::FridgeDoor::default();
        let sensors = mqtt::Sensors::new(self.broker_address, self.clock.clone(), self.seed, door.clone());
        let scene = scene::play(self.modbus, door, self.clock, stop.clone());
        let (served, ..) = tokio::join!(
            self.server.run(stop.clone()),
            self.broker.run(stop.clone()),
            sensors.run(stop),
            scene,
        );
        served
    }
}
