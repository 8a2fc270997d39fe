//! The data directory, and the lock that keeps a second process out of it.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// `--data DIR`, held by this process. The lock goes with the value, or with the process.
#[derive(Debug)]
pub struct DataDir {
    root: PathBuf,
    _lock: File,
}

/// Why the directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Another process works in it.
    #[error("the data directory {} is in use by another plantroom process; stop that one, or name another directory with --data", .0.display())]
    InUse(PathBuf),
    /// The file system refuses.
    #[error("the data directory {} cannot be used: {}; make it a folder this user may write, or name another with --data", .0.display(), .1)]
    Io(PathBuf, #[source] std::io::Error),
}

impl DataDir {
    /// Makes the directory if it is not there, and locks it.
    pub fn open(root: &Path) -> Result<DataDir, DataDirError> {
        let failed = |error| DataDirError::Io(root.to_owned(), error);
        std::fs::create_dir_all(root).map_err(failed)?;
        // The file stays: removing it would let two processes lock two files of one name.
        let lock = File::options().create(true).write(true).truncate(false).open(root.join(".lock"));
        let lock = lock.map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(DataDir { root: root.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(DataDirError::InUse(root.to_owned())),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// Where the historian lives.
    pub fn history(&self) -> PathBuf {
        self.root.join("history")
    }

    /// Where files lie that are neither history nor record: dead letters, later photographs.
    pub fn files(&self) -> PathBuf {
        self.root.join("files")
    }

    /// The file of record (`db`).
    pub fn database(&self) -> PathBuf {
        self.root.join("plantroom.db")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time_and_the_error_names_the_directory() {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path().join("deep/data");
        let held = DataDir::open(&root).unwrap();
        let message = DataDir::open(&root).unwrap_err().to_string();
        assert!(message.contains(&root.display().to_string()) && message.contains("--data"), "{message}");
        drop(held);
        DataDir::open(&root).unwrap();
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_named() {
        let parent = tempfile::tempdir().unwrap();
        let file = parent.path().join("file");
        std::fs::write(&file, "").unwrap();
        let message = DataDir::open(&file.join("data")).unwrap_err().to_string();
        assert!(message.contains("file/data"), "{message}");
    }
}
