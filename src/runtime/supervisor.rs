//! Tracked tasks: every one has a name, a stage and an end.
//!
//! Two kinds. A *driver* may fail alone (a bus, a broker, a forward target): it is built anew
//! with backoff and nobody else notices. A *stage* holds the ends of channels and cannot be
//! rebuilt in place: if one ends early the whole gateway shuts down in order and says so, and
//! the service manager starts it again; everything it owed is on disk.

use crate::clock::Clock;
use crate::net::Backoff;
use crate::telemetry::Health;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Shutdown goes through the stages in this order: nothing is cut off from what feeds on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Drivers: no new samples.
    Field,
    /// The making of readings: drains what the drivers sent.
    Readings,
    /// Alarms, energy, work orders.
    Engines,
    /// The journal: last commit, last acknowledgements.
    Historian,
    /// Forwarding: saves its cursors.
    Forward,
    /// The web server: open streams end.
    Http,
}

impl Stage {
    const ORDER: [Stage; 6] =
        [Stage::Field, Stage::Readings, Stage::Engines, Stage::Historian, Stage::Forward, Stage::Http];
}

/// How often a shutdown says who is still pending.
const PENDING_REPORT: Duration = Duration::from_secs(5);
/// How long one stage may take to end before it is left behind.
const STAGE_GRACE: Duration = Duration::from_secs(20);

/// All running tasks of a gateway.
pub struct Supervisor {
    clock: Clock,
    health: Health,
    stages: BTreeMap<Stage, (CancellationToken, TaskTracker)>,
    running: Running,
    stopping: CancellationToken,
    failed: CancellationToken,
}

#[derive(Clone, Default)]
struct Running(Arc<Mutex<BTreeMap<(Stage, String), usize>>>);

impl Running {
    fn enter(&self, stage: Stage, name: &str) {
        *self.lock().entry((stage, name.to_owned())).or_default() += 1;
    }

    fn leave(&self, stage: Stage, name: &str) {
        let mut running = self.lock();
        let key = (stage, name.to_owned());
        if let Some(count) = running.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                running.remove(&key);
            }
        }
    }

    fn names(&self, stage: Stage) -> Vec<String> {
        self.lock().keys().filter(|(of, _)| *of == stage).map(|(_, name)| name.clone()).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<(Stage, String), usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Supervisor {
    /// A supervisor without tasks.
    pub fn new(clock: Clock, health: Health) -> Supervisor {
        let stages = Stage::ORDER.map(|stage| (stage, (CancellationToken::new(), TaskTracker::new())));
        Supervisor {
            clock,
            health,
            stages: stages.into(),
            running: Running::default(),
            stopping: CancellationToken::new(),
            failed: CancellationToken::new(),
        }
    }

    /// The token that stops one stage.
    pub fn stop_token(&self, stage: Stage) -> CancellationToken {
        self.stages.get(&stage).map(|(token, _)| token.clone()).unwrap_or_default()
    }

    /// Fires when a stage task ended although nobody stopped it.
    pub fn failed(&self) -> CancellationToken {
        self.failed.clone()
    }

    /// Runs a stage's task. Its early end, by return or by panic, brings the gateway down in order.
    pub fn stage(&self, stage: Stage, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let (stopping, failed, health) = (self.stopping.clone(), self.failed.clone(), self.health.clone());
        self.track(stage, name.to_owned(), async move {
            let ended = AssertUnwindSafe(task).catch_unwind().await;
            // While stopping, a stage may end before its turn: what feeds it has ended.
            if stopping.is_cancelled() && ended.is_ok() {
                return;
            }
            tracing::error!(task = name, panicked = ended.is_err(), "A stage ended early, shutting down.");
            health.set(name, Err("ended early".to_owned()));
            failed.cancel();
        });
    }

    /// Runs a driver's task; when it ends early it is made anew after a pause of 1 to 60 s.
    pub fn driver<F>(&self, stage: Stage, name: String, mut make: impl FnMut() -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (stop, clock) = (self.stop_token(stage), self.clock.clone());
        let seed = name.bytes().fold(0_u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
        self.track(stage, name.clone(), async move {
            let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_mins(1), seed);
            while !stop.is_cancelled() {
                // The making, too: it may panic before there is anything to run.
                let ended = AssertUnwindSafe(async { make().await }).catch_unwind().await;
                if stop.is_cancelled() {
                    return;
                }
                let pause = backoff.next_delay();
                let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
                tracing::error!(
                    task = name,
                    panicked = ended.is_err(),
                    pause_ms,
                    "A driver ended early, starting it again."
                );
                tokio::select! {
                    () = clock.sleep_until(clock.mono().plus_ms(pause_ms)) => {}
                    () = stop.cancelled() => return,
                }
            }
        });
    }

    /// Stops all stages in order, waiting for each, and names who is still pending.
    pub async fn shutdown(self) {
        self.stopping.cancel();
        for stage in Stage::ORDER {
            let Some((token, tracker)) = self.stages.get(&stage) else { continue };
            token.cancel();
            tracker.close();
            let waited = tokio::time::timeout(STAGE_GRACE, async {
                while tokio::time::timeout(PENDING_REPORT, tracker.wait()).await.is_err() {
                    tracing::warn!(?stage, pending = ?self.running.names(stage), "Still waiting for tasks to end.");
                }
            });
            if waited.await.is_err() {
                tracing::error!(?stage, left = ?self.running.names(stage), "Tasks did not end in time and were left behind.");
            }
        }
    }

    fn track(&self, stage: Stage, name: String, task: impl Future<Output = ()> + Send + 'static) {
        let Some((_, tracker)) = self.stages.get(&stage) else { return };
        let running = self.running.clone();
        running.enter(stage, &name);
        tracker.spawn(async move {
            task.await;
            running.leave(stage, &name);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::point::UtcMs;
    use std::sync::atomic::{AtomicU32, Ordering};

    fn supervisor() -> Supervisor {
        Supervisor::new(Clock::starting_at(UtcMs(0)), Health::default())
    }

    #[tokio::test(start_paused = true)]
    async fn stops_in_order_and_waits_for_each() {
        let supervisor = supervisor();
        let order = Arc::new(Mutex::new(Vec::new()));
        for (stage, name) in [(Stage::Http, "http"), (Stage::Field, "bus"), (Stage::Historian, "journal")] {
            let (stop, order) = (supervisor.stop_token(stage), Arc::clone(&order));
            supervisor.stage(stage, name, async move {
                stop.cancelled().await;
                tokio::time::sleep(Duration::from_secs(1)).await;
                order.lock().unwrap().push(name);
            });
        }
        supervisor.shutdown().await;
        assert_eq!(*order.lock().unwrap(), ["bus", "journal", "http"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stage_that_panics_brings_the_gateway_down() {
        let supervisor = supervisor();
        let failed = supervisor.failed();
        supervisor.stage(Stage::Engines, "alarms", async { panic!("planted") });
        failed.cancelled().await;
        supervisor.shutdown().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_stage_whose_feed_has_ended_is_no_failure_while_stopping() {
        let supervisor = supervisor();
        let (feed, mut fed) = tokio::sync::mpsc::channel::<()>(1);
        let stop = supervisor.stop_token(Stage::Field);
        supervisor.stage(Stage::Field, "bus", async move {
            stop.cancelled().await;
            drop(feed);
        });
        supervisor.stage(Stage::Readings, "readings", async move { assert!(fed.recv().await.is_none()) });
        let failed = supervisor.failed();
        supervisor.shutdown().await;
        assert!(!failed.is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn a_driver_that_panics_is_made_anew() {
        let supervisor = supervisor();
        let starts = Arc::new(AtomicU32::new(0));
        let (stop, seen) = (supervisor.stop_token(Stage::Field), Arc::clone(&starts));
        supervisor.driver(Stage::Field, "bus".into(), move || {
            let (stop, seen) = (stop.clone(), Arc::clone(&seen));
            async move {
                assert!(seen.fetch_add(1, Ordering::Relaxed) > 2, "planted");
                stop.cancelled().await;
            }
        });
        tokio::time::sleep(Duration::from_mins(5)).await;
        assert_eq!(starts.load(Ordering::Relaxed), 4);
        supervisor.shutdown().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_driver_whose_making_panics_is_made_anew() {
        let supervisor = supervisor();
        let makings = Arc::new(AtomicU32::new(0));
        let (stop, seen) = (supervisor.stop_token(Stage::Field), Arc::clone(&makings));
        supervisor.driver(Stage::Field, "bus".into(), move || {
            assert!(seen.fetch_add(1, Ordering::Relaxed) > 2, "planted");
            stop.clone().cancelled_owned()
        });
        tokio::time::sleep(Duration::from_mins(5)).await;
        assert_eq!(makings.load(Ordering::Relaxed), 4);
        supervisor.shutdown().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_will_not_end_is_named_and_left() {
        let supervisor = supervisor();
        supervisor.stage(Stage::Forward, "influx", std::future::pending());
        assert_eq!(supervisor.running.names(Stage::Forward), ["influx"]);
        supervisor.shutdown().await;
    }
}
