//! The plan against every other plan there is, and against fixed gaps.

use super::super::holes::Lesson;
use super::super::profiles::fixed_gap;
use super::*;
use crate::config::{Encoding, Factor, Order, OrderFrom, Role};
use crate::point::UtcMs;
use proptest::prelude::*;

fn link(text: &str) -> Link {
    text.parse().unwrap()
}

/// A line at 9,600 baud, eleven bits, 20 ms latency: a gap of up to 20 registers is worth reading.
fn slow() -> Cost {
    Cost::of(&link("rtu:///dev/x?baud=9600&parity=even"), 20_000, 0)
}

fn wish(table: Table, start: u16, count: u16, tag: u32) -> Wish {
    Wish { table, start, count, tag }
}

fn holding(places: &[(u16, u16)]) -> Vec<Wish> {
    (0..).zip(places).map(|(tag, (start, count))| wish(Table::Holding, *start, *count, tag)).collect()
}

fn shape(planned: &Planned) -> Vec<(u16, u16, usize)> {
    let of = |block: &Block| (block.request.start(), block.request.count(), block.wishes.len());
    planned.asked.iter().map(of).collect()
}

fn planned(wishes: &[Wish], limits: &DeviceLimits, cost: Cost) -> Planned {
    blocks(wishes, limits, &Holes::default(), cost).unwrap()
}

fn refused(start: u16, count: u16) -> Lesson {
    let refused = ReadRequest::new(Table::Holding, start, count).unwrap();
    Lesson { refused, exception: 2, longest: None, learned_at: UtcMs(0) }
}

fn total_ns(planned: &Planned, cost: Cost) -> u64 {
    let of = |block: &Block| cost.items_ns(block.request.table(), u32::from(block.request.count()));
    planned.asked.iter().map(of).sum()
}

#[test]
fn a_request_costs_what_the_line_makes_of_it() {
    let request = ReadRequest::new(Table::Holding, 0, 2).unwrap();
    // 17 characters of 11 bits, two silences of 3.5, 20 ms: 47.5 ms (21 requests a second).
    assert_eq!(slow().request_us(request), 17 * 1_146 + 2 * 4_011 + 20_000);
    let coils = ReadRequest::new(Table::Coil, 0, 9).unwrap();
    assert_eq!(slow().request_us(coils), 15 * 1_146 + 2 * 4_011 + 20_000);
    let tcp = Cost::of(&link("10.0.0.1"), 20_000, 5_000);
    assert_eq!(tcp.request_us(request), 25_004);
}

#[test]
fn the_line_decides_which_gap_is_worth_reading() {
    let places = holding(&[(0, 2), (20, 2), (45, 2), (118, 2), (300, 2)]);
    let plan = |text| shape(&planned(&places, &DeviceLimits::default(), Cost::of(&link(text), 20_000, 0)));
    assert_eq!(plan("rtu:///dev/x?baud=9600"), [(0, 22, 2), (45, 2, 1), (118, 2, 1), (300, 2, 1)]);
    assert_eq!(plan("rtu:///dev/x?baud=38400"), [(0, 47, 3), (118, 2, 1), (300, 2, 1)]);
    assert_eq!(plan("rtu:///dev/x?baud=115200"), [(0, 120, 4), (300, 2, 1)]);
    assert_eq!(plan("tcp://x"), [(0, 120, 4), (300, 2, 1)]);
}

#[test]
fn of_equally_many_requests_those_with_fewer_registers_are_made() {
    // Three wishes, two requests: the middle one goes to its nearer neighbour, on TCP too.
    let places = holding(&[(0, 1), (80, 1), (130, 1)]);
    let plan = planned(&places, &DeviceLimits::default(), Cost::of(&link("x"), 20_000, 0));
    assert_eq!(shape(&plan), [(0, 1, 1), (80, 51, 2)]);
}

#[test]
fn overlaps_keep_the_further_end_and_share_their_registers() {
    // Telegraf's max_insert asks for two registers here and loses half of the first value
    // (plugins/inputs/modbus/request.go).
    let plan = planned(&holding(&[(10, 4), (11, 1), (11, 1)]), &DeviceLimits::default(), slow());
    assert_eq!(shape(&plan), [(10, 4, 3)]);
}

#[test]
fn tables_never_mix_and_bits_come_by_the_thousand() {
    let mut wishes: Vec<Wish> = (0..2_100).map(|bit| wish(Table::Discrete, bit, 1, u32::from(bit))).collect();
    wishes.push(wish(Table::Input, 7, 1, 9_000));
    wishes.push(wish(Table::Holding, 8, 1, 9_001));
    let plan = planned(&wishes, &DeviceLimits::default(), slow());
    let counts: Vec<u16> = plan.asked.iter().map(|block| block.request.count()).collect();
    assert_eq!(counts.iter().sum::<u16>(), 2_102, "{counts:?}");
    assert_eq!(counts.len(), 4);
    assert!(counts.iter().all(|count| *count <= 2_000), "{counts:?}");
}

#[test]
fn what_cannot_be_asked_for_is_an_error_and_says_why() {
    let stretch = Stretch { table: Table::Holding, first: 20, last: 29 };
    let limits = DeviceLimits { registers_max: 10, forbidden: vec![stretch], ..DeviceLimits::default() };
    let plan = |start, count| blocks(&holding(&[(start, count)]), &limits, &Holes::default(), slow());
    assert_eq!(plan(0, 11), Err(RequestError::Count(11).into()));
    assert_eq!(plan(0, 0), Err(RequestError::Count(0).into()));
    assert_eq!(plan(65_535, 2), Err(RequestError::Range { start: 65_535, count: 2 }.into()));
    for (start, count) in [(19, 2), (20, 10), (29, 1), (15, 10)] {
        assert_eq!(plan(start, count), Err(PlanError::Forbidden { start, count, forbidden: stretch }));
    }
    assert!(plan(18, 2).is_ok() && plan(30, 1).is_ok());
    assert!(blocks(&[wish(Table::Input, 25, 1, 0)], &limits, &Holes::default(), slow()).is_ok());
}

#[test]
fn nothing_is_read_over_that_is_forbidden_or_a_hole_and_the_refused_is_held_back() {
    let stretch = Stretch { table: Table::Holding, first: 2, last: 2 };
    let limits = DeviceLimits { forbidden: vec![stretch], ..DeviceLimits::default() };
    let holes = Holes::remembered([refused(6, 2), refused(12, 1)]);
    let places = holding(&[(0, 2), (3, 1), (5, 1), (8, 1), (9, 1), (12, 1), (13, 1), (5, 4)]);
    let plan = blocks(&places, &limits, &holes, slow()).unwrap();
    assert_eq!(plan.held_back, [(places[5], 2)]);
    // The wide value has the hole inside: it is asked alone, for it may be answered all the same.
    assert_eq!(shape(&plan), [(0, 2, 1), (3, 3, 2), (5, 4, 1), (8, 2, 2), (13, 1, 1)]);
    // Part of a hole is no hole.
    let plan = blocks(&holding(&[(0, 1), (5, 2)]), &DeviceLimits::default(), &holes, slow()).unwrap();
    assert_eq!(shape(&plan), [(0, 7, 2)]);
}

#[test]
fn a_learned_length_bounds_what_is_joined_and_not_a_value() {
    let lesson = Lesson { longest: Some(4), ..refused(0, 9) };
    let mut holes = Holes::remembered([lesson]);
    let places = holding(&[(0, 2), (2, 2), (4, 2), (6, 8)]);
    let plan = |holes: &Holes| shape(&blocks(&places, &DeviceLimits::default(), holes, slow()).unwrap());
    assert_eq!(plan(&holes), [(0, 2, 1), (2, 4, 2), (6, 8, 1)]);
    holes.answered(ReadRequest::new(Table::Holding, 6, 8).unwrap());
    assert_eq!(plan(&holes), [(0, 14, 4)]);
}

#[test]
fn a_block_is_halved_by_what_is_wished() {
    let plan = planned(&holding(&[(0, 1), (1, 2), (1, 2), (9, 1)]), &DeviceLimits::default(), slow());
    let (left, right) = plan.asked[0].split().unwrap();
    let places = |block: &Block| (block.request.start(), block.request.count(), block.wishes.len());
    assert_eq!((places(&left), places(&right)), ((0, 3, 3), (9, 1, 1)));
    assert_eq!(right.split(), None);
    let same = planned(&holding(&[(5, 2), (5, 2)]), &DeviceLimits::default(), slow());
    assert_eq!(same.asked[0].split(), None);
}

#[test]
fn a_cell_is_read_when_any_of_its_points_is_due_and_then_once() {
    let cell = |address| Cell::new(Table::Holding, address, Encoding::U16);
    let factor = |address| Factor { cell: cell(address), role: Role::Multiply };
    let register = |name: &str, interval_ms, address| {
        Register::plain(format!("meter/{name}").parse().unwrap(), interval_ms, cell(address))
    };
    let mut power = register("power", 1_000, 10);
    power.factors = vec![factor(0), factor(1)];
    let mut energy = register("energy", 60_000, 20);
    energy.factors = vec![factor(0)];
    energy.order_from = Some(OrderFrom { cell: cell(2), orders: vec![(0, Order::Abcd)] });
    energy.aligned = true;
    let copy = register("copy", 1_000, 10);
    let registers = [energy, power, copy];
    let map = Map::new(registers.iter().zip((7..).map(PointId))).unwrap();
    let class = |interval_ms, aligned| Rate { interval_ms, aligned };
    assert_eq!(map.rates, [class(1_000, false), class(60_000, true)]);
    let point = |id, cell, order_from, factors: &[u32], class| PointAt {
        id: PointId(id),
        cell,
        order_from,
        factors: factors.to_vec(),
        rate: class,
    };
    assert_eq!(
        map.points,
        [point(7, 0, Some(1), &[2], 1), point(8, 3, None, &[2, 4], 0), point(9, 3, None, &[], 0)]
    );
    let wished = |mask| map.wishes(mask).iter().map(|wish| (wish.tag, wish.start)).collect::<Vec<_>>();
    assert_eq!(wished(0b01), [(2, 0), (3, 10), (4, 1)]);
    assert_eq!(wished(0b10), [(0, 20), (1, 2), (2, 0)]);
    assert_eq!(wished(map.all()).len(), 5);
    assert_eq!(wished(0), []);
}

#[test]
fn a_device_has_at_most_as_many_intervals_as_a_mask_has_bits() {
    let register = |interval_ms| {
        Register::plain("a/b".parse().unwrap(), interval_ms, Cell::new(Table::Input, 0, Encoding::U16))
    };
    let registers: Vec<Register> = (1..=65).map(register).collect();
    let map = |count: usize| Map::new(registers.iter().take(count).map(|register| (register, PointId(0))));
    assert_eq!(map(64).unwrap().all(), u64::MAX);
    assert_eq!(map(65), Err(PlanError::Rates(65)));
}

/// The least cost of all ways to part `rest` into requests; none if there is no way.
fn brute_force(rest: &[Wish], groups: &mut Vec<Vec<Wish>>, judge: &dyn Fn(&[Wish]) -> Option<u64>) -> u64 {
    let Some((wish, rest)) = rest.split_first() else {
        return groups.iter().map(|group| judge(group)).sum::<Option<u64>>().unwrap_or(u64::MAX);
    };
    let mut least = u64::MAX;
    for index in 0..=groups.len() {
        if index == groups.len() {
            groups.push(Vec::new());
        }
        groups[index].push(*wish);
        least = least.min(brute_force(rest, groups, judge));
        groups[index].pop();
    }
    groups.pop();
    least
}

fn any_cost() -> impl Strategy<Value = Cost> {
    (0_u64..40, 1_u64..6).prop_map(|(fixed_us, byte_us)| Cost { fixed_us, byte_ns: byte_us * 500 })
}

proptest! {
    /// Every partition of the wishes, not only runs of neighbours.
    #[test]
    fn no_other_grouping_is_cheaper(
        places in proptest::collection::vec((0_u16..40, 1_u16..6), 0..7),
        bits: bool,
        cap in 6_u16..30,
        forbidden in proptest::collection::vec((0_u16..40, 0_u16..3), 0..3),
        holes in proptest::collection::vec((0_u16..40, 1_u16..5), 0..3),
        cost in any_cost(),
    ) {
        let table = if bits { Table::Coil } else { Table::Holding };
        let wishes: Vec<Wish> = (0..).zip(&places)
            .map(|(tag, (start, count))| wish(table, *start, *count, tag)).collect();
        let forbidden: Vec<Stretch> = forbidden.iter()
            .map(|(first, more)| Stretch { table, first: *first, last: first + more })
            .filter(|stretch| wishes.iter().all(|wish| {
                wish.end() <= u32::from(stretch.first) || stretch.last < wish.start
            }))
            .collect();
        let limits = DeviceLimits { registers_max: cap, bits_max: cap, forbidden, ..DeviceLimits::default() };
        let lesson = |(start, count): &(u16, u16)| Lesson {
            refused: ReadRequest::new(table, *start, *count).unwrap(),
            exception: 2,
            longest: None,
            learned_at: UtcMs(0),
        };
        let known = Holes::remembered(holes.iter().map(lesson));
        let judge = |group: &[Wish]| {
            let Some(start) = group.iter().map(|wish| wish.start).min() else { return Some(0) };
            let end = group.iter().map(|wish| wish.end()).max().unwrap();
            let touches = |stretch: &Stretch| u32::from(stretch.first) < end && stretch.last >= start;
            let whole = |(first, count): &(u16, u16)| *first >= start && u32::from(first + count) <= end;
            let same = group.iter().all(|wish| (wish.start, wish.count) == (group[0].start, group[0].count));
            let wrong = end - u32::from(start) > u32::from(cap)
                || limits.forbidden.iter().any(touches)
                || !same && holes.iter().any(whole);
            (!wrong).then(|| cost.items_ns(table, end - u32::from(start)))
        };
        let plan = blocks(&wishes, &limits, &known, cost).unwrap();
        let asked: Vec<Wish> = wishes.iter().copied()
            .filter(|wish| !holes.contains(&(wish.start, wish.count))).collect();
        prop_assert_eq!(plan.held_back.len() + asked.len(), wishes.len());
        for block in &plan.asked {
            prop_assert!(judge(&block.wishes).is_some(), "{:?}", block);
        }
        prop_assert_eq!(total_ns(&plan, cost), brute_force(&asked, &mut vec![], &judge));
    }

    /// The best gap is chosen afterwards, knowing the map and the line; still the plan is no worse.
    #[test]
    fn no_fixed_gap_is_cheaper_and_every_wish_is_in_one_block(
        places in proptest::collection::vec((any::<bool>(), 0_u16..600, 1_u16..5), 0..90),
        cap in 4_u16..140,
        forbidden in proptest::collection::vec((0_u16..600, 0_u16..9), 0..4),
        cost in any_cost(),
    ) {
        let stretches: Vec<Stretch> = forbidden.iter()
            .map(|(first, more)| Stretch { table: Table::Input, first: *first, last: first + more }).collect();
        let limits = DeviceLimits { registers_max: cap, forbidden: stretches, ..DeviceLimits::default() };
        let wishes: Vec<Wish> = (0..).zip(&places)
            .map(|(tag, (input, start, count))| {
                wish(if *input { Table::Input } else { Table::Holding }, *start, *count, tag)
            })
            .filter(|wish| allowed(*wish, &limits).is_ok())
            .collect();
        let plan = planned(&wishes, &limits, cost);
        let mut seen = vec![];
        for block in &plan.asked {
            prop_assert!(block.request.count() <= cap.min(REGISTERS_MAX));
            let end = u32::from(block.request.start()) + u32::from(block.request.count());
            for stretch in &limits.forbidden {
                prop_assert!(stretch.table != block.request.table()
                    || u32::from(stretch.first) >= end || stretch.last < block.request.start());
            }
            prop_assert!(block.wishes.is_sorted_by_key(|wish| (wish.start, wish.count)));
            for wish in block.wishes.iter() {
                prop_assert_eq!(wish.table, block.request.table());
                prop_assert!(wish.start >= block.request.start() && wish.end() <= end);
                seen.push(*wish);
            }
        }
        seen.sort_unstable_by_key(|wish| wish.tag);
        prop_assert_eq!(seen, wishes.clone());
        for gap in 0..=125 {
            let greedy: u64 = fixed_gap(&wishes, &limits, gap).iter()
                .map(|request| cost.items_ns(request.table(), u32::from(request.count()))).sum();
            prop_assert!(total_ns(&plan, cost) <= greedy, "gap {}", gap);
        }
    }
}
