//! Sealed history: bytes of a reading by kind, and how quick it is written and read, on the recipe's
//! data. Memory to memory, without a store. How to run it and what it gave: benches/README.md.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a measurement run by hand"
)]

#[path = "recipe.rs"]
#[expect(dead_code, reason = "whole polls are for another bench")]
mod recipe;

use plantroom::historian::chunk::{self, Row, times};
use recipe::{DEVICE_POINTS, KINDS, Set};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

fn main() {
    for set in [recipe::S1, recipe::S2, recipe::J] {
        for polls in [4_096, 8_192] {
            report(set, polls);
        }
    }
}

/// What the chunks of one kind of points, or their instants, come to.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    readings: usize,
    bytes: usize,
    encode: Duration,
    decode: Duration,
}

impl Cost {
    fn add(&mut self, other: Cost) {
        self.readings += other.readings;
        self.bytes += other.bytes;
        self.encode += other.encode;
        self.decode += other.decode;
    }

    fn print(&self, name: &str, readings: usize) {
        let millions = |time: Duration| self.readings as f64 / 1e6 / time.as_secs_f64();
        println!(
            "  {name:12} {:8.4} B   encode {:6.1} M/s   decode {:6.0} M/s",
            self.bytes as f64 / readings as f64,
            millions(self.encode),
            millions(self.decode),
        );
    }
}

fn report(set: Set, polls: usize) {
    let (mut kinds, mut instants, mut total) = (BTreeMap::new(), Cost::default(), Cost::default());
    for device in 0..set.points / DEVICE_POINTS {
        let all = set.times(device);
        for group in all.chunks(polls) {
            instants.add(group_cost(group));
        }
        for (point, kind) in (device * DEVICE_POINTS..).zip(KINDS) {
            let rows = set.readings(point);
            for (nth, group) in all.chunks(polls).enumerate() {
                let range = nth * polls..nth * polls + group.len();
                let own = rows.iter().filter(|row| range.contains(&row.0));
                let own: Vec<Row> = own.map(|row| (row.0 - range.start, Some(row.1), row.2)).collect();
                let cost = column_cost(group, &own);
                kinds.entry(kind).or_insert_with(Cost::default).add(cost);
                total.add(cost);
            }
        }
    }
    println!("{}, {polls} polls a chunk, {} readings", set.name, total.readings);
    for (kind, cost) in &kinds {
        cost.print(kind, cost.readings);
    }
    instants.print("instants", total.readings);
    total.add(Cost { readings: 0, ..instants });
    total.print("all", total.readings);
}

fn group_cost(group: &[i64]) -> Cost {
    let (blob, encode) = timed(|| times::encode(group).unwrap());
    let (back, decode) = timed(|| times::decode(&blob).unwrap());
    assert_eq!(back, group);
    Cost { readings: group.len(), bytes: blob.len(), encode, decode }
}

fn column_cost(group: &[i64], rows: &[Row]) -> Cost {
    if rows.is_empty() {
        return Cost::default();
    }
    let (blob, encode) = timed(|| chunk::encode(group, rows).unwrap());
    let (column, decode) = timed(|| chunk::decode(&blob).unwrap());
    assert!(column.rows().eq(rows.iter().copied()));
    Cost { readings: rows.len(), bytes: blob.len(), encode, decode }
}

/// The quickest of three: the machine does other things, too.
fn timed<T>(work: impl Fn() -> T) -> (T, Duration) {
    let run = || {
        let start = Instant::now();
        (black_box(work()), start.elapsed())
    };
    let mut best = run();
    for _ in 0..2 {
        let next = run();
        if next.1 < best.1 {
            best = next;
        }
    }
    best
}
