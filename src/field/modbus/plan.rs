//! Which values are asked for together: the cheapest requests on this very line. Pure.
//!
//! A request costs its own time and that of the items it brings, wanted or not. Whether a gap is
//! worth reading over is therefore a matter of baud rate and latency, and no fixed gap is right
//! for all lines: [`blocks`] takes the cheapest of all ways to group the values.
//!
//! **Invariant:** a value is never split, no request is longer than the device bears, and none
//! touches a forbidden stretch.

use super::agenda::{RATES_MAX, Rate};
use super::frame::{BITS_MAX, REGISTERS_MAX, ReadRequest, RequestError};
use super::holes::Holes;
use crate::config::{Cell, DeviceLimits, Link, Register, Stretch, Table};
use crate::point::PointId;
use std::collections::HashMap;
use std::sync::Arc;

/// Characters of a request in RTU framing, and of an answer without its data: address, function,
/// byte count, two of CRC (MODBUS over Serial Line V1.02, 2.5.1).
const RTU_CHARS: u64 = 8 + 5;
/// Time of a byte on Modbus TCP: 10 Mbit/s. As good as nothing, but of two equally quick ways the
/// shorter one wins.
const TCP_BYTE_NS: u64 = 800;

/// What a request costs on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Of any request, in microseconds.
    pub fixed_us: u64,
    /// Of each byte of data in its answer, in nanoseconds. A register has two, eight bits have one.
    pub byte_ns: u64,
}

impl Cost {
    /// On `link`, where a device takes `latency_us` to answer (on TCP the way there and back
    /// included) and `pause_us` pass before the next request.
    pub fn of(link: &Link, latency_us: u64, pause_us: u64) -> Cost {
        let Some(serial) = link.serial() else {
            return Cost { fixed_us: latency_us + pause_us, byte_ns: TCP_BYTE_NS };
        };
        let frames_us = RTU_CHARS * serial.char_us() + 2 * serial.frame_gap_us();
        Cost { fixed_us: frames_us + latency_us + pause_us, byte_ns: serial.char_us() * 1_000 }
    }

    /// How long the line is busy with a request, in microseconds.
    pub fn request_us(self, request: ReadRequest) -> u64 {
        self.items_ns(request.table(), u32::from(request.count())).div_ceil(1_000)
    }

    fn items_ns(self, table: Table, count: u32) -> u64 {
        let count = u64::from(count);
        let bytes = if table.is_bits() { count.div_ceil(8) } else { 2 * count };
        self.fixed_us.saturating_mul(1_000).saturating_add(self.byte_ns.saturating_mul(bytes))
    }
}

/// Something to be read, whole or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Which table.
    pub table: Table,
    /// First item.
    pub start: u16,
    /// How many items.
    pub count: u16,
    /// The caller's own index.
    pub tag: u32,
}

impl Wish {
    /// One past its last item.
    pub(super) fn end(self) -> u32 {
        u32::from(self.start) + u32::from(self.count)
    }
}

/// One request and the wishes its answer fulfils: the unit of failure and of the time stamp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What is asked.
    pub request: ReadRequest,
    /// What it is asked for, in the order of their addresses. Shared: it is planned once and asked
    /// in every cycle.
    pub wishes: Arc<[Wish]>,
}

impl Block {
    /// The shortest request for all of `wishes`, which are of one table and in order. None if
    /// there are none or no request is that long.
    fn over(wishes: Vec<Wish>) -> Option<Block> {
        let first = wishes.first()?;
        // The further end counts: a wide value may reach beyond the start of the next one.
        let end = wishes.iter().map(|wish| wish.end()).max()?;
        let count = u16::try_from(end - u32::from(first.start)).ok()?;
        let request = ReadRequest::new(first.table, first.start, count).ok()?;
        Some(Block { request, wishes: wishes.into() })
    }

    /// A request to find something out: no value is made of its answer.
    pub(super) fn of_nothing(request: ReadRequest) -> Block {
        Block { request, wishes: Arc::default() }
    }

    /// The two halves of a block, each no longer than its wishes. None if they all want the same
    /// items.
    pub fn split(&self) -> Option<(Block, Block)> {
        let shapes = || self.wishes.chunk_by(|a, b| (a.start, a.count) == (b.start, b.count));
        let left: usize = shapes().take(shapes().count().div_ceil(2)).map(<[Wish]>::len).sum();
        let (left, right) = self.wishes.split_at_checked(left)?;
        Some((Block::over(left.to_vec())?, Block::over(right.to_vec())?))
    }
}

/// What is asked, and what is known to be in vain. Every wish is in one of the two, once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Planned {
    /// What is asked, in the order of tables and addresses.
    pub asked: Vec<Block>,
    /// Not asked: the device has refused exactly this before, with this exception.
    pub held_back: Vec<(Wish, u8)>,
}

/// Why something cannot be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Wider than the device bears, or beyond the last address.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// In a stretch that must not be asked for.
    #[error("{count} items from {start} on touch the forbidden stretch {} to {}", .forbidden.first, .forbidden.last)]
    Forbidden {
        /// First item.
        start: u16,
        /// How many.
        count: u16,
        /// The stretch.
        forbidden: Stretch,
    },
    /// Too many intervals on one device.
    #[error("{0} different intervals on one device, more than {RATES_MAX}")]
    Rates(usize),
}

/// The cheapest requests for all of `wishes`.
///
/// A request reads over a gap if that is cheaper than another request, but never over what is
/// forbidden or a hole the device is known to have; a wish with a hole inside is asked by itself.
///
/// # Errors
/// A wish of no items, wider than the device bears, beyond address 65535 or touching a forbidden
/// stretch.
pub fn blocks(
    wishes: &[Wish],
    limits: &DeviceLimits,
    holes: &Holes,
    cost: Cost,
) -> Result<Planned, PlanError> {
    let mut planned = Planned::default();
    let mut asked = Vec::new();
    for wish in wishes {
        allowed(*wish, limits)?;
        match holes.held_back(*wish) {
            Some(exception) => planned.held_back.push((*wish, exception)),
            None => asked.push(*wish),
        }
    }
    asked.sort_by_key(|wish| (wish.table, wish.start, wish.count, wish.tag));
    for of_table in asked.chunk_by(|a, b| a.table == b.table) {
        let shapes = of_table.chunk_by(|a, b| (a.start, a.count) == (b.start, b.count));
        let shapes = shapes.filter_map(|wishes| Shape::new(wishes, limits, holes));
        let (social, alone): (Vec<_>, Vec<_>) = shapes.partition(|shape| shape.end <= shape.limit);
        let groups = cheapest(&social, cost).into_iter().chain(alone.chunks(1));
        planned.asked.extend(
            groups.filter_map(|group| {
                Block::over(group.iter().flat_map(|shape| shape.wishes).copied().collect())
            }),
        );
    }
    planned.asked.sort_by_key(|block| (block.request.table(), block.request.start(), block.request.count()));
    Ok(planned)
}

/// Most items of a table in one request to a device.
fn cap(limits: &DeviceLimits, table: Table) -> u16 {
    if table.is_bits() { limits.bits_max.min(BITS_MAX) } else { limits.registers_max.min(REGISTERS_MAX) }
}

/// Whether the device may be asked for it at all, whatever it was known to refuse.
pub(super) fn allowed(wish: Wish, limits: &DeviceLimits) -> Result<(), PlanError> {
    if wish.count > cap(limits, wish.table) {
        return Err(RequestError::Count(wish.count).into());
    }
    ReadRequest::new(wish.table, wish.start, wish.count)?;
    let touches = |stretch: &&Stretch| {
        stretch.table == wish.table
            && u32::from(stretch.first) < wish.end()
            && stretch.last >= wish.start
            && stretch.first <= stretch.last
    };
    match limits.forbidden.iter().find(touches) {
        Some(forbidden) => {
            Err(PlanError::Forbidden { start: wish.start, count: wish.count, forbidden: *forbidden })
        }
        None => Ok(()),
    }
}

/// Wishes for the very same items.
#[derive(Clone, Copy)]
struct Shape<'a> {
    wishes: &'a [Wish],
    table: Table,
    start: u32,
    /// One past the last item.
    end: u32,
    /// Where a request that begins here and is for others too must end. A shape that itself goes
    /// beyond it is asked alone.
    limit: u32,
}

impl<'a> Shape<'a> {
    fn new(wishes: &'a [Wish], limits: &DeviceLimits, holes: &Holes) -> Option<Shape<'a>> {
        let wish = wishes.first()?;
        let (table, start) = (wish.table, u32::from(wish.start));
        let cap = holes.cap(table).map_or(cap(limits, table), |learned| learned.min(cap(limits, table)));
        let forbidden = limits.forbidden.iter().filter(|stretch| stretch.table == table);
        let forbidden = forbidden.map(|stretch| u32::from(stretch.first));
        let holes = holes.stretches(table);
        // A forbidden stretch must not be touched, a hole not be read over whole.
        let holes = holes.filter(|(first, _)| *first >= start).map(|(_, last)| last);
        let barriers = forbidden.filter(|first| *first >= start).chain(holes);
        let limit = barriers.fold(start + u32::from(cap), u32::min);
        Some(Shape { wishes, table, start, end: wish.end(), limit })
    }
}

/// Groups neighbours at the least cost; of equal ways the one with fewer requests.
///
/// Some cheapest grouping is made of runs in the order of (start, end): where two requests
/// interleave, a value of the first that starts inside the second either ends inside it too, and
/// can move there, or the first covers all of the second, which can move. So the cheapest way to ask for the first
/// `j` shapes ends in a request for some last run of them. A longer run is never allowed where a
/// shorter one is not, so what is tried for each `j` is at most a request long.
fn cheapest<'a, 'b>(shapes: &'b [Shape<'a>], cost: Cost) -> Vec<&'b [Shape<'a>]> {
    // For the first 0, 1, 2 ... shapes: the least cost, and where its last run begins.
    let mut best: Vec<(u64, usize)> = vec![(0, 0)];
    for last in 0..shapes.len() {
        let mut end = 0;
        let mut least: Option<(u64, usize)> = None;
        for (index, first) in shapes.iter().enumerate().take(last + 1).rev() {
            end = first.end.max(end);
            if end > first.limit {
                break;
            }
            let before = best.get(index).map_or(0, |(total, _)| *total);
            let total = before.saturating_add(cost.items_ns(first.table, end - first.start));
            if least.is_none_or(|(least, _)| total <= least) {
                least = Some((total, index));
            }
        }
        best.extend(least);
    }
    let mut groups = Vec::new();
    let mut rest = shapes;
    while let Some((_, begin)) = best.get(rest.len()).filter(|_| !rest.is_empty()) {
        let Some((before, group)) = rest.split_at_checked(*begin) else { break };
        groups.push(group);
        rest = before;
    }
    groups.reverse();
    groups
}

/// What is read of a device, and for which of its points.
///
/// A point may need several cells: its own, the one that tells the byte order, its factors. Each
/// is read whenever one of its points is due, and then once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    /// The distinct cells; a [`Wish::tag`] is an index into them.
    pub cells: Vec<Cell>,
    /// The points, in the order of the registers.
    pub points: Vec<PointAt>,
    /// The distinct rates, the shortest interval first; bit `n` of a mask is the `n`th.
    pub rates: Vec<Rate>,
    /// For each cell the rates of all points that need it.
    wanted_in: Vec<u64>,
}

/// Where a point's value is made from: indices into the cells of its [`Map`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PointAt {
    /// The point.
    pub id: PointId,
    /// Its raw value.
    pub cell: u32,
    /// What tells the order of its bytes.
    pub order_from: Option<u32>,
    /// Its factors, in the order of the register's.
    pub factors: Vec<u32>,
    /// Index of its rate.
    pub rate: u8,
}

impl Map {
    /// Registers with the points they feed.
    ///
    /// # Errors
    /// More than [`RATES_MAX`] different intervals.
    pub fn new<'a>(registers: impl IntoIterator<Item = (&'a Register, PointId)>) -> Result<Map, PlanError> {
        let registers: Vec<(&Register, PointId)> = registers.into_iter().collect();
        let rate_of =
            |register: &Register| Rate { interval_ms: register.interval_ms, aligned: register.aligned };
        let mut rates: Vec<Rate> = registers.iter().map(|(register, _)| rate_of(register)).collect();
        rates.sort_unstable();
        rates.dedup();
        if rates.len() > RATES_MAX {
            return Err(PlanError::Rates(rates.len()));
        }
        let mut cells = Cells::default();
        let mut points = Vec::with_capacity(registers.len());
        for (register, id) in registers {
            let rate = rates.binary_search(&rate_of(register)).unwrap_or(0);
            let mut index = |cell| cells.index(cell, 1 << rate);
            points.push(PointAt {
                id,
                cell: index(register.cell),
                order_from: register.order_from.as_ref().map(|from| index(from.cell)),
                factors: register.factors.iter().map(|factor| index(factor.cell)).collect(),
                rate: u8::try_from(rate).unwrap_or(u8::MAX),
            });
        }
        Ok(Map { cells: cells.list, points, rates, wanted_in: cells.wanted_in })
    }

    /// All cells that are needed when the rates of `mask` are due.
    pub fn wishes(&self, mask: u64) -> Vec<Wish> {
        let cells = (0_u32..).zip(self.cells.iter().zip(&self.wanted_in));
        let due = cells.filter(|(_, (_, wanted_in))| *wanted_in & mask != 0);
        due.map(|(tag, (cell, _))| Wish { table: cell.table, start: cell.address, count: cell.items(), tag })
            .collect()
    }

    /// The mask in which every rate is due.
    pub fn all(&self) -> u64 {
        (0..self.rates.len()).fold(0, |mask, rate| mask | 1 << rate)
    }
}

#[derive(Default)]
struct Cells {
    list: Vec<Cell>,
    wanted_in: Vec<u64>,
    known: HashMap<Cell, u32>,
}

impl Cells {
    /// The index of a cell that is wanted in the rates of `mask` too.
    fn index(&mut self, cell: Cell, mask: u64) -> u32 {
        let next = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        let index = *self.known.entry(cell).or_insert(next);
        if index == next {
            self.list.push(cell);
            self.wanted_in.push(0);
        }
        if let Some(wanted_in) = usize::try_from(index).ok().and_then(|at| self.wanted_in.get_mut(at)) {
            *wanted_in |= mask;
        }
        index
    }
}

#[cfg(test)]
mod tests;
