//! The requests to a device as bars over its addresses. Pure.

use crate::cli::loads::{needed, table_word};
use crate::config::{Device, Table};
use crate::field::modbus::ClassForecast;
use std::collections::{BTreeMap, BTreeSet};

/// One table of a device as one rate reads it.
#[derive(Debug, PartialEq, Eq)]
pub struct Strip {
    /// The table.
    pub table: Table,
    /// In the order of the addresses.
    pub parts: Vec<Part>,
}

/// A stretch of addresses.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    /// Read in one request.
    Request {
        /// First address.
        first: u16,
        /// What of it is wanted and what is read over, neighbours together.
        runs: Vec<Run>,
    },
    /// Never asked for.
    Forbidden {
        /// First address.
        first: u16,
        /// Last address.
        last: u16,
    },
}

/// Addresses of a request that are alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// How many.
    pub count: u16,
    /// Wanted, or only cheaper to read than to ask twice.
    pub wanted: bool,
}

impl Part {
    /// First address.
    pub fn first(&self) -> u16 {
        match self {
            Part::Request { first, .. } | Part::Forbidden { first, .. } => *first,
        }
    }

    /// How many addresses.
    pub fn count(&self) -> u16 {
        match self {
            Part::Request { runs, .. } => runs.iter().fold(0, |sum, run| sum.saturating_add(run.count)),
            Part::Forbidden { first, last } => last.saturating_sub(*first).saturating_add(1),
        }
    }

    /// `97-142`.
    pub fn range(&self) -> String {
        let (first, count) = (self.first(), self.count());
        let last = first.saturating_add(count.saturating_sub(1));
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    }
}

impl Strip {
    /// The word of its table.
    pub fn name(&self) -> &'static str {
        table_word(self.table)
    }

    /// Addresses in its requests.
    pub fn items(&self) -> u32 {
        let of_request = |part: &Part| match part {
            Part::Request { .. } => u32::from(part.count()),
            Part::Forbidden { .. } => 0,
        };
        self.parts.iter().map(of_request).sum()
    }
}

/// The requests of one rate of a device, by table, among what is forbidden there.
pub fn strips(device: &Device, class: &ClassForecast) -> Vec<Strip> {
    let wanted = wanted(device, class);
    let mut tables: BTreeMap<Table, Vec<Part>> = BTreeMap::new();
    for request in &class.requests {
        let of_table = wanted.get(&request.table);
        let is_wanted = |address: u16| of_table.is_some_and(|addresses| addresses.contains(&address));
        let mut runs: Vec<Run> = Vec::new();
        for address in (0..request.count).filter_map(|index| request.start.checked_add(index)) {
            let wanted = is_wanted(address);
            match runs.last_mut().filter(|run| run.wanted == wanted) {
                Some(run) => run.count += 1,
                None => runs.push(Run { count: 1, wanted }),
            }
        }
        tables.entry(request.table).or_default().push(Part::Request { first: request.start, runs });
    }
    for stretch in &device.limits.forbidden {
        if let Some(parts) = tables.get_mut(&stretch.table) {
            parts.push(Part::Forbidden { first: stretch.first, last: stretch.last });
        }
    }
    let strip = |(table, mut parts): (Table, Vec<Part>)| {
        parts.sort_by_key(Part::first);
        Strip { table, parts }
    };
    tables.into_iter().map(strip).collect()
}

fn wanted(device: &Device, class: &ClassForecast) -> BTreeMap<Table, BTreeSet<u16>> {
    let mut wanted: BTreeMap<Table, BTreeSet<u16>> = BTreeMap::new();
    let of_class = |register: &&crate::config::Register| {
        (register.interval_ms, register.aligned) == (class.interval_ms, class.aligned)
    };
    for cell in device.registers.iter().filter(of_class).flat_map(needed) {
        let addresses = (0..cell.items()).filter_map(|index| cell.address.checked_add(index));
        wanted.entry(cell.table).or_default().extend(addresses);
    }
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Bus, Cell, DeviceLimits, Encoding, Register, Stretch};
    use crate::field::modbus::forecast;

    #[test]
    fn what_is_wanted_read_over_and_forbidden_stands_where_it_is() {
        let register = |address, encoding| {
            let cell = Cell::new(Table::Holding, address, encoding);
            Register::plain(format!("a/q{address}").parse().unwrap(), 1_000, cell)
        };
        let forbidden = Stretch { table: Table::Holding, first: 9, last: 10 };
        let device = Device {
            id: "d".parse().unwrap(),
            unit: 1,
            limits: DeviceLimits { forbidden: vec![forbidden], ..DeviceLimits::default() },
            zone: jiff::tz::TimeZone::UTC,
            registers: vec![
                register(0, Encoding::U32),
                register(4, Encoding::U16),
                register(20, Encoding::F32),
            ],
        };
        let bus = Bus {
            id: "b".parse().unwrap(),
            link: "h".parse().unwrap(),
            timeout_ms: 1_000,
            turnaround_ms: 0,
            unit_change_ms: 0,
            devices: vec![device.clone()],
        };
        let seen = forecast(&bus).unwrap();
        let run = |count, wanted| Run { count, wanted };
        let parts = vec![
            Part::Request { first: 0, runs: vec![run(2, true), run(2, false), run(1, true)] },
            Part::Forbidden { first: 9, last: 10 },
            Part::Request { first: 20, runs: vec![run(2, true)] },
        ];
        assert_eq!(parts.iter().map(Part::range).collect::<Vec<_>>(), ["0-4", "9-10", "20-21"]);
        let drawn = strips(&device, &seen.devices[0].classes[0]);
        assert_eq!(drawn, [Strip { table: Table::Holding, parts }]);
        assert_eq!(drawn[0].items(), 7);
    }
}
