//! Modbus TCP framing: the MBAP header, by hand and strict.
//!
//! MODBUS Messaging on TCP/IP Implementation Guide V1.0b, 3.1.3: transaction id, protocol id 0,
//! length of what follows, unit id. A header that cannot be right means that the stream has lost
//! its place, and there is no way to find it again: the connection is to be thrown away.

use super::frame::ReadRequest;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::sync::Arc;
use tokio_util::codec::{Decoder, Encoder};

/// Unit id and the longest PDU, 1 + 253 bytes.
const LENGTH_MAX: u16 = 254;
/// Unit id and a function code.
const LENGTH_MIN: u16 = 2;
/// Transaction id, protocol id and length: what stands before the bytes the length counts.
const PREFIX_BYTES: usize = 6;

/// The only thing that can be encoded: a reading request with its address.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// Comes back with the answer.
    pub transaction: u16,
    /// The unit asked.
    pub unit: u8,
    /// What is asked.
    pub request: ReadRequest,
}

/// A frame from the other side; whose answer it is stays to be checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The transaction it says it belongs to.
    pub transaction: u16,
    /// The unit it says it comes from.
    pub unit: u8,
    /// Function code and data, at least one byte.
    pub pdu: Bytes,
}

/// The stream is not Modbus TCP, or not any more.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StreamError {
    /// A protocol identifier other than 0.
    #[error("protocol id {0} instead of 0")]
    Protocol(u16),
    /// A length no Modbus frame has.
    #[error("length {0} outside {LENGTH_MIN} to {LENGTH_MAX}")]
    Length(u16),
    /// The connection itself failed. Shared: every question in flight is told.
    #[error("{0}")]
    Io(#[source] Arc<std::io::Error>),
}

impl From<std::io::Error> for StreamError {
    fn from(error: std::io::Error) -> StreamError {
        StreamError::Io(Arc::new(error))
    }
}

/// Encoder and decoder of Modbus TCP.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mbap;

impl Encoder<Question> for Mbap {
    type Error = StreamError;

    fn encode(&mut self, question: Question, out: &mut BytesMut) -> Result<(), StreamError> {
        let pdu: [u8; 5] = question.request.pdu();
        out.reserve(PREFIX_BYTES + 1 + pdu.len());
        out.put_u16(question.transaction);
        out.put_u16(0);
        // The unit id and the five bytes of a reading request.
        out.put_u16(6);
        out.put_u8(question.unit);
        out.put_slice(&pdu);
        Ok(())
    }
}

impl Decoder for Mbap {
    type Item = Frame;
    type Error = StreamError;

    fn decode(&mut self, bytes: &mut BytesMut) -> Result<Option<Frame>, StreamError> {
        let Some(header) = bytes.first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
        let [t0, t1, p0, p1, l0, l1] = *header;
        let protocol = u16::from_be_bytes([p0, p1]);
        if protocol != 0 {
            return Err(StreamError::Protocol(protocol));
        }
        let length = u16::from_be_bytes([l0, l1]);
        if !(LENGTH_MIN..=LENGTH_MAX).contains(&length) {
            return Err(StreamError::Length(length));
        }
        let whole = PREFIX_BYTES + usize::from(length);
        if bytes.len() < whole {
            bytes.reserve(whole - bytes.len());
            return Ok(None);
        }
        let mut frame = bytes.split_to(whole).freeze();
        frame.advance(PREFIX_BYTES);
        let unit = frame.get_u8();
        Ok(Some(Frame { transaction: u16::from_be_bytes([t0, t1]), unit, pdu: frame }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Table;
    use proptest::prelude::*;

    fn frame(transaction: u16, unit: u8, pdu: &[u8]) -> Vec<u8> {
        let mut bytes = vec![];
        bytes.put_u16(transaction);
        bytes.put_u16(0);
        bytes.put_u16(u16::try_from(pdu.len() + 1).unwrap());
        bytes.put_u8(unit);
        bytes.put_slice(pdu);
        bytes
    }

    #[test]
    fn takes_glued_frames_one_after_the_other() {
        let mut bytes = BytesMut::new();
        bytes.put_slice(&frame(1, 17, &[3, 2, 0, 1]));
        bytes.put_slice(&frame(2, 17, &[0x83, 2]));
        let first = Mbap.decode(&mut bytes).unwrap().unwrap();
        let second = Mbap.decode(&mut bytes).unwrap().unwrap();
        assert_eq!((first.transaction, first.unit, &first.pdu[..]), (1, 17, &[3, 2, 0, 1][..]));
        assert_eq!((second.transaction, second.unit, &second.pdu[..]), (2, 17, &[0x83, 2][..]));
        assert!(Mbap.decode(&mut bytes).unwrap().is_none());
    }

    #[test]
    fn a_header_that_cannot_be_right_breaks_the_stream() {
        for length in [0_u16, 1, 255, 65_535] {
            let [high, low] = length.to_be_bytes();
            let mut bytes = BytesMut::from(&[0, 1, 0, 0, high, low][..]);
            let error = Mbap.decode(&mut bytes).unwrap_err();
            assert!(matches!(error, StreamError::Length(found) if found == length), "{error}");
        }
        let mut bytes = BytesMut::from(&b"HTTP/1.1 400 Bad Request"[..]);
        assert!(matches!(Mbap.decode(&mut bytes), Err(StreamError::Protocol(_))));
    }

    proptest! {
        /// Nothing that leaves has a function code other than 1 to 4.
        #[test]
        fn only_reading_functions_leave(transaction: u16, unit: u8, start: u16, count: u16) {
            let tables = [(Table::Coil, 1), (Table::Discrete, 2), (Table::Holding, 3), (Table::Input, 4)];
            for (table, function) in tables {
                if let Ok(request) = ReadRequest::new(table, start, count) {
                    let mut out = BytesMut::new();
                    Mbap.encode(Question { transaction, unit, request }, &mut out).unwrap();
                    prop_assert_eq!(out.len(), 12);
                    prop_assert_eq!(out[7], function);
                    let back = Mbap.decode(&mut out).unwrap().unwrap();
                    prop_assert_eq!((back.transaction, back.unit), (transaction, unit));
                    prop_assert_eq!(&back.pdu[..], &request.pdu()[..]);
                    prop_assert!(out.is_empty());
                }
            }
        }

        /// However the bytes arrive, the frames are the same.
        #[test]
        fn bytes_one_by_one_make_the_same_frames(
            frames in proptest::collection::vec((any::<u16>(), any::<u8>(), proptest::collection::vec(any::<u8>(), 1..=253)), 1..5)
        ) {
            let mut wanted = vec![];
            let mut bytes = BytesMut::new();
            let mut got = vec![];
            for (transaction, unit, pdu) in frames {
                for byte in frame(transaction, unit, &pdu) {
                    bytes.put_u8(byte);
                    got.extend(Mbap.decode(&mut bytes).unwrap());
                }
                wanted.push(Frame { transaction, unit, pdu: pdu.into() });
            }
            prop_assert_eq!(got, wanted);
        }

        #[test]
        fn random_bytes_never_panic_and_never_stall(noise in proptest::collection::vec(any::<u8>(), 0..600)) {
            let mut bytes = BytesMut::from(&noise[..]);
            while let Ok(Some(frame)) = Mbap.decode(&mut bytes) {
                prop_assert!(!frame.pdu.is_empty());
            }
            // What is left is a broken stream or less than one frame.
            prop_assert!(Mbap.decode(&mut bytes).is_err() || bytes.len() < 260);
        }
    }
}
