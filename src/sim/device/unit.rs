//! A simulated device: the registers of the plan, holding what its instruments show. Pure.

use super::encode::{self, Words, Written};
use super::instrument::{self, Instrument, Ratio};
use crate::config::{Cell, Device, Encoding, Factor, Order, Plan, Point, Register, Stretch, Table};
use crate::point::{Address, Decimal, Name, UtcMs};
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet};

/// A value could grow to so many times what it was on the first day without leaving its registers.
const ROOM: f64 = 4.0;

/// A device that answers.
#[derive(Debug)]
pub struct Unit {
    /// Its id.
    pub id: Name,
    /// The assets it has points of.
    pub assets: BTreeSet<Name>,
    entries: Vec<Entry>,
    /// First and last mapped address of each table.
    ends: BTreeMap<Table, (u16, u16)>,
    forbidden: Vec<Stretch>,
    zone: TimeZone,
}

#[derive(Debug)]
struct Entry {
    cell: Cell,
    order: Order,
    what: What,
}

#[derive(Debug)]
enum What {
    /// What stands at this place of the truth.
    Shown(usize, Instrument),
    /// A clock.
    Now,
    /// Always the same.
    Fixed(Written),
}

/// There is no such address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchAddress;

/// What the truth says of points: their places, and the greatest sizes of the first day.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// Where a point stands in the values.
    pub places: &'a BTreeMap<Address, usize>,
    /// The greatest absolute value of each place.
    pub most: &'a [f64],
    /// The points of the plan.
    pub points: &'a BTreeMap<Address, Point>,
}

impl Unit {
    /// As the plan has it.
    pub fn new(plan: &Plan, device: &Device, told: Told<'_>) -> Unit {
        let mut entries = Vec::new();
        for register in &device.registers {
            let Some(point) = told.points.get(&register.point) else { continue };
            entries.extend(fixed_of(register, device, told));
            entries.push(entry_of(register, point, device, plan, told));
        }
        // What is told comes last: it stands above what is only there because something must be.
        entries.sort_by_key(|entry| !matches!(entry.what, What::Fixed(_)));
        let mut ends: BTreeMap<Table, (u16, u16)> = BTreeMap::new();
        for cell in device.registers.iter().flat_map(cells) {
            let last = cell.address.saturating_add(cell.items().saturating_sub(1));
            let end = ends.entry(cell.table).or_insert((cell.address, last));
            *end = (end.0.min(cell.address), end.1.max(last));
        }
        Unit {
            id: device.id.clone(),
            assets: device.registers.iter().map(|register| register.point.asset.clone()).collect(),
            entries,
            ends,
            forbidden: device.limits.forbidden.clone(),
            zone: device.zone.clone(),
        }
    }

    /// Items of a table as the instruments show them: `values` by place. What lies between mapped
    /// registers reads 0, as reserved registers do; before the first and beyond the last, and where
    /// the device must not be asked, there is none.
    pub fn read(
        &self,
        table: Table,
        start: u16,
        count: u16,
        values: &[f64],
        at: UtcMs,
    ) -> Result<Vec<u16>, NoSuchAddress> {
        let (first, last) = self.ends.get(&table).copied().ok_or(NoSuchAddress)?;
        let end = start.checked_add(count.max(1) - 1).ok_or(NoSuchAddress)?;
        let meets = |one: &Stretch| one.table == table && one.first <= end && start <= one.last;
        if start < first || last < end || self.forbidden.iter().any(meets) {
            return Err(NoSuchAddress);
        }
        let mut items = vec![0; usize::from(count)];
        for entry in self.entries.iter().filter(|entry| entry.cell.table == table) {
            let from = entry.cell.address;
            if from <= end && u32::from(from) + u32::from(entry.cell.items()) > u32::from(start) {
                let words = self.words(entry, values, at).unwrap_or_default();
                put(&mut items, start, from, &words);
            }
        }
        Ok(items)
    }

    fn words(&self, entry: &Entry, values: &[f64], at: UtcMs) -> Option<Words> {
        let written = match &entry.what {
            What::Shown(place, instrument) => instrument.written(*values.get(*place)?)?,
            What::Now => Written::Whole(at.0.div_euclid(1_000)),
            What::Fixed(written) => written.clone(),
        };
        encode::encode(&written, entry.cell, entry.order, &self.zone)
    }
}

/// The cells of a register: its own, and those that explain it.
fn cells(register: &Register) -> impl Iterator<Item = Cell> {
    let factors = register.factors.iter().map(|factor| factor.cell);
    let order = register.order_from.iter().map(|from| from.cell);
    std::iter::once(register.cell).chain(factors).chain(order)
}

fn put(items: &mut [u16], start: u16, from: u16, words: &Words) {
    for (address, (word, mask)) in (u32::from(from)..).zip(&words.masked) {
        let place = address.checked_sub(u32::from(start)).and_then(|place| usize::try_from(place).ok());
        if let Some(item) = place.and_then(|place| items.get_mut(place)) {
            *item = *item & !mask | word & mask;
        }
    }
}

/// The order a device writes a value in: the first that it can say, where it says it.
fn order_of(register: &Register) -> Order {
    let said = register.order_from.as_ref().and_then(|from| from.orders.first());
    said.map_or(register.cell.order, |(_, order)| *order)
}

/// What stands beside a value to explain it: its factors and its order.
fn fixed_of(register: &Register, device: &Device, told: Told<'_>) -> Vec<Entry> {
    let fixed = |cell: Cell, written| Entry { cell, order: cell.order, what: What::Fixed(written) };
    let said = register.order_from.as_ref().and_then(|from| Some((from.cell, from.orders.first()?.0)));
    let mut entries: Vec<Entry> =
        said.into_iter().map(|(cell, raw)| fixed(cell, Written::Whole(raw))).collect();
    for factor in &register.factors {
        let number = factor_of(factor, device, told);
        let written = if factor.cell.encoding.is_float() {
            Written::Float(number.to_f64())
        } else {
            Written::Whole(number.mantissa_at(0).unwrap_or(1))
        };
        entries.push(fixed(factor.cell, written));
    }
    entries
}

/// What a factor says: what is true of it if that is told, else enough that everything fits that is
/// multiplied with it.
fn factor_of(factor: &Factor, device: &Device, told: Told<'_>) -> Decimal {
    if let Some(number) = factor_told(factor, device, told) {
        return number;
    }
    let with_it = device.registers.iter().filter(|register| register.factors.iter().any(|one| one == factor));
    let needs = with_it.filter_map(|register| {
        let most = told.most.get(*told.places.get(&register.point)?)?;
        let (_, limit) = encode::limits(register.cell.encoding, register.cell.bits)?;
        let scale = told.points.get(&register.point)?.count()?.0.to_f64();
        Some(instrument::needed(*factor, most * ROOM / scale.abs(), limit))
    });
    let least = instrument::needed(*factor, 0.0, i64::MAX);
    needs.fold(least, |a, b| if a < b { b } else { a })
}

/// A factor that is a point itself, as the ratio of a meter's transformers.
fn factor_told(factor: &Factor, device: &Device, told: Told<'_>) -> Option<Decimal> {
    let register = device.registers.iter().find(|register| register.cell == factor.cell)?;
    let truth = told.most.get(*told.places.get(&register.point)?)?;
    let point = told.points.get(&register.point)?;
    let instrument = Instrument::register(point, register.cell, &[], Ratio::default(), None);
    match instrument.written(*truth)? {
        Written::Whole(raw) => Some(Decimal::from_int(raw)),
        _ => None,
    }
}

fn entry_of(register: &Register, point: &Point, device: &Device, plan: &Plan, told: Told<'_>) -> Entry {
    let (cell, order) = (register.cell, order_of(register));
    let place = told.places.get(&register.point).copied();
    let what = match (cell.encoding, place) {
        (Encoding::Text(_), _) => What::Fixed(Written::Text(register.point.asset.to_string())),
        (_, Some(place)) => What::Shown(place, instrument_of(register, point, device, plan, told)),
        (Encoding::Date(_), None) => What::Now,
        (_, None) => {
            let instrument = Instrument::register(point, cell, &register.sentinels, Ratio::default(), None);
            What::Fixed(instrument.written(f64::NAN).unwrap_or(Written::Whole(0)))
        }
    };
    Entry { cell, order, what }
}

/// The instrument of a register.
pub fn instrument_of(
    register: &Register,
    point: &Point,
    device: &Device,
    plan: &Plan,
    told: Told<'_>,
) -> Instrument {
    let ratio = register
        .factors
        .iter()
        .fold(Ratio::default(), |ratio, factor| ratio.and(factor.role, factor_of(factor, device, told)));
    Instrument::register(point, register.cell, &register.sentinels, ratio, modulus_of(register, point, plan))
}

/// What a counter begins again at, in the point's unit, if somebody says so.
fn modulus_of(register: &Register, point: &Point, plan: &Plan) -> Option<f64> {
    let metered = plan.meters.iter().find(|meter| meter.point == register.point).and_then(|meter| {
        let counts = Decimal::from_int(i64::try_from(meter.modulus).ok()?);
        Some(counts.checked_mul(Decimal::new(1, meter.resolution_exponent).ok()?).ok()?.to_f64())
    });
    let conditioned = point.conditioning.counter_modulus.and_then(|counts| {
        let (scale, _) = point.count()?;
        Some(Decimal::from_int(i64::try_from(counts).ok()?).checked_mul(scale).ok()?.to_f64())
    });
    metered.or(conditioned)
}
