//! Lines no engine will take, kept with the reason: `DATA/files/dead-letter-<target>.jsonl`.
//!
//! Bounded: at [`FILE_BYTES_MAX`] the file becomes `.1` and the one before that is gone, so a
//! target never fills the disk with what it refuses.

use crate::point::{Name, UtcMs};
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Size at which a dead-letter file is set aside. Bytes; two files are kept.
pub const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A line and why it was rejected.
#[derive(Clone, Debug, Serialize)]
pub struct DeadLetter {
    /// When it was rejected. UTC milliseconds.
    pub at: i64,
    /// The engine's words.
    pub reason: String,
    /// The line as it was sent.
    pub line: String,
}

/// The dead letters of one target.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    path: PathBuf,
    bytes_max: u64,
}

impl DeadLetters {
    /// In a directory, which is made if it is not there.
    pub fn new(files: &Path, target: &Name) -> DeadLetters {
        DeadLetters { path: files.join(format!("dead-letter-{target}.jsonl")), bytes_max: FILE_BYTES_MAX }
    }

    /// Where they are.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends; on disk when it returns. Blocks.
    pub fn append(&self, letters: &[DeadLetter]) -> io::Result<()> {
        if letters.is_empty() {
            return Ok(());
        }
        let mut text = Vec::new();
        for letter in letters {
            serde_json::to_writer(&mut text, letter)?;
            text.push(b'\n');
        }
        if let Some(directory) = self.path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let mut file = self.file()?;
        if file.metadata()?.len() > 0 && file.metadata()?.len() + text.len() as u64 > self.bytes_max {
            std::fs::rename(&self.path, self.path.with_extension("jsonl.1"))?;
            file = self.file()?;
        }
        file.write_all(&text)?;
        file.sync_data()
    }

    fn file(&self) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).open(&self.path)
    }
}

/// What is kept of a rejected line.
pub fn letter(at: UtcMs, reason: &str, line: &str) -> DeadLetter {
    DeadLetter { at: at.0, reason: reason.to_owned(), line: line.trim_end_matches('\n').to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_kept_as_it_was_sent_and_never_grows_beyond_two_files() {
        let dir = tempfile::tempdir().unwrap();
        let files = dir.path().join("files");
        let mut dead = DeadLetters::new(&files, &"influx".parse().unwrap());
        dead.append(&[]).unwrap();
        assert!(!files.exists());
        dead.bytes_max = 300;
        let of = |number: u32| letter(UtcMs(7), "400 \"no\"", &format!("m f=\"{number}\" 1\n"));
        for number in 0..20 {
            dead.append(&[of(number)]).unwrap();
        }
        let read = |path: &Path| std::fs::read_to_string(path).unwrap();
        let (now, before) = (read(dead.path()), read(&files.join("dead-letter-influx.jsonl.1")));
        assert!(now.len() <= 300 && before.len() <= 300, "{} {}", now.len(), before.len());
        assert!(now.ends_with("{\"at\":7,\"reason\":\"400 \\\"no\\\"\",\"line\":\"m f=\\\"19\\\" 1\"}\n"));
        assert_eq!(std::fs::read_dir(&files).unwrap().count(), 2);
    }
}
