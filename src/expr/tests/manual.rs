//! The manual's examples are true: each is read, checked and, where it states a result, evaluated.

use super::super::{Datum, Function, Tree, Type};
use super::plant::Plant;

const EN: &str = include_str!("../../../docs/manual/en/expressions.md");
const ZH: &str = include_str!("../../../docs/manual/zh/expressions.md");

/// The lines of the fenced blocks of a language.
fn fenced<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let mut lines = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        if let Some(fence) = line.strip_prefix("```") {
            inside = fence == language;
        } else if inside && !line.trim().is_empty() {
            lines.push(line.trim());
        }
    }
    lines
}

/// The rows of the plant: the only table of five columns.
fn rows(page: &str) -> Vec<&str> {
    page.lines().filter(|line| line.starts_with("| `") && line.matches('|').count() == 6).collect()
}

fn plant(page: &str) -> Plant {
    Plant::of(&rows(page).join("\n"))
}

/// What is wrong with an example, if something is.
fn wrong(plant: &Plant, line: &str) -> Option<String> {
    let (text, result) =
        line.split_once("=>").map_or((line, None), |(text, result)| (text, Some(result.trim())));
    let text = text.trim();
    let Some(result) = result else {
        return plant.formula(text).err().map(|mistake| format!("{text}: {mistake}"));
    };
    let (stated, _) = result.split_once(' ').unwrap_or((result, ""));
    let said = match numeric(plant, text, result) {
        // As exact as the manual states it.
        Some(number) => {
            let decimals = stated.split_once('.').map_or(0, |(_, decimals)| decimals.len());
            result.replacen(stated, &format!("{number:.decimals$}"), 1)
        }
        None => plant.says(text),
    };
    (said != result).then(|| format!("{text} => {said}\nnot {result}"))
}

/// The number in the unit in which the manual states it.
fn numeric(plant: &Plant, text: &str, result: &str) -> Option<f64> {
    let (number, unit) = result.split_once(' ').unwrap_or((result, "1"));
    number.parse::<f64>().ok()?;
    let formula = plant.formula(text).unwrap_or_else(|mistake| panic!("{text}: {mistake}"));
    assert!(matches!(formula.says(), Type::Number(_)), "{text}");
    let formula =
        formula.in_unit(unit.parse().unwrap()).unwrap_or_else(|mistake| panic!("{text}: {mistake}"));
    match plant.outcome(&formula).value {
        Some(Datum::Number(number)) => Some(number.to_f64()),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn every_example_of_both_manuals_is_true() {
    for page in [EN, ZH] {
        let plant = plant(page);
        let examples = fenced(page, "expr");
        assert!(examples.len() >= 60, "{} examples", examples.len());
        let wrong: Vec<String> = examples.iter().filter_map(|line| wrong(&plant, line)).collect();
        assert!(wrong.is_empty(), "\n{}", wrong.join("\n\n"));
    }
}

#[test]
fn both_manuals_have_the_same_plant_and_the_same_examples() {
    assert_eq!(fenced(EN, "expr"), fenced(ZH, "expr"));
    assert_eq!(rows(EN), rows(ZH));
}

#[test]
fn every_function_is_in_an_example() {
    let examples = fenced(EN, "expr").join("\n");
    for function in Function::ALL {
        assert!(examples.contains(&format!("{}(", function.word())), "{} has no example", function.word());
        assert!(EN.contains(&format!("`{}(", function.word())), "{} is not explained", function.word());
        assert!(
            ZH.contains(&format!("`{}(", function.word())),
            "{} is not explained in Chinese",
            function.word()
        );
    }
}

#[test]
fn the_usage_that_a_message_shows_can_be_read() {
    for function in Function::ALL {
        let read = Tree::parse(function.usage());
        // Names without a slash are words for the reader.
        if let Err(mistake) = read {
            assert!(mistake.what.contains("is no word of the language"), "{}: {mistake}", function.usage());
        }
    }
}
