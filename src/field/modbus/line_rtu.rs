//! RTU on one line: one question at a time, silence around it, and no answer taken on trust.

use super::codec::StreamError;
use super::doubt::{Doubts, Owner, Reply, Shape};
use super::frame::{Mismatch, ReadRequest, Refusal};
use super::line::{Answer, AskError, Broken, Pace, Vitals, from_now};
use super::rtu::{Awaited, Frame, Piece, REQUEST_BYTES, Receiver, Rest, request};
use crate::clock::Mono;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

/// Silence that ends a frame at the least: USB adapters hold bytes back for up to 16 ms, serial
/// servers cut where they like.
const CHOP: Duration = Duration::from_millis(20);
/// Silence after a question that was not answered rightly, before any other is asked.
const SETTLE: Duration = Duration::from_millis(50);
/// A line that carries bytes for so long without falling silent babbles.
const BABBLE: Duration = Duration::from_secs(1);
/// Canaries for one question; each answered one leaves fewer older answers that may come.
const CANARIES_MAX: usize = 4;

/// How a question ended.
enum Outcome {
    /// With data that are its own.
    Items(Vec<u16>),
    /// With an exception that is its own, or that nothing better followed in time.
    Exception(u8),
    /// With an answer to it or to an older question: enough for a canary.
    Unclear,
}

/// A question on the wire, and what was heard since.
struct Asking {
    unit: u8,
    question: ReadRequest,
    /// Its number in the book of doubts.
    number: u64,
    awaited: Awaited,
    is_canary: bool,
    /// Anything at all was heard.
    heard: bool,
    /// Something was taken from what was heard before the answer.
    preceded: bool,
    /// A frame that answers nothing ever asked.
    mismatch: Option<Mismatch>,
    /// An exception to it, or to an older question of its function.
    exception: Option<u8>,
}

impl Asking {
    /// What is wrong with a frame that answers nothing ever asked.
    fn mismatch_of(&self, frame: &Frame) -> Option<Mismatch> {
        if frame.unit != self.unit {
            return Some(Mismatch::Unit { asked: self.unit, got: frame.unit });
        }
        match self.question.items_of(&frame.pdu) {
            Err(Refusal::Malformed(mismatch)) => Some(mismatch),
            Ok(_) | Err(Refusal::Exception(_)) => None,
        }
    }

    /// What is known to be wrong, with `rest` still unread; a frame of another unit may have come
    /// in between.
    fn wrong(&self, rest: Rest) -> Option<Mismatch> {
        let own = self.mismatch.filter(|mismatch| !matches!(mismatch, Mismatch::Unit { .. }));
        own.or((rest == Rest::Damaged).then_some(Mismatch::Checksum))
    }
}

/// Whether the adapter hears what it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Echo {
    Unknown,
    Seen,
    /// An answer came with nothing before it.
    Never,
}

/// A serial line, or the socket of a serial server.
#[derive(Debug)]
pub struct RtuLine<S> {
    stream: S,
    pace: Pace,
    receiver: Receiver,
    doubts: Doubts,
    echo: Echo,
    /// When the line carried its last byte, as far as it is known here.
    last_byte: Instant,
    last_unit: Option<u8>,
    /// The last frame since the last question.
    last_frame: Option<Frame>,
    /// The last question was answered rightly.
    in_order: bool,
    /// Nothing was asked yet on this connection.
    fresh: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> RtuLine<S> {
    /// Over a fresh connection.
    pub fn new(stream: S, pace: Pace) -> RtuLine<S> {
        RtuLine {
            stream,
            pace,
            receiver: Receiver::default(),
            doubts: Doubts::default(),
            echo: Echo::Unknown,
            last_byte: from_now(Duration::ZERO),
            last_unit: None,
            last_frame: None,
            in_order: false,
            fresh: true,
        }
    }

    /// What may still be answered; the connection goes.
    pub fn into_doubts(self) -> Doubts {
        self.doubts
    }

    /// Takes over what may still be answered.
    pub fn set_doubts(&mut self, doubts: Doubts) {
        self.doubts = doubts;
    }

    /// One after the other: a bus has one voice.
    pub async fn ask_many(
        &mut self,
        vitals: &mut Vitals,
        unit: u8,
        requests: &[ReadRequest],
        timeout: Duration,
    ) -> Vec<Answer> {
        let mut answers = Vec::with_capacity(requests.len());
        let mut broken: Option<Broken> = None;
        for request in requests {
            let mut asked_at = None;
            let outcome = match &broken {
                Some(broken) => Err(broken.clone().into()),
                None => self.ask(vitals, unit, *request, timeout, &mut asked_at).await,
            };
            if let Err(AskError::Broken(why)) = &outcome {
                broken = Some(why.clone());
            }
            answers.push(vitals.answer(outcome, asked_at));
        }
        answers
    }

    /// Listens while nothing is asked.
    pub async fn idle(&mut self, vitals: &mut Vitals) -> Broken {
        loop {
            let heard = if self.receiver.is_empty() {
                self.hear(vitals).await
            } else {
                timeout_at(self.silent_at(), self.hear(vitals)).await.unwrap_or(Ok(()))
            };
            if let Err(broken) = heard {
                return broken;
            }
            self.drain(vitals, from_now(Duration::ZERO) >= self.silent_at());
        }
    }

    /// Asks, after a canary where an older answer could be taken for this one's.
    async fn ask(
        &mut self,
        vitals: &mut Vitals,
        unit: u8,
        request: ReadRequest,
        timeout: Duration,
        asked_at: &mut Option<Mono>,
    ) -> Result<Vec<u16>, AskError> {
        self.doubts.lapse(unit, Shape::of(request), vitals.clock.mono().0);
        let mut canaries = 0..CANARIES_MAX;
        loop {
            self.await_silence(vitals, unit, timeout).await?;
            // Judged only now: the late reply may have come during the silence.
            if self.doubts.is_free(unit, Shape::of(request)) {
                break;
            }
            let canary = self.doubts.canary(unit, request).filter(|_| canaries.next().is_some());
            let canary = canary.ok_or(AskError::Doubt)?;
            vitals.metrics.canaries.inc();
            // Data, its own exception or that of an older question: each leaves fewer in doubt.
            let asking = self.asking(vitals, unit, canary, true);
            *asked_at = Some(vitals.clock.mono());
            self.exchange(vitals, asking, timeout).await?;
        }
        let asking = self.asking(vitals, unit, request, false);
        *asked_at = Some(vitals.clock.mono());
        match self.exchange(vitals, asking, timeout).await? {
            Outcome::Items(items) => vitals.judged(Ok(items)),
            Outcome::Exception(code) => vitals.judged(Err(Refusal::Exception(code))),
            Outcome::Unclear => Err(AskError::Doubt),
        }
    }

    /// The silence between two frames.
    fn gap(&self) -> Duration {
        Duration::from_micros(self.pace.serial.frame_gap_us())
    }

    /// When a frame on its way is taken to have ended.
    fn silent_at(&self) -> Instant {
        self.last_byte + CHOP.max(self.gap())
    }

    /// Waits until the line has been silent for as long as the next question asks for. What comes
    /// meanwhile answers nothing that waits.
    async fn await_silence(
        &mut self,
        vitals: &mut Vitals,
        unit: u8,
        timeout: Duration,
    ) -> Result<(), AskError> {
        let mut needed = self.gap();
        if self.in_order {
            needed += self.pace.turnaround;
        }
        if self.last_unit.is_some_and(|last| last != unit) {
            needed += self.pace.unit_change;
        }
        if !self.in_order {
            needed = needed.max(SETTLE);
        }
        if self.fresh {
            // Whoever used the line before, this program before its restart included, may have
            // left a question on it: its answer has the time an answer is given.
            needed = needed.max(timeout);
        }
        let give_up_at = from_now(BABBLE + needed);
        while let Ok(heard) = timeout_at(self.last_byte + needed, self.hear(vitals)).await {
            heard?;
            self.drain(vitals, false);
            if self.last_byte > give_up_at {
                return vitals.judged(Err(Mismatch::Babble.into())).map(|_none| ());
            }
        }
        self.drain(vitals, true);
        Ok(())
    }

    /// Reads what there is. Dropping the future loses nothing.
    async fn hear(&mut self, vitals: &mut Vitals) -> Result<(), Broken> {
        let mut chunk = [0; 256];
        let count = self.stream.read(&mut chunk).await.map_err(StreamError::from)?;
        if count == 0 {
            return Err(Broken::Closed);
        }
        self.last_byte = self.last_byte.max(from_now(Duration::ZERO));
        vitals.heard();
        let dropped = self.receiver.push(chunk.get(..count).unwrap_or_default());
        vitals.metrics.noise_bytes.inc_by(u64::try_from(dropped).unwrap_or(u64::MAX));
        Ok(())
    }

    /// Empties the receiver of what nobody waits for.
    fn drain(&mut self, vitals: &Vitals, silent: bool) {
        while let Some(piece) = self.receiver.next(None, silent) {
            match piece {
                Piece::Frame(frame) => self.discard(vitals, &frame),
                Piece::Noise(count) => noise(vitals, count),
                Piece::Echo => {}
            }
        }
        if silent {
            noise(vitals, self.receiver.clear());
        }
    }

    /// Whose answer a frame is. None if it is the last one again: repeaters send things twice, and
    /// the same frame with no question in between answers nothing more. Should it be another answer
    /// after all, its question only stays in doubt.
    fn owner(&mut self, vitals: &Vitals, frame: &Frame) -> Option<Owner> {
        let now_ms = vitals.clock.mono().0;
        if self.last_frame.as_ref() == Some(frame) {
            return None;
        }
        self.last_frame = Some(frame.clone());
        Some(frame.reply().map_or(Owner::Nobody, |reply| self.doubts.heard(frame.unit, reply, now_ms)))
    }

    /// A frame while nothing waits.
    fn discard(&mut self, vitals: &Vitals, frame: &Frame) {
        match self.owner(vitals, frame) {
            Some(Owner::Only(_) | Owner::Several) => vitals.metrics.late.inc(),
            Some(Owner::Nobody) | None => vitals.metrics.strays.inc(),
        };
    }

    /// Writes the question down before it goes out: from then on it may be answered.
    fn asking(&mut self, vitals: &Vitals, unit: u8, question: ReadRequest, is_canary: bool) -> Asking {
        (self.in_order, self.fresh, self.last_unit, self.last_frame) = (false, false, Some(unit), None);
        vitals.metrics.requests.inc();
        Asking {
            unit,
            question,
            number: self.doubts.asked(unit, Shape::of(question), vitals.clock.mono().0),
            awaited: Awaited::new(unit, question, self.echo != Echo::Never),
            is_canary,
            heard: false,
            preceded: false,
            mismatch: None,
            exception: None,
        }
    }

    /// Sends a question and listens until it is answered, or known not to be.
    async fn exchange(
        &mut self,
        vitals: &mut Vitals,
        mut asking: Asking,
        timeout: Duration,
    ) -> Result<Outcome, AskError> {
        let bytes = request(asking.unit, asking.question);
        // A question half sent would be completed by the next one: then the line is of no use.
        let sent = tokio::time::timeout(timeout, self.stream.write_all(&bytes)).await;
        sent.map_err(std::io::Error::from)
            .flatten()
            .map_err(|error| Broken::from(StreamError::from(error)))?;
        // The kernel or the serial server has it; the wire takes its time.
        self.last_byte = from_now(self.wire_time(REQUEST_BYTES));
        let deadline = self.last_byte + timeout;
        loop {
            let now = from_now(Duration::ZERO);
            let silent_at = self.silent_at();
            let silent = now >= silent_at.min(deadline);
            if let Some(outcome) = self.judge(vitals, &mut asking, silent)? {
                return Ok(outcome);
            }
            if now >= deadline {
                return self.end(vitals, &asking);
            }
            let wrong = asking.wrong(self.receiver.rest(&asking.awaited)).filter(|_| asking.heard);
            match wrong {
                // A whole answer and it is wrong: nothing is gained by waiting on.
                Some(mismatch) if silent => {
                    return vitals.judged(Err(mismatch.into())).map(Outcome::Items);
                }
                _ => {}
            }
            let until = if silent || !asking.heard { deadline } else { silent_at.min(deadline) };
            if let Ok(heard) = timeout_at(until, self.hear(vitals)).await {
                heard?;
                asking.heard = true;
            }
        }
    }

    /// Looks through what was heard for the answer.
    fn judge(
        &mut self,
        vitals: &mut Vitals,
        asking: &mut Asking,
        silent: bool,
    ) -> Result<Option<Outcome>, AskError> {
        let mut alone = true;
        while let Some(piece) = self.receiver.next(Some(&asking.awaited), silent) {
            match piece {
                Piece::Noise(count) => noise(vitals, count),
                Piece::Echo => {
                    vitals.metrics.echoes.inc();
                    self.echo = Echo::Seen;
                    // Once: what looks like it from now on is the answer.
                    asking.awaited.echo = None;
                }
                Piece::Frame(frame) => {
                    let outcome = self.weigh(vitals, asking, &frame)?;
                    if outcome.is_some() {
                        if alone && self.echo == Echo::Unknown && !asking.preceded {
                            self.echo = Echo::Never;
                        }
                        return Ok(outcome);
                    }
                }
            }
            alone = false;
        }
        asking.preceded |= !alone;
        Ok(None)
    }

    /// Whose is this frame?
    fn weigh(
        &mut self,
        vitals: &mut Vitals,
        asking: &mut Asking,
        frame: &Frame,
    ) -> Result<Option<Outcome>, AskError> {
        let Some(reply) = frame.reply() else { return Ok(None) };
        let fits = frame.unit == asking.unit
            && match reply {
                Reply::Data(shape) => shape == asking.awaited.shape,
                Reply::Exception(function) => function == asking.awaited.shape.function,
            };
        match self.owner(vitals, frame) {
            Some(Owner::Only(number)) if number == asking.number => {
                self.in_order = true;
                return self.own(vitals, asking, frame).map(Some);
            }
            Some(Owner::Several) if fits && asking.is_canary => return Ok(Some(Outcome::Unclear)),
            Some(Owner::Several) if fits => match frame.pdu.as_ref() {
                [_function, code] => asking.exception = Some(*code),
                _ => return Ok(Some(Outcome::Unclear)),
            },
            Some(Owner::Only(_) | Owner::Several) => _ = vitals.metrics.late.inc(),
            Some(Owner::Nobody) => {
                vitals.metrics.strays.inc();
                if asking.mismatch.is_none() || frame.unit == asking.unit {
                    asking.mismatch = asking.mismatch_of(frame);
                }
            }
            None => _ = vitals.metrics.strays.inc(),
        }
        Ok(None)
    }

    /// The frame can only be the answer to the question.
    fn own(&mut self, vitals: &mut Vitals, asking: &Asking, frame: &Frame) -> Result<Outcome, AskError> {
        match asking.question.items_of(&frame.pdu) {
            Ok(items) => {
                self.doubts.answered(asking.unit, asking.question);
                Ok(Outcome::Items(items))
            }
            Err(Refusal::Exception(code)) => Ok(Outcome::Exception(code)),
            Err(refusal) => vitals.judged(Err(refusal)).map(Outcome::Items),
        }
    }

    /// The time is up.
    ///
    /// An exception that may be an older question's is told as this one's if nothing else came: a
    /// unit that answers every question with an exception could otherwise never say so. The
    /// question stays in doubt, so no value can come of it.
    fn end(&self, vitals: &mut Vitals, asking: &Asking) -> Result<Outcome, AskError> {
        if let Some(code) = asking.exception {
            return Ok(Outcome::Exception(code));
        }
        // What still comes is late, not wrong.
        let silent = from_now(Duration::ZERO) >= self.silent_at();
        let rest = if silent { self.receiver.rest(&asking.awaited) } else { Rest::Nothing };
        let part = if let Rest::Part(length) = rest { Some(Mismatch::Length(length)) } else { None };
        match asking.wrong(rest).or(part).or(asking.mismatch) {
            Some(mismatch) => vitals.judged(Err(mismatch.into())).map(Outcome::Items),
            None => Err(vitals.gave_up()),
        }
    }

    /// How long so many bytes take on the wire.
    fn wire_time(&self, bytes: usize) -> Duration {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        Duration::from_micros(self.pace.serial.char_us().saturating_mul(bytes))
    }
}

fn noise(vitals: &Vitals, bytes: usize) {
    vitals.metrics.noise_bytes.inc_by(u64::try_from(bytes).unwrap_or(u64::MAX));
}

#[cfg(test)]
mod tests {
    use super::super::line::{Framing, Line, SILENCE_MAX_MS};
    use super::super::line_model::{Act, Asked, Dice, Direction, register};
    use super::super::metrics::{BusMetrics, Metrics};
    use super::super::serial_model::serve_rtu;
    use super::*;
    use crate::clock::Clock;
    use crate::config::{Parity, Serial, Table};
    use crate::field::Fault;
    use crate::point::UtcMs;
    use std::sync::{Arc, Mutex};
    use tokio::io::DuplexStream;

    const TIMEOUT: Duration = Duration::from_millis(100);
    const QUICK: Duration = Duration::from_millis(5);
    const SERIAL: Serial = Serial { baud: 19_200, parity: Parity::Even, stop_bits: 1 };
    const PACE: Pace = Pace { serial: SERIAL, turnaround: Duration::ZERO, unit_change: Duration::ZERO };

    fn line_over(stream: DuplexStream, pace: Pace) -> (Line<DuplexStream>, BusMetrics) {
        let metrics = Metrics::new().of_bus("model");
        let clock = Clock::starting_at(UtcMs(0));
        (Line::new(stream, Framing::Rtu(pace), clock, metrics.clone()), metrics)
    }

    /// Runs `client` against a line of units that play `script`.
    async fn against<T>(
        pace: Pace,
        script: impl FnMut(Asked) -> Direction,
        client: impl AsyncFnOnce(Line<DuplexStream>, BusMetrics) -> T,
    ) -> T {
        let (ours, theirs) = tokio::io::duplex(4096);
        let (line, metrics) = line_over(ours, pace);
        let mut server = std::pin::pin!(serve_rtu(theirs, pace.serial, script));
        let mut client = std::pin::pin!(client(line, metrics));
        tokio::select! {
            outcome = &mut client => outcome,
            () = &mut server => client.await,
        }
    }

    fn request(table: Table, start: u16, count: u16) -> ReadRequest {
        ReadRequest::new(table, start, count).unwrap()
    }

    fn right(unit: u8, asked: ReadRequest) -> Vec<u16> {
        let mask = if asked.table().is_bits() { 1 } else { u16::MAX };
        let item = |offset| register(unit, asked.function(), asked.start() + offset) & mask;
        (0..asked.count()).map(item).collect()
    }

    /// Reads of units whose answers come up to several timeouts late, or are lost, or are
    /// exceptions: (good, exceptions, late).
    async fn late_reads(reads: u32, seed: u64, delay_ms_max: u64, table: Table) -> (u32, u32, u64) {
        let mut delays = Dice(seed);
        let script = move |_| {
            let act = match delays.roll(12) {
                0 => Act::Silence,
                1 => Act::Exception(6),
                _ => Act::Answer,
            };
            // Most in time, so that there are good values to be spoilt and the unit can catch up.
            let most = if delays.roll(delay_ms_max / 40) == 0 { delay_ms_max } else { 60 };
            (Duration::from_millis(delays.roll(most)), act)
        };
        // A serial line, and a quick one behind a serial server.
        let baud = if seed.is_multiple_of(2) { 19_200 } else { 115_200 };
        let pace = Pace { serial: Serial { baud, ..SERIAL }, ..PACE };
        against(pace, script, async move |mut line, metrics| {
            let mut dice = Dice(!seed);
            let (mut good, mut exceptions) = (0, 0);
            for read in 0..reads {
                let unit = u8::try_from(1 + dice.roll(2)).unwrap();
                let count = u16::try_from(2 + dice.roll(2)).unwrap();
                let asked = request(table, u16::try_from(dice.roll(1_000)).unwrap(), count);
                match line.ask(unit, asked, TIMEOUT).await {
                    Ok(words) => {
                        assert_eq!(words, right(unit, asked), "seed {seed}, read {read}");
                        good += 1;
                    }
                    Err(AskError::Exception(6)) => exceptions += 1,
                    Err(AskError::Timeout | AskError::Doubt) => {}
                    Err(other) => panic!("seed {seed}, read {read}: {other}"),
                }
            }
            (good, exceptions, metrics.late.get())
        })
        .await
    }

    #[tokio::test(start_paused = true)]
    async fn ten_thousand_reads_with_late_replies_and_not_one_is_wrong() {
        for (seed, delay_ms_max) in [(1, 160), (2, 350), (3, 1_000), (4, 120), (5, 2_500)] {
            let (good, exceptions, late) = late_reads(2_000, seed, delay_ms_max, Table::Holding).await;
            assert!(good > 500 && exceptions > 10 && late > 50, "{good} good, {exceptions}, {late} late");
        }
        let (good, ..) = late_reads(500, 6, 350, Table::Coil).await;
        assert!(good > 50, "{good} good");
    }

    /// The late reply of one question, at any moment: the second request that can be heard after
    /// it is good, and mostly the next.
    #[tokio::test(start_paused = true)]
    async fn after_a_late_reply_the_second_request_is_good_at_the_latest() {
        for delay_ms in (101..900).step_by(7) {
            let seen = Arc::new(Mutex::new(vec![]));
            let log = Arc::clone(&seen);
            let script = move |asked: Asked| {
                log.lock().unwrap().push(from_now(Duration::ZERO));
                (if asked.number == 0 { Duration::from_millis(delay_ms) } else { QUICK }, Act::Answer)
            };
            against(PACE, script, async |mut line, _| {
                let (first, second) = (request(Table::Holding, 400, 4), request(Table::Holding, 500, 4));
                assert!(matches!(line.ask(1, first, TIMEOUT).await, Err(AskError::Timeout)));
                let mut tries = 0;
                while line.ask(1, second, TIMEOUT).await.is_err() {
                    tries += 1;
                    assert!(tries < 12, "never good again after {delay_ms} ms");
                }
                assert_eq!(line.ask(1, first, TIMEOUT).await.unwrap(), right(1, first));
                let asked = seen.lock().unwrap();
                // Until the late reply is out the unit hears nothing; then at most the canary that
                // waits behind it, another one, and the question. The last one came after it.
                let out = asked[0] + Duration::from_millis(delay_ms + 20);
                let heard_after = asked.iter().filter(|at| **at > out).count() - 1;
                assert!(heard_after <= 2, "{heard_after} requests after {delay_ms} ms");
            })
            .await;
        }
    }

    /// A lost answer costs one canary, whatever was lost.
    #[tokio::test(start_paused = true)]
    async fn after_a_lost_reply_the_second_request_on_the_wire_is_good() {
        for (table, count) in
            [(Table::Holding, 4), (Table::Input, 1), (Table::Coil, 5), (Table::Discrete, 40)]
        {
            let script = |asked: Asked| (QUICK, if asked.number == 0 { Act::Silence } else { Act::Answer });
            against(PACE, script, async |mut line, metrics| {
                let asked = request(table, 20, count);
                assert!(matches!(line.ask(1, asked, TIMEOUT).await, Err(AskError::Timeout)));
                assert_eq!(line.ask(1, asked, TIMEOUT).await.unwrap(), right(1, asked));
                assert_eq!((metrics.requests.get(), metrics.canaries.get()), (3, 1));
                assert_eq!(line.ask(1, asked, TIMEOUT).await.unwrap(), right(1, asked));
                assert_eq!(metrics.requests.get(), 4, "trusted again");
            })
            .await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn other_units_and_other_lengths_need_no_canary() {
        let script = |asked: Asked| (QUICK, if asked.number == 0 { Act::Silence } else { Act::Answer });
        against(PACE, script, async |mut line, metrics| {
            let (lost, longer) = (request(Table::Holding, 0, 4), request(Table::Holding, 0, 9));
            assert!(line.ask(1, lost, TIMEOUT).await.is_err());
            assert_eq!(line.ask(2, lost, TIMEOUT).await.unwrap(), right(2, lost));
            assert_eq!(line.ask(1, longer, TIMEOUT).await.unwrap(), right(1, longer));
            assert_eq!(line.ask(1, lost, TIMEOUT).await.unwrap(), right(1, lost));
            assert_eq!(metrics.canaries.get(), 0);
        })
        .await;
    }

    /// A unit with an illegal block answers the canary with an exception, too: it is told all the
    /// same, and the blocks beside it are read.
    #[tokio::test(start_paused = true)]
    async fn exceptions_are_told_even_in_doubt() {
        let script = |asked: Asked| match asked.number {
            0 => (QUICK, Act::Silence),
            _ if asked.start < 100 => (QUICK, Act::Exception(2)),
            _ => (QUICK, Act::Answer),
        };
        against(PACE, script, async |mut line, _| {
            let (bad, good) = (request(Table::Holding, 0, 4), request(Table::Holding, 100, 7));
            assert!(matches!(line.ask(1, bad, TIMEOUT).await, Err(AskError::Timeout)));
            for _ in 0..3 {
                assert!(matches!(line.ask(1, bad, TIMEOUT).await, Err(AskError::Exception(2))));
            }
            assert_eq!(line.ask(1, good, TIMEOUT).await.unwrap(), right(1, good));
            let quick = from_now(TIMEOUT / 2);
            assert!(matches!(line.ask(1, bad, TIMEOUT).await, Err(AskError::Exception(2))));
            assert!(from_now(Duration::ZERO) < quick, "after a clean answer it is believed at once");
        })
        .await;
    }

    /// A device that is mute to any count but its own comes back by itself.
    #[tokio::test(start_paused = true)]
    async fn a_device_that_answers_no_canary_is_not_lost() {
        let script = |asked: Asked| {
            (QUICK, if asked.number == 0 || asked.count != 1 { Act::Silence } else { Act::Answer })
        };
        against(PACE, script, async |mut line, _| {
            let asked = request(Table::Input, 9, 1);
            // Another unit answers, so that the line is known to live.
            let mut rounds = 0;
            while line.ask(1, asked, TIMEOUT).await.is_err() {
                assert!(line.ask(2, asked, TIMEOUT).await.is_ok() || rounds == 0);
                rounds += 1;
                tokio::time::sleep(Duration::from_secs(5)).await;
                assert!(rounds < 20);
            }
            assert_eq!(line.ask(1, asked, TIMEOUT).await.unwrap(), right(1, asked));
        })
        .await;
    }

    /// What one bad reply is called, whether it is known before the timeout, and that the next
    /// read is right.
    #[tokio::test(start_paused = true)]
    async fn each_bad_reply_has_a_name_and_the_next_read_is_right() {
        let cases = [
            (Act::WrongUnit, "unit", false),
            (Act::WrongFunction, "function", true),
            (Act::OneRegisterLess, "length", true),
            (Act::WrongByteCount, "checksum", true),
            (Act::Truncated(7), "length", false),
            (Act::Damaged(0), "checksum", true),
            (Act::Damaged(5), "checksum", true),
            (Act::Damaged(10), "checksum", true),
            (Act::Silence, "", false),
            (Act::Raw(&[0xFF, 0x00]), "", false),
        ];
        for (act, kind, early) in cases {
            let script = move |asked: Asked| (QUICK, if asked.number == 0 { act } else { Act::Answer });
            against(PACE, script, async |mut line, metrics| {
                let asked = request(Table::Input, 30, 3);
                line.ask(9, asked, TIMEOUT).await.unwrap_err();
                let started = from_now(Duration::ZERO);
                assert_eq!(
                    line.ask(7, asked, TIMEOUT).await.unwrap(),
                    right(7, asked),
                    "{act:?}: another unit"
                );
                assert!(from_now(Duration::ZERO) - started < TIMEOUT + SETTLE);
                assert_eq!(line.ask(9, asked, TIMEOUT).await.unwrap(), right(9, asked), "{act:?}");
                assert_eq!(metrics.replies.get(), 2);
            })
            .await;
            against(PACE, script, async |mut line, metrics| {
                let asked = request(Table::Input, 30, 3);
                let started = from_now(TIMEOUT);
                let error = line.ask(9, asked, TIMEOUT).await.unwrap_err();
                match error {
                    AskError::Malformed(mismatch) => assert_eq!(mismatch.kind(), kind, "{act:?}"),
                    AskError::Timeout => assert_eq!(kind, "", "{act:?}"),
                    other => panic!("{act:?}: {other}"),
                }
                // The fresh line listens for one timeout before it asks.
                assert_eq!(from_now(Duration::ZERO) - started < TIMEOUT, early, "{act:?}");
                let malformed = u64::from(!kind.is_empty());
                assert_eq!((metrics.malformed.get(), metrics.timeouts.get()), (malformed, 1 - malformed));
            })
            .await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn every_exception_is_told_by_its_code() {
        against(
            PACE,
            |asked| (QUICK, Act::Exception(u8::try_from(asked.number + 1).unwrap())),
            async |mut line, metrics| {
                for code in 1..=11 {
                    let error = line.ask(1, request(Table::Coil, 0, 8), TIMEOUT).await.unwrap_err();
                    assert_eq!(error.fault(), Fault::Exception(code));
                }
                assert_eq!((metrics.canaries.get(), metrics.requests.get()), (0, 11));
                assert!(line.answered());
            },
        )
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn split_glued_echoed_and_noisy_replies_are_read_right() {
        let acts = [
            Act::ByteByByte(2),
            Act::ByteByByte(9),
            Act::Cut(1, 30),
            Act::Cut(3, 16),
            Act::Cut(4, 45),
            Act::UnsolicitedBefore,
            Act::Twice,
            Act::Noise(&[0x00]),
            Act::Noise(&[0xFF, 0x00, 0x03, 0x03, 0x14]),
            Act::Noise(b"login: "),
            Act::Echo,
        ];
        for act in acts {
            against(
                PACE,
                move |_| (QUICK, act),
                async |mut line, metrics| {
                    for start in 0..40 {
                        // Tables and counts of every kind, and coils that look like their own echo.
                        let asked = match start % 4 {
                            0 => request(Table::Holding, start, 1 + start),
                            1 => request(Table::Coil, 0x300 + start, 24),
                            2 => request(Table::Discrete, start, 3 + 5 * start),
                            _ => request(Table::Input, start, 10),
                        };
                        let words = line.ask(3, asked, 40 * TIMEOUT).await;
                        assert_eq!(words.unwrap(), right(3, asked), "{act:?}, {asked:?}");
                    }
                    assert_eq!((metrics.timeouts.get(), metrics.malformed.get()), (0, 0), "{act:?}");
                    assert_eq!(metrics.echoes.get(), if act == Act::Echo { 40 } else { 0 });
                },
            )
            .await;
        }
    }

    /// Any mix of bad habits, seeded: a value is right or there is none.
    #[tokio::test(start_paused = true)]
    async fn a_line_with_every_bad_habit_never_makes_a_wrong_value() {
        let mut good = 0;
        for seed in 0..120 {
            let mut play = Dice(seed);
            let script = move |_| {
                let act = match play.roll(20) {
                    0 => Act::Exception(u8::try_from(1 + play.roll(11)).unwrap()),
                    1 => Act::Damaged(usize::try_from(play.roll(9)).unwrap()),
                    2 => Act::WrongUnit,
                    3 => Act::WrongFunction,
                    4 => Act::WrongByteCount,
                    5 => Act::ByteByByte(3),
                    6 => Act::UnsolicitedBefore,
                    7 => Act::Twice,
                    8 => Act::Noise(&[0x09, 0x04, 0x04]),
                    9 => Act::Truncated(usize::try_from(play.roll(9)).unwrap()),
                    10 => Act::Cut(4, 25),
                    11 => Act::Silence,
                    12 => Act::Echo,
                    13 if play.roll(20) == 0 => Act::Disconnect,
                    _ => Act::Answer,
                };
                (Duration::from_millis(play.roll(130)), act)
            };
            good += against(PACE, script, async move |mut line, _| {
                let (mut dice, mut good) = (Dice(!seed), 0);
                for _ in 0..100 {
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
    async fn requests_keep_the_silence_of_the_standard() {
        let pauses = [(9_600, 0, 0), (19_200, 0, 0), (115_200, 0, 0), (9_600, 12, 30), (38_400, 7, 0)];
        for (baud, turnaround_ms, unit_change_ms) in pauses {
            let serial = Serial { baud, ..SERIAL };
            let pace = Pace {
                serial,
                turnaround: Duration::from_millis(turnaround_ms),
                unit_change: Duration::from_millis(unit_change_ms),
            };
            let seen: Arc<Mutex<Vec<(u8, Duration)>>> = Arc::default();
            let log = Arc::clone(&seen);
            let mut delays = Dice(u64::from(baud));
            let script = move |asked: Asked| {
                log.lock().unwrap().push((asked.unit, asked.quiet));
                (Duration::from_micros(delays.roll(20_000)), Act::Answer)
            };
            against(pace, script, async |mut line, _| {
                for number in 0..60_u8 {
                    // Each unit twice in a row.
                    let unit = 1 + number / 2 % 3;
                    let asked = request(Table::Holding, 0, u16::from(1 + number));
                    assert!(line.ask(unit, asked, 10 * TIMEOUT).await.is_ok());
                }
            })
            .await;
            let (seen, gap) = (seen.lock().unwrap(), Duration::from_micros(serial.frame_gap_us()));
            for pair in seen.windows(2) {
                let [(last, _), (unit, quiet)] = pair else { unreachable!() };
                let change = if last == unit { Duration::ZERO } else { pace.unit_change };
                let wanted = gap + pace.turnaround + change;
                assert!(*quiet >= wanted, "{baud}: {quiet:?} before unit {unit}, not {wanted:?}");
                // No slower either: a millisecond of the model's, one of ours.
                assert!(*quiet <= wanted + Duration::from_millis(3), "{baud}: {quiet:?}");
            }
            assert_eq!(seen.len(), 60);
        }
    }

    /// The timeout counts from when the question has left, however slow the line is.
    #[tokio::test(start_paused = true)]
    async fn the_timeout_begins_when_the_last_byte_has_left() {
        let serial = Serial { baud: 300, ..SERIAL };
        let pace = Pace { serial, ..PACE };
        // Eight characters of eleven bits take 294 ms, as do those of the answer but one.
        against(
            pace,
            |_| (Duration::ZERO, Act::Answer),
            async |mut line, _| {
                let asked = request(Table::Holding, 0, 1);
                assert!(line.ask(1, asked, Duration::from_millis(265)).await.is_ok());
            },
        )
        .await;
    }

    /// emqx/neuron#1602: a mute unit must not cost the others their connection.
    #[tokio::test(start_paused = true)]
    async fn a_timeout_drains_and_only_long_silence_breaks() {
        let script = |asked: Asked| (QUICK, if asked.unit == 1 { Act::Answer } else { Act::Silence });
        against(PACE, script, async |mut line, metrics| {
            let asked = request(Table::Holding, 0, 2);
            for _ in 0..20 {
                assert!(line.ask(1, asked, TIMEOUT).await.is_ok());
                for unit in 2..10 {
                    assert!(matches!(line.ask(unit, asked, TIMEOUT).await, Err(AskError::Timeout)));
                }
            }
            let deadline = from_now(Duration::from_millis(SILENCE_MAX_MS + 1_000));
            let silence = loop {
                match line.ask(2, asked, TIMEOUT).await.unwrap_err() {
                    AskError::Timeout => {}
                    AskError::Broken(Broken::Silent(ms)) => break ms,
                    other => panic!("{other}"),
                }
            };
            assert!(silence >= SILENCE_MAX_MS && from_now(Duration::ZERO) < deadline);
            assert!(metrics.timeouts.get() > 160);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_broken_line_answers_every_question_that_is_left() {
        let script = |asked: Asked| (QUICK, if asked.number == 1 { Act::Disconnect } else { Act::Answer });
        against(PACE, script, async |mut line, _| {
            let asked = [0, 10, 20, 30].map(|start| request(Table::Holding, start, 2));
            let answers = line.ask_many(1, &asked, TIMEOUT, 4).await;
            assert_eq!(answers.len(), 4);
            assert_eq!(answers[0].outcome.as_ref().unwrap(), &right(1, asked[0]));
            for answer in &answers[1..] {
                assert!(matches!(answer.outcome, Err(AskError::Broken(Broken::Closed))), "{answer:?}");
                assert!(answer.asked_at <= answer.answered_at.mono);
            }
        })
        .await;
    }

    /// A serial server closes the socket; the unit's answer comes to the next connection.
    #[tokio::test(start_paused = true)]
    async fn the_answer_of_a_question_before_the_connection_is_late_too() {
        let (old, new) = (request(Table::Holding, 400, 2), request(Table::Holding, 500, 2));
        let doubts = against(
            PACE,
            |_| (QUICK, Act::Disconnect),
            async |mut line, _| {
                assert!(matches!(line.ask(1, old, TIMEOUT).await, Err(AskError::Broken(_))));
                line.into_doubts()
            },
        )
        .await;
        // The late answer, registers 400 and 401, comes as the new connection asks for the first time.
        let script = |asked: Asked| match asked.number {
            0 => (QUICK, Act::Raw(&[1, 3, 4, 0x01, 0x90, 0x01, 0x91, 0x3B, 0xDE])),
            _ => (QUICK, Act::Answer),
        };
        against(PACE, script, async |line, metrics| {
            let mut line = line.with_doubts(doubts);
            assert!(matches!(line.ask(1, new, TIMEOUT).await, Err(AskError::Timeout)), "a canary was asked");
            assert_eq!((metrics.canaries.get(), metrics.late.get()), (1, 1));
            assert_eq!(line.ask(1, new, TIMEOUT).await.unwrap(), right(1, new));
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_line_drains_late_replies_and_notices_the_end() {
        let script = |asked: Asked| match asked.number {
            0 => (2 * TIMEOUT, Act::Answer),
            _ => (Duration::from_secs(1), Act::AnswerThenClose(200)),
        };
        against(PACE, script, async |mut line, metrics| {
            let asked = request(Table::Holding, 0, 1);
            assert!(line.ask(1, asked, TIMEOUT).await.is_err());
            assert!(line.ask(2, asked, TIMEOUT).await.is_err());
            assert!(matches!(line.idle().await, Broken::Closed));
            assert_eq!(metrics.late.get(), 2);
        })
        .await;
    }

    /// A line that never falls silent is not asked, and that is said.
    #[tokio::test(start_paused = true)]
    async fn a_babbling_line_is_named() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let (mut line, metrics) = line_over(ours, PACE);
        let babble = async {
            loop {
                theirs.write_all(&[0x55]).await.unwrap();
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let asked = line.ask(1, request(Table::Holding, 0, 1), TIMEOUT);
        tokio::select! {
            outcome = asked => assert!(matches!(outcome, Err(AskError::Malformed(Mismatch::Babble)))),
            () = babble => {}
        }
        assert_eq!(metrics.requests.get(), 0);
        assert!(metrics.noise_bytes.get() > 10);
    }
}
