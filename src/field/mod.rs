//! What talks to devices, and what it hands up: raw samples or a stated failure, never silence.
//!
//! One bus or broker = one task = one connection. A driver gets a bounded sender of
//! [`FieldBatch`] at build and nothing else from above.
//!
//! **Invariant:** it only watches. No frame that writes can be expressed here, and MQTT field
//! clients publish nothing.

mod ack;
pub(crate) mod decode;
pub mod modbus;
pub mod mqtt;

pub use ack::{Ack, AckHandle, AckReceiver, AckSender, PacketId, acks};

use crate::point::{PointId, UtcMs, Value};
use std::sync::Arc;

/// Samples taken together from one device, on their way to `readings`.
#[derive(Debug)]
pub struct FieldBatch {
    /// The device or broker by its configured id.
    pub device: Arc<str>,
    /// When the values were true, as well as plantroom knows: the middle of the request.
    pub at: UtcMs,
    /// Half the width of the interval `at` may lie in, in milliseconds.
    pub at_error_ms: u32,
    /// The source's own stamp, where it sent one.
    pub source_at: Option<UtcMs>,
    /// When the values were in hand.
    pub received_at: UtcMs,
    /// One entry for each point asked for, failed ones too.
    pub samples: Vec<Sample>,
    /// Held until every reading made of this batch is on disk; then fired.
    pub ack: Option<AckHandle>,
}

/// A raw value of a point, before scaling, or why there is none.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The point.
    pub point: PointId,
    /// The number or word as the device has it.
    pub raw: Result<Raw, Fault>,
}

/// A raw value. Integers come as [`Value::Decimal`] with exponent 0.
#[derive(Clone, Debug, PartialEq)]
pub enum Raw {
    /// A number or flag.
    Value(Value),
    /// A word, not yet in the dictionary.
    Text(String),
    /// One of these that its source itself calls doubtful.
    Doubted(Box<Raw>),
}

/// Why a sample has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No (right) answer within the timeout.
    #[error("no answer in time")]
    Timeout,
    /// There is no connection.
    #[error("no connection")]
    NoConnection,
    /// The device answered with this Modbus exception code.
    #[error("the device answered exception {0}")]
    Exception(u8),
    /// An answer that is not one: wrong length, function or unit.
    #[error("the answer is malformed")]
    Malformed,
    /// The bytes are there and do not make a value: not a number, no such JSON member.
    #[error("the value cannot be read")]
    Decoding,
    /// NaN, infinity or the device's sentinel for a broken sensor.
    #[error("the device reports a broken sensor")]
    Sensor,
    /// The device's sentinel for a value it does not have, or not yet.
    #[error("the device has no such value")]
    NotAvailable,
    /// The device's sentinel for a value beyond what it can write.
    #[error("the device reports a value beyond its range")]
    OutOfRange,
}
