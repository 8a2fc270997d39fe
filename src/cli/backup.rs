//! `backup`, `backup verify` and `restore`.

use super::progress::Progress;
use super::{Cli, Failure, print};
use crate::backup::{self, BackupError, Manifest};
use crate::clock::Clock;
use crate::historian::{DataDir, DataDirError};
use crate::point::UtcMs;
use anyhow::Context;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Options {
    /// The folder to make.
    #[arg(value_name = "DIR", required = true)]
    to: Option<PathBuf>,
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Reads all of a backup and says whether it is sound; changes nothing.
    Verify {
        /// The backup.
        #[arg(value_name = "DIR")]
        backup: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
pub struct RestoreOptions {
    /// The backup.
    #[arg(value_name = "DIR")]
    backup: PathBuf,
    /// Moves what is in the data directory aside.
    #[arg(long)]
    replace: bool,
}

/// `plantroom backup DIR` and `plantroom backup verify DIR`.
pub fn perform(cli: &Cli, options: &Options) -> Result<(), Failure> {
    match (&options.what, &options.to) {
        (Some(What::Verify { backup }), _) => verify(backup),
        (None, Some(to)) => take(&cli.data, to),
        (None, None) => Err(Failure::Usage("name the folder to make".to_owned())),
    }
}

fn take(data: &Path, to: &Path) -> Result<(), Failure> {
    let _held = hold(data)?;
    let mut bar = Progress::new("backup");
    let taken = backup::take(data, to, Clock::system().utc(), &mut |done, total| bar.at(done, total));
    drop(bar);
    let manifest = taken.context("no backup was taken")?;
    print(&format!("{} {}\n", to.display(), told(&manifest)))
}

/// Keeps a gateway from starting meanwhile, unless one runs: beside it the copy is as good.
fn hold(data: &Path) -> Result<Option<DataDir>, Failure> {
    if !data.exists() {
        let error = BackupError::NoData(data.to_owned());
        return Err(Failure::Other(anyhow::Error::new(error)));
    }
    match DataDir::open(data) {
        Ok(held) => Ok(Some(held)),
        // Held by another, or not ours to write in: reading is enough.
        Err(DataDirError::InUse(_) | DataDirError::Io(..)) => Ok(None),
    }
}

fn verify(backup: &Path) -> Result<(), Failure> {
    let mut bar = Progress::new("verify");
    let verified = backup::verify(backup, &mut |done, total| bar.at(done, total));
    drop(bar);
    let verified = verified.map_err(anyhow::Error::new)?;
    let (backup, readings) = (backup.display(), verified.readings);
    print(&format!("{backup} is sound: {readings} readings, {}\n", told(&verified.manifest)))
}

/// `plantroom restore DIR`.
pub fn restore(cli: &Cli, options: &RestoreOptions) -> Result<(), Failure> {
    let RestoreOptions { backup, replace } = options;
    let mut bar = Progress::new("restore");
    let now = Clock::system().utc();
    let restored = backup::restore(backup, &cli.data, *replace, now, &mut |done, total| bar.at(done, total));
    drop(bar);
    let restored = restored.context("nothing was restored")?;
    if let Some(aside) = restored.moved_to {
        print(&format!("what was there is now {}\n", aside.display()))?;
    }
    print(&format!("{} {}\n", cli.data.display(), told(&restored.manifest)))
}

fn told(manifest: &Manifest) -> String {
    let Manifest { instance, journal, events, taken_at, .. } = manifest;
    let (mib, at) = (manifest.bytes() >> 20, UtcMs(*taken_at));
    format!("instance {instance}, readings up to {journal}, events up to {events}, {mib} MiB, taken at {at}")
}
