//! One instrument: how what is true becomes what it counts, and what the gateway makes of that. Pure.
//!
//! It quantises as its register or message does, so that the past that is filled in has the digits
//! the gateway reads.

use super::encode::{self, Written};
use crate::config::{Bits, Cell, Factor, Means, Point, Role, Sentinel};
use crate::point::{Conversion, Decimal, Unit, Value, ValueKind};

/// An instrument of a point.
#[derive(Clone, Debug)]
pub struct Instrument {
    kind: ValueKind,
    /// One raw number in the unit, and no raw number; exact if that is a decimal.
    count: Option<(Decimal, Decimal)>,
    /// The same as floats.
    scale: f64,
    offset: f64,
    /// From the raw unit to the point's where that is no decimal.
    after: Option<(f64, f64)>,
    /// The counter begins again at 0 when it has come to this, in the point's unit.
    modulus: Option<f64>,
    /// It is a counter, of a modulus or of the width of its type.
    counts: bool,
    form: Form,
}

/// How an instrument writes its number.
#[derive(Clone, Debug)]
enum Form {
    /// In registers: what they hold, what is no measurement, what it is multiplied with.
    Register { cell: Cell, sentinels: Vec<Sentinel>, ratio: Ratio },
    /// In a text, with so many decimals.
    Text { decimals: u8 },
}

/// The product of what factors say: the value is the raw number times `multiply`, over `divide`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// At least 1.
    pub multiply: Decimal,
    /// At least 1.
    pub divide: Decimal,
}

impl Default for Ratio {
    fn default() -> Ratio {
        Ratio { multiply: Decimal::ONE, divide: Decimal::ONE }
    }
}

impl Ratio {
    /// This, and one factor more that holds `number`.
    #[must_use]
    pub fn and(self, role: Role, number: Decimal) -> Ratio {
        let product = |one: Decimal, other| one.checked_mul(other).unwrap_or(one);
        match role {
            Role::Multiply => Ratio { multiply: product(self.multiply, number), ..self },
            Role::Divide => Ratio { divide: product(self.divide, number), ..self },
            Role::Exponent => {
                let exponent = number.mantissa_at(0).and_then(|power| i8::try_from(power).ok()).unwrap_or(0);
                let power = Decimal::new(1, exponent).unwrap_or(Decimal::ONE);
                Ratio { multiply: product(self.multiply, power), ..self }
            }
        }
    }

    fn as_f64(self) -> f64 {
        self.multiply.to_f64() / self.divide.to_f64()
    }
}

impl Instrument {
    /// One whose number stands in registers. `modulus` is what its counter begins again at, in the
    /// point's unit, if somebody says so.
    pub fn register(
        point: &Point,
        cell: Cell,
        sentinels: &[Sentinel],
        ratio: Ratio,
        modulus: Option<f64>,
    ) -> Instrument {
        Instrument::new(point, Form::Register { cell, sentinels: sentinels.to_vec(), ratio }, modulus)
    }

    /// One that sends its number: as a text with the decimals of the point, or as whole counts.
    pub fn message(point: &Point, counts: bool) -> Instrument {
        // A number that is scaled has its decimals in the scale.
        let places = u8::try_from(-point.scale.exponent().min(0)).unwrap_or(0);
        let decimals = if counts { 0 } else { point.decimals.saturating_sub(places) };
        Instrument::new(point, Form::Text { decimals }, None)
    }

    fn new(point: &Point, form: Form, modulus: Option<f64>) -> Instrument {
        let conversion = point.conditioning.raw_unit.and_then(|raw| Unit::conversion(raw, point.unit).ok());
        let count = point.count();
        let after = conversion.filter(|_| count.is_none()).map(Conversion::float);
        let (scale, offset) = count.unwrap_or((point.scale, point.offset));
        Instrument {
            kind: point.kind,
            count,
            scale: scale.to_f64(),
            offset: offset.to_f64(),
            after,
            modulus,
            counts: modulus.is_some() || is_counter(point.unit),
            form,
        }
    }

    /// The counter's modulus in the point's unit: what somebody said, else what its registers hold.
    pub fn modulus(&self) -> Option<f64> {
        let Form::Register { cell, ratio, .. } = &self.form else { return self.modulus };
        let of_the_type = || {
            let (least, most) = encode::limits(cell.encoding, cell.bits)?;
            (self.counts && least == 0).then(|| (number(most) + 1.0) * self.scale * ratio.as_f64())
        };
        self.modulus.or_else(of_the_type)
    }

    /// What one raw number comes to in the point's unit, with all that explains it.
    #[cfg(test)]
    pub fn step(&self) -> f64 {
        let ratio = if let Form::Register { ratio, .. } = &self.form { ratio.as_f64() } else { 1.0 };
        (self.scale * self.after.map_or(1.0, |(factor, _)| factor) * ratio).abs()
    }

    /// What the registers hold when this is true; none if it is no number they can hold.
    pub fn written(&self, truth: f64) -> Option<Written> {
        let Form::Register { cell, sentinels, ratio } = &self.form else { return None };
        if !truth.is_finite() {
            return missing(sentinels, *cell);
        }
        let truth = if self.counts {
            self.modulus().map_or(truth, |modulus| truth.rem_euclid(modulus))
        } else {
            truth
        };
        let raw = self.raw(truth) / ratio.as_f64();
        if cell.encoding.is_float() && cell.bits.is_none() {
            return Some(Written::Float(raw));
        }
        let Some((least, most)) = encode::limits(cell.encoding, cell.bits) else {
            return Some(Written::Whole(whole(raw)));
        };
        let counted = if self.counts { whole_below(raw) } else { whole(raw) };
        let counted = beside(counted.clamp(least, most), sentinels, *cell);
        Some(Written::Whole(counted.clamp(least, most)))
    }

    /// What the gateway makes of it: the reading that a poll at this moment would have given. None
    /// if there is none.
    pub fn reading(&self, truth: f64) -> Option<Value> {
        match &self.form {
            Form::Text { .. } => self.spoken(truth),
            Form::Register { ratio, .. } => match self.written(truth)? {
                _ if !truth.is_finite() => None,
                Written::Whole(raw) => self.of_whole(raw, *ratio),
                Written::Float(raw) => self.of_float(narrowed(raw, &self.form) * ratio.as_f64()),
                Written::Text(_) => None,
            },
        }
    }

    /// The number of a message: rounded as its sender rounds it, before scale and offset.
    pub fn raw_decimal(&self, truth: f64) -> Option<Decimal> {
        let Form::Text { decimals } = &self.form else { return None };
        let exponent = -i8::try_from(*decimals).ok()?;
        let steps = self.raw(truth) * 10_f64.powi(i32::from(*decimals));
        steps.is_finite().then(|| Decimal::new(whole(steps), exponent).ok())?
    }

    fn spoken(&self, truth: f64) -> Option<Value> {
        let raw = self.raw_decimal(truth)?;
        if self.kind == ValueKind::Bool {
            return Some(Value::Bool(raw != Decimal::ZERO));
        }
        self.scaled(raw)
    }

    fn of_whole(&self, raw: i64, ratio: Ratio) -> Option<Value> {
        if self.kind == ValueKind::Bool {
            return Some(Value::Bool(raw != 0));
        }
        let raw = Decimal::from_int(raw);
        if ratio.divide != Decimal::ONE {
            return self.of_float(raw.to_f64() * ratio.as_f64());
        }
        self.scaled(raw.checked_mul(ratio.multiply).ok()?)
    }

    fn scaled(&self, raw: Decimal) -> Option<Value> {
        match self.count {
            Some((scale, offset)) => {
                let product = if scale == Decimal::ONE { raw } else { raw.checked_mul(scale).ok()? };
                let sum = if offset == Decimal::ZERO { product } else { product.checked_add(offset).ok()? };
                Some(Value::Decimal(sum))
            }
            None => self.of_float(raw.to_f64()),
        }
    }

    fn of_float(&self, raw: f64) -> Option<Value> {
        let scaled = raw * self.scale + self.offset;
        let (factor, offset) = self.after.unwrap_or((1.0, 0.0));
        let value = scaled * factor + offset;
        match self.kind {
            ValueKind::Bool => Some(Value::Bool(value != 0.0)),
            _ => value.is_finite().then_some(Value::F64(value)),
        }
    }

    /// From the point's unit back to the raw number.
    fn raw(&self, truth: f64) -> f64 {
        let (factor, offset) = self.after.unwrap_or((1.0, 0.0));
        ((truth - offset) / factor - self.offset) / self.scale
    }
}

/// Energy, volume and mass are counted.
pub fn is_counter(unit: Unit) -> bool {
    matches!(
        unit.code(),
        "W.h" | "kW.h" | "MW.h" | "GJ" | "MJ" | "kJ" | "kvar.h" | "kV.A.h" | "m3" | "kl" | "l" | "t"
    )
}

/// What stands in registers where there is nothing to measure.
fn missing(sentinels: &[Sentinel], cell: Cell) -> Option<Written> {
    if cell.encoding.is_float() {
        return Some(Written::Float(f64::NAN));
    }
    let said =
        sentinels.iter().find(|sentinel| matches!(sentinel.means, Means::NotAvailable | Means::Sensor))?;
    let (least, most) = encode::limits(cell.encoding, cell.bits)?;
    said.raw.mantissa_at(0).filter(|raw| (least..=most).contains(raw)).map(Written::Whole)
}

/// The number, or the one beside it where it would be taken for something else.
fn beside(raw: i64, sentinels: &[Sentinel], cell: Cell) -> i64 {
    let width = 16 * u32::from(cell.items());
    let taken = |raw: i64| {
        let bits = i128::from(raw).rem_euclid(1_i128 << width.min(64));
        let is = |sentinel: &Sentinel| {
            sentinel.raw.mantissa_at(0).is_some_and(|said| said == raw || i128::from(said) == bits)
        };
        cell.bits.is_none_or(|bits| matches!(bits, Bits::Range { .. })) && sentinels.iter().any(is)
    };
    [raw, raw.saturating_sub(1), raw.saturating_add(1)].into_iter().find(|raw| !taken(*raw)).unwrap_or(raw)
}

/// As the registers hold it.
fn narrowed(raw: f64, form: &Form) -> f64 {
    match form {
        #[expect(clippy::cast_possible_truncation, reason = "the device has single precision")]
        Form::Register { cell, .. } if cell.items() == 2 => f64::from(raw as f32),
        _ => raw,
    }
}

/// Ratios current transformers are made in, to 5 A.
const RATIOS: [i64; 22] =
    [1, 5, 10, 15, 20, 30, 40, 50, 60, 80, 100, 120, 160, 200, 240, 300, 400, 500, 600, 800, 1_000, 2_000];

/// What the number of a factor has to be so that the values of a device fit its registers.
pub fn needed(factor: Factor, most: f64, room: i64) -> Decimal {
    let room = number(room);
    match factor.role {
        Role::Multiply => {
            let fits = RATIOS.into_iter().find(|ratio| most <= room * number(*ratio));
            Decimal::from_int(fits.unwrap_or(2_000))
        }
        Role::Divide => Decimal::ONE,
        Role::Exponent => {
            let fits = (-2_i8..=4).find(|power| most <= room * 10_f64.powi(i32::from(*power)));
            Decimal::from_int(i64::from(fits.unwrap_or(4)))
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a count beyond 53 bits is no measurement")]
fn number(count: i64) -> f64 {
    count as f64
}

/// The nearest whole number, held at the ends of 64 bits.
#[expect(clippy::cast_possible_truncation, reason = "saturates, which is what is meant")]
fn whole(raw: f64) -> i64 {
    raw.round() as i64
}

/// A counter shows what is full; a hair below a whole count is that count.
#[expect(clippy::cast_possible_truncation, reason = "saturates, which is what is meant")]
fn whole_below(raw: f64) -> i64 {
    (raw + 1e-6).floor() as i64
}
