//! One connection: a question, its own answer, nothing else; one face for both framings.
//!
//! **Invariant:** values come only from a frame that can answer no other question than the one
//! that waits: by its transaction id (`line_mbap`), or because no older answer of its shape can
//! still come (`line_rtu`, `doubt`). A late reply is discarded and counted.

use super::codec::StreamError;
use super::doubt::Doubts;
use super::frame::{Mismatch, ReadRequest, Refusal};
use super::line_mbap::{MISMATCHES_MAX, MbapLine};
use super::line_rtu::RtuLine;
use super::metrics::BusMetrics;
use crate::clock::{Clock, Mono, Now};
use crate::config::{self, Serial};
use crate::field::Fault;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

/// Timeouts in a row without any frame that make a connection suspect of being half open ...
pub const SILENT_TIMEOUTS_MAX: u32 = 3;
/// ... once the silence has lasted this long. Some mute units behind a live gateway are not enough.
pub const SILENCE_MAX_MS: u64 = 10_000;
/// Why a question got no values.
#[derive(Clone, Debug, thiserror::Error)]
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
    /// It was not asked: answers to older questions may still come, and nothing would tell them
    /// from its own (RTU only).
    #[error("older answers of the unit may still come")]
    Doubt,
    /// The connection is of no more use. Every question that waits is told.
    #[error(transparent)]
    Broken(#[from] Broken),
}

/// Why a connection has to be thrown away.
#[derive(Clone, Debug, thiserror::Error)]
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
            AskError::Timeout | AskError::Exception(_) | AskError::Malformed(_) | AskError::Doubt => None,
        }
    }

    /// What the points of the request are told.
    pub fn fault(&self) -> Fault {
        match self {
            AskError::Timeout | AskError::Doubt | AskError::Broken(Broken::Silent(_)) => Fault::Timeout,
            AskError::Exception(code) => Fault::Exception(*code),
            AskError::Malformed(_) | AskError::Broken(Broken::OutOfStep) => Fault::Malformed,
            AskError::Broken(Broken::Stream(StreamError::Protocol(_) | StreamError::Length(_))) => {
                Fault::Malformed
            }
            AskError::Broken(Broken::Closed | Broken::Stream(StreamError::Io(_))) => Fault::NoConnection,
        }
    }
}

/// How frames are told apart on a connection.
#[derive(Clone, Copy, Debug)]
pub enum Framing {
    /// Modbus TCP.
    Mbap,
    /// RTU, on a serial line or through the socket of a serial server.
    Rtu(Pace),
}

impl Framing {
    /// The framing of a bus.
    pub fn of(plan: &config::Bus) -> Framing {
        match plan.link.serial() {
            None => Framing::Mbap,
            Some(serial) => Framing::Rtu(Pace {
                serial,
                turnaround: Duration::from_millis(plan.turnaround_ms),
                unit_change: Duration::from_millis(plan.unit_change_ms),
            }),
        }
    }
}

/// The pauses of an RTU line.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Decides how long a character and the silence between frames are.
    pub serial: Serial,
    /// Further silence after an answer.
    pub turnaround: Duration,
    /// Further silence before a request to another unit than the last.
    pub unit_change: Duration,
}

/// What became of a question, and when.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The items, as many as asked for.
    pub outcome: Result<Vec<u16>, AskError>,
    /// When it was put on the wire; if it never was, when that was known.
    pub asked_at: Mono,
    /// When the outcome was known.
    pub answered_at: Now,
}

/// The moment a span of time from now is over; nothing but a timer's own notion of it.
pub(super) fn from_now(span: Duration) -> Instant {
    tokio::time::sleep(span).deadline()
}

/// A connection over any byte stream.
#[derive(Debug)]
pub struct Line<S> {
    wire: Wire<S>,
    vitals: Vitals,
}

#[derive(Debug)]
enum Wire<S> {
    Mbap(Box<MbapLine<S>>),
    Rtu(Box<RtuLine<S>>),
}

/// What is known of the other side, whatever the framing.
#[derive(Debug)]
pub(super) struct Vitals {
    pub clock: Clock,
    pub metrics: BusMetrics,
    silent_timeouts: u32,
    heard_at: Mono,
    answered: bool,
}

impl Vitals {
    pub fn new(clock: Clock, metrics: BusMetrics) -> Vitals {
        Vitals { heard_at: clock.mono(), clock, metrics, silent_timeouts: 0, answered: false }
    }

    /// Whosever bytes they are, the other side lives.
    pub fn heard(&mut self) -> Now {
        let now = self.clock.now();
        self.heard_at = now.mono;
        self.silent_timeouts = 0;
        now
    }

    /// The question got no answer in time; is the connection half open?
    pub fn gave_up(&mut self) -> AskError {
        self.metrics.timeouts.inc();
        self.silent_timeouts += 1;
        let silence_ms = self.clock.mono().since_ms(self.heard_at);
        if self.silent_timeouts >= SILENT_TIMEOUTS_MAX && silence_ms >= SILENCE_MAX_MS {
            return Broken::Silent(silence_ms).into();
        }
        AskError::Timeout
    }

    /// The answer to the question itself: its items, its exception, or what is wrong with it.
    pub fn judged(&mut self, outcome: Result<Vec<u16>, Refusal>) -> Result<Vec<u16>, AskError> {
        match outcome {
            Ok(items) => {
                self.metrics.replies.inc();
                self.answered = true;
                Ok(items)
            }
            Err(Refusal::Exception(code)) => {
                self.metrics.exception(code);
                self.answered = true;
                Err(AskError::Exception(code))
            }
            Err(Refusal::Malformed(mismatch)) => {
                self.metrics.malformed.inc();
                self.metrics.mismatch(mismatch);
                Err(AskError::Malformed(mismatch))
            }
        }
    }

    /// An answer that is known now.
    pub fn answer(&self, outcome: Result<Vec<u16>, AskError>, asked_at: Option<Mono>) -> Answer {
        let answered_at = self.clock.now();
        Answer { outcome, asked_at: asked_at.unwrap_or(answered_at.mono), answered_at }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Line<S> {
    /// A line over a fresh connection.
    pub(super) fn new(stream: S, framing: Framing, clock: Clock, metrics: BusMetrics) -> Line<S> {
        let wire = match framing {
            Framing::Mbap => Wire::Mbap(Box::new(MbapLine::new(stream))),
            Framing::Rtu(pace) => Wire::Rtu(Box::new(RtuLine::new(stream, pace))),
        };
        Line { wire, vitals: Vitals::new(clock, metrics) }
    }

    /// Whether any device has answered on this connection, be it with an exception.
    pub fn answered(&self) -> bool {
        self.vitals.answered
    }

    /// One question by itself, which only tests ask.
    #[cfg(test)]
    pub async fn ask(
        &mut self,
        unit: u8,
        request: ReadRequest,
        timeout: Duration,
    ) -> Result<Vec<u16>, AskError> {
        let mut answers = self.ask_many(unit, &[request], timeout, 1).await;
        answers.pop().map_or(Err(AskError::Broken(Broken::Closed)), |answer| answer.outcome)
    }

    /// Asks `unit` several questions and waits for all answers, which are in the order of the
    /// questions. Each has its own `timeout`, from when its turn has come.
    ///
    /// On RTU it may have to wait for silence before, and for a canary (`doubt`), which has as much
    /// time again. On Modbus TCP up to `depth` questions wait at once; RTU can only ask one after
    /// the other. After [`AskError::Broken`] the line must be dropped; after any other error it is
    /// in order.
    /// If the line breaks, every question without an answer gets [`AskError::Broken`] with the one
    /// reason, those not yet asked too.
    pub async fn ask_many(
        &mut self,
        unit: u8,
        requests: &[ReadRequest],
        timeout: Duration,
        depth: usize,
    ) -> Vec<Answer> {
        match &mut self.wire {
            Wire::Mbap(line) => line.ask_many(&mut self.vitals, unit, requests, timeout, depth).await,
            Wire::Rtu(line) => line.ask_many(&mut self.vitals, unit, requests, timeout).await,
        }
    }

    /// Listens while nothing is asked, so that late replies do not pile up and a closed
    /// connection is noticed before the next question. Ends only with the connection.
    /// Dropping the future loses nothing.
    pub async fn idle(&mut self) -> Broken {
        match &mut self.wire {
            Wire::Mbap(line) => line.idle(&mut self.vitals).await,
            Wire::Rtu(line) => line.idle(&mut self.vitals).await,
        }
    }

    /// What may still be answered, for the next connection to the same bus: behind a serial
    /// server a late reply reaches whoever is connected then. Closes the connection.
    pub fn into_doubts(self) -> Doubts {
        match self.wire {
            Wire::Mbap(_) => Doubts::default(),
            Wire::Rtu(line) => line.into_doubts(),
        }
    }

    /// Takes over what may still be answered from the connection before.
    #[must_use]
    pub fn with_doubts(mut self, doubts: Doubts) -> Line<S> {
        if let Wire::Rtu(line) = &mut self.wire {
            line.set_doubts(doubts);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::super::line_model::{Act, Asked, Dice, Direction, Order, register, serve};
    use super::super::metrics::Metrics;
    use super::*;
    use crate::config::Table;
    use crate::point::UtcMs;
    use std::sync::{Arc, Mutex};
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
        let line = Line::new(ours, Framing::Mbap, Clock::starting_at(UtcMs(0)), metrics.clone());
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
            let silent_from = line.vitals.clock.mono();
            loop {
                match line.ask(2, asked, TIMEOUT).await.unwrap_err() {
                    AskError::Timeout => {}
                    AskError::Broken(Broken::Silent(ms)) => break assert!(ms >= SILENCE_MAX_MS),
                    other => panic!("{other}"),
                }
            }
            assert!(line.vitals.clock.mono().since_ms(silent_from) < SILENCE_MAX_MS + 1_000);
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

    /// Several questions at once, answered in any order, some late or never: each gets its own
    /// answer, and never are more on the wire than allowed.
    #[tokio::test(start_paused = true)]
    async fn answers_in_any_order_find_their_questions() {
        for (depth, seed) in [(1, 1), (2, 2), (5, 3), (16, 4), (300, 5)] {
            let most = Arc::new(Mutex::new(0));
            let seen = Arc::clone(&most);
            let mut delays = Dice(seed);
            let script = move |asked: Asked| {
                let mut most = seen.lock().unwrap();
                *most = asked.outstanding.max(*most);
                (Duration::from_millis(delays.roll(90)), Act::Answer)
            };
            against(Order::Concurrent, script, async |mut line, metrics| {
                for batch in 0..10 {
                    let asked: Vec<ReadRequest> =
                        (0..40).map(|place| request(Table::Holding, 100 * batch + place, 2)).collect();
                    let answers = line.ask_many(1, &asked, TIMEOUT, depth).await;
                    assert_eq!(answers.len(), asked.len());
                    for (asked, answer) in asked.iter().zip(&answers) {
                        assert_eq!(answer.outcome.as_ref().unwrap(), &right(1, *asked));
                        assert!(answer.answered_at.mono.since_ms(answer.asked_at) <= 91);
                    }
                }
                assert_eq!((metrics.requests.get(), metrics.strays.get(), metrics.late.get()), (400, 0, 0));
            })
            .await;
            assert_eq!(*most.lock().unwrap(), depth.min(40));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_timeout_of_one_question_does_not_touch_the_others() {
        let script = |asked: Asked| match asked.start {
            3 => (Duration::from_millis(150), Act::Answer),
            4 => (QUICK, Act::Exception(2)),
            5 => (QUICK, Act::WrongUnit),
            6 => (QUICK, Act::Silence),
            _ => (Duration::from_millis(40), Act::Answer),
        };
        against(Order::Concurrent, script, async |mut line, metrics| {
            let asked: Vec<ReadRequest> = (0..12).map(|start| request(Table::Input, start, 2)).collect();
            let answers = line.ask_many(1, &asked, TIMEOUT, 4).await;
            for (asked, answer) in asked.iter().zip(answers) {
                match (asked.start(), answer.outcome) {
                    (3 | 6, outcome) => assert!(matches!(outcome, Err(AskError::Timeout))),
                    (4, outcome) => assert!(matches!(outcome, Err(AskError::Exception(2)))),
                    (5, outcome) => assert!(matches!(outcome, Err(AskError::Malformed(_)))),
                    (_, outcome) => assert_eq!(outcome.unwrap(), right(1, *asked)),
                }
            }
            // The late one comes while something else is asked, or while nothing is.
            assert!(line.ask(1, asked[0], TIMEOUT).await.is_ok());
            assert!(line.ask(1, asked[1], TIMEOUT).await.is_ok());
            assert_eq!((metrics.timeouts.get(), metrics.late.get(), metrics.strays.get()), (2, 1, 0));
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_broken_line_answers_every_question_that_waits_or_is_left() {
        let script = |asked: Asked| match asked.number {
            0 => (QUICK, Act::Answer),
            1 => (2 * QUICK, Act::Disconnect),
            _ => (TIMEOUT / 2, Act::Answer),
        };
        against(Order::Concurrent, script, async |mut line, _| {
            let asked: Vec<ReadRequest> = (0..9).map(|start| request(Table::Coil, start, 20)).collect();
            let answers = line.ask_many(1, &asked, TIMEOUT, 3).await;
            assert_eq!(answers[0].outcome.as_ref().unwrap().len(), 20);
            for answer in &answers[1..] {
                assert!(matches!(answer.outcome, Err(AskError::Broken(Broken::Closed))), "{answer:?}");
            }
            assert_eq!(answers.len(), 9);
        })
        .await;
    }

    /// What leaves a line is what tokio-modbus would send, on both framings.
    #[tokio::test]
    async fn requests_are_byte_for_byte_those_of_tokio_modbus() {
        use tokio_modbus::prelude::{Client, Request, Slave, rtu, tcp};
        let asked = [
            (request(Table::Coil, 0x13, 0x13), Request::ReadCoils(0x13, 0x13)),
            (request(Table::Discrete, 0xC4, 2_000), Request::ReadDiscreteInputs(0xC4, 2_000)),
            (request(Table::Holding, 65_535, 1), Request::ReadHoldingRegisters(65_535, 1)),
            (request(Table::Input, 8, 125), Request::ReadInputRegisters(8, 125)),
        ];
        for (ours, theirs) in asked {
            for unit in [1, 17, 247] {
                let (near, mut far) = tokio::io::duplex(64);
                let mut client = rtu::attach_slave(near, Slave(unit));
                let sent = heard(&mut far, 8, client.call(theirs.clone())).await;
                assert_eq!(sent, super::super::rtu::request(unit, ours));

                let (near, mut far) = tokio::io::duplex(64);
                let mut client = tcp::attach_slave(near, Slave(unit));
                let sent = heard(&mut far, 12, client.call(theirs.clone())).await;
                let (near, mut far) = tokio::io::duplex(64);
                let clock = Clock::starting_at(UtcMs(0));
                let mut line = Line::new(near, Framing::Mbap, clock, Metrics::new().of_bus("model"));
                let mine = heard(&mut far, 12, line.ask(unit, ours, TIMEOUT)).await;
                // Their transactions count from 0, ours from 1.
                assert_eq!(sent[2..], mine[2..]);
            }
        }
    }

    /// The first bytes that leave while `client` waits for an answer that never comes.
    async fn heard<T>(far: &mut DuplexStream, count: usize, client: impl Future<Output = T>) -> Vec<u8> {
        use tokio::io::AsyncReadExt;
        let mut bytes = vec![0; count];
        tokio::select! {
            _ = client => panic!("an answer from nowhere"),
            read = far.read_exact(&mut bytes) => assert_eq!(read.unwrap(), count),
        }
        bytes
    }
}
