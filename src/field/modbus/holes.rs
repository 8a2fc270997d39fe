//! What a device refuses to be asked, learned from its exceptions. Pure.
//!
//! A device answers exception 2 (illegal data address) or 3 (illegal data value) to a whole
//! request, whichever of its items is to blame. [`Search`] halves the request until it knows: a
//! value the device does not have, a hole between two values, a seam it does not read across, or a
//! length it does not bear. What it finds is kept in [`Holes`], and the plan goes around it.
//!
//! Everything known is a request that was refused, as it was asked. A request that contains it
//! whole is expected to be refused too; nothing else is concluded, and only the very same request
//! is held back.
//!
//! **Invariant:** nothing is learned from silence. `k` faults among `n` values cost at most
//! `k * ceil(log2 n) + k` refused requests, once.

use super::frame::ReadRequest;
use super::plan::{Block, Wish};
use crate::config::Table;
use crate::point::UtcMs;

/// How long a lesson is believed before it is put to the test again: 24 h. Milliseconds.
pub const RETRY_MS: u64 = 86_400_000;
/// The same while the device answered nothing else: it may be starting up. Milliseconds.
pub const DOUBT_MS: u64 = 60_000;
/// Most lessons about one device; beyond them a refused request is just a failed one.
pub const LESSONS_MAX: usize = 4_096;

/// A request that a device refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lesson {
    /// What was asked.
    pub refused: ReadRequest,
    /// What the device said, 2 or 3.
    pub exception: u8,
    /// It was only too long: so many items of its table at once are known to work.
    pub longest: Option<u16>,
    /// When it was refused last.
    pub learned_at: UtcMs,
}

/// What to write down, or to strike out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// New, or as before and tested again.
    Learned(Lesson),
    /// The device answers this by now.
    Forgotten(ReadRequest),
}

/// What came of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The values.
    Answered,
    /// Exception 2 or 3.
    Refused(u8),
    /// Anything else: a timeout, a lost connection, a busy device.
    Nothing,
}

impl Reply {
    /// An exception. Illegal data address and illegal data value speak of what was asked, all
    /// others of how the device is (MODBUS Application Protocol V1.1b3, clause 7).
    pub fn exception(code: u8) -> Reply {
        if matches!(code, 2 | 3) { Reply::Refused(code) } else { Reply::Nothing }
    }
}

/// What is known of one device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holes {
    known: Vec<Known>,
    /// Most items of each table that were answered at once.
    longest: [u16; 4],
    revision: u64,
    changes: Vec<Change>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    lesson: Lesson,
    trust: Trust,
}

/// A device that starts up, or a wrong one in its place, may refuse everything for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    /// Nothing else was answered around it.
    Doubtful,
    /// Doubtful, but something else has been answered since.
    Backed,
    /// The device told one from the other.
    Sure,
}

impl Holes {
    /// What was known before a restart.
    pub fn remembered(lessons: impl IntoIterator<Item = Lesson>) -> Holes {
        let known = lessons.into_iter().take(LESSONS_MAX);
        Holes {
            known: known.map(|lesson| Known { lesson, trust: Trust::Sure }).collect(),
            ..Holes::default()
        }
    }

    /// Moves whenever a plan made with these has to be made again.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// What has to be written down since the last call.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// The exception the device gave when it was asked for exactly this.
    pub fn held_back(&self, wish: Wish) -> Option<u8> {
        let same = |lesson: &&Lesson| {
            let asked = lesson.refused;
            (asked.table(), asked.start(), asked.count()) == (wish.table, wish.start, wish.count)
        };
        self.addresses().find(same).map(|lesson| lesson.exception)
    }

    /// Most items of a table that are asked for at once, if that was learned.
    pub fn cap(&self, table: Table) -> Option<u16> {
        let of_table = self.known.iter().filter(|known| known.lesson.refused.table() == table);
        of_table.filter_map(|known| known.lesson.longest).min()
    }

    /// First and last item of every stretch of a table that must not be read over whole.
    pub fn stretches(&self, table: Table) -> impl Iterator<Item = (u32, u32)> {
        let of_table = self.addresses().filter(move |lesson| lesson.refused.table() == table);
        of_table.map(|lesson| (u32::from(lesson.refused.start()), end(lesson.refused) - 1))
    }

    fn addresses(&self) -> impl Iterator<Item = &Lesson> {
        self.known.iter().map(|known| &known.lesson).filter(|lesson| lesson.longest.is_none())
    }

    /// To be told of every right answer: whatever it contains is no hole (any more).
    pub fn answered(&mut self, request: ReadRequest) {
        let longest = self.longest_mut(request.table());
        *longest = request.count().max(*longest);
        let mut was_in_doubt = false;
        let disproved = |known: &Known| {
            contains(request, known.lesson.refused)
                || known.lesson.refused.table() == request.table()
                    && known.lesson.longest.is_some_and(|longest| request.count() > longest)
        };
        self.forget(|known| {
            was_in_doubt |= disproved(known) && known.trust != Trust::Sure;
            disproved(known)
        });
        // It refuses no more what it refused with everything else: then that was a bad moment.
        self.forget(|known| was_in_doubt && known.trust != Trust::Sure);
        for known in self.known.iter_mut().filter(|known| known.trust == Trust::Doubtful) {
            known.trust = Trust::Backed;
        }
    }

    /// A planned block was refused. A search for the reason, or none if there is nothing to halve:
    /// then that is learned, and the block's values have failed.
    pub fn refused(&mut self, block: Block, exception: u8, now: UtcMs) -> Option<Search> {
        let mut search = Search { longest: self.longest_of(block.request.table()), ..Search::default() };
        search.refuse(Role::Piece, block, exception, now);
        search.advance(self);
        search.next().is_some().then_some(search)
    }

    /// What is to be asked once more, by itself: one thing at a time, the oldest first.
    pub fn due(&self, now: UtcMs) -> Option<ReadRequest> {
        let due = self.known.iter().filter(|known| {
            let wait_ms = if known.trust == Trust::Sure { RETRY_MS } else { DOUBT_MS };
            // Either way: a clock that was years ahead when it learned must not keep it for years.
            now.since_ms(known.lesson.learned_at).unsigned_abs() >= wait_ms
        });
        due.min_by_key(|known| known.lesson.learned_at).map(|known| known.lesson.refused)
    }

    /// What came of asking for what was [`due`](Holes::due). Without an answer it has to wait as
    /// long again: some devices are silent where others refuse.
    pub fn retried(&mut self, request: ReadRequest, reply: Reply, now: UtcMs) {
        if reply == Reply::Answered {
            return self.answered(request);
        }
        let Some(known) = self.known.iter_mut().find(|known| known.lesson.refused == request) else { return };
        known.lesson.learned_at = now;
        if let Reply::Refused(exception) = reply {
            known.lesson.exception = exception;
            if known.trust != Trust::Doubtful {
                known.trust = Trust::Sure;
                self.changes.push(Change::Learned(known.lesson));
            }
        }
    }

    fn learn(&mut self, lesson: Lesson, trust: Trust) {
        let table = lesson.refused.table();
        match lesson.longest {
            // Something as long has worked meanwhile: it was not the length.
            Some(_) if lesson.refused.count() <= self.longest_of(table) => return,
            Some(_) => {
                self.forget(|known| known.lesson.refused.table() == table && known.lesson.longest.is_some());
            }
            // What seemed too long had this inside.
            None => self.forget(|known| {
                known.lesson.longest.is_some() && contains(known.lesson.refused, lesson.refused)
            }),
        }
        self.known.retain(|known| known.lesson.refused != lesson.refused);
        if self.known.len() >= LESSONS_MAX {
            return;
        }
        self.known.push(Known { lesson, trust });
        self.revision += 1;
        if trust == Trust::Sure {
            self.changes.push(Change::Learned(lesson));
        }
    }

    fn forget(&mut self, mut wrong: impl FnMut(&Known) -> bool) {
        let Holes { known, changes, revision, .. } = self;
        known.retain(|known| {
            let wrong = wrong(known);
            if wrong {
                changes.push(Change::Forgotten(known.lesson.refused));
                *revision += 1;
            }
            !wrong
        });
    }

    fn longest_of(&self, table: Table) -> u16 {
        let [coil, discrete, holding, input] = self.longest;
        match table {
            Table::Coil => coil,
            Table::Discrete => discrete,
            Table::Holding => holding,
            Table::Input => input,
        }
    }

    fn longest_mut(&mut self, table: Table) -> &mut u16 {
        let [coil, discrete, holding, input] = &mut self.longest;
        match table {
            Table::Coil => coil,
            Table::Discrete => discrete,
            Table::Holding => holding,
            Table::Input => input,
        }
    }
}

/// One past the last item.
fn end(request: ReadRequest) -> u32 {
    u32::from(request.start()) + u32::from(request.count())
}

fn contains(outer: ReadRequest, inner: ReadRequest) -> bool {
    outer.table() == inner.table() && outer.start() <= inner.start() && end(outer) >= end(inner)
}

/// What became of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Its reply is what its wishes get.
    Settled,
    /// Its wishes come again, in smaller pieces.
    Split,
}

/// Looks for what is wrong with a refused request, one question at a time.
///
/// Ask what [`next`](Search::next) gives and say what came of it with [`settle`](Search::settle),
/// until there is no next. What was learned goes into [`Holes`] with the last reply, so a search
/// that is given up has only cost its questions.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// Everything refused (or split without being asked), the block itself first.
    parents: Vec<Parent>,
    /// To be asked, the next one last.
    asks: Vec<Ask>,
    /// Refused, to be halved; indices of `parents`. Both halves of one are asked before either is
    /// halved again: if one works, the length of the other is not what is wrong.
    to_halve: Vec<usize>,
    /// Most items of this table that worked.
    longest: u16,
    /// Most items that are worth a try, once that is known.
    cap: Option<u16>,
    lessons: Vec<Lesson>,
    answered: bool,
    unanswered: bool,
}

#[derive(Clone, Debug)]
struct Ask {
    role: Role,
    block: Block,
}

/// Why something is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// The refused block.
    Piece,
    /// Half of a parent.
    Half(usize),
    /// Both halves of a parent work: what lies between them.
    Gap(usize),
    /// So does that: the last item of the first half to the first of the second.
    Seam(usize),
}

#[derive(Clone, Debug)]
struct Parent {
    block: Block,
    /// What it was refused with, if it was asked.
    exception: Option<u8>,
    /// Its halves that work.
    working: Vec<ReadRequest>,
}

impl Search {
    /// What to ask next. What is between two pieces has no wishes.
    pub fn next(&self) -> Option<&Block> {
        self.asks.last().map(|ask| &ask.block)
    }

    /// What came of it.
    pub fn settle(&mut self, reply: Reply, holes: &mut Holes, now: UtcMs) -> Piece {
        let Some(Ask { role, block }) = self.asks.pop() else { return Piece::Settled };
        let piece = match reply {
            Reply::Answered => {
                holes.answered(block.request);
                self.accept(role, block.request, now);
                Piece::Settled
            }
            Reply::Refused(exception) => self.refuse(role, block, exception, now),
            Reply::Nothing => {
                self.unanswered = true;
                Piece::Settled
            }
        };
        self.advance(holes);
        piece
    }

    fn refuse(&mut self, role: Role, block: Block, exception: u8, now: UtcMs) -> Piece {
        if matches!(role, Role::Piece | Role::Half(_)) && block.split().is_some() {
            self.to_halve.push(self.parents.len());
            self.parents.push(Parent { block, exception: Some(exception), working: Vec::new() });
            return Piece::Split;
        }
        self.lessons.push(Lesson { refused: block.request, exception, longest: None, learned_at: now });
        Piece::Settled
    }

    fn accept(&mut self, role: Role, request: ReadRequest, now: UtcMs) {
        self.answered = true;
        self.longest = self.longest.max(request.count());
        match role {
            Role::Piece => {}
            Role::Half(of) => self.half_works(of, request, now),
            Role::Gap(of) => self.nothing_between(of, now),
            Role::Seam(of) => self.blame_all(of, now),
        }
    }

    fn half_works(&mut self, of: usize, half: ReadRequest, now: UtcMs) {
        let Some(parent) = self.parents.get_mut(of) else { return };
        parent.working.push(half);
        // One that was not asked was not refused; and where a half is the whole, it changed its mind.
        let undecided = parent.working.len() < 2 || parent.working.contains(&parent.block.request);
        if undecided || parent.exception.is_none() {
            return;
        }
        match parent.between(0) {
            Some(gap) => self.ask_alone(Role::Gap(of), gap),
            None => self.nothing_between(of, now),
        }
    }

    /// All of it works, in pieces: it is too long, or crosses a seam of the device's own making.
    fn nothing_between(&mut self, of: usize, now: UtcMs) {
        let Some(parent) = self.parents.get(of) else { return };
        let (refused, Some(exception)) = (parent.block.request, parent.exception) else { return };
        if refused.count() > self.longest {
            self.cap = Some(self.longest);
            self.lessons.push(Lesson { refused, exception, longest: Some(self.longest), learned_at: now });
            return;
        }
        match parent.between(1) {
            Some(seam) if seam != refused => self.ask_alone(Role::Seam(of), seam),
            _ => self.blame_all(of, now),
        }
    }

    /// Nothing smaller is wrong with it.
    fn blame_all(&mut self, of: usize, now: UtcMs) {
        let Some(parent) = self.parents.get(of) else { return };
        let (refused, Some(exception)) = (parent.block.request, parent.exception) else { return };
        self.lessons.push(Lesson { refused, exception, longest: None, learned_at: now });
    }

    fn ask_alone(&mut self, role: Role, request: ReadRequest) {
        self.asks.push(Ask { role, block: Block::of_nothing(request) });
    }

    /// Halves until there is something to ask, or hands over what was learned.
    fn advance(&mut self, holes: &mut Holes) {
        while self.asks.is_empty() {
            let Some(of) = self.to_halve.pop() else { return self.hand_over(holes) };
            let halves = self.parents.get(of).and_then(|parent| parent.block.split());
            let Some((left, right)) = halves else { continue };
            for half in [right, left] {
                let vain = self.cap.is_some_and(|cap| half.request.count() > cap) && half.split().is_some();
                if vain {
                    self.to_halve.push(self.parents.len());
                    self.parents.push(Parent { block: half, exception: None, working: Vec::new() });
                } else {
                    self.asks.push(Ask { role: Role::Half(of), block: half });
                }
            }
        }
    }

    fn hand_over(&mut self, holes: &mut Holes) {
        let trust = if self.answered && !self.unanswered { Trust::Sure } else { Trust::Doubtful };
        for lesson in std::mem::take(&mut self.lessons) {
            holes.learn(lesson, trust);
        }
    }
}

impl Parent {
    /// What lies between the halves, and so many items more on either side; none if the halves
    /// overlap, or there is nothing.
    fn between(&self, more: u16) -> Option<ReadRequest> {
        let (left, right) = self.block.split()?;
        let gap = u32::from(right.request.start()).checked_sub(end(left.request))?;
        let first = end(left.request) - u32::from(more);
        let count = u16::try_from(gap).ok()? + 2 * more;
        ReadRequest::new(self.block.request.table(), u16::try_from(first).ok()?, count).ok()
    }
}

#[cfg(test)]
mod tests;
