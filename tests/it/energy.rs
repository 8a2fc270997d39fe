//! Energy from outside: readings into a real history, kWh and yuan out of the handle.

use crate::lane::{Memory, plan};
use crate::minutes::{MIDNIGHT, reading};
use plantroom::clock::Clock;
use plantroom::db::{Db, events};
use plantroom::energy::{Energy, EnergyError, MIGRATIONS, Metrics, Task};
use plantroom::point::{Reading, UtcMs};
use std::path::Path;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const TODAY: &str = "2026-11-22";

async fn start(dir: &Path, memory: &Memory, clock: &Clock) -> (Task, Energy, Metrics) {
    let plan = plan("http://127.0.0.1:1/write");
    let (db, _writer) = Db::open(&dir.join("plantroom.db"), MIGRATIONS).unwrap();
    let metrics = Metrics::default();
    let task = Task::open(&plan, &memory.catalogue, db.clone(), clock.clone(), metrics.clone());
    (task.await.unwrap(), Energy::new(&plan, db, clock.clone()).unwrap(), metrics)
}

/// kWh of the day so far, and how many of its cells are known.
async fn day(energy: &Energy) -> (String, u32) {
    let today = TODAY.parse().unwrap();
    let day = &energy.days("main", today, today).await.unwrap()[0];
    let known = day.good + day.estimated + day.event;
    (day.energy.map(|energy| energy.to_string()).unwrap_or_default(), known)
}

/// A minute's reading each minute while the task runs, stops, and runs again: the wake that was
/// slept through loses nothing, and nothing doubles.
#[tokio::test(start_paused = true)]
async fn what_came_while_it_was_away_is_counted_after_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::starting_at(MIDNIGHT.plus_ms(3_600_000));
    let memory = Memory::open(dir.path(), &plan("http://127.0.0.1:1/"), &clock);
    let mut expected = Vec::new();
    for (from, to) in [(0, 20), (20, 40), (40, 61)] {
        let (task, energy, metrics) = start(dir.path(), &memory, &clock).await;
        let stop = CancellationToken::new();
        let running = async {
            for minute in from..to {
                memory.keep(vec![reading(minute, 1_000 + minute * 7)]).await;
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
            // Longer than the historian gathers and the task rests.
            tokio::time::sleep(Duration::from_secs(5)).await;
            stop.cancel();
        };
        tokio::join!(task.run(memory.history.clone(), stop.clone()), running);
        assert_eq!(metrics.lag.get(), 0);
        expected.push(day(&energy).await);
        // Nobody counts now.
        memory.keep(vec![reading(to, 1_000 + to * 7)]).await;
    }
    // A step of 0.07 kWh for each minute counted.
    assert_eq!(expected, [("1.33".into(), 2), ("2.73".into(), 3), ("4.20".into(), 4)]);
    memory.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_long_log_is_counted_without_resting() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::starting_at(MIDNIGHT.plus_ms(86_400_000));
    let memory = Memory::open(dir.path(), &plan("http://127.0.0.1:1/"), &clock);
    for minute in 0..1_440 {
        memory.keep(vec![reading(minute, minute * 5)]).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (task, energy, _) = start(dir.path(), &memory, &clock).await;
    let began = clock.mono();
    let stop = CancellationToken::new();
    let watching = async {
        while day(&energy).await.1 < 96 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };
    tokio::join!(task.run(memory.history.clone(), stop.clone()), watching);
    assert!(clock.mono().since_ms(began) < 1_000, "it rested over a backlog");
    let today = TODAY.parse().unwrap();
    let day = &energy.days("main", today, today).await.unwrap()[0];
    assert_eq!((day.energy, day.good, day.missing), (Some("71.95".parse().unwrap()), 96, 0));
    let shares: Vec<_> =
        day.classes.iter().map(|class| (class.id.as_str(), class.energy.to_string())).collect();
    assert_eq!(shares, [("valley", "1.50".to_owned()), ("peak", "70.45".to_owned())]);
    // 1.50 * 0.3 + 70.45 * 1.2
    assert_eq!(day.cost.unwrap().to_string(), "84.990");
    memory.close().await;
}

/// As the demonstration fills in its past: a live reading a minute, and beside it the days before,
/// newest first, by hours and then by days. When it has been quiet for a while all days are right,
/// after a handful of recounts; the reset of a day long ago is told once.
#[tokio::test(start_paused = true)]
async fn a_past_that_comes_newest_first_is_counted_day_by_day() {
    const DAYS: i64 = 40;
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::starting_at(MIDNIGHT);
    let memory = Memory::open(dir.path(), &plan("http://127.0.0.1:1/"), &clock);
    let (task, energy, metrics) = start(dir.path(), &memory, &clock).await;
    let stop = CancellationToken::new();
    // Two counts a minute; before noon twenty days ago it was another register.
    let changed = -20 * 1_440 + 720;
    let shown = |minute: i64| if minute < changed { 600_000 + minute * 2 } else { 200_000 + minute * 2 };
    let of = |minutes: std::ops::Range<i64>| -> Vec<Reading> {
        minutes.step_by(15).map(|minute| reading(minute, shown(minute))).collect()
    };
    let working = async {
        memory.keep(vec![reading(0, shown(0))]).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        for back in 1..=48 {
            memory.keep(of(-60 * back..-60 * (back - 1))).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        for back in 3..=DAYS {
            memory.keep(of(-1_440 * back..-1_440 * (back - 1))).await;
            memory.keep(vec![reading(back, shown(back))]).await;
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
        assert!(energy.late("main").await.unwrap().is_some());
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert_eq!(energy.late("main").await.unwrap(), None);
        stop.cancel();
    };
    tokio::join!(task.run(memory.history.clone(), stop.clone()), working);
    let days = energy.days("main", "2026-10-13".parse().unwrap(), TODAY.parse().unwrap()).await.unwrap();
    let sums: Vec<_> = days.iter().map(|day| day.energy.unwrap().to_string()).collect();
    assert_eq!(sums.len(), 41);
    for (day, sum) in days.iter().zip(&sums) {
        // 1,440 minutes of two counts; on the day of the change what the new register shows, and 11:45 to
        // 12:00 is what it showed at noon; today so far.
        let expected = match day.date.to_string().as_str() {
            "2026-11-02" => "1466.90",
            TODAY => "0.80",
            _ => "28.80",
        };
        assert_eq!(sum, expected, "{}", day.date);
        assert_eq!(day.missing, 0, "{}", day.date);
    }
    // The task ends before its last wait is over.
    assert!((2..=5).contains(&metrics.recounts.get()), "{}", metrics.recounts.get());
    assert!(metrics.late.get() > 3_800, "{}", metrics.late.get());
    let (db, _writer) = Db::open(&dir.path().join("plantroom.db"), MIGRATIONS).unwrap();
    let told = db.read(|connection| events::after(connection, 0, 10)).await.unwrap();
    let told: Vec<_> = told.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(told, ["energy.reset_suspected"]);
    memory.close().await;
}

#[tokio::test]
async fn what_cannot_be_asked_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::starting_at(MIDNIGHT);
    let memory = Memory::open(dir.path(), &plan("http://127.0.0.1:1/"), &clock);
    let (_, energy, _) = start(dir.path(), &memory, &clock).await;
    let date = |text: &str| text.parse().unwrap();
    let days = async |meter: &str, from: &str, to: &str| energy.days(meter, date(from), date(to)).await;
    assert!(matches!(days("no", TODAY, TODAY).await, Err(EnergyError::UnknownMeter(_))));
    assert!(matches!(days("main", TODAY, "2026-11-21").await, Err(EnergyError::Backwards)));
    assert!(matches!(days("main", "2024-01-01", TODAY).await, Err(EnergyError::TooLong)));
    let cells = energy.cells("main", UtcMs(i64::MIN), UtcMs(i64::MAX)).await;
    assert!(matches!(cells, Err(EnergyError::TooLong)));
    assert_eq!(energy.meters()[0].tariff.as_ref().unwrap().classes.len(), 2);
    memory.close().await;
}
