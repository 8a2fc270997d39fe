//! What was found, kept from command to command, and the table made of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Numbers by engine and quantity, in a file beside the data.
pub struct Results {
    file: PathBuf,
    found: BTreeMap<String, f64>,
}

impl Results {
    /// Those found in a folder so far.
    pub fn open(dir: &Path) -> anyhow::Result<Results> {
        let file = dir.join("results.json");
        let found =
            if file.exists() { serde_json::from_slice(&std::fs::read(&file)?)? } else { BTreeMap::new() };
        Ok(Results { file, found })
    }

    /// Says and keeps one.
    pub fn put(&mut self, engine: &str, what: &str, number: f64) -> anyhow::Result<()> {
        println!("  {engine:10} {what:22} {number:12.4}");
        self.found.insert(key(engine, what), number);
        std::fs::write(&self.file, serde_json::to_vec_pretty(&self.found)?)?;
        Ok(())
    }

    /// The ratios, for benches/README.md.
    pub fn print(&self) {
        println!("| quantity | plantroom | to InfluxDB | to VictoriaMetrics | must |\n|---|---|---|---|---|");
        for (what, unit, must) in ROWS {
            let Some(ours) = self.found.get(&key("plantroom", what)) else { continue };
            let ratio = |peer| {
                let theirs = self.found.get(&key(peer, what)).filter(|theirs| **theirs > 0.0);
                theirs.map(|theirs| format!("{}x", digits(ours / theirs))).unwrap_or_default()
            };
            let (influx, victoria) = (ratio("influx"), ratio("victoria"));
            println!("| {what}, {unit} | {} | {influx} | {victoria} | {must} |", digits(*ours));
        }
    }
}

fn key(engine: &str, what: &str) -> String {
    format!("{engine}: {what}")
}

/// Three that count.
fn digits(number: f64) -> String {
    let places = match number.abs() {
        at_least if at_least >= 100.0 => 0,
        at_least if at_least >= 10.0 => 1,
        at_least if at_least >= 1.0 => 2,
        at_least if at_least >= 0.1 => 3,
        _ => 4,
    };
    format!("{number:.places$}")
}

/// Quantity, unit, and what it must come to.
const ROWS: [(&str, &str, &str); 30] = [
    ("size of S1", "bytes a reading", "0.75; 0.25x, 0.8x"),
    ("size of S2", "bytes a reading", "1.05; 0.25x, 0.8x"),
    ("size of J", "bytes a reading", "1.0"),
    ("live S1", "M readings/s", "at least 2; 3x InfluxDB"),
    ("live S1, processor", "µs a reading", ""),
    ("bulk S2", "M readings/s", "at least 3; 1.5x VictoriaMetrics"),
    ("bulk S2, processor", "µs a reading", ""),
    ("device at 500", "KB a commit", ""),
    ("device at 2,000", "KB a commit", "80"),
    ("commit busy, p99", "ms", "25"),
    ("commit busy, most", "ms", "100"),
    ("paced 2,000", "% of a core", "0.2"),
    ("paced 2,000 and sealed", "% of a core", ""),
    ("paced 50,000", "% of a core", "2"),
    ("paced 50,000 and sealed", "% of a core", ""),
    ("raw 1 h at 1 s", "ms", "0.2 in process"),
    ("raw 6 h at 1 s", "ms", ""),
    ("raw 24 h at 1 s", "ms", "2 in process"),
    ("raw 24 h at 15 min", "ms", ""),
    ("50 x 1 year hourly", "ms", "40 in process"),
    ("the same as JSON", "ms", "250; 0.5x VictoriaMetrics"),
    ("the same as columns", "ms", ""),
    ("last of 500", "ms", ""),
    ("last of 50,000", "ms", "2"),
    ("tail", "M readings/s", "at least 50"),
    ("reopen 2,000", "ms", ""),
    ("reopen 50,000", "ms", "500"),
    ("memory at 2,000", "MB", "64"),
    ("memory at 50,000", "MB", "256"),
    ("lost at 50,000", "M readings", "0"),
];
