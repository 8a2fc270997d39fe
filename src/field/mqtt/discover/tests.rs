//! What is proposed can be pasted, and reads the messages it was made of.

use super::*;
use crate::config::{self, topics_of};
use crate::field::mqtt::Mapping;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use std::path::{Path, PathBuf};

fn heard(messages: &[(&str, &str)]) -> Discovery {
    let mut discovery = Discovery::default();
    for (topic, payload) in messages {
        discovery.take(topic, payload.as_bytes(), false, UtcMs(0));
    }
    discovery
}

/// The proposal in a file of its own, beside a site.
fn pasted(report: &str) -> Result<config::Loaded, String> {
    let text = format!(
        "config_version = 1\nsite = {{ id = \"s\", timezone = \"Asia/Shanghai\" }}\n[[mqtt]]\nid = \"b\"\nconnect = \"h\"\n{report}"
    );
    let files = BTreeMap::from([(PathBuf::from("site.toml"), text)]);
    config::load_from(&files, Path::new("site.toml"), &|_| None).map_err(|wrong| format!("{wrong}\n{report}"))
}

const PLANT: &[(&str, &str)] = &[
    (
        "plant/ward-3a/telemetry",
        r#"{"temperature": 21.5, "env": {"humidity": 40}, "on": true, "ts": 1700000000123}"#,
    ),
    (
        "plant/Ward 3B/telemetry",
        r#"{"temperature": 23.0, "env": {"humidity": 41.5}, "on": false, "ts": 1700000001123}"#,
    ),
    ("lift/1/floor", "3"),
    ("lift/2/floor", "-1"),
    ("meter/main/power", "12.5"),
    ("meter/main/energy", "1002.25"),
    (
        "/gw/4711/data",
        r#"{"readings": [{"name": "T1", "value": 7.5}, {"name": "状态", "value": "运行"}], "time": "2026-01-01T00:00:00Z"}"#,
    ),
    ("log/fridge-1", "1767225600,4.5,OK\n1767225660,4.6,OK"),
    ("state/pump", "running"),
    ("empty", ""),
    ("odd/{x}/+", "1"),
];

#[test]
fn a_proposal_can_be_pasted_and_reads_what_it_was_made_of() {
    let mut discovery = heard(PLANT);
    discovery.take("bytes", &[0xff, 0, 1], true, UtcMs(5));
    let report = discovery.report(&[], &BTreeSet::new(), 60);
    let loaded = pasted(&report).unwrap_or_else(|wrong| panic!("{wrong}"));
    for line in [
        "# 12 messages on 12 topics in 60 s; 0 of the topics are mapped already.",
        "topic = \"plant/{asset}/telemetry\"",
        "assets = { \"Ward 3B\" = \"ward_3b\", \"ward-3a\" = \"ward-3a\" } # guesses: what the topic has, and the asset",
        "time = { from = \"/ts\", format = \"unix-ms\" } # a guess by its digits",
        "unit = \"Cel\" # a guess by its name; 21.5 to 23 seen",
        "topic = \"lift/{asset}/floor\"",
        "topic = \"meter/main/{quantity}\"",
        "each = \"/readings\"",
        "quantity_from = \"/name\"",
        "csv = { separator = \",\" }",
        "# Bytes: what they are only their maker can say; see `bytes` in the manual of the mapping.",
    ] {
        assert!(report.lines().any(|own| own == line), "no line {line}\n{report}");
    }
    let broker = &loaded.plan.brokers[0];
    let points =
        loaded.plan.points.iter().zip(1..).map(|(p, n)| (p.address.clone(), crate::point::PointId(n)));
    let mapping = Mapping::new(&broker.topics, &points.collect()).unwrap();
    for (topic, payload) in
        PLANT.iter().filter(|(topic, _)| !topic.starts_with("empty") && !topic.starts_with("odd"))
    {
        let mapped = mapping.map(topic, payload.as_bytes());
        let sound = mapped.samples().filter(|sample| sample.raw.is_ok()).count();
        assert!(sound > 0, "{topic}: {mapped:?}\n{report}");
    }
}

#[test]
fn what_is_mapped_or_known_already_is_left_out() {
    let known = topics_of(
        "topic = \"lift/{asset}/floor\"\n[[values]]\nquantity = \"f\"\nunit = \"1\"\n",
        &TimeZone::UTC,
    );
    let patterns = [known.unwrap()[0].topic.pattern.clone()];
    let report = heard(PLANT).report(&patterns, &BTreeSet::from(["ward-3a".to_owned()]), 60);
    assert!(report.contains("2 of the topics are mapped already") && !report.contains("lift/"), "{report}");
    assert!(!report.contains("id = \"ward-3a\"\n") && report.contains("id = \"ward_3b\"\n"), "{report}");
}

proptest! {
    /// Whatever is on a broker, the proposal is a file that can be read.
    #[test]
    fn any_broker_gives_a_proposal_that_can_be_pasted(
        messages in prop::collection::vec((
            "[a-cA-C0-2 ./{}$+\"\\\\温]{0,12}(/[a-c1-2]{0,3}){0,3}",
            prop_oneof![
                "[-0-9.,;]{0,12}", "[a-c\"\\\\\\n${}]{0,8}",
                r#"\{"(a|ts|name|b c|\\u0000|t~/)": ?("[a-z$]{0,4}"|[0-9]{1,13}|true|null|\[\{"name":"[a-c]","value":[0-9]\}\])(,"x":[0-9.]{1,3})?\}"#,
            ],
        ), 0..12),
    ) {
        let borrowed: Vec<(&str, &str)> = messages.iter().map(|(t, p)| (t.as_str(), p.as_str())).collect();
        let report = heard(&borrowed).report(&[], &BTreeSet::new(), 1);
        let loaded = pasted(&report);
        prop_assert!(loaded.is_ok(), "{}", loaded.unwrap_err());
    }
}
