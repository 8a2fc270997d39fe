//! One connection: a question, its own answer, nothing else.
//!
//! **Invariant:** values come only from a frame with the transaction id, unit, function and
//! length of the question that is waiting. A late reply is discarded and counted.

use super::codec::{Frame, Mbap, Question, StreamError};
use super::frame::{Mismatch, ReadRequest, Refusal};
use super::metrics::BusMetrics;
use crate::clock::{Clock, Mono};
use crate::field::Fault;
use futures_util::{SinkExt, StreamExt};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::codec::Framed;

/// Frames in a row that fit nothing, after which the other side is not trusted to be in step.
pub const MISMATCHES_MAX: u32 = 4;
/// Timeouts in a row without any frame that make a connection suspect of being half open ...
pub const SILENT_TIMEOUTS_MAX: u32 = 3;
/// ... once the silence has lasted this long. Some mute units behind a live gateway are not enough.
pub const SILENCE_MAX_MS: u64 = 10_000;
/// Given-up transactions whose late reply is still recognised as such.
const ABANDONED_MAX: usize = 64;

/// Why a question got no values.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No answer within the time given.
    #[error("no answer in time")]
    Timeout,
    /// The device answered with an exception.
    #[error("exception {0}")]
    Exception(u8),
    /// The answer is not one.
    #[error(transparent)]
    Malformed(Mismatch),
    /// The connection is of no more use.
    #[error(transparent)]
    Broken(#[from] Broken),
}

/// Why a connection has to be thrown away.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The other side closed it.
    #[error("the other side closed the connection")]
    Closed,
    /// It failed, or what it carries is not Modbus TCP.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// Too many frames that answer nothing.
    #[error("{MISMATCHES_MAX} frames in a row fit no request")]
    OutOfStep,
    /// Nothing at all is heard any more.
    #[error("no frame for {0} ms")]
    Silent(u64),
}

impl AskError {
    /// Why the line is of no more use, if it is not.
    pub fn broken(self) -> Option<Broken> {
        match self {
            AskError::Broken(broken) => Some(broken),
            AskError::Timeout | AskError::Exception(_) | AskError::Malformed(_) => None,
        }
    }

    /// What the points of the request are told.
    pub fn fault(&self) -> Fault {
        match self {
            AskError::Timeout | AskError::Broken(Broken::Silent(_)) => Fault::Timeout,
            AskError::Exception(code) => Fault::Exception(*code),
            AskError::Malformed(_) | AskError::Broken(Broken::OutOfStep) => Fault::Malformed,
            AskError::Broken(Broken::Stream(StreamError::Protocol(_) | StreamError::Length(_))) => {
                Fault::Malformed
            }
            AskError::Broken(Broken::Closed | Broken::Stream(StreamError::Io(_))) => Fault::NoConnection,
        }
    }
}

/// A connection to a Modbus TCP server over any byte stream, one question at a time.
#[derive(Debug)]
pub struct Line<S> {
    framed: Framed<S, Mbap>,
    clock: Clock,
    metrics: BusMetrics,
    last_transaction: u16,
    abandoned: VecDeque<u16>,
    mismatches: u32,
    silent_timeouts: u32,
    heard_at: Mono,
    answered: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Line<S> {
    /// A line over a fresh connection.
    pub(super) fn new(stream: S, clock: Clock, metrics: BusMetrics) -> Line<S> {
        Line {
            framed: Framed::new(stream, Mbap),
            heard_at: clock.mono(),
            clock,
            metrics,
            last_transaction: 0,
            abandoned: VecDeque::new(),
            mismatches: 0,
            silent_timeouts: 0,
            answered: false,
        }
    }

    /// Whether any device has answered on this connection, be it with an exception.
    pub fn answered(&self) -> bool {
        self.answered
    }

    /// Asks `unit` and waits for its answer: the registers, as many as asked for.
    ///
    /// After [`AskError::Broken`] the line must be dropped; after any other error it is in order.
    pub async fn ask(
        &mut self,
        unit: u8,
        request: ReadRequest,
        timeout: Duration,
    ) -> Result<Vec<u16>, AskError> {
        let transaction = self.next_transaction();
        self.metrics.requests.inc();
        let exchange = self.exchange(Question { transaction, unit, request });
        match tokio::time::timeout(timeout, exchange).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => Err(self.give_up(transaction)),
        }
    }

    /// Listens while nothing is asked, so that late replies do not pile up and a closed
    /// connection is noticed before the next question. Ends only with the connection.
    /// Dropping the future loses nothing.
    pub async fn idle(&mut self) -> Broken {
        loop {
            match self.receive().await {
                Ok(frame) => {
                    if let Err(broken) = self.discard(&frame) {
                        return broken;
                    }
                }
                Err(broken) => return broken,
            }
        }
    }

    async fn exchange(&mut self, question: Question) -> Result<Vec<u16>, AskError> {
        self.framed.send(question).await.map_err(Broken::from)?;
        loop {
            let frame = self.receive().await?;
            if frame.transaction == question.transaction {
                return self.judge(question, &frame);
            }
            self.discard(&frame)?;
        }
    }

    async fn receive(&mut self) -> Result<Frame, Broken> {
        let frame = self.framed.next().await.ok_or(Broken::Closed)??;
        // Whosever frame it is, the other side lives.
        self.heard_at = self.clock.mono();
        self.silent_timeouts = 0;
        Ok(frame)
    }

    /// The frame bears the transaction id that is waiting: is it the answer?
    fn judge(&mut self, question: Question, frame: &Frame) -> Result<Vec<u16>, AskError> {
        let refusal = if frame.unit == question.unit {
            question.request.registers_of(&frame.pdu)
        } else {
            Err(Mismatch::Unit { asked: question.unit, got: frame.unit }.into())
        };
        match refusal {
            Ok(registers) => {
                self.metrics.replies.inc();
                self.in_step();
                Ok(registers)
            }
            Err(Refusal::Exception(code)) => {
                self.metrics.exception(code);
                self.in_step();
                Err(AskError::Exception(code))
            }
            Err(Refusal::Malformed(mismatch)) => {
                self.metrics.malformed.inc();
                self.out_of_step()?;
                Err(AskError::Malformed(mismatch))
            }
        }
    }

    /// A frame nobody waits for.
    fn discard(&mut self, frame: &Frame) -> Result<(), Broken> {
        if let Some(position) = self.abandoned.iter().position(|given_up| *given_up == frame.transaction) {
            self.abandoned.remove(position);
            self.metrics.late.inc();
            return Ok(());
        }
        self.metrics.strays.inc();
        self.out_of_step()
    }

    fn in_step(&mut self) {
        self.mismatches = 0;
        self.answered = true;
    }

    fn out_of_step(&mut self) -> Result<(), Broken> {
        self.mismatches += 1;
        if self.mismatches < MISMATCHES_MAX { Ok(()) } else { Err(Broken::OutOfStep) }
    }

    fn give_up(&mut self, transaction: u16) -> AskError {
        self.metrics.timeouts.inc();
        if self.abandoned.len() == ABANDONED_MAX {
            self.abandoned.pop_front();
        }
        self.abandoned.push_back(transaction);
        self.silent_timeouts += 1;
        let silence_ms = self.clock.mono().since_ms(self.heard_at);
        if self.silent_timeouts >= SILENT_TIMEOUTS_MAX && silence_ms >= SILENCE_MAX_MS {
            return Broken::Silent(silence_ms).into();
        }
        AskError::Timeout
    }

    /// Ids count up and wrap; one whose reply may still come is passed over.
    fn next_transaction(&mut self) -> u16 {
        loop {
            self.last_transaction = self.last_transaction.wrapping_add(1);
            if !self.abandoned.contains(&self.last_transaction) {
                return self.last_transaction;
            }
        }
    }
}
