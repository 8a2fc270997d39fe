//! The source-stamped readings seen last, to recognise a message that a broker sends again.

use super::engine::DUPLICATES_KEPT;
use crate::point::{PointId, Reading, TextId, UtcMs, Value};
use std::collections::{HashSet, VecDeque};

/// A window over the source-stamped readings seen last.
#[derive(Debug, Default)]
pub(super) struct Seen {
    keys: HashSet<Key>,
    order: VecDeque<Key>,
}

/// A reading as something to compare bit by bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key(PointId, UtcMs, u8, Bits);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Bits {
    None,
    Bool(bool),
    Decimal(i64, i8),
    F64(u64),
    Text(TextId),
}

impl Seen {
    /// Remembers a reading; false if it was remembered already.
    pub(super) fn insert(&mut self, reading: &Reading) -> bool {
        let bits = match reading.value {
            None => Bits::None,
            Some(Value::Bool(on)) => Bits::Bool(on),
            Some(Value::Decimal(number)) => Bits::Decimal(number.mantissa(), number.exponent()),
            Some(Value::F64(number)) => Bits::F64(number.to_bits()),
            Some(Value::Text(id)) => Bits::Text(id),
        };
        let key = Key(reading.point, reading.at, reading.quality.to_byte(), bits);
        if !self.keys.insert(key) {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > DUPLICATES_KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.keys.remove(&oldest);
        }
        true
    }
}
