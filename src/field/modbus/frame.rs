//! What may be asked of a device, and what counts as its answer. Pure; no transport in it.
//!
//! Clause numbers are those of the MODBUS Application Protocol Specification V1.1b3 (2012).

use crate::config::Table;

/// Most registers one request may ask for (6.3 and 6.4: 0x7D).
pub const REGISTERS_MAX: u16 = 125;
/// Most coils or discrete inputs one request may ask for (6.1 and 6.2: 0x7D0).
pub const BITS_MAX: u16 = 2_000;

/// A question to a device, and the only thing this program can put on a Modbus line.
///
/// The fields are private and [`ReadRequest::function`] knows reading functions only, so a frame
/// that writes cannot be expressed, not even by mistake.
///
/// ```
/// use plantroom::{config::Table, field::modbus::ReadRequest};
/// let asked = ReadRequest::new(Table::Coil, 0, 1).unwrap();
/// assert_eq!(asked.function(), 1);
/// ```
/// What it is made of cannot be put together by hand, and there is no table to write to:
/// ```compile_fail
/// use plantroom::{config::Table, field::modbus::ReadRequest};
/// let asked = ReadRequest { table: Table::Coil, start: 0, count: 1 };
/// ```
/// ```compile_fail
/// use plantroom::{config::Table, field::modbus::ReadRequest};
/// let asked = ReadRequest::new(Table::Coil, 0, 1).unwrap().with_function(5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadRequest {
    table: Table,
    start: u16,
    count: u16,
}

/// Why a question cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// None, or more than [`REGISTERS_MAX`] registers or [`BITS_MAX`] bits.
    #[error("a request asks for 1 to {REGISTERS_MAX} registers or {BITS_MAX} bits, not {0}")]
    Count(u16),
    /// It would go on beyond the last address, 65535.
    #[error("{count} items from {start} on end beyond address 65535")]
    Range {
        /// First item.
        start: u16,
        /// How many.
        count: u16,
    },
}

/// Why a frame is not the values asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The device answered with an exception (clause 7).
    #[error("exception {0}")]
    Exception(u8),
    /// The frame answers something else.
    #[error(transparent)]
    Malformed(#[from] Mismatch),
}

/// In what a frame differs from the answer to its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// Another unit's.
    #[error("unit {got} answered for unit {asked}")]
    Unit {
        /// The unit asked.
        asked: u8,
        /// The unit in the answer.
        got: u8,
    },
    /// Neither the function asked for nor its exception.
    #[error("function {got} answered function {asked}")]
    Function {
        /// The function asked for.
        asked: u8,
        /// The function in the answer.
        got: u8,
    },
    /// Its byte count is not that of the items asked for.
    #[error("{got} bytes of data instead of {asked}")]
    ByteCount {
        /// Bytes the items asked for take.
        asked: usize,
        /// Bytes the answer speaks of.
        got: usize,
    },
    /// It is shorter or longer than it says.
    #[error("the answer has {0} bytes, which is not the length it states")]
    Length(usize),
    /// Its bytes do not fit its checksum (RTU only).
    #[error("the checksum of the answer does not fit")]
    Checksum,
    /// Bytes that belong to no frame, without an end (RTU only).
    #[error("the line does not fall silent")]
    Babble,
}

impl Mismatch {
    /// One word for counters.
    pub fn kind(self) -> &'static str {
        match self {
            Mismatch::Unit { .. } => "unit",
            Mismatch::Function { .. } => "function",
            Mismatch::ByteCount { .. } | Mismatch::Length(_) => "length",
            Mismatch::Checksum => "checksum",
            Mismatch::Babble => "babble",
        }
    }
}

/// Set in the function code of an exception (clause 7).
pub const EXCEPTION_BIT: u8 = 0x80;

impl ReadRequest {
    /// Asks for `count` items of `table` from the zero-based address `start` on.
    pub fn new(table: Table, start: u16, count: u16) -> Result<ReadRequest, RequestError> {
        let most = if table.is_bits() { BITS_MAX } else { REGISTERS_MAX };
        if count == 0 || count > most {
            return Err(RequestError::Count(count));
        }
        if start.checked_add(count - 1).is_none() {
            return Err(RequestError::Range { start, count });
        }
        Ok(ReadRequest { table, start, count })
    }

    /// The table asked.
    pub fn table(self) -> Table {
        self.table
    }

    /// The first item asked for.
    pub fn start(self) -> u16 {
        self.start
    }

    /// How many items are asked for.
    pub fn count(self) -> u16 {
        self.count
    }

    /// The function code: Read Coils (6.1), Read Discrete Inputs (6.2), Read Holding Registers
    /// (6.3) or Read Input Registers (6.4).
    pub fn function(self) -> u8 {
        match self.table {
            Table::Coil => 0x01,
            Table::Discrete => 0x02,
            Table::Holding => 0x03,
            Table::Input => 0x04,
        }
    }

    /// The request as every transport carries it.
    pub fn pdu(self) -> [u8; 5] {
        let ([start_high, start_low], [count_high, count_low]) =
            (self.start.to_be_bytes(), self.count.to_be_bytes());
        [self.function(), start_high, start_low, count_high, count_low]
    }

    /// Bytes of data in the right answer: two for a register, one for eight bits.
    pub fn data_bytes(self) -> usize {
        let count = usize::from(self.count);
        if self.table.is_bits() { count.div_ceil(8) } else { 2 * count }
    }

    /// The items in an answer to this request, exactly as many as were asked for; a bit is 0 or 1.
    pub fn items_of(self, pdu: &[u8]) -> Result<Vec<u16>, Refusal> {
        let asked = self.function();
        match pdu {
            [function, code] if *function == asked | EXCEPTION_BIT => Err(Refusal::Exception(*code)),
            [function, byte_count, data @ ..] if *function == asked => self.items(*byte_count, data),
            [function, ..] if *function & !EXCEPTION_BIT != asked => {
                Err(Mismatch::Function { asked, got: *function }.into())
            }
            _ => Err(Mismatch::Length(pdu.len()).into()),
        }
    }

    fn items(self, byte_count: u8, data: &[u8]) -> Result<Vec<u16>, Refusal> {
        let (asked, got) = (self.data_bytes(), usize::from(byte_count));
        if got != asked {
            return Err(Mismatch::ByteCount { asked, got }.into());
        }
        if data.len() != asked {
            return Err(Mismatch::Length(data.len() + 2).into());
        }
        if self.table.is_bits() {
            // The first item is the least significant bit of the first byte (6.1).
            let bits = data.iter().flat_map(|byte| (0..8).map(move |bit| u16::from(byte >> bit & 1)));
            return Ok(bits.take(usize::from(self.count)).collect());
        }
        let (pairs, _none_left) = data.as_chunks::<2>();
        Ok(pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(table: Table, start: u16, count: u16) -> ReadRequest {
        ReadRequest::new(table, start, count).unwrap()
    }

    #[test]
    fn asks_as_the_specification_s_examples_do() {
        // Clause 6.3: registers 108 to 110; clause 6.4: input register 9.
        assert_eq!(request(Table::Holding, 0x6B, 3).pdu(), [0x03, 0x00, 0x6B, 0x00, 0x03]);
        assert_eq!(request(Table::Input, 0x08, 1).pdu(), [0x04, 0x00, 0x08, 0x00, 0x01]);
        // Clause 6.1: coils 20 to 38, clause 6.2: discrete inputs 197 to 218.
        assert_eq!(request(Table::Coil, 0x13, 0x13).pdu(), [0x01, 0x00, 0x13, 0x00, 0x13]);
        assert_eq!(request(Table::Discrete, 0xC4, 0x16).pdu(), [0x02, 0x00, 0xC4, 0x00, 0x16]);
        let coils = request(Table::Coil, 0x13, 0x13).items_of(&[0x01, 0x03, 0xCD, 0x6B, 0x05]).unwrap();
        assert_eq!(coils, [1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 0, 1, 0, 1, 1, 0, 1, 0, 1]);
        let answer = [0x03, 0x06, 0x02, 0x2B, 0x00, 0x00, 0x00, 0x64];
        assert_eq!(request(Table::Holding, 0x6B, 3).items_of(&answer), Ok(vec![555, 0, 100]));
    }

    #[test]
    fn refuses_what_no_device_could_answer() {
        assert_eq!(ReadRequest::new(Table::Input, 0, 0), Err(RequestError::Count(0)));
        assert_eq!(ReadRequest::new(Table::Input, 0, 126), Err(RequestError::Count(126)));
        assert!(ReadRequest::new(Table::Coil, 0, 2_000).is_ok());
        assert_eq!(ReadRequest::new(Table::Discrete, 0, 2_001), Err(RequestError::Count(2_001)));
        let beyond = RequestError::Range { start: 65_535, count: 2 };
        assert_eq!(ReadRequest::new(Table::Input, 65_535, 2), Err(beyond));
        assert!(ReadRequest::new(Table::Input, 65_535, 1).is_ok());
        assert!(ReadRequest::new(Table::Holding, 65_411, 125).is_ok());
    }

    #[test]
    fn an_answer_to_another_question_is_refused_with_the_reason() {
        let asked = request(Table::Holding, 0, 2);
        let cases: [(&[u8], Refusal); 9] = [
            (&[], Mismatch::Length(0).into()),
            (&[3], Mismatch::Length(1).into()),
            (&[4, 4, 0, 1, 0, 2], Mismatch::Function { asked: 3, got: 4 }.into()),
            (&[0x84, 2], Mismatch::Function { asked: 3, got: 0x84 }.into()),
            (&[3, 2, 0, 1], Mismatch::ByteCount { asked: 4, got: 2 }.into()),
            (&[3, 4, 0, 1], Mismatch::Length(4).into()),
            (&[3, 4, 0, 1, 0, 2, 0], Mismatch::Length(7).into()),
            (&[0x83, 2, 0], Mismatch::Length(3).into()),
            (&[0x83, 11], Refusal::Exception(11)),
        ];
        for (pdu, refusal) in cases {
            assert_eq!(asked.items_of(pdu), Err(refusal), "{pdu:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_give_the_count_asked_for_or_a_refusal(
            table in 0_usize..4, start: u16, count in 0_u16..2_100, pdu in proptest::collection::vec(any::<u8>(), 0..260)
        ) {
            let table = [Table::Coil, Table::Discrete, Table::Holding, Table::Input][table];
            if let Ok(asked) = ReadRequest::new(table, start, count)
                && let Ok(words) = asked.items_of(&pdu)
            {
                prop_assert_eq!(words.len(), usize::from(count));
                prop_assert_eq!(pdu[0], asked.function());
            }
        }
    }
}
