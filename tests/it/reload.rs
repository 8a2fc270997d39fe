//! Another configuration for a gateway that runs: over a real socket to simulated devices, and by
//! the signal a service manager sends.

use plantroom::clock::Clock;
use plantroom::config::{self, Plan, Table};
use plantroom::net;
use plantroom::point::CatalogueChange;
use plantroom::runtime::{Gateway, Reloaded};
use plantroom::sim::Hospital;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// `PORT` is the plant's, `SCALE` and `MORE` are what changes.
const HOUSE: &str = r#"config_version = 1
[site]
id = "test"
name = { zh = "测试医院", en = "Test hospital" }
timezone = "Asia/Shanghai"
[http]
listen = "127.0.0.1:0"
[[assets]]
id = "meter"
class = "Electrical_Meter"
name = { zh = "电表", en = "Meter" }
[[assets]]
id = "panel"
class = "Medical_Gas_Manifold"
name = { zh = "汇流排", en = "Manifold" }
[[modbus]]
id = "bus"
connect = "tcp://127.0.0.1:PORT"
timeout = "5s"
[[modbus.devices]]
id = "meter"
unit_id = 1
asset = "meter"
interval = "1s"
[[modbus.devices.registers]]
quantity = "frequency"
table = "holding"
address = 0x77
type = "u16"
scale = 0.01
unit = "Hz"
name = { zh = "频率", en = "Frequency" }
[[modbus.devices]]
id = "panel"
unit_id = 3
asset = "panel"
interval = "1s"
[[modbus.devices.registers]]
quantity = "pressure"
table = "holding"
address = 0
type = "u16"
scale = SCALE
unit = "MPa{gauge}"
decimals = 3
name = { zh = "氧气压力", en = "Oxygen pressure" }
MORE"#;
const ANOTHER_POINT: &str = r#"
[[modbus.devices.registers]]
quantity = "second"
table = "holding"
address = 1
type = "u16"
scale = 0.01
unit = "MPa{gauge}"
name = { zh = "第二压力", en = "Second pressure" }
"#;
const RULE: &str = r#"
[[rules]]
id = "pressure-low"
point = "panel/pressure"
when = "low"
limit = 0.34
deadband = 0.004
on_delay = "0s"
priority = 1
failure_mode = "low-pressure"
message = { zh = "氧气压力低", en = "Oxygen pressure low" }
response = { zh = "切换到备用组", en = "Change over to the reserve" }
clause = "7.1.2(5)"
edition = "GB 50751-2012"
certainty = "A"
"#;

fn text(port: u16, scale: &str, more: &str) -> String {
    HOUSE.replace("PORT", &port.to_string()).replace("SCALE", scale).replace("MORE", more)
}

fn plan(port: u16, scale: &str, more: &str) -> Plan {
    plan_of(text(port, scale, more))
}

fn plan_of(text: String) -> Plan {
    let files = BTreeMap::from([(PathBuf::from("plantroom.toml"), text)]);
    let loaded = config::load_from(&files, Path::new("plantroom.toml"), &|_| None);
    loaded.unwrap_or_else(|wrong| panic!("{wrong}")).plan
}

struct Page {
    client: reqwest::Client,
    url: String,
}

impl Page {
    async fn text(&self, path: &str) -> Option<String> {
        let answer = self.client.get(format!("{}{path}", self.url)).send().await.unwrap();
        if answer.status().is_success() { Some(answer.text().await.unwrap()) } else { None }
    }

    /// Good readings of a point: time and value.
    async fn readings(&self, point: &str) -> Vec<(i64, f64)> {
        let Some(text) = self.text(&format!("api/v1/points/{point}/readings")).await else { return vec![] };
        let history: Value = serde_json::from_str(&text).unwrap();
        let good = history["readings"].as_array().unwrap().iter();
        let number = |value: &Value| match value {
            Value::String(text) => text.parse().ok(),
            other => other.as_f64(),
        };
        good.filter_map(|reading| Some((reading["at"].as_i64()?, number(&reading["value"])?))).collect()
    }

    /// Waits until a point has that many readings for which `wanted` holds.
    async fn until(&self, point: &str, count: usize, wanted: impl Fn(f64) -> bool) {
        while self.readings(point).await.iter().filter(|(_, value)| wanted(*value)).count() < count {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn near(expected: f64) -> impl Fn(f64) -> bool {
    move |value| (value - expected).abs() < 1e-9
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_register_is_read_anew_and_the_other_device_misses_nothing() {
    net::install_crypto();
    let (folder, clock, stop) = (tempfile::tempdir().unwrap(), Clock::system(), CancellationToken::new());
    let hospital = Hospital::still(&plan(9, "0.001", ""), clock.clone()).await.unwrap();
    let plant = hospital.buses().remove(0);
    plant.hold(3, Table::Holding, 0, vec![400, 77]);
    let port = plant.local_addr().port();
    let gateway = Gateway::build(plan(port, "0.001", ""), folder.path(), clock).await.unwrap();
    let (reloader, url) = (gateway.reloader(), gateway.url());
    let page = Page { client: net::http_client(net::HttpTimeouts::default()).unwrap(), url };
    let test = async {
        page.until("meter/frequency", 2, |_| true).await;
        page.until("panel/pressure", 1, near(0.4)).await;

        let before = plan(port, "0.001", "");
        assert_eq!(reloader.reload(before).await.unwrap(), Reloaded::Nothing);
        let ruled = reloader.reload(plan(port, "0.002", RULE)).await.unwrap();
        assert_eq!(ruled, Reloaded::NeedsRestart { what: "the rule pressure-low".to_owned() });
        assert_eq!(page.text("api/v1/points/panel/second").await, None);

        let changed = reloader.reload(plan(port, "0.002", ANOTHER_POINT)).await.unwrap();
        let Reloaded::Applied { buses, catalogue } = changed else { panic!("{changed:?}") };
        assert_eq!(buses.iter().map(ToString::to_string).collect::<Vec<_>>(), ["bus"]);
        assert!(matches!(catalogue[..], [CatalogueChange::Added(_)]), "{catalogue:?}");
        page.until("panel/second", 2, near(0.77)).await;
        page.until("panel/pressure", 2, near(0.8)).await;
        page.until("meter/frequency", 5, |_| true).await;
        let newest: Value =
            serde_json::from_str(&page.text("api/v1/points/panel/second").await.unwrap()).unwrap();
        assert_eq!(newest["unit"], "MPa{gauge}");

        // That nobody misses a tick is shown on paused time, where the bus is tested.
        let metrics = page.text("metrics").await.unwrap();
        let reconnects = metrics.lines().find(|line| line.contains("modbus_reconnects_total{")).unwrap();
        assert!(reconnects.ends_with(" 0"), "{reconnects}");

        // The point goes again, and comes back with its number and history.
        let gone = reloader.reload(plan(port, "0.002", "")).await.unwrap();
        assert!(
            matches!(gone, Reloaded::Applied { catalogue, .. } if matches!(catalogue[..], [CatalogueChange::Gone(_)]))
        );
        assert_eq!(page.text("api/v1/points/panel/second").await, None);
        reloader.reload(plan(port, "0.002", ANOTHER_POINT)).await.unwrap();
        page.until("panel/second", 3, near(0.77)).await;
        stop.cancel();
    };
    let (ended, served, ()) =
        tokio::join!(gateway.run(stop.clone()), hospital.run(Clock::system(), stop.clone()), test);
    ended.unwrap();
    served.unwrap();
    assert!(reloader.reload(plan(port, "0.001", "")).await.is_err(), "it has ended");
}

/// An integrator's first file has assets and nothing to ask; so has a site whose values all come by hand.
#[tokio::test]
async fn a_gateway_with_nothing_to_ask_runs_until_it_is_told_to_stop() {
    net::install_crypto();
    let (folder, stop) = (tempfile::tempdir().unwrap(), CancellationToken::new());
    let (bare, _) = HOUSE.split_once("[[modbus]]").unwrap();
    let gateway = Gateway::build(plan_of(bare.to_owned()), folder.path(), Clock::system()).await.unwrap();
    let page = Page { client: net::http_client(net::HttpTimeouts::default()).unwrap(), url: gateway.url() };
    let test = async {
        assert!(page.text("api/v1/site").await.is_some());
        stop.cancel();
    };
    let (ended, ()) = tokio::join!(gateway.run(stop.clone()), test);
    ended.unwrap();
}

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _status = self.0.wait();
    }
}

impl Process {
    fn signal(&self, name: &str) {
        let done = Command::new("kill").args([name, &self.0.id().to_string()]).status().unwrap();
        assert!(done.success());
    }
}

/// Reads the log up to a line that holds `text`, and gives what it read.
fn log_until(log: &mut impl BufRead, text: &str) -> String {
    let mut read = String::new();
    while !read.lines().last().is_some_and(|line| line.contains(text)) {
        assert!(log.read_line(&mut read).unwrap() > 0, "the log ends without {text:?}: {read}");
    }
    read
}

#[test]
fn the_signal_takes_a_right_file_and_leaves_a_wrong_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plantroom.toml");
    // Nobody listens there; the bus keeps trying.
    std::fs::write(&file, text(9, "0.001", "")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_plantroom"));
    command.arg("--config").arg(&file).arg("--data").arg(folder.path().join("data")).arg("run");
    let mut process = Process(command.stderr(Stdio::piped()).spawn().unwrap());
    let mut log = BufReader::new(process.0.stderr.take().unwrap());
    log_until(&mut log, "Serving.");

    std::fs::write(&file, text(9, "0.001", "nonsense = 1\n[[buses]]\n")).unwrap();
    process.signal("-HUP");
    let read = log_until(&mut log, "the one before goes on");
    assert!(read.contains("nonsense") && read.contains("buses"), "{read}");

    std::fs::write(&file, text(9, "0.001", RULE)).unwrap();
    process.signal("-HUP");
    assert!(log_until(&mut log, "takes a restart").contains("the rule pressure-low"));

    std::fs::write(&file, text(9, "0.002", ANOTHER_POINT)).unwrap();
    process.signal("-HUP");
    log_until(&mut log, "The configuration is in force.");
    process.signal("-HUP");
    log_until(&mut log, "nothing new");

    process.signal("-TERM");
    log_until(&mut log, "Stopped.");
    assert!(process.0.wait().unwrap().success());
}
