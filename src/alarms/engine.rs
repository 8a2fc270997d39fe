//! Readings in, onsets and returns out. Pure: no clock, no I/O; times come in, changes go out.
//!
//! The meaning, as OPC UA and BACnet have it (vendors disagree; the tests pin it):
//! - High becomes true at value > limit and is false at value <= limit. While the on-delay runs,
//!   every value must be beyond the limit; one that is not cancels the delay. Once active, the
//!   alarm returns at value <= limit - deadband. Low is the mirror image.
//! - A bad reading, NaN or a word says nothing about the process: it raises nothing, returns
//!   nothing and cancels nothing. A delay that ends while the signal is bad waits for the next
//!   usable reading, which raises or cancels.
//! - A stale mark is no new reading: what the last one said stands.
//! - No-data is true from the first bad or stale reading and false at the first usable one.
//! - A condition that is true at the first reading after a start alarms like any other.

use super::config::{Level, Rule, Test};
use crate::clock::{Mono, Now};
use crate::point::{Decimal, PointId, Quality, Reading, Reason, UtcMs, Value};
use crate::readings::Points;
use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// What a step changed, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The rule became true and its delay is over.
    Raised {
        /// Index of the rule.
        rule: usize,
        /// What was seen.
        cause: Cause,
    },
    /// The rule's alarm is over.
    Returned {
        /// Index of the rule.
        rule: usize,
        /// What was seen.
        cause: Cause,
    },
    /// The rule's timer now ends at this time, or there is none.
    Delay {
        /// Index of the rule.
        rule: usize,
        /// When it ends.
        due: Option<UtcMs>,
    },
}

/// The reading behind a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Its value.
    pub value: Option<Value>,
    /// Its quality.
    pub quality: Quality,
}

/// What was true before a restart.
#[derive(Clone, Debug, Default)]
pub struct Restored {
    /// Keys of rules with an active alarm.
    pub active: BTreeSet<String>,
    /// Timers by rule key.
    pub due: Vec<(String, UtcMs)>,
}

/// All rules and where each of them stands.
#[derive(Debug)]
pub struct Engine {
    rules: Arc<[Rule]>,
    watches: Vec<Watch>,
    by_point: Points<Arc<[usize]>>,
    /// The program's own rules.
    own: Arc<[usize]>,
    /// Timers that will end by themselves.
    agenda: BTreeSet<(Mono, usize)>,
}

#[derive(Clone, Debug)]
struct Watch {
    active: bool,
    timer: Option<Due>,
    /// Whether the last word on the signal was a usable reading; false after a restart.
    usable: bool,
    /// The last reading that met the condition.
    cause: Cause,
}

/// The end of a delay on both clocks: monotonic to run, UTC to survive a restart.
#[derive(Clone, Copy, Debug)]
struct Due {
    mono: Mono,
    utc: UtcMs,
}

/// What a reading says about a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It is true.
    Met,
    /// It is false, but an active alarm stays: within the deadband.
    Within,
    /// It is false and an active alarm returns.
    Clear,
    /// The signal is bad: neither.
    Unusable,
    /// Nothing new.
    Silent,
}

impl Engine {
    /// Takes up where a former process left off. A timer goes on to the same due time, whatever
    /// was meanwhile; one that ended meanwhile waits for the first reading.
    pub fn new(rules: &Arc<[Rule]>, restored: &Restored, now: Now) -> Engine {
        let blank = Watch {
            active: false,
            timer: None,
            usable: false,
            cause: Cause { value: None, quality: Quality::Bad(Reason::Initial) },
        };
        let mut by_point: HashMap<PointId, Vec<usize>> = HashMap::new();
        let mut own = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            match &rule.point {
                Some((point, _)) => by_point.entry(*point).or_default().push(index),
                None => own.push(index),
            }
        }
        let mut engine = Engine {
            watches: vec![blank; rules.len()],
            by_point: by_point.into_iter().map(|(point, indices)| (point, indices.into())).collect(),
            own: own.into(),
            agenda: BTreeSet::new(),
            rules: Arc::clone(rules),
        };
        let due: HashMap<&str, UtcMs> = restored.due.iter().map(|(key, due)| (key.as_str(), *due)).collect();
        for (index, rule) in rules.iter().enumerate() {
            let key = rule.key();
            engine.restore(index, restored.active.contains(&key), due.get(key.as_str()).copied(), now);
        }
        engine
    }

    fn restore(&mut self, index: usize, active: bool, due: Option<UtcMs>, now: Now) {
        let (Some(watch), Some(rule)) = (self.watches.get_mut(index), self.rules.get(index)) else { return };
        watch.active = active;
        // An active rule has no on-delay to run, only the quiet time of what is told.
        let length = match (rule.test.quiet_ms(), active) {
            (Some(quiet), true) => quiet,
            (Some(_), false) | (_, true) => return,
            (None, false) => rule.on_delay_ms,
        };
        let gap_without_row = (active && due.is_none()).then(|| now.utc.plus_ms(signed(length)));
        let Some(utc) = due.or(gap_without_row) else { return };
        // A wall clock set back while the process was down must not stretch the delay.
        let left = u64::try_from(utc.since_ms(now.utc)).unwrap_or(0).min(length);
        let due = Due { mono: now.mono.plus_ms(left), utc };
        watch.timer = Some(due);
        self.agenda.insert((due.mono, index));
    }

    /// Takes one reading.
    pub fn step(&mut self, reading: &Reading, now: Now, out: &mut Vec<Change>) {
        let Some(indices) = self.by_point.get_mut(reading.point).map(|indices| Arc::clone(indices)) else {
            return;
        };
        let cause = Cause { value: reading.value, quality: reading.quality };
        for index in indices.iter().copied() {
            let Some(test) = self.rules.get(index).map(|rule| rule.test) else { continue };
            self.judge(index, verdict(test, reading), cause, now, out);
        }
    }

    /// Takes the word that `lost` readings did not reach the history.
    pub fn gap(&mut self, lost: u64, now: Now, out: &mut Vec<Change>) {
        let count = Decimal::from_int(signed(lost));
        self.told(|test| matches!(test, Test::Gap), count, now, out);
    }

    /// Takes the word that readings before this time were given up.
    pub fn shed(&mut self, before: UtcMs, now: Now, out: &mut Vec<Change>) {
        // A tenth of a day is 8,640,000 ms.
        let days = Decimal::new(now.utc.since_ms(before) / 8_640_000, -1).unwrap_or(Decimal::ZERO);
        self.told(|test| matches!(test, Test::Shed), days, now, out);
    }

    /// Raises what is told and not measured; its quiet time begins anew.
    fn told(&mut self, which: fn(Test) -> bool, value: Decimal, now: Now, out: &mut Vec<Change>) {
        let cause = Cause { value: Some(Value::Decimal(value)), quality: Quality::Good };
        for index in Arc::clone(&self.own).iter().copied() {
            let test = self.rules.get(index).map(|rule| rule.test).filter(|test| which(*test));
            let Some(quiet_ms) = test.and_then(Test::quiet_ms) else { continue };
            self.raise(index, cause, out);
            self.start_timer(index, quiet_ms, now, out);
        }
    }

    /// Ends the timers that are due.
    pub fn tick(&mut self, now: Now, out: &mut Vec<Change>) {
        while let Some((due, index)) = self.agenda.first().copied().filter(|(due, _)| *due <= now.mono) {
            self.agenda.remove(&(due, index));
            let Some(watch) = self.watches.get(index) else { continue };
            let cause = watch.cause;
            if watch.active {
                self.stop_timer(index, out);
                self.clear(index, Cause { value: None, quality: Quality::Good }, out);
            } else if watch.usable {
                self.stop_timer(index, out);
                self.raise(index, cause, out);
            }
        }
    }

    /// When [`Engine::tick`] has something to do next.
    pub fn next_due(&self) -> Option<Mono> {
        self.agenda.first().map(|(due, _)| *due)
    }

    /// Keys of the rules whose timer runs.
    pub fn timed(&self) -> BTreeSet<String> {
        let both = self.watches.iter().zip(self.rules.iter());
        both.filter(|(watch, _)| watch.timer.is_some()).map(|(_, rule)| rule.key()).collect()
    }

    fn judge(&mut self, index: usize, verdict: Verdict, cause: Cause, now: Now, out: &mut Vec<Change>) {
        let (Some(watch), Some(rule)) = (self.watches.get_mut(index), self.rules.get(index)) else { return };
        match verdict {
            Verdict::Silent => {}
            Verdict::Unusable => watch.usable = false,
            Verdict::Met => {
                watch.usable = true;
                watch.cause = cause;
                let delay = rule.on_delay_ms;
                match watch.timer {
                    _ if watch.active => {}
                    None if delay > 0 => self.start_timer(index, delay, now, out),
                    Some(due) if due.mono > now.mono => {}
                    _ => {
                        self.stop_timer(index, out);
                        self.raise(index, cause, out);
                    }
                }
            }
            Verdict::Within => {
                watch.usable = true;
                self.stop_timer(index, out);
            }
            Verdict::Clear => {
                watch.usable = true;
                self.stop_timer(index, out);
                self.clear(index, cause, out);
            }
        }
    }

    fn raise(&mut self, rule: usize, cause: Cause, out: &mut Vec<Change>) {
        if let Some(watch) = self.watches.get_mut(rule)
            && !watch.active
        {
            watch.active = true;
            out.push(Change::Raised { rule, cause });
        }
    }

    fn clear(&mut self, rule: usize, cause: Cause, out: &mut Vec<Change>) {
        if let Some(watch) = self.watches.get_mut(rule)
            && watch.active
        {
            watch.active = false;
            out.push(Change::Returned { rule, cause });
        }
    }

    fn start_timer(&mut self, rule: usize, length_ms: u64, now: Now, out: &mut Vec<Change>) {
        let Some(watch) = self.watches.get_mut(rule) else { return };
        let due = Due { mono: now.mono.plus_ms(length_ms), utc: now.utc.plus_ms(signed(length_ms)) };
        if let Some(old) = watch.timer.replace(due) {
            self.agenda.remove(&(old.mono, rule));
        }
        self.agenda.insert((due.mono, rule));
        out.push(Change::Delay { rule, due: Some(due.utc) });
    }

    fn stop_timer(&mut self, rule: usize, out: &mut Vec<Change>) {
        if let Some(old) = self.watches.get_mut(rule).and_then(|watch| watch.timer.take()) {
            self.agenda.remove(&(old.mono, rule));
            out.push(Change::Delay { rule, due: None });
        }
    }
}

fn verdict(test: Test, reading: &Reading) -> Verdict {
    let stale = reading.quality == Quality::Uncertain(Reason::Stale);
    match test {
        Test::NoData if stale || reading.value.is_none() => Verdict::Met,
        Test::NoData => Verdict::Clear,
        Test::High(_) | Test::Low(_) if stale => Verdict::Silent,
        Test::High(limit) => against(limit.limit, limit.clear, reading.value, Ordering::Greater),
        Test::Low(limit) => against(limit.limit, limit.clear, reading.value, Ordering::Less),
        Test::Gap | Test::Shed => Verdict::Silent,
    }
}

/// `beyond` is the side of the limit on which the condition is true.
fn against(limit: Level, clear: Level, value: Option<Value>, beyond: Ordering) -> Verdict {
    let compare = |level: Level| value.and_then(|value| level.compare(value));
    match (compare(limit), compare(clear)) {
        (Some(side), _) if side == beyond => Verdict::Met,
        (_, Some(side)) if side == beyond => Verdict::Within,
        (Some(_), Some(_)) => Verdict::Clear,
        _ => Verdict::Unusable,
    }
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
