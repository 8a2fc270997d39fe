//! When it is time to seal. Pure.

use crate::clock::Mono;
use crate::historian::group::Limits;

/// What waits in the journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::historian) struct Duty {
    bytes: u64,
    /// Since when the oldest of it waits.
    since: Option<Mono>,
    not_before: Option<Mono>,
}

impl Duty {
    /// So many bytes of records came.
    pub(in crate::historian) fn add(&mut self, bytes: u64, now: Mono) {
        self.bytes += bytes;
        self.since.get_or_insert(now);
    }

    /// Whether it is time; if so, what waits is now taken care of.
    pub(in crate::historian) fn take(&mut self, now: Mono, limits: &Limits) -> Option<Duty> {
        let old = self.since.is_some_and(|since| now.since_ms(since) >= limits.seal_ms);
        let due = old || self.bytes >= limits.seal_bytes.max(1);
        let may = self.not_before.is_none_or(|at| at <= now);
        (due && may).then(|| std::mem::take(self))
    }

    /// It did not work: all of it waits again, for a while.
    pub(in crate::historian) fn put_back(&mut self, taken: Duty, now: Mono, limits: &Limits) {
        self.bytes += taken.bytes;
        self.since = taken.since;
        self.not_before = Some(now.plus_ms(limits.seal_retry_ms));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_or_enough_bytes_and_after_a_failure_a_pause() {
        let limits = Limits { seal_bytes: 100, ..Limits::default() };
        let mut duty = Duty::default();
        assert_eq!(duty.take(Mono(9_000_000), &limits), None);
        duty.add(10, Mono(5));
        duty.add(10, Mono(3_600_000));
        assert_eq!(duty.take(Mono(3_600_004), &limits), None);
        assert!(duty.take(Mono(3_600_005), &limits).is_some());
        assert_eq!(duty.take(Mono(9_000_000), &limits), None);
        duty.add(100, Mono(9_000_000));
        let taken = duty.take(Mono(9_000_000), &limits).unwrap();
        duty.add(1, Mono(9_000_001));
        duty.put_back(taken, Mono(9_000_001), &limits);
        assert_eq!(duty.take(Mono(9_060_000), &limits), None);
        assert_eq!(duty.take(Mono(9_060_001), &limits).unwrap().bytes, 101);
    }
}
