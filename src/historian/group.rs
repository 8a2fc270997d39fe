//! What is gathered for one commit. Pure: time comes in, a decision comes out.

use super::catalogue::Additions;
use super::codec::RecordBuilder;
use super::journal::{Record, Seq};
use super::texts::Texts;
use crate::clock::{ClockStep, Mono};
use crate::field::AckHandle;
use crate::point::Batch;
use crate::readings::HistorianFeed;
use std::collections::HashMap;
use std::sync::Arc;

/// When a group is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// This long after its first batch at the latest. Milliseconds.
    pub group_ms: u64,
    /// This long after the first batch whose message waits for an acknowledgement. Milliseconds.
    pub ack_ms: u64,
    /// When it has this many bytes.
    pub group_bytes: usize,
    /// After a failure, the first pause; it doubles from failure to failure. Milliseconds.
    pub retry_min_ms: u64,
    /// The longest pause. Milliseconds.
    pub retry_max_ms: u64,
    /// Bytes of journal a restart may have to read again to know the last values.
    pub replay_bytes: usize,
    /// A file of the journal takes records up to this size, and is given back whole. Bytes.
    pub segment_bytes: u64,
    /// The journal is sealed when so many bytes of records are not.
    pub seal_bytes: u64,
    /// The journal is sealed when something in it has waited so long. Milliseconds.
    pub seal_ms: u64,
    /// After a failure, the next try to seal comes this much later. Milliseconds.
    pub seal_retry_ms: u64,
    /// Bytes of sealed journal kept for those who follow it; whoever comes later reads the year
    /// files.
    pub keep_bytes: u64,
    /// All files of the history together; beyond it the oldest sealed readings are given up, and on
    /// a full disk, too. None: no limit, and on a full disk readings wait. Bytes.
    pub history_bytes: Option<u64>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            group_ms: 1_000,
            ack_ms: 20,
            group_bytes: 64 << 10,
            retry_min_ms: 100,
            retry_max_ms: 5_000,
            replay_bytes: 16 << 20,
            segment_bytes: 16 << 20,
            seal_bytes: 64 << 20,
            seal_ms: 3_600_000,
            seal_retry_ms: 60_000,
            keep_bytes: 1 << 30,
            history_bytes: None,
        }
    }
}

impl Limits {
    /// Those of a history that may take so many bytes: what is in the journal only, and what is kept
    /// of it for others, has its place in that.
    pub fn within(history_bytes: Option<u64>) -> Limits {
        let limits = Limits { history_bytes, ..Limits::default() };
        let part = |of: u64, most: u64| history_bytes.map_or(most, |all| most.min(all / of));
        Limits { seal_bytes: part(8, limits.seal_bytes), keep_bytes: part(4, limits.keep_bytes), ..limits }
    }

    /// What the journal takes when all goes well.
    pub(super) fn journal_share_bytes(&self) -> u64 {
        self.seal_bytes + self.keep_bytes + 2 * self.segment_bytes + self.replay_bytes as u64
    }

    /// So much more than asked for is given up at once, so that it is not asked for at each sealing.
    pub(super) fn slack_bytes(&self) -> u64 {
        self.history_bytes.map_or(0, |all| all / 20)
    }
}

/// Numbers of the devices that were ever seen.
#[derive(Debug, Default)]
pub(super) struct Devices(HashMap<Arc<str>, u32>);

impl Devices {
    pub(super) fn load(&mut self, rows: &[(u32, Arc<str>)]) {
        self.0.extend(rows.iter().map(|(id, name)| (Arc::clone(name), *id)));
    }

    /// The number of a device, and whether it is new.
    fn id(&mut self, name: &Arc<str>) -> (u32, bool) {
        if let Some(id) = self.0.get(name) {
            return (*id, false);
        }
        let id = 1 + self.0.values().copied().max().unwrap_or(0);
        self.0.insert(Arc::clone(name), id);
        (id, true)
    }
}

/// Batches on their way into one record.
#[derive(Debug)]
pub(super) struct Group {
    after: Seq,
    due: Mono,
    builder: RecordBuilder,
    batches: Vec<Arc<Batch>>,
    acks: Vec<AckHandle>,
    additions: Additions,
}

/// A group that takes no more.
#[derive(Debug)]
pub(super) struct Closed {
    /// What goes into the catalogue first.
    pub additions: Additions,
    /// What then goes into the journal.
    pub record: Record,
    /// The batches in it, in order.
    pub batches: Vec<Arc<Batch>>,
    /// Who waits for it.
    pub acks: Vec<AckHandle>,
}

impl Group {
    /// An empty group whose first batch comes behind `after`.
    pub(super) fn new(after: Seq, now: Mono, limits: &Limits) -> Group {
        Group {
            after,
            due: now.plus_ms(limits.group_ms),
            builder: RecordBuilder::default(),
            batches: Vec::new(),
            acks: Vec::new(),
            additions: Additions::default(),
        }
    }

    /// Takes a batch in; true if the group is now full.
    pub(super) fn accept(
        &mut self,
        feed: HistorianFeed,
        devices: &mut Devices,
        now: Mono,
        limits: &Limits,
    ) -> bool {
        let (device, new) = devices.id(&feed.batch.device);
        if new {
            self.additions.devices.push((device, Arc::clone(&feed.batch.device)));
        }
        self.builder.push(&feed.batch, device);
        self.batches.push(feed.batch);
        self.additions.gaps.extend(feed.lost_before.map(|lost| (self.last(), lost)));
        if let Some(ack) = feed.ack {
            self.acks.push(ack);
            self.due = self.due.min(now.plus_ms(limits.ack_ms));
        }
        self.builder.bytes() >= limits.group_bytes
    }

    /// The wall clock was set back before the next batch.
    pub(super) fn step(&mut self, step: ClockStep) {
        self.additions.steps.push((self.last(), step));
    }

    /// When it must be committed.
    pub(super) fn due(&self) -> Mono {
        self.due
    }

    /// Closes it, with the words given out since the last one: whoever put a word into a batch
    /// had its number before.
    pub(super) fn close(mut self, texts: &Texts) -> Closed {
        let last = self.last();
        texts.drain_into(&mut self.additions);
        let (body, span) = self.builder.finish();
        let record = Record { last, span, body };
        Closed { additions: self.additions, record, batches: self.batches, acks: self.acks }
    }

    fn last(&self) -> Seq {
        Seq(self.after.0 + self.batches.len() as u64)
    }
}

impl Closed {
    pub(super) fn readings(&self) -> u64 {
        self.batches.iter().map(|batch| batch.readings.len() as u64).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::{Ack, acks};
    use crate::point::UtcMs;
    use crate::readings::Lost;

    fn feed(device: &str) -> HistorianFeed {
        let batch = Batch {
            device: device.into(),
            source_at: None,
            received_at: UtcMs(0),
            at_error_ms: 0,
            readings: Vec::new(),
        };
        HistorianFeed { batch: Arc::new(batch), ack: None, lost_before: None }
    }

    #[test]
    fn a_group_is_due_after_a_second_or_soon_after_an_ack() {
        let (limits, mut devices) = (Limits::default(), Devices::default());
        let mut group = Group::new(Seq(0), Mono(100), &limits);
        group.accept(feed("a"), &mut devices, Mono(100), &limits);
        assert_eq!(group.due(), Mono(1_100));
        let (tx, _rx) = acks();
        for (now, due) in [(500, 520), (510, 520)] {
            let mut waiting = feed("a");
            waiting.ack = Some(tx.handle(Ack { epoch: 1, packet: 1 }, 1));
            group.accept(waiting, &mut devices, Mono(now), &limits);
            assert_eq!(group.due(), Mono(due));
        }
        let mut late = Group::new(Seq(0), Mono(0), &limits);
        let mut waiting = feed("a");
        waiting.ack = Some(tx.handle(Ack { epoch: 1, packet: 1 }, 1));
        late.accept(waiting, &mut devices, Mono(995), &limits);
        assert_eq!(late.due(), Mono(1_000));
    }

    #[test]
    fn a_group_is_full_at_its_bytes_and_numbers_what_is_in_it() {
        let limits = Limits { group_bytes: 30, ..Limits::default() };
        let mut devices = Devices::default();
        devices.load(&[(4, "old".into())]);
        let mut group = Group::new(Seq(10), Mono(0), &limits);
        assert!(!group.accept(feed("old"), &mut devices, Mono(0), &limits));
        let lost = Lost { from: UtcMs(1), to: UtcMs(2), readings: 3 };
        let after_gap = HistorianFeed { lost_before: Some(lost), ..feed("new") };
        assert!(!group.accept(after_gap, &mut devices, Mono(0), &limits));
        let mut batches = 2;
        while !group.accept(feed("new"), &mut devices, Mono(0), &limits) {
            batches += 1;
        }
        let closed = group.close(&Texts::default());
        assert_eq!(closed.record.last, Seq(11 + batches));
        assert_eq!(closed.additions.devices, [(5, "new".into())]);
        assert_eq!(closed.additions.gaps, [(Seq(12), lost)]);
        assert!((30..60).contains(&closed.record.body.len()));
    }
}
