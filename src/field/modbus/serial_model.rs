//! For tests: a serial line with its units, over an in-memory stream on paused time.
//!
//! The wire carries one byte in each character time. A request is there when its last byte is; the
//! delay of a [`Direction`] counts from then and includes the silence a unit waits for. A unit
//! answers its requests in order; answers of several units that are ready at once go one after the
//! other, so a late answer is heard when the wire is free. What a unit sends while it is asked is
//! not spoilt, as it would be on copper: [`Act::Damaged`] does that where a test wants it.
//!
//! Times on the wire are exact to the microsecond. tokio's timers count whole milliseconds: a byte
//! is handed over at the end of the millisecond it arrives in, with all others of it, as from a
//! UART with a buffer. [`Asked::quiet`] is therefore right to a millisecond and never too long
//! by more: it is counted from the exact end of the last byte to when the request was written.

use super::crc::{holds, seal};
use super::line::from_now;
use super::line_model::{Act, Asked, Direction, data};
use super::rtu::REQUEST_BYTES;
use crate::config::Serial;
use bytes::{Buf, BytesMut};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::Instant;

/// A byte and the pause before it; none closes the line.
type Piece = (Option<u8>, Duration);

struct Wire {
    char_time: Duration,
    /// When the last byte in either direction ended.
    last_byte: Instant,
    /// Answers by when they are ready, and in which order they became so.
    ready: BTreeMap<(Instant, u64), Vec<Piece>>,
    /// What is being sent, by when each byte has arrived.
    sending: VecDeque<(Instant, Option<u8>)>,
    /// Until when each unit is busy with what it was asked.
    busy: BTreeMap<u8, Instant>,
    sequence: u64,
}

/// Serves one line until it ends.
pub async fn serve_rtu(stream: DuplexStream, serial: Serial, mut script: impl FnMut(Asked) -> Direction) {
    let (mut from_master, mut to_master) = tokio::io::split(stream);
    let (mut bytes, mut number) = (BytesMut::new(), 0);
    let mut wire = Wire {
        char_time: Duration::from_micros(serial.char_us()),
        last_byte: from_now(Duration::ZERO),
        ready: BTreeMap::new(),
        sending: VecDeque::new(),
        busy: BTreeMap::new(),
        sequence: 0,
    };
    loop {
        let next = wire.next();
        let at = next.unwrap_or_else(|| from_now(Duration::ZERO));
        tokio::select! {
            () = tokio::time::sleep_until(at), if next.is_some() => {
                let (arrived, closes) = wire.arrived();
                let gone = !arrived.is_empty() && to_master.write_all(&arrived).await.is_err();
                if gone || closes {
                    return;
                }
            }
            read = from_master.read_buf(&mut bytes) => {
                if !read.is_ok_and(|count| count > 0) {
                    return;
                }
                while let Some(mut asked) = take_request(&mut bytes, number) {
                    number += 1;
                    wire.carry_request(&mut asked);
                    let (delay, act) = script(asked);
                    wire.answer(asked, delay, act);
                }
            }
        }
    }
}

impl Wire {
    /// When something is to be done.
    fn next(&self) -> Option<Instant> {
        let next_byte = self.sending.front().map(|(at, _)| *at);
        next_byte.or_else(|| self.ready.first_key_value().map(|((at, _), _)| (*at).max(self.last_byte)))
    }

    /// Starts what is ready and gives the bytes that have arrived, and whether the line closes.
    fn arrived(&mut self) -> (Vec<u8>, bool) {
        let (now, mut arrived) = (from_now(Duration::ZERO), vec![]);
        loop {
            while let Some((_, byte)) = self.sending.pop_front_if(|(at, _)| *at <= now) {
                match byte {
                    Some(byte) => arrived.push(byte),
                    None => return (arrived, true),
                }
            }
            let free = self.sending.is_empty() && self.next().is_some_and(|at| at <= now);
            let Some(((ready, _), pieces)) = free.then(|| self.ready.pop_first()).flatten() else {
                return (arrived, false);
            };
            let mut at = ready.max(self.last_byte);
            for (byte, pause) in pieces {
                at += pause;
                if byte.is_some() {
                    at += self.char_time;
                    self.last_byte = at;
                }
                self.sending.push_back((at, byte));
            }
        }
    }

    fn carry_request(&mut self, asked: &mut Asked) {
        let now = from_now(Duration::ZERO);
        asked.quiet = now.saturating_duration_since(self.last_byte);
        asked.outstanding = self.ready.len() + usize::from(!self.sending.is_empty()) + 1;
        self.last_byte = self.last_byte.max(now + self.char_time * u32::try_from(REQUEST_BYTES).unwrap());
    }

    fn answer(&mut self, asked: Asked, delay: Duration, act: Act) {
        let heard = from_now(Duration::ZERO) + self.char_time * u32::try_from(REQUEST_BYTES).unwrap();
        let busy = self.busy.entry(asked.unit).or_insert(heard);
        let ready = heard.max(*busy) + delay;
        *busy = ready;
        if act == Act::Echo {
            // It was on the wire already, as it was sent.
            let echo = request_bytes(asked).into_iter();
            let times = (1..).map(|place| heard - self.char_time * (8 - place));
            self.sending.extend(times.zip(echo).map(|(at, byte)| (at, Some(byte))));
        }
        self.ready.insert((ready, self.sequence), pieces(asked, act));
        self.sequence += 1;
    }
}

fn take_request(bytes: &mut BytesMut, number: u64) -> Option<Asked> {
    if bytes.len() < REQUEST_BYTES {
        return None;
    }
    let mut frame = bytes.split_to(REQUEST_BYTES);
    assert!(holds(&frame), "a request without a right checksum: {frame:?}");
    let (unit, function) = (frame.get_u8(), frame.get_u8());
    assert!(matches!(function, 1..=4), "a frame with function {function} has left");
    let (start, count) = (frame.get_u16(), frame.get_u16());
    let (transaction, outstanding, quiet) = (0, 0, Duration::ZERO);
    Some(Asked { number, transaction, outstanding, quiet, unit, function, start, count })
}

fn request_bytes(asked: Asked) -> Vec<u8> {
    let [start, count] = [asked.start, asked.count].map(u16::to_be_bytes);
    seal([&[asked.unit, asked.function], &start[..], &count[..]].concat())
}

fn answer_bytes(asked: Asked) -> Vec<u8> {
    seal([vec![asked.unit], data(asked)].concat())
}

fn pieces(asked: Asked, act: Act) -> Vec<Piece> {
    let right = || answer_bytes(asked);
    let other = Asked { unit: asked.unit.wrapping_add(1), ..asked };
    let at_once = |bytes: Vec<u8>| bytes.into_iter().map(|byte| (Some(byte), Duration::ZERO)).collect();
    at_once(match act {
        Act::Answer | Act::Echo => right(),
        Act::Exception(code) => seal(vec![asked.unit, asked.function | 0x80, code]),
        Act::WrongUnit => answer_bytes(other),
        Act::WrongFunction => answer_bytes(Asked { function: 7 - asked.function, ..asked }),
        Act::OneRegisterLess => answer_bytes(Asked { count: asked.count.saturating_sub(1), ..asked }),
        Act::WrongByteCount => {
            let mut bytes = [vec![asked.unit], data(asked)].concat();
            bytes[2] = bytes[2].wrapping_add(2);
            seal(bytes)
        }
        Act::ByteByByte(ms) => {
            return right().into_iter().map(|byte| (Some(byte), Duration::from_millis(ms))).collect();
        }
        Act::UnsolicitedBefore => [answer_bytes(other), right()].concat(),
        Act::Twice => [right(), right()].concat(),
        Act::Silence => vec![],
        Act::Disconnect => return vec![(None, Duration::ZERO)],
        Act::AnswerThenClose(ms) => {
            let mut pieces: Vec<Piece> = at_once(right());
            pieces.push((None, Duration::from_millis(ms)));
            return pieces;
        }
        Act::Raw(bytes) => bytes.to_vec(),
        Act::Damaged(place) => {
            let mut bytes = right();
            let place = place % bytes.len();
            bytes[place] ^= 0x24;
            bytes
        }
        Act::Noise(bytes) => [bytes.to_vec(), right()].concat(),
        Act::Cut(place, ms) => {
            let mut pieces: Vec<Piece> = at_once(right());
            let place = place % pieces.len();
            pieces[place].1 = Duration::from_millis(ms);
            return pieces;
        }
        Act::Truncated(length) => right().into_iter().take(length).collect(),
        Act::WrongTransaction | Act::Header { .. } => panic!("{act:?} is for Modbus TCP"),
    })
}
