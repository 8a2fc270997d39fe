//! Readings of a poll group as bytes: chunks where they are many, a part of what is left.
//!
//! ```text
//! part  = length of index(4)  index  crc32 of index(4)  (times  column*)*
//! index = format(1)  stretches  (length of times  columns  (point  length of column)*)*
//! ```
//! A stretch is a set of points that share their instants. Numbers of the index are LEB128 varints;
//! a point is told as zigzag difference from the one before. Times and columns are those of
//! [`chunk`], each with a checksum of its own: damage costs a column.

use super::{plan, rollup};
use crate::historian::bytes::{self, Bytes};
use crate::historian::chunk::{self, ChunkError, times};
use crate::historian::journal::{Seq, Span};
use crate::historian::query::Row;
use crate::point::{PointId, UtcMs};
use std::ops::Range;

const FORMAT: u8 = 1;

/// Bytes of a length or checksum.
const WORD: usize = 4;

/// All there is.
pub(super) const ALWAYS: Span = Span { first: UtcMs(i64::MIN), last: UtcMs(i64::MAX) };

/// Instants of a point that are looked for to find its like.
const PROBES: usize = 16;

/// The readings of some points of a group, as they are written.
#[derive(Debug, Default)]
pub(super) struct Packed {
    /// What was long enough.
    pub chunks: Vec<Chunks>,
    /// The rest.
    pub part: Option<Part>,
}

/// Chunks that share their instants.
#[derive(Debug)]
pub(super) struct Chunks {
    pub span: Span,
    /// The instants.
    pub times: Vec<u8>,
    pub columns: Vec<Column>,
}

/// The chunk of a point.
#[derive(Debug)]
pub(super) struct Column {
    pub point: PointId,
    pub span: Span,
    pub body: Vec<u8>,
    /// What its stretches come to, where that pays.
    pub rollup: Option<Vec<u8>>,
}

/// A part.
#[derive(Debug)]
pub(super) struct Part {
    pub span: Span,
    /// Instants of its longest stretch.
    pub polls: usize,
    pub body: Vec<u8>,
}

/// Sorts the rows of a point; of one instant the last by sequence, then by order, stays.
pub(super) fn fold(rows: &mut Vec<Row>) {
    rows.sort_by_key(|row| (row.at, row.seq));
    rows.reverse();
    rows.dedup_by_key(|row| row.at);
    rows.reverse();
}

/// Packs the folded rows of the points of a group.
pub(super) fn pack(points: Vec<(PointId, Vec<Row>)>) -> Result<Packed, ChunkError> {
    let mut packed = Packed::default();
    let mut left = Vec::new();
    for stretch in stretches(points) {
        if stretch.times.len() < plan::CHUNK_POLLS {
            left.push(stretch);
            continue;
        }
        for instants in stretch.times.chunks(plan::chunk_polls(stretch.times.len())) {
            packed.chunks.extend(stretch.chunks(instants)?);
        }
    }
    packed.part = part(&left)?;
    Ok(packed)
}

/// Points that were read together.
#[derive(Debug)]
struct Stretch {
    times: Vec<i64>,
    points: Vec<(PointId, Vec<Row>)>,
}

/// Puts points together whose instants are mostly the same.
fn stretches(mut points: Vec<(PointId, Vec<Row>)>) -> Vec<Stretch> {
    points.retain(|(_, rows)| !rows.is_empty());
    points.sort_by_key(|(point, rows)| (std::cmp::Reverse(rows.len()), *point));
    let mut stretches: Vec<Stretch> = Vec::new();
    for (point, rows) in points {
        if let Some(stretch) = stretches.iter_mut().find(|stretch| stretch.suits(&rows)) {
            stretch.take(point, rows);
        } else {
            let times = rows.iter().map(|row| row.at.0).collect();
            stretches.push(Stretch { times, points: vec![(point, rows)] });
        }
    }
    for stretch in &mut stretches {
        stretch.points.sort_by_key(|(point, _)| *point);
    }
    stretches
}

impl Stretch {
    /// Whether a point was mostly read at these instants, and at not too few of them.
    fn suits(&self, rows: &[Row]) -> bool {
        let step = rows.len().div_ceil(PROBES).max(1);
        let probes = || rows.iter().step_by(step);
        let shared = probes().filter(|row| self.times.binary_search(&row.at.0).is_ok()).count();
        rows.len() * 4 >= self.times.len() && shared * 2 >= probes().count()
    }

    fn take(&mut self, point: PointId, rows: Vec<Row>) {
        let new = |row: &&Row| self.times.binary_search(&row.at.0).is_err();
        let more: Vec<i64> = rows.iter().filter(new).map(|row| row.at.0).collect();
        if !more.is_empty() {
            self.times.extend(more);
            self.times.sort_unstable();
        }
        self.points.push((point, rows));
    }

    /// The chunks of these instants.
    fn chunks(&self, instants: &[i64]) -> Result<Option<Chunks>, ChunkError> {
        let Some(span) = span(instants) else { return Ok(None) };
        let mut columns = Vec::new();
        for (point, rows) in &self.points {
            let rows = within(rows, span);
            if let Some(span) = span_of(rows) {
                let (body, rollup) = (column(instants, rows)?, rollup::encode(rows));
                columns.push(Column { point: *point, span, body, rollup });
            }
        }
        Ok(Some(Chunks { span, times: times::encode(instants)?, columns }))
    }
}

fn span(instants: &[i64]) -> Option<Span> {
    Some(Span { first: UtcMs(*instants.first()?), last: UtcMs(*instants.last()?) })
}

fn span_of(rows: &[Row]) -> Option<Span> {
    Some(Span { first: rows.first()?.at, last: rows.last()?.at })
}

/// Of rows in order those in a span.
pub(super) fn within(rows: &[Row], span: Span) -> &[Row] {
    let from = rows.partition_point(|row| row.at < span.first);
    let to = rows.partition_point(|row| row.at <= span.last);
    rows.get(from..to).unwrap_or_default()
}

/// A point's rows against instants that hold all of its own.
fn column(instants: &[i64], rows: &[Row]) -> Result<Vec<u8>, ChunkError> {
    let mut places = instants.iter().enumerate();
    let place = |row: &Row| {
        let (place, _) = places.find(|(_, at)| **at == row.at.0).ok_or(ChunkError::Malformed)?;
        Ok::<chunk::Row, ChunkError>((place, row.value, row.quality))
    };
    let rows = rows.iter().map(place).collect::<Result<Vec<_>, _>>()?;
    chunk::encode(instants, &rows)
}

fn part(stretches: &[Stretch]) -> Result<Option<Part>, ChunkError> {
    let (mut index, mut blobs) = (vec![FORMAT], Vec::new());
    let (mut before, mut ends, mut polls) = (0, None, 0);
    bytes::varint(&mut index, stretches.len() as u64);
    for Stretch { times, points } in stretches {
        let instants = times::encode(times)?;
        bytes::varint(&mut index, instants.len() as u64);
        bytes::varint(&mut index, points.len() as u64);
        blobs.extend(instants);
        for (point, rows) in points {
            let column = column(times, rows)?;
            bytes::signed(&mut index, i64::from(point.0) - before);
            bytes::varint(&mut index, column.len() as u64);
            blobs.extend(column);
            before = i64::from(point.0);
        }
        for at in times.first().into_iter().chain(times.last()) {
            ends = Some(Span::over(ends, UtcMs(*at)));
        }
        polls = polls.max(times.len());
    }
    let Some(span) = ends else { return Ok(None) };
    let len = u32::try_from(index.len()).map_err(|_| ChunkError::Malformed)?;
    let crc = crc32fast::hash(&index);
    let body = [&len.to_le_bytes()[..], &index, &crc.to_le_bytes(), &blobs].concat();
    Ok(Some(Part { span, polls, body }))
}

/// Where things lie in a part.
#[derive(Debug)]
pub(super) struct Index<'a> {
    body: &'a [u8],
    /// Of each column: the point, its instants, itself.
    places: Vec<(PointId, Range<usize>, Range<usize>)>,
}

impl<'a> Index<'a> {
    /// Reads the index of a part.
    pub(super) fn open(body: &'a [u8]) -> Result<Index<'a>, ChunkError> {
        let mut bytes = Bytes(body);
        let len = usize::try_from(u32::from_le_bytes(bytes.array()?)).map_err(|_| ChunkError::Short)?;
        let index = bytes.take(len)?;
        if crc32fast::hash(index).to_le_bytes() != bytes.array()? {
            return Err(ChunkError::Checksum);
        }
        let mut index = Bytes(index);
        match index.byte()? {
            FORMAT => {}
            format => return Err(ChunkError::Format(format)),
        }
        let (mut places, mut at, mut point) = (Vec::new(), WORD + len + WORD, 0_i64);
        let mut next = |len: u64| {
            let len = usize::try_from(len).map_err(|_| ChunkError::Short)?;
            let end = at.checked_add(len).ok_or(ChunkError::Short)?;
            Ok::<_, ChunkError>(std::mem::replace(&mut at, end)..end)
        };
        for _ in 0..index.varint()? {
            let times = next(index.varint()?)?;
            for _ in 0..index.varint()? {
                point = point.wrapping_add(index.signed()?);
                let id = u32::try_from(point).map_err(|_| ChunkError::Malformed)?;
                places.push((PointId(id), times.clone(), next(index.varint()?)?));
            }
        }
        Ok(Index { body, places })
    }

    /// The points that have a column, each once.
    pub(super) fn points(&self) -> impl Iterator<Item = PointId> {
        self.places.iter().map(|(point, _, _)| *point)
    }

    /// Appends the rows of a point in a span.
    pub(super) fn rows(
        &self,
        point: PointId,
        span: Span,
        seq: Seq,
        out: &mut Vec<Row>,
    ) -> Result<(), ChunkError> {
        let Some((_, times, column)) = self.places.iter().find(|place| place.0 == point) else {
            return Ok(());
        };
        let blob = |range: &Range<usize>| self.body.get(range.clone()).ok_or(ChunkError::Short);
        rows(&times::decode(blob(times)?)?, blob(column)?, span, seq, out)
    }
}

/// Appends the rows of a column in a span.
pub(super) fn rows(
    times: &[i64],
    column: &[u8],
    span: Span,
    seq: Seq,
    out: &mut Vec<Row>,
) -> Result<(), ChunkError> {
    let instants = times.partition_point(|at| *at <= span.last.0);
    let row = |at, value, quality| Row { at, seq, value, quality };
    chunk::decode_first(column, instants)?.append(times, span.first, out, row)
}
