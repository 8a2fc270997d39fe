//! What plantroom reads equals the truth, over a simulated week with noisy and dead lines: the demo's
//! own plan, plant and faults, the gateway's own drivers and first stage, on paused time.
//!
//! Read `line` (frames without sockets), `site` (the hospital and its reader), `judge` (what is held
//! against what), `energy` (what the meters counted adds up), then the tests: every bus for a day, two
//! buses for a week. Every register is read each quarter of an hour. A day of all buses is half a minute
//! of work in a build that is not optimised; all of them for a week are minutes, by hand.

mod energy;
mod judge;
mod line;
mod site;

use crate::config;
use crate::point::Batch;
use judge::{Verdict, judge};
use site::{HOUR_MS, START, Site};
use std::sync::Arc;

/// Six hours without a device on each kind of line, six noisy hours on each, and a plant that has faults.
const DAY: &str = r#"
[[faults]]
id = "dead-tcp"
kind = "dead_device"
device = "mr-meter"
onset = "3h"
duration = "6h"
name = { zh = "电表失联", en = "A meter is dead" }
notice = { zh = "通讯中断", en = "It does not answer" }

[[faults]]
id = "dead-rtu"
kind = "dead_device"
device = "gas-panel-icu"
onset = "7h"
duration = "6h"
name = { zh = "报警箱失联", en = "A panel is dead" }
notice = { zh = "通讯中断", en = "It does not answer" }

[[faults]]
id = "noisy-tcp"
kind = "noisy_bus"
bus = "chiller-plant"
onset = "10h"
duration = "6h"
size = 0.3
name = { zh = "干扰", en = "A noisy network" }
notice = { zh = "应答缺失", en = "Replies are lost" }

[[faults]]
id = "noisy-rtu"
kind = "noisy_bus"
bus = "gas-zones"
onset = "12h"
duration = "6h"
size = 0.3
name = { zh = "干扰", en = "A noisy line" }
notice = { zh = "应答缺失", en = "Replies are lost" }

[[faults]]
id = "feeder-trip"
kind = "feeder_trip"
asset = "feeder-imaging"
onset = "14h"
duration = "40m"
name = { zh = "跳闸", en = "A feeder trips" }
notice = { zh = "断电", en = "No current" }

[[faults]]
id = "mains"
kind = "ats_transfer"
asset = "ats-1"
onset = "17h"
duration = "90m"
name = { zh = "失电", en = "The mains fail" }
notice = { zh = "发电机带载", en = "The generator takes the load" }

[[faults]]
id = "condenser"
kind = "fouled_condenser"
asset = "chiller-1"
onset = "8h"
course = [["0s", 0.0], ["20m", 1.0]]
name = { zh = "结垢", en = "A condenser fouls" }
notice = { zh = "冷凝温度高", en = "It condenses hotter" }

[[faults]]
id = "zone-low"
kind = "oxygen_zone_low"
asset = "gas-zone-surgery"
onset = "9h"
duration = "30m"
course = [["0s", 0.0], ["30s", 1.0]]
name = { zh = "压力低", en = "Oxygen is low" }
notice = { zh = "报警", en = "An alarm" }

[[faults]]
id = "water-leak"
kind = "water_leak_night"
asset = "water-meter-outpatient"
onset = "1h"
name = { zh = "漏水", en = "Water leaks" }
notice = { zh = "夜间流量高", en = "More flows at night" }
"#;

/// A week of two buses, one of them a long pair of wires: a meter dead on each, a day of noise, a feeder
/// that trips and a load that stays on at night.
const WEEK: &str = r#"
[[faults]]
id = "dead-later-rtu"
kind = "dead_device"
device = "outpatient-3f-meter"
onset = "33h"
duration = "5h"
name = { zh = "电表失联", en = "A meter is dead" }
notice = { zh = "通讯中断", en = "It does not answer" }

[[faults]]
id = "dead-later-tcp"
kind = "dead_device"
device = "feeder-cooling-meter"
onset = "5d"
duration = "3h"
name = { zh = "电表失联", en = "A meter is dead" }
notice = { zh = "通讯中断", en = "It does not answer" }

[[faults]]
id = "noisy-day"
kind = "noisy_bus"
bus = "outpatient-power"
onset = "3d"
duration = "1d"
size = 0.3
name = { zh = "干扰", en = "A noisy line" }
notice = { zh = "应答缺失", en = "Replies are lost" }

[[faults]]
id = "outpatient-trip"
kind = "feeder_trip"
asset = "feeder-outpatient"
onset = "106h"
duration = "50m"
name = { zh = "跳闸", en = "A feeder trips" }
notice = { zh = "断电", en = "No current" }

[[faults]]
id = "night-load"
kind = "night_base_load"
asset = "meter-outpatient-2f"
onset = "1d"
duration = "5d"
name = { zh = "夜间负荷", en = "More runs at night" }
notice = { zh = "夜间用电高", en = "More is used at night" }
"#;

/// What a week of all has besides [`DAY`] and [`WEEK`]: machines that stop with their feeder, a trapped person, a
/// chiller that gets worse.
const LATER: &str = r#"
[[faults]]
id = "air-trip"
kind = "feeder_trip"
asset = "feeder-air-conditioning"
onset = "34h"
duration = "50m"
name = { zh = "空调馈线跳闸", en = "Air handlers stop" }
notice = { zh = "六台机组停机", en = "No air" }

[[faults]]
id = "trapped"
kind = "lift_entrapment"
asset = "lift-5"
onset = "57h"
duration = "3h"
name = { zh = "困人", en = "A person is trapped" }
notice = { zh = "报警", en = "An alarm" }

[[faults]]
id = "refrigerant"
kind = "refrigerant_loss"
asset = "chiller-2"
onset = "4d"
course = [["0s", 0.0], ["1d", 1.0]]
name = { zh = "缺氟", en = "Refrigerant is lost" }
notice = { zh = "过热", en = "It is superheated" }
"#;

/// One device without an answer for an hour.
const HOUR: &str = r#"
[[faults]]
id = "dead"
kind = "dead_device"
device = "mr-meter"
onset = "1h"
duration = "1h"
name = { zh = "电表失联", en = "A meter is dead" }
notice = { zh = "通讯中断", en = "It does not answer" }
"#;

fn buses<'a>(site: &'a Site, wanted: &[&str]) -> Vec<&'a config::Bus> {
    let buses: Vec<_> = site.plan.buses.iter().filter(|bus| wanted.contains(&bus.id.as_str())).collect();
    assert_eq!(buses.len(), wanted.len());
    buses
}

fn read_right(verdict: &Verdict) {
    assert!(verdict.wrong.is_empty(), "{:#?}", verdict.wrong);
}

#[tokio::test(start_paused = true)]
async fn a_day_of_every_bus_is_read_as_it_was() {
    let site = Site::new(DAY).await;
    let buses: Vec<&config::Bus> = site.plan.buses.iter().collect();
    let batches = site.read(&buses, 24).await;
    let verdict = judge(&site, &buses, 24, &batches);
    read_right(&verdict);
    assert!(verdict.values > 120_000 && verdict.dead > 200 && verdict.disturbed > 500, "{verdict:?}");
    assert_eq!(energy::feeders_add_up(&site, &batches), 10);
    energy::the_main_meter_adds_up(&site, &batches);
}

#[tokio::test(start_paused = true)]
async fn a_week_of_two_buses_is_read_as_it_was() {
    let site = Site::new(WEEK).await;
    let buses = buses(&site, &["electrical-room-feeders", "outpatient-power"]);
    let batches = site.read(&buses, 7 * 24).await;
    let verdict = judge(&site, &buses, 7 * 24, &batches);
    read_right(&verdict);
    assert!(verdict.values > 55_000 && verdict.dead > 100 && verdict.disturbed > 500, "{verdict:?}");
    // On any other day that line spoils two replies in a hundred.
    assert!(verdict.unstill * 100 < verdict.values, "{verdict:?}");
    assert_eq!(energy::feeders_add_up(&site, &batches), 2);
}

/// All of them for a week. Run by hand; what it printed last stands in `benches/README.md`.
#[tokio::test(start_paused = true)]
#[ignore = "minutes of work: cargo test --lib a_week_of_every_bus -- --ignored --nocapture"]
async fn a_week_of_every_bus_is_read_as_it_was() {
    let site = Site::new(&[DAY, WEEK, LATER].concat()).await;
    let buses: Vec<&config::Bus> = site.plan.buses.iter().collect();
    let batches = site.read(&buses, 7 * 24).await;
    let verdict = judge(&site, &buses, 7 * 24, &batches);
    let Verdict { values, dead, disturbed, unstill, wrong } = &verdict;
    println!("{} buses: {values} values, {} points wrong", buses.len(), wrong.len());
    println!(
        "without a value: {dead} of dead devices, {disturbed} of disturbed lines, {unstill} of unstill ones"
    );
    read_right(&verdict);
    assert!(*values > 850_000 && *dead > 400 && *disturbed > 1_000, "{verdict:?}");
    assert!(unstill * 1_000 < *values, "{verdict:?}");
    assert_eq!(energy::feeders_add_up(&site, &batches), 10);
    energy::the_main_meter_adds_up(&site, &batches);
}

/// What the judge is there for: a value that is not true, a gap without a word, a word nothing explains.
#[tokio::test(start_paused = true)]
async fn what_is_read_wrong_is_found() {
    let site = Site::new(HOUR).await;
    let buses = buses(&site, &["technology-building-power"]);
    let batches = site.read(&buses, 3).await;
    read_right(&judge(&site, &buses, 3, &batches));
    let wrong = |site: &Site, batches: &[Arc<Batch>]| -> Vec<String> {
        judge(site, &buses, 3, batches).wrong.keys().map(|point| point.asset.to_string()).collect()
    };
    let meter = site.plan.buses.iter().flat_map(|bus| &bus.devices).find(|one| one.id.as_str() == "mr-meter");
    let points = vec!["meter-mr".to_owned(); meter.unwrap().registers.len()];

    let dead = |batch: &&Arc<Batch>| (0..HOUR_MS).contains(&(batch.received_at.since_ms(START) - HOUR_MS));
    let silent: Vec<_> =
        batches.iter().filter(|batch| &*batch.device != "mr-meter" || !dead(batch)).cloned().collect();
    assert_eq!(wrong(&site, &silent), points, "a gap without a word");

    assert_eq!(wrong(&Site::new("").await, &batches), points, "a word nothing explains");

    let other = HOUR.replace(
        "kind = \"dead_device\"\ndevice = \"mr-meter\"",
        "kind = \"feeder_trip\"\nasset = \"feeder-imaging\"",
    );
    let other = wrong(&Site::new(&other).await, &batches);
    assert!(other.contains(&"meter-ct".to_owned()), "a value that is not true: {other:?}");
}
