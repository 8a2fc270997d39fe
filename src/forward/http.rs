//! One request: lines in, what to do next out.

use super::config::endpoint;
use super::outcome::{Outcome, judge};
use crate::clock::Clock;
use crate::config::{Login, Secret, Target};
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response};
use std::io::Write;
use url::Url;

/// Most of an error's body that is read. Bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// The write endpoint of a target.
#[derive(Debug)]
pub struct Endpoint {
    client: Client,
    url: Url,
    token: Option<Secret>,
    login: Option<Login>,
    clock: Clock,
}

impl Endpoint {
    /// Of a target. Nothing is dialled yet.
    pub fn new(target: &Target, client: Client, clock: Clock) -> Endpoint {
        let (token, login) = (target.token.clone(), target.login.clone());
        Endpoint { client, url: endpoint(target), token, login, clock }
    }

    /// Sends lines, compressed, and reads the answer.
    pub async fn write(&self, lines: &str) -> Outcome {
        match self.request(lines).send().await {
            Ok(response) => self.read(response).await,
            // The URL may hold a password: never in a log.
            Err(error) => failed(&error.without_url()),
        }
    }

    fn request(&self, lines: &str) -> RequestBuilder {
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "text/plain; charset=utf-8")
            .header(CONTENT_ENCODING, "gzip")
            .body(gzip(lines));
        match (&self.token, &self.login) {
            (Some(token), _) => {
                request.header(reqwest::header::AUTHORIZATION, format!("Token {}", token.expose()))
            }
            (None, Some(login)) => request.basic_auth(&login.username, Some(login.password.expose())),
            (None, None) => request,
        }
    }

    async fn read(&self, mut response: Response) -> Outcome {
        let status = response.status().as_u16();
        let header = response.headers().get(RETRY_AFTER);
        let retry_after = header.and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut body = Vec::new();
        // Of an answer that breaks off the status still counts.
        while let Ok(Some(chunk)) = response.chunk().await {
            let room = ANSWER_BYTES_MAX.saturating_sub(body.len());
            body.extend(chunk.iter().take(room));
            if body.len() >= ANSWER_BYTES_MAX {
                break;
            }
        }
        judge(status, retry_after.as_deref(), &String::from_utf8_lossy(&body), self.clock.utc())
    }
}

fn failed(error: &reqwest::Error) -> Outcome {
    let mut reason = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        reason = format!("{reason}: {cause}");
        source = cause.source();
    }
    if error.is_builder() {
        // A header or an address that cannot be sent at all.
        return Outcome::Hold { reason };
    }
    Outcome::Retry { after: None, reason }
}

fn gzip(lines: &str) -> Vec<u8> {
    // The fastest level already makes a tenth of line protocol.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to a Vec cannot fail.
    let written = encoder.write_all(lines.as_bytes());
    let finished = written.and_then(|()| encoder.finish());
    finished.unwrap_or_default()
}
