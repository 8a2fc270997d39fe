//! One device of a bus: what is asked of it next, and what its answers are worth. Pure.
//!
//! A *cycle* reads the points of the rates that are due. Its requests come from the plan for just
//! those rates; one that the device refuses is searched for the reason (`holes`) before the rest
//! goes on. A point that needs other registers (its byte order, its factors) is made at the end of
//! the cycle, when all are known.
//!
//! **Invariant:** every point that is due gets one sample in a cycle, a value or a fault.

use super::agenda::{DeviceTimes, End, rate_bit};
use super::decode;
use super::depth::{Depth, is_strain};
use super::frame::ReadRequest;
use super::holes::{Change, Holes, Piece, Reply, Search};
use super::line::{Answer, AskError};
use super::plan::{Block, Cost, Map, PlanError, Planned, PointAt, Wish, allowed, blocks};
use super::recipe::{OfCell, Recipe, feeds};
use super::rtt::Rtt;
use super::stamp::Stamp;
use super::store::Who;
use super::task::BuildError;
use crate::clock::{Mono, Now};
use crate::config::{self, Cell, DeviceLimits, Link, Register};
use crate::field::{Fault, FieldBatch, Raw, Sample};
use crate::point::{Address, PointId, UtcMs};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Timeouts in one cycle, without any sign of life in it, after which the rest is not asked.
pub const MUTE_MAX: u32 = 2;
/// First pause after "acknowledge" or "busy"; doubles with each retry. Milliseconds.
const BUSY_PAUSE_MS: u64 = 100;
/// Retries in a cycle after "acknowledge" or "busy".
const BUSY_RETRIES: u32 = 3;
/// Plans kept for as many sets of rates that are due together.
const PLANS_MAX: usize = 64;

/// A device with all that is known of it.
#[derive(Debug)]
pub struct Device {
    /// Its id.
    pub name: Arc<str>,
    /// Its unit id.
    pub unit: u8,
    plan: config::Device,
    link: Link,
    map: Map,
    by_cell: Vec<OfCell>,
    /// Points that are made at the end of a cycle.
    dependent: Vec<usize>,
    /// What the cells that dependents need held in this cycle, by cell.
    kept: HashMap<u32, Kept>,
    holes: Holes,
    plans: BTreeMap<u64, Arc<Plan>>,
    /// Of the holes the plans were made with.
    revision: u64,
    cost: Cost,
    rtt: Rtt,
    depth: Depth,
    cycle: Option<Cycle>,
    /// Asked and not settled, in order.
    in_hand: VecDeque<Asked>,
    /// The cell that is asked for first, once there was a silence ...
    lead: Option<u32>,
    /// ... and the request for it alone; the first cell's until then.
    probe: ReadRequest,
    /// Why it last failed: what its points are told while it is only probed.
    fault: Fault,
}

/// What a cell held.
#[derive(Clone, Debug)]
struct Kept {
    words: Result<Vec<u16>, Fault>,
    stamp: Stamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// Of the plan.
    Planned,
    /// To find out what a refused one was refused for.
    Searched,
    /// Refused once; perhaps not any more.
    Again,
}

#[derive(Clone, Debug)]
struct Asked {
    why: Why,
    recipe: Arc<Recipe>,
}

/// The requests for a set of rates.
#[derive(Debug, Default)]
struct Plan {
    asked: Vec<Arc<Recipe>>,
    /// Not asked: refused before, with this exception.
    held_back: Vec<(u32, Fault)>,
    /// How many cells that are.
    cells: usize,
    /// What the requests are expected to take of the bus in milliseconds.
    cost_ms: u64,
}

#[derive(Debug)]
struct Cycle {
    mask: u64,
    began: Mono,
    queue: VecDeque<Arc<Recipe>>,
    /// What has been read ...
    fulfilled: Vec<Arc<Recipe>>,
    /// ... the cells that were not, and whose points know it ...
    failed: Vec<u32>,
    /// ... and how many more are wanted.
    left: usize,
    search: Option<Search>,
    /// Refused while another one was searched.
    refused: VecDeque<(Block, u8)>,
    /// One of the lessons is put to the test, once a cycle.
    tested: bool,
    asked: bool,
    alive: bool,
    silent: u32,
    busy: u32,
    good_at: Option<UtcMs>,
}

/// What became of an answer.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Samples that are complete now.
    pub batch: Option<FieldBatch>,
    /// The device wants to be left alone so long. Milliseconds.
    pub pause_ms: u64,
}

/// What became of a cycle.
#[derive(Debug)]
pub struct Finished {
    /// The samples that had to wait.
    pub batches: Vec<FieldBatch>,
    /// For the agenda.
    pub end: End,
    /// When the device last gave a value in it.
    pub good_at: Option<UtcMs>,
    /// How long it was under way, the requests to other devices in it included. Milliseconds.
    pub took_ms: u64,
    /// What was learned and has to be remembered.
    pub changes: Vec<Change>,
}

impl Cycle {
    /// Which of so many cells have not been told of, by index.
    fn untold(&self, cells: usize) -> Vec<bool> {
        let mut untold = vec![true; cells];
        let wishes = self.fulfilled.iter().flat_map(|recipe| recipe.block.wishes.iter());
        for cell in wishes.map(|wish| wish.tag).chain(self.failed.iter().copied()) {
            if let Some(cell) = usize::try_from(cell).ok().and_then(|cell| untold.get_mut(cell)) {
                *cell = false;
            }
        }
        untold
    }
}

impl Device {
    /// A device of a bus; `ids` gives the number of a point, `holes` what is known from before.
    pub fn build(
        plan: &config::Device,
        bus: &config::Bus,
        ids: &impl Fn(&Address) -> Option<PointId>,
        holes: Holes,
    ) -> Result<Device, BuildError> {
        let device = || plan.id.to_string();
        let refused = |source: PlanError| BuildError::Register { device: device(), source };
        let numbered = |register: &Register| {
            let unknown = || BuildError::UnknownPoint { device: device(), point: register.point.clone() };
            ids(&register.point).ok_or_else(unknown)
        };
        let numbers: Vec<PointId> = plan.registers.iter().map(numbered).collect::<Result<_, _>>()?;
        let map = Map::new(plan.registers.iter().zip(numbers)).map_err(refused)?;
        let idle = || BuildError::Idle { device: device() };
        let first = map.cells.first().filter(|_| map.rates.iter().all(|rate| rate.interval_ms > 0));
        let first = first.ok_or_else(idle)?;
        let probe = ReadRequest::new(first.table, first.address, first.items());
        let probe = probe.map_err(|error| refused(error.into()))?;
        let latency_us = plan.limits.latency_ms * 1_000;
        let (by_cell, dependent) = feeds(&map, plan);
        let mut device = Device {
            by_cell,
            dependent,
            name: plan.id.as_str().into(),
            unit: plan.unit,
            kept: HashMap::new(),
            revision: holes.revision(),
            holes,
            plans: BTreeMap::new(),
            cost: Cost::of(&bus.link, latency_us, plan.limits.pause_ms * 1_000),
            rtt: Rtt::new(bus.link.serial(), bus.timeout_ms * 1_000, latency_us),
            depth: Depth::new(plan.limits.in_flight_max),
            cycle: None,
            in_hand: VecDeque::new(),
            lead: None,
            probe,
            fault: Fault::Timeout,
            plan: plan.clone(),
            link: bus.link.clone(),
            map,
        };
        // What cannot be planned at all is said now.
        device.planned(device.map.all()).map_err(refused)?;
        Ok(device)
    }

    /// As the agenda takes it.
    pub fn times(&self) -> DeviceTimes<'_> {
        DeviceTimes { id: &self.name, rates: &self.map.rates }
    }

    /// Takes over what `old` had found out and was doing, if that was the same device: all of it
    /// if nothing has changed, else its pace and what it refuses. A cycle under way is begun anew,
    /// for the agenda still has it; gives what is in vain to ask for in it.
    pub fn succeed(&mut self, mut old: Device, now: Now) -> Option<FieldBatch> {
        let same_rates = self.map.rates == old.map.rates;
        let mask = old.cycle.as_ref().map(|cycle| cycle.mask).filter(|_| same_rates);
        if self.unit == old.unit && self.link == old.link {
            // The timeout of the bus may be another one by now.
            self.rtt.take_over(&old.rtt);
            if self.plan == old.plan && self.map == old.map {
                old.rtt = self.rtt.clone();
                *self = old;
                return None;
            }
            if self.plan.limits.in_flight_max == old.plan.limits.in_flight_max {
                self.depth = old.depth;
            }
            (self.holes, self.fault) = (old.holes, old.fault);
            self.replan_with(self.rtt.planned_us());
        }
        mask.and_then(|mask| self.begin(mask, now).0)
    }

    /// Plans made so far are of no more use: the device takes so long to answer.
    fn replan_with(&mut self, latency_us: u64) {
        self.cost = Cost::of(&self.link, latency_us, self.plan.limits.pause_ms * 1_000);
        self.plans.clear();
    }

    /// The requests for a set of rates.
    fn planned(&mut self, mask: u64) -> Result<Arc<Plan>, PlanError> {
        if self.revision != self.holes.revision() || self.plans.len() >= PLANS_MAX {
            self.plans.clear();
            self.revision = self.holes.revision();
        }
        if let Some(known) = self.plans.get(&mask) {
            return Ok(Arc::clone(known));
        }
        let wishes = self.map.wishes(mask);
        let Planned { asked, held_back } = blocks(&wishes, &self.plan.limits, &self.holes, self.cost)?;
        let cost_us: u64 = asked.iter().map(|block| self.cost.request_us(block.request)).sum();
        let recipe = |block| Arc::new(Recipe::new(block, &self.by_cell, mask));
        let held_back = held_back.iter().map(|(wish, exception)| (wish.tag, Fault::Exception(*exception)));
        let plan = Arc::new(Plan {
            asked: asked.into_iter().map(recipe).collect(),
            held_back: held_back.collect(),
            cells: wishes.len(),
            cost_ms: cost_us.div_ceil(1_000),
        });
        self.plans.insert(mask, Arc::clone(&plan));
        Ok(plan)
    }

    /// Begins a cycle; gives the samples that are in vain to ask for, and what the requests are
    /// expected to take of the bus in milliseconds.
    pub fn begin(&mut self, mask: u64, now: Now) -> (Option<FieldBatch>, u64) {
        if let Some(latency_us) = self.rtt.moved() {
            self.replan_with(latency_us);
        }
        self.kept.clear();
        // What is due was planned at build together with all else, and any part of that can be
        // planned. What could not would count as not asked at the end of the cycle.
        let plan =
            self.planned(mask).unwrap_or_else(|_| Arc::new(Plan { cells: usize::MAX, ..Plan::default() }));
        let leads =
            |recipe: &&Arc<Recipe>| recipe.block.wishes.iter().any(|wish| Some(wish.tag) == self.lead);
        let mut queue: VecDeque<_> = plan.asked.iter().cloned().collect();
        if let Some(first) = self.lead.and_then(|_| plan.asked.iter().position(|recipe| leads(&recipe))) {
            queue.rotate_left(first);
        }
        self.cycle = Some(Cycle {
            mask,
            began: now.mono,
            queue,
            fulfilled: Vec::new(),
            failed: Vec::new(),
            left: plan.cells,
            search: None,
            refused: VecDeque::new(),
            tested: false,
            asked: false,
            alive: false,
            silent: 0,
            busy: 0,
            good_at: None,
        });
        (self.failed(plan.held_back.iter().copied(), Stamp::instant(now.utc)), plan.cost_ms)
    }

    /// Whether a cycle is under way.
    pub fn is_reading(&self) -> bool {
        self.cycle.is_some()
    }

    /// Puts what to ask now into `requests`, several at once where the device bears it; nothing if
    /// the cycle is over.
    pub fn requests(&mut self, now: UtcMs, requests: &mut Vec<ReadRequest>) {
        requests.clear();
        let Some(cycle) = &mut self.cycle else { return };
        if !cycle.alive && cycle.silent >= MUTE_MAX {
            return;
        }
        if cycle.search.as_ref().is_none_or(|search| search.next().is_none()) {
            cycle.search = None;
            if let Some((block, exception)) = cycle.refused.pop_front() {
                cycle.search = self.holes.refused(block, exception, now);
            }
        }
        if let Some(block) = cycle.search.as_ref().and_then(Search::next) {
            let recipe = Arc::new(Recipe::new(block.clone(), &self.by_cell, cycle.mask));
            self.in_hand.push_back(Asked { why: Why::Searched, recipe });
        } else {
            let depth = usize::from(self.depth.get()).min(cycle.queue.len());
            let planned = cycle.queue.drain(..depth);
            self.in_hand.extend(planned.map(|recipe| Asked { why: Why::Planned, recipe }));
        }
        // Also if nothing else is asked: a device may have refused everything while it started.
        let is_awake = cycle.alive || !cycle.asked;
        if self.in_hand.is_empty() && is_awake && !std::mem::replace(&mut cycle.tested, true) {
            let again = lesson_due(&mut self.holes, &self.plan.limits, now);
            let recipe = |request| Arc::new(Recipe::new(Block::of_nothing(request), &self.by_cell, 0));
            self.in_hand.extend(again.map(|request| Asked { why: Why::Again, recipe: recipe(request) }));
        }
        cycle.asked |= !self.in_hand.is_empty();
        requests.extend(self.in_hand.iter().map(|asked| asked.recipe.block.request));
    }

    /// Whether all of the cycle under way has been asked.
    pub fn is_through(&self, now: UtcMs) -> bool {
        let Some(cycle) = &self.cycle else { return true };
        let is_searching = cycle.search.as_ref().is_some_and(|search| search.next().is_some());
        let is_left = !cycle.queue.is_empty() || !cycle.refused.is_empty() || is_searching;
        !is_left && (cycle.tested || self.holes.due(now).is_none())
    }

    /// How many of the requests may be under way at once.
    pub fn in_flight(&self) -> usize {
        usize::from(self.depth.get())
    }

    /// How long to wait for the answers of these.
    pub fn timeout(&self, requests: &[ReadRequest]) -> Duration {
        let wire_us = requests.iter().map(|request| self.wire_us(*request)).max().unwrap_or(0);
        Duration::from_micros(self.rtt.timeout_us(wire_us))
    }

    /// The time of a request and its answer on the wire; on TCP it is none worth counting.
    fn wire_us(&self, request: ReadRequest) -> u64 {
        self.link.serial().map_or(0, |_| Cost::of(&self.link, 0, 0).request_us(request))
    }

    /// How long it wants to be left alone after each request. Milliseconds.
    pub fn pause_ms(&self) -> u64 {
        self.plan.limits.pause_ms
    }

    /// Whom lessons about it are about.
    pub fn who(&self) -> Who {
        Who::new(&self.link, &self.plan)
    }

    /// Why it last failed.
    pub fn fault(&self) -> Fault {
        self.fault
    }

    /// A cheap question: one value. After a silence another one each time, until one is answered.
    pub fn probe(&self) -> ReadRequest {
        self.probe
    }

    /// Takes the answer to the first of the requests that has none yet.
    pub fn settle(&mut self, answer: Answer, now: Now) -> Outcome {
        let Some(Asked { why, recipe }) = self.in_hand.pop_front() else { return Outcome::default() };
        let block = &recipe.block;
        self.learn_pace(block.request, &answer, now.mono);
        let stamp = Stamp::of(&answer);
        let alive = is_sign_of_life(&answer.outcome);
        let Some(cycle) = &mut self.cycle else { return Outcome::default() };
        let breaks_silence = alive && !cycle.alive && cycle.silent > 0;
        cycle.alive |= alive;
        cycle.silent += u32::from(!alive);
        if let Err(AskError::Exception(5 | 6)) = answer.outcome
            && cycle.busy < BUSY_RETRIES
            && why == Why::Planned
        {
            let pause_ms = (BUSY_PAUSE_MS << cycle.busy).max(self.plan.limits.pause_ms);
            cycle.busy += 1;
            cycle.queue.push_front(recipe);
            return Outcome { batch: None, pause_ms };
        }
        let (reply, words) = match answer.outcome {
            Ok(words) => {
                // What is asked to find something out is no value of a point.
                cycle.good_at = (!block.wishes.is_empty()).then_some(stamp.at).or(cycle.good_at);
                (Reply::Answered, Ok(words))
            }
            Err(error) => {
                self.fault = error.fault();
                let exception = if let AskError::Exception(code) = error { Some(code) } else { None };
                (exception.map_or(Reply::Nothing, Reply::exception), Err(self.fault))
            }
        };
        if let Some(wish) = block.wishes.first().filter(|_| breaks_silence) {
            self.lead_with(wish.tag);
        }
        let batch = self.take_in(why, recipe, reply, words.as_deref().map_err(|fault| *fault), stamp);
        Outcome { batch, pause_ms: self.plan.limits.pause_ms }
    }

    fn take_in(
        &mut self,
        why: Why,
        recipe: Arc<Recipe>,
        reply: Reply,
        words: Result<&[u16], Fault>,
        stamp: Stamp,
    ) -> Option<FieldBatch> {
        let (now, block) = (stamp.received_at, &recipe.block);
        let cycle = self.cycle.as_mut()?;
        match (why, reply) {
            (Why::Again, _) => {
                self.holes.retried(block.request, reply, now);
                return None;
            }
            (Why::Searched, _) => {
                let search = cycle.search.as_mut()?;
                if search.settle(reply, &mut self.holes, now) == Piece::Split {
                    return None;
                }
            }
            (Why::Planned, Reply::Answered) => self.holes.answered(block.request),
            (Why::Planned, Reply::Refused(exception)) if block.split().is_some() => {
                cycle.refused.push_back((block.clone(), exception));
                return None;
            }
            (Why::Planned, Reply::Refused(exception)) => {
                // Nothing to halve: the search ends at once with its lesson.
                let _none = self.holes.refused(block.clone(), exception, now);
            }
            (Why::Planned, Reply::Nothing) => {}
        }
        match words {
            Ok(words) => self.fulfilled(recipe, words, stamp),
            Err(fault) => self.failed(block.wishes.iter().map(|wish| (wish.tag, fault)), stamp),
        }
    }

    /// From now on this cell is asked for before the others, in a cycle and as a probe. Some
    /// devices are silent where others refuse, and must not be taken for mute because of that.
    fn lead_with(&mut self, lead: u32) {
        let cell = usize::try_from(lead).ok().and_then(|lead| self.map.cells.get(lead));
        let probe = cell.map(|cell| ReadRequest::new(cell.table, cell.address, cell.items()));
        if let Some(Ok(probe)) = probe {
            (self.lead, self.probe) = (Some(lead), probe);
        }
    }

    /// The cells of a request have been read: their points get their samples, and what others
    /// need is kept.
    fn fulfilled(&mut self, recipe: Arc<Recipe>, words: &[u16], stamp: Stamp) -> Option<FieldBatch> {
        self.kept.extend(recipe.kept(words).map(|(cell, words)| (cell, Kept { words, stamp })));
        let samples = recipe.samples(words, &self.plan);
        let cycle = self.cycle.as_mut()?;
        cycle.left = cycle.left.saturating_sub(recipe.block.wishes.len());
        cycle.fulfilled.push(recipe);
        self.batch(stamp, samples)
    }

    /// Cells have not been read: the points of those that nothing was said of get their fault.
    fn failed(&mut self, cells: impl IntoIterator<Item = (u32, Fault)>, stamp: Stamp) -> Option<FieldBatch> {
        let mut cells = cells.into_iter().peekable();
        cells.peek()?;
        let cycle = self.cycle.as_mut()?;
        let mut untold = cycle.untold(self.by_cell.len());
        let mut samples = Vec::new();
        for (cell, fault) in cells {
            let index = usize::try_from(cell).unwrap_or(usize::MAX);
            let (Some(of_cell), Some(is_new)) = (self.by_cell.get(index), untold.get_mut(index)) else {
                continue;
            };
            if !std::mem::take(is_new) {
                continue;
            }
            cycle.failed.push(cell);
            cycle.left = cycle.left.saturating_sub(1);
            let due = of_cell.direct.iter().filter(|direct| direct.is_due(cycle.mask));
            samples.extend(due.map(|direct| Sample { point: direct.id, raw: Err(fault) }));
            if of_cell.is_kept {
                self.kept.insert(cell, Kept { words: Err(fault), stamp });
            }
        }
        self.batch(stamp, samples)
    }

    /// The cycle is over, or given up: what has no sample yet gets one, `fault` if it was not
    /// asked.
    pub fn finish(&mut self, fault: Option<Fault>, now: Now) -> Option<Finished> {
        let cycle = self.cycle.as_mut()?;
        let (refused, mask) = (std::mem::take(&mut cycle.refused), cycle.mask);
        let (stamp, fault) = (Stamp::instant(now.utc), fault.unwrap_or(self.fault));
        let wishes = refused.iter().flat_map(|(block, exception)| {
            block.wishes.iter().map(|wish| (wish.tag, Fault::Exception(*exception)))
        });
        let mut batches: Vec<FieldBatch> = self.failed(wishes, stamp).into_iter().collect();
        // Wherever it was left: in the queue, in a search, in hand.
        if self.cycle.as_ref().is_some_and(|cycle| cycle.left > 0) {
            let left = self.map.wishes(mask);
            batches.extend(self.failed(left.iter().map(|wish| (wish.tag, fault)), stamp));
        }
        self.in_hand.clear();
        let cycle = self.cycle.take()?;
        if let Some(unasked) = cycle.queue.front().and_then(|recipe| recipe.block.wishes.first())
            && !cycle.alive
        {
            self.lead_with(unasked.tag);
        }
        batches.extend(self.dependents(cycle.mask, fault, stamp));
        let end = match (cycle.alive, cycle.asked) {
            (true, _) => End::Answered,
            (false, true) => End::Mute,
            (false, false) => End::Unasked,
        };
        Some(Finished {
            batches,
            end,
            good_at: cycle.good_at,
            took_ms: now.mono.since_ms(cycle.began),
            changes: self.holes.take_changes(),
        })
    }

    /// The points that need several cells, each with the time of its own value.
    fn dependents(&self, mask: u64, fault: Fault, now: Stamp) -> Vec<FieldBatch> {
        let mut by_stamp: Vec<(Stamp, Vec<Sample>)> = Vec::new();
        for index in &self.dependent {
            let (Some(point), Some(register)) =
                (self.map.points.get(*index), self.plan.registers.get(*index))
            else {
                continue;
            };
            if !is_due(point, mask) {
                continue;
            }
            let stamp = self.kept.get(&point.cell).map_or(now, |kept| kept.stamp);
            let sample = Sample { point: point.id, raw: self.made(point, register, fault) };
            match by_stamp.iter_mut().find(|(at, _)| *at == stamp) {
                Some((_, samples)) => samples.push(sample),
                None => by_stamp.push((stamp, vec![sample])),
            }
        }
        by_stamp.into_iter().filter_map(|(stamp, samples)| self.batch(stamp, samples)).collect()
    }

    /// A dependent's value; `fault` for a cell that was not asked.
    fn made(&self, point: &PointAt, register: &Register, fault: Fault) -> Result<Raw, Fault> {
        let zone = &self.plan.zone;
        let words = |cell: u32| {
            self.kept.get(&cell).map_or(Err(fault), |kept| kept.words.as_deref().map_err(|fault| *fault))
        };
        let order = match (&register.order_from, point.order_from) {
            (Some(from), Some(cell)) => decode::order_from(words(cell)?, from, zone)?,
            _ => register.cell.order,
        };
        let factor = |(factor, cell): (&config::Factor, &u32)| {
            let Cell { order, .. } = factor.cell;
            decode::decode(words(*cell)?, factor.cell, order, zone)
        };
        let factors: Vec<Raw> =
            register.factors.iter().zip(&point.factors).map(factor).collect::<Result<_, _>>()?;
        decode::point(words(point.cell)?, register, order, &factors, zone)
    }

    /// Every point of these rates has failed; nothing was asked.
    pub fn state(&self, mask: u64, fault: Option<Fault>, now: UtcMs) -> Option<FieldBatch> {
        let due = self.map.points.iter().filter(|point| is_due(point, mask));
        let raw = Err(fault.unwrap_or(self.fault));
        let samples = due.map(|point| Sample { point: point.id, raw: raw.clone() }).collect();
        self.batch(Stamp::instant(now), samples)
    }

    /// What the pace of an answer teaches.
    fn learn_pace(&mut self, request: ReadRequest, answer: &Answer, now: Mono) {
        match &answer.outcome {
            // What a gateway says in place of the device does not tell how quick the device is.
            outcome if is_sign_of_life(outcome) => {
                let elapsed_ms = answer.answered_at.mono.since_ms(answer.asked_at);
                self.rtt.answered(self.wire_us(request), elapsed_ms * 1_000);
            }
            Err(AskError::Timeout) => self.rtt.timed_out(),
            _ => {}
        }
        match &answer.outcome {
            Err(AskError::Timeout) => self.depth.strained(answer.asked_at, now),
            Err(AskError::Exception(code)) if is_strain(*code) => self.depth.strained(answer.asked_at, now),
            Ok(_) => self.depth.answered(answer.asked_at, now),
            Err(_) => {}
        }
    }

    /// A probe has been answered, or not.
    pub fn probed(&mut self, answer: &Answer, now: Mono) -> bool {
        self.learn_pace(self.probe, answer, now);
        let alive = is_sign_of_life(&answer.outcome);
        if let Err(error) = &answer.outcome
            && !alive
        {
            self.fault = error.fault();
            let next = self.lead.unwrap_or(0) + 1;
            let exists = usize::try_from(next).is_ok_and(|next| next < self.map.cells.len());
            self.lead_with(if exists { next } else { 0 });
        }
        alive
    }

    /// The latency its requests are planned with, once there is one. Microseconds.
    pub fn latency_us(&self) -> Option<u64> {
        self.rtt.latency_us()
    }

    fn batch(&self, stamp: Stamp, samples: Vec<Sample>) -> Option<FieldBatch> {
        (!samples.is_empty()).then(|| stamp.batch(&self.name, samples))
    }
}

fn is_due(point: &PointAt, mask: u64) -> bool {
    mask & rate_bit(usize::from(point.rate)) != 0
}

/// What was refused and is to be put to the test; none if its turn has come and the plan does not
/// allow to ask for it (any more).
fn lesson_due(holes: &mut Holes, limits: &DeviceLimits, now: UtcMs) -> Option<ReadRequest> {
    let request = holes.due(now)?;
    let (table, start, count) = (request.table(), request.start(), request.count());
    if allowed(Wish { table, start, count, tag: 0 }, limits).is_err() {
        holes.retried(request, Reply::Nothing, now);
        return None;
    }
    Some(request)
}

/// The device itself was heard. Exceptions 10 and 11 come from a gateway in its place.
fn is_sign_of_life(outcome: &Result<Vec<u16>, AskError>) -> bool {
    match outcome {
        Ok(_) => true,
        Err(AskError::Exception(code)) => !matches!(code, 10 | 11),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests;
