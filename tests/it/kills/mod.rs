//! Killed processes: a child writes, takes rows in, or takes a backup, dies by SIGKILL at a seeded
//! moment, and what it left is opened and compared with what a seed says was sent.
//!
//! Limits are so small that commits, sealing, merges to chunks, copies of the last values, files of
//! the journal given back and forgetting go on at all times. Twenty kills of one history run with all
//! tests; `tests/kills.sh` runs a thousand and more.

mod model;
mod plant;
mod story;
mod years;

use plant::Plant;
use plantroom::backup;
use plantroom::clock::Clock;
use plantroom::field::{Ack, acks};
use plantroom::historian::import::Importer;
use plantroom::historian::{Historian, History, Layout, Limits, Metrics, Opened, Retention};
use plantroom::point::UtcMs;
use plantroom::readings::HistorianFeed;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use story::{Step, Story};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Kills of one history.
const KILLS: u64 = 20;

/// What a child is told: to do what, where, with which seed.
const CHILD: &str = "PLANTROOM_TEST_CHILD";
const FOLDER: &str = "PLANTROOM_TEST_FOLDER";
const SEED: &str = "PLANTROOM_TEST_SEED";
const LIFE: &str = "PLANTROOM_TEST_LIFE";
const BACKUP: &str = "PLANTROOM_TEST_BACKUP";
const BEGAN: &str = "PLANTROOM_TEST_BEGAN";

/// When the first of the processes began, by the machine's clock. Milliseconds.
static BEGAN_MS: LazyLock<i64> = LazyLock::new(|| {
    let told = std::env::var(BEGAN).ok().and_then(|began| began.parse().ok());
    told.unwrap_or_else(|| Clock::system().utc().0)
});

/// One clock for all processes. Would each begin at [`story::NOW`], one that follows another that lived for
/// seconds had its clock set back.
fn clock() -> Clock {
    Clock::starting_at(story::NOW.plus_ms(Clock::system().utc().0 - *BEGAN_MS))
}

/// Seeded numbers (SplitMix64).
#[derive(Clone, Copy, Debug)]
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }
}

/// So small that everything meets.
fn restless(seed: u64, life: u64) -> Limits {
    let mut dice = Dice(seed.wrapping_add(life << 32));
    let mut below = |end| dice.below(end);
    Limits {
        group_bytes: usize::try_from(64 + below(3_000)).unwrap(),
        ack_ms: below(4),
        replay_bytes: usize::try_from(1 + below(20_000)).unwrap(),
        segment_bytes: 10_000 + below(100_000),
        seal_bytes: 1 + below(40_000),
        keep_bytes: below(100_000),
        ..Limits::default()
    }
}

fn open(data: &Path, limits: Limits) -> (Opened, Metrics) {
    let metrics = Metrics::default();
    let history = Layout::of(data).history();
    let opened = Historian::open_with(&history, clock(), metrics.clone(), limits);
    let opened = opened.unwrap();
    let keep_ms = u64::from(story::RAW_DAYS) * 86_400_000;
    opened.historian.retain(Retention { default_ms: Some(keep_ms), ..Retention::default() });
    (opened, metrics)
}

#[tokio::test]
async fn what_was_acknowledged_survives_twenty_kills() {
    println!("{}", run(1).await);
}

#[tokio::test]
#[ignore = "tests/kills.sh runs it, seed by seed"]
async fn kills_of_a_seed() {
    let seed = std::env::var(SEED).expect("tests/kills.sh names a seed").parse().unwrap();
    println!("{}", run(seed).await);
}

/// Kills one history again and again; what is met on the way, in words.
async fn run(seed: u64) -> String {
    let mut plant = Plant::new(seed).await;
    for life in 1..=KILLS {
        plant.live(life).await;
    }
    plant.end().await
}

/// The process that is killed; by itself it does nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "not a test: the child that other tests kill"]
async fn child() {
    let Ok(what) = std::env::var(CHILD) else { return };
    let [folder, seed, life] = [FOLDER, SEED, LIFE].map(|name| std::env::var(name).unwrap());
    let (data, seed, life) = (PathBuf::from(folder), seed.parse().unwrap(), life.parse().unwrap());
    match what.as_str() {
        "write" => write(&data, seed, life).await,
        _ => take_backup(&data, Path::new(&std::env::var(BACKUP).unwrap())),
    }
}

fn say(what: &str, place: u64) {
    let mut out = std::io::stdout();
    writeln!(out, "{what} {place}").unwrap();
    out.flush().unwrap();
}

/// Goes on with the story from where the log ends, for ever.
async fn write(data: &Path, seed: u64, life: u64) {
    let (mut opened, _) = open(data, restless(seed, life));
    opened.historian.declare(&story::declared()).unwrap();
    let (feeds, rx) = mpsc::channel(4);
    let importer = opened.historian.importer(feeds.clone());
    let stop = CancellationToken::new();
    let writing = go_on(Story::new(seed), &opened.history, feeds, &importer);
    let reading = look_on(&opened.history, Dice(seed ^ life));
    tokio::join!(opened.historian.run(rx, stop), writing, reading);
}

async fn go_on(story: Story, history: &History, feeds: mpsc::Sender<HistorianFeed>, importer: &Importer) {
    let mut head = history.head();
    let first = head.borrow().0 + 1;
    // What was taken in when it was killed is taken in once more, and known.
    if let Some(before) = story.import_before(first)
        && let Step::Import(rows, _) = story.step(before, history.texts())
    {
        let taken = importer.take(&rows).await.unwrap();
        assert_eq!((taken.stored, taken.known), (0, rows.len()), "of place {before}");
    }
    let (handles, mut fired) = acks();
    let writing = async {
        for place in first.. {
            match story.step(place, history.texts()) {
                Step::Batch(batch) => {
                    let ack = Some(handles.handle(Ack { epoch: place, packet: 1 }, 1));
                    let feed = HistorianFeed { batch: Arc::new(batch), ack, lost_before: None };
                    feeds.send(feed).await.unwrap();
                }
                Step::Import(rows, new) => {
                    head.wait_for(|head| head.0 == place - 1).await.unwrap();
                    let taken = importer.take(&rows).await.unwrap();
                    assert_eq!((taken.stored, taken.known), (new, rows.len() - new), "at place {place}");
                    say("acknowledged", place);
                }
            }
        }
    };
    let telling = async {
        while let Some(ack) = fired.recv().await {
            say("acknowledged", ack.epoch);
        }
    };
    tokio::join!(writing, telling);
}

/// What is within its time never becomes less, and no instant comes twice, whatever is sealed and
/// merged just then.
async fn look_on(history: &History, mut dice: Dice) {
    let points = story::points();
    let mut least = vec![0; points.len()];
    loop {
        let n = usize::try_from(dice.below(points.len() as u64)).unwrap();
        let range = history.range(points[n], story::HORIZON, UtcMs(i64::MAX), usize::MAX).await.unwrap();
        assert!(range.readings.is_sorted_by(|a, b| a.at < b.at), "{:?}: an instant twice", points[n]);
        assert!(
            range.readings.len() >= least[n],
            "{:?}: {} became {}",
            points[n],
            least[n],
            range.readings.len()
        );
        least[n] = range.readings.len();
        tokio::task::yield_now().await;
    }
}

fn take_backup(data: &Path, to: &Path) {
    say("begun", 0);
    match backup::take(data, to, story::NOW, &mut |_, _| ()) {
        Ok(manifest) => say("taken", manifest.journal),
        // Said to be tried again.
        Err(error) if error.to_string().contains("take the backup again") => say("overtaken", 0),
        Err(error) => panic!("{error}"),
    }
}
