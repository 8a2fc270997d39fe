//! What the ten air handlers serve. All of it is invented; sizes are those of a hospital of some 400 beds.

use crate::sim::truth::parts::{Item, Supply, Use};
use crate::sim::truth::{Flow, People};

/// When an air handler runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hours {
    /// Day and night.
    Always,
    /// While the outpatient departments are open.
    Open,
    /// Day and night, with less air where nobody operates.
    Theatres,
}

/// How the outdoor air gets in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outdoor {
    /// Mixed with what comes back, at least this share of it; more where that cools for nothing.
    Mixed(f64),
    /// Always this share.
    Fixed(f64),
    /// Nothing else, over a wheel that gives back so much of the heat at most.
    Wheel(f64),
}

/// What stands in an air handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The controller of `ahu-1`, which was there first.
    First,
    /// `demo/air-handler`.
    Own,
    /// `komfovent/c6`.
    Komfovent,
}

/// An air handler and what it serves.
#[derive(Debug)]
pub struct Zone {
    pub handler: &'static str,
    pub building: &'static str,
    pub kind: Kind,
    /// Its air is clean by several stages of filters, and dried.
    pub clean: bool,
    pub hours: Hours,
    /// Air, m3/h, and what the fan lifts it by, Pa.
    pub air: f64,
    pub pressure: f64,
    /// Over the filter when new, Pa.
    pub filter: f64,
    pub outdoor: Outdoor,
    /// Rooms in winter and summer, °C.
    pub rooms: [f64; 2],
    /// Supply air, least and most, °C.
    pub supply: [f64; 2],
    /// Through walls and windows, kW/K.
    pub shell: f64,
    /// Heat from machines and lights; people at their most; the sun at 1000 W/m2: kW.
    pub gains: [f64; 3],
    pub people: fn(&People) -> f64,
    /// Coils, cooling and heating, kW.
    pub coils: [f64; 2],
    /// Least water in the air, in winter, and most, g/kg.
    pub water: [f64; 2],
}

impl Zone {
    /// What its fans draw.
    pub fn fan(&self, flow: Flow) -> Use {
        let item = if self.clean { Item::Clean } else { Item::AirHandling };
        Use {
            asset: self.handler,
            building: self.building,
            supply: Supply::Power,
            item,
            flow,
            vital: self.clean,
        }
    }
}

/// All of them.
pub const ZONES: [Zone; 10] = [
    Zone {
        handler: "ahu-1",
        building: "main-building",
        kind: Kind::First,
        clean: true,
        hours: Hours::Always,
        air: 6_200.0,
        pressure: 1_250.0,
        filter: 104.0,
        outdoor: Outdoor::Fixed(0.3),
        rooms: [22.5, 22.5],
        supply: [17.6, 18.4],
        shell: 0.1,
        gains: [4.0, 6.0, 0.0],
        people: |people| people.surgery,
        coils: [75.0, 40.0],
        water: [8.0, 8.2],
    },
    Zone {
        handler: "ahu-2",
        building: "main-building",
        kind: Kind::Own,
        clean: true,
        hours: Hours::Theatres,
        air: 7_000.0,
        pressure: 1_200.0,
        filter: 96.0,
        outdoor: Outdoor::Fixed(0.3),
        rooms: [22.3, 22.3],
        supply: [17.6, 18.4],
        shell: 0.1,
        gains: [4.5, 7.0, 0.0],
        people: |people| people.surgery,
        coils: [85.0, 45.0],
        water: [8.0, 8.2],
    },
    Zone {
        handler: "ahu-3",
        building: "main-building",
        kind: Kind::Komfovent,
        clean: false,
        hours: Hours::Always,
        air: 12_000.0,
        pressure: 780.0,
        filter: 70.0,
        outdoor: Outdoor::Wheel(0.74),
        rooms: [23.2, 24.2],
        supply: [16.0, 27.0],
        shell: 2.4,
        gains: [16.0, 22.0, 18.0],
        people: |people| people.ward_activity,
        coils: [140.0, 70.0],
        water: [7.4, 9.6],
    },
    Zone {
        handler: "ahu-4",
        building: "main-building",
        kind: Kind::Komfovent,
        clean: false,
        hours: Hours::Always,
        air: 12_500.0,
        pressure: 800.0,
        filter: 72.0,
        outdoor: Outdoor::Wheel(0.74),
        rooms: [23.2, 24.2],
        supply: [16.0, 27.0],
        shell: 2.6,
        gains: [16.0, 24.0, 22.0],
        people: |people| people.ward_activity,
        coils: [145.0, 75.0],
        water: [7.4, 9.6],
    },
    Zone {
        handler: "ahu-5",
        building: "outpatient-building",
        kind: Kind::Komfovent,
        clean: false,
        hours: Hours::Open,
        air: 11_000.0,
        pressure: 760.0,
        filter: 68.0,
        outdoor: Outdoor::Wheel(0.72),
        rooms: [21.5, 25.2],
        supply: [15.5, 27.0],
        shell: 2.0,
        gains: [10.0, 55.0, 22.0],
        people: |people| people.outpatients,
        coils: [135.0, 65.0],
        water: [5.4, 10.6],
    },
    Zone {
        handler: "ahu-6",
        building: "outpatient-building",
        kind: Kind::Komfovent,
        clean: false,
        hours: Hours::Open,
        air: 9_500.0,
        pressure: 740.0,
        filter: 66.0,
        outdoor: Outdoor::Wheel(0.72),
        rooms: [21.5, 25.2],
        supply: [15.5, 27.0],
        shell: 1.9,
        gains: [9.0, 42.0, 24.0],
        people: |people| people.outpatients,
        coils: [120.0, 60.0],
        water: [5.4, 10.6],
    },
    Zone {
        handler: "ahu-7",
        building: "technology-building",
        kind: Kind::Own,
        clean: false,
        hours: Hours::Always,
        air: 9_000.0,
        pressure: 820.0,
        filter: 74.0,
        outdoor: Outdoor::Mixed(0.2),
        rooms: [23.4, 23.8],
        supply: [13.0, 20.0],
        shell: 0.4,
        gains: [27.0, 6.0, 2.0],
        people: |people| people.staff,
        coils: [95.0, 40.0],
        water: [6.4, 9.4],
    },
    Zone {
        handler: "ahu-8",
        building: "technology-building",
        kind: Kind::Own,
        clean: false,
        hours: Hours::Always,
        air: 10_000.0,
        pressure: 840.0,
        filter: 76.0,
        outdoor: Outdoor::Mixed(0.2),
        rooms: [22.4, 22.8],
        supply: [12.6, 19.0],
        shell: 0.3,
        gains: [26.0, 10.0, 1.0],
        people: |people| people.outpatients.min(1.0),
        coils: [105.0, 40.0],
        water: [6.4, 9.2],
    },
    Zone {
        handler: "ahu-9",
        building: "infectious-building",
        kind: Kind::Own,
        clean: true,
        hours: Hours::Always,
        air: 8_000.0,
        pressure: 980.0,
        filter: 88.0,
        outdoor: Outdoor::Fixed(1.0),
        rooms: [22.5, 24.6],
        supply: [17.0, 28.0],
        shell: 0.7,
        gains: [5.0, 5.0, 5.0],
        people: |people| people.inpatients,
        coils: [140.0, 120.0],
        water: [6.8, 9.6],
    },
    Zone {
        handler: "ahu-10",
        building: "main-building",
        kind: Kind::Own,
        clean: true,
        hours: Hours::Always,
        air: 8_500.0,
        pressure: 1_050.0,
        filter: 92.0,
        outdoor: Outdoor::Mixed(0.35),
        rooms: [23.4, 23.9],
        supply: [15.5, 24.0],
        shell: 0.5,
        gains: [13.0, 4.0, 4.0],
        people: |people| people.staff,
        coils: [95.0, 55.0],
        water: [7.6, 8.8],
    },
];
