//! What the configuration says about meters, resolved once: who counts which point, at what price.

use super::engine::Settings;
use crate::config::{Plan, Tariff};
use crate::point::{Address, Catalogue, Name, Names, PointId, Unit};

/// A meter as pages and programs see it.
#[derive(Clone, Debug)]
pub struct MeterInfo {
    /// Its id.
    pub id: Name,
    /// Its name.
    pub name: Names,
    /// The point that carries its register.
    pub point: Address,
    /// The unit of its energy: that of the point.
    pub unit: Unit,
    /// One count is 10^exponent of the unit.
    pub exponent: i8,
    /// What the energy costs.
    pub tariff: Option<Tariff>,
}

/// A meter as the engine counts it.
#[derive(Clone, Debug)]
pub struct Counted {
    /// Its id.
    pub id: Name,
    /// The point that carries its register.
    pub point: PointId,
    /// The address of that point, for findings.
    pub address: Address,
    /// Its register.
    pub settings: Settings,
}

/// Why the meters of a plan cannot be counted. A checked plan has no such meter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The point is not declared.
    #[error("the meter {meter} counts {point}, which is no point of this site")]
    NoPoint {
        /// The meter.
        meter: Name,
        /// Its point.
        point: Address,
    },
    /// The tariff is not declared.
    #[error("the meter {meter} is priced by {tariff}, which is no tariff of this site")]
    NoTariff {
        /// The meter.
        meter: Name,
        /// Its tariff.
        tariff: Name,
    },
}

/// The meters of a plan for people.
pub(super) fn infos(plan: &Plan) -> Result<Vec<MeterInfo>, BuildError> {
    plan.meters
        .iter()
        .map(|meter| {
            let point = plan.points.iter().find(|point| point.address == meter.point);
            let point = point.ok_or_else(|| no_point(&meter.id, &meter.point))?;
            let tariff = meter.tariff.as_ref().map(|id| {
                let tariff = plan.tariffs.iter().find(|tariff| tariff.id == *id);
                tariff
                    .cloned()
                    .ok_or_else(|| BuildError::NoTariff { meter: meter.id.clone(), tariff: id.clone() })
            });
            Ok(MeterInfo {
                id: meter.id.clone(),
                name: meter.name.clone(),
                point: meter.point.clone(),
                unit: point.unit,
                exponent: meter.resolution_exponent,
                tariff: tariff.transpose()?,
            })
        })
        .collect()
}

/// The meters of a plan for the engine.
pub(super) fn counted(plan: &Plan, catalogue: &Catalogue) -> Result<Vec<Counted>, BuildError> {
    plan.meters
        .iter()
        .map(|meter| {
            let point = catalogue.find(&meter.point).ok_or_else(|| no_point(&meter.id, &meter.point))?;
            Ok(Counted {
                id: meter.id.clone(),
                point,
                address: meter.point.clone(),
                settings: Settings::from(meter),
            })
        })
        .collect()
}

fn no_point(meter: &Name, point: &Address) -> BuildError {
    BuildError::NoPoint { meter: meter.clone(), point: point.clone() }
}
