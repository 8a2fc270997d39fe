//! The simulated hospital: real protocols on loopback sockets, invented readings behind them.
//!
//! Read `truth` (what is so), `fault` (what goes wrong, and when), `shown` (what instruments make of
//! it), `device` (registers on Modbus sockets), `sender` and `broker` (messages), `fill` (the past),
//! `memory` (what a data folder remembers), `desk` (what a page sees of it), then [`Hospital`], which is all of them.
//!
//! **Invariant:** nobody below needs it; `demo` and tests run it beside the real thing. The same seed,
//! genesis, script and requests give the same readings.

pub mod truth;
pub mod fault;
pub mod shown;
pub mod device;
pub mod broker;
pub mod sender;
pub mod memory;
pub mod fill;
pub mod desk;

use crate::clock::Clock;
use crate::config::{Plan, Point};
use crate::point::{Address, UtcMs};
use device::bus::{Manner, SimBus, SimBusServer};
use device::unit::{self, Told};
use fault::{Board, Kind, Target};
use futures_util::future::join_all;
use shown::Instruments;
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use truth::Truth;

/// Faults that come again are reckoned anew so often. Milliseconds.
const LOOK_AHEAD_MS: u64 = 6 * 3_600_000;
/// The gateway's clock is set wrong or right this soon after it is due. Milliseconds.
const SKEW_MS: u64 = 500;
const HOUR_MS: i64 = 3_600_000;

/// What is told of the points of a plan.
#[derive(Debug)]
pub struct Facts {
    points: BTreeMap<Address, Point>,
    /// The greatest size of each value on the first day.
    most: Vec<f64>,
}

impl Facts {
    /// Of a plan.
    pub fn new(plan: &Plan, truth: &Truth) -> Facts {
        let points = plan.points.iter().map(|point| (point.address.clone(), point.clone())).collect();
        let mut most = vec![0.0_f64; truth.points().len()];
        for hour in 0..24 {
            let values = truth.values(truth.genesis().plus_ms(hour * HOUR_MS));
            for (most, value) in most.iter_mut().zip(values) {
                *most = most.max(value.abs());
            }
        }
        Facts { points, most }
    }

    /// The same, as devices are made of it.
    pub fn told<'a>(&'a self, truth: &'a Truth) -> Told<'a> {
        Told { places: truth.points(), most: &self.most, points: &self.points }
    }
}

/// The devices and sensors of a plan, listening on free ports of loopback.
pub struct Hospital {
    buses: Vec<(SimBus, SimBusServer)>,
    brokers: Vec<(broker::Broker, SocketAddr, sender::Senders)>,
    instruments: Arc<Instruments>,
    facts: Facts,
    clock: Clock,
}

impl Hospital {
    /// Binds; nothing answers before [`Hospital::run`]. `seed` decides the noise of lines, `manner` how
    /// a bus behaves.
    pub async fn bind(
        plan: &Plan,
        truth: Arc<Truth>,
        board: Arc<Board>,
        manner: impl Fn(&str) -> Manner,
        clock: Clock,
        seed: u64,
    ) -> io::Result<Hospital> {
        let facts = Facts::new(plan, &truth);
        let told = facts.told(&truth);
        let moduli = moduli(plan, told);
        let modulus = |address: &Address| moduli.get(address).copied();
        let instruments = Arc::new(Instruments::new(plan, Arc::clone(&truth), board, &modulus));
        let mut buses = Vec::with_capacity(plan.buses.len());
        for bus in &plan.buses {
            let (instruments, manner) = (Arc::clone(&instruments), manner(bus.id.as_str()));
            buses.push(SimBus::bind(plan, bus, told, instruments, manner, clock.clone(), seed).await?);
        }
        let mut brokers = Vec::with_capacity(plan.brokers.len());
        for broker in &plan.brokers {
            let listening = broker::Broker::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
            let address = listening.local_addr()?;
            let instruments = Arc::clone(&instruments);
            let senders = sender::Senders::new(plan, broker, address, instruments, clock.clone(), seed);
            brokers.push((listening, address, senders));
        }
        Ok(Hospital { buses, brokers, instruments, facts, clock })
    }

    /// One in which nothing happens: what its devices are made to hold, and 0 elsewhere. For tests.
    pub async fn still(plan: &Plan, clock: Clock) -> io::Result<Hospital> {
        let now = clock.utc();
        let board = Arc::new(Board::new(Vec::new(), fault::Known::default(), now));
        let truth = Arc::new(Truth::of(now, 1, board.courses(), |_| {}));
        Hospital::bind(plan, truth, board, |_| Manner::default(), clock, 1).await
    }

    /// Makes the plan find it: the files name the usual ports, the hospital takes free ones, so that
    /// it starts beside anything.
    pub fn lead(&self, plan: &mut Plan) {
        for (bus, (sim, _)) in plan.buses.iter_mut().zip(&self.buses) {
            bus.link = sim.link(&bus.link);
        }
        for (broker, (_, address, _)) in plan.brokers.iter_mut().zip(&self.brokers) {
            broker.host = address.ip().to_string();
            broker.port = address.port();
        }
    }

    /// Its buses, in the order of the plan.
    pub fn buses(&self) -> Vec<SimBus> {
        self.buses.iter().map(|(bus, _)| bus.clone()).collect()
    }

    /// What its instruments show.
    pub fn instruments(&self) -> &Arc<Instruments> {
        &self.instruments
    }

    /// What is told of the points of its plan.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Lives until `stop`. `gateway` is the clock that faults set wrong.
    pub async fn run(self, gateway: Clock, stop: CancellationToken) -> io::Result<()> {
        let Hospital { buses, brokers, instruments, clock, .. } = self;
        let served = join_all(buses.into_iter().map(|(_, server)| server.run(stop.clone())));
        let spoken = join_all(brokers.into_iter().map(|(broker, _, senders)| {
            let (one, other) = (stop.clone(), stop.clone());
            async move { tokio::join!(broker.run(one), senders.run(other)) }
        }));
        let ahead = look_ahead(&instruments, &clock, &stop);
        let skewed = skew(instruments.board(), &clock, &gateway, &stop);
        let (served, ..) = tokio::join!(served, spoken, ahead, skewed);
        served.into_iter().collect()
    }
}

/// What the counters of a plan begin again at, in their units.
fn moduli(plan: &Plan, told: Told<'_>) -> BTreeMap<Address, f64> {
    let mut moduli = BTreeMap::new();
    for device in plan.buses.iter().flat_map(|bus| &bus.devices) {
        for register in &device.registers {
            let point = told.points.get(&register.point);
            let modulus =
                point.and_then(|point| unit::instrument_of(register, point, device, plan, told).modulus());
            moduli.extend(modulus.map(|modulus| (register.point.clone(), modulus)));
        }
    }
    moduli
}

/// Reckons again and again what comes again and again.
async fn look_ahead(instruments: &Instruments, clock: &Clock, stop: &CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = clock.sleep_until(clock.mono().plus_ms(LOOK_AHEAD_MS)) => {}
        }
        let changed = instruments.board().look_ahead(clock.utc());
        changed_from(instruments, changed);
    }
}

/// What was reckoned of the time from `at` on is reckoned again.
pub fn changed_from(instruments: &Instruments, at: UtcMs) {
    instruments.truth().faults_changed(at);
    instruments.faults_changed(at);
}

/// Sets the gateway's clock wrong while a fault says so.
async fn skew(board: &Board, clock: &Clock, gateway: &Clock, stop: &CancellationToken) {
    let mut set_ms = 0;
    loop {
        let seconds = board.size(Kind::ClockJump, &Target::Gateway, clock.utc()).unwrap_or(0.0);
        let wanted_ms = whole(seconds * 1_000.0);
        gateway.jump(wanted_ms - set_ms);
        set_ms = wanted_ms;
        tokio::select! {
            () = stop.cancelled() => return,
            () = clock.sleep_until(clock.mono().plus_ms(SKEW_MS)) => {}
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "at most ten days in milliseconds")]
fn whole(ms: f64) -> i64 {
    ms.round() as i64
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod week;
