//! The distribution: which sub-meter hangs on which feeder, which feeder on which section of the bus,
//! and on which sub-meter whatever draws power hangs.

use super::super::{Item, Use};

/// An outgoing feeder of the low-voltage bus.
pub struct Feeder {
    /// Its asset.
    pub id: &'static str,
    /// The section of the bus, and the transformer that supplies it: 0 or 1.
    pub section: usize,
    /// Quantities its meter tells.
    pub told: &'static [&'static str],
    /// kWh on its register at genesis.
    pub first_kwh: f64,
}

/// A meter behind a feeder.
pub struct Sub {
    /// Its asset.
    pub id: &'static str,
    /// The feeder.
    pub feeder: &'static str,
    /// Power factor of what hangs on it.
    pub cos_phi: f64,
    /// Quantities it tells.
    pub told: &'static [&'static str],
    /// kWh on its register at genesis.
    pub first_kwh: f64,
}

const FEEDER: &[&str] =
    &["power", "energy", "power_factor", "current_a", "current_b", "current_c", "reactive_energy"];
const FEEDER_DEMAND: &[&str] =
    &["power", "energy", "power_factor", "current_a", "current_b", "current_c", "demand_power"];

const fn feeder(id: &'static str, section: usize, told: &'static [&'static str], first_kwh: f64) -> Feeder {
    Feeder { id, section, told, first_kwh }
}

/// All feeders. The essential one comes from the transfer switch and is last.
pub const FEEDERS: [Feeder; 10] = [
    feeder("feeder-main-lighting", 0, FEEDER, 1_284_530.2),
    feeder("feeder-outpatient", 0, FEEDER, 512_044.7),
    feeder("feeder-infectious", 0, FEEDER, 118_320.4),
    feeder("feeder-cooling", 0, FEEDER_DEMAND, 2_106_411.9),
    feeder("feeder-charging", 0, FEEDER, 94_218.3),
    feeder("feeder-technology", 1, FEEDER, 688_140.6),
    feeder("feeder-imaging", 1, FEEDER, 904_118.1),
    feeder("feeder-air-conditioning", 1, FEEDER, 803_377.8),
    feeder("feeder-services", 1, FEEDER_DEMAND, 841_699.0),
    feeder(ESSENTIAL, 1, FEEDER, 2_542_019.3),
];

/// The feeder behind the transfer switch.
pub const ESSENTIAL: &str = "feeder-essential";

/// Feeders a script may trip, with all that hangs on them: lights and sockets, scanners, and air handlers.
pub const TRIPS: [&str; 3] = ["feeder-outpatient", "feeder-imaging", "feeder-air-conditioning"];

/// Lights and sockets of a floor.
const FLOOR: &[&str] = &["power", "energy", "power_factor"];
const PLAIN: &[&str] = &["power", "energy"];
const CURRENTS: &[&str] = &["power", "energy", "current_a", "current_b", "current_c"];

const fn sub(
    id: &'static str,
    feeder: &'static str,
    cos_phi: f64,
    told: &'static [&'static str],
    first_kwh: f64,
) -> Sub {
    Sub { id, feeder, cos_phi, told, first_kwh }
}

/// All sub-meters.
pub const SUBS: [Sub; 43] = [
    sub("meter-main-b1", "feeder-main-lighting", 0.92, PLAIN, 61_022.4),
    sub("meter-main-1f", "feeder-main-lighting", 0.93, PLAIN, 131_803.5),
    sub("meter-main-2f", "feeder-main-lighting", 0.94, PLAIN, 88_210.7),
    sub("meter-main-3f", "feeder-main-lighting", 0.94, PLAIN, 82_466.1),
    sub("meter-main-4f", "feeder-main-lighting", 0.94, PLAIN, 80_917.0),
    sub("meter-main-5f", "feeder-main-lighting", 0.94, PLAIN, 78_233.9),
    sub("meter-main-6f", "feeder-main-lighting", 0.94, PLAIN, 77_010.2),
    sub("meter-main-7f", "feeder-main-lighting", 0.94, PLAIN, 74_355.8),
    sub("meter-main-8f", "feeder-main-lighting", 0.94, PLAIN, 70_112.3),
    sub("meter-outpatient-1f", "feeder-outpatient", 0.93, FLOOR, 70_335.1),
    sub("meter-outpatient-2f", "feeder-outpatient", 0.93, FLOOR, 58_120.6),
    sub("meter-outpatient-3f", "feeder-outpatient", 0.93, FLOOR, 55_904.2),
    sub("meter-outpatient-4f", "feeder-outpatient", 0.93, FLOOR, 43_771.8),
    sub("meter-infectious-1f", "feeder-infectious", 0.93, PLAIN, 21_034.4),
    sub("meter-infectious-2f", "feeder-infectious", 0.94, PLAIN, 30_442.6),
    sub("meter-chillers", "feeder-cooling", 0.89, CURRENTS, 911_340.5),
    sub("meter-cooling-pumps", "feeder-cooling", 0.86, PLAIN, 402_118.0),
    sub("meter-heating", "feeder-cooling", 0.86, PLAIN, 120_663.3),
    sub("meter-charging", "feeder-charging", 0.98, PLAIN, 94_218.3),
    sub("meter-technology-b1", "feeder-technology", 0.92, PLAIN, 40_110.9),
    sub("meter-technology-1f", "feeder-technology", 0.93, PLAIN, 76_205.5),
    sub("meter-technology-2f", "feeder-technology", 0.93, PLAIN, 70_087.7),
    sub("meter-technology-3f", "feeder-technology", 0.93, PLAIN, 58_630.2),
    sub("meter-laboratory", "feeder-technology", 0.92, PLAIN, 120_994.6),
    sub("meter-sterile-supply", "feeder-technology", 0.96, PLAIN, 101_520.3),
    sub("meter-mr", "feeder-imaging", 0.91, CURRENTS, 288_140.2),
    sub("meter-ct", "feeder-imaging", 0.9, PLAIN, 121_066.7),
    sub("meter-dsa", "feeder-imaging", 0.9, PLAIN, 92_512.4),
    sub("meter-dr", "feeder-imaging", 0.9, PLAIN, 33_870.0),
    sub("meter-main-air", "feeder-air-conditioning", 0.85, PLAIN, 412_305.8),
    sub("meter-outpatient-air", "feeder-air-conditioning", 0.85, PLAIN, 166_721.4),
    sub("meter-technology-air", "feeder-air-conditioning", 0.85, PLAIN, 154_009.9),
    sub("meter-kitchen", "feeder-services", 0.95, PLAIN, 201_338.4),
    sub("meter-laundry", "feeder-services", 0.88, PLAIN, 95_207.7),
    sub("meter-energy-centre", "feeder-services", 0.92, PLAIN, 40_118.6),
    sub("meter-essential-main", ESSENTIAL, 0.9, PLAIN, 180_442.8),
    sub("meter-lifts", ESSENTIAL, 0.82, PLAIN, 280_330.1),
    sub("meter-water-plant", ESSENTIAL, 0.84, PLAIN, 181_066.0),
    sub("meter-cold-storage", ESSENTIAL, 0.9, PLAIN, 52_660.1),
    sub("meter-infectious-air", ESSENTIAL, 0.86, PLAIN, 141_900.1),
    sub("meter-medical-gas", ESSENTIAL, 0.85, CURRENTS, 401_557.5),
    sub("meter-clean-air", ESSENTIAL, 0.88, PLAIN, 1_011_906.5),
    sub("meter-computing", ESSENTIAL, 0.97, CURRENTS, 310_886.2),
];

/// The sub-meter a use of another part hangs on; each on one. What must go on when the town's power
/// fails hangs on the essential bus: clean air, lifts, pumps, cold storage, medical gases, computers.
pub fn meter_of(draw: &Use) -> &'static str {
    match (draw.item, draw.building) {
        (Item::MedicalGas, _) => "meter-medical-gas",
        (Item::Computing, _) => "meter-computing",
        (Item::Charging, _) => "meter-charging",
        (Item::Imaging, _) => "meter-dr",
        (Item::Clean | Item::AirHandling, "infectious-building") => "meter-infectious-air",
        (Item::Clean, _) => "meter-clean-air",
        (Item::Machines, "energy-centre") => "meter-water-plant",
        (Item::Machines, _) => "meter-lifts",
        (Item::Services, _) => "meter-cold-storage",
        _ if draw.vital => "meter-essential-main",
        (Item::CoolingHeating, _) if draw.asset.starts_with("chiller") => "meter-chillers",
        (Item::CoolingHeating, _) if heats(draw.asset) => "meter-heating",
        (Item::CoolingHeating, _) => "meter-cooling-pumps",
        (Item::AirHandling, "outpatient-building") => "meter-outpatient-air",
        (Item::AirHandling, "technology-building") => "meter-technology-air",
        (Item::AirHandling, _) => "meter-main-air",
        (Item::Lighting, "outpatient-building") => "meter-outpatient-1f",
        (Item::Lighting, "technology-building") => "meter-technology-1f",
        (Item::Lighting, "infectious-building") => "meter-infectious-1f",
        (Item::Lighting, "energy-centre") => "meter-energy-centre",
        (Item::Lighting, _) => "meter-main-1f",
    }
}

/// The feeder it hangs on.
pub fn feeder_of(draw: &Use) -> Option<&'static str> {
    let meter = meter_of(draw);
    SUBS.iter().find(|sub| sub.id == meter).map(|sub| sub.feeder)
}

/// Whether an asset makes or moves heat.
pub fn heats(asset: &str) -> bool {
    ["boiler", "heat", "hot-water", "steam", "solar", "feed-water"].iter().any(|word| asset.contains(word))
}
