//! The demo hospital, and the gateway's drivers and first stage reading it on paused time.

use super::line::LineDial;
use crate::clock::Clock;
use crate::config::{self, Plan, Point};
use crate::field::modbus::{Bus, Memory, Metrics};
use crate::point::{Address, Batch, Catalogue, PointId, TextId, UtcMs};
use crate::readings::{Engine, Outcome, Settings};
use crate::sim::Hospital;
use crate::sim::device::bus::Manner;
use crate::sim::fault::{self, Board, Known};
use crate::sim::truth::Truth;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// 2026-05-31 00:00 in China, a Sunday.
const GENESIS: UtcMs = UtcMs(1_780_156_800_000);
/// A whole number of knots of the truth after genesis: Monday, 00:00.
pub const START: UtcMs = UtcMs(GENESIS.0 + 24 * HOUR_MS);
pub const HOUR_MS: i64 = 3_600_000;
/// Every register is read so often.
pub const INTERVAL_MS: u64 = 15 * 60_000;
/// A cycle is so late at most, on a serial line with a dead unit and damaged replies.
pub const LATE_MS: u64 = 60_000;
/// Lines that are not as good as they could be, as in the demo.
const MANNERS: [(&str, Manner); 2] = [
    ("water-meters", Manner { delay_ms: 120, noise: 0.0 }),
    ("outpatient-power", Manner { delay_ms: 0, noise: 0.02 }),
];

/// The hospital and who reads it.
pub struct Site {
    pub plan: Plan,
    pub truth: Arc<Truth>,
    pub board: Arc<Board>,
    pub hospital: Hospital,
    catalogue: Catalogue,
    clock: Clock,
}

impl Site {
    /// With this script, at [`START`].
    pub async fn new(script: &str) -> Site {
        let main = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/plantroom.toml");
        let mut plan = config::load(&main, &|_| None).unwrap_or_else(|wrong| panic!("{wrong}")).plan;
        slow_down(&mut plan);
        let faults = fault::parse(script, "week.toml", &plan).unwrap_or_else(|wrong| panic!("{wrong}"));
        let board = Arc::new(Board::new(faults, Known { starts: vec![START], asked: Vec::new() }, START));
        let truth = Arc::new(Truth::hospital(GENESIS, 1, board.courses()));
        let clock = Clock::starting_at(START);
        let (seen, faults) = (Arc::clone(&truth), Arc::clone(&board));
        let hospital = Hospital::bind(&plan, seen, faults, manner, clock.clone(), 1).await.unwrap();
        let mut catalogue = Catalogue::default();
        catalogue.declare(&plan.declared());
        Site { plan, truth, board, hospital, catalogue, clock }
    }

    /// The number of a point.
    pub fn id(&self, point: &Address) -> Option<PointId> {
        self.catalogue.find(point)
    }

    /// Reads these buses for so many hours: what becomes current, in the order it does.
    pub async fn read(&self, buses: &[&config::Bus], hours: i64) -> Vec<Arc<Batch>> {
        let (tx, mut batches) = mpsc::channel(64);
        let stop = CancellationToken::new();
        let sims = self.plan.buses.iter().zip(self.hospital.buses());
        // Each a task of its own: what wakes one need not look at all.
        let running = TaskTracker::new();
        for (plan, bus) in sims.filter(|(bus, _)| buses.contains(bus)) {
            let dial = LineDial { bus, rtu: plan.link.serial().is_some() };
            let (ids, clock) = (|point: &Address| self.id(point), self.clock.clone());
            let bus =
                Bus::build_over(dial, plan, &ids, Memory::default(), clock, tx.clone(), &Metrics::new());
            running.spawn(bus.unwrap().run(stop.clone()));
        }
        drop(tx);
        let end = self.clock.mono().plus_ms(u64::try_from(hours * HOUR_MS).unwrap() + LATE_MS);
        let ended = async {
            self.clock.sleep_until(end).await;
            stop.cancel();
        };
        let taken = async {
            let settings = Settings::from_plan(&points_of(&self.plan, buses), &self.catalogue);
            let (mut engine, mut live) = (Engine::new(settings, self.clock.now()), Vec::new());
            while let Some(batch) = batches.recv().await {
                let now = self.clock.now();
                let Outcome { live: read, unknown, .. } = engine.step(batch, now, &mut |_| Some(TextId(1)));
                assert_eq!(unknown, 0);
                live.extend(read);
                live.extend(engine.tick(now).live);
            }
            live
        };
        tokio::join!(ended, taken).1
    }
}

/// The points of some buses: only what is read can be missed.
fn points_of(plan: &Plan, buses: &[&config::Bus]) -> Vec<Point> {
    let registers = buses.iter().flat_map(|bus| &bus.devices).flat_map(|device| &device.registers);
    let read: BTreeSet<&Address> = registers.map(|register| &register.point).collect();
    plan.points.iter().filter(|point| read.contains(&point.address)).cloned().collect()
}

/// Everything every quarter of an hour; what counts energy, and what a transformer loses, on its knots.
fn slow_down(plan: &mut Plan) {
    for point in &mut plan.points {
        point.stale_after_ms = INTERVAL_MS + LATE_MS;
    }
    let devices = plan.buses.iter_mut().flat_map(|bus| &mut bus.devices);
    for register in devices.flat_map(|device| &mut device.registers) {
        register.interval_ms = INTERVAL_MS;
        register.aligned = ["energy", "apparent_power"].contains(&register.point.quantity.as_str());
    }
}

fn manner(bus: &str) -> Manner {
    MANNERS.iter().find(|(name, _)| *name == bus).map_or_else(Manner::default, |(_, manner)| *manner)
}

/// The share of replies a bus spoils by itself.
pub fn noise(bus: &str) -> f64 {
    manner(bus).noise
}
