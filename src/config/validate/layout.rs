//! The registers of a device among each other: overlaps, and addresses that were counted otherwise.

use super::super::diagnostic::{Code, Problem};
use super::super::source::Place;
use super::super::{Cell, Encoding, Register, Table};
use super::Context;
use super::register::word;
use std::ops::RangeInclusive;

/// Numbers as manuals print them, by table, and the number of the first register.
const MANUAL_NUMBERS: [(Table, RangeInclusive<u16>, u16); 3] = [
    (Table::Holding, 40_001..=49_999, 40_001),
    (Table::Input, 30_001..=39_999, 30_001),
    (Table::Discrete, 10_001..=19_999, 10_001),
];

/// `registers` in the order of the files, each with the place of its address. The author of a
/// profile has read the manual: addresses of the file `profile` are protocol addresses, whatever
/// they look like (Huawei's UPS2000 does have a register 41180).
pub fn check(registers: &[(Place, Register)], profile: Option<usize>, context: &mut Context<'_>) {
    overlaps(registers, context);
    let copied: Vec<&(Place, Register)> =
        registers.iter().filter(|(place, _)| Some(place.source) != profile).collect();
    for (table, numbers, base) in MANUAL_NUMBERS {
        manual_numbers(&copied, table, &numbers, base, context);
    }
}

/// Two points may share a register only by reading it the same way.
fn overlaps(registers: &[(Place, Register)], context: &mut Context<'_>) {
    let mut by_address: Vec<usize> = (0..registers.len()).collect();
    let get = |index: &usize| registers.get(*index);
    by_address
        .sort_by_key(|index| get(index).map(|(_, register)| (register.cell.table, register.cell.address)));
    // Those that may reach into the next one; of those that read alike the first is enough.
    let mut open: Vec<usize> = Vec::new();
    for index in &by_address {
        let Some(cell) = get(index).map(|(_, register)| register.cell) else { continue };
        open.retain(|other| get(other).is_some_and(|(_, other)| reaches(other.cell, cell)));
        let other = open.iter().find(|other| get(other).is_some_and(|(_, other)| !alike(other.cell, cell)));
        if let Some(other) = other {
            // The later of the two is the one to look at.
            let (Some((first, other)), Some((place, register))) =
                (get(index.min(other)), get(index.max(other)))
            else {
                continue;
            };
            let message =
                format!("\"{}\" and \"{}\" read the same register in two ways", other.point, register.point);
            let problem = Problem::error(Code::RegisterOverlap, place.clone(), message);
            let problem = problem.note(first.clone(), format!("\"{}\" is here", other.point));
            context.problems.push(problem.help("check address and type of both in the manual"));
        }
        let known = open.iter().any(|other| get(other).is_some_and(|(_, other)| same(other.cell, cell)));
        if !known {
            open.push(*index);
        }
    }
}

/// Whether a value that begins no later reaches into another one.
fn reaches(earlier: Cell, later: Cell) -> bool {
    earlier.table == later.table
        && u32::from(earlier.address) + u32::from(earlier.items()) > u32::from(later.address)
}

/// The same registers in the same way, whatever bits are then taken out.
fn same(a: Cell, b: Cell) -> bool {
    Cell { bits: None, ..a } == Cell { bits: None, ..b }
}

/// The same, or different parts of one register: its two bytes, or a byte with a code in it and
/// bits beside or inside that. The whole register as a number beside one of its bytes is a mistake.
fn alike(a: Cell, b: Cell) -> bool {
    let byte = |cell: Cell| matches!(cell.encoding, Encoding::U8 | Encoding::I8);
    let bits = |cell: Cell| cell.bits.is_some() && cell.items() == 1;
    let bytes = byte(a) && byte(b) && a.order != b.order;
    same(a, b) || bytes || (byte(a) && bits(b)) || (bits(a) && byte(b))
}

/// One warning for a table whose addresses all look like a manual's, else one for each that does.
/// Discrete inputs above 10,000 exist; there only all of them together are suspicious.
fn manual_numbers(
    registers: &[&(Place, Register)],
    table: Table,
    numbers: &RangeInclusive<u16>,
    base: u16,
    context: &mut Context<'_>,
) {
    let of_table = || registers.iter().copied().filter(|(_, register)| register.cell.table == table);
    let suspicious = |(_, register): &&(Place, Register)| numbers.contains(&register.cell.address);
    let (count, all) = (of_table().filter(suspicious).count(), of_table().count());
    let Some((place, first)) = of_table().find(suspicious) else { return };
    let number = first.cell.address;
    let help = format!("if the manual says {number}, write {}", number - base);
    if count > 1 && count == all {
        let message = format!(
            "all {count} {} addresses of this device look like numbers in a manual, beginning with {number}",
            word(table)
        );
        context.problems.push(Problem::warning(Code::ReferenceNumber, place.clone(), message).help(help));
        return;
    }
    for (place, register) in of_table().filter(suspicious).filter(|_| table != Table::Discrete) {
        let number = register.cell.address;
        let message = format!("{number} looks like the number in a manual, not like a protocol address");
        let help = format!("if the manual says {number}, write {}", number - base);
        context.problems.push(Problem::warning(Code::ReferenceNumber, place.clone(), message).help(help));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Bits, Order};

    fn messages(cells: &[Cell]) -> Vec<String> {
        let register = |(index, cell): (usize, &Cell)| {
            let place = Place { source: 0, span: index..index + 1 };
            (place, Register::plain(format!("a/p{index}").parse().unwrap(), 1_000, *cell))
        };
        let registers: Vec<_> = cells.iter().enumerate().map(register).collect();
        let mut problems = Vec::new();
        check(&registers, None, &mut Context::new(true, &mut problems));
        problems.into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn registers_are_shared_by_bits_and_bytes_and_by_nothing_else() {
        let word = Cell::new(Table::Holding, 10, Encoding::U16);
        let low = Cell::new(Table::Holding, 11, Encoding::U8);
        let bit = |bit| Cell { bits: Some(Bits::One(bit)), ..word };
        assert!(messages(&[word, bit(0), bit(3), word, bit(0)]).is_empty());
        assert!(messages(&[low, Cell { order: Order::Badc, ..low }]).is_empty());
        assert!(messages(&[word, Cell { table: Table::Input, encoding: Encoding::U32, ..word }]).is_empty());

        // A code in the low byte, flags in the high one; but not the byte and all of it.
        let all = Cell { address: 11, ..word };
        assert!(messages(&[low, Cell { bits: Some(Bits::One(9)), ..all }]).is_empty());
        assert_eq!(messages(&[low, all]).len(), 1);

        let wide = Cell::new(Table::Holding, 9, Encoding::U32);
        assert_eq!(messages(&[bit(0), wide]), ["\"a/p0\" and \"a/p1\" read the same register in two ways"]);
        // A long value reaches over shorter ones between it and the next.
        let text = Cell::new(Table::Holding, 0, Encoding::Text(40));
        assert_eq!(messages(&[low, Cell::new(Table::Holding, 2, Encoding::U16), text]).len(), 2);
    }
}
