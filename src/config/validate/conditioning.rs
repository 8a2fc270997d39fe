//! What is done to a point's readings beyond scale and range: whether it fits the point.

use super::super::diagnostic::Code;
use super::super::leaf::{At, Deadband};
use super::super::source::Place;
use super::super::{Checks, Conditioning, Frozen, RateMax, Report, limits, spec};
use super::Context;
use super::register::Found;
use crate::point::{Conversion, Decimal, Unit, ValueKind};

/// What the files say of it.
pub struct Said<'a> {
    pub raw_unit: Option<Found<'a, At<Unit>>>,
    pub clamp: Option<Found<'a, At<[Decimal; 2]>>>,
    pub counter: Option<Found<'a, At<spec::Counter>>>,
    pub checks: Option<Found<'a, At<spec::Checks>>>,
    pub report: Option<Found<'a, At<spec::Report>>>,
}

/// What is known of the point's signal already.
pub struct Signal {
    pub kind: ValueKind,
    pub unit: Unit,
    pub scale: Decimal,
    pub range: Option<(Decimal, Decimal)>,
    /// Its numbers are names.
    pub has_states: bool,
    /// The raw number is a count: not yet multiplied or divided by another register.
    pub is_count: bool,
    /// Most the raw number can be, if that is known.
    pub most: Option<i128>,
    /// How often it is read, if that is known. Milliseconds.
    pub interval_ms: Option<u64>,
}

impl Signal {
    fn is_number(&self) -> bool {
        matches!(self.kind, ValueKind::Decimal | ValueKind::F64)
    }
}

/// The kind the values then have, and what is done to them.
pub fn resolve(said: &Said<'_>, signal: &Signal, context: &mut Context<'_>) -> (ValueKind, Conditioning) {
    let conversion = said.raw_unit.as_ref().and_then(|at| conversion(at, signal, context));
    let is_exact = conversion.is_none_or(|conversion| conversion.exact().is_some());
    // 5/9 is no decimal, and a series has one kind of value.
    let kind = if is_exact { signal.kind } else { ValueKind::F64 };
    let conditioning = Conditioning {
        raw_unit: said.raw_unit.as_ref().filter(|_| conversion.is_some()).map(|at| **at.value),
        clamp: said.clamp.as_ref().and_then(|at| clamp(at, signal, context)),
        counter_modulus: said.counter.as_ref().and_then(|at| counter(at, said, signal, is_exact, context)),
        checks: said.checks.as_ref().map_or_else(Checks::default, |at| checks(at, said, signal, context)),
        report: said.report.as_ref().and_then(|at| report(at, signal, context)),
    };
    (kind, conditioning)
}

fn conversion(at: &Found<'_, At<Unit>>, signal: &Signal, context: &mut Context<'_>) -> Option<Conversion> {
    if !signal.is_number() || signal.has_states {
        let help = "flags, texts and states have no unit: take it out";
        context.error(Code::Misplaced, at.place(), "there is no number to convert", help);
        return None;
    }
    match Unit::conversion(**at.value, signal.unit) {
        Ok(conversion) => Some(conversion),
        Err(why) => {
            let help = "write the unit the device sends here, and the one of the point to `unit`";
            context.error(Code::Conditioning, at.place(), why.to_string(), help);
            None
        }
    }
}

fn clamp(
    at: &Found<'_, At<[Decimal; 2]>>,
    signal: &Signal,
    context: &mut Context<'_>,
) -> Option<(Decimal, Decimal)> {
    if !signal.is_number() || signal.has_states {
        let help = "flags, texts and states have no ends: take it out";
        context.error(Code::Misplaced, at.place(), "there is no number to clamp", help);
        return None;
    }
    let (low, high) = context.range(at.source, Some(at.value))?;
    if let Some((least, most)) =
        signal.range.filter(|(least, most)| low < *least || *most < high || (low, high) == (*least, *most))
    {
        let message = format!("nothing between {least} and {most} is beyond {low} or {high}");
        let help =
            "the clamp lies within the range: what is out of range is doubted, what is in it is clamped";
        context.error(Code::Conditioning, at.place(), message, help);
        return None;
    }
    Some((low, high))
}

fn counter(
    at: &Found<'_, At<spec::Counter>>,
    said: &Said<'_>,
    signal: &Signal,
    is_exact: bool,
    context: &mut Context<'_>,
) -> Option<u64> {
    let wrong = if signal.kind != ValueKind::Decimal || signal.has_states || !signal.is_count {
        Some(
            "a counter is a whole number as the device has it, not a float, a state or a product of registers",
        )
    } else if !is_exact {
        Some("this unit is no decimal of the device's, and a counter stays exact")
    } else if signal.scale <= Decimal::ZERO {
        Some("a counter rises, and with this scale it falls")
    } else if said.clamp.is_some() {
        Some("a counter has no ends to clamp it to")
    } else {
        None
    };
    if let Some(message) = wrong {
        context.error(
            Code::Conditioning,
            at.place(),
            message,
            "take `counter` out, or what stands against it",
        );
        return None;
    }
    let modulus = match (&at.value.digits, &at.value.modulus) {
        (Some(digits), None) => 10_u64.checked_pow(u32::from(**digits)),
        (None, Some(modulus)) => u64::try_from(**modulus).ok(),
        _ => {
            let help = "digits = 8, or modulus = 4294967296";
            context.error(
                Code::Conditioning,
                at.place(),
                "a counter says one of `digits` and `modulus`",
                help,
            );
            None
        }
    }?;
    if let Some(most) = signal.most.filter(|most| i128::from(modulus) > most + 1) {
        let message = format!("the register begins again after {most}, before it comes to {modulus}");
        let help = format!("write modulus = {}, or correct the type", most + 1);
        context.error(Code::Conditioning, at.place(), message, &help);
        return None;
    }
    Some(modulus)
}

fn checks(
    at: &Found<'_, At<spec::Checks>>,
    said: &Said<'_>,
    signal: &Signal,
    context: &mut Context<'_>,
) -> Checks {
    let place = |span| Place { source: at.source, span };
    if !signal.is_number() || signal.has_states {
        let help = "flags, texts and states may stand still and jump: take it out";
        context.error(Code::Misplaced, at.place(), "only numbers are watched", help);
        return Checks::default();
    }
    let written = &**at.value;
    if let Some(band) = &written.frozen_band {
        let wrong = if **band < Decimal::ZERO {
            Some(("a band is a distance and not negative", "write 0.05"))
        } else if written.frozen_after.is_none() {
            Some(("it is not said after which time it is frozen", "write frozen_after = \"30m\""))
        } else {
            None
        };
        if let Some((message, help)) = wrong {
            context.error(Code::Conditioning, place(band.span()), message, help);
        }
    }
    let frozen = written.frozen_after.as_ref().map(|after| {
        let after_ms = context.millis(at.source, Some(after), limits::FROZEN_AFTER_MS, after.0);
        if let Some(interval) = signal.interval_ms.filter(|interval| after_ms < interval.saturating_mul(2)) {
            let help = format!("it is read every {}: take at least twice that", super::words(interval));
            let message = "the point would be frozen between two readings";
            context.error(Code::Conditioning, place(after.span()), message, &help);
        }
        Frozen { after_ms, band: written.frozen_band.as_ref().map_or(Decimal::ZERO, |band| **band) }
    });
    let unit_jump = written.unit_jump.as_ref().filter(|asked| ***asked);
    if let Some(asked) = unit_jump {
        let sent = said.raw_unit.as_ref().map_or(signal.unit, |raw| **raw.value);
        let others = Unit::alike(sent).filter_map(|other| Unit::conversion(sent, other).ok());
        if others.filter(|conversion| !conversion.is_one()).count() == 0 {
            let message = format!("{sent} has no other unit it could jump to");
            context.error(Code::Conditioning, place(asked.span()), message, "take `unit_jump` out");
        }
    }
    Checks {
        frozen,
        rate_max: written.rate_max.as_ref().map(|rate| RateMax { change: rate.change, per_ms: rate.per_ms }),
        unit_jump: unit_jump.is_some(),
    }
}

fn report(at: &Found<'_, At<spec::Report>>, signal: &Signal, context: &mut Context<'_>) -> Option<Report> {
    let written = &**at.value;
    let place = |span| Place { source: at.source, span };
    let deadband = match &written.deadband {
        None => Decimal::ZERO,
        Some(found) if !signal.is_number() || signal.has_states => {
            let help = "a flag, a text or a state is kept when it changes: take it out";
            context.error(
                Code::Misplaced,
                place(found.span()),
                "there is no distance between these values",
                help,
            );
            return None;
        }
        Some(found) => match **found {
            Deadband::Absolute(distance) => distance,
            Deadband::OfRange(part) => {
                let Some((low, high)) = signal.range else {
                    let help = "write `range`, or the deadband in the unit";
                    context.error(
                        Code::Deadband,
                        place(found.span()),
                        "there is no range to take a part of",
                        help,
                    );
                    return None;
                };
                let hundredth = Decimal::new(1, -2).and_then(|hundredth| part.checked_mul(hundredth));
                let distance =
                    high.checked_sub(low).and_then(|wide| hundredth.and_then(|part| wide.checked_mul(part)));
                distance.unwrap_or(Decimal::ZERO)
            }
        },
    };
    let min_interval_ms =
        context.millis(at.source, written.min_interval.as_ref(), limits::MIN_INTERVAL_MS, 0);
    let heartbeat = written.heartbeat.as_ref();
    let heartbeat_ms =
        context.millis(at.source, heartbeat, limits::HEARTBEAT_MS, limits::HEARTBEAT_DEFAULT_MS);
    if heartbeat_ms < min_interval_ms {
        let span = written.min_interval.as_ref().map_or_else(|| at.value.span(), At::span);
        let message = format!("a row comes every {} in any case", super::words(heartbeat_ms));
        context.error(Code::Conditioning, place(span), message, "take less than the heartbeat");
    }
    Some(Report { deadband, min_interval_ms, heartbeat_ms })
}
