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

use plantroom::point::{Batch, Decimal, PointId, Quality, Reading, Reason, UtcMs, Value};
use std::f64::consts::TAU;
use std::sync::Arc;

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

/// The first device of S1 for a whole day.
pub const D: Set = Set { name: "D", points: 10, samples: 86_400, ..S1 };

impl Set {
    /// The same with other numbers of points and samples.
    #[must_use]
    pub const fn sized(self, points: u32, samples: usize) -> Set {
        Set { points, samples, ..self }
    }

    /// When a device is polled, in Unix milliseconds.
    pub fn times(&self, device: u32) -> Vec<i64> {
        Times::new(*self, device).collect()
    }

    /// The readings of a point: which poll of its device, value, quality.
    pub fn readings(&self, point: u32) -> Vec<(usize, Value, Quality)> {
        let found = Samples::new(*self, point).enumerate();
        found.filter_map(|(n, sample)| sample.map(|(value, quality)| (n, value, quality))).collect()
    }

    /// All of it as it comes in, poll by poll: one batch of each device, by time. Points and devices
    /// are numbered from 1.
    pub fn polls(self) -> impl Iterator<Item = Vec<Batch>> + Send {
        let mut devices: Vec<_> = (0..self.points / DEVICE_POINTS).map(|n| Device::new(self, n)).collect();
        devices.sort_by_key(|device| device.times.due_ms);
        (0..self.samples).map(move |_| devices.iter_mut().filter_map(Device::poll).collect())
    }
}

/// A device that is being polled.
struct Device {
    name: Arc<str>,
    times: Times,
    points: Vec<(PointId, Samples)>,
}

impl Device {
    fn new(set: Set, device: u32) -> Device {
        let points = device * DEVICE_POINTS..(device + 1) * DEVICE_POINTS;
        Device {
            name: format!("device-{}", device + 1).into(),
            times: Times::new(set, device),
            points: points.map(|point| (PointId(point + 1), Samples::new(set, point))).collect(),
        }
    }

    fn poll(&mut self) -> Option<Batch> {
        let at = UtcMs(self.times.next()?);
        let reading = |(point, samples): &mut (PointId, Samples)| {
            let (value, quality) = samples.next().flatten()?;
            Some(Reading { point: *point, at, value: Some(value), quality })
        };
        let readings = self.points.iter_mut().filter_map(reading).collect();
        Some(Batch {
            device: Arc::clone(&self.name),
            source_at: None,
            received_at: at,
            at_error_ms: 0,
            readings,
        })
    }
}

/// When a device is polled.
struct Times {
    set: Set,
    random: SplitMix,
    left: usize,
    due_ms: i64,
}

impl Times {
    fn new(set: Set, device: u32) -> Times {
        let mut random = SplitMix::new(u64::from(device) ^ 0xdeca_fbad);
        let phase_ms = (random.below(50) as i64) * set.step_ms.min(100_000) / 100;
        Times { set, random, left: set.samples, due_ms: set.from_ms + phase_ms }
    }
}

impl Iterator for Times {
    type Item = i64;

    fn next(&mut self) -> Option<i64> {
        self.left = self.left.checked_sub(1)?;
        let late_ms = if self.set.jitter { self.random.below(8) as i64 } else { 0 };
        let at = self.due_ms + late_ms;
        self.due_ms += self.set.step_ms;
        Some(at)
    }
}

/// The samples of a point, one for each poll of its device; none where it has a gap.
struct Samples {
    set: Set,
    n: usize,
    signal: Signal,
    random: SplitMix,
    gap: u64,
    quality: Quality,
}

impl Samples {
    fn new(set: Set, point: u32) -> Samples {
        let mut random = SplitMix::new(u64::from(point) * 7_919 + 12_345);
        let signal = Signal::new(point, set.step_ms as f64 / 1_000.0, &mut random);
        Samples { set, n: 0, signal, random, gap: 0, quality: Quality::Good }
    }
}

impl Iterator for Samples {
    type Item = Option<(Value, Quality)>;

    fn next(&mut self) -> Option<Option<(Value, Quality)>> {
        if self.n == self.set.samples {
            return None;
        }
        let value = self.signal.next(self.n, &mut self.random);
        if self.n.is_multiple_of(64) {
            let doubtful = self.random.chance(1.0 / 2_000.0);
            self.quality = if doubtful { Quality::Uncertain(Reason::Stale) } else { Quality::Good };
        }
        if self.gap == 0 && self.random.chance(1.0 / 5_000.0) {
            self.gap = 1 + self.random.below(self.set.gap_max);
        }
        self.n += 1;
        let silent = self.gap > 0;
        self.gap = self.gap.saturating_sub(1);
        Some((!silent).then_some((value, self.quality)))
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
