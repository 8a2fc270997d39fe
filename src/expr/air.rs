//! Moist air: dew point, wet bulb, humidity and enthalpy from temperature and relative humidity.
//!
//! Formulas of ASHRAE Handbook - Fundamentals (2017, SI), chapter 1; saturation pressure after
//! Hyland and Wexler (1983). Moist air is taken as an ideal gas (no enhancement factor), as the
//! chapter's own equations 20 to 36 do: within 0.5 % of its table 2 in humidity ratio and within
//! 0.7 kJ/kg in enthalpy from -20 to 40 Cel, within 0.03 % of table 3 in saturation pressure.
//! Temperatures in Cel, pressures in Pa absolute, humidity as a fraction, as the arguments say.

/// Where the saturation pressure is fitted, Cel (equations 5 and 6).
const TEMPERATURE_MIN: f64 = -100.0;
const TEMPERATURE_MAX: f64 = 200.0;

/// The standard atmosphere at sea level, Pa (table 1).
pub(super) const STANDARD_PRESSURE: f64 = 101_325.0;

/// Molar mass of water over that of dry air (equation 20).
const MASS_RATIO: f64 = 0.621_945;

/// Gas constant of water vapour, J/(kg K): 8314.472 / 18.015268 (section "composition").
const VAPOUR_GAS_CONSTANT: f64 = 461.524;

const FREEZING: f64 = 273.15;

/// Halvings of an interval of at most 300 K: below a billionth of a kelvin.
const HALVINGS: usize = 50;

/// Air as two or three sensors see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Air {
    temperature: f64,
    humidity: f64,
    pressure: f64,
}

impl Air {
    /// None outside -100 to 200 Cel, 0 < humidity <= 1, and where the vapour alone would have
    /// the whole pressure.
    pub(super) fn new(temperature: f64, humidity: f64, pressure: f64) -> Option<Air> {
        let fits = (TEMPERATURE_MIN..=TEMPERATURE_MAX).contains(&temperature)
            && humidity > 0.0
            && humidity <= 1.0
            && saturation_pressure(temperature) * humidity < pressure;
        fits.then_some(Air { temperature, humidity, pressure })
    }

    /// Partial pressure of the vapour, Pa (equation 22).
    fn vapour_pressure(self) -> f64 {
        self.humidity * saturation_pressure(self.temperature)
    }

    /// Dew point, below 0 Cel frost point, Cel: the inverse of the saturation pressure, found by
    /// halving, which is exact where the fit of equations 37 and 38 is not. None below -100 Cel.
    pub(super) fn dew_point(self) -> Option<f64> {
        let wanted = self.vapour_pressure();
        if saturation_pressure(TEMPERATURE_MIN) > wanted {
            return None;
        }
        Some(root(TEMPERATURE_MIN, self.temperature, |at| saturation_pressure(at) <= wanted))
    }

    /// Mass of water per mass of dry air, kg/kg (equation 20).
    pub(super) fn humidity_ratio(self) -> f64 {
        humidity_ratio(self.vapour_pressure(), self.pressure)
    }

    /// Mass of water per volume, kg/m3, as an ideal gas.
    pub(super) fn absolute_humidity(self) -> f64 {
        self.vapour_pressure() / (VAPOUR_GAS_CONSTANT * (self.temperature + FREEZING))
    }

    /// Enthalpy per mass of dry air, kJ/kg; 0 for dry air at 0 Cel (equation 30).
    pub(super) fn enthalpy(self) -> f64 {
        1.006 * self.temperature + self.humidity_ratio() * (2_501.0 + 1.86 * self.temperature)
    }

    /// Thermodynamic wet-bulb temperature, Cel (equations 33 and 35, by halving between dew
    /// point and temperature). None where there is no dew point or the air would boil.
    pub(super) fn wet_bulb(self) -> Option<f64> {
        let wanted = self.humidity_ratio();
        let reached = |wet: f64| {
            let full = saturation_pressure(wet);
            full < self.pressure && self.ratio_at_wet_bulb(wet, humidity_ratio(full, self.pressure)) <= wanted
        };
        Some(root(self.dew_point()?, self.temperature, reached))
    }

    /// The humidity ratio this air had if its wet bulb were `wet`, where saturated air has `full`.
    fn ratio_at_wet_bulb(self, wet: f64, full: f64) -> f64 {
        let dry = self.temperature;
        if wet >= 0.0 {
            ((2_501.0 - 2.326 * wet) * full - 1.006 * (dry - wet)) / (2_501.0 + 1.86 * dry - 4.186 * wet)
        } else {
            ((2_830.0 - 0.24 * wet) * full - 1.006 * (dry - wet)) / (2_830.0 + 1.86 * dry - 2.1 * wet)
        }
    }
}

/// Equation 20.
fn humidity_ratio(vapour_pressure: f64, pressure: f64) -> f64 {
    MASS_RATIO * vapour_pressure / (pressure - vapour_pressure)
}

/// Where `reached` stops to hold between `low`, where it does, and `high`.
fn root(low: f64, high: f64, reached: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (low, high);
    if reached(high) {
        return high;
    }
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if reached(middle) { low = middle } else { high = middle }
    }
    low
}

/// Saturation pressure of water vapour over ice below 0 Cel, over water above, Pa (equations 5
/// and 6: Hyland and Wexler 1983).
fn saturation_pressure(temperature: f64) -> f64 {
    let t = temperature + FREEZING;
    let logarithm = if temperature <= 0.0 {
        -5.674_535_9e3 / t
            + 6.392_524_7
            + t * (-9.677_843_0e-3 + t * (6.221_570_1e-7 + t * (2.074_782_5e-9 - t * 9.484_024_0e-13)))
            + 4.163_501_9 * t.ln()
    } else {
        -5.800_220_6e3 / t
            + 1.391_499_3
            + t * (-4.864_023_9e-2 + t * (4.176_476_8e-5 - t * 1.445_209_3e-8))
            + 6.545_967_3 * t.ln()
    };
    logarithm.exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(got: f64, wanted: f64, within: f64) {
        assert!((got - wanted).abs() <= within, "{got} is not {wanted} within {within}");
    }

    /// ASHRAE 2017, chapter 1, table 3 (as in the tests of PsychroLib): within 300 ppm, at -60 Cel
    /// within the last digit of the table.
    #[test]
    fn saturation_pressure_is_that_of_the_table() {
        close(saturation_pressure(-60.0), 1.08, 0.01);
        for (temperature, pascals) in [
            (-20.0, 103.24),
            (-5.0, 401.74),
            (5.0, 872.6),
            (25.0, 3_169.7),
            (50.0, 12_351.3),
            (100.0, 101_418.0),
            (150.0, 476_101.4),
        ] {
            close(saturation_pressure(temperature), pascals, pascals * 0.0003);
        }
        // The two branches meet.
        close(saturation_pressure(-1e-9), saturation_pressure(1e-9), 0.1);
    }

    /// ASHRAE 2017, chapter 1, table 2, moist air saturated at 101325 Pa: humidity ratio in kg/kg,
    /// enthalpy in kJ/kg.
    #[test]
    fn saturated_air_is_that_of_the_table() {
        for (temperature, ratio, enthalpy) in
            [(-20.0, 0.000_637_3, -18.542), (5.0, 0.005_425, 18.639), (25.0, 0.020_173, 76.504)]
        {
            let air = Air::new(temperature, 1.0, STANDARD_PRESSURE).unwrap();
            close(air.humidity_ratio(), ratio, ratio * 0.005);
            close(air.enthalpy(), enthalpy, 0.7);
            close(air.dew_point().unwrap(), temperature, 1e-9);
            close(air.wet_bulb().unwrap(), temperature, 1e-6);
        }
    }

    /// ASHRAE 2017, chapter 1, example 1: 40 Cel with a wet bulb of 20 Cel has 6.5 g/kg, 7 Cel dew
    /// point, 14 % and 56.7 kJ/kg, as read off the chart.
    #[test]
    fn the_handbooks_first_example() {
        let air = Air::new(40.0, 0.14, STANDARD_PRESSURE).unwrap();
        close(air.humidity_ratio(), 0.0065, 0.0001);
        close(air.enthalpy(), 56.7, 0.5);
        close(air.dew_point().unwrap(), 7.0, 0.5);
        close(air.wet_bulb().unwrap(), 20.0, 0.1);
    }

    /// Equations 33 and 35 at 95461 Pa (500 m), worked in a spreadsheet (tests of PsychroLib): with a
    /// wet bulb of 25 and of -5 Cel.
    #[test]
    fn wet_bulbs_at_altitude_above_and_below_freezing() {
        for (dry, wet, ratio) in [(30.0, 25.0, 0.019_228_127), (-1.0, -5.0, 0.001_203_998)] {
            let vapour = ratio * 95_461.0 / (MASS_RATIO + ratio);
            let air = Air::new(dry, vapour / saturation_pressure(dry), 95_461.0).unwrap();
            close(air.wet_bulb().unwrap(), wet, 0.01);
        }
    }

    /// 25 Cel and 80 %: dew point 21.3094 Cel (README of PsychroLib); 50 % at 20 Cel hold 8.65 g/m3
    /// (half of the 17.3 g/m3 of saturated air, any table of steam).
    #[test]
    fn everyday_air() {
        close(Air::new(25.0, 0.8, STANDARD_PRESSURE).unwrap().dew_point().unwrap(), 21.309_4, 0.001);
        close(Air::new(20.0, 0.5, STANDARD_PRESSURE).unwrap().absolute_humidity(), 0.008_65, 0.000_01);
    }

    #[test]
    fn air_that_cannot_be_is_refused() {
        for (temperature, humidity, pressure) in [
            (20.0, 0.0, STANDARD_PRESSURE),
            (20.0, 1.01, STANDARD_PRESSURE),
            (-101.0, 0.5, STANDARD_PRESSURE),
            (201.0, 0.5, 2e6),
            (120.0, 1.0, STANDARD_PRESSURE),
            (20.0, f64::NAN, STANDARD_PRESSURE),
            (20.0, 0.5, 0.0),
        ] {
            assert!(
                Air::new(temperature, humidity, pressure).is_none(),
                "{temperature} {humidity} {pressure}"
            );
        }
        assert_eq!(Air::new(-90.0, 0.01, STANDARD_PRESSURE).unwrap().dew_point(), None);
    }

    proptest! {
        #[test]
        fn dew_point_wet_bulb_and_temperature_are_in_order(t in -60.0_f64..90.0, rh in 0.02_f64..=1.0) {
            let air = Air::new(t, rh, STANDARD_PRESSURE).unwrap();
            let (dew, wet) = (air.dew_point().unwrap(), air.wet_bulb().unwrap());
            prop_assert!(dew <= wet + 1e-6 && wet <= t + 1e-6, "{} {} {}", dew, wet, t);
            // The dew point is where this vapour is saturated.
            let back = saturation_pressure(dew) / saturation_pressure(t);
            prop_assert!((back - rh).abs() < 1e-4, "{} {}", back, rh);
        }
    }
}
