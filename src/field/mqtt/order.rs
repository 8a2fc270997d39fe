//! Which message may be acknowledged next: arrival order, and never for another message.
//!
//! Readings become durable in any order; the broker hears of it in the order in which it
//! delivered. A packet id is only unique until it is acknowledged, and after a reconnect the
//! broker may reuse it, so an acknowledgement counts only in the connection (epoch) its message
//! came in. Pure.
//!
//! What became durable while the connection was down is remembered: the broker sends those
//! messages again, marked DUP and under their old ids (MQTT 3.1.1, 4.4), and they are then
//! acknowledged at once instead of being stored twice. Only ids whose acknowledgement was never
//! handed to the connection are remembered, because a broker that heard none cannot have reused
//! the id; and only the same topic and payload counts as the same message.

use crate::field::{Ack, PacketId};
use std::collections::{BTreeMap, VecDeque};

/// Identity of a message's content: a hash of topic and payload.
pub type Fingerprint = u64;

/// What to do with a message that has just arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Pass it on; this is its name for the acknowledgement.
    New(Ack),
    /// It is on disk already; its acknowledgement is under way. Nothing to do.
    Duplicate,
    /// The broker used an id that it is still waiting for: it cannot be trusted in this
    /// connection any more.
    Breach,
}

/// The messages of one driver that the broker waits for.
#[derive(Debug, Default)]
pub struct AckOrder {
    /// Counts connections; 0 before the first.
    epoch: u64,
    /// Unacknowledged messages of this connection, oldest first.
    open: VecDeque<Open>,
    /// Packet id -> running number of its entry in `open`.
    numbers: BTreeMap<PacketId, u64>,
    /// Running number of the front of `open`.
    front: u64,
    /// Unacknowledged messages of earlier connections of the same session.
    earlier: BTreeMap<PacketId, Earlier>,
}

#[derive(Debug)]
struct Open {
    packet: PacketId,
    fingerprint: Fingerprint,
    committed: bool,
}

#[derive(Debug)]
struct Earlier {
    epoch: u64,
    fingerprint: Fingerprint,
    committed: bool,
}

impl AckOrder {
    /// A connection stands. Without its session the broker has forgotten all ids.
    pub fn connected(&mut self, session_present: bool) {
        self.lost();
        self.epoch += 1;
        if !session_present {
            self.earlier.clear();
        }
    }

    /// The connection is gone; nothing can be acknowledged until the next one.
    pub fn lost(&mut self) {
        let epoch = self.epoch;
        self.numbers.clear();
        self.front += self.open.len() as u64;
        for Open { packet, fingerprint, committed } in self.open.drain(..) {
            self.earlier.insert(packet, Earlier { epoch, fingerprint, committed });
        }
    }

    /// A QoS 1 message arrives.
    pub fn arrived(&mut self, packet: PacketId, dup: bool, fingerprint: Fingerprint) -> Arrival {
        if self.numbers.contains_key(&packet) {
            return Arrival::Breach;
        }
        let earlier = self.earlier.remove(&packet);
        let committed =
            earlier.is_some_and(|known| dup && known.committed && known.fingerprint == fingerprint);
        self.numbers.insert(packet, self.front + self.open.len() as u64);
        self.open.push_back(Open { packet, fingerprint, committed });
        if committed { Arrival::Duplicate } else { Arrival::New(Ack { epoch: self.epoch, packet }) }
    }

    /// All readings of a message are on disk, or there were none to keep. False if the message
    /// is not of this connection: the broker gets no word of it.
    pub fn commit(&mut self, ack: Ack) -> bool {
        if let Some(open) = self.find(ack) {
            open.committed = true;
            return true;
        }
        if let Some(known) = self.earlier.get_mut(&ack.packet) {
            known.committed |= known.epoch == ack.epoch;
        }
        false
    }

    fn find(&mut self, ack: Ack) -> Option<&mut Open> {
        let number = self.numbers.get(&ack.packet).filter(|_| ack.epoch == self.epoch)?;
        let at = usize::try_from(number.checked_sub(self.front)?).ok()?;
        self.open.get_mut(at)
    }

    /// The message to acknowledge now, if the oldest one may be.
    pub fn ready(&self) -> Option<PacketId> {
        self.open.front().filter(|open| open.committed).map(|open| open.packet)
    }

    /// The acknowledgement [`AckOrder::ready`] named was handed to the connection.
    pub fn sent(&mut self) {
        if let Some(open) = self.open.pop_front() {
            self.numbers.remove(&open.packet);
            self.front += 1;
        }
    }

    /// Messages the broker waits for.
    pub fn in_flight(&self) -> usize {
        self.open.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn new(order: &mut AckOrder, packet: PacketId) -> Ack {
        match order.arrived(packet, false, u64::from(packet)) {
            Arrival::New(ack) => ack,
            other => panic!("{other:?}"),
        }
    }

    fn drain(order: &mut AckOrder) -> Vec<PacketId> {
        let mut sent = Vec::new();
        while let Some(packet) = order.ready() {
            order.sent();
            sent.push(packet);
        }
        sent
    }

    #[test]
    fn waits_for_the_oldest() {
        let mut order = AckOrder::default();
        order.connected(false);
        let acks = [3, 1, 2].map(|packet| new(&mut order, packet));
        assert!(order.commit(acks[1]) && order.commit(acks[2]));
        assert!(drain(&mut order).is_empty());
        assert!(order.commit(acks[0]));
        assert_eq!(drain(&mut order), [3, 1, 2]);
        assert_eq!(order.in_flight(), 0);
        assert!(!order.commit(acks[0]), "acknowledged once");
    }

    #[test]
    fn a_stale_acknowledgement_never_reaches_a_reused_id() {
        let mut order = AckOrder::default();
        order.connected(false);
        let old = new(&mut order, 5);
        order.connected(false);
        let reused = new(&mut order, 5);
        assert!(!order.commit(old));
        assert_eq!(order.ready(), None);
        assert!(order.commit(reused));
        assert_eq!(drain(&mut order), [5]);
    }

    #[test]
    fn what_was_committed_while_away_is_acknowledged_and_not_stored_again() {
        let mut order = AckOrder::default();
        order.connected(false);
        let (first, second) = (new(&mut order, 1), new(&mut order, 2));
        order.lost();
        assert!(!order.commit(first), "the connection is gone");
        order.connected(true);
        assert!(!order.commit(second), "and so is its epoch");
        assert_eq!(order.arrived(1, true, 1), Arrival::Duplicate);
        assert!(matches!(order.arrived(2, true, 99), Arrival::New(_)), "another message under the id");
        assert_eq!(drain(&mut order), [1]);
    }

    #[test]
    fn a_message_without_dup_or_session_is_no_duplicate() {
        for (session, dup) in [(true, false), (false, true)] {
            let mut order = AckOrder::default();
            order.connected(false);
            let ack = new(&mut order, 1);
            order.lost();
            order.commit(ack);
            order.connected(session);
            assert!(matches!(order.arrived(1, dup, 1), Arrival::New(_)));
        }
    }

    #[test]
    fn an_id_used_twice_at_once_is_a_breach() {
        let mut order = AckOrder::default();
        order.connected(false);
        new(&mut order, 7);
        assert_eq!(order.arrived(7, true, 7), Arrival::Breach);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Deliver,
        Commit(prop::sample::Index),
        Send,
        /// The connection drops; `heard` of the acknowledgements just sent had arrived.
        Drop {
            heard: usize,
            session: bool,
        },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => Just(Step::Deliver),
            4 => any::<prop::sample::Index>().prop_map(Step::Commit),
            3 => Just(Step::Send),
            1 => (0_usize..20, any::<bool>()).prop_map(|(heard, session)| Step::Drop { heard, session }),
        ]
    }

    /// A broker with a window of 20 that reuses an id as soon as it is free, and the messages by
    /// serial number. Contents repeat, so that a fingerprint alone proves nothing.
    #[derive(Default)]
    struct Model {
        window: BTreeMap<PacketId, u64>,
        next_serial: u64,
        /// Acknowledgements handed to the connection, not yet heard.
        wire: VecDeque<PacketId>,
        /// Handles that travel above.
        handles: Vec<(Ack, u64)>,
        durable: BTreeSet<u64>,
        arrivals: VecDeque<u64>,
    }

    impl Model {
        fn take(&mut self, order: &mut AckOrder, packet: PacketId, dup: bool) {
            let serial = self.window[&packet];
            match order.arrived(packet, dup, serial % 3) {
                Arrival::New(ack) => self.handles.push((ack, serial)),
                Arrival::Duplicate => assert!(self.durable.contains(&serial), "not on disk: {serial}"),
                Arrival::Breach => panic!("the model broker commits none"),
            }
            self.arrivals.push_back(serial);
        }

        fn deliver(&mut self, order: &mut AckOrder) {
            let Some(packet) = (1..=20).find(|id| !self.window.contains_key(id)) else { return };
            self.window.insert(packet, self.next_serial);
            self.next_serial += 1;
            self.take(order, packet, false);
        }

        fn send(&mut self, order: &mut AckOrder) {
            while let Some(packet) = order.ready() {
                order.sent();
                let serial = self.window[&packet];
                assert!(self.durable.contains(&serial), "acknowledged, not on disk: {serial}");
                assert_eq!(self.arrivals.pop_front(), Some(serial), "arrival order");
                self.wire.push_back(packet);
            }
        }

        fn hear(&mut self, count: usize) {
            for packet in self.wire.drain(..count.min(self.wire.len())) {
                self.window.remove(&packet);
            }
        }

        fn reconnect(&mut self, order: &mut AckOrder, heard: usize, session: bool) {
            self.hear(heard);
            self.wire.clear();
            self.arrivals.clear();
            order.lost();
            if !session {
                self.window.clear();
            }
            order.connected(session);
            let again: Vec<_> = self.window.keys().copied().collect();
            for packet in again {
                self.take(order, packet, true);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn acknowledges_in_arrival_order_and_only_what_is_durable(steps in prop::collection::vec(step(), 1..200)) {
            let (mut order, mut model) = (AckOrder::default(), Model::default());
            order.connected(false);
            for step in steps {
                match step {
                    Step::Deliver => model.deliver(&mut order),
                    Step::Commit(index) if !model.handles.is_empty() => {
                        let (ack, serial) = model.handles.swap_remove(index.index(model.handles.len()));
                        model.durable.insert(serial);
                        order.commit(ack);
                    }
                    Step::Commit(_) => {}
                    Step::Send => {
                        model.send(&mut order);
                        let all = model.wire.len();
                        model.hear(all / 2);
                    }
                    Step::Drop { heard, session } => model.reconnect(&mut order, heard, session),
                }
            }
            // Whatever happened before, in the end everything that is committed is acknowledged.
            model.reconnect(&mut order, 0, true);
            for (ack, serial) in std::mem::take(&mut model.handles) {
                model.durable.insert(serial);
                order.commit(ack);
            }
            model.send(&mut order);
            prop_assert_eq!(order.in_flight(), 0);
        }
    }
}
