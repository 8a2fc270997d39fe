//! `/api/v1/try/expression`: what an expression would give, before it is written into the
//! configuration. It reads, and changes nothing.

use crate::api::error::{ApiError, Failure, WriteFailure};
use crate::api::extract::Body;
use crate::api::plant::Plant;
use crate::api::state::AppState;
use crate::api::trial::{self, Gathered};
use crate::api::viewer::Viewer;
use crate::api::wire::{NamesWire, QualityWire, StateWire, ValueWire};
use crate::expr::{Datum, Formula, Input, Measure, Mistake, Type};
use crate::point::{Quality, Reason, Unit, UtcMs};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// An expression to try.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TryExpression)]
pub struct ExpressionBody {
    /// At most 2,048 bytes.
    #[schema(example = "main-meter/power > 400 kW")]
    formula: String,
    /// UCUM code of the unit the result is wanted in; as it comes if not given.
    #[schema(example = "kW")]
    unit: Option<String>,
}

/// What an expression gives now: a mistake or a result.
#[derive(Debug, Serialize, ToSchema)]
pub struct TriedExpression {
    /// The server's time, UTC milliseconds.
    now: i64,
    /// Why it cannot be evaluated.
    #[schema(required)]
    mistake: Option<MistakeWire>,
    /// What it gives.
    #[schema(required)]
    result: Option<ExpressionResult>,
}

/// What is wrong with an expression, where, and what to do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Mistake)]
pub struct MistakeWire {
    /// What holds it.
    part: Part,
    /// Where it begins, in characters from 0.
    start: usize,
    /// Behind its last character.
    end: usize,
    /// What is wrong, in English.
    what: String,
    /// What to write instead, in English, where that is known.
    #[schema(required)]
    help: Option<String>,
}

/// Parts of the question.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The expression.
    Formula,
    /// The unit.
    Unit,
}

/// The value of an expression, and what it comes from.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExpressionResult {
    /// What it says.
    says: Says,
    /// UCUM code of a number's unit, or what it measures in words; null for conditions and texts.
    #[schema(required, example = "kW")]
    unit: Option<String>,
    /// How the unit is written for a person; empty where it has no name of its own.
    symbol: &'static str,
    /// The value; null if it is unknown.
    value: ValueWire,
    /// How far to trust it.
    quality: QualityWire,
    /// Why it is not good.
    #[schema(required, example = "stale")]
    reason: Option<&'static str>,
    /// What decided it or made it unknown, at most 8 sentences.
    words: Vec<NamesWire>,
    /// The points it reads, in the order of the text.
    inputs: Vec<InputWire>,
    /// Parts of the text that one evaluation visits.
    cost_parts: u64,
    /// Readings that its windows hold at the intervals of the configuration.
    cost_readings: u64,
    /// The most that both together may be.
    cost_max: u64,
    /// Whether it may change though no new reading comes.
    moves_with_time: bool,
}

/// What an expression says.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    /// True or false.
    Condition,
    /// A number.
    Number,
    /// A word.
    Text,
}

/// A point an expression reads, as it is now.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExpressionInput)]
pub struct InputWire {
    /// Its address.
    point: String,
    /// Its name.
    name: NamesWire,
    /// How its unit is written for a person.
    symbol: &'static str,
    /// Decimals to show.
    decimals: u8,
    /// What its numbers stand for; empty if they are measurements.
    states: Vec<StateWire>,
    /// The newest value; null when there is none.
    value: ValueWire,
    /// How far to trust it.
    quality: QualityWire,
    /// Why it is not good.
    #[schema(required, example = "stale")]
    reason: Option<&'static str>,
    /// When it was true at the source, UTC milliseconds; null if there never was one.
    #[schema(required)]
    at: Option<i64>,
    /// Whether it decided the result, or made it unknown.
    decided: bool,
    /// Stretches of its past that the expression reads.
    windows: Vec<WindowWire>,
}

/// A stretch of a point's past.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExpressionWindow)]
pub struct WindowWire {
    /// How long, milliseconds.
    length_ms: u64,
    /// Readings with a value in it.
    readings: u64,
    /// Which part of it has a value, 0 to 1.
    coverage: f64,
}

/// Try an expression on the values of now
///
/// It is read, checked against the points there are, and evaluated once. Nothing is kept.
#[utoipa::path(
    post,
    path = "/api/v1/try/expression",
    tag = "try",
    request_body = ExpressionBody,
    responses((status = 200, body = TriedExpression), Failure, WriteFailure)
)]
pub async fn try_expression(
    _viewer: Viewer,
    State(state): State<AppState>,
    Body(body): Body<ExpressionBody>,
) -> Result<Json<TriedExpression>, ApiError> {
    let now = state.clock().utc();
    let unit = match body.unit.as_deref().map(str::parse::<Unit>).transpose() {
        Ok(unit) => unit,
        Err(error) => return Ok(Json(TriedExpression::wrong_unit(now, &body, &error.to_string()))),
    };
    let plant = state.plant();
    let formula = match trial::check(plant.clone(), body.formula.clone(), unit).await? {
        Ok(formula) => formula,
        Err(mistake) => return Ok(Json(TriedExpression::mistaken(now, &body.formula, mistake))),
    };
    let gathered = Gathered::fetch(&state, &formula).await?;
    let result = Some(ExpressionResult::of(&formula, &gathered, &plant, &state));
    Ok(Json(TriedExpression { now: gathered.now.0, mistake: None, result }))
}

impl TriedExpression {
    fn mistaken(now: UtcMs, formula: &str, mistake: Mistake) -> TriedExpression {
        let characters = |byte: usize| formula.get(..byte).unwrap_or(formula).chars().count();
        let Mistake { span, what, help, .. } = mistake;
        let (start, end) = (characters(span.start), characters(span.end));
        let mistake = MistakeWire { part: Part::Formula, start, end, what, help };
        TriedExpression { now: now.0, mistake: Some(mistake), result: None }
    }

    fn wrong_unit(now: UtcMs, body: &ExpressionBody, what: &str) -> TriedExpression {
        let end = body.unit.as_ref().map_or(0, |unit| unit.chars().count());
        let what = what.chars().take(WHAT_MAX).collect();
        let mistake = MistakeWire { part: Part::Unit, start: 0, end, what, help: None };
        TriedExpression { now: now.0, mistake: Some(mistake), result: None }
    }
}

/// Of a point that never spoke.
const NEVER: Quality = Quality::Bad(Reason::Initial);

/// Characters of a mistake that are told.
const WHAT_MAX: usize = 200;

impl ExpressionResult {
    fn of(formula: &Formula, gathered: &Gathered, plant: &Plant, state: &AppState) -> ExpressionResult {
        let outcome = gathered.eval(formula);
        let decided: BTreeSet<usize> = formula.deciding_inputs(outcome.decided).collect();
        let (says, measure) = match formula.says() {
            Type::Condition => (Says::Condition, None),
            Type::Text => (Says::Text, None),
            Type::Number(measure) => (Says::Number, Some(measure)),
        };
        let inputs = formula.inputs().iter().enumerate();
        let cost = formula.cost();
        ExpressionResult {
            says,
            unit: measure
                .map(|measure| measure.unit().map_or_else(|| measure.to_string(), |unit| unit.to_string())),
            symbol: measure.and_then(Measure::unit).map_or("", Unit::symbol),
            value: match outcome.value {
                Some(Datum::Text(word)) => ValueWire::word(word),
                value => ValueWire::of(value.and_then(Datum::to_value), state.texts()),
            },
            quality: outcome.quality.into(),
            reason: outcome.quality.reason().map(Reason::word),
            words: gathered.explain(formula, outcome.decided).iter().map(NamesWire::from).collect(),
            inputs: inputs
                .map(|(place, input)| {
                    let windows = WindowWire::of_input(formula, place, input, gathered);
                    InputWire::of(input, decided.contains(&place), windows, gathered, plant, state)
                })
                .collect(),
            cost_parts: cost.parts,
            cost_readings: cost.readings,
            cost_max: crate::expr::COST_STEPS_MAX,
            moves_with_time: formula.moves_with_time(),
        }
    }
}

impl InputWire {
    fn of(
        input: &Input,
        decided: bool,
        windows: Vec<WindowWire>,
        gathered: &Gathered,
        plant: &Plant,
        state: &AppState,
    ) -> InputWire {
        let known = plant.find(&input.address).map(|point| &point.plan);
        let newest = gathered.current(input.facts.point).map(|value| value.reading);
        let quality = newest.map(|reading| reading.quality);
        InputWire {
            point: input.address.to_string(),
            name: known.map_or_else(
                || NamesWire { zh: String::new(), en: String::new() },
                |plan| (&plan.name).into(),
            ),
            symbol: input.facts.unit.symbol(),
            decimals: known.map_or(0, |plan| plan.decimals),
            states: known.map(StateWire::of_point).unwrap_or_default(),
            value: ValueWire::of(newest.and_then(|reading| reading.value), state.texts()),
            quality: quality.map_or(QualityWire::Bad, Into::into),
            reason: quality.map_or(Some(Reason::Initial), Quality::reason).map(Reason::word),
            at: newest.filter(|reading| reading.quality != NEVER).map(|reading| reading.at.0),
            decided,
            windows,
        }
    }
}

impl WindowWire {
    fn of_input(formula: &Formula, place: usize, input: &Input, gathered: &Gathered) -> Vec<WindowWire> {
        use crate::expr::Inputs as _;
        let own = formula.windows().iter().filter(|need| need.input == place);
        own.map(|need| {
            let window = gathered.window(input.facts.point, need.length_ms);
            WindowWire {
                length_ms: need.length_ms,
                readings: window.map_or(0, |window| window.count),
                coverage: window.map_or(0.0, |window| window.coverage()),
            }
        })
        .collect()
    }
}
