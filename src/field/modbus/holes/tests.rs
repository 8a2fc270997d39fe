//! Learning against devices that refuse in every way there is.

use super::super::plan::{Cost, blocks};
use super::*;
use crate::config::DeviceLimits;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const START: UtcMs = UtcMs(1_763_700_000_000);
/// Any gap is worth reading.
const EAGER: Cost = Cost { fixed_us: 1_000_000, byte_ns: 1 };

/// What a device refuses.
#[derive(Clone, Debug, Default)]
struct Model {
    illegal: BTreeSet<u16>,
    /// Longest request it bears; 0 is any.
    longest: u16,
    /// No request may hold the item before and this one.
    seams: BTreeSet<u16>,
    exception: u8,
    mute: bool,
    /// It starts up and refuses everything.
    starting: bool,
}

impl Model {
    fn reply(&self, request: ReadRequest) -> Reply {
        let (first, past) = (request.start(), request.start() + request.count());
        let refuses = self.illegal.range(first..past).next().is_some()
            || self.seams.range(first + 1..past.max(first + 1)).next().is_some()
            || self.longest > 0 && request.count() > self.longest
            || self.starting;
        match (self.mute, refuses) {
            (true, _) => Reply::Nothing,
            (_, true) => Reply::exception(self.exception),
            _ => Reply::Answered,
        }
    }
}

/// What a cycle came to: refused requests, and the last word on every wish.
#[derive(Debug, Default, PartialEq, Eq)]
struct Cycle {
    refused: usize,
    asked: usize,
    outcome: BTreeMap<u32, bool>,
}

impl Cycle {
    fn settle(&mut self, block: &Block, good: bool) {
        for wish in block.wishes.iter() {
            let before = self.outcome.insert(wish.tag, good);
            assert_eq!(before, None, "one sample a cycle for {wish:?}");
        }
    }

    fn count(&mut self, reply: Reply) -> Reply {
        self.asked += 1;
        self.refused += usize::from(matches!(reply, Reply::Refused(_)));
        reply
    }
}

/// As a bus does it.
fn cycle(model: &Model, wishes: &[Wish], limits: &DeviceLimits, holes: &mut Holes, now: UtcMs) -> Cycle {
    let mut cycle = Cycle::default();
    let plan = blocks(wishes, limits, holes, EAGER).unwrap();
    for (wish, _) in plan.held_back {
        cycle.outcome.insert(wish.tag, false);
    }
    for block in plan.asked {
        match cycle.count(model.reply(block.request)) {
            Reply::Answered => {
                holes.answered(block.request);
                cycle.settle(&block, true);
            }
            Reply::Nothing => cycle.settle(&block, false),
            Reply::Refused(exception) => match holes.refused(block.clone(), exception, now) {
                None => cycle.settle(&block, false),
                Some(mut search) => {
                    while let Some(piece) = search.next().cloned() {
                        let reply = cycle.count(model.reply(piece.request));
                        if search.settle(reply, holes, now) == Piece::Settled {
                            cycle.settle(&piece, reply == Reply::Answered);
                        }
                    }
                }
            },
        }
    }
    cycle
}

fn wish(start: u16, count: u16, tag: u32) -> Wish {
    Wish { table: Table::Holding, start, count, tag }
}

fn request(start: u16, count: u16) -> ReadRequest {
    ReadRequest::new(Table::Holding, start, count).unwrap()
}

fn every(count: u16, step: u16) -> Vec<Wish> {
    (0..count).map(|index| wish(index * step, 1, u32::from(index))).collect()
}

fn lessons(holes: &Holes) -> Vec<(u16, u16, Option<u16>)> {
    let of =
        |known: &Known| (known.lesson.refused.start(), known.lesson.refused.count(), known.lesson.longest);
    holes.known.iter().map(of).collect()
}

#[test]
fn three_bad_registers_of_120_cost_themselves_and_at_most_24_requests_once() {
    let wishes = every(120, 1);
    let illegal = [3, 57, 58].into();
    let model = Model { illegal, exception: 2, ..Model::default() };
    let mut holes = Holes::default();
    let first = cycle(&model, &wishes, &DeviceLimits::default(), &mut holes, START);
    assert_eq!(first.outcome.values().filter(|good| **good).count(), 117, "good from the first cycle on");
    assert!(first.refused <= 3 * 7 + 3, "{}", first.refused);
    let second = cycle(&model, &wishes, &DeviceLimits::default(), &mut holes, START);
    assert_eq!((second.refused, second.asked), (0, 3));
    assert_eq!(second.outcome, first.outcome);
}

#[test]
fn a_hole_between_two_values_is_not_read_over_again() {
    let wishes = [wish(0, 2, 0), wish(9, 2, 1), wish(20, 1, 2)];
    let model = Model { illegal: [5].into(), exception: 3, ..Model::default() };
    let mut holes = Holes::default();
    let first = cycle(&model, &wishes, &DeviceLimits::default(), &mut holes, START);
    assert!(first.outcome.values().all(|good| *good));
    assert_eq!(lessons(&holes), [(2, 7, None)]);
    let second = cycle(&model, &wishes, &DeviceLimits::default(), &mut holes, START);
    assert_eq!((second.refused, second.asked), (0, 2));
}

#[test]
fn a_length_the_device_does_not_bear_is_found_and_is_no_hole() {
    for (step, longest) in [(1, 20), (1, 1), (1, 124), (3, 50), (2, 64)] {
        let wishes = every(240 / step, step);
        let model = Model { longest, exception: 2, ..Model::default() };
        let mut holes = Holes::default();
        let mut refused = 0;
        for number in 0..4 {
            let seen = cycle(&model, &wishes, &DeviceLimits::default(), &mut holes, START);
            assert!(seen.outcome.values().all(|good| *good), "cycle {number} of {longest}");
            refused += seen.refused;
            assert!(number < 2 || seen.refused == 0, "{} still in cycle {number}", seen.refused);
        }
        assert_eq!(lessons(&holes).len(), 1, "{:?}", lessons(&holes));
        let cap = holes.cap(Table::Holding).unwrap();
        assert!(cap <= longest && cap >= longest / 2, "{cap} of {longest}");
        assert!(refused <= 2 * (2 * 7 + 1), "{refused}");
    }
}

#[test]
fn a_seam_parts_the_blocks_and_costs_no_value() {
    // It answers 0 to 39 and 40 to 99, but not across; a longer block elsewhere works.
    let mut wishes = every(100, 1);
    wishes.extend((200..300).map(|start| wish(start, 1, u32::from(start))));
    let model = Model { seams: [40].into(), exception: 2, ..Model::default() };
    let mut holes = Holes::default();
    for _ in 0..6 {
        let seen = cycle(&model, &wishes, &DeviceLimits::default(), &mut holes, START);
        assert!(seen.outcome.values().all(|good| *good));
    }
    let last = cycle(&model, &wishes, &DeviceLimits::default(), &mut holes, START);
    assert_eq!((last.refused, last.asked), (0, 3), "{:?}", lessons(&holes));
    assert_eq!(lessons(&holes), [(39, 2, None)]);
    // A value that stands across the two is asked all the same: it was never refused itself.
    let planned = blocks(&[wish(38, 4, 0)], &DeviceLimits::default(), &holes, EAGER).unwrap();
    assert_eq!((planned.asked.len(), planned.held_back.len()), (1, 0));
}

#[test]
fn nothing_is_learned_from_silence() {
    let wishes = every(50, 2);
    let mut holes = Holes::default();
    let mute = Model { mute: true, ..Model::default() };
    cycle(&mute, &wishes, &DeviceLimits::default(), &mut holes, START);
    assert_eq!(holes, Holes::default());

    // Nor where a refused block falls silent while it is taken apart.
    let block = blocks(&wishes, &DeviceLimits::default(), &holes, EAGER).unwrap().asked.remove(0);
    let mut search = holes.refused(block, 2, START).unwrap();
    while search.next().is_some() {
        assert_eq!(search.settle(Reply::Nothing, &mut holes, START), Piece::Settled);
    }
    assert_eq!(holes, Holes::default());
}

#[test]
fn a_lesson_is_tested_after_a_day_one_at_a_time_and_forgotten_when_answered() {
    let wishes = every(60, 1);
    let model = Model { illegal: [7, 40].into(), exception: 2, ..Model::default() };
    let mut holes = Holes::default();
    cycle(&model, &wishes, &DeviceLimits::default(), &mut holes, START);
    assert_eq!(holes.take_changes().len(), 2);
    let day = |n: i64| START.plus_ms(n * i64::try_from(RETRY_MS).unwrap());
    assert_eq!(holes.due(day(1).plus_ms(-1)), None);

    let due = holes.due(day(1)).unwrap();
    let revision = holes.revision();
    holes.retried(due, Reply::Refused(2), day(1));
    assert!(matches!(&holes.take_changes()[..], [Change::Learned(lesson)] if lesson.learned_at == day(1)));
    let other = holes.due(day(1)).unwrap();
    assert_ne!(due, other);
    holes.retried(other, Reply::Nothing, day(1));
    assert_eq!((holes.due(day(1)), holes.take_changes()), (None, vec![]));
    assert_eq!(holes.revision(), revision, "the plan stands");

    holes.retried(due, Reply::Answered, day(2));
    assert_eq!(holes.take_changes(), [Change::Forgotten(due)]);
    assert_ne!(holes.revision(), revision);
    // A clock that was ahead when it was learned does not keep it.
    assert_eq!(holes.due(day(-400)), Some(other));
}

#[test]
fn a_device_that_starts_up_refuses_everything_and_is_believed_for_a_minute() {
    let wishes = every(100, 2);
    let mut model = Model { starting: true, exception: 2, ..Model::default() };
    let mut holes = Holes::default();
    let first = cycle(&model, &wishes, &DeviceLimits::default(), &mut holes, START);
    assert!(first.refused <= 2 * 100);
    assert_eq!(holes.take_changes(), [], "nothing to be remembered");
    let second = cycle(&model, &wishes, &DeviceLimits::default(), &mut holes, START);
    assert_eq!(second.asked, 0, "one question a minute is enough");

    let later = START.plus_ms(60_000);
    let due = holes.due(later).unwrap();
    holes.retried(due, model.reply(due), later);
    assert_eq!(cycle(&model, &wishes, &DeviceLimits::default(), &mut holes, later).asked, 0);
    model.starting = false;
    let due = holes.due(later).unwrap();
    holes.retried(due, model.reply(due), later);
    let seen = cycle(&model, &wishes, &DeviceLimits::default(), &mut holes, later);
    assert!(seen.refused == 0 && seen.outcome.values().all(|good| *good), "{seen:?}");
}

#[test]
fn a_value_refused_by_itself_is_believed_once_others_have_been_answered_around_it() {
    let stretch = crate::config::Stretch { table: Table::Holding, first: 1, last: 1 };
    let limits = DeviceLimits { forbidden: vec![stretch], ..DeviceLimits::default() };
    let wishes = [wish(0, 1, 0), wish(2, 1, 1)];
    let model = Model { illegal: [2].into(), exception: 2, ..Model::default() };
    let mut holes = Holes::default();
    assert_eq!(cycle(&model, &wishes, &limits, &mut holes, START).refused, 1);
    assert_eq!(cycle(&model, &wishes, &limits, &mut holes, START).refused, 0);
    let later = START.plus_ms(60_000);
    assert_eq!(holes.due(later), Some(request(2, 1)));
    holes.retried(request(2, 1), Reply::Refused(2), later);
    assert_eq!(holes.take_changes().len(), 1);
    assert_eq!(holes.due(later.plus_ms(60_000)), None);
}

#[test]
fn what_is_known_is_bounded() {
    let mut holes = Holes::default();
    for start in 0..5_000 {
        let block = Block { request: request(start, 1), wishes: [wish(start, 1, 0)].into() };
        assert!(holes.refused(block, 2, START).is_none());
    }
    assert_eq!(holes.known.len(), LESSONS_MAX);
}

/// Wishes that do not overlap, from gap and length.
fn laid_out(places: &[(u16, u16)]) -> Vec<Wish> {
    let mut next = 0;
    let mut wishes = vec![];
    for (tag, (gap, count)) in (0..).zip(places) {
        next += gap;
        wishes.push(wish(next, *count, tag));
        next += count;
    }
    wishes
}

fn holds(wish: Wish, item: u16) -> bool {
    wish.start <= item && u32::from(item) < wish.end()
}

proptest! {
    /// `k` faults, illegal values or illegal gaps, cost `k ceil(log2 n) + k` refusals, ever.
    #[test]
    fn faults_cost_their_logarithm(
        places in proptest::collection::vec((0_u16..4, 1_u16..3), 1..128),
        bad in proptest::collection::vec(any::<proptest::sample::Index>(), 0..4),
        cap in prop_oneof![Just(125_u16), 10_u16..125],
        exception in 2_u8..4,
    ) {
        let wishes = laid_out(&places);
        let size = wishes.last().map_or(0, |wish| wish.end());
        let illegal: BTreeSet<u16> =
            bad.iter().map(|index| u16::try_from(index.index(usize::try_from(size).unwrap())).unwrap()).collect();
        // A wish, or the gap before a wish, is one fault however many of its items are illegal.
        let place = |item: u16| {
            let at = wishes.iter().position(|wish| wish.end() > u32::from(item)).unwrap();
            (at, holds(wishes[at], item))
        };
        let faults: BTreeSet<(usize, bool)> = illegal.iter().map(|item| place(*item)).collect();
        let model = Model { illegal: illegal.clone(), exception, ..Model::default() };
        let limits = DeviceLimits { registers_max: cap, ..DeviceLimits::default() };
        let mut holes = Holes::default();
        let mut refused = 0;
        let mut last = Cycle::default();
        for _ in 0..6 {
            last = cycle(&model, &wishes, &limits, &mut holes, START);
            refused += last.refused;
            for wish in &wishes {
                let legal = !illegal.iter().any(|item| holds(*wish, *item));
                prop_assert_eq!(last.outcome[&wish.tag], legal, "good in every cycle, the first too");
            }
        }
        prop_assert_eq!(last.refused, 0);
        let log2 = usize::try_from(wishes.len().next_power_of_two().ilog2()).unwrap();
        prop_assert!(refused <= faults.len() * log2 + faults.len(), "{} refusals, {:?}", refused, faults);
    }

    /// Every way to refuse at once, values that overlap: nothing that could be had is lost, and
    /// there is an end to learning.
    #[test]
    fn whatever_it_refuses_every_value_it_gives_is_read_in_every_cycle(
        places in proptest::collection::vec((0_u16..200, 1_u16..5), 1..60),
        illegal in proptest::collection::btree_set(0_u16..204, 0..9),
        seams in proptest::collection::btree_set(0_u16..204, 0..4),
        longest in prop_oneof![Just(0_u16), 1_u16..60],
        exception in 2_u8..4,
    ) {
        let wishes: Vec<Wish> =
            (0..).zip(&places).map(|(tag, (start, count))| wish(*start, *count, tag)).collect();
        let model = Model { illegal, longest, seams, exception, ..Model::default() };
        let mut holes = Holes::default();
        let mut last = Cycle::default();
        for _ in 0..40 {
            last = cycle(&model, &wishes, &DeviceLimits::default(), &mut holes, START);
            for wish in &wishes {
                let had = model.reply(request(wish.start, wish.count)) == Reply::Answered;
                prop_assert_eq!(last.outcome[&wish.tag], had, "{:?} {:?}", wish, lessons(&holes));
            }
        }
        prop_assert_eq!(last.refused, 0, "{:?}", lessons(&holes));
    }
}
