//! The records that the default comparison looks at.

use std::collections::{HashMap, HashSet};

use super::super::Lineage;
use super::super::graph::{ColumnFlow, ObjectFlow};
use super::super::kinds::ObjectKind;
use super::super::view::{Column, Object};
use super::identity::IdentityTable;
use super::{Changes, KindChange};

/// The stored objects of one lineage, their columns and the flows between them, each with its identity.
pub(crate) struct StoredRecords<'a> {
    pub(crate) lineage: &'a Lineage,
    pub(crate) objects: Vec<(usize, Object<'a>)>,
    pub(crate) columns: Vec<(usize, Column<'a>)>,
    pub(crate) column_flows: Vec<(usize, ColumnFlow<'a>)>,
    pub(crate) object_flows: Vec<(usize, ObjectFlow<'a>)>,
    /// The identity of each object, stored or not.
    names: Vec<usize>,
}

impl<'a> StoredRecords<'a> {
    pub(crate) fn new(lineage: &'a Lineage, identities: &mut IdentityTable) -> Self {
        let names: Vec<usize> = lineage.objects().map(|object| identities.object(object)).collect();
        let name_of = |object: Object<'_>| names.get(object.at as usize).copied().unwrap_or_default();
        let is_stored = |object: &Object<'_>| !object.is_intermediate() && !object.is_routine();
        let objects: Vec<(usize, Object<'_>)> =
            lineage.objects().filter(is_stored).map(|object| (name_of(object), object)).collect();
        let columns = objects.iter().flat_map(|&(name, object)| object.columns().map(move |column| (name, column)));
        let columns = columns.filter(|(_, column)| !column.is_record_set());
        let columns: Vec<_> = columns.map(|(name, column)| (identities.column(name, column), column)).collect();
        let by_column: HashMap<u32, usize> = columns.iter().map(|&(name, column)| (column.at, name)).collect();
        let column_flows = lineage.column_flows().into_iter().filter_map(|flow| {
            let ends = (by_column.get(&flow.source.at)?, by_column.get(&flow.target.at)?);
            Some((identities.pair(*ends.0, *ends.1), flow))
        });
        let column_flows = column_flows.collect();
        let flows = lineage.object_flows().into_iter();
        let flows = flows.filter(|flow| is_stored(&flow.source) && is_stored(&flow.target));
        let object_flows =
            flows.map(|flow| (identities.pair(name_of(flow.source), name_of(flow.target)), flow)).collect();
        Self { lineage, objects, columns, column_flows, object_flows, names }
    }

    pub(crate) fn name(&self, object: Object<'_>) -> usize {
        self.names.get(object.at as usize).copied().unwrap_or_default()
    }
}

/// Returns the first record of each name that the other side does not have.
pub(super) fn changes<T: Clone>(old: &[(usize, T)], new: &[(usize, T)]) -> Changes<T> {
    let only_in = |own: &[(usize, T)], other: &[(usize, T)]| {
        let mut known: HashSet<usize> = other.iter().map(|(name, _)| *name).collect();
        own.iter().filter(|(name, _)| known.insert(*name)).map(|(_, record)| record.clone()).collect()
    };
    Changes { added: only_in(new, old), removed: only_in(old, new) }
}

/// Returns the objects of which no record in one lineage has a kind that a record in the other has.
pub(super) fn changed_kinds<'a>(old: &StoredRecords<'a>, new: &StoredRecords<'a>) -> Vec<KindChange<'a>> {
    let mut known: HashMap<usize, (Object<'a>, HashSet<ObjectKind>)> = HashMap::new();
    for &(name, object) in &old.objects {
        known.entry(name).or_insert_with(|| (object, HashSet::new())).1.insert(object.kind());
    }
    let unknown = ObjectKind::from("");
    let mut changed = Vec::new();
    for &(name, object) in &new.objects {
        let Some((first, kinds)) = known.get(&name) else {
            continue;
        };
        if object.kind() == unknown || kinds.contains(&object.kind()) || kinds.contains(&unknown) {
            known.remove(&name);
        } else {
            changed.push((name, KindChange { old: *first, new: object }));
        }
    }
    // A later record of the name may have the old kind.
    let mut seen = HashSet::new();
    changed.retain(|(name, _)| known.contains_key(name) && seen.insert(*name));
    changed.into_iter().map(|(_, change)| change).collect()
}
