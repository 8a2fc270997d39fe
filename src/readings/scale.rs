//! A raw sample becomes a value in the point's unit, or a reason why there is none.

use super::PointSettings;
use crate::field::{Fault, Raw};
use crate::point::{Conversion, Decimal, Quality, Reason, TextId, Unit, Value, ValueKind};

/// The value and its quality as far as the sample alone tells; the value is there unless Bad.
pub(super) type Made = Result<(Value, Quality), Reason>;

/// What the settings of a point come to, worked out once: a factor of one is none, and floats are
/// not made of decimals again for each reading. It lies with what else is known of 50,000 points
/// and is looked at for every reading, so what many points do not have takes no room.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Recipe {
    pub(super) kind: ValueKind,
    pub(super) changes: Option<Box<Changes>>,
}

/// What is done to the number of a sample.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Changes {
    /// Of the scale, and of the change of unit where that is a decimal.
    factor: Option<Level>,
    offset: Option<Level>,
    /// The change of unit where it is no decimal.
    after: Option<Conversion>,
    pub(super) range: Option<(Level, Level)>,
    pub(super) clamp: Option<(Level, Level)>,
    pub(super) states: Option<Box<[i64]>>,
    /// As it is configured, for whoever asks how a value came about.
    pub(super) written: Written,
}

/// The way from the raw number to the value as it is configured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Written {
    pub(super) scale: Decimal,
    pub(super) offset: Decimal,
    pub(super) units: Option<(Unit, Unit, Conversion)>,
}

/// A number of the settings: exact, and its nearest float for values that are floats.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Level {
    pub(super) exact: Decimal,
    pub(super) float: f64,
}

impl Level {
    pub(super) fn of(exact: Decimal) -> Level {
        Level { exact, float: exact.to_f64() }
    }

    /// Whether the value is below it; a flag or word never is.
    pub(super) fn is_above(&self, value: Value) -> bool {
        match value {
            Value::Decimal(number) => number < self.exact,
            Value::F64(number) => number < self.float,
            Value::Bool(_) | Value::Text(_) => false,
        }
    }

    /// Whether the value is above it; a flag or word never is.
    pub(super) fn is_below(&self, value: Value) -> bool {
        match value {
            Value::Decimal(number) => self.exact < number,
            Value::F64(number) => self.float < number,
            Value::Bool(_) | Value::Text(_) => false,
        }
    }
}

/// Whether the value lies between both or on one of them.
pub(super) fn between(ends: &(Level, Level), value: Value) -> bool {
    !ends.0.is_above(value) && !ends.1.is_below(value)
}

impl Recipe {
    pub(super) fn new(point: &PointSettings) -> Recipe {
        let ends = |(low, high)| (Level::of(low), Level::of(high));
        let units = units(point);
        // One step where that is exact, so that a change of unit costs no more than a scale.
        let folded = units.and_then(|(.., conversion)| {
            let (factor, offset) = conversion.exact()?;
            let moved = point.offset.checked_mul(factor).and_then(|moved| moved.checked_add(offset)).ok()?;
            Some((point.scale.checked_mul(factor).ok()?, moved))
        });
        let (scale, offset) = folded.unwrap_or((point.scale, point.offset));
        let has_states = !point.states.is_empty() && point.kind != ValueKind::Bool;
        let changes = Changes {
            factor: (scale != Decimal::ONE).then(|| Level::of(scale)),
            offset: (offset != Decimal::ZERO).then(|| Level::of(offset)),
            after: units.map(|(.., conversion)| conversion).filter(|_| folded.is_none()),
            range: point.range.map(ends),
            clamp: point.conditioning.clamp.map(ends),
            states: has_states.then(|| point.states.as_slice().into()),
            written: Written { scale: point.scale, offset: point.offset, units },
        };
        let Changes { factor, offset, after, range, clamp, states, written: _ } = &changes;
        let is_changed = factor.is_some() || offset.is_some() || after.is_some();
        let is_judged = range.is_some() || clamp.is_some() || states.is_some();
        Recipe { kind: point.kind, changes: (is_changed || is_judged).then(|| Box::new(changes)) }
    }

    /// What a number of raw counts more comes to: none if that is no decimal.
    pub(super) fn of_counts(&self, counts: u64) -> Option<Decimal> {
        let counts = Decimal::from_int(i64::try_from(counts).ok()?);
        match self.changes.as_ref() {
            None => Some(counts),
            Some(changes) if changes.after.is_some() => None,
            Some(changes) => {
                changes.factor.map_or(Some(counts), |factor| counts.checked_mul(factor.exact).ok())
            }
        }
    }

    /// What no counts come to.
    pub(super) fn of_none(&self) -> Decimal {
        let offset = self.changes.as_ref().and_then(|changes| changes.offset);
        offset.map_or(Decimal::ZERO, |offset| offset.exact)
    }
}

fn units(point: &PointSettings) -> Option<(Unit, Unit, Conversion)> {
    let raw = point.conditioning.raw_unit.filter(|raw| *raw != point.unit)?;
    // The configuration has refused what does not convert.
    let conversion = Unit::conversion(raw, point.unit).ok()?;
    Some((raw, point.unit, conversion))
}

/// Applies the point's settings to one sample.
pub(super) fn make(
    point: &Recipe,
    raw: &Result<Raw, Fault>,
    texts: &mut dyn FnMut(&str) -> Option<TextId>,
) -> Made {
    let (raw, said) = match raw.as_ref().map_err(|fault| reason_of(*fault))? {
        Raw::Doubted(raw) => (&**raw, Quality::Uncertain(Reason::Source)),
        raw => (raw, Quality::Good),
    };
    let value = match point.kind {
        ValueKind::Bool => flag(raw)?,
        ValueKind::Text => texts(&word(raw)?).map(Value::Text).ok_or(Reason::Configuration)?,
        ValueKind::Decimal | ValueKind::F64 => scaled(point, &number(raw)?)?,
    };
    let Some(changes) = &point.changes else { return Ok((value, said)) };
    if !is_possible(changes, value) {
        return Ok((value, said.worse(Quality::Uncertain(Reason::OutOfRange))));
    }
    Ok((clamped(changes, value), said))
}

/// Within the range of the instrument, and one of the states if it has states.
pub(super) fn is_possible(changes: &Changes, value: Value) -> bool {
    let is_state = |states: &[i64]| match value {
        Value::Decimal(number) => states.iter().any(|state| Decimal::from_int(*state) == number),
        #[expect(clippy::cast_precision_loss, reason = "a state beyond 53 bits is none of a float")]
        Value::F64(number) => states.iter().any(|state| (*state as f64 - number).abs() == 0.0),
        Value::Bool(_) | Value::Text(_) => true,
    };
    changes.range.as_ref().is_none_or(|range| between(range, value))
        && changes.states.as_deref().is_none_or(is_state)
}

/// What lies beyond an end is that end. Asked after the range, so that what the instrument cannot
/// show at all is never made to look like what it can.
pub(super) fn clamped(changes: &Changes, value: Value) -> Value {
    let Some((low, high)) = &changes.clamp else { return value };
    let end = match value {
        value if low.is_above(value) => low,
        value if high.is_below(value) => high,
        value => return value,
    };
    match value {
        Value::F64(_) => Value::F64(end.float),
        _ => Value::Decimal(end.exact),
    }
}

fn reason_of(fault: Fault) -> Reason {
    match fault {
        Fault::Timeout => Reason::Timeout,
        Fault::NoConnection => Reason::NoCommunication,
        Fault::Exception(_) | Fault::NotAvailable => Reason::DeviceFailure,
        Fault::Malformed | Fault::Decoding => Reason::Decoding,
        Fault::Sensor => Reason::SensorFailure,
        Fault::OutOfRange => Reason::OutOfRange,
    }
}

/// A flag is 0 or 1, however it is spelled; anything else is not guessed at.
fn flag(raw: &Raw) -> Result<Value, Reason> {
    let on = match raw {
        Raw::Value(Value::Bool(on)) => Some(*on),
        Raw::Value(Value::Decimal(number)) if *number == Decimal::ZERO => Some(false),
        Raw::Value(Value::Decimal(number)) if *number == Decimal::ONE => Some(true),
        Raw::Value(Value::F64(number)) if *number == 0.0 => Some(false),
        Raw::Value(Value::F64(number)) if (*number - 1.0).abs() == 0.0 => Some(true),
        Raw::Text(text) => match text.trim() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        },
        Raw::Value(_) | Raw::Doubted(_) => None,
    };
    on.map(Value::Bool).ok_or(Reason::Decoding)
}

/// A word as it came; a number or flag where a word is expected is its spelling.
fn word(raw: &Raw) -> Result<String, Reason> {
    match raw {
        Raw::Text(text) => Ok(text.clone()),
        Raw::Value(Value::Bool(on)) => Ok(on.to_string()),
        Raw::Value(Value::Decimal(number)) => Ok(number.to_string()),
        Raw::Value(Value::F64(number)) => Ok(number.to_string()),
        // A dictionary number from below the dictionary means nothing.
        Raw::Value(Value::Text(_)) | Raw::Doubted(_) => Err(Reason::Decoding),
    }
}

/// The raw number or flag of a sample as a value, before anything is done to it. A word, which only
/// the dictionary could number, is none.
pub(super) fn unscaled(point: &Recipe, raw: &Result<Raw, Fault>) -> Result<Value, Reason> {
    let raw = match raw.as_ref().map_err(|fault| reason_of(*fault))? {
        Raw::Doubted(raw) => &**raw,
        raw => raw,
    };
    match point.kind {
        ValueKind::Bool => flag(raw),
        ValueKind::Text => Err(Reason::Decoding),
        ValueKind::Decimal | ValueKind::F64 => number(raw).map(|number| match number {
            Number::Exact(raw) => Value::Decimal(raw),
            Number::Float(raw) => Value::F64(raw),
        }),
    }
}

enum Number {
    Exact(Decimal),
    Float(f64),
}

fn number(raw: &Raw) -> Result<Number, Reason> {
    match raw {
        Raw::Value(Value::Bool(on)) => Ok(Number::Exact(Decimal::from_int(i64::from(*on)))),
        Raw::Value(Value::Decimal(number)) => Ok(Number::Exact(*number)),
        Raw::Value(Value::F64(number)) if number.is_finite() => Ok(Number::Float(*number)),
        Raw::Value(Value::F64(_)) => Err(Reason::SensorFailure),
        Raw::Value(Value::Text(_)) | Raw::Doubted(_) => Err(Reason::Decoding),
        Raw::Text(text) => text.trim().parse().map(Number::Exact).map_err(|_| Reason::Decoding),
    }
}

/// `raw * factor + offset`, then what changes the unit; exact for exact numbers, and a factor of
/// one changes no digit.
fn scaled(point: &Recipe, number: &Number) -> Result<Value, Reason> {
    let Some(changes) = &point.changes else {
        return Ok(match number {
            Number::Exact(raw) => Value::Decimal(*raw),
            Number::Float(raw) => Value::F64(*raw),
        });
    };
    let value = match number {
        Number::Exact(raw) => {
            let product = changes.factor.map_or(Ok(*raw), |factor| raw.checked_mul(factor.exact));
            let sum =
                product.and_then(|n| changes.offset.map_or(Ok(n), |offset| n.checked_add(offset.exact)));
            // The settings push the number out of 64 bits: they do not fit this device.
            sum.map(Value::Decimal).map_err(|_| Reason::Configuration)?
        }
        Number::Float(raw) => {
            let product = changes.factor.map_or(*raw, |factor| raw * factor.float);
            let sum = changes.offset.map_or(product, |offset| product + offset.float);
            if sum.is_finite() { Value::F64(sum) } else { return Err(Reason::Configuration) }
        }
    };
    match &changes.after {
        None => Ok(value),
        Some(conversion) => conversion.apply(value).ok_or(Reason::Configuration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::point::PointId;
    use proptest::prelude::*;

    fn point(kind: ValueKind, scale: &str, offset: &str, range: Option<(&str, &str)>) -> PointSettings {
        let number = |text: &str| text.parse::<Decimal>().unwrap();
        PointSettings {
            scale: number(scale),
            offset: number(offset),
            range: range.map(|(low, high)| (number(low), number(high))),
            ..PointSettings::plain(PointId(1), kind, 1_000)
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "a sample is made on the spot")]
    fn make_of(point: &PointSettings, raw: Result<Raw, Fault>) -> Made {
        make(&Recipe::new(point), &raw, &mut |text| (text.len() < 10).then_some(TextId(7)))
    }

    fn int(number: i64) -> Raw {
        Raw::Value(Value::Decimal(Decimal::from_int(number)))
    }

    fn spelled(made: Made) -> String {
        match made {
            Ok((Value::Decimal(number), quality)) => format!("{number} {quality}"),
            Ok((value, quality)) => format!("{value:?} {quality}"),
            Err(reason) => format!("bad:{}", reason.word()),
        }
    }

    #[test]
    fn what_its_source_doubts_is_uncertain_and_keeps_its_value() {
        let door = point(ValueKind::Decimal, "1", "0", None);
        let doubted = |raw| Ok(Raw::Doubted(Box::new(raw)));
        let made = make_of(&door, doubted(int(3)));
        assert_eq!(made, Ok((Value::Decimal(Decimal::from_int(3)), Quality::Uncertain(Reason::Source))));
        assert_eq!(make_of(&door, doubted(Raw::Text("x".into()))), Err(Reason::Decoding));
    }

    #[test]
    fn numbers_are_scaled_exactly_and_a_factor_of_one_keeps_the_spelling() {
        let energy = point(ValueKind::Decimal, "0.01", "0", None);
        assert_eq!(spelled(make_of(&energy, Ok(int(99_999_999)))), "999999.99 good");
        let pt100 = point(ValueKind::Decimal, "0.1", "-273.15", Some(("-40", "125")));
        assert_eq!(spelled(make_of(&pt100, Ok(int(2_981)))), "24.95 good");
        assert_eq!(spelled(make_of(&pt100, Ok(int(9_000)))), "626.85 uncertain:out_of_range");
        assert_eq!(spelled(make_of(&pt100, Ok(int(2_331_500)))), "232876.85 uncertain:out_of_range");
        let plain = point(ValueKind::Decimal, "1.0", "0.0", None);
        assert_eq!(spelled(make_of(&plain, Ok(int(42)))), "42 good");
        let beyond = point(ValueKind::Decimal, "99", "0", None);
        assert_eq!(spelled(make_of(&beyond, Ok(int(i64::MAX)))), "bad:configuration");
    }

    #[test]
    fn the_range_includes_its_ends() {
        let point = point(ValueKind::Decimal, "1", "0", Some(("0", "100")));
        for (raw, quality) in
            [(0, "good"), (100, "good"), (101, "uncertain:out_of_range"), (-1, "uncertain:out_of_range")]
        {
            assert_eq!(spelled(make_of(&point, Ok(int(raw)))), format!("{raw} {quality}"));
        }
    }

    #[test]
    fn floats_stay_as_they_came_unless_scaled_and_are_always_finite() {
        let float = |number| Ok(Raw::Value(Value::F64(number)));
        let plain = point(ValueKind::F64, "1", "0", None);
        assert_eq!(
            make_of(&plain, float(f64::from(0.1_f32))),
            Ok((Value::F64(f64::from(0.1_f32)), Quality::Good))
        );
        let halved = point(ValueKind::F64, "0.5", "1", None);
        assert_eq!(make_of(&halved, float(3.0)), Ok((Value::F64(2.5), Quality::Good)));
        assert_eq!(make_of(&plain, float(f64::NAN)), Err(Reason::SensorFailure));
        assert_eq!(make_of(&plain, float(f64::NEG_INFINITY)), Err(Reason::SensorFailure));
        let blown = point(ValueKind::F64, "1e18", "0", None);
        assert_eq!(make_of(&blown, float(f64::MAX)), Err(Reason::Configuration));
    }

    #[test]
    fn words_become_numbers_or_dictionary_entries_by_the_kind_of_the_point() {
        let text = |text: &str| Ok(Raw::Text(text.to_owned()));
        let number = point(ValueKind::Decimal, "1", "0", None);
        assert_eq!(spelled(make_of(&number, text(" 21.50 "))), "21.50 good");
        assert_eq!(spelled(make_of(&number, text("n/a"))), "bad:decoding");
        assert_eq!(spelled(make_of(&number, Ok(Raw::Value(Value::Bool(true))))), "1 good");
        let state = point(ValueKind::Text, "1", "0", None);
        assert_eq!(make_of(&state, text("running")), Ok((Value::Text(TextId(7)), Quality::Good)));
        assert_eq!(make_of(&state, text("much too long")), Err(Reason::Configuration));
        assert_eq!(make_of(&state, Ok(int(3))), Ok((Value::Text(TextId(7)), Quality::Good)));
        assert_eq!(make_of(&state, Ok(Raw::Value(Value::Text(TextId(7))))), Err(Reason::Decoding));
    }

    #[test]
    fn a_flag_is_never_guessed() {
        let door = point(ValueKind::Bool, "1", "0", None);
        let on = Ok((Value::Bool(true), Quality::Good));
        assert_eq!(make_of(&door, Ok(int(1))), on);
        assert_eq!(make_of(&door, Ok(Raw::Value(Value::F64(1.0)))), on);
        assert_eq!(make_of(&door, Ok(Raw::Text("true".into()))), on);
        assert_eq!(make_of(&door, Ok(int(0))), Ok((Value::Bool(false), Quality::Good)));
        for raw in [Ok(int(2)), Ok(int(-1)), Ok(Raw::Text("yes".into())), Ok(Raw::Value(Value::F64(0.5)))] {
            assert_eq!(make_of(&door, raw), Err(Reason::Decoding));
        }
    }

    #[test]
    fn every_fault_has_its_reason() {
        let any = point(ValueKind::Decimal, "1", "0", None);
        for (fault, reason) in [
            (Fault::Timeout, Reason::Timeout),
            (Fault::NoConnection, Reason::NoCommunication),
            (Fault::Exception(2), Reason::DeviceFailure),
            (Fault::NotAvailable, Reason::DeviceFailure),
            (Fault::OutOfRange, Reason::OutOfRange),
            (Fault::Malformed, Reason::Decoding),
            (Fault::Decoding, Reason::Decoding),
            (Fault::Sensor, Reason::SensorFailure),
        ] {
            assert_eq!(make_of(&any, Err(fault)), Err(reason));
        }
    }

    proptest! {
        #[test]
        fn scaling_is_integer_arithmetic(
            raw in -1_000_000_000_i64..1_000_000_000, scale in 1_i64..10_000, offset in -1_000_000_i64..1_000_000, e in 0_i8..6,
        ) {
            let mut settings = point(ValueKind::Decimal, "1", "0", None);
            settings.scale = Decimal::new(scale, -e).unwrap();
            settings.offset = Decimal::new(offset, -e).unwrap();
            let expected = Decimal::new(raw * scale + offset, -e).unwrap();
            prop_assert_eq!(make_of(&settings, Ok(int(raw))), Ok((Value::Decimal(expected), Quality::Good)));
        }
    }
}
