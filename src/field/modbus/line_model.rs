//! For tests: a Modbus TCP server with every bad habit, over in-memory streams on paused time.
//! The same on a serial line is `serial_model`.
//!
//! Its registers are a function of unit, function and address, so that a value taken from the
//! wrong answer shows.

use bytes::{Buf, BufMut, BytesMut};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// What register `address` of `unit` holds in the table of `function`.
pub fn register(unit: u8, function: u8, address: u16) -> u16 {
    address ^ (u16::from(unit) << 8) ^ (u16::from(function) << 4)
}

/// A request as it came in.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Counts requests on this connection, from 0.
    pub number: u64,
    /// On a serial line 0.
    pub transaction: u16,
    /// Requests not answered yet, this one included.
    pub outstanding: usize,
    /// How long the wire was silent before it; on TCP 0.
    pub quiet: Duration,
    pub unit: u8,
    pub function: u8,
    pub start: u16,
    pub count: u16,
}

/// What the server does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// The right answer.
    Answer,
    /// An exception.
    Exception(u8),
    /// The right data under another transaction id (TCP only).
    WrongTransaction,
    /// The data of the next unit, under its id.
    WrongUnit,
    /// The data of the other table, under its function.
    WrongFunction,
    /// One register less than asked for, consistently.
    OneRegisterLess,
    /// The right data with a byte count that is not theirs.
    WrongByteCount,
    /// The right answer, one byte every so many milliseconds.
    ByteByByte(u64),
    /// A frame nobody asked for, glued to the front of the right answer.
    UnsolicitedBefore,
    /// The right answer twice, glued.
    Twice,
    /// A header with this protocol id and length in front of the answer (TCP only).
    Header { protocol: u16, length: u16 },
    /// Nothing.
    Silence,
    /// The connection is closed.
    Disconnect,
    /// The right answer; the connection is closed so many milliseconds later.
    AnswerThenClose(u64),
    /// These bytes.
    Raw(&'static [u8]),
    /// The right answer with this one of its bytes damaged (serial only).
    Damaged(usize),
    /// These bytes, then the right answer (serial only).
    Noise(&'static [u8]),
    /// The request itself while it is sent, then the right answer (serial only).
    Echo,
    /// The right answer, after its first bytes a pause of so many milliseconds (serial only).
    Cut(usize, u64),
    /// Only so many bytes of the right answer (serial only).
    Truncated(usize),
}

/// In which order a server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// One after the other: a device.
    Serial,
    /// Each when it is ready: a gateway with several lines.
    Concurrent,
}

/// A stage direction: what to do with a request, after how long.
pub type Direction = (Duration, Act);

/// Serves one connection until it ends.
pub async fn serve(stream: DuplexStream, order: Order, mut script: impl FnMut(Asked) -> Direction) {
    let (mut from_client, mut to_client) = tokio::io::split(stream);
    let (mut bytes, mut number) = (BytesMut::new(), 0);
    // Bytes to send by moment and sequence; none closes the connection.
    let mut outbox: BTreeMap<(Duration, u64), Option<Vec<u8>>> = BTreeMap::new();
    let mut sequence = 0;
    let mut busy_until = Duration::ZERO;
    let clock = crate::clock::Clock::system();
    let now = || Duration::from_millis(clock.mono().0);
    loop {
        let next = outbox.first_key_value().map(|((at, _), _)| *at);
        let pause = next.map_or(Duration::MAX, |at| at.saturating_sub(now()));
        tokio::select! {
            () = tokio::time::sleep(pause), if next.is_some() => {
                match outbox.pop_first() {
                    Some((_, Some(chunk))) if to_client.write_all(&chunk).await.is_ok() => {}
                    _ => return,
                }
            }
            read = from_client.read_buf(&mut bytes) => {
                if !read.is_ok_and(|count| count > 0) {
                    return;
                }
                while let Some(asked) = take_request(&mut bytes, number, outbox.len()) {
                    number += 1;
                    let (delay, act) = script(asked);
                    let ready = match order {
                        Order::Serial => busy_until.max(now()) + delay,
                        Order::Concurrent => now() + delay,
                    };
                    busy_until = ready;
                    for (chunk, gap) in chunks(asked, act) {
                        busy_until += gap;
                        outbox.insert((busy_until, sequence), chunk);
                        sequence += 1;
                    }
                }
            }
        }
    }
}

fn take_request(bytes: &mut BytesMut, number: u64, waiting: usize) -> Option<Asked> {
    if bytes.len() < 12 {
        return None;
    }
    let mut frame = bytes.split_to(12);
    let transaction = frame.get_u16();
    assert_eq!(frame.get_u32(), 6, "protocol 0, six bytes to come");
    let (unit, function) = (frame.get_u8(), frame.get_u8());
    assert!(matches!(function, 1..=4), "a frame with function {function} has left");
    let (outstanding, quiet) = (waiting + 1, Duration::ZERO);
    let (start, count) = (frame.get_u16(), frame.get_u16());
    Some(Asked { number, transaction, outstanding, quiet, unit, function, start, count })
}

/// What to send and how long after the piece before it.
fn chunks(asked: Asked, act: Act) -> Vec<(Option<Vec<u8>>, Duration)> {
    let Asked { transaction, unit, function, .. } = asked;
    let right = || frame(transaction, unit, &data(asked));
    let whole = match act {
        Act::Answer => right(),
        Act::Exception(code) => frame(transaction, unit, &[function | 0x80, code]),
        Act::WrongTransaction => frame(transaction.wrapping_add(0x4000), unit, &data(asked)),
        Act::WrongUnit => {
            let other = Asked { unit: unit.wrapping_add(1), ..asked };
            frame(transaction, other.unit, &data(other))
        }
        Act::WrongFunction => frame(transaction, unit, &data(Asked { function: 7 - function, ..asked })),
        Act::OneRegisterLess => {
            frame(transaction, unit, &data(Asked { count: asked.count.saturating_sub(1), ..asked }))
        }
        Act::WrongByteCount => {
            let mut pdu = data(asked);
            pdu[1] = pdu[1].wrapping_add(2);
            frame(transaction, unit, &pdu)
        }
        Act::ByteByByte(gap) => {
            let gap = Duration::from_millis(gap);
            return right().into_iter().map(|byte| (Some(vec![byte]), gap)).collect();
        }
        Act::UnsolicitedBefore => {
            let noise = Asked { start: asked.start.wrapping_add(1), ..asked };
            [frame(transaction.wrapping_add(0x4000), unit, &data(noise)), right()].concat()
        }
        Act::Twice => [right(), right()].concat(),
        Act::Header { protocol, length } => {
            let mut bytes = vec![];
            bytes.put_u16(transaction);
            bytes.put_u16(protocol);
            bytes.put_u16(length);
            bytes.extend(right());
            bytes
        }
        Act::Silence => return vec![],
        Act::Disconnect => return vec![(None, Duration::ZERO)],
        Act::AnswerThenClose(ms) => {
            return vec![(Some(right()), Duration::ZERO), (None, Duration::from_millis(ms))];
        }
        Act::Raw(bytes) => bytes.to_vec(),
        Act::Damaged(_) | Act::Noise(_) | Act::Echo | Act::Cut(..) | Act::Truncated(_) => {
            panic!("{act:?} is for a serial line")
        }
    };
    vec![(Some(whole), Duration::ZERO)]
}

/// The PDU of the right answer; a bit is the lowest of its register.
pub fn data(asked: Asked) -> Vec<u8> {
    let items =
        (0..asked.count).map(|offset| register(asked.unit, asked.function, asked.start.wrapping_add(offset)));
    let bytes: Vec<u8> = if asked.function <= 2 {
        let bits: Vec<u16> = items.collect();
        let packed = |bits: &[u16]| bits.iter().rev().fold(0, |byte, bit| byte << 1 | bit & 1);
        bits.chunks(8).map(|bits| u8::try_from(packed(bits)).unwrap()).collect()
    } else {
        items.flat_map(u16::to_be_bytes).collect()
    };
    [vec![asked.function, u8::try_from(bytes.len()).unwrap()], bytes].concat()
}

fn frame(transaction: u16, unit: u8, pdu: &[u8]) -> Vec<u8> {
    let mut bytes = vec![];
    bytes.put_u16(transaction);
    bytes.put_u16(0);
    bytes.put_u16(u16::try_from(pdu.len() + 1).unwrap());
    bytes.put_u8(unit);
    bytes.put_slice(pdu);
    bytes
}

/// A small generator for scripts: the same seed, the same play.
pub struct Dice(pub u64);

impl Dice {
    /// An even draw from `0..sides`.
    pub fn roll(&mut self, sides: u64) -> u64 {
        // SplitMix64, as in net::Backoff.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}
