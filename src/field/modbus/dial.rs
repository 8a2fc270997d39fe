//! How a bus gets its connection: a socket or a serial device file.

use crate::config::{Link, Parity, Serial};
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_serial::SerialStream;
use tracing::info;

/// A latency timer above this many milliseconds is worth a word.
const LATENCY_MS_MAX: u32 = 2;

/// Makes connections.
pub trait Dial: Send {
    /// What it is carried by.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send;

    /// Makes one connection. Dropping the future gives the attempt up.
    fn dial(&mut self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// Every kind of link a configuration can name.
#[derive(Clone, Debug)]
pub enum AnyDial {
    /// Modbus TCP, or RTU through a serial server.
    Tcp {
        /// Host name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// A serial line of this machine.
    Serial {
        /// Its device file.
        path: String,
        /// Its settings.
        serial: Serial,
    },
}

/// What an [`AnyDial`] makes.
#[derive(Debug)]
pub enum AnyStream {
    /// A socket.
    Tcp(TcpStream),
    /// A serial line.
    Serial(SerialStream),
}

impl AnyDial {
    /// Dials what a link names.
    pub fn of(link: &Link) -> AnyDial {
        match link {
            Link::Tcp { host, port } | Link::RtuOverTcp { host, port, .. } => {
                AnyDial::Tcp { host: host.clone(), port: *port }
            }
            Link::Rtu { path, serial } => AnyDial::Serial { path: path.clone(), serial: *serial },
        }
    }
}

impl Dial for AnyDial {
    type Stream = AnyStream;

    async fn dial(&mut self) -> io::Result<AnyStream> {
        match self {
            AnyDial::Tcp { host, port } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                // A request is one small segment: Nagle would hold it back for the acknowledgement.
                stream.set_nodelay(true)?;
                Ok(AnyStream::Tcp(stream))
            }
            AnyDial::Serial { path, serial } => {
                let stream = open(path, *serial)?;
                advise_on_latency(path).await;
                Ok(AnyStream::Serial(stream))
            }
        }
    }
}

/// Opens a serial line for this program alone: two masters on one bus spoil every answer.
fn open(path: &str, serial: Serial) -> io::Result<SerialStream> {
    let parity = match serial.parity {
        Parity::None => tokio_serial::Parity::None,
        Parity::Even => tokio_serial::Parity::Even,
        Parity::Odd => tokio_serial::Parity::Odd,
    };
    let stop_bits =
        if serial.stop_bits == 2 { tokio_serial::StopBits::Two } else { tokio_serial::StopBits::One };
    let builder = tokio_serial::new(path, serial.baud)
        .data_bits(tokio_serial::DataBits::Eight)
        .flow_control(tokio_serial::FlowControl::None)
        .parity(parity)
        .stop_bits(stop_bits)
        .exclusive(true);
    Ok(SerialStream::open(&builder)?)
}

/// FTDI adapters hold bytes back until 62 have come or their latency timer has run out, 16 ms from
/// the factory: longer than most answers take on the wire. A bus of 32 units read once a second
/// loses half of that second. The timer is set to 1 ms by
/// `echo 1 > /sys/bus/usb-serial/devices/ttyUSB0/latency_timer`, for good by a udev rule
/// (FTDI AN232B-04, "Data Throughput, Latency and Handshaking").
async fn advise_on_latency(path: &str) {
    // A line may be named by its by-id link.
    let Ok(device) = tokio::fs::canonicalize(path).await else { return };
    let Some(name) = device.file_name() else { return };
    let timer = Path::new("/sys/bus/usb-serial/devices").join(name).join("latency_timer");
    let Ok(text) = tokio::fs::read_to_string(&timer).await else { return };
    if let Some(latency_ms) = too_slow(&text) {
        info!(%path, latency_ms, timer = %timer.display(), "The USB adapter holds answers back; a latency timer of 1 ms makes the bus faster.");
    }
}

fn too_slow(latency_timer: &str) -> Option<u32> {
    latency_timer.trim().parse().ok().filter(|latency_ms| *latency_ms > LATENCY_MS_MAX)
}

impl AsyncRead for AnyStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            AnyStream::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            AnyStream::Serial(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for AnyStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            AnyStream::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            AnyStream::Serial(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            AnyStream::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            // tokio-serial would call tcdrain(3) and hold the whole thread for as long as the
            // bytes take on the wire. The line reckons with that time instead.
            AnyStream::Serial(_) => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            AnyStream::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            AnyStream::Serial(_) => Poll::Ready(Ok(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_serial::SerialPort;

    #[test]
    fn an_adapter_that_holds_bytes_back_is_noticed() {
        assert_eq!(too_slow("16\n"), Some(16));
        assert_eq!(too_slow("1\n"), None);
        assert_eq!(too_slow(""), None);
    }

    #[tokio::test]
    async fn a_serial_line_is_opened_and_carries_bytes_both_ways() {
        let (mut far, near) = SerialStream::pair().unwrap();
        let path = near.name().unwrap();
        drop(near);
        let link = format!("rtu://{path}?baud=19200&stop=2").parse().unwrap();
        let mut stream = AnyDial::of(&link).dial().await.unwrap();
        assert!(AnyDial::of(&link).dial().await.is_err(), "it is ours alone");
        // Bytes a terminal would change or take for commands.
        let bytes = [0x00, 0x03, 0x04, 0x0A, 0x0D, 0x11, 0x13, 0x1A, 0x7F, 0xFF];
        stream.write_all(&bytes).await.unwrap();
        stream.flush().await.unwrap();
        let mut heard = [0; 10];
        far.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, bytes);
        far.write_all(&bytes).await.unwrap();
        heard.fill(0);
        stream.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, bytes);
        // The adapter is pulled out.
        drop(far);
        assert!(!matches!(stream.read(&mut heard).await, Ok(count) if count > 0));
    }

    #[tokio::test]
    async fn what_is_not_there_is_an_error() {
        let link = "rtu:///dev/no-such-line".parse().unwrap();
        assert!(AnyDial::of(&link).dial().await.is_err());
    }
}
