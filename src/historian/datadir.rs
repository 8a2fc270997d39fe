//! The data directory, and the lock that keeps a second process out of it.

use std::fs::{File, TryLockError};
use std::ops::Deref;
use std::path::{Path, PathBuf};

/// `--data DIR`, held by this process. The lock goes with the value, or with the process.
#[derive(Debug)]
pub struct DataDir {
    layout: Layout,
    _lock: File,
}

/// Where what lies in a data directory, whoever holds it.
#[derive(Clone, Debug)]
pub struct Layout(PathBuf);

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
        let layout = Layout::of(root);
        // The file stays: removing it would let two processes lock two files of one name.
        let lock = File::options().create(true).write(true).truncate(false).open(layout.lock());
        let lock = lock.map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(DataDir { layout, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(DataDirError::InUse(root.to_owned())),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

impl Deref for DataDir {
    type Target = Layout;

    fn deref(&self) -> &Layout {
        &self.layout
    }
}

impl Layout {
    /// Of this folder.
    pub fn of(root: &Path) -> Layout {
        Layout(root.to_owned())
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.0
    }

    /// Where the historian lives.
    pub fn history(&self) -> PathBuf {
        self.0.join("history")
    }

    /// Where files lie that are neither history nor record: dead letters, later photographs.
    pub fn files(&self) -> PathBuf {
        self.0.join("files")
    }

    /// The file of record (`db`).
    pub fn database(&self) -> PathBuf {
        self.0.join("plantroom.db")
    }

    /// How far files have been taken in that are not yet done.
    pub fn imports(&self) -> PathBuf {
        self.0.join("imports")
    }

    /// Where the running process hears the verbs of the command line.
    pub fn socket(&self) -> PathBuf {
        self.0.join("plantroom.sock")
    }

    /// Room kept for `plantroom.db` on a full disk ([`super::room`]).
    pub fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    /// The file whose lock the running process holds.
    pub fn lock(&self) -> PathBuf {
        self.0.join(".lock")
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
