//! A file as lines with their places; a file whose name ends in `.gz` is unpacked.

use super::Failure;
use anyhow::{Context, anyhow};
use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The longest row. Bytes.
const ROW_MAX: usize = 64 << 10;

/// Between two rows of the unpacked text.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Place {
    /// Bytes before it.
    pub bytes: u64,
    /// Lines before it.
    pub lines: u64,
}

/// The open file.
pub struct Source {
    path: PathBuf,
    reader: Box<dyn BufRead>,
    /// Bytes of the file that have been read.
    read: Rc<Cell<u64>>,
    size: u64,
    /// Whether a line feed between quotes belongs to the row.
    quotes: bool,
    place: Place,
}

impl Source {
    /// At its beginning. `quotes`: a row goes on while a quote is open.
    pub fn open(path: &Path, quotes: bool) -> Result<Source, Failure> {
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
        let (size, file) = opened.with_context(|| format!("{} cannot be read", path.display()))?;
        let read = Rc::new(Cell::new(0));
        let file = Counted { file, read: Rc::clone(&read) };
        let reader: Box<dyn BufRead> = if path.extension().is_some_and(|kind| kind == "gz") {
            Box::new(BufReader::new(MultiGzDecoder::new(file)))
        } else {
            Box::new(BufReader::new(file))
        };
        Ok(Source { path: path.to_owned(), reader, read, size, quotes, place: Place::default() })
    }

    /// Where the next row begins.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Bytes of the file that are read, and all.
    pub fn progress(&self) -> (u64, u64) {
        (self.read.get(), self.size)
    }

    /// Goes on from a place that an earlier reading came to.
    pub fn skip_to(&mut self, place: Place) -> Result<(), Failure> {
        let left = place.bytes.saturating_sub(self.place.bytes);
        let skipped = std::io::copy(&mut self.reader.by_ref().take(left), &mut std::io::sink());
        skipped.with_context(|| format!("{} cannot be read", self.path.display()))?;
        self.place = place;
        Ok(())
    }

    /// The next row that is not empty, with the number of its first line, from 1.
    pub fn row(&mut self) -> Result<Option<(u64, String)>, Failure> {
        loop {
            let (number, mut row) = (self.place.lines + 1, Vec::new());
            loop {
                let read = self.line(&mut row, number)?;
                let open = self.quotes && row.split(|byte| *byte == b'"').count() % 2 == 0;
                if read == 0 || !open {
                    break;
                }
            }
            if row.is_empty() {
                return Ok(None);
            }
            let text = String::from_utf8(row)
                .map_err(|_| anyhow!("{}, row {number}: the text is not UTF-8", self.path.display()))?;
            let text = text.trim_start_matches('\u{feff}').trim_end_matches(['\r', '\n']);
            if !text.trim().is_empty() {
                return Ok(Some((number, text.to_owned())));
            }
        }
    }

    fn line(&mut self, row: &mut Vec<u8>, number: u64) -> Result<usize, Failure> {
        let room = (ROW_MAX + 1).saturating_sub(row.len());
        let read = self.reader.by_ref().take(room as u64).read_until(b'\n', row);
        let read = read.with_context(|| format!("{} cannot be read", self.path.display()))?;
        if row.len() > ROW_MAX {
            let path = self.path.display();
            let why = anyhow!("{path}, row {number}: it is longer than 64 KiB; is a quote left open?");
            return Err(why.into());
        }
        self.place.bytes += read as u64;
        self.place.lines += u64::from(read > 0);
        Ok(read)
    }
}

struct Counted {
    file: File,
    read: Rc<Cell<u64>>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.read.set(self.read.get() + read as u64);
        Ok(read)
    }
}
