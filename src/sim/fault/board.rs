//! Which faults of a script act when; some are begun and ended by a person.

use super::kind::{Kind, Place};
use super::script::{Fault, Target};
use super::when::{self, Ending, FOR_EVER_MS, Onset, Run};
use crate::point::{Name, UtcMs};
use crate::sim::truth::{Course, Courses};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Faults that come again are reckoned so far ahead. Milliseconds.
pub const HORIZON_MS: i64 = 2 * 86_400_000;
/// Most runs of a fault that are remembered; of one that comes every ten minutes, two months.
const RUNS_MAX: usize = 8_640;

/// What was begun and ended so far: with the script it is all that decides what acts when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Each start of the demo; the first is what times of the script count from.
    pub starts: Vec<UtcMs>,
    /// What persons began and ended.
    pub asked: Vec<Asked>,
}

/// A person began or ended a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Which.
    pub fault: Name,
    /// When.
    pub at: UtcMs,
    /// Whether it was begun.
    pub begun: bool,
}

/// How a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It has not been, or comes again.
    Waiting,
    /// It acts.
    Running,
    /// It was, and does not come again by itself.
    Over,
}

/// A fault, and how it is.
#[derive(Clone, Debug)]
pub struct Shown {
    /// As the script has it.
    pub fault: Fault,
    /// How it is.
    pub phase: Phase,
    /// The run that is on, else the last one, else the next.
    pub run: Option<Run>,
}

/// Why a fault is not begun or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BoardError {
    /// The script has none of that id.
    #[error("the script has no such fault")]
    Unknown,
    /// It acts already.
    #[error("the fault is running already")]
    Running,
    /// It does not act.
    #[error("the fault is not running")]
    NotRunning,
    /// It cannot be begun by a person.
    #[error("this fault has a moment of its own and cannot be started")]
    NotStartable,
}

/// The faults of a script, live.
#[derive(Debug)]
pub struct Board {
    faults: Vec<Fault>,
    /// What the parts of the truth ask, by the kind and target of faults; all of a pair share one.
    courses: Courses,
    pairs: Vec<Pair>,
    state: Mutex<State>,
}

/// All faults of one kind at one target: they share a course.
#[derive(Debug)]
struct Pair {
    kind: Kind,
    target: Target,
    course: Course,
    /// Their places in the script.
    faults: Vec<usize>,
}

#[derive(Debug)]
struct State {
    known: Known,
    horizon: UtcMs,
    /// Of each fault, in order.
    runs: Vec<Vec<Run>>,
}

impl Board {
    /// A script and what happened so far, reckoned up to some time after `now`.
    pub fn new(faults: Vec<Fault>, known: Known, now: UtcMs) -> Board {
        let mut courses = Courses::default();
        let mut by_pair: BTreeMap<(Kind, Target), Vec<usize>> = BTreeMap::new();
        for (place, fault) in faults.iter().enumerate() {
            by_pair.entry((fault.kind, fault.target.clone())).or_default().push(place);
        }
        let mut pair = |((kind, target), faults): ((Kind, Target), Vec<usize>)| {
            let course = courses.add(kind.word(), target.id());
            Pair { kind, target, course, faults }
        };
        let pairs = by_pair.into_iter().map(&mut pair).collect();
        let state = State { known, horizon: now, runs: Vec::new() };
        let board = Board { faults, courses, pairs, state: Mutex::new(state) };
        board.look_ahead(now);
        board
    }

    /// What the parts of the truth are to be built with.
    pub fn courses(&self) -> &Courses {
        &self.courses
    }

    /// The faults as they are in the script.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// What was begun and ended so far.
    pub fn known(&self) -> Known {
        self.state().known.clone()
    }

    /// Reckons up to some time after `now`; gives the moment from which that changed something.
    pub fn look_ahead(&self, now: UtcMs) -> UtcMs {
        let mut state = self.state();
        let before = state.horizon;
        state.horizon = now.plus_ms(HORIZON_MS);
        self.reckon(&mut state);
        before
    }

    /// A person begins a fault.
    pub fn begin(&self, id: &str, now: UtcMs) -> Result<(), BoardError> {
        self.ask(id, now, true)
    }

    /// A person ends a fault.
    pub fn end(&self, id: &str, now: UtcMs) -> Result<(), BoardError> {
        self.ask(id, now, false)
    }

    fn ask(&self, id: &str, now: UtcMs, begun: bool) -> Result<(), BoardError> {
        let place =
            self.faults.iter().position(|fault| fault.id.as_str() == id).ok_or(BoardError::Unknown)?;
        let fault = self.faults.get(place).ok_or(BoardError::Unknown)?;
        let mut state = self.state();
        let running = state.runs.get(place).and_then(|runs| when::running(runs, now)).is_some();
        match (begun, running) {
            (true, true) => return Err(BoardError::Running),
            (false, false) => return Err(BoardError::NotRunning),
            (true, false) if fault.kind == Kind::MeterRollover => return Err(BoardError::NotStartable),
            _ => {}
        }
        state.known.asked.push(Asked { fault: fault.id.clone(), at: now, begun });
        self.reckon(&mut state);
        Ok(())
    }

    /// All faults, and how each is.
    pub fn list(&self, now: UtcMs) -> Vec<Shown> {
        let state = self.state();
        self.faults.iter().zip(&state.runs).map(|(fault, runs)| shown(fault, runs, now)).collect()
    }

    /// The runs of a fault by its place in the script, in order.
    pub fn runs(&self, place: usize) -> Vec<Run> {
        self.state().runs.get(place).cloned().unwrap_or_default()
    }

    /// How strongly a kind of fault acts at a target: 0 to 1.
    pub fn magnitude(&self, kind: Kind, target: &Target, at: UtcMs) -> f64 {
        self.pair(kind, target).map_or(0.0, |pair| pair.course.at(at))
    }

    /// Its strength times the hours it had it, between two moments.
    pub fn hours(&self, kind: Kind, target: &Target, from: UtcMs, to: UtcMs) -> f64 {
        self.pair(kind, target).map_or(0.0, |pair| pair.course.hours(from, to))
    }

    /// The size of the fault of this kind that acts at a target, times how strongly it does.
    pub fn size(&self, kind: Kind, target: &Target, at: UtcMs) -> Option<f64> {
        let pair = self.pair(kind, target)?;
        let state = self.state();
        let acting =
            |place: &&usize| state.runs.get(**place).is_some_and(|runs| when::running(runs, at).is_some());
        let fault = pair.faults.iter().find(acting).and_then(|place| self.faults.get(*place))?;
        Some(fault.size * pair.course.at(at))
    }

    fn pair(&self, kind: Kind, target: &Target) -> Option<&Pair> {
        self.pairs.iter().find(|pair| pair.kind == kind && pair.target == *target)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The runs of every fault, and the courses they come to.
    fn reckon(&self, state: &mut State) {
        let State { known, horizon, runs } = state;
        *runs = self.faults.iter().map(|fault| runs_of(fault, known, *horizon)).collect();
        for pair in &self.pairs {
            let grown = |place: &usize| {
                let (fault, runs) = (self.faults.get(*place)?, runs.get(*place)?);
                Some(runs.iter().map(move |run| (*run, &fault.growth)))
            };
            let mut all: Vec<_> = pair.faults.iter().filter_map(grown).flatten().collect();
            all.sort_by_key(|(run, _)| *run);
            let next: Vec<UtcMs> =
                all.iter().skip(1).map(|(run, _)| run.onset).chain([UtcMs(i64::MAX)]).collect();
            let mut corners = Vec::new();
            for ((run, growth), next) in all.iter().zip(next) {
                let run = Run { end: run.end.min(next), ..*run };
                if run.onset < run.end {
                    // Between two runs it does not act: a step to 0 and one from 0.
                    let own = run.corners(growth);
                    let (first, last) = (run.onset, run.end);
                    corners.push((first, 0.0));
                    corners.extend(own);
                    corners.push((last, 0.0));
                }
            }
            pair.course.set(corners);
        }
    }
}

fn shown(fault: &Fault, runs: &[Run], now: UtcMs) -> Shown {
    let next = runs.iter().find(|run| run.onset > now).copied();
    let last = runs.iter().rfind(|run| run.onset <= now).copied();
    let (phase, run) = match (last.filter(|run| run.holds(now)), next, last) {
        (Some(run), ..) => (Phase::Running, Some(run)),
        (None, Some(next), _) => (Phase::Waiting, Some(next)),
        (None, None, Some(last)) => (Phase::Over, Some(last)),
        (None, None, None) => (Phase::Waiting, None),
    };
    Shown { fault: fault.clone(), phase, run }
}

/// Every run of a fault that begins before `horizon`, in order.
fn runs_of(fault: &Fault, known: &Known, horizon: UtcMs) -> Vec<Run> {
    let first = known.starts.first().copied().unwrap_or(horizon);
    let mut runs = Vec::new();
    match fault.onset {
        Onset::At(at) => again(fault, at, horizon, first, &mut runs),
        Onset::FromFirstStart(after) => again(fault, first.plus_ms(after), horizon, first, &mut runs),
        Onset::FromEachStart(after) => {
            let ends = known.starts.iter().skip(1).copied().chain([horizon]);
            for (start, end) in known.starts.iter().zip(ends) {
                again(fault, start.plus_ms(after), end.min(horizon), first, &mut runs);
            }
        }
        Onset::OnRequest => {}
    }
    let mine = || known.asked.iter().filter(|asked| asked.fault == fault.id);
    runs.extend(mine().filter(|asked| asked.begun).map(|asked| run_of(fault, asked.at, first)));
    let mut runs = when::in_order(runs);
    for stopped in mine().filter(|asked| !asked.begun) {
        for run in runs.iter_mut().filter(|run| run.holds(stopped.at)) {
            run.end = stopped.at;
        }
    }
    runs.retain(|run| run.onset < run.end);
    runs
}

/// The run that begins at `onset`, and those that follow it before `until`.
fn again(fault: &Fault, onset: UtcMs, until: UtcMs, first: UtcMs, runs: &mut Vec<Run>) {
    let Some(every) = fault.every_ms.filter(|every| *every > 0) else {
        runs.push(run_of(fault, onset, first));
        return;
    };
    let count = until.since_ms(onset).max(0).div_euclid(every) + 1;
    let skipped = (count - i64::try_from(RUNS_MAX).unwrap_or(0)).max(0);
    let onsets = (skipped..count).map(|number| onset.plus_ms(number.saturating_mul(every)));
    runs.extend(onsets.filter(|onset| *onset < until).map(|onset| run_of(fault, onset, first)));
}

fn run_of(fault: &Fault, onset: UtcMs, first: UtcMs) -> Run {
    let end = match fault.ending {
        Ending::After(ms) => onset.plus_ms(ms),
        Ending::At(at) => at,
        Ending::FromFirstStart(ms) => first.plus_ms(ms),
        Ending::Never => onset.plus_ms(FOR_EVER_MS),
    };
    Run { onset, end }
}

impl Kind {
    /// Whether it acts in the plant, so that the truth has to be reckoned again when it changes.
    pub fn is_of_the_plant(self) -> bool {
        self.place() == Place::Plant
    }
}
