//! `import`: readings from a file, CSV or line protocol.
//!
//! Three passes over the file: its digest, a check of every row (one mistake, and nothing is taken
//! in), and the taking in, batch after batch. Reading order: [`perform`], `source` (the file),
//! `rows` (the formats), `target` (who takes them), `state` (where to go on).

mod rows;
mod source;
mod state;
mod target;

use super::progress::Progress;
use super::{Cli, Failure, check, print, run, warn};
use crate::backup::{self, manifest};
use crate::clock::Clock;
use crate::historian::import::{self, ROWS_MAX, Row};
use crate::historian::{self, DataDir, DataDirError, Historian, Layout, Metrics};
use crate::net::{HttpTimeouts, socket_client};
use crate::point::{Address, Catalogue};
use anyhow::anyhow;
use rows::{Columns, rows_of_line};
use source::Source;
use state::State;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use target::{BATCH_WITHIN, Target};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Mistakes, and rows of one unknown point, that are named one by one.
const NAMED_MAX: usize = 20;

/// Rows taken in before it is noted that they are; a line of many fields may go over.
const BATCH_ROWS: usize = 4_000;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// The file; unpacked if its name ends in `.gz`.
    file: PathBuf,
    /// How readings are written; by the name of the file if left out: `.csv`, `.lp`, `.line`.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Leaves rows of unknown points out instead of refusing the file.
    #[arg(long)]
    skip_unknown: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A head line that names the columns time, point, value, and unit and quality if there are any.
    Csv,
    /// Line protocol as it is forwarded; times in milliseconds.
    Line,
}

/// `plantroom import`.
pub fn perform(cli: &Cli, options: &Options) -> Result<(), Failure> {
    let file = &File { path: &options.file, format: format(options)?, skip_unknown: options.skip_unknown };
    let runtime = run::multi_threaded()?;
    match DataDir::open(&cli.data) {
        Ok(held) => runtime.block_on(alone(cli, &held, file)),
        Err(DataDirError::InUse(_)) => runtime.block_on(beside(&Layout::of(&cli.data), file)),
        Err(other) => Err(anyhow::Error::new(other).into()),
    }
}

struct File<'a> {
    path: &'a Path,
    format: Format,
    skip_unknown: bool,
}

fn format(options: &Options) -> Result<Format, Failure> {
    let name = options.file.to_string_lossy().to_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let by_name = match name.rsplit_once('.') {
        Some((_, "csv")) => Some(Format::Csv),
        Some((_, "lp" | "line")) => Some(Format::Line),
        _ => None,
    };
    let unknown = || Failure::Usage("the name of the file does not say its format; say --format".to_owned());
    options.format.or(by_name).ok_or_else(unknown)
}

/// Through the process that holds the data directory.
async fn beside(data: &Layout, file: &File<'_>) -> Result<(), Failure> {
    let timeouts = HttpTimeouts { connect: Duration::from_secs(5), total: BATCH_WITHIN };
    let client = socket_client(&data.socket(), timeouts).map_err(anyhow::Error::new)?;
    let points = historian::points_of(data.root()).map_err(anyhow::Error::new)?.unwrap_or_default();
    take(data, file, &points, &Target::Running(client)).await
}

/// As a gateway would at its start: the points of the configuration, and our own writer.
async fn alone(cli: &Cli, data: &DataDir, file: &File<'_>) -> Result<(), Failure> {
    let plan = check::load(&cli.config)?.plan;
    let opened = Historian::open(&data.history(), Clock::system(), Metrics::default());
    let mut historian = opened.map_err(anyhow::Error::new)?.historian;
    let (points, _) = historian.declare(&plan.declared()).map_err(anyhow::Error::new)?;
    historian.number_behind(backup::followed(data.root()).map_err(anyhow::Error::new)?);
    let (feeds, fed) = mpsc::channel(1);
    let target = Target::Own(historian.importer(feeds));
    let stop = CancellationToken::new();
    let work = async {
        let done = take(data, file, &points, &target).await;
        stop.cancel();
        done
    };
    tokio::join!(historian.run(fed, stop.clone()), work).1
}

/// Checks the file, and takes it in from where an earlier run came to.
async fn take(data: &Layout, file: &File<'_>, points: &Catalogue, target: &Target) -> Result<(), Failure> {
    let digest = manifest::digest(file.path, "", None, &mut |_| ()).map_err(anyhow::Error::new)?;
    check_all(file, points)?;
    let format = if file.format == Format::Csv { "csv" } else { "line" };
    let mut state = State::open(&data.imports(), &digest.sha256, format)?;
    let mut bar = Progress::new("import");
    let mut reading = Reading::open(file)?;
    if state.done.place.bytes > 0 {
        reading.source.skip_to(state.done.place)?;
    }
    let mut more = true;
    while more {
        let mut batch = Vec::new();
        while more && batch.len() < BATCH_ROWS {
            let Some((number, rows)) = reading.next(points)? else {
                more = false;
                break;
            };
            let rows = rows.map_err(|wrong| anyhow!("row {number}, {wrong}"))?;
            batch.extend(rows.into_iter().filter(|row| points.find(&row.point).is_some()));
        }
        for part in batch.chunks(ROWS_MAX) {
            let taken = target.take(part).await?;
            state.done.stored += taken.stored;
            state.done.known += taken.known;
        }
        state.done.place = reading.source.place();
        state.keep()?;
        let (read, size) = reading.source.progress();
        bar.at(read, size);
    }
    drop(bar);
    let state::Done { stored, known, .. } = state.done;
    state.forget();
    print(&format!("{}: {stored} new readings, {known} were there already\n", file.path.display()))
}

/// A row by the number of its line, or the readings of a line.
type Numbered = (u64, Result<Vec<Row>, rows::Wrong>);

/// The rows of a file.
struct Reading {
    source: Source,
    columns: Option<Columns>,
}

impl Reading {
    /// Behind the head line, if there is one.
    fn open(file: &File<'_>) -> Result<Reading, Failure> {
        let csv = file.format == Format::Csv;
        let mut source = Source::open(file.path, csv)?;
        let mut columns = None;
        if csv {
            let (number, head) = source.row()?.ok_or_else(|| anyhow!("{} is empty", file.path.display()))?;
            let named = Columns::of(&head);
            columns = Some(named.map_err(|wrong| anyhow!("{}, row {number}, {wrong}", file.path.display()))?);
        }
        Ok(Reading { source, columns })
    }

    fn next(&mut self, points: &Catalogue) -> Result<Option<Numbered>, Failure> {
        let Some((number, text)) = self.source.row()? else { return Ok(None) };
        let rows = match &mut self.columns {
            Some(columns) => columns.row(&text, points).map(|row| vec![row]),
            None => rows_of_line(&text, points),
        };
        Ok(Some((number, rows)))
    }
}

/// Mistakes of a file, as many as a person reads.
#[derive(Default)]
struct Mistakes {
    count: usize,
    told: Vec<String>,
    /// The first rows of each unknown point, and how many there are.
    unknown: BTreeMap<Address, (Vec<u64>, usize)>,
}

impl Mistakes {
    fn add(&mut self, number: u64, wrong: impl std::fmt::Display) {
        self.count += 1;
        if self.told.len() < NAMED_MAX {
            self.told.push(format!("row {number}, {wrong}"));
        }
    }

    fn unknown_points(&self) -> String {
        let mut text = String::new();
        for (point, (rows, count)) in &self.unknown {
            let numbers: Vec<String> = rows.iter().map(ToString::to_string).collect();
            let more = count - rows.len();
            // Writing to a String cannot fail.
            let _infallible = write!(text, "no point has the address {point}: row {}", numbers.join(", "));
            let _infallible = if more > 0 { writeln!(text, " and {more} more") } else { writeln!(text) };
        }
        text
    }
}

/// Every row, before one of them is taken in.
fn check_all(file: &File<'_>, points: &Catalogue) -> Result<(), Failure> {
    let (mut reading, mut mistakes, now) = (Reading::open(file)?, Mistakes::default(), Clock::system().utc());
    let mut bar = Progress::new("check ");
    while let Some((number, rows)) = reading.next(points)? {
        let (read, size) = reading.source.progress();
        bar.at(read, size);
        let rows = rows.unwrap_or_else(|wrong| {
            mistakes.add(number, wrong);
            Vec::new()
        });
        for row in rows {
            let Some(entry) = points.find(&row.point).and_then(|id| points.get(id)) else {
                let (rows, count) = mistakes.unknown.entry(row.point).or_default();
                *count += 1;
                if rows.len() < NAMED_MAX {
                    rows.push(number);
                }
                continue;
            };
            if let Err(why) = import::check(&row, entry, now) {
                mistakes.add(number, format!("column {}: {why}", why.column()));
            }
        }
    }
    drop(bar);
    let unknown = mistakes.unknown_points();
    if !unknown.is_empty() && file.skip_unknown {
        warn(unknown.trim_end());
    }
    if mistakes.count > 0 {
        let more = mistakes.count - mistakes.told.len();
        let more = if more > 0 { format!("\nand {more} more") } else { String::new() };
        let told = mistakes.told.join("\n");
        return Err(anyhow!("{} is not taken in:\n{told}{more}\n{unknown}", file.path.display()).into());
    }
    if !unknown.is_empty() && !file.skip_unknown {
        let hint = "declare them in the configuration, or leave their rows out with --skip-unknown";
        return Err(anyhow!("{} is not taken in:\n{unknown}{hint}", file.path.display()).into());
    }
    Ok(())
}
