//! A small MQTT 3.1.1 broker for the demo plant: real sockets, one process, nothing to install.
//!
//! Persistent sessions, QoS 0 and 1 with a window and redelivery, retained messages, wildcards.
//! What it leaves out it refuses aloud: QoS 2 ends the connection, MQTT 5 is answered with
//! "unacceptable protocol version", there is no login, last wills are ignored. The decisions are
//! in [`Hub`], which is pure; the rest moves packets. All connections run inside
//! [`Broker::run`], so dropping or stopping it leaves nothing behind.
//!
//! **Invariant:** bounded everywhere; a reader that does not read loses its connection, never
//! another reader's messages. Nothing is kept on disk: it is a demo, not a product.

use crate::field::PacketId;
use crate::field::mqtt::wire::{
    Codec, ConnAck, Connect, ConnectReturnCode, Packet, Protocol, PubAck, Publish, QoS, SubAck, Subscribe,
    SubscribeReasonCode, UnsubAck,
};
use futures_util::stream::FuturesUnordered;
use futures_util::{SinkExt, StreamExt};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_util::codec::Framed;
use tokio_util::sync::CancellationToken;

/// Unacknowledged QoS 1 messages per session, as in mosquitto.
pub const WINDOW: usize = 20;
/// Messages a session waits with beyond its window; the newest is dropped.
pub const QUEUE_MAX: usize = 1_000;
/// Connections at once, and sessions kept.
pub const CLIENTS_MAX: usize = 64;
/// Retained topics; further ones are delivered and not retained.
pub const RETAINED_MAX: usize = 4_096;
/// The longest packet in bytes.
const PACKET_MAX: usize = 2 << 20;
/// A CONNECT must come, and a packet must be taken, within this.
const PATIENCE: Duration = Duration::from_secs(10);

/// The broker, bound and not yet running.
pub struct Broker {
    listener: TcpListener,
    hub: Arc<Mutex<Hub>>,
}

impl Broker {
    /// Binds; port 0 takes a free one. Meant for loopback: there is no login.
    pub async fn bind(address: SocketAddr) -> std::io::Result<Broker> {
        let listener = TcpListener::bind(address).await?;
        Ok(Broker { listener, hub: Arc::default() })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop`; then all connections are closed.
    pub async fn run(self, stop: CancellationToken) {
        let mut connections = FuturesUnordered::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(()) = connections.next(), if !connections.is_empty() => {}
                accepted = self.listener.accept(), if connections.len() < CLIENTS_MAX => match accepted {
                    Ok((socket, _)) => connections.push(serve(socket, self.hub.clone())),
                    // Out of file handles, or a client gone before it was taken: others go on.
                    Err(error) => {
                        tracing::warn!(%error, "The demo broker cannot take a connection.");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
            }
        }
    }
}

type Frames = Framed<TcpStream, Codec>;

/// One connection from CONNECT to its end.
async fn serve(socket: TcpStream, hub: Arc<Mutex<Hub>>) {
    // Small packets at once; a socket that cannot be told so still works.
    let _slower = socket.set_nodelay(true);
    let mut frames =
        Framed::new(socket, Codec { max_incoming_size: PACKET_MAX, max_outgoing_size: PACKET_MAX });
    let first = tokio::time::timeout(PATIENCE, frames.next()).await;
    let Ok(Some(Ok(Packet::Connect(connect)))) = first else { return };
    let keep_alive = connect.keep_alive;
    let (answer, client) = lock(&hub).connect(&connect);
    if !send(&mut frames, Packet::ConnAck(answer)).await {
        return;
    }
    let Some(client) = client else { return };
    converse(&mut frames, &hub, &client, keep_alive).await;
    lock(&hub).leave(&client);
}

async fn converse(frames: &mut Frames, hub: &Mutex<Hub>, client: &Client, keep_alive: u16) {
    loop {
        let ready = lock(hub).take(client);
        match ready {
            Some(packets) if packets.is_empty() => {}
            Some(packets) => {
                for packet in packets {
                    if !send(frames, packet).await {
                        return;
                    }
                }
                continue;
            }
            None => return, // another connection took the session over
        }
        // One and a half times the keep-alive (MQTT 3.1.1, 3.1.2.10).
        let silence = Duration::from_millis(u64::from(keep_alive) * 1_500);
        let packet = tokio::select! {
            packet = frames.next() => packet,
            () = client.wake.notified() => continue,
            () = tokio::time::sleep(silence), if keep_alive > 0 => return,
        };
        let Some(Ok(packet)) = packet else { return };
        let Ok(answer) = lock(hub).receive(client, packet) else { return };
        if let Some(answer) = answer
            && !send(frames, answer).await
        {
            return;
        }
    }
}

/// False if the peer does not take it.
async fn send(frames: &mut Frames, packet: Packet) -> bool {
    matches!(tokio::time::timeout(PATIENCE, frames.send(packet)).await, Ok(Ok(())))
}

fn lock(hub: &Mutex<Hub>) -> MutexGuard<'_, Hub> {
    hub.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connected client: its session, and which of its connections this one is.
struct Client {
    id: String,
    generation: u64,
    wake: Arc<Notify>,
}

/// The connection ends: a farewell or a breach of the protocol.
struct End;

/// Sessions and retained messages. Pure: packets in, packets out.
#[derive(Default)]
struct Hub {
    sessions: BTreeMap<String, Session>,
    retained: BTreeMap<String, Publish>,
    generations: u64,
}

#[derive(Default)]
struct Session {
    generation: u64,
    online: bool,
    clean: bool,
    filters: BTreeMap<String, QoS>,
    /// Waiting to be sent, oldest first; with an id already, those to be sent again.
    queue: VecDeque<Publish>,
    /// Sent and unacknowledged, oldest first.
    flight: VecDeque<Publish>,
    last_packet: PacketId,
    wake: Arc<Notify>,
}

impl Hub {
    fn connect(&mut self, connect: &Connect) -> (ConnAck, Option<Client>) {
        let refuse = |code| (ConnAck::new(code, false), None);
        if connect.protocol != Protocol::V4 {
            return refuse(ConnectReturnCode::RefusedProtocolVersion);
        }
        self.generations += 1;
        let generation = self.generations;
        let id = match connect.client_id.as_str() {
            "" if connect.clean_session => format!("anonymous-{generation}"),
            "" => return refuse(ConnectReturnCode::BadClientId),
            id => id.to_owned(),
        };
        let mut present = self.sessions.contains_key(&id);
        if !present && self.sessions.len() >= CLIENTS_MAX {
            return refuse(ConnectReturnCode::ServiceUnavailable);
        }
        let session = self.sessions.entry(id.clone()).or_default();
        session.wake.notify_one(); // an older connection sees that it is not the one any more
        if connect.clean_session || session.clean {
            *session = Session::default();
            present = false;
        }
        session.generation = generation;
        session.online = true;
        session.clean = connect.clean_session;
        session.wake = Arc::default();
        session.requeue();
        let wake = session.wake.clone();
        let answer = ConnAck::new(ConnectReturnCode::Success, present);
        (answer, Some(Client { id, generation, wake }))
    }

    /// The connection is over; a clean session goes with it.
    fn leave(&mut self, client: &Client) {
        let Some(session) = self.sessions.get_mut(&client.id) else { return };
        if session.generation != client.generation {
            return;
        }
        session.online = false;
        if session.clean {
            self.sessions.remove(&client.id);
        }
    }

    /// What may be sent now; none if this connection is not the session's any more.
    fn take(&mut self, client: &Client) -> Option<Vec<Packet>> {
        let session = self.sessions.get_mut(&client.id)?;
        (session.generation == client.generation).then(|| session.take())
    }

    fn receive(&mut self, client: &Client, packet: Packet) -> Result<Option<Packet>, End> {
        match packet {
            Packet::Publish(publish) => self.publish(publish),
            Packet::PubAck(ack) => {
                if let Some(session) = self.sessions.get_mut(&client.id) {
                    session.flight.retain(|sent| sent.pkid != ack.pkid);
                }
                Ok(None)
            }
            Packet::Subscribe(subscribe) => Ok(Some(self.subscribe(client, &subscribe))),
            Packet::Unsubscribe(unsubscribe) => {
                if let Some(session) = self.sessions.get_mut(&client.id) {
                    session.filters.retain(|filter, _| !unsubscribe.topics.contains(filter));
                }
                Ok(Some(Packet::UnsubAck(UnsubAck::new(unsubscribe.pkid))))
            }
            Packet::PingReq => Ok(Some(Packet::PingResp)),
            _ => Err(End),
        }
    }

    fn subscribe(&mut self, client: &Client, subscribe: &Subscribe) -> Packet {
        let mut codes = Vec::with_capacity(subscribe.filters.len());
        for filter in &subscribe.filters {
            let session = self.sessions.get_mut(&client.id).filter(|_| is_filter(&filter.path));
            let Some(session) = session else {
                codes.push(SubscribeReasonCode::Failure);
                continue;
            };
            let granted = lower(filter.qos, QoS::AtLeastOnce);
            session.filters.insert(filter.path.clone(), granted);
            // Repeated on every subscription (MQTT 3.1.1, 3.8.4).
            for kept in self.retained.values().filter(|kept| matches(&filter.path, &kept.topic)) {
                session.enqueue(kept, granted);
            }
            codes.push(SubscribeReasonCode::Success(granted));
        }
        Packet::SubAck(SubAck::new(subscribe.pkid, codes))
    }

    fn publish(&mut self, publish: Publish) -> Result<Option<Packet>, End> {
        let answer = match publish.qos {
            QoS::AtMostOnce => None,
            QoS::AtLeastOnce => Some(Packet::PubAck(PubAck::new(publish.pkid))),
            QoS::ExactlyOnce => return Err(End),
        };
        if publish.topic.is_empty() || publish.topic.contains(['+', '#', '\0']) {
            return Err(End);
        }
        for session in self.sessions.values_mut() {
            let wanted = session.filters.iter().filter(|(filter, _)| matches(filter, &publish.topic));
            if let Some(granted) = wanted.map(|(_, qos)| *qos).reduce(higher) {
                let live = Publish { retain: false, ..publish.clone() };
                session.enqueue(&live, granted);
            }
        }
        if publish.retain {
            self.retain(publish);
        }
        Ok(answer)
    }

    /// An empty payload forgets (MQTT 3.1.1, 3.3.1.3).
    fn retain(&mut self, publish: Publish) {
        if publish.payload.is_empty() {
            self.retained.remove(&publish.topic);
        } else if self.retained.len() < RETAINED_MAX || self.retained.contains_key(&publish.topic) {
            self.retained.insert(publish.topic.clone(), publish);
        }
    }
}

impl Session {
    fn enqueue(&mut self, publish: &Publish, granted: QoS) {
        let qos = lower(publish.qos, granted);
        let useless = !self.online && qos == QoS::AtMostOnce;
        if useless || self.queue.len() >= QUEUE_MAX {
            return;
        }
        self.queue.push_back(Publish { qos, pkid: 0, dup: false, ..publish.clone() });
        self.wake.notify_one();
    }

    /// What was unacknowledged goes out again first, under its old id.
    fn requeue(&mut self) {
        for mut sent in self.flight.drain(..).rev() {
            sent.dup = true;
            self.queue.push_front(sent);
        }
    }

    fn take(&mut self) -> Vec<Packet> {
        let mut packets = Vec::new();
        while let Some(next) = self.queue.front() {
            if next.qos == QoS::AtLeastOnce && self.flight.len() >= WINDOW {
                break;
            }
            let Some(mut publish) = self.queue.pop_front() else { break };
            if publish.qos == QoS::AtLeastOnce {
                if publish.pkid == 0 {
                    publish.pkid = self.free_packet();
                }
                self.flight.push_back(publish.clone());
            }
            packets.push(Packet::Publish(publish));
        }
        packets
    }

    /// The next id that no message in flight or to be sent again has; there are at most
    /// [`WINDOW`] of those.
    fn free_packet(&mut self) -> PacketId {
        loop {
            self.last_packet = self.last_packet.checked_add(1).unwrap_or(1);
            let id = self.last_packet;
            if !self.flight.iter().chain(&self.queue).any(|held| held.pkid == id) {
                return id;
            }
        }
    }
}

fn lower(a: QoS, b: QoS) -> QoS {
    if (a as u8) < (b as u8) { a } else { b }
}

fn higher(a: QoS, b: QoS) -> QoS {
    if (a as u8) < (b as u8) { b } else { a }
}

/// `+` fills a level, `#` only the last (MQTT 3.1.1, 4.7.1).
fn is_filter(filter: &str) -> bool {
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        let fits = match level {
            "#" => levels.peek().is_none(),
            "+" => true,
            word => !word.contains(['+', '#', '\0']),
        };
        if !fits {
            return false;
        }
    }
    !filter.is_empty()
}

fn matches(filter: &str, topic: &str) -> bool {
    // Topics of the broker itself are not for wildcards (MQTT 3.1.1, 4.7.2).
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut levels = topic.split('/');
    for wanted in filter.split('/') {
        match (wanted, levels.next()) {
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (word, Some(level)) if word == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::mqtt::wire::SubscribeFilter;
    use proptest::prelude::*;

    #[test]
    fn wildcards() {
        for (filter, topic, fits) in [
            ("a/+/c", "a/b/c", true),
            ("a/+", "a/b/c", false),
            ("a/#", "a", true),
            ("a/#", "a/b/c", true),
            ("#", "病房/1", true),
            ("+", "$SYS", false),
            ("$SYS/#", "$SYS/load", true),
            ("a", "a/", false),
            ("a/+", "a/", true),
        ] {
            assert_eq!(matches(filter, topic), fits, "{filter} {topic}");
        }
        for (filter, valid) in [("a/+/#", true), ("", false), ("a+", false), ("#/a", false), ("a/b#", false)]
        {
            assert_eq!(is_filter(filter), valid, "{filter}");
        }
    }

    fn connect(hub: &mut Hub, id: &str, clean: bool) -> (bool, Client) {
        let connect = Connect { clean_session: clean, ..Connect::new(id) };
        let (answer, client) = hub.connect(&connect);
        assert_eq!(answer.code, ConnectReturnCode::Success);
        (answer.session_present, client.unwrap())
    }

    fn subscribe(hub: &mut Hub, client: &Client, filter: &str, qos: QoS) -> SubscribeReasonCode {
        let subscribe = Subscribe::new_many([SubscribeFilter::new(filter.to_owned(), qos)]);
        let Ok(Some(Packet::SubAck(ack))) = hub.receive(client, Packet::Subscribe(subscribe)) else {
            panic!("no SUBACK")
        };
        ack.return_codes[0]
    }

    fn publish(hub: &mut Hub, client: &Client, topic: &str, payload: &str, qos: QoS, retain: bool) {
        let mut publish = Publish::new(topic, qos, payload);
        publish.retain = retain;
        publish.pkid = 1;
        assert!(hub.receive(client, Packet::Publish(publish)).is_ok());
    }

    fn take(hub: &mut Hub, client: &Client) -> Vec<(PacketId, bool, String)> {
        let packets = hub.take(client).expect("still the session's connection");
        let publish = |packet| match packet {
            Packet::Publish(p) => (p.pkid, p.dup, String::from_utf8(p.payload.to_vec()).unwrap()),
            other => panic!("{other:?}"),
        };
        packets.into_iter().map(publish).collect()
    }

    fn ack(hub: &mut Hub, client: &Client, packet: PacketId) {
        assert!(hub.receive(client, Packet::PubAck(PubAck::new(packet))).is_ok());
    }

    #[test]
    fn a_kept_session_gets_what_it_missed_and_what_it_did_not_acknowledge() {
        let mut hub = Hub::default();
        let (_, sender) = connect(&mut hub, "sender", true);
        let (present, reader) = connect(&mut hub, "reader", false);
        assert!(!present);
        subscribe(&mut hub, &reader, "t", QoS::ExactlyOnce);
        for n in 0..3 {
            publish(&mut hub, &sender, "t", &n.to_string(), QoS::AtLeastOnce, false);
        }
        assert_eq!(take(&mut hub, &reader).len(), 3);
        ack(&mut hub, &reader, 2);
        hub.leave(&reader);
        publish(&mut hub, &sender, "t", "3", QoS::AtLeastOnce, false);
        publish(&mut hub, &sender, "t", "lost", QoS::AtMostOnce, false);
        let (present, reader) = connect(&mut hub, "reader", false);
        assert!(present);
        let again = take(&mut hub, &reader);
        let expected = [(1, true, "0"), (3, true, "2"), (4, false, "3")];
        assert_eq!(again, expected.map(|(id, dup, text)| (id, dup, text.to_owned())));
        let (present, _) = connect(&mut hub, "reader", true);
        assert!(!present, "a clean session forgets");
    }

    #[test]
    fn a_second_connection_takes_the_session_over() {
        let mut hub = Hub::default();
        let (_, first) = connect(&mut hub, "reader", false);
        let (present, second) = connect(&mut hub, "reader", false);
        assert!(present && hub.take(&first).is_none() && hub.take(&second).is_some());
        hub.leave(&first);
        assert!(hub.sessions["reader"].online, "the old connection's end is not the session's");
    }

    #[test]
    fn retained_messages_come_with_every_subscription_until_forgotten() {
        let mut hub = Hub::default();
        let (_, client) = connect(&mut hub, "c", true);
        publish(&mut hub, &client, "a/b", "kept", QoS::AtLeastOnce, true);
        for _ in 0..2 {
            subscribe(&mut hub, &client, "a/+", QoS::AtMostOnce);
            assert_eq!(take(&mut hub, &client), [(0, false, "kept".to_owned())]);
        }
        publish(&mut hub, &client, "a/b", "", QoS::AtMostOnce, true);
        assert_eq!(take(&mut hub, &client).len(), 1);
        subscribe(&mut hub, &client, "a/+", QoS::AtMostOnce);
        assert!(take(&mut hub, &client).is_empty());
    }

    #[test]
    fn what_it_cannot_do_it_refuses() {
        let mut hub = Hub::default();
        let v5 = Connect { protocol: Protocol::V5, ..Connect::new("x") };
        assert_eq!(hub.connect(&v5).0.code, ConnectReturnCode::RefusedProtocolVersion);
        let nameless = Connect { clean_session: false, ..Connect::new("") };
        assert_eq!(hub.connect(&nameless).0.code, ConnectReturnCode::BadClientId);
        let (_, client) = connect(&mut hub, "c", true);
        assert_eq!(subscribe(&mut hub, &client, "a#", QoS::AtMostOnce), SubscribeReasonCode::Failure);
        for (topic, qos) in [("t", QoS::ExactlyOnce), ("t/+", QoS::AtMostOnce), ("", QoS::AtMostOnce)] {
            let publish = Publish::new(topic, qos, "x");
            assert!(hub.receive(&client, Packet::Publish(publish)).is_err());
        }
    }

    #[test]
    fn a_reader_that_does_not_read_is_bounded() {
        let mut hub = Hub::default();
        let (_, reader) = connect(&mut hub, "reader", false);
        subscribe(&mut hub, &reader, "#", QoS::AtLeastOnce);
        for _ in 0..2 * QUEUE_MAX {
            publish(&mut hub, &reader, "t", "x", QoS::AtLeastOnce, false);
        }
        assert_eq!(take(&mut hub, &reader).len(), WINDOW);
        assert_eq!(hub.sessions["reader"].queue.len(), QUEUE_MAX - WINDOW);
    }

    proptest! {
        /// Whatever is acknowledged and dropped when: everything arrives, in order, at most a
        /// window is open, and no open id is given twice.
        #[test]
        fn everything_arrives_in_order(steps in prop::collection::vec(0_u8..8, 1..150)) {
            let mut hub = Hub::default();
            let (_, mut reader) = connect(&mut hub, "reader", false);
            let (_, sender) = connect(&mut hub, "sender", true);
            subscribe(&mut hub, &reader, "t", QoS::AtLeastOnce);
            let (mut sent, mut next) = (0_u32, 0_u32);
            let mut open: VecDeque<(PacketId, u32)> = VecDeque::new();
            for step in steps.into_iter().chain([0; 400]) {
                match step {
                    0 => {
                        for (id, _, text) in take(&mut hub, &reader) {
                            prop_assert!(open.iter().all(|(held, _)| *held != id));
                            open.push_back((id, text.parse().unwrap()));
                        }
                        prop_assert!(open.len() <= WINDOW);
                        if let Some((id, serial)) = open.pop_front() {
                            prop_assert_eq!(serial, next);
                            next += 1;
                            ack(&mut hub, &reader, id);
                        }
                    }
                    1 => {
                        open.clear();
                        hub.leave(&reader);
                        reader = connect(&mut hub, "reader", false).1;
                    }
                    _ => {
                        publish(&mut hub, &sender, "t", &sent.to_string(), QoS::AtLeastOnce, false);
                        sent += 1;
                    }
                }
            }
            prop_assert_eq!(next, sent);
        }
    }
}
