//! Who asks. Every handler takes one, from the first day, so that sign-in adds rights, not arguments.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use std::convert::Infallible;

/// Who sent the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Viewer {
    /// Someone at this machine: plantroom listens on loopback only until sign-in exists.
    Local,
}

impl Viewer {
    /// The name the audit keeps when the request claims no other.
    pub fn name(self) -> &'static str {
        match self {
            Viewer::Local => "local",
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Viewer {
    type Rejection = Infallible;

    async fn from_request_parts(_parts: &mut Parts, _state: &S) -> Result<Viewer, Infallible> {
        Ok(Viewer::Local)
    }
}
