//! Questions to the history: rows, buckets and statistics of points, as a stream of answers.
//!
//! Every question goes through one door, [`History::ask`]: the rows of its points are collected,
//! merged point by point, and what is made of them goes to whoever asked, a few answers ahead at
//! most. All of it happens on the blocking pool and ends when the caller is gone.

use super::gather::{Gather, Keep, ROWS_MAX};
use super::history::{Caller, History, HistoryError, RANGE_MAX, Range, Shared};
use super::query::{
    AsOf, Ask, InMemory, Merge, QueryError, Reckoning, Row, Series, Source, Statistics, Window, as_of,
    series, statistics,
};
use crate::point::{PointId, Reading, UtcMs};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::sync::mpsc;

/// Answers that wait for the caller.
const ANSWERS_WAITING: usize = 2;

/// A caller that does not take the next answer within this is given up.
const TAKE_WITHIN: Duration = Duration::from_secs(30);

/// How far before a window its last value is looked for, one after the other until there is one;
/// then everywhere. Milliseconds.
const LOOK_BACK_MS: [i64; 3] = [3_600_000, 86_400_000, 31 * 86_400_000];

/// Which rows of a point a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Those of the first so many instants in a window, and of one more.
    First(Window, usize),
    /// All in a window, and what was known when it began: the last reading, the last value and the
    /// last good one.
    Since(Window),
}

impl Reach {
    fn window(self) -> Window {
        match self {
            Reach::First(window, _) | Reach::Since(window) => window,
        }
    }

    /// From where on rows are of interest.
    fn from(self) -> UtcMs {
        match self {
            Reach::First(window, _) => window.from,
            Reach::Since(_) => UtcMs(i64::MIN),
        }
    }
}

/// The answers to a question, one for each of its points and in their order. Dropped, the
/// question is withdrawn.
#[derive(Debug)]
pub struct Answers<T> {
    answers: mpsc::Receiver<Result<T, QueryError>>,
    _caller: Caller,
}

impl<T> Answers<T> {
    /// The next one; none when all were given. After an error there are no more.
    pub async fn next(&mut self) -> Option<Result<T, HistoryError>> {
        Some(self.answers.recv().await?.map_err(HistoryError::from))
    }

    async fn all(mut self) -> Result<Vec<T>, HistoryError> {
        let mut all = Vec::new();
        while let Some(answer) = self.next().await {
            all.push(answer?);
        }
        Ok(all)
    }

    async fn one(mut self) -> Result<T, HistoryError> {
        self.next().await.unwrap_or(Err(HistoryError::Closed))
    }
}

impl History {
    /// Asks for one answer for each of these points, each of which is named once; `answer` makes
    /// it of the place of the point in the list and the stream of its rows, on the blocking pool.
    pub async fn ask<T: Send + 'static>(
        &self,
        points: Vec<PointId>,
        reach: Reach,
        mut answer: impl FnMut(usize, &mut Merge<'_>) -> Result<T, QueryError> + Send + 'static,
    ) -> Result<Answers<T>, HistoryError> {
        let shared = Arc::clone(&self.0);
        let permit = Arc::clone(&shared.questions).acquire_owned().await;
        let permit = permit.map_err(|_| HistoryError::Closed)?;
        let caller = Caller::default();
        let gone = Arc::clone(&caller.gone);
        let (tx, answers) = mpsc::channel(ANSWERS_WAITING);
        let runtime = tokio::runtime::Handle::current();
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            // False when no one takes it any more.
            let give = |answer| runtime.block_on(tx.send_timeout(answer, TAKE_WITHIN)).is_ok();
            let rows = match rows_of(&shared, &points, reach, &gone) {
                Ok(rows) => rows,
                Err(error) => {
                    give(Err(error));
                    return;
                }
            };
            for (place, rows) in rows.into_iter().enumerate() {
                let ask = Ask { from: reach.from(), to: reach.window().to, rows_max: ROWS_MAX, stop: &gone };
                let made = answer(place, &mut Merge::new(sources(rows), ask));
                let failed = made.is_err();
                if !give(made) || failed {
                    return;
                }
            }
        });
        Ok(Answers { answers, _caller: caller })
    }

    /// The first `limit` rows of a point with `from <= at < to`, by time; at most [`RANGE_MAX`].
    pub async fn series(
        &self,
        point: PointId,
        from: UtcMs,
        to: UtcMs,
        limit: usize,
    ) -> Result<Series, HistoryError> {
        let limit = limit.min(RANGE_MAX);
        let reach = Reach::First(Window { from, to }, limit);
        self.ask(vec![point], reach, move |_, stream| series(stream, limit)).await?.one().await
    }

    /// Readings of a point with `from <= at < to`, by time; of one instant the one that arrived
    /// last. The first `limit` of them, at most [`RANGE_MAX`].
    pub async fn range(
        &self,
        point: PointId,
        from: UtcMs,
        to: UtcMs,
        limit: usize,
    ) -> Result<Range, HistoryError> {
        let Series { rows, truncated } = self.series(point, from, to, limit).await?;
        let reading = |row: Row| Reading { point, at: row.at, value: row.value, quality: row.quality };
        Ok(Range { readings: rows.into_iter().map(reading).collect(), truncated })
    }

    /// What was known of points at an instant.
    pub async fn as_of(&self, points: Vec<PointId>, at: UtcMs) -> Result<Vec<AsOf>, HistoryError> {
        let behind = at.plus_ms(1);
        let reach = Reach::Since(Window { from: behind, to: behind });
        self.ask(points, reach, move |_, stream| as_of(stream, at)).await?.all().await
    }

    /// What a window comes to, for each point reckoned in its own way; none of an empty one.
    pub async fn statistics(
        &self,
        asked: Vec<(PointId, Reckoning)>,
        window: Window,
    ) -> Result<Vec<Option<Statistics>>, HistoryError> {
        let (points, reckonings): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
        let answer = move |place: usize, stream: &mut Merge<'_>| {
            let reckoning = reckonings.get(place).copied().unwrap_or_default();
            statistics(stream, window, reckoning)
        };
        self.ask(points, Reach::Since(window), answer).await?.all().await
    }
}

/// Where the rows of a point are: today the journal alone.
fn sources(journal: Vec<Row>) -> Vec<Source<'static>> {
    vec![InMemory::source(0, journal)]
}

/// What the journal has of the points, in their order.
fn rows_of(
    shared: &Shared,
    points: &[PointId],
    reach: Reach,
    gone: &AtomicBool,
) -> Result<Vec<Vec<Row>>, QueryError> {
    shared.with_reader(|journal| {
        let mut gather = Gather::new(shared, journal, gone, points.len());
        let keep = match reach {
            Reach::First(_, limit) => Keep::First(limit),
            Reach::Since(window) => {
                look_back(&mut gather, shared, points, window.from)?;
                Keep::All
            }
        };
        let wanted: Vec<_> = points.iter().copied().zip(0..).collect();
        gather.read(&wanted, reach.window(), keep)?;
        Ok(gather.into_rows())
    })
}

/// Finds what was known of the points before an instant.
fn look_back(
    gather: &mut Gather<'_>,
    shared: &Shared,
    points: &[PointId],
    from: UtcMs,
) -> Result<(), QueryError> {
    // Of a point that never said anything nothing is looked for.
    let spoken = shared.last.many(points).into_iter().map(|last| last.is_some());
    let places = points.iter().copied().zip(0..).zip(spoken);
    let mut missing: Vec<_> = places.filter(|(_, spoken)| *spoken).map(|(place, _)| place).collect();
    let mut until = from;
    for start in LOOK_BACK_MS.map(|ms| from.plus_ms(-ms)).into_iter().chain([UtcMs(i64::MIN)]) {
        gather.read(&missing, Window { from: start, to: until }, Keep::Last)?;
        missing.retain(|(_, place)| gather.lacks_value(*place));
        until = start;
    }
    Ok(())
}
