//! Another configuration while the gateway runs.
//!
//! First everything that can fail is tried, then the catalogue is written, then the new plan goes
//! up the house against the stream: the making of readings knows a point before a bus asks for it.

use super::derived;
use super::difference::{Difference, between};
use super::history::retention;
use super::lines::Lines;
use crate::clock::Clock;
use crate::config::Plan;
use crate::field::modbus;
use crate::historian::{Declarer, History};
use crate::point::{Catalogue, CatalogueChange, Name, PointId};
use crate::{api, forward, readings};
use anyhow::Context;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

/// A bus in the middle of a long answer has not taken the change before yet.
const ASK_AGAIN: Duration = Duration::from_millis(100);
/// Reloads that wait for the one before.
const QUEUE: usize = 4;

/// Gives a running gateway another configuration; clones speak to the same one.
#[derive(Clone, Debug)]
pub struct Reloader(mpsc::Sender<Asked>);

/// What became of a new configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reloaded {
    /// It is in force.
    Applied {
        /// The buses that read other devices or registers now, in the order of the plan.
        buses: Vec<Name>,
        /// What changed in the catalogue, as at a start.
        catalogue: Vec<CatalogueChange>,
    },
    /// Nothing of it is in force: `what` is built at the start only. For a person:
    /// "the rule oxygen-low, the site".
    NeedsRestart {
        /// What changed and cannot change while running.
        what: String,
    },
    /// It says what is in force already.
    Nothing,
}

#[derive(Debug)]
struct Asked {
    plan: Box<Plan>,
    answer: oneshot::Sender<anyhow::Result<Reloaded>>,
}

impl Reloader {
    /// Puts `plan` in force as far as that needs no restart: wholly or not at all.
    ///
    /// # Errors
    /// The catalogue cannot be written, a register cannot be read in any way, or the gateway has
    /// ended. But for that last case the configuration before is in force.
    pub async fn reload(&self, plan: Plan) -> anyhow::Result<Reloaded> {
        let (answer, answered) = oneshot::channel();
        let asked = Asked { plan: Box::new(plan), answer };
        self.0.send(asked).await.ok().context("the gateway has ended")?;
        answered.await.context("the gateway has ended")?
    }
}

/// Who holds what a plan is built into.
pub(super) struct Held {
    pub lines: Lines,
    pub clock: Clock,
    pub declarer: Declarer,
    pub history: History,
    pub readings: mpsc::Sender<readings::Change>,
    pub substitutions: readings::Substitutions,
    pub plants: api::Plants,
    pub buses: api::Buses,
    pub mapping: watch::Sender<Arc<forward::Mapping>>,
}

/// The task that reloads, one plan after the other.
pub(super) struct Task {
    held: Held,
    asker: mpsc::Sender<Asked>,
    asked: mpsc::Receiver<Asked>,
}

impl Task {
    pub(super) fn new(held: Held) -> Task {
        let (asker, asked) = mpsc::channel(QUEUE);
        Task { held, asker, asked }
    }

    pub(super) fn reloader(&self) -> Reloader {
        Reloader(self.asker.clone())
    }

    pub(super) fn lines(&self) -> Lines {
        self.held.lines.clone()
    }

    /// Reloads whenever it is asked to, until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let serve = async {
            while let Some(Asked { plan, answer }) = self.asked.recv().await {
                // Who asked may have gone; the plan is in force all the same.
                let _heard = answer.send(self.held.reload(*plan).await);
            }
        };
        let _stopped = stop.run_until_cancelled(serve).await;
        stop.cancelled().await;
    }
}

impl Held {
    async fn reload(&self, plan: Plan) -> anyhow::Result<Reloaded> {
        let (old, known) = self.lines.now();
        let buses = match between(&old, &plan) {
            Difference::Nothing => return Ok(Reloaded::Nothing),
            Difference::NeedsRestart(what) => return Ok(Reloaded::NeedsRestart { what }),
            Difference::Buses(buses) => buses,
        };
        let declared = plan.declared();
        let mut expected = Catalogue::clone(&known);
        expected.declare(&declared);
        self.try_out(&plan, &expected)?;
        let (catalogue, changes) =
            self.declarer.declare(declared).await.context("the catalogue cannot be written")?;
        self.declarer.retain(retention(&plan, &catalogue));
        let mapping = forward::Mapping::new(&plan, &catalogue)?;
        self.make_readings(&plan, &catalogue, &changes).await?;
        self.substitutions.withdraw(changes.iter().filter_map(ends_substitution).collect()).await;
        self.plants.replace(api::Plant::new(&plan, |address| catalogue.find(address)));
        self.buses.replan(&plan);
        self.mapping.send_replace(Arc::new(mapping));
        self.lines.replace(Arc::new(plan), Arc::new(catalogue));
        for bus in &buses {
            while self.lines.hand_over(bus)?.is_err() {
                tokio::time::sleep(ASK_AGAIN).await;
            }
        }
        Ok(Reloaded::Applied { buses, catalogue: changes })
    }

    /// Builds all that can refuse a plan, and throws it away.
    fn try_out(&self, plan: &Plan, catalogue: &Catalogue) -> anyhow::Result<()> {
        forward::Mapping::new(plan, catalogue)?;
        let metrics = modbus::Metrics::default();
        for bus in &plan.buses {
            let (nowhere, _) = mpsc::channel(1);
            let memory = modbus::Memory::default();
            let id = |address: &_| catalogue.find(address);
            modbus::Bus::build(bus, &id, memory, self.clock.clone(), nowhere, &metrics)?;
        }
        Ok(())
    }

    async fn make_readings(
        &self,
        plan: &Plan,
        catalogue: &Catalogue,
        changes: &[CatalogueChange],
    ) -> anyhow::Result<()> {
        let settings = readings::Settings::from_plan(&derived::not_derived(plan), catalogue);
        let formulas = readings::derived::Settings::from_plan(plan, catalogue);
        let (old, known) = self.lines.now();
        let before = readings::derived::Settings::from_plan(&old, &known);
        let windows = derived::past(&self.history, &formulas, &before, self.clock.utc()).await;
        let anew = changes.iter().filter_map(starts_anew).collect::<BTreeSet<PointId>>();
        let (taken, told) = oneshot::channel();
        let change = readings::Change { settings, derived: formulas, windows, anew, taken };
        self.readings.send(change).await.ok().context("the gateway is ending")?;
        told.await.context("the gateway is ending")
    }
}

/// A point whose value by hand is of no use any more.
fn ends_substitution(change: &CatalogueChange) -> Option<PointId> {
    match change {
        CatalogueChange::Gone(id) => Some(*id),
        other => starts_anew(other),
    }
}

/// A point whose last value says nothing of what its values are from now on.
fn starts_anew(change: &CatalogueChange) -> Option<PointId> {
    match change {
        CatalogueChange::Added(id) | CatalogueChange::NewEpoch(id) | CatalogueChange::Returned(id) => {
            Some(*id)
        }
        CatalogueChange::Renamed { .. } | CatalogueChange::Gone(_) => None,
    }
}
