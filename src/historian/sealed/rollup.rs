//! What stretches of a chunk come to, so that a year of seconds need not be read for its hours.
//!
//! A chunk of quick readings is cut at the quarters of an hour, of a slower one at the hours (UTC), and
//! each piece says what it comes to as a whole chunk does. There is no further level: coarser windows
//! are put together, and slower points have so few readings in an hour that reading them costs little
//! while their roll-up would cost more room than they do (benches/README.md).
//!
//! ```text
//! rollup = format(1)  pieces  (first_ms  long  summary)*  crc32(4)
//! ```
//! The times of a piece count from the end of the one before, those in its summary from its first.

use crate::historian::bytes::{self, Bytes};
use crate::historian::chunk::ChunkError;
use crate::historian::journal::Span;
use crate::historian::query::{Row, Whole};
use crate::historian::summary::Summary;
use crate::point::UtcMs;

const FORMAT: u8 = 1;

/// Finest first. Milliseconds.
const LEVELS_MS: [i64; 2] = [900_000, 3_600_000];

/// A level pays for itself in room if a piece has this many readings on the average: some 50 bytes
/// stand for 80 and more.
const PIECE_READINGS: usize = 128;

/// What the pieces of these rows come to, which are in order; nothing where that does not pay.
pub(super) fn encode(rows: &[Row]) -> Option<Vec<u8>> {
    let mut levels = LEVELS_MS.into_iter().map(|level| pieces(rows, level));
    let pieces = levels.find(|pieces| rows.len() >= pieces.len() * PIECE_READINGS)?;
    let mut out = vec![FORMAT];
    bytes::varint(&mut out, pieces.len() as u64);
    let mut before = 0;
    for Whole { span, summary } in pieces {
        bytes::signed(&mut out, span.first.0.wrapping_sub(before));
        bytes::signed(&mut out, span.last.0.wrapping_sub(span.first.0));
        moved(summary, span.first.0.wrapping_neg()).encode(&mut out);
        before = span.last.0;
    }
    let crc = crc32fast::hash(&out);
    out.extend(crc.to_le_bytes());
    Some(out)
}

/// The pieces of a roll-up, in order.
pub(super) fn decode(body: &[u8]) -> Result<Vec<Whole>, ChunkError> {
    let (content, crc) = body.split_last_chunk().ok_or(ChunkError::Short)?;
    if crc32fast::hash(content).to_le_bytes() != *crc {
        return Err(ChunkError::Checksum);
    }
    let mut bytes = Bytes(content);
    match bytes.byte()? {
        FORMAT => {}
        format => return Err(ChunkError::Format(format)),
    }
    let (mut pieces, mut before) = (Vec::new(), 0_i64);
    for _ in 0..bytes.varint()? {
        let first = before.wrapping_add(bytes.signed()?);
        let last = first.wrapping_add(bytes.signed()?);
        let summary = moved(Summary::decode(&mut bytes)?, first);
        pieces.push(Whole { span: Span { first: UtcMs(first), last: UtcMs(last) }, summary });
        before = last;
    }
    Ok(pieces)
}

fn pieces(rows: &[Row], level_ms: i64) -> Vec<Whole> {
    let level = |row: &Row| row.at.0.div_euclid(level_ms);
    let piece = |rows: &[Row]| {
        let mut summary = Summary::default();
        summary.add_rows(rows, true);
        let span = Span { first: rows.first()?.at, last: rows.last()?.at };
        Some(Whole { span, summary })
    };
    rows.chunk_by(|a, b| level(a) == level(b)).filter_map(piece).collect()
}

/// The summary with all its times later by `ms`.
fn moved(mut summary: Summary, ms: i64) -> Summary {
    let marks = [&mut summary.min, &mut summary.max, &mut summary.first, &mut summary.last];
    for (at, _) in marks.into_iter().flatten() {
        at.0 = at.0.wrapping_add(ms);
    }
    summary
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::historian::query::model::{bad, good, uncertain};

    fn rows(count: i64, every_ms: i64) -> Vec<Row> {
        let at = |n: i64| 1_800_000_000_000 + n * every_ms;
        (0..count)
            .map(|n| match n % 100 {
                7 => bad(at(n)),
                8 => uncertain(at(n), n % 13),
                _ => good(at(n), n % 17),
            })
            .collect()
    }

    #[test]
    fn pieces_come_to_what_their_rows_come_to() {
        for (every_ms, level_ms) in [(1_000, 900_000), (10_000, 3_600_000)] {
            let rows = rows(8_000, every_ms);
            let pieces = decode(&encode(&rows).unwrap()).unwrap();
            assert_eq!(pieces, super::pieces(&rows, level_ms));
            let mut all = Summary::default();
            for piece in &pieces {
                let of = rows.iter().filter(|row| piece.span.first <= row.at && row.at <= piece.span.last);
                let mut summary = Summary::default();
                of.for_each(|row| summary.add(row.at, row.value, row.quality));
                assert_eq!(piece.summary, summary);
                all.merge(&piece.summary);
            }
            assert_eq!(all.good + all.uncertain + all.bad, rows.len() as u64);
        }
    }

    #[test]
    fn what_is_read_once_a_minute_has_none() {
        assert_eq!(encode(&rows(8_000, 60_000)), None);
    }

    #[test]
    fn any_damage_is_told() {
        let whole = encode(&rows(8_000, 1_000)).unwrap();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            assert!(decode(&damaged).is_err(), "{at}");
            assert!(decode(&whole[..at]).is_err(), "{at}");
        }
    }
}
