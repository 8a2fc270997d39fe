//! What derived points begin with: the past of their windows, out of the history.

use crate::config::{Plan, Point};
use crate::historian::query::{Content, Merge, QueryError, Row, Window};
use crate::historian::{History, HistoryError, Reach};
use crate::point::{Address, PointId, Reading, UtcMs};
use crate::readings::derived::Settings;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Points of one question: what the journal has of all of them is in memory together.
const POINTS_AT_ONCE: usize = 32;

/// The points that come from a device or broker.
pub(super) fn not_derived(plan: &Plan) -> Vec<Point> {
    let derived = addresses(plan);
    plan.points.iter().filter(|point| !derived.contains(&point.address)).cloned().collect()
}

/// The points that are reckoned.
pub(super) fn addresses(plan: &Plan) -> BTreeSet<&Address> {
    plan.derived.iter().map(|derived| &derived.point).collect()
}

/// The readings that windows ending now hold, and the last one before each; of a point the newest if
/// there are more than are kept. What was kept for `before` is left out, and what cannot be read,
/// which is said: those windows begin empty.
pub(super) async fn past(
    history: &History,
    settings: &Settings,
    before: &Settings,
    now: UtcMs,
) -> Vec<Reading> {
    let kept: BTreeMap<PointId, u64> =
        before.windows().map(|(point, length_ms, _)| (point, length_ms)).collect();
    let mut by_length: BTreeMap<u64, Vec<(PointId, usize)>> = BTreeMap::new();
    for (point, length_ms, readings_max) in settings.windows() {
        if kept.get(&point).is_some_and(|kept| length_ms <= *kept) {
            continue;
        }
        by_length.entry(length_ms).or_default().push((point, readings_max));
    }
    let mut readings = Vec::new();
    for (length_ms, points) in by_length {
        let from = now.plus_ms(-i64::try_from(length_ms).unwrap_or(i64::MAX));
        let window = Window { from, to: now.plus_ms(1) };
        for some in points.chunks(POINTS_AT_ONCE) {
            if let Err(error) = one_question(history, some, window, &mut readings).await {
                tracing::warn!(points = some.len(), %error, "Windows of derived points begin empty: the history cannot be read.");
            }
        }
    }
    readings
}

async fn one_question(
    history: &History,
    points: &[(PointId, usize)],
    window: Window,
    readings: &mut Vec<Reading>,
) -> Result<(), HistoryError> {
    let (ids, most): (Vec<PointId>, Vec<usize>) = points.iter().copied().unzip();
    let newest = move |place: usize, stream: &mut Merge<'_>| -> Result<VecDeque<Row>, QueryError> {
        let most = most.get(place).copied().unwrap_or(0);
        let mut kept: VecDeque<Row> = VecDeque::new();
        while let Some(piece) = stream.piece()? {
            let Content::Rows(rows) = piece.content else { continue };
            kept.extend(rows);
            while kept.len() > most || kept.get(1).is_some_and(|second| second.at <= window.from) {
                kept.pop_front();
            }
        }
        Ok(kept)
    };
    let mut answers = history.ask(ids.clone(), Reach::Since(window), newest).await?;
    for point in ids {
        let Some(rows) = answers.next().await else { break };
        readings.extend(rows?.into_iter().map(|row| Reading {
            point,
            at: row.at,
            value: row.value,
            quality: row.quality,
        }));
    }
    Ok(())
}
