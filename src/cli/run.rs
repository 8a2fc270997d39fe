//! `run`: the gateway of a site, until a signal ends it; SIGHUP reads its configuration again.

use super::{Cli, Failure, check};
use crate::clock::Clock;
use crate::config::{self, Loaded};
use crate::runtime::{Gateway, Reloaded, Reloader};
use anyhow::Context;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// `plantroom run`.
pub fn perform(cli: &Cli) -> Result<(), Failure> {
    let loaded = check::load(&cli.config)?;
    warn_of(&loaded);
    let clock = Clock::system();
    multi_threaded()?.block_on(async {
        let stop = stop_on_signal()?;
        // From here on: the signal would end a process that does not listen for it.
        let hangups = signal(SignalKind::hangup())?;
        let gateway = Gateway::build(loaded.plan, &cli.data, clock).await?;
        let reloader = gateway.reloader();
        tokio::select! {
            ended = gateway.run(stop) => ended,
            never = reload_on(hangups, &cli.config, &reloader) => match never {},
        }
    })?;
    Ok(())
}

fn warn_of(loaded: &Loaded) {
    for warning in &loaded.warnings.items {
        tracing::warn!(%warning, "The configuration is odd.");
    }
}

/// Reads the configuration again at each signal, and puts it in force as far as it can be.
async fn reload_on(mut hangups: Signal, file: &Path, reloader: &Reloader) -> Infallible {
    loop {
        if hangups.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
        tracing::info!(file = %file.display(), "Reading the configuration again.");
        if let Some(loaded) = read_again(file.to_owned()).await {
            warn_of(&loaded);
            tell(reloader.reload(loaded.plan).await);
        }
    }
}

/// The configuration; none if it is wrong, which is said.
async fn read_again(file: PathBuf) -> Option<Loaded> {
    // Lists of points may be long, and the disk slow.
    let read = tokio::task::spawn_blocking(move || config::load(&file, &|name| std::env::var(name).ok()));
    match read.await {
        Ok(Ok(loaded)) => Some(loaded),
        Ok(Err(wrong)) => {
            for problem in &wrong.items {
                tracing::error!(%problem, "The configuration is wrong.");
            }
            let problems = wrong.items.len() + wrong.more;
            tracing::error!(problems, "The configuration is not taken; the one before goes on.");
            None
        }
        Err(died) => {
            tracing::error!(%died, "The configuration cannot be read; the one before goes on.");
            None
        }
    }
}

fn tell(reloaded: anyhow::Result<Reloaded>) {
    match reloaded {
        Ok(Reloaded::Applied { buses, catalogue }) => {
            let buses: Vec<String> = buses.iter().map(ToString::to_string).collect();
            let changes = catalogue.len();
            tracing::info!(buses = buses.join(", "), changes, "The configuration is in force.");
        }
        Ok(Reloaded::NeedsRestart { what }) => {
            tracing::warn!(what, "This change takes a restart; nothing is changed until then.");
        }
        Ok(Reloaded::Nothing) => tracing::info!("The configuration says nothing new."),
        Err(error) => {
            let error = format!("{error:#}");
            tracing::error!(error, "The configuration cannot be put in force.");
        }
    }
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
