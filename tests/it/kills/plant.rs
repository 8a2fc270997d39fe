//! A data directory that processes work in and are killed in, and what is known of it.

use super::model::{Model, Receiver};
use super::story::{self, Story};
use super::{BACKUP, BEGAN, BEGAN_MS, CHILD, Dice, FOLDER, LIFE, SEED, open, restless};
use plantroom::backup;
use plantroom::db::Db;
use plantroom::historian::{History, Layout, Opened, Seq};
use plantroom::point::Batch;
use plantroom::readings::HistorianFeed;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A folder that stays if the test fails.
struct Folder(PathBuf, u64);

impl Folder {
    fn new(seed: u64) -> Folder {
        Folder(tempfile::tempdir().unwrap().keep(), seed)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}: what was left is in {}", self.1, self.0.display());
        } else {
            let _gone = std::fs::remove_dir_all(&self.0);
        }
    }
}

/// What was met on the way.
#[derive(Debug, Default)]
struct Met {
    acknowledged: u64,
    unacknowledged: u64,
    torn: u64,
    backups: u64,
    overtaken: u64,
    killed_backups: u64,
    damaged_tails: u64,
    short_tails: u64,
}

pub struct Plant {
    seed: u64,
    folder: Folder,
    story: Story,
    model: Model,
    receiver: Receiver,
    met: Met,
}

/// A backup that is under way: how much was acknowledged before it, and whether it was killed.
struct UnderWay {
    acknowledged: u64,
    child: std::thread::JoinHandle<(bool, String)>,
}

impl Plant {
    pub async fn new(seed: u64) -> Plant {
        let folder = Folder::new(seed);
        let data = folder.0.join("data");
        std::fs::create_dir(&data).unwrap();
        let (db, writer) = Db::open(&Layout::of(&data).database(), &[]).unwrap();
        drop(db);
        writer.close().await.unwrap();
        let (story, model) = (Story::new(seed), Model::default());
        Plant { seed, folder, story, model, receiver: Receiver::default(), met: Met::default() }
    }

    fn data(&self) -> PathBuf {
        self.folder.0.join("data")
    }

    fn dice(&self, life: u64) -> Dice {
        Dice(self.seed.wrapping_mul(0x9_0001).wrapping_add(life))
    }

    /// One process that writes, until it is killed; then what it left is looked at.
    pub async fn live(&mut self, life: u64) {
        let mut dice = self.dice(life);
        let backup = dice.below(4) == 0;
        let acknowledged = self.write_and_kill(life, &mut dice, backup).await;
        let damage = dice.below(3) == 0;
        if damage {
            self.damage_a_copy(life, &mut dice).await;
        }
        let before = self.model.head();
        let (Opened { historian, history, repaired }, metrics) =
            open(&self.data(), restless(self.seed, life + 1));
        drop(historian);
        let head = history.head().borrow().0;
        assert!(
            acknowledged <= head && before < head,
            "life {life}: {acknowledged} acknowledged, {head} there, {before} before"
        );
        self.model.go_on(self.story, history.texts(), head);
        let short = self.model.check(&history, |_| true).await;
        assert_eq!((short, metrics.damaged.get()), (0, 0), "life {life}");
        self.model.check_last(&history).await;
        let unsealed = self.model.check_journal(&history).await;
        assert!(unsealed > 0);
        let pages = [dice.below(4), u64::MAX][usize::from(dice.below(2) == 0)];
        self.receiver.follow(&history, &self.model, pages).await;
        self.met.acknowledged += acknowledged - before;
        self.met.unacknowledged += head - acknowledged;
        self.met.torn += u64::from(repaired.iter().any(|said| said.starts_with("Cut")));
    }

    fn spawn(&self, what: &str, life: u64, backup: &Path) -> Child {
        let errors = std::fs::File::create(self.folder.0.join(format!("{life}-{what}.log"))).unwrap();
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kills::child", "--ignored", "--nocapture"])
            .env(CHILD, what)
            .env(FOLDER, self.data())
            .env(SEED, self.seed.to_string())
            .env(LIFE, life.to_string())
            .env(BACKUP, backup)
            .env(BEGAN, BEGAN_MS.to_string())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .unwrap()
    }

    /// Kills the writer so many microseconds behind one of its acknowledgements; returns the last.
    async fn write_and_kill(&mut self, life: u64, dice: &mut Dice, backup: bool) -> u64 {
        let to = self.folder.0.join(format!("backup-{life}"));
        let (acks, micros) = (1 + dice.below(120), dice.below(4) * dice.below(8_000));
        let acks = if backup { acks + 100 } else { acks };
        let mut child = self.spawn("write", life, &to);
        let (mut seen, mut last, mut under_way) = (0, 0, None);
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            // What it wrote before it died counts, also what is still in the pipe.
            let Some(place) = line.unwrap().strip_prefix("acknowledged ").map(|place| place.parse().unwrap())
            else {
                continue;
            };
            (last, seen) = (last.max(place), seen + 1);
            if backup && seen == acks.min(20) {
                under_way = Some(self.back_up(life, dice, last, &to));
            }
            if seen == acks {
                std::thread::sleep(Duration::from_micros(micros));
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(seen >= acks, "life {life}: the writer ended by itself after {seen} acknowledgements");
        if let Some(under_way) = under_way {
            self.look_at_backup(life, under_way, &to, last).await;
        }
        last
    }

    fn back_up(&self, life: u64, dice: &mut Dice, acknowledged: u64, to: &Path) -> UnderWay {
        let mut child = self.spawn("backup", life, to);
        let killed_after = (dice.below(2) == 0).then(|| Duration::from_micros(dice.below(40_000)));
        let wait = move || {
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let begun = lines.any(|line| line.is_ok_and(|line| line.starts_with("begun")));
            if let Some(after) = killed_after.filter(|_| begun) {
                std::thread::sleep(after);
                child.kill().unwrap();
            }
            let said = lines
                .map_while(Result::ok)
                .find(|line| line.starts_with("taken") || line.starts_with("over"));
            child.wait().unwrap();
            (killed_after.is_some(), said.unwrap_or_default())
        };
        UnderWay { acknowledged, child: std::thread::spawn(wait) }
    }

    /// A folder with the name of a backup is one: it verifies, and restored it has all that was
    /// acknowledged before it was begun, and goes on.
    async fn look_at_backup(&mut self, life: u64, under_way: UnderWay, to: &Path, last: u64) {
        let (killed, said) = under_way.child.join().unwrap();
        if !to.exists() {
            assert!(killed || said.starts_with("over"), "life {life}: no backup, and it says {said:?}");
            self.met.killed_backups += u64::from(killed);
            self.met.overtaken += u64::from(said.starts_with("over"));
            return;
        }
        self.met.backups += 1;
        let verified = backup::verify(to, &mut |_, _| ()).unwrap();
        let end = verified.manifest.journal;
        assert!(
            under_way.acknowledged <= end,
            "life {life}: {} acknowledged, {end} copied",
            under_way.acknowledged
        );
        let data = self.folder.0.join(format!("restored-{life}"));
        backup::restore(to, &data, false, story::NOW, &mut |_, _| ()).unwrap();
        let (opened, metrics) = open(&data, restless(self.seed, life));
        let history = opened.history.clone();
        let mut model = self.model.clone();
        // What was sealed while it was copied may be in it although its log ends before.
        model.go_on(self.story, history.texts(), last.max(end) + 300);
        let all = model.head();
        model.check(&history, |place| place <= end).await;
        // From here on it has a life of its own.
        let mut writing = model.clone();
        write_on(opened, self.story.other(), end, &mut writing).await;
        let (opened, _) = open(&data, restless(self.seed, life));
        drop(opened.historian);
        writing.check(&opened.history, |place| place <= end || place > all).await;
        drop(history);
        assert_eq!(metrics.damaged.get(), 0);
        for folder in [to, &data] {
            std::fs::remove_dir_all(folder).unwrap();
        }
    }

    /// A copy of what is left with a tail that is torn, zeroed or garbled: it opens, keeps what was
    /// before and what was sealed, says so, and goes on.
    async fn damage_a_copy(&mut self, life: u64, dice: &mut Dice) {
        let copy = self.folder.0.join(format!("damaged-{life}"));
        let (from, to) = (Layout::of(&self.data()).history(), Layout::of(&copy).history());
        copy_files(&from, &to);
        copy_files(&from.join("journal"), &to.join("journal"));
        let sealed = sealed_up_to(&to);
        let frames = frames(&to.join("journal"));
        let Some((hit, flipped)) = damage(&frames, dice) else { return };
        let before = hit.checked_sub(1).map_or(0, |before| frames[before].last);
        let lost = (before + 1)..=if flipped { frames[hit].last } else { u64::MAX };
        let (opened, metrics) = open(&copy, restless(self.seed, life));
        let (history, said) = (opened.history.clone(), opened.repaired.join(" "));
        let head = history.head().borrow().0;
        let mut model = self.model.clone();
        model.go_on(self.story, history.texts(), frames.last().unwrap().last.max(sealed));
        let all = model.head();
        assert!(
            head >= before.max(sealed) && head <= all,
            "life {life}: {head} of {before} to {all}, {sealed} sealed"
        );
        let sure = |place: u64| place <= sealed || !lost.contains(&place);
        let short = model.check(&history, sure).await;
        assert!(
            short == 0 || metrics.damaged.get() > 0 || said.contains("Cut"),
            "life {life}: silent: {said:?}"
        );
        self.met.damaged_tails += 1;
        self.met.short_tails += u64::from(short > 0);
        let at = head.max(all);
        write_on(opened, self.story.other(), at, &mut model).await;
        let (opened, _) = open(&copy, restless(self.seed, life));
        drop(opened.historian);
        model.check(&opened.history, |place| sure(place) || place > all).await;
        drop(history);
        std::fs::remove_dir_all(&copy).unwrap();
    }

    /// A last process that ends in order: what is beyond its time is gone, and nothing lies about.
    pub async fn end(mut self) -> String {
        for _ in 0..2 {
            let limits = plantroom::historian::Limits { seal_bytes: 1, ..restless(self.seed, 0) };
            let (opened, _) = open(&self.data(), limits);
            let at = self.model.head();
            write_on(opened, self.story.other(), at, &mut self.model).await;
        }
        let (opened, metrics) = open(&self.data(), restless(self.seed, 0));
        drop(opened.historian);
        assert_eq!((self.model.check(&opened.history, |_| true).await, metrics.damaged.get()), (0, 0));
        self.model.check_last(&opened.history).await;
        let followed = std::mem::take(&mut self.receiver);
        for mut receiver in [followed, Receiver::default()] {
            receiver.follow(&opened.history, &self.model, u64::MAX).await;
        }
        self.has_met(&opened.history).await
    }

    /// All that should meet has met.
    async fn has_met(&self, history: &History) -> String {
        let dir = Layout::of(&self.data()).history();
        let mut names: Vec<_> =
            dir.read_dir().unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| !name.ends_with("-wal") && !name.ends_with("-shm"));
        names.sort();
        assert_eq!(names, ["2026.db", "2027.db", "catalogue.db", "journal"], "2025 is beyond its time");
        let count = |year: &str, table: &str| -> u64 {
            let conn = rusqlite::Connection::open(dir.join(format!("{year}.db"))).unwrap();
            conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0))
                .unwrap()
                .cast_unsigned()
        };
        let [chunks, parts] = ["chunk", "part"].map(|table| count("2026", table) + count("2027", table));
        let (first, _) = history.tail(Seq(0), 1).await.unwrap().remove(0);
        assert!(first > Seq(1) && chunks > 0, "from {first:?}, {chunks} chunks: not all has met");
        let Met { acknowledged, unacknowledged, torn, backups, .. } = self.met;
        let Met { overtaken, killed_backups, damaged_tails, short_tails, .. } = self.met;
        format!(
            "seed {}: {} batches, {acknowledged} acknowledged before a kill and {unacknowledged} not, {chunks} chunks, \
             {parts} parts, journal from {}, {torn} torn, {backups} backups, {overtaken} overtaken, \
             {killed_backups} killed, {damaged_tails} tails damaged, {short_tails} of them to a loss",
            self.seed,
            self.model.head(),
            first.0
        )
    }
}

/// Forty batches of a story behind `at`, and a stop in order.
pub async fn write_on(opened: Opened, story: Story, at: u64, model: &mut Model) {
    let texts = opened.history.texts().clone();
    let batches = (at + 1..=at + 40).map(|place| story.batch(place, &texts));
    write_all(opened, batches, model).await;
}

/// Writes batches, and stops in order.
pub async fn write_all(opened: Opened, batches: impl Iterator<Item = Batch>, model: &mut Model) {
    let (feeds, rx) = mpsc::channel(4);
    let sending = async move {
        for batch in batches {
            model.add(batch.device.to_string(), batch.readings.clone());
            feeds.send(HistorianFeed { batch: Arc::new(batch), ack: None, lost_before: None }).await.unwrap();
        }
    };
    tokio::join!(opened.historian.run(rx, CancellationToken::new()), sending);
}

pub fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in from.read_dir().unwrap().map(Result::unwrap) {
        if file.file_type().unwrap().is_file() {
            std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
}

fn sealed_up_to(history: &Path) -> u64 {
    let conn = rusqlite::Connection::open(history.join("catalogue.db")).unwrap();
    let sql = "SELECT coalesce((SELECT up_to FROM sealed), 0)";
    conn.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap().cast_unsigned()
}

/// A record in a file of the journal (src/historian/segments.rs).
struct Frame {
    path: PathBuf,
    at: usize,
    end: usize,
    last: u64,
}

fn frames(journal: &Path) -> Vec<Frame> {
    let mut paths: Vec<_> = journal.read_dir().unwrap().map(|file| file.unwrap().path()).collect();
    paths.sort();
    let mut frames = Vec::new();
    for path in paths {
        let (bytes, mut at) = (std::fs::read(&path).unwrap(), 32);
        let number = |at: usize, len: usize| {
            bytes
                .get(at..at + len)
                .map_or(0, |word| word.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte)))
        };
        while number(at + 8, 8) > 0 {
            let end = at + (40 + usize::try_from(number(at, 4)).unwrap()).next_multiple_of(8);
            // What the kill tore is no record.
            if end > bytes.len()
                || crc32fast::hash(&bytes[at..at + 36]).to_le_bytes() != bytes[at + 36..at + 40]
            {
                break;
            }
            frames.push(Frame { path: path.clone(), at, end, last: number(at + 8, 8) });
            at = end;
        }
    }
    frames
}

/// Damages the newest file of the journal from within one of the records in its last 40 KB on;
/// returns which one, and whether only that one was hit: torn, zeroed, or bytes of it garbled.
fn damage(frames: &[Frame], dice: &mut Dice) -> Option<(usize, bool)> {
    let newest = frames.last()?;
    let near = |frame: &&Frame| frame.path == newest.path && frame.at + 40_000 > newest.end;
    let candidates = frames.iter().rev().take_while(near).count() as u64;
    let hit = frames.len() - 1 - usize::try_from(dice.below(candidates)).unwrap();
    let Frame { path, at, end, .. } = &frames[hit];
    // Not at its end: bytes that fill it up may be lost.
    let from = at + 1 + usize::try_from(dice.below((end - at - 9) as u64)).unwrap();
    let mut bytes = std::fs::read(path).unwrap();
    let how = dice.roll() % 3;
    match how {
        0 => bytes.truncate(from),
        1 => bytes[from..].fill(0),
        _ => bytes[from..(from + 20).min(*end)].iter_mut().for_each(|byte| *byte ^= 0x5a),
    }
    std::fs::write(path, bytes).unwrap();
    Some((hit, how == 2))
}
