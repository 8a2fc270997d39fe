//! A line that spoils replies: some are cut, some have a bit turned over. Only where a checksum or the
//! frame itself gives it away; a value that is wrong and looks right is no noise of a line.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What a line does to a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoilt {
    /// Nothing.
    No,
    /// It never arrives.
    Lost,
    /// It arrives after the asker has given up.
    Late,
    /// Its end is missing.
    Cut,
    /// One bit of it is another.
    Turned,
}

/// Dice that fall the same for the same seed; clones throw in turn.
#[derive(Clone, Debug)]
pub struct Dice {
    seed: u64,
    thrown: Arc<AtomicU64>,
}

impl Dice {
    /// Dice of a line.
    pub fn new(seed: u64, line: &str) -> Dice {
        let mixed = line.bytes().fold(seed, |mixed, byte| mix(mixed ^ u64::from(byte)));
        Dice { seed: mixed, thrown: Arc::default() }
    }

    /// 0 up to 1.
    pub fn share(&self) -> f64 {
        let [.., a, b, c, d] = self.throw().to_be_bytes();
        f64::from(u32::from_be_bytes([a, b, c, d])) / 4_294_967_296.0
    }

    /// A whole number below `below`.
    pub fn below(&self, below: usize) -> usize {
        let below = u64::try_from(below.max(1)).unwrap_or(1);
        usize::try_from(self.throw() % below).unwrap_or(0)
    }

    fn throw(&self) -> u64 {
        mix(self.seed.wrapping_add(self.thrown.fetch_add(1, Ordering::Relaxed)))
    }

    /// What happens to a reply on a line that spoils this share of them.
    pub fn spoil(&self, share: f64) -> Spoilt {
        if share <= 0.0 || self.share() >= share {
            return Spoilt::No;
        }
        match self.below(4) {
            0 => Spoilt::Lost,
            1 => Spoilt::Late,
            2 => Spoilt::Cut,
            _ => Spoilt::Turned,
        }
    }
}

/// The finaliser of MurmurHash3.
fn mix(n: u64) -> u64 {
    let mut z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    z = (z ^ (z >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    z ^ (z >> 33)
}

/// What the next reply of a connection suffers; the device says it, the line does it.
pub type Next = Arc<std::sync::Mutex<Spoilt>>;

/// A connection whose replies suffer what was said of them.
#[derive(Debug)]
pub struct Wire<T> {
    inner: T,
    next: Next,
    dice: Dice,
    /// Frames end in a checksum, so that any bit may turn.
    checked: bool,
    /// It was cut inside a frame that tells its length: nobody could find the next one.
    broken: bool,
}

impl<T> Wire<T> {
    /// Over `inner`; `checked` if its frames end in a checksum.
    pub fn new(inner: T, next: Next, dice: Dice, checked: bool) -> Wire<T> {
        Wire { inner, next, dice, checked, broken: false }
    }

    /// The frame as it arrives.
    fn spoil(&mut self, frame: &[u8]) -> Vec<u8> {
        let spoilt = std::mem::replace(
            &mut *self.next.lock().unwrap_or_else(std::sync::PoisonError::into_inner),
            Spoilt::No,
        );
        let mut sent = frame.to_vec();
        match spoilt {
            Spoilt::Cut => {
                sent.truncate(1 + self.dice.below(frame.len().saturating_sub(1)));
                self.broken = !self.checked;
            }
            Spoilt::Turned => {
                // Of Modbus TCP only the transaction and protocol numbers are known beforehand.
                let place = self.dice.below(if self.checked { frame.len() } else { 4 });
                if let Some(byte) = sent.get_mut(place) {
                    *byte ^= 1 << self.dice.below(8);
                }
            }
            Spoilt::No | Spoilt::Lost | Spoilt::Late => {}
        }
        sent
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Wire<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Wire<T> {
    /// A reply comes in one piece: it is far below the size at which the server would write in two.
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, frame: &[u8]) -> Poll<io::Result<usize>> {
        if self.broken {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let is_plain = *self.next.lock().unwrap_or_else(std::sync::PoisonError::into_inner) == Spoilt::No;
        if is_plain {
            return Pin::new(&mut self.inner).poll_write(cx, frame);
        }
        let sent = self.spoil(frame);
        match Pin::new(&mut self.inner).poll_write(cx, &sent) {
            // What the socket did not take of a spoilt frame is lost, which spoils it no less.
            Poll::Ready(Ok(_)) => Poll::Ready(Ok(frame.len())),
            other => other,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
