//! How points of this part are told: a true value, and the unrest of whoever measures it.

use crate::sim::truth::{Build, Moment, noise};

/// Sensors waver about once in so many seconds.
const UNREST_S: i64 = 37;

/// Tells the points of one asset.
pub struct Desk<'a> {
    pub build: &'a mut Build,
    pub asset: &'a str,
}

impl<'a> Desk<'a> {
    pub fn of(build: &'a mut Build, asset: &'a str) -> Desk<'a> {
        Desk { build, asset }
    }

    /// As it is.
    pub fn tell(&mut self, quantity: &str, told: impl Fn(&Moment<'_>) -> f64 + Send + Sync + 'static) {
        self.build.point(&format!("{}/{quantity}", self.asset), told);
    }

    /// With an unrest of so much up and down.
    pub fn sense(
        &mut self,
        quantity: &str,
        unrest: f64,
        told: impl Fn(&Moment<'_>) -> f64 + Send + Sync + 'static,
    ) {
        let key = noise::key(&format!("{}/{quantity}", self.asset));
        self.tell(quantity, move |now| told(now) + unrest * now.wander(key, UNREST_S));
    }

    /// With an unrest of such a share of it up and down, so that what stands still reads 0.
    pub fn waver(
        &mut self,
        quantity: &str,
        share: f64,
        told: impl Fn(&Moment<'_>) -> f64 + Send + Sync + 'static,
    ) {
        let key = noise::key(&format!("{}/{quantity}", self.asset));
        self.tell(quantity, move |now| told(now) * (1.0 + share * now.wander(key, UNREST_S)));
    }

    /// What never changes.
    pub fn fixed(&mut self, quantity: &str, value: f64) {
        self.tell(quantity, move |_| value);
    }
}
