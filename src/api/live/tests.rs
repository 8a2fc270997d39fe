//! The session against a plant of a few points, without a clock or a socket.

use super::feeds::Feeds;
use super::protocol::{
    Answer, ClientMessage, POINTS_MAX, Selection, Session, World, encode_event, encode_heartbeat,
};
use crate::api::plant::Plant;
use crate::clock::{Mono, Now};
use crate::config;
use crate::db::Event;
use crate::historian::Texts;
use crate::point::{
    Address, Batch, Decimal, Names, PointId, Quality, Reading, Reason, UtcMs, Value, ValueKind,
};
use crate::readings::Current;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

/// Points `plant/p1`, `plant/p2` ... with the numbers 1, 2 ...
struct House {
    plant: Plant,
    current: Current,
    texts: Texts,
    feeds: Feeds,
    now_ms: u32,
}

impl House {
    fn new(points: u32) -> House {
        let plan = plan(points);
        let number = |address: &Address| address.quantity.as_str().strip_prefix('p')?.parse().ok();
        let ids: Vec<PointId> = (1..=points).map(PointId).collect();
        House {
            plant: Plant::new(&plan, |address| number(address).map(PointId)),
            current: Current::new(&ids, UtcMs(0)),
            texts: Texts::default(),
            feeds: Feeds::default(),
            now_ms: 0,
        }
    }

    fn world(&self) -> World<'_> {
        World {
            now: Now { utc: UtcMs(1_000_000 + i64::from(self.now_ms)), mono: Mono(u64::from(self.now_ms)) },
            epoch: "e1",
            build: "b1",
            last_seq: 40,
            plant: &self.plant,
            current: &self.current,
            texts: &self.texts,
            feeds: &self.feeds,
        }
    }

    fn set(&self, point: u32, value: Option<Value>, quality: Quality) {
        let at = UtcMs(1_000_000 + i64::from(self.now_ms));
        self.current.apply(&Batch {
            device: "d".into(),
            source_at: None,
            received_at: at,
            at_error_ms: 0,
            readings: vec![Reading { point: PointId(point), at, value, quality }],
        });
    }

    fn good(&self, point: u32, text: &str) {
        self.set(point, Some(Value::Decimal(text.parse().unwrap())), Quality::Good);
    }

    /// A session that has said hello.
    fn greeted(&self) -> Session {
        let mut session = Session::default();
        session.receive(r#"{"t":"hello","v":2}"#, &self.world());
        session
    }

    fn tell(&self, session: &mut Session, message: &Json) -> Vec<String> {
        session.receive(&message.to_string(), &self.world()).messages
    }

    /// The code of the one refusal a message gets.
    fn refusal(&self, session: &mut Session, message: &Json) -> String {
        let messages = self.tell(session, message);
        let [only] = messages.as_slice() else { panic!("{messages:?}") };
        let refused: Json = serde_json::from_str(only).unwrap();
        assert_eq!(refused["t"], "err", "{refused}");
        format!("{} {}", refused["id"], refused["code"].as_str().unwrap())
    }
}

fn plan(points: u32) -> config::Plan {
    let point = |n: u32| config::Point {
        address: format!("plant/p{n}").parse().unwrap(),
        formerly: Vec::new(),
        name: Names::default(),
        unit: "kW".parse().unwrap(),
        kind: ValueKind::Decimal,
        scale: Decimal::ONE,
        offset: Decimal::ZERO,
        range: None,
        stale_after_ms: 1,
        decimals: 0,
        states: vec![],
        conditioning: config::Conditioning::default(),
    };
    config::Plan {
        site: config::Site {
            id: "s".parse().unwrap(),
            name: Names::default(),
            zone: jiff::tz::TimeZone::get("Asia/Shanghai").unwrap(),
        },
        http: config::Http { listen: ([127, 0, 0, 1], 0).into() },
        history: config::History::default(),
        assets: Vec::new(),
        feeds: Vec::new(),
        points: (1..=points).map(point).collect(),
        buses: Vec::new(),
        brokers: Vec::new(),
        derived: Vec::new(),
        targets: Vec::new(),
        rules: Vec::new(),
        meters: Vec::new(),
        tariffs: Vec::new(),
    }
}

#[test]
fn the_bytes_of_every_message() {
    let mut house = House::new(4);
    house.good(1, "12.50");
    house.set(2, Some(Value::F64(0.1)), Quality::Uncertain(Reason::Stale));
    house.set(3, Some(Value::Text(house.texts.id("自动").unwrap())), Quality::Good);
    let mut session = Session::default();
    let answer = session.receive(r#"{"t":"hello","v":2,"epoch":null,"seq":null}"#, &house.world());
    assert_eq!(
        answer,
        Answer {
            messages: vec![
                r#"{"t":"hi","epoch":"e1","now":1000000,"seq":40,"tz":"Asia/Shanghai","build":"b1"}"#.into()
            ],
            events_after: Some(40)
        }
    );
    let sub = json!({"t": "sub", "id": 7, "points": ["plant/p3", "plant/p1", "plant/p2", "plant/p4"]});
    assert_eq!(
        house.tell(&mut session, &sub),
        [concat!(
            r#"{"t":"snap","id":7,"now":1000000,"points":["plant/p3","plant/p1","plant/p2","plant/p4"],"#,
            r#""v":["自动",12.50,0.1,null],"q":[0,0,1,2],"r":[null,null,"stale","initial"],"at":[1000000,1000000,1000000,0]}"#
        )]
    );

    house.now_ms = 999;
    house.good(1, "12.60");
    house.set(4, None, Quality::Bad(Reason::Timeout));
    assert_eq!(session.tick(&house.world()), Vec::<String>::new());
    house.now_ms = 1_000;
    house.set(2, Some(Value::Bool(true)), Quality::Good);
    assert_eq!(
        session.tick(&house.world()),
        [concat!(
            r#"{"t":"d","id":7,"now":1001000,"d":[1,12.60,1,true,1,null],"#,
            r#""at":[-1,1,0,1,-1,1],"q":[0,null,2,2,"timeout",1]}"#
        )]
    );
    assert_eq!(encode_heartbeat(house.world().now), r#"{"t":"hb","now":1001000}"#);
    let event = Event {
        seq: 41,
        at: UtcMs(5),
        kind: "alarm.raised".into(),
        subject: "alarm:3".into(),
        body: json!({"a": "\"\n"}),
    };
    assert_eq!(
        encode_event(&event),
        r#"{"t":"ev","seq":41,"at":5,"kind":"alarm.raised","subject":"alarm:3","body":{"a":"\"\n"}}"#
    );
}

#[test]
fn a_hello_that_comes_back_goes_on_where_it_was() {
    let house = House::new(1);
    for (hello, resync, after) in [
        (json!({"t": "hello", "v": 2, "epoch": "e1", "seq": 12}), false, 12),
        (json!({"t": "hello", "v": 2, "epoch": "e1", "seq": null}), false, 40),
        (json!({"t": "hello", "v": 2, "seq": 40}), false, 40),
        // Another process, or a log that was restored from before.
        (json!({"t": "hello", "v": 2, "epoch": "e0", "seq": 12}), true, 40),
        (json!({"t": "hello", "v": 2, "epoch": "e1", "seq": 41}), true, 40),
        (json!({"t": "hello", "v": 2, "epoch": "e1", "seq": -5}), false, 0),
    ] {
        let answer = Session::default().receive(&hello.to_string(), &house.world());
        assert_eq!(answer.events_after, Some(after), "{hello}");
        assert_eq!(answer.messages.len(), 1 + usize::from(resync), "{hello}");
        assert_eq!(answer.messages.last().unwrap() == r#"{"t":"resync"}"#, resync, "{hello}");
    }
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let house = House::new(2);
    let mut session = Session::default();
    let sub = |points: Json| json!({"t": "sub", "id": 1, "points": points});
    for version in [1, 3] {
        let hello = json!({"t": "hello", "v": version});
        assert_eq!(house.refusal(&mut session, &hello), "null unsupported_version");
    }
    assert_eq!(house.refusal(&mut session, &sub(json!("*"))), "null hello_first");
    assert_eq!(house.refusal(&mut session, &json!({"t": "vis", "hidden": true})), "null hello_first");

    let mut session = house.greeted();
    assert_eq!(house.tell(&mut session, &sub(json!(["plant/p1"]))).len(), 1);
    for (message, refused) in [
        (sub(json!(["plant/p1", "plant/p9"])), "1 unknown_point"),
        (sub(json!(["PLANT/p1"])), "1 unknown_point"),
        (sub(json!(["x".repeat(100_000)])), "1 unknown_point"),
        (sub(json!("plant/p1")), "null bad_message"),
        (sub(json!([1])), "null bad_message"),
        (json!({"t": "sub", "id": 1, "points": "*", "min_ms": 99}), "1 bad_min_ms"),
        (json!({"t": "sub", "id": 1, "points": "*", "min_ms": 60_001}), "1 bad_min_ms"),
        (json!({"t": "sub", "id": -1, "points": "*"}), "null bad_message"),
        (json!({"t": "sub", "id": 1, "points": "*", "sel": "hvac"}), "null bad_message"),
        (json!({"t": "bye"}), "null bad_message"),
        (json!({"id": 1}), "null bad_message"),
        (json!([]), "null bad_message"),
    ] {
        assert_eq!(house.refusal(&mut session, &message), refused, "{message}");
    }
    let long = house.tell(&mut session, &sub(json!(["x".repeat(100_000)])));
    assert!(long[0].len() < 500, "{}", long[0].len());
    // The subscription from before is still there.
    house.good(1, "5");
    let later = House { now_ms: 5_000, ..house };
    assert_eq!(session.tick(&later.world()).len(), 1);
}

#[test]
fn a_connection_has_its_limits() {
    let house = House::new(100);
    let mut session = house.greeted();
    let one = |id: usize| json!({"t": "sub", "id": id, "points": ["plant/p1"]});
    for id in 0..64 {
        assert!(house.tell(&mut session, &one(id))[0].starts_with(r#"{"t":"snap""#));
    }
    assert_eq!(house.refusal(&mut session, &one(64)), "64 too_many_subscriptions");
    // A number in use is replaced, and a given-up one is free.
    assert!(house.tell(&mut session, &one(63))[0].starts_with(r#"{"t":"snap""#));
    assert_eq!(house.tell(&mut session, &json!({"t": "unsub", "id": 0})), Vec::<String>::new());
    assert!(house.tell(&mut session, &one(64))[0].starts_with(r#"{"t":"snap""#));

    let mut session = house.greeted();
    for id in 0..POINTS_MAX / 100 {
        assert!(
            house.tell(&mut session, &json!({"t": "sub", "id": id, "points": "*"}))[0]
                .starts_with(r#"{"t":"snap""#)
        );
    }
    assert_eq!(house.refusal(&mut session, &one(60)), "60 too_many_points");
}

#[test]
fn hidden_is_silent_and_shown_is_a_snapshot() {
    let mut house = House::new(2);
    let mut session = house.greeted();
    house.tell(&mut session, &json!({"t": "sub", "id": 1, "points": "*", "min_ms": 100}));
    assert_eq!(session.due(), Some(Mono(100)));
    house.tell(&mut session, &json!({"t": "vis", "hidden": true}));
    assert_eq!(session.due(), None);
    house.now_ms = 500;
    house.good(1, "1");
    assert_eq!(session.tick(&house.world()), Vec::<String>::new());
    let shown = house.tell(&mut session, &json!({"t": "vis", "hidden": false}));
    assert!(shown[0].contains(r#""v":[1,null]"#), "{shown:?}");
    // Shown twice is shown once.
    assert_eq!(house.tell(&mut session, &json!({"t": "vis", "hidden": false})), Vec::<String>::new());
    house.now_ms = 600;
    assert_eq!(session.tick(&house.world()), Vec::<String>::new());
    house.tell(&mut session, &json!({"t": "unsub", "id": 1}));
    assert_eq!(session.due(), None);
}

#[test]
fn who_watches_the_same_in_step_shares_the_bytes() {
    let mut house = House::new(3);
    let ids: Vec<PointId> = (1..=3).map(PointId).collect();
    let (a, b) = (house.feeds.open(ids.clone(), 1_000), house.feeds.open(ids.clone(), 1_000));
    let slower = house.feeds.open(ids, 2_000);
    let since = house.current.version();
    house.now_ms = 1_000;
    house.good(2, "7");
    let first = a.changes(since, &house.world());
    house.now_ms = 1_005;
    house.good(2, "8");
    let second = b.changes(since, &house.world());
    assert!(std::sync::Arc::ptr_eq(first.tail.as_ref().unwrap(), second.tail.as_ref().unwrap()));
    // Whoever is not in step gets its own, complete.
    let other = slower.changes(since, &house.world());
    assert!(other.tail.unwrap().contains(r#""d":[1,8],"at":[0,1],"q":[0,null,1]"#));
    // What came within the tick is told in the next one.
    house.now_ms = 2_000;
    assert!(
        a.changes(second.until, &house.world())
            .tail
            .unwrap()
            .contains(r#""d":[1,8],"at":[-995,1],"q":[0,null,1]"#)
    );
    assert_eq!(house.world().feeds.count(), 2);
    drop((a, b, slower));
    assert_eq!(house.feeds.count(), 0);
}

#[test]
fn two_hundred_viewers_of_one_selection_are_one_encoding() {
    let mut house = House::new(50);
    let sub = json!({"t": "sub", "id": 1, "points": "*", "min_ms": 1_000});
    let mut sessions: Vec<Session> = (0..200).map(|_| house.greeted()).collect();
    // They come at different moments of a second, and see different snapshots.
    for (n, session) in sessions.iter_mut().enumerate() {
        house.now_ms = 1 + 4 * u32::try_from(n).unwrap();
        house.good(7, &n.to_string());
        house.tell(session, &sub);
    }
    let encoded = |house: &House, sessions: &mut [Session]| {
        let before = house.feeds.encodings();
        let told = sessions.iter_mut().map(|session| session.tick(&house.world()).len()).sum::<usize>();
        (told, house.feeds.encodings() - before)
    };
    // In their first tick each may need its own; from then on they have heard the same.
    house.now_ms = 1_000;
    house.good(7, "-1");
    assert_eq!(encoded(&house, &mut sessions).0, 200);
    for tick in 2..5 {
        house.now_ms = tick * 1_000;
        house.good(8, &tick.to_string());
        assert_eq!(encoded(&house, &mut sessions), (200, 1), "tick {tick}");
    }
    assert_eq!(house.feeds.count(), 1);
}

#[test]
fn five_thousand_points_that_all_change_take_no_more_than_52_kb() {
    const POINTS: u32 = 5_000;
    let mut house = House::new(POINTS);
    let mut session = house.greeted();
    house.tell(&mut session, &json!({"t": "sub", "id": 1, "points": "*", "min_ms": 1_000}));
    // A hundred devices of 50 points: an answer of 25 registers has one time, one device in fifty is dead. Four of
    // five are measurements with one or two decimals, one a register of energy.
    let value = |n: u32| match n % 5 {
        0 => format!("{}.{:02}", 100_000 + 7 * n, n % 100),
        1 | 2 => format!("{}.{}", 20 + n % 80, n % 10),
        _ => format!("{}.{:02}", n % 500, n % 100),
    };
    for answer in 0..POINTS / 25 {
        house.now_ms = 5 * answer;
        let (dead, at) = (answer / 2 % 50 == 49, UtcMs(1_000_000 + i64::from(house.now_ms)));
        let reading = |n: u32| Reading {
            point: PointId(answer * 25 + n),
            at,
            value: (!dead).then(|| Value::Decimal(value(answer * 25 + n).parse().unwrap())),
            quality: if dead { Quality::Bad(Reason::Timeout) } else { Quality::Good },
        };
        let (device, readings) = ("d".into(), (1..=25).map(reading).collect());
        house.current.apply(&Batch { device, source_at: None, received_at: at, at_error_ms: 0, readings });
    }
    house.now_ms = 1_000;
    let messages = session.tick(&house.world());
    let [message] = messages.as_slice() else { panic!("{} messages", messages.len()) };
    let parsed: Json = serde_json::from_str(message).unwrap();
    assert_eq!(parsed["d"].as_array().unwrap().len(), 10_000);
    assert!((35_000..=52_000).contains(&message.len()), "{} bytes", message.len());
}

/// A client of the protocol: keeps what it is told.
#[derive(Default)]
struct Mirror {
    values: Vec<Json>,
}

impl Mirror {
    fn hear_all(&mut self, messages: &[String]) {
        for message in messages {
            self.hear(message);
        }
    }

    fn hear(&mut self, message: &str) {
        let message: Json = serde_json::from_str(message).unwrap();
        if message["t"] == "snap" {
            self.values = message["v"].as_array().unwrap().clone();
            return;
        }
        let mut place = 0;
        let changes = message["d"].as_array().unwrap();
        for (runs, width) in [("at", 2), ("q", 3)] {
            let counts =
                message[runs].as_array().unwrap().chunks(width).map(|run| run[width - 1].as_u64().unwrap());
            assert_eq!(counts.sum::<u64>() * 2, changes.len() as u64, "{runs} {message}");
        }
        for change in changes.chunks(2) {
            place += usize::try_from(change[0].as_u64().unwrap()).unwrap();
            self.values[place] = change[1].clone();
        }
    }
}

proptest! {
    /// Whatever is written when, and whenever the client hides, a client that was shown the last
    /// tick holds the newest values.
    #[test]
    fn a_mirror_ends_with_what_is(steps in prop::collection::vec((0_u8..6, 1_u32..=8, 0_i64..100, 0_u32..900), 1..60)) {
        let mut house = House::new(8);
        let mut session = house.greeted();
        let mut mirror = Mirror::default();
        let sub = house.tell(&mut session, &json!({"t": "sub", "id": 1, "points": "*", "min_ms": 300}));
        mirror.hear_all(&sub);
        for (what, point, value, wait) in steps {
            house.now_ms += wait;
            let told = match what {
                0 => house.tell(&mut session, &json!({"t": "vis", "hidden": true})),
                1 => house.tell(&mut session, &json!({"t": "vis", "hidden": false})),
                2 => session.tick(&house.world()),
                _ => {
                    house.good(point, &value.to_string());
                    Vec::new()
                }
            };
            mirror.hear_all(&told);
        }
        house.now_ms += 300;
        let last = house.tell(&mut session, &json!({"t": "vis", "hidden": false}));
        mirror.hear_all(&last);
        mirror.hear_all(&session.tick(&house.world()));
        for (place, held) in mirror.values.iter().enumerate() {
            let is = house.current.get(PointId(u32::try_from(place).unwrap() + 1)).unwrap();
            let is = is.reading.value.map(|value| json!(value.as_f64().unwrap()));
            prop_assert_eq!(held.as_f64(), is.and_then(|is| is.as_f64()));
        }
    }

    /// Any text gets an answer, never a panic, and what is no message says so.
    #[test]
    fn any_text_is_survived(text in ".*", greeted: bool) {
        let house = House::new(1);
        let mut session = if greeted { house.greeted() } else { Session::default() };
        let answer = session.receive(&text, &house.world());
        if serde_json::from_str::<ClientMessage>(&text).is_err() {
            prop_assert!(answer.messages[0].contains("bad_message"));
        }
    }

    /// The same for what looks much like a message.
    #[test]
    fn almost_messages_are_survived(
        kind in "hello|sub|unsub|vis|hi|",
        id in any::<i64>(), min_ms in any::<i64>(), points in prop::collection::vec("[a-z/0-9*]{0,9}", 0..4),
        star: bool, cut in 0_usize..200,
    ) {
        let house = House::new(1);
        let mut session = house.greeted();
        let points = if star { json!("*") } else { json!(points) };
        let mut text = json!({"t": kind, "id": id, "points": points, "min_ms": min_ms}).to_string();
        text.truncate(cut.max(1));
        for message in session.receive(&text, &house.world()).messages {
            prop_assert!(serde_json::from_str::<Json>(&message).is_ok(), "{}", message);
        }
    }
}

#[test]
fn a_list_in_a_query_is_a_selection() {
    assert_eq!(Selection::from_list("*"), Selection::All);
    assert_eq!(Selection::from_list(""), Selection::These(Vec::new()));
    assert_eq!(Selection::from_list("a/b,,c/d,"), Selection::These(vec!["a/b".into(), "c/d".into()]));
}
