//! What the words of an answer are made into: worked out once for a request, followed in every
//! cycle. Pure.

use super::agenda::rate_bit;
use super::decode::{self, Plain};
use super::plan::{Block, Map, PointAt};
use crate::config::Device;
use crate::field::{Fault, Raw, Sample};
use crate::point::PointId;
use std::ops::Range;
use std::sync::Arc;

/// Which points are fed by a cell.
#[derive(Clone, Debug, Default)]
pub struct OfCell {
    /// Those that need no other cell.
    pub direct: Vec<Direct>,
    /// Points that need several cells are made at the end of the cycle; this is one of them.
    pub is_kept: bool,
}

/// A point that needs no other cell than its own.
#[derive(Clone, Copy, Debug)]
pub struct Direct {
    /// The point.
    pub id: PointId,
    /// The bit of its rate.
    rate: u64,
    way: Way,
}

/// How a value is read.
#[derive(Clone, Copy, Debug)]
enum Way {
    Plain(Plain),
    /// As this register of the device says, with all that may be about it.
    Long(usize),
}

impl Direct {
    /// Whether it is read in a cycle of these rates.
    pub fn is_due(&self, mask: u64) -> bool {
        mask & self.rate != 0
    }
}

/// Who is fed by each cell of a map of `plan`, and which points, by index, need several.
pub fn feeds(map: &Map, plan: &Device) -> (Vec<OfCell>, Vec<usize>) {
    let mut by_cell = vec![OfCell::default(); map.cells.len()];
    let mut dependent = Vec::new();
    for (index, (point, register)) in map.points.iter().zip(&plan.registers).enumerate() {
        let alone = point.order_from.is_none() && point.factors.is_empty();
        for cell in needed(point) {
            let Some(cell) = by_cell.get_mut(cell) else { continue };
            if alone {
                let way = Plain::of(register).map_or(Way::Long(index), Way::Plain);
                cell.direct.push(Direct { id: point.id, rate: rate_bit(usize::from(point.rate)), way });
            } else {
                cell.is_kept = true;
            }
        }
        if !alone {
            dependent.push(index);
        }
    }
    (by_cell, dependent)
}

/// The cells a point is made of.
fn needed(point: &PointAt) -> impl Iterator<Item = usize> + '_ {
    let cells = [point.cell].into_iter().chain(point.order_from).chain(point.factors.iter().copied());
    cells.filter_map(|cell| usize::try_from(cell).ok())
}

/// A request with what its answer is made into.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The request.
    pub block: Block,
    /// How many samples it makes.
    samples: usize,
    /// Neighbours that are read alike: each with where its items begin in the answer.
    plain: Vec<(Plain, Vec<(PointId, usize)>)>,
    long: Vec<Step>,
    /// Cells others need, and where they stand in the answer.
    kept: Vec<(u32, Range<usize>)>,
}

/// A sample that is made the long way.
#[derive(Clone, Debug)]
struct Step {
    point: PointId,
    register: usize,
    items: Range<usize>,
}

impl Recipe {
    /// For a block that is read for the rates of `mask`.
    pub fn new(block: Block, by_cell: &[OfCell], mask: u64) -> Recipe {
        let wishes = Arc::clone(&block.wishes);
        let first = block.request.start();
        let mut recipe = Recipe { block, samples: 0, plain: Vec::new(), long: Vec::new(), kept: Vec::new() };
        for wish in wishes.iter() {
            let Some(of_cell) = usize::try_from(wish.tag).ok().and_then(|cell| by_cell.get(cell)) else {
                continue;
            };
            let from = usize::from(wish.start.saturating_sub(first));
            let items = from..from + usize::from(wish.count);
            for direct in of_cell.direct.iter().filter(|direct| direct.is_due(mask)) {
                recipe.step(*direct, items.clone());
            }
            if of_cell.is_kept {
                recipe.kept.push((wish.tag, items));
            }
        }
        recipe
    }

    fn step(&mut self, direct: Direct, items: Range<usize>) {
        self.samples += 1;
        match (direct.way, self.plain.last_mut()) {
            (Way::Long(register), _) => self.long.push(Step { point: direct.id, register, items }),
            (Way::Plain(way), Some((last, places))) if way == *last => places.push((direct.id, items.start)),
            (Way::Plain(way), _) => self.plain.push((way, vec![(direct.id, items.start)])),
        }
    }

    /// The samples of the points that need no other cell; `answer` holds the items of the block.
    pub fn samples(&self, answer: &[u16], plan: &Device) -> Vec<Sample> {
        let mut samples = Vec::with_capacity(self.samples);
        for (way, places) in &self.plain {
            way.read(answer, places, &mut samples);
        }
        samples
            .extend(self.long.iter().map(|step| Sample { point: step.point, raw: step.value(answer, plan) }));
        samples
    }

    /// The cells others need, with their items.
    pub fn kept<'a>(
        &'a self,
        answer: &'a [u16],
    ) -> impl Iterator<Item = (u32, Result<Vec<u16>, Fault>)> + 'a {
        let items =
            |range: &Range<usize>| answer.get(range.clone()).map(<[u16]>::to_vec).ok_or(Fault::Decoding);
        self.kept.iter().map(move |(cell, range)| (*cell, items(range)))
    }
}

impl Step {
    fn value(&self, answer: &[u16], plan: &Device) -> Result<Raw, Fault> {
        let register = plan.registers.get(self.register).ok_or(Fault::Decoding)?;
        let items = answer.get(self.items.clone()).ok_or(Fault::Decoding)?;
        decode::point(items, register, register.cell.order, &[], &plan.zone)
    }
}
