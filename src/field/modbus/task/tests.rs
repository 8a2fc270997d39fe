//! A bus against servers with every habit, on paused time.

use super::super::line_model::{Act, Asked, Dice, Direction, Order, register, serve};
use super::super::serial_model::serve_rtu;
use super::*;
use crate::config::{Cell, DeviceLimits, Encoding, Register, Table};
use crate::field::Raw;
use crate::point::{Decimal, UtcMs, Value};
use std::io;
use std::sync::Mutex;
use tokio::io::DuplexStream;
use tokio_util::task::TaskTracker;

const START: UtcMs = UtcMs(1_763_700_000_000);

type Script = Arc<Mutex<dyn FnMut(Asked) -> Direction + Send>>;

/// How long a connection takes to be made; none is refused.
type Reach = Arc<Mutex<Option<Duration>>>;

/// Dials the model.
struct ModelDial {
    script: Script,
    reach: Reach,
    servers: TaskTracker,
}

impl Dial for ModelDial {
    type Stream = DuplexStream;

    async fn dial(&mut self) -> io::Result<DuplexStream> {
        let reach = *self.reach.lock().unwrap();
        tokio::time::sleep(reach.ok_or(io::ErrorKind::ConnectionRefused)?).await;
        let (ours, theirs) = tokio::io::duplex(4096);
        let script = Arc::clone(&self.script);
        self.servers.spawn(serve(theirs, Order::Serial, move |asked| script.lock().unwrap()(asked)));
        Ok(ours)
    }
}

/// A bus on the model, and what a test needs of it.
struct Rig<D = ModelDial> {
    bus: Bus<D>,
    clock: Clock,
    batches: mpsc::Receiver<FieldBatch>,
    reach: Reach,
    metrics: BusMetrics,
    status: StatusHandle,
}

fn rig(plan: &config::Bus, room: usize, script: impl FnMut(Asked) -> Direction + Send + 'static) -> Rig {
    remembering(plan, room, Memory::default(), script)
}

fn remembering(
    plan: &config::Bus,
    room: usize,
    memory: Memory,
    script: impl FnMut(Asked) -> Direction + Send + 'static,
) -> Rig {
    let reach = Arc::new(Mutex::new(Some(Duration::ZERO)));
    let dial = ModelDial {
        script: Arc::new(Mutex::new(script)),
        reach: Arc::clone(&reach),
        servers: TaskTracker::new(),
    };
    let (tx, batches) = mpsc::channel(room);
    let clock = Clock::starting_at(START);
    let metrics = Metrics::new();
    let bus = Bus::build_over(dial, plan, &point_of, memory, clock.clone(), tx, &metrics).unwrap();
    let status = bus.status();
    Rig { bus, clock, batches, reach, metrics: metrics.of_bus("model"), status }
}

impl<D: Dial> Rig<D> {
    /// Runs the bus beside `body` and stops it after it.
    async fn run<T>(self, body: impl AsyncFnOnce(mpsc::Receiver<FieldBatch>, Clock, Reach) -> T) -> T {
        let stop = CancellationToken::new();
        let test = async {
            let outcome = body(self.batches, self.clock, self.reach).await;
            stop.cancel();
            outcome
        };
        tokio::join!(test, self.bus.run(stop.clone())).0
    }
}

/// The points are numbered unit * 1000 + register address.
fn point_of(address: &Address) -> Option<PointId> {
    let unit: u32 = address.asset.as_str().strip_prefix("unit-")?.parse().ok()?;
    let register: u32 = address.quantity.as_str().strip_prefix('r')?.parse().ok()?;
    Some(PointId(unit * 1000 + register))
}

fn device(unit: u8, interval_ms: u64, registers: &[u16]) -> config::Device {
    let register = |address: &u16| {
        let point = format!("unit-{unit}/r{address}").parse().unwrap();
        Register::plain(point, interval_ms, Cell::new(Table::Holding, *address, Encoding::U16))
    };
    config::Device {
        id: format!("device-{unit}").parse().unwrap(),
        unit,
        limits: DeviceLimits::default(),
        zone: jiff::tz::TimeZone::UTC,
        registers: registers.iter().map(register).collect(),
    }
}

fn plan(timeout_ms: u64, devices: Vec<config::Device>) -> config::Bus {
    config::Bus {
        id: "model".parse().unwrap(),
        link: "unused".parse().unwrap(),
        timeout_ms,
        turnaround_ms: 0,
        unit_change_ms: 0,
        devices,
    }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn right(point: PointId) -> Raw {
    let (unit, address) = (u8::try_from(point.0 / 1000).unwrap(), u16::try_from(point.0 % 1000).unwrap());
    let word = register(unit, 3, address);
    Raw::Value(Value::Decimal(Decimal::from_int(i64::from(word))))
}

/// Every sample is the register's own value or one of `faults`; gives the number of values.
fn check(batch: &FieldBatch, faults: &[Fault]) -> usize {
    let mut good = 0;
    for sample in &batch.samples {
        if let Err(fault) = sample.raw {
            assert!(faults.contains(&fault), "{fault:?} {sample:?}");
        } else {
            assert_eq!(sample.raw, Ok(right(sample.point)));
            good += 1;
        }
    }
    good
}

#[tokio::test(start_paused = true)]
async fn a_block_is_stamped_with_the_middle_of_its_request() {
    let rig = rig(&plan(500, vec![device(1, 10_000, &[7, 8, 9])]), 8, |_| (ms(41), Act::Answer));
    let (status, metrics) = (rig.status.clone(), rig.metrics.clone());
    rig.run(async move |mut batches, _, _| {
        let batch = batches.recv().await.unwrap();
        assert_eq!(batch.received_at, START.plus_ms(41));
        assert_eq!((batch.at, batch.at_error_ms), (START.plus_ms(20), 21));
        assert_eq!(&*batch.device, "device-1");
        let points: Vec<_> = batch.samples.iter().map(|sample| sample.point.0).collect();
        assert_eq!((points, check(&batch, &[])), (vec![1007, 1008, 1009], 3));
        // The next one comes on the device's own grid, no later than one interval.
        let next = batches.recv().await.unwrap();
        assert!(next.at.since_ms(batch.at) <= 10_000);
        let after = batches.recv().await.unwrap();
        assert_eq!(after.at.since_ms(next.at), 10_000);
        let seen = status.read();
        assert!(seen.connected);
        assert_eq!(seen.devices[0].last_good_at, Some(after.at));
        assert_eq!((metrics.requests.get(), metrics.replies.get()), (3, 3));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_samples_with_late_replies_and_not_one_is_wrong() {
    let mut delays = Dice(11);
    let devices = (1..=4).map(|unit| device(unit, 200, &[10, 11, 20])).collect();
    // Some are beyond the timeout; the worst of them reach into the requests after the next.
    let script = move |_| {
        let slow = delays.roll(4) == 0;
        (ms(delays.roll(if slow { 70 } else { 12 })), Act::Answer)
    };
    let rig = rig(&plan(30, devices), 64, script);
    let metrics = rig.metrics.clone();
    let (mut good, mut all) = (0, 0);
    rig.run(async |mut batches, _, _| {
        while all < 10_000 {
            let batch = batches.recv().await.unwrap();
            good += check(&batch, &[Fault::Timeout]);
            all += batch.samples.len();
        }
    })
    .await;
    assert!(metrics.late.get() > 500, "{} late", metrics.late.get());
    assert!(good > 7_000, "{good} of {all} good");
    assert_eq!(metrics.reconnects.get(), 0, "late replies are no reason to reconnect");
}

#[tokio::test(start_paused = true)]
async fn a_mute_device_is_demoted_stated_probed_and_comes_back() {
    let alive = Arc::new(Mutex::new(false));
    let is_alive = Arc::clone(&alive);
    let script = move |asked: Asked| {
        let mute = asked.unit == 2 && !*is_alive.lock().unwrap();
        (ms(10), if mute { Act::Silence } else { Act::Answer })
    };
    let devices = (1..=4).map(|unit| device(unit, 1_000, &[5, 50])).collect();
    let rig = rig(&plan(500, devices), 64, script);
    let (status, metrics) = (rig.status.clone(), rig.metrics.clone());
    rig.run(async move |mut batches, clock, _| {
        let mut last = [START; 5];
        let mut gap_max = 0;
        while clock.mono().0 < 180_000 {
            let batch = batches.recv().await.unwrap();
            let unit = usize::try_from(batch.samples[0].point.0 / 1000).unwrap();
            let good = check(&batch, if unit == 2 { &[Fault::Timeout] } else { &[] });
            assert_eq!(good == 0, unit == 2);
            if clock.mono().0 > 5_000 && unit == 2 {
                assert!(batch.received_at.since_ms(last[2]) <= 1_600, "never silent");
            }
            if clock.mono().0 > 5_000 && unit != 2 {
                gap_max = gap_max.max(batch.at.since_ms(last[unit]));
            }
            last[unit] = batch.at;
        }
        assert!(gap_max <= 1_600, "the others are at most one probe late: {gap_max} ms");
        assert!(status.read().devices[1].demoted);
        assert!(status.read().devices[1].consecutive_failures > 100);
        // 2 cycles of 2 requests, then probes: at most 6 of 500 ms in any minute.
        assert!((5..=22).contains(&metrics.timeouts.get()), "{}", metrics.timeouts.get());

        *alive.lock().unwrap() = true;
        let back = loop {
            let batch = batches.recv().await.unwrap();
            if batch.samples[0].point.0 / 1000 == 2 && check(&batch, &[Fault::Timeout]) > 0 {
                break batch.at;
            }
        };
        assert!(back.since_ms(last[2]) <= 301_000, "{} ms", back.since_ms(last[2]));
        assert!(!status.read().devices[1].demoted);
        assert_eq!(metrics.reconnects.get(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn without_a_connection_every_point_says_so_at_its_interval() {
    let rig = rig(&plan(500, vec![device(1, 1_000, &[5, 50])]), 64, |_| (ms(10), Act::Answer));
    let status = rig.status.clone();
    *rig.reach.lock().unwrap() = None;
    rig.run(async move |mut batches, clock, reach| {
        for _ in 0..60 {
            let batch = batches.recv().await.unwrap();
            let points: Vec<_> = batch.samples.iter().map(|sample| sample.point.0).collect();
            assert_eq!((points, check(&batch, &[Fault::NoConnection])), (vec![1005, 1050], 0));
        }
        assert!((58_000..=60_000).contains(&clock.mono().0), "{:?}", clock.mono());
        let seen = status.read();
        assert!(!seen.connected && !seen.devices[0].demoted, "an outage of the host demotes nobody");
        *reach.lock().unwrap() = Some(ms(40));
        while check(&batches.recv().await.unwrap(), &[Fault::NoConnection]) == 0 {}
        assert!(clock.mono().0 <= 60_000 + 31_000);
        assert!(status.read().connected);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_device_read_every_quarter_hour_does_not_wait_for_it_after_an_outage() {
    let plan = plan(500, vec![device(1, 900_000, &[5])]);
    let quick = rig(&plan, 64, |_| (ms(10), Act::Answer));
    *quick.reach.lock().unwrap() = Some(ms(400));
    quick
        .run(async |mut batches, clock, _| {
            assert_eq!(check(&batches.recv().await.unwrap(), &[]), 1, "the first tick waits to be connected");
            assert_eq!(clock.mono().0, 410);
        })
        .await;

    let slow = rig(&plan, 64, |_| (ms(10), Act::Answer));
    *slow.reach.lock().unwrap() = Some(ms(3_000));
    slow.run(async |mut batches, clock, _| {
        assert_eq!(check(&batches.recv().await.unwrap(), &[Fault::NoConnection]), 0);
        assert_eq!(clock.mono().0, CONNECT_GRACE_MS);
        assert_eq!(check(&batches.recv().await.unwrap(), &[]), 1);
        assert_eq!(clock.mono().0, 3_010);
    })
    .await;
}

/// Refuses every request that touches one of these addresses.
fn without(illegal: &'static [u16]) -> impl FnMut(Asked) -> Direction + Send + 'static {
    move |asked| {
        let touched = illegal.iter().any(|at| (asked.start..asked.start + asked.count).contains(at));
        (ms(5), if touched { Act::Exception(2) } else { Act::Answer })
    }
}

const MANY: u16 = 120;
const ILLEGAL: [u16; 3] = [7, 64, 101];

/// Reads so many cycles of a device whose map has three illegal addresses; every point gets a
/// sample in each, and every legal one its value. Gives the refused requests.
async fn cycles_around_holes(cycles: usize, memory: Memory) -> u64 {
    let registers: Vec<u16> = (0..MANY).collect();
    let rig = remembering(&plan(500, vec![device(1, 10_000, &registers)]), 64, memory, without(&ILLEGAL));
    let metrics = rig.metrics.clone();
    rig.run(async |mut batches, _, _| {
        for cycle in 0..cycles {
            let (mut good, mut seen) = (0, std::collections::BTreeSet::new());
            while seen.len() < usize::from(MANY) {
                let batch = batches.recv().await.unwrap();
                good += check(&batch, &[Fault::Exception(2)]);
                for sample in &batch.samples {
                    assert!(seen.insert(sample.point.0), "{sample:?} twice in cycle {cycle}");
                }
            }
            assert_eq!(good, 117, "cycle {cycle}");
        }
    })
    .await;
    metrics.exceptions_total()
}

#[tokio::test(start_paused = true)]
async fn three_illegal_addresses_cost_three_values_also_after_a_restart() {
    let (memos, mut inbox) = mpsc::channel(64);
    let first = cycles_around_holes(20, Memory { holes: vec![], memos: Some(memos) }).await;
    let log2 = u64::from(u16::BITS - (MANY - 1).leading_zeros());
    assert!((1..=3 * log2 + 3).contains(&first), "{first} refused requests");

    let mut lessons = Vec::new();
    while let Ok((_, changes)) = inbox.try_recv() {
        lessons.extend(changes.into_iter().map(|change| match change {
            Change::Learned(lesson) => lesson,
            Change::Forgotten(request) => panic!("{request:?} is still refused"),
        }));
    }
    let holes = vec![Holes::remembered(lessons)];
    assert_eq!(cycles_around_holes(20, Memory { holes, memos: None }).await, 0, "after a restart");
}

#[tokio::test(start_paused = true)]
async fn a_changed_point_plans_one_device_anew_and_nobody_misses_a_tick() {
    let devices = |second: &[u16]| vec![device(1, 1_000, &[5]), device(2, 1_000, second)];
    let rig = rig(&plan(500, devices(&[5])), 64, |_| (ms(5), Act::Answer));
    let updates = rig.bus.updates();
    rig.run(async |mut batches, clock, _| {
        let mut last: [Option<UtcMs>; 3] = [None; 3];
        let mut seen_new = false;
        while clock.mono().0 < 60_500 {
            let batch = batches.recv().await.unwrap();
            let unit = usize::try_from(batch.samples[0].point.0 / 1000).unwrap();
            check(&batch, &[]);
            seen_new |= batch.samples.iter().any(|sample| sample.point.0 == 2_090);
            if let Some(before) = last[unit] {
                let gap_ms = batch.at.since_ms(before);
                assert!((0..=1_010).contains(&gap_ms), "unit {unit}: {gap_ms} ms");
            }
            last[unit] = Some(batch.at);
            if batch.samples.len() == 1 && clock.mono().0 > 30_000 && !seen_new {
                let plan = plan(500, devices(&[5, 90]));
                updates.apply(&plan, &point_of).unwrap().unwrap();
                tokio::time::sleep(ms(1)).await;
            }
        }
        assert!(seen_new);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_busy_device_is_asked_again_within_its_cycle() {
    let script = |asked: Asked| (ms(5), if asked.number < 2 { Act::Exception(6) } else { Act::Answer });
    let rig = rig(&plan(500, vec![device(1, 60_000, &[5])]), 64, script);
    rig.run(async |mut batches, _, _| {
        let batch = batches.recv().await.unwrap();
        assert_eq!(check(&batch, &[]), 1);
        // 5 ms and 100 ms, 5 ms and 200 ms, then the answer: stamped as its own request.
        assert_eq!((batch.received_at, batch.at_error_ms), (START.plus_ms(315), 3));
    })
    .await;

    let always =
        super::tests::rig(&plan(500, vec![device(2, 60_000, &[5])]), 64, |_| (ms(5), Act::Exception(5)));
    always
        .run(async |mut batches, clock, _| {
            assert_eq!(check(&batches.recv().await.unwrap(), &[Fault::Exception(5)]), 0);
            assert_eq!(clock.mono().0, 4 * 5 + 100 + 200 + 400);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn full_readings_are_waited_for_and_counted_without_a_burst_after() {
    let rig = rig(&plan(500, vec![device(1, 100, &[5])]), 1, |_| (ms(5), Act::Answer));
    let metrics = rig.metrics.clone();
    rig.run(async move |mut batches, clock, _| {
        tokio::time::sleep(ms(10_000)).await;
        assert_eq!(metrics.overruns.get(), 1, "one is waiting");
        let resumed = clock.mono().0;
        let mut taken = 0;
        while clock.mono().0 < resumed + 1_000 {
            batches.recv().await.unwrap();
            taken += 1;
        }
        // The one in the channel, the one that waited, then one per interval.
        assert!((11..=13).contains(&taken), "{taken}");
        assert!(metrics.skipped_cycles.get() >= 97, "{}", metrics.skipped_cycles.get());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_lost_in_a_cycle_is_made_again_before_the_next() {
    let mut total = 0;
    let script = move |_| {
        total += 1;
        (ms(5), if total % 8 == 0 { Act::Disconnect } else { Act::Answer })
    };
    let rig = rig(&plan(500, vec![device(1, 1_000, &[5, 50, 90])]), 64, script);
    let metrics = rig.metrics.clone();
    let mut good = 0;
    rig.run(async |mut batches, _, _| {
        for _ in 0..300 {
            good += check(&batches.recv().await.unwrap(), &[Fault::NoConnection]);
        }
    })
    .await;
    // Of 8 requests one dies, and takes those of its cycle that come after it along.
    assert!(good >= 200, "{good}");
    assert!(metrics.reconnects.get() > 20);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_closes_idle_connections_costs_no_sample() {
    // It hangs up a second after its answer, long before the next cycle.
    let script = |_| (ms(5), Act::AnswerThenClose(1_000));
    let rig = rig(&plan(500, vec![device(1, 60_000, &[5])]), 64, script);
    let metrics = rig.metrics.clone();
    rig.run(async |mut batches, _, _| {
        for _ in 0..3 {
            assert_eq!(check(&batches.recv().await.unwrap(), &[]), 1);
        }
    })
    .await;
    assert_eq!(metrics.reconnects.get(), 2);
}

#[tokio::test(start_paused = true)]
async fn stops_when_told_and_when_nobody_listens() {
    let rig = rig(&plan(500, vec![device(1, 1_000, &[5])]), 64, |_| (ms(5), Act::Silence));
    let (status, clock) = (rig.status.clone(), rig.clock.clone());
    rig.run(async |_batches, _, _| tokio::time::sleep(ms(100)).await).await;
    assert_eq!(clock.mono().0, 100, "in the middle of a request");
    assert!(!status.read().connected);

    let rig = super::tests::rig(&plan(500, vec![device(1, 1_000, &[5])]), 64, |_| (ms(5), Act::Answer));
    drop(rig.batches);
    rig.bus.run(CancellationToken::new()).await;
}

#[test]
fn what_cannot_be_read_is_said_at_build() {
    let build = |device: config::Device| {
        let (tx, _rx) = mpsc::channel(1);
        let plan = plan(500, vec![device]);
        Bus::build(&plan, &point_of, Memory::default(), Clock::starting_at(START), tx, &Metrics::new()).err()
    };
    let name = || "device-1".to_owned();
    assert_eq!(build(device(1, 1_000, &[5])), None);
    assert_eq!(build(device(1, 0, &[5])), Some(BuildError::Idle { device: name() }));
    assert_eq!(build(device(1, 1_000, &[])), Some(BuildError::Idle { device: name() }));
    let mut unknown = device(1, 1_000, &[5]);
    unknown.registers[0].point = "nowhere/x".parse().unwrap();
    let point = unknown.registers[0].point.clone();
    assert_eq!(build(unknown), Some(BuildError::UnknownPoint { device: name(), point }));
    let mut wide = device(1, 1_000, &[5]);
    (wide.limits.registers_max, wide.registers[0].cell.encoding) = (1, Encoding::F32);
    let source = PlanError::Request(super::super::RequestError::Count(2));
    assert_eq!(build(wide), Some(BuildError::Register { device: name(), source }));
}

/// Dials a serial line with its units.
struct SerialDial {
    script: Script,
    serial: config::Serial,
    servers: TaskTracker,
}

impl Dial for SerialDial {
    type Stream = DuplexStream;

    async fn dial(&mut self) -> io::Result<DuplexStream> {
        let (ours, theirs) = tokio::io::duplex(4096);
        let script = Arc::clone(&self.script);
        self.servers.spawn(serve_rtu(theirs, self.serial, move |asked| script.lock().unwrap()(asked)));
        Ok(ours)
    }
}

const UNITS: u8 = 32;
const MUTE: std::ops::RangeInclusive<u8> = 9..=16;
const INTERVAL_MS: u64 = 10_000;

/// A request as the wire saw it: when, in milliseconds since the start, and to whom.
type Log = Arc<Mutex<Vec<(u64, u8)>>>;

/// What the questions to mute units took of the bus, each until the next one was asked or its
/// timeout was over, in the worst minute from `from_ms` on.
fn worst_minute(log: &[(u64, u8)], from_ms: u64, timeout_ms: u64) -> u64 {
    let until_next = log.iter().zip(log.iter().skip(1).map(|(at, _)| *at));
    let spent: Vec<(u64, u64)> = until_next
        .filter(|((at, unit), _)| MUTE.contains(unit) && *at >= from_ms)
        .map(|((at, _), next)| (*at, next.min(at + timeout_ms)))
        .collect();
    let of_minute = |from: u64| -> u64 {
        spent.iter().map(|(start, end)| end.min(&(from + 60_000)).saturating_sub(*start.max(&from))).sum()
    };
    spent.iter().map(|(start, _)| of_minute(*start)).max().unwrap_or(0)
}

/// The claim of a bus with dead units: 32 at 19,200 baud, 20 registers each every 10 s, 8 mute.
#[tokio::test(start_paused = true)]
async fn eight_mute_units_of_thirty_two_cost_a_twentieth_and_make_nobody_late() {
    let registers: Vec<u16> = (0..20).collect();
    let devices = (1..=UNITS).map(|unit| device(unit, INTERVAL_MS, &registers)).collect();
    let link = "rtu:///dev/model?baud=19200&parity=even".parse().unwrap();
    let plan = config::Bus { link, ..plan(1_000, devices) };
    let (clock, log, revived) = (Clock::starting_at(START), Log::default(), Arc::new(Mutex::new(false)));
    let (heard_at, wire, is_revived) = (clock.clone(), Arc::clone(&log), Arc::clone(&revived));
    let script = move |asked: Asked| {
        wire.lock().unwrap().push((heard_at.mono().0, asked.unit));
        let mute = MUTE.contains(&asked.unit) && !(*is_revived.lock().unwrap() && asked.unit == 9);
        (ms(20), if mute { Act::Silence } else { Act::Answer })
    };
    let serial = plan.link.serial().unwrap();
    let dial = SerialDial { script: Arc::new(Mutex::new(script)), serial, servers: TaskTracker::new() };
    let (tx, batches) = mpsc::channel(64);
    let metrics = Metrics::new();
    let bus =
        Bus::build_over(dial, &plan, &point_of, Memory::default(), clock.clone(), tx, &metrics).unwrap();
    let (status, metrics) = (bus.status(), metrics.of_bus("model"));
    let reach = Reach::default();
    let rig = Rig { bus, clock, batches, reach, metrics, status };
    let status = rig.status.clone();
    rig.run(async move |mut batches, clock, _| {
        let mut demoted_at = None;
        let mut late_max = 0;
        while clock.mono().0 < 900_000 {
            let batch = batches.recv().await.unwrap();
            let unit = u8::try_from(batch.samples[0].point.0 / 1000).unwrap();
            let good = check(&batch, if MUTE.contains(&unit) { &[Fault::Timeout] } else { &[] });
            if demoted_at.is_none() && status.read().devices.iter().filter(|seen| seen.demoted).count() == 8 {
                demoted_at = Some(clock.mono().0);
            }
            if demoted_at.is_some_and(|at| clock.mono().0 > at + INTERVAL_MS) && good > 0 {
                let phase = stable_hash(&format!("device-{unit}")) % INTERVAL_MS;
                let late = batch.received_at.0.cast_unsigned().wrapping_sub(phase) % INTERVAL_MS;
                late_max = late_max.max(late);
            }
        }
        let demoted_at = demoted_at.unwrap();
        assert!(demoted_at < 60_000, "demoted after {demoted_at} ms");
        assert!(late_max <= 2_000, "{late_max} ms late");
        let spent = worst_minute(&log.lock().unwrap(), demoted_at, 1_000);
        assert!(spent <= 3_000, "{spent} ms of a minute");

        let last_probe = log.lock().unwrap().iter().rfind(|(_, unit)| *unit == 9).unwrap().0;
        *revived.lock().unwrap() = true;
        while status.read().devices[8].demoted {
            batches.recv().await.unwrap();
        }
        let waited = clock.mono().0 - last_probe;
        assert!(waited <= 301_000, "back {waited} ms after the last probe");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_host_delays_nobody() {
    let here = rig(&plan(500, vec![device(1, 1_000, &[5])]), 64, |_| (ms(5), Act::Answer));
    let nowhere = rig(&plan(500, vec![device(2, 1_000, &[5])]), 64, |_| (ms(5), Act::Answer));
    // A host that does not even refuse: each attempt takes as long as it may.
    *nowhere.reach.lock().unwrap() = Some(Duration::from_hours(1));
    let unreachable = nowhere.run(async |mut batches, clock, _| {
        while clock.mono().0 < 60_000 {
            assert_eq!(check(&batches.recv().await.unwrap(), &[Fault::NoConnection]), 0);
        }
    });
    let reachable = here.run(async |mut batches, clock, _| {
        let mut last = START;
        while clock.mono().0 < 60_000 {
            let batch = batches.recv().await.unwrap();
            assert_eq!(check(&batch, &[]), 1);
            assert!(batch.at.since_ms(last) <= 1_000);
            last = batch.at;
        }
    });
    tokio::join!(unreachable, reachable);
}
