//! Cells to days, tariff classes and yuan. Pure and exact.
//!
//! A cell belongs to the civil day, and to the half hour of its tariff, in which it begins. In
//! every zone in use since 1972 the borders of half hours are borders of cells, so nothing is
//! divided here: the classes of a day add up to the day, and the days to their cells, to the last
//! count.
//!
//! **Money is never rounded here.** The cost of a class is its energy times its price, the cost
//! of a day the sum of its classes, all exact decimals. Whoever shows an amount rounds it once,
//! half up to the fen (0.01 yuan), and adds up amounts before rounding, never after.

use super::engine::{CELL_MS, StepQuality};
use crate::calendar;
use crate::config::Tariff;
use crate::point::{Decimal, DecimalError, Name, Names, UtcMs};
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// What is kept of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// When it begins; a multiple of [`CELL_MS`].
    pub start: UtcMs,
    /// The energy that ran in it, in the point's unit.
    pub energy: Decimal,
    /// The worst of the steps that touch it.
    pub quality: StepQuality,
}

/// Energy and cost of one tariff class in a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassShare {
    /// `peak`, `flat`, `valley` ...
    pub id: Name,
    /// Its name.
    pub names: Names,
    /// In the point's unit.
    pub energy: Decimal,
    /// Yuan, exact.
    pub cost: Decimal,
}

/// A civil day of a meter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day {
    /// The day.
    pub date: Date,
    /// Its first instant in the site's zone.
    pub start: UtcMs,
    /// The first instant after it.
    pub end: UtcMs,
    /// The sum of its cells in the point's unit; none if it has no cell at all.
    pub energy: Option<Decimal>,
    /// Yuan, exact; none without energy or without a tariff that is valid on the day.
    pub cost: Option<Decimal>,
    /// Every class of the tariff in its order; empty where `cost` is none.
    pub classes: Vec<ClassShare>,
    /// Cells of the whole day: 96, or 92 and 100 where clocks change.
    pub cells: u32,
    /// Cells measured.
    pub good: u32,
    /// Cells spread over a gap.
    pub estimated: u32,
    /// Cells with a reset or an impossible rise in them.
    pub event: u32,
    /// Cells that are over and that no energy is known for.
    pub missing: u32,
}

/// The days from `from` to `to`, both included. `cells` are sorted and cover at least these days;
/// what is later than `now` is not missing yet. Fails only where a sum leaves 18 digits.
pub fn days(
    zone: &TimeZone,
    tariff: Option<&Tariff>,
    cells: &[Cell],
    from: Date,
    to: Date,
    now: UtcMs,
) -> Result<Vec<Day>, DecimalError> {
    let mut days = Vec::new();
    let mut date = from;
    while date <= to {
        let (start, end) = (calendar::day_start(zone, date), calendar::day_end(zone, date));
        let first = cells.partition_point(|cell| cell.start < start);
        let behind = cells.partition_point(|cell| cell.start < end);
        let own = cells.get(first..behind).unwrap_or_default();
        let valid = tariff.filter(|tariff| tariff.valid_from <= date);
        days.push(day(zone, valid, own, date, (start, end), now)?);
        let Ok(next) = date.tomorrow() else { break };
        date = next;
    }
    Ok(days)
}

fn day(
    zone: &TimeZone,
    tariff: Option<&Tariff>,
    cells: &[Cell],
    date: Date,
    (start, end): (UtcMs, UtcMs),
    now: UtcMs,
) -> Result<Day, DecimalError> {
    let of = |quality| count(cells.iter().filter(|cell| cell.quality == quality).count());
    let over = UtcMs(now.0.saturating_sub(CELL_MS));
    let over_cells = grid_cells(start, end.min(UtcMs(over.0.saturating_add(1))));
    let over_known = count(cells.iter().filter(|cell| cell.start <= over).count());
    let classes = match tariff {
        Some(tariff) if !cells.is_empty() => classes(zone, tariff, cells)?,
        _ => Vec::new(),
    };
    let cost = match classes.as_slice() {
        [] => None,
        classes => Some(sum(classes.iter().map(|class| class.cost))?),
    };
    Ok(Day {
        date,
        start,
        end,
        energy: if cells.is_empty() { None } else { Some(sum(cells.iter().map(|cell| cell.energy))?) },
        cost,
        classes,
        cells: grid_cells(start, end),
        good: of(StepQuality::Good),
        estimated: of(StepQuality::Estimated),
        event: of(StepQuality::Event),
        missing: over_cells.saturating_sub(over_known),
    })
}

fn classes(zone: &TimeZone, tariff: &Tariff, cells: &[Cell]) -> Result<Vec<ClassShare>, DecimalError> {
    let mut shares = Vec::with_capacity(tariff.classes.len());
    for (number, class) in tariff.classes.iter().enumerate() {
        let own = cells.iter().filter(|cell| class_index(zone, tariff, cell.start) == Some(number));
        let energy = sum(own.map(|cell| cell.energy))?;
        let cost = energy.checked_mul(class.price)?;
        shares.push(ClassShare { id: class.id.clone(), names: class.name.clone(), energy, cost });
    }
    Ok(shares)
}

/// The class a cell is priced in, if the tariff is valid on the day it begins.
pub fn class_of<'a>(zone: &TimeZone, tariff: &'a Tariff, start: UtcMs) -> Option<&'a Name> {
    if calendar::day_of(zone, start) < tariff.valid_from {
        return None;
    }
    tariff.classes.get(class_index(zone, tariff, start)?).map(|class| &class.id)
}

fn class_index(zone: &TimeZone, tariff: &Tariff, start: UtcMs) -> Option<usize> {
    let half_hour = usize::from(calendar::half_hour_of(zone, start));
    tariff.half_hours.get(half_hour).map(|class| usize::from(*class))
}

fn sum(parts: impl Iterator<Item = Decimal>) -> Result<Decimal, DecimalError> {
    let mut total: Option<Decimal> = None;
    for part in parts {
        total = Some(match total {
            Some(so_far) => so_far.checked_add(part)?,
            None => part,
        });
    }
    Ok(total.unwrap_or(Decimal::ZERO))
}

/// How many cells begin in `[from, to)`.
fn grid_cells(from: UtcMs, to: UtcMs) -> u32 {
    let before = |at: UtcMs| at.0.saturating_add(CELL_MS - 1).div_euclid(CELL_MS);
    u32::try_from(before(to) - before(from)).unwrap_or(0)
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TariffClass;
    use proptest::prelude::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn class(id: &str, price: &str) -> TariffClass {
        TariffClass { id: id.parse().unwrap(), name: Names::default(), price: price.parse().unwrap() }
    }

    /// Valley 23:00 to 07:00, peak 08:30 to 11:30 and 16:00 to 21:00, flat between.
    fn tariff() -> Tariff {
        let half_hours = std::array::from_fn(|half| match half {
            0..14 | 46.. => 2,
            17..23 | 32..42 => 0,
            _ => 1,
        });
        Tariff {
            id: "shandong".parse().unwrap(),
            name: Names::default(),
            valid_from: date("2026-01-01"),
            half_hours,
            classes: vec![class("peak", "1.0123"), class("flat", "0.65"), class("valley", "0.3217")],
        }
    }

    fn cell(start: i64, counts: i64) -> Cell {
        let energy = Decimal::new(counts, -2).unwrap();
        Cell { start: UtcMs(start), energy, quality: StepQuality::Good }
    }

    /// One count in every cell of these days.
    fn full(zone: &TimeZone, from: Date, to: Date) -> Vec<Cell> {
        let (start, end) = (calendar::day_start(zone, from), calendar::day_end(zone, to));
        (start.0..end.0).step_by(usize::try_from(CELL_MS).unwrap()).map(|at| cell(at, 1)).collect()
    }

    #[test]
    fn a_day_has_its_classes_by_the_half_hour_and_its_yuan_exactly() {
        let (zone, day) = (zone("Asia/Shanghai"), date("2026-11-22"));
        let cells = full(&zone, day, day);
        let found = &days(&zone, Some(&tariff()), &cells, day, day, UtcMs(i64::MAX)).unwrap()[0];
        let energy: Vec<_> = found.classes.iter().map(|class| class.energy.to_string()).collect();
        // 16, 16 and 16 half hours of two cells.
        assert_eq!(energy, ["0.32", "0.32", "0.32"]);
        assert_eq!(found.energy.unwrap().to_string(), "0.96");
        // 0.32 * (1.0123 + 0.65 + 0.3217)
        assert_eq!(found.cost.unwrap().to_string(), "0.634880");
        assert_eq!((found.cells, found.good, found.missing), (96, 96, 0));
    }

    #[test]
    fn a_border_at_half_past_is_a_border() {
        let (zone, day) = (zone("Asia/Shanghai"), date("2026-11-22"));
        let start = calendar::day_start(&zone, day).0;
        let quarter = |number: i64| UtcMs(start + number * CELL_MS);
        let tariff = tariff();
        let class = |number| class_of(&zone, &tariff, quarter(number)).unwrap().as_str();
        // 08:15 is flat, 08:30 and 08:45 are peak.
        assert_eq!(
            [class(33), class(34), class(35), class(45), class(46)],
            ["flat", "peak", "peak", "peak", "flat"]
        );
    }

    #[test]
    fn days_of_23_and_25_hours_have_their_cells() {
        let zone = zone("Europe/Berlin");
        for (day, cells) in [("2026-03-29", 92), ("2026-10-25", 100), ("2026-10-26", 96)] {
            let day = date(day);
            let all = full(&zone, day, day);
            let found = &days(&zone, Some(&tariff()), &all, day, day, UtcMs(i64::MAX)).unwrap()[0];
            assert_eq!((found.cells, found.good, found.missing), (cells, cells, 0));
            assert_eq!(found.energy, Some(Decimal::new(i64::from(cells), -2).unwrap()));
        }
    }

    #[test]
    fn what_is_not_over_is_not_missing_and_what_is_not_known_is_not_zero() {
        let (zone, day) = (zone("Asia/Shanghai"), date("2026-11-22"));
        let start = calendar::day_start(&zone, day);
        // It is 01:10: four cells are over, two of them known, and the running one.
        let cells = [cell(start.0, 5), cell(start.0 + CELL_MS, 5), cell(start.0 + 4 * CELL_MS, 1)];
        let now = start.plus_ms(70 * 60_000);
        let found = days(&zone, Some(&tariff()), &cells, day, date("2026-11-23"), now).unwrap();
        assert_eq!((found[0].cells, found[0].good, found[0].missing), (96, 3, 2));
        assert_eq!((found[1].energy, found[1].cost, found[1].missing), (None, None, 0));
        // When the day is over the rest is missing.
        let found = days(&zone, None, &cells, day, day, UtcMs(i64::MAX)).unwrap();
        assert_eq!((found[0].missing, found[0].cost), (93, None));
    }

    #[test]
    fn a_day_before_the_tariff_has_energy_and_no_cost() {
        let (zone, day) = (zone("Asia/Shanghai"), date("2025-12-31"));
        let cells = full(&zone, day, date("2026-01-01"));
        let found = days(&zone, Some(&tariff()), &cells, day, date("2026-01-01"), UtcMs(i64::MAX)).unwrap();
        assert_eq!((found[0].cost, found[0].classes.len()), (None, 0));
        assert!(found[0].energy.is_some() && found[1].cost.is_some());
        assert_eq!(class_of(&zone, &tariff(), found[0].start), None);
    }

    proptest! {
        /// Random cells, zones and tariffs: the classes add up to the day, the days to the
        /// cells, the yuan to a reckoning in whole numbers.
        #[test]
        fn classes_add_up_to_the_day(
            pick in 0_usize..5,
            first in 0_i64..20_000,
            amounts in proptest::collection::vec(proptest::option::of(0_i64..10_000_000), 1..400),
            half_hours in proptest::collection::vec(0_u8..3, 48),
            prices in proptest::array::uniform3(-1_000_i64..30_000),
        ) {
            let names = ["Asia/Shanghai", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe"];
            let zone = zone(names[pick]);
            let mut tariff = tariff();
            tariff.half_hours.copy_from_slice(&half_hours);
            tariff.valid_from = date("1970-01-01");
            for (class, price) in tariff.classes.iter_mut().zip(prices) {
                class.price = Decimal::new(price, -4).unwrap();
            }
            // Across the spring change of Berlin, 2026-03-29.
            let origin = 1_774_483_200_000 + first * CELL_MS;
            let cells: Vec<_> = (0..).zip(&amounts)
                .filter_map(|(number, amount)| amount.map(|counts| cell(origin + number * CELL_MS, counts)))
                .collect();
            let last = UtcMs(origin + 400 * CELL_MS);
            let found = days(&zone, Some(&tariff), &cells, calendar::day_of(&zone, UtcMs(origin)),
                calendar::day_of(&zone, last), last).unwrap();
            let (mut energy, mut cost) = (0_i64, 0_i128);
            for day in &found {
                let by_class = sum(day.classes.iter().map(|class| class.energy)).unwrap();
                prop_assert_eq!(by_class, day.energy.unwrap_or(Decimal::ZERO));
                prop_assert_eq!(day.good + day.missing <= day.cells, true);
                energy += day.energy.map_or(0, |energy| energy.mantissa_at(-2).unwrap());
                cost += day.cost.map_or(0, |cost| i128::from(cost.mantissa_at(-6).unwrap()));
            }
            prop_assert_eq!(energy, amounts.iter().flatten().sum::<i64>());
            let expected: i128 = cells.iter().map(|cell| {
                let half = usize::from(calendar::half_hour_of(&zone, cell.start));
                i128::from(cell.energy.mantissa()) * i128::from(prices[usize::from(half_hours[half])])
            }).sum();
            prop_assert_eq!(cost, expected);
        }
    }
}
