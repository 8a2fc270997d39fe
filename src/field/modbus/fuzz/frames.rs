//! What any bytes must not be able to break: one function for each target of `fuzz/`, which the
//! tests run from seeds.

use super::super::codec::Mbap;
use super::super::doubt::Shape;
use super::super::frame::ReadRequest;
use super::super::rtu::{Awaited, BUFFER_BYTES_MAX, Piece, Receiver, request};
use crate::config::Table;
use bytes::BytesMut;
use tokio_util::codec::Decoder;

/// Bytes in pieces, while a question waits: no frame has items of another count, nothing is kept
/// without a limit.
///
/// The first bytes choose the question; then, again and again, one says how long the next piece
/// is and whether the line falls silent after it.
pub fn frames(data: &[u8]) {
    let [table, start, count, unit, rest @ ..] = data else { return };
    let table = match table % 4 {
        0 => Table::Coil,
        1 => Table::Discrete,
        2 => Table::Holding,
        _ => Table::Input,
    };
    let most = if table.is_bits() { 2_000 } else { 125 };
    let count = u16::from(*count) * if table.is_bits() { 8 } else { 1 } % most + 1;
    let question = ReadRequest::new(table, u16::from(*start) << 8, count).expect("a count of the table");
    let (mut mbap, mut rtu) = (BytesMut::new(), Receiver::default());
    let (mut mbap_lives, mut awaited) = (true, Awaited::new(*unit, question, start % 2 == 0));
    let mut rest = rest;
    while let [control, more @ ..] = rest {
        let (chunk, left) = more.split_at(usize::from(control >> 1).min(more.len()));
        rest = left;
        if mbap_lives {
            mbap.extend_from_slice(chunk);
            mbap_lives = take_mbap(&mut mbap, question);
        }
        rtu.push(chunk);
        take_rtu(&mut rtu, question, &mut awaited, control & 1 == 1);
    }
}

/// Whether the stream still is one.
fn take_mbap(bytes: &mut BytesMut, question: ReadRequest) -> bool {
    loop {
        match Mbap.decode(bytes) {
            Ok(Some(frame)) => check(question, &frame.pdu),
            Ok(None) => {
                assert!(bytes.len() < 6 + 254, "{} bytes wait for one frame", bytes.len());
                return true;
            }
            Err(_) => return false,
        }
    }
}

fn take_rtu(receiver: &mut Receiver, question: ReadRequest, awaited: &mut Awaited, silent: bool) {
    let mut taken = 0;
    while let Some(piece) = receiver.next(Some(awaited), silent) {
        taken += match piece {
            Piece::Frame(frame) => {
                check(question, &frame.pdu);
                assert!(frame.reply().is_some(), "{frame:?}");
                frame.pdu.len() + 3
            }
            Piece::Echo => {
                assert_eq!(awaited.echo.take(), Some(request(awaited.unit, question)));
                8
            }
            Piece::Noise(bytes) => bytes,
        };
        assert!(taken <= BUFFER_BYTES_MAX, "more is taken than was kept");
    }
    let _looks_like = receiver.rest(awaited);
    if silent {
        assert!(receiver.clear() + taken <= BUFFER_BYTES_MAX);
    }
}

fn check(question: ReadRequest, pdu: &[u8]) {
    if let Ok(items) = question.items_of(pdu) {
        assert_eq!(items.len(), usize::from(question.count()));
        assert_eq!(pdu.len(), Shape::of(question).bytes + 2);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::crc::seal;
    use super::super::super::line_model::Dice;
    use super::*;

    fn byte(dice: &mut Dice) -> u8 {
        u8::try_from(dice.roll(256)).unwrap()
    }

    /// Mostly frames, whole or hurt, in pieces; some only noise.
    fn execution(dice: &mut Dice, data: &mut Vec<u8>) {
        data.clear();
        data.extend([byte(dice), byte(dice), u8::try_from(dice.roll(12)).unwrap(), 7]);
        let function = data[0] % 4 + 1;
        let bytes = if function > 2 { 2 * (data[2] % 125 + 1) } else { data[2] + 1 };
        let mut stream = vec![];
        for _ in 0..=dice.roll(3) {
            let body: Vec<u8> = (0..bytes).map(|_| byte(dice)).collect();
            let mut frame = match dice.roll(6) {
                0 => seal(vec![7, function | 0x80, 2]),
                1 => vec![7, function, data[1], 0, 0, data[2] + 1],
                2 => [&[0, 1, 0, 0, 0, bytes + 3, 7, function, bytes], &body[..]].concat(),
                3 => body,
                _ => seal([&[7, function, bytes], &body[..]].concat()),
            };
            if dice.roll(4) == 0 && !frame.is_empty() {
                let at = usize::try_from(dice.roll(64)).unwrap() % frame.len();
                frame[at] = byte(dice);
            }
            stream.extend(frame);
        }
        let mut rest = &stream[..];
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(usize::try_from(1 + dice.roll(40)).unwrap()));
            let silent = u8::from(dice.roll(3) == 0);
            data.push(u8::try_from(now.len()).unwrap() << 1 | silent);
            data.extend(now);
            rest = later;
        }
    }

    #[test]
    fn a_hundred_thousand_executions_break_no_frame() {
        let (mut dice, mut data) = (Dice(20_261_123), Vec::new());
        for _ in 0..100_000 {
            execution(&mut dice, &mut data);
            frames(&data);
        }
    }
}
