//! What water, air and motors obey. Units in the names or beside them.

/// Heat that water carries: kWh per m3 and K, at 4.19 kJ/(kg K) and 1000 kg/m3.
pub const WATER: f64 = 1.163;
/// Heat that air carries: kW per m3/h and K, at 1.2 kg/m3 and 1.006 kJ/(kg K).
pub const AIR: f64 = 1.2 * 1.006 / 3_600.0;
/// Heat in the vapour that air carries: kW per m3/h and g/kg, at 2501 kJ/kg.
pub const VAPOUR: f64 = 1.2 * 2.501 / 3_600.0;
/// Heat of a cubic metre of natural gas: kWh, lower heating value of 35.9 MJ.
pub const GAS: f64 = 9.97;

/// Where a level is after `hours`, on its way to `to`; it goes 63 % of the way in `tau` hours.
pub fn toward(level: f64, to: f64, tau: f64, hours: f64) -> f64 {
    to + (level - to) * (-hours / tau).exp()
}

/// Pressure of saturated vapour over water, kPa. Magnus, with the constants of WMO-No. 8 (2018), annex 4.B.
fn saturation(celsius: f64) -> f64 {
    0.6112 * (17.62 * celsius / (243.12 + celsius)).exp()
}

/// Water in air at 101.3 kPa, g/kg, from °C and %.
pub fn moisture(celsius: f64, percent: f64) -> f64 {
    let vapour = saturation(celsius) * percent / 100.0;
    622.0 * vapour / (101.3 - vapour)
}

/// Relative humidity of air at 101.3 kPa, %, from °C and g/kg.
pub fn humidity(celsius: f64, moisture: f64) -> f64 {
    (101.3 * moisture / (622.0 + moisture) / saturation(celsius) * 100.0).clamp(1.0, 100.0)
}

/// What a three-phase motor behind a drive draws at 380 V and a power factor of 0.92, in A from kW.
pub fn amperes(kilowatts: f64) -> f64 {
    kilowatts * 1_000.0 / (3.0_f64.sqrt() * 380.0 * 0.92)
}

/// A flag as a number.
pub fn flag(on: bool) -> f64 {
    f64::from(u8::from(on))
}

/// Whether something runs that turns this fast: what is below a hundredth of it stands.
pub fn runs(share: f64) -> f64 {
    if share > 0.01 { 1.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn air_holds_what_the_tables_say() {
        for (celsius, percent, grams) in [(20.0, 50.0, 7.3), (25.0, 60.0, 11.9), (0.0, 100.0, 3.8)] {
            let found = moisture(celsius, percent);
            assert!((found - grams).abs() < 0.1, "{celsius} {percent}: {found}");
            assert!((humidity(celsius, found) - percent).abs() < 0.01);
        }
    }

    #[test]
    fn a_level_goes_where_it_is_drawn() {
        assert!((toward(10.0, 20.0, 2.0, 0.0) - 10.0).abs() < 1e-12);
        assert!((toward(10.0, 20.0, 2.0, 2.0) - 16.32).abs() < 0.01);
    }
}
