//! What a bus will be asked and how busy that makes it, before anything is dialled. Pure.
//!
//! The requests are those the bus will make as long as it has learned nothing; times follow from
//! the line and the expected latency of each device.

use super::agenda::Rate;
use super::device::MUTE_MAX;
use super::frame::ReadRequest;
use super::holes::Holes;
use super::plan::{Block, Cost, Map, PlanError, blocks};
use crate::config::{Bus, Device, Table};
use crate::point::{Name, PointId};
use std::collections::HashMap;

/// So many devices at once are supposed dead.
const DEAD: [usize; 5] = [0, 1, 2, 4, 8];
/// Devices that are known to be dead take at most this share of the bus.
const PROBE_SHARE: f64 = 0.05;
/// More classes than this are summed up as if they never shared a request: the number of ways in
/// which they can be due together doubles with each.
const COINCIDENT_CLASSES_MAX: usize = 10;

/// What a bus is in for.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    /// Its devices.
    pub devices: Vec<DeviceForecast>,
    /// Requests, on average.
    pub requests_per_s: f64,
    /// Registers read, wanted or not, on average. Bits are not counted.
    pub registers_per_s: f64,
    /// How much of its time the bus is busy, in percent; above 100 it cannot keep the intervals.
    pub utilisation_percent: f64,
    /// The longest round of all devices, with none dead and with some.
    pub rounds: Vec<Round>,
}

/// What one device is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceForecast {
    /// Its id.
    pub id: Name,
    /// Its intervals, the shortest first, each as if it were due alone.
    pub classes: Vec<ClassForecast>,
    /// Its share of the bus, in percent.
    pub utilisation_percent: f64,
}

/// A cycle of one interval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassForecast {
    /// How often. Milliseconds.
    pub interval_ms: u64,
    /// On the wall-clock multiples of the interval.
    pub aligned: bool,
    /// The requests.
    pub requests: Vec<RequestForecast>,
    /// Registers in their answers, wanted or not.
    pub registers: u64,
    /// How long they keep the bus busy. Microseconds.
    pub busy_us: u64,
}

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestForecast {
    /// Which table.
    pub table: Table,
    /// First item.
    pub start: u16,
    /// How many items.
    pub count: u16,
    /// Points whose own value is in its answer. None where only factors or byte orders are.
    pub points: usize,
}

/// A round in which every device is asked for everything once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// How many devices do not answer; those whose silence costs most.
    pub dead: usize,
    /// How long it takes while that is news: the timeouts of a first cycle of each. Milliseconds.
    pub at_first_ms: u64,
    /// How long it takes once they are only probed. Milliseconds.
    pub later_ms: u64,
}

/// What a bus is in for.
///
/// # Errors
/// What [`blocks`] and [`Map::new`] refuse.
pub fn forecast(bus: &Bus) -> Result<Forecast, PlanError> {
    let works: Vec<Work> =
        bus.devices.iter().map(|device| Work::new(bus, device)).collect::<Result<_, _>>()?;
    let mut loads = Vec::new();
    let mut devices = Vec::new();
    for work in &works {
        let load = work.load()?;
        let classes = work.map.rates.iter().enumerate();
        devices.push(DeviceForecast {
            id: work.device.id.clone(),
            classes: classes.map(|(index, class)| work.class(index, *class)).collect::<Result<_, _>>()?,
            utilisation_percent: load.busy_us / 10_000.0,
        });
        loads.push(load);
    }
    let timeout_us = bus.timeout_ms.saturating_mul(1_000);
    let full = |work: &Work<'_>| {
        let blocks = work.asked(work.map.all())?;
        let asked = count(blocks.len()).min(u64::from(MUTE_MAX));
        Ok((work.busy_us(&blocks), timeout_us.saturating_mul(asked)))
    };
    let full: Vec<(u64, u64)> = works.iter().map(full).collect::<Result<_, PlanError>>()?;
    Ok(Forecast {
        requests_per_s: loads.iter().map(|load| load.requests).sum(),
        registers_per_s: loads.iter().map(|load| load.registers).sum(),
        utilisation_percent: devices.iter().map(|device| device.utilisation_percent).sum(),
        devices,
        rounds: rounds(full),
    })
}

/// `full`: how long each device takes when it answers, and when it does not. Microseconds.
fn rounds(mut full: Vec<(u64, u64)>) -> Vec<Round> {
    // Those first whose silence adds most.
    full.sort_by_key(|(living_us, mute_us)| std::cmp::Reverse(i128::from(*mute_us) - i128::from(*living_us)));
    let counts = DEAD.into_iter().filter(|dead| *dead <= full.len());
    let round = |dead: usize| {
        let (dead_ones, living) = full.split_at_checked(dead).unwrap_or((&full, &[]));
        let living_us: u64 = living.iter().map(|(living_us, _)| living_us).sum();
        let mute_us = dead_ones.iter().fold(0_u64, |sum, (_, mute_us)| sum.saturating_add(*mute_us));
        let probes = if dead == 0 { 1.0 } else { 1.0 - PROBE_SHARE };
        Round {
            dead,
            at_first_ms: living_us.saturating_add(mute_us).div_ceil(1_000),
            later_ms: whole_ms(float(living_us) / probes),
        }
    };
    counts.map(round).collect()
}

/// A device with its map and what a request to it costs.
struct Work<'a> {
    device: &'a Device,
    map: Map,
    cost: Cost,
    /// Paid once a cycle, if there are other devices to come from. Microseconds.
    change_us: u64,
    /// How many requests share one latency.
    depth: u64,
}

/// What a device asks for in a second, on average.
#[derive(Clone, Copy, Debug, Default)]
struct Load {
    requests: f64,
    registers: f64,
    busy_us: f64,
}

impl<'a> Work<'a> {
    fn new(bus: &Bus, device: &'a Device) -> Result<Work<'a>, PlanError> {
        let limits = &device.limits;
        let pause_ms = bus.turnaround_ms.max(limits.pause_ms);
        let alone = bus.devices.len() == 1;
        Ok(Work {
            device,
            map: Map::new(device.registers.iter().zip((0..).map(PointId)))?,
            cost: Cost::of(&bus.link, limits.latency_ms * 1_000, pause_ms * 1_000),
            change_us: if alone { 0 } else { bus.unit_change_ms * 1_000 },
            depth: if bus.link.serial().is_some() { 1 } else { u64::from(limits.in_flight_max.max(1)) },
        })
    }

    fn asked(&self, mask: u64) -> Result<Vec<Block>, PlanError> {
        let wishes = self.map.wishes(mask);
        Ok(blocks(&wishes, &self.device.limits, &Holes::default(), self.cost)?.asked)
    }

    fn busy_us(&self, blocks: &[Block]) -> u64 {
        let all: u64 = blocks.iter().map(|block| self.cost.request_us(block.request)).sum();
        let requests = count(blocks.len());
        // Of requests that are on their way together only one is waited for.
        let shared = (requests - requests.div_ceil(self.depth)) * self.cost.fixed_us;
        all - shared + self.change_us
    }

    fn class(&self, index: usize, class: Rate) -> Result<ClassForecast, PlanError> {
        let blocks = self.asked(1 << index)?;
        let mut points: HashMap<u32, usize> = HashMap::new();
        let of_class = self.map.points.iter().filter(|point| usize::from(point.rate) == index);
        for point in of_class {
            *points.entry(point.cell).or_default() += 1;
        }
        let fed =
            |block: &Block| block.wishes.iter().map(|wish| points.get(&wish.tag).copied().unwrap_or(0)).sum();
        let request = |block: &Block| RequestForecast {
            table: block.request.table(),
            start: block.request.start(),
            count: block.request.count(),
            points: fed(block),
        };
        Ok(ClassForecast {
            interval_ms: class.interval_ms,
            aligned: class.aligned,
            requests: blocks.iter().map(request).collect(),
            registers: registers(&blocks),
            busy_us: self.busy_us(&blocks),
        })
    }

    /// Rates that are due at the same moment share their requests. Those on the wall clock's own
    /// multiples and those shifted by the device's phase do not meet.
    fn load(&self) -> Result<Load, PlanError> {
        let mut load = Load::default();
        for aligned in [false, true] {
            let classes: Vec<(usize, u64)> = (self.map.rates.iter().enumerate())
                .filter(|(_, class)| class.aligned == aligned)
                .map(|(index, class)| (index, class.interval_ms.max(1)))
                .collect();
            for (mask, per_s) in coincidences(&classes) {
                let blocks = self.asked(mask)?;
                load.requests += per_s * float(count(blocks.len()));
                load.registers += per_s * float(registers(&blocks));
                load.busy_us += per_s * float(self.busy_us(&blocks));
            }
        }
        Ok(load)
    }
}

/// How often exactly these classes (index, interval) are due together, for every set of them.
///
/// All of a set are due once in the least common multiple of their intervals; with those moments
/// taken out at which others are due too (inclusion and exclusion), exactly they are.
fn coincidences(classes: &[(usize, u64)]) -> Vec<(u64, f64)> {
    let bit = |(index, _): &(usize, u64)| 1_u64 << index;
    if classes.len() > COINCIDENT_CLASSES_MAX {
        return classes.iter().map(|class| (bit(class), 1_000.0 / float(class.1))).collect();
    }
    let sets: Vec<(u64, f64)> = (1_u64..1 << classes.len())
        .map(|set| {
            let chosen = || classes.iter().enumerate().filter(|(at, _)| set >> at & 1 == 1);
            let multiple = chosen().fold(1, |multiple, (_, (_, interval))| lcm(multiple, *interval));
            (chosen().fold(0, |mask, (_, class)| mask | bit(class)), 1_000.0 / float(multiple))
        })
        .collect();
    let exactly = |(mask, _): &(u64, f64)| {
        let wider = sets.iter().filter(|(other, _)| other & mask == *mask);
        let sign = |more: u64| if more.count_ones().is_multiple_of(2) { 1.0 } else { -1.0 };
        (*mask, wider.map(|(other, per_s)| sign(other ^ mask) * per_s).sum())
    };
    // What is left of a difference of equal fractions is no frequency.
    sets.iter().map(exactly).filter(|(_, per_s)| *per_s > 1e-12).collect()
}

/// The least common multiple, held at the end of the range.
fn lcm(a: u64, b: u64) -> u64 {
    let (mut divisor, mut rest) = (a, b);
    while rest > 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    (a / divisor.max(1)).saturating_mul(b)
}

fn registers(blocks: &[Block]) -> u64 {
    let of = |request: ReadRequest| if request.table().is_bits() { 0 } else { u64::from(request.count()) };
    blocks.iter().map(|block| of(block.request)).sum()
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "a forecast of times and rates, not a reading")]
fn float(number: u64) -> f64 {
    number as f64
}

/// From microseconds, rounded up.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a sum of durations is not negative, and the cast holds at the ends of the range"
)]
fn whole_ms(us: f64) -> u64 {
    (us / 1_000.0).ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Cell, DeviceLimits, Encoding, Factor, Register, Role};
    use proptest::prelude::*;

    fn register(interval_ms: u64, table: Table, address: u16) -> Register {
        let encoding = if table.is_bits() { Encoding::Bool } else { Encoding::F32 };
        let point = format!("a/q{address}").parse().unwrap();
        Register::plain(point, interval_ms, Cell::new(table, address, encoding))
    }

    fn device(unit: u8, registers: Vec<Register>) -> Device {
        Device {
            id: format!("unit-{unit}").parse().unwrap(),
            unit,
            limits: DeviceLimits::default(),
            zone: jiff::tz::TimeZone::UTC,
            registers,
        }
    }

    fn bus(link: &str, devices: Vec<Device>) -> Bus {
        Bus {
            id: "bus".parse().unwrap(),
            link: link.parse().unwrap(),
            timeout_ms: 1_000,
            turnaround_ms: 0,
            unit_change_ms: 0,
            devices,
        }
    }

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9 * b.abs().max(1.0)
    }

    #[test]
    fn thirty_two_meters_at_9600_baud_cannot_be_read_every_second() {
        // Sixty registers in one request each: 5.8 s a round.
        let registers = || (0..30).map(|index| register(1_000, Table::Input, index * 2)).collect();
        let devices = (1..=32).map(|unit| device(unit, registers())).collect();
        let seen = forecast(&bus("rtu:///dev/x?baud=9600&parity=even", devices)).unwrap();
        let class = &seen.devices[0].classes[0];
        let request = RequestForecast { table: Table::Input, start: 0, count: 60, points: 30 };
        assert_eq!(class.requests, [request]);
        assert_eq!((class.registers, class.busy_us), (60, 133 * 1_146 + 8_022 + 20_000));
        assert!(near(seen.requests_per_s, 32.0) && near(seen.registers_per_s, 1_920.0));
        assert!((577.0..578.0).contains(&seen.utilisation_percent), "{}", seen.utilisation_percent);
        let round = |dead, at_first_ms, later_ms| Round { dead, at_first_ms, later_ms };
        // A dead device is 1,000 ms instead of 180; later it is none, but probes take a twentieth.
        assert_eq!(
            seen.rounds,
            [
                round(0, 5_775, 5_775),
                round(1, 6_594, 5_889),
                round(2, 7_414, 5_699),
                round(4, 9_053, 5_319),
                round(8, 12_331, 4_559)
            ]
        );
    }

    #[test]
    fn a_factor_is_read_with_its_point_and_counts_for_no_point() {
        let mut energy = register(60_000, Table::Holding, 40_000);
        let ratio = Cell::new(Table::Holding, 7, Encoding::U16);
        energy.factors = vec![Factor { cell: ratio, role: Role::Multiply }];
        let power = register(1_000, Table::Holding, 8);
        let alarm = register(1_000, Table::Discrete, 3);
        let seen = forecast(&bus("x", vec![device(1, vec![energy, power, alarm])])).unwrap();
        let request = |table, start, count, points| RequestForecast { table, start, count, points };
        let [fast, slow] = &seen.devices[0].classes[..] else { panic!("{seen:?}") };
        assert_eq!((fast.interval_ms, fast.registers), (1_000, 2));
        assert_eq!(fast.requests, [request(Table::Discrete, 3, 1, 1), request(Table::Holding, 8, 2, 1)]);
        assert_eq!((slow.interval_ms, slow.registers), (60_000, 3));
        assert_eq!(slow.requests, [request(Table::Holding, 7, 1, 0), request(Table::Holding, 40_000, 2, 1)]);
        // Once a minute both are due: the ratio then comes with the power.
        assert!(near(seen.requests_per_s, 2.0 + 1.0 / 60.0), "{}", seen.requests_per_s);
        assert!(near(seen.registers_per_s, 2.0 + 3.0 / 60.0), "{}", seen.registers_per_s);
    }

    #[test]
    fn requests_in_flight_together_share_one_latency_on_tcp_only() {
        let mut far = device(1, (0..8).map(|index| register(1_000, Table::Input, index * 200)).collect());
        far.limits.in_flight_max = 4;
        let busy = |link, far: &Device| {
            forecast(&bus(link, vec![far.clone()])).unwrap().devices[0].classes[0].busy_us
        };
        assert_eq!(busy("x", &far), 2 * 20_000 + 8 * 4);
        let pipelined = busy("rtu:///dev/x", &far);
        far.limits.in_flight_max = 1;
        assert_eq!(pipelined, busy("rtu:///dev/x", &far));
        assert_eq!(busy("x", &far), 8 * 20_004);
    }

    #[test]
    fn what_cannot_be_planned_is_an_error() {
        let mut meter = device(1, vec![register(1_000, Table::Input, 65_535)]);
        assert!(matches!(forecast(&bus("x", vec![meter.clone()])), Err(PlanError::Request(_))));
        meter.registers = (1..=65).map(|ms| register(ms, Table::Input, 0)).collect();
        assert_eq!(forecast(&bus("x", vec![meter])), Err(PlanError::Rates(65)));
    }

    #[test]
    fn so_many_classes_are_summed_up_one_by_one() {
        let registers = (1..=11).map(|ms| register(ms * 1_000, Table::Input, 0)).collect();
        let seen = forecast(&bus("x", vec![device(1, registers)])).unwrap();
        let apart: f64 = (1..=11).map(|s| 1.0 / f64::from(s)).sum();
        assert!(near(seen.requests_per_s, apart));
    }

    proptest! {
        /// Against the ticks of a whole hyperperiod, counted one by one.
        #[test]
        fn coincidences_are_those_of_the_ticks(
            intervals in proptest::collection::btree_set(1_u64..13, 1..5),
        ) {
            let classes: Vec<(usize, u64)> = intervals.iter().copied().enumerate().collect();
            let period = intervals.iter().fold(1, |multiple, interval| lcm(multiple, *interval));
            let mut counted = std::collections::BTreeMap::<u64, u64>::new();
            for tick in 0..period {
                let due = classes.iter().filter(|(_, interval)| tick % interval == 0);
                let mask = due.fold(0, |mask, (index, _)| mask | 1 << index);
                *counted.entry(mask).or_default() += 1;
            }
            counted.remove(&0);
            let found = coincidences(&classes);
            prop_assert_eq!(found.len(), counted.len());
            for (mask, per_s) in found {
                prop_assert!(near(per_s, 1_000.0 * float(counted[&mask]) / float(period)));
            }
        }
    }
}
