//! What an engine's answer to a request means. Pure.
//!
//! | answer | meaning |
//! |---|---|
//! | 2xx | delivered (an engine that answers before it has written is trusted all the same) |
//! | 413 | too much at once: halve |
//! | 400, 406, 422; 500 with `partial write` or `field type conflict` | some line is wrong |
//! | 429, other 5xx, 408, no answer | later again, when the answer says or by backoff |
//! | every other status (401, 403, 404, redirects ...) | the request itself is wrong: hold, and say so |
//!
//! Nothing here ever gives a batch up: only single lines can be rejected.

use crate::point::UtcMs;
use serde::Deserialize;
use std::time::Duration;

/// Longest wait an answer may ask for: telegraf's own cap, 10 min.
pub const RETRY_AFTER_MAX: Duration = Duration::from_mins(10);
/// Most characters of a reason that are kept.
pub const REASON_CHARS_MAX: usize = 300;

/// What to do after a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All lines are delivered.
    Accepted,
    /// The same request again: after this time, or by backoff.
    Retry {
        /// What the engine asked for.
        after: Option<Duration>,
        /// Why, for the log.
        reason: String,
    },
    /// Half as many lines at once; a single line that is too much is rejected.
    Split {
        /// Why, for the dead letter.
        reason: String,
    },
    /// Some lines are wrong.
    Rejected(Rejected),
    /// No request will succeed until a person has done something. Nothing is dropped.
    Hold {
        /// What is wrong, for a person.
        reason: String,
    },
}

/// Which lines of a request are wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// The answer does not say. `dropped` is how many, where it says that. Sending good lines
    /// again is harmless: same series, same time, same value.
    Unnamed {
        /// How many lines were not written.
        dropped: Option<usize>,
        /// Why.
        reason: String,
    },
    /// These, counted from 0, each with its reason.
    Named {
        /// Line and reason.
        lines: Vec<(usize, String)>,
        /// Whether the other lines were written.
        rest_written: bool,
    },
}

/// Reads an answer. `retry_after` is the header's text; `now` is what a date in it is compared to.
pub fn judge(status: u16, retry_after: Option<&str>, body: &str, now: UtcMs) -> Outcome {
    let reason = || format!("{status} {}", shorten(body));
    let about_lines = body.contains("partial write") || body.contains("field type conflict");
    match status {
        200..=299 => Outcome::Accepted,
        413 => Outcome::Split { reason: reason() },
        400 | 406 | 422 => Outcome::Rejected(rejected(body, reason())),
        500 if about_lines => Outcome::Rejected(rejected(body, reason())),
        408 | 429 | 500..=599 => {
            Outcome::Retry { after: retry_after.and_then(|text| delay(text, now)), reason: reason() }
        }
        _ => Outcome::Hold { reason: reason() },
    }
}

/// `Retry-After` in seconds or as an HTTP date (RFC 9110, 10.2.3).
fn delay(text: &str, now: UtcMs) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?;
    let wait = date.timestamp().as_millisecond().saturating_sub(now.0);
    Some(Duration::from_millis(u64::try_from(wait).unwrap_or(0)).min(RETRY_AFTER_MAX))
}

/// The body of InfluxDB 3: which lines, by number.
#[derive(Deserialize)]
struct NamedBody {
    #[serde(default)]
    error: String,
    data: NamedData,
}

/// A list where the rest was written, one where nothing was.
#[derive(Deserialize)]
#[serde(untagged)]
enum NamedData {
    Many(Vec<NamedLine>),
    One(NamedLine),
}

#[derive(Deserialize)]
struct NamedLine {
    line_number: usize,
    #[serde(default)]
    error_message: String,
}

fn rejected(body: &str, reason: String) -> Rejected {
    if let Ok(named) = serde_json::from_str::<NamedBody>(body) {
        let lines = match named.data {
            NamedData::Many(lines) => lines,
            NamedData::One(line) => vec![line],
        };
        let numbered = lines
            .into_iter()
            .filter_map(|line| Some((line.line_number.checked_sub(1)?, shorten(&line.error_message))));
        let lines: Vec<_> = numbered.collect();
        if !lines.is_empty() {
            return Rejected::Named { lines, rest_written: named.error.contains("partial write") };
        }
    }
    Rejected::Unnamed { dropped: dropped(body), reason }
}

/// `... dropped=2` of InfluxDB 1.x and 2.
fn dropped(body: &str) -> Option<usize> {
    let (_, behind) = body.rsplit_once("dropped=")?;
    let digits: String = behind.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn shorten(text: &str) -> String {
    let visible = text.chars().map(|character| if character.is_control() { ' ' } else { character });
    visible.take(REASON_CHARS_MAX).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22 08:00:00 UTC.
    const NOW: UtcMs = UtcMs(1_795_334_400_000);

    fn unnamed(dropped: Option<usize>, reason: &str) -> Outcome {
        Outcome::Rejected(Rejected::Unnamed { dropped, reason: reason.to_owned() })
    }

    #[test]
    fn every_status_has_its_class() {
        for status in [200, 201, 202, 204] {
            assert_eq!(judge(status, None, "", NOW), Outcome::Accepted);
        }
        for status in [408, 429, 500, 502, 503, 504, 507, 599] {
            assert!(matches!(judge(status, None, "", NOW), Outcome::Retry { after: None, .. }), "{status}");
        }
        for status in [301, 302, 307, 401, 403, 404, 405, 410, 411, 415] {
            assert!(matches!(judge(status, None, "", NOW), Outcome::Hold { .. }), "{status}");
        }
        for status in [400, 406, 422] {
            assert!(matches!(judge(status, None, "", NOW), Outcome::Rejected(_)), "{status}");
        }
        assert_eq!(judge(413, None, "too large", NOW), Outcome::Split { reason: "413 too large".into() });
    }

    #[test]
    fn retry_after_comes_as_seconds_or_as_a_date() {
        let table = [
            ("0", Some(0)),
            (" 7 ", Some(7)),
            ("100000", Some(600)),
            ("Sun, 22 Nov 2026 08:00:30 GMT", Some(30)),
            ("Sun, 22 Nov 2026 07:00:00 GMT", Some(0)),
            ("Mon, 23 Nov 2026 08:00:00 GMT", Some(600)),
            ("-1", None),
            ("soon", None),
        ];
        for (text, seconds) in table {
            let expected = seconds.map(Duration::from_secs);
            for status in [429, 503] {
                let outcome = judge(status, Some(text), "", NOW);
                assert!(
                    matches!(outcome, Outcome::Retry { after, .. } if after == expected),
                    "{text:?}: {outcome:?}"
                );
            }
        }
    }

    #[test]
    fn bodies_of_the_three_generations_are_understood() {
        // 1.x, as 1.6.7 answers.
        let body = r#"{"error":"partial write: field type conflict: input field \"v\" on measurement \"m\" is type string, already exists as type float dropped=1"}"#;
        assert_eq!(judge(400, None, body, NOW), unnamed(Some(1), &format!("400 {body}")));
        let body = r#"{"error":"unable to parse 'm v=x': invalid boolean"}"#;
        assert_eq!(judge(400, None, body, NOW), unnamed(None, &format!("400 {body}")));
        // 2.
        let body = r#"{"code":"unprocessable entity","message":"failure writing points to database: partial write: points beyond retention policy dropped=12"}"#;
        assert_eq!(judge(422, None, body, NOW), unnamed(Some(12), &format!("422 {body}")));
        let body = r#"{"code":"invalid","message":"unable to parse 'm': missing fields","line":3}"#;
        assert_eq!(judge(400, None, body, NOW), unnamed(None, &format!("400 {body}")));
        // 3, with and without partial writes.
        let body = r#"{"error":"partial write of line protocol occurred","data":[{"original_line":"m v=x","line_number":2,"error_message":"invalid column type"},{"original_line":"n","line_number":5,"error_message":"no fields"}]}"#;
        let lines = vec![(1, "invalid column type".to_owned()), (4, "no fields".to_owned())];
        assert_eq!(
            judge(400, None, body, NOW),
            Outcome::Rejected(Rejected::Named { lines, rest_written: true })
        );
        let body = r#"{"error":"parsing failed for write_lp endpoint","data":{"original_line":"n","line_number":1,"error_message":"no fields"}}"#;
        let lines = vec![(0, "no fields".to_owned())];
        assert_eq!(
            judge(400, None, body, NOW),
            Outcome::Rejected(Rejected::Named { lines, rest_written: false })
        );
    }

    #[test]
    fn a_500_that_speaks_of_lines_is_no_outage() {
        let conflict = judge(500, None, "partial write: field type conflict dropped=3", NOW);
        assert!(matches!(conflict, Outcome::Rejected(Rejected::Unnamed { dropped: Some(3), .. })));
        assert!(matches!(judge(500, None, "timeout", NOW), Outcome::Retry { .. }));
        assert!(matches!(judge(503, None, "partial write", NOW), Outcome::Retry { .. }));
    }

    #[test]
    fn a_reason_is_short_and_on_one_line() {
        let Outcome::Hold { reason } = judge(404, None, &"a\n".repeat(1_000), NOW) else { panic!() };
        assert!(reason.chars().count() <= REASON_CHARS_MAX + 4 && !reason.contains('\n'));
    }
}
