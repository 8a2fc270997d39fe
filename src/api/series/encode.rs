//! An answer as JSON, or as the bytes of `application/vnd.plantroom.columns`:
//!
//! ```text
//! length of the header (u32)   header (JSON, spaces up to a multiple of 8)   column*
//! ```
//! Little endian. The header is the JSON answer in which each point has `columns` (name, type,
//! length) in place of its arrays; they follow in that order, each so many 64-bit floats, NaN
//! where JSON has null. So every column begins at a multiple of 8 of the whole, and a page can
//! look at the bytes as they lie.

use super::figures::rank;
use super::question::Asked;
use super::table::{Beside, Cells, Table, quality_word, runs, severity_word};
use crate::api::plant::PlantPoint;
use crate::api::wire::{push, write_text, write_value};
use crate::historian::Texts;
use crate::historian::summary::nearest;
use crate::point::{TextId, Value};
use axum::http::{HeaderMap, header};
use serde::Serialize;

/// How an answer leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON.
    Json,
    /// Bytes.
    Columns,
}

impl Format {
    /// What the client accepts; JSON unless it names the other.
    pub fn of(headers: &HeaderMap) -> Format {
        let mut accepted = headers.get_all(header::ACCEPT).iter().filter_map(|kind| kind.to_str().ok());
        if accepted.any(|kinds| kinds.contains(Format::Columns.content_type())) {
            Format::Columns
        } else {
            Format::Json
        }
    }

    /// Its media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Json => "application/json",
            Format::Columns => "application/vnd.plantroom.columns",
        }
    }
}

/// What stands around the points of an answer.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Before the first.
    pub open: String,
    /// Behind the last.
    pub close: &'static str,
}

impl Frame {
    /// Of a question.
    pub fn of(asked: &Asked) -> Frame {
        let mut open = format!("{{\"from\":{},\"to\":{},\"cut\":", asked.window.from.0, asked.window.to.0);
        write_text(&mut open, &asked.cut);
        open.push_str(",\"zone\":");
        write_text(&mut open, &asked.zone);
        open.push_str(",\"series\":[");
        Frame { open, close: "]}" }
    }

    /// The header of an answer in bytes with its length before it, from the heads of its points.
    pub fn header(&self, heads: &[String]) -> Vec<u8> {
        let mut header = format!("{}{}{}", self.open, heads.join(","), self.close);
        let padding = (size_of::<u32>() + header.len()).next_multiple_of(8) - size_of::<u32>() - header.len();
        header.extend(std::iter::repeat_n(' ', padding));
        // 24 points and their runs are far below 4 GiB.
        let length = u32::try_from(header.len()).unwrap_or(u32::MAX);
        [&length.to_le_bytes(), header.as_bytes()].concat()
    }
}

/// A point of an answer in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// Its part of the header.
    pub head: String,
    /// Its columns.
    pub body: Vec<u8>,
}

impl Encoded {
    /// The columns of a point.
    pub fn of(point: &PlantPoint, table: &Table, texts: &Texts) -> Encoded {
        let columns = table.columns.iter().map(|(name, cells)| (*name, cells.len()));
        let mut head = head(point, columns);
        let words = table.columns.iter().flat_map(|(_, cells)| cells.words());
        let words: Vec<_> = words.map(|word| texts.word(word)).collect();
        if !words.is_empty() {
            head.push_str(",\"words\":");
            head.push_str(&serde_json::to_string(&words).unwrap_or_default());
        }
        write_tail(&mut head, table);
        head.push('}');
        let mut body = Vec::new();
        for (_, cells) in &table.columns {
            cells.write_bytes(&mut body);
        }
        Encoded { head, body }
    }

    /// The head of a point of which so many windows with these columns will come.
    pub fn announce<'a>(point: &PlantPoint, names: impl Iterator<Item = &'a str>, count: usize) -> String {
        head(point, names.map(|name| (name, count))) + "}"
    }
}

/// A point of an answer in JSON.
pub fn json(point: &PlantPoint, table: &Table, texts: &Texts) -> Vec<u8> {
    let mut out = named(point).into_bytes();
    for (name, cells) in &table.columns {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
        cells.write_json(&mut out, texts);
    }
    let mut tail = String::new();
    write_tail(&mut tail, table);
    tail.push('}');
    out.extend_from_slice(tail.as_bytes());
    out
}

fn named(point: &PlantPoint) -> String {
    let mut out = format!("{{\"point\":\"{}\",\"unit\":", point.plan.address);
    write_text(&mut out, &point.plan.unit.to_string());
    out.push_str(",\"symbol\":");
    write_text(&mut out, point.plan.unit.symbol());
    out
}

fn head<'a>(point: &PlantPoint, columns: impl Iterator<Item = (&'a str, usize)>) -> String {
    let mut out = named(point);
    out.push_str(",\"columns\":[");
    for (place, (name, length)) in columns.enumerate() {
        out.push_str(if place == 0 { "" } else { "," });
        push(&mut out, format_args!("{{\"name\":\"{name}\",\"type\":\"f64\",\"length\":{length}}}"));
    }
    out.push(']');
    out
}

/// What readings have beside their columns.
fn write_tail(out: &mut String, table: &Table) {
    let Some(Beside { qualities, next }) = &table.readings else { return };
    let runs: Vec<_> = qualities.iter().map(|(count, quality)| (count, quality_word(*quality))).collect();
    out.push_str(",\"quality\":");
    out.push_str(&serde_json::to_string(&runs).unwrap_or_default());
    out.push_str(",\"next\":");
    match next {
        Some(next) => push(out, next),
        None => out.push_str("null"),
    }
}

impl Cells {
    fn len(&self) -> usize {
        match self {
            Cells::Whole(cells) => cells.len(),
            Cells::Numbers(cells) => cells.len(),
            Cells::Values(cells) => cells.len(),
            Cells::Severities(cells) => cells.len(),
        }
    }

    /// The words in it, by number.
    fn words(&self) -> Vec<TextId> {
        let Cells::Values(cells) = self else { return Vec::new() };
        let word = |cell: &Option<Value>| match cell {
            Some(Value::Text(word)) => Some(*word),
            _ => None,
        };
        let mut words: Vec<_> = cells.iter().filter_map(word).collect();
        words.sort_unstable_by_key(|word| word.0);
        words.dedup();
        words
    }

    fn write_json(&self, out: &mut Vec<u8>, texts: &Texts) {
        match self {
            Cells::Whole(cells) => {
                let some = cells.iter().map(|cell| Some(*cell).filter(|cell| *cell != Cells::NONE));
                write_list(out, some, |out, cell| write(out, &cell));
            }
            // serde_json writes null for what is no finite number.
            Cells::Numbers(cells) => write_list(out, cells.iter(), write),
            Cells::Values(cells) => {
                let mut text = String::new();
                write_list(out, cells.iter(), |out, cell| {
                    text.clear();
                    match cell {
                        Some(Value::Bool(on)) => text.push(if *on { '1' } else { '0' }),
                        cell => write_value(&mut text, *cell, texts),
                    }
                    out.extend_from_slice(text.as_bytes());
                });
            }
            Cells::Severities(cells) => {
                let runs: Vec<_> = runs(cells.iter().copied())
                    .into_iter()
                    .map(|(count, severity)| (count, severity.map(severity_word)))
                    .collect();
                write(out, &runs);
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "instants and counts are below 2^53")]
    fn write_bytes(&self, out: &mut Vec<u8>) {
        let words = self.words();
        let place = |word: TextId| {
            words.binary_search_by_key(&word.0, |known| known.0).map_or(f64::NAN, |place| place as f64)
        };
        let mut put = |numbers: &mut dyn Iterator<Item = f64>| {
            numbers.for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
        };
        match self {
            Cells::Whole(cells) => put(&mut cells.iter().map(|cell| match *cell {
                Cells::NONE => f64::NAN,
                cell => cell as f64,
            })),
            Cells::Numbers(cells) => put(&mut cells.iter().copied()),
            Cells::Values(cells) => put(&mut cells.iter().map(|cell| match cell {
                Some(Value::Text(word)) => place(*word),
                // Beside words a number would be taken for the place of one.
                cell => cell.filter(|_| words.is_empty()).and_then(nearest).unwrap_or(f64::NAN),
            })),
            Cells::Severities(cells) => put(&mut cells.iter().map(|cell| cell.map_or(f64::NAN, rank))),
        }
    }
}

fn write_list<T>(out: &mut Vec<u8>, items: impl Iterator<Item = T>, mut each: impl FnMut(&mut Vec<u8>, T)) {
    out.push(b'[');
    for (place, item) in items.enumerate() {
        if place > 0 {
            out.push(b',');
        }
        each(out, item);
    }
    out.push(b']');
}

/// Writing a number or a list of words to memory does not fail.
fn write(out: &mut Vec<u8>, item: &impl Serialize) {
    let _infallible = serde_json::to_writer(out, item);
}
