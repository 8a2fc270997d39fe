//! How fast a number has changed of late. Pure.

use std::collections::VecDeque;

/// A look back over the last minute of a number that is looked at now and then.
#[derive(Clone, Debug, Default)]
pub struct Recent(VecDeque<(u64, i64)>);

/// How far it looks back. Milliseconds.
pub const SPAN_MS: u64 = 60_000;
/// Looks closer together than this count as one. Milliseconds.
const STEP_MS: u64 = 1_000;
/// Before this much has passed nothing is said. Milliseconds.
const LEAST_MS: u64 = 5_000;

impl Recent {
    /// The number at a moment; `at_ms` is monotonic, milliseconds.
    pub fn look(&mut self, at_ms: u64, number: i64) {
        if self.0.back().is_some_and(|(last, _)| at_ms < last + STEP_MS) {
            return;
        }
        self.0.push_back((at_ms, number));
        // One look from before the minute stays: the rate is over a minute at least once there is one.
        while self.0.get(1).is_some_and(|(second, _)| second + SPAN_MS <= at_ms) {
            self.0.pop_front();
        }
    }

    /// Its change for each 1,000 ms since the oldest look, if `number` is what it is now; none as long as that is
    /// less than five seconds ago.
    pub fn per_1000_ms(&self, at_ms: u64, number: i64) -> Option<f64> {
        let (since, before) = self.0.front()?;
        let passed_ms = at_ms.checked_sub(*since).filter(|passed| *passed >= LEAST_MS)?;
        #[expect(clippy::cast_precision_loss, reason = "a rate for a person, within 2^53")]
        let rate = number.saturating_sub(*before) as f64 * 1_000.0 / passed_ms as f64;
        Some(rate)
    }

    /// How long until a number that falls is 0, milliseconds: 0 if it is; none if it does not fall.
    pub fn until_zero_ms(&self, at_ms: u64, number: i64) -> Option<u64> {
        if number <= 0 {
            return Some(0);
        }
        let falls = -self.per_1000_ms(at_ms, number)?;
        if falls <= 0.0 {
            return None;
        }
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an estimate for a person, positive, saturating"
        )]
        let ms = (number as f64 * 1_000.0 / falls) as u64;
        Some(ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_over_the_last_minute() {
        let mut recent = Recent::default();
        assert_eq!(recent.per_1000_ms(0, 0), None);
        for second in 0..200_i64 {
            // 100 a second at first, 10 a second for the last 100 s.
            let number = if second < 100 { second * 100 } else { 9_000 + second * 10 };
            let at_ms = second.unsigned_abs() * 1_000;
            recent.look(at_ms, number);
            recent.look(at_ms + 1, i64::MAX);
        }
        assert_eq!(recent.per_1000_ms(200_000, 11_000), Some(10.0));
        assert!(recent.0.len() <= 62, "{}", recent.0.len());
        // Nothing is said of what was just begun.
        let mut fresh = Recent::default();
        fresh.look(1_000, 5);
        assert_eq!(fresh.per_1000_ms(5_999, 50), None);
        assert_eq!(fresh.per_1000_ms(6_000, 50), Some(9.0));
    }

    #[test]
    fn a_backlog_that_falls_has_an_end() {
        let mut recent = Recent::default();
        recent.look(0, 1_000);
        assert_eq!(recent.until_zero_ms(10_000, 900), Some(90_000));
        assert_eq!(recent.until_zero_ms(10_000, 0), Some(0));
        assert_eq!(recent.until_zero_ms(10_000, 1_000), None, "it stands");
        assert_eq!(recent.until_zero_ms(10_000, 1_001), None, "it grows");
    }
}
