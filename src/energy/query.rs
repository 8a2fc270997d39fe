//! What was counted, for whoever asks: meters, days, cells. The same numbers for every view.

use super::config::{BuildError, MeterInfo, infos};
use super::engine::{CELL_MS, StepQuality};
use super::rate::{self, Day};
use super::store;
use crate::calendar;
use crate::clock::Clock;
use crate::config::Plan;
use crate::db::{Db, DbError};
use crate::point::{Decimal, DecimalError, Name, UtcMs};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::sync::Arc;

/// Most days of one answer.
pub const DAYS_MAX: usize = 400;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum EnergyError {
    /// No such meter.
    #[error("there is no meter {0}")]
    UnknownMeter(String),
    /// The end lies before the beginning.
    #[error("the end lies before the beginning")]
    Backwards,
    /// More than [`DAYS_MAX`] days.
    #[error("more than {DAYS_MAX} days at once")]
    TooLong,
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// A sum with more than 18 digits.
    #[error("the energy or its cost cannot be added up: {0}")]
    Sum(#[from] DecimalError),
}

/// How a cell came about, for a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellQuality {
    /// Measured.
    Good,
    /// Spread over a gap.
    Estimated,
    /// Holds a reset or an impossible rise.
    Event,
    /// Over, and nothing is known of it.
    Missing,
}

/// A cell, known or missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellView {
    /// When it begins.
    pub start: UtcMs,
    /// When it ends.
    pub end: UtcMs,
    /// In the unit of the meter; none exactly when it is missing.
    pub energy: Option<Decimal>,
    /// How it came about.
    pub quality: CellQuality,
    /// The tariff class it is priced in.
    pub class: Option<Name>,
}

/// Handle to what was counted; clones are cheap.
#[derive(Clone)]
pub struct Energy {
    shared: Arc<Shared>,
}

struct Shared {
    db: Db,
    clock: Clock,
    zone: TimeZone,
    meters: Vec<MeterInfo>,
}

impl Energy {
    /// For the meters of a plan.
    pub fn new(plan: &Plan, db: Db, clock: Clock) -> Result<Energy, BuildError> {
        let shared = Shared { db, clock, zone: plan.site.zone.clone(), meters: infos(plan)? };
        Ok(Energy { shared: Arc::new(shared) })
    }

    /// All meters in the order of the configuration.
    pub fn meters(&self) -> &[MeterInfo] {
        &self.shared.meters
    }

    /// One meter.
    pub fn meter(&self, id: &str) -> Result<&MeterInfo, EnergyError> {
        let found = self.shared.meters.iter().find(|meter| meter.id.as_str() == id);
        found.ok_or_else(|| EnergyError::UnknownMeter(id.to_owned()))
    }

    /// From when on readings of a meter came late that are not counted yet; none if all are.
    pub async fn late(&self, meter: &str) -> Result<Option<UtcMs>, EnergyError> {
        let meter = self.meter(meter)?.id.clone();
        let late = self.shared.db.read(move |connection| store::late(connection, meter.as_str()));
        Ok(late.await?.map(|late| late.from))
    }

    /// The civil days of the site from `from` to `to`, both included; at most [`DAYS_MAX`].
    pub async fn days(&self, meter: &str, from: Date, to: Date) -> Result<Vec<Day>, EnergyError> {
        let info = self.meter(meter)?;
        if to < from {
            return Err(EnergyError::Backwards);
        }
        let zone = &self.shared.zone;
        let span = (calendar::day_start(zone, from), calendar::day_end(zone, to));
        check_span(span)?;
        let now = self.shared.clock.utc();
        let cells = self.stored(meter, span).await?;
        Ok(rate::days(zone, info.tariff.as_ref(), &cells, from, to, now)?)
    }

    /// The cells that begin in `[from, to)` and are over or known, missing ones in their place.
    pub async fn cells(&self, meter: &str, from: UtcMs, to: UtcMs) -> Result<Vec<CellView>, EnergyError> {
        let info = self.meter(meter)?;
        check_span((from, to))?;
        let now = self.shared.clock.utc();
        let stored = self.stored(meter, (from, to)).await?;
        let mut known = stored.into_iter().peekable();
        let mut views = Vec::new();
        let mut start = from.0.saturating_add(CELL_MS - 1).div_euclid(CELL_MS) * CELL_MS;
        while start < to.0 {
            let end = start + CELL_MS;
            let cell = known.next_if(|cell| cell.start.0 == start);
            if cell.is_some() || end <= now.0 {
                let tariff = info.tariff.as_ref();
                let class = tariff.and_then(|tariff| rate::class_of(&self.shared.zone, tariff, UtcMs(start)));
                views.push(CellView {
                    start: UtcMs(start),
                    end: UtcMs(end),
                    energy: cell.map(|cell| cell.energy),
                    quality: cell.map_or(CellQuality::Missing, |cell| cell.quality.into()),
                    class: class.cloned(),
                });
            }
            start = end;
        }
        Ok(views)
    }

    async fn stored(&self, meter: &str, (from, to): (UtcMs, UtcMs)) -> Result<Vec<rate::Cell>, DbError> {
        let meter = meter.to_owned();
        self.shared.db.read(move |connection| store::cells(connection, &meter, from, to)).await
    }
}

impl From<StepQuality> for CellQuality {
    fn from(quality: StepQuality) -> CellQuality {
        match quality {
            StepQuality::Good => CellQuality::Good,
            StepQuality::Estimated => CellQuality::Estimated,
            StepQuality::Event => CellQuality::Event,
        }
    }
}

fn check_span((from, to): (UtcMs, UtcMs)) -> Result<(), EnergyError> {
    // Days of 25 hours must not count against the limit.
    let most = i64::try_from(DAYS_MAX).unwrap_or(i64::MAX) * 86_400_000 + 86_400_000;
    match to.since_ms(from) {
        ..0 => Err(EnergyError::Backwards),
        span if span > most => Err(EnergyError::TooLong),
        _ => Ok(()),
    }
}
