//! The edge of every request: its name, its line in the log, its headers, and the envelope if it
//! failed. Used for the page's routes too ([`super::shell`]).

use super::error::{ApiError, Envelope};
use super::metrics::Labels;
use super::state::AppState;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::any::Any;
use tracing::Instrument;

/// The header a request id comes and goes in.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A request id from outside is taken up to this length, of letters, digits, `-`, `_` and `.`.
const REQUEST_ID_MAX: usize = 64;

/// Headers every answer has unless its handler says otherwise.
const SAFE: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
];

/// Around everything else.
pub async fn boundary(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let id = request_id(request.headers()).map_or_else(|| state.next_request_id(), str::to_owned);
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    // At ERROR, so that a line of any level below it carries the id.
    let span = tracing::error_span!("request", request_id = id, method = %request.method(), path = request.uri().path());
    let begun = state.clock().mono();
    let response = next.run(request).instrument(span.clone()).await;
    let mut response = envelope(response, &id);
    let took_ms = state.clock().mono().since_ms(begun);
    let status = response.status().as_u16();
    span.in_scope(|| tracing::debug!(status, took_ms, "Answered."));
    let labels = Labels { route, status };
    state.metrics().requests.get_or_create(&labels).inc();
    state.metrics().duration.observe(std::time::Duration::from_millis(took_ms).as_secs_f64());
    finish(response.headers_mut(), &id);
    response
}

/// An id a client may give: it must not be able to forge a log line.
fn request_id(headers: &HeaderMap) -> Option<&str> {
    let given = headers.get(REQUEST_ID)?.to_str().ok()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (!given.is_empty() && given.len() <= REQUEST_ID_MAX && given.chars().all(plain)).then_some(given)
}

/// Gives a failure its body. One that has a JSON body already is an answer of its handler.
fn envelope(mut response: Response, id: &str) -> Response {
    let status = response.status();
    let json = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if json || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let error =
        response.extensions_mut().remove::<ApiError>().unwrap_or_else(|| ApiError::for_status(status));
    let body =
        Envelope { code: error.code, message: &error.message, hint: error.hint.as_deref(), request_id: id };
    let mut answer = (error.status, axum::Json(body)).into_response();
    if let Some(methods) = response.headers_mut().remove(header::ALLOW) {
        answer.headers_mut().insert(header::ALLOW, methods);
    }
    answer
}

fn finish(headers: &mut HeaderMap, id: &str) {
    for (name, value) in SAFE {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
}

/// What a panic in a handler is answered; the process lives on.
#[expect(clippy::needless_pass_by_value, reason = "the shape CatchPanicLayer asks for")]
pub fn panicked(payload: Box<dyn Any + Send + 'static>) -> Response {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let panic = text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default();
    tracing::error!(panic, "A request handler panicked.");
    ApiError::for_status(StatusCode::INTERNAL_SERVER_ERROR).into_response()
}
