//! Who takes the readings in: the running gateway, or the historian itself when none runs.

use super::Failure;
use crate::api::routes::import::{RowsWire, TakenWire};
use crate::historian::Importer;
use crate::historian::import::{Row, Taken};
use anyhow::{Context, anyhow};
use std::time::Duration;

/// A batch that waits for a slow disk takes no longer.
pub const BATCH_WITHIN: Duration = Duration::from_mins(10);

/// The taking side.
pub enum Target {
    /// A client of its socket.
    Running(reqwest::Client),
    /// Our own writer.
    Own(Importer),
}

impl Target {
    /// Takes some rows in; what is new is on disk when this returns.
    pub async fn take(&self, rows: &[Row]) -> Result<Taken, Failure> {
        match self {
            Target::Own(importer) => Ok(importer.take(rows).await.map_err(anyhow::Error::new)?),
            Target::Running(client) => Ok(post(client, rows).await?),
        }
    }
}

async fn post(client: &reqwest::Client, rows: &[Row]) -> anyhow::Result<Taken> {
    let sent = client.post("http://localhost/api/v1/import").json(&RowsWire::of(rows)).send().await;
    let answer = sent.context(
        "the process that holds the data directory does not answer on its socket; is it a gateway that \
         is stopping, or another verb?",
    )?;
    let status = answer.status();
    if status.is_success() {
        let TakenWire { stored, known } = answer.json().await.context("the gateway's answer")?;
        return Ok(Taken { stored, known });
    }
    let text = answer.text().await.unwrap_or_default();
    let envelope: Option<serde_json::Value> = serde_json::from_str(&text).ok();
    let message = envelope.as_ref().and_then(|it| it.pointer("/error/message").or(it.get("message")));
    let message = message.and_then(|message| message.as_str()).unwrap_or(&text);
    Err(anyhow!("the gateway refuses ({status}): {message}"))
}
