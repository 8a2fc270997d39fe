//! What a demo began with, and what was done to it since: the same folder goes on as the same plant.
//!
//! `demo.toml` holds seed, genesis, starts and requests, `faults.toml` the script, both in the
//! demo's data folder. With the program they decide everything that is true.

use super::fault::{Asked, Known};
use crate::point::{Name, UtcMs};
use serde::Deserialize;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The file of seed, genesis, starts and requests.
pub const FILE: &str = "demo.toml";
/// The script the demo began with.
pub const SCRIPT: &str = "faults.toml";
/// Most starts that are remembered: the first, and the last ones.
const STARTS_MAX: usize = 1_000;
/// Most requests that are remembered, the last ones.
const ASKED_MAX: usize = 10_000;
/// The longest file that is read. Bytes.
const BYTES_MAX: u64 = 4 << 20;
const HOUR_MS: i64 = 3_600_000;

/// What a demo is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Decides everything that is left to chance.
    pub seed: u64,
    /// The first moment of its past.
    pub genesis: UtcMs,
    /// Its starts, and what persons began and ended.
    pub known: Known,
    /// Its script of faults.
    pub script: String,
    /// What its clock showed when this was written: a demo that runs fast is ahead of the machine.
    pub shown: UtcMs,
}

/// What is asked for at a start; none: as before, or the usual.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// The seed.
    pub seed: Option<u64>,
    /// The text of the script.
    pub script: Option<String>,
    /// How much of a past it has, when it is new. Milliseconds.
    pub past_ms: i64,
}

/// Why a demo cannot go on in a folder.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// It began with another seed.
    #[error("the demo in {} began with seed {was}, and its history belongs to that; leave --seed out, or begin another demo in a folder of its own with --data", .folder.display())]
    Seed {
        /// Its folder.
        folder: PathBuf,
        /// The seed it began with.
        was: u64,
    },
    /// It began with another script.
    #[error("the demo in {} began with another script of faults, and its history belongs to that ({SCRIPT} there); leave --script out, or begin another demo in a folder of its own with --data", .0.display())]
    Script(PathBuf),
    /// A file is none of a demo.
    #[error("{} cannot be read: {}; put it right, or remove the folder to begin a new demo", .0.display(), .1)]
    Unreadable(PathBuf, String),
    /// The file system refuses.
    #[error("{} cannot be written: {}; make it a folder this user may write, or name another with --data", .0.display(), .1)]
    Io(PathBuf, #[source] io::Error),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileText {
    seed: i64,
    genesis: String,
    starts: Vec<String>,
    shown: String,
    #[serde(default)]
    asked: Vec<AskedText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedText {
    fault: String,
    at: String,
    begun: bool,
}

impl Memory {
    /// The demo of a folder, or a new one, started now. Writes nothing.
    ///
    /// # Errors
    /// A wish that contradicts what the folder holds, or files that cannot be read.
    pub fn begin(folder: &Path, wishes: Wishes, usual: &str, now: UtcMs) -> Result<Memory, MemoryError> {
        let Some(mut memory) = Memory::load(folder)? else {
            let past = now.plus_ms(-wishes.past_ms.max(0));
            return Ok(Memory {
                seed: wishes.seed.unwrap_or(1),
                genesis: UtcMs(past.0.div_euclid(HOUR_MS) * HOUR_MS),
                known: Known { starts: vec![now], asked: Vec::new() },
                script: wishes.script.unwrap_or_else(|| usual.to_owned()),
                shown: now,
            });
        };
        if wishes.seed.is_some_and(|seed| seed != memory.seed) {
            return Err(MemoryError::Seed { folder: folder.to_owned(), was: memory.seed });
        }
        if wishes.script.is_some_and(|script| script != memory.script) {
            return Err(MemoryError::Script(folder.to_owned()));
        }
        if memory.known.starts.len() >= STARTS_MAX {
            memory.known.starts.remove(1);
        }
        // A clock that was set back in between does not bring starts out of order.
        let last = memory.known.starts.last().copied().unwrap_or(now);
        memory.known.starts.push(now.max(last));
        memory.shown = now;
        Ok(memory)
    }

    /// What the clock of a folder's demo showed last; long ago if there is none.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn last_shown(folder: &Path) -> Result<UtcMs, MemoryError> {
        Ok(Memory::load(folder)?.map_or(UtcMs(0), |memory| memory.shown))
    }

    fn load(folder: &Path) -> Result<Option<Memory>, MemoryError> {
        let Some(text) = read(&folder.join(FILE))? else { return Ok(None) };
        let script = read(&folder.join(SCRIPT))?.unwrap_or_default();
        let wrong = |why: String| MemoryError::Unreadable(folder.join(FILE), why);
        let file: FileText = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let moment = |text: &String| {
            let at: Result<jiff::Timestamp, _> = text.parse();
            at.map(|at| UtcMs(at.as_millisecond())).map_err(|_| wrong(format!("{text:?} is no moment")))
        };
        let asked = file.asked.iter().map(|one| {
            let fault: Name = one.fault.parse().map_err(|_| wrong(format!("{:?} is no fault", one.fault)))?;
            Ok(Asked { fault, at: moment(&one.at)?, begun: one.begun })
        });
        let known = Known {
            starts: file.starts.iter().map(moment).collect::<Result<_, _>>()?,
            asked: asked.collect::<Result<_, MemoryError>>()?,
        };
        let (genesis, shown) = (moment(&file.genesis)?, moment(&file.shown)?);
        Ok(Some(Memory { seed: file.seed.cast_unsigned(), genesis, known, script, shown }))
    }

    /// Writes it; a process that is killed meanwhile leaves what was there.
    pub fn save(&self, folder: &Path) -> Result<(), MemoryError> {
        let failed = |error| MemoryError::Io(folder.to_owned(), error);
        replace(&folder.join(SCRIPT), &self.script).map_err(failed)?;
        replace(&folder.join(FILE), &self.text()).map_err(failed)
    }

    fn text(&self) -> String {
        let mut text = String::from(
            "# What this demo began with and what was done to it. With the program it decides all that is true.\n",
        );
        let starts: Vec<String> = self.known.starts.iter().map(|at| format!("\"{at}\"")).collect();
        // To a String nothing fails.
        let _written = write!(
            text,
            "seed = {}\ngenesis = \"{}\"\nshown = \"{}\"\nstarts = [{}]\n",
            self.seed.cast_signed(),
            self.genesis,
            self.shown,
            starts.join(", ")
        );
        let beyond = self.known.asked.len().saturating_sub(ASKED_MAX);
        for Asked { fault, at, begun } in self.known.asked.iter().skip(beyond) {
            let _written = write!(text, "\n[[asked]]\nfault = \"{fault}\"\nat = \"{at}\"\nbegun = {begun}\n");
        }
        text
    }
}

/// A small file's text; none if it is not there.
pub fn read(path: &Path) -> Result<Option<String>, MemoryError> {
    let wrong = |error: io::Error| MemoryError::Unreadable(path.to_owned(), error.to_string());
    match std::fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(wrong(error)),
        Ok(found) if found.len() > BYTES_MAX => {
            return Err(MemoryError::Unreadable(path.to_owned(), "it is longer than 4 MiB".to_owned()));
        }
        Ok(_) => {}
    }
    std::fs::read_to_string(path).map(Some).map_err(wrong)
}

/// Puts a text in the place of a file, whole or not at all.
pub fn replace(path: &Path, text: &str) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = File::create(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UtcMs = UtcMs(1_763_700_123_456);

    fn wishes(seed: Option<u64>, script: Option<&str>) -> Wishes {
        Wishes { seed, script: script.map(str::to_owned), past_ms: 396 * 24 * HOUR_MS }
    }

    #[test]
    fn a_folder_goes_on_as_the_plant_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = Memory::begin(folder.path(), wishes(Some(u64::MAX), None), "# usual", NOW).unwrap();
        assert_eq!((first.genesis.0 % HOUR_MS, first.script.as_str()), (0, "# usual"));
        let fault = "fridge-door".parse().unwrap();
        first.known.asked.push(Asked { fault, at: NOW.plus_ms(5), begun: true });
        first.save(folder.path()).unwrap();
        assert_eq!(Memory::last_shown(folder.path()).unwrap(), NOW);
        // Another program may have another usual script: the folder keeps its own.
        let later = NOW.plus_ms(86_400_000);
        let again = Memory::begin(folder.path(), wishes(None, None), "# other", later).unwrap();
        let mut expected = first.clone();
        expected.known.starts.push(later);
        expected.shown = later;
        assert_eq!(again, expected);
    }

    #[test]
    fn another_seed_or_script_is_refused_and_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let first = Memory::begin(folder.path(), wishes(Some(7), None), "# usual", NOW).unwrap();
        first.save(folder.path()).unwrap();
        let begin = |seed, script| Memory::begin(folder.path(), wishes(seed, script), "# usual", NOW);
        assert!(begin(Some(7), Some("# usual")).is_ok());
        for (seed, script) in [(Some(8), None), (None, Some("# mine"))] {
            let message = begin(seed, script).unwrap_err().to_string();
            assert!(message.contains("--data") && message.contains("leave --s"), "{message}");
        }
        std::fs::write(folder.path().join(FILE), "seed = \"x\"").unwrap();
        let message = begin(None, None).unwrap_err().to_string();
        assert!(message.contains(FILE) && message.contains("remove the folder"), "{message}");
    }
}
