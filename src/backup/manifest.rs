//! `backup.json`: what a backup holds, so that it can be told whether it still does.

use super::{BackupError, failed};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

/// The name of the file.
pub const NAME: &str = "backup.json";

/// The format this version writes and reads.
pub const FORMAT: u32 = 1;

/// A file is read in pieces of this size. Bytes.
const PIECE: usize = 1 << 20;

/// What a backup says of itself.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// The version of plantroom that took it.
    pub version: String,
    /// When, UTC milliseconds.
    pub taken_at: i64,
    /// The installation of the history.
    pub instance: String,
    /// The installation of `plantroom.db`.
    pub database: String,
    /// The last batch of readings in it.
    pub journal: u64,
    /// The last event in it.
    pub events: i64,
    /// Every file, by its path from the backup's folder.
    pub files: Vec<Entry>,
}

/// A file of the backup.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// From the backup's folder, with `/`.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256, 64 hex digits.
    pub sha256: String,
}

impl Manifest {
    /// The manifest of a backup.
    pub fn read(backup: &Path) -> Result<Manifest, BackupError> {
        let path = backup.join(NAME);
        let unsound = |why: String| BackupError::Unsound(backup.to_owned(), why);
        let text = std::fs::read(&path).map_err(|error| unsound(format!("{NAME}: {error}")))?;
        let manifest: Manifest =
            serde_json::from_slice(&text).map_err(|error| unsound(format!("{NAME}: {error}")))?;
        if manifest.format != FORMAT {
            let found = manifest.format;
            return Err(unsound(format!("it has format {found}, this version knows {FORMAT}")));
        }
        match manifest.files.iter().find(|file| !is_inside(&file.path)) {
            Some(file) => Err(unsound(format!("it names a file outside of itself, {:?}", file.path))),
            None => Ok(manifest),
        }
    }

    /// Writes it into the folder of the backup, to the disk.
    pub fn write(&self, backup: &Path) -> Result<(), BackupError> {
        let path = backup.join(NAME);
        let mut text = serde_json::to_vec_pretty(self).map_err(|error| failed(&path)(error.into()))?;
        text.push(b'\n');
        let mut file = File::create(&path).map_err(failed(&path))?;
        file.write_all(&text).and_then(|()| file.sync_all()).map_err(failed(&path))
    }

    /// All files together. Bytes.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }
}

/// Whether a path stays in its folder.
fn is_inside(path: &str) -> bool {
    path.split('/').all(|part| !part.is_empty() && part != "." && part != ".." && !part.contains('\0'))
}

/// Reads a file to its end, to `copy` as well if there is one, and says what it is.
pub fn digest(
    path: &Path,
    name: &str,
    mut copy: Option<&mut File>,
    read: &mut dyn FnMut(u64),
) -> Result<Entry, BackupError> {
    let mut file = File::open(path).map_err(failed(path))?;
    let (mut sha, mut size, mut piece) = (Sha256::new(), 0, vec![0; PIECE]);
    loop {
        let len = file.read(&mut piece).map_err(failed(path))?;
        let bytes = piece.get(..len).unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        sha.update(bytes);
        size += len as u64;
        if let Some(copy) = copy.as_mut() {
            copy.write_all(bytes).map_err(failed(path))?;
        }
        read(len as u64);
    }
    let mut sha256 = String::new();
    for byte in sha.finalize() {
        // Writing to a String cannot fail.
        let _infallible = write!(sha256, "{byte:02x}");
    }
    Ok(Entry { path: name.to_owned(), size, sha256 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leaves_the_folder_is_refused() {
        for path in ["a", "history/journal/0000000001.seg", "files/..a"] {
            assert!(is_inside(path), "{path}");
        }
        for path in ["", "/etc/passwd", "../a", "a/../../b", "a//b", "./a", "a/"] {
            assert!(!is_inside(path), "{path}");
        }
    }

    #[test]
    fn a_digest_is_that_of_the_standard() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        // FIPS 180-2, appendix B.1.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let entry = digest(&path, "abc", None, &mut |_| ()).unwrap();
        assert_eq!((entry.size, entry.sha256.as_str()), (3, expected));
    }
}
