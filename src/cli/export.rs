//! `export`: readings to a file, to be taken in elsewhere.

use super::choose::chosen;
use super::pages::{self, Instant, Page};
use super::progress::Progress;
use super::query::csv;
use super::{Cli, Failure, check, print_to};
use crate::clock::Clock;
use crate::forward::{Mapping, Written};
use crate::historian::History;
use crate::point::{CatalogueEntry, Reading, UtcMs, Value};
use anyhow::Context;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::tz::TimeZone;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Points as asset/quantity, `*` for any letters of a part, several with commas; all if left out.
    #[arg(long, value_name = "POINTS", value_delimiter = ',')]
    points: Vec<String>,
    /// Begin: RFC 3339, as `2026-11-22T08:00:00+08:00`; the first reading if left out.
    #[arg(long, value_name = "TIME")]
    from: Option<Instant>,
    /// End, not included; now if left out.
    #[arg(long, value_name = "TIME")]
    to: Option<Instant>,
    /// How readings are written.
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    /// The file, compressed if its name ends in `.gz`; `-` is standard output.
    #[arg(long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// RFC 4180 with a head line: time in the site's zone, point, value, unit, quality.
    Csv,
    /// Line protocol, as it is forwarded; times in milliseconds.
    Line,
}

/// `plantroom export`.
pub fn perform(cli: &Cli, options: &Options) -> Result<(), Failure> {
    let store = pages::open(&cli.data)?;
    let zone = check::load(&cli.config)?.plan.site.zone;
    let writing = match options.format {
        Format::Csv => Writing::Csv(zone),
        Format::Line => Writing::Line(pages::lines(cli, &store.catalogue)?),
    };
    let mut points = chosen(&store.catalogue, &options.points)?;
    // The same file whatever numbers the points have.
    points.sort_by(|a, b| a.address.cmp(&b.address));
    let to = options.to.map_or_else(|| Clock::system().utc().plus_ms(1), |to| to.0);
    let first = Page::first(options.from.map_or(UtcMs::SOURCE_MIN, |from| from.0), to);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("the runtime cannot be started").map_err(Failure::Other)?;
    let mut out = Output::create(&options.output)?;
    let (mut bar, mut left_out) = (Progress::new("export"), 0_u64);
    out.write(writing.head())?;
    for (index, point) in points.iter().enumerate() {
        bar.at(index as u64, points.len() as u64);
        let mut page = Some(first);
        while let Some(next) = page {
            let (readings, rest) =
                runtime.block_on(next.next(&store.history, point)).map_err(Failure::Other)?;
            let mut text = String::new();
            for reading in &readings {
                left_out += u64::from(!writing.push(&mut text, &store.history, point, reading));
            }
            out.write(&text)?;
            page = rest;
        }
    }
    drop(bar);
    out.finish()?;
    if left_out > 0 {
        super::warn(&format!("{left_out} readings have no line: their point is not in the configuration"));
    }
    Ok(())
}

enum Writing {
    Csv(TimeZone),
    Line(Mapping),
}

impl Writing {
    fn head(&self) -> &'static str {
        match self {
            Writing::Csv(_) => "time,point,value,unit,quality\r\n",
            Writing::Line(_) => "",
        }
    }

    /// Whether the reading could be written.
    fn push(&self, text: &mut String, history: &History, point: &CatalogueEntry, reading: &Reading) -> bool {
        match self {
            Writing::Csv(zone) => {
                let value = csv(&value(history, reading));
                let (at, quality) = (time(reading.at, zone), reading.quality);
                let (address, unit) = (&point.address, point.unit);
                // Writing to a String cannot fail.
                let _infallible = write!(text, "{at},{address},{value},{unit},{quality}\r\n");
                true
            }
            Writing::Line(mapping) => {
                mapping.write(text, reading, &|id| history.texts().word(id)) == Written::Line
            }
        }
    }
}

/// The value in digits that read back as the same.
fn value(history: &History, reading: &Reading) -> String {
    match reading.value {
        None => String::new(),
        Some(Value::Bool(on)) => on.to_string(),
        Some(Value::Decimal(number)) => number.to_string(),
        Some(Value::F64(number)) => format!("{number:?}"),
        Some(Value::Text(id)) => history.texts().word(id).as_deref().unwrap_or_default().to_owned(),
    }
}

/// RFC 3339 with milliseconds and the zone's offset.
fn time(at: UtcMs, zone: &TimeZone) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(
        |_| at.0.to_string(),
        |at| at.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string(),
    )
}

/// Standard output, or a file that has its name only when it is whole.
enum Output {
    Standard,
    File { to: PathBuf, part: PathBuf, writer: Box<dyn Finish> },
}

impl Output {
    fn create(to: &Path) -> Result<Output, Failure> {
        if to == Path::new("-") {
            return Ok(Output::Standard);
        }
        let mut part = to.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let file = File::create(&part).with_context(|| format!("{} cannot be made", part.display()))?;
        let file = BufWriter::new(file);
        let writer: Box<dyn Finish> = if to.extension().is_some_and(|kind| kind == "gz") {
            Box::new(GzEncoder::new(file, Compression::default()))
        } else {
            Box::new(file)
        };
        Ok(Output::File { to: to.to_owned(), part, writer })
    }

    fn write(&mut self, text: &str) -> Result<(), Failure> {
        match self {
            Output::Standard => print_to(&mut std::io::stdout(), text),
            Output::File { part, writer, .. } => {
                let written = writer.write_all(text.as_bytes());
                Ok(written.with_context(|| format!("{} cannot be written", part.display()))?)
            }
        }
    }

    fn finish(self) -> Result<(), Failure> {
        let Output::File { to, part, writer } = self else { return Ok(()) };
        let done = writer.finish().and_then(|()| std::fs::rename(&part, &to));
        Ok(done.with_context(|| format!("{} cannot be written", to.display()))?)
    }
}

/// A writer whose end must reach the disk.
trait Finish: Write {
    fn finish(self: Box<Self>) -> std::io::Result<()>;
}

impl Finish for BufWriter<File> {
    fn finish(self: Box<Self>) -> std::io::Result<()> {
        self.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()
    }
}

impl Finish for GzEncoder<BufWriter<File>> {
    fn finish(self: Box<Self>) -> std::io::Result<()> {
        Finish::finish(Box::new((*self).finish()?))
    }
}
