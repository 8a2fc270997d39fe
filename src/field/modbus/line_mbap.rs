//! Modbus TCP on one connection: several questions at once, each with its transaction id.

use super::codec::{Frame, Mbap, Question};
use super::frame::{Mismatch, ReadRequest};
use super::line::{Answer, AskError, Broken, Vitals, from_now};
use crate::clock::Mono;
use futures_util::{SinkExt, StreamExt};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};
use tokio_util::codec::Framed;

/// Frames in a row that fit nothing, after which the other side is not trusted to be in step.
pub const MISMATCHES_MAX: u32 = 4;
/// Given-up transactions whose late reply is still recognised as such.
const ABANDONED_MAX: usize = 64;

/// A connection to a Modbus TCP server.
#[derive(Debug)]
pub struct MbapLine<S> {
    framed: Framed<S, Mbap>,
    last_transaction: u16,
    abandoned: VecDeque<u16>,
    mismatches: u32,
}

/// A question that is on the wire.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    /// Its place in the list of questions.
    place: usize,
    question: Question,
    asked_at: Mono,
    deadline: Instant,
}

/// Questions on the wire in the order they were put there, which is that of their deadlines.
#[derive(Debug, Default)]
struct Batch {
    waiting: VecDeque<Waiting>,
    answers: Vec<Option<Answer>>,
}

impl Batch {
    fn settle(&mut self, place: usize, answer: Answer) {
        if let Some(slot) = self.answers.get_mut(place) {
            *slot = Some(answer);
        }
    }

    /// All answers; those still missing were taken by a broken line.
    fn finish(self, vitals: &Vitals, broken: &Broken) -> Vec<Answer> {
        let asked_at = |place| self.waiting.iter().find(|waiting| waiting.place == place);
        let missing = |place| {
            let asked_at = asked_at(place).map(|waiting| waiting.asked_at);
            vitals.answer(Err(broken.clone().into()), asked_at)
        };
        let answers = self.answers.iter().cloned().enumerate();
        answers.map(|(place, answer)| answer.unwrap_or_else(|| missing(place))).collect()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> MbapLine<S> {
    /// Over a fresh connection.
    pub fn new(stream: S) -> MbapLine<S> {
        MbapLine {
            framed: Framed::new(stream, Mbap),
            last_transaction: 0,
            abandoned: VecDeque::new(),
            mismatches: 0,
        }
    }

    /// See [`super::line::Line::ask_many`].
    pub async fn ask_many(
        &mut self,
        vitals: &mut Vitals,
        unit: u8,
        requests: &[ReadRequest],
        timeout: Duration,
        depth: usize,
    ) -> Vec<Answer> {
        let mut batch = Batch { answers: requests.iter().map(|_| None).collect(), ..Batch::default() };
        let mut left = requests.iter().copied().enumerate();
        let broken = loop {
            if batch.waiting.len() < depth.max(1)
                && let Some((place, request)) = left.next()
            {
                if let Err(broken) = self.put(vitals, &mut batch, (place, unit, request), timeout).await {
                    break broken;
                }
                continue;
            }
            // Nothing waits and nothing is left to ask: no question is without its answer.
            let Some(oldest) = batch.waiting.front().copied() else { break Broken::Closed };
            match timeout_at(oldest.deadline, self.receive(vitals)).await {
                Ok(Ok(frame)) => {
                    if let Err(broken) = self.place(vitals, &mut batch, &frame) {
                        break broken;
                    }
                }
                Ok(Err(broken)) => break broken,
                Err(_elapsed) => {
                    batch.waiting.pop_front();
                    if let Err(broken) = self.give_up(vitals, &mut batch, oldest) {
                        break broken;
                    }
                }
            }
        };
        batch.finish(vitals, &broken)
    }

    /// Listens while nothing is asked.
    pub async fn idle(&mut self, vitals: &mut Vitals) -> Broken {
        loop {
            match self.receive(vitals).await {
                Ok(frame) => {
                    if let Err(broken) = self.discard(vitals, &frame) {
                        return broken;
                    }
                }
                Err(broken) => return broken,
            }
        }
    }

    /// Puts a question on the wire, or gives it up if the other side takes nothing.
    async fn put(
        &mut self,
        vitals: &mut Vitals,
        batch: &mut Batch,
        (place, unit, request): (usize, u8, ReadRequest),
        timeout: Duration,
    ) -> Result<(), Broken> {
        let transaction = self.next_transaction(batch);
        let question = Question { transaction, unit, request };
        let asked_at = vitals.clock.mono();
        vitals.metrics.requests.inc();
        // A frame half sent stays in the buffer and goes out before the next.
        let sent = tokio::time::timeout(timeout, self.framed.send(question)).await;
        let waiting = Waiting { place, question, asked_at, deadline: from_now(timeout) };
        match sent {
            Ok(sent) => {
                batch.waiting.push_back(waiting);
                Ok(sent?)
            }
            Err(_elapsed) => self.give_up(vitals, batch, waiting),
        }
    }

    async fn receive(&mut self, vitals: &mut Vitals) -> Result<Frame, Broken> {
        let frame = self.framed.next().await.ok_or(Broken::Closed)??;
        vitals.heard();
        Ok(frame)
    }

    /// A frame goes to the question it belongs to, if that still waits.
    fn place(&mut self, vitals: &mut Vitals, batch: &mut Batch, frame: &Frame) -> Result<(), Broken> {
        let waits = |waiting: &Waiting| waiting.question.transaction == frame.transaction;
        let Some(waiting) =
            batch.waiting.iter().position(waits).and_then(|position| batch.waiting.remove(position))
        else {
            return self.discard(vitals, frame);
        };
        let Question { unit, request, .. } = waiting.question;
        let outcome = if frame.unit == unit {
            request.items_of(&frame.pdu)
        } else {
            Err(Mismatch::Unit { asked: unit, got: frame.unit }.into())
        };
        let mut outcome = vitals.judged(outcome);
        let stepped = if let Err(AskError::Malformed(_)) = outcome {
            self.out_of_step()
        } else {
            self.mismatches = 0;
            Ok(())
        };
        if let Err(broken) = &stepped {
            outcome = Err(broken.clone().into());
        }
        batch.settle(waiting.place, vitals.answer(outcome, Some(waiting.asked_at)));
        stepped
    }

    /// A frame nobody waits for.
    fn discard(&mut self, vitals: &mut Vitals, frame: &Frame) -> Result<(), Broken> {
        if let Some(position) = self.abandoned.iter().position(|given_up| *given_up == frame.transaction) {
            self.abandoned.remove(position);
            vitals.metrics.late.inc();
            return Ok(());
        }
        vitals.metrics.strays.inc();
        self.out_of_step()
    }

    fn out_of_step(&mut self) -> Result<(), Broken> {
        self.mismatches += 1;
        if self.mismatches < MISMATCHES_MAX { Ok(()) } else { Err(Broken::OutOfStep) }
    }

    /// The others go on waiting.
    fn give_up(&mut self, vitals: &mut Vitals, batch: &mut Batch, waiting: Waiting) -> Result<(), Broken> {
        if self.abandoned.len() == ABANDONED_MAX {
            self.abandoned.pop_front();
        }
        self.abandoned.push_back(waiting.question.transaction);
        let error = vitals.gave_up();
        batch.settle(waiting.place, vitals.answer(Err(error.clone()), Some(waiting.asked_at)));
        error.broken().map_or(Ok(()), Err)
    }

    /// Ids count up and wrap; one whose reply may still come is passed over.
    fn next_transaction(&mut self, batch: &Batch) -> u16 {
        let is_taken = |id: u16| {
            self.abandoned.contains(&id)
                || batch.waiting.iter().any(|waiting| waiting.question.transaction == id)
        };
        let mut id = self.last_transaction.wrapping_add(1);
        while is_taken(id) {
            id = id.wrapping_add(1);
        }
        self.last_transaction = id;
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transaction_ids_wrap_and_pass_over_those_given_up() {
        let (ours, _theirs) = tokio::io::duplex(64);
        let mut line = MbapLine::new(ours);
        line.last_transaction = u16::MAX - 1;
        line.abandoned.extend([0, 2]);
        let ids: Vec<u16> = (0..3).map(|_| line.next_transaction(&Batch::default())).collect();
        assert_eq!(ids, [u16::MAX, 1, 3]);
    }
}
