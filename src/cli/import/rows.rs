//! Rows of a file as readings in words: CSV and line protocol. Pure.

use crate::forward::parse::{FieldText, parse_line};
use crate::historian::import::Row;
use crate::point::{Address, Catalogue, Quality, Severity, UtcMs};
use std::fmt::Display;

/// What is wrong with a row, and in which column.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {what}")]
pub struct Wrong {
    /// Its name, or the number of the character in a line.
    pub column: String,
    /// What.
    pub what: String,
}

fn wrong(column: impl Display, what: impl Display) -> Wrong {
    Wrong { column: format!("{column}"), what: format!("{what}") }
}

/// The words of each column, the one that is written first.
const COLUMNS: [(&str, &[&str]); 5] = [
    ("time", &["time", "at", "timestamp", "时间"]),
    ("point", &["point", "点", "点位", "测点"]),
    ("value", &["value", "值", "数值"]),
    ("unit", &["unit", "单位"]),
    ("quality", &["quality", "质量"]),
];

/// Where which column is.
pub struct Columns {
    /// Used again: to make one costs more than to read a row.
    reader: csv_core::Reader,
    /// In the order of [`COLUMNS`].
    places: [Option<usize>; 5],
}

impl Columns {
    /// By the head line; a column it does not know is an error, not a guess.
    pub fn of(head: &str) -> Result<Columns, Wrong> {
        let (mut places, mut reader) = ([None; 5], csv_core::Reader::new());
        for (index, cell) in cells(&mut reader, head).into_iter().enumerate() {
            let word = cell.trim().to_lowercase();
            let known = COLUMNS.iter().position(|(_, words)| words.contains(&word.as_str()));
            let known = known.ok_or_else(|| {
                wrong(index + 1, format!("{cell:?} is none of time, point, value, unit, quality"))
            })?;
            if let Some(place) = places.get_mut(known)
                && place.replace(index).is_some()
            {
                return Err(wrong(index + 1, format!("{cell:?} is there twice")));
            }
        }
        match COLUMNS.iter().zip(places).take(3).find(|(_, place)| place.is_none()) {
            Some(((name, _), _)) => Err(wrong(name, "the head line does not name it")),
            None => Ok(Columns { reader, places }),
        }
    }

    /// A row of the table.
    pub fn row(&mut self, text: &str, points: &Catalogue) -> Result<Row, Wrong> {
        let cells = cells(&mut self.reader, text);
        let columns = self.places.iter().flatten().count();
        if cells.len() != columns {
            return Err(wrong(cells.len().min(columns) + 1, format!("{} cells, not {columns}", cells.len())));
        }
        let [at, point, value, unit, quality] =
            self.places.map(|place| place.and_then(|place| cells.get(place)).map_or("", String::as_str));
        let at = time(at).ok_or_else(|| {
            wrong("time", format!("{at:?} is no time: ISO 8601 with an offset, or milliseconds since 1970"))
        })?;
        let point: Address = point.trim().parse().map_err(|error| wrong("point", error))?;
        let quality = match quality.trim() {
            "" => Quality::Good,
            word => word.parse().map_err(|error| wrong("quality", format!("{word:?} {error}")))?,
        };
        let entry = points.find(&point).and_then(|id| points.get(id));
        if let Some(entry) = entry
            && !unit.is_empty()
            && unit != entry.unit.to_string()
        {
            return Err(wrong("unit", format!("{unit:?} is not the unit of {point}, {}", entry.unit)));
        }
        let bad = quality.severity() == Severity::Bad;
        let value = (!bad || !value.is_empty()).then(|| value.to_owned());
        Ok(Row { point, at, value, quality })
    }
}

/// ISO 8601 with an offset, or milliseconds since 1970.
fn time(text: &str) -> Option<UtcMs> {
    let text = text.trim();
    let ms = text.parse().ok();
    ms.or_else(|| text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)).map(UtcMs)
}

/// The cells of one row.
fn cells(reader: &mut csv_core::Reader, text: &str) -> Vec<String> {
    reader.reset();
    let (mut input, mut cells, mut cell) = (text.as_bytes(), Vec::new(), Vec::new());
    let mut piece = [0; 256];
    loop {
        let (result, read, written) = reader.read_field(input, &mut piece);
        input = input.get(read..).unwrap_or_default();
        cell.extend_from_slice(piece.get(..written).unwrap_or_default());
        match result {
            csv_core::ReadFieldResult::Field { record_end } => {
                cells.push(String::from_utf8_lossy(&cell).into_owned());
                cell.clear();
                if record_end {
                    return cells;
                }
            }
            csv_core::ReadFieldResult::End => return cells,
            csv_core::ReadFieldResult::InputEmpty | csv_core::ReadFieldResult::OutputFull => {}
        }
    }
}

/// The readings of a line: the tag `asset` and each field make a point; a field `X_quality` beside
/// the point X is its quality, unless it is a point itself.
pub fn rows_of_line(text: &str, points: &Catalogue) -> Result<Vec<Row>, Wrong> {
    if text.starts_with('#') {
        return Ok(Vec::new());
    }
    let line = parse_line(text).map_err(|error| wrong(error.column, error.what))?;
    let asset = line.tags.iter().find(|(key, _)| key == "asset").map(|(_, value)| value);
    let asset = asset.ok_or_else(|| wrong("asset", "the line has no such tag"))?;
    let address = |field: &str| -> Result<Address, Wrong> {
        format!("{asset}/{field}").parse().map_err(|error| wrong(field, error))
    };
    let (mut rows, mut qualities) = (Vec::<Row>::new(), Vec::new());
    for (key, value) in &line.fields {
        let of = key.strip_suffix("_quality").and_then(|of| address(of).ok());
        let of = of.filter(|of| points.find(of).is_some());
        match (of, value) {
            (Some(of), FieldText::Quoted(word)) if points.find(&address(key)?).is_none() => {
                let quality: Quality =
                    word.parse().map_err(|error| wrong(key, format!("{word:?} {error}")))?;
                qualities.push((of, quality));
            }
            (_, FieldText::Bare(text) | FieldText::Quoted(text)) => rows.push(Row {
                point: address(key)?,
                at: line.at,
                value: Some(text.clone()),
                quality: Quality::Good,
            }),
        }
    }
    for (of, quality) in qualities {
        match rows.iter_mut().find(|row| row.point == of) {
            Some(row) => row.quality = quality,
            None => rows.push(Row { point: of, at: line.at, value: None, quality }),
        }
    }
    Ok(rows)
}
