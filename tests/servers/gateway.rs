//! The real program, started as a user would start it.

use crate::support::eventually;
use libtest_mimic::Failed;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

/// A running `plantroom run` in a folder with `plantroom.toml` and `data/`.
pub struct Gateway {
    folder: PathBuf,
    child: Child,
    base: String,
    client: reqwest::Client,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

impl Gateway {
    /// Starts it and waits until it is ready.
    pub async fn start(folder: &Path) -> Result<Gateway, Failed> {
        plantroom::net::install_crypto();
        let client = plantroom::net::http_client(plantroom::net::HttpTimeouts::default())?;
        let (child, base) = spawn(folder)?;
        let gateway = Gateway { folder: folder.to_owned(), child, base, client };
        gateway.ready().await?;
        Ok(gateway)
    }

    /// Starts it again in the same folder, after [`Gateway::kill_9`].
    pub async fn restart(&mut self) -> Result<(), Failed> {
        (self.child, self.base) = spawn(&self.folder)?;
        self.ready().await
    }

    /// SIGKILL: no handler runs, nothing is flushed.
    pub fn kill_9(&mut self) -> Result<(), Failed> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, and the orderly end.
    pub async fn stop(&mut self) -> Result<(), Failed> {
        let done = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        assert!(done.success());
        let status = eventually("the orderly end", async || Ok(self.child.try_wait()?)).await?;
        if status.success() { Ok(()) } else { Err(format!("ended with {status}").into()) }
    }

    async fn ready(&self) -> Result<(), Failed> {
        eventually("readiness", async || {
            let answer = self.client.get(format!("{}/readyz", self.base)).send().await;
            Ok(answer.ok().filter(|answer| answer.status().is_success()).map(|_| ()))
        })
        .await
    }

    /// The JSON behind a path.
    pub async fn get(&self, path: &str) -> Result<Value, Failed> {
        let answer = self.client.get(format!("{}{path}", self.base)).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        if !status.is_success() {
            return Err(format!("{path}: {status}: {text}").into());
        }
        Ok(serde_json::from_str(&text)?)
    }

    /// A technician's act on a work order: status and body.
    pub async fn act(&self, order: &str, act: &str, version: &Value) -> Result<(u16, Value), Failed> {
        let url = format!("{}/api/v1/work-orders/{order}/{act}", self.base);
        let body = json!({"by": "Wang", "note": "regulator", "version": version});
        let answer = self.client.post(url).json(&body).send().await?;
        Ok((answer.status().as_u16(), serde_json::from_str(&answer.text().await?)?))
    }

    /// What `plantroom query` prints, beside the running process or after it.
    pub fn query(&self, arguments: &[&str]) -> Result<String, Failed> {
        let output = plantroom(&self.folder).arg("query").args(arguments).output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Whether a browser that opens the points page comes to show `text` at the point.
    pub fn page_shows(&self, point: &str, text: &str) -> Result<(), Failed> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/value.mjs");
        let output = Command::new("node").arg(script).args([&self.base, point, text]).output()?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("the page: {}", String::from_utf8_lossy(&output.stderr)).into())
    }
}

fn plantroom(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plantroom"));
    command.arg("--config").arg(folder.join("plantroom.toml")).arg("--data").arg(folder.join("data"));
    command.arg("--log").arg("json");
    command
}

/// Starts the program and reads the address it serves from its log; the log goes on to ours.
fn spawn(folder: &Path) -> Result<(Child, String), Failed> {
    let mut child = plantroom(folder).arg("run").stderr(Stdio::piped()).spawn()?;
    let stderr = child.stderr.take().ok_or("no standard error")?;
    let (address_tx, address) = sync_channel(1);
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if let Some(address) = served(&line) {
                let _heard = address_tx.try_send(address);
            }
            let _shown = writeln!(std::io::stderr(), "plantroom: {line}");
        }
    });
    let address = wait_for(&address, &mut child)?;
    Ok((child, address))
}

fn served(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    let fields = line.get("fields").unwrap_or(&line);
    fields.get("url")?.as_str().map(|url| url.trim_end_matches('/').to_owned())
}

fn wait_for(address: &Receiver<String>, child: &mut Child) -> Result<String, Failed> {
    for _ in 0..600 {
        if let Ok(address) = address.recv_timeout(Duration::from_millis(100)) {
            return Ok(address);
        }
        if let Some(status) = child.try_wait()? {
            return Err(format!("plantroom ended with {status} before it served").into());
        }
    }
    Err("plantroom named no address".into())
}
