//! The bus: dials, reads each device in its turn, and says so when it cannot.

use super::decode::decode;
use super::frame::ReadRequest;
use super::holes::Holes;
use super::line::{AskError, Broken, Line};
use super::metrics::{BusMetrics, Metrics};
use super::plan::{self, Cost, Map, PlanError, blocks};
use super::schedule::{Schedule, Turn, stable_hash};
use super::status::StatusHandle;
use crate::clock::{Clock, Mono};
use crate::config;
use crate::field::{Fault, FieldBatch, Raw, Sample};
use crate::net::Backoff;
use crate::point::{Address, PointId, UtcMs};
use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

/// A connection that is not there after this long is not coming.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Pauses between attempts to connect.
const RECONNECT_MIN: Duration = Duration::from_millis(500);
const RECONNECT_MAX: Duration = Duration::from_secs(30);
/// How long a tick waits for a connection that is just being made, before it says there is none.
const CONNECT_GRACE_MS: u64 = 500;
/// A connection that lived this long was worth making, even if nothing was asked on it.
const HELD_MS: u64 = 5_000;
/// First pause after "acknowledge" or "busy"; doubles with each retry.
const BUSY_PAUSE_MS: u64 = 100;
/// Retries after "acknowledge" or "busy".
const BUSY_RETRIES: u32 = 3;

/// How a bus gets its connection.
pub trait Dial: Send {
    /// What it is carried by.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send;

    /// Makes one connection. Dropping the future gives the attempt up.
    fn dial(&mut self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// Modbus TCP.
#[derive(Clone, Debug)]
pub struct TcpDial {
    host: String,
    port: u16,
}

impl Dial for TcpDial {
    type Stream = TcpStream;

    async fn dial(&mut self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        // A request is one small segment: Nagle would hold it back for the acknowledgement.
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// Why a bus cannot be built. Validation finds most of it earlier and with its line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// A register feeds a point the catalogue does not have.
    #[error("device {device}: no point {point}")]
    UnknownPoint {
        /// The device.
        device: String,
        /// The address of the point.
        point: Address,
    },
    /// A register that cannot be asked for.
    #[error("device {device}: {source}")]
    Register {
        /// The device.
        device: String,
        /// What is wrong with it.
        source: PlanError,
    },
    /// A device without registers, or with an interval of 0 ms.
    #[error("device {device}: nothing to read, or no interval to read it at")]
    Idle {
        /// The device.
        device: String,
    },
}

/// One Modbus line with its devices, ready to run.
#[derive(Debug)]
pub struct Bus<D = TcpDial> {
    dial: D,
    backoff: Backoff,
    poller: Poller,
}

impl Bus {
    /// Makes the bus of a plan; dials nothing yet. `ids` gives the number of a point, `tx` leads
    /// to `readings`.
    pub fn build(
        plan: &config::Bus,
        ids: &impl Fn(&Address) -> Option<PointId>,
        clock: Clock,
        tx: mpsc::Sender<FieldBatch>,
        metrics: &Metrics,
    ) -> Result<Bus, BuildError> {
        let (host, port) = match &plan.link {
            config::Link::Tcp { host, port } | config::Link::RtuOverTcp { host, port, .. } => (host, *port),
            config::Link::Rtu { path, .. } => (path, 0),
        };
        let dial = TcpDial { host: host.clone(), port };
        Bus::build_over(dial, plan, ids, clock, tx, metrics)
    }
}

impl<D: Dial> Bus<D> {
    /// As [`Bus::build`], over any transport.
    pub fn build_over(
        dial: D,
        plan: &config::Bus,
        ids: &impl Fn(&Address) -> Option<PointId>,
        clock: Clock,
        tx: mpsc::Sender<FieldBatch>,
        metrics: &Metrics,
    ) -> Result<Bus<D>, BuildError> {
        let bus: Arc<str> = plan.id.as_str().into();
        let devices: Vec<Device> =
            plan.devices.iter().map(|device| Device::build(device, ids)).collect::<Result<_, _>>()?;
        let now = clock.now();
        // Buses of one plant that start together must not dial in step, nor after every start alike.
        let seed = stable_hash(&bus) ^ now.utc.0.cast_unsigned();
        let intervals = plan.devices.iter().map(|device| (device.id.as_str(), interval_of(device)));
        let poller = Poller {
            schedule: Schedule::new(intervals, plan.timeout_ms, now, seed),
            status: StatusHandle::new(
                Arc::clone(&bus),
                devices.iter().map(|device| Arc::clone(&device.name)),
            ),
            devices,
            timeout: Duration::from_millis(plan.timeout_ms),
            grace_until: now.mono.plus_ms(CONNECT_GRACE_MS),
            outlet: Outlet { clock, tx, metrics: metrics.of_bus(&bus) },
            bus,
        };
        Ok(Bus { dial, backoff: Backoff::new(RECONNECT_MIN, RECONNECT_MAX, seed), poller })
    }

    /// Where to see how the bus is doing.
    pub fn status(&self) -> StatusHandle {
        self.poller.status.clone()
    }

    /// Reads the devices until `stop` or until nobody takes the samples any more.
    pub async fn run(self, stop: CancellationToken) {
        let Bus { mut dial, mut backoff, mut poller } = self;
        let status = poller.status.clone();
        // Either end is an orderly one: samples in flight belong to no promise yet.
        let _stopped_or_gone = stop.run_until_cancelled(poller.forever(&mut dial, &mut backoff)).await;
        status.set_connected(false);
    }
}

/// Nobody takes the samples any more: the program is going down.
struct ReaderGone;

#[derive(Debug)]
struct Device {
    name: Arc<str>,
    unit: u8,
    interval_ms: u64,
    blocks: Vec<Block>,
    /// One value, the cheapest question there is.
    probe: ReadRequest,
    /// Why it last failed: what its points are told while it is only probed.
    fault: Fault,
}

impl Device {
    fn build(
        plan: &config::Device,
        ids: &impl Fn(&Address) -> Option<PointId>,
    ) -> Result<Device, BuildError> {
        let device = || plan.id.to_string();
        let point = |register: &config::Register| match ids(&register.point) {
            Some(id) => Ok((register.clone(), id)),
            None => Err(BuildError::UnknownPoint { device: device(), point: register.point.clone() }),
        };
        let registers: Vec<_> = plan.registers.iter().map(point).collect::<Result<_, _>>()?;
        let refused = |source| BuildError::Register { device: device(), source };
        let first = plan.registers.first().filter(|_| interval_of(plan) > 0);
        let first = first.ok_or_else(|| BuildError::Idle { device: device() })?;
        Ok(Device {
            name: plan.id.as_str().into(),
            unit: plan.unit,
            interval_ms: interval_of(plan),
            blocks: neighbours(plan, &registers).map_err(refused)?,
            probe: ReadRequest::new(first.cell.table, first.cell.address, first.cell.items())
                .map_err(|error| refused(error.into()))?,
            fault: Fault::Timeout,
        })
    }
}

/// One request and the values in its answer.
#[derive(Clone, Debug)]
struct Block {
    request: ReadRequest,
    fields: Vec<Field>,
}

/// Where in a block a point's value stands.
#[derive(Clone, Copy, Debug)]
struct Field {
    point: PointId,
    /// Items before it in the block.
    offset: u16,
    cell: config::Cell,
}

/// Only what touches is asked for together: a gap might be a hole, which would cost a block.
fn neighbours(
    plan: &config::Device,
    registers: &[(config::Register, PointId)],
) -> Result<Vec<Block>, PlanError> {
    let map = Map::new(registers.iter().map(|(register, point)| (register, *point)))?;
    let gaps_never_pay = Cost { fixed_us: 0, byte_ns: 1 };
    let planned = blocks(&map.wishes(map.all()), &plan.limits, &Holes::default(), gaps_never_pay)?;
    let block = |block: plan::Block| {
        let start = block.request.start();
        let fields = block.wishes.iter().flat_map(|wish| {
            let cell = usize::try_from(wish.tag).ok().and_then(|tag| map.cells.get(tag)).copied();
            let points = map.points.iter().filter(|point| point.cell == wish.tag);
            let offset = wish.start - start;
            points.zip(cell.into_iter().cycle()).map(move |(point, cell)| Field {
                point: point.id,
                offset,
                cell,
            })
        });
        Block { request: block.request, fields: fields.collect() }
    };
    Ok(planned.asked.into_iter().map(block).collect())
}

/// How often the device is read.
fn interval_of(plan: &config::Device) -> u64 {
    plan.registers.iter().map(|register| register.interval_ms).min().unwrap_or(0)
}

/// Everything about the bus but its connection.
#[derive(Debug)]
struct Poller {
    bus: Arc<str>,
    devices: Vec<Device>,
    schedule: Schedule,
    status: StatusHandle,
    timeout: Duration,
    /// Until then a tick still waits for the connection.
    grace_until: Mono,
    outlet: Outlet,
}

impl Poller {
    async fn forever<D: Dial>(
        &mut self,
        dial: &mut D,
        backoff: &mut Backoff,
    ) -> Result<Infallible, ReaderGone> {
        // Said once per outage, and that it is over.
        let mut newsworthy = true;
        loop {
            let (stream, attempts) = self.connect(dial, backoff).await?;
            if newsworthy || attempts > 1 {
                info!(bus = %self.bus, attempts, "Connected.");
            }
            let since = self.outlet.clock.mono();
            self.status.set_connected(true);
            self.schedule.connected(since);
            let mut line = Line::new(stream, self.outlet.clock.clone(), self.outlet.metrics.clone());
            let broken = self.poll(&mut line).await?;
            self.status.set_connected(false);
            self.outlet.metrics.reconnects.inc();
            // Many devices close a connection that was idle for a while.
            newsworthy = !(line.answered() && matches!(broken, Broken::Closed));
            if newsworthy {
                warn!(bus = %self.bus, reason = %broken, "Connection lost.");
            }
            let now = self.outlet.clock.mono();
            self.grace_until = now.plus_ms(CONNECT_GRACE_MS);
            if line.answered() || now.since_ms(since) >= HELD_MS {
                backoff.reset();
            } else {
                self.meanwhile(tokio::time::sleep(backoff.next_delay())).await?;
            }
        }
    }

    /// Dials until there is a connection, and counts the attempts.
    async fn connect<D: Dial>(
        &mut self,
        dial: &mut D,
        backoff: &mut Backoff,
    ) -> Result<(D::Stream, u64), ReaderGone> {
        let mut attempts = 0_u64;
        loop {
            attempts += 1;
            let error = match self.meanwhile(tokio::time::timeout(CONNECT_TIMEOUT, dial.dial())).await? {
                Ok(Ok(stream)) => return Ok((stream, attempts)),
                Ok(Err(error)) => error,
                Err(elapsed) => elapsed.into(),
            };
            if attempts == 1 {
                warn!(bus = %self.bus, %error, "Cannot connect, will keep trying.");
            } else {
                debug!(bus = %self.bus, attempts, %error, "Still cannot connect.");
            }
            self.grace_until = self.outlet.clock.mono();
            self.meanwhile(tokio::time::sleep(backoff.next_delay())).await?;
        }
    }

    /// Waits for `future` without a connection: each device says so at its own interval.
    async fn meanwhile<F: Future>(&mut self, future: F) -> Result<F::Output, ReaderGone> {
        let mut future = pin!(future);
        loop {
            let Some((due, index)) = self.schedule.next_tick() else { return Ok(future.await) };
            tokio::select! {
                biased;
                output = &mut future => return Ok(output),
                () = self.outlet.clock.sleep_until(due.max(self.grace_until)) => {}
            }
            let skipped = self.schedule.missed(index, self.outlet.clock.mono());
            self.outlet.metrics.skipped_cycles.inc_by(skipped);
            self.state(index, Some(Fault::NoConnection)).await?;
        }
    }

    /// Reads devices until the line breaks.
    async fn poll<S>(&mut self, line: &mut Line<S>) -> Result<Broken, ReaderGone>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        loop {
            let Some((due, turn)) = self.schedule.next() else { return Ok(line.idle().await) };
            tokio::select! {
                biased;
                broken = line.idle() => return Ok(broken),
                () = self.outlet.clock.sleep_until(due) => {}
            }
            let broken = match turn {
                Turn::Read(index) => self.cycle(line, index).await?,
                Turn::Probe(index) => self.probe(line, index).await,
                Turn::State(index) => {
                    let skipped = self.schedule.stated(index, self.outlet.clock.mono());
                    self.outlet.metrics.skipped_cycles.inc_by(skipped);
                    self.state(index, None).await?;
                    None
                }
            };
            if let Some(broken) = broken {
                return Ok(broken);
            }
        }
    }

    /// Reads all of a device. Its other blocks are asked even if one fails: the device is the
    /// domain of a fault, and a block is the domain of an illegal address.
    async fn cycle<S>(&mut self, line: &mut Line<S>, index: usize) -> Result<Option<Broken>, ReaderGone>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Some(device) = self.devices.get_mut(index) else { return Ok(None) };
        let started = self.outlet.clock.mono();
        let until = started.plus_ms(device.interval_ms);
        let (mut alive, mut good_at, mut broken) = (false, None, None);
        for block in &device.blocks {
            if broken.is_some() {
                let stamp = Stamp::instant(self.outlet.clock.utc());
                self.outlet.fail(&device.name, block, Fault::NoConnection, stamp).await?;
                continue;
            }
            let question = (device.unit, block.request);
            let (outcome, stamp) = self.outlet.ask(line, question, self.timeout, until).await;
            alive |= is_sign_of_life(&outcome);
            match outcome {
                Ok(words) => {
                    good_at = Some(stamp.at);
                    self.outlet.emit(stamp.batch(&device.name, values(block, &words))).await?;
                }
                Err(error) => {
                    debug!(bus = %self.bus, device = %device.name, request = ?block.request, %error, "No values.");
                    device.fault = error.fault();
                    self.outlet.fail(&device.name, block, device.fault, stamp).await?;
                    broken = error.broken();
                }
            }
        }
        let now = self.outlet.clock.mono();
        self.outlet.metrics.cycle_duration.observe(seconds(now.since_ms(started)));
        self.status.cycle(index, good_at);
        let settled = self.schedule.read(index, alive, now);
        self.outlet.metrics.skipped_cycles.inc_by(settled.skipped);
        if settled.demoted {
            warn!(bus = %self.bus, device = %device.name, fault = %device.fault, "Device does not answer, will only be probed.");
            self.status.set_demoted(index, true);
        }
        Ok(broken)
    }

    /// Asks a demoted device one cheap question.
    async fn probe<S>(&mut self, line: &mut Line<S>, index: usize) -> Option<Broken>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let device = self.devices.get(index)?;
        let started = self.outlet.clock.mono();
        let outcome = line.ask(device.unit, device.probe, self.timeout).await;
        let alive = is_sign_of_life(&outcome);
        self.schedule.probed(index, alive, started, self.outlet.clock.mono());
        if alive {
            info!(bus = %self.bus, device = %device.name, "Device answers again.");
            self.status.set_demoted(index, false);
        }
        outcome.err().and_then(AskError::broken)
    }

    /// Says that a device has no values, without asking it: `fault`, or why it failed last.
    async fn state(&mut self, index: usize, fault: Option<Fault>) -> Result<(), ReaderGone> {
        let Some(device) = self.devices.get(index) else { return Ok(()) };
        self.status.cycle(index, None);
        let fault = fault.unwrap_or(device.fault);
        let fields = device.blocks.iter().flat_map(|block| &block.fields);
        let samples = fields.map(|field| Sample { point: field.point, raw: Err(fault) }).collect();
        let stamp = Stamp::instant(self.outlet.clock.utc());
        self.outlet.emit(stamp.batch(&device.name, samples)).await
    }
}

/// The device itself was heard. Exceptions 10 and 11 come from a gateway in its place.
fn is_sign_of_life(outcome: &Result<Vec<u16>, AskError>) -> bool {
    match outcome {
        Ok(_) => true,
        Err(AskError::Exception(code)) => !matches!(code, 10 | 11),
        Err(_) => false,
    }
}

/// The samples of a block from the registers of its answer.
fn values(block: &Block, words: &[u16]) -> Vec<Sample> {
    let raw = |offset: u16, cell: config::Cell| -> Result<Raw, Fault> {
        let start = usize::from(offset);
        let words = words.get(start..start + usize::from(cell.items())).ok_or(Fault::Decoding)?;
        decode(words, cell, cell.order, &jiff::tz::TimeZone::UTC)
    };
    let sample = |field: &Field| Sample { point: field.point, raw: raw(field.offset, field.cell) };
    block.fields.iter().map(sample).collect()
}

fn seconds(ms: u64) -> f64 {
    Duration::from_millis(ms).as_secs_f64()
}

/// When values were true: the middle of the request, give or take half of it.
#[derive(Clone, Copy, Debug)]
struct Stamp {
    at: UtcMs,
    at_error_ms: u32,
    received_at: UtcMs,
}

impl Stamp {
    fn request(asked_at: Mono, answered_at: crate::clock::Now) -> Stamp {
        let half_ms = answered_at.mono.since_ms(asked_at).div_ceil(2);
        Stamp {
            at: answered_at.utc.plus_ms(-i64::try_from(half_ms).unwrap_or(i64::MAX)),
            // The clocks count whole milliseconds.
            at_error_ms: u32::try_from(half_ms.max(1)).unwrap_or(u32::MAX),
            received_at: answered_at.utc,
        }
    }

    fn instant(at: UtcMs) -> Stamp {
        Stamp { at, at_error_ms: 1, received_at: at }
    }

    fn batch(self, device: &Arc<str>, samples: Vec<Sample>) -> FieldBatch {
        FieldBatch {
            device: Arc::clone(device),
            at: self.at,
            at_error_ms: self.at_error_ms,
            source_at: None,
            received_at: self.received_at,
            samples,
            ack: None,
        }
    }
}

/// The way up, with what the way there needs.
#[derive(Debug)]
struct Outlet {
    clock: Clock,
    tx: mpsc::Sender<FieldBatch>,
    metrics: BusMetrics,
}

impl Outlet {
    /// Asks, and asks again if the device is busy (exceptions 5 and 6) and `until` allows it.
    async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        line: &mut Line<S>,
        (unit, request): (u8, ReadRequest),
        timeout: Duration,
        until: Mono,
    ) -> (Result<Vec<u16>, AskError>, Stamp) {
        let mut pause_ms = BUSY_PAUSE_MS;
        let mut retries = 0..BUSY_RETRIES;
        loop {
            let asked_at = self.clock.mono();
            let outcome = line.ask(unit, request, timeout).await;
            let answered_at = self.clock.now();
            let resume_at = answered_at.mono.plus_ms(pause_ms);
            let busy = matches!(outcome, Err(AskError::Exception(5 | 6)));
            if !busy || resume_at >= until || retries.next().is_none() {
                return (outcome, Stamp::request(asked_at, answered_at));
            }
            self.clock.sleep_until(resume_at).await;
            pause_ms *= 2;
        }
    }

    async fn fail(
        &self,
        device: &Arc<str>,
        block: &Block,
        fault: Fault,
        stamp: Stamp,
    ) -> Result<(), ReaderGone> {
        let sample = |field: &Field| Sample { point: field.point, raw: Err(fault) };
        self.emit(stamp.batch(device, block.fields.iter().map(sample).collect())).await
    }

    /// Hands a batch up; waits if there is no room, which is counted: polling is then late.
    async fn emit(&self, batch: FieldBatch) -> Result<(), ReaderGone> {
        match self.tx.try_send(batch) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(ReaderGone),
            Err(mpsc::error::TrySendError::Full(batch)) => {
                self.metrics.overruns.inc();
                self.tx.send(batch).await.map_err(|_| ReaderGone)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::line_model::{Act, Asked, Dice, Direction, Order, register, serve};
    use super::*;
    use crate::config::{Cell, DeviceLimits, Encoding, Register, Table};
    use crate::point::{Decimal, Value};
    use std::sync::Mutex;
    use tokio::io::DuplexStream;
    use tokio_util::task::TaskTracker;

    const START: UtcMs = UtcMs(1_763_700_000_000);

    type Script = Arc<Mutex<dyn FnMut(Asked) -> Direction + Send>>;

    /// How long a connection takes to be made; none is refused.
    type Reach = Arc<Mutex<Option<Duration>>>;

    /// Dials the model.
    struct ModelDial {
        script: Script,
        reach: Reach,
        servers: TaskTracker,
    }

    impl Dial for ModelDial {
        type Stream = DuplexStream;

        async fn dial(&mut self) -> io::Result<DuplexStream> {
            let reach = *self.reach.lock().unwrap();
            tokio::time::sleep(reach.ok_or(io::ErrorKind::ConnectionRefused)?).await;
            let (ours, theirs) = tokio::io::duplex(4096);
            let script = Arc::clone(&self.script);
            self.servers.spawn(serve(theirs, Order::Serial, move |asked| script.lock().unwrap()(asked)));
            Ok(ours)
        }
    }

    /// A bus on the model, and what a test needs of it.
    struct Rig {
        bus: Bus<ModelDial>,
        clock: Clock,
        batches: mpsc::Receiver<FieldBatch>,
        reach: Reach,
        metrics: BusMetrics,
        status: StatusHandle,
    }

    fn rig(plan: &config::Bus, room: usize, script: impl FnMut(Asked) -> Direction + Send + 'static) -> Rig {
        let reach = Arc::new(Mutex::new(Some(Duration::ZERO)));
        let dial = ModelDial {
            script: Arc::new(Mutex::new(script)),
            reach: Arc::clone(&reach),
            servers: TaskTracker::new(),
        };
        let (tx, batches) = mpsc::channel(room);
        let clock = Clock::starting_at(START);
        let metrics = Metrics::new();
        let bus = Bus::build_over(dial, plan, &point_of, clock.clone(), tx, &metrics).unwrap();
        let status = bus.status();
        Rig { bus, clock, batches, reach, metrics: metrics.of_bus("model"), status }
    }

    impl Rig {
        /// Runs the bus beside `body` and stops it after it.
        async fn run<T>(self, body: impl AsyncFnOnce(mpsc::Receiver<FieldBatch>, Clock, Reach) -> T) -> T {
            let stop = CancellationToken::new();
            let test = async {
                let outcome = body(self.batches, self.clock, self.reach).await;
                stop.cancel();
                outcome
            };
            tokio::join!(test, self.bus.run(stop.clone())).0
        }
    }

    /// The points are numbered unit * 1000 + register address.
    fn point_of(address: &Address) -> Option<PointId> {
        let unit: u32 = address.asset.as_str().strip_prefix("unit-")?.parse().ok()?;
        let register: u32 = address.quantity.as_str().strip_prefix('r')?.parse().ok()?;
        Some(PointId(unit * 1000 + register))
    }

    fn device(unit: u8, interval_ms: u64, registers: &[u16]) -> config::Device {
        let register = |address: &u16| {
            let point = format!("unit-{unit}/r{address}").parse().unwrap();
            Register::plain(point, interval_ms, Cell::new(Table::Holding, *address, Encoding::U16))
        };
        config::Device {
            id: format!("device-{unit}").parse().unwrap(),
            unit,
            limits: DeviceLimits::default(),
            zone: jiff::tz::TimeZone::UTC,
            registers: registers.iter().map(register).collect(),
        }
    }

    fn plan(timeout_ms: u64, devices: Vec<config::Device>) -> config::Bus {
        config::Bus {
            id: "model".parse().unwrap(),
            link: "unused".parse().unwrap(),
            timeout_ms,
            turnaround_ms: 0,
            unit_change_ms: 0,
            devices,
        }
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn right(point: PointId) -> Raw {
        let (unit, address) = (u8::try_from(point.0 / 1000).unwrap(), u16::try_from(point.0 % 1000).unwrap());
        let word = register(unit, 3, address);
        Raw::Value(Value::Decimal(Decimal::from_int(i64::from(word))))
    }

    /// Every sample is the register's own value or one of `faults`; gives the number of values.
    fn check(batch: &FieldBatch, faults: &[Fault]) -> usize {
        let mut good = 0;
        for sample in &batch.samples {
            if let Err(fault) = sample.raw {
                assert!(faults.contains(&fault), "{fault:?} {sample:?}");
            } else {
                assert_eq!(sample.raw, Ok(right(sample.point)));
                good += 1;
            }
        }
        good
    }

    #[tokio::test(start_paused = true)]
    async fn a_block_is_stamped_with_the_middle_of_its_request() {
        let rig = rig(&plan(500, vec![device(1, 10_000, &[7, 8, 9])]), 8, |_| (ms(41), Act::Answer));
        let (status, metrics) = (rig.status.clone(), rig.metrics.clone());
        rig.run(async move |mut batches, _, _| {
            let batch = batches.recv().await.unwrap();
            assert_eq!(batch.received_at, START.plus_ms(41));
            assert_eq!((batch.at, batch.at_error_ms), (START.plus_ms(20), 21));
            assert_eq!(&*batch.device, "device-1");
            let points: Vec<_> = batch.samples.iter().map(|sample| sample.point.0).collect();
            assert_eq!((points, check(&batch, &[])), (vec![1007, 1008, 1009], 3));
            // The next one comes on the device's own grid, no later than one interval.
            let next = batches.recv().await.unwrap();
            assert!(next.at.since_ms(batch.at) <= 10_000);
            let after = batches.recv().await.unwrap();
            assert_eq!(after.at.since_ms(next.at), 10_000);
            let seen = status.read();
            assert!(seen.connected);
            assert_eq!(seen.devices[0].last_good_at, Some(after.at));
            assert_eq!((metrics.requests.get(), metrics.replies.get()), (3, 3));
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn ten_thousand_samples_with_late_replies_and_not_one_is_wrong() {
        let mut delays = Dice(11);
        let devices = (1..=4).map(|unit| device(unit, 200, &[10, 11, 20])).collect();
        // Some are beyond the timeout; the worst of them reach into the requests after the next.
        let script = move |_| {
            let slow = delays.roll(4) == 0;
            (ms(delays.roll(if slow { 70 } else { 12 })), Act::Answer)
        };
        let rig = rig(&plan(30, devices), 64, script);
        let metrics = rig.metrics.clone();
        let (mut good, mut all) = (0, 0);
        rig.run(async |mut batches, _, _| {
            while all < 10_000 {
                let batch = batches.recv().await.unwrap();
                good += check(&batch, &[Fault::Timeout]);
                all += batch.samples.len();
            }
        })
        .await;
        assert!(metrics.late.get() > 500, "{} late", metrics.late.get());
        assert!(good > 7_000, "{good} of {all} good");
        assert_eq!(metrics.reconnects.get(), 0, "late replies are no reason to reconnect");
    }

    #[tokio::test(start_paused = true)]
    async fn a_mute_device_is_demoted_stated_probed_and_comes_back() {
        let alive = Arc::new(Mutex::new(false));
        let is_alive = Arc::clone(&alive);
        let script = move |asked: Asked| {
            let mute = asked.unit == 2 && !*is_alive.lock().unwrap();
            (ms(10), if mute { Act::Silence } else { Act::Answer })
        };
        let devices = (1..=4).map(|unit| device(unit, 1_000, &[5, 50])).collect();
        let rig = rig(&plan(500, devices), 64, script);
        let (status, metrics) = (rig.status.clone(), rig.metrics.clone());
        rig.run(async move |mut batches, clock, _| {
            let mut last = [START; 5];
            let mut gap_max = 0;
            while clock.mono().0 < 180_000 {
                let batch = batches.recv().await.unwrap();
                let unit = usize::try_from(batch.samples[0].point.0 / 1000).unwrap();
                let good = check(&batch, if unit == 2 { &[Fault::Timeout] } else { &[] });
                assert_eq!(good == 0, unit == 2);
                if clock.mono().0 > 5_000 && unit == 2 {
                    assert!(batch.received_at.since_ms(last[2]) <= 1_600, "never silent");
                }
                if clock.mono().0 > 5_000 && unit != 2 {
                    gap_max = gap_max.max(batch.at.since_ms(last[unit]));
                }
                last[unit] = batch.at;
            }
            assert!(gap_max <= 1_600, "the others are at most one probe late: {gap_max} ms");
            assert!(status.read().devices[1].demoted);
            assert!(status.read().devices[1].consecutive_failures > 100);
            // 2 cycles of 2 requests, then probes: at most 6 of 500 ms in any minute.
            assert!((5..=22).contains(&metrics.timeouts.get()), "{}", metrics.timeouts.get());

            *alive.lock().unwrap() = true;
            let back = loop {
                let batch = batches.recv().await.unwrap();
                if batch.samples[0].point.0 / 1000 == 2 && check(&batch, &[Fault::Timeout]) > 0 {
                    break batch.at;
                }
            };
            assert!(back.since_ms(last[2]) <= 301_000, "{} ms", back.since_ms(last[2]));
            assert!(!status.read().devices[1].demoted);
            assert_eq!(metrics.reconnects.get(), 0);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_connection_every_point_says_so_at_its_interval() {
        let rig = rig(&plan(500, vec![device(1, 1_000, &[5, 50])]), 64, |_| (ms(10), Act::Answer));
        let status = rig.status.clone();
        *rig.reach.lock().unwrap() = None;
        rig.run(async move |mut batches, clock, reach| {
            for _ in 0..60 {
                let batch = batches.recv().await.unwrap();
                let points: Vec<_> = batch.samples.iter().map(|sample| sample.point.0).collect();
                assert_eq!((points, check(&batch, &[Fault::NoConnection])), (vec![1005, 1050], 0));
            }
            assert!((58_000..=60_000).contains(&clock.mono().0), "{:?}", clock.mono());
            let seen = status.read();
            assert!(!seen.connected && !seen.devices[0].demoted, "an outage of the host demotes nobody");
            *reach.lock().unwrap() = Some(ms(40));
            while check(&batches.recv().await.unwrap(), &[Fault::NoConnection]) == 0 {}
            assert!(clock.mono().0 <= 60_000 + 31_000);
            assert!(status.read().connected);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_device_read_every_quarter_hour_does_not_wait_for_it_after_an_outage() {
        let plan = plan(500, vec![device(1, 900_000, &[5])]);
        let quick = rig(&plan, 64, |_| (ms(10), Act::Answer));
        *quick.reach.lock().unwrap() = Some(ms(400));
        quick
            .run(async |mut batches, clock, _| {
                assert_eq!(
                    check(&batches.recv().await.unwrap(), &[]),
                    1,
                    "the first tick waits to be connected"
                );
                assert_eq!(clock.mono().0, 410);
            })
            .await;

        let slow = rig(&plan, 64, |_| (ms(10), Act::Answer));
        *slow.reach.lock().unwrap() = Some(ms(3_000));
        slow.run(async |mut batches, clock, _| {
            assert_eq!(check(&batches.recv().await.unwrap(), &[Fault::NoConnection]), 0);
            assert_eq!(clock.mono().0, CONNECT_GRACE_MS);
            assert_eq!(check(&batches.recv().await.unwrap(), &[]), 1);
            assert_eq!(clock.mono().0, 3_010);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_illegal_block_costs_its_own_points_only() {
        let script = |asked: Asked| (ms(5), if asked.start == 50 { Act::Exception(2) } else { Act::Answer });
        let rig = rig(&plan(500, vec![device(1, 1_000, &[5, 50, 90])]), 64, script);
        let (status, metrics) = (rig.status.clone(), rig.metrics.clone());
        rig.run(async |mut batches, _, _| {
            for cycle in 0..10 {
                let good: Vec<usize> = [
                    check(&batches.recv().await.unwrap(), &[]),
                    check(&batches.recv().await.unwrap(), &[Fault::Exception(2)]),
                    check(&batches.recv().await.unwrap(), &[]),
                ]
                .into();
                assert_eq!(good, [1, 0, 1], "cycle {cycle}");
            }
        })
        .await;
        assert!(!status.read().devices[0].demoted);
        assert_eq!(metrics.timeouts.get(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_device_is_asked_again_within_its_cycle() {
        let script = |asked: Asked| (ms(5), if asked.number < 2 { Act::Exception(6) } else { Act::Answer });
        let rig = rig(&plan(500, vec![device(1, 60_000, &[5])]), 64, script);
        rig.run(async |mut batches, _, _| {
            let batch = batches.recv().await.unwrap();
            assert_eq!(check(&batch, &[]), 1);
            // 5 ms and 100 ms, 5 ms and 200 ms, then the answer: stamped as its own request.
            assert_eq!((batch.received_at, batch.at_error_ms), (START.plus_ms(315), 3));
        })
        .await;

        let always =
            super::tests::rig(&plan(500, vec![device(2, 60_000, &[5])]), 64, |_| (ms(5), Act::Exception(5)));
        always
            .run(async |mut batches, clock, _| {
                assert_eq!(check(&batches.recv().await.unwrap(), &[Fault::Exception(5)]), 0);
                assert_eq!(clock.mono().0, 4 * 5 + 100 + 200 + 400);
            })
            .await;
    }

    #[tokio::test(start_paused = true)]
    async fn full_readings_are_waited_for_and_counted_without_a_burst_after() {
        let rig = rig(&plan(500, vec![device(1, 100, &[5])]), 1, |_| (ms(5), Act::Answer));
        let metrics = rig.metrics.clone();
        rig.run(async move |mut batches, clock, _| {
            tokio::time::sleep(ms(10_000)).await;
            assert_eq!(metrics.overruns.get(), 1, "one is waiting");
            let resumed = clock.mono().0;
            let mut taken = 0;
            while clock.mono().0 < resumed + 1_000 {
                batches.recv().await.unwrap();
                taken += 1;
            }
            // The one in the channel, the one that waited, then one per interval.
            assert!((11..=13).contains(&taken), "{taken}");
            assert!(metrics.skipped_cycles.get() >= 97, "{}", metrics.skipped_cycles.get());
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_lost_in_a_cycle_is_made_again_before_the_next() {
        let mut total = 0;
        let script = move |_| {
            total += 1;
            (ms(5), if total % 8 == 0 { Act::Disconnect } else { Act::Answer })
        };
        let rig = rig(&plan(500, vec![device(1, 1_000, &[5, 50, 90])]), 64, script);
        let metrics = rig.metrics.clone();
        let mut good = 0;
        rig.run(async |mut batches, _, _| {
            for _ in 0..300 {
                good += check(&batches.recv().await.unwrap(), &[Fault::NoConnection]);
            }
        })
        .await;
        // Of 8 requests one dies, and takes those of its cycle that come after it along.
        assert!(good >= 200, "{good}");
        assert!(metrics.reconnects.get() > 20);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_closes_idle_connections_costs_no_sample() {
        // It hangs up a second after its answer, long before the next cycle.
        let script = |_| (ms(5), Act::AnswerThenClose(1_000));
        let rig = rig(&plan(500, vec![device(1, 60_000, &[5])]), 64, script);
        let metrics = rig.metrics.clone();
        rig.run(async |mut batches, _, _| {
            for _ in 0..3 {
                assert_eq!(check(&batches.recv().await.unwrap(), &[]), 1);
            }
        })
        .await;
        assert_eq!(metrics.reconnects.get(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn stops_when_told_and_when_nobody_listens() {
        let rig = rig(&plan(500, vec![device(1, 1_000, &[5])]), 64, |_| (ms(5), Act::Silence));
        let (status, clock) = (rig.status.clone(), rig.clock.clone());
        rig.run(async |_batches, _, _| tokio::time::sleep(ms(100)).await).await;
        assert_eq!(clock.mono().0, 100, "in the middle of a request");
        assert!(!status.read().connected);

        let rig = super::tests::rig(&plan(500, vec![device(1, 1_000, &[5])]), 64, |_| (ms(5), Act::Answer));
        drop(rig.batches);
        rig.bus.run(CancellationToken::new()).await;
    }

    #[test]
    fn what_cannot_be_read_is_said_at_build() {
        let build = |device: config::Device| {
            let (tx, _rx) = mpsc::channel(1);
            let plan = plan(500, vec![device]);
            Bus::build(&plan, &point_of, Clock::starting_at(START), tx, &Metrics::new()).err()
        };
        let name = || "device-1".to_owned();
        assert_eq!(build(device(1, 1_000, &[5])), None);
        assert_eq!(build(device(1, 0, &[5])), Some(BuildError::Idle { device: name() }));
        assert_eq!(build(device(1, 1_000, &[])), Some(BuildError::Idle { device: name() }));
        let mut unknown = device(1, 1_000, &[5]);
        unknown.registers[0].point = "nowhere/x".parse().unwrap();
        let point = unknown.registers[0].point.clone();
        assert_eq!(build(unknown), Some(BuildError::UnknownPoint { device: name(), point }));
        let mut wide = device(1, 1_000, &[5]);
        (wide.limits.registers_max, wide.registers[0].cell.encoding) = (1, Encoding::F32);
        let source = PlanError::Request(super::super::RequestError::Count(2));
        assert_eq!(build(wide), Some(BuildError::Register { device: name(), source }));
    }
}
