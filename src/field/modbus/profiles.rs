//! The plan on the register maps of `config/devices`, against the ways other programs take.
//!
//! `cargo test --lib profiles -- --nocapture` prints the table of `benches/README.md`.

use super::frame::{BITS_MAX, REGISTERS_MAX, ReadRequest};
use super::holes::Holes;
use super::plan::{Cost, Map, Wish, blocks};
use crate::config::{self, Device, DeviceLimits};
use crate::point::PointId;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Lines, RTU ones with eleven bits a character.
const LINES: [(&str, &str); 5] = [
    ("9,600", "rtu:///dev/x?baud=9600&parity=even"),
    ("19,200", "rtu:///dev/x?baud=19200&parity=even"),
    ("38,400", "rtu:///dev/x?baud=38400&parity=even"),
    ("115,200", "rtu:///dev/x?baud=115200&parity=even"),
    ("TCP", "tcp://x"),
];
const LATENCY_US: u64 = 20_000;

/// Maps with a row for each line in the table: meters, a chiller, an air handling unit, a UPS, pumps.
const SHOWN: [&str; 8] = [
    "acrel/adl400",
    "eastron/sdm630",
    "siemens/pac3200",
    "schneider/pm5xxx",
    "daikin/microtech-iii-chiller",
    "komfovent/c6",
    "huawei/ups2000",
    "grundfos/cim-booster",
];

/// Values are joined in their order as long as the gap before the next is at most `gap_max` and
/// the request not too long: what most programs do. Forbidden stretches part them here too.
pub(super) fn fixed_gap(wishes: &[Wish], limits: &DeviceLimits, gap_max: u32) -> Vec<ReadRequest> {
    let mut sorted = wishes.to_vec();
    sorted.sort_by_key(|wish| (wish.table, wish.start, wish.count));
    let mut requests: Vec<ReadRequest> = Vec::new();
    for wish in sorted {
        let alone = ReadRequest::new(wish.table, wish.start, wish.count).unwrap();
        let joined = requests.last().and_then(|last| {
            let end = u32::from(last.start()) + u32::from(last.count());
            let count = u16::try_from(end.max(wish.end()) - u32::from(last.start())).unwrap();
            let cap = if wish.table.is_bits() {
                limits.bits_max.min(BITS_MAX)
            } else {
                limits.registers_max.min(REGISTERS_MAX)
            };
            let barred = limits.forbidden.iter().any(|stretch| {
                stretch.table == wish.table
                    && u32::from(stretch.first) < end.max(wish.end())
                    && stretch.last >= last.start()
            });
            let near = last.table() == wish.table && u32::from(wish.start) <= end + gap_max;
            (near && count <= cap && !barred)
                .then(|| ReadRequest::new(wish.table, last.start(), count).unwrap())
        });
        if joined.is_some() {
            requests.pop();
        }
        requests.push(joined.unwrap_or(alone));
    }
    requests
}

/// Every register map of the repository, as the device of a site.
fn profiles() -> Vec<(String, Device)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let mut names = Vec::new();
    let mut folders = vec![root.join("devices")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "toml") {
                names.push(path.strip_prefix(root.join("devices")).unwrap().to_owned());
            }
        }
    }
    names.sort();
    let maps = names.iter().filter_map(|name| Some((name, device(&root, name)?)));
    maps.map(|(name, device)| (name.with_extension("").display().to_string(), device)).collect()
}

/// None of a profile that explains messages.
fn device(root: &Path, profile: &Path) -> Option<Device> {
    let text = std::fs::read_to_string(root.join("devices").join(profile)).unwrap();
    if !text.contains("[[registers]]") {
        return None;
    }
    let site = format!(
        "config_version = 1\n\
         [site]\nid = \"bench\"\nname = {{ zh = \"台\", en = \"Bench\" }}\ntimezone = \"Asia/Shanghai\"\n\
         [[assets]]\nid = \"a\"\nclass = \"Room\"\nname = {{ zh = \"房\", en = \"Room\" }}\n\
         [[modbus]]\nid = \"bus\"\nconnect = \"10.0.0.1\"\n\
         [[modbus.devices]]\nid = \"d\"\nunit_id = 1\nasset = \"a\"\nprofile = \"{}\"\n",
        profile.with_extension("").display()
    );
    let files: BTreeMap<PathBuf, String> =
        [("site.toml".into(), site), (Path::new("devices").join(profile), text)].into();
    let loaded = config::load_from(&files, Path::new("site.toml"), &|_| None)
        .unwrap_or_else(|wrong| panic!("{}: {wrong}", profile.display()));
    Some(loaded.plan.buses[0].devices[0].clone())
}

/// Bus time of a full read in microseconds, for each way to read.
struct Row {
    alone: u64,
    /// With each fixed gap from 0 to 125.
    gaps: Vec<u64>,
    plan: u64,
    requests: usize,
}

impl Row {
    fn of(device: &Device, cost: Cost) -> Row {
        let map = Map::new(device.registers.iter().zip((0..).map(PointId))).unwrap();
        let wishes = map.wishes(map.all());
        let us = |requests: &[ReadRequest]| requests.iter().map(|request| cost.request_us(*request)).sum();
        let gap = |gap_max| us(&fixed_gap(&wishes, &device.limits, gap_max));
        let plan = blocks(&wishes, &device.limits, &Holes::default(), cost).unwrap();
        let asked: Vec<ReadRequest> = plan.asked.iter().map(|block| block.request).collect();
        // Ratios and byte orders are asked for once, besides the registers they are for.
        let cells = device.registers.iter().map(|register| register.cell);
        let values: Vec<_> = cells.map(|cell| (cell.table, cell.address, cell.items())).collect();
        let helpers = wishes.iter().map(|wish| (wish.table, wish.start, wish.count));
        let helpers = helpers.filter(|wish| !values.contains(wish));
        let alone = values.iter().copied().chain(helpers);
        let alone = alone.map(|(table, start, count)| ReadRequest::new(table, start, count).unwrap());
        Row {
            alone: us(&alone.collect::<Vec<_>>()),
            gaps: (0..=125).map(gap).collect(),
            plan: us(&asked),
            requests: asked.len(),
        }
    }
}

impl Row {
    fn line(&self, name: &str, device: &Device, line: &str) -> String {
        let ms = |us: u64| us.div_ceil(1_000);
        let (best, size) = self.best_gap();
        format!(
            "| {name} ({}) | {line} | {} | {} | {} | {} ({size}) | **{}** ({}) |",
            device.registers.len(),
            ms(self.alone),
            ms(self.gaps[0]),
            ms(self.gaps[50]),
            ms(best),
            ms(self.plan),
            self.requests
        )
    }

    /// The best fixed gap for this map alone, the smallest of equals.
    fn best_gap(&self) -> (u64, usize) {
        self.gaps.iter().copied().zip(0..).min().unwrap()
    }
}

/// All maps on one line.
fn sum(line: &str, rows: &[(String, Row)]) -> String {
    let ms = |us: u64| us.div_ceil(1_000);
    let total = |us: &dyn Fn(&Row) -> u64| rows.iter().map(|(_, row)| us(row)).sum::<u64>();
    let (one_gap, size) = (0..=125).map(|gap| (total(&|row| row.gaps[gap]), gap)).min().unwrap();
    let beaten = |us: &dyn Fn(&Row) -> u64| {
        let saved = |row: &Row| (us(row) - row.plan) * 1_000 / us(row);
        let count = rows.iter().filter(|(_, row)| row.plan < us(row)).count();
        let most = rows.iter().map(|(_, row)| saved(row)).max().unwrap();
        match most {
            0 => format!("{count}, below 0.1 %"),
            _ => format!("{count}, at most {}.{} %", most / 10, most % 10),
        }
    };
    format!(
        "| {line} | {} | {} | {} | {} ({size}) | {} | **{}** | {} | {} | {} |",
        ms(total(&|row| row.alone)),
        ms(total(&|row| row.gaps[0])),
        ms(total(&|row| row.gaps[50])),
        ms(one_gap),
        ms(total(&|row| row.best_gap().0)),
        ms(total(&|row| row.plan)),
        beaten(&|row| row.gaps[50]),
        beaten(&|row| row.gaps[size]),
        beaten(&|row| row.best_gap().0),
    )
}

#[test]
fn no_map_of_the_repository_is_read_quicker_with_any_fixed_gap() {
    let mut table = String::from(
        "| map (registers) | line | one by one | contiguous | gap 50 | best gap (its size) | plan (requests) |\n\
         |---|---|---|---|---|---|---|\n",
    );
    let mut sums = String::from(
        "| line | one by one | contiguous | gap 50 | one gap (its size) | best gap of each | plan | \
         gap 50 beaten in | one gap in | best gap of each in |\n|---|---|---|---|---|---|---|---|---|---|\n",
    );
    let profiles = profiles();
    assert!(profiles.len() >= 40, "{}", profiles.len());
    let mut shown = BTreeMap::new();
    for (place, (line, link)) in LINES.into_iter().enumerate() {
        let cost = Cost::of(&link.parse().unwrap(), LATENCY_US, 0);
        let rows: Vec<(String, Row)> =
            profiles.iter().map(|(name, device)| (name.clone(), Row::of(device, cost))).collect();
        for (name, row) in &rows {
            for other in row.gaps.iter().chain([&row.alone]) {
                assert!(row.plan <= *other, "{name} at {line}: {} against {other} us", row.plan);
            }
        }
        writeln!(sums, "{}", sum(line, &rows)).unwrap();
        for ((name, device), (_, row)) in profiles.iter().zip(&rows) {
            if SHOWN.contains(&name.as_str()) {
                shown.insert((name, place), row.line(name, device, line));
            }
        }
    }
    for row in shown.values() {
        writeln!(table, "{row}").unwrap();
    }
    println!("{table}\n{} maps:\n\n{sums}", profiles.len());
}
