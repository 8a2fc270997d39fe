//! Modbus TCP on one connection: several questions at once, each with its transaction id.

use super::codec::{Frame, Mbap, Question};
use super::frame::{Mismatch, ReadRequest};
use super::line::{Answer, AskError, Broken, Vitals};
use crate::clock::{Mono, Now};
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
    /// Questions on the wire in the order they were put there, which is that of their deadlines.
    waiting: VecDeque<Waiting>,
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

/// The answers to a list of questions, in its order.
#[derive(Debug)]
struct Answers(Vec<Option<Answer>>);

impl Answers {
    fn settle(&mut self, place: usize, answer: Answer) {
        if let Some(slot) = self.0.get_mut(place) {
            *slot = Some(answer);
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> MbapLine<S> {
    /// Over a fresh connection.
    pub fn new(stream: S) -> MbapLine<S> {
        MbapLine {
            framed: Framed::new(stream, Mbap),
            waiting: VecDeque::new(),
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
        // Of an earlier call that was not waited for to its end.
        self.waiting.clear();
        let mut answers = Answers(requests.iter().map(|_| None).collect());
        let mut left = requests.iter().copied().enumerate().peekable();
        let depth = depth.max(1);
        let broken = loop {
            let next = if self.waiting.len() < depth { left.next() } else { None };
            let question =
                next.map(|(place, request)| self.question(vitals, place, (unit, request), timeout));
            // Nothing waits and nothing is left to ask: no question is without its answer.
            let Some(oldest) = self.waiting.front().copied() else { break Broken::Closed };
            let listen = self.waiting.len() >= depth || left.peek().is_none();
            match timeout_at(oldest.deadline, self.exchange(vitals, question, listen)).await {
                Ok(Ok(None)) => {}
                Ok(Ok(Some((frame, heard_at)))) => {
                    if let Err(broken) = self.place(vitals, &mut answers, &frame, heard_at) {
                        break broken;
                    }
                }
                Ok(Err(broken)) => break broken,
                Err(_elapsed) => {
                    self.waiting.pop_front();
                    if let Err(broken) = self.give_up(vitals, &mut answers, oldest) {
                        break broken;
                    }
                }
            }
        };
        self.finish(vitals, answers, &broken)
    }

    /// All answers; those still missing were taken by a broken line.
    fn finish(&self, vitals: &Vitals, answers: Answers, broken: &Broken) -> Vec<Answer> {
        let missing = |place| {
            let asked_at = self.waiting.iter().find(|waiting| waiting.place == place);
            vitals.answer(Err(broken.clone().into()), asked_at.map(|waiting| waiting.asked_at))
        };
        let answers = answers.0.into_iter().enumerate();
        answers.map(|(place, answer)| answer.unwrap_or_else(|| missing(place))).collect()
    }

    /// Listens while nothing is asked.
    pub async fn idle(&mut self, vitals: &mut Vitals) -> Broken {
        loop {
            match self.receive(vitals).await {
                Ok((frame, _)) => {
                    if let Err(broken) = self.discard(vitals, &frame) {
                        return broken;
                    }
                }
                Err(broken) => return broken,
            }
        }
    }

    /// A question that waits from now on.
    fn question(
        &mut self,
        vitals: &Vitals,
        place: usize,
        (unit, request): (u8, ReadRequest),
        timeout: Duration,
    ) -> Question {
        let question = Question { transaction: self.next_transaction(), unit, request };
        let asked_at = vitals.clock.mono();
        vitals.metrics.requests.inc();
        let deadline = vitals.clock.instant(asked_at) + timeout;
        self.waiting.push_back(Waiting { place, question, asked_at, deadline });
        question
    }

    /// Puts a question on the wire, then listens for a frame. Given up before it is through, a
    /// frame half sent stays in the buffer and goes out before the next.
    async fn exchange(
        &mut self,
        vitals: &mut Vitals,
        question: Option<Question>,
        listen: bool,
    ) -> Result<Option<(Frame, Now)>, Broken> {
        if let Some(question) = question {
            self.framed.send(question).await?;
        }
        if listen { self.receive(vitals).await.map(Some) } else { Ok(None) }
    }

    async fn receive(&mut self, vitals: &mut Vitals) -> Result<(Frame, Now), Broken> {
        let frame = self.framed.next().await.ok_or(Broken::Closed)??;
        Ok((frame, vitals.heard()))
    }

    /// A frame goes to the question it belongs to, if that still waits.
    fn place(
        &mut self,
        vitals: &mut Vitals,
        answers: &mut Answers,
        frame: &Frame,
        answered_at: Now,
    ) -> Result<(), Broken> {
        let waits = |waiting: &Waiting| waiting.question.transaction == frame.transaction;
        let Some(waiting) =
            self.waiting.iter().position(waits).and_then(|position| self.waiting.remove(position))
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
        answers.settle(waiting.place, Answer { outcome, asked_at: waiting.asked_at, answered_at });
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
    fn give_up(
        &mut self,
        vitals: &mut Vitals,
        answers: &mut Answers,
        waiting: Waiting,
    ) -> Result<(), Broken> {
        if self.abandoned.len() == ABANDONED_MAX {
            self.abandoned.pop_front();
        }
        self.abandoned.push_back(waiting.question.transaction);
        let error = vitals.gave_up();
        answers.settle(waiting.place, vitals.answer(Err(error.clone()), Some(waiting.asked_at)));
        error.broken().map_or(Ok(()), Err)
    }

    /// Ids count up and wrap; one whose reply may still come is passed over.
    fn next_transaction(&mut self) -> u16 {
        let is_taken = |id: u16| {
            self.abandoned.contains(&id)
                || self.waiting.iter().any(|waiting| waiting.question.transaction == id)
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
        let ids: Vec<u16> = (0..3).map(|_| line.next_transaction()).collect();
        assert_eq!(ids, [u16::MAX, 1, 3]);
    }
}
