//! What any bytes must not be able to break: one function for each target of `fuzz/`, which the
//! tests run from seeds.

use super::super::decode::{decode, order_from, point};
use crate::config::{
    Bits, Cell, DateLayout, Encoding, Factor, Means, Order, OrderFrom, Register, Role, Sentinel, Table,
};
use crate::field::{Fault, Raw};
use crate::point::{Decimal, TextId, Value};
use jiff::tz::TimeZone;

/// Bytes of a fuzzer as choices; zeros when they are used up.
struct Choices<'a>(std::slice::Iter<'a, u8>);

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        self.0.next().copied().unwrap_or(0)
    }

    fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    fn one_in(&mut self, of: u8) -> bool {
        self.byte() % of == of - 1
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        let place = usize::from(self.byte()) % list.len();
        list.iter().copied().nth(place).expect("a place in the list")
    }

    fn encoding(&mut self) -> Encoding {
        let words: Vec<&str> = Encoding::words().collect();
        match self.of(&words).parse().expect("a word of the list") {
            Encoding::Text(_) => Encoding::Text(u16::from(self.byte()).clamp(1, 250)),
            encoding => encoding,
        }
    }

    /// Mostly one the type can come in.
    fn order(&mut self, encoding: Encoding) -> Order {
        use Order::{Abcd, Badc, Cdab, Cdabghef, Dcba, Efghabcd, HighByte, LowByte};
        let all = [Abcd, Cdab, Badc, Dcba, Cdabghef, Efghabcd, HighByte, LowByte];
        let fitting: Vec<Order> = all.into_iter().filter(|order| encoding.takes(*order)).collect();
        if self.one_in(16) { self.of(&all) } else { self.of(&fitting) }
    }

    fn bits(&mut self, encoding: Encoding) -> Option<Bits> {
        let odd = self.one_in(16);
        match self.byte() % 4 {
            0 if encoding.is_integer() || odd => Some(Bits::One(self.byte() % 70)),
            1 if encoding.is_integer() || odd => {
                Some(Bits::Range { first: self.byte() % 16, last: self.byte() % 70 })
            }
            _ => None,
        }
    }

    /// Words as devices have them: anything, small parts of a date, digits, all ones, zeros.
    fn words(&mut self, count: u16) -> Vec<u16> {
        let shape = self.byte();
        let word = |choices: &mut Self| match shape % 8 {
            0..=3 => choices.word(),
            4 => u16::from_be_bytes([choices.byte() % 32, choices.byte() % 32]),
            5 => u16::from_be_bytes([choices.byte() % 10 + 16, choices.byte() % 10]),
            6 => choices.word() % 10_000,
            _ => choices.of(&[0, u16::MAX, 0x7FFF, 0x8000, 0x7FC0, 1]),
        };
        (0..count).map(|_| word(self)).collect()
    }

    /// Half of them fit any role.
    fn raw(&mut self) -> Raw {
        let number = i64::from(self.word().cast_signed());
        let exponent = (self.byte() % 37).cast_signed() - 18;
        Raw::Value(match self.byte() % 16 {
            0 => Value::Bool(number != 0),
            1 => Value::F64(f64::from_bits(u64::from(self.word()) << 48 | u64::from(self.word()))),
            2 => Value::Text(TextId(1)),
            3 => Value::Decimal(Decimal::from_int(self.of(&[i64::MIN, i64::MAX, 0, -0x8000, 0x8000]))),
            4 => Value::Decimal(Decimal::new(number, exponent).unwrap_or(Decimal::ONE)),
            5 => Value::Decimal(Decimal::from_int(number)),
            6 => return Raw::Text(number.to_string()),
            7 => Value::Decimal(Decimal::from_int(number % 12)),
            _ => Value::Decimal(Decimal::from_int(number.rem_euclid(10) + 1)),
        })
    }
}

/// Any words, cell, order, sentinels and factors give a finite value of the right width, or a
/// fault that the cell can have.
#[expect(clippy::missing_panics_doc, reason = "to panic on a breach is what it is for")]
pub fn decoders(data: &[u8]) {
    let mut choices = Choices(data.iter());
    let encoding = choices.encoding();
    let order = choices.order(encoding);
    let bits = choices.bits(encoding);
    let cell = Cell { order, bits, ..Cell::new(Table::Holding, 0, encoding) };
    let zone = zone(choices.byte());
    let count = if choices.one_in(16) { u16::from(choices.byte()) } else { cell.items() };
    let words = choices.words(count);

    let value = decode(&words, cell, order, &zone);
    if words.len() != usize::from(cell.items()) || !encoding.takes(order) {
        assert_eq!(value, Err(Fault::Decoding), "{cell:?} {words:?}");
    }
    check(&value, cell, &words);
    let from = OrderFrom { cell, orders: vec![(0, Order::Abcd), (1, Order::Cdab)] };
    if let Ok(said) = order_from(&words, &from, &zone) {
        let number = if said == Order::Abcd { 0.0 } else { 1.0 };
        assert!(
            matches!(value, Ok(Raw::Value(value)) if value.as_f64() == Some(number)),
            "{cell:?} {words:?}"
        );
    }

    let hit = words.first().copied().filter(|_| choices.one_in(4));
    let sentinel = Sentinel {
        raw: Decimal::from_int(hit.unwrap_or(0x8000).into()),
        means: choices.of(&[Means::Sensor, Means::NotAvailable, Means::OutOfRange]),
    };
    let role = |choices: &mut Choices| choices.of(&[Role::Multiply, Role::Divide, Role::Exponent]);
    let number = choices.byte() % 4;
    let factors = (0..number).map(|_| Factor { cell, role: role(&mut choices) }).collect();
    let given: Vec<Raw> = (0..number).map(|_| choices.raw()).collect();
    let address = "fuzz/point".parse().expect("an address");
    let plain = Register::plain(address, 1_000, cell);
    assert_eq!(point(&words, &plain, order, &[], &zone), value, "{cell:?} {words:?}");
    let register = Register { sentinels: vec![sentinel], factors, ..plain };
    match point(&words, &register, order, &given, &zone) {
        Ok(Raw::Value(Value::F64(number))) => assert!(number.is_finite(), "{register:?} {given:?}"),
        Ok(raw) => assert!(value.is_ok() && (number > 0 || value == Ok(raw)), "{register:?} {given:?}"),
        Err(fault) => assert!(
            matches!(fault, Fault::Decoding | Fault::Sensor | Fault::NotAvailable | Fault::OutOfRange),
            "{register:?} {given:?}"
        ),
    }
}

fn zone(choice: u8) -> TimeZone {
    let name = match choice % 3 {
        0 => "Asia/Shanghai",
        1 => "Europe/London",
        _ => "Australia/Lord_Howe",
    };
    TimeZone::get(name).expect("a zone of the database")
}

/// The value is one that the type and the bits can have.
fn check(value: &Result<Raw, Fault>, cell: Cell, words: &[u16]) {
    let (low, high) = bounds(cell);
    let right = match value {
        Ok(Raw::Value(Value::Bool(_))) => {
            matches!(cell.bits, Some(Bits::One(_))) || cell.encoding == Encoding::Bool
        }
        Ok(Raw::Value(Value::Decimal(number))) => (low..=high).contains(number),
        Ok(Raw::Value(Value::F64(number))) => number.is_finite() && cell.encoding.is_float(),
        Ok(Raw::Text(text)) => match cell.encoding {
            Encoding::Text(bytes) => text.len() <= bytes.into() && !text.contains(char::is_control),
            _ => false,
        },
        Err(Fault::Decoding) => true,
        Err(Fault::Sensor) => cell.encoding.is_float(),
        Err(Fault::NotAvailable) => matches!(cell.encoding, Encoding::Date(_)),
        Ok(Raw::Value(Value::Text(_)) | Raw::Doubted(_)) | Err(_) => false,
    };
    assert!(right, "{cell:?} {words:?}: {value:?}");
}

/// Least and greatest number of a cell; an empty range for one that holds no integers.
fn bounds(cell: Cell) -> (Decimal, Decimal) {
    use Encoding::{
        Bcd, Bool, Date, F16, F32, F64, I8, I16, I32, I48, I64, Mod10k, Text, U8, U16, U32, U48, U64,
    };
    let unsigned = |bits: u8| (0, i64::MAX >> 63_u8.saturating_sub(bits));
    let signed = |bits: u8| (i64::MIN >> (64 - bits), i64::MAX >> (64 - bits));
    let (low, high) = match (cell.bits, cell.encoding) {
        (Some(Bits::Range { first, last }), _) => unsigned(last.saturating_sub(first).saturating_add(1)),
        (Some(Bits::One(_)), _) | (None, Bool | F16 | F32 | F64 | Text(_)) => (1, 0),
        (None, U8) => unsigned(8),
        (None, U16) => unsigned(16),
        (None, U32 | Date(DateLayout::Unix)) => unsigned(32),
        (None, U48) => unsigned(48),
        (None, U64) => unsigned(64),
        (None, I8) => signed(8),
        (None, I16) => signed(16),
        (None, I32) => signed(32),
        (None, I48) => signed(48),
        (None, I64) => signed(64),
        (None, Bcd(registers) | Mod10k(registers)) => (0, 10_i64.pow(4 * u32::from(registers)) - 1),
        // 1969-12-31 to 2100-01-02: a zone is at most a day away.
        (None, Date(_)) => (-86_400, 4_102_444_800 + 86_400),
    };
    (Decimal::from_int(low), Decimal::from_int(high))
}

#[cfg(test)]
mod tests {
    use super::super::super::line_model::Dice;

    #[test]
    fn a_hundred_thousand_executions_break_no_decoder() {
        let mut dice = Dice(20_261_122);
        let mut data = Vec::new();
        for _ in 0..100_000 {
            data.clear();
            for _ in 0..dice.roll(96) {
                data.push(u8::try_from(dice.roll(256)).unwrap());
            }
            super::decoders(&data);
        }
    }
}
