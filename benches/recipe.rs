//! The data the history is measured with: made, the same on every machine, shaped like a hospital's.
//!
//! Ten points make a device, polled together: three temperatures (0.1), an energy counter
//! (0.01 kWh), two currents (three decimals), a contact, a CO2 reading (integer), a raw
//! single-precision float and a set point. Each follows a day's wave, a slow drift (AR(1) with a
//! time constant of 1,800 s) and its sensor's noise; a sample in 5,000 begins a gap, a block of 64 in
//! 2,000 is Uncertain. One SplitMix64 for each point, seeded by its number alone.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "small numbers"
)]

use plantroom::point::{Decimal, Quality, Reason, Value};
use std::f64::consts::TAU;

/// Points of a device, polled at the same instants.
pub const DEVICE_POINTS: u32 = 10;

/// What the points of a device are, in their order.
pub const KINDS: [&str; 10] = [
    "temperature",
    "temperature",
    "temperature",
    "energy",
    "current",
    "current",
    "on/off",
    "integer",
    "raw f32",
    "setpoint",
];

/// A data set.
#[derive(Clone, Copy, Debug)]
pub struct Set {
    /// For the tables.
    pub name: &'static str,
    /// How many points, ten to a device.
    pub points: u32,
    /// Samples of a point, gaps included.
    pub samples: usize,
    /// From one sample to the next.
    pub step_ms: i64,
    /// When the first is, Unix time.
    pub from_ms: i64,
    /// Longest gap, in samples.
    gap_max: u64,
    /// Whether each poll of a device comes up to 7 ms late.
    jitter: bool,
}

/// 500 points at 1 s for 6 h from 2026-01-02.
pub const S1: Set = Set {
    name: "S1",
    points: 500,
    samples: 6 * 3_600,
    step_ms: 1_000,
    from_ms: 1_767_312_000_000,
    gap_max: 120,
    jitter: false,
};

/// 200 points at 15 min for the year 2025.
pub const S2: Set = Set {
    name: "S2",
    points: 200,
    samples: 365 * 96,
    step_ms: 900_000,
    from_ms: 1_735_689_600_000,
    gap_max: 12,
    jitter: false,
};

/// S1 as a busy poller stamps it.
pub const J: Set = Set { name: "J", jitter: true, ..S1 };

impl Set {
    /// When a device is polled, in Unix milliseconds.
    pub fn times(&self, device: u32) -> Vec<i64> {
        let mut random = SplitMix::new(u64::from(device) ^ 0xdeca_fbad);
        let phase_ms = (random.below(50) as i64) * self.step_ms.min(100_000) / 100;
        let mut late_ms = || if self.jitter { random.below(8) as i64 } else { 0 };
        (0..self.samples).map(|n| self.from_ms + phase_ms + n as i64 * self.step_ms + late_ms()).collect()
    }

    /// The readings of a point: which poll of its device, value, quality.
    pub fn readings(&self, point: u32) -> Vec<(usize, Value, Quality)> {
        let mut random = SplitMix::new(u64::from(point) * 7_919 + 12_345);
        let mut signal = Signal::new(point, self.step_ms as f64 / 1_000.0, &mut random);
        let (mut gap, mut quality) = (0, Quality::Good);
        let mut readings = Vec::with_capacity(self.samples);
        for n in 0..self.samples {
            let value = signal.next(n, &mut random);
            if n % 64 == 0 {
                let doubtful = random.chance(1.0 / 2_000.0);
                quality = if doubtful { Quality::Uncertain(Reason::Stale) } else { Quality::Good };
            }
            if gap == 0 && random.chance(1.0 / 5_000.0) {
                gap = 1 + random.below(self.gap_max);
            }
            if gap > 0 {
                gap -= 1;
            } else {
                readings.push((n, value, quality));
            }
        }
        readings
    }
}

/// A point's process: what it is at the next sample.
struct Signal {
    kind: u32,
    step_s: f64,
    base: f64,
    drift: f64,
    /// Counter, contact or set point: what it stands at.
    state: f64,
}

impl Signal {
    fn new(point: u32, step_s: f64, random: &mut SplitMix) -> Signal {
        let kind = point % DEVICE_POINTS;
        let u = random.unit();
        let (base, state) = match kind {
            0..=2 => (18.0 + 8.0 * u, 0.0),
            3 => (5.0 + 45.0 * u, random.below(100_000) as f64),
            4 | 5 => (4.0 + 20.0 * u, 0.0),
            6 => (0.0, (u * 2.0).floor()),
            7 => (450.0 + 300.0 * u, 0.0),
            8 => (10.0 + 90.0 * u, 0.0),
            _ => (0.0, 19.0 + 0.5 * (u * 9.0).floor()),
        };
        Signal { kind, step_s, base, drift: random.normal(), state }
    }

    fn next(&mut self, n: usize, random: &mut SplitMix) -> Value {
        let keep = (-self.step_s / 1_800.0).exp();
        self.drift = keep * self.drift + (1.0 - keep * keep).sqrt() * random.normal();
        let (x, day) = (self.drift, (TAU * n as f64 * self.step_s / 86_400.0).sin());
        match self.kind {
            0..=2 => rounded(self.base + 1.5 * day + 0.6 * x + 0.03 * random.normal(), 1),
            3 => {
                let power_kw = self.base * (1.0 + 0.4 * day + 0.15 * x);
                self.state += power_kw.max(0.0) * self.step_s / 3_600.0;
                decimal((self.state * 100.0).floor() as i64, 2)
            }
            4 | 5 => rounded(self.base * (1.0 + 0.2 * day) + 0.5 * x + 0.15 * random.normal(), 3),
            6 => {
                if random.chance(1.0 - (-self.step_s / 900.0).exp()) {
                    self.state = 1.0 - self.state;
                }
                Value::Bool(self.state > 0.5)
            }
            7 => rounded(self.base + 80.0 * day + 25.0 * x + 2.0 * random.normal(), 0),
            8 => {
                let exact = self.base * (1.0 + 0.1 * day) + 0.8 * x + 0.2 * random.normal();
                Value::F64(f64::from(exact as f32))
            }
            _ => {
                if random.chance(1.0 - (-self.step_s / 20_000.0).exp()) {
                    let steps = random.below(7) as f64 - 3.0;
                    self.state = (self.state + 0.5 * steps).clamp(19.0, 23.0);
                }
                rounded(self.state, 1)
            }
        }
    }
}

fn rounded(number: f64, decimals: u32) -> Value {
    decimal((number * f64::from(10_u32.pow(decimals))).round() as i64, decimals)
}

fn decimal(mantissa: i64, decimals: u32) -> Value {
    Value::Decimal(Decimal::new(mantissa, -(decimals as i8)).unwrap_or(Decimal::ZERO))
}

/// SplitMix64 (Steele, Lea and Flood 2014).
struct SplitMix(u64);

impl SplitMix {
    fn new(seed: u64) -> SplitMix {
        SplitMix(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform within 0 to 1, without 1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Standard normal (Box and Muller 1958).
    fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.unit()).ln()).sqrt() * (TAU * self.unit()).cos()
    }
}
