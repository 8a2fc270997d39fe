//! Readings of a data directory, page by page, for the verbs that print or write them.

use super::{Cli, Failure, check};
use crate::forward::Mapping;
use crate::historian::{self, History, ReadOnly};
use crate::point::{Catalogue, CatalogueEntry, Reading, UtcMs};
use anyhow::{Context, anyhow};
use std::path::Path;
use std::str::FromStr;

/// Readings asked for in one step; the next step begins behind the last one.
const PAGE: usize = 50_000;

/// An instant of the command line.
#[derive(Clone, Copy, Debug)]
pub struct Instant(pub UtcMs);

impl FromStr for Instant {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Instant, jiff::Error> {
        Ok(Instant(UtcMs(text.parse::<jiff::Timestamp>()?.as_millisecond())))
    }
}

/// The history of a data directory, to read.
pub fn open(data: &Path) -> Result<ReadOnly, Failure> {
    let store = historian::read_only(data).with_context(|| format!("the data in {}", data.display()))?;
    let data = data.display();
    let missing = || {
        anyhow!(
            "there is no history in {data} yet; name the data directory of a gateway that has run with --data \
             (a demo's is {data}/demo)"
        )
    };
    Ok(store.ok_or_else(missing)?)
}

/// How the points of the configuration become lines, whether the history has them yet or not.
pub fn lines(cli: &Cli, catalogue: &Catalogue) -> Result<Mapping, Failure> {
    let plan = check::load(&cli.config)?.plan;
    let mut catalogue = catalogue.clone();
    catalogue.declare(&plan.declared());
    Ok(Mapping::new(&plan, &catalogue).map_err(anyhow::Error::new)?)
}

/// Readings, and where to go on.
pub type Answer = anyhow::Result<(Vec<Reading>, Option<Page>)>;

/// What is still to be read.
#[derive(Clone, Copy)]
pub struct Page {
    from: UtcMs,
    to: UtcMs,
}

impl Page {
    /// From `from` on, up to and without `to`.
    pub fn first(from: UtcMs, to: UtcMs) -> Page {
        Page { from, to }
    }

    /// The next readings of a point.
    pub async fn next(self, history: &History, point: &CatalogueEntry) -> Answer {
        let range = history.range(point.id, self.from, self.to, PAGE).await?;
        let behind = range.readings.last().filter(|_| range.truncated).map(|last| last.at.plus_ms(1));
        Ok((range.readings, behind.map(|from| Page { from, ..self })))
    }
}
