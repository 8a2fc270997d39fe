//! The reading: a bus of the gateway with one device, until each point has its sample.

use super::wanted::Wanted;
use crate::cli::{Failure, loads};
use crate::clock::Clock;
use crate::config::{Bus, Link};
use crate::field::modbus::{self, AnyDial, AnyStream, Dial, Memory, Metrics, forecast};
use crate::field::{Fault, FieldBatch, Sample};
use crate::point::{Catalogue, PointId, Reading, TextId};
use crate::readings::{Engine, Settings};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A connection that is not there after this long is not coming.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Batches on their way; taken at once.
const QUEUE: usize = 64;
/// What a reading may take beside its requests, in milliseconds.
const GRACE_MS: u64 = 5_000;

/// What became of it.
#[derive(Debug)]
pub struct Seen {
    /// Of each point, in the order wanted: what would be stored, and why there is no value.
    pub readings: Vec<(Reading, Option<Fault>)>,
    /// The words of readings that are texts, by their number.
    pub texts: Vec<String>,
    /// Why there was no connection.
    pub unreachable: Option<io::Error>,
}

/// Reads everything wanted once. Ends when each point has a sample, and after a limit that follows
/// from the number of requests in any case.
///
/// # Errors
/// What is wanted cannot be asked for.
pub async fn read(wanted: &Wanted, clock: Clock) -> Result<Seen, Failure> {
    let limit = limit(&wanted.bus)?;
    let mut taken = Taken::new(wanted, clock);
    let unreachable = match connect(&wanted.bus.link).await {
        Err(error) => Some(error),
        Ok(stream) => {
            taken.run(&wanted.bus, stream, limit).await?;
            taken.run_again(&wanted.bus, limit).await?;
            None
        }
    };
    let fault = if unreachable.is_some() { Fault::NoConnection } else { Fault::Timeout };
    taken.state_the_rest(fault);
    let readings = taken.ids.iter().filter_map(|id| taken.seen.get(id).copied()).collect();
    Ok(Seen { readings, texts: taken.texts.words, unreachable })
}

/// Beyond any reading that goes on: each request can be searched for what the device refuses in
/// it, and can time out.
fn limit(bus: &Bus) -> Result<Duration, Failure> {
    let seen = forecast(bus).map_err(|error| Failure::Configuration(loads::blame(bus, error)))?;
    let requests: usize =
        seen.devices.iter().flat_map(|d| &d.classes).map(|class| class.requests.len()).sum();
    let requests = u64::try_from(requests).unwrap_or(u64::MAX);
    let round_ms = seen.rounds.first().map_or(0, |round| round.at_first_ms);
    let waits_ms = bus.timeout_ms.saturating_mul(requests.saturating_mul(2).saturating_add(8));
    Ok(Duration::from_millis(waits_ms.saturating_add(round_ms.saturating_mul(3)).saturating_add(GRACE_MS)))
}

async fn connect(link: &Link) -> io::Result<AnyStream> {
    tokio::time::timeout(CONNECT_TIMEOUT, AnyDial::of(link).dial()).await?
}

/// Gives a connection that is there already; so that its failure is an error and no silence.
struct Handed {
    first: Option<AnyStream>,
    further: AnyDial,
}

impl Dial for Handed {
    type Stream = AnyStream;

    async fn dial(&mut self) -> io::Result<AnyStream> {
        match self.first.take() {
            Some(stream) => Ok(stream),
            None => self.further.dial().await,
        }
    }
}

/// What has been read so far.
struct Taken {
    clock: Clock,
    catalogue: Catalogue,
    ids: Vec<PointId>,
    engine: Engine,
    texts: Texts,
    seen: BTreeMap<PointId, (Reading, Option<Fault>)>,
}

/// The dictionary of one reading.
#[derive(Default)]
struct Texts {
    words: Vec<String>,
}

impl Taken {
    fn new(wanted: &Wanted, clock: Clock) -> Taken {
        let mut catalogue = Catalogue::default();
        let declared = |point: &crate::config::Point| crate::point::Declared {
            address: point.address.clone(),
            formerly: Vec::new(),
            unit: point.unit,
            kind: point.kind,
        };
        let declared: Vec<_> = wanted.points.iter().map(declared).collect();
        let _all_new = catalogue.declare(&declared);
        let ids = wanted.points.iter().filter_map(|point| catalogue.find(&point.address)).collect();
        let engine = Engine::new(Settings::from_plan(&wanted.points, &catalogue), clock.now());
        Taken { clock, catalogue, ids, engine, texts: Texts::default(), seen: BTreeMap::new() }
    }

    /// Runs a bus until each of its points has a sample.
    async fn run(&mut self, plan: &Bus, stream: AnyStream, limit: Duration) -> Result<(), Failure> {
        let (tx, mut batches) = mpsc::channel(QUEUE);
        let dial = Handed { first: Some(stream), further: AnyDial::of(&plan.link) };
        let ids = |address: &_| self.catalogue.find(address);
        let mut missing: BTreeSet<PointId> =
            plan.devices.iter().flat_map(|d| &d.registers).filter_map(|r| ids(&r.point)).collect();
        let clock = self.clock.clone();
        let bus = modbus::Bus::build_over(dial, plan, &ids, Memory::default(), clock, tx, &Metrics::new());
        let bus = bus.map_err(|error| Failure::Configuration(format!("error: {error}")))?;
        let stop = CancellationToken::new();
        let taking = async {
            while let Some(batch) = if missing.is_empty() { None } else { batches.recv().await } {
                for sample in &batch.samples {
                    missing.remove(&sample.point);
                }
                self.take(batch);
            }
            stop.cancel();
        };
        let both = async { tokio::join!(bus.run(stop.clone()), taking) };
        // Whoever has no sample by then is stated.
        let _done_or_late = tokio::time::timeout(limit, both).await;
        Ok(())
    }

    /// A bus waits less for a device once it knows its pace, and asks again in the next cycle what
    /// took longer. Here there is no next cycle: what timed out beside answers gets a second
    /// chance with the whole timeout.
    async fn run_again(&mut self, plan: &Bus, limit: Duration) -> Result<(), Failure> {
        let is_late = |fault: &Option<Fault>| *fault == Some(Fault::Timeout);
        let late = self.seen.values().filter(|(_, fault)| is_late(fault)).count();
        if late == 0 || late == self.seen.len() {
            return Ok(());
        }
        let mut again = plan.clone();
        for device in &mut again.devices {
            device.registers.retain(|register| {
                let id = self.catalogue.find(&register.point);
                id.and_then(|id| self.seen.get(&id)).is_some_and(|(_, fault)| is_late(fault))
            });
        }
        match connect(&plan.link).await {
            Ok(stream) => self.run(&again, stream, limit).await,
            // What was read stays read.
            Err(_) => Ok(()),
        }
    }

    fn take(&mut self, batch: FieldBatch) {
        let faults: BTreeMap<PointId, Option<Fault>> =
            batch.samples.iter().map(|sample| (sample.point, sample.raw.clone().err())).collect();
        let texts = &mut self.texts;
        let outcome = self.engine.step(batch, self.clock.now(), &mut |word| texts.number(word));
        for reading in outcome.history.iter().flat_map(|batch| &batch.readings) {
            let fault = faults.get(&reading.point).copied().flatten();
            self.seen.insert(reading.point, (*reading, fault));
        }
    }

    /// Says of each point without a sample why it has none.
    fn state_the_rest(&mut self, fault: Fault) {
        let now = self.clock.utc();
        let missing = self.ids.iter().filter(|id| !self.seen.contains_key(id));
        let samples: Vec<Sample> = missing.map(|id| Sample { point: *id, raw: Err(fault) }).collect();
        if samples.is_empty() {
            return;
        }
        self.take(FieldBatch {
            device: "device".into(),
            at: now,
            at_error_ms: 0,
            source_at: None,
            received_at: now,
            samples,
            ack: None,
        });
    }
}

impl Texts {
    fn number(&mut self, word: &str) -> Option<TextId> {
        let id = u32::try_from(self.words.len()).ok()?;
        self.words.push(word.to_owned());
        Some(TextId(id))
    }
}
