//! What is printed of a reading: values for a person or a program, and what to look at when there
//! are none.

use super::once::Seen;
use super::wanted::Wanted;
use crate::cli::columns::{Align, Columns};
use crate::cli::lang::Lang;
use crate::cli::loads::{line_settings, place, table_word};
use crate::cli::query::shortest;
use crate::config::{Encoding, Link, Point, Register};
use crate::field::Fault;
use crate::point::{Quality, Reading, Reason, Value};

/// The answers of a device.
#[derive(Debug)]
pub struct Answers<'a> {
    wanted: &'a Wanted,
    seen: &'a Seen,
    list: Vec<Answer<'a>>,
}

#[derive(Clone, Copy, Debug)]
struct Answer<'a> {
    register: &'a Register,
    point: &'a Point,
    reading: Reading,
    fault: Option<Fault>,
    texts: &'a [String],
}

impl<'a> Answers<'a> {
    /// Of what was wanted and seen.
    pub fn new(wanted: &'a Wanted, seen: &'a Seen) -> Answers<'a> {
        let answer = |((register, point), (reading, fault)): ((&'a Register, &'a Point), &(Reading, _))| {
            Answer { register, point, reading: *reading, fault: *fault, texts: &seen.texts }
        };
        Answers { wanted, seen, list: wanted.registers().zip(&seen.readings).map(answer).collect() }
    }

    /// The points of a register map, for a person.
    pub fn table(&self, lang: Lang) -> String {
        use Align::{Left, Right};
        let mut columns = Columns::new(&[Left, Left, Left, Right, Left, Left, Left, Left]);
        columns.push(lang.pick(
            ["地址", "点", "名称", "数值", "单位", "含义", "质量", ""],
            ["address", "point", "name", "value", "unit", "meaning", "quality", ""],
        ));
        for answer in &self.list {
            let cell = answer.register.cell;
            columns.push([
                place(cell.table, cell.address, cell.items()),
                answer.point.address.quantity.to_string(),
                lang.name(&answer.point.name).to_owned(),
                answer.shown(),
                answer.point.unit.symbol().to_owned(),
                answer.meaning(lang).unwrap_or_default(),
                answer.reading.quality.to_string(),
                answer.error().unwrap_or_default(),
            ]);
        }
        columns.render("")
    }

    /// Bare registers, for a person.
    pub fn bare_table(&self, lang: Lang) -> String {
        use Align::{Left, Right};
        let mut columns = Columns::new(&[Left, Right, Left, Left, Left]);
        columns.push(
            lang.pick(["地址", "数值", "含义", "质量", ""], ["address", "value", "meaning", "quality", ""]),
        );
        for answer in &self.list {
            let cell = answer.register.cell;
            columns.push([
                place(cell.table, cell.address, cell.items()),
                answer.shown(),
                answer.meaning(lang).unwrap_or_default(),
                answer.reading.quality.to_string(),
                answer.error().unwrap_or_default(),
            ]);
        }
        columns.render("")
    }

    /// The points of a register map, for a program.
    pub fn json(&self, lang: Lang) -> String {
        array(self.list.iter().map(|answer| {
            let cell = answer.register.cell;
            let state = answer.state(lang).map(|state| format!(",\"state\":{}", quoted(state)));
            format!(
                "{{\"point\":\"{}\",\"table\":\"{}\",\"address\":{},\"value\":{},\"unit\":\"{}\"{}{}}}",
                answer.point.address.quantity,
                table_word(cell.table),
                cell.address,
                answer.json(),
                answer.point.unit,
                state.unwrap_or_default(),
                answer.json_tail(),
            )
        }))
    }

    /// Bare registers, for a program.
    pub fn bare_json(&self) -> String {
        array(self.list.iter().map(|answer| {
            let address = answer.register.cell.address;
            format!("{{\"address\":{address},\"value\":{}{}}}", answer.json(), answer.json_tail())
        }))
    }

    /// What to say when not every value is good: in a sentence what happened, then what to check.
    pub fn complaint(&self, lang: Lang) -> Option<String> {
        let doubtful = self.list.iter().filter(|answer| answer.reading.quality != Quality::Good).count();
        if doubtful == 0 {
            return None;
        }
        let of_all = |is: &dyn Fn(Fault) -> bool| self.list.iter().all(|answer| answer.fault.is_some_and(is));
        let link = &self.wanted.bus.link;
        let unit = self.wanted.bus.devices.first().map_or(0, |device| device.unit);
        if let Some(error) = &self.seen.unreachable {
            return Some(unreachable(link, &error.to_string(), lang));
        }
        Some(if of_all(&|fault| fault == Fault::Timeout) {
            silent(link, unit, self.wanted.bus.timeout_ms, lang)
        } else if of_all(&|fault| matches!(fault, Fault::Exception(10 | 11))) {
            behind(link, unit, lang)
        } else if of_all(&|fault| fault == Fault::NoConnection) {
            hung_up(link, unit, lang)
        } else if of_all(&|fault| fault == Fault::Malformed) {
            garbled(link, lang)
        } else {
            let all = self.list.len();
            match lang {
                Lang::Zh => format!("{all} 个值中有 {doubtful} 个不是 good,见上"),
                Lang::En => format!("{doubtful} of {all} values are not good, see above"),
            }
        })
    }
}

impl Answer<'_> {
    /// The value in all its digits.
    fn value(&self) -> Option<String> {
        Some(match self.reading.value? {
            Value::Bool(on) => on.to_string(),
            Value::Decimal(number) => number.to_string(),
            Value::F64(number) => number.to_string(),
            Value::Text(id) => self.texts.get(usize::try_from(id.0).ok()?)?.clone(),
        })
    }

    fn shown(&self) -> String {
        match self.reading.value {
            Some(Value::F64(number)) => shortest(number),
            _ => self.value().unwrap_or_else(|| "-".to_owned()),
        }
    }

    fn json(&self) -> String {
        match (self.reading.value, self.value()) {
            (Some(Value::Text(_)), Some(text)) => quoted(&text),
            (_, value) => value.unwrap_or_else(|| "null".to_owned()),
        }
    }

    /// Quality, time, and the fault if there is one.
    fn json_tail(&self) -> String {
        let error = self.error().map(|error| format!(",\"error\":{}", quoted(&error)));
        let Reading { quality, at, .. } = self.reading;
        format!(",\"quality\":\"{quality}\",\"at\":{}{}", at.0, error.unwrap_or_default())
    }

    fn state(&self, lang: Lang) -> Option<&str> {
        let number = match self.reading.value? {
            Value::Bool(on) => i64::from(on),
            Value::Decimal(number) => number.mantissa_at(0)?,
            _ => return None,
        };
        let state = self.point.states.iter().find(|state| state.value == number)?;
        Some(lang.name(&state.name))
    }

    /// The name of its state, or the time it counts the seconds to.
    fn meaning(&self, lang: Lang) -> Option<String> {
        if let (Encoding::Date(_), Some(Value::Decimal(seconds))) =
            (self.register.cell.encoding, self.reading.value)
        {
            return jiff::Timestamp::from_second(seconds.mantissa_at(0)?).ok().map(|time| time.to_string());
        }
        self.state(lang).map(str::to_owned)
    }

    /// Why there is no value, or why it is in doubt.
    fn error(&self) -> Option<String> {
        match (self.fault, self.reading.quality.reason()?) {
            (Some(Fault::Exception(code)), _) => Some(format!("exception {code}{}", exception(code))),
            (Some(fault), _) => Some(fault.to_string()),
            (None, Reason::OutOfRange) => {
                let (low, high) = self.point.range?;
                Some(format!("outside {low} to {high}"))
            }
            (None, Reason::Configuration) => Some("the scaled value cannot be kept exactly".to_owned()),
            (None, Reason::Clock) => Some("the clock of this machine is in doubt".to_owned()),
            (None, _) => None,
        }
    }
}

/// MODBUS Application Protocol V1.1b3, clause 7.
fn exception(code: u8) -> &'static str {
    match code {
        1 => ", illegal function: the device does not know this table",
        2 => ", illegal data address: the device has no such register",
        3 => ", illegal data value: too many registers at once",
        4 => ", server device failure",
        5 => ", acknowledge: it takes longer",
        6 => ", server device busy",
        8 => ", memory parity error",
        10 => ", gateway path unavailable",
        11 => ", gateway target device failed to respond",
        _ => "",
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn array(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    format!("[\n{}\n]\n", items.join(",\n"))
}

fn unreachable(link: &Link, error: &str, lang: Lang) -> String {
    match (link, lang) {
        (Link::Rtu { path, .. }, Lang::Zh) => format!(
            "串口 {path} 打不开: {error}。请检查设备文件名、访问权限(dialout 组),以及是否有别的程序占用它"
        ),
        (Link::Rtu { path, .. }, Lang::En) => format!(
            "{path} cannot be opened: {error}. Check the name of the device file, the right to use it \
             (group dialout), and that no other program holds it"
        ),
        (_, Lang::Zh) => format!(
            "连不上 {link}: {error}。请检查地址和端口、设备或网关是否通电、网线,以及是否有别的程序占着它唯一的连接"
        ),
        (_, Lang::En) => format!(
            "{link} cannot be reached: {error}. Check address and port, that the device or gateway has power \
             and network, and that no other program holds its only connection"
        ),
    }
}

fn silent(link: &Link, unit: u8, timeout_ms: u64, lang: Lang) -> String {
    match (link.serial().map(line_settings), lang) {
        (Some(line), Lang::Zh) => format!(
            "单元 {unit} 在 {link} 上没有应答(等待 {timeout_ms} ms)。请检查: 设备是否通电; 单元地址; 波特率和校验位\
             (此处 {line}); A、B 线是否接反; 终端电阻"
        ),
        (Some(line), Lang::En) => format!(
            "unit {unit} does not answer at {link} within {timeout_ms} ms. Check that it has power; its unit \
             id; baud rate and parity (here {line}); that A and B are not swapped; the terminating resistor"
        ),
        (None, Lang::Zh) => format!(
            "单元 {unit} 在 {link} 上没有应答(等待 {timeout_ms} ms),但连接已建立。请检查: 单元地址; 设备是否通电; \
             网关后的接线; 该端口是否为 Modbus TCP(也可能是 rtu+tcp://)"
        ),
        (None, Lang::En) => format!(
            "unit {unit} does not answer at {link} within {timeout_ms} ms, though there is a connection. Check \
             its unit id; that it has power; the wiring behind a gateway; that the port speaks Modbus TCP and \
             not RTU (rtu+tcp://)"
        ),
    }
}

fn behind(link: &Link, unit: u8, lang: Lang) -> String {
    match lang {
        Lang::Zh => format!(
            "网关 {link} 有应答,但它后面的单元 {unit} 没有。请检查: 单元地址; 设备是否通电; 网关串口的波特率和校验位; A、B 线"
        ),
        Lang::En => format!(
            "the gateway at {link} answers, unit {unit} behind it does not. Check the unit id; that the device \
             has power; baud rate and parity of the gateway's serial side; wires A and B"
        ),
    }
}

fn hung_up(link: &Link, unit: u8, lang: Lang) -> String {
    match lang {
        Lang::Zh => format!(
            "{link} 没有应答就断开了连接。请检查: 设备是否接受单元地址 {unit}; 是否有别的程序占着它唯一的连接; 端口是否为 Modbus"
        ),
        Lang::En => format!(
            "{link} hung up without an answer. Check that the device takes unit id {unit}; that no other \
             program holds its only connection; that the port speaks Modbus"
        ),
    }
}

fn garbled(link: &Link, lang: Lang) -> String {
    match lang {
        Lang::Zh => format!(
            "{link} 的应答不是对所提问题的应答。请检查: 波特率和校验位; 总线上是否有两个主站或两个相同的单元地址; 是 tcp:// 还是 rtu+tcp://"
        ),
        Lang::En => format!(
            "what comes from {link} answers nothing that was asked. Check baud rate and parity; that there is \
             no second master and no second device of the same unit id; tcp:// or rtu+tcp://"
        ),
    }
}
