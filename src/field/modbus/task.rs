//! The bus: dials, reads each device in its turn, and says so when it cannot.

use super::agenda::{Agenda, End, Next, Turn, stable_hash};
use super::device::{Device, Finished};
use super::dial::{AnyDial, Dial};
use super::frame::ReadRequest;
use super::holes::{Change, Holes};
use super::line::{AskError, Broken, Framing, Line};
use super::metrics::{BusMetrics, Metrics};
use super::plan::PlanError;
use super::status::StatusHandle;
use super::store::Who;
use crate::clock::{Clock, Mono, Now};
use crate::config;
use crate::field::{Fault, FieldBatch};
use crate::net::Backoff;
use crate::point::{Address, PointId};
use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc::{self, error::TrySendError};
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
/// Changes of a plan that wait for the bus; each is whole, so the last one counts.
const UPDATES_QUEUE: usize = 4;

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

/// What was learned of a device and has to be remembered.
pub type Memo = (Who, Vec<Change>);

/// What a bus has from the time before it, and where it leaves what it learns.
#[derive(Debug, Default)]
pub struct Memory {
    /// What is known of its devices, in their order; fewer, and the rest starts with no past.
    pub holes: Vec<Holes>,
    /// Leads to who writes it down. What finds no room is learned again after a restart.
    pub memos: Option<mpsc::Sender<Memo>>,
}

/// One Modbus line with its devices, ready to run.
#[derive(Debug)]
pub struct Bus<D = AnyDial> {
    dial: D,
    backoff: Backoff,
    poller: Poller,
    updates: mpsc::Sender<Vec<Device>>,
}

/// Gives a running bus other devices, or the same ones with other points.
#[derive(Clone, Debug)]
pub struct Updates(mpsc::Sender<Vec<Device>>);

/// The bus has ended, or has not taken the changes before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bus takes no changes now")]
pub struct NotTaken;

impl Updates {
    /// Takes over a plan of the same line. A device that is planned as before goes on as if
    /// nothing had happened; one with other registers keeps its pace and what it is known to
    /// refuse; nobody else misses a tick.
    ///
    /// # Errors
    /// What cannot be read is said, and nothing has changed.
    pub fn apply(
        &self,
        plan: &config::Bus,
        ids: &impl Fn(&Address) -> Option<PointId>,
    ) -> Result<Result<(), NotTaken>, BuildError> {
        let devices = built(plan, ids, Vec::new())?;
        Ok(self.0.try_send(devices).map_err(|_| NotTaken))
    }
}

fn built(
    plan: &config::Bus,
    ids: &impl Fn(&Address) -> Option<PointId>,
    holes: Vec<Holes>,
) -> Result<Vec<Device>, BuildError> {
    let holes = holes.into_iter().chain(std::iter::repeat_with(Holes::default));
    plan.devices.iter().zip(holes).map(|(device, holes)| Device::build(device, plan, ids, holes)).collect()
}

impl Bus {
    /// Makes the bus of a plan; dials nothing yet. `ids` gives the number of a point, `tx` leads
    /// to `readings`.
    pub fn build(
        plan: &config::Bus,
        ids: &impl Fn(&Address) -> Option<PointId>,
        memory: Memory,
        clock: Clock,
        tx: mpsc::Sender<FieldBatch>,
        metrics: &Metrics,
    ) -> Result<Bus, BuildError> {
        Bus::build_over(AnyDial::of(&plan.link), plan, ids, memory, clock, tx, metrics)
    }
}

impl<D: Dial> Bus<D> {
    /// As [`Bus::build`], over any transport.
    pub fn build_over(
        dial: D,
        plan: &config::Bus,
        ids: &impl Fn(&Address) -> Option<PointId>,
        memory: Memory,
        clock: Clock,
        tx: mpsc::Sender<FieldBatch>,
        metrics: &Metrics,
    ) -> Result<Bus<D>, BuildError> {
        let bus: Arc<str> = plan.id.as_str().into();
        let devices = built(plan, ids, memory.holes)?;
        let now = clock.now();
        // Buses of one plant that start together must not dial in step, nor after every start alike.
        let seed = stable_hash(&bus) ^ now.utc.0.cast_unsigned();
        let (updates, changes) = mpsc::channel(UPDATES_QUEUE);
        let poller = Poller {
            agenda: Agenda::new(devices.iter().map(Device::times), plan.timeout_ms, now, seed),
            status: StatusHandle::new(Arc::clone(&bus), devices.iter().map(|device| &device.name)),
            devices,
            framing: Framing::of(plan),
            grace_until: now.mono.plus_ms(CONNECT_GRACE_MS),
            outlet: Outlet { clock, tx, memos: memory.memos, metrics: metrics.of_bus(&bus) },
            changes,
            requests: Vec::new(),
            bus,
        };
        Ok(Bus { dial, backoff: Backoff::new(RECONNECT_MIN, RECONNECT_MAX, seed), poller, updates })
    }

    /// Where to see how the bus is doing.
    pub fn status(&self) -> StatusHandle {
        self.poller.status.clone()
    }

    /// How to give it another plan while it runs.
    pub fn updates(&self) -> Updates {
        Updates(self.updates.clone())
    }

    /// Reads the devices until `stop` or until nobody takes the samples any more.
    pub async fn run(self, stop: CancellationToken) {
        // `updates` is held to the end: the bus waits for changes, never for their end.
        let Bus { mut dial, mut backoff, mut poller, updates: _held } = self;
        let status = poller.status.clone();
        // Either end is an orderly one: samples in flight belong to no promise yet.
        let _stopped_or_gone = stop.run_until_cancelled(poller.forever(&mut dial, &mut backoff)).await;
        status.set_connected(false);
    }
}

/// Nobody takes the samples any more: the program is going down.
struct ReaderGone;

/// Everything about the bus but its connection.
#[derive(Debug)]
struct Poller {
    bus: Arc<str>,
    devices: Vec<Device>,
    agenda: Agenda,
    status: StatusHandle,
    framing: Framing,
    /// Until then a tick still waits for the connection.
    grace_until: Mono,
    changes: mpsc::Receiver<Vec<Device>>,
    /// Those on their way, kept for its room.
    requests: Vec<ReadRequest>,
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
        let mut doubts = None;
        loop {
            let (stream, attempts) = self.connect(dial, backoff).await?;
            if newsworthy || attempts > 1 {
                info!(bus = %self.bus, attempts, "Connected.");
            }
            let since = self.outlet.clock.mono();
            self.status.set_connected(true);
            self.agenda.connected(since);
            let (clock, metrics) = (self.outlet.clock.clone(), self.outlet.metrics.clone());
            let mut line = Line::new(stream, self.framing, clock, metrics);
            if let Some(doubts) = doubts.take() {
                line = line.with_doubts(doubts);
            }
            let broken = self.poll(&mut line).await?;
            self.status.set_connected(false);
            self.outlet.metrics.reconnects.inc();
            self.give_up_cycles().await?;
            // Many devices close a connection that was idle for a while.
            let answered = line.answered();
            newsworthy = !(answered && matches!(broken, Broken::Closed));
            if newsworthy {
                warn!(bus = %self.bus, reason = %broken, "Connection lost.");
            }
            doubts = Some(line.into_doubts());
            let now = self.outlet.clock.mono();
            self.grace_until = now.plus_ms(CONNECT_GRACE_MS);
            if answered || now.since_ms(since) >= HELD_MS {
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

    /// Waits for `future` without a connection: each device says so at its own ticks.
    async fn meanwhile<F: Future>(&mut self, future: F) -> Result<F::Output, ReaderGone> {
        let mut future = pin!(future);
        loop {
            let now = self.outlet.clock.now();
            let wait_until = match self.agenda.next_unconnected(now) {
                Next::Take(Turn::State { device, mask }) if now.mono >= self.grace_until => {
                    let skipped = self.agenda.missed(device, mask, now.mono);
                    self.outlet.metrics.skipped_cycles.inc_by(skipped);
                    self.state(device, mask, Some(Fault::NoConnection)).await?;
                    continue;
                }
                Next::Take(_) => self.grace_until,
                Next::Wait(until) => until.max(self.grace_until),
                Next::Never => Mono(u64::MAX),
            };
            tokio::select! {
                biased;
                output = &mut future => return Ok(output),
                devices = self.changes.recv() => self.change(devices).await?,
                () = self.outlet.clock.sleep_until(wait_until) => {}
            }
        }
    }

    /// Reads devices until the line breaks.
    async fn poll<S>(&mut self, line: &mut Line<S>) -> Result<Broken, ReaderGone>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut now = self.outlet.clock.now();
        loop {
            let turn = match self.agenda.next(now) {
                Next::Take(turn) => turn,
                waiting => {
                    let until = if let Next::Wait(until) = waiting { until } else { Mono(u64::MAX) };
                    tokio::select! {
                        biased;
                        broken = line.idle() => return Ok(broken),
                        devices = self.changes.recv() => self.change(devices).await?,
                        () = self.outlet.clock.sleep_until(until) => {}
                    }
                    now = self.outlet.clock.now();
                    continue;
                }
            };
            match turn {
                // A bus that is never idle takes changes between cycles.
                Turn::Begin { .. } if let Ok(devices) = self.changes.try_recv() => {
                    self.change(Some(devices)).await?;
                }
                // Takes no time: the clock is not asked again.
                Turn::Begin { device, mask } => {
                    self.begin(device, mask, now).await?;
                    continue;
                }
                Turn::Go { device } => {
                    let (broken, then) = self.go(line, device, now).await?;
                    if let Some(broken) = broken {
                        return Ok(broken);
                    }
                    now = then;
                    continue;
                }
                Turn::Probe { device } => {
                    if let Some(broken) = self.probe(line, device, now.mono).await {
                        return Ok(broken);
                    }
                }
                Turn::State { device, mask } => {
                    let skipped = self.agenda.stated(device, mask, now.mono);
                    self.outlet.metrics.skipped_cycles.inc_by(skipped);
                    self.state(device, mask, None).await?;
                }
            }
            now = self.outlet.clock.now();
        }
    }

    async fn begin(&mut self, index: usize, mask: u64, now: Now) -> Result<(), ReaderGone> {
        let Some(device) = self.devices.get_mut(index) else { return Ok(()) };
        let (held_back, planned_ms) = device.begin(mask, now);
        self.agenda.began(index, mask, planned_ms, now.mono);
        match held_back {
            Some(batch) => self.outlet.emit(batch).await,
            None => Ok(()),
        }
    }

    /// The next requests of a cycle under way, and its end if they were the last; gives the time
    /// when that is done. Its other requests are asked even if one fails: the device is the domain
    /// of a fault, and a value that of an illegal address.
    async fn go<S>(
        &mut self,
        line: &mut Line<S>,
        index: usize,
        started: Now,
    ) -> Result<(Option<Broken>, Now), ReaderGone>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Some(device) = self.devices.get_mut(index) else { return Ok((None, started)) };
        device.requests(started.utc, &mut self.requests);
        let requests = self.requests.as_slice();
        if requests.is_empty() {
            self.finish(index, None, started).await?;
            return Ok((None, self.outlet.clock.now()));
        }
        let answers =
            line.ask_many(device.unit, requests, device.timeout(requests), device.in_flight()).await;
        let latest = answers.iter().map(|answer| answer.answered_at).max_by_key(|now| now.mono);
        let mut now = latest.unwrap_or(started);
        self.agenda.charged(index, now.mono.since_ms(started.mono), now.mono);
        let (mut broken, mut pause_ms) = (None, 0);
        for (request, answer) in requests.iter().zip(answers) {
            if let Err(error) = &answer.outcome {
                debug!(bus = %self.bus, device = %device.name, ?request, %error, "No values.");
                if matches!(error, AskError::Timeout) {
                    self.status.timed_out(index);
                }
                broken = broken.or_else(|| error.clone().broken());
            }
            let outcome = device.settle(answer, now);
            pause_ms = pause_ms.max(outcome.pause_ms);
            if let Some(Err(full)) = outcome.batch.map(|batch| self.outlet.offer(batch)) {
                self.outlet.wait(full).await?;
                now = self.outlet.clock.now();
            }
        }
        if pause_ms > 0 {
            self.agenda.rests(index, now.mono.plus_ms(pause_ms));
        }
        if broken.is_some() || device.is_through(now.utc) {
            let fault = broken.as_ref().map(|_| Fault::NoConnection);
            self.finish(index, fault, now).await?;
            now = self.outlet.clock.now();
        }
        Ok((broken, now))
    }

    /// Ends the cycle under way of a device.
    async fn finish(&mut self, index: usize, fault: Option<Fault>, now: Now) -> Result<(), ReaderGone> {
        let Some(device) = self.devices.get_mut(index) else { return Ok(()) };
        let Some(Finished { batches, end, good_at, took_ms, changes }) = device.finish(fault, now) else {
            // The agenda still had a cycle that the device no longer has.
            self.agenda.ended(index, End::Unasked, now.mono);
            return Ok(());
        };
        self.outlet.remember(device, changes);
        self.outlet.metrics.cycle_duration.observe(Duration::from_millis(took_ms).as_secs_f64());
        self.status.took(index, took_ms);
        self.status.cycle(index, good_at, device.latency_us());
        let settled = self.agenda.ended(index, end, now.mono);
        self.outlet.metrics.skipped_cycles.inc_by(settled.skipped);
        if settled.demoted {
            self.agenda.set_probe_cost(index, whole_ms(device.timeout(&[device.probe()])));
            warn!(bus = %self.bus, device = %device.name, fault = %device.fault(), "Device does not answer, will only be probed.");
            self.status.set_demoted(index, true);
        }
        for batch in batches {
            self.outlet.emit(batch).await?;
        }
        Ok(())
    }

    /// The connection is gone: what the cycles under way have not read has failed.
    async fn give_up_cycles(&mut self) -> Result<(), ReaderGone> {
        let now = self.outlet.clock.now();
        for index in 0..self.devices.len() {
            if self.devices.get(index).is_some_and(Device::is_reading) {
                self.finish(index, Some(Fault::NoConnection), now).await?;
            }
        }
        Ok(())
    }

    /// Asks a demoted device one cheap question.
    async fn probe<S>(&mut self, line: &mut Line<S>, index: usize, started: Mono) -> Option<Broken>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let device = self.devices.get_mut(index)?;
        let request: [ReadRequest; 1] = [device.probe()];
        let answer = line.ask_many(device.unit, &request, device.timeout(&request), 1).await.pop()?;
        let now = self.outlet.clock.now();
        let alive = device.probed(&answer, now.mono);
        self.agenda.set_probe_cost(index, whole_ms(device.timeout(&request)));
        self.agenda.probed(index, alive, started, now.mono);
        self.agenda.rests(index, now.mono.plus_ms(device.pause_ms()));
        if alive {
            info!(bus = %self.bus, device = %device.name, "Device answers again.");
            self.status.set_demoted(index, false);
        }
        answer.outcome.err().and_then(AskError::broken)
    }

    /// Says that a device has no values, without asking it: `fault`, or why it failed last.
    async fn state(&mut self, index: usize, mask: u64, fault: Option<Fault>) -> Result<(), ReaderGone> {
        let Some(device) = self.devices.get(index) else { return Ok(()) };
        self.status.cycle(index, None, device.latency_us());
        match device.state(mask, fault, self.outlet.clock.utc()) {
            Some(batch) => self.outlet.emit(batch).await,
            None => Ok(()),
        }
    }

    /// Other devices from now on; none if nobody can send any more, which never happens.
    async fn change(&mut self, devices: Option<Vec<Device>>) -> Result<(), ReaderGone> {
        let Some(mut devices) = devices else { return Ok(()) };
        let mut held_back = Vec::new();
        let mut before: Vec<Option<Device>> =
            std::mem::take(&mut self.devices).into_iter().map(Some).collect();
        let now = self.outlet.clock.now();
        for device in &mut devices {
            let same = |old: &&mut Option<Device>| old.as_ref().is_some_and(|old| old.name == device.name);
            if let Some(old) = before.iter_mut().find(same).and_then(Option::take) {
                held_back.extend(device.succeed(old, now));
            }
        }
        self.devices = devices;
        self.status.update(self.devices.iter().map(|device| &device.name));
        self.agenda.update(self.devices.iter().map(Device::times), now);
        info!(bus = %self.bus, devices = self.devices.len(), "The plan of the bus has changed.");
        for batch in held_back {
            self.outlet.emit(batch).await?;
        }
        Ok(())
    }
}

fn whole_ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// The way up, with what the way there needs.
#[derive(Debug)]
struct Outlet {
    clock: Clock,
    tx: mpsc::Sender<FieldBatch>,
    memos: Option<mpsc::Sender<Memo>>,
    metrics: BusMetrics,
}

impl Outlet {
    /// Hands a batch up; waits if there is no room.
    async fn emit(&self, batch: FieldBatch) -> Result<(), ReaderGone> {
        match self.offer(batch) {
            Ok(()) => Ok(()),
            Err(full) => self.wait(full).await,
        }
    }

    /// Hands a batch up, or gives it back.
    fn offer(&self, batch: FieldBatch) -> Result<(), TrySendError<FieldBatch>> {
        self.tx.try_send(batch)
    }

    /// Waits for room, which is counted: polling is then late.
    async fn wait(&self, batch: TrySendError<FieldBatch>) -> Result<(), ReaderGone> {
        let TrySendError::Full(batch) = batch else { return Err(ReaderGone) };
        self.metrics.overruns.inc();
        self.tx.send(batch).await.map_err(|_| ReaderGone)
    }

    /// Leaves what was learned to who writes it down, without waiting for it.
    fn remember(&self, device: &Device, changes: Vec<Change>) {
        let Some(memos) = self.memos.as_ref().filter(|_| !changes.is_empty()) else { return };
        if memos.try_send((device.who(), changes)).is_err() {
            debug!(device = %device.name, "No room to remember what the device refuses.");
        }
    }
}

#[cfg(test)]
mod tests;
