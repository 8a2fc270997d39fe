//! GET /api/v1/energy/meters, .../meters/{id}/days, .../meters/{id}/cells

use super::app::{START, TestApp};
use serde_json::json;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn a_meter_comes_with_its_tariff() {
    let app = TestApp::start().await;
    let answer = app.get("/api/v1/energy/meters").await;
    let meters = answer.json();
    let meter = &meters["items"][0];
    assert_eq!(
        (&meter["id"], &meter["point"], &meter["unit"], &meter["symbol"]),
        (&json!("main"), &json!("main-meter/energy"), &json!("kW.h"), &json!("kWh"))
    );
    let tariff = &meter["tariff"];
    assert_eq!((&tariff["id"], &tariff["currency"]), (&json!("tou"), &json!("CNY")));
    assert_eq!(tariff["half_hours"].as_array().unwrap().len(), 48);
    assert_eq!(tariff["half_hours"][16], 0);
    assert_eq!(tariff["classes"][0]["name"], json!({"zh": "峰", "en": "Peak"}));
    assert!(answer.text().contains("\"price\":1.05"), "{}", answer.text());
}

/// 08:00 to 08:15 is peak: 12.50 kWh at 1.05 yuan are 13.125 yuan.
#[tokio::test(start_paused = true)]
async fn a_day_adds_up_and_costs_exactly() {
    let app = TestApp::start().await;
    for minute in 0..=15 {
        let counts = 100_000 + minute * 1_250 / 15;
        let reading = plantroom::point::Decimal::new(counts, -2).unwrap();
        let at = START.plus_ms(minute * 60_000);
        app.read("main-meter/energy", plantroom::point::Value::Decimal(reading), at).await;
    }
    // The quarter hour is over, and the stage has counted.
    tokio::time::sleep(Duration::from_mins(20)).await;
    let answer = app.get("/api/v1/energy/meters/main/days?from=2026-11-21&to=2026-11-22").await;
    let days = answer.json();
    assert_eq!(
        (&days["meter"], &days["symbol"], &days["currency"]),
        (&json!("main"), &json!("kWh"), &json!("CNY"))
    );
    let (before, day) = (&days["days"][0], &days["days"][1]);
    assert_eq!(
        (&before["energy"], &before["cost"], &before["missing"]),
        (&json!(null), &json!(null), &json!(96))
    );
    assert_eq!((&day["date"], &day["cells"], &day["good"]), (&json!("2026-11-22"), &json!(96), &json!(1)));
    assert_eq!(day["start"].as_i64().unwrap(), START.0 - 8 * 3_600_000);
    assert_eq!(day["end"].as_i64().unwrap(), START.0 + 16 * 3_600_000);
    assert!(answer.text().contains("\"energy\":12.50,\"cost\":13.1250,"), "{}", answer.text());
    assert!(
        answer.text().contains("{\"id\":\"peak\",\"energy\":12.50,\"cost\":13.1250}"),
        "{}",
        answer.text()
    );

    let (from, to) = (START.0, START.0 + 900_000);
    let cells = app.get(&format!("/api/v1/energy/meters/main/cells?from={from}&to={to}")).await.json();
    assert_eq!(
        cells,
        json!({"items": [{"start": from, "end": to, "energy": 12.5, "quality": "good", "class": "peak"}]})
    );
}

/// A reading that comes late is said until it is counted; then the quarter hours hold it.
#[tokio::test(start_paused = true)]
async fn what_comes_late_is_said_and_counted() {
    let app = TestApp::start().await;
    let read = async |minute: i64, counts: i64| {
        let reading = plantroom::point::Decimal::new(100_000 + counts, -2).unwrap();
        let at = START.plus_ms(minute * 60_000);
        app.read("main-meter/energy", plantroom::point::Value::Decimal(reading), at).await;
    };
    let day = async || {
        let answer = app.get("/api/v1/energy/meters/main/days?from=2026-11-22&to=2026-11-22").await.json();
        (answer["recounted_from"].clone(), answer["days"][0]["energy"].clone())
    };
    read(0, 0).await;
    read(30, 100).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(day().await, (json!(null), json!(1.0)));
    read(15, 90).await;
    read(-15, -40).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(day().await, (json!(START.0 - 15 * 60_000), json!(1.0)));
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(day().await, (json!(null), json!(1.4)));
    let (from, to) = (START.0 - 900_000, START.0 + 1_800_000);
    let cells = app.get(&format!("/api/v1/energy/meters/main/cells?from={from}&to={to}")).await.json();
    let cells: Vec<_> =
        cells["items"].as_array().unwrap().iter().map(|cell| cell["energy"].clone()).collect();
    assert_eq!(cells, [json!(0.4), json!(0.9), json!(0.1)]);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_question_is_pointed_at() {
    let app = TestApp::start().await;
    let meter = "/api/v1/energy/meters/main";
    for (path, words) in [
        ("days", "The parameter from is missing. It is a civil day such as 2026-11-22."),
        ("days?from=2026-02-30&to=2026-03-01", "The parameter from is \"2026-02-30\"."),
        (
            "days?from=2026-11-02&to=2026-11-01",
            "The parameter from is \"2026-11-02\". It is not later than to.",
        ),
        (
            "days?from=2020-01-01&to=2026-11-01",
            "The parameter from is \"2020-01-01\". It is at most 400 days before to.",
        ),
        ("cells?from=0", "The parameter to is missing. It is an instant in UTC milliseconds."),
        ("cells?from=5&to=4", "The parameter from is \"5\". It is not later than to."),
        ("cells?from=0&to=99999999999999", "The parameter from is \"0\". It is at most 400 days before to."),
    ] {
        let answer = app.get(&format!("{meter}/{path}")).await;
        assert_eq!(answer.failure(), "400 bad_parameter", "{path}");
        assert!(answer.words().starts_with(words), "{path}: {}", answer.words());
    }
    let unknown = app.get("/api/v1/energy/meters/none/days?from=2026-11-01&to=2026-11-01").await;
    assert_eq!(unknown.failure(), "404 not_found");
    assert_eq!(unknown.words(), "There is no meter none. GET /api/v1/energy/meters lists them.");
}
