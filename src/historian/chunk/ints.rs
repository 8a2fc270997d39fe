//! A column of whole numbers in few bytes. Times, decimals, floats, flags and qualities all end here.
//!
//! ```text
//! constant = 0  number
//! plain    = 1  least  unit  offset*                 varints, for columns of a few numbers
//! packed   = 2..=5  least  unit  length  pco         offsets in 1, 2, 4 or 8 bytes
//! runs     = 6  count  column(of numbers)  column(of lengths)
//! ```
//! A number is `least + unit * offset`: the unit is the greatest common divisor, so a meter that
//! counts in steps of ten costs no more than one that counts in ones, and offsets take the narrowest
//! type, because pco writes the bounds of its bins in full. No numbers take no bytes.
//!
//! Of pco (format 4.1) only what is written here is read again: its plain mode, without deltas or
//! with consecutive ones. The others can be made to reserve 2^24 entries by a few bytes.

use super::{ChunkError, count};
use crate::historian::bytes::{self, Bytes};
use pco::data_types::Number;
use pco::wrapped::{FileCompressor, FileDecompressor};
use pco::{ChunkConfig, DeltaSpec, ModeSpec};

const CONSTANT: u8 = 0;
const PLAIN: u8 = 1;
const PACKED_8: u8 = 2;
const PACKED_16: u8 = 3;
const PACKED_32: u8 = 4;
const PACKED_64: u8 = 5;
const RUNS: u8 = 6;

/// Up to so many numbers, varints may be shorter than pco with its tables.
const PLAIN_MAX: usize = 64;

/// Measured on benches/chunk.rs.
const LEVEL: usize = 8;

/// What pco writes at the beginning of a file; here the format byte of the blob stands for it.
const PCO_FORMAT: [u8; 2] = [4, 1];
/// It reads so many numbers at a time, or all that are left.
const PCO_BATCH: usize = 256;
/// The first byte of a column packed by pco: mode in the lower half, deltas in the upper.
const PCO_WITHOUT_DELTAS: u8 = 0x00;
const PCO_CONSECUTIVE_DELTAS: u8 = 0x10;

/// Appends the shortest of the forms. Decoding needs to be told how many numbers there are.
pub fn encode(out: &mut Vec<u8>, numbers: &[i64]) {
    let mut shortest = flat(numbers);
    let runs: Vec<&[i64]> = numbers.chunk_by(|a, b| a == b).collect();
    if runs.len() > 1 && runs.len() <= numbers.len() / 2 {
        let heads: Vec<i64> = runs.iter().filter_map(|run| run.first().copied()).collect();
        let lengths: Vec<i64> = runs.iter().filter_map(|run| i64::try_from(run.len()).ok()).collect();
        let mut by_runs = vec![RUNS];
        bytes::varint(&mut by_runs, runs.len() as u64);
        by_runs.extend(flat(&heads));
        by_runs.extend(flat(&lengths));
        if by_runs.len() < shortest.len() {
            shortest = by_runs;
        }
    }
    out.append(&mut shortest);
}

/// Reads so many numbers back.
pub fn decode(bytes: &mut Bytes<'_>, numbers: usize) -> Result<Vec<i64>, ChunkError> {
    decode_first(bytes, numbers, numbers)
}

/// As [`decode`], but gives only the first of them; the bytes of all are taken.
pub fn decode_first(bytes: &mut Bytes<'_>, numbers: usize, first: usize) -> Result<Vec<i64>, ChunkError> {
    let mut all = if bytes.0.first() == Some(&RUNS) && numbers > 0 {
        decode_runs(bytes, numbers)?
    } else {
        decode_flat(bytes, numbers, first)?
    };
    all.truncate(first);
    Ok(all)
}

fn decode_runs(bytes: &mut Bytes<'_>, numbers: usize) -> Result<Vec<i64>, ChunkError> {
    bytes.byte()?;
    let runs = count(bytes)?;
    let heads = decode_flat(bytes, runs, runs)?;
    let lengths = decode_flat(bytes, runs, runs)?;
    let mut all = Vec::with_capacity(numbers);
    for (head, length) in heads.into_iter().zip(lengths) {
        let length = usize::try_from(length).ok().filter(|length| *length <= numbers - all.len());
        all.extend(std::iter::repeat_n(head, length.ok_or(ChunkError::Malformed)?));
    }
    if all.len() == numbers { Ok(all) } else { Err(ChunkError::Malformed) }
}

/// A column without runs.
fn flat(numbers: &[i64]) -> Vec<u8> {
    let (Some(least), Some(most)) = (numbers.iter().min(), numbers.iter().max()) else { return vec![] };
    if least == most {
        let mut out = vec![CONSTANT];
        bytes::signed(&mut out, *least);
        return out;
    }
    let offset = |number: &i64| number.wrapping_sub(*least).cast_unsigned();
    let unit = numbers.iter().map(offset).fold(0, gcd);
    let offsets: Vec<u64> = if unit == 1 {
        numbers.iter().map(offset).collect()
    } else {
        numbers.iter().map(|n| offset(n) / unit).collect()
    };
    let head = |tag: u8| {
        let mut out = vec![tag];
        bytes::signed(&mut out, *least);
        bytes::varint(&mut out, unit);
        out
    };
    let packed = packed(&offsets, offset(most) / unit).map(|(tag, mut pco)| {
        let mut out = head(tag);
        bytes::varint(&mut out, pco.len() as u64);
        out.append(&mut pco);
        out
    });
    let plain = || {
        let mut out = head(PLAIN);
        for offset in &offsets {
            bytes::varint(&mut out, *offset);
        }
        out
    };
    match packed {
        Some(packed) if numbers.len() > PLAIN_MAX => packed,
        Some(packed) => std::cmp::min_by_key(plain(), packed, Vec::len),
        None => plain(),
    }
}

/// The offsets by pco in the narrowest type, and its tag.
fn packed(offsets: &[u64], most: u64) -> Option<(u8, Vec<u8>)> {
    let order = order(offsets);
    let pco = match most {
        0..=0xff => (PACKED_8, pack(&narrowed::<u8>(offsets), order)?),
        0x100..=0xffff => (PACKED_16, pack(&narrowed::<u16>(offsets), order)?),
        0x1_0000..=0xffff_ffff => (PACKED_32, pack(&narrowed::<u32>(offsets), order)?),
        _ => (PACKED_64, pack(offsets, order)?),
    };
    Some(pco)
}

fn narrowed<T: TryFrom<u64>>(offsets: &[u64]) -> Vec<T> {
    offsets.iter().filter_map(|offset| T::try_from(*offset).ok()).collect()
}

fn pack<T: Number>(offsets: &[T], order: usize) -> Option<Vec<u8>> {
    let config = ChunkConfig::default()
        .with_compression_level(LEVEL)
        .with_mode_spec(ModeSpec::Classic)
        .with_delta_spec(DeltaSpec::TryConsecutive(order))
        .with_enable_8_bit(true);
    let mut chunk = FileCompressor::default().chunk_compressor(offsets, &config).ok()?;
    let out = chunk.write_meta(Vec::with_capacity(offsets.len())).ok()?;
    chunk.write_page(0, out).ok()
}

/// How many times to take differences (0 to 2) so that what is left has the fewest digits.
fn order(offsets: &[u64]) -> usize {
    let sum: u128 = offsets.iter().copied().map(u128::from).sum();
    let mean = sum.checked_div(offsets.len() as u128).and_then(|mean| u64::try_from(mean).ok());
    let mean = mean.unwrap_or_default();
    let (mut digits, mut last, mut last_step) = ([0_u64; 3], mean, 0_i64);
    for offset in offsets {
        let step = offset.wrapping_sub(last).cast_signed();
        let rests = [offset.wrapping_sub(mean).cast_signed(), step, step.wrapping_sub(last_step)];
        for (digits, rest) in digits.iter_mut().zip(rests) {
            *digits += u64::from(u64::BITS - rest.unsigned_abs().leading_zeros());
        }
        (last, last_step) = (*offset, step);
    }
    let best = digits.iter().enumerate().min_by_key(|(_, digits)| **digits);
    best.map_or(0, |(order, _)| order)
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    if a == 1 {
        return 1;
    }
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Numbers without runs: at least the first of them.
fn decode_flat(bytes: &mut Bytes<'_>, numbers: usize, first: usize) -> Result<Vec<i64>, ChunkError> {
    if numbers == 0 {
        return Ok(vec![]);
    }
    let tag = bytes.byte()?;
    let least = bytes.signed()?;
    if tag == CONSTANT {
        return Ok(vec![least; numbers.min(first)]);
    }
    let unit = bytes.varint()?;
    let number = |offset: u64| least.wrapping_add(unit.wrapping_mul(offset).cast_signed());
    if tag == PLAIN {
        return (0..numbers).map(|_| Ok(number(bytes.varint()?))).collect();
    }
    let pco = bytes.narrow().and_then(|len| bytes.take(len))?;
    match tag {
        PACKED_8 => unpack::<u8>(pco, numbers, first, number),
        PACKED_16 => unpack::<u16>(pco, numbers, first, number),
        PACKED_32 => unpack::<u32>(pco, numbers, first, number),
        PACKED_64 => unpack::<u64>(pco, numbers, first, number),
        _ => Err(ChunkError::Malformed),
    }
}

/// At least the first of so many numbers. What is behind them is taken on trust: the blob's checksum
/// holds.
fn unpack<T: Number + Default + Into<u64>>(
    pco: &[u8],
    numbers: usize,
    first: usize,
    number: impl Fn(u64) -> i64,
) -> Result<Vec<i64>, ChunkError> {
    if !matches!(pco.first(), Some(&(PCO_WITHOUT_DELTAS | PCO_CONSECUTIVE_DELTAS))) {
        return Err(ChunkError::Malformed);
    }
    let mut offsets = vec![T::default(); first.next_multiple_of(PCO_BATCH).min(numbers)];
    let malformed = |_| ChunkError::Malformed;
    let (file, _) = FileDecompressor::new(PCO_FORMAT.as_slice()).map_err(malformed)?;
    let (mut chunk, page) = file.chunk_decompressor::<T, _>(pco).map_err(malformed)?;
    let mut page = chunk.page_decompressor(page, numbers).map_err(malformed)?;
    let progress = page.read(&mut offsets).map_err(malformed)?;
    let whole = progress.finished && page.into_src().is_empty();
    if !whole && offsets.len() == numbers {
        return Err(ChunkError::Malformed);
    }
    Ok(offsets.into_iter().map(|offset| number(offset.into())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round(numbers: &[i64]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(&mut out, numbers);
        let mut bytes = Bytes(&out);
        assert_eq!(decode(&mut bytes, numbers.len()).as_deref(), Ok(numbers));
        assert!(bytes.0.is_empty());
        for first in [0, 1, numbers.len() / 2, numbers.len() + 1] {
            let mut bytes = Bytes(&out);
            let expected = &numbers[..first.min(numbers.len())];
            assert_eq!(decode_first(&mut bytes, numbers.len(), first).as_deref(), Ok(expected));
            assert!(bytes.0.is_empty());
        }
        out
    }

    proptest! {
        #[test]
        fn numbers_come_back(numbers in prop::collection::vec(any::<i64>(), 0..300), shift in 0..64_u32, unit in 1..1000_i64) {
            let smaller: Vec<i64> = numbers.iter().map(|n| (n >> shift).wrapping_mul(unit)).collect();
            round(&smaller);
        }

        #[test]
        fn runs_come_back(runs in prop::collection::vec((-3..3_i64, 1..40_usize), 0..40)) {
            let numbers: Vec<i64> = runs.iter().flat_map(|(n, times)| std::iter::repeat_n(*n, *times)).collect();
            round(&numbers);
        }
    }

    #[test]
    fn each_form_is_taken_where_it_is_the_shortest() {
        let noise = |n: i64| (n * 7_919 + 13) % 101;
        for (numbers, tag, most) in [
            (vec![], None, 0),
            (vec![-7; 8_192], Some(CONSTANT), 2),
            (vec![1, 5, 2], Some(PLAIN), 6),
            ((0..1_000).map(noise).collect(), Some(PACKED_8), 1_000),
            ((0..1_000).map(|n| noise(n) * 500).collect(), Some(PACKED_8), 1_000),
            ((0..1_000).map(|n| noise(n) * noise(n + 1)).collect(), Some(PACKED_16), 2_000),
            ((0..1_000).map(|n| n * 77_777 + noise(n)).collect(), Some(PACKED_32), 1_400),
            ((0..1_000).map(|n| n * 77_777_777 + noise(n)).collect(), Some(PACKED_64), 1_400),
            ((0..8_192).map(|n| n / 2_000).collect(), Some(RUNS), 30),
        ] {
            let out = round(&numbers);
            assert_eq!(out.first().copied(), tag);
            assert!(out.len() <= most, "{tag:?}: {}", out.len());
        }
    }

    #[test]
    fn what_pco_writes_is_of_the_format_that_is_read() {
        let header = FileCompressor::default().write_header(Vec::new()).unwrap();
        assert_eq!(header, PCO_FORMAT, "another format of pco needs another FORMAT of ours");
    }

    #[test]
    fn modes_of_pco_that_are_not_written_are_not_read() {
        let numbers: Vec<u32> = (0..1_000).map(|n| n * n).collect();
        for delta in [DeltaSpec::TryLookback, DeltaSpec::TryConv1(2)] {
            let config = ChunkConfig::default().with_delta_spec(delta);
            let mut chunk = FileCompressor::default().chunk_compressor(&numbers, &config).unwrap();
            let out = chunk.write_meta(Vec::new()).unwrap();
            let out = chunk.write_page(0, out).unwrap();
            assert!(out[0] > PCO_CONSECUTIVE_DELTAS, "{:x}", out[0]);
            assert_eq!(unpack::<u32>(&out, 1_000, 1_000, u64::cast_signed), Err(ChunkError::Malformed));
        }
    }

    #[test]
    fn differences_are_taken_as_often_as_they_help() {
        assert_eq!(order(&[5, 1, 4, 2, 8, 1, 9]), 0);
        assert_eq!(order(&(0..100).map(|n| 1_000 + n / 3).collect::<Vec<_>>()), 1);
        assert_eq!(order(&(0..100).map(|n| n * n * 50).collect::<Vec<_>>()), 2);
    }

    /// What the first version wrote of 72 numbers; another pco may write other bytes but reads these.
    #[test]
    fn what_was_packed_is_read_for_ever() {
        let numbers: Vec<i64> = (0..72).map(|n| 5 + n * n % 13 * 2).collect();
        let packed = [
            0x02, 0x0a, 0x02, 0x32, 0x10, 0x71, 0x02, 0x00, 0xfa, 0x1d, 0x29, 0x12, 0x01, 0x00, 0x8a, 0x87,
            0xf3, 0x09, 0xa7, 0x27, 0x62, 0xa1, 0xec, 0x73, 0xb9, 0xf0, 0x64, 0xa8, 0xec, 0x73, 0xb9, 0xf0,
            0x64, 0xa8, 0xec, 0x73, 0xb9, 0xf0, 0x64, 0xa8, 0xec, 0x73, 0xb9, 0xf0, 0x64, 0xa8, 0xec, 0x73,
            0xb9, 0xf0, 0x64, 0xa8, 0xec, 0x73,
        ];
        assert_eq!(decode(&mut Bytes(&packed), 72), Ok(numbers));
    }
}
