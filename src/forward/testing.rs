//! A plan to forward, for the tests of this stage.

use crate::config::{Asset, Http, Plan, Point, Site, Target};
use crate::point::{Catalogue, Decimal, Declared, Names, ValueKind};

pub fn asset(id: &str, class: &str, parent: Option<&str>) -> Asset {
    let parent = parent.map(|parent| parent.parse().unwrap());
    Asset::plain(id.parse().unwrap(), class, Names::or_id(None, None, id), parent)
}

pub fn point(address: &str) -> Point {
    Point {
        address: address.parse().unwrap(),
        formerly: Vec::new(),
        name: Names::or_id(None, None, address),
        unit: "kW.h".parse().unwrap(),
        kind: ValueKind::Decimal,
        scale: Decimal::ONE,
        offset: Decimal::ZERO,
        range: None,
        stale_after_ms: 60_000,
        decimals: 2,
        states: vec![],
        conditioning: crate::config::Conditioning::default(),
    }
}

/// A tower with a room with a meter (point 1), and a weather station on no building (point 2).
pub fn plan() -> Plan {
    Plan {
        site: Site { id: "demo".parse().unwrap(), name: Names::default(), zone: jiff::tz::TimeZone::UTC },
        http: Http { listen: ([127, 0, 0, 1], 0).into() },
        history: crate::config::History::default(),
        assets: vec![
            asset("tower", "Building", None),
            asset("plant-room", "Room", Some("tower")),
            asset("main-meter", "Electrical_Meter", Some("plant-room")),
            asset("roof", "Weather_Station", None),
        ],
        feeds: Vec::new(),
        points: vec![point("main-meter/energy"), point("roof/temperature")],
        buses: Vec::new(),
        brokers: Vec::new(),
        derived: Vec::new(),
        targets: vec![Target {
            id: "influx".parse().unwrap(),
            url: "http://127.0.0.1:8086/write?db=plant".parse().unwrap(),
            token: None,
            login: None,
            batch_lines_max: 5_000,
        }],
        rules: Vec::new(),
        meters: Vec::new(),
        tariffs: Vec::new(),
    }
}

pub fn catalogue(plan: &Plan) -> Catalogue {
    let declared = plan.points.iter().map(|point| Declared {
        address: point.address.clone(),
        formerly: Vec::new(),
        unit: point.unit,
        kind: point.kind,
    });
    let mut catalogue = Catalogue::default();
    catalogue.declare(&declared.collect::<Vec<_>>());
    catalogue
}
