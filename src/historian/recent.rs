//! The newest batches of the log, still in memory: whoever follows the log closely is given what
//! has just been committed, not the same read back from the disk and decoded again.

use super::journal::Seq;
use crate::point::Batch;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Most readings kept: two and a half seconds of 50,000 points once a second, about 5 MB.
const READINGS_MAX: usize = 1 << 17;

/// The end of the log.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Numbered down from `last` without gaps.
    batches: VecDeque<Arc<Batch>>,
    readings: usize,
    last: Seq,
}

impl Recent {
    /// Takes in what has been committed, up to the place `last`.
    pub(super) fn extend(&self, batches: &[Arc<Batch>], last: Seq) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.last = last;
        for batch in batches {
            inner.readings += batch.readings.len();
            inner.batches.push_back(Arc::clone(batch));
        }
        while inner.readings > READINGS_MAX
            && let Some(oldest) = inner.batches.pop_front()
        {
            inner.readings -= oldest.readings.len();
        }
    }

    /// Up to `limit` batches behind `after`; none if the next one is not here.
    pub(super) fn behind(&self, after: Seq, limit: usize) -> Option<Vec<(Seq, Arc<Batch>)>> {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = inner.last.0.checked_sub(inner.batches.len() as u64)?;
        let skip = usize::try_from(after.0.checked_sub(before)?).ok()?;
        if skip >= inner.batches.len() {
            return None;
        }
        let places = (after.0 + 1..).map(Seq);
        Some(places.zip(inner.batches.iter().skip(skip).take(limit).cloned()).collect())
    }

    /// Nothing is in memory any more: what is read comes from the disk.
    #[cfg(test)]
    pub(super) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Inner::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::point::{PointId, Quality, Reading, Reason, UtcMs};

    fn batch(readings: usize) -> Arc<Batch> {
        let quality = Quality::Bad(Reason::Timeout);
        let reading = Reading { point: PointId(1), at: UtcMs(0), value: None, quality };
        Arc::new(Batch {
            device: "d".into(),
            source_at: None,
            received_at: UtcMs(0),
            at_error_ms: 0,
            readings: vec![reading; readings],
        })
    }

    fn places(recent: &Recent, after: u64, limit: usize) -> Option<Vec<u64>> {
        let found = recent.behind(Seq(after), limit)?;
        Some(found.into_iter().map(|(seq, _)| seq.0).collect())
    }

    #[test]
    fn a_close_follower_is_served_from_memory_and_a_distant_one_is_not() {
        let recent = Recent::default();
        assert_eq!(places(&recent, 0, 9), None);
        recent.extend(&[batch(1), batch(2)], Seq(12));
        recent.extend(&[batch(3)], Seq(13));
        assert_eq!(places(&recent, 9, 9), None);
        assert_eq!(places(&recent, 10, 9), Some(vec![11, 12, 13]));
        assert_eq!(places(&recent, 11, 1), Some(vec![12]));
        assert_eq!(places(&recent, 13, 9), None);
        assert_eq!(places(&recent, 99, 9), None);
        assert_eq!(recent.behind(Seq(11), 1).unwrap()[0].1.readings.len(), 2);
    }

    #[test]
    fn it_forgets_the_oldest() {
        let recent = Recent::default();
        recent.extend(&[batch(1), batch(READINGS_MAX), batch(0)], Seq(3));
        assert_eq!((places(&recent, 0, 9), places(&recent, 1, 9)), (None, Some(vec![2, 3])));
        recent.extend(&[batch(1)], Seq(4));
        assert_eq!((places(&recent, 1, 9), places(&recent, 2, 9)), (None, Some(vec![3, 4])));
        recent.extend(&[batch(READINGS_MAX + 1)], Seq(5));
        assert_eq!(places(&recent, 4, 9), None);
    }
}
