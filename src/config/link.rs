//! How a Modbus line is reached: `tcp://host:502`, `rtu+tcp://host:4001?baud=9600`,
//! `rtu:///dev/ttyUSB0?baud=9600&parity=even`. The same words in a file and on the command line.

use std::fmt;
use std::str::FromStr;

/// The port of Modbus TCP.
const PORT: u16 = 502;
/// Slowest and fastest line that makes sense, in bits per second.
const BAUD: std::ops::RangeInclusive<u32> = 300..=4_000_000;
/// What most meters leave the factory with.
const BAUD_DEFAULT: u32 = 9_600;

/// How a Modbus line is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// Modbus TCP.
    Tcp {
        /// Host name or address.
        host: String,
        /// Port, 502 if none is given.
        port: u16,
    },
    /// RTU frames through the socket of a serial server.
    RtuOverTcp {
        /// Host name or address.
        host: String,
        /// Port.
        port: u16,
        /// The serial line behind it: decides pauses and what a request costs.
        serial: Serial,
    },
    /// A serial line of this machine.
    Rtu {
        /// Its device file.
        path: String,
        /// Its settings.
        serial: Serial,
    },
}

/// Settings of a serial line; RTU always has eight data bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Serial {
    /// Bits per second.
    pub baud: u32,
    /// Parity bit.
    pub parity: Parity,
    /// Stop bits, 1 or 2.
    pub stop_bits: u8,
}

/// Parity bit of a serial line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parity {
    /// None.
    None,
    /// Even, the default of the standard.
    Even,
    /// Odd.
    Odd,
}

/// Why a text is not a [`Link`]; continues a sentence that begins with the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LinkError(pub String);

impl Link {
    /// The serial line a request travels over, if it does.
    pub fn serial(&self) -> Option<Serial> {
        match self {
            Link::Tcp { .. } => None,
            Link::RtuOverTcp { serial, .. } | Link::Rtu { serial, .. } => Some(*serial),
        }
    }
}

impl Serial {
    /// Time of one character on the wire, in microseconds: start bit, eight data bits, parity,
    /// stop bits. MODBUS over Serial Line V1.02, 2.5.1 asks for eleven bits; lines without parity
    /// and with one stop bit have ten.
    pub fn char_us(self) -> u64 {
        let bits = 9 + u64::from(self.parity != Parity::None) + u64::from(self.stop_bits);
        (bits * 1_000_000).div_ceil(u64::from(self.baud))
    }

    /// The silence that parts two frames, in microseconds: 3.5 characters, above 19,200 baud
    /// 1,750 µs (MODBUS over Serial Line V1.02, 2.5.1.1).
    pub fn frame_gap_us(self) -> u64 {
        if self.baud > 19_200 { 1_750 } else { (self.char_us() * 7).div_ceil(2) }
    }
}

impl Default for Serial {
    fn default() -> Serial {
        Serial { baud: BAUD_DEFAULT, parity: Parity::None, stop_bits: 1 }
    }
}

impl FromStr for Link {
    type Err = LinkError;

    /// A text without a scheme is the host of a Modbus TCP server.
    fn from_str(text: &str) -> Result<Link, LinkError> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("tcp", text));
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        match scheme {
            "tcp" if query.is_empty() => {
                let (host, port) = host_port(place)?;
                Ok(Link::Tcp { host, port: port.unwrap_or(PORT) })
            }
            "tcp" => Err(LinkError("has settings after `?`, which Modbus TCP does not take".to_owned())),
            "rtu+tcp" => {
                let (host, port) = host_port(place)?;
                let port = port.ok_or_else(|| LinkError("has no port".to_owned()))?;
                Ok(Link::RtuOverTcp { host, port, serial: settings(query)? })
            }
            "rtu" if place.starts_with('/') => {
                Ok(Link::Rtu { path: place.to_owned(), serial: settings(query)? })
            }
            "rtu" => Err(LinkError("names no device file: rtu:///dev/ttyUSB0".to_owned())),
            _ => Err(LinkError("begins with none of tcp://, rtu+tcp://, rtu:///".to_owned())),
        }
    }
}

/// Host and port; an IPv6 address stands in brackets.
fn host_port(text: &str) -> Result<(String, Option<u16>), LinkError> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() || host.contains(['/', ' ', '@']) {
        return Err(LinkError("names no host".to_owned()));
    }
    let port = port.map(|port| match port.parse() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(LinkError("has a port that is none: 1 to 65535".to_owned())),
    });
    Ok((host.to_owned(), port.transpose()?))
}

fn settings(query: &str) -> Result<Serial, LinkError> {
    let mut serial = Serial::default();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=').unwrap_or((pair, "")) {
            ("baud", text) => {
                let baud = text.parse().ok().filter(|baud| BAUD.contains(baud));
                serial.baud =
                    baud.ok_or_else(|| LinkError("has a baud outside 300 to 4000000".to_owned()))?;
            }
            ("parity", "none") => serial.parity = Parity::None,
            ("parity", "even") => serial.parity = Parity::Even,
            ("parity", "odd") => serial.parity = Parity::Odd,
            ("parity", _) => return Err(LinkError("has a parity that is not none, even or odd".to_owned())),
            ("stop", "1") => serial.stop_bits = 1,
            ("stop", "2") => serial.stop_bits = 2,
            ("stop", _) => return Err(LinkError("has stop bits other than 1 or 2".to_owned())),
            _ => return Err(LinkError("has a setting other than baud, parity and stop".to_owned())),
        }
    }
    Ok(serial)
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bracketed = |host: &String| if host.contains(':') { format!("[{host}]") } else { host.clone() };
        match self {
            Link::Tcp { host, port } => write!(f, "tcp://{}:{port}", bracketed(host)),
            Link::RtuOverTcp { host, port, serial } => {
                write!(f, "rtu+tcp://{}:{port}?{serial}", bracketed(host))
            }
            Link::Rtu { path, serial } => write!(f, "rtu://{path}?{serial}"),
        }
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parity = match self.parity {
            Parity::None => "none",
            Parity::Even => "even",
            Parity::Odd => "odd",
        };
        write!(f, "baud={}&parity={parity}&stop={}", self.baud, self.stop_bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_read_and_written_alike() {
        let cases = [
            ("10.0.0.5", "tcp://10.0.0.5:502"),
            ("gateway-3:1502", "tcp://gateway-3:1502"),
            ("tcp://[fd00::7]:503", "tcp://[fd00::7]:503"),
            ("tcp://[fd00::7]", "tcp://[fd00::7]:502"),
            ("rtu+tcp://10.0.0.6:4001", "rtu+tcp://10.0.0.6:4001?baud=9600&parity=none&stop=1"),
            ("rtu:///dev/ttyUSB0?baud=19200&parity=even", "rtu:///dev/ttyUSB0?baud=19200&parity=even&stop=1"),
        ];
        for (text, written) in cases {
            let link: Link = text.parse().unwrap();
            assert_eq!(link.to_string(), written);
            assert_eq!(written.parse(), Ok(link));
        }
        for wrong in [
            "",
            "tcp://",
            "http://x:1",
            "rtu://ttyUSB0",
            "rtu:///dev/x?baud=10",
            "rtu:///dev/x?parity=maybe",
            "rtu+tcp://x",
            "tcp://x:0",
            "tcp://x:502?baud=9600",
            "rtu:///dev/x?bits=7",
            "tcp://a b:1",
        ] {
            assert!(wrong.parse::<Link>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_are_those_of_the_standard() {
        let at = |baud| Serial { baud, parity: Parity::Even, stop_bits: 1 };
        // Eleven bits; 2.5.1.1 gives 1.750 ms above 19,200 baud.
        assert_eq!((at(9_600).char_us(), at(9_600).frame_gap_us()), (1_146, 4_011));
        assert_eq!((at(115_200).char_us(), at(115_200).frame_gap_us()), (96, 1_750));
    }
}
