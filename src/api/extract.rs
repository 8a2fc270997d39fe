//! Takes requests apart, with refusals that point: which parameter, what was found, what is allowed.

use super::error::ApiError;
use crate::point::UtcMs;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

/// The query string; unknown parameters are refused.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Query<T>, ApiError> {
        let query = axum::extract::Query::from_request_parts(parts, state).await;
        let axum::extract::Query(value) = query.map_err(|rejection: QueryRejection| {
            let message = format!("{}.", rejection.body_text());
            ApiError::new(StatusCode::BAD_REQUEST, "bad_parameter", message)
        })?;
        Ok(Query(value))
    }
}

/// Parts of the path, as texts: what they must be is the handler's business.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Path<T>, ApiError> {
        // Only bytes that are no UTF-8 are refused here, so there is nothing of that name.
        let path = axum::extract::Path::from_request_parts(parts, state).await;
        let axum::extract::Path(value) = path.map_err(|_| ApiError::for_status(StatusCode::NOT_FOUND))?;
        Ok(Path(value))
    }
}

/// A JSON body; unknown fields are refused. The guard has seen its content type.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Body<T>, ApiError> {
        let bytes = Bytes::from_request(request, state).await;
        let bytes = bytes.map_err(|rejection| ApiError::for_status(rejection.status()))?;
        serde_json::from_slice(&bytes).map(Body).map_err(|error| {
            ApiError::new(
                StatusCode::BAD_REQUEST,
                "bad_body",
                format!("The body is not as expected: {error}."),
            )
        })
    }
}

/// A whole number within bounds, if given.
pub fn number(name: &str, text: Option<&str>, min: i64, max: i64) -> Result<Option<i64>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    let number = text.parse().ok().filter(|number| (min..=max).contains(number));
    let wrong = || {
        let allowed = match (min, max) {
            (0, i64::MAX) => "a whole number, not negative".to_owned(),
            _ => format!("a whole number from {min} to {max}"),
        };
        ApiError::parameter(name, text, allowed)
    };
    number.map(Some).ok_or_else(wrong)
}

/// How many items at most: `default` if not given.
pub fn limit(text: Option<&str>, default: u32, max: u32) -> Result<u32, ApiError> {
    let limit = number("limit", text, 1, i64::from(max))?;
    Ok(limit.and_then(|limit| u32::try_from(limit).ok()).unwrap_or(default))
}

/// An instant in UTC milliseconds, if given; any that a calendar has.
pub fn instant(name: &str, text: Option<&str>) -> Result<Option<i64>, ApiError> {
    // Years 1 to 9999.
    number(name, text, -62_135_596_800_000, 253_402_300_799_999)
}

/// An instant in UTC milliseconds or RFC 3339, if given. The `+` of an offset may have become a
/// space on its way through a query string.
pub fn moment(name: &str, text: Option<&str>) -> Result<Option<UtcMs>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    let written = text.replace(' ', "+").parse::<jiff::Timestamp>();
    let at = written
        .map(jiff::Timestamp::as_millisecond)
        .ok()
        .or_else(|| instant(name, Some(text)).ok().flatten());
    let allowed = "an instant in UTC milliseconds or as 2026-11-22T08:00:00+08:00";
    at.map(UtcMs).map(Some).ok_or_else(|| ApiError::parameter(name, text, allowed))
}

/// The number of a thing in a path.
pub fn id(text: &str) -> Result<i64, ApiError> {
    let id = number("id", Some(text), 0, i64::MAX)?;
    id.ok_or_else(|| ApiError::for_status(StatusCode::NOT_FOUND))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_number_is_shown_with_its_bounds() {
        assert_eq!(limit(None, 50, 100).unwrap(), 50);
        assert_eq!(limit(Some("100"), 50, 100).unwrap(), 100);
        for found in ["0", "101", "-1", "1e2", "", " 7", "99999999999999999999"] {
            let error = limit(Some(found), 50, 100).unwrap_err();
            assert_eq!(error.code, "bad_parameter");
            assert_eq!(error.message, format!("The parameter limit is {found:?}."));
            assert_eq!(error.hint.as_deref(), Some("It is a whole number from 1 to 100."));
        }
        assert_eq!(instant("from", Some("-1")).unwrap(), Some(-1));
        assert!(instant("from", Some("9223372036854775807")).is_err());
    }

    #[test]
    fn a_moment_is_a_number_or_written_out() {
        for text in [
            "1795305600000",
            "2026-11-22T08:00:00+08:00",
            "2026-11-22T08:00:00 08:00",
            "2026-11-22T00:00:00Z",
        ] {
            assert_eq!(moment("from", Some(text)).unwrap(), Some(UtcMs(1_795_305_600_000)), "{text}");
        }
        for text in ["", "yesterday", "2026-11-22", "2026-11-22T08:00:00", "9223372036854775807", "1e3"] {
            assert_eq!(moment("from", Some(text)).unwrap_err().code, "bad_parameter", "{text}");
        }
    }

    #[test]
    fn what_was_found_is_quoted_shortened() {
        let error = number("after", Some(&"é".repeat(5_000)), 0, 9).unwrap_err();
        assert!(error.message.chars().count() < 120);
    }
}
