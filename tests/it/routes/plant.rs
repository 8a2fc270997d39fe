//! A small hospital: a main meter with a tariff, an oxygen manifold with a rule, a fan, and a line.

use plantroom::config::{
    Asset, Bus, Cell, Condition, Device, DeviceLimits, Encoding, Feed, Http, Medium, Meter, Plan, Point,
    Register, Rule, Site, State, System, Table, Tariff, TariffClass,
};
use plantroom::point::{Decimal, Declared, Names, ValueKind};

pub(super) fn names(zh: &str, en: &str) -> Names {
    Names { zh: zh.into(), en: en.into() }
}

fn asset(id: &str, class: &str, name: Names, parent: Option<&str>) -> Asset {
    let parent = parent.map(|parent| parent.parse().unwrap());
    Asset::plain(id.parse().unwrap(), class, name, parent)
}

pub(super) fn point(address: &str, name: Names, unit: &str, kind: ValueKind) -> Point {
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
        conditioning: plantroom::config::Conditioning::default(),
    }
}

fn class(id: &str, name: Names, price: &str) -> TariffClass {
    TariffClass { id: id.parse().unwrap(), name, price: price.parse().unwrap() }
}

fn state(value: i64, zh: &str, en: &str) -> State {
    State { value, name: names(zh, en) }
}

/// Reads each point as one register from 0 on, every 5 s and the first every second.
fn device(id: &str, unit: u8, points: &[&str]) -> Device {
    let registers = points.iter().zip(0..).map(|(point, address)| {
        let interval_ms = if address == 0 { 1_000 } else { 5_000 };
        let cell = Cell::new(Table::Holding, address, Encoding::U16);
        Register::plain(point.parse().unwrap(), interval_ms, cell)
    });
    Device {
        id: id.parse().unwrap(),
        unit,
        limits: DeviceLimits::default(),
        zone: jiff::tz::TimeZone::UTC,
        registers: registers.collect(),
    }
}

/// Two devices on a serial server.
fn bus() -> Bus {
    Bus {
        id: "plant-room".parse().unwrap(),
        link: "rtu+tcp://10.0.0.7:4001?baud=9600&parity=even".parse().unwrap(),
        timeout_ms: 1_000,
        turnaround_ms: 0,
        unit_change_ms: 0,
        devices: vec![
            device("plc", 1, &["fan/speed", "fan/running", "manifold/pressure"]),
            device("meter", 9, &["main-meter/energy"]),
        ],
    }
}

fn assets() -> Vec<Asset> {
    vec![
        asset("main", "Building", names("主楼", "Main building"), None),
        Asset {
            system: Some(System::Electrical),
            ..asset("main-meter", "Electrical_Meter", names("总表", "Main meter"), Some("main"))
        },
        Asset {
            system: Some(System::MedicalGas),
            ..asset("manifold", "Equipment", names("汇流排", "Oxygen manifold"), Some("main"))
        },
        Asset {
            system: Some(System::Hvac),
            key: vec!["speed".parse().unwrap(), "mode".parse().unwrap()],
            normal: [("speed".parse().unwrap(), ("20".parse().unwrap(), "50.0".parse().unwrap()))].into(),
            ..asset("fan", "Fan", names("风机", "Fan"), Some("main"))
        },
    ]
}

pub(super) fn plan() -> Plan {
    let pressure = Point {
        range: Some(("0".parse().unwrap(), "1000.0".parse().unwrap())),
        ..point("manifold/pressure", names("供氧压力", "Supply pressure"), "kPa{gauge}", ValueKind::Decimal)
    };
    let running = Point {
        states: vec![state(0, "停止", "Stopped"), state(1, "运行", "Running")],
        ..point("fan/running", names("运行", "Running"), "1", ValueKind::Bool)
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
        history: plantroom::config::History::default(),
        assets: assets(),
        feeds: vec![Feed {
            medium: Medium::Power,
            from: vec!["main-meter".parse().unwrap()],
            to: vec!["fan".parse().unwrap(), "manifold".parse().unwrap()],
            needs: 1,
        }],
        points: vec![
            point("main-meter/energy", names("电能", "Energy"), "kW.h", ValueKind::Decimal),
            pressure,
            point("fan/speed", names("转速", "Speed"), "Hz", ValueKind::F64),
            running,
            point("fan/mode", names("模式", "Mode"), "1", ValueKind::Text),
        ],
        buses: vec![bus()],
        brokers: Vec::new(),
        derived: Vec::new(),
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
