//! Derived points against reckoning them by hand.

use super::*;
use crate::config::{self, Plan};
use crate::expr::Formula;
use crate::point::{Address, Catalogue, Decimal};
use proptest::prelude::*;
use std::fmt::Write;
use std::path::Path;
use std::sync::LazyLock;

const START: UtcMs = UtcMs(1_800_000_000_000);

/// A plan of points `a/p0` to `a/p3` (kW, kW, on/off, a word) and these derived points, as
/// `quantity = formula [; more]`.
fn plan(derived: &[&str]) -> Plan {
    let mut text = String::from(
        "config_version = 1\nsite = { id = \"s\", timezone = \"UTC\" }\n[[assets]]\nid = \"a\"\nclass = \"Room\"\n\
         [[modbus]]\nid = \"b\"\nconnect = \"127.0.0.1:502\"\n[[modbus.devices]]\nid = \"d\"\nunit_id = 1\nasset = \"a\"\ninterval = \"1s\"\n",
    );
    let cells = [
        ("p0", "holding", "type = \"u16\"\nunit = \"kW\""),
        ("p1", "holding", "type = \"u16\"\nunit = \"kW\""),
        ("p2", "coil", ""),
        ("p3", "holding", "type = \"text:4\""),
    ];
    for (address, (quantity, table, more)) in cells.iter().enumerate() {
        let address = 10 * address;
        writeln!(text, "[[modbus.devices.registers]]\nquantity = \"{quantity}\"\ntable = \"{table}\"")
            .unwrap();
        writeln!(text, "address = {address}\nstale_after = \"60s\"\n{more}").unwrap();
    }
    for one in derived {
        let (quantity, rest) = one.split_once(" = ").unwrap();
        let (formula, more) = rest.split_once(';').unwrap_or((rest, ""));
        let more = more.replace('|', "\n");
        writeln!(
            text,
            "[[derived]]\nasset = \"a\"\nquantity = \"{quantity}\"\nformula = '{formula}'\n{more}"
        )
        .unwrap();
    }
    let files = BTreeMap::from([("plantroom.toml".into(), text)]);
    config::load_from(&files, Path::new("plantroom.toml"), &|_| None)
        .unwrap_or_else(|wrong| panic!("{wrong}"))
        .plan
}

fn catalogue(plan: &Plan) -> Catalogue {
    let mut catalogue = Catalogue::default();
    catalogue.declare(&plan.declared());
    catalogue
}

fn address(text: &str) -> Address {
    format!("a/{text}").parse().unwrap()
}

fn word(id: TextId) -> Option<Arc<str>> {
    ["open", "shut"].get(id.0 as usize).map(|word| (*word).into())
}

/// The step with a clock, and all it has said.
struct Bench {
    derived: Derived,
    catalogue: Catalogue,
    now: Now,
    said: Vec<Reading>,
}

fn at(ms: u64) -> Now {
    Now { utc: START.plus_ms(i64::try_from(ms).unwrap()), mono: Mono(ms) }
}

impl Bench {
    fn new(formulas: &[&str]) -> Bench {
        Bench::of(&plan(formulas))
    }

    fn of(plan: &Plan) -> Bench {
        let catalogue = catalogue(plan);
        let derived = Derived::new(&Settings::from_plan(plan, &catalogue), at(0));
        Bench { derived, catalogue, now: at(0), said: Vec::new() }
    }

    fn id(&self, quantity: &str) -> PointId {
        self.catalogue.find(&address(quantity)).unwrap()
    }

    fn reading(&self, quantity: &str, value: impl Into<Option<Value>>) -> Reading {
        let value = value.into();
        let quality = if value.is_some() { Quality::Good } else { Quality::Bad(Reason::Timeout) };
        Reading { point: self.id(quantity), at: self.now.utc, value, quality }
    }

    fn pass(&mut self, ms: u64) {
        self.now =
            Now { utc: self.now.utc.plus_ms(i64::try_from(ms).unwrap()), mono: self.now.mono.plus_ms(ms) };
    }

    /// What follows from readings of one batch, as `quantity value quality`.
    fn step(&mut self, readings: Vec<Reading>) -> Vec<String> {
        let batch = Batch {
            device: "d".into(),
            source_at: None,
            received_at: self.now.utc,
            at_error_ms: 7,
            readings,
        };
        let made = self.derived.step(&batch, self.now, &word);
        self.shown(made)
    }

    fn tick(&mut self) -> Vec<String> {
        let made = self.derived.tick(self.now, &word);
        self.shown(made)
    }

    fn shown(&mut self, made: Option<Arc<Batch>>) -> Vec<String> {
        let readings = made.map_or_else(Vec::new, |batch| batch.readings.clone());
        self.said.extend(&readings);
        let name = |point| {
            self.catalogue.entries().find(|entry| entry.id == point).unwrap().address.quantity.to_string()
        };
        readings
            .iter()
            .map(|reading| {
                let value = match reading.value {
                    None => "-".to_owned(),
                    Some(Value::Bool(on)) => on.to_string(),
                    Some(value) => Number::of(value).unwrap().to_string(),
                };
                format!("{} {value} {}", name(reading.point), reading.quality)
            })
            .collect()
    }

    fn replan(
        &mut self,
        formulas: &[&str],
        newest: &dyn Fn(PointId) -> Option<Reading>,
        windows: &[Reading],
    ) {
        let plan = plan(formulas);
        self.catalogue.declare(&plan.declared());
        let settings = Settings::from_plan(&plan, &self.catalogue);
        self.derived.replan(&settings, &BTreeSet::new(), newest, windows, self.now, &word);
    }
}

fn kw(number: i64) -> Value {
    Value::Decimal(Decimal::from_int(number))
}

#[test]
fn one_batch_is_reckoned_once_and_what_follows_follows() {
    // Written before what it is made of.
    let mut bench = Bench::new(&[
        "twice = a/sum * 2;unit = 'kW'",
        "sum = a/p0 + a/p1;unit = 'kW'",
        "large = a/twice > 10 kW",
    ]);
    let readings =
        vec![bench.reading("p0", kw(1)), bench.reading("p1", kw(2)), bench.reading("p2", Value::Bool(true))];
    assert_eq!(bench.step(readings), ["sum 3 good", "twice 6 good", "large false good"]);
    assert!(bench.tick().is_empty());
    bench.pass(1_000);
    let readings = vec![bench.reading("p2", Value::Bool(false))];
    assert!(bench.step(readings).is_empty(), "p2 is no input");
    let readings = vec![bench.reading("p1", None)];
    assert_eq!(bench.step(readings), ["sum - bad:timeout", "twice - bad:timeout", "large - bad:timeout"]);
}

#[test]
fn an_unread_point_makes_it_unknown_and_a_doubtful_one_doubtful() {
    let mut bench = Bench::new(&["sum = a/p0 + a/p1;unit = 'kW'"]);
    let readings = vec![bench.reading("p0", kw(1))];
    assert_eq!(bench.step(readings), ["sum - bad:initial"]);
    bench.pass(1_000);
    let doubtful = Reading { quality: Quality::Uncertain(Reason::Substituted), ..bench.reading("p1", kw(2)) };
    assert_eq!(bench.step(vec![doubtful]), ["sum 3 uncertain:substituted"]);
}

#[test]
fn beyond_what_is_possible_it_is_in_doubt_and_a_worse_doubt_stays() {
    let mut bench = Bench::new(&["sum = a/p0 + a/p1;unit = 'MW'|range = [0, 0.01]"]);
    let readings = vec![bench.reading("p0", kw(5)), bench.reading("p1", kw(5))];
    assert_eq!(bench.step(readings), ["sum 0.010 good"]);
    bench.pass(1_000);
    let readings = vec![bench.reading("p0", kw(6))];
    assert_eq!(bench.step(readings), ["sum 0.011 uncertain:out_of_range"]);
}

#[test]
fn what_comes_in_quick_succession_counts_together() {
    let mut bench = Bench::new(&["twice = a/p0 * 2;unit = 'kW'"]);
    for (value, said) in [(1, vec!["twice 2 good"]), (2, vec![]), (3, vec![])] {
        let readings = vec![bench.reading("p0", kw(value))];
        assert_eq!(bench.step(readings), said);
        bench.pass(100);
    }
    assert!(bench.tick().is_empty());
    bench.pass(200);
    assert_eq!(bench.tick(), ["twice 6 good"]);
    assert!(bench.tick().is_empty());
    // It is as old as its newest input, not as the moment it was reckoned in.
    assert_eq!(bench.said[1].at, START.plus_ms(200));
}

#[test]
fn times_go_up_until_a_clock_is_set_back() {
    let mut bench = Bench::new(&["sum = a/p0 + a/p1;unit = 'kW'"]);
    let stamped = |bench: &Bench, quantity: &str, ms| Reading {
        at: START.plus_ms(ms),
        ..bench.reading(quantity, kw(1))
    };
    let mut times = Vec::new();
    for (quantity, ms) in
        [("p0", 10_000), ("p1", 9_000), ("p0", 10_000), ("p0", 10_001), ("p1", 8_000), ("p0", 11_000)]
    {
        bench.pass(1_000);
        let reading = stamped(&bench, quantity, ms);
        bench.step(vec![reading]);
        times.push(bench.said.last().unwrap().at.since_ms(START));
    }
    assert_eq!(times, [10_000, 10_001, 10_002, 10_003, 10_004, 11_000]);
    for quantity in ["p0", "p1"] {
        bench.pass(1_000);
        let reading = stamped(&bench, quantity, -3_600_000);
        bench.step(vec![reading]);
    }
    assert_eq!(bench.said.last().unwrap().at, START.plus_ms(-3_600_000));
}

#[test]
fn states_and_words_are_compared() {
    let mut bench = Bench::new(&[
        "open = a/p3 == \"open\"",
        "state = if(a/p2, 2, 1);states = [{ value = 1, name = { en = 'off' } }]",
    ]);
    let readings = vec![bench.reading("p2", Value::Bool(true)), bench.reading("p3", Value::Text(TextId(0)))];
    assert_eq!(bench.step(readings), ["open true good", "state 2 good"]);
    bench.pass(1_000);
    let readings = vec![bench.reading("p3", Value::Text(TextId(1)))];
    assert_eq!(bench.step(readings), ["open false good"]);
    bench.pass(1_000);
    let readings = vec![bench.reading("p3", Value::Text(TextId(9)))];
    assert_eq!(bench.step(readings), ["open - bad:configuration"], "a word that was never given");
}

#[test]
fn windows_and_ages_go_on_with_the_clock() {
    let mut bench = Bench::new(&[
        "mean = avg(a/p0, 1 min);unit = 'kW'",
        "slow = avg(a/p0, 1 min);unit = 'kW'|every = '30s'",
        "old = age(a/p0) > 12 s",
    ]);
    let readings = vec![bench.reading("p0", kw(60))];
    // `slow` waits for its time, the others speak with their point.
    assert_eq!(bench.step(readings), ["mean - bad:initial", "old false good"]);
    let mut said = Vec::new();
    for _ in 0..61 {
        bench.pass(500);
        let now = bench.tick();
        said.extend(now.into_iter().map(|one| format!("{} {one}", bench.now.mono.0)));
    }
    assert_eq!(
        said,
        [
            "10000 mean - bad:initial",
            "10000 slow - bad:initial",
            "10000 old false good",
            "20000 mean - bad:initial",
            "20000 old true good",
            "30000 mean 60 uncertain:initial",
            "30000 old true good",
        ]
    );
}

#[test]
fn silence_of_its_own_is_said_once() {
    let mut bench = Bench::new(&["twice = a/p0 * 2;unit = 'kW'|stale_after = '10s'"]);
    assert!(bench.tick().is_empty());
    let readings = vec![bench.reading("p0", kw(1))];
    bench.step(readings);
    let mut said = Vec::new();
    for second in 1..60 {
        bench.pass(1_000);
        if second == 5 {
            let readings = vec![bench.reading("p0", kw(2))];
            bench.step(readings);
        }
        said.extend(bench.tick().into_iter().map(|one| format!("{second} {one}")));
    }
    assert_eq!(said, ["16 twice 4 uncertain:stale"]);
}

#[test]
fn after_a_restart_it_knows_what_was_but_not_what_was_missed() {
    let formulas = ["sum = a/p0 + a/p1;unit = 'kW'", "mean = avg(a/p0, 10 min);unit = 'kW'"];
    let mut bench = Bench::new(&formulas);
    bench.now = at(3_600_000);
    let ago = |bench: &Bench, quantity: &str, ms: i64, value| Reading {
        at: bench.now.utc.plus_ms(-ms),
        ..bench.reading(quantity, kw(value))
    };
    // Ten minutes of 6 kW that ended two minutes ago; the point is stale after one.
    let window: Vec<Reading> =
        (0..=60).map(|step| ago(&bench, "p0", 120_000 + (60 - step) * 10_000, 6)).collect();
    let last = [*window.last().unwrap(), ago(&bench, "p1", 120_000, 1), ago(&bench, "sum", 100_000, 7)];
    bench.derived.remember(last, window, bench.now.utc, &word);
    let readings = vec![bench.reading("p1", kw(2))];
    // p0 has not spoken yet.
    assert_eq!(bench.step(readings), ["sum 8 uncertain:stale"]);
    bench.pass(1_000);
    let readings = vec![bench.reading("p0", kw(4))];
    // Nine of ten minutes are covered: the downtime is not.
    assert_eq!(bench.step(readings), ["sum 6 good", "mean 6 uncertain:no_communication"]);
}

#[test]
fn another_plan_keeps_what_did_not_change() {
    let mut bench = Bench::new(&["mean = avg(a/p0, 1 min);unit = 'kW'"]);
    for _ in 0..61 {
        let readings = vec![bench.reading("p0", kw(5))];
        bench.step(readings);
        bench.pass(1_000);
    }
    let none = |_: PointId| None;
    bench.replan(&["other = a/p2", "mean = avg(a/p0, 1 min);unit = 'kW'"], &none, &[]);
    let readings = vec![bench.reading("p0", kw(5))];
    assert_eq!(bench.step(readings), ["mean 5 good"], "the window is whole");
    // What is new is reckoned at once of what is current.
    let current = bench.reading("p1", kw(3));
    bench.replan(&["twice = a/p1 * 2;unit = 'kW'"], &|id| (id == current.point).then_some(current), &[]);
    assert_eq!(bench.tick(), ["twice 6 good"]);
    assert!(bench.tick().is_empty());
    // And with the history of its window.
    let seed: Vec<Reading> = (1..=300)
        .rev()
        .map(|s| Reading { at: bench.now.utc.plus_ms(-s * 1_000), ..bench.reading("p0", kw(9)) })
        .collect();
    bench.replan(&["long = avg(a/p0, 5 min);unit = 'kW'"], &none, &seed);
    assert_eq!(bench.tick(), ["long 9 good"]);
}

#[test]
fn a_window_holds_no_more_readings_than_it_may() {
    let mut bench = Bench::new(&["n = count(a/p0, 1 min)"]);
    for _ in 0..10_000 {
        let readings = vec![bench.reading("p0", kw(1))];
        bench.step(readings);
        bench.pass(1);
    }
    // 62 readings by its interval, twice over.
    bench.pass(1_000);
    assert_eq!(bench.tick(), ["n 124 good"]);
}

/// All there was, and formulas reckoned from it as they are written.
struct Naive {
    live: BTreeMap<PointId, Vec<Reading>>,
}

impl Inputs for Naive {
    fn reading(&self, point: PointId) -> Option<Reading> {
        self.live.get(&point)?.last().copied()
    }

    fn window(&self, point: PointId, length_ms: u64) -> Option<Window> {
        // The time of the last thing that happened.
        let readings = self.live.get(&point)?;
        Some(Window::of(readings, self.now()?, length_ms))
    }

    fn text(&self, id: TextId) -> Option<&str> {
        ["open", "shut"].get(id.0 as usize).copied()
    }
}

impl Naive {
    const NOW: PointId = PointId(u32::MAX);

    /// Kept as a reading of no point.
    fn now(&self) -> Option<UtcMs> {
        Some(self.live.get(&Self::NOW)?.last()?.at)
    }

    fn sets(&mut self, now: UtcMs) {
        let mark = Reading { point: Self::NOW, at: now, value: None, quality: Quality::Good };
        self.live.insert(Self::NOW, vec![mark]);
    }

    fn reckons(&self, formula: &Formula, now: UtcMs) -> (Option<Value>, Quality) {
        let outcome = formula.eval(now, self);
        (outcome.value.and_then(Datum::to_value), outcome.quality)
    }
}

const FORMULAS: &[&str] = &[
    "sum = a/p0 + a/p1;unit = 'kW'",
    "both = a/sum - a/p0 * 2;unit = 'kW'",
    "on = a/p2 and a/p0 > a/p1",
    "open = a/p3 == \"open\" or a/on",
    "least = min(a/p0, 20 s);unit = 'kW'",
    "grown = increase(a/p1, 30 s) + a/least;unit = 'kW'",
    "switched = count(a/p2, 10 s)",
    "old = age(a/p1) > 5 s",
    "safe = otherwise(a/grown, a/sum);unit = 'kW'",
];

#[derive(Clone, Debug)]
enum Happens {
    Readings(Vec<(u8, Option<i64>, bool)>),
    Pass(u64),
    Replan,
    Restart,
}

fn happens() -> impl Strategy<Value = Happens> {
    let reading = (0_u8..4, prop::option::weighted(0.9, 0_i64..20), prop::bool::weighted(0.9));
    prop_oneof![
        6 => prop::collection::vec(reading, 1..5).prop_map(Happens::Readings),
        5 => (1_u64..4_000).prop_map(Happens::Pass),
        1 => Just(Happens::Replan),
        1 => Just(Happens::Restart),
    ]
}

fn taken(bench: &Bench, (point, value, good): (u8, Option<i64>, bool)) -> Reading {
    let quantity = format!("p{point}");
    let value = value.map(|number| match point {
        2 => Value::Bool(number % 2 == 0),
        3 => Value::Text(TextId(u32::try_from(number % 2).unwrap())),
        _ => kw(number),
    });
    let reading = bench.reading(&quantity, value);
    let doubt = value.is_some() && !good;
    Reading {
        quality: if doubt { Quality::Uncertain(Reason::OutOfRange) } else { reading.quality },
        ..reading
    }
}

/// The step and the reckoning by hand, side by side.
struct Both {
    bench: Bench,
    settings: Settings,
    naive: Naive,
    /// What is only remembered is in doubt, and what was Bad is not remembered: until all has
    /// spoken again the two differ.
    restarted: bool,
}

impl Both {
    fn new() -> Both {
        static PLAN: LazyLock<Plan> = LazyLock::new(|| plan(FORMULAS));
        let bench = Bench::of(&PLAN);
        let settings = Settings::from_plan(&PLAN, &bench.catalogue);
        Both { bench, settings, naive: Naive { live: BTreeMap::new() }, restarted: false }
    }

    /// Whatever is said is what the formula gives of all that was live then, and later than before.
    fn happens(&mut self, event: Happens) -> Result<(), TestCaseError> {
        let said = self.bench.said.len();
        match event {
            Happens::Readings(readings) => self.readings(readings),
            Happens::Pass(ms) => {
                self.bench.pass(ms);
                self.bench.tick();
            }
            Happens::Replan => {
                let live = &self.naive.live;
                let newest = |point| live.get(&point).and_then(|all| all.last().copied());
                let bench = &mut self.bench;
                bench.derived.replan(&self.settings, &BTreeSet::new(), &newest, &[], bench.now, &word);
            }
            Happens::Restart => {
                self.restarted = true;
                let last: Vec<Reading> =
                    self.naive.live.values().filter_map(|all| all.last().copied()).collect();
                let all: Vec<Reading> = self.naive.live.values().flatten().copied().collect();
                self.bench.derived = Derived::new(&self.settings, self.bench.now);
                self.bench.derived.remember(last, all, self.bench.now.utc, &word);
            }
        }
        for reading in self.bench.said.get(said..).unwrap_or_default().to_vec() {
            self.check(reading)?;
        }
        Ok(())
    }

    fn readings(&mut self, readings: Vec<(u8, Option<i64>, bool)>) {
        self.bench.pass(1);
        let mut readings: Vec<Reading> = readings.into_iter().map(|one| taken(&self.bench, one)).collect();
        // A device says one thing of a point at a time.
        readings.sort_by_key(|reading| reading.point);
        readings.dedup_by_key(|reading| reading.point);
        for reading in &readings {
            self.naive.live.entry(reading.point).or_default().push(*reading);
        }
        self.bench.step(readings);
    }

    fn check(&mut self, reading: Reading) -> Result<(), TestCaseError> {
        let now = self.bench.now.utc;
        self.naive.sets(now);
        let reckoned = self.settings.derived.iter().find(|reckoned| reckoned.point == reading.point).unwrap();
        let source = reckoned.formula.source();
        if !self.restarted {
            let by_hand = self.naive.reckons(&reckoned.formula, now);
            prop_assert_eq!((reading.value, reading.quality), by_hand, "{}", source);
        }
        let times = self.naive.live.entry(reading.point).or_default();
        prop_assert!(times.last().is_none_or(|last| last.at < reading.at), "{} goes back", source);
        times.push(reading);
        Ok(())
    }

    /// When all has come to rest, what was said last is what the formula gives.
    fn rests(&mut self) -> Result<(), TestCaseError> {
        if self.restarted {
            for point in 0..4 {
                self.happens(Happens::Pass(700))?;
                self.happens(Happens::Readings(vec![(point, Some(i64::from(point)), true)]))?;
            }
        }
        self.happens(Happens::Pass(600))?;
        self.happens(Happens::Pass(600))?;
        self.naive.sets(self.bench.now.utc);
        for reckoned in self.settings.derived.iter().filter(|reckoned| !reckoned.formula.moves_with_time()) {
            let inputs = reckoned.formula.inputs();
            if inputs.iter().all(|input| self.naive.reading(input.facts.point).is_none()) {
                continue;
            }
            let said = self.bench.said.iter().rfind(|reading| reading.point == reckoned.point);
            let said = said.map(|reading| (reading.value, reading.quality));
            let by_hand = self.naive.reckons(&reckoned.formula, self.bench.now.utc);
            prop_assert_eq!(said, Some(by_hand), "{}", reckoned.formula.source());
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn it_is_what_one_would_reckon_by_hand(sequence in prop::collection::vec(happens(), 1..80)) {
        let mut both = Both::new();
        for event in sequence {
            both.happens(event)?;
        }
        both.rests()?;
    }
}
