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
    names.iter().map(|name| (name.with_extension("").display().to_string(), device(&root, name))).collect()
}

fn device(root: &Path, profile: &Path) -> Device {
    let site = format!(
        "config_version = 1\n\
         [site]\nid = \"bench\"\nname = {{ zh = \"台\", en = \"Bench\" }}\ntimezone = \"Asia/Shanghai\"\n\
         [[assets]]\nid = \"a\"\nclass = \"Room\"\nname = {{ zh = \"房\", en = \"Room\" }}\n\
         [[modbus]]\nid = \"bus\"\nconnect = \"10.0.0.1\"\n\
         [[modbus.devices]]\nid = \"d\"\nunit_id = 1\nasset = \"a\"\nprofile = \"{}\"\n",
        profile.with_extension("").display()
    );
    let text = std::fs::read_to_string(root.join("devices").join(profile)).unwrap();
    let files: BTreeMap<PathBuf, String> =
        [("site.toml".into(), site), (Path::new("devices").join(profile), text)].into();
    let loaded = config::load_from(&files, Path::new("site.toml"), &|_| None)
        .unwrap_or_else(|wrong| panic!("{}: {wrong}", profile.display()));
    loaded.plan.buses[0].devices[0].clone()
}

/// Bus time of a full read in microseconds, for each way to read.
struct Row {
    alone: u64,
    contiguous: u64,
    gap_50: u64,
    best_gap: (u64, u32),
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
        let alone = device.registers.iter().map(|register| {
            let cell = register.cell;
            ReadRequest::new(cell.table, cell.address, cell.items()).unwrap()
        });
        Row {
            alone: us(&alone.collect::<Vec<_>>()),
            contiguous: gap(0),
            gap_50: gap(50),
            best_gap: (0..=125).map(|gap_max| (gap(gap_max), gap_max)).min().unwrap(),
            plan: us(&asked),
            requests: asked.len(),
        }
    }
}

#[test]
fn no_map_of_the_repository_is_read_quicker_with_any_fixed_gap() {
    let mut table = String::from(
        "| map (registers) | line | one by one | contiguous | gap 50 | best gap (its size) | plan (requests) |\n\
         |---|---|---|---|---|---|---|\n",
    );
    let profiles = profiles();
    assert!(profiles.len() >= 3, "{}", profiles.len());
    for (name, device) in &profiles {
        for (line, link) in LINES {
            let row = Row::of(device, Cost::of(&link.parse().unwrap(), LATENCY_US, 0));
            for other in [row.alone, row.contiguous, row.gap_50, row.best_gap.0] {
                assert!(row.plan <= other, "{name} at {line}: {} against {other} us", row.plan);
            }
            let ms = |us: u64| us.div_ceil(1_000);
            writeln!(
                table,
                "| {name} ({}) | {line} | {} | {} | {} | {} ({}) | **{}** ({}) |",
                device.registers.len(),
                ms(row.alone),
                ms(row.contiguous),
                ms(row.gap_50),
                ms(row.best_gap.0),
                row.best_gap.1,
                ms(row.plan),
                row.requests
            )
            .unwrap();
        }
    }
    println!("{table}");
}
