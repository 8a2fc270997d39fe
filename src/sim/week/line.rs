//! A bus of the demo over an in-memory stream, on paused time: what a socket would carry, without one.
//!
//! The frames are cut and put together here; what answers, and what the line spoils, is what the
//! sockets of the demo have.

use crate::field::modbus::Dial;
use crate::sim::device::bus::{Connection, SimBus};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio_modbus::prelude::{Request, Response, SlaveRequest};
use tokio_modbus::server::Service;
use tokio_util::task::TaskTracker;

/// Far more than the requests and replies under way at once.
const ROOM: usize = 16_384;

/// Connects to a bus.
pub struct LineDial {
    /// The bus.
    pub bus: SimBus,
    /// It speaks RTU frames, else Modbus TCP.
    pub rtu: bool,
}

impl Dial for LineDial {
    type Stream = DuplexStream;

    async fn dial(&mut self) -> io::Result<DuplexStream> {
        let (ours, theirs) = tokio::io::duplex(ROOM);
        let (connection, wire) = self.bus.connect(theirs, self.rtu);
        let rtu = self.rtu;
        let _serving = TaskTracker::new().spawn(serve(wire, connection, rtu));
        Ok(ours)
    }
}

/// Answers until the connection ends, which is no error.
async fn serve<T>(mut wire: T, connection: Connection, rtu: bool)
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Ok((number, unit, asked)) = request(&mut wire, rtu).await {
        let Some(pdu) = answer(&connection, unit, asked).await else { continue };
        if wire.write_all(&frame(number, unit, &pdu, rtu)).await.is_err() {
            return;
        }
    }
}

/// The next request: its transaction, its unit, and what it asks: function, start and count.
async fn request<T: AsyncRead + Unpin>(wire: &mut T, rtu: bool) -> io::Result<([u8; 2], u8, [u8; 5])> {
    if rtu {
        let mut frame = [0; 8];
        wire.read_exact(&mut frame).await?;
        assert_eq!(checksum(&frame[..6]), frame[6..], "a request without its checksum");
        return Ok(([0; 2], frame[0], frame[1..6].try_into().unwrap()));
    }
    let mut frame = [0; 12];
    wire.read_exact(&mut frame).await?;
    assert_eq!(frame[2..6], [0, 0, 0, 6], "no request to read");
    Ok(([frame[0], frame[1]], frame[6], frame[7..].try_into().unwrap()))
}

/// What comes back, if anything does.
async fn answer(connection: &Connection, slave: u8, asked: [u8; 5]) -> Option<Vec<u8>> {
    let [function, start @ .., high, low] = asked;
    let (start, count) = (u16::from_be_bytes(start), u16::from_be_bytes([high, low]));
    let request = match function {
        1 => Request::ReadCoils(start, count),
        2 => Request::ReadDiscreteInputs(start, count),
        3 => Request::ReadHoldingRegisters(start, count),
        4 => Request::ReadInputRegisters(start, count),
        other => panic!("a gateway that only watches asks function {other}"),
    };
    let data: Vec<u8> = match connection.call(SlaveRequest { slave, request }).await {
        Ok(None) => return None,
        Ok(Some(Response::ReadCoils(flags) | Response::ReadDiscreteInputs(flags))) => {
            let byte = |eight: &[bool]| eight.iter().rev().fold(0, |byte, on| byte << 1 | u8::from(*on));
            flags.chunks(8).map(byte).collect()
        }
        Ok(Some(Response::ReadHoldingRegisters(words) | Response::ReadInputRegisters(words))) => {
            words.into_iter().flat_map(u16::to_be_bytes).collect()
        }
        Ok(Some(other)) => panic!("{other:?}"),
        Err(exception) => return Some(vec![function | 0x80, exception.into()]),
    };
    let mut pdu = vec![function, u8::try_from(data.len()).unwrap()];
    pdu.extend(data);
    Some(pdu)
}

fn frame(number: [u8; 2], unit: u8, pdu: &[u8], rtu: bool) -> Vec<u8> {
    let mut frame = vec![unit];
    frame.extend(pdu);
    if rtu {
        frame.extend(checksum(&frame));
        return frame;
    }
    let length = u16::try_from(frame.len()).unwrap().to_be_bytes();
    [number, [0, 0], length].concat().into_iter().chain(frame).collect()
}

/// MODBUS over Serial Line V1.02, 6.2.2, bit by bit.
fn checksum(bytes: &[u8]) -> [u8; 2] {
    let bit = |sum: u16, _| if sum & 1 == 1 { sum >> 1 ^ 0xA001 } else { sum >> 1 };
    bytes.iter().fold(0xFFFF, |sum, byte| (0..8).fold(sum ^ u16::from(*byte), bit)).to_le_bytes()
}
