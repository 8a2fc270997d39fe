//! Why an outcome is what it is, in words for a page, in both languages.

use super::eval::{Decided, Inputs};
use super::formula::{Formula, Site};
use super::number::Number;
use crate::point::{Names, Quality, Reading, Reason, UtcMs, Value};

/// Most sentences of one explanation; a person reads no more.
pub const REASONS_MAX: usize = 8;

impl Formula {
    /// What decided an outcome, or made it unknown: a sentence for each point, window or part of
    /// the text, at most [`REASONS_MAX`]. To be asked with the time and the inputs of the
    /// evaluation.
    pub fn explain(&self, decided: Decided, now: UtcMs, inputs: &dyn Inputs) -> Vec<Names> {
        let sites = self.sites.iter().enumerate().filter(|(site, _)| decided.has(*site));
        sites.filter_map(|(_, site)| self.sentence(site, now, inputs)).take(REASONS_MAX).collect()
    }

    fn sentence(&self, site: &Site, now: UtcMs, inputs: &dyn Inputs) -> Option<Names> {
        let at = |span: &super::Span, zh: &str, en: &str| {
            let part = span.of(&self.source).trim();
            Some(Names { zh: format!("{part}:{zh}"), en: format!("{part}: {en}") })
        };
        match site {
            Site::Reading(input) => self.reading(*input, now, inputs),
            Site::Window(window) => self.window(*window, inputs),
            Site::Division(span) => at(span, "除数为零", "division by zero"),
            Site::Domain(span) => at(span, "超出公式的适用范围", "outside the range of the formula"),
            Site::Overflow(span) => at(span, "数值过大", "the number is too large"),
            Site::Written(span) => at(span, "表达式中写明为未知", "written as unknown"),
        }
    }

    fn reading(&self, input: usize, now: UtcMs, inputs: &dyn Inputs) -> Option<Names> {
        let input = self.inputs.get(input)?;
        let address = &input.address;
        let Some(reading) = inputs.reading(input.facts.point) else {
            return Some(Names {
                zh: format!("{address}:尚无读数"),
                en: format!("{address}: no reading yet"),
            });
        };
        let value = value(&reading, input.facts.unit.symbol(), inputs);
        let age = now.since_ms(reading.at).max(0) / 1_000;
        let state = input.facts.states.iter().find(|state| {
            reading
                .value
                .and_then(Number::of)
                .is_some_and(|number| number == Number::Exact(crate::point::Decimal::from_int(state.value)))
        });
        let (zh, en) =
            state.map_or((value.as_str(), value.as_str()), |state| (&*state.names.zh, &*state.names.en));
        Some(Names {
            zh: format!("{address}:{zh}({},{age} 秒前)", quality_zh(reading.quality)),
            en: format!("{address}: {en} ({}, {age} s ago)", reading.quality),
        })
    }

    fn window(&self, window: usize, inputs: &dyn Inputs) -> Option<Names> {
        let need = self.windows.get(window)?;
        let input = self.inputs.get(need.input)?;
        let address = &input.address;
        let seconds = need.length_ms / 1_000;
        let found = inputs.window(input.facts.point, need.length_ms);
        let covered = found.map_or(0.0, |window| window.coverage() * 100.0);
        let quality = found.map_or(Quality::Bad(Reason::Initial), |window| window.quality);
        Some(Names {
            zh: format!("{address}:最近 {seconds} 秒有 {covered:.0} % 的时间有值({})", quality_zh(quality)),
            en: format!("{address}: has a value for {covered:.0} % of the last {seconds} s ({quality})"),
        })
    }
}

fn value(reading: &Reading, symbol: &str, inputs: &dyn Inputs) -> String {
    match reading.value {
        None => "-".to_owned(),
        Some(Value::Bool(on)) => on.to_string(),
        Some(Value::Text(id)) => inputs.text(id).unwrap_or_default().to_owned(),
        Some(value) => {
            let number = Number::of(value).map(|number| number.to_string()).unwrap_or_default();
            format!("{number} {symbol}").trim_end().to_owned()
        }
    }
}

fn quality_zh(quality: Quality) -> String {
    let severity = match quality {
        Quality::Good => return "良好".to_owned(),
        Quality::Uncertain(_) => "存疑",
        Quality::Bad(_) => "无效",
    };
    format!("{severity}:{}", quality.reason().map_or("", reason_zh))
}

fn reason_zh(reason: Reason) -> &'static str {
    match reason {
        Reason::Timeout => "超时",
        Reason::NoCommunication => "通信中断",
        Reason::DeviceFailure => "设备故障",
        Reason::SensorFailure => "传感器故障",
        Reason::Decoding => "无法解码",
        Reason::Configuration => "配置不符",
        Reason::Initial => "尚无数据",
        Reason::Stale => "过期",
        Reason::OutOfRange => "超出量程",
        Reason::Frozen => "数值不变",
        Reason::Clock => "时钟存疑",
        Reason::Substituted => "人工值",
        Reason::Rate => "变化过快",
        Reason::UnitJump => "疑似单位改变",
        Reason::Source => "来源存疑",
    }
}
