//! Bugs as data: plays `tests/testcases/modbus/*/case.toml` against a line.
//!
//! A case is what went over the wire in somebody's report. Transaction ids of a fresh line count
//! from 1, so the bytes can be written down.

use super::frame::ReadRequest;
use super::line::Line;
use super::line_model::{Act, Asked, Order, serve};
use super::metrics::Metrics;
use crate::clock::Clock;
use crate::config::Table;
use crate::field::Fault;
use crate::point::UtcMs;
use serde::Deserialize;
use std::path::Path;
use std::time::Duration;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    timeout_ms: u64,
    step: Vec<Step>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    unit: u8,
    function: u8,
    start: u16,
    count: u16,
    /// What the other side sends in hexadecimal, spaces ignored, and after how long.
    reply: String,
    after_ms: u64,
    /// Exactly one of the two: the registers, or the fault.
    registers: Option<Vec<u16>>,
    fault: Option<String>,
}

impl Step {
    fn direction(&self) -> (Duration, Act) {
        let digits: Vec<u8> = self.reply.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        let bytes: Vec<u8> = digits.chunks(2).map(byte).collect();
        (Duration::from_millis(self.after_ms), Act::Raw(bytes.leak()))
    }

    fn expected(&self) -> Result<Vec<u16>, Fault> {
        match (&self.registers, self.fault.as_deref()) {
            (Some(registers), None) => Ok(registers.clone()),
            (None, Some("timeout")) => Err(Fault::Timeout),
            (None, Some("malformed")) => Err(Fault::Malformed),
            other => panic!("{other:?} is no expectation"),
        }
    }
}

async fn play(name: &str, case: &Case) {
    let (ours, theirs) = tokio::io::duplex(4096);
    let mut line = Line::new(ours, Clock::starting_at(UtcMs(0)), Metrics::new().of_bus("case"));
    let steps = case.step.clone();
    let script = move |asked: Asked| steps[usize::try_from(asked.number).unwrap()].direction();
    let client = async {
        for (number, step) in case.step.iter().enumerate() {
            let table = if step.function == 3 { Table::Holding } else { Table::Input };
            let request = ReadRequest::new(table, step.start, step.count).unwrap();
            let timeout = Duration::from_millis(case.timeout_ms);
            let outcome = line.ask(step.unit, request, timeout).await.map_err(|error| error.fault());
            assert_eq!(outcome, step.expected(), "{name}, step {number}");
        }
    };
    tokio::select! {
        () = client => {}
        () = serve(theirs, Order::Serial, script) => panic!("{name}: the line was closed"),
    }
}

#[tokio::test(start_paused = true)]
async fn every_case_in_the_folder() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testcases/modbus");
    let mut played = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path().join("case.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        let case: Case = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        play(&path.display().to_string(), &case).await;
        played += 1;
    }
    assert!(played >= 4, "{played} cases in {}", folder.display());
}
