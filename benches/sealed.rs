//! Bytes of a sealed reading on the disk: the recipe's data through the whole store. How to run it
//! and what it gave: benches/README.md.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "a measurement run by hand"
)]

#[path = "recipe.rs"]
#[expect(dead_code, reason = "the names of the kinds are for another bench")]
mod recipe;

use plantroom::clock::Clock;
use plantroom::historian::{Historian, Limits, Metrics};
use plantroom::point::{Batch, PointId, Reading, UtcMs};
use plantroom::readings::HistorianFeed;
use recipe::{DEVICE_POINTS, Set};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

fn main() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    for set in [recipe::S1, recipe::S2, recipe::J] {
        runtime.block_on(measure(set));
    }
}

/// An hour of S1 is about 9 MB of journal.
async fn measure(set: Set) {
    let (dir, metrics, clock) = (tempfile::tempdir().unwrap(), Metrics::default(), Clock::system());
    let limits = Limits { seal_bytes: 9 << 20, ..Limits::default() };
    let opened = Historian::open_with(dir.path(), clock.clone(), metrics.clone(), limits).unwrap();
    let (feeds, rx) = mpsc::channel(64);
    let mut polls = polls(set);
    polls.sort_by_key(|batch| batch.received_at);
    let started = clock.mono();
    let sending = async move {
        for batch in polls {
            feeds.send(HistorianFeed { batch: Arc::new(batch), ack: None, lost_before: None }).await.unwrap();
        }
    };
    tokio::join!(opened.historian.run(rx, CancellationToken::new()), sending);
    let ms = clock.mono().since_ms(started);
    let (sealed, bytes) = (metrics.sealed.get(), bytes(dir.path()));
    println!(
        "{}: {} readings in {ms} ms, {sealed} of them sealed in {bytes} bytes: {:.4} B a reading; {} merges",
        set.name,
        metrics.readings.get(),
        bytes as f64 / sealed as f64,
        metrics.merges.get(),
    );
}

/// All polls of all devices.
fn polls(set: Set) -> Vec<Batch> {
    let mut polls = Vec::new();
    for device in 0..set.points / DEVICE_POINTS {
        let first = device * DEVICE_POINTS;
        let mut readings: Vec<Vec<Reading>> = vec![Vec::new(); set.samples];
        let times = set.times(device);
        for point in first..first + DEVICE_POINTS {
            for (n, value, quality) in set.readings(point) {
                let (point, at) = (PointId(point + 1), UtcMs(times[n]));
                readings[n].push(Reading { point, at, value: Some(value), quality });
            }
        }
        polls.extend(times.into_iter().zip(readings).map(|(at, readings)| Batch {
            device: format!("device-{device}").into(),
            source_at: None,
            received_at: UtcMs(at),
            at_error_ms: 0,
            readings,
        }));
    }
    polls
}

/// What the year files take, their logs left out.
fn bytes(dir: &Path) -> u64 {
    let files = std::fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    let years = files
        .filter(|path| path.extension().is_some_and(|kind| kind == "db") && !path.ends_with("catalogue.db"));
    years.map(|path| path.metadata().unwrap().len()).sum()
}
