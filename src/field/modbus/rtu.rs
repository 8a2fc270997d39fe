//! RTU framing: unit, PDU, checksum, and nothing that says where a frame begins. Pure.
//!
//! MODBUS over Serial Line V1.02, 2.5.1: frames are parted by silence. A silence of a few
//! milliseconds does not survive USB adapters and serial servers, which cut and glue as they like,
//! so the receiver goes by what it waits for: the length of the answer is known from the question,
//! and a checksum says whether it is one. Silence only decides when nothing more is to come.

use super::crc;
use super::doubt::{Reply, Shape};
use super::frame::{EXCEPTION_BIT, ReadRequest};
use bytes::{Buf, Bytes, BytesMut};

/// Bytes kept at most, two of the longest frames (2.5.1: 256); older ones are dropped.
pub const BUFFER_BYTES_MAX: usize = 512;
/// A request: unit, five bytes of PDU, checksum.
pub const REQUEST_BYTES: usize = 8;
/// An exception: unit, function, code, checksum.
const EXCEPTION_BYTES: usize = 5;
/// What a frame with data has beside the data: unit, function, byte count, checksum.
const AROUND_DATA_BYTES: usize = 5;
/// Most data of a frame (MODBUS Application Protocol V1.1b3, 6.1: 0x7D0 coils; 250 bytes).
const DATA_BYTES_MAX: usize = 250;

/// A request as it goes over the wire; the only frame this program can make.
pub fn request(unit: u8, request: ReadRequest) -> [u8; REQUEST_BYTES] {
    let [function, start_high, start_low, count_high, count_low] = request.pdu();
    let body = [unit, function, start_high, start_low, count_high, count_low];
    let [low, high] = crc::sum(&body).to_le_bytes();
    [unit, function, start_high, start_low, count_high, count_low, low, high]
}

/// A frame with a checksum that fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The unit it comes from.
    pub unit: u8,
    /// Function code and data.
    pub pdu: Bytes,
}

impl Frame {
    /// What it is as an answer.
    pub fn reply(&self) -> Option<Reply> {
        match self.pdu.as_ref() {
            [function, _code] if function & EXCEPTION_BIT != 0 => {
                Some(Reply::Exception(function & !EXCEPTION_BIT))
            }
            [function, _count, data @ ..] => {
                Some(Reply::Data(Shape { function: *function, bytes: data.len() }))
            }
            _ => None,
        }
    }
}

/// What a question waits for.
#[derive(Clone, Copy, Debug)]
pub struct Awaited {
    /// The unit asked.
    pub unit: u8,
    /// The shape of its answer.
    pub shape: Shape,
    /// The question itself, to be known again: some RS-485 adapters hear what they send.
    pub echo: Option<[u8; REQUEST_BYTES]>,
}

impl Awaited {
    /// Waits for the answer of `unit`. `echoes` is whether the adapter may repeat the question;
    /// it matters only where the repetition could be the answer.
    pub fn new(unit: u8, question: ReadRequest, echoes: bool) -> Awaited {
        let (shape, bytes) = (Shape::of(question), request(unit, question));
        let ambiguous = bytes.get(2).is_some_and(|count| usize::from(*count) == shape.bytes)
            && shape.bytes + AROUND_DATA_BYTES == REQUEST_BYTES;
        Awaited { unit, shape, echo: (echoes || !ambiguous).then_some(bytes) }
    }

    fn length(&self) -> usize {
        self.shape.bytes + AROUND_DATA_BYTES
    }

    /// Bytes that begin like the data waited for, whole or not.
    fn is_begun_by(&self, bytes: &[u8]) -> bool {
        matches!(bytes, [unit, function, count, ..]
            if *unit == self.unit && *function == self.shape.function && usize::from(*count) == self.shape.bytes)
    }

    /// The length of the answer these bytes begin with, data or exception, if it is whole.
    fn answer_length(&self, bytes: &[u8]) -> Option<usize> {
        let length = match bytes {
            _ if self.is_begun_by(bytes) => self.length(),
            [unit, function, ..]
                if *unit == self.unit && *function == self.shape.function | EXCEPTION_BIT =>
            {
                EXCEPTION_BYTES
            }
            _ => return None,
        };
        bytes.get(..length).is_some_and(crc::holds).then_some(length)
    }
}

/// What the receiver took from the front of its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A frame; whose is to be judged.
    Frame(Frame),
    /// The question, heard back.
    Echo,
    /// So many bytes that belong to no frame.
    Noise(usize),
}

/// What is left when nothing more is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Nothing, or nothing that looks like an answer.
    Nothing,
    /// The beginning of the answer, so many bytes.
    Part(usize),
    /// A whole answer that was damaged on its way.
    Damaged,
}

/// Finds frames in what is heard.
#[derive(Debug, Default)]
pub struct Receiver {
    bytes: BytesMut,
}

impl Receiver {
    /// Adds what was heard; gives how many older bytes had to go.
    pub fn push(&mut self, heard: &[u8]) -> usize {
        self.bytes.extend_from_slice(heard);
        let surplus = self.bytes.len().saturating_sub(BUFFER_BYTES_MAX);
        self.bytes.advance(surplus);
        surplus
    }

    /// Whether nothing waits to be understood.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Forgets everything; gives how many bytes that were.
    pub fn clear(&mut self) -> usize {
        let count = self.bytes.len();
        self.bytes.clear();
        count
    }

    /// The next piece. The answer waited for is found wherever it begins; another frame at the
    /// front, before that answer, or, once the line is `silent`, anywhere.
    ///
    /// Not anywhere at once: the data of a long answer can by chance hold a short frame with a
    /// fitting checksum, once in some ten thousand answers of 125 registers.
    pub fn next(&mut self, awaited: Option<&Awaited>, silent: bool) -> Option<Piece> {
        let answer = awaited.and_then(|awaited| self.find_answer(awaited, silent));
        let until = answer.map_or(if silent { self.bytes.len() } else { 1 }, |(at, _)| at);
        for at in 0..until.min(self.bytes.len()) {
            let here = self.bytes.get(at..).unwrap_or_default();
            if let Some(echo) = awaited.and_then(|awaited| awaited.echo).filter(|echo| here.starts_with(echo))
            {
                return Some(self.take(at, echo.len(), true));
            }
            // A frame found before the answer ends before it.
            if let Some(length) =
                frame_length(here).filter(|length| answer.is_none_or(|(end, _)| at + length <= end))
            {
                return Some(self.take(at, length, false));
            }
        }
        answer.map(|(at, length)| self.take(at, length, false))
    }

    /// What is left looks like ...
    pub fn rest(&self, awaited: &Awaited) -> Rest {
        let begun = (0..self.bytes.len())
            .filter_map(|at| self.bytes.get(at..))
            .find(|bytes| awaited.is_begun_by(bytes));
        match begun {
            Some(bytes) if bytes.len() < awaited.length() => Rest::Part(bytes.len()),
            Some(_) => Rest::Damaged,
            // Damaged in its head, if all bytes are there.
            None if self.bytes.len() == awaited.length() => Rest::Damaged,
            None => Rest::Nothing,
        }
    }

    /// Where the answer begins and how long it is.
    fn find_answer(&self, awaited: &Awaited, silent: bool) -> Option<(usize, usize)> {
        for at in 0..self.bytes.len() {
            let here = self.bytes.get(at..).unwrap_or_default();
            if awaited.echo.is_some_and(|echo| here.starts_with(&echo)) {
                continue;
            }
            if let Some(length) = awaited.answer_length(here) {
                return Some((at, length));
            }
            if !silent && awaited.is_begun_by(here) && here.len() < awaited.length() {
                // Its own data are not to be searched for an exception while it still comes.
                return None;
            }
        }
        None
    }

    /// Takes a piece that begins at `at`; what stands before it goes first.
    fn take(&mut self, at: usize, length: usize, echo: bool) -> Piece {
        if at > 0 {
            self.bytes.advance(at);
            return Piece::Noise(at);
        }
        let mut frame = self.bytes.split_to(length.min(self.bytes.len())).freeze();
        if echo {
            return Piece::Echo;
        }
        frame.truncate(frame.len().saturating_sub(2));
        match frame.try_get_u8() {
            Ok(unit) => Piece::Frame(Frame { unit, pdu: frame }),
            Err(_) => Piece::Noise(length),
        }
    }
}

/// The length of the frame these bytes begin with: any unit's answer to a reading function.
fn frame_length(bytes: &[u8]) -> Option<usize> {
    let [_unit, function, third, ..] = bytes else { return None };
    let length = match (function & !EXCEPTION_BIT, function & EXCEPTION_BIT == 0) {
        (1..=4, true) if usize::from(*third) <= DATA_BYTES_MAX => usize::from(*third) + AROUND_DATA_BYTES,
        (1..=4, false) => EXCEPTION_BYTES,
        _ => return None,
    };
    bytes.get(..length).is_some_and(crc::holds).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::super::crc::seal;
    use super::*;
    use crate::config::Table;
    use proptest::prelude::*;

    fn holding(start: u16, count: u16) -> ReadRequest {
        ReadRequest::new(Table::Holding, start, count).unwrap()
    }

    fn pieces(receiver: &mut Receiver, awaited: Option<&Awaited>, silent: bool) -> Vec<Piece> {
        std::iter::from_fn(|| receiver.next(awaited, silent)).collect()
    }

    fn frame(bytes: &[u8]) -> Piece {
        Piece::Frame(Frame { unit: bytes[0], pdu: Bytes::copy_from_slice(&bytes[1..]) })
    }

    #[test]
    fn asks_as_manuals_do() {
        // Modicon PI-MBUS-300's example: unit 17, registers 108 to 110; and one in every manual.
        assert_eq!(request(0x11, holding(0x6B, 3)), [0x11, 0x03, 0x00, 0x6B, 0x00, 0x03, 0x76, 0x87]);
        assert_eq!(request(1, holding(0, 10)), [0x01, 0x03, 0x00, 0x00, 0x00, 0x0A, 0xC5, 0xCD]);
    }

    #[test]
    fn the_answer_is_found_between_noise_and_other_frames() {
        let awaited = Awaited::new(7, holding(0, 2), true);
        let answer = [7, 3, 4, 0, 1, 0, 2];
        let other = [9, 3, 2, 0, 1];
        let mut receiver = Receiver::default();
        for bytes in [vec![0, 0xFF], seal(other.to_vec()), vec![7, 3], seal(answer.to_vec()), vec![1]] {
            receiver.push(&bytes);
        }
        let all = pieces(&mut receiver, Some(&awaited), false);
        assert_eq!(all, [Piece::Noise(2), frame(&other), Piece::Noise(2), frame(&answer)]);
        assert_eq!((receiver.rest(&awaited), receiver.clear()), (Rest::Nothing, 1));
    }

    #[test]
    fn what_is_left_has_a_name() {
        let awaited = Awaited::new(7, holding(0, 2), true);
        let whole = seal(vec![7, 3, 4, 0, 1, 0, 2]);
        let damaged = |at: usize| {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            bytes
        };
        let cases = [
            (vec![], Rest::Nothing),
            (vec![0, 0xFF], Rest::Nothing),
            (vec![7, 3], Rest::Nothing),
            (whole[..5].to_vec(), Rest::Part(5)),
            ([&[0xFF], &whole[..5]].concat(), Rest::Part(5)),
            (damaged(4), Rest::Damaged),
            (damaged(8), Rest::Damaged),
            (damaged(0), Rest::Damaged),
        ];
        for (bytes, rest) in cases {
            let mut receiver = Receiver::default();
            receiver.push(&bytes);
            assert_eq!(pieces(&mut receiver, Some(&awaited), true), [], "{bytes:?}");
            assert_eq!(receiver.rest(&awaited), rest, "{bytes:?}");
        }
    }

    #[test]
    fn an_echo_is_not_the_answer_even_where_it_could_be() {
        // Coils from 0x0300 on, 24 of them: the request is a right answer to itself.
        let asked = ReadRequest::new(Table::Coil, 0x0300, 24).unwrap();
        let echo = request(1, asked);
        for (echoes, piece) in [(true, Piece::Echo), (false, frame(&echo[..6]))] {
            let awaited = Awaited::new(1, asked, echoes);
            let mut receiver = Receiver::default();
            receiver.push(&echo);
            assert_eq!(receiver.next(Some(&awaited), false), Some(piece));
        }
        // Where it could not be the answer, it is always known as what it is.
        let awaited = Awaited::new(1, holding(0, 2), false);
        let mut receiver = Receiver::default();
        receiver.push(&request(1, holding(0, 2)));
        assert_eq!(receiver.next(Some(&awaited), false), Some(Piece::Echo));
    }

    #[test]
    fn a_frame_inside_the_data_of_a_longer_one_is_left_alone() {
        let inner = seal(vec![9, 4, 2, 0, 1]);
        let mut data = vec![7, 3, 14, 0];
        data.extend(&inner);
        data.extend([0; 6]);
        let whole = seal(data.clone());
        let awaited = Awaited::new(7, holding(0, 7), true);
        let mut receiver = Receiver::default();
        receiver.push(&whole[..12]);
        assert_eq!(receiver.next(Some(&awaited), false), None);
        receiver.push(&whole[12..]);
        assert_eq!(pieces(&mut receiver, Some(&awaited), false), [frame(&data)]);
    }

    proptest! {
        /// Only reading functions leave, with a checksum that fits.
        #[test]
        fn only_reading_functions_leave(unit: u8, table in 0_usize..4, start: u16, count: u16) {
            let table = [Table::Coil, Table::Discrete, Table::Holding, Table::Input][table];
            if let Ok(asked) = ReadRequest::new(table, start, count) {
                let frame = request(unit, asked);
                prop_assert!(crc::holds(&frame) && (1..=4).contains(&frame[1]) && frame[0] == unit);
                prop_assert_eq!(&frame[1..6], &asked.pdu()[..]);
            }
        }

        /// However noise and answer are cut, the answer is found, and the buffer stays small.
        #[test]
        fn the_answer_is_found_behind_any_noise(
            noise in proptest::collection::vec(any::<u8>(), 0..600),
            words in proptest::collection::vec(any::<u16>(), 1..=125), cuts in proptest::collection::vec(1_usize..64, 1..9)
        ) {
            let count = u16::try_from(words.len()).unwrap();
            let awaited = Awaited::new(7, holding(0, count), true);
            let mut answer = vec![7, 3, u8::try_from(2 * count).unwrap()];
            answer.extend(words.iter().flat_map(|word| word.to_be_bytes()));
            let bytes = [noise, seal(answer.clone())].concat();
            let (mut receiver, mut found, mut rest) = (Receiver::default(), false, &bytes[..]);
            for cut in cuts.iter().cycle() {
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                receiver.push(now);
                prop_assert!(receiver.bytes.len() <= BUFFER_BYTES_MAX);
                found |= pieces(&mut receiver, Some(&awaited), false).contains(&frame(&answer));
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
            found |= pieces(&mut receiver, Some(&awaited), true).contains(&frame(&answer));
            prop_assert!(found);
        }
    }
}
