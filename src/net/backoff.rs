//! How long to wait before the next attempt: exponential, with full jitter. Pure.

use std::time::Duration;

/// Delays that double, each drawn evenly from `[min, ceiling]`, the ceiling doubling with every
/// attempt up to `max`. Drawing from the whole interval keeps a floor full of gateways from
/// returning to a restarted broker in step.
///
/// The same seed gives the same delays, so a test can name them.
#[derive(Clone, Debug)]
pub struct Backoff {
    min_ms: u64,
    max_ms: u64,
    ceiling_ms: u64,
    random: u64,
}

impl Backoff {
    /// Delays between `min` and `max` (at least `min`). `seed` should differ between processes.
    pub fn new(min: Duration, max: Duration, seed: u64) -> Backoff {
        let min_ms = millis(min);
        let max_ms = millis(max).max(min_ms);
        Backoff { min_ms, max_ms, ceiling_ms: min_ms, random: seed }
    }

    /// The delay before the next attempt.
    pub fn next_delay(&mut self) -> Duration {
        // Doubled before the first draw, so that even the first delays differ.
        self.ceiling_ms = self.ceiling_ms.max(1).saturating_mul(2).min(self.max_ms);
        let width = self.ceiling_ms.saturating_sub(self.min_ms).saturating_add(1);
        Duration::from_millis(self.min_ms + self.draw() % width)
    }

    /// The last attempt held: start small again.
    pub fn reset(&mut self) {
        self.ceiling_ms = self.min_ms;
    }

    /// SplitMix64 (Steele, Lea, Flood 2014): enough to spread clients, not for secrets.
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn grows_to_the_ceiling_and_starts_small_after_a_reset() {
        let mut backoff = Backoff::new(SECOND, 60 * SECOND, 7);
        let delays: Vec<_> = (0..200).map(|_| backoff.next_delay()).collect();
        assert!(delays[0] <= 2 * SECOND);
        assert!(delays[1] <= 4 * SECOND);
        assert!(delays.iter().any(|delay| *delay > 50 * SECOND), "uses the whole interval");
        assert!(delays[10..].iter().any(|delay| *delay < 10 * SECOND), "down to its start");
        backoff.reset();
        assert!(backoff.next_delay() <= 2 * SECOND);
    }

    #[test]
    fn the_seed_decides() {
        let delays = |seed| {
            let mut backoff = Backoff::new(SECOND, 60 * SECOND, seed);
            (0..8).map(|_| backoff.next_delay()).collect::<Vec<_>>()
        };
        assert_eq!(delays(1), delays(1));
        assert_ne!(delays(1), delays(2));
    }

    proptest! {
        #[test]
        fn stays_between_its_bounds(min in 0_u64..100_000, max: u64, seed: u64, draws in 1_usize..80) {
            let mut backoff = Backoff::new(Duration::from_millis(min), Duration::from_millis(max), seed);
            for _ in 0..draws {
                let delay = backoff.next_delay();
                prop_assert!(delay >= Duration::from_millis(min));
                prop_assert!(delay <= Duration::from_millis(max.max(min)));
            }
        }
    }
}
