//! An expression tried out on the plant as it is now: checked like any other, evaluated once with
//! the newest values and with windows out of the history. Nothing of it is kept.

use super::error::ApiError;
use super::plant::{Plant, PlantPoint};
use super::state::AppState;
use crate::expr::{
    COST_STEPS_MAX, Decided, Facts, Formula, Inputs, Mistake, Outcome, Points, State, Tree, Window,
};
use crate::historian::query::{self, Content, Merge, QueryError};
use crate::historian::{HistoryError, Reach};
use crate::point::{Address, PointId, Reading, TextId, Unit, UtcMs, Value};
use crate::readings::CurrentValue;
use axum::http::StatusCode;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// The windows of an expression are read no longer.
const WINDOWS_TIMEOUT: Duration = Duration::from_secs(5);

/// Readings of one window that are looked at, at most. The check has reckoned with the intervals of
/// the configuration; a source may speak more often.
const READINGS_MAX: usize = 4 * 100_000;
const _: () = assert!(READINGS_MAX as u64 >= COST_STEPS_MAX, "what the check lets pass is read");

/// A point and what is known of it before an expression reads it.
impl Points for Plant {
    fn find(&self, address: &Address) -> Option<Facts> {
        self.find(address).map(|point| facts(point))
    }

    fn addresses(&self) -> Vec<Address> {
        self.points().map(|point| point.plan.address.clone()).collect()
    }
}

fn facts(point: &PlantPoint) -> Facts {
    let plan = &point.plan;
    let state = |state: &crate::config::State| State { value: state.value, names: state.name.clone() };
    Facts {
        point: point.id,
        kind: plan.kind,
        unit: plan.unit,
        states: plan.states.iter().map(state).collect(),
        interval_ms: point.interval_ms,
    }
}

/// Reads and checks an expression, in a unit if one is asked for. It may have to compare a wrong name
/// with all there are, which takes a while: not on a thread that serves others.
pub async fn check(
    plant: Arc<Plant>,
    formula: String,
    unit: Option<Unit>,
) -> Result<Result<Formula, Mistake>, ApiError> {
    let checked = tokio::task::spawn_blocking(move || {
        let formula = Tree::parse(&formula)?.check(&*plant)?;
        match unit {
            Some(unit) => formula.in_unit(unit),
            None => Ok(formula),
        }
    });
    checked.await.map_err(|error| ApiError::internal(&error))
}

/// What an expression is evaluated with: all it may ask, fetched beforehand.
#[derive(Debug)]
pub struct Gathered {
    /// When it was fetched.
    pub now: UtcMs,
    current: HashMap<PointId, CurrentValue>,
    windows: HashMap<(PointId, u64), Window>,
    words: HashMap<TextId, Arc<str>>,
}

impl Gathered {
    /// Fetches the newest values of the inputs, and their windows.
    pub async fn fetch(state: &AppState, formula: &Formula) -> Result<Gathered, ApiError> {
        let now = state.clock().utc();
        let ids: Vec<PointId> = formula.inputs().iter().map(|input| input.facts.point).collect();
        let values = ids.iter().copied().zip(state.current().many(&ids));
        let current: HashMap<_, _> = values.filter_map(|(id, value)| Some((id, value?))).collect();
        let word = |value: &CurrentValue| match value.reading.value {
            Some(Value::Text(id)) => Some((id, state.texts().word(id)?)),
            _ => None,
        };
        let words = current.values().filter_map(word).collect();
        let mut gathered = Gathered { now, current, windows: HashMap::new(), words };
        let read = tokio::time::timeout(WINDOWS_TIMEOUT, gathered.read_windows(state, formula));
        read.await.map_err(|_| too_slow())??;
        Ok(gathered)
    }

    /// What is known of a point now.
    pub fn current(&self, point: PointId) -> Option<&CurrentValue> {
        self.current.get(&point)
    }

    /// Evaluates.
    pub fn eval<'a>(&'a self, formula: &'a Formula) -> Outcome<'a> {
        formula.eval(self.now, self)
    }

    /// What decided an outcome, in words.
    pub fn explain(&self, formula: &Formula, decided: Decided) -> Vec<crate::point::Names> {
        formula.explain(decided, self.now, self)
    }

    async fn read_windows(&mut self, state: &AppState, formula: &Formula) -> Result<(), ApiError> {
        let mut by_length: BTreeMap<u64, Vec<PointId>> = BTreeMap::new();
        for need in formula.windows() {
            if let Some(input) = formula.inputs().get(need.input) {
                by_length.entry(need.length_ms).or_default().push(input.facts.point);
            }
        }
        for (length_ms, points) in by_length {
            let window = self.window_of(length_ms);
            let answer = |_: usize, stream: &mut Merge<'_>| readings(stream);
            let mut answers = state.history().ask(points.clone(), Reach::Since(window), answer).await?;
            for point in points {
                let Some(found) = answers.next().await else { return Err(HistoryError::Closed.into()) };
                let Some(mut found) = found? else { return Err(too_many()) };
                self.go_on_to_now(point, &mut found);
                let of =
                    |row: &query::Row| Reading { point, at: row.at, value: row.value, quality: row.quality };
                let readings: Vec<Reading> = found.iter().map(of).collect();
                self.windows.insert((point, length_ms), Window::of(&readings, self.now, length_ms));
            }
        }
        Ok(())
    }

    /// Behind the start, up to and with now: what the history calls a window.
    fn window_of(&self, length_ms: u64) -> query::Window {
        let start = self.now.plus_ms(-i64::try_from(length_ms).unwrap_or(i64::MAX));
        query::Window { from: start.plus_ms(1), to: self.now.plus_ms(1) }
    }

    /// The newest reading may not be on disk yet.
    fn go_on_to_now(&self, point: PointId, rows: &mut Vec<query::Row>) {
        let Some(newest) = self.current(point).map(|value| value.reading) else { return };
        let last = rows.last();
        if last.is_none_or(|last| last.at < newest.at) {
            let seq = last.map_or(crate::historian::Seq(0), |last| last.seq);
            rows.push(query::Row { at: newest.at, seq, value: newest.value, quality: newest.quality });
        }
    }
}

impl Inputs for Gathered {
    fn reading(&self, point: PointId) -> Option<Reading> {
        self.current(point).map(|value| value.reading)
    }

    fn window(&self, point: PointId, length_ms: u64) -> Option<Window> {
        self.windows.get(&(point, length_ms)).copied()
    }

    fn text(&self, id: TextId) -> Option<&str> {
        self.words.get(&id).map(AsRef::as_ref)
    }
}

/// The rows of a stream in order; none if there are too many.
fn readings(stream: &mut Merge<'_>) -> Result<Option<Vec<query::Row>>, QueryError> {
    let mut rows = Vec::new();
    while let Some(piece) = stream.piece()? {
        if let Content::Rows(piece) = piece.content {
            rows.extend_from_slice(piece);
        }
        if rows.len() > READINGS_MAX {
            return Ok(None);
        }
    }
    Ok(Some(rows))
}

fn too_slow() -> ApiError {
    let message = format!("The windows took longer than {} s to read.", WINDOWS_TIMEOUT.as_secs());
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", message).hint("Ask for shorter windows.")
}

fn too_many() -> ApiError {
    let message = format!("A window holds more than {READINGS_MAX} readings.");
    ApiError::new(StatusCode::BAD_REQUEST, "too_many_readings", message).hint("Ask for a shorter window.")
}
