//! The newest value of every point, for pages, rules and the API.
//!
//! One writer (the readings task), many readers. A reader that is slow misses values in
//! between, never the newest: it asks for what changed since a version it has seen.

use crate::point::{Batch, PointId, Quality, Reading, Reason, UtcMs};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// The newest value of a point and when it was in hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurrentValue {
    /// The reading.
    pub reading: Reading,
    /// When plantroom had it.
    pub received_at: UtcMs,
    /// Half the width of the interval its time may lie in, in milliseconds.
    pub at_error_ms: u32,
    /// The version of the table that brought it.
    pub version: u64,
}

/// The table. Clones see the same values.
#[derive(Clone, Debug)]
pub struct Current(Arc<Table>);

/// Points of one lock: a batch (one device, neighbouring numbers) takes one or two of them, and
/// a reader of the whole table never holds up the writer for more than this many slots.
const SHARD: usize = 1_024;

type Slots = Vec<Option<CurrentValue>>;
type Shard = Arc<RwLock<Slots>>;

#[derive(Debug)]
struct Table {
    /// Slot `id % SHARD` of shard `id / SHARD`: catalogue numbers are dense. The outer lock is
    /// only ever held to find a shard, or to add one for points that come while running.
    shards: RwLock<Vec<Shard>>,
    /// Holds the version of the last batch; a version is published only when all its slots are
    /// written, so a reader that starts from it misses nothing.
    writer: Mutex<u64>,
    version: AtomicU64,
}

impl Current {
    /// A table in which every point waits for its first value, Bad (initial) since `at`.
    pub fn new(points: &[PointId], at: UtcMs) -> Current {
        let table = Table { shards: RwLock::default(), writer: Mutex::new(0), version: AtomicU64::new(0) };
        let current = Current(Arc::new(table));
        current.replan(points, &BTreeSet::new(), at);
        current
    }

    /// Other points from now on. One of `anew`, or one that was not there, waits for its first
    /// value, Bad (initial) since `at`; one that is there no more has no value.
    pub fn replan(&self, points: &[PointId], anew: &BTreeSet<PointId>, at: UtcMs) {
        self.make_room(points);
        let waiting =
            |point: PointId| Reading { point, at, value: None, quality: Quality::Bad(Reason::Initial) };
        let fresh = points.iter().copied().filter(|id| anew.contains(id) || self.get(*id).is_none());
        self.apply(&Batch {
            device: "".into(),
            source_at: None,
            received_at: at,
            at_error_ms: 0,
            readings: fresh.map(waiting).collect(),
        });
        let planned: BTreeSet<PointId> = points.iter().copied().collect();
        let shards = self.0.shards.read().unwrap_or_else(PoisonError::into_inner).clone();
        for shard in shards {
            for slot in shard.write().unwrap_or_else(PoisonError::into_inner).iter_mut() {
                *slot = slot.filter(|held| planned.contains(&held.reading.point));
            }
        }
    }

    fn make_room(&self, points: &[PointId]) {
        let needed = points.iter().map(|id| place(*id).0 + 1).max().unwrap_or(0);
        let mut shards = self.0.shards.write().unwrap_or_else(PoisonError::into_inner);
        if shards.len() < needed {
            shards.resize_with(needed, Shard::default);
        }
    }

    fn shard(&self, index: usize) -> Option<Shard> {
        self.0.shards.read().unwrap_or_else(PoisonError::into_inner).get(index).cloned()
    }

    /// After a restart: the last values the history knows, Uncertain (stale) until a new one comes.
    pub fn remember(&self, last: impl IntoIterator<Item = Reading>) {
        let stale = Quality::Uncertain(Reason::Stale);
        for reading in last.into_iter().filter(|reading| reading.value.is_some()) {
            self.apply(&Batch {
                device: "".into(),
                source_at: None,
                received_at: reading.at,
                at_error_ms: 0,
                readings: vec![Reading { quality: stale, ..reading }],
            });
        }
    }

    /// Takes a batch in: the newest values of its points, under one new version.
    pub fn apply(&self, batch: &Batch) {
        let mut last = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let version = *last + 1;
        let mut rest = batch.readings.as_slice();
        while let Some(first) = rest.first() {
            let shard = place(first.point).0;
            let run = rest.iter().take_while(|reading| place(reading.point).0 == shard).count();
            let (here, next) = rest.split_at(run);
            if let Some(slots) = self.shard(shard) {
                let mut slots = slots.write().unwrap_or_else(PoisonError::into_inner);
                for reading in here {
                    put(&mut slots, batch, *reading, version);
                }
            }
            rest = next;
        }
        *last = version;
        self.0.version.store(version, Ordering::Release);
    }

    /// The newest value of a point; none for a point that is not in the plan.
    pub fn get(&self, id: PointId) -> Option<CurrentValue> {
        let (shard, slot) = place(id);
        let shard = self.shard(shard)?;
        let slots = shard.read().unwrap_or_else(PoisonError::into_inner);
        slots.get(slot).copied().flatten()
    }

    /// The newest values of many points, in their order.
    pub fn many(&self, ids: &[PointId]) -> Vec<Option<CurrentValue>> {
        let mut values = Vec::with_capacity(ids.len());
        self.visit(ids, |_, value| values.push(value));
        values
    }

    /// Grows with each change.
    pub fn version(&self) -> u64 {
        self.0.version.load(Ordering::Acquire)
    }

    /// Appends to `out` the place in `ids` and the value of every point that changed after
    /// version `since`, and returns the version to ask with next time. Values in between are
    /// left out; a value may come twice, none is missed.
    pub fn changed(&self, ids: &[PointId], since: u64, out: &mut Vec<(usize, CurrentValue)>) -> u64 {
        let seen = self.version();
        self.visit(ids, |place, value| {
            out.extend(value.filter(|value| value.version > since).map(|value| (place, value)));
        });
        seen
    }

    /// Visits the slots of `ids` in order, taking a lock once for each run within one shard.
    pub fn visit(&self, ids: &[PointId], mut each: impl FnMut(usize, Option<CurrentValue>)) {
        let mut done = 0;
        while let Some(first) = ids.get(done) {
            let shard = place(*first).0;
            let held = self.shard(shard);
            let slots = held.as_ref().map(|slots| slots.read().unwrap_or_else(PoisonError::into_inner));
            let run = ids.iter().skip(done).take_while(|id| place(**id).0 == shard).take(SHARD);
            let mut count = 0;
            for id in run {
                let value = slots.as_ref().and_then(|slots| slots.get(place(*id).1).copied().flatten());
                each(done + count, value);
                count += 1;
            }
            done += count;
        }
    }
}

fn place(id: PointId) -> (usize, usize) {
    let id = usize::try_from(id.0).unwrap_or(usize::MAX);
    (id / SHARD, id % SHARD)
}

fn put(slots: &mut Slots, batch: &Batch, reading: Reading, version: u64) {
    let slot = place(reading.point).1;
    if slots.len() <= slot {
        slots.resize(slot + 1, None);
    }
    if let Some(held) = slots.get_mut(slot) {
        *held = Some(CurrentValue {
            reading,
            received_at: batch.received_at,
            at_error_ms: batch.at_error_ms,
            version,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::point::{Decimal, Value};
    use std::collections::BTreeMap;

    fn batch(at: i64, readings: impl IntoIterator<Item = (u32, i64)>) -> Batch {
        let reading = |(point, value)| Reading {
            point: PointId(point),
            at: UtcMs(at),
            value: Some(Value::Decimal(Decimal::from_int(value))),
            quality: Quality::Good,
        };
        Batch {
            device: "d".into(),
            source_at: None,
            received_at: UtcMs(at),
            at_error_ms: 3,
            readings: readings.into_iter().map(reading).collect(),
        }
    }

    #[test]
    fn a_point_waits_for_its_first_value_and_an_unknown_one_has_none() {
        let current = Current::new(&[PointId(1), PointId(5_000)], UtcMs(9));
        assert_eq!(current.get(PointId(5_000)).unwrap().reading.quality, Quality::Bad(Reason::Initial));
        assert_eq!(current.get(PointId(2)), None);
        assert_eq!(current.get(PointId(u32::MAX)), None);
        current.apply(&batch(20, [(5_000, 1)]));
        let value = current.get(PointId(5_000)).unwrap();
        assert_eq!((value.reading.at, value.received_at, value.at_error_ms), (UtcMs(20), UtcMs(20), 3));
        assert_eq!(value.version, current.version());
    }

    #[test]
    fn another_plan_keeps_what_stays_and_forgets_what_goes() {
        let current = Current::new(&[PointId(1), PointId(2), PointId(3)], UtcMs(0));
        current.apply(&batch(5, [(1, 10), (2, 20), (3, 30)]));
        let kept = current.get(PointId(1));
        // One number lies far behind all there were.
        current.replan(&[PointId(1), PointId(3), PointId(9_000)], &BTreeSet::from([PointId(3)]), UtcMs(7));
        assert_eq!(current.get(PointId(1)), kept);
        assert_eq!(current.get(PointId(2)), None);
        for waiting in [3, 9_000] {
            let reading = current.get(PointId(waiting)).unwrap().reading;
            assert_eq!((reading.at, reading.quality), (UtcMs(7), Quality::Bad(Reason::Initial)));
        }
        current.apply(&batch(8, [(9_000, 1)]));
        assert_eq!(current.get(PointId(9_000)).unwrap().reading.at, UtcMs(8));
    }

    #[test]
    fn changes_conflate_and_none_is_missed() {
        let ids: Vec<_> = (1..=3).map(PointId).collect();
        let current = Current::new(&ids, UtcMs(0));
        let mut out = Vec::new();
        let seen = current.changed(&ids, 0, &mut out);
        assert_eq!(out.len(), 3);

        current.apply(&batch(1, [(1, 10), (3, 30)]));
        current.apply(&batch(2, [(3, 31)]));
        out.clear();
        let seen = current.changed(&ids, seen, &mut out);
        let got: Vec<_> = out.iter().map(|(place, value)| (*place, value.reading.at.0)).collect();
        assert_eq!(got, [(0, 1), (2, 2)]);

        out.clear();
        assert_eq!(current.changed(&ids, seen, &mut out), seen);
        assert_eq!(out, []);
    }

    #[test]
    fn fifty_thousand_points_in_and_out() {
        let ids: Vec<_> = (1..=50_000).map(PointId).collect();
        let current = Current::new(&ids, UtcMs(0));
        let mut model = BTreeMap::new();
        let mut seen = current.version();
        for round in 0_u32..20 {
            let touched = (0..2_500_u32).map(|n| (1 + (n * 20 + round * 7) % 50_000, i64::from(round)));
            let touched: Vec<_> = touched.collect();
            model.extend(touched.iter().copied());
            for device in touched.chunks(100) {
                current.apply(&batch(i64::from(round), device.iter().copied()));
            }
            let mut out = Vec::new();
            seen = current.changed(&ids, seen, &mut out);
            let changed: BTreeMap<_, _> =
                out.iter().map(|(place, value)| (ids[*place].0, value.reading.at.0)).collect();
            let expected: BTreeMap<_, _> = touched.into_iter().collect();
            assert_eq!(changed, expected);
        }
        for (id, value) in ids.iter().zip(current.many(&ids)) {
            let value = value.unwrap();
            assert_eq!(value.reading.point, *id);
            let expected = model.get(&id.0).map(|n| Value::Decimal(Decimal::from_int(*n)));
            assert_eq!(value.reading.value, expected);
        }
    }

    #[test]
    fn a_reader_beside_the_writer_ends_with_the_newest_values() {
        let ids: Vec<_> = (1..=3_000).map(PointId).collect();
        let current = Current::new(&ids, UtcMs(0));
        let writer = {
            let current = current.clone();
            std::thread::spawn(move || {
                for round in 1..=200 {
                    current.apply(&batch(round, (1..=3_000).map(|id| (id, round))));
                }
            })
        };
        let (mut held, mut seen) = (vec![0; ids.len()], 0);
        loop {
            let last = writer.is_finished();
            let mut out = Vec::new();
            seen = current.changed(&ids, seen, &mut out);
            for (place, value) in out {
                assert!(value.reading.at.0 >= held[place]);
                held[place] = value.reading.at.0;
            }
            if last {
                break;
            }
        }
        assert!(held.iter().all(|at| *at == 200));
        writer.join().unwrap();
    }
}
