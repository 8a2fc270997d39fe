//! The past: what the instruments would have shown since genesis, taken in beside the live readings,
//! the newest first.
//!
//! A day is taken in at once, the last two days by hours. What is on disk is noted in a small file
//! of the data folder, so that a killed process goes on where it was; the one stretch that may be
//! there in part is compared with what is there.

use super::device::instrument::{Instrument, is_counter};
use super::device::unit::{Told, instrument_of};
use super::fault::{Kind, Target};
use super::memory;
use super::shown::Instruments;
use crate::config::{Plan, Point};
use crate::historian::Importer;
use crate::historian::import::ImportError;
use crate::point::{Address, Name, PointId, Quality, Reading, Reason, UtcMs, ValueKind};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio_util::sync::CancellationToken;

/// The file that says how far it is.
pub const FILE: &str = "filled.toml";
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// So much before the first start a reading comes every minute. Milliseconds.
const FINE_MS: i64 = 2 * DAY_MS;
/// So many counters have one every quarter of an hour before that; the rest one an hour.
const METERS_MAX: usize = 100;
/// Stretches that are compared with what is there when a past goes on. One is written at a time; more
/// are unnoted if the disk was full.
const DOUBTFUL: usize = 3;

/// How far the past is filled in; clones look at the same.
#[derive(Clone, Debug)]
pub struct Filled(Arc<Numbers>);

#[derive(Debug)]
struct Numbers {
    genesis: i64,
    until: i64,
    /// From here on it is there.
    from: AtomicI64,
}

impl Filled {
    /// From where on the past is there.
    pub fn from(&self) -> UtcMs {
        UtcMs(self.0.from.load(Ordering::Relaxed))
    }

    /// All of it is there.
    pub fn is_done(&self) -> bool {
        self.from().0 <= self.0.genesis
    }

    /// How much of it is there, and how much there is to be: hours.
    pub fn hours(&self) -> (u64, u64) {
        let hours = |ms: i64| u64::try_from(ms.div_euclid(HOUR_MS)).unwrap_or(0);
        (hours(self.0.until - self.from().0), hours(self.0.until - self.0.genesis))
    }
}

/// The past, on its way into the history.
#[derive(Debug)]
pub struct Fill {
    instruments: Arc<Instruments>,
    devices: Arc<Vec<Device>>,
    file: PathBuf,
    filled: Filled,
    /// So many stretches may be there, in part or unnoted: those at which a process ended.
    doubtful: usize,
}

/// The points of a device or broker.
#[derive(Debug)]
struct Device {
    id: Arc<str>,
    /// What makes it silent.
    target: Option<Target>,
    points: Vec<Entry>,
}

/// A point that is told of.
#[derive(Debug)]
struct Entry {
    address: Address,
    place: usize,
    instrument: Instrument,
    /// It has a reading every quarter of an hour.
    meter: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileText {
    from: i64,
}

impl Fill {
    /// The past of a plan from `genesis` to `until`, as far as the file in `folder` does not say that
    /// it is there.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn new(
        plan: &Plan,
        told: Told<'_>,
        instruments: Arc<Instruments>,
        span: Range<UtcMs>,
        folder: &std::path::Path,
    ) -> Result<Fill, memory::MemoryError> {
        let file = folder.join(FILE);
        let text = memory::read(&file)?;
        let doubtful = if text.is_some() { DOUBTFUL } else { 0 };
        let from = match text {
            None => span.end.0,
            Some(text) => {
                let wrong =
                    |error: toml::de::Error| memory::MemoryError::Unreadable(file.clone(), error.to_string());
                toml::from_str::<FileText>(&text).map_err(wrong)?.from
            }
        };
        let numbers = Numbers { genesis: span.start.0, until: span.end.0, from: AtomicI64::new(from) };
        let devices = Arc::new(devices(plan, told));
        Ok(Fill { instruments, devices, file, filled: Filled(Arc::new(numbers)), doubtful })
    }

    /// How far it is.
    pub fn filled(&self) -> Filled {
        self.filled.clone()
    }

    /// Takes all of it in, until `stop`; `told` is called after each stretch.
    ///
    /// # Errors
    /// What the history refuses.
    pub async fn run(
        mut self,
        importer: &Importer,
        stop: &CancellationToken,
        mut told: impl FnMut(&Filled),
    ) -> Result<(), ImportError> {
        let ids = Arc::new(self.ids(importer).await?);
        let mut ready = self.next(self.filled.from()).map(|span| (span.clone(), self.readings(span, &ids)));
        while let Some((span, readings)) = ready.take() {
            let Ok(readings) = readings.await else { return Err(ImportError::Stopped) };
            // The next stretch is reckoned while this one is written.
            ready = self.next(span.start).map(|span| (span.clone(), self.readings(span, &ids)));
            if stop.is_cancelled() {
                return Ok(());
            }
            if readings.iter().any(|(_, readings)| !readings.is_empty()) {
                importer.take_readings(readings, self.doubtful > 0).await?;
            }
            self.doubtful = self.doubtful.saturating_sub(1);
            self.filled.0.from.store(span.start.0, Ordering::Relaxed);
            self.note(span.start).await;
            told(&self.filled);
        }
        Ok(())
    }

    /// The numbers of the points.
    async fn ids(&self, importer: &Importer) -> Result<BTreeMap<Address, PointId>, ImportError> {
        let points = importer.points().await?;
        let told = self.devices.iter().flat_map(|device| &device.points);
        let number = |one: &Entry| Some((one.address.clone(), points.find(&one.address)?));
        Ok(told.filter_map(number).collect())
    }

    /// The stretch before `from`; none if that is genesis.
    fn next(&self, from: UtcMs) -> Option<Range<UtcMs>> {
        let Numbers { genesis, until, .. } = *self.filled.0;
        let length = if from.0 > until - FINE_MS { HOUR_MS } else { DAY_MS };
        // Days as the truth has them, so that none is reckoned twice.
        let start = genesis + (from.0 - 1 - genesis).div_euclid(length) * length;
        (from.0 > genesis).then(|| UtcMs(start.max(genesis))..from)
    }

    /// What the instruments showed in a stretch, by device; reckoned on a thread of its own.
    fn readings(
        &self,
        span: Range<UtcMs>,
        ids: &Arc<BTreeMap<Address, PointId>>,
    ) -> tokio::task::JoinHandle<Vec<(Arc<str>, Vec<Reading>)>> {
        let (instruments, devices) = (Arc::clone(&self.instruments), Arc::clone(&self.devices));
        let (ids, fine_from) = (Arc::clone(ids), self.filled.0.until - FINE_MS);
        tokio::task::spawn_blocking(move || {
            let known: Vec<Vec<Option<PointId>>> = devices
                .iter()
                .map(|device| device.points.iter().map(|one| ids.get(&one.address).copied()).collect())
                .collect();
            let mut readings: Vec<(Arc<str>, Vec<Reading>)> =
                devices.iter().map(|device| (Arc::clone(&device.id), Vec::new())).collect();
            for at in moments(span, fine_from) {
                let values = instruments.values(at);
                let every = if at.0 >= fine_from { MINUTE_MS } else { HOUR_MS };
                for ((device, known), (_, readings)) in devices.iter().zip(&known).zip(&mut readings) {
                    device.read(known, &values, at, every, &instruments, readings);
                }
            }
            readings
        })
    }

    /// Notes that everything from `from` on is there. Failing that the stretch is looked at again.
    async fn note(&self, from: UtcMs) {
        let (file, text) =
            (self.file.clone(), format!("# From this moment on the past is there.\nfrom = {}\n", from.0));
        let written = tokio::task::spawn_blocking(move || memory::replace(&file, &text)).await;
        if let Err(error) = written.unwrap_or_else(|died| Err(std::io::Error::other(died))) {
            tracing::warn!(%error, "How far the past is filled in cannot be noted.");
        }
    }
}

/// The moments of a stretch: minutes in the last two days, quarters of an hour before.
fn moments(span: Range<UtcMs>, fine_from: i64) -> impl Iterator<Item = UtcMs> {
    let first = -(-span.start.0).div_euclid(MINUTE_MS);
    let minutes = (first..).map(|minute| minute * MINUTE_MS).take_while(move |at| *at < span.end.0);
    minutes.filter(move |at| *at >= fine_from || at % (15 * MINUTE_MS) == 0).map(UtcMs)
}

impl Device {
    /// Adds its readings of a moment; `every` is the pace of those that are no meters.
    fn read(
        &self,
        known: &[Option<PointId>],
        values: &[f64],
        at: UtcMs,
        every: i64,
        instruments: &Instruments,
        readings: &mut Vec<Reading>,
    ) {
        let is_full = at.0 % every == 0;
        let is_dead = || {
            let board = instruments.board();
            self.target.as_ref().is_some_and(|target| board.magnitude(Kind::DeadDevice, target, at) > 0.0)
        };
        let mut dead = None;
        for (one, point) in self.points.iter().zip(known).filter(|(one, _)| is_full || one.meter) {
            let Some(point) = *point else { continue };
            if *dead.get_or_insert_with(is_dead) {
                let quality = Quality::Bad(Reason::Timeout);
                readings.push(Reading { point, at, value: None, quality });
            } else if let Some(value) = values.get(one.place).and_then(|truth| one.instrument.reading(*truth))
            {
                readings.push(Reading { point, at, value: Some(value), quality: Quality::Good });
            }
        }
    }
}

/// Every device of the plan with its points that are told of, then the brokers.
fn devices(plan: &Plan, told: Told<'_>) -> Vec<Device> {
    let meters = meters(plan, told);
    let told_of = |address: &Address, instrument: Instrument| {
        let place = *told.places.get(address)?;
        Some(Entry { address: address.clone(), place, instrument, meter: meters.contains(address) })
    };
    let mut devices = Vec::new();
    for device in plan.buses.iter().flat_map(|bus| &bus.devices) {
        let points = device.registers.iter().filter_map(|register| {
            let point = told.points.get(&register.point).filter(|point| point.kind != ValueKind::Text)?;
            told_of(&register.point, instrument_of(register, point, device, plan, told))
        });
        let target = Some(Target::Device(device.id.clone()));
        devices.push(Device { id: device.id.as_str().into(), target, points: points.collect() });
    }
    for broker in &plan.brokers {
        let points = broker.topics.iter().flat_map(|topic| topic.points().zip(counted(topic)));
        let mut seen = BTreeSet::new();
        let points =
            points.filter(|(address, _)| seen.insert(address.clone())).filter_map(|(address, counts)| {
                let point: &Point =
                    told.points.get(&address).filter(|point| point.kind != ValueKind::Text)?;
                told_of(&address, Instrument::message(point, counts))
            });
        devices.push(Device { id: broker.id.as_str().into(), target: None, points: points.collect() });
    }
    devices
}

/// Whether each point of a topic, in its order, is sent as whole counts.
fn counted(topic: &crate::config::Topic) -> impl Iterator<Item = bool> {
    topic.values.iter().flat_map(|value| {
        let counts = value.cell.is_some();
        value.assets.iter().map(move |_: &Name| counts)
    })
}

/// The counters that have a reading every quarter of an hour: those the configuration counts, then
/// the others.
fn meters(plan: &Plan, told: Told<'_>) -> BTreeSet<Address> {
    let counted = plan.meters.iter().map(|meter| &meter.point);
    let others = plan.points.iter().filter(|point| is_counter(point.unit)).map(|point| &point.address);
    let mut meters = BTreeSet::new();
    for address in counted.chain(others).filter(|address| told.places.contains_key(address)) {
        if meters.len() < METERS_MAX {
            meters.insert(address.clone());
        }
    }
    meters
}
