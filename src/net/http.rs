//! The HTTP clients of everyone who needs one.

use super::tls::{self, TlsError};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long an HTTP exchange may take.
#[derive(Clone, Copy, Debug)]
pub struct HttpTimeouts {
    /// Until the connection stands, TLS included.
    pub connect: Duration,
    /// From the start of the request to the last byte of the answer.
    pub total: Duration,
}

impl Default for HttpTimeouts {
    /// 5 s to connect, 30 s in all.
    fn default() -> HttpTimeouts {
        HttpTimeouts { connect: Duration::from_secs(5), total: Duration::from_secs(30) }
    }
}

/// Why there is no HTTP client.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// No TLS configuration.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The client cannot be made.
    #[error("the HTTP client cannot be made")]
    Client(#[from] reqwest::Error),
}

/// A client with timeouts and our TLS, which talks to exactly the host it was given: redirects
/// are answers like any other (a compromised target must not steer requests to another host in
/// the building), and the proxy variables of the environment are ignored.
pub fn http_client(timeouts: HttpTimeouts) -> Result<reqwest::Client, HttpError> {
    Ok(builder(timeouts).tls_backend_preconfigured(tls::tls_config()?).build()?)
}

/// A client of the process that listens on a Unix socket, whatever host the address names.
pub fn socket_client(socket: &Path, timeouts: HttpTimeouts) -> Result<reqwest::Client, HttpError> {
    // Nothing is encrypted on the way to oneself, so no certificate is read.
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Protocol)?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    Ok(builder(timeouts).tls_backend_preconfigured(tls).unix_socket(socket).build()?)
}

fn builder(timeouts: HttpTimeouts) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .connect_timeout(timeouts.connect)
        .timeout(timeouts.total)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .user_agent(concat!("plantroom/", env!("CARGO_PKG_VERSION")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{Router, http::StatusCode, http::header, routing::get};
    use std::net::SocketAddr;

    async fn serve(router: Router) -> (SocketAddr, impl Future<Output = ()>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (address, async move { axum::serve(listener, router).await.unwrap() })
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed() {
        let router = Router::new()
            .route("/", get(|| async { (StatusCode::FOUND, [(header::LOCATION, "/inside")]) }))
            .route("/inside", get(|| async { "secret" }));
        let (address, server) = serve(router).await;
        let client = http_client(HttpTimeouts::default()).unwrap();
        let answer = tokio::select! {
            answer = client.get(format!("http://{address}/")).send() => answer.unwrap(),
            () = server => unreachable!("the server runs until it is dropped"),
        };
        assert_eq!(answer.status(), StatusCode::FOUND);
    }

    #[tokio::test]
    async fn a_server_that_never_answers_ends_in_the_timeout() {
        let router = Router::new().route("/", get(std::future::pending::<&str>));
        let (address, server) = serve(router).await;
        let timeouts = HttpTimeouts { total: Duration::from_millis(50), connect: Duration::from_secs(5) };
        let client = http_client(timeouts).unwrap();
        let error = tokio::select! {
            answer = client.get(format!("http://{address}/")).send() => answer.unwrap_err(),
            () = server => unreachable!("the server runs until it is dropped"),
        };
        assert!(error.is_timeout(), "{error:?}");
    }

    /// reqwest 0.13 without a provider panics here; ours starts a TLS handshake and reports
    /// that the peer speaks none.
    #[tokio::test]
    async fn https_works_without_an_installed_provider() {
        let (address, server) = serve(Router::new()).await;
        let client = http_client(HttpTimeouts::default()).unwrap();
        let error = tokio::select! {
            answer = client.get(format!("https://{address}/")).send() => answer.unwrap_err(),
            () = server => unreachable!("the server runs until it is dropped"),
        };
        assert!(error.is_connect(), "{error:?}");
    }
}
