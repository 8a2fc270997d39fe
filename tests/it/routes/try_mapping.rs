//! POST /api/v1/try/mapping

use super::app::TestApp;
use serde_json::{Value, json};

const MAPPING: &str = "/api/v1/try/mapping";

const FANS: &str = r#"
[[mqtt.topics]]
topic = "plant/{asset}/telemetry"

[[mqtt.topics.values]]
quantity = "speed"
pointer = "/hz"
assets = ["fan", "fan-2"]
type = "float"
unit = "Hz"
scale = 0.1
name = { zh = "频率", en = "Frequency" }
"#;

async fn tried(app: &TestApp, config: &str, topic: &str, payload: &str) -> Value {
    let body = json!({"config": config, "topic": topic, "payload": payload});
    app.post(MAPPING, body).await.json()
}

#[tokio::test(start_paused = true)]
async fn a_message_gives_raw_values_for_points_there_are_and_points_there_would_be() {
    let app = TestApp::start().await;
    let answer = tried(&app, FANS, "plant/fan/telemetry", r#"{"hz":500}"#).await;
    assert_eq!((&answer["problems"], &answer["fits"]), (&json!([]), &json!(true)), "{answer}");
    assert_eq!(answer["filters"], json!(["plant/+/telemetry"]));
    assert_eq!(
        answer["samples"],
        json!([{
            "point": "fan/speed", "mapped": true, "known": true, "name": {"zh": "转速", "en": "Speed"},
            "unit": "Hz", "states": [], "value": 500, "fault": null, "doubted": false, "why": null, "at": null,
        }])
    );
    // One the configuration does not have yet, with the name the mapping gives; one it does not name.
    let new = tried(&app, FANS, "plant/fan-2/telemetry", r#"{"hz":1}"#).await["samples"][0].clone();
    assert_eq!(
        (&new["mapped"], &new["known"], &new["name"]["en"]),
        (&json!(true), &json!(false), &json!("Frequency"))
    );
    let other = tried(&app, FANS, "plant/pump/telemetry", r#"{"hz":1}"#).await;
    assert!(other["samples"].as_array().unwrap().iter().all(|one| one["mapped"] == false), "{other}");
    // Nothing was added to the plant.
    assert_eq!(app.get("/api/v1/points/fan-2/speed").await.failure(), "404 not_found");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_says_why() {
    let app = TestApp::start().await;
    for (payload, fault, why) in [
        (r#"{"rpm":1}"#, "decoding", "no_member"),
        (r#"{"hz":[1]}"#, "decoding", "no_value"),
        (r#"{"hz":null}"#, "not_available", "null"),
        (r#"{"hz":"fast"}"#, "decoding", "not_a_number"),
    ] {
        let sample = tried(&app, FANS, "plant/fan/telemetry", payload).await["samples"][0].clone();
        assert_eq!((&sample["fault"], &sample["why"]), (&json!(fault), &json!(why)), "{payload}: {sample}");
        assert_eq!(sample["value"], Value::Null, "{payload}");
    }
    let none = tried(&app, FANS, "lift/fan/floor", "1").await;
    assert_eq!((&none["fits"], &none["samples"]), (&json!(false), &json!([])));
}

#[tokio::test(start_paused = true)]
async fn a_mistake_in_the_mapping_points() {
    let app = TestApp::start().await;
    let wrong = FANS.replace("\"Hz\"", "\"Hertz\"");
    let answer = tried(&app, &wrong, "plant/fan/telemetry", "{}").await;
    let problem = &answer["problems"][0];
    assert_eq!((&problem["line"], &problem["column"]), (&json!(10), &json!(8)), "{answer}");
    assert!(problem["what"].as_str().unwrap().contains("Hertz"), "{answer}");
    assert_eq!(answer["samples"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn bytes_are_given_as_digits() {
    let app = TestApp::start().await;
    let config = "topic = \"a/b\"\nasset = \"fan\"\nbytes = {}\n[[values]]\nquantity = \"speed\"\nunit = \"Hz\"\nbytes = { at = 1, type = \"u16\" }\n";
    let ask = |payload: &str| json!({"config": config, "topic": "a/b", "payload": payload, "hex": true});
    let answer = app.post(MAPPING, ask("ff 01\n02")).await.json();
    assert_eq!(answer["samples"][0]["value"], 258, "{answer}");
    let short = app.post(MAPPING, ask("ff01")).await.json();
    assert_eq!(short["samples"][0]["why"], "too_short", "{short}");
    for payload in ["f", "zz", "0x00", "ff 0"] {
        assert_eq!(app.post(MAPPING, ask(payload)).await.failure(), "400 bad_body", "{payload}");
    }
}

/// What a person, or a program, may send: mistakes of the mapping, and never a failure; no file and no
/// variable of this machine is looked at.
#[tokio::test(start_paused = true)]
async fn nonsense_is_a_mistake_and_never_a_failure() {
    let app = TestApp::start().await;
    let deep = format!("x = {}1{}", "[".repeat(5_000), "]".repeat(5_000));
    let many = "[[mqtt.topics]]\n".repeat(3_000);
    let secret = FANS.replace("\"speed\"", "\"${PATH}\"");
    for config in [
        "x",
        "[[mqtt.topics]]",
        "\0",
        "topic = 5",
        "topic = \"#\"\nvalues = []",
        "topic = \"a/{b}{c}\"\nvalues = []",
        "include = [\"/etc/passwd\"]",
        "[site]\nid = \"x\"",
        deep.as_str(),
        &many,
        &secret,
        "topics = 1",
    ] {
        let answer = tried(&app, config, "a", "1").await;
        let shown: String = config.chars().take(60).collect();
        assert!(!answer["problems"].as_array().unwrap().is_empty(), "{shown}: {answer}");
        assert!(!answer.to_string().contains("/usr/bin"), "{shown}");
    }
    for (topic, payload) in [
        ("", ""),
        ("\0", "\0"),
        ("plant/fan/telemetry", "{"),
        ("plant//telemetry", "{}"),
        ("plant/🚑/telemetry", "{\"hz\":1e999}"),
    ] {
        let answer = tried(&app, FANS, topic, payload).await;
        assert_eq!(answer["problems"], json!([]), "{topic:?} {payload:?}");
    }
    for body in [
        json!({}),
        json!({"config": "", "topic": "a"}),
        json!({"config": "", "topic": "a", "payload": "", "save": 1}),
    ] {
        assert_eq!(app.post(MAPPING, body).await.failure(), "400 bad_body");
    }
    let huge = json!({"config": FANS, "topic": "a", "payload": "x".repeat(70_000)});
    assert_eq!(app.post(MAPPING, huge).await.failure(), "413 body_too_large");
}

#[tokio::test(start_paused = true)]
async fn a_message_of_thousands_is_told_in_part() {
    let app = TestApp::start().await;
    let config = FANS.replace(
        "topic = \"plant/{asset}/telemetry\"",
        "topic = \"all\"\neach = \"/list\"\nasset_from = \"/id\"",
    );
    let items = vec![r#"{"id":"fan","hz":1}"#; 300].join(",");
    let answer = tried(&app, &config, "all", &format!("{{\"list\":[{items}]}}")).await;
    let samples = answer["samples"].as_array().unwrap();
    assert_eq!((samples.len(), &answer["unlisted"]), (200, &json!(100)), "{}", answer["problems"]);
}
