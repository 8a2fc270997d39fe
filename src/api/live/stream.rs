//! `/api/v1/stream`: the same messages as server-sent events, for curl, programs and proxies
//! that know no WebSocket.

use super::driver::{Driver, Outgoing};
use super::protocol::{MIN_MS_DEFAULT, Selection};
use super::socket::full;
use crate::api::error::{ApiError, Failure};
use crate::api::extract::{Query, number};
use crate::api::state::AppState;
use crate::api::viewer::Viewer;
use crate::clock::Mono;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::IntoResponse;
use axum::response::sse::{Event, Sse};
use futures_util::stream::{Stream, unfold};
use serde::Deserialize;
use std::convert::Infallible;
use utoipa::IntoParams;

/// A client that takes a message no sooner than this is let go. Milliseconds.
const WRITE_WITHIN_MS: u64 = 10_000;

/// What to follow.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StreamQuery {
    /// Addresses with commas between them, or `*`; without it only events come.
    #[param(example = "main-meter/energy")]
    points: Option<String>,
    /// Values not more often than this, in milliseconds.
    #[param(value_type = Option<u32>, minimum = 100, maximum = 60_000, default = 1_000)]
    min_ms: Option<String>,
    /// Events after this number; a `Last-Event-ID` header goes first. Without either, new events only.
    #[param(value_type = Option<i64>, minimum = 0)]
    after: Option<String>,
}

/// Follow values and events as server-sent events
///
/// The messages of `/api/v1/live` as `data:` lines; an event of the log carries its number as `id:`.
#[utoipa::path(
    get,
    path = "/api/v1/stream",
    tag = "live",
    params(StreamQuery),
    responses((status = 200, content_type = "text/event-stream", body = String), Failure)
)]
pub async fn follow_stream(
    _viewer: Viewer,
    State(state): State<AppState>,
    headers: HeaderMap,
    Query(query): Query<StreamQuery>,
) -> Result<impl IntoResponse, ApiError> {
    let min_ms = number("min_ms", query.min_ms.as_deref(), 0, i64::from(u32::MAX))?;
    let min_ms = min_ms.and_then(|ms| u32::try_from(ms).ok()).unwrap_or(MIN_MS_DEFAULT);
    let resumed = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let after = match resumed {
        Some(id) => number("Last-Event-ID", Some(id), 0, i64::MAX)?,
        None => number("after", query.after.as_deref(), 0, i64::MAX)?,
    };
    let points = query.points.as_deref().map(Selection::from_list);
    let mut driver = Driver::open(state.clone()).ok_or_else(full)?;
    driver
        .begin(points.as_ref(), min_ms, after)
        .map_err(|refused| ApiError::new(StatusCode::BAD_REQUEST, refused.code(), refused.message()))?;
    // A proxy that buffers would hold the messages back.
    let unbuffered = (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(([unbuffered], Sse::new(messages(driver, state))))
}

fn messages(driver: Driver, state: AppState) -> impl Stream<Item = Result<Event, Infallible>> {
    unfold((driver, state, None), |(mut driver, state, handed)| async move {
        if handed.is_some_and(|at: Mono| state.clock().mono().since_ms(at) > WRITE_WITHIN_MS) {
            return None;
        }
        let Outgoing { text, event } = tokio::select! {
            biased;
            () = state.stop().cancelled() => return None,
            next = driver.next() => next?,
        };
        let message = Event::default().data(text);
        let message = match event {
            Some(seq) => message.id(seq.to_string()),
            None => message,
        };
        let handed = Some(state.clock().mono());
        Some((Ok(message), (driver, state, handed)))
    })
}
