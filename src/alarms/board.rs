//! The alarms in memory: every open occurrence, and the changes not yet journalled.
//!
//! Pure. A change is applied here first and written after, so a database that cannot be written
//! never hides an alarm.

use super::AlarmError;
use super::config::{self, Rule};
use super::engine::Cause;
use super::occurrence::Occurrence;
use super::state::StateBits;
use crate::point::{Quality, UtcMs};
use std::collections::{BTreeMap, HashMap};

/// What happened to an occurrence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Its condition became true.
    Raised,
    /// Its condition became false.
    Returned,
    /// A person has seen it.
    Acknowledged,
}

/// A row for the journal: what happened, and the occurrence as it is since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What happened.
    pub kind: Kind,
    /// When.
    pub at: UtcMs,
    /// The person, or the stage itself.
    pub actor: String,
    /// The bits before.
    pub before: StateBits,
    /// The occurrence after.
    pub alarm: Occurrence,
    /// Quality of the reading behind it.
    pub quality: Option<Quality>,
    /// Why, in the actor's words.
    pub reason: Option<String>,
}

/// The actor of what the stage does by itself.
pub(super) const ITSELF: &str = "alarms";

/// Open occurrences and those whose end is not yet journalled, by number.
#[derive(Clone, Debug, Default)]
pub struct Board {
    alarms: BTreeMap<i64, Occurrence>,
    open_by_key: HashMap<String, i64>,
    last_id: i64,
}

impl Board {
    /// From the open occurrences of the database and the last number given there.
    pub fn new(open: Vec<Occurrence>, last_id: i64) -> Board {
        let open_by_key = open.iter().map(|alarm| (key(alarm), alarm.id)).collect();
        let alarms = open.into_iter().map(|alarm| (alarm.id, alarm)).collect();
        Board { alarms, open_by_key, last_id }
    }

    /// The occurrence `id`, if it is open or its end is not journalled yet.
    pub fn get(&self, id: i64) -> Option<&Occurrence> {
        self.alarms.get(&id)
    }

    /// All of them, by number.
    pub fn alarms(&self) -> impl DoubleEndedIterator<Item = &Occurrence> {
        self.alarms.values()
    }

    /// An onset: of the occurrence that returned unseen if there is one, else of a new one.
    pub fn raise(&mut self, rule: &Rule, cause: Cause, at: UtcMs) -> Entry {
        let key = rule.key();
        let unseen = self.open_by_key.get(&key).and_then(|id| self.alarms.get_mut(id));
        let (before, alarm) = if let Some(alarm) = unseen {
            let before = alarm.state;
            alarm.raise(rule, cause);
            (before, alarm.clone())
        } else {
            self.last_id += 1;
            let alarm = Occurrence::new(self.last_id, rule, cause, at);
            self.open_by_key.insert(key, alarm.id);
            self.alarms.insert(alarm.id, alarm.clone());
            // Before its onset there was nothing to see: normal.
            (StateBits { acked: true, ..StateBits::default() }, alarm)
        };
        let actor = ITSELF.to_owned();
        Entry { kind: Kind::Raised, at, actor, before, alarm, quality: Some(cause.quality), reason: None }
    }

    /// The return of the active occurrence of `key`; none if there is none.
    pub fn clear(
        &mut self,
        key: &str,
        quality: Option<Quality>,
        at: UtcMs,
        reason: Option<&str>,
    ) -> Option<Entry> {
        let id = *self.open_by_key.get(key)?;
        let alarm = self.alarms.get_mut(&id).filter(|alarm| alarm.state.active)?;
        let before = alarm.state;
        alarm.clear(at);
        let alarm = alarm.clone();
        self.forget_key_if_over(&alarm);
        let (actor, reason) = (ITSELF.to_owned(), reason.map(ToOwned::to_owned));
        Some(Entry { kind: Kind::Returned, at, actor, before, alarm, quality, reason })
    }

    /// A person has seen an occurrence, active or returned.
    pub fn acknowledge(
        &mut self,
        id: i64,
        by: &str,
        note: Option<&str>,
        at: UtcMs,
    ) -> Result<Entry, AlarmError> {
        let alarm = self.alarms.get_mut(&id).ok_or(AlarmError::NotFound(id))?;
        if alarm.state.acked {
            return Err(AlarmError::AlreadyAcknowledged(id));
        }
        let before = alarm.state;
        alarm.acknowledge(by, at);
        let alarm = alarm.clone();
        self.forget_key_if_over(&alarm);
        let (actor, reason) = (by.to_owned(), note.map(ToOwned::to_owned));
        Ok(Entry { kind: Kind::Acknowledged, at, actor, before, alarm, quality: None, reason })
    }

    /// The occurrence as `entry` has it is in the database: if it is over it may go from here.
    pub fn journalled(&mut self, entry: &Entry) {
        if !entry.alarm.state.open() {
            self.alarms.remove(&entry.alarm.id);
        }
    }

    /// Numbers of unseen occurrences by priority, 1 first; one that returned unseen still counts.
    pub fn unacknowledged(&self) -> [u32; 4] {
        let mut counts = [0; 4];
        for alarm in self.alarms.values().filter(|alarm| matches!(alarm.state.isa_letter(), 'B' | 'D')) {
            if let Some(count) = counts.get_mut(usize::from(alarm.priority).saturating_sub(1)) {
                *count += 1;
            }
        }
        counts
    }

    fn forget_key_if_over(&mut self, alarm: &Occurrence) {
        if !alarm.state.open() {
            self.open_by_key.remove(&key(alarm));
        }
    }
}

/// The key of the rule an occurrence belongs to.
pub(super) fn key(alarm: &Occurrence) -> String {
    config::key(&alarm.rule, alarm.point.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarms::config::historian_gap;

    const CAUSE: Cause = Cause { value: None, quality: Quality::Good };

    /// `+` raise, `-` return, `a` acknowledge; gives numbers and letters of all on the board after
    /// each. What is over leaves only when it is journalled.
    fn play(acts: &str) -> String {
        let (mut board, rule) = (Board::default(), historian_gap());
        let mut told = Vec::new();
        for act in acts.chars() {
            let id = board.alarms().last().map_or(0, |alarm| alarm.id);
            let entry = match act {
                '+' => Some(board.raise(&rule, CAUSE, UtcMs(0))),
                '-' => board.clear(&rule.key(), None, UtcMs(1), None),
                _ => board.acknowledge(id, "li", None, UtcMs(2)).ok(),
            };
            let shown = board.alarms().map(|alarm| format!("{}{}", alarm.id, alarm.state.isa_letter()));
            told.push(shown.collect::<Vec<_>>().join(","));
            if let Some(entry) = entry {
                board.journalled(&entry);
            }
        }
        told.join(" ")
    }

    #[test]
    fn every_way_through_the_states() {
        let table = [
            ("+a-", "1B 1C 1A"),
            ("+-a", "1B 1D 1A"),
            // What returned unseen comes back as the same occurrence.
            ("+-+a-", "1B 1D 1B 1C 1A"),
            // After its end the next onset is another one.
            ("+a-+", "1B 1C 1A 2B"),
            ("+-a+", "1B 1D 1A 2B"),
            // Seen once is seen; returned twice is returned.
            ("+aa--", "1B 1C 1C 1A "),
        ];
        for (acts, expected) in table {
            assert_eq!(play(acts), expected, "{acts}");
        }
    }

    #[test]
    fn an_alarm_that_returned_unseen_still_counts() {
        let (mut board, rule) = (Board::default(), historian_gap());
        board.raise(&rule, CAUSE, UtcMs(0));
        board.clear(&rule.key(), None, UtcMs(1), None).unwrap();
        assert_eq!(board.unacknowledged(), [1, 0, 0, 0]);
        board.acknowledge(1, "li", None, UtcMs(2)).unwrap();
        assert_eq!(board.unacknowledged(), [0; 4]);
    }

    #[test]
    fn an_alarm_is_acknowledged_once_and_by_name() {
        let (mut board, rule) = (Board::default(), historian_gap());
        assert!(matches!(board.acknowledge(1, "li", None, UtcMs(0)), Err(AlarmError::NotFound(1))));
        board.raise(&rule, CAUSE, UtcMs(0));
        assert_eq!(board.unacknowledged(), [1, 0, 0, 0]);
        let entry = board.acknowledge(1, "li", Some("on my way"), UtcMs(9)).unwrap();
        assert_eq!((entry.actor.as_str(), entry.reason.as_deref()), ("li", Some("on my way")));
        assert_eq!(entry.before.isa_letter(), 'B');
        assert_eq!((entry.alarm.acked_at, entry.alarm.acked_by.as_deref()), (Some(UtcMs(9)), Some("li")));
        assert!(matches!(
            board.acknowledge(1, "wang", None, UtcMs(9)),
            Err(AlarmError::AlreadyAcknowledged(1))
        ));
        assert_eq!(board.unacknowledged(), [0; 4]);
    }
}
