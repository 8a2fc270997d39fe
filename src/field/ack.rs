//! The promise to a broker: a message is acknowledged when all its readings are on disk.
//!
//! An [`Ack`] names a message by connection epoch and packet id. Ids are reused after a
//! reconnect, so the driver discards acks of an older epoch; it answers the broker in the order
//! in which the messages arrived, whatever order the acks come in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::mpsc;

/// An MQTT packet identifier; never 0 on the wire.
pub type PacketId = u16;

/// One message that may now be acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ack {
    /// Counts connections of the driver.
    pub epoch: u64,
    /// The message in that connection.
    pub packet: PacketId,
}

/// Where a driver hears that a message may be acknowledged.
pub type AckReceiver = mpsc::Receiver<Ack>;

/// Makes handles for one driver. The channel holds as many acks as there are packet ids, so a
/// handle never finds it full: the broker cannot have more messages in flight.
pub fn acks() -> (AckSender, AckReceiver) {
    let (tx, rx) = mpsc::channel(usize::from(PacketId::MAX));
    (AckSender(tx), rx)
}

/// The sending side, kept by the driver to make handles of.
#[derive(Clone, Debug)]
pub struct AckSender(mpsc::Sender<Ack>);

impl AckSender {
    /// A handle for a message whose readings travel in `parts` batches.
    pub fn handle(&self, ack: Ack, parts: u32) -> AckHandle {
        AckHandle(Arc::new(Shared { ack, left: AtomicU32::new(parts), tx: self.0.clone() }))
    }
}

/// Travels with a batch; [`AckHandle::commit`] is called when the batch is on disk (or is
/// counted as lost). Dropped without it, the message stays unacknowledged and comes again.
#[derive(Clone, Debug)]
pub struct AckHandle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    ack: Ack,
    left: AtomicU32,
    tx: mpsc::Sender<Ack>,
}

impl AckHandle {
    /// Says that one batch of the message is safe; the last one fires the acknowledgement.
    pub fn commit(self) {
        let before =
            self.0.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1));
        if before == Ok(1) {
            self.fire();
        }
    }

    /// Fires the acknowledgement now, whatever is not safe yet; a commit that comes later does
    /// nothing, as the broker may have given the id to another message by then.
    pub fn release(self) {
        if self.0.left.swap(0, Ordering::AcqRel) > 0 {
            self.fire();
        }
    }

    /// Whether the acknowledgement is on its way.
    pub fn fired(&self) -> bool {
        self.0.left.load(Ordering::Acquire) == 0
    }

    fn fire(self) {
        // A closed channel is a driver that is gone: the broker will send the message again.
        let _gone = self.0.tx.try_send(self.0.ack);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fires_once_when_the_last_part_is_committed() {
        let (tx, mut rx) = acks();
        let ack = Ack { epoch: 3, packet: 7 };
        let handle = tx.handle(ack, 2);
        handle.clone().commit();
        assert!(rx.try_recv().is_err());
        handle.commit();
        assert_eq!(rx.try_recv(), Ok(ack));
        assert!(rx.try_recv().is_err());
    }

    #[test]
    fn released_it_fires_at_once_and_no_commit_fires_it_again() {
        let (tx, mut rx) = acks();
        let ack = Ack { epoch: 3, packet: 7 };
        let handle = tx.handle(ack, 2);
        assert!(!handle.fired());
        handle.clone().release();
        assert!(handle.fired());
        assert_eq!(rx.try_recv(), Ok(ack));
        handle.clone().commit();
        handle.clone().commit();
        handle.release();
        assert!(rx.try_recv().is_err());
    }

    #[test]
    fn a_dropped_handle_acknowledges_nothing() {
        let (tx, mut rx) = acks();
        drop(tx.handle(Ack { epoch: 1, packet: 1 }, 1));
        assert!(rx.try_recv().is_err());
    }
}
