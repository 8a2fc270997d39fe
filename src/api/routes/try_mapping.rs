//! `/api/v1/try/mapping`: what a mapping of a broker's messages would give for one of them. It reads,
//! and changes nothing.

use super::making::{fault_word, raw_value};
use crate::api::error::{ApiError, Failure, WriteFailure};
use crate::api::extract::Body;
use crate::api::plant::Plant;
use crate::api::state::AppState;
use crate::api::viewer::Viewer;
use crate::api::wire::{NamesWire, StateWire, ValueWire};
use crate::config::{self, Diagnostic, Diagnostics, TriedTopic};
use crate::field::Raw;
use crate::field::mqtt::{Mapping, MappingError, Tried, TriedValue, Unreadable};
use crate::historian::Texts;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Samples of one answer at most; a message may hold thousands.
const SAMPLES_MAX: usize = 200;

/// A mapping to try on a message.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TryMapping)]
pub struct MappingBody {
    /// `[[mqtt.topics]]` of a configuration, `[[topics]]` of a profile, or the keys of one of them; TOML.
    config: String,
    /// The topic of the message.
    #[schema(example = "plant/ward-3a/telemetry")]
    topic: String,
    /// The message.
    #[schema(example = "{\"temperature\":21.5}")]
    payload: String,
    /// Whether the message is written as hexadecimal digits.
    #[serde(default)]
    hex: bool,
}

/// What a mapping gives for a message: mistakes in it, or samples.
#[derive(Debug, Serialize, ToSchema)]
pub struct TriedMapping {
    /// The server's time, UTC milliseconds.
    now: i64,
    /// What is wrong with the mapping; if anything is, nothing was tried.
    problems: Vec<MappingProblem>,
    /// Whether the topic fits one of the patterns.
    fits: bool,
    /// What would be subscribed to.
    filters: Vec<String>,
    /// What the message gives, in its order; at most 200.
    samples: Vec<TriedSample>,
    /// Further samples.
    unlisted: usize,
    /// Addresses it led to for which the mapping has no value.
    unknown: Vec<String>,
    /// What is wrong with the message as a whole.
    #[schema(required, example = "not_json")]
    unreadable: Option<&'static str>,
}

/// What is wrong with a mapping, where, and what to do.
#[derive(Debug, Serialize, ToSchema)]
pub struct MappingProblem {
    /// Line, from 1.
    line: usize,
    /// Column in characters, from 1.
    column: usize,
    /// Where in the tree; empty for the whole.
    #[schema(example = "mqtt.topics[0].values[0].unit")]
    path: String,
    /// What is wrong, in English.
    what: String,
    /// What to do, in English, where that is known.
    #[schema(required)]
    help: Option<String>,
}

/// What a value of a message became.
#[derive(Debug, Serialize, ToSchema)]
pub struct TriedSample {
    /// The address it leads to.
    point: String,
    /// Whether the mapping knows the asset.
    mapped: bool,
    /// Whether there is such a point now.
    known: bool,
    /// Its name: of the point there is, else the one the mapping gives.
    #[schema(required)]
    name: Option<NamesWire>,
    /// UCUM code of the value's unit once it is scaled.
    unit: String,
    /// What its numbers stand for; empty if they are measurements.
    states: Vec<StateWire>,
    /// The raw value, before scale and offset; null if there is none.
    value: ValueWire,
    /// Why there is none.
    #[schema(required, example = "decoding")]
    fault: Option<&'static str>,
    /// The source itself doubts it.
    doubted: bool,
    /// Why it cannot be read, or what is wrong with its time.
    #[schema(required, example = "no_member")]
    why: Option<&'static str>,
    /// When it was true, if the message says so, UTC milliseconds.
    #[schema(required)]
    at: Option<i64>,
}

/// Try a mapping on a message
///
/// The mapping is read and checked as in a configuration, then one message goes through it. Nothing is
/// kept, and nobody is subscribed to anything.
#[utoipa::path(
    post,
    path = "/api/v1/try/mapping",
    tag = "try",
    request_body = MappingBody,
    responses((status = 200, body = TriedMapping), Failure, WriteFailure)
)]
pub async fn try_mapping(
    _viewer: Viewer,
    State(state): State<AppState>,
    Body(body): Body<MappingBody>,
) -> Result<Json<TriedMapping>, ApiError> {
    let payload = if body.hex { bytes_of(&body.payload)? } else { body.payload.into_bytes() };
    let (plant, texts, now) = (state.plant(), state.texts().clone(), state.clock().utc().0);
    // TOML of 64 KiB takes a while: not on a thread that serves others.
    let tried = tokio::task::spawn_blocking(move || {
        let mut answer = TriedMapping::empty(now);
        match config::topics_of(&body.config, &plant.site().zone) {
            Ok(topics) => answer.try_all(&topics, &body.topic, &payload, &plant, &texts),
            Err(problems) => answer.refuse(problems),
        }
        answer
    });
    Ok(Json(tried.await.map_err(|error| ApiError::internal(&error))?))
}

/// Hexadecimal digits, with white space between them as it comes.
fn bytes_of(text: &str) -> Result<Vec<u8>, ApiError> {
    let wrong = || {
        let message = "The payload is not written in hexadecimal digits.";
        ApiError::new(StatusCode::BAD_REQUEST, "bad_body", message).hint("Two digits make a byte: 00 ff 1b.")
    };
    let digits: Option<Vec<u8>> = text
        .chars()
        .filter(|letter| !letter.is_whitespace())
        .map(|letter| letter.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2)).ok_or_else(wrong)?;
    let byte = |pair: &[u8]| pair.iter().fold(0_u8, |byte, digit| byte << 4 | digit);
    Ok(digits.chunks(2).map(byte).collect())
}

impl TriedMapping {
    fn empty(now: i64) -> TriedMapping {
        TriedMapping {
            now,
            problems: Vec::new(),
            fits: false,
            filters: Vec::new(),
            samples: Vec::new(),
            unlisted: 0,
            unknown: Vec::new(),
            unreadable: None,
        }
    }

    fn refuse(&mut self, found: Diagnostics) {
        self.problems = found.items.into_iter().map(MappingProblem::from).collect();
    }

    fn try_all(&mut self, topics: &[TriedTopic], topic: &str, payload: &[u8], plant: &Plant, texts: &Texts) {
        for own in topics {
            match Mapping::try_one(&own.topic, topic, payload) {
                Ok(tried) => self.add(own, tried, plant, texts),
                Err(error) => self.problems.push(MappingProblem::whole(&error)),
            }
        }
    }

    fn add(&mut self, own: &TriedTopic, tried: Tried, plant: &Plant, texts: &Texts) {
        self.filters.push(tried.filter);
        self.fits |= tried.fits;
        self.unknown.extend(tried.unknown.into_iter().take(SAMPLES_MAX.saturating_sub(self.unknown.len())));
        self.unreadable = self.unreadable.or(tried.unreadable.map(unreadable_word));
        let room = SAMPLES_MAX.saturating_sub(self.samples.len());
        self.unlisted += tried.values.len().saturating_sub(room);
        let samples = tried.values.into_iter().take(room);
        self.samples.extend(samples.map(|value| TriedSample::of(&value, own, plant, texts)));
    }
}

impl From<Diagnostic> for MappingProblem {
    fn from(found: Diagnostic) -> MappingProblem {
        let Diagnostic { line, column, path, message, help, .. } = found;
        MappingProblem { line, column, path, what: message, help }
    }
}

impl MappingProblem {
    fn whole(error: &MappingError) -> MappingProblem {
        MappingProblem { line: 1, column: 1, path: String::new(), what: error.to_string(), help: None }
    }
}

impl TriedSample {
    fn of(value: &TriedValue, own: &TriedTopic, plant: &Plant, texts: &Texts) -> TriedSample {
        let address = format!("{}/{}", value.asset, value.quantity);
        let known = plant.find_text(&address).map(|point| &point.plan);
        // Of a topic without assets its points are those of an asset of another name.
        let meant = own.points.iter().find(|point| point.address.quantity == value.quantity);
        let shown = known.or(meant);
        let (raw, doubted) = match &value.raw {
            Ok(Raw::Doubted(raw)) => (Some(&**raw), true),
            Ok(raw) => (Some(raw), false),
            Err(_) => (None, false),
        };
        TriedSample {
            mapped: value.is_known,
            known: known.is_some(),
            name: shown.map(|plan| (&plan.name).into()),
            unit: value.unit.to_string(),
            states: shown.map(StateWire::of_point).unwrap_or_default(),
            value: raw.map_or_else(|| ValueWire::of(None, texts), |raw| raw_value(raw, texts)),
            fault: value.raw.as_ref().err().map(|fault| fault_word(*fault)),
            doubted,
            why: value.why.map(unreadable_word),
            at: value.source_at.map(|at| at.0),
            point: address,
        }
    }
}

/// The stable word of a reason.
fn unreadable_word(why: Unreadable) -> &'static str {
    match why {
        Unreadable::TooLong => "too_long",
        Unreadable::NotText => "not_text",
        Unreadable::NotJson => "not_json",
        Unreadable::NoMember => "no_member",
        Unreadable::NoColumn => "no_column",
        Unreadable::NoItems => "no_items",
        Unreadable::TooManyItems => "too_many_items",
        Unreadable::NoValue => "no_value",
        Unreadable::Null => "null",
        Unreadable::NotANumber => "not_a_number",
        Unreadable::UnknownWord => "unknown_word",
        Unreadable::NotAFlag => "not_a_flag",
        Unreadable::NoAsset => "no_asset",
        Unreadable::NoQuantity => "no_quantity",
        Unreadable::NotBytes => "not_bytes",
        Unreadable::TooShort => "too_short",
        Unreadable::NoRecord => "no_record",
        Unreadable::Undecodable => "undecodable",
        Unreadable::NoTime => "no_time",
        Unreadable::BadTime => "bad_time",
        Unreadable::NoUnit => "no_unit",
        Unreadable::UnknownUnit => "unknown_unit",
        Unreadable::WrongUnit => "wrong_unit",
    }
}
