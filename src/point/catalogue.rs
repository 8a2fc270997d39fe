//! Which address is which number: identity that survives a rename and is never reused.
//!
//! Pure: the rules are here, the rows are kept by `historian`.

use super::{Address, PointId, Unit};
use std::collections::{BTreeMap, BTreeSet};

/// What kind of value a point has. A change of it opens a new epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ValueKind {
    /// [`super::Value::Bool`].
    Bool,
    /// [`super::Value::Decimal`].
    Decimal,
    /// [`super::Value::F64`].
    F64,
    /// [`super::Value::Text`].
    Text,
}

/// A point as the configuration declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Its address now.
    pub address: Address,
    /// Addresses it had before, oldest first.
    pub formerly: Vec<Address>,
    /// Its unit.
    pub unit: Unit,
    /// The kind of its values.
    pub kind: ValueKind,
}

/// A row of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueEntry {
    /// The number.
    pub id: PointId,
    /// The address it answers to now.
    pub address: Address,
    /// The unit of the current epoch.
    pub unit: Unit,
    /// The kind of the current epoch.
    pub kind: ValueKind,
    /// Counts changes of unit or kind, from 0.
    pub epoch: u32,
    /// Whether the current configuration still declares it. A gone point keeps number and history.
    pub declared: bool,
}

/// What a new configuration does to the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogueChange {
    /// A point that was not there.
    Added(PointId),
    /// It has another address and keeps its history.
    Renamed {
        /// The number it keeps.
        id: PointId,
        /// The address it had.
        from: Address,
    },
    /// Unit or kind changed: a new epoch begins.
    NewEpoch(PointId),
    /// It is not declared any more.
    Gone(PointId),
    /// It had gone and is declared again, with its old number.
    Returned(PointId),
}

/// All points that ever were, by number and by address.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    entries: BTreeMap<PointId, CatalogueEntry>,
    by_address: BTreeMap<Address, PointId>,
}

impl Catalogue {
    /// From stored rows.
    pub fn from_entries(rows: impl IntoIterator<Item = CatalogueEntry>) -> Catalogue {
        let entries: BTreeMap<_, _> = rows.into_iter().map(|row| (row.id, row)).collect();
        let by_address = entries.values().map(|row| (row.address.clone(), row.id)).collect();
        Catalogue { entries, by_address }
    }

    /// The row of a number.
    pub fn get(&self, id: PointId) -> Option<&CatalogueEntry> {
        self.entries.get(&id)
    }

    /// The number of an address.
    pub fn find(&self, address: &Address) -> Option<PointId> {
        self.by_address.get(address).copied()
    }

    /// All rows in the order of their numbers.
    pub fn entries(&self) -> impl Iterator<Item = &CatalogueEntry> {
        self.entries.values()
    }

    /// Brings the catalogue in line with a configuration and says what that changed, in order.
    ///
    /// A declared address that is unknown takes over the row of the latest `formerly` address
    /// that exists and is not itself declared; otherwise it gets the next free number.
    pub fn declare(&mut self, points: &[Declared]) -> Vec<CatalogueChange> {
        let declared: BTreeSet<&Address> = points.iter().map(|point| &point.address).collect();
        let mut changes = Vec::new();
        for point in points {
            let known = self.find(&point.address);
            let id = known.unwrap_or_else(|| self.adopt_or_add(point, &declared, &mut changes));
            self.refresh(id, point, known.is_some(), &mut changes);
        }
        for entry in self.entries.values_mut() {
            if entry.declared && !declared.contains(&entry.address) {
                entry.declared = false;
                changes.push(CatalogueChange::Gone(entry.id));
            }
        }
        changes
    }

    fn adopt_or_add(
        &mut self,
        point: &Declared,
        declared: &BTreeSet<&Address>,
        changes: &mut Vec<CatalogueChange>,
    ) -> PointId {
        let former = point.formerly.iter().rev().filter(|old| !declared.contains(old));
        let adopted = former.into_iter().find_map(|old| self.by_address.remove(old));
        if let Some(entry) = adopted.and_then(|id| self.entries.get_mut(&id)) {
            let from = std::mem::replace(&mut entry.address, point.address.clone());
            let id = entry.id;
            changes.push(CatalogueChange::Renamed { id, from });
            self.by_address.insert(point.address.clone(), id);
            return id;
        }
        let id = PointId(self.entries.keys().next_back().map_or(1, |last| last.0 + 1));
        let entry = CatalogueEntry {
            id,
            address: point.address.clone(),
            unit: point.unit,
            kind: point.kind,
            epoch: 0,
            declared: true,
        };
        self.entries.insert(id, entry);
        self.by_address.insert(point.address.clone(), id);
        changes.push(CatalogueChange::Added(id));
        id
    }

    fn refresh(&mut self, id: PointId, point: &Declared, known: bool, changes: &mut Vec<CatalogueChange>) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if known && !entry.declared {
            changes.push(CatalogueChange::Returned(id));
        }
        entry.declared = true;
        if entry.unit != point.unit || entry.kind != point.kind {
            entry.unit = point.unit;
            entry.kind = point.kind;
            entry.epoch += 1;
            changes.push(CatalogueChange::NewEpoch(id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(address: &str, formerly: &[&str], unit: &str) -> Declared {
        Declared {
            address: address.parse().unwrap(),
            formerly: formerly.iter().map(|old| old.parse().unwrap()).collect(),
            unit: unit.parse().unwrap(),
            kind: ValueKind::Decimal,
        }
    }

    #[test]
    fn a_rename_keeps_the_number_and_a_number_is_never_reused() {
        let mut catalogue = Catalogue::default();
        catalogue.declare(&[declared("a/x", &[], "kW"), declared("a/y", &[], "kW")]);
        let x = catalogue.find(&"a/x".parse().unwrap()).unwrap();

        let changes = catalogue.declare(&[declared("b/x", &["a/x"], "kW")]);
        let y = PointId(2);
        assert_eq!(
            changes,
            [CatalogueChange::Renamed { id: x, from: "a/x".parse().unwrap() }, CatalogueChange::Gone(y)]
        );

        let changes = catalogue.declare(&[declared("c/new", &[], "kW"), declared("a/y", &[], "kW")]);
        assert_eq!(
            changes,
            [CatalogueChange::Added(PointId(3)), CatalogueChange::Returned(y), CatalogueChange::Gone(x)]
        );
    }

    #[test]
    fn a_second_start_with_the_same_configuration_changes_nothing() {
        let mut catalogue = Catalogue::default();
        let points = [declared("b/x", &["a/x"], "kW"), declared("b/y", &[], "Cel")];
        catalogue.declare(&points);
        assert_eq!(catalogue.declare(&points), []);
    }

    #[test]
    fn another_unit_opens_an_epoch() {
        let mut catalogue = Catalogue::default();
        catalogue.declare(&[declared("a/x", &[], "kW")]);
        let changes = catalogue.declare(&[declared("a/x", &[], "W")]);
        assert_eq!(changes, [CatalogueChange::NewEpoch(PointId(1))]);
        assert_eq!(catalogue.get(PointId(1)).unwrap().epoch, 1);
    }

    #[test]
    fn a_former_address_that_is_declared_again_is_not_taken_away() {
        let mut catalogue = Catalogue::default();
        catalogue.declare(&[declared("a/x", &[], "kW")]);
        catalogue.declare(&[declared("b/x", &["a/x"], "kW"), declared("a/x", &[], "kW")]);
        assert_eq!(catalogue.find(&"a/x".parse().unwrap()), Some(PointId(1)));
        assert_eq!(catalogue.find(&"b/x".parse().unwrap()), Some(PointId(2)));
    }
}
