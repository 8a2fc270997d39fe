//! The work orders at work: the event log in, orders out; and the handle people act through.

use super::order::{Act, HistoryRow, WorkOrder};
use super::store::{self, Asked};
use super::{Metrics, WorkOrderError};
use crate::alarms::Scope;
use crate::clock::Clock;
use crate::db::Db;
use std::collections::HashMap;
use tokio_util::sync::CancellationToken;

/// How long to wait before the database is tried again. Milliseconds.
const RETRY_MS: u64 = 1_000;

/// Which orders to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// All that are not closed, the most urgent first.
    Open,
    /// The newest, closed or not.
    Newest {
        /// At most so many.
        limit: u32,
        /// Of these.
        scope: Scope,
    },
}

/// The handle to the work orders; clones are cheap.
#[derive(Clone)]
pub struct WorkOrders {
    db: Db,
    clock: Clock,
}

impl WorkOrders {
    /// A handle to the orders in `db`.
    pub fn new(db: Db, clock: Clock) -> WorkOrders {
        WorkOrders { db, clock }
    }

    /// Orders.
    pub async fn list(&self, filter: Filter) -> Result<Vec<WorkOrder>, WorkOrderError> {
        let orders = self.db.read(move |connection| match filter {
            Filter::Open => store::open(connection),
            Filter::Newest { limit, scope } => store::newest(connection, &scope, limit),
        });
        Ok(orders.await?)
    }

    /// One order with its history, oldest first.
    pub async fn get(&self, id: i64) -> Result<(WorkOrder, Vec<HistoryRow>), WorkOrderError> {
        let found = self.db.read(move |connection| {
            store::get(connection, id)?.map(|order| Ok((order, store::history(connection, id)?))).transpose()
        });
        found.await?.ok_or(WorkOrderError::NotFound(id))
    }

    /// The order each of these alarms is in, the latest where it was in several; an alarm
    /// without one is left out.
    pub async fn of_alarms(&self, alarms: Vec<i64>) -> Result<HashMap<i64, i64>, WorkOrderError> {
        Ok(self.db.read(move |connection| store::of_alarms(connection, &alarms)).await?)
    }

    /// A person takes it. `version` is the one the person saw; another one is a conflict.
    pub async fn accept(
        &self,
        id: i64,
        by: &str,
        note: Option<&str>,
        version: Option<i64>,
    ) -> Result<WorkOrder, WorkOrderError> {
        self.act(Act::Accept, id, by, note, version).await
    }

    /// A person says that the work is done, and what it was.
    pub async fn finish(
        &self,
        id: i64,
        by: &str,
        note: Option<&str>,
        version: Option<i64>,
    ) -> Result<WorkOrder, WorkOrderError> {
        self.act(Act::Finish, id, by, note, version).await
    }

    /// A person closes it; refused while one of its alarms is active.
    pub async fn close(
        &self,
        id: i64,
        by: &str,
        note: Option<&str>,
        version: Option<i64>,
    ) -> Result<WorkOrder, WorkOrderError> {
        self.act(Act::Close, id, by, note, version).await
    }

    /// Any act.
    pub async fn act(
        &self,
        act: Act,
        id: i64,
        by: &str,
        note: Option<&str>,
        version: Option<i64>,
    ) -> Result<WorkOrder, WorkOrderError> {
        let asked = Asked { id, act, by: by.to_owned(), note: note.map(ToOwned::to_owned), version };
        let now = self.clock.utc();
        self.db.write(move |tx| store::act(tx, &asked, now)).await?
    }
}

/// The task that turns alarms into orders.
pub struct Task {
    db: Db,
    clock: Clock,
    metrics: Metrics,
}

impl Task {
    /// Spawns nothing.
    pub fn new(db: Db, clock: Clock, metrics: Metrics) -> Task {
        Task { db, clock, metrics }
    }

    /// Runs until `stop`. What the log holds beyond the cursor is taken up at the start.
    pub async fn run(self, stop: CancellationToken) {
        let mut committed = self.db.committed();
        let mut refused = false;
        while !stop.is_cancelled() {
            // Before reading, so that an event committed meanwhile wakes the wait below.
            committed.mark_unchanged();
            let now = self.clock.utc();
            match self.db.write(move |tx| store::consume(tx, now)).await {
                Ok(0) => tokio::select! {
                    () = stop.cancelled() => {}
                    changed = committed.changed() => if changed.is_err() { return },
                },
                Ok(events) => {
                    refused = false;
                    self.metrics.events.inc_by(u64::try_from(events).unwrap_or(0));
                }
                Err(error) => {
                    if !std::mem::replace(&mut refused, true) {
                        tracing::warn!(%error, "Alarms cannot be turned into work orders; trying again.");
                    }
                    self.metrics.failures.inc();
                    let again = self.clock.mono().plus_ms(RETRY_MS);
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = self.clock.sleep_until(again) => {}
                    }
                }
            }
        }
    }
}
