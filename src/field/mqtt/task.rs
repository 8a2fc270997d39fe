//! The loop of one broker: the only async file besides `client`.
//!
//! One future owns everything. The connection is polled without ever being cancelled in the
//! middle; beside it run acknowledgements, the way up to `readings`, and the clock. Since all
//! of it happens in one task, an acknowledgement can never slip between the end of a connection
//! and the beginning of the next.

use super::client::{Event, Link, Message, Options, Requests};
use super::mapping::{Mapped, Mapping, MappingError, shorten};
use super::metrics::{BrokerMetrics, Metrics};
use super::order::{AckOrder, Arrival};
use super::seen::{Arrived, Fate};
use super::silence::{Remedy, Silence};
use super::status::{Gap, StatusHandle};
use crate::clock::{Clock, Mono};
use crate::config;
use crate::field::{Ack, AckReceiver, AckSender, Fault, FieldBatch, Sample, acks};
use crate::net::Backoff;
use crate::point::{Address, PointId, UtcMs};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Batches that wait for room in `readings` before the broker is cut off.
pub const INBOX_MAX: usize = 4_096;
/// A connection lost for this long is said for every point that came from here.
pub const LOST_GRACE: Duration = Duration::from_secs(10);
/// `at_error_ms` of a retained message: it may be of any age.
pub const RETAINED_ERROR_MS: u32 = u32::MAX;
/// After this long a connection is called stable, and pauses start small again. Milliseconds.
const STABLE_MS: u64 = 30_000;
/// On stop, open acknowledgements are waited for this long, and the farewell again. Milliseconds.
const LEAVE_MS: u64 = 1_000;
/// One warning of a kind per broker in this time. Milliseconds.
const WARN_EVERY_MS: u64 = 60_000;

/// Why a broker of the plan cannot be listened to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// A session is kept by its client id.
    #[error("broker {0}: client_id must not be empty, the broker keeps the session under it")]
    ClientId(String),
    /// Nothing to subscribe to: MQTT does not allow an empty subscription.
    #[error("broker {0}: no topics")]
    NoTopics(String),
    /// A topic cannot be used.
    #[error("broker {broker}: {error}")]
    Mapping {
        /// The broker.
        broker: String,
        /// Why not.
        error: MappingError,
    },
}

/// Times that tests shorten.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    pub keep_alive: Duration,
    pub pause_min: Duration,
    pub pause_max: Duration,
    pub lost_grace: Duration,
}

impl Timing {
    const PLANT: Timing = Timing {
        keep_alive: Duration::from_secs(30),
        pause_min: Duration::from_secs(1),
        pause_max: Duration::from_mins(1),
        lost_grace: LOST_GRACE,
    };
}

/// A broker to listen to, built and not yet dialled.
pub struct Source {
    link: Link,
    session: Session,
}

impl Source {
    /// Prepares; dials nothing. `points` are the points this broker may feed (what another
    /// source feeds must not be among them, or a message could speak for it).
    pub fn build(
        plan: &config::Broker,
        points: &BTreeMap<Address, PointId>,
        clock: Clock,
        tx: mpsc::Sender<FieldBatch>,
        metrics: &Metrics,
    ) -> Result<Source, BuildError> {
        Source::build_with(plan, points, clock, tx, metrics, Timing::PLANT)
    }

    pub(super) fn build_with(
        plan: &config::Broker,
        points: &BTreeMap<Address, PointId>,
        clock: Clock,
        tx: mpsc::Sender<FieldBatch>,
        metrics: &Metrics,
        timing: Timing,
    ) -> Result<Source, BuildError> {
        let broker = plan.id.as_str();
        if plan.client_id.is_empty() {
            return Err(BuildError::ClientId(broker.to_owned()));
        }
        let mapping = Mapping::new(&plan.topics, points)
            .map_err(|error| BuildError::Mapping { broker: broker.to_owned(), error })?
            .within(plan.message_bytes_max);
        let filters: Vec<String> = mapping.filters().into_iter().collect();
        if filters.is_empty() {
            return Err(BuildError::NoTopics(broker.to_owned()));
        }
        let options = Options {
            host: plan.host.clone(),
            port: plan.port,
            client_id: plan.client_id.clone(),
            login: plan.login.clone(),
            tls: plan.tls.clone(),
            will: plan.will.clone(),
            clean_session: false,
            keep_alive: timing.keep_alive,
        };
        let seed = fingerprint(&plan.client_id, &clock.utc().0.to_le_bytes());
        let link = Link::new(&options, Backoff::new(timing.pause_min, timing.pause_max, seed));
        let (ack_tx, ack_rx) = acks();
        let session = Session {
            device: broker.into(),
            fed: mapping.fixed_points(),
            requests: link.requests(),
            metrics: metrics.of(broker),
            state: State::Down { since: clock.mono(), told: false, reason: None },
            order: AckOrder::default(),
            in_flight_max: 0,
            inbox: VecDeque::new(),
            hold: false,
            leaving: None,
            status: StatusHandle::default(),
            unreadable: Throttle::default(),
            overfull: Throttle::default(),
            too_long: Throttle::default(),
            silence: Silence::new(plan.silent_after_ms),
            message_bytes_max: plan.message_bytes_max,
            lost_grace_ms: u64::try_from(timing.lost_grace.as_millis()).unwrap_or(u64::MAX),
            mapping,
            filters,
            clock,
            tx,
            ack_tx,
            ack_rx,
        };
        session.status.update(|status| status.since = session.clock.utc());
        Ok(Source { link, session })
    }

    /// Reads how the source is doing, while it runs and after.
    pub fn status(&self) -> StatusHandle {
        self.session.status.clone()
    }

    /// Listens until `stop`, or until nobody takes the batches any more.
    pub async fn run(self, stop: CancellationToken) {
        let Source { mut link, mut session } = self;
        loop {
            let event = {
                let mut polling = std::pin::pin!(link.next());
                session.until_event(polling.as_mut(), &stop).await
            };
            let Some(event) = event else { break };
            if session.is_stable() {
                link.proved_stable();
            }
            if let Err(Cut(reason)) = event.and_then(|event| session.handle(event)) {
                link.drop_connection();
                session.lost(reason);
            }
        }
        session.metrics.connected.set(0);
        session.status.update(|status| {
            status.connected = false;
            status.subscribed = false;
            status.reason = Some("stopped".to_owned());
        });
    }
}

/// The connection must go, for this reason.
struct Cut(String);

/// What came first.
enum Turn {
    Stop,
    Ack(Ack),
    Sent,
    NobodyListens,
    Tick,
    Event(Event),
}

enum State {
    Up { since: Mono },
    Down { since: Mono, told: bool, reason: Option<String> },
}

/// The way out: first the open acknowledgements, then the farewell.
#[derive(Clone, Copy)]
struct Leaving {
    until: Mono,
    said: bool,
}

/// Everything but the connection itself.
struct Session {
    device: Arc<str>,
    filters: Vec<String>,
    mapping: Mapping,
    clock: Clock,
    tx: mpsc::Sender<FieldBatch>,
    ack_tx: AckSender,
    ack_rx: AckReceiver,
    requests: Requests,
    order: AckOrder,
    /// Most messages the broker waited for at once.
    in_flight_max: usize,
    /// Batches in order of arrival, waiting for `readings`.
    inbox: VecDeque<FieldBatch>,
    /// Cut off because the inbox was full, until it is empty: by then most of what the broker
    /// sends again is on disk, and each round takes the window further.
    hold: bool,
    /// Points that came from here: what a lost connection is said for.
    fed: BTreeSet<PointId>,
    state: State,
    leaving: Option<Leaving>,
    status: StatusHandle,
    metrics: BrokerMetrics,
    unreadable: Throttle,
    overfull: Throttle,
    too_long: Throttle,
    silence: Silence,
    message_bytes_max: usize,
    lost_grace_ms: u64,
}

impl Session {
    /// Does everything else until the connection has an event; none when it is time to end.
    async fn until_event(
        &mut self,
        mut polling: Pin<&mut impl Future<Output = Event>>,
        stop: &CancellationToken,
    ) -> Option<Result<Event, Cut>> {
        loop {
            self.acknowledge();
            if self.has_left() {
                return None;
            }
            let deadline = self.deadline();
            // The connection comes last: all before it only works off what it has brought.
            let turn = tokio::select! {
                biased;
                () = stop.cancelled(), if self.leaving.is_none() => Turn::Stop,
                Some(ack) = self.ack_rx.recv() => Turn::Ack(ack),
                permit = self.tx.reserve(), if !self.inbox.is_empty() => match (permit, self.inbox.pop_front()) {
                    (Ok(permit), Some(batch)) => {
                        permit.send(batch);
                        Turn::Sent
                    }
                    _ => Turn::NobodyListens,
                },
                () = self.clock.sleep_until(deadline.unwrap_or(Mono(0))), if deadline.is_some() => Turn::Tick,
                event = &mut polling, if !self.hold => Turn::Event(event),
            };
            match turn {
                Turn::Stop => {
                    self.leaving = Some(Leaving { until: self.clock.mono().plus_ms(LEAVE_MS), said: false });
                }
                Turn::Ack(ack) => self.commit(ack),
                Turn::Sent => {
                    self.hold &= !self.inbox.is_empty();
                    self.metrics.waiting.set(gauge(self.inbox.len()));
                }
                Turn::Tick => {
                    if let Err(cut) = self.tick() {
                        return Some(Err(cut));
                    }
                }
                Turn::NobodyListens => return None,
                Turn::Event(event) => return Some(Ok(event)),
            }
        }
    }

    fn handle(&mut self, event: Event) -> Result<(), Cut> {
        match event {
            Event::Connected { session_present } => self.connected(session_present),
            Event::Subscribed(granted) => {
                self.subscribed(&granted);
                Ok(())
            }
            Event::Message(message) => self.message(&message),
            Event::Progress => Ok(()),
            Event::Left => Err(Cut("left".to_owned())),
            Event::Lost(reason) => {
                self.lost(reason);
                Ok(())
            }
        }
    }

    /// Subscribes on every connection: harmless where the session is kept, necessary where it is
    /// not, and the broker repeats its retained messages, the last word of slow publishers.
    fn connected(&mut self, session_present: bool) -> Result<(), Cut> {
        self.order.connected(session_present);
        self.metrics.connections.inc();
        self.metrics.connected.set(1);
        self.silence.connected(self.clock.mono());
        self.state = State::Up { since: self.clock.mono() };
        let now = self.clock.utc();
        let mut gap = None;
        self.status.update(|status| {
            // Of the first connection nobody knows whether there was a session to lose.
            if status.connections > 0 && !session_present {
                gap = Some(Gap { from: status.since, to: now });
                status.gap = gap;
                status.sessions_lost += 1;
            }
            status.connected = true;
            status.since = now;
            status.reason = None;
            status.connections += 1;
        });
        tracing::info!(broker = %self.device, session_present, "Connected to the MQTT broker.");
        if let Some(Gap { from, to }) = gap {
            self.metrics.sessions_lost.inc();
            tracing::error!(
                broker = %self.device, %from, %to,
                "The MQTT broker has forgotten the session: what was sent meanwhile is lost. Let it keep its sessions on disk."
            );
        }
        self.subscribe()
    }

    fn subscribe(&mut self) -> Result<(), Cut> {
        if self.requests.subscribe(&self.filters) {
            Ok(())
        } else {
            Err(Cut("no room for the subscription".to_owned()))
        }
    }

    fn subscribed(&mut self, granted: &[bool]) {
        let refused = self.filters.iter().zip(granted).filter(|(_, granted)| !**granted);
        let refused: Vec<String> = refused.map(|(filter, _)| filter.clone()).collect();
        if !refused.is_empty() {
            tracing::error!(
                broker = %self.device,
                filters = %refused.join(", "),
                "The MQTT broker refuses a subscription, its points get no values: see the broker's access rules."
            );
        }
        self.status.update(|status| {
            status.subscribed = true;
            status.refused = refused;
        });
    }

    fn message(&mut self, message: &Message) -> Result<(), Cut> {
        if self.leaving.is_some() {
            // Not acknowledged: it comes again to whoever runs next.
            return Ok(());
        }
        let now = self.clock.utc();
        self.count(message);
        if self.inbox.len() >= INBOX_MAX {
            return self.overflow(message);
        }
        let ack = match message.packet {
            None => None,
            Some(packet) => {
                let print = fingerprint(&message.topic, &message.payload);
                match self.order.arrived(packet, message.dup, print) {
                    Arrival::New(ack) => Some(ack),
                    Arrival::Duplicate => {
                        self.metrics.duplicates.inc();
                        self.seen(message, Fate::Duplicate);
                        return Ok(());
                    }
                    Arrival::Breach => {
                        return Err(Cut(format!("the broker used packet id {packet} twice at once")));
                    }
                }
            }
        };
        let mapped = self.map(message);
        self.seen(message, fate(&mapped));
        if mapped.parts.is_empty() {
            self.metrics.unmapped.inc();
            self.status.unmapped(&message.topic, mapped.unknown, &message.payload, now);
            if let Some(ack) = ack {
                self.commit(ack);
            }
            return Ok(());
        }
        self.enqueue(message, mapped, ack, now);
        Ok(())
    }

    /// One batch for each moment the message speaks of; it is acknowledged when all are on disk.
    fn enqueue(&mut self, message: &Message, mapped: Mapped, ack: Option<Ack>, now: UtcMs) {
        let parts = u32::try_from(mapped.parts.len()).unwrap_or(u32::MAX);
        let handle = ack.map(|ack| self.ack_tx.handle(ack, parts));
        self.fed.extend(mapped.samples().map(|sample| sample.point));
        for part in mapped.parts {
            self.inbox.push_back(FieldBatch {
                device: self.device.clone(),
                at: now,
                at_error_ms: if message.retain { RETAINED_ERROR_MS } else { 0 },
                source_at: part.source_at,
                received_at: now,
                samples: part.samples,
                ack: handle.clone(),
            });
        }
    }

    /// What a message says; what it should say and does not is told.
    fn map(&mut self, message: &Message) -> Mapped {
        let mapped = self.mapping.map(&message.topic, &message.payload);
        if message.payload.len() > self.message_bytes_max {
            self.too_long(message);
        } else if let Some((what, why)) = &mapped.unreadable {
            self.metrics.undecodable.inc();
            self.warn_unreadable(message, &format!("{what}: {why}"));
        }
        mapped
    }

    fn too_long(&mut self, message: &Message) {
        self.metrics.too_long.inc();
        if let Some(more) = self.too_long.allow(self.clock.mono()) {
            tracing::warn!(
                broker = %self.device, topic = %shorten(message.topic.as_bytes()), more,
                bytes = message.payload.len(), message_max = self.message_bytes_max,
                "An MQTT message is too long and was not read. Raise message_max, or publish less at once."
            );
        }
    }

    fn count(&mut self, message: &Message) {
        // The broker's own last word proves nothing about who publishes.
        if !message.retain {
            self.heard();
        }
        let now = self.clock.utc();
        self.metrics.messages.inc();
        self.metrics.bytes.inc_by(message.payload.len() as u64);
        self.metrics.retained.inc_by(u64::from(message.retain));
        self.status.update(|status| {
            status.last_message_at = Some(now);
            status.messages += 1;
        });
    }

    /// Remembers a message for whoever asks what became of it.
    fn seen(&self, message: &Message, fate: Fate) {
        let arrived = Arrived {
            topic: &message.topic,
            payload: &message.payload,
            retained: message.retain,
            qos: u8::from(message.packet.is_some()),
            at: self.clock.utc(),
        };
        self.status.seen(arrived, fate);
    }

    fn heard(&mut self) {
        let Some(silence_ms) = self.silence.heard(self.clock.mono()) else { return };
        self.metrics.silent.set(0);
        self.status.update(|status| status.silent_since = None);
        tracing::info!(broker = %self.device, silence_s = silence_ms / 1_000, "Messages come again.");
    }

    /// Connected, and without a message for too long.
    fn silent(&mut self, remedy: Remedy) -> Result<(), Cut> {
        if remedy == Remedy::Reconnect {
            return Err(Cut("connected, but no message comes".to_owned()));
        }
        self.metrics.silences.inc();
        self.metrics.silent.set(1);
        let quiet_ms = i64::try_from(self.silence.quiet_ms(self.clock.mono())).unwrap_or(i64::MAX);
        let since = self.clock.utc().plus_ms(-quiet_ms);
        self.status.update(|status| status.silent_since = Some(since));
        tracing::warn!(
            broker = %self.device, %since,
            "The MQTT broker is connected and no message comes. Subscribing again; see who should publish, and the broker's access rules."
        );
        self.subscribe()
    }

    /// `readings` does not keep up and the inbox is full.
    fn overflow(&mut self, message: &Message) -> Result<(), Cut> {
        self.seen(message, Fate::Dropped);
        if message.packet.is_some() {
            self.hold = true;
            return Err(Cut("readings does not keep up; the broker holds its messages".to_owned()));
        }
        self.metrics.dropped.inc();
        if let Some(more) = self.overfull.allow(self.clock.mono()) {
            tracing::error!(
                broker = %self.device, topic = %shorten(message.topic.as_bytes()), more,
                "Dropped an MQTT message of QoS 0, readings does not keep up. Publish with QoS 1 what must not be lost."
            );
        }
        Ok(())
    }

    fn warn_unreadable(&mut self, message: &Message, what: &str) {
        if let Some(more) = self.unreadable.allow(self.clock.mono()) {
            tracing::warn!(
                broker = %self.device,
                topic = %shorten(message.topic.as_bytes()),
                payload = %shorten(&message.payload),
                more,
                "Cannot read an MQTT message: {what}."
            );
        }
    }

    fn commit(&mut self, ack: Ack) {
        if !self.order.commit(ack) {
            self.metrics.acks_stale.inc();
        }
    }

    /// Hands over what may be acknowledged, as far as there is room.
    fn acknowledge(&mut self) {
        while let Some(packet) = self.order.ready() {
            if !self.requests.acknowledge(packet) {
                break;
            }
            self.order.sent();
            self.metrics.acks.inc();
        }
        let in_flight = self.order.in_flight();
        self.metrics.in_flight.set(gauge(in_flight));
        if in_flight > self.in_flight_max {
            self.in_flight_max = in_flight;
            self.metrics.in_flight_max.set(gauge(in_flight));
            self.status.update(|status| status.in_flight_max = in_flight);
        }
    }

    fn lost(&mut self, reason: String) {
        self.order.lost();
        self.silence.lost();
        self.metrics.connected.set(0);
        let (since, told, last) = match &mut self.state {
            State::Up { .. } => (self.clock.mono(), false, None),
            State::Down { since, told, reason } => (*since, *told, reason.take()),
        };
        if self.leaving.is_none() && last.as_ref() != Some(&reason) {
            tracing::warn!(broker = %self.device, %reason, "No connection to the MQTT broker.");
        }
        let now = self.clock.utc();
        self.status.update(|status| {
            if status.connected {
                status.since = now;
            }
            status.connected = false;
            status.subscribed = false;
            status.reason = Some(reason.clone());
        });
        self.state = State::Down { since, told, reason: Some(reason) };
    }

    /// Up for long enough that the next loss is not the same trouble going on.
    fn is_stable(&self) -> bool {
        matches!(self.state, State::Up { since } if self.clock.mono().since_ms(since) >= STABLE_MS)
    }

    /// When [`Session::tick`] has something to do.
    fn deadline(&self) -> Option<Mono> {
        match (&self.leaving, &self.state) {
            (Some(leaving), _) => Some(leaving.until),
            (None, State::Down { since, told: false, .. }) => Some(since.plus_ms(self.lost_grace_ms)),
            (None, State::Down { .. }) => None,
            (None, State::Up { .. }) => self.silence.deadline(),
        }
    }

    fn tick(&mut self) -> Result<(), Cut> {
        if self.leaving.is_some() {
            return Ok(()); // `has_left` looks at the time.
        }
        let State::Down { told, .. } = &mut self.state else {
            return self.silence.due(self.clock.mono()).map_or(Ok(()), |remedy| self.silent(remedy));
        };
        *told = true;
        self.tell_lost();
        Ok(())
    }

    /// Says of every point that came from here that there is no connection.
    fn tell_lost(&mut self) {
        if self.fed.is_empty() {
            return;
        }
        let now = self.clock.utc();
        let samples = self.fed.iter().map(|point| Sample { point: *point, raw: Err(Fault::NoConnection) });
        self.inbox.push_back(FieldBatch {
            device: self.device.clone(),
            at: now,
            at_error_ms: 0,
            source_at: None,
            received_at: now,
            samples: samples.collect(),
            ack: None,
        });
    }

    /// On the way out: says farewell once nothing is open or the time is up; true at the end.
    fn has_left(&mut self) -> bool {
        let Some(leaving) = self.leaving else { return false };
        let late = self.clock.mono() >= leaving.until;
        if matches!(self.state, State::Down { .. }) || (leaving.said && late) {
            return true;
        }
        let settled = self.order.in_flight() == 0 && self.inbox.is_empty();
        if !leaving.said && (settled || late) {
            let until = self.clock.mono().plus_ms(LEAVE_MS);
            self.leaving = Some(Leaving { until, said: true });
            return !self.requests.leave();
        }
        false
    }
}

fn fate(mapped: &Mapped) -> Fate {
    let why = mapped.unreadable.as_ref().map(|(what, why)| format!("{what}: {why}"));
    if mapped.parts.is_empty() {
        return Fate::Unmapped { address: mapped.unknown.clone(), why };
    }
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Fate::Taken { samples: count(mapped.samples().count()), failed: count(mapped.failed()), why }
}

fn gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn fingerprint(topic: &str, payload: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    topic.hash(&mut hasher);
    payload.hash(&mut hasher);
    hasher.finish()
}

/// Lets one warning through per [`WARN_EVERY_MS`].
#[derive(Debug, Default)]
struct Throttle {
    next: Option<Mono>,
    held_back: u64,
}

impl Throttle {
    /// How many were held back since the last one, if this one may pass.
    fn allow(&mut self, now: Mono) -> Option<u64> {
        if self.next.is_some_and(|next| now < next) {
            self.held_back += 1;
            return None;
        }
        self.next = Some(now.plus_ms(WARN_EVERY_MS));
        Some(std::mem::take(&mut self.held_back))
    }
}
