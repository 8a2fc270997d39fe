//! GET /api/v1/series, /api/v1/series/statistics, /api/v1/series/as-of

use super::app::{START, TestApp, decimal};
use super::plant;
use axum::body::Body;
use axum::http::Request;
use futures_util::{FutureExt, StreamExt};
use plantroom::point::{Quality, Reason, UtcMs, Value as Reading, ValueKind};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tower::ServiceExt;

const PRESSURE: &str = "manifold/pressure";
const HOUR: i64 = 3_600_000;
const COLUMNS: &str = "application/vnd.plantroom.columns";

fn series(query: &str) -> String {
    format!("/api/v1/series?{query}")
}

/// Tenths.
#[expect(clippy::unnecessary_wraps, reason = "as a reading holds it")]
fn tenths(number: i64) -> Option<Reading> {
    Some(Reading::Decimal(plantroom::point::Decimal::new(number, -1).unwrap()))
}

/// Seeded numbers below `end` (the steps of Knuth's MMIX).
fn rolls(end: i64) -> impl Iterator<Item = i64> {
    let mut state = 1_u64;
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(state >> 33).unwrap() % end
    })
}

async fn columns_of(app: &TestApp, query: &str) -> (Value, Vec<f64>) {
    let request = Request::get(series(query)).header("host", "localhost:8080").header("accept", COLUMNS);
    let answer = app.ask(request.body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status.as_u16(), answer.headers["content-type"].to_str().unwrap()), (200, COLUMNS));
    let (length, rest) = answer.body.split_at(4);
    let length = u32::from_le_bytes(length.try_into().unwrap()) as usize;
    assert_eq!((4 + length) % 8, 0);
    let (header, cells) = rest.split_at(length);
    let cells = cells.chunks_exact(8).map(|cell| f64::from_le_bytes(cell.try_into().unwrap())).collect();
    (serde_json::from_slice(header).unwrap(), cells)
}

/// What both formats say of a number: none for null and NaN.
fn cells(json: &Value) -> Vec<Option<f64>> {
    json.as_array().unwrap().iter().map(Value::as_f64).collect()
}

fn unrolled(runs: &Value) -> Vec<Value> {
    let run = |run: &Value| vec![run[1].clone(); usize::try_from(run[0].as_u64().unwrap()).unwrap()];
    runs.as_array().unwrap().iter().flat_map(run).collect()
}

/// Checks that the bytes say what the JSON says.
async fn both_say_the_same(app: &TestApp, query: &str) -> Value {
    let json = app.get(&series(query)).await.json();
    let (header, numbers) = columns_of(app, query).await;
    let mut numbers = numbers.into_iter();
    for key in ["from", "to", "cut", "zone"] {
        assert_eq!(header[key], json[key]);
    }
    for (head, point) in header["series"].as_array().unwrap().iter().zip(json["series"].as_array().unwrap()) {
        for key in ["point", "unit", "symbol", "quality", "next"] {
            assert_eq!(head.get(key), point.get(key), "{key}");
        }
        for column in head["columns"].as_array().unwrap() {
            assert_eq!(column["type"], "f64");
            let name = column["name"].as_str().unwrap();
            let length = usize::try_from(column["length"].as_u64().unwrap()).unwrap();
            let found: Vec<_> = numbers.by_ref().take(length).map(|n| (!n.is_nan()).then_some(n)).collect();
            let expected = match name {
                "worst" => {
                    let rank = |word: &Value| {
                        ["good", "uncertain", "bad"]
                            .iter()
                            .zip([0.0, 1.0, 2.0])
                            .find(|(known, _)| word == **known)
                    };
                    unrolled(&point[name]).iter().map(|word| rank(word).map(|(_, rank)| rank)).collect()
                }
                _ if head.get("words").is_some() && name == "value" => {
                    let words = head["words"].as_array().unwrap();
                    let word = |n: &f64| {
                        words
                            .iter()
                            .zip(0_u32..)
                            .find(|(_, place)| f64::from(*place).to_bits() == n.to_bits())
                    };
                    let shown = found.iter().map(|n| n.map_or(&Value::Null, |n| word(&n).unwrap().0));
                    assert!(shown.eq(point[name].as_array().unwrap()));
                    found.clone()
                }
                _ => cells(&point[name]),
            };
            // The parser of the test may be one bit off.
            let same = |(a, b): (&Option<f64>, &Option<f64>)| match (a, b) {
                (Some(a), Some(b)) => (a - b).abs() <= f64::EPSILON * b.abs(),
                (a, b) => a == b,
            };
            assert!(found.len() == expected.len() && found.iter().zip(&expected).all(same), "{name}");
        }
    }
    assert_eq!(numbers.next(), None);
    json
}

#[tokio::test(start_paused = true)]
async fn hours_are_what_a_plain_computation_makes_of_the_readings() {
    let app = TestApp::start().await;
    // Six hours, the fourth of them silent; ten minutes past the hour a reading is missing.
    let mut plain: BTreeMap<i64, Vec<(i64, f64)>> = BTreeMap::new();
    let mut readings = Vec::new();
    for (minute, number) in (0..360).zip(rolls(9_000)).filter(|(minute, _)| minute / 60 != 3) {
        let at = START.plus_ms(minute * 60_000 + 17);
        if minute % 60 == 10 {
            readings.push((PRESSURE, at, None, Quality::Bad(Reason::Timeout)));
        } else {
            readings.push((PRESSURE, at, tenths(number), Quality::Good));
            plain
                .entry(minute / 60)
                .or_default()
                .push((at.0, f64::from(i32::try_from(number).unwrap()) / 10.0));
        }
    }
    app.record(readings).await;
    let (from, to) = (START.0 + 5, START.0 + 6 * HOUR - 5);
    let figures = "min,max,min_at,max_at,mean,first,last,sum,count,increase,good,worst";
    let query = format!("points={PRESSURE}&from={from}&to={to}&cut=1h&figures={figures}");
    let answer = both_say_the_same(&app, &query).await;
    // Whole hours by the clock, whatever was asked for.
    assert_eq!((&answer["from"], &answer["to"]), (&json!(START.0), &json!(START.0 + 6 * HOUR)));
    assert_eq!((&answer["cut"], &answer["zone"]), (&json!("1h"), &json!("Asia/Shanghai")));
    let point = &answer["series"][0];
    assert_eq!(
        (&point["point"], &point["unit"], &point["symbol"]),
        (&json!(PRESSURE), &json!("kPa{gauge}"), &json!("kPa"))
    );
    let mut before: Option<f64> = None;
    for hour in 0..6 {
        let place = usize::try_from(hour).unwrap();
        assert_eq!(point["at"][place], START.0 + hour * HOUR);
        let Some(numbers) = plain.get(&hour) else {
            for name in ["min", "max", "min_at", "max_at", "mean", "first", "last", "sum", "increase"] {
                assert_eq!(point[name][place], Value::Null, "{name}");
            }
            assert_eq!((&point["count"][place], &point["good"][place]), (&json!(0), &json!(0)));
            continue;
        };
        let least = numbers.iter().copied().reduce(|a, b| if b.1 < a.1 { b } else { a }).unwrap();
        let most = numbers.iter().copied().reduce(|a, b| if b.1 > a.1 { b } else { a }).unwrap();
        let sum: f64 = numbers.iter().map(|(_, number)| number).sum();
        let mut increase = 0.0;
        for (_, number) in numbers {
            increase += before.map_or(0.0, |before| if *number < before { *number } else { number - before });
            before = Some(*number);
        }
        let count = f64::from(u32::try_from(numbers.len()).unwrap());
        let near = |name: &str, expected: f64| {
            let found = point[name][place].as_f64().unwrap();
            assert!((found - expected).abs() < 1e-6, "{name} {hour}: {found} {expected}");
        };
        near("min", least.1);
        near("max", most.1);
        near("mean", sum / count);
        near("sum", sum);
        near("increase", increase);
        near("first", numbers[0].1);
        near("last", numbers[numbers.len() - 1].1);
        near("count", count);
        near("good", count);
        assert_eq!((&point["min_at"][place], &point["max_at"][place]), (&json!(least.0), &json!(most.0)));
    }
    assert_eq!(point["worst"], json!([[3, "bad"], [1, null], [2, "bad"]]));
}

#[tokio::test(start_paused = true)]
async fn a_civil_day_has_23_or_25_hours() {
    let mut plan = plant::plan();
    plan.site.zone = jiff::tz::TimeZone::get("Europe/Berlin").unwrap();
    let app = TestApp::start_with(plan).await;
    for (from, to, hours) in [
        ("2026-03-28T12:00:00+01:00", "2026-03-30T12:00:00+02:00", [24, 23, 24]),
        ("2026-10-24T12:00:00+02:00", "2026-10-26T12:00:00+01:00", [24, 25, 24]),
    ] {
        let begin = from.parse::<jiff::Timestamp>().unwrap().as_millisecond() - 12 * HOUR;
        let length: i64 = hours.iter().sum();
        let readings =
            (0..length).map(|hour| (PRESSURE, UtcMs(begin + hour * HOUR), tenths(hour), Quality::Good));
        app.record(readings).await;
        // The plus of an offset is a space to a query string; both are understood.
        let query =
            format!("points={PRESSURE}&from={}&to={to}&cut=1d&figures=count,first", from.replace('+', "%2B"));
        let answer = both_say_the_same(&app, &query).await;
        let point = &answer["series"][0];
        assert_eq!(point["count"], json!(hours));
        assert_eq!(
            point["first"],
            json!([0.0, 2.4, f64::from(i32::try_from(24 + hours[1]).unwrap()) / 10.0])
        );
        assert_eq!(answer["to"], begin + length * HOUR);
    }
}

#[tokio::test(start_paused = true)]
async fn a_chart_shows_the_spike_of_one_second_and_the_gap() {
    let app = TestApp::start().await;
    let value = |second| if second == 4_321 { tenths(9_999) } else { tenths(4_000) };
    let seconds = (0..6_000).filter(|second| !(2_000..3_000).contains(second));
    app.record(seconds.map(|second| (PRESSURE, START.plus_ms(second * 1_000), value(second), Quality::Good)))
        .await;
    let query = format!("points={PRESSURE}&from={}&to={}&cut=columns:60", START.0, START.0 + 6_000_000);
    let answer = both_say_the_same(&app, &query).await;
    let point = &answer["series"][0];
    assert_eq!(cells(&point["max"]).iter().flatten().filter(|max| **max > 999.0).count(), 1);
    assert_eq!(point["max"][43], 999.9);
    assert_eq!(
        cells(&point["mean"])[19..31].iter().map(Option::is_none).collect::<Vec<_>>(),
        [&[false][..], &[true; 10], &[false]].concat()
    );
    // A chart knows where it must shade.
    assert_eq!(point["worst"], json!([[20, "good"], [10, null], [30, "good"]]));
    assert_eq!(point["at"].as_array().unwrap().len(), 60);
}

#[tokio::test(start_paused = true)]
async fn a_value_weighs_as_long_as_it_held_and_no_longer_than_it_is_fresh() {
    let app = TestApp::start().await;
    // Stale after 15 s: 10 for 10 s, 40 for 15 s, and then nothing is known.
    let before = START.plus_ms(-5_000);
    app.record(
        [(before, 100), (START.plus_ms(5_000), 400)].map(|(at, n)| (PRESSURE, at, tenths(n), Quality::Good)),
    )
    .await;
    app.clock.jump(600_000);
    let query =
        format!("points={PRESSURE}&from={}&to={}&cut=1m&figures=weighted,count", START.0, START.0 + 120_000);
    let point = &both_say_the_same(&app, &query).await["series"][0];
    assert_eq!(point["weighted"], json!([(5.0 * 10.0 + 15.0 * 40.0) / 20.0, null]));
    assert_eq!(point["count"], json!([1, 0]));
}

#[tokio::test(start_paused = true)]
async fn raw_readings_come_in_pages_with_their_digits_and_qualities() {
    let mut plan = plant::plan();
    plan.points.push(plant::point("fan/word", plant::names("词", "Word"), "1", ValueKind::Text));
    let app = TestApp::start_with(plan).await;
    let (stop, run) = (app.texts.id("停机").unwrap(), app.texts.id("run").unwrap());
    let at = |n| START.plus_ms(n);
    app.record([
        (PRESSURE, at(1), Some(decimal("412.50")), Quality::Good),
        (PRESSURE, at(2), Some(decimal("0.1")), Quality::Good),
        (PRESSURE, at(3), None, Quality::Bad(Reason::Timeout)),
        (PRESSURE, at(4), Some(decimal("7")), Quality::Uncertain(Reason::Stale)),
        ("fan/running", at(1), Some(Reading::Bool(true)), Quality::Good),
        ("fan/running", at(2), Some(Reading::Bool(false)), Quality::Good),
        ("fan/word", at(1), Some(Reading::Text(run)), Quality::Good),
        ("fan/word", at(2), Some(Reading::Text(stop)), Quality::Good),
    ])
    .await;
    let query = format!("points={PRESSURE},fan/running,fan/word&from={}&to={}&cut=raw", at(0).0, at(5).0);
    let answer = both_say_the_same(&app, &query).await;
    let [pressure, running, word] = [0, 1, 2].map(|place| answer["series"][place].clone());
    assert_eq!(pressure["at"], json!([at(1).0, at(2).0, at(3).0, at(4).0]));
    assert_eq!(pressure["value"], json!([412.5, 0.1, null, 7]));
    assert_eq!(pressure["quality"], json!([[2, "good"], [1, "bad_timeout"], [1, "uncertain_stale"]]));
    assert_eq!((&running["value"], &word["value"]), (&json!([1, 0]), &json!(["run", "停机"])));
    assert!(app.get(&series(&query)).await.text().contains("[412.50,0.1,null,7]"));

    let (mut seen, mut from) = (Vec::new(), at(0).0);
    loop {
        let page = app
            .get(&series(&format!("points={PRESSURE}&from={from}&to={}&cut=raw&limit=3", at(5).0)))
            .await
            .json();
        let point = &page["series"][0];
        seen.extend(point["at"].as_array().unwrap().iter().map(|at| at.as_i64().unwrap() - START.0));
        let Some(next) = point["next"].as_i64() else { break };
        assert_eq!(seen.len(), 3);
        from = next;
    }
    assert_eq!(seen, [1, 2, 3, 4]);
}

/// A plant with so many points beside those of every test.
async fn with_points(count: usize) -> (TestApp, Vec<String>) {
    let mut plan = plant::plan();
    let addresses: Vec<String> = (0..count).map(|n| format!("fan/p{n}")).collect();
    let name = plant::names("点", "Point");
    plan.points.extend(
        addresses.iter().map(|address| plant::point(address, name.clone(), "kW", ValueKind::Decimal)),
    );
    (TestApp::start_with(plan).await, addresses)
}

#[tokio::test(start_paused = true)]
async fn twenty_four_points_come_in_the_order_asked_for() {
    let (app, addresses) = with_points(25).await;
    for (address, n) in addresses.iter().zip(0..) {
        app.record((0..10).map(|second| {
            (&**address, START.plus_ms(second * 1_000), tenths(n * 10 + second), Quality::Good)
        }))
        .await;
    }
    let mut wanted: Vec<_> = addresses[..24].to_vec();
    wanted.reverse();
    for cut in ["raw", "1s", "columns:7"] {
        let query = format!("points={}&from={}&to={}&cut={cut}", wanted.join(","), START.0, START.0 + 10_000);
        let answer = both_say_the_same(&app, &query).await;
        let points = answer["series"].as_array().unwrap();
        assert!(
            points.iter().map(|point| point["point"].as_str().unwrap()).eq(wanted.iter().map(String::as_str))
        );
        let firsts =
            points.iter().map(|point| point[if cut == "raw" { "value" } else { "min" }][0].as_f64().unwrap());
        assert!(firsts.eq((0..24).rev().map(f64::from)), "{cut}");
    }
    let all = addresses.join(",");
    assert_eq!(app.get(&series(&format!("points={all}&cut=raw"))).await.failure(), "400 bad_parameter");
    assert_eq!(app.get(&series(&format!("points={all}"))).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_page_of_small_charts_asks_once() {
    let (app, addresses) = with_points(321).await;
    let ask = |count: usize| {
        format!(
            "points={}&from=0&to=86400000&cut=columns:48&figures=min,mean,max",
            addresses[..count].join(",")
        )
    };
    let answer = app.get(&series(&ask(320))).await.json();
    assert_eq!(answer["series"].as_array().unwrap().len(), 320);
    assert_eq!(app.get(&series(&ask(321))).await.failure(), "400 bad_parameter");
}

#[tokio::test(start_paused = true)]
async fn a_long_answer_is_compressed_and_an_empty_one_is_whole() {
    let app = TestApp::start().await;
    let empty = format!("points={PRESSURE}&from=5&to=5");
    assert_eq!(both_say_the_same(&app, &empty).await["series"][0]["at"], json!([]));
    for accept in ["application/json", COLUMNS] {
        let request = Request::get(series(&format!("points={PRESSURE}&from=0&to=9000000")));
        let request =
            request.header("host", "localhost").header("accept", accept).header("accept-encoding", "gzip");
        let answer = app.ask(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.headers["content-encoding"], "gzip");
        assert!(answer.body.len() < 10_000, "{}", answer.body.len());
    }
}

/// More of them than questions may run at the same time.
#[tokio::test(start_paused = true)]
async fn a_question_withdrawn_gives_its_place_back() {
    let (app, addresses) = with_points(24).await;
    app.record(addresses.iter().map(|address| (&**address, START, tenths(1), Quality::Good))).await;
    let query = series(&format!(
        "points={}&from={}&to={}&cut=1s",
        addresses.join(","),
        START.0,
        START.0 + 10 * HOUR / 2
    ));
    for _ in 0..20 {
        assert!(app.get(&query).now_or_never().is_none());
        let request = Request::get(&query).header("host", "localhost:8080");
        let response = app.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let mut body = response.into_body().into_data_stream();
        assert!(body.next().await.unwrap().is_ok());
    }
    let answer = app.get(&series(&format!("points={PRESSURE}"))).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_question_is_pointed_at() {
    let app = TestApp::start().await;
    let hours = "from=0&to=3600000";
    for (query, code, words) in [
        ("", "bad_parameter", "The parameter points is missing. It is 1 to 320 addresses"),
        (
            "points=fan/speed,fan/speed",
            "bad_parameter",
            "The parameter points is \"fan/speed,fan/speed\". It is 1 to 320",
        ),
        ("points=fan/speed&cut=2d", "bad_parameter", "The parameter cut is \"2d\". It is raw, columns:N"),
        (
            "points=fan/speed&figures=median",
            "bad_parameter",
            "The parameter figures is \"median\". It is one of min, max,",
        ),
        ("points=fan/speed&figures=min,min", "bad_parameter", "The parameter figures is \"min\"."),
        (
            "points=fan/speed&cut=raw&figures=min",
            "bad_parameter",
            "The parameter figures is \"min\". It is not given with",
        ),
        (
            "points=fan/speed&trust=all",
            "bad_parameter",
            "The parameter trust is \"all\". It is usable or good.",
        ),
        (
            "points=fan/speed,fan/speed&cut=raw",
            "bad_parameter",
            "The parameter points is \"fan/speed,fan/speed\". It is 1 to 24",
        ),
        ("points=fan/speed&cut=raw&limit=0", "bad_parameter", "The parameter limit is \"0\"."),
        (
            "points=fan/speed&from=now",
            "bad_parameter",
            "The parameter from is \"now\". It is an instant in UTC",
        ),
        (
            "points=fan/speed&from=5&to=4",
            "bad_parameter",
            "The parameter from is \"5\". It is not later than to",
        ),
        ("points=fan/speed&step=1", "bad_parameter", "Failed to deserialize"),
        (
            "points=fan/speed&from=0&to=3600000000&cut=1s",
            "too_many_windows",
            "About 3600000 windows of each of 1 points are too many; 100000 are allowed. Ask for wider",
        ),
    ] {
        let answer = app.get(&series(query)).await;
        assert_eq!(answer.failure(), format!("400 {code}"), "{query}");
        assert!(answer.words().starts_with(words), "{}", answer.words());
    }
    for path in ["series", "series/statistics", "series/as-of"] {
        assert_eq!(app.get(&format!("/api/v1/{path}?points=a/b")).await.failure(), "404 not_found");
        assert_eq!(app.get(&format!("/api/v1/{path}?points=")).await.failure(), "404 not_found");
        assert_eq!(app.get(&format!("/api/v1/{path}")).await.failure(), "400 bad_parameter");
    }
    assert_eq!(
        app.get(&format!("/api/v1/series/as-of?points=fan/speed&{hours}")).await.failure(),
        "400 bad_parameter"
    );
}

#[tokio::test(start_paused = true)]
async fn statistics_say_what_a_time_comes_to() {
    let app = TestApp::start().await;
    let at = |second: i64| START.plus_ms(second * 1_000);
    app.record([
        (PRESSURE, at(-2), Some(decimal("1.00")), Quality::Good),
        (PRESSURE, at(0), Some(decimal("2.00")), Quality::Good),
        (PRESSURE, at(10), Some(decimal("4.50")), Quality::Uncertain(Reason::Stale)),
        (PRESSURE, at(15), None, Quality::Bad(Reason::Timeout)),
        (PRESSURE, at(18), Some(decimal("3.50")), Quality::Good),
    ])
    .await;
    app.clock.jump(60_000);
    let (from, to) = (START.0, START.0 + 20_000);
    let answer =
        app.get(&format!("/api/v1/series/statistics?points={PRESSURE},fan/speed&from={from}&to={to}")).await;
    let page = answer.json();
    let (first, second) = (&page["items"][0], &page["items"][1]);
    let expected = json!({
        "point": PRESSURE, "unit": "kPa{gauge}", "symbol": "kPa",
        "count": 3, "good": 2, "uncertain": 1, "bad": 1,
        "min": {"at": at(0).0, "value": 2.0}, "max": {"at": at(10).0, "value": 4.5},
        "first": {"at": at(0).0, "value": 2.0}, "last": {"at": at(18).0, "value": 3.5},
        "mean": 10.0 / 3.0, "weighted": (2.0 * 10.0 + 4.5 * 5.0 + 3.5 * 2.0) / 17.0, "deviation": first["deviation"],
        // 1 to 2, to 4.5, and 3.5 of a counter that began anew.
        "sum": 10.0, "increase": 7.0,
        "good_ms": 12_000, "uncertain_ms": 5_000, "bad_ms": 3_000,
    });
    assert_eq!(*first, expected);
    assert!((first["deviation"].as_f64().unwrap() - 1.258_305_739_2).abs() < 1e-9);
    assert!(answer.text().contains("\"sum\":10.00,\"increase\":7.00,"), "{}", answer.text());
    assert_eq!(
        (&second["count"], &second["min"], &second["mean"], &second["sum"]),
        (&json!(0), &json!(null), &json!(null), &json!(null))
    );
    let good = app
        .get(&format!("/api/v1/series/statistics?points={PRESSURE}&from={from}&to={to}&trust=good"))
        .await
        .json();
    assert_eq!((&good["items"][0]["count"], &good["items"][0]["max"]["value"]), (&json!(2), &json!(3.5)));
}

#[tokio::test(start_paused = true)]
async fn as_of_says_what_was_known() {
    let app = TestApp::start().await;
    // The last value lies a hundred days before the question.
    let long_ago = START.plus_ms(-100 * 24 * HOUR);
    app.record([
        (PRESSURE, long_ago, Some(decimal("412.50")), Quality::Good),
        (PRESSURE, START, None, Quality::Bad(Reason::Timeout)),
    ])
    .await;
    let path = format!("/api/v1/series/as-of?points={PRESSURE},fan/speed");
    let reading = json!({"at": START.0, "value": null, "quality": "bad", "reason": "timeout"});
    let value = json!({"at": long_ago.0, "value": 412.5, "quality": "good", "reason": null});
    let page = app.get(&format!("{path}&at=2026-11-22T08:00:00%2B08:00")).await.json();
    assert_eq!(page["at"], START.0);
    assert_eq!((&page["items"][0]["reading"], &page["items"][0]["value"]), (&reading, &value));
    assert_eq!((&page["items"][1]["reading"], &page["items"][1]["value"]), (&Value::Null, &Value::Null));
    let page = app.get(&format!("{path}&at={}", START.0 - 1)).await.json();
    assert_eq!((&page["items"][0]["reading"], &page["items"][0]["value"]), (&value, &value));
    let page = app.get(&format!("{path}&at={}", long_ago.0 - 1)).await.json();
    assert_eq!(page["items"][0]["reading"], Value::Null);
}

/// A year of 200 points at 15 min in the history; of 50 of them the hours, as at the first load of a
/// page of years. Numbers of the machine it runs on: `benches/README.md`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: cargo test --release --test it -- --ignored --nocapture measured_series"]
async fn measured_series() {
    let (app, addresses) = with_points(200).await;
    let (mut numbers, step_ms) = (rolls(30), 900_000);
    let year = UtcMs(START.0 - 365 * 24 * HOUR);
    for poll in 0..365 * 96 {
        let at = year.plus_ms(poll * step_ms);
        let wave = (poll % 96 - 48).abs();
        for (device, points) in addresses.chunks(10).enumerate() {
            let value = 200 + i64::try_from(device).unwrap() * 7 + wave;
            app.send(
                points
                    .iter()
                    .map(|point| (&**point, at, tenths(value + numbers.next().unwrap()), Quality::Good)),
            )
            .await;
        }
    }
    app.record([(PRESSURE, START, tenths(1), Quality::Good)]).await;
    let clock = plantroom::clock::Clock::system();

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/api/v1/series", listener.local_addr().unwrap());
    let mut server = tokio::task::JoinSet::new();
    let router = app.router.clone();
    server.spawn(async move { axum::serve(listener, router).await.unwrap() });
    let client = reqwest::Client::builder().build().unwrap();
    let span = format!("from={}&to={}&cut=1h&figures=min,max,mean,last,count", year.0, START.0);
    let parts: Vec<String> = addresses[..50].chunks(17).map(|part| part.join(",")).collect();
    for round in 0..5 {
        let begun = clock.mono();
        let (buckets, readings) = app.hours_of_a_year(&addresses[..50], year).await;
        println!(
            "round {round}: in process {} ms, {buckets} buckets, {readings} readings",
            clock.mono().since_ms(begun)
        );
        for accept in ["application/json", COLUMNS] {
            let (begun, mut bytes) = (clock.mono(), 0);
            for part in &parts {
                let request = client.get(format!("{base}?points={part}&{span}")).header("accept", accept);
                bytes += request.send().await.unwrap().bytes().await.unwrap().len();
            }
            println!("  {accept}: {} ms, {bytes} bytes", clock.mono().since_ms(begun));
        }
        let begun = clock.mono();
        let chart = format!("{base}?points={}&from={}&to={}", addresses[..24].join(","), year.0, START.0);
        let bytes = client.get(chart).send().await.unwrap().bytes().await.unwrap().len();
        println!("  24 points in 1,200 columns: {} ms, {bytes} bytes", clock.mono().since_ms(begun));
    }
}
