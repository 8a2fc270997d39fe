//! How the history is doing, for whoever shows it.

use super::history::{History, HistoryError};
use super::journal::Seq;
use super::keep::Shed;
use super::room::taken;

/// The history at one moment.
#[derive(Clone, Debug)]
pub struct Status {
    /// The last batch on disk.
    pub head: Seq,
    /// All batches up to here are in the year files.
    pub sealed_up_to: Seq,
    /// Group commits since the start.
    pub commits: u64,
    /// Readings on disk since the start.
    pub readings: u64,
    /// Bytes of records on disk since the start.
    pub bytes: u64,
    /// What its files take on the disk. Bytes.
    pub disk_bytes: u64,
    /// Readings that left the journal for the year files since the start.
    pub sealed: u64,
    /// Readings that never arrived here, since the start.
    pub lost: u64,
    /// Damaged records met while reading, since the start; the same one counts each time.
    pub damaged: u64,
    /// What was given up for want of room, if anything was.
    pub shed: Option<Shed>,
}

impl History {
    /// How it is doing. Looks at its files.
    pub async fn status(&self) -> Result<Status, HistoryError> {
        let folder = self.0.catalogue.parent().map(ToOwned::to_owned).unwrap_or_default();
        let walked = tokio::task::spawn_blocking(move || taken(&folder)).await;
        let disk_bytes = walked.map_err(|_| HistoryError::Closed)?.unwrap_or(0);
        let metrics = &self.0.metrics;
        Ok(Status {
            head: *self.0.head.borrow(),
            sealed_up_to: self.0.sealed_up_to(),
            commits: metrics.commits.get(),
            readings: metrics.readings.get(),
            bytes: metrics.bytes.get(),
            disk_bytes,
            sealed: metrics.sealed.get(),
            lost: metrics.lost.get(),
            damaged: metrics.damaged.get(),
            shed: *self.0.shed.borrow(),
        })
    }
}
