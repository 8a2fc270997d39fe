//! One register: from what the files say of it to what is read and the point it feeds.

use super::super::diagnostic::{Code, Problem};
use super::super::leaf::{At, Former, Millis};
use super::super::source::Place;
use super::super::spec::{self, Text};
use super::super::{
    Bits, Cell, DeviceLimits, Encoding, Factor, Means, Order, OrderFrom, Point, Register, Role, Sentinel,
    State, Stretch, Table, limits,
};
use super::Context;
use super::assets::Assets;
use super::conditioning;
use crate::point::{Address, Decimal, Name, Unit, ValueKind};

/// What a register must say, and what to write.
const REQUIRED: [(&str, &str); 4] = [
    ("table", "`coil` (function 1), `discrete` (2), `holding` (3) or `input` (4)"),
    ("address", "Zero-based protocol address: a manual's 40001 is holding 0."),
    ("type", "Type of the raw value: `u16`, `i32`, `f32`, `bcd32`, `text:16`."),
    ("unit", "UCUM code of the scaled value: `kW.h`, `Cel`, `kPa{gauge}`; `1` for none."),
];
/// The largest finite half-precision number (IEEE 754).
const F16_MAX: i64 = 65_504;

/// A register as one file has it.
#[derive(Clone, Copy)]
pub struct Layer<'a> {
    pub source: usize,
    pub register: &'a At<spec::Register>,
}

/// A register as the files have it: what a device says goes before what its profile says.
pub struct Written<'a> {
    pub own: Layer<'a>,
    pub profile: Option<Layer<'a>>,
}

/// A value and the file it stands in.
pub struct Found<'a, T> {
    pub source: usize,
    pub value: &'a T,
}

impl<T> Found<'_, At<T>> {
    pub fn place(&self) -> Place {
        Place { source: self.source, span: self.value.span() }
    }
}

impl<'a> Written<'a> {
    /// The first word on a field.
    pub fn get<T>(&self, field: impl Fn(&'a spec::Register) -> &'a Option<T>) -> Option<Found<'a, T>> {
        self.layer(|register| field(register).is_some())
            .and_then(|layer| Some(Found { source: layer.source, value: field(layer.register).as_ref()? }))
    }

    /// The first file that says something.
    fn layer(&self, says: impl Fn(&'a spec::Register) -> bool) -> Option<Layer<'a>> {
        [Some(self.own), self.profile].into_iter().flatten().find(|layer| says(layer.register))
    }

    /// Where it begins.
    pub fn place(&self) -> Place {
        Place { source: self.own.source, span: self.own.register.span() }
    }

    /// The place of its quantity.
    pub fn quantity(&self) -> Place {
        Place { source: self.own.source, span: self.own.register.quantity.span() }
    }
}

/// What a register has from its device.
pub struct Owner<'a> {
    pub assets: &'a Assets,
    pub asset: &'a Name,
    pub interval_ms: u64,
    pub limits: &'a DeviceLimits,
    /// What a register does not say may stand in a profile.
    pub has_profile: bool,
}

impl Owner<'_> {
    /// The register and the place of its address; its point goes to the context.
    pub fn resolve(&self, written: &Written<'_>, context: &mut Context<'_>) -> Option<(Place, Register)> {
        let (place, cell) = self.cell(written, context)?;
        let factors = self.factors(written, cell.table, context);
        let kind = kind(cell, &factors);
        let interval_ms = match written.get(|r| &r.interval) {
            Some(at) => context.millis(at.source, Some(at.value), limits::INTERVAL_MS, self.interval_ms),
            None => self.interval_ms,
        };
        needless(written, cell, kind, context);
        let point = self.point(written, cell, kind, &factors, interval_ms, context)?;
        let resolved = Register {
            point: point.address.clone(),
            interval_ms,
            aligned: written.get(|r| &r.aligned).is_some_and(|at| *at.value),
            cell,
            order_from: self.order_from(written, cell, context),
            sentinels: sentinels(written, cell, context),
            factors,
        };
        context.add_point(point, written.quantity(), interval_ms).then_some((place, resolved))
    }

    fn point(
        &self,
        written: &Written<'_>,
        cell: Cell,
        kind: ValueKind,
        factors: &[Factor],
        interval_ms: u64,
        context: &mut Context<'_>,
    ) -> Option<Point> {
        let quantity = &written.own.register.quantity;
        let asset = match &written.own.register.asset {
            Some(asset) => {
                let place = Place { source: written.own.source, span: asset.span() };
                known_asset(self.assets, asset, place, context);
                &**asset
            }
            None => self.asset,
        };
        let address = Address { asset: asset.clone(), quantity: (**quantity).clone() };
        let scale =
            written.get(|r| &r.scale).map_or(Decimal::ONE, |at| context.scale(at.source, Some(at.value)));
        let offset = written.get(|r| &r.offset).map_or(Decimal::ZERO, |at| **at.value);
        let stale_after = written.get(|r| &r.stale_after);
        let divided = factors.iter().any(|factor| factor.role != Role::Multiply);
        let decimals = if kind == ValueKind::F64 || divided { 2 } else { 0 };
        let decimals = decimals.max(u8::try_from(-scale.exponent()).unwrap_or(0).min(9));
        let exact = scale == Decimal::ONE && offset == Decimal::ZERO && factors.is_empty();
        let unit = self.unit(written, cell, kind, context)?;
        let range = written.get(|r| &r.range).and_then(|at| context.range(at.source, Some(at.value)));
        let signal = conditioning::Signal {
            kind,
            unit,
            scale,
            range,
            has_states: written.get(|r| &r.states).is_some(),
            is_count: factors.is_empty() && cell.encoding.is_integer(),
            most: holds(cell).map(|(_, most)| most),
            interval_ms: Some(interval_ms),
        };
        let (kind, conditioning) = conditioning::resolve(&conditioned(written), &signal, context);
        let mut point = Point {
            formerly: formerly(
                self.assets,
                &address,
                written.get(|r| &r.formerly).map_or(&[], |at| at.value.as_slice()),
            ),
            name: Text::names(written.get(|r| &r.name).map(|at| at.value), quantity),
            unit,
            kind,
            scale,
            offset,
            range,
            stale_after_ms: stale_after_ms(stale_after, interval_ms, context),
            decimals: written.get(|r| &r.decimals).map_or(decimals, |at| *at.value),
            states: states(written, cell, kind, exact, context),
            conditioning,
            address,
        };
        if point.conditioning.raw_unit.is_some() && written.get(|r| &r.decimals).is_none() {
            // Of the unit it is shown in, not of the one the device sends.
            let shown = point.count().map(|(count, _)| u8::try_from(-count.exponent()).unwrap_or(0));
            point.decimals = shown.unwrap_or(2).min(9);
        }
        Some(point)
    }

    /// Where the value stands, with the place of its address; none if that is not said.
    fn cell(&self, written: &Written<'_>, context: &mut Context<'_>) -> Option<(Place, Cell)> {
        let table = written.get(|r| &r.table).map(|at| Table::from(**at.value));
        let address = written.get(|r| &r.address);
        let encoding = written.get(|r| &r.encoding);
        let known = encoding.as_ref().map(|at| **at.value);
        let known = known.or_else(|| table.filter(|table| table.is_bits()).map(|_| Encoding::Bool));
        for (name, missing) in
            [("table", table.is_none()), ("address", address.is_none()), ("type", known.is_none())]
        {
            if missing {
                self.missing_field(name, written, context);
            }
        }
        let (table, address, known) = (table?, address?, known?);
        let place = address.place();
        let types = encoding.map_or_else(|| place.clone(), |at| at.place());
        let ordered = written.layer(|r| r.order.is_some() || r.order_from.is_some());
        let order = ordered.and_then(|layer| {
            let order = layer.register.order.as_ref()?;
            Some((**order, Place { source: layer.source, span: order.span() }))
        });
        let mut cell = Cell {
            order: order.as_ref().map_or_else(Order::default, |(order, _)| *order),
            ..Cell::new(table, u16::try_from(**address.value).ok()?, known)
        };
        if let Some((_, place)) = order {
            takes(cell, place, context);
        }
        cell.bits = bits(written, cell, context);
        self.fits(cell, &place, &types, context);
        Some((place, cell))
    }

    /// Whether a device can be asked for it at all.
    fn fits(&self, cell: Cell, place: &Place, types: &Place, context: &mut Context<'_>) {
        let (table, items) = (cell.table, cell.items());
        if table.is_bits() != (cell.encoding == Encoding::Bool) {
            let message = if table.is_bits() {
                format!("a {} is one bit and cannot be {}", word(table), cell.encoding)
            } else {
                format!("{} registers are no single bits", word(table))
            };
            let help = "coils and discrete inputs are `bool`; a bit of a register is type = \"u16\", bit = 3";
            context.error(Code::RegisterType, types.clone(), message, help);
            return;
        }
        let (first, last) = (u32::from(cell.address), u32::from(cell.address) + u32::from(items) - 1);
        if last > 65_535 {
            let message = format!("a value of {items} registers at {first} ends beyond register 65535");
            let help = format!("the last address of {} is {}", cell.encoding, 65_536 - u32::from(items));
            context.error(Code::RegisterOverflow, place.clone(), message, &help);
        }
        let most = self.limits.registers_max;
        if !table.is_bits() && items > most {
            let message = format!("{} takes {items} registers and a request asks for {most}", cell.encoding);
            let help = "a value is read in one request: correct the type, or limits.registers_max";
            context.error(Code::RegisterTooWide, types.clone(), message, help);
        }
        let inside = |stretch: &&Stretch| {
            stretch.table == table && u32::from(stretch.first) <= last && first <= u32::from(stretch.last)
        };
        if let Some(stretch) = self.limits.forbidden.iter().find(inside) {
            let message = format!(
                "{} {first} is in the stretch {} to {} that must not be asked for",
                word(table),
                stretch.first,
                stretch.last
            );
            let help = "correct the address, or limits.forbidden of the device";
            context.error(Code::RegisterForbidden, place.clone(), message, help);
        }
    }

    fn missing_field(&self, name: &str, written: &Written<'_>, context: &mut Context<'_>) {
        // A profile that was not read, or not as a whole, may have said it.
        if self.has_profile && !context.complete {
            return;
        }
        let help = REQUIRED.iter().find(|(known, _)| *known == name).map_or("", |(_, help)| help);
        let message = format!("the field `{name}` is missing");
        context.error(Code::MissingField, written.place(), message, &format!("{name}: {help}"));
    }

    /// The unit; what is no measurement needs none.
    fn unit(
        &self,
        written: &Written<'_>,
        cell: Cell,
        kind: ValueKind,
        context: &mut Context<'_>,
    ) -> Option<Unit> {
        if let Some(unit) = written.get(|r| &r.unit) {
            return Some(*unit.value);
        }
        let states = written.get(|r| &r.states).is_some();
        let code = match cell.encoding {
            Encoding::Date(_) => "s",
            _ if states || matches!(kind, ValueKind::Text | ValueKind::Bool) => "1",
            _ => {
                self.missing_field("unit", written, context);
                return None;
            }
        };
        code.parse().ok()
    }

    fn order_from(&self, written: &Written<'_>, cell: Cell, context: &mut Context<'_>) -> Option<OrderFrom> {
        let layer = written.layer(|r| r.order.is_some() || r.order_from.is_some())?;
        let from = layer.register.order_from.as_ref()?;
        let at = |span| Place { source: layer.source, span };
        if let Some(order) = &layer.register.order {
            let help = "take `order` out, or `order_from`";
            context.error(Code::ByteOrder, at(order.span()), "the order is said in two ways", help);
        }
        let table = from.table.as_ref().map_or(cell.table, |table| (**table).into());
        let encoding = from.encoding.as_ref().map_or(Encoding::U16, |encoding| **encoding);
        let told = Cell::new(table, u16::try_from(*from.address).ok()?, encoding);
        let place = at(from.address.span());
        let types = from.encoding.as_ref().map_or_else(|| place.clone(), |encoding| at(encoding.span()));
        if !encoding.is_integer() {
            let message = format!("{encoding} is no whole number");
            let help = "the register that tells the order is an integer: u16";
            context.error(Code::RegisterType, types.clone(), message, help);
        }
        self.fits(told, &place, &types, context);
        let mut orders: Vec<(i64, Order)> = Vec::new();
        for word in &from.orders {
            let (raw, order) = (word.raw, *word.order);
            takes(Cell { order, ..cell }, at(word.order.span()), context);
            let problem = if orders.iter().any(|(other, _)| *other == raw) {
                Some(format!("{raw} stands for two orders"))
            } else if cell.encoding.items(order) != cell.items() {
                Some("in this order the value takes another number of registers".to_owned())
            } else {
                None
            };
            if let Some(message) = problem {
                let help = "each number of the register stands for one order of the same registers";
                context.error(Code::ByteOrder, at(word.span()), message, help);
            }
            orders.push((raw, order));
        }
        Some(OrderFrom { cell: told, orders })
    }

    fn factors(&self, written: &Written<'_>, table: Table, context: &mut Context<'_>) -> Vec<Factor> {
        let mut asked: Vec<(usize, Role, &At<spec::Factor>)> = Vec::new();
        if let Some(list) = written.get(|r| &r.multiply_by) {
            asked.extend(list.value.iter().map(|factor| (list.source, Role::Multiply, factor)));
        }
        if let Some(list) = written.get(|r| &r.divide_by) {
            asked.extend(list.value.iter().map(|factor| (list.source, Role::Divide, factor)));
        }
        if let Some(factor) = written.get(|r| &r.exponent) {
            asked.push((factor.source, Role::Exponent, factor.value));
        }
        let resolved = asked.into_iter().filter_map(|(source, role, factor)| {
            let at = |span| Place { source, span };
            let encoding = *factor.encoding;
            let cell = Cell {
                order: factor.order.as_ref().map_or_else(Order::default, |order| **order),
                ..Cell::new(
                    factor.table.as_ref().map_or(table, |table| (**table).into()),
                    u16::try_from(*factor.address).ok()?,
                    encoding,
                )
            };
            let types = at(factor.encoding.span());
            let number = !matches!(encoding, Encoding::Bool | Encoding::Text(_) | Encoding::Date(_));
            if !number || (role == Role::Exponent && encoding.is_float()) {
                let what = if role == Role::Exponent { "power of ten" } else { "factor" };
                let message = format!("{encoding} is no {what}");
                context.error(Code::RegisterType, types, message, "an integer: u16, i16");
                return None;
            }
            if let Some(order) = &factor.order {
                takes(cell, at(order.span()), context);
            }
            self.fits(cell, &at(factor.address.span()), &types, context);
            Some(Factor { cell, role })
        });
        resolved.collect()
    }
}

/// The name of a table's items.
pub fn word(table: Table) -> &'static str {
    match table {
        Table::Coil => "coil",
        Table::Discrete => "discrete input",
        Table::Holding => "holding",
        Table::Input => "input",
    }
}

/// Kind of the scaled value.
fn kind(cell: Cell, factors: &[Factor]) -> ValueKind {
    let float = |cell: &Cell| cell.encoding.is_float();
    match (cell.encoding, cell.bits) {
        (Encoding::Text(_), _) => ValueKind::Text,
        (Encoding::Bool, _) | (_, Some(Bits::One(_))) => ValueKind::Bool,
        _ if float(&cell) || factors.iter().any(|factor| float(&factor.cell)) => ValueKind::F64,
        _ => ValueKind::Decimal,
    }
}

/// Tells an order the type cannot come in.
pub fn takes(cell: Cell, place: Place, context: &mut Context<'_>) {
    if !cell.encoding.takes(cell.order) {
        let fitting = |word: &&str| word.parse().is_ok_and(|order| cell.encoding.takes(order));
        let mut orders: Vec<Order> =
            Order::words().filter(fitting).filter_map(|word| word.parse().ok()).collect();
        orders.dedup();
        let mut words: Vec<String> = orders.iter().map(Order::to_string).collect();
        words.sort();
        words.dedup();
        let message = format!("{} does not come in the order {}", cell.encoding, cell.order);
        let help = format!("orders of {}: {}", cell.encoding, words.join(", "));
        context.error(Code::ByteOrder, place, message, &help);
    }
}

/// What the files say of the readings beyond scale and range.
fn conditioned<'a>(written: &Written<'a>) -> conditioning::Said<'a> {
    conditioning::Said {
        raw_unit: written.get(|r| &r.raw_unit),
        clamp: written.get(|r| &r.clamp),
        counter: written.get(|r| &r.counter),
        checks: written.get(|r| &r.checks),
        report: written.get(|r| &r.report),
    }
}

fn bits(written: &Written<'_>, cell: Cell, context: &mut Context<'_>) -> Option<Bits> {
    let layer = written.layer(|r| r.bit.is_some() || r.bits.is_some())?;
    let register = layer.register;
    bit_choice(register.bit.as_ref(), register.bits.as_ref(), cell.encoding, layer.source, context)
}

/// Bits that are taken out of an integer, one of the two ways.
pub fn bit_choice(
    one: Option<&At<u8>>,
    some: Option<&At<[u8; 2]>>,
    encoding: Encoding,
    source: usize,
    context: &mut Context<'_>,
) -> Option<Bits> {
    let span = one.map(At::span).or_else(|| some.map(At::span))?;
    let (first, last) = match (one, some) {
        (Some(bit), _) => (**bit, **bit),
        (None, bits) => bits.map(|bits| (**bits).into())?,
    };
    let width = width_bits(encoding);
    let wrong = if one.is_some() && some.is_some() {
        Some(("`bit` and `bits` are both given".to_owned(), "`bit` is a flag, `bits` a number".to_owned()))
    } else if !encoding.is_integer() {
        let message = format!("{encoding} has no bits to take out");
        Some((message, "bits are of an integer: u16, u32".to_owned()))
    } else if first > last {
        let message = format!("bits {first} to {last} are none");
        Some((message, "write the least significant first: [4, 7]".to_owned()))
    } else if u32::from(last) >= width {
        let message = format!("{encoding} has no bit {last}");
        Some((message, format!("its bits are 0, the least significant, to {}", width - 1)))
    } else {
        None
    };
    if let Some((message, help)) = wrong {
        context.error(Code::Bits, Place { source, span }, message, &help);
        return None;
    }
    Some(if one.is_some() { Bits::One(first) } else { Bits::Range { first, last } })
}

/// Bits of a type, without those of its registers that it does not use.
fn width_bits(encoding: Encoding) -> u32 {
    match encoding {
        Encoding::Bool => 1,
        Encoding::U8 | Encoding::I8 => 8,
        other => u32::from(other.items(Order::Abcd)) * 16,
    }
}

fn is_signed(encoding: Encoding) -> bool {
    use Encoding::{I8, I16, I32, I48, I64};
    matches!(encoding, I8 | I16 | I32 | I48 | I64)
}

/// Least and greatest whole number a raw value can be; none for what is no whole number.
fn holds(cell: Cell) -> Option<(i128, i128)> {
    let width = width_bits(cell.encoding);
    match (cell.bits, cell.encoding) {
        (Some(Bits::One(_)), _) | (_, Encoding::Bool) => Some((0, 1)),
        (Some(Bits::Range { first, last }), _) => Some((0, (1 << (last - first + 1)) - 1)),
        (_, Encoding::Bcd(registers) | Encoding::Mod10k(registers)) => {
            Some((0, 10_i128.pow(4 * u32::from(registers)) - 1))
        }
        (_, encoding) if is_signed(encoding) => Some((-(1 << (width - 1)), (1 << (width - 1)) - 1)),
        (_, encoding) if encoding.is_integer() => Some((0, (1 << width) - 1)),
        _ => None,
    }
}

fn sentinels(written: &Written<'_>, cell: Cell, context: &mut Context<'_>) -> Vec<Sentinel> {
    let Some(found) = written.get(|r| &r.sentinels) else { return Vec::new() };
    let mut list: Vec<Sentinel> = Vec::new();
    for at in found.value {
        let place = Place { source: found.source, span: at.span() };
        let Some(raw) = sentinel(at.raw, cell) else {
            let what = if cell.bits.is_some() { "these bits".to_owned() } else { cell.encoding.to_string() };
            let message = format!("{what} cannot be {}", at.raw);
            let help = match holds(cell) {
                Some((least, most)) if most > 1 => format!("from {least} to {most}, as the type reads it"),
                _ => "numbers that are no measurement are told of number types".to_owned(),
            };
            context.error(Code::Sentinel, place, message, &help);
            continue;
        };
        if list.iter().any(|other| other.raw == raw) {
            context.error(Code::Sentinel, place, format!("{raw} is told twice"), "take one of them out");
        }
        list.push(Sentinel { raw, means: Means::from(at.means) });
    }
    list
}

/// Numbers of a message that are no measurement; of bytes as their type reads them.
pub fn sentinel_list(
    written: &[At<spec::Sentinel>],
    encoding: Option<Encoding>,
    source: usize,
    context: &mut Context<'_>,
) -> Vec<Sentinel> {
    let mut list: Vec<Sentinel> = Vec::new();
    for at in written {
        let raw = encoding
            .map_or(Some(at.raw), |encoding| sentinel(at.raw, Cell::new(Table::Holding, 0, encoding)));
        let problem = match raw {
            None => Some(format!("the type cannot be {}", at.raw)),
            Some(raw) if list.iter().any(|other| other.raw == raw) => Some(format!("{raw} is told twice")),
            Some(_) => None,
        };
        if let Some(message) = problem {
            let help = "a number as the type reads it, each once";
            context.error(Code::Sentinel, Place { source, span: at.span() }, message, help);
        }
        list.extend(raw.map(|raw| Sentinel { raw, means: Means::from(at.means) }));
    }
    list
}

/// The number as the type reads it. Manuals write the bits of signed types (0x8000); such a number
/// is beyond the type otherwise, so that nothing else can be meant.
fn sentinel(raw: Decimal, cell: Cell) -> Option<Decimal> {
    match cell.encoding {
        Encoding::F16 => (-F16_MAX..=F16_MAX).contains(&raw.mantissa_at(0).unwrap_or(0)).then_some(raw),
        Encoding::F32 | Encoding::F64 => Some(raw),
        _ => {
            let (least, most) = holds(cell).filter(|(_, most)| *most > 1)?;
            let number = i128::from(raw.mantissa_at(0)?);
            let beyond = cell.bits.is_none() && is_signed(cell.encoding) && number > most;
            let number = if beyond { number - (1 << width_bits(cell.encoding)) } else { number };
            let fits = (least..=most).contains(&number) && !(beyond && number >= 0);
            i64::try_from(number).ok().filter(|_| fits).map(Decimal::from_int)
        }
    }
}

fn states(
    written: &Written<'_>,
    cell: Cell,
    kind: ValueKind,
    exact: bool,
    context: &mut Context<'_>,
) -> Vec<State> {
    let Some(found) = written.get(|r| &r.states) else { return Vec::new() };
    let mut list: Vec<State> = Vec::new();
    for at in found.value {
        let value = at.value;
        let possible = holds(cell).filter(|_| exact || kind == ValueKind::Bool);
        let wrong = if kind == ValueKind::F64 || holds(cell).is_none() {
            Some((format!("{} has no states", cell.encoding), "states are of whole numbers and flags"))
        } else if list.iter().any(|other| other.value == value) {
            Some((format!("the state {value} is named twice"), "each number has one name"))
        } else if possible.is_some_and(|(least, most)| !(least..=most).contains(&i128::from(value))) {
            Some((
                format!("it never has the value {value}"),
                "a flag is 0 or 1; a number what its type holds",
            ))
        } else {
            None
        };
        if let Some((message, help)) = wrong {
            let place = Place { source: found.source, span: at.span() };
            context.error(Code::States, place, message, help);
        }
        let fallback = &written.own.register.quantity;
        list.push(State { value, name: Text::names(Some(&at.name), fallback) });
    }
    list
}

/// What cannot be done with a text, a date or a flag.
fn needless(written: &Written<'_>, cell: Cell, kind: ValueKind, context: &mut Context<'_>) {
    let (what, ranged) = match (kind, cell.encoding) {
        (ValueKind::Text, _) => ("a text", true),
        (ValueKind::Bool, _) => ("a flag", true),
        (_, Encoding::Date(_)) => ("a date", false),
        _ => return,
    };
    let mut places: Vec<(Place, &str)> = Vec::new();
    let scaled = [written.get(|r| &r.scale), written.get(|r| &r.offset)];
    places.extend(scaled.into_iter().flatten().map(|at| (at.place(), "scaled")));
    for list in [written.get(|r| &r.multiply_by), written.get(|r| &r.divide_by)].into_iter().flatten() {
        let first = list.value.first().map(|at| Place { source: list.source, span: at.span() });
        places.extend(first.map(|place| (place, "scaled")));
    }
    places.extend(written.get(|r| &r.exponent).map(|at| (at.place(), "scaled")));
    places.extend(written.get(|r| &r.range).filter(|_| ranged).map(|at| (at.place(), "in a range")));
    for (place, how) in places {
        context.error(Code::Misplaced, place, format!("{what} is not {how}"), "take this out");
    }
}

/// A stale time below the interval would mark every reading.
fn stale_after_ms(found: Option<Found<'_, At<Millis>>>, interval_ms: u64, context: &mut Context<'_>) -> u64 {
    let default = (interval_ms * 3).max(limits::STALE_AFTER_DEFAULT_MIN_MS);
    let Some(at) = found else { return default };
    if at.value.0 <= interval_ms {
        let help = format!("it is read every {}: take at least twice that", super::words(interval_ms));
        let problem =
            Problem::error(Code::WrongValue, at.place(), "the point would be stale between two readings");
        context.problems.push(problem.help(help));
    }
    context.millis(at.source, Some(at.value), limits::STALE_AFTER_MS, default)
}

pub fn known_asset(assets: &Assets, asset: &Name, place: Place, context: &mut Context<'_>) {
    if !assets.ids.0.contains_key(asset) {
        context.unknown("asset", asset.as_str(), place, assets.ids.words());
    }
}

/// Every address the point may have had: earlier ids of the asset, earlier names of the quantity.
pub fn formerly(assets: &Assets, now: &Address, written: &[Former]) -> Vec<Address> {
    let earlier = assets.formerly.get(&now.asset).into_iter().flatten();
    let ids: Vec<&Name> = earlier.chain([&now.asset]).collect();
    let quantities = written.iter().filter_map(|former| match former {
        Former::Quantity(name) => Some(name),
        Former::Point(_) => None,
    });
    let quantities: Vec<&Name> = quantities.chain([&now.quantity]).collect();
    let whole = written.iter().filter_map(|former| match former {
        Former::Point(address) => Some(address.clone()),
        Former::Quantity(_) => None,
    });
    let crossed = ids.iter().flat_map(|asset| {
        quantities.iter().map(|quantity| Address { asset: (*asset).clone(), quantity: (*quantity).clone() })
    });
    whole.chain(crossed).filter(|address| address != now).collect()
}
