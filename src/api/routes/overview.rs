//! `/api/v1/overview`: the whole site, a cell for each system in each building.

use super::assets::AssetPoint;
use crate::alarms::Filter;
use crate::api::error::{ApiError, Failure};
use crate::api::model::Model;
use crate::api::state::AppState;
use crate::api::viewer::Viewer;
use crate::point::{Quality, Reason};
use crate::work_orders;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

/// The site at a glance.
#[derive(Debug, Serialize, ToSchema)]
pub struct Overview {
    /// The server's time, UTC milliseconds.
    now: i64,
    /// By system, then by building; what is in no building comes last.
    items: Vec<OverviewCell>,
}

/// A system in a building.
#[derive(Debug, Serialize, ToSchema)]
pub struct OverviewCell {
    /// Word of the system.
    #[schema(example = "medical_gas")]
    system: &'static str,
    /// Id of the building; null for what is in none.
    #[schema(required)]
    building: Option<String>,
    /// How many assets.
    assets: usize,
    /// How many points they have.
    points: usize,
    /// What a person wants to see first, at most four points.
    key: Vec<AssetPoint>,
    /// How many of the points have a reading that arrived in time.
    comms: Comms,
    /// What is wrong.
    alarms: CellAlarms,
    /// Work orders that are not closed.
    work_orders_open: usize,
}

/// Points whose readings arrive in time.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
pub struct Comms {
    /// A value of the source's own has arrived and is not stale, whatever else may be said of it.
    good: usize,
    /// All of them.
    total: usize,
}

/// Alarms of a cell.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
pub struct CellAlarms {
    /// The most urgent of those that are open: 1 urgent to 4 low.
    #[schema(required)]
    worst_priority: Option<u8>,
    /// Not over, or not seen.
    open: usize,
    /// Not seen by anybody.
    unacknowledged: usize,
}

/// What is counted of a cell.
#[derive(Clone, Copy, Default)]
struct Tally {
    comms: Comms,
    alarms: CellAlarms,
    orders: usize,
}

/// Get the site at a glance
#[utoipa::path(get, path = "/api/v1/overview", tag = "plant", responses((status = 200, body = Overview), Failure))]
pub async fn get_overview(
    _viewer: Viewer,
    State(state): State<AppState>,
) -> Result<Json<Overview>, ApiError> {
    let plant = state.plant();
    let model = plant.model();
    let now = state.clock().utc().0;
    let mut tallies = vec![Tally::default(); model.cells().len()];
    count_readings(model, &state, &mut tallies);
    let open = state.alarms().list(Filter::Open).await?;
    for alarm in open {
        let Some(tally) = cell_of(model, &alarm.asset, &mut tallies) else { continue };
        let alarms = &mut tally.alarms;
        alarms.open += 1;
        alarms.unacknowledged += usize::from(!alarm.state.acked);
        let worst = alarms.worst_priority.map_or(alarm.priority, |worst| worst.min(alarm.priority));
        alarms.worst_priority = Some(worst);
    }
    for order in state.work_orders().list(work_orders::Filter::Open).await? {
        if let Some(tally) = cell_of(model, &order.asset, &mut tallies) {
            tally.orders += 1;
        }
    }
    let items = model.cells().iter().zip(tallies).map(|(cell, tally)| OverviewCell {
        system: cell.system.word(),
        building: model.id(cell.building),
        assets: cell.assets,
        points: cell.points,
        key: cell.key.iter().map(|point| AssetPoint::of(point)).collect(),
        comms: tally.comms,
        alarms: tally.alarms,
        work_orders_open: tally.orders,
    });
    Ok(Json(Overview { now, items: items.collect() }))
}

/// One pass over the newest values, in the order they lie in.
fn count_readings(model: &Model, state: &AppState, tallies: &mut [Tally]) {
    let counted = model.counted();
    state.current().visit(&counted.ids, |place, value| {
        let Some(tally) = counted.of.get(place).and_then(|cell| tallies.get_mut(*cell)) else { return };
        tally.comms.total += 1;
        tally.comms.good += usize::from(value.is_some_and(|value| in_time(value.reading.quality)));
    });
}

/// Whether the source itself has given a value and gives it still. One out of range or frozen is a matter of the
/// instrument, not of the line.
pub(super) fn in_time(quality: Quality) -> bool {
    match quality {
        Quality::Good => true,
        Quality::Uncertain(reason) => !matches!(reason, Reason::Stale | Reason::Substituted),
        Quality::Bad(_) => false,
    }
}

fn cell_of<'t>(model: &Model, asset: &str, tallies: &'t mut [Tally]) -> Option<&'t mut Tally> {
    tallies.get_mut(model.find(asset)?.cell?)
}
