//! `query`: readings from the data directory, also beside a running gateway.

use super::{Cli, Failure, print};
use crate::clock::Clock;
use crate::historian::{self, History, ReadOnly};
use crate::point::{Address, CatalogueEntry, Reading, UtcMs, Value};
use anyhow::{Context, anyhow};
use std::fmt::Write;
use std::str::FromStr;

/// Readings asked for in one step; the next step begins behind the last one.
const PAGE: usize = 50_000;
/// Without `--from`: the last day.
const DEFAULT_SPAN_MS: i64 = 86_400_000;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Points as asset/quantity; none means all.
    points: Vec<Address>,
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
}

/// An instant of the command line.
#[derive(Clone, Copy, Debug)]
struct Instant(UtcMs);

impl FromStr for Instant {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Instant, jiff::Error> {
        Ok(Instant(UtcMs(text.parse::<jiff::Timestamp>()?.as_millisecond())))
    }
}

/// `plantroom query`.
pub fn perform(cli: &Cli, options: &Options) -> Result<(), Failure> {
    let store =
        historian::read_only(&cli.data).with_context(|| format!("the data in {}", cli.data.display()))?;
    let store = store.ok_or_else(|| {
        let data = cli.data.display();
        anyhow!(
            "there is no history in {data} yet; name the data directory of a gateway that has run with --data \
             (a demo's is {data}/demo)"
        )
    })?;
    let points = chosen(&store, &options.points)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("the runtime cannot be started").map_err(Failure::Other)?;
    let now = Clock::system().utc();
    let to = options.to.map_or(now.plus_ms(1), |to| to.0);
    let from = options.from.map_or(to.plus_ms(-DEFAULT_SPAN_MS), |from| from.0);

    let mut rows = Rows::new(options.format, &store.history);
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

fn chosen<'a>(store: &'a ReadOnly, wanted: &[Address]) -> Result<Vec<&'a CatalogueEntry>, Failure> {
    if wanted.is_empty() {
        return Ok(store.catalogue.entries().filter(|entry| entry.declared).collect());
    }
    let find = |address: &Address| {
        let entry = store.catalogue.find(address).and_then(|id| store.catalogue.get(id));
        entry.ok_or_else(|| {
            Failure::Other(anyhow!("no point has the address {address}; `plantroom query --last` lists all"))
        })
    };
    wanted.iter().map(find).collect()
}

type Answer = anyhow::Result<(Vec<Reading>, Option<Page>)>;

async fn last(history: &History, point: &CatalogueEntry) -> Answer {
    let readings = history.last(&[point.id]).await?;
    Ok((readings.into_iter().flatten().collect(), None))
}

/// What is still to be read.
#[derive(Clone, Copy)]
struct Page {
    from: UtcMs,
    to: UtcMs,
}

impl Page {
    fn first(from: UtcMs, to: UtcMs) -> Page {
        Page { from, to }
    }

    async fn next(self, history: &History, point: &CatalogueEntry) -> Answer {
        let range = history.range(point.id, self.from, self.to, PAGE).await?;
        let behind = range.readings.last().filter(|_| range.truncated).map(|last| last.at.plus_ms(1));
        Ok((range.readings, behind.map(|from| Page { from, ..self })))
    }
}

/// Rows of one format.
struct Rows<'a> {
    format: Format,
    history: &'a History,
    count: usize,
}

impl Rows<'_> {
    fn new(format: Format, history: &History) -> Rows<'_> {
        Rows { format, history, count: 0 }
    }

    fn head(&self) -> String {
        match self.format {
            Format::Table => format!("{:<40} {:<24} {:>16} {:<8} quality\n", "point", "at", "value", "unit"),
            Format::Csv => "point,at,value,unit,quality\r\n".to_owned(),
            Format::Json => "[".to_owned(),
        }
    }

    fn push(&mut self, text: &mut String, point: &CatalogueEntry, reading: &Reading) {
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
            Format::Table | Format::Csv => String::new(),
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

fn csv(value: &str) -> String {
    if value.contains(['"', ',', '\r', '\n']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}
