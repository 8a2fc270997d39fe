//! The profiles of devices that send: each against messages that were published or made after what was
//! (`tests/testcases/mqtt/MAKER/MODEL/*.txt`), through the configuration and the mapping as they are.

use plantroom::config;
use plantroom::field::mqtt::Mapping;
use plantroom::field::{Fault, Raw};
use plantroom::point::{Address, PointId, UtcMs, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below a folder with this ending.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|own| own == ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The part of a case below `-- name --`.
fn part<'t>(text: &'t str, name: &str) -> &'t str {
    let head = format!("-- {name} --\n");
    let (_, rest) = text.split_once(&head).unwrap_or_else(|| panic!("no {head}"));
    rest.split_once("\n-- ").map_or(rest, |(own, _)| own).trim_end()
}

/// A site with devices of one profile, called by these ids.
fn site(profile: &str, ids: &str) -> config::Plan {
    use std::fmt::Write;
    let mut text = "config_version = 1\n[site]\nid = \"s\"\ntimezone = \"Asia/Shanghai\"\n".to_owned();
    let mut devices = String::new();
    for (n, id) in ids.lines().enumerate() {
        write!(text, "[[assets]]\nid = \"d{n}\"\nclass = \"Room\"\n").unwrap();
        write!(devices, "[[mqtt.devices]]\nasset = \"d{n}\"\nprofile = \"{profile}\"\nid = \"{id}\"\n")
            .unwrap();
    }
    write!(text, "[[mqtt]]\nid = \"b\"\nconnect = \"10.0.0.1\"\n{devices}").unwrap();
    let name = format!("devices/{profile}.toml");
    let own = std::fs::read_to_string(root().join("config").join(&name)).unwrap();
    let files: BTreeMap<PathBuf, String> = [("site.toml".into(), text), (name.into(), own)].into();
    let loaded = config::load_from(&files, Path::new("site.toml"), &|_| None);
    loaded.unwrap_or_else(|wrong| panic!("{profile}: {wrong}")).plan
}

fn word(raw: &Result<Raw, Fault>) -> String {
    match raw {
        Ok(Raw::Value(Value::Decimal(number))) => number.to_string(),
        Ok(Raw::Value(Value::Bool(on))) => on.to_string(),
        Ok(Raw::Text(text)) => format!("{text:?}"),
        Ok(other) => format!("{other:?}"),
        Err(fault) => format!("!{fault:?}"),
    }
}

/// What a message becomes, a line each.
fn samples(plan: &config::Plan, topic: &str, payload: &[u8]) -> String {
    let addresses: Vec<Address> = plan.points.iter().map(|point| point.address.clone()).collect();
    let points = addresses.iter().cloned().zip((1..).map(PointId)).collect();
    let mapping = Mapping::new(&plan.brokers[0].topics, &points).unwrap();
    let mapped = mapping.map(topic, payload);
    let mut lines = Vec::new();
    for part in &mapped.parts {
        let time = |at: UtcMs| format!(" at {}", jiff::Timestamp::from_millisecond(at.0).unwrap());
        let at = part.source_at.map(time).unwrap_or_default();
        for sample in &part.samples {
            let address = &addresses[sample.point.0 as usize - 1];
            let whose =
                if address.asset.as_str() == "d0" { String::new() } else { format!("{}/", address.asset) };
            lines.push(format!("{whose}{} = {}{at}", address.quantity, word(&sample.raw)));
        }
    }
    lines.extend(mapped.unknown.map(|unknown| format!("unknown {}", unknown.replace("d0/", ""))));
    lines.extend(
        mapped
            .unreadable
            .filter(|(_, why)| why.fault() == Fault::Decoding)
            .map(|(what, why)| format!("{what}: {why}")),
    );
    lines.join("\n")
}

#[test]
fn every_profile_of_a_sender_makes_of_its_messages_what_they_say() {
    let folder = root().join("tests/testcases/mqtt");
    let mut shown = BTreeSet::new();
    for case in files(&folder, "txt") {
        let profile = case.parent().unwrap().strip_prefix(&folder).unwrap().display().to_string();
        let text = std::fs::read_to_string(&case).unwrap();
        let plan = site(&profile, part(&text, "devices"));
        let got = samples(&plan, part(&text, "topic"), part(&text, "payload").as_bytes());
        let expected = part(&text, "samples");
        assert_eq!(got, expected, "{}", case.display());
        shown.insert(profile);
    }
    let devices = root().join("config/devices");
    for file in files(&devices, "toml") {
        let profile = file.strip_prefix(&devices).unwrap().with_extension("").display().to_string();
        let sends = std::fs::read_to_string(&file).unwrap().contains("[[topics]]");
        assert!(
            !sends || profile.starts_with("demo/") || shown.contains(&profile),
            "no message shows {profile}"
        );
    }
}

#[test]
fn hundreds_of_devices_of_a_profile_share_its_topic() {
    let ids: Vec<String> = (0..500).map(|n| format!("24e124136b5{n:05}")).collect();
    let plan = site("chirpstack/em300-th", &ids.join("\n"));
    assert_eq!((plan.brokers[0].topics.len(), plan.points.len()), (1, 1_500));
    let payload = br#"{"time":"2024-06-20T08:48:38Z","fPort":85,"data":"A2fqAARoTwUAAA=="}"#;
    let got = samples(&plan, "application/a/device/24E124136B500499/event/up", payload);
    assert_eq!(
        got,
        "d499/temperature = 234 at 2024-06-20T08:48:38Z\nd499/humidity = 79 at 2024-06-20T08:48:38Z"
    );
}

/// Publishes retained messages and goes.
async fn publish(address: std::net::SocketAddr, messages: &[(&str, &str)]) {
    use futures_util::{SinkExt, StreamExt};
    use plantroom::field::mqtt::wire::{Codec, Connect, Packet, Publish, QoS};
    let socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let codec = Codec { max_incoming_size: 1 << 20, max_outgoing_size: 1 << 20 };
    let mut frames = tokio_util::codec::Framed::new(socket, codec);
    frames.send(Packet::Connect(Connect::new("publisher"))).await.unwrap();
    frames.next().await.unwrap().unwrap();
    for (packet, (topic, payload)) in (1..).zip(messages) {
        let mut message = Publish::new(*topic, QoS::AtLeastOnce, *payload);
        (message.pkid, message.retain) = (packet, true);
        frames.send(Packet::Publish(message)).await.unwrap();
        frames.next().await.unwrap().unwrap();
    }
}

/// The program itself against the broker of the demo: what it prints is a file that passes the check.
#[test]
fn discover_prints_a_configuration_of_what_a_broker_carries() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let broker =
        runtime.block_on(plantroom::sim::broker::Broker::bind("127.0.0.1:0".parse().unwrap())).unwrap();
    let address = broker.local_addr().unwrap();
    let stop = tokio_util::sync::CancellationToken::new();
    let guard = stop.clone().drop_guard();
    let serving = std::thread::spawn(move || runtime.block_on(broker.run(stop)));
    let messages =
        [("plant/ward-1/t", r#"{"temperature": 21.5}"#), ("plant/ward-2/t", r#"{"temperature": 22.0}"#)];
    let own = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    own.block_on(publish(address, &messages));

    let run = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_plantroom"))
            .args(["mqtt", "discover", "--log-filter", "error"])
            .args(arguments)
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (code, text, error) = run(&["--connect", &address.to_string(), "--for", "1s", "--filter", "plant/#"]);
    assert_eq!((code, error.as_str()), (Some(0), ""));
    assert!(
        text.contains("topic = \"plant/{asset}/t\"") && text.contains("unit = \"Cel\" # a guess"),
        "{text}"
    );
    let site = text.replacen(
        "config_version = 1",
        "config_version = 1\nsite = { id = \"s\", timezone = \"UTC\" }",
        1,
    );
    let files = BTreeMap::from([(PathBuf::from("site.toml"), site)]);
    let loaded = config::load_from(&files, Path::new("site.toml"), &|_| None);
    let plan = loaded.unwrap_or_else(|wrong| panic!("{wrong}\n{text}")).plan;
    assert_eq!(plan.points.len(), 2, "{text}");

    drop(guard);
    serving.join().unwrap();
    let (code, _, error) = run(&["--connect", &address.to_string(), "--for", "1s"]);
    assert_eq!(code, Some(1));
    assert!(error.contains("no connection to 127.0.0.1:"), "{error}");
    assert_eq!(run(&["nobody", "--config", "config/plantroom.toml"]).0, Some(2));
}
