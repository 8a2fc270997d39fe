//! Chance without a die: the same seed, key and moment give the same number.

use crate::point::UtcMs;

/// From 0 up to 1, another one for each `number` of a `key`.
pub fn draw(seed: u64, key: u64, number: i64) -> f64 {
    let mixed = mix(seed ^ key.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ mix(number.cast_unsigned()));
    // 53 bits fill the mantissa of a double exactly.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    let number = (mixed >> 11) as f64;
    number / 9_007_199_254_740_992.0
}

/// From -1 to 1, smooth, wandering about once in `period_ms`.
pub fn wander(seed: u64, key: u64, at: UtcMs, period_ms: i64) -> f64 {
    let period_ms = period_ms.max(1);
    let cell = at.0.div_euclid(period_ms);
    #[expect(clippy::cast_precision_loss, reason = "a period is far below 2^53 ms")]
    let share = at.0.rem_euclid(period_ms) as f64 / period_ms as f64;
    let (from, to) = (draw(seed, key, cell), draw(seed, key, cell + 1));
    let smooth = share * share * (3.0 - 2.0 * share);
    (from + (to - from) * smooth) * 2.0 - 1.0
}

/// A number for a name, to draw by. FNV-1a.
pub fn key(name: &str) -> u64 {
    name.bytes()
        .fold(0xCBF2_9CE4_8422_2325, |key, byte| (key ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

/// The finalizer of `SplitMix64` (Steele, Lea, Flood 2014).
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}
