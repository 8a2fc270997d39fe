//! The weather of Jinan: seasons, fronts that pass, days and nights, clouds.

use super::calendar::Civil;
use super::noise;
use crate::point::UtcMs;
use std::f64::consts::{PI, TAU};

/// Outside, on the roof.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Weather {
    /// Dry bulb, °C.
    pub temperature: f64,
    /// Relative humidity, %.
    pub humidity: f64,
    /// Global radiation on a horizontal plane, W/m2.
    pub sun: f64,
    /// Wet bulb, °C.
    pub wet_bulb: f64,
    /// Where the ground water and the town's mains are, °C.
    pub mains_water: f64,
}

/// Monthly means of Jinan, January first: °C and %. Rounded from published climate normals of
/// 1991 to 2020, from memory; the simulation needs the shape of the year, not its last digit.
const TEMPERATURE: [f64; 12] = [0.3, 3.7, 9.9, 16.6, 22.4, 26.8, 27.9, 26.6, 22.5, 16.5, 8.8, 2.2];
const HUMIDITY: [f64; 12] = [53.0, 49.0, 45.0, 48.0, 51.0, 56.0, 72.0, 75.0, 66.0, 58.0, 57.0, 55.0];
/// Degrees north.
const LATITUDE: f64 = 36.7;
/// Fronts pass about so often.
const FRONT_MS: i64 = 4 * 86_400_000;

/// The weather at a moment.
pub fn weather(at: UtcMs, civil: &Civil, seed: u64) -> Weather {
    let front = noise::wander(seed, 1, at, FRONT_MS);
    let cloud = ((noise::wander(seed, 2, at, FRONT_MS / 2) + 0.6 * noise::wander(seed, 3, at, 5_400_000))
        * 0.5
        + 0.45)
        .clamp(0.0, 1.0);
    // Warmest at three in the afternoon; clouds flatten the day.
    let daily = ((civil.hour - 15.0) / 24.0 * TAU).cos();
    let temperature = of_month(&TEMPERATURE, civil.season) + 4.5 * front + daily * (5.5 - 3.0 * cloud);
    let humidity = (of_month(&HUMIDITY, civil.season) - 14.0 * daily * (1.0 - 0.5 * cloud)
        + 22.0 * (cloud - 0.45))
        .clamp(12.0, 98.0);
    let sun = clear_sky(civil) * (1.0 - 0.75 * cloud.powf(1.5));
    // The ground lags the air by some five weeks and swings by half as much.
    let mains_water = 15.0 + 0.5 * (of_month(&TEMPERATURE, (civil.season - 35.0).rem_euclid(365.0)) - 15.0);
    Weather { temperature, humidity, sun, wet_bulb: wet_bulb(temperature, humidity), mains_water }
}

/// Between the middles of months in straight lines.
fn of_month(means: &[f64; 12], season: f64) -> f64 {
    let months = (season / 365.25 * 12.0 - 0.5).rem_euclid(12.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 11")]
    let month = months as usize;
    let get = |month: usize| means.get(month % 12).copied().unwrap_or(0.0);
    get(month) + (get(month + 1) - get(month)) * months.fract()
}

/// W/m2 under a clear sky: Haurwitz 1945, from the height of the sun (declination after Cooper 1969).
/// The clock is taken for solar time.
fn clear_sky(civil: &Civil) -> f64 {
    let declination = (23.45 * (TAU * (284.0 + civil.season + 1.0) / 365.0).sin()).to_radians();
    let latitude = LATITUDE.to_radians();
    let angle = (civil.hour - 12.0) / 12.0 * PI;
    let height = latitude.sin() * declination.sin() + latitude.cos() * declination.cos() * angle.cos();
    if height <= 0.01 { 0.0 } else { 1_098.0 * height * (-0.057 / height).exp() }
}

/// Stull 2011, equation 1: °C from °C and %, at sea level; good to 1 K.
fn wet_bulb(temperature: f64, humidity: f64) -> f64 {
    temperature * (0.151_977 * (humidity + 8.313_659).sqrt()).atan() + (temperature + humidity).atan()
        - (humidity - 1.676_331).atan()
        + 0.003_918_38 * humidity.powf(1.5) * (0.023_101 * humidity).atan()
        - 4.686_035
}
