//! Numbers as bytes: LEB128 varints, zigzag for signed ones, and a reader that trusts nothing.
//! Shared by the journal's records and the sealed chunks.

use crate::point::{Decimal, TextId, Value};

/// Kinds of values on the disk: the low bits of a record's tag, the first byte of a lone value.
pub const KIND_NONE: u8 = 0;
/// `false`, without further bytes.
pub const KIND_FALSE: u8 = 1;
/// `true`, without further bytes.
pub const KIND_TRUE: u8 = 2;
/// A scaled integer.
pub const KIND_DECIMAL: u8 = 3;
/// A float in 8 bytes.
pub const KIND_F64: u8 = 4;
/// A float that a single-precision one holds exactly, in 4 bytes.
pub const KIND_F32: u8 = 5;
/// A number in the dictionary of words.
pub const KIND_TEXT: u8 = 6;

/// Why bytes do not give what is asked of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BytesError {
    /// They end too early.
    Short,
    /// They are no such thing.
    Malformed,
}

/// The kind byte of a value.
pub fn kind_of(value: Option<Value>) -> u8 {
    match value {
        None => KIND_NONE,
        Some(Value::Bool(false)) => KIND_FALSE,
        Some(Value::Bool(true)) => KIND_TRUE,
        Some(Value::Decimal(_)) => KIND_DECIMAL,
        Some(Value::F64(number)) => single(number).map_or(KIND_F64, |_| KIND_F32),
        Some(Value::Text(_)) => KIND_TEXT,
    }
}

/// The single-precision float with the same bits when widened, if there is one.
#[expect(clippy::cast_possible_truncation, reason = "the next line proves that nothing was cut off")]
pub fn single(number: f64) -> Option<f32> {
    let single = number as f32;
    (f64::from(single).to_bits() == number.to_bits()).then_some(single)
}

/// Appends a number, the smaller the shorter.
pub fn varint(out: &mut Vec<u8>, mut number: u64) {
    while let Ok(low) = u8::try_from(number & 0x7f) {
        number >>= 7;
        if number == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Appends a signed number, the closer to 0 the shorter.
pub fn signed(out: &mut Vec<u8>, number: i64) {
    varint(out, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

/// Appends a wide number: how many bytes, then the bytes that are not mere sign.
pub fn wide(out: &mut Vec<u8>, number: i128) {
    let zigzag = ((number << 1) ^ (number >> 127)).cast_unsigned().to_le_bytes();
    let len = zigzag.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    out.extend(u8::try_from(len));
    out.extend(zigzag.into_iter().take(len));
}

/// Appends a value that stands alone: its kind, then what it takes.
pub fn value(out: &mut Vec<u8>, value: Option<Value>) {
    out.push(kind_of(value));
    match value {
        None | Some(Value::Bool(_)) => {}
        Some(Value::Decimal(number)) => {
            out.push(number.exponent().cast_unsigned());
            signed(out, number.mantissa());
        }
        Some(Value::F64(number)) => float(out, number),
        Some(Value::Text(id)) => varint(out, u64::from(id.0)),
    }
}

/// Appends a float in as few bytes as its kind says.
pub fn float(out: &mut Vec<u8>, number: f64) {
    match single(number) {
        Some(single) => out.extend_from_slice(&single.to_le_bytes()),
        None => out.extend_from_slice(&number.to_le_bytes()),
    }
}

/// Bytes still to be read.
#[derive(Clone, Debug)]
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    /// The next `len` bytes.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], BytesError> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(BytesError::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], BytesError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(BytesError::Short)?;
        self.0 = rest;
        Ok(*taken)
    }

    /// The next byte.
    pub fn byte(&mut self) -> Result<u8, BytesError> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// The inverse of [`varint`].
    #[inline]
    pub fn varint(&mut self) -> Result<u64, BytesError> {
        // Nearly all are this short.
        match *self.0 {
            [one @ 0..0x80, ref rest @ ..] => {
                self.0 = rest;
                Ok(one.into())
            }
            [low, high @ 0..0x80, ref rest @ ..] => {
                self.0 = rest;
                Ok(u64::from(low & 0x7f) | u64::from(high) << 7)
            }
            _ => self.long_varint(),
        }
    }

    #[cold]
    fn long_varint(&mut self) -> Result<u64, BytesError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let low = u64::from(byte & 0x7f);
            if shift == 63 && low > 1 {
                return Err(BytesError::Malformed);
            }
            number |= low << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(BytesError::Malformed)
    }

    /// The inverse of [`signed`].
    pub fn signed(&mut self) -> Result<i64, BytesError> {
        let number = self.varint()?;
        Ok((number >> 1).cast_signed() ^ -((number & 1).cast_signed()))
    }

    /// A varint that must fit a narrower type.
    pub fn narrow<T: TryFrom<u64>>(&mut self) -> Result<T, BytesError> {
        T::try_from(self.varint()?).map_err(|_| BytesError::Malformed)
    }

    /// The inverse of [`wide`].
    pub fn wide(&mut self) -> Result<i128, BytesError> {
        let taken = self.byte().and_then(|len| self.take(usize::from(len)))?;
        let mut bytes = [0; 16];
        bytes.get_mut(..taken.len()).ok_or(BytesError::Malformed)?.copy_from_slice(taken);
        let zigzag = u128::from_le_bytes(bytes);
        Ok((zigzag >> 1).cast_signed() ^ -((zigzag & 1).cast_signed()))
    }

    /// The inverse of [`value`].
    pub fn value(&mut self) -> Result<Option<Value>, BytesError> {
        let value = match self.byte()? {
            KIND_NONE => return Ok(None),
            KIND_FALSE => Value::Bool(false),
            KIND_TRUE => Value::Bool(true),
            KIND_DECIMAL => {
                let exponent = self.byte()?.cast_signed();
                Value::Decimal(Decimal::new(self.signed()?, exponent).map_err(|_| BytesError::Malformed)?)
            }
            KIND_F64 => Value::F64(f64::from_le_bytes(self.array()?)),
            KIND_F32 => Value::F64(f64::from(f32::from_le_bytes(self.array()?))),
            KIND_TEXT => Value::Text(TextId(self.narrow()?)),
            _ => return Err(BytesError::Malformed),
        };
        Ok(Some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::super::codec::tests::any_value;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_and_values_come_back(a: u64, b: i64, shift in 0..128_u32, c: i128, alone in any_value()) {
            let c = c >> shift;
            let mut out = Vec::new();
            varint(&mut out, a);
            signed(&mut out, b);
            wide(&mut out, c);
            value(&mut out, alone);
            let mut bytes = Bytes(&out);
            prop_assert_eq!((bytes.varint(), bytes.signed(), bytes.wide()), (Ok(a), Ok(b), Ok(c)));
            prop_assert_eq!(bytes.value(), Ok(alone));
            prop_assert!(bytes.0.is_empty());
        }
    }

    #[test]
    fn a_number_wider_than_its_type_is_refused() {
        assert_eq!(Bytes(&[0xff; 11]).varint(), Err(BytesError::Malformed));
        assert_eq!(Bytes(&[17; 18]).wide(), Err(BytesError::Malformed));
        assert_eq!(Bytes(&[0x80, 0x02]).narrow::<u8>(), Err(BytesError::Malformed));
        assert_eq!(Bytes(&[0x80]).varint(), Err(BytesError::Short));
    }
}
