//! A raw sample becomes a value in the point's unit, or a reason why there is none.

use super::PointSettings;
use crate::field::{Fault, Raw};
use crate::point::{Decimal, Quality, Reason, TextId, Value, ValueKind};

/// The value and its quality as far as the sample alone tells; the value is there unless Bad.
pub(super) type Made = Result<(Value, Quality), Reason>;

/// What the settings of a point come to, worked out once: a factor of one is none, and floats are
/// not made of decimals again for each reading. It lies with what else is known of 50,000 points
/// and is looked at for every reading, so what many points do not have takes no room.
#[derive(Clone, Debug)]
pub(super) struct Recipe {
    kind: ValueKind,
    changes: Option<Box<Changes>>,
}

/// What is done to the number of a sample.
#[derive(Clone, Debug)]
struct Changes {
    factor: Option<Level>,
    offset: Option<Level>,
    range: Option<(Level, Level)>,
}

/// A number of the settings: exact, and its nearest float for values that are floats.
#[derive(Clone, Copy, Debug)]
struct Level {
    exact: Decimal,
    float: f64,
}

impl Recipe {
    pub(super) fn new(point: &PointSettings) -> Recipe {
        let level = |exact: Decimal| Level { exact, float: exact.to_f64() };
        let changes = Changes {
            factor: (point.scale != Decimal::ONE).then(|| level(point.scale)),
            offset: (point.offset != Decimal::ZERO).then(|| level(point.offset)),
            range: point.range.map(|(low, high)| (level(low), level(high))),
        };
        let Changes { factor, offset, range } = &changes;
        let is_changed = factor.is_some() || offset.is_some() || range.is_some();
        Recipe { kind: point.kind, changes: is_changed.then(|| Box::new(changes)) }
    }
}

/// Applies the point's settings to one sample.
pub(super) fn make(
    point: &Recipe,
    raw: Result<Raw, Fault>,
    texts: &mut dyn FnMut(&str) -> Option<TextId>,
) -> Made {
    let (raw, said) = match raw.map_err(reason_of)? {
        Raw::Doubted(raw) => (*raw, Quality::Uncertain(Reason::Source)),
        raw => (raw, Quality::Good),
    };
    let value = match point.kind {
        ValueKind::Bool => flag(&raw)?,
        ValueKind::Text => texts(&word(&raw)?).map(Value::Text).ok_or(Reason::Configuration)?,
        ValueKind::Decimal | ValueKind::F64 => scaled(point, &number(&raw)?)?,
    };
    let quality = if in_range(point, value) { Quality::Good } else { Quality::Uncertain(Reason::OutOfRange) };
    Ok((value, said.worse(quality)))
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

/// `raw * scale + offset`; exact for exact numbers, and a factor of one changes no digit.
fn scaled(point: &Recipe, number: &Number) -> Result<Value, Reason> {
    let Some(changes) = &point.changes else {
        return Ok(match number {
            Number::Exact(raw) => Value::Decimal(*raw),
            Number::Float(raw) => Value::F64(*raw),
        });
    };
    match number {
        Number::Exact(raw) => {
            let product = changes.factor.map_or(Ok(*raw), |factor| raw.checked_mul(factor.exact));
            let sum =
                product.and_then(|n| changes.offset.map_or(Ok(n), |offset| n.checked_add(offset.exact)));
            // The settings push the number out of 64 bits: they do not fit this device.
            sum.map(Value::Decimal).map_err(|_| Reason::Configuration)
        }
        Number::Float(raw) => {
            let product = changes.factor.map_or(*raw, |factor| raw * factor.float);
            let sum = changes.offset.map_or(product, |offset| product + offset.float);
            if sum.is_finite() { Ok(Value::F64(sum)) } else { Err(Reason::Configuration) }
        }
    }
}

fn in_range(point: &Recipe, value: Value) -> bool {
    let Some((low, high)) = point.changes.as_ref().and_then(|changes| changes.range) else { return true };
    match value {
        Value::Decimal(number) => low.exact <= number && number <= high.exact,
        Value::F64(number) => low.float <= number && number <= high.float,
        Value::Bool(_) | Value::Text(_) => true,
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
            id: PointId(1),
            kind,
            scale: number(scale),
            offset: number(offset),
            range: range.map(|(low, high)| (number(low), number(high))),
            stale_after_ms: 1_000,
        }
    }

    fn make_of(point: &PointSettings, raw: Result<Raw, Fault>) -> Made {
        make(&Recipe::new(point), raw, &mut |text| (text.len() < 10).then_some(TextId(7)))
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
