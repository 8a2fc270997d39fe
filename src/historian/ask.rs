//! Questions to the history: rows, buckets and statistics of points, as a stream of answers.
//!
//! Every question goes through one door, [`History::ask`]: what the journal has of its points is
//! collected, then point by point merged with what is sealed, and what is made of it goes to whoever
//! asked, a few answers ahead at most. All of it happens on the blocking pool and ends when the caller
//! is gone.
//!
//! The order is the journal first and the year files behind it: what is sealed meanwhile is met
//! twice, never missed.

use super::epochs::Epochs;
use super::gather::{Gather, Keep, ROWS_MAX};
use super::history::{Caller, History, HistoryError, RANGE_MAX, Range, Shared};
use super::journal::{JournalError, Span};
use super::query::{
    AsOf, Ask, InMemory, Merge, QueryError, Reckoning, Row, Series, Source, Statistics, Window, as_of, first,
    series, statistics,
};
use crate::point::{PointId, Reading, UtcMs};
use std::collections::HashSet;
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
            for (place, (point, rows)) in points.into_iter().zip(rows).enumerate() {
                let ask = Ask { from: reach.from(), to: reach.window().to, rows_max: ROWS_MAX, stop: &gone };
                let made = sources(&shared, point, rows, reach)
                    .map_err(QueryError::from)
                    .and_then(|sources| answer(place, &mut Merge::new(sources, ask)));
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
        let limit = limit.min(RANGE_MAX);
        let reach = Reach::First(Window { from, to }, limit);
        let reading = move |row: &Row| Reading { point, at: row.at, value: row.value, quality: row.quality };
        let answer = move |_, stream: &mut Merge<'_>| first(stream, limit, reading);
        let (readings, truncated) = self.ask(vec![point], reach, answer).await?.one().await?;
        Ok(Range { readings, truncated })
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

/// What the journal gave of a point.
struct Unsealed {
    rows: Vec<Row>,
    /// What it has before that was not looked at.
    from: UtcMs,
}

/// Where the rows of a point are: what the journal gave, and what is sealed.
fn sources(
    shared: &Shared,
    point: PointId,
    journal: Unsealed,
    reach: Reach,
) -> Result<Vec<Source<'static>>, JournalError> {
    let Window { from, to } = reach.window();
    let mut sources = Vec::new();
    if let Reach::Since(_) = reach {
        let corrected: HashSet<UtcMs> = journal.rows.iter().map(|row| row.at).collect();
        let hidden = |at| at < journal.from || corrected.contains(&at);
        let known = shared.sealed.known_before(point, from, hidden)?;
        sources.extend(known.into_iter().map(|(epoch, row)| InMemory::source(epoch, vec![row])));
    }
    if from < to {
        let wholes = matches!(reach, Reach::Since(_));
        sources.extend(shared.sealed.sources(point, Span { first: from, last: to.plus_ms(-1) }, wholes)?);
    }
    sources.extend(by_epoch(journal.rows, &shared.epochs()));
    Ok(sources)
}

/// Rows of the journal as sources: nearly always one.
fn by_epoch(mut rows: Vec<Row>, epochs: &Epochs) -> Vec<Source<'static>> {
    let epoch = |row: &Row| epochs.of(row.seq);
    rows.sort_by_key(|row| row.seq);
    let same = |a: &Row, b: &Row| epoch(a) == epoch(b);
    let source = |run: &[Row]| InMemory::source(run.first().map_or(0, epoch), run.to_vec());
    rows.chunk_by(same).map(source).collect()
}

/// What the journal has of the points and is not sealed, in their order.
fn rows_of(
    shared: &Shared,
    points: &[PointId],
    reach: Reach,
    gone: &AtomicBool,
) -> Result<Vec<Unsealed>, QueryError> {
    shared.with_reader(|journal| {
        let mut gather = Gather::new(shared, journal, gone, points.len());
        let (keep, from) = match reach {
            Reach::First(Window { from, .. }, limit) => (Keep::First(limit), vec![from; points.len()]),
            Reach::Since(window) => (Keep::All, look_back(&mut gather, shared, points, window.from)?),
        };
        let wanted: Vec<_> = points.iter().copied().zip(0..).collect();
        gather.read(&wanted, reach.window(), keep)?;
        let rows = gather.into_rows().into_iter().zip(from);
        Ok(rows.map(|(rows, from)| Unsealed { rows, from }).collect())
    })
}

/// Finds what was known of the points before an instant, as far as the journal says; returns how far
/// back was looked for each.
fn look_back(
    gather: &mut Gather<'_>,
    shared: &Shared,
    points: &[PointId],
    from: UtcMs,
) -> Result<Vec<UtcMs>, QueryError> {
    // Of a point that never said anything nothing is looked for.
    let spoken = shared.last.many(points).into_iter().map(|last| last.is_some());
    let places = points.iter().copied().zip(0..).zip(spoken);
    let mut missing: Vec<_> = places.filter(|(_, spoken)| *spoken).map(|(place, _)| place).collect();
    let (mut until, mut looked) = (from, vec![UtcMs(i64::MIN); points.len()]);
    for start in LOOK_BACK_MS.map(|ms| from.plus_ms(-ms)).into_iter().chain([UtcMs(i64::MIN)]) {
        gather.read(&missing, Window { from: start, to: until }, Keep::Last)?;
        missing.retain(|(_, place)| {
            let lacks = gather.lacks_value(*place);
            if let Some(looked) = looked.get_mut(*place).filter(|_| !lacks) {
                *looked = start;
            }
            lacks
        });
        until = start;
    }
    Ok(looked)
}
