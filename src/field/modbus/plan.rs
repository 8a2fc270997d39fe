//! Which registers are asked for together. Pure.
//!
//! Neighbours share a request. A cleverer strategy (gaps worth reading, forbidden ranges, learned
//! holes) has its place inside [`blocks`] and changes nothing around it.

use super::frame::{REGISTERS_MAX, ReadRequest, RequestError};
use crate::config::{Cell, Register};
use crate::point::PointId;

/// One request and the values in its answer: the unit of failure and of the time stamp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What is asked.
    pub request: ReadRequest,
    /// The values, in the order of their addresses.
    pub fields: Vec<Field>,
}

/// Where in a block a point's value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The point.
    pub point: PointId,
    /// Items before it in the block.
    pub offset: u16,
    /// How its bits are to be read.
    pub cell: Cell,
}

/// Groups registers into as few requests as contiguous ranges allow, none longer than
/// `registers_max`. Overlapping values share their registers; a value is never split.
///
/// # Errors
/// A value that is wider than `registers_max` or ends beyond register 65535.
pub fn blocks(registers: &[(Register, PointId)], registers_max: u16) -> Result<Vec<Block>, RequestError> {
    let cap = registers_max.min(REGISTERS_MAX);
    let mut sorted: Vec<_> = registers.iter().collect();
    sorted.sort_by_key(|(register, _)| (register.cell.table, register.cell.address, register.cell.items()));

    let mut blocks: Vec<Block> = Vec::new();
    for (register, point) in sorted {
        let cell = register.cell;
        let count = cell.items();
        if count > cap {
            return Err(RequestError::Count(count));
        }
        let alone = ReadRequest::new(cell.table, cell.address, count)?;
        let joined = blocks.last().and_then(|block| extended(block.request, alone, cap));
        let field =
            |request: ReadRequest| Field { point: *point, offset: cell.address - request.start(), cell };
        match (joined, blocks.last_mut()) {
            (Some(request), Some(block)) => {
                block.request = request;
                block.fields.push(field(request));
            }
            _ => blocks.push(Block { request: alone, fields: vec![field(alone)] }),
        }
    }
    Ok(blocks)
}

/// `block` made long enough for `next`, which starts no earlier; none if there is a gap or it
/// would be longer than `cap`.
fn extended(block: ReadRequest, next: ReadRequest, cap: u16) -> Option<ReadRequest> {
    let end = |request: ReadRequest| u32::from(request.start()) + u32::from(request.count());
    if block.table() != next.table() || u32::from(next.start()) > end(block) {
        return None;
    }
    // The further end counts: a wide value may reach beyond the start of the next one.
    let count = end(block).max(end(next)) - u32::from(block.start());
    let count = u16::try_from(count).ok().filter(|count| *count <= cap)?;
    ReadRequest::new(block.table(), block.start(), count).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Encoding, Table};
    use proptest::prelude::*;

    fn register(table: Table, address: u16, encoding: Encoding, point: u32) -> (Register, PointId) {
        let address = Cell::new(table, address, encoding);
        let register = Register::plain(format!("asset/q{point}").parse().unwrap(), 1_000, address);
        (register, PointId(point))
    }

    fn shape(blocks: &[Block]) -> Vec<(Table, u16, u16, usize)> {
        blocks
            .iter()
            .map(|block| {
                (block.request.table(), block.request.start(), block.request.count(), block.fields.len())
            })
            .collect()
    }

    #[test]
    fn neighbours_share_a_request_and_gaps_and_tables_part_them() {
        use Encoding::{F32, U16, U32};
        let map = [
            register(Table::Input, 4, U16, 5),
            register(Table::Holding, 12, F32, 3),
            register(Table::Holding, 10, U32, 2),
            register(Table::Holding, 15, U16, 4),
            register(Table::Holding, 4, U16, 1),
        ];
        let planned = blocks(&map, 125).unwrap();
        let expected = [
            (Table::Holding, 4, 1, 1),
            (Table::Holding, 10, 4, 2),
            (Table::Holding, 15, 1, 1),
            (Table::Input, 4, 1, 1),
        ];
        assert_eq!(shape(&planned), expected);
        assert_eq!(planned[1].fields[1].offset, 2);
    }

    #[test]
    fn an_overlap_keeps_the_further_end() {
        // Telegraf's max_insert shrinks this request to 2 registers (gateway notes).
        let map =
            [register(Table::Holding, 10, Encoding::U32, 1), register(Table::Holding, 10, Encoding::I16, 2)];
        assert_eq!(shape(&blocks(&map, 125).unwrap()), [(Table::Holding, 10, 2, 2)]);
        let map =
            [register(Table::Holding, 10, Encoding::U32, 1), register(Table::Holding, 11, Encoding::I16, 2)];
        assert_eq!(shape(&blocks(&map, 125).unwrap()), [(Table::Holding, 10, 2, 2)]);
    }

    #[test]
    fn a_value_that_fits_no_request_is_an_error() {
        let wide = [register(Table::Holding, 0, Encoding::U32, 1)];
        assert_eq!(blocks(&wide, 1), Err(RequestError::Count(2)));
        let beyond = [register(Table::Holding, 65_535, Encoding::U32, 1)];
        assert_eq!(blocks(&beyond, 125), Err(RequestError::Range { start: 65_535, count: 2 }));
    }

    proptest! {
        #[test]
        fn every_point_once_inside_its_block_and_no_block_too_long(
            map in proptest::collection::vec((any::<bool>(), 0_u16..400, any::<bool>()), 0..80),
            cap in 2_u16..140,
        ) {
            let map: Vec<_> = map.iter().enumerate().map(|(index, (input, address, wide))| {
                let table = if *input { Table::Input } else { Table::Holding };
                let encoding = if *wide { Encoding::U32 } else { Encoding::U16 };
                register(table, *address, encoding, u32::try_from(index).unwrap())
            }).collect();
            let planned = blocks(&map, cap).unwrap();
            let mut seen = vec![];
            for block in &planned {
                prop_assert!(block.request.count() <= cap.min(REGISTERS_MAX));
                for field in &block.fields {
                    let (register, point) = &map[usize::try_from(field.point.0).unwrap()];
                    prop_assert_eq!(*point, field.point);
                    prop_assert_eq!(block.request.table(), register.cell.table);
                    prop_assert_eq!(block.request.start() + field.offset, register.cell.address);
                    prop_assert!(field.offset + field.cell.items() <= block.request.count());
                    seen.push(field.point.0);
                }
            }
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..u32::try_from(map.len()).unwrap()).collect::<Vec<_>>());
        }
    }
}
