//! How plantroom meets a network: one TLS provider, one make of HTTP client, one way to wait before a retry.
//!
//! **Invariant:** dials nothing itself; it only makes what others dial with.
//!
//! Reading order: [`Backoff`], [`install_crypto`], [`tls_config`] and [`tls_config_with`], [`http_client`], [`socket_client`].

mod backoff;
mod tls;
mod http;

pub use backoff::Backoff;
pub use http::{HttpError, HttpTimeouts, http_client, socket_client};
pub use tls::{Pems, TlsError, explain_tls, install_crypto, tls_config, tls_config_with};
