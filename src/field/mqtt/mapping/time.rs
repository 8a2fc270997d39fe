//! Times as senders write them.

use super::unreadable::Unreadable;
use crate::config::TimeFormat;
use crate::point::{Decimal, UtcMs};
use jiff::Timestamp;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;

/// The moment a text means; parts of a millisecond are cut off.
///
/// A civil time that does not say its zone is one of `zone`. Where a clock change makes it ambiguous
/// the earlier moment counts, and one that was skipped is read as if the clock had not been put
/// forward ("compatible", as RFC 5545 has it).
pub fn read(text: &str, format: &TimeFormat, zone: &TimeZone) -> Result<UtcMs, Unreadable> {
    let text = text.trim();
    let moment = match format {
        TimeFormat::Seconds => epoch(text, 3),
        TimeFormat::Millis => epoch(text, 0),
        TimeFormat::Micros => epoch(text, -3),
        TimeFormat::Nanos => epoch(text, -6),
        TimeFormat::Rfc3339 => text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond),
        TimeFormat::Strptime(format) => civil(text, format, zone),
    };
    moment.map(UtcMs).ok_or(Unreadable::BadTime)
}

/// Counts since 1970 of 10^-3 seconds, shifted by `digits`.
fn epoch(text: &str, digits: i32) -> Option<i64> {
    let number: Decimal = text.parse().ok()?;
    let exponent = i32::from(number.exponent()) + digits;
    let power = 10_i128.checked_pow(exponent.unsigned_abs())?;
    let mantissa = i128::from(number.mantissa());
    let ms = if exponent < 0 { mantissa.div_euclid(power) } else { mantissa.checked_mul(power)? };
    // What jiff cannot hold is no year anyone means.
    let ms = i64::try_from(ms).ok()?;
    Timestamp::from_millisecond(ms).ok().map(|_| ms)
}

fn civil(text: &str, format: &str, zone: &TimeZone) -> Option<i64> {
    let parsed = BrokenDownTime::parse(format, text).ok()?;
    let moment = match parsed.to_timestamp() {
        Ok(moment) => moment,
        Err(_) => zone.to_timestamp(parsed.to_datetime().ok()?).ok()?,
    };
    Some(moment.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TimeFormat::{Micros, Millis, Nanos, Rfc3339, Seconds, Strptime};

    #[test]
    fn one_moment_in_every_spelling() {
        let shanghai = TimeZone::get("Asia/Shanghai").unwrap();
        let strptime = |format: &str| Strptime(format.to_owned());
        for (text, format) in [
            ("1594270830", Seconds),
            ("1594270830.0009", Seconds),
            ("1594270830000", Millis),
            ("1594270830000999", Micros),
            ("1594270830000999999", Nanos),
            ("2020-07-09T05:00:30Z", Rfc3339),
            ("2020-07-09T13:00:30.0005+08:00", Rfc3339),
            ("20200709130030", strptime("%Y%m%d%H%M%S")),
            (" 2020-07-09 13:00:30 ", strptime("%Y-%m-%d %H:%M:%S")),
            ("09/07/2020 07:00:30 +0200", strptime("%d/%m/%Y %H:%M:%S %z")),
            ("2020年07月09日13时00分30秒", strptime("%Y年%m月%d日%H时%M分%S秒")),
        ] {
            assert_eq!(read(text, &format, &shanghai), Ok(UtcMs(1_594_270_830_000)), "{text}");
        }
        assert_eq!(read("-1.5", &Millis, &shanghai), Ok(UtcMs(-2)), "cut off downwards");
    }

    #[test]
    fn civil_times_follow_the_clock_changes_of_their_zone() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let format = Strptime("%Y-%m-%d %H:%M".to_owned());
        for (text, utc) in [
            ("2026-10-25 02:30", "2026-10-25T00:30:00Z"), // there twice: the earlier one
            ("2026-03-29 02:30", "2026-03-29T01:30:00Z"), // never there: as if not put forward
        ] {
            let utc: Timestamp = utc.parse().unwrap();
            assert_eq!(read(text, &format, &berlin), Ok(UtcMs(utc.as_millisecond())), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for (text, format) in [
            ("", Seconds),
            ("now", Seconds),
            ("1e18", Seconds),
            ("99999999999999999", Millis),
            ("2020-07-09T05:00:30", Rfc3339),
            ("2020-13-09T05:00:30Z", Rfc3339),
            ("2020070913", Strptime("%Y%m%d%H%M%S".to_owned())),
            ("2020-02-30 00:00", Strptime("%Y-%m-%d %H:%M".to_owned())),
            ("12:00", Strptime("%H:%M".to_owned())),
        ] {
            assert_eq!(read(text, &format, &TimeZone::UTC), Err(Unreadable::BadTime), "{text}");
        }
    }
}
