//! What the bits of a register are, and the order they come in: one word each, the same in a
//! file, in a spreadsheet and on the command line.

use std::fmt;
use std::str::FromStr;

/// Most bytes of a text.
pub const TEXT_BYTES_MAX: u16 = 250;

/// Types of raw values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// A coil or discrete input (`bool`).
    Bool,
    /// Unsigned, the low byte of a register; with order `ba` the high one.
    U8,
    /// Two's complement, the low byte of a register; with order `ba` the high one.
    I8,
    /// Unsigned, one register.
    U16,
    /// Two's complement, one register.
    I16,
    /// Unsigned, two registers.
    U32,
    /// Two's complement, two registers.
    I32,
    /// Unsigned, three registers.
    U48,
    /// Two's complement, three registers.
    I48,
    /// Unsigned, four registers; above 2^63 - 1 it cannot be kept exactly and is a fault.
    U64,
    /// Two's complement, four registers.
    I64,
    /// IEEE 754 half, one register.
    F16,
    /// IEEE 754 single, two registers.
    F32,
    /// IEEE 754 double, four registers.
    F64,
    /// Binary-coded decimal, four digits a register, one to four registers (`bcd16` to `bcd64`).
    Bcd(u8),
    /// Each register holds 0 to 9,999; two to four registers (`mod10k-2` to `mod10k-4`).
    Mod10k(u8),
    /// So many bytes of UTF-8, ended early by a zero byte (`text:16`).
    Text(u16),
    /// A date and time of the device's own zone.
    Date(DateLayout),
}

/// How a date and time is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DateLayout {
    /// Three registers, six bytes: year of the century, month, day, hour, minute, second (`date-bytes`).
    Bytes,
    /// The same in binary-coded decimal (`date-bcd`).
    Bcd,
    /// Six registers: year, month, day, hour, minute, second (`date-words`).
    Words,
    /// Four registers: year of the century; month and day; hour and minute; milliseconds of the
    /// minute. IEC 870-5-4 as Schneider's meters have it (`date-iec870`).
    Iec870,
    /// Two registers, seconds since 1970 UTC (`date-unix`).
    Unix,
}

/// The order of the bytes of a value, written for `abcd`, most significant first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// As the standard has it.
    #[default]
    Abcd,
    /// Registers the other way round; 64 bits: `ghefcdab`.
    Cdab,
    /// Bytes of each register swapped; 64 bits: `badcfehg`.
    Badc,
    /// All the other way round; 64 bits: `hgfedcba`.
    Dcba,
    /// 64 bits: registers swapped in each half.
    Cdabghef,
    /// 64 bits: halves swapped.
    Efghabcd,
    /// Text with one character a register, in its high byte (`a`).
    HighByte,
    /// Text with one character a register, in its low byte (`b`).
    LowByte,
}

/// A word that names no type or order; continues a sentence that begins with the word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WordError {
    /// No such type.
    #[error("is no type")]
    Encoding,
    /// No such order.
    #[error("is no byte order")]
    Order,
}

/// The words of all types but `text:N`.
const ENCODINGS: [(&str, Encoding); 26] = [
    ("bool", Encoding::Bool),
    ("u8", Encoding::U8),
    ("i8", Encoding::I8),
    ("u16", Encoding::U16),
    ("i16", Encoding::I16),
    ("u32", Encoding::U32),
    ("i32", Encoding::I32),
    ("u48", Encoding::U48),
    ("i48", Encoding::I48),
    ("u64", Encoding::U64),
    ("i64", Encoding::I64),
    ("f16", Encoding::F16),
    ("f32", Encoding::F32),
    ("f64", Encoding::F64),
    ("bcd16", Encoding::Bcd(1)),
    ("bcd32", Encoding::Bcd(2)),
    ("bcd48", Encoding::Bcd(3)),
    ("bcd64", Encoding::Bcd(4)),
    ("mod10k-2", Encoding::Mod10k(2)),
    ("mod10k-3", Encoding::Mod10k(3)),
    ("mod10k-4", Encoding::Mod10k(4)),
    ("date-bytes", Encoding::Date(DateLayout::Bytes)),
    ("date-bcd", Encoding::Date(DateLayout::Bcd)),
    ("date-words", Encoding::Date(DateLayout::Words)),
    ("date-iec870", Encoding::Date(DateLayout::Iec870)),
    ("date-unix", Encoding::Date(DateLayout::Unix)),
];

/// The words of all orders; the first of an order is the one it is written with.
const ORDERS: [(&str, Order); 16] = [
    ("abcd", Order::Abcd),
    ("cdab", Order::Cdab),
    ("badc", Order::Badc),
    ("dcba", Order::Dcba),
    ("cdabghef", Order::Cdabghef),
    ("efghabcd", Order::Efghabcd),
    ("a", Order::HighByte),
    ("b", Order::LowByte),
    ("ab", Order::Abcd),
    ("ba", Order::Badc),
    ("abcdef", Order::Abcd),
    ("efcdab", Order::Cdab),
    ("abcdefgh", Order::Abcd),
    ("ghefcdab", Order::Cdab),
    ("badcfehg", Order::Badc),
    ("hgfedcba", Order::Dcba),
];

impl Encoding {
    /// How many registers (or coils) a value takes, when it is written in `order`.
    pub fn items(self, order: Order) -> u16 {
        match self {
            Encoding::Bool | Encoding::U8 | Encoding::I8 | Encoding::U16 | Encoding::I16 | Encoding::F16 => 1,
            Encoding::U32 | Encoding::I32 | Encoding::F32 | Encoding::Date(DateLayout::Unix) => 2,
            Encoding::U48 | Encoding::I48 | Encoding::Date(DateLayout::Bytes | DateLayout::Bcd) => 3,
            Encoding::U64 | Encoding::I64 | Encoding::F64 | Encoding::Date(DateLayout::Iec870) => 4,
            Encoding::Date(DateLayout::Words) => 6,
            Encoding::Bcd(registers) | Encoding::Mod10k(registers) => u16::from(registers),
            Encoding::Text(bytes) if matches!(order, Order::HighByte | Order::LowByte) => bytes,
            Encoding::Text(bytes) => bytes.div_ceil(2),
        }
    }

    /// Whether its values are binary floats.
    pub fn is_float(self) -> bool {
        matches!(self, Encoding::F16 | Encoding::F32 | Encoding::F64)
    }

    /// Whether bits can be taken out of it.
    pub fn is_integer(self) -> bool {
        use Encoding::{I8, I16, I32, I48, I64, U8, U16, U32, U48, U64};
        matches!(self, U8 | I8 | U16 | I16 | U32 | I32 | U48 | I48 | U64 | I64)
    }

    /// Whether its bytes can come in that order.
    pub fn takes(self, order: Order) -> bool {
        match order {
            Order::Abcd => true,
            Order::Cdab => self.items(order) > 1 && !matches!(self, Encoding::Text(_)),
            Order::Badc => self != Encoding::Bool && !matches!(self, Encoding::Mod10k(_)),
            Order::Dcba => self.items(order) > 1 && !matches!(self, Encoding::Text(_) | Encoding::Mod10k(_)),
            Order::Cdabghef | Order::Efghabcd => self.items(order) == 4 && !matches!(self, Encoding::Text(_)),
            Order::HighByte | Order::LowByte => matches!(self, Encoding::Text(_)),
        }
    }

    /// The words of all types, for help and schema.
    pub fn words() -> impl Iterator<Item = &'static str> {
        ENCODINGS.iter().map(|(word, _)| *word).chain(["text:16"])
    }
}

impl Order {
    /// The words of all orders, for help and schema.
    pub fn words() -> impl Iterator<Item = &'static str> {
        ORDERS.iter().map(|(word, _)| *word)
    }
}

impl FromStr for Encoding {
    type Err = WordError;

    fn from_str(word: &str) -> Result<Encoding, WordError> {
        if let Some(bytes) = word.strip_prefix("text:") {
            let bytes = bytes.parse().ok().filter(|bytes| (1..=TEXT_BYTES_MAX).contains(bytes));
            return bytes.map(Encoding::Text).ok_or(WordError::Encoding);
        }
        let found = ENCODINGS.iter().find(|(known, _)| *known == word);
        found.map(|(_, encoding)| *encoding).ok_or(WordError::Encoding)
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Encoding::Text(bytes) => write!(f, "text:{bytes}"),
            other => {
                let found = ENCODINGS.iter().find(|(_, known)| known == other);
                f.write_str(found.map_or("", |(word, _)| word))
            }
        }
    }
}

impl FromStr for Order {
    type Err = WordError;

    fn from_str(word: &str) -> Result<Order, WordError> {
        let found = ORDERS.iter().find(|(known, _)| *known == word);
        found.map(|(_, order)| *order).ok_or(WordError::Order)
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = ORDERS.iter().find(|(_, known)| known == self);
        f.write_str(found.map_or("", |(word, _)| word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_and_written_alike() {
        for word in Encoding::words() {
            assert_eq!(word.parse::<Encoding>().unwrap().to_string(), word);
        }
        for word in Order::words() {
            let order: Order = word.parse().unwrap();
            assert_eq!(order.to_string().parse(), Ok(order));
        }
        for wrong in ["", "u17", "text:", "text:0", "text:251", "mod10k-5", "F32"] {
            assert_eq!(wrong.parse::<Encoding>(), Err(WordError::Encoding), "{wrong}");
        }
        assert_eq!("bacd".parse::<Order>(), Err(WordError::Order));
    }

    #[test]
    fn a_value_takes_its_registers_and_only_orders_that_mean_something() {
        assert_eq!(Encoding::U48.items(Order::Abcd), 3);
        assert_eq!(Encoding::Text(7).items(Order::Abcd), 4);
        assert_eq!(Encoding::Text(7).items(Order::LowByte), 7);
        assert!(Encoding::U16.takes(Order::Badc) && !Encoding::U16.takes(Order::Cdab));
        assert!(Encoding::F64.takes(Order::Efghabcd) && !Encoding::F32.takes(Order::Efghabcd));
        assert!(!Encoding::Bool.takes(Order::Badc) && !Encoding::U16.takes(Order::HighByte));
    }
}
