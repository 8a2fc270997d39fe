//! How far a file has been taken in, so that a verb that was killed goes on where it was.

use super::source::Place;
use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Kept in the data directory under the digest of the file: another file is another import, and
/// the same one under another name is not.
pub struct State {
    path: PathBuf,
    /// What is on disk.
    pub done: Done,
}

/// What is on disk of a file.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct Done {
    /// Everything before it.
    pub place: Place,
    /// New readings.
    pub stored: usize,
    /// Rows that were there already.
    pub known: usize,
}

impl State {
    /// What an earlier run left, or the beginning.
    pub fn open(folder: &Path, sha256: &str, format: &str) -> anyhow::Result<State> {
        std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let path = folder.join(format!("{sha256}.{format}.json"));
        // A note that cannot be read costs only time: rows that are there are no new readings.
        let done = std::fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
        Ok(State { path, done: done.unwrap_or_default() })
    }

    /// Notes what is done.
    pub fn keep(&self) -> anyhow::Result<()> {
        let part = self.path.with_extension("part");
        let text = serde_json::to_vec(&self.done)?;
        let kept = std::fs::write(&part, text).and_then(|()| std::fs::rename(&part, &self.path));
        kept.with_context(|| format!("{} cannot be written", self.path.display()))
    }

    /// The file is taken in.
    pub fn forget(self) {
        let _gone = std::fs::remove_file(&self.path);
    }
}
