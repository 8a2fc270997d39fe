//! A plant of points with a past, written as a table as the manual has it.

use super::super::{Datum, Facts, Formula, Inputs, Mistake, Outcome, Points, State, Tree, Window};
use crate::point::{Address, Names, PointId, Quality, Reading, TextId, Unit, UtcMs, Value, ValueKind};
use std::collections::BTreeMap;

pub(super) const NOW: UtcMs = UtcMs(1_800_000_000_000);

/// Points by address, with their readings in order of time.
#[derive(Default)]
pub(super) struct Plant {
    points: BTreeMap<Address, (Facts, Vec<Reading>)>,
    texts: Vec<String>,
}

impl Plant {
    /// Rows of `| point | unit | every | readings | age |`:
    /// the unit is a UCUM code, `on/off`, `text` or `states 0 zh/en, 1 zh/en`; readings are separated by
    /// commas, the newest last and as old as the last column says, the others `every` apart; a
    /// reading is a value, a value and a quality, or a bad quality.
    pub(super) fn of(rows: &str) -> Plant {
        let mut plant = Plant::default();
        for row in rows.lines().map(str::trim).filter(|row| row.starts_with('|')) {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            let [point, unit, every, readings, age] = cells[..] else { panic!("five columns: {row}") };
            let Ok(address) = point.trim_matches('`').parse() else { continue };
            let id = PointId(u32::try_from(plant.points.len()).unwrap());
            let facts = facts(id, unit, every);
            let newest = NOW.plus_ms(-duration(age));
            let texts: Vec<&str> =
                readings.split(',').map(str::trim).filter(|text| !text.is_empty()).collect();
            let readings = texts.iter().rev().zip(0_i64..).map(|(text, back)| {
                let at = newest.plus_ms(-back * duration(every));
                plant.written(&facts, at, text)
            });
            let mut readings: Vec<Reading> = readings.collect();
            readings.reverse();
            plant.points.insert(address, (facts, readings));
        }
        plant
    }

    fn written(&mut self, facts: &Facts, at: UtcMs, text: &str) -> Reading {
        let point = facts.point;
        if let Ok(quality @ Quality::Bad(_)) = text.parse() {
            return Reading { point, at, value: None, quality };
        }
        let (value, quality) = text.split_once(' ').unwrap_or((text, "good"));
        let state = facts.states.iter().find(|state| state.names.en == value).map(|state| state.value);
        let value = match facts.kind {
            ValueKind::Bool => Value::Bool(state.map_or_else(|| value.parse().unwrap(), |state| state != 0)),
            ValueKind::F64 => Value::F64(value.parse().unwrap()),
            ValueKind::Decimal => {
                Value::Decimal(state.map_or_else(|| value.parse().unwrap(), crate::point::Decimal::from_int))
            }
            ValueKind::Text => {
                self.texts.push(value.to_owned());
                Value::Text(TextId(u32::try_from(self.texts.len() - 1).unwrap()))
            }
        };
        Reading { point, at, value: Some(value), quality: quality.parse().unwrap() }
    }

    pub(super) fn formula(&self, text: &str) -> Result<Formula, Mistake> {
        Tree::parse(text)?.check(self)
    }

    /// What an expression comes to: a value and its unit, and the quality if it is not Good. Or the
    /// mistake.
    pub(super) fn says(&self, text: &str) -> String {
        let formula = match self.formula(text) {
            Ok(formula) => formula,
            Err(mistake) => return mistake.to_string(),
        };
        let outcome = formula.eval(NOW, self);
        let value = match (outcome.value, formula.says()) {
            (None, _) => "unknown".to_owned(),
            (Some(Datum::Bool(on)), _) => on.to_string(),
            (Some(Datum::Text(text)), _) => format!("{text:?}"),
            (Some(Datum::Number(number)), super::super::Type::Number(measure)) => match measure.unit() {
                Some(Unit::ONE) => number.to_string(),
                Some(unit) => format!("{number} {unit}"),
                None => format!("{number} of {measure}"),
            },
            other => panic!("{other:?}"),
        };
        match outcome.quality {
            Quality::Good => value,
            quality => format!("{value}, {quality}"),
        }
    }

    pub(super) fn outcome<'a>(&'a self, formula: &'a Formula) -> Outcome<'a> {
        formula.eval(NOW, self)
    }
}

fn facts(point: PointId, unit: &str, every: &str) -> Facts {
    let mut states = Vec::new();
    let (kind, unit) = match unit.split_once(' ').unwrap_or((unit, "")) {
        ("text", _) => (ValueKind::Text, Unit::ONE),
        ("states", list) => {
            for state in list.split(',').map(str::trim) {
                let (value, names) = state.split_once(' ').unwrap();
                let (zh, en) = names.split_once('/').unwrap();
                let names = Names { zh: zh.into(), en: en.into() };
                states.push(State { value: value.parse().unwrap(), names });
            }
            (ValueKind::Decimal, Unit::ONE)
        }
        ("on/off", _) => (ValueKind::Bool, Unit::ONE),
        (code, "float") => (ValueKind::F64, code.parse().unwrap()),
        (code, _) => (ValueKind::Decimal, code.parse().unwrap()),
    };
    let interval_ms = u64::try_from(duration(every)).ok().filter(|ms| *ms > 0);
    Facts { point, kind, unit, states, interval_ms }
}

fn duration(text: &str) -> i64 {
    let (number, unit) = text.split_once(' ').unwrap_or((text, "s"));
    let ms = match unit {
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        _ => panic!("{text}: s, min or h"),
    };
    number.parse::<i64>().unwrap_or(0) * ms
}

impl Points for Plant {
    fn find(&self, address: &Address) -> Option<Facts> {
        self.points.get(address).map(|(facts, _)| facts.clone())
    }

    fn addresses(&self) -> Vec<Address> {
        self.points.keys().cloned().collect()
    }
}

impl Inputs for Plant {
    fn reading(&self, point: PointId) -> Option<Reading> {
        let (_, readings) = self.points.values().find(|(facts, _)| facts.point == point)?;
        readings.last().copied()
    }

    fn window(&self, point: PointId, length_ms: u64) -> Option<Window> {
        let (_, readings) = self.points.values().find(|(facts, _)| facts.point == point)?;
        (!readings.is_empty()).then(|| Window::of(readings, NOW, length_ms))
    }

    fn text(&self, id: TextId) -> Option<&str> {
        self.texts.get(id.0 as usize).map(String::as_str)
    }
}
