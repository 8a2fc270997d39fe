//! Bugs as data: plays `tests/testcases/modbus/*/case.toml` against a line.
//!
//! A case is what went over the wire in somebody's report. Transaction ids of a fresh line count
//! from 1, so the bytes can be written down. A case with `framing = "rtu"` is played at 19,200 baud
//! with even parity; `canary` in a step is the request that goes before it, and its reply.

use super::frame::ReadRequest;
use super::line::{Framing, Line, Pace};
use super::line_model::{Act, Asked, Direction, Order, serve};
use super::metrics::Metrics;
use super::serial_model::serve_rtu;
use crate::clock::Clock;
use crate::config::{Parity, Serial, Table};
use crate::field::Fault;
use crate::point::UtcMs;
use serde::Deserialize;
use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(default)]
    framing: Protocol,
    timeout_ms: u64,
    step: Vec<Step>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Protocol {
    #[default]
    Mbap,
    Rtu,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Canary {
    start: u16,
    count: u16,
    reply: String,
    after_ms: u64,
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
    canary: Option<Canary>,
    /// Exactly one of the two: the registers, or the fault.
    registers: Option<Vec<u16>>,
    fault: Option<String>,
}

fn direction(reply: &str, after_ms: u64) -> Direction {
    let digits: Vec<u8> = reply.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let bytes: Vec<u8> = digits.chunks(2).map(byte).collect();
    (Duration::from_millis(after_ms), Act::Raw(bytes.leak()))
}

impl Step {
    /// The requests it makes, and what is said to them.
    fn requests(&self) -> Vec<((u16, u16), Direction)> {
        let canary = self.canary.iter().map(|it| ((it.start, it.count), direction(&it.reply, it.after_ms)));
        let own = ((self.start, self.count), direction(&self.reply, self.after_ms));
        canary.chain([own]).collect()
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
    let serial = Serial { baud: 19_200, parity: Parity::Even, stop_bits: 1 };
    let (turnaround, unit_change) = (Duration::ZERO, Duration::ZERO);
    let framing = match case.framing {
        Protocol::Mbap => Framing::Mbap,
        Protocol::Rtu => Framing::Rtu(Pace { serial, turnaround, unit_change }),
    };
    let mut line = Line::new(ours, framing, Clock::starting_at(UtcMs(0)), Metrics::new().of_bus("case"));
    let mut script: VecDeque<_> = case.step.iter().flat_map(Step::requests).collect();
    let script = move |asked: Asked| {
        let (wanted, direction) = script.pop_front().unwrap();
        assert_eq!((asked.start, asked.count), wanted, "request {}", asked.number);
        direction
    };
    let client = async {
        for (number, step) in case.step.iter().enumerate() {
            let tables = [Table::Coil, Table::Discrete, Table::Holding, Table::Input];
            let table = tables[usize::from(step.function - 1)];
            let request = ReadRequest::new(table, step.start, step.count).unwrap();
            let timeout = Duration::from_millis(case.timeout_ms);
            let outcome = line.ask(step.unit, request, timeout).await.map_err(|error| error.fault());
            assert_eq!(outcome, step.expected(), "{name}, step {number}");
        }
    };
    let server = async {
        match case.framing {
            Protocol::Mbap => serve(theirs, Order::Serial, script).await,
            Protocol::Rtu => serve_rtu(theirs, serial, script).await,
        }
    };
    tokio::select! {
        () = client => {}
        () = server => panic!("{name}: the line was closed"),
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
    assert!(played >= 9, "{played} cases in {}", folder.display());
}
