//! What a request that failed is answered: one envelope, made at the boundary.
//!
//! A handler returns an [`ApiError`]; it travels as a response extension and becomes bytes in
//! [`super::boundary`], which knows the request id. Whatever else refuses a request (axum,
//! a limit, a panic) gets its envelope there too, by status.

use crate::db::DbError;
use crate::historian::HistoryError;
use crate::historian::query::QueryError;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::fmt;
use utoipa::ToSchema;

/// Why a request is not answered as asked.
#[derive(Clone, Debug)]
pub struct ApiError {
    /// HTTP status.
    pub status: StatusCode,
    /// Stable word a program or a translation goes by.
    pub code: &'static str,
    /// What is wrong, in English.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// What every failure looks like on the wire.
#[derive(Debug, Serialize, ToSchema)]
pub struct Envelope<'a> {
    /// Stable word a program or a translation goes by.
    #[schema(example = "not_found")]
    pub code: &'a str,
    /// What is wrong, in English.
    pub message: &'a str,
    /// What to do about it.
    #[schema(required)]
    pub hint: Option<&'a str>,
    /// Names the request in the log.
    pub request_id: &'a str,
}

impl ApiError {
    /// An error without a hint.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError { status, code, message: message.into(), hint: None }
    }

    /// The same with a word on what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> ApiError {
        self.hint = Some(hint.into());
        self
    }

    /// There is no such thing: `no alarm 7`.
    pub fn not_found(kind: &str, id: impl fmt::Display) -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, "not_found", format!("There is no {kind} {id}."))
    }

    /// A parameter is not what it may be: which, what was found, what is allowed.
    pub fn parameter(name: &str, found: &str, allowed: impl fmt::Display) -> ApiError {
        let found: String = found.chars().take(FOUND_MAX).collect();
        let message = format!("The parameter {name} is {found:?}.");
        ApiError::new(StatusCode::BAD_REQUEST, "bad_parameter", message).hint(format!("It is {allowed}."))
    }

    /// A parameter is not there: which, what it may be.
    pub fn missing(name: &str, allowed: impl fmt::Display) -> ApiError {
        let message = format!("The parameter {name} is missing.");
        ApiError::new(StatusCode::BAD_REQUEST, "bad_parameter", message).hint(format!("It is {allowed}."))
    }

    /// The state of the thing does not allow it now.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::CONFLICT, code, message)
    }

    /// A fault of ours: logged here, once, with its causes; the client gets none of them.
    pub fn internal(error: &dyn std::error::Error) -> ApiError {
        let mut causes = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            causes = format!("{causes}: {cause}");
            source = cause.source();
        }
        tracing::error!(error = causes, "A request failed.");
        ApiError::for_status(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// What is said about a failure of which only the status is known.
    pub fn for_status(status: StatusCode) -> ApiError {
        let (code, message) = match status {
            StatusCode::NOT_FOUND => ("not_found", "There is nothing at this address."),
            StatusCode::METHOD_NOT_ALLOWED => {
                ("method_not_allowed", "This address does not take this method.")
            }
            StatusCode::PAYLOAD_TOO_LARGE => ("body_too_large", "The body is larger than 64 KiB."),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => ("wrong_content_type", "The body is not application/json."),
            StatusCode::UPGRADE_REQUIRED => ("upgrade_required", "This address speaks WebSocket only."),
            StatusCode::SERVICE_UNAVAILABLE => ("timeout", "The answer took longer than 30 s."),
            _ if status.is_server_error() => ("internal", "Something went wrong in plantroom."),
            _ => ("bad_request", "The request cannot be understood."),
        };
        let error = ApiError::new(status, code, message);
        match code {
            "internal" => error.hint("The log of plantroom says more; look for the request id."),
            "upgrade_required" => {
                error.hint("Read /api/v1/stream for the same messages as server-sent events.")
            }
            _ => error,
        }
    }
}

/// A found value is quoted up to this many characters.
const FOUND_MAX: usize = 80;

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<DbError> for ApiError {
    fn from(error: DbError) -> ApiError {
        ApiError::internal(&error)
    }
}

impl From<HistoryError> for ApiError {
    fn from(error: HistoryError) -> ApiError {
        let HistoryError::Query(QueryError::OverBudget { rows_max, .. }) = error else {
            return ApiError::internal(&error);
        };
        let message = format!("The answer takes more than {rows_max} readings.");
        ApiError::new(StatusCode::BAD_REQUEST, "too_many_readings", message)
            .hint("Ask for a shorter time or fewer points.")
    }
}

/// The failures any operation may answer with, for the OpenAPI document.
#[derive(utoipa::IntoResponses)]
pub enum Failure {
    /// A parameter or the body is not as expected; the message says which and what is allowed.
    #[response(status = 400)]
    BadRequest(Envelope<'static>),
    /// The host or the origin of the request is not this server.
    #[response(status = 403)]
    Forbidden(Envelope<'static>),
    /// There is no such thing.
    #[response(status = 404)]
    NotFound(Envelope<'static>),
    /// Something went wrong in plantroom; its log says more under the request id.
    #[response(status = 500)]
    Internal(Envelope<'static>),
    /// The answer took longer than 30 s, or there is no room for one more connection.
    #[response(status = 503)]
    Unavailable(Envelope<'static>),
}

/// What an operation that changes something may answer with besides [`Failure`].
#[derive(utoipa::IntoResponses)]
pub enum WriteFailure {
    /// The state of the thing does not allow it now; the code says why.
    #[response(status = 409)]
    Conflict(Envelope<'static>),
    /// The body is larger than 64 KiB.
    #[response(status = 413)]
    TooLarge(Envelope<'static>),
    /// The body is not application/json.
    #[response(status = 415)]
    WrongType(Envelope<'static>),
}
