//! `/api/v1/points/{asset}/{quantity}/making`: how the newest reading of a point came about.

use super::points::find;
use crate::api::buses::BusNow;
use crate::api::error::{ApiError, Failure};
use crate::api::extract::Path;
use crate::api::plant::PlantPoint;
use crate::api::state::AppState;
use crate::api::viewer::Viewer;
use crate::api::wire::{NumberWire, ReadingWire, ValueWire};
use crate::config::{self, Table};
use crate::field::mqtt::RETAINED_ERROR_MS;
use crate::field::{Fault, Raw};
use crate::historian::Texts;
use crate::point::{Address, PointId, Quality, Reading, Reason, Value};
use crate::readings::inspect;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

/// How the newest reading of a point came about.
#[derive(Debug, Serialize, ToSchema)]
pub struct Making {
    /// The server's time, UTC milliseconds.
    now: i64,
    /// Address of the point.
    point: String,
    /// Where its raw values come from; null where that is not known yet.
    #[schema(required)]
    source: Option<Source>,
    /// What its source sent last; null before the first.
    #[schema(required)]
    sample: Option<MakingSample>,
    /// The way from the raw number to the value, in order; ends where there is no value.
    steps: Vec<MakingStep>,
    /// What the value was asked, in the order in which a reason wins.
    checks: Vec<MakingCheck>,
    /// The newest reading that counts.
    #[schema(required)]
    reading: Option<ReadingWire>,
    /// When something new was last heard of it: so long ago, in milliseconds; null for a derived point.
    #[schema(required)]
    heard_ago_ms: Option<u64>,
    /// What of it is in the history.
    history: MakingHistory,
    /// Counts since the start of plantroom; null for a derived point.
    #[schema(required)]
    counts: Option<MakingCounts>,
}

/// Where raw values come from.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[schema(as = MakingSource)]
pub enum Source {
    /// A register of a Modbus device.
    Device {
        /// The line.
        bus: String,
        /// The device.
        device: String,
        /// Modbus unit id.
        unit: u8,
        /// Table of the register.
        #[schema(example = "holding")]
        table: &'static str,
        /// Zero-based protocol address.
        address: u16,
        /// What its bits are.
        #[serde(rename = "type")]
        #[schema(example = "u16")]
        encoding: String,
        /// How often it is read, milliseconds.
        interval_ms: u64,
        /// Whether a driver works on the line.
        running: bool,
        /// Whether there is a connection.
        connected: bool,
        /// The device did not answer and is only probed until it does.
        demoted: bool,
        /// Cycles in a row without any value.
        consecutive_failures: u32,
    },
    /// Messages of a broker.
    Broker {
        /// The broker.
        broker: String,
        /// Host and port.
        address: String,
        /// Those of its topics that have the point, as the configuration has them.
        topics: Vec<String>,
        /// Whether a source listens.
        running: bool,
        /// Whether there is a connection.
        connected: bool,
    },
    /// Other points: it is derived from them.
    Formula {
        /// The expression.
        formula: String,
    },
}

/// A raw sample with where and when it came from.
#[derive(Debug, Serialize, ToSchema)]
pub struct MakingSample {
    /// The number, flag or word as the source has it; null if there is none.
    value: ValueWire,
    /// Why there is none.
    #[schema(required, example = "timeout")]
    fault: Option<&'static str>,
    /// The Modbus exception code the device answered with.
    #[schema(required)]
    exception: Option<u8>,
    /// The source itself doubts it.
    doubted: bool,
    /// The device or broker.
    device: String,
    /// The source's own stamp, UTC milliseconds; null where it sent none.
    #[schema(required)]
    source_at: Option<i64>,
    /// When plantroom had it, UTC milliseconds.
    received_at: i64,
    /// How far plantroom's own stamp may be off, in milliseconds; null if it may be of any age.
    #[schema(required)]
    at_error_ms: Option<u32>,
    /// What became of it.
    fate: SampleFate,
}

/// What became of a sample.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SampleFate {
    /// It is the current reading.
    Current,
    /// Older than what was current: in the history only.
    Late,
    /// It had come before.
    Duplicate,
}

/// A step from the raw number to the value.
#[derive(Debug, Serialize, ToSchema)]
pub struct MakingStep {
    /// What is done.
    kind: StepKind,
    /// The result.
    value: ValueWire,
    /// What it is multiplied by or moved by.
    #[schema(required)]
    by: Option<NumberWire>,
    /// The unit it comes in, UCUM.
    #[schema(required)]
    from: Option<String>,
    /// The unit it is turned into, UCUM.
    #[schema(required)]
    to: Option<String>,
    /// The lower end it is held at.
    #[schema(required)]
    low: Option<NumberWire>,
    /// The upper end it is held at.
    #[schema(required)]
    high: Option<NumberWire>,
    /// Counts at which the register begins again.
    #[schema(required)]
    modulus: Option<u64>,
}

/// Kinds of steps.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// The raw number or flag, as a value.
    Raw,
    /// Multiplied.
    Scaled,
    /// Moved.
    Offset,
    /// From one unit into another.
    Converted,
    /// Held at an end it was beyond.
    Clamped,
    /// Counted on beyond the register's end.
    Counted,
}

/// A question asked of a value.
#[derive(Debug, Serialize, ToSchema)]
pub struct MakingCheck {
    /// Which.
    #[schema(example = "range")]
    rule: &'static str,
    /// What is allowed, in the point's unit: `0 .. 1.6`, `15000 ms`, `5 / 60000 ms`.
    #[schema(required)]
    limit: Option<String>,
    /// What was found, in the same spelling; or a sentence in English.
    #[schema(required)]
    saw: Option<String>,
    /// The answer.
    verdict: CheckVerdict,
}

/// Answers to a check.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckVerdict {
    /// Nothing against it.
    Passed,
    /// This is a reason to doubt it.
    Failed,
    /// Not asked of this point.
    NotConfigured,
    /// There was no value to ask.
    NotReached,
}

/// What of the last reading is in the history.
#[derive(Debug, Serialize, ToSchema)]
pub struct MakingHistory {
    /// What became of it.
    kind: HistoryKind,
    /// What was kept last, where the newest is held back.
    #[schema(required)]
    kept: Option<ReadingWire>,
    /// What is held back.
    #[schema(required)]
    held: Option<ReadingWire>,
}

/// What becomes of readings on their way to the history.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HistoryKind {
    /// The point keeps everything.
    Everything,
    /// It was kept.
    Kept,
    /// Too near to what was kept last, or too soon after it.
    HeldBack,
}

/// What a point has had since the start.
#[derive(Debug, Serialize, ToSchema)]
pub struct MakingCounts {
    /// Readings made, late ones included.
    readings: u32,
    /// Those without a value.
    bad: u32,
    /// Those held back from the history.
    held_back: u32,
    /// Samples that came again, dropped.
    duplicates: u32,
    /// Readings older than what was current.
    late: u32,
}

/// Get how the newest reading of a point came about
#[utoipa::path(
    get,
    path = "/api/v1/points/{asset}/{quantity}/making",
    tag = "plant",
    params(("asset" = String, Path, description = "First part of the address"), ("quantity" = String, Path, description = "Second part of the address")),
    responses((status = 200, body = Making), Failure)
)]
pub async fn get_making(
    _viewer: Viewer,
    State(state): State<AppState>,
    Path(path): Path<(String, String)>,
) -> Result<Json<Making>, ApiError> {
    let point = find(&state, &path)?;
    let address = &point.plan.address;
    if let Some(formula) = &point.formula {
        return Ok(Json(Making::derived(&state, &point, formula.clone())));
    }
    let told = state.inspector().explain(point.id).await;
    // A reload may have taken it out meanwhile.
    let told = told.ok_or_else(|| super::points::unknown(&address.to_string()))?;
    let texts = state.texts();
    let sender = told.sample.as_ref().map(|sample| &*sample.device);
    Ok(Json(Making {
        now: state.clock().utc().0,
        point: address.to_string(),
        source: Source::of(&state, address, sender),
        sample: told.sample.as_ref().map(|sample| MakingSample::of(sample, texts)),
        steps: told.steps.iter().map(|step| MakingStep::of(step, texts)).collect(),
        checks: told.checks.into_iter().map(MakingCheck::from).collect(),
        reading: by_hand(&state, point.id).or(told.reading).map(|reading| ReadingWire::of(&reading, texts)),
        heard_ago_ms: Some(told.heard_ago_ms),
        history: MakingHistory::of(&told.history, texts),
        counts: Some(told.counts.into()),
    }))
}

/// What a person has put in the place of what the source says.
fn by_hand(state: &AppState, point: PointId) -> Option<Reading> {
    let reading = state.current().get(point)?.reading;
    (reading.quality == Quality::Uncertain(Reason::Substituted)).then_some(reading)
}

impl Making {
    /// A derived point has no sample of its own: what it is made of is in its formula.
    fn derived(state: &AppState, point: &PlantPoint, formula: String) -> Making {
        let newest = state.current().get(point.id);
        Making {
            now: state.clock().utc().0,
            point: point.plan.address.to_string(),
            source: Some(Source::Formula { formula }),
            sample: None,
            steps: Vec::new(),
            checks: Vec::new(),
            reading: newest.map(|value| ReadingWire::of(&value.reading, state.texts())),
            heard_ago_ms: None,
            history: MakingHistory::of(&inspect::Kept::Everything, state.texts()),
            counts: None,
        }
    }
}

impl Source {
    /// By the plan: a register feeds the point, or a broker may. `sender` is who spoke last.
    fn of(state: &AppState, address: &Address, sender: Option<&str>) -> Option<Source> {
        let mut buses = state.buses().read().into_iter();
        buses
            .find_map(|bus| Source::of_bus(&bus, address))
            .or_else(|| Source::of_broker(state, address, sender))
    }

    fn of_bus(bus: &BusNow, address: &Address) -> Option<Source> {
        let registers = bus
            .plan
            .devices
            .iter()
            .flat_map(|device| device.registers.iter().map(move |register| (device, register)));
        let (device, register) = registers.into_iter().find(|(_, register)| register.point == *address)?;
        let devices = bus.status.iter().flat_map(|status| &status.devices);
        let told = devices.into_iter().find(|told| *told.device == *device.id.as_str());
        Some(Source::Device {
            bus: bus.plan.id.to_string(),
            device: device.id.to_string(),
            unit: device.unit,
            table: table_word(register.cell.table),
            address: register.cell.address,
            encoding: register.cell.encoding.to_string(),
            interval_ms: register.interval_ms,
            running: bus.running,
            connected: bus.status.as_ref().is_some_and(|status| status.connected),
            demoted: told.is_some_and(|told| told.demoted),
            consecutive_failures: told.map_or(0, |told| told.consecutive_failures),
        })
    }

    /// The broker whose topics have the point; of several the one that spoke last.
    fn of_broker(state: &AppState, address: &Address, sender: Option<&str>) -> Option<Source> {
        let feeds = |topic: &config::Topic| {
            let own = |value: &config::TopicValue| {
                value.quantity == address.quantity && value.assets.contains(&address.asset)
            };
            topic.values.iter().any(own)
        };
        let mut brokers: Vec<_> = state.brokers().read();
        brokers.retain(|broker| broker.plan.topics.iter().any(feeds));
        let spoke = brokers.iter().position(|broker| Some(broker.plan.id.as_str()) == sender);
        let broker = brokers.into_iter().nth(spoke.unwrap_or(0))?;
        let topics = broker.plan.topics.iter().filter(|topic| feeds(topic));
        Some(Source::Broker {
            broker: broker.plan.id.to_string(),
            address: format!("{}:{}", broker.plan.host, broker.plan.port),
            topics: topics.map(|topic| topic.pattern.to_string()).collect(),
            running: broker.running,
            connected: broker.status.is_some_and(|status| status.connected),
        })
    }
}

fn table_word(table: Table) -> &'static str {
    match table {
        Table::Coil => "coil",
        Table::Discrete => "discrete",
        Table::Holding => "holding",
        Table::Input => "input",
    }
}

impl MakingSample {
    fn of(sample: &inspect::Sampled, texts: &Texts) -> MakingSample {
        let (value, doubted) = match &sample.raw {
            Ok(Raw::Doubted(raw)) => (raw_value(raw, texts), true),
            Ok(raw) => (raw_value(raw, texts), false),
            Err(_) => (ValueWire::of(None, texts), false),
        };
        let fault = sample.raw.as_ref().err().copied();
        MakingSample {
            value,
            fault: fault.map(fault_word),
            exception: match fault {
                Some(Fault::Exception(code)) => Some(code),
                _ => None,
            },
            doubted,
            device: sample.device.to_string(),
            source_at: sample.source_at.map(|at| at.0),
            received_at: sample.received_at.0,
            at_error_ms: Some(sample.at_error_ms).filter(|error| *error != RETAINED_ERROR_MS),
            fate: match sample.fate {
                inspect::Fate::Current => SampleFate::Current,
                inspect::Fate::Late => SampleFate::Late,
                inspect::Fate::Duplicate => SampleFate::Duplicate,
            },
        }
    }
}

/// A raw value as it came.
pub(super) fn raw_value(raw: &Raw, texts: &Texts) -> ValueWire {
    match raw {
        Raw::Value(value) => ValueWire::of(Some(*value), texts),
        Raw::Text(word) => ValueWire::word(word),
        Raw::Doubted(raw) => raw_value(raw, texts),
    }
}

/// The stable word of a fault.
pub(super) fn fault_word(fault: Fault) -> &'static str {
    match fault {
        Fault::Timeout => "timeout",
        Fault::NoConnection => "no_connection",
        Fault::Exception(_) => "exception",
        Fault::Malformed => "malformed",
        Fault::Decoding => "decoding",
        Fault::Sensor => "sensor",
        Fault::NotAvailable => "not_available",
        Fault::OutOfRange => "out_of_range",
    }
}

impl MakingStep {
    fn of(step: &inspect::Step, texts: &Texts) -> MakingStep {
        use inspect::Step;
        let plain = |kind, value: Value| MakingStep {
            kind,
            value: ValueWire::of(Some(value), texts),
            by: None,
            from: None,
            to: None,
            low: None,
            high: None,
            modulus: None,
        };
        match *step {
            Step::Raw(value) => plain(StepKind::Raw, value),
            Step::Scaled { by, value } => {
                MakingStep { by: Some(by.into()), ..plain(StepKind::Scaled, value) }
            }
            Step::Offset { by, value } => {
                MakingStep { by: Some(by.into()), ..plain(StepKind::Offset, value) }
            }
            Step::Converted { from, to, value } => {
                let (from, to) = (Some(from.to_string()), Some(to.to_string()));
                MakingStep { from, to, ..plain(StepKind::Converted, value) }
            }
            Step::Clamped { low, high, value } => {
                let (low, high) = (Some(low.into()), Some(high.into()));
                MakingStep { low, high, ..plain(StepKind::Clamped, value) }
            }
            Step::Counted { modulus, value } => {
                MakingStep { modulus: Some(modulus), ..plain(StepKind::Counted, value) }
            }
        }
    }
}

impl From<inspect::Check> for MakingCheck {
    fn from(check: inspect::Check) -> MakingCheck {
        use inspect::{Rule, Verdict};
        MakingCheck {
            rule: match check.rule {
                Rule::Answer => "answer",
                Rule::Source => "source",
                Rule::Range => "range",
                Rule::States => "states",
                Rule::Counter => "counter",
                Rule::UnitJump => "unit_jump",
                Rule::Rate => "rate",
                Rule::Frozen => "frozen",
                Rule::Clock => "clock",
                Rule::Stale => "stale",
            },
            limit: check.limit,
            saw: check.saw,
            verdict: match check.verdict {
                Verdict::Passed => CheckVerdict::Passed,
                Verdict::Failed => CheckVerdict::Failed,
                Verdict::NotConfigured => CheckVerdict::NotConfigured,
                Verdict::NotReached => CheckVerdict::NotReached,
            },
        }
    }
}

impl MakingHistory {
    fn of(kept: &inspect::Kept, texts: &Texts) -> MakingHistory {
        let wire = |reading: &crate::point::Reading| ReadingWire::of(reading, texts);
        match kept {
            inspect::Kept::Everything => {
                MakingHistory { kind: HistoryKind::Everything, kept: None, held: None }
            }
            inspect::Kept::Kept => MakingHistory { kind: HistoryKind::Kept, kept: None, held: None },
            inspect::Kept::HeldBack { kept, held } => MakingHistory {
                kind: HistoryKind::HeldBack,
                kept: kept.as_ref().map(wire),
                held: Some(wire(held)),
            },
        }
    }
}

impl From<inspect::Counts> for MakingCounts {
    fn from(counts: inspect::Counts) -> MakingCounts {
        let inspect::Counts { readings, bad, held_back, duplicates, late } = counts;
        MakingCounts { readings, bad, held_back, duplicates, late }
    }
}
