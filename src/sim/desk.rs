//! What a page sees of the simulated hospital, and what a person may begin and end in it.

use super::changed_from;
use super::fault::{BoardError, FOR_EVER_MS, Phase, Shown};
use super::fill::Filled;
use super::memory::Memory;
use super::shown::Instruments;
use crate::api::{self, Demo, DemoError, DemoFault, DemoNow, FaultState};
use crate::clock::Clock;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The desk of a running demo.
#[derive(Debug)]
pub struct Desk {
    memory: Memory,
    folder: PathBuf,
    speed: u32,
    instruments: Arc<Instruments>,
    filled: Filled,
    clock: Clock,
    /// Somebody did something that is not written down yet.
    acted: Notify,
}

impl Desk {
    /// Of a demo whose data are in `folder`.
    pub fn new(
        memory: Memory,
        folder: PathBuf,
        speed: u32,
        instruments: Arc<Instruments>,
        filled: Filled,
        clock: Clock,
    ) -> Desk {
        Desk { memory, folder, speed, instruments, filled, clock, acted: Notify::new() }
    }

    /// A person does something; it is remembered, and what follows from it is reckoned again.
    fn act(&self, fault: &str, begun: bool) -> Result<(), DemoError> {
        let (board, now) = (self.instruments.board(), self.clock.utc());
        if begun { board.begin(fault, now) } else { board.end(fault, now) }.map_err(|why| match why {
            BoardError::Unknown => DemoError::Unknown,
            BoardError::Running => DemoError::Running,
            BoardError::NotRunning => DemoError::NotRunning,
            BoardError::NotStartable => DemoError::NotStartable,
        })?;
        changed_from(&self.instruments, now);
        tracing::info!(fault, begun, "A fault of the demo hospital.");
        self.acted.notify_one();
        Ok(())
    }

    /// Writes down what persons do, until `stop`; and at the end what the clock shows.
    pub async fn keep(&self, stop: &CancellationToken) {
        while stop.run_until_cancelled(self.acted.notified()).await.is_some() {
            self.save().await;
        }
        self.save().await;
    }

    async fn save(&self) {
        let (known, shown) = (self.instruments.board().known(), self.clock.utc());
        let (memory, folder) = (Memory { known, shown, ..self.memory.clone() }, self.folder.clone());
        let saved = tokio::task::spawn_blocking(move || memory.save(&folder)).await;
        if let Ok(Err(error)) = saved {
            tracing::warn!(%error, "What was begun and ended in the demo is forgotten at its next start.");
        }
    }
}

impl Demo for Desk {
    fn now(&self) -> DemoNow {
        let (done, all) = self.filled.hours();
        let from = self.filled.from();
        let is_done = self.filled.is_done();
        DemoNow {
            seed: self.memory.seed,
            speed: f64::from(self.speed),
            genesis: self.memory.genesis,
            filled: api::Filled {
                share: if is_done { 1.0 } else { share(done, all) },
                from: (done > 0 || is_done).then_some(from),
                done: is_done,
            },
            faults: self.instruments.board().list(self.clock.utc()).into_iter().map(fault).collect(),
        }
    }

    fn start(&self, fault: &str) -> Result<(), DemoError> {
        self.act(fault, true)
    }

    fn stop(&self, fault: &str) -> Result<(), DemoError> {
        self.act(fault, false)
    }
}

fn fault(shown: Shown) -> DemoFault {
    let Shown { fault, phase, run } = shown;
    DemoFault {
        id: fault.id.to_string(),
        kind: fault.kind.to_string(),
        asset: fault.target.id().to_owned(),
        name: fault.name,
        notice: fault.notice,
        state: match phase {
            Phase::Waiting => FaultState::Waiting,
            Phase::Running => FaultState::Running,
            Phase::Over => FaultState::Over,
        },
        onset: run.map(|run| run.onset),
        // What lasts until it is ended has no end.
        end: run.filter(|run| run.end.since_ms(run.onset) < FOR_EVER_MS).map(|run| run.end),
        points: fault.points,
    }
}

fn share(done: u64, all: u64) -> f64 {
    let number = |hours: u64| f64::from(u32::try_from(hours).unwrap_or(u32::MAX));
    number(done) / number(all.max(1))
}
