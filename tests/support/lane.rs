//! A plan with one meter, a history on disk and a target: what tests of forwarding and of energy
//! need of the rest of the house.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use plantroom::clock::Clock;
use plantroom::config::{Asset, Http, Meter, Plan, Point, Site, Target, Tariff, TariffClass};
use plantroom::historian::{Historian, History, Metrics};
use plantroom::point::{Batch, Catalogue, Decimal, Declared, Names, Reading, ValueKind};
use plantroom::readings::HistorianFeed;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A tower with a meter in it: `main-meter/energy`, point 1, in hundredths of a kWh, priced by
/// the half hour (valley until 00:30, then peak), forwarded to `url`.
pub fn plan(url: &str) -> Plan {
    let names = |id: &str| Names::or_id(None, None, id);
    let asset = |id: &str, class: &str, parent: Option<&str>| {
        let parent = parent.map(|parent| parent.parse().unwrap());
        Asset::plain(id.parse().unwrap(), class, names(id), parent)
    };
    let class = |id: &str, price: &str| TariffClass {
        id: id.parse().unwrap(),
        name: names(id),
        price: price.parse().unwrap(),
    };
    Plan {
        site: Site {
            id: "demo".parse().unwrap(),
            name: names("demo"),
            zone: jiff::tz::TimeZone::get("Asia/Shanghai").unwrap(),
        },
        http: Http { listen: ([127, 0, 0, 1], 0).into() },
        history: plantroom::config::History::default(),
        assets: vec![
            asset("tower", "Building", None),
            asset("main-meter", "Electrical_Meter", Some("tower")),
        ],
        feeds: Vec::new(),
        points: vec![Point {
            address: "main-meter/energy".parse().unwrap(),
            formerly: Vec::new(),
            name: names("energy"),
            unit: "kW.h".parse().unwrap(),
            kind: ValueKind::Decimal,
            scale: "0.01".parse().unwrap(),
            offset: Decimal::ZERO,
            range: None,
            stale_after_ms: 60_000,
            decimals: 2,
            states: vec![],
            conditioning: plantroom::config::Conditioning::default(),
        }],
        buses: Vec::new(),
        brokers: Vec::new(),
        derived: Vec::new(),
        targets: vec![Target {
            id: "engine".parse().unwrap(),
            url: url.parse().unwrap(),
            token: None,
            login: None,
            batch_lines_max: 100,
        }],
        rules: Vec::new(),
        meters: vec![Meter {
            id: "main".parse().unwrap(),
            name: names("main"),
            point: "main-meter/energy".parse().unwrap(),
            resolution_exponent: -2,
            modulus: 1_000_000,
            rate_max_per_hour: 100_000,
            expected_interval_ms: 60_000,
            tariff: Some("tou".parse().unwrap()),
        }],
        tariffs: vec![Tariff {
            id: "tou".parse().unwrap(),
            name: names("tou"),
            valid_from: "2026-01-01".parse().unwrap(),
            half_hours: std::array::from_fn(|half| u8::from(half >= 1)),
            classes: vec![class("valley", "0.3"), class("peak", "1.2")],
        }],
    }
}

/// A history that is being written.
pub struct Memory {
    pub catalogue: Catalogue,
    pub history: History,
    feeds: mpsc::Sender<HistorianFeed>,
    writer: JoinSet<()>,
}

impl Memory {
    /// Opens it in `dir` and starts its writer on this runtime.
    pub fn open(dir: &Path, plan: &Plan, clock: &Clock) -> Memory {
        let opened = Historian::open(&dir.join("history"), clock.clone(), Metrics::default()).unwrap();
        let (mut historian, history) = (opened.historian, opened.history);
        let declared = plan.points.iter().map(|point| Declared {
            address: point.address.clone(),
            formerly: Vec::new(),
            unit: point.unit,
            kind: point.kind,
        });
        let (catalogue, _) = historian.declare(&declared.collect::<Vec<_>>()).unwrap();
        let (feeds, rx) = mpsc::channel(64);
        let mut writer = JoinSet::new();
        writer.spawn(historian.run(rx, CancellationToken::new()));
        Memory { catalogue, history, feeds, writer }
    }

    /// Keeps these readings as one batch, received when the last of them was taken.
    pub async fn keep(&self, readings: Vec<Reading>) {
        let received_at = readings.iter().map(|reading| reading.at).max().unwrap();
        let batch = Batch { device: "meter".into(), source_at: None, received_at, at_error_ms: 0, readings };
        let feed = HistorianFeed { batch: Arc::new(batch), ack: None, lost_before: None };
        self.feeds.send(feed).await.unwrap();
    }

    /// Writes what is on its way and closes.
    pub async fn close(mut self) {
        drop(self.feeds);
        while self.writer.join_next().await.is_some() {}
    }
}
