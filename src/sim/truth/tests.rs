//! A small house and the whole hospital: what is counted adds up, and the order of asking changes nothing.

use super::*;
use proptest::prelude::*;

const GENESIS: UtcMs = UtcMs(1_760_000_000_000);
const HOUR_MS: i64 = 3_600_000;

/// Two wards, their sum, a meter on each, and a leak at the first.
fn house(build: &mut Build) {
    let (one, two) = (build.flow(), build.flow());
    let both = build.total(&[one, two]);
    let leak = build.fault("leak", "ward-1");
    build.leak(one, leak, 5.0);
    let (trip, other) = (build.fault("trip", "both"), build.fault("other", "both"));
    build.cut(both, trip);
    let another_way = build.part(both, other);
    let this_way = build.sum(&[(both, 1.0), (another_way, -1.0)]);
    build.step(move |knot| {
        let load = 10.0 + 3.0 * knot.people.ward_activity + knot.draw("load");
        knot.set(one, load);
        knot.set(two, 2.0 * load);
    });
    let warm = build.level(20.0);
    build.step(move |knot| {
        let to = knot.level(warm) + 0.1 * (knot.weather.temperature - knot.level(warm)) + knot.fault(leak);
        knot.set_level(warm, to);
    });
    for (name, flow) in
        [("one", one), ("two", two), ("both", both), ("this", this_way), ("another", another_way)]
    {
        let counter = build.counter(flow, 100.0);
        build.point(&format!("{name}/power"), move |now| now.flow(flow));
        build.point(&format!("{name}/energy"), move |now| now.stock(counter));
    }
    build.point("one/temperature", move |now| now.level(warm));
}

fn truth(seed: u64, faults: &Courses) -> Truth {
    Truth::of(GENESIS, seed, faults, house)
}

fn value(truth: &Truth, point: &str, at: UtcMs) -> f64 {
    truth.value(&point.parse().unwrap(), at).unwrap()
}

fn leaking(from: i64, to: i64) -> Courses {
    let mut faults = Courses::default();
    let corners = [(from, 0.0), (from + HOUR_MS, 1.0), (to, 1.0), (to, 0.0)];
    faults.add("leak", "ward-1").set(corners.map(|(at, size)| (UtcMs(GENESIS.0 + at), size)).to_vec());
    faults
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_the_parts_counted_is_what_the_main_meter_counted(at in 0_i64..5 * 86_400_000, seed: u64) {
        let truth = truth(seed, &leaking(30 * HOUR_MS + 12_345, 50 * HOUR_MS + 77));
        let at = UtcMs(GENESIS.0 + at);
        let counted = |name: &str| value(&truth, &format!("{name}/energy"), at) - 100.0;
        prop_assert!((counted("one") + counted("two") - counted("both")).abs() < 1e-6);
    }

    /// A counter is the integral of the power, by the rule of the trapezium in steps of a second.
    #[test]
    fn a_counter_counts_what_flowed(from in 0_i64..4 * 86_400_000, seed: u64) {
        let truth = truth(seed, &leaking(30 * HOUR_MS + 12_345, 50 * HOUR_MS + 77));
        let from = GENESIS.0 + from;
        let energy = |at: i64| value(&truth, "one/energy", UtcMs(at));
        let power = |at: i64| value(&truth, "one/power", UtcMs(at));
        let steps = 1_200;
        let sum: f64 = (0..steps).map(|step| f64::midpoint(power(from + step * 1_000), power(from + (step + 1) * 1_000))).sum();
        let counted = energy(from + steps * 1_000) - energy(from);
        prop_assert!((counted - sum / 3_600.0).abs() < 0.002, "{counted} {}", sum / 3_600.0);
    }

    #[test]
    fn the_order_of_asking_changes_nothing(moments in prop::collection::vec(0_i64..9 * 86_400_000, 1..12), seed: u64) {
        let (forward, shuffled) = (truth(seed, &Courses::default()), truth(seed, &Courses::default()));
        let asked: Vec<_> = moments.iter().map(|at| shuffled.values(UtcMs(GENESIS.0 + at))).collect();
        let mut sorted: Vec<_> = moments.iter().copied().zip(asked).collect();
        sorted.sort_by_key(|(at, _)| *at);
        for (at, values) in sorted {
            prop_assert_eq!(forward.values(UtcMs(GENESIS.0 + at)), values);
        }
    }

    /// What was shown before a fault was begun by hand stays; what is reckoned again is the same as if
    /// the script had had it from the first.
    #[test]
    fn a_fault_begun_now_leaves_the_past_alone(begun in 0_i64..3 * 86_400_000, later in 1_i64..86_400_000, seed: u64) {
        let mut faults = Courses::default();
        let course = faults.add("leak", "ward-1");
        let truth = truth(seed, &faults);
        let now = UtcMs(GENESIS.0 + begun);
        let before = truth.values(now);
        course.set(vec![(now, 0.0), (UtcMs(now.0 + HOUR_MS), 1.0), (UtcMs(now.0 + 200 * HOUR_MS), 1.0)]);
        truth.faults_changed(now);
        prop_assert_eq!(&before, &truth.values(now));
        let from_the_first = Truth::of(GENESIS, seed, &faults, house);
        let at = UtcMs(now.0 + later);
        prop_assert_eq!(truth.values(at), from_the_first.values(at));
    }
}

/// The leak, and while it acts a trip that comes and goes and a source that takes over for some time.
fn tripping(from: i64, to: i64) -> Courses {
    let mut faults = leaking(from - 4 * HOUR_MS, to + 3 * HOUR_MS);
    let at = |corners: &[(i64, f64)]| -> Vec<_> {
        corners.iter().map(|(at, size)| (UtcMs(GENESIS.0 + at), *size)).collect()
    };
    faults.add("trip", "both").set(at(&[(from, 0.0), (from, 1.0), (from + 700_000, 1.0), (to, 0.0)]));
    faults.add("other", "both").set(at(&[(from - 90_000, 0.0), (from + 90_000, 1.0), (to, 1.0), (to, 0.0)]));
    faults
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_cut_and_what_goes_another_way_adds_up(from in 5 * HOUR_MS..9 * HOUR_MS, lasts in 1_000_000..6 * HOUR_MS, asked in 0..20 * HOUR_MS, seed: u64) {
        let truth = truth(seed, &tripping(from, from + lasts));
        let at = UtcMs(GENESIS.0 + asked);
        let counted = |name: &str| value(&truth, &format!("{name}/energy"), at) - 100.0;
        prop_assert!((counted("one") + counted("two") - counted("both")).abs() < 1e-6);
        prop_assert!((counted("this") + counted("another") - counted("both")).abs() < 1e-6);
        let powers = |name: &str| value(&truth, &format!("{name}/power"), at);
        prop_assert!((powers("this") + powers("another") - powers("both")).abs() < 1e-9);
        // What the counter shows is what flowed, by the rule of the trapezium.
        let steps = 900;
        let power = |second: i64| value(&truth, "another/power", at.plus_ms(second * 1_000));
        let sum: f64 = (0..steps).map(|step| f64::midpoint(power(step), power(step + 1))).sum();
        let counted = value(&truth, "another/energy", at.plus_ms(steps * 1_000)) - counted("another") - 100.0;
        // A step within a second is no trapezium.
        prop_assert!((counted - sum / 3_600.0).abs() < 0.02, "{} {}", counted, sum / 3_600.0);
    }
}

#[test]
fn a_trip_takes_all_at_once() {
    let truth = truth(3, &tripping(6 * HOUR_MS, 9 * HOUR_MS));
    let both = |at: i64| value(&truth, "both/power", UtcMs(GENESIS.0 + at));
    assert!(both(6 * HOUR_MS - 1) > 20.0);
    assert!(both(6 * HOUR_MS).abs() < 1e-9 && both(6 * HOUR_MS + 600_000).abs() < 1e-9);
    assert!(both(9 * HOUR_MS) > 20.0);
}

#[test]
fn a_course_is_a_line_through_its_corners() {
    let course = Course::default();
    assert_eq!((course.at(UtcMs(5)), course.hours(UtcMs(0), UtcMs(HOUR_MS))), (0.0, 0.0));
    let corner = |hours: i64, size| (UtcMs(hours * HOUR_MS), size);
    course.set(vec![corner(1, 0.0), corner(3, 1.0), corner(5, 1.0), corner(5, 0.0)]);
    for (half_hours, size) in [(0, 0.0), (2, 0.0), (4, 0.5), (6, 1.0), (9, 1.0), (11, 0.0)] {
        let seen = course.at(UtcMs(half_hours * HOUR_MS / 2));
        assert!((seen - size).abs() < 1e-9, "{half_hours} half hours: {seen}");
    }
    assert!((course.hours(UtcMs(0), UtcMs(99 * HOUR_MS)) - 3.0).abs() < 1e-9);
    assert!((course.hours(UtcMs(2 * HOUR_MS), UtcMs(4 * HOUR_MS)) - 1.75).abs() < 1e-9);
}

#[test]
fn another_seed_is_another_hospital() {
    let at = UtcMs(GENESIS.0 + 40 * HOUR_MS);
    assert_ne!(truth(1, &Courses::default()).values(at), truth(2, &Courses::default()).values(at));
}

/// All values of the demo hospital in a week, bit by bit: of another seed others, and in whatever order
/// they are asked for the same.
#[test]
fn the_same_seed_is_the_same_hospital_to_the_bit() {
    const MOMENTS: i64 = 200;
    let hash = |seed: u64, step: i64| -> u64 {
        let truth = Truth::hospital(GENESIS, seed, &Courses::default());
        let mut moments = std::collections::BTreeMap::new();
        for number in (0..MOMENTS).map(|number| number * step % MOMENTS) {
            let values =
                truth.values(UtcMs(GENESIS.0 + number * 7 * 24 * HOUR_MS / MOMENTS + number * 1_234));
            assert!(values.len() > 1_000);
            moments.insert(number, values.into_iter().map(f64::to_bits).collect::<Vec<_>>());
        }
        assert_eq!(i64::try_from(moments.len()).unwrap(), MOMENTS);
        let mut hasher = std::hash::DefaultHasher::new();
        std::hash::Hash::hash(&moments, &mut hasher);
        std::hash::Hasher::finish(&hasher)
    };
    // 67 has no factor in common with 200: each moment comes once, to and fro over the week.
    let in_order = hash(1, 1);
    assert_eq!(in_order, hash(1, 67));
    assert_ne!(in_order, hash(2, 1));
}

#[test]
fn a_point_told_twice_is_found() {
    let mut build = Build::new(&Courses::default());
    build.point("a/b", |_| 1.0);
    build.point("a/b", |_| 2.0);
    assert_eq!(build.twice(), ["a/b".parse::<Address>().unwrap()]);
}

#[test]
fn days_of_rest_and_of_work_are_those_of_the_notices() {
    let kind = |text: &str| {
        let noon = format!("{text}T12:00:00+08:00").parse::<jiff::Timestamp>().unwrap();
        calendar::civil(UtcMs(noon.as_millisecond())).kind
    };
    for (day, expected) in [
        ("2025-10-08", DayKind::Holiday),
        ("2025-10-11", DayKind::Work),
        ("2025-10-12", DayKind::Weekend),
        ("2026-02-14", DayKind::Work),
        ("2026-02-17", DayKind::Holiday),
        ("2026-11-20", DayKind::Work),
        ("2026-11-21", DayKind::Weekend),
    ] {
        assert_eq!(kind(day), expected, "{day}");
    }
}

#[test]
fn the_weather_is_that_of_a_year_in_jinan() {
    let year = |from: &str, to: &str| {
        let ms = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let at = |hour: i64| UtcMs(ms(from) + hour * HOUR_MS);
        let hours = (ms(to) - ms(from)) / HOUR_MS;
        let all: Vec<_> =
            (0..hours).map(|hour| weather::weather(at(hour), &calendar::civil(at(hour)), 7)).collect();
        let count = f64::from(u32::try_from(all.len()).unwrap());
        (all.iter().map(|weather| weather.temperature).sum::<f64>() / count, all)
    };
    let (january, _) = year("2026-01-01T00:00:00+08:00", "2026-02-01T00:00:00+08:00");
    let (july, hot) = year("2026-07-01T00:00:00+08:00", "2026-08-01T00:00:00+08:00");
    assert!((-3.5..4.0).contains(&january), "{january}");
    assert!((25.0..31.0).contains(&july), "{july}");
    assert!(hot.iter().all(|weather| weather.wet_bulb < weather.temperature + 1.0));
    assert!(hot.iter().any(|weather| weather.sun > 700.0) && hot.iter().any(|weather| weather.sun == 0.0));
}
