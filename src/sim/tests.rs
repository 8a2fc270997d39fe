//! A small hospital on real sockets, read by the gateway's own drivers; its past; its faults.

use super::device::bus::Manner;
use super::fault::{self, Board, Known, Phase};
use super::fill::Fill;
use super::truth::{Build, Truth};
use super::*;
use crate::config;
use crate::field::modbus::{Bus, Memory, Metrics};
use crate::field::{Fault, FieldBatch, Raw, mqtt};
use crate::historian::{Historian, History, Opened};
use crate::point::{PointId, Value};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc;

const GENESIS: UtcMs = UtcMs(1_763_690_400_000);
const HOUR: i64 = 3_600_000;

const HOUSE: &str = r#"
config_version = 1
[site]
id = "house"
name = { en = "House" }
timezone = "Asia/Shanghai"

[[assets]]
id = "meter"
class = "Electrical_Meter"
name = { en = "Meter" }

[[assets]]
id = "room"
class = "Room"
name = { en = "Room" }

[[assets]]
id = "lift"
class = "Elevator"
name = { en = "Lift" }

[[modbus]]
id = "plain"
connect = "127.0.0.1:9"
timeout = "5s"

[[modbus.devices]]
id = "meter-device"
unit_id = 7
asset = "meter"
interval = "100ms"

[[modbus.devices.registers]]
quantity = "power"
table = "holding"
address = 10
type = "f32"
order = "cdab"
unit = "kW"
range = [0, 2000]
name = { en = "Power" }

[[modbus.devices.registers]]
quantity = "energy"
table = "holding"
address = 20
type = "u32"
scale = 0.01
unit = "kW.h"
name = { en = "Energy" }

[[modbus]]
id = "serial"
connect = "rtu+tcp://127.0.0.1:10?baud=115200"
timeout = "5s"

[[modbus.devices]]
id = "room-device"
unit_id = 3
asset = "room"
interval = "100ms"

[[modbus.devices.registers]]
quantity = "temperature"
table = "input"
address = 0
type = "i16"
scale = 0.1
unit = "Cel"
name = { en = "Temperature" }

[[modbus.devices.registers]]
quantity = "none"
table = "holding"
address = 5
type = "u16"
unit = "1"
name = { en = "Nobody tells of it" }

[[mqtt]]
id = "senders"
connect = "127.0.0.1:9"
client_id = "test"

[[mqtt.topics]]
topic = "plant/{asset}/telemetry"
stale_after = "30s"

[[mqtt.topics.values]]
quantity = "humidity"
pointer = "/air/humidity"
assets = ["room"]
unit = "%"
decimals = 1
name = { en = "Humidity" }

[[mqtt.topics.values]]
quantity = "window"
pointer = "/window"
assets = ["room"]
type = "bool"
unit = "1"
words = { "open" = 1, "shut" = 0 }
name = { en = "Window" }

[[mqtt.topics]]
topic = "lift/{asset}/floor"

[[mqtt.topics.values]]
quantity = "floor"
assets = ["lift"]
unit = "1"
decimals = 0
name = { en = "Floor" }
"#;

const SCRIPT: &str = r#"
[[faults]]
id = "warm"
kind = "stuck_valve"
asset = "room"
onset = "on request"
duration = "10m"
course = [["0s", 0.0], ["4m", 1.0]]
name = { zh = "阀门卡住", en = "A valve is stuck" }
notice = { zh = "室温升高", en = "The room warms" }

[[faults]]
id = "dead"
kind = "dead_device"
device = "meter-device"
onset = "-2h"
duration = "30m"
name = { zh = "电表失联", en = "The meter is dead" }
notice = { zh = "无通讯", en = "No communication" }

[[faults]]
id = "door"
kind = "fridge_door_open"
asset = "lift"
onset = "20s after each start"
duration = "10s"
every = "1m"
name = { zh = "门", en = "A door" }
notice = { zh = "门", en = "A door" }

[[faults]]
id = "rollover"
kind = "meter_rollover"
asset = "meter"
onset = "-1h"
points = ["meter/energy"]
name = { zh = "电表归零", en = "The meter rolls over" }
notice = { zh = "读数归零而用电量不变", en = "The register begins anew and consumption does not show it" }
"#;

fn plan() -> Plan {
    let files: BTreeMap<PathBuf, String> = [("house.toml".into(), HOUSE.to_owned())].into();
    let loaded = config::load_from(&files, Path::new("house.toml"), &|_| None);
    loaded.unwrap_or_else(|wrong| panic!("{wrong}")).plan
}

fn house(build: &mut Build) {
    let power = build.flow();
    build.step(move |knot| knot.set(power, 100.0));
    let energy = build.counter(power, 5.0);
    let valve = build.fault("stuck_valve", "room");
    build.point("meter/power", move |now| now.flow(power));
    build.point("meter/energy", move |now| now.stock(energy));
    build.point("room/temperature", move |now| 21.5 + 10.0 * now.fault(valve));
    build.point("room/humidity", |_| 48.26);
    build.point("room/window", |_| 1.0);
    build.point("lift/floor", |_| -2.0);
}

struct House {
    plan: Plan,
    truth: Arc<Truth>,
    board: Arc<Board>,
}

impl House {
    /// The house with this script, first started at a moment.
    fn new(script: &str, started: UtcMs) -> House {
        let plan = plan();
        let faults = fault::parse(script, "script.toml", &plan).unwrap_or_else(|wrong| panic!("{wrong}"));
        let known = Known { starts: vec![started], asked: Vec::new() };
        let board = Arc::new(Board::new(faults, known, started));
        let truth = Arc::new(Truth::of(GENESIS, 1, board.courses(), house));
        House { plan, truth, board }
    }

    async fn hospital(&self, clock: &Clock, manner: Manner) -> Hospital {
        let (truth, board) = (Arc::clone(&self.truth), Arc::clone(&self.board));
        Hospital::bind(&self.plan, truth, board, |_| manner, clock.clone(), 1).await.unwrap()
    }
}

fn ids(plan: &Plan) -> BTreeMap<Address, PointId> {
    plan.points.iter().map(|point| point.address.clone()).zip((1..).map(PointId)).collect()
}

fn number(batch: &FieldBatch, point: PointId) -> Option<Result<f64, Fault>> {
    let sample = batch.samples.iter().find(|sample| sample.point == point)?;
    Some(match &sample.raw {
        Ok(Raw::Value(Value::Bool(on))) => Ok(f64::from(u8::from(*on))),
        Ok(Raw::Value(value)) => Ok(value.as_f64().unwrap()),
        Ok(other) => panic!("{other:?}"),
        Err(fault) => Err(*fault),
    })
}

/// Runs a hospital and the gateway's drivers on it until `script` is done with their batches.
async fn read_by_drivers<F: Future<Output = ()>>(
    house: &House,
    hospital: Hospital,
    clock: &Clock,
    script: impl FnOnce(mpsc::Receiver<FieldBatch>) -> F,
) {
    let mut plan = house.plan.clone();
    hospital.lead(&mut plan);
    let (tx, batches) = mpsc::channel(64);
    let points = ids(&plan);
    let id = |address: &Address| points.get(address).copied();
    let stop = CancellationToken::new();
    let mut buses = Vec::new();
    for bus in &plan.buses {
        let built = Bus::build(bus, &id, Memory::default(), clock.clone(), tx.clone(), &Metrics::new());
        buses.push(built.unwrap().run(stop.clone()));
    }
    let broker = &plan.brokers[0];
    let source = mqtt::Source::build(broker, &points, clock.clone(), tx, &mqtt::Metrics::default()).unwrap();
    let script = async {
        script(batches).await;
        stop.cancel();
    };
    let all = Box::pin(async {
        tokio::join!(
            hospital.run(Clock::starting_at(UtcMs(0)), stop.clone()),
            join_all(buses),
            source.run(stop.clone()),
            script
        )
    });
    let (lived, ..) = tokio::time::timeout(Duration::from_mins(2), all).await.expect("hangs");
    lived.unwrap();
}

/// Over real sockets of foreign servers, in Modbus TCP, in RTU frames and by MQTT; no waiting but for
/// the next batch.
#[tokio::test]
async fn what_is_true_is_what_the_drivers_read() {
    let clock = Clock::starting_at(GENESIS.plus_ms(30 * HOUR));
    let house = House::new("", clock.utc());
    let hospital = house.hospital(&clock, Manner::default()).await;
    let points = ids(&house.plan);
    let id = |text: &str| points[&text.parse::<Address>().unwrap()];
    read_by_drivers(&house, hospital, &clock, async |mut batches| {
        let expected = [
            ("meter/power", 100.0, 0.0),
            // 30 hours of 100 kW, and what passes while the test runs, in counts of 0.01 kWh.
            ("meter/energy", 300_500.0, 400.0),
            ("room/temperature", 215.0, 0.0),
            ("room/humidity", 48.3, 1e-9),
            ("room/window", 1.0, 0.0),
            ("lift/floor", -2.0, 0.0),
            ("room/none", 0.0, 0.0),
        ];
        let mut seen = BTreeSet::new();
        while seen.len() < expected.len() {
            let batch = batches.recv().await.unwrap();
            for (point, value, within) in expected {
                if let Some(read) = number(&batch, id(point)) {
                    assert!((read.unwrap() - value).abs() <= within, "{point} {read:?}");
                    seen.insert(point);
                }
            }
            if let Some(ack) = batch.ack {
                ack.commit();
            }
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_held_is_read_until_it_is_let_go() {
    let clock = Clock::starting_at(GENESIS.plus_ms(HOUR));
    let house = House::new("", clock.utc());
    let hospital = house.hospital(&clock, Manner::default()).await;
    let room = hospital.buses().remove(1);
    let temperature = ids(&house.plan)[&"room/temperature".parse::<Address>().unwrap()];
    room.hold(3, config::Table::Input, 0, vec![300]);
    read_by_drivers(&house, hospital, &clock, async |mut batches| {
        for expected in [300.0, 215.0] {
            loop {
                let batch = batches.recv().await.unwrap();
                if number(&batch, temperature) == Some(Ok(expected)) {
                    break;
                }
            }
            room.release(3, config::Table::Input, 0);
        }
    })
    .await;
}

/// Lost, late, cut and damaged replies give gaps that say why, and never a wrong value.
#[tokio::test]
async fn a_noisy_line_loses_values_and_falsifies_none() {
    let clock = Clock::starting_at(GENESIS.plus_ms(30 * HOUR));
    let mut house = House::new("", clock.utc());
    house.plan.buses.iter_mut().for_each(|bus| bus.timeout_ms = 100);
    let hospital = house.hospital(&clock, Manner { delay_ms: 1, noise: 0.3 }).await;
    let points = ids(&house.plan);
    let id = |text: &str| points[&text.parse::<Address>().unwrap()];
    read_by_drivers(&house, hospital, &clock, async |mut batches| {
        let (mut power, mut temperature, mut gaps) = (0, 0, 0);
        while power < 20 || temperature < 20 || gaps < 5 {
            let batch = batches.recv().await.unwrap();
            for (point, value, count) in
                [("meter/power", 100.0_f64, &mut power), ("room/temperature", 215.0, &mut temperature)]
            {
                match number(&batch, id(point)) {
                    Some(Ok(read)) => {
                        assert!((read - value).abs() < 1e-9, "{point} {read}");
                        *count += 1;
                    }
                    Some(Err(_)) => gaps += 1,
                    None => {}
                }
            }
            if let Some(ack) = batch.ack {
                ack.commit();
            }
        }
    })
    .await;
}

#[test]
fn faults_act_when_they_should_and_only_then() {
    let start = GENESIS.plus_ms(10 * HOUR);
    let house = House::new(SCRIPT, start);
    let temperature = |at: UtcMs| house.truth.value(&"room/temperature".parse().unwrap(), at).unwrap();
    let phase = |id: &str, at: UtcMs| {
        let shown = house.board.list(at);
        shown.into_iter().find(|one| one.fault.id.as_str() == id).unwrap().phase
    };
    assert_eq!((phase("warm", start), phase("dead", start)), (Phase::Waiting, Phase::Over));
    assert_eq!(
        [10, 25, 31, 85].map(|s| phase("door", start.plus_ms(s * 1_000))),
        [Phase::Waiting, Phase::Running, Phase::Waiting, Phase::Running]
    );
    let now = start.plus_ms(5_000);
    assert!((temperature(now.plus_ms(240_000)) - 21.5).abs() < 1e-9);
    house.board.begin("warm", now).unwrap();
    house.truth.faults_changed(now);
    assert_eq!(house.board.begin("warm", now), Err(fault::BoardError::Running));
    assert_eq!(house.board.begin("rollover", now.plus_ms(-2 * HOUR)), Err(fault::BoardError::NotStartable));
    assert_eq!(house.board.end("dead", now), Err(fault::BoardError::NotRunning));
    for (after_ms, expected) in
        [(0, 21.5), (120_000, 26.5), (240_000, 31.5), (599_999, 31.5), (600_000, 21.5)]
    {
        assert!((temperature(now.plus_ms(after_ms)) - expected).abs() < 1e-9, "{after_ms}");
    }
    house.board.end("warm", now.plus_ms(60_000)).unwrap();
    house.truth.faults_changed(now);
    assert!((temperature(now.plus_ms(240_000)) - 21.5).abs() < 1e-9);
    // What is remembered gives the same again.
    let again = Board::new(house.board.faults().to_vec(), house.board.known(), start);
    let onsets = |board: &Board| (0..4).map(|place| board.runs(place)).collect::<Vec<_>>();
    assert_eq!(onsets(&again), onsets(&house.board));
    let target = Target::Asset("room".parse().unwrap());
    let hours = again.hours(Kind::StuckValve, &target, GENESIS, now.plus_ms(HOUR));
    assert!((hours - 0.125 / 60.0).abs() < 1e-12, "a minute that rose to a quarter: {hours}");
}

#[test]
fn instruments_lie_and_the_truth_does_not() {
    let script = r#"
        [[faults]]
        id = "ct"
        kind = "ct_changed"
        size = 0.5
        asset = "meter"
        onset = "-4h"
        duration = "2h"
        name = { zh = "互感器", en = "Other transformers" }
        notice = { zh = "电量减半", en = "Half the energy" }
        [[faults]]
        id = "frozen"
        kind = "frozen_sensor"
        asset = "room"
        onset = "-1h"
        points = ["room/temperature"]
        name = { zh = "不动", en = "Frozen" }
        notice = { zh = "不动", en = "Frozen" }
        [[faults]]
        id = "unit"
        kind = "unit_jump"
        size = 1000
        asset = "room"
        onset = "-30m"
        points = ["room/humidity"]
        name = { zh = "单位", en = "Unit" }
        notice = { zh = "单位", en = "Unit" }
    "#;
    let start = GENESIS.plus_ms(10 * HOUR);
    let house = House::new(&[script, SCRIPT].concat(), start);
    let modulus = |_: &Address| Some(1_000_000.0);
    let instruments =
        Instruments::new(&house.plan, Arc::clone(&house.truth), Arc::clone(&house.board), &modulus);
    let shown = |point: &str, at: UtcMs| {
        let place = house.truth.points()[&point.parse::<Address>().unwrap()];
        instruments.values(at)[place]
    };
    let before = |hours: i64| start.plus_ms(-hours * HOUR);
    // 100 kW and 5 kWh at the beginning; a rollover an hour before the start, so that there it is full.
    let full = |at: UtcMs| (shown("meter/energy", at) - 1_000_000.0).round();
    for (hours, counted, power) in
        [(5, -400.0, 100.0), (4, -300.0, 50.0), (3, -250.0, 50.0), (1, -100.0, 100.0)]
    {
        assert!((full(before(hours)) - counted).abs() < 1e-6, "{hours}");
        assert!((shown("meter/power", before(hours)) - power).abs() < 1e-9, "{hours}");
    }
    house.board.begin("warm", before(0)).unwrap();
    house.truth.faults_changed(before(0));
    let at = start.plus_ms(300_000);
    assert_eq!((shown("room/temperature", at), shown("room/humidity", at)), (21.5, 48_260.0));
    assert_eq!(house.truth.value(&"room/temperature".parse().unwrap(), at), Some(31.5));
    assert_eq!(shown("room/window", at).to_bits(), 1.0_f64.to_bits());
}

#[test]
fn what_is_wrong_with_a_script_is_said_with_its_place() {
    let plan = plan();
    let wrong = |text: &str| fault::parse(text, "mine.toml", &plan).unwrap_err().to_string();
    let fault = |changed: &[(&str, &str)]| {
        let mut text = SCRIPT.split("[[faults]]").nth(1).unwrap().to_owned();
        for (from, to) in changed {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        format!("[[faults]]{text}")
    };
    for (changed, place, says) in [
        (("\"stuck_valve\"", "\"stuck_vlave\""), "mine.toml:3:8: ", "choose one of clogging_filter"),
        (("asset = \"room\"", "asset = \"rom\""), "mine.toml:4:9: ", "the nearest is \"room\""),
        (("\"on request\"", "\"soon\""), "mine.toml:5:9: ", "\"-40d\""),
        (("\"10m\"", "\"ten\""), "mine.toml:6:12: ", "write 500ms"),
        (("1.0]]", "2.0]]"), "mine.toml:7:10: ", "a strength from 0 to 1"),
        (("course =", "size = 2\ncourse ="), "mine.toml:7:8: ", "has no size"),
        (("course =", "curse ="), "mine.toml:7:1: ", "unknown field"),
        (
            ("duration = \"10m\"", "duration = \"10m\"\nend = \"2h\""),
            "mine.toml:7:7: ",
            "both an end and a duration",
        ),
        (("asset = \"room\"", "device = \"meter-device\""), "mine.toml:3:8: ", "by `asset`"),
        (("course =", "points = [\"room/x\"]\ncourse ="), "mine.toml:7:10: ", "is no point of this hospital"),
    ] {
        let message = wrong(&fault(&[changed]));
        assert!(message.contains(place) && message.contains(says), "{changed:?}: {message}");
    }
    let two = wrong(&fault(&[("\"stuck_valve\"", "\"x\""), ("\"on request\"", "\"y\"")]));
    assert_eq!(two.matches("mine.toml:").count(), 2, "{two}");
    assert!(wrong("[[faults").contains("mine.toml:1:"));
    let twice = [fault(&[]), fault(&[])].concat();
    assert!(wrong(&twice).contains("rename one"));
}

/// A history with the points of the house, and what is done with it.
async fn with_history<F: Future<Output = ()>>(
    folder: &Path,
    house: &House,
    clock: &Clock,
    work: impl FnOnce(crate::historian::Importer, History) -> F,
) {
    let Opened { mut historian, history, .. } =
        Historian::open(folder, clock.clone(), crate::historian::Metrics::default()).unwrap();
    historian.declare(&house.plan.declared()).unwrap();
    let (feeds, fed) = mpsc::channel(16);
    let stop = CancellationToken::new();
    let importer = historian.importer(feeds);
    let work = async {
        work(importer, history).await;
        stop.cancel();
    };
    tokio::join!(historian.run(fed, stop.clone()), work);
}

/// Fills the past in until `stretches` are there; then as a killed process.
async fn fill(folder: &Path, house: &House, clock: &Clock, start: UtcMs, stretches: usize) {
    let hospital = house.hospital(clock, Manner::default()).await;
    with_history(&folder.join("history"), house, clock, async |importer, _| {
        let instruments = hospital.instruments();
        let told = hospital.facts().told(&house.truth);
        let past = Fill::new(&house.plan, told, Arc::clone(instruments), GENESIS..start, folder).unwrap();
        let (filled, killed) = (past.filled(), CancellationToken::new());
        let mut left = stretches;
        let told = |_: &super::fill::Filled| {
            left -= 1;
            if left == 0 {
                killed.cancel();
            }
        };
        let never = CancellationToken::new();
        tokio::select! {
            () = killed.cancelled() => {}
            done = past.run(&importer, &never, told) => {
                done.unwrap();
                assert!(filled.is_done() && filled.hours().0 == filled.hours().1);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_past_that_is_killed_again_and_again_is_whole_and_nothing_is_there_twice() {
    let start = GENESIS.plus_ms(75 * HOUR + 17 * 60_000);
    let clock = Clock::starting_at(start);
    let (folder, whole) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let house = House::new(SCRIPT, start);
    for _ in 0..4 {
        fill(folder.path(), &house, &clock, start, 7).await;
        // Killed before the last stretch was noted: it is there, and nothing says so.
        let file = folder.path().join(super::fill::FILE);
        let text = std::fs::read_to_string(&file).unwrap();
        let from: i64 = text.rsplit(' ').next().unwrap().trim().parse().unwrap();
        std::fs::write(&file, format!("from = {}\n", from + HOUR)).unwrap();
    }
    fill(folder.path(), &house, &clock, start, usize::MAX).await;
    fill(whole.path(), &house, &clock, start, usize::MAX).await;
    let mut of_both = Vec::new();
    for folder in [folder.path(), whole.path()] {
        with_history(&folder.join("history"), &house, &clock, async |importer, history| {
            let points = importer.points().await.unwrap();
            let mut all = Vec::new();
            for address in house.truth.points().keys() {
                let id = points.find(address).unwrap();
                all.push(history.range(id, UtcMs(0), start.plus_ms(1), 5_000).await.unwrap().readings);
            }
            let (mut stored, mut behind) = (0, crate::historian::Seq(0));
            loop {
                let page = history.tail(behind, usize::MAX).await.unwrap();
                let Some((last, _)) = page.last() else { break };
                behind = *last;
                stored += page.iter().map(|(_, batch)| batch.readings.len()).sum::<usize>();
            }
            assert_eq!(stored, all.iter().map(Vec::len).sum::<usize>(), "nothing twice");
            of_both.push(all);
        })
        .await;
    }
    assert_eq!(of_both[0], of_both[1]);
    let energy =
        &of_both[0][house.truth.points().keys().position(|one| one.quantity.as_str() == "energy").unwrap()];
    // 27 hours and a bit in quarters, then 48 hours in minutes.
    assert_eq!(energy.len(), (27 * 4 + 2) + 48 * 60);
    let dead = energy.iter().filter(|one| one.value.is_none()).count();
    assert_eq!(dead, 30, "half an hour of a dead meter, in minutes");
}

#[test]
fn a_message_says_what_is_true_in_the_words_of_its_mapping() {
    let house = House::new("", GENESIS);
    let messages = super::sender::Message::all(&house.plan, &house.plan.brokers[0], house.truth.points());
    let spoken: Vec<(String, Option<String>)> = messages
        .iter()
        .map(|one| (one.topic().to_owned(), one.payload(&house.truth.values(GENESIS), GENESIS)))
        .collect();
    let expected =
        [("plant/room/telemetry", r#"{"air":{"humidity":48.3},"window":"open"}"#), ("lift/lift/floor", "-2")];
    assert_eq!(spoken, expected.map(|(topic, payload)| (topic.to_owned(), Some(payload.to_owned()))));
}
