//! Meters and tariffs: registers that can be counted, days that are priced once.

use super::super::diagnostic::{Code, Problem};
use super::super::leaf::At;
use super::super::source::Place;
use super::super::spec::{self, File, Text};
use super::super::{Meter, Part, Point, Tariff, TariffClass, limits};
use super::{Context, Ids};
use crate::point::{Decimal, ValueKind};

const HALF_HOURS: usize = 48;

/// All tariffs; an id may be known though its hours are wrong.
#[derive(Default)]
pub struct Tariffs {
    ids: Ids,
    pub list: Vec<Tariff>,
}

pub fn tariffs(parts: &[Part<File>], context: &mut Context<'_>) -> Tariffs {
    let mut tariffs = Tariffs::default();
    let all = parts.iter().flat_map(|part| part.content.tariffs.iter().map(move |tariff| (part, tariff)));
    for (part, tariff) in all {
        tariffs.ids.claim("tariffs", &tariff.id, &part.place(&tariff.id), context);
        let mut ids = Ids::default();
        let mut classes = Vec::new();
        for class in &tariff.classes {
            ids.claim("classes of this tariff", &class.id, &part.place(&class.id), context);
            classes.push(TariffClass {
                id: class.id.clone(),
                name: Text::names(class.name.as_ref(), &class.id),
                price: class.price,
            });
        }
        if let Some(half_hours) = half_hours(part, tariff, context) {
            tariffs.list.push(Tariff {
                id: tariff.id.clone(),
                name: Text::names(tariff.name.as_ref(), &tariff.id),
                valid_from: tariff.valid_from.0,
                half_hours,
                classes,
            });
        }
    }
    tariffs
}

/// All meters; needs all points.
pub fn meters(parts: &[Part<File>], tariffs: &Tariffs, context: &mut Context<'_>) -> Vec<Meter> {
    let (mut ids, mut list) = (Ids::default(), Vec::new());
    let all = parts.iter().flat_map(|part| part.content.meters.iter().map(move |meter| (part, meter)));
    for (part, meter) in all {
        ids.claim("meters", &meter.id, &part.place(&meter.id), context);
        if let Some(tariff) = meter.tariff.as_ref().filter(|id| !tariffs.ids.0.contains_key(id)) {
            context.unknown("tariff", tariff.as_str(), part.place(tariff), tariffs.ids.words());
        }
        let point = context.point(part.place(&meter.point), &meter.point);
        if let Some(point) = &point {
            countable(part, meter, point, context);
        }
        list.extend(counted(part, meter, point.as_ref(), context));
    }
    list
}

/// A meter with its numbers in counts of the register.
fn counted(
    part: &Part<File>,
    meter: &spec::Meter,
    point: Option<&Point>,
    context: &mut Context<'_>,
) -> Option<Meter> {
    let interval = context.intervals.get(&*meter.point).copied().unwrap_or(limits::INTERVAL_DEFAULT_MS);
    let expected_interval_ms =
        context.millis(part.source, meter.expected_interval.as_ref(), limits::INTERVAL_MS, interval);
    let Some(resolution_exponent) = power_of_ten(*meter.resolution) else {
        let message = format!("{} is no power of ten", *meter.resolution);
        let help = "write the last digit the register counts: 0.01, 1, 1000";
        context.error(Code::Meter, part.place(&meter.resolution), message, help);
        return None;
    };
    let modulus = modulus(part, meter, point, resolution_exponent, context);
    let rate_max_per_hour = counts(part, &meter.rate_max, resolution_exponent, context);
    Some(Meter {
        id: meter.id.clone(),
        name: Text::names(meter.name.as_ref(), &meter.id),
        point: meter.point.clone(),
        resolution_exponent,
        modulus: modulus?,
        rate_max_per_hour: rate_max_per_hour?,
        expected_interval_ms,
        tariff: meter.tariff.as_deref().cloned(),
    })
}

/// Where the register begins again. A counter that goes on beyond it never does.
fn modulus(
    part: &Part<File>,
    meter: &spec::Meter,
    point: Option<&Point>,
    exponent: i8,
    context: &mut Context<'_>,
) -> Option<u64> {
    let goes_on = point.is_some_and(|point| point.conditioning.counter_modulus.is_some());
    match &meter.rollover_at {
        Some(at) if goes_on => {
            let message = format!("\"{}\" is a counter and goes on beyond its register", *meter.point);
            context.error(Code::Meter, part.place(at), message, "take `rollover_at` out");
            None
        }
        Some(at) => counts(part, at, exponent, context),
        None if goes_on => u64::try_from(i64::MAX).ok(),
        None if point.is_none() && !context.complete => None,
        None => {
            let help =
                "rollover_at: where the register begins again at 0: 1000000; or give the point a `counter`";
            context.error(
                Code::MissingField,
                part.place(&meter.id),
                "the field `rollover_at` is missing",
                help,
            );
            None
        }
    }
}

/// Whether the point's values are whole counts of the resolution, in a unit the tariff can price.
fn countable(part: &Part<File>, meter: &spec::Meter, point: &Point, context: &mut Context<'_>) {
    let unit = point.unit;
    if !matches!(
        unit.code(),
        "W.h"
            | "kW.h"
            | "MW.h"
            | "kvar.h"
            | "kV.A.h"
            | "J"
            | "kJ"
            | "MJ"
            | "GJ"
            | "l"
            | "kl"
            | "m3"
            | "kg"
            | "t"
    ) {
        let message = format!("\"{}\" is in {unit}, which does not add up over time", point.address);
        context.error(
            Code::Meter,
            part.place(&meter.point),
            message,
            "a meter needs a cumulative register: kW.h, m3, GJ",
        );
    }
    if let Some(tariff) = meter.tariff.as_ref().filter(|_| unit.code() != "kW.h") {
        let message = format!("the prices are per kWh and \"{}\" is in {unit}", point.address);
        context.error(
            Code::Meter,
            part.place(tariff),
            message,
            "scale the point to kW.h, or take the tariff out",
        );
    }
    if point.kind != ValueKind::Decimal {
        let message = format!("\"{}\" is a binary float and cannot be counted exactly", point.address);
        context.error(Code::Meter, part.place(&meter.point), message, "read the meter's integer register");
    }
    let Some((count, offset)) = point.count() else { return };
    let exact = power_of_ten(*meter.resolution)
        .is_none_or(|exponent| [count, offset].iter().all(|n| n.mantissa_at(exponent).is_some()));
    if !exact {
        let message = format!("the register counts in {count}, finer than this");
        let help = format!("write resolution = {count}");
        context.error(Code::Meter, part.place(&meter.resolution), message, &help);
    }
}

fn power_of_ten(number: Decimal) -> Option<i8> {
    let limit = Decimal::EXPONENT_MAX;
    (-limit..=limit).find(|exponent| Decimal::new(1, *exponent).is_ok_and(|power| power == number))
}

fn counts(part: &Part<File>, number: &At<Decimal>, exponent: i8, context: &mut Context<'_>) -> Option<u64> {
    let counts =
        number.mantissa_at(exponent).and_then(|counts| u64::try_from(counts).ok()).filter(|n| *n > 0);
    if counts.is_none() {
        let message = format!("{} is not a whole number of counts above zero", **number);
        context.error(
            Code::Meter,
            part.place(number),
            message,
            "a multiple of the resolution, in the point's unit",
        );
    }
    counts
}

/// Which class each half hour belongs to, if each belongs to exactly one.
fn half_hours(
    part: &Part<File>,
    tariff: &spec::Tariff,
    context: &mut Context<'_>,
) -> Option<[u8; HALF_HOURS]> {
    let mut owners: [Option<(u8, Place)>; HALF_HOURS] = [const { None }; HALF_HOURS];
    let before = context.problems.len();
    for (index, class) in tariff.classes.iter().enumerate() {
        let index = u8::try_from(index).ok()?;
        for hours in &class.hours {
            let place = part.place(hours);
            let mut first = None;
            for half_hour in hours.half_hours() {
                match owners.get_mut(half_hour) {
                    Some(Some((_, other))) => first = first.or(Some((half_hour, other.clone()))),
                    Some(free) => *free = Some((index, place.clone())),
                    None => {}
                }
            }
            if let Some((half_hour, other)) = first {
                let message = format!("the half hour at {} is priced twice", clock(half_hour));
                let problem = Problem::error(Code::TariffHours, place, message);
                context
                    .problems
                    .push(problem.note(other, "also here").help("let the stretches end where others begin"));
            }
        }
    }
    let gaps = gaps(&owners);
    if !gaps.is_empty() && context.complete {
        let message = format!("no class of \"{}\" has the hours {}", *tariff.id, gaps.join(", "));
        context.error(
            Code::TariffHours,
            part.place(&tariff.id),
            message,
            "give them to a class: the 48 half hours of a day are covered",
        );
    }
    let complete = gaps.is_empty() && context.problems.len() == before;
    complete.then(|| owners.map(|owner| owner.map_or(0, |(class, _)| class)))
}

/// Stretches without an owner, as a tariff writes them.
fn gaps<T>(owners: &[Option<T>]) -> Vec<String> {
    let mut gaps: Vec<(usize, usize)> = Vec::new();
    for (half_hour, _) in owners.iter().enumerate().filter(|(_, owner)| owner.is_none()) {
        match gaps.last_mut() {
            Some((_, end)) if *end == half_hour => *end += 1,
            _ => gaps.push((half_hour, half_hour + 1)),
        }
    }
    gaps.into_iter().map(|(from, to)| format!("{}-{}", clock(from), clock(to))).collect()
}

fn clock(half_hour: usize) -> String {
    format!("{:02}:{}0", half_hour / 2, half_hour % 2 * 3)
}
