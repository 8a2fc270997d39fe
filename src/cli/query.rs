//! `query`: readings from the data directory, also beside a running gateway.

use super::choose::chosen;
use super::pages::{self, Answer, Instant, Page};
use super::{Cli, Failure, print};
use crate::clock::Clock;
use crate::forward::Mapping;
use crate::historian::History;
use crate::point::{CatalogueEntry, Reading, Value};
use anyhow::Context;
use std::fmt::Write;

/// Without `--from`: the last day.
const DEFAULT_SPAN_MS: i64 = 86_400_000;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Points as asset/quantity, `*` for any letters of a part; none means all.
    points: Vec<String>,
    /// Only the last reading of each point.
    #[arg(long, conflicts_with_all = ["from", "to"])]
    last: bool,
    /// Begin: RFC 3339, as `2026-11-22T08:00:00+08:00`; a day before the end if left out.
    #[arg(long, value_name = "TIME")]
    from: Option<Instant>,
    /// End, not included; now if left out.
    #[arg(long, value_name = "TIME")]
    to: Option<Instant>,
    /// How rows are written.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// Columns for a person; times in UTC.
    Table,
    /// RFC 4180, with a head line; times in UTC.
    Csv,
    /// One array of objects; `at` in milliseconds since 1970 UTC.
    Json,
    /// Line protocol, as it is forwarded; the configuration says what is what.
    Line,
}

/// `plantroom query`.
pub fn perform(cli: &Cli, options: &Options) -> Result<(), Failure> {
    let store = pages::open(&cli.data)?;
    let lines = matches!(options.format, Format::Line).then(|| pages::lines(cli, &store.catalogue));
    let lines = lines.transpose()?;
    let points = chosen(&store.catalogue, &options.points)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("the runtime cannot be started").map_err(Failure::Other)?;
    let now = Clock::system().utc();
    let to = options.to.map_or(now.plus_ms(1), |to| to.0);
    let from = options.from.map_or(to.plus_ms(-DEFAULT_SPAN_MS), |from| from.0);

    let mut rows = Rows { format: options.format, history: &store.history, lines, count: 0 };
    print(&rows.head())?;
    for point in points {
        let answer = runtime.block_on(async {
            if options.last {
                last(&store.history, point).await
            } else {
                Page::first(from, to).next(&store.history, point).await
            }
        });
        let (mut readings, mut page) = answer.map_err(Failure::Other)?;
        loop {
            let mut text = String::new();
            for reading in &readings {
                rows.push(&mut text, point, reading);
            }
            print(&text)?;
            let Some(rest) = page else { break };
            (readings, page) = runtime.block_on(rest.next(&store.history, point)).map_err(Failure::Other)?;
        }
    }
    print(&rows.foot())
}

async fn last(history: &History, point: &CatalogueEntry) -> Answer {
    let readings = history.last(&[point.id]).await?;
    Ok((readings.into_iter().flatten().collect(), None))
}

/// Rows of one format.
struct Rows<'a> {
    format: Format,
    history: &'a History,
    /// Only for that format.
    lines: Option<Mapping>,
    count: usize,
}

impl Rows<'_> {
    fn head(&self) -> String {
        match self.format {
            Format::Table => format!("{:<40} {:<24} {:>16} {:<8} quality\n", "point", "at", "value", "unit"),
            Format::Csv => "point,at,value,unit,quality\r\n".to_owned(),
            Format::Json => "[".to_owned(),
            Format::Line => String::new(),
        }
    }

    fn push(&mut self, text: &mut String, point: &CatalogueEntry, reading: &Reading) {
        if let Some(lines) = &self.lines {
            lines.write(text, reading, &|id| self.history.texts().word(id));
            return;
        }
        let value = if self.format_is_table() { self.short(reading) } else { self.value(reading) };
        let (address, at, quality, unit) = (&point.address, reading.at, reading.quality, point.unit);
        // Writing to a String cannot fail.
        let _written = match self.format {
            Format::Table => writeln!(
                text,
                "{address:<40} {at:<24} {value:>16} {unit:<8} {quality}",
                at = at.to_string(),
                address = address.to_string(),
                unit = unit.symbol()
            ),
            Format::Csv => write!(text, "{address},{at},{},{unit},{quality}\r\n", csv(&value)),
            Format::Line => Ok(()),
            Format::Json => {
                let comma = if self.count == 0 { "\n" } else { ",\n" };
                let value = self.json(reading);
                write!(
                    text,
                    "{comma}{{\"point\":\"{address}\",\"at\":{},\"value\":{value},\"unit\":\"{unit}\",\"quality\":\"{quality}\"}}",
                    at.0
                )
            }
        };
        self.count += 1;
    }

    fn foot(&self) -> String {
        match self.format {
            Format::Table | Format::Csv | Format::Line => String::new(),
            Format::Json => "\n]\n".to_owned(),
        }
    }

    fn value(&self, reading: &Reading) -> String {
        match reading.value {
            None => String::new(),
            Some(Value::Bool(on)) => on.to_string(),
            Some(Value::Decimal(number)) => number.to_string(),
            Some(Value::F64(number)) => number.to_string(),
            Some(Value::Text(id)) => self.history.texts().word(id).as_deref().unwrap_or_default().to_owned(),
        }
    }

    fn format_is_table(&self) -> bool {
        matches!(self.format, Format::Table)
    }

    fn short(&self, reading: &Reading) -> String {
        match reading.value {
            Some(Value::F64(number)) => shortest(number),
            _ => self.value(reading),
        }
    }

    fn json(&self, reading: &Reading) -> String {
        match reading.value {
            None => "null".to_owned(),
            Some(Value::Text(_)) => serde_json::Value::from(self.value(reading)).to_string(),
            Some(_) => self.value(reading),
        }
    }
}

/// For a person: a single-precision number in its own shortest digits.
#[expect(
    clippy::cast_possible_truncation,
    clippy::float_cmp,
    reason = "asks whether the cast loses anything"
)]
pub fn shortest(number: f64) -> String {
    if f64::from(number as f32) == number { (number as f32).to_string() } else { number.to_string() }
}

/// A cell of RFC 4180.
pub fn csv(value: &str) -> String {
    if value.contains(['"', ',', '\r', '\n']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}
