//! `/api/v1/substitutions`: values that persons put in the place of a device's.

use super::claim::{person, reason, reason_given};
use super::points::find;
use crate::api::error::{ApiError, Failure, WriteFailure};
use crate::api::extract::{Body, Path, Query, limit};
use crate::api::state::AppState;
use crate::api::viewer::Viewer;
use crate::api::wire::{NamesWire, ValueWire};
use crate::point::{UtcMs, Value};
use crate::readings::substitute::{Given, Offered, SubstituteError, Substitution, Wanted};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

/// Substitutions of one answer at most.
const LIMIT_MAX: u32 = 1_000;
/// Substitutions of one answer if the request does not say.
const LIMIT_DEFAULT: u32 = 200;

/// Which of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SubstitutionsQuery {
    /// `open`: those that hold; `all`.
    #[param(value_type = Option<super::alarms::Which>, default = "open")]
    state: Option<String>,
    /// How many at most, the newest.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1_000, default = 200)]
    limit: Option<String>,
}

/// A list of substitutions.
#[derive(Debug, Serialize, ToSchema)]
pub struct Substitutions {
    /// The newest first.
    items: Vec<SubstitutionWire>,
}

/// A value in the place of a device's.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Substitution)]
pub struct SubstitutionWire {
    /// Its number.
    id: i64,
    /// Address of the point.
    point: String,
    /// Name of the point; null if it is no longer there.
    #[schema(required)]
    point_name: Option<NamesWire>,
    /// The value in the point's unit.
    value: ValueWire,
    /// When it began, UTC milliseconds.
    since: i64,
    /// When it ends by itself, UTC milliseconds.
    until: i64,
    /// Who put it in.
    by: String,
    /// Why.
    reason: String,
    /// When it ended, UTC milliseconds; null while it holds.
    #[schema(required)]
    ended_at: Option<i64>,
    /// Who ended it; `plantroom` at its time.
    #[schema(required)]
    ended_by: Option<String>,
    /// Why it was ended, if that was said.
    #[schema(required)]
    end_reason: Option<String>,
}

/// A person puts a value in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Substitute {
    /// The value in the point's unit: a number, true or false, a text, as the point has it.
    #[schema(value_type = ValueWire)]
    value: Box<RawValue>,
    /// When it ends by itself, UTC milliseconds; at most 30 days ahead.
    until: i64,
    /// Why, 1 to 1,000 characters.
    reason: String,
    /// The name the person gives, 1 to 60 characters.
    by: Option<String>,
}

/// Who takes a value out, and why.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EndQuery {
    /// The name the person gives, 1 to 60 characters.
    by: Option<String>,
    /// Why, up to 1,000 characters.
    reason: Option<String>,
}

/// List substituted values
#[utoipa::path(
    get,
    path = "/api/v1/substitutions",
    tag = "plant",
    params(SubstitutionsQuery),
    responses((status = 200, body = Substitutions), Failure)
)]
pub async fn list_substitutions(
    _viewer: Viewer,
    State(state): State<AppState>,
    Query(query): Query<SubstitutionsQuery>,
) -> Result<Json<Substitutions>, ApiError> {
    let limit = limit(query.limit.as_deref(), LIMIT_DEFAULT, LIMIT_MAX)?;
    let all = super::alarms::Which::parse(query.state.as_deref())? == super::alarms::Which::All;
    let found = state.substitutions().list(all, limit).await?;
    Ok(Json(Substitutions { items: found.into_iter().map(|one| wire(one, &state)).collect() }))
}

/// Substitute the value of a point
#[utoipa::path(
    post,
    path = "/api/v1/points/{asset}/{quantity}/substitution",
    tag = "plant",
    params(("asset" = String, Path, description = "First part of the address"), ("quantity" = String, Path, description = "Second part of the address")),
    request_body = Substitute,
    responses((status = 200, body = SubstitutionWire), Failure, WriteFailure)
)]
pub async fn substitute_value(
    viewer: Viewer,
    State(state): State<AppState>,
    Path(path): Path<(String, String)>,
    Body(body): Body<Substitute>,
) -> Result<Json<SubstitutionWire>, ApiError> {
    let point = find(&state, &path)?;
    let by = person(viewer, body.by.as_deref())?.to_owned();
    let reason = reason(&body.reason)?.to_owned();
    let value = given(&body.value, &point.plan)?;
    let wanted = Wanted {
        point: point.id,
        address: point.plan.address.clone(),
        value,
        until: UtcMs(body.until),
        by,
        reason,
        stale_after_ms: point.plan.stale_after_ms,
    };
    let begun = state.substitutions().begin(wanted).await?;
    Ok(Json(wire(begun, &state)))
}

/// End the substitution of a point's value
#[utoipa::path(
    delete,
    path = "/api/v1/points/{asset}/{quantity}/substitution",
    tag = "plant",
    params(("asset" = String, Path, description = "First part of the address"), ("quantity" = String, Path, description = "Second part of the address"), EndQuery),
    responses((status = 200, body = SubstitutionWire), Failure)
)]
pub async fn end_substitution(
    viewer: Viewer,
    State(state): State<AppState>,
    Path(path): Path<(String, String)>,
    Query(query): Query<EndQuery>,
) -> Result<Json<SubstitutionWire>, ApiError> {
    let point = find(&state, &path)?;
    let by = person(viewer, query.by.as_deref())?;
    let reason = reason_given(query.reason.as_deref())?;
    let address = point.plan.address.to_string();
    let ended = state.substitutions().end(point.id, address, by, reason).await?;
    Ok(Json(wire(ended, &state)))
}

/// The value, if the point can have it.
fn given(raw: &RawValue, point: &crate::config::Point) -> Result<Given, ApiError> {
    let text = raw.get();
    let word: Option<String> = serde_json::from_str(text).ok();
    let offered = match (text, &word) {
        ("true", _) => Offered::Bool(true),
        ("false", _) => Offered::Bool(false),
        (_, Some(word)) => Offered::Text(word),
        _ if text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => Offered::Number(text),
        _ => Offered::Other,
    };
    Given::of(&offered, point).map_err(|refused| {
        let message = format!("The point {} {refused}.", point.address);
        ApiError::new(StatusCode::BAD_REQUEST, "bad_value", message)
            .hint("Give a value in the point's own unit; GET /api/v1/points describes it.")
    })
}

fn wire(one: Substitution, state: &AppState) -> SubstitutionWire {
    let plant = state.plant();
    let value = match &one.value {
        Given::Bool(on) => ValueWire::of(Some(Value::Bool(*on)), state.texts()),
        Given::Decimal(number) => ValueWire::of(Some(Value::Decimal(*number)), state.texts()),
        Given::Float(number) => ValueWire::of(Some(Value::F64(*number)), state.texts()),
        Given::Word(word) => ValueWire::word(word),
    };
    let (ended_at, ended_by, end_reason) = match one.ended {
        Some(ended) => (Some(ended.at.0), Some(ended.by), ended.reason),
        None => (None, None, None),
    };
    SubstitutionWire {
        id: one.id,
        point_name: plant.find_text(&one.address).map(|point| (&point.plan.name).into()),
        point: one.address,
        value,
        since: one.since.0,
        until: one.until.0,
        by: one.by,
        reason: one.reason,
        ended_at,
        ended_by,
        end_reason,
    }
}

impl From<SubstituteError> for ApiError {
    fn from(error: SubstituteError) -> ApiError {
        let told = format!("{error}.");
        match error {
            SubstituteError::Already(..) => ApiError::conflict("already_substituted", upper(&told))
                .hint("End it first: DELETE of the same address."),
            SubstituteError::NotSubstituted(_) => {
                ApiError::new(StatusCode::NOT_FOUND, "not_substituted", upper(&told))
                    .hint("GET /api/v1/substitutions lists those that hold.")
            }
            SubstituteError::Until => {
                ApiError::new(StatusCode::BAD_REQUEST, "bad_body", "The field until is not as expected.")
                    .hint("It lies ahead, at most 30 days, in UTC milliseconds.")
            }
            SubstituteError::Word => ApiError::conflict("too_many_words", upper(&told)),
            SubstituteError::Closed => {
                ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", upper(&told))
            }
            SubstituteError::Db(_) => ApiError::internal(&error),
        }
    }
}

fn upper(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
