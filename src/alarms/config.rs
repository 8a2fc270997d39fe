//! Rules as the engine wants them: resolved to point numbers, limits worked out.

use crate::config::{Condition, Plan};
use crate::point::{Address, Catalogue, Decimal, Names, PointId, Unit, Value};
use std::cmp::Ordering;

/// The asset that stands for this program in its own alarms.
pub const SYSTEM_ASSET: &str = "plantroom";
/// The rule that says that readings did not reach the history.
pub const HISTORIAN_GAP: &str = "historian-gap";
/// The rule that says that the oldest readings are given up.
pub const HISTORY_SHED: &str = "history-shed";
/// `history-shed` returns when nothing more was given up for this long. Milliseconds.
pub const SHED_QUIET_MS: u64 = 86_400_000;
/// `historian-gap` returns when no further loss was told for this long. Milliseconds.
pub const GAP_QUIET_MS: u64 = 60_000;

/// One rule on one point, or one of the program's own.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its id.
    pub id: String,
    /// The asset it speaks of.
    pub asset: String,
    /// The point it watches; none for a system rule.
    pub point: Option<(PointId, Address)>,
    /// What makes it true.
    pub test: Test,
    /// How long that must hold. Milliseconds.
    pub on_delay_ms: u64,
    /// 1 urgent to 4 low.
    pub priority: u8,
    /// With the asset the key of the work order.
    pub failure_mode: String,
    /// Unit of value and limit.
    pub unit: Unit,
    /// What happened.
    pub message: Names,
    /// What to do.
    pub response: Names,
}

/// What makes a rule true.
#[derive(Clone, Copy, Debug)]
pub enum Test {
    /// Above the limit.
    High(Limit),
    /// Below the limit.
    Low(Limit),
    /// No usable value.
    NoData,
    /// Readings were lost to the history.
    Gap,
    /// The oldest readings are given up for want of room.
    Shed,
}

impl Test {
    /// How long no more must be told before the alarm returns, of what is told and not measured.
    /// Milliseconds.
    pub fn quiet_ms(self) -> Option<u64> {
        match self {
            Test::Gap => Some(GAP_QUIET_MS),
            Test::Shed => Some(SHED_QUIET_MS),
            Test::High(_) | Test::Low(_) | Test::NoData => None,
        }
    }
}

/// Where an alarm comes and where it goes.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// Beyond this the condition is true.
    pub limit: Level,
    /// At this or beyond on the good side an active alarm returns: the limit less the deadband.
    pub clear: Level,
}

/// A number to compare with: exact, and its nearest float for values that are floats.
#[derive(Clone, Copy, Debug)]
pub struct Level {
    exact: Decimal,
    float: f64,
}

impl Level {
    fn new(exact: Decimal) -> Level {
        Level { exact, float: exact.to_f64() }
    }

    /// The number as the configuration spells it.
    pub fn exact(self) -> Decimal {
        self.exact
    }

    /// How `value` compares with it; none for NaN and for words.
    pub fn compare(self, value: Value) -> Option<Ordering> {
        match value {
            Value::Decimal(decimal) => Some(decimal.cmp(&self.exact)),
            Value::Bool(on) => Some(Decimal::from_int(i64::from(on)).cmp(&self.exact)),
            Value::F64(float) => float.partial_cmp(&self.float),
            Value::Text(_) => None,
        }
    }
}

/// Why a rule cannot be watched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Its point has no number.
    #[error("the rule {rule:?} watches {point}, which is not in the catalogue")]
    UnknownPoint {
        /// The rule.
        rule: String,
        /// The point.
        point: Address,
    },
    /// Limit and deadband do not make a number.
    #[error("the limit of the rule {0:?} less its deadband is outside the range of a decimal")]
    Deadband(String),
}

impl Limit {
    /// For values above: returns at `limit - deadband`.
    pub fn high(limit: Decimal, deadband: Decimal) -> Option<Limit> {
        let clear = limit.checked_sub(deadband).ok()?;
        Some(Limit { limit: Level::new(limit), clear: Level::new(clear) })
    }

    /// For values below: returns at `limit + deadband`.
    pub fn low(limit: Decimal, deadband: Decimal) -> Option<Limit> {
        let clear = limit.checked_add(deadband).ok()?;
        Some(Limit { limit: Level::new(limit), clear: Level::new(clear) })
    }
}

impl Rule {
    /// What tells its alarms from all others: rule and point. Also the owner of its timers.
    pub fn key(&self) -> String {
        key(&self.id, self.point.as_ref().map(|(_, address)| address.to_string()).as_deref())
    }

    /// The limit as it is written into an alarm.
    pub fn limit(&self) -> Option<Decimal> {
        match self.test {
            Test::High(limit) | Test::Low(limit) => Some(limit.limit.exact()),
            Test::NoData | Test::Gap | Test::Shed => None,
        }
    }
}

/// [`Rule::key`] from its parts. A name holds no space, so two rules never share one.
pub(super) fn key(rule: &str, point: Option<&str>) -> String {
    point.map_or_else(|| rule.to_owned(), |point| format!("{rule} {point}"))
}

/// The rules of a plan, and the program's own.
pub fn rules(plan: &Plan, catalogue: &Catalogue) -> Result<Vec<Rule>, RuleError> {
    let configured = plan.rules.iter().map(|rule| {
        let unknown = || RuleError::UnknownPoint { rule: rule.id.to_string(), point: rule.point.clone() };
        let id = catalogue.find(&rule.point).ok_or_else(unknown)?;
        let unit = catalogue.get(id).map(|entry| entry.unit).ok_or_else(unknown)?;
        Ok(Rule {
            id: rule.id.to_string(),
            asset: rule.point.asset.to_string(),
            point: Some((id, rule.point.clone())),
            test: test(rule.condition).ok_or_else(|| RuleError::Deadband(rule.id.to_string()))?,
            on_delay_ms: rule.on_delay_ms,
            priority: rule.priority,
            failure_mode: rule.failure_mode.to_string(),
            unit,
            message: rule.message.clone(),
            response: rule.response.clone(),
        })
    });
    configured.chain([Ok(historian_gap()), Ok(history_shed())]).collect()
}

fn test(condition: Condition) -> Option<Test> {
    Some(match condition {
        Condition::High { limit, deadband } => Test::High(Limit::high(limit, deadband)?),
        Condition::Low { limit, deadband } => Test::Low(Limit::low(limit, deadband)?),
        Condition::NoData => Test::NoData,
    })
}

/// Readings were lost to the history: priority 1, because nobody can look back at what happened.
pub(super) fn historian_gap() -> Rule {
    Rule {
        id: HISTORIAN_GAP.to_owned(),
        asset: SYSTEM_ASSET.to_owned(),
        point: None,
        test: Test::Gap,
        on_delay_ms: 0,
        priority: 1,
        failure_mode: "history-lost".to_owned(),
        unit: Unit::ONE,
        message: Names {
            zh: "历史库未能保存读数".to_owned(),
            en: "Readings did not reach the history".to_owned(),
        },
        response: Names {
            zh: "1. 检查数据盘的剩余空间和健康状况。2. 查看日志。报警和现场显示仍在工作。".to_owned(),
            en: "1. Check free space and health of the data disk. 2. Read the log. Alarms and live values go on."
                .to_owned(),
        },
    }
}

/// The oldest readings go before their time: priority 3, because what happens now is kept. Its value
/// is how many days back readings still reach.
pub(super) fn history_shed() -> Rule {
    Rule {
        id: HISTORY_SHED.to_owned(),
        asset: SYSTEM_ASSET.to_owned(),
        point: None,
        test: Test::Shed,
        on_delay_ms: 0,
        priority: 3,
        failure_mode: "history-shed".to_owned(),
        unit: "d".parse().unwrap_or(Unit::ONE),
        message: Names {
            zh: "历史库空间不足,最早的读数正被删除;数值为仍可查到的天数".to_owned(),
            en: "The history has no room: its oldest readings are given up; the value is how many days back it still reaches".to_owned(),
        },
        response: Names {
            zh: "1. 检查数据盘的剩余空间。2. 增大 [history] 的 limit,或缩短高频点的 keep。".to_owned(),
            en: "1. Check free space on the data disk. 2. Raise `limit` of [history], or shorten `keep` of what is read often."
                .to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::point::{Declared, ValueKind};

    fn plan(condition: Condition) -> Plan {
        let name = |text: &str| text.parse().unwrap();
        Plan {
            site: config::Site { id: name("demo"), name: Names::default(), zone: jiff::tz::TimeZone::UTC },
            http: config::Http { listen: ([127, 0, 0, 1], 0).into() },
            history: config::History::default(),
            assets: Vec::new(),
            feeds: Vec::new(),
            points: Vec::new(),
            buses: Vec::new(),
            brokers: Vec::new(),
            derived: Vec::new(),
            targets: Vec::new(),
            rules: vec![config::Rule {
                id: name("oxygen-low"),
                point: "manifold/pressure".parse().unwrap(),
                condition,
                on_delay_ms: 5_000,
                priority: 1,
                failure_mode: name("low-pressure"),
                message: Names::default(),
                response: Names::default(),
            }],
            meters: Vec::new(),
            tariffs: Vec::new(),
        }
    }

    fn catalogue() -> Catalogue {
        let mut catalogue = Catalogue::default();
        catalogue.declare(&[Declared {
            address: "manifold/pressure".parse().unwrap(),
            formerly: Vec::new(),
            unit: "MPa{gauge}".parse().unwrap(),
            kind: ValueKind::Decimal,
        }]);
        catalogue
    }

    #[test]
    fn a_plan_gives_its_rules_and_the_programs_own() {
        let low = Condition::Low { limit: "0.34".parse().unwrap(), deadband: "0.004".parse().unwrap() };
        let resolved = rules(&plan(low), &catalogue()).unwrap();
        let keys: Vec<_> = resolved.iter().map(Rule::key).collect();
        assert_eq!(keys, ["oxygen-low manifold/pressure", "historian-gap", "history-shed"]);
        let Test::Low(limit) = resolved[0].test else { panic!("{:?}", resolved[0]) };
        assert_eq!(
            (limit.limit.exact().to_string(), limit.clear.exact().to_string()),
            ("0.34".into(), "0.344".into())
        );
        assert_eq!(
            (resolved[0].asset.as_str(), resolved[0].unit.to_string().as_str()),
            ("manifold", "MPa{gauge}")
        );
    }

    #[test]
    fn a_rule_that_cannot_be_watched_is_named() {
        let unknown = rules(&plan(Condition::NoData), &Catalogue::default()).unwrap_err();
        assert_eq!(
            unknown.to_string(),
            "the rule \"oxygen-low\" watches manifold/pressure, which is not in the catalogue"
        );
        let wide = Condition::High { limit: "1e18".parse().unwrap(), deadband: "1e-18".parse().unwrap() };
        assert_eq!(rules(&plan(wide), &catalogue()).unwrap_err(), RuleError::Deadband("oxygen-low".into()));
    }
}
