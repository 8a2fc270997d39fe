//! The journal in append-only files: `journal/0000000001.seg`, `0000000002.seg`, ...
//!
//! ```text
//! segment = "PlnRjrnl"  version(4)  number(4)  0(12)  crc32(4)   frame*   zeros
//! frame   = length(4)  crc32 of body(4)  seq(8)  first(8)  last(8)  number(4)  crc32(4)   body   to 8
//! ```
//! Little endian. A segment is filled with zeros before it is used: a commit is one write and one
//! `fdatasync`, and changes nothing but content. So only the last frame can be torn: it alone is
//! checked to its end when the log is opened, the others by their headers. What a body holds is
//! checked by who decodes it. Why not SQLite: docs/adr/0012.

use super::journal::{Journal, JournalError, JournalReader, PAGE_BYTES, Record, Seq, Span};
use super::room::Room;
use super::sqlite;
use crate::point::UtcMs;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

const MAGIC: [u8; 8] = *b"PlnRjrnl";
const VERSION: u32 = 1;
const SEGMENT_HEADER: usize = 32;
const FRAME_HEADER: usize = 40;

/// So much of the next segment is made ready in one go between two commits. Bytes.
const SLICE_BYTES: usize = 1 << 20;

/// What opening for writing had to repair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Repaired {
    /// Bytes behind the last good record that were cut off.
    cut_bytes: u64,
    /// Stretches between good records that hold none.
    skipped: u64,
}

/// Where a record stands.
#[derive(Clone, Copy, Debug)]
struct Entry {
    last: Seq,
    span: Span,
    /// Where the frame begins.
    at: u64,
    len: usize,
    body_crc: u32,
}

impl Entry {
    fn end(&self) -> u64 {
        self.at + padded(self.len) as u64
    }
}

#[derive(Debug)]
struct Segment {
    number: u32,
    path: PathBuf,
    file: Arc<File>,
    entries: Vec<Entry>,
    /// Behind the last frame.
    end: u64,
    skipped: u64,
}

/// Where everything is; what is in it is on disk.
#[derive(Debug, Default)]
pub(super) struct Index(RwLock<Vec<Segment>>);

impl Index {
    fn read(&self) -> RwLockReadGuard<'_, Vec<Segment>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Vec<Segment>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn padded(len: usize) -> usize {
    (FRAME_HEADER + len).next_multiple_of(8)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |chunk| u32::from_le_bytes(*chunk))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |chunk| u64::from_le_bytes(*chunk))
}

fn with_crc<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let mut bytes = parts.concat();
    let crc = crc32fast::hash(&bytes);
    bytes.extend(crc.to_le_bytes());
    bytes.first_chunk().copied().unwrap_or([0; N])
}

fn has_crc(bytes: &[u8]) -> bool {
    bytes.split_last_chunk().is_some_and(|(content, crc)| crc32fast::hash(content).to_le_bytes() == *crc)
}

fn segment_header(number: u32) -> [u8; SEGMENT_HEADER] {
    with_crc(&[&MAGIC, &VERSION.to_le_bytes(), &number.to_le_bytes(), &[0; 12]])
}

fn frame(out: &mut Vec<u8>, record: &Record, number: u32) -> Result<(), JournalError> {
    let len = u32::try_from(record.body.len()).map_err(std::io::Error::other)?;
    let header: [u8; FRAME_HEADER] = with_crc(&[
        &len.to_le_bytes(),
        &crc32fast::hash(&record.body).to_le_bytes(),
        &record.last.0.to_le_bytes(),
        &record.span.first.0.to_le_bytes(),
        &record.span.last.0.to_le_bytes(),
        &number.to_le_bytes(),
    ]);
    out.clear();
    out.extend_from_slice(&header);
    out.extend_from_slice(&record.body);
    out.resize(padded(record.body.len()), 0);
    Ok(())
}

/// The frame whose header this is, if it is one of this segment and behind `after`.
fn entry(header: &[u8], number: u32, after: Seq, at: u64, size: u64) -> Option<Entry> {
    let (last, len) = (Seq(u64_at(header, 8)), u32_at(header, 0) as usize);
    let fits = at.checked_add(padded(len) as u64).is_some_and(|end| end <= size);
    if !has_crc(header) || u32_at(header, 32) != number || last <= after || !fits {
        return None;
    }
    let ms = |at| UtcMs(u64_at(header, at).cast_signed());
    Some(Entry { last, span: Span { first: ms(16), last: ms(24) }, at, len, body_crc: u32_at(header, 4) })
}

/// Reads as much of `len` as there is.
fn read_up_to(file: &File, at: u64, len: usize) -> Result<Vec<u8>, JournalError> {
    let left = usize::try_from(file.metadata()?.len().saturating_sub(at)).unwrap_or(usize::MAX);
    let mut bytes = vec![0; len.min(left)];
    file.read_exact_at(&mut bytes, at)?;
    Ok(bytes)
}

impl Segment {
    /// None if there is no header yet: it is being made.
    fn open(path: PathBuf, write: bool) -> Result<Option<Segment>, JournalError> {
        let file = OpenOptions::new().read(true).write(write).open(&path)?;
        let header = read_up_to(&file, 0, SEGMENT_HEADER)?;
        if header.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let number = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
        let number = number.filter(|_| header.starts_with(&MAGIC)).ok_or(JournalError::Foreign)?;
        let (good, version) = (has_crc(&header), u32_at(&header, 8));
        if good && version > VERSION {
            return Err(JournalError::Newer { found: version.into(), known: VERSION.into() });
        }
        // Each frame says for itself where it belongs.
        let skipped = u64::from(!good);
        let end = SEGMENT_HEADER as u64;
        Ok(Some(Segment { number, path, file: Arc::new(file), entries: Vec::new(), end, skipped }))
    }

    fn last(&self) -> Option<Seq> {
        self.entries.last().map(|entry| entry.last)
    }

    /// Takes in the frames behind `end`.
    fn scan(&mut self, mut after: Seq) -> Result<(), JournalError> {
        let size = self.file.metadata()?.len();
        let mut header = [0; FRAME_HEADER];
        let mut lost = false;
        let mut at = self.end;
        while at + FRAME_HEADER as u64 <= size {
            self.file.read_exact_at(&mut header, at)?;
            match entry(&header, self.number, after, at, size) {
                Some(found) => {
                    self.skipped += u64::from(std::mem::take(&mut lost));
                    (after, at) = (found.last, found.end());
                    self.end = at;
                    self.entries.push(found);
                }
                None if header == [0; FRAME_HEADER] && !lost => break,
                None => {
                    lost = true;
                    match self.next_header(at, after, size)? {
                        Some(next) => at = next,
                        None => break,
                    }
                }
            }
        }
        Ok(())
    }

    /// The next place behind `at` where a frame begins.
    fn next_header(&self, at: u64, after: Seq, size: u64) -> Result<Option<u64>, JournalError> {
        let rest = read_up_to(&self.file, at, usize::MAX)?;
        let places = (at..).step_by(8).zip(rest.windows(FRAME_HEADER).step_by(8)).skip(1);
        let mut good = places.filter(|(place, header)| {
            u32_at(header, 32) == self.number && entry(header, self.number, after, *place, size).is_some()
        });
        Ok(good.next().map(|(place, _)| place))
    }

    fn whole(&self, entry: &Entry) -> Result<bool, JournalError> {
        let body = read_up_to(&self.file, entry.at + FRAME_HEADER as u64, entry.len)?;
        Ok(crc32fast::hash(&body) == entry.body_crc)
    }

    /// Makes sure that what is good is on disk, whatever became of the handle that wrote it, and
    /// that nothing else stands behind it. Returns the bytes cut off.
    fn make_safe(&mut self) -> Result<u64, JournalError> {
        let behind = self.end;
        if let Some(last) = self.entries.last().copied()
            && !self.whole(&last)?
        {
            self.entries.pop();
            self.end = last.at;
        }
        let rest = read_up_to(&self.file, self.end, usize::MAX)?;
        let cut = rest.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
        if cut > 0 {
            self.file.write_all_at(&vec![0; cut], self.end)?;
        }
        if let Some(last) = self.entries.last() {
            let bytes = read_up_to(&self.file, last.at, padded(last.len))?;
            self.file.write_all_at(&bytes, last.at)?;
        }
        self.file.sync_all()?;
        Ok((cut as u64).max(behind - self.end))
    }
}

fn path_of(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:010}.seg"))
}

fn paths(dir: &Path) -> Result<Vec<PathBuf>, JournalError> {
    let mut paths = Vec::new();
    for file in std::fs::read_dir(dir)? {
        paths.push(file?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|kind| kind == "seg"));
    paths.sort();
    Ok(paths)
}

/// The segment behind the one that is written.
#[derive(Debug)]
enum Ahead {
    /// Nobody has begun it.
    Nothing,
    /// Filled so far.
    Making(File, u64),
    Ready,
    /// The disk was full: the record that needs it will try again.
    NoRoom,
}

/// The writing handle.
#[derive(Debug)]
pub(super) struct SegmentJournal {
    dir: PathBuf,
    room: Room,
    /// A segment takes records up to this size.
    size: u64,
    index: Arc<Index>,
    file: Arc<File>,
    number: u32,
    end: u64,
    last: Seq,
    ahead: Ahead,
    frame: Vec<u8>,
    repaired: Repaired,
}

impl SegmentJournal {
    /// For writing; there must be only one. A segment takes records up to `size` bytes. Readers of
    /// this process read through `index`.
    pub(super) fn open(
        dir: &Path,
        index: &Arc<Index>,
        room: Room,
        size: u64,
    ) -> Result<SegmentJournal, JournalError> {
        std::fs::create_dir_all(dir)?;
        sqlite::sync_parent(dir)?;
        let (mut segments, repaired) = recover(dir)?;
        if segments.is_empty() {
            finish(&make(dir, 1)?, 0, 1, size)?;
            segments.extend(Segment::open(path_of(dir, 1), true)?);
        }
        sync_dir(dir)?;
        let last = segments.iter().rev().find_map(Segment::last).unwrap_or(Seq(0));
        let current = segments.last().ok_or(JournalError::Foreign)?;
        let (file, number, end) = (Arc::clone(&current.file), current.number, current.end);
        *index.write() = segments;
        let (dir, index, ahead, frame) = (dir.to_owned(), Arc::clone(index), Ahead::Nothing, Vec::new());
        Ok(SegmentJournal { dir, room, size, index, file, number, end, last, ahead, frame, repaired })
    }

    /// Goes on to the next segment; it is made on the spot only if nobody came to make it ahead.
    fn roll(&mut self) -> Result<(), JournalError> {
        let number = self.number + 1;
        match std::mem::replace(&mut self.ahead, Ahead::Nothing) {
            Ahead::Ready => {}
            Ahead::Making(file, at) => self.made(number, finish(&file, at, number, self.size))?,
            Ahead::Nothing | Ahead::NoRoom => {
                self.room.grow(self.size)?;
                let whole = make(&self.dir, number).and_then(|file| finish(&file, 0, number, self.size));
                self.made(number, whole)?;
            }
        }
        sync_dir(&self.dir)?;
        let segment = Segment::open(path_of(&self.dir, number), true)?.ok_or(JournalError::Foreign)?;
        (self.number, self.end, self.file) = (number, segment.end, Arc::clone(&segment.file));
        self.index.write().push(segment);
        Ok(())
    }

    /// Half a segment holds what others need until the next try.
    fn made(&self, number: u32, made: Result<(), JournalError>) -> Result<(), JournalError> {
        if made.is_err() {
            remove(&path_of(&self.dir, number))?;
        }
        made
    }

    /// Makes a slice of the next segment.
    fn make_ahead(&mut self) -> Result<Ahead, JournalError> {
        let number = self.number + 1;
        let (file, at) = match std::mem::replace(&mut self.ahead, Ahead::Nothing) {
            Ahead::Nothing => {
                self.room.grow(self.size)?;
                (make(&self.dir, number)?, 0)
            }
            Ahead::Making(file, at) => (file, at),
            done => return Ok(done),
        };
        if at + (SLICE_BYTES as u64) < self.size {
            file.write_all_at(&vec![0; SLICE_BYTES], at)?;
            file.sync_data()?;
            return Ok(Ahead::Making(file, at + SLICE_BYTES as u64));
        }
        finish(&file, at, number, self.size)?;
        Ok(Ahead::Ready)
    }
}

/// The segments of a log with what is in them. What is good is on disk when this returns, whatever
/// became of the handle that wrote it.
fn recover(dir: &Path) -> Result<(Vec<Segment>, Repaired), JournalError> {
    let (mut segments, mut repaired, mut last) = (Vec::new(), Repaired::default(), Seq(0));
    for path in paths(dir)? {
        let Some(mut segment) = Segment::open(path.clone(), true)? else {
            // It was being made.
            std::fs::remove_file(path)?;
            continue;
        };
        segment.scan(last)?;
        last = segment.last().unwrap_or(last);
        repaired.skipped += segment.skipped;
        segments.push(segment);
    }
    // Only what was written last can be torn, and what is behind it was made ahead.
    let used = segments.iter().rposition(|segment| !segment.entries.is_empty()).unwrap_or(0);
    for segment in segments.iter_mut().skip(used) {
        repaired.cut_bytes += segment.make_safe()?;
    }
    for spare in segments.split_off(segments.len().min(used + 1)) {
        std::fs::remove_file(spare.path)?;
    }
    Ok((segments, repaired))
}

fn make(dir: &Path, number: u32) -> Result<File, JournalError> {
    Ok(OpenOptions::new().write(true).create(true).truncate(true).open(path_of(dir, number))?)
}

/// Fills what is left from `at` on, and only then makes it a segment.
fn finish(file: &File, mut at: u64, number: u32, size: u64) -> Result<(), JournalError> {
    while at < size {
        let len = usize::try_from(size - at).unwrap_or(SLICE_BYTES).min(SLICE_BYTES);
        file.write_all_at(&vec![0; len], at)?;
        at += len as u64;
    }
    file.write_all_at(&segment_header(number), 0)?;
    Ok(file.sync_all()?)
}

/// Removes what may not be there.
fn remove(path: &Path) -> Result<(), JournalError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

fn sync_dir(dir: &Path) -> Result<(), JournalError> {
    Ok(File::open(dir)?.sync_all()?)
}

impl Journal for SegmentJournal {
    fn append(&mut self, record: &Record) -> Result<(), JournalError> {
        if record.last <= self.last {
            return Err(JournalError::Conflict(record.last));
        }
        let empty = self.end == SEGMENT_HEADER as u64;
        if self.end + padded(record.body.len()) as u64 > self.size && !empty {
            self.roll()?;
        }
        frame(&mut self.frame, record, self.number)?;
        self.file.write_all_at(&self.frame, self.end)?;
        self.file.sync_data()?;
        let (at, len, body_crc) = (self.end, record.body.len(), u32_at(&self.frame, 4));
        let entry = Entry { last: record.last, span: record.span, at, len, body_crc };
        (self.end, self.last) = (entry.end(), record.last);
        if let Some(segment) = self.index.write().last_mut() {
            segment.entries.push(entry);
            segment.end = self.end;
        }
        Ok(())
    }

    fn tidy(&mut self) -> Result<(), JournalError> {
        if self.end < self.size / 2 {
            return Ok(());
        }
        self.ahead = match self.make_ahead() {
            Err(JournalError::Full) => {
                remove(&path_of(&self.dir, self.number + 1))?;
                Ahead::NoRoom
            }
            made => made?,
        };
        Ok(())
    }

    fn trim(&mut self, up_to: Seq) -> Result<bool, JournalError> {
        let mut segments = self.index.write();
        let old = |segments: &[Segment]| match segments {
            // Not the last record: the end of the log stays known.
            [first, next, ..] => !next.entries.is_empty() && first.last().is_none_or(|last| last <= up_to),
            _ => false,
        };
        if !old(&segments) {
            return Ok(true);
        }
        let first = segments.remove(0);
        let done = !old(&segments);
        drop(segments);
        std::fs::remove_file(first.path)?;
        Ok(done)
    }

    fn bytes(&self) -> u64 {
        self.index.read().iter().map(|segment| segment.end).sum()
    }

    fn repaired(&self) -> Option<String> {
        let Repaired { cut_bytes, skipped } = self.repaired;
        (self.repaired != Repaired::default()).then(|| {
            format!("Cut {cut_bytes} bytes behind the last good record of the journal, stepped over {skipped} damaged places in it.")
        })
    }
}

impl JournalReader for SegmentJournal {
    fn last(&self) -> Result<Seq, JournalError> {
        Ok(self.last)
    }

    fn behind(&self, after: Seq, bytes: usize) -> Result<Vec<Record>, JournalError> {
        page(&self.index, after, bytes, |_| true)
    }

    fn within(&self, span: Span, after: Seq) -> Result<Vec<Record>, JournalError> {
        page(&self.index, after, PAGE_BYTES, touches(span))
    }
}

fn touches(span: Span) -> impl Fn(Span) -> bool {
    move |other| other.first <= span.last && span.first <= other.last
}

/// The next records behind `after` that are wanted, as long as they have fewer than so many bytes:
/// their places under the lock, their bodies without it. A segment that is trimmed meanwhile is read
/// on from its open file.
fn page(
    index: &Index,
    after: Seq,
    bytes: usize,
    wanted: impl Fn(Span) -> bool,
) -> Result<Vec<Record>, JournalError> {
    let mut places: Vec<(Arc<File>, Entry)> = Vec::new();
    let mut held = 0;
    let segments = index.read();
    let first = segments.partition_point(|segment| segment.last().is_some_and(|last| last <= after));
    'full: for segment in segments.iter().skip(first) {
        let start = segment.entries.partition_point(|entry| entry.last <= after);
        for entry in segment.entries.iter().skip(start).filter(|entry| wanted(entry.span)) {
            if held >= bytes && !places.is_empty() {
                break 'full;
            }
            held += entry.len;
            places.push((Arc::clone(&segment.file), *entry));
        }
    }
    drop(segments);
    let record = |(file, entry): (Arc<File>, Entry)| {
        let mut body = vec![0; entry.len];
        file.read_exact_at(&mut body, entry.at + FRAME_HEADER as u64)?;
        Ok(Record { last: entry.last, span: entry.span, body })
    };
    places.into_iter().map(record).collect()
}

/// Copies the log up to and with `up_to` to the empty folder `to`, beside whoever writes it. A
/// segment that is trimmed meanwhile is copied from its open file. The files are on disk when this
/// returns, their folder is the caller's.
pub(super) fn copy(
    dir: &Path,
    to: &Path,
    up_to: Seq,
    copied: &mut dyn FnMut(u64),
) -> Result<(), JournalError> {
    let reader = SegmentReader::open(dir)?;
    for segment in reader.index.read().iter() {
        let wanted = segment.entries.iter().take_while(|entry| entry.last <= up_to);
        let end = wanted.last().map_or(SEGMENT_HEADER as u64, Entry::end);
        let file = File::create_new(path_of(to, segment.number))?;
        let mut at = 0;
        while at < end {
            let len = usize::try_from(end - at).unwrap_or(SLICE_BYTES).min(SLICE_BYTES);
            let piece = read_up_to(&segment.file, at, len)?;
            file.write_all_at(&piece, at)?;
            at += len as u64;
            copied(len as u64);
        }
        file.sync_all()?;
        if segment.last() >= Some(up_to) {
            break;
        }
    }
    Ok(())
}

/// Reads what another process writes. It sees whole records only; the last one may be on its way
/// to the disk.
#[derive(Debug)]
pub(super) struct SegmentReader {
    dir: PathBuf,
    index: Index,
}

impl SegmentReader {
    pub(super) fn open(dir: &Path) -> Result<SegmentReader, JournalError> {
        let reader = SegmentReader { dir: dir.to_owned(), index: Index::default() };
        reader.refresh()?;
        Ok(reader)
    }

    /// Places between records that hold none.
    pub(super) fn skipped(&self) -> u64 {
        self.index.read().iter().map(|segment| segment.skipped).sum()
    }

    /// The first record whose bytes are not those that were written.
    pub(super) fn damaged(&self) -> Result<Option<Seq>, JournalError> {
        for segment in self.index.read().iter() {
            for entry in &segment.entries {
                if !segment.whole(entry)? {
                    return Ok(Some(entry.last));
                }
            }
        }
        Ok(None)
    }

    fn refresh(&self) -> Result<(), JournalError> {
        let paths = paths(&self.dir)?;
        let mut segments = self.index.write();
        segments.retain(|segment| paths.contains(&segment.path));
        let known = segments.last().map(|segment| segment.path.clone());
        for path in paths.into_iter().filter(|path| Some(path) > known.as_ref()) {
            match Segment::open(path, false) {
                Ok(segment) => segments.extend(segment),
                // Trimmed between the two looks.
                Err(JournalError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        let mut after = Seq(0);
        for segment in segments.iter_mut() {
            after = segment.last().unwrap_or(after);
            segment.scan(after)?;
            if let Some(last) = segment.entries.last().copied()
                && !segment.whole(&last)?
            {
                segment.entries.pop();
                segment.end = last.at;
            }
            after = segment.last().unwrap_or(after);
        }
        Ok(())
    }
}

impl JournalReader for SegmentReader {
    fn last(&self) -> Result<Seq, JournalError> {
        self.refresh()?;
        Ok(self.index.read().iter().rev().find_map(Segment::last).unwrap_or(Seq(0)))
    }

    fn behind(&self, after: Seq, bytes: usize) -> Result<Vec<Record>, JournalError> {
        self.refresh()?;
        page(&self.index, after, bytes, |_| true)
    }

    fn within(&self, span: Span, after: Seq) -> Result<Vec<Record>, JournalError> {
        self.refresh()?;
        page(&self.index, after, PAGE_BYTES, touches(span))
    }
}

/// A reader in the writer's process: sees what is on disk, and nothing on its way there.
impl JournalReader for Arc<Index> {
    fn last(&self) -> Result<Seq, JournalError> {
        Ok(self.read().iter().rev().find_map(Segment::last).unwrap_or(Seq(0)))
    }

    fn behind(&self, after: Seq, bytes: usize) -> Result<Vec<Record>, JournalError> {
        page(self, after, bytes, |_| true)
    }

    fn within(&self, span: Span, after: Seq) -> Result<Vec<Record>, JournalError> {
        page(self, after, PAGE_BYTES, touches(span))
    }
}

#[cfg(test)]
mod tests {
    use super::super::suite::{self, all, record};
    use super::*;

    /// Small, so that much happens at their ends.
    const SIZE: u64 = 100_000;

    fn open(dir: &Path) -> Result<SegmentJournal, JournalError> {
        SegmentJournal::open(dir, &Arc::default(), Room::bare(dir), SIZE)
    }

    const KIND: suite::Kind = suite::Kind {
        write: |dir| Ok(Box::new(open(dir)?)),
        read: |dir| Ok(Box::new(SegmentReader::open(dir)?)),
    };

    #[test]
    fn behaves_like_a_list() {
        suite::behaves_like_a_list(&KIND);
    }

    #[test]
    fn readers_see_a_consistent_prefix() {
        suite::readers_see_a_consistent_prefix(&KIND);
    }

    #[test]
    fn readers_survive_a_trim() {
        suite::readers_survive_a_trim(&KIND);
    }

    #[test]
    fn what_is_given_back_is_gone_from_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = open(dir.path()).unwrap();
        for seq in 1..=200 {
            journal.append(&record(seq, 0, 9, 9_000)).unwrap();
            journal.tidy().unwrap();
        }
        assert!(paths(dir.path()).unwrap().len() >= 18);
        while !journal.trim(Seq(195)).unwrap() {}
        assert!(paths(dir.path()).unwrap().len() <= 3);
        assert_eq!(all(&journal).last(), Some(&record(200, 0, 9, 9_000)));
    }

    fn filled(dir: &Path) -> (Vec<Record>, PathBuf) {
        let mut journal = open(dir).unwrap();
        let records: Vec<_> = (1..=3).map(|seq| record(seq, 0, 9, 50)).collect();
        for record in &records {
            journal.append(record).unwrap();
        }
        (records, path_of(dir, 1))
    }

    /// Where frame `n` of [`filled`] begins.
    fn place(n: usize) -> usize {
        SEGMENT_HEADER + n * padded(50)
    }

    #[test]
    fn a_tail_that_is_cut_off_at_any_byte_is_cut_at_the_last_good_record() {
        for (kept, zeros) in (0..padded(50)).flat_map(|kept| [(kept, false), (kept, true)]) {
            let dir = tempfile::tempdir().unwrap();
            let (mut records, path) = filled(dir.path());
            let mut bytes = std::fs::read(&path).unwrap();
            bytes.truncate(place(2) + kept);
            bytes.resize(if zeros { usize::try_from(SIZE).unwrap() } else { bytes.len() }, 0);
            std::fs::write(&path, bytes).unwrap();
            let mut journal = open(dir.path()).unwrap();
            // The last bytes are padding: then it is whole.
            let whole = kept >= FRAME_HEADER + 50 && zeros;
            records.truncate(if whole { 3 } else { 2 });
            assert_eq!(all(&journal), records, "{kept}");
            assert_eq!(journal.repaired().is_some(), !whole && kept > 0, "{kept} {zeros}");
            records.push(record(9, 0, 0, 10));
            journal.append(&records[records.len() - 1]).unwrap();
            drop(journal);
            let again = open(dir.path()).unwrap();
            assert_eq!((all(&again), again.repaired()), (records, None), "{kept}");
        }
    }

    #[test]
    fn a_flipped_bit_costs_one_record_and_is_told() {
        for (bit, n) in (0..8 * padded(50)).flat_map(|bit| [(bit, 1), (bit, 2)]) {
            let dir = tempfile::tempdir().unwrap();
            let (records, path) = filled(dir.path());
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[place(n) + bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, bytes).unwrap();
            let journal = open(dir.path()).unwrap();
            let found = all(&journal);
            let good = found.iter().filter(|found| records.contains(found)).count();
            // A body in the middle is left to who decodes it; padding matters to no one.
            assert!(good == 3 || good == 2 && (journal.repaired().is_some() || found.len() == 3), "{bit}");
            assert!(n == 1 || found.len() == good, "{bit}");
        }
    }

    #[test]
    fn a_full_disk_is_met_by_the_record_that_needs_room_and_not_before() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = open(dir.path()).unwrap();
        journal.append(&record(1, 0, 0, 60_000)).unwrap();
        std::os::unix::fs::symlink("/dev/full", path_of(dir.path(), 2)).unwrap();
        journal.tidy().unwrap();
        assert!(matches!(journal.ahead, Ahead::NoRoom));
        journal.append(&record(2, 0, 0, 100)).unwrap();
        std::os::unix::fs::symlink("/dev/full", path_of(dir.path(), 2)).unwrap();
        assert!(matches!(journal.append(&record(3, 0, 0, 60_000)), Err(JournalError::Full)));
        assert!(std::fs::symlink_metadata(path_of(dir.path(), 2)).is_err(), "half a segment takes room");
        let mut journal = open(dir.path()).unwrap();
        journal.append(&record(3, 0, 0, 60_000)).unwrap();
        assert_eq!((all(&journal).len(), journal.repaired()), (3, None));
    }

    #[test]
    fn what_cannot_be_written_is_not_acknowledged() {
        let dir = tempfile::tempdir().unwrap();
        let index = Arc::default();
        let mut journal = SegmentJournal::open(dir.path(), &index, Room::bare(dir.path()), SIZE).unwrap();
        journal.append(&record(1, 0, 0, 10)).unwrap();
        let good = Arc::clone(&journal.file);
        let device = |name| Arc::new(OpenOptions::new().write(true).open(name).unwrap());
        journal.file = device("/dev/full");
        assert!(matches!(journal.append(&record(2, 0, 0, 10)), Err(JournalError::Full)));
        // Takes the write, cannot be synced.
        journal.file = device("/dev/null");
        assert!(matches!(journal.append(&record(2, 0, 0, 10)), Err(JournalError::Io(_))));
        assert_eq!(all(&index), [record(1, 0, 0, 10)]);
        journal.file = good;
        journal.append(&record(2, 0, 0, 10)).unwrap();
        assert_eq!(all(&index).len(), 2);
    }

    #[test]
    fn refuses_what_it_should_not_touch() {
        let dir = tempfile::tempdir().unwrap();
        let (_, path) = filled(dir.path());
        let mut newer = segment_header(1);
        newer[8] = 2;
        let newer: [u8; SEGMENT_HEADER] = with_crc(&[&newer[..28]]);
        let good = std::fs::read(&path).unwrap();
        std::fs::write(&path, newer).unwrap();
        assert!(matches!(open(dir.path()), Err(JournalError::Newer { found: 2, known: 1 })));
        std::fs::write(&path, b"something else, of another program altogether").unwrap();
        assert!(matches!(open(dir.path()), Err(JournalError::Foreign)));
        let mut damaged = good;
        damaged[9] ^= 1;
        std::fs::write(&path, damaged).unwrap();
        let journal = open(dir.path()).unwrap();
        assert_eq!((all(&journal).len(), journal.repaired().is_some()), (3, true));
    }
}
