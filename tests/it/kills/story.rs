//! What the killed processes write: a log that follows from a seed, place by place.

use super::Dice;
use plantroom::historian::Texts;
use plantroom::historian::import::Row;
use plantroom::point::{
    Batch, Decimal, Declared, PointId, Quality, Reading, Reason, UtcMs, Value, ValueKind,
};

/// New year 2027: the readings lie on both sides of it.
const NEW_YEAR: i64 = 1_798_761_600_000;

/// The wall clock of whoever opens the history.
pub const NOW: UtcMs = UtcMs(NEW_YEAR + 60 * 86_400_000);

/// Days that readings are kept: back to May 2026.
pub const RAW_DAYS: u32 = 300;

/// What is earlier is forgotten at some time; nothing is near it.
pub const HORIZON: UtcMs = UtcMs(NOW.0 - RAW_DAYS as i64 * 86_400_000);

/// Beyond the horizon: a year whose file goes, and February of one that stays.
const OLD: [i64; 2] = [1_750_000_000_000, 1_770_000_000_000];

/// From the readings of a place to those of the next. Milliseconds.
const STEP_MS: i64 = 30_000;

/// Points that are taken in, by the order of their declaration.
const IMPORTED: [(&str, ValueKind); 4] = [
    ("imported/number", ValueKind::Decimal),
    ("imported/float", ValueKind::F64),
    ("imported/flag", ValueKind::Bool),
    ("imported/word", ValueKind::Text),
];

/// Read each second: these become chunks.
const FAST: std::ops::RangeInclusive<u32> = 11..=13;

/// Read now and then, some left out, of all kinds.
const SLOW: std::ops::RangeInclusive<u32> = 21..=44;

const OLDEST: std::ops::RangeInclusive<u32> = 61..=62;

/// A log. Two of one seed are the same.
#[derive(Clone, Copy, Debug)]
pub struct Story {
    seed: u64,
    start: UtcMs,
}

/// What comes at a place of it.
#[derive(Clone, Debug)]
pub enum Step {
    Batch(Batch),
    /// Rows to take in. Those from the first so many on were taken in before.
    Import(Vec<Row>, usize),
}

impl Story {
    pub fn new(seed: u64) -> Story {
        let before = 100 + Dice(seed).below(1_000).cast_signed();
        Story { seed, start: UtcMs(NEW_YEAR - before * STEP_MS) }
    }

    /// Another log over the same time.
    pub fn other(self) -> Story {
        Story { seed: self.seed ^ 0x5eed, ..self }
    }

    fn dice(self, place: u64) -> Dice {
        Dice(self.seed.wrapping_mul(0x1000_0001).wrapping_add(place.wrapping_mul(0x0010_0003)))
    }

    fn base(self, place: u64) -> UtcMs {
        self.start.plus_ms(place.cast_signed() * STEP_MS)
    }

    fn is_import(self, place: u64) -> bool {
        place > 0 && self.dice(place).below(16) == 0
    }

    /// The last place before `place` where rows are taken in.
    pub fn import_before(self, place: u64) -> Option<u64> {
        (1..place).rev().find(|place| self.is_import(*place))
    }

    pub fn step(self, place: u64, texts: &Texts) -> Step {
        if self.is_import(place) {
            let mut rows = self.rows(place);
            let new = rows.len();
            rows.extend(self.import_before(place).into_iter().flat_map(|before| self.rows(before)));
            return Step::Import(rows, new);
        }
        Step::Batch(self.batch(place, texts))
    }

    /// What is new in the log at a place: the device and its readings.
    pub fn at(self, place: u64, texts: &Texts) -> (String, Vec<Reading>) {
        if self.is_import(place) {
            return ("import".to_owned(), imported(&self.rows(place), texts));
        }
        let batch = self.batch(place, texts);
        (batch.device.to_string(), batch.readings)
    }

    /// A batch, also for a place where rows are taken in.
    pub fn batch(self, place: u64, texts: &Texts) -> Batch {
        let mut dice = self.dice(place);
        let (device, readings) = match dice.below(16) {
            1 => ("old", self.old(place, &mut dice, texts)),
            2 | 3 => ("fast", self.late(place, &mut dice, FAST, texts)),
            4 => ("slow", self.late(place, &mut dice, SLOW, texts)),
            5..8 => ("slow", self.slow(place, &mut dice, texts)),
            _ => ("fast", self.fast(place, &mut dice, texts)),
        };
        let received_at = self.base(place + 1);
        Batch { device: device.into(), source_at: None, received_at, at_error_ms: 5, readings }
    }

    /// New rows: all kinds, some Bad.
    fn rows(self, place: u64) -> Vec<Row> {
        let mut dice = self.dice(place);
        let mut rows = Vec::new();
        for n in 0..4 + dice.below(24) {
            let at = self.base(place).plus_ms(n.cast_signed() * 1_000);
            for (address, kind) in IMPORTED {
                let number = dice.below(1_000);
                let value = match kind {
                    ValueKind::Decimal => format!("{}.{:02}", number / 7, number % 100),
                    ValueKind::F64 => format!("{number}.5"),
                    ValueKind::Bool => number.is_multiple_of(2).to_string(),
                    ValueKind::Text => format!("word {}", number % 50),
                };
                let bad = number % 20 == 3;
                let quality = if bad { Quality::Bad(Reason::Timeout) } else { Quality::Good };
                rows.push(Row {
                    point: address.parse().unwrap(),
                    at,
                    value: (!bad).then_some(value),
                    quality,
                });
            }
        }
        rows
    }

    fn fast(self, place: u64, dice: &mut Dice, texts: &Texts) -> Vec<Reading> {
        let polls = 10 + dice.below(20).cast_signed();
        let at = |poll| self.base(place).plus_ms(poll * 1_000);
        (0..polls).flat_map(|poll| FAST.map(move |point| self.reading(point, at(poll), 0, texts))).collect()
    }

    fn slow(self, place: u64, dice: &mut Dice, texts: &Texts) -> Vec<Reading> {
        let mut readings = Vec::new();
        for point in SLOW {
            if dice.below(8) > 0 {
                readings.push(self.reading(point, self.base(place), 0, texts));
            }
            if dice.below(60) == 0 {
                let old = UtcMs(OLD[1] + place.cast_signed() * 1_000);
                readings.push(self.reading(point, old, 0, texts));
            }
        }
        readings
    }

    /// Readings of earlier times: missing ones, corrections, and the same once more.
    fn late(
        self,
        place: u64,
        dice: &mut Dice,
        points: std::ops::RangeInclusive<u32>,
        texts: &Texts,
    ) -> Vec<Reading> {
        let back = 1 + dice.below(place.clamp(1, 300));
        let mut readings = Vec::new();
        for _ in 0..=dice.below(20) {
            let point = points.start()
                + u32::try_from(dice.below(u64::from(points.end() - points.start() + 1))).unwrap();
            let poll = dice.below(12).cast_signed();
            let missing = dice.below(3).cast_signed() / 2 * 500;
            let at = self.base(place.saturating_sub(back)).plus_ms(poll * 1_000 + missing);
            let correction = if dice.below(2) == 0 { place } else { 0 };
            readings.push(self.reading(point, at, correction, texts));
        }
        readings
    }

    fn old(self, place: u64, dice: &mut Dice, texts: &Texts) -> Vec<Reading> {
        let base = UtcMs(OLD[usize::from(dice.below(4) == 0)] + place.cast_signed() * 60_000);
        let at = |poll: i64| base.plus_ms(poll * 1_000);
        (0..20).flat_map(|poll| OLDEST.map(move |point| self.reading(point, at(poll), 0, texts))).collect()
    }

    /// A reading; the same for the same correction of it.
    fn reading(self, point: u32, at: UtcMs, correction: u64, texts: &Texts) -> Reading {
        let mut dice = Dice(self.seed ^ u64::from(point) << 48 ^ at.0.cast_unsigned() ^ correction << 24);
        let number = dice.below(1_000).cast_signed();
        let value = match point % 5 {
            0 => Value::F64(f64::from(u32::try_from(number).unwrap()) * 0.37),
            1 => Value::Decimal(Decimal::new(200 + number % 30, -1).unwrap()),
            2 => Value::Decimal(Decimal::new(5_000_000 + at.0 / 10_000 % 100_000 + number % 3, -2).unwrap()),
            3 => Value::Bool(number < 100),
            _ => Value::Text(texts.id(&format!("word {}", number % 300)).unwrap()),
        };
        let quality = match dice.below(40) {
            0 => Quality::Bad(Reason::Timeout),
            1 => Quality::Uncertain(Reason::Stale),
            _ => Quality::Good,
        };
        let value = (!matches!(quality, Quality::Bad(_))).then_some(value);
        Reading { point: PointId(point), at, value, quality }
    }
}

/// The points that are taken in.
pub fn declared() -> Vec<Declared> {
    let declare = |(address, kind): &(&str, ValueKind)| Declared {
        address: address.parse().unwrap(),
        formerly: Vec::new(),
        unit: "1".parse().unwrap(),
        kind: *kind,
    };
    IMPORTED.iter().map(declare).collect()
}

/// All points, and one that never says anything.
pub fn points() -> Vec<PointId> {
    (1..=4).chain(FAST).chain(SLOW).chain(OLDEST).chain([99]).map(PointId).collect()
}

/// Rows as the readings they become, in the order of the importer: by point and time.
fn imported(rows: &[Row], texts: &Texts) -> Vec<Reading> {
    let mut readings = Vec::new();
    for (point, (address, kind)) in (1..).zip(IMPORTED) {
        for row in rows.iter().filter(|row| row.point.to_string() == address) {
            let value = row.value.as_deref().map(|text| match kind {
                ValueKind::Decimal => Value::Decimal(text.parse().unwrap()),
                ValueKind::F64 => Value::F64(text.parse().unwrap()),
                ValueKind::Bool => Value::Bool(text == "true"),
                ValueKind::Text => Value::Text(texts.id(text).unwrap()),
            });
            readings.push(Reading { point: PointId(point), at: row.at, value, quality: row.quality });
        }
    }
    readings
}
