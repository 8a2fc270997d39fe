//! What waits to be journalled, in order, with a limit.
//!
//! Pure. Usually empty: a commit takes milliseconds. It grows while the database cannot be written.

use super::board::{Entry, Kind};
use crate::point::UtcMs;
use std::collections::{BTreeMap, VecDeque};

/// Entries kept one by one. Beyond this a rule that goes on flapping overwrites its own last
/// entry, so memory is bounded by the number of rules and the end state is never lost.
pub(super) const ENTRIES_MAX: usize = 10_000;
/// Most entries in one transaction.
const WRITE_MAX: usize = 500;

/// Changes not yet in the database.
#[derive(Debug, Default)]
pub struct Backlog {
    entries: VecDeque<Entry>,
    timers: BTreeMap<String, Option<UtcMs>>,
    /// The transaction under way has this many from the front of `entries`.
    writing: usize,
    writing_timers: BTreeMap<String, Option<UtcMs>>,
    pushed: u64,
    saved: u64,
    skipped: u64,
}

/// One transaction's worth.
#[derive(Clone, Debug)]
pub struct Portion {
    /// Journal rows, in order.
    pub entries: Vec<Entry>,
    /// Timers by rule key; none takes one away.
    pub timers: Vec<(String, Option<UtcMs>)>,
}

impl Backlog {
    /// Appends an entry. Gives its place in the line: see [`Backlog::saved`].
    pub fn push(&mut self, entry: Entry) -> u64 {
        if self.full() && entry.kind != Kind::Acknowledged && self.overwrite(&entry) {
            self.skipped += 1;
        } else {
            self.entries.push_back(entry);
            self.pushed += 1;
        }
        self.pushed
    }

    /// Whether people's acts must be refused because they could not be kept.
    pub fn full(&self) -> bool {
        self.entries.len() >= ENTRIES_MAX
    }

    /// Puts the entry in the place of the same alarm's last one, unless that is the only one
    /// (its onset must be told), is a person's act or is being written.
    fn overwrite(&mut self, entry: &Entry) -> bool {
        let mut waiting = self.entries.iter_mut().skip(self.writing).rev();
        let mut same = waiting.by_ref().filter(|other| other.alarm.id == entry.alarm.id);
        let (Some(last), Some(_)) = (same.next(), same.next()) else { return false };
        if last.kind == Kind::Acknowledged {
            return false;
        }
        let before = last.before;
        *last = Entry { before, ..entry.clone() };
        true
    }

    /// Sets or takes away the timer of a rule.
    pub fn timer(&mut self, key: String, due: Option<UtcMs>) {
        self.timers.insert(key, due);
    }

    /// What the next transaction should write; none if nothing waits or one is under way.
    pub fn take(&mut self) -> Option<Portion> {
        if self.writing > 0 || !self.writing_timers.is_empty() || self.is_empty() {
            return None;
        }
        self.writing = self.entries.len().min(WRITE_MAX);
        // Timers go with the last entry: never is one forgotten before its alarm is journalled.
        if self.writing == self.entries.len() {
            self.writing_timers = std::mem::take(&mut self.timers);
        }
        let entries = self.entries.iter().take(self.writing).cloned().collect();
        let timers = self.writing_timers.iter().map(|(key, due)| (key.clone(), *due)).collect();
        Some(Portion { entries, timers })
    }

    /// The transaction under way is on disk: gives its entries.
    pub fn written(&mut self) -> Vec<Entry> {
        self.saved += u64::try_from(self.writing).unwrap_or(u64::MAX);
        self.writing_timers.clear();
        self.entries.drain(..std::mem::take(&mut self.writing)).collect()
    }

    /// The transaction under way never happened.
    pub fn failed(&mut self) {
        self.writing = 0;
        for (key, due) in std::mem::take(&mut self.writing_timers) {
            self.timers.entry(key).or_insert(due);
        }
    }

    /// Places in the line up to which everything is on disk.
    pub fn saved(&self) -> u64 {
        self.saved
    }

    /// Entries that wait.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.timers.is_empty() && self.writing_timers.is_empty()
    }

    /// Entries that were overwritten by later ones of the same alarm, so far.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }
}

#[cfg(test)]
mod tests {
    use super::super::board::Board;
    use super::super::config::historian_gap;
    use super::super::engine::Cause;
    use super::*;
    use crate::point::Quality;

    const CAUSE: Cause = Cause { value: None, quality: Quality::Good };

    fn flap(board: &mut Board, backlog: &mut Backlog, at: i64) {
        let rule = historian_gap();
        let raised = board.raise(&rule, CAUSE, UtcMs(at));
        backlog.push(raised);
        let returned = board.clear(&rule.key(), None, UtcMs(at + 1), None).unwrap();
        backlog.push(returned);
    }

    #[test]
    fn what_failed_is_taken_again_with_what_came_meanwhile() {
        let (mut board, mut backlog) = (Board::default(), Backlog::default());
        flap(&mut board, &mut backlog, 1);
        backlog.timer("r".into(), Some(UtcMs(5)));
        backlog.timer("s".into(), Some(UtcMs(6)));
        let first = backlog.take().unwrap();
        assert_eq!((first.entries.len(), first.timers.len()), (2, 2));
        assert!(backlog.take().is_none(), "one transaction at a time");

        backlog.timer("r".into(), None);
        flap(&mut board, &mut backlog, 3);
        backlog.failed();
        assert_eq!(backlog.saved(), 0);

        let again = backlog.take().unwrap();
        assert_eq!(again.entries.iter().map(|entry| entry.at.0).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert_eq!(again.timers, [("r".to_owned(), None), ("s".to_owned(), Some(UtcMs(6)))]);
        assert_eq!(backlog.written(), again.entries);
        assert_eq!(backlog.saved(), 4);
        assert!(backlog.is_empty() && backlog.take().is_none());
    }

    #[test]
    fn timers_wait_for_the_last_entry() {
        let (mut board, mut backlog) = (Board::default(), Backlog::default());
        (0..300).for_each(|n| flap(&mut board, &mut backlog, n));
        backlog.timer("r".into(), None);
        assert_eq!(backlog.take().unwrap().timers, []);
        backlog.written();
        assert_eq!(backlog.take().unwrap().timers.len(), 1);
    }

    #[test]
    fn a_full_backlog_keeps_onset_and_end_state_and_counts_what_it_skips() {
        let (mut board, mut backlog) = (Board::default(), Backlog::default());
        let flaps = i64::try_from(ENTRIES_MAX).unwrap();
        (0..flaps).for_each(|n| flap(&mut board, &mut backlog, 2 * n));
        assert_eq!(backlog.len(), ENTRIES_MAX);
        assert_eq!(backlog.skipped(), ENTRIES_MAX as u64);
        assert!(backlog.full());

        let (mut written, mut expected) = (Vec::new(), ENTRIES_MAX);
        while let Some(portion) = backlog.take() {
            expected -= portion.entries.len();
            written.extend(backlog.written());
        }
        assert_eq!(expected, 0);
        let (first, last) = (written.first().unwrap(), written.last().unwrap());
        assert_eq!((first.kind, first.at), (Kind::Raised, UtcMs(0)));
        assert_eq!((last.kind, last.at), (Kind::Returned, UtcMs(2 * flaps - 1)));
        assert_eq!(&last.alarm, board.get(1).unwrap());
    }
}
