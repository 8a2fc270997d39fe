//! Units that stand in messages.

use super::unreadable::Unreadable;
use crate::field::Raw;
use crate::point::Unit;

/// What else people write for a unit.
const ALIASES: [(&str, &str); 12] = [
    ("°C", "Cel"),
    ("degC", "Cel"),
    ("C", "Cel"),
    ("kWh", "kW.h"),
    ("Wh", "W.h"),
    ("MWh", "MW.h"),
    ("%RH", "%"),
    ("%rH", "%"),
    ("Nm3/h", "m3/h"),
    ("L/h", "l/h"),
    ("Kpa", "kPa"),
    ("Mpa", "MPa"),
];

/// A number of the unit that is written in the message, in the unit of the point.
pub fn converted(raw: Raw, written: &str, to: Unit) -> Result<Raw, Unreadable> {
    let from = read(written.trim(), to).ok_or(Unreadable::UnknownUnit)?;
    if from == to {
        return Ok(raw);
    }
    match raw {
        Raw::Value(value) => {
            let conversion = Unit::conversion(from, to).map_err(|_| Unreadable::WrongUnit)?;
            conversion.apply(value).map(Raw::Value).ok_or(Unreadable::WrongUnit)
        }
        // A word has no unit.
        other => Ok(other),
    }
}

/// The unit of a text: its code, how it is written beside a number, or an alias. A pressure that does
/// not say against what is taken to be measured against the same as that of the point.
fn read(text: &str, to: Unit) -> Option<Unit> {
    let reference = to.to_string();
    let reference = reference.split_once('{').map(|(_, rest)| format!("{{{rest}"));
    let parsed = |code: &str| {
        let with = || reference.as_ref().and_then(|word| format!("{code}{word}").parse().ok());
        code.parse().ok().or_else(with)
    };
    let alias = ALIASES.iter().find(|(written, _)| *written == text).map(|(_, code)| *code);
    parsed(alias.unwrap_or(text)).or_else(|| {
        let units = Unit::codes().filter_map(parsed);
        units.into_iter().find(|unit: &Unit| !text.is_empty() && unit.symbol() == text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::point::Value;

    #[test]
    fn a_written_unit_is_converted_exactly_or_refused() {
        let unit = |text: &str| text.parse::<Unit>().unwrap();
        let number = |text: &str| Raw::Value(Value::Decimal(text.parse().unwrap()));
        for (text, written, to, expected) in [
            ("21.50", "℃", "Cel", Ok("21.50")),
            ("21.50", "°C", "Cel", Ok("21.50")),
            ("294.65", "K", "Cel", Ok("21.50")),
            ("1.5", "kW", "W", Ok("1500")),
            ("1500", " W ", "kW", Ok("1.5")),
            ("12.34", "kWh", "kW.h", Ok("12.34")),
            ("0.4", "MPa", "kPa{gauge}", Ok("400")),
            ("4", "bar{gauge}", "kPa{gauge}", Ok("400")),
            ("4", "bar{absolute}", "kPa{gauge}", Err(Unreadable::WrongUnit)),
            ("4", "kW", "Cel", Err(Unreadable::WrongUnit)),
            ("4", "furlong", "Cel", Err(Unreadable::UnknownUnit)),
            ("4", "", "Cel", Err(Unreadable::UnknownUnit)),
            ("4", "", "1", Err(Unreadable::UnknownUnit)),
            ("4", "MW", "W", Ok("4000000")),
            ("4", "mw", "W", Err(Unreadable::UnknownUnit)),
        ] {
            let converted = converted(number(text), written, unit(to));
            assert_eq!(converted, expected.map(number), "{text} {written} to {to}");
        }
        assert_eq!(converted(Raw::Text("on".into()), "kW", Unit::ONE), Ok(Raw::Text("on".into())));
    }
}
