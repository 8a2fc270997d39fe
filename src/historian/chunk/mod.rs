//! Sealed history as bytes: what one point read at the instants of its poll group, near the size of
//! its noise.
//!
//! Points that are polled together share their instants, so these are a blob of their own
//! ([`times`]); each point is a column against it. Read `ints` first: everything ends up there.
//!
//! ```text
//! column = format(1)  rows  instants  summary  first_ms  last_ms  parts(1)  [present]  [valid]  [quality]  values  crc32(4)
//! ```
//! `rows` counts the readings, `instants` those of the group; the first and last reading count from
//! the first and last value. The parts say which of the readings'
//! marks are there at all: nothing is written of a point that was always read, with a value, and
//! Good. Numbers are LEB128 varints, signed ones zigzag, the checksum little endian over all before.
//!
//! Decoding trusts nothing: any bytes give readings or an error, never a panic, and memory for as many
//! readings as they name, at most [`ROWS_MAX`], besides the tables of pco (below 1 MiB).

mod ints;
mod marks;
mod values;
pub mod times;
#[cfg(test)]
mod fuzz;

pub use marks::Mask;
pub use values::Values;

use super::bytes::{self, Bytes, BytesError};
use super::summary::Summary;
use crate::point::{Decimal, Quality, UtcMs, Value};
use std::borrow::Cow;
use std::ops::Range;

/// The first byte of every blob this version writes.
pub const FORMAT: u8 = 1;

/// Most instants of a blob, and so most readings of a column.
pub const ROWS_MAX: usize = 65_535;

/// A reading of a column: which instant of the group, value, quality.
pub type Row = (usize, Option<Value>, Quality);

const CRC_LEN: usize = 4;

/// Not every instant of the group was read.
const PART_PRESENT: u8 = 0x01;
/// Not every reading has a value.
const PART_VALID: u8 = 0x02;
/// Not every reading is Good.
const PART_QUALITY: u8 = 0x04;

/// Why bytes are no sealed history, or readings cannot become it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// They end too early.
    #[error("the chunk is cut off")]
    Short,
    /// The checksum is not that of the content.
    #[error("the chunk is damaged (checksum)")]
    Checksum,
    /// A format this version does not know.
    #[error("the chunk has format {0}, which this version does not know")]
    Format(u8),
    /// The checksum holds, the content does not; or the readings are none, too many or out of order.
    #[error("the chunk makes no sense")]
    Malformed,
}

impl From<BytesError> for ChunkError {
    fn from(error: BytesError) -> ChunkError {
        match error {
            BytesError::Short => ChunkError::Short,
            BytesError::Malformed => ChunkError::Malformed,
        }
    }
}

/// What a column says before it is decoded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Header {
    /// How many readings it has, at least one.
    pub rows: usize,
    /// How many instants its group has.
    pub instants: usize,
    /// When its first reading is.
    pub first: UtcMs,
    /// When its last reading is.
    pub last: UtcMs,
    /// What its readings come to.
    pub summary: Summary,
}

/// A decoded column, or its beginning.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// What all of it says of itself.
    pub header: Header,
    /// Which instants of the group were read, as far as it is decoded.
    pub present: Mask,
    /// Which readings have a value.
    pub valid: Mask,
    /// An entry for each reading; what stands where there is no value means nothing.
    pub values: Values,
    /// The quality of each reading, nothing if all are Good.
    pub quality: Option<Vec<Quality>>,
}

/// The rows of one point, in order, against the instants (UTC ms) of its group, as a blob.
pub fn encode(times: &[i64], rows: &[Row]) -> Result<Vec<u8>, ChunkError> {
    let present = Mask::of(times.len(), rows.iter().map(|row| row.0)).ok_or(ChunkError::Malformed)?;
    if rows.is_empty() || times.len() > ROWS_MAX {
        return Err(ChunkError::Malformed);
    }
    let (mut summary, mut first, mut last) = (Summary::default(), None, 0);
    for (at, (_, value, quality)) in present.picks(times).into_iter().zip(rows) {
        summary.add(UtcMs(at), *value, *quality);
        (first, last) = (first.or(Some(at)), at);
    }
    let first = first.unwrap_or(last);
    let with_value = rows.iter().enumerate().filter(|(_, row)| row.1.is_some()).map(|(n, _)| n);
    let valid = Mask::of(rows.len(), with_value).ok_or(ChunkError::Malformed)?;
    let good = rows.iter().all(|row| row.2 == Quality::Good);

    let mut out = vec![FORMAT];
    bytes::varint(&mut out, rows.len() as u64);
    bytes::varint(&mut out, times.len() as u64);
    summary.encode(&mut out);
    bytes::signed(&mut out, first.wrapping_sub(valued(summary.first)));
    bytes::signed(&mut out, last.wrapping_sub(valued(summary.last)));
    let part = |there: bool, part| if there { part } else { 0 };
    out.push(
        part(!present.is_full(), PART_PRESENT)
            | part(!valid.is_full(), PART_VALID)
            | part(!good, PART_QUALITY),
    );
    if !present.is_full() {
        present.encode(&mut out);
    }
    if !valid.is_full() {
        valid.encode(&mut out);
    }
    if !good {
        marks::encode_qualities(&mut out, rows.iter().map(|row| row.2));
    }
    values::encode(&mut out, &rows.iter().filter_map(|row| row.1).collect::<Vec<_>>());
    Ok(seal(out))
}

/// What a column says of itself; checksum and format are right when this returns.
pub fn header(blob: &[u8]) -> Result<Header, ChunkError> {
    read_header(&mut open(blob)?)
}

/// The whole column.
pub fn decode(blob: &[u8]) -> Result<Column, ChunkError> {
    decode_first(blob, ROWS_MAX)
}

/// The column as far as the first so many instants of its group go: what comes later is not unpacked.
pub fn decode_first(blob: &[u8], instants: usize) -> Result<Column, ChunkError> {
    let mut bytes = open(blob)?;
    let header = read_header(&mut bytes)?;
    let parts = bytes.byte()?;
    if parts & !(PART_PRESENT | PART_VALID | PART_QUALITY) != 0 {
        return Err(ChunkError::Malformed);
    }
    let mask = |bytes: &mut Bytes<'_>, part, len| {
        if parts & part == 0 { Ok(Mask::full(len)) } else { Mask::decode(bytes, len) }
    };
    let present = mask(&mut bytes, PART_PRESENT, header.instants)?;
    let valid = mask(&mut bytes, PART_VALID, header.rows)?;
    if present.taken() != header.rows {
        return Err(ChunkError::Malformed);
    }
    let (present, with_value) = (present.first(instants), valid.taken());
    let valid = valid.first(present.taken());
    let quality = if parts & PART_QUALITY == 0 {
        None
    } else {
        Some(marks::decode_qualities(&mut bytes, header.rows, valid.len())?)
    };
    let values = values::decode(&mut bytes, with_value, valid.taken())?.spread(&valid);
    if !bytes.0.is_empty() {
        return Err(ChunkError::Malformed);
    }
    Ok(Column { header, present, valid, values, quality })
}

fn read_header(bytes: &mut Bytes<'_>) -> Result<Header, ChunkError> {
    let (rows, instants) = (count(bytes)?, count(bytes)?);
    let summary = Summary::decode(bytes)?;
    let first = valued(summary.first).wrapping_add(bytes.signed()?);
    let last = valued(summary.last).wrapping_add(bytes.signed()?);
    if rows == 0 || rows > instants || last < first {
        return Err(ChunkError::Malformed);
    }
    Ok(Header { rows, instants, first: UtcMs(first), last: UtcMs(last), summary })
}

impl Column {
    /// The instants of the readings, from those of the group.
    pub fn instants<'t>(&self, times: &'t [i64]) -> Result<Cow<'t, [i64]>, ChunkError> {
        if times.len() != self.header.instants {
            return Err(ChunkError::Malformed);
        }
        if self.present.is_full() {
            return Ok(Cow::Borrowed(times.get(..self.present.len()).unwrap_or(times)));
        }
        Ok(Cow::Owned(self.present.picks(times)))
    }

    /// The readings, each with the index of its instant in the group.
    pub fn rows(&self) -> impl Iterator<Item = Row> {
        let quality = |row| self.quality.as_ref().and_then(|all| all.get(row).copied()).unwrap_or_default();
        let values = self.valid.bits().enumerate();
        self.present.ranges().flatten().zip(values).map(move |(index, (row, valid))| {
            (index, if valid { self.values.get(row) } else { None }, quality(row))
        })
    }

    /// Appends the readings from an instant on to `rows`, each as `row` makes it of its instant, value
    /// and quality, from the instants of the group: as [`Column::rows`], but the kind of the values is
    /// looked at once.
    pub fn append<R>(
        &self,
        times: &[i64],
        from: UtcMs,
        rows: &mut Vec<R>,
        row: impl Fn(UtcMs, Option<Value>, Quality) -> R,
    ) -> Result<(), ChunkError> {
        let at = &self.instants(times)?;
        let wanted = at.partition_point(|at| *at < from.0)..at.len();
        rows.reserve(wanted.len());
        match &self.values {
            Values::Bool(all) => self.append_as(at, wanted, all, |on| Some(Value::Bool(on)), rows, row),
            Values::Decimal { exponent, mantissas } => {
                let value = |mantissa| Decimal::new(mantissa, *exponent).ok().map(Value::Decimal);
                self.append_as(at, wanted, mantissas, value, rows, row);
            }
            Values::F64(all) => self.append_as(at, wanted, all, |number| Some(Value::F64(number)), rows, row),
            Values::Text(all) => self.append_as(at, wanted, all, |id| Some(Value::Text(id)), rows, row),
            Values::Mixed(all) => self.append_as(at, wanted, all, |value| value, rows, row),
        }
        Ok(())
    }

    /// As [`Column::append`], from the instants of the readings and the entries of their values.
    fn append_as<T: Copy, R>(
        &self,
        instants: &[i64],
        wanted: Range<usize>,
        entries: &[T],
        value: impl Fn(T) -> Option<Value>,
        rows: &mut Vec<R>,
        row: impl Fn(UtcMs, Option<Value>, Quality) -> R,
    ) {
        for (range, valid) in self.valid.stretches() {
            let range = range.start.max(wanted.start)..range.end.max(wanted.start);
            let of_range = (instants.get(range.clone()), entries.get(range.clone()));
            let (Some(instants), Some(entries)) = of_range else { return };
            let value = |entry: &T| if valid { value(*entry) } else { None };
            let read = instants.iter().zip(entries);
            match &self.quality {
                None => rows.extend(read.map(|(at, entry)| row(UtcMs(*at), value(entry), Quality::Good))),
                Some(all) => {
                    let marked = read.zip(all.get(range).unwrap_or_default());
                    rows.extend(marked.map(|((at, entry), quality)| row(UtcMs(*at), value(entry), *quality)));
                }
            }
        }
    }
}

/// Appends the checksum.
fn seal(mut content: Vec<u8>) -> Vec<u8> {
    let crc = crc32fast::hash(&content);
    content.extend_from_slice(&crc.to_le_bytes());
    content
}

/// What stands between format and checksum, if both are right.
fn open(blob: &[u8]) -> Result<Bytes<'_>, ChunkError> {
    let split = blob.len().checked_sub(CRC_LEN).ok_or(ChunkError::Short)?;
    let (content, crc) = blob.split_at_checked(split).ok_or(ChunkError::Short)?;
    if crc32fast::hash(content).to_le_bytes() != crc {
        return Err(ChunkError::Checksum);
    }
    let mut bytes = Bytes(content);
    match bytes.byte()? {
        FORMAT => Ok(bytes),
        format => Err(ChunkError::Format(format)),
    }
}

/// When the first or last value is, which most often is also the first or last reading.
fn valued(end: Option<(UtcMs, Value)>) -> i64 {
    end.map_or(0, |(at, _)| at.0)
}

/// A number of rows or instants.
fn count(bytes: &mut Bytes<'_>) -> Result<usize, ChunkError> {
    let count = bytes.narrow()?;
    if count > ROWS_MAX { Err(ChunkError::Malformed) } else { Ok(count) }
}

#[cfg(test)]
mod tests {
    use super::super::codec::tests::{any_quality, any_value};
    use super::*;
    use crate::point::Reason;
    use proptest::prelude::*;

    /// What tells two values apart bit for bit, the spelling of a decimal included.
    fn spelled(value: Option<Value>) -> String {
        match value {
            Some(Value::Decimal(number)) => format!("{}e{}", number.mantissa(), number.exponent()),
            Some(Value::F64(number)) => format!("{:x}", number.to_bits()),
            other => format!("{other:?}"),
        }
    }

    fn spelled_rows(rows: impl Iterator<Item = Row>) -> Vec<(usize, String, Quality)> {
        rows.map(|(index, value, quality)| (index, spelled(value), quality)).collect()
    }

    /// Values of one kind, as a point has them, and of any.
    fn any_values() -> impl Strategy<Value = Vec<Option<Value>>> {
        let decimal = |m: i64, e: i8| Decimal::new(m, e).ok().map(Value::Decimal);
        prop_oneof![
            prop::collection::vec(any_value(), 1..60),
            prop::collection::vec((any::<i64>(), -18_i8..=18).prop_map(move |(m, e)| decimal(m, e)), 1..60),
            prop::collection::vec((-999_i64..999, -3_i8..=1).prop_map(move |(m, e)| decimal(m, e)), 1..60),
            prop::collection::vec((-999_i64..999).prop_map(move |m| decimal(m, -1)), 1..600),
            prop::collection::vec(
                (-9_999_i32..9_999).prop_map(|n| Some(Value::F64(f64::from(n) / 100.0))),
                1..60
            ),
            prop::collection::vec(
                (-9_999_i16..9_999).prop_map(|n| Some(Value::F64((f32::from(n) / 10.0).into()))),
                1..60
            ),
            prop::collection::vec(any::<f32>().prop_map(|n| Some(Value::F64(n.into()))), 1..60),
            prop::collection::vec(any::<u64>().prop_map(|n| Some(Value::F64(f64::from_bits(n)))), 1..60),
            prop::collection::vec(any::<bool>().prop_map(|on| Some(Value::Bool(on))), 1..60),
        ]
    }

    /// Instants of a group, and the rows of one of its points.
    fn any_rows() -> impl Strategy<Value = (Vec<i64>, Vec<Row>)> {
        let steps = prop::collection::vec((0..3_usize, any_quality(), prop::bool::weighted(0.1)), 600);
        (any_values(), steps, any::<bool>(), any::<bool>()).prop_map(|(values, steps, regular, complete)| {
            let mut next = 0;
            let mut rows = Vec::new();
            for (value, (gap, quality, lost)) in values.into_iter().zip(steps) {
                next += if regular { 0 } else { gap };
                rows.push((next, value.filter(|_| complete || !lost), quality));
                next += 1;
            }
            let times = (0..=i64::try_from(next).unwrap()).map(|n| 1_800_000_000_000 + n * 997).collect();
            (times, rows)
        })
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out((times, rows) in any_rows()) {
            let blob = encode(&times, &rows).unwrap();
            let column = decode(&blob).unwrap();
            prop_assert_eq!(spelled_rows(column.rows()), spelled_rows(rows.iter().copied()));
            let expected: Vec<i64> = rows.iter().map(|row| times[row.0]).collect();
            let mut appended = Vec::new();
            let row = |at: UtcMs, value, quality| (at.0, spelled(value), quality);
            column.append(&times, UtcMs(i64::MIN), &mut appended, row).unwrap();
            let plain: Vec<_> = rows.iter().map(|row| (times[row.0], spelled(row.1), row.2)).collect();
            prop_assert_eq!(&appended, &plain);
            for (from, to) in [(0, times.len() / 2), (times.len() / 3, times.len() - 1), (1, 1)] {
                let (from, to, mut part) = (times[from], times[to], Vec::new());
                let instants = times.partition_point(|at| *at < to);
                decode_first(&blob, instants).unwrap().append(&times, UtcMs(from), &mut part, row).unwrap();
                let within = plain.iter().filter(|(at, ..)| from <= *at && *at < to);
                prop_assert_eq!(part, within.cloned().collect::<Vec<_>>());
            }
            let found = header(&blob).unwrap();
            prop_assert_eq!((found.rows, found.instants), (rows.len(), times.len()));
            prop_assert_eq!((found.first.0, found.last.0), (expected[0], expected[rows.len() - 1]));
            let mut summary = Summary::default();
            rows.iter().zip(&expected).for_each(|(row, at)| summary.add(UtcMs(*at), row.1, row.2));
            // As text: a sum of any floats may be none.
            prop_assert_eq!(format!("{:?}", found.summary), format!("{summary:?}"));
        }

        #[test]
        fn a_cut_or_a_flip_is_detected((times, rows) in any_rows(), cut in any::<prop::sample::Index>(), bit in 0_u8..8) {
            for (blob, column) in [(encode(&times, &rows).unwrap(), true), (times::encode(&times).unwrap(), false)] {
                let read = |blob: &[u8]| if column { decode(blob).map(|_| ()) } else { times::decode(blob).map(|_| ()) };
                let at = cut.index(blob.len());
                prop_assert!(read(&blob[..at]).is_err());
                let mut flipped = blob;
                flipped[at] ^= 1 << bit;
                prop_assert_eq!(read(&flipped), Err(ChunkError::Checksum));
            }
        }
    }

    #[test]
    fn readings_that_cannot_be_a_column_are_refused() {
        let row = |index| (index, Some(Value::Bool(true)), Quality::Good);
        let times: Vec<i64> = (0..=65_535).collect();
        for (times, rows) in [
            (&times[..3], vec![]),
            (&times[..3], vec![row(3)]),
            (&times[..3], vec![row(1), row(1)]),
            (&times[..], vec![row(0)]),
        ] {
            assert_eq!(encode(times, &rows), Err(ChunkError::Malformed));
        }
        assert!(encode(&times[..65_535], &[row(65_534)]).is_ok());
    }

    #[test]
    fn a_format_of_the_future_is_named() {
        assert_eq!(decode(&seal(vec![9, 0])), Err(ChunkError::Format(9)));
        assert_eq!(header(&seal(vec![9, 0])), Err(ChunkError::Format(9)));
        assert_eq!(times::decode(&seal(vec![9, 0])), Err(ChunkError::Format(9)));
    }

    /// The bytes of format 1, for ever.
    #[test]
    fn the_format_is_what_it_was() {
        let number = |mantissa| Some(Value::Decimal(Decimal::new(mantissa, -1).unwrap()));
        let rows = [
            (0, number(215), Quality::Good),
            (2, number(217), Quality::Good),
            (3, None, Quality::Bad(Reason::Timeout)),
        ];
        let times = [1_000, 2_000, 3_000, 4_001];
        let expected = [
            0x01, 0x03, 0x04, // format, 3 readings, 4 instants
            0x02, 0x02, 0x02, 0x00, 0x01, // 2 with a value, 2 numbers, 2 Good, 1 Bad
            0x03, 0xff, 0xae, 0x03, 0xd0, 0x0f, 0x03, 0xff, 0xb2, 0x03, 0xf0, 0x2e, // from 21.5 to 21.7
            0x03, 0xff, 0xae, 0x03, 0xd0, 0x0f, 0x03, 0xff, 0xb2, 0x03, 0xf0, 0x2e, // first, last
            0x01, 0x02, 0x60, 0x03, 0x01, 0x01, 0x04, // sum 43.2, increase 0.2
            0x00, 0xd2, 0x0f, // first reading at the first value, last 1,001 ms behind the last
            0x07, 0x03, 0x01, 0x02, 0x01, 0x00, 0x00, 0x01, // all parts; present: 1, not 1, 2
            0x01, 0x00, 0x04, // with a value: 2
            0x01, 0x00, 0x81, 0x01, 0x00, 0x00, 0x01, // Good, Good, Bad: timeout
            0x02, 0x00, 0xff, 0x01, 0xae, 0x03, 0x02, 0x00, 0x01, // decimals of -1: 215, 217 in twos
            0x6e, 0x58, 0xeb, 0x2a, // checksum
        ];
        assert_eq!(encode(&times, &rows).unwrap(), expected);
        let expected = [
            0x01, 0x04, 0xd0, 0x0f, // format, 4 instants from 1,000 ms
            0x00, 0x01, 0xd0, 0x0f, 0x01, 0x00, 0x00, 0x01, // steps of 1,000 and 0, 0, 1 ms more
            0xa3, 0x6e, 0xa3, 0x29, // checksum
        ];
        assert_eq!(times::encode(&times).unwrap(), expected);
    }
}
