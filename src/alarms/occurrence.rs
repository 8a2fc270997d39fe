//! One occurrence of an alarm: from its onset until it is clear and seen.

use super::config::Rule;
use super::engine::Cause;
use super::scope::Scope;
use super::state::StateBits;
use crate::db::document;
use crate::point::{Names, UtcMs, Value};
use serde::{Deserialize, Serialize};

/// An occurrence as the journal, the events and the pages have it. Serialised it is the body of
/// the events `alarm.raised`, `alarm.returned` and `alarm.acknowledged`: times as integer
/// milliseconds, numbers as decimal texts (exact), the ISA letter beside the bits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Body", into = "Body")]
pub struct Occurrence {
    /// Its number; never reused.
    pub id: i64,
    /// The rule.
    pub rule: String,
    /// The asset the rule speaks of.
    pub asset: String,
    /// The point's address; none for the program's own alarms.
    pub point: Option<String>,
    /// 1 urgent to 4 low.
    pub priority: u8,
    /// With the asset the key of the work order.
    pub failure_mode: String,
    /// Where it stands.
    pub state: StateBits,
    /// The onset. Coming back before it was seen does not make it later.
    pub raised_at: UtcMs,
    /// The last return; none while it is active.
    pub cleared_at: Option<UtcMs>,
    /// When it was seen.
    pub acked_at: Option<UtcMs>,
    /// By whom.
    pub acked_by: Option<String>,
    /// The value that raised it last, as a decimal number.
    pub value: Option<String>,
    /// The limit then, as a decimal number.
    pub limit: Option<String>,
    /// Unit of both: the configuration's spelling.
    pub unit: String,
    /// What happened.
    pub message: Names,
    /// What to do.
    pub response: Names,
    /// Counts its changes, from 1.
    pub version: u32,
}

impl Occurrence {
    /// A new one, active and unseen.
    pub(super) fn new(id: i64, rule: &Rule, cause: Cause, at: UtcMs) -> Occurrence {
        let mut occurrence = Occurrence {
            id,
            rule: rule.id.clone(),
            asset: rule.asset.clone(),
            point: rule.point.as_ref().map(|(_, address)| address.to_string()),
            priority: rule.priority,
            failure_mode: rule.failure_mode.clone(),
            state: StateBits::default(),
            raised_at: at,
            cleared_at: None,
            acked_at: None,
            acked_by: None,
            value: None,
            limit: None,
            unit: rule.unit.to_string(),
            message: rule.message.clone(),
            response: rule.response.clone(),
            version: 0,
        };
        occurrence.raise(rule, cause);
        occurrence
    }

    /// The condition holds (again).
    pub(super) fn raise(&mut self, rule: &Rule, cause: Cause) {
        self.state.active = true;
        self.cleared_at = None;
        self.value = cause.value.and_then(number);
        self.limit = rule.limit().map(|limit| limit.to_string());
        self.version += 1;
    }

    /// The condition holds no more.
    pub(super) fn clear(&mut self, at: UtcMs) {
        self.state.active = false;
        self.cleared_at = Some(at);
        self.version += 1;
    }

    /// A person has seen it.
    pub(super) fn acknowledge(&mut self, by: &str, at: UtcMs) {
        self.state.acked = true;
        self.acked_at = Some(at);
        self.acked_by = Some(by.to_owned());
        self.version += 1;
    }

    /// Whether it is asked for: its condition held within the scope.
    pub fn is_in(&self, scope: &Scope) -> bool {
        scope.holds(&self.asset, self.raised_at, self.cleared_at)
    }

    /// How events and audit name it.
    pub fn subject(&self) -> String {
        subject(self.id)
    }
}

/// How events and audit name the alarm `id`.
pub(super) fn subject(id: i64) -> String {
    format!("alarm:{id}")
}

fn number(value: Value) -> Option<String> {
    match value {
        Value::Bool(on) => Some(u8::from(on).to_string()),
        Value::Decimal(decimal) => Some(decimal.to_string()),
        Value::F64(float) => Some(float.to_string()),
        Value::Text(_) => None,
    }
}

/// [`Occurrence`] as a document.
#[derive(Serialize, Deserialize)]
struct Body {
    id: i64,
    rule: String,
    asset: String,
    point: Option<String>,
    priority: u8,
    failure_mode: String,
    /// The ISA letter, for who reads the log without knowing the bits. Derived, so not read back.
    #[serde(skip_deserializing)]
    state: char,
    #[serde(flatten)]
    bits: StateBits,
    #[serde(with = "document::utc_ms")]
    raised_at: UtcMs,
    #[serde(with = "document::utc_ms_option")]
    cleared_at: Option<UtcMs>,
    #[serde(with = "document::utc_ms_option")]
    acked_at: Option<UtcMs>,
    acked_by: Option<String>,
    value: Option<String>,
    limit: Option<String>,
    unit: String,
    #[serde(with = "document::names")]
    message: Names,
    #[serde(with = "document::names")]
    response: Names,
    version: u32,
}

impl From<Occurrence> for Body {
    fn from(alarm: Occurrence) -> Body {
        Body {
            id: alarm.id,
            rule: alarm.rule,
            asset: alarm.asset,
            point: alarm.point,
            priority: alarm.priority,
            failure_mode: alarm.failure_mode,
            state: alarm.state.isa_letter(),
            bits: alarm.state,
            raised_at: alarm.raised_at,
            cleared_at: alarm.cleared_at,
            acked_at: alarm.acked_at,
            acked_by: alarm.acked_by,
            value: alarm.value,
            limit: alarm.limit,
            unit: alarm.unit,
            message: alarm.message,
            response: alarm.response,
            version: alarm.version,
        }
    }
}

impl From<Body> for Occurrence {
    fn from(body: Body) -> Occurrence {
        Occurrence {
            id: body.id,
            rule: body.rule,
            asset: body.asset,
            point: body.point,
            priority: body.priority,
            failure_mode: body.failure_mode,
            state: body.bits,
            raised_at: body.raised_at,
            cleared_at: body.cleared_at,
            acked_at: body.acked_at,
            acked_by: body.acked_by,
            value: body.value,
            limit: body.limit,
            unit: body.unit,
            message: body.message,
            response: body.response,
            version: body.version,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::historian_gap;
    use super::*;
    use crate::point::{Decimal, Quality};
    use serde_json::json;

    #[test]
    fn the_body_of_an_event_says_the_letter_and_reads_back() {
        let cause = Cause { value: Some(Value::Decimal(Decimal::from_int(3))), quality: Quality::Good };
        let mut alarm = Occurrence::new(17, &historian_gap(), cause, UtcMs(5));
        alarm.clear(UtcMs(9));
        let body = serde_json::to_value(&alarm).unwrap();
        for (field, value) in [
            ("id", json!(17)),
            ("state", json!("D")),
            ("active", json!(false)),
            ("raised_at", json!(5)),
            ("cleared_at", json!(9)),
            ("value", json!("3")),
            ("point", json!(null)),
            ("message", json!({"zh": "历史库未能保存读数", "en": "Readings did not reach the history"})),
        ] {
            assert_eq!(body[field], value, "{field}");
        }
        assert_eq!(serde_json::from_value::<Occurrence>(body).unwrap(), alarm);
    }

    #[test]
    fn a_value_keeps_its_digits() {
        let decimal: Decimal = "12.50".parse().unwrap();
        assert_eq!(number(Value::Decimal(decimal)).as_deref(), Some("12.50"));
        assert_eq!(number(Value::F64(0.1)).as_deref(), Some("0.1"));
        assert_eq!(number(Value::Bool(true)).as_deref(), Some("1"));
    }
}
