//! A disk that is really full: a small tmpfs, filled by somebody else. Historian, making of readings and
//! alarms as the gateway wires them, on virtual time; the ballast is looked after by hand.

use crate::support::{succeeds, trial_by_right};
use libtest_mimic::{Failed, Trial};
use plantroom::alarms::config::{GAP_QUIET_MS, Limit, Test};
use plantroom::alarms::{self, Alarms, Filter, Occurrence, Rule, Scope};
use plantroom::clock::Clock;
use plantroom::db::Db;
use plantroom::field::{Ack, AckReceiver, AckSender, FieldBatch, Raw, Sample, acks};
use plantroom::historian::{Ballast, DataDir, Historian, History, Limits, Metrics, Room};
use plantroom::point::{Decimal, Names, PointId, Unit, UtcMs, Value, ValueKind};
use plantroom::readings::{self, Current, Feed, Outlets, PointSettings, Settings};
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const START: UtcMs = UtcMs(1_800_000_000_000);
/// Of the tmpfs. MiB.
const DISK_MIB: u64 = 160;
/// Points of a batch.
const POINTS: u32 = 500;

/// The tests of this file.
pub fn trials() -> Vec<Trial> {
    let run = |test: fn() -> Result<(), Failed>| test;
    vec![
        trial_by_right("disk_full_and_freed_on_a_tmpfs", "right to mount", can_mount, run(full_and_freed)),
        trial_by_right(
            "disk_full_and_the_oldest_are_shed_on_a_tmpfs",
            "right to mount",
            can_mount,
            run(shed_on_a_full_disk),
        ),
    ]
}

/// Whether this user may mount.
fn can_mount() -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    Disk::mount(dir).map(drop)
}

/// A mounted tmpfs; unmounted when dropped.
struct Disk(tempfile::TempDir);

impl Disk {
    fn mount(dir: tempfile::TempDir) -> Result<Disk, String> {
        let (size, path) = (format!("size={DISK_MIB}m"), dir.path().display().to_string());
        succeeds("mount", &["-t", "tmpfs", "-o", &size, "tmpfs", &path])?;
        Ok(Disk(dir))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file until `left` bytes are free.
    fn fill(&self, left: u64) -> Result<(), Failed> {
        let mut filler = File::create(self.path().join("filler"))?;
        let stat = |path| rustix::fs::statvfs(path).map(|stat| stat.f_bavail * stat.f_frsize);
        while stat(self.path())? > left {
            let piece = (stat(self.path())? - left).min(1 << 20);
            filler.write_all(&vec![1; usize::try_from(piece)?])?;
        }
        Ok(())
    }

    fn free(&self) -> Result<(), Failed> {
        Ok(std::fs::remove_file(self.path().join("filler"))?)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let path = self.path().display().to_string();
        // Lazily: a handle may still be on its way out. What fails here the next mount says.
        drop(succeeds("umount", &["-l", &path]));
    }
}

/// A plant on the disk.
struct Plant {
    field: mpsc::Sender<FieldBatch>,
    feed: mpsc::Sender<Feed>,
    acks: (AckSender, AckReceiver),
    alarms: Alarms,
    history: History,
    room: Room,
    clock: Clock,
    metrics: (readings::Metrics, Metrics),
    shed: tokio::sync::watch::Receiver<Option<plantroom::historian::Shed>>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    sent: u16,
    _data: DataDir,
}

fn limits(history_bytes: Option<u64>) -> Limits {
    Limits {
        segment_bytes: 1 << 20,
        seal_bytes: 256 << 10,
        keep_bytes: 0,
        history_bytes,
        ..Limits::default()
    }
}

/// Point 1 is watched, the program's own rules are there.
fn rules() -> Result<Vec<Rule>, Failed> {
    let limit = Limit::high("1000000".parse()?, Decimal::ZERO).ok_or("no limit")?;
    let rule = |id: &str, test, point: Option<PointId>, priority| {
        Ok::<_, Failed>(Rule {
            id: id.to_owned(),
            asset: "manifold".to_owned(),
            point: point.map(|id| Ok::<_, Failed>((id, "manifold/pressure".parse()?))).transpose()?,
            test,
            on_delay_ms: 0,
            priority,
            failure_mode: id.to_owned(),
            unit: Unit::ONE,
            message: Names::default(),
            response: Names::default(),
        })
    };
    Ok(vec![
        rule("pressure-high", Test::High(limit), Some(PointId(1)), 2)?,
        rule(alarms::HISTORIAN_GAP, Test::Gap, None, 1)?,
        rule(alarms::HISTORY_SHED, Test::Shed, None, 3)?,
    ])
}

impl Plant {
    async fn start(disk: &Disk, clock: &Clock, limits: Limits) -> Result<Plant, Failed> {
        let data = DataDir::open(disk.path())?;
        let (room, metrics) = (Room::of(&data), (readings::Metrics::default(), Metrics::default()));
        let opened =
            Historian::open_in(&data.history(), room.clone(), clock.clone(), metrics.1.clone(), limits)?;
        let (db, _writer) = Db::open(&data.database(), alarms::MIGRATIONS)?;
        let (feed, fed) = mpsc::channel(64);
        let report = Box::new(|_| ());
        let (alarms, watching) =
            alarms::Task::build(rules()?, db, clock.clone(), fed, alarms::Metrics::default(), report).await?;
        let points: Vec<PointId> = (1..=POINTS).map(PointId).collect();
        let point = |id: &PointId| PointSettings::plain(*id, ValueKind::F64, 1 << 40);
        let settings = Settings { points: points.iter().map(point).collect(), plausible_from: UtcMs(0) };
        let (field, samples) = mpsc::channel(4);
        let (historian, stored) = mpsc::channel(16);
        let (_, changes) = mpsc::channel(1);
        let making = readings::Task {
            engine: readings::Engine::new(settings, clock.now()),
            current: Current::new(&points, clock.utc()),
            derived: readings::Derived::new(&readings::derived::Settings::default(), clock.now()),
            by_hand: readings::ByHand { open: Vec::new(), orders: mpsc::channel(1).1 },
            texts: Box::new(|_| None),
            words: Box::new(|_| None),
            clock: clock.clone(),
            metrics: metrics.0.clone(),
            limits: readings::Limits::default(),
            outlets: Outlets { alarms: feed.clone(), historian },
            changes,
            questions: readings::Inspector::new().1,
        };
        let (stop, mut tasks, shed) = (CancellationToken::new(), JoinSet::new(), opened.historian.shed());
        tasks.spawn(making.run(samples, stop.clone()));
        tasks.spawn(opened.historian.run(stored, stop.clone()));
        tasks.spawn(watching.run(stop.clone()));
        let (history, clock) = (opened.history, clock.clone());
        let acks = acks();
        Ok(Plant {
            field,
            feed,
            acks,
            alarms,
            history,
            room,
            clock,
            metrics,
            shed,
            stop,
            tasks,
            sent: 0,
            _data: data,
        })
    }

    /// A batch of noise whose first value is given; its place in the order.
    async fn send(&mut self, first: f64) -> Result<u16, Failed> {
        self.sent += 1;
        let at = self.clock.utc();
        let noise =
            |point: u32| f64::from(point.wrapping_mul(2_654_435_761) ^ u32::from(self.sent) << 13).sqrt();
        let sample = |point| Sample {
            point: PointId(point),
            raw: Ok(Raw::Value(Value::F64(if point == 1 { first } else { noise(point) }))),
        };
        let ack = self.acks.0.handle(Ack { epoch: 1, packet: self.sent }, 1);
        let samples = (1..=POINTS).map(sample).collect();
        let batch = FieldBatch {
            device: "d".into(),
            at,
            at_error_ms: 0,
            source_at: None,
            received_at: at,
            samples,
            ack: Some(ack),
        };
        self.field.send(batch).await?;
        Ok(self.sent)
    }

    /// Sends until something is not acknowledged within a second; how many were.
    async fn send_until_refused(&mut self) -> Result<u16, Failed> {
        for _ in 0..5_000 {
            let sent = self.send(1.0).await?;
            match tokio::time::timeout(Duration::from_secs(1), self.acks.1.recv()).await {
                Ok(Some(ack)) if ack.packet == sent => {}
                Ok(other) => return Err(format!("{other:?} instead of {sent}").into()),
                Err(_) => return Ok(sent - 1),
            }
        }
        Err("a full disk refuses nothing".into())
    }

    async fn alarm(&self, rule: &str) -> Result<Option<Occurrence>, Failed> {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let alarms = self.alarms.list(Filter::Newest { limit: 100, scope: Scope::default() }).await?;
        Ok(alarms.into_iter().find(|alarm| alarm.rule == rule))
    }

    /// The readings of point 1.
    async fn stored(&self) -> Result<usize, Failed> {
        let range = self.history.range(PointId(1), UtcMs(0), UtcMs(i64::MAX), usize::MAX).await?;
        Ok(range.readings.len())
    }

    async fn end(mut self) {
        self.stop.cancel();
        drop((self.field, self.feed));
        while self.tasks.join_next().await.is_some() {}
    }
}

fn on_virtual_time(test: impl Future<Output = Result<(), Failed>>) -> Result<(), Failed> {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?.block_on(test)
}

fn check(holds: bool, what: impl std::fmt::Display) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(what.to_string().into()) }
}

fn full_and_freed() -> Result<(), Failed> {
    let disk = Disk::mount(tempfile::tempdir()?)?;
    on_virtual_time(async {
        let clock = Clock::starting_at(START);
        let mut plant = Plant::start(&disk, &clock, limits(None)).await?;
        check(plant.room.look_after()? == Some(Ballast::Made), "no ballast")?;
        // Somebody else takes all there is; the ballast makes room, and not for the historian.
        disk.fill(0)?;
        check(plant.room.look_after()? == Some(Ballast::GivenUp), "the ballast stays")?;
        let kept = plant.send_until_refused().await?;
        check(plant.acks.1.try_recv().is_err(), "acknowledged, and not on the disk")?;
        check(plant.stored().await? == usize::from(kept), "not all that was acknowledged is there")?;

        // Alarms go on, on the disk, too; after 5 s the loss is counted and told.
        plant.send(2e6).await?;
        let pressure = plant.alarm("pressure-high").await?.ok_or("no alarm on a full disk")?;
        for _ in 0..40 {
            plant.send(1.0).await?;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        let lost = plant.metrics.0.lost.get();
        let gap = plant.alarm(alarms::HISTORIAN_GAP).await?.ok_or("no word of the loss")?;
        check(lost > 0 && gap.state.active && gap.priority == 1, format!("{lost} lost, {gap:?}"))?;
        check(
            plant.metrics.1.given_up.get() == 0 && plant.shed.borrow().is_none(),
            "something was given up",
        )?;

        // Free again: the ballast first, then the historian, and the alarm ends.
        disk.free()?;
        check(plant.room.look_after()? == Some(Ballast::Made), "the ballast is not made again")?;
        while plant.acks.1.try_recv().is_ok() {}
        tokio::time::sleep(Duration::from_secs(10)).await;
        while plant.acks.1.try_recv().is_ok() {}
        for _ in 0..3 {
            let sent = plant.send(1.0).await?;
            let ack = tokio::time::timeout(Duration::from_secs(1), plant.acks.1.recv()).await;
            check(matches!(ack, Ok(Some(ack)) if ack.packet == sent), format!("{sent}: {ack:?}"))?;
        }
        let gaps = plant.history.gaps(UtcMs(0), UtcMs(i64::MAX)).await?;
        let told: u64 = gaps.iter().map(|gap| gap.readings).sum();
        check(told == lost && plant.metrics.1.lost.get() == lost, format!("{gaps:?}, {lost} lost"))?;
        let all = plant.stored().await?;
        check(
            all as u64 * u64::from(POINTS) + lost == u64::from(plant.sent) * u64::from(POINTS),
            "readings are missing",
        )?;
        tokio::time::sleep(Duration::from_millis(GAP_QUIET_MS + 1_000)).await;
        let gap = plant.alarm(alarms::HISTORIAN_GAP).await?.ok_or("the alarm is gone")?;
        check(!gap.state.active, "the alarm does not end")?;
        plant.end().await;

        // A process that begins anew finds the same.
        let again = Plant::start(&disk, &clock, limits(None)).await?;
        check(again.stored().await? == all, "something is gone after the restart")?;
        check(
            again.alarm("pressure-high").await?.is_some_and(|alarm| alarm.id == pressure.id),
            "an alarm is gone",
        )?;
        again.end().await;
        Ok(())
    })
}

fn shed_on_a_full_disk() -> Result<(), Failed> {
    let disk = Disk::mount(tempfile::tempdir()?)?;
    on_virtual_time(async {
        let clock = Clock::starting_at(START);
        // More than the disk has room for beside the rest: it is the disk that ends.
        let mut plant = Plant::start(&disk, &clock, limits(Some(64 << 20))).await?;
        check(plant.room.look_after()? == Some(Ballast::Made), "no ballast")?;
        for _ in 0..1_500 {
            let sent = plant.send(1.0).await?;
            let ack = plant.acks.1.recv().await;
            check(ack.is_some_and(|ack| ack.packet == sent), "not acknowledged")?;
        }
        check(plant.shed.borrow().is_none(), "shed without need")?;
        // What the historian leaves to others, and half a file of the journal.
        disk.fill((32 << 20) + (512 << 10))?;
        for _ in 0..1_500 {
            let sent = plant.send(1.0).await?;
            let ack = tokio::time::timeout(Duration::from_secs(5), plant.acks.1.recv()).await;
            check(matches!(ack, Ok(Some(ack)) if ack.packet == sent), format!("{sent}: {ack:?}"))?;
        }
        let shed = (*plant.shed.borrow_and_update()).ok_or("nothing was given up")?;
        let (lost, stored) = (plant.metrics.0.lost.get(), plant.stored().await?);
        check(lost == 0, format!("{lost} readings were refused"))?;
        check((1..3_000).contains(&stored) && shed.pieces > 0, format!("{stored} of 3000 stay, {shed:?}"))?;
        plant.feed.send(Feed::Shed { before: shed.before }).await?;
        let alarm = plant.alarm(alarms::HISTORY_SHED).await?;
        check(alarm.is_some_and(|alarm| alarm.state.active), "no word of it")?;
        check(disk.path().join("ballast").exists(), "the ballast was given up")?;
        plant.end().await;
        Ok(())
    })
}
