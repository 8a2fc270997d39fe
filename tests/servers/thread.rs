//! The thin thread through the whole house, with servers nobody here wrote: a register of pymodbus
//! and a message through mosquitto, to the page, the disk, InfluxDB, one alarm, one work order and
//! the day's kilowatt-hours; and what is left of it after kill -9.

#![expect(
    clippy::indexing_slicing,
    reason = "a JSON value without the member is null, and no test passes on null"
)]

use crate::gateway::Gateway;
use crate::modbus::Server as PyModbus;
use crate::mqtt::Mosquitto;
use crate::support::{eventually, succeeds, trial};
use crate::{influx, modbus, mqtt};
use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use tokio::runtime::Runtime;

/// The tests of this file.
pub fn trials() -> Vec<Trial> {
    vec![
        trial(
            "thread_from_a_foreign_register_to_page_influx_order_and_yuan",
            "servers and browser",
            every_server,
            thread,
        ),
        trial("thread_what_mosquitto_was_acknowledged_survives_20_kills", "mosquitto", mqtt::probe, killed),
    ]
}

fn every_server() -> Result<(), String> {
    modbus::probe()?;
    mqtt::probe()?;
    succeeds("influxd", &["version"])?;
    succeeds("node", &["-e", "require('./tests/browser/node_modules/playwright-core')"])?;
    succeeds("chromium", &["--version"])
}

/// The site's file, in parts; `LINK`, `PORT` and `URL` are those of the servers just started.
const HOUSE: &str = r#"config_version = 1
[site]
id = "test"
name = { zh = "测试医院", en = "Test hospital" }
timezone = "Asia/Shanghai"
[http]
listen = "127.0.0.1:0"
[[assets]]
id = "house"
class = "Building"
name = { zh = "主楼", en = "House" }
[[assets]]
id = "panel"
class = "Medical_Gas_Manifold"
name = { zh = "汇流排", en = "Manifold" }
parent = "house"
[[assets]]
id = "fridge"
class = "Refrigerator"
name = { zh = "冷藏柜", en = "Fridge" }
parent = "house"
"#;
const MODBUS: &str = r#"
[[modbus]]
id = "bus"
connect = "LINK"
timeout = "500ms"
[[modbus.devices]]
id = "gas-panel"
unit_id = 1
asset = "panel"
interval = "200ms"
[[modbus.devices.registers]]
quantity = "pressure"
table = "holding"
address = 0
type = "u16"
scale = 0.001
unit = "MPa{gauge}"
decimals = 3
range = [0, 1]
name = { zh = "氧气压力", en = "Oxygen pressure" }
[[modbus.devices.registers]]
quantity = "energy"
table = "holding"
address = 10
type = "u32"
scale = 0.01
unit = "kW.h"
decimals = 2
name = { zh = "电能", en = "Energy" }
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
[[tariffs]]
id = "example"
name = { zh = "示例", en = "Example" }
valid_from = 2020-01-01
[[tariffs.classes]]
id = "flat"
name = { zh = "平", en = "Flat" }
price = 0.75
hours = ["00:00-24:00"]
[[meters]]
id = "main"
name = { zh = "总表", en = "Main" }
point = "panel/energy"
resolution = 0.01
rollover_at = 1000000
rate_max = 100000000
tariff = "example"
"#;
const MQTT: &str = r#"
[[mqtt]]
id = "wards"
connect = "127.0.0.1:PORT"
client_id = "plantroom-test"
[[mqtt.topics]]
topic = "plant/{asset}/telemetry"
stale_after = "60s"
[[mqtt.topics.values]]
quantity = "temperature"
pointer = "/t"
assets = ["fridge"]
unit = "Cel"
name = { zh = "温度", en = "Temperature" }
[[mqtt.topics]]
topic = "count/{asset}"
stale_after = "60s"
[[mqtt.topics.values]]
quantity = "count"
assets = ["fridge"]
unit = "1"
name = { zh = "计数", en = "Count" }
"#;
const INFLUX: &str = r#"
[[forward]]
id = "influx"
url = "URL/write?db=plant"
"#;

fn site(folder: &Path, modbus: Option<&str>, mqtt: Option<u16>, influx: Option<&str>) -> Result<(), Failed> {
    let mut text = HOUSE.to_owned();
    text.extend(modbus.map(|link| MODBUS.replace("LINK", link)));
    text.extend(mqtt.map(|port| MQTT.replace("PORT", &port.to_string())));
    text.extend(influx.map(|url| INFLUX.replace("URL", url)));
    Ok(std::fs::write(folder.join("plantroom.toml"), text)?)
}

fn thread() -> Result<(), Failed> {
    let mut modbus = PyModbus::pymodbus("tcp", 0)?;
    let mosquitto = Mosquitto::start()?;
    let influx = influx::Server::influx()?;
    Runtime::new()?.block_on(async {
        let folder = tempfile::tempdir()?;
        modbus.tell("set 1 holding 0 u16 abcd 412")?;
        modbus.tell("set 1 holding 10 u32 abcd 10000")?;
        influx.query("CREATE DATABASE plant").await?;
        site(folder.path(), Some(&modbus.link), Some(mosquitto.port()), Some(influx.url()))?;
        let mut gateway = Gateway::start(folder.path()).await?;

        one_value_everywhere(&gateway, &influx).await?;
        a_message_becomes_a_value(&gateway, &mosquitto).await?;
        one_alarm_one_order(&gateway, &mut modbus).await?;
        the_days_energy(&gateway, &mut modbus).await?;
        survives_kill_9(&mut gateway).await?;
        modbus.has_only_been_read()
    })
}

async fn value_of(gateway: &Gateway, point: &str) -> Result<Value, Failed> {
    let answer = gateway.get(&format!("/api/v1/values?points={point}")).await?;
    Ok(answer["items"][0].clone())
}

/// The register's value is the value of the API, of the page, of `query` and of InfluxDB, with
/// one and the same acquisition time.
async fn one_value_everywhere(gateway: &Gateway, influx: &influx::Server) -> Result<(), Failed> {
    let shown = eventually("the register's value in the API", async || {
        let value = value_of(gateway, "panel/pressure").await?;
        Ok((value["value"] == json!(0.412) && value["quality"] == "good").then_some(value))
    })
    .await?;
    gateway.page_shows("panel/pressure", "0.412")?;

    let at = shown["at"].as_i64().ok_or("no time")?;
    let stored: Value = eventually("the reading in query", async || {
        let text = gateway.query(&["panel/pressure", "--format", "json"])?;
        let rows: Value = serde_json::from_str(&text)?;
        Ok(rows.as_array().and_then(|rows| rows.iter().find(|row| row["at"] == at).cloned()))
    })
    .await?;
    assert_eq!(stored["value"], json!(0.412));

    let forwarded = eventually("the reading in InfluxDB", async || {
        let query =
            format!("SELECT pressure FROM Medical_Gas_Manifold WHERE asset = 'panel' AND time = {at}ms");
        let series = influx.query(&query).await?;
        Ok(series["values"][0].as_array().cloned())
    })
    .await?;
    assert_eq!(forwarded, [json!(at), json!(0.412)]);
    Ok(())
}

async fn a_message_becomes_a_value(gateway: &Gateway, mosquitto: &Mosquitto) -> Result<(), Failed> {
    mosquitto.publish("plant/fridge/telemetry", &[r#"{"t": 4.20}"#.to_owned()])?;
    eventually("the message's value", async || {
        let value = value_of(gateway, "fridge/temperature").await?;
        Ok((value["value"] == json!(4.2)).then_some(()))
    })
    .await
}

/// The register passes its limit: one alarm, one order, and no closing before it is back.
async fn one_alarm_one_order(gateway: &Gateway, modbus: &mut PyModbus) -> Result<(), Failed> {
    modbus.tell("set 1 holding 0 u16 abcd 300")?;
    let order = eventually("a work order", async || {
        let orders = gateway.get("/api/v1/work-orders?state=open").await?;
        Ok(orders["items"].as_array().filter(|items| !items.is_empty()).cloned())
    })
    .await?;
    let alarms = gateway.get("/api/v1/alarms?state=open").await?;
    assert_eq!(order.len(), 1, "{order:?}");
    assert_eq!(alarms["items"].as_array().map(Vec::len), Some(1), "{alarms}");
    let (alarm, order) = (&alarms["items"][0], &order[0]);
    assert_eq!(alarm["value"], json!(0.3));
    assert_eq!(order["response"]["en"], "Change over to the reserve");
    let delay_ms =
        alarm["raised_at"].as_i64().ok_or("no time")? - order["opened_at"].as_i64().ok_or("no time")?;
    assert!(delay_ms.abs() <= 1_000, "the order came {delay_ms} ms from its alarm");

    let id = order["id"].to_string();
    let mut version = order["version"].clone();
    for act in ["accept", "finish"] {
        let (status, body) = gateway.act(&id, act, &version).await?;
        assert_eq!(status, 200, "{act}: {body}");
        version = body["version"].clone();
    }
    let (status, refused) = gateway.act(&id, "close", &version).await?;
    assert_eq!((status, &refused["code"]), (409, &json!("alarm_active")), "{refused}");

    modbus.tell("set 1 holding 0 u16 abcd 412")?;
    eventually("the order to close once the register is back", async || {
        let current = gateway.get(&format!("/api/v1/work-orders/{id}")).await?;
        let (status, body) = gateway.act(&id, "close", &current["version"]).await?;
        Ok((status == 200).then(|| assert_eq!(body["state"], "closed")))
    })
    .await
}

async fn the_days_energy(gateway: &Gateway, modbus: &mut PyModbus) -> Result<(), Failed> {
    modbus.tell("set 1 holding 10 u32 abcd 10250")?;
    eventually("the day's kilowatt-hours and yuan", async || {
        let site = gateway.get("/api/v1/site").await?;
        let now = jiff::Timestamp::from_millisecond(site["now"].as_i64().ok_or("no time")?)?;
        let day = now.to_zoned(jiff::tz::TimeZone::get("Asia/Shanghai")?).date();
        let path = format!("/api/v1/energy/meters/main/days?from={}&to={day}", day.yesterday()?);
        let days = gateway.get(&path).await?;
        let days = days["days"].as_array().cloned().unwrap_or_default();
        let sum = |field: &str| days.iter().filter_map(|day| day[field].as_f64()).sum::<f64>();
        Ok(((sum("energy") - 2.5).abs() < 1e-9 && (sum("cost") - 1.875).abs() < 1e-9).then_some(()))
    })
    .await
}

async fn survives_kill_9(gateway: &mut Gateway) -> Result<(), Failed> {
    let before = gateway.get("/api/v1/points/panel/pressure/readings").await?;
    gateway.kill_9()?;
    let text = gateway.query(&["panel/pressure", "--format", "json"])?;
    let rows: Value = serde_json::from_str(&text)?;
    let kept = rows.as_array().ok_or("no rows")?;
    let served = before["readings"].as_array().ok_or("no readings")?;
    assert!(!served.is_empty());
    for reading in served {
        assert!(kept.iter().any(|row| row["at"] == reading["at"]), "{reading} was served and is gone");
    }
    gateway.restart().await?;
    let orders = gateway.get("/api/v1/work-orders?state=all").await?;
    assert_eq!(orders["items"].as_array().map(Vec::len), Some(1), "{orders}");
    Ok(())
}

/// Twenty kills while messages stream in; the broker keeps what was not acknowledged, so every
/// message must be on disk in the end.
fn killed() -> Result<(), Failed> {
    const KILLS: u64 = 20;
    const MESSAGES: u64 = 4_000;
    Runtime::new()?.block_on(async {
        let folder = tempfile::tempdir()?;
        let mosquitto = Mosquitto::start()?;
        site(folder.path(), None, Some(mosquitto.port()), None)?;
        let mut gateway = Gateway::start(folder.path()).await?;
        mosquitto.publish("count/fridge", &["0".to_owned()])?;
        seen_at_least(&gateway, 0).await?;

        let mut dice: u64 = 20_261_122;
        for kill in 0..KILLS {
            let first = 1 + kill * MESSAGES / KILLS;
            let last = (kill + 1) * MESSAGES / KILLS;
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let until = first + (dice >> 33) % (MESSAGES / KILLS);
            let messages: Vec<String> = (first..=last).map(|count| count.to_string()).collect();
            mosquitto.publish("count/fridge", &messages)?;
            seen_at_least(&gateway, until.min(last)).await?;
            gateway.kill_9()?;
            gateway.restart().await?;
        }
        // What the last kill left unacknowledged comes again; the history tells when it is whole.
        let kept = eventually("the last message", async || {
            let kept = counts(&gateway)?;
            Ok(kept.contains(&MESSAGES).then_some(kept))
        })
        .await?;
        gateway.stop().await?;
        let missing: Vec<u64> = (0..=MESSAGES).filter(|count| !kept.contains(count)).collect();
        assert!(
            missing.is_empty(),
            "{} acknowledged and gone, the first: {:?}",
            missing.len(),
            missing.first()
        );
        Ok(())
    })
}

/// What `plantroom query` finds of the messages.
fn counts(gateway: &Gateway) -> Result<BTreeSet<u64>, Failed> {
    let rows: Vec<Value> = serde_json::from_str(&gateway.query(&["fridge/count", "--format", "json"])?)?;
    Ok(rows.iter().filter_map(|row| row["value"].as_u64()).collect())
}

async fn seen_at_least(gateway: &Gateway, count: u64) -> Result<(), Failed> {
    eventually(&format!("message {count}"), async || {
        let value = value_of(gateway, "fridge/count").await?;
        Ok(value["value"].as_u64().filter(|seen| *seen >= count).map(|_| ()))
    })
    .await
}
