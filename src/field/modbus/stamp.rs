//! When values were true: the middle of their request, give or take half of it.

use super::line::Answer;
use crate::field::{FieldBatch, Sample};
use crate::point::UtcMs;
use std::sync::Arc;

/// The time of the samples of one request; or of a statement, which is made in an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The middle.
    pub at: UtcMs,
    /// Half of what it took, in milliseconds.
    pub at_error_ms: u32,
    /// When the answer was in hand.
    pub received_at: UtcMs,
}

impl Stamp {
    /// Of a request.
    pub fn of(answer: &Answer) -> Stamp {
        let half_ms = answer.answered_at.mono.since_ms(answer.asked_at).div_ceil(2);
        Stamp {
            at: answer.answered_at.utc.plus_ms(-i64::try_from(half_ms).unwrap_or(i64::MAX)),
            // The clocks count whole milliseconds.
            at_error_ms: u32::try_from(half_ms.max(1)).unwrap_or(u32::MAX),
            received_at: answer.answered_at.utc,
        }
    }

    /// Of a statement.
    pub fn instant(at: UtcMs) -> Stamp {
        Stamp { at, at_error_ms: 1, received_at: at }
    }

    /// Samples with this time.
    pub fn batch(self, device: &Arc<str>, samples: Vec<Sample>) -> FieldBatch {
        FieldBatch {
            device: Arc::clone(device),
            at: self.at,
            at_error_ms: self.at_error_ms,
            source_at: None,
            received_at: self.received_at,
            samples,
            ack: None,
        }
    }
}
