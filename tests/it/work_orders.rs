//! From an alarm to one order, over kills and crowds, and back to normal before it closes.

use crate::alarms_plant::{Plant, Running, START, high};
use plantroom::alarms::{AlarmError, Occurrence, StateBits};
use plantroom::db::{KillPoints, NewEvent, audit, cursors, events};
use plantroom::point::{Names, UtcMs};
use plantroom::readings::Feed;
use plantroom::work_orders::{Act, Filter, State, WorkOrderError};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::task::JoinSet;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn an_order_carries_what_its_alarm_says_and_goes_its_way() {
    let plant = Plant::new(vec![high(1, 0)]);
    let running = plant.start().await;
    running.read(1, "10.50").await;
    let order = running.orders.list(Filter::Open).await.unwrap().remove(0);
    assert_eq!((order.number.as_str(), order.state), ("WO-000001", State::New));
    assert_eq!((order.asset.as_str(), order.failure_mode.as_str()), ("manifold", "high-pressure"));
    assert_eq!((order.value.as_deref(), order.limit.as_deref()), (Some("10.50"), Some("10")));
    assert_eq!((order.unit.as_str(), order.point.as_deref()), ("kPa{gauge}", Some("manifold/pressure-1")));
    assert_eq!((order.raised_at, order.opened_at, order.priority), (START, START, 3));
    assert_eq!(order.title, Names { zh: "压力高".into(), en: "Pressure high".into() });
    assert_eq!(order.response, Names { zh: "检查减压阀".into(), en: "Check the regulator".into() });
    assert_eq!((order.alarm_ids.as_slice(), order.version), ([1].as_slice(), 1));

    running.pass(SECOND).await;
    running.orders.accept(1, "li", None, Some(1)).await.unwrap();
    running.read(1, "8").await;
    running.orders.finish(1, "li", Some("regulator replaced"), Some(2)).await.unwrap();
    let closed = running.orders.close(1, "wang", None, Some(3)).await.unwrap();
    assert_eq!((closed.state, closed.closed_by.as_deref()), (State::Closed, Some("wang")));
    assert_eq!((closed.done_by.as_deref(), closed.note.as_deref()), (Some("li"), Some("regulator replaced")));
    assert_eq!(running.orders.list(Filter::Open).await.unwrap(), []);

    let (stored, history) = running.orders.get(1).await.unwrap();
    assert_eq!(stored, closed);
    let lines: Vec<_> = history.iter().map(|row| (row.actor.as_str(), row.from, row.to)).collect();
    assert_eq!(
        lines,
        [
            ("work_orders", None, State::New),
            ("li", Some(State::New), State::Accepted),
            ("li", Some(State::Accepted), State::Done),
            ("wang", Some(State::Done), State::Closed)
        ]
    );
    let acts = running.db.read(|connection| audit::of(connection, "work_order:1", 10)).await.unwrap();
    let acts: Vec<_> = acts.iter().map(|act| act.action.as_str()).collect();
    assert_eq!(acts, ["work_order.open", "work_order.accept", "work_order.finish", "work_order.close"]);
    let last = running.log().await.pop().unwrap();
    assert_eq!((last.kind.as_str(), last.body["state"].as_str()), ("work_order.closed", Some("closed")));
    assert_eq!(serde_json::from_value::<plantroom::work_orders::WorkOrder>(last.body).unwrap(), closed);
}

#[tokio::test(start_paused = true)]
async fn alarms_of_one_key_join_and_the_most_urgent_counts() {
    let mut urgent = high(2, 0);
    urgent.priority = 1;
    let mut other = high(3, 0);
    other.failure_mode = "leak".into();
    let plant = Plant::new(vec![high(1, 0), urgent, other]);
    let running = plant.start().await;
    for point in [1, 2, 3] {
        running.read(point, "11").await;
    }
    let orders = running.all_orders().await;
    let keys: Vec<_> =
        orders.iter().map(|o| (o.failure_mode.as_str(), o.alarm_ids.clone(), o.priority)).collect();
    assert_eq!(keys, [("high-pressure", vec![1, 2], 1), ("leak", vec![3], 3)]);
    // The same alarm again is no new member, but the history tells it.
    running.read(1, "8").await;
    running.read(1, "11").await;
    let (order, history) = running.orders.get(1).await.unwrap();
    assert_eq!((order.alarm_ids.as_slice(), order.version), ([1, 2].as_slice(), 2));
    assert_eq!(history.iter().map(|row| row.alarm).collect::<Vec<_>>(), [Some(1), Some(2), Some(1)]);
}

#[tokio::test(start_paused = true)]
async fn acts_on_the_wrong_state_version_or_number_are_refused() {
    let plant = Plant::new(vec![high(1, 0), high(2, 0)]);
    let running = plant.start().await;
    running.read(1, "11").await;
    let refused = running.orders.accept(7, "li", None, None).await;
    assert!(matches!(refused, Err(WorkOrderError::NotFound(7))), "{refused:?}");
    let refused = running.orders.finish(1, "li", None, None).await;
    assert!(
        matches!(refused, Err(WorkOrderError::WrongState { id: 1, state: State::New, act: Act::Finish })),
        "{refused:?}"
    );
    running.read(2, "11").await;
    let refused = running.orders.accept(1, "li", None, Some(1)).await;
    assert!(matches!(refused, Err(WorkOrderError::Conflict { id: 1, current: 2 })), "{refused:?}");
    assert_eq!(running.orders.get(1).await.unwrap().0.state, State::New);
    // Two people press at once: one of them gets it.
    let both = tokio::join!(
        running.orders.accept(1, "li", None, Some(2)),
        running.orders.accept(1, "wang", None, Some(2))
    );
    assert!(matches!(both, (Ok(_), Err(WorkOrderError::Conflict { .. }))), "{both:?}");
}

#[tokio::test(start_paused = true)]
async fn an_onset_committed_a_moment_ago_keeps_the_order_open() {
    let plant = Plant::new(vec![high(1, 0)]);
    let running = plant.start().await;
    running.read(1, "11").await;
    running.orders.accept(1, "li", None, None).await.unwrap();
    running.read(1, "8").await;
    running.orders.finish(1, "li", None, None).await.unwrap();
    // In the log, not yet read by anyone: the close comes in the very next transaction.
    let onset = running.db.write(|tx| {
        let body = serde_json::to_value(occurrence(77)).unwrap();
        tx.append(NewEvent { at: UtcMs(0), kind: "alarm.raised", subject: "alarm:77", body })
    });
    let (appended, close) = tokio::join!(onset, running.orders.close(1, "li", None, None));
    appended.unwrap();
    assert!(
        matches!(&close, Err(WorkOrderError::AlarmActive { id: 1, alarms }) if alarms.as_slice() == [77]),
        "{close:?}"
    );
}

fn occurrence(id: i64) -> Occurrence {
    Occurrence {
        id,
        rule: format!("rule-{id}"),
        asset: "manifold".into(),
        point: None,
        priority: 3,
        failure_mode: "high-pressure".into(),
        state: StateBits { active: true, ..StateBits::default() },
        raised_at: START,
        cleared_at: None,
        acked_at: None,
        acked_by: None,
        value: None,
        limit: None,
        unit: "1".into(),
        message: Names::default(),
        response: Names::default(),
        version: 1,
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_concurrent_onsets_on_one_key_leave_one_open_order() {
    let plant = Plant::new((1..=1_000).map(|point| high(point, 0)).collect());
    let running = plant.start().await;
    let mut pollers = JoinSet::new();
    for point in 1..=1_000_u32 {
        let feed = running.feed.clone();
        pollers.spawn(async move {
            let reading = plantroom::point::Reading {
                point: plantroom::point::PointId(point),
                at: START,
                value: Some(plantroom::point::Value::F64(11.0)),
                quality: plantroom::point::Quality::Good,
            };
            let batch = plantroom::point::Batch {
                device: format!("plc-{point}").into(),
                source_at: None,
                received_at: START,
                at_error_ms: 0,
                readings: vec![reading],
            };
            feed.send(Feed::Readings(batch.into())).await.unwrap();
        });
    }
    while let Some(sent) = pollers.join_next().await {
        sent.unwrap();
    }
    running.settle().await;
    let orders = running.all_orders().await;
    assert_eq!(orders.len(), 1);
    assert_eq!(orders[0].alarm_ids, (1..=1_000).collect::<Vec<_>>());
    let expected = [("alarm.raised", 1_000), ("work_order.joined", 999), ("work_order.opened", 1)];
    assert_eq!(running.kinds().await, expected.map(|(kind, n)| (kind.to_owned(), n)));
}

#[tokio::test(start_paused = true)]
async fn two_consumers_and_a_thousand_writers_open_one_order() {
    let plant = Plant::new(vec![]);
    let running = plant.start().await;
    let second = plantroom::work_orders::Task::new(
        running.db.clone(),
        running.clock.clone(),
        plantroom::work_orders::Metrics::default(),
    );
    let stop = tokio_util::sync::CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(second.run(stop.clone()));
    let mut writers = JoinSet::new();
    for id in 1..=1_000 {
        let db = running.db.clone();
        writers.spawn(async move {
            let body = serde_json::to_value(occurrence(id)).unwrap();
            let raised = move |tx: &mut plantroom::db::WriteTx<'_>| {
                tx.append(NewEvent { at: UtcMs(0), kind: "alarm.raised", subject: "alarm", body })
            };
            db.write(raised).await.unwrap();
        });
    }
    while let Some(written) = writers.join_next().await {
        written.unwrap();
    }
    running.settle().await;
    assert_eq!(running.all_orders().await.len(), 1);
    assert_eq!(running.count("SELECT count(*) FROM work_order_event").await, 1_000);
    let lag = running.db.read(|c| Ok(events::last_seq(c)? - cursors::get(c, "work_orders")?)).await;
    assert_eq!(lag.unwrap(), 0);
    stop.cancel();
    while tasks.join_next().await.is_some() {}
}

/// What stays of the world when the program dies: the pressure, and what people have done to it.
#[derive(Default)]
struct World {
    repaired: bool,
}

/// Someone sees the alarm, takes the order, repairs, finishes and closes; each step only if it is
/// not yet done. `Err` if the program died under it.
async fn one_repair(running: &Running, world: &mut World) -> Result<(), String> {
    if !world.repaired {
        // The poll goes on, whether or not anyone listens.
        for _ in 0..4 {
            running.read(1, "11").await;
            running.pass(SECOND).await;
        }
        match running.alarms.acknowledge(1, "li", None).await {
            Ok(_) | Err(AlarmError::AlreadyAcknowledged(_)) => {}
            Err(died) => return Err(died.to_string()),
        }
        match running.orders.accept(1, "li", None, None).await {
            Ok(_) | Err(WorkOrderError::WrongState { state: State::Accepted, .. }) => {}
            Err(died) => return Err(died.to_string()),
        }
        world.repaired = true;
    }
    running.read(1, "8").await;
    match running.orders.finish(1, "li", None, None).await {
        Ok(_) | Err(WorkOrderError::WrongState { state: State::Done | State::Closed, .. }) => {}
        Err(died) => return Err(died.to_string()),
    }
    match running.orders.close(1, "li", None, None).await {
        Ok(_) | Err(WorkOrderError::WrongState { state: State::Closed, .. }) => Ok(()),
        Err(died) => Err(died.to_string()),
    }
}

#[tokio::test(start_paused = true)]
async fn killed_at_every_step_no_alarm_is_lost_and_no_order_doubled() {
    let rules = || vec![high(1, 2_000)];
    let undisturbed = Plant::new(rules());
    let kill = KillPoints::at(0);
    let running = undisturbed.start_with(kill.clone()).await;
    one_repair(&running, &mut World::default()).await.unwrap();
    let expected = running.kinds().await;
    assert_eq!(
        expected,
        [
            "alarm.acknowledged",
            "alarm.raised",
            "alarm.returned",
            "work_order.accepted",
            "work_order.closed",
            "work_order.finished",
            "work_order.opened"
        ]
        .map(|kind| (kind.to_owned(), 1))
    );
    let steps = kill.steps();
    // Begin, commit and after-commit of delay, alarm, order, acts and cursor moves.
    assert!(steps > 30, "{steps}");
    running.kill().await;

    let mut deaths = BTreeSet::new();
    for step in 1..=steps {
        let plant = Plant::new(rules());
        let mut world = World::default();
        let running = plant.start_with(KillPoints::at(step)).await;
        if let Err(died) = one_repair(&running, &mut world).await {
            deaths.insert(died);
        }
        running.kill().await;

        let running = plant.start().await;
        one_repair(&running, &mut world).await.unwrap_or_else(|error| panic!("step {step}: {error}"));
        assert_eq!(running.kinds().await, expected, "step {step}");
        assert_eq!(running.all().await, "1A", "step {step}");
        let orders = running.all_orders().await;
        assert_eq!(orders.len(), 1, "step {step}");
        assert_eq!((orders[0].state, orders[0].alarm_ids.as_slice()), (State::Closed, [1].as_slice()));
        running.kill().await;
    }
    assert!(!deaths.is_empty());
}

/// What may happen to one register and its order.
#[derive(Clone, Copy, Debug)]
enum Move {
    Reading(&'static str),
    Person(Act),
    Acknowledge,
    Restart,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let reading = prop::sample::select(vec!["11", "9", "8", "bad", "stale"]);
    let one = prop_oneof![
        4 => reading.prop_map(Move::Reading),
        6 => prop::sample::select(Act::ALL.to_vec()).prop_map(Move::Person),
        1 => Just(Move::Acknowledge),
        1 => Just(Move::Restart),
    ];
    prop::collection::vec(one, 1..40)
}

/// One register with limit 10 and deadband 2, and its orders, in a few lines.
#[derive(Debug, Default)]
struct Model {
    active: bool,
    /// States of all orders; only the last can be open.
    orders: Vec<State>,
}

impl Model {
    fn reading(&mut self, text: &str) {
        match text {
            "11" if !self.active => {
                self.active = true;
                if self.orders.last().is_none_or(|last| *last == State::Closed) {
                    self.orders.push(State::New);
                }
            }
            "8" => self.active = false,
            // Within the deadband, bad and stale change nothing: what cannot be told holds.
            _ => {}
        }
    }

    fn act(&mut self, act: Act) -> bool {
        let Some(order) = self.orders.last_mut() else { return false };
        let next = match (*order, act) {
            (State::New, Act::Accept) => State::Accepted,
            (State::Accepted, Act::Finish) => State::Done,
            (State::Done, Act::Close) if !self.active => State::Closed,
            _ => return false,
        };
        *order = next;
        true
    }
}

async fn replay(moves: Vec<Move>) -> Result<(), TestCaseError> {
    let plant = Plant::new(vec![high(1, 0)]);
    let mut running = plant.start().await;
    let mut model = Model::default();
    for step in moves {
        match step {
            Move::Reading(text) => {
                running.read(1, text).await;
                model.reading(text);
            }
            Move::Person(act) => {
                let id = i64::try_from(model.orders.len()).unwrap();
                let done = running.orders.act(act, id, "li", None, None).await;
                prop_assert_eq!(done.is_ok(), model.act(act), "{:?} {:?} {:?}", act, done, model);
                if let (Act::Close, Some(State::Done), Err(why)) = (act, model.orders.last(), &done) {
                    prop_assert!(matches!(why, WorkOrderError::AlarmActive { .. }), "{}", why);
                }
            }
            Move::Acknowledge => {
                for alarm in running.alarms.list(plantroom::alarms::Filter::Open).await.unwrap() {
                    running.alarms.acknowledge(alarm.id, "li", None).await.ok();
                }
            }
            Move::Restart => {
                running.kill().await;
                running = plant.start().await;
            }
        }
    }
    running.settle().await;
    let states: Vec<_> = running.all_orders().await.iter().map(|order| order.state).collect();
    prop_assert_eq!(states, model.orders);
    running.kill().await;
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn no_order_closes_before_its_register_is_back(moves in moves()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(replay(moves))?;
    }
}
