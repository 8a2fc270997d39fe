//! What may still be answered on an RTU line: whose late reply a frame could be. Pure.
//!
//! An RTU frame bears no transaction id. A reply that comes after its question was given up looks
//! like the answer to the next question, if that goes to the same unit, with the same function,
//! for as many bytes (pymodbus-dev/pymodbus#2636). So each question stays in the book of its unit
//! until its answer was heard, or that of a later one.
//!
//! What it rests on, and all it rests on:
//! - a unit answers a question once or not at all, with the data asked for or with an exception;
//! - a unit answers its questions in the order they were asked. A device on a serial line has no
//!   choice, and a serial server passes bytes on in the order they came.
//!
//! An answer that only one question can have caused is therefore that question's, and all older
//! questions of the unit are over. An answer that several can have caused ends what is older than
//! the oldest of them, and nothing more is known.
//!
//! Nothing expires by time alone: a radio modem may hold a frame for as long as it likes. The one
//! exception is [`Doubts::lapse`], with its reason.

use super::frame::{BITS_MAX, REGISTERS_MAX, ReadRequest};
use std::collections::BTreeMap;

/// How long nothing at all has been heard of a unit whose questions may lapse, if it also left
/// [`LAPSE_UNANSWERED`] of them without an answer.
pub const LAPSE_MS: u64 = 60_000;
/// Questions in a row without an answer that make a unit mute, perhaps only to canaries.
pub const LAPSE_UNANSWERED: u32 = 3;
/// Answered questions remembered for each unit, of different shapes.
const GOOD_MAX: usize = 2;

/// All that tells one answer of a unit from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The function code.
    pub function: u8,
    /// Bytes of data.
    pub bytes: usize,
}

impl Shape {
    /// The shape of the right answer.
    pub fn of(request: ReadRequest) -> Shape {
        Shape { function: request.function(), bytes: request.data_bytes() }
    }
}

/// An answer, as far as it can be told from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Data.
    Data(Shape),
    /// An exception to this function.
    Exception(u8),
}

/// Which question an answer belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// None ever asked.
    Nobody,
    /// Only this one.
    Only(u64),
    /// One of several; which cannot be known.
    Several,
}

/// Questions of one shape without an answer.
#[derive(Clone, Copy, Debug)]
struct Open {
    shape: Shape,
    /// Not above the number of the oldest of them that may still be answered.
    first: u64,
    /// The number of the latest.
    last: u64,
    asked_ms: u64,
}

impl Open {
    fn fits(&self, reply: Reply) -> bool {
        match reply {
            Reply::Data(shape) => self.shape == shape,
            Reply::Exception(function) => self.shape.function == function,
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Unit {
    open: Vec<Open>,
    unanswered: u32,
    /// When a frame of it was last heard.
    heard_ms: u64,
    /// Questions it has answered with data, the latest first.
    good: Vec<ReadRequest>,
}

/// The questions of all units of a line that may still be answered.
///
/// It outlives a connection: behind a serial server the bus goes on while the socket is made anew.
/// Bounded by the shapes there are, at most 750 for a unit; a plant uses a few.
#[derive(Clone, Debug, Default)]
pub struct Doubts {
    units: BTreeMap<u8, Unit>,
    asked: u64,
}

impl Doubts {
    /// A question goes out; gives its number.
    pub fn asked(&mut self, unit: u8, shape: Shape, now_ms: u64) -> u64 {
        self.asked += 1;
        let number = self.asked;
        let unit = self.units.entry(unit).or_default();
        unit.unanswered = unit.unanswered.saturating_add(1);
        match unit.open.iter_mut().find(|open| open.shape == shape) {
            Some(open) => (open.last, open.asked_ms) = (number, now_ms),
            None => unit.open.push(Open { shape, first: number, last: number, asked_ms: now_ms }),
        }
        number
    }

    /// An answer was heard: whose is it? What it ends is struck off.
    pub fn heard(&mut self, unit: u8, reply: Reply, now_ms: u64) -> Owner {
        let Some(unit) = self.units.get_mut(&unit) else { return Owner::Nobody };
        let mut fitting = unit.open.iter().filter(|open| open.fits(reply));
        let Some(oldest) = fitting.clone().min_by_key(|open| open.first).copied() else {
            return Owner::Nobody;
        };
        let alone = fitting.clone().count() == 1 && fitting.all(|open| open.first == open.last);
        // In order: what was asked up to the oldest it can belong to is over.
        unit.open.retain(|open| open.last > oldest.first);
        for open in &mut unit.open {
            open.first = open.first.max(oldest.first + 1);
        }
        (unit.unanswered, unit.heard_ms) = (0, now_ms);
        if alone { Owner::Only(oldest.first) } else { Owner::Several }
    }

    /// A question was answered with data.
    pub fn answered(&mut self, unit: u8, request: ReadRequest) {
        let good = &mut self.units.entry(unit).or_default().good;
        good.retain(|other| Shape::of(*other) != Shape::of(request));
        good.insert(0, request);
        good.truncate(GOOD_MAX);
    }

    /// Whether data of this shape could only answer a question asked from now on.
    pub fn is_free(&self, unit: u8, shape: Shape) -> bool {
        self.units.get(&unit).is_none_or(|unit| unit.open.iter().all(|open| open.shape != shape))
    }

    /// Strikes off a shape that stands in the way of a unit that answers no canary.
    ///
    /// Without this a device that is mute to what it does not like (one register more, one less)
    /// would be lost for good with its first lost reply. Safe as far as a minute is long: the
    /// question is older than [`LAPSE_MS`], no frame of the unit was heard since, and later
    /// questions had no answer either, so a reply still to come would be that late and in front
    /// of theirs. A unit that lags behind its questions is heard, and nothing lapses. MODBUS over
    /// Serial Line V1.02, 2.4.1 calls one second to several seconds a response time-out; a socket
    /// that stalls for ten seconds is dropped before.
    pub fn lapse(&mut self, unit: u8, shape: Shape, now_ms: u64) {
        let Some(unit) = self.units.get_mut(&unit) else { return };
        let is_recent = |moment_ms: u64| now_ms.saturating_sub(moment_ms) < LAPSE_MS;
        if unit.unanswered >= LAPSE_UNANSWERED && !is_recent(unit.heard_ms) {
            unit.open.retain(|open| open.shape != shape || is_recent(open.asked_ms));
        }
    }

    /// The question to put before `request`: any answer to it with data shows that no question of
    /// the shape of `request` can be answered any more. None if there is none.
    pub fn canary(&self, unit: u8, request: ReadRequest) -> Option<ReadRequest> {
        let unit = self.units.get(&unit)?;
        let of_shape = |shape: Shape| unit.open.iter().find(|open| open.shape == shape);
        let blocking = of_shape(Shape::of(request))?;
        let tells = |canary: &ReadRequest| {
            let shape = Shape::of(*canary);
            shape != Shape::of(request) && of_shape(shape).is_none_or(|open| open.first > blocking.last)
        };
        // Fewer of the same items are known to be there; what was answered before is, too.
        let fewer = counts(request, false).chain(unit.good.iter().copied());
        fewer.chain(counts(request, true)).find(tells)
    }
}

/// The same table and start with other counts, each of a shape of its own, the nearest first.
fn counts(request: ReadRequest, more: bool) -> impl Iterator<Item = ReadRequest> {
    let (table, most) = (request.table(), if request.table().is_bits() { BITS_MAX } else { REGISTERS_MAX });
    let (step, count) = (if table.is_bits() { 8 } else { 1 }, request.count());
    let whole = count.div_ceil(step);
    let fewer = (1..whole).rev().map(move |units| units * step);
    let grown = (whole..most / step).map(move |units| units * step + 1);
    let (fewer, grown) = if more { (None, Some(grown)) } else { (Some(fewer), None) };
    let counts = fewer.into_iter().flatten().chain(grown.into_iter().flatten());
    // At the end of the table it has to begin earlier.
    counts.filter_map(move |count| {
        ReadRequest::new(table, request.start().min(u16::MAX - (count - 1)), count).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::super::line_model::Dice;
    use super::*;
    use crate::config::Table;
    use std::collections::VecDeque;

    fn request(table: Table, start: u16, count: u16) -> ReadRequest {
        ReadRequest::new(table, start, count).unwrap()
    }

    #[test]
    fn the_canary_of_a_request_has_another_shape() {
        let cases = [
            (Table::Holding, 100, 10, 100, 9),
            (Table::Input, 100, 1, 100, 2),
            (Table::Input, 65_535, 1, 65_534, 2),
            (Table::Holding, 0, 125, 0, 124),
            (Table::Coil, 40, 20, 40, 16),
            (Table::Coil, 40, 3, 40, 9),
            (Table::Discrete, 0, 2_000, 0, 1_992),
        ];
        for (table, start, count, canary_start, canary_count) in cases {
            let asked = request(table, start, count);
            let mut doubts = Doubts::default();
            assert_eq!(doubts.canary(1, asked), None);
            doubts.asked(1, Shape::of(asked), 0);
            assert_eq!(doubts.canary(1, asked), Some(request(table, canary_start, canary_count)));
            assert_eq!(doubts.canary(2, asked), None, "another unit's answers are told apart");
        }
    }

    #[test]
    fn one_register_alone_is_checked_with_a_question_that_was_answered() {
        let (one, other) = (request(Table::Holding, 7, 1), request(Table::Holding, 100, 6));
        let mut doubts = Doubts::default();
        doubts.asked(1, Shape::of(other), 0);
        assert_eq!(doubts.heard(1, Reply::Data(Shape::of(other)), 0), Owner::Only(1));
        doubts.answered(1, other);
        doubts.asked(1, Shape::of(one), 0);
        assert_eq!(doubts.canary(1, one), Some(other));
    }

    #[test]
    fn exceptions_end_one_question_each() {
        let (a, b) = (request(Table::Holding, 0, 4), request(Table::Holding, 0, 3));
        let mut doubts = Doubts::default();
        doubts.asked(1, Shape::of(a), 0);
        doubts.asked(1, Shape::of(b), 0);
        assert_eq!(doubts.heard(1, Reply::Exception(4), 0), Owner::Nobody);
        assert_eq!(doubts.heard(1, Reply::Exception(3), 0), Owner::Several);
        assert!(doubts.is_free(1, Shape::of(a)) && !doubts.is_free(1, Shape::of(b)));
        assert_eq!(doubts.heard(1, Reply::Exception(3), 0), Owner::Only(2));
        assert_eq!(doubts.heard(1, Reply::Exception(3), 0), Owner::Nobody);
    }

    #[test]
    fn a_shape_lapses_only_if_the_unit_is_mute_and_a_minute_has_passed() {
        let (asked, canary) = (request(Table::Input, 5, 1), request(Table::Input, 5, 2));
        let mut doubts = Doubts::default();
        let shape = Shape::of(asked);
        doubts.asked(1, shape, 1_000);
        doubts.asked(1, Shape::of(canary), 2_000);
        doubts.lapse(1, shape, 100_000);
        assert!(!doubts.is_free(1, shape), "two questions without an answer");
        doubts.asked(1, Shape::of(canary), 3_000);
        doubts.lapse(1, shape, 60_999);
        assert!(!doubts.is_free(1, shape), "not yet a minute");
        let mut lagging = doubts.clone();
        assert_eq!(lagging.heard(1, Reply::Data(Shape::of(canary)), 30_000), Owner::Several);
        assert!(lagging.is_free(1, shape), "the canary was asked after it");
        doubts.lapse(1, shape, 61_000);
        assert!(doubts.is_free(1, shape));
        doubts.asked(1, shape, 61_000);
        for second in 62..65 {
            doubts.asked(1, Shape::of(canary), 1_000 * second);
        }
        doubts.heard(1, Reply::Data(Shape::of(canary)), 70_000);
        for second in 71..75 {
            doubts.asked(1, shape, 1_000 * second);
        }
        doubts.lapse(1, Shape::of(canary), 129_999);
        assert!(!doubts.is_free(1, Shape::of(canary)), "it was heard less than a minute ago");
        doubts.lapse(1, Shape::of(canary), 130_000);
        assert!(doubts.is_free(1, Shape::of(canary)));
    }

    /// A unit that answers in order what it answers at all, as late as it likes: nobody is given
    /// another's answer, and data that was waited for with a free shape is known to be its own.
    #[test]
    fn no_answer_is_given_to_another_question() {
        let (mut own, mut several) = (0, 0);
        for seed in 0..2_000 {
            let (mut dice, mut doubts) = (Dice(seed), Doubts::default());
            let mut pending: VecDeque<(u64, Reply)> = VecDeque::new();
            for _ in 0..60 {
                if dice.roll(2) == 0 {
                    let shape = Shape {
                        function: u8::try_from(3 + dice.roll(2)).unwrap(),
                        bytes: usize::try_from(2 + 2 * dice.roll(3)).unwrap(),
                    };
                    let free = doubts.is_free(1, shape);
                    let number = doubts.asked(1, shape, 0);
                    match dice.roll(4) {
                        0 => {}
                        1 => pending.push_back((number, Reply::Exception(shape.function))),
                        _ => pending.push_back((number, Reply::Data(shape))),
                    }
                    if free && dice.roll(2) == 0 {
                        // Now everything arrives: the answer to this one is known as its own.
                        for (real, reply) in pending.drain(..) {
                            let owner = doubts.heard(1, reply, 0);
                            if real == number && matches!(reply, Reply::Data(_)) {
                                assert_eq!(owner, Owner::Only(number), "seed {seed}");
                            }
                        }
                    }
                } else if let Some((real, reply)) = pending.pop_front() {
                    match doubts.heard(1, reply, 0) {
                        Owner::Only(number) => {
                            assert_eq!(number, real, "seed {seed}");
                            own += 1;
                        }
                        Owner::Several => several += 1,
                        Owner::Nobody => panic!("seed {seed}: the answer to {real} was struck off"),
                    }
                }
            }
        }
        assert!(own > 5_000 && several > 5_000, "{own} {several}");
    }
}
