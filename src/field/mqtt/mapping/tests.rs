//! Whole topics as a file has them, and what they make of messages.

use super::*;
use crate::config::topics_of;
use crate::field::Fault;
use crate::point::{Decimal, Value};
use jiff::tz::TimeZone;
use proptest::prelude::*;

/// The topics of a text, and a number for each of their points, from 1 in their order.
pub fn mapping(text: &str) -> (Mapping, Vec<Address>) {
    let zone = TimeZone::get("Asia/Shanghai").unwrap();
    let tried = topics_of(text, &zone).unwrap_or_else(|wrong| panic!("{wrong}"));
    let points: Vec<Address> =
        tried.iter().flat_map(|tried| tried.points.iter().map(|point| point.address.clone())).collect();
    let numbered = points.iter().cloned().zip((1..).map(PointId)).collect();
    let topics: Vec<config::Topic> = tried.into_iter().map(|tried| tried.topic).collect();
    (Mapping::new(&topics, &numbered).unwrap(), points)
}

/// What a message becomes, in words: `address=value@time`, a fault as `!fault`, a doubt as `?value`.
pub fn says((mapping, points): &(Mapping, Vec<Address>), topic: &str, payload: &[u8]) -> Vec<String> {
    let mapped = mapping.map(topic, payload);
    let mut said = Vec::new();
    for part in &mapped.parts {
        let at = part.source_at.map_or(String::new(), |at| format!("@{}", at.0));
        for sample in &part.samples {
            let address = &points[sample.point.0 as usize - 1];
            said.push(format!("{address}={}{at}", word(&sample.raw)));
        }
    }
    said.extend(mapped.unknown.map(|unknown| format!("unknown {unknown}")));
    said.extend(mapped.unreadable.map(|(what, why)| format!("{what}: {why:?}")));
    said
}

fn word(raw: &Result<Raw, Fault>) -> String {
    match raw {
        Ok(Raw::Value(Value::Decimal(number))) => number.to_string(),
        Ok(Raw::Value(Value::Bool(on))) => on.to_string(),
        Ok(Raw::Value(Value::F64(number))) => format!("{number}f"),
        Ok(Raw::Text(text)) => format!("{text:?}"),
        Ok(Raw::Doubted(raw)) => format!("?{}", word(&Ok((**raw).clone()))),
        Ok(other) => format!("{other:?}"),
        Err(fault) => format!("!{fault:?}"),
    }
}

const WARD: &str = r#"
[[mqtt.topics]]
topic = "plant/{asset}/telemetry"
[[mqtt.topics.values]]
quantity = "temperature"
pointer = "/t"
assets = ["ward-3"]
unit = "Cel"
[[mqtt.topics.values]]
quantity = "humidity"
pointer = "/env/h"
assets = ["ward-3"]
unit = "%"

[[mqtt.topics]]
topic = "lift/{n}/floor"
asset_from = "lift-{n}"
[[mqtt.topics.values]]
quantity = "floor"
assets = ["lift-2"]
unit = "1"

[[mqtt.topics]]
topic = "tank/level"
asset = "tank-1"
[[mqtt.topics.values]]
quantity = "level"
unit = "m"
"#;

#[test]
fn captures_build_the_address_and_digits_stay() {
    let ward = mapping(WARD);
    let filters: Vec<_> = ward.0.filters().into_iter().collect();
    assert_eq!(filters, ["lift/+/floor", "plant/+/telemetry", "tank/level"]);
    assert_eq!(
        says(&ward, "plant/ward-3/telemetry", br#"{"t": 21.50, "env": {"h": "47"}}"#),
        ["ward-3/temperature=21.50", "ward-3/humidity=47"]
    );
    assert_eq!(says(&ward, "lift/2/floor", b" -1\n"), ["lift-2/floor=-1"]);
    assert_eq!(ward.0.fixed_points(), BTreeSet::from([PointId(4)]));
}

#[test]
fn an_unknown_address_is_named_and_an_unknown_topic_is_not() {
    let ward = mapping(WARD);
    assert_eq!(says(&ward, "lift/9/floor", b"3"), ["unknown lift-9/floor"]);
    assert!(says(&ward, "lift/9/floor/x", b"3").is_empty());
    assert_eq!(says(&ward, "plant/Ward 3/telemetry", b"{}"), ["unknown Ward 3/temperature"]);
}

#[test]
fn what_cannot_be_read_is_said_for_every_point_it_was_meant_for() {
    let ward = mapping(WARD);
    for (payload, fault, why) in [
        (&b"\xff"[..], Fault::Decoding, Unreadable::NotText),
        (b"", Fault::Decoding, Unreadable::NotJson),
        (b"{\"t\": 21.5", Fault::Decoding, Unreadable::NotJson),
        (b"[21.5]", Fault::Decoding, Unreadable::NoMember),
        (br#"{"t": null, "env": {"h": null}}"#, Fault::NotAvailable, Unreadable::Null),
        (br#"{"t": "warm", "env": {"h": "-"}}"#, Fault::Decoding, Unreadable::NotANumber),
        (br#"{"t": {}, "env": {"h": ""}}"#, Fault::Decoding, Unreadable::NoValue),
        (&vec![b' '; PAYLOAD_MAX + 1], Fault::Decoding, Unreadable::TooLong),
    ] {
        let mapped = ward.0.map("plant/ward-3/telemetry", payload);
        let raws: Vec<_> = mapped.samples().map(|sample| sample.raw.clone()).collect();
        assert_eq!(raws, [Err(fault), Err(fault)], "{why}");
        assert_eq!(mapped.unreadable, Some(("ward-3/temperature".to_owned(), why)));
        assert_eq!(mapped.failed(), 2);
    }
    // One member missing does not take the other with it.
    assert_eq!(
        says(&ward, "plant/ward-3/telemetry", br#"{"env": {"h": 1}}"#),
        ["ward-3/temperature=!Decoding", "ward-3/humidity=1", "ward-3/temperature: NoMember"]
    );
}

const READINGS: &str = r#"
topic = "gw/{area}"
each = "/readings"
asset_from = "/sn"
assets = { "24E1A" = "ward-3a", "24e1b" = "ward-3b" }
quantity_from = "/name"
time = { from = "/ts", format = "unix-s" }
quality = { from = "/q", words = { "" = "good", "0" = "good", "1" = "uncertain", "9" = "sensor" } }
unit_from = "/unit"

[[values]]
quantity = "temperature"
key = "t1"
pointer = "/value"
unit = "Cel"

[[values]]
quantity = "power"
key = "P"
pointer = "/value"
unit = "kW"

[[values]]
quantity = "door"
pointer = "/value"
type = "bool"
unit = "1"
"#;

#[test]
fn a_list_of_points_with_names_times_units_and_qualities() {
    let gateway = mapping(READINGS);
    let payload = br#"{"ts": 1700000000, "sn": "24e1a", "unit": "W", "readings": [
        {"name": "t1", "value": 294.65, "unit": "K"},
        {"name": "P", "value": 1500},
        {"name": "P", "value": 2, "sn": "24E1B", "ts": "1700000001.5", "unit": "kW", "q": 1},
        {"name": "P", "value": 3, "sn": "24e1b", "ts": 1700000001.5, "unit": "kW", "q": 9},
        {"name": "P", "value": 3, "unit": "hours"},
        {"name": "P", "value": 3, "unit": "Cel"},
        {"name": "door", "value": "Open", "unit": ""}
    ]}"#;
    assert_eq!(
        says(&gateway, "gw/3", payload),
        [
            "ward-3a/temperature=21.50@1700000000000",
            "ward-3a/power=1.500@1700000000000",
            "ward-3b/power=?2@1700000001500",
            "ward-3b/power=!Sensor@1700000001500",
            "ward-3a/power=!Decoding@1700000000000",
            "ward-3a/power=!Decoding@1700000000000",
            "ward-3a/door=!Decoding@1700000000000",
            "ward-3a/power: UnknownUnit",
        ]
    );
    assert_eq!(gateway.0.map("gw/3", payload).parts.len(), 3, "one for each moment");
    for (payload, said) in [
        (r#"{"readings": [{"name": "x", "value": 1, "sn": "24e1a"}]}"#, "unknown ward-3a/x"),
        (r#"{"readings": [{"name": "P", "value": 1, "sn": "77"}]}"#, "unknown 77/P"),
        (r#"{"readings": [{"name": "P", "value": 1}]}"#, "the message: NoAsset"),
        (r#"{"readings": [{"sn": "24e1a", "value": 1}]}"#, "the message: NoQuantity"),
        (r#"{"readings": 5}"#, "the message: NoItems"),
        ("{}", "the message: NoItems"),
        ("[", "the message: NotJson"),
    ] {
        assert_eq!(says(&gateway, "gw/3", payload.as_bytes()), [said], "{payload}");
    }
    // A value without a time it should have is there, at the time of the message, and doubtful.
    assert_eq!(
        says(
            &gateway,
            "gw/3",
            br#"{"readings": [{"name": "P", "value": 1, "sn": "24e1a", "unit": "kW", "ts": "noon"}]}"#
        ),
        ["ward-3a/power=?1", "ward-3a/power: BadTime"]
    );
}

#[test]
fn every_member_of_an_object_by_its_name() {
    let meter = mapping(
        r#"
topic = "/meter/{asset}/{kind}"
each = "/data"
quantity_from = "{key}"
only_if = { "/type" = "data" }
time = { from = "/time", format = "%Y%m%d%H%M%S" }
[[values]]
quantity = "voltage_a"
key = "Ua"
assets = ["m-1"]
unit = "V"
[[values]]
quantity = "current_a"
key = "Ia"
assets = ["m-1"]
unit = "A"
"#,
    );
    let payload =
        r#"{"type": "data", "time": "20200709130030", "data": {"Ua": "220.10", "Ia": 1.5, "x": [1]}}"#;
    assert_eq!(
        says(&meter, "/meter/m-1/live", payload.as_bytes()),
        ["m-1/voltage_a=220.10@1594270830000", "m-1/current_a=1.5@1594270830000", "unknown m-1/x"]
    );
    let no_data = br#"{"type": "data"}"#;
    assert_eq!(says(&meter, "/meter/m-1/live", no_data).last().unwrap(), "m-1/voltage_a: NoItems");
    assert!(says(&meter, "/meter/m-1/live", br#"{"type": "login"}"#).is_empty());
    assert!(says(&meter, "/meter/m-1/live", br#"{"type": "login", "data": {"Ua": 1}}"#).is_empty());
}

#[test]
fn tables_by_column_name_and_by_column_number() {
    let named = mapping(
        r#"
topic = "log/{asset}"
csv = { separator = ";", header = true }
time = { from = "time", format = "%Y-%m-%d %H:%M:%S", zone = "Europe/Berlin" }
[[values]]
quantity = "temperature"
column = "T (C)"
assets = ["fridge"]
unit = "Cel"
sentinels = [{ raw = -127, means = "sensor" }]
"#,
    );
    assert_eq!(
        says(&named, "log/fridge", b"time;T (C);x\n2026-01-01 08:00:00;4.50;\n2026-01-01 08:05:00;-127.0;\n"),
        ["fridge/temperature=4.50@1767250800000", "fridge/temperature=!Sensor@1767251100000"]
    );
    assert_eq!(
        says(&named, "log/fridge", b"time;x\n2026-01-01 08:00:00;4.50"),
        ["fridge/temperature=!Decoding@1767250800000", "fridge/temperature: NoColumn"]
    );
    assert_eq!(
        says(&named, "log/fridge", b""),
        ["fridge/temperature=!Decoding", "fridge/temperature: NoItems"]
    );
    let numbered = mapping(
        r#"
topic = "csv"
csv = {}
asset_from = 1
quantity_from = 2
[[values]]
quantity = "flow"
key = "F1"
column = 3
assets = ["pump-1"]
unit = "m3/h"
"#,
    );
    assert_eq!(
        says(&numbered, "csv", b"pump-1,F1,7.25\npump-1,F2,1\npump-9,F1,1\n"),
        ["pump-1/flow=7.25", "unknown pump-1/F2"]
    );
}

#[test]
fn bytes_raw_and_written_as_text() {
    let values = r#"
[[values]]
quantity = "temperature"
bytes = { record = "0367", type = "i16", order = "ba" }
optional = true
assets = ["s-1"]
scale = 0.1
unit = "Cel"
[[values]]
quantity = "humidity"
bytes = { record = "0468", type = "u8" }
assets = ["s-1"]
scale = 0.5
unit = "%"
"#;
    let marks = r#"records = { "0175" = 1, "0367" = 2, "0468" = 1 }"#;
    let coded = mapping(&format!(
        "topic = \"up/{{asset}}\"\nbytes = {{ from = \"/data\", written = \"base64\", {marks} }}\n{values}"
    ));
    assert_eq!(
        says(&coded, "up/s-1", br#"{"data": "A2fqAARoTwUAAA=="}"#),
        ["s-1/temperature=234", "s-1/humidity=79"]
    );
    // What may be left out is no fault, what may not is one.
    assert_eq!(says(&coded, "up/s-1", br#"{"data": "AXVkBGhP"}"#), ["s-1/humidity=79"]);
    assert_eq!(
        says(&coded, "up/s-1", br#"{"data": "AXVk"}"#),
        ["s-1/humidity=!Decoding", "s-1/humidity: NoRecord"]
    );
    assert_eq!(
        says(&coded, "up/s-1", br#"{"data": "?"}"#),
        ["s-1/temperature=!Decoding", "s-1/humidity=!Decoding", "s-1/temperature: NotBytes"]
    );
    let raw = mapping(&format!("topic = \"up/{{asset}}\"\nbytes = {{ {marks} }}\n{values}"));
    assert_eq!(
        says(&raw, "up/s-1", &[3, 0x67, 0xff, 0xff, 4, 0x68, 0xff]),
        ["s-1/temperature=-1", "s-1/humidity=255"]
    );
    assert_eq!(
        says(&raw, "up/s-1", &[4, 0x68, 80, 3, 0x67, 0xff]),
        ["s-1/temperature=!Decoding", "s-1/humidity=80", "s-1/temperature: TooShort"]
    );
    let plain = mapping(
        r#"
topic = "raw"
asset = "tank"
[[values]]
quantity = "level"
bytes = { at = 1, type = "f32" }
unit = "m"
[[values]]
quantity = "full"
bytes = { type = "u8", bit = 7 }
unit = "1"
[[values]]
quantity = "batch"
bytes = { at = 5, type = "text:4" }
unit = "1"
"#,
    );
    assert_eq!(
        says(&plain, "raw", b"\x80\x41\xac\x00\x00AB\0\0"),
        ["tank/level=21.5f", "tank/full=true", "tank/batch=\"AB\""]
    );
    assert_eq!(says(&plain, "raw", &[0, 0x7f, 0xc0, 0, 0, b'A', 0, 0, 0])[0], "tank/level=!Sensor");
}

#[test]
fn a_quantity_in_the_topic_chooses_its_value_and_the_rest_is_one_capture() {
    let topics = mapping(
        r#"
[[topics]]
topic = "site/sensor-{asset}/{quantity}"
[[topics.values]]
quantity = "temperature"
key = "T"
assets = ["7"]
unit = "Cel"
[[topics.values]]
quantity = "state"
pointer = "/s"
words = { "运行" = 1, "停止" = 0 }
assets = ["7"]
unit = "1"

[[topics]]
topic = "deep/{rest...}"
asset_from = "{rest}"
assets = { "a/b/c" = "chiller" }
[[topics.values]]
quantity = "power"
unit = "kW"
"#,
    );
    assert_eq!(says(&topics, "site/sensor-7/T", b"21.0"), ["7/temperature=21.0"]);
    assert_eq!(says(&topics, "site/sensor-7/state", r#"{"s":"运行"}"#.as_bytes()), ["7/state=1"]);
    assert_eq!(
        says(&topics, "site/sensor-7/state", r#"{"s":"检修"}"#.as_bytes()),
        ["7/state=!Decoding", "7/state: UnknownWord"]
    );
    assert_eq!(says(&topics, "site/sensor-7/pressure", b"1"), ["unknown 7/pressure"]);
    assert_eq!(says(&topics, "site/sensor-/T", b"1"), [""; 0]);
    assert_eq!(says(&topics, "deep/a/b/c", b"3"), ["chiller/power=3"]);
    let filters: Vec<_> = topics.0.filters().into_iter().collect();
    assert_eq!(filters, ["deep/#", "site/+/+"]);
}

#[test]
fn more_items_than_are_read_are_said() {
    let list =
        mapping("topic = \"t\"\neach = \"\"\nasset = \"a\"\n[[values]]\nquantity = \"v\"\nunit = \"1\"\n");
    let payload = format!("[{}1]", "1,".repeat(ITEMS_MAX));
    let mapped = list.0.map("t", payload.as_bytes());
    assert_eq!(mapped.samples().count(), ITEMS_MAX);
    assert_eq!(mapped.unreadable, Some(("the message".into(), Unreadable::TooManyItems)));
}

#[test]
fn a_topic_is_tried_before_any_file_knows_its_assets() {
    let tried = topics_of(READINGS, &TimeZone::UTC).unwrap();
    let payload = br#"{"ts": 1700000000, "readings": [
        {"sn": "24e1a", "name": "P", "value": 1500, "unit": "W"},
        {"sn": "new", "name": "t1", "value": "hot", "unit": "K"},
        {"sn": "24e1a", "name": "x", "value": 1}]}"#;
    let seen = Mapping::try_one(&tried[0].topic, "gw/3", payload).unwrap();
    assert_eq!((seen.filter.as_str(), seen.fits), ("gw/+", true));
    assert_eq!(seen.captures, [("area".to_owned(), "3".to_owned())]);
    let values: Vec<_> = seen
        .values
        .iter()
        .map(|v| (v.asset.as_str(), v.is_known, v.quantity.as_str(), word(&v.raw), v.unit.to_string(), v.why))
        .collect();
    assert_eq!(
        values,
        [
            ("ward-3a", true, "power", "1.500".into(), "kW".into(), None),
            ("new", false, "temperature", "!Decoding".into(), "Cel".into(), Some(Unreadable::NotANumber)),
        ]
    );
    assert_eq!(seen.unknown, ["ward-3a/x"]);
    assert!(!Mapping::try_one(&tried[0].topic, "other", payload).unwrap().fits);
}

#[test]
fn thousands_of_devices_share_a_topic() {
    use std::fmt::Write;
    let mut text = "topic = \"up/{id}\"\nasset_from = \"{id}\"\nassets = {".to_owned();
    for n in 0..5_000 {
        let _ok = write!(text, "{} \"eui{n}\" = \"s-{n}\"", if n == 0 { "" } else { "," });
    }
    text.push_str("}\n[[values]]\nquantity = \"v\"\nunit = \"1\"\n");
    let many = mapping(&text);
    assert_eq!(many.0.filters().len(), 1);
    assert_eq!(says(&many, "up/EUI4999", b"1.0"), ["s-4999/v=1.0"]);
}

#[test]
fn a_log_gets_the_beginning_and_no_control_characters() {
    assert_eq!(shorten(b"a\n\x1b[31m"), "a\\n\\u{1b}[31m");
    assert_eq!(shorten("氧".repeat(81).as_bytes()), format!("{}…", "氧".repeat(80)));
    assert_eq!(shorten("氧".repeat(80).as_bytes()), "氧".repeat(80));
    assert_eq!(shorten(br#"{"t": 1}"#), r#"{"t": 1}"#, "JSON stays JSON");
    assert_eq!(shorten(&vec![b'x'; PAYLOAD_MAX]).chars().count(), 81);
}

fn any_payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        r#"[{}\[\]:,"tenvh0-9.+\-truefalsnNaI \\u]{0,60}"#.prop_map(String::into_bytes),
        r#"\{"t": ?[-0-9.eE"a]{0,24}, "env": \{"h": [0-9.]{0,30}\}\}"#.prop_map(String::into_bytes),
    ]
}

proptest! {
    #[test]
    fn any_message_gives_samples_or_a_reason_and_no_panic(
        topic in "(plant|lift|tank)/(ward-3|2|level|)(/telemetry|/floor)?", payload in any_payload()
    ) {
        let mapped = mapping(WARD).0.map(&topic, &payload);
        let meant = match topic.as_str() {
            "plant/ward-3/telemetry" => 2,
            "lift/2/floor" | "tank/level" => 1,
            _ => 0,
        };
        prop_assert_eq!(mapped.samples().count(), meant);
        let unreadable = mapped.samples().any(|sample| matches!(sample.raw, Err(Fault::Decoding | Fault::NotAvailable)));
        prop_assert_eq!(mapped.unreadable.is_some(), unreadable);
        prop_assert!(shorten(&payload).len() <= 1_000);
    }

    #[test]
    fn every_decimal_arrives_with_its_digits(mantissa: i32, exponent in -9_i8..=0) {
        let sent = Decimal::new(mantissa.into(), exponent).unwrap().to_string();
        let ward = mapping(WARD);
        for (topic, payload) in [
            ("tank/level", sent.clone()),
            ("plant/ward-3/telemetry", format!("{{\"t\":{sent},\"env\":{{\"h\":\"{sent}\"}}}}")),
        ] {
            for said in says(&ward, topic, payload.as_bytes()) {
                prop_assert_eq!(said.split_once('=').map(|(_, value)| value), Some(sent.as_str()));
            }
        }
    }
}
