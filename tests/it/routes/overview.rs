//! GET /api/v1/overview

use super::app::{START, TestApp, decimal};
use super::plant::{names, plan, point};
use plantroom::config::{Asset, Plan, System};
use plantroom::point::{Quality, Reason, Value, ValueKind};
use serde_json::{Value as Json, json};

async fn cell(app: &TestApp, system: &str) -> Json {
    let overview = app.get("/api/v1/overview").await.json();
    let items = overview["items"].as_array().unwrap();
    items.iter().find(|cell| cell["system"] == system).cloned().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_cell_for_each_system_in_each_building() {
    let app = TestApp::start().await;
    let overview = app.get("/api/v1/overview").await.json();
    assert_eq!(overview["now"], START.0);
    let shape = |cell: &Json| json!([cell["system"], cell["building"], cell["assets"], cell["points"]]);
    let cells: Vec<Json> = overview["items"].as_array().unwrap().iter().map(shape).collect();
    assert_eq!(
        cells,
        [
            json!(["electrical", "main", 1, 1]),
            json!(["hvac", "main", 1, 3]),
            json!(["medical_gas", "main", 1, 1])
        ]
    );
    let hvac = cell(&app, "hvac").await;
    let machine = app.get("/api/v1/assets/fan").await.json();
    assert_eq!(hvac["key"], json!([machine["points"][0], machine["points"][1]]));
    assert_eq!(hvac["comms"], json!({"good": 0, "total": 3}), "nothing was read yet");
    assert_eq!(hvac["alarms"], json!({"worst_priority": null, "open": 0, "unacknowledged": 0}));
    assert_eq!(hvac["work_orders_open"], 0);
}

#[tokio::test(start_paused = true)]
async fn comms_counts_readings_that_arrive_in_time() {
    let app = TestApp::start().await;
    let table = [
        (Quality::Good, 1),
        // The line works; what the instrument says is another matter.
        (Quality::Uncertain(Reason::OutOfRange), 1),
        (Quality::Uncertain(Reason::Frozen), 1),
        (Quality::Uncertain(Reason::Stale), 0),
        (Quality::Uncertain(Reason::Substituted), 0),
        (Quality::Bad(Reason::Timeout), 0),
        (Quality::Bad(Reason::SensorFailure), 0),
    ];
    for (n, (quality, good)) in (1..).zip(table) {
        let value = (!matches!(quality, Quality::Bad(_))).then_some(Value::F64(30.0));
        app.sense("fan/speed", value, quality, START.plus_ms(n)).await;
        assert_eq!(cell(&app, "hvac").await["comms"], json!({"good": good, "total": 3}), "{quality}");
    }
}

#[tokio::test(start_paused = true)]
async fn alarms_and_orders_stand_in_the_cell_of_their_asset() {
    let app = TestApp::start().await;
    app.read("manifold/pressure", decimal("300"), START.plus_ms(1_000)).await;
    let gas = cell(&app, "medical_gas").await;
    assert_eq!(gas["alarms"], json!({"worst_priority": 1, "open": 1, "unacknowledged": 1}));
    assert_eq!(gas["work_orders_open"], 1);
    assert_eq!(cell(&app, "hvac").await["alarms"]["open"], 0);

    app.post("/api/v1/alarms/1/acknowledge", json!({"by": "Li"})).await.json();
    let gas = cell(&app, "medical_gas").await;
    assert_eq!(gas["alarms"], json!({"worst_priority": 1, "open": 1, "unacknowledged": 0}));
    app.read("manifold/pressure", decimal("500"), START.plus_ms(2_000)).await;
    let gas = cell(&app, "medical_gas").await;
    assert_eq!(gas["alarms"], json!({"worst_priority": null, "open": 0, "unacknowledged": 0}));
    assert_eq!(gas["work_orders_open"], 1, "a person closes it");
}

/// Assets in three buildings and in none, of three systems and of none, with points and keys by their numbers.
fn many() -> Plan {
    let mut plan = plan();
    let systems = [Some(System::Water), Some(System::Heat), None];
    for building in ["b0", "b1", "b2"] {
        plan.assets.push(Asset::plain(building.parse().unwrap(), "Building", names("楼", "Building"), None));
    }
    for n in 0..300_usize {
        let parent = match n % 4 {
            3 => None,
            building => Some(format!("b{building}").parse().unwrap()),
        };
        let asset = Asset::plain(format!("m{n}").parse().unwrap(), "Pump", names("泵", "Pump"), parent);
        let key: Vec<_> = (0..n % 3).rev().map(|k| format!("q{k}").parse().unwrap()).collect();
        plan.assets.push(Asset { system: systems[n % 5 % 3], key, ..asset });
        for k in 0..n % 7 + 2 {
            plan.points.push(point(&format!("m{n}/q{k}"), names("量", "Quantity"), "1", ValueKind::Decimal));
        }
    }
    plan
}

#[tokio::test(start_paused = true)]
async fn the_cells_are_what_counting_asset_by_asset_gives() {
    let plan = many();
    let app = TestApp::start_with(plan.clone()).await;
    for (n, point) in plan.points.iter().enumerate().filter(|(n, _)| n % 3 == 0) {
        let at = START.plus_ms(i64::try_from(n).unwrap());
        app.sense(&point.address.to_string(), Some(decimal("1")), Quality::Good, at).await;
    }
    let overview = app.get("/api/v1/overview").await.json();
    let cells = overview["items"].as_array().unwrap();
    assert_eq!(cells.len(), 3 + 2 * 4);
    for cell in cells.iter().filter(|cell| ["water", "heat"].contains(&cell["system"].as_str().unwrap())) {
        let of = |asset: &&Asset| {
            asset.system.is_some_and(|system| system.word() == cell["system"])
                && asset.parent.as_ref().map_or(Json::Null, |parent| json!(parent.as_str()))
                    == cell["building"]
        };
        let assets: Vec<&Asset> = plan.assets.iter().filter(of).collect();
        let points = plan.points.iter().enumerate();
        let points: Vec<usize> = points
            .filter(|(_, point)| assets.iter().any(|asset| asset.id == point.address.asset))
            .map(|(n, _)| n)
            .collect();
        assert_eq!(json!([cell["assets"], cell["points"]]), json!([assets.len(), points.len()]));
        let good = points.iter().filter(|n| *n % 3 == 0).count();
        assert_eq!(cell["comms"], json!({"good": good, "total": points.len()}));
        // The first key of each asset before the second of any.
        let rank = |rank: usize| {
            assets.iter().filter_map(move |asset| Some(format!("{}/{}", asset.id, asset.key.get(rank)?)))
        };
        let expected: Vec<String> = rank(0).chain(rank(1)).take(4).collect();
        let shown: Vec<&str> =
            cell["key"].as_array().unwrap().iter().map(|key| key["address"].as_str().unwrap()).collect();
        assert_eq!(shown, expected);
    }
}

/// A plan of 5,000 machines with ten points each, in twenty buildings and all systems.
fn large() -> Plan {
    let mut plan = plan();
    let building = |n: usize| format!("house-{}", n % 20);
    for n in 0..20 {
        let names = names("住院楼", "Inpatient building");
        plan.assets.push(Asset::plain(building(n).parse().unwrap(), "Building", names, None));
    }
    for n in 0..5_000_usize {
        let id = format!("air-handling-unit-{n}").parse().unwrap();
        let parent = Some(building(n).parse().unwrap());
        let asset = Asset::plain(id, "Air_Handling_Unit", names("空调机组", "Air handling unit"), parent);
        let key = (0..6).map(|k| format!("quantity_{k}").parse().unwrap()).collect();
        plan.assets.push(Asset { system: Some(System::ALL[n / 20 % 8]), key, ..asset });
        for k in 0..10 {
            let address = format!("air-handling-unit-{n}/quantity_{k}");
            plan.points.push(point(
                &address,
                names("送风温度", "Supply air temperature"),
                "Cel",
                ValueKind::F64,
            ));
        }
    }
    plan
}

/// What a page of the largest site asks for again and again: 50,000 points on 5,000 machines.
#[tokio::test(start_paused = true)]
async fn of_a_large_site_the_answer_is_small_and_counts_right() {
    let app = TestApp::start_with(large()).await;
    for n in (0..5_000).step_by(10) {
        let at = START.plus_ms(i64::from(n));
        app.sense(&format!("air-handling-unit-{n}/quantity_3"), Some(Value::F64(21.5)), Quality::Good, at)
            .await;
    }
    #[expect(clippy::disallowed_methods, reason = "printed, not asserted; the app's own clock stands still")]
    let begun = std::time::Instant::now();
    let answer = app.get("/api/v1/overview").await;
    let (spent, bytes) = (begun.elapsed(), answer.text().len());
    println!("the overview of 50,000 points: {bytes} bytes within {spent:?}");
    assert!((1_000..1_000_000).contains(&bytes), "{bytes} bytes");
    let overview = answer.json();
    let cells = overview["items"].as_array().unwrap();
    let large =
        |cell: &&Json| cell["building"].as_str().is_some_and(|building| building.starts_with("house-"));
    let cells: Vec<&Json> = cells.iter().filter(large).collect();
    // One in eight of the 250 machines of a house.
    assert_eq!(cells.len(), 20 * 8);
    let sum =
        |of: &dyn Fn(&Json) -> &Json| -> u64 { cells.iter().map(|cell| of(cell).as_u64().unwrap()).sum() };
    assert_eq!(sum(&|cell| &cell["assets"]), 5_000);
    assert_eq!(sum(&|cell| &cell["points"]), 50_000);
    assert_eq!(sum(&|cell| &cell["comms"]["total"]), 50_000);
    assert_eq!(sum(&|cell| &cell["comms"]["good"]), 500);
    for cell in cells {
        let assets = cell["assets"].as_u64().unwrap();
        assert!((31..=32).contains(&assets) && cell["points"] == json!(10 * assets), "{cell}");
        assert_eq!(cell["key"].as_array().unwrap().len(), 4, "{cell}");
    }
}
