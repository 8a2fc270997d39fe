//! Dimensions and exact sizes of units: what converts into what, and by which fraction.

use super::Decimal;
use std::fmt;

/// Base quantities: metre, kilogram, second, ampere, kelvin, then units that convert to no other.
const BASES: [&str; 10] = ["m", "kg", "s", "A", "K", "lx", "deg", "dB", "[pH]", "[NTU]"];

/// No product of units goes beyond this power of a base.
const POWER_MAX: i8 = 24;

/// Powers of the base quantities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dimension([i8; BASES.len()]);

impl Dimension {
    /// A plain ratio.
    pub const NONE: Dimension = Dimension::of(0, 0, 0, 0, 0);
    /// Time.
    pub const TIME: Dimension = Dimension::of(0, 0, 1, 0, 0);

    /// Powers of metre, kilogram, second, ampere and kelvin.
    pub(super) const fn of(m: i8, kg: i8, s: i8, a: i8, k: i8) -> Dimension {
        Dimension([m, kg, s, a, k, 0, 0, 0, 0, 0])
    }

    /// A base that converts to no other: lx, deg, dB, pH or NTU.
    pub(super) const fn own(lx: i8, deg: i8, db: i8, ph: i8, ntu: i8) -> Dimension {
        Dimension([0, 0, 0, 0, 0, lx, deg, db, ph, ntu])
    }

    /// Of a product; none if a power goes beyond reason.
    pub fn times(self, other: Dimension) -> Option<Dimension> {
        self.combine(other, 1)
    }

    /// Of a quotient; none if a power goes beyond reason.
    pub fn over(self, other: Dimension) -> Option<Dimension> {
        self.combine(other, -1)
    }

    fn combine(self, other: Dimension, sign: i8) -> Option<Dimension> {
        let mut powers = self.0;
        for (power, more) in powers.iter_mut().zip(other.0) {
            *power += more * sign;
            if power.abs() > POWER_MAX {
                return None;
            }
        }
        Some(Dimension(powers))
    }

    /// Of a square root; none if a power is odd.
    pub fn half(self) -> Option<Dimension> {
        self.0.iter().all(|power| power % 2 == 0).then(|| Dimension(self.0.map(|power| power / 2)))
    }
}

/// The powers of the base units: `m2.kg.s-3`.
impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = BASES.iter().zip(self.0).filter(|(_, power)| *power != 0);
        for (place, (base, power)) in named.enumerate() {
            let dot = if place == 0 { "" } else { "." };
            if power == 1 { write!(f, "{dot}{base}")? } else { write!(f, "{dot}{base}{power}")? }
        }
        Ok(())
    }
}

/// A fraction in lowest terms; below the line it is positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio {
    over: i128,
    under: i128,
}

impl Ratio {
    /// One.
    pub const ONE: Ratio = Ratio { over: 1, under: 1 };
    /// Zero.
    pub const ZERO: Ratio = Ratio { over: 0, under: 1 };

    /// `over / under`; `under` is positive.
    pub(super) fn new(over: i128, under: i128) -> Ratio {
        let (mut a, mut b) = (over.abs(), under);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        Ratio { over: over / a.max(1), under: under / a.max(1) }
    }

    /// Above the line.
    pub(super) fn over(self) -> i128 {
        self.over
    }

    /// Below the line, positive.
    pub(super) fn under(self) -> i128 {
        self.under
    }

    /// The product; none beyond 128 bits.
    pub fn times(self, other: Ratio) -> Option<Ratio> {
        Some(Ratio::new(self.over.checked_mul(other.over)?, self.under.checked_mul(other.under)?))
    }

    /// The difference; none beyond 128 bits.
    pub(super) fn minus(self, other: Ratio) -> Option<Ratio> {
        let left = self.over.checked_mul(other.under)?;
        let right = other.over.checked_mul(self.under)?;
        Some(Ratio::new(left.checked_sub(right)?, self.under.checked_mul(other.under)?))
    }

    /// One over it. Of a size, which is positive.
    #[must_use]
    pub fn inverse(self) -> Ratio {
        Ratio { over: self.under, under: self.over }
    }

    /// The decimal it is, if it is one.
    pub fn decimal(self) -> Option<Decimal> {
        (0..=Decimal::EXPONENT_MAX).find_map(|places| {
            let wide = self.over.checked_mul(10_i128.checked_pow(places.unsigned_abs().into())?)?;
            let whole = (wide % self.under == 0).then_some(wide / self.under)?;
            Decimal::new(i64::try_from(whole).ok()?, -places).ok()
        })
    }

    /// The nearest float.
    #[expect(clippy::cast_precision_loss, reason = "the nearest float is what is wanted")]
    pub fn to_f64(self) -> f64 {
        self.over as f64 / self.under as f64
    }
}
