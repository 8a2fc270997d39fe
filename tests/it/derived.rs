//! Derived points and values by hand in the whole program: over a real socket to a simulated
//! device, through alarms, history, restart and reload.

use plantroom::clock::Clock;
use plantroom::config::{self, Plan, Table};
use plantroom::net;
use plantroom::runtime::{Gateway, Reloaded};
use plantroom::sim::Hospital;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// `PORT` is the plant's, `MORE` is what changes.
const HOUSE: &str = r#"config_version = 1
site = { id = "test", timezone = "Asia/Shanghai" }
http = { listen = "127.0.0.1:0" }
[[assets]]
id = "or-1"
class = "Room"
[[modbus]]
id = "bus"
connect = "tcp://127.0.0.1:PORT"
timeout = "5s"
[[modbus.devices]]
id = "panel"
unit_id = 3
asset = "or-1"
interval = "200ms"
registers = [
  { quantity = "temperature", table = "holding", address = 0, type = "i16", scale = 0.1, unit = "Cel", range = [-20, 60] },
  { quantity = "humidity", table = "holding", address = 1, type = "u16", scale = 0.1, unit = "%" },
]
[[derived]]
asset = "or-1"
quantity = "dew_point"
formula = "dew_point(or-1/temperature, or-1/humidity)"
unit = "Cel"
[[derived]]
asset = "or-1"
quantity = "enthalpy"
formula = "enthalpy(or-1/temperature, or-1/humidity)"
unit = "kJ/kg"
[[derived]]
asset = "or-1"
quantity = "hourly_mean"
formula = "avg(or-1/temperature, 1 h)"
unit = "Cel"
every = "1s"
[[rules]]
id = "damp"
point = "or-1/dew_point"
when = "high"
limit = 20
priority = 2
failure_mode = "damp"
message = { en = "The room is damp" }
response = { en = "Look at the cooling coil" }
MORE"#;

fn plan(port: u16, more: &str) -> Plan {
    let text = HOUSE.replace("PORT", &port.to_string()).replace("MORE", more);
    let files = BTreeMap::from([(PathBuf::from("plantroom.toml"), text)]);
    let loaded = config::load_from(&files, Path::new("plantroom.toml"), &|_| None);
    loaded.unwrap_or_else(|wrong| panic!("{wrong}")).plan
}

struct Page {
    client: reqwest::Client,
    url: String,
}

impl Page {
    async fn get(&self, path: &str) -> Value {
        let answer = self.client.get(format!("{}api/v1/{path}", self.url)).send().await.unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }

    async fn newest(&self, quantity: &str) -> Value {
        self.get(&format!("points/or-1/{quantity}")).await["value"].take()
    }

    /// Waits until the newest value of a point is as wanted.
    async fn until(&self, quantity: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let newest = self.newest(quantity).await;
            if wanted(&newest) {
                return newest;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn good_near(expected: f64, within: f64) -> impl Fn(&Value) -> bool {
    move |newest| {
        newest["quality"] == "good" && (newest["value"].as_f64().unwrap() - expected).abs() <= within
    }
}

/// A gateway over `data` for as long as `test` takes.
async fn with_gateway<F: Future<Output = ()>>(
    plan: Plan,
    data: &Path,
    test: impl FnOnce(Page, plantroom::runtime::Reloader) -> F,
) {
    let stop = CancellationToken::new();
    let gateway = Gateway::build(plan, data, Clock::system()).await.unwrap();
    let client = net::http_client(net::HttpTimeouts::default()).unwrap();
    let page = Page { client, url: gateway.url() };
    let test = test(page, gateway.reloader());
    let run = gateway.run(stop.clone());
    let (ended, ()) = tokio::join!(run, async {
        test.await;
        stop.cancel();
    });
    ended.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dew_point_is_on_the_page_raises_its_alarm_and_survives_a_restart_and_a_reload() {
    net::install_crypto();
    let (folder, stop) = (tempfile::tempdir().unwrap(), CancellationToken::new());
    let hospital = Hospital::still(&plan(9, ""), Clock::system()).await.unwrap();
    let plant = hospital.buses().remove(0);
    plant.hold(3, Table::Holding, 0, vec![250, 1_000]);
    let port = plant.local_addr().port();
    let test = async {
        Box::pin(with_gateway(plan(port, ""), folder.path(), async |page, reloader| {
            // ASHRAE 2017, chapter 1, table 2: saturated air of 25 Cel has 76.504 kJ/kg.
            page.until("enthalpy", good_near(76.504, 0.7)).await;
            let making = page.get("points/or-1/enthalpy/making").await;
            assert_eq!(making["source"]["kind"], "formula");
            assert_eq!(making["reading"]["quality"], "good");
            // Its alarm is there with it.
            page.until("dew_point", good_near(25.0, 1e-6)).await;
            while page.get("alarms").await["items"].as_array().unwrap().is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            assert_eq!(page.get("alarms").await["items"][0]["rule"], "damp");
            // 25 Cel and 80 %: 21.3094 Cel (README of PsychroLib).
            plant.hold(3, Table::Holding, 1, vec![800]);
            page.until("dew_point", good_near(21.3094, 0.001)).await;
            // Half of an hour is not covered yet.
            page.until("hourly_mean", |newest| newest["quality"] == "bad" && newest["reason"] == "initial").await;
            let spread = "[[derived]]\nasset = \"or-1\"\nquantity = \"spread\"\nunit = \"K\"\nformula = \"or-1/temperature - or-1/dew_point\"\n";
            let changed = reloader.reload(plan(port, spread)).await.unwrap();
            assert!(matches!(changed, Reloaded::Applied { ref buses, .. } if buses.is_empty()), "{changed:?}");
            page.until("spread", good_near(25.0 - 21.3094, 0.001)).await;
            assert_eq!(reloader.reload(plan(port, spread)).await.unwrap(), Reloaded::Nothing);
        }))
        .await;
        Box::pin(with_gateway(plan(port, ""), folder.path(), async |page, _| {
            page.until("dew_point", good_near(21.3094, 0.001)).await;
            let times = loop {
                let readings = page.get("points/or-1/dew_point/readings?limit=5000").await;
                let readings = readings["readings"].as_array().unwrap().clone();
                if readings.len() > 4 {
                    break readings.iter().map(|one| one["at"].as_i64().unwrap()).collect::<Vec<_>>();
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            };
            assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
        }))
        .await;
        stop.cancel();
    };
    let (served, ()) = tokio::join!(hospital.run(Clock::system(), stop.clone()), test);
    served.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_by_hand_holds_across_a_restart_and_makes_doubtful_what_is_reckoned_from_it() {
    net::install_crypto();
    let (folder, stop) = (tempfile::tempdir().unwrap(), CancellationToken::new());
    let hospital = Hospital::still(&plan(9, ""), Clock::system()).await.unwrap();
    let plant = hospital.buses().remove(0);
    plant.hold(3, Table::Holding, 0, vec![400, 800]);
    let port = plant.local_addr().port();
    let by_hand = |newest: &Value| newest["reason"] == "substituted" && newest["value"] == 25;
    let doubtful = |newest: &Value| {
        newest["reason"] == "substituted" && (newest["value"].as_f64().unwrap() - 21.3094).abs() < 0.001
    };
    let address = "api/v1/points/or-1/temperature/substitution";
    let test = async {
        Box::pin(with_gateway(plan(port, ""), folder.path(), async |page, _| {
            page.until("temperature", good_near(40.0, 1e-9)).await;
            let until = Clock::system().utc().plus_ms(3_600_000).0;
            let body = json!({"value": 25, "until": until, "reason": "the probe hangs in the sun"});
            let answer = page.client.post(format!("{}{address}", page.url)).json(&body).send().await.unwrap();
            assert!(answer.status().is_success(), "{answer:?}");
            assert!(by_hand(&page.newest("temperature").await), "at once");
            let making = page.get("points/or-1/temperature/making").await;
            assert_eq!(
                (&making["reading"]["reason"], &making["sample"]["fault"]),
                (&json!("substituted"), &json!(null))
            );
            page.until("dew_point", doubtful).await;
        }))
        .await;
        Box::pin(with_gateway(plan(port, ""), folder.path(), async |page, _| {
            page.until("temperature", by_hand).await;
            page.until("dew_point", doubtful).await;
            page.until("humidity", good_near(80.0, 1e-9)).await;
            // The device has been heard, and is not shown.
            assert!(by_hand(&page.newest("temperature").await));
            let answer = page.client.delete(format!("{}{address}", page.url)).send().await.unwrap();
            assert!(answer.status().is_success(), "{answer:?}");
            page.until("temperature", good_near(40.0, 1e-9)).await;
            page.until("dew_point", |newest| newest["quality"] == "good").await;
        }))
        .await;
        stop.cancel();
    };
    let (served, ()) = tokio::join!(hospital.run(Clock::system(), stop.clone()), test);
    served.unwrap();
}
