//! Alarm rules: limits that can be reached and that someone has confirmed.

use super::super::diagnostic::Code;
use super::super::leaf::At;
use super::super::spec::{self, Certainty, File, Text, When};
use super::super::{Condition, Part, Point, Rule, limits};
use super::{Context, Ids};
use crate::point::{Decimal, Name, ValueKind};
use std::collections::BTreeMap;

/// Where a rule's limit is from; shown beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSource {
    /// Clause of the standard.
    pub clause: Option<String>,
    /// The standard and its year.
    pub edition: Option<String>,
    /// `A` primary text read, `B` secondary copy, `D` own engineering choice, `site` the hospital's.
    pub certainty: &'static str,
}

/// The enabled rules.
#[derive(Default)]
pub struct Rules {
    pub list: Vec<Rule>,
    pub sources: BTreeMap<Name, RuleSource>,
}

pub fn validate(parts: &[Part<File>], context: &mut Context<'_>) -> Rules {
    let mut rules = Rules::default();
    let mut ids = Ids::default();
    for part in parts {
        for rule in &part.content.rules {
            let new = ids.claim("rules", &rule.id, &part.place(&rule.id), context);
            if rule.enabled == Some(false) || !new {
                continue;
            }
            let point = context.point(part.place(&rule.point), &rule.point);
            confirmed(part, rule, context);
            let condition = condition(part, rule, point.as_ref(), context);
            let on_delay_ms = context.millis(part.source, rule.on_delay.as_ref(), limits::ON_DELAY_MS, 0);
            if let Some(condition) = condition {
                rules.sources.insert(rule.id.clone(), source(rule));
                rules.list.push(Rule {
                    id: rule.id.clone(),
                    point: rule.point.clone(),
                    condition,
                    on_delay_ms,
                    priority: rule.priority,
                    failure_mode: rule.failure_mode.clone(),
                    message: Text::names(Some(&rule.message), &rule.id),
                    response: Text::names(Some(&rule.response), &rule.id),
                });
            }
        }
    }
    rules
}

fn source(rule: &spec::Rule) -> RuleSource {
    let certainty = match rule.certainty.as_deref() {
        Some(Certainty::A) => "A",
        Some(Certainty::B) => "B",
        Some(Certainty::C) => "C",
        Some(Certainty::D) => "D",
        Some(Certainty::Site) | None => "site",
    };
    RuleSource { clause: rule.clause.clone(), edition: rule.edition.clone(), certainty }
}

fn confirmed(part: &Part<File>, rule: &spec::Rule, context: &mut Context<'_>) {
    if let Some(certainty) = rule.certainty.as_ref().filter(|at| ***at == Certainty::C) {
        let message = format!("the limit of \"{}\" has not been confirmed and is enabled", *rule.id);
        let help =
            "have an engineer of the hospital confirm it and write certainty = \"site\", or enabled = false";
        context.error(Code::Unconfirmed, part.place(certainty), message, help);
    }
}

fn condition(
    part: &Part<File>,
    rule: &spec::Rule,
    point: Option<&Point>,
    context: &mut Context<'_>,
) -> Option<Condition> {
    let when = *rule.when;
    if when == When::NoData {
        for needless in rule.limit.iter().chain(&rule.deadband) {
            context.error(
                Code::Misplaced,
                part.place(needless),
                "a no-data rule compares no value",
                "take this out",
            );
        }
        return Some(Condition::NoData);
    }
    let Some(limit) = &rule.limit else {
        if context.complete {
            let message = format!("the rule \"{}\" has no `limit`", *rule.id);
            context.error(
                Code::MissingField,
                part.place(&rule.when),
                message,
                "write it in the point's unit",
            );
        }
        return None;
    };
    let deadband = rule.deadband.as_deref().copied().unwrap_or(Decimal::ZERO);
    if let Some(at) = rule.deadband.as_ref().filter(|at| at.mantissa() < 0) {
        let message = format!("a deadband of {} is below zero", **at);
        context.error(Code::Deadband, part.place(at), message, "write how far back the value must go: 0.5");
    }
    if let Some(point) = point {
        reachable(part, limit, point, context);
    }
    Some(match when {
        When::High => Condition::High { limit: **limit, deadband },
        _ => Condition::Low { limit: **limit, deadband },
    })
}

/// A limit outside the instrument's range never fires, and is probably of another unit.
fn reachable(part: &Part<File>, limit: &At<Decimal>, point: &Point, context: &mut Context<'_>) {
    if matches!(point.kind, ValueKind::Text | ValueKind::Bool) {
        let message = format!("\"{}\" has no numbers to compare", point.address);
        context.error(Code::Limit, part.place(limit), message, "use when = \"no-data\", or another point");
    }
    if let Some((low, high)) = point.range.filter(|(low, high)| !(low..=high).contains(&&**limit)) {
        let unit = point.unit;
        let message = format!("the limit {} is outside the range of \"{}\"", **limit, point.address);
        let help = format!("the range is {low} to {high} {unit}: is the limit in {unit} too?");
        context.error(Code::Limit, part.place(limit), message, &help);
    }
}
