//! The SQL of one year file.

use super::pack::{Chunks, Column, Packed};
use super::plan;
use crate::historian::journal::{JournalError, Seq, Span};
use crate::historian::sqlite::{self, Page};
use crate::point::{PointId, UtcMs};
use rusqlite::{Connection, OptionalExtension, Row, Statement, Transaction, params};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

const VERSION: i64 = 1;

const SCHEMA: &str = "
    -- The poll group of a point, for good: its readings are always sealed with the same others.
    CREATE TABLE member (point INTEGER PRIMARY KEY, poll_group INTEGER NOT NULL, device INTEGER NOT NULL);
    CREATE INDEX member_of_group ON member (poll_group);
    -- One row for each group and seal, until there are enough for chunks (sealed/pack.rs).
    -- Its readings are those behind `after_seq` up to `seq` of the log.
    CREATE TABLE part (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        poll_group INTEGER NOT NULL,
        first_ms INTEGER NOT NULL,
        last_ms INTEGER NOT NULL,
        after_seq INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        polls INTEGER NOT NULL,
        body BLOB NOT NULL
    );
    CREATE INDEX part_of_group ON part (poll_group, epoch, seq, first_ms, last_ms, polls);
    CREATE INDEX part_by_seq ON part (seq, id, after_seq);
    -- Instants that chunks share.
    CREATE TABLE times (
        id INTEGER PRIMARY KEY,
        first_ms INTEGER NOT NULL,
        last_ms INTEGER NOT NULL,
        body BLOB NOT NULL
    );
    CREATE TABLE chunk (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        point INTEGER NOT NULL,
        first_ms INTEGER NOT NULL,
        last_ms INTEGER NOT NULL,
        after_seq INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        times INTEGER NOT NULL REFERENCES times (id),
        body BLOB NOT NULL
    );
    -- What stretches of a chunk come to (sealed/rollup.rs).
    CREATE TABLE rollup (
        chunk INTEGER PRIMARY KEY,
        point INTEGER NOT NULL,
        first_ms INTEGER NOT NULL,
        body BLOB NOT NULL
    );
    CREATE INDEX rollup_of_point ON rollup (point, first_ms);
    CREATE TRIGGER chunk_gone AFTER DELETE ON chunk BEGIN
        DELETE FROM rollup WHERE chunk = old.id;
    END;
    -- All that is asked before a body is read.
    CREATE UNIQUE INDEX chunk_of_point ON chunk (point, last_ms, first_ms, seq, epoch, times);
    CREATE INDEX chunk_by_seq ON chunk (seq, id, after_seq);
    CREATE INDEX chunk_by_times ON chunk (times);
";

/// Most points of a poll group: what is decoded at the same time for a merge stays below 50 MB.
const GROUP_POINTS: usize = 64;

/// Chunks or parts deleted in one transaction.
const DELETES: usize = 64;

/// Transactions that delete between two looks at the log file.
const CHECKPOINT: usize = 4;

/// A file keeps such a part of itself free after merging, at most.
const FREE_SHARE: i64 = 32;

/// Free pages given back in one step: 1 MiB.
const VACUUM_PAGES: usize = 1_024;

/// One year file, for writing. None is used after an error.
#[derive(Debug)]
pub(super) struct Year {
    conn: Connection,
    members: Members,
}

/// Which poll group a point is in.
#[derive(Debug, Default)]
struct Members {
    group_of: HashMap<PointId, i64>,
    /// The newest group of a device and how many it has.
    newest: HashMap<u32, (i64, usize)>,
    last: i64,
    /// Not on disk yet.
    new: Vec<(PointId, i64, u32)>,
}

impl Members {
    fn add(&mut self, point: PointId, group: i64, device: u32) {
        self.group_of.insert(point, group);
        self.last = self.last.max(group);
        let newest = self.newest.entry(device).or_insert((group, 0));
        if newest.0 == group {
            newest.1 += 1;
        } else if newest.0 < group {
            *newest = (group, 1);
        }
    }

    fn group(&mut self, point: PointId, device: u32) -> i64 {
        if let Some(group) = self.group_of.get(&point) {
            return *group;
        }
        let open = self.newest.get(&device).filter(|(_, points)| *points < GROUP_POINTS);
        let group = open.map_or(self.last + 1, |(group, _)| *group);
        self.add(point, group, device);
        self.new.push((point, group, device));
        group
    }
}

/// What is written about a group in one go.
#[derive(Debug)]
pub(super) struct Folded {
    pub group: i64,
    /// In which of its stretches of time the clock wrote them.
    pub epoch: u32,
    /// Its readings are those behind it ...
    pub after: Seq,
    /// ... up to this.
    pub seq: Seq,
    pub packed: Packed,
    /// The parts it is made of, which go.
    pub instead_of: Vec<i64>,
}

impl Folded {
    /// As SQLite has them.
    fn seqs(&self) -> (i64, i64) {
        (self.after.0.cast_signed(), self.seq.0.cast_signed())
    }
}

fn seq_in(row: &Row<'_>, column: usize) -> Result<Seq, rusqlite::Error> {
    Ok(Seq(row.get::<_, i64>(column)?.cast_unsigned()))
}

/// A part as it lies in the file.
#[derive(Debug)]
pub(super) struct StoredPart {
    pub id: i64,
    pub after: Seq,
    pub seq: Seq,
    pub body: Vec<u8>,
}

impl Year {
    /// Opens or makes the file; what lies beyond `sealed_up_to` is thrown away, for it is still in
    /// the journal. What was merged across it stays: a backup that was taken beside a sealing has such
    /// places, and what is sealed once more behind it is the same.
    pub(super) fn open(path: &Path, sealed_up_to: Seq) -> Result<Year, JournalError> {
        // It was made with its tables.
        if path.metadata()?.len() == 0 {
            return Err(sqlite::damaged("the file is empty".to_owned()));
        }
        let conn = sqlite::open_file(path, SCHEMA, VERSION, Page::Blobs)?;
        let tx = conn.unchecked_transaction()?;
        for table in ["part", "chunk"] {
            tx.execute(
                &format!("DELETE FROM {table} WHERE after_seq >= ?1"),
                [sealed_up_to.0.cast_signed()],
            )?;
        }
        tx.commit()?;
        let mut year = Year { conn, members: Members::default() };
        let member = |row: &Row<'_>| Ok((PointId(row.get(0)?), row.get(1)?, row.get(2)?));
        for (point, group, device) in
            year.rows("SELECT point, poll_group, device FROM member ORDER BY poll_group", member)?
        {
            year.members.add(point, group, device);
        }
        Ok(year)
    }

    /// Makes the file. It has its name only when it has its tables: who reads beside the writer lists
    /// the folder.
    pub(super) fn make(path: &Path) -> Result<Year, JournalError> {
        let new = path.with_extension("new");
        // What a process that was killed left, here or while it deleted the file.
        for stale in [path, &new].map(super::with_log) {
            for end in stale.iter().filter(|end| *end != path) {
                super::remove(end)?;
            }
        }
        // Closed, it has no log beside it.
        drop(sqlite::open_file(&new, SCHEMA, VERSION, Page::Blobs)?);
        std::fs::rename(&new, path)?;
        sqlite::sync_parent(path)?;
        // A file that was not there holds nothing yet.
        Year::open(path, Seq(0))
    }

    /// Whether SQLite finds all pages where they belong; reads the whole file.
    pub(super) fn check(&self) -> Result<(), JournalError> {
        let found: String = self.conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if found == "ok" { Ok(()) } else { Err(sqlite::damaged(found)) }
    }

    /// The highest place of the log that a file has readings of.
    pub(super) fn highest(&self) -> Result<Seq, JournalError> {
        let sql =
            "SELECT max(coalesce((SELECT max(seq) FROM part), 0), coalesce((SELECT max(seq) FROM chunk), 0))";
        Ok(self.conn.query_row(sql, [], |row| seq_in(row, 0))?)
    }

    /// The poll group of a point; that of the device it is first seen with, and on disk with the
    /// next [`Year::put`].
    pub(super) fn group(&mut self, point: PointId, device: u32) -> i64 {
        self.members.group(point, device)
    }

    /// Writes what was folded and deletes what it was made of: all of it or nothing. `die` is asked
    /// before the transaction ends.
    pub(super) fn put(
        &mut self,
        folded: &[Folded],
        die: impl FnOnce() -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        let tx = self.conn.transaction()?;
        for (point, group, device) in &self.members.new {
            tx.execute("INSERT INTO member VALUES (?1, ?2, ?3)", params![point.0, group, device])?;
        }
        let mut writing = Writing::new(&tx)?;
        for folded in folded {
            writing.group(folded)?;
        }
        drop(writing);
        die()?;
        tx.commit()?;
        self.members.new.clear();
        Ok(())
    }

    /// Moves what is in the log file into the file, as far as no reader is in the way.
    pub(super) fn checkpoint(&self) -> Result<(), JournalError> {
        Ok(self.conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?)
    }

    /// As [`Year::checkpoint`], and gives the room of the log file back, which is as long as it ever was.
    pub(super) fn empty_log(&self) -> Result<(), JournalError> {
        Ok(self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
    }

    /// Groups that may have something to merge.
    pub(super) fn crowded(&self) -> Result<Vec<(i64, u32)>, JournalError> {
        let sql = "SELECT poll_group, epoch FROM part GROUP BY poll_group, epoch HAVING count(*) >= ?1 OR sum(polls) >= ?2";
        let mut rows = self.conn.prepare(sql)?;
        let rows = rows
            .query_map([plan::FACTOR, plan::CHUNK_POLLS].map(number), |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The parts of a group that are merged next, in order of sequence.
    pub(super) fn next_merge(
        &self,
        (group, epoch): (i64, u32),
    ) -> Result<Option<Vec<StoredPart>>, JournalError> {
        let sql =
            "SELECT id, polls FROM part WHERE poll_group = ?1 AND epoch = ?2 ORDER BY seq, first_ms, id";
        let mut rows = self.conn.prepare(sql)?;
        let rows =
            rows.query_map(params![group, epoch], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
        let (ids, polls): (Vec<i64>, Vec<i64>) = rows.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
        let polls: Vec<usize> = polls.into_iter().map(|polls| usize::try_from(polls).unwrap_or(0)).collect();
        let Some(run) = plan::next_merge(&polls).and_then(|run| ids.get(run)) else { return Ok(None) };
        let mut body = self.conn.prepare("SELECT after_seq, seq, body FROM part WHERE id = ?1")?;
        let mut part = |id: &i64| {
            body.query_row([id], |row| {
                Ok(StoredPart { id: *id, after: seq_in(row, 0)?, seq: seq_in(row, 1)?, body: row.get(2)? })
            })
        };
        run.iter()
            .map(&mut part)
            .collect::<Result<_, rusqlite::Error>>()
            .map(Some)
            .map_err(JournalError::from)
    }

    /// Deletes what ends before its horizon, a few at a time, each step durable; what corrects
    /// something that stays stays with it.
    pub(super) fn drop_before(
        &mut self,
        horizon: impl Fn(PointId) -> UtcMs,
        step: impl Fn() -> Result<(), JournalError>,
    ) -> Result<Dropped, JournalError> {
        let mut members: Vec<(PointId, i64)> =
            self.members.group_of.iter().map(|(point, group)| (*point, *group)).collect();
        members.sort_unstable();
        let (mut points, mut pieces) = (members.iter().map(|(point, _)| *point), 0);
        loop {
            let old = self.old_chunks(&mut points, &horizon)?;
            if old.is_empty() {
                break;
            }
            pieces += self.delete("chunk", &old, &step)?;
        }
        let mut groups: BTreeMap<i64, Vec<PointId>> = BTreeMap::new();
        for (point, group) in members {
            groups.entry(group).or_default().push(point);
        }
        let mut old = Vec::new();
        for (group, points) in groups {
            // A part goes with the last of its points.
            let horizon = points.iter().map(|point| horizon(*point)).min().unwrap_or(UtcMs(i64::MIN));
            old.extend(self.old_parts(group, &points, horizon)?);
        }
        pieces += self.delete("part", &old, &step)?;
        let bare = "SELECT id FROM times t WHERE NOT EXISTS (SELECT 1 FROM chunk WHERE times = t.id)";
        let bare = self.rows(bare, |row| row.get(0))?;
        self.delete("times", &bare, &step)?;
        self.give_back(0, &step)?;
        if pieces > 0 {
            self.empty_log()?;
        }
        let any = "SELECT 1 FROM part UNION ALL SELECT 1 FROM chunk LIMIT 1";
        let empty = self.conn.query_row(any, [], |_| Ok(())).optional()?.is_none();
        Ok(Dropped { pieces, empty })
    }

    /// Chunks of the next points that end before the horizon of their point and correct nothing that
    /// stays; those of a point by arrival: what was corrected goes before what corrects it.
    fn old_chunks(
        &self,
        points: &mut impl Iterator<Item = PointId>,
        horizon: impl Fn(PointId) -> UtcMs,
    ) -> Result<Vec<i64>, JournalError> {
        let sql =
            "SELECT id, first_ms, last_ms, seq FROM chunk WHERE point = ?1 AND last_ms < ?2 ORDER BY seq, id";
        let mut before = self.conn.prepare(sql)?;
        let sql = "SELECT id, first_ms, last_ms, seq FROM chunk WHERE point = ?1 AND last_ms >= ?2 AND first_ms < ?2";
        let mut across = self.conn.prepare(sql)?;
        let mut gone = Vec::new();
        for point in points {
            let horizon = horizon(point);
            let old = pieces(&mut before, params![point.0, horizon.0])?;
            if !old.is_empty() {
                gone.extend(without_corrections(old, pieces(&mut across, params![point.0, horizon.0])?));
            }
            if gone.len() >= DELETES {
                break;
            }
        }
        Ok(gone)
    }

    /// The same of the parts of a group, whose points may have chunks, all of which came earlier.
    fn old_parts(&self, group: i64, points: &[PointId], horizon: UtcMs) -> Result<Vec<i64>, JournalError> {
        let sql = "SELECT id, first_ms, last_ms, seq FROM part WHERE poll_group = ?1 ORDER BY seq, id";
        let parts = pieces(&mut self.conn.prepare(sql)?, params![group])?;
        let (old, mut stay): (Vec<Piece>, Vec<Piece>) =
            parts.into_iter().partition(|piece| piece.span.last < horizon);
        let Some(first) = old.iter().map(|piece| piece.span.first).min() else { return Ok(Vec::new()) };
        let sql = "SELECT id, first_ms, last_ms, seq FROM chunk WHERE point = ?1 AND last_ms >= ?2 AND first_ms < ?3";
        let mut chunks = self.conn.prepare(sql)?;
        for point in points {
            stay.extend(pieces(&mut chunks, params![point.0, first.0, horizon.0])?);
        }
        Ok(without_corrections(old, stay))
    }

    /// From its first instant to its last; none if it holds nothing.
    pub(super) fn span(&self) -> Result<Option<Span>, JournalError> {
        let sql = "SELECT min(first_ms), max(last_ms) FROM
                   (SELECT first_ms, last_ms FROM times UNION ALL SELECT first_ms, last_ms FROM part)";
        let (first, last) = self.conn.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let span = |(first, last)| Span { first: UtcMs(first), last: UtcMs(last) };
        Ok(Option::zip(first, last).map(span))
    }

    /// Gives free pages back until at most so many are left, a few at a time.
    fn give_back(&self, kept: i64, step: impl Fn() -> Result<(), JournalError>) -> Result<(), JournalError> {
        while self.pragma("freelist_count")? > kept {
            step()?;
            // It gives a page back with each row that is taken, so all are.
            self.rows(&format!("PRAGMA incremental_vacuum({VACUUM_PAGES})"), |_| Ok(()))?;
            self.checkpoint()?;
        }
        Ok(())
    }

    /// Gives back what merging left empty beyond what the next hour will fill again.
    pub(super) fn tighten(&self, step: impl Fn() -> Result<(), JournalError>) -> Result<(), JournalError> {
        self.give_back(self.pragma("page_count")? / FREE_SHARE, step)
    }

    /// What it holds takes so many bytes.
    pub(super) fn bytes(&self) -> Result<u64, JournalError> {
        Ok((self.pragma("page_count")? * self.pragma("page_size")?).cast_unsigned())
    }

    fn pragma(&self, name: &str) -> Result<i64, JournalError> {
        Ok(self.conn.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))?)
    }

    fn rows<T>(
        &self,
        sql: &str,
        row: impl FnMut(&Row<'_>) -> Result<T, rusqlite::Error>,
    ) -> Result<Vec<T>, JournalError> {
        Ok(self.conn.prepare(sql)?.query_map([], row)?.collect::<Result<_, _>>()?)
    }

    fn delete(
        &mut self,
        table: &str,
        ids: &[i64],
        step: impl Fn() -> Result<(), JournalError>,
    ) -> Result<u64, JournalError> {
        for (nth, ids) in (1..).zip(ids.chunks(DELETES)) {
            let tx = self.conn.transaction()?;
            let mut delete = tx.prepare(&format!("DELETE FROM {table} WHERE id = ?1"))?;
            for id in ids {
                delete.execute([id])?;
            }
            drop(delete);
            step()?;
            tx.commit()?;
            if nth % CHECKPOINT == 0 {
                self.checkpoint()?;
            }
        }
        Ok(ids.len() as u64)
    }
}

/// What went out of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dropped {
    /// Chunks and parts.
    pub pieces: u64,
    /// There is nothing left in it.
    pub empty: bool,
}

/// A chunk or part by what it spans.
#[derive(Clone, Copy, Debug)]
struct Piece {
    id: i64,
    span: Span,
    seq: Seq,
}

fn pieces(found: &mut Statement<'_>, params: impl rusqlite::Params) -> Result<Vec<Piece>, JournalError> {
    let piece = |row: &Row<'_>| {
        let span = Span { first: UtcMs(row.get(1)?), last: UtcMs(row.get(2)?) };
        Ok(Piece { id: row.get(0)?, span, seq: seq_in(row, 3)? })
    };
    Ok(found.query_map(params, piece)?.collect::<Result<_, _>>()?)
}

/// What may go of `old` (by arrival) if `stay` stays: without what corrects something that stays,
/// and what corrects that. Gone, it would let the old values be seen again.
fn without_corrections(old: Vec<Piece>, mut stay: Vec<Piece>) -> Vec<i64> {
    let mut gone = Vec::new();
    for piece in old {
        let corrects = |other: &Piece| {
            other.seq < piece.seq
                && other.span.first <= piece.span.last
                && piece.span.first <= other.span.last
        };
        if stay.iter().any(corrects) { stay.push(piece) } else { gone.push(piece.id) }
    }
    gone
}

/// The statements of a transaction that writes.
struct Writing<'t> {
    tx: &'t Transaction<'t>,
    delete: Statement<'t>,
    part: Statement<'t>,
    times: Statement<'t>,
    chunk: Statement<'t>,
    rollup: Statement<'t>,
}

impl<'t> Writing<'t> {
    fn new(tx: &'t Transaction<'t>) -> Result<Writing<'t>, JournalError> {
        let part = "INSERT INTO part (poll_group, first_ms, last_ms, after_seq, seq, epoch, polls, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        let chunk = "INSERT INTO chunk (point, first_ms, last_ms, after_seq, seq, epoch, times, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        Ok(Writing {
            tx,
            delete: tx.prepare("DELETE FROM part WHERE id = ?1")?,
            part: tx.prepare(part)?,
            times: tx.prepare("INSERT INTO times (first_ms, last_ms, body) VALUES (?1, ?2, ?3)")?,
            chunk: tx.prepare(chunk)?,
            rollup: tx
                .prepare("INSERT INTO rollup (point, first_ms, chunk, body) VALUES (?1, ?2, ?3, ?4)")?,
        })
    }

    fn group(&mut self, folded: &Folded) -> Result<(), JournalError> {
        for id in &folded.instead_of {
            self.delete.execute([id])?;
        }
        for chunks in &folded.packed.chunks {
            self.chunks(folded, chunks)?;
        }
        if let Some(part) = &folded.packed.part {
            let Span { first, last } = part.span;
            let (after, seq) = folded.seqs();
            let polls = number(part.polls);
            self.part.execute(params![
                folded.group,
                first.0,
                last.0,
                after,
                seq,
                folded.epoch,
                polls,
                part.body
            ])?;
        }
        Ok(())
    }

    fn chunks(&mut self, folded: &Folded, chunks: &Chunks) -> Result<(), JournalError> {
        let (span, (after, seq)) = (chunks.span, folded.seqs());
        self.times.execute(params![span.first.0, span.last.0, chunks.times])?;
        let times = self.tx.last_insert_rowid();
        for Column { point, span, body, rollup } in &chunks.columns {
            let (first, last) = (span.first.0, span.last.0);
            self.chunk.execute(params![point.0, first, last, after, seq, folded.epoch, times, body])?;
            if let Some(rollup) = rollup {
                let chunk = self.tx.last_insert_rowid();
                self.rollup.execute(params![point.0, first, chunk, rollup])?;
            }
        }
        Ok(())
    }
}

/// A count as SQLite has it.
fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Where readings of a point lie in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub kind: Kind,
    pub id: i64,
    pub span: Span,
    pub seq: Seq,
    pub epoch: u32,
}

/// What lies there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// A part, which may have nothing of the point.
    Part,
    /// A chunk with these instants.
    Chunk { times: i64 },
}

/// Where readings of a point that touch `span` lie.
pub(super) fn places(conn: &Connection, point: PointId, span: Span) -> Result<Vec<Place>, JournalError> {
    find(conn, PLACES, point, span, None)
}

/// As [`places`], those that end last first; all of them, or the first so many.
pub(super) fn places_back(
    conn: &Connection,
    point: PointId,
    span: Span,
    first: Option<usize>,
) -> Result<Vec<Place>, JournalError> {
    find(conn, &format!("{PLACES} ORDER BY last_ms DESC"), point, span, first)
}

const PLACES: &str = "
    SELECT id, first_ms, last_ms, seq, epoch, times FROM chunk
    WHERE point = ?1 AND last_ms >= ?2 AND first_ms <= ?3
    UNION ALL
    SELECT id, first_ms, last_ms, seq, epoch, NULL FROM part
    WHERE poll_group = (SELECT poll_group FROM member WHERE point = ?1) AND last_ms >= ?2 AND first_ms <= ?3";

fn find(
    conn: &Connection,
    sql: &str,
    point: PointId,
    span: Span,
    first: Option<usize>,
) -> Result<Vec<Place>, JournalError> {
    let place = |row: &Row<'_>| {
        let times: Option<i64> = row.get(5)?;
        Ok(Place {
            kind: times.map_or(Kind::Part, |times| Kind::Chunk { times }),
            id: row.get(0)?,
            span: Span { first: UtcMs(row.get(1)?), last: UtcMs(row.get(2)?) },
            seq: seq_in(row, 3)?,
            epoch: row.get(4)?,
        })
    };
    let mut rows = conn.prepare_cached(&format!("{sql} LIMIT ?4"))?;
    let limit = first.map_or(-1, number);
    let rows = rows.query_map(params![point.0, span.first.0, span.last.0, limit], place)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The roll-ups of a point's chunks that touch `span`, by chunk.
pub(super) fn rollups(
    conn: &Connection,
    point: PointId,
    span: Span,
) -> Result<HashMap<i64, Vec<u8>>, JournalError> {
    // One that begins before may reach into it; none is longer than a chunk, and one more or less that
    // is not used costs nothing.
    let sql = "SELECT chunk, body FROM rollup WHERE point = ?1 AND first_ms BETWEEN ?2 AND ?3";
    let mut rows = conn.prepare_cached(sql)?;
    let rows =
        rows.query_map(params![point.0, span.first.0, span.last.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The bytes of a part, or of a chunk.
pub(super) fn body(conn: &Connection, place: &Place) -> Result<Vec<u8>, JournalError> {
    let sql = match place.kind {
        Kind::Part => "SELECT body FROM part WHERE id = ?1",
        Kind::Chunk { .. } => "SELECT body FROM chunk WHERE id = ?1",
    };
    Ok(conn.prepare_cached(sql)?.query_row([place.id], |row| row.get(0))?)
}

/// The instants of chunks.
pub(super) fn times(conn: &Connection, id: i64) -> Result<Vec<u8>, JournalError> {
    Ok(conn.prepare_cached("SELECT body FROM times WHERE id = ?1")?.query_row([id], |row| row.get(0))?)
}

/// All points that were ever sealed here.
pub(super) fn points(conn: &Connection) -> Result<Vec<PointId>, JournalError> {
    let mut rows = conn.prepare_cached("SELECT point FROM member ORDER BY point")?;
    let rows = rows.query_map([], |row| row.get(0).map(PointId))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A place in the order of sealing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sealing {
    pub seq: Seq,
    pub chunk: bool,
    pub id: i64,
}

/// The first places behind these bounds (highest sequence, and number in it), in order: parts behind
/// the one, chunks behind the other.
pub(super) fn sealed_behind(
    conn: &Connection,
    part: (Seq, i64),
    chunk: (Seq, i64),
    first: usize,
) -> Result<Vec<Sealing>, JournalError> {
    let sql = "SELECT * FROM (SELECT seq, 0, id FROM part WHERE (seq, id) > (?1, ?2) ORDER BY seq, id LIMIT ?5)
               UNION ALL
               SELECT * FROM (SELECT seq, 1, id FROM chunk WHERE (seq, id) > (?3, ?4) ORDER BY seq, id LIMIT ?5)
               ORDER BY 1, 2, 3 LIMIT ?5";
    let bounds = params![part.0.0.cast_signed(), part.1, chunk.0.0.cast_signed(), chunk.1, number(first)];
    let mut rows = conn.prepare_cached(sql)?;
    let rows = rows
        .query_map(bounds, |row| Ok(Sealing { seq: seq_in(row, 0)?, chunk: row.get(1)?, id: row.get(2)? }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Behind which place the readings begin of what was sealed from `seq` on; none if there is nothing.
pub(super) fn sealed_from(conn: &Connection, seq: Seq) -> Result<Option<Seq>, JournalError> {
    let sql = "SELECT min(after_seq) FROM
               (SELECT after_seq FROM part WHERE seq >= ?1 UNION ALL SELECT after_seq FROM chunk WHERE seq >= ?1)";
    let after: Option<i64> = conn.query_row(sql, [seq.0.cast_signed()], |row| row.get(0))?;
    Ok(after.map(|after| Seq(after.cast_unsigned())))
}

/// The device of a poll group's points, and a part; or a point, its instants and its column.
pub(super) enum Load {
    Part { device: u32, body: Vec<u8> },
    Chunk { device: u32, point: PointId, times: Vec<u8>, body: Vec<u8> },
}

/// What lies at a place; none if it was merged or forgotten meanwhile.
pub(super) fn load(conn: &Connection, place: Sealing) -> Result<Option<Load>, JournalError> {
    let found = if place.chunk {
        let sql = "SELECT device, chunk.point, times.body, chunk.body
                   FROM chunk JOIN times ON times.id = chunk.times JOIN member ON member.point = chunk.point
                   WHERE chunk.id = ?1";
        conn.prepare_cached(sql)?
            .query_row([place.id], |row| {
                let point = PointId(row.get(1)?);
                Ok(Load::Chunk { device: row.get(0)?, point, times: row.get(2)?, body: row.get(3)? })
            })
            .optional()
    } else {
        let sql = "SELECT (SELECT device FROM member WHERE poll_group = part.poll_group LIMIT 1), body
                   FROM part WHERE id = ?1";
        conn.prepare_cached(sql)?
            .query_row([place.id], |row| Ok(Load::Part { device: row.get(0)?, body: row.get(1)? }))
            .optional()
    };
    Ok(found?)
}
