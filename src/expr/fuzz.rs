//! Any text against the whole of the language: a target for cargo-fuzz (`fuzz/`), played with
//! seeds on every test run.

use super::{
    COST_STEPS_MAX, Datum, Facts, Formula, Inputs, Mistake, Points, REASONS_MAX, State, Tree, Type, Window,
};
use crate::point::{
    Address, Decimal, Names, PointId, Quality, Reading, Reason, TextId, Unit, UtcMs, Value, ValueKind,
};
use std::cell::Cell;

const NOW: UtcMs = UtcMs(1_800_000_000_000);

/// A point of each sort.
const POINTS: &[(&str, ValueKind, &str)] = &[
    ("a/b", ValueKind::Decimal, "1"),
    ("meter/power", ValueKind::Decimal, "kW"),
    ("meter/energy", ValueKind::Decimal, "kW.h"),
    ("or-1/temperature", ValueKind::F64, "Cel"),
    ("or-1/humidity", ValueKind::F64, "%"),
    ("o2/pressure", ValueKind::Decimal, "MPa{gauge}"),
    ("filter/drop", ValueKind::F64, "Pa{difference}"),
    ("door/open", ValueKind::Bool, "1"),
    ("chiller/mode", ValueKind::Decimal, "1"),
    ("lift/word", ValueKind::Text, "1"),
    ("3f/flow", ValueKind::Decimal, "m3/h"),
];

/// What texts are put together of: everything the language has, and what is nearly right.
const PIECES: &[&str] = &[
    "a/b",
    "meter/power",
    "meter/energy",
    "or-1/temperature",
    "or-1/humidity",
    "o2/pressure",
    "filter/drop",
    "door/open",
    "chiller/mode",
    "lift/word",
    "`3f/flow`",
    "3f/flow",
    "no/such",
    "a/b-1",
    " and ",
    " or ",
    "not ",
    "!",
    "&&",
    "||",
    " == ",
    " != ",
    " < ",
    " <= ",
    " > ",
    " >= ",
    " = ",
    " + ",
    " - ",
    "-",
    " * ",
    " / ",
    "/",
    "(",
    ")",
    "(",
    ")",
    ",",
    ", ",
    ", ",
    "true",
    "false",
    "unknown",
    "0",
    "1",
    "2",
    "0.5",
    "3.14",
    "1e18",
    "9e-18",
    "10 min",
    "1 h",
    "7 d",
    "8 d",
    "400 kPa{gauge}",
    "20 Cel",
    "5 K",
    "45 %",
    "50 kW",
    "5 kW.h",
    "2 m3/h",
    "\"running\"",
    "'运行'",
    "\"bad:timeout\"",
    "\"kW\"",
    "\"Cel\"",
    "\"1\"",
    "\\",
    "\"",
    "'",
    "`",
    "（",
    "，",
    "℃",
    "kPa",
    "{gauge}",
    "\n",
    "\t",
    "\0",
    "if(",
    "otherwise(",
    "known(",
    "atleast(",
    "atleast(1, ",
    "good(",
    "uncertain(",
    "bad(",
    "quality(",
    "age(",
    "avg(",
    "min(",
    "max(",
    "sum(",
    "increase(",
    "count(",
    "rate(",
    "changed(",
    "coverage(",
    "abs(",
    "sqrt(",
    "least(",
    "greatest(",
    "mean(",
    "number(",
    "quantity(",
    "dew_point(",
    "wet_bulb(",
    "humidity_ratio(",
    "absolute_humidity(",
    "enthalpy(",
];

/// The points, with readings and windows as the bytes say.
struct World<'a> {
    bytes: &'a [u8],
    asked: Cell<u64>,
}

impl World<'_> {
    fn byte(&self, place: u32) -> u8 {
        let len = u32::try_from(self.bytes.len().max(1)).unwrap_or(u32::MAX);
        self.bytes.get((place % len) as usize).copied().unwrap_or(0)
    }

    fn number(&self, place: u32) -> Decimal {
        let number = i64::from(self.byte(place).cast_signed());
        match self.byte(place + 1) % 8 {
            0 => Decimal::ZERO,
            1 => Decimal::new(i64::MAX, 18).unwrap_or(Decimal::ONE),
            2 => Decimal::new(number, -18).unwrap_or(Decimal::ONE),
            3 => Decimal::from_int(i64::MIN),
            _ => Decimal::from_int(number),
        }
    }

    fn quality(&self, place: u32) -> Quality {
        match self.byte(place) % 8 {
            0 => Quality::Bad(Reason::Timeout),
            1 => Quality::Uncertain(Reason::Stale),
            _ => Quality::Good,
        }
    }
}

impl Points for World<'_> {
    fn find(&self, address: &Address) -> Option<Facts> {
        let name = address.to_string();
        let place = POINTS.iter().position(|(point, ..)| *point == name)?;
        let (_, kind, unit) = POINTS.get(place)?;
        let state =
            |value, zh: &str, en: &str| State { value, names: Names { zh: zh.into(), en: en.into() } };
        let states = match *kind {
            ValueKind::Bool => vec![state(0, "关", "closed"), state(1, "开", "open")],
            ValueKind::Decimal if name == "chiller/mode" => {
                vec![state(0, "停止", "stopped"), state(1, "运行", "running")]
            }
            _ => vec![],
        };
        let point = PointId(u32::try_from(place).ok()?);
        let interval_ms = self.byte(7).is_multiple_of(2).then(|| u64::from(self.byte(9)) * 100);
        Some(Facts { point, kind: *kind, unit: unit.parse().ok()?, states, interval_ms })
    }

    fn addresses(&self) -> Vec<Address> {
        POINTS.iter().filter_map(|(point, ..)| point.parse().ok()).collect()
    }
}

impl Inputs for World<'_> {
    fn reading(&self, point: PointId) -> Option<Reading> {
        self.asked.set(self.asked.get() + 1);
        let (_, kind, _) = POINTS.get(point.0 as usize)?;
        let number = self.number(point.0);
        // Now and then of another kind than was declared, or without its value.
        let value = match (kind, self.byte(point.0 + 3) % 16) {
            (_, 0) => None,
            (_, 1) => Some(Value::Text(TextId(0))),
            (ValueKind::Bool, _) => Some(Value::Bool(self.byte(point.0).is_multiple_of(2))),
            (ValueKind::Text, _) => Some(Value::Text(TextId(point.0 % 3))),
            (ValueKind::F64, 2) => Some(Value::F64(f64::NAN)),
            (ValueKind::F64, _) => Some(Value::F64(number.to_f64() * 0.1)),
            (ValueKind::Decimal, _) => Some(Value::Decimal(number)),
        };
        let at = NOW.plus_ms(-i64::from(self.byte(point.0 + 2)) * 1_000 + 2_000);
        let there = !self.byte(point.0 + 5).is_multiple_of(16);
        there.then_some(Reading { point, at, value, quality: self.quality(point.0 + 4) })
    }

    fn window(&self, point: PointId, length_ms: u64) -> Option<Window> {
        let newest = self.reading(point)?;
        let before = Reading { at: NOW.plus_ms(-i64::from(self.byte(point.0 + 6)) * 10_000), ..newest };
        let older = before.at < newest.at;
        Some(Window::of(
            [before, newest].iter().filter(|reading| older || reading.at == newest.at),
            NOW,
            length_ms,
        ))
    }

    fn text(&self, id: TextId) -> Option<&str> {
        ["", "running"].get(id.0 as usize).copied()
    }
}

/// Any bytes, as they are or as choices of pieces, are a mistake that points into the text, or an
/// expression that prints and reads back as itself, costs what it says and has a finite value or
/// none.
pub fn expressions(data: &[u8]) {
    let text = match data.split_first() {
        Some((shape, rest)) if shape % 4 > 0 => {
            rest.iter().filter_map(|byte| PIECES.get(usize::from(*byte) % PIECES.len()).copied()).collect()
        }
        Some((_, rest)) => String::from_utf8_lossy(rest).into_owned(),
        None => String::new(),
    };
    text_of(&text, data);
}

/// One text, with readings as the bytes say; whether it passed the check.
fn text_of(text: &str, bytes: &[u8]) -> bool {
    let tree = match Tree::parse(text) {
        Ok(tree) => tree,
        Err(mistake) => {
            points_into(&mistake, text);
            return false;
        }
    };
    let printed = tree.to_string();
    // Brackets and units in full may make it longer than what may be read.
    if printed.len() <= super::SOURCE_BYTES_MAX {
        let again = Tree::parse(&printed);
        assert_eq!(again.as_ref(), Ok(&tree), "{text:?} printed {printed:?}");
    }
    let world = World { bytes, asked: Cell::new(0) };
    match tree.check(&world) {
        Ok(formula) => {
            evaluated(formula, &world);
            true
        }
        Err(mistake) => {
            points_into(&mistake, text);
            false
        }
    }
}

fn points_into(mistake: &Mistake, text: &str) {
    let part = text.get(std::ops::Range::from(mistake.span));
    assert!(part.is_some(), "{mistake:?} is outside of {text:?}");
    assert!((1..=text.chars().count() + 1).contains(&mistake.column), "{mistake:?} of {text:?}");
    assert!(!mistake.what.is_empty());
}

fn evaluated(formula: Formula, world: &World<'_>) {
    assert!(formula.cost().steps() <= COST_STEPS_MAX);
    // A text of 2 KiB has no more parts than letters, conversions included.
    assert!(formula.cost().parts <= 2 * 2_048, "{formula:?}");
    let outcome = formula.eval(NOW, world);
    assert!(world.asked.get() <= formula.cost().parts, "{formula:?}");
    assert_eq!(
        outcome.value.is_none(),
        matches!(outcome.quality, Quality::Bad(_)),
        "{outcome:?} {formula:?}"
    );
    match (outcome.value, formula.says()) {
        (Some(Datum::Number(number)), Type::Number(_)) => assert!(number.to_f64().is_finite(), "{formula:?}"),
        (None, _) | (Some(Datum::Bool(_)), Type::Condition) | (Some(Datum::Text(_)), Type::Text) => {}
        _ => panic!("{outcome:?} of {formula:?}"),
    }
    let reasons = formula.explain(outcome.decided, NOW, world);
    assert!(reasons.len() <= REASONS_MAX && (outcome.value.is_some() || !reasons.is_empty()), "{formula:?}");
    if let Ok(in_unit) = formula.in_unit(Unit::ONE) {
        in_unit.eval(NOW, world);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SplitMix64.
    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: usize) -> usize {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            usize::try_from((z ^ (z >> 31)) % u64::try_from(bound.max(1)).unwrap()).unwrap()
        }

        fn bytes(&mut self, most: usize) -> Vec<u8> {
            let len = self.below(most);
            (0..len).map(|_| u8::try_from(self.below(256)).unwrap()).collect()
        }
    }

    /// Expressions that pass, to begin with; all but the last two are conditions.
    const SEEDS: &[&str] = &[
        "o2/pressure < 0.34 MPa{gauge} or bad(o2/pressure) and age(o2/pressure) > 5 min",
        "if(known(a/b), a/b * 2, otherwise(a/b, 0)) - 3 >= least(1, 2, a/b)",
        "atleast(2, meter/power > 50 kW, door/open, chiller/mode == \"运行\", lift/word != 'x')",
        "dew_point(or-1/temperature, or-1/humidity) + 2 K > or-1/temperature",
        "enthalpy(or-1/temperature, or-1/humidity, 101.3 kPa{absolute}) > 50 kJ/kg * (0 / 0)",
        "avg(filter/drop, 10 min) > 250 Pa{difference} and not changed(door/open, 1 d)",
        "quality(o2/pressure) == \"bad:timeout\" or coverage(o2/pressure, 30 s) < 50 %",
        "increase(meter/energy, 1 h) / 1 h / greatest(meter/power, 1 kW) * 100 > 1",
        "sqrt(meter/power * meter/power) / `3f/flow` / abs(rate(or-1/temperature, 1 h))",
        "number(or-1/temperature, \"Cel\") * 1.8 + 32 - number(mean(1 kW, 2 MW), \"W\")",
    ];

    /// A seed, or some joined to a longer one, mostly with a part exchanged for another.
    fn mutated(random: &mut Random) -> String {
        let mut text = SEEDS[random.below(SEEDS.len() - 2)].to_owned();
        while random.below(3) == 0 {
            let joint = [" and ", " or not ", " == ", ") and known("][random.below(4)];
            text = format!("({text}{joint}{})", SEEDS[random.below(SEEDS.len() - 2)]);
        }
        for _ in 0..random.below(3) {
            let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let (a, b) = (places[random.below(places.len())], places[random.below(places.len())]);
            let (start, end) = (a.min(b), a.max(b).min(a.min(b) + random.below(12)));
            let end = if text.is_char_boundary(end) { end } else { start };
            let piece = match random.below(4) {
                0 => "",
                1 => SEEDS[random.below(SEEDS.len())],
                _ => PIECES[random.below(PIECES.len())],
            };
            text.replace_range(start..end, piece);
        }
        text
    }

    #[test]
    fn a_hundred_thousand_executions_break_no_expression() {
        for seed in SEEDS {
            assert!(text_of(seed, &[200, 40, 3, 77, 5, 9, 6, 0, 4]), "{seed}: {:?}", Tree::parse(seed));
        }
        let mut random = Random(2_026);
        let mut passed = 0;
        for turn in 0..100_000 {
            let bytes = random.bytes(40);
            if turn % 2 == 0 {
                expressions(&bytes);
            } else {
                passed += usize::from(text_of(&mutated(&mut random), &bytes));
            }
        }
        assert!(passed > 10_000, "{passed}: hardly anything got through");
    }
}
