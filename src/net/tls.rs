//! One cryptography provider (ring) and one TLS client configuration for everything that dials.

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{AlertDescription, CertificateError, ClientConfig, Error, RootCertStore};
use std::sync::Arc;

/// Why there is no TLS configuration.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The provider cannot do TLS 1.2 and 1.3.
    #[error("the TLS provider offers no usable protocol version: {0}")]
    Protocol(Error),
    /// What is to be trusted holds no certificate.
    #[error("the authority's file holds no certificate in PEM form")]
    NoAuthority,
    /// A certificate of the authority cannot be used.
    #[error("a certificate of the authority cannot be used: {0}")]
    Authority(Error),
    /// The own certificate's file holds none.
    #[error("the certificate's file holds no certificate in PEM form")]
    NoCertificate,
    /// The key's file holds none that can be used.
    #[error("the key's file holds no private key in PEM form, or an encrypted one")]
    NoKey,
    /// Certificate and key are unusable, or not of one pair.
    #[error("certificate and key cannot be used: {0}")]
    Identity(Error),
}

/// Who is trusted and who this end is, as PEM texts.
#[derive(Clone, Copy, Default)]
pub struct Pems<'a> {
    /// The authority to trust, and no other; none for those of the operating system.
    pub ca: Option<&'a [u8]>,
    /// The own certificate with its chain, and its private key.
    pub identity: Option<(&'a [u8], &'a [u8])>,
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
    client(host_roots(), None)
}

/// What the operating system trusts.
fn host_roots() -> RootCertStore {
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
    roots
}

/// The same with an authority of one's own, or a certificate to show to the server.
pub fn tls_config_with(pems: Pems<'_>) -> Result<ClientConfig, TlsError> {
    let Some(ca) = pems.ca else { return client(host_roots(), pems.identity) };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca).ok_or(TlsError::NoAuthority)? {
        roots.add(certificate).map_err(TlsError::Authority)?;
    }
    client(roots, pems.identity)
}

fn client(roots: RootCertStore, identity: Option<(&[u8], &[u8])>) -> Result<ClientConfig, TlsError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Protocol)?
        .with_root_certificates(roots);
    let Some((chain, key)) = identity else { return Ok(builder.with_no_client_auth()) };
    let chain = certificates(chain).ok_or(TlsError::NoCertificate)?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::NoKey)?;
    builder.with_client_auth_cert(chain, key).map_err(TlsError::Identity)
}

/// At least one, all of them readable.
fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let list: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().ok()?;
    (!list.is_empty()).then_some(list)
}

/// Why a handshake failed, in words that name the remedy where there is one. `error` is what a
/// connection gave, perhaps an [`std::io::Error`] around the one of TLS; none if it is about
/// something else.
pub fn explain_tls(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(tls) = error.downcast_ref::<Error>() {
            return Some(explain(tls));
        }
        // The source of an I/O error made of another is that one's source, not that one.
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(tls) = inner.and_then(|inner| inner.downcast_ref::<Error>()) {
            return Some(explain(tls));
        }
        next = error.source();
    }
    None
}

fn explain(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(why) => match why {
            CertificateError::UnknownIssuer => {
                "the server's certificate is of an authority that is not trusted here: name its file in `ca`"
                    .to_owned()
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "the server's certificate has expired: renew it there, or correct the clock here".to_owned()
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "the server's certificate is not valid yet: correct the clock here or there".to_owned()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => format!(
                "the server's certificate is for another name ({why}): connect by a name that stands in it"
            ),
            other => format!("the server's certificate cannot be trusted: {other}"),
        },
        Error::AlertReceived(
            alert @ (AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied),
        ) => format!("the server refuses our certificate ({alert:?}): see `certificate` and `key`"),
        Error::AlertReceived(AlertDescription::HandshakeFailure) => {
            "the server ended the handshake: it may want a certificate (`certificate` and `key`), or other ciphers"
                .to_owned()
        }
        Error::InvalidMessage(_) => "what answers there does not speak TLS: is it the right port?".to_owned(),
        other => format!("TLS: {other}"),
    }
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

    #[test]
    fn what_is_no_certificate_and_no_key_is_said() {
        let said = |pems: Pems<'_>| tls_config_with(pems).unwrap_err();
        let text: &[u8] = b"ask Mr Wang";
        let cut: &[u8] = b"-----BEGIN CERTIFICATE-----\nMIIB";
        assert!(matches!(said(Pems { ca: Some(text), identity: None }), TlsError::NoAuthority));
        assert!(matches!(said(Pems { ca: Some(cut), identity: None }), TlsError::NoAuthority));
        assert!(matches!(said(Pems { ca: None, identity: Some((text, text)) }), TlsError::NoCertificate));
        assert!(tls_config_with(Pems::default()).is_ok());
    }

    #[test]
    fn a_failed_handshake_is_explained_through_the_errors_around_it() {
        let wrapped = |error: Error| std::io::Error::new(std::io::ErrorKind::InvalidData, error);
        for (error, words) in [
            (
                Error::InvalidCertificate(CertificateError::UnknownIssuer),
                "not trusted here: name its file in `ca`",
            ),
            (Error::InvalidCertificate(CertificateError::Expired), "has expired"),
            (Error::InvalidCertificate(CertificateError::NotValidForName), "another name"),
            (Error::AlertReceived(AlertDescription::CertificateRequired), "refuses our certificate"),
            (Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType), "does not speak TLS"),
        ] {
            let said = explain_tls(&wrapped(error)).unwrap();
            assert!(said.contains(words), "{said}");
        }
        assert_eq!(explain_tls(&std::io::Error::from(std::io::ErrorKind::ConnectionRefused)), None);
    }
}
