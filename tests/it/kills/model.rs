//! What must be there, sorted plainly, and whether it is.

use super::story::{self, HORIZON, Story};
use plantroom::historian::{History, Seq, Texts};
use plantroom::point::{PointId, Reading, UtcMs};
use std::collections::BTreeMap;

/// All that was sent of one point and instant, in the order of arrival, with the places.
type Sent = BTreeMap<(PointId, UtcMs), Vec<(u64, Reading)>>;

/// A log as it was sent.
#[derive(Clone, Debug, Default)]
pub struct Model {
    sent: Sent,
    /// The device and readings of each place, from place 1 on.
    log: Vec<(String, Vec<Reading>)>,
}

impl Model {
    /// What the story has up to a place.
    pub fn go_on(&mut self, story: Story, texts: &Texts, to: u64) {
        for place in self.log.len() as u64 + 1..=to {
            let (device, readings) = story.at(place, texts);
            self.add(device, readings);
        }
    }

    /// One more batch.
    pub fn add(&mut self, device: String, readings: Vec<Reading>) {
        let place = self.log.len() as u64 + 1;
        for reading in &readings {
            self.sent.entry((reading.point, reading.at)).or_default().push((place, *reading));
        }
        self.log.push((device, readings));
    }

    pub fn head(&self) -> u64 {
        self.log.len() as u64
    }

    /// What counts in the end of a point.
    pub fn of(&self, point: PointId) -> Vec<Reading> {
        let sent = self.sent.range((point, UtcMs(i64::MIN))..=(point, UtcMs(i64::MAX)));
        sent.map(|(_, sent)| sent.last().unwrap().1).collect()
    }

    /// What counts in the end of what is kept for good.
    fn kept(&self) -> impl Iterator<Item = ((PointId, UtcMs), Reading)> {
        let last = |(key, sent): (&(PointId, UtcMs), &Vec<(u64, Reading)>)| (*key, sent.last().unwrap().1);
        self.sent.iter().filter(|((_, at), _)| *at >= HORIZON).map(last)
    }

    /// Every reading of a place that is `sure` is there, and once, unless it was corrected later or
    /// may be forgotten by now; whatever else is there was sent. Returns how many places of time a
    /// history lacks or shows as they were before a correction.
    pub async fn check(&self, history: &History, sure: impl Fn(u64) -> bool) -> usize {
        let mut short = 0;
        for point in story::points() {
            let range = history.range(point, UtcMs(0), UtcMs(i64::MAX), usize::MAX).await.unwrap();
            assert!(!range.truncated);
            assert!(range.readings.is_sorted_by_key(|reading| reading.at), "{point:?} is not in order");
            let found: BTreeMap<UtcMs, Reading> = range.readings.iter().map(|r| (r.at, *r)).collect();
            assert_eq!(found.len(), range.readings.len(), "{point:?} has an instant twice");
            let sent = || self.sent.range((point, UtcMs(i64::MIN))..=(point, UtcMs(i64::MAX)));
            let met = sent().filter(|((_, at), _)| found.contains_key(at)).count();
            assert_eq!(met, found.len(), "{point:?} has what was never sent");
            for ((_, at), sent) in sent() {
                let must = sent.iter().rposition(|(place, _)| sure(*place)).filter(|_| *at >= HORIZON);
                match found.get(at) {
                    None => {
                        assert!(must.is_none(), "{point:?} at {at} is lost: {sent:?}");
                        short += usize::from(*at >= HORIZON);
                    }
                    Some(found) => {
                        let fits = sent[must.unwrap_or(0)..].iter().any(|(_, reading)| reading == found);
                        assert!(fits, "{point:?} at {at} is {found:?}: {sent:?}");
                        short += usize::from(*at >= HORIZON && sent.last().unwrap().1 != *found);
                    }
                }
            }
        }
        short
    }

    /// The last values are those of the latest instants.
    pub async fn check_last(&self, history: &History) {
        for point in story::points() {
            let mut sent = self.sent.range((point, UtcMs(i64::MIN))..=(point, UtcMs(i64::MAX)));
            let latest = sent.next_back().map(|(_, sent)| sent.last().unwrap().1);
            let last = history.last(&[point]).await.unwrap()[0];
            // Of what is forgotten the last value may be forgotten, too.
            let forgotten = latest.is_some_and(|reading| reading.at < HORIZON);
            assert!(
                last == latest || forgotten && last.is_none_or(|last| self.was_sent(last)),
                "{point:?}: {last:?}, not {latest:?}"
            );
        }
    }

    fn was_sent(&self, reading: Reading) -> bool {
        self.sent
            .get(&(reading.point, reading.at))
            .is_some_and(|sent| sent.iter().any(|(_, r)| *r == reading))
    }

    /// What the journal still has is the end of the log, batch by batch; returns how many it has.
    pub async fn check_journal(&self, history: &History) -> usize {
        let (mut at, mut count) = (Seq(0), 0);
        loop {
            let page = history.tail(at, 500).await.unwrap();
            let Some((last, _)) = page.last() else { break };
            let last = *last;
            for (seq, batch) in page {
                assert!(count == 0 || seq.0 == at.0 + 1, "a gap before {seq:?}");
                (at, count) = (seq, count + 1);
                let (device, readings) = &self.log[usize::try_from(seq.0).unwrap() - 1];
                assert_eq!((&*batch.device, &batch.readings), (device.as_str(), readings), "{seq:?}");
            }
            assert_eq!(at, last);
        }
        assert_eq!(at.0, self.head());
        count
    }
}

/// Who follows the log from life to life, as the forwarder does, and what a receiver that takes the
/// newest delivery for each instant has by now.
#[derive(Debug, Default)]
pub struct Receiver {
    cursor: Seq,
    has: BTreeMap<(PointId, UtcMs), Reading>,
}

impl Receiver {
    /// Takes some pages more; at the end of the log it must have all that counts.
    pub async fn follow(&mut self, history: &History, model: &Model, pages: u64) {
        let mut follower = history.follow(self.cursor);
        for _ in 0..pages {
            let page = follower.next(100).await.unwrap();
            if page.is_empty() {
                assert_eq!(follower.done_up_to().0, model.head());
                for (key, reading) in model.kept() {
                    assert_eq!(self.has.get(&key), Some(&reading), "the follower has not {key:?}");
                }
                break;
            }
            for reading in page.iter().flat_map(|(_, batch)| &batch.readings) {
                assert!(model.was_sent(*reading), "followed, but never sent: {reading:?}");
                self.has.insert((reading.point, reading.at), *reading);
            }
            follower.done();
        }
        assert!(follower.done_up_to() >= self.cursor);
        self.cursor = follower.done_up_to();
    }
}
