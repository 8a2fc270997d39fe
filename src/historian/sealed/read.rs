//! Those who read: sources of rows for the merge, and what was known before a time.
//!
//! What is read of a year file is read in one transaction, which begins when the places are listed
//! and ends with the last source: a merge meanwhile takes nothing away.

use super::year::{self, Kind, Place};
use super::{pack, path_of, plan, rollup, years};
use crate::historian::chunk::{self, ChunkError, times};
use crate::historian::journal::{JournalError, Seq, Span};
use crate::historian::metrics::Metrics;
use crate::historian::query::{Row, Rows, Source, Whole};
use crate::historian::sqlite;
use crate::point::{PointId, Quality, UtcMs};
use rusqlite::Connection;
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound::{Excluded, Unbounded};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// Places that are looked at first for what was known last.
const NEAREST: usize = 8;

/// Places that are listed at once for those who follow the log.
const PLACES: usize = 64;

/// Damaged places that are remembered, so that each is said once.
const DAMAGED_MAX: usize = 1_000;

/// The year files, for reading.
#[derive(Debug)]
pub(in crate::historian) struct Sealed {
    dir: PathBuf,
    metrics: Metrics,
    /// Which files there are, as long as the one who writes says so; otherwise it is looked up.
    known: RwLock<Option<Arc<[i16]>>>,
    /// Handles that no one uses at the moment.
    idle: Mutex<BTreeMap<i16, Arc<Idle>>>,
    damaged: Mutex<BTreeSet<(i16, &'static str, i64)>>,
}

#[derive(Debug, Default)]
struct Idle(Mutex<Vec<Connection>>);

impl Sealed {
    /// The year files in `dir`.
    pub(in crate::historian) fn new(dir: PathBuf, metrics: Metrics) -> Sealed {
        Sealed { dir, metrics, known: RwLock::default(), idle: Mutex::default(), damaged: Mutex::default() }
    }

    /// Which files there are from now on; none if no one takes care of that.
    pub(super) fn know(&self, years: Option<Arc<[i16]>>) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = years;
    }

    /// The year files, earliest first.
    fn years(&self) -> Result<Arc<[i16]>, JournalError> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).clone();
        known.map_or_else(|| Ok(years(&self.dir)?.into()), Ok)
    }

    /// Sources of a point's readings that touch `span`; with `wholes` those that lie within know
    /// what they come to.
    pub(in crate::historian) fn sources(
        self: &Arc<Self>,
        point: PointId,
        span: Span,
        wholes: bool,
    ) -> Result<Vec<Source<'static>>, JournalError> {
        let mut sources = Vec::new();
        let wanted = plan::year_of(span.first)..=plan::year_of(span.last);
        for &number in self.years()?.iter().filter(|year| wanted.contains(year)) {
            let Some(file) = self.snapshot(number)?.map(Rc::new) else { continue };
            let rollups = if wholes { year::rollups(file.conn()?, point, span) } else { Ok(HashMap::new()) };
            let rollups = self.intact(number, rollups)?;
            let last = Rc::default();
            for place in self.intact(number, year::places(file.conn()?, point, span))? {
                let stored = Stored { point, place, span, file: Rc::clone(&file), body: None };
                let inside = span.first <= place.span.first && place.span.last <= span.last;
                let rollup = rollups.get(&place.id).filter(|_| inside && place.kind != Kind::Part);
                match rollup.and_then(|body| self.sound(number, "rollup", place.id, rollup::decode(body))) {
                    Some(pieces) => sources.extend(cut(&Rc::new(stored), &last, pieces)),
                    None => sources.push(stored.source(wholes && inside)?),
                }
            }
        }
        Ok(sources)
    }

    /// What was known of a point before `to`: its last reading, the last one with a value and, where
    /// that is at hand, the last good one. Readings at instants that are `hidden` were corrected
    /// elsewhere.
    pub(in crate::historian) fn known_before(
        self: &Arc<Self>,
        point: PointId,
        to: UtcMs,
        hidden: impl Fn(UtcMs) -> bool,
    ) -> Result<Vec<(u32, Row)>, JournalError> {
        let span = Span { first: UtcMs(i64::MIN), last: to.plus_ms(-1) };
        let mut known = Known::default();
        for &number in self.years()?.iter().rev().filter(|year| **year <= plan::year_of(span.last)) {
            let Some(file) = self.snapshot(number)?.map(Rc::new) else { continue };
            // Nearly always one of the nearest knows.
            for nearest in [Some(NEAREST), None] {
                let places = self.intact(number, year::places_back(file.conn()?, point, span, nearest))?;
                let all = nearest.is_none_or(|nearest| places.len() < nearest);
                for place in places {
                    if known.since.is_some_and(|at| place.span.last < at) {
                        return Ok(known.rows(Some(place.span.last)));
                    }
                    let mut rows = Vec::new();
                    Stored { point, place, span, file: Rc::clone(&file), body: None }.pull(&mut rows)?;
                    known.add(place.epoch, rows.into_iter().filter(|row| row.at < to && !hidden(row.at)));
                }
                if all {
                    break;
                }
            }
        }
        Ok(known.rows(None))
    }

    /// What was sealed behind a frontier, in order of sealing: at least one place if there is one, and
    /// then as long as it has fewer readings than `readings`. What is merged meanwhile comes as merged.
    pub(in crate::historian) fn loads_behind(
        self: &Arc<Self>,
        frontier: Frontier,
        readings: usize,
    ) -> Result<Loads, JournalError> {
        let (mut files, mut places) = (Vec::new(), Vec::new());
        for &number in self.years()?.iter() {
            let Some(file) = self.snapshot(number)? else { continue };
            let (part, chunk) = (frontier.bound(number, false), frontier.bound(number, true));
            let found = self.intact(number, year::sealed_behind(file.conn()?, part, chunk, PLACES + 1))?;
            places.extend(found.into_iter().map(|p| Frontier {
                seq: p.seq,
                year: number,
                chunk: p.chunk,
                id: p.id,
            }));
            files.push(file);
        }
        places.sort_unstable();
        let (mut loads, mut held) = (Loads::default(), 0);
        for frontier in places {
            loads.more = held >= readings || loads.places.len() == PLACES;
            if loads.more {
                break;
            }
            let Some(file) = files.iter().find(|file| file.number == frontier.year) else { continue };
            let load = self.load(file, frontier)?;
            held += load.rows.iter().map(|(_, rows)| rows.len()).sum::<usize>();
            loads.places.push(load);
        }
        Ok(loads)
    }

    fn load(&self, file: &Snapshot, frontier: Frontier) -> Result<Load, JournalError> {
        let Frontier { seq, chunk, id, .. } = frontier;
        let found = self.intact(frontier.year, year::load(file.conn()?, year::Sealing { seq, chunk, id }))?;
        let (mut device, mut all) = (0, Vec::new());
        match found {
            None => {}
            Some(year::Load::Part { device: of, body }) => {
                device = of;
                let index = self.sound(frontier.year, "part", id, pack::Index::open(&body));
                let points: BTreeSet<PointId> = index.iter().flat_map(pack::Index::points).collect();
                for (index, point) in
                    index.iter().flat_map(|index| points.iter().map(move |point| (index, *point)))
                {
                    let mut rows = Vec::new();
                    let read = index.rows(point, pack::ALWAYS, seq, &mut rows);
                    self.sound(frontier.year, "part", id, read);
                    all.push((point, rows));
                }
            }
            Some(year::Load::Chunk { device: of, point, times, body }) => {
                device = of;
                let mut rows = Vec::new();
                let instants = times::decode(&times);
                let read =
                    instants.and_then(|instants| pack::rows(&instants, &body, pack::ALWAYS, seq, &mut rows));
                self.sound(frontier.year, "chunk", id, read);
                all.push((point, rows));
            }
        }
        Ok(Load { frontier, device, rows: all })
    }

    /// The place up to which all sealed readings lie before the frontier; none if there are none
    /// behind it.
    pub(in crate::historian) fn whole_up_to(
        self: &Arc<Self>,
        frontier: Frontier,
    ) -> Result<Option<Seq>, JournalError> {
        let mut whole = None;
        for &number in self.years()?.iter() {
            let Some(file) = self.snapshot(number)? else { continue };
            let from = self.intact(number, year::sealed_from(file.conn()?, frontier.seq))?;
            whole = whole.into_iter().chain(from).min();
        }
        Ok(whole)
    }

    /// All points that were ever sealed.
    pub(in crate::historian) fn points(self: &Arc<Self>) -> Result<BTreeSet<PointId>, JournalError> {
        let mut points = BTreeSet::new();
        for &number in self.years()?.iter() {
            let Some(file) = self.snapshot(number)? else { continue };
            points.extend(self.intact(number, year::points(file.conn()?))?);
        }
        Ok(points)
    }

    /// Lets go of a file that is about to be deleted.
    pub(super) fn close(&self, number: i16) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
    }

    /// What was decoded; if it is damaged that is counted, and said once.
    pub(super) fn sound<T>(
        &self,
        year: i16,
        table: &'static str,
        id: i64,
        decoded: Result<T, ChunkError>,
    ) -> Option<T> {
        decoded.map_err(|error| self.tell(year, table, id, &error)).ok()
    }

    /// What was read of a file; as [`Sealed::sound`] for what SQLite finds damaged.
    fn intact<T: Default>(&self, year: i16, read: Result<T, JournalError>) -> Result<T, JournalError> {
        match read {
            Err(error) if sqlite::is_damage(&error) => {
                self.tell(year, "file", 0, &error);
                Ok(T::default())
            }
            read => read,
        }
    }

    fn tell(&self, year: i16, table: &'static str, id: i64, error: &dyn std::fmt::Display) {
        self.metrics.damaged.inc();
        let mut damaged = self.damaged.lock().unwrap_or_else(PoisonError::into_inner);
        if damaged.len() < DAMAGED_MAX && damaged.insert((year, table, id)) {
            tracing::error!(file = %path_of(&self.dir, year).display(), table, id, %error,
                "Sealed readings are damaged and left out; restore the file from a backup.");
        }
    }

    /// None if the file was deleted since it was listed.
    fn snapshot(self: &Arc<Self>, number: i16) -> Result<Option<Snapshot>, JournalError> {
        let mut all = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = Arc::clone(all.entry(number).or_default());
        drop(all);
        let held = idle.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let path = path_of(&self.dir, number);
        let conn = match held.map_or_else(|| sqlite::open_reader(&path), Ok) {
            Err(_) if !path.exists() => return Ok(None),
            opened => opened?,
        };
        conn.execute_batch("BEGIN")?;
        Ok(Some(Snapshot { number, conn: Some(conn), idle, sealed: Arc::clone(self) }))
    }
}

/// A place in the order of sealing, the places before it read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::historian) struct Frontier {
    seq: Seq,
    year: i16,
    chunk: bool,
    id: i64,
}

impl Frontier {
    /// Before all that holds readings behind `seq`.
    pub(in crate::historian) fn behind(seq: Seq) -> Frontier {
        Frontier { seq, year: i16::MAX, chunk: true, id: i64::MAX }
    }

    /// Behind which sequence and number a table of a file goes on.
    fn bound(&self, year: i16, chunk: bool) -> (Seq, i64) {
        match (year, chunk).cmp(&(self.year, self.chunk)) {
            std::cmp::Ordering::Less => (self.seq, i64::MAX),
            std::cmp::Ordering::Equal => (self.seq, self.id),
            std::cmp::Ordering::Greater => (self.seq, 0),
        }
    }
}

/// What was sealed behind a frontier.
#[derive(Debug, Default)]
pub(in crate::historian) struct Loads {
    /// In order of sealing.
    pub places: Vec<Load>,
    /// There is more.
    pub more: bool,
}

/// The readings at a place.
#[derive(Debug)]
pub(in crate::historian) struct Load {
    /// It.
    pub frontier: Frontier,
    /// Who brought them.
    pub device: u32,
    pub rows: Vec<(PointId, Vec<Row>)>,
}

/// What is known so far of a point, going back.
#[derive(Default)]
struct Known {
    /// Of each instant the one that arrived last, with its epoch.
    rows: BTreeMap<UtcMs, (u32, Row)>,
    /// The instant of the last value.
    since: Option<UtcMs>,
}

impl Known {
    fn add(&mut self, epoch: u32, rows: impl Iterator<Item = Row>) {
        for row in rows {
            let held = self.rows.entry(row.at).or_insert((epoch, row));
            if held.1.seq < row.seq {
                *held = (epoch, row);
            }
        }
        self.since = self.rows.values().rfind(|(_, row)| row.value.is_some()).map(|(_, row)| row.at);
    }

    /// What is wanted of it, as far as nothing that was not read can change it: behind `read_until`.
    fn rows(self, read_until: Option<UtcMs>) -> Vec<(u32, Row)> {
        let rows = self.rows.range((read_until.map_or(Unbounded, Excluded), Unbounded));
        let last =
            |wanted: fn(&Row) -> bool| rows.clone().map(|(_, known)| *known).rfind(|(_, row)| wanted(row));
        let mut known: Vec<_> =
            [last(|row| row.quality == Quality::Good), last(|row| row.value.is_some()), last(|_| true)]
                .into_iter()
                .flatten()
                .collect();
        known.dedup();
        known
    }
}

/// A year file as it was when its first row was read.
struct Snapshot {
    number: i16,
    conn: Option<Connection>,
    idle: Arc<Idle>,
    sealed: Arc<Sealed>,
}

impl Snapshot {
    fn conn(&self) -> Result<&Connection, JournalError> {
        self.conn.as_ref().ok_or(JournalError::Busy)
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take()
            && conn.execute_batch("COMMIT").is_ok()
        {
            self.idle.0.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
        }
    }
}

/// The rows of a point in one place.
struct Stored {
    point: PointId,
    place: Place,
    /// What is outside is not wanted.
    span: Span,
    file: Rc<Snapshot>,
    /// If it was read already.
    body: Option<Vec<u8>>,
}

/// The chunk of a point that was decoded last.
type Last = Rc<RefCell<Option<(i64, Vec<Row>)>>>;

/// A chunk as the pieces of its roll-up; where one must be read, so is the chunk, and once for those
/// that follow.
fn cut(chunk: &Rc<Stored>, last: &Last, pieces: Vec<Whole>) -> Vec<Source<'static>> {
    let source = |whole: Whole| Source {
        epoch: chunk.place.epoch,
        starts: whole.span.first,
        whole: Some(whole),
        rows: Box::new(Piece { chunk: Rc::clone(chunk), last: Rc::clone(last), span: whole.span }),
    };
    pieces.into_iter().map(source).collect()
}

/// The rows of a stretch of a chunk.
struct Piece {
    chunk: Rc<Stored>,
    last: Last,
    span: Span,
}

impl Rows for Piece {
    fn pull(&mut self, rows: &mut Vec<Row>) -> Result<bool, JournalError> {
        let mut last = self.last.borrow_mut();
        let (id, mut held) = last.take().unwrap_or_default();
        if id != self.chunk.place.id {
            held.clear();
            self.chunk.append(&mut held)?;
        }
        rows.extend_from_slice(pack::within(&held, self.span));
        *last = Some((self.chunk.place.id, held));
        Ok(false)
    }
}

impl Stored {
    /// All of it as one source; with `whole` it says what it comes to.
    fn source(mut self, whole: bool) -> Result<Source<'static>, JournalError> {
        let whole = if whole { self.whole()? } else { None };
        let starts = self.place.span.first.max(self.span.first);
        Ok(Source { epoch: self.place.epoch, starts, whole, rows: Box::new(self) })
    }

    /// Appends its rows in the span, as far as they are sound.
    fn append(&self, rows: &mut Vec<Row>) -> Result<(), JournalError> {
        let body = match &self.body {
            Some(body) => Cow::Borrowed(body),
            None => Cow::Owned(self.read()?),
        };
        let decoded = self.decode(&body, rows)?;
        let table = if self.place.kind == Kind::Part { "part" } else { "chunk" };
        self.file.sealed.sound(self.file.number, table, self.place.id, decoded);
        Ok(())
    }

    /// What a chunk says of itself; a part says nothing.
    fn whole(&mut self) -> Result<Option<Whole>, JournalError> {
        if self.place.kind == Kind::Part {
            return Ok(None);
        }
        let body = self.read()?;
        let body = self.body.insert(body);
        // Damage is told when its rows are asked for.
        let header = chunk::header(body).ok();
        Ok(header.map(|header| Whole {
            span: Span { first: header.first, last: header.last },
            summary: header.summary,
        }))
    }

    fn read(&self) -> Result<Vec<u8>, JournalError> {
        let Snapshot { number, sealed, .. } = &*self.file;
        sealed.intact(*number, year::body(self.file.conn()?, &self.place))
    }

    fn decode(&self, body: &[u8], rows: &mut Vec<Row>) -> Result<Result<(), ChunkError>, JournalError> {
        let (seq, span) = (self.place.seq, self.span);
        Ok(match self.place.kind {
            Kind::Part => pack::Index::open(body).and_then(|index| index.rows(self.point, span, seq, rows)),
            Kind::Chunk { times } => {
                let Snapshot { number, sealed, .. } = &*self.file;
                let instants = sealed.intact(*number, year::times(self.file.conn()?, times))?;
                let instants = times::decode(&instants);
                instants.and_then(|instants| pack::rows(&instants, body, span, seq, rows))
            }
        })
    }
}

impl Rows for Stored {
    fn pull(&mut self, rows: &mut Vec<Row>) -> Result<bool, JournalError> {
        self.append(rows)?;
        self.body = None;
        Ok(false)
    }
}
