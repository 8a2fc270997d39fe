//! Alarms from a reading to the journal, over restarts and a full disk.

use crate::alarms_plant::{Plant, QUIET, START, gap, high};
use plantroom::alarms::{AlarmError, Filter};
use plantroom::db::{DbError, NewEvent, audit, timers};
use plantroom::point::UtcMs;
use plantroom::readings::Feed;
use serde_json::json;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn an_alarm_lives_and_leaves_its_rows() {
    let plant = Plant::new(vec![high(1, 0)]);
    let running = plant.start().await;
    running.read(1, "10.50").await;
    let alarm = running.alarms.get(1).await.unwrap();
    assert_eq!(alarm.state.isa_letter(), 'B');
    assert_eq!((alarm.value.as_deref(), alarm.limit.as_deref()), (Some("10.50"), Some("10")));
    assert_eq!((alarm.point.as_deref(), alarm.unit.as_str()), (Some("manifold/pressure-1"), "kPa{gauge}"));
    assert_eq!((alarm.raised_at, alarm.message.zh.as_str()), (START, "压力高"));
    assert_eq!(running.alarms.unacknowledged(), [0, 0, 1, 0]);

    let seen = running.alarms.acknowledge(1, "li", Some("on my way")).await.unwrap();
    assert_eq!(seen.state.isa_letter(), 'C');
    running.read(1, "8").await;
    assert_eq!((running.open().await, running.all().await), (String::new(), "1A".to_owned()));

    let kinds: Vec<_> =
        running.log().await.into_iter().filter(|event| event.kind.starts_with("alarm.")).collect();
    let told: Vec<_> = kinds.iter().map(|event| (event.kind.as_str(), event.body["state"].clone())).collect();
    assert_eq!(
        told,
        [("alarm.raised", json!("B")), ("alarm.acknowledged", json!("C")), ("alarm.returned", json!("A"))]
    );
    assert!(kinds.iter().all(|event| event.subject == "alarm:1"));
    let acts = running.db.read(|connection| audit::of(connection, "alarm:1", 10)).await.unwrap();
    let acts: Vec<_> =
        acts.iter().map(|act| (act.actor.as_str(), act.action.as_str(), act.reason.as_deref())).collect();
    assert_eq!(
        acts,
        [
            ("alarms", "alarm.raise", None),
            ("li", "alarm.acknowledge", Some("on my way")),
            ("alarms", "alarm.return", None)
        ]
    );
    // Masks: active 1, acked 2.
    let journal = "SELECT group_concat(from_bits || '>' || to_bits, ' ' ORDER BY seq) FROM alarm_event";
    let journal =
        running.db.read(move |c| Ok(c.query_row(journal, [], |row| row.get::<_, String>(0))?)).await;
    assert_eq!(journal.unwrap(), "2>1 1>3 3>2");
}

#[tokio::test(start_paused = true)]
async fn what_comes_back_unseen_is_the_same_occurrence_and_what_was_over_is_not() {
    let plant = Plant::new(vec![high(1, 0)]);
    let running = plant.start().await;
    running.read(1, "11").await;
    running.read(1, "8").await;
    assert_eq!(running.open().await, "1D");
    running.pass(SECOND).await;
    running.read(1, "12").await;
    let again = running.alarms.get(1).await.unwrap();
    assert_eq!((again.state.isa_letter(), again.raised_at, again.value.as_deref()), ('B', START, Some("12")));
    running.read(1, "8").await;
    running.alarms.acknowledge(1, "li", None).await.unwrap();
    running.read(1, "11").await;
    assert_eq!((running.open().await, running.all().await), ("2B".to_owned(), "1A 2B".to_owned()));
    assert_eq!(running.count("SELECT count(*) FROM alarm").await, 2);
}

#[tokio::test(start_paused = true)]
async fn acknowledging_what_is_not_there_or_seen_is_refused_by_name() {
    let plant = Plant::new(vec![high(1, 0)]);
    let running = plant.start().await;
    assert!(matches!(running.alarms.acknowledge(1, "li", None).await, Err(AlarmError::NotFound(1))));
    assert!(matches!(running.alarms.get(1).await, Err(AlarmError::NotFound(1))));
    running.read(1, "11").await;
    running.alarms.acknowledge(1, "li", None).await.unwrap();
    let again = || running.alarms.acknowledge(1, "wang", None);
    assert!(matches!(again().await, Err(AlarmError::AlreadyAcknowledged(1))));
    running.read(1, "8").await;
    assert!(matches!(again().await, Err(AlarmError::AlreadyAcknowledged(1))));
    assert_eq!(running.alarms.get(1).await.unwrap().acked_by.as_deref(), Some("li"));
}

#[tokio::test(start_paused = true)]
async fn a_restart_keeps_alarms_and_acknowledgements_and_raises_nothing_twice() {
    let plant = Plant::new(vec![high(1, 0), high(2, 0), high(3, 0)]);
    let running = plant.start().await;
    running.feed(&[(1, "11"), (2, "11"), (3, "11")]).await;
    running.settle().await;
    running.alarms.acknowledge(2, "li", None).await.unwrap();
    running.read(3, "8").await;
    let before = running.alarms.list(Filter::Open).await.unwrap();
    running.kill().await;

    let running = plant.start().await;
    assert_eq!(running.open().await, "1B 2C 3D");
    assert_eq!(running.alarms.list(Filter::Open).await.unwrap(), before);
    running.feed(&[(1, "9"), (2, "8"), (3, "11")]).await;
    running.settle().await;
    assert_eq!(running.open().await, "1B 3B");
}

#[tokio::test(start_paused = true)]
async fn an_on_delay_survives_a_restart_with_the_same_due_time() {
    let plant = Plant::new(vec![high(1, 60_000)]);
    let running = plant.start().await;
    running.read(1, "11").await;
    let due = |running: &crate::alarms_plant::Running| {
        let db = running.db.clone();
        async move { db.read(|connection| timers::next_due(connection, "alarms.delay")).await.unwrap() }
    };
    let due_at = START.plus_ms(60_000);
    assert_eq!(due(&running).await, Some(due_at));
    running.pass(20 * SECOND).await;
    running.kill().await;

    tokio::time::sleep(10 * SECOND).await;
    let running = plant.start().await;
    assert_eq!(due(&running).await, Some(due_at));
    running.read(1, "11.5").await;
    // Up to a millisecond before its time nothing.
    let left = due_at.since_ms(running.clock.utc());
    running.pass(Duration::from_millis(u64::try_from(left).unwrap() - 1)).await;
    assert_eq!(running.open().await, "");
    running.pass(Duration::from_millis(2)).await;
    let alarm = running.alarms.get(1).await.unwrap();
    assert_eq!((alarm.raised_at, alarm.value.as_deref()), (due_at, Some("11.5")));
    assert_eq!(due(&running).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_condition_that_is_true_at_the_first_start_alarms() {
    let plant = Plant::new(vec![high(1, 5_000)]);
    let running = plant.start().await;
    running.read(1, "11").await;
    running.pass(5 * SECOND).await;
    assert_eq!(running.open().await, "1B");
}

#[tokio::test(start_paused = true)]
async fn a_loss_of_history_is_an_alarm_of_its_own() {
    let plant = Plant::new(vec![high(1, 0), gap()]);
    let running = plant.start().await;
    let lost = Feed::Gap { from: START, to: START.plus_ms(5_000), lost: 420 };
    running.feed.send(lost).await.unwrap();
    running.settle().await;
    let alarm = running.alarms.get(1).await.unwrap();
    assert_eq!((alarm.rule.as_str(), alarm.asset.as_str()), ("historian-gap", "plantroom"));
    assert_eq!((alarm.priority, alarm.point, alarm.value.as_deref()), (1, None, Some("420")));
    assert_eq!(running.alarms.unacknowledged(), [1, 0, 0, 0]);
    let order = running.all_orders().await.remove(0);
    assert_eq!((order.asset.as_str(), order.priority), ("plantroom", 1));

    running.pass(QUIET / 2).await;
    running.kill().await;
    let running = plant.start().await;
    assert_eq!(running.open().await, "1B");
    running.pass(QUIET).await;
    assert_eq!(running.open().await, "1D");
}

#[tokio::test(start_paused = true)]
async fn an_alarm_whose_rule_is_gone_is_returned_and_says_so() {
    let plant = Plant::new(vec![high(1, 0), high(2, 60_000)]);
    let running = plant.start().await;
    running.feed(&[(1, "11"), (2, "11")]).await;
    running.settle().await;
    running.stop().await;

    let plant = plant.with_rules(vec![high(3, 0)]);
    let running = plant.start().await;
    running.settle().await;
    assert_eq!(running.open().await, "1D");
    let reasons = "SELECT count(*) FROM alarm_event WHERE reason = 'The rule is no longer configured.'";
    assert_eq!(running.count(reasons).await, 1);
    assert_eq!(running.count("SELECT count(*) FROM timers").await, 0);
}

#[tokio::test(start_paused = true)]
async fn stopping_in_good_order_writes_what_is_left() {
    let plant = Plant::new((1..=9).map(|point| high(point, 0)).collect());
    let running = plant.start().await;
    for point in 1..=9 {
        running.feed(&[(point, "11")]).await;
    }
    running.stop().await;
    let running = plant.start().await;
    assert_eq!(running.open().await, "1B 2B 3B 4B 5B 6B 7B 8B 9B");
}

#[tokio::test(start_paused = true)]
async fn the_database_itself_refuses_a_second_open_occurrence_and_a_changed_journal() {
    let plant = Plant::new(vec![high(1, 0)]);
    let running = plant.start().await;
    running.read(1, "11").await;
    for (sql, why) in [
        (
            "INSERT INTO alarm SELECT 99, rule, asset, point, priority, failure_mode, 0, 0, 0, 0, 0, 0,
                 raised_at, cleared_at, acked_at, acked_by, value, limit_value, unit, message_zh,
                 message_en, response_zh, response_en, version FROM alarm",
            "UNIQUE constraint failed: index 'alarm_one_open'",
        ),
        ("UPDATE alarm_event SET actor = 'x'", "only appended to"),
        ("DELETE FROM alarm_event", "only appended to"),
    ] {
        let refused = running.db.write(move |tx| Ok(tx.execute(sql, [])?)).await.unwrap_err();
        assert!(refused.to_string().contains(why), "{refused}");
    }
}

/// Lets the disk of the database be full: SQLite's own limit, and not a row fits any more.
async fn fill(running: &crate::alarms_plant::Running) {
    let limited = running.db.write(|tx| Ok(tx.pragma_update(None, "max_page_count", 1)?)).await;
    limited.unwrap();
    for size in [100_000, 3_000, 100, 1] {
        let fits = || {
            running.db.write(move |tx| {
                let body = json!("x".repeat(size));
                tx.append(NewEvent { at: UtcMs(0), kind: "filler", subject: "disk", body })
            })
        };
        let refused = loop {
            if let Err(refused) = fits().await {
                break refused;
            }
        };
        let DbError::Sqlite(error) = &refused else { panic!("{refused}") };
        assert_eq!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::DiskFull), "{error}");
    }
}

async fn free(running: &crate::alarms_plant::Running) {
    running.db.write(|tx| Ok(tx.pragma_update(None, "max_page_count", 1_000_000)?)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_silences_no_alarm_and_the_journal_catches_up() {
    let plant = Plant::new(vec![high(1, 0), high(2, 3_000)]);
    let running = plant.start().await;
    fill(&running).await;
    let filled = running.clock.utc();

    running.feed(&[(1, "11"), (2, "11")]).await;
    running.settle().await;
    assert_eq!(running.open().await, "1B");
    assert_eq!(running.count("SELECT count(*) FROM alarm").await, 0);
    // Seen, and the answer says what it is worth.
    let seen = running.alarms.acknowledge(1, "li", None).await;
    assert!(matches!(seen, Err(AlarmError::NotSaved(1))), "{seen:?}");
    assert_eq!(running.open().await, "1C");
    // Time goes on: a delay ends, an alarm returns, the same rule alarms again.
    running.pass(5 * SECOND).await;
    running.read(1, "8").await;
    running.read(1, "12").await;
    assert_eq!((running.open().await, running.all().await), ("2B 3B".to_owned(), "1A 2B 3B".to_owned()));
    assert_eq!(running.count("SELECT count(*) FROM alarm").await, 0);
    let reports = running.reports.lock().unwrap().clone();
    assert!(matches!(reports.as_slice(), [Err(why)] if why.contains("full")), "{reports:?}");

    free(&running).await;
    running.pass(2 * SECOND).await;
    assert_eq!(running.reports.lock().unwrap().last(), Some(&Ok(())));
    assert_eq!(running.count("SELECT count(*) FROM alarm").await, 3);
    let alarms: Vec<_> =
        running.log().await.into_iter().filter(|event| event.kind.starts_with("alarm.")).collect();
    let told: Vec<_> = alarms.iter().map(|event| (event.subject.as_str(), event.kind.as_str())).collect();
    assert_eq!(
        told,
        [
            ("alarm:1", "alarm.raised"),
            ("alarm:1", "alarm.acknowledged"),
            ("alarm:2", "alarm.raised"),
            ("alarm:1", "alarm.returned"),
            ("alarm:3", "alarm.raised")
        ]
    );
    // With the times at which it happened, not at which it was written.
    assert_eq!(alarms[0].at, filled);
    assert_eq!(alarms[2].at, filled.plus_ms(3_000));
    // And the work order that could not be opened meanwhile is there.
    let orders = running.all_orders().await;
    assert_eq!(orders.len(), 1);
    assert_eq!(orders[0].alarm_ids, [1, 2, 3]);
    running.kill().await;

    let running = plant.start().await;
    assert_eq!((running.open().await, running.all().await), ("2B 3B".to_owned(), "1A 2B 3B".to_owned()));
}
