//! `/api/v1/status`: how the gateway is, from the devices to the disk.

use super::assets::Protocol;
use super::health::Report;
use crate::api::buses::BusNow;
use crate::api::error::{ApiError, Failure};
use crate::api::model::Counted;
use crate::api::plant::PointSource;
use crate::api::state::AppState;
use crate::api::targets::TargetNow;
use crate::api::viewer::Viewer;
use crate::config;
use crate::field::modbus::DeviceStatus;
use crate::field::mqtt;
use crate::forward;
use crate::historian;
use crate::point::Severity;
use crate::telemetry::Process;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How the gateway is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Status {
    /// The server's time, UTC milliseconds.
    now: i64,
    /// When this process began to serve, UTC milliseconds.
    started_at: i64,
    /// How long ago that is by the clock that is never set. Milliseconds.
    uptime_ms: u64,
    /// Version of plantroom.
    version: &'static str,
    /// Names the build of the page.
    build: String,
    /// What plantroom takes of the machine.
    process: ProcessStatus,
    /// The wall clock.
    clock: ClockStatus,
    /// Every part that reported whether it can do its work.
    parts: Vec<Report>,
    /// What is polled and what sends, in the order of the configuration.
    devices: Vec<DeviceRow>,
    /// The making of readings.
    readings: ReadingsStatus,
    /// The history.
    historian: HistorianStatus,
    /// Where readings are forwarded to, in the order of the configuration.
    forward: Vec<TargetRow>,
}

/// What plantroom takes of the machine; null where the system does not tell.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProcessStatus {
    /// Part of one core over the last minute: 1 is a whole core.
    #[schema(required)]
    cpu_share: Option<f64>,
    /// Time on any core since the start. Milliseconds.
    #[schema(required)]
    cpu_ms: Option<u64>,
    /// Memory in RAM. Bytes.
    #[schema(required)]
    rss_bytes: Option<u64>,
}

/// The wall clock against the clock that is never set.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClockStatus {
    /// IANA zone of the site.
    zone: String,
    /// By how much the wall clock was moved since the start, by steps and by slewing. Milliseconds.
    moved_ms: i64,
    /// How often it was set back by more than 2 s since the start.
    steps: u64,
}

/// A device on a line, or a broker.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeviceRow {
    /// How it speaks.
    protocol: Protocol,
    /// Id of the line, or of the broker.
    bus: String,
    /// Id of the device; null for a broker.
    #[schema(required)]
    device: Option<String>,
    /// How it is.
    state: DeviceState,
    /// How many points it feeds.
    points: usize,
    /// How often it is read, its fastest points. Milliseconds; null for a broker.
    #[schema(required)]
    interval_ms: Option<u64>,
    /// How long it took to read it, in half of its last 128 cycles at most. Milliseconds.
    #[schema(required)]
    poll_p50_ms: Option<u64>,
    /// The same for nineteen of twenty; above `interval_ms` it cannot keep up. Milliseconds.
    #[schema(required)]
    poll_p95_ms: Option<u64>,
    /// How long it usually takes to answer, beside the time on the wire. Milliseconds.
    #[schema(required)]
    latency_ms: Option<f64>,
    /// Requests without an answer in time since the start; null for a broker.
    #[schema(required)]
    timeouts: Option<u64>,
    /// Cycles in a row without any value; null for a broker.
    #[schema(required)]
    consecutive_failures: Option<u32>,
    /// When it last gave a value, a broker its last message, UTC milliseconds.
    #[schema(required)]
    last_good_at: Option<i64>,
    /// Messages since the start; null for a device.
    #[schema(required)]
    messages: Option<u64>,
    /// How far its points may be trusted now.
    quality: QualityCount,
}

/// How a device or a broker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeviceState {
    /// It gives what it is asked for.
    Good,
    /// It has given nothing yet.
    Waiting,
    /// Reading it takes longer than its interval.
    Late,
    /// Its last cycle gave no value.
    Failing,
    /// It does not answer and is only probed until it does; of a broker: no message for too long.
    Silent,
    /// There is no connection.
    Disconnected,
    /// Nobody works on it; one that failed is made anew in a moment.
    Stopped,
}

/// How many points have a value of which quality.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
pub struct QualityCount {
    /// In range and in time.
    good: usize,
    /// There is a value, in doubt.
    uncertain: usize,
    /// There is no value.
    bad: usize,
}

/// What was counted of the making of readings since the start.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReadingsStatus {
    /// Made, marks of silence included.
    made: u64,
    /// Made with quality Uncertain.
    uncertain: u64,
    /// Made with quality Bad.
    bad: u64,
    /// Older than what was current.
    late: u64,
    /// Came again and were dropped.
    duplicates: u64,
    /// Not kept in the history, as configured.
    held_back: u64,
    /// The history could not take them in time.
    lost: u64,
    /// Batches that wait for the history now.
    spool: i64,
    /// Time spent waiting for the alarms. Milliseconds.
    alarms_wait_ms: u64,
}

/// The history.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistorianStatus {
    /// Number of the last batch on disk.
    committed: u64,
    /// Number of the last batch that is in the year files; those behind it are in the journal.
    sealed_up_to: u64,
    /// Group commits since the start.
    commits: u64,
    /// Readings on disk since the start.
    readings: u64,
    /// Bytes of records on disk since the start.
    bytes: u64,
    /// What its files take on the disk. Bytes.
    disk_bytes: u64,
    /// Readings that were sealed since the start.
    sealed: u64,
    /// Readings that never arrived in it since the start.
    lost: u64,
    /// Damaged records met while reading since the start.
    damaged: u64,
    /// What was given up for want of room.
    #[schema(required)]
    shed_bytes: Option<u64>,
}

/// A target readings are forwarded to.
#[derive(Debug, Serialize, ToSchema)]
pub struct TargetRow {
    /// Its id.
    target: String,
    /// Its host.
    host: String,
    /// How it is.
    state: TargetState,
    /// Why it does not take lines, in English; null while it does.
    #[schema(required)]
    reason: Option<String>,
    /// Records of the history that it does not have yet.
    backlog: i64,
    /// Age of the oldest of them. Milliseconds.
    oldest_ms: i64,
    /// Until it has all of them at the pace of the last minute; null while they become no fewer. Milliseconds.
    #[schema(required)]
    drain_ms: Option<u64>,
    /// Lines it took since the start.
    lines_sent: u64,
    /// Lines in the dead-letter file since the start.
    lines_rejected: u64,
    /// Requests that were sent again since the start.
    retries: u64,
    /// When it last took lines, UTC milliseconds; null if it took none since the start.
    #[schema(required)]
    last_success_at: Option<i64>,
}

/// How a target is.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TargetState {
    /// It takes what it is sent.
    Good,
    /// It does not answer or asked to wait.
    Waiting,
    /// It refuses every request: a person is needed.
    Held,
    /// Nobody forwards to it; a lane that failed is made anew in a moment.
    Stopped,
}

/// Get how the gateway is
#[utoipa::path(get, path = "/api/v1/status", tag = "health", responses((status = 200, body = Status), Failure))]
pub async fn get_status(_viewer: Viewer, State(state): State<AppState>) -> Result<Json<Status>, ApiError> {
    let now = state.clock().now();
    let started = state.started();
    let uptime_ms = now.mono.since_ms(started.mono);
    let history = state.history().status().await?;
    Ok(Json(Status {
        now: now.utc.0,
        started_at: started.utc.0,
        uptime_ms,
        version: env!("CARGO_PKG_VERSION"),
        build: state.build().to_owned(),
        process: process(&state, Process::now(), now.mono.0),
        clock: ClockStatus {
            zone: state.plant().zone_name().to_owned(),
            moved_ms: now
                .utc
                .since_ms(started.utc)
                .saturating_sub(i64::try_from(uptime_ms).unwrap_or(i64::MAX)),
            steps: state.readings().clock_steps.get(),
        },
        parts: Report::all(&state),
        devices: devices(&state),
        readings: readings(&state),
        historian: historian_status(&history),
        forward: state.targets().read().map(|target| TargetRow::of(&target)).collect(),
    }))
}

fn process(state: &AppState, process: Option<Process>, mono_ms: u64) -> ProcessStatus {
    let cpu_share = process.and_then(|process| state.cpu_share(mono_ms, process.cpu_ms));
    ProcessStatus {
        cpu_share,
        cpu_ms: process.map(|process| process.cpu_ms),
        rss_bytes: process.map(|process| process.rss_bytes),
    }
}

fn readings(state: &AppState) -> ReadingsStatus {
    let counted = state.readings();
    ReadingsStatus {
        made: counted.made.get(),
        uncertain: counted.uncertain.get(),
        bad: counted.bad.get(),
        late: counted.late.get(),
        duplicates: counted.duplicates.get(),
        held_back: counted.held_back.get(),
        lost: counted.lost.get(),
        spool: counted.historian_waiting.get(),
        alarms_wait_ms: counted.alarms_wait_ms.get(),
    }
}

fn historian_status(history: &historian::Status) -> HistorianStatus {
    HistorianStatus {
        committed: history.head.0,
        sealed_up_to: history.sealed_up_to.0,
        commits: history.commits,
        readings: history.readings,
        bytes: history.bytes,
        disk_bytes: history.disk_bytes,
        sealed: history.sealed,
        lost: history.lost,
        damaged: history.damaged,
        shed_bytes: history.shed.map(|shed| shed.bytes),
    }
}

/// Devices line by line, then brokers.
fn devices(state: &AppState) -> Vec<DeviceRow> {
    let plant = state.plant();
    let (sources, points) = plant.model().sources();
    let counts: BTreeMap<&PointSource, QualityCount> =
        sources.iter().zip(qualities(state, points, sources.len())).collect();
    let mut rows = Vec::new();
    for bus in state.buses().read() {
        for device in &bus.plan.devices {
            let source = PointSource::Modbus { bus: bus.plan.id.clone(), device: device.id.clone() };
            rows.push(DeviceRow::polled(&bus, device, counts.get(&source).copied().unwrap_or_default()));
        }
    }
    for broker in state.brokers().read() {
        let source = PointSource::Mqtt { broker: broker.plan.id.clone() };
        let quality = counts.get(&source).copied().unwrap_or_default();
        rows.push(DeviceRow::sent(&broker.plan, broker.status.as_ref().filter(|_| broker.running), quality));
    }
    rows
}

/// One pass over the newest values, in the order they lie in.
fn qualities(state: &AppState, points: &Counted, sources: usize) -> Vec<QualityCount> {
    let mut counts = vec![QualityCount::default(); sources];
    state.current().visit(&points.ids, |place, value| {
        let Some(count) = points.of.get(place).and_then(|source| counts.get_mut(*source)) else { return };
        match value.map_or(Severity::Bad, |value| value.reading.quality.severity()) {
            Severity::Good => count.good += 1,
            Severity::Uncertain => count.uncertain += 1,
            Severity::Bad => count.bad += 1,
        }
    });
    counts
}

impl DeviceRow {
    fn polled(bus: &BusNow, plan: &config::Device, quality: QualityCount) -> DeviceRow {
        let told = bus.status.as_ref();
        let connected = told.is_some_and(|status| status.connected);
        let status =
            told.and_then(|status| status.devices.iter().find(|device| &*device.device == plan.id.as_str()));
        let interval_ms = plan.registers.iter().map(|register| register.interval_ms).min();
        #[expect(clippy::cast_precision_loss, reason = "a latency for a person, within 2^53")]
        let latency_ms = |us: u64| us as f64 / 1_000.0;
        DeviceRow {
            protocol: Protocol::Modbus,
            bus: bus.plan.id.to_string(),
            device: Some(plan.id.to_string()),
            state: polled_state(bus.running, connected, status, interval_ms),
            points: plan.registers.len(),
            interval_ms,
            poll_p50_ms: status.and_then(|status| status.took).map(|took| took.p50_ms),
            poll_p95_ms: status.and_then(|status| status.took).map(|took| took.p95_ms),
            latency_ms: status.and_then(|status| status.latency_us).map(latency_ms),
            timeouts: Some(status.map_or(0, |status| status.timeouts)),
            consecutive_failures: Some(status.map_or(0, |status| status.consecutive_failures)),
            last_good_at: status.and_then(|status| status.last_good_at).map(|at| at.0),
            messages: None,
            quality,
        }
    }

    /// `status` is none while no source listens.
    fn sent(plan: &config::Broker, status: Option<&mqtt::Status>, quality: QualityCount) -> DeviceRow {
        let state = match status {
            None => DeviceState::Stopped,
            Some(status) if !status.connected => DeviceState::Disconnected,
            Some(status) if status.silent_since.is_some() => DeviceState::Silent,
            Some(status) if status.last_message_at.is_none() => DeviceState::Waiting,
            Some(_) => DeviceState::Good,
        };
        DeviceRow {
            protocol: Protocol::Mqtt,
            bus: plan.id.to_string(),
            device: None,
            state,
            points: quality.good + quality.uncertain + quality.bad,
            interval_ms: None,
            poll_p50_ms: None,
            poll_p95_ms: None,
            latency_ms: None,
            timeouts: None,
            consecutive_failures: None,
            last_good_at: status.and_then(|status| status.last_message_at).map(|at| at.0),
            messages: Some(status.map_or(0, |status| status.messages)),
            quality,
        }
    }
}

/// The worst that can be said of a device on a line.
fn polled_state(
    running: bool,
    connected: bool,
    status: Option<&DeviceStatus>,
    interval_ms: Option<u64>,
) -> DeviceState {
    let Some(status) = status.filter(|_| running) else { return DeviceState::Stopped };
    let late = status.took.zip(interval_ms).is_some_and(|(took, interval_ms)| took.p95_ms > interval_ms);
    match status {
        _ if !connected => DeviceState::Disconnected,
        DeviceStatus { demoted: true, .. } => DeviceState::Silent,
        DeviceStatus { consecutive_failures: 1.., .. } => DeviceState::Failing,
        DeviceStatus { last_good_at: None, .. } => DeviceState::Waiting,
        _ if late => DeviceState::Late,
        _ => DeviceState::Good,
    }
}

impl TargetRow {
    fn of(target: &TargetNow<'_>) -> TargetRow {
        let (state, reason) = match &target.status {
            None => (TargetState::Stopped, None),
            Some(forward::Status::Well) => (TargetState::Good, None),
            Some(forward::Status::Waiting(reason)) => (TargetState::Waiting, Some(reason.clone())),
            Some(forward::Status::Held(reason)) => (TargetState::Held, Some(reason.clone())),
        };
        let counted = target.counted;
        let taken = counted.last_success_seconds.get();
        TargetRow {
            target: target.id.to_string(),
            host: target.host.to_owned(),
            state,
            reason,
            backlog: counted.lag_records.get(),
            oldest_ms: counted.lag_seconds.get().saturating_mul(1_000),
            drain_ms: u64::try_from(counted.drain_seconds.get()).ok().map(|seconds| seconds * 1_000),
            lines_sent: counted.lines_sent.get(),
            lines_rejected: counted.lines_rejected.get(),
            retries: counted.retries.get(),
            last_success_at: (taken > 0).then(|| taken.saturating_mul(1_000)),
        }
    }
}
