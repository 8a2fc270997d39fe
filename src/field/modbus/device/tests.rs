//! A device alone against every kind of answer.

use super::super::line::Broken;
use super::super::{Mismatch, agenda};
use super::*;
use crate::config::{Bits, DeviceLimits, Encoding, Factor, Order, OrderFrom, Role, Stretch, Table};
use crate::point::Decimal;
use proptest::prelude::*;
use std::collections::BTreeSet;

const HOUR_MS: u64 = 3_600_000;

fn plan(limits: DeviceLimits, registers: Vec<Register>) -> config::Bus {
    let device = config::Device {
        id: "device".parse().unwrap(),
        unit: 1,
        limits,
        zone: jiff::tz::TimeZone::UTC,
        registers,
    };
    config::Bus {
        id: "bus".parse().unwrap(),
        link: "host".parse().unwrap(),
        timeout_ms: 1_000,
        turnaround_ms: 0,
        unit_change_ms: 0,
        devices: vec![device],
    }
}

/// Registers of 16 bits, each a point of its own.
fn words(addresses: impl IntoIterator<Item = u16>) -> Vec<Register> {
    let register = |address| {
        let cell = Cell::new(Table::Holding, address, Encoding::U16);
        Register::plain(format!("unit/r{address}").parse().unwrap(), 1_000, cell)
    };
    addresses.into_iter().map(register).collect()
}

fn point_of(address: &Address) -> Option<PointId> {
    address.quantity.as_str().strip_prefix('r')?.parse().ok().map(PointId)
}

fn build(plan: &config::Bus) -> Device {
    Device::build(&plan.devices[0], plan, &point_of, Holes::default()).unwrap()
}

fn at(ms: u64) -> Now {
    Now { utc: UtcMs(1_700_000_000_000).plus_ms(i64::try_from(ms).unwrap()), mono: Mono(ms) }
}

/// What an item holds: never the same twice, small enough to be a factor now and then.
fn item(table: Table, address: u16) -> u16 {
    match table {
        Table::Coil => address % 2,
        Table::Discrete => u16::from(address.is_multiple_of(3)),
        Table::Holding => address % 5,
        Table::Input => 1_000 + address,
    }
}

fn items(table: Table, start: u16, count: u16) -> Vec<u16> {
    (start..start + count).map(|address| item(table, address)).collect()
}

type Outcomes<'a> = &'a mut dyn FnMut(ReadRequest) -> Result<Vec<u16>, AskError>;

/// Answers all but what touches one of these.
fn without(illegal: &BTreeSet<(Table, u16)>, request: ReadRequest) -> Result<Vec<u16>, AskError> {
    let (table, start, count) = (request.table(), request.start(), request.count());
    let touches = (start..start + count).any(|address| illegal.contains(&(table, address)));
    if touches { Err(AskError::Exception(2)) } else { Ok(items(table, start, count)) }
}

/// What a cycle came to.
#[derive(Default)]
struct Seen {
    samples: HashMap<PointId, Result<Raw, Fault>>,
    asked: Vec<ReadRequest>,
    changes: Vec<Change>,
    is_broken: bool,
}

impl Seen {
    fn take(&mut self, batch: Option<FieldBatch>) {
        for sample in batch.into_iter().flat_map(|batch| batch.samples) {
            let before = self.samples.insert(sample.point, sample.raw);
            assert_eq!(before, None, "{:?} has two samples in a cycle", sample.point);
        }
    }

    fn good(&self) -> usize {
        self.samples.values().filter(|raw| raw.is_ok()).count()
    }
}

fn asked(device: &mut Device, now_ms: u64) -> Vec<ReadRequest> {
    let mut requests = vec![ReadRequest::new(Table::Coil, 7, 7).unwrap()];
    device.requests(at(now_ms).utc, &mut requests);
    requests
}

/// One cycle of `device`, in which each request takes 10 ms.
fn cycle(device: &mut Device, mask: u64, start_ms: u64, outcomes: Outcomes<'_>) -> Seen {
    let mut seen = Seen::default();
    let mut now_ms = start_ms;
    seen.take(device.begin(mask, at(now_ms)).0);
    let most = 8 * device.map.cells.len() + 16;
    loop {
        let requests = asked(device, now_ms);
        if requests.is_empty() {
            break;
        }
        assert!(requests.len() <= device.in_flight().max(1));
        let asked_at = Mono(now_ms);
        now_ms += 10;
        for request in requests {
            seen.asked.push(request);
            let outcome =
                if seen.is_broken { Err(AskError::Broken(Broken::Closed)) } else { outcomes(request) };
            seen.is_broken |= matches!(outcome, Err(AskError::Broken(_)));
            let answer = Answer { outcome, asked_at, answered_at: at(now_ms) };
            seen.take(device.settle(answer, at(now_ms)).batch);
        }
        assert!(seen.asked.len() <= most, "{} requests in a cycle", seen.asked.len());
        if seen.is_broken {
            break;
        }
    }
    let fault = seen.is_broken.then_some(Fault::NoConnection);
    let finished = device.finish(fault, at(now_ms)).unwrap();
    seen.changes = finished.changes;
    for batch in finished.batches {
        seen.take(Some(batch));
    }
    seen
}

#[test]
fn a_device_that_refused_everything_while_it_started_is_asked_again() {
    let mut device = build(&plan(DeviceLimits::default(), words(0..10)));
    let seen = cycle(&mut device, 1, 0, &mut |_| Err(AskError::Exception(2)));
    assert_eq!((seen.samples.len(), seen.good()), (10, 0));
    let goods: Vec<usize> = (1..=3)
        .map(|turn| cycle(&mut device, 1, turn * 61_000, &mut |r| without(&BTreeSet::new(), r)).good())
        .collect();
    assert_eq!(goods.last(), Some(&10), "{goods:?}");
}

#[test]
fn what_has_become_forbidden_or_too_long_is_not_put_to_the_test_again() {
    let forbidden = Stretch { table: Table::Holding, first: 5, last: 6 };
    let limits = DeviceLimits { forbidden: vec![forbidden], registers_max: 4, ..DeviceLimits::default() };
    let plan = plan(limits, words([0, 1, 8]));
    let lesson = |start, count, longest| super::super::holes::Lesson {
        refused: ReadRequest::new(Table::Holding, start, count).unwrap(),
        exception: 2,
        longest,
        learned_at: UtcMs(0),
    };
    let holes = Holes::remembered([lesson(6, 1, None), lesson(0, 9, Some(8)), lesson(8, 1, None)]);
    let mut device = Device::build(&plan.devices[0], &plan, &point_of, holes).unwrap();
    let mut good = 0;
    for turn in 0..4 {
        let seen = cycle(&mut device, 1, turn * 2_000, &mut |r| without(&BTreeSet::new(), r));
        for asked in &seen.asked {
            assert!(
                asked.count() <= 4 && (asked.start() + asked.count() <= 5 || asked.start() > 6),
                "{asked:?}"
            );
        }
        good = seen.good();
    }
    assert_eq!(good, 3, "and does not keep the rest from its turn");
}

#[test]
fn a_changed_device_keeps_what_it_refuses_and_its_pace_but_not_more_in_flight_than_it_bears_now() {
    let illegal = BTreeSet::from([(Table::Holding, 3)]);
    let limits = DeviceLimits { in_flight_max: 4, registers_max: 1, ..DeviceLimits::default() };
    let mut old = build(&plan(limits, words(0..20)));
    for turn in 0..20 {
        cycle(&mut old, 1, turn * 1_000, &mut |r| without(&illegal, r));
    }
    assert_eq!(old.in_flight(), 4);
    assert!(old.latency_us().is_some());
    let mut device = build(&plan(DeviceLimits { registers_max: 1, ..DeviceLimits::default() }, words(0..21)));
    old.begin(1, at(30_000));
    let held_back = device.succeed(old, at(30_000)).unwrap();
    assert_eq!(held_back.samples.len(), 1, "said also if a cycle is begun anew");
    assert_eq!(device.in_flight(), 1);
    assert!(device.latency_us().is_some());
    let planned = device.cycle.as_ref().unwrap().queue.len();
    assert_eq!(planned, 20, "what is refused is not asked for again");
}

#[test]
fn another_device_in_the_middle_of_a_cycle_begins_its_own() {
    let plan = plan(DeviceLimits::default(), words(0..3));
    let mut old = build(&plan);
    old.begin(1, at(0));
    let mut other = plan.clone();
    other.devices[0].unit = 2;
    let mut device = build(&other);
    device.succeed(old, at(0));
    assert!(device.is_reading(), "the agenda still has that cycle");
}

#[test]
fn silence_at_some_addresses_does_not_keep_the_others_from_their_turn() {
    // Far enough apart that no request reads over the gap.
    let mut device = build(&plan(DeviceLimits::default(), words((0..8).map(|place| place * 1_000))));
    let mut answers = |request: ReadRequest| {
        if request.start() < 5_000 {
            Err(AskError::Timeout)
        } else {
            Ok(items(request.table(), request.start(), 1))
        }
    };
    let mut last = Seen::default();
    for turn in 0..4 {
        last = cycle(&mut device, 1, turn * 1_000, &mut answers);
        assert_eq!(last.samples.len(), 8);
        assert!(last.good() == 3 || last.asked.len() == 2, "a mute cycle costs two timeouts");
    }
    assert_eq!(last.good(), 3);
}

#[test]
fn a_probe_goes_round_until_one_is_answered() {
    let mut device = build(&plan(DeviceLimits::default(), words([0, 1_000, 2_000])));
    let mut probe = |outcome| {
        let request = device.probe();
        let answer = Answer { outcome, asked_at: Mono(0), answered_at: at(10) };
        (request.start(), device.probed(&answer, Mono(10)))
    };
    assert_eq!(probe(Err(AskError::Timeout)), (0, false));
    assert_eq!(probe(Err(AskError::Timeout)), (1_000, false));
    assert_eq!(probe(Ok(vec![1])), (2_000, true));
    let seen = cycle(&mut device, 1, 1_000, &mut |r| without(&BTreeSet::new(), r));
    assert_eq!(seen.asked[0].start(), 2_000, "and what was answered leads the next cycle");
}

#[test]
fn a_gateway_that_speaks_for_a_device_does_not_tell_its_pace() {
    let mut device = build(&plan(DeviceLimits::default(), words([0])));
    cycle(&mut device, 1, 0, &mut |_| Err(AskError::Exception(10)));
    assert_eq!(device.latency_us(), None);
    assert_eq!(device.timeout(&[device.probe()]), Duration::from_secs(1));
}

#[test]
fn a_busy_device_gets_the_pause_of_its_profile_at_least() {
    let mut device = build(&plan(DeviceLimits { pause_ms: 900, ..DeviceLimits::default() }, words([0])));
    device.begin(1, at(0));
    asked(&mut device, 0);
    let outcome = Err(AskError::Exception(6));
    let answer = Answer { outcome, asked_at: Mono(0), answered_at: at(10) };
    assert_eq!(device.settle(answer, at(10)).pause_ms, 900);
}

#[test]
fn a_slow_line_has_time_for_its_longest_answer() {
    let mut bus = plan(DeviceLimits::default(), words(0..125));
    bus.link = "rtu:///dev/x?baud=1200".parse().unwrap();
    let mut device = build(&bus);
    device.begin(1, at(0));
    let requests = asked(&mut device, 0);
    assert_eq!(requests[0].count(), 125);
    let wire_us = device.wire_us(requests[0]);
    assert!(wire_us > 2_000_000, "{wire_us}");
    assert!(device.timeout(&requests) >= Duration::from_micros(wire_us + 1_000_000));
}

fn cell() -> impl Strategy<Value = Cell> {
    let table =
        prop_oneof![Just(Table::Coil), Just(Table::Discrete), Just(Table::Holding), Just(Table::Input)];
    let encoding =
        prop_oneof![Just(Encoding::U16), Just(Encoding::U32), Just(Encoding::I16), Just(Encoding::F32)];
    (table, 0_u16..40, encoding, proptest::option::weighted(0.2, 0_u8..16)).prop_map(
        |(table, address, encoding, bit)| {
            let encoding = if table.is_bits() { Encoding::Bool } else { encoding };
            let mut cell = Cell::new(table, address, encoding);
            cell.bits = bit.filter(|_| matches!(encoding, Encoding::U16)).map(Bits::One);
            cell
        },
    )
}

fn register() -> impl Strategy<Value = Register> {
    let interval = prop_oneof![Just(1_000_u64), Just(5_000), Just(60_000)];
    let factor = (cell(), prop_oneof![Just(Role::Multiply), Just(Role::Divide)])
        .prop_map(|(cell, role)| Factor { cell, role });
    let factors = prop_oneof![3 => Just(Vec::new()), 1 => proptest::collection::vec(factor, 1..3)];
    let order_from = proptest::option::weighted(0.2, 0_u16..40);
    (cell(), interval, factors, order_from).prop_map(|(cell, interval_ms, factors, order_from)| {
        let mut register = Register::plain("unit/r0".parse().unwrap(), interval_ms, cell);
        register.factors = factors;
        register.order_from =
            order_from.filter(|_| cell.encoding == Encoding::U32).map(|address| OrderFrom {
                cell: Cell::new(Table::Holding, address, Encoding::U16),
                orders: vec![(0, Order::Abcd), (1, Order::Cdab), (2, Order::Badc)],
            });
        register
    })
}

/// What a point is worth, made of the items themselves.
fn naive(register: &Register) -> Result<Raw, Fault> {
    let zone = jiff::tz::TimeZone::UTC;
    let words = |cell: Cell| items(cell.table, cell.address, cell.items());
    let order = match &register.order_from {
        Some(from) => decode::order_from(&words(from.cell), from, &zone)?,
        None => register.cell.order,
    };
    let factors: Vec<Raw> = register
        .factors
        .iter()
        .map(|factor| decode::decode(&words(factor.cell), factor.cell, factor.cell.order, &zone))
        .collect::<Result<_, _>>()?;
    decode::point(&words(register.cell), register, order, &factors, &zone)
}

fn cells(register: &Register) -> Vec<Cell> {
    let others = register.order_from.iter().map(|from| from.cell);
    let others = others.chain(register.factors.iter().map(|factor| factor.cell));
    std::iter::once(register.cell).chain(others).collect()
}

/// What a bad day does to a request.
fn upset(kind: u8, code: u8) -> Option<AskError> {
    match kind {
        0..=9 => None,
        10..=12 => Some(AskError::Exception(code)),
        13 => Some(AskError::Exception(2)),
        14 => Some(AskError::Timeout),
        15 => Some(AskError::Malformed(Mismatch::Unit { asked: 1, got: 2 })),
        16 => Some(AskError::Doubt),
        _ => Some(AskError::Broken(Broken::Closed)),
    }
}

/// Every point of the rates that are due has a sample, and none is a wrong value.
fn check(device: &Device, mask: u64, seen: &Seen) {
    let points = device.map.points.iter().zip(&device.plan.registers);
    let due: Vec<_> =
        points.filter(|(point, _)| mask & agenda::rate_bit(usize::from(point.rate)) != 0).collect();
    assert_eq!(seen.samples.len(), due.len());
    for (point, register) in due {
        let sample = &seen.samples[&point.id];
        // What cannot be made of the items at all may also have failed in another way.
        assert!(sample.is_err() || *sample == naive(register), "{register:?}: {sample:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_due_point_has_one_sample_and_every_legal_one_its_value_in_the_end(
        registers in proptest::collection::vec(register(), 1..40),
        illegal in proptest::collection::btree_set((0_u8..4, 0_u16..42), 0..6),
        in_flight_max in 1_u8..5,
        registers_max in prop_oneof![Just(125_u16), 2_u16..12],
        masks in proptest::collection::vec(1_u64..8, 1..12),
        kinds in proptest::collection::vec((0_u8..18, 1_u8..14), 1..200),
    ) {
        let tables = [Table::Coil, Table::Discrete, Table::Holding, Table::Input];
        let illegal: BTreeSet<(Table, u16)> =
            illegal.into_iter().map(|(table, at)| (tables[usize::from(table)], at)).collect();
        let mut registers = registers;
        for (number, register) in registers.iter_mut().enumerate() {
            register.point = format!("unit/r{number}").parse().unwrap();
        }
        let limits = DeviceLimits { registers_max, in_flight_max, ..DeviceLimits::default() };
        let mut device = build(&plan(limits, registers));
        let mut kinds = kinds.into_iter().cycle();
        let mut now_ms = 0;
        for mask in masks {
            let mask = (mask & device.map.all()).max(1);
            let seen = cycle(&mut device, mask, now_ms, &mut |request| {
                let (kind, code) = kinds.next().unwrap();
                upset(kind, code).map_or_else(|| without(&illegal, request), Err)
            });
            check(&device, mask, &seen);
            now_ms += 61_000;
        }
        // What was learned on a bad day is put to the test, one thing in a cycle.
        let all = device.map.all();
        let mut last = Seen::default();
        for _ in 0..4 * device.map.cells.len() + 8 {
            now_ms += 25 * HOUR_MS;
            last = cycle(&mut device, all, now_ms, &mut |request| without(&illegal, request));
            check(&device, all, &last);
        }
        for (point, register) in device.map.points.iter().zip(&device.plan.registers) {
            let is_illegal = |cell: Cell| {
                (cell.address..cell.address + cell.items()).any(|at| illegal.contains(&(cell.table, at)))
            };
            if !cells(register).into_iter().any(is_illegal) {
                prop_assert_eq!(&last.samples[&point.id], &naive(register), "{:?}", register);
            }
        }
    }
}

#[test]
fn the_model_has_factors_that_are_numbers() {
    assert_eq!(naive(&words([7])[0]), Ok(Raw::Value(crate::point::Value::Decimal(Decimal::from_int(2)))));
}
