//! One cryptography provider (ring) and one TLS client configuration for everything that dials.

use rustls::crypto::{CryptoProvider, ring};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;

/// Why there is no TLS configuration.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The provider cannot do TLS 1.2 and 1.3.
    #[error("the TLS provider offers no usable protocol version")]
    Protocol(#[from] rustls::Error),
}

/// Makes ring the provider of this process. To be called first in `main`; calling it again, or
/// after someone else has installed one, changes nothing.
pub fn install_crypto() {
    if CryptoProvider::get_default().is_none() {
        // An error means another thread was first: one is installed either way.
        let _installed = ring::default_provider().install_default();
    }
}

/// TLS 1.2 and 1.3 as a client, trusting the certificates of the operating system. Names its
/// provider, so it works whether or not [`install_crypto`] ran.
///
/// A host without any certificate (a bare container) is no error: connections that need one then
/// fail with an unknown issuer, and plain HTTP inside the building goes on.
pub fn tls_config() -> Result<ClientConfig, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (trusted, unusable) = roots.add_parsable_certificates(found.certs);
    if trusted == 0 {
        tracing::warn!(
            unusable,
            errors = found.errors.len(),
            "No trusted certificates on this host, HTTPS will be refused."
        );
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn installing_twice_leaves_one_provider() {
        install_crypto();
        install_crypto();
        assert!(CryptoProvider::get_default().is_some());
    }

    #[test]
    fn speaks_tls_1_2_and_1_3() {
        let config = tls_config().unwrap();
        assert!(config.crypto_provider().cipher_suites.iter().any(|suite| suite.tls13().is_some()));
        assert!(config.crypto_provider().cipher_suites.iter().any(|suite| suite.tls13().is_none()));
    }
}
