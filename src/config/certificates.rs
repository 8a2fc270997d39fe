//! Whether the files a broker's TLS names can be used: said with the place that names them, before
//! anything is dialled. Pure given the files; whether a certificate has expired is for the clock,
//! and so for the connection.

use super::Part;
use super::check::Outside;
use super::diagnostic::{Code, Problem};
use super::leaf::At;
use super::source::Place;
use super::spec::{BrokerTls, File};
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::path::{Path, PathBuf};

const PEM_HELP: &str = "a PEM text begins with -----BEGIN ...; of DER make it with: openssl x509 -inform der -in FILE -out FILE.pem";
const KEY_HELP: &str =
    "make one without a password: openssl pkey -in FILE -out FILE.key; let only plantroom read it";

/// The file a path of `tls` means. `file:`, as secrets are written, is the same.
pub fn path(folder: &Path, written: &str) -> PathBuf {
    folder.join(written.strip_prefix("file:").unwrap_or(written))
}

/// Reads and tries the certificates and keys of all brokers.
pub fn check(parts: &[Part<File>], outside: Outside<'_>, problems: &mut Vec<Problem>) {
    for part in parts {
        for tls in part.content.mqtt.iter().filter_map(|broker| broker.tls.as_ref()) {
            Check { part, outside, problems }.tls(tls);
        }
    }
}

struct Check<'a> {
    part: &'a Part<File>,
    outside: Outside<'a>,
    problems: &'a mut Vec<Problem>,
}

impl Check<'_> {
    fn tls(&mut self, tls: &At<BrokerTls>) {
        if let Some(ca) = &tls.ca {
            self.authority(ca);
        }
        let chain = tls.certificate.as_ref().and_then(|at| self.certificates(at));
        let key = tls.key.as_ref().and_then(|at| self.key(at));
        match (&tls.certificate, &tls.key) {
            (Some(at), None) => self.alone(at, "certificate", "key"),
            (None, Some(at)) => self.alone(at, "key", "certificate"),
            _ => {}
        }
        let Some(((chain, key), at)) = chain.zip(key).zip(tls.key.as_ref()) else { return };
        if let Err(why) = CertifiedKey::from_der(chain, key, &ring::default_provider()) {
            let message = match why {
                rustls::Error::InconsistentKeys(_) => format!("{:?} is not the key of the certificate", **at),
                other => format!("certificate and {:?} cannot be used: {other}", **at),
            };
            self.report(Code::Certificate, at, message, "name the key the certificate was made with");
        }
    }

    fn authority(&mut self, at: &At<String>) {
        let Some(list) = self.certificates(at) else { return };
        let mut roots = RootCertStore::empty();
        if let Some(why) = list.into_iter().find_map(|certificate| roots.add(certificate).err()) {
            let message = format!("{:?} holds a certificate that cannot be used: {why}", **at);
            self.report(Code::Certificate, at, message, "ask for the authority's certificate anew");
        }
    }

    fn certificates(&mut self, at: &At<String>) -> Option<Vec<CertificateDer<'static>>> {
        let text = self.read(at)?;
        match CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<Vec<_>, _>>() {
            Ok(list) if !list.is_empty() => Some(list),
            Ok(_) => {
                let message = format!("{:?} holds no certificate", **at);
                self.report(Code::Certificate, at, message, PEM_HELP);
                None
            }
            Err(_) => {
                let message = format!("{:?} is a PEM text that is cut off or garbled", **at);
                self.report(Code::Certificate, at, message, "copy it here again");
                None
            }
        }
    }

    fn key(&mut self, at: &At<String>) -> Option<PrivateKeyDer<'static>> {
        let text = self.read(at)?;
        let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).ok();
        if key.is_none() {
            let message = if text.contains("ENCRYPTED") {
                format!("{:?} is encrypted, and nobody is there to type a password", **at)
            } else {
                format!("{:?} holds no private key", **at)
            };
            self.report(Code::Certificate, at, message, KEY_HELP);
        }
        key
    }

    fn read(&mut self, at: &At<String>) -> Option<String> {
        let file = path(self.outside.folder, at);
        let error = match self.outside.files.read(&file) {
            Ok(text) => return Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => "it is no text".to_owned(),
            Err(error) => error.to_string(),
        };
        let message = format!("{} cannot be read: {error}", file.display());
        self.report(Code::Certificate, at, message, "paths begin at the folder of the main file");
        None
    }

    fn alone(&mut self, at: &At<String>, given: &str, missing: &str) {
        let message = format!("a {given} stands here without its {missing}");
        let help = format!("write both, or neither if the broker asks for none: {missing} = \"FILE\"");
        self.report(Code::Certificate, at, message, &help);
    }

    fn report(&mut self, code: Code, at: &At<String>, message: String, help: &str) {
        let place: Place = self.part.place(at);
        self.problems.push(Problem::error(code, place, message).help(help));
    }
}
