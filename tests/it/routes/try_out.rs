//! POST /api/v1/try/expression

use super::app::{START, TestApp, decimal};
use plantroom::point::{Quality, Reason};
use serde_json::{Value, json};

const EXPRESSION: &str = "/api/v1/try/expression";

async fn tried(app: &TestApp, formula: &str) -> Value {
    app.post(EXPRESSION, json!({"formula": formula})).await.json()
}

async fn mistake(app: &TestApp, formula: &str) -> Value {
    let answer = tried(app, formula).await;
    assert_eq!(answer["result"], Value::Null, "{answer}");
    answer["mistake"].clone()
}

#[tokio::test(start_paused = true)]
async fn an_expression_gives_its_value_and_what_it_comes_from() {
    let app = TestApp::start().await;
    app.read("manifold/pressure", decimal("412.50"), START).await;
    let answer = tried(&app, "manifold/pressure > 400 kPa{gauge}").await;
    let result = &answer["result"];
    assert_eq!(answer["mistake"], Value::Null);
    assert_eq!(
        (&result["says"], &result["value"], &result["quality"], &result["unit"]),
        (&json!("condition"), &json!(true), &json!("good"), &Value::Null)
    );
    assert_eq!(
        result["inputs"],
        json!([{
            "point": "manifold/pressure", "name": {"zh": "供氧压力", "en": "Supply pressure"},
            "symbol": "kPa", "decimals": 2, "states": [], "value": 412.5, "quality": "good", "reason": null,
            "at": START.0, "decided": true, "windows": [],
        }])
    );
    let words = result["words"][0]["en"].as_str().unwrap();
    assert!(words.starts_with("manifold/pressure: 412.50 kPa (good, "), "{words}");
    assert!(result["words"][0]["zh"].as_str().unwrap().contains("良好"));
}

#[tokio::test(start_paused = true)]
async fn a_number_comes_in_the_unit_asked_for_with_exact_digits() {
    let app = TestApp::start().await;
    app.read("manifold/pressure", decimal("412.50"), START).await;
    let body = json!({"formula": "manifold/pressure", "unit": "MPa{gauge}"});
    let answer = app.post(EXPRESSION, body).await;
    let result = &answer.json()["result"];
    assert_eq!((&result["unit"], &result["symbol"]), (&json!("MPa{gauge}"), &json!("MPa")));
    assert!(answer.text().contains("\"value\":0.41250,"), "{}", answer.text());
    let body = json!({"formula": "manifold/pressure", "unit": "kW"});
    let wrong = app.post(EXPRESSION, body).await.json();
    assert!(wrong["mistake"]["what"].as_str().unwrap().contains("kW is wanted"), "{wrong}");
}

#[tokio::test(start_paused = true)]
async fn what_is_bad_makes_unknown_and_says_so() {
    let app = TestApp::start().await;
    app.read("main-meter/energy", decimal("100"), START).await;
    app.read_with("manifold/pressure", None, Quality::Bad(Reason::Timeout), START).await;
    let answer = tried(&app, "manifold/pressure > 400 kPa{gauge} and main-meter/energy > 1 kW.h").await;
    let result = &answer["result"];
    assert_eq!((&result["value"], &result["quality"]), (&Value::Null, &json!("bad")));
    assert_eq!(result["reason"], "timeout");
    let decided: Vec<_> = result["inputs"].as_array().unwrap().iter().map(|one| &one["decided"]).collect();
    assert_eq!(decided, [&json!(true), &json!(false)]);
    // A point that never spoke is there too, without a time.
    let silent = tried(&app, "fan/speed > 10 Hz").await["result"]["inputs"][0].clone();
    assert_eq!(
        (&silent["at"], &silent["quality"], &silent["value"]),
        (&Value::Null, &json!("bad"), &Value::Null)
    );
}

#[tokio::test(start_paused = true)]
async fn a_window_is_read_from_the_history_up_to_the_newest_value() {
    let app = TestApp::start().await;
    for (minute, value) in [(-12, "100"), (-8, "104"), (-4, "110")] {
        app.read("main-meter/energy", decimal(value), START.plus_ms(minute * 60_000)).await;
    }
    // Current, and not on disk.
    app.sense("main-meter/energy", Some(decimal("111")), Quality::Good, START).await;
    let result = tried(&app, "increase(main-meter/energy, 10 min)").await["result"].clone();
    assert_eq!((&result["value"], &result["unit"]), (&json!(11), &json!("kW.h")), "{result}");
    let window = &result["inputs"][0]["windows"][0];
    assert_eq!(
        (&window["length_ms"], &window["readings"], &window["coverage"]),
        (&json!(600_000), &json!(3), &json!(1.0))
    );
    assert_eq!(result["moves_with_time"], true);
    // More than half of it is empty.
    let empty = tried(&app, "increase(main-meter/energy, 1 h)").await["result"].clone();
    assert_eq!((&empty["value"], &empty["quality"]), (&Value::Null, &json!("bad")), "{empty}");
}

#[tokio::test(start_paused = true)]
async fn a_mistake_points_at_its_characters() {
    let app = TestApp::start().await;
    for (formula, start, end, what) in [
        ("manifold/pressur > 1 kPa{gauge}", 0, 16, "manifold/pressur"),
        ("fan/mode == \"停\" and fan/spee > 1 Hz", 20, 28, "fan/spee"),
        ("manifold/pressure > 400 kW", 20, 26, "kW"),
        ("", 0, 0, ""),
        ("1 +", 3, 3, ""),
        ("fan/running == \"runing\"", 15, 23, "runing"),
    ] {
        let mistake = mistake(&app, formula).await;
        assert_eq!(mistake["part"], "formula", "{formula}: {mistake}");
        assert_eq!(
            (&mistake["start"], &mistake["end"]),
            (&json!(start), &json!(end)),
            "{formula}: {mistake}"
        );
        assert!(mistake["what"].as_str().unwrap().contains(what), "{formula}: {mistake}");
    }
    assert!(
        mistake(&app, "manifold/pressur > 1 kPa{gauge}").await["help"]
            .as_str()
            .unwrap()
            .contains("manifold/pressure")
    );
}

/// What a person, or a program, may type: each is answered with a mistake, none with a failure.
#[tokio::test(start_paused = true)]
async fn nonsense_is_a_mistake_and_never_a_failure() {
    let app = TestApp::start().await;
    let long = "1 + ".repeat(600);
    let deep = format!("{}1{}", "(".repeat(500), ")".repeat(500));
    let many = vec!["fan/speed"; 100].join(" + ");
    let costly = "avg(main-meter/energy, 7 d) > 1 kW.h";
    for formula in [
        long.as_str(),
        &deep,
        costly,
        "unknown",
        "\"a\" \"b\"",
        "\0",
        "\u{202e}",
        "{\"a\":1}",
        "a/b",
        "fan/../speed",
        "fan/speed; drop table",
        "1e999 > 1",
        "fan/speed > NaN",
        "avg(fan/speed, 0 s)",
        "avg(fan/speed, 1 a)",
        "avg(fan/speed, -1 h)",
        "`",
        "`fan/speed",
        "🚑",
        "not",
        "if(1,2,3)",
        "99999999999999999999999999",
    ] {
        let mistake = mistake(&app, formula).await;
        let (start, end) = (mistake["start"].as_u64().unwrap(), mistake["end"].as_u64().unwrap());
        assert!(start <= end && end <= formula.chars().count() as u64, "{formula}: {mistake}");
        assert!(!mistake["what"].as_str().unwrap().is_empty(), "{formula}");
    }
    // As many points as it likes of one kind are one input.
    assert_eq!(tried(&app, &many).await["result"]["inputs"].as_array().unwrap().len(), 1);
    for unit in ["", "furlong", "\0", &"k".repeat(10_000)] {
        let answer = app.post(EXPRESSION, json!({"formula": "fan/speed", "unit": unit})).await.json();
        assert_eq!((&answer["mistake"]["part"], &answer["result"]), (&json!("unit"), &Value::Null), "{unit}");
        assert!(answer.to_string().len() < 1_000, "{unit}");
    }
    for body in
        [json!({}), json!({"formula": 1}), json!({"formula": "1", "save": true}), json!([]), json!(null)]
    {
        assert_eq!(app.post(EXPRESSION, body).await.failure(), "400 bad_body");
    }
    let huge = json!({"formula": "x".repeat(70_000)});
    assert_eq!(app.post(EXPRESSION, huge).await.failure(), "413 body_too_large");
    assert_eq!(app.get(EXPRESSION).await.failure(), "405 method_not_allowed");
}

#[tokio::test(start_paused = true)]
async fn trying_leaves_nothing_behind() {
    let app = TestApp::start().await;
    app.read("manifold/pressure", decimal("412.50"), START).await;
    let seen = async || (app.get("/api/v1/values").await.json(), app.get("/api/v1/events").await.json());
    let before = seen().await;
    tried(&app, "manifold/pressure < 1 kPa{gauge} or increase(main-meter/energy, 1 h) > 1 kW.h").await;
    assert_eq!(seen().await, before);
}
