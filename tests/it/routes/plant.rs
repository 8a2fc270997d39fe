//! A small hospital: a main meter with a tariff, an oxygen manifold with a rule, a fan.

use plantroom::config::{Asset, Condition, Http, Meter, Plan, Point, Rule, Site, Tariff, TariffClass};
use plantroom::point::{Decimal, Declared, Names, ValueKind};

pub(super) fn names(zh: &str, en: &str) -> Names {
    Names { zh: zh.into(), en: en.into() }
}

fn asset(id: &str, class: &str, name: Names, parent: Option<&str>) -> Asset {
    let parent = parent.map(|parent| parent.parse().unwrap());
    Asset { id: id.parse().unwrap(), class: class.into(), name, parent }
}

fn point(address: &str, name: Names, unit: &str, kind: ValueKind) -> Point {
    Point {
        address: address.parse().unwrap(),
        formerly: Vec::new(),
        name,
        unit: unit.parse().unwrap(),
        kind,
        scale: Decimal::ONE,
        offset: Decimal::ZERO,
        range: None,
        stale_after_ms: 15_000,
        decimals: 2,
        states: vec![],
    }
}

fn class(id: &str, name: Names, price: &str) -> TariffClass {
    TariffClass { id: id.parse().unwrap(), name, price: price.parse().unwrap() }
}

pub(super) fn plan() -> Plan {
    let pressure = Point {
        range: Some(("0".parse().unwrap(), "1000.0".parse().unwrap())),
        ..point("manifold/pressure", names("供氧压力", "Supply pressure"), "kPa{gauge}", ValueKind::Decimal)
    };
    let mut half_hours = [1; 48];
    half_hours[16..24].fill(0);
    Plan {
        site: Site {
            id: "demo".parse().unwrap(),
            name: names("示范医院", "Demo hospital"),
            zone: jiff::tz::TimeZone::get("Asia/Shanghai").unwrap(),
        },
        http: Http { listen: "127.0.0.1:8080".parse().unwrap() },
        assets: vec![
            asset("main", "Building", names("主楼", "Main building"), None),
            asset("main-meter", "Electrical_Meter", names("总表", "Main meter"), Some("main")),
            asset("manifold", "Equipment", names("汇流排", "Oxygen manifold"), Some("main")),
            asset("fan", "Fan", names("风机", "Fan"), Some("main")),
        ],
        points: vec![
            point("main-meter/energy", names("电能", "Energy"), "kW.h", ValueKind::Decimal),
            pressure,
            point("fan/speed", names("转速", "Speed"), "Hz", ValueKind::F64),
            point("fan/running", names("运行", "Running"), "1", ValueKind::Bool),
            point("fan/mode", names("模式", "Mode"), "1", ValueKind::Text),
        ],
        buses: Vec::new(),
        brokers: Vec::new(),
        targets: Vec::new(),
        rules: vec![Rule {
            id: "oxygen-low".parse().unwrap(),
            point: "manifold/pressure".parse().unwrap(),
            condition: Condition::Low { limit: "400".parse().unwrap(), deadband: "20".parse().unwrap() },
            on_delay_ms: 0,
            priority: 1,
            failure_mode: "low-pressure".parse().unwrap(),
            message: names("供氧压力低", "Oxygen pressure low"),
            response: names("换瓶组", "Change the bank"),
        }],
        meters: vec![Meter {
            id: "main".parse().unwrap(),
            name: names("总电量", "Total electricity"),
            point: "main-meter/energy".parse().unwrap(),
            resolution_exponent: -2,
            modulus: 100_000_000,
            rate_max_per_hour: 1_000_000,
            expected_interval_ms: 60_000,
            tariff: Some("tou".parse().unwrap()),
        }],
        tariffs: vec![Tariff {
            id: "tou".parse().unwrap(),
            name: names("分时", "Time of use"),
            valid_from: "2020-01-01".parse().unwrap(),
            half_hours,
            classes: vec![
                class("peak", names("峰", "Peak"), "1.05"),
                class("flat", names("平", "Flat"), "0.65"),
            ],
        }],
    }
}

pub(super) fn declared(plan: &Plan) -> Vec<Declared> {
    let declare = |point: &Point| Declared {
        address: point.address.clone(),
        formerly: point.formerly.clone(),
        unit: point.unit,
        kind: point.kind,
    };
    plan.points.iter().map(declare).collect()
}
