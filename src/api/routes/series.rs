//! `/api/v1/series`: the history of several points, raw, in windows, as a whole, at an instant.

use crate::api::error::{ApiError, Failure};
use crate::api::extract::{Query, limit, moment};
use crate::api::plant::PlantPoint;
use crate::api::series::{
    Asked, Encoded, Format, Frame, Grid, POINTS_MAX, Table, json, points, span, stream, trust,
};
use crate::api::state::AppState;
use crate::api::viewer::Viewer;
use crate::api::wire::{NumberWire, ReadingWire, ValueWire};
use crate::historian::query::{self, Merge, QueryError, Row, Statistics};
use crate::historian::summary::Sum;
use crate::historian::{Answers, HistoryError, Reach, Texts};
use crate::point::{PointId, Reading, UtcMs, Value};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Readings of one point in one answer at most.
const LIMIT_MAX: u32 = 50_000;
/// Readings of one point in one answer if the request does not say.
const LIMIT_DEFAULT: u32 = 5_000;

/// Which series.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SeriesQuery {
    /// Up to 320 addresses with commas between them, each once; with `cut=raw` up to 24.
    #[param(value_type = String, example = "main-meter/energy")]
    points: Option<String>,
    /// From this instant, UTC milliseconds or RFC 3339; a day before `to` if not given.
    from: Option<String>,
    /// Up to and without this instant, UTC milliseconds or RFC 3339; now if not given.
    to: Option<String>,
    /// `raw` for the readings themselves, or windows: `columns:N` (N of even width, for a chart),
    /// seconds, minutes or hours by the civil clock (`15m`), `1d`, `1w`, `1mo`, `1y` by the civil
    /// calendar of the site. A width that is no whole part of a day is counted from 1970 in UTC.
    /// Windows other than columns are always whole.
    #[param(value_type = Option<String>, example = "1h", default = "columns:1200")]
    cut: Option<String>,
    /// Of windows: some of min, max, min_at, max_at, mean, weighted (by time), first, last, sum, count
    /// (readings with a value), increase (of a counter), good (good readings) and worst (quality;
    /// columns always have it), with commas between them.
    #[param(value_type = Option<String>, example = "min,max,mean", default = "min,max,mean")]
    figures: Option<String>,
    /// Whose values count: `usable` (good and uncertain ones) or `good`; for windows.
    #[param(value_type = Option<String>, default = "usable")]
    trust: Option<String>,
    /// Of `raw`: how many readings of each point at most.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 50_000, default = 5_000)]
    limit: Option<String>,
}

/// Which time of which points.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StatisticsQuery {
    /// Up to 24 addresses with commas between them, each once.
    #[param(value_type = String, example = "main-meter/energy")]
    points: Option<String>,
    /// From this instant, UTC milliseconds or RFC 3339; a day before `to` if not given.
    from: Option<String>,
    /// Up to and without this instant, UTC milliseconds or RFC 3339; now if not given.
    to: Option<String>,
    /// Whose values count: `usable` (good and uncertain ones) or `good`.
    #[param(value_type = Option<String>, default = "usable")]
    trust: Option<String>,
}

/// Which instant of which points.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AsOfQuery {
    /// Up to 24 addresses with commas between them, each once.
    #[param(value_type = String, example = "main-meter/energy")]
    points: Option<String>,
    /// This instant, UTC milliseconds or RFC 3339; now if not given.
    at: Option<String>,
}

/// Series, in columns. Arrays of one point have the same length; in windows, null stands where there
/// is nothing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Series)]
pub struct SeriesAnswer {
    /// From this instant, UTC milliseconds: of windows, where the first begins.
    pub from: i64,
    /// Up to and without this instant, UTC milliseconds: of windows, where the last ends.
    pub to: i64,
    /// The cut as it was asked for.
    #[schema(example = "1h")]
    pub cut: String,
    /// IANA zone whose days they are.
    #[schema(example = "Asia/Shanghai")]
    pub zone: String,
    /// The points, in the order asked for.
    pub series: Vec<SeriesOfPoint>,
}

/// The series of a point: `at` and `value` of readings, or `at` and the figures of windows.
#[derive(Debug, Serialize, ToSchema)]
pub struct SeriesOfPoint {
    /// Address of the point.
    pub point: String,
    /// UCUM code of the unit.
    pub unit: String,
    /// How the unit is written for a person.
    pub symbol: String,
    /// Of readings their instants, of windows where each begins; UTC milliseconds.
    pub at: Vec<i64>,
    /// Readings: numbers with exactly their digits, true and false as 1 and 0, texts.
    pub value: Option<Vec<ValueWire>>,
    /// Readings: how many in a row have which quality, a severity with its reason.
    #[schema(value_type = Option<Vec<(u64, String)>>, example = json!([[59, "good"], [1, "bad_timeout"]]))]
    pub quality: Option<Vec<(u64, String)>>,
    /// Readings: give it as `from` to go on; null if these are all.
    pub next: Option<i64>,
    /// Windows: the least number.
    pub min: Option<Vec<Option<f64>>>,
    /// Windows: the greatest number.
    pub max: Option<Vec<Option<f64>>>,
    /// Windows: when the least number was first seen.
    pub min_at: Option<Vec<Option<i64>>>,
    /// Windows: when the greatest number was first seen.
    pub max_at: Option<Vec<Option<i64>>>,
    /// Windows: the mean of the numbers.
    pub mean: Option<Vec<Option<f64>>>,
    /// Windows: their mean by the time each held, until the next reading or until it was stale.
    pub weighted: Option<Vec<Option<f64>>>,
    /// Windows: the first number; null for a text.
    pub first: Option<Vec<Option<f64>>>,
    /// Windows: the last number; null for a text.
    pub last: Option<Vec<Option<f64>>>,
    /// Windows: the sum of the numbers.
    pub sum: Option<Vec<Option<f64>>>,
    /// Windows: readings with a value.
    pub count: Option<Vec<u64>>,
    /// Windows: what a counter grew by since the last number before, resets considered.
    pub increase: Option<Vec<Option<f64>>>,
    /// Windows: good readings.
    pub good: Option<Vec<u64>>,
    /// Windows: how many in a row have which worst quality; null without readings.
    #[schema(value_type = Option<Vec<(u64, Option<String>)>>, example = json!([[11, "good"], [1, null]]))]
    pub worst: Option<Vec<(u64, Option<String>)>>,
}

/// The header of an answer in `application/vnd.plantroom.columns`.
#[derive(Debug, Serialize, ToSchema)]
pub struct SeriesHeader {
    /// As in JSON.
    pub from: i64,
    /// As in JSON.
    pub to: i64,
    /// As in JSON.
    pub cut: String,
    /// As in JSON.
    pub zone: String,
    /// The points, in the order asked for.
    pub series: Vec<HeaderOfPoint>,
}

/// A point in the header.
#[derive(Debug, Serialize, ToSchema)]
pub struct HeaderOfPoint {
    /// Address of the point.
    pub point: String,
    /// UCUM code of the unit.
    pub unit: String,
    /// How the unit is written for a person.
    pub symbol: String,
    /// Its arrays, in the order in which they follow.
    pub columns: Vec<HeaderColumn>,
    /// Readings: what the numbers of a column of texts stand for.
    pub words: Option<Vec<String>>,
    /// Readings: as in JSON.
    #[schema(value_type = Option<Vec<(u64, String)>>)]
    pub quality: Option<Vec<(u64, String)>>,
    /// Readings: as in JSON.
    pub next: Option<i64>,
}

/// An array behind the header.
#[derive(Debug, Serialize, ToSchema)]
pub struct HeaderColumn {
    /// As in JSON. `worst` is 0 good, 1 uncertain, 2 bad.
    #[schema(example = "min")]
    pub name: String,
    /// A 64-bit float, little endian; NaN for null.
    #[serde(rename = "type")]
    #[schema(rename = "type", example = "f64")]
    pub kind: String,
    /// How many.
    pub length: u64,
}

/// What a time comes to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StatisticsList)]
pub struct StatisticsAnswer {
    /// From this instant, UTC milliseconds.
    from: i64,
    /// Up to and without this instant, UTC milliseconds.
    to: i64,
    /// In the order asked for.
    items: Vec<StatisticsOfPoint>,
}

/// What a time of a point comes to. Null where there is nothing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Statistics)]
pub struct StatisticsOfPoint {
    /// Address of the point.
    point: String,
    /// UCUM code of the unit.
    unit: String,
    /// How the unit is written for a person.
    symbol: &'static str,
    /// Readings with a value that counts.
    count: u64,
    /// Good readings.
    good: u64,
    /// Uncertain readings.
    uncertain: u64,
    /// Bad readings.
    bad: u64,
    /// The least number, where it was first seen.
    #[schema(required)]
    min: Option<Mark>,
    /// The greatest number, where it was first seen.
    #[schema(required)]
    max: Option<Mark>,
    /// The first value.
    #[schema(required)]
    first: Option<Mark>,
    /// The last value.
    #[schema(required)]
    last: Option<Mark>,
    /// The mean of the numbers.
    #[schema(required)]
    mean: Option<f64>,
    /// The mean of the numbers by the time each held.
    #[schema(required)]
    weighted: Option<f64>,
    /// The standard deviation of the numbers, as of a sample.
    #[schema(required)]
    deviation: Option<f64>,
    /// The sum of the numbers.
    #[schema(required)]
    sum: Option<NumberWire>,
    /// What a counter grew by since the last number before, resets considered.
    #[schema(required)]
    increase: Option<NumberWire>,
    /// How long a good reading held, in milliseconds.
    good_ms: i64,
    /// How long an uncertain reading held, in milliseconds.
    uncertain_ms: i64,
    /// How long a bad reading held, in milliseconds.
    bad_ms: i64,
}

/// A value and its instant.
#[derive(Debug, Serialize, ToSchema)]
pub struct Mark {
    /// UTC milliseconds.
    at: i64,
    /// The value in the point's unit.
    value: ValueWire,
}

/// What was known at an instant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AsOfList)]
pub struct AsOfAnswer {
    /// The instant, UTC milliseconds.
    at: i64,
    /// In the order asked for.
    items: Vec<AsOfPoint>,
}

/// What was known of a point.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AsOf)]
pub struct AsOfPoint {
    /// Address of the point.
    point: String,
    /// UCUM code of the unit.
    unit: String,
    /// How the unit is written for a person.
    symbol: &'static str,
    /// The last reading at or before the instant, bad ones too.
    #[schema(required)]
    reading: Option<ReadingWire>,
    /// The last one with a value.
    #[schema(required)]
    value: Option<ReadingWire>,
}

/// Get series of points
///
/// Readings as they are, or what windows of time come to, column by column. `Accept:
/// application/vnd.plantroom.columns` asks for the same as bytes: the length of a header (32 bits), the
/// header (`SeriesHeader`, JSON, spaces up to a multiple of 8 bytes of the whole), then its columns one
/// after the other, each so many 64-bit floats, all little endian, NaN where JSON has null.
#[utoipa::path(
    get,
    path = "/api/v1/series",
    tag = "plant",
    params(SeriesQuery),
    responses(
        (
            status = 200,
            description = "The series",
            content((SeriesAnswer = "application/json"), (Vec<u8> = "application/vnd.plantroom.columns"))
        ),
        Failure
    )
)]
pub async fn get_series(
    _viewer: Viewer,
    State(state): State<AppState>,
    headers: HeaderMap,
    Query(query): Query<SeriesQuery>,
) -> Result<Response, ApiError> {
    let window = span(&state, query.from.as_deref(), query.to.as_deref())?;
    let how = (query.cut.as_deref(), query.figures.as_deref(), query.trust.as_deref());
    let asked = Asked::new(&state, query.points.as_deref(), window, how)?;
    let limit = usize::try_from(limit(query.limit.as_deref(), LIMIT_DEFAULT, LIMIT_MAX)?).unwrap_or(0);
    let format = Format::of(&headers);
    let body = match (&asked.grid, format) {
        (Grid::Raw, Format::Json) => {
            let parts = readings(&state, &asked, limit, json_part).await?;
            in_json(&asked, parts).await?
        }
        (Grid::Raw, Format::Columns) => {
            let parts =
                readings(&state, &asked, limit, |_, point, table, texts| Encoded::of(point, table, texts));
            Body::from(in_columns(&asked, parts.await?).await?)
        }
        (Grid::Windows { .. }, Format::Json) => {
            let parts = windows(&state, &asked, json_part).await?;
            in_json(&asked, parts).await?
        }
        (Grid::Windows { figures, count, .. }, Format::Columns) => {
            let announce = |point: &Arc<PlantPoint>| Encoded::announce(point, Table::names(figures), *count);
            let heads: Vec<_> = asked.points.iter().map(announce).collect();
            let part = |_, point: &_, table: &_, texts: &_| Encoded::of(point, table, texts).body;
            let parts = windows(&state, &asked, part).await?;
            stream(Frame::of(&asked).header(&heads), parts, "").await?
        }
    };
    Ok(([(header::CONTENT_TYPE, format.content_type())], body).into_response())
}

/// Makes what leaves of a point's columns; the number is its place.
trait Part<T>: Fn(usize, &PlantPoint, &Table, &Texts) -> T + Send + 'static {}
impl<T, F: Fn(usize, &PlantPoint, &Table, &Texts) -> T + Send + 'static> Part<T> for F {}

fn json_part(place: usize, point: &PlantPoint, table: &Table, texts: &Texts) -> Vec<u8> {
    let part = json(point, table, texts);
    if place == 0 { part } else { [b",", part.as_slice()].concat() }
}

async fn in_json(asked: &Asked, parts: Answers<Vec<u8>>) -> Result<Body, ApiError> {
    let frame = Frame::of(asked);
    stream(frame.open.into_bytes(), parts, frame.close).await
}

/// How many readings there are is known when all are read.
async fn in_columns(asked: &Asked, mut parts: Answers<Encoded>) -> Result<Vec<u8>, HistoryError> {
    let (mut heads, mut bodies) = (Vec::new(), Vec::new());
    while let Some(part) = parts.next().await {
        let Encoded { head, body } = part?;
        heads.push(head);
        bodies.push(body);
    }
    bodies.insert(0, Frame::of(asked).header(&heads));
    Ok(bodies.concat())
}

async fn readings<T: Send + 'static>(
    state: &AppState,
    asked: &Asked,
    limit: usize,
    part: impl Part<T>,
) -> Result<Answers<T>, HistoryError> {
    let (points, texts, to) = (asked.points.clone(), state.texts().clone(), asked.window.to);
    let answer = move |place: usize, stream: &mut Merge<'_>| {
        let series = query::series(stream, limit)?;
        let last = series.rows.last().filter(|_| series.truncated);
        let next = last.map(|last| last.at.0.saturating_add(1)).filter(|next| *next < to.0);
        finish(&points, place, &Table::of_rows(&series.rows, next), &texts, &part)
    };
    state.history().ask(ids(&asked.points), Reach::First(asked.window, limit), answer).await
}

async fn windows<T: Send + 'static>(
    state: &AppState,
    asked: &Asked,
    part: impl Part<T>,
) -> Result<Answers<T>, HistoryError> {
    let reckonings = asked.reckonings(state.clock().utc());
    let (points, texts, grid) = (asked.points.clone(), state.texts().clone(), asked.grid.clone());
    let answer = move |place: usize, stream: &mut Merge<'_>| {
        let Grid::Windows { windows, count, figures } = &grid else { return Err(QueryError::Stopped) };
        let mut table = Table::of_windows(figures, *count);
        let reckoning = reckonings.get(place).copied().unwrap_or_default();
        query::buckets(stream, windows.clone(), reckoning, |bucket| table.push(figures, bucket))?;
        finish(&points, place, &table, &texts, &part)
    };
    state.history().ask(ids(&asked.points), Reach::Since(asked.window), answer).await
}

fn finish<T>(
    points: &[Arc<PlantPoint>],
    place: usize,
    table: &Table,
    texts: &Texts,
    part: &impl Part<T>,
) -> Result<T, QueryError> {
    let point = points.get(place).ok_or(QueryError::Stopped)?;
    Ok(part(place, point, table, texts))
}

fn ids(points: &[Arc<PlantPoint>]) -> Vec<PointId> {
    points.iter().map(|point| point.id).collect()
}

/// Get statistics of points
///
/// What a time comes to as a whole: the table beside a chart.
#[utoipa::path(
    get,
    path = "/api/v1/series/statistics",
    tag = "plant",
    params(StatisticsQuery),
    responses((status = 200, body = StatisticsAnswer), Failure)
)]
pub async fn get_statistics(
    _viewer: Viewer,
    State(state): State<AppState>,
    Query(query): Query<StatisticsQuery>,
) -> Result<Json<StatisticsAnswer>, ApiError> {
    let window = span(&state, query.from.as_deref(), query.to.as_deref())?;
    let (points, trust) =
        (points(&state, query.points.as_deref(), POINTS_MAX)?, trust(query.trust.as_deref())?);
    let now = state.clock().utc();
    let asked = points.iter().map(|point| (point.id, point.reckoning(trust, now))).collect();
    let found = state.history().statistics(asked, window).await?;
    let items = points.iter().zip(found);
    Ok(Json(StatisticsAnswer {
        from: window.from.0,
        to: window.to.0,
        items: items
            .map(|(point, found)| StatisticsOfPoint::of(point, found.as_ref(), state.texts()))
            .collect(),
    }))
}

impl StatisticsOfPoint {
    fn of(point: &PlantPoint, found: Option<&Statistics>, texts: &Texts) -> StatisticsOfPoint {
        let bucket = found.map(|found| found.bucket);
        let (summary, time) = (
            bucket.map(|bucket| bucket.summary).unwrap_or_default(),
            bucket.and_then(|bucket| bucket.time).unwrap_or_default(),
        );
        let mark = |mark: Option<(UtcMs, Value)>| {
            mark.map(|(at, value)| Mark { at: at.0, value: ValueWire::of(Some(value), texts) })
        };
        let sum = |sum: &Sum| if summary.numbers > 0 { number(sum) } else { None };
        StatisticsOfPoint {
            point: point.plan.address.to_string(),
            unit: point.plan.unit.to_string(),
            symbol: point.plan.unit.symbol(),
            count: summary.count,
            good: summary.good,
            uncertain: summary.uncertain,
            bad: summary.bad,
            min: mark(summary.min),
            max: mark(summary.max),
            first: mark(summary.first),
            last: mark(summary.last),
            mean: summary.mean(),
            weighted: time.mean(),
            deviation: found.and_then(|found| found.deviation),
            sum: sum(&summary.sum),
            increase: sum(&summary.increase),
            good_ms: time.good_ms,
            uncertain_ms: time.uncertain_ms,
            bad_ms: time.bad_ms,
        }
    }
}

/// With exactly its digits where they are known.
fn number(sum: &Sum) -> Option<NumberWire> {
    let exact = sum.to_decimal().map(NumberWire::from);
    exact.or_else(|| NumberWire::from_text(&serde_json::to_string(&sum.to_f64()).ok()?))
}

/// Get what was known of points at an instant
#[utoipa::path(
    get,
    path = "/api/v1/series/as-of",
    tag = "plant",
    params(AsOfQuery),
    responses((status = 200, body = AsOfAnswer), Failure)
)]
pub async fn get_as_of(
    _viewer: Viewer,
    State(state): State<AppState>,
    Query(query): Query<AsOfQuery>,
) -> Result<Json<AsOfAnswer>, ApiError> {
    let at = moment("at", query.at.as_deref())?.unwrap_or_else(|| state.clock().utc());
    let points = points(&state, query.points.as_deref(), POINTS_MAX)?;
    let found = state.history().as_of(ids(&points), at).await?;
    let item = |(point, known): (&Arc<PlantPoint>, query::AsOf)| {
        let wire = |row: Row| {
            let reading = Reading { point: point.id, at: row.at, value: row.value, quality: row.quality };
            ReadingWire::of(&reading, state.texts())
        };
        AsOfPoint {
            point: point.plan.address.to_string(),
            unit: point.plan.unit.to_string(),
            symbol: point.plan.unit.symbol(),
            reading: known.reading.map(wire),
            value: known.value.map(wire),
        }
    };
    Ok(Json(AsOfAnswer { at: at.0, items: points.iter().zip(found).map(item).collect() }))
}
