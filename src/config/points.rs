//! Point lists: a row of a spreadsheet is the register a TOML table would be, at its place in the text.
//!
//! Reading order: [`read`], `COLUMNS` (what a header may say), `Row` (a cell to a field), `Cells`
//! (the text to cells, each with its bytes).

use super::diagnostic::{Code, Problem, closest};
use super::leaf::{At, Former, Leaf, Millis, Wrong};
use super::limits;
use super::source::{Place, Source};
use super::spec::{self, Certainty, Means, Register, Table, Text};
use super::{Encoding, Order};
use crate::point::{Decimal, Name, Unit};
use std::ops::Range;

/// What is found is quoted up to so many characters.
const QUOTED_CHARS_MAX: usize = 60;

/// A column of a point list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Asset,
    Quantity,
    Table,
    Address,
    Type,
    Order,
    OrderFrom,
    Bit,
    Bits,
    Sentinels,
    Scale,
    Offset,
    MultiplyBy,
    DivideBy,
    Exponent,
    RawUnit,
    Unit,
    Range,
    Clamp,
    Counter,
    FrozenAfter,
    FrozenBand,
    RateMax,
    UnitJump,
    Deadband,
    MinInterval,
    Heartbeat,
    States,
    Decimals,
    Interval,
    Aligned,
    StaleAfter,
    NameZh,
    NameEn,
    Formerly,
    Certainty,
    /// For the reader of the list.
    Remark,
}

/// The words of each column, the field's own first: what integrators write above theirs.
const COLUMNS: [(Column, &[&str]); 37] = [
    (Column::Asset, &["asset", "资产", "所属设备"]),
    (Column::Quantity, &["quantity", "点名", "量", "测点", "点位", "变量名", "标识符"]),
    (Column::Table, &["table", "寄存器表", "功能码", "寄存器类型", "功能码/寄存器表", "function code"]),
    (Column::Address, &["address", "地址", "寄存器地址", "起始地址"]),
    (Column::Type, &["type", "类型", "数据类型", "data type"]),
    (Column::Order, &["order", "字节序", "字节顺序", "byte order"]),
    (Column::OrderFrom, &["order_from", "字节序寄存器"]),
    (Column::Bit, &["bit", "位", "位号"]),
    (Column::Bits, &["bits", "位段"]),
    (Column::Sentinels, &["sentinels", "无效值", "特殊值"]),
    (Column::Scale, &["scale", "系数", "倍率", "比例系数"]),
    (Column::Offset, &["offset", "偏移", "偏移量"]),
    (Column::MultiplyBy, &["multiply_by", "乘以", "变比寄存器", "倍率寄存器"]),
    (Column::DivideBy, &["divide_by", "除以"]),
    (Column::Exponent, &["exponent", "指数", "指数寄存器"]),
    (Column::RawUnit, &["raw_unit", "原始单位", "设备单位"]),
    (Column::Unit, &["unit", "单位"]),
    (Column::Range, &["range", "量程", "范围"]),
    (Column::Clamp, &["clamp", "限幅"]),
    (Column::Counter, &["counter", "计数位数", "翻转值"]),
    (Column::FrozenAfter, &["frozen_after", "冻结时间", "不变时间"]),
    (Column::FrozenBand, &["frozen_band", "冻结带"]),
    (Column::RateMax, &["rate_max", "最大变化率", "变化率"]),
    (Column::UnitJump, &["unit_jump", "单位跳变"]),
    (Column::Deadband, &["deadband", "死区", "上报死区"]),
    (Column::MinInterval, &["min_interval", "最小上报间隔", "最小间隔"]),
    (Column::Heartbeat, &["heartbeat", "心跳", "最大上报间隔"]),
    (Column::States, &["states", "状态", "状态含义", "枚举"]),
    (Column::Decimals, &["decimals", "小数位", "小数位数"]),
    (Column::Interval, &["interval", "周期", "采集周期", "采样周期"]),
    (Column::Aligned, &["aligned", "整点对齐", "对齐"]),
    (Column::StaleAfter, &["stale_after", "失效时间", "过期时间"]),
    (Column::NameZh, &["name_zh", "中文名", "名称", "中文名称", "点位名称", "name"]),
    (Column::NameEn, &["name_en", "英文名", "英文名称"]),
    (Column::Formerly, &["formerly", "曾用名", "原名"]),
    (Column::Certainty, &["certainty", "可信度"]),
    (Column::Remark, &["remark", "备注", "说明", "序号", "note", "comment", "no", "no."]),
];

/// Words of the tables: ours, the function codes, and the Chinese standard's.
const TABLES: [(Table, &[&str]); 4] = [
    (Table::Coil, &["coil", "线圈", "线圈状态", "1", "01", "0x01"]),
    (Table::Discrete, &["discrete", "离散输入", "离散量输入", "输入状态", "2", "02", "0x02"]),
    (Table::Holding, &["holding", "保持寄存器", "3", "03", "0x03"]),
    (Table::Input, &["input", "输入寄存器", "4", "04", "0x04"]),
];

/// The registers of a list; a row with a mistake is told and left out.
pub fn read(source: &Source, index: usize, problems: &mut Vec<Problem>) -> Vec<At<Register>> {
    let report = |problems: &mut Vec<Problem>, span: &Range<usize>, message: String, help: &str| {
        let place = Place { source: index, span: span.clone() };
        problems.push(Problem::error(Code::PointList, place, message).help(help));
    };
    let mut cells = Cells::new(&source.text);
    let Some(header) = cells.row() else {
        let help = "its first row names the columns: quantity,table,address,type,unit";
        report(problems, &(0..0), "the list is empty".to_owned(), help);
        return Vec::new();
    };
    let start = header.first().map_or(0..0, |cell| cell.span.clone());
    let columns: Vec<Option<Column>> = header.iter().map(|cell| column(&cell.text)).collect();
    let before = problems.len();
    for (index_in_row, (cell, column)) in header.iter().zip(&columns).enumerate() {
        let repeated = columns.iter().take(index_in_row).any(|other| other == column);
        if column.is_none() && !cell.text.is_empty() {
            let words = COLUMNS.iter().flat_map(|(_, words)| words.iter().copied());
            let help = match closest(&cell.text, words) {
                Some(word) => format!("did you mean \"{word}\"?"),
                None => {
                    format!("known are {}; a column for readers is \"remark\" or \"备注\"", known_columns())
                }
            };
            report(problems, &cell.span, format!("there is no column {}", quote(&cell.text)), &help);
        } else if column.is_some_and(|column| column != Column::Remark) && repeated {
            let message = format!("a second column {}", quote(&cell.text));
            report(problems, &cell.span, message, "take one of them out");
        }
    }
    if !columns.contains(&Some(Column::Quantity)) {
        let help = "name one \"quantity\" or \"点名\"";
        report(problems, &start, "no column says what is measured".to_owned(), help);
    }
    // Under a wrong header every row would be wrong again.
    if problems.len() > before {
        return Vec::new();
    }
    let mut list = Vec::new();
    while let Some(row) = cells.row() {
        if row.iter().any(|cell| !cell.text.is_empty()) {
            list.extend(Row { source: index, problems, wrong: false }.register(&columns, &row));
        }
    }
    list
}

/// Where in a list something stands: the row and column of the spreadsheet, and the column's header.
pub fn path_of(text: &str, byte: usize) -> String {
    let before = text.get(..byte).unwrap_or(text);
    let row = before.matches('\n').count() + 1;
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let header = Cells::new(text).row().unwrap_or_default();
    let line = text.get(line_start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let cells = Cells::with(line, delimiter(text)).row().unwrap_or_default();
    let column = cells.iter().rposition(|cell| cell.span.start <= byte - line_start).unwrap_or(0);
    let name = header.get(column).map_or("", |cell| cell.text.as_str());
    let name = if name.is_empty() { String::new() } else { format!(" {}", quote(name)) };
    format!("row {row}, column {}{name}", column + 1)
}

fn column(header: &str) -> Option<Column> {
    let word = header.to_lowercase();
    COLUMNS.iter().find(|(_, words)| words.contains(&word.as_str())).map(|(column, _)| *column)
}

fn known_columns() -> String {
    let words = COLUMNS.iter().filter_map(|(_, words)| words.first().copied());
    words.collect::<Vec<_>>().join(", ")
}

fn quote(text: &str) -> String {
    let short: String = text.chars().take(QUOTED_CHARS_MAX).collect();
    if short.len() < text.len() { format!("\"{short} ...\"") } else { format!("\"{short}\"") }
}

/// A row while it becomes a register.
struct Row<'a> {
    source: usize,
    problems: &'a mut Vec<Problem>,
    wrong: bool,
}

impl Row<'_> {
    fn register(mut self, columns: &[Option<Column>], row: &[Cell]) -> Option<At<Register>> {
        let pairs = || {
            let columns = columns.iter().copied().chain(std::iter::repeat(None));
            row.iter().zip(columns).filter(|(cell, _)| !cell.text.is_empty())
        };
        let whole = row.first()?.span.start..row.last()?.span.end;
        let endless = |cell: &&Cell| cell.text.contains('\n') || cell.text.len() > limits::CELL_BYTES_MAX;
        if let Some(cell) = row.iter().find(endless) {
            let help = "close the quote it opens with before the next cell";
            self.tell(&cell.span, wrong("this cell goes on in the next row", help));
            return None;
        }
        let Some((quantity, _)) = pairs().find(|(_, column)| *column == Some(Column::Quantity)) else {
            self.tell(
                &whole,
                Wrong {
                    code: Code::MissingField,
                    message: "this row does not say what is measured".to_owned(),
                    help: "quantity: the second half of the point's address".to_owned(),
                },
            );
            return None;
        };
        let mut register = Register::of(self.leaf::<Name>(quantity, QUANTITY_HELP)?);
        for (cell, column) in pairs() {
            match column {
                Some(column) => self.set(&mut register, column, cell),
                None => self
                    .tell(&cell.span, wrong("this cell has no header", "name the column, or clear the cell")),
            }
        }
        (!self.wrong).then(|| At::new(register, whole))
    }

    fn set(&mut self, register: &mut Register, column: Column, cell: &Cell) {
        match column {
            Column::Quantity | Column::Remark => {}
            Column::Asset => register.asset = self.leaf(cell, ""),
            Column::Table => register.table = self.take(cell, table),
            Column::Address => register.address = self.take(cell, address),
            Column::Type => register.encoding = self.leaf(cell, ""),
            Column::Order => register.order = self.leaf(cell, ""),
            Column::OrderFrom => register.order_from = self.take(cell, |text| order_from(text, cell)),
            Column::Bit => register.bit = self.take(cell, small),
            Column::Bits => register.bits = self.take(cell, bits),
            Column::Sentinels => register.sentinels = self.list(cell, limits::SENTINELS_MAX, sentinel),
            Column::Scale => register.scale = self.leaf(cell, ""),
            Column::Offset => register.offset = self.leaf(cell, ""),
            Column::MultiplyBy => {
                register.multiply_by = self.list(cell, limits::FACTORS_MAX, |text| factor(text, cell));
            }
            Column::DivideBy => {
                register.divide_by = self.list(cell, limits::FACTORS_MAX, |text| factor(text, cell));
            }
            Column::Exponent => register.exponent = self.take(cell, |text| factor(text, cell)),
            Column::Unit => register.unit = self.leaf::<Unit>(cell, "").map(|at| *at),
            Column::RawUnit => register.raw_unit = self.leaf(cell, ""),
            Column::Range => register.range = self.take(cell, range),
            Column::Clamp => register.clamp = self.take(cell, range),
            Column::Counter => register.counter = self.take(cell, |text| counter(text, cell)),
            Column::FrozenAfter | Column::FrozenBand | Column::RateMax | Column::UnitJump => {
                self.check(register, column, cell);
            }
            Column::Deadband | Column::MinInterval | Column::Heartbeat => self.report(register, column, cell),
            Column::States => register.states = self.list(cell, limits::STATES_MAX, state),
            Column::Decimals => register.decimals = self.take(cell, decimals).map(|at| *at),
            Column::Interval => register.interval = self.leaf::<Millis>(cell, ""),
            Column::Aligned => register.aligned = self.take(cell, flag).map(|at| *at),
            Column::StaleAfter => register.stale_after = self.leaf::<Millis>(cell, ""),
            Column::NameZh => register.name.get_or_insert_default().zh = Some(cell.text.clone()),
            Column::NameEn => register.name.get_or_insert_default().en = Some(cell.text.clone()),
            Column::Formerly => {
                let former = self.list(cell, limits::FORMERLY_MAX, Former::parse);
                register.formerly = former.map(|list| list.iter().map(|at| (**at).clone()).collect());
            }
            Column::Certainty => register.certainty = self.take(cell, certainty).map(|at| *at),
        }
    }

    /// Columns of one table: `checks`.
    fn check(&mut self, register: &mut Register, column: Column, cell: &Cell) {
        let checks =
            register.checks.get_or_insert_with(|| At::new(spec::Checks::default(), cell.span.clone()));
        match column {
            Column::FrozenAfter => checks.frozen_after = self.leaf(cell, ""),
            Column::FrozenBand => checks.frozen_band = self.leaf(cell, ""),
            Column::RateMax => checks.rate_max = self.leaf(cell, ""),
            _ => checks.unit_jump = self.take(cell, flag),
        }
    }

    /// Columns of one table: `report`.
    fn report(&mut self, register: &mut Register, column: Column, cell: &Cell) {
        let report =
            register.report.get_or_insert_with(|| At::new(spec::Report::default(), cell.span.clone()));
        match column {
            Column::Deadband => report.deadband = self.leaf(cell, ""),
            Column::MinInterval => report.min_interval = self.leaf(cell, ""),
            _ => report.heartbeat = self.leaf(cell, ""),
        }
    }

    /// A cell by the parser of its format; `help` goes after the format's own.
    fn leaf<T: Leaf>(&mut self, cell: &Cell, help: &str) -> Option<At<T>> {
        self.take(cell, |text| {
            T::parse(text).map_err(|wrong| Wrong { help: format!("{}{help}", wrong.help), ..wrong })
        })
    }

    fn take<T>(&mut self, cell: &Cell, parse: impl FnOnce(&str) -> Result<T, Wrong>) -> Option<At<T>> {
        match parse(&cell.text) {
            Ok(value) => Some(At::new(value, cell.span.clone())),
            Err(wrong) => {
                let message = format!("{} {}", quote(&cell.text), wrong.message);
                self.tell(&cell.span, Wrong { message, ..wrong });
                None
            }
        }
    }

    /// Entries with `;` between them.
    fn list<T>(
        &mut self,
        cell: &Cell,
        most: usize,
        parse: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Option<Vec<At<T>>> {
        let mut list = Vec::new();
        for text in entries(&cell.text) {
            list.push(self.take(&Cell { text: text.to_owned(), span: cell.span.clone() }, &parse)?);
        }
        if list.len() > most {
            let message = format!("{} entries stand here and {most} may", list.len());
            self.tell(&cell.span, wrong(&message, "split the point, or leave the rare ones out"));
        }
        Some(list)
    }

    fn tell(&mut self, span: &Range<usize>, wrong: Wrong) {
        self.wrong = true;
        let place = Place { source: self.source, span: span.clone() };
        self.problems.push(Problem::error(wrong.code, place, wrong.message).help(wrong.help));
    }
}

/// Chinese names stand where a point's name does.
const QUANTITY_HELP: &str = "; what people read goes to name_zh (中文名) and name_en";

fn wrong(message: &str, help: &str) -> Wrong {
    Wrong { code: Code::WrongValue, message: message.to_owned(), help: help.to_owned() }
}

fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.split([';', '\u{ff1b}']).map(str::trim).filter(|entry| !entry.is_empty())
}

fn table(text: &str) -> Result<Table, Wrong> {
    let word = text.to_lowercase();
    let found = TABLES.iter().find(|(_, words)| words.contains(&word.as_str()));
    let help = "coil, discrete, holding or input; 线圈, 离散输入, 保持寄存器, 输入寄存器; or the function code 1 to 4";
    found.map(|(table, _)| *table).ok_or_else(|| wrong("is no table", help))
}

/// Decimal, or hexadecimal behind `0x`.
fn whole(text: &str) -> Option<i64> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let hex = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let digits = hex.unwrap_or(digits);
    if !digits.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let number = i64::from_str_radix(digits, if hex.is_some() { 16 } else { 10 }).ok()?;
    Some(if negative { -number } else { number })
}

fn address(text: &str) -> Result<u32, Wrong> {
    let number = whole(text).and_then(|number| u16::try_from(number).ok()).map(u32::from);
    let help = "0 to 65535 or 0x0 to 0xFFFF, counted from 0: a manual's 40001 is holding 0, its 400001 too";
    number.ok_or_else(|| wrong("is no address", help))
}

fn small(text: &str) -> Result<u8, Wrong> {
    let number = whole(text).and_then(|number| u8::try_from(number).ok()).filter(|number| *number < 64);
    number.ok_or_else(|| wrong("is no bit", "0, the least significant, to 63"))
}

fn decimals(text: &str) -> Result<u8, Wrong> {
    let number = whole(text).and_then(|number| u8::try_from(number).ok()).filter(|number| *number < 10);
    number.ok_or_else(|| wrong("is no number of decimals", "0 to 9"))
}

/// Two ends, as people write them.
fn ends(text: &str) -> Option<(&str, &str)> {
    let split = ["..", "~", "～"].into_iter().find_map(|between| text.split_once(between));
    split.map(|(from, to)| (from.trim(), to.trim()))
}

fn bits(text: &str) -> Result<[u8; 2], Wrong> {
    let split = ends(text).or_else(|| text.split_once('-'));
    let help = "the least and the most significant bit: 4..7";
    let (first, last) = split.ok_or_else(|| wrong("are no bits", help))?;
    Ok([small(first.trim())?, small(last.trim())?])
}

fn range(text: &str) -> Result<[Decimal; 2], Wrong> {
    let (low, high) = ends(text).ok_or_else(|| wrong("is no range", "both ends: 0..500 or -20~60"))?;
    Ok([Decimal::parse(low)?, Decimal::parse(high)?])
}

/// Digits up to 18, or the counts at which it begins again.
fn counter(text: &str, cell: &Cell) -> Result<spec::Counter, Wrong> {
    let help = "the digits it shows, 8, or the counts at which it begins again, 4294967296";
    let number = whole(text).filter(|number| *number > 0).ok_or_else(|| wrong("is no counter", help))?;
    let at = || cell.span.clone();
    Ok(match u8::try_from(number).ok().filter(|digits| *digits <= 18) {
        Some(digits) => spec::Counter { digits: Some(At::new(digits, at())), modulus: None },
        None => spec::Counter { digits: None, modulus: Some(At::new(number, at())) },
    })
}

fn flag(text: &str) -> Result<bool, Wrong> {
    match text.to_lowercase().as_str() {
        "true" | "yes" | "1" | "是" => Ok(true),
        "false" | "no" | "0" | "否" => Ok(false),
        _ => Err(wrong("is neither true nor false", "true or false, 是 or 否")),
    }
}

fn certainty(text: &str) -> Result<Certainty, Wrong> {
    match text {
        "A" => Ok(Certainty::A),
        "B" => Ok(Certainty::B),
        "C" => Ok(Certainty::C),
        "D" => Ok(Certainty::D),
        "site" => Ok(Certainty::Site),
        _ => Err(wrong("is no certainty", "A, B, C, D or site")),
    }
}

/// `0x7FFF`, or `0x8000=not-available`; without a word the sensor is broken.
fn sentinel(text: &str) -> Result<spec::Sentinel, Wrong> {
    let (raw, means) = text.split_once('=').unwrap_or((text, "sensor"));
    let raw = raw.trim();
    let raw = whole(raw).map(Decimal::from_int).map_or_else(|| Decimal::parse(raw), Ok)?;
    let means = match means.trim() {
        "sensor" => Means::Sensor,
        "not-available" => Means::NotAvailable,
        "out-of-range" => Means::OutOfRange,
        _ => return Err(wrong("says nothing known", "0x7FFF=sensor, =not-available or =out-of-range")),
    };
    Ok(spec::Sentinel { raw, means })
}

/// `0=停止/Stopped`, Chinese first; one name alone serves for both.
fn state(text: &str) -> Result<spec::State, Wrong> {
    let help = "a number and its names: 0=停止/Stopped;1=运行/Running";
    let (value, names) = text.split_once('=').ok_or_else(|| wrong("are no states", help))?;
    let value = whole(value.trim()).ok_or_else(|| wrong("are no states", help))?;
    let (zh, en) = match names.split_once('/') {
        Some((zh, en)) => (zh, Some(en)),
        None => (names, None),
    };
    let name = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    Ok(spec::State { value, name: Text { zh: name(zh), en: en.and_then(name) } })
}

/// `holding:142:u16` or `142:u16`, with the order after it if it is not the standard's.
fn factor(text: &str, cell: &Cell) -> Result<spec::Factor, Wrong> {
    let help = "table, address, type and perhaps order: holding:142:u16, 142:u32:cdab";
    let at = || cell.span.clone();
    let mut parts = text.split(':').map(str::trim).peekable();
    let named = parts.peek().and_then(|part| table(part).ok().filter(|_| whole(part).is_none()));
    if named.is_some() {
        parts.next();
    }
    let (Some(number), Some(types)) = (parts.next(), parts.next()) else {
        return Err(wrong("is no register", help));
    };
    let order = parts.next().map(Order::parse).transpose()?;
    if parts.next().is_some() {
        return Err(wrong("is no register", help));
    }
    Ok(spec::Factor {
        table: named.map(|table| At::new(table, at())),
        address: At::new(address(number)?, at()),
        encoding: At::new(Encoding::parse(types)?, at()),
        order: order.map(|order| At::new(order, at())),
    })
}

/// A register, then what its numbers stand for: `holding:5:u16;0=abcd;1=cdab`.
fn order_from(text: &str, cell: &Cell) -> Result<spec::OrderFrom, Wrong> {
    let help = "a register and its numbers: holding:5:u16;0=abcd;1=cdab";
    let mut parts = entries(text);
    let told = factor(parts.next().unwrap_or_default(), cell)?;
    let order = |text: &str| {
        let (raw, order) = text.split_once('=').ok_or_else(|| wrong("names no orders", help))?;
        let raw = whole(raw.trim()).ok_or_else(|| wrong("names no orders", help))?;
        let order = At::new(Order::parse(order.trim())?, cell.span.clone());
        Ok(At::new(spec::OrderWord { raw, order }, cell.span.clone()))
    };
    let orders = parts.map(order).collect::<Result<Vec<_>, Wrong>>()?;
    if orders.is_empty() || told.order.is_some() {
        return Err(wrong("names no orders", help));
    }
    Ok(spec::OrderFrom { table: told.table, address: told.address, encoding: Some(told.encoding), orders })
}

/// A cell without its quotes and the blanks around it, and the bytes it stands at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Cell {
    text: String,
    span: Range<usize>,
}

/// A text as rows of cells.
struct Cells<'a> {
    text: &'a str,
    delimiter: u8,
    reader: csv_core::Reader,
    at: usize,
}

impl<'a> Cells<'a> {
    fn new(text: &'a str) -> Cells<'a> {
        Cells::with(text, delimiter(text))
    }

    fn with(text: &'a str, delimiter: u8) -> Cells<'a> {
        let reader = csv_core::ReaderBuilder::new().delimiter(delimiter).build();
        Cells { text, delimiter, reader, at: 0 }
    }

    /// The next row that has any character; none at the end.
    fn row(&mut self) -> Option<Vec<Cell>> {
        let mut row = Vec::new();
        loop {
            let (cell, last) = self.cell(row.is_empty())?;
            row.push(cell);
            if last {
                return Some(row);
            }
        }
    }

    /// The next cell, and whether its row ends with it.
    fn cell(&mut self, first: bool) -> Option<(Cell, bool)> {
        let (mut content, mut piece) = (Vec::new(), [0; 256]);
        let start = self.at;
        let last = loop {
            let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
            let (result, read, written) = self.reader.read_field(rest, &mut piece);
            self.at += read;
            content.extend_from_slice(piece.get(..written).unwrap_or_default());
            match result {
                csv_core::ReadFieldResult::Field { record_end } => break record_end,
                csv_core::ReadFieldResult::End => return None,
                csv_core::ReadFieldResult::InputEmpty | csv_core::ReadFieldResult::OutputFull => {}
            }
        };
        let raw = self.text.get(start..self.at).unwrap_or_default();
        let ahead = if first { raw.len() - raw.trim_start_matches(['\r', '\n']).len() } else { 0 };
        let behind = if last {
            raw.len() - raw.trim_end_matches(['\r', '\n']).len()
        } else {
            usize::from(raw.ends_with(char::from(self.delimiter)))
        };
        let text = String::from_utf8_lossy(&content).trim().to_owned();
        Some((Cell { text, span: start + ahead..(self.at - behind).max(start + ahead) }, last))
    }
}

/// Comma, semicolon or tab: what the header has most of.
fn delimiter(text: &str) -> u8 {
    let header = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let count = |delimiter: &u8| header.bytes().filter(|byte| byte == delimiter).count();
    // Of equals the last wins, and a header of one column has none of them.
    [b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b',')
}
