//! What a bucket comes to, figure by figure.

use super::table::Cells;
use crate::api::error::ApiError;
use crate::historian::query::Bucket;
use crate::historian::summary::nearest;
use crate::point::{Severity, UtcMs, Value};

/// A column of an answer in windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// The least number.
    Min,
    /// The greatest number.
    Max,
    /// When the least one was first seen, UTC milliseconds.
    MinAt,
    /// When the greatest one was first seen, UTC milliseconds.
    MaxAt,
    /// The mean of the numbers.
    Mean,
    /// The mean of the numbers, each with the weight of the time it held.
    Weighted,
    /// The first number.
    First,
    /// The last number.
    Last,
    /// The sum of the numbers.
    Sum,
    /// Readings with a value.
    Count,
    /// What a counter grew by, resets considered.
    Increase,
    /// Readings of quality good.
    Good,
    /// The worst quality among the readings.
    Worst,
}

const NAMES: [(&str, Figure); 13] = [
    ("min", Figure::Min),
    ("max", Figure::Max),
    ("min_at", Figure::MinAt),
    ("max_at", Figure::MaxAt),
    ("mean", Figure::Mean),
    ("weighted", Figure::Weighted),
    ("first", Figure::First),
    ("last", Figure::Last),
    ("sum", Figure::Sum),
    ("count", Figure::Count),
    ("increase", Figure::Increase),
    ("good", Figure::Good),
    ("worst", Figure::Worst),
];

impl Figure {
    /// Those of a list with commas between them, each once, in its order; columns of a chart always
    /// say their worst quality.
    pub fn list(list: Option<&str>, chart: bool) -> Result<Vec<Figure>, ApiError> {
        let mut figures = Vec::new();
        for word in list.unwrap_or("min,max,mean").split(',') {
            let figure = NAMES.iter().find(|(name, _)| *name == word).map(|(_, figure)| *figure);
            let Some(figure) = figure.filter(|figure| !figures.contains(figure)) else {
                let names = NAMES.map(|(name, _)| name).join(", ");
                return Err(ApiError::parameter("figures", word, format!("one of {names}, each once")));
            };
            figures.push(figure);
        }
        if chart && !figures.contains(&Figure::Worst) {
            figures.push(Figure::Worst);
        }
        Ok(figures)
    }

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(_, figure)| *figure == self).map_or("", |(name, _)| name)
    }

    /// An empty column of it.
    pub fn cells(self, len: usize) -> Cells {
        match self {
            Figure::MinAt | Figure::MaxAt | Figure::Count | Figure::Good => {
                Cells::Whole(Vec::with_capacity(len))
            }
            Figure::Worst => Cells::Severities(Vec::with_capacity(len)),
            _ => Cells::Numbers(Vec::with_capacity(len)),
        }
    }

    /// Appends what a bucket comes to. A window without numbers has none of the figures about
    /// numbers.
    pub fn put(self, bucket: &Bucket, cells: &mut Cells) {
        let summary = &bucket.summary;
        let some = |sum: f64| (summary.numbers > 0).then_some(sum);
        match cells {
            Cells::Whole(cells) => cells.push(match self {
                Figure::MinAt => at(summary.min),
                Figure::MaxAt => at(summary.max),
                Figure::Good => summary.good.cast_signed(),
                _ => summary.count.cast_signed(),
            }),
            Cells::Severities(cells) => cells.push(bucket.worst()),
            Cells::Numbers(cells) => cells.push(
                match self {
                    Figure::Min => number(summary.min),
                    Figure::Max => number(summary.max),
                    Figure::First => number(summary.first),
                    Figure::Last => number(summary.last),
                    Figure::Weighted => bucket.time.and_then(|time| time.mean()),
                    Figure::Sum => some(summary.sum.to_f64()),
                    Figure::Increase => some(summary.increase.to_f64()),
                    _ => summary.mean(),
                }
                .unwrap_or(f64::NAN),
            ),
            Cells::Values(_) => {}
        }
    }
}

/// How good a severity is, as a number: 0 good, 1 uncertain, 2 bad.
pub fn rank(severity: Severity) -> f64 {
    match severity {
        Severity::Good => 0.0,
        Severity::Uncertain => 1.0,
        Severity::Bad => 2.0,
    }
}

fn number(mark: Option<(UtcMs, Value)>) -> Option<f64> {
    mark.and_then(|(_, value)| nearest(value))
}

fn at(mark: Option<(UtcMs, Value)>) -> i64 {
    mark.map_or(Cells::NONE, |(at, _)| at.0)
}
