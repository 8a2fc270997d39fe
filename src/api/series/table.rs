//! The columns of one point.

use super::figures::Figure;
use crate::historian::query::{Bucket, Row};
use crate::point::{Quality, Reason, Severity, Value};

/// The cells of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Cells {
    /// Whole numbers; [`Cells::NONE`] for none.
    Whole(Vec<i64>),
    /// Numbers; NaN for none.
    Numbers(Vec<f64>),
    /// Values as they are.
    Values(Vec<Option<Value>>),
    /// Qualities without their reasons.
    Severities(Vec<Option<Severity>>),
}

impl Cells {
    /// Stands for no whole number: no instant of the API and no count.
    pub const NONE: i64 = i64::MIN;
}

/// How often what comes in a row.
pub type Runs<T> = Vec<(usize, T)>;

/// Columns of the same length, each with its name.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// In the order in which they leave.
    pub columns: Vec<(&'static str, Cells)>,
    /// What readings have beside their columns; windows have nothing.
    pub readings: Option<Beside>,
}

/// What readings have beside their columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Beside {
    /// Their qualities.
    pub qualities: Runs<Quality>,
    /// Where to go on, if there are more.
    pub next: Option<i64>,
}

impl Table {
    /// The names of the columns of windows.
    pub fn names(figures: &[Figure]) -> impl Iterator<Item = &'static str> {
        std::iter::once("at").chain(figures.iter().map(|figure| figure.name()))
    }

    /// An empty one for so many windows.
    pub fn of_windows(figures: &[Figure], count: usize) -> Table {
        let cells = std::iter::once(Cells::Whole(Vec::with_capacity(count)));
        let cells = cells.chain(figures.iter().map(|figure| figure.cells(count)));
        Table { columns: Table::names(figures).zip(cells).collect(), readings: None }
    }

    /// Appends a window.
    pub fn push(&mut self, figures: &[Figure], bucket: &Bucket) {
        let mut columns = self.columns.iter_mut();
        if let Some((_, Cells::Whole(at))) = columns.next() {
            at.push(bucket.window.from.0);
        }
        for ((_, cells), figure) in columns.zip(figures) {
            figure.put(bucket, cells);
        }
    }

    /// Readings; `next` is where to go on.
    pub fn of_rows(rows: &[Row], next: Option<i64>) -> Table {
        let at = Cells::Whole(rows.iter().map(|row| row.at.0).collect());
        let values = Cells::Values(rows.iter().map(|row| row.value).collect());
        let qualities = runs(rows.iter().map(|row| row.quality));
        let readings = Some(Beside { qualities, next });
        Table { columns: vec![("at", at), ("value", values)], readings }
    }
}

/// The lengths of runs of equal items.
pub fn runs<T: Copy + PartialEq>(items: impl Iterator<Item = T>) -> Runs<T> {
    let mut runs: Runs<T> = Vec::new();
    for item in items {
        match runs.last_mut() {
            Some((count, last)) if *last == item => *count += 1,
            _ => runs.push((1, item)),
        }
    }
    runs
}

/// A quality as one word: `good`, `bad_timeout`.
pub fn quality_word(quality: Quality) -> String {
    let severity = severity_word(quality.severity());
    quality.reason().map(Reason::word).map_or_else(|| severity.to_owned(), |why| format!("{severity}_{why}"))
}

/// A quality without its reason.
pub fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Good => "good",
        Severity::Uncertain => "uncertain",
        Severity::Bad => "bad",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_equal_ones_are_counted() {
        assert_eq!(runs("aabccc".chars()), [(2, 'a'), (1, 'b'), (3, 'c')]);
        assert_eq!(runs("".chars()), []);
        assert_eq!(quality_word(Quality::Bad(Reason::Timeout)), "bad_timeout");
        assert_eq!(quality_word(Quality::Good), "good");
    }
}
