//! `run`: the gateway of a site, until a signal ends it.

use super::{Cli, Failure, check};
use crate::clock::Clock;
use crate::config::Plan;
use crate::runtime::Gateway;
use anyhow::Context;
use std::path::Path;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// `plantroom run`.
pub fn perform(cli: &Cli) -> Result<(), Failure> {
    let loaded = check::load(&cli.config)?;
    for warning in &loaded.warnings.items {
        tracing::warn!(%warning, "The configuration is odd.");
    }
    let clock = Clock::system();
    multi_threaded()?.block_on(async {
        let stop = stop_on_signal()?;
        gateway(loaded.plan, &cli.data, clock, stop).await
    })?;
    Ok(())
}

/// Builds a gateway and runs it to its end.
pub async fn gateway(plan: Plan, data: &Path, clock: Clock, stop: CancellationToken) -> anyhow::Result<()> {
    Gateway::build(plan, data, clock).await?.run(stop).await
}

/// The runtime of the verbs that run for long.
pub fn multi_threaded() -> anyhow::Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("the runtime cannot be started")
}

/// A token that the first SIGINT or SIGTERM cancels; a second one ends the process at once.
#[expect(clippy::disallowed_methods, reason = "lives as long as the process and holds nothing")]
pub fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        for last in [false, true] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if last {
                std::process::exit(1);
            }
            told.cancel();
        }
    });
    Ok(stop)
}
