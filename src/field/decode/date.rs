//! Dates and times, packed in registers.

use super::bytes::{Pattern, register};
use super::exact;
use crate::config::{DateLayout, Encoding, Order};
use crate::field::Fault;
use crate::point::Decimal;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Seconds since 1970 UTC; with thousandths for IEC 870-5-4, which has them.
///
/// The device shows civil time of `zone`. Where a clock change makes a time ambiguous the earlier
/// moment counts, and one that was skipped is read as if the clock had not been put forward
/// ("compatible", as RFC 5545 has it).
///
/// All zeros or all ones is a clock that was never set: [`Fault::NotAvailable`]. Any other
/// impossible date is [`Fault::Decoding`].
pub fn read(words: &[u16], layout: DateLayout, order: Order, zone: &TimeZone) -> Result<Decimal, Fault> {
    if [0, u16::MAX].iter().any(|unset| words.iter().all(|word| word == unset)) {
        return Err(Fault::NotAvailable);
    }
    let word = |index| register(words, order, index);
    let civil = match layout {
        DateLayout::Unix => {
            let seconds = Pattern::of(words, Encoding::U32, order)?.unsigned();
            return exact(seconds).map(Decimal::from_int);
        }
        DateLayout::Bytes => six_bytes([word(0)?, word(1)?, word(2)?], Ok)?,
        DateLayout::Bcd => six_bytes([word(0)?, word(1)?, word(2)?], two_digits)?,
        DateLayout::Words => Civil {
            year: year(word(0)?)?,
            month: word(1)?,
            day: word(2)?,
            hour: word(3)?,
            minute: word(4)?,
            ms: u32::from(word(5)?) * 1_000,
        },
        DateLayout::Iec870 => {
            let ms = iec870([word(0)?, word(1)?, word(2)?, word(3)?])?.moment_ms(zone)?;
            return Decimal::new(ms, -3).map_err(|_| Fault::Decoding);
        }
    };
    // Whole seconds: every offset of the zone database is.
    Ok(Decimal::from_int(civil.moment_ms(zone)? / 1_000))
}

/// A civil time as a device shows it, not yet known to exist.
struct Civil {
    year: u16,
    month: u16,
    day: u16,
    hour: u16,
    minute: u16,
    /// Milliseconds of the minute.
    ms: u32,
}

impl Civil {
    /// Milliseconds since 1970 UTC.
    fn moment_ms(&self, zone: &TimeZone) -> Result<i64, Fault> {
        let small = |part: u16| i8::try_from(part).map_err(|_| Fault::Decoding);
        let year = i16::try_from(self.year).map_err(|_| Fault::Decoding)?;
        let second = i8::try_from(self.ms / 1_000).map_err(|_| Fault::Decoding)?;
        let nanosecond = i32::try_from(self.ms % 1_000 * 1_000_000).map_err(|_| Fault::Decoding)?;
        let (month, day) = (small(self.month)?, small(self.day)?);
        let (hour, minute) = (small(self.hour)?, small(self.minute)?);
        let civil = DateTime::new(year, month, day, hour, minute, second, nanosecond);
        let moment = civil.and_then(|civil| zone.to_timestamp(civil)).map_err(|_| Fault::Decoding)?;
        Ok(moment.as_millisecond())
    }
}

/// Year, month, day, hour, minute, second, one byte each, as `part` reads a byte.
fn six_bytes(words: [u16; 3], part: fn(u8) -> Result<u8, Fault>) -> Result<Civil, Fault> {
    let [[year, month], [day, hour], [minute, second]] = words.map(u16::to_be_bytes);
    let part = |byte: u8| part(byte).map(u16::from);
    Ok(Civil {
        year: of_the_century(part(year)?)?,
        month: part(month)?,
        day: part(day)?,
        hour: part(hour)?,
        minute: part(minute)?,
        ms: u32::from(part(second)?) * 1_000,
    })
}

/// Schneider Electric, EM3100/EM3200/EM3300/EM3400/EM3700 user manual, "Unit table", DATETIME:
/// word 1 bits 6..0 the year from 2000; word 2 bits 11..8 the month, 7..5 the day of the week,
/// 4..0 the day; word 3 bit 15 SU (summer time), 12..8 the hour, bit 7 iV (validity), 5..0 the
/// minute; word 4 milliseconds of the minute, 0 to 59,999. The other bits are reserved.
///
/// iV follows IEC 60870-5-4: 1 is invalid, and meters that do not use it write 0. SU is not
/// looked at: 0 also means that the meter does not use it.
fn iec870([year, date, time, ms]: [u16; 4]) -> Result<Civil, Fault> {
    if time & 0x80 != 0 {
        return Err(Fault::NotAvailable);
    }
    Ok(Civil {
        year: of_the_century(year & 0x7F)?,
        month: date >> 8 & 0x0F,
        day: date & 0x1F,
        hour: time >> 8 & 0x1F,
        minute: time & 0x3F,
        ms: u32::from(ms),
    })
}

/// A byte of binary-coded decimal.
fn two_digits(byte: u8) -> Result<u8, Fault> {
    let (tens, ones) = (byte >> 4, byte & 0x0F);
    if tens > 9 || ones > 9 { Err(Fault::Decoding) } else { Ok(10 * tens + ones) }
}

/// 2000 to 2099.
fn of_the_century(year: u16) -> Result<u16, Fault> {
    if year < 100 { Ok(2_000 + year) } else { Err(Fault::Decoding) }
}

/// A year in a register of its own: devices write it in full or of the century.
fn year(year: u16) -> Result<u16, Fault> {
    if (1_970..2_100).contains(&year) { Ok(year) } else { of_the_century(year) }
}
