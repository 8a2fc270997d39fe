//! A record of the journal as bytes: the batches of one group commit.
//!
//! ```text
//! record  = format(1)  count  section*  crc32(4, little endian, over all before it)
//! section = length  body                         a reader skips a section by its length
//! body    = point_min  point_span  device  received_at  error_and_source  [source_at]  readings  reading*
//! reading = tag(1)  [point]  [at]  [quality(1)]  [exponent(1)]  value
//! ```
//! Numbers are LEB128 varints; signed ones zigzag; `received_at` counts from that of the section
//! before, `source_at` from `received_at`, a reading's point and time from the reading before.
//! The tag says the kind of the value and which parts are left out because they are as before
//! (see the `TAG_` constants). About 4 bytes a reading for a device polled as a block.
//!
//! Decoding trusts nothing: any bytes give readings or an error, never a panic, and never
//! reserve more memory than the bytes could fill.

use super::bytes::{
    Bytes, BytesError, KIND_DECIMAL, KIND_F32, KIND_F64, KIND_FALSE, KIND_NONE, KIND_TEXT, KIND_TRUE, float,
    kind_of, signed, varint,
};
use super::journal::Span;
use crate::point::{Batch, Decimal, PointId, Quality, Reading, TextId, UtcMs, Value};

/// The first byte of every record this version writes.
pub const FORMAT: u8 = 1;

const CRC_LEN: usize = 4;

const KIND_MASK: u8 = 0x07;
/// A quality byte follows; without it the quality is Good.
const TAG_QUALITY: u8 = 0x08;
/// Same time as the reading before (the first: as `received_at`).
const TAG_SAME_AT: u8 = 0x10;
/// The point after that of the reading before (the first: `point_min`).
const TAG_NEXT_POINT: u8 = 0x20;
/// Same exponent as the decimal before (the first: 0).
const TAG_SAME_EXPONENT: u8 = 0x40;
/// Never written; a tag with it is no tag.
const TAG_RESERVED: u8 = 0x80;

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// They end too early.
    #[error("the record is cut off")]
    Short,
    /// The checksum is not that of the content.
    #[error("the record is damaged (checksum)")]
    Checksum,
    /// A format this version does not know.
    #[error("the record has format {0}, which this version does not know")]
    Format(u8),
    /// The checksum holds, the content does not.
    #[error("the record makes no sense")]
    Malformed,
}

impl From<BytesError> for CodecError {
    fn from(error: BytesError) -> CodecError {
        match error {
            BytesError::Short => CodecError::Short,
            BytesError::Malformed => CodecError::Malformed,
        }
    }
}

/// Collects the batches of one record.
#[derive(Debug, Default)]
pub struct RecordBuilder {
    sections: Vec<u8>,
    scratch: Vec<u8>,
    count: u64,
    received_at: i64,
    span: Option<Span>,
}

impl RecordBuilder {
    /// Appends a batch, whose device has this number in the dictionary.
    pub fn push(&mut self, batch: &Batch, device: u32) {
        self.scratch.clear();
        section(&mut self.scratch, batch, device, self.received_at);
        varint(&mut self.sections, self.scratch.len() as u64);
        self.sections.append(&mut self.scratch);
        self.received_at = batch.received_at.0;
        self.count += 1;
        for reading in &batch.readings {
            self.span = Some(Span::over(self.span, reading.at));
        }
    }

    /// Bytes so far.
    pub fn bytes(&self) -> usize {
        self.sections.len()
    }

    /// The whole record, and the times its readings span.
    pub fn finish(self) -> (Vec<u8>, Span) {
        let mut body = Vec::with_capacity(self.sections.len() + 16);
        body.push(FORMAT);
        varint(&mut body, self.count);
        body.extend_from_slice(&self.sections);
        let crc = crc32fast::hash(&body);
        body.extend_from_slice(&crc.to_le_bytes());
        let empty = Span { first: UtcMs(self.received_at), last: UtcMs(self.received_at) };
        (body, self.span.unwrap_or(empty))
    }
}

fn section(out: &mut Vec<u8>, batch: &Batch, device: u32, previous: i64) {
    let points = || batch.readings.iter().map(|reading| reading.point.0);
    let (min, max) = (points().min().unwrap_or(0), points().max().unwrap_or(0));
    varint(out, u64::from(min));
    varint(out, u64::from(max - min));
    varint(out, u64::from(device));
    signed(out, batch.received_at.0.wrapping_sub(previous));
    varint(out, u64::from(batch.at_error_ms) << 1 | u64::from(batch.source_at.is_some()));
    if let Some(source_at) = batch.source_at {
        signed(out, source_at.0.wrapping_sub(batch.received_at.0));
    }
    varint(out, batch.readings.len() as u64);
    let mut before = Before::new(min, batch.received_at);
    for reading in &batch.readings {
        before.encode(out, reading);
    }
}

/// What the next reading is told against.
#[derive(Clone, Copy, Debug)]
struct Before {
    point: u32,
    at: i64,
    exponent: i8,
}

impl Before {
    fn new(point_min: u32, received_at: UtcMs) -> Before {
        Before { point: point_min.wrapping_sub(1), at: received_at.0, exponent: 0 }
    }

    fn encode(&mut self, out: &mut Vec<u8>, reading: &Reading) {
        let step = reading.point.0.wrapping_sub(self.point);
        let later = reading.at.0.wrapping_sub(self.at);
        let mut tag = kind_of(reading.value);
        tag |= if reading.quality == Quality::Good { 0 } else { TAG_QUALITY };
        tag |= if later == 0 { TAG_SAME_AT } else { 0 };
        tag |= if step == 1 { TAG_NEXT_POINT } else { 0 };
        if let Some(Value::Decimal(number)) = reading.value
            && number.exponent() == self.exponent
        {
            tag |= TAG_SAME_EXPONENT;
        }
        out.push(tag);
        if tag & TAG_NEXT_POINT == 0 {
            signed(out, i64::from(step.cast_signed()));
        }
        if tag & TAG_SAME_AT == 0 {
            signed(out, later);
        }
        if tag & TAG_QUALITY != 0 {
            out.push(reading.quality.to_byte());
        }
        self.point = reading.point.0;
        self.at = reading.at.0;
        self.encode_value(out, reading.value, tag);
    }

    fn encode_value(&mut self, out: &mut Vec<u8>, value: Option<Value>, tag: u8) {
        match value {
            None | Some(Value::Bool(_)) => {}
            Some(Value::Decimal(number)) => {
                if tag & TAG_SAME_EXPONENT == 0 {
                    out.push(number.exponent().cast_unsigned());
                    self.exponent = number.exponent();
                }
                signed(out, number.mantissa());
            }
            Some(Value::F64(number)) => float(out, number),
            Some(Value::Text(id)) => varint(out, u64::from(id.0)),
        }
    }

    #[expect(
        clippy::inline_always,
        reason = "returned through memory, a reading waits to be read back: 11 ns for 4"
    )]
    #[inline(always)]
    fn decode(&mut self, bytes: &mut Bytes<'_>) -> Result<Reading, CodecError> {
        let tag = bytes.byte()?;
        if tag & TAG_RESERVED != 0 {
            return Err(CodecError::Malformed);
        }
        let step = if tag & TAG_NEXT_POINT == 0 { bytes.signed()? } else { 1 };
        let step = i32::try_from(step).map_err(|_| CodecError::Malformed)?;
        self.point = self.point.wrapping_add(step.cast_unsigned());
        if tag & TAG_SAME_AT == 0 {
            self.at = self.at.wrapping_add(bytes.signed()?);
        }
        let quality = if tag & TAG_QUALITY == 0 {
            Quality::Good
        } else {
            Quality::from_byte(bytes.byte()?).ok_or(CodecError::Malformed)?
        };
        let value = self.decode_value(bytes, tag)?;
        Ok(Reading { point: PointId(self.point), at: UtcMs(self.at), value, quality })
    }

    #[expect(clippy::inline_always, reason = "as above")]
    #[inline(always)]
    fn decode_value(&mut self, bytes: &mut Bytes<'_>, tag: u8) -> Result<Option<Value>, CodecError> {
        let value = match tag & KIND_MASK {
            KIND_NONE => return Ok(None),
            KIND_FALSE => Value::Bool(false),
            KIND_TRUE => Value::Bool(true),
            KIND_DECIMAL => {
                if tag & TAG_SAME_EXPONENT == 0 {
                    self.exponent = bytes.byte()?.cast_signed();
                }
                let number = Decimal::new(bytes.signed()?, self.exponent);
                Value::Decimal(number.map_err(|_| CodecError::Malformed)?)
            }
            KIND_F64 => Value::F64(f64::from_le_bytes(bytes.array()?)),
            KIND_F32 => Value::F64(f64::from(f32::from_le_bytes(bytes.array()?))),
            KIND_TEXT => Value::Text(TextId(bytes.narrow()?)),
            _ => return Err(CodecError::Malformed),
        };
        Ok(Some(value))
    }
}

/// Opens a record: checksum and format are right when this returns.
pub fn sections(body: &[u8]) -> Result<Sections<'_>, CodecError> {
    let split = body.len().checked_sub(CRC_LEN).ok_or(CodecError::Short)?;
    let (content, crc) = body.split_at_checked(split).ok_or(CodecError::Short)?;
    if crc32fast::hash(content).to_le_bytes() != crc {
        return Err(CodecError::Checksum);
    }
    let mut bytes = Bytes(content);
    let format = bytes.byte()?;
    if format != FORMAT {
        return Err(CodecError::Format(format));
    }
    let left = bytes.varint()?;
    Ok(Sections { bytes, left, received_at: 0 })
}

/// The batches of a record, one by one.
#[derive(Clone, Debug)]
pub struct Sections<'a> {
    bytes: Bytes<'a>,
    left: u64,
    received_at: i64,
}

impl Sections<'_> {
    /// How many batches are still to come, as the record says.
    pub fn left(&self) -> u64 {
        self.left
    }
}

impl<'a> Iterator for Sections<'a> {
    type Item = Result<Section<'a>, CodecError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            let rest = std::mem::take(&mut self.bytes.0);
            return (!rest.is_empty()).then_some(Err(CodecError::Malformed));
        }
        self.left -= 1;
        let next = self.section();
        if next.is_err() {
            // Nothing behind a broken section can be trusted.
            (self.left, self.bytes) = (0, Bytes(&[]));
        }
        Some(next)
    }
}

impl<'a> Sections<'a> {
    fn section(&mut self) -> Result<Section<'a>, CodecError> {
        let len = usize::try_from(self.bytes.varint()?).map_err(|_| CodecError::Short)?;
        let mut bytes = Bytes(self.bytes.take(len)?);
        let point_min: u32 = bytes.narrow()?;
        let point_span: u32 = bytes.narrow()?;
        let device = bytes.narrow()?;
        self.received_at = self.received_at.wrapping_add(bytes.signed()?);
        let error_and_source = bytes.varint()?;
        let at_error_ms = u32::try_from(error_and_source >> 1).map_err(|_| CodecError::Malformed)?;
        let source_at = if error_and_source & 1 == 0 {
            None
        } else {
            Some(UtcMs(self.received_at.wrapping_add(bytes.signed()?)))
        };
        let readings = bytes.varint()?;
        Ok(Section {
            point_min,
            point_max: point_min.checked_add(point_span).ok_or(CodecError::Malformed)?,
            device,
            received_at: UtcMs(self.received_at),
            source_at,
            at_error_ms,
            readings,
            bytes,
        })
    }
}

/// One batch, its readings not yet decoded.
#[derive(Clone, Debug)]
pub struct Section<'a> {
    point_min: u32,
    point_max: u32,
    /// Number of the device in the dictionary.
    pub device: u32,
    /// See [`Batch::received_at`].
    pub received_at: UtcMs,
    /// See [`Batch::source_at`].
    pub source_at: Option<UtcMs>,
    /// See [`Batch::at_error_ms`].
    pub at_error_ms: u32,
    readings: u64,
    bytes: Bytes<'a>,
}

impl<'a> Section<'a> {
    /// No point before the first or behind the second is in it.
    pub fn points(&self) -> (PointId, PointId) {
        (PointId(self.point_min), PointId(self.point_max))
    }

    /// Appends the readings in the order they came. After an error some of them may be there.
    pub fn append(&self, readings: &mut Vec<Reading>) -> Result<(), CodecError> {
        let Readings { mut bytes, left, mut before } = self.readings();
        // A reading takes a byte at least, whatever the count claims.
        readings.reserve(usize::try_from(left).unwrap_or(usize::MAX).min(bytes.0.len()));
        for _ in 0..left {
            readings.push(before.decode(&mut bytes)?);
        }
        if bytes.0.is_empty() { Ok(()) } else { Err(CodecError::Malformed) }
    }

    /// The readings in the order they came.
    pub fn readings(&self) -> Readings<'a> {
        let before = Before::new(self.point_min, self.received_at);
        Readings { bytes: self.bytes.clone(), left: self.readings, before }
    }
}

/// The readings of a section.
#[derive(Clone, Debug)]
pub struct Readings<'a> {
    bytes: Bytes<'a>,
    left: u64,
    before: Before,
}

impl Iterator for Readings<'_> {
    type Item = Result<Reading, CodecError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            let rest = std::mem::take(&mut self.bytes.0);
            return (!rest.is_empty()).then_some(Err(CodecError::Malformed));
        }
        self.left -= 1;
        let next = self.before.decode(&mut self.bytes);
        if next.is_err() {
            (self.left, self.bytes) = (0, Bytes(&[]));
        }
        Some(next)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // A reading takes a byte at least, whatever the count claims.
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(self.bytes.0.len());
        (0, Some(most))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::point::Reason;
    use proptest::prelude::*;

    /// What a batch is after a trip to the disk, the device as its number.
    fn decode(body: &[u8]) -> Result<Vec<(u32, Batch)>, CodecError> {
        let mut batches = Vec::new();
        for section in sections(body)? {
            let section = section?;
            let readings = section.readings().collect::<Result<Vec<_>, _>>();
            let mut appended = Vec::new();
            assert_eq!(section.append(&mut appended).map(|()| appended), readings);
            let readings = readings?;
            let (first, last) = section.points();
            assert!(readings.iter().all(|reading| first <= reading.point && reading.point <= last));
            let batch = Batch {
                device: section.device.to_string().into(),
                source_at: section.source_at,
                received_at: section.received_at,
                at_error_ms: section.at_error_ms,
                readings,
            };
            batches.push((section.device, batch));
        }
        Ok(batches)
    }

    fn encode(batches: &[Batch]) -> Vec<u8> {
        let mut builder = RecordBuilder::default();
        for batch in batches {
            builder.push(batch, batch.device.parse().unwrap());
        }
        builder.finish().0
    }

    pub(crate) fn any_value() -> impl Strategy<Value = Option<Value>> {
        prop_oneof![
            Just(None),
            any::<bool>().prop_map(|on| Some(Value::Bool(on))),
            (any::<i64>(), -18_i8..=18).prop_map(|(m, e)| Decimal::new(m, e).ok().map(Value::Decimal)),
            (-1000_i64..1000, -2_i8..=0).prop_map(|(m, e)| Decimal::new(m, e).ok().map(Value::Decimal)),
            any::<f64>().prop_map(|number| Some(Value::F64(number))),
            any::<f32>().prop_map(|number| Some(Value::F64(f64::from(number)))),
            any::<u32>().prop_map(|id| Some(Value::Text(TextId(id)))),
        ]
    }

    pub(crate) fn any_quality() -> impl Strategy<Value = Quality> {
        prop_oneof![
            4 => Just(Quality::Good),
            1 => prop::sample::select((0..=u8::MAX).filter_map(Quality::from_byte).collect::<Vec<_>>()),
        ]
    }

    fn any_reading() -> impl Strategy<Value = Reading> {
        let at = prop_oneof![3 => Just(1_800_000_000_000), 1 => any::<i64>()];
        (prop_oneof![1_u32..20, any::<u32>()], at, any_value(), any_quality()).prop_map(
            |(point, at, value, quality)| Reading { point: PointId(point), at: UtcMs(at), value, quality },
        )
    }

    fn any_batch() -> impl Strategy<Value = Batch> {
        let parts = (
            any::<u32>(),
            proptest::option::of(any::<i64>().prop_map(UtcMs)),
            any::<i64>(),
            any::<u32>(),
            prop::collection::vec(any_reading(), 0..20),
        );
        parts.prop_map(|(device, source_at, received_at, at_error_ms, readings)| Batch {
            device: device.to_string().into(),
            source_at,
            received_at: UtcMs(received_at),
            at_error_ms,
            readings,
        })
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(batches in prop::collection::vec(any_batch(), 0..8)) {
            let back = decode(&encode(&batches)).unwrap();
            let back: Vec<_> = back.into_iter().map(|(_, batch)| batch).collect();
            prop_assert_eq!(back, batches);
        }

        #[test]
        fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(decode(&bytes).is_err());
        }

        /// Behind a right checksum anything may stand: a bug of another version, a lucky flip.
        #[test]
        fn random_content_behind_a_right_checksum_never_panics(
            mut bytes in prop::collection::vec(any::<u8>(), 0..300), count in 0_u8..4,
        ) {
            bytes.splice(0..0, [FORMAT, count]);
            bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
            if let Ok(batches) = decode(&bytes) {
                prop_assert_eq!(batches.len(), usize::from(count));
            }
        }

        #[test]
        fn a_cut_or_a_flip_is_detected(
            batches in prop::collection::vec(any_batch(), 1..4), cut in any::<prop::sample::Index>(), bit in 0_u8..8,
        ) {
            let body = encode(&batches);
            let at = cut.index(body.len());
            prop_assert!(decode(&body[..at]).is_err());
            let mut flipped = body;
            flipped[at] ^= 1 << bit;
            prop_assert_eq!(decode(&flipped), Err(CodecError::Checksum));
        }
    }

    #[test]
    fn a_polled_block_takes_about_four_bytes_a_reading() {
        let at = UtcMs(1_800_000_000_000);
        let reading = |n: u32| Reading {
            point: PointId(100 + n),
            at: at.plus_ms(-7),
            value: Decimal::new(i64::from(2_000 + n * 31), -1).ok().map(Value::Decimal),
            quality: Quality::Good,
        };
        let batch = Batch {
            device: "3".into(),
            source_at: None,
            received_at: at,
            at_error_ms: 7,
            readings: (0..100).map(reading).collect(),
        };
        let len = encode(&[batch]).len();
        assert!((300..=400).contains(&len), "{len}");
    }

    #[test]
    fn a_format_of_the_future_is_named() {
        let mut body = vec![9, 0];
        body.extend(crc32fast::hash(&body).to_le_bytes());
        assert_eq!(decode(&body), Err(CodecError::Format(9)));
    }

    /// The bytes of format 1, for ever.
    #[test]
    fn the_format_is_what_it_was() {
        let reading =
            |point, value, quality| Reading { point: PointId(point), at: UtcMs(1_000), value, quality };
        let number = Decimal::new(-1250, -2).unwrap();
        let batch = Batch {
            device: "3".into(),
            source_at: Some(UtcMs(990)),
            received_at: UtcMs(1_005),
            at_error_ms: 5,
            readings: vec![
                reading(7, Some(Value::Decimal(number)), Quality::Good),
                reading(8, Some(Value::F64(0.5)), Quality::Uncertain(Reason::Stale)),
                reading(10, None, Quality::Bad(Reason::Timeout)),
                reading(9, Some(Value::Text(TextId(300))), Quality::Good),
            ],
        };
        let expected = [
            0x01, 0x01, 0x1a, // format, one section of 26 bytes
            0x07, 0x03, 0x03, 0xda, 0x0f, 0x0b, 0x1d, 0x04, // points 7 to 10, device, times, 4 readings
            0x23, 0x09, 0xfe, 0xc3, 0x13, // next point, 5 ms earlier, exponent -2, -1250
            0x3d, 0x48, 0x00, 0x00, 0x00, 0x3f, // next point, same time, uncertain, 0.5 as a single
            0x18, 0x04, 0x81, // two points on, same time, bad
            0x16, 0x01, 0xac, 0x02, // a point back, same time, word 300
            0x1c, 0x85, 0xf2, 0x49, // checksum
        ];
        assert_eq!(encode(&[batch]), expected);
    }
}
