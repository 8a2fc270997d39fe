//! What a reading costs behind the field: the stages between a driver's batch and the disk, fed
//! from memory. No sockets, so instruction counts compare from one version to the next.

use super::{POINTS, Used};
use anyhow::Context as _;
use plantroom::alarms::{self, config::Limit, config::Test};
use plantroom::clock::Clock;
use plantroom::config::Plan;
use plantroom::db::Db;
use plantroom::energy;
use plantroom::field::{FieldBatch, Raw, Sample};
use plantroom::historian::{self, Historian, Opened, Seq};
use plantroom::point::{Catalogue, Decimal, PointId, Value};
use plantroom::readings::{self, Current, Engine, Outlets, Settings};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Feeds `batches` of one device each, `a_second` of them in a second (0: as fast as they are
/// taken), and returns when all of them are on disk. One point of each device has an alarm rule.
pub async fn stages(plan: &Plan, batches: u64, a_second: u64, data: &Path) -> anyhow::Result<()> {
    let (clock, stop, tasks) = (Clock::system(), CancellationToken::new(), TaskTracker::new());
    let Opened { mut historian, history, .. } =
        Historian::open(&data.join("history"), clock.clone(), historian::Metrics::default())?;
    let (catalogue, _) = historian.declare(&plan.declared())?;
    let migrations = [alarms::MIGRATIONS, energy::MIGRATIONS].concat();
    let (db, writer) = Db::open(&data.join("plantroom.db"), &migrations)?;
    // The sizes of src/runtime/gateway.rs.
    let (field, field_in) = mpsc::channel(256);
    let (alarms, alarms_in) = mpsc::channel(1_024);
    let (store, store_in) = mpsc::channel(16);
    let ids: Vec<PointId> = plan.points.iter().filter_map(|point| catalogue.find(&point.address)).collect();
    let making = readings::Task {
        engine: Engine::new(Settings::from_plan(&plan.points, &catalogue), clock.now()),
        current: Current::new(&ids, clock.utc()),
        derived: readings::Derived::new(&readings::derived::Settings::default(), clock.now()),
        by_hand: readings::ByHand { open: Vec::new(), orders: mpsc::channel(1).1 },
        texts: Box::new(|_| None),
        words: Box::new(|_| None),
        clock: clock.clone(),
        metrics: readings::Metrics::default(),
        limits: readings::Limits::default(),
        outlets: Outlets { alarms, historian: store },
        changes: mpsc::channel(1).1,
        questions: readings::Inspector::new().1,
    };
    let (rules, metrics) = (rules(plan, &catalogue)?, alarms::Metrics::default());
    let (_handle, alarms) =
        alarms::Task::build(rules, db.clone(), clock.clone(), alarms_in, metrics, Box::new(drop)).await?;
    let energy = energy::Task::open(plan, &catalogue, db, clock.clone(), energy::Metrics::default()).await?;
    tasks.spawn(energy.run(history.clone(), stop.clone()));
    tasks.spawn(alarms.run(stop.clone()));
    tasks.spawn(historian.run(store_in, CancellationToken::new()));
    tasks.spawn(making.run(field_in, CancellationToken::new()));
    let before = Used::now()?;
    // On a worker like all the others, not on the thread that waits here.
    tasks.spawn(feed(ids, batches, a_second, clock, field)).await??;
    history.head().wait_for(|head| *head >= Seq(batches)).await?;
    before.print_since(batches * POINTS as u64)?;
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    writer.close().await?;
    Ok(())
}

fn rules(plan: &Plan, catalogue: &Catalogue) -> anyhow::Result<Vec<alarms::Rule>> {
    let mut rules = alarms::rules(plan, catalogue)?;
    let like = rules.first().context("a rule of its own")?.clone();
    for point in plan.points.iter().step_by(POINTS) {
        let id = catalogue.find(&point.address).context("a point of the plan")?;
        let limit = Limit::high(Decimal::from_int(1_000_000_000), Decimal::ONE).context("a limit")?;
        let point = Some((id, point.address.clone()));
        rules.push(alarms::Rule { id: "high".to_owned(), point, test: Test::High(limit), ..like.clone() });
    }
    Ok(rules)
}

async fn feed(
    ids: Vec<PointId>,
    batches: u64,
    a_second: u64,
    clock: Clock,
    field: mpsc::Sender<FieldBatch>,
) -> anyhow::Result<()> {
    let (device, start): (Arc<str>, _) = ("device".into(), clock.mono());
    for (number, ids) in (0..batches).zip(ids.chunks(POINTS).cycle()) {
        if let Some(after_ms) = (number * 1_000).checked_div(a_second) {
            clock.sleep_until(start.plus_ms(after_ms)).await;
        }
        let now = clock.utc();
        field
            .send(FieldBatch {
                device: Arc::clone(&device),
                at: now,
                at_error_ms: 1,
                source_at: None,
                received_at: now,
                samples: ids.iter().map(|id| sample(*id, number)).collect(),
                ack: None,
            })
            .await?;
    }
    Ok(())
}

/// Every fourth point is a float.
fn sample(point: PointId, number: u64) -> Sample {
    let raw = (number + u64::from(point.0)) % 60_000;
    let value = if point.0.is_multiple_of(4) {
        Value::F64(f64::from(u32::try_from(raw).unwrap_or(0)))
    } else {
        Value::Decimal(Decimal::from_int(raw.cast_signed()))
    };
    Sample { point, raw: Ok(Raw::Value(value)) }
}
