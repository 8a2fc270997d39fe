//! Any bytes, and bytes that are nearly right, behind a right checksum: a bug of another version, a
//! lucky flip. Seeded, so that a failure is found again.

use super::{Column, Row, decode, decode_first, encode, header, seal, times};
use crate::point::{Decimal, Quality, Reason, TextId, Value};

/// Some five seconds of a debug build.
const EXECUTIONS: u32 = 100_000;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[7]
    }
}

fn decimal(mantissa: i64, exponent: i8) -> Value {
    Value::Decimal(Decimal::new(mantissa, exponent).unwrap())
}

/// A blob of each form there is, without its checksum.
fn seeds() -> Vec<Vec<u8>> {
    let noise = |n: i64| (n * 7_919 + 13) % 101;
    let kinds: [fn(i64, i64) -> Value; 9] = [
        |_, noise| decimal(noise, -1),
        |n, noise| decimal(n * 1_000_000 + noise, -2),
        |n, noise| decimal(noise * 10, if n % 3 == 0 { -1 } else { -2 }),
        |n, _| decimal(if n % 2 == 0 { i64::MAX } else { 1 }, if n % 2 == 0 { 18 } else { -18 }),
        |_, noise| Value::F64(f64::from(i32::try_from(noise).unwrap()) / 10.0),
        |_, noise| Value::F64(f64::from(i32::try_from(noise).unwrap()).sqrt()),
        |_, noise| Value::F64(f64::from(f32::from(i16::try_from(noise).unwrap()).sqrt())),
        |n, _| Value::Bool(n % 50 > 20),
        |n, noise| if n % 7 == 0 { Value::Text(TextId(3)) } else { decimal(noise, 0) },
    ];
    let mut seeds = Vec::new();
    for kind in kinds {
        for count in [5, 300] {
            let times: Vec<i64> = (0..count).map(|n| 1_800_000_000_000 + n * 1_000 + noise(n) % 8).collect();
            let row = |n: i64| {
                let index = usize::try_from(n).unwrap();
                match n % 97 {
                    3 => (index, None, Quality::Bad(Reason::Timeout)),
                    4..8 => (index, Some(kind(n, noise(n))), Quality::Uncertain(Reason::Stale)),
                    _ => (index, Some(kind(n, noise(n))), Quality::Good),
                }
            };
            let rows: Vec<Row> = (0..count).filter(|n| n % 89 != 1).map(row).collect();
            seeds.extend([encode(&times, &rows).unwrap(), times::encode(&times).unwrap()]);
        }
    }
    seeds.iter().map(|blob| blob[..blob.len() - super::CRC_LEN].to_vec()).collect()
}

/// A seed with some bytes changed, cut out or put in; one in eight mere noise.
fn mutated(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    if random.below(8) == 0 {
        let len = random.below(80);
        return std::iter::once(super::FORMAT).chain((0..len).map(|_| random.byte())).collect();
    }
    let mut bytes = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(4) {
        // Heads decide more than bodies.
        let reach = if random.below(2) == 0 { bytes.len() } else { bytes.len().min(80) };
        let at = random.below(reach);
        match random.below(4) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.byte(),
            2 => drop(bytes.drain(at..(at + 1 + random.below(4)).min(bytes.len()))),
            _ => bytes.insert(at, random.byte()),
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

fn check(column: &Column) {
    assert_eq!(column.rows().count(), column.header.rows);
    assert!(column.values.len() == column.header.rows || column.valid.taken() == 0);
}

#[test]
fn bytes_behind_a_right_checksum_give_rows_or_an_error() {
    let (mut random, seeds) = (Random(2_026), seeds());
    let (mut columns, mut instants) = (0, 0);
    for _ in 0..EXECUTIONS {
        let blob = seal(mutated(&mut random, &seeds));
        let headed = header(&blob);
        if let Ok(column) = decode(&blob) {
            assert_eq!(headed.map(|header| header.rows), Ok(column.header.rows));
            check(&column);
            let first = decode_first(&blob, column.header.instants / 2).unwrap();
            assert!(first.rows().zip(column.rows()).all(|(a, b)| format!("{a:?}") == format!("{b:?}")));
            columns += 1;
        }
        if let Ok(times) = times::decode(&blob) {
            assert!(times.is_sorted_by(|a, b| a < b));
            instants += 1;
        }
    }
    assert!(columns > 100 && instants > 100, "{columns} {instants}: hardly anything got through");
}
