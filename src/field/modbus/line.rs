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
            question.request.items_of(&frame.pdu)
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

#[cfg(test)]
mod tests {
    use super::super::line_model::{Act, Asked, Dice, Direction, Order, register, serve};
    use super::super::metrics::Metrics;
    use super::*;
    use crate::config::Table;
    use crate::point::UtcMs;
    use tokio::io::DuplexStream;

    const TIMEOUT: Duration = Duration::from_millis(100);
    const QUICK: Duration = Duration::from_millis(5);

    /// Runs `client` against a server that plays `script`.
    async fn against<T>(
        order: Order,
        script: impl FnMut(Asked) -> Direction,
        client: impl AsyncFnOnce(Line<DuplexStream>, BusMetrics) -> T,
    ) -> T {
        let (ours, theirs) = tokio::io::duplex(4096);
        let metrics = Metrics::new().of_bus("model");
        let line = Line::new(ours, Clock::starting_at(UtcMs(0)), metrics.clone());
        let client = client(line, metrics);
        let mut server = std::pin::pin!(serve(theirs, order, script));
        let mut client = std::pin::pin!(client);
        tokio::select! {
            outcome = &mut client => outcome,
            () = &mut server => client.await,
        }
    }

    fn request(table: Table, start: u16, count: u16) -> ReadRequest {
        ReadRequest::new(table, start, count).unwrap()
    }

    fn right(unit: u8, asked: ReadRequest) -> Vec<u16> {
        (0..asked.count()).map(|offset| register(unit, asked.function(), asked.start() + offset)).collect()
    }

    /// 10,000 reads of a server whose delays lie around the timeout; how many came late.
    async fn ten_thousand_reads(order: Order, seed: u64) -> u64 {
        let mut delays = Dice(seed);
        let script = move |_| (Duration::from_millis(delays.roll(160)), Act::Answer);
        against(order, script, async move |mut line, metrics| {
            let mut dice = Dice(!seed);
            let (mut wrong, mut good) = (0, 0);
            for _ in 0..10_000 {
                let table = if dice.roll(2) == 0 { Table::Holding } else { Table::Input };
                // Same unit, same few lengths: only the transaction tells the answers apart.
                let asked = request(table, u16::try_from(dice.roll(1_000)).unwrap(), 2);
                match line.ask(1, asked, TIMEOUT).await {
                    Ok(words) if words == right(1, asked) => good += 1,
                    Ok(_) => wrong += 1,
                    Err(AskError::Timeout) => {}
                    Err(other) => panic!("{other}"),
                }
            }
            assert_eq!(wrong, 0, "wrong values, seed {seed}");
            assert_eq!(metrics.strays.get(), 0, "every late reply is known as one");
            assert_eq!(metrics.timeouts.get() + good, 10_000);
            assert!(good > 1_000, "{good} good reads");
            metrics.late.get()
        })
        .await
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_reply_is_never_taken_for_another_answer() {
        for seed in [1, 2, 3] {
            for order in [Order::Serial, Order::Concurrent] {
                let late = ten_thousand_reads(order, seed).await;
                assert!(late > 1_000, "the script makes late replies: {late}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_late_reply_the_next_request_is_good_again() {
        for delay_ms in 101..190 {
            let script = move |asked: Asked| {
                let late = asked.number == 0;
                (if late { Duration::from_millis(delay_ms) } else { QUICK }, Act::Answer)
            };
            against(Order::Serial, script, async |mut line, metrics| {
                let (first, second) = (request(Table::Holding, 400, 4), request(Table::Holding, 500, 4));
                assert!(matches!(line.ask(1, first, TIMEOUT).await, Err(AskError::Timeout)));
                assert_eq!(line.ask(1, second, TIMEOUT).await.unwrap(), right(1, second));
                assert_eq!(metrics.late.get(), 1);
            })
            .await;
        }
    }

    /// What one bad reply is called, and that the line is good or known to be broken after it.
    #[tokio::test(start_paused = true)]
    async fn each_bad_reply_has_a_name_and_the_next_read_is_right() {
        let cases = [
            (Act::Exception(2), Fault::Exception(2), false),
            (Act::Exception(11), Fault::Exception(11), false),
            (Act::WrongTransaction, Fault::Timeout, false),
            (Act::WrongUnit, Fault::Malformed, false),
            (Act::WrongFunction, Fault::Malformed, false),
            (Act::OneRegisterLess, Fault::Malformed, false),
            (Act::WrongByteCount, Fault::Malformed, false),
            (Act::Silence, Fault::Timeout, false),
            (Act::Header { protocol: 0, length: 65_535 }, Fault::Malformed, true),
            (Act::Header { protocol: 0, length: 0 }, Fault::Malformed, true),
            (Act::Header { protocol: 1, length: 5 }, Fault::Malformed, true),
            (Act::Disconnect, Fault::NoConnection, true),
        ];
        for (act, fault, breaks) in cases {
            let script = move |asked: Asked| (QUICK, if asked.number == 0 { act } else { Act::Answer });
            against(Order::Serial, script, async |mut line, _| {
                let asked = request(Table::Input, 30, 3);
                let error = line.ask(7, asked, TIMEOUT).await.unwrap_err();
                assert_eq!(error.fault(), fault, "{act:?}: {error}");
                assert_eq!(error.broken().is_some(), breaks, "{act:?}");
                if !breaks {
                    assert_eq!(line.ask(7, asked, TIMEOUT).await.unwrap(), right(7, asked), "{act:?}");
                }
            })
            .await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn split_glued_and_doubled_replies_are_read_right() {
        for act in [Act::ByteByByte(2), Act::UnsolicitedBefore, Act::Twice] {
            against(
                Order::Serial,
                move |_| (QUICK, act),
                async |mut line, _| {
                    // Every second one is clean, so that strays do not add up to a broken line.
                    for start in 0..200 {
                        let asked = request(Table::Holding, start, 10);
                        assert_eq!(line.ask(3, asked, TIMEOUT).await.unwrap(), right(3, asked), "{act:?}");
                    }
                },
            )
            .await;
        }
    }

    /// Any mix of bad habits, seeded: a value is right or there is none.
    #[tokio::test(start_paused = true)]
    async fn a_server_with_every_bad_habit_never_makes_a_wrong_value() {
        let mut good = 0;
        for seed in 0..200 {
            let mut play = Dice(seed);
            let script = move |_| {
                let act = match play.roll(16) {
                    0 => Act::Exception(u8::try_from(1 + play.roll(11)).unwrap()),
                    1 => Act::WrongTransaction,
                    2 => Act::WrongUnit,
                    3 => Act::WrongFunction,
                    4 => Act::OneRegisterLess,
                    5 => Act::WrongByteCount,
                    6 => Act::ByteByByte(1),
                    7 => Act::UnsolicitedBefore,
                    8 => Act::Twice,
                    9 if play.roll(20) == 0 => Act::Header { protocol: 0, length: 65_535 },
                    10 if play.roll(20) == 0 => Act::Disconnect,
                    11 => Act::Silence,
                    _ => Act::Answer,
                };
                (Duration::from_millis(play.roll(130)), act)
            };
            good += against(Order::Serial, script, async move |mut line, _| {
                let (mut dice, mut good) = (Dice(!seed), 0);
                for _ in 0..200 {
                    let asked = request(Table::Input, u16::try_from(dice.roll(300)).unwrap(), 2);
                    match line.ask(9, asked, TIMEOUT).await {
                        Ok(words) => {
                            assert_eq!(words, right(9, asked), "seed {seed}");
                            good += 1;
                        }
                        Err(AskError::Broken(_)) => break,
                        Err(_) => {}
                    }
                }
                good
            })
            .await;
        }
        assert!(good > 1_000, "{good} good reads");
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_is_out_of_step_is_left() {
        against(
            Order::Serial,
            |_| (QUICK, Act::WrongUnit),
            async |mut line, metrics| {
                let asked = request(Table::Holding, 0, 1);
                for _ in 1..MISMATCHES_MAX {
                    assert!(matches!(line.ask(1, asked, TIMEOUT).await, Err(AskError::Malformed(_))));
                }
                let last = line.ask(1, asked, TIMEOUT).await;
                assert!(matches!(last, Err(AskError::Broken(Broken::OutOfStep))));
                assert_eq!(metrics.malformed.get(), u64::from(MISMATCHES_MAX));
            },
        )
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_half_open_connection_is_given_up_but_not_for_a_few_mute_units() {
        let mute = |asked: Asked| (QUICK, if asked.unit == 1 { Act::Answer } else { Act::Silence });
        against(Order::Serial, mute, async |mut line, _| {
            let asked = request(Table::Holding, 0, 1);
            // Eight mute units in a row on a live gateway, round after round.
            for _ in 0..20 {
                assert!(line.ask(1, asked, TIMEOUT).await.is_ok());
                for unit in 2..10 {
                    assert!(matches!(line.ask(unit, asked, TIMEOUT).await, Err(AskError::Timeout)));
                }
            }
            let silent_from = line.clock.mono();
            loop {
                match line.ask(2, asked, TIMEOUT).await.unwrap_err() {
                    AskError::Timeout => {}
                    AskError::Broken(Broken::Silent(ms)) => break assert!(ms >= SILENCE_MAX_MS),
                    other => panic!("{other}"),
                }
            }
            assert!(line.clock.mono().since_ms(silent_from) < SILENCE_MAX_MS + 1_000);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_line_drains_late_replies_and_notices_the_end() {
        let script = |asked: Asked| match asked.number {
            0 => (2 * TIMEOUT, Act::Answer),
            _ => (Duration::from_secs(1), Act::Disconnect),
        };
        against(Order::Serial, script, async |mut line, metrics| {
            let asked = request(Table::Holding, 0, 1);
            assert!(line.ask(1, asked, TIMEOUT).await.is_err());
            assert!(line.ask(1, asked, TIMEOUT).await.is_err());
            assert!(matches!(line.idle().await, Broken::Closed));
            assert_eq!(metrics.late.get(), 1);
        })
        .await;
    }

    #[test]
    fn transaction_ids_wrap_and_pass_over_those_given_up() {
        let (ours, _theirs) = tokio::io::duplex(64);
        let mut line = Line::new(ours, Clock::starting_at(UtcMs(0)), Metrics::new().of_bus("model"));
        line.last_transaction = u16::MAX - 1;
        line.abandoned.extend([0, 2]);
        let ids: Vec<u16> = (0..3).map(|_| line.next_transaction()).collect();
        assert_eq!(ids, [u16::MAX, 1, 3]);
    }
}
